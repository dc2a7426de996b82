"""A chart of a query's rows: the first column has the labels or the places, each column of numbers after it is a series.

The characters are our own: plotext, the library for such charts, had no release from September 2024 to August 2026, and was
then written anew around a compiled part, which has no wheel for musl.
"""

import shutil
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

import duckdb

from pipeline.cli.cells import cut, one_line
from pipeline.cli.drawing import Values, axis, bars, line, series_that_fit
from pipeline.cli.formats import NUMBERS, Out, unique
from pipeline.cli.tables import lines_for_rows, row_count
from pipeline.errors import QueryError
from pipeline.text import counted

_BAR: Final = "bar"
_LINE: Final = "line"
_MOST_ROWS: Final = 100_000
_SIZE: Final = (80, 24)  # of a chart in a file
_FEWEST_LINES: Final = 5  # of a panel
_MOST_LINES: Final = 12
_PANEL_FRAME: Final = 2  # lines with its name and its axis
_NOTES: Final = 4  # lines kept free for what is said below, and the prompt
_LONGEST_TYPES: Final = 60
_EXAMPLE: Final = "select date, sum(entry_count) as entries from queue_time_daily group by date"
_NARROWEST: Final = 40  # columns: room for the labels of a scale, and some for what it is of
_LARGEST: Final = 1e300  # differences of larger numbers are none


class _Rows(NamedTuple):
    """The rows to draw.

    Attributes:
        name: that of the first column.
        labels: its values as texts, or the rows' numbers if it is the only one.
        places: its values on a scale; of texts the rows' numbers.
        series: the values of the other columns by their names.
        total: how many rows the query has; perhaps more than these.
    """

    name: str
    labels: list[str]
    places: list[float | None]
    series: dict[str, Values]
    total: int


def write_chart(
    relation: duckdb.DuckDBPyRelation, out: Out, *, kind: str = "", most_rows: int | None = None, is_on_screen: bool = False
) -> None:
    """Draw rows as bars or as lines; without a kind, lines over dates and times, else bars.

    There are bars for `most_rows`: None: as many as fit on the screen, in a file all; 0: all. A line goes through all rows.

    Raises:
        QueryError: there is nothing to draw.
    """
    columns, lines = shutil.get_terminal_size(_SIZE) if is_on_screen else _SIZE
    if columns < _NARROWEST:
        raise QueryError(f"the chart: expected a terminal of {_NARROWEST} columns or more, found {columns}; make it wider")
    numeric = [
        place for place, column in enumerate(relation.types) if column.id in NUMBERS and (place or len(relation.types) == 1)
    ]
    if not numeric:
        found = cut(", ".join(dict.fromkeys(str(column).lower() for column in relation.types[1:])), _LONGEST_TYPES)
        message = f"expected a column of numbers after the first, found {found or 'no other column'}; such as: {_EXAMPLE}"
        raise QueryError(f"the chart: {message}")
    is_line = kind == _LINE or (not kind and _is_time(relation.types[0]) and len(relation.limit(2).fetchall()) > 1)
    fitting = lines_for_rows() if is_on_screen and most_rows is None else most_rows or _MOST_ROWS
    rows = _read(relation, numeric, _MOST_ROWS if is_line else fitting)
    drawn = _lines(rows, columns, lines) if is_line else _bars(rows, columns)
    if ignored := [name for place, name in enumerate(relation.columns) if place and place not in numeric]:
        drawn.append(f"left out, since they hold no numbers: {one_line(', '.join(ignored))}")
    if len(rows.labels) < rows.total:
        drawn.append(f"the first {len(rows.labels):,} of {rows.total:,} rows{'' if is_line else '; --rows N or .rows N: more'}")
    out.write("".join(f"{text}\n" for text in drawn))


def _is_time(kind: Any) -> bool:
    return str(kind.id).startswith(("date", "time"))  # timestamps, too


def _read(relation: duckdb.DuckDBPyRelation, numeric: list[int], most_rows: int) -> _Rows:
    is_alone = numeric == [0]
    place = "null" if is_alone else _place(relation.types[0])
    values = (f"#{column + 1}::double" for column in numeric)
    wanted = ", ".join([f"{'null' if is_alone else '#1'}::varchar", f"{place}::double", *values])
    found = relation.project(wanted).limit(most_rows).fetchall()
    if not found:
        raise QueryError("the chart: the query has no rows, so there is nothing to draw")
    texts, places, *series = zip(*found, strict=True)
    names = unique([one_line(name) for name in relation.columns])
    return _Rows(
        "row" if is_alone else names[0],
        [str(at) if is_alone else one_line("NULL" if text is None else text) for at, text in enumerate(texts, 1)],
        [float(at) for at in range(len(texts))] if place == "null" else list(map(_finite, places)),
        {names[column]: list(map(_finite, numbers)) for column, numbers in zip(numeric, series, strict=True)},
        row_count(relation) if len(found) == most_rows else len(found),
    )


def _place(kind: Any) -> str:
    """An expression for the place of the first column's values on a scale; null for texts."""
    if not _is_time(kind):
        return "#1" if kind.id in NUMBERS else "null"
    if "zone" in kind.id:
        return "epoch(#1)"
    return f"epoch(#1::{'time' if kind.id.startswith('time') and 'stamp' not in kind.id else 'timestamp'})"


def _finite(value: float | None) -> float | None:
    return value if value is not None and abs(value) < _LARGEST else None


def _bars(rows: _Rows, columns: int) -> list[str]:
    names = list(rows.series)
    fitting = series_that_fit(rows.labels, rows.series, columns)
    drawn = bars(rows.labels, {name: rows.series[name] for name in names[:fitting]}, columns)
    if names[fitting:]:
        drawn.append(f"left out, since {columns} columns have no room for them: {', '.join(names[fitting:])}")
    return drawn


def _lines(rows: _Rows, columns: int, lines: int) -> list[str]:
    """A panel for each series, one below the other."""
    order = sorted((place, at) for at, place in enumerate(rows.places) if place is not None)
    places = [place for place, _ in order]
    if len(order) <= 1:
        raise QueryError(f"the line: expected two rows or more, found {len(order)}; .chart bar, or --chart bar, draws one")
    shown = [0, _middle(places), len(places) - 1] if len(places) > 2 else [0, 1]  # noqa: PLR2004  # no middle of two
    labels = [rows.labels[order[at][1]] for at in shown]
    shares = [(places[at] - places[0]) / ((places[-1] - places[0]) or 1) for at in shown]
    room = (lines - _NOTES) // len(rows.series) - _PANEL_FRAME
    drawn = []
    for name, numbers in rows.series.items():
        values = [numbers[at] for _, at in order]
        if all(value is None for value in values):
            drawn.append(f"{name}: NULL in every row")
            continue
        drawn += line(name, places, values, columns, min(max(room, _FEWEST_LINES), _MOST_LINES))
        drawn.append(axis(labels, shares, values, columns))
    if len(places) > columns:
        drawn.append(f"{counted(len(places), 'row')} in {columns} columns")
    if repeated := sum(first == second for first, second in pairwise(places)):
        drawn.append(f"the line jumps: {counted(repeated, 'row')} with the {rows.name} of another; group by {rows.name}")
    return drawn


def _middle(places: Sequence[float]) -> int:
    """The row that lies nearest to the middle of the scale."""
    middle = (places[0] + places[-1]) / 2
    return min(range(len(places)), key=lambda at: abs(places[at] - middle))
