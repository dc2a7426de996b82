"""The DuckDB file of a lake: every table and view of the newest finished load, for any DuckDB client.

It holds no rows of the lake, but views over the Parquet files of the pinned snapshot, by their full paths. It is made beside
its place and moved there whole, so nobody ever waits for it, and a reader of the former one goes on reading that.

It is derived, never the truth: where it is gone, damaged, held or altered by another client, or names the Parquet files by
another path, a reader makes a copy for itself.
"""

import contextlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

import duckdb
from filelock import FileLock, Timeout

from pipeline import schema
from pipeline.errors import LakeError, PipelineError, SettingsError
from pipeline.lake.commits import require_whole
from pipeline.lake.lake import Lake
from pipeline.lake.landing import PUBLISHING
from pipeline.lake.snapshot import Snapshot
from pipeline.lake.spill import hold, release
from pipeline.lake.sql import literals, rows_in
from pipeline.lake.store import LOCK_NAME
from pipeline.lake.store_errors import reaching
from pipeline.processes import interruptible
from pipeline.warehouse.library import create_views, view_files
from pipeline.warehouse.rules import FILE_NAME as SETTINGS_NAME
from pipeline.warehouse.rules import SettingRow, default_text, defaults, filled_up, parse_settings, settings_names
from pipeline.warehouse.statements import reading

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

    A log that a client left beside the former one, DuckDB would replay over this one: it is deleted.
    """
    settings = settings_in_force(lake, or_write=True)
    with tempfile.TemporaryDirectory(dir=lake.store.scratch, prefix=PUBLISHING) as folder:
        made = Path(folder) / FILE_NAME
        _make(made, lake, snapshot, settings)
        if lake.is_local:
            _delete_logs(lake)  # first, so that nobody opens the new file with one
            made.replace(Path(lake.root) / FILE_NAME)
            _delete_logs(lake)  # a client that has the former file open may have begun one meanwhile
            lake.store.fsync([lake.path(FILE_NAME)])
            return
        lake.files.put_file(str(made), lake.path(FILE_NAME))
    if not lake.is_newest(snapshot):
        publish(lake, lake.snapshot())


def logs_of_clients(lake: Lake) -> list[Path]:
    """What clients that opened the DuckDB file for writing left beside it, or are writing there."""
    if not lake.is_local:
        return []
    names = (f"{FILE_NAME}.wal", f"{FILE_NAME}.wal.checkpoint", f"{FILE_NAME}.wal.recovery")
    return [path for path in (Path(lake.root) / name for name in names) if os.path.lexists(path)]


def _delete_logs(lake: Lake) -> None:
    for path in logs_of_clients(lake):
        path.unlink(missing_ok=True)


def settings_in_force(lake: Lake, tell: Callable[[str], None] | None = None, *, or_write: bool = False) -> list[SettingRow]:
    """What the settings file of the lake says; where it can't be used, what the views were last made with, else the defaults.

    `tell` takes a sentence on what is wrong with the file.
    """
    try:
        return read_settings(lake, or_write=or_write)
    except (SettingsError, OSError) as error:
        if not isinstance(error, SettingsError) and not lake.is_local:
            raise  # the store failed, not the file
        if tell:
            said = error if isinstance(error, SettingsError) else f"{lake.uri}/{SETTINGS_NAME}: {error.strerror or error}"
            tell(f"{said}; until then the views keep the last settings that could be used")
        return _last_settings(lake)


def _last_settings(lake: Lake) -> list[SettingRow]:
    with suppress(duckdb.Error, OSError, PipelineError), _file_as_it_is(lake) as connection:
        rows = connection.execute("select setting, account_id, value from settings").fetchall()
        return filled_up(SettingRow(*row) for row in rows if row[0] in settings_names())
    return defaults()


def read_settings(lake: Lake, *, or_write: bool = False) -> list[SettingRow]:
    """What the settings file of the lake says; without one the defaults, which `or_write` writes there.

    Raises:
        SettingsError: there is something else in it.
    """
    path = lake.path(SETTINGS_NAME)
    with suppress(FileNotFoundError):
        return parse_settings(lake.files.cat_file(path), f"{lake.uri}/{SETTINGS_NAME}")
    if or_write:
        lake.store.write_whole(path, default_text().encode(), beside=lake.path(f"{PUBLISHING}{SETTINGS_NAME}"))
    return defaults()


def prepare(lake: Lake) -> None:
    """Begin to make what `publish` needs whatever the lake holds, beside other work."""
    _views_file(settings_in_force(lake))


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
    """Create a view for each table of the lake; without one they are empty.

    Raises:
        DamagedError: a table has not the rows that the ledger says.
    """
    if lake:
        require_whole(lake, snapshot)
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
    return f"select {names} from {rows_in(literals(locations), with_date=table.partitioned)}"


def _sql_type(column: schema.Column) -> str:
    if column.type == schema.DATE.type:
        return "DATE"
    value_type = getattr(column.type, "value_type", None)
    return f"{_SQL_TYPES[value_type]}[]" if value_type is not None else _SQL_TYPES[column.type]


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def connect(lake: Lake, tell: Callable[[str], None] = lambda _: None) -> duckdb.DuckDBPyConnection:
    """Open the lake's DuckDB file for statements that read, with times shown in UTC; that of an object store is fetched first.

    A file with other settings than the settings file says, or that an older version made without a view of this one, is made
    anew first. Where that can't be written, and where the file can't be used or names the Parquet files by another path than
    this lake's, the connection has a copy for itself, and the file stays as it is. `tell` takes a sentence on what is odd.

    Raises:
        LakeError: nothing was ever loaded here.
    """
    if lake.is_local:
        connection = _connect_folder(lake, tell)
    else:
        with reaching(lake.uri):
            connection = _connect_store(lake, tell)
    connection.execute("set TimeZone = 'UTC'")
    with suppress(duckdb.InvalidInputException):  # in Jupyter it takes a package, and there is none without it
        connection.execute("set enable_progress_bar = false")  # it is drawn on standard output, where results go
    connection.execute("set autoinstall_known_extensions = false")  # a query reads, and installs nothing
    connection.execute("set parquet_metadata_cache = true")  # of a file a day and table, each footer is read once
    connection.execute("set python_scan_all_frames = true")  # a data frame's name is looked up where it was written
    spill = hold(lake)
    with suppress(duckdb.NotImplementedException):  # another connection of this process to the file has chosen, and uses it
        connection.execute(f"set temp_directory = '{_quoted(spill)}'")
    return reading(connection, lambda: release(lake))


def _connect_folder(lake: Lake, tell: Callable[[str], None]) -> duckdb.DuckDBPyConnection:
    path = Path(lake.root) / FILE_NAME
    if not path.exists() and not lake.exists:
        raise no_lake(lake)
    settings = settings_in_force(lake, tell)
    connection = _opened_if_usable(path, lake, tell)
    if connection is None:
        return _opened_alone(lake, settings)
    is_at_home = _is_at_home(connection, lake)
    if is_at_home and _has_settings(connection, settings) and _has_views(connection):
        return connection
    connection.close()
    if is_at_home:  # else it is right for another path of the same lake
        with suppress(OSError, duckdb.Error, Timeout):  # a disk without rights or room, or a writer is at work
            with FileLock(lake.path(LOCK_NAME), timeout=0):
                publish(lake, lake.snapshot())
            return _opened(path, lake)
    return _opened_alone(lake, settings)


def _opened_if_usable(path: Path, lake: Lake, tell: Callable[[str], None]) -> duckdb.DuckDBPyConnection | None:
    """Open a DuckDB file; None, and a sentence, if it can't be."""
    problem = _problem(path, lake)
    if problem is None:
        try:
            return _opened(path, lake)
        except (duckdb.Error, OSError) as error:
            problem = _what_is_wrong(error)
    tell(
        f"{lake.uri}/{FILE_NAME}: {problem}; the tables are whole, and this command reads a copy of its own: "
        "lakehouse compact makes the file anew"
    )
    return None


