"""What is exported: a table or a view of the lake, or a query, and of its rows those of some days and accounts."""

import contextlib
import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NamedTuple

import duckdb

from pipeline import schema
from pipeline.cli.options import next_command, sentence
from pipeline.errors import QueryError, RefusedError, SettingsError
from pipeline.failures import of_a_file
from pipeline.lake.snapshot import DataFile, digest_of_paths
from pipeline.lake.sql import literal
from pipeline.text import counted
from pipeline.warehouse.statements import gives_rows, statements
from pipeline.warehouse.table_views import files_in

_DAYS: Final = ("local_date", "local_week", "local_month", "date")
"""The columns of days, the first of which counts: on the account's clocks, if there is one."""
_NO_DAY: Final = "__HIVE_DEFAULT_PARTITION__"  # as other programs name the folder of rows without a day
_ROWS: Final = "rows_to_export"
_NAMES: Final = """
    select view_name from duckdb_views() where not internal
    union all
    select table_name from duckdb_tables() where not internal
"""
_MEMORY: Final = "200MB"
_MOST_NEAR: Final = 3
_PARTITION: Final = re.compile(r"/date=(\d{4}-\d\d-\d\d)/[^/]+$")


@dataclass(frozen=True)
class Choice:
    """The rows that are asked for: from a day on, before a day, of these accounts."""

    since: date | None = None
    until: date | None = None
    accounts: tuple[str, ...] = ()

    def has_day(self, day: str) -> bool:
        """Whether it has rows of a day."""
        return (self.since is None or day >= str(self.since)) and (self.until is None or day < str(self.until))


class Part(NamedTuple):
    """The rows of a day; `version` tells whether they are those of an earlier export, None if nothing does."""

    day: str
    version: str | None
    rows: duckdb.DuckDBPyRelation
    files: list[str]
    """The Parquet files of a table that have them, and no rows of other days; none where a query gives them."""


@dataclass(frozen=True)
class Source:
    """The rows to export: of a table of the lake, of another table or a view by its name, or of a query."""

    connection: duckdb.DuckDBPyConnection
    table: schema.Table | None
    view: str | None
    rows: duckdb.DuckDBPyRelation
    choice: Choice

    @property
    def name(self) -> str:
        """The name of the table or view; a query has none."""
        return self.table.name if self.table else self.view or "query"

    @property
    def day(self) -> str | None:
        """The column of days; None: there is none."""
        return _day_of(self.rows)

    @property
    def types(self) -> dict[str, str]:
        """The columns with their types."""
        return dict(zip(self.rows.columns, map(str, self.rows.types), strict=True))

    def files(self) -> dict[str, list[str]]:
        """The Parquet files of each day that is asked for; none of a view, a query, or a table without days."""
        found: dict[str, list[str]] = {}
        if self.table and self.table.partitioned:
            for location in sorted(files_in(self.connection, self.table.name)):
                if (partition := _PARTITION.search(location)) and self.choice.has_day(partition[1]):
                    found.setdefault(partition[1], []).append(location)
        return found

    def parts(self) -> Iterator[Part]:
        """Yield the rows day by day; those of a view or a query are computed once, and kept by DuckDB meanwhile."""
        files = self.files()
        for day, its in sorted(files.items()):
            version = digest_of_paths(DataFile(location.rpartition("/")[2], 0, 0) for location in its)
            yield Part(day, version, self.rows.filter(f"date = date {literal(day)}"), its)
        if not files:
            with telling_of_the_query():
                self._keep_rows()
            rows = self.connection.sql(f"from {_ROWS}")
            for (day,) in rows.project(f'"{self.day}"').distinct().order(f'"{self.day}"').fetchall():
                condition = "is null" if day is None else f"= date {literal(str(day))}"
                yield Part(_NO_DAY if day is None else str(day), None, rows.filter(f'"{self.day}" {condition}'), [])

    def _keep_rows(self) -> None:
        """Compute the rows into a table that DuckDB spills beyond a bound; rows that take more to compute get it."""
        ((usual,),) = self.connection.execute("select current_setting('memory_limit')").fetchall()
        keep = f"create or replace temp table {_ROWS} as {self.rows.sql_query()}"
        try:
            self.connection.execute(f"set memory_limit = '{_MEMORY}'")
            self.connection.execute(keep)
        except duckdb.OutOfMemoryException:
            self.connection.execute(f"set memory_limit = {literal(usual)}")
            self.connection.execute(keep)


