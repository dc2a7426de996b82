"""The days of time zones, by the time zone database of Python."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from oracle.shared import ZONE, Row, Tables, frame_of

FIRST, AFTER_LAST = date(2014, 12, 31), date(2046, 1, 2)
QUARTER = timedelta(minutes=15)  # no clock changes within one


def local_days(_: Tables) -> pl.DataFrame:
    """New York's."""
    return frame_of(days_of(ZONE))


def days_of(zone: ZoneInfo) -> Iterator[Row]:
    """Every day, from when the zone's clocks first show it to when they first show the next."""
    starts = []
    day = FIRST
    while day < AFTER_LAST:
        starts.append((day, first_quarter(day, zone)))
        day += timedelta(days=1)
    for (day, start), (_, end) in zip(starts, [*starts[1:], (None, None)], strict=True):
        yield {
            "time_zone": zone.key,
            "local_date": day,
            "start_time": start,
            "end_time": end,
            "hour_count": None if end is None else (end - start) / timedelta(hours=1),
        }


def first_quarter(day: date, zone: ZoneInfo) -> datetime:
    """Halve the time around midnight of UTC until the quarter is found before which the clocks showed an earlier day."""
    around = datetime(day.year, day.month, day.day, tzinfo=UTC)
    before, after = around - timedelta(hours=24), around + timedelta(hours=24)
    while after - before > QUARTER:
        middle = before + (after - before) // QUARTER // 2 * QUARTER
        if middle.astimezone(zone).date() < day:
            before = middle
        else:
            after = middle
    return after
