"""A lake from Python, and how little of it a query reads."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from documents import DAY_MS, START, conversation, document, gz, message, put
from lakes import take
from places import ROOT

import pipeline
from pipeline.errors import LakeError
from pipeline.lake.lake import Lake
from pipeline.warehouse.library import ordered_views
from pipeline.warehouse.published import problem_with_file

TRANSFER = {"timestamp": {"string": "2016-07-25 17:55:00"}, "skillId": {"long": 3}, "targetSkillId": {"long": 4}}
DAYS = 4
DAY = "2016-07-26"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A conversation with lines of both sides and a transfer on each of four days."""
    folder = tmp_path_factory.mktemp("open")
    conversations = []
    for day in range(DAYS):
        start = START + day * DAY_MS
        lines = [message(timestamp=start), message("yes?", timestamp=start + 5000, type={"string": "1"})]
        conversations.append(conversation(f"c{day}", start=start, messages=lines, transfers={"array": [TRANSFER]}))
    lake = Lake(str(folder / "lake"))
    take(lake, put(folder, gz(*map(document, conversations))))
    return lake


@pytest.mark.parametrize("with_twins", [False, pytest.param(True, marks=pytest.mark.long)])
def test_the_oldest_client_opens_every_view(lake: Lake, *, with_twins: bool) -> None:
    """DuckDB 1.4, in a process that has nothing of ours, reads as many rows of every table and view as today's.

    Twins are the same text with other days.
    """
    oldest = Path(sys.prefix) / "oldest-duckdb"
    if not oldest.exists():
        pytest.skip(f"make test puts DuckDB 1.4 into {oldest}")
    count = """
import duckdb, json, sys
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    assert len(sys.argv) == 3 or duckdb.__version__ == sys.argv[3]
    names = connection.execute("select view_name from duckdb_views() where not internal").fetchall()
    read = {name for (name,) in names} - {*json.loads(sys.argv[2])}
    print(json.dumps({name: connection.execute(f"select count(*) from (from {name})").fetchall()[0][0] for name in read}))
"""
    rows = []
    twins = json.dumps([view.name for view in ordered_views() if view.twin_of and not with_twins])
    for version, folder in (([], ""), (["1.4.0"], str(oldest))):
        command = [sys.executable, "-c", count, str(Path(lake.root) / "lakehouse.duckdb"), twins, *version]
        ran = subprocess.run(command, env=os.environ | {"PYTHONPATH": folder}, check=True, capture_output=True, text=True)
        rows.append(json.loads(ran.stdout))

    assert rows[0] == rows[1]
    assert rows[0]["conversation_metrics"] == DAYS


@pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")  # how DuckDB calls pandas
def test_a_query_becomes_a_frame_of_any_kind(lake: Lake) -> None:
    """`pipeline.open(...).sql(...)` is a DuckDB relation, which Polars, pandas and Arrow take."""
    with pipeline.open(lake.uri) as connection:
        relation = connection.sql("select conversation_id, conversation_start_time from conversations order by 1")
        assert isinstance(relation, duckdb.DuckDBPyRelation)
        polars, arrow, frame = relation.pl(), pa.table(relation.arrow()), relation.df()
    start = datetime(2016, 7, 25, 17, 54, 41, 856_000, UTC)
    assert isinstance(polars, pl.DataFrame)
    assert type(frame).__module__.startswith("pandas")
    assert polars.row(0) == ("c0", start)
    assert arrow.to_pylist()[0] == {"conversation_id": "c0", "conversation_start_time": start}
    assert str(frame.conversation_start_time[0]) == "2016-07-25 17:54:41.856000+00:00"


def test_a_lake_of_an_older_version_has_every_view(lake: Lake) -> None:
    """The DuckDB file that an older version made, without a view of this one, is made anew when it is opened."""
    with duckdb.connect(str(Path(lake.root) / "lakehouse.duckdb")) as older:
        older.execute("drop view named_responses")
    with pipeline.open(lake.uri) as connection:
        assert connection.sql("select skill_name from named_responses").fetchall() == [(None,)] * DAYS


@pytest.mark.parametrize("macro", ["parquet_files_of_conversations", "parquet_files_of_files"])
@pytest.mark.parametrize("change", ["drop macro {}", "create or replace macro {}() as 'nowhere'"])
def test_a_file_that_says_no_more_where_rows_are_is_made_anew(lake: Lake, macro: str, change: str) -> None:
    """Another client can drop or change the macro that lists the Parquet files of a table."""
    with duckdb.connect(str(Path(lake.root) / "lakehouse.duckdb")) as client:
        client.execute(change.format(macro))
    with pipeline.open(lake.uri) as connection:
        assert connection.sql("select count(*) from conversations join files using (account_id)").fetchall() != [(0,)]
    assert problem_with_file(lake) is None


