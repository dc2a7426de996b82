"""The report's charts: title, definition, the query behind each, and how its rows are drawn."""

from pipeline.report.chart import STARTED, Chart, skill_spread
from pipeline.report.choices import Choices
from pipeline.report.cubes import GROUPS, Query
from pipeline.report.measures import (
    AGENT_RESPONSES,
    AGENT_SCORES,
    BOT_CONVERSATIONS,
    BOT_ENTRIES,
    ENGAGEMENT,
    ENTRIES,
    HOURS,
    RESPONSES,
    TRANSFERS,
)
from pipeline.report.score_charts import mcs_charts
from pipeline.report.style import (
    FEW_CASES,
    bar_panel,
    heat_panel,
    hours_panel,
    line_panel,
    matrix_panel,
)

SHARE = {"axis": {"format": ".0%"}, "title": None, "scale": {"domainMin": 0, "domainMax": 1}}
FEW = f"A dashed rim without colour: fewer than {FEW_CASES} waits, too few to compare."
MOST_AGENTS = 20
MOST_HOUR_DAYS = 1_100
NEWEST_HOURS = f"""row_number() over (
    partition by {{account}} order by loaded_count + empty_count + rejected_count = 0, date desc
) <= {MOST_HOUR_DAYS}"""
"""A file with a wrong day in its name makes all days up to it missing; so days with files or listings come first."""
ENTERED = "Days are those of entering the queue, on the account's clocks."
SHARED_SKILLS = "Skills of the same id in several accounts stand in one field: choose an account to see its own."
COUNT = {"title": None, "scale": {"zero": True}, "axis": {"tickMinStep": 1}}


def charts(choices: Choices, service_level: str) -> list[Chart]:
    """All charts in the page's order; `service_level` says the thresholds in words."""
    return [
        *_overviews(choices),
        *_queue(choices),
        *_service_level(service_level),
        *(_bots(choices) if choices.has_bots else []),
        *mcs_charts(choices),
        *_responses(),
        *_transfers(choices),
        *_agents(),
        *_hours(choices),
    ]


def _names(choices: Choices) -> list[str]:
    """List the labels of skills in the charts by skill, in their order."""
    skills = [option.name for option in choices.skills]
    if not choices.has_shared_skills:
        return skills
    return [*skills, *(f"{skill}\n{account.name}" for account in choices.accounts for skill in skills)]


def _overviews(choices: Choices) -> list[Chart]:
    columns = (
        "entry_count",
        "service_level_share",
        "abandoned_share",
        "queue_p50_seconds",
        "queue_p90_seconds",
        "longest_wait_seconds",
        "answered_count",
        "abandoned_count",
        "moved_count",
    )
    by = skill_spread(choices)
    tips = [*GROUPS[by], *columns]
    by_channel = Chart(
        name="by-channel",
        section="Overview",
        title="By channel",
        definition="Entries of visitors into queues of people in each channel, whichever is chosen: no number mixes two.",
        query=Query(ENTRIES, (), "channel", columns),
    )
    by_account = Chart(
        name="by-account",
        section="Overview",
        title="By account",
        definition="Entries of visitors into queues of people in each account.",
        query=Query(ENTRIES, (), "account", columns),
    )
    by_skill = Chart(
        name="by-skill",
        section="Overview",
        title="By skill",
        definition="Entries of visitors into queues of people by the skill whose queue it was; a transfer's is the "
        "skill that it went to. Moved on: a transfer ended the wait; it is in no share.",
        query=Query(ENTRIES, (), by, columns),
        panels=(
            bar_panel("Queue time, median (s)", "queue_p50_seconds", by, tips),
            bar_panel("Queue time, 90th percentile (s)", "queue_p90_seconds", by, tips),
            bar_panel("Service level", "service_level_share", by, tips),
            bar_panel("Abandoned", "abandoned_share", by, tips),
        ),
    )
    return [by_channel, *([by_account] if len(choices.accounts) > 1 else []), by_skill]


