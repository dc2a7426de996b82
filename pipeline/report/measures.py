"""The report's measures by name, for each view that it reads: aggregates of the view's rows.

The same texts make the numbers and the SQL shown beside them. What a measure means is defined by the views that it follows,
which `tests/report/test_numbers.py` holds it against; percentiles are always taken from the single rows.
"""

from dataclasses import dataclass, field

IS_WITHIN = "is_connected and queue_milliseconds <= service_level_seconds * 1000"
IS_ANSWERED = "outcome = 'answered'"
IS_SHORT = "is_abandoned and queue_milliseconds < short_abandon_seconds * 1000"


@dataclass(frozen=True)
class Source:
    """A view: `day` is the column that a period is applied to, `kept` the columns that measures and keys need."""

    view: str
    day: str
    kept: str
    measures: dict[str, str]
    keys: dict[str, str] = field(default_factory=dict)
    """Keys that are no column of the view, as SQL."""
    has_skill: bool = True

    @property
    def table(self) -> str:
        """The name of the temporary table with the view's rows."""
        return f"report_{self.view}"


CONVERSATIONS = Source(
    view="conversation_rules",
    day="date",
    kept="date, conversation_start_time, is_connected, is_abandoned, queue_milliseconds, connected_queue_milliseconds, mcs, "
    "service_level_seconds, short_abandon_seconds",
    measures={
        "conversation_count": "count(*)",
        "connected_count": "count(*) filter (where is_connected)",
        "abandoned_count": "count(*) filter (where is_abandoned)",
        "abandoned_share": "count(*) filter (where is_abandoned) / count(*)",
        "short_abandon_count": f"count(*) filter (where {IS_SHORT})",
        "within_count": f"count(*) filter (where {IS_WITHIN})",
        "service_level_share": f"count(*) filter (where {IS_WITHIN})\n"
        f"        / nullif(count(*) - count(*) filter (where {IS_SHORT}), 0)",
        "service_level_count": f"count(*) - count(*) filter (where {IS_SHORT})",
        "queue_count": "count(connected_queue_milliseconds)",
        "queue_p50_seconds": "quantile_cont(connected_queue_milliseconds, 0.5) / 1000",
        "queue_p90_seconds": "quantile_cont(connected_queue_milliseconds, 0.9) / 1000",
        "scored_count": "count(mcs)",
        "mcs_avg": "avg(mcs)",
        "mcs_p10": "quantile_cont(mcs, 0.1)",
        "mcs_p50": "quantile_cont(mcs, 0.5)",
        "mcs_p90": "quantile_cont(mcs, 0.9)",
    },
    keys={
        "weekday": "isodow(make_timestamp(epoch_us(conversation_start_time)))",
        "hour": "hour(make_timestamp(epoch_us(conversation_start_time)))",
        "bucket": "least(floor(mcs)::integer // 10 * 10, 90)",
    },
)

RESPONSES = Source(
    view="named_responses",
    day="date",
    kept="date, response_number, response_milliseconds",
    measures={
        "first_reply_count": "count(response_milliseconds) filter (where response_number = 1)",
        "first_reply_p50_seconds": "quantile_cont(response_milliseconds, 0.5) filter (where response_number = 1) / 1000",
        "first_reply_p90_seconds": "quantile_cont(response_milliseconds, 0.9) filter (where response_number = 1) / 1000",
        "timed_count": "count(response_milliseconds)",
        "response_p50_seconds": "quantile_cont(response_milliseconds, 0.5) / 1000",
        "response_p90_seconds": "quantile_cont(response_milliseconds, 0.9) / 1000",
    },
)

TRANSFERS = Source(
    view="named_transfers",
    day="date",
    kept="date, target_skill_id, outcome, wait_milliseconds",
    measures={
        "transfer_count": "count(*)",
        "queued_count": f"count(wait_milliseconds) filter (where {IS_ANSWERED})",
        "queue_p50_seconds": f"quantile_cont(wait_milliseconds, 0.5) filter (where {IS_ANSWERED}) / 1000",
        "queue_p90_seconds": f"quantile_cont(wait_milliseconds, 0.9) filter (where {IS_ANSWERED}) / 1000",
    },
)

ENGAGEMENT = Source(
    view="agent_engagement_local_daily",
    day="local_date",
    kept="account_id, local_date, agent_id, segment_count, engaged_seconds, engaged_total_seconds, peak_count",
    measures={
        "agent_count": "count(distinct (account_id, agent_id))",
        "segment_count": "sum(segment_count)::bigint",
        "engaged_hours": "sum(engaged_seconds) / 3600",
        "concurrency": "sum(engaged_total_seconds) / nullif(sum(engaged_seconds), 0)",
        "peak_count": "max(peak_count)",
    },
    has_skill=False,
)

HOURS = Source(
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
    has_skill=False,
)

SOURCES = (CONVERSATIONS, RESPONSES, TRANSFERS, ENGAGEMENT, HOURS)
