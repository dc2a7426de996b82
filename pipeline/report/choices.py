"""The choices of the report's reader: channels, accounts, skills and periods, each with its condition in SQL."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, NamedTuple, TypeAlias

import duckdb

from pipeline.errors import SettingsError
from pipeline.lake.sql import literal
from pipeline.report.targets import Target, read_targets
from pipeline.report.wholeness import NO_MARKS, Known, Marks, read_marks, unlike

ALL = 0
"""The place of all accounts and of all skills among the choices, and of the first period, which the page shows at first."""
DAY = timedelta(days=1)
MOST_CHANNELS = 4
MOST_ACCOUNTS = 5
MOST_SKILLS = 10
MOST_MONTHS = 13
MOST_DAILY_ROWS = 30_000
"""The most days of single accounts and skills, so that the page of a long history stays small."""

NO_ACCOUNT = "(no account)"
NO_SKILL = "(no skill)"
NO_CHANNEL = "(no channel)"
UNDATED = date(1970, 1, 1)
"""The date of rows without any time."""

CHANNELS_BY_VOLUME = """\
select type, null as name, count(*) as n
from conversations
group by type
order by n desc, type"""

ACCOUNTS_BY_VOLUME = """\
select counted.account_id, any_value(accounts.account_name) as name, sum(n) as n, any_value(accounts.time_zone) as zone
from (
    select account_id, count(*) as n from conversations group by account_id
    union all select account_id, 0 from files
    union all select account_id, 0 from listings
) as counted
left join accounts on counted.account_id = accounts.account_id
group by counted.account_id
order by n desc, counted.account_id"""

SKILLS_BY_VOLUME = """\
with counted as (
    select skill_id, count(*) as n from queue_entries group by skill_id
    union all select distinct skill_id, 0 from conversations
    union all select distinct skill_id, 0 from transfers
    union all select distinct target_skill_id, 0 from transfers
)

select skill_id, (select string_agg(distinct skill_name, ' / ' order by skill_name)
    from skill_names where skill_names.skill_id = counted.skill_id) as name, sum(n) as n, coalesce((select bool_and(is_bot)
    from skill_names where skill_names.skill_id = counted.skill_id), false) as is_bot
