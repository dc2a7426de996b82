"""The shell's line editor: several lines at once, history, completion and colours, by prompt_toolkit and Pygments."""

import contextlib
import os
import re
import sys
import termios
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import duckdb
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import Lexer, PygmentsLexer
from pygments.lexers.sql import SqlLexer

if TYPE_CHECKING:
    from prompt_toolkit.formatted_text import AnyFormattedText

PROMPT: Final = "lake> "
PROMPT_AGAIN: Final = "   -> "
_OFF: Final = "off"
_WITH_QUERY: Final = ".chart"  # a dot command that takes one
_SOURCE: Final = re.compile(
    r"\b(?:from|join)\s+(?P<table>\w+)(?:\s+(?:as\s+)?(?P<alias>(?!(?:\w*join|where|on|using|group|order|limit)\b)\w+))?",
    re.IGNORECASE,
)
_STEP: Final = re.compile(r"\b(?P<name>\w+)\s+as\s+(?:(?:not\s+)?materialized\s+)?\(", re.IGNORECASE)
_WANTS_TABLE: Final = re.compile(r"\b(?:from|join|describe|summarize)\s+\w*$", re.IGNORECASE)
_NAMES: Final = """
    select 'column', column_name, table_name, data_type from duckdb_columns() where not internal
    union all select 'keyword', keyword_name, '', 'keyword' from duckdb_keywords()
    union all select distinct 'function', function_name, '', 'function' from duckdb_functions()
    where regexp_full_match(function_name, '[a-z][a-z0-9_]*')"""


def leaves(entry: str) -> bool:
    """Whether an entry ends the shell: .quit, .exit, quit or exit."""
    return entry.rstrip("; \n").lower() in {".quit", ".exit", "quit", "exit"}


def asks_for_help(entry: str) -> bool:
    """Whether an entry asks for help without a dot, also for help on a command: `help .chart`."""
    return re.fullmatch(r"help(\s+\.\w*)?", entry.rstrip("; \n").lower()) is not None


def is_complete(text: str) -> bool:
    """Whether an entry is complete: empty, a dot command, `quit`, `help`, or SQL that ends with a semicolon."""
    stripped = text.strip()
    if not stripped or stripped.startswith(".") or leaves(stripped) or asks_for_help(stripped):
        return True
    tokens = [place for place, kind in duckdb.tokenize(text) if kind != duckdb.token_type.comment]
    return bool(tokens) and text.encode()[tokens[-1] :].startswith(b";")


def history_path(setting: str) -> Path | None:
    """The file of the history: LAKE_HISTORY, by default in the user's state folder; None if it is off."""
    if setting.lower() == _OFF:
        return None
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(setting or f"{state}/lakehouse/sql_history").expanduser()


class Editor:
    """Reads entries from a terminal.

    Args:
        connection: its tables, columns and functions complete names.
        history: the file for entries, readable by its owner alone; without one, or if it can't be written, they stay in memory.
        commands: the dot commands.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, history: Path | None, commands: list[str]) -> None:
        self._completer = SqlCompleter(connection, commands)
        self._session: PromptSession[str] = PromptSession(
            PROMPT,
            multiline=True,
            prompt_continuation=_continuation,
            key_bindings=_key_bindings(),
            history=_history(history),
            completer=self._completer,
            complete_while_typing=False,
            lexer=_lexer(),
        )

    def read(self) -> str:
        """The next entry.

        Raises:
            KeyboardInterrupt: Ctrl-C, which drops the entry.
            EOFError: Ctrl-D.
        """
        self._completer.forget()  # the last statement may have created a table
        with _terminal_kept():
            # In a thread of its own: asyncio would take over this one's signals, and swallow what they raise.
            return self._session.prompt(in_thread=True)


@contextlib.contextmanager
def _terminal_kept() -> Iterator[None]:
    """Restore the terminal's mode, also if a signal ends the block."""
    kept = termios.tcgetattr(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, kept)


class _KeptHistory(FileHistory):
    def store_string(self, string: str) -> None:
        with contextlib.suppress(OSError):  # a full disk is no reason to refuse an answer
            super().store_string(string)


