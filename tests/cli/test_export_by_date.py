"""An export by date is a folder with a file a day, and of a schedule it writes what changed."""

import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from commands import lakehouse
from documents import DAY_MS, START, conversation, document, gz, message, name_at, put
from exports import days, export, make_lake_to_export, refused, told
from lakes import take

from pipeline.cli.export.target import Target
from pipeline.errors import SettingsError
from pipeline.lake.lake import Lake


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose lake has two accounts on three days, with texts that a spreadsheet could take for something else."""
    return make_lake_to_export(tmp_path_factory.mktemp("export"))


@pytest.mark.parametrize(
    ("name", "column"), [("messages", "date"), ("from messages", "date"), ("queue_time_weekly", "local_week")]
)
def test_a_folder_has_a_file_a_day(here: Path, tmp_path: Path, name: str, column: str) -> None:
    """Other programs read the folder as one table; a second export replaces it, whatever it was of."""
    target = str(tmp_path / "days")
    for form in ("csv", "jsonl", "parquet"):
        export(here, name, "--output", target, "--by-date", "--format", form)
        assert {path.name for path in Path(target).rglob("*") if path.is_file()} == {f"part.{form}", ".lakehouse-export.json"}
    rows = json.loads(told(here, f"select {column}, * from {name.removeprefix('from ')}", "json"))
    assert {folder.partition("=")[2] for folder in days(Path(target))} == {row[column] for row in rows}
    with duckdb.connect() as connection:
        files = f"read_parquet('{target}/**/*.parquet', hive_partitioning = true)"
        assert connection.execute(f"select count(*) from {files}").fetchall() == [(len(rows),)]
    assert pl.scan_parquet(f"{target}/**/*.parquet", hive_partitioning=True).select(pl.len()).collect().item() == len(rows)


def test_days_of_no_row_are_told_apart(here: Path, tmp_path: Path) -> None:
    """Rows without a day get the folder that other programs know for them; what has no days at all is refused."""
    export(
        here,
        "select null::date as date, 1 as a union all select date '2026-01-01', 2",
        "--output",
        str(tmp_path / "x"),
        "--by-date",
    )
    assert set(days(tmp_path / "x")) == {"date=__HIVE_DEFAULT_PARTITION__", "date=2026-01-01"}
    assert "has no column of days" in refused(here, "files", "--output", str(tmp_path / "y"), "--by-date")
    for name in ("queue_time_daily", "from messages"):
        told = refused(here, name, "--output", str(tmp_path / "y"), "--by-date", "--incremental")
        assert "expected a table with a date" in told


def test_a_folder_with_other_things_is_refused(here: Path, tmp_path: Path) -> None:
    """Nothing of anybody else is replaced or deleted."""
    (tmp_path / "mine").write_text("mine")
    assert "found mine in it" in refused(here, "messages", "--output", str(tmp_path), "--by-date")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    (tmp_path / "mine").rename(tmp_path / ".lakehouse-export.json")
    assert "it is no list of exported files" in refused(here, "messages", "--output", str(tmp_path), "--by-date")


@pytest.mark.parametrize(
    "other",
    [("transfers",), ("messages", "--since", "2016-07-26"), ("messages", "--account-id", "2"), ("messages", "--format", "csv")],
    ids=str,
)
def test_an_export_goes_on_with_its_own_folder_alone(here: Path, tmp_path: Path, other: Sequence[str]) -> None:
    """One of another table, of other rows or in another form is refused, and goes all anew without --incremental."""
    place = ("--output", str(tmp_path / "x"), "--by-date")
    export(here, "messages", *place, "--incremental")
    before = days(tmp_path / "x")
    assert "it holds an export of another" in refused(here, *other, *place, "--incremental")
    assert days(tmp_path / "x") == before
    export(here, *other, *place)
    export(here, *other, *place, "--incremental")


@pytest.mark.parametrize("seed", range(4))
def test_what_changed_is_all_that_is_written(lake: Lake, tmp_path: Path, seed: int) -> None:
    """After any loads, replacements and erasures, an incremental export is what a fresh one is, and wrote no day in vain."""
    chance = random.Random(seed)
    target, chosen = tmp_path / "out", ("--account-id", "1") if seed % 2 else ()
    for step in range(6):
        before = days(target)
        if step and chance.random() < 0.4:
            with_id = f"c{chance.randrange(8)}"
            lakehouse("erase", "--conversation-id", with_id, cwd=tmp_path)
        else:
            number = chance.randrange(8)
            made = conversation(f"c{number}", start=START + number % 4 * DAY_MS, messages=[message(f"{step}")])
            take(lake, put(tmp_path / f"in{step}", gz(document(made, account_id=str(1 + number % 2))), name_at(step)))
        said = export(tmp_path, "messages", "--output", str(target), "--by-date", "--incremental", *chosen)
        export(tmp_path, "messages", "--output", str(tmp_path / f"fresh{step}"), "--by-date", *chosen)
        after = days(target)
        assert after == days(tmp_path / f"fresh{step}")
        assert ("1 day written" in said) >= (after != before)
        assert {path.parent.name for path in target.rglob("part.*")} == set(after)
        assert sorted(path.name for path in target.iterdir()) == [".lakehouse-export.json", *sorted(after)]
        files = {str(path): path.read_bytes() for path in target.rglob("part.*")}
        again = export(tmp_path, "messages", "--output", str(target), "--by-date", "--incremental", *chosen)
        assert f"0 days written, {len(files)} kept, 0 removed" in again


@pytest.mark.parametrize("calls", range(3))
def test_an_incremental_export_that_dies_is_made_up_for(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    """Whenever it dies, each file is whole, and the next run gives what a fresh one gives."""
    place = shutil.copytree(here, tmp_path / "here")
    arguments = ("messages", "--output", "out", "--by-date", "--incremental")
    export(place, *arguments)
    erased = lakehouse("erase", "--conversation-id", "a1", "--conversation-id", "b2", cwd=place)
    assert erased.returncode == 0, erased.stderr
    left = [calls]
    whole = Target.put

    def dying(self: Target, staged: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise SettingsError("died")
        whole(self, staged)

    with monkeypatch.context() as patch:
        patch.setattr(Target, "put", dying)
        assert "died" in refused(place, *arguments)
    days(place / "out")
    export(place, *arguments)
    export(place, "messages", "--output", "fresh", "--by-date")
    assert days(place / "out") == days(place / "fresh")
    assert not list((place / "out").glob(".lakehouse-export/*"))


def test_a_file_that_somebody_changed_is_written_again(here: Path, tmp_path: Path) -> None:
    """A day whose file is gone or of another size is no longer what the folder's own file says."""
    arguments = ("messages", "--output", str(tmp_path / "x"), "--by-date", "--incremental")
    export(here, *arguments)
    before = days(tmp_path / "x")
    first, second, _ = sorted((tmp_path / "x").rglob("part.parquet"))
    first.unlink()
    second.write_bytes(b"half")
    assert "2 days written, 1 kept, 0 removed" in export(here, *arguments)
    assert days(tmp_path / "x") == before
