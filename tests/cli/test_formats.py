"""Results as csv and JSON, held against the files that DuckDB itself writes."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from documents import conversation, document, gz, name_at, put
from lakes import take
from places import ROOT

from pipeline.cli.query import run_query
from pipeline.lake.lake import Lake

EXAMPLES = {
    "BOOLEAN": ["true", "false"],
    "TINYINT": ["(-128)::tinyint", "127::tinyint"],
    "SMALLINT": ["(-32768)::smallint", "32767::smallint"],
    "INTEGER": ["(-2147483648)::integer", "2147483647"],
    "BIGINT": ["(-9223372036854775808)::bigint", "9223372036854775807"],
    "HUGEINT": ["(-170141183460469231731687303715884105728)::hugeint", "170141183460469231731687303715884105727::hugeint"],
    "UTINYINT": ["255::utinyint"],
    "USMALLINT": ["65535::usmallint"],
    "UINTEGER": ["4294967295::uinteger"],
    "UBIGINT": ["18446744073709551615::ubigint"],
    "UHUGEINT": ["340282366920938463463374607431768211455::uhugeint", "md5_number('c1')"],
    "BIGNUM": ["'123456789012345678901234567890123456789012345'::bignum"],
    "DECIMAL": [
        "'-999999999999999999999999999999999999.99'::decimal(38,2)",
        "0.0000001::decimal(18,10)",
        "(-0.05)::decimal(4,2)",
    ],
    "FLOAT": ["0.1::float", "'-inf'::float", "'3.4028235e38'::float"],
    "DOUBLE": [
        "'nan'::double",
        "'inf'::double",
        "'-inf'::double",
        "5e-324::double",
        "1.7976931348623157e308::double",
        "'-0'::double",
    ],
    "VARCHAR": [
        "''",
        "'NULL'",
        "'nan'",
        "'a,b'",
        "'\"'",
        "'#'",
        "chr(10)",
        "chr(13)",
        "chr(0)",
        "chr(133)",
        "' é 🙂 \\ '' '",
        "'NaN'",
    ],
    "ENUM": ["'a b'::enum('a b', 'b')"],
    "BLOB": [r"'\xAA\x00b'::blob", "''::blob"],
    "BIT": ["'10101'::bit"],
    "UUID": ["'47427fa1-9d5b-423e-8a19-c4356802da6b'::uuid"],
    "INTERVAL": ["interval '1.5 hours'", "interval '-3 months 5 days -1 microsecond'"],
    "DATE": ["date '2026-01-01'", "date 'infinity'", "date '-infinity'", "date '0044-03-15 (BC)'", "date '5881580-07-10'"],
    "TIME": ["time '00:00:00'", "time '24:00:00'", "time '01:02:03.25'"],
    "TIME_NS": ["'12:00:00.123456789'::time_ns"],
    "TIME WITH TIME ZONE": ["'12:34:56.5+05:30'::timetz", "'12:34:56-01'::timetz", "'00:00:00+15:59:59'::timetz"],
    "TIMESTAMP": [
        "timestamp '2026-01-01 00:00:00'",
        "timestamp '2026-01-01 01:02:03.25'",
        "timestamp 'infinity'",
        "timestamp '-infinity'",
        "timestamp '0044-03-15 (BC) 01:00:00.5'",
        "timestamp '294246-12-31 23:59:59'",
    ],
    "TIMESTAMP_S": ["'2026-01-01'::timestamp_s"],
    "TIMESTAMP_MS": ["'2026-01-01 00:00:00.001'::timestamp_ms"],
    "TIMESTAMP_NS": ["'2026-01-01 00:00:00.000000001'::timestamp_ns"],
    "TIMESTAMP WITH TIME ZONE": [
        "timestamptz '2026-01-01 00:00:00.25+05:45'",
        "timestamptz '10000-01-01 00:00:00+00'",
        "timestamptz '0044-03-15 (BC) 01:00:00+00'",
        "timestamptz 'infinity'",
    ],
    "TIMESTAMPTZ_NS": ["'2026-01-01 00:00:00.000000001'::timestamptz_ns"],
    "GEOMETRY": ["'POINT(1 2)'::geometry"],
    "VARIANT": ["'x'::variant", "{'a': 'NaN\"Infinity', 'b': 'nan'::double}::variant"],
    "NULL": ["null"],
    "LIST": ["[1, null]", "[]", "['a', 'b c', 'x''y', '', 'NULL']", "[['nan'::double], null, []]"],
    "ARRAY": ["[1.5, null]::double[2]"],
    "STRUCT": ["{'A b': 1, 'c\"d': null}", "{'t': timestamp '2026-01-01', 'f': [1.5]}"],
    "TUPLE": ["row(1, 'nan'::double)"],
    "MAP": ["map {'k': 1, 'l': null}", "map {1: 'inf'::double}", "map {timestamp '2026-01-01': time '10:00:00.5'}", "map {}"],
    "UNION": ["union_value(num := 2)", "union_value(f := 'nan'::double)"],
    "TYPE": [],  # nothing makes a value of it that a client may have
    "JSON": ["""'{"a": [1, 2.5, "NaN", -3e2], "b": null}'::json"""],
}
NESTED = (
    "{}",
    "[{}, null]",
    "{{'f': {}}}",
    "map {{'k': {}}}",
    "[{{'f': [{}]}}]",
    "union_value(u := {})",
    "array_value({}, null)",
)
VALUES = [value for values in EXAMPLES.values() for value in values]
QUERIES = ["select " + ", ".join(f"{form.format(value)} as v{at}" for at, value in enumerate(VALUES)) for form in NESTED]


def opened() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    return connection


def printed(connection: duckdb.DuckDBPyConnection, query: str, form: str, **how: Any) -> str:
    out = io.StringIO(newline="")
    run_query(connection, query, form, out, **how)
    return out.getvalue()


def copied(connection: duckdb.DuckDBPyConnection, query: str, target: Path, how: str = "") -> str:
    connection.execute(f"copy ({query}) to '{target}' ({how or 'header'})")
    with target.open(encoding="utf-8", newline="") as file:
        return file.read()


def with_iso_times(text: str) -> str:
    """DuckDB's output with times in ISO 8601."""
    text = re.sub(r"(?<=\d|\)) (\d\d:\d\d:\d\d)", r"T\1", text)
    text = re.sub(r"(\d\d:\d\d:\d\d)\.(\d{1,5})(?!\d)", lambda found: f"{found[1]}.{found[2]:0<6}", text)
    return re.sub(r"(\d\d:\d\d:\d\d(?:\.\d+)?[+-]\d\d)(?![\d:])", r"\1:00", text)


