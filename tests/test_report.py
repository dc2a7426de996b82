"""The report: one file that needs nothing else, shows what the views say, and lets no text of the data become markup."""

import base64
import hashlib
import json
import re
import shutil
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import altair as alt
import duckdb
import pytest
from made_lake import ACCOUNTS, FIRST_DAY, make_lake, write_lake

from pipeline.errors import SettingsError
from pipeline.report import write_report
from pipeline.report.charts import CHARTS
from pipeline.report.figures import NO_ACCOUNT, break_at_gaps
from pipeline.report.page import format_count, format_duration, format_number, format_share

HOSTILE = ("</script ><img src=x onerror=alert(1)>", "<!--<script>alert(2)</script>", "'\"&amp;\u2028{{ 7 * 7 }}")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
LIMIT_BYTES = 3_000_000
VOID = {"meta", "link", "br", "img", "input", "hr"}


@dataclass
class Element:
    """One element of the page with all text below it."""

    tag: str
    attributes: dict[str, str | None]
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def every(self, tag: str) -> list["Element"]:
        """All elements of that tag below this one, in the page's order."""
        found = [self] if self.tag == tag else []
        return found + [element for child in self.children for element in child.every(tag)]

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


def report(database: Path, output: Path | None = None) -> Element:
    """Write the report on `database` and read it back."""
    target = output or database.with_name("report.html")
    with duckdb.connect(str(database), read_only=True) as connection:
        write_report(connection, target)
    return Reader(target.read_text(encoding="utf-8")).root


def rows_of(table: Element) -> list[dict[str, str]]:
    """The table's rows by heading."""
    headings, *rows = [[cell.text for cell in row.children if cell.tag in {"th", "td"}] for row in table.every("tr")]
    return [dict(zip(headings, row, strict=True)) for row in rows]


def drawings(page: Element) -> Any:
    """What the page's script draws."""
    return json.loads(page.by_id("drawings").text)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two accounts, two weeks."""
    return make_lake(tmp_path_factory.mktemp("lake"))


@pytest.fixture(scope="module")
def page(lake: Path) -> Element:
    """The report on `lake`."""
    return report(lake)


@pytest.fixture(scope="module")
def hostile_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Accounts whose names try to leave every place that they are written to."""
    return make_lake(tmp_path_factory.mktemp("hostile"), accounts=HOSTILE, days=3, per_day=20)


