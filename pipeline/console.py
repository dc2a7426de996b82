"""SQL for people: one query and the data checks, printed as table, CSV or JSON."""

import contextlib
import csv
import io
import json
import math
import shlex
import shutil
import textwrap
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain, count
from typing import IO, Any, Protocol

import duckdb

from pipeline.errors import PipelineError
from pipeline.statements import RefusedError, gives_rows, statements
from pipeline.views import checks
from pipeline.wording import many

_BATCH_ROWS = 10_000
_FRAME_LINES = 9  # of a table on the screen that are no rows: head, foot and the next prompt
_LEAST_ROWS = 10
_UNCOUNTED = "? rows"
_STEERING = (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_VISIBLE = {code: chr(code).encode("unicode_escape").decode() for code in _STEERING if chr(code) not in "\n\t"}
_CHECK_WIDTH = 114


class QueryError(PipelineError):
    """DuckDB does not take the query."""


class Screen:
    """A terminal that shows what would steer it, such as escape sequences in what customers wrote, and does not obey it."""

    def __init__(self, terminal: IO[str]) -> None:
        self._terminal = terminal

    def write(self, text: str) -> int:
        """Write text; only line ends and tabs keep their effect."""
        return self._terminal.write(text.translate(_VISIBLE))

    def flush(self) -> None:
        """Show what was written."""
        self._terminal.flush()


class _Out(Protocol):
    def write(self, text: str, /) -> int: ...


def run_query(
    connection: duckdb.DuckDBPyConnection, query: str, form: str, out: IO[str], *, most_rows: int | None = None
) -> None:
    """Run the statements of `query` in their order, and print their rows: several tables, but no more than one CSV or JSON.

    A table on a terminal is no wider than that, holds `most_rows`, by default as many as fit, and says how many there are.
    Anywhere else DuckDB chooses the rows of a table; the other forms have all of them.

    Raises:
        QueryError: DuckDB's own words, or the query is no text, or asks for rows twice where they would be one file, or holds a
            statement that does not only read; none was run then.
    """
    try:  # what was typed or piped as UTF-8 where the locale knows none
        query = query.encode(errors="surrogateescape").decode()
    except UnicodeError as error:
        raise QueryError("the query: expected text in UTF-8, found other bytes; save it as UTF-8") from error
    connection.execute(
        "set python_enable_replacements = false"
    )  # else a name in the query can mean a variable of this function
    if query.lstrip().startswith("."):
        told = f"{query.split(maxsplit=1)[0]}: expected SQL, found a dot command, which only the shell has"
        raise QueryError(
            f'{told}: lakehouse sql on a terminal; in SQL, "show tables" lists what there is, "describe NAME" columns'
        )
    try:
        parts = statements(query)
        asking = sum(map(gives_rows, parts))
        if asking > 1 and form in {"csv", "json"}:
            raise QueryError(f"the query: expected one statement with rows for {form}, found {asking}; ask them one by one")
        for part in parts:
            relation = connection.sql(part)
            if relation is not None and (gives_rows(part) or (not asking and part is parts[-1])):
                _write(relation, form, out, most_rows)
    except (duckdb.Error, RefusedError) as error:
        raise QueryError(str(error)) from error


def _write(relation: duckdb.DuckDBPyRelation, form: str, out: IO[str], most_rows: int | None) -> None:
    if form == "table" and not out.isatty():
        out.write(f"{relation}\n")
    elif form == "table":
        _write_screen(relation, Screen(out), most_rows)
    else:
        {"csv": _write_csv, "json": _write_json, "line": _write_lines}[form](relation, Screen(out) if out.isatty() else out)


def _write_screen(relation: duckdb.DuckDBPyRelation, screen: Screen, most_rows: int | None) -> None:
    if relation.columns == ["explain_key", "explain_value"]:  # a drawing, not a value
        screen.write("".join(f"{drawing}\n" for _, drawing in relation.fetchall()))
        return
    width, height = shutil.get_terminal_size((160, 24))
    table = _boxed(relation, width, most_rows or max(height - _FRAME_LINES, _LEAST_ROWS))
    screen.write(f"{table}\n")
    screen.flush()
    if _UNCOUNTED in table.rpartition("└")[2]:  # DuckDB counts no further than what it fetched for the table
        total = relation.aggregate("count(*)").fetchall()[0][0]
        screen.write(f"  {total:,} rows in all\n")


def _boxed(relation: duckdb.DuckDBPyRelation, width: int, rows: int) -> str:
    captured = io.StringIO()
    with contextlib.redirect_stdout(captured):
        relation.show(max_width=width, max_rows=rows)
    return captured.getvalue().rstrip()


def _rows(relation: duckdb.DuckDBPyRelation) -> Iterator[tuple[Any, ...]]:
    reader = relation.to_arrow_reader(_BATCH_ROWS)
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        except (OSError, ValueError) as error:  # what Arrow makes of an error of DuckDB's
            raise QueryError(str(error)) from error
        yield from zip(*(column.to_pylist(maps_as_pydicts="lossy") for column in batch.columns), strict=True)


def _write_lines(relation: duckdb.DuckDBPyRelation, out: _Out) -> None:
    """A line for each value, an empty one between rows."""
    indent = max(map(len, relation.columns))
    for number, row in enumerate(_rows(relation)):
        lines = (f"{name:>{indent}} = {_line_value(value)}" for name, value in zip(relation.columns, row, strict=True))
        out.write(("\n" if number else "") + "\n".join(lines) + "\n")


def _line_value(value: Any) -> Any:
    return "NULL" if value is None else _csv_value(value)


def _write_csv(relation: duckdb.DuckDBPyRelation, out: _Out) -> None:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(relation.columns)
    for row in _rows(relation):
        writer.writerow([_csv_value(value) for value in row])


def _csv_value(value: Any) -> Any:
    if isinstance(value, list | dict):
        return json.dumps(_plain(value), ensure_ascii=False)
    plain = _plain(value)
    return str(plain).lower() if isinstance(plain, bool) else plain


def _write_json(relation: duckdb.DuckDBPyRelation, out: _Out) -> None:
    """One array of objects, written as the rows come."""
    names = _told_apart(relation.columns)
    separator = "[\n"
    for row in _rows(relation):
        out.write(separator + json.dumps(dict(zip(names, map(_plain, row), strict=True)), ensure_ascii=False))
        separator = ",\n"
    out.write("[]\n" if separator == "[\n" else "\n]\n")


def _told_apart(columns: list[str]) -> list[str]:
    """The names of columns with a number behind those that come again, as in DuckDB's own data frames: a, a_1, a_2."""
    names: dict[str, None] = {}
    for column in columns:
        spellings = chain([column], (f"{column}_{number}" for number in count(1)))
        names[next(name for name in spellings if name not in names)] = None
    return list(names)


def _plain(value: Any) -> Any:
    """A value as JSON has it: times in ISO 8601, numbers as numbers, bytes in hexadecimal, what JSON lacks as text or null."""
    match value:
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case float() if not math.isfinite(value):
            return None
        case bytes():
            return value.hex()
        case dict():
            return {str(name): _plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)


def run_checks(connection: duckdb.DuckDBPyConnection, out: IO[str]) -> int:
    """Run every data check and print what it found, and what that means; returns how many found something."""
    findings = 0
    for check in checks():
        count = _row_count(connection, check.sql)
        out.write(f"{'ok  ' if count == 0 else 'FIND'}  {check.name}\n")
        if count:
            findings += 1
            for line in textwrap.wrap(
                f"{many(count, 'row')}: {check.meaning}", _CHECK_WIDTH, break_long_words=False, break_on_hyphens=False
            ):
                out.write(f"      {line}\n")
            out.write(f"      see {'it' if count == 1 else 'them'}: lakehouse sql < {shlex.quote(str(check.file))}\n")
    return findings


def _row_count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.sql(query).aggregate("count(*)").fetchall()[0][0])
