"""The account's own Avro schema: had once a version, kept, compared, and never in the way of the data."""

import io
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner
from one_account import sync
from sandboxes import MIDNIGHT, QUICK, SMALL, misbehaving
from scripted_api import ACCOUNT, CANARIES, CREDENTIALS, LISTING_PATH, Reply, ScriptedApi, as_json, says

from pipeline.api.client import DataAccessClient
from pipeline.api.limits import Limits
from pipeline.cli.commands import main
from pipeline.cli.doctor.storage import about_lake
from pipeline.cli.status import print_status
from pipeline.cli.summaries import summary
from pipeline.lake.lake import Lake
from pipeline.lake.landing import landed_files
from pipeline.load.account_schema import keep_schemas, kept_schemas, newest_schemas
from pipeline.load.find import find_files
from pipeline.load.results import SyncReport
from pipeline.load.session import writing
from pipeline.maintenance.verify import verify
from pipeline.sandbox import Sandbox, changes
from pipeline.sandbox.avro import engagement_schema
from pipeline.warehouse.database import connect

DAY = timedelta(days=1)
SCHEMA = json.dumps(engagement_schema(is_tagged=True)).encode()
NEWEST = "1.0.0.35" if SMALL.is_tagged else "1.0.0.22"


def run(lake: Lake, *faults: str, now: datetime = MIDNIGHT, limits: Limits = QUICK, **how: Any) -> tuple[SyncReport, int]:
    """Sync three days of the sandbox; gives how often it was asked for a schema, too."""
    with (
        Sandbox([SMALL], now=now, faults=faults) as sandbox,
        DataAccessClient(sandbox.credentials(SMALL.account_id), sandbox.base_url, limits=limits) as client,
        writing(lake),
    ):
        report = sync(lake, client, since=MIDNIGHT - 3 * DAY, now=lambda: now, **how)
        return report, sandbox.count("schema")


def kept(lake: Lake) -> list[str]:
    """The names of the schemas that are kept."""
    return sorted(path.rpartition("/")[2] for path in lake.sizes_below("landing", "schema"))


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake after a sync whose schema differs from the tables."""
    lake = Lake(str(tmp_path_factory.mktemp("synced") / "lake"))
    assert run(lake, dry_run=True)[1] == 0
    report, asked = run(lake, "schema-fields", "schema-types")
    assert (report.is_complete, report.schema_problem, asked) == (True, None, 1)
    return lake


def test_a_version_is_fetched_once(synced: Lake) -> None:
    """The schema that files name is kept as it was served, and no later sync asks for it, nor does a dry run."""
    assert kept(synced) == [f"{NEWEST}.avsc"]
    text = Path(synced.path("landing", "schema", SMALL.account_id, f"{NEWEST}.avsc")).read_bytes()
    assert text == changes.other_types(changes.more_fields(SCHEMA))
    assert run(synced, now=MIDNIGHT + 3 * DAY)[1] == 0


def test_it_is_no_source_file(synced: Lake) -> None:
    """Every search of the landing zone knows that schemas are no source files."""
    said: list[str] = []
    found = find_files([synced.path("landing")], said.append)
    assert set(found) == {f"file://{path}" for path in landed_files(synced)}
    assert not any("avsc" in path for path in found)
    assert said == []
    assert verify(synced, read_data=True).findings == []


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
    """After any answer of the server, one line says what is wrong, and the next try is a day later."""
    limits = replace(QUICK, schema_seconds=0.3) if fault == "schema-slow" else QUICK
    with misbehaving(fault, limits=limits) as (sandbox, client):
        problem = keep_schemas(lake, client, {NEWEST}, at=MIDNIGHT) or ""
        assert said in problem
        assert problem.isprintable()
        tries = sandbox.count("schema")
        assert tries in {1, 2}  # the version, and `latest` in its stead
        assert kept(lake) == [".asked"]
        assert keep_schemas(lake, client, {NEWEST}, at=MIDNIGHT + timedelta(hours=23)) is None
        assert sandbox.count("schema") == tries
        assert keep_schemas(lake, client, {NEWEST}, at=MIDNIGHT + DAY)
        assert sandbox.count("schema") > tries


def test_no_data_depends_on_it(lake: Lake) -> None:
    """A sync that can't have the schema brings everything all the same, and its summary has a line more."""
    report, _ = run(lake, "schema-404")
    assert report.is_complete
    assert report.conversations > 0
    assert [line for line in summary(report) if "schema" in line] == [report.schema_problem]


