"""The command `lakehouse` as tests call it: in this process, which is cheap, or in one of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from places import ROOT

from pipeline.cli.commands import main


def lakehouse(*arguments: str, cwd: Path, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in this process, without the surrounding settings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(cwd)
        for name in [name for name in os.environ if name.startswith(("LP_", "LAKE_"))]:
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        done = CliRunner().invoke(main, arguments, input=stdin, prog_name="lakehouse")
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


def process(*arguments: str, cwd: Path, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, without the surrounding settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LP_", "LAKE_"))}
    path = os.pathsep.join([str(ROOT), *filter(None, [kept.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "pipeline", *arguments],
        cwd=cwd,
        input=stdin,
        env=kept | {"PYTHONPATH": path} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def ran(*arguments: str) -> tuple[int, str, str]:
    """Exit code, results and messages of a command, run in this process."""
    done = CliRunner().invoke(main, arguments)
    return done.exit_code, done.stdout, done.stderr
