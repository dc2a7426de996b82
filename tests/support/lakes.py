"""Helpers for tests of a lake: load files in this process, query it, list its whole content."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest
from computed_facts import require_computed_facts

from pipeline.lake.lake import Lake
from pipeline.load.engines import Processes
from pipeline.load.find import find_files, incoming_from
from pipeline.load.load import load
from pipeline.load.results import Report
from pipeline.load.session import writing
from pipeline.schema import TABLES
from pipeline.source_files import Outcome
from pipeline.warehouse.database import connect, publish


def take(lake: Lake, *paths: Path, progress: Callable[[Outcome], None] | None = None) -> Report:
    """Load files or folders, in this process."""
    with writing(lake):
        return load(lake, incoming_from(find_files(map(str, paths))), engine=Processes(1), progress=progress)


def copied(lake: Lake, folder: Path) -> Lake:
    """A copy of a lake in a folder, with a DuckDB file of its own."""
    copy = Lake(str(shutil.copytree(lake.root, folder / "lake")))
    publish(copy, copy.snapshot())
    return copy


@contextmanager
def killed_before(lake: Lake, step: str) -> Iterator[None]:
    """A block whose run is killed before it comes to a step."""

    def kill() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), first(lake, step, kill):
        yield


@contextmanager
def first(lake: Lake, step: str, act: Callable[[], object]) -> Iterator[None]:
    """A block in which something else is done before the first time that the lake comes to a step."""
    acts = [act]

    def on_step(name: str) -> None:
        if name == step and acts:
            acts.pop()()

    former, lake.on_step = lake.on_step, on_step
    try:
        yield
    finally:
        lake.on_step = former


def ask(lake: Lake, query: str) -> list[tuple[Any, ...]]:
    """The rows that a query over the lake's newest finished load gives."""
    with connect(lake) as connection:
        return connection.sql(query).fetchall()


def everything(lake: Lake) -> dict[str, list[str]]:
    """All rows of all tables as sorted text, but for the times at which files were listed, came in and were loaded.

    The facts among them are required to be those that follow from the other tables.
    """
    require_computed_facts(lake)
    with connect(lake) as connection:
        return all_rows(connection)


def seen(path: Path | str) -> dict[str, list[str]]:
    """The result of `everything` for a DuckDB client that opens the DuckDB file in a lake's folder."""
    with duckdb.connect(f"{path}/lakehouse.duckdb", read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return all_rows(connection)


def all_rows(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """The result of `everything`, by a connection to the lake's DuckDB file."""
    rows = "select to_json(rows)::varchar from (select {columns} from {name}) as rows order by all"
    return {
        name: [text for (text,) in connection.sql(rows.format(columns=_timeless(name), name=name)).fetchall()]
        for name in TABLES
    }


def _timeless(table: str) -> str:
    names = (column.name for column in TABLES[table].shown)
    return ", ".join(f'"{name}"' for name in names if name not in {"downloaded_at", "loaded_at", "listed_at"})


def conversations(lake: Lake) -> list[str]:
    """Ids of all conversations."""
    return [ident for (ident,) in ask(lake, "select conversation_id from conversations order by all")]
