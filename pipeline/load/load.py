"""Source files -> workers -> one commit, with a report whose counts add up."""

import errno
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import duckdb
from filelock import FileLock, Timeout

from pipeline import schema
from pipeline.erasure.erase import finish_purges
from pipeline.erasure.marks import mark
from pipeline.erasure.tombstones import Tombstones, bury, read_tombstones
from pipeline.errors import LakeError, SettingsError
from pipeline.failures import of_a_file
from pipeline.lake.checkpoints import drop_damaged, has_torn
from pipeline.lake.deliveries import Deliveries
from pipeline.lake.lake import Lake, until_undisturbed
from pipeline.lake.landing import clear_staging, landed_path
from pipeline.lake.ledger import Ledger
from pipeline.lake.merge import merge_as_it_goes
from pipeline.lake.snapshot import LEDGER, Change, Snapshot
from pipeline.lake.spill import clear_dead
from pipeline.lake.store import (
    exists,
    files_at,
    found_below,
    innermost,
    is_local,
    is_special,
    modified,
    reaching,
    require_inside,
    require_plain,
    url_of,
)
from pipeline.lake.vacuum import RETENTION_HOURS, sweep
from pipeline.load.engines import Engine, Processes
from pipeline.load.worker import Ingested
from pipeline.load.workers import Progress, spread, units_of
from pipeline.processes import Stopped
from pipeline.source_files import Incoming, Outcome, Replaced, file_name, scope_of
from pipeline.text import counted, shortened
from pipeline.warehouse.database import prepare, publish, settings_in_force

Also = Callable[[Snapshot], dict[str, Change]]
"""What a commit is to hold besides the rows of files, worked out from what the lake has by then."""

_SOURCE_SUFFIXES = (".gz", ".zip", ".json", ".jsonl", ".ndjson")
_OF_A_LAKE = re.compile(r"/(_delta_log|landing/(\.incoming|schema))/|\.parquet$")
_LEDGER_OF_A_LAKE = f"/{LEDGER}/_delta_log/"
_SHOWN_CHARACTERS = 300  # of a path
_LOADS_A_SWEEP = 24
_REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "give this user the right to it"),
    **dict.fromkeys((errno.ENOTDIR, errno.EEXIST), "take the file away that is in the place of a folder"),
    errno.EISDIR: "take this folder away, which is in the place of a file,",
}


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
    encrypted: int = 0
    superseded: int = 0
    unknown_fields: set[str] = field(default_factory=set)
    schema_versions: set[str] = field(default_factory=set)
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
            self.encrypted += outcome.counts.encrypted
            self.unknown_fields |= outcome.counts.unknown_fields
            self.schema_versions |= outcome.counts.schema_versions
            self.erased |= outcome.erased


def find_files(
    paths: Iterable[str], say: Callable[[str], None] = lambda _: None, unreadable: list[str] | None = None
) -> dict[str, int]:
    """The source files that paths, folders, globs and URLs name, in the order given, each with its size in bytes.

    Of a folder, whatever depth, those count whose name ends as a source file's does, or begins with `Engagement.`; they come in
    the order in which they were written, so that of two contents under one name, as a landing zone may hold, the newer stands.
    A folder that a glob matches counts as if it were named. Neither takes what belongs to the tables of a lake. Of other files
    that a folder has, hidden ones aside, one line says how many they are.

    A file of a folder that can't be read, or a link that leads to nothing, is told and added to `unreadable`.

    Raises:
        SettingsError: a path is empty.
        LakeError: it leads to nothing.
    """
    found: dict[str, int] = {}
    passed: dict[str, str] = {}
    for path in paths:
        if not path:  # as of a variable in a script that is not set: fsspec takes it for the working folder
            raise SettingsError("expected a path, found an empty one; nothing was loaded")
        files, root = files_at(path)
        others: list[str] = []
        with reaching(path):
            require_plain(files, root, path)
            entries = _entries_at(files, root, others)
            if special := [name for name in entries if is_special(files, name)]:
                entries = {name: info for name, info in entries.items() if name not in special}
                shown = shortened(special[0], _SHOWN_CHARACTERS)
                oddities = counted(len(special), "pipe, device or socket", "pipes, devices or sockets")
                say(f"{oddities} passed over, such as {shown}")
        for name in _unreadable(files, root, entries):
            del entries[name]
            say(f"{shortened(name, _SHOWN_CHARACTERS)}: it can't be read: mend its rights or its link and load it again")
            if unreadable is not None:
                unreadable.append(name)
        if not entries:
            expected = (
                f"a file, a folder with files that end with {', '.join(_SOURCE_SUFFIXES)}, or a pattern that matches some"
            )
            raise LakeError(f"{path}: there is no source file; expected {expected}; nothing was loaded")
        for name, info in entries.items():
            found.setdefault(url_of(files, name, path), info["size"] or 0)
        passed |= {url_of(files, name, path): name for name in others}
    if left := [name for url, name in passed.items() if url not in found]:
        example, suffixes = shortened(left[0], _SHOWN_CHARACTERS), ", ".join(_SOURCE_SUFFIXES)
        say(
            f"{counted(len(left), 'file')} passed over, such as {example}: of folders those are taken that end with {suffixes} "
            "or begin with Engagement.; name others themselves, or by a pattern"
        )
    return found


