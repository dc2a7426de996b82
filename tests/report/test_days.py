"""Days that the reader chooses: the page counts from its rows what DuckDB counts for the periods that the page knows."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from made_lake import ACCOUNTS, make_lake, name_lake
from report_pages import HOSTILE, acting, browse, cells, data_of, needs_browser, read_page, report, written

from pipeline.errors import SettingsError
from pipeline.report import days, write_report
from pipeline.report.choices import read_choices
from pipeline.report.page import STATIC_ROWS

PAIRS = """
const told = document.createElement("pre");
told.id = "told";
const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));
const seen = async (named) => {
  const all = new URLSearchParams(named);
  history.replaceState(null, "", "#" + all.toString());
  await show();
  await drawing;
  const texts = {};
  const parts = "tbody tr, code, .nothing:not([hidden]), .unsplit:not([hidden])";
  document.querySelectorAll("figure").forEach((figure) => {
    texts[figure.id] = [...figure.querySelectorAll(parts)].map((part) => part.textContent);
  });
  document.querySelectorAll(".keys dd > div").forEach((part) => { texts[part.id] = part.textContent; });
  texts.provisional = document.getElementById("provisional").hidden;
  return texts;
};
(async () => {
  while (!document.body.dataset.drawn) await pause(20);
  const found = [];
  for (const choice of CHOICES_TO_TRY) {
    const { since: first, until: last } = data.days;
    for (const period of data.periods.slice(1, data.free).filter(({ since, until }) => first <= since && until <= last)) {
      const one = await seen({ ...choice, period: period.key });
      const other = await seen({ ...choice, period: `${period.since}..${period.until}` });
      const isMonth = /^[0-9]{4}-/.test(period.key); // the month before may have another length
      const isAlike = (name) => !isMonth || !/-(before|change)$/.test(name);
      const names = Object.keys(one).filter(isAlike);
      const differing = names.filter((name) => JSON.stringify(one[name]) !== JSON.stringify(other[name]));
      const both = differing.map((name) => [name, one[name], other[name]]);
      found.push({ period: period.key, choice, differing: both, count: names.length });
    }
  }
  told.textContent = JSON.stringify(found);
  document.body.append(told);
})();
"""


def compared(page: Path, profile: Path, choices: list[dict[str, str]]) -> list[dict[str, Any]]:
    """What differs between each period of the page and its days chosen freely, with each of the choices."""
    script = PAIRS.replace("CHOICES_TO_TRY", json.dumps(choices))
    seen, messages = browse(acting(page, script), profile, 1200)
    assert messages == []
    found: list[dict[str, Any]] = json.loads(seen.by_id("told").text)
    return found


WITH = """
const told = document.createElement("pre");
told.id = "told";
document.body.append(told);
const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));
const days = () => [form.elements.since.value, form.elements.until.value, document.getElementById("chosen").textContent];
(async () => {
  while (!document.body.dataset.drawn) await pause(20);
  const found = {};
  const change = async (name, value) => {
    form.elements[name].value = value;
    form.elements[name].dispatchEvent(new Event("change", { bubbles: true }));
    await pause(50); // the change of the address is an event of its own
    await show();
    await drawing;
  };
  ACTIONS
  told.textContent = JSON.stringify(found);
})();
"""


def acted(page: Path, profile: Path, actions: str) -> dict[str, Any]:
    """What `actions` found in the page, which put nothing on the console."""
    seen, messages = browse(acting(page, WITH.replace("ACTIONS", actions)), profile, 1200)
    assert messages == []
    found: dict[str, Any] = json.loads(seen.by_id("told").text)
    return found


@needs_browser
def test_agents_of_no_account_and_of_odd_names_are_counted(tmp_path: Path) -> None:
    """Agents without an account, or with a name that every object of JavaScript has, are drawn, on chosen days, too."""
    database = make_lake(tmp_path, accounts=(None, ACCOUNTS[0]), days=20, per_day=12)
    with duckdb.connect(str(database)) as connection:
        for table in ("conversations", "conversation_metrics", "segments", "responses"):
            connection.execute(
                f"update {table} set agent_id = 'constructor' where agent_id = (select min(agent_id) from {table})"
            )
        for table in ("conversations", "conversation_metrics"):  # one who is in no segment and gave no answer
            connection.execute(f"update {table} set agent_id = 'lonely' where hash(conversation_id) % 3 = 0")
    report(database)

    found = compared(tmp_path / "report.html", tmp_path / "profile", [{}, {"account": ACCOUNTS[0]}])

    assert [one for one in found if one["differing"]] == []
    page, messages = browse(tmp_path / "report.html", tmp_path / "other", 1200, "#period=2026-03-10..2026-03-12")
    assert messages == []
    assert any("lonely" in row[:2] for row in cells(page.by_id("agents-scores-table")))
    rows = cells(page.by_id("agents-table"))
    assert any(row[1].startswith("constructor") or row[0].startswith("constructor") for row in rows)
    assert len([part for part in page.by_id("agents-0").walk() if part.tag == "path"]) > len(rows)


@needs_browser
def test_other_days_are_chosen_in_the_form(tmp_path: Path) -> None:
    """The choice of other days shows two dates, at first all days; the page follows each, and the address keeps them."""
    report(make_lake(tmp_path, days=20, per_day=6))

    found = acted(
        tmp_path / "report.html",
        tmp_path / "profile",
        """
  found.isHidden = form.querySelector(".days").hidden;
  await change("period", String(data.free));
  found.all = days();
  await change("since", "2026-03-10");
  await change("until", "2026-03-12");
  found.some = days();
  found.address = location.hash;
  found.queries = document.getElementById("by-skill-sql").textContent;
  await change("since", "2026-03-15");
  found.turned = days();
  await change("since", "");
  found.empty = days();
  await change("period", "0");
  found.none = [form.querySelector(".days").hidden, location.hash];
        """,
    )

    assert found["isHidden"] is True
    assert found["all"][:2] == ["2026-03-02", "2026-03-21"]
    assert found["some"][:2] == ["2026-03-10", "2026-03-12"]
    assert "2026-03-10 to 2026-03-12" in found["some"][2]
    assert "Before: 2026-03-07 to 2026-03-09." in found["some"][2]
    assert found["address"] == "#period=2026-03-10..2026-03-12"
    assert "local_date between '2026-03-10' and '2026-03-12'" in found["queries"]
    assert found["turned"][:2] == ["2026-03-12", "2026-03-15"]
    assert found["empty"][:2] == ["2026-03-02", "2026-03-15"]
    assert found["none"] == [True, "#all"]


@needs_browser
def test_a_long_history_offers_the_newest_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page has the rows of the newest days alone, says so, and takes a day beyond them for the nearest that it has."""
    monkeypatch.setattr(days, "MOST_ROWS", 600)
    data = data_of(report(make_lake(tmp_path, days=40, per_day=20)))
    since, until = data["days"]["since"], data["days"]["until"]

    found = acted(
        tmp_path / "report.html",
        tmp_path / "profile",
        """
  location.hash = "period=2020-01-01..2030-01-01";
  await pause(50);
  await show();
  found.days = days();
  found.older = document.getElementById("older").hidden ? "" : document.getElementById("older").textContent;
  location.hash = "period=2026-04-09..2026-04-31";
  await pause(50);
  await show();
  found.impossible = days().slice(0, 2);
  for (const wrong of ["2026-99-99..2026-04-01", "1970-01-01..1970-01-01x", "2026-04-01", "..", "<b>..<i>"]) {
    location.hash = `period=${wrong}`;
    await pause(50);
    await show();
    found[wrong] = form.elements.period.value;
  }
        """,
    )

    assert "2026-03-02" < since < until == "2026-04-10"
    assert found.pop("days")[:2] == [since, until]
    assert f"from {since} on" in found.pop("older")
    assert found.pop("impossible") == ["2026-04-09", "2026-04-10"]
    assert set(found.values()) == {"0"}


