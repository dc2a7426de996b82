"""An export has the values that the lake has, in any form, whole or not at all."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import openpyxl
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import lakehouse, process
from exports import HOSTILE, cells, export, in_order, make_lake_to_export, refused, told
from places import ROOT

from pipeline.schema import TABLES

VIEWS = ("queue_time_daily", "skills", "end_reason", "named_entries")
FORMS = ("parquet", "csv", "xlsx", "jsonl")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose lake has two accounts on three days, with texts that a spreadsheet could take for something else."""
    return make_lake_to_export(tmp_path_factory.mktemp("export"))


@pytest.mark.parametrize("name", [*TABLES, *VIEWS])
def test_json_lines_are_those_of_sql(here: Path, tmp_path: Path, name: str) -> None:
    """Every table and view has a line for each row, with the values of `lakehouse sql`."""
    export(here, name, "--output", str(tmp_path / "rows.jsonl"))
    lines = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
    assert in_order(lines) == in_order(json.loads(told(here, f"from {name}", "json")))


@pytest.mark.parametrize("name", [*TABLES, *VIEWS])
def test_csv_is_that_of_sql_but_for_lists(here: Path, tmp_path: Path, name: str) -> None:
    """NULL is nothing, an empty text is "", times are ISO 8601; a list is JSON, so that programs can read it."""
    described = json.loads(told(here, f"describe {name}", "json"))
    lists = {row["column_name"] for row in described if row["column_type"].endswith("[]")}
    query = f"from {name} order by all"
    export(here, query if lists else name, "--output", str(tmp_path / "rows.csv"))
    written = (tmp_path / "rows.csv").read_bytes().decode()
    if not lists:
        assert in_order(written.split("\n")) == in_order(told(here, f"from {name}", "csv").split("\n"))
        return
    found, expected = (list(csv.DictReader(io.StringIO(text, newline=""))) for text in (written, told(here, query, "csv")))
    values = json.loads(told(here, query, "json"))
    for row, other, value in zip(found, expected, values, strict=True):
        assert {column: text for column, text in row.items() if column not in lists} == {
            column: text for column, text in other.items() if column not in lists
        }
        assert all((json.loads(row[column]) if row[column] else None) == value[column] for column in lists)


