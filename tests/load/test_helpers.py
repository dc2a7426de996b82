"""Helper processes of a load: begun early, none too many, gone at the end; and the Parquet files that they write."""

import errno
import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from documents import conversation, document, gz, name_at, put
from hypothesis import given
from hypothesis import strategies as st
from lakes import ask

from pipeline.cli.doctor.installation import about_helpers
from pipeline.lake.lake import Lake
from pipeline.load import worker
from pipeline.load.engines import Processes
from pipeline.load.find import find_files, incoming_from
from pipeline.load.load import load
from pipeline.load.session import writing
from pipeline.source_files import Incoming

FIRST = date(2026, 3, 1)


@pytest.fixture
def four_files(tmp_path: Path) -> list[Incoming]:
    for hour in range(4):
        put(tmp_path / "in", gz(document(conversation(f"c{hour}"))), name_at(hour))
    return incoming_from(find_files([str(tmp_path / "in")]))


@pytest.fixture
def usual_mask() -> Iterator[None]:
    """Files are for others to read, unless a command says otherwise."""
    former = os.umask(0o022)
    yield
    os.umask(former)


def children() -> set[int | None]:
    return {child.pid for child in multiprocessing.active_children()}


@pytest.mark.parametrize(("cores", "unit_bytes", "helpers"), [(2, 1, 1), (3, 1, 2), (99, 1, 3), (2, 1 << 20, 0), (1, 1, 0)])
def test_helpers_begin_for_what_there_is_to_read(four_files: list[Incoming], cores: int, unit_bytes: int, helpers: int) -> None:
    """As many as have a unit each beside this process, which takes part; and they end if no load comes."""
    assert children() == set()
    with Processes(cores, unit_bytes=unit_bytes).begun(four_files):
        assert len(children()) == helpers
    assert children() == set()


def test_a_load_takes_the_helpers_that_have_begun(lake: Lake, four_files: list[Incoming]) -> None:
    """It starts no others, and they are gone when it is done; a second load of the same engine starts its own."""
    engine = Processes(2, unit_bytes=1)
    at_work: list[set[int | None]] = []
    with engine.begun(four_files):
        begun = children()
        with writing(lake):
            load(lake, four_files, engine=engine, progress=lambda _: at_work.append(children()))
        assert children() == set()
    with writing(lake):
        load(lake, four_files, engine=engine)
    assert at_work == [begun] * 4
    assert ask(lake, "select count(*) from conversations") == [(4,)]
    assert children() == set()


@pytest.mark.usefixtures("usual_mask")
def test_what_a_helper_writes_is_for_its_owner_alone(lake: Lake, four_files: list[Incoming]) -> None:
    """It has begun before the load, and so before that says so to the processes that it starts."""
    engine = Processes(2, unit_bytes=1)
    with engine.begun(four_files), writing(lake):
        load(lake, four_files, engine=engine)
    written = [path for path in Path(lake.root).rglob("*") if path.suffix in (".parquet", ".gz")]
    assert {path.stat().st_mode & 0o077 for path in written} == {0}


@pytest.mark.parametrize("rows_of_a_run", [1, 10**9])
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), max_size=12))
def test_rows_are_split_by_date_in_their_order(rows_of_a_run: int, runs: list[tuple[int, int]]) -> None:
    """However the dates follow one another, and whether their runs are joined or each is filtered out."""
    days = [FIRST + timedelta(days=day) for day, length in runs for _ in range(length)]
    rows = pa.table({"date": pa.chunked_array([days[:3], days[3:]], pa.date32()), "n": pa.array(range(len(days)), pa.int64())})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(worker, "_ROWS_OF_A_RUN", rows_of_a_run)
        parts = {day: part.to_pydict() for day, part in worker._by_date(rows)}
    assert parts == {day: {"n": [n for n, other in enumerate(days) if other == day]} for day in days}


def test_a_ctrl_c_at_the_terminal_does_not_reach_a_helper_that_has_begun(four_files: list[Incoming]) -> None:
    """It would print a traceback of its own; the process that has begun it ends it."""
    with Processes(2, unit_bytes=1).begun(four_files):
        for child in children():
            status = Path(f"/proc/{child}/status").read_text()
            (blocked,) = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigBlk")]
            assert blocked & (1 << (signal.SIGINT - 1))
            assert blocked & (1 << (signal.SIGHUP - 1))


@pytest.mark.parametrize("begins", [True, False])
def test_without_semaphores_a_load_reads_alone(
    lake: Lake, four_files: list[Incoming], monkeypatch: pytest.MonkeyPatch, *, begins: bool
) -> None:
    """As where /dev/shm can't be written: all is loaded, by one process."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("multiprocessing.synchronize.SemLock.__init__", refuse)
    engine = Processes(2, unit_bytes=1)
    with engine.begun(four_files) if begins else nullcontext(), writing(lake):
        load(lake, four_files, engine=engine)
    assert ask(lake, "select count(*) from conversations") == [(4,)]
    assert [finding.level for finding in about_helpers()] == ["warn"]
