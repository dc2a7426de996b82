"""Results that are longer or wider than the screen, in the pager of $PAGER, by default less."""

import os
import shlex
import shutil
import subprocess
from types import TracebackType
from typing import Final, Self, TextIO

from pipeline.cli.cells import width
from pipeline.errors import QueryError
from pipeline.text import harmless

_LESS: Final = "less"
_LESS_OPTIONS: Final = "SX"  # wide lines go on to the right; the text stays on the screen
_PROMPT_LINES: Final = 2


def pager_fault() -> str:
    """Why there is no pager, as a sentence; "" if there is one."""
    try:
        program = _command()[0]
    except (ValueError, IndexError):
        return "PAGER: expected a command, found none; set it to less"
    return "" if shutil.which(program) else f"{program}: there is no such program; set PAGER to another"


def _command() -> list[str]:
    return shlex.split(os.environ.get("PAGER", "").strip() or _LESS)


class Pager:
    """A stream for text: what is no larger than the screen is written there at its end, all else goes to the pager.

    Control characters are spelled out, and less may start no program and write no file: customers' texts are shown.
    """

    def __init__(self, screen: TextIO) -> None:
        self._screen = screen
        self._columns, self._lines = shutil.get_terminal_size()
        self._kept: list[str] = []
        self._seen = 0
        self._widest = 0
        self._program: subprocess.Popen[str] | None = None
        self._is_left = False

    def isatty(self) -> bool:
        """Say no, since a pager shows results whole."""
        return False

    def write(self, text: str) -> int:
        """Keep text while it is no larger than the screen, then send it to the pager.

        Raises:
            QueryError: the pager was left, so that a long query ends, too; or it can't be started.
        """
        if self._program is None:
            self._kept.append(text)
            self._seen += text.count("\n")
            self._widest = max(self._widest, *map(width, text.split("\n")))
            if self._seen > self._lines - _PROMPT_LINES or self._widest > self._columns:
                self._start()
        else:
            self._send(text)
        return len(text)

    def _start(self) -> None:
        given = {"LESS": os.environ.get("LESS") or _LESS_OPTIONS, "LESSSECURE": "1"}
        try:
            self._program = subprocess.Popen(  # noqa: S603  # the user's own choice
                _command(),
                stdin=subprocess.PIPE,
                env=os.environ | given,
                encoding=self._screen.encoding,
                errors="backslashreplace",
            )
        except (OSError, ValueError, IndexError) as error:
            raise QueryError(pager_fault() or f"the pager can't be started: {error}; set PAGER to another") from error
        kept, self._kept = "".join(self._kept), []
        self._send(kept)

    def _send(self, text: str) -> None:
        assert self._program
        assert self._program.stdin
        try:
            self._program.stdin.write(harmless(text))
        except BrokenPipeError:
            self._is_left = True
            raise QueryError("") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        """Wait until the pager is left; to leave it early is no error."""
        if self._program is None:
            self._screen.write(harmless("".join(self._kept)))
            self._screen.flush()
        else:
            try:
                assert self._program.stdin
                self._program.stdin.close()
            except BrokenPipeError:
                self._is_left = True
            self._program.wait()
        return self._is_left and isinstance(error, QueryError)
