"""The report in a real browser: charts, choices, and nothing on the console. Without chromium on PATH these are skipped."""

import re
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import duckdb
from made_lake import ACCOUNTS, make_lake, name_lake
from report_pages import HOSTILE, Element, acting, browse, cells, data_of, needs_browser, report, written

from pipeline.report.choices import printable_literal
from pipeline.report.formatting import MISSING, format_duration
from pipeline.report.page import BOTS_SKILL, STATIC_ROWS
from pipeline.report.style import FEW_CASES
from pipeline.schema import FACTS
from pipeline.text import rounded

pytestmark = needs_browser

ACT = """
const choice = document.getElementById("choice");
const before = document.createElement("p");
before.id = "before";
const wait = setInterval(() => {
  if (document.body.dataset.drawn !== "yes") return;
  clearInterval(wait);
  before.textContent = document.getElementById("chosen").textContent;
  document.body.append(before);
  choice.elements.channel.value = "1";
  choice.elements.lines.value = "1";
  choice.elements.skill.value = "2";
  choice.elements.skill.dispatchEvent(new Event("change", { bubbles: true }));
}, 50);
"""

MEASURE = """
const wait = setInterval(() => {
  if (document.body.dataset.drawn !== "yes") return;
  clearInterval(wait);
  document.querySelectorAll("details").forEach((part) => { part.open = true; });
  const found = [];
  const isWide = (part) => part.scrollWidth > part.clientWidth + 1;
  if (isWide(document.documentElement)) found.push("page");
  document.querySelectorAll(".scroll").forEach((part) => isWide(part) && found.push(`table ${part.ariaLabel}`));
  document.querySelectorAll(".panel").forEach((panel) => panel.querySelectorAll("svg text").forEach((text) => {
    const [own, all] = [text, panel].map((part) => part.getBoundingClientRect());
    if (own.width && (own.left < all.left - 1 || own.right > all.right + 1)) found.push(`${panel.id} ${text.textContent}`);
  }));
  const ticks = [...document.querySelectorAll("#queue-by-day-0 .role-axis")].map((axis) => axis.textContent);
  const told = document.createElement("pre");
  told.id = "measured";
  told.textContent = found.join("\\n");
  told.dataset.ticks = ticks.join("|");
  document.body.append(told);
}, 50);
"""


def figures(page: Element) -> list[str]:
    """The names of all charts of the page."""
    return [
        str(figure.attributes["id"]) for figure in page.every("figure") if figure.attributes["id"] not in {"freshness", "runs"}
    ]


def assert_drawn(page: Element, width: int) -> None:
    """Every drawing that is shown has marks and fits the window; every chart with rows has one."""
    assert page.every("body")[0].attributes["data-drawn"] == "yes"
    for figure in page.every("figure"):
        panels = [panel for panel in figure.walk() if panel.attributes.get("class") == "panel"]
        shown = [panel for panel in panels if "hidden" not in panel.attributes]
        assert bool(shown) == bool(panels and cells(figure.every("table")[0])), figure.attributes["id"]
        for panel in shown:
            [drawing] = panel.every("svg")
            marks = [
                mark for mark in drawing.walk() if re.match(r"mark-(rect|line|symbol|area)", mark.attributes.get("class") or "")
            ]
            assert any(mark.every("path") for mark in marks), panel.attributes["id"]
            assert 200 < float(drawing.attributes["width"] or 0) < width, panel.attributes["id"]


def assert_weeks_are_marked(page: Element, database: Path) -> None:
    """Each week of a table by weeks has the words for its days that are there, as the view weeks has it; a legend says them."""
    with duckdb.connect(str(database), read_only=True) as connection:
        found = connection.execute(
            "select local_week::varchar, account_id, day_count, expected_day_count, is_provisional from weeks"
        ).fetchall()
    expected = {
        (week, account): [f"{count} of {days} days"] * (count < days) + ["provisional"] * is_provisional
        for week, account, count, days, is_provisional in found
    }
    rows = page.by_id("queue-by-day-table").every("tr")[1:]
    for row in rows:
        week, account = row.children[0], re.sub(r"^.* \((.*)\)$", r"\1", row.children[1].text)
        mark = ", ".join(expected[week.text, account])
        assert week.attributes.get("data-mark") == (f" ({mark})" if mark else None)
    assert any("of 7 days" in (row.children[0].attributes.get("data-mark") or "") for row in rows)
    [legend] = [part for part in page.by_id("queue-by-day").every("p") if part.attributes.get("class") == "marks"]
    assert "hidden" not in legend.attributes


