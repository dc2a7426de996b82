"""SQL over a lake reads: what writes is refused, however it is dressed, before any statement of the query has run."""

import io
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
from commands import lakehouse
from documents import conversation, document, gz, put
from lakes import take

import pipeline
from pipeline.cli.query import run_query
from pipeline.errors import QueryError, RefusedError
from pipeline.lake.lake import Lake
from pipeline.warehouse.statements import statements

READING = [
    "",
    "select 1; select 2",
    "from read_csv('x.csv')",
    "select 'copy (select 1) to ''x''' as text, count(copy) from t -- copy t to 'x'",
    "select /* a /* nested */ copy (select 1) to 'x' */ 1",
    "create temp table t as select 1",
    "create or replace temporary view v as select 1",
    "create temp macro m() as 1",
    "create secret s (type s3)",
    "insert into t values (1)",
    "copy t from 'x.csv'",
    "drop table if exists t",
    "set TimeZone = 'UTC'",
    "set session threads = 2",
    "set variable x = 1",
    "reset memory_limit",
    "use memory",
    "explain select 1",
    "explain (analyze, format json) from t",
    "explain (select 1)",
    "prepare p as select $1",
    "execute p(1)",
    "deallocate p",
    "pragma table_info('t')",
    "call pragma_version()",
    "describe t",
    "show tables",
    "summarize t",
    "begin",
    "pivot t on a using sum(b)",
]
WRITING = [
    "drop persistent secret s",
    "drop secret if exists s",
    "copy (select 1) to '{file}'",
    "COPY t TO '{file}' (format csv)",
    "/* a */ copy (select 'from') to '{file}'",
    "select 1; copy (select 1) to '{file}'",
    "explain analyze copy (select 1) to '{file}'",
    "explain (analyze) copy (select 1) to '{file}'",
    "prepare p as copy (select 1) to '{file}'",
    "export database '{file}'",
    "import database '{file}'",
    "pragma import_database('{file}')",
    "copy from database memory to x",
    "attach '{file}' as other",
    "attach ':memory:' as other",
    "create table t as select 1",
    "create view v as select 1",
    "create or replace macro m() as 1",
    "create schema s",
    "create sequence s",
    "create persistent secret s (type s3)",
    "install httpfs",
    "force install httpfs",
    "load httpfs",
    "explain analyze load httpfs",
    "checkpoint",
    "call force_checkpoint()",
    "call enable_logging(storage = 'file', storage_path = '{file}')",
    "from \"Enable_Logging\"(storage = 'file', storage_path = '{file}')",
    "from query('from enable' || '_logging()')",
    "set profiling_output = '{file}'",
    "pragma profiling_output = '{file}'",
    "set global temp_directory = '{file}'",
    "set /* a */ \"temp_directory\" = '{file}'",
    "reset temp_directory",
    "set secret_directory = '{file}'",
    "set lock_configuration = false",
]
WRITING_TO_THE_LAKE = [
    "drop table conversations",
    "drop view queue_time_daily",
    "drop schema main",
    "delete from conversations",
    "delete from settings",
    "with x as (select 1) delete from conversations",
    "truncate messages",
    "update settings set value = 1",
    "update conversations set skill_id = 1",
    "insert into conversations by name select 'c' as conversation_id",
    "insert into settings values (1, 2, 3, 4)",
    "merge into settings using settings s on true when matched then delete",
    "merge into conversations using settings s on true when matched then delete",
    "alter table conversations add column x int",
    "comment on view conversations is 'x'",
    "copy conversations from 'x.csv'",
    "explain delete from conversations",
    "prepare p as delete from conversations",
    "select 1; delete from conversations",
]
STEPS = [
    "with x as (copy (select 1) to '{file}') from x",
    "with x as not materialized /* a */ ( -- b\n copy (select 1) to '{file}') from x",
]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with a conversation."""
    folder = tmp_path_factory.mktemp("statements")
    lake = Lake(str(folder / "lake"))
    take(lake, put(folder, gz(document(conversation("c1")))))
    return lake


@pytest.fixture(scope="module")
def connection(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """The lake, opened from Python."""
    with pipeline.open(lake.root) as connection:
        yield connection


@pytest.mark.parametrize("query", READING)
def test_what_reads_is_taken(query: str) -> None:
    """Queries, and what changes the session alone, pass."""
    statements(query)


@pytest.mark.parametrize("query", WRITING + STEPS)
def test_what_writes_is_refused(connection: duckdb.DuckDBPyConnection, query: str, tmp_path: Path) -> None:
    """By every way to SQL a statement that writes is refused in a sentence that names it, and nothing is written."""
    query = query.format(file=tmp_path / "written")
    for run in (connection.execute, connection.sql, connection.query, connection.from_query, connection.cursor().execute):
        with pytest.raises(RefusedError, match=r"is refused; SQL over a lake only reads"):
            run(query)
    with pytest.raises(QueryError, match="is refused"):
        run_query(connection, query, "csv", io.StringIO())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("query", WRITING_TO_THE_LAKE)
def test_what_writes_to_the_lake_is_refused_in_the_same_words(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    """A change of the lake's own tables and views is refused by its name, as any other statement that writes."""
    for run in (connection.execute, connection.sql):
        with pytest.raises(RefusedError, match=r"^the statement [A-Z ]+ is refused; SQL over a lake only reads"):
            run(query)
    with pytest.raises(QueryError, match=r"^the statement [A-Z ]+ is refused; SQL over a lake only reads"):
        run_query(connection, query, "table", io.StringIO())


