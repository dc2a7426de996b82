"""Every fault of the sandbox, over real HTTP, against a sync: it ends as the contract says, and the lake is right."""

import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner
from lakes import everything, take
from sandboxes import MIDNIGHT, SMALL, misbehaving

from pipeline.api import DataAccessClient
from pipeline.cli import main
from pipeline.errors import SourceError
from pipeline.lake import Lake
from pipeline.load import writing
from pipeline.sandbox import Sandbox, fault_list, hour_file_names, wish
from pipeline.sync import SyncReport, sync

ROOT = Path(__file__).parent.parent
DAYS = timedelta(days=3)
HOUR = timedelta(hours=1)
ALL_IN, FAILED, SET_ASIDE = 0, 1, 3
NAMES = [name for hour in range(72) for name in hour_file_names(SMALL, MIDNIGHT - DAYS + hour * HOUR)]
Rows = dict[str, list[str]]


class Run(NamedTuple):
    """How a sync ended: its exit code, what it says, and its report, None where it failed."""

    code: int
    words: str
    report: SyncReport | None


def run(lake: Lake, client: DataAccessClient, sandbox: Sandbox) -> Run:
    """Sync the three days before `MIDNIGHT`, as the command does."""
    try:
        with writing(lake):
            report = sync(lake, client, since=MIDNIGHT - DAYS, until=MIDNIGHT, now=sandbox.now)
    except SourceError as error:
        return Run(FAILED, str(error), None)
    words = "\n".join(f"{name}: {reason}" for name, reason in (report.rejected | report.failed).items())
    return Run(ALL_IN if report.is_complete else SET_ASIDE, words, report)