from counted
group by skill_id
order by n desc, skill_id"""

SHARED_SKILLS = """\
select exists (
    select skill_id
    from queue_entries
    where skill_id is not null
    group by skill_id
    having count(distinct account_id) > 1
)"""

DAYS = f"""\
select distinct local_date
from local_named_conversations
where local_date > date '{UNDATED}'
order by local_date"""


OpenSpan: TypeAlias = tuple[date | None, date | None]
"""The first day that was chosen, and the first day after those; None: all that the lake has."""


class Option(NamedTuple):
    """A channel, account or skill, or all others; `condition` is true for its rows; `key` names it in the address.

    A skill `is_bot` if skills.csv says so for each account that names it.
    """

    name: str
    condition: str
    key: str = ""
    is_bot: bool = False


class Period(NamedTuple):
    """Days from `since` to `until`, both included, on the account's clocks; without them the whole time.

    `before_since` and `before_until` are the days that the period is compared with.
    """

    key: str
    name: str
    since: str | None = None
    until: str | None = None
    before_since: str | None = None
    before_until: str | None = None


@dataclass(frozen=True)
class Choices:
    """All choices. The first channel, account and skill have place 1; place 0 is everything, except channels.

    The first period, at place 0, is the one that the page opens with.

    `marks` tell days, weeks and months that are not whole; `known` has the whole and the provisional days of each place of an
    account, all of them at 0. `unlike` has for each of these places and for each period the reason why it can't be judged by
    the one before it, or "". `scales` are those of the scores, `targets` those of measures, `zones` the
    time zones of the accounts by name. `days` are those on the accounts' clocks that have conversations.
    """

    channels: tuple[Option, ...]
    accounts: tuple[Option, ...]
    skills: tuple[Option, ...]
    periods: tuple[Period, ...]
    other_channels: int = 0
    other_accounts: int = 0
    other_skills: int = 0
    has_bots: bool = False
    has_shared_skills: bool = False
    marks: Marks = NO_MARKS
    known: tuple[Known, ...] = ()
    unlike: tuple[tuple[str, ...], ...] = ()
    scales: tuple[str, ...] = ("0-100",)
    zones: Mapping[str, str] = field(default_factory=dict)
    days: tuple[date, ...] = ()
    targets: Mapping[str, Target] = field(default_factory=dict)


def place_of(options: tuple[Option, ...]) -> str:
    """SQL for the place of the option that a row belongs to."""
    cases = " ".join(f"when {option.condition} then {place}" for place, option in enumerate(options, start=1))
    return f"case {cases} end" if cases else "null::integer"


def read_choices(connection: duckdb.DuckDBPyConnection, chosen: OpenSpan = (None, None)) -> Choices:
    """The channels, accounts and skills with the most visitors by name, the others together, and the periods of the lake.

    Days that were `chosen` for the report are the first period, as far as the lake has them.

    Raises:
        SettingsError: the lake has none of the days chosen.
    """
    days = [day for (day,) in connection.execute(DAYS).fetchall()]
    channels = connection.execute(CHANNELS_BY_VOLUME).fetchall()
    in_zones = connection.execute(ACCOUNTS_BY_VOLUME).fetchall()
    accounts = [row[:3] for row in in_zones]
    skills = connection.execute(SKILLS_BY_VOLUME).fetchall()
    most_accounts, most_skills = offered(len(days) * min(len(channels), MOST_CHANNELS), len(accounts))
    options = _options(accounts, most_accounts, "account_id", NO_ACCOUNT, "other accounts")
    marks, known = read_marks(connection, place_of(options), len(options))
    periods = (*([_chosen(chosen, days)] if any(chosen) and days else []), *_periods(days))
    [(has_bots,)] = connection.execute(
        "select exists (from skill_names where is_bot) or exists (from agent_names where is_bot)"
    ).fetchall()
    return Choices(
        channels=_options(channels[:MOST_CHANNELS], MOST_CHANNELS, "type", NO_CHANNEL, ""),
        accounts=options,
        skills=_options(skills, most_skills, "skill_id", NO_SKILL, "other skills"),
        periods=periods,
        zones={label(row[0], row[1]): row[3] for row in in_zones if row[0] is not None and row[3]},
        days=tuple(days),
        other_channels=max(0, len(channels) - MOST_CHANNELS),
        other_accounts=max(0, len(accounts) - most_accounts),
        other_skills=max(0, len(skills) - most_skills),
        has_bots=has_bots,
        has_shared_skills=connection.execute(SHARED_SKILLS).fetchall() == [(True,)],
        marks=marks,
        targets=read_targets(connection, place_of(options), len(options)),
        known=tuple(known),
        unlike=tuple(tuple(_unlike(one, period, days) for period in periods) for one in known),
        scales=tuple(scale for (scale,) in connection.execute("select distinct mcs_scale from accounts order by 1").fetchall()),
    )


def _unlike(known: Known, period: Period, days: list[date]) -> str:
    """Say why a period can't be judged by the one before it; the newest month counts up to the newest day."""
    if period.since is None:
        return ""
    since, until, before_since, before_until = (
        date.fromisoformat(str(day)) for day in (period.since, period.until, period.before_since, period.before_until)
    )
    return unlike(known, (since, min(until, days[-1])), (before_since, before_until))


