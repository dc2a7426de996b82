"""The secret, the tombstones and the notes of purges are verified before anything relies on them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import lakehouse
from documents import conversation, document, gz, message, name_at, put
from lakes import ask, killed_before, take
from scripted_api import ScriptedApi
from selections import often

from pipeline import schema
from pipeline.erasure.erase import erase
from pipeline.erasure.tombstones import KEY_FILE, read_tombstones
from pipeline.errors import LakeError
from pipeline.lake.lake import Lake
from pipeline.lake.parquet import rows_of
from pipeline.lake.snapshot import Change
from pipeline.load.session import writing
from pipeline.maintenance.verify import verify


@pytest.fixture(scope="module")
def erased(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake from which X was erased, and a file that brings X back."""
    folder = tmp_path_factory.mktemp("erased")
    lake = Lake(str(folder / "lake"))
    take(lake, put(folder, gz(owned("x", "X"), owned("y", "Y"))))
    with writing(lake):
        erase(lake, "consumer", "X")
    put(folder, gz(owned("x", "X", text="secret text")), name_at(5))
    return folder


@pytest.fixture
def lake(erased: Path, tmp_path: Path) -> Lake:
    """A copy of that lake."""
    return Lake(str(shutil.copytree(erased, tmp_path, dirs_exist_ok=True) / "lake"))


def owned(conversation_id: str, consumer: str | None, *, text: str = "hello") -> dict[str, object]:
    """A document with a conversation of a consumer."""
    named = consumer and {"string": consumer}
    return document(conversation(conversation_id, consumerId=named, messages=[message(text)]))


def flipped(contents: bytes) -> bytes:
    """The same with one bit of the first byte changed."""
    return bytes([contents[0] ^ 1]) + contents[1:]


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "gone": lambda _: None,
    "empty": lambda _: b"",
    "cut": lambda key: key[:-1],
    "longer": lambda key: key + b"\n",
    "flipped": flipped,
    "another": lambda key: bytes(len(key)),
}


@pytest.mark.parametrize("damage", often("gone", "cut", "flipped", of=DAMAGES))
def test_no_run_goes_on_with_a_key_that_is_not_whole(lake: Lake, tmp_path: Path, damage: str) -> None:
    """Without a whole key sync asks nothing, load and erase change nothing, and these, verify and doctor say what to do."""
    secret = Path(lake.root, KEY_FILE)
    key = secret.read_bytes()
    contents = DAMAGES[damage](key)
    secret.unlink() if contents is None else secret.write_bytes(contents)
    landed = sorted(Path(lake.root, "landing").rglob("*.gz"))
    for command in (("load", name_at(5)), ("erase", "--consumer-id", "Y"), ("verify",), ("doctor",)):
        done = lakehouse(*command, "--lake", lake.root, cwd=tmp_path)
        assert done.returncode == (3 if command == ("verify",) else 1), done.stderr
        assert "put it back from a backup" in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
    with ScriptedApi() as api:
        keys = {f"LP_{name}": "x" for name in ("APP_KEY", "APP_SECRET", "ACCESS_TOKEN", "ACCESS_TOKEN_SECRET")}
        account = {"LP_ACCOUNT_ID": "75555851", "LP_BASE_URL": api.base_url, **keys}
        assert lakehouse("sync", "--lake", lake.root, cwd=tmp_path, **account).returncode == 1
        assert api.seen == []
    assert ask(lake, "select consumer_id from conversations") == [("Y",)]
    assert sorted(Path(lake.root, "landing").rglob("*.gz")) == landed
    secret.write_bytes(key)
    assert take(lake, tmp_path / name_at(5)).conversations == 0
    assert verify(lake).findings == []


def test_each_bit_of_the_key_is_checked(lake: Lake) -> None:
    """No single bit of the key can change without notice."""
    secret = Path(lake.root, KEY_FILE)
    key, snapshot = secret.read_bytes(), lake.snapshot()
    for bit in range(len(key) * 8):
        secret.write_bytes((int.from_bytes(key) ^ 1 << bit).to_bytes(len(key)))
        with pytest.raises(LakeError, match="put it back"):
            read_tombstones(lake, snapshot)


