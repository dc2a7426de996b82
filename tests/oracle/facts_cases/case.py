"""A hand-worked case: a conversation as the vendor sends it, without the tags, and its rows in the facts.

Times are seconds behind noon of 2 March 2026 UTC. A row of queue entries, segments or responses is given with all its columns,
one of `conversation_metrics` with those that the case is about.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

Row = dict[str, Any]
Facts = dict[str, list[Row]]

NOON: Final = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY: Final = date(2026, 3, 2)
NEXT_DAY: Final = date(2026, 3, 3)
ACCOUNT: Final = "75555851"
HEADER: Final = {"visitId": "s1", "visitorId": "v1", "contextId": ""}


@dataclass(frozen=True)
class Case:
    """A conversation, its rows by hand, and why they are so.

    Its documents start a day after the conversation, so that the date of one tells from the date of the other.
    """

    name: str
    why: str
    conversation: Row
    header: Row = field(default_factory=lambda: HEADER)
    common: Row = field(default_factory=dict)
    """What the columns that all facts have hold, beside the usual."""
    metrics: Row = field(default_factory=dict)
    entries: tuple[Row, ...] = ()
    segments: tuple[Row, ...] = ()
    responses: tuple[Row, ...] = ()

    @property
    def conversation_id(self) -> str:
        """The name as an id."""
        return self.name.replace(" ", "-")

    def document(self) -> Row:
        """The document that brings the conversation."""
        conversation = {"type": "LIVE_CHAT"} | self.conversation | {"conversationId": self.conversation_id}
        body = {"header": self.header, "engagements": [conversation]}
        meta_data = {"accountId": ACCOUNT, "schemaVersion": "1.0.0.22", "startTime": at(86_400), "endTime": at(90_000)}
        return {"dataType": "Engagement", "metaData": meta_data, "recordCollection": [{"body": body}]}

    def expected(self) -> Facts:
        """The rows by fact, in order."""
        usual: Row = {"type": "LIVE_CHAT", "campaign_id": None, "source_origin": None, "source_device": None, "date": DAY}
        common = usual | self.common | {"account_id": ACCOUNT, "conversation_id": self.conversation_id}
        rows = {
            "conversation_metrics": (self.metrics,),
            "queue_entries": self.entries,
            "segments": self.segments,
            "responses": self.responses,
        }
        return {fact: [common | row for row in given] for fact, given in rows.items()}

    def found(self, facts: Facts) -> Facts:
        """The case's rows among those of many conversations, in order; of `conversation_metrics` the columns it is about."""
        orders = {"queue_entries": "entry_number", "segments": "segment_number", "responses": "response_number"}
        rows = {fact: [row for row in facts[fact] if row["conversation_id"] == self.conversation_id] for fact in facts}
        for fact, order in orders.items():
            rows[fact].sort(key=lambda row: row[order])
        (about,) = self.expected()["conversation_metrics"]
        rows["conversation_metrics"] = [{column: row[column] for column in about} for row in rows["conversation_metrics"]]
        return rows


def source_file(cases: tuple[Case, ...]) -> bytes:
    """The text of a source file with the documents of all cases."""
    return b"".join(json.dumps(case.document()).encode() + b"\n" for case in cases)


# ---- what the vendor sends ----


def at(seconds: float | None) -> int | None:
    """Epoch milliseconds of a time so many seconds behind noon."""
    return None if seconds is None else round(NOON.timestamp() * 1000) + round(seconds * 1000)


def times(
    *,
    start: float | None = 0,
    queued: float | None = 0,
    dequeued: float | None = None,
    connected: float | None = None,
    ended: float | None = None,
) -> Row:
    """The times of a conversation."""
    return {
        "conversationStartTime": at(start),
        "queueStartTime": at(queued),
        "queueEndTime": at(dequeued),
        "interactionStartTime": at(connected),
        "conversationEndTime": at(ended),
    }


def connected(when: float, ended: float | None = 200) -> Row:
    """The times of a conversation that was connected after so many seconds in the queue."""
    return times(dequeued=when, connected=when, ended=ended)


