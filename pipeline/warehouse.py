"""The DuckDB file of a lake: every table and view of the newest finished load, for any DuckDB client.

It holds no rows of the lake, but views over the Parquet files of the pinned snapshot, by their full paths. It is made beside
its place and moved there whole, so nobody ever waits for it, and a reader of the former one goes on reading that.
"""

import re
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Final

import duckdb

from pipeline import schema
from pipeline.errors import LakeError
from pipeline.lake import Lake, Snapshot
from pipeline.landing import PUBLISHING
from pipeline.store import reaching
from pipeline.views import create_views, ordered_views

FILE_NAME: Final = "lakehouse.duckdb"
_LOCATION: Final = re.compile(r"'([^']*\.parquet)'")
_STORAGE_VERSION: Final = "v1.2.0"  # clients from 1.4 on open it; the default of DuckDB 2.0 they refuse
_SQL_TYPES: Final = {
    schema.TEXT: "VARCHAR",
    schema.BIGINT: "BIGINT",
    schema.INTEGER: "INTEGER",
    schema.DOUBLE: "DOUBLE",
    schema.BOOLEAN: "BOOLEAN",
    schema.TIME: "TIMESTAMP WITH TIME ZONE",
}


def publish(lake: Lake, snapshot: Snapshot) -> None:
    """Replace the lake's DuckDB file by one that shows a finished load.

    On an object store another run may have finished a newer load meanwhile, and this one may have come after it with the older
    file: whoever puts a file there looks whether it's the newest.
    """
    with tempfile.TemporaryDirectory(dir=lake.root if lake.is_local else None, prefix=PUBLISHING) as folder:
        made = Path(folder) / FILE_NAME
        _make(made, lake, snapshot)
        if lake.is_local:
            made.replace(Path(lake.root) / FILE_NAME)
            return
        lake.files.put_file(str(made), lake.path(FILE_NAME))
    newest = lake.snapshot()
    if newest.versions != snapshot.versions:
        publish(lake, newest)


def _make(path: Path, lake: Lake, snapshot: Snapshot) -> None:
    with _opened(":memory:", lake) as connection:
        views = ordered_views(parser=connection)
        connection.execute(f"attach '{_quoted(str(path))}' as lakehouse (storage_version '{_STORAGE_VERSION}')")
        connection.execute("use lakehouse")
        connection.begin()  # one write to the disk, not one a statement
        _create_tables(connection, lake, Snapshot({}, defaultdict(list)))
        create_views(connection, views=views)  # on empty tables: else every view opens their files to learn their columns
        _create_tables(connection, lake, snapshot)
        _comment_tables(connection)
        connection.commit()
        connection.execute("checkpoint lakehouse")  # when it closes, it would do so too, but say nothing of a full disk


def _create_tables(connection: duckdb.DuckDBPyConnection, lake: Lake, snapshot: Snapshot) -> None:
    """Create a view for each table of the lake."""
    for table in schema.TABLES.values():
        locations = lake.locations(table.name, snapshot.files[table.name])
        connection.execute(f"create or replace view {table.name} as {_select(table, locations)}")


def _comment_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Say each table's grain and each column's meaning."""
    for table in schema.TABLES.values():
        connection.execute(f"comment on view {table.name} is '{_quoted(table.grain)}'")
        for column in table.shown:
            connection.execute(f"comment on column {table.name}.{column.name} is '{_quoted(column.about)}'")


def _select(table: schema.Table, locations: list[str]) -> str:
    if not locations:
        columns = ", ".join(f"null::{_sql_type(column)} as {column.name}" for column in table.shown)
        return f"select {columns} where false"
    names = ", ".join(column.name for column in table.shown)
    files = ", ".join(f"'{_quoted(location)}'" for location in locations)
    hive = ", hive_partitioning = true, hive_types = {'date': date}" if table.partitioned else ", hive_partitioning = false"
    return f"select {names} from read_parquet([{files}]{hive})"


def _sql_type(column: schema.Column) -> str:
    if column.type == schema.DATE.type:
        return "DATE"
    value_type = getattr(column.type, "value_type", None)
    return f"{_SQL_TYPES[value_type]}[]" if value_type is not None else _SQL_TYPES[column.type]


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def connect(lake: Lake) -> duckdb.DuckDBPyConnection:
    """Open the lake's DuckDB file read-only, with times shown in UTC; that of an object store is fetched first.

    A lake that was moved gets a new file first, since the views name the Parquet files by their full paths.

    Raises:
        LakeError: nothing was ever loaded here.
    """
    if lake.is_local:
        connection = _connect_folder(lake)
    else:
        with reaching(lake.uri):
            connection = _connect_store(lake)
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set enable_progress_bar = false")  # it is drawn on standard output, where results go, in a pipe too
    connection.execute("set parquet_metadata_cache = true")  # of a file a day and table, each footer is read once
    return connection


def _connect_folder(lake: Lake) -> duckdb.DuckDBPyConnection:
    path = Path(lake.root) / FILE_NAME
    if not path.exists():
        raise _no_lake(lake)
    connection = _opened(path, lake)
    if not _is_at_home(connection, lake):
        connection.close()
        publish(lake, lake.snapshot())
        connection = _opened(path, lake)
    return connection


def named_files(lake: Lake) -> dict[str, set[str]]:
    """The Parquet files that each table's view in the lake's DuckDB file names."""
    with connect(lake) as connection:
        views = dict(connection.execute("select view_name, sql from duckdb_views() where not internal").fetchall())
    return {name: set(_LOCATION.findall(views.get(name, ""))) for name in schema.TABLES}


def _connect_store(lake: Lake) -> duckdb.DuckDBPyConnection:
    """Open a copy of the file, or one made for this connection alone; it needs no name any more once it is open."""
    with tempfile.TemporaryDirectory(prefix=PUBLISHING) as folder:
        path = Path(folder) / FILE_NAME
        if lake.files.exists(lake.path(FILE_NAME)):
            lake.files.get_file(lake.path(FILE_NAME), str(path))
            connection = _opened(path, lake)
            if _is_at_home(connection, lake):
                return connection
            connection.close()
            path.unlink()
        if not lake.exists:
            raise _no_lake(lake)
        _make(path, lake, lake.snapshot())
        return _opened(path, lake)


def _opened(path: Path | str, lake: Lake) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(path), read_only=path != ":memory:")
    if not lake.is_local:
        connection.register_filesystem(lake.files)
    return connection


def _no_lake(lake: Lake) -> LakeError:
    return LakeError(f"{lake.uri}: there is no lake; load something first, with lakehouse demo, sync or load")


def _is_at_home(connection: duckdb.DuckDBPyConnection, lake: Lake) -> bool:
    named = connection.execute("select sql from duckdb_views() where view_name = 'files'").fetchall()
    return any(f"'{_quoted(lake.table_uri('files'))}/" in sql or "read_parquet" not in sql for (sql,) in named)
