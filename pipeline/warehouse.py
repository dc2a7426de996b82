"""The DuckDB file of a lake: every table and view of the newest finished load, for any DuckDB client.

It holds no rows of the lake, but views over the Parquet files of the pinned snapshot, by their full paths. It is made beside
its place and moved there whole, so nobody ever waits for it, and a reader of the former one goes on reading that.
"""

import contextlib
import re
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

import duckdb
from filelock import FileLock

from pipeline import schema
from pipeline.errors import LakeError
from pipeline.lake import Lake
from pipeline.landing import PUBLISHING
from pipeline.parquet import spill_folder
from pipeline.signals import interruptible
from pipeline.snapshot import Snapshot
from pipeline.store import reaching
from pipeline.view_settings import FILE_NAME as SETTINGS_NAME
from pipeline.view_settings import SettingRow, default_text, defaults, parse_settings
from pipeline.views import create_views, view_files

FILE_NAME: Final = "lakehouse.duckdb"
_LOCATION: Final = re.compile(r"'([^']*\.parquet)'")
_STORAGE_VERSION: Final = "v1.2.0"  # clients from 1.4 on open it; the default of DuckDB 2.0 they refuse
_maker: Final = ThreadPoolExecutor(1)
_made: Final[dict[tuple[SettingRow, ...], Future[bytes]]] = {}
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

    Raises:
        SettingsError: the lake's settings file can't be used; the DuckDB file is as it was.
    """
    settings = read_settings(lake, or_write=True)
    with tempfile.TemporaryDirectory(dir=lake.root if lake.is_local else None, prefix=PUBLISHING) as folder:
        made = Path(folder) / FILE_NAME
        _make(made, lake, snapshot, settings)
        if lake.is_local:
            made.replace(Path(lake.root) / FILE_NAME)
            lake.persist([lake.path(FILE_NAME)])
            return
        lake.files.put_file(str(made), lake.path(FILE_NAME))
    if not lake.is_newest(snapshot):
        publish(lake, lake.snapshot())


def read_settings(lake: Lake, *, or_write: bool = False) -> list[SettingRow]:
    """What the settings file of the lake says; without one the defaults, which `or_write` writes there.

    Raises:
        SettingsError: there is something else in it.
    """
    path = lake.path(SETTINGS_NAME)
    with contextlib.suppress(FileNotFoundError):
        return parse_settings(lake.files.cat_file(path), f"{lake.uri}/{SETTINGS_NAME}")
    if or_write:
        beside = lake.path(f"{PUBLISHING}{SETTINGS_NAME}") if lake.is_local else path  # in a bucket it appears whole
        lake.files.pipe_file(beside, default_text().encode())
        lake.persist([beside])
        if lake.is_local:
            lake.files.mv(beside, path)
    return defaults()


def prepare(lake: Lake) -> None:
    """Begin to make what `publish` needs whatever the lake holds, beside other work."""
    _views_file(read_settings(lake))


def _views_file(settings: list[SettingRow]) -> Future[bytes]:
    """A DuckDB file with every view over empty tables: made once by a process, since that takes longer than all else."""
    key = tuple(settings)
    made = _made.get(key)
    if made is None or (made.done() and made.exception()):
        made = _made[key] = _maker.submit(_make_views, settings)
    return made


def _make_views(settings: list[SettingRow]) -> bytes:
    with tempfile.TemporaryDirectory(prefix=PUBLISHING) as folder:
        path = Path(folder) / FILE_NAME
        with _attached(interruptible(duckdb.connect()), path) as connection:
            _create_tables(connection, None, Snapshot({}, {}))  # else every view opens the tables' files
            create_views(connection, settings=settings)
        return path.read_bytes()


def _make(path: Path, lake: Lake, snapshot: Snapshot, settings: list[SettingRow]) -> None:
    path.write_bytes(_views_file(settings).result())
    with _attached(_opened(":memory:", lake), path) as connection:
        _create_tables(connection, lake, snapshot)
        _comment_tables(connection)


@contextlib.contextmanager
def _attached(connection: duckdb.DuckDBPyConnection, path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database file to write, as one transaction."""
    with connection:
        connection.execute(f"attach '{_quoted(str(path))}' as lakehouse (storage_version '{_STORAGE_VERSION}')")
        connection.execute("use lakehouse")
        connection.begin()  # one write to the disk, not one a statement
        yield connection
        connection.commit()
        connection.execute("checkpoint lakehouse")  # when it closes, it would do so too, but say nothing of a full disk


