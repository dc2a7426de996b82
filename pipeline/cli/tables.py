"""Rows as a table for people: on a terminal as DuckDB fits it there, elsewhere whole."""

import contextlib
import csv
import io
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

import duckdb

from pipeline.cli.cells import centred, cut, one_line, padded, width
from pipeline.cli.formats import NUMBERS, Out
from pipeline.text import counted, harmless

_FRAME_LINES: Final = 9  # of a table on the screen that are no rows: head, foot and the next prompt
_LEAST_ROWS: Final = 10
_MOST_ON_SCREEN: Final = 10_000  # DuckDB fetches no more to show them
_UNCOUNTED: Final = "? rows"
_NARROWED: Final = re.compile(r"columns? \(\d+ shown\)")
_WAY_TO_ALL: Final = "the other columns: --format line or csv; in the shell .mode line"
_WAY_TO_MORE: Final = f"a screen has {_MOST_ON_SCREEN:,} at most: --output FILE has all; in the shell .pager on or .once FILE"
_LONGEST_TEXT: Final = (1 << 31) - 1  # more than DuckDB has; the library's own limit is short
_COUNTED_FROM: Final = 10  # rows: a smaller table is counted at a glance
_WIDEST_TYPE: Final = 40
_TYPES: Final = {
    "tinyint": "int8",
    "smallint": "int16",
    "integer": "int32",
    "bigint": "int64",
    "hugeint": "int128",
    "utinyint": "uint8",
    "usmallint": "uint16",
    "uinteger": "uint32",
    "ubigint": "uint64",
    "uhugeint": "uint128",
}


class Screen:
    """A terminal with control characters spelled out, since customers' texts may hold escape sequences."""

    def __init__(self, terminal: IO[str]) -> None:
        self._terminal = terminal

    def write(self, text: str) -> int:
        """Write text; only line ends and tabs keep their effect."""
        return self._terminal.write(harmless(text))

    def flush(self) -> None:
        """Flush the terminal."""
        self._terminal.flush()


def lines_for_rows() -> int:
    """How many rows fit on the screen."""
    return max(shutil.get_terminal_size((160, 24)).lines - _FRAME_LINES, _LEAST_ROWS)


def row_count(relation: duckdb.DuckDBPyRelation) -> int:
    """Count the rows of a query, which runs for that."""
    return int(relation.aggregate("count(*)").fetchall()[0][0])


def write_screen(relation: duckdb.DuckDBPyRelation, screen: Screen, most_rows: int | None) -> None:
    """Write a table no wider than the terminal, with `most_rows`: None: as many as fit, 0: all."""
    if _wrote_drawing(relation, screen):
        return
    rows = lines_for_rows() if most_rows is None else most_rows or _MOST_ON_SCREEN
    table = _boxed(relation, shutil.get_terminal_size((160, 24)).columns, rows)
    foot = table.rpartition("└")[2]
    screen.write(f"{table}\n" + (f"  {_WAY_TO_ALL}\n" if _NARROWED.search(foot) else ""))
    screen.flush()
    if _UNCOUNTED in foot:  # DuckDB counts no further than what it fetched for the table
        total = row_count(relation)
        screen.write(f"  {total:,} rows in all\n")
        if most_rows is not None and total > _MOST_ON_SCREEN <= rows:
            screen.write(f"  {_WAY_TO_MORE}\n")


def _wrote_drawing(relation: duckdb.DuckDBPyRelation, out: Out) -> bool:
    """Write a plan, which is a drawing and no value."""
    if relation.columns != ["explain_key", "explain_value"]:
        return False
    out.write("".join(f"{drawing}\n" for _, drawing in relation.fetchall()))
    return True


def _boxed(relation: duckdb.DuckDBPyRelation, columns: int, rows: int) -> str:
    captured = io.StringIO()
    with contextlib.redirect_stdout(captured):
        relation.show(max_width=columns, max_rows=rows)
    return captured.getvalue().rstrip()


def write_whole(relation: duckdb.DuckDBPyRelation, out: Out, most_rows: int = 0) -> None:
    """Write a table with every column, as wide as its widest value, and `most_rows`; 0: all.

    A first pass over the rows finds the widths, a second one writes; a temporary file keeps them, not the memory.
    """
    if _wrote_drawing(relation, out):
        return
    names = [one_line(name) for name in relation.columns]
    types = [cut(one_line(_type_name(kind)), _WIDEST_TYPE) for kind in relation.types]
    widths = [max(map(width, head)) for head in zip(names, types, strict=True)]
    is_right = [kind.id in NUMBERS for kind in relation.types]
    count = 0
    with tempfile.TemporaryDirectory(prefix="lakehouse-sql-") as folder:
        rows = _Kept(Path(folder) / "rows.csv", relation.limit(most_rows) if most_rows else relation)
        for row in rows:
            widths = list(map(max, widths, map(width, row)))
            count += 1
        heads = [[centred(*cell) for cell in zip(head, widths, strict=True)] for head in (names, types)]
        out.write(_edge(("┌", "┬", "┐"), widths) + "".join(map(_line, heads)) + _edge(("├", "┼", "┤"), widths))
        for row in rows:
            cells = zip(row, widths, is_right, strict=True)
            out.write(_line([padded(text, columns, is_right=right) for text, columns, right in cells]))
    total = row_count(relation) if most_rows and count == most_rows else count
    out.write(_edge(("└", "┴", "┘"), widths) + _foot(count, total, widths) + "\n")


class _Kept:
    """The rows of a query as texts, to read several times: DuckDB writes them into a file, so that the query runs once."""

    def __init__(self, file: Path, relation: duckdb.DuckDBPyRelation) -> None:
        self._file = file
        texts = (f"coalesce(#{place}::varchar, 'NULL')" for place in range(1, len(relation.columns) + 1))
        relation.project(", ".join(texts)).write_csv(str(file), header=False, quoting="all")
        csv.field_size_limit(_LONGEST_TEXT)

    def __iter__(self) -> Iterator[list[str]]:
        with self._file.open(encoding="utf-8", newline="") as lines:
            for row in csv.reader(lines, strict=True):
                yield list(map(one_line, row))


def _type_name(kind: Any) -> str:
    """A type as DuckDB's own tables name it."""
    if kind.id == "list":
        return f"{_type_name(kind.children[0][1])}[]"
    return _TYPES.get(kind.id, str(kind).lower())


def _edge(corners: tuple[str, str, str], widths: list[int]) -> str:
    left, middle, right = corners
    return f"{left}{middle.join('─' * (columns + 2) for columns in widths)}{right}\n"


def _line(cells: list[str]) -> str:
    return f"│ {' │ '.join(cells)} │\n"


def _foot(count: int, total: int, widths: list[int]) -> str:
    """A line with the number of rows, unless one sees it, and of columns."""
    if 0 < count == total < _COUNTED_FROM:
        return ""
    rows = counted(total, "row") if count == total else f"{count:,} of {total:,} rows"
    columns = counted(len(widths), "column")
    space = sum(columns + 3 for columns in widths) - 3 - len(rows) - len(columns)
    return f"  {rows}{' ' * max(space, 2)}{columns}\n"
