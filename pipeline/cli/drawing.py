"""Bars and lines from characters: blocks of an eighth of a column, dots of which two by four are a letter of Braille.

No colour tells the series apart, each has a column or a panel of its own, with a scale of its own.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from pipeline.cli.cells import cut, padded, width

Values = Sequence[float | None]

_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_FULL: Final = "█"
_RIGHT_HALF: Final = "▐"
_HALF: Final = 0.5
_BRAILLE: Final = 0x2800
_DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a letter of Braille, by line and column
_ACROSS: Final = 2
_DOWN: Final = 4
_LEAST_BAR: Final = 8
_GAP: Final = 2
_WHOLE: Final = 1e15  # from here on a float no longer has every whole number
_HUNDRED: Final = 100


def number(value: float | None) -> str:
    """A number as short as a chart needs it."""
    if value is None:
        return "NULL"
    if value == int(value) and abs(value) < _WHOLE:
        return f"{int(value):,}"
    if abs(value) >= _WHOLE:
        return f"{value:.3g}"
    return f"{value:,.1f}" if abs(value) >= _HUNDRED else f"{value:,.2f}" if abs(value) >= 1 else f"{value:.3g}"


def series_that_fit(labels: Sequence[str], series: dict[str, Values], columns: int) -> int:
    """How many series have room for their bars, side by side; at least one."""
    room = columns - _label_width(labels, columns)
    fitting = 0
    for values in series.values():
        room -= _GAP + _LEAST_BAR + 1 + _number_width(values)
        if room < 0:
            break
        fitting += 1
    return max(fitting, 1)


def bars(labels: Sequence[str], series: dict[str, Values], columns: int) -> list[str]:
    """A line for each label, with a bar and its number for each series; the first line names these."""
    label_width = _label_width(labels, columns)
    each = (columns - label_width) // len(series) - _GAP
    heads, cells = [], []
    for name, values in series.items():
        number_width = _number_width(values)
        size = max(each - number_width - 1, _LEAST_BAR)
        numbers = [padded(number(value), number_width, is_right=True) for value in values]
        known = [0.0, *(value for value in values if value is not None)]
        drawn = [_bar(value or 0, min(known), max(known), size) for value in values]
        heads.append(padded(cut(name, size + 1 + number_width), size + 1 + number_width))
        cells.append([" ".join(cell) for cell in zip(drawn, numbers, strict=True)])
    gap = " " * _GAP
    lines = [gap.join([" " * label_width, *heads])]
    for label, *row in zip(labels, *cells, strict=True):
        lines.append(gap.join([padded(cut(label, label_width), label_width, is_right=True), *row]))
    return [line.rstrip() for line in lines]


def _label_width(labels: Sequence[str], columns: int) -> int:
    return min(max(map(width, labels)), max(columns // 3, _LEAST_BAR))


def _number_width(values: Values) -> int:
    return max(len(number(value)) for value in values)


def _bar(value: float, low: float, high: float, size: int) -> str:
    """A bar in so many columns, right of the axis if there are values below 0, which lie left of it."""
    left = round((size - 1) * -low / (high - low)) if low < 0 else 0
    right = size - left - 1 if low < 0 else size
    share = value / ((high if value > 0 else -low) or 1)
    axis = "│" if low < 0 else ""
    if share < 0:
        return f"{_leftward(-share, left)}{axis}{' ' * right}"
    return f"{' ' * left}{axis}{_rightward(share, right)}"


def _rightward(share: float, size: int) -> str:
    eighths = max(round(share * size * 8), 1) if share else 0  # what is not 0 is seen
    full, rest = divmod(eighths, 8)
    return f"{_FULL * full}{_EIGHTHS[rest] if rest else ''}".ljust(size)


def _leftward(share: float, size: int) -> str:
    halves = max(round(share * size * 2), 1)
    return f"{_RIGHT_HALF if halves % 2 else ''}{_FULL * (halves // 2)}".rjust(size)


def line(name: str, places: Sequence[float], values: Values, columns: int, lines: int) -> list[str]:
    """A panel with its name, its highest and lowest value and a line, which a NULL interrupts; `places` are in their order."""
    known = [value for value in values if value is not None]
    low, high = _span(known)
    labels = {0: number(high), lines - 1: number(low)}
    margin = max(map(len, labels.values()))
    canvas = _Canvas(columns - margin - _GAP, lines)
    first, last = places[0], places[-1]
    points = [
        None if value is None else canvas.at((place - first) / ((last - first) or 1), (value - low) / (high - low))
        for place, value in zip(places, values, strict=True)
    ]
    for point, following in pairwise([*points, None]):
        if point:
            canvas.connect(point, following or point)
    drawn = [f"{labels.get(at, ''):>{margin}} ┤{row}" for at, row in enumerate(canvas.rows())]
    return [f"{' ' * (margin + _GAP)}{cut(name, columns - margin - _GAP)}", *(row.rstrip() for row in drawn)]


def axis(labels: Sequence[str], shares: Sequence[float], values: Values, columns: int) -> str:
    """The line under a panel of these values: labels at their share of its width, the first and the last at its ends."""
    margin = max(len(number(value)) for value in _span([value for value in values if value is not None])) + _GAP
    room = columns - margin
    first, *middle, last = (cut(label, room // 3 - 1) for label in labels)
    between = room - width(first) - width(last)
    drawn = ""
    if middle:
        most = between - width(middle[0]) - 1
        before = round(shares[1] * room) - width(first) - width(middle[0]) // 2
        drawn = " " * max(1, min(before, most)) + middle[0]
    return f"{' ' * margin}{first}{drawn}{' ' * (between - width(drawn))}{last}"


def _span(known: Sequence[float]) -> tuple[float, float]:
    """The lowest and the highest value of a scale: from 0, unless all values are far from it."""
    low, high = min(known), max(known)
    if 0 < low <= high / 2 or low == high > 0:
        low = 0.0
    if low / 2 <= high < 0:
        high = 0.0
    return (low, high) if low < high else (low - 1, high + 1)


class _Canvas:
    """Dots on so many columns and lines of Braille."""

    def __init__(self, columns: int, lines: int) -> None:
        self._across = columns * _ACROSS - 1
        self._down = lines * _DOWN - 1
        self._letters = [[0] * columns for _ in range(lines)]

    def at(self, right: float, up: float) -> tuple[int, int]:
        """The dot at two shares of the canvas."""
        return round(right * self._across), round((1 - up) * self._down)

    def connect(self, begin: tuple[int, int], end: tuple[int, int]) -> None:
        """Set the dots from one to another."""
        (x, y), (to_x, to_y) = begin, end
        steps = max(abs(to_x - x), abs(to_y - y), 1)
        for step in range(steps + 1):
            column, line = round(x + (to_x - x) * step / steps), round(y + (to_y - y) * step / steps)
            self._letters[line // _DOWN][column // _ACROSS] |= _DOTS[line % _DOWN][column % _ACROSS]

    def rows(self) -> list[str]:
        """The lines of letters; one without dots is a space."""
        return ["".join(chr(_BRAILLE + letter) if letter else " " for letter in row) for row in self._letters]
