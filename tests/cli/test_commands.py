import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from commands import lakehouse, process
from documents import VENDOR_EXAMPLE, conversation, document, gz, name_at, put
from places import ROOT
from terminals import Terminal

from pipeline.cli.commands import main
from pipeline.cli.options import command
from pipeline.sandbox import Account, Sandbox

CANARY = "canary-of-a-secret"


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose ./lake holds the vendor's example, loaded by a process of its own."""
    folder = tmp_path_factory.mktemp("loaded")
    put(folder / "in", VENDOR_EXAMPLE.read_bytes())
    put(folder / "in", b"", "README.txt")
    done = process("load", "in", cwd=folder)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    passed, heading, *rest = done.stderr.splitlines()
    assert passed.startswith(f"1 file passed over, such as {folder}/in/README.txt: ")
    assert re.fullmatch(rf"lakehouse load [0-9.]+: lake {re.escape(str(folder))}/lake, [0-9 :-]+ UTC", heading)
    assert rest == [
        "1 file loaded: 1 conversation, 1 message, 0 transfers",
        "next: lakehouse sql for a question, lakehouse report for pictures, lakehouse status for what is in",
    ]
    return folder


LIBRARIES = {
    *("altair", "deltalake", "duckdb", "filelock", "fsspec", "numpy", "pandas", "polars", "pyarrow", "requests", "rich"),
    "tenacity",
}


