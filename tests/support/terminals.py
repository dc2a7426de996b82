"""A real terminal for tests: a program on a pseudo-terminal, keys for it, and what it showed."""

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07|[()][0-9A-B]|[=>78DEHM])")


class Terminal:
    """A program whose keyboard and screen are here; it ends with the block."""

    def __init__(self, command: Sequence[str], *, cwd: Path, env: dict[str, str], lines: int = 40, columns: int = 120) -> None:
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

        def take_terminal() -> None:
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self._program = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=cwd,
            env=env,
            preexec_fn=take_terminal,  # noqa: PLW1509  # tests have one thread
        )
        os.close(theirs)
        self._raw = b""
        self._told = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._program.poll() is None:
            self._program.send_signal(signal.SIGKILL)
        self._program.wait()
        os.close(self._ours)

    def press(self, keys: str) -> None:
        """Type keys."""
        os.write(self._ours, keys.encode())

    def send(self, number: signal.Signals) -> None:
        """Send the program a signal."""
        self._program.send_signal(number)

    def expect(self, text: str, *, seconds: float = 30) -> str:
        """Wait until the screen shows a text, after what was expected before; returns what it showed until then."""
        deadline = time.monotonic() + seconds
        while text not in (shown := self._shown()[self._told :]):
            if not self._read(deadline):
                raise AssertionError(f"the terminal does not show {text!r}, but:\n{shown}")
        self._told += shown.index(text) + len(text)
        return shown[: shown.index(text) + len(text)]

    def raw_until(self, text: str) -> str:
        """The program's output from the last expected text to this one, with escape sequences."""
        sent = self._raw.decode(errors="replace")
        self.expect(text)
        return self._raw.decode(errors="replace")[len(sent) :]

    def ended(self, *, seconds: float = 30) -> int:
        """The exit code of the program, once it has ended."""
        deadline = time.monotonic() + seconds
        while self._read(deadline):
            pass
        return self._program.wait(timeout=seconds)

    def _shown(self) -> str:
        return _ESCAPE.sub("", self._raw.decode(errors="replace"))

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], max(0, deadline - time.monotonic()))
        try:
            found = os.read(self._ours, 1 << 16) if ready else b""
        except OSError:  # the program has closed its side
            found = b""
        self._raw += found
        return bool(found)