def test_every_type_has_an_example() -> None:
    """A type that a new DuckDB brings is tried here, too, nested in every other kind of value."""
    kinds = {kind for (kind,) in opened().sql("select distinct logical_type from duckdb_types()").fetchall()}
    assert kinds <= EXAMPLES.keys()


def test_every_type_is_in_csv_what_duckdb_writes_there(tmp_path: Path) -> None:
    """Every type, its limits and NULL, nested too, is the same bytes in csv as in DuckDB's own file but for ISO 8601."""
    connection = opened()
    for query in (*QUERIES, "select union_value(at := timestamp '2026-01-01') as v"):
        expected = with_iso_times(copied(connection, query, tmp_path / "x.csv"))
        for ours, theirs in zip(printed(connection, query, "csv").split(","), expected.split(","), strict=True):
            assert ours == theirs


def test_every_type_is_in_json_what_duckdb_writes_there(tmp_path: Path) -> None:
    """Every type, its limits and NULL, nested too, is the same JSON as in DuckDB's own file but for ISO 8601 and NaN."""
    connection = opened()
    numbers: dict[str, Any] = {"parse_float": Decimal, "parse_int": Decimal}
    for query in (*QUERIES, "select union_value(at := timestamp '2026-01-01') as v"):
        expected = json.loads(
            with_iso_times(copied(connection, query, tmp_path / "x.json", "format json")), parse_constant=str, **numbers
        )
        (row,) = json.loads(printed(connection, query, "json"), parse_constant=pytest.fail, **numbers)
        for name, value in row.items():
            assert value == expected[name]


def test_json_has_nothing_that_steers_a_terminal() -> None:
    """Controls beyond ASCII and what turns the direction of writing are escapes, in names and values: the same JSON."""
    steering = "\x1b\x7f\x9b\u061c\u200e\u2028\u202e\u2066"
    text = printed(opened(), f"""select '{steering}' as "{steering}", ['{steering}'] as l""", "json")
    assert not set(steering) & set(text)
    assert json.loads(text) == [{steering: steering, "l": [steering]}]


def test_numbers_of_json_values_stay_exact() -> None:
    """A number inside a value of type JSON is printed with every digit that it has."""
    query = """select '{"a": 12345678901234567890123456.10}'::json as v"""
    assert printed(opened(), query, "json") == '[\n{"v": {"a": 12345678901234567890123456.10}}\n]\n'


def test_null_and_an_empty_text_are_told_apart(tmp_path: Path) -> None:
    """A text equal to the sign of NULL is in quotes, as in DuckDB's own file."""
    connection = opened()
    query = r"""select null as "a,b", '' as b, '\N' as n, 'x' as "#c" """
    assert printed(connection, query, "csv") == copied(connection, query, tmp_path / "x.csv") == '"a,b",b,n,"#c"\n,"",\\N,x\n'
    assert printed(connection, query, "csv", null=r"\N") == copied(
        connection, query, tmp_path / "x.csv", r"header, nullstr '\N'"
    )


def test_every_character_is_read_again() -> None:
    """A text of any character, alone or beside others, comes out of csv and JSON as it went in: a bare CR, too."""
    connection = opened()
    connection.execute("create table t as select chr(i::integer) as a, 'x' || chr(i::integer) as b from range(1, 55000) s(i)")
    rows = connection.sql("from t").fetchall()
    assert list(csv.reader(io.StringIO(printed(connection, "from t", "csv"), newline="")))[1:] == [list(row) for row in rows]
    assert [tuple(row.values()) for row in json.loads(printed(connection, "from t", "json"))] == rows


