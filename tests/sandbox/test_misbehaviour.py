"""Every fault of the sandbox, over real HTTP, against a sync: it ends as the contract says, and the lake is right."""

import functools
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
import sandboxes
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from lakes import everything, take
from one_account import sync
from places import ROOT
from sandboxes import QUICK

from pipeline.api.client import DataAccessClient
from pipeline.cli.commands import main
from pipeline.errors import SourceError
from pipeline.lake.lake import Lake
from pipeline.load.session import writing
from pipeline.sandbox import Account, FaultSpec, Request, Sandbox, fault_list, hour_file_names
from pipeline.sandbox.misbehaviour import Misbehaviour
from pipeline.sandbox.replies import Reply

HOUR = timedelta(hours=1)
SHOP = Account("4711", conversations_per_day=10, sessions_per_part=1)
SINCE = datetime(2026, 3, 8, 21, tzinfo=UTC)
"""Until midnight `SHOP` has a single file, on the next day 14, and none from then on to `UNTIL`."""
UNTIL = datetime(2026, 3, 10, 5, tzinfo=UTC)
ALL_IN, FAILED, SET_ASIDE = 0, 1, 3
NAMES = [name for hour in range((UNTIL - SINCE) // HOUR) for name in hour_file_names(SHOP, SINCE + hour * HOUR)]
Rows = dict[str, list[str]]
misbehaving = functools.partial(sandboxes.misbehaving, account=SHOP, now=UNTIL)

IN_PASSING = ["silence=0.1", "drip=0.1", "busy=0.1", "busy-date=0.1", "5xx=0.2", "reset=0.2", "short=0.2", "cut=0.2",
              "html:base", "html:listing=0.3", "garbage=0.3"]  # fmt: skip
OTHER_FORMS = [
    "chunked=0.5 bare-names documents object no-file",
    "close=0.5 labelled=0.5 packed=0.3 unpacked=0.5 empty-200",
    "empty-xml",
]
SETS_ASIDE = {
    "crc": "CRC",
    "half": "cut short",
    "empty": "zero bytes",
    "html:download": "HTML",
    "endless:download": "expected at most 1,048,576 bytes",
    "5xx:download:lasting": "HTTP 503.*after 3 attempts",
    "reset:download:lasting": "broke off after .*after 3 attempts",
    "vanished": "doesn't have it now .HTTP 404",
    "gone": "doesn't have it now .HTTP 410",
    "redirect:download": r"found https://files\.example:443; not sent",
}
HOSTILE = {
    "path": "expected a bare file name as @name in the listing; not fetched",
    "stranger": r"found https://files\.example:443; not sent",
    "downgrade": r"found http://va\.da\.liveperson\.net:80; not sent",
}
FAILS = {
    "refused": "refuses the credentials .HTTP 401",
    "refused:download": "refuses the credentials .HTTP 401",
    "forbidden": "refuses the credentials .HTTP 403",
    "clock": r"clock is (59\d|60\d) s behind the server's: set it right",
    "redirect": r"found https://files\.example:443; not sent",
    "garbage:lasting": "expected JSON, found .*after 3 attempts",
    "html:listing:lasting": "expected JSON, found a page.*after 3 attempts",
    "bomb": "expected at most 1,048,576 bytes",
    "5xx:base:lasting": "HTTP 503.*after 3 attempts",
}
ELSEWHERE = {"late", "days-late", "replaced", "hidden", "only-json", "json-406", "json-401", "only-any"}


REQUESTS = [
    Request("base", "GET", "/", "4711"),
    *(Request("listing", "GET", "/", "4711", start_ms=0, end_ms=end) for end in (1, 1 << 42)),
    *(Request("download", "GET", "/", "4711", file_name=name) for name in NAMES[:3]),
]


class Run(NamedTuple):
    """How a sync ended: its exit code, what it says, and what it set aside, by file."""

    code: int
    words: str
    missing: dict[str, str]


def run(lake: Lake, client: DataAccessClient, sandbox: Sandbox) -> Run:
    """Sync from `SINCE` to `UNTIL`, as the command does."""
    try:
        with writing(lake):
            report = sync(lake, client, since=SINCE, until=UNTIL, now=sandbox.now)
    except SourceError as error:
        return Run(FAILED, str(error), {})
    missing = report.rejected | report.failed
    return Run(ALL_IN if report.is_complete else SET_ASIDE, "\n".join(missing.values()), missing)


def rows(lake: Lake) -> Rows:
    """All rows; what tells in which wrapping a file came, and how often it was listed, aside."""
    return {table: rows for table, rows in everything(lake).items() if table not in {"files", "listings"}}


def names_of(faults: str) -> set[str]:
    return {FaultSpec.parse(fault).fault.name for fault in faults.split()}


@pytest.fixture(scope="module")
def perfect(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """The rows of a sync without faults."""
    lake = Lake(str(tmp_path_factory.mktemp("perfect") / "lake"))
    with misbehaving() as (sandbox, client):
        assert run(lake, client, sandbox).code == ALL_IN
    return rows(lake)


@pytest.mark.parametrize("faults", [" ".join(IN_PASSING), *OTHER_FORMS], ids=["in passing", "listings", "files", "nothing"])
def test_what_passes_is_ridden_out(lake: Lake, perfect: Rows, faults: str) -> None:
    """A fault that is gone with the next attempt, or that is only another form, costs no row and ends with 0."""
    with misbehaving(*faults.split(), seed=108) as (sandbox, client):
        assert run(lake, client, sandbox) == (ALL_IN, "", {})
        assert names_of(faults) == set(sandbox.misbehaviour.strikes)
    assert rows(lake) == perfect


@pytest.fixture(scope="module")
def set_aside(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Rows]:
    """A sync in which each fault strikes some files that no other one does, by the choice of the seed; and its rows."""
    lake = Lake(str(tmp_path_factory.mktemp("aside") / "lake"))
    with misbehaving(*(f"{fault}=0.1" for fault in SETS_ASIDE), seed=404) as (sandbox, client):
        return run(lake, client, sandbox), rows(lake)


def test_what_can_not_be_had_is_set_aside(set_aside: tuple[Run, Rows], perfect: Rows) -> None:
    """Files that are broken, or can't be had for good, are named, all rows of the others are in, exit code 3."""
    done, found = set_aside
    assert (done.code, len(SETS_ASIDE) < len(done.missing) < len(NAMES)) == (SET_ASIDE, True)
    of_missing = re.compile("|".join(map(re.escape, done.missing)))
    gone = [row for row in perfect["conversations"] if of_missing.search(row)]
    idents = re.findall(r'"conversation_id":"([^"]+)"', "".join(gone))  # by which facts are known
    without = re.compile("|".join(map(re.escape, [*done.missing, *idents])))
    assert found == {table: [row for row in rows if not without.search(row)] for table, rows in perfect.items()}


@pytest.mark.parametrize(("fault", "words"), SETS_ASIDE.items())
def test_the_reason_is_said(set_aside: tuple[Run, Rows], fault: str, words: str) -> None:
    """Of each file that was set aside the report says why."""
    assert [reason for reason in set_aside[0].missing.values() if re.search(words, reason)], fault


@pytest.mark.parametrize(("fault", "words"), HOSTILE.items())
def test_hostile_names_and_links_are_not_followed(lake: Lake, fault: str, words: str) -> None:
    """No file behind them is asked for, and each is named, exit code 3."""
    with misbehaving(fault) as (sandbox, client):
        done = run(lake, client, sandbox)
        assert sandbox.count("download") == 0
    assert (done.code, len(done.missing)) == (SET_ASIDE, len(NAMES))
    assert all(re.search(words, reason) for reason in done.missing.values())


@pytest.mark.parametrize(("fault", "words"), FAILS.items())
def test_what_makes_a_sync_fail_is_said(lake: Lake, fault: str, words: str) -> None:
    """A login that is refused and a listing that can't be read are exit code 1 and one sentence."""
    with misbehaving(fault, limits=replace(QUICK, read_seconds=10)) as (sandbox, client):
        done = run(lake, client, sandbox)
    assert (done.code, done.words.count("\n")) == (FAILED, 0)
    assert re.search(words, done.words), done.words


def test_a_day_that_can_not_be_listed_costs_that_day_alone(lake: Lake, perfect: Rows) -> None:
    """The files of the other days are in, exit code 3; once the day can be listed again, its files come, too."""
    with misbehaving("5xx:listing:3=0.5", seed=18) as (sandbox, client):
        assert run(lake, client, sandbox).code == SET_ASIDE
        assert 0 < len(rows(lake)["conversations"]) < len(perfect["conversations"])
        assert run(lake, client, sandbox).code == ALL_IN
    assert rows(lake) == perfect


def test_the_next_sync_brings_what_was_missing(lake: Lake, perfect: Rows) -> None:
    """Broken files, vanished ones, hidden days and refused logins of one run are made up for by the next ones."""
    faults = ("crc=0.2", "half=0.2", "empty=0.3", "html:download=0.2", "vanished:1=0.2", "hidden=0.5", "refused:base:1")
    codes: list[int] = []
    with misbehaving(*faults) as (sandbox, client):
        while not codes or codes[-1] == FAILED or rows(lake) != perfect:
            codes.append(run(lake, client, sandbox).code)
            assert len(codes) < 12
        assert names_of(" ".join(faults)) == set(sandbox.misbehaviour.strikes)
    assert {FAILED, SET_ASIDE} <= set(codes)


def test_files_that_come_late_are_found(lake: Lake, perfect: Rows) -> None:
    """A file appears hours or days after its hour, behind files of later hours, and the sync after that brings it."""
    clock = [SINCE]
    came: list[int] = []
    with misbehaving("late", "days-late=0.3", now=lambda: clock[0]) as (sandbox, client):
        for clock[0] in (UNTIL - timedelta(days=1), UNTIL + 6 * HOUR, UNTIL + timedelta(days=7)):
            assert run(lake, client, sandbox).code == ALL_IN
            came.append(len(rows(lake)["conversations"]))
    assert came[0] < came[1] < came[2]
    assert rows(lake) == perfect


def test_late_files_are_late_as_told() -> None:
    """Within 6 hours or 7 days, each file at its own time, the same one in another process, and no other fault moves it."""
    delays = {}
    for faults in (["late"], ["late", "5xx"], ["days-late"]):
        with misbehaving(*faults) as (sandbox, _):
            delays[" ".join(faults)] = [sandbox.misbehaviour.delay("4711", name) for name in NAMES]
    assert delays["late"] == delays["late 5xx"]
    assert len(set(delays["late"])) == len(NAMES)
    assert all(timedelta(0) < delay < timedelta(hours=6) for delay in delays["late"])
    assert timedelta(hours=6) < max(delays["days-late"]) < timedelta(days=7)


def test_new_contents_under_an_old_name_replace_what_it_brought(lake: Lake, perfect: Rows, tmp_path: Path) -> None:
    """A file served a day later is another one of the same name; loaded from another lake's landing zone, it counts."""
    clock = [UNTIL - 8 * HOUR]
    later = Lake(str(tmp_path / "later"))
    with misbehaving("replaced", now=lambda: clock[0]) as (sandbox, client):
        run(lake, client, sandbox)
        assert len(rows(lake)["conversations"]) < len(perfect["conversations"])
        clock[0] = UNTIL + timedelta(days=1)
        run(later, client, sandbox)
    take(lake, Path(later.root) / "landing")
    assert rows(lake) == perfect


def test_every_fault_has_a_test() -> None:
    """The tables above name each fault that the sandbox knows."""
    tested = names_of(" ".join([*IN_PASSING, *OTHER_FORMS, *SETS_ASIDE, *HOSTILE, *FAILS]))
    assert tested | ELSEWHERE == {name for name, strikes, _ in fault_list() if strikes != "schema"}  # test_account_schema


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("earthquake", "expected a fault"),
        ("Reset", "expected a fault"),
        ("reset=", "expected a fault"),
        ("reset=1.1", "expected a share between 0 and 1"),
        ("reset=1.1.1", "expected a share between 0 and 1"),
        ("reset:0", "expected after reset: base, listing, download, a number of attempts, lasting"),
        ("reset:2:lasting", "expected after reset"),
        ("crc:listing", "expected after crc: download, a number"),
        ("late:download", "expected after late: no word"),
        ("late:lasting", "expected after late: no word"),
    ],
)
def test_a_fault_that_is_none_is_refused(text: str, words: str) -> None:
    """The command says what was expected, and ends with 2."""
    done = CliRunner().invoke(main, ["sandbox", "--fault", text])
    assert (done.exit_code, words in " ".join(done.output.split())) == (2, True), done.output


@pytest.fixture(scope="module")
def replies() -> list[tuple[Request, Reply]]:
    """Requests of every kind, and what they get if nothing is spoilt."""
    with Sandbox([SHOP], now=UNTIL) as sandbox:
        return [(request, sandbox.answer(request, "4711")) for request in REQUESTS]


_SPECS = st.dictionaries(
    st.sampled_from([name for name, _, _ in fault_list() if name != "bomb"]), st.sampled_from(["0.2", "0.8", "1"]), max_size=8
)


@settings(max_examples=40, deadline=None)
@given(specs=_SPECS, seed=st.integers(0, 9))
def test_faults_can_be_combined_and_are_the_same_for_the_same_seed(
    replies: list[tuple[Request, Reply]], specs: dict[str, str], seed: int
) -> None:
    """With any faults in any order each request gets a reply, and with the same seed the same one."""
    spoilt = []
    for order in (list(specs.items()), list(specs.items())[::-1]):
        misbehaviour = Misbehaviour([f"{name}={share}" for name, share in order], seed)
        spoilt.append([misbehaviour.spoiled(request, reply, UNTIL) for request, reply in replies * 2])
    assert [replace(reply, headers=()) for reply in spoilt[0]] == [replace(reply, headers=()) for reply in spoilt[1]]


def strikes(*faults: str, attempts: int) -> list[bool]:
    """Which of so many attempts at one file are struck."""
    with misbehaving(*faults) as (sandbox, client):
        found = []
        for _ in range(attempts):
            before = sandbox.misbehaviour.strikes.total()
            with client._transport.send(f"{sandbox.base_url}/data_access_le/account/4711/le/engagement/{NAMES[0]}", "x"):
                found.append(sandbox.misbehaviour.strikes.total() > before)
        return found


def test_a_fault_strikes_as_often_as_it_is_told() -> None:
    """Once, so that every second attempt succeeds; so many times in a row; always; never where its share is 0."""
    assert strikes("5xx", attempts=4) == [True, False, True, False]
    assert strikes("5xx:2", attempts=6) == [True, True, False] * 2
    assert strikes("5xx:lasting", attempts=3) == [True] * 3
    assert strikes("5xx=0", attempts=3) == [False] * 3
    assert strikes("5xx:listing", attempts=2) == [False] * 2


def test_the_docs_list_every_fault() -> None:
    """The table of docs/rehearsing.md, and what `--list-faults` prints, are the faults that there are."""
    table = re.findall(r"^\| `([^|]+)` \| ([^|]+) \| ([^|]+) \|$", (ROOT / "docs" / "rehearsing.md").read_text(), re.MULTILINE)
    assert table == fault_list()
    printed = CliRunner().invoke(main, ["sandbox", "--list-faults"])
    assert [tuple(re.split("  +", line)) for line in printed.output.splitlines()] == fault_list()


def test_the_command_serves_faults(tmp_path: Path) -> None:
    """`lakehouse sandbox` misbehaves as its options say, and says nothing else than usual."""
    arguments = ["sandbox", "--port", "0", "--fault", "refused:base", "--fault", "5xx:listing=0.5", "--latency-ms", "1"]
    command = [sys.executable, "-W", "error", "-m", "pipeline", *arguments, "--seed", "3"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(9)]
        settings = dict(line.strip().split("=", 1) for line in lines if line.startswith("LP_"))
        done = CliRunner(env=settings).invoke(main, ["sync", "--lake", str(tmp_path / "lake")])
        process.terminate()
    assert (done.exit_code, "refuses the credentials (HTTP 401" in done.output) == (FAILED, True), done.output
