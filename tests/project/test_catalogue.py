"""The catalogue docs/metrics.json holds for the DuckDB file, and the SQL says how each measure is counted."""

import io
import json
import re
from collections.abc import Iterator
from typing import Any, Final

import duckdb
import pytest
from documents import conversation, document, gz, name_at, put
from lakes import take
from oracle.views import VIEWS
from places import ROOT

from pipeline.cli.shell import shell
from pipeline.lake.lake import Lake
from pipeline.schema import FACTS, TABLES
from pipeline.warehouse.catalogue import how_counted, key_of
from pipeline.warehouse.database import connect
from pipeline.warehouse.library import View, ordered_views

CATALOGUE: Final = json.loads((ROOT / "docs" / "metrics.json").read_text(encoding="utf-8"))
ENTRIES: Final[dict[str, dict[str, Any]]] = {entry["name"]: entry for entry in CATALOGUE["views"]}
AGGREGATES: Final = [entry for entry in CATALOGUE["views"] if entry["theme"] not in {"facts", "steps", "dimensions"}]
# A mean of time has no n; the times of loads are of all conversations of known files; the files of an account are in no column.
WITHOUT: Final = {
    ("queue_length", "waiting_avg"),
    ("source_lateness_daily", "load_p50_hours"),
    ("unknown_fields", "file_share"),
}
SHARE: Final = re.compile(r"share|.*_share|.*_ratio|.*_per_conversation|(agent_)?concurrency")
# Their numerator is the sum over lower buckets, or the rest of the conversations: the meaning says it in words.
IN_WORDS: Final = re.compile(r"cumulative_share|.*_null_share")
MEAN: Final = re.compile(r".*_(avg|p\d+)(_\w+)?|.*_mean")

each_aggregate = pytest.mark.parametrize("entry", AGGREGATES, ids=lambda entry: entry["name"])


def columns_of(entry: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The columns of an entry by name."""
    return {column["name"]: column for column in entry["columns"]}


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield the DuckDB file of a lake with one conversation."""
    folder = tmp_path_factory.mktemp("catalogue")
    lake = Lake(str(folder / "lake"))
    put(folder / "in", gz(document(conversation("a"))), name_at(1))
    take(lake, folder / "in")
    with connect(lake) as connection:
        yield connection


def comments(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, tuple[str, str | None]]]:
    """The columns of each table and view, with type and comment."""
    found: dict[str, dict[str, tuple[str, str | None]]] = {}
    for view, column, column_type, comment in connection.execute(
        "select table_name, column_name, data_type, comment from duckdb_columns() where not internal"
    ).fetchall():
        found.setdefault(view, {})[column] = (column_type, comment)
    return found


def test_the_catalogue_is_that_of_the_duckdb_file(connection: duckdb.DuckDBPyConnection) -> None:
    """Facts and views of a lake's DuckDB file are in it, each with its columns, their types and their comments."""
    found = comments(connection)

    assert {view.name for view in ordered_views()} | set(FACTS) == set(ENTRIES)
    for name, entry in ENTRIES.items():
        listed = {column["name"]: (column["type"], column["meaning"]) for column in entry["columns"]}
        assert listed == found[name], name


def test_each_table_view_and_column_has_a_meaning(connection: duckdb.DuckDBPyConnection) -> None:
    """The DuckDB file has a sentence for each; those of the lake's tables are in the schema."""
    abouts = "select table_name, comment from duckdb_tables() where not internal union all "
    abouts += "select view_name, comment from duckdb_views() where not internal"
    found = comments(connection)

    assert [name for name, comment in connection.execute(abouts).fetchall() if not comment] == []
    assert [
        (name, column) for name, columns in found.items() for column in columns if not str(columns[column][1]).endswith(".")
    ] == []
    for table in TABLES.values():
        assert {column: comment for column, (_, comment) in found[table.name].items()} == {
            column.name: column.about for column in table.shown
        }


@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.long)])
def test_the_shell_describes_each_column(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], step: int
) -> None:
    """`.describe` of each fact and view, or of some, shows every column with its type and its meaning."""
    entries = dict([*ENTRIES.items()][::step])
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f".describe {name}\n" for name in entries) + ".quit\n"))
    shell(connection, "json", "off")
    described = re.findall(r"^\S*(?:lake> )?(\[.*?\n?\])$", capsys.readouterr().out, re.DOTALL | re.MULTILINE)
    for shown, (name, entry) in zip(described, entries.items(), strict=True):
        assert json.loads(shown) == [
            {"column_name": column["name"], "data_type": column["type"], "about": column["meaning"]}
            for column in entry["columns"]
        ], name


