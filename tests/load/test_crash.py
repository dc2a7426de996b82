"""Runs that are killed at any moment leave a lake that answers, and the next run makes it what it would have become."""

import os
import random
import re
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner
from crashes import AFTERNOON, ENDED_WELL, Killer, Reader, Rows, Step, environment, life_of_a_lake, paths_below
from lakes import everything

from pipeline.cli.commands import main
from pipeline.cli.query import run_checks
from pipeline.lake.lake import Lake
from pipeline.sandbox import Account, Sandbox
from pipeline.warehouse.database import connect

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "200"))
SEED = int(os.environ.get("CRASH_SEED", "1"))
DELTA_LOG = re.compile(r"\w+/_delta_log/(\d{20}(\.checkpoint\.parquet|\.json)|_last_checkpoint)")


@pytest.fixture
def killer() -> Iterator[Killer]:
    """A killer whose victims sync with an API of a few conversations."""
    mask = os.umask(0o077)  # a command run in this process sets it
    with Sandbox([Account("4711", conversations_per_day=40)], now=AFTERNOON) as sandbox:
        yield Killer(environment(sandbox), random.Random(SEED))
    os.umask(mask)


def finish_here(step: Step, lake: Path, killer: Killer) -> None:
    """Run a command to its end in this process."""
    done = CliRunner().invoke(main, [*step.arguments, "--lake", str(lake)], env=killer.environment)
    assert done.exit_code in ENDED_WELL, done.output


def finish_apart(step: Step, lake: Path, killer: Killer) -> None:
    """Run a command to its end in a process of its own, and learn how long it takes."""
    killer.finish(step, lake)


class Life:
    """The commands that a lake lives through, and what it holds after each of them if nobody kills any."""

    def __init__(self, folder: Path, steps: list[Step], killer: Killer) -> None:
        self.folder = folder
        self.steps = steps
        self.undisturbed = folder / "undisturbed"
        self.states: list[Rows] = []
        for step in steps:
            finish_here(step, self.undisturbed, killer)
            self.states.append(everything(Lake(str(self.undisturbed))))

    def live(self, killer: Killer, rounds: int, finish: Callable[[Step, Path, Killer], None]) -> None:
        """Live through all commands, killing so many, each of them several times if need be, while a reader asks."""
        lake = self.folder / f"lake {killer.kills}"
        share, more = divmod(rounds, len(self.steps))
        reader = Reader(lake, self.states)
        reader.start()
        try:
            for place, step in enumerate(self.steps):
                for _ in range(share + (place < more)):
                    killer.kill(step, lake)
                finish(step, lake, killer)
        finally:
            reader.stop()
        assert reader.faults == []
        assert reader.answers > 0
        self.compare(lake)

    def compare(self, lake: Path) -> None:
        """The lake holds every row and every landed file of the undisturbed one, and nothing on the disk is left over."""
        assert everything(Lake(str(lake))) == self.states[-1]
        assert findings(lake) == findings(self.undisturbed)
        landed = {path for path in paths_below(self.undisturbed) if path.startswith("landing/")}
        named = {f"{table}/{file.path}" for table, files in Lake(str(lake)).snapshot().files.items() for file in files}
        below = {path for path in paths_below(lake) if not (DELTA_LOG.fullmatch(path) or path.startswith("runs/"))}
        assert below == {".lock", "lakehouse.duckdb", "settings.csv", "erasure.key"} | landed | named
        assert not list(lake.glob(".publish-*"))


def findings(lake: Path) -> str:
    """The output of `lakehouse check`."""
    out = StringIO()
    with connect(Lake(str(lake))) as connection:
        run_checks(connection, out)
    return out.getvalue()


def test_killed_runs_lose_and_double_nothing(tmp_path: Path, killer: Killer) -> None:
    """Commands killed with all their workers and run again end where uninterrupted ones do; no reader errs meanwhile."""
    first, *_, sync, _, _, erase, rebuild, compact = life_of_a_lake(tmp_path / "files")
    life = Life(tmp_path, [first, sync, erase, rebuild, compact], killer)
    life.live(killer, len(life.steps), finish_here)


@pytest.mark.long
def test_runs_killed_many_times_lose_and_double_nothing(tmp_path: Path, killer: Killer) -> None:
    """The same over CRASH_ROUNDS kills at random moments, also several of one command in a row."""
    life = Life(tmp_path, life_of_a_lake(tmp_path / "files"), killer)
    while killer.kills < ROUNDS:
        rounds = killer.rng.randint(1, 3 * len(life.steps))
        life.live(killer, min(rounds, ROUNDS - killer.kills), finish_apart)
    print(f"{killer.kills} kills, {killer.hits} of them hit a run at work on the lake")  # noqa: T201
    assert killer.hits > killer.kills / 2
