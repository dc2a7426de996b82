"""Names are data: whatever a folder holds is loaded under its name, or passed over with a word; nothing waits for ever."""

import os
import socket
from pathlib import Path

import pytest
from documents import conversation, document, gz, name_at
from lakes import ask, take

from pipeline.errors import LakeError
from pipeline.lake import Lake
from pipeline.load import find_files
from pipeline.snapshot import LEDGER


@pytest.mark.parametrize("name", ["a::b.gz", "zip::x.gz", "file::s3::y.gz", "::.gz", "a:b.gz", "zip:x.gz"])
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
