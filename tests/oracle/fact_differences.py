"""Where two sets of facts differ, row by row and column by column."""

from math import isclose
from typing import Any, Final

from oracle.fact_columns import FACTS

Row = dict[str, Any]
Facts = dict[str, list[Row]]

KEYS: Final = {
    "conversation_metrics": (),
    "queue_entries": ("entry_number",),
    "segments": ("segment_number",),
    "responses": ("response_number",),
}
"""The columns that a row of a fact is known by, beside account and conversation."""


def differences(expected: Facts, found: Facts) -> list[str]:
    """A line for each row that one of them lacks or has twice, and for each value that differs; in order of the keys.

    Means may differ in the last digits, since their sums are taken in any order.
    """
    lines: list[str] = []
    for fact, key in KEYS.items():
        ours, theirs = (by_key(rows[fact], ("account_id", "conversation_id", *key)) for rows in (expected, found))
        for identity in sorted(ours.keys() | theirs.keys(), key=str):
            where = f"{fact} {identity}"
            one, other = ours.get(identity, []), theirs.get(identity, [])
            if (len(one), len(other)) != (1, 1):
                lines.append(f"{where}: {len(one)} rows expected, {len(other)} found")
                continue
            lines += [
                f"{where}: {column} expected {one[0][column]!r}, found {other[0][column]!r}"
                for column in FACTS[fact]
                if not same(one[0][column], other[0][column])
            ]
    return lines


def by_key(rows: list[Row], key: tuple[str, ...]) -> dict[tuple[Any, ...], list[Row]]:
    """The rows by the values of their key."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[column] for column in key), []).append(row)
    return found


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same, and of one kind; two floats within a billionth."""
    if type(one) is not type(other):
        return False
    return isclose(one, other, rel_tol=1e-9) if isinstance(one, float) else bool(one == other)
