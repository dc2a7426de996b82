"""A load's files spread over an engine's workers: units in, their outcomes and Parquet files out."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import partial
from itertools import chain, islice

from pipeline.erasure.tombstones import Tombstones
from pipeline.lake.lake import Lake
from pipeline.lake.landing import drop
from pipeline.load.engines import PATIENCE_SECONDS, Engine, Submit, Work
from pipeline.load.worker import Ingested, ingest
from pipeline.source_files import Incoming, Outcome

Progress = Callable[[Outcome], None]

_UNIT_BYTES = 4 << 20  # of compressed source files that a worker takes at a time


def units_of(incoming: Iterable[Incoming]) -> Iterator[list[Incoming]]:
    """Neighbouring files together, so that few Parquet files hold a day."""
    unit: list[Incoming] = []
    held = 0
    for item in incoming:
        size = (item.staged.bytes if item.staged else item.bytes) or _UNIT_BYTES  # a URL may not tell
        if unit and held + size > _UNIT_BYTES:
            yield unit
            unit, held = [], 0
        unit.append(item)
        held += size
    if unit:
        yield unit


def spread(
    lake: Lake,
    units: Iterable[list[Incoming]],
    tombstones: Tombstones | None,
    *,
    engine: Engine,
    progress: Progress | None = None,
) -> Ingested:
    """Read units of files, as they come; in this process alone if it takes part and there is only one.

    Raises:
        LakeError: a worker died, or the engine can't be reached.
    """
    done = _Done(lake, partial(ingest, lake.uri, tombstones=tombstones), progress)
    coming = iter(units)
    first = list(islice(coming, 2))
    if not first or (engine.takes_part and (len(first) == 1 or not engine.most_pending)):
        for unit in chain(first, coming):
            done.take(done.work(unit))
    else:  # the second unit makes other processes worth their start
        with engine.started(done.work) as submit:
            _spread(submit, chain(first, coming), engine, done)
    return done.ingested


class _Done:
    """What has come back so far."""

    def __init__(self, lake: Lake, work: Work, progress: Progress | None) -> None:
        self.work = work
        self.ingested = Ingested()
        self._lake = lake
        self._progress = progress

    def take(self, part: Ingested) -> None:
        """Add what became of a unit; what it leaves staged is needed no more, since nobody has to read it again."""
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

    def take_finished(*, or_wait: bool) -> None:
        finished, _ = wait(pending, timeout=PATIENCE_SECONDS if or_wait else 0, return_when=FIRST_COMPLETED)
        pending.difference_update(finished)
        for future in finished:
            done.take(future.result())
        if or_wait and not finished:
            engine.require_workers()

    for unit in units:
        if engine.takes_part and len(pending) >= engine.most_pending:
            done.take(done.work(unit))
        else:
            pending.add(submit(unit))
        take_finished(or_wait=not engine.takes_part and len(pending) >= engine.most_pending)
    while pending:
        take_finished(or_wait=True)
