"""How a lake bears growth toward 1,000 accounts, 50 source files an hour each, 3 years: `python benchmarks/scale.py`.

Real lakes with real metadata and hardly any data are made in several sizes; of each, the steps are timed that an hourly sync
takes. A line is fitted through the figures, one lake is measured against what the lines say, and the rest is multiplied out.
`--quick` takes some 5 minutes, without it some 20. The tables are Markdown, on standard output.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import rmtree
from statistics import linear_regression, median
from typing import Any

from grown_lakes import ACCOUNT_ID, DAYS, END, PARTS, grown, last_days, tiny_files
from made_files import DEFAULT_FOLDER, clean_set
from measure import MB, machine

from pipeline import schema
from pipeline.deliveries import DELIVERED
from pipeline.engines import Processes
from pipeline.lake import Change, Lake, until_undisturbed
from pipeline.ledger import loaded_files
from pipeline.listings import remember
from pipeline.load import find_files, incoming_from, load, writing
from pipeline.warehouse import publish

ACCOUNTS = 1_000
HOURS = 24 * DAYS
FILES = PARTS * HOURS
"""Source files of an account in three years."""

KEPT_DAYS = 30
_STEPS = ("snapshot", "known", "listings", "commit", "publish")
_WORK_SECONDS = 0.5  # that a writer works on a change, where no lock keeps others away
_HERE = Path(__file__)


@dataclass(frozen=True)
class Line:
    """Seconds of a step by the size of something: so many at none, and so many more for each."""

    at_none: float
    each: float

    def at(self, size: float) -> float:
        """The seconds that it tells."""
        return max(0.0, self.at_none + self.each * size)


@dataclass(frozen=True)
class Volume:
    """What one source file is: bytes of gz and JSON, bytes of Parquet in each table, conversations; JSON read a second."""

    gz: float
    json: float
    parquet: dict[str, float]
    conversations: float
    rate: float


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller lakes")
    parser.add_argument("--data", type=Path, default=DEFAULT_FOLDER, help="where source files are kept (default %(default)s)")
    parser.add_argument("--probe", type=Path, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--files", type=Path, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--write", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.probe:
        print(json.dumps(probe(*options.probe)))
    elif options.files:
        print(json.dumps(load_once(*options.files)))
    elif options.write:
        print(json.dumps(write_on(Path(options.write[0]), float(options.write[1]))))
    else:
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
    """What this program tells in a process of its own, so that its memory is its own, too."""
    done = subprocess.run((sys.executable, _HERE, *map(str, arguments)), check=True, capture_output=True, text=True)  # noqa: S603
    return json.loads(done.stdout.splitlines()[-1])


def _seconds(step: Callable[[], Any]) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def _peak_mb() -> float:
    """The most memory that this process has had; `ru_maxrss` would count that of its parent."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")) / MB


# What one source file is


def _volume(folder: Path, data: Path) -> Volume:
    """Load the 192 files of `made_files`, and tell what one of them comes to."""
    files = clean_set(data)
    files.warm()
    loads = [_own("--files", files.folder, folder / f"volume-{turn}") for turn in range(3)]
    snapshot = Lake(str(folder / "volume-0")).snapshot()
    sizes = {name: sum(file.bytes for file in listed) / files.files for name, listed in snapshot.files.items()}
    rate = files.raw_bytes / median(done["seconds"] for done in loads)
    volume = Volume(
        files.gz_bytes / files.files, files.raw_bytes / files.files, sizes, snapshot.rows["conversations"] / files.files, rate
    )
    every = ACCOUNTS * FILES
    hours = every * volume.json / rate / 3600
    print("| | a source file | an account, 3 years | 1,000 accounts, 3 years |\n| --- | --- | --- | --- |")
    for what, each in {
        "source files": 1.0,
        "conversations": volume.conversations,
        "gz, kB": volume.gz / 1e3,
        "JSON, kB": volume.json / 1e3,
        **{f"`{name}`, kB of Parquet": volume.parquet[name] / 1e3 for name in DELIVERED},
        "`files`, bytes of Parquet": 43.0,
        "`conversation_dates`, bytes of Parquet": 9.44 * volume.conversations,
    }.items():
        print(f"| {what} | {each:,.0f} | {each * FILES:,.0f} | {each * every:,.0f} |")
    print(f"| hours of this machine, at {rate / MB:.0f} MB of JSON/s | | {hours / ACCOUNTS:,.1f} | {hours:,.0f} |\n")
    return volume


