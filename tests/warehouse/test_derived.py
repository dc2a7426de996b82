"""The DuckDB file is derived: whatever clients do to it, readers answer from the tables, and no foreign log is replayed."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from commands import lakehouse
from documents import conversation, document, gz, put
from lakes import ask, copied, seen, take
from selections import often

import pipeline
from pipeline.cli.doctor.storage import about_lake
from pipeline.lake.lake import Lake
from pipeline.load.session import writing
from pipeline.maintenance.compact import compact
from pipeline.maintenance.verify import verify

COUNT = "select count(*) from conversations"
SPOIL = "create or replace view files as select 666 as name; create table mine(a int)"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with two conversations."""
    folder = tmp_path_factory.mktemp("derived")
    take(Lake(str(folder / "lake")), put(folder, gz(document(conversation("c1"), conversation("c2")))))
    return folder / "lake"


@pytest.fixture
def lake(made: Path, tmp_path: Path) -> Lake:
    """A copy of it, with a DuckDB file of its own."""
    return copied(Lake(str(made)), tmp_path)


def client(path: Path, *, last: str) -> subprocess.Popen[str]:
    """DuckDB's own client in another process, which has written something, without closing the file."""
    program = f"import duckdb, sys, os\nc = duckdb.connect(sys.argv[1])\nc.execute('{SPOIL}')\nprint('', flush=True)\n{last}"
    started = subprocess.Popen([sys.executable, "-c", program, str(path)], stdin=-1, stdout=-1, text=True)
    assert started.stdout
    started.stdout.readline()
    return started


@pytest.fixture
def held(lake: Lake) -> Iterator[Path]:
    """The file, while a client holds it for writing."""
    path = Path(lake.root, "lakehouse.duckdb")
    with client(path, last="sys.stdin.read()") as holding:
        yield path
        holding.kill()


def leave_a_log(path: Path) -> None:
    """A client writes into the file and is killed."""
    with client(path, last="os.kill(os.getpid(), 9)") as killed:
        assert killed.wait() == -signal.SIGKILL
    assert path.with_name("lakehouse.duckdb.wal").exists()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "garbage": lambda path: path.write_bytes(b"garbage" * 9000),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:20_000]),
    "a client's log": leave_a_log,
}


READERS = (["sql", COUNT, "--format", "csv"], ["status"], ["check"], ["report"])


def expect_answers(lake: Lake, folder: Path, readers: Sequence[list[str]] = READERS) -> None:
    """Each of these readers answers, and tells what is odd, in one sentence."""
    for command in readers:
        done = lakehouse(*command, "--lake", lake.root, cwd=folder)
        assert done.returncode in {0, 3}, done.stderr
        assert "bug" not in done.stderr
        assert done.stderr.count("\n") == done.stderr.count("lakehouse.duckdb: ") == 1, done.stderr
    with pytest.warns(UserWarning, match=r"lakehouse\.duckdb: "), pipeline.open(lake.root) as connection:
        assert connection.sql(COUNT).fetchall() == [(2,)]
    assert any("lakehouse.duckdb" in finding for finding in verify(lake).findings)
    assert any("lakehouse.duckdb" in finding.found for finding in about_lake(lake))


@pytest.mark.parametrize("damage", often("gone", "garbage", "a client's log", of=DAMAGES))
def test_a_reader_does_without_the_file(lake: Lake, damage: str, tmp_path: Path) -> None:
    """A reader answers from the tables, verify and doctor name what is wrong, and a compaction mends it."""
    DAMAGES[damage](Path(lake.root, "lakehouse.duckdb"))
    place = [*DAMAGES].index(damage) % len(READERS)
    expect_answers(lake, tmp_path, READERS[place : place + 1])
    with writing(lake):
        compact(lake)
    assert verify(lake).findings == []
    assert len(seen(lake.root)["conversations"]) == 2


@pytest.mark.long
@pytest.mark.parametrize("damage", DAMAGES)
def test_readers_do_without_the_file(lake: Lake, damage: str, tmp_path: Path) -> None:
    """Each reader does, whatever the damage."""
    DAMAGES[damage](Path(lake.root, "lakehouse.duckdb"))
    expect_answers(lake, tmp_path)


def test_readers_do_without_a_file_that_a_client_holds(lake: Lake, held: Path, tmp_path: Path) -> None:
    """A client that has the file open for writing keeps no reader away."""
    expect_answers(lake, tmp_path)
    assert held.exists()


def test_a_load_beside_an_open_client_is_seen(lake: Lake, held: Path, tmp_path: Path) -> None:
    """Writes that a client has begun in the former file are not replayed over the next one."""
    take(lake, put(tmp_path / "more", gz(document(conversation("c3"))), "Engagement.2.gz"))
    assert not held.with_name("lakehouse.duckdb.wal").exists()
    assert ask(lake, COUNT) == [(3,)]
    assert len(seen(lake.root)["conversations"]) == 3


