"""An erasure that something comes in between: it is finished, or nothing of it is seen; and nobody else loses anything."""

import gzip
import json
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from documents import conversation, document, gz, message, name_at, put
from lakes import ask, first, killed_before, take
from stores import make_buckets, variables

from pipeline.erasure.erase import erase
from pipeline.errors import LakeError
from pipeline.lake.commits import read_snapshot
from pipeline.lake.lake import Lake
from pipeline.lake.snapshot import LEDGER
from pipeline.load.session import writing
from pipeline.maintenance.verify import verify
from pipeline.schema import ERASURES


@pytest.fixture(scope="module")
def store(s3_address: str) -> dict[str, str]:
    make_buckets(s3_address, "overtaken")
    return variables(s3_address)


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.long)])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    if request.param == "folder":
        return Lake(str(tmp_path / "lake"))
    return bucket(request, tmp_path)


@pytest.fixture
def in_bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    return bucket(request, tmp_path)


def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    for name, value in request.getfixturevalue("store").items():
        monkeypatch.setenv(name, value)
    return Lake(f"s3://overtaken/{tmp_path.name}")


def file(folder: Path, hour: int, ident: str, *, consumer_id: str | None = None) -> Path:
    """A file of one conversation, of whose consumer it may tell."""
    told: dict[str, Any] = {} if consumer_id is None else {"consumerId": {"string": consumer_id}}
    made = conversation(ident, messages=[message(f"said in {ident}, hour {hour}")], **told)
    return put(folder, gz(document(made)), name_at(hour))


def conversations(lake: Lake) -> list[str]:
    return [ident for (ident,) in ask(lake, "select conversation_id from conversations order by all")]


def with_tombstone(lake: Lake, tmp_path: Path) -> Path:
    """Load a conversation that does not say whose it is, erase a consumer; the file that tells it is theirs comes next."""
    take(lake, file(tmp_path, 1, "theirs"))
    with writing(lake):
        erase(lake, "consumer", "x")
    return file(tmp_path, 2, "theirs", consumer_id="x")


def test_a_load_that_dies_before_it_has_purged_is_finished_by_the_next(lake: Lake, tmp_path: Path) -> None:
    """Its file is in by then, and would not be read again."""
    telling = with_tombstone(lake, tmp_path)

    with killed_before(lake, "purge"):
        take(lake, telling)
    assert take(lake, telling).unchanged == 1
    assert conversations(lake) == []
    assert not verify(lake).findings
    assert not [path for path in lake.files.find(lake.root) if b"said in" in lake.files.cat_file(path)]
    assert not [path for path in lake.files.ls(lake.root, detail=False) if ".erasing" in path]


def test_an_erasure_deletes_nothing_that_another_writer_has_brought_meanwhile(in_bucket: Lake, tmp_path: Path) -> None:
    """No lock keeps it away, and between the erasure's commit and its deleting there is time for a whole load."""
    take(in_bucket, file(tmp_path, 1, "theirs", consumer_id="x"))
    load_others = partial(take, Lake(in_bucket.uri), file(tmp_path, 3, "others"))
    with writing(in_bucket), first(in_bucket, "publish", load_others):
        erase(in_bucket, "consumer", "x")
    assert conversations(in_bucket) == ["others"]
    assert not verify(in_bucket).findings


def test_an_erasure_that_deletes_late_takes_nothing_of_a_load_that_it_overtook(in_bucket: Lake, tmp_path: Path) -> None:
    """The load knew who is erased, and its files were there, yet without a name, when the erasure listed what there is."""
    take(in_bucket, file(tmp_path, 1, "others"))
    with writing(in_bucket):
        erase(in_bucket, "conversation", "theirs")
    has_committed, may_delete = Event(), Event()

    def delete_late() -> None:
        has_committed.set()
        assert may_delete.wait(60)

    def erase_again() -> None:
        with writing(other := Lake(in_bucket.uri)), first(other, "delete", delete_late):
            erase(other, "conversation", "theirs")

    def erase_first() -> None:
        erasure.start()
        assert has_committed.wait(60)

    erasure = Thread(target=erase_again)
    with first(in_bucket, "commit", erase_first):
        assert take(in_bucket, file(tmp_path, 3, "new")).loaded == 1
    may_delete.set()
    erasure.join()
    assert conversations(in_bucket) == ["new", "others"]
    assert not verify(in_bucket).findings


