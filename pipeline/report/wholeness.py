"""Days and weeks that are not whole, or to which more can come: how the report marks them, and which periods are alike."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import NamedTuple

import duckdb

from pipeline.text import counted

PROVISIONAL = "provisional"
NOT_WHOLE = "not whole"

DAYS = """\
select {account} as place, date, count(*) filter (where is_whole), count(*), bool_or(is_provisional)
from calendar_days
group by place, date
order by place, date"""

WEEKS = """\
select {account} as place, local_week::varchar, min(day_count), min(expected_day_count), bool_or(is_provisional)
from weeks
where day_count < expected_day_count or is_provisional
group by place, local_week
order by place, local_week"""

ACCOUNTS = "select {account} as place, count(distinct coalesce(account_id, '')) from calendar_days group by place"

Span = tuple[date, date]
"""The first and the last day of a period."""


class Marks(NamedTuple):
    """The words for days and weeks that are not whole, by the account's place and the day.

    `provisional` is the first day to which conversations can still come, of all accounts at place 0, then of each.
    """

    days: tuple[dict[str, str], ...] = ()
    weeks: tuple[dict[str, str], ...] = ()
    provisional: tuple[str | None, ...] = ()

    def of(self, day: str, place: int, *, is_week: bool) -> str:
        """The mark of a day, or of the week that begins with it; "" for a whole one, and for one without any time."""
        found = (self.weeks if is_week else self.days)[place:]
        if found and day in found[0]:
            return found[0][day]
        since = self.provisional[place] if found else None
        last = str(date.fromisoformat(day) + timedelta(days=6)) if is_week else day
        return PROVISIONAL if since is not None and last >= since else ""


NO_MARKS = Marks()


class Known(NamedTuple):
    """The days of an account's place: which are whole, which provisional. Place 0 has a day if each account has it."""

    whole: frozenset[date]
    provisional: frozenset[date]


def read_marks(connection: duckdb.DuckDBPyConnection, account: str, most: int) -> tuple[Marks, list[Known]]:
    """Read what `calendar_days` and `weeks` say of the accounts at places 1 to `most`; `account` is SQL for the place."""
    totals = dict(connection.execute(ACCOUNTS.format(account=account)).fetchall())
    days: list[dict[str, str]] = [{} for _ in range(most + 1)]
    whole: list[set[date]] = [set() for _ in range(most + 1)]
    open_days: list[set[date]] = [set() for _ in range(most + 1)]
    seen: dict[date, int] = {}
    for place, day, whole_count, count, is_provisional in connection.execute(DAYS.format(account=account)).fetchall():
        if mark := _mark("" if whole_count == count else NOT_WHOLE, is_provisional=is_provisional):
            days[place][str(day)] = mark
        if whole_count == totals[place]:
            whole[place].add(day)
        if is_provisional:
            open_days[place].add(day)
        seen[day] = seen.get(day, 0) + whole_count
    whole[0] = {day for day, count in seen.items() if count == sum(totals.values())}
    open_days[0] = set().union(*open_days)
    weeks: list[dict[str, str]] = [{} for _ in range(most + 1)]
    for place, week, day_count, expected, is_provisional in connection.execute(WEEKS.format(account=account)).fetchall():
        cut = f"{day_count} of {counted(expected, 'day')}" if day_count < expected else ""
        weeks[place][week] = _mark(cut, is_provisional=is_provisional)
    first = tuple(str(min(found)) if found else None for found in open_days)
    known = [Known(frozenset(one), frozenset(other)) for one, other in zip(whole, open_days, strict=True)]
    return Marks(tuple(days), tuple(weeks), first), known


def unlike(known: Known, now: Span, before: Span) -> str:
    """Say why a period can't be judged by the one before it; "" where both are whole and final."""
    reasons = []
    for name, span in (("this period", now), ("the period before", before)):
        days = list(_days(*span))
        whole_count = sum(day in known.whole for day in days)
        if whole_count < len(days):
            reasons.append(f"{name} has {whole_count} of {counted(len(days), 'whole day')}")
        if any(day in known.provisional for day in days):
            reasons.append(f"days of {name} are provisional")
    return " and ".join(reasons)


def _mark(cut: str, *, is_provisional: bool) -> str:
    return ", ".join(filter(None, (cut, PROVISIONAL if is_provisional else "")))


def _days(since: date, until: date) -> Iterable[date]:
    return (since + timedelta(days=number) for number in range((until - since).days + 1))
