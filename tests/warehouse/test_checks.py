"""`lakehouse check`: what it says of what it finds."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from made_lake import make_lake, write_lake

from pipeline.cli.query import run_checks
from pipeline.warehouse.library import Check, checks


def test_a_finding_says_what_it_means_and_how_to_see_it(tmp_path: Path) -> None:
    """A finding has its number of rows, its meaning, and a file with the query that lists them."""
    day = datetime(2024, 3, 5, tzinfo=UTC)
    conversation = {"account_id": "a", "conversation_id": "1", "date": day.date(), "mcs": 101.0}
    out = io.StringIO()
    with duckdb.connect(write_lake(tmp_path, {"conversations": [conversation]}), read_only=True) as connection:
        assert run_checks(connection, out) == 1
        said = out.getvalue()
        (command,) = (line for line in said.splitlines() if "lakehouse sql <" in line)
        listed = connection.sql(Path(command.partition("< ")[2].strip("'")).read_text()).fetchall()

    assert "FIND  mcs_range\n      1 row: A Meaningful Connection Score is not on the account's scale" in said
    assert [row[:2] for row in listed] == [("a", "1")]
    assert said.count("ok  ") == len(checks()) - 1


def test_nothing_to_find(tmp_path: Path) -> None:
    """Two weeks in which nothing contradicts itself are fine by every check."""
    out = io.StringIO()
    with duckdb.connect(make_lake(tmp_path), read_only=True) as connection:
        assert run_checks(connection, out) == 0, out.getvalue()


def totals_agree() -> Check:
    """The check that compares the totals of views."""
    (check,) = (check for check in checks() if check.name == "totals_agree")
    return check


@pytest.fixture(scope="module")
def agreeing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A lake whose totals agree."""
    with duckdb.connect(make_lake(tmp_path_factory.mktemp("agreeing"))) as connection:
        assert connection.sql(totals_agree().sql).fetchall() == []
        yield connection


@pytest.mark.parametrize(
    ("view", "sql"),
    [
        ("wait_histogram_daily", "select * replace (people_queued_count + 1 as people_queued_count) from before"),
        ("mcs_band_daily", "select * replace (banded_count - 1 as banded_count) from before"),
        ("arrivals_by_interval", "from before where people_entry_count <> 1"),
        ("queue_by_interval", "select * replace (offered_count + 1 as offered_count) from before"),
        ("queue_time_by_skill", "from before where skill_id <> 12"),
        ("queue_time_local_daily", "select * replace (entry_count - 1 as entry_count) from before"),
        ("queue_time_daily", "select * replace (answered_count + 1 as answered_count) from before"),
        ("service_level_daily", "select * replace (people_answered_count + 1 as people_answered_count) from before"),
    ],
)
def test_totals_that_differ_are_found(agreeing: duckdb.DuckDBPyConnection, view: str, sql: str) -> None:
    """A view that counts wrong is named, as if its file were wrong."""
    agreeing.begin()
    agreeing.execute(f"create table before as from {view}")
    agreeing.execute(f"create or replace view {view} as {sql}")
    found = agreeing.sql(totals_agree().sql).fetchall()
    agreeing.rollback()

    assert found != []
