"""Writes the report: one page with figures and charts, which loads nothing and runs only its own two scripts."""

import base64
import gzip
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from datetime import date, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from pipeline.errors import PipelineError, SettingsError, unwritten
from pipeline.lake.lake import Lake
from pipeline.report.chart import Chart
from pipeline.report.charts import charts
from pipeline.report.choices import NO_CHANNEL, UNDATED, Choices, OpenSpan, read_choices
from pipeline.report.cubes import Columns, Query, cubes_of, kept_rows, read_cube, rows_of_all
from pipeline.report.days import read_days
from pipeline.report.formatting import FILTERS, FORMS, HEADINGS, MISSING, TEXTS, WEEKDAYS, Row, form_of
from pipeline.report.head import FRESHNESS, RUNS, Head, read_head
from pipeline.report.key_figures import BOT_QUERIES, KEY_FIGURES, QUERIES
from pipeline.report.measures import UNITS
from pipeline.report.style import CONFIG, FEW_CASES, MANY_DAYS, Panel, Spec
from pipeline.report.targets import TARGETS
from pipeline.report.wholeness import PROVISIONAL

STATIC_DAYS = 14
"""Days in the tables of a browser without JavaScript."""
STATIC_ROWS = 200
"""Rows of any other of them."""
LARGEST_PAGE = 1_900_000  # bytes: a page that can be mailed
BOTS_SKILL = "This is a bot's skill: the figures are of bots, and charts of people by skill are empty; see the section Bots."


def report_path(lake: Lake) -> Path:
    """The report's default path: in the lake's folder, or in the working folder if the lake is a bucket."""
    return (Path(lake.root) if lake.is_local else Path.cwd()) / "report.html"


def chosen_path(lake: Lake, output: str) -> Path:
    """The path of `--output`; of a link its target.

    Raises:
        SettingsError: no report can be there: it is a URL, an unknown user's home, a device, or a file of the lake.
    """
    path = os.path.expanduser(output)  # noqa: PTH111  # pathlib raises where the user is unknown
    target = Path(path).resolve()
    if path.startswith("~") or "://" in path or (target.exists() and not target.is_file()):
        raise SettingsError(f"{output}: expected the path of a file for the report; name another one with --output")
    root = Path(lake.root).resolve()
    if lake.is_local and root in target.parents and (target.parent != root or target.suffix != ".html"):
        raise SettingsError(f"{output}: it is inside of the lake, where a report can only be a .html beside the tables")
    return target


def write_report(
    connection: duckdb.DuckDBPyConnection, output: Path, settings_fault: str = "", days: OpenSpan = (None, None)
) -> None:
    """Write the report on everything in the lake to `output`, which only its owner may read. It opens with the `days` chosen.

    The page begins with the wrong lines of the files of names, and with `settings_fault`, the sentence on `settings.csv`.

    A lake without conversations gets a page with the next steps. A reader of `output` sees the old page or the new
    one, whole.

    Raises:
        OutputError: the disk is full.
        SettingsError: `output` cannot be written, or the lake has none of the days; what was there stays.

    """
    head = read_head(connection, settings_fault)
    page = _render(head=None, scripts=[]) if head is None else _page(connection, head, days)
    try:
        _replace(output, page.encode())
    except OSError as error:
        raise unwritten("report", output, error, "name another file with --output") from error


