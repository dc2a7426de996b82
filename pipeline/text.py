"""Numbers and signals in sentences, and text from outside as a terminal may have it."""

import shlex
import shutil
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Final

# Controls of ASCII and beyond, what turns the direction of writing, and line ends that only some know
_STEERING: Final = (*range(0x20), *range(0x7F, 0xA0), 0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))
# Bytes that are no UTF-8, as names of files have them: a terminal of eight bits takes these for controls
_RAW: Final = range(0x80, 0xA0)
_WRITING: Final = frozenset({"sync", "load", "compact", "erase", "demo"})  # commands that change a lake
_PROGRAM: Final = "lakehouse"
_VISIBLE: Final = {code: chr(code).encode("unicode_escape").decode() for code in _STEERING if chr(code) not in "\n\t"} | {
    0xDC00 + byte: f"\\x{byte:02x}" for byte in _RAW
}


def harmless(text: str) -> str:
    """A text in which what would steer a terminal is shown and not obeyed; only line ends and tabs keep their effect."""
    return text.translate(_VISIBLE)


def many(count: int, what: str, several: str = "") -> str:
    """A count with its noun: 1 file, 2,000 files; `several` where the plural takes more than an s."""
    return f"{count:,} {what if count == 1 else several or f'{what}s'}"


def span(time: timedelta) -> str:
    """How long, in days and hours; less than an hour in minutes."""
    hours, rest = divmod(int(time.total_seconds()), 3600)
    days, hours = divmod(hours, 24)
    parts = [many(days, "day")] if days else []
    parts += [many(hours, "hour")] if hours else []
    return " and ".join(parts) or many(rest // 60, "minute")


def stopped_by(number: int, command: str) -> str:
    """What a command says that a signal has ended; one that only reads has nothing to go on with."""
    name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
    kept = "; all finished loads are as they were: run the command again to go on" if command in _WRITING else ""
    return f"stopped by {name}{kept}"


def program() -> str:
    """The command `lakehouse` as a shell finds it: its path, as it was called, where it is not on PATH."""
    called = Path(sys.argv[0])
    if called.name != _PROGRAM or shutil.which(_PROGRAM) or not called.is_file():
        return _PROGRAM
    here, path = Path.cwd(), Path.cwd() / called
    return shlex.quote(
        f"{'' if called.parent.name else './'}{path.relative_to(here)}" if path.is_relative_to(here) else str(path)
    )
