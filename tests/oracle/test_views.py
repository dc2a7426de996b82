"""The views agree with a second implementation on made-up accounts, and with themselves when what does not matter changes."""

import math
from datetime import UTC, datetime, timedelta
from gzip import compress, decompress
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import polars as pl
import pytest
from dirty_tables import with_holes
from lakes import take

from oracle import VIEWS
from oracle.days import days_of
from pipeline.lake.lake import Lake
from pipeline.sandbox import Account, file_bytes, hour_file_names
from pipeline.schema import TABLES
from pipeline.warehouse import library
from pipeline.warehouse.database import connect
from pipeline.warehouse.rules import RuleRow, filled_up

# Clocks in New York are set back on 1 November 2026.
UNTIL = datetime(2026, 11, 3, tzinfo=UTC)
ACCOUNTS = (
    Account("75555851", conversations_per_day=40, time_zone="America/New_York", load=1.1, tagged=False),
    Account("20348697", conversations_per_day=25, time_zone="Europe/London", messaging_share=0.55, tagged=True),
)
ZONES = ("America/Havana", "Asia/Beirut", "Australia/Lord_Howe")  # midnight twice, midnight left out, half an hour
NEW_YORK = filled_up([RuleRow("time_zone", None, "America/New_York")])
NO_ROWS: dict[str, pl.DataFrame] = {
    name: pl.DataFrame(pl.from_arrow(table.arrow_schema.empty_table())) for name, table in TABLES.items()
}


Row = dict[str, Any]


def made_tables(folder: Path, accounts: tuple[Account, ...], days: int) -> dict[str, pl.DataFrame]:
    """The tables of a lake with the last days before `UNTIL`, and with the holes that real ones have."""
    source = folder / "source"
    for account in accounts:
        for hours in range(24 * days):
            for name in hour_file_names(account, UNTIL - timedelta(hours=hours + 1)):
                path = source / account.account_id / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(file_bytes(account, name))
    lake = Lake(str(folder / "lake"))
    take(lake, source)
    with connect(lake) as loaded:
        return with_holes({name: loaded.sql(f"from {name}").pl() for name in TABLES})


def over(tables: dict[str, pl.DataFrame]) -> duckdb.DuckDBPyConnection:
    """A database with these tables and every view, in New York's time."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    for name, table in tables.items():
        connection.register("rows", table.to_arrow())
        connection.execute(f"create table {name} as from rows")
        connection.unregister("rows")
    library.create_views(connection, rules=NEW_YORK)
    return connection


@pytest.fixture(scope="module")
def few_days(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    """Three days of two accounts."""
    return made_tables(tmp_path_factory.mktemp("days"), ACCOUNTS, 3)


def rows_of(frame: pl.DataFrame) -> list[Row]:
    """The rows in one order: by what is no fraction, then by what is one."""

    def place(row: Row) -> list[tuple[bool, bool, str]]:
        cells = [(isinstance(value, float), value is None, value) for value in row.values()]
        return sorted((is_float, is_none, f"{value:.3f}" if is_float else str(value)) for is_float, is_none, value in cells)

    return sorted(frame.to_dicts(), key=place)


def assert_same(found: list[Row], expected: list[Row], name: str) -> None:
    """The same rows, fractions to the microsecond."""
    assert len(found) == len(expected), name
    for row, other in zip(found, expected, strict=True):
        assert row.keys() == other.keys(), name
        assert [cell for cell in row if not is_same(row[cell], other[cell])] == [], (name, row, other)


def is_same(one: Any, other: Any) -> bool:
    """Whether two values are equal, fractions to the microsecond."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=0, abs_tol=1e-6)
    return bool(one == other)


def view(connection: duckdb.DuckDBPyConnection, name: str) -> pl.DataFrame:
    """A view's rows."""
    frame: pl.DataFrame = connection.sql(f"from {name}").pl()
    return frame


NAMES = [found.name for found in library.ordered_views() if found.name != "local_days"]
COMPARED = {name: f"select * from {name}" for name in NAMES}


def everything(connection: duckdb.DuckDBPyConnection) -> dict[str, list[Row]]:
    """The rows of every view but the calendar."""
    return {name: rows_of(connection.sql(query).pl()) for name, query in COMPARED.items()}


@pytest.fixture(scope="module")
def answers(few_days: dict[str, pl.DataFrame]) -> dict[str, list[Row]]:
    """What every view says of the few days."""
    with over(few_days) as connection:
        return everything(connection)


def test_every_view_has_a_second_implementation() -> None:
    """No view is without one, and none of them is left over."""
    assert set(VIEWS) == {view.name for view in library.ordered_views()}


