"""What every peer does around its work: read two folders from the command line, and tell how long the work took."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

WORKERS = 2


def folders() -> tuple[Path, Path]:
    """The source and the output that the command line names."""
    return Path(sys.argv[1]), Path(sys.argv[2])


def timed(work: Callable[[], object]) -> None:
    """Do `work`; print the seconds that it took, so without start and imports, as JSON."""
    began = perf_counter()
    work()
    print(json.dumps({"inside": perf_counter() - began}))


def run(work: Callable[[Path, Path], None]) -> None:
    """Do all the work, timed."""
    source, out = folders()
    timed(lambda: work(source, out))
