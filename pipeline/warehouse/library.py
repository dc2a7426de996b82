"""The SQL library in `sql/`: its files, their order, and their way into a DuckDB database.

A view is one bare select in the folder of its theme, and its name is the file's name. A header line `Twins` makes further
views of the same select by other days: by local days, weeks or months. A check is a select in
`sql/checks` that returns the offending rows. A code list is a file `sql/codes/<table>.csv` with the columns code and
label, and perhaps more. `create_views` expects the tables of `schema.TABLES`, wherever they come from. A fault in the library
itself is a `ValueError`: the tests keep it from every user.
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb

from pipeline.lake.formats import sql_folder
from pipeline.lake.sql import literal
from pipeline.schema import TABLES
from pipeline.warehouse.name_tables import set_topics
from pipeline.warehouse.names import NAME_TABLES
from pipeline.warehouse.rules import RULES, RuleRow, defaults, rules_by_account
from pipeline.warehouse.time_zones import utc_offsets
from pipeline.warehouse.twins import twin_about, twin_meanings, twin_names, twin_notes, twin_sql

FACTS: Final = "facts"
_NO_THEMES: Final = frozenset({"checks", "codes", FACTS})  # folders without views
STEPS: Final = "steps"

# The type of `code` in each code table: that of the column which it explains.
CODE_TYPES = {
    ("end_reason", "code"): "INTEGER",
    ("message_type", "code"): "VARCHAR",
    ("start_reason", "code"): "INTEGER",
}

# The comment of each table beside those of the lake, which `.tables` shows.
_ABOUTS = {
    "end_reason": "Why a conversation ended: each code with its label, and who closed it.",
    "message_type": "What a line of a transcript is: each code with its label.",
    "start_reason": "How a conversation started: each code with its label.",
    "settings": "The rules of measures in settings.csv, a row for each setting and account; no account: all others.",
    "account_rules": "The same settings as typed columns, a row for each account; no account: all others.",
    "utc_offsets": "Offsets from UTC of the time zones in the settings: a row for each span of one offset.",
    **{table.name: table.about for table in NAME_TABLES},
}

_SETTING_COLUMNS = {"setting": "VARCHAR", "account_id": "VARCHAR", "value": "VARCHAR", "about": "VARCHAR"}
_OFFSET_COLUMNS = {
    "time_zone": "VARCHAR",
    "year": "BIGINT",
    "from_time": "TIMESTAMP WITH TIME ZONE",
    "until_time": "TIMESTAMP WITH TIME ZONE",
    "from_local_time": "TIMESTAMP",
    "until_local_time": "TIMESTAMP",
    "offset_seconds": "BIGINT",
}
_RULES_OF = "The account that the row holds for; NULL: all accounts without a row of their own."

# The meaning of each column of those tables.
_MEANINGS = {
    "end_reason": {
        "code": "The code, as in end_reason_id.",
        "label": "The vendor's label.",
        "closed_by": "Who ended the conversation.",
    },
    "message_type": {"code": "The code, as in type of messages.", "label": "The vendor's label."},
    "start_reason": {"code": "The code, as in start_reason_id.", "label": "The vendor's label."},
    "settings": {
        "setting": "Name of the setting.",
        "account_id": _RULES_OF,
        "value": "The value, as text.",
        "about": "What the setting changes.",
    },
    "account_rules": {"account_id": _RULES_OF} | {setting.name: setting.about for setting in RULES},
    "utc_offsets": {
        "time_zone": "Name of the time zone.",
        "year": "Year of UTC or of the local time that the span touches: a span has a row for each.",
        "from_time": "Start of the span.",
        "until_time": "End of the span, exclusive.",
        "from_local_time": "Start of the span on local clocks; of two equal local times the first one counts.",
        "until_local_time": "End of the span on local clocks, exclusive.",
        "offset_seconds": "Local time less UTC.",
    },
    **{table.name: {name: about for name, (_, about) in table.columns.items()} for table in NAME_TABLES},
}

_COMMENT = re.compile(r"--.*")
_RELATION = re.compile(r"(?<!distinct )\b(?:from|join)\s+([a-z_]\w*)\b(?!\()")
_STEP = re.compile(r"(?:\bwith|\),)\s+(\w+) as (?:(?:not )?materialized )?\(")
LAST_SELECT: Final = re.compile(r".*^select\b(?P<columns>.*?)^from\b(?P<rest>.*)", re.DOTALL | re.MULTILINE)
"""The columns of a file's last select, and what follows them."""
MEANING: Final = re.compile(r"\b(\w+),? {2}-- (.+(?:\n {9,}-- .+)*)$", re.MULTILINE)  # a long one goes on, further in
"""A column of a select with the comment at the end of its line, which says what it means."""
_HEADER_LABEL = re.compile(r"(?P<label>[A-Z][a-z]+): +(?P<text>.*)")