@each_aggregate
def test_shares_have_numerator_and_denominator(entry: dict[str, Any]) -> None:
    """The meaning of a share or ratio names both, as columns of the view."""
    columns = columns_of(entry)
    for name, column in columns.items():
        if SHARE.fullmatch(name) and (entry["name"], name) not in WITHOUT:
            assert "denominator" in column, name
            assert "numerator" in column or IN_WORDS.fullmatch(name), name
            operands = f"{column.get('numerator', '')} {column['denominator']}"
            assert set(re.findall(r"\w+", operands)) <= set(columns), name


@each_aggregate
def test_means_and_percentiles_have_their_n(entry: dict[str, Any]) -> None:
    """The meaning of a mean or percentile names the column that counts its values."""
    columns = columns_of(entry)
    for name, column in columns.items():
        if MEAN.fullmatch(name) and (entry["name"], name) not in WITHOUT:
            assert column.get("n") in columns, name


@each_aggregate
def test_bots_are_apart_from_people_or_the_header_says_so(entry: dict[str, Any]) -> None:
    """Each view of a type of conversations has bots apart, in rows or columns of their own, or names them in its header."""
    columns = columns_of(entry)
    if "type" in entry["key"] and entry["theme"] not in {"bots", "topics"}:
        is_apart = "is_bot" in columns or any(re.match("bot_|people_", name) for name in columns)
        assert is_apart or re.search(r"\b(bots?|people)\b", entry["counts"], re.IGNORECASE), entry["counts"]


@each_aggregate
def test_keys_are_those_of_the_second_implementation(entry: dict[str, Any]) -> None:
    """The grain of each view names its key; a conversation needs no date beside its id."""
    assert entry["key"], entry["grain"]
    if entry["name"] in VIEWS:
        key = set(VIEWS[entry["name"]][1])
        assert set(entry["key"]) == (key - {"date"} if "conversation_id" in key else key)


@pytest.mark.parametrize("view", ordered_views(only=("facts",)), ids=lambda view: view.name)
def test_keys_of_facts(view: View) -> None:
    """The key of a fact begins with account and conversation, and names its columns."""
    if view.name in FACTS:
        entry = ENTRIES[view.name]
        assert entry["key"][:2] == ["account_id", "conversation_id"]
        assert set(entry["key"]) <= set(columns_of(entry))


def test_what_is_read_from_a_meaning() -> None:
    """A quotient, also one of sums in brackets, a count, and nothing of other words."""
    columns = {"a_count", "b_count", "c_sum", "d_share", "d_avg", "d_p50"}

    assert how_counted("d_share", "a_count / (a_count + b_count).", columns) == {
        "numerator": "a_count",
        "denominator": "a_count + b_count",
    }
    assert how_counted("d_avg", "Mean wait: c_sum / a_count.", columns) == {
        "numerator": "c_sum",
        "denominator": "a_count",
        "n": "a_count",
    }
    assert how_counted("d_p50", "Median of the b_count waits.", columns) == {"n": "b_count"}
    assert how_counted("d_share", "Share of the b_count waits.", columns) == {"denominator": "b_count"}
    assert how_counted("d_share", "e_count / all.", columns) == {}


def test_what_is_read_from_a_grain() -> None:
    """Columns before the first stop, those of the row of a table, and none where a row's own are missing."""
    columns = ["account_id", "conversation_id", "date", "type", "position"]

    assert key_of("one row per account_id, date (UTC; of position) and type. position.", columns) == [
        "account_id",
        "date",
        "type",
    ]
    assert key_of("one row per row of messages.", columns) == ["account_id", "conversation_id", "position"]
    assert key_of("one row per conversation with an end.", columns) == ["account_id", "conversation_id"]
    assert key_of("one row per segment with an agent.", columns) == []


def test_local_days_are_no_utc_days() -> None:
    """A day whose meaning names the account's clocks has a local unit, in each view; the others are in UTC."""
    columns = [column for entry in CATALOGUE["views"] for column in entry["columns"] if column["type"] == "DATE"]
    local = [column["meaning"] for column in columns if column.get("unit") == "local day"]

    assert local
    assert all(re.search("(account|zone)'s clocks", meaning) for meaning in local)
    assert not [column for column in columns if "'s clocks" in column["meaning"] and column.get("unit") != "local day"]
    found = {column["name"] for column in ENTRIES["calendar"]["columns"] if column.get("unit") == "local day"}
    assert found == {"date", "week", "month"}
