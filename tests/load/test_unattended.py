"""Hourly syncs for two months, with everything that goes wrong in two months, end with the rows of a perfect run."""

import os
import random
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hourly_syncs import read, write
from lakes import everything
from one_account import sync
from places import ROOT, SUPPORT
from sandboxes import MIDNIGHT, SMALL, misbehaving

from pipeline.cli.status import hours
from pipeline.lake.lake import Lake
from pipeline.load.session import writing
from pipeline.maintenance.verify import verify
from pipeline.sandbox import Sandbox
from pipeline.warehouse.database import connect

FAULTS = (
    *(
        "late",
        "days-late=0.05",
        "reset=0.02",
        "short:2=0.02",
        "cut=0.02",
        "5xx:2=0.03",
        "busy=0.005",
        "html=0.01",
        "chunked=0.1",
    ),
    *("labelled=0.05", "object=0.1", "5xx:download:9=0.05", "5xx:listing:4=0.01", "garbage:4=0.005", "vanished:3=0.05"),
    *("crc:2=0.05", "half:1=0.03", "hidden:2=0.02", "refused:base:1=0.02", "silence=0.003", "path=0.002"),
)


class Cron:
    """Hourly syncs of a lake in a process that dies now and then."""

    def __init__(self, sandbox: Sandbox, folder: Path, window: tuple[datetime, datetime], step_hours: int) -> None:
        self.clock = folder / "clock"
        self.said = folder / "said"
        self._environment = os.environ | {
            "KEYS": " ".join(sandbox.credentials(SMALL.account_id).secrets),
            "PYTHONPATH": f"{ROOT}:{SUPPORT}",
        }
        script = str(SUPPORT / "hourly_syncs.py")
        lake = str(folder / "lake")
        times = (moment.isoformat() for moment in window)
        self._command = [sys.executable, script, sandbox.base_url, lake, str(self.clock), *times, str(step_hours)]

    def run(self, *, kill_at: datetime | None = None, after_seconds: float = 0.0) -> None:
        """Go on until the end, or until it is killed in the run of that hour."""
        with self.said.open("a") as said:
            process = subprocess.Popen(self._command, env=self._environment, stdout=said, stderr=said, start_new_session=True)
        if kill_at is None:
            assert process.wait() == 0, self.said.read_text()[-2000:]
            return
        while read(self.clock) < kill_at:
            assert process.poll() is None, self.said.read_text()[-2000:]
            time.sleep(0.002)
        time.sleep(after_seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def unattended(folder: Path, *, days: int, step_hours: int, seed: int) -> None:
    """Sync every so many hours for so many days, be killed three times, and compare with syncs that nothing disturbs."""
    rng = random.Random(seed)
    start, stop = MIDNIGHT - timedelta(days=days), MIDNIGHT
    lake, perfect = Lake(str(folder / "lake")), Lake(str(folder / "perfect"))
    with misbehaving(*FAULTS, now=lambda: read(folder / "clock"), seed=seed) as (sandbox, _):
        cron = Cron(sandbox, folder, (start, stop), step_hours)
        write(cron.clock, start + timedelta(hours=1, minutes=7))
        for third in range(3):
            at = start + timedelta(days=days) * (third + rng.random()) / 3
            cron.run(kill_at=at, after_seconds=rng.uniform(0, 0.6))
        cron.run()
        assert sum(sandbox.misbehaviour.strikes.values()) > days
    said = cron.said.read_text()
    clock = [start]
    with misbehaving(now=lambda: clock[0]) as (_, client), writing(perfect):
        while clock[0] < stop:
            clock[0] = min(clock[0] + timedelta(days=20), stop)
            since = clock[0] - timedelta(days=25)
            assert sync(perfect, client, since=max(since, start), until=clock[0], now=lambda: clock[0]).is_complete
    rows, expected = everything(lake), everything(perfect)
    assert {table: rows[table] for table in rows if table != "listings"} == {
        table: expected[table] for table in expected if table != "listings"
    }, f"seed {seed}\n{said[-3000:]}"
    assert verify(lake).findings == []
    with connect(lake) as connection:
        assert {hour["state"] for hour in hours(connection, stop) if hour["hour"] >= start} <= {"loaded", "empty"}


def test_four_days_of_syncs_that_fail_in_every_way_end_with_all_rows(tmp_path: Path) -> None:
    """Late files, faults of all kinds and three kills: nothing is missing, nothing is there twice."""
    unattended(tmp_path, days=4, step_hours=36, seed=5)


@pytest.mark.long
def test_two_months_of_hourly_syncs_end_with_all_rows(tmp_path: Path) -> None:
    """The same, every hour, for 61 days; UNATTENDED_SEED makes another course of events."""
    unattended(tmp_path, days=61, step_hours=1, seed=int(os.environ.get("UNATTENDED_SEED", "1")))
