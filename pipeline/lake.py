"""The only writer of the lake's tables: one load is one commit of the ledger, and what it does not name does not exist.

Each table of `schema.TABLES` is a Delta table. Delta commits a table at a time; so a load first writes and commits the data
tables, and last the ledger `files`, whose commit pins the version of every table. Readers go by the pins: `lakehouse.duckdb`
lists the files of the pinned versions. What a crashed load left above its pin is taken back by the next one.
"""

import json
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, CommitProperties, RemoveAction

from pipeline import schema
from pipeline.errors import LakeError

LEDGER: Final = "files"
_PINS: Final = "lakehouse.pins"
_CONFIGURATION: Final = {"delta.dataSkippingNumIndexedCols": "0"}  # statistics would keep erased values in the log
_PLAIN_TEXT_COLUMNS: Final = ("conversation_id", "text", "message_id", "raw", "sha256")  # too various for a dictionary


@dataclass(frozen=True)
class DataFile:
    """One Parquet file of a table: its path below the table's folder, its partition (None: not partitioned), rows and bytes."""

    path: str
    date: str | None
    rows: int
    bytes: int


@dataclass
class Change:
    """What a load does to one table."""

    add: list[DataFile] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.add or self.remove)


@dataclass(frozen=True)
class Snapshot:
    """The tables of one finished load: of each its version and the paths of its files, below the table's folder."""

    versions: dict[str, int]
    paths: dict[str, list[str]]


class Lake:
    """A folder or a bucket with the tables, the landing zone and the DuckDB file."""

    def __init__(self, uri: str) -> None:
        self.files, self.root = fsspec.core.url_to_fs(uri)
        self.is_local = "file" in (self.files.protocol if isinstance(self.files.protocol, tuple) else (self.files.protocol,))
        self.root = self.root.rstrip("/")
        self.uri = self.root if self.is_local else uri.rstrip("/")

    def path(self, *parts: str) -> str:
        """A path inside the lake, as `self.files` takes it."""
        return "/".join((self.root, *parts))

    def table_uri(self, table: str) -> str:
        """Where a table is, as Delta readers take it."""
        return f"{self.uri}/{table}"

    @cached_property
    def lock_path(self) -> Path:
        """The file that a writer locks; for a lake in a folder only."""
        return Path(self.root) / ".lock"

    @property
    def exists(self) -> bool:
        """Whether a load has ever finished here."""
        return self._open(LEDGER) is not None

    def create(self) -> None:
        """Make the tables that are not there yet, the ledger last."""
        self.files.makedirs(self.root, exist_ok=True)
        for table in sorted(schema.TABLES.values(), key=lambda table: table.name == LEDGER):
            if self._open(table.name) is None:
                partition = ["date"] if table.partitioned else None
                with _translated(self.table_uri(table.name)):
                    DeltaTable.create(
                        self.table_uri(table.name),
                        schema=table.arrow_schema,
                        partition_by=partition,
                        name=table.name,
                        description=table.grain,
                        configuration=_CONFIGURATION,
                    )

    def _open(self, table: str, version: int | None = None) -> DeltaTable | None:
        try:
            return DeltaTable(self.table_uri(table), version=version)
        except TableNotFoundError:
            return None
        except DeltaError as error:
            raise LakeError(f"{self.table_uri(table)}: its Delta log can't be read ({error}); run lakehouse verify") from error

    def snapshot(self) -> Snapshot:
        """The newest finished load; of a lake without one, empty tables at version 0."""
        ledger = self._open(LEDGER)
        if ledger is None:  # the ledger is made last, so no other table has rows
            return Snapshot({}, {name: [] for name in schema.TABLES})
        pins = json.loads(ledger.history(1)[0].get(_PINS, "{}"))
        versions = {name: pins.get(name, 0) for name in schema.TABLES} | {LEDGER: ledger.version()}
        tables = {name: self._open(name, version) for name, version in versions.items() if name != LEDGER}
        paths = {name: sorted(_paths(table)) for name, table in (tables | {LEDGER: ledger}).items()}
        return Snapshot(versions, paths)

    def locations(self, snapshot: Snapshot, table: str) -> list[str]:
        """The files of a table as DuckDB and Arrow take them."""
        return [f"{self.table_uri(table)}/{path}" for path in snapshot.paths[table]]

    def write(self, table: str, rows: pa.Table, *, date: str | None = None) -> DataFile:
        """Write one Parquet file below a table's folder; no reader sees it before `commit` names it."""
        name = f"part-{uuid.uuid4().hex}.parquet"
        path = name if date is None else f"date={date}/{name}"
        location = self.path(table, path)
        self.files.makedirs(location.rpartition("/")[0], exist_ok=True)
        with self.files.open(location, "wb") as out:
            pq.write_table(rows, out, compression="zstd", use_dictionary=_dictionary_columns(rows.schema), store_schema=False)
        return DataFile(path, date, rows.num_rows, self.files.size(location))

    def discard(self, table: str, files: Iterable[DataFile]) -> None:
        """Delete files that `write` made and no commit named."""
        for written in files:
            self.files.rm_file(self.path(table, written.path))

    def commit(self, changes: dict[str, Change], snapshot: Snapshot) -> None:
        """Make the changes of all tables, which were worked out from `snapshot`, visible in one moment."""
        versions = dict(snapshot.versions)
        for name, change in changes.items():
            if name != LEDGER and change:
                versions[name] = self._commit_table(name, change, versions[name], {})
        pins = {name: version for name, version in versions.items() if name != LEDGER}
        self._commit_table(LEDGER, changes.get(LEDGER, Change()), versions[LEDGER], {_PINS: json.dumps(pins)})

    def _commit_table(self, name: str, change: Change, pinned: int, metadata: dict[str, str]) -> int:
        table = self._open(name)
        if table is None:
            raise LakeError(f"{self.table_uri(name)}: the table is gone; run lakehouse verify")
        declared = schema.TABLES[name]
        with _translated(self.table_uri(name)):
            if table.version() > pinned:
                table.restore(pinned)  # a load died before its ledger commit
            table.create_write_transaction(
                _actions(change),
                mode="append",
                schema=declared.arrow_schema,
                partition_by=["date"] if declared.partitioned else None,
                commit_properties=CommitProperties(custom_metadata=metadata),
            )
        committed = self._open(name)
        assert committed is not None
        return committed.version()


