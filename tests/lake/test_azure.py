"""A lake on Azure, over Azurite, Microsoft's own emulator, on loopback: what a folder does, without a lock.

Azurite comes from npm, started by `npx`; without that, or without adlfs, these tests say that they were skipped.
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from commands import ran
from documents import conversation, document, gz, message, name_at, put
from lakes import ask, everything, take
from marked import Marked, found
from stores import side_by_side

from pipeline.lake.lake import Lake

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")]

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="  # Azurite's, well known
CONTAINER = "lakes"


@pytest.fixture(scope="module")
def variables() -> Iterator[dict[str, str]]:
    """The settings of a store that answers while the module's tests run."""
    pytest.importorskip("adlfs", reason="adlfs is not installed: it is the extra azure")
    if shutil.which("npx") is None:
        pytest.skip("npx is not installed: Azurite comes from npm")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["--silent", "--inMemoryPersistence", "--skipApiVersionCheck", "--blobPort", str(port)]
    command = ["npx", "--yes", "--package", "azurite@3", "azurite-blob", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as server:
        assert server.stdout
        said = next((line for line in server.stdout if "successfully listen" in line), None)
        if said is None:
            pytest.skip("Azurite did not start: npm's registry could not be reached")
        address = f"http://127.0.0.1:{port}"
        connection = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={address}/{ACCOUNT};"
        fsspec.filesystem("abfss", connection_string=connection).mkdir(CONTAINER)
        yield {
            "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": KEY,
            "AZURE_STORAGE_CONNECTION_STRING": connection,
            "AZURE_STORAGE_USE_EMULATOR": "true",
            "AZURITE_BLOB_STORAGE_URL": address,
        }
        os.killpg(server.pid, 9)  # npx hands no signal on


@pytest.fixture
def lake(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Lake:
    """A lake that is not there yet; all processes have the store's settings."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    fsspec.get_filesystem_class("abfss").clear_instance_cache()
    return Lake(f"abfss://{CONTAINER}@{ACCOUNT}.dfs.core.windows.net/{tmp_path.name}")


def test_a_container_holds_what_a_folder_holds(lake: Lake, tmp_path: Path) -> None:
    """Rejects, a replaced name, a delivery that comes again: the same rows, before and after a merge; nothing is amiss."""
    folder = Lake(str(tmp_path / "folder"))
    loads: list[list[Any]] = [
        [document(conversation(messages=[message("old")])), "garbage"],
        [document(conversation(messages=[message("new")]), conversation("c2"))],
        [document(conversation("c3"))],
    ]
    for number, documents in enumerate(loads):
        path = put(tmp_path / str(number), gz(*documents), name_at(min(number, 1)))
        for one in (folder, lake):
            take(one, path)
    assert everything(lake) == everything(folder)
    commands = [("compact",), ("verify",), ("check",), ("status",), ("report",), ("sql", "select 1", "--format", "csv")]
    done = [ran(*command, "--lake", lake.uri) for command in commands]
    assert [code for code, _, _ in done] == [0] * len(commands), done
    assert everything(lake) == everything(folder)
    assert KEY not in "".join(out + err for _, out, err in done)


def test_no_blob_has_a_value_of_an_erased_person(lake: Lake, tmp_path: Path) -> None:
    """Each value of the person is in the container before, and in no blob after, packed or not; all others stay."""
    one, other = Marked("1"), Marked("2")
    mine = one.document(one.conversation("c1", "consumer 41"), visitor="visitor 41")
    yours = other.document(other.conversation("c2", "X"), visitor="Y")
    take(lake, put(tmp_path, gz(mine, yours), name_at(0)))
    assert found(_fetched(lake, tmp_path / "before"), one.marks + other.marks) == set(one.marks + other.marks)
    assert ran("erase", "--consumer-id", "consumer 41", "--lake", lake.uri)[0] == 0
    assert found(_fetched(lake, tmp_path / "after"), one.marks + other.marks) == set(other.marks)
    assert ask(lake, "select conversation_id from conversations") == [("c2",)]


def _fetched(lake: Lake, folder: Path) -> Path:
    lake.files.get(lake.root, str(folder), recursive=True)
    return folder


def test_loads_at_once_lose_and_double_nothing(lake: Lake, tmp_path: Path) -> None:
    """Without a lock, every file of every process is in once, a compact beside them included."""
    side_by_side(lake, tmp_path, rounds=2, writers=3)
