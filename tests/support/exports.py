"""A lake with texts that a spreadsheet could take for something else, and exports of it, as the tests of `export` need them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
from commands import lakehouse
from documents import DAY_MS, START, conversation, document, gz, message, name_at, put
from lakes import take

from pipeline.lake.lake import Lake

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


def make_lake_to_export(folder: Path) -> Path:
    """Make `lake` in a folder: two accounts on three days."""
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


def days(folder: Path) -> dict[str, list[Any]]:
    """The rows of each day's file of an export."""
    return {path.parent.name: sorted(map(repr, pl.read_parquet(path).rows())) for path in folder.rglob("part.parquet")}