def transfer(
    when: float | None,
    left: tuple[int | None, str | None],
    to: tuple[int | None, str | None],
    *,
    queued: float | None = None,
    dequeued: float | None = None,
    interactive: bool | None = None,
) -> Row:
    """A transfer, from skill and agent to skill and agent."""
    (skill, agent_id), (target_skill, target_agent) = left, to
    return {
        "timestamp": at(when),
        "skillId": skill,
        "agentId": agent_id,
        "targetSkillId": target_skill,
        "targetAgentId": target_agent,
        "queueStartTime": at(queued),
        "queueEndTime": at(dequeued),
        "isInteractive": interactive,
    }


def line(kind: str | None, when: float | None, agent_id: str | None = None) -> Row:
    """A line of a type."""
    return {"type": kind, "timestamp": at(when), "agentId": agent_id, "text": "text"}


def visitor(when: float | None, mcs: float | None = None) -> Row:
    """A line of the visitor."""
    return line("0", when) | ({} if mcs is None else {"mcs": mcs})


def agent(when: float | None, agent_id: str | None = "A") -> Row:
    """A line of an agent."""
    return line("1", when, agent_id)


def control(when: float) -> Row:
    """A line of the system."""
    return line("2", when, "0")


def private(when: float, agent_id: str = "A") -> Row:
    """A remark of an agent that the visitor does not see."""
    return line("5", when, agent_id)


# ---- what the facts hold ----


def moment(seconds: float | None) -> datetime | None:
    """The time so many seconds behind noon."""
    return None if seconds is None else NOON + timedelta(milliseconds=round(seconds * 1000))


def entry(  # noqa: PLR0917 -- a row of a table
    number: int,
    skill: int | None,
    entered: float | None,
    left: float | None,
    wait: int | None,
    outcome: str,
    agent_id: str | None = None,
    *,
    day: date = DAY,
) -> Row:
    """A row of `queue_entries`; the wait in milliseconds."""
    return {
        "entry_number": number,
        "is_transfer": number > 1,
        "skill_id": skill,
        "entered_time": moment(entered),
        "entered_date": day,
        "left_time": moment(left),
        "wait_milliseconds": wait,
        "outcome": outcome,
        "agent_id": agent_id,
    }


def segment(  # noqa: PLR0917 -- a row of a table
    number: int,
    skill: int | None,
    agent_id: str | None,
    opened: float | None,
    assigned: float | None,
    ended: float | None,
    engaged: int | None,
    *,
    lines: tuple[int, int] = (0, 0),
    first: int | None = None,
    from_opening: int | None = None,
    bounce: int = 0,
    last: bool = False,
    scores: tuple[float, ...] = (),
    nickname: str | None = None,
) -> Row:
    """A row of `segments`; durations in milliseconds, lines as those of agents and those of the visitor, and its scores."""
    return {
        "segment_number": number,
        "is_last": last,
        "skill_id": skill,
        "agent_id": agent_id,
        "opened_time": moment(opened),
        "assigned_time": moment(assigned),
        "ended_time": moment(ended),
        "engaged_milliseconds": engaged,
        "agent_line_count": lines[0],
        "visitor_line_count": lines[1],
        "first_response_milliseconds": first,
        "first_response_from_opening_milliseconds": from_opening,
        "bounce_count": bounce,
        "agent_nickname": nickname,
        "scored_line_count": len(scores),
        "mcs_first": scores[0] if scores else None,
        "mcs_last": scores[-1] if scores else None,
    }


def response(  # noqa: PLR0917 -- a row of a table
    number: int,
    of: int | None,
    skill: int | None,
    agent_id: str | None,
    asked: float | None,
    answered: float | None,
    took: int | None,
    from_assignment: int | None,
    since_former: int | None = None,
    former: tuple[int | None, str | None] = (None, None),
) -> Row:
    """A row of `responses`, in the segment `of`; durations in milliseconds.

    `since_former` is the time from the agent's line that the visitor answers, `former` its skill and author.
    """
    return {
        "response_number": number,
        "segment_number": of,
        "skill_id": skill,
        "agent_id": agent_id,
        "visitor_time": moment(asked),
        "response_time": moment(answered),
        "response_milliseconds": took,
        "from_assignment_milliseconds": from_assignment,
        "former_skill_id": former[0],
        "former_agent_id": former[1],
        "visitor_response_milliseconds": since_former,
    }
