"""SQL over a lake only reads. It may change its own session: temporary tables, views and macros, some settings.

DuckDB opens the lake's file read-only, but a statement such as `copy ... to` would still write any other file, one of the
lake's included. So DuckDB's own parser checks each statement before it runs.
"""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, Final, Self, cast

import duckdb

from pipeline.errors import RefusedError

_READING: Final = frozenset({"SELECT", "EXECUTE", "TRANSACTION", "DETACH", "RELATION", "LOGICAL_PLAN"})
# DuckDB itself refuses these for the lake's own tables and views; temporary tables are the session's.
_OF_THE_SESSION: Final = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE_INTO", "ALTER", "ANALYZE", "VACUUM"})
_REFUSED_BY_DUCKDB: Final = re.compile(r"Can only (?:delete|update|merge)\b|is not an? table\b|attached in read-only mode")
_GIVING_ROWS: Final = frozenset({"SELECT", "EXPLAIN", "PRAGMA", "CALL", "EXECUTE", "MULTI"})
_TEMPORARY: Final = frozenset({"temp", "temporary", "local"})
_PRAGMAS: Final = frozenset(
    {
        "collations",
        "database_list",
        "database_size",
        "functions",
        "metadata_info",
        "platform",
        "show",
        "show_databases",
        "show_tables",
        "show_tables_expanded",
        "storage_info",
        "table_info",
        "user_agent",
        "version",
    }
)
_CALLS: Final = frozenset({f"pragma_{name}" for name in _PRAGMAS} | {"range", "generate_series", "summary"})
_OPTIONS: Final = frozenset(
    {
        "calendar",
        "default_collation",
        "default_null_order",
        "default_order",
        "disable_profiling",
        "enable_object_cache",
        "enable_profiling",
        "enable_progress_bar",
        "enable_progress_bar_print",
        "errors_as_json",
        "explain_output",
        "external_threads",
        "ieee_floating_point_ops",
        "integer_division",
        "max_expression_depth",
        "max_memory",
        "max_temp_directory_size",
        "memory_limit",
        "merge_join_threshold",
        "nested_loop_join_threshold",
        "null_order",
        "old_implicit_casting",
        "order_by_non_integer_literal",
        "ordered_aggregate_threshold",
        "pandas_analyze_sample",
        "parquet_metadata_cache",
        "perfect_ht_threshold",
        "pivot_filter_threshold",
        "pivot_limit",
        "prefer_range_joins",
        "preserve_identifier_case",
        "preserve_insertion_order",
        "profiling_mode",
        "progress_bar_time",
        "python_enable_replacements",
        "python_scan_all_frames",
        "scalar_subquery_error_on_multiple_rows",
        "schema",
        "search_path",
        "streaming_buffer_size",
        "threads",
        "timezone",
        "variable",
        "worker_threads",
    }
)
# `query` runs the SQL of a text, which can be put together while it runs.
_REFUSED_FUNCTIONS: Final = frozenset(
    {
        "checkpoint",
        "copy_database",
        "disable_logging",
        "enable_logging",
        "force_checkpoint",
        "import_database",
        "query",
        "truncate_duckdb_logs",
        "write_log",
    }
)
_IN_COMMENT: Final = re.compile(r"/\*|\*/")
_TOKEN: Final = re.compile(
    r"""/\*|--[^\n\r]*|[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$"""
    r"""|"(?:[^"]|"")*"|\w[\w$]*|\S""",
    re.DOTALL,
)
_REMEDY: Final = 'SQL over a lake only reads; write results with lakehouse sql "..." --format csv > FILE, or from Python'


