"""Measure the growth of a lake toward 1,000 accounts, 50 source files an hour each, 3 years: `python benchmarks/scale.py`.

It makes lakes with real metadata and hardly any data in several sizes, and times the steps of an hourly sync in each. It
fits a line through the figures, checks the lines with two lakes, and extrapolates the rest.
`--quick` takes some 5 minutes, without it some 20. It prints Markdown tables.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import rmtree
from statistics import linear_regression, median
from typing import Any

from grown_lakes import DAYS, END, PARTS, account_ids, grown, tiny_files
from made_files import DEFAULT_FOLDER, clean_set
from measure import MB, machine
from scale_runs import KEPT_DAYS, WORK_SECONDS, commit_often

from pipeline import schema
from pipeline.lake.lake import Lake
from pipeline.lake.snapshot import LEDGER

ACCOUNTS = 1_000
HOURS = 24 * DAYS
FILES = PARTS * HOURS
"""Source files of an account in three years."""

_STEPS = ("snapshot", "known", "another", "listings", "commit", "publish")
_OF_ONE = ("snapshot", "known", "listings", "commit", "publish")
"""The steps of a sync of one account; a run of several has these once, and `another` for each further account."""
_SIZES = ("memory", "duckdb")
_YEARS = "hours in the ledger of an account"
_RECENT = "accounts in 31 days of the ledger"
_LISTINGS = "accounts in 3 years of listings"
_PARQUET = "Parquet files of data"
_INDEX = "conversations of the account in the index"
_OTHERS = "conversations of others in the index"
_UNITS = {_YEARS: 1_000, _RECENT: 1, _LISTINGS: 1, _PARQUET: 1_000, _INDEX: 1_000_000, _OTHERS: 1_000_000}
_RUNS = Path(__file__).with_name("scale_runs.py")


@dataclass(frozen=True)
class Line:
    """Seconds of a step by a size: so many at 0, and so many more for each item."""

    at_none: float
    each: float

    def at(self, size: float) -> float:
        """Return the seconds at a size."""
        return max(0.0, self.at_none + self.each * size)


@dataclass(frozen=True)
class Volume:
    """The size of one source file: bytes of gz and JSON, bytes of Parquet in each table, conversations; JSON read a second."""

    gz: float
    json: float
    parquet: dict[str, float]
    conversations: float
    rate: float


def main() -> None:
    """Run the benchmark of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller lakes")
    parser.add_argument("--data", type=Path, default=DEFAULT_FOLDER, help="where source files are kept (default %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lakehouse-scale-") as folder:
        _simulate(Path(folder), options.data, quick=options.quick)