def test_everything_is_drawn_as_written(tmp_path: Path) -> None:
    """A wide window draws every chart of hostile names without a word on the console, and makes the very tables of the file."""
    database = make_lake(tmp_path, accounts=HOSTILE, days=3, per_day=20)
    with duckdb.connect(str(database)) as connection:
        connection.execute("insert into skill_names select unnest(?), 12, ?, false, null", [HOSTILE, HOSTILE[0]])
        connection.execute("insert into skill_names select unnest(?), 31, 'Bot', true, null", [HOSTILE])
    served = report(database)
    page, messages = browse(tmp_path / "report.html", tmp_path / "profile", 1200)

    assert messages == []
    assert_drawn(page, 1200)
    assert page.every("img") == []
    for name in figures(served):
        shown, written_rows = (cells(one.by_id(f"{name}-table")) for one in (page, served))
        assert written_rows == (shown if len(shown) <= STATIC_ROWS else shown[:STATIC_ROWS]), name
        assert page.by_id(f"{name}-sql").text == served.by_id(f"{name}-sql").text, name
    for key in data_of(served)["keys"]:
        assert page.by_id(f"key-{key['name']}").text == served.by_id(f"key-{key['name']}").text
        assert page.by_id(f"key-{key['name']}-basis").text == served.by_id(f"key-{key['name']}-basis").text


def test_choice_in_the_address(tmp_path: Path) -> None:
    """A link with account, skill and period shows their numbers in every table as DuckDB counts them; in a narrow window."""
    hostile = HOSTILE[2]
    database = make_lake(tmp_path, accounts=(ACCOUNTS[0], hostile), days=20, per_day=30)
    name_lake(database, (ACCOUNTS[0], hostile))
    with duckdb.connect(str(database)) as connection:
        for table in ("conversations", *FACTS):
            connection.execute(f"delete from {table} where date = '2026-03-17'")
    report(database)
    shown_name = hostile.replace("\u2028", "\ufffd")
    fragment = f"#channel=MESSAGING&account={quote(shown_name)}&skill=27&period=7-days"
    page, messages = browse(tmp_path / "report.html", tmp_path / "profile", 500, fragment)

    assert messages == []
    assert_drawn(page, 500)
    account = f"account_id = {printable_literal(hostile)} and type = 'MESSAGING'"
    conditions = f"{account} and skill_id = 27 and date >= date '2026-03-15'"
    [[count]] = written(database, f"select count(*) as conversation_count from conversations where {conditions}")
    [[bots]] = written(database, f"select count(*) as bot_count from named_conversations where {conditions} and is_bot")
    assert page.by_id("chosen").text == (
        f"MESSAGING, account {shown_name}, skill 27, Last 7 days (2026-03-15 to 2026-03-21): {count} conversations, "
        f"{bots} of which bots had last. "
        "Before: 2026-03-08 to 2026-03-14. The two are not alike, since days of this period are provisional."
    )
    former = f"{account} and skill_id = 27 and not is_bot and date between '2026-03-08' and '2026-03-14'"
    share = "select avg((outcome = 'abandoned')::int) as abandoned_share, count(*) as entry_count from named_entries"
    [[abandoned, n]] = written(database, f"{share} where {former} and outcome in ('abandoned', 'answered')")
    shown = page.by_id("key-abandoned-before").text
    assert shown.startswith(f"before: {abandoned}, ")
    assert shown.endswith(f"n = {n}")
    change = page.by_id("key-abandoned-change").text
    points = r"[+\u2212][\d.]+"
    assert re.fullmatch(
        rf"change: {points} points, 95 % from {points} to {points}, not judged, since the two are not alike", change
    )
    assert page.by_id("key-p50-change").text == ""
    for name in figures(page):
        assert cells(page.by_id(f"{name}-table")) == written(database, page.by_id(f"{name}-sql").text), name
    by_day = "select date, account_id, entry_count from queue_by_skill_daily"
    expected = written(database, f"{by_day} where {conditions} and not is_bot order by date")
    assert len(expected) == 6
    assert [row[:3] for row in cells(page.by_id("queue-by-day-table"))] == expected
    lines = [mark for mark in page.by_id("queue-by-day-0").walk() if "mark-line" in (mark.attributes.get("class") or "")]
    drawn = [path.attributes for line in lines for path in line.every("path")]
    assert {(re.sub("[^ML]", "", path["d"] or ""), path.get("stroke-dasharray")) for path in drawn} == {
        ("MLM", "1,0"),  # it ends where a day is missing
        ("MLLL", "4,4"),  # dashed from the last day that is not provisional
    }
    unsplit = [part for part in page.by_id("agents").every("p") if part.attributes.get("class") == "unsplit"]
    assert "hidden" not in unsplit[0].attributes


