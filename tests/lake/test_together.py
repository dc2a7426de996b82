"""Several processes at one lake: writers wait for each other, readers for nobody; a death among them leaves the rest whole."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from crashes import SECONDS_TO_DIE
from documents import conversation, document, gz, message, name_at, put
from lakes import all_rows, ask, everything, take
from places import ROOT
from released_lakes import forget_format, rewrite

from pipeline.lake.lake import Lake
from pipeline.load.session import writing
from pipeline.maintenance.verify import verify
from pipeline.warehouse.database import connect

WAITS = "is being written by another run; waiting for it to finish"


def loading(lake: Lake, *paths: Path) -> subprocess.Popen[str]:
    """A load in a process of its own."""
    return running(lake, "load", *map(str, paths))


def running(lake: Lake, *arguments: str) -> subprocess.Popen[str]:
    """A command in a process of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LP_", "LAKE_"))}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "pipeline", *arguments, "--lake", lake.root],
        env=kept | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_two_loads_at_the_same_time(lake: Lake, tmp_path: Path) -> None:
    """Each waits its turn and says so, both succeed, what both bring is there once, and readers never wait."""
    both = put(tmp_path, gz(document(conversation("both"), conversation("c0"))), name_at(0))
    one, other = (put(tmp_path, gz(document(conversation("both"), conversation(f"c{n}"))), name_at(n)) for n in (1, 2))
    take(lake, put(tmp_path, gz(document(conversation("first"))), name_at(3)))
    with writing(lake):
        processes = [loading(lake, both, one), loading(lake, both, other)]
        for process in processes:
            assert process.stderr is not None
            assert process.stderr.readline().startswith("lakehouse ")  # the heading
            assert WAITS in process.stderr.readline()
        with duckdb.connect(f"{lake.root}/lakehouse.duckdb", read_only=True) as reader:
            assert reader.sql("select conversation_id from conversations").fetchall() == [("first",)]
    for process in processes:
        _, said = process.communicate(timeout=SECONDS_TO_DIE)
        assert process.returncode == 0, said
    assert ask(lake, "select conversation_id, count(*) from messages group by all order by all") == [
        (ident, 1) for ident in ("both", "c0", "c1", "c2", "first")
    ]
    assert ask(lake, "select source_file from conversations where conversation_id = 'both'") == [(name_at(2),)]
    assert ask(lake, "select count(*), count(distinct name) from files") == [(4, 4)]


@pytest.mark.parametrize("is_lost", [False, True])
def test_two_upgrades_at_the_same_time(lake: Lake, tmp_path: Path, *, is_lost: bool) -> None:
    """The second waits and has nothing to do, a load after both does its work, and readers see every fact all the while."""
    take(lake, put(tmp_path, gz(document(conversation("c0", messages=[message("a"), message("b")]))), name_at(0)))
    expected = everything(lake)
    if is_lost:
        shutil.rmtree(lake.path("segments"))
    else:
        rewrite(lake, forget_format)
    with writing(lake, upgrades=False):
        processes = [running(lake, "upgrade"), running(lake, "upgrade")]
        for process in processes:
            assert process.stderr is not None
            assert process.stderr.readline().startswith("lakehouse ")  # the heading
            assert WAITS in process.stderr.readline()
        with connect(lake) as connection:
            assert all_rows(connection) == expected
    while any(process.poll() is None for process in processes):
        with connect(lake) as connection:
            assert all_rows(connection) == expected
    said = [process.communicate(timeout=SECONDS_TO_DIE)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert sorted("there was nothing to do" in text for text in said) == [False, True], said
    take(lake, put(tmp_path, gz(document(conversation("c1"))), name_at(1)))
    assert len(everything(lake)["conversation_metrics"]) == 2
    assert verify(lake, read_data=True).findings == []


@pytest.fixture
def much(tmp_path: Path) -> Path:
    """Files of so many bytes that another process reads them."""
    rng = random.Random(1)
    for hour in range(2):
        texts = [rng.randbytes(500_000).hex() for _ in range(10)]
        contents = [document(conversation(f"h{hour}-{n}", messages=[message(text)])) for n, text in enumerate(texts)]
        put(tmp_path / "much", gz(*contents), name_at(hour))
    return tmp_path / "much"


def helper_of(process: subprocess.Popen[str]) -> int:
    """The process id of the one that reads for a load."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        pytest.skip("only /proc tells the helpers of a process")
    while process.poll() is None:
        for child in children.read_text().split():
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
        time.sleep(0.01)
    raise AssertionError(process.communicate())


def is_alive(process: Path) -> bool:
    """Whether a process, by its folder in /proc, still does something; one that nobody has waited for is a zombie."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_helper_that_dies_ends_the_load_in_one_sentence(lake: Lake, much: Path) -> None:
    """The system kills one because memory ran out: nothing of the load is seen, and the next one brings it all."""
    take(lake)
    process = loading(lake, much)
    os.kill(helper_of(process), signal.SIGKILL)
    out, said = process.communicate(timeout=SECONDS_TO_DIE)
    assert (process.returncode, out, said.count("lakehouse: ")) == (1, "", 1), said
    assert "a process that took part in the load has died" in said.splitlines()[-1]
    assert ask(lake, "select count(*) from files") == [(0,)]
    take(lake, much)
    assert ask(lake, "select count(*), count(distinct text) from messages") == [(20, 20)]


def test_helpers_say_nothing_when_they_end(lake: Lake, much: Path) -> None:
    """They compute facts with DuckDB, whose bindings list objects that are left when a process ends."""
    process = loading(lake, much)
    helper_of(process)
    _, said = process.communicate(timeout=SECONDS_TO_DIE)
    assert process.returncode == 0, said
    assert len(said.splitlines()) == 3, said


def test_helpers_end_with_a_load_that_is_killed(lake: Lake, much: Path) -> None:
    """Where the command alone is killed, its helpers do not stay behind."""
    process = loading(lake, much)
    helper = Path(f"/proc/{helper_of(process)}")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=SECONDS_TO_DIE)
    deadline = time.monotonic() + SECONDS_TO_DIE
    while is_alive(helper):
        assert time.monotonic() < deadline, "the helper is still there"
        time.sleep(0.01)
    take(lake, much)
    assert ask(lake, "select count(*), count(distinct text) from messages") == [(20, 20)]