@pytest.mark.parametrize(
    ("command", "imported"),
    [
        ("--help", set()),
        ("sql 'from conversations'", {"duckdb", "fsspec"}),
        ("status", {"duckdb", "fsspec", "pyarrow", "rich"}),
        ("load in", {"deltalake", "duckdb", "filelock", "fsspec", "pyarrow"}),
    ],
)
def test_a_command_imports_no_library_that_it_does_not_use(loaded: Path, command: str, imported: set[str]) -> None:
    """So it starts at once: no command needs NumPy and pandas, which pyarrow would import where they are installed."""
    done = process(*shlex.split(command), cwd=loaded, PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0, done.stderr
    modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    # An import that failed has a line, too, but none of its submodules has.
    packages = {module.partition(".")[0] for module in modules if "." in module}
    assert packages & LIBRARIES == imported


def test_messages_repeat_the_lake_that_was_given(tmp_path: Path) -> None:
    """A next command names the lake of `--lake`, and none if the settings name it."""
    done = lakehouse("load", str(VENDOR_EXAMPLE), "--lake", "my lake", cwd=tmp_path)
    assert "next: lakehouse sql --lake 'my lake' for a question, lakehouse report --lake 'my lake' for " in done.stderr
    done = lakehouse("load", str(VENDOR_EXAMPLE), cwd=tmp_path, LAKE_URI="other")
    assert "next: lakehouse sql for a question, lakehouse report for pictures, " in done.stderr
    (tmp_path / "my lake" / "lakehouse.duckdb").unlink()
    found = lakehouse("doctor", "--lake", "my lake", cwd=tmp_path).stdout
    assert "lakehouse compact --lake 'my lake' makes it anew" in " ".join(found.split())
    next((tmp_path / "my lake" / "conversations").rglob("*.parquet")).unlink()
    broken = lakehouse("sql", "from conversations", "--lake", "my lake", cwd=tmp_path)
    assert "--lake 'my lake', which names the remedy" in broken.stderr


def test_json_is_one_array_of_objects(loaded: Path) -> None:
    """Rows come as JSON objects with times in ISO 8601 and lists as lists."""
    done = lakehouse(
        "sql", "select conversation_id, conversation_start_time, skills, mcs from conversations", "--format", "json", cwd=loaded
    )
    assert json.loads(done.stdout) == [
        {
            "conversation_id": "755558514295264942",
            "conversation_start_time": "2016-07-25T17:54:41.856000+00:00",
            "skills": [3],
            "mcs": None,
        }
    ]
    count = lakehouse("sql", "select count(*) from conversations", "--format", "json", cwd=loaded)
    assert json.loads(count.stdout) == [{"count_star()": 1}]
    none = lakehouse("sql", "from conversations where false", "--format", "json", cwd=loaded)
    assert json.loads(none.stdout) == []


def test_json_has_every_column_and_value(loaded: Path) -> None:
    """Columns of one name are told apart; bytes are as DuckDB writes them, a map is an object."""
    query = r"select 1 a, 2 a, 3 a_1, 4 a, '\xAA\x0B'::blob b, {'c': '\x01'::blob} s, map{'x': 1, 'y': null} m, map{7: [1]} n"
    done = lakehouse("sql", query, "--format", "json", cwd=loaded)
    rest = {"b": r"\xAA\x0B", "s": {"c": r"\x01"}, "m": {"x": 1, "y": None}, "n": {"7": [1]}}
    assert json.loads(done.stdout) == [{"a": 1, "a_1": 2, "a_1_1": 3, "a_2": 4} | rest]


def test_a_query_comes_from_standard_input_too(loaded: Path) -> None:
    """Without QUERY the text is read from standard input; CSV has a header and plain values."""
    done = process("sql", "--format", "csv", cwd=loaded, stdin="select 1 as a, 'x,y' as b, null as c, true as d")
    assert (done.returncode, done.stdout, done.stderr) == (0, 'a,b,c,d\n1,"x,y",,true\n', "")


def test_a_table_is_printed_for_people(loaded: Path) -> None:
    """The usual format is a table with the values in it."""
    done = lakehouse("sql", "select queue_p50_seconds from queue_time_daily", cwd=loaded)
    assert "queue_p50_seconds" in done.stdout
    assert "86.709" in done.stdout


ASCII = {"PYTHONIOENCODING": "ascii"}
LATIN = {"PYTHONIOENCODING": "latin-1"}
NO_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
SHOWN = {"csv": "ö\n€ü🙂\n", "json": '[\n{"ö": "€ü🙂"}\n]\n', "table": "€ü🙂"}


@pytest.mark.parametrize(
    ("surroundings", "results"),
    [
        (ASCII, ("csv", "status")),
        (NO_LOCALE, ("json", "table", "piped")),
        *(pytest.param(one, (*SHOWN, "status", "piped"), marks=pytest.mark.long) for one in (ASCII, NO_LOCALE)),
        pytest.param(LATIN, (*SHOWN, "status"), marks=pytest.mark.long),  # there a piped query is Latin-1
    ],
    ids=["ascii", "C", "ascii, all", "C, all", "latin-1, all"],
)
def test_results_are_utf_8_in_any_environment(loaded: Path, surroundings: dict[str, str], results: tuple[str, ...]) -> None:
    """No character ends a command or is lost where the locale lacks it, in a query or in what comes out."""
    query = "select '€ü🙂' as ö"
    for result in results:
        if result == "status":
            done, expected = process("status", cwd=loaded, **surroundings), lakehouse("status", cwd=loaded).stdout
        elif result == "piped":
            done, expected = process("sql", "--format", "csv", cwd=loaded, stdin=query, **surroundings), SHOWN["csv"]
        else:
            done, expected = process("sql", query, "--format", result, cwd=loaded, **surroundings), SHOWN[result]
        assert (done.returncode, expected in done.stdout) == (0, True), done.stderr


def test_an_encoding_that_has_every_character_is_kept(loaded: Path) -> None:
    """Such as the one with a byte order mark, which spreadsheets need."""
    done = process("sql", "select 'ü' as a", "--format", "csv", cwd=loaded, PYTHONIOENCODING="utf-8-sig")
    assert done.stdout.encode() == b"\xef\xbb\xbfa\n\xc3\xbc\n"


def test_a_terminal_shows_what_it_lacks_escaped(loaded: Path) -> None:
    """Bytes of UTF-8 could steer a terminal of another encoding; none ends the command."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LAKE_URI": "lake", "TERM": "dumb", "PYTHONIOENCODING": "latin-1"}
    command = [sys.executable, "-m", "pipeline", "sql", "select '€' as a", "--format", "csv"]
    with Terminal(command, cwd=loaded, env=environment) as terminal:
        assert terminal.expect("\\u20ac")


def test_a_query_that_is_no_text_is_told_in_one_sentence(loaded: Path) -> None:
    """Bytes that are no UTF-8 in a file of SQL are no bug."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "sql"],
        cwd=loaded,
        input=b"select '\xff'",
        env={**os.environ, "PYTHONPATH": str(ROOT), "LAKE_URI": "lake", "PYTHONUTF8": "1"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr.decode()) == (
        1,
        "lakehouse: the query: expected text in UTF-8, found other bytes; save it as UTF-8\n",
    )


def test_a_wrong_query_is_one_message_and_exit_code_1(loaded: Path) -> None:
    """DuckDB's own words, no traceback; --debug shows it."""
    done = lakehouse("sql", "select nonsense from conversations", cwd=loaded)
    assert (done.returncode, done.stdout) == (1, "")
    assert "nonsense" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" in process("sql", "select nonsense from conversations", "--debug", cwd=loaded).stderr


@pytest.mark.parametrize("asked", [".tables", " .help\n"])
def test_a_dot_command_outside_the_shell_is_told_from_sql(loaded: Path, asked: str) -> None:
    """One sentence says where dot commands work, and what to write in SQL instead; that works."""
    done = lakehouse("sql", cwd=loaded, stdin=asked)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith(f"lakehouse: {asked.strip()}: expected SQL, found a dot command")
    assert {"show tables", "describe NAME"} == set(re.findall(r'"([^"]+)"', done.stderr))
    assert "conversation_metrics" in lakehouse("sql", "show tables", "--format", "csv", cwd=loaded).stdout
    assert "conversation_id" in lakehouse("sql", "describe conversations", "--format", "csv", cwd=loaded).stdout


def test_the_shell_answers_and_leaves(loaded: Path) -> None:
    """The shell lists tables, answers statements over several lines and survives errors."""
    script = "import pty, sys, os; pty.spawn([sys.executable, '-m', 'pipeline', 'sql'])"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=loaded,
        input=".tables\nselect nonsense;\nselect 40\n+ 2 as sum;\n.quit\n",
        env={**os.environ, "PYTHONPATH": str(ROOT), "LAKE_URI": "lake", "TERM": "dumb"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "conversation_metrics" in done.stdout
    assert "Binder Error" in done.stdout
    assert "42" in done.stdout


def test_exit_codes_tell_what_happened(tmp_path: Path) -> None:
    """0 all is in, 1 failed, 2 wrong usage or settings, 3 something was set aside in this run."""
    good = put(tmp_path, gz(document(conversation())), name_at(0))
    odd = put(tmp_path, gz("garbage"), name_at(1))
    cut = put(tmp_path, gz(document())[:-3], name_at(2))
    assert lakehouse("load", str(good), cwd=tmp_path).returncode == 0
    assert lakehouse("load", str(good), cwd=tmp_path).returncode == 0
    assert lakehouse("load", str(odd), cwd=tmp_path).returncode == 3
    assert lakehouse("load", str(odd), cwd=tmp_path).returncode == 0
    broken = process("load", str(cut), cwd=tmp_path)
    assert (broken.returncode, f"{name_at(2)}: its archive is cut short" in broken.stderr) == (3, True)
    nowhere = lakehouse("load", "nowhere.gz", cwd=tmp_path)
    assert (nowhere.returncode, nowhere.stderr.count("\n"), "nothing was loaded" in nowhere.stderr) == (1, 1, True)
    assert lakehouse("load", cwd=tmp_path).returncode == 2
    assert lakehouse("sync", "--since", "soon", cwd=tmp_path).returncode == 2
    assert lakehouse("dance", cwd=tmp_path).returncode == 2


@pytest.mark.parametrize("command", [("sql", "select 1"), ("report",), ("status",), ("check",), ("verify",), ("compact",)])
def test_a_lake_that_is_not_there_is_said_in_one_sentence(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Every command on a lake that is not there fails with the remedy, and makes no folder."""
    done = lakehouse(*command, "--lake", "elsewhere", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "there is no lake; load something first" in done.stderr
    assert "--lake or LAKE_URI" in done.stderr
    assert not (tmp_path / "elsewhere").exists()


def test_missing_settings_are_all_named(tmp_path: Path) -> None:
    """Sync without credentials names each missing variable, where to put it and what to run then, and ends with 2."""
    done = lakehouse("sync", cwd=tmp_path, LP_APP_KEY=CANARY)
    assert done.returncode == 2
    for name in ("LP_ACCOUNT_ID", "LP_APP_SECRET", "LP_ACCESS_TOKEN", "LP_ACCESS_TOKEN_SECRET", ".env", "lakehouse doctor"):
        assert name in done.stderr
    assert CANARY not in done.stderr


def test_sync_brings_everything_once(tmp_path: Path) -> None:
    """Over real HTTP: a dry run lists, a run loads, a second run finds nothing new; settings come from .env."""
    with Sandbox([Account("4711", conversations_per_day=2)]) as sandbox:
        (tmp_path / ".env").write_text(f"{sandbox.settings_of('4711')}LAKE_URI=mine\n")
        dry = lakehouse("sync", "--dry-run", cwd=tmp_path)
        assert (dry.returncode, (tmp_path / "mine" / "lakehouse.duckdb").exists()) == (0, False)
        names = dry.stdout.split()
        assert len(names) > 20
        assert sandbox.count("download") == 0
        first = process("sync", cwd=tmp_path)
        assert (first.returncode, sandbox.count("download")) == (0, len(names)), first.stderr
        second = lakehouse("sync", cwd=tmp_path)
        assert (second.returncode, sandbox.count("download")) == (0, len(names))
        assert "0 files loaded" in second.stderr
        for secret in sandbox.credentials("4711").secrets:
            assert secret not in first.stderr + first.stdout + second.stderr
    rows = json.loads(lakehouse("sql", "select name from files order by name", "--format", "json", cwd=tmp_path).stdout)
    assert [row["name"] for row in rows] == sorted(names)
    state = json.loads(lakehouse("status", "--format", "json", cwd=tmp_path).stdout)
    assert {hour["state"] for hour in state["hours"]} <= {"loaded", "empty"}
    assert "Nothing is missing that the source still has." in lakehouse("status", cwd=tmp_path).stdout
    assert lakehouse("check", cwd=tmp_path).returncode in (0, 3)


def test_refused_credentials_and_a_server_that_is_not_there_fail(tmp_path: Path) -> None:
    """A wrong secret ends with 1 and, without --debug, one sentence without the secret; `status` knows that nothing came."""
    with Sandbox([Account("4711")]) as sandbox:
        (tmp_path / ".env").write_text(sandbox.settings_of("4711"))
        (tmp_path / ".env").chmod(0o600)
        for options in ((), ("--debug",)):
            done = (process if options else lakehouse)("sync", *options, cwd=tmp_path, LP_APP_SECRET=CANARY)
            assert done.returncode == 1
            assert CANARY not in done.stderr + done.stdout
            assert ("Traceback" in done.stderr) == bool(options)
            assert options or done.stderr.count("\n") == 1
        told = lakehouse("status", cwd=tmp_path)
        assert (told.returncode, "No file was ever loaded and no listing was ever had" in told.stdout) == (3, True)


def test_the_lake_opens_without_our_code(loaded: Path) -> None:
    """Any DuckDB client opens the file read-only and finds every table, view and code list."""
    query = "select count(*) from conversation_metrics"
    program = f"import duckdb; print(duckdb.connect('lake/lakehouse.duckdb', read_only=True).sql('{query}').fetchall())"
    done = subprocess.run([sys.executable, "-c", program], cwd=loaded, capture_output=True, text=True, check=False)
    assert done.stdout == "[(1,)]\n", done.stderr


def test_a_compaction_says_what_it_did(tmp_path: Path) -> None:
    """How many files became how many, or that there was nothing to merge; and what is kept for whom."""
    for hour in range(3):
        assert (
            lakehouse(
                "load", str(put(tmp_path, gz(document(conversation(f"c{hour}"))), name_at(hour))), cwd=tmp_path
            ).returncode
            == 0
        )
    first = lakehouse("compact", cwd=tmp_path)
    assert re.search(r"\n\d+ Parquet files merged into \d+\nunused files stay for 24 hours, .*\n", first.stderr)
    again = lakehouse("compact", "--retain-hours", "0", cwd=tmp_path)
    assert re.search(r"\nnothing to merge\n\d+ files deleted, .* MB\nno unused file is kept: .* may fail.*\n", again.stderr)


def test_every_command_has_help_with_an_example() -> None:
    """Help names each command of the contract, and each command shows an example."""
    assert isinstance(main, click.Group)
    contract = {"sync", "load", "sql", "report", "status", "check", "doctor", "verify", "compact", "erase", "sandbox", "demo"}
    assert contract <= main.commands.keys()
    for name in main.commands:
        assert f"Example: lakehouse {name}" in CliRunner().invoke(main, [name, "--help"]).stdout


def test_the_overview_has_each_command_once_and_whole() -> None:
    """On 80 columns each command has its line in a section, with a sentence that comes to its end."""
    assert isinstance(main, click.Group)
    overview = CliRunner().invoke(main, ["--help"]).stdout
    lines = re.findall(r"^  ([a-z]+) {2,}(.+)$", overview, re.MULTILINE)
    assert sorted(name for name, _ in lines) == sorted(main.commands)
    assert all(told.endswith(".") and not told.endswith("..") for _, told in lines), lines
    assert all(len(line) <= 80 for line in overview.splitlines())


def test_help_is_enough_to_bring_an_account_in() -> None:
    """The overview leads to sync's help, and that names every setting that sync needs, .env, and each exit code."""
    overview, sync = (CliRunner().invoke(main, [*command, "--help"]).stdout for command in ((), ("sync",)))
    assert "lakehouse sync\n  --help" in overview
    for name in ("LP_ACCOUNT_ID", "LP_APP_KEY", "LP_APP_SECRET", "LP_ACCESS_TOKEN", "LP_ACCESS_TOKEN_SECRET", "LP_BASE_URL"):
        assert name in sync
    assert {".env", "lakehouse doctor"} <= set(re.findall(r"\.env|lakehouse doctor", sync.replace("\n ", "")))
    assert re.findall(r"with (\d)", " ".join(sync.split())) == ["0", "1", "2", "3"]


def test_make_help_lists_every_target_in_a_section() -> None:
    """`make help` shows the sections of the Makefile and each target that has a text."""
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    makefile = (ROOT / "Makefile").read_text()
    headings = re.findall(r"^##@ (.+)$", makefile, re.MULTILINE)
    assert headings == [line for line in told.splitlines() if line in headings]
    assert len(headings) > 1
    assert re.findall(r"^  make ([a-z-]+) ", told, re.MULTILINE) == re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "advice"), [("verify", "run it again with --debug"), ("load", "run lakehouse verify --read-data, or --debug")]
)
def test_the_advice_after_a_panic_is_never_the_command_that_met_it(name: str, advice: str) -> None:
    """A panic of a library in Rust ends in a sentence, which sends nobody to verify from verify."""

    def panic() -> None:
        raise type("PanicException", (BaseException,), {})("at the disco")

    panic.__name__ = name
    done = CliRunner().invoke(click.command()(command(panic)), [])
    assert (done.exit_code, done.stderr.strip().endswith(advice)) == (1, True)
