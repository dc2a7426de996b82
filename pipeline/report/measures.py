"""The report's measures by name, for each view that it reads: aggregates of the view's rows.

The same definitions make the numbers, the SQL shown beside them, and what `counting.js` counts for days that a reader chooses.
They are those of the daily views, over the same steps: `tests/report/test_charts_and_views.py` holds each chart against its
view. Percentiles are always taken from the single rows.
"""

from dataclasses import dataclass, field, replace
from typing import TypeAlias

IS_CLOSED = "outcome in ('answered', 'abandoned')"
MILLISECONDS = 1000
UNITS = {"weeks": "local_week", "months": "local_month"}
"""The columns of the first days of lines that are coarser than by day."""


@dataclass(frozen=True)
class Count:
    """The rows for which `where` holds, and whose `column` has a value."""

    where: str = ""
    column: str = ""

    @property
    def sql(self) -> str:
        """The aggregate."""
        return f"count({self.column or '*'})" + _filter(self.where)


@dataclass(frozen=True)
class Ratio:
    """One measure divided by another; NULL where that is 0."""

    parts: "Count | Total"
    cases: "Count | Difference | Total"

    @property
    def sql(self) -> str:
        """Both aggregates."""
        return f"{self.parts.sql}\n        / nullif({self.cases.sql}, 0)"


@dataclass(frozen=True)
class Difference:
    """One count less another."""

    count: Count
    other: Count

    @property
    def sql(self) -> str:
        """Both aggregates."""
        return f"{self.count.sql} - {self.other.sql}"


@dataclass(frozen=True)
class Value:
    """A `kind` of number over a column's values, of the rows for which `where` holds: mean, largest or quantile at `share`.

    Of a column of milliseconds the number is in seconds.
    """

    kind: str
    column: str
    where: str = ""
    share: float = 0

    @property
    def divisor(self) -> int:
        """What the column's unit is divided by."""
        return MILLISECONDS if self.column.endswith("_milliseconds") else 1

    @property
    def sql(self) -> str:
        """The aggregate."""
        call = {"mean": "avg({})", "largest": "max({})", "quantile": "quantile_cont({}, {})"}[self.kind]
        divided = f" / {self.divisor}" if self.divisor > 1 else ""
        return call.format(self.column, self.share) + _filter(self.where) + divided


@dataclass(frozen=True)
class Total:
    """The sum of a column's values; `form` is the SQL around it, with `{}` in its place, `divisor` what that divides it by."""

    column: str
    form: str = "{}"
    divisor: int = 1

    @property
    def sql(self) -> str:
        """The aggregate."""
        return self.form.format(f"sum({self.column})")


@dataclass(frozen=True)
class Other:
    """SQL that only charts by day have, so that no page counts it."""

    sql: str


Measure: TypeAlias = Count | Ratio | Difference | Value | Total | Other


def _filter(where: str) -> str:
    return f" filter (where {where})" if where else ""


def _quantile(column: str, share: float, where: str = "") -> Value:
    return Value("quantile", column, where, share)


ANSWERED = Count("outcome = 'answered'")
ABANDONED = Count("outcome = 'abandoned'")
CLOSED = Count(IS_CLOSED)
SHORT = Count("outcome = 'abandoned' and wait_milliseconds < short_abandon_milliseconds")
WITHIN = Count("answered_milliseconds <= service_level_milliseconds")


@dataclass(frozen=True)
class Source:
    """Rows of a view: `day` is the column that a period is applied to, `kept` the columns that measures and keys need.

    Rows for which `condition` does not hold are in no number. One that is not `is_local` has days in UTC.
    """

    name: str
    view: str
    day: str
    kept: tuple[str, ...]
    measures: dict[str, Measure]
    keys: dict[str, str] = field(default_factory=dict)
    """Keys that are no column of the view, as SQL."""
    condition: str | None = None
    is_local: bool = True
    has_skill: bool = True
    has_channel: bool = True

    @property
    def table(self) -> str:
        """The name of the temporary table with the rows, which sources of one view share."""
        return f"report_{self.view}"


