"""The tables and views of a lake for a terminal: by theme, each with its meaning on one line."""

import textwrap
from collections.abc import Iterator
from typing import Final, NamedTuple

import duckdb

from pipeline.cli.cells import cut, one_line, padded, width
from pipeline.schema import FACTS
from pipeline.text import counted
from pipeline.warehouse.library import STEPS, ViewPlace, themes, view_places

ALL: Final = "all"
_TABLES: Final = "tables"
_FACTS: Final = "facts"
_SESSION: Final = "of this session"
_LISTED: Final = """
    select table_name, comment, temporary from duckdb_tables() where not internal
    union all select view_name, comment, temporary from duckdb_views() where not internal order by 1"""
_WIDEST_NAME: Final = 44
_NARROWEST_MEANING: Final = 20
_GAP: Final = 2
_DOTS: Final = " …"


class _Entry(NamedTuple):
    name: str
    meaning: str
    place: ViewPlace


def listing(connection: duckdb.DuckDBPyConnection, columns: int, word: str = "") -> list[str]:
    """List tables and views by theme: those whose name or theme has the word, or all.

    Without a word the views that only count by other days, and the steps, are told by their number.
    """
    word = word.lower()
    entries = _entries(connection)
    groups = [(theme, [entry for entry in entries if entry.place.theme == theme]) for theme in _order()]
    lines: list[str] = []
    for theme, group in groups:
        shown = [entry for entry in group if _is_shown(entry, word)]
        if shown:
            lines += ["", theme if word else _heading(theme, len(group) - len(shown)), *_lines(shown, columns)]
    if not word:
        steps = sum(entry.place.theme == STEPS for entry in entries)
        lines += ["", ".tables queue: those with this word in name or theme; .tables all: all"]
        lines += [f".tables {STEPS}: {counted(steps, 'step')}, on which the views stand"]
    return lines[1:] if lines else [f"no table or view has {word} in its name or its theme; .tables lists the themes"]


def _entries(connection: duckdb.DuckDBPyConnection) -> list[_Entry]:
    places = view_places()
    found = []
    for name, comment, is_temporary in connection.execute(_LISTED).fetchall():
        theme = _SESSION if is_temporary else _FACTS if name in FACTS else _TABLES
        place = ViewPlace(theme) if is_temporary else places.get(name, ViewPlace(theme))
        found.append(_Entry(one_line(name), one_line(comment or ""), place))
    return found


def _order() -> list[str]:
    return [_TABLES, _FACTS, *(theme for theme in themes() if theme != STEPS), STEPS, _SESSION]


def _is_shown(entry: _Entry, word: str) -> bool:
    if not word:
        return not entry.place.is_twin and entry.place.theme != STEPS
    is_of_theme = word in entry.place.theme
    return word == ALL or is_of_theme or (word in entry.name.lower() and entry.place.theme != STEPS)


def _heading(theme: str, more: int) -> str:
    """The theme, and the way to its views that are not listed."""
    return f"{theme} (and {more} by local day, week or month: .tables {theme})" if more else theme


def _lines(entries: list[_Entry], columns: int) -> Iterator[str]:
    names = min(max(width(entry.name) for entry in entries), max(_WIDEST_NAME, columns // 3))
    room = max(columns - names - 2 * _GAP - 1, _NARROWEST_MEANING)
    for entry in entries:
        meaning = textwrap.shorten(entry.meaning, room, placeholder=_DOTS)
        yield f"{' ' * _GAP}{padded(cut(entry.name, names), names)}{' ' * _GAP}{meaning}".rstrip()
