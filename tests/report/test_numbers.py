"""The report's numbers are those of the SQL beside them, exactly, for every choice."""

from datetime import UTC, date, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import duckdb
import pytest
from made_lake import FIRST_DAY, make_lake, name_lake, write_lake
from report_pages import HOSTILE, Choice, Element, cells, chosen_sql, data_of, read_cubes, report, rows_of, selected, written

from pipeline.report.charts import MOST_HOUR_DAYS, charts
from pipeline.report.choices import (
    MOST_ACCOUNTS,
    MOST_DAILY_ROWS,
    MOST_SKILLS,
    NO_ACCOUNT,
    NO_SKILL,
    Choices,
    offered,
    printable_literal,
    read_choices,
)
from pipeline.report.measures import UNITS
from pipeline.report.page import STATIC_DAYS
from pipeline.warehouse.library import set_rules
from pipeline.warehouse.rules import RuleRow, defaults

CHARTS = [chart.name for chart in charts(Choices((), (), (), (), has_bots=True), "") if chart.name != "by-account"]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two accounts over five weeks in two months, with two channels, names and bots."""
    path = make_lake(tmp_path_factory.mktemp("lake"), days=35, per_day=15)
    name_lake(path)
    return path


@pytest.fixture(scope="module")
def page(lake: Path) -> Element:
    """The report on `lake`."""
    return report(lake)


@pytest.mark.parametrize("name", CHARTS)
def test_sql_brings_the_table(page: Element, lake: Path, name: str) -> None:
    """The SQL beside a chart brings the numbers of its table, row by row and column by column."""
    [sql] = [element.text for element in page.by_id(name).every("pre")]

    rows = written(lake, sql)
    if name.endswith("by-day") or name == "source-hours":
        newest = sorted({row[0] for row in rows})[-STATIC_DAYS:]
        rows = [row for row in rows if row[0] in newest]
    assert rows
    assert cells(page.by_id(f"{name}-table")) == rows


@pytest.mark.parametrize("step", [37, pytest.param(7, marks=pytest.mark.long)])
def test_every_choice_is_exact(lake: Path, step: int) -> None:
    """For each channel, account, skill and period, and for all of them, a cube has what the chart's SQL brings."""
    with duckdb.connect(str(lake), read_only=True) as connection:
        choices = read_choices(connection)
        drawn = [query for chart in charts(choices, "") for query in (chart.query, *map(chart.query.by, UNITS)) if query]
        cubes = read_cubes(connection, drawn, choices)

    assert [channel.name for channel in choices.channels] == ["LIVE_CHAT", "MESSAGING"]
    assert [period.key for period in choices.periods] == ["all", "7-days", "28-days", "2026-04", "2026-03"]
    places = product(range(len(choices.accounts) + 1), range(len(choices.skills) + 1), (0, 1, 4), (1, 2))
    for place, choice in enumerate(Choice(*chosen) for chosen in places):
        for query in drawn[place % step :: step]:  # some of the charts for each, or it takes too long
            if query.spread == "flow" and choice.skill:
                continue
            expected = written(lake, chosen_sql(query, choices, choice))
            found = selected(query, cubes[query.cube], choices, choice)
            assert sorted(found) == sorted(expected), (query.cube, choice)


def test_hours_of_the_week_are_those_of_the_account(tmp_path: Path) -> None:
    """Weekday and hour are those of entering on the account's clocks, in any time zone of the connection; files' are in UTC."""
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
    database = write_lake(tmp_path, {"conversations": rows, "files": [{"account_id": "1", "scope_start_time": sunday}]})
    with duckdb.connect(str(database)) as connection:
        connection.execute("set global TimeZone = 'Asia/Kolkata'")
        zone = RuleRow("time_zone", "1", "Europe/Berlin")
        set_rules(connection, [*defaults(), zone])
        choices = read_choices(connection)
        wanted = {chart.name: chart.query for chart in charts(choices, "")}
        cubes = read_cubes(connection, wanted.values(), choices)

    week, hours = wanted["queue-by-hour-of-week"], wanted["source-hours"]
    assert selected(week, cubes[week.cube], choices, Choice()) == [["Monday", "0", "2", "19.0"]]
    assert selected(hours, cubes[hours.cube], choices, Choice()) == [["2026-03-01", "1", "1", "0", "0", "0", "0"]]
    assert cubes[hours.cube]["first_hour"] == [23]
    assert [(period.since, period.until) for period in choices.periods[1:2]] == [("2026-02-24", "2026-03-02")]


