"""The report's numbers for every choice, exact: no percentile is computed from others.

A cube is one query over a view's rows, by account and by all accounts, by skill and by all skills, by period or day. `Query`
says which rows and columns a chart needs; queries over the same rows share a cube.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeAlias

import duckdb

from pipeline.processes import interruptible
from pipeline.report.choices import ALL, Choices, readable
from pipeline.report.measures import Source

Cell: TypeAlias = str | int | float | bool | None
Row: TypeAlias = dict[str, Cell]
Columns: TypeAlias = dict[str, list[Any]]

GROUPS = {
    None: (),
    "account": ("account_id",),
    "skill": ("skill_id",),
    "flow": ("skill_id", "target_skill_id"),
    "agent": ("account_id", "agent_id"),
}
"""The columns that identify the rows of a query, beside its keys, by what it spreads."""


@dataclass(frozen=True)
class Query:
    """Measures of a view, in rows by its keys and by what it `spreads`: accounts, skills, flows between skills, agents.

    Dimensions that it does not spread are one row: of all, or of the account and skill chosen. `hidden` measures are drawn, but
    neither in the table nor in the SQL. `most` limits the rows to those with the highest first measure; `qualify` is
    a condition on the rows, with `{account}` for the account's column.
    """

    source: Source
    keys: tuple[str, ...]
    spread: str | None
    measures: tuple[str, ...]
    hidden: tuple[str, ...] = ()
    condition: str | None = None
    most: int | None = None
    qualify: str | None = None

    @property
    def columns(self) -> list[str]:
        """The table's columns, those that name a row first."""
        return [*self.keys, *GROUPS[self.spread], *self.measures]

    @property
    def cube(self) -> str:
        """The name of the cube that has the rows."""
        beyond = {"flow": ["target_skill_id"], "agent": ["agent_id"]}.get(self.spread or "", [])
        return "-".join([self.source.view, *self.keys, *beyond])

    @property
    def is_by_day(self) -> bool:
        """Whether each row is of a day, so that periods select rows; else it has rows for each period."""
        return self.source.day in self.keys

    def sql(self) -> tuple[str, str]:
        """The SQL of the table, in two parts: the choice's conditions go between them."""
        names = [*self.keys, *GROUPS[self.spread]]
        selected = [_named(self.source.keys.get(name, name), name) for name in names]
        selected += [_named(self.source.measures[name], name) for name in self.measures]
        head = "select\n    " + ",\n    ".join(selected) + f"\nfrom {self.source.view}"
        order = ", ".join(names if self.most is None else [f"{self.measures[0]} desc", *names])
        qualify = "\nqualify " + self.qualify.format(account="account_id") if self.qualify else ""
        tail = f"group by {', '.join(names)}{qualify}\norder by {order}" if names else ""
        return head, tail + (f"\nlimit {self.most}" if self.most else "")


@dataclass(frozen=True)
class Cube:
    """One query for every choice. Accounts and skills are their places among the choices, as are periods."""

    name: str
    query: Query
    measures: tuple[str, ...]

    def sql(self) -> str:
        """The query, over the temporary tables that `prepare` makes."""
        source, query = self.source, self.query
        skill_keys = {"flow": ["skill", "target_skill"], "agent": ["agent_id"]}.get(query.spread or "", [])
        keys = [*query.keys, *skill_keys]
        fixed = keys if query.is_by_day else ["period", *keys]
        accounts = [["account"]] if query.is_by_day or query.spread == "agent" else [["account"], []]
        skills = [["skill"], []] if source.has_skill and query.spread != "flow" else [[]]
        apart = ["account_id"] if query.spread == "agent" else []  # other accounts, too, may have agents of the same id
        sets = ["(" + ", ".join([*fixed, *apart, *account, *skill]) + ")" for account in accounts for skill in skills]
        places = [f"coalesce({name}, {ALL}) as {name}" for name in ("account", *(["skill"] if len(skills) > 1 else []))]
        measures = [_named(source.measures[name], name) for name in self.measures]
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
        computed = [_named(source.keys[key], key) for key in query.keys if key in source.keys and key != source.day]
        rows = f"select {', '.join(['*', *computed])} from {source.table}"
        if not query.is_by_day:
            rows += f" join report_periods on since is null or {source.day} between since and until"
        return rows + (f" where {query.condition}" if query.condition else "")

    def _highest(self) -> str:
        if self.query.qualify:
            return f"qualify {self.query.qualify.format(account='account')}\n"
        if self.query.most is None:
            return ""
        order = f"{self.measures[0]} desc, agent_id"
        return f"qualify row_number() over (partition by period, account order by {order}) <= {self.query.most}\n"


