"""What finds no room in memory lies where only its user can read it, and goes with who made it."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from documents import conversation, document, gz, put
from lakes import take

import pipeline
from pipeline.lake.lake import Lake
from pipeline.lake.spill import PREFIX, clear, hold, release
from pipeline.load.session import writing

PROGRAM = """
import sys, pipeline
connection = pipeline.open(sys.argv[1])
connection.execute("set memory_limit = '60MB'; set threads = 1")
texts = "select i, md5(i::varchar) || repeat('customer', 9) as text from range(700000) t(i)"
connection.execute(f"create temp table wide as {{texts}}")
print("spilt", flush=True)
{last}
"""


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake with a conversation, and a folder for temporary files of its own."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    lake = Lake(str(tmp_path / "lake"))
    take(lake, put(tmp_path, gz(document(conversation("c1")))))
    return lake


def spilt(folder: str | Path) -> list[Path]:
    """The folders there that something has spilt into."""
    return [path for path in Path(folder).iterdir() if path.name.startswith(PREFIX)]


def spilling(lake: Lake, last: str) -> "subprocess.Popen[str]":
    """A process with a query that needs more room than it has, which has spilt by now."""
    environment = os.environ | {"PYTHONPATH": str(Path(pipeline.__file__).parent.parent)}
    command = [sys.executable, "-c", PROGRAM.format(last=last), lake.root]
    started = subprocess.Popen(command, stdin=-1, stdout=-1, text=True, env=environment)
    assert started.stdout
    assert started.stdout.readline() == "spilt\n"
    return started


def test_a_query_spills_into_the_lake_and_leaves_nothing(lake: Lake) -> None:
    """The folder is for its user alone, another run's writing leaves it there, and it goes with the process."""
    with spilling(lake, "sys.stdin.read()") as query:
        (folder,) = spilt(lake.root)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert sum(path.stat().st_size for path in folder.rglob("*")) > 1_000_000
        with writing(lake):
            assert spilt(lake.root) == [folder]
        query.communicate("")
    assert query.returncode == 0
    assert spilt(lake.root) == spilt(tempfile.gettempdir()) == []


def test_what_a_killed_query_left_goes_with_the_next_run(lake: Lake) -> None:
    """The next writer deletes it, in the lake and in TMPDIR, and so does the next reader."""
    for parent in (lake.root, tempfile.gettempdir()):
        with spilling(lake, "os = __import__('os'); os.kill(os.getpid(), 9)") as query:
            assert query.wait() == -signal.SIGKILL
        (folder,) = spilt(lake.root)
        if parent != lake.root:
            shutil.move(folder, parent)
        with writing(lake):
            assert spilt(parent) == []
    with spilling(lake, "os = __import__('os'); os.kill(os.getpid(), 9)") as query:
        query.wait()
    pipeline.open(lake.root).close()
    assert spilt(lake.root) == []


def test_the_last_connection_takes_the_folder_with_it(lake: Lake) -> None:
    """Connections of a process to a lake share a folder, which is there as long as one of them is open."""
    first, second = pipeline.open(lake.root), pipeline.open(lake.root)
    assert len(spilt(lake.root)) == 1
    first.close()
    assert len(spilt(lake.root)) == 1
    second.close()
    second.close()
    assert spilt(lake.root) == []


def test_a_lake_that_can_not_be_written_spills_into_tmpdir(lake: Lake, tmp_path: Path) -> None:
    """Where the lake takes no folder, as a bucket does, it is one for this user alone in TMPDIR."""
    gone = Lake(str(tmp_path / "no such lake"))
    folder = hold(gone)
    assert Path(folder).parent == tmp_path / "temporary"
    assert stat.S_IMODE(Path(folder).stat().st_mode) == 0o700
    clear(tempfile.gettempdir())
    assert Path(folder).exists()
    release(gone)
    assert not Path(folder).exists()
    assert lake.is_local
