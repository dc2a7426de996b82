"""Shared by the tests of signals: every command at work on a lake, ended at a moment, and the files that it leaves."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from commands import lakehouse
from documents import conversation, document, gz, message, name_at, put
from lakes import seen
from places import ROOT

from pipeline.lake.spill import PREFIX
from pipeline.sandbox import Account, Sandbox

NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGHUP: "SIGHUP"}
STOPPED = "lakehouse: stopped by {}\n"
STOPPED_WRITING = "lakehouse: stopped by {}; all finished loads are as they were: run the command again to go on\n"
WRITING = {"load", "sync", "compact", "upgrade", "rebuild", "erase", "demo"}
SECONDS_TO_END = 60  # however busy the machine is
NOW = datetime(2026, 11, 16, tzinfo=UTC)
SPILLS = (
    "set memory_limit = '60MB'; set threads = 1; "
    "create temp table wide as select i, md5(i::varchar) || repeat('customer', 9) as text from range(700000) t(i); "
    "select * from wide order by text limit 1000"
)

COMMANDS = {
    "load": ("load", "small"),
    "load with helpers": ("load", "large"),
    "sync": ("sync",),
    "sync with the report": ("sync", "--report"),
    "compact": ("compact", "--retain-hours", "0"),
    "upgrade": ("upgrade", "--recompute"),
    "rebuild": ("rebuild",),
    "erase": ("erase", "--conversation-id", "c3"),
    "names": ("names",),
    "demo": ("demo", "--lake", "demo"),
    "sandbox": ("sandbox", "--port", "0"),
    "doctor": ("doctor",),
    "status": ("status",),
    "find": ("find", "--regex", "a.*b", "--said-by", "anyone"),
    "show": ("show", "c3"),
    "report": ("report",),
    "export": ("export", "messages", "--output", "out/messages.parquet"),
    "export a query": (
        "export",
        "select i, md5(i::varchar) as text from range(400000) t(i) order by text",
        "--output",
        "out/rows.csv",
    ),
    "export by date": ("export", "messages", "--output", "out/days", "--by-date", "--incremental"),
    "check": ("check",),
    "verify": ("verify", "--read-data"),
    "sql as table": ("sql", SPILLS),
    "sql as csv": ("sql", SPILLS, "--format", "csv"),
    "sql as json": ("sql", SPILLS, "--format", "json"),
}
"""Every command; a new one is added here, and is then interrupted like the others."""


class Place:
    """A working folder with a lake and files to load, made once, of which each run gets a copy."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.folder = folder
        self.settings = dict(line.split("=", 1) for line in sandbox.settings_of("4711").split())
        self.made = folder / "made"
        _make(self.made)
        self.before = _rows(self.made)
        self.usual: dict[str, float] = {}
        self.after: dict[str, dict[str, list[str]]] = {}
        self._runs = 0

    def copy(self) -> Path:
        """A copy of it."""
        self._runs += 1
        return Path(shutil.copytree(self.made, self.folder / str(self._runs)))

    def measure(self, name: str) -> None:
        """Let a command do its work undisturbed, once: how long it takes, what the lake has then."""
        if name in self.usual:
            return
        here = self.copy()
        running = self.begun(COMMANDS[name], here)
        await_handlers(running.pid)
        began = time.monotonic()
        if name == "sandbox":  # which works for ever
            assert running.stdout
            running.stdout.readline()
            running.kill()
        running.communicate(timeout=SECONDS_TO_END)
        assert running.returncode in {0, 3, -signal.SIGKILL}
        self.usual[name] = time.monotonic() - began
        self.after[name] = _rows(here)
        shutil.rmtree(here)

    def begun(self, arguments: Sequence[str], cwd: Path) -> subprocess.Popen[str]:
        """Start a command in a process group of its own, as a shell does."""
        return begun(*arguments, cwd=cwd, **self.settings)

    def interrupt(self, name: str, numbers: Sequence[signal.Signals], share: float) -> None:
        """Send signals to a command and its helpers, as a terminal does, the first at a share of its usual time.

        It has ended with one sentence, and has left nothing but the lake of before or after.
        """
        self.measure(name)
        here = self.copy()
        running = self.begun(COMMANDS[name], here)
        await_handlers(running.pid)
        time.sleep(share * self.usual[name])
        for number in numbers:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, number)
            time.sleep(0.05)
        shown, said = running.communicate(timeout=SECONDS_TO_END)
        what = f"{name}, {[one.name for one in numbers]} at {share:.2f}: {running.returncode} {said}"
        assert "Traceback" not in said + shown, what
        # On its way out, all done and told, Python gives signals back to the system: to a shell that is 128 + N, too.
        is_done = running.returncode in {0, 3} or running.returncode in {-number for number in numbers}
        if not is_done:
            told = [number for number in numbers if running.returncode == 128 + number]
            assert told, what
            sentence = STOPPED_WRITING if COMMANDS[name][0] in WRITING else STOPPED
            assert said.endswith(sentence.format(NAMES[told[0]])), what
            assert said.count("lakehouse: ") == 1, what
        assert _left_of(running.pid) == [], what
        # A second signal ends the command at once: what was coming in then is the next run's to clear, see below.
        left = [path for path in _temporary(here) if len(numbers) == 1 or path.parent.name != ".incoming"]
        assert left == [], (what, left)
        self.expect_whole(name, here, what)
        shutil.rmtree(here)

    def expect_whole(self, name: str, here: Path, what: str) -> None:
        """The lake is that of before or after, and the same command again does what it would have done."""
        if name not in {"load with helpers", "sync", "sync with the report", "demo"}:
            assert _rows(here) in (self.before, self.after[name]), what
        if name != "sandbox":
            done = lakehouse(*COMMANDS[name], cwd=here, **self.settings, TMPDIR=str(here / "tmp"))
            assert done.returncode in {0, 3}, (what, done.stderr)
            assert _rows(here) == self.after[name], what
            assert list((here / "lake" / "landing" / ".incoming").iterdir()) == []


