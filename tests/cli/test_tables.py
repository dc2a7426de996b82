"""Tables outside of a terminal: whole, and as wide as their values."""

import io
import os
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import duckdb
import pyarrow.parquet
import pytest
from commands import lakehouse, process
from documents import VENDOR_EXAMPLE
from lakes import take
from places import ROOT
from terminals import Terminal

from pipeline.cli.query import run_query
from pipeline.lake.lake import Lake


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose lake has the vendor's example."""
    folder = tmp_path_factory.mktemp("tables")
    take(Lake(str(folder / "lake")), VENDOR_EXAMPLE)
    return folder


def table(query: str, most_rows: int | None = None) -> list[str]:
    out = io.StringIO()
    run_query(duckdb.connect(), query, "table", out, most_rows=most_rows)
    return out.getvalue().splitlines()


def test_a_table_elsewhere_has_every_row_and_column() -> None:
    """More rows and columns than any screen: all are there, with their number below."""
    columns = ", ".join(f"range + {at} as column_with_the_number_{at}" for at in range(60))
    lines = table(f"select {columns} from range(12345)")
    rows = [line for line in lines if re.match(r"│ +\d", line)]
    assert len(rows) == 12345
    assert {line.count("│") for line in rows} == {61}
    assert [int(line.split("│")[1]) for line in rows] == list(range(12345))
    assert lines[-2].split() == ["12,345", "rows", "60", "columns"]


def test_a_table_is_as_wide_as_its_widest_value() -> None:
    """No value is cut, the columns stay in line, numbers stand at the right, and a line end is spelled out."""
    long = "x" * 3000
    lines = table(f"select * from (values (1, '{long}', null), (20, '日本', chr(10) || chr(27))) t(n, text, other)")
    assert long in lines[4]
    assert "│  1 │" in lines[4].replace("     ", "  ")
    assert r"\n\x1b" in lines[5]
    assert {len(line) for line in (*lines[:5], lines[6])} == {len(lines[0])}
    assert len(lines[5]) == len(lines[0]) - 2  # each of the two letters takes two columns
    assert lines[7:] == [""]


def test_a_small_table_is_what_duckdb_shows(capsys: pytest.CaptureFixture[str]) -> None:
    """Heads, types and values of every kind stand as in DuckDB's own table on a screen with room for it."""
    query = """select 1 as a, 2.50 as b, 'text' as c, true as d, date '2026-11-01' as e, [1, 2] as f, null as i, sum(1) as j,
        timestamptz '2026-11-01 10:00:00+00' as k, 0.1::float as l, 3::utinyint as m, 'a longer text' as n, [['x']] as o"""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    out = io.StringIO()
    relation = run_query(connection, query, "table", out)
    assert relation
    relation.show(max_width=500)
    assert out.getvalue().strip() == capsys.readouterr().out.strip()


def test_rows_are_chosen_by_number(place: Path) -> None:
    """`--rows N` shows N rows and says of how many; 0 shows all; a statement without a number all, too."""
    lines = table("from range(500)", 3)
    assert [line for line in lines if re.match(r"│ +\d", line)][-1].split()[1] == "2"
    assert lines[-2].split() == ["3", "of", "500", "rows", "1", "column"]
    assert len(table("from range(500)", 0)) == len(table("from range(500)")) == 507
    assert "2 of 5 rows" in lakehouse("sql", "from range(5)", "--rows", "2", cwd=place).stdout


def test_many_rows_take_no_memory() -> None:
    """A table of a million values is written from a file, not from memory."""
    tracemalloc.start()
    run_query(duckdb.connect(), "select range, range || 'text' from range(100000)", "table", Nowhere())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


class Nowhere(io.StringIO):
    """A stream that keeps nothing."""

    def write(self, text: str) -> int:
        """Forget a text."""
        return len(text)


def test_each_statement_shows_its_result(place: Path) -> None:
    """Several statements give several tables; one file has room for one result."""
    assert lakehouse("sql", "select 1 as a; select 2 as b", cwd=place).stdout.count("┌") == 2
    refused = lakehouse("sql", "select 1; select 2", "--format", "parquet", cwd=place)
    assert (refused.returncode, "expected one statement with rows for parquet, found 2" in refused.stderr) == (1, True)


