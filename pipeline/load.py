"""Source files -> workers -> one commit, with a report whose counts add up."""

import errno
import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from multiprocessing import get_context, parent_process
from threading import Thread

import duckdb
from filelock import FileLock, Timeout

from pipeline import schema
from pipeline.compact import RETENTION_HOURS, merge_as_it_goes, sweep
from pipeline.deliveries import Deliveries, Replaced
from pipeline.erase import purge
from pipeline.errors import LakeError, SettingsError
from pipeline.ingest import Incoming, Ingested, Outcome, ingest
from pipeline.lake import LEDGER, Change, Lake, Snapshot, until_undisturbed
from pipeline.landing import clear_staging, file_name, scope_of
from pipeline.ledger import Ledger
from pipeline.store import files_at, reaching, sizes_below
from pipeline.tombstones import Tombstones, bury, read_tombstones
from pipeline.warehouse import publish, read_settings

Progress = Callable[[Outcome], None]

_SOURCE_SUFFIXES = (".gz", ".zip", ".json", ".jsonl", ".ndjson")
_UNIT_BYTES = 4 << 20  # of compressed source files that a worker takes at a time
_ALONE_BYTES = 1 << 20  # less than that to load is not worth the start of other processes
_LOADS_A_SWEEP = 24
_REMEDIES = dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room") | dict.fromkeys(
    (errno.EACCES, errno.EPERM, errno.EROFS), "give this user the right to it"
)


@dataclass
class Report:
    """What a load did: every file that it met is in one of the three counts of files."""

    loaded: int = 0
    unchanged: int = 0
    rejected: dict[str, str] = field(default_factory=dict)
    conversations: int = 0
    messages: int = 0
    transfers: int = 0
    rejects: int = 0
    superseded: int = 0
    unknown_fields: set[str] = field(default_factory=set)
    erased: set[str] = field(default_factory=set, repr=False)
    """Ids of conversations that were kept out for the first time, since somebody was erased whose they are."""

    @property
    def is_complete(self) -> bool:
        """Whether nothing was set aside."""
        return not self.rejected and not self.rejects

    def count(self, outcome: Outcome) -> None:
        """Add one file."""
        if outcome.status == "unchanged":
            self.unchanged += 1
        elif outcome.status == "rejected":
            self.rejected[outcome.name] = outcome.reason or ""
        else:
            self.loaded += 1
            self.conversations += outcome.counts.conversations
            self.messages += outcome.counts.messages
            self.transfers += outcome.counts.transfers
            self.rejects += outcome.counts.rejects
            self.unknown_fields |= outcome.counts.unknown_fields
            self.erased |= outcome.erased


def find_files(paths: Iterable[str]) -> list[str]:
    """The source files that paths, folders, globs and URLs name, in the order given; a folder's are sorted.

    Of a folder, whatever depth, those count whose name ends as a source file's does, or begins with `Engagement.`.

    Raises:
        LakeError: a path leads to nothing.
    """
    found: dict[str, None] = {}
    for path in paths:
        files, root = files_at(path)
        with reaching(path):
            if any(sign in root for sign in "*?[") and not files.exists(root):
                names = [name for name in files.glob(root) if files.isfile(name)]
            elif files.isdir(root):
                names = [name for name in sizes_below(files, root) if _is_source(name.rpartition("/")[2])]
            else:
                names = [root] if files.exists(root) else []
        if not names:
            raise LakeError(f"{path}: there is no source file; expected a file, a folder or a pattern that matches some")
        found.update(dict.fromkeys(files.unstrip_protocol(name) for name in sorted(names)))
    return list(found)


def _is_source(name: str) -> bool:
    return name.endswith(_SOURCE_SUFFIXES) or name.startswith("Engagement.")


