"""The report's page: one file that needs nothing else, and lets no text of the data become markup."""

import base64
import hashlib
import math
import re
import stat
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from made_lake import ACCOUNTS, FIRST_DAY, compute_facts, make_lake, name_lake, write_lake
from report_pages import HOSTILE, Element, data_of, report, rows_of, unpacked

from pipeline.errors import OutputError, SettingsError
from pipeline.lake.lake import Lake
from pipeline.report import chosen_path, write_report
from pipeline.report.charts import charts
from pipeline.report.choices import NO_ACCOUNT, Choices, Option
from pipeline.report.cubes import _wired
from pipeline.report.formatting import format_duration
from pipeline.report.style import CONFIG

LIMIT_BYTES = 2_300_000
CHARTS = charts(Choices((), (Option("a", ""), Option("b", "")), (), (), has_bots=True), "Service level: X.")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two accounts, two weeks, with names and bots."""
    path = make_lake(tmp_path_factory.mktemp("lake"))
    name_lake(path)
    return path


@pytest.fixture(scope="module")
def page(lake: Path) -> Element:
    """The report on `lake`."""
    return report(lake)


def test_nothing_is_loaded(page: Element) -> None:
    """No element and no style of the page names a resource outside of it."""
    named = [
        value
        for element in page.walk()
        for name, value in element.attributes.items()
        if name in {"src", "srcset", "href", "action", "data", "poster", "background"} and not str(value).startswith("#")
    ]

    assert named == ["data:,"]
    assert not re.search(r"url\(|@import", "".join(style.text for style in page.every("style")))
    assert not page.every("iframe") + page.every("object") + page.every("embed")


def test_policy_allows_the_two_scripts_and_no_loads(page: Element) -> None:
    """The page's own policy lets a browser run exactly its scripts, by digest, and fetch nothing."""
    policy = next(meta.attributes["content"] for meta in page.every("meta") if "http-equiv" in meta.attributes)
    scripts = [script.text.encode() for script in page.every("script") if "type" not in script.attributes]
    digests = {f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'" for script in scripts}

    directives = dict(part.split(maxsplit=1) for part in (policy or "").split("; "))
    assert len(scripts) == 2
    assert set(directives["script-src"].split()) == digests
    assert directives["default-src"] == "'none'"


def test_text_from_data_stays_text(tmp_path: Path) -> None:
    """A name that looks like markup, a script's end or a template is shown letter by letter and adds no element."""
    page = report(make_lake(tmp_path, accounts=HOSTILE, days=3, per_day=20))

    assert len(page.every("script")) == 5  # three of data
    assert page.every("img") == []
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", page.by_id("data").text)
    assert "onerror" not in {name for element in page.walk() for name in element.attributes}
    names = {name.replace("\u2028", "\ufffd") for name in HOSTILE}
    assert {row["Account"] for row in rows_of(page.by_id("by-account-table"))} == names
    assert names <= {option.text for option in page.by_id("choice").every("option")}


def test_names_stand_beside_ids(page: Element) -> None:
    """Accounts, skills and agents are shown by name, those without one by their id, in choices and in tables."""
    options = {option.text for option in page.by_id("choice").every("option")}

    assert {"Shop (10000001)", "10000002", "Sales (12)", "Assistant (31)", "27"} <= options
    assert {row["Skill"] for row in rows_of(page.by_id("bot-entries-by-skill-table"))} >= {"Assistant (31)"}
    assert {row["Skill"] for row in rows_of(page.by_id("by-skill-table"))} == {"Sales (12)", "27"}
    agents = {row["Agent"] for row in rows_of(page.by_id("agents-table"))}
    assert "Ada (agent-1)" in agents
    assert not any("Robot" in agent for agent in agents)


def test_days_that_are_not_whole_are_marked(lake: Path, page: Element) -> None:
    """Each day that is not whole, or to which more can come, as calendar_days says, has its words in the tables of days."""
    with duckdb.connect(str(lake), read_only=True) as connection:
        found = connection.execute(
            "select distinct coalesce(account_name, account_id) || date, concat_ws(', ', if(is_whole, null, 'not whole'), "
            "if(is_provisional, 'provisional', null)) from calendar_days join accounts using (account_id)"
        ).fetchall()
    marks = dict(found)
    shown = {}
    for row in page.by_id("queue-by-day-table").every("tr")[1:]:
        day, account = (field.text for field in row.children[:2])
        mark = row.children[0].attributes.get("data-mark") or ""
        assert mark == (f" ({expected})" if (expected := marks[account.partition(" (")[0] + day]) else ""), (day, account)
        assert (row.attributes.get("class") == "marked") == bool(mark)
        shown[mark] = day

    assert "" in shown
    assert len(shown) > 1
    [legend] = [part for part in page.by_id("queue-by-day").every("p") if part.attributes.get("class") == "marks"]
    assert "hidden" not in legend.attributes


def test_the_page_says_one_rule_of_provisional_days(page: Element) -> None:
    """The hours of the setting stand beside the marked days; freshness has no rule of its own, and names accounts."""
    assert "until the account's newest known hour ends 72 hours after it" in page.by_id("provisional").text
    assert "six hours are provisional" not in page.by_id("freshness").text
    assert "Shop (10000001)" in page.by_id("freshness").text


def test_skills_of_the_same_id_in_two_accounts_stand_apart(tmp_path: Path, page: Element) -> None:
    """Where two accounts have a skill of the same id, each has rows of its own; transfers say that theirs stand together."""
    sentence = "Skills of the same id in several accounts stand in one field"
    alone = report(make_lake(tmp_path, accounts=ACCOUNTS[:1], days=2, per_day=5))

    for name in ("by-skill", "queue-by-skill-and-hour", "bot-entries-by-skill", "mcs-by-skill"):
        rows = [(row["Account"], row["Skill"]) for row in rows_of(page.by_id(f"{name}-table"))]
        assert len({account for account, _ in rows}) == 2
        assert len({skill for _, skill in rows}) < len(set(rows))
        if not name.startswith("bot"):
            assert "Account" not in rows_of(alone.by_id(f"{name}-table"))[0]
    assert sentence in page.by_id("transfers").text
    assert sentence not in alone.by_id("transfers").text


def test_head_says_what_is_in_the_lake(page: Element, lake: Path) -> None:
    """The head counts conversations, messages and files, and names the days and the accounts."""
    with duckdb.connect(str(lake), read_only=True) as connection:
        [(conversations,)] = connection.execute("select count(*) from conversations").fetchall()
        [(messages,)] = connection.execute("select count(*) from messages").fetchall()

    head = page.every("header")[0].text
    assert f"{conversations:,} conversations" in head
    assert f"{messages:,} messages" in head
    assert "28 source files loaded, 0 rejected" in head
    assert "2026-03-02 to 2026-03-15" in head
    assert all(account in head for account in ACCOUNTS)


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_every_chart_has_definition_table_and_words(page: Element, chart: Any) -> None:
    """A chart stands with its definition, a table with a caption and headings, SQL, and a label for each drawing."""
    figure = page.by_id(chart.name)
    [table] = figure.every("table")

    assert chart.definition.partition(":")[0] in figure.text
    assert table.every("caption")[0].text == chart.title
    assert all(heading.attributes["scope"] == "col" for heading in table.every("thead")[0].every("th"))
    assert len(figure.every("pre")) == 1
    drawings = [element for element in figure.walk() if element.attributes.get("role") == "img"]
    assert len(drawings) == len(chart.panels)
    assert all(chart.title in (drawing.attributes["aria-label"] or "") for drawing in drawings)


def test_choice_can_be_made_by_keyboard_and_heard(page: Element) -> None:
    """Each choice is a select or a date of the browser's own with a label; the change is announced."""
    form = page.by_id("choice")

    names = [[*label.every("select"), *label.every("input")][0].attributes["name"] for label in form.every("label")]
    assert names == ["channel", "account", "skill", "period", "since", "until", "lines"]
    assert all(label.text.strip() for label in form.every("label"))
    assert page.by_id("chosen").attributes["role"] == "status"
    assert "hidden" in form.attributes  # until the script runs
    assert "JavaScript" in page.every("noscript")[0].text


def test_service_level_says_its_thresholds(tmp_path: Path) -> None:
    """The thresholds of in time and left soon stand beside the figures, also for accounts with their own rules."""
    database = make_lake(tmp_path, days=1)
    with duckdb.connect(str(database)) as connection:
        connection.execute("update account_rules set service_level_seconds = 20")
        own = "select * replace (? as account_id, 2.5 as short_abandon_seconds) from account_rules"
        connection.execute(f"insert into account_rules by name {own}", [ACCOUNTS[1]])
    page = report(database)

    said = f"within 20 s, sooner than 5 s; {ACCOUNTS[1]}: within 20 s, sooner than 2.5 s"
    assert said in page.by_id("key-figures").text
    assert said in page.by_id("service-level-by-day").text


def test_drawings_are_valid_vega_lite() -> None:
    """Each drawing fits the schema of Vega-Lite."""
    import altair as alt  # noqa: PLC0415  # takes seconds, in each process that collects tests

    for chart in CHARTS:
        for panel in chart.panels:
            height = panel.spec["height"]
            sized: dict[str, Any] = {"height": 26 if isinstance(height, dict) else height, "data": {"values": []}}
            alt.Chart.from_dict({**panel.spec, **sized, "config": CONFIG})


def test_empty_lake_says_what_to_do(tmp_path: Path) -> None:
    """A lake without conversations, even without views, gets a page that names the next command."""
    no_rows = make_lake(tmp_path, days=0)
    no_views = tmp_path / "nothing.duckdb"
    duckdb.connect(str(no_views)).close()

    for database in (no_rows, no_views):
        page = report(database)
        assert "nothing in this lake yet" in page.text
        assert "lakehouse sync" in page.text
        assert page.every("script") == []


def test_lake_without_scores_or_connections(tmp_path: Path) -> None:
    """Where nothing was measured the page says so, and a conversation without account or day counts."""
    lone = {"account_id": None, "conversation_id": "lone", "date": date(1970, 1, 1)}
    dated = {"account_id": "1", "conversation_id": "dated", "date": FIRST_DAY.date(), "conversation_start_time": FIRST_DAY}
    page = report(write_lake(tmp_path, {"conversations": [lone, dated]}))

    assert "2 conversations" in page.every("header")[0].text
    assert "2026-03-02 to 2026-03-02" in page.every("header")[0].text
    assert page.by_id("key-p50").text == "\N{EN DASH}"
    assert page.by_id("key-first-reply-basis").text == "n = 0 answered"
    assert NO_ACCOUNT in page.by_id("service-level-by-day-table").text
    [nothing] = [part for part in page.by_id("transfers").every("p") if part.attributes.get("class") == "nothing"]
    assert "hidden" not in nothing.attributes


def test_rejected_files_are_named(tmp_path: Path) -> None:
    """Rejected files are counted at the top, with the command that explains them."""
    conversation = {"account_id": "1", "conversation_id": "a", "date": FIRST_DAY.date()}
    files: list[dict[str, Any]] = [
        {"name": "good.gz", "status": "loaded", "rejects": 3},
        {"name": "bad.gz", "status": "rejected"},
    ]
    head = report(write_lake(tmp_path, {"conversations": [conversation], "files": files})).every("header")[0].text

    assert "1 source files loaded, 1 rejected" in head
    assert "1 source files and 3 documents" in head
    assert "lakehouse status" in head


YEAR = """
insert into conversations by name
select
    (10000001 + number % 2)::varchar as account_id,
    number::varchar as conversation_id,
    number + 1 as delivery,
    'made' as source_file,
    if(hash(number + 5) % 3 = 0, 'MESSAGING', 'LIVE_CHAT') as type,
    make_timestamp(1772409600000000 + number * 432_000_000) as conversation_start_time,
    conversation_start_time::date as date,
    100 + hash(number) % 10 as skill_id,
    'agent ' || hash(number + 1) % 30 as agent_id,
    conversation_start_time as queue_start_time,
    conversation_start_time + (hash(number + 2) % 600_000) * interval 1 millisecond as queue_end_time,
    if(hash(number + 3) % 12 > 0, queue_end_time, null) as interaction_start_time,
    queue_end_time + interval 9 minute as conversation_end_time,
    hash(number + 4) % 101 as mcs
from range(365 * 200) as numbers (number);
insert into messages by name
select account_id, conversation_id, date, delivery, source_file, unnest([0, 1]) as position, position::varchar as type,
    queue_end_time + position * (hash(conversation_id) % 90) * interval 1 second as timestamp
from conversations;
insert into transfers by name
select account_id, conversation_id, date, delivery, source_file, 0 as position, queue_end_time as timestamp, skill_id,
    100 + hash(conversation_id) % 10 as target_skill_id, queue_end_time as queue_start_time,
    conversation_end_time as queue_end_time
from conversations where hash(conversation_id) % 9 = 0;
insert into files by name
select distinct account_id, date::varchar as name, 'loaded' as status,
    date_trunc('hour', conversation_start_time) as scope_start_time
from conversations
"""


@pytest.mark.long
def test_a_year_stays_small(tmp_path: Path) -> None:
    """A year of two accounts with ten skills, busy at all hours, in two channels, makes a file of less than 2.3 MB."""
    database = make_lake(tmp_path, days=0)
    with duckdb.connect(str(database)) as connection:
        connection.execute(YEAR)
        compute_facts(connection)
        write_report(connection, tmp_path / "report.html")

    data = unpacked((tmp_path / "report.html").read_text(encoding="utf-8").partition('id="data">')[2].partition("<")[0])
    counts = [len(data[name]) for name in ("channels", "accounts", "skills", "periods")]
    assert counts == [2, 2, 10, 16]
    assert (tmp_path / "report.html").stat().st_size < LIMIT_BYTES


def test_same_lake_same_bytes(lake: Path, page: Element, tmp_path: Path) -> None:
    """The page depends on the lake alone, not on when it was written."""
    report(lake, tmp_path / "again.html")

    assert page
    assert (tmp_path / "again.html").read_bytes() == lake.with_name("report.html").read_bytes()


def test_marks_are_in_the_order_of_their_days(page: Element) -> None:
    """The days and weeks that are not whole stand in order, whatever order threads hand their groups over in."""
    marks = data_of(page)["marks"]

    assert any(len(days) > 1 for days in marks["days"])
    assert all(list(days) == sorted(days) for days in [*marks["days"], *marks["weeks"]])


def test_last_digits_of_a_sum_are_not_shown() -> None:
    """A mean at a half is rounded to the same digit, whichever of its neighbours the order of adding gave."""
    for half in (42.25, 0.05, 1234.55):
        near = [half, math.nextafter(half, -math.inf), math.nextafter(half, math.inf), half - 1e-12, half + 1e-12]

        assert len(set(_wired(near, "mcs_avg", is_shown=True))) == 1
        assert len(set(_wired(near, "mcs_avg", is_shown=False))) == 1


def test_file_is_its_owners_and_replaced_whole(lake: Path, tmp_path: Path) -> None:
    """The file is readable for its owner only; the folder is made; nothing else is left in it."""
    target = tmp_path / "new" / "report.html"
    report(lake, target)
    report(lake, target)

    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert list(target.parent.iterdir()) == [target]


def test_failed_write_keeps_the_old_report(lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full the former report stays as it was, without a half-written neighbour."""
    target = tmp_path / "report.html"
    target.write_text("former")

    def full(_path: Path, _target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match=r"report\.html: No space left on device; make room"):
        report(lake, target)

    assert target.read_text() == "former"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "\N{EN DASH}"),
        (0.0, "0.0 s"),
        (4.24, "4.2 s"),
        (9.97, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (3599.6, "1 h 00 min"),
        (7_530.0, "2 h 05 min"),
    ],
)
def test_durations_read_well(seconds: float | None, text: str) -> None:
    """A duration is rounded before it is split, so that no 60 s and no 60 min appear."""
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    "output",
    [
        "lake/erasure.key",
        "lake/settings.csv",
        "lake/files/x.html",
        "lake/page.json",
        "link",
        "/dev/full",
        "s3://b/x.html",
        "~no-such-user/x.html",
        ".",
    ],
)
def test_a_report_replaces_nothing_that_a_lake_is_made_of(output: str, tmp_path: Path) -> None:
    """Nor a device, nor what a link leads to there; a URL is no path."""
    lake = Lake(str(tmp_path / "lake"))
    lake.files.makedirs(lake.root)
    (tmp_path / "link").symlink_to(tmp_path / "lake" / "erasure.key")
    with pytest.raises(SettingsError, match=r"name another one|a report can only be"):
        chosen_path(lake, output if output.startswith(("/", "s3", "~")) else str(tmp_path / output))


def test_a_report_goes_where_a_user_wants_it(tmp_path: Path) -> None:
    """A page beside the tables, any file elsewhere, and the target of a link."""
    lake = Lake(str(tmp_path / "lake"))
    (tmp_path / "link.html").symlink_to(tmp_path / "there.html")
    for output, there in {"lake/new.html": "lake/new.html", "x": "x", "link.html": "there.html"}.items():
        assert chosen_path(lake, str(tmp_path / output)) == tmp_path / there
