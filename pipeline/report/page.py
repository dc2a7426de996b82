"""Writes the report: figures and charts put into one page that loads nothing and runs no script but its own two."""

import base64
import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb

from pipeline.errors import SettingsError
from pipeline.lake import Lake
from pipeline.report.charts import CHARTS, CONFIG, Chart, Panel, Spec
from pipeline.report.figures import Cell, Figures, Row, read_figures, read_rows

HEADINGS = {
    "account_id": "Account",
    "date": "Date",
    "weekday": "Weekday",
    "hour": "Hour (UTC)",
    "bucket": "MCS from",
    "conversation_count": "Conversations",
    "connected_count": "Connected",
    "abandoned_count": "Abandoned",
    "abandoned_share": "Abandoned share",
    "queue_p50_seconds": "Queue median (s)",
    "queue_p90_seconds": "Queue p90 (s)",
    "scored_count": "Scored",
    "mcs_avg": "MCS mean",
    "mcs_p10": "MCS p10",
    "mcs_p50": "MCS median",
    "mcs_p90": "MCS p90",
}
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MISSING = "\N{EN DASH}"
ACCOUNT_COLUMNS = (
    "account_id",
    "conversation_count",
    "queue_p50_seconds",
    "queue_p90_seconds",
    "abandoned_share",
    "scored_count",
    "mcs_avg",
)


def report_path(lake: Lake) -> Path:
    """Where the report goes unless told otherwise: into the lake's folder, or the working folder if the lake is a bucket."""
    return (Path(lake.root) if lake.is_local else Path.cwd()) / "report.html"


def write_report(connection: duckdb.DuckDBPyConnection, output: Path) -> None:
    """Write the report on everything in the lake to `output`, which only its owner may read.

    A lake without conversations gets a page that says what to do. A reader of `output` sees the old page or the new
    one, whole.

    Raises:
        SettingsError: `output` cannot be written; what was there stays.

    """
    figures = read_figures(connection)
    sections = [] if figures is None else [_section(connection, chart, figures) for chart in CHARTS]
    page = _render(figures, sections)
    try:
        _replace(output, page.encode())
    except OSError as error:
        message = f"the report cannot be written to {output}: {error.strerror}; name another file with --output"
        raise SettingsError(message) from error


def _section(connection: duckdb.DuckDBPyConnection, chart: Chart, figures: Figures) -> dict[str, Any]:
    rows = read_rows(connection, chart.query)
    panels = chart.panels(rows, figures.account_names)
    return {"chart": chart, "rows": rows, "columns": list(rows[0]) if rows else [], "panels": panels}


def _render(figures: Figures | None, sections: list[dict[str, Any]]) -> str:
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - only a report needs it
    from markupsafe import Markup  # noqa: PLC0415

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(FILTERS)
    environment.tests["number_column"] = is_number
    drawings = _drawings(sections)
    scripts = [_script_safe(_charting_library()), _asset("page.js")] if drawings["charts"] else []
    return environment.from_string(_asset("page.html.jinja")).render(
        figures=figures,
        sections=sections,
        account_columns=ACCOUNT_COLUMNS,
        style=Markup(_asset("page.css")),  # noqa: S704 - our own file
        drawings=Markup(_json_in_html(drawings)),  # noqa: S704 - every < > & in it is written as \uNNNN
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - our own file and the library's
        policy=_policy(scripts),
    )


def _drawings(sections: list[dict[str, Any]]) -> Spec:
    charts = []
    for section in sections:
        panels: list[Panel] = section["panels"]
        name = section["chart"].name
        charts += [{"target": f"{name}-{place}", "spec": panel.spec} for place, panel in enumerate(panels)]
    return {"config": CONFIG, "charts": charts}


@cache
def _charting_library() -> str:
    """Vega, Vega-Lite and Vega-Embed in one script; to put them together takes some seconds."""
    import vl_convert  # noqa: PLC0415 - brings a JavaScript engine

    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return bundle


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _json_in_html(value: Spec) -> str:
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _script_safe(script: str) -> str:
    """The script without anything that ends or hides it in HTML; both can only stand in its strings and patterns."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _policy(scripts: list[str]) -> str:
    """Content-Security-Policy: no loads at all, no script but these."""
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    allowed = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests) or "'none'"
    return (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {allowed}; "
        "base-uri 'none'; form-action 'none'"
    )


def _replace(output: Path, content: bytes) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=output.parent, prefix=f".{output.name}.")
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)


def format_count(value: Cell) -> str:
    """12345 as 12,345."""
    return MISSING if value is None else f"{int(value):,}"


def format_number(value: Cell) -> str:
    """One decimal place."""
    return MISSING if value is None else f"{float(value):,.1f}"


def format_share(value: Cell) -> str:
    """0.0731 as 7.3 %."""
    return MISSING if value is None else f"{100 * float(value):.1f} %"


def format_duration(value: Cell) -> str:
    """Seconds as a person says them: 42 s, 1 min 23 s, 2 h 05 min."""
    if value is None:
        return MISSING
    minutes, seconds = divmod(round(float(value)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes:02d} min"
    if minutes:
        return f"{minutes} min {seconds:02d} s"
    return f"{seconds} s" if seconds // 10 else f"{float(value):.1f} s"


def format_cell(row: Row, column: str) -> str:
    """A table's cell: the column's name says what it holds."""
    value = row[column]
    if column == "weekday" and value is not None:
        return WEEKDAYS[int(value) - 1]
    if column.endswith("_share"):
        return format_share(value)
    if column.endswith("_count"):
        return format_count(value)
    if column.endswith("_seconds") or column.startswith("mcs_"):
        return format_number(value)
    return MISSING if value is None else str(value)


def is_number(column: str) -> bool:
    """Whether the column is set to the right."""
    return column not in {"account_id", "date", "weekday"}


FILTERS: dict[str, Callable[..., Any]] = {
    "count": format_count,
    "number": format_number,
    "share": format_share,
    "duration": format_duration,
    "cell": format_cell,
    "heading": lambda column: HEADINGS.get(column, column),
}
