"""Every chart of the report has the numbers of the view that defines them: of each channel, by day and by week."""

from pathlib import Path
from typing import NamedTuple

import duckdb
import pytest
from made_lake import make_lake, name_lake
from report_pages import Choice, Element, read_cubes, report, selected, written

from pipeline.report.charts import charts
from pipeline.report.choices import Choices, read_choices
from pipeline.report.cubes import Columns, Query
from pipeline.report.formatting import format_duration, format_number, format_share
from pipeline.report.measures import UNITS


class Lake(NamedTuple):
    """A lake with two channels, names and bots, and the report's numbers of it."""

    database: Path
    page: Element
    choices: Choices
    queries: dict[str, Query]
    cubes: dict[str, Columns]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Two accounts, three weeks."""
    database = make_lake(tmp_path_factory.mktemp("lake"), days=21, per_day=30)
    name_lake(database)
    with duckdb.connect(str(database), read_only=True) as connection:
        choices = read_choices(connection)
        drawn = {chart.name: chart.query for chart in charts(choices, "")}
        longer = {f"{name} by {unit}": query.by(unit) for name, query in drawn.items() for unit in UNITS}
        queries = drawn | {name: query for name, query in longer.items() if query}
        cubes = read_cubes(connection, queries.values(), choices)
    return Lake(database, report(database), choices, queries, cubes)


DAYS = {
    "queue-by-day": """
        select {day}, account_id, people_entry_count, people_queued_count, people_queue_p50_seconds as queue_p50_seconds,
            people_queue_p90_seconds as queue_p90_seconds
        from queue_time_{view} where type = '{type}' and people_entry_count > 0
    """,
    "service-level-by-day": """
        select {day}, account_id, people_service_level_share as service_level_share, people_abandoned_share as abandoned_share,
            level.people_answered_count, people_within_count, level.people_abandoned_count, level.people_short_abandon_count
        from service_level_{view} as level join abandonment_{view} using ({day}, account_id, type)
        where type = '{type}' and people_entry_count > 0
    """,
    "bot-entries-by-day": """
        select {day}, account_id, bot_entry_count, bot_answered_count, level.bot_abandoned_count
        from service_level_{view} as level join abandonment_{view} using ({day}, account_id, type)
        where type = '{type}' and bot_entry_count > 0
    """,
    "bots-by-day": """
        select {day}, account_id, bot_count, contained_count, containment_share, gave_up_count, person_wait_count,
            person_wait_p50_seconds, person_wait_p90_seconds
        from bot_{view} where type = '{type}'
    """,
    "mcs-by-day": """
        select {day}, account_id, people_scored_count, people_mcs_avg, people_mcs_p10, people_mcs_p50, people_mcs_p90,
            bot_scored_count, bot_mcs_avg
        from mcs_{view} where type = '{type}'
    """,
    "response-by-day": """
        select {day}, account_id, first_reply_count, first_reply_p50_seconds, first_reply_p90_seconds, timed_count,
            response_p50_seconds, response_p90_seconds
        from response_time_{view} where type = '{type}' and not is_bot
    """,
    "agents-by-day": """
        select {day}, account_id, count(*) as agent_count, sum(engaged_seconds) / 3600 as engaged_hours,
            sum(engaged_total_seconds) / sum(engaged_seconds) as concurrency, max(peak_count) as peak_count
        from agent_engagement_{view} where type = '{type}' and not is_bot group by all
    """,
}
ALL_DAYS = {
    "by-skill": """
        select account_id, skill_id, skill_name, sum(entry_count)::bigint,
            sum(within_count) / sum(answered_count + abandoned_count - short_abandon_count) as service_level_share,
            sum(abandoned_count) / sum(answered_count + abandoned_count) as abandoned_share, sum(answered_count)::bigint,
            sum(abandoned_count)::bigint
        from queue_by_skill_daily where type = '{type}' and not is_bot group by all
    """,
    "by-account": """
        select account_id, sum(people_entry_count)::bigint,
            sum(people_within_count)
                / sum(level.people_answered_count + level.people_abandoned_count - level.people_short_abandon_count)
                as service_level_share,
            sum(level.people_abandoned_count) / sum(level.people_answered_count + level.people_abandoned_count)
                as abandoned_share,
            sum(level.people_answered_count)::bigint, sum(level.people_abandoned_count)::bigint
        from service_level_daily as level join abandonment_daily using (date, account_id, type)
        where type = '{type}' group by all
    """,
    "bot-entries-by-skill": """
        select account_id, skill_id, skill_name, sum(entry_count)::bigint, sum(answered_count)::bigint,
            sum(abandoned_count)::bigint,
            sum(moved_count)::bigint
        from queue_by_skill_daily where type = '{type}' and is_bot group by all
    """,
    "queue-by-skill-and-hour": """
        select hour(local_start_time) as local_hour, account_id, skill_id, skill_name, sum(offered_count)::bigint,
            sum(queued_count)::bigint
        from queue_by_interval where type = '{type}' and not is_bot group by all
    """,
    "queue-by-hour-of-week": """
        select isodow(local_start_time) as weekday, hour(local_start_time) as local_hour, sum(queued_count)::bigint
        from queue_by_interval where type = '{type}' and not is_bot group by all
    """,
    "mcs-distribution": """
        select bucket, sum(people_conversation_count)::bigint as people_conversation_count,
            sum(bot_conversation_count)::bigint as bot_conversation_count
        from mcs_distribution where type = '{type}' group by all
    """,
    "mcs-by-skill": """
        select account_id, skill_id, skill_name,
            coalesce(sum(scored_count) filter (where not is_bot), 0)::bigint as people_scored_count,
            sum(mcs_sum) filter (where not is_bot) / sum(scored_count) filter (where not is_bot) as people_mcs_avg,
            coalesce(sum(scored_count) filter (where is_bot), 0)::bigint as bot_scored_count,
            sum(mcs_sum) filter (where is_bot) / sum(scored_count) filter (where is_bot) as bot_mcs_avg
        from mcs_by_skill where type = '{type}' group by all
    """,
    "transfers": """
        select skill_id, skill_name, target_skill_id, target_skill_name, sum(transfer_count)::bigint,
            sum(transfer_entry_count)::bigint, sum(transfer_answered_count)::bigint, sum(transfer_abandoned_count)::bigint,
            sum(transfer_queued_count)::bigint
        from transfer_flow where type = '{type}' and not is_bot group by all
    """,
    "agents": """
        select account_id, agent_id, agent_name, sum(engaged_seconds) / 3600 as engaged_hours
        from agent_engagement_daily where type = '{type}' and not is_bot
        group by all
    """,
    "agents-scores": """
        select whole.account_id, whole.agent_id, whole.agent_name, count(*) as conversation_count,
            max(coalesce(of_agent.scored_count, 0))::bigint as scored_count, max(of_agent.mcs_avg) as mcs_avg
        from named_conversations as whole
        left join (
            select account_id, agent_id, sum(scored_count) as scored_count, sum(mcs_sum) / sum(scored_count) as mcs_avg
            from mcs_by_agent_daily where type = '{type}' and not is_bot group by all
        ) as of_agent
            on whole.account_id is not distinct from of_agent.account_id and whole.agent_id = of_agent.agent_id
        where type = '{type}' and not is_bot and whole.agent_id is not null
        group by all
    """,
    "agents-responses": """
        select account_id, agent_id, agent_name, count(response_milliseconds) as timed_count
        from named_responses where type = '{type}' and not is_bot and agent_id is not null
        group by all
    """,
}
OTHERS = {"by-channel", "source-hours"}


def test_every_chart_has_its_view(lake: Lake) -> None:
    """No chart is without a view that it is held against."""
    assert {name for name in lake.queries if " by " not in name} == DAYS.keys() | ALL_DAYS.keys() | OTHERS


def without_waits(query: Query, rows: list[list[str]]) -> list[list[str]]:
    """The rows without waits, whose percentiles do not follow from those of days."""
    return [[cell for column, cell in zip(query.columns, row, strict=True) if not column.endswith("_seconds")] for row in rows]


def assert_same(lake: Lake, name: str, sql: str, channel: int) -> None:
    """The chart has the numbers of the SQL, in its first columns."""
    expected = written(lake.database, sql)
    query = lake.queries[name]
    found = selected(query, lake.cubes[query.cube], lake.choices, Choice(channel=channel))
    if name in {"by-skill", "by-account"}:
        found = without_waits(query, found)
    if name == "mcs-by-skill":
        found = [[*row[:2], *row[3:5], *row[8:]] for row in found]
    assert expected
    assert sorted(row[: len(expected[0])] for row in found) == sorted(expected)


@pytest.mark.parametrize("channel", [1, 2])
@pytest.mark.parametrize("chart", DAYS)
def test_days_weeks_and_months_are_the_views(lake: Lake, chart: str, channel: int) -> None:
    """A chart by day has the numbers of the view of local days, by week and month those of their views."""
    kind = lake.choices.channels[channel - 1].name
    assert_same(lake, chart, DAYS[chart].format(day="local_date", view="local_daily", type=kind), channel)
    assert_same(lake, f"{chart} by weeks", DAYS[chart].format(day="local_week", view="weekly", type=kind), channel)
    assert_same(lake, f"{chart} by months", DAYS[chart].format(day="local_month", view="monthly", type=kind), channel)


@pytest.mark.parametrize("channel", [1, 2])
@pytest.mark.parametrize("chart", ALL_DAYS)
def test_all_days_are_the_views(lake: Lake, chart: str, channel: int) -> None:
    """A chart of all days together has the sums of its view."""
    assert_same(lake, chart, ALL_DAYS[chart].format(type=lake.choices.channels[channel - 1].name), channel)


def test_channels_are_the_views(lake: Lake) -> None:
    """The table of channels has a row for each, with the entries of people only."""
    sql = """
        select type, sum(people_entry_count)::bigint,
            sum(people_within_count)
                / sum(level.people_answered_count + level.people_abandoned_count - level.people_short_abandon_count)
                as service_level_share,
            sum(queue.people_abandoned_count) / sum(queue.people_answered_count + queue.people_abandoned_count)
                as abandoned_share,
            sum(queue.people_answered_count)::bigint, sum(queue.people_abandoned_count)::bigint
        from queue_time_daily as queue left join service_level_daily as level using (date, account_id, type) group by all
    """
    query = lake.queries["by-channel"]
    found = without_waits(query, selected(query, lake.cubes[query.cube], lake.choices, Choice()))

    assert sorted(row[:6] for row in found) == sorted(written(lake.database, sql))
    assert len(found) == 2


def test_key_figures_are_those_of_the_facts(lake: Lake) -> None:
    """The figures at the top are those that the facts give for people of the first channel, each with its n."""
    people = "type = 'LIVE_CHAT' and not is_bot"
    with duckdb.connect(str(lake.database), read_only=True) as connection:
        [(median, ninth, abandoned, closed, queued)] = connection.execute(
            f"""
            select quantile_cont(answered_milliseconds, 0.5) / 1000, quantile_cont(answered_milliseconds, 0.9) / 1000,
                count(*) filter (where outcome = 'abandoned'),
                count(*) filter (where outcome in ('abandoned', 'answered')), count(answered_milliseconds)
            from named_entries where {people}
            """
        ).fetchall()
        [(level, counted)] = connection.execute(
            """
            select sum(people_within_count)
                / sum(people_answered_count + people_abandoned_count - people_short_abandon_count),
                sum(people_answered_count + people_abandoned_count - people_short_abandon_count)
            from service_level_daily where type = 'LIVE_CHAT'
            """
        ).fetchall()
        [(reply, replied)] = connection.execute(
            f"""
            select median(response_milliseconds) / 1000, count(response_milliseconds)
            from named_responses where response_number = 1 and {people}
            """
        ).fetchall()
        [(mcs, scored, count)] = connection.execute(
            f"select avg(mcs), count(mcs), count(*) from named_conversations where {people}"
        ).fetchall()
        [(entries, answered)] = connection.execute(
            f"select count(*), count(*) filter (where outcome = 'answered') from named_entries where {people}"
        ).fetchall()

    shown = {element.attributes.get("id"): element.text for element in lake.page.walk()}
    assert shown["key-conversations"] == f"{count:,}"
    assert shown["key-entries"] == f"{entries:,}"
    assert shown["key-entries-basis"] == f"{answered:,} answered, {abandoned:,} abandoned"
    assert shown["key-p50"] == format_duration(median)
    assert shown["key-p90"] == format_duration(ninth)
    assert shown["key-abandoned"] == format_share(abandoned / closed)
    assert shown["key-service-level"] == format_share(level)
    assert shown["key-first-reply"] == format_duration(reply)
    assert shown["key-mcs"] == format_number(mcs)
    assert shown["key-p50-basis"] == shown["key-p90-basis"] == f"n = {queued:,} answered"
    assert shown["key-abandoned-basis"] == f"{abandoned:,} of n = {closed:,}"
    assert str(shown["key-service-level-basis"]).endswith(f"n = {counted:,}")
    assert shown["key-first-reply-basis"] == f"n = {replied:,} answered"
    assert shown["key-mcs-basis"] == f"n = {scored:,} scored"


def test_key_figures_of_bots_stand_below_those_of_people(lake: Lake) -> None:
    """Each figure has the bots' number and n below, from the facts; nothing of them is in people's figure."""
    bots = "type = 'LIVE_CHAT' and is_bot"
    with duckdb.connect(str(lake.database), read_only=True) as connection:
        [(median, queued)] = connection.execute(
            "select quantile_cont(answered_milliseconds, 0.5) / 1000, count(answered_milliseconds) "
            f"from named_entries where {bots}"
        ).fetchall()
        [(reply, replied)] = connection.execute(
            "select median(response_milliseconds) / 1000, count(response_milliseconds) "
            f"from named_responses where response_number = 1 and {bots}"
        ).fetchall()
        [(mcs, scored)] = connection.execute(f"select avg(mcs), count(mcs) from named_conversations where {bots}").fetchall()

    shown = {element.attributes.get("id"): element.text for element in lake.page.walk()}
    assert shown["key-p50-bots"] == f"bots: {format_duration(median)}, n = {queued:,} answered"
    assert shown["key-first-reply-bots"] == f"bots: {format_duration(reply)}, n = {replied:,} answered"
    assert shown["key-mcs-bots"] == f"bots: {format_number(mcs)}, n = {scored:,} scored"
    assert min(queued, replied, scored) > 0
