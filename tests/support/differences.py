"""The rows of the product beside those of `reference.py`."""

from typing import Any, Final

import pyarrow as pa
from reference import parsed, read_file

from pipeline import schema
from pipeline.decode.containers import texts
from pipeline.decode.reader import RowReader
from pipeline.decode.scanner import PADDING, NoScanner
from pipeline.source_files import Source

Row = dict[str, Any]


Decoded = dict[str, Any]


NAME = "Engagement.1469469600000.1469473200000.part-00000-0.gz"


ACCOUNT_ID = "listed"


SCOPE_START = 1_469_469_600_000_000


TABLES: Final = ("conversations", "messages", "transfers", "rejects")


JSON_COLUMNS: Final = ("extra", "secure_forms")


WORDS_OF_OURS: Final = ("reason",)
"""Columns that the product words as it likes."""


def product_rows(
    text: bytes,
    *,
    account_id: str | None = ACCOUNT_ID,
    scope_start_us: int | None = SCOPE_START,
    is_careful: bool = False,
) -> Decoded:
    """The product's rows of a file's text, from whichever path reads them, in the shape of `reference.read_file`."""
    reader = RowReader(scanner=NoScanner() if is_careful else None)
    reader.begin(Source(NAME, account_id=account_id, scope_start=scope_start_us))
    for part in texts([text], padding=PADDING):
        reader.feed(part)
    counts = reader.finish()
    reader.keep()
    tables, _ = reader.drain()
    return {
        **{name: sorted(rows_of_table(tables[name]), key=in_file_order) for name in TABLES},
        "documents": counts.documents,
        "schema_versions": sorted(counts.schema_versions),
        "unknown_fields": sorted(counts.unknown_fields),
    }


def in_file_order(row: Row) -> tuple[int, int]:
    """Where a row stands in its file."""
    return int(row.get("delivery") or row.get("document") or 0), int(row.get("position") or 0)


def reference_rows(text: bytes, *, account_id: str | None = ACCOUNT_ID, scope_start_us: int | None = SCOPE_START) -> Decoded:
    """The reference's rows of a file's text."""
    return read_file(text, NAME, account_id, scope_start_us)


def whole_row(table: str, row: Row) -> Row:
    """A row with all columns of its table, and only those."""
    assert row.keys() <= {column.name for column in schema.TABLES[table].columns}
    return {column.name: row.get(column.name) for column in schema.TABLES[table].columns}


def rows_of_table(table: pa.Table) -> list[Row]:
    """The rows of an Arrow table, times as microseconds since 1970 UTC."""
    for number, column in enumerate(table.schema):
        if pa.types.is_timestamp(column.type):
            micros = table.column(number).cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
            table = table.set_column(number, column.name, micros)
    rows: list[Row] = table.to_pylist()
    return rows


def parsed_columns(row: Row) -> Row:
    """A row whose JSON columns are values; our own words are left out."""
    return {
        name: parsed(value) if name in JSON_COLUMNS and isinstance(value, str) else value
        for name, value in row.items()
        if name not in WORDS_OF_OURS
    }


def without_our_words(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in WORDS_OF_OURS}


def differences(expected: Decoded, got: Decoded) -> list[str]:
    """Differences between the product's rows and the reference's, in the order of tables and rows."""
    found = [
        f"{name}: expected {expected[name]}, got {got[name]}"
        for name in ("documents", "schema_versions", "unknown_fields")
        if expected[name] != got[name]
    ]
    for table in TABLES:
        if len(expected[table]) != len(got[table]):
            found.append(f"{table}: expected {len(expected[table])} rows, got {len(got[table])}")
        for number, (row, other) in enumerate(zip(expected[table], got[table], strict=False)):
            wanted, present = without_our_words(row), parsed_columns(other)
            assert wanted.keys() == present.keys()
            found += [
                f"{table}[{number}].{name}: expected {wanted[name]!r}, got {present[name]!r}"
                for name in wanted
                if type(wanted[name]) is not type(present[name]) or wanted[name] != present[name]
            ]
    return found


def check(text: bytes) -> tuple[int, list[str]]:
    """How many documents a file holds, and what the product reads otherwise than the reference.

    Arrow takes every row, path and version too: no text in them is beyond UTF-8, no number beyond its column.
    """
    expected, got = reference_rows(text), product_rows(text)
    found = differences(expected, got)
    if not found:
        for table in TABLES:
            pa.Table.from_pylist(got[table], schema=schema.TABLES[table].arrow_schema)
        pa.array([*got["schema_versions"], *got["unknown_fields"]], pa.string())
    return int(got["documents"]), found
