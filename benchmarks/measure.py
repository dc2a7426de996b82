"""Run a command, and measure its time, its memory, and the other load of the machine."""

import json
import os
import platform
import resource
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

try:
    import psutil
except ImportError:
    psutil = None

HERE = Path(__file__).resolve().parent
MB = 1_000_000
_POLL_SECONDS = 0.02
_SHOWN_PACKAGES = ("duckdb", "pyarrow", "deltalake", "isal", "arro3-io", "orjson", "pysimdjson", "dlt")


class RunFailedError(Exception):
    """A command ended with an unexpected exit code."""


@dataclass(frozen=True)
class Run:
    """Seconds of the whole process; those `inside`, without its start, if it prints them; cores that others used meanwhile."""

    seconds: float
    inside: float | None
    others: float | None


def run(command: Sequence[str], *, exit_codes: frozenset[int] = frozenset({0})) -> Run:
    """Run a command and time it; first flush the files of earlier runs to the disk.

    Raises:
        RunFailedError: it ended with another exit code.
    """
    os.sync()
    busy, own, began = _busy_seconds(), _children_seconds(), time.perf_counter()
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)  # noqa: S603 - our own commands
    seconds = time.perf_counter() - began
    _require(done.returncode, done.stderr, command, exit_codes)
    others = None if busy is None else max(0.0, (_busy_seconds() or 0.0) - busy - (_children_seconds() - own)) / seconds
    return Run(seconds, _inside(done.stdout), others)


def peak_memory(command: Sequence[str], *, exit_codes: frozenset[int] = frozenset({0})) -> int | None:
    """Run a command, and return the peak of bytes of its process and all below it, with shared pages divided (PSS).

    It looks every 20 ms, which disturbs the run, so never time this one. None without psutil or without PSS.
    """
    with subprocess.Popen(command, cwd=HERE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        peak = 0
        while process.poll() is None:
            peak = max(peak, _tree_pss(process.pid))
            time.sleep(_POLL_SECONDS)
        _require(process.returncode, process.stderr.read() if process.stderr else "", command, exit_codes)
    return peak or None


@contextmanager
def fresh_output() -> Iterator[Path]:
    """Yield the path of a folder that does not exist yet, and delete it afterwards."""
    with TemporaryDirectory(prefix="engagement-benchmark-") as parent:
        yield Path(parent) / "out"


def machine() -> dict[str, Any]:
    """Return the conditions of a figure: processor, cores, memory, system, versions."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: found for name in _SHOWN_PACKAGES if (found := _version(name))},
    }


def _require(code: int, errors: str, command: Sequence[str], exit_codes: frozenset[int]) -> None:
    if code not in exit_codes:
        raise RunFailedError(f"{' '.join(command)}\nended with exit code {code}:\n{errors[-3000:]}")


def _inside(output: str) -> float | None:
    lines = output.strip().splitlines()
    return float(json.loads(lines[-1])["inside"]) if lines and lines[-1].startswith('{"inside"') else None


def _busy_seconds() -> float | None:
    """Return the CPU seconds that the whole machine has worked."""
    if psutil is None:
        return None
    times = psutil.cpu_times()
    worked = ("user", "nice", "system", "irq", "softirq")
    return sum(float(getattr(times, part, 0.0)) for part in worked)


def _children_seconds() -> float:
    used, own = resource.getrusage(resource.RUSAGE_CHILDREN), resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime + own.ru_utime + own.ru_stime


def _tree_pss(pid: int) -> int:
    if psutil is None:
        return 0
    total = 0
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return 0
    for process in family:
        try:
            total += getattr(process.memory_full_info(), "pss", 0)
        except psutil.Error:  # it has just ended
            continue
    return total


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