def _page(connection: duckdb.DuckDBPyConnection, head: Head, chosen: OpenSpan) -> str:
    choices = read_choices(connection, chosen)
    drawn = charts(choices, head.service_level)
    bots = BOT_QUERIES if choices.has_bots else {}
    keys = QUERIES | {f"bot-{name}": query for name, query in bots.items()}
    queries = [*keys.values(), *(chart.query for chart in drawn)]
    wanted = cubes_of([*queries, *filter(None, (query.by(unit) for unit in UNITS for query in queries))])
    with kept_rows(connection, wanted, choices) as kept:
        cubes = {cube.name: read_cube(kept, cube) for cube in wanted}
        page = _render(
            head=head,
            scripts=[
                _script_safe(_charting_library()),
                "".join(map(_asset, ("counting.js", "drawing.js", "tables.js", "page.js"))),
            ],
            choices=choices,
            static_days=STATIC_DAYS,
            static_rows=STATIC_ROWS,
            first_channel=choices.channels[0].name if choices.channels else NO_CHANNEL,
            sections=_sections(drawn, cubes, choices),
            keys=KEY_FIGURES,
            key_rows={name: _key_row(query, rows_of_all(query, cubes[query.cube], choices)) for name, query in keys.items()},
            key_sql={name: _sql(query, choices) for name, query in keys.items()},
            freshness_sql=FRESHNESS,
            runs_sql=RUNS,
            data=_packed(_json(_data(choices, keys, drawn, cubes)), 9),
        )
        days = read_days(kept, wanted, max(0, LARGEST_PAGE - len(page.encode())))
    page = _with_script(page, "days", _packed(_json(days.described), 9))
    return _with_script(page, "rows", _packed(days.rows, 4))  # numbers, of which more effort saves little


def _with_script(page: str, name: str, content: str) -> str:
    """Fill a script of data, which is empty so far; no text from the lake can look like one."""
    opening = f'<script type="text/plain" id="{name}">'
    return page.replace(f"{opening}</script>", f"{opening}{content}</script>", 1)


def _key_row(query: Query, rows: list[Row]) -> Row:
    return rows[0] if rows else {column: 0 if column.endswith("_count") else None for column in query.columns}


def _sections(drawn: list[Chart], cubes: dict[str, Columns], choices: Choices) -> dict[str, list[dict[str, Any]]]:
    sections: dict[str, list[dict[str, Any]]] = {}
    for chart in drawn:
        rows = _newest(chart.query, rows_of_all(chart.query, cubes[chart.query.cube], choices))
        sections.setdefault(chart.section, []).append({"chart": chart, "rows": rows, "sql": _sql(chart.query, choices)})
    return sections


def _newest(query: Query, rows: list[Row]) -> list[Row]:
    """The rows that the file itself shows: `page.js` makes the tables anew, with all rows, and the file stays small."""
    if not query.is_by_day:
        return rows[:STATIC_ROWS]
    newest = sorted({str(row[query.day]) for row in rows})[-STATIC_DAYS:]
    return [row for row in rows if str(row[query.day]) in newest]


def _sql(query: Query, choices: Choices) -> str:
    """The query for everything in the first channel and period; `page.js` puts the choice's conditions at the same place."""
    head, tail = query.sql()
    channel = choices.channels[:1] if query.source.has_channel and query.spread != "channel" else ()
    since, until = choices.periods[0].since, choices.periods[0].until
    days = [f"{query.day} between '{since}' and '{until}'"] if since else []
    conditions = [*query.conditions, *(option.condition for option in channel), *days]
    where = "\nwhere " + "\n    and ".join(conditions) if conditions else ""
    return f"{head}{where}\n{tail}".rstrip()


