"""An export has the values that the lake has, in any form, whole or not at all, and of a schedule what changed."""

import csv
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import polars as pl
import pytest
from commands import lakehouse, process
from documents import DAY_MS, START, conversation, document, gz, message, name_at, put
from lakes import take
from places import ROOT

from pipeline.cli.export.target import Target
from pipeline.errors import SettingsError
from pipeline.lake.lake import Lake
from pipeline.schema import TABLES

HOSTILE = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "http://x.example/",
    "00123",
    "",
    'a "b", c',
    "two\nlines",
    "\x1b[31m",
    "€ü🙂",
    "NULL",
    " x ",
)
VIEWS = ("queue_time_daily", "skills", "end_reason", "named_entries")
FORMS = ("parquet", "csv", "xlsx", "jsonl")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose lake has two accounts on three days, with texts that a spreadsheet could take for something else."""
    folder = tmp_path_factory.mktemp("export")
    lines = [message(text) for text in HOSTILE] + [message() | {"text": None}]
    for day in range(3):
        start = START + day * DAY_MS
        ours = conversation(f"a{day}", start=start, messages=lines, skills={"array": [3, day]})
        theirs = conversation(f"b{day}", start=start, skills=None)
        put(folder / "in", gz(document(ours), document(theirs, account_id="2"), "garbage"), name_at(24 * day))
    take(Lake(str(folder / "lake")), folder / "in")
    return folder


def export(here: Path, *arguments: str) -> str:
    """What an export that succeeds says; it has printed the path alone."""
    done = lakehouse("export", *arguments, cwd=here)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{here / arguments[arguments.index('--output') + 1]}\n"
    return done.stderr


def refused(here: Path, *arguments: str) -> str:
    """What an export that is refused says; it has printed nothing."""
    done = lakehouse("export", *arguments, cwd=here)
    assert (done.returncode, done.stdout) != (0, ""), done.stderr
    assert done.returncode in {1, 2}
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


def told(here: Path, query: str, form: str) -> str:
    return lakehouse("sql", query, "--format", form, cwd=here).stdout


def in_order(rows: Iterable[Any]) -> list[Any]:
    """Rows in an order of their own, since a view's rows have none."""
    return sorted(rows, key=repr)


def cells(path: Path) -> list[list[Any]]:
    """The cells of a spreadsheet, the header first."""
    book = openpyxl.load_workbook(path)
    return [[cell.value for cell in row] for row in book.active.iter_rows()]


@pytest.mark.parametrize("name", [*TABLES, *VIEWS])
def test_json_lines_are_those_of_sql(here: Path, tmp_path: Path, name: str) -> None:
    """Every table and view has a line for each row, with the values of `lakehouse sql`."""
    export(here, name, "--output", str(tmp_path / "rows.jsonl"))
    lines = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()]
    assert in_order(lines) == in_order(json.loads(told(here, f"from {name}", "json")))


@pytest.mark.parametrize("name", [*TABLES, *VIEWS])
def test_csv_is_that_of_sql_but_for_lists(here: Path, tmp_path: Path, name: str) -> None:
    """NULL is nothing, an empty text is "", times are ISO 8601; a list is JSON, so that programs can read it."""
    export(here, name, "--output", str(tmp_path / "rows.csv"))
    written = (tmp_path / "rows.csv").read_bytes().decode()
    described = json.loads(told(here, f"describe {name}", "json"))
    lists = {row["column_name"] for row in described if row["column_type"].endswith("[]")}
    if not lists:
        assert in_order(written.split("\n")) == in_order(told(here, f"from {name}", "csv").split("\n"))
        return
    assert name in TABLES or name == "named_entries"
    found, expected = (
        list(csv.DictReader(io.StringIO(text, newline=""))) for text in (written, told(here, f"from {name}", "csv"))
    )
    values = json.loads(told(here, f"from {name}", "json"))
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


def days(folder: Path) -> dict[str, list[Any]]:
    """The rows of each day's file of an export."""
    return {path.parent.name: sorted(map(repr, pl.read_parquet(path).rows())) for path in folder.rglob("part.parquet")}


@pytest.mark.parametrize(
    ("name", "column"), [("messages", "date"), ("from messages", "date"), ("queue_time_weekly", "local_week")]
)
def test_a_folder_has_a_file_a_day(here: Path, tmp_path: Path, name: str, column: str) -> None:
    """Other programs read the folder as one table; a second export replaces it, whatever it was of."""
    target = str(tmp_path / "days")
    for form in ("csv", "jsonl", "parquet"):
        export(here, name, "--output", target, "--by-date", "--format", form)
        assert {path.name for path in Path(target).rglob("*") if path.is_file()} == {f"part.{form}", ".lakehouse-export.json"}
    rows = json.loads(told(here, f"select {column}, * from {name.removeprefix('from ')}", "json"))
    assert {folder.partition("=")[2] for folder in days(Path(target))} == {row[column] for row in rows}
    with duckdb.connect() as connection:
        files = f"read_parquet('{target}/**/*.parquet', hive_partitioning = true)"
        assert connection.execute(f"select count(*) from {files}").fetchall() == [(len(rows),)]
    assert pl.scan_parquet(f"{target}/**/*.parquet", hive_partitioning=True).select(pl.len()).collect().item() == len(rows)


