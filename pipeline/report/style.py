"""The report's drawings in Vega-Lite: lines by day, bars and matrices, which `drawing.js` fills with the choice's rows.

Colours are CSS variables of the page, so that one drawing serves light, dark and print. `drawing.js` puts the unit of its times
in place of `{unit}` and sets the parameters: `days` is how many days are drawn, `room` and `strongest` are ends of scales,
`label` and `entry` how wide a label and an entry of the legend may be; `lift` moves labels of two lines up. A row has the
table's columns, `value`, which is the panel's measure in that unit, and `texts`, each column as the table writes it.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

from pipeline.report.choices import ALL
from pipeline.report.formatting import HEADINGS, WEEKDAYS

Spec: TypeAlias = dict[str, Any]

FEW_CASES = 10
FEW_DAYS = 62
MANY_DAYS = 180
"""For more days the ticks are months."""
_DAYS = str([name[:3] for name in WEEKDAYS])
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif"
BAR_STEP = 26
LINE_HEIGHT = 13
LINES = {"labelExpr": "split(datum.label, '\\n')", "labelLineHeight": LINE_HEIGHT, "labelOffset": {"expr": "lift"}}
"""For an axis whose labels have an account on a line of its own."""

TIME: Spec = {"title": "{unit}", "scale": {"nice": True}}
"""The axis of times. `drawing.js` ends it where nearly all values lie, since a few long waits would else press all others onto
the zero line; those beyond stand at its end.
"""

DASHES: Spec = {
    "field": "is_marked",
    "type": "nominal",
    "scale": {"domain": [False, True], "range": [[1, 0], [4, 4]]},
    "legend": None,
}
"""Lines of days, weeks and months that are not whole, or to which more conversations can come, are dashed."""

SHAPES: Spec = {
    **DASHES,
    "field": "point",
    "scale": {"domain": ["whole", "marked", "beyond"], "range": ["circle", "cross", "triangle-up"]},
}
"""Their points are crosses, so that a day, week or month without neighbours shows it, too; triangles lie beyond the axis."""
FAINT: Spec = {"condition": {"test": "datum.is_marked", "value": 0.55}, "value": 1}
"""They are faint, since they can't be compared with the others."""

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
        "symbolType": "square",
        "symbolStrokeWidth": 0,
        "symbolOpacity": 1,
    },
    "text": {"fill": "currentColor", "fontSize": 12},
}


@dataclass(frozen=True)
class Panel:
    """One drawing of a chart, of one `measure`; it is left out where no row has a value.

    An `account` is the place of the only one that it draws. `cases` names the count that the measure rests on, if a field shows
    that these are few.
    """

    title: str | None
    measure: str
    spec: Spec
    account: int = ALL
    cases: str | None = None

    @property
    def is_duration(self) -> bool:
        """Whether its values are seconds, whose unit is chosen by their size."""
        return self.measure.endswith("_seconds")


def line_panel(title: str, measure: str, tips: list[str], axis: Spec | None = None) -> Panel:
    """A measure by day, a colour for each account."""
    spec = {
        "height": 170,
        "mark": {
            "type": "line",
            "point": {"filled": True, "size": {"expr": f"days > {FEW_DAYS} ? 5 : 45"}},
            "strokeWidth": {"expr": f"days > {FEW_DAYS} ? 1.25 : 2"},
        },
        "encoding": {
            "x": by_day(tips[0]),
            "y": {"field": "value", "type": "quantitative", **(axis or TIME)},
            "color": account_colour(),
            "strokeDash": DASHES,
            "shape": SHAPES,
            "opacity": FAINT,
            "tooltip": tooltip(tips),
        },
    }
    return Panel(title, measure, _framed(spec))


def band_panel(title: str | None, measure: str, ends: tuple[str, str], tips: list[str], axis: Spec) -> Panel:
    """As `line_panel`, in a pale band between two other measures."""
    line = line_panel("", measure, tips, axis).spec
    value = line["encoding"].pop("y")
    colour, day = line["encoding"].pop("color"), line["encoding"].pop("x")
    band = {
        "mark": {"type": "area", "opacity": 0.14},
        "encoding": {"y": {**value, "field": ends[0]}, "y2": {"field": ends[1]}},
    }
    points = {"mark": line["mark"], "encoding": {"y": value, **line["encoding"]}}
    spec = {"height": 230, "encoding": {"x": day, "color": colour}, "layer": [band, points]}
    return Panel(title, measure, _framed(spec))


