"""The rows of the newest days, from which the page counts the numbers of any days that its reader chooses: `counting.js`.

A table has a row for each row of a view, and only columns of numbers: the day, the places of channel, account and skill, the
keys of charts, values, and for each condition whether it holds. Charts by day need none of it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import duckdb

from pipeline.report.choices import readable
from pipeline.report.cubes import Cube
from pipeline.report.measures import Count, Difference, Measure, Ratio, Total, Value

if TYPE_CHECKING:
    import pyarrow as pa

MOST_ROWS: Final = 120_000
"""The most rows of all tables together: a browser counts so many in less than a second."""
ROW_BYTES: Final = 5.5
"""The bytes that a row takes in the page, on average; 5.1 were measured."""
_NONE: Final = -(2**31)
_EPOCH: Final = date(1970, 1, 1)
_AGENT: Final = "agent"


class Days(NamedTuple):
    """The `rows`, one column of numbers after the other, and what the page needs to count them.

    `described` has: `since` and `until`, the first and the last day whose rows are there, "" without any; whether there are no
    older ones, `isWhole`; of the `tables` the number of rows and the kinds of columns; of the `cubes` how their numbers are
    counted; of the `agents` id, name and place of the account.
    """

    described: dict[str, Any]
    rows: bytes


@dataclass
class _Table:
    """A table's columns by the SQL of their values, in the order in which they were asked for."""

    cube: Cube
    columns: dict[str, int] = field(default_factory=dict)
    has_agents: bool = False

    def place(self, sql: str) -> int:
        return self.columns.setdefault(sql, len(self.columns))

    def flag(self, condition: str) -> int:
        return self.place(f"coalesce({condition}, false)::utinyint")


def read_days(connection: duckdb.DuckDBPyConnection, cubes: Iterable[Cube], room: int) -> Days:
    """Read the rows that these cubes count, from the temporary tables of `kept_rows`, as many as have `room`, in bytes."""
    wanted = [cube for cube in cubes if not cube.query.is_by_day]
    tables: dict[str, _Table] = {}
    for cube in wanted:
        tables.setdefault(cube.source.table, _Table(cube)).has_agents |= cube.query.spread == _AGENT
    counted = {cube.name: _counted(cube, tables[cube.source.table]) for cube in wanted}
    first, since, until = _span(connection, tables.values(), min(MOST_ROWS, int(room / ROW_BYTES)))
    agents = _keep_agents(connection, [table for table in tables.values() if table.has_agents], since)
    parts: list[bytes] = []
    described = {name: _read(connection, table, since, parts) for name, table in tables.items() if since is not None}
    span = {"since": str(since or ""), "until": str(until or ""), "isWhole": first == since}
    return Days(span | {"tables": described, "cubes": counted, "agents": agents}, b"".join(parts))


def _keep_agents(connection: duckdb.DuckDBPyConnection, tables: Sequence[_Table], since: date | None) -> list[list[Any]]:
    """Number the agents in the table `report_agents`; return of each the id, the name and the place of the account."""
    connection.execute("create temp table report_agents (of_account varchar, of_agent varchar, agent integer)")
    if since is None:
        return []
    found = " union all ".join(
        f"select account_id, agent_id, agent_name, account from {table.cube.source.table} "
        f"where agent_id is not null and not is_bot and {table.cube.source.day} >= date '{since}'"
        for table in tables
    )
    agents = connection.execute(
        f"select account_id, agent_id, min(agent_name), min(account) from ({found}) group by account_id, agent_id "
        "order by agent_id, account_id"
    ).fetchall()
    numbered = [(account_id, agent_id, number) for number, (account_id, agent_id, *_) in enumerate(agents)]
    if numbered:
        connection.executemany("insert into report_agents values (?, ?, ?)", numbered)
    return [[readable(agent_id), name and readable(name), account] for _, agent_id, name, account in agents]


