"""Views of conversations: who ended them, why, and how long chats took."""

import csv
from functools import cache
from typing import Final

from places import ROOT

from oracle.calendar import Period
from oracle.mcs import day_of
from oracle.measures import columns_of, grouped, known, share, timing
from oracle.model import Model, Row, conversation_key

CODES: Final = ROOT / "sql" / "codes"
CLOSED_BY: Final = {201: "agent", 202: "agent", 205: "visitor", 208: "visitor", 210: "visitor", 101: "system", 106: "system"}
"""Who ended a conversation, by the vendor's code; all others are unknown."""


@cache
def labels(name: str) -> dict[str, str]:
    """The vendor's words for the codes of a list."""
    with (CODES / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        return {row["code"]: row["label"] for row in csv.DictReader(lines)}


def in_words(code: int | str | None, words: dict[str, str]) -> str | None:
    """The label of a code; a code that the list lacks is unknown, none has no label."""
    return None if code is None else words.get(str(code), "unknown")


def closed_by_daily(model: Model, period: Period) -> list[Row]:
    """Conversations by who ended them."""
    key = ("account_id", period.column, "type", "ended_with_bot")
    rows = [day_of(model, row, period) | {"ended_with_bot": model.ended_with_bot(row)} for row in model.conversation_metrics]
    found = []
    for values, group in grouped(rows, columns_of(*key)).items():
        closers = [CLOSED_BY.get(row["end_reason_id"], "unknown") for row in group]
        counts = {name: closers.count(name) for name in ("agent", "visitor", "system", "unknown")}
        found.append(
            dict(zip(key, values, strict=True))
            | {"conversation_count": len(group)}
            | {f"{name}_closed_count": count for name, count in counts.items()}
            | {f"{name}_closed_share": share(count, len(group)) for name, count in counts.items()}
        )
    return found


def end_reason_daily(model: Model, period: Period) -> list[Row]:
    """Conversations by end reason."""
    words = labels("end_reason")
    key = ("account_id", period.column, "type", "ended_with_bot", "end_reason_id")
    rows = [day_of(model, row, period) | {"ended_with_bot": model.ended_with_bot(row)} for row in model.conversation_metrics]
    return [
        dict(zip(key, values, strict=True)) | {"end_reason_label": in_words(values[4], words), "conversation_count": len(group)}
        for values, group in grouped(rows, columns_of(*key)).items()
    ]


def conversation_labels(model: Model) -> list[Row]:
    """Conversations with their reasons in words, and with names."""
    names = (
        *("account_id", "conversation_id", "date", "type", "conversation_start_time", "conversation_end_time"),
        *("skill_id", "agent_id", "start_reason_id", "end_reason_id"),
    )
    return [
        {name: row[name] for name in names}
        | {f"{reason}_label": in_words(row[f"{reason}_id"], labels(reason)) for reason in ("start_reason", "end_reason")}
        | {"skill_name": model.skill_name(row), "agent_name": model.agent_name(row)}
        for row in model.conversation_metrics
    ]


def message_labels(model: Model) -> list[Row]:
    """Lines with their types in words, and with names."""
    names = (
        *("account_id", "conversation_id", "date", "position", "timestamp", "sent_by", "type", "agent_id"),
        *("content_format", "text"),
    )
    return [
        {name: row[name] for name in names}
        | {"type_label": in_words(row["type"], labels("message_type")), "agent_name": model.agent_name(row)}
        for row in model.messages
    ]


def chat_times(prefix: str, rows: list[Row], of: str) -> Row:
    """How many of these conversations have a time from connection to end, and those times."""
    times = known(row["chat_seconds"] for row in rows)
    return {f"{prefix}_count": len(times), **timing(prefix, [1000 * time for time in times], of=of)}


def own_part(model: Model, segments: list[Row], conversation: Row) -> Row:
    """Whether bots alone had a conversation; lines and time of its people, or of its bots where there was nobody else."""
    of_bots = [segment for segment in segments if model.is_bot(segment)]
    is_bot = bool(segments) and len(of_bots) == len(segments)
    own = of_bots if is_bot else [segment for segment in segments if not model.is_bot(segment)]
    times = known(segment["engaged_milliseconds"] for segment in own)
    others = 0 if is_bot else sum(segment["agent_line_count"] for segment in of_bots)
    return {
        "is_bot": is_bot,
        "own_line_count": conversation["agent_line_count"] - others,
        "engaged": sum(times) if times else None,
    }


def agent_times(rows: list[Row]) -> Row:
    """How many of these conversations have a time of their agents, and those times."""
    times = known(row["engaged"] for row in rows)
    return {"handling_count": len(times), **timing("handling", times, of="sum avg")}


def handling_daily(model: Model, period: Period) -> list[Row]:
    """Connected conversations, those of bots alone apart: interactive, without an answer, how long, and agents' time."""
    key = ("account_id", period.column, "type", "is_bot")
    segments = grouped(model.segments, conversation_key)
    rows = [
        day_of(model, row, period) | own_part(model, segments.get(conversation_key(row), []), row)
        for row in model.conversation_metrics
        if row["is_connected"]
    ]
    found = []
    for values, group in grouped(rows, columns_of(*key)).items():
        interactive = [row for row in group if row["was_interactive"]]
        wrote = [row for row in group if row["visitor_line_count"] > 0]
        without_answer = sum(row["own_line_count"] == 0 for row in wrote)
        found.append(
            dict(zip(key, values, strict=True))
            | {
                "connected_count": len(group),
                "interactive_count": len(interactive),
                "interactive_share": share(len(interactive), len(group)),
                "wrote_conversation_count": len(wrote),
                "non_responsive_conversation_count": without_answer,
                "non_responsive_conversation_share": share(without_answer, len(wrote)),
                **agent_times(group),
                **chat_times("chat", group, "sum avg p50 p90"),
                **chat_times("interactive_chat", interactive, "sum avg"),
            }
        )
    return found
