"""An export goes to a bucket, whole, from a lake in a folder or in a bucket."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import s3fs
from commands import ran
from documents import DAY_MS, START, conversation, document, gz, message, name_at, put
from lakes import take
from stores import make_buckets, variables

from pipeline.lake.lake import Lake


@pytest.fixture(autouse=True)
def _surroundings(s3_address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each test has the store's settings, an empty working folder, and no connection of an earlier one."""
    make_buckets(s3_address, "exports")
    for name in [name for name in os.environ if name.startswith(("AWS_", "LAKE_", "LP_"))]:
        monkeypatch.delenv(name)
    for name, value in variables(s3_address).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(params=["folder", "bucket"])
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    """A lake of three days."""
    lake = Lake(str(tmp_path / "lake") if request.param == "folder" else f"s3://exports/{tmp_path.name}/lake")
    for day in range(3):
        made = conversation(f"c{day}", start=START + day * DAY_MS, messages=[message(f"line {day}")] * 3)
        take(lake, put(tmp_path / "in", gz(document(made)), name_at(24 * day)))
    return lake


def export(lake: Lake, *arguments: str) -> str:
    code, out, err = ran("export", *arguments, "--lake", lake.uri)
    assert (code, out) == (0, f"{arguments[arguments.index('--output') + 1]}\n"), err
    return err


def objects(place: str) -> dict[str, Any]:
    """The objects below a place in the store, with their contents."""
    files = s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)
    root = place.removeprefix("s3://")
    return {path.removeprefix(f"{root}/"): files.cat_file(path) for path in files.find(root)}


@pytest.mark.parametrize("form", ["parquet", "csv", "xlsx", "jsonl"])
def test_a_bucket_gets_what_a_folder_gets(filled: Lake, tmp_path: Path, form: str) -> None:
    """The same bytes, but for a spreadsheet, which has the time of its making; nothing else is left."""
    place = f"s3://exports/{tmp_path.name}/out"
    export(filled, "messages", "--output", f"{place}/rows.{form}")
    export(filled, "messages", "--output", f"{tmp_path}/rows.{form}")
    assert list(objects(place)) == [f"rows.{form}"]
    if form != "xlsx":
        assert objects(place)[f"rows.{form}"] == (tmp_path / f"rows.{form}").read_bytes()
    assert not list((tmp_path / "tmp").rglob("export-*"))


def test_a_bucket_goes_on_with_what_changed(filled: Lake, tmp_path: Path) -> None:
    """A folder by date in a bucket is written day by day, and loses the days that are gone."""
    arguments = ("messages", "--output", f"s3://exports/{tmp_path.name}/days", "--by-date", "--incremental")
    assert "3 days written, 0 kept, 0 removed" in export(filled, *arguments)
    assert "0 days written, 3 kept, 0 removed" in export(filled, *arguments)
    code, _, err = ran("erase", "--conversation-id", "c1", "--lake", filled.uri)
    assert code == 0, err
    assert "0 days written, 2 kept, 1 removed" in export(filled, *arguments)
    found = objects(arguments[2])
    assert list(found) == [".lakehouse-export.json", "date=2016-07-25/part.parquet", "date=2016-07-27/part.parquet"]
    assert pl.read_parquet(found["date=2016-07-27/part.parquet"])["text"].to_list() == ["line 2"] * 3
    assert set(json.loads(found[".lakehouse-export.json"])["files"]) == set(found) - {".lakehouse-export.json"}


def test_a_bucket_that_is_no_place_is_refused_with_a_sentence(filled: Lake, tmp_path: Path) -> None:
    """One that is not there, a lake's own prefix, and other things there."""
    code, _, err = ran("export", "messages", "--output", "s3://no-such-bucket/x.csv", "--lake", filled.uri)
    assert (code, "no such bucket" in err) == (1, True), err
    s3fs.S3FileSystem().pipe_file(f"exports/{tmp_path.name}/mine/x", b"mine")
    place = f"s3://exports/{tmp_path.name}/mine"
    code, _, err = ran("export", "messages", "--output", place, "--by-date", "--lake", filled.uri)
    assert (code, "found x in it" in err) == (2, True), err
    if not filled.is_local:
        code, _, err = ran("export", "messages", "--output", f"{filled.uri}/x.csv", "--lake", filled.uri)
        assert (code, "it is inside of the lake" in err) == (2, True), err
