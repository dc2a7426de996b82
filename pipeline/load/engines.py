"""Engines: spread source files over processes of this machine, or over the workers of a Dask cluster.

Either is an executor of `concurrent.futures`. A worker gets the names of files and writes Parquet files straight to the lake's
store; it gives back names and counts, so that no contents pass through the process that commits, except the downloads of a
sync.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from datetime import date
from functools import partial
from importlib import import_module
from importlib.metadata import version
from itertools import chain, islice
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from pipeline.errors import LakeError, PipelineError, SettingsError
from pipeline.lake.lake import Lake
from pipeline.lake.landing import drop
from pipeline.lake.snapshot import Snapshot
from pipeline.processes import helpers, kept_from_children
from pipeline.settings import export_store_settings
from pipeline.source_files import Incoming, Outcome

if TYPE_CHECKING:
    from pipeline.load.worker import Ingested

UNIT_BYTES: Final = 4 << 20  # of compressed source files that a worker takes at a time: their text, mostly, fits its buffer
_DAYS_A_UNIT: Final = 4  # at most, of downloads: smaller tasks cost more than they bring forward
_MOST_PENDING: Final = 1_000  # tasks a scheduler knows of at a time: enough for a cluster to grow, for loads of any size
PATIENCE_SECONDS: Final = 30
"""The wait for a scheduler, for a worker, or for a unit before the engine is asked whether it still has workers."""
_NO_HELPERS: Final = (OSError, ImportError)  # semaphores can't be made, or no process can be started
_WHAT_HOLDS: Final = "all finished loads are as they were"

Progress = Callable[[Outcome], None]
Work = Callable[[list[Incoming]], "Ingested"]
Submit = Callable[[list[Incoming]], Future["Ingested"]]


class Processes:
    """Processes of this machine, the calling one among them; by default as many as it has cores."""

    takes_part = True
    patience_seconds = PATIENCE_SECONDS

    def __init__(self, count: int | None = None, *, unit_bytes: int = UNIT_BYTES) -> None:
        self.unit_bytes = unit_bytes
        self.helpers = (count or os.cpu_count() or 1) - 1
        self.most_pending = 2 * self.helpers  # each has one unit at work, one to go on with
        self._begun = ExitStack()
        self._pool: ProcessPoolExecutor | None = None

    @contextmanager
    def begun(self, incoming: Sequence[Incoming]) -> Iterator[None]:
        """Start the helpers that these files need, if any: they import what it takes while this process does, too."""
        units = min(ceil(sum(item.bytes or 0 for item in incoming) / max(self.unit_bytes, 1)), len(incoming))
        with self._begun:  # ends helpers to which no load came
            if self.helpers and units > 1:
                busy = min(self.helpers, units - 1)
                with suppress(*_NO_HELPERS):
                    self._pool = self._begun.enter_context(helpers(self.helpers, busy=busy, module="pipeline.load.worker"))
            yield

    @contextmanager
    def started(self, work: Work) -> Iterator[Submit]:
        """Start the helpers, unless they have begun, and give a function that hands them a unit.

        Where none can start, as without a writable /dev/shm, the function does the unit itself.

        Raises:
            LakeError: one of them died during the block.
        """
        with self._begun.pop_all() as stack:
            pool, self._pool = self._pool, None
            with suppress(*_NO_HELPERS):
                pool = pool or stack.enter_context(helpers(self.helpers))
            try:
                yield partial(_submitted, pool, work) if pool else partial(_done_here, work)
            except BrokenProcessPool as error:
                raise LakeError(
                    f"a process that took part in the load has died, most likely because memory ran out; {_WHAT_HOLDS}: "
                    "leave it more memory and run the command again"
                ) from error

    def require_workers(self) -> None:
        """No check needed: a dead helper raises `BrokenProcessPool`."""


def _submitted(pool: ProcessPoolExecutor, work: Work, unit: list[Incoming]) -> "Future[Ingested]":
    with kept_from_children():
        return pool.submit(work, unit)


def _done_here(work: Work, unit: list[Incoming]) -> "Future[Ingested]":
    done: Future[Ingested] = Future()
    done.set_result(work(unit))
    return done


class Cluster:
    """The workers of a Dask cluster that runs already, with this package and the lake's settings in their environment.

    A unit whose worker is lost is given to another one by the scheduler.
    """

    takes_part = False
    most_pending = _MOST_PENDING

    def __init__(self, address: str, *, unit_bytes: int = UNIT_BYTES, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.address = address
        self.unit_bytes = unit_bytes
        self.patience_seconds = patience_seconds
        self._has_workers: Callable[[], bool] = lambda: False

    def begun(self, incoming: Sequence[Incoming]) -> AbstractContextManager[None]:  # noqa: ARG002  # as that of processes
        """Start nothing: the workers run already."""
        return nullcontext()

    @contextmanager
    def started(self, work: Work) -> Iterator[Submit]:
        """Connect to the scheduler, and give a function that hands a unit to a worker.

        Raises:
            SettingsError: the extra is not installed, or a worker can't run this package as it is here.
            LakeError: the scheduler can't be reached or was lost, it has no worker, or workers died on the same files.
        """
        try:
            distributed: Any = import_module("distributed")  # an extra
        except ImportError as error:
            raise SettingsError(f"{self.address}: it takes a library; pip install 'engagement-lakehouse[dask]'") from error
        with self._connected(distributed.Client) as client:
            executor = client.get_executor(pure=False)
            self._has_workers = lambda: bool(client.nthreads())
            try:
                yield lambda unit: executor.submit(as_here, _this_package(), work, unit)
            except BaseException as error:
                executor.shutdown(wait=False)
                if sentence := self._in_one_sentence(error, distributed.KilledWorker):
                    raise sentence from error
                raise

    @contextmanager
    def _connected(self, connect: Callable[..., Any]) -> Iterator[Any]:
        address = self.address.replace("dask+tls://", "tls://").replace("dask://", "tcp://")
        with ExitStack() as stack:
            try:
                client = stack.enter_context(connect(address, timeout=self.patience_seconds))
                client.wait_for_workers(1, timeout=self.patience_seconds)
            except OSError as error:
                raise self._lost() from error
            yield client

    def require_workers(self) -> None:
        """Check that there is a worker, since nothing has come back for `patience_seconds`.

        Raises:
            LakeError: there is no worker any more.
        """
        if not self._has_workers():
            raise self._lost()

    def _in_one_sentence(self, error: BaseException, killed: type[Exception]) -> PipelineError | None:
        """One sentence for an error of the cluster; None for others."""
        if isinstance(error, killed):
            return LakeError(
                f"{self.address}: several workers died one after the other on the same files, most likely because memory ran "
                f"out; {_WHAT_HOLDS}: leave them more memory and run the command again"
            )
        if isinstance(error, ImportError):
            return SettingsError(
                f"{self.address}: a worker can't run this package ({error}); install {_this_package()} and its extras there"
            )
        return self._lost() if isinstance(error, CancelledError) else None

    def _lost(self) -> LakeError:
        return LakeError(
            f"{self.address}: the scheduler can't be reached, was lost or has no worker; {_WHAT_HOLDS}: "
            "see to the cluster, or leave out --engine, and run the command again"
        )


Engine = Processes | Cluster


def engine_of(address: str | None) -> Engine:
    """The engine that `--engine` names; without it processes of this machine.

    Raises:
        SettingsError: it names none.
    """
    if address is None:
        return Processes()
    if not re.fullmatch(r"dask(\+tls)?://[^/@\s]+", address):
        raise SettingsError(f"--engine: expected an address such as dask://scheduler:8786, found {address!r}")
    return Cluster(address)


def as_here(expected: str, work: Work, unit: list[Incoming]) -> "Ingested":
    """Do a unit in a worker as the calling process would.

    Raises:
        SettingsError: the worker has another version of this package.
    """
    if _this_package() != expected:
        raise SettingsError(f"a worker has {_this_package()}, this process {expected}; install the same version on both sides")
    export_store_settings()
    os.umask(0o077)  # customers' words are for the owner of the files alone
    return work(unit)


def _this_package() -> str:
    return f"engagement-lakehouse {version('engagement-lakehouse')}"


def units_of(incoming: Iterable[Incoming], unit_bytes: int = UNIT_BYTES) -> Iterator[list[Incoming]]:
    """Group neighbouring files, so that few Parquet files hold a day.

    Downloads are waited for: a unit of them ends with a day, if that makes it worth a task, so that little is left to read
    after the last one.

    No unit has two files of one name: facts are computed from the rows of a unit, and know a delivery by its file's name.
    """
    unit: list[Incoming] = []
    names: set[str] = set()
    held = 0
    for item in incoming:
        size = (item.staged.bytes if item.staged else item.bytes) or unit_bytes  # a URL may have no size
        is_next_day = item.staged and held >= unit_bytes // _DAYS_A_UNIT and _day_of(item) != _day_of(unit[-1])
        if unit and (is_next_day or held + size > unit_bytes or item.name in names):
            yield unit
            unit, names, held = [], set(), 0
        unit.append(item)
        names.add(item.name)
        held += size
    if unit:
        yield unit


def _day_of(item: Incoming) -> date | None:
    return item.scope_start.date() if item.scope_start else None


def spread(
    lake: Lake,
    snapshot: Snapshot,
    units: Iterable[list[Incoming]],
    *,
    engine: Engine,
    progress: Progress | None = None,
) -> "Ingested":
    """Read units of files, as they come; in this process alone if it takes part and there is only one.

    Raises:
        LakeError: a worker died, or the engine can't be reached.
    """
    from pipeline.erasure.tombstones import read_tombstones
    from pipeline.load.worker import Ingested, ingest  # here, so that the helpers begin before it is imported
    from pipeline.warehouse.facts import fact_maker

    tombstones = read_tombstones(lake, snapshot)
    done = _Done(lake, partial(ingest, lake.uri, tombstones=tombstones), progress, Ingested(tombstones=tombstones))
    coming = iter(units)
    first = list(islice(coming, 2))
    if not first or (engine.takes_part and (len(first) == 1 or not engine.most_pending)):
        for unit in chain(first, coming):
            done.add(done.work(unit))
    else:  # the second unit makes other processes worth their start
        with engine.started(done.work) as submit:
            _spread(submit, chain(first, coming), engine, done)
    fact_maker.cache_clear()  # its memory is for the merges now
    return done.ingested


class _Done:
    """The units that are done so far."""

    def __init__(self, lake: Lake, work: Work, progress: Progress | None, ingested: "Ingested") -> None:
        self.work = work
        self.ingested = ingested
        self._lake = lake
        self._progress = progress

    def add(self, part: "Ingested") -> None:
        """Add the outcome of a unit, and delete its staged files, which no worker has to read again."""
        drop(self._lake, [outcome.staged for outcome in part.outcomes])
        self.ingested.outcomes += part.outcomes
        for name, files in part.written.items():
            self.ingested.written[name] += files
        if self._progress:
            for outcome in part.outcomes:
                self._progress(outcome)


def _spread(submit: Submit, units: Iterable[list[Incoming]], engine: Engine, done: _Done) -> None:
    """Keep the workers busy; this process, if it takes part, works too when they have enough to go on with."""
    pending: set[Future[Ingested]] = set()

    def add_finished(*, or_wait: bool) -> None:
        finished, _ = wait(pending, timeout=engine.patience_seconds if or_wait else 0, return_when=FIRST_COMPLETED)
        pending.difference_update(finished)
        for future in finished:
            done.add(future.result())
        if or_wait and not finished:
            engine.require_workers()

    for unit in units:
        add_finished(or_wait=False)  # units may come slowly: a worker that is done is free for this one
        if engine.takes_part and len(pending) >= engine.most_pending:
            done.add(done.work(unit))
        else:
            pending.add(submit(unit))
        if not engine.takes_part and len(pending) >= engine.most_pending:
            add_finished(or_wait=True)
    while pending:
        add_finished(or_wait=True)