def _queue(choices: Choices) -> list[Chart]:
    waits = ("queued_count", "queue_p50_seconds", "queue_p90_seconds")
    hour_waits = ("queued_count", "queue_p90_seconds")
    by_hour = ("entry_count", *hour_waits)
    tips = ["local_date", "account_id", "entry_count", *waits, "longest_wait_seconds"]
    by = skill_spread(choices)
    hour_tips = ["local_hour", *GROUPS[by], *by_hour]
    return [
        Chart(
            name="queue-by-day",
            section="Queue",
            title="Queue entries and their wait",
            definition="Entries of visitors into queues of people, and the wait of those that were answered, from entering the "
            "queue to leaving it: half of them waited at most the median, nine in ten at most the 90th percentile. The longest "
            f"wait is that of any entry, also of an abandoned one. {ENTERED}",
            query=Query(ENTRIES, ("local_date",), "account", ("entry_count", *waits, "longest_wait_seconds")),
            panels=(
                line_panel("Queue entries", "entry_count", tips, COUNT),
                line_panel("Queue time, median", "queue_p50_seconds", tips),
                line_panel("Queue time, 90th percentile", "queue_p90_seconds", tips),
                line_panel("Longest wait", "longest_wait_seconds", tips),
            ),
        ),
        Chart(
            name="queue-by-skill-and-hour",
            section="Queue",
            title="Queue by skill and hour of the day",
            definition="Entries of visitors into queues of people by skill and hour of entering on the account's clocks, and "
            f"the time that nine in ten of those answered waited at most: the stronger the colour, the more or the longer. "
            f"{FEW} Nothing there: there was none.",
            query=Query(ENTRIES, ("local_hour",), by, by_hour, condition="local_hour is not null"),
            panels=(
                heat_panel("Queue entries", "entry_count", by, _names(choices), hour_tips),
                heat_panel("Queue time, 90th percentile", "queue_p90_seconds", by, _names(choices), hour_tips),
            ),
        ),
        Chart(
            name="queue-by-hour-of-week",
            section="Queue",
            title="Queue by hour of the week",
            definition="90th percentile of the wait of the entries that a person answered, by weekday and hour of entering on "
            f"the account's clocks: the stronger the colour, the longer nine in ten waited at most. {FEW} "
            "Nothing there: there was none.",
            query=Query(
                ENTRIES, ("weekday", "local_hour"), None, hour_waits, condition="local_hour is not null", is_of_all_skills=True
            ),
            unsplit="Not split by skill: it would make the page of a year too large. The hours of a skill are above.",
            panels=(
                heat_panel(None, "queue_p90_seconds", "weekday", list(range(1, 8)), ["weekday", "local_hour", *hour_waits]),
            ),
        ),
    ]


def _service_level(service_level: str) -> list[Chart]:
    levels = (
        "service_level_share",
        "abandoned_share",
        "answered_count",
        "within_count",
        "abandoned_count",
        "short_abandon_count",
    )
    level_tips = ["local_date", "account_id", *levels]
    return [
        Chart(
            name="service-level-by-day",
            section="Queue",
            title="Service level and abandonment",
            definition=f"{service_level} Abandoned: of the entries that were answered or abandoned, the share of those that "
            f"were abandoned. Both are of people; bots stand apart. {ENTERED}",
            query=Query(ENTRIES, ("local_date",), "account", levels),
            panels=(
                line_panel("Service level", "service_level_share", level_tips, SHARE),
                line_panel("Abandoned", "abandoned_share", level_tips, {**SHARE, "scale": {"zero": True}}),
            ),
        ),
    ]


def _bots(choices: Choices) -> list[Chart]:
    entries = ("entry_count", "answered_count", "abandoned_count", "moved_count", "queue_p90_seconds")
    bots = (
        "bot_count",
        "contained_count",
        "containment_share",
        "gave_up_count",
        "person_wait_count",
        "person_wait_p50_seconds",
        "person_wait_p90_seconds",
    )
    tips = ["local_date", "account_id", *bots]
    return [
        Chart(
            name="bot-entries-by-day",
            section="Bots",
            title="Queue entries of bots",
            definition="Entries into the queue of a bot's skill, and those that a bot answered. They are in no figure of "
            f"people. {ENTERED}",
            query=Query(BOT_ENTRIES, ("local_date",), "account", entries),
            panels=(
                line_panel("Queue entries", "entry_count", ["local_date", "account_id", *entries], COUNT),
                line_panel("Queue time, 90th percentile", "queue_p90_seconds", ["local_date", "account_id", *entries]),
            ),
        ),
        Chart(
            name="bot-entries-by-skill",
            section="Bots",
            title="Queue entries of bots by skill",
            definition="The same by the skill whose queue it was.",
            query=Query(BOT_ENTRIES, (), skill_spread(choices), entries),
        ),
        Chart(
            name="bots-by-day",
            section="Bots",
            title="Containment",
            definition="Of the conversations that began with a bot, the share that never reached a person, with those who "
            "gave up in a queue of people; and the time from the start to the first person of the others. The skill is the "
            f"bot's. {STARTED}",
            query=Query(BOT_CONVERSATIONS, ("local_date",), "account", bots),
            panels=(
                line_panel("Containment", "containment_share", tips, SHARE),
                line_panel("To the first person, median", "person_wait_p50_seconds", tips),
            ),
        ),
    ]


