"""Damaged lakes, and places that can't be one: whatever is asked, there is one sentence, and advice that leads on."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from subprocess import CompletedProcess

import duckdb
import pytest
from commands import lakehouse
from deltalake import DeltaTable
from documents import conversation, document, gz, message, name_at, put
from lakes import take
from sandboxes import SMALL

import pipeline
from pipeline import schema
from pipeline.erasure.erase import erase
from pipeline.errors import DamagedError, PipelineError
from pipeline.lake.lake import Lake
from pipeline.load.session import writing
from pipeline.sandbox import Sandbox
from pipeline.warehouse.database import connect

TRANSFER = {"timestamp": {"string": "1469469300000"}, "skillId": {"long": 1}, "targetSkillId": {"long": 2}}
COMMANDS: dict[str, tuple[str, ...]] = {
    "sql": ("sql", "select count(*) from conversations join messages using (conversation_id)", "--format", "csv"),
    "status": ("status",),
    "report": ("report", "--output", "report.html"),
    "check": ("check",),
    "verify": ("verify",),
    "verify all": ("verify", "--read-data"),
    "doctor": ("doctor",),
    "load": ("load", "in"),
    "sync dry": ("sync", "--dry-run"),
    "sync": ("sync",),
    "compact": ("compact",),
    "erase": ("erase", "--conversation-id", "c1"),
}


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def garbage(path: Path) -> None:
    path.write_bytes(bytes(range(255, -1, -1)) * 8)


def folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


HARMS: dict[str, Callable[[Path], None]] = {
    "empty": empty,
    "cut": half,
    "garbage": garbage,
    "gone": Path.unlink,
    "a folder": folder,
}


def newest(lake: Path, table: str, pattern: str) -> Path:
    return max((lake / table).glob(pattern))


def data_file(lake: Path, table: str) -> Path:
    files = Lake(str(lake)).snapshot().files[table]
    return lake / table / files[-1].path if files else newest(lake, table, "_delta_log/*.json")


PARTS: dict[str, Callable[[Path, str], Path]] = {
    "newest commit": lambda lake, table: newest(lake, table, "_delta_log/*.json"),
    "first commit": lambda lake, table: lake / table / "_delta_log" / f"{0:020}.json",
    "checkpoint": lambda lake, table: newest(lake, table, "_delta_log/*.checkpoint.parquet"),
    "pointer": lambda lake, table: lake / table / "_delta_log" / "_last_checkpoint",
    "Parquet file": data_file,
}
FILES = ("lakehouse.duckdb", "settings.csv", "erasure.key", "report.html", ".lock")


def only_checkpoint(lake: Path, table: str) -> None:
    """The commits before the newest checkpoint went, as they do after 30 days, and then it is cut."""
    for path in sorted((lake / table / "_delta_log").glob("*.json"))[:-1]:
        path.unlink()
    half(newest(lake, table, "_delta_log/*.checkpoint.parquet"))


def a_file(path: Path) -> None:
    shutil.rmtree(path)
    garbage(path)


def no_files(lake: Path) -> None:
    shutil.rmtree(lake)
    lake.mkdir()


def no_tables(lake: Path) -> None:
    for table in schema.STORED:
        shutil.rmtree(lake / table)


TABLE_DAMAGES: dict[str, Callable[[Path, str], object]] = {
    **{
        f"{part} {harm}": lambda lake, table, part=part, harm=harm: HARMS[harm](PARTS[part](lake, table))  # type: ignore[misc]
        for part in PARTS
        for harm in HARMS
        if harm != "a folder"
    },
    "log gone": lambda lake, table: shutil.rmtree(lake / table / "_delta_log"),
    "gone": lambda lake, table: shutil.rmtree(lake / table),
    "a file": lambda lake, table: a_file(lake / table),
    "checkpoint, its only source, cut": only_checkpoint,
}
DAMAGES: dict[str, Callable[[Path], object]] = {
    **{
        f"{table}: {name}": lambda lake, table=table, harm=harm: harm(lake, table)  # type: ignore[misc]
        for name, harm in TABLE_DAMAGES.items()
        for table in schema.STORED
    },
    **{
        f"{name} {harm}": lambda lake, name=name, harm=harm: HARMS[harm](lake / name)  # type: ignore[misc]
        for name in FILES
        for harm in HARMS
    },
    "landing a file": lambda lake: a_file(lake / "landing"),
    "landing gone": lambda lake: shutil.rmtree(lake / "landing"),
    "lake a file": a_file,
    "lake empty": no_files,
    "landing alone": no_tables,
}


@pytest.fixture(scope="module")
def account() -> Iterator[dict[str, str]]:
    """The settings of a made-up account."""
    with Sandbox([SMALL]) as sandbox:
        yield dict(line.split("=", 1) for line in sandbox.settings_of(SMALL.account_id).splitlines() if "=" in line)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake that has rows in every table but listings, a checkpoint in every log, and a file to load."""
    place = tmp_path_factory.mktemp("sound")
    lake = Lake(str(place / "lake"))
    take(lake, put(place / "old", gz(document(conversation("c1", transfers=[TRANSFER])), "garbage"), name_at(0)))
    with writing(lake):
        erase(lake, "conversation", "gone")
    for table in schema.STORED:
        DeltaTable(lake.table_uri(table)).create_checkpoint()
    with writing(lake):
        erase(lake, "conversation", "gone too")
    more = document(conversation("c2", messages=[message("a")], transfers=[TRANSFER]))
    take(lake, put(place / "old", gz(more, "more garbage"), name_at(1)))
    put(place / "in", gz(document(conversation("c1"), conversation("c3"), conversation("gone"))), name_at(2))
    (place / "lake" / "report.html").write_text("<html>")
    return place