def _create_tables(connection: duckdb.DuckDBPyConnection, lake: Lake | None, snapshot: Snapshot) -> None:
    """Create a view for each table of the lake; without one they are empty."""
    for table in schema.TABLES.values():
        locations = lake.locations(table.name, snapshot.files[table.name]) if lake else []
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

    A lake that was moved gets a new file first, since the views name the Parquet files by their full paths; so does one whose
    settings file says something new, and one that an older version made, without a view of this one. Where that can't be
    written, the connection has one for itself.

    Raises:
        LakeError: nothing was ever loaded here.
        SettingsError: the lake's settings file can't be used.
    """
    if lake.is_local:
        connection = _connect_folder(lake)
    else:
        with reaching(lake.uri):
            connection = _connect_store(lake)
    connection.execute("set TimeZone = 'UTC'")
    with contextlib.suppress(duckdb.InvalidInputException):  # in Jupyter it takes a package, and there is none without it
        connection.execute("set enable_progress_bar = false")  # it is drawn on standard output, where results go
    connection.execute("set parquet_metadata_cache = true")  # of a file a day and table, each footer is read once
    return connection


def _connect_folder(lake: Lake) -> duckdb.DuckDBPyConnection:
    path = Path(lake.root) / FILE_NAME
    if not path.exists():
        raise no_lake(lake)
    settings = read_settings(lake)
    connection = _opened(path, lake)
    if _is_at_home(connection, lake) and _has_settings(connection, settings) and _has_views(connection):
        return connection
    connection.close()
    try:
        with FileLock(lake.lock_path, timeout=0):
            publish(lake, lake.snapshot())
    except (OSError, duckdb.IOException):  # a disk without rights or room, or a writer is at work
        return _opened_alone(lake, settings)
    return _opened(path, lake)


def named_files(lake: Lake) -> dict[str, set[str]]:
    """The Parquet files that each table's view in the lake's DuckDB file names."""
    with connect(lake) as connection:
        views = dict(connection.execute("select view_name, sql from duckdb_views() where not internal").fetchall())
    return {name: set(_LOCATION.findall(views.get(name, ""))) for name in schema.TABLES}


def _connect_store(lake: Lake) -> duckdb.DuckDBPyConnection:
    """Open a copy of the file, which needs no name any more once it is open."""
    settings = read_settings(lake)
    with tempfile.TemporaryDirectory(prefix=PUBLISHING) as folder:
        path = Path(folder) / FILE_NAME
        if lake.files.exists(lake.path(FILE_NAME)):
            lake.files.get_file(lake.path(FILE_NAME), str(path))
            connection = _opened(path, lake)
            if _is_at_home(connection, lake) and _has_settings(connection, settings) and _has_views(connection):
                return connection
            connection.close()
    if not lake.exists:
        raise no_lake(lake)
    return _opened_alone(lake, settings)


def _opened_alone(lake: Lake, settings: list[SettingRow]) -> duckdb.DuckDBPyConnection:
    """Open a file that is made for this connection alone; it needs no name any more once it is open."""
    with tempfile.TemporaryDirectory(prefix=PUBLISHING) as folder:
        path = Path(folder) / FILE_NAME
        _make(path, lake, lake.snapshot(), settings)
        return _opened(path, lake)


def _opened(path: Path | str, lake: Lake) -> duckdb.DuckDBPyConnection:
    connection = interruptible(duckdb.connect(str(path), read_only=path != ":memory:"))
    with suppress(duckdb.NotImplementedException):  # another connection of this process to the file has chosen, and uses it
        connection.execute(f"set temp_directory = '{_quoted(spill_folder())}'")  # beside the file, the disk may be read-only
    if not lake.is_local:
        connection.register_filesystem(lake.files_to_query)
    return connection


def no_lake(lake: Lake) -> LakeError:
    """Say that nothing was ever loaded here, and what to do."""
    message = "there is no lake; load something first, with lakehouse demo, sync or load, or name another by --lake or LAKE_URI"
    return LakeError(f"{lake.uri}: {message}")


def _is_at_home(connection: duckdb.DuckDBPyConnection, lake: Lake) -> bool:
    named = connection.execute("select sql from duckdb_views() where view_name = 'files'").fetchall()
    return any(f"'{_quoted(lake.table_uri('files'))}/" in sql or "read_parquet" not in sql for (sql,) in named)


def _has_settings(connection: duckdb.DuckDBPyConnection, wanted: list[SettingRow]) -> bool:
    """Whether the file was made with these settings; one that an older version made has none."""
    try:
        rows = connection.execute("select setting, account_id, value from settings").fetchall()
    except duckdb.CatalogException:
        return False
    return set(rows) == set(wanted)


def _has_views(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the file has every view of the library, by name; a changed one it gets with the next load."""
    made = {name for (name,) in connection.execute("select view_name from duckdb_views() where not internal").fetchall()}
    return made >= {file.stem for file in view_files()}