def rows(lake: Lake, without: set[str] = frozenset()) -> Rows:  # type: ignore[assignment]
    """All rows but those of some files; what tells in which wrapping a file came, and how often it was listed, aside."""
    return {
        table: [row for row in rows if not any(f"'{name}'" in row for name in without)]
        for table, rows in everything(lake).items()
        if table not in {"files", "listings"}
    }


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture(scope="module")
def perfect(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """What a sync brings where nothing is in its way."""
    lake = Lake(str(tmp_path_factory.mktemp("perfect") / "lake"))
    with misbehaving() as (sandbox, client):
        assert run(lake, client, sandbox).code == ALL_IN
    return lake


def struck(sandbox: Sandbox, faults: str) -> bool:
    """Whether each of the faults changed an answer."""
    return all(sandbox.misbehaviour.strikes[wish(fault).fault.name] for fault in faults.split())


IN_PASSING = [
    "silence=0.3 drip=0.3",
    "reset",
    "short",
    "cut",
    "busy=0.2 busy-date=0.2",
    "5xx:2",
    "html:base garbage",
]
OTHER_FORMS = [
    "chunked bare-names documents object no-file",
    "close object empty-200",
    "labelled empty-xml",
    "packed",
    "unpacked",
]
SETS_ASIDE = {
    "crc=0.4": "CRC",
    "half=0.4": "cut short",
    "empty=0.4": "zero bytes",
    "html:download=0.4": "HTML",
    "endless:download=0.4": "expected at most 1,048,576 bytes",
    "5xx:download:lasting=0.4": "HTTP 503.*after 3 attempts",
    "reset:download:lasting=0.4": "broke off after .*after 3 attempts",
    "vanished=0.4": "no longer at the server .HTTP 404",
    "gone=0.4": "no longer at the server .HTTP 410",
    "stranger:listing=0.4": r"found https://files\.example:443; not sent",
    "downgrade:listing=0.4": r"found http://va\.da\.liveperson\.net:80; not sent",
    "redirect:download=0.4": r"found https://files\.example:443; not sent",
    "path=0.4": "expected a bare file name as @name in the listing; not fetched",
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
ELSEWHERE = {"late", "days-late", "replaced", "hidden"}


@pytest.mark.parametrize("faults", IN_PASSING + OTHER_FORMS)
def test_what_passes_is_ridden_out(lake: Lake, perfect: Lake, faults: str) -> None:
    """A fault that passes with the next attempt, or that is only another form, costs no row and ends with 0."""
    with misbehaving(*faults.split()) as (sandbox, client):
        assert run(lake, client, sandbox)[:2] == (ALL_IN, "")
        assert all(sandbox.misbehaviour.strikes[name] for name in names_of(faults))
    assert rows(lake) == rows(perfect)


@pytest.mark.parametrize(("fault", "words"), SETS_ASIDE.items())
def test_what_can_not_be_had_is_set_aside(lake: Lake, perfect: Lake, fault: str, words: str) -> None:
    """A file that is broken, or can't be had for good, is named with the reason, the others are in, exit code 3."""
    with misbehaving(fault, seed=2) as (sandbox, client):
        done = run(lake, client, sandbox)
    assert done.report is not None
    missing = done.report.rejected | done.report.failed
    assert (done.code, 0 < len(missing) < len(NAMES)) == (SET_ASIDE, True)
    assert all(re.search(words, reason) for reason in missing.values()), done.words
    assert rows(lake) == rows(perfect, without={name.strip('"').rpartition("/")[2] for name in missing})


@pytest.mark.parametrize(("fault", "words"), FAILS.items())
def test_what_makes_a_sync_fail_is_said(lake: Lake, fault: str, words: str) -> None:
    """A login that is refused and a listing that can't be read are exit code 1 and one sentence."""
    with misbehaving(fault) as (sandbox, client):
        done = run(lake, client, sandbox)
    assert (done.code, done.words.count("\n")) == (FAILED, 0)
    assert re.search(words, done.words), done.words


def test_a_day_that_can_not_be_listed_costs_that_day_alone(lake: Lake, perfect: Lake) -> None:
    """The files of the other days are in, exit code 3; once the day can be listed again, its files come, too."""
    with misbehaving("5xx:listing:3=0.5", seed=3) as (sandbox, client):
        first = run(lake, client, sandbox)
        assert first.report is not None
        assert (first.code, 0 < first.report.loaded < len(NAMES)) == (SET_ASIDE, True)
        assert run(lake, client, sandbox).code == ALL_IN
    assert rows(lake) == rows(perfect)


def test_the_next_sync_brings_what_was_missing(lake: Lake, perfect: Lake) -> None:
    """Broken files, vanished ones, hidden days and refused logins of one run are made up for by the next ones."""
    faults = ("crc=0.3", "half=0.3", "empty=0.3", "html:download=0.3", "vanished:1=0.3", "hidden=0.5", "refused:base:1")
    codes: list[int] = []
    with misbehaving(*faults) as (sandbox, client):
        while not codes or codes[-1] == FAILED or rows(lake) != rows(perfect):
            codes.append(run(lake, client, sandbox).code)
            assert len(codes) < 10
        assert all(sandbox.misbehaviour.strikes[name] for name in names_of(" ".join(faults)))
    assert (codes[0], set(codes[1:]) <= {ALL_IN, SET_ASIDE}) == (FAILED, True)


def test_files_that_come_late_are_found(lake: Lake, perfect: Lake) -> None:
    """A file appears hours or days after its hour, behind files of later hours, and the sync after that brings it."""
    clock = [MIDNIGHT - DAYS + 18 * HOUR]
    came: list[set[str]] = []
    with misbehaving("late", "days-late=0.4", now=lambda: clock[0]) as (sandbox, client):
        for hours in (0, 6, 8 * 24):
            clock[0] += hours * HOUR
            assert run(lake, client, sandbox)[:2] == (ALL_IN, "")
            came.append({str(row) for row in rows(lake)["conversations"]})
    assert came[0] < came[1] < came[2]
    assert rows(lake) == rows(perfect)


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


def test_new_contents_under_an_old_name_replace_what_it_brought(lake: Lake, perfect: Lake, tmp_path: Path) -> None:
    """What is served a day later is another file of the same name; loaded from another lake's landing zone, it counts."""
    clock = [MIDNIGHT - DAYS + 24 * HOUR]
    later = Lake(str(tmp_path / "later"))
    with misbehaving("replaced", now=lambda: clock[0]) as (sandbox, client):
        assert run(lake, client, sandbox).code == ALL_IN
        first = rows(lake)
        clock[0] = MIDNIGHT + DAYS
        assert run(later, client, sandbox).code == ALL_IN
    assert rows(later) == rows(perfect)
    assert len(first["conversations"]) < len(rows(perfect)["conversations"])
    take(lake, Path(later.root) / "landing")
    assert rows(lake) == rows(perfect)


def names_of(faults: str) -> set[str]:
    return {wish(fault).fault.name for fault in faults.split()}


def test_every_fault_has_a_test() -> None:
    """The tables above name each fault that the sandbox knows."""
    tested = names_of(" ".join([*IN_PASSING, *OTHER_FORMS, *SETS_ASIDE, *FAILS]))
    assert tested | ELSEWHERE == {name for name, _, _ in fault_list()}


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
    command = [sys.executable, "-W", "error", "-m", "pipeline.cli", *arguments, "--seed", "3"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(9)]
        settings = dict(line.strip().split("=", 1) for line in lines if line.startswith("LP_"))
        done = CliRunner(env=settings).invoke(main, ["sync", "--lake", str(tmp_path / "lake")])
        process.terminate()
    assert (done.exit_code, "refuses the credentials (HTTP 401" in done.output) == (FAILED, True), done.output