def test_a_plan_is_a_drawing(place: Path) -> None:
    """`explain` shows DuckDB's drawing, line by line."""
    shown = lakehouse("sql", "explain select 1", cwd=place).stdout
    assert "explain_value" not in shown
    assert len(shown.splitlines()) > 3


@pytest.mark.parametrize(
    ("name", "begin"),
    [("a.csv", b"n,t\n"), ("a.JSON", b"[\n"), ("a.md", b"| n | t |\n"), ("a.parquet", b"PAR1"), ("a.txt", "┌".encode())],
)
def test_the_ending_of_a_file_tells_its_form(place: Path, name: str, begin: bytes) -> None:
    """`--output` writes csv, JSON, Markdown, Parquet or a table; --format tells otherwise; only the owner reads it."""
    done = lakehouse("sql", "select 1 as n, 'x' as t", "--output", name, cwd=place)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (place / name).read_bytes().startswith(begin)
    assert (place / name).stat().st_mode & 0o077 == 0
    lakehouse("sql", "select 1 as n", "--output", name, "--format", "line", cwd=place)
    assert (place / name).read_text() == "n = 1\n"


def test_a_file_is_written_whole_or_not_at_all(place: Path) -> None:
    """A query that fails in the middle leaves the former file, and nothing beside it."""
    (place / "kept.csv").write_text("former\n")
    before = sorted(place.iterdir())
    failing = "select case when range < 100000 then range else error('late') end from range(100001)"
    done = lakehouse("sql", failing, "--output", "kept.csv", cwd=place)
    assert (done.returncode, "late" in done.stderr) == (1, True)
    assert (place / "kept.csv").read_text() == "former\n"
    assert sorted(place.iterdir()) == before


def test_a_file_that_can_not_be_written_is_said(place: Path) -> None:
    """One sentence names it and the reason."""
    done = lakehouse("sql", "select 1", "--output", "nowhere/a.csv", cwd=place)
    assert (done.returncode, done.stderr) == (
        2,
        "lakehouse: the result cannot be written to nowhere/a.csv: No such file or directory; name another file\n",
    )


def test_parquet_goes_to_a_pipe_and_never_to_a_terminal(place: Path) -> None:
    """Bytes are for files and pipes; on a terminal one sentence names the remedy."""
    query = "select 1::bigint as n, 'ü' as t, timestamptz '2026-11-01 10:00:00+00' as at, [1, 2] as l"
    assert lakehouse("sql", query, "--output", "a.parquet", cwd=place).returncode == 0
    (row,) = pyarrow.parquet.read_table(place / "a.parquet").to_pylist()
    assert (row["n"], row["t"], row["at"].isoformat(), row["l"]) == (1, "ü", "2026-11-01T10:00:00+00:00", [1, 2])
    command = [sys.executable, "-m", "pipeline", "sql", query, "--format", "parquet"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LAKE_URI": "lake", "TERM": "dumb"}
    piped = subprocess.run(command, cwd=place, env=environment, capture_output=True, check=True).stdout
    assert pyarrow.parquet.read_table(io.BytesIO(piped)).to_pylist() == [row]
    with Terminal(command, cwd=place, env=environment) as terminal:
        terminal.expect("parquet: expected a file or a pipe for its bytes, found a terminal; name a file with --output FILE")
        assert terminal.ended() == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--chart", "bar", "--format", "csv"), "--chart: it goes without --format, found csv; leave one out"),
        (("--chart", "bar", "--null", "x"), "--null: it goes with --format csv, found --chart; leave one out"),
        (
            ("--rows", "3", "--format", "json"),
            "--rows: it goes with tables and --chart, found json; write limit 3 in the query",
        ),
    ],
)
def test_options_that_do_nothing_together_are_refused(place: Path, options: tuple[str, ...], message: str) -> None:
    """One sentence says which, with exit code 2."""
    done = lakehouse("sql", "select 1", *options, cwd=place)
    assert (done.returncode, done.stderr) == (2, f"lakehouse: {message}\n")


def test_a_chart_outside_of_the_shell(place: Path) -> None:
    """`--chart` draws in a pipe, too, 80 columns wide."""
    done = process("sql", "select 'a' as name, 2 as n", "--chart", "bar", cwd=place)
    assert done.stdout == f"   n\na  {'█' * 75} 2\n"
