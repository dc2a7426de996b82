"""The forms for issues: they are forms, they warn, and the commands that they show print no value of an account's data."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import lakehouse
from documents import conversation, document, gz, name_at, put
from places import ROOT

from pipeline.sandbox import changes
from pipeline.sandbox.avro import engagement_schema

FOLDER = ROOT / ".github" / "ISSUE_TEMPLATE"
FORMS = sorted(path for path in FOLDER.glob("*.yml") if path.stem != "config")
SECRET = "Erika Mustermann"
ACCOUNT = "75555851"


def read(path: Path) -> dict[str, Any]:
    """The form."""
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def commands() -> list[str]:
    """The commands that the form for unknown shapes shows, a line each."""
    blocks = [block for part in read(FOLDER / "unknown_shape.yml")["body"] for block in shown(part)]
    return [line for block in blocks for line in block.splitlines()]


def shown(part: dict[str, Any]) -> list[str]:
    """The blocks of code in the description of a part."""
    return re.findall(r"^```sh\n(.*?)^```", part["attributes"].get("description", ""), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake that holds unknown fields, rejects and a schema; a name of a person is in each of their values."""
    folder = tmp_path_factory.mktemp("strange")
    unknown = document(conversation("c1", newThing={"string": SECRET}), account_id=ACCOUNT)
    put(folder / "in", gz(unknown, {"no": SECRET}, f'{{"a": 1, "{SECRET}": 1, "{SECRET}": 2}}', SECRET), name_at(1))
    put(folder / "in", SECRET.encode(), name_at(2))
    assert lakehouse("load", "in", "--lake", "lake", cwd=folder).returncode == 3
    kept = folder / "lake" / "landing" / "schema" / ACCOUNT
    kept.mkdir(parents=True)
    whole = engagement_schema(is_tagged=True) | {"doc": SECRET}
    (kept / "1.0.0.23.avsc").write_bytes(changes.more_fields(json.dumps(whole).encode()))
    (kept / "1.0.0.24.avsc").write_text(json.dumps({"type": "record", "name": SECRET, "fields": []}))  # can't be compared
    return folder


def test_what_the_form_asks_for_can_be_shared(strange: Path) -> None:
    """Each command ends well and prints the names of fields, versions, beginnings of reasons, and no value, account or file."""
    asked = commands()
    assert len(asked) == 5
    told = []
    for command in asked:
        call, _, program = command.partition(" | python3 -c ")
        one = re.fullmatch(r'lakehouse (?:sql "(.*)"|(status --format json))', call)
        assert one, command
        arguments = ["sql", one[1]] if one[1] else one[2].split()
        done = lakehouse(*arguments, "--lake", "lake", cwd=strange)
        assert done.returncode == 0, done.stderr
        if program:
            filtered = [sys.executable, "-c", program.strip("'")]
            told.append(subprocess.run(filtered, input=done.stdout, capture_output=True, text=True, check=True).stdout)
        else:
            told.append(done.stdout)

    text = "\n".join(told)
    for expected in (
        "Conversation.newThing",
        "1.0.0.22",
        "1.0.0.23",
        "1.0.0.24",
        "it is neither an archive nor JSON",
        "an object names",
    ):
        assert expected in text
    assert not re.search(rf"{'|'.join([*SECRET.split(), ACCOUNT, 'Engagement[.]', r'[.]gz'])}", text), text


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_warns_first_and_lets_nobody_send_it_unread(path: Path) -> None:
    """It begins with the warning in bold, its ids are unique, and its last box has to be ticked."""
    body = read(path)["body"]
    first, *_, last = body
    assert first["attributes"]["value"].startswith("**Never paste text of conversations, names, ids")
    assert "(../security/policy)" in first["attributes"]["value"]
    assert last["type"] == "checkboxes"
    assert last["attributes"]["options"][0]["required"] is True
    ids = [part["id"] for part in body if "id" in part]
    assert len(ids) == len(set(ids)) == len(body) - 1
    assert {part["type"] for part in body} <= {"markdown", "input", "textarea", "checkboxes"}


def test_there_is_no_issue_without_a_form() -> None:
    """The forms are the only way, and weaknesses have a page."""
    assert read(FOLDER / "config.yml") == {"blank_issues_enabled": False}
    assert (ROOT / "SECURITY.md").exists()
    assert {path.stem for path in FORMS} == {"bug", "unknown_shape"}