@contextmanager
def writing(lake: Lake, on_wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lake for writing; a second writer waits for the first, readers never do.

    What a run that died left half done is deleted first, so that it takes no room from what comes. On an object store nothing
    is held: there writers are kept apart when they commit.

    Raises:
        LakeError: the block, or the lock, met a disk that is full, read-only or broken, or a lack of rights or memory.
        SettingsError: the lake's settings file can't be used; nothing was changed.
    """
    with _in_one_sentence(lake), reaching(lake.uri), _locked(lake, on_wait) if lake.is_local else nullcontext():
        clear_staging(lake)
        read_settings(lake)  # else it's known too late: when the tables are in and the views are to be made
        yield


@contextmanager
def _locked(lake: Lake, on_wait: Callable[[str], None] | None) -> Iterator[None]:
    lake.files.makedirs(lake.root, exist_ok=True)
    lock = FileLock(lake.lock_path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if on_wait:
            on_wait(f"{lake.uri} is being written by another run; waiting for it to finish")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _in_one_sentence(lake: Lake) -> Iterator[None]:
    """Say of what the system refuses where it did, what now holds and what to do."""
    try:
        yield
    except BrokenPipeError:
        raise
    except (OSError, duckdb.IOException, duckdb.TransactionException, duckdb.OutOfMemoryException, MemoryError) as error:
        where = getattr(error, "filename", None) or lake.uri
        reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or "out of memory"
        remedy = _REMEDIES.get(getattr(error, "errno", None) or 0, "see to it")
        raise LakeError(
            f"{where}: {reason}; all finished loads are as they were: {remedy} and run the command again"
        ) from error


def load(
    lake: Lake,
    incoming: list[Incoming],
    *,
    workers: int | None = None,
    report: Report | None = None,
    progress: Progress | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Report:
    """Load source files; the caller holds `writing`.

    Files of one name count in the order given, the last one stands; all others become visible together. What was done is
    added to `report`, which is returned.
    """
    lake.create()
    done = Report() if report is None else report
    snapshot = None
    for wave in _waves(incoming):
        snapshot = _load_wave(lake, wave, done, workers=workers or os.cpu_count() or 1, progress=progress, now=now)
    snapshot = snapshot or lake.snapshot()
    if done.erased:  # another file may have brought a delivery of them that does not name the person
        _, snapshot = purge(lake, snapshot, done.erased, at=now())
    else:
        publish(lake, snapshot)
    if snapshot.versions[LEDGER] % _LOADS_A_SWEEP == 0:
        sweep(lake, snapshot, retention_hours=RETENTION_HOURS)
    return done


def _waves(incoming: list[Incoming]) -> Iterator[list[Incoming]]:
    """Split so that no name comes twice in one wave."""
    by_name: dict[str, list[Incoming]] = defaultdict(list)
    for item in incoming:
        by_name[item.name].append(item)
    for turn in range(max(map(len, by_name.values()), default=0)):
        yield [items[turn] for items in by_name.values() if turn < len(items)]


def _load_wave(
    lake: Lake, wave: list[Incoming], report: Report, *, workers: int, progress: Progress | None, now: Callable[[], datetime]
) -> Snapshot:
    """Read the files of a wave, and commit their rows; gives what the lake then has."""
    snapshot = lake.snapshot()
    ledger = Ledger(lake, snapshot, [item.name for item in wave])
    downloaded_at = now()
    tombstones = read_tombstones(lake, snapshot)
    fresh = [replace(item, known=ledger.known(item.name, item.account_id)) for item in wave]
    ingested = _run(lake, fresh, tombstones, workers, progress)
    for outcome in ingested.outcomes:
        report.count(outcome)
    for attempt in until_undisturbed():
        with attempt:
            if attempt.retry_state.attempt_number > 1:
                snapshot = lake.snapshot()
                ledger = Ledger(lake, snapshot, [item.name for item in wave])
                if read_tombstones(lake, snapshot) != tombstones:
                    raise LakeError(f"{lake.uri}: somebody was erased while files were read; nothing was loaded, run it again")
            superseded, snapshot = _commit(
                lake,
                snapshot,
                ledger,
                ingested,
                report,
                tombstones=tombstones,
                workers=workers,
                downloaded_at=downloaded_at,
                now=now,
            )
    report.superseded += superseded
    return snapshot


def _commit(
    lake: Lake,
    snapshot: Snapshot,
    ledger: Ledger,
    ingested: Ingested,
    report: Report,
    *,
    tombstones: Tombstones | None,
    workers: int,
    downloaded_at: datetime,
    now: Callable[[], datetime],
) -> tuple[int, Snapshot]:
    """Work out what the files change in all tables, and commit it; says how many deliveries were superseded."""
    fresh = [outcome for outcome in ingested.outcomes if outcome.status != "unchanged"]
    replaced = [item for outcome in fresh if (item := ledger.enter(outcome, downloaded_at, now())) is not None]
    if not ledger.added:
        return 0, snapshot
    changes = {name: Change(add=list(ingested.written[name])) for name in schema.STORED if name != LEDGER}
    deliveries = Deliveries(lake, snapshot, ledger.scopes())
    withdrawn = deliveries.withdrawn_files(changes["conversations"].add, replaced)
    if withdrawn:
        for name, files in _run_again(lake, ledger.landed(withdrawn), tombstones, workers).written.items():
            changes[name].add += files
        replaced += [Replaced(name, None, whatever_account=True) for name in withdrawn]
    superseded = deliveries.settle(changes, replaced)
    merge_as_it_goes(lake, snapshot, changes)
    if tombstones:  # an erased person's conversation that was not known by now: no other file may bring it either
        changes[schema.ERASURES.name] = bury(lake, tombstones, "conversation", report.erased, now())
    changes[LEDGER] = ledger.change()
    return superseded, lake.commit(changes, snapshot)


def _run_again(lake: Lake, landed: list[Incoming], tombstones: Tombstones | None, workers: int) -> Ingested:
    """Read landed files once more.

    Raises:
        LakeError: one of them is broken by now; its rows are not to be given up for that.
    """
    again = _run(lake, landed, tombstones, workers, None)
    for outcome in again.outcomes:
        if outcome.status == "rejected":
            raise LakeError(
                f"{outcome.staged.path}: the landed file is broken ({outcome.reason}), and a delivery in it counts again; "
                "nothing was loaded, put the file back from a backup"
            )
    return again


def _run(
    lake: Lake, incoming: list[Incoming], tombstones: Tombstones | None, workers: int, progress: Progress | None
) -> Ingested:
    """Spread the files over workers, in this process if there is little to do."""
    sized = [(item, _size(item)) for item in incoming]
    done = Ingested()
    if workers == 1 or len(incoming) == 1 or sum(size for _, size in sized) < _ALONE_BYTES:
        for item in incoming:
            _gather(done, ingest(lake.uri, [item], tombstones), progress)
        return done
    try:
        _spread(partial(ingest, lake.uri, tombstones=tombstones), deque(_units(sized)), workers - 1, done, progress)
    except BrokenProcessPool as error:
        raise LakeError(
            f"{lake.uri}: a process that took part in the load has died, most likely for want of memory; "
            "all finished loads are as they were: leave it more memory and run the command again"
        ) from error
    return done


def _spread(
    work: Callable[[list[Incoming]], Ingested],
    units: deque[list[Incoming]],
    helpers: int,
    done: Ingested,
    progress: Progress | None,
) -> None:
    """Let other processes work from the front, and this one, which has nothing to import any more, from the other end."""
    pending: set[Future[Ingested]] = set()
    with ProcessPoolExecutor(helpers, mp_context=get_context("spawn"), initializer=_end_with_parent) as pool:
        try:
            while units or pending:
                while units and len(pending) < 2 * helpers:  # one at work, one to go on with
                    pending.add(pool.submit(work, units.popleft()))
                is_free = bool(units)
                if is_free:
                    _gather(done, work(units.pop()), progress)
                finished, pending = wait(pending, timeout=0 if is_free else None, return_when=FIRST_COMPLETED)
                for future in finished:
                    _gather(done, future.result(), progress)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _end_with_parent() -> None:
    """A helper whose load was killed would wait for work for ever."""

    def watch() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    Thread(target=watch, daemon=True).start()


def _units(sized: list[tuple[Incoming, int]]) -> list[list[Incoming]]:
    """Files of neighbouring hours together, so that few Parquet files hold a day."""
    units: list[list[Incoming]] = [[]]
    held = 0
    for item, size in sorted(sized, key=_in_time):
        if units[-1] and held + size > _UNIT_BYTES:
            units.append([])
            held = 0
        units[-1].append(item)
        held += size
    return units


def _in_time(sized: tuple[Incoming, int]) -> tuple[datetime, str]:
    item = sized[0]
    return scope_of(item.name)[0] or item.scope_start or datetime.min.replace(tzinfo=UTC), item.name


def _gather(done: Ingested, part: Ingested, progress: Progress | None) -> None:
    done.outcomes += part.outcomes
    for name, files in part.written.items():
        done.written[name] += files
    if progress:
        for outcome in part.outcomes:
            progress(outcome)


def _size(item: Incoming) -> int:
    if item.staged is not None:
        return item.staged.bytes
    if item.url is None:
        raise SettingsError(f"{item.name}: nowhere to read it from")
    files, path = files_at(item.url)
    return int(files.size(path) or 0)


def incoming_from(urls: Iterable[str]) -> list[Incoming]:
    """Files at hand as a load takes them."""
    return [Incoming(name=file_name(url), url=url) for url in urls]
