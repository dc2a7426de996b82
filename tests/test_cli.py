import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from documents import VENDOR_EXAMPLE, conversation, document, gz, name_at, put

from pipeline.cli import main
from pipeline.sandbox import Account, Sandbox

CANARY = "canary-of-a-secret"


def lakehouse(*arguments: str, cwd: Path, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, without the surrounding settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LP_", "LAKE_"))}
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "pipeline.cli", *arguments],
        cwd=cwd,
        input=stdin,
        env=kept | {"PYTHONPATH": str(Path(__file__).parent.parent)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose ./lake holds the vendor's example."""
    folder = tmp_path_factory.mktemp("loaded")
    put(folder / "in", VENDOR_EXAMPLE.read_bytes())
    done = lakehouse("load", "in", cwd=folder)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "1 file loaded: 1 conversation, 1 message, 0 transfers" in done.stderr
    return folder


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


def test_a_query_comes_from_standard_input_too(loaded: Path) -> None:
    """Without QUERY the text is read from standard input; CSV has a header and plain values."""
    done = lakehouse("sql", "--format", "csv", cwd=loaded, stdin="select 1 as a, 'x,y' as b, null as c, true as d")
    assert done.stdout == 'a,b,c,d\n1,"x,y",,true\n'


def test_a_table_is_printed_for_people(loaded: Path) -> None:
    """The usual format is a table with the values in it."""
    done = lakehouse("sql", "select queue_p50_seconds from queue_time_daily", cwd=loaded)
    assert "queue_p50_seconds" in done.stdout
    assert "86.709" in done.stdout


def test_a_wrong_query_is_one_message_and_exit_code_1(loaded: Path) -> None:
    """DuckDB's own words, no traceback; --debug shows it."""
    done = lakehouse("sql", "select nonsense from conversations", cwd=loaded)
    assert (done.returncode, done.stdout) == (1, "")
    assert "nonsense" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" in lakehouse("sql", "select nonsense from conversations", "--debug", cwd=loaded).stderr


def test_the_shell_answers_and_leaves(loaded: Path) -> None:
    """The shell lists tables, answers statements over several lines and survives errors."""
    script = "import pty, sys, os; pty.spawn([sys.executable, '-m', 'pipeline.cli', 'sql'])"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=loaded,
        input=".tables\nselect nonsense;\nselect 40\n+ 2 as sum;\n.quit\n",
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), "LAKE_URI": "lake", "TERM": "dumb"},
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
    broken = lakehouse("load", str(cut), cwd=tmp_path)
    assert (broken.returncode, f"{name_at(2)}: its archive is cut short" in broken.stderr) == (3, True)
    nowhere = lakehouse("load", "nowhere.gz", cwd=tmp_path)
    assert (nowhere.returncode, nowhere.stderr.count("\n")) == (1, 1)
    assert lakehouse("load", cwd=tmp_path).returncode == 2
    assert lakehouse("sync", "--since", "soon", cwd=tmp_path).returncode == 2
    assert lakehouse("dance", cwd=tmp_path).returncode == 2


def test_a_lake_that_is_not_there_is_said_in_one_sentence(tmp_path: Path) -> None:
    """A query of nothing fails with what to do, and makes no folder."""
    done = lakehouse("sql", "select 1", "--lake", "elsewhere", cwd=tmp_path)
    assert done.returncode == 1
    assert "there is no lake; load something first" in done.stderr
    assert not (tmp_path / "elsewhere").exists()


def test_missing_settings_are_all_named(tmp_path: Path) -> None:
    """Sync without credentials names each missing variable and ends with 2."""
    done = lakehouse("sync", cwd=tmp_path, LP_APP_KEY=CANARY)
    assert done.returncode == 2
    for name in ("LP_ACCOUNT_ID", "LP_APP_SECRET", "LP_ACCESS_TOKEN", "LP_ACCESS_TOKEN_SECRET"):
        assert name in done.stderr
    assert CANARY not in done.stderr