def bar_panel(title: str, measure: str, name: str, tips: list[str]) -> Panel:
    """A measure as one bar a row, in the rows' order, its number beside it."""
    spec = {
        "height": {"step": 3 * LINE_HEIGHT if name in ("agent", "account_skill") else BAR_STEP},
        "encoding": {
            "y": {
                "field": "skill_id" if name == "skill" else name,
                "type": "nominal",
                "sort": None,
                "title": None,
                "axis": {
                    "ticks": False,
                    "labelPadding": 6,
                    "labelLimit": {"expr": "label"},
                    **LINES,
                },
            },
            "x": {
                "field": "value",
                "type": "quantitative",
                "axis": None,
                "scale": {"domainMin": 0, "domainMax": {"expr": "room"}, "nice": False},
            },
            "tooltip": tooltip(tips),
        },
        "layer": [
            {"mark": {"type": "bar", "color": "var(--series-1)", "height": {"band": 0.7}}},
            {
                "mark": {"type": "text", "align": "left", "dx": 5},
                "encoding": {"text": {"field": f"texts.{measure}", "type": "nominal"}},
            },
        ],
    }
    return Panel(title, measure, _framed(spec))


def column_panel(who: str | None, measure: str, name: str, places: list[int], tips: list[str]) -> Panel:
    """A measure as one column for each of the `places` on the axis; `who` is the title, if there is more than one."""
    spec = {
        "height": 230,
        "mark": {"type": "bar", "color": "var(--series-1)"},
        "encoding": {
            "x": {
                "field": name,
                "type": "ordinal",
                "title": HEADINGS[name],
                "scale": {"domain": places, "paddingInner": 0.12},
                "axis": {"labelAngle": 0},
            },
            "y": {"field": "value", "type": "quantitative", "title": HEADINGS[measure], "axis": {"tickMinStep": 1}},
            "tooltip": tooltip(tips),
        },
    }
    return Panel(who, measure, _framed(spec))


def heat_panel(title: str | None, measure: str, name: str, places: list[Any], tips: list[str]) -> Panel:
    """Hours of the day for each of the `places`, weekdays or skills: the higher the measure the stronger the colour.

    A time that rests on fewer than `FEW_CASES` waits is an empty field in a dashed rim, whatever its length.
    """
    is_week = name == "weekday"
    unit = " ({unit})" if measure.endswith("_seconds") else ""
    legend: Spec = {"title": f"{HEADINGS[measure].split(' (')[0]}{unit}", "tickCount": 4, "columns": 6}
    legend["symbolFillColor"] = "var(--series-1)"
    axis: Spec = {"domain": False, "ticks": False, "labelLimit": {"expr": "label"}}
    spec = {
        "height": 196 if is_week else {"step": 3 * LINE_HEIGHT if name == "account_skill" else BAR_STEP},
        "mark": {
            "type": "rect",
            "cornerRadius": 2,
            "strokeDash": [2, 2],
        },
        "encoding": {
            "x": {
                "field": "local_hour",
                "type": "ordinal",
                "title": HEADINGS["local_hour"],
                "scale": {"domain": list(range(24)), "paddingInner": 0.06},
                "axis": {"labelAngle": 0, "labelOverlap": "parity", "domain": False, "ticks": False},
            },
            "y": {
                "field": "skill_id" if name == "skill" else name,
                "type": "ordinal",
                "title": None,
                "sort": places,
                "scale": {"paddingInner": 0.06, **({"domain": places} if is_week else {})},
                "axis": axis | ({"labelExpr": f"{_DAYS}[datum.value - 1]"} if is_week else LINES),
            },
            "opacity": {"condition": {"test": "datum.is_few", "value": 0.45}, **_strength(legend)},
            "fill": {"condition": {"test": "datum.is_few", "value": "transparent"}, "value": "var(--series-1)"},
            "stroke": {"condition": {"test": "datum.is_few", "value": "var(--series-1)"}, "value": "transparent"},
            "tooltip": tooltip(tips),
        },
    }
    return Panel(title, measure, _framed(spec), cases="queued_count" if measure.endswith("_seconds") else None)


