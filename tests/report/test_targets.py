"""Targets of settings.csv: the report says whether a figure meets its own, and draws it."""

import json
from pathlib import Path

import duckdb
import pytest
from made_lake import ACCOUNTS, make_lake
from report_pages import Element, acting, browse, needs_browser, report

from pipeline.report.targets import TARGETS
from pipeline.warehouse.library import set_rules
from pipeline.warehouse.rules import RuleRow, filled_up

SEEN = """
const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));
(async () => {
  while (!document.body.dataset.drawn) await pause(20);
  const found = {};
  for (const account of ["", ...data.accounts.map((option) => option.key)]) {
    location.hash = account ? `account=${account}` : "all";
    await pause(50);
    await show();
    await drawing;
    const targets = [...document.querySelectorAll(".keys .target")].filter((part) => part.textContent);
    const words = [...document.querySelectorAll(".note")].filter((part) => part.textContent.includes("Dotted: the target, "));
    found[account] = {
      said: targets.map((part) => [part.id, part.textContent, part.className]),
      drawn: words.map((part) => part.closest(".panel").id),
    };
  }
  const told = document.createElement("pre");
  told.id = "told";
  told.textContent = JSON.stringify(found);
  document.body.append(told);
})();
"""


def lake_with(folder: Path, values: dict[str, float], account: str | None = None) -> Path:
    """A lake whose account, or all, have these targets."""
    database = make_lake(folder, days=9, per_day=20)
    with duckdb.connect(str(database)) as connection:
        set_rules(connection, filled_up(RuleRow(name, account, str(value)) for name, value in values.items()))
    return database


def said(page: Element, name: str) -> str:
    """The words on the target of a key figure, in the file as it was written."""
    return page.by_id(f"key-{name}-target").text


def figure(database: Path, measure: str) -> float:
    """The figure of live chats of people, from the facts alone."""
    queries = {
        "service-level": "avg((outcome = 'answered' and wait_milliseconds <= 30000)::int) "
        "filter (where outcome = 'answered' or wait_milliseconds >= 5000) "
        "from queue_entries where outcome in ('answered', 'abandoned')",
        "abandoned": "avg((outcome = 'abandoned')::int) from queue_entries where outcome in ('answered', 'abandoned')",
    }
    with duckdb.connect(str(database), read_only=True) as connection:
        [[value]] = connection.execute(f"select {queries[measure]} and type = 'LIVE_CHAT'").fetchall()
    return float(value)


def test_a_figure_that_equals_its_target_meets_it(tmp_path: Path) -> None:
    """At least and at most take the target itself; a hundredth of a percent beyond it is missed."""
    database = lake_with(tmp_path, {})
    level, abandoned = 100 * figure(database, "service-level"), 100 * figure(database, "abandoned")
    for change, words in ((0, ("met", "met")), (0.01, ("missed", "met")), (-0.01, ("met", "missed"))):
        folder = tmp_path / str(change)
        folder.mkdir()
        values = {"service_level_target_percent": level + change, "abandoned_target_percent": abandoned + change}
        page = report(lake_with(folder, values))

        assert said(page, "service-level").endswith(f": {words[0]}")
        assert said(page, "abandoned").endswith(f": {words[1]}")
    assert said(page, "service-level").startswith("target \u2265 ")
    assert said(page, "abandoned").startswith("target \u2264 ")


def test_without_targets_nothing_is_said(tmp_path: Path) -> None:
    """A lake whose settings.csv has no target says nothing of one, nor of one that only some accounts have."""
    page = report(lake_with(tmp_path, {"service_level_target_percent": 80}, ACCOUNTS[1]))

    assert {part.text for part in page.walk() if "target" in (part.attributes.get("class") or "").split()} == {""}


@needs_browser
@pytest.mark.parametrize("width", [1200, 390])
def test_targets_are_drawn_for_the_account_that_has_them(tmp_path: Path, width: int) -> None:
    """An account's own targets stand beside its figures and in its charts, not beside those of all accounts."""
    values = {target.setting: 50.0 for target in TARGETS}
    report(lake_with(tmp_path, values, ACCOUNTS[1]))

    page, messages = browse(acting(tmp_path / "report.html", SEEN), tmp_path / "profile", width)
    found = json.loads(page.by_id("told").text)

    assert messages == []
    assert found[ACCOUNTS[0]] == {"said": [], "drawn": []}
    assert {text for _, text, _ in found[""]["said"]} == {"targets differ: choose an account"}
    assert found[""]["drawn"] == []
    own = found[ACCOUNTS[1]]
    assert [name for name, *_ in own["said"]] == [
        f"key-{name}-target" for name in ("p90", "service-level", "abandoned", "first-reply", "mcs")
    ]
    assert all(text.endswith(": met") == looks.endswith(" met") for _, text, looks in own["said"])
    assert all(text.endswith(": missed") == looks.endswith(" missed") for _, text, looks in own["said"])
    panels = ["queue-by-day-2", "service-level-by-day-0", "service-level-by-day-1", "mcs-by-day-0", "response-by-day-0"]
    assert own["drawn"] == panels