def test_a_load_that_an_erasure_overtakes_leaves_nothing_of_the_person(in_bucket: Lake, tmp_path: Path) -> None:
    """It has landed its file after the erasure has searched; said is that nothing was loaded."""
    take(in_bucket, file(tmp_path, 1, "others"))

    def erase_first() -> None:
        with writing(other := Lake(in_bucket.uri)):
            erase(other, "consumer", "x")

    message = "an erasure ran during this load; the files read meanwhile were not loaded"
    with first(in_bucket, "read", erase_first), pytest.raises(LakeError, match=message):
        take(in_bucket, file(tmp_path, 2, "theirs", consumer_id="x"))
    landed = [gzip.decompress(in_bucket.files.cat_file(path)) for path in in_bucket.files.find(in_bucket.path("landing"))]
    assert ["others" in json.dumps(text.decode()) for text in landed] == [True]
    assert not verify(in_bucket).findings


def test_a_load_whose_lake_an_erasure_rewrites_is_not_told_of_damage(in_bucket: Lake, tmp_path: Path) -> None:
    """The plan meets Parquet files that are gone; the load says what has happened, and leaves nothing of the person."""
    take(in_bucket, file(tmp_path, 1, "theirs", consumer_id="x"))
    take(in_bucket, file(tmp_path, 2, "others"))

    def erase_first() -> None:
        with writing(other := Lake(in_bucket.uri)):
            erase(other, "consumer", "x")

    coming = gz(document(conversation("others")), document(conversation("late", consumerId={"string": "x"})))
    message = "an erasure ran during this load; the files read meanwhile were not loaded"
    with first(in_bucket, "read", erase_first), pytest.raises(LakeError, match=message):
        take(in_bucket, put(tmp_path, coming, name_at(3)))
    landed = [gzip.decompress(in_bucket.files.cat_file(path)) for path in in_bucket.files.find(in_bucket.path("landing"))]
    assert not [text for text in landed if b"late" in text]
    assert conversations(in_bucket) == ["others"]
    assert not verify(in_bucket).findings
    assert take(in_bucket, put(tmp_path, coming, name_at(3))).loaded == 1
    assert conversations(in_bucket) == ["others"]


def test_tombstones_of_loads_are_merged_as_they_go(tmp_path: Path) -> None:
    """A load that adds one keeps what it has merged of the others."""
    lake = Lake(str(tmp_path / "lake"))
    take(lake, file(tmp_path, 0, "others"))
    with writing(lake):
        erase(lake, "consumer", "x")
    for hour in range(1, 10):
        take(lake, file(tmp_path, hour, f"theirs {hour}", consumer_id="x"))
    files = lake.snapshot().files[ERASURES.name]
    assert len(files) < 8
    assert sum(one.rows for one in files) == 12  # one is the check value of the key, one says that x was not found


def test_a_snapshot_is_of_the_load_that_was_opened_though_another_one_finishes_meanwhile(tmp_path: Path) -> None:
    """The rows that another load pins are not compared with the files of this one."""
    lake = Lake(str(tmp_path / "lake"))
    take(lake, file(tmp_path, 1, "a"))
    opened = lake.find_table(LEDGER)
    take(lake, file(tmp_path, 2, "b"))
    snapshot = read_snapshot(lake, opened, [LEDGER])
    assert snapshot.rows == {**snapshot.rows, LEDGER: 1}


def test_verify_tells_of_a_lost_file_of_the_ledger(tmp_path: Path) -> None:
    """It is a finding like others, though nothing can be counted then."""
    lake = Lake(str(tmp_path / "lake"))
    take(lake, file(tmp_path, 1, "a"))
    Path(lake.path(LEDGER, lake.snapshot().files[LEDGER][0].path)).unlink()
    (finding,) = verify(lake).findings
    assert "the Parquet file is gone" in finding
