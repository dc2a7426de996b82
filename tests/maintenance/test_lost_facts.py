"""Facts that are gone or damaged: they follow from the other tables, so nothing is lost, and the next run makes them anew."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from deltalake import DeltaTable, write_deltalake
from documents import conversation, document, gz, message, name_at, put
from lakes import all_rows, everything, killed_before, take
from released_lakes import forget_format, rewrite
from selections import often

from pipeline import schema
from pipeline.cli.commands import main
from pipeline.erasure.erase import erase
from pipeline.lake.lake import Lake
from pipeline.load.engines import Processes
from pipeline.load.rebuild import rebuild
from pipeline.load.session import writing
from pipeline.maintenance.upgrade import upgrade
from pipeline.maintenance.verify import verify
from pipeline.warehouse.database import connect, publish

TRANSFER = {"timestamp": {"string": "1469469300000"}, "skillId": {"long": 1}, "targetSkillId": {"long": 2}}
AT = 1_469_469_281_856
Rows = dict[str, list[str]]
REMEDY = "run lakehouse upgrade --recompute, which computes it anew"


def loaded(lake: Lake, folder: Path, hour: int) -> None:
    """Load a file with a conversation that has rows in every fact."""
    lines = [message(str(n), timestamp=AT + n * 1000, type={"string": str(n % 2)}) for n in range(6)]
    take(lake, put(folder, gz(document(conversation(f"c{hour}", messages=lines, transfers=[TRANSFER]))), name_at(hour)))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake of three loads, and a copy of its facts of after the first one."""
    place = tmp_path_factory.mktemp("sound")
    lake = Lake(str(place / "lake"))
    for hour in range(3):
        loaded(lake, place / "in", hour)
        if hour == 0:
            for name in schema.FACTS:
                shutil.copytree(lake.path(name), place / "backup" / name)
        if hour == 1:
            for name in schema.FACTS:
                DeltaTable(lake.table_uri(name)).create_checkpoint()
    put(place / "more", gz(document(conversation("new"))), name_at(7))
    return place


@pytest.fixture
def lake(sound: Path, tmp_path: Path) -> Lake:
    """A copy of it, without the DuckDB file, which names the files of the original."""
    shutil.copytree(sound, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("lakehouse.duckdb"))
    return Lake(str(tmp_path / "lake"))


@pytest.fixture(scope="module")
def expected(sound: Path) -> Rows:
    """All rows of it."""
    return everything(Lake(str(sound / "lake")))


def commits(table: Path) -> list[Path]:
    return sorted(table.glob("_delta_log/*.json"))


def no_commits(table: Path) -> None:
    for path in commits(table):
        path.unlink()


def a_file(table: Path) -> None:
    shutil.rmtree(table)
    table.write_bytes(b"a file")


def an_older_one(table: Path) -> None:
    shutil.rmtree(table)
    shutil.copytree(table.parent.parent / "backup" / table.name, table)


def another_one(table: Path) -> None:
    """The table with a commit of its own in the place of the newest load's."""
    shutil.copytree(table.parent.parent / "backup" / table.name, f"{table}.other")
    other = DeltaTable(f"{table}.other")
    rows = other.to_pyarrow_table()
    for _ in range(2):
        other.delete()
        write_deltalake(other, rows, mode="append")
    shutil.rmtree(table)
    Path(f"{table}.other").rename(table)


def no_files(table: Path) -> None:
    for path in table.glob("date=*"):
        shutil.rmtree(path)


def cut_files(table: Path) -> None:
    for path in table.glob("date=*/*.parquet"):
        path.write_bytes(path.read_bytes()[:-9])


def cut_checkpoint(table: Path) -> None:
    """The only source of the commits before it."""
    path = max(table.glob("_delta_log/*.checkpoint.parquet"))
    path.write_bytes(path.read_bytes()[:40])
    commits(table)[0].unlink()


HARMS: dict[str, Callable[[Path], object]] = {
    "gone": shutil.rmtree,
    "log gone": lambda table: shutil.rmtree(table / "_delta_log"),
    "a file": a_file,
    "newest commit empty": lambda table: commits(table)[-1].write_bytes(b""),
    "newest commit garbage": lambda table: commits(table)[-1].write_bytes(b"\xff\x00{"),
    "newest commit gone": lambda table: commits(table)[-1].unlink(),
    "all commits gone": no_commits,
    "all commits empty": lambda table: [path.write_bytes(b"") for path in commits(table)],
    "checkpoint cut": cut_checkpoint,
    "older": an_older_one,
    "other": another_one,
}
IN_THE_FILES: dict[str, Callable[[Path], object]] = {"files gone": no_files, "files cut": cut_files}
ALL: dict[str, Callable[[Path], object]] = {**HARMS, **IN_THE_FILES}
COMMANDS = {
    "upgrade": ("upgrade",),
    "recompute": ("upgrade", "--recompute"),
    "rebuild": ("rebuild",),
    "compact": ("compact",),
    "load": ("load", "in"),
    "erase": ("erase", "--conversation-id", "nobody"),
}


