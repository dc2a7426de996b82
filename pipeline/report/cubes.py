"""The report's numbers for every choice, exact: no percentile is computed from others.

A cube is one query over a view's rows, by channel, by account and by all accounts, by skill and by all skills, by period or
day. No row has more than one channel. `Query` says which rows and columns a chart needs; queries over the same rows
share a cube.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, TypeAlias

import duckdb

from pipeline.processes import interruptible
from pipeline.report.choices import ALL, Choices, label, place_of, readable
from pipeline.report.formatting import Cell, Row
from pipeline.report.measures import UNITS, Source
from pipeline.report.wholeness import Marks
from pipeline.text import rounded

Columns: TypeAlias = dict[str, list[Any]]

GROUPS = {
    None: (),
    "channel": ("type",),
    "account": ("account_id",),
    "skill": ("skill_id",),
    "account_skill": ("account_id", "skill_id"),
    "flow": ("skill_id", "target_skill_id"),
    "agent": ("account_id", "agent_id"),
}
"""The columns that identify the rows of a query, beside its keys, by what it spreads. Skills of one id in several accounts
stand in one row as "skill", apart as "account_skill"."""

PLACES = {
    "type": ("channel", "channel"),
    "account_id": ("account", "account"),
    "skill_id": ("skill", "skill"),
    "target_skill_id": ("target_skill", "skill"),
}
"""The columns that a cube has as places, and of which choices."""

NAMES = {"skill_id": "skill_name", "target_skill_id": "target_skill_name", "agent_id": "agent_name"}
"""The names that the SQL gives beside ids; in a table both stand in one field."""


@dataclass(frozen=True)
class Query:
    """Measures of a view, in rows by its keys and by what it `spreads`, one of `GROUPS`.

    Dimensions that it does not spread are one row: of the channel chosen, of all, or of the account and skill chosen.
    `hidden` measures are drawn, but neither in the table nor in the SQL. `most` limits the rows to those with the highest
    first measure; `qualify` is a condition on the rows, with `{account}` for the account's column.
    """

    source: Source
    keys: tuple[str, ...]
    spread: str | None
    measures: tuple[str, ...]
    hidden: tuple[str, ...] = ()
    condition: str | None = None
    most: int | None = None
    qualify: str | None = None
    is_of_all_skills: bool = False

    @property
    def has_skill(self) -> bool:
        """Whether the choice of a skill applies."""
        return self.source.has_skill and not self.is_of_all_skills

    def spreads(self, choice: str) -> bool:
        """Whether each account, or each skill, has rows of its own."""
        return self.spread in {"account": {"account", "agent", "account_skill"}, "skill": {"skill", "account_skill"}}[choice]

    @property
    def columns(self) -> list[str]:
        """The table's columns, those that name a row first."""
        return [*self.keys, *GROUPS[self.spread], *self.measures]

    @property
    def cube(self) -> str:
        """The name of the cube that has the rows."""
        beyond = {"flow": ["target_skill_id"], "agent": ["agent_id"]}.get(self.spread or "", [])
        return "-".join([self.source.name, *self.keys, *beyond])

    @property
    def day(self) -> str:
        """The column that a period is applied to: the first day where each row is of a week or a month."""
        return next((key for key in self.keys if key in UNITS.values()), self.source.day)

    @property
    def unit(self) -> str:
        """Whether each row is of one of the days, weeks or months, if it `is_by_day`."""
        return next((unit for unit, column in UNITS.items() if column in self.keys), "days")

    @property
    def is_by_day(self) -> bool:
        """Whether each row is of a day, a week or a month, so that periods select rows; else it has rows for each period."""
        return self.day in self.keys

    def by(self, unit: str) -> "Query | None":
        """The same by weeks or by months, where it is by local days."""
        if not self.source.is_local or self.source.day not in self.keys:
            return None
        return replace(self, keys=tuple(UNITS[unit] if key == self.source.day else key for key in self.keys))

    def mark(self, row: Row, marks: Marks, account: int) -> str:
        """The words for a local day, week or month of the account that is not whole; "" for others."""
        if not self.source.is_local or not self.is_by_day:
            return ""
        return marks.of(str(row[self.day]), account, self.unit)

    @property
    def conditions(self) -> list[str]:
        """Conditions on the rows, whatever is chosen."""
        return [condition for condition in (self.source.condition, self.condition) if condition]

    def sql(self) -> tuple[str, str]:
        """The SQL of the table, in two parts: the choice's conditions go between them."""
        names = [*self.keys, *GROUPS[self.spread]]
        selected = [_named(self.source.keys.get(name, name), name) for name in names]
        selected += [f"string_agg(distinct {name}, ' / ' order by {name}) as {name}" for name in map(NAMES.get, names) if name]
        selected += [_named(self.source.measures[name].sql, name) for name in self.measures]
        head = "select\n    " + ",\n    ".join(selected) + f"\nfrom {self.source.view}"
        in_order = [part for name in names for part in ([NAMES[name], name] if name in NAMES else [name])]
        order = ", ".join(in_order if self.most is None else [f"{self.measures[0]} desc", *reversed(names)])
        qualify = "\nqualify " + self.qualify.format(account="account_id") if self.qualify else ""
        tail = f"group by {', '.join(names)}{qualify}\norder by {order}" if names else ""
        return head, tail + (f"\nlimit {self.most}" if self.most else "")


