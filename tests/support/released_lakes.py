"""Lakes as released versions wrote them, of made-up data: `tests/data/lake-VERSION.tar.gz`.

Each has `lake/` without its DuckDB file, `rows/` with the rows of its tables as JSON, `erased.json` with the ids that were
erased, and `source/` with files that hold an erased conversation.
"""

import json
import tarfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakes import all_rows
from places import DATA

from pipeline.lake.formats import FORMAT
from pipeline.lake.lake import Lake
from pipeline.lake.snapshot import LEDGER, PINS, ROWS
from pipeline.schema import FACTS, TABLES
from pipeline.warehouse.database import connect

VERSIONS = sorted(path.name.removeprefix("lake-").removesuffix(".tar.gz") for path in DATA.glob("lake-*.tar.gz"))


@dataclass(frozen=True)
class Released:
    """A lake of a released version, unpacked into a folder."""

    folder: Path

    @property
    def lake(self) -> Lake:
        """The lake, opened anew."""
        return Lake(str(self.folder / "lake"))

    @property
    def source(self) -> Path:
        """The folder of files with an erased conversation."""
        return self.folder / "source"

    @property
    def erased(self) -> dict[str, str]:
        """The ids that were erased, by their kind."""
        found: dict[str, str] = json.loads((self.folder / "erased.json").read_text())
        return found

    def rows(self, table: str) -> list[str]:
        """The rows of a table as that version read them, as sorted text."""
        return sorted(map(str, json.loads((self.folder / "rows" / f"{table}.json").read_text())))


def unpack(version: str, folder: Path) -> Released:
    """Unpack the lake of a version into a folder."""
    with tarfile.open(DATA / f"lake-{version}.tar.gz") as packed:
        # Python 3.11.4 is the first to have it.
        safely: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        packed.extractall(folder, **safely)  # noqa: S202  # our own
    return Released(folder / f"lake-{version}")


def rows_now(lake: Lake, tables: Iterable[str]) -> dict[str, list[str]]:
    """The rows of some tables as this version reads them, in the form of `Released.rows`."""
    with connect(lake) as connection:
        found = {table: connection.sql(f"from {table}").to_arrow_table().to_pylist() for table in tables}
    return {table: sorted(str(json.loads(json.dumps(row, default=_as_json))) for row in rows) for table, rows in found.items()}


def sent_and_listed(lake: Lake) -> dict[str, list[str]]:
    """All rows but the facts, as `lakes.everything` gives them."""
    with connect(lake) as connection:
        found = all_rows(connection)
    return {name: found[name] for name in TABLES if name not in FACTS}


def rewrite(lake: Lake, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the metadata of the newest commit of the ledger, and take the DuckDB file away."""
    path = max(path for path in lake.sizes_below(LEDGER, "_delta_log") if path.endswith(".json"))
    entries = [json.loads(line) for line in lake.files.cat_file(path).splitlines()]
    for entry in entries:
        if "commitInfo" in entry:
            change(entry["commitInfo"])
    lake.files.pipe_file(path, "\n".join(map(json.dumps, entries)).encode() + b"\n")
    with suppress(FileNotFoundError):
        lake.files.rm_file(lake.path("lakehouse.duckdb"))


def forget_format(commit: dict[str, Any]) -> None:
    """Make a commit as a version makes it that knows of no facts and no format."""
    del commit[FORMAT]
    for key in (PINS, ROWS):
        commit[key] = json.dumps({name: n for name, n in json.loads(commit[key]).items() if name not in FACTS})


def _as_json(value: Any) -> str:
    text: str = value.isoformat()
    return text
