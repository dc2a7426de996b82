"""The views of the DuckDB file over the lake's tables, with their comments; a macro lists the Parquet files of each.

A load replaces the macros alone: to make a view anew and to comment its columns takes longer, the more files it names.
"""

import re
import time
from collections.abc import Mapping
from typing import Any, Final

import duckdb

from pipeline import schema
from pipeline.lake.sql import literal, literals, rows_in

_LOCATION: Final = re.compile(r"'([^']*\.parquet)'")
_SQL_TYPES: Final = {
    schema.TEXT: "VARCHAR",
    schema.BIGINT: "BIGINT",
    schema.INTEGER: "INTEGER",
    schema.DOUBLE: "DOUBLE",
    schema.BOOLEAN: "BOOLEAN",
    schema.TIME: "TIMESTAMP WITH TIME ZONE",
    schema.Type.DAY: "DATE",
    schema.Type.TEXTS: "VARCHAR[]",
    schema.Type.BIGINTS: "BIGINT[]",
}
_TRIES: Final = 3
_PAUSE: Final = 0.1  # seconds
_PATTERN: Final = "pattern_of_runs"
"""The macro that gives the pattern by which the files of runs are found."""
_JSON_TYPES: Final = ", ".join(f"{column.name}: '{_SQL_TYPES[column.type]}'" for column in schema.RUNS.columns)
_RUNS: Final = f"""
    select distinct * from (
        from read_json(
            {_PATTERN}() || '.run', format = 'newline_delimited', columns = {{{_JSON_TYPES}}}, ignore_errors = true
        )
        union all by name
        from read_parquet({_PATTERN}() || '.parquet', union_by_name = true, hive_partitioning = false)
    )
    where run_id is not null"""


def files_macro(name: str) -> str:
    """The name of the macro that lists the Parquet files of a table."""
    return f"parquet_files_of_{name}"


def create_table_views(connection: duckdb.DuckDBPyConnection, locations: Mapping[str, list[str]]) -> None:
    """Create the view of each table over its Parquet files; one without files has no rows.

    DuckDB opens the first file of each for its columns.
    """
    for table in schema.TABLES.values():
        _set_macro(connection, table, locations[table.name])
        create_view(connection, table, _rows_of_files(table) if locations[table.name] else _no_rows(table))


def set_files(connection: duckdb.DuckDBPyConnection, locations: Mapping[str, list[str]]) -> None:
    """Make the views over Parquet files, as a template has them, show others; those of tables without files have no rows."""
    for table in schema.TABLES.values():
        _set_macro(connection, table, locations[table.name])
        if not locations[table.name]:
            create_view(connection, table, _no_rows(table))


def create_view_of_runs(connection: duckdb.DuckDBPyConnection, pattern: str | None) -> None:
    """Create the view of runs over the files that a pattern finds whenever it is read; without one it has no rows.

    A line that can't be read has no row. Rows that a merge has left twice are one.
    """
    _set_pattern(connection, pattern)
    create_view(connection, schema.RUNS, _RUNS if pattern else _no_rows(schema.RUNS))


def set_runs(connection: duckdb.DuckDBPyConnection, pattern: str | None) -> None:
    """Make the view of runs, as a template has it, find other files; without a pattern it has no rows."""
    _set_pattern(connection, pattern)
    if pattern is None:
        create_view(connection, schema.RUNS, _no_rows(schema.RUNS))


def rows_of_runs(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, Any] | None = None
) -> list[Mapping[str, Any]] | None:
    """The rows of a query on the records of runs; None where these can't be read, on which no other answer depends.

    A file that a run has merged since it was found is gone: the query is then asked again.
    """
    for _ in range(_TRIES):
        try:
            cursor = connection.execute(query, parameters)
            names = [str(column[0]) for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        except duckdb.InterruptException:
            raise
        except duckdb.Error:
            time.sleep(_PAUSE)
    return None


def pattern_in(connection: duckdb.DuckDBPyConnection) -> str:
    """The pattern by which a DuckDB file finds runs; "" if it has none.

    Raises:
        duckdb.Error: the file has no view of runs.
    """
    ((found,),) = connection.execute(f"select {_PATTERN}()::varchar").fetchall()
    return found or ""


def _set_pattern(connection: duckdb.DuckDBPyConnection, pattern: str | None) -> None:
    connection.execute(f"create or replace macro {_PATTERN}() as {literal(pattern or '')}")


def forget_files(connection: duckdb.DuckDBPyConnection) -> None:
    """Let the macros list no files: no view can be read until `set_files`."""
    for table in schema.TABLES.values():
        _set_macro(connection, table, [])
    _set_pattern(connection, None)


def create_view(connection: duckdb.DuckDBPyConnection, table: schema.Table, rows: str) -> None:
    """Create or replace the view of a table by a query; its comment is the table's grain, those of columns their meanings."""
    connection.execute(f"create or replace view {table.name} as {rows}")
    connection.execute(f"comment on view {table.name} is {literal(table.grain)}")
    for column in table.shown:
        connection.execute(f"comment on column {table.name}.{column.name} is {literal(column.about)}")


def files_in(connection: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    """The locations of the Parquet files that a DuckDB file names for a table: in the macro, or as older versions in the view.

    Raises:
        duckdb.Error: the macro is not a list.
    """
    try:
        ((found,),) = connection.execute(f"select {files_macro(name)}()::varchar[]").fetchall()
    except duckdb.CatalogException:
        views = connection.execute("select sql from duckdb_views() where view_name = $name", {"name": name}).fetchall()
        return [location for (sql,) in views for location in _LOCATION.findall(sql)]
    return found or []


def _set_macro(connection: duckdb.DuckDBPyConnection, table: schema.Table, locations: list[str]) -> None:
    connection.execute(f"create or replace macro {files_macro(table.name)}() as {literals(locations)}::varchar[]")


def _rows_of_files(table: schema.Table) -> str:
    return f"select {shown_names(table)} from {rows_in(f'{files_macro(table.name)}()', with_date=table.partitioned)}"


def _no_rows(table: schema.Table) -> str:
    columns = ", ".join(f"null::{_SQL_TYPES[column.type]} as {column.name}" for column in table.shown)
    return f"select {columns} where false"


def shown_names(table: schema.Table) -> str:
    """The names of the columns that the view of a table has, as a `select` lists them."""
    return ", ".join(column.name for column in table.shown)