def test_days_without_files_do_not_bury_the_others(tmp_path: Path) -> None:
    """Where hours of many years are lacking, the days of which something is known are shown, and few others."""
    days = [FIRST_DAY + number * timedelta(days=390) for number in range(5)]
    files = [{"account_id": "1", "status": "loaded", "scope_start_time": day} for day in days]
    conversation = {"account_id": "1", "conversation_id": "a", "date": FIRST_DAY.date()}
    page = report(write_lake(tmp_path, {"conversations": [conversation], "files": files}))

    cube = data_of(page)["cubes"]["source_hours-date"]
    assert len(cube["date"]) == MOST_HOUR_DAYS
    loaded = [date for date, count in zip(cube["date"], cube["loaded_count"], strict=True) if count == 1]
    assert loaded == [str(day.date()) for day in days]


def test_others_are_counted_together(tmp_path: Path) -> None:
    """Beyond the accounts and skills with the most conversations, the rest is one choice each, and the page says so."""
    conversations = [
        {"account_id": f"account {account}", "conversation_id": str(number), "date": FIRST_DAY.date(), "skill_id": account}
        for account in range(MOST_SKILLS + 5)
        for number in range(20 - account)
    ]
    conversations[-1]["skill_id"] = None
    page = report(write_lake(tmp_path, {"conversations": conversations}))

    accounts = {row["Account"]: int(row["Queue entries"]) for row in rows_of(page.by_id("by-account-table"))}
    skills = {row["Skill"]: int(row["Queue entries"]) for row in rows_of(page.by_id("by-skill-table"))}
    assert list(accounts) == [*(f"account {number}" for number in range(MOST_ACCOUNTS)), "other accounts"]
    assert list(skills) == [*(str(number) for number in range(MOST_SKILLS)), "other skills"]
    assert sum(accounts.values()) == sum(skills.values()) == len(conversations)
    assert "10 other accounts and 6 other skills are counted together" in " ".join(page.text.split())
    options = [option.text for option in page.by_id("choice").every("option")]
    assert "other accounts" in options
    assert "other skills" in options


@pytest.mark.parametrize("days", [1, 30, 366, 2_000, 30_000])
@pytest.mark.parametrize("accounts", [1, 2, 5, 6, 1_000])
def test_choices_are_bounded(days: int, accounts: int) -> None:
    """However many days and accounts there are, the days of single accounts and skills stay few; a year has ten skills."""
    most_accounts, most_skills = offered(days, accounts)
    lines = min(accounts, most_accounts) + (accounts > most_accounts)

    assert most_accounts >= 1
    assert most_skills >= 1
    assert days * lines * (most_skills + 2) <= max(MOST_DAILY_ROWS, days * 6)
    if days <= 366 and accounts <= 2:
        assert (min(accounts, most_accounts), most_skills) == (accounts, MOST_SKILLS)


def test_conditions_name_every_text() -> None:
    """A name of any letters is SQL that can be copied: unprintable characters are given by number."""
    names = [*HOSTILE, "", "'", "a\0b", "\n", "naïve", "😀"]
    with duckdb.connect() as connection:
        for name in names:
            assert printable_literal(name).isprintable()
            assert connection.execute(f"select {printable_literal(name)} = ?", [name]).fetchall() == [(True,)], name


def test_missing_ids_can_be_chosen(tmp_path: Path) -> None:
    """Conversations without an account or a skill are a choice of their own, and an account with files alone is one, too."""
    lone = {"account_id": None, "conversation_id": "lone", "date": date(1970, 1, 1)}
    dated = {"account_id": "1", "conversation_id": "dated", "date": FIRST_DAY.date(), "skill_id": 3}
    files = [{"account_id": "2", "scope_start_time": FIRST_DAY}]
    database = write_lake(tmp_path, {"conversations": [lone, dated], "files": files})
    with duckdb.connect(str(database), read_only=True) as connection:
        choices = read_choices(connection)

    assert [account.name for account in choices.accounts] == ["1", "2", NO_ACCOUNT]
    assert [skill.name for skill in choices.skills] == ["3", NO_SKILL]
    assert [period.key for period in choices.periods] == ["all", "7-days", "28-days", "2026-03"]


def test_drawn_numbers_are_those_of_the_tables(page: Element) -> None:
    """Drawings and tables are made of the same columns, so the numbers behind a chart are the drawn ones."""
    for chart in data_of(page)["charts"]:
        for panel in chart["panels"]:
            assert panel["measure"] in chart["days"]["columns"]
