"""The report's measures by name, for each view that it reads: aggregates of the view's rows.

The same texts make the numbers and the SQL shown beside them. They are those of the daily views, over the same steps:
`tests/report/test_charts_and_views.py` holds each chart against its view. Percentiles are always taken from the single rows.
"""

from dataclasses import dataclass, field, replace

IS_SHORT = "outcome = 'abandoned' and wait_milliseconds < short_abandon_milliseconds"
IS_CLOSED = "outcome in ('answered', 'abandoned')"


@dataclass(frozen=True)
class Source:
    """Rows of a view: `day` is the column that a period is applied to, `kept` the columns that measures and keys need.

    Rows for which `condition` does not hold are in no number. A source without a `week` has days in UTC.
    """

    name: str
    view: str
    day: str
    kept: str
    measures: dict[str, str]
    keys: dict[str, str] = field(default_factory=dict)
    """Keys that are no column of the view, as SQL."""
    condition: str | None = None
    week: str | None = "local_week"
    has_skill: bool = True
    has_channel: bool = True

    @property
    def table(self) -> str:
        """The name of the temporary table with the rows."""
        return f"report_{self.name}"


def _entries(name: str, condition: str) -> Source:
    """Queue entries, of people or of bots: two in one number would hide the people's waits behind the bots' answers."""
    return Source(
        name=name,
        view="local_named_entries",
        day="local_date",
        kept="local_date, local_week, local_hour, outcome, wait_milliseconds, answered_milliseconds, "
        "service_level_milliseconds, short_abandon_milliseconds",
        measures={
            "entry_count": "count(*)",
            "answered_count": "count(*) filter (where outcome = 'answered')",
            "abandoned_count": "count(*) filter (where outcome = 'abandoned')",
            "moved_count": "count(*) filter (where outcome = 'moved')",
            "closed_count": f"count(*) filter (where {IS_CLOSED})",
            "abandoned_share": "count(*) filter (where outcome = 'abandoned')\n"
            f"        / nullif(count(*) filter (where {IS_CLOSED}), 0)",
            "short_abandon_count": f"count(*) filter (where {IS_SHORT})",
            "within_count": "count(*) filter (where answered_milliseconds <= service_level_milliseconds)",
            "service_level_count": f"count(*) filter (where {IS_CLOSED}) - count(*) filter (where {IS_SHORT})",
            "service_level_share": "count(*) filter (where answered_milliseconds <= service_level_milliseconds)\n"
            f"        / nullif(count(*) filter (where {IS_CLOSED}) - count(*) filter (where {IS_SHORT}), 0)",
            "queued_count": "count(answered_milliseconds)",
            "queue_p50_seconds": "quantile_cont(answered_milliseconds, 0.5) / 1000",
            "queue_p90_seconds": "quantile_cont(answered_milliseconds, 0.9) / 1000",
            "longest_wait_seconds": "max(wait_milliseconds) / 1000",
        },
        keys={"weekday": "isodow(local_date)"},
        condition=condition,
    )


ENTRIES = _entries("entries", "not is_bot")
BOT_ENTRIES = _entries("bot_entries", "is_bot")

CONVERSATIONS = Source(
    name="conversations",
    view="local_named_conversations",
    day="local_date",
    kept="local_date, local_week, mcs, mcs_bucket, is_bot",
    measures={
        "conversation_count": "count(*)",
        "people_conversation_count": "count(*) filter (where not is_bot)",
        "people_scored_count": "count(mcs) filter (where not is_bot)",
        "people_mcs_avg": "avg(mcs) filter (where not is_bot)",
        "people_mcs_p10": "quantile_cont(mcs, 0.1) filter (where not is_bot)",
        "people_mcs_p50": "quantile_cont(mcs, 0.5) filter (where not is_bot)",
        "people_mcs_p90": "quantile_cont(mcs, 0.9) filter (where not is_bot)",
        "bot_conversation_count": "count(*) filter (where is_bot)",
        "bot_scored_count": "count(mcs) filter (where is_bot)",
        "bot_mcs_avg": "avg(mcs) filter (where is_bot)",
    },
    keys={"bucket": "mcs_bucket"},
)
"""Scores of the conversations that people had last, and of those that bots had last, in columns of their own."""

AGENT_SCORES = Source(
    name="agent_scores",
    view="local_named_conversations",
    day="local_date",
    kept="account_id, local_date, local_week, agent_id, agent_name, mcs, mcs_change",
    measures={
        "conversation_count": "count(*)",
        "scored_count": "count(mcs)",
        "mcs_avg": "avg(mcs)",
        "mcs_change_avg": "avg(mcs_change)",
    },
    condition="not is_bot and agent_id is not null",
    has_skill=False,
)
"""Scores of conversations by the person who had them last."""

