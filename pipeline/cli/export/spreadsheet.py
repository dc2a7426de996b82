"""Writes rows into a spreadsheet, a row at a time; texts stay text whatever they begin with."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import duckdb

from pipeline.cli.formats import batches, columns, reader_of, text_or_json
from pipeline.errors import QueryError
from pipeline.text import counted

_MOST_ROWS: Final = 1_048_576  # the header among them; this and the next two are bounds of the format
_MOST_COLUMNS: Final = 16_384
_MOST_CHARACTERS: Final = 32_767  # in UTF-16
_MOST_IN_NAME: Final = 31
_LEAST_WIDTH, _MOST_WIDTH = 8, 60
_ROWS_TO_MEASURE: Final = 1_000
_BATCH_ROWS: Final = 2_000
_TIMES: Final = {"date": "yyyy-mm-dd"} | dict.fromkeys(
    ("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns", "timestamp with time zone"), "yyyy-mm-dd hh:mm:ss.000"
)
_WHOLE: Final = frozenset(
    {"tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint", "uhugeint"}
)
_EXACT: Final = 10**15  # a spreadsheet's numbers have 15 digits
_LAST_TIME: Final = "9999-12-30"  # a time of the day after can be rounded into the next year
_FIRST_DAY, _LAST_DAY = "1900-03-01", "9999-12-31"  # an earlier day is another one in some programs


def require_room(rows: duckdb.DuckDBPyRelation) -> None:
    """Refuse rows that a sheet can't hold.

    Raises:
        QueryError: there are too many rows or columns.
    """
    if len(rows.columns) > _MOST_COLUMNS:
        raise QueryError(_no_room(counted(_MOST_COLUMNS, "column"), counted(len(rows.columns), "column")))
    number = rows.aggregate("count(*)").fetchall()[0][0]
    if number >= _MOST_ROWS:
        raise QueryError(_no_room(counted(_MOST_ROWS - 1, "row"), counted(number, "row")))


def _no_room(most: str, found: str) -> str:
    return f"xlsx: a sheet holds at most {most}, found {found}; take fewer (--since, --account-id, a query), or parquet or csv"


def write_spreadsheet(rows: duckdb.DuckDBPyRelation, path: Path, name: str, tell: Callable[[str], None]) -> int:
    """Write rows below a header that stays in view, with filters; give their number. `tell` hears of texts that were cut."""
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError

    book = xlsxwriter.Workbook(str(path), {"constant_memory": True, "tmpdir": str(path.parent)})
    book.use_zip64()  # a table of a million rows takes it
    sheet = _Sheet(book, re.sub(r"[\[\]:*?/\\']", "_", name)[:_MOST_IN_NAME], rows)
    try:
        for row in _values(rows):
            sheet.add(row)
        sheet.finish()
        book.close()
    except FileCreateError as error:
        raise error.args[0] from error  # the error of the system
    finally:
        sheet.close()
    if sheet.cut:
        tell(f"{counted(sheet.cut, 'text')} cut: a cell holds at most {_MOST_CHARACTERS:,} characters; csv has them whole")
    return sheet.rows


class _Sheet:
    """A sheet that takes row after row."""

    def __init__(self, book: Any, name: str, rows: duckdb.DuckDBPyRelation) -> None:
        self.rows = 0
        self.cut = 0
        self._sheet = book.add_worksheet(name)
        self._forms = [book.add_format({"num_format": _TIMES[kind.id]}) if kind.id in _TIMES else None for kind in rows.types]
        bold = book.add_format({"bold": True})
        heads = [
            f"{name} (UTC)" if "with time zone" in str(kind).lower() else name
            for name, kind in zip(rows.columns, rows.types, strict=True)
        ]
        for place, head in enumerate(heads):
            self._sheet.write_string(0, place, head, bold)
        self._widths = [len(head) + 3 for head in heads]  # beside the arrow of the filter
        self._sheet.freeze_panes(1, 0)

    def add(self, row: tuple[Any, ...]) -> None:
        """Write a row: of each column a value, or a text where a spreadsheet lacks the value."""
        self.rows += 1
        if self.rows >= _MOST_ROWS:
            raise QueryError(_no_room(counted(_MOST_ROWS - 1, "row"), "more"))
        for place, form in enumerate(self._forms):
            value, text = row[2 * place], row[2 * place + 1]
            if text is not None:
                text = self._fitting(text)
                self._sheet.write_string(self.rows, place, text)
            elif value is True or value is False:
                self._sheet.write_boolean(self.rows, place, value)
            elif form is not None and value is not None:
                self._sheet.write_datetime(self.rows, place, value, form)
            elif value is not None:
                self._sheet.write_number(self.rows, place, value)
            if self.rows <= _ROWS_TO_MEASURE:
                self._widths[place] = max(self._widths[place], len(text or str(value or "")) + 1)

    def finish(self) -> None:
        """Set the widths, and filters over all rows."""
        for place, width in enumerate(self._widths):
            self._sheet.set_column(place, place, min(max(width, _LEAST_WIDTH), _MOST_WIDTH))
        self._sheet.autofilter(0, 0, self.rows, len(self._widths) - 1)

    def close(self) -> None:
        """Close the file in which the rows lie until the book is closed."""
        self._sheet.row_data_fh.close()

    def _fitting(self, text: str) -> str:
        units = text.encode("utf-16-le") if 2 * len(text) > _MOST_CHARACTERS else b""
        if len(units) <= 2 * _MOST_CHARACTERS:
            return text
        self.cut += 1
        return units[: 2 * _MOST_CHARACTERS].decode("utf-16-le", "ignore")


def _values(rows: duckdb.DuckDBPyRelation) -> Any:
    """Yield the rows: of each column the value as a spreadsheet has it, and else a text."""
    import pyarrow as pa

    pairs = (pair for place, kind in zip(*columns(rows), strict=True) for pair in _pair(place, kind))
    for batch in batches(reader_of(rows.project(", ".join(pairs)), _BATCH_ROWS)):
        plain = [
            column.cast(pa.timestamp("us"), safe=False) if pa.types.is_timestamp(column.type) else column
            for column in batch.columns
        ]
        yield from zip(*(column.to_pylist() for column in plain), strict=True)


def _pair(value: str, kind: Any) -> tuple[str, str]:
    """The value of a column, and the text that stands for it where that is NULL."""
    text = text_or_json(value, kind)
    if kind.id == "boolean":
        return value, "null::varchar"
    if kind.id in _TIMES:
        last = _LAST_DAY if kind.id == "date" else _LAST_TIME
        fits = f"{value}::date between date '{_FIRST_DAY}' and date '{last}'"
    elif kind.id in _WHOLE:
        fits = f"{value} between {-_EXACT} and {_EXACT}"
    elif kind.id == "decimal":
        fits = f"try_cast({value}::double as {kind}) = {value} and abs({value}) < {_EXACT}"
    elif kind.id in {"float", "double"}:
        fits = f"isfinite({value})"
    else:
        return "null::varchar", text
    number = value if kind.id in _TIMES else f"{value}::double"
    return f"case when {fits} then {number} end", f"case when {value} is not null and ({fits}) is not true then {text} end"
