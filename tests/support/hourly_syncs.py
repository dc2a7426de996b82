"""A cron that never sleeps: a process of its own that syncs hour after hour of simulated time, and can be killed."""

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from one_account import sync
from sandboxes import QUICK, SMALL

from pipeline.api.client import DataAccessClient
from pipeline.errors import SourceError
from pipeline.lake.lake import Lake
from pipeline.load.session import writing
from pipeline.settings import Credentials, Secret
from pipeline.source_files import RETENTION


def main(*arguments: str) -> None:
    """Sync what is from `start` to `stop`, from the hour in the file `clock` on; a run that fails is followed by the next."""
    base_url, lake_uri, clock, start, stop, step_hours = arguments
    lake, first, until = Lake(lake_uri), datetime.fromisoformat(start), datetime.fromisoformat(stop)
    secrets = [Secret(secret) for secret in os.environ["KEYS"].split()]
    while (now := read(Path(clock))) <= until + timedelta(days=8):  # so late the last file comes
        try:
            with (
                DataAccessClient(Credentials(SMALL.account_id, *secrets), base_url, limits=QUICK) as client,
                writing(lake),
            ):
                since = max(first, now - RETENTION)
                done = sync(lake, client, since=since, until=min(now, until), now=lambda now=now: now)
            print(now, done.listed, done.loaded, len(done.failed), len(done.rejected), len(done.unlisted), flush=True)  # noqa: T201
        except SourceError as error:
            print(now, error, flush=True)  # noqa: T201
        write(Path(clock), now + timedelta(hours=float(step_hours)))


def read(clock: Path) -> datetime:
    """The simulated time."""
    return datetime.fromisoformat(clock.read_text()).astimezone(UTC)


def write(clock: Path, now: datetime) -> None:
    """Set the clock; a reader sees the former time or this one."""
    beside = clock.with_suffix(".new")
    beside.write_text(now.isoformat())
    beside.replace(clock)


if __name__ == "__main__":
    main(*sys.argv[1:])
