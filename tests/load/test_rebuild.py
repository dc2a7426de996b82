"""A rebuild makes the tables anew from the landed files, in place, and keeps all that these do not hold."""

import json
import shutil
from pathlib import Path

import duckdb
import openpgp
import pytest
from click.testing import CliRunner
from documents import DAY_MS, START, conversation, document, gz, message, name_at, put
from lakes import ask, conversations, everything, first, killed_before, take
from released_lakes import VERSIONS, unpack

from pipeline import schema
from pipeline.cli.commands import main
from pipeline.lake.lake import Lake
from pipeline.load.engines import Processes
from pipeline.load.find import find_files, incoming_from
from pipeline.load.load import load
from pipeline.load.rebuild import Rebuilt, rebuild
from pipeline.load.session import writing
from pipeline.maintenance.verify import verify

TRANSFER = {"timestamp": {"string": "1469469300000"}, "skillId": {"long": 1}, "targetSkillId": {"long": 2}}


@pytest.fixture
def busy(lake: Lake, tmp_path: Path) -> Lake:
    """A lake with late deliveries, conversations taken back, two files of one name, no account, rejects and a broken file."""
    later = START + DAY_MS
    said = [message(str(n), timestamp=START + n * 1000, type={"string": str(n % 2)}) for n in range(4)]
    talks = [document(conversation(f"c{n}", messages=said, transfers=[TRANSFER])) for n in range(4)]
    no_account = document(conversation("c7"), account_id=None)
    loads = (
        ("a", name_at(0), gz(*talks, "garbage")),
        ("b", name_at(1), gz(document(conversation("c5")), no_account, "{")),
        ("c", name_at(2), gz(document(conversation("c8")))[:-9]),
        ("d", name_at(3), gz(document(conversation("c0", start=later, messages=said[1:]), conversation("c9")))),
        ("e", name_at(0), gz(document(conversation("c0", messages=said), account_id="other account"), "more garbage")),
        ("f", name_at(3), gz(document(conversation("c9", messages=[]), conversation("c10")))),
    )
    for folder, name, contents in loads:
        take(lake, put(tmp_path / folder, contents, name))
    return lake


def landed(lake: Lake, name: str) -> list[Path]:
    """The landed files of a name."""
    return sorted(Path(lake.root, "landing").rglob(name))


def build(lake: Lake) -> Rebuilt:
    """Make the tables of a lake anew, in this process."""
    with writing(lake, upgrades=False):
        return rebuild(lake, engine=Processes(1))


def test_a_rebuild_gives_the_same_rows(busy: Lake) -> None:
    """Each table has the rows that it had, hidden columns included, in files of its own."""
    before, files = everything(busy), busy.snapshot().files
    hidden = hidden_rows(busy)
    done = build(busy)
    assert (done.lost, everything(busy), hidden_rows(busy)) == ([], before, hidden)
    after = busy.snapshot().files
    assert not {file.path for file in files["conversations"]} & {file.path for file in after["conversations"]}
    assert after["listings"] == files["listings"]
    assert verify(busy, read_data=True).findings == []


def hidden_rows(lake: Lake) -> dict[str, list[tuple[object, ...]]]:
    """The rows of the tables of deliveries, as the Parquet files have them."""
    found = {}
    for name in schema.DELIVERED:
        locations = lake.locations(name, lake.snapshot().files[name])
        with duckdb.connect() as connection:
            found[name] = sorted(
                connection.execute(f"from read_parquet({locations}, hive_partitioning = true)").fetchall(), key=str
            )
    return found


def test_rows_of_lost_files_stay(busy: Lake) -> None:
    """Rows of files whose landed file is gone or damaged stay, with facts and rejects, and the command ends with 3."""
    before = everything(busy)
    gone, *_ = landed(busy, name_at(0))
    gone.unlink()
    damaged = landed(busy, name_at(1))[0]
    damaged.write_bytes(damaged.read_bytes()[:-3])
    done = CliRunner().invoke(main, ["rebuild", "--lake", busy.uri])
    assert done.exit_code == 3, done.output
    assert str(gone) in done.output
    assert str(damaged) in done.output
    assert everything(busy) == before
    assert len(verify(busy, read_data=True).findings) == 2
    build(busy)
    assert everything(busy) == before


def test_a_rebuild_mends_damaged_tables(busy: Lake) -> None:
    """Parquet files that are gone or damaged are made anew, since none of them is read."""
    before = everything(busy)
    for name in ("conversations", "messages", "segments", "rejects"):
        file = busy.snapshot().files[name][0]
        path = Path(busy.path(name, file.path))
        path.unlink() if name == "messages" else path.write_bytes(path.read_bytes()[:-40])
    assert verify(busy).findings
    build(busy)
    assert everything(busy) == before
    assert verify(busy, read_data=True).findings == []


def test_erased_people_do_not_come_back(tmp_path: Path) -> None:
    """Where a backup has brought landed files with erased people, a rebuild cuts them again."""
    released = unpack(VERSIONS[-1], tmp_path)
    lake = released.lake
    kept = conversations(lake)
    for path in released.source.iterdir():
        for target in landed(lake, path.name):
            shutil.copyfile(path, target)
    build(lake)
    assert conversations(lake) == kept
    erased = json.dumps(everything(lake))
    assert not any(ident in erased for ident in released.erased.values())
    assert verify(lake, read_data=True).findings == []


@pytest.mark.parametrize(
    "step",
    [
        *(pytest.param(step, marks=pytest.mark.long) for step in ("read", "commit", "commit files")),
        "commit messages",
        "publish",
    ],
)
def test_a_killed_rebuild_leaves_the_old_lake_or_the_new_one(busy: Lake, step: str) -> None:
    """A kill before any step leaves the rows as they were; the next rebuild finishes the work."""
    before = everything(busy)
    with killed_before(busy, step), writing(busy, upgrades=False):
        rebuild(busy, engine=Processes(1))
    assert everything(Lake(busy.uri)) == before
    build(Lake(busy.uri))
    assert everything(busy) == before
    assert verify(busy, read_data=True).findings == []


def test_a_rebuild_that_a_load_overtakes_reads_anew(busy: Lake, tmp_path: Path) -> None:
    """In a bucket no lock keeps a load away: a rebuild has its rows, too."""

    def overtake() -> None:
        late = put(tmp_path / "late", gz(document(conversation("late"))), name_at(9))
        load(Lake(busy.uri), incoming_from(find_files([str(late)])), engine=Processes(1))

    with writing(busy, upgrades=False), first(busy, "commit", overtake):
        rebuild(busy, engine=Processes(1))
    assert "late" in conversations(busy)
    assert ask(busy, "select count(*) from conversation_metrics") == ask(busy, "select count(*) from conversations")
    assert verify(busy, read_data=True).findings == []


def test_a_rebuild_without_the_key_changes_nothing(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values that were decrypted when they were loaded are not replaced by their encrypted forms: the command ends with 2."""
    monkeypatch.setenv("LP_PGP_KEY", str(openpgp.KEY))
    monkeypatch.setenv("LP_PGP_PASSPHRASE", openpgp.PASSPHRASE)
    take(lake, put(tmp_path, gz(document(conversation("c", messages=[message(openpgp.encrypted("a secret"))]))), name_at(0)))
    before = everything(lake)
    assert "a secret" in str(before["messages"])
    monkeypatch.delenv("LP_PGP_KEY")
    done = CliRunner().invoke(main, ["rebuild", "--lake", lake.uri])
    assert (done.exit_code, "set LP_PGP_KEY" in " ".join(done.output.split())) == (2, True), done.output
    assert everything(lake) == before
