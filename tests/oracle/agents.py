"""Views of agents and skills: their segments, their answers, and how many conversations an agent had at a time."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

from oracle.calendar import DAILY, Period, day_start, zone_of
from oracle.intervals import interval_of, interval_start
from oracle.measures import by_key, columns_of, grouped, milliseconds_between, share
from oracle.model import Model, Row
from oracle.queue import entries_by, entries_of, of_outcome, outcomes
from oracle.responses import counted, responses_by


def segments_by(model: Model, period: Period) -> list[Row]:
    """The segments with their day, that of the assignment, and `is_bot`."""
    return [
        row | {"is_bot": model.is_bot(row), period.column: period.of(model, row, "assigned_time", "date")}
        for row in model.segments
    ]


def engaged(rows: list[Row], of: str) -> Row:
    """The engaged time of segments."""
    return counted("engaged", [row["engaged_milliseconds"] for row in rows], of)


def first_responses(rows: list[Row], of: str) -> Row:
    """The time from a segment's assignment to its first agent line."""
    return counted("first_response", [row["first_response_milliseconds"] for row in rows], of)


def non_responsive(rows: list[Row]) -> Row:
    """Segments in which the visitor wrote, and those of them in which the agent did not."""
    wrote = [row for row in rows if row["visitor_line_count"] > 0]
    without = sum(row["agent_line_count"] == 0 for row in wrote)
    return {
        "wrote_count": len(wrote),
        "non_responsive_count": without,
        "non_responsive_share": share(without, len(wrote)),
    }


def talk(rows: list[Row]) -> Row:
    """Lines of both sides, and their ratio."""
    agent, visitor = (sum(row[f"{side}_line_count"] for row in rows) for side in ("agent", "visitor"))
    return {"agent_line_count": agent, "visitor_line_count": visitor, "talk_ratio": share(agent, visitor)}


def segment_daily(model: Model, period: Period) -> list[Row]:
    """Segments by agent and skill."""

    def measures(rows: list[Row]) -> Row:
        bounced = sum(row["bounce_count"] > 0 for row in rows)
        from_opening = [row["first_response_from_opening_milliseconds"] for row in rows]
        return {
            "segment_count": len(rows),
            "last_count": sum(row["is_last"] for row in rows),
            **engaged(rows, "sum avg p50 p90"),
            **first_responses(rows, "sum avg p50 p90"),
            **counted("first_response_from_opening", from_opening),
            **non_responsive(rows),
            "bounced_count": bounced,
            "bounced_share": share(bounced, len(rows)),
            **talk(rows),
        }

    key = ("account_id", period.column, "type", "agent_id", "skill_id", "is_bot")
    rows = by_key(segments_by(model, period), measures, *key)
    return [row | {"agent_name": model.agent_name(row), "skill_name": model.skill_name(row)} for row in rows]


def joined(parts: list[tuple[list[Row], Callable[[list[Row]], Row]]], *key: str) -> list[Row]:
    """The measures of several kinds of rows side by side, for each key that one of them has."""
    groups = [(grouped(rows, columns_of(*key)), measures) for rows, measures in parts]
    found = []
    for values in {values for group, _ in groups for values in group}:
        row = dict(zip(key, values, strict=True))
        for group, measures in groups:
            row |= measures(group.get(values, []))
        found.append(row)
    return found


def response_times(of: str) -> Callable[[list[Row]], Row]:
    """The function that measures responses."""
    return lambda rows: {
        "response_count": len(rows),
        **counted("response", [row["response_milliseconds"] for row in rows], of, "timed_count"),
    }


def agent_daily(model: Model, period: Period) -> list[Row]:
    """Segments of each agent, and responses by their author."""

    def measures(rows: list[Row]) -> Row:
        return {
            "segment_count": len(rows),
            "last_count": sum(row["is_last"] for row in rows),
            **engaged(rows, "sum avg"),
            **first_responses(rows, "sum avg"),
            **non_responsive(rows),
            **talk(rows),
        }

    key = ("account_id", period.column, "type", "agent_id", "is_bot")
    parts = [
        (segments_by(model, period), measures),
        (responses_by(model, period), response_times("sum avg p50 p90")),
    ]
    return [row | agent_columns(model, row) for row in joined(parts, *key)]


def agent_columns(model: Model, row: Row) -> Row:
    """Name and group of a row's agent."""
    line = model.agents.get((row["account_id"], row["agent_id"]), {})
    return {"agent_name": line.get("agent_name"), "agent_group": line.get("agent_group")}


