"""Time different ways to load the same files: `python benchmarks/load.py`.

Every approach is a separate process. First each runs once, untimed, for its memory and its rows: if it
makes our three tables, all columns have to equal ours. Then rounds alternate over the approaches, with the input in the page
cache; ratios compare within a round, since a machine's speed drifts. It prints a Markdown table.

The peers in Python write Parquet exactly as ours does, so they differ only in the steps before.
"""

import argparse
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from approaches import ALL, INSIDE, OURS, Approach, make_tables
from fingerprints import describe_differences
from made_files import DEFAULT_FOLDER, FILES, FileSet, clean_set
from measure import MB, Run, fresh_output, machine, peak_memory, run

Rounds = dict[str, list[Run]]
_QUIET = 0.08  # of a core that others may use during a run


def main() -> int:
    """Run the benchmark of the command line; return 1 if the rows of two approaches differ."""
    options = _options()
    chosen = _chosen(options.only)
    files = clean_set(options.data, files=options.files)
    make_tables(files)
    files.warm()
    memory: dict[str, int | None] = {}
    if not options.skip_check and not _check(chosen, files, memory):
        return 1
    if options.verify:
        return 0
    rounds = _rounds(chosen, files, options.rounds, options.slow_rounds)
    _print_report(chosen, files, rounds, memory)
    if options.out:
        options.out.write_text(json.dumps(_figures(files, rounds, memory), indent=1))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each approach is timed (default 5)")
    parser.add_argument("--slow-rounds", type=int, default=1, help="how often dlt is timed (default 1)")
    parser.add_argument("--only", metavar="KEYS", help="approaches, such as a,b,d (default: all)")
    parser.add_argument("--files", type=int, default=FILES, help=f"load only so many of the {FILES} files")
    parser.add_argument(
        "--data", type=Path, default=DEFAULT_FOLDER, help="where the files are made and kept (default %(default)s)"
    )
    parser.add_argument("--verify", action="store_true", help="compare the rows and stop")
    parser.add_argument("--skip-check", action="store_true", help="neither compare rows nor watch memory")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write all figures as JSON")
    return parser.parse_args()


def _chosen(only: str | None) -> list[Approach]:
    keys = only.split(",") if only else [approach.key for approach in ALL]
    if unknown := set(keys) - {approach.key for approach in ALL}:
        sys.exit(f"--only: there is no approach {', '.join(sorted(unknown))}; there are {', '.join(one.key for one in ALL)}")
    wanted = [approach for approach in ALL if approach.key in {*keys, OURS.key, INSIDE.key}]
    for approach in wanted:
        if not approach.is_available:
            _say(f"{approach.key}: left out, {approach.needs} is not installed (pip install -r benchmarks/requirements.txt)")
    return [approach for approach in wanted if approach.is_available]


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _check(chosen: list[Approach], files: FileSet, memory: dict[str, int | None]) -> bool:
    """Tell whether all give the same rows as ours, and note the memory of each."""
    good = True
    with fresh_output() as ours:
        memory[OURS.key] = peak_memory(OURS.command(files, ours))
        for approach in chosen:
            if approach is not OURS:
                with fresh_output() as out:
                    good = not _check_one(approach, files, ours, out, memory) and good
    return good


def _check_one(approach: Approach, files: FileSet, ours: Path, out: Path, memory: dict[str, int | None]) -> list[str]:
    memory[approach.key] = peak_memory(approach.command(files, out))
    if not approach.gives_tables:
        return []
    differences = describe_differences(ours, out)
    _say(f"{approach.key}: {'other rows than ours' if differences else 'the same rows as ours, in every column'}")
    for line in differences:
        _say(f"  {line}")
    return differences


def _rounds(chosen: list[Approach], files: FileSet, count: int, slow_count: int) -> Rounds:
    """Return the runs of each approach; every second round goes backwards."""
    rounds: Rounds = {approach.key: [] for approach in chosen}
    for number in range(count):
        for approach in chosen if number % 2 == 0 else reversed(chosen):
            if approach.is_slow and number >= slow_count:
                continue
            with fresh_output() as out:
                done = run(approach.command(files, out))
            rounds[approach.key].append(done)
            _say(f"round {number + 1}, {approach.key}: {done.seconds:.2f} s, others used {done.others or 0:.2f} cores")
    return rounds


