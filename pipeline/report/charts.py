"""The report's charts: title, definition, the query behind each, and how its rows are drawn."""

from dataclasses import dataclass

from pipeline.report.choices import Choices
from pipeline.report.cubes import Query
from pipeline.report.measures import CONVERSATIONS, ENGAGEMENT, HOURS, RESPONSES, TRANSFERS
from pipeline.report.style import (
    Panel,
    band_panel,
    bar_panel,
    column_panel,
    hours_panel,
    line_panel,
    matrix_panel,
    week_panel,
)

SHARE = {"axis": {"format": ".0%"}, "title": None, "scale": {"domainMin": 0, "domainMax": 1}}
MOST_AGENTS = 20
MOST_HOUR_DAYS = 1_100
NEWEST_HOURS = f"""row_number() over (
    partition by {{account}} order by loaded_count + empty_count + rejected_count = 0, date desc
) <= {MOST_HOUR_DAYS}"""
"""A file with a wrong day in its name makes all days up to it missing; so days with files or listings come first."""
UTC_DAYS = "Days are those of the conversation's start, in UTC."
SQUARE_ROOT = "The axis is a square root's: distances shrink towards the top, so that short times stay apart."


@dataclass(frozen=True)
class Chart:
    """A chart of the page. `unsplit` is the reason if the choice of a skill does not apply."""

    name: str
    section: str
    title: str
    definition: str
    query: Query
    panels: tuple[Panel, ...] = ()
    unsplit: str | None = None


def charts(choices: Choices, service_level: str) -> list[Chart]:
    """All charts in the page's order; `service_level` says the thresholds in words."""
    return [
        *_overviews(choices),
        *_queue(),
        *_service_level(service_level),
        *_mcs(),
        *_responses(),
        *_transfers(choices),
        *_agents(),
        *_hours(choices),
    ]


def _overviews(choices: Choices) -> list[Chart]:
    columns = (
        "conversation_count",
        "queue_p50_seconds",
        "queue_p90_seconds",
        "service_level_share",
        "abandoned_share",
        "scored_count",
        "mcs_avg",
    )
    by_account = Chart(
        name="by-account",
        section="Overview",
        title="By account",
        definition="The key figures of each account.",
        query=Query(CONVERSATIONS, (), "account", columns),
    )
    by_skill = Chart(
        name="by-skill",
        section="Overview",
        title="By skill",
        definition="The key figures of each skill: of the conversations that ended in it.",
        query=Query(CONVERSATIONS, (), "skill", columns),
        panels=(
            bar_panel("Queue time, median (s)", "queue_p50_seconds", "skill_id", ["skill_id", *columns]),
            bar_panel("Queue time, 90th percentile (s)", "queue_p90_seconds", "skill_id", ["skill_id", *columns]),
            bar_panel("Service level", "service_level_share", "skill_id", ["skill_id", *columns]),
            bar_panel("Abandoned", "abandoned_share", "skill_id", ["skill_id", *columns]),
        ),
    )
    return [by_account, by_skill] if len(choices.accounts) > 1 else [by_skill]


def _queue() -> list[Chart]:
    day = ("connected_count", "queue_p50_seconds", "queue_p90_seconds")
    tips = ["date", "account_id", *day]
    return [
        Chart(
            name="queue-by-day",
            section="Queue",
            title="Queue time by day",
            definition="Wait of the visitors whom an agent took, from the start to the end of the queue: half of them waited "
            f"at most the median, nine in ten at most the 90th percentile. {UTC_DAYS} {SQUARE_ROOT}",
            query=Query(CONVERSATIONS, ("date",), "account", day),
            panels=(
                line_panel("Median", "queue_p50_seconds", tips),
                line_panel("90th percentile", "queue_p90_seconds", tips),
            ),
        ),
        Chart(
            name="queue-by-hour-of-week",
            section="Queue",
            title="Queue time by hour of the week",
            definition="90th percentile of the wait of conversations that an agent took, by weekday and hour of their start, "
            "in UTC: the stronger the colour, the longer nine in ten waited at most. An empty field had none.",
            query=Query(CONVERSATIONS, ("weekday", "hour"), None, day, condition="conversation_start_time is not null"),
            panels=(week_panel("queue_p90_seconds", ["weekday", "hour", *day]),),
        ),
    ]


def _service_level(service_level: str) -> list[Chart]:
    levels = (
        "connected_count",
        "within_count",
        "abandoned_count",
        "short_abandon_count",
        "service_level_share",
        "abandoned_share",
    )
    level_tips = ["date", "account_id", *levels]
    return [
        Chart(
            name="service-level-by-day",
            section="Queue",
            title="Service level and abandonment by day",
            definition=f"{service_level} Abandoned: the share of all conversations that no agent was connected to. {UTC_DAYS}",
            query=Query(CONVERSATIONS, ("date",), "account", levels),
            panels=(
                line_panel("Service level", "service_level_share", level_tips, SHARE),
                line_panel("Abandoned", "abandoned_share", level_tips, {**SHARE, "scale": {"zero": True}}),
            ),
        ),
    ]


