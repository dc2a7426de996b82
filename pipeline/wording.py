"""Numbers and signals in sentences, and text from outside as a terminal may have it."""

import signal
from datetime import timedelta
from typing import Final

# Controls of ASCII and beyond, what turns the direction of writing, and line ends that only some know
_STEERING: Final = (*range(0x20), *range(0x7F, 0xA0), 0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))
# Bytes that are no UTF-8, as names of files have them: a terminal of eight bits takes these for controls
_RAW: Final = range(0x80, 0xA0)
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


def stopped_by(number: int) -> str:
    """What a command says that a signal has ended."""
    name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
    return f"stopped by {name}; all finished loads are as they were: run the command again to go on"