def load_once(source: Path, target: Path) -> dict[str, Any]:
    """Load a folder into a new lake, with all cores; tells seconds in all, and those after the last file was read."""
    lake, moments = Lake(str(target)), list[float]()

    def now() -> datetime:
        moments.append(time.perf_counter())
        return datetime.now(UTC)

    began = time.perf_counter()
    with writing(lake):
        load(lake, incoming_from(find_files([str(source)])), now=now)
    ended = time.perf_counter()
    snapshot = lake.snapshot()
    return {
        "seconds": ended - began,
        "commit": ended - moments[1],  # the second moment is that of the first row of the ledger
        "publish": _seconds(lambda: publish(lake, snapshot)),
        "parquet": sum(map(len, snapshot.files.values())),
        "log": sum(path.stat().st_size for path in target.glob("*/_delta_log/*.json") if not path.name.startswith("0" * 20)),
        "memory": _peak_mb(),
    }


def _print_loads(folder: Path, sizes: tuple[int, ...]) -> None:
    print("| files a load | s in all | s after the last file was read | of these DuckDB file | Parquet files | log, kB | MB |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for size in sizes:
        tiny_files(folder / f"tiny-{size}", size)
        runs = [_own("--files", folder / f"tiny-{size}", folder / f"loaded-{size}-{turn}") for turn in range(3)]
        mid = {what: median(run[what] for run in runs) for what in runs[0]}
        print(
            f"| {size:,} | {mid['seconds']:.2f} | {mid['commit']:.2f} | {mid['publish']:.2f} | {mid['parquet']:,.0f} "
            f"| {mid['log'] / 1e3:,.0f} | {mid['memory']:,.0f} |",
            flush=True,
        )
    print()


# What an hourly sync takes of a lake


def probe(root: Path, source: Path) -> dict[str, float]:
    """Take the steps of an hourly sync of one account: seconds of each, and the peak of memory in MB."""
    lake, moments = Lake(str(root)), list[float]()

    def now() -> datetime:
        moments.append(time.perf_counter())
        return END + timedelta(hours=1)

    listed: list[float] = []

    def listings(snapshot: Any) -> dict[str, Change]:
        began = time.perf_counter()
        change = remember(lake, snapshot, ACCOUNT_ID, last_days(KEPT_DAYS), failed=(), at=END)
        listed.append(time.perf_counter() - began)
        return change

    publish(lake, lake.snapshot())  # else the first one waits for the views
    taken = {"snapshot": _seconds(lake.snapshot)}
    taken["known"] = _seconds(lambda: loaded_files(lake, ACCOUNT_ID, since=END - timedelta(days=KEPT_DAYS)))
    with writing(lake):
        load(lake, incoming_from(find_files([str(source)])), engine=Processes(1), also=listings, now=now)
    ended = time.perf_counter()
    snapshot = lake.snapshot()
    taken["publish"] = _seconds(lambda: publish(lake, snapshot))
    taken["listings"] = listed[0]
    taken["commit"] = ended - moments[1] - listed[0] - taken["publish"]
    return taken | {"memory": _peak_mb()}


def _probed(folder: Path, **size: int) -> dict[str, float]:
    """The median of three lakes' steps; a lake is made once, and every turn finds it a sync older."""
    target = folder / "lake"
    grown(target, **size)
    runs = []
    for turn in range(3):
        source = folder / "hour"
        tiny_files(source, PARTS, first=END + turn * timedelta(hours=1))
        runs.append(_own("--probe", target, source))
        rmtree(source)
    rmtree(target)
    return {step: median(run[step] for run in runs) for step in (*_STEPS, "memory")}


def _print_growth(folder: Path, *, quick: bool) -> dict[str, dict[str, Line]]:
    """Print a table for everything that grows; gives a line for each of it and each step."""
    kinds: dict[str, tuple[Callable[[int], dict[str, int]], tuple[int, ...]]] = {
        "hours in the ledger of an account": (lambda n: {"hours": n}, (20, 200, 2_000, 20_000)),
        "accounts in 31 days of the ledger": (lambda n: {"hours": 744, "accounts": n}, (1, 10, 30) if quick else (1, 10, 100)),
        "accounts in 3 years of listings": (lambda n: {"listed_hours": HOURS, "accounts": n}, (1, 10, 100)),
        "Parquet files of data": (lambda n: {"parquet": n}, (300, 3_000, 30_000)),
        "conversations in the index": (
            lambda n: {"index": n},
            (10**6, 10**7, 3 * 10**7) if quick else (10**6, 10**7, 10**8),
        ),
    }
    print(f"| | | {' | '.join(f'{step}, s' for step in _STEPS)} | MB |\n| --- | --- | {'--- | ' * len(_STEPS)}--- |")
    lines = {}
    for kind, (sized, sizes) in kinds.items():
        taken = {}
        for size in sizes:
            taken[size] = _probed(folder, **sized(size))
            steps = " | ".join(f"{taken[size][step]:.3f}" for step in _STEPS)
            print(f"| {kind} | {size:,} | {steps} | {taken[size]['memory']:,.0f} |", flush=True)
        lines[kind] = {
            step: Line(*reversed(linear_regression(sizes, [taken[size][step] for size in sizes])))
            for step in (*_STEPS, "memory")
        }
    print("\n| by the fit, for each further | unit | " + " | ".join(f"{step}, ms" for step in _STEPS) + " | MB |")
    print(f"| --- | --- | {'--- | ' * len(_STEPS)}--- |")
    for kind, unit in _UNITS.items():
        steps = " | ".join(f"{1000 * unit * lines[kind][step].each:.1f}" for step in _STEPS)
        print(f"| {kind} | {unit:,} | {steps} | {unit * lines[kind]['memory'].each:.1f} |")
    print()
    return lines


_UNITS = {
    "hours in the ledger of an account": 1_000,
    "accounts in 31 days of the ledger": 1,
    "accounts in 3 years of listings": 1,
    "Parquet files of data": 1_000,
    "conversations in the index": 1_000_000,
}


# The log


def _print_log(folder: Path, commits: int) -> None:
    """Commit to every table over and over: what it takes, and what the logs are then."""
    lake = Lake(str(folder / "log"))
    lake.create()
    snapshot, taken = lake.snapshot(), []
    for _ in range(commits):
        began = time.perf_counter()
        snapshot = lake.commit(_small_change(lake), snapshot)
        taken.append(time.perf_counter() - began)
    logs = [path.stat().st_size for path in Path(lake.root).glob("*/_delta_log/*.json")]
    checkpoints = [path.stat().st_size for path in Path(lake.root).glob("*/_delta_log/*.checkpoint.parquet")]
    print(f"{commits} commits of a file to each of {len(schema.STORED)} tables: {median(taken[:50]):.3f} s each at first, ")
    print(
        f"{median(taken[-50:]):.3f} s at the end, {max(taken):.3f} s where checkpoints are written; {len(logs)} log entries of "
    )
    print(f"{median(logs):,.0f} bytes, {len(checkpoints)} checkpoints of up to {max(checkpoints):,} bytes.\n")


def _small_change(lake: Lake) -> dict[str, Change]:
    tables = schema.STORED.values()
    dates = {table.name: f"{END:%Y-%m-%d}" if table.partitioned else None for table in tables}
    return {
        table.name: Change(add=[lake.write(table.name, table.file_schema.empty_table(), date=dates[table.name])])
        for table in tables
    }


# Writers that no lock keeps apart


def write_on(root: Path, seconds: float) -> dict[str, float]:
    """Commit change after change for so long, each worked out from the newest snapshot, as a load does in a bucket."""
    lake, commits, attempts = Lake(str(root)), 0, 0
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for attempt in until_undisturbed():
            with attempt:
                attempts += 1
                snapshot = lake.snapshot()
                time.sleep(_WORK_SECONDS)
                lake.commit(_small_change(lake), snapshot)
        commits += 1
    return {"commits": commits, "attempts": attempts, "seconds": time.perf_counter() - until + seconds}


def _print_writers(folder: Path, seconds: float) -> None:
    print(f"| writers at a time, without a lock, {_WORK_SECONDS} s of work each | commits an hour | attempts a commit |")
    print("| --- | --- | --- |")
    for writers in (1, 2, 4, 8):
        root = folder / f"writers-{writers}"
        Lake(str(root)).create()
        command = (sys.executable, str(_HERE), "--write", str(root), str(seconds))
        started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(writers)]  # noqa: S603
        done = [json.loads(process.communicate()[0]) for process in started]
        an_hour = sum(one["commits"] / one["seconds"] for one in done) * 3600
        each = sum(one["attempts"] for one in done) / max(1, sum(one["commits"] for one in done))
        print(f"| {writers} | {an_hour:,.0f} | {each:.1f} |", flush=True)
    print()


