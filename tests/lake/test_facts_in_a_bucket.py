"""Facts of a lake in a bucket that are lost, of an older version, or computed beside other runs, which no lock keeps away."""

import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import s3fs
from documents import conversation, document, gz, message, name_at, put
from lakes import all_rows, everything, first, killed_before, take
from released_lakes import forget_format, rewrite
from selections import often
from stores import make_buckets, variables

from pipeline import schema
from pipeline.lake.lake import Lake
from pipeline.load.session import writing
from pipeline.maintenance.upgrade import Upgraded, upgrade
from pipeline.maintenance.verify import verify
from pipeline.warehouse.database import connect

FACT = "conversation_metrics"
A_TICK_SECONDS = 1.1  # a store may tell the times of objects in whole seconds


@pytest.fixture(scope="module")
def store(s3_address: str) -> dict[str, str]:
    make_buckets(s3_address, "facts")
    return variables(s3_address)


@pytest.fixture
def lake(store: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Lake:
    """A lake of two loads."""
    for name, value in store.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()  # a test of another store may have left connections
    made = Lake(f"s3://facts/{tmp_path.name}")
    for hour in range(2):
        load(made, tmp_path, hour)
    return made


def load(lake: Lake, folder: Path, hour: int) -> None:
    take(lake, put(folder, gz(document(conversation(f"c{hour}", messages=[message("a")]))), name_at(hour)))


def commits(lake: Lake) -> list[str]:
    return [path for path in lake.sizes_below(FACT, "_delta_log") if path.endswith(".json")]


HARMS: dict[str, Callable[[Lake], object]] = {
    "gone": lambda lake: lake.files.rm(lake.path(FACT), recursive=True),
    "first commit gone": lambda lake: lake.files.rm_file(commits(lake)[0]),
    "a commit gone": lambda lake: lake.files.rm_file(commits(lake)[1]),
    "newest commit gone": lambda lake: lake.files.rm_file(commits(lake)[-1]),
    "newest commit empty": lambda lake: lake.files.pipe_file(commits(lake)[-1], b""),
    "newest commit garbage": lambda lake: lake.files.pipe_file(commits(lake)[-1], b"\xff{"),
}


@pytest.mark.parametrize("harm", often("gone", of=HARMS))
def test_a_fact_that_is_lost_in_a_bucket_is_made_anew(lake: Lake, harm: str) -> None:
    """Readers compute it, `verify` names it with the command, and the next run that writes makes it."""
    expected = everything(lake)
    HARMS[harm](lake)
    lake.files.rm_file(lake.path("lakehouse.duckdb"))
    with connect(Lake(lake.uri)) as connection:
        assert all_rows(connection) == expected
    found = [finding for finding in verify(Lake(lake.uri)).findings if "lakehouse.duckdb" not in finding]
    assert found
    assert all(finding.endswith("run lakehouse upgrade --recompute, which computes it anew") for finding in found), found
    with writing(Lake(lake.uri)):
        pass
    assert everything(Lake(lake.uri)) == expected
    assert verify(Lake(lake.uri), read_data=True).findings == []


@pytest.mark.parametrize("recomputes", [True, pytest.param(False, marks=pytest.mark.long)])
def test_of_two_upgrades_at_once_the_first_to_commit_counts(lake: Lake, *, recomputes: bool) -> None:
    """The other finds its work done, or does it anew; neither takes a file of the other away, nor leaves one of its own."""
    expected = everything(lake)
    if not recomputes:
        lake.files.rm(lake.path(FACT), recursive=True)
    done: list[Upgraded | None] = []
    with first(lake, "commit", lambda: done.append(upgrade(Lake(lake.uri), recomputes=recomputes))):
        done.append(upgrade(lake, recomputes=recomputes))
    assert [one is not None for one in done] == [True, recomputes]
    assert everything(Lake(lake.uri)) == expected
    assert verify(Lake(lake.uri), read_data=True).findings == []
    if not recomputes:
        assert files_below(lake) == {lake.path(FACT, file.path) for file in Lake(lake.uri).snapshot().files[FACT]}


@pytest.mark.parametrize("step", often("delete", of=("delete", "publish", "commit files")))
def test_no_object_keeps_an_id_that_an_older_version_has_erased(lake: Lake, step: str) -> None:
    """Objects from before its commit go first; newer ones may be another run's, and stay."""
    time.sleep(A_TICK_SECONDS)
    rewrite(lake, forget_format)  # as that version commits: the files of facts are in no load
    former = files_below(lake)
    time.sleep(A_TICK_SECONDS)
    rows = pq.read_table(BytesIO(lake.files.cat_file(min(former))))
    of_another = lake.path(FACT, lake.write(FACT, rows, date="2016-07-25").path)
    with killed_before(lake, step), writing(lake):
        pass
    left = Lake(lake.uri)
    assert not left.snapshot().is_current or not former & files_below(left)
    with writing(left, upgrades=False):
        upgrade(left)
    assert not former & files_below(left)
    assert of_another in files_below(left)
    assert verify(left, read_data=True).findings == []


def files_below(lake: Lake) -> set[str]:
    """The Parquet files of the fact, but for its log."""
    return {path for path in lake.sizes_below(FACT) if "/_delta_log/" not in path}


@pytest.mark.long  # test_s3.py has an upgrade and a rebuild beside loads
def test_the_facts_of_a_lake_in_a_bucket_are_computed_anew_beside_a_load(lake: Lake, tmp_path: Path) -> None:
    """The load comes first; its conversations have their facts once."""
    with first(lake, "commit", lambda: load(Lake(lake.uri), tmp_path, 2)):
        done = upgrade(lake, recomputes=True)
    assert done is not None
    assert done.conversations == 3
    assert len(everything(Lake(lake.uri))[FACT]) == 3
    assert {*schema.FACTS} <= {*Lake(lake.uri).snapshot().files}
    assert verify(Lake(lake.uri), read_data=True).findings == []
