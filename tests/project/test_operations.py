"""The commands of docs/operations.md work."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from documents import conversation, document, gz, put
from lakes import everything, take
from places import ROOT

from pipeline.lake.lake import Lake
from pipeline.load.session import writing

OPERATIONS = ROOT / "docs" / "operations.md"


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def test_a_copy_under_the_lock_waits_for_a_writer_and_is_whole(tmp_path: Path) -> None:
    """The documented backup waits for the lock of a writer, and its copy answers as the lake does."""
    if shutil.which("flock") is None:
        pytest.skip("there is no flock")
    lake = Lake(str(tmp_path / "lake"))
    take(lake, put(tmp_path, gz(document(conversation()))))
    (backup,) = [line for block in blocks(OPERATIONS, "sh") for line in block.splitlines() if line.startswith("flock ")]
    assert backup == "flock lake/.lock rsync -a --delete lake/ /backup/lake/"
    with writing(lake):
        waits = subprocess.run(["flock", "--timeout", "0.1", "lake/.lock", "true"], cwd=tmp_path, check=False)
        assert waits.returncode == 1
    copy = [sys.executable, "-c", "import shutil; shutil.copytree('lake', 'backup')"]  # as rsync, which not every machine has
    subprocess.run(["flock", "lake/.lock", *copy], cwd=tmp_path, check=True)
    assert everything(Lake(str(tmp_path / "backup"))) == everything(lake)
