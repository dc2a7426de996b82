"""Make the lake of `queries.py`: a year of two made-up accounts, and beside it one hand-sorted Parquet file a table.

It is made once and kept in a folder; an interrupted run goes on where it was. It makes, loads and deletes the source files of a
month at a time; the lake's landing zone keeps its copies.
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

import duckdb
from approaches import lakehouse_command
from made_files import write_day

import pipeline
from pipeline.sandbox import Account
from pipeline.schema import TABLES
from pipeline.warehouse.library import create_views

FIRST_DAY = datetime(2025, 11, 1, tzinfo=UTC)
YEAR_DAYS = 365
ACCOUNTS = (
    Account("75555851", conversations_per_day=1_890, time_zone="America/New_York", tagged=False),
    Account("20348697", conversations_per_day=890, time_zone="Europe/London", messaging_share=0.55, tagged=True),
)
_SORTED_BY = {
    "conversations": "date, account_id, conversation_start_time, conversation_id",
    "messages": "date, account_id, conversation_id, position",
    "transfers": "date, account_id, conversation_id, position",
    "files": "account_id, name",
    "rejects": "account_id, source_file, document",
    "listings": "account_id, hour",
}
_DAYS_A_LOAD = 30


@dataclass(frozen=True)
class YearLake:
    """A lake, compacted, and beside it the same rows as one Parquet file a table; the number of rows of each table."""

    folder: Path
    rows: dict[str, int]

    def open_lake(self) -> duckdb.DuckDBPyConnection:
        """Open the lake as its users do."""
        return pipeline.open(str(self.folder / "lake"))

    def open_sorted(self) -> duckdb.DuckDBPyConnection:
        """Open the same views over the hand-sorted files."""
        connection = duckdb.connect()
        connection.execute("set TimeZone = 'UTC'")
        for table in TABLES:
            connection.execute(f"create view {table} as from read_parquet('{self.folder}/sorted/{table}.parquet')")
        create_views(connection)
        return connection


def year_lake(data: Path, *, days: int = YEAR_DAYS) -> YearLake:
    """Return the lake of so many days; make it if it is missing."""
    folder = data / f"queries-{days}"
    facts = folder / "rows.json"
    if not facts.exists():
        (folder / "lake").mkdir(parents=True, exist_ok=True)
        _load_days(folder, days)
        _lakehouse("compact", "--lake", str(folder / "lake"))
        facts.write_text(json.dumps(_sort_by_hand(folder)))
    return YearLake(folder, json.loads(facts.read_text()))


def _load_days(folder: Path, days: int) -> None:
    progress = folder / "days-loaded"
    done = int(progress.read_text()) if progress.exists() else 0
    for first in range(done, days, _DAYS_A_LOAD):
        chosen = [FIRST_DAY + timedelta(days=number) for number in range(first, min(days, first + _DAYS_A_LOAD))]
        with TemporaryDirectory(dir=folder) as made:
            _write_days(Path(made), chosen)
            _lakehouse("load", made, "--lake", str(folder / "lake"))
        progress.write_text(str(first + len(chosen)))
        print(f"{first + len(chosen)} of {days} days made and loaded", file=sys.stderr, flush=True)


def _lakehouse(*words: str) -> None:
    subprocess.run((*lakehouse_command(), *words), check=True, capture_output=True)  # noqa: S603 - our own command


def _write_days(folder: Path, days: list[datetime]) -> None:
    jobs = [(folder / account.account_id, day, account) for account in ACCOUNTS for day in days]
    for account in ACCOUNTS:
        (folder / account.account_id).mkdir()
    with ProcessPoolExecutor() as pool:
        for _ in pool.map(write_day, *zip(*jobs, strict=True), chunksize=_DAYS_A_LOAD // 2):
            pass


def _sort_by_hand(folder: Path) -> dict[str, int]:
    """Write each table for such queries by hand: sorted, in DuckDB's own row groups. Returns the rows of each."""
    made = folder / "sorted"
    rmtree(made, ignore_errors=True)
    made.mkdir()
    rows = {}
    with pipeline.open(str(folder / "lake")) as connection:
        for table, order in _SORTED_BY.items():
            copied = connection.execute(
                f"copy (from {table} order by {order}) to '{made}/{table}.parquet' (format parquet, compression zstd)"
            )
            rows[table] = copied.fetchall()[0][0]
    return rows