def _problem(path: Path, lake: Lake) -> str | None:
    if not path.exists():
        return "it is gone"
    logs = logs_of_clients(lake)
    return f"a client that opened it for writing has left {logs[0].name}, which belongs to no load" if logs else None


def _what_is_wrong(error: Exception) -> str:
    said = " ".join(str(error).split())
    if "onflicting lock" in said or "different configuration" in said:
        return "another client holds it open for writing, where it should read"
    return f"it can't be read ({said[:200]})"


def problem_with_file(lake: Lake) -> str | None:
    """What keeps the lake's DuckDB file from being used, by readers or by any client; None if nothing does."""
    found = _problem(Path(lake.root) / FILE_NAME, lake) if lake.is_local else None
    if found:
        return found
    try:
        with _file_as_it_is(lake) as connection:
            if not _has_views(connection):
                return "it lacks views of this version"
            if lake.is_local and not _is_at_home(connection, lake):
                return f"it names the Parquet files by another path than {lake.root}, where other clients can't find them"
    except FileNotFoundError:
        return "it is gone"
    except (duckdb.Error, OSError) as error:
        return _what_is_wrong(error)
    return None


def named_files(lake: Lake) -> dict[str, set[str]]:
    """The Parquet files that each table's view in the lake's DuckDB file names, by their paths in the table.

    Raises:
        duckdb.Error: the file can't be read.
        OSError: it can't be read.
    """
    with _file_as_it_is(lake) as connection:
        views = dict(connection.execute("select view_name, sql from duckdb_views() where not internal").fetchall())
    return {
        name: {location.rpartition(f"/{name}/")[2] for location in _LOCATION.findall(views.get(name, ""))}
        for name in schema.TABLES
    }


