"""Commands with output to a file or a pipe: no colours, and tables of the requested width, in any environment."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from commands import lakehouse
from documents import conversation, document, gz, name_at, put
from places import ROOT

from pipeline.cli.commands import main

COMMANDS = {
    "load": ("load", "in"),
    "status": ("status",),
    "sql": ("sql", "select 1"),
    "find": ("find", "hello"),
    "show": ("show", "c1"),
    "report": ("report",),
    "doctor": ("doctor",),
    "check": ("check",),
    "verify": ("verify",),
    "compact": ("compact",),
    "upgrade": ("upgrade",),
    "rebuild": ("rebuild",),
    "names": ("names",),
    "erase": ("erase", "--consumer-id", "nobody"),
    "export": ("export", "conversations", "--output", "out.csv"),
}
"""Those that need no account: `test_demo.py` has the demo, `sync` and `sandbox` draw with what it draws with."""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake that has something set aside."""
    folder = tmp_path_factory.mktemp("loaded")
    put(folder / "in", gz(document(conversation("c1")), "garbage"), name_at(0))
    lakehouse("load", "in", cwd=folder)
    return folder


def test_every_command_is_here() -> None:
    """A new command is tried, too."""
    assert main.commands.keys() - COMMANDS.keys() == {"demo", "sync", "sandbox"}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_log_has_no_colours(loaded: Path, name: str) -> None:
    """Output to a file holds no terminal controls, also if a variable asks for colours."""
    done = lakehouse(*COMMANDS[name], cwd=loaded, FORCE_COLOR="1", CLICOLOR_FORCE="1", TTY_COMPATIBLE="1", COLUMNS="40")
    assert (done.stdout + done.stderr).strip()
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_hours_of_status_fit(loaded: Path, columns: int) -> None:
    """The table of days is no wider than COLUMNS, and nothing of it is cut off."""
    told = lakehouse("status", cwd=loaded, COLUMNS=str(columns)).stdout
    table = told.partition("# loaded")[0].splitlines()
    assert table
    assert max(map(len, table)) <= columns
    assert "…" not in told
    days = [line for line in table if re.search(r"\d{4}-\d\d-\d\d", line)]
    assert days
    assert all(re.search(r"\d{4}-\d\d-\d\d +[#·!?-]", line) for line in days)
    assert len(table) <= len(days) + 2  # headings, and nothing that is broken into pieces


def test_help_is_there_without_docstrings() -> None:
    """Where Python keeps none, the overview and a command say what they say elsewhere."""
    script = """
import sys
from click.testing import CliRunner
from pipeline.cli.commands import main
for name in ("", *main.commands):
    print(CliRunner().invoke(main, [*name.split(), "--help"], prog_name="lakehouse").output)
"""
    root = str(ROOT)

    def told(level: str) -> str:
        surroundings = os.environ | {"PYTHONPATH": root, "PYTHONOPTIMIZE": level, "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            [sys.executable, "-c", script], env=surroundings, capture_output=True, text=True, check=True, cwd=root
        ).stdout

    assert told("2") == told("")
    assert told("2").count("Usage: ") == 1 + len(main.commands)
