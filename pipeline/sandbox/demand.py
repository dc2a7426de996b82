"""The arrival of visitors: curves of the day and the week, random variation, and exceptional days."""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache
from math import exp, fsum, sqrt
from random import Random

from pipeline.sandbox.account import HOUR_MS, Account

# Monday to Sunday; their mean is 1.
_WEEK = (1.20, 1.10, 1.04, 1.02, 1.04, 0.82, 0.78)
# On some days an outage or a mailing brings hours of a multiple of the usual demand.
_RUSH_SHARE = 0.04
_RUSH_HOURS = 2
# The part of the demand while only the bot is there.
_CLOSED_SHARE = 0.035


@lru_cache(maxsize=1024)
def expected_per_hour(account: Account, weekday: int) -> tuple[float, ...]:
    """Mean arrivals in each local hour, 0 to 23, of a weekday (0 is Monday)."""
    weights = [_hour_weight(account, hour) for hour in range(24)]
    per_weight = account.conversations_per_day * _WEEK[weekday] / fsum(weights)
    return tuple(weight * per_weight for weight in weights)


def _hour_weight(account: Account, hour: int) -> float:
    middle = hour + 0.5
    curve = 0.35 + exp(-(((middle - 11.5) / 2.4) ** 2)) + 0.75 * exp(-(((middle - 18.5) / 2.2) ** 2))
    return curve if account.opens <= hour < account.closes else curve * _CLOSED_SHARE


def arrivals(account: Account, day: date) -> list[int]:
    """Epoch milliseconds, in order, at which visitors of a business day ask for a conversation."""
    rng = account.random_for("arrivals", day.isoformat())
    surprise = rng.lognormvariate(-0.005, 0.1) * (rng.uniform(1.3, 1.7) if rng.random() < 0.02 else 1.0)
    expected = expected_per_hour(account, day.weekday())
    rushed, factor = rush(account, day)
    moments: list[int] = []
    for start in _hours(account, day):
        hour = account.local_hour(start)
        count = _poisson(rng, expected[hour] * surprise * (factor if hour in rushed else 1.0))
        moments += [start + int(rng.random() * HOUR_MS) for _ in range(count)]
    return sorted(moments)


def rush(account: Account, day: date) -> tuple[range, float]:
    """The local hours of a business day with a multiple of the usual demand, mostly none, and the factor."""
    rng = account.random_for("rush", day.isoformat())
    if rng.random() >= _RUSH_SHARE:
        return range(0), 1.0
    first = account.opens + int(rng.random() * (account.closes - account.opens - _RUSH_HOURS))
    return range(first, first + _RUSH_HOURS), rng.uniform(3.0, 4.5)


def _hours(account: Account, day: date) -> Iterator[int]:
    """Starts of the 23 to 25 hours of a business day."""
    return iter(range(account.day_start_ms(day), account.day_start_ms(day + timedelta(days=1)), HOUR_MS))


def _poisson(rng: Random, mean: float) -> int:
    if mean > 60:
        # From here on the normal curve is close enough, and quick.
        return max(0, round(rng.gauss(mean, sqrt(mean))))
    limit, count, product = exp(-mean), 0, rng.random()
    while product > limit:
        count += 1
        product *= rng.random()
    return count
