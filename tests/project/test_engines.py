"""The tables are open: other engines read them, and count what our views count."""

from collections.abc import Callable
from typing import Any

import duckdb
import polars as pl
import pytest
from documents import conversation, document, gz, message, name_at, put
from lakes import ask, take

from pipeline.lake.lake import Lake
from pipeline.load.session import writing
from pipeline.maintenance.compact import compact
from pipeline.schema import FACTS, TABLES

TRANSFER = {"timestamp": {"string": "1469469300000"}, "skillId": {"long": 1}, "targetSkillId": {"long": 2}}
DAY_MS = 86_400_000
START = 1_469_469_281_856


def by_polars(lake: Lake, table: str) -> int:
    """Return the number of rows that Polars finds in the Delta table."""
    return pl.scan_delta(lake.table_uri(table)).collect().height


def by_daft(lake: Lake, table: str) -> int:
    """Return the number of rows that Daft finds in the Delta table."""
    daft: Any = pytest.importorskip("daft", reason="Daft is not installed: it is in the group engines")
    rows: int = daft.read_deltalake(lake.table_uri(table)).count_rows()
    return rows


def by_files(lake: Lake, table: str) -> int:
    """Return the number of rows in the Parquet files of the newest finished load, read without any view."""
    locations = lake.locations(table, lake.snapshot().files[table])
    if not locations:
        return 0
    with duckdb.connect() as connection:
        ((rows,),) = connection.execute("select count(*) from read_parquet(?)", [locations]).fetchall()
    return int(rows)


def answered(conversation_id: str) -> dict[str, Any]:
    """A conversation with a row in every fact."""
    lines = [message("a"), message("b", timestamp=START + 4_000, type={"string": "1"}, agentId={"string": "a1"})]
    connected = {"interactionStartTime": {"long": START + 1_000}}
    return conversation(conversation_id, messages=lines, agentId={"string": "a1"}, **connected)


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Lake]:
    """Return a lake after a load, after a re-delivery that moved a conversation to another day, and after compaction."""
    folder = tmp_path_factory.mktemp("engines")
    old = document(conversation(messages=[message("a"), message("b")], transfers=[TRANSFER]), answered("c2"))
    new = document(conversation(start=START + DAY_MS, messages=[message("new")]))
    made = {}
    for stage, is_compacted in (("loaded", False), ("delivered_again", False), ("compacted", True)):
        lake = made[stage] = Lake(str(folder / stage))
        take(lake, put(folder / "in", gz(old, "garbage"), name_at(0)))
        if stage != "loaded":
            take(lake, put(folder / "in", gz(new), name_at(3)))
        if is_compacted:
            with writing(lake):
                compact(lake)
    return made


@pytest.mark.parametrize("count", [by_polars, by_daft, by_files])
@pytest.mark.parametrize("stage", ["loaded", "delivered_again", "compacted"])
def test_an_engine_counts_what_the_views_count(lakes: dict[str, Lake], stage: str, count: Callable[[Lake, str], int]) -> None:
    """The engine finds the same number of rows in every table, after a load, a re-delivery and compaction."""
    lake = lakes[stage]
    ((*expected,),) = ask(lake, f"select {', '.join(f'(select count(*) from {table})' for table in TABLES)}")
    assert [count(lake, table) for table in TABLES] == expected
    assert count(lake, "messages") == (4 if stage == "loaded" else 3)


def test_an_engine_reads_columns_and_partitions(lakes: dict[str, Lake]) -> None:
    """Polars reads the same dates, times in UTC and ids as our views, and the hidden column."""
    rows = pl.scan_delta(lakes["compacted"].table_uri("conversations")).collect()
    columns = ["conversation_id", "date", "conversation_start_time", "skills"]
    shown = ask(lakes["compacted"], f"select {', '.join(columns)} from conversations order by all")
    assert rows.select(columns).sort(columns[:2]).rows() == [tuple(row) for row in shown]
    assert "delivery" in rows.columns


@pytest.mark.parametrize("stage", ["loaded", "delivered_again", "compacted"])
def test_an_engine_reads_facts(lakes: dict[str, Lake], stage: str) -> None:
    """Polars finds the values that our tables show, and the hidden columns; no fact is empty."""
    for name, fact in FACTS.items():
        rows = pl.scan_delta(lakes[stage].table_uri(name)).collect()
        assert rows.columns == fact.arrow_schema.names
        assert dict(zip(rows.columns, rows.dtypes, strict=True))["delivery"] == pl.Int32
        columns = [column.name for column in fact.shown]
        shown = ask(lakes[stage], f"select {', '.join(columns)} from {name} order by {', '.join(columns)}")
        assert rows.select(columns).sort(columns, nulls_last=True).rows() == [tuple(row) for row in shown] != []