def _data(choices: Choices, keys: dict[str, Query], drawn: list[Chart], cubes: dict[str, Columns]) -> dict[str, Any]:
    """The data of the page's script."""
    return {
        "config": CONFIG,
        "headings": HEADINGS,
        "texts": TEXTS,
        "weekdays": WEEKDAYS,
        "missing": MISSING,
        "undated": str(UNDATED),
        "manyDays": MANY_DAYS,
        "fewCases": FEW_CASES,
        "forms": {name: form._asdict() for name, form in FORMS.items()},
        "columnForms": {column: form_of(column) for column in HEADINGS},
        "provisional": choices.marks.provisional,
        "markOfProvisional": PROVISIONAL,
        "textOfBots": BOTS_SKILL,
        "marks": {"days": choices.marks.days, "weeks": choices.marks.weeks, "months": choices.marks.months},
        "unlike": choices.unlike,
        "targets": {name: target._asdict() for name, target in choices.targets.items()},
        "channels": [option._asdict() for option in choices.channels],
        "accounts": [option._asdict() for option in choices.accounts],
        "skills": [option._asdict() for option in choices.skills],
        "periods": [period._asdict() for period in choices.periods],
        "known": [{"whole": _runs(known.whole), "provisional": _runs(known.provisional)} for known in choices.known],
        "cubes": cubes,
        "keys": [vars(key) for key in KEY_FIGURES],
        "charts": [
            *({"name": f"key-{name}", "days": _wired(query), "panels": []} for name, query in keys.items()),
            *(
                {
                    "name": chart.name,
                    "days": _wired(chart.query),
                    **{unit: (query := chart.query.by(unit)) and _wired(query) for unit in UNITS},
                    "panels": [_panel(panel, chart.query) for panel in chart.panels],
                }
                for chart in drawn
            ),
        ],
    }


def _runs(days: Iterable[date]) -> list[tuple[str, str]]:
    """The first and the last day of each run of days without a gap."""
    ordered = sorted(days)
    starts = [day for place, day in enumerate(ordered) if not place or day - ordered[place - 1] > timedelta(days=1)]
    ends = [
        day for place, day in enumerate(ordered, start=1) if place == len(ordered) or ordered[place] - day > timedelta(days=1)
    ]
    return [(str(start), str(end)) for start, end in zip(starts, ends, strict=True)]


def _wired(query: Query) -> dict[str, Any]:
    head, tail = query.sql()
    return {
        "cube": query.cube,
        "spread": query.spread,
        "spreadChoices": [name for name in ("account", "skill") if query.spreads(name)],
        "columns": query.columns,
        "hidden": query.hidden,
        "day": query.day,
        "isByDay": query.is_by_day,
        "unit": query.unit,
        "isLocal": query.source.is_local,
        "hasSkill": query.has_skill,
        "hasChannel": query.source.has_channel,
        "most": query.most,
        "highest": query.measures[0],
        "sql": {"head": head, "conditions": query.conditions, "tail": tail},
    }


def _panel(panel: Panel, query: Query) -> Spec:
    is_of_people = query.source.name in {key.source.name for key in QUERIES.values()}
    return {
        "measure": panel.measure,
        "isOfStrength": "fill" in panel.spec["encoding"] and "opacity" in panel.spec["encoding"],
        "hasTarget": query.is_by_day and is_of_people and any(target.measure == panel.measure for target in TARGETS),
        "isDuration": panel.is_duration,
        "account": panel.account,
        "cases": panel.cases,
        "spec": panel.spec,
    }


def _render(**context: Any) -> str:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(FILTERS)
    environment.tests["text_column"] = lambda column: column in TEXTS
    scripts = context.pop("scripts")
    return environment.from_string(_asset("page.html.jinja")).render(
        context,
        style=Markup(_asset("page.css")),  # noqa: S704 - our own file
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - our own file and the library's
        policy=_policy(scripts),
    )


def _charting_library() -> str:
    """Vega, Vega-Lite and Vega-Embed in one script, below the terms of their licences; `hatch_build.py` puts them together.

    Raises:
        PipelineError: the package was not built.
    """
    try:
        return _asset("vega.js")
    except FileNotFoundError as error:
        raise PipelineError(
            "the report: expected the script of its charts, vega.js, in the package, found none; no report was written, "
            "install the package (make, or pip install) instead of running it from its sources"
        ) from error


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


def _packed(content: bytes, level: int) -> str:
    return base64.b64encode(gzip.compress(content, level, mtime=0)).decode()


def _script_safe(script: str) -> str:
    """Escape the texts in the script that would end or hide it in HTML; they only occur in strings and patterns."""
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
