"""The place of a lake: its paths, its store, and its tables as files; which files count, commits say."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipeline import schema
from pipeline.errors import DamagedError
from pipeline.lake.file_systems import sizes_below, table_options
from pipeline.lake.snapshot import WHOLE, DataFile, Snapshot, new_path
from pipeline.lake.store import store_at
from pipeline.lake.store_errors import legible

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

_DATA_FILE: Final = re.compile(r"(date=\d{4}-\d\d-\d\d/)?[^/]+\.parquet")
_LOG_FILE: Final = re.compile(r"(\d{20})(\.checkpoint.*)?\.(json|parquet)")


def versions_of(paths: Iterable[str]) -> tuple[dict[int, str], dict[int, str]]:
    """The commits and the checkpoints among the files of a log, by version."""
    commits: dict[int, str] = {}
    checkpoints: dict[int, str] = {}
    for path in paths:
        if found := _LOG_FILE.fullmatch(path.rpartition("/")[2]):
            (checkpoints if found[2] else commits)[int(found[1])] = path
    return commits, checkpoints


class Place:
    """A folder or a bucket with the tables, the landing zone and the DuckDB file of a lake."""

    def __init__(self, uri: str, *, on_step: Callable[[str], None] = lambda _: None) -> None:
        """`on_step` is called before each step of a change, with its name: a hook for tests (observe, crash, commit first).

        The steps are `read`, `commit`, `commit TABLE`, `put back`, `publish`, `delete`, `purge`, `clear notes` and `sweep`.
        """
        self.on_step = on_step
        self.store = store_at(uri)
        self.files = self.store.files
        self.root = self.store.root
        self.is_local = self.store.is_local
        self.uri = self.root if self.is_local else uri.rstrip("/")
        self.table_options = table_options(self.uri) or None

    def path(self, *parts: str) -> str:
        """A path inside the lake, as `self.files` takes it."""
        return "/".join((self.root, *parts))

    def table_uri(self, table: str) -> str:
        """Where a table is, as Delta readers take it."""
        return f"{self.uri}/{table}"

    def locations(self, table: str, files: Iterable[DataFile]) -> list[str]:
        """Files of a table as DuckDB and Arrow take them."""
        return [f"{self.table_uri(table)}/{file.path}" for file in files]

    def sizes_below(self, *parts: str) -> dict[str, int]:
        """Every file below a folder of the lake, as `store.sizes_below` gives them."""
        return sizes_below(self.files, self.path(*parts))

    def find_table(self, table: str, version: int | None = None) -> "DeltaTable | None":
        """A table at a version, the newest if none is given, finished or not; None if there is none."""
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        try:
            with legible(self.table_uri(table)):
                return DeltaTable(self.table_uri(table), version=version, storage_options=self.table_options)
        except TableNotFoundError:
            return None

    def open_table(self, table: str, version: int | None = None) -> "DeltaTable":
        """A table at a version, the newest if none is given; finished or not.

        Raises:
            DamagedError: it is gone, or its log can't be read.
        """
        found = self.find_table(table, version)
        if found is None:
            raise DamagedError(f"{self.table_uri(table)}: the table is gone, or a version of it")
        return found

    def newest_version(self, table: str) -> int | None:
        """The newest version of a table by the names in its log, which costs one listing; None without a log."""
        try:
            paths = self.files.ls(self.path(table, "_delta_log"), detail=False)
        except FileNotFoundError:
            return None
        commits, checkpoints = versions_of(paths)
        return max({*commits, *checkpoints}, default=None)

    def log_entry(self, table: str, version: int) -> bytes:
        """The entry of a table's log for a version, as it is written; b"" where there is none."""
        try:
            return bytes(self.files.cat_file(self.path(table, "_delta_log", f"{version:020}.json")))
        except FileNotFoundError:
            return b""

    def newest_files(self, name: str) -> list[DataFile]:
        """The Parquet files of a table's newest version, finished or not."""
        return self.data_files(name, self.open_table(name))

    def data_files(self, name: str, table: "DeltaTable") -> list[DataFile]:
        """The Parquet files of a table as it was opened.

        Raises:
            DamagedError: its log can't be read, or names a file that is none of its own.
        """
        import pyarrow as pa

        with legible(self.table_uri(name)):
            added = pa.table(table.get_add_actions(flatten=True))
        paths, sizes, rows = (added[column].to_pylist() for column in ("path", "size_bytes", "num_records"))
        if odd := [path for path in paths if not _DATA_FILE.fullmatch(path)]:
            raise DamagedError(f"{self.table_uri(name)}: its log names {odd[0]!r}, which is not a file of this table")
        return sorted(map(DataFile, paths, rows, sizes), key=lambda file: file.path)

    def log_files(self, table: str, first: int, last: int) -> list[str]:
        """The files that the table format has written for some versions of a table's log; of a folder only."""
        names = [f"{version:020}.{kind}" for version in range(first, last + 1) for kind in ("json", "checkpoint.parquet")]
        paths = [self.path(table, "_delta_log", name) for name in (*names, "_last_checkpoint")]
        return [path for path in paths if Path(path).exists()]

    def write(self, table: str, rows: "pa.Table", *, date: str | None = None, label: str = WHOLE) -> DataFile:
        """Write one Parquet file below a table's folder; no reader sees it before `commit` names it."""
        from pipeline.lake.parquet import packed

        contents = packed(rows, is_compressed=schema.STORED[table].is_compressed)
        path = new_path(date, label, sha256(contents).hexdigest())
        location = self.path(table, path)
        self.store.make_folder(location.rpartition("/")[0])
        with self.files.open(location, "wb") as out:
            out.write(contents)
        return DataFile(path, rows.num_rows, contents.size)

    def rename(self, table: str, file: DataFile) -> DataFile:
        """Give a file a new name that no commit names yet.

        Raises:
            FileNotFoundError: it is gone.
        """
        path = new_path(file.date, file.label, file.digest)
        self.files.mv(self.path(table, file.path), self.path(table, path))
        return replace(file, path=path)

    def discard(self, table: str, files: Iterable[DataFile]) -> None:
        """Delete files of a table that no commit names, or no longer."""
        for file in files:
            self.files.rm_file(self.store.inside(self.path(table, file.path)))

    def unneeded(self, table: str, snapshot: Snapshot, *, retention_hours: int) -> list[DataFile]:
        """Files below a table's folder that no commit has named for so long, nor the snapshot; with path and bytes."""
        named = {file.path for file in snapshot.files[table]}
        with legible(self.table_uri(table)):
            found = self.open_table(table).vacuum(retention_hours, dry_run=True, enforce_retention_duration=False, full=True)
        half_written = self.store.half_written(self.path(table, "_delta_log"))
        found += [path.removeprefix(f"{self.path(table)}/") for path in half_written]
        present = [path for path in sorted({*found} - named) if self.files.exists(self.path(table, path))]
        return [DataFile(path, 0, self.files.size(self.path(table, path))) for path in present]
