"""Headings and number formats of the report. `page.js` gets them as data; only durations are formatted by code in both."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from pipeline.text import duration, rounded

Cell: TypeAlias = str | int | float | bool | None
Row: TypeAlias = dict[str, Cell]

HEADINGS = {
    "type": "Channel",
    "account_id": "Account",
    "skill_id": "Skill",
    "target_skill_id": "To skill",
    "agent_id": "Agent",
    "date": "Date",
    "local_date": "Local day",
    "local_week": "Week of",
    "local_month": "Month",
    "weekday": "Weekday",
    "local_hour": "Local hour",
    "bucket": "MCS from",
    "conversation_count": "Conversations",
    "entry_count": "Queue entries",
    "answered_count": "Answered",
    "abandoned_count": "Abandoned",
    "abandoned_share": "Abandoned share",
    "moved_count": "Moved on",
    "short_abandon_count": "Left soon",
    "within_count": "In time",
    "service_level_share": "Service level",
    "queued_count": "Answered, n of the wait",
    "queue_p50_seconds": "Queue median (s)",
    "queue_p90_seconds": "Queue p90 (s)",
    "longest_wait_seconds": "Longest wait (s)",
    "people_conversation_count": "Conversations",
    "people_scored_count": "Scored",
    "people_mcs_avg": "MCS mean",
    "people_mcs_p10": "MCS p10",
    "people_mcs_p50": "MCS median",
    "people_mcs_p90": "MCS p90",
    "bot_conversation_count": "Conversations of bots",
    "bot_scored_count": "Scored, bots",
    "bot_mcs_avg": "MCS mean, bots",
    "scored_count": "Scored",
    "mcs_avg": "MCS mean",
    "mcs_change_avg": "MCS change, mean",
    "bot_count": "Began with a bot",
    "contained_count": "Contained",
    "containment_share": "Containment",
    "gave_up_count": "Gave up in people's queue",
    "person_wait_count": "With a wait for a person",
    "person_wait_p50_seconds": "To a person, median (s)",
    "person_wait_p90_seconds": "To a person, p90 (s)",
    "transfer_count": "Transfers",
    "first_reply_count": "First replies",
    "first_reply_p50_seconds": "First reply median (s)",
    "first_reply_p90_seconds": "First reply p90 (s)",
    "timed_count": "Responses",
    "response_p50_seconds": "Response median (s)",
    "response_p90_seconds": "Response p90 (s)",
    "agent_count": "Agents",
    "engaged_segment_count": "Segments",
    "engaged_hours": "Engaged (h)",
    "concurrency": "Concurrency",
    "peak_count": "Most at a time",
    "loaded_count": "Hours loaded",
    "empty_count": "Hours empty",
    "rejected_count": "Hours rejected",
    "missing_count": "Hours missing",
    "unknown_count": "Hours unknown",
    "scope_end_time": "Files reach to (UTC)",
    "newest_end_time": "Newest conversation's end (UTC)",
    "loaded_at": "Newest load (UTC)",
    "file_count": "Files loaded",
    "began_at": "Began (UTC)",
    "command": "Command",
    "result": "Result",
    "exit_code": "Exit code",
    "error": "Kind of error",
    "loaded_files": "Files loaded",
    "conversations": "Conversations loaded",
    "run_seconds": "Took (s)",
    "version": "Version",
    "rejected_file_count": "Files rejected",
    "rejected_document_count": "Documents rejected",
    "superseded_count": "Superseded deliveries",
}
TEXTS = (
    "type",
    "account_id",
    "skill_id",
    "target_skill_id",
    "agent_id",
    "date",
    "local_date",
    "local_week",
    "local_month",
    "weekday",
    "began_at",
    "command",
    "result",
    "error",
    "version",
)
"""Columns that are aligned left."""
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MISSING = "\N{EN DASH}"


class Form(NamedTuple):
    """The format of a number: rounded to `places`, times `scale`, with a unit. `page.js` gets these forms as data."""

    places: int
    scale: int = 1
    unit: str = ""


FORMS = {"count": Form(0), "number": Form(1), "share": Form(3, 100, " %")}


def form_of(column: str) -> str | None:
    """The form of a column's cells, which its name says; None for text."""
    if column.endswith("_share"):
        return "share"
    if column.endswith("_count"):
        return "count"
    if column.endswith(("_seconds", "_hours")) or "mcs_" in column or column == "concurrency":
        return "number"
    return None


def format_count(value: Cell) -> str:
    """12345 as 12,345."""
    return _format(FORMS["count"], value)


def format_number(value: Cell) -> str:
    """One decimal place."""
    return _format(FORMS["number"], value)


def format_share(value: Cell) -> str:
    """0.0731 as 7.3 %."""
    return _format(FORMS["share"], value)


def _format(form: Form, value: Cell) -> str:
    if value is None:
        return MISSING
    digits = form.places - round(math.log10(form.scale))
    return f"{form.scale * rounded(float(value), form.places):,.{digits}f}{form.unit}"


def format_duration(value: Cell) -> str:
    """Seconds in words: 42 s, 1 min 23 s, 2 h 05 min."""
    return MISSING if value is None else duration(float(value))


def format_cell(row: Row, column: str) -> str:
    """A table's cell."""
    value, form = row[column], form_of(column)
    if column == "weekday" and value is not None:
        return WEEKDAYS[int(value) - 1]
    if form is not None:
        return _format(FORMS[form], value)
    return MISSING if value is None else str(value)


FILTERS: dict[str, Callable[..., Any]] = {
    "count": format_count,
    "number": format_number,
    "share": format_share,
    "duration": format_duration,
    "cell": format_cell,
    "heading": HEADINGS.__getitem__,
}