@contextmanager
def _translated(table_uri: str) -> Iterator[None]:
    try:
        yield
    except (DeltaError, OSError) as error:
        raise LakeError(f"{table_uri}: can't be written ({error}); the lake is as it was, run the command again") from error


def _paths(table: DeltaTable | None) -> Sequence[str]:
    if table is None:
        return []
    return [str(path) for path in pa.table(table.get_add_actions())["path"].to_pylist()]


def _dictionary_columns(columns: pa.Schema) -> list[str]:
    return [
        item.name
        for item in columns
        if pa.types.is_dictionary(item.type) or (pa.types.is_string(item.type) and item.name not in _PLAIN_TEXT_COLUMNS)
    ]


def _actions(change: Change) -> list[AddAction | RemoveAction]:
    now = _now_ms()
    adds: list[AddAction | RemoveAction] = [
        AddAction(
            path=added.path,
            size=added.bytes,
            partition_values={} if added.date is None else {"date": added.date},
            modification_time=now,
            data_change=True,
            stats=json.dumps({"numRecords": added.rows}),
        )
        for added in change.add
    ]
    return adds + [
        RemoveAction(path=path, data_change=True, deletion_timestamp=now, partition_values=_partition(path))
        for path in change.remove
    ]


def _partition(path: str) -> dict[str, str | None]:
    folder = path.rpartition("/")[0]
    return {"date": folder.removeprefix("date=")} if folder else {}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def rows_of(values: list[dict[str, Any]], table: schema.Table) -> pa.Table:
    """Rows as Arrow, in the table's columns as a file holds them; what a row leaves out is NULL."""
    columns = [pa.array([row.get(item.name) for row in values], item.type) for item in table.file_schema]
    return pa.Table.from_arrays(columns, schema=table.file_schema)