def test_nothing_is_loaded(page: Element) -> None:
    """No element and no style of the page names a resource outside of it."""
    named = [
        value
        for element in page.walk()
        for name, value in element.attributes.items()
        if name in {"src", "srcset", "href", "action", "data", "poster", "background"}
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


def test_text_from_data_stays_text(hostile_lake: Path) -> None:
    """A name that looks like markup, a script's end or a template is shown letter by letter and adds no element."""
    page = report(hostile_lake)

    assert len(page.every("script")) == 3
    assert page.every("img") == []
    assert "<" not in page.by_id("drawings").text
    assert "onerror" not in {name for element in page.walk() for name in element.attributes}
    accounts = next(table for table in page.every("table") if "Key figures" in table.text)
    names = {name.replace("\u2028", "\ufffd") for name in HOSTILE}
    assert {row["Account"] for row in rows_of(accounts)} == names
    drawn = {row["account_id"] for chart in drawings(page)["charts"] for row in chart["spec"]["data"]["values"]}
    assert drawn == names


def test_key_figures_are_those_of_the_contract(page: Element, lake: Path) -> None:
    """The figures at the top are those that `conversation_metrics` gives, each with its n."""
    with duckdb.connect(str(lake), read_only=True) as connection:
        [figures] = connection.execute(
            """
            select
                quantile_cont(queue_seconds, 0.5) filter (where is_connected),
                quantile_cont(queue_seconds, 0.9) filter (where is_connected),
                avg(is_abandoned::integer),
                avg(mcs),
                count(queue_seconds) filter (where is_connected),
                count(mcs),
                count(*)
            from conversation_metrics
            """,
        ).fetchall()
        [(messages,)] = connection.execute("select count(*) from messages").fetchall()
    median, ninth, abandoned, mcs, queued, scored, conversations = figures

    assert page.by_id("key-p50").text == format_duration(median)
    assert page.by_id("key-p90").text == format_duration(ninth)
    assert page.by_id("key-abandoned").text == format_share(abandoned)
    assert page.by_id("key-mcs").text == format_number(mcs)
    bases = " ".join(element.text for element in page.walk() if element.attributes.get("class") == "basis")
    assert [int(number.replace(",", "")) for number in re.findall(r"n = ([\d,]+)", bases)] == [
        queued,
        queued,
        conversations,
        scored,
    ]
    head = page.every("header")[0].text
    assert f"{conversations:,} conversations" in head
    assert f"{messages:,} messages" in head
    assert "28 source files loaded, 0 rejected" in head
    assert "2026-03-02 to 2026-03-15" in head
    assert all(account in head for account in ACCOUNTS)


def test_queue_table_is_the_view(page: Element, lake: Path) -> None:
    """The table behind the queue chart has the rows of `queue_time_daily`, and the drawing has the same numbers."""
    with duckdb.connect(str(lake), read_only=True) as connection:
        expected = connection.execute(
            "select date::text, account_id, connected_count, abandoned_share, queue_p50_seconds, queue_p90_seconds "
            "from queue_time_daily order by date, account_id",
        ).fetchall()

    [table] = page.by_id("queue-by-day").every("table")
    shown = [
        (row["Date"], row["Account"], row["Connected"], row["Abandoned share"], row["Queue median (s)"], row["Queue p90 (s)"])
        for row in rows_of(table)
    ]
    assert shown == [
        (day, account, format_count(count), format_share(share), format_number(median), format_number(ninth))
        for day, account, count, share, median, ninth in expected
    ]
    spec = next(chart["spec"] for chart in drawings(page)["charts"] if chart["target"] == "queue-by-day-0")
    drawn = {(row["date"], row["account_id"]): row["queue_p90_seconds"] for row in spec["data"]["values"]}
    assert drawn == {(day, account): ninth for day, account, _, _, _, ninth in expected}


def test_account_table_is_that_of_the_contract(page: Element, lake: Path) -> None:
    """Each account's key figures are those that `conversation_metrics` gives, percentiles interpolated."""
    with duckdb.connect(str(lake), read_only=True) as connection:
        expected = connection.execute(
            """
            select
                account_id,
                quantile_cont(queue_seconds, 0.5) filter (where is_connected),
                quantile_cont(queue_seconds, 0.9) filter (where is_connected)
            from conversation_metrics
            group by account_id
            order by account_id
            """,
        ).fetchall()

    shown = rows_of(next(table for table in page.every("table") if "Key figures" in table.text))
    assert [(row["Account"], row["Queue median (s)"], row["Queue p90 (s)"]) for row in shown] == [
        (account, format_number(median), format_number(ninth)) for account, median, ninth in expected
    ]


def test_hours_of_the_week_are_in_utc(tmp_path: Path) -> None:
    """Weekday and hour are those of the start in UTC, whatever the connection's time zone; only connected waits count."""
    sunday = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    key: dict[str, Any] = {
        "account_id": "1",
        "date": sunday.date(),
        "conversation_start_time": sunday,
        "queue_start_time": sunday,
    }
    rows = [{**key, "conversation_id": str(wait), "queue_end_time": sunday + timedelta(seconds=wait)} for wait in (10, 20, 900)]
    for row in rows[:2]:
        row["interaction_start_time"] = row["queue_end_time"]
    with duckdb.connect(str(write_lake(tmp_path, {"conversations": rows})), read_only=True) as connection:
        connection.execute("set TimeZone = 'Asia/Kolkata'")
        write_report(connection, tmp_path / "report.html")

    page = Reader((tmp_path / "report.html").read_text(encoding="utf-8")).root
    [row] = rows_of(page.by_id("queue-by-hour-of-week").every("table")[0])
    assert list(row.values()) == ["1", "Sunday", "23", "2", "1", "15.0", "19.0"]


def test_mcs_table_is_the_view(page: Element, lake: Path) -> None:
    """The table behind the histogram counts what `mcs_distribution` counts."""
    with duckdb.connect(str(lake), read_only=True) as connection:
        expected = connection.execute(
            "select account_id, bucket, sum(conversation_count)::bigint from mcs_distribution group by all order by all",
        ).fetchall()

    shown = [tuple(row.values()) for row in rows_of(page.by_id("mcs-distribution").every("table")[0])]
    assert shown == [(account, str(bucket), format_count(count)) for account, bucket, count in expected]


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_every_chart_has_definition_sql_and_table(page: Element, lake: Path, chart: Any) -> None:
    """A chart stands with its definition, a table, and SQL that runs as shown and gives as many rows as the table."""
    figure = page.by_id(chart.name)

    assert chart.definition in figure.text
    [shown_sql] = [element.text for element in figure.every("pre")]
    with duckdb.connect(str(lake), read_only=True) as connection:
        assert len(connection.execute(shown_sql).fetchall()) == len(rows_of(figure.every("table")[0]))


@pytest.mark.parametrize("accounts", [ACCOUNTS[:1], ACCOUNTS], ids=["one account", "two accounts"])
@pytest.mark.parametrize("days", [1, 100])
def test_drawings_are_valid_vega_lite(tmp_path: Path, accounts: Sequence[str], days: int) -> None:
    """Each drawing fits the schema of Vega-Lite, for one account and for more, for a day and for a long time."""
    page = report(make_lake(tmp_path, accounts=accounts, days=days, per_day=6))
    drawn = drawings(page)
    del drawn["config"]["legend"]["layout"]  # an option of Vega that Vega-Lite hands on and its schema does not know

    assert len(drawn["charts"]) == len(CHARTS) - 1 + len(accounts)
    for chart in drawn["charts"]:
        alt.Chart.from_dict({**chart["spec"], "config": drawn["config"]})


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
    """Where nothing was measured the page says so in place of a chart, and a conversation without account or day counts."""
    lone = {"account_id": None, "conversation_id": "lone", "date": date(1970, 1, 1)}
    dated = {"account_id": "1", "conversation_id": "dated", "date": FIRST_DAY.date(), "conversation_start_time": FIRST_DAY}
    page = report(write_lake(tmp_path, {"conversations": [lone, dated]}))

    assert "2 conversations" in page.every("header")[0].text
    assert "2026-03-02 to 2026-03-02" in page.every("header")[0].text
    assert page.by_id("key-p50").text == "\N{EN DASH}"
    assert {chart["target"] for chart in drawings(page)["charts"]} == {"abandoned-by-day-0"}
    assert "Nothing to draw" in page.by_id("mcs-by-day").text
    assert NO_ACCOUNT in page.by_id("abandoned-by-day").every("table")[0].text
    [drawing] = drawings(page)["charts"]
    assert [row["date"] for row in drawing["spec"]["data"]["values"]] == ["2026-03-02"]


def test_rejected_files_are_named(tmp_path: Path) -> None:
    """What was set aside is said at the top, with the command that explains it."""
    conversation = {"account_id": "1", "conversation_id": "a", "date": FIRST_DAY.date()}
    files: list[dict[str, Any]] = [
        {"name": "good.gz", "status": "loaded", "rejects": 3},
        {"name": "bad.gz", "status": "rejected"},
    ]
    head = report(write_lake(tmp_path, {"conversations": [conversation], "files": files})).every("header")[0].text

    assert "1 source files loaded, 1 rejected" in head
    assert "1 source files and 3 documents" in head
    assert "lakehouse status" in head


def test_a_year_stays_small(tmp_path: Path) -> None:
    """A year of two accounts makes a file of less than 3 MB."""
    database = make_lake(tmp_path, days=365, per_day=6)
    report(database)

    assert (tmp_path / "report.html").stat().st_size < LIMIT_BYTES


def test_same_lake_same_bytes(lake: Path, tmp_path: Path) -> None:
    """The page depends on the lake alone, not on when it was written."""
    report(lake, tmp_path / "a.html")
    report(lake, tmp_path / "b.html")

    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


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
    with pytest.raises(SettingsError, match=r"report\.html: No space left on device; name another file"):
        report(lake, target)

    assert target.read_text() == "former"
    assert list(tmp_path.iterdir()) == [target]


def test_lines_end_where_days_are_missing() -> None:
    """A gap between days, of one account, gets an empty day after which a line begins anew; others are left alone."""
    days = [FIRST_DAY.date() + timedelta(days=number) for number in (0, 1, 4)]
    rows: list[dict[str, Any]] = [{"account_id": "a", "date": str(day), "n": 1} for day in days]
    rows.append({"account_id": "b", "date": str(days[2]), "n": 1})

    assert break_at_gaps(rows) == [*rows[:2], {"account_id": "a", "date": "2026-03-04", "n": None}, *rows[2:]]


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


@pytest.mark.skipif(BROWSER is None, reason="no chromium on PATH: apt-get install chromium to run the page for real")
@pytest.mark.parametrize("width", [1200, 500])
def test_browser_draws_every_chart(hostile_lake: Path, tmp_path: Path, width: int) -> None:
    """A real browser draws all charts inside its window and reports no error, no blocked load and no script of the data's."""
    written = report(hostile_lake, tmp_path / "report.html")
    dom, messages = browse(tmp_path / "report.html", tmp_path / "profile", width)

    expected = [chart["target"] for chart in drawings(written)["charts"]]
    assert len(expected) == len(CHARTS) - 1 + len(HOSTILE)
    assert messages == []
    for target in expected:
        drawing = re.search(rf'<div class="chart[^>]*id="{target}"[^>]*data-drawn="yes".*?</svg>', dom, flags=re.DOTALL)
        assert drawing, target
        assert re.search(r'class="mark-(rect|line|symbol|area) [^>]*marks"[^>]*>\s*<', drawing[0]), target
        [drawn_width] = re.findall(r'<svg[^>]* width="([\d.]+)"', drawing[0])
        assert 200 < float(drawn_width) < width, target


def browse(page: Path, profile: Path, width: int) -> tuple[str, list[str]]:
    """Open a file in headless chromium; return the document after its scripts ran, and what they put on the console."""
    command = [
        str(BROWSER),
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
        *("--disable-background-networking", "--disable-component-update", "--enable-logging=stderr", "--dump-dom"),
        *(f"--user-data-dir={profile}", f"--window-size={width},1000", "--virtual-time-budget=10000"),
        page.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]
