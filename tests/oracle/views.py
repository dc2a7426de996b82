"""The second implementation of every view: a function from the model of a lake to rows, and the columns of the view's key."""

from collections.abc import Callable
from typing import Any, Final

from oracle import (
    agents,
    bots,
    dimensions,
    handling,
    intervals,
    mcs,
    periods,
    queue,
    repeats,
    responses,
    sources,
    topics,
    transfers,
)
from oracle.calendar import PERIODS, PeriodView
from oracle.model import Model, Row

View = tuple[Callable[[Model], list[Row]], tuple[str, ...]]


def twins(name: str, view: PeriodView, *key: str, kinds: str = "daily local_daily weekly monthly") -> dict[str, View]:
    """A daily view and its twins; the key is that of the account, the day, the type and these columns."""
    stem = name.removesuffix("daily")

    def of(kind: str) -> Callable[[Model], list[Row]]:
        return lambda model: periods.with_days(model, PERIODS[kind], view(model, PERIODS[kind]))

    return {f"{stem}{kind}": (of(kind), ("account_id", PERIODS[kind].column, "type", *key)) for kind in kinds.split()}


CONVERSATION: Final = ("account_id", "conversation_id", "date")
VIEWS: Final[dict[str, View]] = {
    **twins("queue_time_daily", queue.queue_time_daily),
    "queue_time_hourly": (queue.queue_time_hourly, ("account_id", "hour", "type")),
    "queue_time_by_skill": (queue.queue_time_by_skill, ("account_id", "skill_id", "type")),
    **twins("queue_by_skill_daily", queue.queue_by_skill_daily, "skill_id", "is_bot"),
    **twins("service_level_daily", queue.service_level_daily),
    **twins("abandonment_daily", queue.abandonment_daily),
    **twins("wait_histogram_daily", queue.wait_histogram_daily, "lower_seconds"),
    "queue_by_interval": (intervals.queue_by_interval, ("account_id", "skill_id", "type", "is_bot", "interval_start")),
    "queue_intervals": (intervals.queue_intervals, ("account_id", "type", "interval_start")),
    "arrivals_by_interval": (intervals.arrivals_by_interval, ("account_id", "type", "interval_start")),
    "arrivals_hourly": (intervals.arrivals_hourly, ("account_id", "type", "hour")),
    "queue_length": (intervals.queue_length, ("account_id", "type", "interval_start")),
    "mcs_distribution": twins("mcs_distribution_daily", mcs.mcs_distribution, "bucket")["mcs_distribution_daily"],
    **twins("mcs_distribution_daily", mcs.mcs_distribution, "bucket", kinds="local_daily weekly monthly"),
    **twins("mcs_daily", mcs.mcs_daily),
    **twins("mcs_band_daily", mcs.mcs_band_daily, "is_bot"),
    "mcs_by_agent": (mcs.mcs_by_agent, ("account_id", "agent_id", "type", "is_bot")),
    **twins("mcs_by_agent_daily", mcs.mcs_by_agent_daily, "agent_id", "is_bot"),
    **twins("mcs_by_skill_daily", mcs.mcs_by_skill_daily, "skill_id", "is_bot"),
    "mcs_by_skill": (mcs.mcs_by_skill, ("account_id", "skill_id", "type", "is_bot")),
    "mcs_movement": (mcs.mcs_movement, CONVERSATION),
    **twins("mcs_movement_daily", mcs.mcs_movement_daily, "is_bot"),
    "mcs_movement_by_agent": (mcs.mcs_movement_by_agent, ("account_id", "agent_id", "type", "is_bot")),
    **twins("mcs_movement_by_agent_daily", mcs.mcs_movement_by_agent, "agent_id", "is_bot"),
    **twins("mcs_movement_by_skill_daily", mcs.mcs_movement_by_skill, "skill_id", "is_bot"),
    **twins("closed_by_daily", handling.closed_by_daily, "ended_with_bot"),
    **twins("end_reason_daily", handling.end_reason_daily, "ended_with_bot", "end_reason_id"),
    **twins("handling_daily", handling.handling_daily, "is_bot"),
    "conversation_labels": (handling.conversation_labels, CONVERSATION),
    "message_labels": (handling.message_labels, (*CONVERSATION, "position")),
    "repeat_contact": (repeats.repeat_contact, CONVERSATION),
    **twins("repeat_contact_daily", repeats.repeat_contact_daily, "ended_with_bot"),
    **twins("repeat_contact_by_agent_daily", repeats.repeat_contact_by_agent, "agent_id", "ended_with_bot"),
    **twins("repeat_contact_by_skill_daily", repeats.repeat_contact_by_skill, "skill_id", "ended_with_bot"),
    "repeat_contact_by_agent": (repeats.repeat_contact_by_agent, ("account_id", "agent_id", "type", "ended_with_bot")),
    "repeat_contact_by_skill": (repeats.repeat_contact_by_skill, ("account_id", "skill_id", "type", "ended_with_bot")),
    "bot_conversations": (bots.bot_conversations, CONVERSATION),
    **twins("bot_daily", bots.bot_daily),
    **twins("bot_by_skill_daily", bots.bot_by_skill, "skill_id"),
    **twins("response_time_daily", responses.response_time_daily, "is_bot"),
    **twins("response_sla_daily", responses.response_sla_daily, "is_bot", "bound_seconds"),
    **twins("first_response_daily", responses.first_response_daily, "is_bot"),
    **twins("consumer_response_daily", responses.consumer_response_daily, "is_bot"),
    **twins("talk_daily", responses.talk_daily, "is_bot"),
    **twins("segment_daily", agents.segment_daily, "agent_id", "skill_id", "is_bot"),
    **twins("agent_daily", agents.agent_daily, "agent_id", "is_bot"),
    **twins("skill_daily", agents.skill_daily, "skill_id", "is_bot"),
    **twins("agent_engagement_daily", agents.agent_engagement_daily, "agent_id", "is_bot"),
    **twins("agent_concurrency_daily", agents.agent_concurrency_daily, "agent_id", "is_bot", "concurrent_count"),
    **twins("concurrency_daily", agents.concurrency_daily, "is_bot", "concurrent_count"),
    "staffing_by_interval": (agents.staffing_by_interval, ("account_id", "interval_start", "type", "skill_id", "is_bot")),
    **twins("transfer_daily", transfers.transfer_daily, "is_bot"),
    **twins("agent_transfer_daily", transfers.agent_transfer_daily, "agent_id", "skill_id", "is_bot"),
    "transfer_flow": (transfers.transfer_flow, ("account_id", "type", "skill_id", "target_skill_id", "is_bot")),
    **twins("transfer_flow_daily", transfers.transfer_flow, "skill_id", "target_skill_id", "is_bot"),
    **twins("shares_daily", periods.shares_daily, "measure"),
    "change_weekly": (periods.change_weekly, ("account_id", "local_week", "type", "measure")),
    "change_monthly": (periods.change_monthly, ("account_id", "local_month", "type", "measure")),
    "change_by_skill_weekly": (
        periods.change_by_skill_weekly,
        ("account_id", "local_week", "type", "skill_id", "is_bot", "measure"),
    ),
    "unusual_hours": (periods.unusual_hours, ("account_id", "type", "hour")),
    "topic_conversations": (topics.topic_conversations, (*CONVERSATION, "topic")),
    **twins("topic_daily", topics.topic_daily, "topic"),
    "skills": (dimensions.skills, ("account_id", "skill_id")),
    "agents": (dimensions.agents, ("account_id", "agent_id")),
    "campaigns": (dimensions.campaigns, ("account_id", "campaign_id")),
    "accounts": (dimensions.accounts, ("account_id",)),
    "calendar": (dimensions.calendar, ("account_id", "date")),
    "weeks": (periods.weeks, ("account_id", "local_week")),
    "months": (periods.months, ("account_id", "local_month")),
    "source_daily": (sources.source_daily, ("account_id", "scope_date")),
    "source_gaps": (sources.source_gaps, ("account_id", "gap_start_time")),
    "source_freshness": (sources.source_freshness, ("account_id",)),
    "source_hours": (sources.source_hours, ("account_id", "hour")),
    "source_lateness_daily": (sources.source_lateness_daily, ("account_id", "date", "type")),
    "null_share_daily": (sources.null_share_daily, ("account_id", "date", "type")),
    "unknown_fields": (sources.unknown_fields, ("account_id", "field")),
    "bot_by_skill": (bots.bot_by_skill, ("account_id", "skill_id", "type")),
    "mcs_movement_by_skill": (mcs.mcs_movement_by_skill, ("account_id", "skill_id", "type", "is_bot")),
}


def differences(expected: list[Row], found: list[Row], key: tuple[str, ...]) -> list[str]:
    """A line for each row that one of them lacks or has twice, and for each column in which a row differs."""
    ours, theirs = (by_key(rows, key) for rows in (expected, found))
    lines = []
    for identity in sorted(ours.keys() | theirs.keys(), key=str):
        one, other = ours.get(identity, []), theirs.get(identity, [])
        if (len(one), len(other)) != (1, 1):
            lines.append(f"{identity}: {len(one)} rows expected, {len(other)} found")
            continue
        lines += [
            f"{identity}: {column} expected {one[0].get(column, 'no column')!r}, found {other[0].get(column, 'no column')!r}"
            for column in one[0].keys() | other[0].keys()
            if not (column in one[0] and column in other[0] and same(one[0][column], other[0][column]))
        ]
    return lines


def by_key(rows: list[Row], key: tuple[str, ...]) -> dict[tuple[Any, ...], list[Row]]:
    """The rows by the values of their key."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row.get(column, "no column") for column in key), []).append(row)
    return found


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same, and of one kind; two floats within a billionth."""
    if type(one) is not type(other):
        return False
    return abs(one - other) <= 1e-9 * max(1, abs(one)) if isinstance(one, float) else bool(one == other)
