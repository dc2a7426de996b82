"""Reads a written report as a browser would, for the tests of the report."""

import base64
import gzip
import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest

from pipeline.report import write_report
from pipeline.report.choices import ALL, NO_ACCOUNT, NO_SKILL, Choices, label
from pipeline.report.cubes import Columns, Query, cubes_of, kept_rows, read_cube, read_rows
from pipeline.report.formatting import format_cell

HOSTILE = ("</script ><img src=x onerror=alert(1)>", "<!--<script>alert(2)</script>", "'\"&amp;\u2028{{ 7 * 7 }}")
VOID = {"meta", "link", "br", "img", "input", "hr"}
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(
    BROWSER is None, reason="no chromium on PATH: apt-get install chromium to run the page for real"
)


@dataclass
class Element:
    """One element of the page with all text below it."""

    tag: str
    attributes: dict[str, str | None]
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def every(self, tag: str) -> list["Element"]:
        """All elements of that tag below this one, in the page's order."""
        return [element for element in self.walk() if element.tag == tag]

    def by_id(self, name: str) -> "Element":
        """The one element with that id."""
        return next(element for element in self.walk() if element.attributes.get("id") == name)

    def walk(self) -> list["Element"]:
        """This element and all below it."""
        return [self] + [element for child in self.children for element in child.walk()]


class Reader(HTMLParser):
    """Reads a page into elements, as a browser would for markup as regular as ours."""

    def __init__(self, text: str) -> None:
        """Read all of `text`."""
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element, or add one that has no end."""
        element = Element(tag, dict(attrs))
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        """Close the element."""
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        """Add text to all elements around it."""
        for element in self.open:
            element.text += data


def read_page(text: str) -> Element:
    """The page's elements."""
    return Reader(text).root


def report(database: Path, output: Path | None = None) -> Element:
    """Write the report on `database`, beside it unless told otherwise, and read it back."""
    target = output or database.with_name("report.html")
    with duckdb.connect(str(database), read_only=True) as connection:
        write_report(connection, target)
    return read_page(target.read_text(encoding="utf-8"))


def data_of(page: Element) -> dict[str, Any]:
    """The data of the page's script, with what it needs to count days."""
    return unpacked(page.by_id("data").text) | {"days": unpacked(page.by_id("days").text)}


def unpacked(text: str) -> dict[str, Any]:
    """The numbers that a page carries."""
    content: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(text)))
    return content


def cells(table: Element) -> list[list[str]]:
    """The table's rows, without its headings."""
    rows = [[cell.text for cell in row.children if cell.tag in {"th", "td"}] for row in table.every("tr")]
    return rows[1:]


def rows_of(table: Element) -> list[dict[str, str]]:
    """The table's rows by heading."""
    headings = [cell.text for cell in table.every("thead")[0].every("th")]
    return [dict(zip(headings, row, strict=True)) for row in cells(table)]


def written(database: Path, sql: str) -> list[list[str]]:
    """The rows of a query as a table of the page writes them: a name and its id in one field."""
    with duckdb.connect(str(database), read_only=True) as connection:
        rows = read_rows(connection, sql)
        accounts = dict(connection.execute("select account_id, account_name from accounts").fetchall())
    missing = {"account_id": NO_ACCOUNT, "skill_id": NO_SKILL, "target_skill_id": NO_SKILL, "agent_id": ""}
    for row in rows:
        for column in row.keys() & missing.keys():
            value = row[column]
            name = accounts.get(value) if column == "account_id" else row.pop(f"{column.removesuffix('_id')}_name", None)
            row[column] = missing[column] if value is None else label(value, None if name is None else str(name))
    return [[format_cell(row, column) for column in row] for row in rows]


class Choice(NamedTuple):
    """The places of what is chosen among the choices."""

    account: int = ALL
    skill: int = ALL
    period: int = ALL
    channel: int = 1


def first_day(day: str, unit: str) -> str:
    """The first day of the day, week or month that a day is in."""
    found = date.fromisoformat(day)
    first = {"days": found, "weeks": found - timedelta(days=found.weekday()), "months": found.replace(day=1)}
    return str(first[unit])


def read_cubes(connection: duckdb.DuckDBPyConnection, queries: Iterable[Query], choices: Choices) -> dict[str, Columns]:
    """The cubes of these queries by name."""
    wanted = cubes_of(queries)
    with kept_rows(connection, wanted, choices) as kept:
        return {cube.name: read_cube(kept, cube) for cube in wanted}


def chosen_sql(query: Query, choices: Choices, choice: Choice) -> str:
    """A chart's SQL with what is chosen, put together anew."""
    head, tail = query.sql()
    period = choices.periods[choice.period]
    since = period.since and first_day(period.since, query.unit)
    conditions = [
        *query.conditions,
        choices.channels[choice.channel - 1].condition if query.source.has_channel and query.spread != "channel" else "true",
        choices.accounts[choice.account - 1].condition if choice.account else "true",
        choices.skills[choice.skill - 1].condition if choice.skill and query.has_skill else "true",
        f"{query.day} between date '{since}' and date '{period.until}'" if since else "true",
    ]
    return f"{head} where {' and '.join(conditions)} {tail}"


def selected(query: Query, cube: Columns, choices: Choices, choice: Choice) -> list[list[str]]:
    """The rows of a cube for what is chosen, as a table writes them."""
    rows = []
    period = choices.periods[choice.period]
    since = period.since and first_day(period.since, query.unit)
    for values in zip(*cube.values(), strict=True):
        row = dict(zip(cube, values, strict=True))
        fits = row.get("period", choice.period) == choice.period
        fits &= since is None or since <= row.get(query.day, since) <= str(period.until)
        fits &= query.spread == "channel" or row.get("channel", choice.channel) == choice.channel
        is_spread = query.spreads("account") and choice.account == ALL
        fits &= row["account"] != ALL if is_spread else row["account"] == choice.account
        if "skill" in row and query.spread != "flow":
            fits &= row["skill"] != ALL if query.spreads("skill") and choice.skill == ALL else row["skill"] == choice.skill
        if fits:
            row["type"] = choices.channels[row["channel"] - 1].name if row.get("channel") else ""
            row["account_id"] = choices.accounts[row["account"] - 1].name if row["account"] else ""
            row["skill_id"] = choices.skills[row["skill"] - 1].name if row.get("skill") else ""
            row["target_skill_id"] = choices.skills[row["target_skill"] - 1].name if row.get("target_skill") else ""
            if "agent_id" in row:
                row["agent_id"] = label(row["agent_id"], row["agent_name"])
            rows.append([format_cell(row, column) for column in query.columns])
    return rows


def browse(page: Path, profile: Path, width: int, fragment: str = "", *, is_dark: bool = False) -> tuple[Element, list[str]]:
    """Open a file in headless chromium; return the page after its scripts ran, and what they put on the console."""
    command = [
        str(BROWSER),
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
        *("--disable-background-networking", "--disable-component-update", "--enable-logging=stderr", "--dump-dom"),
        *(f"--user-data-dir={profile}", f"--window-size={width},1000", "--virtual-time-budget=10000"),
        f"--blink-settings=preferredColorScheme={0 if is_dark else 1}",
        page.as_uri() + fragment,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return read_page(done.stdout), [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def acting(page: Path, script: str) -> Path:
    """Write a page beside another one that runs a script of ours, too."""
    text = page.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    target = page.with_name("acting.html")
    allowed = text.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    target.write_text(f"{allowed}<script>{script}</script>", encoding="utf-8")
    return target
