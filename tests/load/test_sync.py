"""`sync` misses nothing, fetches nothing twice, and remembers what the source has said of each hour; `status` tells."""

import io
import json
import re
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner
from documents import conversation, document, gz, name_at, put
from lakes import ask, everything, first, take
from one_account import sync
from scripted_api import ACCOUNT, CANARIES, CREDENTIALS, LISTING_PATH, QUICK, Reply, ScriptedApi, as_json, says

from pipeline.api.client import DataAccessClient
from pipeline.cli.commands import main
from pipeline.cli.overdue import Watched
from pipeline.cli.status import hours, print_status
from pipeline.errors import AccessRefusedError, LakeError, UnexpectedAnswerError
from pipeline.lake.lake import Lake
from pipeline.load.results import SyncReport
from pipeline.load.session import writing
from pipeline.maintenance.verify import verify
from pipeline.warehouse.database import connect

KEYS = ("LP_APP_KEY", "LP_APP_SECRET", "LP_ACCESS_TOKEN", "LP_ACCESS_TOKEN_SECRET")
HOUR = timedelta(hours=1)
FIRST = datetime(2016, 7, 25, 18, tzinfo=UTC)
"""The hour of `name_at(0)`."""
NOW = FIRST + 5 * HOUR + timedelta(minutes=12)


class Source:
    """An account at a scripted server: what it lists of the day of `FIRST`, and what its files hold."""

    def __init__(self, api: ScriptedApi) -> None:
        self.api = api

    def has(self, *numbers: int, but: dict[int, Reply] | None = None) -> None:
        """List the files of these hours; `but` are hours whose file can't be had, with what is answered instead."""
        entries = [self.api.entry(name_at(number)) for number in numbers]
        self.api.script[LISTING_PATH] = [self.api.listing(*entries) if entries else says("No Available Files", status=404)]
        for number in numbers:
            whole = Reply(gz(document(conversation(f"c{number}"))))
            self.api.script[f"{LISTING_PATH}/{name_at(number)}"] = [(but or {}).get(number, whole)]

    def downloads(self) -> list[str]:
        """Names of the files asked for since the last call."""
        asked = [path.rpartition("/")[2] for path in self.api.paths() if path.startswith(f"{LISTING_PATH}/")]
        self.api.seen.clear()
        return sorted(asked)


@pytest.fixture
def source() -> Iterator[Source]:
    with ScriptedApi() as api:
        yield Source(api)


def run(lake: Lake, source: Source, now: datetime = NOW, **options: Any) -> SyncReport:
    """Sync from the hour of `FIRST` on."""
    with DataAccessClient(CREDENTIALS, source.api.base_url, limits=QUICK) as client, writing(lake):
        window: dict[str, Any] = {"since": FIRST, "now": lambda: now} | options
        return sync(lake, client, **window)


def states(lake: Lake, now: datetime = NOW, since: datetime = FIRST) -> str:
    """A letter for the state of each hour from `FIRST` on: loaded, empty, missing, rejected, unknown."""
    with connect(lake) as connection:
        return "".join(row["state"][0] for row in hours(connection, now) if row["hour"] >= since)


def status(lake: Lake, own_account: str = ACCOUNT) -> str:
    """The table that the command shows."""
    with connect(lake) as connection:
        print_status(connection, "table", NOW, out := io.StringIO(), own_accounts=frozenset(filter(None, [own_account])))
    return out.getvalue()


def test_every_run_lists_the_whole_window_and_fetches_what_is_new(lake: Lake, source: Source) -> None:
    """A file that appears behind files of later hours is found; nothing that the lake has is asked for again."""
    source.has(0, 2)
    assert run(lake, source).loaded == 2
    assert source.downloads() == [name_at(0), name_at(2)]
    source.has(0, 1, 2)
    report = run(lake, source)
    assert (report.listed, report.known, report.loaded) == (3, 2, 1)
    assert source.downloads() == [name_at(1)]
    assert ask(lake, "select conversation_id from conversations order by all") == [("c0",), ("c1",), ("c2",)]


