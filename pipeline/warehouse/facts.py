"""Facts of conversations, computed once from the rows that a load brings; `sql/facts` has the definition of each.

The definitions read `conversations`, `messages` and `transfers` with one column more, `delivery_key`: a number for each
delivery of a conversation, so that nothing is grouped or joined by text. What a fact says of its conversation as that was
sent, such as its date, is no part of the definition: it is taken from the conversation afterwards.
"""

from collections.abc import Mapping
from functools import cache

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import schema
from pipeline.warehouse.library import FACTS, ordered_views

_KEY = "delivery_key"
_BITS_OF_A_DELIVERY = 32


class FactMaker:
    """Computes facts, again and again, on one thread."""

    def __init__(self) -> None:
        self._connection = duckdb.connect(config={"threads": 1})
        self._connection.execute("set TimeZone = 'UTC'")
        self._connection.execute("set allocator_bulk_deallocation_flush_threshold = '1MB'")  # else it keeps what it frees
        # To parse them again for each batch would take a fifth of the time of a small one.
        views = ordered_views(only=(FACTS,))
        tables = ";".join(f"create or replace temp table {view.name} as {view.sql}" for view in views)
        self._statements = self._connection.extract_statements(tables)
        self._steps = [view.name for view in views if view.name not in schema.FACTS]

    def facts_of(self, tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
        """The facts of all conversations in these tables, by their names.

        The tables are whole: every message and transfer is of a conversation that is there, and no two source files of theirs
        have one name. The messages of a delivery stand together, in the order of `position`.
        """
        conversations = tables[schema.CONVERSATIONS.name]
        if not conversations.num_rows:
            return {name: table.arrow_schema.empty_table() for name, table in schema.FACTS.items()}
        files = pc.unique(conversations["source_file"].cast(schema.TEXT.arrow))
        keys = {name: _keys(tables[name], files) for name in schema.SENT}
        for name, key in keys.items():
            self._connection.register(name, tables[name].append_column(_KEY, key))
        for statement in self._statements:
            self._connection.execute(statement)
        for step in self._steps:
            self._connection.execute(f"drop table {step}")  # not needed while the facts are written
        made = {
            name: _joined(table, self._drain(name), conversations, keys[schema.CONVERSATIONS.name])
            for name, table in schema.FACTS.items()
        }
        for name in schema.SENT:
            self._connection.unregister(name)
        return made

    def _drain(self, name: str) -> pa.Table:
        rows = self._connection.sql(f"from {name}").to_arrow_table()
        self._connection.execute(f"drop table {name}")
        return rows


@cache
def fact_maker() -> FactMaker:
    """The one of this process: to open a database takes as long as the facts of a small source file."""
    return FactMaker()


def _keys(rows: pa.Table, files: pa.Array) -> pa.ChunkedArray:
    """The number of each row's delivery: that of its file, and its place there."""
    file = _places(rows["source_file"], files)
    return pc.add(rows["delivery"].cast(schema.BIGINT.arrow), pc.shift_left(file, _BITS_OF_A_DELIVERY))


def _places(column: pa.ChunkedArray, values: pa.Array) -> pa.ChunkedArray:
    """The place of each value of a column among these; of a dictionary its own values are looked up, not those of each row."""
    if not pa.types.is_dictionary(column.type):
        return pc.index_in(column, values).cast(schema.BIGINT.arrow)
    chunks = [pc.index_in(chunk.dictionary, values).take(chunk.indices).cast(schema.BIGINT.arrow) for chunk in column.chunks]
    return pa.chunked_array(chunks, schema.BIGINT.arrow)


def _joined(table: schema.Table, rows: pa.Table, conversations: pa.Table, keys: pa.ChunkedArray) -> pa.Table:
    """The rows of a fact with the columns that are those of their conversations."""
    places = pc.index_in(rows[_KEY], keys)
    columns = [
        rows[column.name] if column.name in rows.schema.names else conversations[column.name].take(places)
        for column in table.columns
    ]
    return pa.table(
        [values.cast(column.type.arrow) for values, column in zip(columns, table.columns, strict=True)], table.arrow_schema
    )
