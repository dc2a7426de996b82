"""Reads a written report as a browser would, for the tests of the report."""

import base64
import gzip
import json
import shutil
import subprocess
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipeline.report import write_report
from pipeline.report.choices import NO_ACCOUNT, NO_SKILL, readable
from pipeline.report.cubes import read_rows
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
    """The data of the page's script."""
    return unpacked(page.by_id("data").text)


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
    """The rows of a query as a table of the page writes them."""
    with duckdb.connect(str(database), read_only=True) as connection:
        rows = read_rows(connection, sql)
    for row in rows:
        for column in row.keys() & {"account_id", "skill_id", "target_skill_id"}:
            missing = NO_ACCOUNT if column == "account_id" else NO_SKILL
            row[column] = missing if row[column] is None else readable(str(row[column]))
    return [[format_cell(row, column) for column in row] for row in rows]


def browse(page: Path, profile: Path, width: int, fragment: str = "") -> tuple[Element, list[str]]:
    """Open a file in headless chromium; return the page after its scripts ran, and what they put on the console."""
    command = [
        str(BROWSER),
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
        *("--disable-background-networking", "--disable-component-update", "--enable-logging=stderr", "--dump-dom"),
        *(f"--user-data-dir={profile}", f"--window-size={width},1000", "--virtual-time-budget=10000"),
        page.as_uri() + fragment,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return read_page(done.stdout), [line for line in done.stderr.splitlines() if "CONSOLE" in line]
