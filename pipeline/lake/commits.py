"""The commit protocol: one load is one commit of the ledger, and files that it does not name do not exist.

Each table of `schema.STORED` is a Delta table. Delta commits a table at a time; so a load first writes and commits the data
tables, and last the ledger `files`, whose commit pins the version of every table. Readers go by the pins: `lakehouse.duckdb`
lists the files of the pinned versions. The next load restores what a crashed one has left above its pins. In a folder, all
files that the ledger's commit names are on the disk before it is made, and the commit before anything is deleted.

Where no lock keeps two writers apart, as on an object store, the ledger's commit does: it succeeds only if the ledger is as it
was when the change was worked out. The loser works its change out anew.
"""

import json
import random
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from pipeline import schema
from pipeline.errors import ConflictError, DamagedError, LakeError
from pipeline.lake.formats import FIRST, FORMAT, current_format, require_known
from pipeline.lake.place import Place
from pipeline.lake.snapshot import (
    COMMIT,
    LEDGER,
    PATHS,
    PINS,
    ROWS,
    Change,
    DataFile,
    Finished,
    Snapshot,
    digest_of_paths,
    finished_load,
)
from pipeline.lake.store_errors import legible, translated

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from deltalake.transaction import AddAction, RemoveAction

_CHECKPOINT_INTERVAL: Final = 10  # a reader of a table reads all entries since the last checkpoint, one by one
_ATTEMPTS: Final = 20  # to commit, where no lock keeps other writers away
_FIRST_PAUSE: Final = 0.5  # seconds at most, for a random part of which a writer waits; each next one is twice as long
_LONGEST_PAUSE: Final = 20.0
_CONFIGURATION: Final = {
    "delta.dataSkippingNumIndexedCols": "0",  # statistics would keep erased values in the log
    "delta.checkpointInterval": str(_CHECKPOINT_INTERVAL),
}


def find_ledger(place: Place) -> "DeltaTable | None":
    """The ledger at its newest version; None if nothing was ever loaded.

    Raises:
        DamagedError: it is gone, though other tables have rows.
    """
    found = place.find_table(LEDGER)
    if found is None:
        for name in sorted(schema.STORED.keys() - {LEDGER}):
            table = place.find_table(name)
            if table is not None and table.version():  # the ledger is made before any other table gets rows
                raise DamagedError(f"{place.table_uri(LEDGER)}: the log of this table is gone")
    return found


def create_tables(place: Place) -> None:
    """Create the tables that are not there, the ledger last: if it exists, all tables of its format exist."""
    from deltalake import DeltaTable
    from deltalake.transaction import CommitProperties

    place.store.make_folder(place.root)
    for table in sorted(schema.STORED.values(), key=lambda table: table.name == LEDGER):
        for attempt in retry_conflicts():
            with attempt, translated(place.table_uri(table.name)):
                place.store.inside(place.path(table.name, "_delta_log/"))
                DeltaTable.create(
                    place.table_uri(table.name),
                    schema=table.arrow_schema,
                    partition_by=["date"] if table.partitioned else None,
                    mode="ignore",
                    name=table.name,
                    description=table.grain,
                    configuration=_CONFIGURATION,
                    storage_options=place.table_options,
                    commit_properties=CommitProperties(max_commit_retries=0),  # else it lands above another run's load
                )
    place.store.fsync(path for name in schema.STORED for path in place.log_files(name, 0, 0))


def read_snapshot(place: Place, ledger: "DeltaTable | None", only: Iterable[str] = schema.STORED) -> Snapshot:
    """The newest finished load that a ledger names, or `only` some tables of it; without one, empty tables at version 0.

    A fact that it does not name, as one of an older format, or that is not as it has left it, is `missing` and without files:
    it follows from the other tables, and an upgrade replaces all of it.

    Raises:
        DamagedError: the newest one is unknown, or a table that is no fact can't be read.
        LakeError: a newer version of this program has written the lake.
    """
    names = list(only)
    if ledger is None:
        return Snapshot({}, {name: [] for name in names})
    with legible(place.table_uri(LEDGER)):
        finished = finished_load(ledger)
    if finished is None:
        raise DamagedError(
            f"{place.table_uri(LEDGER)}: version {ledger.version()} of its log is damaged, and "
            "lakehouse.duckdb has the loads that it was made of"
        )
    require_known(finished.format, place.uri)
    found = dict(zip(names, place.store.map(lambda name: _found(place, name, ledger, finished), names), strict=True))
    opened = {name: table for name, (table, _) in found.items() if table is not None}
    missing = frozenset(name for name, (_, files) in found.items() if files is None)
    versions = {name: finished.pins.get(name, 0) for name in schema.STORED} | {LEDGER: ledger.version()}
    versions |= {name: table.version() for name, table in opened.items() if name in missing}
    return Snapshot(
        versions,
        {name: files or [] for name, (_, files) in found.items()},
        {name: rows for name, rows in finished.rows.items() if name not in missing},
        opened,
        place.data_files(LEDGER, ledger) if ledger.version() > finished.version else None,
        FIRST if missing and not finished.version else finished.format,  # an older version has made tables, and loaded nothing
        missing,
        finished.token,
    )