def matrix_panel(measure: str, names: list[str], tips: list[str]) -> Panel:
    """A field for each pair of skills, its number in it."""
    axis: Spec = {"domain": False, "ticks": False, "labelLimit": {"expr": "label"}}
    nominal: Spec = {"type": "nominal", "sort": names, "scale": {"paddingInner": 0.04}}
    is_narrow = f"width < {max(1, len(names)) * 7 * max(map(len, names), default=1)}"  # a column has no room for a name
    across: Spec = {
        "labelAngle": {"expr": f"{is_narrow} ? -90 : 0"},
        "labelAlign": {"expr": f"{is_narrow} ? 'left' : 'center'"},
        "labelBaseline": {"expr": f"{is_narrow} ? 'middle' : 'alphabetic'"},
    }
    spec = {
        "height": {"step": 34},
        "encoding": {
            "x": {
                "field": "target_skill_id",
                **nominal,
                "title": "to skill",
                "axis": {**axis, "orient": "top", "labelLimit": 220, **across},
            },
            "y": {"field": "skill_id", **nominal, "title": "from skill", "axis": axis},
            "tooltip": tooltip(tips),
        },
        "layer": [
            {
                "mark": {"type": "rect", "cornerRadius": 2, "fill": "var(--series-1)"},
                "encoding": {"opacity": {**_strength(None), "scale": {**_strength(None)["scale"], "range": [0.06, 0.55]}}},
            },
            {"mark": {"type": "text"}, "encoding": {"text": {"field": f"texts.{measure}", "type": "nominal"}}},
        ],
    }
    return Panel(None, measure, _framed(spec))


def hours_panel(account: int, title: str | None) -> Panel:
    """The hours of each day by their state; rows are runs of hours of one state, from `from_hour` to `to_hour`."""
    states = {state: f"--{state}" for state in ("loaded", "empty", "rejected", "missing", "unknown")}
    colours = {"domain": list(states), "range": [f"var({name})" for name in states.values()]}
    spec = {
        "height": 150,
        "mark": {"type": "rect"},
        "encoding": {
            "x": {**by_day("date"), "timeUnit": "utcyearmonthdate"},
            "y": {
                "field": "from_hour",
                "type": "quantitative",
                "title": "Hour (UTC)",
                "scale": {"domain": [24, 0], "nice": False},
                "axis": {"values": [0, 6, 12, 18, 24], "grid": False},
            },
            "y2": {"field": "to_hour"},
            "color": {"field": "state", "type": "nominal", "scale": colours, "legend": {"title": None}},
            "tooltip": [
                {"field": "texts.date", "type": "nominal", "title": "Day"},
                {"field": "hours", "type": "nominal", "title": "Hours (UTC)"},
                {"field": "state", "type": "nominal", "title": "State"},
            ],
        },
    }
    return Panel(title, "loaded_count", _framed(spec), account)


def by_day(name: str) -> Spec:
    """Days along the bottom, each label once."""
    axis = {
        "labelExpr": f"utcFormat(datum.value, days > {MANY_DAYS} ? '%b %Y' : '%-d %b')",
        "tickCount": {"expr": "max(1, min(days - 1, floor(width / 80)))"},
        "grid": False,
        "labelBound": 25,  # a label may stand out by half its width, else the first day has none
    }
    return {"field": name, "type": "temporal", "title": None, "scale": {"type": "utc"}, "axis": axis}


def account_colour() -> Spec:
    """A colour for each account, which `drawing.js` keeps for it; the legend is left out where only one is drawn."""
    legend = {"title": None, "labelLimit": {"expr": "entry - 30"}}  # its columns are set by drawing.js
    return {"field": "account_id", "type": "nominal", "scale": {"domain": [], "range": []}, "legend": legend}


def tooltip(columns: list[str]) -> list[Spec]:
    """The columns of a row as the table says them."""
    return [{"field": f"texts.{name}", "type": "nominal", "title": HEADINGS[name]} for name in columns]


def _strength(legend: Spec | None) -> Spec:
    scale = {"domainMin": 0, "domainMax": {"expr": "strongest"}, "range": [0.12, 1], "nice": False, "clamp": True}
    return {"field": "value", "type": "quantitative", "scale": scale, "legend": legend}


def _framed(spec: Spec) -> Spec:
    params = [{"name": name, "value": 1} for name in ("days", "room", "strongest", "label", "lift", "entry")]
    return {"width": "container", "autosize": {"type": "fit-x", "contains": "padding"}, "params": params, **spec}