def test_days_of_no_row_are_told_apart(here: Path, tmp_path: Path) -> None:
    """Rows without a day get the folder that other programs know for them; what has no days at all is refused."""
    export(
        here,
        "select null::date as date, 1 as a union all select date '2026-01-01', 2",
        "--output",
        str(tmp_path / "x"),
        "--by-date",
    )
    assert set(days(tmp_path / "x")) == {"date=__HIVE_DEFAULT_PARTITION__", "date=2026-01-01"}
    assert "has no column of days" in refused(here, "files", "--output", str(tmp_path / "y"), "--by-date")
    for name in ("queue_time_daily", "from messages"):
        told = refused(here, name, "--output", str(tmp_path / "y"), "--by-date", "--incremental")
        assert "expected a table with a date" in told


def test_a_folder_with_other_things_is_refused(here: Path, tmp_path: Path) -> None:
    """Nothing of anybody else is replaced or deleted."""
    (tmp_path / "mine").write_text("mine")
    assert "found mine in it" in refused(here, "messages", "--output", str(tmp_path), "--by-date")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    (tmp_path / "mine").rename(tmp_path / ".lakehouse-export.json")
    assert "it is no list of exported files" in refused(here, "messages", "--output", str(tmp_path), "--by-date")


@pytest.mark.parametrize(
    "other",
    [("transfers",), ("messages", "--since", "2016-07-26"), ("messages", "--account-id", "2"), ("messages", "--format", "csv")],
    ids=str,
)
def test_an_export_goes_on_with_its_own_folder_alone(here: Path, tmp_path: Path, other: Sequence[str]) -> None:
    """One of another table, of other rows or in another form is refused, and goes all anew without --incremental."""
    place = ("--output", str(tmp_path / "x"), "--by-date")
    export(here, "messages", *place, "--incremental")
    before = days(tmp_path / "x")
    assert "it holds an export of another" in refused(here, *other, *place, "--incremental")
    assert days(tmp_path / "x") == before
    export(here, *other, *place)
    export(here, *other, *place, "--incremental")


@pytest.mark.parametrize("seed", range(4))
def test_what_changed_is_all_that_is_written(lake: Lake, tmp_path: Path, seed: int) -> None:
    """After any loads, replacements and erasures, an incremental export is what a fresh one is, and wrote no day in vain."""
    chance = random.Random(seed)
    target, chosen = tmp_path / "out", ("--account-id", "1") if seed % 2 else ()
    for step in range(6):
        before = days(target)
        if step and chance.random() < 0.4:
            with_id = f"c{chance.randrange(8)}"
            lakehouse("erase", "--conversation-id", with_id, cwd=tmp_path)
        else:
            number = chance.randrange(8)
            made = conversation(f"c{number}", start=START + number % 4 * DAY_MS, messages=[message(f"{step}")])
            take(lake, put(tmp_path / f"in{step}", gz(document(made, account_id=str(1 + number % 2))), name_at(step)))
        said = export(tmp_path, "messages", "--output", str(target), "--by-date", "--incremental", *chosen)
        export(tmp_path, "messages", "--output", str(tmp_path / f"fresh{step}"), "--by-date", *chosen)
        after = days(target)
        assert after == days(tmp_path / f"fresh{step}")
        assert ("1 day written" in said) >= (after != before)
        assert {path.parent.name for path in target.rglob("part.*")} == set(after)
        assert sorted(path.name for path in target.iterdir()) == [".lakehouse-export.json", *sorted(after)]
        files = {str(path): path.read_bytes() for path in target.rglob("part.*")}
        again = export(tmp_path, "messages", "--output", str(target), "--by-date", "--incremental", *chosen)
        assert f"0 days written, {len(files)} kept, 0 removed" in again


@pytest.mark.parametrize("calls", range(3))
def test_an_incremental_export_that_dies_is_made_up_for(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    """Whenever it dies, each file is whole, and the next run gives what a fresh one gives."""
    place = shutil.copytree(here, tmp_path / "here")
    arguments = ("messages", "--output", "out", "--by-date", "--incremental")
    export(place, *arguments)
    erased = lakehouse("erase", "--conversation-id", "a1", "--conversation-id", "b2", cwd=place)
    assert erased.returncode == 0, erased.stderr
    left = [calls]
    whole = Target.put

    def dying(self: Target, staged: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise SettingsError("died")
        whole(self, staged)

    with monkeypatch.context() as patch:
        patch.setattr(Target, "put", dying)
        assert "died" in refused(place, *arguments)
    days(place / "out")
    export(place, *arguments)
    export(place, "messages", "--output", "fresh", "--by-date")
    assert days(place / "out") == days(place / "fresh")
    assert not list((place / "out").glob(".lakehouse-export/*"))


def test_a_file_that_somebody_changed_is_written_again(here: Path, tmp_path: Path) -> None:
    """A day whose file is gone or of another size is no longer what the folder's own file says."""
    arguments = ("messages", "--output", str(tmp_path / "x"), "--by-date", "--incremental")
    export(here, *arguments)
    before = days(tmp_path / "x")
    first, second, _ = sorted((tmp_path / "x").rglob("part.parquet"))
    first.unlink()
    second.write_bytes(b"half")
    assert "2 days written, 1 kept, 0 removed" in export(here, *arguments)
    assert days(tmp_path / "x") == before


def test_a_command_starts_without_libraries_for_spreadsheets(here: Path) -> None:
    """Only a spreadsheet needs its writer, and Polars is for tables."""
    done = process("export", "from messages", "--output", "y.csv", cwd=here, PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0, done.stderr
    assert not {"xlsxwriter", "polars"} & {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
