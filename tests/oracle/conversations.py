"""Conversations one by one: their stages, their measures, who took part, what their codes mean, how they ended."""

import csv
from collections import Counter
from pathlib import Path

import polars as pl

from oracle.responses import AGENT, VISITOR, answer_times, first_reply_seconds
from oracle.shared import (
    DAY,
    KEY,
    Row,
    Tables,
    by_conversation,
    frame_of,
    key_of,
    known,
    mean,
    milliseconds,
    seconds_between,
    share,
    span,
    timing,
)

CODES = Path(__file__).parents[2] / "sql" / "codes"
RULES = {
    "time_zone": "America/New_York",
    "service_level_seconds": 30.0,
    "short_abandon_seconds": 5.0,
    "wait_bounds_seconds": [0.0, 15.0, 30.0, 45.0, 60.0, 90.0, 120.0],
    "mcs_neutral_from": 40.0,
    "mcs_positive_from": 60.0,
    "repeat_bounds_hours": [1.0, 24.0, 72.0, 168.0, 336.0, 720.0],
    "resolution_hours": 72.0,
}


def conversation_times(tables: Tables) -> pl.DataFrame:
    """Conversations with the durations of their stages, in milliseconds and in seconds."""
    connected = pl.col("interaction_start_time").is_not_null()
    left = pl.when(connected).then("queue_end_time").otherwise(pl.coalesce("queue_end_time", "conversation_end_time"))
    frame = tables["conversations"].with_columns(is_connected=connected, is_abandoned=~connected, left_queue_time=left)
    frame = frame.with_columns(
        queue_milliseconds=span("queue_start_time", "left_queue_time"),
        duration_milliseconds=span("conversation_start_time", "conversation_end_time"),
        chat_milliseconds=span("interaction_start_time", "conversation_end_time"),
    )
    frame = frame.with_columns(connected_queue_milliseconds=pl.when("is_connected").then("queue_milliseconds"))
    return frame.with_columns((pl.selectors.ends_with("_milliseconds") / 1000).name.replace("_milliseconds", "_seconds"))


def conversation_rules(tables: Tables) -> pl.DataFrame:
    """The settings are the same for every account."""
    return frame_of(row | RULES for row in conversation_times(tables).iter_rows(named=True))


def conversation_metrics(tables: Tables) -> pl.DataFrame:
    """The contract's columns, conversation by conversation."""
    transcripts, transfers = by_conversation(tables, "messages"), by_conversation(tables, "transfers")
    found = []
    for row in tables["conversations"].iter_rows(named=True):
        key = tuple(row[name] for name in KEY)
        found.append(row | measures(row, transcripts.get(key, []), transfers.get(key, [])))
    return frame_of(found)


def measures(conversation: Row, lines: list[Row], transfers: list[Row]) -> Row:
    """The derived columns of one conversation."""
    connected_at = conversation["interaction_start_time"]
    ended_at = conversation["conversation_end_time"]
    left_queue_at = conversation["queue_end_time"]
    if connected_at is None and left_queue_at is None:
        left_queue_at = ended_at
    queue = seconds_between(conversation["queue_start_time"], left_queue_at)
    handovers = sum(seconds_between(move["queue_start_time"], move["queue_end_time"]) or 0 for move in transfers)
    agent_lines = [line for line in lines if line["type"] in AGENT]
    greetings = known(seconds_between(connected_at, line["timestamp"]) for line in agent_lines)
    responses = answer_times(lines)
    timed = known(responses)
    return {
        "is_connected": connected_at is not None,
        "is_abandoned": connected_at is None,
        "queue_seconds": queue,
        "transfer_count": len(transfers),
        "transfer_queue_seconds": float(handovers),
        "total_queue_seconds": None if queue is None else queue + handovers,
        "duration_seconds": seconds_between(conversation["conversation_start_time"], ended_at),
        "chat_seconds": seconds_between(connected_at, ended_at),
        "visitor_line_count": sum(line["type"] == VISITOR for line in lines),
        "agent_line_count": len(agent_lines),
        "first_response_seconds": min(greetings, default=None),
        "first_reply_seconds": first_reply_seconds(lines),
        "response_count": len(responses),
        "response_avg_seconds": mean(timed),
        "response_max_seconds": max(timed, default=None),
    }