def _make(folder: Path) -> None:
    chance = Random(1)
    (folder / "tmp").mkdir(parents=True)
    for hour in range(4):
        many = (conversation(f"c{hour if n == 0 else f'{hour}-{n}'}", messages=[message(f"line {n}")] * 9) for n in range(200))
        put(folder / "first", gz(document(*many)), name_at(hour))
        assert lakehouse("load", f"first/{name_at(hour)}", cwd=folder).returncode == 0
    put(folder / "small", gz(*(document(conversation(f"s{n}")) for n in range(3000))), name_at(20))
    for hour in range(30, 34):
        texts = [chance.randbytes(700_000).hex() for _ in range(8)]
        lines = (document(conversation(f"h{hour}-{n}", messages=[message(text)])) for n, text in enumerate(texts))
        put(folder / "large", gz(*lines), name_at(hour))


def begun(*arguments: str, cwd: Path, through: Sequence[str] = (), **environment: str) -> subprocess.Popen[str]:
    """Start a command in a process group of its own, as a shell does, and with the warnings that people get."""
    return subprocess.Popen(
        [*through, sys.executable, "-m", "pipeline", *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(cwd / "tmp")} | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def await_handlers(pid: int) -> None:
    """Wait until a process has said what signals are to do, or is gone."""
    with suppress(OSError):
        while not is_heard(pid, signal.SIGTERM):
            time.sleep(0.002)


def is_heard(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal.

    Raises:
        OSError: the process is gone.
    """
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def _left_of(group: int) -> list[str]:
    """The processes of a group that are there, once they had a moment to be gone."""
    deadline = time.monotonic() + 2
    while (left := list(_members(group))) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def _members(group: int) -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            _, _, rest = (process / "stat").read_text().rpartition(") ")
            state, _, its = rest.split()[:3]
            if int(its) == group and state != "Z":
                yield (process / "cmdline").read_text().replace("\0", " ")


def _temporary(here: Path) -> Iterator[Path]:
    yield from (here / "tmp").iterdir()
    yield from (path for path in (here / "lake").iterdir() if path.name.startswith((PREFIX, ".lakehouse-making-")))
    yield from (path for path in here.iterdir() if path.name not in {"tmp", "lake", "demo", "first", "small", "large", "out"})
    yield from (path for path in (here / "out").rglob(".*lakehouse-export"))
    yield from (here / "lake" / "landing" / ".incoming").glob("*")


def _rows(here: Path) -> dict[str, list[str]]:
    lakes = [here / "lake", here / "demo"]
    return {
        f"{lake.name}/{name}": rows
        for lake in lakes
        if (lake / "lakehouse.duckdb").exists()
        for name, rows in seen(lake).items()
    }


@contextmanager
def made(folder: Path) -> Iterator[Place]:
    """The place, while its sandbox serves."""
    with Sandbox([Account("4711", conversations_per_day=10)], now=NOW, delay_seconds=0.01) as sandbox:
        yield Place(folder, sandbox)