@contextlib.contextmanager
def _file_as_it_is(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the lake's DuckDB file, or a copy of it where a client's log lies beside it: that is not replayed."""
    if lake.is_local and not logs_of_clients(lake):
        with duckdb.connect(f"{lake.root}/{FILE_NAME}", read_only=True) as connection:
            yield connection
        return
    with tempfile.TemporaryDirectory(prefix=PUBLISHING) as folder:
        path = Path(folder) / FILE_NAME
        lake.files.get_file(lake.path(FILE_NAME), str(path))
        with duckdb.connect(str(path), read_only=True) as connection:
            yield connection


def _connect_store(lake: Lake, tell: Callable[[str], None]) -> duckdb.DuckDBPyConnection:
    """Open a copy of the file, which needs no name any more once it is open."""
    settings = settings_in_force(lake, tell)
    with suppress(OSError), tempfile.TemporaryDirectory(prefix=PUBLISHING) as folder:
        path = Path(folder) / FILE_NAME
        with suppress(FileNotFoundError):
            lake.files.get_file(lake.path(FILE_NAME), str(path))
            connection = _opened_if_usable(path, lake, tell)
            if connection is not None:
                if _is_at_home(connection, lake) and _has_settings(connection, settings) and _has_views(connection):
                    return connection
                connection.close()
    if not lake.exists:
        raise no_lake(lake)
    return _opened_alone(lake, settings)


def _opened_alone(lake: Lake, settings: list[SettingRow]) -> duckdb.DuckDBPyConnection:
    """Open a file that is made for this connection alone; it needs no name any more once it is open.

    Where no folder for temporary files can be written, it is made in memory.
    """
    snapshot = lake.snapshot()
    with suppress(OSError, duckdb.IOException), tempfile.TemporaryDirectory(prefix=PUBLISHING) as folder:
        path = Path(folder) / FILE_NAME
        _make(path, lake, snapshot, settings)
        return _opened(path, lake)
    connection = _opened(":memory:", lake)
    _create_tables(connection, None, Snapshot({}, {}))
    create_views(connection, settings=settings)
    _create_tables(connection, lake, snapshot)
    _comment_tables(connection)
    return connection


def _opened(path: Path | str, lake: Lake) -> duckdb.DuckDBPyConnection:
    connection = interruptible(duckdb.connect(str(path), read_only=path != ":memory:"))
    with suppress(duckdb.NotImplementedException):  # another connection of this process to the file has chosen
        connection.execute("set temp_directory = ''")  # by default it is in the working folder, or beside the file
    lake.store.register(connection)
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