def _unreadable(files: Any, root: str, entries: Iterable[str]) -> list[str]:
    """Of the local files that a path leads to those that can't be opened, unless it names the file itself."""
    return [name for name in entries if name != root and is_local(files) and not os.access(name, os.R_OK)]


def _entries_at(files: Any, root: str, others: list[str]) -> dict[str, dict[str, Any]]:
    """What a path or pattern leads to; what is no source file of its folders is added to `others`."""
    if not any(sign in root for sign in "*?[") or files.exists(root):
        if files.isdir(root):
            return _sources_below(files, root, others)
        return {root: files.info(root)} if files.exists(root) else {}
    entries: dict[str, dict[str, Any]] = {}
    for name, info in sorted(files.glob(root, detail=True).items()):
        if files.isdir(name):
            entries |= _sources_below(files, name, others)
        elif not _OF_A_LAKE.search(name):
            entries[name] = info
    return entries


def _sources_below(files: Any, folder: str, others: list[str]) -> dict[str, dict[str, Any]]:
    below = found_below(files, folder, follow_links=True)
    sources = {path: info for path, info in below.items() if _is_source(path)}
    lakes = {path.partition(_LEDGER_OF_A_LAKE)[0] for path in below if _LEDGER_OF_A_LAKE in path}
    for path in below:
        is_hidden = "/." in f"/{path.removeprefix(folder).lstrip('/')}"
        if path not in sources and not is_hidden and not _OF_A_LAKE.search(path) and path.rpartition("/")[0] not in lakes:
            others.append(path)
    return dict(sorted(sources.items(), key=lambda entry: _written(entry[1])))


def _written(info: dict[str, Any]) -> datetime:
    return modified(info) or datetime.min.replace(tzinfo=UTC)


def _is_source(path: str) -> bool:
    name = path.rpartition("/")[2]
    return (name.lower().endswith(_SOURCE_SUFFIXES) or name.startswith("Engagement.")) and not _OF_A_LAKE.search(path)