@pytest.mark.parametrize("name", NAMES)
def test_agrees_with_the_second_implementation(
    few_days: dict[str, pl.DataFrame], answers: dict[str, list[Row]], name: str
) -> None:
    """The view has rows, and they are those of the second implementation to the microsecond."""
    found = answers[name]

    assert found != []
    assert_same(found, rows_of(VIEWS[name](few_days).select(list(found[0]))), name)


def test_days_are_those_of_the_time_zone_database() -> None:
    """A day begins when the clocks begin to show it, also where they change at midnight, and ends when the next begins."""
    zones = [RuleRow("time_zone", f"{number}", zone) for number, zone in enumerate(ZONES)]
    with over(NO_ROWS) as connection:
        library.set_rules(connection, filled_up([RuleRow("time_zone", None, ZONES[0]), *zones]))
        found = view(connection, "local_days").sort("time_zone", "local_date").to_dicts()

    assert found == [day for zone in ZONES for day in days_of(ZoneInfo(zone))]


@pytest.mark.long
def test_agrees_on_a_month(tmp_path: Path) -> None:
    """All views agree with their second implementation on a month of two larger accounts."""
    larger = (
        Account("75555851", conversations_per_day=500, time_zone="America/New_York", tagged=False),
        Account("20348697", conversations_per_day=250, time_zone="Europe/London", messaging_share=0.55, tagged=True),
    )
    tables = made_tables(tmp_path, larger, 31)
    with over(tables) as connection:
        for name in NAMES:
            found = view(connection, name)
            assert_same(rows_of(found), rows_of(VIEWS[name](tables).select(found.columns)), name)


def test_order_of_rows_does_not_matter(few_days: dict[str, pl.DataFrame], answers: dict[str, list[Row]]) -> None:
    """Shuffled tables give the same rows in every view."""
    with over({name: table.sample(fraction=1, shuffle=True, seed=7) for name, table in few_days.items()}) as shuffled:
        found = everything(shuffled)

    for name in NAMES:
        assert_same(found[name], answers[name], name)


def test_time_of_year_does_not_matter(few_days: dict[str, pl.DataFrame]) -> None:
    """Seven days later everything is as before, seven days later; both weeks are on one side of the change of clocks."""
    before = filled_up([RuleRow("time_zone", None, "UTC")])
    week = pl.duration(days=7)
    moved = {name: table.with_columns(pl.selectors.temporal() + week) for name, table in few_days.items()}
    with over(moved) as later, over(few_days) as now:
        for connection in (later, now):
            library.set_rules(connection, before)
        for name in NAMES:
            shifted = now.sql(COMPARED[name]).pl().with_columns(pl.selectors.temporal() + week)
            if "start_seconds" in shifted.columns:
                shifted = shifted.with_columns(pl.col("start_seconds") + 7 * 86400)
            assert_same(rows_of(view(later, name)), rows_of(shifted), name)


def test_accounts_do_not_meet(few_days: dict[str, pl.DataFrame], answers: dict[str, list[Row]]) -> None:
    """With every account there twice, under another name, each has the rows that it had alone."""
    again = pl.col("account_id") + "-again"
    tables = {name: pl.concat([table, table.with_columns(again)]) for name, table in few_days.items()}
    with over(tables) as doubled:
        for name in NAMES:
            rows = answers[name]
            if rows and "account_id" in rows[0]:
                twice = pl.concat([frame := pl.DataFrame(rows, infer_schema_length=None), frame.with_columns(again)])
                assert_same(rows_of(view(doubled, name)), rows_of(twice), name)


def test_a_file_may_come_in_parts(tmp_path: Path) -> None:
    """The documents of a file, split over two files of its hour, give the same rows in every view of conversations."""
    account = ACCOUNTS[0]
    (name,) = hour_file_names(account, UNTIL - timedelta(hours=5))
    documents = decompress(file_bytes(account, name)).splitlines(keepends=True)
    half = len(documents) // 2
    assert half > 0
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for folder in (whole, parts):
        folder.mkdir()
    (whole / name).write_bytes(compress(b"".join(documents)))
    (parts / name).write_bytes(compress(b"".join(documents[:half])))
    (parts / name.replace("part-00000", "part-00001")).write_bytes(compress(b"".join(documents[half:])))
    found = []
    for folder in (whole, parts):
        lake = Lake(str(tmp_path / f"lake {folder.name}"))
        take(lake, folder)
        with connect(lake) as connection:
            of_files = {
                "source_daily",
                "source_freshness",
                "source_hours",
                "source_lateness_daily",
            }  # counts of files, times of loads
            found.append({name: rows_of(view(connection, name)) for name in NAMES if name not in of_files})

    for name, rows in found[0].items():
        assert_same(found[1][name], rows, name)
