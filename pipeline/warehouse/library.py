"""The SQL library: what is in `sql/`, in which order it can be created, and how it gets into a DuckDB database.

A view is one bare select in `sql/core` or `sql/metrics`, and its name is the file's name. A check is a select in
`sql/checks` that returns the offending rows. A code list is a file `sql/codes/<table>.csv` with the columns code and
label; what else it has is there, too. Nothing here knows where the tables of the lake come from: `create_views` expects all
of `schema.TABLES` to be there already. A fault in the library itself is a `ValueError`: the tests keep it from every user.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from pipeline.warehouse.rules import SETTINGS, SettingRow, defaults, rules_by_account, utc_offsets

VIEW_FOLDERS = ("core", "metrics")

# The type of `code` in each code table: that of the column which it explains.
CODE_TYPES = {
    ("end_reason", "code"): "INTEGER",
    ("message_type", "code"): "VARCHAR",
    ("start_reason", "code"): "INTEGER",
}

# What each table beside those of the lake is about, as the comment that `.tables` shows.
_ABOUTS = {
    "end_reason": "Why a conversation ended: each code with its label, and who closed it.",
    "message_type": "What a line of a transcript is: each code with its label.",
    "start_reason": "How a conversation started: each code with its label.",
    "settings": "What settings.csv says of the measures, a row for each setting and account; no account: all others.",
    "account_rules": "The same settings as typed columns, a row for each account; no account: all others.",
    "utc_offsets": "What the clocks of the time zones in the settings show: a row for each span of one offset.",
}

_OFFSET_COLUMNS = {
    "time_zone": "VARCHAR",
    "year": "BIGINT",
    "from_time": "TIMESTAMP WITH TIME ZONE",
    "until_time": "TIMESTAMP WITH TIME ZONE",
    "from_local_time": "TIMESTAMP",
    "until_local_time": "TIMESTAMP",
    "offset_seconds": "BIGINT",
}

_COMMENT = re.compile(r"--.*")
_RELATION = re.compile(r"(?<!distinct )\b(?:from|join)\s+([a-z_]\w*)\b(?!\()")
_STEP = re.compile(r"(?:\bwith|\),)\s+(\w+) as \(")
_HEADER_LABEL = re.compile(r"(?P<label>[A-Z][a-z]+): +(?P<text>.*)")


@dataclass(frozen=True)
class View:
    """One file of the library; `about` is the header's opening, `notes` its parts: Grain, Counts, Units, Source."""

    name: str
    folder: str
    about: str
    notes: dict[str, str]
    sql: str
    reads: frozenset[str]


class Check(NamedTuple):
    """A query that returns the offending rows, and what it means if there are any."""

    name: str
    meaning: str
    sql: str
    file: Path