def test_a_temporary_table_is_changed(connection: duckdb.DuckDBPyConnection) -> None:
    """Objects of the session are written, changed and dropped, and their errors are DuckDB's."""
    connection.execute("create temp table mine as select 1 as a; insert into mine values (2); delete from mine where a = 1")
    assert connection.execute("update mine set a = 3; from mine").fetchall() == [(3,)]
    with pytest.raises(duckdb.CatalogException, match="nothing does not exist"):
        connection.execute("insert into nothing values (1)")
    connection.execute("drop table mine")


def test_every_setting_that_is_text_is_decided() -> None:
    """No setting of DuckDB that names a file, a folder, an address or an extension can be changed."""
    with duckdb.connect() as plain:
        names = plain.execute("select name from duckdb_settings()").fetchall()
    telling = ("director", "_path", "output", "secret", "extension", "external_a", "storage", "lock_")
    for (name,) in names:
        if any(part in name for part in telling) and name not in {"explain_output", "max_temp_directory_size", "search_path"}:
            with pytest.raises(RefusedError):
                statements(f"set {name} = 'x'")


def test_the_command_refuses_too(lake: Lake, tmp_path: Path) -> None:
    """`lakehouse sql` ends with 1 and a sentence, and the lake's files are as they were."""
    key = Path(lake.root, "erasure.key")
    held = {path: path.read_bytes() for path in Path(lake.root).rglob("*") if path.is_file()}
    done = lakehouse("sql", f"copy (select 1) to '{key}' (format csv)", "--lake", lake.root, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("lakehouse: the statement COPY is refused; SQL over a lake only reads")
    assert {path: path.read_bytes() for path in Path(lake.root).rglob("*") if path.is_file()} == held


def test_the_connection_is_duckdb_s_in_all_else(connection: duckdb.DuckDBPyConnection) -> None:
    """Libraries take it for a connection, names of data frames are found, and temporary tables and cursors work."""
    connection.execute("set python_enable_replacements = true")  # `run_query` has put it out
    mine = pl.DataFrame({"a": [1, 2]})
    assert len(mine) == 2
    assert isinstance(connection, duckdb.DuckDBPyConnection)
    assert connection.sql("select sum(a) from mine").fetchall() == [(3,)]
    assert connection.execute("select $x", {"x": 5}).fetchone() == (5,)
    assert connection.cursor().execute("select count(*) from conversations").fetchall() == [(1,)]
    assert pl.read_database("select 1 as a", connection).rows() == [(1,)]
    connection.execute("create or replace temp table kept as from mine")
    assert connection.table("kept").fetchall() == [(1,), (2,)]
    with pytest.raises(duckdb.ParserException):
        connection.execute("selec 1")
    with pytest.raises(RefusedError):
        connection.load_extension("httpfs")


def test_several_statements_run_in_their_order(lake: Lake, tmp_path: Path) -> None:
    """Tables show every result; CSV and JSON hold one, so that two are refused before anything runs."""

    def ask(query: str, form: str) -> tuple[int, str, str]:
        done = lakehouse("sql", query, "--format", form, "--lake", lake.root, cwd=tmp_path)
        return done.returncode, done.stdout, done.stderr

    assert ask("create temp table t as select 7 as a; set threads = 1; from t; drop table t", "csv") == (0, "a\n7\n", "")
    code, shown, _ = ask("select 1 as first_one; select 2 as second_one", "table")
    assert code == 0
    assert shown.index("first_one") < shown.index("second_one")
    for form in ("csv", "json"):
        code, shown, told = ask("select 1; select 2", form)
        assert (code, shown) == (1, "")
        assert told == f"lakehouse: the query: expected one statement with rows for {form}, found 2; ask them one by one\n"


@pytest.mark.parametrize("form", ["table", "csv", "json", "line"])
@pytest.mark.parametrize(
    "query",
    [
        "select 41 + 1 as a; -- done",
        "-- heading\nselect 42 as a -- end",
        "---- heading ----\nset threads = 1; -- one\n-- two\nselect 42 as a; /* a /* nested */ comment; */ -- end;",
        "select 42 as a;;; -- ';'\n-- end",
    ],
)
def test_comments_may_stand_anywhere(lake: Lake, tmp_path: Path, query: str, form: str) -> None:
    """Before, between and behind statements and their semicolons, as an argument and from a file."""
    by_argument = lakehouse("sql", query, "--format", form, "--lake", lake.root, cwd=tmp_path)
    from_a_file = lakehouse("sql", "--format", form, "--lake", lake.root, cwd=tmp_path, stdin=query)
    for done in (by_argument, from_a_file):
        assert (done.returncode, done.stderr) == (0, "")
        assert "42" in done.stdout


def test_a_relation_of_a_statement_with_a_comment_can_be_used(connection: duckdb.DuckDBPyConnection) -> None:
    """It is shown, counted and limited, whichever way its text ends; a semicolon in a text stays."""
    for query in ("select ';' as a; -- end", "select ';' as a -- end", "select ';' as a;"):
        relation = connection.sql(query)
        assert relation.limit(1).fetchall() == relation.fetchall() == [(";",)]
        assert ";" in str(relation)


def test_a_query_installs_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    """A query that needs an extension is an error, and downloads nothing."""
    assert connection.sql("select current_setting('autoinstall_known_extensions')").fetchall() == [(False,)]
    (row,) = connection.sql(
        """select '{"a": 1}'::json ->> 'a', timezone('Asia/Kathmandu', timestamptz '2026-01-01 00:00Z')"""
    ).fetchall()
    assert row == ("1", datetime(2026, 1, 1, 5, 45))  # what DuckDB brings along goes on  # noqa: DTZ001
    with pytest.raises(duckdb.Error):
        connection.sql("from 'x.xlsx'")
