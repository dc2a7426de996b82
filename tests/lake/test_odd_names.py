"""Names are data: whatever a folder holds is loaded under its name, or passed over with a word; nothing waits for ever."""

import os
import resource
import socket
from pathlib import Path

import pytest
from commands import lakehouse
from documents import DAY_MS, START, conversation, document, gz, name_at
from lakes import ask, take

from pipeline.errors import LakeError
from pipeline.lake.lake import Lake
from pipeline.lake.snapshot import LEDGER
from pipeline.load.find import find_files


@pytest.mark.parametrize(
    "name",
    [
        "file::s3::y.gz",
        *(pytest.param(name, marks=pytest.mark.long) for name in ("a::b.gz", "zip::x.gz", "::.gz", "a:b.gz", "zip:x.gz")),
    ],
)
def test_a_name_that_looks_like_a_chain_of_file_systems_is_a_name(tmp_path: Path, name: str) -> None:
    """In a folder, by itself and in a landing zone."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / name).write_bytes(gz(document(conversation("c1"))))
    for number, path in enumerate((folder, folder / name)):
        lake = Lake(str(tmp_path / f"lake {number}"))
        take(lake, path)
        assert ask(lake, "select name, status, conversations from files") == [(name, "loaded", 1)]
    again = Lake(str(tmp_path / "again"))
    take(again, Path(lake.root, "landing"))
    assert ask(again, "select name, status, conversations from files") == [(name, "loaded", 1)]


def test_pipes_and_sockets_of_a_folder_are_passed_over_and_told(tmp_path: Path) -> None:
    """Nobody waits for who might write into one; links to them count as such."""
    (tmp_path / "good.gz").write_bytes(gz(document(conversation("c1"))))
    os.mkfifo(tmp_path / "pipe.gz")
    (tmp_path / "link.gz").symlink_to("pipe.gz")
    (tmp_path / "device.gz").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(tmp_path / "s.gz"))
    said: list[str] = []
    assert [url.rpartition("/")[2] for url in find_files([str(tmp_path)], said.append)] == ["good.gz"]
    assert [line.partition(" passed")[0] for line in said] == ["4 pipes, devices or sockets"]


@pytest.mark.parametrize("path", ["/dev/stdin", "/dev/zero", "/dev/fd/0", "pipe.gz"])
def test_what_can_be_read_once_is_refused_by_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """Named by itself, as the shell names <(...)."""
    os.mkfifo(tmp_path / "pipe.gz")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LakeError, match=f"^{path}: expected a file, found a pipe, a device or a socket"):
        find_files([path])


def test_a_broken_file_met_again_changes_no_row_and_makes_no_commit(tmp_path: Path) -> None:
    """The same digest and the same reason are no news."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name_at(0)).write_bytes(b"garbage")
    lake = Lake(str(tmp_path / "lake"))
    take(lake, tmp_path / "in")
    before = ask(lake, "from files"), lake.snapshot().versions[LEDGER]
    assert take(lake, tmp_path / "in").rejected
    assert (ask(lake, "from files"), lake.snapshot().versions[LEDGER]) == before


_REFUSED = ["a%20b", "a#b", "a?b", "a\\b", "a\nb", "a\tb", "a\x7fb", os.fsdecode(b"a\xffb"), "~nobody-of-this-name/x"]
_COMMANDS = ("status", "check", "verify", "compact", "report")


@pytest.mark.parametrize("name", _REFUSED)
def test_a_lake_that_libraries_would_find_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    """By each command, as a wrong setting, before anything is made."""
    arguments = [("load", "in.gz"), ("sql", "select 1"), *((name,) for name in _COMMANDS), ("erase", "--consumer-id", "A")]
    (tmp_path / "in.gz").write_bytes(gz(document(conversation("c1"))))
    for command in arguments:
        done = lakehouse(*command, cwd=tmp_path, LAKE_URI=name if name.startswith("~") else str(tmp_path / name))
        assert (done.returncode, "path of a lake" in done.stderr) == (2, True), command
    assert [path.name for path in tmp_path.iterdir()] == ["in.gz"]


def test_a_lake_with_an_odd_name_works(tmp_path: Path) -> None:
    """Quotes, blanks and what patterns and shells are made of mean nothing to any command."""
    name = " a'b\"*[]$HOME;{c}%:&=e\u0301\u202e,+~ "
    (tmp_path / "in.gz").write_bytes(gz(document(conversation("c1", consumerId={"string": "A"}))))
    lake = ("--lake", str(tmp_path / name))
    assert lakehouse("load", "in.gz", *lake, cwd=tmp_path).returncode == 0
    assert lakehouse("erase", "--consumer-id", "B", *lake, cwd=tmp_path).returncode == 3
    assert [lakehouse(command, *lake, cwd=tmp_path).returncode for command in _COMMANDS] == [0] * len(_COMMANDS)
    told = lakehouse("sql", "select count(*) from conversations", "--format", "csv", *lake, cwd=tmp_path).stdout
    assert told.splitlines()[1] == "1"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["in.gz", name])


def test_names_that_are_no_text_load_and_come_back(tmp_path: Path) -> None:
    """A file and a folder whose names are no UTF-8 are loaded, told so that no terminal obeys, landed, and found again."""
    folder = tmp_path / os.fsdecode(b"f\x9b31m\xff")
    folder.mkdir()
    (folder / os.fsdecode(b"a\x9b\xff.gz")).write_bytes(gz(document(conversation("c1"))))
    (folder / os.fsdecode(b"broken\x9b.gz")).write_bytes(b"garbage")
    done = lakehouse("load", str(folder), "--lake", "lake", cwd=tmp_path)
    assert done.returncode == 3
    assert not any("\udc80" <= one <= "\udc9f" for one in done.stderr)
    assert lakehouse("load", "lake/landing", "--lake", "again", cwd=tmp_path).returncode == 0
    lakes = [Lake(str(tmp_path / name)) for name in ("lake", "again")]
    told = [ask(lake, "select name, conversations from files where status = 'loaded'") for lake in lakes]
    assert told == [[("a\\x9b\\xff.gz", 1)]] * 2
    assert lakehouse("verify", "--read-data", "--lake", "lake", cwd=tmp_path).returncode == 0
    assert lakehouse("status", "--lake", "lake", cwd=tmp_path).returncode in {0, 3}


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "x\x1b[31m\u202ey"),
        ("\x1b[31m\u202e",),
        ("load", "--\x1b[31m"),
        ("load", "\x9b\u202e"),
        ("sql", "--format", "\x9b"),
    ],
)
def test_no_usage_error_steers_a_terminal(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Arguments of a user or a script are shown, and not obeyed."""
    done = lakehouse(*arguments, cwd=tmp_path)
    assert done.returncode
    assert not set("\x1b\x9b\u202e") & set(done.stdout + done.stderr)


@pytest.mark.long
def test_three_years_of_days_need_few_open_files(tmp_path: Path) -> None:
    """Loaded at once and asked, with no more than 256 files open."""
    days = (START + number * DAY_MS for number in range(1100))
    (tmp_path / "in.gz").write_bytes(gz(*(document(conversation(f"c{day}", start=day)) for day in days)))
    commands = ("load in.gz", "sql from+queue_time_daily", "status", "report", "verify --read-data", "compact")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        for command in commands:
            done = lakehouse(*(word.replace("+", " ") for word in command.split()), cwd=tmp_path)
            assert done.returncode == 0, (command, done.stderr)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
