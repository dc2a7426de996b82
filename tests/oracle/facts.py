"""The four facts of a conversation a second time, in plain Python: a function for each rule of the model, and no SQL.

`facts_of_file` takes the bytes of one source file, decodes them by `tests/support/reference.py` and gives the rows of all four
tables; `facts_of` does so for the plain rows of one conversation. Of a conversation that one file brings twice the later
delivery counts; deliveries in several files are not dealt with here. Inside, times are microseconds since 1970 UTC; in the rows
that come out they are datetimes in UTC. Durations are whole milliseconds, in `conversation_metrics` float seconds.

Readings, where the model leaves room:
 1. Only "" and "0" are no agent. Skills and campaigns have no such value: 0 and -1 are skills like others. " " is a person.
 2. `conversation_metrics.agent_id` is NULL for "" and "0" too, `skill_id` stays as sent; lists such as `skills` count nowhere.
 3. A transfer that names no agent, "" or "0" "does not say" who it left: first agent and segment then have the conversation's.
 4. A segment's agent is the first that is known of: the agent whom the next transfer left, the conversation's, the target's.
 5. "The next transfer" is the next by position, with or without a queue, and with or without a timestamp.
 6. A next transfer without a timestamp is never "at or before" a time: it moves an entry only where queue_end_time is missing.
 7. A segment whose next transfer has no timestamp has no ended_time (not the conversation's), no duration and no lines.
 8. A segment without an end that is the last one has lines nevertheless: the last has no upper bound.
 9. The last segment is that of the highest number, even where a transfer follows that nobody took; its lines have no bound.
10. engaged_milliseconds runs from assigned_time to ended_time.
11. A line or response without a timestamp, and any line without an assigned_time, is in no segment; counts are 0.
12. Where contradicting times put a line into two segments, both count it; a response is in the later one of them.
13. First responses take the earliest agent line by time, not by position; types decide who writes, not the agent's id.
14. A segment of unknown skill ends the run before it; its own bounce_count is 0.
15. Lines of unknown or missing type are neither side's; like control and private ones they end no run and part no answer.
16. A response of missing or negative time is a row and counts in response_count; mean and maximum leave it out.
17. A run of visitor lines is timed from its first line alone: where that has no timestamp, visitor_time is NULL.
18. from_assignment_milliseconds is NULL without a segment and without a visitor_time.
19. was_interactive is true if any flag is, else false if any is false, else NULL.
20. left_time is queue_end_time wherever that is there, even behind the next transfer or the conversation's end.
21. queue_seconds needs queue_start_time: conversation_start_time stands in for it in queue_entries only.
22. Time below a millisecond is cut off a duration, not rounded; only a time that is really negative is NULL.
23. A line counts on its timestamp alone: one before the conversation or behind its end is a line like others.
24. An entry counts as answered by interaction_start_time or queue_end_time alone, whether an agent wrote a line or not.
25. Unknown outcomes are in queue_entry_count and in none of the three other counts.
26. A transfer without queue_start_time always opens a segment, even where its queue_end_time is behind the next transfer.
27. A first or target skill that nothing names stays NULL: neither the list of skills nor a later transfer stands in for it.
"""

import gzip
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import groupby
from typing import Any, Final

from reference import FIRST_DAY, read_file

from oracle.fact_columns import FACTS
from oracle.line_scores import nickname_in, scores_in

Row = dict[str, Any]
Facts = dict[str, list[Row]]

VISITOR: Final = ("0",)
AGENT: Final = ("1", "3", "4")


def facts_of_file(contents: bytes, name: str, account_id: str | None = None, scope_start_us: int | None = None) -> Facts:
    """The rows of the facts over all conversations of a source file, as it was served or unpacked already."""
    text = gzip.decompress(contents) if contents[:2] == b"\x1f\x8b" else contents
    tables = read_file(text, name, account_id, scope_start_us)
    lines, transfers = by_delivery(tables["messages"]), by_delivery(tables["transfers"])
    facts: Facts = {fact: [] for fact in FACTS}
    newest = {(row["account_id"], row["conversation_id"]): row for row in tables["conversations"]}
    for conversation in newest.values():
        delivery = conversation["delivery"]
        for fact, rows in facts_of(conversation, lines.get(delivery, []), transfers.get(delivery, [])).items():
            facts[fact] += rows
    return facts


def by_delivery(rows: list[Row]) -> dict[int, list[Row]]:
    """Lines or transfers in order of `position`, by the number of the delivery in the file that brought them."""
    found: dict[int, list[Row]] = {}
    for row in sorted(rows, key=lambda row: row["position"]):
        found.setdefault(row["delivery"], []).append(row)
    return found


