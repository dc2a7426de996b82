"""The kinds of values in the files of names: how each is written, and its type in SQL."""

import re
from collections.abc import Callable, Collection
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

import duckdb

from pipeline.text import harmless

LONGEST: Final = 200
"""Characters of a name."""
ROUNDED: Final = re.compile(r"\d+([.,]\d+)?E\+\d+", re.IGNORECASE)
"""A long number that a spreadsheet has rounded."""

_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
"""Characters that can't be seen, or that turn the direction of writing; joiners stay, since scripts and emoji need them.

The view `agents` puts a mark for each run of these in a nickname."""
_LARGEST: Final = 2**63
# A spreadsheet writes the word of its language.
_YES: Final = frozenset({"true", "yes", "1", "x", "wahr", "ja", "vrai", "oui", "verdadero", "sí", "vero", "waar", "verdadeiro"})
_NO: Final = frozenset({"false", "no", "0", "falsch", "nein", "faux", "non", "falso", "onwaar", "nee"})
_DAYS: Final = ("%Y-%m-%d", "%d.%m.%Y")


class Kind(NamedTuple):
    """A kind of values: a description, the type in SQL, and a function that reads one; it gives None for other text.

    `usable` gives those of many texts that can be read at all, where that takes long one by one.
    """

    expected: str
    sql_type: str
    read: Callable[[str], Any]
    usable: Callable[[Collection[str]], frozenset[str]] | None = None


def _number(value: str) -> int | None:
    number = int(value) if re.fullmatch(r"-?[0-9]{1,19}", value) else _LARGEST
    return number if -_LARGEST <= number < _LARGEST else None


def _id(value: str) -> str | None:
    return None if ROUNDED.fullmatch(value) else _text(value)


def _text(value: str) -> str | None:
    return value if harmless(value) == value and len(value) <= LONGEST else None


def _flag(value: str) -> bool | None:
    return True if value.lower() in _YES else False if value.lower() in _NO else None


def _name(value: str) -> str | None:
    return None if _UNSEEN.search(value) else _text(value)


def usable_patterns(values: Collection[str]) -> frozenset[str]:
    """Give those that are regular expressions to DuckDB: without look-around and references.

    Another engine's expressions differ in details, and one that DuckDB refuses stops every query. It judges all in one query.
    """
    return _judged(tuple(sorted(values))) if values else frozenset()


@lru_cache(maxsize=8)  # a load reads the topics twice: before, to tell faults, and for the DuckDB file
def _judged(values: tuple[str, ...]) -> frozenset[str]:
    with duckdb.connect(config={"threads": 1}) as connection:
        judged = (
            "select pattern from (select unnest($patterns) as pattern) where try(regexp_matches('', pattern, 'i')) is not null"
        )
        return frozenset(pattern for (pattern,) in connection.execute(judged, {"patterns": list(values)}).fetchall())


def _day(value: str) -> date | None:
    for form in _DAYS:
        try:
            return datetime.strptime(value, form).date()  # noqa: DTZ007  # a day has no zone
        except ValueError:
            continue
    return None


NUMBER: Final = Kind("a whole number, as 12", "BIGINT", _number)
ID: Final = Kind(f"an id of at most {LONGEST} characters, none of them a control character", "VARCHAR", _id)
TEXT: Final = Kind(f"a text of at most {LONGEST} characters, none of them a control or invisible one", "VARCHAR", _name)
FLAG: Final = Kind("true or false", "BOOLEAN", _flag)
PATTERN: Final = Kind("a regular expression of RE2, as refund|money back", "VARCHAR", _text, usable_patterns)
DAY: Final = Kind("a day, as 2026-11-30", "DATE", _day)