def _counted(cube: Cube, table: _Table) -> dict[str, Any]:
    """Say in which columns the page finds what a cube counts, as `Cube.sql` has it."""
    query, source = cube.query, cube.source
    keys = {key: f"coalesce({source.keys.get(key, key)}, {_NONE})::integer" for key in query.keys}
    if query.spread == "flow":
        keys |= {"skill": "skill", "target_skill": "target_skill"}
    if query.spread == _AGENT:
        keys |= {_AGENT: f"coalesce({_AGENT}, {_NONE})::integer"}
    return {
        "table": source.table,
        "day": table.place(f"({source.day} - date '{_EPOCH}')::integer"),
        "keys": {"channel": table.place("channel::utinyint")} | {name: table.place(sql) for name, sql in keys.items()},
        "account": table.place("account::utinyint"),
        "skill": table.place("skill::utinyint") if query.has_skill and query.spread != "flow" else None,
        "conditions": [table.flag(condition) for condition in query.conditions],
        "isLarge": cube.is_large,
        "measures": {name: _wired(source.measures[name], table) for name in cube.measures},
    }


def _wired(measure: Measure, table: _Table) -> dict[str, Any]:
    match measure:
        case Count(where, column):
            is_there = f"{column} is not null" if column else ""
            return {"kind": "count", "flags": [table.flag(condition) for condition in (where, is_there) if condition]}
        case Difference(count, other):
            return {"kind": "difference", "of": [_wired(count, table), _wired(other, table)]}
        case Ratio(parts, cases):
            return {"kind": "ratio", "of": [_wired(parts, table), _wired(cases, table)]}
        case Value(kind, column, where, share):
            flags = [table.flag(where)] if where else []
            return {"kind": kind, "flags": flags, "column": table.place(column), "share": share, "divisor": measure.divisor}
        case Total(column, _, divisor):
            return {"kind": "total", "flags": [], "column": table.place(column), "divisor": divisor}
        case _:
            raise TypeError(measure)


def _span(
    connection: duckdb.DuckDBPyConnection, tables: Iterable[_Table], most: int
) -> tuple[date | None, date | None, date | None]:
    """The first day; the first and the last of the newest days that have no more than `most` rows together, if any has."""
    days = " union all ".join(
        f"select {table.cube.source.day} as day, count(*) as n from {table.cube.source.table} group by day" for table in tables
    )
    [[first, since, until]] = connection.execute(
        f"select min(day), min(day) filter (where total <= {most}), max(day) filter (where total <= {most}) "
        f"from (select day, sum(sum(n)) over (order by day desc) as total from ({days}) "
        f"where day > date '{_EPOCH}' group by day)"
    ).fetchall()
    return first, since, until


def _read(connection: duckdb.DuckDBPyConnection, table: _Table, since: date, parts: list[bytes]) -> dict[str, Any]:
    """Add a table's columns to the `parts`; return its number of rows and the columns' kinds."""
    source = table.cube.source
    same = "of_account is not distinct from account_id and of_agent = agent_id"
    joined = f" left join report_agents on {same}" if table.has_agents else ""
    names = [f"{sql} as column_{place}" for sql, place in table.columns.items()]
    found = connection.sql(
        f"select {', '.join(names)} from {source.table}{joined} where {source.day} >= date '{since}' order by all"
    ).to_arrow_table()
    kinds = []
    for column in found.columns:
        kind, content = _bytes(column)
        kinds.append(kind)
        parts.append(content)
    return {"length": found.num_rows, "kinds": kinds}


def _bytes(column: "pa.ChunkedArray") -> tuple[str, bytes]:
    """A column as the numbers of a typed array in JavaScript, little-endian: bytes, or 32-bit integers, or doubles."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind, wide, missing = "double", pa.float64(), math.nan
    if pa.types.is_uint8(column.type):
        kind, wide, missing = "byte", pa.uint8(), 0
    elif pa.types.is_integer(column.type):
        ends = pc.min_max(column).as_py()
        if (ends["min"] or 0) > _NONE and (ends["max"] or 0) < -_NONE:
            kind, wide, missing = "integer", pa.int32(), _NONE
    array = pc.fill_null(column.cast(wide), pa.scalar(missing, wide)).combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], wide)
    data = array.buffers()[1]
    width = array.type.bit_width // 8
    return kind, data.to_pybytes()[array.offset * width : (array.offset + len(array)) * width] if data else b""
