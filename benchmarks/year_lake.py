"""Make the lakes of `queries.py`, and beside each one hand-sorted Parquet file a table.

A year of two made-up accounts, with names, bots, topics and time zones, is made once and kept in a folder; an interrupted run
goes on where it was. It makes, loads and deletes the source files of a month at a time; the lake's landing zone keeps its
copies.
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
from pipeline.lake.sql import literal
from pipeline.sandbox import Account
from pipeline.sandbox.names import name_files, settings_rows
from pipeline.schema import FACTS, TABLES
from pipeline.warehouse.library import create_views
from pipeline.warehouse.name_tables import set_topics
from pipeline.warehouse.names import NAME_TABLES
from pipeline.warehouse.published import FILE_NAME
from pipeline.warehouse.rules import RuleRow

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
} | {name: "date, account_id, conversation_id, " + table.key[-1] for name, table in FACTS.items()}
_TOPICS = "name,pattern\nrefund,refund|money back\ndelivery,deliver|parcel|track\npassword,password|log ?in\n"
_DAYS_A_LOAD = 30


@dataclass(frozen=True)
class SortedLake:
    """A lake, and beside it the same rows as one Parquet file a table; the number of rows of each table."""

    lake: Path
    sorted_files: Path
    rows: dict[str, int]

    def open_lake(self) -> duckdb.DuckDBPyConnection:
        """Open the lake as its users do."""
        return pipeline.open(str(self.lake))

    def open_sorted(self) -> duckdb.DuckDBPyConnection:
        """Open the same views over the hand-sorted files, with the lake's settings, names and topics."""
        connection = duckdb.connect()
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set parquet_metadata_cache = true")  # as the lake has it
        for table in TABLES:
            file = literal(f"{self.sorted_files}/{table}.parquet")
            connection.execute(f"create view {table} as from read_parquet({file}, hive_partitioning = false)")
        with self.open_lake() as lake:
            rules = lake.execute("select setting, account_id, value from settings").fetchall()
            create_views(connection, rules=[RuleRow(*rule) for rule in rules])
            for one in NAME_TABLES:
                names = lake.sql(f"from {one.name}").to_arrow_table()  # noqa: F841 - the next statement reads it
                connection.execute(f"insert into {one.name} from names")
        set_topics(connection)
        return connection


def year_lake(data: Path, *, days: int = YEAR_DAYS) -> SortedLake:
    """Return the lake of so many days; make it if it is missing."""
    folder = data / f"queries-{days}"
    lake, facts = folder / "lake", folder / "rows.json"
    if not facts.exists():
        lake.mkdir(parents=True, exist_ok=True)
        _load_days(folder, days)
        _write_names(lake)
        _lakehouse("compact", "--lake", str(lake))
        facts.write_text(json.dumps(_sort_by_hand(lake, folder / "sorted")))
    return SortedLake(lake, folder / "sorted", json.loads(facts.read_text()))


def taken_lake(lake: Path, data: Path) -> SortedLake:
    """Return a lake that is there; sort its rows by hand, anew each time. The lake stays as it is."""
    made = data / "queries-taken"
    return SortedLake(lake, made, _sort_by_hand(lake, made))


def _write_names(lake: Path) -> None:
    """Write the settings, names and topics of the made-up accounts; those in the lake make way."""
    for name, text in name_files(ACCOUNTS).items():
        (lake / name).write_text(text)
    (lake / "topics.csv").write_text(_TOPICS)
    (lake / "settings.csv").write_text("setting,account_id,value,about\n" + settings_rows(ACCOUNTS))


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


def _sort_by_hand(lake: Path, made: Path) -> dict[str, int]:
    """Write each table for such queries by hand: sorted, in DuckDB's own row groups. Returns the rows of each."""
    rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    rows = {}
    with duckdb.connect(str(lake / FILE_NAME), read_only=True) as connection:
        for table, order in _SORTED_BY.items():
            file = literal(f"{made}/{table}.parquet")
            copied = connection.execute(f"copy (from {table} order by {order}) to {file} (format parquet, compression zstd)")
            rows[table] = copied.fetchall()[0][0]
    return rows
