"""Text in cells of a table or a drawing: on one line, as wide as a terminal shows it."""

import unicodedata
from functools import lru_cache
from typing import Final

from pipeline.text import harmless

_INVISIBLE: Final = frozenset({"Mn", "Me", "Cf"})  # marks on the letter before, and joiners
_LINE_ENDS: Final = str.maketrans({"\n": "\\n", "\t": "\\t"})


def one_line(text: str) -> str:
    """The text with line ends, tabs and terminal controls spelled out."""
    return text if text.isprintable() else harmless(text).translate(_LINE_ENDS)


def width(text: str) -> int:
    """How many columns of a terminal a text takes: Chinese letters and most pictures take two."""
    return len(text) if text.isascii() else sum(map(_width, text))


@lru_cache(4096)
def _width(letter: str) -> int:
    if unicodedata.category(letter) in _INVISIBLE:
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def cut(text: str, most: int) -> str:
    """The text in at most so many columns; three dots in one column stand for what is left out."""
    if width(text) <= most:
        return text
    kept = text[: most - 1]
    while width(kept) > most - 1:
        kept = kept[:-1]
    return f"{kept}…"


def padded(text: str, columns: int, *, is_right: bool = False) -> str:
    """The text at the left or the right of so many columns."""
    space = " " * (columns - width(text))
    return f"{space}{text}" if is_right else f"{text}{space}"


def centred(text: str, columns: int) -> str:
    """The text in the middle of so many columns."""
    space = columns - width(text)
    return f"{' ' * (space // 2)}{text}{' ' * (space - space // 2)}"