@needs_browser
def test_a_report_opens_at_its_days(tmp_path: Path) -> None:
    """A report of chosen days has their tables in the file and in the page, and the choice of all days beside them."""
    database = make_lake(tmp_path, days=20, per_day=6)
    target = tmp_path / "report.html"
    with duckdb.connect(str(database), read_only=True) as connection:
        write_report(connection, target, days=(date(2026, 3, 9), date(2026, 3, 16)))
    served = read_page(target.read_text())

    page, messages = browse(target, tmp_path / "profile", 1200)

    assert messages == []
    assert "Chosen days (2026-03-09 to 2026-03-15)" in page.by_id("chosen").text
    assert "Before: 2026-03-02 to 2026-03-08." in page.by_id("chosen").text
    assert "of 2026-03-09 to 2026-03-15" in served.every("noscript")[0].text
    assert [option.text for option in page.by_id("choice").every("option") if "ays" in option.text][:2] == [
        "Chosen days",
        "All days",
    ]
    for table in [part for part in served.every("table") if part.attributes.get("id")]:
        name = str(table.attributes["id"])
        assert cells(page.by_id(name))[:STATIC_ROWS] == cells(table), name
        sql = name.replace("-table", "-sql")
        assert page.by_id(sql).text == served.by_id(sql).text
        if name != "source-hours-table":
            assert cells(table) == written(database, served.by_id(sql).text), name
    entries = "select count(*) from local_named_entries where type = 'LIVE_CHAT' and not is_bot"
    [[count]] = written(database, f"{entries} and local_date between '2026-03-09' and '2026-03-15'")
    assert served.by_id("key-entries").text == page.by_id("key-entries").text == count


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ((date(2026, 3, 4), None), ("2026-03-04", "2026-03-11")),
        ((None, date(2026, 3, 4)), ("2026-03-02", "2026-03-03")),
        ((date(1, 1, 1), date(9999, 12, 31)), ("2026-03-02", "2026-03-11")),
        ((date(2026, 3, 11), date(2026, 3, 12)), ("2026-03-11", "2026-03-11")),
        ((date(2026, 3, 12), None), None),
        ((None, date(2026, 3, 2)), None),
        ((None, date(1, 1, 1)), None),
        ((date(9999, 12, 31), None), None),
    ],
)
def test_days_that_the_lake_lacks(tmp_path: Path, chosen: Any, found: tuple[str, str] | None) -> None:
    """Chosen days are those that the lake has of them; with none of them no report is written, and a sentence says why."""
    with duckdb.connect(str(make_lake(tmp_path, days=10, per_day=2)), read_only=True) as connection:
        if found is None:
            with pytest.raises(
                SettingsError, match="expected days from 2026-03-02 to 2026-03-11, which the lake has, found none"
            ):
                write_report(connection, tmp_path / "report.html", days=chosen)
            assert not (tmp_path / "report.html").exists()
        else:
            assert read_choices(connection, chosen).periods[0][2:4] == found


