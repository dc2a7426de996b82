"""Second implementation of agents and skills: segments of conversations, time engaged, and their work day by day."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from oracle.responses import AGENT, responses
from oracle.shared import (
    DAY,
    KEY,
    ZONE,
    Row,
    Tables,
    by_conversation,
    frame_of,
    grouped,
    known,
    mean,
    midnight,
    milliseconds,
    quantile,
    ratio,
    seconds_between,
)

FAR = datetime.max.replace(tzinfo=UTC)


def walked(tables: Tables) -> Iterator[Row]:
    """Walk each connected conversation from transfer to transfer."""
    moves = by_conversation(tables, "transfers")
    for row in tables["conversations"].filter(pl.col("interaction_start_time").is_not_null()).iter_rows(named=True):
        key = tuple(row[column] for column in KEY)
        visited: list[int | None] = []
        begins, assigned = row["interaction_start_time"], row["interaction_start_time"]
        for number, move in enumerate([*moves.get(key, []), None], 1):
            closing = move or row
            segment = dict(zip(KEY, key, strict=True)) | {
                "segment_number": number,
                "is_last": move is None,
                "agent_id": closing["agent_id"] if assigned else None,
                "skill_id": closing["skill_id"],
                "segment_start_time": begins,
                "assigned_time": assigned,
                "segment_end_time": move["timestamp"] if move else row["conversation_end_time"],
                "bounce_count": visited.count(closing["skill_id"]),
            }
            yield segment | {
                "segment_milliseconds": milliseconds(begins, segment["segment_end_time"]),
                "engaged_milliseconds": milliseconds(assigned, segment["segment_end_time"]),
            }
            visited.append(closing["skill_id"])
            if move:
                begins = move["timestamp"]
                has_queue = move["queue_start_time"] or move["queue_end_time"]
                assigned = move["queue_end_time"] if has_queue else move["timestamp"]


def segments(tables: Tables) -> pl.DataFrame:
    """The segments alone."""
    return frame_of(walked(tables))


def segment_metrics(tables: Tables) -> pl.DataFrame:
    """Segments with their agent lines."""
    transcripts = by_conversation(tables, "messages")
    found = []
    for segment in walked(tables):
        start, end = segment["segment_start_time"], segment["segment_end_time"]
        lines = transcripts.get(tuple(segment[column] for column in KEY), [])
        times = [line["timestamp"] for line in lines if line["type"] in AGENT and line["timestamp"]]
        until = FAR if segment["is_last"] else end
        said = [time for time in times if start and until and start <= time < until]
        found.append(
            segment
            | {
                "segment_seconds": seconds_between(start, end),
                "engaged_seconds": seconds_between(segment["assigned_time"], end),
                "agent_line_count": len(said),
                "first_response_seconds": seconds_between(start, min(said, default=None)),
            }
        )
    return frame_of(found)


def agent_engagement_daily(tables: Tables) -> pl.DataFrame:
    """Union, sum and peak of each agent's intervals on each day of New York."""
    days: dict[tuple[Any, ...], list[tuple[datetime, datetime]]] = defaultdict(list)
    for segment in walked(tables):
        start, end = segment["assigned_time"], segment["segment_end_time"]
        if segment["agent_id"] and start and end and start < end:
            day = start.astimezone(ZONE).date()
            while midnight(day) < end:
                cut = (max(start, midnight(day)), min(end, midnight(day + timedelta(days=1))))
                days[segment["account_id"], segment["agent_id"], day].append(cut)
                day += timedelta(days=1)
    return frame_of(engagement(key, sorted(cuts)) for key, cuts in days.items())


def engagement(key: tuple[Any, ...], cuts: list[tuple[datetime, datetime]]) -> Row:
    """One agent's day."""
    union, reached = timedelta(), cuts[0][0]
    for start, end in cuts:
        union += max(timedelta(), end - max(start, reached))
        reached = max(reached, end)
    total = sum((end - start for start, end in cuts), timedelta())
    return {
        "account_id": key[0],
        "agent_id": key[1],
        "local_date": key[2],
        "segment_count": len(cuts),
        "engaged_seconds": union.total_seconds(),
        "engaged_total_seconds": total.total_seconds(),
        "concurrency": total / union,
        "peak_count": max(sum(other[0] <= start < other[1] for other in cuts) for start, _ in cuts),
    }


def agent_daily(tables: Tables) -> pl.DataFrame:
    """Conversations of whoever had them last, responses of whoever wrote them."""
    conversations = tables["conversations"].filter(pl.col("interaction_start_time").is_not_null())
    handled = grouped(conversations.iter_rows(named=True), *DAY, "agent_id")
    written = grouped(responses(tables, by_agent=True), *DAY, "agent_id")
    found = []
    for key in handled.keys() | written.keys():
        chats = chat_seconds(handled[key])
        scores = known(row["mcs"] for row in handled[key])
        times = known(row["response_seconds"] for row in written[key])
        found.append(
            dict(zip([*DAY, "agent_id"], key, strict=True))
            | {
                "conversation_count": len(handled[key]),
                "chat_total_seconds": sum(chats, 0.0),
                "chat_avg_seconds": mean(chats),
                "scored_count": len(scores),
                "mcs_avg": mean(scores),
                "response_count": len(written[key]),
                "response_avg_seconds": mean(times),
                "response_p50_seconds": quantile(times, 0.5),
            }
        )
    return frame_of(found)


def chat_seconds(conversations: list[Row]) -> list[float]:
    """Connection to end, of those that have both."""
    return known(seconds_between(row["interaction_start_time"], row["conversation_end_time"]) for row in conversations)


def skill_daily(tables: Tables) -> pl.DataFrame:
    """Conversations of the last skill, and the transfers that left a skill or went to it."""
    ended = grouped(tables["conversations"].iter_rows(named=True), *DAY, "skill_id")
    left = grouped(tables["transfers"].iter_rows(named=True), *DAY, "skill_id")
    reached = grouped(tables["transfers"].iter_rows(named=True), *DAY, "target_skill_id")
    found = []
    for key in ended.keys() | left.keys() | reached.keys():
        connected = [row for row in ended[key] if row["interaction_start_time"]]
        waits = known(seconds_between(row["queue_start_time"], row["queue_end_time"]) for row in connected)
        scores = known(row["mcs"] for row in ended[key])
        found.append(
            dict(zip([*DAY, "skill_id"], key, strict=True))
            | {
                "conversation_count": len(ended[key]),
                "connected_count": len(connected),
                "abandoned_count": len(ended[key]) - len(connected),
                "abandoned_share": ratio(len(ended[key]) - len(connected), len(ended[key])),
                "queue_avg_seconds": mean(waits),
                "queue_p50_seconds": quantile(waits, 0.5),
                "queue_p90_seconds": quantile(waits, 0.9),
                "chat_avg_seconds": mean(chat_seconds(connected)),
                "scored_count": len(scores),
                "mcs_avg": mean(scores),
                "transferred_out_count": len(left[key]),
                "transferred_in_count": len(reached[key]),
            }
        )
    return frame_of(found)
