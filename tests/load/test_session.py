"""A write session: what it gives to the load in it."""

from pathlib import Path

import pytest
from documents import conversation, document, gz, name_at, put
from lakes import killed_before, take
from released_lakes import VERSIONS, unpack

from pipeline.erasure.erase import erase
from pipeline.lake.lake import Lake
from pipeline.load.find import find_files, incoming_from
from pipeline.load.load import load
from pipeline.load.session import writing


def taken(lake: Lake, folder: Path, *hours: int) -> None:
    for hour in hours:
        take(lake, put(folder, gz(document(conversation(f"c{hour}"))), name_at(hour)))


def test_it_gives_the_newest_load(lake: Lake, tmp_path: Path) -> None:
    """As a snapshot would, so that the load in it need not open the tables again; nothing of a lake without a load."""
    with writing(lake) as newest:
        assert newest is None
    taken(lake, tmp_path, 0, 1)
    with writing(lake) as newest:
        assert newest == lake.snapshot()


@pytest.mark.parametrize("step", ["commit conversations", "commit files", "publish"])
def test_what_a_dead_run_left_above_it_is_not_in_it(lake: Lake, tmp_path: Path, step: str) -> None:
    """The load that it is given to restores that, as it would with a snapshot of its own."""
    taken(lake, tmp_path, 0)
    path = put(tmp_path, gz(document(conversation("c1"))), name_at(1))
    with killed_before(lake, step):
        take(lake, path)
    with writing(lake) as newest:
        assert newest == lake.snapshot()
        load(lake, incoming_from(find_files([str(path)])), newest=newest)
    assert lake.snapshot().rows["conversations"] == 2


def test_several_waves_of_one_load_follow_one_another(lake: Lake, tmp_path: Path) -> None:
    """Of files with one name the later replaces the earlier: its wave goes by the load of the former wave."""
    taken(lake, tmp_path, 0)
    paths = [put(tmp_path / str(n), gz(document(conversation(f"new{n}"))), name_at(1)) for n in range(3)]
    with writing(lake) as newest:
        load(lake, incoming_from(find_files(map(str, paths))), newest=newest)
    with writing(lake) as newest:
        assert newest is not None
        assert newest.rows["conversations"] == 2


@pytest.mark.parametrize("version", VERSIONS)
def test_an_older_lake_is_brought_up_to_date_first(version: str, tmp_path: Path) -> None:
    """Its snapshot of before is no longer the newest, and is not given."""
    released = unpack(version, tmp_path)
    with writing(released.lake) as newest:
        assert newest is None or newest == released.lake.snapshot()
        assert released.lake.snapshot().is_current
    with writing(released.lake) as newest:
        assert newest == released.lake.snapshot()


def test_an_erasure_in_between_is_in_it(lake: Lake, tmp_path: Path) -> None:
    """Each session reads anew: rows that another one has removed do not come back with the next load."""
    taken(lake, tmp_path, 0, 1)
    with writing(lake):
        erase(lake, "conversation", "c0")
    with writing(lake) as newest:
        load(lake, incoming_from(find_files([str(put(tmp_path, gz(document(conversation("c2"))), name_at(2)))])), newest=newest)
    assert lake.snapshot().rows["conversations"] == 2
