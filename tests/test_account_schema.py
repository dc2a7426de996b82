"""The account's own Avro schema: had once a version, kept, compared, and never in the way of the data."""

import json
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sandboxes import MIDNIGHT, QUICK, SMALL, keys_of

from pipeline.api import DataAccessClient
from pipeline.cli import main
from pipeline.lake import Lake
from pipeline.landing import landed_files
from pipeline.load import find_files, writing
from pipeline.sandbox import Sandbox
from pipeline.sandbox.avro import engagement_schema
from pipeline.sync import SyncReport, sync
from pipeline.transport import Limits
from pipeline.verify import verify

DAY = timedelta(days=1)
NEWEST = "1.0.0.35" if SMALL.is_tagged else "1.0.0.22"


def run(lake: Lake, *faults: str, now: datetime = MIDNIGHT, limits: Limits = QUICK, **how: Any) -> tuple[SyncReport, int]:
    """Sync three days of the sandbox; gives how often it was asked for a schema, too."""
    with (
        Sandbox([SMALL], now=now, faults=faults) as sandbox,
        DataAccessClient(keys_of(sandbox, SMALL.account_id), sandbox.base_url, limits=limits) as client,
        writing(lake),
    ):
        report = sync(lake, client, since=MIDNIGHT - 3 * DAY, now=lambda: now, **how)
        return report, sandbox.count("schema")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def kept(lake: Lake) -> list[str]:
    """The names of the schemas that are kept."""
    return sorted(path.rpartition("/")[2] for path in lake.sizes_below("landing", "schema"))


def test_a_version_is_fetched_once(lake: Lake) -> None:
    """The schema that files name is kept as it was served, and no later sync asks for it, nor does a dry run."""
    assert run(lake, dry_run=True)[1] == 0
    report, asked = run(lake)
    assert (report.is_complete, report.schema_problem, asked) == (True, None, 1)
    assert kept(lake) == [f"{NEWEST}.avsc"]
    text = Path(lake.path("landing", "schema", SMALL.account_id, f"{NEWEST}.avsc")).read_bytes()
    assert json.loads(text) == engagement_schema(is_tagged=SMALL.is_tagged)
    assert run(lake, now=MIDNIGHT + 3 * DAY)[1] == 0


def test_it_is_no_source_file(lake: Lake) -> None:
    """Whatever walks the landing zone knows that schemas are no source files."""
    run(lake)
    said: list[str] = []
    found = find_files([lake.path("landing")], said.append)
    assert set(found) == {f"file://{path}" for path in landed_files(lake)}
    assert not any("avsc" in path for path in found)
    assert said == []
    assert verify(lake, read_data=True).findings == []


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("schema-404", "found HTTP 404"),
        ("schema-garbage", "expected an Avro schema"),
        ("schema-other", "expected an Avro schema"),
        ("schema-deep", "nested too deeply"),
        ("schema-large", "expected at most 4,194,304 bytes"),
        ("schema-slow", "no answer within 0.3 s"),
    ],
)
def test_what_cannot_be_had_is_a_line(lake: Lake, fault: str, said: str) -> None:
    """Whatever the server does, all data is in, one line says what is wrong, and the next try is a day later."""
    limits = replace(QUICK, schema_seconds=0.3)
    begun = time.monotonic()
    report, asked = run(lake, fault, limits=limits)
    assert report.is_complete
    assert report.conversations > 0
    assert said in (report.schema_problem or "")
    assert "\n" not in (report.schema_problem or "")
    assert time.monotonic() - begun < 10
    assert asked in {1, 2}  # the version, and `latest` in its stead
    assert kept(lake) == [".asked"]
    report, asked = run(lake, now=MIDNIGHT + timedelta(hours=23))
    assert (report.schema_problem, asked) == (None, 0)


def test_latest_stands_in(lake: Lake) -> None:
    """Where the server knows the files' version not by its number, `latest` is kept, and asked for anew each day."""
    report, asked = run(lake, "schema-version-404")
    assert (asked, kept(lake)) == (2, [".asked", "latest.avsc"])
    assert "No such schema" in (report.schema_problem or "")
    assert run(lake)[1] == 0
    assert run(lake, now=MIDNIGHT + 3 * DAY)[1] == 1


def test_status_and_doctor_list_what_differs(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fields without a column, other types and the inside of containers are told, with exit codes as if there were none."""
    monkeypatch.chdir(Path(lake.root).parent)
    run(lake, "schema-fields", "schema-types")
    code = CliRunner().invoke(main, ["status", "--lake", lake.root, "--format", "json"])
    (told,) = json.loads(code.stdout)["schemas"]
    assert told["fields_without_column"] == ["Conversation.closeReasonNote", "Message.sentiment"]
    assert told["other_types"] == {
        "Conversation.endReasonId": "long, where column end_reason_id is INTEGER",
        "Conversation.skillId": "string, where column skill_id is BIGINT",
    }
    assert told["inside"]["Conversation.mcs"] == {"mcs": "double", "chatMCS": "int", "lineRawScore": "double"}
    assert told["inside"]["Conversation.secureForms"]["formId"] == "string"
    text = CliRunner().invoke(main, ["status", "--lake", lake.root])
    about = f"account {SMALL.account_id}, schema {NEWEST}: "
    assert f"{about}2 fields without a column, kept in extra: Conversation.closeReasonNote, Message.sentiment" in text.stdout
    Path(lake.path("landing", "schema")).rename(lake.path("elsewhere"))
    assert CliRunner().invoke(main, ["status", "--lake", lake.root]).exit_code == text.exit_code == code.exit_code
    Path(lake.path("elsewhere")).rename(lake.path("landing", "schema"))
    checked = CliRunner().invoke(main, ["doctor", "--lake", lake.root, "--format", "json"])
    (found,) = [entry for entry in json.loads(checked.stdout) if entry["check"] == "schema"]
    assert (found["level"], checked.exit_code) == ("warn", 0)
    assert "Message.sentiment" in found["found"]
    assert "Message.mcs holds mcs (double), chatMCS (int), lineRawScore (double)" in found["advice"]
