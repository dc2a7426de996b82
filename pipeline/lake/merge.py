"""Small Parquet files of a partition merged into one, its rows in the order that queries like."""

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, timedelta
from typing import Final

from pipeline.errors import DamagedError, LakeError
from pipeline.lake.digests import require_same
from pipeline.lake.lake import Lake
from pipeline.lake.rewrite import connected, copied
from pipeline.lake.snapshot import LEDGER, Change, DataFile, Place, Snapshot
from pipeline.lake.sql import rows_in

_SMALL_BYTES: Final = 32 << 20
_MERGE_BYTES: Final = 256 << 20  # of compressed files that are merged into one
_HOT_FILES: Final = 8  # a partition that still grows is merged at so many files,
_COLD_FILES: Final = 4  # one that is older than _HOT at so many
_HOT: Final = timedelta(days=2)
_FILES_A_MERGE: Final = 4  # a load merges one partition for every so many files that it adds
ORDERS: Final = {
    "conversations": "account_id, skill_id, conversation_start_time, conversation_id",
    "messages": "account_id, conversation_id, delivery, position",
    "transfers": "account_id, conversation_id, delivery, position",
    "rejects": "account_id, source_file, document",
    "erasures": "kind, key, requested_at",
    LEDGER: "scope_start_time, name",
    "conversation_dates": "key, date",
}
"""Of the tables that are merged, in this order; `listings` has few files by itself."""
MEMORY_LIMIT: Final = "300MB"


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


def partitions(files: Iterable[DataFile]) -> dict[Place, list[DataFile]]:
    """The small files by date and label, in the order of dates, no more of one than are worth to be merged at a time."""
    found: dict[Place, list[DataFile]] = defaultdict(list)
    held: dict[Place, int] = defaultdict(int)
    for file in sorted(files, key=lambda file: (file.date or "", file.bytes)):
        place = file.place
        if file.bytes < _SMALL_BYTES and held[place] + file.bytes <= _MERGE_BYTES:
            found[place].append(file)
            held[place] += file.bytes
    return found


def merge(lake: Lake, table: str, files: list[DataFile], change: Change) -> None:
    """Put one file in the place of several of one date and label, its rows in the order of `ORDERS`."""
    source = f"{rows_in('?')} order by {ORDERS[table]}"
    require_same(lake, table, files)
    with connected(lake, memory_limit=MEMORY_LIMIT) as connection:
        merged = copied(lake, connection, table, files[0].place, source, lake.locations(table, files))
    rows = sum(file.rows for file in files)
    if merged.rows != rows:
        where = lake.path(table, merged.path)
        raise DamagedError(
            f"{where}: expected {rows:,} rows merged from {len(files)} files, found {merged.rows:,}; none was used"
        )
    for file in files:
        change.swap(file, None)
    change.add.append(merged)
