"""What every peer does around its work: read two folders from the command line, and tell how long the work took."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

WORKERS = 2


def run(work: Callable[[Path, Path], None]) -> None:
    """Do `work` on the folders named on the command line; print the seconds inside of it, so without imports, as JSON."""
    source, out = Path(sys.argv[1]), Path(sys.argv[2])
    began = perf_counter()
    work(source, out)
    print(json.dumps({"inside": perf_counter() - began}))
