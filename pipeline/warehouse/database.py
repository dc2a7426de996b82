"""The DuckDB file of a lake: every table and view of the newest finished load, for any DuckDB client.

It holds no rows of the lake, but views over the Parquet files of the pinned snapshot, by their full paths. A load makes it
beside its place and moves it there whole: no reader waits, and a reader of the former file goes on with that.

The file is derived from the lake. A reader makes a copy for itself where the file is gone, damaged, held or altered by another
client, or names the Parquet files by another path.
"""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import duckdb

from pipeline import schema
from pipeline.errors import DamagedError, LakeError, NoLakeError, PipelineError
from pipeline.lake import runs
from pipeline.lake.commits import require_whole
from pipeline.lake.lake import Lake
from pipeline.lake.landing import PUBLISHING
from pipeline.lake.snapshot import Snapshot
from pipeline.lake.spill import hold, release
from pipeline.lake.sql import literal
from pipeline.lake.store import LOCK_NAME
from pipeline.lake.store_errors import reaching
from pipeline.warehouse import name_tables
from pipeline.warehouse.library import comment_columns, create_views, set_rules
from pipeline.warehouse.names import NameFile
from pipeline.warehouse.published import (
    FILE_NAME,
    described,
    file_as_it_is,
    is_as_made_now,
    logs_of_clients,
    names_this_lake,
    open_database,
    problem_before_opening,
    say_load,
)
from pipeline.warehouse.rules import RuleRow, defaults, filled_up, find_rules, rule_names
from pipeline.warehouse.statements import reading
from pipeline.warehouse.table_views import (
    create_table_views,
    create_view,
    create_view_of_runs,
    set_files,
    set_runs,
    shown_names,
)
from pipeline.warehouse.template import attached, template

_FACTS_OF_OLDER: Final = "facts_of_an_older_lake"


def publish(lake: Lake, snapshot: Snapshot) -> None:
    """Replace the lake's DuckDB file by one that shows a finished load.

    On an object store another run may have put the file of a newer load there meanwhile. So each run that puts a file there
    checks whether its load is the newest, and if not publishes that one. It leaves out the load of an older version,
    whose facts an upgrade has yet to compute.

    A log that a client left beside the former file is deleted: DuckDB would replay it over the new one.
    """
    rules = rules_in_force(lake, or_write=True)
    with suppress(OSError, LakeError):  # then the view of runs has no rows: no load ends for that
        runs.make_folder(lake)
    with tempfile.TemporaryDirectory(dir=lake.store.scratch, prefix=PUBLISHING) as folder:
        made = Path(folder) / FILE_NAME
        _write(made, lake, snapshot, rules)
        if lake.is_local:
            _delete_logs(lake)  # first, so that nobody opens the new file with one
            made.replace(Path(lake.root) / FILE_NAME)
            _delete_logs(lake)  # a client that has the former file open may have begun one meanwhile
            lake.store.fsync([lake.path(FILE_NAME)])
            return
        lake.files.put_file(str(made), lake.path(FILE_NAME))
    if not lake.is_newest(snapshot):
        newest = lake.snapshot()
        if newest.is_current:
            publish(lake, newest)


def _delete_logs(lake: Lake) -> None:
    for path in logs_of_clients(lake):
        path.unlink(missing_ok=True)


def rules_in_force(lake: Lake, tell: Callable[[str], None] | None = None, *, or_write: bool = False) -> list[RuleRow]:
    """Read the settings file of the lake; where it can't be used, the rules of the DuckDB file hold, else the defaults.

    `tell` takes a sentence on the fault of the settings file.
    """
    found = find_rules(lake, or_write=or_write)
    if found.rows is not None:
        return found.rows
    if tell:
        tell(f"{lake.uri}/{found.fault}")
    return _last_rules(lake)


def _last_rules(lake: Lake) -> list[RuleRow]:
    with suppress(duckdb.Error, OSError, PipelineError), file_as_it_is(lake) as connection:
        rows = connection.execute("select setting, account_id, value from settings").fetchall()
        return filled_up(RuleRow(*row) for row in rows if row[0] in rule_names())
    return defaults()


