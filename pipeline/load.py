"""Source files -> workers -> one commit, with a report whose counts add up."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from multiprocessing import get_context

from filelock import FileLock, Timeout

from pipeline import schema
from pipeline.compact import RETENTION_HOURS, merge_as_it_goes, sweep
from pipeline.deliveries import Deliveries, Replaced
from pipeline.errors import LakeError, SettingsError
from pipeline.ingest import Incoming, Ingested, Outcome, ingest
from pipeline.lake import LEDGER, Change, Lake, Snapshot, until_undisturbed
from pipeline.landing import clear_staging, file_name, scope_of
from pipeline.ledger import Ledger
from pipeline.store import files_at, reaching
from pipeline.warehouse import publish

Progress = Callable[[Outcome], None]

_SOURCE_SUFFIXES = (".gz", ".zip", ".json", ".jsonl", ".ndjson")
_UNIT_BYTES = 4 << 20  # of compressed source files that a worker takes at a time
_ALONE_BYTES = 1 << 20  # less than that to load is not worth the start of other processes
_LOADS_A_SWEEP = 24


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
                names = [name for name in files.find(root) if _is_source(name.rpartition("/")[2])]
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

    On an object store nothing is held: there writers are kept apart when they commit.
    """
    if not lake.is_local:
        with reaching(lake.uri):
            yield
        return
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
    clear_staging(lake, {item.staged.path for item in incoming if item.staged})
    snapshot = None
    for wave in _waves(incoming):
        snapshot = _load_wave(lake, wave, done, workers=workers or os.cpu_count() or 1, progress=progress, now=now)
    snapshot = snapshot or lake.snapshot()
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
    ingested = _run(lake, [replace(item, known=ledger.known(item.name, item.account_id)) for item in wave], workers, progress)
    for outcome in ingested.outcomes:
        report.count(outcome)
    for attempt in until_undisturbed():
        with attempt:
            if attempt.retry_state.attempt_number > 1:
                snapshot = lake.snapshot()
                ledger = Ledger(lake, snapshot, [item.name for item in wave])
            superseded, snapshot = _commit(
                lake, snapshot, ledger, ingested, workers=workers, downloaded_at=downloaded_at, now=now
            )
    report.superseded += superseded
    return snapshot


def _commit(
    lake: Lake,
    snapshot: Snapshot,
    ledger: Ledger,
    ingested: Ingested,
    *,
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
        again = _run(lake, ledger.landed(withdrawn), workers, None)
        for name, files in again.written.items():
            changes[name].add += files
        replaced += [Replaced(name, None, whatever_account=True) for name in withdrawn]
    superseded = deliveries.settle(changes, replaced)
    merge_as_it_goes(lake, snapshot, changes)
    changes[LEDGER] = ledger.change()
    return superseded, lake.commit(changes, snapshot)


def _run(lake: Lake, incoming: list[Incoming], workers: int, progress: Progress | None) -> Ingested:
    """Spread the files over workers, in this process if there is little to do."""
    sized = [(item, _size(item)) for item in incoming]
    done = Ingested()
    if workers == 1 or len(incoming) == 1 or sum(size for _, size in sized) < _ALONE_BYTES:
        for item in incoming:
            _gather(done, ingest(lake.uri, [item]), progress)
        return done
    with ProcessPoolExecutor(workers - 1, mp_context=get_context("spawn")) as pool:
        pending = {pool.submit(ingest, lake.uri, unit): unit for unit in _units(sized)}
        try:
            while pending:
                taken = next((future for future in reversed(pending) if future.cancel()), None)
                if taken is not None:  # this process works too, from the other end: it has nothing to import any more
                    _gather(done, ingest(lake.uri, pending.pop(taken)), progress)
                finished, _ = wait(pending, timeout=None if taken is None else 0, return_when=FIRST_COMPLETED)
                for future in finished:
                    del pending[future]
                    _gather(done, future.result(), progress)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return done


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
