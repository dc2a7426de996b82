"""Time the views, over a lake and over hand-sorted Parquet files: `python benchmarks/queries.py`.

It makes a lake of a year once, 1,000,000 conversations and 15,000,000 messages, or takes one that is there (`--lake`). Lake
and hand-sorted files take turns, each query on an open connection, all rows fetched; ratios compare within a round. It prints
Markdown tables.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
from made_files import DEFAULT_FOLDER
from measure import MB, machine
from year_lake import YEAR_DAYS, SortedLake, taken_lake, year_lake

from pipeline.warehouse.library import ordered_views

_MOST = 2.0
_BATCH_ROWS = 100_000
_PARTS = ("seconds", "cpu_seconds")
_DAY_QUERIES = {
    "all days": "from conversation_metrics",
    "one day": "from conversation_metrics where date = '{}'",
}


@dataclass(frozen=True)
class Timed:
    """One run of a query: seconds by the clock, seconds of the processor in all threads, and the number of rows."""

    seconds: float
    cpu_seconds: float
    rows: int


Rounds = dict[str, list[Timed]]


def main() -> None:
    """Run the benchmark of the command line."""
    options = _options()
    made = taken_lake(options.lake, options.data) if options.lake else year_lake(options.data, days=options.days)
    with made.open_lake() as lake, made.open_sorted() as by_hand:
        for connection in (lake, by_hand):
            connection.execute(f"set threads = {options.threads}")
        figures = {name: _rounds(lake, by_hand, name, options.rounds) for name in options.views.split(",")}
        _print_report(made, figures, options)
        _print_day(lake)
    if options.out:
        runs = {name: {side: [asdict(run) for run in done] for side, done in sides.items()} for name, sides in figures.items()}
        options.out.write_text(json.dumps({"machine": machine(), "rows": made.rows, "views": runs}, indent=1))


def _options() -> argparse.Namespace:
    every = ",".join(sorted(view.name for view in ordered_views() if view.theme != "steps"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each view is asked (default 5)")
    parser.add_argument("--views", default=every, metavar="NAMES", help="such as mcs_daily,agent_daily (default: all)")
    parser.add_argument("--threads", type=int, default=2, help="threads of DuckDB (default 2)")
    parser.add_argument("--days", type=int, default=YEAR_DAYS, help="days of the lake (default %(default)s)")
    parser.add_argument("--lake", type=Path, metavar="FOLDER", help="take this lake, which stays as it is")
    parser.add_argument("--data", type=Path, default=DEFAULT_FOLDER, help="where it is made and kept (default %(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write all figures as JSON")
    return parser.parse_args()


def _rounds(lake: duckdb.DuckDBPyConnection, by_hand: duckdb.DuckDBPyConnection, view: str, count: int) -> Rounds:
    """Return the runs of each side; every second round goes backwards, and a first round does not count."""
    rounds: Rounds = {"lake": [], "sorted": []}
    sides = {"lake": lake, "sorted": by_hand}
    for number in range(count + 1):
        for side in ("lake", "sorted") if number % 2 else ("sorted", "lake"):
            rounds[side].append(_timed(sides[side], f"from {view}"))
    if rounds["lake"][0].rows != rounds["sorted"][0].rows:
        sys.exit(f"{view}: {rounds['lake'][0].rows:,} rows from the lake, {rounds['sorted'][0].rows:,} from the sorted files")
    counted = {side: done[1:] for side, done in rounds.items()}
    print(f"{view}: {_ratio(counted):.2f}", file=sys.stderr, flush=True)
    return counted


def _timed(connection: duckdb.DuckDBPyConnection, query: str) -> Timed:
    began, cpu = time.perf_counter(), _cpu_seconds()
    rows = sum(batch.num_rows for batch in connection.sql(query).to_arrow_reader(_BATCH_ROWS))
    return Timed(time.perf_counter() - began, _cpu_seconds() - cpu, rows)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _ratio(rounds: Rounds) -> float:
    return median(ours.seconds / theirs.seconds for ours, theirs in zip(rounds["lake"], rounds["sorted"], strict=True))


def _print_report(made: SortedLake, figures: dict[str, Rounds], options: argparse.Namespace) -> None:
    here = machine()
    versions = ", ".join(f"{name} {here['packages'][name]}" for name in ("duckdb", "pyarrow", "deltalake"))
    rows = ", ".join(f"{made.rows[table]:,} {table}" for table in ("conversations", "messages", "transfers"))
    print(f"{rows}. {here['processor']}, {here['cores']} cores, {options.threads} threads, ", end="")
    print(
        f"{here['memory_gb']} GB, {here['system']}, Python {here['python']}, {versions}; medians of {options.rounds} rounds.\n"
    )
    print("| view, all time | rows | s | hand-sorted, s | ratio (least to most) | CPU s | hand-sorted, CPU s | CPU ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for view, rounds in figures.items():
        print(_line(view, rounds))
    slow = [view for view, rounds in figures.items() if _ratio(rounds) >= _MOST]
    print(f"\nUnder {_MOST:g} times: {len(figures) - len(slow)} of {len(figures)}; not: {', '.join(slow) or 'none'}.\n")


def _line(view: str, rounds: Rounds) -> str:
    ratios = [ours.seconds / theirs.seconds for ours, theirs in zip(rounds["lake"], rounds["sorted"], strict=True)]
    wall, cpu = ([median(getattr(run, part) for run in rounds[side]) for side in ("lake", "sorted")] for part in _PARTS)
    ratio = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    seconds = f"{wall[0]:.3f} | {wall[1]:.3f} | {ratio} | {cpu[0]:.3f} | {cpu[1]:.3f} | {cpu[0] / cpu[1]:.2f}"
    return f"| `{view}` | {rounds['lake'][0].rows:,} | {seconds} |"


def _print_day(lake: duckdb.DuckDBPyConnection) -> None:
    """Print the cost of a single day: DuckDB's own count of files and bytes, for each scan of a table."""
    [(middle,)] = lake.execute("select quantile_disc(date, 0.5) from conversations").fetchall()
    print("| `conversation_metrics` | Parquet files read, each scan | MB read |\n| --- | --- | --- |")
    for title, query in _DAY_QUERIES.items():
        [(_, text)] = lake.execute(f"explain (analyze, format json) {query.format(middle)}").fetchall()
        profile = json.loads(text)
        files = ", ".join(_found(profile, "Total Files Read"))
        print(f"| {title} | {files} | {sum(_found(profile, 'total_bytes_read')) / MB:.1f} |")


def _found(node: Any, key: str) -> Iterator[Any]:
    """Yield every value of that key, at any depth."""
    for name, inner in node.items() if isinstance(node, dict) else enumerate(node):
        if name == key:
            yield inner
        elif isinstance(inner, dict | list):
            yield from _found(inner, key)


if __name__ == "__main__":
    main()