@dataclass(frozen=True)
class Cube:
    """One query for every choice. Channels, accounts and skills are their places among the choices, as are periods.

    A place below 0, ~place of a period, is that of the days before it, which only cubes of key figures have.
    """

    name: str
    query: Query
    measures: tuple[str, ...]

    def sql(self) -> str:
        """The query, over the temporary tables that `prepare` makes."""
        source, query = self.source, self.query
        skill_keys = {"flow": ["skill", "target_skill"], "agent": ["agent_id"]}.get(query.spread or "", [])
        keys = [*query.keys, *skill_keys]
        fixed = [*([] if query.is_by_day else ["period"]), *(["channel"] if source.has_channel else []), *keys]
        accounts = [["account"]] if query.is_by_day or query.spread == "agent" else [["account"], []]
        skills = [["skill"], []] if query.has_skill and query.spread != "flow" else [[]]
        apart = ["account_id"] if query.spread == "agent" else []  # other accounts, too, may have agents of the same id
        sets = ["(" + ", ".join([*fixed, *apart, *account, *skill]) + ")" for account in accounts for skill in skills]
        places = [f"coalesce({name}, {ALL}) as {name}" for name in ("account", *(["skill"] if len(skills) > 1 else []))]
        places += ["min(agent_name) as agent_name"] if query.spread == "agent" else []
        measures = [_named(source.measures[name].sql, name) for name in self.measures]
        return (
            f"select {', '.join([*fixed, *places, *measures])}\n"
            f"from ({self._rows()})\n"
            f"group by grouping sets ({', '.join(sets)})\n{self._highest()}"
            f"order by {', '.join([*fixed, 'account', *(['skill'] if len(skills) > 1 else [])])}"
        )

    @property
    def source(self) -> Source:
        """The view whose rows it counts."""
        return self.query.source

    @property
    def is_large(self) -> bool:
        """Whether its numbers are kept as the tables show them; those of a few rows as they are, for durations in words."""
        return bool(self.query.keys)

    def _rows(self) -> str:
        source, query = self.source, self.query
        computed = [
            _named(source.keys[key], key)
            for key in query.keys
            if key in source.keys and key not in (source.day, *UNITS.values())
        ]
        rows = f"select {', '.join(['*', *computed])} from {source.table}"
        if not query.is_by_day:
            rows += f" join report_periods on (since is null or {source.day} between since and until)"
            rows += "" if self.name == source.name else " and period >= 0"
        return rows + (f" where {' and '.join(query.conditions)}" if query.conditions else "")

    def _highest(self) -> str:
        if self.query.qualify:
            return f"qualify {self.query.qualify.format(account='account')}\n"
        if self.query.most is None:
            return ""
        order = f"{self.measures[0]} desc, agent_id"
        return f"qualify row_number() over (partition by period, channel, account order by {order}) <= {self.query.most}\n"