def test_a_lake_of_an_older_version_gains_the_check_value(lake: Lake, tmp_path: Path) -> None:
    """Where tombstones have no check value the key is taken as it is, and the next load that brings something notes its own."""
    with writing(lake):
        snapshot = lake.snapshot()
        files = snapshot.files[schema.ERASURES.name]
        columns = ask(lake, f"from read_parquet({lake.locations(schema.ERASURES.name, files)}) where kind <> 'check'")
        rows = [dict(zip(schema.ERASURES.file_schema.names, row, strict=True)) for row in columns]
        older = lake.write(schema.ERASURES.name, rows_of(rows, schema.ERASURES))
        lake.commit({schema.ERASURES.name: Change(add=[older], remove=list(files))}, snapshot)
    before = read_tombstones(lake, lake.snapshot())
    assert before is not None
    assert not before.is_checked
    take(lake, put(tmp_path, gz(owned("z", "Z")), name_at(6)))
    secret = Path(lake.root, KEY_FILE)
    secret.write_bytes(flipped(secret.read_bytes()))
    with pytest.raises(LakeError, match="put it back"):
        take(lake, tmp_path / name_at(5))


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda _: b"", marks=pytest.mark.long),
        lambda contents: contents[:40],
        pytest.param(lambda contents: b"?" * len(contents), marks=pytest.mark.long),
    ],
)
def test_damaged_tombstones_stop_a_load(lake: Lake, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    """A Parquet file of tombstones, or their log, that is empty, cut or garbage: a sentence, and nothing of the file landed."""
    table = Path(lake.root, schema.ERASURES.name)
    for path in (next(table.glob("*.parquet")), max(table.glob("_delta_log/*.json"))):
        contents = path.read_bytes()
        path.write_bytes(damage(contents))
        done = lakehouse("load", name_at(5), "--lake", lake.root, cwd=tmp_path)
        assert (done.returncode, "this is a bug" in done.stderr) == (1, False), done.stderr
        assert not list(Path(lake.root, "landing").rglob(name_at(5)))
        assert lakehouse("verify", "--lake", lake.root, cwd=tmp_path).returncode == 3
        path.write_bytes(contents)
    assert take(lake, tmp_path / name_at(5)).conversations == 0


@pytest.fixture(scope="module")
def died(erased: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake whose newest load died before it could purge conversation x1, and a file for the next load."""
    folder = shutil.copytree(erased, tmp_path_factory.mktemp("died"), dirs_exist_ok=True)
    lake = Lake(str(folder / "lake"))
    take(lake, put(folder, gz(owned("x1", None, text="secret text")), name_at(6)))
    with killed_before(lake, "purge"):
        take(lake, put(folder, gz(owned("x1", "X")), name_at(7)))
    (note,) = Path(lake.root).glob(".erasing-*")
    assert json.loads(note.read_text().splitlines()[0]) == ["x1"]
    put(folder, gz(owned("z", "Z")), name_at(8))
    return folder


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        pytest.param(lambda _: b"[]", marks=pytest.mark.long),
        pytest.param(lambda _: b"{}", marks=pytest.mark.long),
        pytest.param(lambda _: b"[1]", marks=pytest.mark.long),
        pytest.param(lambda _: b"\xff\0garbage", marks=pytest.mark.long),
        lambda contents: contents[:-70],
        lambda contents: contents.replace(b"x1", b"x2"),
    ],
)
def test_a_damaged_note_of_a_purge_is_no_pardon(died: Path, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    """The next run purges the conversations that a dead load had yet to purge, although its note can't be read."""
    lake = Lake(str(shutil.copytree(died, tmp_path, dirs_exist_ok=True) / "lake"))
    (note,) = Path(lake.root).glob(".erasing-*")
    note.write_bytes(damage(note.read_bytes()))
    assert ask(lake, "select text from messages where text = 'secret text'")
    take(lake, tmp_path / name_at(8))
    assert not ask(lake, "select text from messages where text = 'secret text'")
    assert not list(Path(lake.root).glob(".erasing-*"))