def _write(path: Path, lake: Lake, snapshot: Snapshot, rules: list[RuleRow]) -> None:
    path.write_bytes(template())
    with attached(open_database(":memory:", lake), path) as connection:
        if rules != defaults():
            set_rules(connection, rules)
        set_files(connection, _locations(lake, snapshot))
        set_runs(connection, _pattern_of_runs(lake))
        _finish(connection, lake, snapshot)


def _last_names(lake: Lake, file: NameFile) -> name_tables.Rows:
    with suppress(duckdb.Error, OSError, PipelineError), file_as_it_is(lake) as connection:
        return name_tables.rows_of(connection, file)
    return []


def _locations(lake: Lake, snapshot: Snapshot) -> dict[str, list[str]]:
    """The Parquet files of each table that a snapshot has; of a lake of an older version its facts have none.

    Raises:
        DamagedError: a table has not the rows that the ledger says.
    """
    require_whole(lake, snapshot)
    return {
        name: lake.locations(name, snapshot.files[name] if snapshot.is_current or name not in schema.FACTS else [])
        for name in schema.TABLES
    }


def _pattern_of_runs(lake: Lake) -> str | None:
    return runs.pattern_of(lake) if runs.has_runs(lake) else None


def _finish(connection: duckdb.DuckDBPyConnection, lake: Lake, snapshot: Snapshot) -> None:
    """Add the rest that a load knows: which one it is, the names, and the facts of a lake of an older version."""
    say_load(connection, snapshot)
    if not snapshot.is_current:
        _compute_facts(connection, lake, snapshot)
    name_tables.set_names(connection, lake, snapshot, lambda file: _last_names(lake, file))


def _compute_facts(connection: duckdb.DuckDBPyConnection, lake: Lake, snapshot: Snapshot) -> None:
    """Compute the facts of a lake of an older version into tables beside the views of their names."""
    from pipeline.warehouse.recompute import facts_of_lake

    connection.execute(f"create schema {_FACTS_OF_OLDER}")
    for table in schema.FACTS.values():
        connection.register("part", table.arrow_schema.empty_table())
        connection.execute(f"create table {_FACTS_OF_OLDER}.{table.name} as from part")
    for part in facts_of_lake(lake, snapshot):
        for name, rows in part.facts.items():
            connection.register("part", rows)
            connection.execute(f"insert into {_FACTS_OF_OLDER}.{name} from part")
    connection.unregister("part")
    for table in schema.FACTS.values():
        create_view(connection, table, f"select {shown_names(table)} from {_FACTS_OF_OLDER}.{table.name}")


def connect(lake: Lake, tell: Callable[[str], None] = lambda _: None) -> duckdb.DuckDBPyConnection:
    """Open the lake's DuckDB file for statements that read, with times shown in UTC; that of an object store is fetched first.

    A file of another load than the newest, as a killed run or a restored copy leaves it, with other rules than the settings
    file has, or without a view of this version, is made anew first. Where it can't be written, can't be used, or names the
    Parquet files by another path than this lake's, the connection has a copy for itself, and the file stays as it is. Where the
    newest load is damaged, the file is all that can be read. `tell` takes a sentence on the fault.

    Raises:
        LakeError: nothing was ever loaded here.
    """
    if lake.is_local:
        connection = _connect_folder(lake, tell)
    else:
        with reaching(lake.uri):
            connection = _connect_store(lake, tell)
    for faults in name_tables.told_faults(connection):
        name_tables.tell_faults(faults, lake, tell)
    connection.execute("set TimeZone = 'UTC'")
    with suppress(duckdb.InvalidInputException):  # in Jupyter it takes a package, and there is none without it
        connection.execute("set enable_progress_bar = false")  # it is drawn on standard output, where results go
    connection.execute("set autoinstall_known_extensions = false")  # a query reads, and installs nothing
    connection.execute("set parquet_metadata_cache = true")  # of a file a day and table, each footer is read once
    connection.execute("set python_scan_all_frames = true")  # a data frame's name is looked up where it was written
    spill = hold(lake)
    with suppress(duckdb.NotImplementedException):  # another connection of this process to the file has chosen, and uses it
        connection.execute(f"set temp_directory = {literal(spill)}")
    return reading(connection, lambda: release(lake))


