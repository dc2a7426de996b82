"""Where source files are read: in processes of this machine, or by the workers of a Dask cluster.

Either is an executor of `concurrent.futures`. A worker gets the names of files and writes Parquet files straight to the lake's
store; what comes back are names and counts, so that nothing of a file's size passes through the process that commits.
"""

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from importlib.metadata import version
from multiprocessing import get_context
from typing import Final

from pipeline.errors import LakeError, SettingsError
from pipeline.ingest import Incoming, Ingested, end_with_parent

_MOST_PENDING: Final = 1_000  # tasks a scheduler knows of at a time: enough to grow a cluster on, whatever the load's size
_PATIENCE_SECONDS: Final = 30
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
        try:
            with ProcessPoolExecutor(self.helpers, mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
                try:
                    yield lambda unit: pool.submit(work, unit)
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise
        except BrokenProcessPool as error:
            raise LakeError(
                f"a process that took part in the load has died, most likely for want of memory; {_WHAT_HOLDS}: "
                "leave it more memory and run the command again"
            ) from error


class Cluster:
    """The workers of a Dask cluster that runs already, with this package and the lake's settings in their environment.

    A unit whose worker is lost is given to another one by the scheduler.
    """

    takes_part = False
    most_pending = _MOST_PENDING

    def __init__(self, address: str) -> None:
        self.address = address

    @contextmanager
    def started(self, work: Work) -> Iterator[Submit]:
        """Connect to the scheduler, and give a function that hands a unit to a worker.

        Raises:
            SettingsError: the extra is not installed, or a worker can't run this package as it is here.
            LakeError: the scheduler can't be reached or was lost, it has no worker, or workers died on the same files.
        """
        try:
            from distributed import Client  # noqa: PLC0415  # an extra
        except ImportError as error:
            raise SettingsError(f"{self.address}: it takes a library; pip install 'engagement-lakehouse[dask]'") from error
        with self._in_one_sentence(), Client(_for_dask(self.address), timeout=_PATIENCE_SECONDS) as client:
            client.wait_for_workers(1, timeout=_PATIENCE_SECONDS)
            executor = client.get_executor(pure=False)
            try:
                yield lambda unit: executor.submit(as_here, _this_package(), work, unit)
            except BaseException:
                executor.shutdown(wait=False)
                raise

    @contextmanager
    def _in_one_sentence(self) -> Iterator[None]:
        from distributed import KilledWorker  # noqa: PLC0415
        from distributed.comm.core import CommClosedError  # noqa: PLC0415

        try:
            yield
        except KilledWorker as error:
            raise LakeError(
                f"{self.address}: several workers died one after the other on the same files, most likely for want of memory; "
                f"{_WHAT_HOLDS}: leave them more memory and run the command again"
            ) from error
        except ImportError as error:
            raise SettingsError(
                f"{self.address}: a worker can't run this package ({error}); install {_this_package()} and its extras there"
            ) from error
        except (CommClosedError, CancelledError, TimeoutError, ConnectionError) as error:
            raise LakeError(
                f"{self.address}: the scheduler can't be reached, was lost or has no worker; {_WHAT_HOLDS}: "
                "see to the cluster, or leave out --engine, and run the command again"
            ) from error


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


def _for_dask(address: str) -> str:
    """The address as Dask writes it; certificates are its own settings."""
    return address.replace("dask+tls://", "tls://").replace("dask://", "tcp://")


def as_here(expected: str, work: Work, unit: list[Incoming]) -> Ingested:
    """Do a worker's share just as the process that asks would.

    Raises:
        SettingsError: the worker has another version of this package.
    """
    if _this_package() != expected:
        raise SettingsError(f"a worker has {_this_package()}, this process {expected}; install the same version on both sides")
    os.umask(0o077)  # what customers wrote is for its owner's eyes only
    return work(unit)


def _this_package() -> str:
    return f"engagement-lakehouse {version('engagement-lakehouse')}"