def _simulate(folder: Path, data: Path, *, quick: bool) -> None:
    here = machine()
    print(f"{here['processor']}, {here['cores']} cores; Python {here['python']}; {datetime.now(UTC):%Y-%m-%d}; ", end="")
    print(f"load average {os.getloadavg()[0]:.2f}.\n")
    volume = _volume(folder, data)
    _print_loads(folder, (10, 100, 1_000) if quick else (10, 100, 1_000, 10_000))
    lines = _print_growth(folder, quick=quick)
    _print_log(folder, 120 if quick else 250)
    _print_writers(folder, 10.0 if quick else 30.0)
    _print_check(folder, lines, volume, hours=HOURS // 10 if quick else HOURS)
    _print_lakes(lines, volume)
    print(f"\nLoad average at the end {os.getloadavg()[0]:.2f}.")


def _own(*arguments: str | Path) -> Any:
    """Return the result of a run in a separate process, so that its memory is its own, too."""
    done = subprocess.run((sys.executable, _RUNS, *map(str, arguments)), check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    return json.loads(done.stdout.splitlines()[-1])


# What one source file is


def _volume(folder: Path, data: Path) -> Volume:
    """Load the 192 files of `made_files`, and return the size of one."""
    files = clean_set(data)
    files.warm()
    loads = [_own("load", files.folder, folder / f"volume-{turn}") for turn in range(3)]
    snapshot = Lake(str(folder / "volume-0")).snapshot()
    sizes = {name: sum(file.bytes for file in listed) / files.files for name, listed in snapshot.files.items()}
    rate = files.raw_bytes / median(done["seconds"] for done in loads)
    conversations = snapshot.rows["conversations"] / files.files
    sizes |= _many_rows(folder, conversations)
    volume = Volume(files.gz_bytes / files.files, files.raw_bytes / files.files, sizes, conversations, rate)
    every = ACCOUNTS * FILES
    hours = every * volume.json / rate / 3600
    print("| | a source file | an account, 3 years | 1,000 accounts, 3 years |\n| --- | --- | --- | --- |")
    for what, each in {
        "source files": 1.0,
        "conversations": volume.conversations,
        "gz, kB": volume.gz / 1e3,
        "JSON, kB": volume.json / 1e3,
        **{f"`{name}`, kB of Parquet": volume.parquet[name] / 1e3 for name in schema.DELIVERED},
        "`files`, bytes of Parquet": volume.parquet[LEDGER],
        f"`{schema.INDEX.name}`, bytes of Parquet": volume.parquet[schema.INDEX.name],
    }.items():
        print(f"| {what} | {each:,.0f} | {each * FILES:,.0f} | {each * every:,.0f} |")
    print(f"| hours of this machine, at {rate / MB:.0f} MB of JSON/s | | {hours / ACCOUNTS:,.1f} | {hours:,.0f} |\n")
    return volume


def _many_rows(folder: Path, conversations: float) -> dict[str, float]:
    """Return the bytes of Parquet of a source file in the ledger and in the index, if these have many rows a file."""
    snapshot = grown(folder / "rows", hours=2_000, index=10**6).snapshot()
    each = {
        name: sum(file.bytes for file in snapshot.files[name]) / snapshot.rows[name] for name in (LEDGER, schema.INDEX.name)
    }
    return {LEDGER: each[LEDGER], schema.INDEX.name: each[schema.INDEX.name] * conversations}


def _print_loads(folder: Path, sizes: tuple[int, ...]) -> None:
    print("| files a load | s in all | s after the last file was read | of these DuckDB file | Parquet files | log, kB | MB |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for size in sizes:
        tiny_files(folder / f"tiny-{size}", size)
        runs = [_own("load", folder / f"tiny-{size}", folder / f"loaded-{size}-{turn}") for turn in range(3)]
        mid = {what: median(run[what] for run in runs) for what in runs[0]}
        print(
            f"| {size:,} | {mid['seconds']:.2f} | {mid['commit']:.2f} | {mid['publish']:.2f} | {mid['parquet']:,.0f} "
            f"| {mid['log'] / 1e3:,.0f} | {mid['memory']:,.0f} |",
            flush=True,
        )
    print()


# What an hourly sync takes of a lake


def _probed(folder: Path, *, syncs: int = 1, **size: int) -> dict[str, float]:
    """Return the median of three runs' steps in one lake, each of which syncs an hour of so many accounts."""
    target = folder / "lake"
    grown(target, **size)
    runs = []
    for turn in range(3):
        source = folder / "hour"
        for account_id in account_ids(syncs):
            tiny_files(source / account_id, PARTS, first=END + turn * timedelta(hours=1), account_id=account_id)
        runs.append(_own("probe", target, source, str(syncs)))
        rmtree(source)
    rmtree(target)
    return {step: median(run[step] for run in runs) for step in (*_STEPS, *_SIZES)}


def _line(found: dict[int, float]) -> Line:
    each, at_none = linear_regression(list(found), list(found.values()))
    return Line(at_none, each)


def _print_growth(folder: Path, *, quick: bool) -> dict[str, dict[str, Line]]:
    """Print a table for each size that grows; return a line for each size and step."""
    conversations = (10**6, 10**7, 3 * 10**7) if quick else (10**6, 10**7, 10**8)
    kinds = {
        _YEARS: {n: {"hours": n} for n in (800, 4_000, 20_000)},
        _RECENT: {n: {"hours": 744, "accounts": n} for n in ((1, 10, 30) if quick else (1, 10, 100))},
        _LISTINGS: {n: {"listed_hours": HOURS, "accounts": n} for n in (1, 10, 100)},
        _PARQUET: {n: {"parquet": n} for n in (300, 3_000, 30_000)},
        _INDEX: {n: {"index": n} for n in conversations},
        _OTHERS: {n: {"others": n} for n in conversations},
    }
    print(f"| | | {' | '.join(f'{step}, s' for step in _STEPS)} | MB |\n| --- | --- | {'--- | ' * len(_STEPS)}--- |")
    lines = {}
    for kind, sizes in kinds.items():
        taken = {}
        for size, grown_by in sizes.items():
            taken[size] = _probed(folder, **grown_by)
            steps = " | ".join(f"{taken[size][step]:.3f}" for step in _STEPS)
            print(f"| {kind} | {size:,} | {steps} | {taken[size]['memory']:,.0f} |", flush=True)
        lines[kind] = {step: _line({size: one[step] for size, one in taken.items()}) for step in (*_STEPS, *_SIZES)}
    print("\n| by the fit, for each further | unit | " + " | ".join(f"{step}, ms" for step in _STEPS) + " | MB |")
    print(f"| --- | --- | {'--- | ' * len(_STEPS)}--- |")
    for kind, unit in _UNITS.items():
        steps = " | ".join(f"{1000 * unit * lines[kind][step].each:.1f}" for step in _STEPS)
        print(f"| {kind} | {unit:,} | {steps} | {unit * lines[kind]['memory'].each:.1f} |")
    print()
    return lines


# The log


def _print_log(folder: Path, commits: int) -> None:
    """Commit to every table many times; print the time, the logs after it, and the logs a month later."""
    lake = Lake(str(folder / "log"))
    lake.create()
    taken = commit_often(lake, commits)
    logs = [path for path in Path(lake.root).glob("*/_delta_log/*") if path.name != "_last_checkpoint"]
    entries = [path.stat().st_size for path in logs if path.suffix == ".json"]
    checkpoints = [path.stat().st_size for path in logs if path.suffix == ".parquet"]
    long_ago = time.time() - timedelta(days=KEPT_DAYS + 1).total_seconds()
    for path in logs:
        os.utime(path, (long_ago, long_ago))
    commit_often(lake, 100)  # as many as there are from one checkpoint to the next
    print(
        f"{commits} commits of a file to each of {len(schema.STORED)} tables take {median(taken[:50]):.3f} s each at first, "
        f"{median(taken[-50:]):.3f} s at last, {max(taken):.3f} s at most. Log entries have {median(entries):,.0f} bytes, "
        f"checkpoints up to {max(checkpoints):,}. Made {KEPT_DAYS + 1} days older, of {len(logs):,} files of the logs "
        f"{sum(path.exists() for path in logs)} are left after 100 commits more.\n"
    )
    loads, tables = HOURS, 6
    print(f"| a lake with a load an hour, {tables} tables each | |\n| --- | --- |")
    print(f"| loads in 3 years | {loads:,} |\n| commits of tables, so log entries ever written | {loads * tables:,} |")
    kept = KEPT_DAYS * 24 * tables
    print(f"| entries of the last {KEPT_DAYS} days, which stay | {kept:,} |\n| their bytes | {kept * median(entries):,.0f} |\n")


# Writers that no lock keeps apart


def _print_writers(folder: Path, seconds: float) -> None:
    print(f"| writers at a time, without a lock, {WORK_SECONDS} s of work each | commits an hour | attempts a commit |")
    print("| --- | --- | --- |")
    for writers in (1, 2, 4, 8):
        root = folder / f"writers-{writers}"
        Lake(str(root)).create()
        command = (sys.executable, str(_RUNS), "write", str(root), str(seconds))
        started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(writers)]  # noqa: S603
        done = [json.loads(process.communicate()[0]) for process in started]
        an_hour = sum(one["commits"] / one["seconds"] for one in done) * 3600
        each = sum(one["attempts"] for one in done) / max(1, sum(one["commits"] for one in done))
        print(f"| {writers} | {an_hour:,.0f} | {each:.1f} |", flush=True)
    print()


# What the lines say


def _parquet_files(volume: Volume, accounts: int, hours: int) -> int:
    """Return the number of Parquet files, merged as loads do: for a day and table one for every 64 MB, and two small ones."""
    days = hours / 24
    return round(sum(days * (2 + accounts * 24 * PARTS * volume.parquet[table] / (64 << 20)) for table in schema.DELIVERED))


def _told(lines: dict[str, dict[str, Line]], volume: Volume, accounts: int, hours: int) -> dict[str, float]:
    """Return the seconds of the steps of an hourly sync, for a lake of so many accounts after so many hours."""
    sizes = {
        _YEARS: accounts * hours,
        _RECENT: accounts,
        _LISTINGS: accounts,
        _PARQUET: _parquet_files(volume, accounts, hours),
        _INDEX: hours * PARTS * volume.conversations,
        _OTHERS: (accounts - 1) * hours * PARTS * volume.conversations,
    }
    least = {step: min(lines[kind][step].at(0) for kind in lines) for step in (*_STEPS, *_SIZES)}
    return {
        step: least[step] + sum(max(0.0, lines[kind][step].each) * size for kind, size in sizes.items())
        for step in (*_STEPS, *_SIZES)
    }


def _of_one_run(lines: dict[str, dict[str, Line]], volume: Volume, accounts: int, hours: int) -> dict[str, float]:
    """Return the seconds of the steps of one hourly run for all accounts: each further one is found, and has its index read."""
    told = _told(lines, volume, accounts, hours)
    further, index = accounts - 1, lines[_INDEX]["commit"].each * hours * PARTS * volume.conversations
    return told | {"another": further * told["another"], "commit": told["commit"] + further * index}


def _print_check(folder: Path, lines: dict[str, dict[str, Line]], volume: Volume, *, hours: int) -> None:
    """Check the lines with a lake that has grown in everything at once, and with one that several accounts share."""
    _print_check_of(folder, lines, volume, accounts=1, hours=hours)
    _print_check_of(folder, lines, volume, accounts=10, hours=hours // 10)


def _print_check_of(folder: Path, lines: dict[str, dict[str, Line]], volume: Volume, *, accounts: int, hours: int) -> None:
    parquet, index = _parquet_files(volume, accounts, hours), round(hours * PARTS * volume.conversations)
    grown_by = {"hours": hours, "listed_hours": hours, "parquet": parquet, "index": index, "indexed": accounts, "others": index}
    taken = _probed(folder, syncs=accounts, accounts=accounts, **grown_by)
    taken["another"] *= accounts - 1
    told = _of_one_run(lines, volume, accounts, hours)
    print(f"{accounts} accounts after {hours:,} hours, in one run: {hours * PARTS:,} files, {index:,} conversations each, ")
    print(f"{parquet:,} Parquet files, beside another account whose conversations are as many.\n")
    print(f"| | {' | '.join(f'{step}, s' for step in _STEPS)} | MB |\n| --- | {'--- | ' * len(_STEPS)}--- |")
    for name, row in (("measured", taken), ("by the fit", told)):
        steps = " | ".join(f"{row[step]:.2f}" for step in _STEPS)
        print(f"| {name} | {steps} | {row['memory']:,.0f} |", flush=True)
    print()


def _print_lakes(lines: dict[str, dict[str, Line]], volume: Volume) -> None:
    print(f"| accounts a lake, after 3 years | {' | '.join(f'{step}, s' for step in _OF_ONE)} ", end="")
    print("| s an hour for all, one by one | in one run | Parquet files | DuckDB file, MB | ledger, MB | index, MB |")
    print(f"| --- | {'--- | ' * len(_OF_ONE)}--- | --- | --- | --- | --- | --- |")
    for accounts in (1, 3, 10, 20, 30, 100, 1_000):
        told = _told(lines, volume, accounts, HOURS)
        steps = " | ".join(f"{told[step]:,.1f}" for step in _OF_ONE)
        work = accounts * sum(told[step] for step in _OF_ONE)
        at_once = _of_one_run(lines, volume, accounts, HOURS)
        ledger, index = (accounts * FILES * volume.parquet[table] / MB for table in (LEDGER, schema.INDEX.name))
        print(f"| {accounts:,} | {steps} | {work:,.0f} | {sum(at_once[step] for step in _STEPS):,.0f} ", end="")
        print(f"| {_parquet_files(volume, accounts, HOURS):,} | {told['duckdb']:,.1f} | {ledger:,.0f} | {index:,.0f} |")


if __name__ == "__main__":
    main()