def facts_of(conversation: Row, lines: list[Row], transfers: list[Row]) -> Facts:
    """The rows of the facts of one conversation, its lines and transfers given in order of `position`."""
    conversation = without_nobody(conversation)
    transfers = [without_nobody(transfer) for transfer in transfers]
    segments = segments_of(conversation, lines, transfers)
    rows = {
        "queue_entries": entries_of(conversation, transfers, segments),
        "segments": segments,
        "responses": responses_of(lines, segments),
    }
    rows["conversation_metrics"] = [metrics_of(conversation, lines, transfers, rows)]
    return {fact: [finished(columns, conversation | row) for row in rows[fact]] for fact, columns in FACTS.items()}


def finished(columns: Iterable[str], row: Row) -> Row:
    """A row of these columns, with its times as datetimes."""
    return {
        column: FIRST_DAY + timedelta(microseconds=row[column])
        if column.endswith("_time") and row[column] is not None
        else row[column]
        for column in columns
    }


# ---- ids and durations ----


def without_nobody(row: Row) -> Row:
    """A row whose agents "" and "0" are NULL."""
    return {column: None if column.endswith("agent_id") and value in ("", "0") else value for column, value in row.items()}


def first_known(*values: Any) -> Any:
    """The first that is not NULL."""
    return next((value for value in values if value is not None), None)


def milliseconds(start: int | None, end: int | None) -> int | None:
    """The whole milliseconds between two times; NULL where one is missing or the second is earlier."""
    return None if start is None or end is None or end < start else (end - start) // 1000


def seconds(duration: float | None) -> float | None:
    """Seconds of milliseconds."""
    return None if duration is None else duration / 1000


def first_of(conversation: Row, transfers: list[Row], column: str) -> Any:
    """The first skill or agent: that which the first transfer left, else the conversation's own."""
    return first_known(transfers[0][column] if transfers else None, conversation[column])


# ---- outcomes ----


def steps_of(transfers: list[Row]) -> Iterator[tuple[Row | None, Row | None]]:
    """The start as None, then each transfer; each with the transfer that follows, None behind the last."""
    return zip([None, *transfers], [*transfers, None], strict=True)


def outcome_of(transfer: Row | None, following: Row | None, conversation: Row) -> str | None:
    """How the entry of a step ended; NULL where the transfer went to an agent at once and is no entry."""
    if transfer is None:
        return outcome_of_start(following, conversation)
    return None if transfer["queue_start_time"] is None else outcome_of_transfer(transfer, following, conversation)


def outcome_of_start(following: Row | None, conversation: Row) -> str:
    """How the queue at the start ended."""
    connection = conversation["interaction_start_time"]
    left = None if following is None else following["timestamp"]
    if connection is not None and (left is None or left >= connection):
        return "answered"
    if following is not None:
        return "moved"
    ends = (conversation["queue_end_time"], conversation["conversation_end_time"])
    return "unknown" if ends == (None, None) else "abandoned"


def outcome_of_transfer(transfer: Row, following: Row | None, conversation: Row) -> str:
    """How the queue of a transfer ended."""
    queue_end, end = transfer["queue_end_time"], conversation["conversation_end_time"]
    if queue_end is None:
        if following is not None:
            return "moved"
        return "unknown" if end is None else "abandoned"
    if following is not None and following["timestamp"] is not None and following["timestamp"] <= queue_end:
        return "moved"
    return "abandoned" if end is not None and end <= queue_end else "answered"


# ---- segments ----


def segments_of(conversation: Row, lines: list[Row], transfers: list[Row]) -> list[Row]:
    """The parts that one agent had, in order; `step` says which step opened each: 0 the start, then the transfers."""
    segments: list[Row] = []
    for step, (transfer, following) in enumerate(steps_of(transfers)):
        if outcome_of(transfer, following, conversation) in ("answered", None):
            opened = {"step": step, "segment_number": len(segments) + 1, "is_last": False}
            segments.append(
                opened | segment_of(transfer, following, conversation, first_of(conversation, transfers, "skill_id"))
            )
    for segment in segments[-1:]:
        segment["is_last"] = True
    runs = [skill for skill, _ in groupby(segment["skill_id"] for segment in segments)]
    run = -1
    for before, segment in zip([None, *segments], segments, strict=False):
        run += before is None or before["skill_id"] != segment["skill_id"]
        segment["bounce_count"] = 0 if segment["skill_id"] is None else runs[:run].count(segment["skill_id"])
        segment.update(lines_in(segment, lines))
    return segments