def test_without_since_the_retention_is_listed_day_by_day(lake: Lake, source: Source) -> None:
    """Thirty days, in time order, in as many requests as they touch days."""
    source.has()
    run(lake, source, since=None)
    starts = [seen.url.partition("startTime=")[2].partition("&")[0] for seen in source.api.seen if seen.path == LISTING_PATH]
    assert len(starts) == 31
    assert list(map(int, starts)) == sorted(map(int, starts))
    assert int(starts[0]) == (NOW - timedelta(days=30)).timestamp() * 1000


def test_a_file_loaded_by_hand_is_not_fetched(lake: Lake, source: Source, tmp_path: Path) -> None:
    """Whether or not its documents tell the account."""
    take(lake, put(tmp_path, gz(document(conversation("c0"))), name_at(0)))
    take(lake, put(tmp_path, gz(document(conversation("c1"), account_id=None)), name_at(1)))
    source.has(0, 1, 2)
    assert run(lake, source).known == 2
    assert source.downloads() == [name_at(2)]


def test_a_file_whose_landed_file_is_lost_is_fetched_again(lake: Lake, source: Source) -> None:
    """While the source has it, the landing zone mends itself, and no row changes for that."""
    source.has(0, 1)
    run(lake, source)
    before = everything(lake)
    next(path for path in Path(lake.root, "landing").rglob(name_at(1))).unlink()
    assert [finding for finding in verify(lake).findings if "landed file is gone" in finding]
    source.downloads()
    assert run(lake, source).loaded == 1
    assert source.downloads() == [name_at(1)]
    assert (everything(lake), verify(lake).findings) == (before, [])


def test_status_tells_loaded_empty_missing_and_rejected_apart(lake: Lake, source: Source, tmp_path: Path) -> None:
    """Empty is what the API said; missing what it did not give, unknown what nobody asked about; an hour that runs is none."""
    source.has(0, 2, 3, but={2: Reply(status=410), 3: Reply(b"<html>")})
    report = run(lake, source)
    assert (report.is_complete, list(report.failed), list(report.rejected)) == (False, [name_at(2)], [name_at(3)])
    assert states(lake) == "lemre"
    assert states(lake, NOW + 2 * HOUR) == "lemreuu"
    source.has(0, 2, 3)
    assert run(lake, source, NOW + 2 * HOUR).is_complete
    assert states(lake, NOW + 2 * HOUR) == "lelleee"
    take(lake, put(tmp_path, gz(document(conversation("c1"))), name_at(1)))
    assert states(lake, NOW + 2 * HOUR) == "lllleee"


def test_a_missing_file_that_is_loaded_by_hand_is_missing_no_more(lake: Lake, source: Source, tmp_path: Path) -> None:
    """Wherever it comes from, it is here."""
    source.has(0, 1, but={1: Reply(status=404)})
    run(lake, source)
    assert states(lake) == "lmeee"
    take(lake, put(tmp_path, gz(document(conversation("c1"))), name_at(1)))
    assert states(lake) == "lleee"


@pytest.mark.parametrize("form", ["table", "json"])
def test_what_no_window_asked_about_is_unknown_and_told(lake: Lake, source: Source, form: str) -> None:
    """A sync of two hours in the past reports the other hours, for as long as the source keeps them."""
    source.has(0, 1)
    run(lake, source, until=FIRST + 2 * HOUR)
    assert states(lake) == "lluuu"
    before = states(lake, since=NOW - timedelta(days=31))
    assert before == "u" * (30 * 24 - 6) + "lluuu"
    with connect(lake) as connection:
        is_expiring = print_status(connection, form, NOW, out := io.StringIO(), own_accounts=frozenset({ACCOUNT}))
    if form == "json":
        assert sum(row["state"] == "unknown" for row in json.loads(out.getvalue())["hours"]) == before.count("u")
    else:
        assert "Nothing is missing" not in out.getvalue()
        expected = (
            f"WARNING: account {ACCOUNT}: 717 hours were never listed; the source deletes 168 of them within 7 days, "
            "the first in 48 minutes: run lakehouse sync"
        )
        assert expected in out.getvalue().splitlines()
    assert is_expiring  # the first of them go within the hour