@pytest.mark.parametrize("name", [*TABLES, *VIEWS])
@pytest.mark.parametrize("by_query", [False, True])
def test_parquet_has_the_rows_and_types_of_the_lake(here: Path, tmp_path: Path, name: str, by_query: bool) -> None:  # noqa: FBT001
    """A table as it lies there, and the same rows by a query, have the columns, types and values of the views."""
    export(here, f"from {name}" if by_query else name, "--output", str(tmp_path / "rows.parquet"))
    with duckdb.connect(str(here / "lake" / "lakehouse.duckdb"), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        expected, found = connection.sql(f"from {name}"), connection.sql(f"from '{tmp_path}/rows.parquet'")
        assert found.columns == expected.columns
        assert found.types == expected.types
        assert sorted(map(repr, found.fetchall())) == sorted(map(repr, expected.fetchall()))


def test_the_source_files_agree_with_the_files_of_the_table(here: Path, tmp_path: Path) -> None:
    """The exported rows are those of the Delta table, read without this program."""
    export(here, "messages", "--output", str(tmp_path / "rows.parquet"))
    written = pl.read_parquet(tmp_path / "rows.parquet")
    assert written.sort(pl.all()).equals(pl.read_delta(str(here / "lake" / "messages")).select(written.columns).sort(pl.all()))


def test_values_that_few_programs_have(here: Path, tmp_path: Path) -> None:
    """Huge integers, lists, times and texts of one query arrive in each form, or as text where the form lacks the type."""
    query = (
        "select 12345678901234567890123::hugeint as huge, 9007199254740993 as large, 7 as small, [1, null] as list, "
        "0.5 as half, 'nan'::double as nan, interval 1 day as span, timestamptz '2026-03-29 01:30:00.25+00' as at, "
        "date '0001-01-01' as early, true as yes, null::varchar as nothing, '' as empty, 2 as small"
    )
    for form in FORMS:
        export(here, query, "--output", str(tmp_path / f"x.{form}"))
    (row,) = pl.read_parquet(tmp_path / "x.parquet").to_dicts()
    assert (int(row["huge"]), row["large"], row["list"], row["small_1"]) == (
        12345678901234567890123,
        9007199254740993,
        [1, None],
        2,
    )
    assert (row["at"], row["span"], row["nothing"], row["empty"]) == (
        datetime(2026, 3, 29, 1, 30, 0, 250_000, UTC),
        "1 day",
        None,
        "",
    )
    assert json.loads((tmp_path / "x.jsonl").read_text())["huge"] == 12345678901234567890123
    header, line = (tmp_path / "x.csv").read_text().splitlines()
    assert header == "huge,large,small,list,half,nan,span,at,early,yes,nothing,empty,small"
    assert line == (
        '12345678901234567890123,9007199254740993,7,"[1,null]",0.5,nan,1 day,'
        '2026-03-29T01:30:00.250000+00:00,0001-01-01,true,,"",2'
    )
    heads, values = cells(tmp_path / "x.xlsx")
    assert heads[7] == "at (UTC)"
    expected = ["12345678901234567890123", "9007199254740993", 7, "[1,null]", 0.5, "nan", "1 day"]
    assert values[:7] == expected
    assert values[7:10] == [datetime(2026, 3, 29, 1, 30, 0, 250_000), "0001-01-01", True]  # noqa: DTZ001  # as it has no zones


def test_sums_are_whole_numbers_of_64_bits(here: Path, tmp_path: Path) -> None:
    """A sum of counts is an integer that any reader knows, in a file and by date; one beyond 64 bits stays exact."""
    sums = "select date, sum(position) as total, -sum(position) as less from messages group by date"
    export(here, sums, "--output", str(tmp_path / "sums.parquet"))
    export(here, sums, "--output", str(tmp_path / "days"), "--by-date")
    for path in [tmp_path / "sums.parquet", *(tmp_path / "days").rglob("*.parquet")]:
        shape = pq.read_schema(path)
        assert (shape.field("total").type, shape.field("less").type) == (pa.int64(), pa.int64())
    largest = 2**63
    export(here, f"select {largest}::hugeint as over, 1::hugeint as one", "--output", str(tmp_path / "over.parquet"))
    (row,) = pl.read_parquet(tmp_path / "over.parquet").to_dicts()
    assert (int(row["over"]), int(row["one"])) == (largest, 1)


def test_texts_stay_text_in_a_spreadsheet(here: Path, tmp_path: Path) -> None:
    """No text becomes a formula, a link or a number, whatever it begins with; the header stays in view and has filters."""
    export(
        here, "select text from messages where conversation_id = 'a0' order by position", "--output", str(tmp_path / "t.xlsx")
    )
    sheet = openpyxl.load_workbook(tmp_path / "t.xlsx").active
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", f"A1:A{len(HOSTILE) + 2}")
    found = [row[0] for row in sheet.iter_rows(min_row=2)]
    assert {cell.data_type for cell in found if cell.value is not None} <= {"s", "inlineStr"}
    assert not any(cell.hyperlink for cell in found)
    values = [cell.value or "" for cell in found]
    assert values == [*(text.replace("\x1b", "_x001B_") for text in HOSTILE)]  # and no cell for NULL
    assert sheet["A1"].font.bold
    assert sheet.column_dimensions["A"].width > 15


def test_a_spreadsheet_opens_in_an_office_program(here: Path, tmp_path: Path) -> None:
    """LibreOffice reads the same texts, numbers and times."""
    if not shutil.which("soffice"):
        pytest.skip("there is no LibreOffice")
    query = (
        "select text, position, timestamp, mcs, position > 1 as later, date from messages where account_id = '75555851' and "
        "not contains(text, chr(27)) order by date, position"
    )
    export(here, query, "--output", str(tmp_path / "t.xlsx"))
    command = [
        "soffice",
        "--headless",
        f"-env:UserInstallation=file://{tmp_path}/home",
        "--convert-to",
        "csv:Text - txt - csv (StarCalc):44,34,76",
    ]
    subprocess.run(
        [*command, "--outdir", str(tmp_path), str(tmp_path / "t.xlsx")], check=True, capture_output=True, timeout=180
    )
    found = list(csv.reader(io.StringIO((tmp_path / "t.csv").read_text(encoding="utf-8"), newline="")))[1:]
    expected = list(csv.reader(io.StringIO(told(here, query, "csv"), newline="")))[1:]
    assert [row[:2] for row in found] == [row[:2] for row in expected]
    assert [row[2] for row in found] == [row[2].replace("T", " ").replace("000+00:00", "") for row in expected]
    assert [row[4].lower() for row in found] == [row[4] for row in expected]
    assert [row[5] for row in found] == [row[5] for row in expected]


def test_what_does_not_fit_a_spreadsheet_is_told(here: Path, tmp_path: Path) -> None:
    """Too many rows or columns are refused before anything is written; a text that is too long is cut, and that is said."""
    found = refused(here, "from range(1_048_576)", "--output", str(tmp_path / "x.xlsx"))
    assert "a sheet holds at most 1,048,575 rows, found 1,048,576 rows" in found
    assert not list(tmp_path.iterdir())
    said = export(here, "select repeat('🙂', 20_000) as t, repeat('x', 32_767) as u", "--output", str(tmp_path / "x.xlsx"))
    assert said.startswith("1 text cut: a cell holds at most 32,767 characters")
    assert [len(cell) for cell in cells(tmp_path / "x.xlsx")[1]] == [16_383, 32_767]


@pytest.mark.parametrize("form", FORMS)
def test_no_rows_are_an_export_too(here: Path, tmp_path: Path, form: str) -> None:
    """Without rows there is a file with the columns, or without a line."""
    said = export(here, "transfers", "--output", str(tmp_path / f"x.{form}"))
    assert said == "0 rows of transfers written\n"
    if form == "xlsx":
        assert len(cells(tmp_path / "x.xlsx")) == 1
    if form == "parquet":
        assert pl.read_parquet(tmp_path / "x.parquet").columns == [column.name for column in TABLES["transfers"].shown]


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_days_and_accounts_are_chosen(here: Path, tmp_path: Path, form: str) -> None:
    """From a day on, before a day, of some accounts; a view goes by its own column of days."""
    path = tmp_path / f"x.{form}"
    chosen = ("--since", "2016-07-26", "--until", "2016-07-27", "--account-id", "2", "--account-id", "3")
    assert export(here, "conversations", "--output", str(path), *chosen) == "1 row of conversations written\n"
    assert "b1" in (path.read_text() if form == "csv" else str(pl.read_parquet(path).to_dicts()))
    assert (
        export(here, "queue_time_weekly", "--output", str(path), "--until", "2016-07-25")
        == "0 rows of queue_time_weekly written\n"
    )
    assert "--since, --until: they go by a column of days" in refused(
        here, "files", "--output", str(path), "--since", "2016-07-26"
    )
    assert "--account-id: it goes by the column" in refused(here, "end_reason", "--output", str(path), "--account-id", "2")


def test_what_is_no_source_is_refused_with_a_sentence(here: Path, tmp_path: Path) -> None:
    """An unknown name gets its neighbours, a statement that writes is refused, and so are two and those without rows."""
    path = str(tmp_path / "x.csv")
    assert "perhaps conversations" in refused(here, "conversation", "--output", path)
    assert "lists what there is" in refused(here, "zzzzzz", "--output", path)
    assert "statement COPY is refused" in refused(here, f"copy messages to '{path}'", "--output", path)
    assert "expected one statement with rows, found 2 statements" in refused(here, "select 1; select 2", "--output", path)
    assert "expected one statement with rows" in refused(here, "set threads = 1", "--output", path)
    assert "no_such_column" in refused(here, "select no_such_column from messages", "--output", path)
    assert not list(tmp_path.iterdir())
    export(here, "--  a comment\nfrom messages; -- and one more", "--output", path)
    export(here, '"Messages"', "--output", path)


def test_a_target_that_can_not_be_is_refused_with_a_sentence(here: Path, tmp_path: Path) -> None:
    """The lake's folder, a folder for a file, a file for a folder, an unknown ending, options that do not go together."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(here / "lake")
    for place in (here / "lake" / "x.csv", here / "lake" / "messages" / "x.csv", tmp_path / "link" / "x.csv"):
        assert "it is inside of the lake" in refused(here, "messages", "--output", str(place))
    assert "it is inside of the lake" in refused(here, "messages", "--output", str(here / "lake"), "--by-date")
    assert "or add --by-date" in refused(here, "messages", "--output", str(tmp_path), "--format", "csv")
    assert "expected the path of a folder" in refused(here, "messages", "--output", str(tmp_path / "file"), "--by-date")
    assert "expected the path of a file" in refused(here, "messages", "--output", "/dev/null", "--format", "csv")
    assert "ends with .parquet, .csv, .xlsx or .jsonl" in refused(here, "messages", "--output", str(tmp_path / "x.txt"))
    assert "found xlsx" in refused(here, "messages", "--output", str(tmp_path / "x"), "--by-date", "--format", "xlsx")
    assert "it goes with --by-date" in refused(here, "messages", "--output", str(tmp_path / "x.csv"), "--incremental")
    bounds = ("--since", "2016-07-27", "--until", "2016-07-26")
    assert "is not before --until" in refused(here, "messages", "--output", str(tmp_path / "x.csv"), *bounds)
    assert "expected a day such as" in refused(here, "messages", "--output", str(tmp_path / "x.csv"), "--since", "yesterday")
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / ".x.csv.lakehouse-export").write_text("in the way")
    assert "the export cannot be written" in refused(here, "messages", "--output", str(tmp_path / "closed" / "x.csv"))
    assert (tmp_path / "file").read_text() == "mine"


def test_a_file_is_for_its_owner_alone_and_a_link_stays(here: Path, tmp_path: Path) -> None:
    """Customers' texts are for nobody else; a link's target is replaced, and folders are made."""
    (tmp_path / "link.csv").symlink_to(tmp_path / "new" / "target.csv")
    done = lakehouse("export", "messages", "--output", str(tmp_path / "link.csv"), cwd=here)
    assert done.stdout == f"{tmp_path}/new/target.csv\n"
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "new" / "target.csv").stat().st_mode & 0o077 == 0
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["target.csv"]


@pytest.mark.parametrize("form", FORMS)
def test_a_query_that_fails_half_way_changes_nothing(here: Path, tmp_path: Path, form: str) -> None:
    """The former file stays, and nothing is left beside it."""
    path = tmp_path / f"x.{form}"
    path.write_text("former")
    assert "no such thing" in refused(
        here, "select if(i = 99_999, error('no such thing'), i) from range(100_000) t(i)", "--output", str(path)
    )
    assert path.read_text() == "former"
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("form", ["parquet", "csv", "xlsx"])
def test_a_killed_run_leaves_the_former_file_and_the_next_one_clears_up(here: Path, tmp_path: Path, form: str) -> None:
    """Killed while it writes, it has changed nothing; the next run deletes what it left, and two at a time are refused."""
    path = tmp_path / f"x.{form}"
    path.write_text("former")
    query = "select i, md5(i::varchar) as t, repeat('x', 500) from range(900_000) t(i)"
    command = [sys.executable, "-m", "pipeline", "export", query, "--output", str(path)]
    running = subprocess.Popen(command, cwd=here, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL)
    staging = tmp_path / f".x.{form}.lakehouse-export"
    deadline = time.monotonic() + 60
    while sum(file.stat().st_size for file in staging.glob("*")) < 100_000:
        assert running.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert "another run exports to it" in refused(here, "messages", "--output", str(path))
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert path.read_text() == "former"
    assert staging.exists()
    export(here, "messages", "--output", str(path))
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_file_of_the_lake_is_told(here: Path, tmp_path: Path, form: str, damage: str) -> None:
    """The sentence names the file and the command that says more; the former export stays."""
    place = shutil.copytree(here, tmp_path / "here")
    assert lakehouse("compact", cwd=place).returncode == 0  # so that the DuckDB file is of this path
    victim = min((place / "lake" / "messages").rglob("date=2016-07-26/*.parquet"))
    victim.write_bytes(victim.read_bytes()[:-100])
    if damage == "gone":
        victim.unlink()
    (place / f"x.{form}").write_text("former")
    said = refused(place, "messages", "--output", f"x.{form}")
    assert f"a file of the lake is {'damaged' if damage == 'cut' else damage} (table messages" in said
    assert "lakehouse verify" in said
    assert (place / f"x.{form}").read_text() == "former"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("what", ["messages", "select i, md5(i::varchar) from range(20_000) t(i)"])
def test_a_full_disk_is_told(here: Path, tmp_path: Path, form: str, what: str) -> None:
    """Where no more can be written, one sentence says so; the former file stays, and nothing beside it."""
    path = tmp_path / f"x.{form}"
    path.write_text("former")
    limit = "import resource, runpy; resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))"
    program = f"{limit}; runpy.run_module('pipeline', run_name='__main__')"
    command = [sys.executable, "-c", program, "export", what, "--output", str(path)]
    surroundings = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=here, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert f"the export cannot be written to {path}: " in done.stderr
    assert path.read_text() == "former"
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_a_command_starts_without_libraries_for_spreadsheets(here: Path) -> None:
    """Only a spreadsheet needs its writer, and Polars is for tables."""
    done = process("export", "from messages", "--output", "y.csv", cwd=here, PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0, done.stderr
    assert not {"xlsxwriter", "polars"} & {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}


def test_days_are_local_ones_where_there_are_any(here: Path, tmp_path: Path) -> None:
    """Of a view with local days, --since and --until take those, and a folder by date is named after them."""
    day = told(here, "select max(local_date) as day from local_named_entries", "csv").split()[1]
    following = str(date.fromisoformat(day) + timedelta(days=1))
    export(here, "local_named_entries", "--output", str(tmp_path / "day.csv"), "--since", day, "--until", following)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "day.csv").read_text())))
    count = told(here, f"select count(*) as n from local_named_entries where local_date = date '{day}'", "csv").split()[1]
    assert {row["local_date"] for row in rows} == {day}
    assert len(rows) == int(count)


def test_a_view_of_measures_is_in_order(here: Path, tmp_path: Path) -> None:
    """Its rows come by account, day and the rest of the key, each time."""
    export(here, "queue_time_local_daily", "--output", str(tmp_path / "days.csv"))
    rows = list(csv.DictReader(io.StringIO((tmp_path / "days.csv").read_text())))
    keys = [(row["account_id"], row["local_date"], row["type"]) for row in rows]
    assert len(keys) > 2
    assert keys == sorted(keys)


@pytest.mark.parametrize("ending", ["xlsx", "XLSX", "jsonl"])
def test_sql_writes_no_table_of_text_into_a_spreadsheet(here: Path, tmp_path: Path, ending: str) -> None:
    """A file with an ending that only an export writes is refused by sql, which names the export; none is made."""
    done = lakehouse("sql", "from skills", "--lake", str(here / "lake"), "--output", f"s.{ending}", cwd=tmp_path)
    assert done.returncode == 2
    assert "lakehouse export" in done.stderr
    assert list(tmp_path.iterdir()) == []
