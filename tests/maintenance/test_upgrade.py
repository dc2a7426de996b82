"""Lakes of older versions are read as they are, and brought up to date by the next run that writes, in one commit."""

import gzip
import re
import shutil
import warnings
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner
from documents import conversation, document, gz, message, name_at, put
from lakes import ask, everything, first, killed_before, take
from released_lakes import VERSIONS, Released, forget_format, rewrite, rows_now, sent_and_listed, unpack

import pipeline
from pipeline import schema
from pipeline.cli.commands import main
from pipeline.errors import LakeError
from pipeline.lake.formats import FORMAT, NEWEST, current_format
from pipeline.lake.lake import Lake
from pipeline.load.session import writing
from pipeline.maintenance.compact import compact
from pipeline.maintenance.upgrade import upgrade
from pipeline.maintenance.verify import verify
from pipeline.warehouse.database import connect, publish
from pipeline.warehouse.recompute import facts_of_lake

READING = (
    ("sql", "select count(*) from conversation_metrics"),
    ("status", "--format", "json"),
    ("check",),
    ("verify",),
    ("doctor",),
    ("report", "--output", "REPORT"),
    ("upgrade", "--dry-run"),
)
WRITING = (("compact",), ("upgrade",), ("rebuild",), ("erase", "--conversation-id", "nobody"))
TRANSFER = {"timestamp": {"string": "1469469300000"}, "skillId": {"long": 1}, "targetSkillId": {"long": 2}}
AT = 1_469_469_281_856


@pytest.fixture(params=VERSIONS)
def released(request: pytest.FixtureRequest, tmp_path: Path) -> Released:
    """The lake of each released version."""
    return unpack(request.param, tmp_path)


@pytest.fixture(scope="module")
def talked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake of this version of some conversations, in files of which two accounts have one of the same name."""
    folder = tmp_path_factory.mktemp("talked")
    lake = Lake(str(folder / "lake"))
    lines = [message(str(n), timestamp=AT + n * 1000, type={"string": str(n % 2)}) for n in range(6)]
    for account in ("one", "two"):
        contents = (
            document(conversation(f"{account}{n}", messages=lines[n:], transfers=[TRANSFER] * n), account_id=account)
            for n in range(4)
        )
        take(lake, put(folder / account, gz(*contents), name_at(0)))
    return folder


@pytest.fixture
def talk(talked: Path, tmp_path: Path) -> Lake:
    """A copy of it, with a DuckDB file of its own."""
    lake = Lake(str(shutil.copytree(talked, tmp_path, dirs_exist_ok=True) / "lake"))
    publish(lake, lake.snapshot())
    return lake


def files_of(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file of a folder with its size and time."""
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def run(lake: Lake, *arguments: str, report: Path) -> tuple[int, str]:
    """Run a command on a lake; gives its exit code and all that it prints, in one line."""
    words = [str(report) if word == "REPORT" else word for word in arguments]
    done = CliRunner().invoke(main, [*words, "--lake", lake.uri])
    return done.exit_code, " ".join(done.output.split())


def facts_of(lake: Lake) -> dict[str, list[str]]:
    """All rows of the facts, hidden columns included, as sorted text."""
    found: dict[str, list[str]] = {}
    for part in facts_of_lake(lake, lake.snapshot()):
        for name, rows in part.facts.items():
            found[name] = sorted([*found.get(name, []), *map(str, rows.to_pylist())])
    return found


def copied(lake: Lake, folder: Path) -> Lake:
    """A copy of a lake, without the DuckDB file, which names the files of the original."""
    shutil.copytree(lake.root, folder / "lake", ignore=shutil.ignore_patterns("lakehouse.duckdb"))
    return Lake(str(folder / "lake"))


