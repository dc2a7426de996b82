"""A write session: hold the lake, clear the files of a dead run, and after each commit purge, publish and sweep."""

import atexit
import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial

import duckdb

from pipeline.erasure.purge import run_pending_purges
from pipeline.errors import DamagedError, LakeError
from pipeline.failures import of_a_file
from pipeline.lake.checkpoints import drop_damaged, has_torn
from pipeline.lake.lake import Lake
from pipeline.lake.landing import clear_staging
from pipeline.lake.snapshot import LEDGER, Snapshot
from pipeline.lake.spill import clear_dead
from pipeline.lake.store_errors import reaching
from pipeline.lake.vacuum import RETENTION_HOURS, sweep
from pipeline.maintenance.upgrade import upgrade
from pipeline.warehouse.database import publish, rules_in_force
from pipeline.warehouse.name_tables import names_of, tell_faults

_COMMITS_A_SWEEP = 24
_REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "give this user the right to it"),
    **dict.fromkeys((errno.ENOTDIR, errno.EEXIST), "take the file away that is in the place of a folder"),
    errno.EISDIR: "take this folder away, which is in the place of a file,",
}

_OF_THE_SYSTEM = (OSError, duckdb.IOException, duckdb.TransactionException, duckdb.OutOfMemoryException, MemoryError)


@contextmanager
def writing(lake: Lake, on_wait: Callable[[str], None] | None = None, *, upgrades: bool = True) -> Iterator[Snapshot | None]:
    """Hold the lake for writing; a second writer waits for the first, readers never do. Gives its newest load, if known.

    It is known where a lock keeps others from a newer one, and where something was loaded, and is neither damaged nor changed
    by what follows.

    The unfinished files of a run that died are deleted first, so that they take no room and keep no erased person; so are those
    of the block if it fails. A bucket has no lock: there commits keep writers apart. Then a lake of an older version is brought
    up to date, unless the block does that itself: `upgrades` is false, and conversations that a dead run noted as pending stay
    so, too.

    Raises:
        LakeError: the block, or the lock, met a disk that is full, read-only or broken, or a lack of rights or memory; or a
            newer version of this program has written the lake, and nothing was changed.
    """
    with _for_its_owner(), _in_one_sentence(lake), reaching(lake.uri), lake.store.lock(on_wait):
        if lake.store.may_damage and has_torn(lake):
            drop_damaged(lake)
        newest = _newest(lake)
        with _nothing_left_staged(lake):
            clear_dead(lake)
            if upgrades and newest is not None and not newest.is_current:
                upgrade(lake, tell=on_wait)
                newest = None
            rules_in_force(lake, on_wait)  # a wrong settings file warns, it does not stop the load
            if on_wait:
                for names in names_of(lake):
                    tell_faults(names.faults, lake, on_wait)
            if upgrades and run_pending_purges(lake) is not None:
                newest = None
            yield newest if lake.store.has_lock else None


def after_commit(lake: Lake, commits: Sequence[Snapshot], *, has_pending: bool, now: Callable[[], datetime]) -> None:
    """Purge, publish and sweep after the commits of a load; the last one is shown.

    1. Purge the conversations that a commit has noted as pending; a purge publishes what it leaves.
    2. Else publish the DuckDB file of the last commit.
    3. Sweep the Parquet files that no load has named for a day, every 24th commit.
    """
    purged = run_pending_purges(lake, now=now) if has_pending else None
    shown = purged or commits[-1]
    if purged is None:
        lake.on_step("publish")
        publish(lake, shown)
    if any(commit.versions[LEDGER] % _COMMITS_A_SWEEP == 0 for commit in (*commits, shown)):
        lake.on_step("sweep")
        sweep(lake, shown, retention_hours=RETENTION_HOURS)


def _newest(lake: Lake) -> Snapshot | None:
    """The newest finished load; None if there is none, or it is damaged: the block says so, or repairs it."""
    with suppress(DamagedError):
        found = lake.snapshot()
        return found if found.versions else None
    return None


@contextmanager
def _nothing_left_staged(lake: Lake) -> Iterator[None]:
    """Delete staged files: first those of dead runs, then those of the block, if it fails.

    A signal ends a process without an exception while it imports a module, or where a library does not return for long: there
    `atexit` does it. In a bucket no lock tells whose files they are: a later run deletes them.

    Raises:
        LakeError: a link leads elsewhere; nothing behind it was deleted.
    """
    clear_staging(lake)
    if not lake.store.has_lock:
        yield
        return
    clear = partial(clear_staging, lake)
    atexit.register(clear)
    try:
        yield
    except BaseException:
        with suppress(OSError, LakeError):  # what went wrong first is told
            clear()
        raise
    finally:
        atexit.unregister(clear)


@contextmanager
def _for_its_owner() -> Iterator[None]:
    """Create files for this user alone during the block, in the processes that it starts, too: customers wrote them."""
    former = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(former)


@contextmanager
def _in_one_sentence(lake: Lake) -> Iterator[None]:
    """Turn OS and DuckDB errors into one LakeError."""
    try:
        yield
    except BrokenPipeError:
        raise
    except (OSError, duckdb.Error, MemoryError) as error:
        if found := of_a_file(error):
            raise found from error
        if not isinstance(error, _OF_THE_SYSTEM):
            raise
        where = getattr(error, "filename2", None) or getattr(error, "filename", None) or lake.uri  # of a move, where to
        reason = getattr(error, "strerror", None) or " ".join(str(error).partition("\n")[0].split()) or "out of memory"
        remedy = _REMEDIES.get(getattr(error, "errno", None) or 0, "correct the cause")
        raise LakeError(
            f"{where}: {reason}; all finished loads are as they were: {remedy} and run the command again"
        ) from error
