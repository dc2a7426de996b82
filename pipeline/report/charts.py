"""The report's charts: a title, a definition, the query, and how its rows are drawn, as Vega-Lite.

Colours are CSS variables of the page, so that one drawing serves light, dark and print. A chart draws one panel or one
per account; accounts keep their colour across charts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

from pipeline.report import figures
from pipeline.report.figures import Row, break_at_gaps, with_date

Spec: TypeAlias = dict[str, Any]

SERIES = [f"var(--series-{number})" for number in range(1, 9)]
FEW_DAYS = 62
ON_A_PHONE = "width < 400"
WEEKDAYS = "['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif"

CONFIG: Spec = {
    "background": "transparent",
    "font": FONT,
    "aria": False,
    "view": {"stroke": None},
    "axis": {
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
        "gridColor": "currentColor",
        "gridOpacity": 0.14,
        "domainColor": "currentColor",
        "domainOpacity": 0.4,
        "tickColor": "currentColor",
        "tickOpacity": 0.4,
        "labelOverlap": "greedy",
        "labelSeparation": 6,
    },
    "legend": {
        "orient": "top",
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 150,
        "symbolStrokeWidth": 2,
        "layout": {"top": {"direction": {"signal": f"{ON_A_PHONE} ? 'vertical' : 'horizontal'"}, "anchor": "start"}},
    },
}

HOUR_OF_DAY: Spec = {
    "field": "hour",
    "type": "ordinal",
    "title": "Hour of day (UTC)",
    "scale": {"domain": list(range(24)), "paddingInner": 0.06},
    "axis": {"labelAngle": 0, "domain": False, "ticks": False},
}
WEEKDAY: Spec = {
    "field": "weekday",
    "type": "ordinal",
    "title": None,
    "scale": {"domain": list(range(1, 8)), "paddingInner": 0.06},
    "axis": {"labelExpr": f"{WEEKDAYS}[datum.value - 1]", "domain": False, "ticks": False},
}


@dataclass(frozen=True)
class Panel:
    """One drawing of a chart; `title` is the account where a chart has a panel for each."""

    title: str | None
    spec: Spec


@dataclass(frozen=True)
class Chart:
    """A chart of the page; `measured` is the column without whose values there is nothing to draw."""

    name: str
    title: str
    definition: str
    query: str
    measured: str
    draw: Callable[[list[Row], list[str]], list[Panel]]
    is_wide: bool = False

    def panels(self, rows: list[Row], accounts: list[str]) -> list[Panel]:
        """The drawings of these rows, none where nothing was measured."""
        if all(row[self.measured] is None for row in rows):
            return []
        return self.draw(rows, accounts)


def draw_queue_by_day(rows: list[Row], accounts: list[str]) -> list[Panel]:
    """Median and 90th percentile as lines, a colour for each account."""
    divisor, unit = _time_unit(rows, "queue_p90_seconds")
    measures = {"queue_p50": "median", "queue_p90": "90th percentile"}
    spec = {
        **_frame(break_at_gaps(rows), accounts),
        "transform": [
            *[_in_unit(f"{column}_seconds", column, divisor) for column in measures],
            {"fold": list(measures), "as": ["column", "value"]},
            {"calculate": "datum.column === 'queue_p50' ? 'median' : '90th percentile'", "as": "measure"},
        ],
        "mark": _line(rows),
        "encoding": {
            "x": _days(rows),
            "y": {"field": "value", "type": "quantitative", "title": f"Queue time ({unit})"},
            "color": _account_colour(accounts),
            "strokeDash": {
                "field": "measure",
                "scale": {"domain": list(measures.values()), "range": [[1, 0], [3, 3]]},
                "legend": {"title": None, "symbolStrokeColor": "currentColor", "symbolType": "stroke"},
            },
            **_highlight(accounts),
            "tooltip": [
                *_who_and_when(accounts),
                _tip("queue_p50", f"Median ({unit})", ",.1f"),
                _tip("queue_p90", f"90th percentile ({unit})", ",.1f"),
                _tip("connected_count", "Connected", ","),
            ],
        },
    }
    return [Panel(None, spec)]


def draw_abandoned_by_day(rows: list[Row], accounts: list[str]) -> list[Panel]:
    """The abandoned share as bars, accounts side by side; as lines where bars would be too thin."""
    spec = {
        **_frame(break_at_gaps(rows), accounts),
        "mark": _line(rows),
        "encoding": {
            "x": _days(rows),
            "y": {"field": "abandoned_share", "type": "quantitative", "title": "Abandoned", "axis": {"format": ".0%"}},
            "color": _account_colour(accounts),
            **_highlight(accounts),
            "tooltip": [
                *_who_and_when(accounts),
                _tip("abandoned_share", "Abandoned share", ".1%"),
                _tip("abandoned_count", "Abandoned", ","),
                _tip("connected_count", "Connected", ","),
            ],
        },
    }
    if _day_span(rows) <= FEW_DAYS:
        by_day = {**spec["encoding"]["x"], "timeUnit": "utcyearmonthdate", "bandPosition": 0}
        spec["mark"] = {"type": "bar"}
        spec["encoding"] |= {"x": by_day, **_beside(accounts)}
    return [Panel(None, spec)]


def draw_queue_by_hour_of_week(rows: list[Row], accounts: list[str]) -> list[Panel]:
    """A week of hours for each account, the longer the wait the stronger the colour; all panels share one scale."""
    divisor, unit = _time_unit(rows, "queue_p90_seconds")
    waits = sorted(float(row["queue_p90_seconds"] or 0) / divisor for row in rows)
    strongest = waits[len(waits) * 49 // 50] or 1  # a single odd hour must not make all others pale
    spec = {
        "width": "container",
        "height": 182,
        "transform": [
            _in_unit("queue_p50_seconds", "queue_p50", divisor),
            _in_unit("queue_p90_seconds", "queue_p90", divisor),
            {"calculate": f"{WEEKDAYS}[datum.weekday - 1] + ' ' + format(datum.hour, '02') + ':00'", "as": "from"},
        ],
        "mark": {"type": "rect", "cornerRadius": 2},
        "encoding": {
            "x": HOUR_OF_DAY,
            "y": WEEKDAY,
            "opacity": {
                "field": "queue_p90",
                "type": "quantitative",
                "scale": {"domain": [0, strongest], "range": [0.15, 1], "nice": False, "clamp": True},
                "legend": {
                    "title": f"90th percentile ({unit})",
                    "symbolType": "square",
                    "symbolStrokeWidth": 0,
                    "tickCount": 4,
                },
            },
            "tooltip": [
                _tip("from", "From (UTC)"),
                _tip("queue_p50", f"Median ({unit})", ",.1f"),
                _tip("queue_p90", f"90th percentile ({unit})", ",.1f"),
                _tip("connected_count", "Connected", ","),
                _tip("abandoned_count", "Abandoned", ","),
            ],
        },
    }
    return [_week_panel(spec, rows, accounts, place) for place in range(len(accounts))]


def draw_mcs_distribution(rows: list[Row], accounts: list[str]) -> list[Panel]:
    """A histogram of ten buckets, the bars of several accounts side by side."""
    spec = {
        **_frame(rows, accounts),
        "transform": [
            {"joinaggregate": [{"op": "sum", "field": "conversation_count", "as": "all"}], "groupby": ["account_id"]},
            {"calculate": "datum.conversation_count / datum.all", "as": "share"},
            {"calculate": "datum.bucket + ' to ' + (datum.bucket === 90 ? 100 : datum.bucket + 9)", "as": "range"},
        ],
        "mark": {"type": "bar"},
        "encoding": {
            "x": {
                "field": "bucket",
                "type": "ordinal",
                "title": "MCS from",
                "scale": {"domain": list(range(0, 100, 10)), "paddingInner": 0.12},
                "axis": {"labelAngle": 0},
            },
            "y": {
                "field": "conversation_count",
                "type": "quantitative",
                "title": "Conversations",
                "axis": {"tickMinStep": 1},
            },
            "color": _account_colour(accounts),
            **_beside(accounts),
            **_highlight(accounts),
            "tooltip": [
                *_who(accounts),
                _tip("range", "MCS"),
                _tip("conversation_count", "Conversations", ","),
                _tip("share", "Share", ".1%"),
            ],
        },
    }
    return [Panel(None, spec)]


def draw_mcs_by_day(rows: list[Row], accounts: list[str]) -> list[Panel]:
    """The mean as a line in the band from the 10th to the 90th percentile."""
    encoding = {"x": _days(rows), "color": _account_colour(accounts)}
    pale = 0.28 / (len(accounts) + 1)  # the bands of many accounts lie over each other
    score = {"type": "quantitative", "scale": {"domain": [0, 100]}, "title": "MCS"}
    frame = _frame(break_at_gaps(rows), accounts)
    band = {
        "mark": {"type": "area", "opacity": pale},
        "encoding": {"y": {**score, "field": "mcs_p10"}, "y2": {"field": "mcs_p90"}, **_highlight(accounts, pale, 0)},
    }
    line = {
        "params": frame.pop("params", []),
        "mark": _line(rows),
        "encoding": {
            "y": {**score, "field": "mcs_avg"},
            **_highlight(accounts),
            "tooltip": [
                *_who_and_when(accounts),
                _tip("mcs_avg", "Mean", ".1f"),
                _tip("mcs_p10", "10th percentile", ".1f"),
                _tip("mcs_p50", "Median", ".1f"),
                _tip("mcs_p90", "90th percentile", ".1f"),
                _tip("scored_count", "Scored", ","),
            ],
        },
    }
    return [Panel(None, {**frame, "encoding": encoding, "layer": [band, line]})]


CHARTS = (
    Chart(
        name="queue-by-day",
        title="Queue time by day",
        definition="Wait of the visitors whom an agent took, from the start to the end of the queue: half of them waited "
        "at most the median, nine in ten at most the 90th percentile. Days are those of the conversation's start, in UTC.",
        query=figures.QUEUE_DAILY,
        measured="queue_p50_seconds",
        draw=draw_queue_by_day,
        is_wide=True,
    ),
    Chart(
        name="abandoned-by-day",
        title="Abandoned share by day",
        definition="Of the conversations that began on the day, the share that no agent was connected to: "
        "abandoned / (abandoned + connected).",
        query=figures.QUEUE_DAILY,
        measured="abandoned_share",
        draw=draw_abandoned_by_day,
        is_wide=True,
    ),
    Chart(
        name="queue-by-hour-of-week",
        title="Queue time by hour of the week",
        definition="90th percentile of the wait of conversations that an agent took, by weekday and hour of their start, "
        "in UTC: the stronger the colour, the longer nine in ten waited at most. An empty field had none.",
        query=figures.QUEUE_HOUR_OF_WEEK,
        measured="queue_p50_seconds",
        draw=draw_queue_by_hour_of_week,
        is_wide=True,
    ),
    Chart(
        name="mcs-distribution",
        title="MCS distribution",
        definition="Conversations by their Meaningful Connection Score, 0 to 100, in steps of ten: 60 stands for 60 to "
        "69, and 90 for 90 to 100. Those without a score are left out.",
        query=figures.MCS_DISTRIBUTION,
        measured="conversation_count",
        draw=draw_mcs_distribution,
    ),
    Chart(
        name="mcs-by-day",
        title="MCS by day",
        definition="Mean score of the day's scored conversations; the band spans the 10th to the 90th percentile.",
        query=figures.MCS_DAILY,
        measured="mcs_avg",
        draw=draw_mcs_by_day,
    ),
)


def _frame(rows: list[Row], accounts: list[str]) -> Spec:
    frame: Spec = {"width": "container", "height": 230, "data": {"values": rows}}
    if len(accounts) > 1:
        frame["params"] = [
            {"name": "chosen", "select": {"type": "point", "fields": ["account_id"]}, "bind": "legend"},
        ]
    return frame


def _week_panel(spec: Spec, rows: list[Row], accounts: list[str], place: int) -> Panel:
    colour = SERIES[place % len(SERIES)]
    mark = {**spec["mark"], "fill": colour}
    config = {"legend": {"symbolFillColor": colour}}
    own = [row for row in rows if row["account_id"] == accounts[place]]
    title = accounts[place] if len(accounts) > 1 else None
    return Panel(title, {**spec, "mark": mark, "config": config, "data": {"values": own}})


def _account_colour(accounts: list[str]) -> Spec:
    legend = None
    if len(accounts) > 1:
        square = {"symbolType": "square", "symbolStrokeWidth": 0, "symbolOpacity": 1}
        legend = {"title": None, "columns": {"expr": f"{ON_A_PHONE} ? 2 : 4"}, **square}
    colours = [SERIES[place % len(SERIES)] for place in range(len(accounts))]
    return {"field": "account_id", "type": "nominal", "scale": {"domain": accounts, "range": colours}, "legend": legend}


def _beside(accounts: list[str]) -> Spec:
    return {"xOffset": {"field": "account_id", "scale": {"domain": accounts}}} if len(accounts) > 1 else {}


def _highlight(accounts: list[str], chosen: float = 1, other: float = 0.12) -> Spec:
    return {"opacity": {"condition": {"param": "chosen", "value": chosen}, "value": other}} if len(accounts) > 1 else {}


def _days(rows: list[Row]) -> Spec:
    short = _day_span(rows) <= FEW_DAYS
    axis: Spec = {"format": "%-d %b" if short else "%b %Y", "grid": False, "labelBound": True}
    if short:
        axis["tickCount"] = {"interval": "day", "step": max(1, round(_day_span(rows) / 14))}
    return {"field": "date", "type": "temporal", "title": None, "scale": {"type": "utc"}, "axis": axis}


def _line(rows: list[Row]) -> Spec:
    if _day_span(rows) <= FEW_DAYS:
        return {"type": "line", "point": {"filled": True, "size": 32}, "strokeWidth": 2}
    return {"type": "line", "point": {"filled": True, "size": 6}, "strokeWidth": 1.25}


def _day_span(rows: list[Row]) -> int:
    dates = [date.fromisoformat(str(row["date"])) for row in with_date(rows)]
    return (max(dates) - min(dates)).days + 1 if dates else 0


def _time_unit(rows: list[Row], column: str) -> tuple[int, str]:
    longest = max(float(row[column] or 0) for row in rows)
    for divisor, unit in ((1, "seconds"), (60, "minutes")):
        if longest <= 300 * divisor:
            return divisor, unit
    return 3600, "hours"


def _in_unit(column: str, name: str, divisor: int) -> Spec:
    return {"calculate": f"isValid(datum.{column}) ? datum.{column} / {divisor} : null", "as": name}


def _tip(field: str, title: str, number_format: str | None = None) -> Spec:
    if number_format is None:
        return {"field": field, "type": "nominal", "title": title}
    return {"field": field, "type": "quantitative", "title": title, "format": number_format}


def _who(accounts: list[str]) -> list[Spec]:
    return [_tip("account_id", "Account")] if len(accounts) > 1 else []


def _who_and_when(accounts: list[str]) -> list[Spec]:
    day = {"field": "date", "timeUnit": "utcyearmonthdate", "title": "Day", "format": "%a %-d %b %Y"}
    return [day, *_who(accounts)]
