"""Query and rewrite Parquet files of a lake with DuckDB, which spills to the disk."""

import uuid
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import schema
from pipeline.errors import DamagedError
from pipeline.lake.digests import require_same
from pipeline.lake.file_systems import digest_of, exists
from pipeline.lake.lake import Lake
from pipeline.lake.landing import PUBLISHING
from pipeline.lake.snapshot import LEDGER, Change, DataFile, Partition, new_path
from pipeline.lake.spill import hold
from pipeline.lake.sql import literal, rows_in
from pipeline.processes import interruptible

_THREADS: Final = 2
_ROW_GROUP_ROWS: Final = 122_880
_ROW_GROUP_BYTES: Final = 32 << 20  # of values, encoded: each thread that writes holds a group of its own
_VECTOR_ROWS: Final = 2_048  # that DuckDB handles at a time, and so the smallest group
ORDERS: Final = {
    "conversations": "account_id, skill_id, conversation_start_time, conversation_id",
    "messages": "account_id, conversation_id, delivery, position",
    "transfers": "account_id, conversation_id, delivery, position",
    "conversation_metrics": "account_id, skill_id, conversation_start_time, conversation_id",
    "queue_entries": "account_id, skill_id, entered_time, conversation_id, entry_number",
    "segments": "account_id, agent_id, assigned_time, conversation_id, segment_number",
    "responses": "account_id, agent_id, response_time, conversation_id, response_number",
    "rejects": "account_id, source_file, document",
    "erasures": "kind, key, requested_at",
    LEDGER: "account_id, scope_start_time, name",
    "conversation_dates": "key, date",
}
"""The order of rows in merged files, by table, and of the tables; `listings` has few files and is not merged."""
MEMORY_LIMIT: Final = "300MB"


def connected(lake: Lake, *, memory_limit: str | None = None) -> duckdb.DuckDBPyConnection:
    """Open DuckDB for a writer of a lake: rows keep their order, times are in UTC.

    It spills to a folder of the lake; the next writer deletes the folder of a run that died.
    """
    scratch = lake.store.scratch
    spill = f"{scratch}/{PUBLISHING}{uuid.uuid4().hex}" if scratch else hold(lake)  # held until the process ends
    connection = interruptible(duckdb.connect(config={"threads": _THREADS, "temp_directory": spill}))
    connection.execute("set preserve_insertion_order = true; set TimeZone = 'UTC'")
    if memory_limit:
        connection.execute(f"set memory_limit = '{memory_limit}'")
    lake.store.register(connection)
    return connection


def keep_rows(  # noqa: PLR0917  # a sentence: in this lake, of this table, by this change, of this file those rows
    lake: Lake, connection: duckdb.DuckDBPyConnection, table: str, change: Change, file: DataFile, condition: str
) -> int:
    """Write a file anew without the rows `t` that fail a condition, if it has any; gives their number."""
    source = f"{rows_in('?')} as t where {condition}"
    locations = lake.locations(table, [file])
    kept = one(connection, f"select count(*) from {source}", [locations])
    if kept < file.rows:
        require_same(lake, table, [file])
        connection.execute("set threads = 1")  # each holds row groups of its own in memory
        change.swap(file, copied(lake, connection, table, file.partition, source, locations) if kept else None)
        connection.execute(f"set threads = {_THREADS}")
    return file.rows - kept


def rows_of_a_group(lake: Lake, table: str, files: list[DataFile]) -> int:
    """The rows that a row group may have, of values as long as those of some files; 0: even the smallest one is too large.

    Raises:
        DamagedError: the end of a file can't be read.
    """
    rows = size = 0
    for file in files:
        path = lake.path(table, file.path)
        try:
            with lake.files.open(path, "rb") as opened:
                metadata = pq.read_metadata(opened)
        except pa.ArrowException as error:
            raise DamagedError(f"{path}: it can't be read ({' '.join(str(error).split())})") from error
        rows += metadata.num_rows
        size += sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    fitting = _ROW_GROUP_BYTES * rows // max(size, 1)
    return min(_ROW_GROUP_ROWS, fitting) if fitting >= _VECTOR_ROWS else 0


def copied(  # noqa: PLR0917  # a sentence: in this lake, for this table, in that place, the rows of this source
    lake: Lake,
    connection: duckdb.DuckDBPyConnection,
    table: str,
    partition: Partition,
    source: str,
    locations: list[str],
    *,
    group_rows: int = _ROW_GROUP_ROWS,
) -> DataFile:
    """Write a Parquet file of the rows of a `from` clause, whose one parameter are the locations."""
    path = new_path(*partition)
    target = lake.path(table, path)
    lake.store.make_folder(target.rpartition("/")[0])
    columns = ", ".join(schema.STORED[table].file_schema.names)
    compression = "zstd" if schema.STORED[table].is_compressed else "uncompressed"
    try:
        connection.execute(
            f"""copy (select {columns} from {source}) to {literal(f"{lake.table_uri(table)}/{path}")}
            (format parquet, compression {compression}, row_group_size {group_rows})""",
            [locations],
        )
    except duckdb.OutOfMemoryException:
        if exists(lake.files, target):
            lake.files.rm_file(target)
        raise
    with lake.files.open(target, "rb") as written:
        rows = pq.read_metadata(written).num_rows
    final = new_path(*partition, digest_of(lake.files, target))  # DuckDB gives no digest of the file that it writes
    lake.files.mv(target, lake.path(table, final))
    return DataFile(final, rows, lake.files.size(lake.path(table, final)))


def one(connection: duckdb.DuckDBPyConnection, query: str, parameters: list[list[str]] | None = None) -> int:
    """The number that a query gives."""
    value: int = connection.execute(query, parameters or []).fetchall()[0][0]
    return value
