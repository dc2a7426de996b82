"""Text in messages: counts, time spans, signals, and text from outside without secrets and terminal controls."""

import json
import math
import re
import shlex
import shutil
import signal
import sys
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus, unquote

# Controls of ASCII and beyond, marks that turn the direction of writing, and rare line ends
_STEERING: Final = (*range(0x20), *range(0x7F, 0xA0), 0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))
# Bytes that are no UTF-8, as names of files have them: a terminal of eight bits takes these for controls
_RAW: Final = range(0x80, 0xA0)
_SHORTEST_SECRET: Final = 6  # characters: names may hold a shorter one by chance
_WRITING: Final = frozenset({"sync", "load", "compact", "upgrade", "rebuild", "erase", "demo"})  # commands that change a lake
_PROGRAM: Final = "lakehouse"
_CONTROLS: Final = [chr(code) for code in _STEERING if chr(code) not in "\n\t"]
_IN_JSON: Final = {ord(letter): f"\\u{ord(letter):04x}" for letter in _CONTROLS}
_VISIBLE: Final = {ord(letter): letter.encode("unicode_escape").decode() for letter in _CONTROLS} | {
    0xDC00 + byte: f"\\x{byte:02x}" for byte in _RAW
}


class Secrets:
    """The secrets of this process: asterisks stand for them wherever a text from outside is shown.

    One global object, because a forgotten parameter would show a secret: texts from a server reach messages, logs and the lake
    in many ways.
    """

    def __init__(self) -> None:
        self._kept: frozenset[str] = frozenset()  # replaced and never changed, since threads read it

    def keep(self, secrets: Iterable[str]) -> None:
        """Mask these from now on."""
        self._kept |= set(filter(None, secrets))

    def forget(self) -> None:
        """Mask none of them any more."""
        self._kept = frozenset()

    def masked(self, text: str) -> str:
        """The text with `***` for each secret: as it is, as in a URL or as in JSON, in capitals or not."""
        return _masked(text, self._kept)

    def are_in(self, text: str) -> bool:
        """Whether a name or link from outside holds a secret, in any spelling."""
        secrets = [secret for secret in self._kept if len(secret) >= _SHORTEST_SECRET]
        return any(_masked(spelled, secrets) != spelled for spelled in (text, unquote(text)))


SECRETS: Final = Secrets()


def _masked(text: str, secrets: Iterable[str]) -> str:
    spellings = (str, quote, partial(quote, safe=""), quote_plus, lambda secret: json.dumps(secret)[1:-1])
    spelled = sorted({spell(secret) for secret in secrets for spell in spellings}, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, spelled)), "***", text, flags=re.IGNORECASE) if spelled else text


def shortened(text: str, limit: int = 120) -> str:
    """Put a text from outside on one printable line of at most `limit` characters, without the secrets that it may repeat."""
    masked = SECRETS.masked(text)  # before it is cut, since a part of a secret is one
    line = "".join(char if char.isprintable() else " " for char in masked[: limit * 10])
    line = SECRETS.masked(" ".join(line.split()))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def harmless(text: str) -> str:
    """The text with terminal controls spelled out; only line ends and tabs keep their effect."""
    return text.translate(_VISIBLE)


def harmless_json(text: str) -> str:
    """JSON with terminal controls as escapes, which are the same values."""
    return text.translate(_IN_JSON)


def counted(count: int, noun: str, several: str = "") -> str:
    """A count with its noun: 1 file, 2,000 files; `several` is an irregular plural."""
    return f"{count:,} {noun if count == 1 else several or f'{noun}s'}"


def rounded(value: float, digits: int) -> float:
    """The value with so many decimal places, a half upwards; the report's script does the same sum."""
    scale = float(10**digits)
    return math.floor(value * scale + 0.5) / scale


def duration(seconds: float) -> str:
    """Seconds in words: 4.2 s, 42 s, 1 min 23 s, 2 h 05 min."""
    minutes, rest = divmod(math.floor(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes:02d} min"
    if minutes:
        return f"{minutes} min {rest:02d} s"
    return f"{rest} s" if rest // 10 else f"{rounded(seconds, 1):.1f} s"


def span(time: timedelta) -> str:
    """A time span in days and hours; less than an hour in minutes."""
    hours, rest = divmod(int(time.total_seconds()), 3600)
    days, hours = divmod(hours, 24)
    parts = [counted(days, "day")] if days else []
    parts += [counted(hours, "hour")] if hours else []
    return " and ".join(parts) or counted(rest // 60, "minute")


def stopped_by(number: int, command: str) -> str:
    """The sentence of a command that a signal has ended; commands that write say how to go on."""
    name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
    kept = "; all finished loads are as they were: run the command again to go on" if command in _WRITING else ""
    return f"stopped by {name}{kept}"


def program() -> str:
    """The name of `lakehouse` for a shell: with its path, as it was called, if it is not on PATH."""
    called = Path(sys.argv[0])
    if called.name != _PROGRAM or shutil.which(_PROGRAM) or not called.is_file():
        return _PROGRAM
    here, path = Path.cwd(), Path.cwd() / called
    return shlex.quote(
        f"{'' if called.parent.name else './'}{path.relative_to(here)}" if path.is_relative_to(here) else str(path)
    )
