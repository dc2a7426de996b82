"""Errors of libraries about Parquet files of a lake: one sentence names the file, says what to do, and quotes no data."""

import io
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import duckdb
import pytest
from click.testing import CliRunner
from commands import lakehouse
from documents import conversation, document, gz, message, name_at, put
from lakes import take

import pipeline
from pipeline.cli.commands import main
from pipeline.cli.query import run_query
from pipeline.errors import QueryError
from pipeline.failures import of_a_file, without_values
from pipeline.lake.lake import Lake

SAID = "Did you already try"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with one Parquet file a table, whose messages say something."""
    place = tmp_path_factory.mktemp("failures")
    lake = Lake(str(place / "lake"))
    said = [conversation(f"c{turn}", messages=[message(f"{SAID} {turn * 7919}")]) for turn in range(200)]
    take(lake, put(place / "in", gz(document(*said), "garbage"), name_at(0)))
    return lake


def parquet(lake: Lake, table: str) -> Path:
    [path] = Path(lake.path(table)).rglob("*.parquet")
    return path


@pytest.fixture(scope="module")
def opened(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to it."""
    with closing(pipeline.open(lake.root)) as connection:
        yield connection


def told(connection: duckdb.DuckDBPyConnection, query: str) -> str | None:
    try:
        run_query(connection, query, "csv", io.StringIO())
    except QueryError as error:
        return str(error)
    return None


def test_a_flipped_bit_ends_a_query_in_a_sentence_of_ours(lake: Lake, opened: duckdb.DuckDBPyConnection) -> None:
    """An error of the decoder on damaged bytes becomes a sentence with the known facts and the advice, and without data."""
    random, sentences = Random(3), []
    for turn in range(90):
        table = ("messages", "conversations", "rejects")[turn % 3]
        path = parquet(lake, table)
        whole = path.read_bytes()
        footer = int.from_bytes(whole[-8:-4], "little") + 8  # where a column's name that changed is a query's error
        place, bit = random.randrange(len(whole) - footer), random.randrange(8)
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
        if sentence := told(opened, f"from {table}"):
            sentences.append(sentence)
            assert "damaged" in sentence
            assert sentence.endswith("; run lakehouse verify --read-data, which names the remedy"), sentence
            assert ("table " + table in sentence) or sentence.startswith("a Parquet file is damaged (")
        path.write_bytes(whole)
    assert len(sentences) > 15
    assert not [sentence for sentence in sentences if '"' in sentence or "'" in sentence or "\n" in sentence]


PATH = "/srv/it's/lake/messages/date=2026-11-01/part-0123456789abcdef.parquet"
OF_THE_DATA = {
    "text that is none": duckdb.InvalidInputException(
        f'Invalid Input Error: Invalid string encoding found in Parquet file "{PATH}": value "{SAID}" is not valid UTF8!'
    ),
    "a value that does not convert": duckdb.ConversionException(
        f"Conversion Error: Could not convert string '{SAID}' to INT32 when casting from source column text\n\nLINE 1: x"
    ),
    "a decoder's own": duckdb.Error(f'Bad value "{SAID}"'),
    "a file that could not be read": duckdb.InvalidInputException(
        f'Invalid Input Error: Failed to read file "{PATH}": value "{SAID}"'
    ),
}


@pytest.mark.parametrize("kind", OF_THE_DATA)
def test_no_value_of_the_data_is_in_a_sentence(kind: str) -> None:
    """DuckDB's quotes of the data are cut, in a sentence about a file and about a query of ours."""
    error = OF_THE_DATA[kind]
    assert SAID not in f"{of_a_file(error)} {without_values(error)}"
    assert (PATH in str(of_a_file(error))) is (PATH in str(error))


def test_an_unknown_type_in_a_files_end_is_told_in_words() -> None:
    """The decoder's own sentence has an apostrophe, from which on it would be cut like a quoted value."""
    assert without_values(duckdb.Error("don't know what type: \x0f")) == "its end names a type that there is not"


GONE: dict[str, Callable[[], Exception]] = {
    "DuckDB's": lambda: duckdb.IOException(f'IO Error: No files found that match the pattern "{PATH}"'),
    "the system's": lambda: FileNotFoundError(2, "No such file or directory", PATH),
    "the table format's": lambda: OSError(f"Object at location {PATH} not found: No such file or directory (os error 2)"),
}


@pytest.mark.parametrize("whose", GONE)
def test_a_file_that_is_gone_is_told_in_the_same_words_whoever_missed_it(whose: str) -> None:
    """The sentence names file and table, and claims nothing about loads."""
    expected = f"{PATH}: a file of the lake is gone (table messages); run lakehouse verify, which names the remedy"
    assert str(of_a_file(GONE[whose]())) == expected


def test_a_file_that_may_not_be_read_is_not_called_damaged() -> None:
    """Rights are what is wrong, and what to mend."""
    said = str(of_a_file(duckdb.IOException(f'IO Error: Cannot open file "{PATH}": Permission denied')))
    assert said.startswith(f"{PATH}: a file of the lake can't be read (table messages: ")
    assert "give this user the right to it" in said


def test_an_error_of_the_query_stays_duckdbs(opened: duckdb.DuckDBPyConnection) -> None:
    """Who asks reads what is wrong with what they typed, their own values too, and is sent to no verify."""
    for query, expected in (("select 'mine'::int", "'mine'"), ("from nowhere", "nowhere"), ("from '/no/such.parquet'", "such")):
        said = told(opened, query)
        assert said is not None
        assert expected in said
        assert "lakehouse verify" not in said


@pytest.mark.parametrize(
    "command",
    [
        ["sql", "from conversations"],
        ["load"],
        ["erase"],
        *(pytest.param([name], marks=pytest.mark.long) for name in ("check", "report", "compact")),
    ],
)
def test_each_command_tells_of_a_file_that_is_gone_in_one_way(command: list[str], tmp_path: Path) -> None:
    """Readers and writers alike: file, table, `lakehouse verify`, and no word that finished loads are as they were."""
    lake = Lake(str(tmp_path / "lake"))
    take(lake, put(tmp_path / "in", gz(document(conversation("c1"))), name_at(0)))
    path = parquet(lake, "conversations")
    more = {
        "load": [str(put(tmp_path / "more", gz(document(conversation("c1"))), name_at(1)))],
        "erase": ["--conversation-id", "c1"],
        "compact": [],
    }
    if command == ["compact"]:
        take(lake, put(tmp_path / "in", gz(document(conversation("c2"))), name_at(2)))
    path.unlink()
    done = CliRunner().invoke(main, [*command, *more.get(command[0], []), "--lake", lake.root])
    assert done.exit_code == 1
    sentence = (
        f"lakehouse: {path}: a file of the lake is gone (table conversations); run lakehouse verify --lake {lake.root}, "
        "which names the remedy"
    )
    assert sentence in [line.partition(f" (lake {lake.uri}, ")[0] for line in done.stderr.splitlines()]


def test_a_plain_verify_that_meets_damaged_bytes_names_the_file(tmp_path: Path) -> None:
    """It does not end with the decoder's words, but with a finding."""
    lake = Lake(str(tmp_path / "lake"))
    take(lake, put(tmp_path / "in", gz(document(conversation("c1"), conversation("c2"))), name_at(0)))
    path = parquet(lake, "conversations")
    contents = path.read_bytes()
    path.write_bytes(contents[:4] + b"\xff" * 400 + contents[404:])
    done = lakehouse("verify", "--lake", lake.root, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert str(path) in done.stdout