def test_the_rows_of_hostile_names_are_numbers(tmp_path: Path) -> None:
    """No text of the lake is in the rows of the page; those of agents are in its data, readable."""
    database = make_lake(tmp_path, accounts=HOSTILE, days=3, per_day=9)
    page = report(database)
    described = data_of(page)["days"]

    assert described["isWhole"] is True
    assert {kind for table in described["tables"].values() for kind in table["kinds"]} <= {"byte", "integer", "double"}
    assert described["agents"]
    assert all(text.isprintable() for agent in described["agents"] for text in agent[:2] if text)


@needs_browser
def test_days_that_the_page_counts_are_those_that_duckdb_counts(tmp_path: Path) -> None:
    """Each table, SQL and key figure of a period is the same if its days are chosen by hand, whatever else is chosen."""
    database = make_lake(tmp_path, days=70, per_day=9)
    name_lake(database)
    served = report(database)
    data = data_of(served)
    account, skill = data["accounts"][1]["key"], data["skills"][2]["key"]
    choices = [
        {},
        {"account": account, "skill": skill},
        {"channel": data["channels"][1]["key"], "skill": data["skills"][0]["key"]},
    ]

    found = compared(tmp_path / "report.html", tmp_path / "profile", choices)

    assert {one["period"] for one in found} == {"7-days", "28-days", "2026-04"}
    assert len(found) == len(choices) * 3
    assert min(one["count"] for one in found) > 50
    assert [one for one in found if one["differing"]] == []