# What the lines say


def _parquet_files(volume: Volume, accounts: int, hours: int) -> int:
    """Parquet files of data, merged as loads merge them: of a day and table one for every 64 MB, and two small ones."""
    days = hours / 24
    return round(sum(days * (2 + accounts * 24 * PARTS * volume.parquet[table] / (64 << 20)) for table in DELIVERED))


def _told(lines: dict[str, dict[str, Line]], volume: Volume, accounts: int, hours: int) -> dict[str, float]:
    """What the steps of an hourly sync take of a lake of so many accounts after so many hours."""
    sizes = {
        "hours in the ledger of an account": accounts * hours,
        "accounts in 31 days of the ledger": accounts,
        "accounts in 3 years of listings": accounts,
        "Parquet files of data": _parquet_files(volume, accounts, hours),
        "conversations in the index": accounts * hours * PARTS * volume.conversations,
    }
    least = {step: min(lines[kind][step].at(0) for kind in lines) for step in (*_STEPS, "memory")}
    return {
        step: least[step] + sum(max(0.0, lines[kind][step].each) * size for kind, size in sizes.items())
        for step in (*_STEPS, "memory")
    }


def _print_check(folder: Path, lines: dict[str, dict[str, Line]], volume: Volume, *, hours: int) -> None:
    """Hold the lines against a lake that has grown in everything at once."""
    parquet, index = _parquet_files(volume, 1, hours), round(hours * PARTS * volume.conversations)
    taken = _probed(folder, hours=hours, listed_hours=hours, parquet=parquet, index=index)
    told = _told(lines, volume, 1, hours)
    print(f"An account after {hours:,} hours: {hours * PARTS:,} files, {parquet:,} Parquet files, {index:,} conversations.\n")
    print(f"| | {' | '.join(f'{step}, s' for step in _STEPS)} | MB |\n| --- | {'--- | ' * len(_STEPS)}--- |")
    for name, row in (("measured", taken), ("by the fit", told)):
        print(f"| {name} | {' | '.join(f'{row[step]:.2f}' for step in _STEPS)} | {row['memory']:,.0f} |", flush=True)
    print()


def _print_lakes(lines: dict[str, dict[str, Line]], volume: Volume) -> None:
    print(f"| accounts a lake, after 3 years | {' | '.join(f'{step}, s' for step in _STEPS)} | MB ", end="")
    print("| s an hour for all accounts | Parquet files | DuckDB file, MB | ledger, MB | index, MB |")
    print(f"| --- | {'--- | ' * len(_STEPS)}--- | --- | --- | --- | --- | --- |")
    for accounts in (1, 3, 10, 30, 100, 1_000):
        told = _told(lines, volume, accounts, HOURS)
        parquet = _parquet_files(volume, accounts, HOURS)
        steps = " | ".join(f"{told[step]:,.1f}" for step in _STEPS)
        work = accounts * sum(told[step] for step in _STEPS)
        print(
            f"| {accounts:,} | {steps} | {told['memory']:,.0f} | {work:,.0f} | {parquet:,} | {2.3 + parquet * 220e-6:,.1f} "
            f"| {accounts * FILES * 43 / MB:,.0f} | {accounts * FILES * volume.conversations * 9.44 / MB:,.0f} |"
        )


if __name__ == "__main__":
    main()
