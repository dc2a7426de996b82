"""Shared by the crash tests: a lake's life as commands, killed processes, and a reader at the same time."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

import duckdb
from documents import DAY_MS, START, conversation, document, gz, message, name_at, put
from lakes import seen
from places import ROOT

from pipeline.sandbox import Sandbox

KEYS = ("LP_APP_KEY", "LP_APP_SECRET", "LP_ACCESS_TOKEN", "LP_ACCESS_TOKEN_SECRET")
AFTERNOON = datetime(2026, 3, 11, 18, tzinfo=UTC)
WINDOW = ("--since", "2026-03-11T14:00Z", "--until", "2026-03-11T17:00Z")
SECONDS_TO_DIE = 60
ALONE = 0.2  # the share of kills that hit a command and not its helpers
ENDED_WELL = (0, 3)  # 3: the life below sets something aside on purpose

Rows = dict[str, list[str]]


@dataclass(frozen=True)
class Step:
    """A command of the life of a lake, without its `--lake`."""

    arguments: tuple[str, ...]


def life_of_a_lake(folder: Path) -> list[Step]:
    """Every command that writes, over files with all that may happen to files; the files are put into `folder`.

    A new command that writes is added here, and is then killed and compared like the others.
    """
    later = START + DAY_MS
    first, second, third = (folder / name for name in ("first", "second", "third"))
    put(first, gz(*(document(conversation(f"c{n}", messages=[message(f"line {n}")])) for n in range(6)), "garbage"), name_at(0))
    put(first, gz(document(conversation("c6"), conversation("c7", start=later)), "{"), name_at(1))
    put(first, gz(document(conversation("c8")), document(conversation("c9")))[:-9], name_at(2))
    put(second, gz(document(conversation("c0", start=later, messages=[message("again")]), conversation("c10"))), name_at(3))
    put(second / "other", gz(document(conversation("c0"), account_id="other account"), "more garbage"), name_at(0))
    put(third, gz(document(conversation("c10"), conversation("c11", messages=[]))), name_at(3))  # takes c0 back
    put(third, gz(document(conversation("c8")), document(conversation("c9"))), name_at(2))
    rng = random.Random(1)
    for hour in (4, 5):  # enough that other processes take part
        texts = [rng.randbytes(800_000).hex() for _ in range(6)]
        put(
            third,
            gz(*(document(conversation(f"h{hour}-{n}", messages=[message(text)])) for n, text in enumerate(texts))),
            name_at(hour),
        )
    put(third / "once more", gz(document(conversation("c12"))), name_at(5))  # two contents of a name in one load
    return [
        Step(("load", str(first))),
        Step(("load", str(second))),
        Step(("compact",)),
        Step(("sync", *WINDOW)),
        Step(("load", str(third))),
        Step(("upgrade", "--recompute")),
        Step(("erase", "--conversation-id", "c3")),
        Step(("rebuild",)),
        Step(("compact", "--retain-hours", "0")),
    ]


def environment(sandbox: Sandbox) -> dict[str, str]:
    """The settings of a process that syncs with the sandbox's only account."""
    (account_id,) = sandbox.accounts
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LP_", "LAKE_"))}
    return kept | {
        "PYTHONPATH": str(ROOT),
        "LP_BASE_URL": sandbox.base_url,
        "LP_ACCOUNT_ID": account_id,
        **dict(zip(KEYS, sandbox.credentials(account_id).secrets, strict=True)),
    }


@dataclass
class Killer:
    """Runs commands, kills them, and counts: `hits` are kills that met a process at work on the lake."""

    environment: dict[str, str]
    rng: random.Random
    kills: int = 0
    hits: int = 0
    usual_seconds: dict[str, float] = field(default_factory=dict)
    """How long a command works on the lake, as measured."""

    def start(self, step: Step, lake: Path) -> subprocess.Popen[str]:
        """Start a command in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "pipeline", *step.arguments, "--lake", str(lake)],
            cwd=lake.parent,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def finish(self, step: Step, lake: Path) -> None:
        """Run a command to its end, which has to be a good one."""
        process = self.start(step, lake)
        began = _await_work(process, lake)
        said, _ = process.communicate(timeout=SECONDS_TO_DIE)
        self.usual_seconds[step.arguments[0]] = time.monotonic() - began
        assert process.returncode in ENDED_WELL, f"{step.arguments} ended with {process.returncode}: {said}"

    def kill(self, step: Step, lake: Path) -> None:
        """Start a command and kill it at a moment of its work on the lake: mostly with its helpers, else it alone."""
        process = self.start(step, lake)
        _await_work(process, lake)
        time.sleep(self.rng.uniform(0, self.usual_seconds.get(step.arguments[0], 1.0)))
        self.kills += 1
        if process.poll() is None:
            strike = os.kill if self.rng.random() < ALONE else os.killpg
            strike(process.pid, signal.SIGKILL)
        said, _ = process.communicate(timeout=SECONDS_TO_DIE)
        self.hits += process.returncode == -signal.SIGKILL
        assert process.returncode in (*ENDED_WELL, -signal.SIGKILL), f"{step.arguments} ended with {process.returncode}: {said}"


def _await_work(process: subprocess.Popen[str], lake: Path) -> float:
    """Wait until a process has opened the lake's lock, or is done; gives the moment. Where no /proc tells, do not wait."""
    descriptors = Path(f"/proc/{process.pid}/fd")
    lock = str(lake.resolve() / ".lock")
    while descriptors.parent.exists() and process.poll() is None and lock not in _targets(descriptors):
        time.sleep(0.005)
    return time.monotonic()


def _targets(descriptors: Path) -> set[str]:
    found = set()
    with suppress(OSError):  # a descriptor that is closed meanwhile, or the process is gone
        for descriptor in descriptors.iterdir():
            found.add(str(descriptor.readlink()))
    return found


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns


class Reader(Thread):
    """Asks the DuckDB file for every row, again and again, opening it anew each time.

    Each answer has to be one of `states`, and never an earlier one than before. Only where `erase` or `compact --retain-hours
    0` deletes what a copy names that is no longer the current one, may a question fail.
    """

    def __init__(self, lake: Path, states: list[Rows]) -> None:
        super().__init__(daemon=True)
        self.path = lake / "lakehouse.duckdb"
        self.states = states
        self.answers = 0
        self.faults: list[str] = []
        self._seen = 0
        self._is_over = Event()

    def run(self) -> None:
        """Ask until it is stopped."""
        while not self._is_over.wait(0.2):
            before = _identity(self.path)
            if before is not None:
                self._ask(before)

    def stop(self) -> None:
        """Let the last question be answered."""
        self._is_over.set()
        self.join(SECONDS_TO_DIE)

    def _ask(self, before: tuple[int, int]) -> None:
        try:
            rows = seen(self.path.parent)
        except duckdb.Error as error:
            if _identity(self.path) == before:
                self.faults.append(str(error))
            return
        self.answers += 1
        if rows not in self.states[self._seen :]:
            kind = "an earlier state" if rows in self.states else "half a load"
            self.faults.append(f"{kind}, {[len(part) for part in rows.values()]} rows")
        else:
            self._seen = self.states.index(rows, self._seen)


def paths_below(lake: Path) -> set[str]:
    """Every file of a lake, by its path in it; the account's schema aside, which a sync asks for once its loads are done."""
    paths = {path.relative_to(lake).as_posix() for path in lake.rglob("*") if path.is_file()}
    return {path for path in paths if not path.startswith("landing/schema/")}