def _found(
    place: Place, name: str, ledger: "DeltaTable", finished: Finished
) -> "tuple[DeltaTable | None, list[DataFile] | None]":
    """Open a table at its newest version, and list the files of the finished load.

    A fact may be none, have other files (None), or both: it is missing then.
    """
    if name == LEDGER:
        is_newest = ledger.version() == finished.version
        return ledger, place.data_files(name, ledger if is_newest else place.open_table(name, finished.version))
    if name not in schema.FACTS:
        return _pinned(place, name, place.open_table(name), finished)
    with suppress(DamagedError):
        table = place.find_table(name)
        with suppress(DamagedError):
            if table is not None and (name in finished.pins or not finished.version):
                _, files = _pinned(place, name, table, finished)
                return table, files if finished.has_left(name, files) else None
        return table, None
    return None, None


def _pinned(place: Place, name: str, table: "DeltaTable", finished: Finished) -> "tuple[DeltaTable, list[DataFile]]":
    version = finished.pins.get(name, 0)
    return table, place.data_files(name, table if table.version() == version else place.open_table(name, version))


def is_newest(place: Place, snapshot: Snapshot) -> bool:
    """Whether no load has finished since."""
    ledger = snapshot.tables[LEDGER]
    with legible(place.table_uri(LEDGER)):
        ledger.update_incremental()
    return ledger.version() == snapshot.versions[LEDGER]


def commit(
    place: Place, changes: dict[str, Change], snapshot: Snapshot, *, landed: Iterable[str] = (), is_upgrade: bool = False
) -> Snapshot:
    """Make the changes of all tables, which were worked out from `snapshot`, visible in one moment.

    1. Refuse to build on a table that has lost rows, or on a snapshot that is no longer the newest; nothing but an upgrade
       builds on a lake of an older format.
    2. Commit each table but the ledger.
    3. Flush all files that the ledger's commit will name, `landed` among them: files outside of the tables.
    4. Commit the ledger with the pins of the tables, and flush that.
    5. Delete the files that the changes wrote and no longer want.

    Raises:
        ConflictError: another writer came first; nothing of the changes is visible, the files that they name are there.
        DamagedError: a table has lost rows since its last commit; nothing is built on that.
    """
    place.on_step("commit")
    require_whole(place, snapshot)
    if not (snapshot.is_current or is_upgrade):
        raise LakeError(
            f"{place.uri}: the lake needs an upgrade by now ({snapshot.outdated}); nothing was changed by this run: let one "
            "version write, and run the command again"
        )
    if not is_newest(place, snapshot):  # before anything is written that the loser would have to take back
        raise _conflict(place)
    versions = _commit_tables(place, changes, snapshot)
    pins = {name: version for name, version in versions.items() if name != LEDGER}
    change = changes.setdefault(LEDGER, Change())
    files = {name: snapshot.after(name, changes.get(name, Change())) for name in schema.STORED}
    rows = {name: sum(file.rows for file in listed) for name, listed in files.items()}
    added = [place.path(name, file.path) for name, change in changes.items() for file in change.add]
    logs = [place.log_files(name, snapshot.versions[name] + 1, version) for name, version in pins.items()]
    place.store.fsync([*added, *landed, *chain(*logs)])
    paths = {name: digest_of_paths(files[name]) for name in schema.FACTS}
    token = uuid.uuid4().hex
    metadata = {PINS: json.dumps(pins), ROWS: json.dumps(rows), PATHS: json.dumps(paths), FORMAT: current_format().packed()}
    metadata[COMMIT] = token
    versions[LEDGER] = _commit_ledger(place, snapshot.in_ledger(change), snapshot, metadata)
    place.store.fsync(place.log_files(LEDGER, versions[LEDGER], versions[LEDGER]))
    for name, change in changes.items():
        place.discard(name, change.discard)
    return Snapshot(versions, files, rows, snapshot.tables, token=token)


