"""Links that somebody puts into a lake: nothing outside of it is ever written or deleted, and verify names them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import lakehouse
from documents import conversation, document, gz, name_at, put
from lakes import ask, copied, take

from pipeline.lake.lake import Lake
from pipeline.maintenance.verify import verify

COMMANDS = (("load", "new"), ("compact", "--retain-hours", "0"), ("erase", "--conversation-id", "c1"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake of a file."""
    folder = tmp_path_factory.mktemp("links")
    lake = Lake(str(folder / "lake"))
    take(lake, put(folder / "in", gz(document(conversation("c1")))))
    return lake


@pytest.fixture
def lake(made: Lake, tmp_path: Path) -> Lake:
    """A copy of it, and a file to load."""
    put(tmp_path / "new", gz(document(conversation("c2"))), name_at(0, part=1))
    return copied(made, tmp_path)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the lake with files in it that look like those of a lake."""
    folder = tmp_path / "outside"
    (folder / "below").mkdir(parents=True)
    for name in ("a.parquet", "part-1.parquet", "x.gz", "below/a.parquet", "00000000000000000000.json"):
        (folder / name).write_text(f"outside {name}")
    return folder


def below(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def replaced(path: Path, target: Path) -> Path:
    """Put a link in the place of whatever is there, which goes into the target's folder."""
    if path.exists():
        path.rename(path.with_name(f"former-{path.name}"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    return path


PLACES: dict[str, Callable[[Path], Path]] = {
    "staging": lambda lake: lake / "landing" / ".incoming",
    "landing": lambda lake: lake / "landing",
    "day": lambda lake: next((lake / "landing").glob("2016-*")),
    "table": lambda lake: lake / "messages",
    "log": lambda lake: lake / "messages" / "_delta_log",
    "partition": lambda lake: next((lake / "messages").glob("date=*")),
    "new partition": lambda lake: lake / "messages" / "date=2000-01-01",
    "ledger": lambda lake: lake / "files" / "_delta_log",
    "spill": lambda lake: lake / ".publish-x",
    "key": lambda lake: lake / "erasure.key.new",
}


@pytest.mark.parametrize(
    ("place", "commands"),
    [
        *((place, (COMMANDS[number % len(COMMANDS)],)) for number, place in enumerate(PLACES)),
        *(pytest.param(place, COMMANDS, marks=pytest.mark.long) for place in PLACES),
    ],
)
def test_nothing_outside_is_written_or_deleted(
    lake: Lake, outside: Path, tmp_path: Path, place: str, commands: tuple[tuple[str, ...], ...]
) -> None:
    """Wherever in a lake a link leads out of it, no command changes a file there, nor has it a bug; verify names the link."""
    link = replaced(PLACES[place](Path(lake.root)), outside)
    before = below(outside)
    assert any(finding.startswith(f"{link}: is a link to {outside}") for finding in verify(lake).findings)
    for command in commands:
        done = lakehouse(*command, "--lake", lake.root, cwd=tmp_path)
        assert "this is a bug" not in done.stderr
        assert below(outside) == before, command


def test_the_lock_is_no_link(lake: Lake, tmp_path: Path) -> None:
    """A link in the place of the file that writers lock is not opened for writing."""
    target = tmp_path / "precious"
    target.write_text("precious")
    Path(lake.root, ".lock").unlink(missing_ok=True)
    Path(lake.root, ".lock").symlink_to(target)
    done = lakehouse("load", "new", "--lake", lake.root, cwd=tmp_path)
    assert (done.returncode, target.read_text()) == (1, "precious")
    assert "a link leads out of its place" in done.stderr


@pytest.mark.parametrize(
    "path",
    [
        "../../outside/a.parquet",
        *(
            pytest.param(path, marks=pytest.mark.long)
            for path in ("date=2016-07-25/../../../outside/a.parquet", "%2e%2e/x.parquet")
        ),
    ],
)
def test_a_log_that_names_a_file_elsewhere_is_refused(lake: Lake, outside: Path, tmp_path: Path, path: str) -> None:
    """An entry of a table's log whose path leaves the table: nothing is read, written or deleted there."""
    log = max(Path(lake.root, "messages", "_delta_log").glob("*.json"))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        if "add" in line:
            line["add"]["path"] = path
    log.write_text("\n".join(map(json.dumps, lines)))
    before = below(outside)
    for command in COMMANDS:
        done = lakehouse(*command, "--lake", lake.root, cwd=tmp_path)
        assert (done.returncode, "this is a bug" in done.stderr) == (1, False), done.stderr
        assert below(outside) == before
    assert verify(lake).findings


def test_a_lake_behind_a_link_and_settings_that_are_one(lake: Lake, tmp_path: Path) -> None:
    """The lake itself may be reached by a link, and its settings and key may be links to where they are kept."""
    (tmp_path / "link").symlink_to(lake.root)
    kept = tmp_path / "settings.csv"
    Path(lake.root, "settings.csv").rename(kept)
    Path(lake.root, "settings.csv").symlink_to(kept)
    behind = Lake(str(tmp_path / "link"))
    take(behind, tmp_path / "new")
    assert lakehouse("erase", "--conversation-id", "c1", "--lake", behind.root, cwd=tmp_path).returncode == 0
    assert ask(behind, "select conversation_id from conversations") == [("c2",)]
    assert verify(behind).findings == []
