"""The facts of a lake beside those computed anew from its conversations, messages and transfers; facts that are wrong."""

from typing import Any, Final

import pyarrow as pa

from pipeline import schema
from pipeline.lake.digests import read_file
from pipeline.lake.lake import Lake
from pipeline.lake.rewrite import connected
from pipeline.lake.snapshot import Change
from pipeline.lake.sql import rows_in
from pipeline.warehouse.facts import fact_maker

NUMBERS: Final = {
    "conversation_metrics": "delivery",
    "queue_entries": "entry_number",
    "segments": "segment_number",
    "responses": "response_number",
}
"""The column that tells the rows of one conversation apart."""


def require_computed_facts(lake: Lake) -> None:
    """Require the facts of the newest finished load to be those that follow from its other tables, hidden columns included."""
    tables = _stored(lake)
    made = fact_maker().facts_of({name: tables[name] for name in schema.SENT})
    for name in schema.FACTS:
        assert _sorted(tables[name], name).equals(_sorted(made[name], name)), f"{lake.uri}: {name} is not as computed anew"


def change_a_fact(lake: Lake, fact: str, conversation_id: str, **values: Any) -> None:
    """Commit other values in the rows of a conversation in a fact of one file."""
    snapshot = lake.snapshot()
    (file,) = snapshot.files[fact]
    rows = read_file(lake, fact, file)
    found = [row | (values if row["conversation_id"] == conversation_id else {}) for row in rows.to_pylist()]
    changed = lake.write(fact, pa.Table.from_pylist(found, schema=rows.schema), date=file.date)
    lake.commit({fact: Change(add=[changed], remove=[file])}, snapshot)


def _stored(lake: Lake) -> dict[str, pa.Table]:
    """All columns of the tables whose rows belong to a delivery; lines and transfers stand in their order.

    Account and conversation stand before the name of the source file: two accounts may have a file of one name, and former
    contents of a name may have left rows of the same places.
    """
    snapshot = lake.snapshot()
    tables = {}
    with connected(lake) as connection:
        for name in schema.DELIVERED:
            table = schema.STORED[name]
            tables[name] = table.arrow_schema.empty_table()
            if files := lake.locations(name, snapshot.files[name]):
                file = "concat_ws(' ', account_id, conversation_id, source_file) as source_file"
                names = [file if column == "source_file" else column for column in table.arrow_schema.names]
                order = "account_id, source_file, delivery" + (", position" if "position" in names else "")
                query = f"select {', '.join(names)} from {rows_in('$files', with_date=True)} order by {order}"
                tables[name] = connection.sql(query, params={"files": files}).to_arrow_table().cast(table.arrow_schema)
    return tables


def _sorted(rows: pa.Table, name: str) -> pa.Table:
    return rows.sort_by([(column, "ascending") for column in ("account_id", "conversation_id", NUMBERS[name])])
