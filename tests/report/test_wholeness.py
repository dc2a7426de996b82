"""Periods are compared only where both are whole and final; days and weeks that are not have their words."""

from datetime import date

import pytest

from pipeline.report.wholeness import Known, Marks, unlike

NOW, BEFORE = (date(2026, 3, 9), date(2026, 3, 15)), (date(2026, 3, 2), date(2026, 3, 8))
ALL = frozenset(date(2026, 3, day) for day in range(1, 32))


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (Known(ALL, frozenset()), ""),
        (Known(ALL - {date(2026, 3, 4)}, frozenset()), "the period before has 6 of 7 whole days"),
        (Known(frozenset(), frozenset()), "this period has 0 of 7 whole days and the period before has 0 of 7 whole days"),
        (Known(ALL, frozenset({date(2026, 3, 15)})), "days of this period are provisional"),
        (Known(ALL, frozenset({date(2026, 3, 16)})), ""),
        (
            Known(ALL - {date(2026, 3, 9)}, frozenset({date(2026, 3, 15)})),
            "this period has 6 of 7 whole days and days of this period are provisional",
        ),
    ],
)
def test_the_reason_why_two_periods_are_not_alike(known: Known, reason: str) -> None:
    """A day that is not whole in either, or to which more can come, is the reason; days beside them are none."""
    assert unlike(known, NOW, BEFORE) == reason


def test_marks_of_days_and_weeks() -> None:
    """A known day or week has its own words; one after the calendar's end, and its week, is provisional."""
    marks = Marks(({}, {"2026-03-02": "not whole"}), ({}, {"2026-03-02": "6 of 7 days"}), ({}, {}), (None, "2026-03-15"))

    assert marks.of("2026-03-02", 1, "days") == "not whole"
    assert marks.of("2026-03-02", 1, "weeks") == "6 of 7 days"
    assert marks.of("2026-03-14", 1, "days") == ""
    assert marks.of("2026-03-16", 1, "days") == "provisional"
    assert marks.of("2026-03-09", 1, "weeks") == "provisional"
    assert marks.of("2026-03-09", 0, "weeks") == ""
    assert Marks().of("2026-03-09", 0, "weeks") == ""
