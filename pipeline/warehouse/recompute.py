"""Facts of conversations that a lake has already, computed from its tables: partition by partition, in bounded memory."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import schema
from pipeline.lake.lake import Lake
from pipeline.lake.rewrite import MEMORY_LIMIT, ORDERS
from pipeline.lake.snapshot import DataFile, Snapshot
from pipeline.lake.spill import spilling
from pipeline.lake.sql import rows_in
from pipeline.processes import interruptible
from pipeline.warehouse.facts import FactMaker
from pipeline.warehouse.library import FACTS, ordered_views

MESSAGES_AT_ONCE: Final = 250_000
"""Messages whose facts are computed at a time: a larger partition is taken in parts, each with whole conversations."""
_DELIVERY: Final = ("account_id", "conversation_id", "source_file", "delivery")
_SAME: Final = " and ".join(f"t.{name} is not distinct from keys.{name}" for name in _DELIVERY)


class Part(NamedTuple):
    """The facts of some conversations of a partition, by the names of their tables, in the order of merged files."""

    date: str
    facts: dict[str, pa.Table]
    conversations: int


def facts_of_lake(lake: Lake, snapshot: Snapshot, *, messages_at_once: int = MESSAGES_AT_ONCE) -> Iterator[Part]:
    """Compute the facts of every conversation of a snapshot, day by day; nothing is written but what DuckDB spills."""
    maker = FactMaker()
    files = {name: _by_date(snapshot.files[name]) for name in schema.SENT}
    with spilling(lake) as spill, interruptible(duckdb.connect(config={"threads": 2, "temp_directory": spill})) as connection:
        connection.execute(f"set memory_limit = '{MEMORY_LIMIT}'; set TimeZone = 'UTC'")
        lake.store.register(connection)
        for date in sorted(files[schema.CONVERSATIONS.name]):
            of_day = {name: by_date.get(date, []) for name, by_date in files.items()}
            parts = -(-sum(file.rows for file in of_day[schema.MESSAGES.name]) // messages_at_once) or 1
            for part in range(parts):
                condition = f"hash(conversation_id) % {parts} = {part}" if parts > 1 else "true"
                made = _facts(lake, connection, maker, of_day, condition)
                if made.conversations:
                    yield made._replace(date=date)


def _by_date(files: list[DataFile]) -> dict[str, list[DataFile]]:
    found: dict[str, list[DataFile]] = {}
    for file in files:
        found.setdefault(file.date or "", []).append(file)
    return found


def _facts(
    lake: Lake, connection: duckdb.DuckDBPyConnection, maker: FactMaker, files: dict[str, list[DataFile]], condition: str
) -> Part:
    """Compute the facts of the conversations of some files for which a condition holds.

    Each delivery gets a number of its own in the place of its `delivery`, since files of two accounts may have one name.
    """
    locations = {name: lake.locations(name, listed) for name, listed in files.items()}
    connection.execute(
        f"""create or replace temp table keys as
        select {", ".join(_DELIVERY)}, row_number() over (order by {", ".join(_DELIVERY)})::integer as number
        from {rows_in("$files")} where {condition}""",
        {"files": locations[schema.CONVERSATIONS.name]},
    )
    tables = {name: _rows(connection, schema.TABLES[name], locations[name], condition) for name in schema.SENT}
    deliveries = connection.sql("select delivery from keys order by number").to_arrow_table()["delivery"].combine_chunks()
    facts = {
        name: _with_deliveries(rows, deliveries).sort_by([(column, "ascending") for column in ORDERS[name].split(", ")])
        for name, rows in maker.facts_of(tables).items()
    }
    return Part("", facts, len(deliveries))


def _rows(connection: duckdb.DuckDBPyConnection, table: schema.Table, locations: list[str], condition: str) -> pa.Table:
    """Read the rows of a table for the definitions, with the number in the place of `delivery`."""
    read = _columns_read(table.name)
    wanted = pa.schema([field for field in table.arrow_schema if field.name in read])
    if not locations:
        return wanted.empty_table()
    names = ", ".join("number as delivery" if name == "delivery" else f"t.{name}" for name in wanted.names)
    order = "number" if table is schema.CONVERSATIONS else "number, position"
    rows = connection.sql(
        f"""select {names} from (from {rows_in("$files", with_date=True)} where {condition}) as t join keys on {_SAME}
        order by {order}""",
        params={"files": locations},
    )
    return rows.to_arrow_table().cast(wanted)


@cache
def _columns_read(name: str) -> frozenset[str]:
    """The columns that definitions may read: all of a conversation; of lines and transfers those that a definition names.

    Texts of messages are most of a lake.
    """
    names = frozenset(column.name for column in schema.TABLES[name].columns)
    if name == schema.CONVERSATIONS.name:
        return names
    words = {word for view in ordered_views(only=(FACTS,)) for word in re.findall(r"\w+", view.sql)}
    return names & (words | {*_DELIVERY, "date"})


def _with_deliveries(rows: pa.Table, deliveries: pa.Array) -> pa.Table:
    """Put each delivery back in the place of its number."""
    place = rows.schema.get_field_index("delivery")
    return rows.set_column(place, rows.schema.field(place), deliveries.take(pc.subtract(rows["delivery"], 1)))
