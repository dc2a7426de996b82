"""Groups, means, shares and percentiles for the second implementations of views."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from math import floor

from oracle.model import Key, Row

MILLISECOND = timedelta(milliseconds=1)


def grouped(rows: Iterable[Row], key: Callable[[Row], Key]) -> dict[Key, list[Row]]:
    """The rows of each key, in their order; NULL is a value like any other."""
    groups: dict[Key, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups


def columns_of(*names: str) -> Callable[[Row], Key]:
    """The function that gives these columns of a row."""
    return lambda row: tuple(row[name] for name in names)


def by_key(rows: Iterable[Row], measures: Callable[[list[Row]], Row], *key: str) -> list[Row]:
    """The measures of the rows of each key."""
    return [dict(zip(key, values, strict=True)) | measures(group) for values, group in grouped(rows, columns_of(*key)).items()]


def known(values: Iterable[float | None]) -> list[float]:
    """The values that are there."""
    return [value for value in values if value is not None]


def share(part: float, whole: float) -> float | None:
    """A part of a whole; of nothing there is none."""
    return part / whole if whole else None


def mean(values: Sequence[float]) -> float | None:
    """The mean; of nothing there is none."""
    return sum(values) / len(values) if values else None


def quantile(values: Iterable[float], at: float) -> float | None:
    """The value at this share of the way from the least to the greatest, between two of them in proportion."""
    ordered = sorted(values)
    if not ordered:
        return None
    place = (len(ordered) - 1) * at
    lower = floor(place)
    upper = min(lower + 1, len(ordered) - 1)
    return ordered[lower] + (ordered[upper] - ordered[lower]) * (place - lower)


def seconds(milliseconds: float | None) -> float | None:
    """Seconds of milliseconds."""
    return None if milliseconds is None else milliseconds / 1000


def milliseconds_between(start: datetime | None, end: datetime | None) -> int | None:
    """Whole milliseconds between two times; NULL where one is missing or the second is earlier."""
    return None if start is None or end is None or end < start else (end - start) // MILLISECOND


def timing(prefix: str, milliseconds: Iterable[float | None], *, of: str = "avg p50 p90") -> Row:
    """Mean, percentiles and greatest of times, in seconds; `of` says which."""
    times = known(milliseconds)
    found: Row = {}
    for name in of.split():
        if name == "avg":
            value = mean(times)
        elif name == "sum":
            value = sum(times)
        elif name == "max":
            value = max(times, default=None)
        else:
            value = quantile(times, int(name.removeprefix("p")) / 100)
        found[f"{prefix}_{name}_seconds"] = seconds(value)
    return found