def _mcs() -> list[Chart]:
    scores = ("scored_count", "mcs_avg", "mcs_p10", "mcs_p50", "mcs_p90")
    scale = {"title": None, "scale": {"domain": [0, 100]}}
    return [
        Chart(
            name="mcs-distribution",
            section="Meaningful Connection Score",
            title="MCS distribution",
            definition="Conversations by their score, 0 to 100, in steps of ten: 60 stands for 60 to 69, and 90 for 90 to "
            "100. Those without a score are left out.",
            query=Query(CONVERSATIONS, ("bucket",), None, ("conversation_count",), condition="mcs between 0 and 100"),
            panels=(column_panel("conversation_count", "bucket", "MCS from", ["bucket", "conversation_count"]),),
        ),
        Chart(
            name="mcs-by-day",
            section="Meaningful Connection Score",
            title="MCS by day",
            definition="Mean score of the day's scored conversations; the band spans the 10th to the 90th percentile. "
            f"{UTC_DAYS}",
            query=Query(CONVERSATIONS, ("date",), "account", scores),
            panels=(band_panel(None, "mcs_avg", ("mcs_p10", "mcs_p90"), ["date", "account_id", *scores], scale),),
        ),
    ]


def _responses() -> list[Chart]:
    replies = ("first_reply_count", "first_reply_p50_seconds", "first_reply_p90_seconds")
    responses = ("timed_count", "response_p50_seconds", "response_p90_seconds")
    tips = ["date", "account_id", *replies, *responses]
    return [
        Chart(
            name="response-by-day",
            section="Response times",
            title="Response times by day",
            definition="First reply: from the visitor's first line to the first answer of an agent, so a wait in the queue "
            "counts. Every response: from the first line of each run of the visitor's lines to the agent's answer. "
            f"{UTC_DAYS} {SQUARE_ROOT}",
            query=Query(RESPONSES, ("date",), "account", (*replies, *responses)),
            panels=(
                line_panel("First reply, median", "first_reply_p50_seconds", tips),
                line_panel("First reply, 90th percentile", "first_reply_p90_seconds", tips),
                line_panel("Every response, median", "response_p50_seconds", tips),
                line_panel("Every response, 90th percentile", "response_p90_seconds", tips),
            ),
        ),
    ]


def _transfers(choices: Choices) -> list[Chart]:
    columns = ("transfer_count", "queued_count", "queue_p50_seconds", "queue_p90_seconds")
    names = [option.name for option in choices.skills]
    return [
        Chart(
            name="transfers",
            section="Transfers",
            title="Transfers from skill to skill",
            definition="How often a conversation was passed on: from the skill of the row to that of the column. On the "
            "diagonal it went back to the queue of its own skill or to another agent of it. The queue columns of the table "
            "look at the transfers with a queue time. With a skill chosen: the transfers from it and to it.",
            query=Query(TRANSFERS, (), "flow", columns),
            panels=(matrix_panel("transfer_count", names, ["skill_id", "target_skill_id", *columns]),),
        ),
    ]


def _agents() -> list[Chart]:
    by_day = ("agent_count", "engaged_hours", "concurrency", "peak_count")
    by_agent = ("engaged_hours", "segment_count", "concurrency", "peak_count")
    day_tips = ["local_date", "account_id", *by_day]
    agent_tips = ["agent_id", "account_id", *by_agent]
    unsplit = "Not split by skill: an agent's hours are shared by the conversations of all skills at a time."
    return [
        Chart(
            name="agents-by-day",
            section="Agents",
            title="Agents' load by day",
            definition="Engaged: hours in which an agent had a conversation, two at a time counted once, added up over the "
            "agents. Concurrency: conversations at a time while engaged. Days are those of the account's time zone (the "
            "setting time_zone), by the conversation's hours, not its start.",
            query=Query(ENGAGEMENT, ("local_date",), "account", by_day),
            panels=(
                line_panel("Engaged hours", "engaged_hours", day_tips, {"title": "hours", "scale": {"zero": True}}),
                line_panel("Concurrency", "concurrency", day_tips, {"title": None, "scale": {"zero": True}}),
            ),
            unsplit=unsplit,
        ),
        Chart(
            name="agents",
            section="Agents",
            title="Agents' load by agent",
            definition=f"The {MOST_AGENTS} agents with the most engaged hours. A segment is a part of a conversation with "
            "one agent, cut at local midnight. Time online is not in the data, so there is no occupancy.",
            query=Query(ENGAGEMENT, (), "agent", by_agent, most=MOST_AGENTS),
            panels=(
                bar_panel("Engaged hours", "engaged_hours", "agent", agent_tips),
                bar_panel("Concurrency", "concurrency", "agent", agent_tips),
            ),
            unsplit=unsplit,
        ),
    ]


def _hours(choices: Choices) -> list[Chart]:
    columns = ("loaded_count", "empty_count", "rejected_count", "missing_count", "unknown_count")
    named = choices.accounts[:-1] if choices.other_accounts else choices.accounts
    panels = tuple(
        hours_panel(place, account.name if len(choices.accounts) > 1 else None) for place, account in enumerate(named, start=1)
    )
    return [
        Chart(
            name="source-hours",
            section="Pipeline health",
            title="Hours of the source",
            definition="The state of each hour of the source, by UTC day. Empty: the API said that there is no file. "
            "Rejected: a file of the hour is broken. Missing: a file is listed and not in the lake. Unknown: no sync asked for "
            "the hour. Shown is from the first to the last hour that a file or an answer of the API is about: hours before and "
            "after them may be unknown, too, and lakehouse status counts them up to now. "
            "The source deletes files after 30 days, so fetch them with lakehouse sync. "
            f"At most {MOST_HOUR_DAYS:,} days of an account are shown.",
            query=Query(HOURS, ("date",), "account", columns, hidden=("first_hour", "states"), qualify=NEWEST_HOURS),
            panels=panels,
            unsplit="Not split by skill: a file holds the conversations of all skills.",
        ),
    ]