def skill_columns(model: Model, row: Row) -> Row:
    """Name and group of a row's skill."""
    line = model.skills.get((row["account_id"], row["skill_id"]), {})
    return {"skill_name": line.get("skill_name"), "skill_group": line.get("skill_group")}


def skill_daily(model: Model, period: Period) -> list[Row]:
    """Queue entries, segments and responses of each skill."""

    def of_segments(rows: list[Row]) -> Row:
        return {
            "segment_count": len(rows),
            **engaged(rows, "sum avg"),
            **first_responses(rows, "sum avg"),
            **non_responsive(rows),
        }

    key = ("account_id", period.column, "type", "skill_id", "is_bot")
    parts = [
        (entries_by(model, period), waits),
        (segments_by(model, period), of_segments),
        (responses_by(model, period), response_times("sum avg")),
    ]
    return [row | skill_columns(model, row) for row in joined(parts, *key)]


def waits(entries: list[Row]) -> Row:
    """Entries by outcome, and the waits of those answered."""
    times = [entry["wait_milliseconds"] for entry in of_outcome(entries, "answered")]
    return outcomes(entries) | counted("queue", times, count="queued_count")


# ---- at the same time ----


def engagement_parts(model: Model, period: Period) -> Iterator[Row]:
    """Segments with an agent and a time, cut where their days end."""
    for row in model.segments:
        start, end = row["assigned_time"], row["ended_time"]
        if row["agent_id"] is None or start is None or end is None or end <= start:
            continue
        begins = start
        while begins < end:
            until = min(end, next_midnight(model, row, begins, period))
            part = row | {"start": begins, "until": until, "is_assigned": begins == start, "is_bot": model.is_bot(row)}
            yield part | {period.column: period.of(model, part, "start", "date")}
            begins = until


def next_midnight(model: Model, row: Row, moment: datetime, period: Period) -> datetime:
    """The end of the day that a time falls in, of UTC or of the account's clocks."""
    if period is DAILY:
        return datetime(moment.year, moment.month, moment.day, tzinfo=UTC) + timedelta(days=1)
    zone = zone_of(model, row["account_id"])
    day: date = moment.astimezone(zone).date()
    return day_start(day + timedelta(days=1), zone)


def levels(parts: list[Row]) -> Iterator[tuple[int, timedelta, datetime]]:
    """The numbers of parts at a time: each with how long it lasted and from when, in order of time."""
    moments = sorted({part["start"] for part in parts} | {part["until"] for part in parts})
    for begins, ends in pairwise(moments):
        yield at(parts, begins), ends - begins, begins


def at(parts: list[Row], moment: datetime) -> int:
    """How many parts there are at a moment, those that end then left out."""
    return sum(part["start"] <= moment < part["until"] for part in parts)


def seconds_of(time: timedelta) -> float:
    """Seconds."""
    return time / timedelta(seconds=1)


def agent_engagement_daily(model: Model, period: Period) -> list[Row]:
    """How long each agent was engaged, and in how many conversations at a time."""

    def measures(parts: list[Row]) -> Row:
        one = sum((length for level, length, _ in levels(parts) if level > 0), timedelta(0))
        total = sum((part["until"] - part["start"] for part in parts), timedelta(0))
        return {
            "engaged_segment_count": sum(part["is_assigned"] for part in parts),
            "engaged_seconds": seconds_of(one),
            "engaged_total_seconds": seconds_of(total),
            "concurrency": total / one,
            "peak_count": max(level for level, _, _ in levels(parts)),
        }

    key = ("account_id", period.column, "type", "agent_id", "is_bot")
    return [row | agent_columns(model, row) for row in by_key(list(engagement_parts(model, period)), measures, *key)]


def agent_concurrency_daily(model: Model, period: Period) -> list[Row]:
    """How long each agent had one conversation at a time, two, three; and how soon those assigned then had a line."""
    key = ("account_id", period.column, "type", "agent_id", "is_bot")
    found = []
    for values, parts in grouped(engagement_parts(model, period), columns_of(*key)).items():
        times: dict[int, timedelta] = {}
        for level, length, _ in levels(parts):
            times[level] = times.get(level, timedelta(0)) + length
        for level, length in times.items():
            if level:
                here = [part for part in parts if part["is_assigned"] and at(parts, part["start"]) == level]
                row = dict(zip(key, values, strict=True)) | {"concurrent_count": level}
                row |= {"engaged_seconds": seconds_of(length), "engaged_segment_count": len(here)}
                row |= agent_columns(model, row) | first_responses(here, "sum avg")
                found.append(row)
    return found