def test_a_skill_of_a_bot_shows_figures_of_bots(tmp_path: Path) -> None:
    """With a bot's skill chosen each key figure is that of bots, with the counts of the facts; a sentence tells so."""
    database = make_lake(tmp_path, days=9, per_day=20)
    name_lake(database)
    report(database)
    page, messages = browse(tmp_path / "report.html", tmp_path / "profile", 500, "#skill=31")

    bot = "type = 'LIVE_CHAT' and skill_id = 31"
    entries = "select count(*) as conversation_count from named_entries"
    [[queued]] = written(database, f"{entries} where {bot} and is_bot and answered_milliseconds is not null")
    [[scored]] = written(database, f"select count(mcs) as conversation_count from named_conversations where {bot} and is_bot")
    assert messages == []
    assert page.by_id("key-p50-basis").text == f"bots: n = {queued} answered"
    assert page.by_id("key-mcs-basis").text == f"bots: n = {scored} scored"
    assert "0" not in (queued, scored)
    assert page.by_id("key-mcs").text not in ("", MISSING)
    assert page.by_id("key-mcs-bots").text == ""
    assert BOTS_SKILL in page.by_id("chosen").text
    assert_drawn(page, 500)


def test_choice_by_hand(tmp_path: Path) -> None:
    """An address that names nothing of the lake chooses everything; a select that is changed shows its choice, by week too."""
    database = make_lake(tmp_path, days=9, per_day=20)
    name_lake(database)
    report(database)
    target = acting(tmp_path / "report.html", ACT)
    fragment = "#account=%3Cimg%20src%3Dx%3E&skill=__proto__&period=constructor&%ff=%"
    page, messages = browse(target, tmp_path / "profile", 800, fragment)

    assert messages == []
    assert page.every("img") == []
    counted = "select count(*) as conversation_count from conversations where type ="
    [[every]] = written(database, f"{counted} 'LIVE_CHAT'")
    [[some]] = written(database, f"{counted} 'MESSAGING' and skill_id = 12")
    bots = "select count(*) as bot_count from named_conversations where is_bot and type ="
    [[every_bot]], [[some_bots]] = (
        written(database, f"{bots} 'LIVE_CHAT'"),
        written(database, f"{bots} 'MESSAGING' and skill_id = 12"),
    )
    told = [
        f"{count} conversations, {of_bots} of which bots had last."
        for count, of_bots in ((every, every_bot), (some, some_bots))
    ]
    assert page.by_id("before").text == f"LIVE_CHAT, all accounts, all skills, All days: {told[0]}"
    assert page.by_id("chosen").text == f"MESSAGING, all accounts, skill Sales (12), All days: {told[1]}"
    assert_weeks_are_marked(page, database)
    assert {row[1] for row in cells(page.by_id("mcs-by-skill-table"))} == {"Sales (12)"}
    assert page.by_id("bot-entries-by-day-table").every("th")[0].text == "Week of"
    for name in figures(page):
        assert cells(page.by_id(f"{name}-table")) == written(database, page.by_id(f"{name}-sql").text), name
    assert_drawn(page, 800)