def _print_report(chosen: list[Approach], files: FileSet, rounds: Rounds, memory: dict[str, int | None]) -> None:
    print(_conditions(files, rounds))
    print("\n| | approach | s, median (least to most) | times ours | s without start | MB/s | peak memory, MB |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for approach in chosen:
        if approach is not INSIDE:
            print(f"| {' | '.join(_cells(approach, files, rounds, memory.get(approach.key)))} |")
    print()
    for line in _goals(rounds):
        print(f"- {line}")


def _cells(approach: Approach, files: FileSet, rounds: Rounds, peak: int | None) -> list[str]:
    """Return a row of the table; for a limit only the time without start counts."""
    inside = median(one.inside or 0.0 for one in rounds[INSIDE.key if approach is OURS else approach.key])
    seconds = [one.seconds for one in rounds[approach.key]]
    fast = inside if approach.is_limit else median(seconds)
    return [
        approach.key,
        approach.title,
        "" if approach.is_limit else f"{median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})",
        "" if approach.is_limit else f"{_ratio(rounds, approach.key):.2f}",
        f"{inside:.2f}",
        f"{files.raw_bytes / MB / fast:,.0f}",
        f"{peak / MB:,.0f}" if peak else "",
    ]


def _ratio(rounds: Rounds, key: str) -> float:
    """Return the ratio to our time, whole process; the median over the rounds."""
    return median(one.seconds / ours.seconds for one, ours in zip(rounds[key], rounds[OURS.key], strict=False))


def _goals(rounds: Rounds) -> list[str]:
    """Return our goals, as far as the peers were measured."""
    told = []
    for key, goal, least in (("d", 7, 5.7), ("b", 2.5, 2.2)):
        if rounds.get(key):
            ratio = f"({key}) takes {_ratio(rounds, key):.1f} times as long as ours"
            told.append(f"{ratio}, start included; goal {goal}, at least {least}")
    if rounds.get("f2") and rounds.get("f3"):
        runs = zip(rounds["f2"], rounds["f3"], rounds[INSIDE.key], strict=True)
        share = median(((parse.inside or 0) + (write.inside or 0)) / (ours.inside or 1) for parse, write, ours in runs)
        told.append(f"ours reaches {share:.0%} of the bound f2 + f3, start left aside on both sides; goal 60%")
    return told


def _conditions(files: FileSet, rounds: Rounds) -> str:
    """Return the conditions of the runs, in Markdown."""
    here = machine()
    others = [one.others for runs in rounds.values() for one in runs if one.others is not None]
    disturbed = (
        f"; others used more than {_QUIET:.0%} of a core in {sum(part > _QUIET for part in others)} of {len(others)} runs"
    )
    packages = ", ".join(f"{name} {version}" for name, version in here["packages"].items())
    size = f"{files.gz_bytes / MB:.0f} MB, {files.raw_bytes / MB:.0f} MB of JSON, {files.lines:,} documents"
    return (
        f"{files.files} gz files, {size}. "
        f"{here['processor']}, {here['cores']} cores, {here['memory_gb']} GB; {here['system']}; "
        f"Python {here['python']}; {packages}. "
        f"{datetime.now(UTC):%Y-%m-%d}, rounds: {len(rounds[OURS.key])}{disturbed if others else ''}. "
        f"`{' '.join(('python benchmarks/load.py', *sys.argv[1:]))}`"
    )


def _figures(files: FileSet, rounds: Rounds, memory: dict[str, int | None]) -> dict[str, Any]:
    return {
        "machine": machine(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": {key: value for key, value in asdict(files).items() if key != "folder"},
        "runs": {key: [asdict(one) for one in runs] for key, runs in rounds.items()},
        "peak_memory_bytes": memory,
    }


if __name__ == "__main__":
    sys.exit(main())
