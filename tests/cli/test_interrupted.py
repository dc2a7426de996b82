"""A signal at any moment ends any command soon and quietly, and leaves nothing; so do streams that are closed or full."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from interruptions import (
    COMMANDS,
    NAMES,
    SECONDS_TO_END,
    STOPPED,
    STOPPED_WRITING,
    Place,
    await_handlers,
    begun,
    is_heard,
    made,
)
from lakes import ask
from places import ROOT
from terminals import Terminal

from pipeline.cli.commands import main
from pipeline.lake.lake import Lake

SIGNALS = [(number,) for number in NAMES] + [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGINT)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A lake, files to load, and an API."""
    with made(tmp_path_factory.mktemp("interrupted")) as place:
        yield place


def test_no_command_is_left_out() -> None:
    """Each command of the program is among those that are interrupted."""
    assert {arguments[0] for arguments in COMMANDS.values()} == set(main.commands)


def expect_quiet_end(arguments: Sequence[str], number: signal.Signals, seconds: float, cwd: Path) -> None:
    """A signal so long after the program has a say ends it without a traceback, or comes too late."""
    running = begun(*arguments, cwd=cwd)
    await_handlers(running.pid)
    time.sleep(seconds)
    running.send_signal(number)
    _, said = running.communicate(timeout=SECONDS_TO_END)
    # Python takes its handlers down at its very end, after which the system's own way is that of the shell, too.
    assert (running.returncode, said) in [(0, ""), (128 + number, STOPPED.format(NAMES[number])), (-number, "")], seconds


def test_a_signal_during_imports_is_no_traceback(tmp_path: Path) -> None:
    """From the moment that the program has a say, every 20 ms until it is done, a signal ends it in one sentence."""
    for turn in range(6):
        expect_quiet_end(["--help"], list(NAMES)[turn % 3], turn * 0.02, tmp_path)


