"""Who answered whom, and after how long: each transcript walked line by line."""

from itertools import groupby
from typing import Any

import polars as pl

from oracle.shared import (
    DAY,
    KEY,
    Row,
    Tables,
    by_conversation,
    frame_of,
    grouped,
    known,
    mean,
    milliseconds,
    quantile,
    ratio,
    seconds_between,
)

VISITOR = "0"
AGENT = frozenset({"1", "3", "4"})
BOUNDS = (15, 30, 60, 120, 300, 600, 1800, 3600, 10800, 86400)


def spoken(tables: Tables) -> dict[tuple[Any, ...], list[Row]]:
    """The lines of visitor and agent in each conversation, in order."""
    transcripts = by_conversation(tables, "messages")
    return {key: [line for line in lines if line["type"] in {VISITOR, *AGENT}] for key, lines in transcripts.items()}


def dialogue_lines(tables: Tables) -> pl.DataFrame:
    """Control lines and private comments left out."""
    return frame_of(line | {"is_agent": line["type"] in AGENT} for lines in spoken(tables).values() for line in lines)


def turns(tables: Tables) -> pl.DataFrame:
    """Lines of one side in a row."""
    found = []
    for lines in spoken(tables).values():
        before = None
        for number, (is_agent, run) in enumerate(groupby(lines, key=lambda line: line["type"] in AGENT), 1):
            first = next(run)
            found.append(first | {"is_agent": is_agent, "answered_time": before, "turn_number": number})
            before = first["timestamp"]
    return frame_of(found)


def answered(lines: list[Row], *, by_agent: bool) -> list[tuple[Row, Row]]:
    """The lines by which one side answers, each with the first line since its last that the other side had written."""
    asked, found = None, []
    for line in lines:
        if line["type"] not in {VISITOR, *AGENT}:
            continue
        if (line["type"] in AGENT) is not by_agent:
            asked = asked or line
        elif asked:
            found.append((asked, line))
            asked = None
    return found


def answer_times(lines: list[Row]) -> list[float | None]:
    """How long each answer of an agent took."""
    return [seconds_between(asked["timestamp"], line["timestamp"]) for asked, line in answered(lines, by_agent=True)]


def first_reply_seconds(lines: list[Row]) -> float | None:
    """The visitor's first line to the first agent line after it."""
    asked = next((line for line in lines if line["type"] == VISITOR), None)
    after = (line for line in lines if asked and line["position"] > asked["position"] and line["type"] in AGENT)
    answer = next(after, None)
    return seconds_between(asked["timestamp"], answer["timestamp"]) if asked and answer else None


def responses(tables: Tables, *, by_agent: bool) -> list[Row]:
    """Every answer by one side."""
    found = []
    for key, lines in by_conversation(tables, "messages").items():
        for number, (asked, line) in enumerate(answered(lines, by_agent=by_agent), 1):
            whole = milliseconds(asked["timestamp"], line["timestamp"])
            found.append(
                dict(zip(KEY, key, strict=True))
                | {
                    "position": line["position"],
                    "response_number": number,
                    "agent_id": line["agent_id"],
                    "visitor_time": asked["timestamp"],
                    "response_time": line["timestamp"],
                    "response_milliseconds": whole,
                    "response_seconds": None if whole is None else whole / 1000,
                }
            )
    return found


def agent_responses(tables: Tables) -> pl.DataFrame:
    """The answers that agents gave."""
    return frame_of(responses(tables, by_agent=True))


def skill_responses(tables: Tables) -> pl.DataFrame:
    """They and the skill that each conversation had last."""
    skills = {tuple(row[name] for name in KEY): row["skill_id"] for row in tables["conversations"].iter_rows(named=True)}
    found = responses(tables, by_agent=True)
    return frame_of(row | {"skill_id": skills[key]} for row in found if (key := tuple(row[name] for name in KEY)) in skills)


def times_daily(rows: list[Row]) -> list[Row]:
    """Answers by day."""
    found = []
    for key, here in grouped(rows, *DAY).items():
        timed = known(row["response_seconds"] for row in here)
        first = known(row["response_seconds"] for row in here if row["response_number"] == 1)
        found.append(
            dict(zip(DAY, key, strict=True))
            | {
                "response_count": len(here),
                "timed_count": len(timed),
                "response_avg_seconds": mean(timed),
                "response_p50_seconds": quantile(timed, 0.5),
                "response_p90_seconds": quantile(timed, 0.9),
                "response_max_seconds": max(timed, default=None),
                "first_reply_p50_seconds": quantile(first, 0.5),
                "first_reply_p90_seconds": quantile(first, 0.9),
            }
        )
    return found


def response_time_daily(tables: Tables) -> pl.DataFrame:
    """Agents."""
    return frame_of(times_daily(responses(tables, by_agent=True)))


def consumer_response_daily(tables: Tables) -> pl.DataFrame:
    """Visitors."""
    return frame_of(times_daily(responses(tables, by_agent=False)))


def response_sla_daily(tables: Tables) -> pl.DataFrame:
    """Within each bound, of all responses and of those that are not a conversation's first."""
    timed = [row for row in responses(tables, by_agent=True) if row["response_seconds"] is not None]
    found = []
    for key, here in grouped(timed, *DAY).items():
        everything = [row["response_seconds"] for row in here]
        later = [row["response_seconds"] for row in here if row["response_number"] > 1]
        for bound in (*BOUNDS, None):
            within, later_within = (sum(bound is None or s <= bound for s in times) for times in (everything, later))
            found.append(
                dict(zip(DAY, key, strict=True))
                | {
                    "bound_seconds": None if bound is None else float(bound),
                    "within_count": within,
                    "timed_count": len(everything),
                    "within_share": within / len(everything),
                    "follow_up_within_count": later_within,
                    "follow_up_count": len(later),
                    "follow_up_within_share": ratio(later_within, len(later)),
                }
            )
    return frame_of(found)


def first_response_daily(tables: Tables) -> pl.DataFrame:
    """From the connection, from the visitor's first line, from whichever is later."""
    transcripts = by_conversation(tables, "messages")
    connected = [row for row in tables["conversations"].iter_rows(named=True) if row["interaction_start_time"]]
    found = []
    for key, here in grouped(connected, *DAY).items():
        times = [first_times(row, transcripts.get(tuple(row[name] for name in KEY), [])) for row in here]
        day = dict(zip(DAY, key, strict=True)) | {"connected_count": len(here)}
        for place, name in enumerate(("first_response", "first_reply", "first_answer")):
            seconds = known(time[place] for time in times)
            day |= {
                f"{name}_count": len(seconds),
                f"{name}_avg_seconds": mean(seconds),
                f"{name}_p50_seconds": quantile(seconds, 0.5),
                f"{name}_p90_seconds": quantile(seconds, 0.9),
            }
        found.append(day)
    return frame_of(found)


def first_times(conversation: Row, lines: list[Row]) -> tuple[float | None, float | None, float | None]:
    """The three ways to time the first answer of one conversation."""
    connected_at = conversation["interaction_start_time"]
    greetings = known(seconds_between(connected_at, line["timestamp"]) for line in lines if line["type"] in AGENT)
    reply = first_reply_seconds(lines)
    answer = None
    if reply is not None:
        asked, line = answered(lines, by_agent=True)[0]
        answer = seconds_between(max(asked["timestamp"], connected_at), line["timestamp"])
    return min(greetings, default=None), reply, answer
