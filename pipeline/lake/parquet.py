"""Rows as the bytes of a Parquet file and back: every page carries its checksum, and is verified when it is read."""

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import schema

_PLAIN_TEXT_COLUMNS: Final = ("conversation_id", "text", "message_id", "raw", "sha256")  # too various for a dictionary
_BATCH_ROWS: Final = 8192  # given to an encoder at a time: pyarrow's 1,024 take a tenth longer


def packed(rows: pa.Table, *, is_compressed: bool) -> pa.Buffer:
    """A Parquet file of rows."""
    out = pa.BufferOutputStream()
    pq.write_table(
        rows,
        out,
        compression="zstd" if is_compressed else "none",
        use_dictionary=_dictionary_columns(rows.schema),
        write_statistics=_bounded_columns(rows.schema),
        store_schema=False,
        write_page_checksum=True,
        write_batch_size=_BATCH_ROWS,
    )
    return out.getvalue()


def unpacked(source: Any, *, columns: list[str] | None = None, where: pc.Expression | None = None) -> pa.Table:
    """The rows of a Parquet file that is open: of all columns or some, all rows or those `where` it holds.

    Raises:
        OSError: a page differs from its checksum; the pages that DuckDB wrote have no checksums.
        pyarrow.ArrowException: likewise, where it is no Parquet any more.
    """
    return pq.read_table(source, columns=columns, filters=where, page_checksum_verification=True)


def rows_of(values: list[dict[str, Any]], table: schema.Table) -> pa.Table:
    """Arrow rows with the table's columns, as a file holds them; missing columns are NULL."""
    columns = [pa.array([row.get(item.name) for row in values], item.type) for item in table.file_schema]
    return pa.Table.from_arrays(columns, schema=table.file_schema)


def _dictionary_columns(columns: pa.Schema) -> list[str]:
    return [
        item.name
        for item in columns
        if pa.types.is_dictionary(item.type)
        or pa.types.is_date(item.type)
        or (pa.types.is_string(item.type) and item.name not in _PLAIN_TEXT_COLUMNS)
    ]


def _bounded_columns(columns: pa.Schema) -> list[str]:
    """The columns whose smallest and largest value let a reader leave a file out; texts, but for accounts, are in no order."""
    return [item.name for item in columns if item.name == "account_id" or not _is_text(item.type)]


def _is_text(kind: pa.DataType) -> bool:
    return any(is_kind(kind) for is_kind in (pa.types.is_string, pa.types.is_dictionary, pa.types.is_list))