def _commit_tables(place: Place, changes: dict[str, Change], snapshot: Snapshot) -> dict[str, int]:
    """Commit each table that changes, or is ahead of its pin, but the ledger; gives the versions of all."""
    forced = {name for name in changes if name in snapshot.missing or (name != LEDGER and snapshot.is_ahead(name))}
    changed = [name for name in changes if name != LEDGER and (changes[name] or name in forced)]
    committed = place.store.map(lambda name: _commit_table(place, name, changes[name], snapshot, {}), changed)
    return snapshot.versions | dict(zip(changed, committed, strict=True))


def _commit_ledger(place: Place, change: Change, snapshot: Snapshot, metadata: dict[str, str]) -> int:
    token, pinned = metadata[COMMIT], snapshot.versions[LEDGER]
    try:
        return _commit_table(place, LEDGER, change, snapshot, metadata)
    except LakeError:  # an answer may be lost though the commit is not: then it's there, and it's ours
        committed = place.find_table(LEDGER)
        newer = committed.version() - pinned if committed else 0
        entries = committed.history(newer) if committed and newer > 0 else []
        if any(entry.get(COMMIT) == token for entry in entries):
            return pinned + 1
        raise


def _commit_table(place: Place, name: str, change: Change, snapshot: Snapshot, metadata: dict[str, str]) -> int:
    from deltalake.transaction import CommitProperties, PostCommitHookProperties

    declared, table, pinned = schema.STORED[name], snapshot.tables[name], snapshot.versions[name]
    # Else a commit that makes a checkpoint deletes older entries, those of the finished load too if that was a month ago.
    keeping = PostCommitHookProperties(cleanup_expired_logs=False)
    is_missing, is_emptied = name in snapshot.missing, {*snapshot.files[name]} <= {*change.remove}
    place.store.inside(place.path(name, "_delta_log/"))
    place.on_step(f"commit {name}")
    with translated(place.table_uri(name)):
        table.update_incremental()
        if table.version() > pinned and not is_missing:
            if name == LEDGER:
                raise _conflict(place)
            table.restore(  # a load died before its commit, or another program has written
                pinned,
                ignore_missing_files=is_emptied,  # none of them is needed
                commit_properties=CommitProperties(max_commit_retries=0),
                post_commithook_properties=keeping,
            )
        elif (pinned + 1) % _CHECKPOINT_INTERVAL == 0:  # the finished load needs none of the entries before its checkpoint
            table.cleanup_metadata()
        expected = table.version() + 1
        has_others = is_emptied and [field.name for field in table.schema().fields] != declared.arrow_schema.names
        is_anew = is_missing or has_others
        table.create_write_transaction(
            _actions(Change(add=change.add) if is_anew else change),
            mode="overwrite" if is_anew else "append",  # the former removes all files, and declares the columns anew
            schema=declared.arrow_schema,
            partition_by=["date"] if declared.partitioned else None,
            commit_properties=CommitProperties(custom_metadata=metadata, max_commit_retries=0),
            post_commithook_properties=keeping,
        )
    return expected


def _conflict(place: Place) -> ConflictError:
    return ConflictError(f"{place.uri}: another run has changed the lake meanwhile; run the command again")


def require_whole(place: Place, snapshot: Snapshot) -> None:
    """Refuse tables that have not the rows that the ledger says.

    A commit that a broken disk has emptied reads as one without changes: only the number of rows shows it.

    Raises:
        DamagedError: a table has others.
    """
    for name, files in snapshot.files.items():
        rows = sum(file.rows for file in files)
        expected = snapshot.rows.get(name, rows)
        if rows != expected:
            raise DamagedError(f"{place.table_uri(name)}: expected {expected:,} rows, found {rows:,}; its log is damaged")


class Attempt:
    """One attempt at a change, as a context; `number` counts from 1. A conflict ends it quietly if there is a next one.

    So does an error, once `is_overtaken` says that another writer was faster: an erasure deletes the files that the attempt
    still reads.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_done = False
        self.is_overtaken: Callable[[], bool] = lambda: False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        self.is_done = error is None
        if not isinstance(error, Exception) or self.number == _ATTEMPTS:
            return False
        return isinstance(error, ConflictError) or self.is_overtaken()


def retry_conflicts() -> Iterator[Attempt]:
    """Attempts at a change that other writers may overtake, each to be worked out anew from the newest snapshot.

    A library for this takes 25 ms of each load to import; only a bucket ever has a second attempt.
    """
    for number in range(1, _ATTEMPTS + 1):
        attempt = Attempt(number)
        yield attempt
        if attempt.is_done:
            return
        time.sleep(random.uniform(0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (number - 1))))  # noqa: S311  # no secret


def _actions(change: Change) -> "list[AddAction | RemoveAction]":
    from deltalake.transaction import AddAction, RemoveAction

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
