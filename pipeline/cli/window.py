"""The window of a sync, `--since` and `--until`: what it has to be, and which of its hours the source keeps no longer."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from pipeline.cli.log import say
from pipeline.cli.options import next_command
from pipeline.errors import SettingsError
from pipeline.source_files import RETENTION
from pipeline.text import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.api.client import DataAccessClient
    from pipeline.lake.lake import Lake
    from pipeline.load.results import SyncReport

_HOUR: Final = timedelta(hours=1)
_THERE: Final = """
    select account_id, count(*) from source_hours
    where state in ('loaded', 'empty') and hour >= $first and hour < $end
    group by all"""


def check_window(since: datetime | None, until: datetime | None, now: datetime) -> None:
    """Refuse a window without an hour that is over; one that ends later than now is told.

    Raises:
        SettingsError: nothing can be in it.
    """
    if since and until and since > until:
        raise SettingsError(f"--since {_told(since)} is not before --until {_told(until)}; swap them")
    if since and since == until:
        raise SettingsError(
            f"--since {_told(since)} --until {_told(until)}: no time lies between them, as --until is not part of it; give a "
            "later --until"
        )
    if since and since >= now:
        raise SettingsError(f"--since {_told(since)}: expected a time before now, {_told(now)}; run it when that time is over")
    if until and not since and until <= now - RETENTION:
        raise SettingsError(
            f"--until {_told(until)}: without --since a run begins {RETENTION.days} days ago, which is later; give --since, too"
        )
    if until and until > now:
        say(f"--until {_told(until)} is later than now: files of hours that are not over come with a later run")


def _told(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def note_gone(
    lake: "Lake",
    reports: "Mapping[DataAccessClient, SyncReport]",
    since: datetime | None,
    until: datetime | None,
    now: datetime,
) -> None:
    """Note in the reports the hours of the window that the source keeps no longer, and how many of them the lake lacks."""
    from pipeline.warehouse.database import connect

    first = _hour_from(since) if since else now
    end = min(_hour_from(until or now), _hour_from(now - RETENTION))
    hours = (end - first) // _HOUR
    if hours <= 0:
        return
    with connect(lake) as connection:
        there = dict(connection.execute(_THERE, {"first": first, "end": end}).fetchall())
    span = f"{counted(hours, 'hour')} from {first:%Y-%m-%dT%H:%MZ} to {end:%Y-%m-%dT%H:%MZ}"
    for client, report in reports.items():
        report.gone_hours = lacking = hours - there.get(client.account_id, 0)
        verb = "is" if lacking == 1 else "are"
        report.gone = (
            f"{lacking:,} of {span} {verb} not in the lake, and older than the {RETENTION.days} days that the source keeps: no "
            f"run can bring them; if you have their files, {next_command('load')} takes them"
            if lacking
            else f"{span}: all in the lake, and older than the {RETENTION.days} days that the source keeps"
        )


def _hour_from(moment: datetime) -> datetime:
    """The first full hour of UTC that begins at that time or later."""
    moment = moment.astimezone(UTC)
    floor = moment.replace(minute=0, second=0, microsecond=0)
    return floor if floor == moment else floor + _HOUR