@pytest.fixture
def behind(lake: Lake, tmp_path: Path) -> Path:
    """The file of the load before the newest one, as a run leaves it that dies after its commit."""
    file = Path(lake.root, "lakehouse.duckdb")
    before = file.read_bytes()
    take(lake, put(tmp_path / "more", gz(document(conversation("c3"))), "Engagement.2.gz"))
    file.write_bytes(before)
    return file


@pytest.mark.usefixtures("behind")
def test_a_file_of_an_older_load_is_made_anew(lake: Lake) -> None:
    """A reader answers from the newest load, and so does any client after it; until then doctor tells."""
    assert any("another load" in finding.found for finding in about_lake(lake))
    assert verify(lake).findings
    assert ask(lake, COUNT) == [(3,)]
    assert len(seen(lake.root)["conversations"]) == 3
    assert verify(lake).findings == []


def test_a_writer_at_work_keeps_the_file_as_it_is(lake: Lake, behind: Path) -> None:
    """While a run has the lake, a reader answers from the newest load, and leaves the file to the run."""
    before = behind.read_bytes()
    with writing(lake):
        assert ask(lake, COUNT) == [(3,)]
    assert behind.read_bytes() == before


def test_a_file_of_a_history_that_a_copy_has_replaced_is_made_anew(lake: Lake, tmp_path: Path) -> None:
    """A lake is restored, but for the file, which shows a load that is gone; then a load of the same number is killed."""
    backup, file = tmp_path / "backup", Path(lake.root, "lakehouse.duckdb")
    shutil.copytree(lake.root, backup)
    take(lake, put(tmp_path / "lost", gz(document(conversation("c3"), conversation("c4"))), "Engagement.2.gz"))
    lost = file.read_bytes()
    shutil.rmtree(lake.root)
    shutil.copytree(backup, lake.root)
    file.write_bytes(lost)
    assert any("another load" in finding.found for finding in about_lake(lake))
    assert ask(lake, COUNT) == [(2,)]
    take(lake, put(tmp_path / "more", gz(document(conversation("c3"))), "Engagement.3.gz"))
    file.write_bytes(lost)
    assert ask(lake, COUNT) == [(3,)]
    assert verify(lake).findings == []


def test_damage_above_the_shown_load_stops_no_reader(lake: Lake, tmp_path: Path) -> None:
    """A ledger's entry that can't be read is told, and the former load is shown."""
    newest = max(Path(lake.root, "files", "_delta_log").glob("*.json"))
    newest.with_name(f"{int(newest.stem) + 1:020}.json").write_bytes(newest.read_bytes()[:40])
    done = lakehouse("sql", COUNT, "--lake", lake.root, "--format", "csv", cwd=tmp_path)
    assert done.stdout == "count_star()\n2\n"
    assert "this command reads the load that lakehouse.duckdb shows: lakehouse verify names the remedy" in done.stderr


def test_a_ledger_that_lost_its_end_makes_no_file_older(lake: Lake, tmp_path: Path) -> None:
    """The file may be all that is left of a load: a reader shows it and keeps it."""
    file = Path(lake.root, "lakehouse.duckdb")
    take(lake, put(tmp_path / "more", gz(document(conversation("c3"))), "Engagement.2.gz"))
    before = file.read_bytes()
    max(Path(lake.root, "files", "_delta_log").glob("*.json")).unlink()
    assert ask(lake, COUNT) == [(3,)]
    assert file.read_bytes() == before


def test_one_lake_under_two_paths(lake: Lake, tmp_path: Path) -> None:
    """A reader at another path answers and leaves the file as it is; verify finds nothing wrong at either."""
    other = Lake(str(tmp_path / "mount"))
    Path(other.root).symlink_to(lake.root)
    file = Path(lake.root, "lakehouse.duckdb")
    before = file.read_bytes()
    done = lakehouse("sql", COUNT, "--lake", other.root, "--format", "csv", cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("count_star()\n2\n", "")
    assert verify(other).findings == verify(lake).findings == []
    assert file.read_bytes() == before
    assert len(seen(lake.root)["conversations"]) == 2


def test_no_folder_for_temporary_files(lake: Lake) -> None:
    """Where nothing can be written, no folder for temporary files either, a query is answered, without a DuckDB file too."""
    assert sealed(lake, "select 1 as a") == "a\n1\n"
    Path(lake.root, "lakehouse.duckdb").unlink()
    assert sealed(lake, COUNT) == "count_star()\n2\n"


def sealed(lake: Lake, query: str) -> str:
    """Ask where all that DuckDB and Python would write to is read-only."""
    bind = "mount --bind $place $place && mount -o remount,ro,bind $place || exit 77"
    mounts = f"for place in /tmp /var/tmp /dev/shm {lake.root}; do {bind}; done"
    command = [sys.executable, "-m", "pipeline", "sql", query, "--format", "csv", "--lake", lake.root]
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", f'{mounts}; cd /proc; exec "$@"', "sh", *command],
        env=os.environ | {"PYTHONPATH": str(Path(pipeline.__file__).parent.parent), "TMPDIR": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip(f"no file system can be made read-only here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    return done.stdout
