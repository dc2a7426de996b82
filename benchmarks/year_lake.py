"""The lake that queries are timed on: a year of two made-up accounts, and beside it one hand-sorted Parquet file a table.

Made once and kept in a folder. Source files of a month are made, loaded and deleted again; the lake's landing zone keeps them.
"""

import json
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

from approaches import lakehouse_command
from made_files import write_day

from pipeline.lake import Lake
from pipeline.sandbox import Account
from pipeline.warehouse import connect

FIRST_DAY = datetime(2025, 11, 1, tzinfo=UTC)
YEAR_DAYS = 365
ACCOUNTS = (
    Account("75555851", conversations_per_day=1_890, time_zone="America/New_York", tagged=False),
    Account("20348697", conversations_per_day=890, time_zone="Europe/London", messaging_share=0.55, tagged=True),
)
SORTED_BY = {
    "conversations": "date, account_id, conversation_start_time, conversation_id",
    "messages": "date, account_id, conversation_id, position",
    "transfers": "date, account_id, conversation_id, position",
}
_DAYS_A_LOAD = 30


@dataclass(frozen=True)
class YearLake:
    """A lake and the folder with its three tables as one Parquet file each."""

    lake: Path
    sorted: Path
    facts: dict[str, int]


def year_lake(data: Path, *, days: int = YEAR_DAYS) -> YearLake:
    """The lake of so many days, made if it is not there yet."""
    lake, by_hand = data / f"queries-{days}-lake", data / f"queries-{days}-sorted"
    if not (lake / "lakehouse.duckdb").exists():
        _make_lake(lake, days)
    if not by_hand.exists():
        _sort_by_hand(lake, by_hand)
    facts = json.loads((by_hand / "facts.json").read_text())
    return YearLake(lake, by_hand, facts)


def _make_lake(lake: Path, days: int) -> None:
    made = lake.with_suffix(".partial")
    rmtree(made, ignore_errors=True)
    for first in range(0, days, _DAYS_A_LOAD):
        chosen = [FIRST_DAY + timedelta(days=number) for number in range(first, min(days, first + _DAYS_A_LOAD))]
        with TemporaryDirectory(dir=lake.parent) as folder:
            _write_days(Path(folder), chosen)
            words = (*lakehouse_command(), "load", folder, "--lake", str(made))
            subprocess.run(words, check=True, capture_output=True)  # noqa: S603 - our own command
        print(f"{first + len(chosen)} of {days} days made and loaded", file=sys.stderr, flush=True)
    made.rename(lake)
    connect(Lake(str(lake))).close()  # the DuckDB file names the Parquet files where they are now


def _write_days(folder: Path, days: list[datetime]) -> None:
    jobs = [(folder / account.account_id, day, account) for account in ACCOUNTS for day in days]
    for account in ACCOUNTS:
        (folder / account.account_id).mkdir()
    with ProcessPoolExecutor() as pool:
        for _ in pool.map(write_day, *zip(*jobs, strict=True), chunksize=_DAYS_A_LOAD // 2):
            pass


def _sort_by_hand(lake: Path, folder: Path) -> None:
    """Each table as somebody would who writes it out once for such queries: sorted, with Parquet's and DuckDB's usual sizes."""
    made = folder.with_suffix(".partial")
    rmtree(made, ignore_errors=True)
    made.mkdir()
    facts = {}
    with connect(Lake(str(lake))) as connection:
        for table, order in SORTED_BY.items():
            target = made / f"{table}.parquet"
            connection.execute(f"copy (from {table} order by {order}) to '{target}' (format parquet, compression zstd)")
            facts[table] = connection.execute(f"select count(*) from {table}").fetchall()[0][0]
    (made / "facts.json").write_text(json.dumps(facts))
    made.rename(folder)