def test_a_signal_cuts_no_module_off(tmp_path: Path) -> None:
    """While a command imports a library a signal ends it, and raises nothing inside of that: those in C++ would abort."""
    module = (
        "import os, time\ntry:\n os.kill(os.getpid(), 15)\n time.sleep(9)\nexcept BaseException as error:\n print(repr(error))"
    )
    (tmp_path / "sudden.py").write_text(module)
    program = "from pipeline.processes import stoppable\nwith stoppable():\n import sudden"
    command, path = [sys.executable, "-c", program], f"{ROOT}:{tmp_path}"
    done = subprocess.run(command, env={"PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (143, "", STOPPED.format("SIGTERM"))


def test_a_signal_during_an_import_leaves_no_staged_file(tmp_path: Path) -> None:
    """Where a signal can't raise anything, since a load is just importing a library, the files that it has staged go, too."""
    (tmp_path / "sudden.py").write_text("import os\nos.kill(os.getpid(), 15)\n")
    program = (
        "from pipeline.lake.lake import Lake\n"
        "from pipeline.lake.landing import staging\n"
        "from pipeline.load.session import writing\n"
        "from pipeline.processes import stoppable\n"
        "lake = Lake('lake')\n"
        "lake.create()\n"
        "with stoppable('load'), writing(lake), staging(lake) as (path, out):\n"
        "    print(path, flush=True)\n"
        "    import sudden\n"
    )
    command, path = [sys.executable, "-c", program], f"{ROOT}:{tmp_path}"
    done = subprocess.run(command, env={"PYTHONPATH": path}, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (143, STOPPED_WRITING.format("SIGTERM"))
    assert Path(done.stdout.strip()).parent == tmp_path / "lake" / "landing" / ".incoming"
    assert list((tmp_path / "lake" / "landing" / ".incoming").iterdir()) == []


@pytest.mark.parametrize("number", list(NAMES), ids=lambda one: one.name)
def test_a_signal_ends_helpers_without_a_word_of_theirs(number: signal.Signals) -> None:
    """Neither they nor Python's tracker of semaphores, which the terminal's signals reach as well, print anything."""
    program = (
        "import time\n"
        "from pipeline.processes import Stopped, helpers, kept_from_children, stoppable\n"
        "try:\n"
        "    with stoppable('load'), helpers(2) as pool:\n"
        "        with kept_from_children():\n"
        "            tasks = [pool.submit(time.sleep, seconds) for seconds in (0, 60, 60, 60)]\n"
        "        tasks[0].result()\n"
        "        print('at work', flush=True)\n"
        "        time.sleep(60)\n"
        "except Stopped as stopped:\n"
        "    raise SystemExit(128 + stopped.number)\n"
    )
    command, environment = [sys.executable, "-c", program], {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        assert running.stdout
        assert running.stdout.readline() == "at work\n"
        os.killpg(running.pid, number)
        assert running.communicate(timeout=SECONDS_TO_END) == ("", "")
        assert running.returncode == 128 + number


@pytest.mark.long
def test_a_signal_at_any_moment_of_a_query_is_no_traceback(place: Place) -> None:
    """The same for a query, each signal every 20 ms over more than a second."""
    here = place.copy()
    for turn in range(200):
        expect_quiet_end(["sql", "select 1"], list(NAMES)[turn % 3], turn // 3 * 0.02, here)


def test_a_signal_leaves_nothing_of_a_load(place: Place) -> None:
    """A signal to a load and its helpers ends all of them; the lake is that of before or after, and the load can go on."""
    place.interrupt("load with helpers", [signal.SIGINT], 0.6)


@pytest.mark.long
@pytest.mark.parametrize("numbers", SIGNALS, ids=lambda numbers: "-".join(one.name for one in numbers))
@pytest.mark.parametrize("name", COMMANDS)
def test_any_signal_leaves_nothing_of_any_command(place: Place, name: str, numbers: Sequence[signal.Signals]) -> None:
    """The same for every command and signal, two in a row among them, at several moments."""
    for share in (0.1, 0.35, 0.6, 0.75, 0.9):
        place.interrupt(name, numbers, share)


def test_an_ignored_signal_stays_ignored(tmp_path: Path) -> None:
    """Under nohup the end of the terminal ends nothing, from the first moment on."""
    (tmp_path / "tmp").mkdir()
    running = begun("sandbox", "--port", "0", cwd=tmp_path, through=["nohup"])
    await_handlers(running.pid)
    assert not is_heard(running.pid, signal.SIGHUP)
    assert running.stdout
    assert running.stdout.readline().startswith("# http://")
    running.send_signal(signal.SIGHUP)
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=SECONDS_TO_END)
    assert running.returncode == 128 + signal.SIGTERM


def test_a_signal_ends_the_shell_at_its_prompt(place: Place) -> None:
    """SIGTERM ends a shell that waits for a statement, in one sentence; Ctrl-C there ends nothing."""
    surroundings = {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TERM": "xterm",
        "PROMPT_TOOLKIT_NO_CPR": "1",
        "HOME": str(place.folder),
    }
    command = [sys.executable, "-m", "pipeline", "sql"]
    with Terminal(command, cwd=place.made, env=surroundings | {"PYTHONPATH": str(ROOT)}) as terminal:
        terminal.expect("lake>", seconds=SECONDS_TO_END)
        terminal.press("select\x03")
        terminal.press("select 4123 + 1;\r")
        terminal.expect("4124", seconds=SECONDS_TO_END)
        terminal.expect("lake>")
        terminal.send(signal.SIGTERM)
        terminal.expect("lakehouse: stopped by SIGTERM", seconds=SECONDS_TO_END)
        assert terminal.ended() == 128 + signal.SIGTERM


def through_a_shell(arguments: Sequence[str], rest: str, place: Place, here: Path) -> subprocess.CompletedProcess[str]:
    """Run a command with its streams as a shell makes them; the exit code is the command's."""
    return subprocess.run(
        ["bash", "-c", f'"$@" {rest}; exit ${{PIPESTATUS[0]}}', "bash", sys.executable, "-m", "pipeline", *arguments],
        cwd=here,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "TMPDIR": str(here / "tmp")} | place.settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_TO_END,
    )


PRINTING = {
    "help": ("--help",),
    "long": ("sql", "from range(100000)", "--format", "csv"),
    "short": ("sql", "select 1"),
}
FULL = (
    "lakehouse: standard output: No space left on device; the output is incomplete, changes to the lake are done: "
    "free space or fix the target\n"
)


@pytest.mark.parametrize("name", PRINTING)
def test_a_full_disk_takes_no_result_in_silence(place: Place, name: str) -> None:
    """A failed write to standard output, first or last, fails the command in one sentence."""
    done = through_a_shell(PRINTING[name], "> /dev/full", place, place.made)
    assert (done.returncode, done.stderr) == (1, FULL)


def test_who_reads_no_further_ends_a_query_in_silence(place: Place) -> None:
    """After `| head -1` there is neither a sentence nor a traceback."""
    done = through_a_shell(PRINTING["long"], "| head -1", place, place.made)
    assert (done.returncode, done.stdout, done.stderr) == (1, "range\n", "")


def test_messages_that_can_not_be_written_stop_no_work(place: Place) -> None:
    """A load with messages to a full disk or a closed pipe loads."""
    here = place.copy()
    assert through_a_shell(COMMANDS["load"], "2>&1 >/dev/null | true", place, here).returncode == 0
    assert through_a_shell(COMMANDS["sql as csv"], "2> /dev/full", place, here).returncode == 0
    assert ask(Lake(str(here / "lake")), "select count(*) from files") == [(5,)]


@pytest.mark.long
@pytest.mark.parametrize("rest", ["< /dev/null > /dev/full", "| true", "2> /dev/full", "<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "sandbox"])
def test_no_stream_breaks_a_command(place: Place, name: str, rest: str) -> None:
    """With closed, full or unread streams a command prints no traceback, and ends with one of its own exit codes."""
    done = through_a_shell(COMMANDS[name], rest, place, place.copy())
    assert done.returncode in {0, 1, 3}
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    if "full" not in rest and "|" not in rest:
        assert done.returncode in {0, 3}
