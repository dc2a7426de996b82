"""Upgrade: bring a lake of an older version, of facts by other definitions, or without some facts, up to date in one commit.

The tables that are gone or damaged are made, empty. The facts of every conversation are computed from the tables; the commit of
the ledger puts them in the place of all former ones. A run that dies before it leaves the lake as it was.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from pipeline import schema
from pipeline.errors import ConflictError, DamagedError
from pipeline.lake.commits import retry_conflicts
from pipeline.lake.digests import require_same
from pipeline.lake.file_systems import exists
from pipeline.lake.lake import Lake
from pipeline.lake.logs import faults_of
from pipeline.lake.snapshot import Change, Snapshot
from pipeline.maintenance.strays import delete_strays
from pipeline.warehouse.database import publish
from pipeline.warehouse.published import problem_with_file
from pipeline.warehouse.recompute import facts_of_lake

Tell = Callable[[str], None]


@dataclass
class Upgraded:
    """The result of `upgrade`: the lake before it, conversations whose facts were computed, and their rows by table."""

    snapshot: Snapshot
    conversations: int = 0
    rows: dict[str, int] = field(default_factory=dict)


def upgrade(lake: Lake, *, recomputes: bool = False, tell: Tell | None = None) -> Upgraded | None:
    """Bring the lake, and its DuckDB file, up to date; gives None if the lake is.

    With `recomputes` all facts are computed anew in any case. `tell` takes the reason, before the work. The caller holds
    `writing`. In a bucket, where no lock keeps loads away, the work is done anew if one commits first.

    Raises:
        DamagedError: a Parquet file is not as it was written; nothing was changed.
        LakeError: a newer version of this program has written the lake; nothing was changed.
    """
    for attempt in retry_conflicts():
        with attempt:
            snapshot = lake.snapshot()
            attempt.is_overtaken = partial(lake.is_overtaken, snapshot)
            if snapshot.is_current and not recomputes:
                if problem_with_file(lake):  # the run that brought it up to date has died before it published
                    publish(lake, snapshot)
                return None
            if tell and attempt.number == 1:
                tell(f"{lake.uri}: {snapshot.outdated or 'all facts are computed anew'}; this takes a while")
            return _upgrade(lake, snapshot)
    return None  # never: the attempts end with a result or an error


def _upgrade(lake: Lake, snapshot: Snapshot) -> Upgraded:
    lake.on_step("upgrade")
    snapshot = made_ready(lake, snapshot)
    for name in schema.SENT:
        require_same(lake, name, snapshot.files[name])
    done = Upgraded(snapshot, rows=dict.fromkeys(schema.FACTS, 0))
    changes = {name: Change(remove=list(snapshot.files[name])) for name in schema.FACTS}
    try:
        _write_facts(lake, snapshot, changes, done)
    except BaseException:  # a full disk, damage, or a signal
        discard_unnamed(lake, changes)
        raise
    try:
        after = lake.commit(changes, snapshot, is_upgrade=True)
    except ConflictError:
        discard_unnamed(lake, changes)
        raise
    lake.on_step("publish")
    publish(lake, after)
    return done


def _write_facts(lake: Lake, snapshot: Snapshot, changes: dict[str, Change], done: Upgraded) -> None:
    for part in facts_of_lake(lake, snapshot):
        done.conversations += part.conversations
        for name, rows in part.facts.items():
            done.rows[name] += rows.num_rows
            if rows.num_rows:
                changes[name].add.append(lake.write(name, rows.drop_columns("date"), date=part.date))


def discard_unnamed(lake: Lake, changes: dict[str, Change]) -> None:
    """Delete the files that no commit will name."""
    for name, change in changes.items():
        for file in (*change.add, *change.discard):
            with suppress(FileNotFoundError):  # an erasure of another run may have deleted it
                lake.discard(name, [file])


def made_ready(lake: Lake, snapshot: Snapshot) -> Snapshot:
    """Make the facts' tables ready for a commit that replaces all of them; gives the snapshot after it.

    1. If the newest load does not name them, or they are not as it has left them, delete the files of facts: an older version
       may have erased people without them, or a backup has put back older ones. They go first, so that no run which dies after
       its commit leaves one.
    2. Delete logs of facts that are damaged, and make the tables that are gone.
    """
    if snapshot.missing:
        lake.on_step("delete")
        delete_strays(lake, snapshot)
    damaged = [name for name in schema.FACTS if _is_damaged(lake, name)]
    for name in damaged:
        lake.on_step(f"renew {name}")
        _delete_log(lake, name)
    if not (damaged or snapshot.missing):
        return snapshot
    lake.add_tables()
    return lake.snapshot()


def _is_damaged(lake: Lake, table: str) -> bool:
    """Whether the log of a table has to be made anew: no file of it may be missing, empty or illegible."""
    if not all(fault.is_needless for fault in faults_of(lake, table)):
        return True
    try:
        lake.newest_files(table)
    except DamagedError:
        return True
    return False


def _delete_log(lake: Lake, table: str) -> None:
    """Delete the log of a table, or the file that is in the place of one."""
    for path in (lake.path(table), lake.path(table, "_delta_log")):
        if exists(lake.files, path) and (path.endswith("_delta_log") or lake.files.isfile(path)):
            lake.files.rm(lake.store.inside(path), recursive=True)
