"""Days and weeks that are not whole, or to which more can come: how the report marks them, and which periods are alike."""

from calendar import monthrange
from collections.abc import Iterable
from datetime import date, timedelta
from typing import NamedTuple

import duckdb

from pipeline.processes import interruptible
from pipeline.text import counted

PROVISIONAL = "provisional"
NOT_WHOLE = "not whole"

TABLE = "create temp table report_days as select {account} as place, * from calendar_days"
"""All that follows reads it, since the view is slow."""

DAYS = """\
select place, date, count(*) filter (where is_whole), count(*), bool_or(is_provisional)
from report_days
group by place, date
order by place, date"""

SPANS = """\
select place, {start}::varchar, min(day_count), min(expected_day_count), bool_or(is_provisional)
from (
    select place, {start}, count(*) filter (where is_whole) as day_count, {days} as expected_day_count,
        bool_or(is_provisional) as is_provisional
    from report_days
    group by place, account_id, {start}
)
where day_count < expected_day_count or is_provisional
group by place, {start}
order by place, {start}"""
"""As the views weeks and months have it."""

ACCOUNTS = "select place, count(distinct coalesce(account_id, '')) from report_days group by place"

Span = tuple[date, date]
"""The first and the last day of a period."""


class Marks(NamedTuple):
    """The words for days, weeks and months that are not whole, by the account's place and the day, or the first day.

    `provisional` is the first day to which conversations can still come, of all accounts at place 0, then of each.
    """

    days: tuple[dict[str, str], ...] = ()
    weeks: tuple[dict[str, str], ...] = ()
    months: tuple[dict[str, str], ...] = ()
    provisional: tuple[str | None, ...] = ()

    def of(self, day: str, place: int, unit: str) -> str:
        """The mark of a day, or of the week or month that begins with it; "" for a whole one, and one without any time.

        `unit` is days, weeks or months.
        """
        found = {"days": self.days, "weeks": self.weeks, "months": self.months}[unit][place:]
        if found and day in found[0]:
            return found[0][day]
        since = self.provisional[place] if found else None
        return PROVISIONAL if since is not None and str(last_day(date.fromisoformat(day), unit)) >= since else ""


NO_MARKS = Marks()


class Known(NamedTuple):
    """The days of an account's place: which are whole, which provisional. Place 0 has a day if each account has it."""

    whole: frozenset[date]
    provisional: frozenset[date]


def last_day(first: date, unit: str) -> date:
    """The last day of the day, week or month that begins with `first`."""
    if unit == "months":
        return first.replace(day=monthrange(first.year, first.month)[1])
    return first + timedelta(days=6 if unit == "weeks" else 0)


def read_marks(connection: duckdb.DuckDBPyConnection, account: str, most: int) -> tuple[Marks, list[Known]]:
    """Read what `calendar_days` says of the accounts at places 1 to `most`; `account` is SQL for the place."""
    with interruptible(connection.cursor()) as private:  # its temporary table goes with it
        private.execute(TABLE.format(account=account))
        totals = dict(private.execute(ACCOUNTS).fetchall())
        found_days = private.execute(DAYS).fetchall()
        weeks = _spans(private, "week", "7", most)
        months = _spans(private, "month", "day(last_day(month))", most)
    days: list[dict[str, str]] = [{} for _ in range(most + 1)]
    whole: list[set[date]] = [set() for _ in range(most + 1)]
    open_days: list[set[date]] = [set() for _ in range(most + 1)]
    seen: dict[date, int] = {}
    for place, day, whole_count, count, is_provisional in found_days:
        if mark := _mark("" if whole_count == count else NOT_WHOLE, is_provisional=is_provisional):
            days[place][str(day)] = mark
        if whole_count == totals[place]:
            whole[place].add(day)
        if is_provisional:
            open_days[place].add(day)
        seen[day] = seen.get(day, 0) + whole_count
    whole[0] = {day for day, count in seen.items() if count == sum(totals.values())}
    open_days[0] = set().union(*open_days)
    first = tuple(str(min(found)) if found else None for found in open_days)
    known = [Known(frozenset(one), frozenset(other)) for one, other in zip(whole, open_days, strict=True)]
    return Marks(tuple(days), weeks, months, first), known


def _spans(connection: duckdb.DuckDBPyConnection, start: str, days: str, most: int) -> tuple[dict[str, str], ...]:
    marks: tuple[dict[str, str], ...] = tuple({} for _ in range(most + 1))
    found = connection.execute(SPANS.format(start=start, days=days)).fetchall()
    for place, first, day_count, expected, is_provisional in found:
        cut = f"{day_count} of {counted(expected, 'day')}" if day_count < expected else ""
        marks[place][first] = _mark(cut, is_provisional=is_provisional)
    return marks


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
