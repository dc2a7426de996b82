"""The report's numbers are those of the views, exactly, for every choice."""

from datetime import UTC, date, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import duckdb
import pytest
from made_lake import FIRST_DAY, make_lake, write_lake
from report_pages import HOSTILE, Element, cells, data_of, report, rows_of, written

from pipeline.report.charts import MOST_HOUR_DAYS, Chart, charts
from pipeline.report.choices import (
    ALL,
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
from pipeline.report.cubes import Columns, Query, read_cubes
from pipeline.report.formatting import format_cell, format_duration, format_number, format_share

CHARTS = [chart.name for chart in charts(Choices((), (), (), 0, 0), "")]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two accounts over five weeks in two months."""
    return make_lake(tmp_path_factory.mktemp("lake"), days=35, per_day=15)


@pytest.fixture(scope="module")
def page(lake: Path) -> Element:
    """The report on `lake`."""
    return report(lake)


def query(lake: Path, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    with duckdb.connect(str(lake), read_only=True) as connection:
        return connection.execute(sql).fetchall()


WITHIN = "count(*) filter (where is_connected and queue_milliseconds <= service_level_seconds * 1000)"
SHORT = "count(*) filter (where is_abandoned and queue_milliseconds < short_abandon_seconds * 1000)"
COUNTED = f"(count(*) - {SHORT})"


def test_key_figures_are_those_of_the_contract(page: Element, lake: Path) -> None:
    """The figures at the top are those that `conversation_metrics` gives, each with its n."""
    [(median, ninth, abandoned, mcs, reply, queued, scored, replied, conversations)] = query(
        lake,
        """
        select
            quantile_cont(queue_seconds, 0.5) filter (where is_connected),
            quantile_cont(queue_seconds, 0.9) filter (where is_connected),
            avg(is_abandoned::integer),
            avg(mcs),
            quantile_cont(first_reply_seconds, 0.5),
            count(queue_seconds) filter (where is_connected),
            count(mcs),
            count(first_reply_seconds),
            count(*)
        from conversation_metrics
        """,
    )
    [(level, counted)] = query(
        lake,
        f"select {WITHIN} / ({COUNTED}), {COUNTED} from conversation_rules",
    )

    shown = {element.attributes.get("id"): element.text for element in page.walk()}
    assert shown["key-p50"] == format_duration(median)
    assert shown["key-p90"] == format_duration(ninth)
    assert shown["key-abandoned"] == format_share(abandoned)
    assert shown["key-service-level"] == format_share(level)
    assert shown["key-first-reply"] == format_duration(reply)
    assert shown["key-mcs"] == format_number(mcs)
    assert f"n = {queued:,} " in shown["key-p50-basis"]
    assert shown["key-abandoned-basis"].endswith(f"n = {conversations:,}")
    assert shown["key-service-level-basis"].endswith(f"n = {counted:,}")
    assert f"n = {replied:,} " in shown["key-first-reply-basis"]
    assert f"n = {scored:,} " in shown["key-mcs-basis"]


VIEWS = {
    "queue-by-day": """
        select date, account_id, count(*) filter (where is_connected),
            quantile_cont(connected_queue_milliseconds, 0.5) / 1000 as queue_p50_seconds,
            quantile_cont(connected_queue_milliseconds, 0.9) / 1000 as queue_p90_seconds
        from conversation_rules group by date, account_id order by date, account_id
    """,
    "service-level-by-day": f"""
        select date, account_id, count(*) filter (where is_connected), {WITHIN}, count(*) filter (where is_abandoned), {SHORT},
            {WITHIN} / nullif({COUNTED}, 0) as service_level_share, avg(is_abandoned::integer) as abandoned_share
        from conversation_rules group by date, account_id order by date, account_id
    """,
    "mcs-distribution": """
        select bucket, sum(conversation_count)::bigint as conversation_count from mcs_distribution group by 1 order by 1
    """,
    "mcs-by-day": """
        select date, account_id, scored_count, mcs_avg, mcs_p10, mcs_p50, mcs_p90 from mcs_daily order by date, account_id
    """,
    "response-by-day": """
        select date, account_id, count(response_milliseconds) filter (where response_number = 1),
            quantile_cont(response_milliseconds, 0.5) filter (where response_number = 1) / 1000 as first_reply_p50_seconds,
            quantile_cont(response_milliseconds, 0.9) filter (where response_number = 1) / 1000 as first_reply_p90_seconds,
            count(response_milliseconds), quantile_cont(response_milliseconds, 0.5) / 1000 as response_p50_seconds,
            quantile_cont(response_milliseconds, 0.9) / 1000 as response_p90_seconds
        from named_responses group by all order by date, account_id
    """,
    "transfers": """
        select skill_id, target_skill_id, sum(transfer_count)::bigint as transfer_count,
            sum(queued_count)::bigint as queued_count
        from transfer_flow group by all order by all
    """,
    "agents": """
        select account_id, agent_id, sum(engaged_seconds) / 3600 as engaged_hours
        from agent_engagement_local_daily group by all order by engaged_hours desc, account_id, agent_id
    """,
    "source-hours": """
        select (hour at time zone 'UTC')::date::varchar as date, account_id,
            count(*) filter (where state = 'loaded') as loaded_count,
            count(*) filter (where state = 'empty') as empty_count
        from source_hours group by all order by all
    """,
}


@pytest.mark.parametrize("chart", VIEWS)
def test_tables_are_the_views(page: Element, lake: Path, chart: str) -> None:
    """The table behind a chart has the numbers of the view that defines them, in its first columns."""
    expected = written(lake, VIEWS[chart])
    shown = cells(page.by_id(f"{chart}-table"))

    assert expected
    assert [row[: len(expected[0])] for row in shown] == expected


@pytest.mark.parametrize("name", CHARTS)
def test_sql_brings_the_table(page: Element, lake: Path, name: str) -> None:
    """The SQL beside a chart brings the numbers of its table, row by row and column by column."""
    [sql] = [element.text for element in page.by_id(name).every("pre")]

    rows = written(lake, sql)
    assert rows
    assert cells(page.by_id(f"{name}-table")) == rows


Choice = tuple[int, int, int]
"""The places of account, skill and period among the choices."""


def chosen_sql(query: Query, choices: Choices, choice: Choice) -> str:
    """A chart's SQL with what is chosen, put together anew."""
    account, skill, period = choice
    head, tail = query.sql()
    since, until = choices.periods[period].since, choices.periods[period].until
    conditions = [
        query.condition or "true",
        choices.accounts[account - 1].condition if account else "true",
        choices.skills[skill - 1].condition if skill and query.source.has_skill else "true",
        f"{query.source.day} between date '{since}' and date '{until}'" if since else "true",
    ]
    return f"{head} where {' and '.join(conditions)} {tail}"


def selected(query: Query, cube: Columns, choices: Choices, choice: Choice) -> list[list[str]]:
    """The rows of a cube for what is chosen, as a table writes them."""
    account, skill, period = choice
    rows = []
    since, until = choices.periods[period].since, choices.periods[period].until
    for values in zip(*cube.values(), strict=True):
        row = dict(zip(cube, values, strict=True))
        fits = row.get("period", period) == period and (since is None or since <= row.get(query.source.day, since) <= until)
        is_spread = query.spread in {"account", "agent"} and account == ALL
        fits &= row["account"] != ALL if is_spread else row["account"] == account
        if "skill" in row and query.spread != "flow":
            fits &= row["skill"] != ALL if query.spread == "skill" and skill == ALL else row["skill"] == skill
        if fits:
            row["account_id"] = choices.accounts[row["account"] - 1].name if row["account"] else ""
            row["skill_id"] = choices.skills[row["skill"] - 1].name if row.get("skill") else ""
            row["target_skill_id"] = choices.skills[row["target_skill"] - 1].name if row.get("target_skill") else ""
            rows.append([format_cell(row, column) for column in query.columns])
    return rows


def test_every_choice_is_exact(lake: Path) -> None:
    """For each account, skill and period, and for all of them, a cube has what the chart's SQL brings under that condition."""
    with duckdb.connect(str(lake), read_only=True) as connection:
        choices = read_choices(connection)
        drawn: list[Chart] = charts(choices, "")
        cubes = read_cubes(connection, [chart.query for chart in drawn], choices)

    assert [period.key for period in choices.periods] == ["all", "7-days", "28-days", "2026-04", "2026-03"]
    places = product(range(len(choices.accounts) + 1), range(len(choices.skills) + 1), (0, 1, 4))
    for place, choice in enumerate(places):
        for chart in drawn[place % 7 :: 7]:  # a seventh of the charts for each, or it takes too long
            if chart.query.spread == "flow" and choice[1]:
                continue
            expected = written(lake, chosen_sql(chart.query, choices, choice))
            found = selected(chart.query, cubes[chart.query.cube], choices, choice)
            assert sorted(found) == sorted(expected), (chart.name, choice)


def test_hours_of_the_week_are_in_utc(tmp_path: Path) -> None:
    """Weekday and hour are those of the start in UTC, in any time zone of the connection; only connected waits count."""
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
        choices = read_choices(connection)
        wanted = {chart.name: chart.query for chart in charts(choices, "")}
        cubes = read_cubes(connection, wanted.values(), choices)

    week, hours = wanted["queue-by-hour-of-week"], wanted["source-hours"]
    assert selected(week, cubes[week.cube], choices, (0, 0, 0)) == [["Sunday", "23", "2", "15.0", "19.0"]]
    assert selected(hours, cubes[hours.cube], choices, (0, 0, 0)) == [["2026-03-01", "1", "1", "0", "0", "0", "0"]]
    assert cubes[hours.cube]["first_hour"] == [23]


def test_days_without_files_do_not_bury_the_others(tmp_path: Path) -> None:
    """Where hours of many years are lacking, the days of which something is known are shown, and few others."""
    days = [FIRST_DAY + number * timedelta(days=390) for number in range(5)]
    files = [{"account_id": "1", "status": "loaded", "scope_start_time": day} for day in days]
    conversation = {"account_id": "1", "conversation_id": "a", "date": FIRST_DAY.date()}
    page = report(write_lake(tmp_path, {"conversations": [conversation], "files": files}))

    shown = rows_of(page.by_id("source-hours-table"))
    assert len(shown) == MOST_HOUR_DAYS
    assert [row["Date"] for row in shown if row["Hours loaded"] == "1"] == [str(day.date()) for day in days]


def test_others_are_counted_together(tmp_path: Path) -> None:
    """Beyond the accounts and skills with the most conversations, the rest is one choice each, and the page says so."""
    conversations = [
        {"account_id": f"account {account}", "conversation_id": str(number), "date": FIRST_DAY.date(), "skill_id": account}
        for account in range(MOST_SKILLS + 5)
        for number in range(20 - account)
    ]
    conversations[-1]["skill_id"] = None
    page = report(write_lake(tmp_path, {"conversations": conversations}))

    accounts = {row["Account"]: int(row["Conversations"]) for row in rows_of(page.by_id("by-account-table"))}
    skills = {row["Skill"]: int(row["Conversations"]) for row in rows_of(page.by_id("by-skill-table"))}
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
            assert panel["measure"] in chart["columns"]
