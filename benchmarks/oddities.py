"""Measure the time and memory of `lakehouse load` with odd files: `python benchmarks/oddities.py`.

Time: a set with 1 % odd documents, a set with fields in every document that the schema lacks, and a file
of 2 GB of JSON with one bad line, each in turn with a clean one; ratios compare within a round. Memory: that 2 GB
file, and 10,000 small files; untimed.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from approaches import OURS
from made_files import DEFAULT_FOLDER, FileSet, big_set, clean_set, grown_set, odd_set, small_set
from measure import MB, Run, fresh_output, machine, peak_memory, run

_LOADED = frozenset({0, 3})  # 3: loaded, but something was set aside
_MOST_MEMORY = 400


@dataclass(frozen=True)
class Pair:
    """Odd files and clean ones, and the greatest allowed ratio of their times."""

    title: str
    clean: Callable[[Path], FileSet]
    odd: Callable[[Path], FileSet]
    most: float


PAIRS = {
    "odd": Pair("1 % odd documents", clean_set, odd_set, 1.2),
    "grown": Pair("a new field in each conversation and line, and another spelling", clean_set, grown_set, 1.2),
    "big": Pair("one 2 GB file, one bad line", partial(big_set, bad_line=False), partial(big_set, bad_line=True), 1.05),
}
MEMORY: dict[str, tuple[str, Callable[[Path], FileSet]]] = {
    "memory-big": ("one 2 GB file", partial(big_set, bad_line=False)),
    "memory-small": ("10,000 small files", small_set),
}


def main() -> None:
    """Run the benchmark of the command line."""
    options = _options()
    figures: dict[str, Any] = {"machine": machine()}
    print("| files | result | asked for |\n| --- | --- | --- |")
    for key in options.only.split(","):
        if key in PAIRS:
            figures[key] = _time(PAIRS[key], options.data, options.rounds)
        else:
            figures[key] = _watch(*MEMORY[key], options.data)
    if options.out:
        options.out.write_text(json.dumps(figures, indent=1))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = ",".join((*PAIRS, *MEMORY))
    parser.add_argument("--rounds", type=int, default=5, help="how often each of two sets is timed (default 5)")
    parser.add_argument("--only", default=every, metavar="KEYS", help="which to do (default %(default)s)")
    parser.add_argument(
        "--data", type=Path, default=DEFAULT_FOLDER, help="where the files are made and kept (default %(default)s)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write all figures as JSON")
    options = parser.parse_args()
    if unknown := set(options.only.split(",")) - {*PAIRS, *MEMORY}:
        parser.error(f"--only: there is no {', '.join(sorted(unknown))}; there are {every}")
    return options


def _time(pair: Pair, data: Path, rounds: int) -> dict[str, Any]:
    """Load clean and odd files in turn."""
    sets = {"clean": pair.clean(data), "odd": pair.odd(data)}
    for files in sets.values():
        files.warm()
    runs: dict[str, list[Run]] = {name: [] for name in sets}
    for number in range(rounds):
        for name in ("clean", "odd") if number % 2 == 0 else ("odd", "clean"):
            with fresh_output() as out:
                runs[name].append(run(OURS.command(sets[name], out), exit_codes=_LOADED))
            print(f"round {number + 1}, {pair.title}, {name}: {runs[name][-1].seconds:.2f} s", file=sys.stderr, flush=True)
    ratios = [odd.seconds / clean.seconds for odd, clean in zip(runs["odd"], runs["clean"], strict=True)]
    clean, odd = (median(one.seconds for one in runs[name]) for name in ("clean", "odd"))
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    result = f"{median(ratios):.2f} times as long as clean ({spread}; {odd:.2f} s against {clean:.2f} s, {rounds} rounds)"
    print(f"| {pair.title} | {result} | at most {pair.most} |", flush=True)
    return {name: [asdict(one) for one in runs[name]] for name in runs}


def _watch(title: str, make: Callable[[Path], FileSet], data: Path) -> dict[str, Any]:
    """Load files once and measure the memory."""
    files = make(data)
    files.warm()
    with fresh_output() as out:
        peak = peak_memory(OURS.command(files, out), exit_codes=_LOADED)
    result = f"{peak / MB:,.0f} MB" if peak else "not measured: psutil is not installed"
    print(f"| {title}, peak memory (PSS of the process tree) | {result} | under {_MOST_MEMORY} MB |", flush=True)
    return {"peak_memory_bytes": peak, "raw_bytes": files.raw_bytes, "files": files.files}


if __name__ == "__main__":
    main()
