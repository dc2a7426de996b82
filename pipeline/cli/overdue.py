"""Hours that should be in the lake by now: `lakehouse status --max-age`."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final, NamedTuple, TypeAlias

from pipeline.text import counted, duration

_THERE: Final = frozenset({"loaded", "empty"})
_HOUR: Final = timedelta(hours=1)

Hour: TypeAlias = Mapping[str, Any]
"""An hour of an account, as `status.hours` lists them."""


class Watched(NamedTuple):
    """The age at which an hour has to be in the lake, and the accounts looked at; None: all."""

    max_age: timedelta
    accounts: frozenset[str] | None = None


def overdue_hours(listed: Sequence[Hour], now: datetime, watched: Watched) -> list[Hour]:
    """The hours that ended more than the age ago, and that are neither loaded nor known to be empty.

    Those that the source has deleted by now are not among them, since no run can bring them.
    """
    max_age, accounts = watched
    return [
        row
        for row in listed
        if row["deleted_at_source"] is not None
        and row["state"] not in _THERE
        and row["hour"] + _HOUR + max_age < now
        and (accounts is None or row["account_id"] in accounts)
    ]


def overdue_lines(overdue: Sequence[Hour], watched: Watched) -> Iterator[str]:
    """A sentence for each account with such hours."""
    age = duration(watched.max_age.total_seconds())
    for account_id, rows in groupby(overdue, lambda row: row["account_id"]):
        of_account = list(rows)
        asked = [row for row in of_account if row["state"] != "unknown"]
        for hours, fault, remedy in (
            (
                [row for row in of_account if row["state"] == "unknown"],
                "no run has asked about",
                "look whether the schedule runs",
            ),
            (asked, "a listed file is not loaded of", "the lines above name the files"),
        ):
            if hours:
                first, last = (f"{moment:%Y-%m-%dT%H:%MZ}" for moment in (hours[0]["hour"], hours[-1]["hour"] + _HOUR))
                yield (
                    f"OVERDUE: account {account_id or 'unknown'}: {fault} {counted(len(hours), 'hour')} that ended more than "
                    f"{age} ago, from {first} to {last}: {remedy}"
                )
