"""Writes rows into a file of this machine, a batch at a time: Parquet, csv, JSON lines; `spreadsheet` has XLSX."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import duckdb

from pipeline.cli.export.source import Source, telling_of_the_query
from pipeline.cli.export.spreadsheet import require_room, write_spreadsheet
from pipeline.cli.export.target import Target
from pipeline.cli.formats import batches, columns, parts_of, reader_of, text_or_json, unique, write_csv, write_json_lines
from pipeline.errors import QueryError
from pipeline.lake.file_systems import files_at, is_local
from pipeline.lake.lake import Lake

_BATCH_ROWS: Final = 8_192
_GROUP_ROWS: Final = 122_880
_GROUP_BYTES: Final = 32 << 20
_OF_ARROW: Final = frozenset(
    {
        *("boolean", "tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger", "ubigint"),
        *("float", "double", "decimal", "hugeint", "uhugeint", "varchar", "blob", "date", "time", "uuid"),
        *("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns", "timestamp with time zone"),
    }
)
"""The types that Parquet has, too, by DuckDB's ids; nested ones have them inside."""
_HUGE: Final = frozenset({"hugeint", "uhugeint"})


def export_file(lake: Lake, source: Source, target: Target, form: str, tell: Callable[[str], None]) -> int:
    """Write all rows into one file, and give their number."""
    if form == "xlsx":
        with telling_of_the_query():
            require_room(source.rows)
    with target.staging(lake) as staging:
        staged = staging / f"rows.{form}"
        files = [path for paths in source.files().values() for path in paths]
        number = write(source, source.rows, files, form, staged, tell)
        target.put({"": staged})
    return number


def write(  # noqa: PLR0917  # a sentence: of this source these rows, in these files, in this form, to there
    source: Source,
    rows: duckdb.DuckDBPyRelation,
    files: list[str],
    form: str,
    path: Path,
    tell: Callable[[str], None],
) -> int:
    """Write rows into a new file, and give their number; `files` are the Parquet files of the table that have them, if any."""
    with telling_of_the_query():
        if form == "parquet":
            is_here = bool(files) and is_local(files_at(files[0])[0])
            copied = _copy_table(source, files, path) if is_here else None
            return _write_parquet(rows, path) if copied is None else copied
        if form == "xlsx":
            return write_spreadsheet(rows, path, source.name, tell)
        with path.open("w", encoding="utf-8", newline="") as out:
            return write_csv(rows, out, with_json=True) if form == "csv" else write_json_lines(rows, out)


def _copy_table(source: Source, files: list[str], path: Path) -> int | None:
    """Write the shown columns of a table's files by Polars, which takes less time and makes smaller files.

    None: it can't, such as for a damaged file or a full disk, of which DuckDB tells more.
    """
    import polars as pl

    assert source.table
    rows = pl.scan_parquet(files, glob=False, hive_partitioning=True, hive_schema={"date": pl.Date})
    if source.choice.accounts:
        rows = rows.filter(pl.col("account_id").is_in(source.choice.accounts))
    try:
        rows.select(column.name for column in source.table.shown).sink_parquet(path, compression="zstd")
    except (pl.exceptions.PolarsError, OSError):
        return None
    return int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())


def _value(place: str, kind: Any, huge: str | None) -> str:
    if huge and kind.id in _HUGE:
        return f"{place}::{huge}"
    return place if _has_arrow(kind) else text_or_json(place, kind)


def _has_arrow(kind: Any) -> bool:
    """Whether Parquet has a type, too; other values are written as csv has them."""
    inner = parts_of(kind)
    return all(_has_arrow(part) for _, part in inner) if inner and kind.id != "union" else kind.id in _OF_ARROW


def _write_parquet(rows: duckdb.DuckDBPyRelation, path: Path) -> int:
    """Write the rows; DuckDB's sums of whole numbers have 128 bits, which few readers know, so they have 64 where all fit."""
    if any(kind.id in _HUGE for kind in rows.types):
        with suppress(QueryError, duckdb.ConversionException):  # any other fault comes again
            return _write_typed(rows, path, huge="bigint")
    return _write_typed(rows, path)


def _write_typed(rows: duckdb.DuckDBPyRelation, path: Path, *, huge: str | None = None) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    places, types = columns(rows)
    values = (_value(place, kind, huge) for place, kind in zip(places, types, strict=True))
    reader = reader_of(rows.project(", ".join(values)), _BATCH_ROWS)
    shape = pa.schema([item.with_name(name) for item, name in zip(reader.schema, unique(rows.columns), strict=True)])
    number = 0
    with pq.ParquetWriter(path, shape, compression="zstd") as out:
        group: list[pa.RecordBatch] = []
        for batch in batches(reader):
            number += batch.num_rows
            group.append(batch.rename_columns(shape.names))
            if sum(each.num_rows for each in group) >= _GROUP_ROWS or sum(each.nbytes for each in group) >= _GROUP_BYTES:
                out.write_table(pa.Table.from_batches(group, shape))
                group = []
        if group:
            out.write_table(pa.Table.from_batches(group, shape))
    return number
