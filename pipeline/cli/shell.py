"""The SQL shell: reads statements and dot commands from a terminal, and prints the results.

On most terminals `prompt` reads them; on a dumb one `input` does, line by line.
"""

import contextlib
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, cast

import duckdb

from pipeline.cli.formats import form_of
from pipeline.cli.listing import listing
from pipeline.cli.pager import Pager, pager_fault
from pipeline.cli.prompt import PROMPT, PROMPT_AGAIN, Editor, asks_for_help, history_path, is_complete, leaves
from pipeline.cli.query import CHARTS, run_query, write_rows
from pipeline.cli.streams import whole_file
from pipeline.cli.tables import Screen
from pipeline.errors import QueryError, SettingsError
from pipeline.lake.sql import literal

if TYPE_CHECKING:
    Write = Callable[[IO[str], str, int | None], None]  # to a stream, in a form, with so many rows at most

COMMANDS: Final = {
    ".tables [WORD]": "the tables and views by theme; those with a word in name or theme: .tables queue; .tables all",
    ".describe NAME": "the columns of one, with their meaning",
    ".chart [QUERY]": "draw the last result, or a query's; .chart bar or .chart line choose how",
    ".mode FORMAT": "table, line (a line for each column), csv, json or markdown",
    ".once FILE": "the next result into a file, whole; .csv, .json, .md and .parquet say how, else .mode",
    ".rows N|fit": "at most N rows of a table on the screen, 0: all; fit: as many as it has room for",
    ".pager on|off": "results larger than the screen whole in $PAGER or less: all rows, all columns",
    ".timer on|off": "how long each statement took",
    ".history": "where statements are kept; .history clear forgets them",
    ".quit": "leave, as quit, exit and Ctrl-D do",
}
_HELP: Final = (
    "Any SQL of DuckDB, ended by a semicolon; Tab completes, Ctrl-R searches the history, Ctrl-C stops a statement. Also:"
)
_HELP_MARGIN: Final = 20
_WIDEST_HELP: Final = 100
_COLUMNS: Final = """
    select column_name, data_type, comment as about from duckdb_columns()
    where lower(table_name) = lower({}) order by column_index"""


def shell(
    connection: duckdb.DuckDBPyConnection, form: str, history: str = "", *, most_rows: int | None = None, null: str = ""
) -> None:
    """Answer entries until the end of input or `.quit`; `history` is the setting LAKE_HISTORY."""
    session = _Session(connection, form, history_path(history), null)
    session.rows = most_rows
    say = session.say
    say("Tables and views: .tables   help: help   leave: quit")
    for entry in session.entries():
        if leaves(entry):
            return
        with contextlib.suppress(KeyboardInterrupt):  # only printing was going on
            if asks_for_help(entry):
                say(_help())
            elif entry.startswith("."):
                session.obey(entry)
            else:
                session.answer(entry)


def _help() -> str:
    """The commands with their meaning, wrapped for the terminal."""
    columns = min(shutil.get_terminal_size().columns, _WIDEST_HELP)
    lines = textwrap.wrap(_HELP, columns)
    for command, meaning in COMMANDS.items():
        indent = " " * _HELP_MARGIN
        lines += textwrap.wrap(meaning, columns, initial_indent=f"  {command}".ljust(_HELP_MARGIN), subsequent_indent=indent)
    return "\n".join(lines)