def test_latest_stands_in(lake: Lake) -> None:
    """Where the server knows the files' version not by its number, `latest` is kept, and asked for anew each day."""
    with misbehaving("schema-version-404") as (sandbox, client):
        problem = keep_schemas(lake, client, {NEWEST}, at=MIDNIGHT) or ""
        assert "No such schema" in problem
        assert (sandbox.count("schema"), kept(lake)) == (2, [".asked", "latest.avsc"])
        assert keep_schemas(lake, client, set(), at=MIDNIGHT) is None
        assert sandbox.count("schema") == 2
        assert keep_schemas(lake, client, set(), at=MIDNIGHT + DAY) is None
        assert sandbox.count("schema") == 3


def test_status_lists_what_differs(synced: Lake) -> None:
    """Fields without a column, other types and the inside of containers are told, and the exit code is as without."""
    asked = CliRunner().invoke(main, ["status", "--lake", synced.root, "--format", "json"])
    (told,) = json.loads(asked.stdout)["schemas"]
    assert told["fields_without_column"] == ["Conversation.closeReasonNote", "Message.sentiment"]
    assert told["other_types"] == {
        "Conversation.endReasonId": "long, where column end_reason_id is INTEGER",
        "Conversation.skillId": "string, where column skill_id is BIGINT",
    }
    assert told["inside"]["Conversation.mcs"] == {"mcs": "double", "chatMCS": "int", "lineRawScore": "double"}
    assert told["inside"]["Conversation.secureForms"]["formId"] == "string"
    out, without = io.StringIO(), io.StringIO()
    with connect(synced) as connection:
        expiring = print_status(connection, "table", MIDNIGHT, out, schemas=kept_schemas(synced))
        assert print_status(connection, "table", MIDNIGHT, without) is expiring
    assert out.getvalue().removeprefix(without.getvalue()) == (
        f"account {SMALL.account_id}, schema {NEWEST}: 2 fields without a column, kept in extra: Conversation.closeReasonNote, "
        "Message.sentiment; 2 fields of another type; values that do not fit go to extra: "
        "Conversation.endReasonId (long, where column end_reason_id is INTEGER), "
        "Conversation.skillId (string, where column skill_id is BIGINT)\n"
    )


def test_doctor_tells_what_containers_hold(synced: Lake) -> None:
    """A line of doctor has the differences and the inside of MCS and SecureForm, and fails nothing."""
    (found,) = [finding for finding in about_lake(synced) if finding.subject == "schema"]
    assert found.level == "warn"
    assert "Message.sentiment" in found.found
    assert "Message.mcs holds mcs (double), chatMCS (int), lineRawScore (double)" in found.advice
    assert "Conversation.secureForms holds formId (string), formName (string), submitTime (long)" in found.advice


class Served:
    """A scripted account without files, whose base resource links a schema."""

    def __init__(self, api: ScriptedApi, link: str = "schema") -> None:
        self.api = api
        here = f"/data_access_le/account/{ACCOUNT}/le"
        links = [{"@rel": "engagement", "@href": f"{here}/engagement"}]
        href = link if not link.startswith("schema") else f"{here}/{link}"
        links += [{"@rel": "schema", "@href": href}] if link else []
        api.script[here] = [as_json({"link": links})]
        api.script[LISTING_PATH] = [says("No Available Files", status=404)]
        self.path = f"{here}/schema"
        api.script[self.path] = [Reply(SCHEMA)]

    def keep(self, lake: Lake, *versions: str, at: datetime = MIDNIGHT) -> str | None:
        """Do as a sync does with schemas of these versions, which its files name."""
        with DataAccessClient(CREDENTIALS, self.api.base_url, limits=QUICK) as client:
            return keep_schemas(lake, client, versions, at=at)

    def asked(self) -> list[str]:
        """The versions that were asked for since the last call."""
        asked = [parse_qs(urlsplit(seen.url).query)["schemaId"] for seen in self.api.seen if seen.path == self.path]
        self.api.seen.clear()
        assert all(len(versions) == 1 for versions in asked)
        return [versions[0] for versions in asked]


@pytest.fixture
def served() -> Iterator[Served]:
    with ScriptedApi() as api:
        yield Served(api)