def test_sync_brings_everything_once(tmp_path: Path) -> None:
    """Over real HTTP: a dry run lists, a run loads, a second run finds nothing new; settings come from .env."""
    account = Account("4711", conversations_per_day=6)
    with Sandbox([account]) as sandbox:
        keys = sandbox.credentials("4711")
        (tmp_path / ".env").write_text(
            f"LP_BASE_URL={sandbox.base_url}\nLP_ACCOUNT_ID=4711\nLP_APP_KEY={keys.app_key}\nLP_APP_SECRET={keys.app_secret}\n"
            f"LP_ACCESS_TOKEN={keys.access_token}\nLP_ACCESS_TOKEN_SECRET={keys.access_token_secret}\nLAKE_URI=mine\n"
        )
        dry = lakehouse("sync", "--dry-run", cwd=tmp_path)
        assert (dry.returncode, (tmp_path / "mine" / "lakehouse.duckdb").exists()) == (0, False)
        names = dry.stdout.split()
        assert len(names) > 50
        assert sandbox.count("download") == 0
        first = lakehouse("sync", cwd=tmp_path)
        assert (first.returncode, sandbox.count("download")) == (0, len(names)), first.stderr
        second = lakehouse("sync", cwd=tmp_path)
        assert (second.returncode, sandbox.count("download")) == (0, len(names))
        assert "0 files loaded" in second.stderr
        for secret in (keys.app_secret, keys.access_token_secret):
            assert secret not in first.stderr + first.stdout + second.stderr
    rows = json.loads(lakehouse("sql", "select name from files order by name", "--format", "json", cwd=tmp_path).stdout)
    assert [row["name"] for row in rows] == sorted(names)
    state = json.loads(lakehouse("status", "--format", "json", cwd=tmp_path).stdout)
    assert {hour["state"] for hour in state["hours"]} <= {"loaded", "empty"}
    assert lakehouse("check", cwd=tmp_path).returncode in (0, 3)


def test_refused_credentials_and_a_server_that_is_not_there_fail(tmp_path: Path) -> None:
    """A wrong secret ends with 1 and one sentence without the secret."""
    with Sandbox([Account("4711")]) as sandbox:
        keys = sandbox.credentials("4711")
        settings = {
            "LP_BASE_URL": sandbox.base_url,
            "LP_ACCOUNT_ID": "4711",
            "LP_APP_KEY": keys.app_key,
            "LP_APP_SECRET": CANARY,
            "LP_ACCESS_TOKEN": keys.access_token,
            "LP_ACCESS_TOKEN_SECRET": keys.access_token_secret,
        }
        done = lakehouse("sync", "--debug", cwd=tmp_path, **settings)
        assert done.returncode == 1
        assert CANARY not in done.stderr + done.stdout


def test_the_lake_opens_without_our_code(loaded: Path) -> None:
    """Any DuckDB client opens the file read-only and finds every table, view and code list."""
    query = "select count(*) from conversation_metrics"
    program = f"import duckdb; print(duckdb.connect('lake/lakehouse.duckdb', read_only=True).sql('{query}').fetchall())"
    done = subprocess.run([sys.executable, "-c", program], cwd=loaded, capture_output=True, text=True, check=False)
    assert done.stdout == "[(1,)]\n", done.stderr


def test_every_command_has_help_with_an_example() -> None:
    """Help names each command of the contract, and each command shows an example."""
    assert isinstance(main, click.Group)
    contract = {"sync", "load", "sql", "report", "status", "check", "doctor", "verify", "compact", "erase", "sandbox", "demo"}
    assert contract <= main.commands.keys()
    overview = CliRunner().invoke(main, ["--help"]).stdout
    for command in main.commands:
        assert command in overview
        assert f"Example: lakehouse {command}" in CliRunner().invoke(main, [command, "--help"]).stdout