def run(name: str, place: Path, settings: dict[str, str], *, lake: str = "lake") -> CompletedProcess[str]:
    """A command, of which is expected what holds for each of them."""
    done = lakehouse(*COMMANDS[name], "--lake", lake, cwd=place, **settings)
    said = done.stdout + done.stderr
    command = COMMANDS[name][0]
    assert done.returncode in {0, 1, 2, 3}, said
    assert not re.search(r"this is a bug|Traceback|\.py\b|<unknown>|\x00", said), said
    told = [line for line in done.stderr.splitlines() if line.startswith("lakehouse: ")]
    assert len(told) <= 1, said
    if done.returncode in {1, 2} and command != "doctor":
        assert done.stderr.splitlines()[-1:] == told, said
        assert len(told[0]) < 900, said
    if command == "verify":
        assert "lakehouse verify" not in said, said
        assert not done.stdout or done.returncode == 3, said
        assert all("; " in finding for finding in done.stdout.splitlines()), said
    if command == "compact" and done.returncode:
        assert "lakehouse compact" not in said, said
    return done


def harmed(damage: str, sound: Path, place: Path) -> Path:
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(sound, place)
    DAMAGES[damage](place / "lake")
    return place


DIAGONAL = [(damage, [*COMMANDS][turn % len(COMMANDS)]) for turn, damage in enumerate(DAMAGES) if turn % 25 == 0]


@pytest.mark.parametrize(("damage", "command"), DIAGONAL)
def test_a_command_of_a_damaged_lake_ends_in_one_sentence(
    damage: str, command: str, sound: Path, account: dict[str, str], tmp_path: Path
) -> None:
    """It says what is wrong and what to do, or does it: no traceback, no bug, and no advice to run what was run."""
    run(command, harmed(damage, sound, tmp_path / "copy"), account)


@pytest.mark.long
@pytest.mark.parametrize("damage", DAMAGES)
def test_each_command_of_a_damaged_lake_ends_in_one_sentence(
    damage: str, sound: Path, account: dict[str, str], tmp_path: Path
) -> None:
    """The same for every damage and every command."""
    for name in COMMANDS:
        run(name, harmed(damage, sound, tmp_path / "copy"), account)


@pytest.mark.filterwarnings("ignore:.*(copy of its own|keep the last settings)")
@pytest.mark.parametrize("damage", ["files: log gone", "settings.csv a folder", "lakehouse.duckdb a folder"])
def test_a_damaged_lake_opens_or_says_why_not(damage: str, sound: Path, tmp_path: Path) -> None:
    """In Python, too, what is raised is ours, or DuckDB's about a file."""
    with suppress(PipelineError, duckdb.Error), pipeline.open(str(harmed(damage, sound, tmp_path / "copy") / "lake")) as opened:
        assert opened.sql("select count(*) from conversations").fetchall() == [(2,)]


NO_PLACES = {
    "xyz://a/b": "expected a path or the URL of a store",
    "memory://x": "expected a folder, or a bucket such as",
    "s3://": "expected a folder, or a bucket such as",
    "zip://x::lake": "expected a path or the URL of a store",
    "lake?x": "the path of a lake can't hold",
    "back\\slash": "the path of a lake can't hold",
    "no\udcff": "the path of a lake can't hold",
    "in/file.gz": "there is no lake|File exists",
    "~no-such-user/x": "the home of a user whom",
}


@pytest.mark.parametrize("place", NO_PLACES)
def test_a_place_that_can_be_no_lake_is_told_in_one_sentence(place: str, account: dict[str, str], tmp_path: Path) -> None:
    """Before anything is made there."""
    put(tmp_path / "in", b"", "file.gz")
    for name in COMMANDS:
        done = run(name, tmp_path, account, lake=place)
        if name != "doctor":
            assert done.returncode in {1, 2} or name == "sync dry"
            assert not done.returncode or re.search(NO_PLACES[place], done.stderr), done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.long
def test_a_store_that_is_not_there_is_told_in_one_sentence(account: dict[str, str], tmp_path: Path) -> None:
    """Also by those commands that ask the store before any table."""
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "eu-central-1"}
    for name in ("sql", "verify"):
        done = run(name, tmp_path, account | keys | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, lake="s3://none/lake")
        assert "the store can't be reached" in done.stderr


@pytest.mark.parametrize("table", ["conversations", "messages", "transfers", "rejects"])
def test_no_reader_answers_from_a_table_that_lost_rows(table: str, sound: Path, tmp_path: Path) -> None:
    """A commit that is emptied looks as one without changes; the ledger knows how many rows there have to be."""
    lake = shutil.copytree(sound / "lake", tmp_path / "lake")
    empty(newest(lake, table, "_delta_log/*.json"))
    (lake / "lakehouse.duckdb").unlink()
    with pytest.raises(DamagedError, match=r"rows, found|log can't be read|is damaged"):
        connect(Lake(str(lake))).close()
