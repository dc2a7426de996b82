"""The choices of the report's reader: accounts, skills and periods, each with its condition in SQL."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

import duckdb

ALL = 0
"""The place of all accounts, of all skills, and of the whole time among the choices."""
MOST_ACCOUNTS = 5
MOST_SKILLS = 10
MOST_MONTHS = 13
MOST_DAILY_ROWS = 30_000
"""The most days of single accounts and skills, so that the page of a long history stays small."""

NO_ACCOUNT = "(no account)"
NO_SKILL = "(no skill)"
UNDATED = date(1970, 1, 1)
"""The date of rows without any time."""

ACCOUNTS_BY_VOLUME = """\
select account_id, sum(n) as n
from (
    select account_id, count(*) as n from conversations group by account_id
    union all select account_id, 0 from files
    union all select account_id, 0 from listings
)
group by account_id
order by n desc, account_id"""

SKILLS_BY_VOLUME = """\
select skill_id, count(*) as n
from (
    select skill_id from conversations
    union all select skill_id from transfers
    union all select target_skill_id from transfers
)
group by skill_id
order by n desc, skill_id"""

DAYS = f"""\
select distinct date
from conversations
where date > date '{UNDATED}'
order by date"""


class Option(NamedTuple):
    """An account or a skill, or all others; `condition` is true for its rows."""

    name: str
    condition: str


class Period(NamedTuple):
    """Days from `since` to `until`, both included, in UTC; without them the whole time."""

    key: str
    name: str
    since: str | None
    until: str | None


@dataclass(frozen=True)
class Choices:
    """All choices. Place 0 of each kind is everything, so the first account has place 1."""

    accounts: tuple[Option, ...]
    skills: tuple[Option, ...]
    periods: tuple[Period, ...]
    other_accounts: int
    other_skills: int

    def place_of(self, options: tuple[Option, ...]) -> str:
        """SQL for the place of the option that a row belongs to."""
        cases = " ".join(f"when {option.condition} then {place}" for place, option in enumerate(options, start=1))
        return f"case {cases} end" if cases else "null::integer"


def read_choices(connection: duckdb.DuckDBPyConnection) -> Choices:
    """The accounts and skills with the most conversations by name, the others together, and the periods of the lake."""
    days = [day for (day,) in connection.execute(DAYS).fetchall()]
    accounts = [account for account, _ in connection.execute(ACCOUNTS_BY_VOLUME).fetchall()]
    skills = [skill for skill, _ in connection.execute(SKILLS_BY_VOLUME).fetchall()]
    most_accounts, most_skills = offered(len(days), len(accounts))
    return Choices(
        accounts=_options(accounts, most_accounts, "account"),
        skills=_options(skills, most_skills, "skill"),
        periods=tuple(_periods(days)),
        other_accounts=max(0, len(accounts) - most_accounts),
        other_skills=max(0, len(skills) - most_skills),
    )


def offered(days: int, accounts: int) -> tuple[int, int]:
    """Numbers of accounts and skills offered by name: the more days, the fewer."""
    most_accounts = min(MOST_ACCOUNTS, max(1, MOST_DAILY_ROWS // max(days, 1) // 4))
    lines = min(accounts, most_accounts) + (accounts > most_accounts)
    return most_accounts, min(MOST_SKILLS, max(1, MOST_DAILY_ROWS // max(days, 1) // max(lines, 1) - 2))


def readable(name: str) -> str:
    """The name with a mark for each unprintable character: Vega's expressions break at U+2028."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in name)


def literal(value: str | int) -> str:
    """The value as SQL that can be copied from a page: unprintable characters are given by number."""
    if isinstance(value, int):
        return str(value)
    return " || ".join(_quoted(part) if part.isprintable() else f"chr({ord(part)})" for part in _runs(value)) or "''"


def _runs(text: str) -> list[str]:
    """The text cut before and after each unprintable character."""
    printable = "".join("p" if letter.isprintable() else "n" for letter in text)
    return [text[found.start() : found.end()] for found in re.finditer("p+|n", printable)]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _options(values: list[str] | list[int], most: int, kind: str) -> tuple[Option, ...]:
    named, others = values[:most], values[most:]
    column = f"{kind}_id"
    known = sorted(value for value in named if value is not None)
    options = [Option(readable(str(value)), f"{column} = {literal(value)}") for value in known]
    if None in named:
        options.append(Option(NO_ACCOUNT if kind == "account" else NO_SKILL, f"{column} is null"))
    if others:
        listed = f"{column} not in ({', '.join(map(literal, known))})" if known else f"{column} is not null"
        options.append(Option(f"other {kind}s", listed if None in named else f"({listed} or {column} is null)"))
    return tuple(options)


def _periods(days: list[date]) -> list[Period]:
    periods = [Period("all", "Everything", None, None)]
    if not days:
        return periods
    last = days[-1]
    for length in (7, 28):
        since = last - timedelta(days=length - 1)
        periods.append(Period(f"{length}-days", f"Last {length} days", str(since), str(last)))
    months = sorted({day.replace(day=1) for day in days}, reverse=True)[:MOST_MONTHS]
    return periods + [_month(first) for first in months]


def _month(first: date) -> Period:
    following = date.max if (first.year, first.month) == (date.max.year, 12) else _next_month(first) - timedelta(days=1)
    return Period(f"{first:%Y-%m}", f"{first:%B %Y}", str(first), str(following))


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)
