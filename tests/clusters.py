"""A Dask cluster on loopback: a scheduler and workers, each a process of its own."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from distributed import Client

ROOT = Path(__file__).parent.parent
_PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Workers:
    """A running cluster: its scheduler's address, and its workers by name."""

    address: str
    processes: dict[str, "subprocess.Popen[bytes]"]

    @property
    def engine(self) -> str:
        """The address as `--engine` takes it."""
        return self.address.replace("tcp://", "dask://")

    def kill_one_at_work(self) -> str:
        """Kill a worker that has something to do, as a machine dies that loses power; gives its name."""
        with Client(self.address) as client:
            at_work = [worker for worker, tasks in client.processing().items() if tasks]
            names = {address: worker["name"] for address, worker in client.scheduler_info(n_workers=-1)["workers"].items()}
        victim = str(names[at_work[0]])
        self.processes[victim].kill()
        return victim


@contextmanager
def running(folder: Path, environment: dict[str, str], *, workers: int = 3) -> Iterator[Workers]:
    """A cluster whose processes have this environment, one thread a worker, and no nanny to bring a dead one back."""
    file = folder / "scheduler.json"

    def started(part: str, *arguments: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", f"distributed.cli.dask_{part}", *arguments, "--no-dashboard"]
        with (folder / f"{part}.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=folder, env=environment | {"PYTHONPATH": str(ROOT)}, stdout=log, stderr=log)
        stack.callback(process.wait)
        stack.callback(process.kill)
        return process

    with ExitStack() as stack:
        started("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not file.exists():
            assert time.monotonic() < deadline, (folder / "scheduler.log").read_text()
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        options = ("--no-nanny", "--nthreads", "1", "--memory-limit", "0", "--host", "127.0.0.1")
        names = [f"worker-{number}" for number in range(workers)]
        processes = {name: started("worker", address, "--name", name, *options) for name in names}
        with Client(address) as client:
            client.wait_for_workers(workers, timeout=_PATIENCE_SECONDS)
        yield Workers(address, processes)
