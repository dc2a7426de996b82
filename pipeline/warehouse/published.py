"""The DuckDB file as it lies in a lake: the load that it shows, and the faults that keep readers from it."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import duckdb

from pipeline import schema
from pipeline.lake.file_systems import exists
from pipeline.lake.formats import FIRST, LakeFormat, current_format, require_known, unpacked_format
from pipeline.lake.lake import Lake
from pipeline.lake.landing import PUBLISHING
from pipeline.lake.runs import has_runs
from pipeline.lake.snapshot import COMMIT, LEDGER, Snapshot
from pipeline.lake.sql import literal
from pipeline.processes import interruptible
from pipeline.warehouse import name_tables
from pipeline.warehouse.library import view_names
from pipeline.warehouse.rules import RuleRow
from pipeline.warehouse.table_views import files_in, files_macro, pattern_in

FILE_NAME: Final = "lakehouse.duckdb"
_FORMAT: Final = "lake_format"
"""The macro of the DuckDB file that gives the format of the lake."""
_LOAD: Final = "ledger_commit"
"""The macro that gives the ledger's commit of the load that the file shows: its version and its token."""


def say_load(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> None:
    """Let the file say which load it shows: the format of the lake, and the commit of the ledger."""
    connection.execute(f"create or replace macro {_FORMAT}() as {literal(snapshot.format.packed())}")
    commit = f"{snapshot.versions.get(LEDGER, 0)} {snapshot.token}"
    connection.execute(f"create or replace macro {_LOAD}() as {literal(commit)}")


def logs_of_clients(lake: Lake) -> list[Path]:
    """List the logs beside the DuckDB file: those of clients that have it open for writing, or had when they ended."""
    if not lake.is_local:
        return []
    names = (f"{FILE_NAME}.wal", f"{FILE_NAME}.wal.checkpoint", f"{FILE_NAME}.wal.recovery")
    return [path for path in (Path(lake.root) / name for name in names) if os.path.lexists(path)]


def problem_with_file(lake: Lake) -> str | None:
    """Describe the fault that keeps readers or other clients from the lake's DuckDB file; None: there is none."""
    found = problem_before_opening(Path(lake.root) / FILE_NAME, lake) if lake.is_local else None
    if found:
        return found
    try:
        with file_as_it_is(lake) as connection:
            if not _has_views(connection):
                return "it lacks views of this version"
            if _shows_another_load(connection, lake):
                return "it shows another load than the newest one"
            if lake.is_local and not names_this_lake(connection, lake):
                return f"it names the Parquet files by another path than {lake.root}, where other clients can't find them"
    except FileNotFoundError:
        return "it is gone"
    except (duckdb.Error, OSError) as error:
        return described(error)
    return None


def problem_before_opening(path: Path, lake: Lake) -> str | None:
    """Describe the fault that forbids to open a DuckDB file: it is gone, or DuckDB would replay a client's log over it."""
    if not path.exists():
        return "it is gone"
    logs = logs_of_clients(lake)
    return f"a client that opened it for writing has left {logs[0].name}, which belongs to no load" if logs else None


def described(error: Exception) -> str:
    """Describe why DuckDB can't open a file: another client holds it, or it is damaged."""
    text = " ".join(str(error).split())
    if "onflicting lock" in text or "different configuration" in text:
        return "another client holds it open for writing, where it should read"
    return f"it can't be read ({text[:200]})"


def named_files(lake: Lake) -> dict[str, set[str]]:
    """List the Parquet files that the lake's DuckDB file names, by table, as paths in it.

    Raises:
        duckdb.Error: the file can't be read.
        OSError: it can't be read.
    """
    with file_as_it_is(lake) as connection:
        return {
            name: {location.rpartition(f"/{name}/")[2] for location in files_in(connection, name)} for name in schema.TABLES
        }


@contextlib.contextmanager
def file_as_it_is(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the lake's DuckDB file, or where a client's log lies beside it a copy, so that the log is not replayed."""
    if lake.is_local and not logs_of_clients(lake):
        with duckdb.connect(f"{lake.root}/{FILE_NAME}", read_only=True) as connection:
            yield connection
        return
    with tempfile.TemporaryDirectory(prefix=PUBLISHING) as folder:
        path = Path(folder) / FILE_NAME
        lake.files.get_file(lake.path(FILE_NAME), str(path))
        with duckdb.connect(str(path), read_only=True) as connection:
            yield connection


def open_database(path: Path | str, lake: Lake) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file to read, or `:memory:`, with access to the lake's files; temporary files have no folder yet."""
    connection = interruptible(duckdb.connect(str(path), read_only=path != ":memory:"))
    with suppress(duckdb.NotImplementedException):  # another connection of this process to the file has chosen
        connection.execute("set temp_directory = ''")  # by default it is in the working folder, or beside the file
    lake.store.register(connection)
    return connection


def names_this_lake(connection: duckdb.DuckDBPyConnection, lake: Lake) -> bool:
    """Whether the file names the Parquet files by this path of the lake, or none."""
    try:
        return all(location.startswith(f"{lake.table_uri(LEDGER)}/") for location in files_in(connection, LEDGER))
    except duckdb.Error:  # another client has altered it: it names nothing, and is made anew
        return True


def is_as_made_now(
    connection: duckdb.DuckDBPyConnection, lake: Lake, rules: list[RuleRow], names: list[name_tables.FoundFile]
) -> bool:
    """Whether the file of a lake has its format, its newest load, these settings and names, and the views of this version.

    Raises:
        LakeError: a newer version of this program has made it.
    """
    found = _format_of(connection)
    require_known(found, lake.uri)
    is_alike = (
        found == current_format()
        and _finds_runs(connection, lake)
        and not _shows_another_load(connection, lake)
        and _has_rules(connection, rules)
    )
    return is_alike and name_tables.has_names(connection, names) and _has_views(connection)


def _finds_runs(connection: duckdb.DuckDBPyConnection, lake: Lake) -> bool:
    """Whether the files are there without which the view of runs fails; a bucket is not asked."""
    with suppress(duckdb.Error):  # an older version has made the file
        return not (lake.is_local and pattern_in(connection)) or has_runs(lake)
    return False


def _format_of(connection: duckdb.DuckDBPyConnection) -> LakeFormat:
    """The format of the lake that the file was made for; files of older versions do not say it, and altered ones anything."""
    try:
        ((text,),) = connection.execute(f"select {_FORMAT}()").fetchall()
        return unpacked_format(text)
    except (duckdb.Error, ValueError):
        return FIRST


def _shows_another_load(connection: duckdb.DuckDBPyConnection, lake: Lake) -> bool:
    """Whether the file shows another load than the newest: an older one, or one of a history that a restored copy has replaced.

    A ledger that has lost its end makes no file older, as long as the files of the ledger that it shows are there.
    """
    try:
        ((text,),) = connection.execute(f"select {_LOAD}()::varchar").fetchall()
        version, token = int(text.partition(" ")[0]), text.partition(" ")[2]
    except (duckdb.Error, ValueError):  # an older version has made it, or another client has altered it
        return True
    try:
        newest = lake.newest_version(LEDGER) or 0
        if newest == version:
            entry = lake.log_entry(LEDGER, newest)
            return COMMIT.encode() in entry and token.encode() not in entry
        shown = [location.rpartition(f"/{LEDGER}/")[2] for location in files_in(connection, LEDGER)]
        return newest > version or not all(exists(lake.files, lake.path(LEDGER, path)) for path in shown)
    except OSError:
        if not lake.is_local:
            raise  # the store failed, not the ledger
        return False  # nothing tells, so the file shows what there is


def _has_rules(connection: duckdb.DuckDBPyConnection, wanted: list[RuleRow]) -> bool:
    """Whether the file was made with these rules; one that an older version made has none."""
    try:
        rows = connection.execute("select setting, account_id, value from settings").fetchall()
    except duckdb.CatalogException:
        return False
    return set(rows) == set(wanted)


def _has_views(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the file has every view of the library, by name, the files of every table, and those of runs.

    A changed view it gets with the next load.
    """
    made = {name for (name,) in connection.execute("select view_name from duckdb_views() where not internal").fetchall()}
    try:
        connection.execute(f"select {', '.join(f'{files_macro(name)}()::varchar[]' for name in schema.TABLES)}")
        pattern_in(connection)
    except duckdb.Error:
        return False
    return made >= view_names()