def test_the_rows_of_a_released_lake_stand(released: Released) -> None:
    """Each table has the rows that the version which wrote the lake read: before and after an upgrade, and after a rebuild."""
    lake = released.lake
    tables = [name for name in schema.TABLES if (released.folder / "rows" / f"{name}.json").exists()]
    assert {*schema.SENT, "files", "listings", "rejects"} <= {*tables}
    for command in ("upgrade", "rebuild", None):
        rows = rows_now(lake, tables)
        for table in tables:
            assert rows[table] == released.rows(table), (table, command)
        if command:
            assert CliRunner().invoke(main, [command, "--lake", lake.uri]).exit_code == 0


@pytest.mark.parametrize("command", READING, ids=[command[0] for command in READING])
def test_reading_leaves_an_older_lake_alone(released: Released, command: tuple[str, ...], tmp_path: Path) -> None:
    """Each command that reads answers by this version, says that the lake is older, and changes no file of it."""
    before = files_of(released.folder)
    code, output = run(released.lake, *command, report=tmp_path / "report.html")
    assert code in {0, 3}, output
    assert re.search("older version", output) or command[0] == "doctor"
    assert files_of(released.folder) == before


def test_python_reads_an_older_lake(released: Released) -> None:
    """`pipeline.open` has the facts of the lake, as an upgrade makes them, and warns."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with pipeline.open(released.lake.uri) as connection:
            before = {name: sorted(map(str, connection.sql(f"from {name}").fetchall())) for name in schema.FACTS}
    assert any("the next load brings the lake up to date" in str(one.message) for one in told)
    with writing(released.lake):
        pass
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pipeline.open(released.lake.uri) as connection:
            assert {name: sorted(map(str, connection.sql(f"from {name}").fetchall())) for name in schema.FACTS} == before


def test_a_dry_run_tells_what_an_upgrade_does(released: Released, tmp_path: Path) -> None:
    """It names the tables to make and the number of conversations; the upgrade does that, and the next has nothing to do."""
    count = len(released.rows("conversations"))
    code, told = run(released.lake, "upgrade", "--dry-run", report=tmp_path)
    assert (code, f"{count} conversations" in told, "conversation_metrics" in told) == (0, True, True)
    assert released.lake.snapshot().outdated
    code, told = run(released.lake, "upgrade", report=tmp_path)
    assert (code, f"the facts of {count} conversations were computed" in told) == (0, True)
    assert released.lake.snapshot().is_current
    assert "nothing to do" in run(released.lake, "upgrade", report=tmp_path)[1]
    assert verify(released.lake, read_data=True).findings == []


def test_upgraded_facts_are_those_of_a_fresh_load(released: Released, tmp_path: Path) -> None:
    """An upgrade and a rebuild compute the facts that a load of the same files into a new lake computes."""
    new = Lake(str(tmp_path / "new"))
    take(new, released.folder / "lake" / "landing")
    expected = everything(new)
    for command in ("upgrade", "rebuild"):
        run(released.lake, command, report=tmp_path)
        rows = everything(released.lake)
        assert {name: rows[name] for name in schema.FACTS} == {name: expected[name] for name in schema.FACTS}, command


@pytest.mark.parametrize("command", [WRITING[0], WRITING[-1]], ids=["compact", "erase"])
def test_each_command_that_writes_upgrades(talk: Lake, tmp_path: Path, command: tuple[str, ...]) -> None:
    """A command that writes brings an older lake up to date before its own work, and says so."""
    expected = everything(talk)
    rewrite(talk, forget_format)
    code, output = run(talk, *command, report=tmp_path)
    assert (code in {0, 3}, "an older version has written" in output) == (True, True), output
    assert talk.snapshot().is_current
    assert everything(talk) == expected


def test_the_duckdb_file_of_an_older_version_is_left_alone(talk: Lake) -> None:
    """A reader takes the facts of an older lake from no DuckDB file, and leaves that version's file as it is."""
    path = Path(talk.root, "lakehouse.duckdb")
    contents = path.read_bytes()
    expected = everything(talk)
    rewrite(talk, forget_format)
    path.write_bytes(contents)
    with duckdb.connect(str(path)) as connection:
        connection.execute("drop macro lake_format")
    before = files_of(path.parent)
    told: list[str] = []
    with connect(talk, told.append) as connection:
        assert connection.sql("select count(*) from segments").fetchall() == [(len(expected["segments"]),)]
    assert ["format 1" in sentence for sentence in told] == [True]
    assert files_of(path.parent) == before