def concurrency_daily(model: Model, period: Period) -> list[Row]:
    """The same of all agents together."""
    key = ("account_id", period.column, "type", "is_bot")
    rows = agent_concurrency_daily(model, period)
    wholes = {values: sum(row["engaged_seconds"] for row in group) for values, group in grouped(rows, columns_of(*key)).items()}

    def measures(group: list[Row]) -> Row:
        engaged_seconds = sum(row["engaged_seconds"] for row in group)
        count = sum(row["first_response_count"] for row in group)
        total = sum(row["first_response_sum_seconds"] for row in group)
        return {
            "engaged_agent_count": len({row["agent_id"] for row in group}),
            "engaged_seconds": engaged_seconds,
            "engaged_of_seconds": wholes[columns_of(*key)(group[0])],
            "engaged_share": share(engaged_seconds, wholes[columns_of(*key)(group[0])]),
            "engaged_segment_count": sum(row["engaged_segment_count"] for row in group),
            "first_response_count": count,
            "first_response_sum_seconds": total,
            "first_response_avg_seconds": share(total, count),
        }

    return by_key(rows, measures, *key, "concurrent_count")


# ---- staffing ----


def staffing_by_interval(model: Model) -> list[Row]:
    """Work that came to a skill in an interval, and the agents who were at it."""
    entries = [
        entry | {"interval_start": interval_start(model, entry, entry["entered_time"])}
        for entry in entries_of(model)
        if entry["entered_time"] is not None
    ]
    segments = [row | {"is_bot": model.is_bot(row)} for row in model.segments]
    assigned = [
        row | {"interval_start": interval_start(model, row, row["assigned_time"])}
        for row in segments
        if row["assigned_time"] is not None
    ]
    key = ("account_id", "interval_start", "type", "skill_id", "is_bot")
    parts = [(entries, offered), (assigned, taken), (with_shares(list(interval_parts(model, segments))), work)]
    found = []
    for row in joined(parts, *key):
        clock = row["interval_start"].astimezone(zone_of(model, row["account_id"])).replace(tzinfo=None)
        found.append(row | skill_columns(model, row) | {"local_start_time": clock})
    return found


def offered(entries: list[Row]) -> Row:
    """Entries, and those of them that were answered or abandoned."""
    return {
        "offered_count": len(entries),
        "answered_count": len(of_outcome(entries, "answered")),
        "abandoned_count": len(of_outcome(entries, "abandoned")),
    }


def taken(segments: list[Row]) -> Row:
    """Segments assigned, and how long they took."""
    return {"assigned_count": len(segments), **engaged(segments, "sum avg")}


def interval_parts(model: Model, segments: list[Row]) -> Iterator[Row]:
    """Segments with an agent and a time, cut where intervals end."""
    for row in segments:
        start, end = row["assigned_time"], row["ended_time"]
        if row["agent_id"] is None or not milliseconds_between(start, end):
            continue
        begins: Any = interval_start(model, row, start)
        while begins < end:
            until = begins + interval_of(model, row["account_id"])
            yield row | {"interval_start": begins, "start": max(start, begins), "until": min(end, until)}
            begins = until


def with_shares(parts: list[Row]) -> list[Row]:
    """The parts, each with its share of the agent's time: of a moment with n segments, whatever their skill, 1/n."""
    found = []
    for group in grouped(parts, columns_of("account_id", "agent_id", "interval_start")).values():
        lengths = [(begins, seconds_of(length) / level) for level, length, begins in levels(group) if level]
        for part in group:
            own = sum((length for begins, length in lengths if part["start"] <= begins < part["until"]), 0.0)
            found.append(part | {"agent_seconds": own})
    return found


def work(parts: list[Row]) -> Row:
    """The time of conversations, that of the agents who had them, and how many these agents were."""
    total = seconds_of(sum((part["until"] - part["start"] for part in parts), timedelta(0)))
    own = sum((part["agent_seconds"] for part in parts), 0.0)
    return {
        "conversation_seconds": total,
        "agent_seconds": own,
        "agent_concurrency": share(total, own),
        "engaged_agent_count": len({part["agent_id"] for part in parts}),
    }
