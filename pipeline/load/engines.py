"""Where source files are read: in processes of this machine, or by the workers of a Dask cluster.

Either is an executor of `concurrent.futures`. A worker gets the names of files and writes Parquet files straight to the lake's
store; what comes back are names and counts, so that nothing of a file passes through the process that commits, except what
a sync downloads.
"""

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import import_module
from importlib.metadata import version
from multiprocessing import get_context
from typing import Any, Final

from pipeline.errors import LakeError, PipelineError, SettingsError
from pipeline.load.worker import Ingested
from pipeline.processes import Stopped, end_children, end_with_parent, kept_from_children
from pipeline.settings import export_store_settings
from pipeline.source_files import Incoming

_MOST_PENDING: Final = 1_000  # tasks a scheduler knows of at a time: enough to grow a cluster on, whatever the load's size
PATIENCE_SECONDS: Final = 30
"""How long to wait for a scheduler, for a worker, or for a unit before the cluster is looked at."""
_WHAT_HOLDS: Final = "all finished loads are as they were"

Work = Callable[[list[Incoming]], Ingested]
Submit = Callable[[list[Incoming]], Future[Ingested]]


class Processes:
    """Processes of this machine, as many as it has cores unless told otherwise, the one that asks among them."""

    takes_part = True

    def __init__(self, count: int | None = None) -> None:
        self.helpers = (count or os.cpu_count() or 1) - 1
        self.most_pending = 2 * self.helpers  # each has one unit at work, one to go on with

    @contextmanager
    def started(self, work: Work) -> Iterator[Submit]:
        """Start the helpers, and give a function that hands them a unit.

        Raises:
            LakeError: one of them died during the block.
        """
        with ProcessPoolExecutor(self.helpers, mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
            try:
                yield partial(_submitted, pool, work)
            except BrokenProcessPool as error:
                raise LakeError(
                    f"a process that took part in the load has died, most likely for want of memory; {_WHAT_HOLDS}: "
                    "leave it more memory and run the command again"
                ) from error
            except Stopped:
                end_children()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def require_workers(self) -> None:
        """A helper that dies says so by itself."""


def _submitted(pool: ProcessPoolExecutor, work: Work, unit: list[Incoming]) -> Future[Ingested]:
    with kept_from_children():
        return pool.submit(work, unit)


class Cluster:
    """The workers of a Dask cluster that runs already, with this package and the lake's settings in their environment.

    A unit whose worker is lost is given to another one by the scheduler.
    """

    takes_part = False
    most_pending = _MOST_PENDING

    def __init__(self, address: str) -> None:
        self.address = address
        self._has_workers: Callable[[], bool] = lambda: False

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
                client = stack.enter_context(connect(address, timeout=PATIENCE_SECONDS))
                client.wait_for_workers(1, timeout=PATIENCE_SECONDS)
            except OSError as error:
                raise self._lost() from error
            yield client

    def require_workers(self) -> None:
        """Nothing has come back for `PATIENCE_SECONDS`: see whether anything can.

        Raises:
            LakeError: there is no worker any more.
        """
        if not self._has_workers():
            raise self._lost()

    def _in_one_sentence(self, error: BaseException, killed: type[Exception]) -> PipelineError | None:
        """What became of the units, if the cluster is why."""
        if isinstance(error, killed):
            return LakeError(
                f"{self.address}: several workers died one after the other on the same files, most likely for want of memory; "
                f"{_WHAT_HOLDS}: leave them more memory and run the command again"
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
    """What `--engine` names; without it processes of this machine.

    Raises:
        SettingsError: it names none.
    """
    if address is None:
        return Processes()
    if not re.fullmatch(r"dask(\+tls)?://[^/@\s]+", address):
        raise SettingsError(f"--engine: expected an address such as dask://scheduler:8786, found {address!r}")
    return Cluster(address)


def as_here(expected: str, work: Work, unit: list[Incoming]) -> Ingested:
    """Do a worker's share just as the process that asks would.

    Raises:
        SettingsError: the worker has another version of this package.
    """
    if _this_package() != expected:
        raise SettingsError(f"a worker has {_this_package()}, this process {expected}; install the same version on both sides")
    export_store_settings()
    os.umask(0o077)  # what customers wrote is for its owner's eyes only
    return work(unit)


def _this_package() -> str:
    return f"engagement-lakehouse {version('engagement-lakehouse')}"
