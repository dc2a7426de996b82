"""SIGINT, SIGTERM and SIGHUP end every command soon, in one sentence."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from commands import lakehouse
from documents import VENDOR_EXAMPLE, put
from places import ROOT

from pipeline.sandbox import Account, Sandbox

ENDLESS = "select count(*) from range(10000000000) a, range(1000) b where a.range % 7 = b.range % 5"
NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "SIGHUP"}
STOPPED = "lakehouse: stopped by {}\n"
STOPPED_WRITING = "lakehouse: stopped by {}; all finished loads are as they were: run the command again to go on\n"


def begun(*arguments: str, cwd: Path, **environment: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LP_", "LAKE_"))}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "pipeline", *arguments],
        cwd=cwd,
        env=kept | {"PYTHONPATH": str(ROOT), "TMPDIR": str(cwd / "tmp")} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def is_busy(pid: int) -> bool:
    """Whether a process has used more of the processor than its start takes."""
    used = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(used[11]) + int(used[12])) / os.sysconf("SC_CLK_TCK") > 2


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake, and one for temporary files."""
    folder = tmp_path_factory.mktemp("signals")
    (folder / "tmp").mkdir()
    put(folder / "in", VENDOR_EXAMPLE.read_bytes())
    assert lakehouse("load", "in", cwd=folder).returncode == 0
    return folder


@pytest.mark.parametrize(
    ("number", "form"),
    [
        (signal.SIGINT, "csv"),
        pytest.param(signal.SIGTERM, "table", marks=pytest.mark.long),
        pytest.param(signal.SIGHUP, "json", marks=pytest.mark.long),
    ],
)
def test_a_signal_ends_a_long_query(lake: Path, number: signal.Signals, form: str) -> None:
    """A query ends soon, in a sentence that speaks of no load, with the shell's exit code; nothing is left."""
    running = begun("sql", ENDLESS, "--format", form, cwd=lake)
    while not is_busy(running.pid):
        time.sleep(0.02)
    running.send_signal(number)
    sent = time.monotonic()
    try:
        _, told = running.communicate(timeout=20)
    finally:
        running.kill()  # it would run for days
    assert time.monotonic() - sent < 5
    assert (running.returncode, told) == (128 + number, STOPPED.format(NAMES[number]))
    assert list((lake / "tmp").iterdir()) == []


def test_a_stopped_sync_keeps_what_it_has_fetched(tmp_path: Path) -> None:
    """Files that were complete at Ctrl-C are loaded, and the next run fetches the others only."""
    (tmp_path / "tmp").mkdir()
    with Sandbox([Account("4711", conversations_per_day=10)], now=datetime.now(UTC), delay_seconds=0.05) as sandbox:
        settings = dict(line.split("=", 1) for line in sandbox.settings_of("4711").split())
        running = begun("sync", cwd=tmp_path, **settings)
        while sandbox.count("download") < 20:
            time.sleep(0.01)
        os.killpg(running.pid, signal.SIGINT)
        _, told = running.communicate(timeout=30)
        assert (running.returncode, told.endswith(STOPPED_WRITING.format("Ctrl-C"))) == (130, True), told
        assert "could not be" not in told
        fetched = sandbox.count("download")
        done = lakehouse("sync", cwd=tmp_path, **settings)
        assert done.returncode == 0
        known = int(done.stderr.split(" of them in the lake already")[0].split()[-1])
        assert 16 <= known <= fetched  # four are on their way at a time
        assert list((tmp_path / "lake" / "landing" / ".incoming").iterdir()) == []


def test_closed_streams_end_no_command(lake: Path) -> None:
    """A command whose standard input or output is closed from the start does its work, without a traceback."""
    command = f"{sys.executable} -m pipeline sql 'select 1' --format csv"
    for closed in ("<&-", ">&-", "<&- >&- 2>&-"):
        done = subprocess.run(
            ["sh", "-c", f"{command} {closed}"],
            cwd=lake,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b""), closed


def test_what_a_load_says_steers_no_terminal(lake: Path) -> None:
    """The name of a rejected file is shown with its control characters visible, also with FORCE_COLOR."""
    put(lake / "odd", b"<html>", "Engagement.\x1b[31mred.gz")
    done = lakehouse("load", "odd", cwd=lake, FORCE_COLOR="1")
    assert (done.returncode, "\x1b" in done.stderr, r"\x1b[31mred" in done.stderr) == (3, False, True), done.stderr
    assert "next sync" not in done.stderr
    assert "\x1b" not in lakehouse("status", cwd=lake, FORCE_COLOR="1").stdout


def test_a_semaphore_that_is_not_cleaned_up_is_no_word_to_the_user(tmp_path: Path) -> None:
    """Where a signal cuts off the clean-up of a pool, Python's tracker of semaphores prints nothing after the sentence."""
    program = (
        "import os, signal\n"
        "from multiprocessing import resource_tracker\n"
        "from pipeline.processes import Stopped, end, stoppable\n"
        "resource_tracker.register('/mp-cut-off', 'semaphore')\n"
        "try:\n"
        "    with stoppable('load'):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "except Stopped as stopped:\n"
        "    end(stopped.number)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (128 + signal.SIGINT, STOPPED_WRITING.format("Ctrl-C"))