def conversation_interactivity(tables: Tables) -> pl.DataFrame:
    """Walk each transcript for who wrote, and for a visitor's line after one of an agent."""
    transcripts = by_conversation(tables, "messages")
    found = []
    for row in tables["conversations"].iter_rows(named=True):
        sides = [line["type"] for line in transcripts.get(tuple(row[name] for name in KEY), [])]
        agents = [place for place, side in enumerate(sides) if side in AGENT]
        has_answered = VISITOR in sides[agents[0] :] if agents else False
        is_connected = row["interaction_start_time"] is not None
        found.append(
            key_of(row)
            | {
                "type": row["type"],
                "is_connected": is_connected,
                "chat_milliseconds": milliseconds(row["interaction_start_time"], row["conversation_end_time"]),
                "is_interactive": row["is_interactive"],
                "has_visitor_line": VISITOR in sides,
                "is_interactive_recomputed": has_answered if row["type"] == "MESSAGING" else VISITOR in sides,
                "is_non_responsive": is_connected and VISITOR in sides and not agents,
            }
        )
    return frame_of(found)


def handling_daily(tables: Tables) -> pl.DataFrame:
    """Flag and transcript, and how long chats took."""
    frame = conversation_interactivity(tables).filter("is_connected")
    flag, recomputed, chat = pl.col("is_interactive"), pl.col("is_interactive_recomputed"), pl.col("chat_seconds")
    frame = frame.with_columns(chat_seconds=pl.col("chat_milliseconds") / 1000)
    frame = frame.group_by(DAY).agg(
        connected_count=pl.len(),
        interactive_count=flag.sum(),
        interactive_recomputed_count=recomputed.sum(),
        flag_differs_count=flag.ne_missing(recomputed).sum(),
        wrote_count=pl.col("has_visitor_line").sum(),
        non_responsive_count=pl.col("is_non_responsive").sum(),
        **timing("chat", "chat_seconds"),
        chat_total_seconds=chat.sum(),
        interactive_chat_count=chat.filter(flag).count(),
        interactive_chat_total_seconds=chat.filter(flag).sum(),
        interactive_chat_avg_seconds=chat.filter(flag).mean(),
    )
    return frame.with_columns(
        interactive_share=share(pl.col("interactive_count"), pl.col("connected_count")),
        non_responsive_share=share(pl.col("non_responsive_count"), pl.col("wrote_count")),
    )


def labels(name: str) -> dict[str, str]:
    """The vendor's words for the codes of a list."""
    with (CODES / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        return {row["code"]: row["label"] for row in csv.DictReader(lines)}


def in_words(codes: pl.Series, words: dict[str, str]) -> pl.Series:
    """The labels of codes; a code that the list lacks is unknown, none has no label."""
    return pl.Series([None if code is None else words.get(str(code), "unknown") for code in codes], dtype=pl.String)


def conversation_labels(tables: Tables) -> pl.DataFrame:
    """Both reasons in words."""
    frame = tables["conversations"]
    return frame.with_columns(
        start_reason_label=in_words(frame["start_reason_id"], labels("start_reason")),
        end_reason_label=in_words(frame["end_reason_id"], labels("end_reason")),
    )


def message_labels(tables: Tables) -> pl.DataFrame:
    """The types of lines in words."""
    frame = tables["messages"]
    return frame.with_columns(type_label=in_words(frame["type"], labels("message_type")))


def end_reason_daily(tables: Tables) -> pl.DataFrame:
    """Conversations counted by reason."""
    names = [*DAY, "end_reason_id", "end_reason_label"]
    counts = Counter(conversation_labels(tables).select(names).iter_rows())
    return frame_of(dict(zip(names, key, strict=True)) | {"conversation_count": count} for key, count in counts.items())


def closed_by_daily(tables: Tables) -> pl.DataFrame:
    """The vendor's groups of end reasons."""
    reason = pl.col("end_reason_id")
    listed = reason.is_in([101, 106, 201, 202, 205, 208, 210]).fill_null(value=False)
    counts = {
        "agent": reason.is_in([201, 202]).sum(),
        "visitor": reason.is_in([205, 208, 210]).sum(),
        "system": reason.is_in([101, 106]).sum(),
        "unknown": (~listed).sum(),
    }
    named = {f"{name}_count": count for name, count in counts.items()}
    frame = tables["conversations"].group_by(DAY).agg(conversation_count=pl.len(), **named)
    return frame.with_columns(**{f"{name}_share": pl.col(f"{name}_count") / pl.col("conversation_count") for name in counts})
