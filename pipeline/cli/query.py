"""Runs a query or the data checks, and prints the rows in a format or as a chart."""

import contextlib
import shlex
import textwrap
from collections.abc import Iterator
from functools import partial
from typing import IO, TYPE_CHECKING, Final

import duckdb

from pipeline.cli.formats import Out, write_csv, write_json, write_lines, write_markdown, write_parquet
from pipeline.cli.options import next_command, sentence
from pipeline.cli.tables import Screen, row_count, write_screen, write_whole
from pipeline.errors import QueryError, RefusedError
from pipeline.failures import of_a_file
from pipeline.text import counted
from pipeline.warehouse.library import checks
from pipeline.warehouse.statements import gives_rows, statements

if TYPE_CHECKING:
    from collections.abc import Callable

    Write = Callable[[duckdb.DuckDBPyRelation, Out], object]

CHARTS: Final = {"": "chart", "bar": "bar chart", "line": "line chart"}
"""The forms that draw, by the kind that is asked for."""
_OF_ONE_RESULT: Final = frozenset({"csv", "json", "parquet"})
_WITH_SPACE_BETWEEN: Final = frozenset({"line", "markdown", *CHARTS.values()})
_CHECK_WIDTH = 114


def run_query(
    connection: duckdb.DuckDBPyConnection, query: str, form: str, out: IO[str], *, most_rows: int | None = None, null: str = ""
) -> duckdb.DuckDBPyRelation | None:
    """Run the statements of `query` in their order, and print their rows: several tables, but no more than one csv or JSON.

    A table on a terminal is no wider than that, and says how many rows there are; anywhere else it is whole. `most_rows` is for
    tables and charts: None: as many as fit on the terminal, elsewhere all; 0: all. In csv `null` stands for NULL. Returns the
    last statement's rows, as a query that runs again.

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
    shown = None
    with _in_its_words():
        parts = statements(query, connection.extract_statements)
        asking = sum(map(gives_rows, parts))
        if asking > 1 and form in _OF_ONE_RESULT:
            raise QueryError(f"the query: expected one statement with rows for {form}, found {asking}; ask them one by one")
        for part in parts:
            relation = connection.sql(part)
            if relation is not None and (gives_rows(part) or (not asking and part is parts[-1])):
                if shown is not None and form in _WITH_SPACE_BETWEEN:
                    out.write("\n")
                write_rows(relation, form, out, most_rows=most_rows, null=null)
                shown = relation
    if shown is None and form == "parquet":
        raise QueryError("the query: expected a statement with rows for parquet, found none")
    return shown


def write_rows(
    relation: duckdb.DuckDBPyRelation, form: str, out: IO[str], *, most_rows: int | None = None, null: str = ""
) -> None:
    """Print the rows of one query, as `run_query` does.

    Raises:
        QueryError: the query failed, or its rows have no such form.
    """
    with _in_its_words():
        if form == "parquet":
            write_parquet(relation, out)
        elif form == "table" and out.isatty():
            write_screen(relation, Screen(out), most_rows)
        else:
            write = _chart_writer(form, out, most_rows) if form in CHARTS.values() else _writers(most_rows, null)[form]
            write(relation, Screen(out) if out.isatty() else out)


def _writers(most_rows: int | None, null: str) -> "dict[str, Write]":
    return {
        "csv": partial(write_csv, null=null),
        "json": write_json,
        "line": write_lines,
        "markdown": write_markdown,
        "table": partial(write_whole, most_rows=most_rows or 0),
    }


def _chart_writer(form: str, out: IO[str], most_rows: int | None) -> "Write":
    from pipeline.cli.charts import write_chart

    return partial(write_chart, kind=form.removesuffix("chart").strip(), most_rows=most_rows, is_on_screen=out.isatty())


@contextlib.contextmanager
def _in_its_words() -> Iterator[None]:
    """Raise DuckDB's errors as ours, of which one on a file of the lake says what to do."""
    try:
        yield
    except (duckdb.Error, RefusedError) as error:
        raise QueryError(sentence(of_a_file(error) or error)) from error


def run_checks(connection: duckdb.DuckDBPyConnection, out: IO[str]) -> int:
    """Run every data check, print its findings and their meaning; return the number of checks with findings."""
    findings = 0
    for check in checks():
        count = row_count(connection.sql(check.sql))
        out.write(f"{'ok  ' if count == 0 else 'FIND'}  {check.name}\n")
        if count:
            findings += 1
            for line in textwrap.wrap(
                f"{counted(count, 'row')}: {check.meaning}", _CHECK_WIDTH, break_long_words=False, break_on_hyphens=False
            ):
                out.write(f"      {line}\n")
            out.write(f"      see {'it' if count == 1 else 'them'}: {next_command('sql')} < {shlex.quote(str(check.file))}\n")
    return findings
