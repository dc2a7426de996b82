"""After a call fails at any place, the lake shows the state before or after, and the same command then succeeds."""

import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from errno import EIO
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

import duckdb
import pyarrow.parquet as pq
import pytest
import requests
from computed_facts import require_computed_facts
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from documents import DAY_MS, START, conversation, document, gz, message, name_at, put
from fsspec.implementations.local import LocalFileOpener, LocalFileSystem
from lakes import seen, take
from one_account import sync
from requests.adapters import HTTPAdapter

import pipeline
from pipeline.api.client import DataAccessClient
from pipeline.api.limits import Limits
from pipeline.erasure.erase import erase
from pipeline.errors import LakeError, PipelineError
from pipeline.lake.lake import Lake
from pipeline.lake.snapshot import LEDGER
from pipeline.load.session import writing
from pipeline.maintenance.compact import compact
from pipeline.sandbox import Account, Sandbox

if TYPE_CHECKING:
    from types import FrameType

PIPELINE = Path(pipeline.__file__).parent
NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)
BOUNDARIES: list[tuple[Any, str, Callable[[], Exception]]] = [
    *(
        (owner, name, lambda: OSError(EIO, "Input/output error"))
        for owner, names in {
            LocalFileSystem: ("_open", "info", "ls", "makedirs", "mv", "rm", "rm_file"),
            LocalFileOpener: ("write", "__exit__"),
            Path: ("replace",),
            os: ("fsync",),
            pq: ("write_table", "read_table", "read_metadata"),
        }.items()
        for name in names
    ),
    *(
        (DeltaTable, name, lambda: DeltaError("no answer"))
        for name in ("create", "create_write_transaction", "restore", "vacuum", "history")
    ),
    (duckdb, "connect", lambda: duckdb.IOException("IO Error: no answer")),
    (HTTPAdapter, "send", lambda: requests.ConnectionError("no answer")),
]
"""Every call that leaves this process, and how it fails."""
SEED = int(os.environ.get("FAULT_SEED", random.randrange(1_000_000)))
SHARE = 0.05
CHANGES_SOMETHING = {"create_write_transaction", "restore", "mv", "replace", "rm_file", "rm"}


@dataclass
class Faults:
    """Lets the call number `fail_at` of all boundaries fail, before it does its work or, if `is_late`, after that."""

    fail_at: int | None = None
    is_late: bool = False
    patch: pytest.MonkeyPatch = field(default_factory=pytest.MonkeyPatch)
    places: list[str] = field(default_factory=list)
    """Of each call its name and the line of ours that it came from."""
    begun: list[object] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def __enter__(self) -> Self:
        for owner, name, error in BOUNDARIES:
            self._wrap(owner, name, error)
        return self

    def __exit__(self, *_: object) -> None:
        self.patch.undo()

    @property
    def has_struck(self) -> bool:
        """Whether a call has failed."""
        return self.fail_at is not None and len(self.places) >= self.fail_at

    def _strikes(self, name: str, subject: object) -> bool:
        with self.lock:
            if name == "write":  # the first of a file; there are hundreds
                if subject in self.begun:
                    return False
                self.begun.append(subject)
            self.places.append(f"{name} {_place()}")
            return len(self.places) == self.fail_at

    def _wrap(self, owner: Any, name: str, error: Callable[[], Exception]) -> None:
        works = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            strikes = self._strikes(name, args[0] if args else None)
            if strikes and (name == "_open" or not self.is_late):
                raise error()
            result = works(*args, **kwargs)
            if strikes:
                if isinstance(result, requests.Response):
                    result.close()
                raise error()
            return result

        is_bound = isinstance(owner, type) and isinstance(owner.__dict__.get(name), classmethod)
        self.patch.setattr(owner, name, staticmethod(call) if is_bound else call)


def _place() -> str:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and PIPELINE not in Path(frame.f_code.co_filename).parents:
        frame = frame.f_back
    return "outside" if frame is None else f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