def test_erased_people_stay_away(released: Released, tmp_path: Path) -> None:
    """A load of files with erased conversations into an older lake brings none back, nor does a rebuild."""
    code, output = run(released.lake, "load", str(released.source), report=tmp_path)
    assert code == 0, output
    run(released.lake, "rebuild", report=tmp_path)
    erased = tuple(released.erased.values())
    assert not any(
        ident in row
        for table, rows in everything(released.lake).items()
        if table != "listings"
        for row in rows
        for ident in erased
    )
    for path in Path(released.lake.root, "landing").rglob("*.gz"):
        assert not any(ident.encode() in gzip.decompress(path.read_bytes()) for ident in erased if path.is_file())
    assert verify(released.lake, read_data=True).findings == []


@pytest.mark.parametrize("is_released", [False, pytest.param(True, marks=pytest.mark.long)])
def test_a_killed_upgrade_leaves_the_old_lake_or_the_new_one(talk: Lake, tmp_path: Path, *, is_released: bool) -> None:
    """Before each step of an upgrade a kill leaves one of both, which can be read; the next run finishes the work."""
    if is_released:
        former = unpack(VERSIONS[-1], tmp_path / "former").lake
    else:
        rewrite(talk, forget_format)
        former = talk
    sent = sent_and_listed(former)
    whole = copied(former, tmp_path / "whole")
    steps: list[str] = []
    whole.on_step = steps.append
    with writing(whole):
        pass
    assert "commit files" in steps
    expected = everything(whole)
    for place, step in enumerate(dict.fromkeys(steps)):
        if not (is_released or step in {"commit segments", "commit files", "publish"}):
            continue
        lake = copied(former, tmp_path / str(place))
        with killed_before(lake, step), writing(lake):
            pass
        left = Lake(lake.uri)
        assert left.snapshot().is_current == (place > steps.index("commit files")), step
        assert sent_and_listed(left) == sent
        with writing(left):
            compact(left)
        assert everything(left) == expected
        assert verify(left, read_data=True).findings == []


def test_an_upgrade_that_died_before_it_published_is_finished_by_the_next(talk: Lake) -> None:
    """The lake is up to date then, and its DuckDB file is made by the next upgrade."""
    rewrite(talk, forget_format)
    Path(talk.root, "lakehouse.duckdb").unlink(missing_ok=True)
    with killed_before(talk, "publish"), writing(talk):
        pass
    left = Lake(talk.uri)
    assert not Path(left.root, "lakehouse.duckdb").exists()

    with writing(left, upgrades=False):
        assert upgrade(left) is None

    assert verify(left).findings == []


def test_a_newer_lake_is_left_alone(talk: Lake, tmp_path: Path) -> None:
    """Each command says in a sentence that a newer version has written the lake, ends with 1, and changes nothing."""

    def make_newer(commit: dict[str, Any]) -> None:
        commit[FORMAT] = current_format()._replace(number=NEWEST + 1).packed()

    rewrite(talk, make_newer)
    before = files_of(tmp_path)
    for command in (*READING, *WRITING, ("load", str(tmp_path / "one"))):
        code, output = run(talk, *command, report=tmp_path / "report.html")
        assert code == (2 if command[0] == "doctor" and "FAIL settings" in output else 1), (command, output)
        sentence = f"expected format {NEWEST} or older, found {NEWEST + 1}; nothing was changed: install the newer version"
        assert sentence in output, command
        assert files_of(tmp_path) == before, command
    with pytest.raises(LakeError, match="install the newer version"):
        connect(talk)


