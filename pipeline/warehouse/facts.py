"""Facts of conversations, computed once from the rows that a load brings; `sql/facts` has the definition of each.

The definitions read `conversations`, `messages` and `transfers` with one column more, `delivery_key`: a number for each
delivery of a conversation, so that nothing is grouped or joined by text.
"""

from collections.abc import Mapping

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import schema
from pipeline.warehouse.library import FACTS, View, ordered_views

_KEY = "delivery_key"
_SOURCES = schema.SENT
_BITS_OF_A_DELIVERY = 32


class FactMaker:
    """Computes facts, again and again, on one thread."""

    def __init__(self) -> None:
        self._connection = duckdb.connect(config={"threads": 1})
        self._connection.execute("set TimeZone = 'UTC'")
        self._definitions: list[View] = ordered_views(only=(FACTS,))

    def facts_of(self, tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
        """The facts of all conversations in these tables, by their names, in the order of their deliveries.

        The tables are whole: every message and transfer is of a conversation that is there.
        """
        files = pc.unique(tables[schema.CONVERSATIONS.name]["source_file"].cast(schema.TEXT))
        for name in _SOURCES:
            self._connection.register(name, _with_key(tables[name], files))
        for definition in self._definitions:
            self._connection.execute(f"create or replace temp table {definition.name} as {definition.sql}")
        made = {name: self._drain(table) for name, table in schema.FACTS.items()}
        for name in _SOURCES:
            self._connection.unregister(name)
        return made

    def _drain(self, table: schema.Table) -> pa.Table:
        names = ", ".join(column.name for column in table.columns)
        rows = self._connection.sql(f"select {names} from {table.name} order by {_KEY}").to_arrow_table()
        self._connection.execute(f"drop table {table.name}")
        return rows.cast(table.arrow_schema)


def _with_key(rows: pa.Table, files: pa.Array) -> pa.Table:
    """Add the number of each row's delivery: that of its file, and its place there."""
    file = pc.index_in(rows["source_file"].cast(schema.TEXT), files).cast(schema.BIGINT)
    return rows.append_column(_KEY, pc.add(pc.shift_left(file, _BITS_OF_A_DELIVERY), rows["delivery"].cast(schema.BIGINT)))
