"""Few, large Parquet files, laid out for the queries people run; and nothing on the disk that no reader needs any more.

A load brings a small file for every partition that it touches. So each load also merges some partitions, as many as it takes
to keep up: `merge_as_it_goes`. `compact` merges all that is worth it, and deletes what no finished load names.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain
from typing import Final

import duckdb

from pipeline import schema
from pipeline.deliveries import KEY, SHARE
from pipeline.lake import Lake, until_undisturbed
from pipeline.parquet import connected, copied, quoted
from pipeline.snapshot import LEDGER, Change, DataFile, Snapshot
from pipeline.warehouse import publish

RETENTION_HOURS: Final = 24
"""How long a file stays on the disk that the newest load no longer names, for readers that have begun to read it."""

_SMALL_BYTES: Final = 32 << 20
_MERGE_BYTES: Final = 256 << 20  # of compressed files that are merged into one
_HOT_FILES: Final = 8  # a partition that still grows is merged at so many files,
_COLD_FILES: Final = 4  # one that is older than _HOT at so many
_HOT: Final = timedelta(days=2)
_FILES_A_MERGE: Final = 4  # a load merges one partition for every so many files that it adds
_ORDERS: Final = {
    "conversations": "account_id, skill_id, conversation_start_time, conversation_id",
    "messages": "account_id, conversation_id, delivery, position",
    "transfers": "account_id, conversation_id, delivery, position",
    "rejects": "account_id, source_file, document",
    "conversation_dates": "key, date",
    "erasures": "kind, key, requested_at",
    LEDGER: "scope_start_time, name",
}
"""Of the tables that are merged; `listings` has few files by itself."""
_MEMORY_LIMIT: Final = "300MB"
_HIVE: Final = "hive_partitioning = true, hive_types = {'date': date}"


@dataclass(frozen=True)
class Compacted:
    """What `compact` did: Parquet files merged, files made of them, files deleted, and the bytes that those had.

    `kept_hours` is for how long files stay that are no longer used.
    """

    merged: int
    made: int
    deleted: int
    deleted_bytes: int
    kept_hours: int


def merge_as_it_goes(lake: Lake, snapshot: Snapshot, changes: dict[str, Change]) -> None:
    """Add merges of the partitions that need it most to the changes of a load."""
    added = sum(len(change.add) for change in changes.values())
    crowded = []
    for name in [name for name in changes if name in _ORDERS]:
        partitions = _partitions(snapshot.after(name, changes[name]))
        newest = max((day for day, _ in partitions if day), default=None)
        for (day, _), files in partitions.items():
            is_cold = day is not None and newest is not None and date.fromisoformat(newest) - date.fromisoformat(day) > _HOT
            if len(files) >= (_COLD_FILES if is_cold else _HOT_FILES):
                crowded.append((len(files), name, files))
    crowded.sort(key=lambda one: one[0], reverse=True)
    for _, name, files in crowded[: -(-added // _FILES_A_MERGE)]:
        _merge(lake, name, files, changes[name])


def compact(lake: Lake, *, retention_hours: int = RETENTION_HOURS, progress: Callable[[str], None] | None = None) -> Compacted:
    """Merge the small files of every partition, in one commit a table, and delete what has been unneeded for so long.

    The lake's DuckDB file is made anew before anything is deleted: what the former one names may be among it, also where a
    run that died left it behind the tables. The caller holds `writing`; where no lock keeps loads away, what a load overtakes
    is merged anew.
    """
    merged = made = 0
    snapshot = lake.snapshot()
    for name in _ORDERS:
        for attempt in until_undisturbed():
            with attempt:
                if attempt.retry_state.attempt_number > 1:
                    snapshot = lake.snapshot()
                change, snapshot = _merged(lake, snapshot, name, progress)
        merged += len(change.remove)
        made += len(change.add)
    snapshot = lake.snapshot()
    publish(lake, snapshot)
    deleted = sweep(lake, snapshot, retention_hours=retention_hours)
    deleted_bytes = sum(file.bytes for file in deleted)
    return Compacted(merged, made, len(deleted), deleted_bytes, _kept_hours(lake, retention_hours))


def _merged(lake: Lake, snapshot: Snapshot, name: str, progress: Callable[[str], None] | None) -> tuple[Change, Snapshot]:
    """Merge the small files of one table, and commit that; gives what the lake then has, too."""
    change = Change()
    if name == schema.INDEX.name:
        _index_anew(lake, snapshot, change)
    else:
        for (day, _), files in _partitions(snapshot.files[name]).items():
            if len(files) > 1:
                _merge(lake, name, files, change)
                if progress:
                    progress(f"{name} {day or ''}: {len(files)} files merged")
    if change or lake.is_ahead(name, snapshot):
        snapshot = lake.commit({name: change}, snapshot)
    return change, snapshot


def _partitions(files: Iterable[DataFile]) -> dict[tuple[str | None, str], list[DataFile]]:
    """The small files by date and label, in the order of dates, no more of one than are worth to be merged at a time."""
    found: dict[tuple[str | None, str], list[DataFile]] = defaultdict(list)
    held: dict[tuple[str | None, str], int] = defaultdict(int)
    for file in sorted(files, key=lambda file: (file.date or "", file.bytes)):
        place = file.date, file.label
        if file.bytes < _SMALL_BYTES and held[place] + file.bytes <= _MERGE_BYTES:
            found[place].append(file)
            held[place] += file.bytes
    return found


def _index_anew(lake: Lake, snapshot: Snapshot, change: Change) -> None:
    """Make the index of what the tables hold, unless it is that: without what was withdrawn, with what it may have lost."""
    name = schema.INDEX.name
    former: dict[str, list[DataFile]] = defaultdict(list)
    for file in snapshot.files[name]:
        former[file.label].append(file)
    conversations = lake.locations("conversations", snapshot.files["conversations"])
    with connected(lake, memory_limit=_MEMORY_LIMIT) as connection:
        for share, condition in _shares(connection, conversations).items():
            source = (
                f"(select distinct {KEY} as key, date from read_parquet(?, {_HIVE}) where {condition}) order by {_ORDERS[name]}"
            )
            made = copied(lake, connection, name, lake.new_path(None, share), source, conversations)
            standing = former.pop(share, [])
            if _are_same(lake, connection, standing, made):
                lake.discard(name, [made])
            else:
                change.remove += standing
                change.add.append(made)
    change.remove += chain(*former.values())


def _shares(connection: duckdb.DuckDBPyConnection, conversations: list[str]) -> dict[str, str]:
    """The shares of the index, each with the condition of its rows: by account, so that those of others are passed by."""
    found: dict[str, str] = {}
    if conversations:
        query = f"select distinct {SHARE} as share, account_id from read_parquet($files, {_HIVE}) order by all"
        for share, account_id in connection.execute(query, {"files": conversations}).fetchall():
            condition = "account_id is null" if account_id is None else f"account_id = {quoted(account_id)}"
            found[share] = f"{found[share]} or {condition}" if share in found else condition
    return found


def _are_same(lake: Lake, connection: duckdb.DuckDBPyConnection, standing: list[DataFile], made: DataFile) -> bool:
    """Whether one file of the index stands already, and has the rows of the one made; not, if it can't be read."""
    if [file.rows for file in standing] != [made.rows]:
        return False
    former, new = (lake.locations(schema.INDEX.name, files) for files in (standing, [made]))
    query = "select count(*) from (from read_parquet($former) except from read_parquet($new))"
    try:
        return connection.execute(query, {"former": former, "new": new}).fetchall() == [(0,)]
    except duckdb.Error:
        return False