def statements(
    query: str, parse: Callable[[str], list[duckdb.Statement]] = duckdb.extract_statements
) -> list[duckdb.Statement]:
    """Split a query into its statements, which all read. `parse` is a connection's, where there is one: else one is opened.

    Raises:
        RefusedError: a statement does something else; run none of them.
        duckdb.ParserException: it is no SQL.
    """
    words = list(_words(query))
    if "import_database" in words or ("import", "database") in pairwise(words):  # to parse it, DuckDB 1.4 reads it
        raise RefusedError(f"the statement IMPORT DATABASE is refused; {_REMEDY}")
    for former, word, following in zip(["", *words], words, [*words[1:], ""], strict=False):
        name = word.strip('"')
        if following == "(" and name in _REFUSED_FUNCTIONS:
            raise RefusedError(f"the function {name} is refused; {_REMEDY}")
        if (word, following) == ("(", "copy") and former in {"as", "materialized"}:  # a step of a query can be one
            raise RefusedError(f"the statement COPY is refused; {_REMEDY}")
    found = parse(query)
    for statement in found:
        _check(statement)
    return found


def gives_rows(statement: duckdb.Statement) -> bool:
    """Whether a statement is asked for its rows, as `select` is, and `set` is not."""
    return _type(statement) in _GIVING_ROWS


def _without_end(statement: duckdb.Statement) -> str | None:
    """The text of a statement without its semicolon, where a comment follows that; None: it has none.

    DuckDB 2 keeps both, and the statement that it makes of a relation to show or count it then has them in its middle.
    """
    try:
        spelled = list(_spelled(statement.query))
    except IndexError:  # what DuckDB 1.4 makes of a pivot
        return None
    kept = [found for found in spelled if found[1] != ";"]
    if len(kept) == len(spelled) or not kept:
        return None
    place, word = kept[-1]
    return statement.query[: place + len(word)]


def _check(statement: duckdb.Statement) -> None:
    kind = _type(statement)
    try:
        query = statement.query
    except IndexError:  # what DuckDB 1.4 makes of a pivot
        query = ""
    words = list(_words(query))
    if not (kind in _READING | _OF_THE_SESSION | {"MULTI"} or _is_harmless(kind, words, query)):
        name = " ".join(words[:2] if kind in {"SET", "PRAGMA", "CALL", "CREATE"} else words[:1])
        raise RefusedError(f"the statement {name.upper()} is refused; {_REMEDY}")


def _writes_to_the_lake(parts: list[duckdb.Statement], error: duckdb.Error) -> str:
    """Name the statement that DuckDB refused since it would change a table of the lake; "" if that was not the error."""
    if not _REFUSED_BY_DUCKDB.search(str(error)):
        return ""
    for part in parts:
        if (kind := _type(part)) not in _READING:
            word = next(_words(part.query), "with")
            return (kind.replace("_", " ") if word == "with" else word).upper()
    return ""


def _is_harmless(kind: str, words: list[str], query: str) -> bool:
    """Whether a statement that could write does not."""
    match kind:
        case "CREATE":
            position = 3 if words[1:3] == ["or", "replace"] else 1
            return not words or words[position] in _TEMPORARY or words[position] == "secret"  # none: DuckDB 1.4's for a pivot
        case "DROP":  # DuckDB refuses it for the lake's own views; a secret may lie in the user's own folder
            return "secret" not in words[1:4]
        case "SET":
            return _option(words) in _OPTIONS or words[0] == "use"
        case "PRAGMA":
            return words[1].strip('"') in _PRAGMAS
        case "CALL":
            return words[0] == "call" and words[1].strip('"') in _CALLS
        case "COPY":
            return "from" in words and "to" not in words
        case "EXPLAIN" | "PREPARE":
            inner = _inner(kind, query)
            return bool(inner) and bool(statements(inner))
        case _:
            return False


def _option(words: list[str]) -> str:
    """The setting that a statement sets or resets."""
    rest = words[1:]
    if rest and rest[0] in {"session", "global", "local"}:
        rest = rest[1:]
    return rest[0].strip('"') if rest else ""


