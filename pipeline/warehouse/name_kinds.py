"""The kinds of values in the files of names: how each is written, and its type in SQL."""

import re
from collections.abc import Callable
from datetime import date, datetime
from functools import cache
from typing import Any, Final, NamedTuple

import duckdb

from pipeline.text import harmless

LONGEST: Final = 200
"""Characters of a name."""
ROUNDED: Final = re.compile(r"\d+([.,]\d+)?E\+\d+", re.IGNORECASE)
"""A long number that a spreadsheet has rounded."""

_LARGEST: Final = 2**63
# A spreadsheet writes the word of its language.
_YES: Final = frozenset({"true", "yes", "1", "x", "wahr", "ja", "vrai", "oui", "verdadero", "sí", "vero", "waar", "verdadeiro"})
_NO: Final = frozenset({"false", "no", "0", "falsch", "nein", "faux", "non", "falso", "onwaar", "nee"})
_DAYS: Final = ("%Y-%m-%d", "%d.%m.%Y")


class Kind(NamedTuple):
    """A kind of values: a description, the type in SQL, and a function that reads one; it gives None for other text."""

    expected: str
    sql_type: str
    read: Callable[[str], Any]


def _number(value: str) -> int | None:
    number = int(value) if re.fullmatch(r"-?[0-9]{1,19}", value) else _LARGEST
    return number if -_LARGEST <= number < _LARGEST else None


def _id(value: str) -> str | None:
    return None if ROUNDED.fullmatch(value) else _text(value)


def _text(value: str) -> str | None:
    return value if harmless(value) == value and len(value) <= LONGEST else None


def _flag(value: str) -> bool | None:
    return True if value.lower() in _YES else False if value.lower() in _NO else None


def _pattern(value: str) -> str | None:
    """A regular expression that DuckDB takes: without look-around and references."""
    try:
        _database().execute("select regexp_matches('', $pattern, 'i')", {"pattern": value})
    except duckdb.Error:
        return None
    return _text(value)


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """The engine that topics are found by: another one's expressions differ in details, and one that it refuses stops all."""
    return duckdb.connect(config={"threads": 1})


def _day(value: str) -> date | None:
    for form in _DAYS:
        try:
            return datetime.strptime(value, form).date()  # noqa: DTZ007  # a day has no zone
        except ValueError:
            continue
    return None


NUMBER: Final = Kind("a whole number, as 12", "BIGINT", _number)
ID: Final = Kind(f"an id of at most {LONGEST} characters, none of them a control character", "VARCHAR", _id)
TEXT: Final = Kind(f"a text of at most {LONGEST} characters, none of them a control character", "VARCHAR", _text)
FLAG: Final = Kind("true or false", "BOOLEAN", _flag)
PATTERN: Final = Kind("a regular expression of RE2, as refund|money back", "VARCHAR", _pattern)
DAY: Final = Kind("a day, as 2026-11-30", "DATE", _day)