def read_cubes(connection: duckdb.DuckDBPyConnection, queries: Iterable[Query], choices: Choices) -> dict[str, Columns]:
    """The cubes of these queries by name, each as columns of the same length."""
    wanted = list(queries)
    with interruptible(connection.cursor()) as private:  # its temporary tables go with it
        _prepare(private, {query.source.view: query.source for query in wanted}.values(), choices)
        return {cube.name: _read(private, cube) for cube in _cubes(wanted)}


def rows_of_all(query: Query, cube: Columns, choices: Choices) -> list[Row]:
    """The rows of a query for everything, accounts and skills by name; `page.js` does the same for a choice."""
    spread = {"account": query.spread in {"account", "agent"}, "skill": query.spread == "skill", "period": False}
    if query.spread == "flow":
        del spread["skill"]
    wanted = [(cube[name], is_spread) for name, is_spread in spread.items() if name in cube]
    length = len(cube["account"])
    places = [place for place in range(length) if all((column[place] != ALL) == is_spread for column, is_spread in wanted)]
    accounts = ["", *(option.name for option in choices.accounts)]
    skills = ["", *(option.name for option in choices.skills)]
    named = {"account_id": ("account", accounts), "skill_id": ("skill", skills), "target_skill_id": ("target_skill", skills)}
    rows: list[Row] = [{} for _ in places]
    for column in query.columns:
        source, names = named.get(column, (column, None))
        for row, place in zip(rows, places, strict=True):
            value = cube[source][place]
            row[column] = names[value] if names else value
    if query.most is None:
        return rows
    return sorted(rows, key=lambda row: -float(row[query.measures[0]] or 0))[: query.most]


def read_rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[Row]:
    """The query's rows by column name, in values that JSON has."""
    cursor = connection.execute(sql)
    names = [str(column[0]) for column in cursor.description or ()]
    return [dict(zip(names, map(_plain, values), strict=True)) for values in cursor.fetchall()]


def rounded(value: float, digits: int) -> float:
    """The value with so many decimal places, a half upwards; JavaScript does the same sum."""
    scale = float(10**digits)
    return math.floor(value * scale + 0.5) / scale


def _named(expression: str, name: str) -> str:
    return name if expression == name else f"{expression} as {name}"


def _cubes(queries: Sequence[Query]) -> list[Cube]:
    by_name: dict[str, list[Query]] = {}
    for query in queries:
        by_name.setdefault(query.cube, []).append(query)
    return [
        Cube(name, same[0], tuple(dict.fromkeys(measure for query in same for measure in (*query.measures, *query.hidden))))
        for name, same in by_name.items()
    ]


def _prepare(connection: duckdb.DuckDBPyConnection, sources: Iterable[Source], choices: Choices) -> None:
    """Keep each view's rows in a temporary table with the places of account and skill: the views are the slow part."""
    connection.execute("create temp table report_periods (period integer, since date, until date)")
    connection.executemany(
        "insert into report_periods values (?, ?, ?)",
        [(place, period.since, period.until) for place, period in enumerate(choices.periods)],
    )
    for source in sources:
        account, skill = choices.place_of(choices.accounts), choices.place_of(choices.skills)
        places = [f"{account} as account"]
        if source.has_skill:
            places.append(f"{skill} as skill")
        if "target_skill_id" in source.kept:
            places.append(f"{skill.replace('skill_id', 'target_skill_id')} as target_skill")
        connection.execute(
            f"create temp table {source.table} as select {source.kept}, {', '.join(places)} from {source.view}",
        )


def _read(connection: duckdb.DuckDBPyConnection, cube: Cube) -> Columns:
    cursor = connection.execute(cube.sql())
    names = [str(column[0]) for column in cursor.description or ()]
    columns = list(zip(*cursor.fetchall(), strict=True)) or [()] * len(names)
    return {name: _wired(values, name, is_shown=cube.is_large) for name, values in zip(names, columns, strict=True)}


def _wired(values: Sequence[Any], name: str, *, is_shown: bool) -> list[Any]:
    """A column as the page carries it; all its values are of one type."""
    match next((value for value in values if value is not None), None):
        case float():
            digits = 3 if name.endswith("_share") else 1
            # The last digits of a sum depend on how threads share the rows.
            shown = (lambda value: rounded(value, digits)) if is_shown else (lambda value: round(value, 9))
            return [None if value is None or not math.isfinite(value) else shown(value) for value in values]
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