def segment_of(transfer: Row | None, following: Row | None, conversation: Row, first_skill: int | None) -> Row:
    """Skill, agent and times of the segment that a step opened."""
    if transfer is None:
        skill, target_agent = first_skill, None
        opened = assigned = conversation["interaction_start_time"]
    else:
        skill = first_known(transfer["target_skill_id"], transfer["skill_id"])
        target_agent = transfer["target_agent_id"]
        opened, assigned = transfer["timestamp"], first_known(transfer["queue_end_time"], transfer["timestamp"])
    ended = conversation["conversation_end_time"] if following is None else following["timestamp"]
    return {
        "skill_id": skill,
        "agent_id": first_known(following and following["agent_id"], conversation["agent_id"], target_agent),
        "opened_time": opened,
        "assigned_time": assigned,
        "ended_time": ended,
        "engaged_milliseconds": milliseconds(assigned, ended),
    }


def falls_in(time: int | None, segment: Row) -> bool:
    """Whether a line of that time is the segment's."""
    if time is None or segment["assigned_time"] is None or time < segment["assigned_time"]:
        return False
    return segment["is_last"] or (segment["ended_time"] is not None and time < segment["ended_time"])


def lines_in(segment: Row, lines: list[Row]) -> Row:
    """The columns about the lines of a segment."""
    inside = [line for line in lines if falls_in(line["timestamp"], segment)]
    answered = min((line["timestamp"] for line in inside if line["type"] in AGENT), default=None)
    return {
        "agent_line_count": count(inside, AGENT),
        "visitor_line_count": count(inside, VISITOR),
        "first_response_milliseconds": milliseconds(segment["assigned_time"], answered),
        "first_response_from_opening_milliseconds": milliseconds(segment["opened_time"], answered),
        "agent_nickname": nickname_in(inside, segment["agent_id"]),
        **scores_in(inside),
    }


def count(lines: list[Row], types: tuple[str, ...]) -> int:
    """How many lines are of these types."""
    return sum(line["type"] in types for line in lines)


# ---- queue entries ----


def entries_of(conversation: Row, transfers: list[Row], segments: list[Row]) -> list[Row]:
    """Each time the visitor entered a queue: at the start, then by the transfers that have a `queue_start_time`."""
    agents = {segment["step"]: segment["agent_id"] for segment in segments}
    entries: list[Row] = []
    for step, (transfer, following) in enumerate(steps_of(transfers)):
        outcome = outcome_of(transfer, following, conversation)
        if outcome is None:
            continue
        if transfer is None:
            entered = first_known(conversation["queue_start_time"], conversation["conversation_start_time"])
            skill = first_of(conversation, transfers, "skill_id")
        else:
            entered = transfer["queue_start_time"]
            skill = first_known(transfer["target_skill_id"], transfer["skill_id"])
        left = left_time(outcome, transfer, following, conversation)
        entries.append(
            {
                "entry_number": len(entries) + 1,
                "is_transfer": transfer is not None,
                "skill_id": skill,
                "entered_time": entered,
                "entered_date": conversation["date"]
                if entered is None
                else (FIRST_DAY + timedelta(microseconds=entered)).date(),
                "left_time": left,
                "wait_milliseconds": milliseconds(entered, left),
                "outcome": outcome,
                "agent_id": agents[step] if outcome == "answered" else None,
            }
        )
    return entries


def left_time(outcome: str, transfer: Row | None, following: Row | None, conversation: Row) -> int | None:
    """When the visitor left the queue of a step."""
    queue_end = (conversation if transfer is None else transfer)["queue_end_time"]
    otherwise = {
        "answered": conversation["interaction_start_time"],  # the start alone: of a transfer, there is a queue_end_time
        "abandoned": conversation["conversation_end_time"],
        "moved": following and following["timestamp"],
        "unknown": None,
    }
    left: int | None = first_known(queue_end, otherwise[outcome])
    return left


# ---- responses ----


def responses_of(lines: list[Row], segments: list[Row]) -> list[Row]:
    """Each agent line that follows a visitor's, in order of the transcript."""
    runs: list[Row] = []  # of each run of one side's lines the first
    for line in lines:
        if line["type"] in (*VISITOR, *AGENT) and (not runs or (line["type"] in VISITOR) != (runs[-1]["type"] in VISITOR)):
            runs.append(line)
    of_agents = [at for at, line in enumerate(runs) if at > 0 and line["type"] in AGENT]
    return [
        {"response_number": number}
        | response_of(runs[at - 1], runs[at], segments)
        | visitor_response_of(runs[at - 2] if at > 1 else None, runs[at - 1], segments)
        for number, at in enumerate(of_agents, start=1)
    ]


def segment_at(time: int | None, segments: list[Row]) -> Row | None:
    """The segment in which a time falls; of several the later one."""
    return next((segment for segment in reversed(segments) if falls_in(time, segment)), None)