def offered(days: int, accounts: int) -> tuple[int, int]:
    """Numbers of accounts and skills offered by name: the more days, the fewer."""
    most_accounts = min(MOST_ACCOUNTS, max(1, MOST_DAILY_ROWS // max(days, 1) // 4))
    lines = min(accounts, most_accounts) + (accounts > most_accounts)
    return most_accounts, min(MOST_SKILLS, max(1, MOST_DAILY_ROWS // max(days, 1) // max(lines, 1) - 2))


def label(value: object, name: str | None) -> str:
    """The name with the id beside it; the id alone where there is no other name."""
    return readable(str(value) if name is None or name == str(value) else f"{name} ({value})")


def readable(name: str) -> str:
    """The name with a mark for each unprintable character: Vega's expressions break at U+2028."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in name)


def printable_literal(value: str | int) -> str:
    """The value as SQL that can be copied from a page: unprintable characters are given by number."""
    if isinstance(value, int):
        return str(value)
    return " || ".join(literal(part) if part.isprintable() else f"chr({ord(part)})" for part in _runs(value)) or "''"


def _runs(text: str) -> list[str]:
    """The text cut before and after each unprintable character."""
    printable = "".join("p" if letter.isprintable() else "n" for letter in text)
    return [text[found.start() : found.end()] for found in re.finditer("p+|n", printable)]


def _options(rows: list[Any], most: int, column: str, missing: str, other: str) -> tuple[Option, ...]:
    """Options for the first `most` rows of id and name, skills by name, and one for all others."""
    named, others = rows[:most], rows[most:]
    known = [(value, name, any(is_bot)) for value, name, _, *is_bot in named if value is not None]
    if column == "account_id":
        known.sort()
    elif column == "skill_id":
        known.sort(key=lambda row: (row[1] is None, row[1] or "", row[0]))
    options = [
        Option(label(value, name), f"{column} = {printable_literal(value)}", readable(str(value)), is_bot)
        for value, name, is_bot in known
    ]
    is_missing = any(value is None for value, *_ in named)
    if is_missing:
        options.append(Option(missing, f"{column} is null", missing))
    if others:
        values = sorted(value for value, *_ in known)
        listed = f"{column} not in ({', '.join(map(printable_literal, values))})" if values else f"{column} is not null"
        options.append(Option(other, listed if is_missing else f"({listed} or {column} is null)", other))
    return tuple(options)


def _periods(days: list[date]) -> list[Period]:
    periods = [Period("all", "All days")]
    if not days:
        return periods
    last = days[-1]
    for length in (7, 28):
        since = last - timedelta(days=length - 1)
        before = since - timedelta(days=length)
        periods.append(_period(f"{length}-days", f"Last {length} days", (since, last), (before, since - timedelta(days=1))))
    months = sorted({day.replace(day=1) for day in days}, reverse=True)[:MOST_MONTHS]
    return periods + [_month(first, last) for first in months]


def _month(first: date, last: date) -> Period:
    """A month; the newest one is compared with as many days of the month before."""
    until = date.max if (first.year, first.month) == (date.max.year, 12) else _next_month(first) - timedelta(days=1)
    end = first - timedelta(days=1)
    start = end.replace(day=1)
    before = (start, min(end, start + (last - first)) if last < until else end)
    return _period(f"{first:%Y-%m}", f"{first:%B %Y}", (first, until), before)


def _chosen(chosen: OpenSpan, days: list[date]) -> Period:
    first, before = chosen
    since = max(first or days[0], days[0])
    until = days[-1] if before is None or before > days[-1] else max(before, since) - DAY
    if until < since:
        asked = " ".join([*([f"--since {first}"] if first else []), *([f"--until {before}"] if before else [])])
        raise SettingsError(
            f"{asked}: expected days from {days[0]} to {days[-1]}, which the lake has, found none of them; "
            "no report was written, choose others"
        )
    end = since - DAY
    return _period("chosen", "Chosen days", (since, until), (end - (until - since), end))


def _period(key: str, name: str, days: tuple[date, date], before: tuple[date, date]) -> Period:
    return Period(key, name, *map(str, (*days, *before)))


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)
