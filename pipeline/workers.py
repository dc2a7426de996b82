"""A load's files spread over worker processes: units in, their outcomes and Parquet files out."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import chain, islice
from multiprocessing import get_context

from pipeline.errors import LakeError, SettingsError
from pipeline.ingest import Incoming, Ingested, Outcome, end_with_parent, ingest
from pipeline.lake import Lake
from pipeline.store import files_at
from pipeline.tombstones import Tombstones

Progress = Callable[[Outcome], None]

_UNIT_BYTES = 4 << 20  # of compressed source files that a worker takes at a time


def units_of(incoming: Iterable[Incoming]) -> Iterator[list[Incoming]]:
    """Neighbouring files together, so that few Parquet files hold a day."""
    unit: list[Incoming] = []
    held = 0
    for item in incoming:
        size = _size(item)
        if unit and held + size > _UNIT_BYTES:
            yield unit
            unit, held = [], 0
        unit.append(item)
        held += size
    if unit:
        yield unit


def _size(item: Incoming) -> int:
    if item.staged is not None:
        return item.staged.bytes
    if item.url is None:
        raise SettingsError(f"{item.name}: nowhere to read it from")
    files, path = files_at(item.url)
    return int(files.size(path) or 0)


def spread(
    lake: Lake,
    units: Iterable[list[Incoming]],
    tombstones: Tombstones | None,
    *,
    workers: int,
    progress: Progress | None = None,
) -> Ingested:
    """Read units of files, as they come; in this process alone if there is only one.

    Raises:
        LakeError: a worker died.
    """
    work = partial(ingest, lake.uri, tombstones=tombstones)
    done = Ingested()
    coming = iter(units)
    first = list(islice(coming, 2))
    if workers == 1 or len(first) < 2:  # noqa: PLR2004  # the second makes other processes worth their start
        for unit in chain(first, coming):
            _gather(done, work(unit), progress)
        return done
    try:
        _spread(work, chain(first, coming), workers - 1, done, progress)
    except BrokenProcessPool as error:
        raise LakeError(
            f"{lake.uri}: a process that took part in the load has died, most likely for want of memory; "
            "all finished loads are as they were: leave it more memory and run the command again"
        ) from error
    return done


def _spread(
    work: Callable[[list[Incoming]], Ingested],
    units: Iterable[list[Incoming]],
    helpers: int,
    done: Ingested,
    progress: Progress | None,
) -> None:
    """Let other processes work, and this one too, which has nothing to import any more, when they have enough to go on with."""
    pending: set[Future[Ingested]] = set()
    with ProcessPoolExecutor(helpers, mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
        try:
            for unit in units:
                if len(pending) < 2 * helpers:  # one at work, one to go on with
                    pending.add(pool.submit(work, unit))
                else:
                    _gather(done, work(unit), progress)
                pending = _gathered(done, pending, progress, timeout=0)
            while pending:
                pending = _gathered(done, pending, progress, timeout=None)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _gathered(
    done: Ingested, pending: set[Future[Ingested]], progress: Progress | None, *, timeout: float | None
) -> set[Future[Ingested]]:
    """Take in what is finished; gives what is still pending."""
    finished, unfinished = wait(pending, timeout=timeout, return_when=FIRST_COMPLETED)
    for future in finished:
        _gather(done, future.result(), progress)
    return unfinished


def _gather(done: Ingested, part: Ingested, progress: Progress | None) -> None:
    done.outcomes += part.outcomes
    for name, files in part.written.items():
        done.written[name] += files
    if progress:
        for outcome in part.outcomes:
            progress(outcome)
