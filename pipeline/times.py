"""Converts times in UTC to epoch numbers and back."""

from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)
_MICROSECOND: Final = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return (moment - EPOCH) // _MICROSECOND


def at_microseconds(count: int) -> datetime:
    """The time at so many microseconds since 1970 UTC; raises `OverflowError` after the year 9999."""
    return EPOCH + count * _MICROSECOND


def at_milliseconds(count: int) -> datetime:
    """The time at so many milliseconds since 1970 UTC; raises `OverflowError` after the year 9999."""
    return EPOCH + count * MILLISECOND