def test_the_change_of_a_share_is_that_of_the_views(tmp_path: Path) -> None:
    """Between whole months the change has the interval of change_monthly, and its word; else the reason for none."""
    database = make_lake(tmp_path, accounts=ACCOUNTS[:1], days=95, per_day=8)
    report(database)
    page, messages = browse(tmp_path / "report.html", tmp_path / "profile", 800, "#period=2026-05")
    cut, _ = browse(tmp_path / "report.html", tmp_path / "profile", 800, "#period=2026-04")

    assert messages == []
    with duckdb.connect(str(database), read_only=True) as connection:
        found = connection.execute(
            "select measure, change, change_low, change_high, is_clear from change_monthly "
            "where local_month = '2026-05-01' and type = 'LIVE_CHAT' and measure in ('service_level', 'abandoned')"
        ).fetchall()
    assert re.fullmatch(r"change: [+\u2212][\d.]+ %", page.by_id("key-entries-change").text)
    assert re.fullmatch(r"change: [+\u2212][\d.]+", page.by_id("key-mcs-change").text)
    assert len(found) == 2
    for measure, *changes, is_clear in found:
        change, low, high = (f"{100 * value:+.1f}".replace("-", "\u2212") for value in changes)
        name = measure.replace("_", "-")
        word = "clear" if is_clear else "not clear"
        assert page.by_id(f"key-{name}-change").text == f"change: {change} points, 95 % from {low} to {high}, {word}"
        assert cut.by_id(f"key-{name}-change").text.endswith(", not judged, since the two are not alike")
    assert cut.by_id("chosen").text.endswith("The two are not alike, since the period before has 29 of 31 whole days.")


def test_a_day_far_beyond_the_others_is_told(tmp_path: Path) -> None:
    """An axis of times ends where nine in ten days lie; a day far beyond is a triangle at its end, and a sentence tells it."""
    database = make_lake(tmp_path, accounts=ACCOUNTS[:1], days=20, per_day=30)
    with duckdb.connect(str(database)) as connection:
        connection.execute("update queue_entries set wait_milliseconds = 100 * wait_milliseconds where date = '2026-03-10'")
    report(database)
    page, messages = browse(tmp_path / "report.html", tmp_path / "profile", 1200)

    assert messages == []
    p90 = "select quantile_cont(answered_milliseconds, 0.9) / 1000 from named_entries where not is_bot and date ="
    with duckdb.connect(str(database), read_only=True) as connection:
        [(value,)] = connection.execute(f"{p90} '2026-03-10'").fetchall()
    panel = page.by_id("queue-by-day-2")
    assert [part.text for part in panel.every("p")] == [
        f"Beyond the axis, as triangles or crosses at its end: 1 day, up to {format_duration(rounded(value, 1))} (2026-03-10)."
    ]
    labels = [float(part.text.replace(",", "")) for part in panel.every("text") if re.fullmatch(r"[\d.,]+", part.text)]
    assert max(labels) < value / 60 / 10
    steps = [round(after - before, 6) for before, after in pairwise(labels)]
    assert len(set(steps)) == 1  # an axis of even distances


def test_fields_of_few_cases_are_empty(tmp_path: Path) -> None:
    """An hour of the week whose wait rests on fewer than ten entries is a rim without colour, no other is; tips have n."""
    database = make_lake(tmp_path, accounts=ACCOUNTS[:1], days=9, per_day=250)
    report(database)
    page, messages = browse(tmp_path / "report.html", tmp_path / "profile", 1200)

    assert messages == []
    rows = [row for row in cells(page.by_id("queue-by-hour-of-week-table")) if row[3] != MISSING]
    few = sum(int(row[2].replace(",", "")) < FEW_CASES for row in rows)
    drawn = [
        mark for mark in page.by_id("queue-by-hour-of-week-0").walk() if "mark-rect" in (mark.attributes.get("class") or "")
    ]
    fields = [path for mark in drawn for path in mark.every("path")]
    assert len(fields) == len(rows)
    assert sum(path.attributes.get("fill") == "transparent" for path in fields) == few
    assert 0 < few < len(rows)
    [chart] = [chart for chart in data_of(report(database))["charts"] if chart["name"] == "queue-by-hour-of-week"]
    tips = chart["panels"][0]["spec"]["encoding"]["tooltip"]
    assert {"field": "texts.queued_count", "type": "nominal", "title": "Answered, n of the wait"} in tips


def test_nothing_is_cut_in_a_narrow_window(tmp_path: Path) -> None:
    """On a phone every column of every table and every word of every drawing is seen; charts by week say their weeks."""
    database = make_lake(tmp_path, accounts=ACCOUNTS, days=20, per_day=30)
    name_lake(database)
    report(database)
    target = acting(tmp_path / "report.html", MEASURE)
    page, messages = browse(target, tmp_path / "profile", 390, "#lines=weeks")

    assert messages == []
    measured = page.by_id("measured")
    assert measured.text.splitlines() == []
    assert "2 Mar" in str(measured.attributes["data-ticks"])
    fields = page.by_id("by-skill-table").every("td")
    assert fields
    assert all(field.attributes["data-label"] for field in fields)