def test_unknown_hours_alone_are_told_and_fail_nothing(lake: Lake, source: Source) -> None:
    """Hours that the source keeps for more than a week yet are reported, and change no exit code."""
    source.has(0)
    run(lake, source, since=NOW - timedelta(days=30), until=NOW - HOUR)
    with connect(lake) as connection:
        assert not print_status(connection, "table", NOW + 8 * HOUR, out := io.StringIO())
    assert f"account {ACCOUNT}: 8 hours were never listed; the source deletes the first in 29 days" in out.getvalue()


@pytest.mark.parametrize("own", ["", "4711"])
def test_no_sync_is_advised_for_an_account_that_is_not_set_up(lake: Lake, source: Source, own: str) -> None:
    """`status` says why no sync brings the missing hours, files and days of another account, and does not advise one."""
    source.has(0, 1, but={1: Reply(status=404)})
    source.api.script[LISTING_PATH] = [*[Reply(status=503)] * 3, *source.api.script[LISTING_PATH]]
    run(lake, source, since=FIRST - timedelta(days=1))
    with connect(lake) as connection:
        print_status(connection, "table", NOW, out := io.StringIO(), own_accounts=frozenset(filter(None, [own])))
    told = [line for line in out.getvalue().splitlines() if f"account {ACCOUNT}" in line and line != f"account {ACCOUNT}"]
    assert len(told) == 4
    assert all("neither LP_ACCOUNT_ID nor --account names this account" in line for line in told)


@pytest.mark.parametrize("form", ["table", "json"])
@pytest.mark.parametrize(("own", "has_files", "words"), [
    ("", False, "No file was ever loaded and no listing was ever had"),
    (ACCOUNT, False, "No file was ever loaded and no listing was ever had"),
    (ACCOUNT, True, f"account {ACCOUNT}: no listing of it was ever had"),
    ("", True, None),
])  # fmt: skip
def test_nothing_missing_is_not_said_where_nothing_ever_came(
    lake: Lake, tmp_path: Path, form: str, own: str, words: str | None, *, has_files: bool
) -> None:
    """A lake whose first sync was refused is not complete; one of files at hand, without an account, is."""
    lake.create()
    if has_files:
        take(lake, put(tmp_path, gz(document(conversation("c1"), account_id=ACCOUNT)), name_at(1)))
    with connect(lake) as connection:
        is_told = print_status(connection, form, NOW, out := io.StringIO(), own_accounts=frozenset(filter(None, [own])))
    assert is_told is (words is not None)
    said = json.loads(out.getvalue())["nothing_came"] if form == "json" else out.getvalue()
    assert (words is None and said is None) or (words or "Nothing is missing that the source still has.") in said
    assert (words is None and form == "table") is ("Nothing is missing" in out.getvalue())


def test_an_account_that_was_never_synced_has_no_unknown_hours_up_to_now(lake: Lake, tmp_path: Path) -> None:
    """Files at hand tell of their own hours, and of those between them."""
    for number in (0, 3):
        put(tmp_path / "in", gz(document(conversation(f"c{number}"), account_id=ACCOUNT)), name_at(number))
    take(lake, tmp_path / "in")
    assert states(lake, NOW + 9 * HOUR, since=datetime.min.replace(tzinfo=UTC)) == "luul"


def test_what_is_listed_again_replaces_what_was_listed_before(lake: Lake, source: Source) -> None:
    """One row an hour and account, however often; hours outside of a window keep theirs."""
    source.has(0)
    run(lake, source)
    run(lake, source, NOW + HOUR, since=FIRST + 2 * HOUR)
    rows = ask(lake, "select (epoch(hour) - 1469469600) / 3600, (epoch(listed_at) - 1469469600) / 3600, files from listings")
    first, second = NOW - FIRST, NOW + HOUR - FIRST
    expected = [(hour, (first if hour < 2 else second) / HOUR, int(hour == 0)) for hour in range(6)]
    assert sorted(rows) == expected