@contextmanager
def writing(lake: Lake, on_wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lake for writing; a second writer waits for the first, readers never do.

    What a run that died left half done is deleted first, so that it takes no room from what comes, nor keeps what is erased.
    On an object store nothing is held: there writers are kept apart when they commit.

    Raises:
        LakeError: the block, or the lock, met a disk that is full, read-only or broken, or a lack of rights or memory.
    """
    lock = _locked(lake, on_wait) if lake.is_local else nullcontext()
    with _for_its_owner(), _in_one_sentence(lake), reaching(lake.uri), lock:
        clear_staging(lake)
        clear_dead(lake)
        if lake.is_local and has_torn(lake):
            drop_damaged(lake)
        settings_in_force(lake, on_wait)  # says what is wrong with the file; no data waits for it
        finish_purges(lake)
        try:
            yield
        except Stopped:  # helpers ended in the middle of their files
            clear_staging(lake)
            raise


@contextmanager
def _for_its_owner() -> Iterator[None]:
    """Make what the block makes for this user alone, in the processes that it starts, too: customers wrote it."""
    former = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(former)


@contextmanager
def _locked(lake: Lake, on_wait: Callable[[str], None] | None) -> Iterator[None]:
    lake.files.makedirs(lake.root, exist_ok=True)
    require_inside(str(lake.lock_path), lake.root)  # to lock a file is to open it for writing
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


_OF_THE_SYSTEM = (OSError, duckdb.IOException, duckdb.TransactionException, duckdb.OutOfMemoryException, MemoryError)


@contextmanager
def _in_one_sentence(lake: Lake) -> Iterator[None]:
    """Say of what the system refuses where it did, what now holds and what to do."""
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
        remedy = _REMEDIES.get(getattr(error, "errno", None) or 0, "see to it")
        raise LakeError(
            f"{where}: {reason}; all finished loads are as they were: {remedy} and run the command again"
        ) from error


def load(
    lake: Lake,
    incoming: Iterable[Incoming],
    *,
    engine: Engine | None = None,
    report: Report | None = None,
    progress: Progress | None = None,
    also: Also = lambda _: {},
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Report:
    """Load source files, as they come; the caller holds `writing`.

    Files of one name count in the order given, the last one stands; all others become visible together. What was done is
    added to `report`, which is returned. `also` says, once all are read, what else is to become visible with them.
    """
    lake.create()
    done = Report() if report is None else report
    load_wave = partial(_load_wave, lake, done, engine=engine or Processes(), progress=progress, also=also, now=now)
    *former, snapshot = map(load_wave, _waves(incoming))
    purged = finish_purges(lake, now=now) if done.erased else None
    if purged is None:
        publish(lake, snapshot)
    if any(one.versions[LEDGER] % _LOADS_A_SWEEP == 0 for one in (*former, snapshot, purged or snapshot)):
        sweep(lake, purged or snapshot, retention_hours=RETENTION_HOURS)
    return done


def _waves(incoming: Iterable[Incoming]) -> Iterator[Iterable[Incoming]]:
    """Split so that no wave has a name twice; each is to be used up before the next one is asked for."""

    def once() -> Iterator[Incoming]:
        names: set[str] = set()
        for item in coming:
            if item.name in names:
                again.append(item)
            else:
                names.add(item.name)
                yield item

    coming: Iterable[Incoming] = incoming
    while True:
        again: list[Incoming] = []
        yield once()
        if not again:
            return
        coming = again


def _load_wave(
    lake: Lake,
    report: Report,
    wave: Iterable[Incoming],
    *,
    engine: Engine,
    progress: Progress | None,
    also: Also,
    now: Callable[[], datetime],
) -> Snapshot:
    """Read the files of a wave, and commit their rows; gives what the lake then has."""
    snapshot = lake.snapshot()
    ledger = Ledger(lake, snapshot)
    downloaded_at = now()
    tombstones = read_tombstones(lake, snapshot)
    units = _unless_known(units_of(wave), ledger)
    ingested = spread(lake, units, tombstones, engine=engine, progress=progress)
    prepare(lake)
    for outcome in ingested.outcomes:
        report.count(outcome)
    for attempt in until_undisturbed():
        with attempt:
            if attempt.retry_state.attempt_number > 1:
                snapshot = lake.snapshot()
                ledger = Ledger(lake, snapshot, [outcome.name for outcome in ingested.outcomes])
                _require_undisturbed(lake, ingested, ledger, is_same=read_tombstones(lake, snapshot) == tombstones)
            superseded, snapshot = _commit(
                lake,
                snapshot,
                ledger,
                ingested,
                report,
                tombstones=tombstones,
                engine=engine,
                also=also,
                downloaded_at=downloaded_at,
                now=now,
            )
    report.superseded += superseded
    return snapshot


def _require_undisturbed(lake: Lake, ingested: Ingested, ledger: Ledger, *, is_same: bool) -> None:
    """Give up what an erasure has overtaken: it has searched without these files, or deleted what was written of them.

    What it has yet to delete, by the names that it has found before it committed, is called otherwise from now on.
    """
    if is_same:
        with suppress(FileNotFoundError):
            for name, files in ingested.written.items():
                ingested.written[name] = lake.each(partial(lake.renamed, name), files)
            return
    for outcome in ingested.outcomes:
        path = landed_path(lake, outcome.name, outcome.staged.sha256)
        is_known = outcome.staged.sha256 in ledger.known(outcome.name, outcome.account_id)
        if outcome.status == "loaded" and not is_known and exists(lake.files, path):
            lake.files.rm_file(lake.inside(path))
    raise LakeError(f"{lake.uri}: somebody was erased while files were read; none of these was loaded, run it again")


def _unless_known(units: Iterable[list[Incoming]], ledger: Ledger) -> Iterator[list[Incoming]]:
    """Tell of each file which contents of it are loaded already."""
    for unit in units:
        ledger.ask([item.name for item in unit])
        yield [replace(item, known=ledger.known(item.name, item.account_id)) for item in unit]


def _commit(
    lake: Lake,
    snapshot: Snapshot,
    ledger: Ledger,
    ingested: Ingested,
    report: Report,
    *,
    tombstones: Tombstones | None,
    engine: Engine,
    also: Also,
    downloaded_at: datetime,
    now: Callable[[], datetime],
) -> tuple[int, Snapshot]:
    """Work out what the files change in all tables, and commit it; says how many deliveries were superseded."""
    fresh = [outcome for outcome in ingested.outcomes if outcome.status != "unchanged"]
    replaced = [item for outcome in fresh if (item := ledger.enter(outcome, downloaded_at, now())) is not None]
    more = also(snapshot)
    if not ledger.added:
        return 0, lake.commit(more, snapshot) if more else snapshot
    changes = {name: Change(add=list(ingested.written[name])) for name in schema.STORED if name != LEDGER} | more
    deliveries = Deliveries(lake, snapshot, ledger.scopes)
    withdrawn = deliveries.withdrawn_files(changes["conversations"].add, replaced)
    if withdrawn:
        again = _run_again(lake, ledger.landed(withdrawn), tombstones, engine)
        ledger.recount(again.outcomes)
        for name, files in again.written.items():
            changes[name].add += files
        replaced += [Replaced(name) for name in withdrawn]
    superseded = deliveries.settle(changes, replaced)
    changes[LEDGER] = ledger.change()
    if tombstones:  # an erased person's conversation that was not known by now: no other file may bring it either
        if report.erased:
            mark(lake, report.erased)
        changes[schema.ERASURES.name].add += bury(
            lake, tombstones, (("conversation", ident) for ident in report.erased), now()
        ).add
    merge_as_it_goes(lake, snapshot, changes)
    landed = [landed_path(lake, outcome.name, outcome.staged.sha256) for outcome in fresh if outcome.status == "loaded"]
    return superseded, lake.commit(changes, snapshot, landed=landed)


def _run_again(lake: Lake, landed: list[Incoming], tombstones: Tombstones | None, engine: Engine) -> Ingested:
    """Read landed files once more.

    Raises:
        LakeError: one of them is broken by now; its rows are not to be given up for that.
    """
    again = spread(lake, units_of(landed), tombstones, engine=engine)
    for outcome in again.outcomes:
        if outcome.status == "rejected":
            raise LakeError(
                f"{outcome.staged.path}: the landed file is broken ({outcome.reason}), and a delivery in it counts again; "
                "nothing was loaded, put the file back from a backup"
            )
    return again


def incoming_from(files: Mapping[str, int]) -> list[Incoming]:
    """Files at hand, as `find_files` gives them, as a load takes them: in time order, those of one name in the order given."""
    incoming = (Incoming(name=file_name(innermost(url)), url=url, bytes=size) for url, size in files.items())
    return sorted(incoming, key=_in_time)


def _in_time(item: Incoming) -> tuple[datetime, str]:
    return scope_of(item.name)[0] or datetime.min.replace(tzinfo=UTC), item.name
