"""A lake in a bucket, over a real S3 API on loopback: all that a folder does, without a lock."""

import json
import os
import re
import socket
import tarfile
import time
import traceback
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import requests
import s3fs
from commands import ran
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import CommitProperties
from documents import conversation, document, gz, message, name_at, put
from lakes import ask, everything, first, take
from marked import Marked, found
from one_account import sync
from released_lakes import forget_format, rewrite
from sandboxes import misbehaving
from stores import SECRET, lakehouse, make_buckets, side_by_side, variables

import pipeline
from pipeline import schema
from pipeline.api.client import DataAccessClient
from pipeline.erasure.erase import erase
from pipeline.errors import ConflictError, LakeError, RefusedError, SettingsError
from pipeline.lake import runs
from pipeline.lake.lake import Lake
from pipeline.lake.landing import landed_files, landed_path, stage
from pipeline.lake.snapshot import LEDGER, Change
from pipeline.lake.store_errors import tidied
from pipeline.lake.vacuum import sweep
from pipeline.load.account_schema import keep_schemas, kept_schemas
from pipeline.load.engines import Processes
from pipeline.load.find import find_files, incoming_from
from pipeline.load.load import load
from pipeline.load.rebuild import rebuild
from pipeline.load.session import writing
from pipeline.maintenance.compact import compact
from pipeline.maintenance.verify import verify
from pipeline.sandbox import Account, Sandbox
from pipeline.warehouse.database import connect, publish
from pipeline.warehouse.name_writer import write_names


@pytest.fixture(scope="module")
def address(s3_address: str) -> str:
    """Where the store answers."""
    make_buckets(s3_address, "lakes", "forgetful", "careless")
    return s3_address


