"""What a reader does with the report in a real browser: sort, take a CSV, click a bar, follow the contents."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from made_lake import ACCOUNTS, make_lake, name_lake
from report_pages import HOSTILE, Element, acting, browse, cells, needs_browser, report

from pipeline.warehouse.library import set_rules
from pipeline.warehouse.rules import RuleRow, filled_up

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
        const files = [];
        HTMLAnchorElement.prototype.click = function () { files.push(this.download); };
        for (const name of ["by-account", "queue-by-day"]) {
          document.querySelector(`#${name} button.csv`).click();
          tell(name, await file.text());
        }
        tell("files", files);
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
        assert {(row["account_id"], row["account_name"]) for row in rows} == {(ACCOUNTS[0], "Shop"), (f"'{formula}", "")}
    assert told(page)["files"] == ["by-account-LIVE_CHAT-all.csv", "queue-by-day-LIVE_CHAT-all.csv"]


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
    assert found["address"] == f"#account={ACCOUNTS[0]}&skill=12"  # the bars are of skills in accounts
    assert found["rows"] == 1
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


def test_the_numbers_of_a_point_are_shown_around_it(tmp_path: Path) -> None:
    """A pointer ten pixels beside a point of a line shows the point's numbers."""
    page = done(
        tmp_path,
        """
        const drawing = document.querySelector("#service-level-by-day-0 svg");
        const dots = [...drawing.querySelectorAll(".mark-symbol path")].filter((path) => path.getAttribute("fill") !== "none");
        const seen = async (x, y) => {
          const at = document.elementFromPoint(x, y) ?? drawing;
          for (const kind of ["pointerover", "pointermove", "mousemove"]) {
            at.dispatchEvent(new PointerEvent(kind, { bubbles: true, clientX: x, clientY: y }));
          }
          await pause(100);
          const tip = document.getElementById("vg-tooltip-element");
          return tip?.classList.contains("visible") ? tip.textContent : "";
        };
        drawing.scrollIntoView({ block: "center" });
        await pause(100);
        const now = dots[0].getBoundingClientRect();
        const [x, y] = [now.left + now.width / 2, now.top + now.height / 2];
        tell("beside", await seen(x + 10, y));
        const box = document.getElementById("vg-tooltip-element").getBoundingClientRect();
        const inside = document.querySelector("#vg-tooltip-element table").getBoundingClientRect();
        tell("room", [inside.left >= box.left, inside.right <= box.right, box.width]);
        """,
        width=1200,
    )

    assert "Service level" in told(page)["beside"]
    assert told(page)["room"][:2] == [True, True], told(page)["room"]


def test_a_band_is_drawn_of_one_account_alone(tmp_path: Path) -> None:
    """Of several accounts the bands of scores would hide each other, so that only lines are drawn."""
    page = done(
        tmp_path,
        """
        const bands = () => document.querySelectorAll("#mcs-by-day-0 .mark-area path").length;
        tell("of two", bands());
        location.hash = `account=${data.accounts[0].key}`;
        await pause(50);
        await show();
        await drawing;
        tell("of one", bands());
        """,
    )

    assert told(page) == {"of two": 0, "of one": 1}


CONTRAST = """
const levels = (colour) => colour.match(/[0-9.]+/g).map(Number);
const light = ([red, green, blue]) => [red, green, blue]
  .map((part) => part / 255)
  .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
  .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
const behind = (element) => {
  for (let part = element; part; part = part.parentElement) {
    const colour = levels(getComputedStyle(part).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
document.querySelectorAll("details").forEach((part) => { part.open = true; });
document.querySelectorAll("[hidden]").forEach((part) => part.removeAttribute("hidden"));
const weak = new Set();
let count = 0;
for (const part of document.querySelectorAll("body *")) {
  if (["SCRIPT", "NOSCRIPT", "STYLE", "OPTION"].includes(part.tagName)) continue;
  if (![...part.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())) continue;
  if (part.closest("#transfers-0 .mark-text")) continue; // it stands on a field of a colour of its own, checked by eye
  const look = getComputedStyle(part);
  const isDrawn = part instanceof SVGElement;
  const share = isDrawn ? Number(look.opacity) * Number(look.fillOpacity) : 1;
  const back = behind(part);
  if (share === 0) continue; // a label that another one would cover is not drawn
  const pure = levels(isDrawn ? look.fill : look.color).slice(0, 3);
  const ink = pure.map((level, place) => share * level + (1 - share) * back[place]);
  const [more, less] = [light(ink), light(back)].sort((one, other) => other - one);
  const ratio = (more + 0.05) / (less + 0.05);
  count += 1;
  const named = [part.tagName, part.closest("[id]")?.id, part.textContent.trim().slice(0, 20), ratio.toFixed(2)];
  if (ratio < 4.5) weak.add(named.join(" "));
}
tell("weak", [...weak]);
tell("count", count);
"""


@pytest.mark.parametrize("is_dark", [False, True])
def test_every_text_can_be_read(tmp_path: Path, is_dark: bool) -> None:  # noqa: FBT001
    """Each text stands out from what is behind it by 4.5 to 1, as WCAG 2.2 level AA has it, in light and in dark."""
    database = make_lake(tmp_path, days=9, per_day=20)
    name_lake(database)
    with duckdb.connect(str(database)) as connection:
        rules = [RuleRow("service_level_target_percent", None, "1"), RuleRow("abandoned_target_percent", None, "0")]
        set_rules(connection, filled_up(rules))
    report(database)

    page, messages = browse(
        acting(tmp_path / "report.html", WHEN_DRAWN % CONTRAST), tmp_path / "profile", 1200, "#period=7-days", is_dark=is_dark
    )

    assert messages == []
    assert told(page)["count"] > 500
    assert told(page)["weak"] == []