def _connect_folder(lake: Lake, tell: Callable[[str], None]) -> duckdb.DuckDBPyConnection:
    path = Path(lake.root) / FILE_NAME
    if not path.exists() and not lake.exists:
        raise no_lake(lake)
    rules = rules_in_force(lake, tell)
    names = name_tables.find_name_files(lake)
    connection = _open_if_usable(path, lake, tell)
    if connection is None:
        return _open_copy(lake, rules, tell)
    is_of_this_path = names_this_lake(connection, lake)
    if is_of_this_path and lake.has_facts and is_as_made_now(connection, lake, rules, names):
        return connection
    connection.close()
    try:
        if is_of_this_path and lake.is_current:  # else it is right for another path of the same lake
            from filelock import FileLock, Timeout

            with suppress(OSError, duckdb.Error, Timeout):  # a disk without rights or room, or a writer is at work
                with FileLock(lake.path(LOCK_NAME), timeout=0):
                    publish(lake, lake.snapshot())
                return open_database(path, lake)
        return _open_copy(lake, rules, tell)
    except DamagedError as error:
        if not is_of_this_path:
            raise
        _tell_damage(error, tell)
        return open_database(path, lake)


def _tell_damage(error: DamagedError, tell: Callable[[str], None]) -> None:
    tell(f"{error.found}; this command reads the load that {FILE_NAME} shows: lakehouse verify names the remedy")


def _open_if_usable(path: Path, lake: Lake, tell: Callable[[str], None]) -> duckdb.DuckDBPyConnection | None:
    """Open a DuckDB file; one that can't be used gives None, and a sentence to `tell`."""
    problem = problem_before_opening(path, lake)
    if problem is None:
        try:
            return open_database(path, lake)
        except (duckdb.Error, OSError) as error:
            problem = described(error)
    tell(
        f"{lake.uri}/{FILE_NAME}: {problem}; the tables are whole, and this command reads a copy of its own: "
        "lakehouse compact makes the file anew"
    )
    return None


def _connect_store(lake: Lake, tell: Callable[[str], None]) -> duckdb.DuckDBPyConnection:
    """Fetch the file of an object store, and open it; once open it needs no name."""
    found = None
    rules = rules_in_force(lake, tell)
    names = name_tables.find_name_files(lake)
    with suppress(OSError), tempfile.TemporaryDirectory(prefix=PUBLISHING) as folder:
        path = Path(folder) / FILE_NAME
        with suppress(FileNotFoundError):
            lake.files.get_file(lake.path(FILE_NAME), str(path))
            found = _open_if_usable(path, lake, tell)
            if found is not None and names_this_lake(found, lake) and is_as_made_now(found, lake, rules, names):
                return found
    try:
        if not lake.exists:
            raise no_lake(lake)
        return _open_copy(lake, rules, tell)
    except DamagedError as error:
        if found is None or not names_this_lake(found, lake):
            raise
        _tell_damage(error, tell)
        return found


def _open_copy(lake: Lake, rules: list[RuleRow], tell: Callable[[str], None]) -> duckdb.DuckDBPyConnection:
    """Make a file for this connection alone, and open it; once open it needs no name.

    Where no folder for temporary files can be written, it is made in memory.
    """
    snapshot = lake.snapshot()
    if snapshot.outdated:
        tell(
            f"{lake.uri}: {snapshot.outdated}; this command computes the facts for itself: the next load brings the lake up to "
            "date, as does lakehouse upgrade"
        )
    with suppress(OSError, duckdb.IOException), tempfile.TemporaryDirectory(prefix=PUBLISHING) as folder:
        path = Path(folder) / FILE_NAME
        _write(path, lake, snapshot, rules)
        return open_database(path, lake)
    connection = open_database(":memory:", lake)
    create_table_views(connection, _locations(lake, snapshot))
    create_view_of_runs(connection, _pattern_of_runs(lake))
    create_views(connection, rules=rules)
    comment_columns(connection)
    _finish(connection, lake, snapshot)
    return connection


def no_lake(lake: Lake) -> LakeError:
    """Make the error of a place where nothing was ever loaded."""
    message = "there is no lake; load something first, with lakehouse demo, sync or load, or name another by --lake or LAKE_URI"
    return NoLakeError(f"{lake.uri}: {message}")