def _responses() -> list[Chart]:
    replies = ("first_reply_count", "first_reply_p50_seconds", "first_reply_p90_seconds")
    responses = ("timed_count", "response_p50_seconds", "response_p90_seconds")
    tips = ["local_date", "account_id", *replies, *responses]
    return [
        Chart(
            name="response-by-day",
            section="Response times",
            title="Response times",
            definition="First reply: from the visitor's first line to a person's answer that is the conversation's first, so a "
            "wait in the queue counts. Every response: from the first line of each run of the visitor's lines to a person's "
            "answer. The skill is that of the segment; days are those of the answer, on the account's clocks.",
            query=Query(RESPONSES, ("local_date",), "account", (*replies, *responses)),
            panels=(
                line_panel("First reply, median", "first_reply_p50_seconds", tips),
                line_panel("First reply, 90th percentile", "first_reply_p90_seconds", tips),
                line_panel("Every response, median", "response_p50_seconds", tips),
                line_panel("Every response, 90th percentile", "response_p90_seconds", tips),
            ),
        ),
    ]


def _transfers(choices: Choices) -> list[Chart]:
    columns = ("transfer_count", "entry_count", "answered_count", "abandoned_count", "queued_count", "queue_p50_seconds")
    names = [option.name for option in choices.skills]
    return [
        Chart(
            name="transfers",
            section="Transfers",
            title="Transfers from skill to skill",
            definition="How often people passed a conversation on, bots left out: from the skill of the row to that of the "
            "column. On the diagonal it went back to the queue of its own skill or to another agent of it. Queue entries are "
            f"the transfers into a queue of people. With a skill chosen: the transfers from it and to it. {STARTED}"
            + (f" {SHARED_SKILLS}" if choices.has_shared_skills else ""),
            query=Query(TRANSFERS, (), "flow", columns),
            panels=(matrix_panel("transfer_count", names, ["skill_id", "target_skill_id", *columns]),),
        ),
    ]


def _agents() -> list[Chart]:
    by_day = ("agent_count", "engaged_hours", "concurrency", "peak_count")
    by_agent = ("engaged_hours", "engaged_segment_count", "concurrency", "peak_count")
    day_tips = ["local_date", "account_id", *by_day]
    agent_tips = ["agent_id", "account_id", *by_agent]
    unsplit = "Not split by skill: an agent's hours are shared by the conversations of all skills at a time."
    return [
        Chart(
            name="agents-by-day",
            section="Agents",
            title="Agents' load",
            definition="Engaged: hours in which an agent, not a bot, had a conversation of the channel, two at a time counted "
            "once, added up over the agents. Concurrency: conversations at a time while engaged. Days are those of the "
            "account's clocks, by the conversation's hours, not its start.",
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
            definition=f"The {MOST_AGENTS} agents with the most engaged hours, without bots. Segments are parts of "
            "conversations that the agent got. Time online is not in the data, so there is no occupancy.",
            query=Query(ENGAGEMENT, (), "agent", by_agent, most=MOST_AGENTS),
            panels=(
                bar_panel("Engaged hours", "engaged_hours", "agent", agent_tips),
                bar_panel("Concurrency", "concurrency", "agent", agent_tips),
            ),
            unsplit=unsplit,
        ),
        *_agents_quality(),
    ]


def _agents_quality() -> list[Chart]:
    scores = ("conversation_count", "scored_count", "mcs_avg", "mcs_change_avg")
    responses = ("timed_count", "response_p50_seconds", "response_p90_seconds")
    names = ["agent_id", "account_id"]
    unsplit = "Not split by skill."
    few = f"Of fewer than {FEW_CASES} cases a figure says little."
    return [
        Chart(
            name="agents-scores",
            section="Agents",
            title="Agents' scores",
            definition=f"The {MOST_AGENTS} agents who had the most conversations last, without bots: their number, the scored "
            "ones, their mean MCS, and the mean change of the score from the visitor's first line to the last. "
            f"{few} {STARTED}",
            query=Query(AGENT_SCORES, (), "agent", scores, most=MOST_AGENTS),
            panels=(
                bar_panel("Conversations", "conversation_count", "agent", [*names, *scores]),
                bar_panel("MCS, mean", "mcs_avg", "agent", [*names, *scores]),
            ),
            unsplit=unsplit,
        ),
        Chart(
            name="agents-responses",
            section="Agents",
            title="Agents' response times",
            definition=f"The {MOST_AGENTS} agents with the most answers, without bots: from the first line of a run of the "
            f"visitor's lines to the agent's answer; half took at most the median, nine in ten the 90th percentile. {few} "
            "Days are those of the answer.",
            query=Query(AGENT_RESPONSES, (), "agent", responses, most=MOST_AGENTS),
            panels=(
                bar_panel("Response, median (s)", "response_p50_seconds", "agent", [*names, *responses]),
                bar_panel("Response, 90th percentile (s)", "response_p90_seconds", "agent", [*names, *responses]),
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
            unsplit="Not split by channel or skill: a file holds the conversations of all.",
        ),
    ]