BOT_CONVERSATIONS = Source(
    name="bot_conversations",
    view="local_bot_conversations",
    day="local_date",
    kept="local_date, local_week, reached_person, gave_up, person_wait_milliseconds",
    measures={
        "bot_count": "count(*)",
        "contained_count": "count(*) filter (where not reached_person)",
        "containment_share": "count(*) filter (where not reached_person) / count(*)",
        "gave_up_count": "count(*) filter (where gave_up)",
        "person_wait_count": "count(person_wait_milliseconds)",
        "person_wait_p50_seconds": "quantile_cont(person_wait_milliseconds, 0.5) / 1000",
        "person_wait_p90_seconds": "quantile_cont(person_wait_milliseconds, 0.9) / 1000",
    },
)


def _responses(name: str, condition: str) -> Source:
    """Answers of people, or of bots."""
    return Source(
        name=name,
        view="local_named_responses",
        day="local_date",
        kept="local_date, local_week, response_number, response_milliseconds",
        measures={
            "first_reply_count": "count(response_milliseconds) filter (where response_number = 1)",
            "first_reply_p50_seconds": "quantile_cont(response_milliseconds, 0.5) filter (where response_number = 1) / 1000",
            "first_reply_p90_seconds": "quantile_cont(response_milliseconds, 0.9) filter (where response_number = 1) / 1000",
            "timed_count": "count(response_milliseconds)",
            "response_p50_seconds": "quantile_cont(response_milliseconds, 0.5) / 1000",
            "response_p90_seconds": "quantile_cont(response_milliseconds, 0.9) / 1000",
        },
        condition=condition,
    )


RESPONSES = _responses("responses", "not is_bot")
BOT_RESPONSES = _responses("bot_responses", "is_bot")

AGENT_RESPONSES = replace(
    _responses("agent_responses", "not is_bot and agent_id is not null"),
    kept="account_id, local_date, local_week, agent_id, agent_name, response_number, response_milliseconds",
    has_skill=False,
)

TRANSFERS = Source(
    name="transfers",
    view="local_named_transfers",
    day="local_date",
    kept="local_date, target_skill_id, is_bot_entry, outcome, wait_milliseconds",
    measures={
        "transfer_count": "count(*)",
        "entry_count": "count(*) filter (where not is_bot_entry)",
        "answered_count": "count(*) filter (where not is_bot_entry and outcome = 'answered')",
        "abandoned_count": "count(*) filter (where not is_bot_entry and outcome = 'abandoned')",
        "queued_count": "count(wait_milliseconds) filter (where not is_bot_entry and outcome = 'answered')",
        "queue_p50_seconds": "quantile_cont(wait_milliseconds, 0.5)\n"
        "        filter (where not is_bot_entry and outcome = 'answered') / 1000",
    },
    condition="not is_bot",
)

ENGAGEMENT = Source(
    name="engagement",
    view="agent_engagement_local_daily",
    day="local_date",
    kept="account_id, local_date, local_date - isodow(local_date)::integer + 1 as local_week, agent_id, agent_name, "
    "engaged_segment_count, engaged_seconds, engaged_total_seconds, peak_count",
    measures={
        "agent_count": "count(distinct (account_id, agent_id))",
        "engaged_segment_count": "sum(engaged_segment_count)::bigint",
        "engaged_hours": "round(sum(engaged_seconds), 3) / 3600",  # agents are ordered by it: the same whatever threads add
        "concurrency": "sum(engaged_total_seconds) / nullif(sum(engaged_seconds), 0)",
        "peak_count": "max(peak_count)",
    },
    keys={"local_week": "local_date - isodow(local_date)::integer + 1"},
    condition="not is_bot",
    has_skill=False,
)

HOURS = Source(
    name="source_hours",
    view="source_hours",
    day="date",
    kept="hour, state, make_timestamp(epoch_us(hour))::date as date",
    measures={
        **{
            f"{state}_count": f"count(*) filter (where state = '{state}')"
            for state in ("loaded", "empty", "rejected", "missing", "unknown")
        },
        "first_hour": "hour(make_timestamp(epoch_us(min(hour))))",
        "states": "string_agg(state[1], '' order by hour)",
    },
    keys={"date": "make_timestamp(epoch_us(hour))::date"},
    week=None,
    has_skill=False,
    has_channel=False,
)
