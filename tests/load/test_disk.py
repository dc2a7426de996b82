"""A disk that is full or read-only, a folder without rights: one sentence, nothing broken, and the next run carries on."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from crashes import AFTERNOON, WINDOW, environment
from documents import DAY_MS, START, conversation, document, gz, name_at, put
from lakes import all_rows, ask, everything, seen, take
from small_disks import small_disk

from pipeline.lake.lake import Lake
from pipeline.maintenance.verify import verify
from pipeline.sandbox import Account, Sandbox
from pipeline.warehouse.database import connect

RECOMPUTES = {"upgrade": ("upgrade", "--recompute"), "rebuild": ("rebuild",)}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """An API with a few conversations."""
    with Sandbox([Account("4711", conversations_per_day=40)], now=AFTERNOON) as running:
        yield running


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 48 MB of its own: the DuckDB file takes six, and a load makes it beside the former one."""
    with small_disk(tmp_path / "disk", 48) as folder:
        yield folder


class Refused:
    """A lake of one load, and a file that would change it."""

    def __init__(self, folder: Path, files: Path, sandbox: Sandbox) -> None:
        self.lake = Lake(str(folder / "lake"))
        self.settings = environment(sandbox)
        first = put(files / "first", gz(document(conversation("c1")), document(conversation("c2"))), name_at(0))
        self.more = put(files / "more", gz(document(conversation("c2", start=START + DAY_MS), conversation("c3"))), name_at(3))
        take(self.lake, first)
        self.before = everything(self.lake)
        self.ballast = folder / "ballast"

    def fill(self, free_kilobytes: int) -> None:
        """Leave no more room than that."""
        self.ballast.unlink(missing_ok=True)
        state = os.statvfs(self.ballast.parent)
        self.ballast.write_bytes(bytes(max(0, state.f_bavail * state.f_frsize - (free_kilobytes << 10))))

    def run(self, *arguments: str, through: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """A command in a process of its own."""
        return subprocess.run(
            [*through, sys.executable, "-W", "error", "-m", "pipeline", *arguments, "--lake", self.lake.root],
            env=self.settings,
            capture_output=True,
            text=True,
            check=False,
        )

    def expect_refusal(self, reason: str, *arguments: str, through: tuple[str, ...] = ()) -> None:
        """A command fails with one sentence that has the reason and a way out; the lake answers as before."""
        done = self.run(*arguments, through=through)
        *files, said = done.stderr.splitlines()
        assert (done.returncode, done.stdout, [line for line in files if not line.startswith("Engagement.")]) == (1, "", []), (
            said
        )
        assert said.startswith(f"lakehouse: {self.lake.root}")
        assert reason in said
        assert "run the command again" in said
        assert seen(self.lake.root) == self.before

    def expect_success(self) -> None:
        """With room or rights, the load does all that it was asked for."""
        take(self.lake, self.more)
        assert [len(seen(self.lake.root)[table]) for table in ("conversations", "messages", "files")] == [3, 3, 2]


@pytest.fixture
def full(disk: Path, tmp_path: Path, sandbox: Sandbox) -> Refused:
    return Refused(disk, tmp_path / "files", sandbox)


# Room for a part of the files; for what the DuckDB file needs at first, not for its checkpoint.
@pytest.mark.parametrize("free_kilobytes", [12, 300])
def test_a_full_disk_ends_a_load_in_one_sentence(full: Refused, free_kilobytes: int) -> None:
    """With room for any part of a load, the lake answers as before, and the load succeeds when there is more."""
    full.fill(free_kilobytes)
    full.expect_refusal("No space left on device", "load", str(full.more))
    full.ballast.unlink()
    full.expect_success()


@pytest.mark.long
def test_a_disk_full_at_any_moment_ends_a_load_in_one_sentence(full: Refused) -> None:
    """The same for every amount of room, up to that in which all is in."""
    start = Path(full.lake.root).with_name("start")
    shutil.copytree(full.lake.root, start)
    for free_kilobytes in range(0, 24_576, 96):
        full.ballast.unlink(missing_ok=True)
        shutil.rmtree(full.lake.root)
        shutil.copytree(start, full.lake.root)
        full.fill(free_kilobytes)
        if full.run("load", str(full.more)).returncode == 0:
            break
        full.expect_refusal("No space left on device", "load", str(full.more))
        full.ballast.unlink()
        full.expect_success()
    assert free_kilobytes > 300
    full.expect_success()


@pytest.mark.parametrize(
    ("command", "free_kilobytes"),
    [
        ("upgrade", 0),
        ("rebuild", 100),
        *(pytest.param(name, room, marks=pytest.mark.long) for name in RECOMPUTES for room in range(8, 160, 8)),
    ],
)
def test_a_full_disk_ends_a_computation_of_facts_in_one_sentence(full: Refused, command: str, free_kilobytes: int) -> None:
    """With room for any part of the files, every row is there as before, also of a lost fact; with more it succeeds."""
    for arguments in (RECOMPUTES[command], (command,)):
        full.fill(free_kilobytes)
        done = full.run(*arguments)
        assert done.returncode == 1, done.stderr
        assert re.search("lakehouse: .*No space left on device.*run the command again( \\(lake .*\\))?$", done.stderr)
        with connect(full.lake) as connection:
            assert all_rows(connection) == full.before
        shutil.rmtree(full.lake.path("segments"), ignore_errors=True)
    full.ballast.unlink()
    done = full.run(command)
    assert done.returncode == 0, done.stderr
    assert everything(full.lake) == full.before
    assert verify(full.lake, read_data=True).findings == []


def test_a_full_disk_ends_a_sync_in_one_sentence(full: Refused) -> None:
    """A download that found no room is repeated."""
    full.fill(0)
    full.expect_refusal("No space left on device", "sync", *WINDOW)
    full.ballast.unlink()
    assert full.run("sync", *WINDOW).returncode == 0
    assert len(seen(full.lake.root)["files"]) > len(full.before["files"])


def test_a_read_only_disk_answers_and_refuses_writes(disk: Path, full: Refused) -> None:
    """Queries work, also if the lake was moved; a load says that the disk is read-only."""
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    full.expect_refusal("Read-only file system", "load", str(full.more))
    assert full.run("sql", "select count(*) from messages", "--format", "csv").stdout == "count_star()\n2\n"
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    full.expect_success()
    moved = Path(full.lake.root).rename(disk / "moved")
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    assert ask(Lake(str(moved)), "select count(*) from messages") == [(3,)]


@pytest.fixture
def unprivileged() -> tuple[str, ...]:
    """The command that starts a process without root's power over file rights."""
    if os.geteuid() != 0:
        return ()
    through = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    if shutil.which("setpriv") is None or subprocess.run([*through, "true"], capture_output=True, check=False).returncode:
        pytest.skip("root may write anywhere, and there is no setpriv to forbid it")
    return through


def test_a_folder_without_rights_answers_and_refuses_writes(
    tmp_path: Path, sandbox: Sandbox, unprivileged: tuple[str, ...]
) -> None:
    """Who may read but not write gets answers, and a sentence for each attempt to write that leaves everything as it was."""
    refused = Refused(tmp_path, tmp_path / "files", sandbox)
    inside = [Path(refused.lake.root), *Path(refused.lake.root).rglob("*")]
    for path in inside:
        path.chmod(0o500 if path.is_dir() else 0o400)
    for arguments in (("load", str(refused.more)), ("compact",)):
        refused.expect_refusal("Permission denied", *arguments, through=unprivileged)
    done = refused.run("sql", "select count(*) from messages", "--format", "csv", through=unprivileged)
    assert done.stdout == "count_star()\n2\n"
    for path in inside:
        path.chmod(0o700 if path.is_dir() else 0o600)
    refused.expect_success()