def test_a_file_that_is_listed_though_it_is_from_before_the_window_is_known_all_the_same(lake: Lake, source: Source) -> None:
    """A server that lists all it has, whatever it is asked for, makes nobody fetch anything again."""
    source.has(0, 1)
    run(lake, source)
    source.downloads()
    report = run(lake, source, NOW + timedelta(days=40), since=NOW + timedelta(days=39))
    assert (report.known, report.loaded, source.downloads()) == (2, 0, [])


def test_a_day_that_cannot_be_listed_is_told_and_costs_no_other(lake: Lake, source: Source) -> None:
    """`status` names it, and its hours are unknown until it can be listed; the files of the other days are in."""
    source.has(0)
    source.api.script[LISTING_PATH] = [*[Reply(status=503)] * 3, *source.api.script[LISTING_PATH]]
    report = run(lake, source, since=FIRST - timedelta(days=1))
    assert (list(report.unlisted), report.loaded, report.is_complete) == (["2016-07-24"], 1, False)
    yesterday = FIRST - timedelta(days=1)
    assert states(lake, since=yesterday) == "u" * 6 + "e" * 18 + "leeee"
    assert "account 75555851: 1 day could not be listed when last asked for: 2016-07-24; run lakehouse sync" in status(lake)
    assert "Nothing is set aside" not in status(lake)
    source.has(0)
    assert run(lake, source, since=FIRST - timedelta(days=1)).is_complete
    assert (states(lake, since=yesterday), "could not be listed" in status(lake)) == ("e" * 24 + "leeee", False)


def test_a_known_day_that_cannot_be_listed_again_keeps_its_hours_and_is_told(lake: Lake, source: Source) -> None:
    """The known hours stay; `status` says that the API did not answer when it was asked last."""
    source.has(0, 1)
    yesterday = FIRST - timedelta(days=1)
    run(lake, source, since=yesterday)
    listings = source.api.script[LISTING_PATH]
    source.api.script[LISTING_PATH] = [*listings, *[Reply(status=503)] * 3]
    assert list(run(lake, source, NOW + HOUR / 2, since=yesterday).unlisted) == ["2016-07-25"]
    assert states(lake, NOW + 4 * HOUR, since=yesterday) == "e" * 24 + "lleeeuuuu"
    with connect(lake) as connection:
        print_status(connection, "json", NOW, out := io.StringIO())
    assert json.loads(out.getvalue())["unlisted"] == [{"account_id": ACCOUNT, "day": "2016-07-25"}]


def test_a_day_of_which_no_hour_is_over_is_told_too(lake: Lake, source: Source) -> None:
    """Just after midnight, when the API does not answer for the new day."""
    source.has(0)
    midnight = datetime(2016, 7, 26, tzinfo=UTC)
    source.api.script[LISTING_PATH] = [*source.api.script[LISTING_PATH], Reply(status=503)]
    run(lake, source, midnight + timedelta(minutes=20))
    assert "last asked for: 2016-07-26;" in status(lake)


def test_status_names_files_that_could_not_be_had(lake: Lake, source: Source) -> None:
    """The first ten of them, and how many more; all of them as JSON."""
    source.api.script[LISTING_PATH] = [source.api.listing(*(source.api.entry(name_at(1, part)) for part in range(12)))]
    run(lake, source)
    told = status(lake)
    assert [name_at(1, part) in told for part in range(12)] == [True] * 10 + [False] * 2
    assert "and 2 more (lakehouse status --format json names all) that could not be downloaded" in told


