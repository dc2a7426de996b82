"""The runs of `scale.py`, each in a separate process, so that its memory is its own, too.

`python scale_runs.py RUN ARGUMENTS` prints the result as JSON.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any, Final

from grown_lakes import END, account_ids, last_days
from measure import MB

from pipeline import schema
from pipeline.lake.commits import retry_conflicts
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import LoadedFiles
from pipeline.lake.listings import heard, remember
from pipeline.lake.snapshot import Change, Snapshot
from pipeline.load.engines import Processes
from pipeline.load.find import find_files, incoming_from
from pipeline.load.load import load
from pipeline.load.session import writing
from pipeline.warehouse.database import publish
from pipeline.warehouse.published import FILE_NAME

KEPT_DAYS: Final = 30
WORK_SECONDS: Final = 0.5
"""That a writer works on a change, where no lock keeps others away."""


def load_once(source: str, target: str) -> dict[str, Any]:
    """Load a folder into a new lake, with all cores; return the seconds in all, and those after the last file was read."""
    lake, moments = Lake(target), list[float]()

    def now() -> datetime:
        moments.append(time.perf_counter())
        return datetime.now(UTC)

    began = time.perf_counter()
    with writing(lake):
        load(lake, incoming_from(find_files([source])), now=now)
    ended = time.perf_counter()
    snapshot = lake.snapshot()
    entries = [path for path in Path(target).glob("*/_delta_log/*.json") if not path.name.startswith("0" * 20)]
    return {
        "seconds": ended - began,
        "commit": ended - moments[1],  # the second moment is that of the first row of the ledger
        "publish": _seconds(lambda: publish(lake, snapshot)),
        "parquet": sum(map(len, snapshot.files.values())),
        "log": sum(path.stat().st_size for path in entries),
        "memory": _peak_mb(),
    }


def probe(root: str, source: str, accounts: str) -> dict[str, float]:
    """Run the steps of an hourly sync of so many accounts; return the seconds of each, and the peak of memory in MB.

    `source` has a folder of files for each account. `another` is the mean of what each account after the first one takes to
    find the files that the lake has.
    """
    lake, moments, ids = Lake(root), list[float](), account_ids(int(accounts))

    def now() -> datetime:
        moments.append(time.perf_counter())
        return END + timedelta(hours=1)

    listed: list[float] = []

    def listings(snapshot: Snapshot) -> dict[str, Change]:
        began = time.perf_counter()
        change = remember(lake, snapshot, {one: heard(last_days(KEPT_DAYS), failed=(), at=END) for one in ids})
        listed.append(time.perf_counter() - began)
        return change

    publish(lake, lake.snapshot())  # else the first one waits for the views
    taken = {"snapshot": _seconds(lake.snapshot)}
    known = partial(LoadedFiles(lake).of, since=END - timedelta(days=KEPT_DAYS))
    each = [_seconds(partial(known, one)) for one in account_ids(len(ids) + 1)]
    taken |= {"known": each[0], "another": mean(each[1:])}
    incoming = [replace(file, account_id=one) for one in ids for file in incoming_from(find_files([f"{source}/{one}"]))]
    with writing(lake):
        load(lake, incoming, engine=Processes(1), extra_changes=listings, now=now)
    ended = time.perf_counter()
    snapshot = lake.snapshot()
    taken["publish"] = _seconds(lambda: publish(lake, snapshot))
    taken["listings"] = listed[0]
    taken["commit"] = ended - moments[1] - listed[0] - taken["publish"]
    return taken | {"memory": _peak_mb(), "duckdb": Path(root, FILE_NAME).stat().st_size / MB}


def commit_often(lake: Lake, commits: int) -> list[float]:
    """Commit a file to each table so many times; return the seconds of each time."""
    snapshot, taken = lake.snapshot(), []
    for _ in range(commits):
        began = time.perf_counter()
        snapshot = lake.commit(_small_change(lake), snapshot)
        taken.append(time.perf_counter() - began)
    return taken


def _small_change(lake: Lake) -> dict[str, Change]:
    tables = schema.STORED.values()
    dates = {table.name: f"{END:%Y-%m-%d}" if table.partitioned else None for table in tables}
    return {
        table.name: Change(add=[lake.write(table.name, table.file_schema.empty_table(), date=dates[table.name])])
        for table in tables
    }


def write_on(root: str, seconds: str) -> dict[str, float]:
    """Commit change after change for so long, each planned from the newest snapshot, as a load does in a bucket."""
    lake, commits, attempts = Lake(root), 0, 0
    began = time.perf_counter()
    while time.perf_counter() - began < float(seconds):
        for attempt in retry_conflicts():
            with attempt:
                attempts += 1
                snapshot = lake.snapshot()
                time.sleep(WORK_SECONDS)
                lake.commit(_small_change(lake), snapshot)
        commits += 1
    return {"commits": commits, "attempts": attempts, "seconds": time.perf_counter() - began}


def _seconds(step: Callable[[], Any]) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def _peak_mb() -> float:
    """Return the peak of memory of this process; `ru_maxrss` would count that of its parent."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")) / MB


_RUNS: Final[dict[str, Callable[..., dict[str, Any]]]] = {"load": load_once, "probe": probe, "write": write_on}

if __name__ == "__main__":
    print(json.dumps(_RUNS[sys.argv[1]](*sys.argv[2:])))