def _merge(lake: Lake, table: str, files: list[DataFile], change: Change) -> None:
    """Put one file in the place of several of one date and label, its rows in the order of `_ORDERS`."""
    source = f"read_parquet(?, hive_partitioning = false) order by {_ORDERS[table]}"
    with connected(lake, memory_limit=_MEMORY_LIMIT) as connection:
        path = lake.new_path(files[0].date, files[0].label)
        merged = copied(lake, connection, table, path, source, lake.locations(table, files))
    rows = sum(file.rows for file in files)
    if merged.rows != rows:
        raise AssertionError(f"{lake.path(table, merged.path)}: {rows} rows merged, {merged.rows} written")
    for file in files:
        change.swap(file, None)
    change.add.append(merged)


def _kept_hours(lake: Lake, retention_hours: int) -> int:
    """For how long files stay: no less than `RETENTION_HOURS` where another run may be at work, on files yet without a name."""
    return retention_hours if lake.is_local else max(retention_hours, RETENTION_HOURS)


def sweep(lake: Lake, snapshot: Snapshot, *, retention_hours: int) -> list[DataFile]:
    """Delete the Parquet files that no finished load has named for so long, and those that a dead run left."""
    deleted = []
    hours = _kept_hours(lake, retention_hours)
    for name in schema.STORED:
        unneeded = lake.unneeded(name, snapshot, retention_hours=hours)
        lake.discard(name, unneeded)
        deleted += unneeded
    return deleted