def _history(path: Path | None) -> History:
    if path is None:
        return InMemoryHistory()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.chmod(0o600)
    except OSError:
        return InMemoryHistory()
    return _KeptHistory(path)


def _lexer() -> Lexer | None:
    return None if os.environ.get("NO_COLOR") else PygmentsLexer(SqlLexer)


def _continuation(_width: int, _line: int, _wraps: int) -> "AnyFormattedText":
    return PROMPT_AGAIN


def _key_bindings() -> KeyBindings:
    bindings = KeyBindings()

    @bindings.add("enter")
    def _enter(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.complete_state and buffer.complete_state.current_completion:
            buffer.complete_state = None
        elif is_complete(buffer.text):
            buffer.validate_and_handle()
        else:
            buffer.newline(copy_margin=False)

    @bindings.add("escape", "enter")
    def _new_line(event: KeyPressEvent) -> None:
        event.current_buffer.newline(copy_margin=False)

    return bindings


class _Name(NamedTuple):
    kind: str
    text: str
    table: str
    about: str


class SqlCompleter(Completer):
    """Completes tables, columns, keywords, functions and dot commands, by the text before the cursor."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, commands: list[str]) -> None:
        self._connection = connection
        self._commands = commands
        self._names: list[_Name] = []

    def forget(self) -> None:
        """Look the names up again at the next use."""
        self._names = []

    def get_completions(self, document: Document, _event: CompleteEvent) -> Iterator[Completion]:
        """Completions of the word before the cursor."""
        before = document.text_before_cursor
        word = re.search(r"\w*$", before)
        typed = word[0] if word else ""
        if before.startswith(".") and not before.startswith(f"{_WITH_QUERY} "):
            return (
                _offer(before, [(command.split()[0], command) for command in self._commands])
                if " " not in before
                else self._tables(typed)
            )
        return _offer(typed, self._candidates(before, document.text, typed))

    def _tables(self, typed: str) -> Iterator[Completion]:
        return _offer(typed, self._table_names())

    def _candidates(self, before: str, text: str, typed: str) -> list[tuple[str, str]]:
        sources = _sources(text)
        if qualified := re.search(r"(\w+)\.\w*$", before):
            return self._columns({sources.get(qualified[1].lower(), qualified[1].lower())})
        steps = [(match["name"], "step") for match in _STEP.finditer(text)]
        if _WANTS_TABLE.search(before):
            return [*steps, *self._table_names()]
        if not typed:
            return []
        columns = self._columns(set(sources.values())) or self._columns(None)
        rest = [(name.text, name.about) for name in self._known() if name.kind != "column"]
        return [*columns, *steps, *self._table_names(), *rest]

    def _known(self) -> list[_Name]:
        if not self._names:
            with contextlib.suppress(duckdb.Error):
                self._names = [_Name(*row) for row in self._connection.execute(_NAMES).fetchall()]
        return self._names

    def _table_names(self) -> list[tuple[str, str]]:
        return [(table, "table") for table in sorted({name.table for name in self._known() if name.kind == "column"})]

    def _columns(self, tables: set[str] | None) -> list[tuple[str, str]]:
        """The columns of these tables, in their order; of all by name if there are no tables."""
        return [
            (name.text, name.about)
            for name in self._known()
            if name.kind == "column" and (tables is None or name.table.lower() in tables)
        ]


def _sources(text: str) -> dict[str, str]:
    """The tables that a statement reads, lower-case, by their alias and by their own name."""
    found = {}
    for match in _SOURCE.finditer(text):
        table = match["table"].lower()
        found[table] = table
        if match["alias"]:
            found[match["alias"].lower()] = table
    return found


def _offer(typed: str, candidates: Iterable[tuple[str, str]]) -> Iterator[Completion]:
    offered = set()
    for text, about in candidates:
        if text not in offered and text.lower().startswith(typed.lower()) and text != typed:
            offered.add(text)
            yield Completion(text, start_position=-len(typed), display_meta=about)
