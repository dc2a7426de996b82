"""Charts of rows, as they are drawn in 80 columns."""

import io
import os
import re
import shutil
from datetime import date, timedelta

import duckdb
import pytest

from pipeline.cli.query import CHARTS, run_query
from pipeline.errors import QueryError

BRAILLE = re.compile(r"[\u2800-\u28ff]")


def chart(query: str, kind: str = "", most_rows: int | None = None) -> list[str]:
    out = io.StringIO()
    run_query(duckdb.connect(), query, CHARTS[kind], out, most_rows=most_rows)
    return out.getvalue().splitlines()


def test_bars_are_as_long_as_their_numbers() -> None:
    """The highest number has the longest bar, half of it half a bar, 0 none; what is not 0 is seen."""
    head, *rows = chart("select * from (values ('a', 1000), ('b', 500), ('c', 1), ('d', 0), ('e', null)) t(name, n)")
    assert head.split() == ["n"]
    lengths = [line.count("█") for line in rows]
    assert lengths[0] in {2 * lengths[1], 2 * lengths[1] + 1}
    assert ["▏" in line for line in rows] == [False, False, True, False, False]
    assert [line.split()[-1] for line in rows] == ["1,000", "500", "1", "0", "NULL"]


def test_bars_below_zero_lie_left_of_the_axis() -> None:
    """Numbers of both signs share one axis: positive bars begin where negative ones end."""
    _, up, down = chart("select * from (values ('a', 3), ('b', -3)) t(name, n)")
    assert up.index("│") == down.index("│")
    assert up.index("█") > up.index("│")
    assert down.rindex("█") < down.index("│")
    _, alone = chart("select 'a' as name, -3 as n")
    assert alone.rindex("█") < alone.index("│")


def test_each_series_has_its_own_bars() -> None:
    """Columns of numbers stand side by side under their names; what has no room and what is no number is told."""
    head, row = chart("select 'a' as name, 1 as one, 2.5 as two")
    assert head.split() == ["one", "two"]
    assert [word for word in row.split() if "█" not in word] == ["a", "1", "2.50"]
    many = ", ".join(f"{at} as n{at}" for at in range(20))
    *_, room, texts = chart(f"select 'a' as name, 'b' as other, {many}")
    assert room.startswith("left out, since 80 columns have no room for them: n")
    assert texts == "left out, since they hold no numbers: other"


def test_no_line_of_a_chart_is_wider_than_the_screen() -> None:
    """Labels are cut, and those of wide letters, too."""
    for text in ("x" * 200, "日本語" * 60):
        for kind in ("bar", "line"):
            drawn = chart(f"select '{text}' || range as name, range as n from range(5)", kind)
            assert all(len(line) + sum(letter in "日本語" for letter in line) <= 80 for line in drawn)
            assert any("…" in line for line in drawn)


def test_a_label_can_not_steer_the_terminal() -> None:
    """Line ends and control characters of a label are spelled out."""
    drawn = chart(r"select chr(27) || '[31m' || chr(10) || 'a' as name, 1 as n")
    assert len(drawn) == 2
    assert r"\x1b[31m\na" in drawn[1]


def test_times_are_drawn_as_a_line() -> None:
    """Dates, times and numbers of the first column are places: in their order, at their distance; else bars are drawn."""
    query = "select date '2026-11-01' + (range * range)::int as day, range as n from range(4) order by range desc"
    drawn = chart(query)
    assert BRAILLE.search("".join(drawn))
    assert re.fullmatch(r" +2026-11-01 +2026-11-05 +2026-11-10", drawn[-1])
    hour = "timestamp '2026-11-01 10:00:00' + to_hours(range)"
    for first in (hour, f"({hour})::timestamptz", f"({hour})::timestamp_ns", "time '10:00:00' + to_minutes(range)"):
        assert BRAILLE.search("".join(chart(f"select {first} as at, range as n from range(4)")))
    assert not BRAILLE.search("".join(chart("select range as hour, range as n from range(4)")))


def test_a_line_has_its_scale() -> None:
    """The highest and the lowest value stand at the axis: 0, unless all values are far from it."""
    assert [line.split()[0] for line in chart("select range, range + 1 from range(10)", "line") if "┤" in line][::11] == [
        "10",
        "0",
    ]
    far = [line.split()[0] for line in chart("select range, range + 1000 from range(10)", "line") if "┤" in line]
    assert (far[0], far[-1]) == ("1,009", "1,000")
    below = [line.split()[0] for line in chart("select range, -range from range(10)", "line") if "┤" in line]
    assert (below[0], below[-1]) == ("0", "-9")


def test_a_null_interrupts_a_line() -> None:
    """A panel has a gap where its value is missing; a series without any value says so."""
    drawn = chart("select range, nullif(1, (range between 4 and 6)::int) as n, null::int as none from range(11)", "line")
    (row,) = [line for line in drawn if BRAILLE.search(line)]
    assert re.search(r"[\u2801-\u28ff] {20,}[\u2801-\u28ff]", row)
    assert "none: NULL in every row" in drawn