def _inner(kind: str, query: str) -> str:
    """The statement that another explains or prepares; "" if there is none."""
    spelled = list(_spelled(query))
    words = [word.lower() for _, word in spelled]
    if kind == "PREPARE":
        begin = words.index("as") + 1 if "as" in words else len(words)
    else:
        begin = 1
        while begin < len(words) and words[begin] in {"analyze", "verbose"}:
            begin += 1
        if words[begin : begin + 1] == ["("] and words[begin + 1 : begin + 2] not in (["select"], ["from"], ["with"], ["("]):
            begin = words.index(")", begin) + 1
    return query[spelled[begin][0] :] if begin < len(spelled) else ""


def _words(query: str) -> Iterator[str]:
    """Give the words and signs of a statement, in small letters, without comments."""
    return (word.lower() for _, word in _spelled(query))


def _spelled(query: str) -> Iterator[tuple[int, str]]:
    """Give the place and the spelling of each word and sign; comments, which nest, are left out."""
    place = depth = 0
    while found := (_IN_COMMENT if depth else _TOKEN).search(query, place):
        place = found.end()
        if found[0] == "/*":
            depth += 1
        elif depth:
            depth -= 1
        elif not found[0].startswith("--"):
            yield found.start(), found[0]


def _type(statement: duckdb.Statement) -> str:
    try:
        return statement.type.name
    except ValueError:  # DuckDB knows it, its Python does not
        return "UNKNOWN"


class _Reading:
    """A DuckDB connection that runs only statements that read, on every way from it to SQL; else it is DuckDB's own."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, on_close: Callable[[], None]) -> None:
        self._connection = connection
        self._on_close = on_close

    @property  # type: ignore[misc]
    def __class__(self) -> type[duckdb.DuckDBPyConnection]:  # type: ignore[override]
        """Pass for DuckDB's own class in libraries."""
        return duckdb.DuckDBPyConnection

    def __getattr__(self, name: str) -> Any:
        if name in {"install_extension", "load_extension"}:
            raise RefusedError(f"{name} is refused; {_REMEDY}")
        return getattr(self._connection, name)

    def _run(self, method: str, query: Any, *rest: Any, **options: Any) -> Any:
        parts = []
        try:
            if isinstance(query, duckdb.Statement):
                _check(query)
                parts = [query]
            else:
                parts = statements(query, self._connection.extract_statements)
        except duckdb.Error:
            pass  # DuckDB says it itself, in its own words
        if method == "sql" and len(parts) == 1:
            query = _without_end(parts[0]) or query
        try:
            result = getattr(self._connection, method)(query, *rest, **options)
        except duckdb.Error as error:
            if writing := _writes_to_the_lake(parts, error):
                raise RefusedError(f"the statement {writing} is refused; {_REMEDY}") from error
            raise
        return self if result is self._connection else result

    def execute(self, query: Any, *rest: Any, **options: Any) -> Any:
        """Run statements that read."""
        return self._run("execute", query, *rest, **options)

    def executemany(self, query: Any, *rest: Any, **options: Any) -> Any:
        """Run a statement that reads, once for each set of parameters."""
        return self._run("executemany", query, *rest, **options)

    def sql(self, query: Any, *rest: Any, **options: Any) -> Any:
        """Run a query, and give its rows as a relation."""
        return self._run("sql", query, *rest, **options)

    query = from_query = sql

    def cursor(self) -> Any:
        """Open another connection to the same database, which only reads, too."""
        return _Reading(self._connection.cursor(), lambda: None)

    duplicate = cursor

    def close(self) -> None:
        """Close the connection, and delete its temporary files."""
        self._connection.close()
        on_close, self._on_close = self._on_close, lambda: None
        on_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def reading(connection: duckdb.DuckDBPyConnection, on_close: Callable[[], None]) -> duckdb.DuckDBPyConnection:
    """Wrap a connection: `execute`, `sql`, their other names and its cursors refuse statements that write.

    That prevents mistakes, not attacks: relations have methods that write files, as their names say.
    """
    return cast("duckdb.DuckDBPyConnection", _Reading(connection, on_close))
