"""Small Parquet files of a partition merged into one, its rows in the order that queries like."""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, timedelta
from typing import Final

import duckdb

from pipeline.errors import DamagedError, LakeError
from pipeline.lake.digests import require_same
from pipeline.lake.lake import Lake
from pipeline.lake.rewrite import ORDERS, connected, copied, rows_of_a_group
from pipeline.lake.snapshot import Change, DataFile, Partition, Snapshot
from pipeline.lake.sql import rows_in

_SMALL_BYTES: Final = 32 << 20
_MERGE_BYTES: Final = 256 << 20  # of compressed files that are merged into one
_HOT_FILES: Final = 8  # a partition that still grows is merged at so many files,
_COLD_FILES: Final = 4  # one that is older than _HOT at so many
_HOT: Final = timedelta(days=2)
_MEMORY_LIMITS: Final = ("180MB", "360MB")
_FILES_A_MERGE: Final = 4  # a load merges one partition for every so many files that it adds


def merge_as_it_goes(lake: Lake, snapshot: Snapshot, changes: dict[str, Change]) -> None:
    """Add merges of the partitions that need it most to the changes of a load."""
    added = sum(len(change.add) for change in changes.values())
    crowded = []
    for name in [name for name in changes if name in ORDERS]:
        crowds = partitions(snapshot.after(name, changes[name]))
        newest = max((day for day, _ in crowds if day), default=None)
        for (day, _), files in crowds.items():
            is_cold = day is not None and newest is not None and date.fromisoformat(newest) - date.fromisoformat(day) > _HOT
            if len(files) >= (_COLD_FILES if is_cold else _HOT_FILES):
                crowded.append((len(files), name, files))
    crowded.sort(key=lambda one: one[0], reverse=True)
    for _, name, files in crowded[: -(-added // _FILES_A_MERGE)]:
        with suppress(LakeError):  # a damaged file stays as it is, for verify to find; the load does not depend on it
            merge(lake, name, files, changes[name])


def partitions(files: Iterable[DataFile]) -> dict[Partition, list[DataFile]]:
    """The small files by date and label, in the order of dates: at most one merge's worth for each partition."""
    found: dict[Partition, list[DataFile]] = defaultdict(list)
    held: dict[Partition, int] = defaultdict(int)
    for file in sorted(files, key=lambda file: (file.date or "", file.bytes)):
        partition = file.partition
        if file.bytes < _SMALL_BYTES and held[partition] + file.bytes <= _MERGE_BYTES:
            found[partition].append(file)
            held[partition] += file.bytes
    return found


def merge(lake: Lake, table: str, files: list[DataFile], change: Change) -> None:
    """Replace several files of one partition by one, sorted as `ORDERS` says.

    Files whose rows are so long that to sort them takes too much memory, as of rejected documents, stay as they are.
    """
    require_same(lake, table, files)
    merged = _merged(lake, table, files)
    if merged is None:
        return
    rows = sum(file.rows for file in files)
    if merged.rows != rows:
        where = lake.path(table, merged.path)
        raise DamagedError(
            f"{where}: expected {rows:,} rows merged from {len(files)} files, found {merged.rows:,}; none was used"
        )
    for file in files:
        change.swap(file, None)
    change.add.append(merged)


def _merged(lake: Lake, table: str, files: list[DataFile]) -> DataFile | None:
    """A file of all rows; None if that takes too much memory. Chats need the lower limit, long texts the higher one."""
    source = f"{rows_in('?')} order by {ORDERS[table]}"
    group_rows = rows_of_a_group(lake, table, files)
    for limit in _MEMORY_LIMITS if group_rows else ():
        with suppress(duckdb.OutOfMemoryException), connected(lake, memory_limit=limit) as connection:
            locations = lake.locations(table, files)
            return copied(lake, connection, table, files[0].partition, source, locations, group_rows=group_rows)
    return None