def test_a_thousand_rows_are_drawn_and_told() -> None:
    """A line goes through all of them; bars are for as many as are asked for, and say of how many."""
    assert "1,000 rows in 80 columns" in chart("select range, sin(range / 100) from range(1000)", "line")
    drawn = chart("select range, range from range(1000)", "bar", most_rows=7)
    assert (len(drawn), drawn[-1]) == (9, "the first 7 of 1,000 rows; --rows N or .rows N: more")
    assert len(chart("select range, range from range(1000)", "bar")) == 1001


def test_a_line_that_jumps_says_why() -> None:
    """Several rows of one day, as of two channels, are told, with the remedy."""
    first = date(2026, 11, 1)
    days = ", ".join(f"(date '{first + timedelta(at)}', {at})" for at in (0, 0, 1, 1))
    assert chart(f"from (values {days}) t(day, n)")[-1] == "the line jumps: 2 rows with the day of another; group by day"


def test_one_column_of_numbers_is_drawn_by_row() -> None:
    """Its rows are counted from 1."""
    assert [line.split()[0] for line in chart("select range + 5 as n from range(3)")[1:]] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("query", "kind", "message"),
    [
        (
            "select 'a', 'b'",
            "",
            "the chart: expected a column of numbers after the first, found varchar; such as: select date, ",
        ),
        (
            "select 'a'",
            "bar",
            "the chart: expected a column of numbers after the first, found no other column; such as: select ",
        ),
        ("select 1 as a, 2 as b where false", "", "the chart: the query has no rows, so there is nothing to draw"),
        (
            "select 1 as a, 2 as b",
            "line",
            "the line: expected two rows or more, found 1; .chart bar, or --chart bar, draws one",
        ),
        ("select null::date as a, 2 as b from range(3)", "line", "the line: expected two rows or more, found 0; .chart bar"),
    ],
)
def test_what_can_not_be_drawn_is_said(query: str, kind: str, message: str) -> None:
    """Without numbers, rows or two points: one sentence with what was found, and what to do."""
    with pytest.raises(QueryError) as caught:
        chart(query, kind)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_infinite_numbers_are_left_out() -> None:
    """NaN and infinity have no place on a scale."""
    drawn = chart("select * from (values ('a', 'nan'::double), ('b', 'inf'::double), ('c', 1.5)) t(name, n)")
    assert [line.split()[-1] for line in drawn[1:]] == ["NULL", "NULL", "1.50"]
    assert chart("select case range when 1 then 'infinity'::date else '2026-11-01'::date + range::int end, range from range(5)")


@pytest.mark.parametrize("kind", ["", "line", "bar"])
@pytest.mark.parametrize("columns", [*range(1, 45), 79])
def test_a_narrow_terminal_gets_a_chart_or_a_sentence(monkeypatch: pytest.MonkeyPatch, kind: str, columns: int) -> None:
    """At any width a chart fits, or an error says how wide the terminal has to be; none runs for ever."""
    monkeypatch.setattr(shutil, "get_terminal_size", lambda *_: os.terminal_size((columns, 10)))
    query = "select date '2026-01-01' + range::int as d, 123456789012.5 * range as v from range(10)"
    out = io.StringIO()
    out.isatty = lambda: True  # type: ignore[method-assign]
    if columns < 40:
        with pytest.raises(QueryError, match="make it wider"):
            run_query(duckdb.connect(), query, CHARTS[kind], out)
        return
    run_query(duckdb.connect(), query, CHARTS[kind], out)
    assert max(map(len, out.getvalue().splitlines())) <= columns


def test_numbers_at_the_ends_of_doubles_are_left_out() -> None:
    """A difference of them would be no number."""
    for kind in ("bar", "line"):
        assert chart("select 1 d, 1e308 v union all select 2, -1e308 union all select 3, 1.5 union all select 4, 2.5", kind)


@pytest.mark.parametrize(("count", "shares"), [(2, []), (3, [0.5]), (6, [0.4]), (7, [0.5])])
def test_the_label_of_the_middle_stands_where_its_point_is(count: int, shares: list[float]) -> None:
    """The labels of a line's axis are those of points, each below its own."""
    *_, axis = chart(f"select date '2026-10-01' + 7 * range::int as d, range as v from range({count})", "line")
    labels = [str(date(2026, 10, 1) + timedelta(days=7 * at)) for at in range(count)]
    found = list(re.finditer(r"\d{4}-\d\d-\d\d", axis))
    assert [one[0] for one in found][:: len(found) - 1] == [labels[0], labels[-1]]
    assert len(found) == 2 + len(shares)
    for one, share in zip(found[1:-1], shares, strict=True):
        middle = (one.start() + one.end()) / 2
        begin, end = found[0].start(), found[-1].end()
        assert labels.index(one[0]) / (count - 1) == pytest.approx(share)
        assert (middle - begin) / (end - begin) == pytest.approx(share, abs=0.03)