def test_status_is_as_short_where_there_is_much(lake: Lake, tmp_path: Path) -> None:
    """The newest days, files and documents, how many others there are, and where all of them are; JSON has all."""
    for day in range(100):
        put(tmp_path / "in", gz(document(conversation(f"c{day}")), *["garbage"] * (day + 1)), name_at(24 * day))
        put(tmp_path / "in", b"", name_at(24 * day + 1))
    take(lake, tmp_path / "in")
    lines = [" ".join(line.split()) for line in status(lake, own_account="").splitlines()]
    assert (len(lines), len(max(lines, key=len)) < 200) == (3 + 2 * (31 + 1 + 10 + 1 + 1), True)
    newest, empty = name_at(24 * 99), name_at(24 * 99 + 1)
    reason = "2. document: it is no JSON: Expecting value at character 0"
    assert f'{newest} (account 75555851): {reason}, and 99 more documents: lakehouse sql "from rejects"' in lines
    assert f"{empty} (account unknown): it holds zero bytes" in lines
    assert 'and 90 more files with rejected documents: lakehouse sql "from rejects" has all' in lines
    assert "and 90 more files rejected: lakehouse status --format json has all" in lines
    [earlier] = [line for line in lines if line.startswith("account 75555851: ") and "earlier days" in line]
    assert earlier.startswith(
        "account 75555851: 69 earlier days from 2016-07-25 on, with 1,569 hours missing, unknown or broken: "
    )
    with connect(lake) as connection:
        print_status(connection, "json", NOW, out := io.StringIO())
    told = json.loads(out.getvalue())
    assert (len(told["set_aside"]), len(told["hours"])) == (100 + 5050, 2 * (99 * 24 + 1))


def test_a_file_that_is_listed_with_another_day_is_missing_in_its_own_hour(lake: Lake, source: Source) -> None:
    """A server may list more than it was asked for: what can't be had leaves no hour that counts as empty."""
    source.has(0, 24, 25, but={25: Reply(status=404)})
    run(lake, source, FIRST + timedelta(hours=27, minutes=5))
    assert states(lake, FIRST + timedelta(hours=27)) == "l" + "e" * 23 + "lme"


def test_status_has_first_what_the_source_deletes_next(lake: Lake, source: Source) -> None:
    """Of files that could not be downloaded: those that are gone come last, and no sync is advised for them."""
    day = timedelta(days=1)
    entries = [source.api.entry(name_at(number)) for number in (0, 48, 49)]
    listing = source.api.listing
    source.api.script[LISTING_PATH] = [listing(entries[0]), listing(), listing(*entries[1:]), listing()]
    run(lake, source, FIRST + 3 * day)
    with connect(lake) as connection:
        print_status(connection, "table", FIRST + 31 * day, out := io.StringIO(), own_accounts=frozenset({ACCOUNT}))
    told = [line.partition(" (")[::2] for line in out.getvalue().splitlines() if "could not be downloaded" in line]
    assert [(name, rest.rpartition("; ")[2]) for name, rest in told] == [
        (name_at(48), "run lakehouse sync"),
        (name_at(49), "run lakehouse sync"),
        (name_at(0), "the source has deleted it by now"),
    ]


@pytest.mark.parametrize("until", [None, FIRST + timedelta(minutes=50)])
def test_a_file_from_before_the_first_full_hour_that_fails_is_recorded(
    lake: Lake, source: Source, until: datetime | None
) -> None:
    """Its hour was not listed as a whole, and lacks it all the same, until it is here."""
    source.has(0, but={0: Reply(status=404)})
    run(lake, source, since=FIRST + timedelta(minutes=30), until=until)
    assert states(lake)[:1] == "m"
    assert name_at(0) in status(lake)
    source.has(0)
    run(lake, source, since=FIRST + timedelta(minutes=30), until=until)
    assert (states(lake)[:1], name_at(0) in status(lake)) == ("l", False)


def test_an_unreadable_listing_is_a_failure_after_all_else_is_in(lake: Lake, source: Source) -> None:
    """The day after it is loaded all the same."""
    source.has(0)
    source.api.script[LISTING_PATH] = [as_json([1]), *source.api.script[LISTING_PATH]]
    with pytest.raises(UnexpectedAnswerError, match="engagement for 2016-07-24"):
        run(lake, source, since=FIRST - timedelta(days=1))
    assert ask(lake, "select name from files") == [(name_at(0),)]