def _entries(name: str, condition: str) -> Source:
    """Queue entries, of people or of bots: two in one number would hide the people's waits behind the bots' answers."""
    return Source(
        name=name,
        view="local_named_entries",
        day="local_date",
        kept=(
            *(
                "local_date",
                "local_week",
                "local_month",
                "local_hour",
                "is_bot",
                "outcome",
                "wait_milliseconds",
                "answered_milliseconds",
            ),
            *("service_level_milliseconds", "short_abandon_milliseconds"),
        ),
        measures={
            "entry_count": Count(),
            "answered_count": ANSWERED,
            "abandoned_count": ABANDONED,
            "moved_count": Count("outcome = 'moved'"),
            "closed_count": CLOSED,
            "abandoned_share": Ratio(ABANDONED, CLOSED),
            "short_abandon_count": SHORT,
            "within_count": WITHIN,
            "service_level_count": Difference(CLOSED, SHORT),
            "service_level_share": Ratio(WITHIN, Difference(CLOSED, SHORT)),
            "queued_count": Count(column="answered_milliseconds"),
            "queue_p50_seconds": _quantile("answered_milliseconds", 0.5),
            "queue_p90_seconds": _quantile("answered_milliseconds", 0.9),
            "longest_wait_seconds": Value("largest", "wait_milliseconds"),
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
    kept=("local_date", "local_week", "local_month", "mcs", "mcs_bucket", "is_bot"),
    measures={
        "conversation_count": Count(),
        "people_conversation_count": Count("not is_bot"),
        "people_scored_count": Count("not is_bot", "mcs"),
        "people_mcs_avg": Value("mean", "mcs", "not is_bot"),
        "people_mcs_p10": _quantile("mcs", 0.1, "not is_bot"),
        "people_mcs_p50": _quantile("mcs", 0.5, "not is_bot"),
        "people_mcs_p90": _quantile("mcs", 0.9, "not is_bot"),
        "bot_conversation_count": Count("is_bot"),
        "bot_scored_count": Count("is_bot", "mcs"),
        "bot_mcs_avg": Value("mean", "mcs", "is_bot"),
    },
    keys={"bucket": "mcs_bucket"},
)
"""Scores of the conversations that people had last, and of those that bots had last, in columns of their own."""

AGENT_SCORES = Source(
    name="agent_scores",
    view="local_named_conversations",
    day="local_date",
    kept=("account_id", "local_date", "local_week", "local_month", "agent_id", "agent_name", "is_bot", "mcs", "mcs_change"),
    measures={
        "conversation_count": Count(),
        "scored_count": Count(column="mcs"),
        "mcs_avg": Value("mean", "mcs"),
        "mcs_change_avg": Value("mean", "mcs_change"),
    },
    condition="not is_bot and agent_id is not null",
    has_skill=False,
)
"""Scores of conversations by the person who had them last."""

BOT_CONVERSATIONS = Source(
    name="bot_conversations",
    view="local_bot_conversations",
    day="local_date",
    kept=("local_date", "local_week", "local_month", "reached_person", "gave_up", "person_wait_milliseconds"),
    measures={
        "bot_count": Count(),
        "contained_count": Count("not reached_person"),
        "containment_share": Ratio(Count("not reached_person"), Count()),
        "gave_up_count": Count("gave_up"),
        "person_wait_count": Count(column="person_wait_milliseconds"),
        "person_wait_p50_seconds": _quantile("person_wait_milliseconds", 0.5),
        "person_wait_p90_seconds": _quantile("person_wait_milliseconds", 0.9),
    },
)


def _responses(name: str, condition: str) -> Source:
    """Answers of people, or of bots."""
    return Source(
        name=name,
        view="local_named_responses",
        day="local_date",
        kept=("local_date", "local_week", "local_month", "is_bot", "response_number", "response_milliseconds"),
        measures={
            "first_reply_count": Count("response_number = 1", "response_milliseconds"),
            "first_reply_p50_seconds": _quantile("response_milliseconds", 0.5, "response_number = 1"),
            "first_reply_p90_seconds": _quantile("response_milliseconds", 0.9, "response_number = 1"),
            "timed_count": Count(column="response_milliseconds"),
            "response_p50_seconds": _quantile("response_milliseconds", 0.5),
            "response_p90_seconds": _quantile("response_milliseconds", 0.9),
        },
        condition=condition,
    )


RESPONSES = _responses("responses", "not is_bot")
BOT_RESPONSES = _responses("bot_responses", "is_bot")

AGENT_RESPONSES = replace(
    _responses("agent_responses", "not is_bot and agent_id is not null"),
    kept=(
        "account_id",
        "local_date",
        "local_week",
        "is_bot",
        "agent_id",
        "agent_name",
        "response_number",
        "response_milliseconds",
    ),
    has_skill=False,
)

IS_ANSWERED_TRANSFER = "not is_bot_entry and outcome = 'answered'"
TRANSFERS = Source(
    name="transfers",
    view="local_named_transfers",
    day="local_date",
    kept=("local_date", "target_skill_id", "is_bot", "is_bot_entry", "outcome", "wait_milliseconds"),
    measures={
        "transfer_count": Count(),
        "entry_count": Count("not is_bot_entry"),
        "answered_count": Count(IS_ANSWERED_TRANSFER),
        "abandoned_count": Count("not is_bot_entry and outcome = 'abandoned'"),
        "queued_count": Count(IS_ANSWERED_TRANSFER, "wait_milliseconds"),
        "queue_p50_seconds": _quantile("wait_milliseconds", 0.5, IS_ANSWERED_TRANSFER),
    },
    condition="not is_bot",
)

_WEEK, _MONTH = "local_date - isodow(local_date)::integer + 1", "date_trunc('month', local_date)::date"
ENGAGEMENT = Source(
    name="engagement",
    view="agent_engagement_local_daily",
    day="local_date",
    kept=(
        *("account_id", "local_date", f"{_WEEK} as local_week", f"{_MONTH} as local_month", "is_bot", "agent_id"),
        *("agent_name", "engaged_segment_count", "engaged_seconds", "engaged_total_seconds", "peak_count"),
    ),
    measures={
        "agent_count": Other("count(distinct (account_id, agent_id))"),
        "engaged_segment_count": Total("engaged_segment_count", "{}::bigint"),
        "engaged_hours": Total(
            "engaged_seconds", "round({}, 3) / 3600", 3600
        ),  # agents stand in its order: rounded, it is the same each time
        "concurrency": Ratio(Total("engaged_total_seconds"), Total("engaged_seconds")),
        "peak_count": Value("largest", "peak_count"),
    },
    keys={"local_week": _WEEK, "local_month": _MONTH},
    condition="not is_bot",
    has_skill=False,
)

HOURS = Source(
    name="source_hours",
    view="source_hours",
    day="date",
    kept=("hour", "state", "make_timestamp(epoch_us(hour))::date as date"),
    measures={
        **{f"{state}_count": Count(f"state = '{state}'") for state in ("loaded", "empty", "rejected", "missing", "unknown")},
        "first_hour": Other("hour(make_timestamp(epoch_us(min(hour))))"),
        "states": Other("string_agg(state[1], '' order by hour)"),
    },
    keys={"date": "make_timestamp(epoch_us(hour))::date"},
    is_local=False,
    has_skill=False,
    has_channel=False,
)