class Ground:
    """A lake that is put back to its start, a command, and the rows before and after it."""

    def __init__(self, start: Path, command: Callable[[Lake], object]) -> None:
        self.start = start
        self.lake = Lake(str(start.with_name("lake")))
        self.command = command
        self.put_back()
        require_computed_facts(self.lake)
        self.before = seen(self.lake.root)
        with Faults() as faults:
            command(self.lake)
        require_computed_facts(self.lake)
        self.places = faults.places
        self.after = seen(self.lake.root)
        self.put_back()

    def put_back(self) -> None:
        """The lake as it was at the start."""
        shutil.rmtree(self.lake.root, ignore_errors=True)
        shutil.copytree(self.start, self.lake.root)
        self.version = self.lake.snapshot().versions[LEDGER]

    def fail(self, number: int, *, is_late: bool, is_alone: bool) -> None:
        """Let a call fail; the lake then shows one of the two states. Where it was changed, or `is_alone`, run once more."""
        with Faults(number, is_late) as faults, suppress(PipelineError, OSError):
            self.command(self.lake)
        assert faults.has_struck
        place, found = faults.places[number - 1], seen(self.lake.root)
        unanswered = self.before | {"listings": found["listings"]}  # what the source did not give is put down
        assert found in (self.before, self.after, unanswered if place.startswith("send") else self.after), place
        if is_alone or self.lake.snapshot().versions[LEDGER] != self.version:
            self.carry_on()
            self.put_back()

    def carry_on(self) -> None:
        """The command without a fault ends as if there had never been one."""
        self.command(self.lake)
        assert seen(self.lake.root) == self.after


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """A lake of two loads, above which a third one died before its last commit."""
    lake = Lake(str(tmp_path / "lake"))
    first = document(conversation("c1", messages=[message("old")]), conversation("c2"))
    take(lake, put(tmp_path / "1", gz(first, "garbage"), name_at(0)))
    take(lake, put(tmp_path / "2", gz(document(conversation("c1", messages=[message("new")]), conversation("c3"))), name_at(3)))
    dead = put(tmp_path / "dead", gz(document(conversation("c2", start=START + DAY_MS), conversation("c4"))), name_at(5))
    shutil.copytree(lake.root, tmp_path / "start")
    with Faults() as faults:
        take(lake, dead)
    shutil.rmtree(lake.root)
    (tmp_path / "start").rename(lake.root)
    commits = [number for number, place in enumerate(faults.places, 1) if place.startswith("create_write_transaction")]
    with Faults(commits[-1]), pytest.raises(LakeError, match="no answer"):
        take(lake, dead)
    return Path(lake.root).rename(tmp_path / "start")


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[dict[str, Callable[[Lake], object]]]:
    """Every command that writes the lake, each of a different kind."""
    put(tmp_path / "in", gz(document(conversation("c3", start=START + DAY_MS))), name_at(3))  # takes c1 back: the older counts
    put(tmp_path / "in", gz(document(conversation("c5")), document(conversation("c2")), "more garbage"), name_at(0))
    put(tmp_path / "in", gz(document(conversation("c6")))[:-5], name_at(6))

    def compacted(lake: Lake) -> None:
        with writing(lake):
            compact(lake, retention_hours=0)

    def erased(lake: Lake) -> None:
        with writing(lake):
            erase(lake, "conversation", "c2")

    with Sandbox([Account("4711", conversations_per_day=40)], now=NOON) as sandbox:

        def synced(lake: Lake) -> None:
            limits = Limits(attempts=1)
            with DataAccessClient(sandbox.credentials("4711"), sandbox.base_url, limits=limits) as client, writing(lake):
                sync(lake, client, since=NOON - timedelta(hours=1), until=NOON, now=lambda: NOON)

        yield {"load": lambda lake: take(lake, tmp_path / "in"), "sync": synced, "compact": compacted, "erase": erased}


def test_whichever_place_fails_nothing_is_lost(start: Path, commands: dict[str, Callable[[Lake], object]]) -> None:
    """A fault at a line that calls the system leaves the state before or after, and the run after it succeeds.

    Each run of the tests takes other lines, a share of them; all of them and all calls come in the long test.
    """
    print(f"FAULT_SEED={SEED}")  # noqa: T201
    chance = random.Random(SEED)
    covered: set[str] = set()
    for command in commands.values():
        ground = Ground(start, command)
        for is_late in (False, True):
            for number, place in enumerate(ground.places, 1):
                if f"{is_late} {place}" not in covered and (not is_late or place.split()[0] in CHANGES_SOMETHING):
                    covered.add(f"{is_late} {place}")
                    if chance.random() < SHARE:
                        ground.fail(number, is_late=is_late, is_alone=False)
        ground.carry_on()


@pytest.mark.long
@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("name", ["load", "sync", "compact", "erase"])
def test_whichever_call_fails_nothing_is_lost(
    start: Path, commands: dict[str, Callable[[Lake], object]], name: str, *, is_late: bool
) -> None:
    """The same for every call that there is, one by one."""
    ground = Ground(start, commands[name])
    for number in range(1, len(ground.places) + 1):
        ground.fail(number, is_late=is_late, is_alone=True)