def find_source(connection: duckdb.DuckDBPyConnection, text: str, choice: Choice) -> Source:
    """Find the rows of a table or view by its name, or of a query.

    Raises:
        SettingsError: there is no such name, or the rows have no days or accounts to choose by.
        QueryError: DuckDB refuses the query, or it does something else than to give rows.
    """
    known = {name.lower(): name for (name,) in connection.sql(_NAMES).fetchall()}
    name = known.get(text.strip().strip('"').lower())
    if name is None and re.fullmatch(r'\s*["\w.]+\s*', text):
        raise _unknown(text.strip(), known)
    with telling_of_the_query():
        rows = connection.sql(f'from "{name}"') if name else _rows_of(connection, text)
        chosen = rows.filter(" and ".join(conditions)) if (conditions := list(_conditions(rows, choice))) else rows
        if name and name not in schema.TABLES and "conversation_id" not in rows.columns:
            chosen = chosen.order("all")  # a view of measures: its first columns are its key
    return Source(connection, schema.TABLES.get(name or ""), name, chosen, choice)


@contextlib.contextmanager
def telling_of_the_query() -> Iterator[None]:
    """Turn an error of DuckDB in the block into a sentence.

    Raises:
        QueryError: DuckDB refuses the query, or a file of the lake is gone or damaged.
    """
    try:
        yield
    except (duckdb.Error, RefusedError) as error:
        raise QueryError(sentence(of_a_file(error) or error)) from error


def _unknown(name: str, known: dict[str, str]) -> SettingsError:
    near = [known[found] for found in difflib.get_close_matches(name.lower(), known, _MOST_NEAR)]
    hint = f"perhaps {', '.join(near)} is meant" if near else f'{next_command("sql")} "show tables" lists what there is'
    return SettingsError(f"{name}: expected a table or a view of the lake, or a query, found none of that name; {hint}")


def _rows_of(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    connection.execute("set python_enable_replacements = false")  # else a name can mean a variable of this function
    try:
        query = query.encode(errors="surrogateescape").decode()
    except UnicodeError as error:
        raise QueryError("the query: expected text in UTF-8, found other bytes; write it in UTF-8") from error
    parts = statements(query, connection.extract_statements)
    if len(parts) != 1 or not gives_rows(parts[0]):
        found = counted(len(parts), "statement") if len(parts) != 1 else "one without"
        raise QueryError(f"the query: expected one statement with rows, found {found}; write one select")
    return connection.sql(parts[0])


def _conditions(rows: duckdb.DuckDBPyRelation, choice: Choice) -> Iterator[str]:
    if choice.since or choice.until:
        day = _day_of(rows)
        if day is None:
            raise SettingsError(
                f"--since, --until: they go by a column of days ({', '.join(_DAYS)}), found none; leave them out"
            )
        yield from (
            f'"{day}" {sign} date {literal(str(bound))}' for sign, bound in ((">=", choice.since), ("<", choice.until)) if bound
        )
    if choice.accounts:
        if "account_id" not in rows.columns:
            raise SettingsError("--account-id: it goes by the column account_id, found none; leave it out")
        yield f"account_id in ({', '.join(map(literal, choice.accounts))})"


def _day_of(rows: duckdb.DuckDBPyRelation) -> str | None:
    days = {name for name, kind in zip(rows.columns, rows.types, strict=True) if str(kind) == "DATE"}
    return next((name for name in _DAYS if name in days), None)
