"""The days, weeks and months by which views group: of UTC and of the account's time zone, by Python's time zone database."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from oracle.model import Model, Row


@dataclass(frozen=True)
class Period:
    """A kind of days: the column's name, and the day of a row by its column of time and the UTC day that it has without one."""

    column: str
    of: Callable[[Model, Row, str, str], date | None]


def utc_day(_: Model, row: Row, time: str, otherwise: str) -> date | None:
    """The UTC day."""
    moment: datetime | None = row[time]
    day: date | None = row[otherwise] if moment is None else moment.astimezone(UTC).date()
    return day


def local_day(model: Model, row: Row, time: str, otherwise: str) -> date | None:
    """The day on the account's clocks."""
    moment: datetime | None = row[time]
    day: date | None = row[otherwise] if moment is None else local(model, row, moment).date()
    return day


def local_week(model: Model, row: Row, time: str, otherwise: str) -> date | None:
    """The Monday of the local day's ISO week."""
    day = local_day(model, row, time, otherwise)
    return None if day is None else date.fromisocalendar(*day.isocalendar()[:2], 1)


def local_month(model: Model, row: Row, time: str, otherwise: str) -> date | None:
    """The first day of the local day's month."""
    day = local_day(model, row, time, otherwise)
    return None if day is None else date(day.year, day.month, 1)


def zone_of(model: Model, account_id: str | None) -> ZoneInfo:
    """The time zone of an account."""
    return ZoneInfo(model.rule(account_id, "time_zone"))


def local(model: Model, row: Row, moment: datetime) -> datetime:
    """The time on the clocks of a row's account, without an offset."""
    return moment.astimezone(zone_of(model, row["account_id"])).replace(tzinfo=None)


def hour_start(moment: datetime) -> datetime:
    """The start of the hour on clocks of the time's own zone."""
    return moment.replace(minute=0, second=0, microsecond=0)


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """The instant from which a zone's clocks show a day, also where they skip midnight or show it twice.

    The time around midnight of UTC is halved until the quarter is found before which they showed an earlier day.
    """
    around = datetime(day.year, day.month, day.day, tzinfo=UTC)
    before, after = around - timedelta(hours=24), around + timedelta(hours=24)
    while after - before > QUARTER:
        middle = before + (after - before) // QUARTER // 2 * QUARTER
        if middle.astimezone(zone).date() < day:
            before = middle
        else:
            after = middle
    return after


def hour_count(day: date, zone: ZoneInfo) -> float:
    """The length of a local day in hours: 23 or 25 where the clocks change."""
    return (day_start(day + timedelta(days=1), zone) - day_start(day, zone)) / timedelta(hours=1)


QUARTER: Final = timedelta(minutes=15)
"""No clock changes within one."""
DAILY: Final = Period("date", utc_day)
LOCAL_DAILY: Final = Period("local_date", local_day)
WEEKLY: Final = Period("local_week", local_week)
MONTHLY: Final = Period("local_month", local_month)
DAYS: Final = date(2014, 12, 31), date(2046, 1, 1)
"""The first and the last local day that there is."""
PERIODS: Final = {"daily": DAILY, "local_daily": LOCAL_DAILY, "weekly": WEEKLY, "monthly": MONTHLY}

PeriodView = Callable[[Model, Period], list[Row]]


def days_of(zone: ZoneInfo) -> Iterator[Row]:
    """Every day that there is, from its start to that of the next."""
    day = DAYS[0]
    while day <= DAYS[1]:
        is_last = day == DAYS[1]
        yield {
            "time_zone": zone.key,
            "local_date": day,
            "start_time": day_start(day, zone),
            "end_time": None if is_last else day_start(day + timedelta(days=1), zone),
            "hour_count": None if is_last else hour_count(day, zone),
        }
        day += timedelta(days=1)