def test_the_duckdb_file_of_a_newer_lake_is_not_read(talk: Lake) -> None:
    """A reader that looks at the DuckDB file alone refuses that of a newer version, too."""
    newer = current_format()._replace(number=NEWEST + 1).packed()
    with duckdb.connect(f"{talk.root}/lakehouse.duckdb") as connection:
        connection.execute(f"create or replace macro lake_format() as '{newer}'")
    with pytest.raises(LakeError, match="install the newer version"):
        connect(talk)


def test_an_older_program_on_a_newer_lake_is_made_good(talk: Lake, tmp_path: Path) -> None:
    """After a load by a version without facts, readers compute them; the next run does, and deletes the facts of before."""
    expected = everything(talk)
    strays = {*Path(talk.root).glob("conversation_metrics/*/*.parquet")}
    rewrite(talk, forget_format)
    with connect(talk) as connection:
        assert connection.sql("select count(*) from conversation_metrics").fetchall() == [(8,)]
    assert verify(talk).outdated
    take(talk, put(tmp_path, gz(document(conversation("new"))), name_at(3)))
    assert ask(talk, "select count(*) from conversation_metrics") == [(9,)]
    assert [row for row in everything(talk)["queue_entries"] if '"new"' not in row] == expected["queue_entries"]
    assert not any(path.exists() for path in strays)
    assert verify(talk, read_data=True).findings == []


def test_facts_by_other_definitions_are_computed_anew(talk: Lake) -> None:
    """Where the SQL of a fact has changed, readers see facts by this version's alone, and the next run stores them."""
    expected = everything(talk)
    rewrite(talk, lambda commit: commit.update({FORMAT: current_format()._replace(facts="others").packed()}))
    assert talk.snapshot().outdated
    assert everything(talk) == expected
    former = {file.path for file in talk.snapshot().files["segments"]}
    with writing(talk):
        pass
    assert talk.snapshot().is_current
    assert everything(talk) == expected
    assert not former & {file.path for file in talk.snapshot().files["segments"]}


def test_a_recomputation_gives_the_same_rows(talk: Lake) -> None:
    """All facts computed anew are those of the loads, also of files of two accounts with one name, and taken in small parts."""
    expected = everything(talk)
    stored = facts_of(talk)
    with writing(talk):
        done = upgrade(talk, recomputes=True)
    assert done is not None
    assert (done.conversations, everything(talk), facts_of(talk)) == (8, expected, stored)
    parts = list(facts_of_lake(talk, talk.snapshot(), messages_at_once=5))
    assert len(parts) > 1
    for name, rows in stored.items():
        assert sorted(str(row) for part in parts for row in part.facts[name].to_pylist()) == rows


def test_an_upgrade_that_another_run_overtakes_is_done_anew(tmp_path: Path) -> None:
    """In a bucket no lock keeps two upgrades apart: the second finds the lake up to date, and leaves no file of its own."""
    released = unpack(VERSIONS[-1], tmp_path)
    lake = released.lake
    with first(lake, "commit", lambda: upgrade(released.lake)):
        assert upgrade(lake) is None
    for name in schema.FACTS:
        on_disk = {path.name for path in Path(lake.root, name).rglob("date=*/*.parquet")}
        assert on_disk == {file.path.rpartition("/")[2] for file in lake.snapshot().files[name]}


def test_no_load_builds_on_an_older_lake(talk: Lake) -> None:
    """A run that finds a commit of an older version above its upgrade, as in a bucket, commits nothing."""
    rewrite(talk, forget_format)
    with pytest.raises(LakeError, match="let one version write"):
        talk.commit({}, talk.snapshot())


def test_an_empty_lake_of_an_older_version_is_loaded_into(lake: Lake, tmp_path: Path) -> None:
    """A lake in which tables were made and nothing was loaded gets the tables that it lacks with the first load."""
    lake.create()
    for name in schema.FACTS:
        shutil.rmtree(Path(lake.root, name))
    assert lake.snapshot().missing == set(schema.FACTS)
    take(lake, put(tmp_path, gz(document(conversation("c"))), name_at(0)))
    assert ask(lake, "select count(*) from conversation_metrics") == [(1,)]
    assert lake.snapshot().is_current