def run(lake: Lake, *arguments: str) -> tuple[int, str]:
    """Run a command on a lake; gives its exit code and all that it prints, in one line."""
    words = [str(Path(lake.root).parent / "in") if word == "in" else word for word in arguments]
    done = CliRunner().invoke(main, [*words, "--lake", lake.uri])
    return done.exit_code, " ".join(done.output.split())


def rows(lake: Lake) -> Rows:
    """All rows as a reader sees them."""
    with connect(lake) as connection:
        return all_rows(connection)


def findings(lake: Lake) -> list[str]:
    """The findings of `verify`, but for the DuckDB file."""
    return [one.removeprefix(f"{lake.uri}/") for one in verify(lake).findings if "lakehouse.duckdb" not in one]


@pytest.mark.parametrize("harm", often("gone", "a file", "newest commit garbage", "checkpoint cut", "older", "other", of=HARMS))
def test_readers_compute_facts_that_are_lost(lake: Lake, harm: str, expected: Rows) -> None:
    """They say so and change nothing; `verify` reports the table, with the command that makes it anew."""
    HARMS[harm](Path(lake.path("segments")))
    told: list[str] = []
    with connect(lake, told.append) as connection:
        assert all_rows(connection) == expected
    assert [sentence for sentence in told if "segments" in sentence and "computes the facts for itself" in sentence]
    found = findings(lake)
    assert found
    assert all(re.search(r"(^|/)segments(/|:)", one) and one.endswith(REMEDY) for one in found), found


@pytest.mark.parametrize(
    "harm", often("gone", "all commits empty", "checkpoint cut", "files cut", of=ALL)
)  # each command occurs
def test_lost_facts_are_made_anew(lake: Lake, harm: str, expected: Rows) -> None:
    """A command that writes does it; where only data files are gone or damaged, `upgrade --recompute` or `rebuild` does."""
    place = [*ALL].index(harm)  # of those that are not long, each command occurs
    suited = ("recompute", "rebuild") if harm in IN_THE_FILES else tuple(COMMANDS)
    for fact, command in zip(("queue_entries", "conversation_metrics"), (place, place + 3), strict=True):
        ALL[harm](Path(lake.path(fact)))
        code, output = run(lake, *COMMANDS[suited[command % len(suited)]])
        assert code in {0, 3}, output
        assert everything(lake) == expected
        assert verify(lake, read_data=True).findings == []


@pytest.mark.parametrize("command", ["upgrade", pytest.param("rebuild", marks=pytest.mark.long)])
@pytest.mark.parametrize("steps_to_die", [("renew segments", "commit files"), pytest.param((), marks=pytest.mark.long)])
@pytest.mark.parametrize("harm", ["gone", *(pytest.param(one, marks=pytest.mark.long) for one in ("older", "log gone"))])
def test_a_run_that_makes_lost_facts_anew_may_be_killed(
    lake: Lake, harm: str, command: str, steps_to_die: tuple[str, ...], expected: Rows
) -> None:
    """Before each of its steps a kill leaves a lake of which readers see every row; the next run finishes the work."""
    HARMS[harm](Path(lake.path("segments")))
    steps = run_noting_steps(copy_of(lake, "whole"), command)
    assert "commit segments" in steps
    names = list(dict.fromkeys(steps))
    for step in [name for name in names if not steps_to_die or name in steps_to_die]:
        left = copy_of(lake, "left")
        with killed_before(left, step):
            run_noting_steps(left, command)
        assert rows(Lake(left.uri)) == expected, step
        assert (Lake(left.uri).snapshot().outdated is None) == (names.index(step) > names.index("commit files")), step
        with writing(Lake(left.uri)):
            pass
        assert everything(Lake(left.uri)) == expected, step
        assert findings(Lake(left.uri)) == []


def copy_of(lake: Lake, name: str) -> Lake:
    """A copy of a lake in the place of a former one."""
    place = Path(lake.root).parent / name
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(lake.root, place)
    return Lake(str(place))


def run_noting_steps(lake: Lake, command: str) -> list[str]:
    """Upgrade or rebuild a lake in this process; gives the steps that it comes to."""
    steps: list[str] = []
    on_step = lake.on_step

    def note(step: str) -> None:
        steps.append(step)
        on_step(step)

    lake.on_step = note
    with writing(lake, upgrades=False):
        upgrade(lake) if command == "upgrade" else rebuild(lake, engine=Processes(1))
    return steps


