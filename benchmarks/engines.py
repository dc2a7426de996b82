"""Compare the engines of a load: `python benchmarks/engines.py`.

Processes of this machine and a running Dask cluster on loopback, with one worker and with two, load the same files
in turn; ratios compare within a round. Then it counts the driver's bytes on the wire for each
source file, for files of two sizes. It prints Markdown tables, and needs the extra dask.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from made_files import DEFAULT_FOLDER, FileSet, clean_set, small_set
from measure import MB, fresh_output, machine

from pipeline.lake.lake import Lake
from pipeline.load.engines import Cluster, Engine, Processes
from pipeline.load.find import find_files, incoming_from
from pipeline.load.load import load
from pipeline.load.session import writing

_PAIRS = (("processes, 1", "Dask, 1 worker"), ("processes, 2", "Dask, 2 workers"))
_MOST = 1.1


def main() -> None:
    """Run the benchmark of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each engine loads the files (default 5)")
    parser.add_argument("--data", type=Path, default=DEFAULT_FOLDER, help="where the files are kept (default %(default)s)")
    options = parser.parse_args()
    files = clean_set(options.data)
    files.warm()
    with cluster(1) as one, cluster(2) as two:
        engines: dict[str, Processes | Cluster] = {
            "processes, 1": Processes(1),
            "Dask, 1 worker": one,
            "processes, 2": Processes(2),
            "Dask, 2 workers": two,
        }
        seconds = _rounds(engines, files, options.rounds)
        _print_report(files, seconds)
        _print_wire(two, [files, small_set(options.data)])


@contextmanager
def cluster(workers: int) -> Iterator[Cluster]:
    """Yield a scheduler with so many workers of one thread, each a process that has imported its modules."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        file = Path(folder) / "scheduler.json"

        def start(part: str, *arguments: str) -> None:
            command = [
                sys.executable,
                "-m",
                f"distributed.cli.dask_{part}",
                *arguments,
                "--no-dashboard",
                "--host",
                "127.0.0.1",
            ]
            process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
            stack.callback(process.wait)
            stack.callback(process.kill)

        start("scheduler", "--port", "0", "--scheduler-file", str(file))
        while not file.exists():
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        for _ in range(workers):
            start("worker", address, "--nthreads", "1", "--memory-limit", "0", "--no-nanny")
        from distributed import Client  # noqa: PLC0415  # else a helper process would import it with this file

        with Client(address) as client:
            client.wait_for_workers(workers)
            client.run(__import__, "pipeline.load.worker")
        yield Cluster(address.replace("tcp://", "dask://"))


def _rounds(engines: dict[str, Engine], files: FileSet, count: int) -> dict[str, list[float]]:
    """Return the seconds of each load into a new lake; every second round goes backwards, and a first round does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    for number in range(count + 1):
        for name in engines if number % 2 else reversed(engines):
            seconds[name].append(_loaded(engines[name], files))
        print(*(f"{name} {done[-1]:.2f} s" for name, done in seconds.items()), sep=", ", file=sys.stderr, flush=True)
    return {name: done[1:] for name, done in seconds.items()}


def _loaded(engine: Engine, files: FileSet) -> float:
    with fresh_output() as out:
        lake = Lake(str(out))
        incoming = incoming_from(find_files(map(str, files.paths)))
        began = time.perf_counter()
        with writing(lake):
            report = load(lake, incoming, engine=engine)
        seconds = time.perf_counter() - began
    if report.loaded != files.files:
        sys.exit(f"{report.loaded} of {files.files} files were loaded")
    return seconds


def _print_report(files: FileSet, seconds: dict[str, list[float]]) -> None:
    here = machine()
    print(f"{here['processor']}, {here['cores']} cores, {here['system']}, Python {here['python']}; ", end="")
    print(f"{files.files} files, {files.gz_bytes / MB:.0f} MB of gz, {files.raw_bytes / MB:.0f} MB of JSON.\n")
    print("| engine | s, median (least to most) | MB/s | of the processes' time |\n| --- | --- | --- | --- |")
    for pair in _PAIRS:
        for name in pair:
            done = seconds[name]
            ratios = [one / other for one, other in zip(done, seconds[pair[0]], strict=True)]
            spread = f"{median(done):.2f} ({min(done):.2f} to {max(done):.2f})"
            ratio = (
                "1" if name == pair[0] else f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}), at most {_MOST}"
            )
            print(f"| {name} | {spread} | {files.raw_bytes / MB / median(done):.0f} | {ratio} |")


def _print_wire(engine: Cluster, sets: list[FileSet]) -> None:
    """Print the bytes that the driver sent and received over its sockets during loads."""
    print("\n| through the driver | gz bytes a file | sent, bytes a file | received, bytes a file |\n| --- | --- | --- | --- |")
    for files in sets:
        sent, received = _wire(engine, files)
        print(f"| {files.files:,} files | {files.gz_bytes / files.files:,.0f} | {sent:,.0f} | {received:,.0f} |")


def _wire(engine: Cluster, files: FileSet) -> tuple[float, float]:
    from tornado.iostream import IOStream  # noqa: PLC0415

    counted = {"write_to_fd": 0, "read_from_fd": 0}

    def counting(name: str) -> Any:
        original = getattr(IOStream, name)

        def count(stream: IOStream, data: Any) -> int | None:
            moved: int | None = original(stream, data)
            counted[name] += moved or 0
            return moved

        setattr(IOStream, name, count)
        return original

    originals = {name: counting(name) for name in counted}
    try:
        _loaded(engine, files)
    finally:
        for name, original in originals.items():
            setattr(IOStream, name, original)
    return counted["write_to_fd"] / files.files, counted["read_from_fd"] / files.files


if __name__ == "__main__":
    main()