@pytest.fixture(autouse=True)
def _surroundings(address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each test has the store's settings, an empty working folder, and no connection of an earlier one."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "LAKE_", "LP_"))]:
        monkeypatch.delenv(name)
    for name, value in variables(address).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(f"s3://lakes/{tmp_path.name}/lake")


def test_a_bucket_holds_what_a_folder_holds(lake: Lake, tmp_path: Path) -> None:
    """Rejects, replacement, a delivery withdrawn, merging: the same rows, and the source files as they were served."""
    folder = Lake(str(tmp_path / "folder"))
    first = put(tmp_path / "1", gz(document(conversation(messages=[message("old")])), "garbage"), name_at(0))
    loads = [
        [first, put(tmp_path / "1", gz(document(conversation()))[:-5], name_at(1))],
        [put(tmp_path / "2", gz(document(conversation(messages=[message("new")]), conversation("c2"))), name_at(3)), first],
        [put(tmp_path / "4", gz(document(conversation("c3"))), name_at(3))],
    ]
    for paths in loads:
        for one in (folder, lake):
            take(one, *paths)
    assert everything(lake) == everything(folder)
    assert ask(lake, "select text from messages where conversation_id = 'c1'") == [("old",)]
    for one in (folder, lake):
        with writing(one):
            compact(one)
            publish(one, one.snapshot())
    assert everything(lake) == everything(folder)
    landed = [path.removeprefix(lake.root) for path in lake.files.find(lake.path("landing"))]
    assert landed == sorted(str(path).removeprefix(folder.root) for path in (tmp_path / "folder" / "landing").rglob("*.gz"))
    ((digest,),) = ask(lake, f"select sha256 from files where name = '{name_at(0)}'")
    assert lake.files.cat_file(landed_path(lake, name_at(0), digest)) == first.read_bytes()
    with pipeline.open(lake.uri) as connection:
        assert connection.sql("select count(*) as n from conversations").pl()["n"][0] > 0


def test_names_in_a_bucket(lake: Lake, tmp_path: Path) -> None:
    """The files of names lie in the bucket, take effect at the next command, and `names` adds the ids that they lack."""
    skill = {"skillId": {"long": 12}}
    take(lake, put(tmp_path / "1", gz(document(conversation(**skill), conversation("c2", skillId={"long": 90}))), name_at(0)))
    names = "select skill_id, skill_name, is_bot from skill_names"
    assert ask(lake, names) == []
    lake.files.pipe_file(lake.path("skills.csv"), b"skill_id,skill_name,is_bot\r\n90,Nova,yes\r\nx\r\n")

    assert ask(lake, names) == [(90, "Nova", True)]
    with connect(lake) as connection:
        (skills, *_) = write_names(lake, connection)
    assert (skills.added_count, skills.unnamed_count, len(skills.faults)) == (1, 1, 1)
    assert lake.files.cat_file(lake.path("skills.csv")) == b"skill_id,skill_name,is_bot\r\n90,Nova,yes\r\nx\r\n12,,\r\n"
    lake.files.pipe_file(lake.path("skills.csv"), b"\xff")
    told: list[str] = []
    with connect(lake, told.append) as connection:
        assert connection.sql("from skill_names").fetchall() == []  # the DuckDB file is that of the load
    assert [sentence.startswith(f"{lake.uri}/skills.csv: expected UTF-8 text") for sentence in told] == [True]


def test_processes_write_straight_to_the_store(lake: Lake, tmp_path: Path) -> None:
    """Workers read their files from the store and write what they hold to it."""
    source = Lake(f"s3://lakes/{tmp_path.name}/in")
    for hour in range(3):
        noise = os.urandom(300_000).hex()
        source.files.pipe_file(source.path("deep", name_at(hour)), gz(document(conversation(f"c{hour}", start_page=noise))))
    assert len(find_files([f"{source.uri}/*/*.gz"])) == 3
    with source.files.open(source.path("a.tar"), "wb") as out, tarfile.open(fileobj=out, mode="w") as archive:
        archive.add(put(tmp_path, b"x"), "x.gz")
    assert list(find_files([f"tar://x.gz::{source.uri}/a.tar"])) == [f"tar://x.gz::{source.uri}/a.tar"]
    with writing(lake):
        report = load(lake, incoming_from(find_files([source.uri])), engine=Processes(2))
    assert (report.loaded, report.is_complete) == (3, True)
    assert ask(lake, "select count(*), count(distinct source_file) from conversations") == [(3, 3)]
    with pytest.raises(LakeError, match="there is no source file"):
        find_files([f"{source.uri}/nowhere"])


def test_sync_brings_everything_once(lake: Lake, tmp_path: Path) -> None:
    """All rows of the account come into the bucket, the same as into a folder; a second run finds nothing new."""
    now = datetime(2026, 11, 16, tzinfo=UTC)
    folder = Lake(str(tmp_path / "folder"))
    with Sandbox([Account("4711", conversations_per_day=60)], now=now) as sandbox:
        reports = []
        for one in (folder, lake, lake):
            with DataAccessClient(sandbox.credentials("4711"), sandbox.base_url) as client, writing(one):
                reports.append(sync(one, client, since=now - timedelta(hours=4), until=now))
    _, first, second = reports
    assert (first.loaded, first.is_complete) == (first.listed, True)
    assert (second.known, second.loaded) == (first.listed, 0)
    assert everything(lake) == everything(folder)
    assert not lake.files.find(lake.path("landing", ".incoming"))


def objects(lake: Lake, folder: Path) -> Path:
    """Every object of the lake in its bucket, of which there is one version, as a file."""
    bucket, _, prefix = lake.root.partition("/")
    listed = lake.files.call_s3("list_object_versions", Bucket=bucket, Prefix=f"{prefix}/")
    keys = [version["Key"] for version in listed["Versions"]]
    assert not listed["IsTruncated"]
    assert sorted(f"{bucket}/{key}" for key in keys) == sorted(lake.files.find(lake.root))
    lake.files.get(lake.root, str(folder), recursive=True)
    return folder


@pytest.mark.parametrize(
    "kind", ["consumer", pytest.param("visitor", marks=pytest.mark.long), pytest.param("conversation", marks=pytest.mark.long)]
)
def test_no_object_has_a_value_of_an_erased_person(lake: Lake, tmp_path: Path, kind: str) -> None:
    """Each value of the person is in the bucket before, and in no object after, packed or not; all others stay."""
    one, other = Marked("1"), Marked("2")
    mine = one.document(one.conversation("c1", "consumer 41"), visitor="visitor 41")
    take(
        lake,
        put(tmp_path, gz(mine, other.document(other.conversation("c2", "X"), visitor="Y"), json.dumps(mine)[:-1]), name_at(0)),
        put(tmp_path, gz(mine), name_at(1)),
    )
    assert found(objects(lake, tmp_path / "before"), one.marks + other.marks) == set(one.marks + other.marks)
    with writing(lake):
        assert erase(lake, kind, {"consumer": "consumer 41", "visitor": "visitor 41", "conversation": "c1"}[kind]).anything
    assert found(objects(lake, tmp_path / "after"), one.marks + other.marks) == set(other.marks)
    assert ask(lake, "select conversation_id from conversations") == [("c2",)]


@pytest.mark.long
def test_the_landing_zone_gives_the_tables_back_after_an_erasure(lake: Lake, tmp_path: Path) -> None:
    """Of a name that has had other contents the last ones stand, though the erasure has written the former ones anew."""
    for tag, *others in (("former", "erased"), ("last",)):
        take(lake, put(tmp_path, gz(document(*map(conversation, (tag, *others)))), name_at(0)))
    with writing(lake):
        erase(lake, "conversation", "erased")
    rebuilt = Lake(f"{lake.uri}-rebuilt")
    with writing(rebuilt):
        load(rebuilt, incoming_from(find_files([f"{lake.uri}/landing"])), engine=Processes(1))
    assert everything(rebuilt)["conversations"] == everything(lake)["conversations"]
    assert not lake.files.find(lake.path("landing", ".incoming"))


def test_the_commands_work_with_a_bucket_and_show_no_secret(
    lake: Lake, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all settings in .env: every command that needs no account works; nothing that is said or stored tells the keys."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    put(tmp_path / "in", gz(document(conversation())))
    Path(".env").write_text(
        f"AWS_ACCESS_KEY_ID=canary-Zx81-id\nAWS_SECRET_ACCESS_KEY={SECRET}\nAWS_ENDPOINT_URL={address}\n"
        f"AWS_REGION=eu-west-1\nLAKE_URI={lake.uri}\n"
    )
    calls = [
        ran("load", "in"),
        ran("sql", "select count(*) as n from conversation_metrics", "--format", "csv"),
        ran("report"),
        ran("status"),
        ran("check"),
        ran("compact"),
        ran("load", "in", "--lake", "s3://forbidden/x"),
    ]
    assert [code for code, _, _ in calls] == [0, 0, 0, 0, 0, 0, 1], calls
    code, listed, _ = ran("sql", "select command, exit_code from runs order by began_at", "--format", "csv")
    assert (code, listed) == (0, "command,exit_code\nload,0\ncompact,0\n")
    assert calls[1][1] == "n\n1\n"
    assert Path(calls[2][1].strip()) == tmp_path / "report.html"
    assert "refuses access (" in calls[-1][2]
    said = "".join(out + err for _, out, err in calls).encode()
    fresh = s3fs.S3FileSystem(key="x", secret="x", endpoint_url=address)
    stored = b"".join(fresh.cat(fresh.find(lake.root)).values())
    for where in (said, stored, (tmp_path / "report.html").read_bytes()):
        assert b"canary" not in where


def test_loads_at_once_lose_and_double_nothing(lake: Lake, tmp_path: Path) -> None:
    """Without a lock, every file of every process is in once, and the delivery that wins is the one that should."""
    side_by_side(lake, tmp_path, rounds=1, writers=2)


@pytest.mark.long
def test_many_loads_at_once_beside_compact(lake: Lake, tmp_path: Path) -> None:
    """Round after round, with a compact beside the loads."""
    side_by_side(lake, tmp_path, rounds=3, writers=4)


def test_compact_gives_way_to_a_load_and_merges_anew(lake: Lake, tmp_path: Path) -> None:
    """A load that finishes while files are merged stays in the lake."""
    for hour in range(2):
        take(lake, put(tmp_path, gz(document(conversation(f"c{hour}"))), name_at(hour)))
    overtaking = [put(tmp_path, gz(document(conversation("c2"))), name_at(2))]

    def overtake(_: str) -> None:
        if overtaking:
            take(lake, overtaking.pop())

    with writing(lake):
        done = compact(lake, progress=overtake)
    assert done.merged > done.made
    assert {len(lake.snapshot().files[table]) for table in ("conversations", "messages", LEDGER)} == {1}
    assert ask(lake, "select count(*) from conversations") == [(3,)]


def test_an_older_lake_is_upgraded_and_rebuilt_beside_loads(lake: Lake, tmp_path: Path) -> None:
    """A load that comes first makes an upgrade and a rebuild begin anew: no row is lost, and each fact is there once."""
    for hour in range(2):
        take(lake, put(tmp_path, gz(document(conversation(f"c{hour}"))), name_at(hour)))
    rewrite(lake, forget_format)
    assert ask(lake, "select count(*) from conversation_metrics") == [(2,)]
    assert lake.snapshot().outdated

    def overtake(hour: int) -> None:
        take(Lake(lake.uri), put(tmp_path, gz(document(conversation(f"c{hour}"))), name_at(hour)))

    with first(lake, "commit", lambda: overtake(2)), writing(lake):
        assert lake.snapshot().is_current
    with first(lake, "commit", lambda: overtake(3)), writing(lake, upgrades=False):
        assert rebuild(lake, engine=Processes(1)).files == 4
    assert ask(lake, "select count(*), count(distinct conversation_id) from conversation_metrics") == [(4, 4)]
    assert verify(lake, read_data=True).findings == []


@pytest.mark.long
def test_compact_gets_on_however_often_a_load_comes_first(lake: Lake, tmp_path: Path) -> None:
    """A load finishes after every second merge: what is merged is committed in between, and no row is lost."""
    day = 86_400_000
    for hour in range(2):
        made = [document(conversation(f"c{hour}-{place}", start=1_469_469_600_000 + place * day)) for place in range(3)]
        take(lake, put(tmp_path, gz(*made), name_at(hour)))
    overtaking = [put(tmp_path, gz(document(conversation(f"c{hour}"))), name_at(hour)) for hour in range(2, 16)]
    merges: list[str] = []

    def overtake(told: str) -> None:
        merges.append(told)
        if told.startswith("conversations ") and len(merges) % 2 == 0 and overtaking:
            take(lake, overtaking.pop())

    with writing(lake):
        compact(lake, progress=overtake)
    assert overtaking
    newest = lake.snapshot()
    assert [sum(file.date == f"2016-07-{day}" for file in newest.files["conversations"]) for day in (26, 27)] == [1, 1]
    assert ask(lake, "select count(*), count(distinct conversation_id) from conversations") == [(20 - len(overtaking),) * 2]
    assert verify(lake).findings == []


def test_what_another_run_is_at_work_on_stays(lake: Lake, tmp_path: Path) -> None:
    """Files that come in, and Parquet files that no commit names yet, are nobody's litter before a day is over."""
    take(lake, put(tmp_path, gz(document(conversation())), name_at(0)))
    incoming = tmp_path / "incoming"
    incoming.write_bytes(b"half")
    with incoming.open("rb") as source:
        staged = stage(lake, source)
    written = lake.write("rejects", schema.REJECTS.file_schema.empty_table())
    take(lake, put(tmp_path, gz(document(conversation("c2"))), name_at(1)))
    with writing(lake):
        assert sweep(lake, lake.snapshot(), retention_hours=0) == []
    assert lake.files.exists(staged.path)
    assert lake.files.exists(lake.path("rejects", written.path))


def test_a_commit_whose_answer_was_lost_counts_once(tmp_path: Path) -> None:
    """The store makes the ledger's commit and answers with a failure: the load sees that it is its own."""
    lake = Lake(f"s3://forgetful/{tmp_path.name}")
    take(lake, put(tmp_path, gz(document(conversation()), "garbage"), name_at(0)))
    take(lake, put(tmp_path, gz(document(conversation()), document(conversation("c2"))), name_at(1)))
    assert lake.snapshot().versions[LEDGER] == 2
    assert ask(lake, "select count(*), (select count(*) from files) from messages") == [(2, 2)]


def test_a_commit_never_overtakes_whatever_the_surroundings_say(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two commits worked out from one state the second fails, though variables ask for the unsafe kind."""
    monkeypatch.setenv("AWS_S3_ALLOW_UNSAFE_RENAME", "true")
    monkeypatch.setenv("AWS_CONDITIONAL_PUT", "disabled")
    lake = Lake(lake.uri)
    lake.create()
    older = lake.snapshot()
    first, second = (lake.open_table(LEDGER) for _ in range(2))
    commit = {"mode": "append", "schema": schema.FILES.arrow_schema}
    once = CommitProperties(max_commit_retries=0)
    first.create_write_transaction([], commit_properties=once, **commit)
    with pytest.raises(CommitFailedError):
        second.create_write_transaction([], commit_properties=once, **commit)
    with pytest.raises(ConflictError, match="run the command again"):
        lake.commit({LEDGER: Change()}, older)
    assert lake.open_table(LEDGER).version() == 1


def test_the_duckdb_file_is_of_the_newest_load_whoever_comes_last(lake: Lake, tmp_path: Path) -> None:
    """A run that publishes an older state after a newer one puts the newer one back."""
    take(lake, put(tmp_path, gz(document(conversation("c1"))), name_at(0)))
    older = lake.snapshot()
    take(lake, put(tmp_path, gz(document(conversation("c2"))), name_at(1)))
    publish(lake, older)
    assert ask(lake, "select count(*) from conversations") == [(2,)]
    with pytest.raises(RefusedError, match="CREATE TABLE is refused"):
        ask(lake, "create table t as select 1")


def test_a_reader_of_a_bucket_sees_the_newest_load_though_its_run_died(lake: Lake, tmp_path: Path) -> None:
    """A run that dies after its commit leaves the DuckDB file of the load before: readers make a copy of their own."""
    take(lake, put(tmp_path, gz(document(conversation("c1"))), name_at(0)))
    before = lake.files.cat_file(lake.path("lakehouse.duckdb"))
    take(lake, put(tmp_path, gz(document(conversation("c2"))), name_at(1)))
    lake.files.pipe_file(lake.path("lakehouse.duckdb"), before)
    assert ask(lake, "select count(*) from conversations") == [(2,)]


def test_damage_above_the_shown_load_stops_no_reader_of_a_bucket(lake: Lake, tmp_path: Path) -> None:
    """A ledger's entry that can't be read is told, and the load of the DuckDB file is shown."""
    take(lake, put(tmp_path, gz(document(conversation("c1"))), name_at(0)))
    lake.files.pipe_file(lake.path("files", "_delta_log", f"{2:020}.json"), b'{"commitInfo":')
    told: list[str] = []
    with connect(lake, told.append) as connection:
        assert connection.sql("select count(*) from conversations").fetchall() == [(1,)]
    assert len(told) == 1
    assert "reads the load that lakehouse.duckdb shows" in told[0]


def test_a_lake_that_was_copied_answers(lake: Lake, tmp_path: Path) -> None:
    """Under another prefix the views find their files, and reading writes nothing."""
    take(lake, put(tmp_path, gz(document(conversation()))))
    copy = Lake(f"s3://lakes/{tmp_path.name}/copy")
    for path in lake.files.find(lake.root):
        lake.files.cp_file(path, copy.root + path.removeprefix(lake.root))
    lake.files.rm(lake.root, recursive=True)
    held = copy.files.cat_file(copy.path("lakehouse.duckdb"))
    assert ask(copy, "select count(*) from messages") == [(1,)]
    assert copy.files.cat_file(copy.path("lakehouse.duckdb")) == held


def test_a_query_asks_about_each_parquet_file_once(lake: Lake, address: str, tmp_path: Path) -> None:
    """None ever changes under its name, so what a store has said of one holds for all queries of a command."""
    for hour in range(3):
        take(lake, put(tmp_path, gz(document(conversation(f"c{hour}"))), name_at(hour)))

    def asked() -> Counter[str]:
        requested = requests.get(f"{address}/requests-so-far", timeout=30).json()
        return Counter(path for method, path in requested if method == "HEAD" and "/conversations/date=" in path)

    before = asked()
    with pipeline.open(lake.uri) as connection:
        for _ in range(2):
            assert connection.sql("select count(consumer_id), count(*) from conversations").fetchall() == [(0, 3)]
    assert sorted((asked() - before).values()) == [1, 1, 1]


def test_an_open_connection_sees_later_runs(lake: Lake, tmp_path: Path) -> None:
    """No listing is kept, so that of one is not missing, nor a file asked for that a merge has replaced."""
    put(tmp_path / "in", gz(document(conversation())))
    assert ran("load", "in", "--lake", lake.uri)[0] == 0
    with pipeline.open(lake.uri) as connection:
        for count in (1, 2, 30):
            for _ in range(count - connection.sql("select count(*) from runs").fetchall()[0][0]):
                run = {"run_id": uuid.uuid4().hex, "ended_at": "2026-11-01T00:00:00Z"}
                runs.record(lake, datetime(2026, 11, 1, tzinfo=UTC), run["run_id"], [run], is_last=True)
            assert connection.sql("select count(distinct run_id) from runs").fetchall() == [(count,)]


def test_polars_reads_the_tables(lake: Lake, tmp_path: Path) -> None:
    """Another tool opens the tables of a bucket with the store's usual settings."""
    take(lake, put(tmp_path, gz(document(conversation("c1")), document(conversation("c2")))))
    table = pl.scan_delta(lake.table_uri("conversations"), storage_options={"aws_allow_http": "true"})
    assert table.select("conversation_id").collect().height == 2


@pytest.mark.parametrize(
    ("uri", "changed", "expected"),
    [
        ("s3://no-such-bucket/x", {}, (LakeError, "no such bucket")),
        ("s3://forbidden/x", {}, (LakeError, r"refuses access .* check AWS_ACCESS_KEY_ID")),
        ("s3://lakes/x", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, (LakeError, "can't be reached")),
        ("s3://lakes/x", {"AWS_SECRET_ACCESS_KEY": ""}, (SettingsError, "AWS_SECRET_ACCESS_KEY not set")),
        (
            "s3://lakes/x",
            {"AWS_SECRET_ACCESS_KEY": "", "AWS_ACCESS_KEY_ID": ""},
            (SettingsError, "AWS_ACCESS_KEY_ID .* not set"),
        ),
        ("s3://user:word@lakes/x", {}, (SettingsError, "holds credentials")),
        ("s4://lakes/x", {}, (SettingsError, "expected a path or the URL of a store")),
    ],
)
def test_a_store_that_fails_is_one_sentence(
    uri: str,
    changed: dict[str, str],
    expected: tuple[type[Exception], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Bucket, credentials, endpoint: each says what to do, to who writes and to who reads, and no bucket is made."""
    for name, value in changed.items():
        monkeypatch.setenv(name, value)
    path = put(tmp_path, gz(document(conversation())))
    for use in (lambda: take(Lake(uri), path), lambda: ask(Lake(uri), "select 1")):
        with pytest.raises(expected[0], match=expected[1]) as caught:
            use()
        assert "\n" not in str(caught.value)
        assert "canary" not in "".join(traceback.format_exception(caught.value))  # what --debug shows


def test_no_secret_survives_in_what_a_library_says() -> None:
    """Values of the store's secrets, signatures in URLs and colours are taken out of an error's text."""
    error = OSError(f"\x1b[31mGET https://x/y?sig=abc failed\n ↳ with {SECRET}.")
    assert tidied(error) == "GET https://x/y?... failed with ***"


def findings(uri: str) -> dict[str, str]:
    """The findings of doctor on a bucket and the lake in it."""
    _, out, _ = ran("doctor", "--lake", uri, "--format", "json")
    return {one["check"]: f"{one['level']} {one['found']} {one['advice']}" for one in json.loads(out)}


def test_doctor_tries_a_bucket_and_leaves_nothing(lake: Lake, tmp_path: Path, address: str) -> None:
    """A bucket that can be written and refuses a taken name is well, with a lake and without; what was tried with is gone."""
    root = lake.uri.rpartition("/")[0]
    assert findings(lake.uri)["lake"].startswith("ok none at")
    assert lake.files.find(root) == []
    take(lake, put(tmp_path, gz(document(conversation("c1")))))
    before = lake.files.find(root)
    found = findings(lake.uri)
    assert found["lake"].startswith(f"ok {lake.uri}: 1 file loaded")
    assert found["bucket"].startswith("ok ")
    assert lake.files.find(root) == before
    assert address


@pytest.mark.parametrize(
    ("bucket", "words"),
    [
        ("careless", "ignores If-None-Match"),
        ("forbidden", "refuses access"),
        ("nowhere", "no such bucket"),
    ],
)
def test_doctor_tells_what_is_wrong_with_a_bucket(bucket: str, words: str) -> None:
    """A store that writes over what is there, that knows nobody's key, that is not there: each a failure, without the keys."""
    found = findings(f"s3://{bucket}/lake")["bucket"]
    assert found.startswith("FAIL")
    assert words in found
    assert "canary" not in found


@pytest.mark.long
def test_doctor_ends_where_a_store_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that takes connections and says nothing is given up when the time for all checks is over."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        done = lakehouse("doctor", "--lake", "s3://lakes/lake", cwd=Path.cwd())
        out, _ = done.communicate()
        assert re.search(r"FAIL  bucket +no answer within 12 s", out)
        assert time.monotonic() - started < 40  # 12 s and the start of a process on a busy machine


def test_the_accounts_schema_is_kept_in_a_bucket(lake: Lake) -> None:
    """A version is fetched once, what could not be had is asked for after a day, and nothing of it is a source file."""
    at = datetime(2026, 3, 8, tzinfo=UTC)
    with misbehaving("schema-version-404") as (sandbox, client):
        assert "No such schema" in (keep_schemas(lake, client, {"1.0.0.35"}, at=at) or "")
        assert keep_schemas(lake, client, {"1.0.0.35"}, at=at) is None
        assert sandbox.count("schema") == 2
    with misbehaving() as (sandbox, client):
        for _ in range(2):
            assert keep_schemas(lake, client, {"1.0.0.35"}, at=at + timedelta(days=1)) is None
        assert sandbox.count("schema") == 1
    names = [path.removeprefix(f"{lake.root}/") for path in lake.sizes_below("landing")]
    assert names == [f"landing/schema/4711/{name}" for name in (".asked", "1.0.0.35.avsc", "latest.avsc")]
    assert landed_files(lake) == {}
    with pytest.raises(LakeError, match="no source file"):
        find_files([f"{lake.uri}/landing"])
    assert [schema.version for schema in kept_schemas(lake)] == ["1.0.0.35", "latest"]