def test_the_lake_is_that_of_the_command(lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a name it is LAKE_URI's, from `.env` too, and ./lake by default; one that is not there says so."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LAKE_URI", raising=False)
    with pytest.raises(LakeError, match=r"/lake: there is no lake; load something first"):
        pipeline.open()
    (tmp_path / ".env").write_text(f"LAKE_URI={lake.uri}\n")
    with pipeline.open() as connection:
        assert connection.sql("select count(*) from conversations").fetchall() == [(DAYS,)]


def test_a_slow_query_draws_nothing_among_the_results(lake: Lake) -> None:
    """DuckDB's progress bar, which it draws on standard output even in a pipe, is off."""
    with pipeline.open(lake.uri) as connection:
        assert connection.sql("select current_setting('enable_progress_bar')").fetchall() == [(False,)]


def test_importing_the_package_costs_nothing() -> None:
    """`import pipeline` loads no library, so that it can stand at the top of any script."""
    program = "import sys, pipeline; print([m for m in ('duckdb', 'pyarrow', 'numpy', 'deltalake') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("condition", [f"date = '{DAY}'", f"date between '{DAY}' and '{DAY}'", f"'{DAY}' = date"])
def test_a_day_of_conversation_metrics_reads_that_day_s_files(lake: Lake, condition: str) -> None:
    """Every scan of a table opens one Parquet file of the four, by DuckDB's own count."""
    with pipeline.open(lake.uri) as connection:
        assert files_read(connection, f"from conversation_metrics where {condition}") == {"1"}
        assert files_read(connection, "from conversation_metrics") == {str(DAYS)}


def test_a_day_of_conversation_metrics_needs_no_other_day(lake: Lake, tmp_path: Path) -> None:
    """With the files of the days after it spoilt, a day is still answered; DuckDB looks at the first file for the columns."""
    copied = tmp_path / "lake"
    shutil.copytree(lake.uri, copied)
    with pipeline.open(str(copied)) as connection:
        for path in copied.glob("*/date=*/*.parquet"):
            if path.parent.name > f"date={DAY}":
                path.write_bytes(b"spoilt")
        query = "select conversation_id, response_count, transfer_count from conversation_metrics"
        assert connection.sql(f"{query} where date = '{DAY}'").fetchall() == [("c1", 1, 1)]
        with pytest.raises(duckdb.Error, match=r"date=2016-07-2[78]"):
            connection.sql(query).fetchall()


def test_no_measure_reads_what_was_said(lake: Lake) -> None:
    """No scan of messages takes `text`, but where a view shows it; twins are the same text with other days."""
    names = [view.name for view in ordered_views() if not view.twin_of]
    with pipeline.open(lake.uri) as connection:
        reading = {name for name in names if "text" in columns_scanned(connection, f"from {name}")}
    assert reading == {"message_labels"}


def files_read(connection: duckdb.DuckDBPyConnection, query: str) -> set[Any]:
    """How many files each scan of a query read."""
    return set(found(profile(connection, f"explain (analyze, format json) {query}"), "Total Files Read"))


def columns_scanned(connection: duckdb.DuckDBPyConnection, query: str) -> set[str]:
    """The columns that the scans of a query take."""
    plan = profile(connection, f"explain (format json) {query}")
    return {column for node in scans(plan) for column in columns_of(node)}


def scans(node: Any) -> Iterator[dict[str, Any]]:
    """Every operator of a plan that reads Parquet files."""
    for inner in node.values() if isinstance(node, dict) else node:
        if isinstance(inner, dict | list):
            yield from scans(inner)
    if isinstance(node, dict) and "READ_PARQUET" in str(node.get("name", "")).upper():
        yield node


def columns_of(scan: dict[str, Any]) -> list[str]:
    """The columns that a scan projects."""
    projections = scan["extra_info"]["Projections"]
    return [projections] if isinstance(projections, str) else projections


def profile(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    """DuckDB's plan, or profile, as JSON."""
    return json.loads(connection.sql(query).fetchall()[0][1])


def found(node: Any, key: str) -> Iterator[Any]:
    """Every value of that key, however deep."""
    for name, inner in node.items() if isinstance(node, dict) else enumerate(node):
        if name == key:
            yield inner
        elif isinstance(inner, dict | list):
            yield from found(inner, key)