def test_a_file_that_is_refused_is_set_aside_while_others_are_had(lake: Lake, source: Source) -> None:
    """A 401 or 403 for some downloads is no refused login: the others are in, and the refused ones are told."""
    unauthorized = says("Unauthorized request", code=10, status=401)
    source.has(0, 1, 2, 3, but={1: unauthorized, 2: Reply(status=403)})
    report = run(lake, source)
    assert (list(report.failed), report.loaded, report.is_complete) == ([name_at(1), name_at(2)], 2, False)
    assert states(lake) == "lmmle"
    source.has(0, 1, 2, 3, 4, but={1: unauthorized})
    assert (list(run(lake, source).failed), states(lake)) == ([name_at(1)], "lmlll")


def test_a_login_that_is_refused_for_every_download_is_a_failure(lake: Lake, source: Source) -> None:
    """Though the listing came; what the lake has stays in it, and the hours are missing."""
    source.has(0)
    run(lake, source)
    refused = Reply(status=403)
    source.has(0, 1, 2, but={1: refused, 2: refused})
    with pytest.raises(AccessRefusedError, match=name_at(1)):
        run(lake, source)
    assert states(lake) == "lmmee"


def test_a_large_sync_is_committed_in_parts(lake: Lake, source: Source) -> None:
    """A run that dies later has not lost them; the rows are those of one commit."""
    source.has(0, 1, 2, 3)
    before = lake.exists
    run(lake, source, commit_bytes=1)
    assert (before, lake.snapshot().versions["conversations"]) == (False, 4)
    assert states(lake) == "lllle"
    whole = Lake(f"{lake.root}-whole")
    run(whole, source)
    assert (everything(whole), whole.snapshot().versions["conversations"]) == (everything(lake), 1)


def test_a_lake_that_can_not_be_written_ends_the_run_at_once(lake: Lake, source: Source) -> None:
    """Threads that list and download are not left behind, nor waited for longer than an answer takes."""

    def fail() -> None:
        raise LakeError("no")

    source.has(*range(5))
    with first(lake, "read", fail), pytest.raises(LakeError, match="no"):
        run(lake, source)


def test_the_command_says_what_happened(lake: Lake, source: Source) -> None:
    """A summary that adds up and names each file that fails once, what comes next; names on standard output for a dry run."""
    source.has(0, 1, 2, but={1: Reply(status=404), 2: Reply(b"")})
    keys = dict(zip(KEYS, CANARIES, strict=True)) | {"LP_ACCOUNT_ID": ACCOUNT, "LP_BASE_URL": source.api.base_url}

    def call(*arguments: str) -> tuple[int, list[str], list[str]]:
        window = ("--since", f"{FIRST:%Y-%m-%dT%H:%M}", "--until", f"{NOW:%Y-%m-%dT%H:%M}", "--lake", lake.root)
        done = CliRunner(env=keys).invoke(main, [*arguments, *(window if arguments[0] == "sync" else window[-2:])])
        return done.exit_code, done.stdout.splitlines(), done.stderr.splitlines()

    code, names_out, said = call("sync", "--dry-run")
    assert (code, names_out, said) == (0, [name_at(0), name_at(1), name_at(2)], ["3 of 3 listed files would be fetched"])
    assert not Path(lake.root).exists()
    code, out, said = call("sync")
    assert (code, out) == (3, [])
    assert [line for line in said if name_at(2) in line] == [f"  {name_at(2)}: it holds zero bytes"]
    gone = f"  {name_at(1)}: the server listed it but doesn't have it now (HTTP 404)"
    assert [line for line in said if name_at(1) in line] == [gone]
    assert said[1:3] == ["3 files listed", "1 file loaded: 1 conversation, 1 message, 0 transfers"]
    sql, report, status = (f"lakehouse {command} --lake {lake.root}" for command in ("sql", "report", "status"))
    gone = (
        "2 of 6 hours from 2016-07-25T18:00Z to 2016-07-26T00:00Z are not in the lake, and older than the 30 days that the "
        f"source keeps: no run can bring them; if you have their files, lakehouse load --lake {lake.root} takes them"
    )
    assert [line for line in said[3:] if not line.startswith(" ")] == [
        "1 file rejected as a whole; the next sync tries again:",
        "1 file could not be downloaded; the next sync tries again:",
        gone,
        f"next: {sql} for a question, {report} for pictures, {status} for what is in",
    ]
    code, out, _ = call("status", "--format", "json")
    told = json.loads("\n".join(out))
    assert [hour["state"] for hour in told["hours"] if hour["hour"] >= FIRST.isoformat()][:6] == [
        "loaded",
        "missing",
        "rejected",
        *["empty"] * 3,
    ]
    assert told["hours"][1]["missing"] == [name_at(1)]
    assert code == 3  # nobody has asked about this month's hours, some of which the source deletes soon


