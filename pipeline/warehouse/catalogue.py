"""The catalogue docs/metrics.json: every fact and view with its key, and how each column is counted, read from the SQL.

There is no second source: the key is the columns that the header's grain names; the numerator, the denominator and n are the
columns that the meaning of a column names (`a_count / b_count`, `mean of the b_count entries`); a filter is a `filter` or
`where` of the select that makes the column. The tests hold the meanings to these forms.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import duckdb

from pipeline.schema import FACTS, TABLES, Table
from pipeline.warehouse import library
from pipeline.warehouse.library import LAST_SELECT, MEANING, View, column_meanings, ordered_views
from pipeline.warehouse.twins import twin_names

_ABOUT: Final = (
    "Facts and views of a lake, made from sql/ by `make docs`. A key that is left out is not known or does not apply. "
    "key: the columns that tell rows apart. time_column: the column of the key to group and filter by. numerator, "
    "denominator and n: columns of the same view. filters: conditions in SQL on the rows counted, beside those that "
    "`counts` tells in words."
)
_LOCAL_DAY: Final = "local day"
_UNITS: Final = (
    (r".*_milliseconds", "milliseconds"),
    (r".*_seconds", "seconds"),
    (r".*_minutes", "minutes"),
    (r".*_hours|(gap_)?hour_count", "hours"),
    (r".*_share|share(_low|_high)?", "share, 0 to 1"),
    (r"change(_low|_high)?", "difference of shares"),
    (r"(entry|abandoned)_mean", "entries"),
    (r"(entry|abandoned)_score", "standard deviations"),
    (r"transfers_per_conversation|(agent_)?concurrency|talk_ratio", "ratio"),
    (r".*_count", "count"),
    (r"waiting_(avg|min|max)", "people"),
    (r"mcs.*|bucket", "points"),
    (r"local_(start_)?time", "local time"),
    (r".*_time|hour", "instant"),
    (r"local_(date|week|month)", _LOCAL_DAY),
    (r"local_hour", "local hour"),
    (r".*_?date", "day, UTC"),
)
_LOCAL: Final = re.compile(r"(Day|Monday|First day) .*on the account's clocks\..*")
_TIME_TYPES: Final = frozenset({"DATE", "TIMESTAMP WITH TIME ZONE"})
_DAYS: Final = ("date", "local_date")
_OPERAND: Final = r"(?:[a-z]\w*|\([a-z]\w*(?: [+-] [a-z]\w*)+\))"
_RATIO: Final = re.compile(rf"(?:^|: )(?P<numerator>{_OPERAND}) / (?P<denominator>{_OPERAND})(?!\w)")
_SAMPLE: Final = re.compile(r".*_(avg|p\d+)(_\w+)?|.*_mean")
_SHARE: Final = re.compile(r"share|.*_share")
_COUNT: Final = re.compile(r"\b[a-z]\w*_count\b")
_NESTED: Final = r"(?:[^()]|\((?:[^()]|\([^()]*\))*\))*"
_FILTER: Final = re.compile(rf"\bfilter \(\s*where ({_NESTED})\)")
_WHERE: Final = re.compile(r"^where\b(.*?)(?=^group by\b|^order by\b|^window\b|\Z)", re.DOTALL | re.MULTILINE)
_ROW_OF: Final = re.compile(r"one row per (?:row of )?(?:interactive )?(\w+)")
_ROWS: Final = {"conversation": "conversations", "segment": "segments"}  # of which table a grain's noun is a row


def text_of_catalogue(connection: duckdb.DuckDBPyConnection) -> str:
    """Write the catalogue of a database with all tables and views: a line for each view, and for each column."""
    lines = [f'{{"about": {json.dumps(_ABOUT)},', '"views": [']
    entries = list(_entries(connection))
    for entry in entries:
        *columns, last = [json.dumps(column, ensure_ascii=False) for column in entry.pop("columns")]
        lines.append(f'{json.dumps(entry, ensure_ascii=False)[:-1]}, "columns": [')
        lines += [f" {column}," for column in columns]
        lines.append(f" {last}]}}{'' if entry is entries[-1] else ','}")
    return "\n".join([*lines, "]}"]) + "\n"


def unit_of(column: str, meaning: str = "") -> str:
    """Give the unit of a column, which its name ends in; "" if it has none. A day whose meaning says so is a local one."""
    if _LOCAL.fullmatch(meaning):
        return _LOCAL_DAY
    return next((unit for pattern, unit in _UNITS if re.fullmatch(pattern, column)), "")


def how_counted(column: str, meaning: str, columns: Iterable[str]) -> dict[str, str]:
    """Read numerator and denominator, or n, from the meaning of a column: those whose names are columns of the same view."""
    if (ratio := _RATIO.search(meaning)) and set(re.findall(r"\w+", f"{ratio[1]} {ratio[2]}")) <= set(columns):
        found = {name: operand.strip("()") for name, operand in ratio.groupdict().items()}
        return found | ({"n": found["denominator"]} if _SAMPLE.fullmatch(column) else {})
    count = next((name for name in _COUNT.findall(meaning) if name in columns), None)
    if count and _SHARE.fullmatch(column):
        return {"denominator": count}
    return {"n": count} if count and _SAMPLE.fullmatch(column) else {}


def key_of(grain: str, columns: Iterable[str]) -> list[str]:
    """Read the key from the first sentence of a grain: the columns that it names, and those of a row of a table."""
    sentence = re.split(r"[;.:]", re.sub(r"\([^)]*\)", "", grain))[0]
    noun = _ROW_OF.match(sentence)
    table = TABLES.get(_ROWS.get(noun[1], noun[1])) if noun else None
    of_table = table.key if table else ()
    if not set(of_table) <= set(columns):
        return []
    return list(dict.fromkeys(name for name in (*of_table, *re.findall(r"\w+", sentence)) if name in set(columns)))


def _entries(connection: duckdb.DuckDBPyConnection) -> Iterator[dict[str, Any]]:
    """Describe each fact, then each view by theme and name."""
    views = sorted(ordered_views(), key=lambda view: (view.theme == "steps", view.theme, view.name))
    types = {name: _types(connection.table(name)) for name in (*FACTS, *(view.name for view in views))}
    meanings = column_meanings(types)
    definitions = {view.name: view for view in ordered_views(only=(library.FACTS,))}
    for table in FACTS.values():
        yield _fact(table, definitions[table.name], types[table.name])
    selects = {view.name: view.sql for view in views}  # a twin's has no comments
    for view in views:
        filters = _filters(selects[view.twin_of or view.name])
        yield _entry(view, key_of(view.notes["Grain"], types[view.name]), types[view.name], meanings[view.name], filters)


def _fact(table: Table, definition: View, types: Mapping[str, str]) -> dict[str, Any]:
    meanings = {column.name: column.about for column in table.shown}
    return _entry(definition, list(table.key), {name: types[name] for name in meanings}, meanings, {})


def _entry(
    view: View, key: list[str], types: Mapping[str, str], meanings: Mapping[str, str], filters: Mapping[str, list[str]]
) -> dict[str, Any]:
    entry = {
        "name": view.name,
        "theme": view.theme,
        "about": view.about,
        "grain": view.notes["Grain"],
        "key": key,
        "time_column": next((name for name in (*key, *_DAYS) if types.get(name) in _TIME_TYPES), None),
        "counts": view.notes["Counts"],
        "units": view.notes["Units"],
        "source": view.notes["Source"],
        "filters": filters.get(""),
        "twin_of": view.twin_of,
        "twins": list(twin_names(view.name, view.notes).values()) if not view.twin_of else None,
    }
    columns = [
        {"name": name, "type": column_type, "unit": unit_of(name, meanings[name]), "meaning": meanings[name]}
        | how_counted(name, meanings[name], types)
        | {"filters": filters.get(name)}
        for name, column_type in types.items()
    ]
    return _known(entry) | {"columns": [_known(column) for column in columns]}


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "", [])}


def _types(relation: duckdb.DuckDBPyRelation) -> dict[str, str]:
    return {name: str(column_type) for name, column_type in zip(relation.columns, relation.types, strict=True)}


def _filters(sql: str) -> dict[str, list[str]]:
    """Read the conditions of the last select: of its rows by "", and of each column that a comment explains."""
    if not (select := LAST_SELECT.match(sql)):
        return {}
    where = _WHERE.search(select["rest"])
    filters = {"": [_one_line(where[1])] if where else []}
    begin = 0
    for column in MEANING.finditer(select["columns"]):
        conditions = _FILTER.findall(select["columns"][begin : column.start()])
        filters[column[1]] = list(dict.fromkeys(map(_one_line, conditions)))
        begin = column.end()
    return filters


def _one_line(condition: str) -> str:
    return " ".join(re.sub(r"--.*", "", condition).split())
