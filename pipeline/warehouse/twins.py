"""Twins: further views of the same select, by other days than those of UTC.

A file `x_daily.sql`, or `x.sql`, groups by a column `date`. Its header line `Twins: local_date, local_week, local_month` makes
the views `x_local_daily`, `x_weekly` and `x_monthly`, which have that column in the place of `date`, and read each step `y`
that has a `local_y` from there, and of each daily view its twin. So UTC views pay nothing for local clocks, and a measure is
defined once. `all_dates` makes the view `x`, which has no column of days: a row for all dates together. Twins of weeks and
months also say how much of their period is there, as the dimensions `weeks` and `months` have it: a reader who compares part
of a week with a whole one sees it.
"""

import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

LABEL: Final = "Twins"
ALL_DATES: Final = "all_dates"
_DAILY: Final = "_daily"
_LOCAL: Final = "local_"
_COMMENT = re.compile(r"--.*")
_DATE = re.compile(r"\bdate\b(?: \([^)]*\))?")  # in a header, with its explanation in brackets
_LISTED_DATE = re.compile(r"\b(?:\w+\.)?date\b(?: \([^)]*\))?,\s*")  # in a list, with its comma


class Twin(NamedTuple):
    """A kind of twins.

    Attributes:
        ending: the end of the name, in the place of `_daily`.
        days: the days in words.
        meaning: the meaning of the column; "": the twin has no column of days.
        dimension: the view that says how much of each period is there; None: a day has none.
        length: the number of days of the period, in SQL.
    """

    ending: str
    days: str
    meaning: str = ""
    dimension: str | None = None
    length: str = "1"


TWINS: Final = {
    "local_date": Twin("_local_daily", "days", "Day on the account's clocks."),
    "local_week": Twin("_weekly", "weeks", "Monday of the week on the account's clocks.", "weeks", "7::bigint"),
    "local_month": Twin(
        "_monthly",
        "months",
        "First day of the month on the account's clocks.",
        "months",
        "day(last_day(twin.local_month))",
    ),
    ALL_DATES: Twin("", "all dates together"),
}
"""The kinds of twins, by the column that they have in the place of `date`, or by `all_dates`."""

PERIOD_COLUMNS: Final = ("day_count", "expected_day_count", "is_provisional")
"""The columns of twins of weeks and months that say how much of the period is there."""

_OF_PERIOD: Final = """\
{steps}twin as (
{select})

select
    twin.*,
    coalesce(period.day_count, 0) as day_count,
    {length} as expected_day_count,
    coalesce(period.is_provisional, true) as is_provisional
from twin
left join {dimension} as period
    on twin.account_id is not distinct from period.account_id
    and twin.{column} = period.{column}
"""


def twin_names(name: str, notes: Mapping[str, str]) -> dict[str, str]:
    """Name the twins that a header lists, by their columns.

    Raises:
        ValueError: the header lists other columns.
    """
    columns = notes[LABEL].split(", ") if LABEL in notes else []
    if not set(columns) <= TWINS.keys():
        message = f"sql/: {name}: expected twins of {', '.join(TWINS)}, found twins of {', '.join(columns)}"
        raise ValueError(message)
    return {column: _twin_name(name, column) for column in columns}


def _twin_name(name: str, column: str) -> str:
    return name.removesuffix(_DAILY) + TWINS[column].ending


def twin_sql(sql: str, column: str, reads: Iterable[str], names: AbstractSet[str]) -> str:
    """Put a column in the place of `date`, and in the place of each view that is read its local one, if `names` has it.

    For all dates together the column goes, and the same views are read.
    """
    code = _COMMENT.sub("", sql)
    if column == ALL_DATES:
        return _lines(_LISTED_DATE.sub("", code))
    steps = {name: _LOCAL + name for name in reads}
    daily = {name: _twin_name(name, column) for name in reads if name.endswith(_DAILY)}
    local = {name: other for name, other in (*steps.items(), *daily.items()) if other in names - {name}}
    for old, new in {"date": column, **local}.items():
        code = re.sub(rf"\b{old}\b", new, code)
    lines = _lines(code)
    twin = TWINS[column]
    if twin.dimension not in names:
        return lines
    begun, select = _split(lines)
    return _OF_PERIOD.format(steps=begun, select=select, column=column, dimension=twin.dimension, length=twin.length)


def _lines(code: str) -> str:
    return "\n".join(line.rstrip() for line in code.strip().splitlines()) + "\n"


def _split(sql: str) -> tuple[str, str]:
    """Split a text into the steps of its `with` and its select, which begins a line.

    Clients of DuckDB 1.4 lose steps that are inside of another select.
    """
    steps, select = re.split(r"^(?=select\b)", sql, maxsplit=1, flags=re.MULTILINE)
    return (f"{steps.rstrip()},\n\n" if steps else "with "), select


def twin_about(name: str, about: str, column: str) -> str:
    """Open the header of a twin."""
    days = TWINS[column].days if column == ALL_DATES else f"by {TWINS[column].days} of the account's time zone"
    return f"As {name}, {days}: {about[0].lower()}{about[1:]}"


def twin_notes(notes: Mapping[str, str], column: str) -> dict[str, str]:
    """Give the parts of a twin's header, which name its own column."""
    pattern, text_of = (_LISTED_DATE, "") if column == ALL_DATES else (_DATE, column)
    return {label: pattern.sub(text_of, text) for label, text in notes.items() if label != LABEL}


def twin_meanings(meanings: Mapping[str, str], column: str) -> dict[str, str]:
    """Give the meanings of a twin's columns: its own column in the place of `date`, if it has one."""
    own = {} if column == ALL_DATES else {column: TWINS[column].meaning}
    return {named: meaning for named, meaning in meanings.items() if named != "date"} | own
