"""The schedules of README and docs/operations.md work."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from documents import conversation, document, gz, put
from lakes import everything, take
from places import ROOT

from pipeline.lake.lake import Lake
from pipeline.load.session import writing
from pipeline.settings import FIELDS

OPERATIONS = ROOT / "docs" / "operations.md"
SCHEDULED = [ROOT / "README.md", OPERATIONS]
HOME = "/srv/lakehouse"


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def crontab(page: Path) -> list[str]:
    """Return the commands of a page's crontabs, and check their times."""
    lines = [line for block in blocks(page, "crontab") for line in block.splitlines() if not line.startswith("MAILTO=")]
    found = [re.fullmatch(r"(\d+) (\*|\d+) (\*) (\*) (\*|[0-6](?:-[0-6])?) ([^%]+)", line) for line in lines]
    assert found
    assert all(found)
    return [one[6] for one in found if one]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder in the place of the documented one, whose command prints a line and ends with the code in `code`."""
    command = tmp_path / ".venv" / "bin" / "lakehouse"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\necho "said by $1" >&2\nexit "$(cat {tmp_path}/code)"\n')
    command.chmod(0o700)
    return tmp_path


@pytest.mark.parametrize("page", SCHEDULED, ids=lambda page: page.name)
def test_cron_mails_only_what_did_not_end_with_0(page: Path, home: Path) -> None:
    """Cron mails the output of a line: none of a good run, the exit code and all output of any other."""
    for command in crontab(page):
        for code in (0, 1, 2, 3):
            (home / "code").write_text(str(code))
            line = ["/bin/sh", "-c", command.replace(HOME, str(home))]
            printed = subprocess.run(line, capture_output=True, text=True, check=False).stdout
            words = re.search(r"bin/lakehouse (\w+)", command)
            assert words
            assert printed == (f"{words[1]} ended with {code}\nsaid by {words[1]}\n" if code else "")


def units(page: Path) -> Iterator[tuple[str, str]]:
    """Yield the systemd units of a page: name and text."""
    for block in blocks(page, "ini"):
        if "[Timer]" in block:
            yield "lakehouse-sync.timer", block
        else:
            yield ("lakehouse-mail.service" if "mail" in block.partition("ExecStart")[2] else "lakehouse-sync.service"), block


def test_systemd_takes_the_units(home: Path) -> None:
    """Systemd finds no unknown key, no wrong time and no wrong name of a file."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd to ask")
    found = {name: text.replace(HOME, str(home)).replace("User=lakehouse\n", "") for name, text in units(OPERATIONS)}
    for name, text in found.items():
        (home / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", *(str(home / name) for name in found)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert {"lakehouse-sync.service", "lakehouse-sync.timer", "lakehouse-mail.service"} == found.keys()


def test_the_workflow_is_one() -> None:
    """It is YAML with a schedule and a job that ends with a sync; secrets come from secrets, and are settings of ours."""
    (text,) = blocks(OPERATIONS, "yaml")
    workflow = yaml.safe_load(text)
    (cron,) = workflow[True]["schedule"]  # YAML 1.1 reads `on` as true; GitHub does not
    assert re.fullmatch(r"\d+ \* \* \* \*", cron["cron"])
    job = workflow["jobs"]["sync"]
    assert [step["run"] for step in job["steps"] if "run" in step and "if" not in step][-1] == "lakehouse sync"
    ours = {name.upper() for name in FIELDS}
    for name, value in job["env"].items():
        assert name in ours or name.startswith("AWS_"), name
        assert not re.search("KEY|TOKEN|SECRET", name) or value == f"${{{{ secrets.{name} }}}}"


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
