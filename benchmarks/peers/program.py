"""The frame of every peer: read two folders from the command line, and print the seconds of the work."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

WORKERS = 2


def folders() -> tuple[Path, Path]:
    """Return the source and the output that the command line names."""
    return Path(sys.argv[1]), Path(sys.argv[2])


def timed(work: Callable[[], object]) -> None:
    """Run `work`, and print its seconds as JSON, without start and imports."""
    began = perf_counter()
    work()
    print(json.dumps({"inside": perf_counter() - began}))


def run(work: Callable[[Path, Path], None]) -> None:
    """Run all the work, timed."""
    source, out = folders()
    timed(lambda: work(source, out))
