"""A sync by windows of hours ends with the tables of one run; so does one that was killed. It can write the report, too."""

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from commands import lakehouse
from interruptions import begun
from lakes import ask, everything
from one_account import sync
from sandboxes import MIDNIGHT, QUICK, SMALL, misbehaving

from pipeline.api.client import DataAccessClient
from pipeline.lake.lake import Lake
from pipeline.lake.snapshot import LEDGER
from pipeline.load.session import writing
from pipeline.sandbox import Sandbox
from pipeline.source_files import RETENTION

HOUR = timedelta(hours=1)
BUSY = replace(SMALL, conversations_per_day=60)
"""An account with a file in most hours of the day, and in few of the night."""


def last_midnight() -> datetime:
    """The begin of this day in UTC."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """An account up to midnight, where its clock stands still."""
    with Sandbox([BUSY], now=last_midnight()) as served:
        yield served


def settings(sandbox: Sandbox) -> dict[str, str]:
    return dict(line.split("=", 1) for line in sandbox.settings_of(BUSY.account_id).split())


def window(since: datetime, until: datetime) -> tuple[str, ...]:
    """The options as Airflow and Dagster write them."""
    return ("--since", since.isoformat(), "--until", until.isoformat())


def number(text: str, words: str) -> int:
    """The count that a summary has before these words."""
    found = re.search(rf"([\d,]+) {words}", text)
    return int(found[1].replace(",", "")) if found else 0


def test_windows_side_by_side_bring_what_one_run_brings(tmp_path: Path) -> None:
    """No gap and no double, though they come out of order and one comes twice; the same hours are known to be empty."""
    since, until = MIDNIGHT - 5 * HOUR, MIDNIGHT
    hours = [since + n * HOUR for n in range(5)]
    turns = [*hours[3::-2], *hours[::2], hours[1]]
    whole, parts = Lake(str(tmp_path / "whole")), Lake(str(tmp_path / "parts"))
    with misbehaving(account=BUSY) as (sandbox, client):
        with writing(whole):
            assert sync(whole, client, since=since, until=until, now=lambda: MIDNIGHT).loaded > 2
        for hour in turns:
            with (
                DataAccessClient(sandbox.credentials(BUSY.account_id), sandbox.base_url, limits=QUICK) as one,
                writing(parts),
            ):
                assert sync(parts, one, since=hour, until=hour + HOUR, now=lambda: MIDNIGHT).is_complete
        assert sandbox.count("download") == 2 * len(ask(whole, "from files"))
    assert everything(parts) == everything(whole)


def test_a_window_twice_downloads_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """The second run ends with 0, too."""
    until = sandbox.now() - 6 * HOUR
    hours = window(until - 6 * HOUR, until)
    assert lakehouse("sync", *hours, cwd=tmp_path, **settings(sandbox)).returncode == 0
    fetched = sandbox.count("download")
    assert fetched
    done = lakehouse("sync", *hours, cwd=tmp_path, **settings(sandbox))
    assert (done.returncode, sandbox.count("download")) == (0, fetched)


def test_windows_at_the_same_time_end_as_one_run(sandbox: Sandbox, tmp_path: Path) -> None:
    """Two processes, of hours that overlap: the second one waits, and fetches what the first has not."""
    (tmp_path / "tmp").mkdir()
    start = sandbox.now() - 16 * HOUR
    windows = [window(start, start + 8 * HOUR), window(start + 6 * HOUR, start + 14 * HOUR)]
    runs = [begun("sync", *one, cwd=tmp_path, **settings(sandbox)) for one in windows]
    for run in runs:
        _, told = run.communicate(timeout=60)
        assert run.returncode == 0, told
    fetched = sandbox.count("download")
    done = lakehouse("sync", *window(start, start + 14 * HOUR), "--lake", "whole", cwd=tmp_path, **settings(sandbox))
    assert (done.returncode, sandbox.count("download")) == (0, 2 * fetched)
    assert everything(Lake(str(tmp_path / "lake"))) == everything(Lake(str(tmp_path / "whole")))


@pytest.mark.parametrize(
    ("since", "until", "told"),
    [
        (-2 * HOUR, -3 * HOUR, "is not before --until"),
        (-2 * HOUR, -2 * HOUR, "no time lies between them, as --until is not part of it; give a later --until"),
        (HOUR, 2 * HOUR, "expected a time before now"),
        (HOUR, None, "expected a time before now"),
        (None, -RETENTION - HOUR, "without --since a run begins 30 days ago, which is later; give --since, too"),
    ],
    ids=["swapped", "empty", "future", "future on", "before the default"],
)
def test_a_window_in_which_nothing_can_be_is_refused(
    tmp_path: Path, since: timedelta | None, until: timedelta | None, told: str
) -> None:
    """With exit code 2, before anything is asked: an orchestrator must not take the hour for done."""
    now = datetime.now(UTC)
    bounds = {"--since": since, "--until": until}
    options = [word for name, by in bounds.items() if by is not None for word in (name, (now + by).isoformat())]
    done = lakehouse("sync", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert re.fullmatch(rf"lakehouse: --(since|until) \S+.*{re.escape(told)}.*\n", done.stderr)
    assert not (tmp_path / "lake").exists()


def test_a_window_that_ends_later_than_now_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    """It brings what is there; no hour that is not over is known to be empty."""
    since = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 2 * HOUR
    done = lakehouse("sync", *window(since, since + 9 * HOUR), cwd=tmp_path, **settings(sandbox))
    assert done.returncode == 0
    assert "is later than now: files of hours that are not over come with a later run" in done.stderr
    (listed,) = ask(Lake(str(tmp_path / "lake")), "select count(*), max(hour) + interval 1 hour <= now() from listings")
    assert listed >= (2, True)


def test_hours_that_the_source_has_deleted_are_told_and_never_called_empty(tmp_path: Path) -> None:
    """The run ends with 0, since no retry can help; what the lake had before stays, and is not counted as lost."""
    now = last_midnight()
    since = now - RETENTION - 14 * HOUR
    hours = window(since, since + 4 * HOUR)
    account = replace(BUSY, conversations_per_day=500)  # a file in each hour of the day
    with Sandbox([account], now=since + 20 * HOUR) as early, Sandbox([account], now=now) as late:
        done = lakehouse("sync", "--format", "json", *hours, cwd=tmp_path, **settings(late))
        (told,) = [line for line in done.stderr.splitlines() if "4 hours from " in line]
        assert (done.returncode, told.startswith("4 of 4 hours from "), json.loads(done.stdout)["gone_hours"]) == (0, True, 4)
        assert " are not in the lake, and older than the 30 days that the source keeps: " in told
        assert ask(Lake(str(tmp_path / "lake")), "from listings") == []
        assert lakehouse("sync", *window(since, since + 3 * HOUR), cwd=tmp_path, **settings(early)).returncode == 0
        known = ask(Lake(str(tmp_path / "lake")), "from listings order by hour")
        assert len(known) == 3
        done = lakehouse("sync", *window(since, since + 3 * HOUR), cwd=tmp_path, **settings(late))
        assert done.returncode == 0
        assert re.search(r"^3 hours from \S+ to \S+: all in the lake, and older than the 30 days", done.stderr, re.MULTILINE)
        done = lakehouse("sync", *hours, cwd=tmp_path, **settings(late))
        assert (done.returncode, "1 of 4 hours from " in done.stderr) == (0, True)
        assert ask(Lake(str(tmp_path / "lake")), "from listings order by hour") == known


def test_a_run_that_is_killed_keeps_its_finished_commits(tmp_path: Path) -> None:
    """With LP_COMMIT_BYTES a sync commits in parts; after a kill the next run fetches the rest, and clears staged files."""
    (tmp_path / "tmp").mkdir()
    with Sandbox([BUSY], now=last_midnight(), delay_seconds=0.05) as sandbox:
        given = settings(sandbox) | {"LP_COMMIT_BYTES": "15kB", "LP_DOWNLOADS": "2"}
        words = ("sync", "--since", (sandbox.now() - 48 * HOUR).isoformat())
        lake = Lake(str(tmp_path / "lake"))
        running = begun(*words, cwd=tmp_path, **given)
        deadline = time.monotonic() + 60
        while (lake.newest_version(LEDGER) or 0) < 2 and time.monotonic() < deadline:
            time.sleep(0.005)
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate(timeout=60)
        kept = ask(lake, "select name from files order by name")
        assert kept
        fetched = sandbox.count("download")
        done = lakehouse(*words, cwd=tmp_path, **given)
        assert done.returncode == 0, done.stderr
        listed, known = number(done.stderr, "files? listed"), number(done.stderr, "of them in the lake already")
        assert (known, sandbox.count("download") - fetched) == (len(kept), listed - known)
        assert list((tmp_path / "lake" / "landing" / ".incoming").iterdir()) == []
        assert lakehouse(*words, "--lake", "whole", cwd=tmp_path, **settings(sandbox)).returncode == 0
        assert (lake.newest_version(LEDGER) or 0) > 3
        assert Lake(str(tmp_path / "whole")).newest_version(LEDGER) == 1
        rows, whole = everything(lake), everything(Lake(str(tmp_path / "whole")))
        assert rows == whole


def test_a_sync_writes_the_report(sandbox: Sandbox, tmp_path: Path) -> None:
    """Its path is shown as `lakehouse report` does; where standard output has the object, on standard error."""
    hours = window(sandbox.now() - 9 * HOUR, sandbox.now())
    page = tmp_path / "lake" / "report.html"
    done = lakehouse("sync", "--report", *hours, cwd=tmp_path, **settings(sandbox))
    assert (done.returncode, done.stdout) == (0, f"{page}\n")
    assert page.exists()
    page.unlink()
    done = lakehouse("sync", "--report", "--format", "json", *hours, cwd=tmp_path, **settings(sandbox))
    assert (done.returncode, json.loads(done.stdout)["result"]) == (0, "complete")
    assert done.stderr.endswith(f"{page}\n")
    assert page.exists()
    done = lakehouse("sync", "--report", "--dry-run", *hours, cwd=tmp_path, **settings(sandbox))
    assert (done.returncode, "--dry-run: it brings nothing in, found --report, too" in done.stderr) == (2, True)


def test_a_report_is_written_where_something_is_set_aside(tmp_path: Path) -> None:
    """The exit code is that of the sync."""
    with Sandbox([BUSY], now=last_midnight(), faults=["crc:9=0.5"]) as sandbox:
        since = sandbox.now() - 12 * HOUR
        done = lakehouse("sync", "--report", "--since", since.isoformat(), cwd=tmp_path, **settings(sandbox))
    assert done.returncode == 3, done.stderr
    assert (tmp_path / "lake" / "report.html").exists()


def test_a_report_is_written_where_an_account_fails(sandbox: Sandbox, tmp_path: Path) -> None:
    """The others have come in; a first run of which nothing came says so alone."""
    good = sandbox.settings_of(BUSY.account_id)
    keys = "LP_APP_KEY=a\nLP_APP_SECRET=b\nLP_ACCESS_TOKEN=c\nLP_ACCESS_TOKEN_SECRET=d\n"
    for name, text in (("good", good), ("bad", f"LP_ACCOUNT_ID=4799\n{keys}LP_BASE_URL={sandbox.base_url}\n")):
        (tmp_path / f"{name}.env").write_text(text)
        (tmp_path / f"{name}.env").chmod(0o600)
    since = (sandbox.now() - 9 * HOUR).isoformat()
    done = lakehouse("sync", "--report", "--since", since, "--account", "bad.env", cwd=tmp_path)
    assert done.returncode == 1
    assert (len(done.stderr.splitlines()), "report.html" in done.stderr) == (1, False), done.stderr
    accounts = ("--account", "bad.env", "--account", "good.env")
    done = lakehouse("sync", "--report", "--since", since, *accounts, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, f"{tmp_path / 'lake' / 'report.html'}\n")
    assert done.stderr.splitlines()[-1].startswith("lakehouse: 1 of 2 accounts failed, the others did not: account 4799: ")


def test_a_report_that_fails_says_that_the_data_are_in(sandbox: Sandbox, tmp_path: Path) -> None:
    """With exit code 1, in one sentence, which the object has, too."""
    since = (sandbox.now() - 9 * HOUR).isoformat()
    (tmp_path / "lake" / "report.html").mkdir(parents=True)
    done = lakehouse("sync", "--report", "--format", "json", "--since", since, cwd=tmp_path, **settings(sandbox))
    found = json.loads(done.stdout)
    assert done.returncode == found["exit_code"] == 1
    assert found["error"].startswith("the data are in, but the report can't be written: ")
    assert done.stderr.splitlines()[-1] == f"lakehouse: {found['error']}"
    assert found["loaded"] > 0


@pytest.mark.parametrize("since", ["0001-01-01", "0001-01-01T00:00+14:00", "1969-12-31"])
def test_a_time_before_all_files_is_wrong_usage(tmp_path: Path, since: str) -> None:
    """Whatever its offset is."""
    done = lakehouse("sync", "--since", since, cwd=tmp_path)
    assert done.returncode == 2
    assert "expected a time from 1970 on" in done.stderr


def test_a_window_without_an_end_asks_for_no_day_to_come(sandbox: Sandbox, tmp_path: Path) -> None:
    """It ends now, whatever year is given."""
    since = (sandbox.now() - 2 * HOUR).isoformat()
    done = lakehouse("sync", "--since", since, "--until", "9999-12-31", cwd=tmp_path, **settings(sandbox))
    assert done.returncode == 0