def test_versions_are_names(served: Served, lake: Lake) -> None:
    """A version of the files is requested only if it can be a file's name, newest first, at most ten in a run."""
    assert served.keep(lake, "../x", "", ".hidden", "a/b", "x" * 65, "1.0\n", "latest", "é") is None
    assert served.asked() == ["latest"]
    many = [f"1.0.0.{number}" for number in range(1, 14)]
    assert served.keep(lake, *many) is None
    assert served.asked() == many[:2:-1]
    assert served.keep(lake, *many) is None
    assert served.asked() == many[2::-1]
    assert [schema.version for schema in newest_schemas(kept_schemas(lake))] == ["1.0.0.13"]


def test_an_account_without_the_link_is_not_asked(lake: Lake) -> None:
    """Only where the base resource names a schema is one asked for."""
    with ScriptedApi() as api:
        served = Served(api, link="")
        assert (served.keep(lake, "1.0"), served.asked(), kept(lake)) == (None, [], [])


@pytest.mark.parametrize("link", ["schema?schemaId=latest", "schema?schemaId={id}"])
def test_a_link_with_a_query_is_understood(lake: Lake, link: str) -> None:
    """The link may show how a version is asked for."""
    with ScriptedApi() as api:
        served = Served(api, link)
        assert (served.keep(lake, "1.0"), served.asked()) == (None, ["1.0"])


@pytest.mark.parametrize("link", ["https://elsewhere.example/x", "http://[", "\x00", f"x/{CANARIES[0]}"])
def test_a_link_that_leads_elsewhere_is_not_followed(lake: Lake, link: str) -> None:
    """A link to another host, or one that is none, is a line; the listing goes on as if there were none."""
    with ScriptedApi() as api:
        served = Served(api, link)
        with DataAccessClient(CREDENTIALS, api.base_url, limits=QUICK) as client:
            assert [day.error for day in client.list_days(MIDNIGHT, MIDNIGHT + DAY)] == [None]
        problem = served.keep(lake, "1.0") or ""
        assert problem.isprintable()
        assert "not" in problem
        assert CANARIES[0] not in problem


def test_no_secret_is_kept(served: Served, lake: Lake) -> None:
    """A schema that repeats a key of ours is not kept, and not shown."""
    served.api.script[served.path] = [Reply(SCHEMA.replace(b'"Message"', json.dumps(CANARIES[1]).encode()))]
    problem = served.keep(lake, "1.0") or ""
    assert "repeats a key" in problem
    assert CANARIES[1] not in problem
    assert kept(lake) == [".asked"]


@pytest.mark.parametrize("damage", [b"", b"[" * 100_000, b"[1]", b'{"1.0": 7}', b'{"1.0": "2999-01-01"}', b"\xff"])
def test_a_damaged_note_is_no_hindrance(served: Served, lake: Lake, damage: bytes) -> None:
    """A schema is fetched in spite of any content of the note of earlier requests."""
    note = Path(lake.path("landing", "schema", ACCOUNT, ".asked"))
    note.parent.mkdir(parents=True)
    note.write_bytes(damage)
    assert (served.keep(lake, "1.0"), kept(lake)) == (None, [".asked", "1.0.avsc"])


def test_odd_files_are_told_or_passed_over(served: Served, lake: Lake, tmp_path: Path) -> None:
    """A kept schema that is damaged is told with its remedy; pipes, links and strange names are not opened."""
    assert served.keep(lake, "1.0") is None
    folder = Path(lake.path("landing", "schema", ACCOUNT))
    os.mkfifo(folder / "2.avsc")
    (folder / "3.avsc").symlink_to(tmp_path)
    (folder / ".4.avsc").write_bytes(b"")
    (folder / "5.avsc").write_bytes(b"garbage")
    told = {schema.version: schema.told() for schema in kept_schemas(lake)}
    assert list(told) == ["5", "1.0"]
    assert "5.avsc: expected an Avro schema" in (told["5"] or "")
    assert told["1.0"] is None


def test_a_folder_that_leads_elsewhere_is_not_written(served: Served, lake: Lake, tmp_path: Path) -> None:
    """A link in the place of the folder is a line, and nothing is behind it."""
    (outside := tmp_path / "outside").mkdir()
    Path(lake.path("landing")).mkdir(parents=True)
    Path(lake.path("landing", "schema")).symlink_to(outside)
    assert "a link leads out" in (served.keep(lake, "1.0") or "")
    assert list(outside.iterdir()) == []
