"""A Dask cluster on loopback: a scheduler and workers, each a process of its own."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from distributed import Client
from places import ROOT

_PATIENCE_SECONDS = 60


class Place(Protocol):
    """Where a worker runs: its address, and what goes before its command."""

    @property
    def address(self) -> str:
        """Where others reach it."""

    @property
    def prefix(self) -> tuple[str, ...]:
        """The command that starts another one there."""


@dataclass(frozen=True)
class _Here:
    address: str = "127.0.0.1"
    prefix: tuple[str, ...] = ()


LOOPBACK: Final = _Here()


@dataclass(frozen=True)
class Workers:
    """A running cluster: its scheduler's address, and its workers by name."""

    address: str
    processes: dict[str, "subprocess.Popen[bytes]"]

    @property
    def engine(self) -> str:
        """The address as `--engine` takes it."""
        return self.address.replace("tcp://", "dask://")

    def one_at_work(self) -> str:
        """The name of a worker that has something to do."""
        with Client(self.address) as client:
            at_work = [worker for worker, tasks in client.processing().items() if tasks]
            names = {address: worker["name"] for address, worker in client.scheduler_info(n_workers=-1)["workers"].items()}
        return str(names[at_work[0]])


@contextmanager
def running(
    folder: Path, environment: dict[str, str], *, host: str = "127.0.0.1", places: Sequence[Place] = 3 * (LOOPBACK,)
) -> Iterator[Workers]:
    """A cluster with a worker in each place, of one thread, with this environment, and no nanny to bring a dead one back."""
    file = folder / "scheduler.json"

    def started(part: str, *arguments: str, prefix: tuple[str, ...] = ()) -> "subprocess.Popen[bytes]":
        command = [*prefix, sys.executable, "-m", f"distributed.cli.dask_{part}", *arguments, "--no-dashboard"]
        with (folder / f"{part}.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=folder, env=environment | {"PYTHONPATH": str(ROOT)}, stdout=log, stderr=log)
        stack.callback(process.wait)
        stack.callback(process.kill)
        return process

    with ExitStack() as stack:
        started("scheduler", "--host", host, "--port", "0", "--scheduler-file", str(file))
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not file.exists():
            assert time.monotonic() < deadline, (folder / "scheduler.log").read_text()
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        options = ("--no-nanny", "--nthreads", "1", "--memory-limit", "0")
        processes = {
            f"worker-{number}": started(
                "worker", address, "--name", f"worker-{number}", "--host", place.address, *options, prefix=place.prefix
            )
            for number, place in enumerate(places)
        }
        with Client(address) as client:
            client.wait_for_workers(len(places), timeout=_PATIENCE_SECONDS)
        yield Workers(address, processes)
