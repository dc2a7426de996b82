"""Runs a query or the data checks, and prints the rows as table, CSV or JSON."""

import contextlib
import io
import re
import shlex
import shutil
import textwrap
from functools import partial
from typing import IO, TYPE_CHECKING

import duckdb

from pipeline.cli.formats import Out, write_csv, write_json, write_lines
from pipeline.cli.options import next_command, sentence
from pipeline.errors import QueryError, RefusedError
from pipeline.failures import of_a_file
from pipeline.text import counted, harmless
from pipeline.warehouse.library import checks
from pipeline.warehouse.statements import gives_rows, statements

if TYPE_CHECKING:
    from collections.abc import Callable

_FRAME_LINES = 9  # of a table on the screen that are no rows: head, foot and the next prompt
_LEAST_ROWS = 10
_UNCOUNTED = "? rows"
_NARROWED = re.compile(r"columns? \(\d+ shown\)")
_WAY_TO_ALL = "the other columns: --format line or csv; in the shell .mode line"
_CHECK_WIDTH = 114


class Screen:
    """A terminal with control characters spelled out, since customers' texts may hold escape sequences."""

    def __init__(self, terminal: IO[str]) -> None:
        self._terminal = terminal

    def write(self, text: str) -> int:
        """Write text; only line ends and tabs keep their effect."""
        return self._terminal.write(harmless(text))

    def flush(self) -> None:
        """Flush the terminal."""
        self._terminal.flush()


def run_query(
    connection: duckdb.DuckDBPyConnection, query: str, form: str, out: IO[str], *, most_rows: int | None = None, null: str = ""
) -> None:
    """Run the statements of `query` in their order, and print their rows: several tables, but no more than one CSV or JSON.

    A table on a terminal is no wider than that, holds `most_rows`, by default as many as fit, and says how many there are.
    Anywhere else DuckDB chooses the rows of a table; the other forms have all of them. In csv `null` stands for NULL.

    Raises:
        QueryError: DuckDB refuses the query; or it is no text, asks for rows twice for one file, or holds a statement that
            writes; then none was run.
    """
    try:  # UTF-8 from the terminal or a pipe in a locale that knows none
        query = query.encode(errors="surrogateescape").decode()
    except UnicodeError as error:
        raise QueryError("the query: expected text in UTF-8, found other bytes; save it as UTF-8") from error
    connection.execute(
        "set python_enable_replacements = false"
    )  # else a name in the query can mean a variable of this function
    if query.lstrip().startswith("."):
        found = f"{query.split(maxsplit=1)[0]}: expected SQL, found a dot command, which only the shell has"
        raise QueryError(
            f'{found}: lakehouse sql on a terminal; in SQL, "show tables" lists what there is, "describe NAME" columns, and '
            "the column comment of duckdb_columns() their meaning, as docs/metrics.md does"
        )
    try:
        parts = statements(query, connection.extract_statements)
        asking = sum(map(gives_rows, parts))
        if asking > 1 and form in {"csv", "json"}:
            raise QueryError(f"the query: expected one statement with rows for {form}, found {asking}; ask them one by one")
        for part in parts:
            relation = connection.sql(part)
            if relation is not None and (gives_rows(part) or (not asking and part is parts[-1])):
                _write(relation, form, out, most_rows, null)
    except (duckdb.Error, RefusedError) as error:
        raise QueryError(sentence(of_a_file(error) or error)) from error


def _write(relation: duckdb.DuckDBPyRelation, form: str, out: IO[str], most_rows: int | None, null: str) -> None:
    if form == "table" and not out.isatty():
        table = f"{str(relation).rstrip()}\n"
        out.write(f"{table}{_hint(table)}\n")
    elif form == "table":
        _write_screen(relation, Screen(out), most_rows)
    else:
        writers: dict[str, Callable[[duckdb.DuckDBPyRelation, Out], object]] = {
            "csv": partial(write_csv, null=null),
            "json": write_json,
            "line": write_lines,
        }
        writers[form](relation, Screen(out) if out.isatty() else out)


def _write_screen(relation: duckdb.DuckDBPyRelation, screen: Screen, most_rows: int | None) -> None:
    if relation.columns == ["explain_key", "explain_value"]:  # a drawing, not a value
        screen.write("".join(f"{drawing}\n" for _, drawing in relation.fetchall()))
        return
    width, height = shutil.get_terminal_size((160, 24))
    table = _boxed(relation, width, most_rows or max(height - _FRAME_LINES, _LEAST_ROWS))
    screen.write(f"{table}\n" + _hint(table))
    screen.flush()
    if _UNCOUNTED in table.rpartition("└")[2]:  # DuckDB counts no further than what it fetched for the table
        total = relation.aggregate("count(*)").fetchall()[0][0]
        screen.write(f"  {total:,} rows in all\n")


def _hint(table: str) -> str:
    """A line on how to see the columns that did not fit into a table."""
    return f"  {_WAY_TO_ALL}\n" if _NARROWED.search(table.rpartition("└")[2]) else ""


def _boxed(relation: duckdb.DuckDBPyRelation, width: int, rows: int) -> str:
    captured = io.StringIO()
    with contextlib.redirect_stdout(captured):
        relation.show(max_width=width, max_rows=rows)
    return captured.getvalue().rstrip()


def run_checks(connection: duckdb.DuckDBPyConnection, out: IO[str]) -> int:
    """Run every data check, print its findings and their meaning; return the number of checks with findings."""
    findings = 0
    for check in checks():
        count = _row_count(connection, check.sql)
        out.write(f"{'ok  ' if count == 0 else 'FIND'}  {check.name}\n")
        if count:
            findings += 1
            for line in textwrap.wrap(
                f"{counted(count, 'row')}: {check.meaning}", _CHECK_WIDTH, break_long_words=False, break_on_hyphens=False
            ):
                out.write(f"      {line}\n")
            out.write(f"      see {'it' if count == 1 else 'them'}: {next_command('sql')} < {shlex.quote(str(check.file))}\n")
    return findings


def _row_count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.sql(query).aggregate("count(*)").fetchall()[0][0])
