"""The only writer of the lake's tables: one load is one commit of the ledger, and what it does not name does not exist.

Each table of `schema.STORED` is a Delta table. Delta commits a table at a time; so a load first writes and commits the data
tables, and last the ledger `files`, whose commit pins the version of every table. Readers go by the pins: `lakehouse.duckdb`
lists the files of the pinned versions. What a crashed load left above its pin is taken back by the next one. In a folder, all
that the ledger's commit names is on the disk before it is made, and the commit before anything is deleted.

Where no lock keeps two writers apart, as on an object store, the ledger's commit does: it succeeds only if the ledger is as it
was when the change was worked out. The loser works its change out anew.
"""

import json
import re
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeVar

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError
from deltalake.transaction import AddAction, CommitProperties, RemoveAction
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from pipeline import schema
from pipeline.errors import ConflictError, DamagedError, LakeError
from pipeline.lake.parquet import packed
from pipeline.lake.snapshot import COMMIT, LEDGER, PINS, ROWS, WHOLE, Change, DataFile, Snapshot, finished_load, named
from pipeline.lake.store import lake_at, legible, persist, remembering, require_inside, sizes_below, table_options, translated

REPORT_NAME: Final = "report.html"
_AT_ONCE: Final = 8  # requests to a store
_ATTEMPTS: Final = 20  # to commit, where no lock keeps other writers away
_CONFIGURATION: Final = {
    "delta.dataSkippingNumIndexedCols": "0",  # statistics would keep erased values in the log
    "delta.checkpointInterval": "10",  # whoever opens a table reads one by one all entries since the last checkpoint
}
_DATA_FILE: Final = re.compile(r"(date=\d{4}-\d\d-\d\d/)?[^/]+\.parquet")


Item = TypeVar("Item")
Made = TypeVar("Made")


