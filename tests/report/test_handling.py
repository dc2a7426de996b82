"""What a reader does with the report in a real browser: sort, take a CSV, click a bar, follow the contents."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from made_lake import ACCOUNTS, make_lake, name_lake
from report_pages import HOSTILE, Element, acting, browse, cells, needs_browser, report

pytestmark = needs_browser

WHEN_DRAWN = """
const told = document.createElement("pre");
told.id = "told";
const found = {};
const tell = (name, value) => { found[name] = value; told.textContent = JSON.stringify(found); };
const drawnOnce = () => new Promise((resolve) => {
  const wait = setInterval(() => {
    if (document.body.dataset.drawn !== "yes") return;
    clearInterval(wait);
    resolve();
  }, 50);
});
const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));
document.body.append(told);
drawnOnce().then(async () => { %s });
"""


def done(tmp_path: Path, script: str, *, accounts: tuple[str, ...] = ACCOUNTS, width: int = 1200, **named: Any) -> Element:
    """The page after a script, without a word on the console."""
    database = make_lake(tmp_path, accounts=accounts, days=9, per_day=40, **named)
    name_lake(database, accounts)
    report(database)
    page, messages = browse(acting(tmp_path / "report.html", WHEN_DRAWN % script), tmp_path / "profile", width)
    assert messages == []
    return page


def told(page: Element) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(page.by_id("told").text)
    return found


def test_a_heading_sorts_its_table(tmp_path: Path) -> None:
    """Numbers the largest first, then the other way, then as before; a text by the alphabet; no value stands last."""
    page = done(
        tmp_path,
        """
        const lines = () => [...document.querySelectorAll("#agents-table tbody tr")];
        const column = (place) => lines().map((row) => row.children[place].textContent);
        const button = (place) => document.querySelectorAll("#agents-table thead th button")[place];
        tell("before", column(2));
        button(2).click(); tell("descending", column(2)); tell("said", button(2).parentElement.ariaSort);
        button(2).click(); tell("ascending", column(2));
        button(2).click(); tell("after", column(2));
        button(0).click(); tell("names", column(0));
        document.getElementById("choice").reset();
        await drawnOnce();
        tell("kept", column(0));
        """,
    )
    found = told(page)
    numbers = [float(text.replace(",", "")) for text in found["before"]]
    assert len(set(numbers)) > 2
    assert [float(text.replace(",", "")) for text in found["descending"]] == sorted(numbers, reverse=True)
    assert [float(text.replace(",", "")) for text in found["ascending"]] == sorted(numbers)
    assert found["after"] == found["before"]
    assert found["said"] == "descending"
    assert found["names"] == sorted(found["names"], key=str.lower) == found["kept"]


def test_a_charts_numbers_come_as_csv(tmp_path: Path) -> None:
    """Those of the choice, as numbers; a name that a spreadsheet would take for a formula gets an apostrophe."""
    formula = '=1+1,"x"'
    page = done(
        tmp_path,
        """
        let file;
        const made = URL.createObjectURL;
        URL.createObjectURL = (blob) => { file = blob; return "#"; };
        for (const name of ["by-account", "queue-by-day"]) {
          document.querySelector(`#${name} button.csv`).click();
          tell(name, await file.text());
        }
        """,
        accounts=(ACCOUNTS[0], formula),
    )
    for name, first in (("by-account", "account_id"), ("queue-by-day", "local_date")):
        rows = list(csv.DictReader(io.StringIO(told(page)[name].removeprefix("\ufeff"))))
        shown = cells(page.by_id(f"{name}-table"))
        assert len(rows) == len(shown) > 1
        assert next(iter(rows[0])) == first
        assert [int(row["entry_count"]) for row in rows] == [
            int(line[1 if name == "by-account" else 2].replace(",", "")) for line in shown
        ]
        assert {row["account_id"] for row in rows} == {f"Shop ({ACCOUNTS[0]})", f"'{formula}"}


def test_a_click_on_a_bar_chooses_its_skill_and_a_second_one_takes_it_back(tmp_path: Path) -> None:
    """As the select does, in the address, too."""
    page = done(
        tmp_path,
        """
        const bar = () => document.querySelector("#by-skill-0 .mark-rect path");
        const click = () => {
          const { x, y } = bar().getBoundingClientRect();
          bar().dispatchEvent(new MouseEvent("click", { bubbles: true, clientX: x + 2, clientY: y + 2 }));
        };
        click();
        await pause(200); await drawnOnce();
        tell("skill", document.getElementById("choice").elements.skill.selectedOptions[0].textContent);
        tell("address", location.hash);
        tell("rows", document.querySelectorAll("#by-skill-table tbody tr").length);
        click();
        await pause(200); await drawnOnce();
        tell("again", document.getElementById("choice").elements.skill.value);
        """,
    )
    found = told(page)
    assert found["skill"] != "All skills"
    assert found["address"].startswith("#skill=")
    assert found["rows"] == len(ACCOUNTS)
    assert found["again"] == "0"


def test_the_contents_lead_to_a_section_and_keep_the_choice(tmp_path: Path) -> None:
    """The address has the choice only; the section gets the focus and its link is marked."""
    page = done(
        tmp_path,
        """
        location.hash = "skill=27";
        await pause(200); await drawnOnce();
        const links = [...document.querySelectorAll("nav a")];
        tell("sections", links.map((link) => link.textContent));
        links.at(-1).click();
        await pause(300);
        tell("address", location.hash);
        tell("focus", document.activeElement.textContent);
        tell("current", [...document.querySelectorAll("nav a[aria-current]")].map((link) => link.textContent));
        """,
    )
    found = told(page)
    assert found["sections"] == [section.every("h2")[0].text for section in page.every("section")]
    assert found["address"] == "#skill=27"
    assert found["focus"] == "Pipeline health"
    assert len(found["current"]) == 1


@pytest.mark.parametrize("accounts", [ACCOUNTS, HOSTILE[:2]])
def test_each_key_figure_has_the_line_of_its_days(tmp_path: Path, accounts: tuple[str, ...]) -> None:
    """One for each account, dashed where days are provisional."""
    page = done(tmp_path, "", accounts=accounts)
    for name in ("entries", "p50", "p90", "service-level", "abandoned", "first-reply", "mcs"):
        paths = page.by_id(f"key-{name}-line").every("path")
        assert {path.attributes["stroke"] for path in paths} == {"var(--series-1)", "var(--series-2)"}, name
        assert {path.attributes["class"] for path in paths} == {"", "marked"}, name
        assert all("NaN" not in str(path.attributes["d"]) for path in paths)
