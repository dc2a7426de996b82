"""The offsets of time zones from UTC, as rows of the table `utc_offsets`: views turn instants into local times by a join."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

YEARS: Final = range(2015, 2046)
"""The years that `utc_offsets` covers: a time before or after them has no local time."""

_QUARTER: Final = timedelta(minutes=15)  # every zone's clock changes on one
_FAR: Final = timedelta(days=20)  # no two changes of a clock are nearer


class Period(NamedTuple):
    """A span of time in which a zone's offset does not change, once for each year that it touches.

    The local bounds turn a local time into an instant.
    """

    time_zone: str
    year: int
    from_time: datetime
    until_time: datetime
    from_local_time: datetime
    until_local_time: datetime
    offset_seconds: int


def utc_offsets(time_zones: Iterable[str]) -> list[Period]:
    """List the offsets of time zones in `YEARS`, by zone and time."""
    return [period for zone in sorted(set(time_zones)) for period in _periods(zone)]


@lru_cache(maxsize=32)
def _periods(time_zone: str) -> tuple[Period, ...]:
    zone = ZoneInfo(time_zone)
    begin, end = (datetime(year, 1, 1, tzinfo=UTC) for year in (YEARS.start, YEARS.stop))
    changes = [begin]
    while (change := _next_change(zone, changes[-1], end)) is not None:
        changes.append(change)
    offsets = [_offset(zone, change) for change in changes]
    # Where a clock is set back, the first of two equal local times counts; one that is left out counts before the change.
    bounds = [change.replace(tzinfo=None) + max(pair) for change, pair in zip(changes[1:], pairwise(offsets), strict=True)]
    local = [begin.replace(tzinfo=None) - timedelta(days=1), *bounds, end.replace(tzinfo=None) + timedelta(days=1)]
    return tuple(
        Period(time_zone, year, start, until, local_start, local_until, int(offset.total_seconds()))
        for (start, until), (local_start, local_until), offset in zip(
            pairwise([*changes, end]), pairwise(local), offsets, strict=True
        )
        for year in range(min(start.year, local_start.year), max(until.year, local_until.year) + 1)
    )


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def _next_change(zone: ZoneInfo, after: datetime, end: datetime) -> datetime | None:
    """Find the first quarter of an hour after a moment that has another offset."""
    before = _offset(zone, after)
    low = after
    while low < end and _offset(zone, low + _FAR) == before:
        low += _FAR
    high = low + _FAR
    while high - low > _QUARTER:
        middle = low + (high - low) // 2 // _QUARTER * _QUARTER
        low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
    return high if high < end else None
