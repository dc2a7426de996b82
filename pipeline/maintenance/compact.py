"""Compact: merge small Parquet files into few large ones, laid out for queries, and delete files that no reader needs.

A load brings a small file for every partition that it touches. So each load also merges some partitions, as many as it takes
to keep up: `merge_as_it_goes`. `compact` merges all that is worth it, and deletes files that no finished load names.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from pipeline.errors import ConflictError, LakeError
from pipeline.lake import index
from pipeline.lake.checkpoints import drop_damaged
from pipeline.lake.commits import retry_conflicts
from pipeline.lake.lake import Lake
from pipeline.lake.merge import merge, partitions
from pipeline.lake.rewrite import ORDERS
from pipeline.lake.snapshot import Change, Partition, Snapshot
from pipeline.lake.vacuum import RETENTION_HOURS, kept_hours, sweep
from pipeline.warehouse.database import publish

_AT_STAKE_SECONDS: Final = 10
"""The time of merging before a commit; in a bucket, a load that finishes first makes that much work vain."""


@dataclass(frozen=True)
class Compacted:
    """The result of `compact`: Parquet files merged, files made of them, files deleted, and their bytes.

    `kept_hours` is the time for which unused files stay.
    """

    merged: int
    made: int
    deleted: int
    deleted_bytes: int
    kept_hours: int


def compact(lake: Lake, *, retention_hours: int = RETENTION_HOURS, progress: Callable[[str], None] | None = None) -> Compacted:
    """Merge the small files of every partition, and delete files that have been unneeded for so long.

    The lake's DuckDB file is made anew before anything is deleted: the former one may name them, also where a run
    that died left it behind the tables. The caller holds `writing`; in a bucket, where no lock keeps loads away, merges that
    a load overtakes are done anew, and that is never more than the work of `_AT_STAKE_SECONDS`.

    Raises:
        LakeError: other runs came first whenever a table was to be committed.
    """
    merged = made = 0
    drop_damaged(lake)
    snapshot = lake.snapshot()
    for name in ORDERS:
        settled: set[Partition] = set()
        is_done = False
        while not is_done:
            try:
                change, snapshot, is_done = _next_merges(lake, snapshot, name, settled, progress)
            except ConflictError as error:
                raise LakeError(
                    f"{lake.table_uri(name)}: other runs changed the lake each time that files of it had been merged; "
                    "files merged before stay so, and no row is lost: run lakehouse compact when fewer loads run"
                ) from error
            merged += len(change.remove)
            made += len(change.add)
    snapshot = lake.snapshot()
    publish(lake, snapshot)
    lake.on_step("sweep")
    deleted = sweep(lake, snapshot, retention_hours=retention_hours)
    deleted_bytes = sum(file.bytes for file in deleted)
    return Compacted(merged, made, len(deleted), deleted_bytes, kept_hours(lake, retention_hours))


def _next_merges(
    lake: Lake, snapshot: Snapshot, name: str, settled: set[Partition], progress: Callable[[str], None] | None
) -> tuple[Change, Snapshot, bool]:
    """Merge files of one table for a while, and commit; gives the change, the snapshot after it, and whether all is done.

    Merged partitions go into `settled`, so that files which come meanwhile are not merged for ever.
    """
    for attempt in retry_conflicts():
        with attempt:
            is_first = attempt.number == 1
            if not is_first or not lake.is_newest(snapshot):
                snapshot = lake.snapshot()
            attempt.is_overtaken = partial(lake.is_overtaken, snapshot)
            until = time.monotonic() + (_AT_STAKE_SECONDS if is_first else 0)
            change, done, is_last = Change(), set(settled), True
            is_index = name == index.NAME
            merges = index.rebuild(lake, snapshot, change, done) if is_index else _merges(lake, snapshot, name, change, done)
            for line in merges:
                if progress:
                    progress(line)
                if time.monotonic() >= until:
                    is_last = False
                    break
            if change or snapshot.is_ahead(name):
                snapshot = lake.commit({name: change}, snapshot)
    settled |= done
    return change, snapshot, is_last


def _merges(lake: Lake, snapshot: Snapshot, name: str, change: Change, done: set[Partition]) -> Iterator[str]:
    """Merge the small files of a table, one partition after another that is not `done`; yields a line for each."""
    for partition, files in partitions(snapshot.files[name]).items():
        if len(files) > 1 and partition not in done:
            former = len(change.remove)
            merge(lake, name, files, change)
            done.add(partition)
            if len(change.remove) > former:
                yield f"{name} {partition[0] or ''}: {len(files)} files merged"