@dataclass(frozen=True)
class View:
    """One view: a file of the library, or a twin of one.

    Attributes:
        about: the header's opening.
        notes: the header's parts: Grain, Counts, Units, Source.
        meanings: what a column means, of the columns whose line ends with a comment.
        twin_of: the view whose select it has with other days; None: it has a file.
    """

    name: str
    theme: str
    about: str
    notes: dict[str, str]
    meanings: dict[str, str]
    sql: str
    reads: frozenset[str]
    twin_of: str | None = None


class ViewPlace(NamedTuple):
    """The folder of a view's file, and whether the view is a twin of that file's."""

    theme: str
    is_twin: bool = False


class Check(NamedTuple):
    """A query that returns the offending rows, and the meaning of such a row."""

    name: str
    meaning: str
    sql: str
    file: Path


def themes(folder: Path | None = None) -> list[str]:
    """List the folders of views by name; that of the steps, on which the others stand, comes last."""
    folders = [path.name for path in (folder or sql_folder()).iterdir() if path.is_dir() and path.name not in _NO_THEMES]
    return sorted(folders, key=lambda name: (name == STEPS, name))


def view_files(folder: Path | None = None, only: Iterable[str] | None = None) -> list[Path]:
    """List the file of every view, or those of `only` some folders, by name; two files of one name are a `ValueError`."""
    root = folder or sql_folder()
    files = sorted(
        (file for theme in only or themes(root) for file in (root / theme).glob("*.sql")), key=lambda file: file.stem
    )
    for first, second in pairwise(files):
        if first.stem == second.stem:
            message = f"{first} and {second}: expected one file per view, found two named {first.stem}"
            raise ValueError(message)
    return files


def ordered_views(folder: Path | None = None, only: Iterable[str] | None = None) -> list[View]:
    """Return every view, or those of `only` some folders, each after the views that it reads, else by name.

    Raises:
        ValueError: views read each other in a circle.

    """
    views = _read_views(folder, only)
    sorter = TopologicalSorter({name: sorted(view.reads & views.keys()) for name, view in views.items()})
    try:
        return [views[name] for name in sorter.static_order()]
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        message = f"sql/: expected views that can be created one after the other, found a circle: {circle}"
        raise ValueError(message) from error


def view_names(folder: Path | None = None) -> frozenset[str]:
    """Name every view, twins included; every opening of a lake asks, so of each file the header alone is read."""
    return frozenset(view_places(folder))


def view_places(folder: Path | None = None) -> dict[str, ViewPlace]:
    """Say of every view, twins included, in which folder its file is, and whether it is a twin; from the headers alone."""
    found: dict[str, ViewPlace] = {}
    for file in view_files(folder):
        twins = twin_names(file.stem, _header(file.read_text(encoding="utf-8"))[1]).values()
        found |= {file.stem: ViewPlace(file.parent.name)} | {twin: ViewPlace(file.parent.name, is_twin=True) for twin in twins}
    return found


def create_views(
    connection: duckdb.DuckDBPyConnection,
    folder: Path | None = None,
    *,
    rules: list[RuleRow] | None = None,
) -> None:
    """Create or replace the code tables, the settings, the tables of names and every view in the connection's current schema.

    Lists and settings become tables with rows, so a database file stays whole without files beside it. Each view has its
    header's opening as its comment. The tables that the views read must exist. `rules` are the defaults if none
    are given.
    """
    for name, (columns, rows) in code_lists(folder).items():
        _create_table(connection, name, {column: CODE_TYPES.get((name, column), "VARCHAR") for column in columns})
        _fill(connection, name, rows)
    _create_table(connection, "settings", _SETTING_COLUMNS)
    rule_columns = {"account_id": "VARCHAR"} | {setting.name: setting.kind.sql_type for setting in RULES}
    _create_table(connection, "account_rules", rule_columns)
    _create_table(connection, "utc_offsets", _OFFSET_COLUMNS)
    set_rules(connection, defaults() if rules is None else rules)
    for table in NAME_TABLES:
        _create_table(connection, table.name, {name: sql_type for name, (sql_type, _) in table.columns.items()})
    set_topics(connection)
    for view in ordered_views(folder):
        connection.execute(f"create or replace view {view.name} as\n{view.sql}")
        connection.execute(f"comment on view {view.name} is {literal(view.about)}")


