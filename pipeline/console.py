"""SQL for people: one query, a shell, and the data checks, printed as table, CSV or JSON."""

import contextlib
import csv
import json
import math
import shlex
import shutil
import textwrap
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import IO, Any

import duckdb

from pipeline.errors import PipelineError
from pipeline.views import checks

_BATCH_ROWS = 10_000
_CHECK_WIDTH = 114
_HELP = """Any SQL of DuckDB, ended by a semicolon. Also:
  .tables           the tables and views
  .describe NAME    the columns of one
  .mode FORMAT      table, csv or json
  .quit             leave"""


class QueryError(PipelineError):
    """DuckDB does not take the query."""


def run_query(connection: duckdb.DuckDBPyConnection, query: str, form: str, out: IO[str]) -> None:
    """Print the rows of the last statement of `query`.

    Raises:
        QueryError: DuckDB's own words.
    """
    try:
        relation = connection.sql(query)
        if relation is None:
            return
        if form == "table":
            width = shutil.get_terminal_size((160, 24)).columns
            out.write(f"{relation.__str__() if not out.isatty() else _boxed(relation, width)}\n")
        else:
            {"csv": _write_csv, "json": _write_json}[form](relation, out)
    except duckdb.Error as error:
        raise QueryError(str(error)) from error


def _boxed(relation: duckdb.DuckDBPyRelation, width: int) -> str:
    captured: list[str] = []

    class _Capture:
        def write(self, text: str) -> int:
            captured.append(text)
            return len(text)

        def flush(self) -> None: ...

    with contextlib.redirect_stdout(_Capture()):
        relation.show(max_width=width)
    return "".join(captured).rstrip()


def _rows(relation: duckdb.DuckDBPyRelation) -> Iterator[tuple[Any, ...]]:
    for batch in relation.to_arrow_reader(_BATCH_ROWS):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _write_csv(relation: duckdb.DuckDBPyRelation, out: IO[str]) -> None:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(relation.columns)
    for row in _rows(relation):
        writer.writerow([_csv_value(value) for value in row])


def _csv_value(value: Any) -> Any:
    if isinstance(value, list | dict):
        return json.dumps(_plain(value), ensure_ascii=False)
    plain = _plain(value)
    return str(plain).lower() if isinstance(plain, bool) else plain


def _write_json(relation: duckdb.DuckDBPyRelation, out: IO[str]) -> None:
    """One array of objects, written as the rows come."""
    separator = "[\n"
    for row in _rows(relation):
        out.write(separator + json.dumps(dict(zip(relation.columns, map(_plain, row), strict=True)), ensure_ascii=False))
        separator = ",\n"
    out.write("[]\n" if separator == "[\n" else "\n]\n")


def _plain(value: Any) -> Any:
    """A value as JSON has it: times in ISO 8601, numbers as numbers, what JSON lacks as text or null."""
    match value:
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case float() if not math.isfinite(value):
            return None
        case dict():
            return {str(name): _plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)


def shell(connection: duckdb.DuckDBPyConnection, form: str) -> None:
    """Read statements from the terminal until its end or `.quit`."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401, PLC0415  # gives input() editing and history

    print("Tables and views: .tables   help: .help   leave: .quit")  # noqa: T201
    statement = ""
    mode = form
    while True:
        try:
            line = input("lake> " if not statement else "   -> ")
        except KeyboardInterrupt:
            print()  # noqa: T201
            statement = ""
            continue
        except EOFError:
            return
        if not statement and line.startswith("."):
            if line.strip() in {".quit", ".exit"}:
                return
            mode = _dot_command(connection, line.split(), mode)
            continue
        statement += line + "\n"
        if statement.strip() and line.rstrip().endswith(";"):
            _answer(connection, statement, mode)
            statement = ""


def _dot_command(connection: duckdb.DuckDBPyConnection, words: list[str], mode: str) -> str:
    match words:
        case [".tables"]:
            _answer(connection, _TABLES, mode)
        case [".describe", name]:
            quoted = name.replace("'", "''")
            _answer(connection, _COLUMNS.format(quoted), mode)
        case [".mode", "table" | "csv" | "json" as form]:
            return form
        case _:
            print(_HELP)  # noqa: T201
    return mode


_COLUMNS = "select column_name, data_type, comment as about from duckdb_columns() where table_name = '{}' order by column_index"
_TABLES = """
    select table_name as name, comment as about from duckdb_tables()
    union all select view_name, comment from duckdb_views() where not internal order by name"""


def _answer(connection: duckdb.DuckDBPyConnection, statement: str, form: str) -> None:
    import sys  # noqa: PLC0415

    try:
        run_query(connection, statement, form, sys.stdout)
    except QueryError as error:
        print(error)  # noqa: T201


def run_checks(connection: duckdb.DuckDBPyConnection, out: IO[str]) -> int:
    """Run every data check and print what it found, and what that means; returns how many found something."""
    findings = 0
    for check in checks():
        count = _row_count(connection, check.sql)
        out.write(f"{'ok  ' if count == 0 else 'FIND'}  {check.name}\n")
        if count:
            findings += 1
            rows = "1 row" if count == 1 else f"{count:,} rows"
            for line in textwrap.wrap(f"{rows}: {check.meaning}", _CHECK_WIDTH, break_long_words=False, break_on_hyphens=False):
                out.write(f"      {line}\n")
            out.write(f"      see {'it' if count == 1 else 'them'}: lakehouse sql < {shlex.quote(str(check.file))}\n")
    return findings


def _row_count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.sql(query).aggregate("count(*)").fetchall()[0][0])