def response_of(visitor_line: Row, line: Row, segments: list[Row]) -> Row:
    """The columns of an agent's answer."""
    asked, answered = visitor_line["timestamp"], line["timestamp"]
    segment = segment_at(answered, segments)
    from_assignment = None if segment is None or asked is None else max(asked, segment["assigned_time"])
    return {
        "segment_number": segment and segment["segment_number"],
        "skill_id": segment and segment["skill_id"],
        "agent_id": without_nobody(line)["agent_id"],
        "visitor_time": asked,
        "response_time": answered,
        "response_milliseconds": milliseconds(asked, answered),
        "from_assignment_milliseconds": milliseconds(from_assignment, answered),
    }


def visitor_response_of(line: Row | None, visitor_line: Row, segments: list[Row]) -> Row:
    """The columns of the visitor's answer to an agent's line, if there is one."""
    if line is None:
        return dict.fromkeys(("former_skill_id", "former_agent_id", "visitor_response_milliseconds"))
    segment = segment_at(line["timestamp"], segments)
    return {
        "former_skill_id": segment and segment["skill_id"],
        "former_agent_id": without_nobody(line)["agent_id"],
        "visitor_response_milliseconds": milliseconds(line["timestamp"], visitor_line["timestamp"]),
    }


# ---- conversations ----


def metrics_of(conversation: Row, lines: list[Row], transfers: list[Row], facts: Facts) -> Row:
    """The columns of `conversation_metrics` that `conversations` does not have."""
    connection = conversation["interaction_start_time"]
    outcomes = [entry["outcome"] for entry in facts["queue_entries"]]
    agents = {segment["agent_id"] for segment in facts["segments"]} - {None}
    flags = [row["is_interactive"] for row in (conversation, *transfers) if row["is_interactive"] is not None]
    return {
        "is_connected": connection is not None,
        "is_abandoned": connection is None,
        **queue_seconds(conversation, transfers),
        "transfer_count": len(transfers),
        "duration_seconds": seconds(
            milliseconds(conversation["conversation_start_time"], conversation["conversation_end_time"])
        ),
        "chat_seconds": seconds(milliseconds(connection, conversation["conversation_end_time"])),
        "visitor_line_count": count(lines, VISITOR),
        "agent_line_count": count(lines, AGENT),
        **first_lines(conversation, lines),
        **response_seconds(facts["responses"]),
        "person_id": (conversation["consumer_id"] or None) or (conversation["visitor_id"] or None),
        "first_skill_id": first_of(conversation, transfers, "skill_id"),
        "first_agent_id": first_of(conversation, transfers, "agent_id"),
        "segment_count": len(facts["segments"]),
        "agent_count": len(agents),
        "queue_entry_count": len(outcomes),
        "answered_entry_count": outcomes.count("answered"),
        "abandoned_entry_count": outcomes.count("abandoned"),
        "moved_entry_count": outcomes.count("moved"),
        "was_interactive": any(flags) if flags else None,
        **scores_in(lines),
    }


def queue_seconds(conversation: Row, transfers: list[Row]) -> Row:
    """The waits at the start, in transfers, and both."""
    end = conversation["queue_end_time"]
    if conversation["interaction_start_time"] is None:
        end = first_known(end, conversation["conversation_end_time"])
    first = milliseconds(conversation["queue_start_time"], end)
    waits = [milliseconds(transfer["queue_start_time"], transfer["queue_end_time"]) for transfer in transfers]
    later = sum(wait for wait in waits if wait is not None)
    return {
        "queue_seconds": seconds(first),
        "transfer_queue_seconds": seconds(later),
        "total_queue_seconds": None if first is None else seconds(first + later),
    }


def first_lines(conversation: Row, lines: list[Row]) -> Row:
    """The first agent line after the connection by time, and the first one after the visitor's first by the transcript."""
    connection = conversation["interaction_start_time"]
    times = [line["timestamp"] for line in lines if line["type"] in AGENT and line["timestamp"] is not None]
    response = min((time for time in times if connection is not None and time >= connection), default=None)
    from_visitor = [line for line in lines if line["type"] in VISITOR][:1]
    replies = (
        [line for line in lines if line["type"] in AGENT and line["position"] > from_visitor[0]["position"]]
        if from_visitor
        else []
    )
    return {
        "first_response_seconds": seconds(milliseconds(connection, response)),
        "first_reply_seconds": seconds(milliseconds(from_visitor[0]["timestamp"], replies[0]["timestamp"]))
        if replies
        else None,
    }


def response_seconds(responses: list[Row]) -> Row:
    """How many responses, and the mean and longest of their times."""
    times = [response["response_milliseconds"] for response in responses if response["response_milliseconds"] is not None]
    return {
        "response_count": len(responses),
        "response_avg_seconds": seconds(sum(times) / len(times)) if times else None,
        "response_max_seconds": seconds(max(times)) if times else None,
    }