def test_no_value_acts_in_markdown() -> None:
    """Pipes and line ends stay in their cell; marks, links and tags are text; a NULL is nothing, numbers stand at the right."""
    connection = opened()
    query = r"""select 'a|b' as "x|y", 'one' || chr(13) || chr(10) || 'two' || chr(10) as t,
        '<b>*[l](u) `c` \ &lt; ~~_i_ a_b' as m, null as n, 1.5 as number, timestamptz '2026-11-01 09:00:00+00' as at"""
    cells = [r"a\|b", "one<br>two<br>", r"\<b>\*\[l\](u) \`c\` \\ \&lt; \~\~\_i\_ a_b", "", "1.5", "2026-11-01T09:00:00+00:00"]
    assert printed(connection, query, "markdown").splitlines() == [
        r"| x\|y | t | m | n | number | at |",
        "| --- | --- | --- | --- | ---: | --- |",
        f"| {' | '.join(cells)} |",
    ]
    assert (
        printed(connection, "select 1 as a; select 2 as b", "markdown") == "| a |\n| ---: |\n| 1 |\n\n| b |\n| ---: |\n| 2 |\n"
    )


def test_every_type_is_in_parquet_what_duckdb_writes_there(tmp_path: Path) -> None:
    """The file of a query is the one that DuckDB makes of it, for every type that such a file has."""
    connection = opened()
    values = ", ".join(f"{value} as v{at}" for at, value in enumerate(VALUES) if "interval '-" not in value)
    with (tmp_path / "ours.parquet").open("w") as out:
        run_query(connection, f"select {values}", "parquet", out)
    connection.execute(f"copy (select {values}) to '{tmp_path / 'theirs.parquet'}'")
    ours, theirs = (connection.sql(f"from '{tmp_path / name}.parquet'") for name in ("ours", "theirs"))
    assert list(map(str, ours.types)) == list(map(str, theirs.types))
    assert repr(ours.fetchall()) == repr(theirs.fetchall())


def test_names_and_emptiness_in_every_format() -> None:
    """Columns of one name, names with quotes and results without rows come out whole, in the order of the query."""
    connection = opened()
    query = """select 1 as a, 2 as a, 3 as "A", 4 as "x'""y", {'f': time '10:00:00'} as s from range(2) where CONDITION"""
    assert json.loads(printed(connection, query.replace("CONDITION", "true"), "json").replace("\n", ""))[0] == {
        "a": 1,
        "a_1": 2,
        "A": 3,
        "x'\"y": 4,
        "s": {"f": "10:00:00"},
    }
    nothing = query.replace("CONDITION", "false")
    assert printed(connection, nothing, "json") == "[]\n"
    assert printed(connection, nothing, "csv") == """a,a,A,"x'""y",s\n"""
    assert printed(connection, nothing, "line") == ""
    assert printed(connection, nothing, "markdown").splitlines()[1:] == ["| ---: | ---: | ---: | ---: | --- |"]
    assert printed(connection, nothing, "table").splitlines()[-2].split() == ["0", "rows", "5", "columns"]
    for about in ("describe select 1", "show tables", "summarize select 1 as a", "explain select 1"):
        assert printed(connection, about, "json")


@pytest.mark.parametrize("width", range(1, 39))
def test_a_decimal_without_digits_before_the_point_is_json(width: int) -> None:
    """Any parser takes it, alone and within other types; DuckDB itself leaves the 0 before the point out."""
    least = Decimal(1).scaleb(-width)
    kind = f"decimal({width},{width})"
    query = f"select {least:f}::{kind} as a, (-{least:f})::{kind} as b, [{{'x': {least:f}::{kind}}}] as c, null::{kind} as d"
    out = io.StringIO()
    run_query(duckdb.connect(), query, "json", out)
    [row] = json.loads(out.getvalue(), parse_float=Decimal)
    assert row == {"a": least, "b": -least, "c": [{"x": least}], "d": None}


@pytest.mark.parametrize("form", ["table", "line", "csv", "json", "markdown"])
def test_rows_are_written_by_the_oldest_duckdb_too(lake: Lake, tmp_path: Path, form: str) -> None:
    """The package may be installed with it; the same text comes."""
    oldest = Path(sys.prefix) / "oldest-duckdb"
    if not oldest.exists():
        pytest.skip(f"make test puts DuckDB 1.4 into {oldest}")
    lake.create()
    take(lake, put(tmp_path, gz(document(conversation("c1"))), name_at(0)))
    query = "select conversation_id, date, [1, null] as list, 'a|b' as text from conversations"
    command = [sys.executable, "-m", "pipeline", "sql", query, "--format", form, "--lake", str(lake.root)]
    said = {
        folder: subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": folder})
        for folder in (f"{ROOT}", f"{oldest}{os.pathsep}{ROOT}")
    }
    (new, old) = said.values()
    assert (new.returncode, old.returncode) == (0, 0), old.stderr
    assert old.stdout == new.stdout