def sql_folder() -> Path:
    """Where `sql/` is: inside the package once installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "sql"
    return installed if installed.is_dir() else package.parent / "sql"


def view_files(folder: Path | None = None, parts: Sequence[str] = VIEW_FOLDERS) -> list[Path]:
    """List the file of every view, sorted by name; two files of one name are a `ValueError`."""
    root = folder or sql_folder()
    files = sorted((file for part in parts for file in (root / part).glob("*.sql")), key=lambda file: file.stem)
    for first, second in pairwise(files):
        if first.stem == second.stem:
            message = f"{first} and {second}: expected one file per view, found two named {first.stem}"
            raise ValueError(message)
    return files


def ordered_views(folder: Path | None = None, parts: Sequence[str] = VIEW_FOLDERS) -> list[View]:
    """Return every view, each after the views that it reads, else by name.

    Raises:
        ValueError: views read each other in a circle.

    """
    views = {file.stem: _read_view(file) for file in view_files(folder, parts)}
    sorter = TopologicalSorter({name: sorted(view.reads & views.keys()) for name, view in views.items()})
    try:
        return [views[name] for name in sorter.static_order()]
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        message = f"sql/: expected views that can be created one after the other, found a circle: {circle}"
        raise ValueError(message) from error


def create_views(
    connection: duckdb.DuckDBPyConnection,
    folder: Path | None = None,
    *,
    settings: list[SettingRow] | None = None,
) -> None:
    """Create or replace the code tables, the settings and every view in the connection's current schema.

    Lists and settings become tables with rows, so a database file stays whole without files beside it. Each view has its
    header's opening as its comment. The tables that the views read must exist. `settings` are the defaults if
    there are no others.
    """
    for name, (columns, rows) in code_lists(folder).items():
        _create_table(connection, name, {column: CODE_TYPES.get((name, column), "VARCHAR") for column in columns}, rows)
    create_settings(connection, defaults() if settings is None else settings)
    for view in ordered_views(folder):
        connection.execute(f"create or replace view {view.name} as\n{view.sql}")
        quoted = view.about.replace("'", "''")
        connection.execute(f"comment on view {view.name} is '{quoted}'")


def create_settings(connection: duckdb.DuckDBPyConnection, settings: list[SettingRow]) -> None:
    """Create or replace the table of settings, and what their time zones' clocks show."""
    abouts = {setting.name: setting.about for setting in SETTINGS}
    _create_table(
        connection,
        "settings",
        {"setting": "VARCHAR", "account_id": "VARCHAR", "value": "VARCHAR", "about": "VARCHAR"},
        [(*row, abouts[row.setting]) for row in settings],
    )
    columns = {"account_id": "VARCHAR"} | {setting.name: setting.kind.sql_type for setting in SETTINGS}
    _create_table(connection, "account_rules", columns, rules_by_account(settings))
    _create_table(connection, "utc_offsets", _OFFSET_COLUMNS, utc_offsets(settings))


def _create_table(
    connection: duckdb.DuckDBPyConnection, name: str, columns: dict[str, str], rows: Sequence[tuple[Any, ...]]
) -> None:
    declared = ", ".join(f"{column} {column_type}" for column, column_type in columns.items())
    connection.execute(f"create or replace table {name} ({declared})")
    connection.execute(f"comment on table {name} is '{_ABOUTS[name]}'")
    places = ", ".join([f"({', '.join('?' * len(columns))})"] * len(rows))
    connection.execute(f"insert into {name} values {places}", [value for row in rows for value in row])


def code_lists(folder: Path | None = None) -> dict[str, tuple[list[str], list[tuple[str, ...]]]]:
    """Return the columns and the rows of every code list by the name of its table."""
    lists = {}
    for file in sorted(((folder or sql_folder()) / "codes").glob("*.csv")):
        if (file.stem, "code") not in CODE_TYPES:
            message = f"{file}: expected a list named in CODE_TYPES, found {file.stem}; add the type of its code there"
            raise ValueError(message)
        with file.open(encoding="utf-8", newline="") as lines:
            columns, *rows = csv.reader(lines, strict=True)
            lists[file.stem] = (columns, [tuple(row) for row in rows])
    return lists


def checks(folder: Path | None = None) -> list[Check]:
    """Return every check of `sql/checks`, sorted by name."""
    found = []
    for file in sorted(((folder or sql_folder()) / "checks").glob("*.sql")):
        sql = file.read_text(encoding="utf-8")
        meaning, _ = _header(sql)
        found.append(Check(file.stem, meaning, sql, file))
    return found


def _read_view(file: Path) -> View:
    sql = file.read_text(encoding="utf-8")
    about, notes = _header(sql)
    return View(file.stem, file.parent.name, about, notes, sql, _tables_read(sql))


def _header(sql: str) -> tuple[str, dict[str, str]]:
    """Split the comment at the top of a file into its opening and its labelled parts, each as one line."""
    about: list[str] = []
    notes: dict[str, list[str]] = {}
    part = about
    for line in sql.splitlines():
        if not line.startswith("--"):
            break
        text = line.removeprefix("--").strip()
        if labelled := _HEADER_LABEL.fullmatch(text):
            part = notes.setdefault(labelled["label"], [])
            text = labelled["text"]
        part.append(text)
    return " ".join(about), {label: " ".join(lines) for label, lines in notes.items()}


def _tables_read(sql: str) -> frozenset[str]:
    """The tables and views that one select reads; the tests hold it against DuckDB's own parser, which takes some time."""
    code = _COMMENT.sub("", sql)
    return frozenset(_RELATION.findall(code)) - frozenset(_STEP.findall(code))
