"""The power fails: what a finished load has is on the disk, and what an unfinished one left is taken back."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path

import pytest
from documents import DAY_MS, START, conversation, document, gz, name_at, put
from lakes import everything, take

from pipeline.erasure.erase import erase
from pipeline.lake.lake import Lake
from pipeline.lake.snapshot import LEDGER
from pipeline.load.session import writing
from pipeline.maintenance.verify import verify

Cut = Callable[[], AbstractContextManager[Lake]]


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[None]:
    """A file as a disk."""
    folder.mkdir(exist_ok=True)
    if subprocess.run(["mount", "-o", "loop", image, folder], capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture
def cut(tmp_path: Path) -> Iterator[Cut]:
    """Gives the lake in `disk` as it is after the power fails now: what the system has not yet written is lost."""
    maker = shutil.which("mkfs.ext4") or shutil.which("mkfs.ext4", path="/usr/sbin:/sbin")
    if maker is None or os.geteuid() != 0:
        pytest.skip("only root can mount a disk, and it takes mkfs.ext4 to make one")
    image, numbers = tmp_path / "disk.image", count()
    with image.open("wb") as out:
        out.truncate(24 << 20)
    subprocess.run([maker, "-q", image], check=True)

    @contextmanager
    def fail() -> Iterator[Lake]:
        copied = (
            tmp_path / f"copied-{next(numbers)}.image"
        )  # the system may still hold the former one, with what was written to it
        shutil.copyfile(image, copied)
        with mounted(copied, tmp_path / "after"):
            yield Lake(str(tmp_path / "after" / "lake"))
        copied.unlink()

    with mounted(image, tmp_path / "disk"):
        yield fail


def files(folder: Path) -> tuple[Path, Path]:
    """A file, and one with more and with something that replaces."""
    return (
        put(folder, gz(document(conversation("c1")), document(conversation("c2")), "garbage"), name_at(0)),
        put(folder, gz(document(conversation("c2", start=START + DAY_MS), conversation("c3"))), name_at(3)),
    )


def test_what_a_finished_command_did_is_on_the_disk(tmp_path: Path, cut: Cut) -> None:
    """Right after a first load, another load and an erase, the power fails: everything is there, and nothing is wrong."""
    lake = Lake(str(tmp_path / "disk" / "lake"))

    def erased() -> None:
        with writing(lake):
            erase(lake, "conversation", "c1")

    first, second = files(tmp_path)
    for command in (lambda: take(lake, first), lambda: take(lake, second), erased):
        command()
        with cut() as left:
            assert left.snapshot() == lake.snapshot()
            assert verify(left, read_data=True).findings == []


def test_what_an_unfinished_load_left_is_taken_back(tmp_path: Path, cut: Cut) -> None:
    """The power fails when a table was committed, or all but the ledger: the lake is that of before, and the load succeeds."""
    lake = Lake(str(tmp_path / "disk" / "lake"))
    first, second = files(tmp_path)
    take(lake, first)
    before = everything(lake)
    left_rows = []
    steps: list[str] = []

    def on_step(name: str) -> None:
        if name == "commit files" or steps[-1:] == ["commit conversations"]:
            with cut() as left:
                assert everything(left) == before
                take(left, second)
                left_rows.append(everything(left))
        steps.append(name)

    lake.on_step = on_step
    take(lake, second)
    assert left_rows == [everything(lake)] * 2


def test_all_that_a_commit_names_is_written_to_the_disk_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parquet files, landed files, the commits of the other tables, and the folders of each; then the commit itself."""
    lake = Lake(str(tmp_path / "lake"))
    synced: set[int] = set()
    sync = os.fsync

    def syncs(opened: int) -> None:
        sync(opened)
        synced.add(os.fstat(opened).st_ino)

    def missing() -> list[Path]:
        paths = (path for table in ("landing", *lake.snapshot().files) for path in Path(lake.root, table).rglob("*"))
        return [path for path in paths if path.stat().st_ino not in synced and path.name != ".incoming"]

    def on_step(name: str) -> None:
        assert name != f"commit {LEDGER}" or missing() == []

    monkeypatch.setattr(os, "fsync", syncs)
    lake.on_step = on_step
    for path in files(tmp_path):
        take(lake, path)
        assert missing() == []