def test_a_row_of_an_erased_person_goes_with_the_backup_that_has_put_it_back(lake: Lake) -> None:
    """Files of facts that no load names are deleted before the facts are computed anew, so also if the run is killed."""
    shutil.rmtree(Path(lake.root).parent / "backup")
    shutil.copytree(lake.path("segments"), Path(lake.root).parent / "backup" / "segments")
    with writing(lake):
        erase(lake, "conversation", "c1")
    an_older_one(Path(lake.path("segments")))
    assert with_id(lake, "c1")
    for step in ("commit", "commit segments", "commit files", "publish"):
        left = copy_of(lake, "left")
        with killed_before(left, step), writing(left):
            pass
        assert not with_id(left, "c1"), step


@pytest.mark.parametrize("command", ["upgrade", pytest.param("rebuild", marks=pytest.mark.long)])
@pytest.mark.parametrize("steps_to_die", [("delete", "publish"), pytest.param((), marks=pytest.mark.long)])
def test_no_file_keeps_an_id_that_an_older_version_has_erased(
    tmp_path: Path, command: str, steps_to_die: tuple[str, ...]
) -> None:
    """That version knows no facts; once the lake is up to date, none of their files has the id, wherever a run was killed."""
    former = Lake(str(tmp_path / "former"))
    for hour in range(2):
        loaded(former, tmp_path / "in", hour)
    erased_by_an_older_version(former, "c1")
    steps = run_noting_steps(copy_of(former, "whole"), command)
    assert steps.index("delete") < steps.index("commit files")
    for step in steps_to_die or dict.fromkeys(steps):
        left = copy_of(former, "left")
        with killed_before(left, step):
            run_noting_steps(left, command)
        left = Lake(left.uri)
        is_current = left.snapshot().is_current
        assert is_current == (steps.index(step) > steps.index("commit files"))
        assert not is_current or not with_id(left, "c1"), step
        erased_by_an_older_version(left, "c0")
        is_between = steps.index("delete") < steps.index(step) <= steps.index("commit files")
        assert with_id(left, "c0") or is_between, step  # between them there may be no file of facts at all
        with writing(left):
            pass
        assert not with_id(left, "c1") + with_id(left, "c0"), step


def erased_by_an_older_version(lake: Lake, ident: str) -> None:
    """Erase a conversation as a version does that knows of no facts: these stay, and the commit names none."""
    kept = Path(lake.root).parent / "kept"
    shutil.rmtree(kept, ignore_errors=True)
    for name in schema.FACTS:
        shutil.copytree(lake.path(name), kept / name)
    with writing(lake):
        erase(lake, "conversation", ident)
    for name in schema.FACTS:
        shutil.rmtree(lake.path(name))
        shutil.copytree(kept / name, lake.path(name))
    rewrite(lake, forget_format)


def with_id(lake: Lake, ident: str) -> list[Path]:
    """The Parquet files of facts that hold a conversation."""
    return [
        path
        for name in schema.FACTS
        for path in Path(lake.path(name)).rglob("date=*/*.parquet")
        if ident in pq.read_table(path)["conversation_id"].to_pylist()
    ]


def test_readers_compute_a_fact_whose_files_the_duckdb_file_names_in_vain(lake: Lake, expected: Rows) -> None:
    """Where the folder of a fact is gone, the DuckDB file is not read, and stays as it is."""
    with writing(lake):
        publish(lake, lake.snapshot())
    before = Path(lake.path("lakehouse.duckdb")).read_bytes()
    shutil.rmtree(lake.path("responses"))
    assert rows(lake) == expected
    assert Path(lake.path("lakehouse.duckdb")).read_bytes() == before


@pytest.mark.parametrize("is_older", [False, True])
def test_no_duckdb_file_is_left_that_names_files_of_facts_which_are_gone(lake: Lake, expected: Rows, *, is_older: bool) -> None:
    """Where an upgrade dies before it has made the file anew, readers compute their own copy."""
    publish(lake, lake.snapshot())
    path = Path(lake.path("lakehouse.duckdb"))
    contents = path.read_bytes()
    if is_older:
        rewrite(lake, forget_format)
        path.write_bytes(contents)  # the older version has died before it made its own
    else:
        shutil.rmtree(lake.path("segments"))
    with killed_before(lake, "publish"), writing(lake):
        pass
    assert rows(Lake(lake.uri)) == expected
    with writing(Lake(lake.uri), upgrades=False):
        assert upgrade(Lake(lake.uri)) is None
    assert verify(Lake(lake.uri)).findings == []
