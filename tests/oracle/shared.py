"""Shared parts of the second implementations: rows by conversation and by group, times between, shares, percentiles."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from math import floor
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

Tables = dict[str, pl.DataFrame]
Row = dict[str, Any]
Second = Callable[[Tables], pl.DataFrame]

KEY = ["account_id", "conversation_id", "date"]
DAY = ["account_id", "date"]
ZONE = ZoneInfo("America/New_York")


def frame_of(rows: Iterable[Row]) -> pl.DataFrame:
    """Rows as a frame."""
    return pl.DataFrame(list(rows), infer_schema_length=None)


def key_of(row: Row) -> Row:
    """The columns that name a conversation."""
    return {name: row[name] for name in KEY}


def grouped(rows: Iterable[Row], *names: str) -> dict[tuple[Any, ...], list[Row]]:
    """The rows by these columns, in their order; NULL is a group like any other."""
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[name] for name in names)].append(row)
    return groups


def by_conversation(tables: Tables, name: str) -> dict[tuple[Any, ...], list[Row]]:
    """The messages or transfers of each conversation, in their order."""
    return grouped(tables[name].sort("position").iter_rows(named=True), *KEY)


def milliseconds(start: datetime | None, end: datetime | None) -> int | None:
    """Whole milliseconds, None where an end is missing or the time would be negative."""
    return None if start is None or end is None or end < start else (end - start) // timedelta(milliseconds=1)


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """Seconds, None where an end is missing or the time would be negative."""
    whole = milliseconds(start, end)
    return None if whole is None else whole / 1000


def known(values: Iterable[float | None]) -> list[float]:
    """The values that are not None."""
    return [value for value in values if value is not None]


def ratio(part: float, whole: float) -> float | None:
    """A part of a whole; of nothing there is none."""
    return part / whole if whole else None


def mean(values: list[float]) -> float | None:
    """The mean; of nothing there is none."""
    return ratio(sum(values), len(values))


def quantile(values: list[float], at: float) -> float | None:
    """The value at this share of the way from the least to the greatest, between two of them in proportion."""
    if not values:
        return None
    ordered, place = sorted(values), (len(values) - 1) * at
    lower = floor(place)
    upper = min(lower + 1, len(values) - 1)
    return ordered[lower] + (ordered[upper] - ordered[lower]) * (place - lower)


def midnight(day: date) -> datetime:
    """The instant at which a day begins in New York."""
    return datetime(day.year, day.month, day.day, tzinfo=ZONE).astimezone(UTC)


def local(moment: datetime) -> datetime:
    """The time on clocks in New York."""
    return moment.astimezone(ZONE).replace(tzinfo=None)


def span(start: str, end: str) -> pl.Expr:
    """Milliseconds from one column to another, NULL where they would be negative."""
    found = pl.col(end).dt.epoch("ms") - pl.col(start).dt.epoch("ms")
    return pl.when(found >= 0).then(found)


def share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """A part of a whole; of nothing there is none."""
    return pl.when(whole > 0).then(part / whole)


def percentile(column: str | pl.Expr, at: float) -> pl.Expr:
    """An interpolated percentile."""
    return (pl.col(column) if isinstance(column, str) else column).quantile(at, interpolation="linear")


def timing(prefix: str, column: str) -> dict[str, pl.Expr]:
    """Count, mean and percentiles of times."""
    return {
        f"{prefix}_count": pl.col(column).count(),
        f"{prefix}_avg_seconds": pl.col(column).mean(),
        f"{prefix}_p50_seconds": percentile(column, 0.5),
        f"{prefix}_p90_seconds": percentile(column, 0.9),
    }