@contextmanager
def kept_rows(
    connection: duckdb.DuckDBPyConnection, cubes: Iterable[Cube], choices: Choices
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the rows of the views of these cubes in temporary tables, which go at the end."""
    with interruptible(connection.cursor()) as private:
        _prepare(private, {cube.source.name: cube.source for cube in cubes}.values(), choices)
        yield private


def rows_of_all(query: Query, cube: Columns, choices: Choices) -> list[Row]:
    """The rows of a query for everything in the first channel and period, by name; `page.js` does the same for a choice."""
    spread = {name: query.spreads(name) for name in ("account", "skill")} | {"period": False}
    if query.spread == "flow":
        del spread["skill"]
    wanted = [(cube[name], is_spread) for name, is_spread in spread.items() if name in cube]
    places = [place for place in range(len(cube["account"])) if all((column[place] != ALL) == is_ for column, is_ in wanted)]
    if "channel" in cube and query.spread != "channel":
        places = [place for place in places if cube["channel"][place] == 1]
    first = choices.periods[0]
    if query.is_by_day and first.since:
        places = [place for place in places if first.since <= cube[query.day][place] <= str(first.until)]
    names = {name: ["", *(option.name for option in getattr(choices, f"{name}s"))] for name in ("channel", "account", "skill")}
    rows: list[Row] = [{} for _ in places]
    for column in query.columns:
        source, kind = PLACES.get(column, (column, ""))
        for row, place in zip(rows, places, strict=True):
            row[column] = names[kind][cube[source][place]] if kind else cube[source][place]
    for row, place in zip(rows, places, strict=True):
        if "agent_id" in row:
            row["agent_id"] = label(row["agent_id"], cube["agent_name"][place])
        row["mark"] = query.mark(row, choices.marks, cube["account"][place])
    if query.most is None:
        return rows
    return sorted(rows, key=lambda row: -float(row[query.measures[0]] or 0))[: query.most]


def read_rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[Row]:
    """The query's rows by column name, in values that JSON has."""
    cursor = connection.execute(sql)
    names = [str(column[0]) for column in cursor.description or ()]
    return [dict(zip(names, map(_plain, values), strict=True)) for values in cursor.fetchall()]


def _named(expression: str, name: str) -> str:
    return name if expression == name else f"{expression} as {name}"


def cubes_of(queries: Iterable[Query]) -> list[Cube]:
    """The cubes that have the rows of these queries, each with the measures of all that share it."""
    by_name: dict[str, list[Query]] = {}
    for query in queries:
        by_name.setdefault(query.cube, []).append(query)
    return [
        Cube(name, same[0], tuple(dict.fromkeys(measure for query in same for measure in (*query.measures, *query.hidden))))
        for name, same in by_name.items()
    ]


def _prepare(connection: duckdb.DuckDBPyConnection, sources: Iterable[Source], choices: Choices) -> None:
    """Keep each view's rows in a temporary table with the places of channel, account and skill: the views are the slow part."""
    connection.execute("create temp table report_periods (period integer, since date, until date)")
    rows = [(place, period.since, period.until) for place, period in enumerate(choices.periods)]
    rows += [(~place, *period[-2:]) for place, period in enumerate(choices.periods) if period.before_since]
    connection.executemany("insert into report_periods values (?, ?, ?)", rows)
    views: dict[str, list[Source]] = {}
    for source in sources:
        views.setdefault(source.view, []).append(source)
    for same in views.values():
        connection.execute(_table(same, choices))


def _table(sources: Sequence[Source], choices: Choices) -> str:
    """The statement that keeps the rows of a view, with all columns that its sources need."""
    source = sources[0]
    kept = list(dict.fromkeys(column for one in sources for column in one.kept))
    skill = place_of(choices.skills)
    kept.append(f"{place_of(choices.accounts)} as account")
    if any(one.has_skill for one in sources):
        kept.append(f"{skill} as skill")
    if "target_skill_id" in kept:
        kept.append(f"{skill.replace('skill_id', 'target_skill_id')} as target_skill")
    wanted = ""
    if source.has_channel:
        kept.append(f"{place_of(choices.channels)} as channel")
        wanted = " where channel is not null"
    return f"create temp table {source.table} as select {', '.join(kept)} from {source.view}{wanted}"


def read_cube(connection: duckdb.DuckDBPyConnection, cube: Cube) -> Columns:
    """The numbers of a cube, from the rows that `kept_rows` keeps, as columns of the same length."""
    cursor = connection.execute(cube.sql())
    names = [str(column[0]) for column in cursor.description or ()]
    columns = list(zip(*cursor.fetchall(), strict=True)) or [()] * len(names)
    return {name: _wired(values, name, is_shown=cube.is_large) for name, values in zip(names, columns, strict=True)}


def _wired(values: Sequence[Any], name: str, *, is_shown: bool) -> list[Any]:
    """A column as the page carries it; all its values are of one type."""
    match next((value for value in values if value is not None), None):
        case float():
            digits = 3 if name.endswith("_share") else 1
            # The last digits of a sum depend on how threads share the rows, and a half may be rounded either way by them.
            exact = [None if value is None or not math.isfinite(value) else round(value, 9) for value in values]
            return [None if value is None else rounded(value, digits) for value in exact] if is_shown else exact
        case str():
            return [None if value is None else readable(value) for value in values]
        case date():
            return [None if value is None else value.isoformat() for value in values]
        case _:
            return list(values)


def _plain(value: object) -> Cell:
    match value:
        case float() if not math.isfinite(value):
            return None
        case str() | bool() | int() | float() | None:
            return value
        case datetime():
            return value.isoformat(sep=" ", timespec="minutes")
        case date():
            return value.isoformat()
        case _:
            return str(value)