ECHO = " ".join(CANARIES)
NEAR_THE_CUT = "x" * 100 + CANARIES[1]


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (says(ECHO, code=ECHO, status=400), 1),  # type: ignore[arg-type]
        (says("no", code=NEAR_THE_CUT, status=401), 1),  # type: ignore[arg-type]
        (Reply(status=302, headers={"Location": f"https://evil.example/a b?{CANARIES[1]}"}), 1),
        (Reply(status=302, headers={"Location": f"https://{CANARIES[2].replace(' ', '%20')}.example/"}), 1),
        (as_json({"echo": CANARIES, "link": NEAR_THE_CUT}), 1),
        (as_json({"dataAccessFiles": {"file": [{"@name": f"{canary}.gz", "@href": "/x"} for canary in CANARIES]}}), 3),
        (as_json({"dataAccessFiles": {"file": [{"@name": canary, "@href": 1} for canary in CANARIES]}}), 3),
        (as_json({"dataAccessFiles": {"file": {"@name": name_at(0), "@href": f"/{quote(CANARIES[1])}"}}}), 3),
    ],
    ids=["message", "code", "redirect", "host", "listing", "names", "entries", "links"],
)
def test_a_secret_that_the_server_repeats_is_neither_shown_nor_stored(
    lake: Lake, source: Source, reply: Reply, code: int
) -> None:
    """Wherever in its answers it stands; with a traceback, in `status` and in the lake's files, too."""
    source.api.script[LISTING_PATH] = [reply]
    window = ("--since", f"{FIRST:%Y-%m-%dT%H:%M}", "--until", f"{NOW:%Y-%m-%dT%H:%M}", "--lake", lake.root)
    keys = dict(zip(KEYS, CANARIES, strict=True)) | {"LP_ACCOUNT_ID": ACCOUNT, "LP_BASE_URL": source.api.base_url}
    done = CliRunner(env=keys).invoke(main, ["sync", *window, "--debug"])
    assert done.exit_code == code
    raised = "".join(traceback.format_exception(done.exception)) if code == 1 and done.exception else ""
    shown = (done.output + raised + (status(lake) if code == 3 else "")).lower()
    stored = b"".join(path.read_bytes() for path in Path(lake.root).rglob("*") if path.is_file())
    forms = {form for canary in CANARIES for form in (canary, quote(canary), quote(canary, safe=""), json.dumps(canary)[1:-1])}
    assert "***" in shown or "repeats a key" in shown
    assert [form for form in forms if form.lower() in shown or form.encode() in stored] == []
    assert not re.search("canary(&|%20)", shown)


@pytest.mark.parametrize(("days", "is_expiring"), [(22, False), (24, True), (31, False)])
def test_status_warns_before_something_is_lost(lake: Lake, source: Source, days: int, *, is_expiring: bool) -> None:
    """From seven days before the source deletes what is missing until it has; an hour that is empty is no reason."""
    source.has(0, 1, but={1: Reply(status=404)})
    run(lake, source)
    with connect(lake) as connection:
        listed = [row for row in hours(connection, FIRST + timedelta(days=days)) if row["hour"] >= FIRST]
    assert [row["is_expiring"] for row in listed[:3]] == [False, is_expiring, False]
    deleted = listed[1]["deleted_at_source"]
    assert deleted == (None if days > 30 else FIRST + HOUR + timedelta(days=30))