class Lake:
    """A folder or a bucket with the tables, the landing zone and the DuckDB file."""

    def __init__(self, uri: str, *, on_step: Callable[[str], None] = lambda _: None) -> None:
        """`on_step` is called before each step of a change, with its name: to look at it, to stop there, to come first.

        The steps are `read`, `commit`, `commit TABLE`, `put back`, `publish`, `delete`, `purge`, `clear notes` and `sweep`.
        """
        self.on_step = on_step
        self.files, self.root, self.is_local = lake_at(uri)
        self.uri = self.root if self.is_local else uri.rstrip("/")
        self._options = table_options(self.uri) or None

    def path(self, *parts: str) -> str:
        """A path inside the lake, as `self.files` takes it."""
        return "/".join((self.root, *parts))

    def sizes_below(self, *parts: str) -> dict[str, int]:
        """Every file below a folder of the lake, as `store.sizes_below` gives them."""
        return sizes_below(self.files, self.path(*parts))

    def table_uri(self, table: str) -> str:
        """Where a table is, as Delta readers take it."""
        return f"{self.uri}/{table}"

    @cached_property
    def files_to_query(self) -> Any:
        """The file system as DuckDB is to use it."""
        return remembering(self.files, self.root)

    @cached_property
    def lock_path(self) -> Path:
        """The file that a writer locks; for a lake in a folder only."""
        return Path(self.root) / ".lock"

    @property
    def exists(self) -> bool:
        """Whether a load has ever finished here; raises as `snapshot` does."""
        return self._ledger() is not None

    def _ledger(self) -> DeltaTable | None:
        found = self._open(LEDGER)
        if found is None:
            for name in sorted(schema.STORED.keys() - {LEDGER}):
                table = self._open(name)
                if table is not None and table.version():  # the ledger is made before any other table gets rows
                    raise DamagedError(f"{self.table_uri(LEDGER)}: the log of this table is gone")
        return found

    def create(self) -> None:
        """Make the tables unless they are there; the ledger last, so that where it is, the others are."""
        if self.exists:
            return
        self.make_folder(self.root)
        for table in sorted(schema.STORED.values(), key=lambda table: table.name == LEDGER):
            for attempt in until_undisturbed():
                with attempt, translated(self.table_uri(table.name)):
                    self.inside(self.path(table.name, "_delta_log/"))
                    DeltaTable.create(
                        self.table_uri(table.name),
                        schema=table.arrow_schema,
                        partition_by=["date"] if table.partitioned else None,
                        mode="ignore",
                        name=table.name,
                        description=table.grain,
                        configuration=_CONFIGURATION,
                        storage_options=self._options,
                        commit_properties=CommitProperties(max_commit_retries=0),  # else it lands above another run's load
                    )
        self.persist(path for name in schema.STORED for path in self._log_files(name, 0, 0))

    def make_folder(self, path: str) -> None:
        """Make a folder, where there are folders; an object store has none, and would make a bucket."""
        if self.is_local:
            self.files.makedirs(self.inside(f"{path}/").rstrip("/"), exist_ok=True)

    def inside(self, path: str) -> str:
        """The same path, if no link leads its folder elsewhere, nor out of the lake; raises `LakeError` else."""
        if self.is_local:
            require_inside(path.rpartition("/")[0], self.root)
        return path

    def persist(self, paths: Iterable[str]) -> None:
        """Wait until files of a folder are on the disk, so that no power cut takes them; a store has what it has answered."""
        if self.is_local:
            persist(paths, self.root)

    def _log_files(self, table: str, first: int, last: int) -> list[str]:
        """What is written, in a folder, of those versions of a table's log."""
        names = [f"{version:020}.{kind}" for version in range(first, last + 1) for kind in ("json", "checkpoint.parquet")]
        paths = [self.path(table, "_delta_log", name) for name in (*names, "_last_checkpoint")]
        return [path for path in paths if Path(path).exists()]

    def _open(self, table: str, version: int | None = None) -> DeltaTable | None:
        try:
            with legible(self.table_uri(table)):
                return DeltaTable(self.table_uri(table), version=version, storage_options=self._options)
        except TableNotFoundError:
            return None

    def opened(self, table: str, version: int | None = None) -> DeltaTable:
        """A table at a version, the newest if none is given; finished or not.

        Raises:
            DamagedError: it is gone, or its log can't be read.
        """
        found = self._open(table, version)
        if found is None:
            raise DamagedError(f"{self.table_uri(table)}: the table is gone, or a version of it")
        return found

    def each(self, work: Callable[[Item], Made], items: Iterable[Item]) -> list[Made]:
        """Do something for every item: at once in a store, where it means to wait for answers, else one after another."""
        if self.is_local:
            return list(map(work, items))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(work, items))

    def snapshot(self, only: Iterable[str] = schema.STORED) -> Snapshot:
        """The newest finished load, or `only` some tables of it; of a lake without one, empty tables at version 0.

        Raises:
            DamagedError: which one is the newest can't be told, or it can't be read. A ledger that is gone is no new lake: who
                took it for one would lose all that was loaded.
        """
        names = list(only)
        ledger = self._ledger()
        if ledger is None:
            return Snapshot({}, {name: [] for name in names})
        with legible(self.table_uri(LEDGER)):
            finished = finished_load(ledger)
        if finished is None:
            raise DamagedError(
                f"{self.table_uri(LEDGER)}: version {ledger.version()} of its log is damaged, and "
                "lakehouse.duckdb has the loads that it was made of"
            )
        versions = {name: finished.pins.get(name, 0) for name in schema.STORED} | {LEDGER: finished.version}

        def read(name: str) -> tuple[DeltaTable, list[DataFile]]:
            table = ledger if name == LEDGER else self.opened(name)
            is_pinned = table.version() == versions[name]
            return table, self._data_files(name, table if is_pinned else self.opened(name, versions[name]))

        found = dict(zip(names, self.each(read, names), strict=True))
        files = {name: listed for name, (_, listed) in found.items()}
        tables = {name: table for name, (table, _) in found.items()}
        is_foreign = ledger.version() > finished.version
        foreign = self._data_files(LEDGER, ledger) if is_foreign else None
        return Snapshot(versions | {LEDGER: ledger.version()}, files, finished.rows, tables, foreign)

    def newest_files(self, name: str) -> list[DataFile]:
        """The Parquet files of a table's newest version, finished or not."""
        return self._data_files(name, self.opened(name))

    def is_newest(self, snapshot: Snapshot) -> bool:
        """Whether no load has finished since."""
        ledger = snapshot.tables[LEDGER]
        with legible(self.table_uri(LEDGER)):
            ledger.update_incremental()
        return ledger.version() == snapshot.versions[LEDGER]

    def _data_files(self, name: str, table: DeltaTable) -> list[DataFile]:
        with legible(self.table_uri(name)):
            added = pa.table(table.get_add_actions(flatten=True))
        paths, sizes, rows = (added[column].to_pylist() for column in ("path", "size_bytes", "num_records"))
        if odd := [path for path in paths if not _DATA_FILE.fullmatch(path)]:
            raise DamagedError(f"{self.table_uri(name)}: its log names {odd[0]!r}, no file of its own")
        return sorted(map(DataFile, paths, rows, sizes), key=lambda file: file.path)

    def locations(self, table: str, files: Iterable[DataFile]) -> list[str]:
        """Files of a table as DuckDB and Arrow take them."""
        return [f"{self.table_uri(table)}/{file.path}" for file in files]

    def write(self, table: str, rows: pa.Table, *, date: str | None = None, label: str = WHOLE) -> DataFile:
        """Write one Parquet file below a table's folder; no reader sees it before `commit` names it."""
        contents = packed(rows, is_compressed=schema.STORED[table].is_compressed)
        path = named(date, label, sha256(contents).hexdigest())
        location = self.path(table, path)
        self.make_folder(location.rpartition("/")[0])
        with self.files.open(location, "wb") as out:
            out.write(contents)
        return DataFile(path, rows.num_rows, contents.size)

    def renamed(self, table: str, file: DataFile) -> DataFile:
        """Give a file a new name that no commit names yet.

        Raises:
            FileNotFoundError: it is gone.
        """
        path = named(file.date, file.label, file.digest)
        self.files.mv(self.path(table, file.path), self.path(table, path))
        return replace(file, path=path)

    def discard(self, table: str, files: Iterable[DataFile]) -> None:
        """Delete files of a table that no commit names, or no longer."""
        for file in files:
            self.files.rm_file(self.inside(self.path(table, file.path)))

    def unneeded(self, table: str, snapshot: Snapshot, *, retention_hours: int) -> list[DataFile]:
        """Files below a table's folder that no commit has named for so long, nor the snapshot; with path and bytes."""
        named = {file.path for file in snapshot.files[table]}
        with legible(self.table_uri(table)):
            found = self.opened(table).vacuum(retention_hours, dry_run=True, enforce_retention_duration=False, full=True)
        log = self.sizes_below(table, "_delta_log") if self.is_local else ()
        half_written = [path.removeprefix(f"{self.path(table)}/") for path in log if "#" in path]  # by a writer that was killed
        present = [path for path in sorted({*found, *half_written} - named) if self.files.exists(self.path(table, path))]
        return [DataFile(path, 0, self.files.size(self.path(table, path))) for path in present]

    def is_ahead(self, table: str, snapshot: Snapshot) -> bool:
        """Whether a load that died, or another program, has committed to a table what no finished load names.

        The next `commit` takes it back.
        """
        if table == LEDGER:
            return snapshot.foreign is not None
        return snapshot.tables[table].version() > snapshot.versions[table]

    def commit(self, changes: dict[str, Change], snapshot: Snapshot, *, landed: Iterable[str] = ()) -> Snapshot:
        """Make the changes of all tables, which were worked out from `snapshot`, visible in one moment.

        `landed` are files outside of the tables that the ledger tells of from now on.

        Raises:
            ConflictError: another writer came first; nothing of the changes is visible, the files that they name are there.
            DamagedError: a table has lost rows since its last commit; nothing is built on that.
        """
        self.on_step("commit")
        require_whole(self, snapshot)
        versions = dict(snapshot.versions)
        self._require_newest(snapshot)  # before anything is written that the loser would have to take back
        changed = [name for name in changes if name != LEDGER and (changes[name] or self.is_ahead(name, snapshot))]
        committed = self.each(lambda name: self._commit_table(name, changes[name], snapshot, {}), changed)
        versions |= zip(changed, committed, strict=True)
        pins = {name: version for name, version in versions.items() if name != LEDGER}
        change = changes.setdefault(LEDGER, Change())
        files = {name: snapshot.after(name, changes.get(name, Change())) for name in schema.STORED}
        rows = {name: sum(file.rows for file in listed) for name, listed in files.items()}
        added = [self.path(name, file.path) for name, change in changes.items() for file in change.add]
        logs = [self._log_files(name, snapshot.versions[name] + 1, version) for name, version in pins.items()]
        self.persist([*added, *landed, *chain(*logs)])
        metadata = {PINS: json.dumps(pins), ROWS: json.dumps(rows)}
        versions[LEDGER] = self._commit_ledger(snapshot.in_ledger(change), snapshot, metadata)
        self.persist(self._log_files(LEDGER, versions[LEDGER], versions[LEDGER]))
        for name, change in changes.items():
            self.discard(name, change.discard)
        return Snapshot(versions, files, rows, snapshot.tables)

    def _require_newest(self, snapshot: Snapshot) -> None:
        if not self.is_newest(snapshot):
            raise ConflictError(f"{self.uri}: another run has changed the lake meanwhile; run the command again")

    def _commit_ledger(self, change: Change, snapshot: Snapshot, metadata: dict[str, str]) -> int:
        token, pinned = uuid.uuid4().hex, snapshot.versions[LEDGER]
        try:
            return self._commit_table(LEDGER, change, snapshot, metadata | {COMMIT: token})
        except LakeError:  # an answer may be lost though the commit is not: then it's there, and it's ours
            committed = self._open(LEDGER)
            newer = committed.version() - pinned if committed else 0
            entries = committed.history(newer) if committed and newer > 0 else []
            if any(entry.get(COMMIT) == token for entry in entries):
                return pinned + 1
            raise

    def _commit_table(self, name: str, change: Change, snapshot: Snapshot, metadata: dict[str, str]) -> int:
        declared, table, pinned = schema.STORED[name], snapshot.tables[name], snapshot.versions[name]
        self.inside(self.path(name, "_delta_log/"))
        self.on_step(f"commit {name}")
        with translated(self.table_uri(name)):
            table.update_incremental()
            if table.version() > pinned:
                if name == LEDGER:
                    raise ConflictError(f"{self.uri}: another run has changed the lake meanwhile; run the command again")
                table.restore(  # a load died before its commit, or another program has written
                    pinned,
                    ignore_missing_files={*snapshot.files[name]} <= {*change.remove},  # none of them is needed
                    commit_properties=CommitProperties(max_commit_retries=0),
                )
            expected = table.version() + 1
            table.create_write_transaction(
                _actions(change),
                mode="append",
                schema=declared.arrow_schema,
                partition_by=["date"] if declared.partitioned else None,
                commit_properties=CommitProperties(custom_metadata=metadata, max_commit_retries=0),
            )
        return expected