class _Session:
    def __init__(self, connection: duckdb.DuckDBPyConnection, form: str, history: Path | None, null: str) -> None:
        self.null = null
        self.connection = connection
        self.form = form
        self.history = history
        self.rows: int | None = None
        self.timed = False
        self.paged = False
        self.once: str | None = None
        self.last: duckdb.DuckDBPyRelation | None = None
        self.screen = Screen(sys.stdout)
        self.is_dumb = os.environ.get("TERM", "dumb") == "dumb" or not sys.stdout.isatty()

    def say(self, text: str) -> None:
        """Print a line."""
        self.screen.write(f"{text}\n")
        self.screen.flush()

    def entries(self) -> Iterator[str]:
        """Yield entries: a dot command or a whole statement at a time, stripped."""
        if not self.is_dumb:
            self.connection.execute("set enable_progress_bar = true")
        read = _read_lines if self.is_dumb else Editor(self.connection, self.history, list(COMMANDS)).read
        while True:
            try:
                entry = read().strip()
            except KeyboardInterrupt:
                if self.is_dumb:
                    self.say("")
                continue
            except EOFError:
                return
            if entry:
                yield entry

    def answer(self, statement: str, form: str | None = None) -> None:
        """Print the rows of a statement, or DuckDB's error; remember them for `.chart`."""

        def run(out: IO[str], form: str, most_rows: int | None) -> None:
            found = run_query(self.connection, statement, form, out, most_rows=most_rows, null=self.null)
            self.last = self.last if found is None else found

        self._print(run, form)

    def _print(self, write: "Write", form: str | None) -> None:
        """Print by `write`: to the file of `.once`, the pager or the screen."""
        target, self.once = self.once, None
        began = time.perf_counter()
        try:
            if target is not None:
                chosen = form or form_of(target) or self.form
                with whole_file(target) as out:
                    self._run(lambda: write(out, chosen, 0))
                self.say(f"written to {target}")
            elif self.paged and form is None:
                self._run(lambda: self._page(write))
            else:
                self._run(lambda: write(sys.stdout, form or self.form, self.rows))
        except (QueryError, SettingsError) as error:
            self.say(str(error).strip())
        if self.timed:
            self.say(f"{time.perf_counter() - began:.3f} s")

    def _page(self, write: "Write") -> None:
        with Pager(sys.stdout) as out:
            write(cast("IO[str]", out), self.form, self.rows)

    def _run(self, work: Callable[[], None]) -> None:
        """Do the work in a thread, so that Ctrl-C stops the query and nothing else.

        Raises:
            QueryError: the query failed, or was stopped.
        """
        is_stopped = False
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(work)
            while True:
                try:
                    return running.result()
                except KeyboardInterrupt:
                    is_stopped = True
                    self.connection.interrupt()
                except QueryError:
                    if is_stopped:
                        raise QueryError("stopped") from None
                    raise

    def obey(self, line: str) -> None:
        """Run a dot command."""
        command, argument = [*line.rstrip("; \n").split(maxsplit=1), ""][:2]
        match command, argument:
            case ".tables", word:
                for text in listing(self.connection, shutil.get_terminal_size().columns, word):
                    self.say(text)
            case ".describe", name if name:
                self._describe(name)
            case ".chart", asked:
                self._chart(asked)
            case ".history", "" | "clear" as action:
                self._show_history(clear=action == "clear")
            case ".help", _:
                self.say(_help())
            case _ if not self._set(command, argument):
                self.say(f"{line}: no such command, or not in that form.\n{_help()}")

    def _set(self, command: str, argument: str) -> bool:
        """Run a dot command that changes how results are shown; False: it is none."""
        match command, argument:
            case ".mode", "table" | "line" | "csv" | "json" | "markdown" as form:
                self.form = form
            case ".once", target if target:
                self.once = target
            case ".rows", number if number.isdecimal() or number == "fit":
                self.rows = None if number == "fit" else int(number)
            case ".pager", "on" | "off" as state:
                self._switch_pager(is_on=state == "on")
            case ".timer", "on" | "off" as state:
                self.timed = state == "on"
            case _:
                return False
        return True

    def _chart(self, asked: str) -> None:
        """Draw the last result, which is asked for again, or that of a query."""
        first, rest = [*asked.split(maxsplit=1), "", ""][:2]
        kind, query = (first, rest) if first in CHARTS else ("", asked)
        last = self.last
        if query:
            self.answer(query, CHARTS[kind])
        elif last is None:
            self.say(".chart: expected a query before it or behind it, found none")
        else:
            self._print(lambda out, form, most_rows: write_rows(last, form, out, most_rows=most_rows), CHARTS[kind])

    def _switch_pager(self, *, is_on: bool) -> None:
        fault = "it takes a terminal that moves its cursor" if self.is_dumb else pager_fault()
        if is_on and fault:
            self.say(f".pager: {fault}")
        else:
            self.paged = is_on
            if is_on:
                self.say("Results larger than the screen are whole in the pager: the arrows move, q leaves it")

    def _describe(self, name: str) -> None:
        query = _COLUMNS.format(literal(name.strip('";')))
        if self.connection.sql(query).limit(1).fetchall():
            self._print(lambda out, form, _: write_rows(self.connection.sql(query), form, out, most_rows=0), None)
        else:
            self.say(f"{name}: there is no such table or view; .tables lists them")

    def _show_history(self, *, clear: bool) -> None:
        if self.history is None:
            self.say("No history is kept: LAKE_HISTORY is off")
        elif clear:
            self.history.write_text("")
            self.say(f"{self.history} is empty now")
        else:
            self.say(f"{self.history}; statements can hold ids of customers: LAKE_HISTORY=off keeps none")


def _read_lines() -> str:
    """Read lines by `input` until the entry is complete."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  # gives input() editing

    entry = input(PROMPT)
    while not is_complete(entry):
        entry += "\n" + input(PROMPT_AGAIN)
    return entry
