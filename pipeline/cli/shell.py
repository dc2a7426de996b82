"""The SQL shell: reads statements and dot commands from a terminal, and prints the results.

On most terminals `prompt` reads them; on a dumb one `input` does, line by line.
"""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Final

import duckdb

from pipeline.cli.formats import QueryError
from pipeline.cli.prompt import PROMPT, PROMPT_AGAIN, Editor, history_path, is_complete, leaves
from pipeline.cli.query import Screen, run_query

COMMANDS: Final = {
    ".tables": "the tables and views",
    ".describe NAME": "the columns of one, with their meaning",
    ".mode FORMAT": "table, line (a line for each column), csv or json",
    ".once FILE": "the next result into a file, in the format of .mode",
    ".rows N": "at most N rows of a table on the screen; .rows 0: as many as fit",
    ".timer on|off": "how long each statement took",
    ".history": "where statements are kept; .history clear forgets them",
    ".quit": "leave, as quit, exit and Ctrl-D do",
}
_ALL: Final = 10_000
_HELP: Final = "\n".join(
    [
        "Any SQL of DuckDB, ended by a semicolon; Tab completes, Ctrl-R searches the history, Ctrl-C stops a statement. Also:",
        *(f"  {command:<17} {meaning}" for command, meaning in COMMANDS.items()),
    ]
)
_COLUMNS: Final = """
    select column_name, data_type, comment as about from duckdb_columns()
    where lower(table_name) = lower('{}') order by column_index"""
_TABLES: Final = """
    select table_name as name, comment as about from duckdb_tables() where not internal
    union all select view_name, comment from duckdb_views() where not internal order by name"""


def shell(connection: duckdb.DuckDBPyConnection, form: str, history: str = "", *, null: str = "") -> None:
    """Answer entries until the end of input or `.quit`; `history` is the setting LAKE_HISTORY."""
    session = _Session(connection, form, history_path(history), null)
    say = session.say
    say("Tables and views: .tables   help: .help   leave: .quit")
    for entry in session.entries():
        if leaves(entry):
            return
        with contextlib.suppress(KeyboardInterrupt):  # only printing was going on
            if entry.startswith("."):
                session.obey(entry)
            else:
                session.answer(entry, most_rows=session.rows)


class _Session:
    def __init__(self, connection: duckdb.DuckDBPyConnection, form: str, history: Path | None, null: str) -> None:
        self.null = null
        self.connection = connection
        self.form = form
        self.history = history
        self.rows: int | None = None
        self.timed = False
        self.once: str | None = None
        self.screen = Screen(sys.stdout)

    def say(self, text: str) -> None:
        """Print a line."""
        self.screen.write(f"{text}\n")
        self.screen.flush()

    def entries(self) -> Iterator[str]:
        """Yield entries: a dot command or a whole statement at a time, stripped."""
        is_dumb = os.environ.get("TERM", "dumb") == "dumb" or not sys.stdout.isatty()
        if not is_dumb:
            self.connection.execute("set enable_progress_bar = true")
        read = _read_lines if is_dumb else Editor(self.connection, self.history, list(COMMANDS)).read
        while True:
            try:
                entry = read().strip()
            except KeyboardInterrupt:
                if is_dumb:
                    self.say("")
                continue
            except EOFError:
                return
            if entry:
                yield entry

    def answer(self, statement: str, *, most_rows: int | None = None) -> None:
        """Print the rows of a statement, or DuckDB's error."""
        target, self.once = self.once, None
        began = time.perf_counter()
        try:
            if target is None:
                self._run(lambda: self._run_into(statement, sys.stdout, most_rows))
            else:
                with Path(target).expanduser().open("w", encoding="utf-8", newline="") as out:
                    self._run(lambda: self._run_into(statement, out))
                self.say(f"written to {target}")
        except (QueryError, OSError) as error:
            self.say(str(error).strip())
        if self.timed:
            self.say(f"{time.perf_counter() - began:.3f} s")

    def _run_into(self, statement: str, out: IO[str], most_rows: int | None = None) -> None:
        run_query(self.connection, statement, self.form, out, most_rows=most_rows, null=self.null)

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
        command, _, argument = line.partition(" ")
        match command, argument.strip():
            case ".tables", "":
                self.answer(_TABLES, most_rows=_ALL)
            case ".describe", name if name:
                self._describe(name)
            case ".mode", "table" | "line" | "csv" | "json" as form:
                self.form = form
            case ".once", target if target:
                self.once = target
            case ".rows", number if number.isdecimal():
                self.rows = int(number) or None
            case ".timer", "on" | "off" as state:
                self.timed = state == "on"
            case ".history", "" | "clear" as action:
                self._show_history(clear=action == "clear")
            case ".help", "":
                self.say(_HELP)
            case _:
                self.say(f"{line}: no such command, or not in that form.\n{_HELP}")

    def _describe(self, name: str) -> None:
        query = _COLUMNS.format(name.strip('";').replace("'", "''"))
        if self.connection.sql(query).limit(1).fetchall():
            self.answer(query, most_rows=_ALL)
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