def test_a_name_that_claims_an_hour_far_away_costs_an_hour(lake: Lake, source: Source, tmp_path: Path) -> None:
    """Its own hour is told, the thousands of years between are not, and what is missing up to now is told all the same."""
    source.has(0, but={})
    run(lake, source)
    far = "Engagement.253402290000000.253402293600000.part-00000-0.gz"
    take(lake, put(tmp_path / "in", gz(document(conversation("far"), account_id=ACCOUNT)), far))
    assert ask(lake, "select max(hour)::varchar, count(*) < 100 from source_hours") == [("9999-12-31 21:00:00+00", True)]
    assert "9999-12-31" in status(lake)
    with connect(lake) as connection:
        listed = hours(connection, NOW + 3 * HOUR)
    assert [row["state"] for row in listed if NOW <= row["hour"] < NOW + 3 * HOUR] == ["unknown"] * 2
    assert (listed[-1]["hour"].year, listed[-1]["deleted_at_source"]) == (9999, None)


def test_a_name_is_said_once(lake: Lake, source: Source) -> None:
    """The reason beside the name of a file or a day does not repeat the name, for any error."""
    replies = [
        Reply(status=404),
        Reply(status=410),
        Reply(status=403),
        Reply(status=302, headers={"Location": "http://other.example/"}),
    ]
    source.has(*range(len(replies) + 1), but=dict(enumerate(replies, 1)))
    source.api.script[LISTING_PATH] = [*[Reply(status=503)] * 3, *source.api.script[LISTING_PATH]]
    report = run(lake, source, since=FIRST - timedelta(days=1))
    assert (len(report.failed), len(report.unlisted)) == (len(replies), 1)
    told = {**report.failed, **report.unlisted}
    assert [name for name, reason in told.items() if name in reason or not reason] == []


@pytest.mark.parametrize(("age", "overdue"), [
    (HOUR / 6, "uuu"), (HOUR, "uu"), (2 * HOUR, "u"), (3 * HOUR, ""),
])  # fmt: skip
@pytest.mark.parametrize("form", ["table", "json"])
def test_an_hour_that_no_run_asked_about_is_overdue(
    lake: Lake, source: Source, age: timedelta, overdue: str, form: str
) -> None:
    """Loaded hours and empty ones are never overdue; one that ended longer ago than the age is, and the exit code says it."""
    source.has(0)
    run(lake, source, since=NOW - timedelta(days=30), until=FIRST + 2 * HOUR)
    with connect(lake) as connection:
        is_late = print_status(connection, form, NOW, out := io.StringIO(), watched=Watched(age))
        assert not print_status(connection, "table", NOW, io.StringIO(), watched=Watched(age, frozenset({"4711"})))
    assert is_late is bool(overdue)
    found = json.loads(out.getvalue())["overdue"] if form == "json" else re.findall("OVERDUE: .*", out.getvalue())
    if form == "json":
        assert "".join(row["state"][0] for row in found) == overdue
        assert all(datetime.fromisoformat(row["hour"]) + HOUR + age < NOW for row in found)
    else:
        count = "1 hour that ended" if len(overdue) == 1 else f"{len(overdue)} hours that ended"
        assert [count in line for line in found] == [True] * bool(overdue)


def test_files_at_hand_are_overdue_where_somebody_watches(lake: Lake, tmp_path: Path) -> None:
    """Of an account that was never synced no hour is asked for, yet an age counts its hours up to now."""
    lake.create()
    take(lake, put(tmp_path, gz(document(conversation("c1"), account_id=ACCOUNT)), name_at(1)))
    with connect(lake) as connection:
        assert not print_status(connection, "json", NOW, io.StringIO())
        is_late = print_status(connection, "json", NOW, out := io.StringIO(), watched=Watched(HOUR))
    assert is_late
    found = [datetime.fromisoformat(row["hour"]) for row in json.loads(out.getvalue())["overdue"]]
    assert FIRST + HOUR not in found
    assert found[-1] + 2 * HOUR < NOW
    assert found[0] + timedelta(days=30) > NOW