def require_whole(lake: Lake, snapshot: Snapshot) -> None:
    """Refuse tables that have not the rows that the ledger says.

    A commit that a broken disk has emptied reads as one without changes: only the rows tell.

    Raises:
        DamagedError: a table has others.
    """
    for name, files in snapshot.files.items():
        rows = sum(file.rows for file in files)
        expected = snapshot.rows.get(name, rows)
        if rows != expected:
            raise DamagedError(f"{lake.table_uri(name)}: expected {expected:,} rows, found {rows:,}; its log is damaged")


def until_undisturbed() -> Retrying:
    """Attempts at a change that other writers may overtake, each to be worked out anew from the newest snapshot."""
    return Retrying(
        retry=retry_if_exception_type(ConflictError),
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.5, max=20),
        reraise=True,
    )


def _actions(change: Change) -> list[AddAction | RemoveAction]:
    now = time.time_ns() // 1_000_000
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
        RemoveAction(
            path=removed.path,
            data_change=True,
            deletion_timestamp=now,
            partition_values={} if removed.date is None else {"date": removed.date},
        )
        for removed in change.remove
    ]


def rows_of(values: list[dict[str, Any]], table: schema.Table) -> pa.Table:
    """Rows as Arrow, in the table's columns as a file holds them; what a row leaves out is NULL."""
    columns = [pa.array([row.get(item.name) for row in values], item.type) for item in table.file_schema]
    return pa.Table.from_arrays(columns, schema=table.file_schema)