def set_rules(connection: duckdb.DuckDBPyConnection, rules: list[RuleRow]) -> None:
    """Replace the rows of the settings and of their time zones' offsets, and the macro `rules_account`.

    The macro gives the account whose row of `account_rules` holds for an account: its own, or NULL, that of all others. So a
    view finds the rules of an account by one join, which costs nothing where no account has rules of its own.
    """
    abouts = {setting.name: setting.about for setting in RULES}
    typed = rules_by_account(rules)
    own = ", ".join(f"{literal(account_id)}: {literal(account_id)}" for account_id, *_ in typed if account_id is not None)
    found = f"map {{{own}}}[account_id]" if own else "null::varchar"  # an enum's cast would take ten times as long
    connection.execute(f"create or replace macro rules_account(account_id) as {found}")
    _fill(connection, "settings", [(*row, abouts[row.setting]) for row in rules])
    _fill(connection, "account_rules", typed)
    _fill(connection, "utc_offsets", utc_offsets(row.value for row in rules if row.setting == "time_zone"))


def _create_table(connection: duckdb.DuckDBPyConnection, name: str, columns: dict[str, str]) -> None:
    declared = ", ".join(f"{column} {column_type}" for column, column_type in columns.items())
    connection.execute(f"create or replace table {name} ({declared})")
    connection.execute(f"comment on table {name} is {literal(_ABOUTS[name])}")


def _fill(connection: duckdb.DuckDBPyConnection, name: str, rows: Sequence[tuple[Any, ...]]) -> None:
    columns = [list(values) for values in zip(*rows, strict=True)]
    connection.execute(f"delete from {name}")
    connection.execute(f"insert into {name} select {', '.join(['unnest(?)'] * len(columns))}", columns)


def comment_columns(connection: duckdb.DuckDBPyConnection) -> None:
    """Say what each column of the views, and of the tables beside those of the lake, means."""
    columns: dict[str, list[str]] = {}
    for name, column in connection.execute(
        "select table_name, column_name from duckdb_columns() where not internal"
    ).fetchall():
        columns.setdefault(name, []).append(column)
    for name, meanings in column_meanings(columns).items():
        if name not in TABLES:
            for column, meaning in meanings.items():
                connection.execute(f"comment on column {name}.{column} is {literal(meaning)}")


def column_meanings(columns: Mapping[str, Iterable[str]]) -> dict[str, dict[str, str]]:
    """The meaning of each column, by table or view; a column without one is left out.

    The comment at the end of its line says it. A column without a comment inherits the meaning of the same column in the
    views and tables that the view reads, if they agree.
    """
    found = {table.name: {column.name: column.about for column in table.shown} for table in TABLES.values()} | _MEANINGS
    for view in ordered_views():
        own = found[view.name] = dict(view.meanings)
        for column in columns[view.name]:
            inherited = {found[name][column] for name in view.reads if column in found[name]}
            if column not in own and len(inherited) == 1:
                own[column] = inherited.pop()
    return found


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


def _read_views(folder: Path | None = None, only: Iterable[str] | None = None) -> dict[str, View]:
    """Read every view, twins included, by its name; two of one name are a `ValueError`."""
    files = [_read_view(file) for file in view_files(folder, only)]
    found = {view.name: view for view in files}
    names = found.keys() | {twin for view in files for twin in twin_names(view.name, view.notes).values()}
    for view in files:
        for column, name in twin_names(view.name, view.notes).items():
            if name in found:
                message = f"sql/{view.theme}/{view.name}.sql: expected a twin with a name of its own, found another {name}"
                raise ValueError(message)
            found[name] = _twin(view, name, column, names)
    return found


def _read_view(file: Path) -> View:
    sql = file.read_text(encoding="utf-8")
    about, notes = _header(sql)
    select = LAST_SELECT.match(sql)
    found = MEANING.findall(select["columns"]) if select else []
    meanings = {column: re.sub(r"\s+-- ", " ", meaning) for column, meaning in found}
    return View(file.stem, file.parent.name, about, notes, meanings, sql, _tables_read(sql))


def _twin(view: View, name: str, column: str, names: AbstractSet[str]) -> View:
    sql = twin_sql(view.sql, column, view.reads, names)
    about, notes = twin_about(view.name, view.about, column), twin_notes(view.notes, column)
    meanings = twin_meanings(view.meanings, column)
    return View(name, view.theme, about, notes, meanings, sql, _tables_read(sql), twin_of=view.name)


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
