"""Cases of the queue at the start, and of a whole conversation."""

import json
from datetime import UTC, date, datetime, timedelta

from documents import VENDOR_EXAMPLE

from oracle.facts_cases.case import (
    DAY,
    NEXT_DAY,
    NOON,
    Case,
    agent,
    at,
    connected,
    entry,
    response,
    segment,
    times,
    transfer,
    visitor,
)

_record = json.loads(VENDOR_EXAMPLE.read_text())["recordCollection"][0]["body"]["com.liveperson.dataaccess.EngagementData"]
_example = _record["engagements"]["array"][0]["com.liveperson.dataaccess.Conversation"]
_zero = (datetime(2016, 7, 25, 17, 54, 41, 856_000, tzinfo=UTC) - NOON) / timedelta(seconds=1)
"""The seconds from noon to the start of the vendor's example."""
_forward = (datetime(2026, 3, 29, 1, tzinfo=UTC) - NOON) / timedelta(seconds=1)
"""The seconds from noon to the moment at which Europe puts its clocks forward."""

CASES = (
    Case(
        "vendor example",
        "Queue 281.856 to 368.565 is 86,709 ms; connected until 894.169: 525,604 ms. Its one line is the system's. visitorId is"
        " empty, so nobody is known. No skillId is sent, and the list of skills has no say.",
        _example,
        header=_record["header"],
        common={"date": date(2016, 7, 25), "source_origin": "Web"},
        metrics={
            "person_id": None, "is_connected": True, "is_abandoned": False, "queue_seconds": 86.709,
            "duration_seconds": 612.313,
            "chat_seconds": 525.604, "visitor_line_count": 0, "agent_line_count": 0, "first_response_seconds": None,
            "start_reason_id": 0, "end_reason_id": 205, "first_skill_id": None, "first_agent_id": None, "segment_count": 1,
            "agent_count": 0, "answered_entry_count": 1, "was_interactive": False,
        },
        entries=(entry(1, None, _zero, _zero + 86.709, 86_709, "answered", day=date(2016, 7, 25)),),
        segments=(segment(1, None, None, _zero + 86.709, _zero + 86.709, _zero + 612.313, 525_604, last=True),),
    ),
    Case(
        "plain",
        "30 s in the queue, connected for 270 s. The first agent line is 20 s behind the connection and 10 s behind the"
        " visitor's first. Answers: 40 to 50, and from the first line of the run at 60 to 80; their mean is 15 s.",
        connected(30, 300) | {
            "skillId": 3, "agentId": "A", "consumerId": None, "isInteractive": True, "startReasonId": 0, "endReasonId": 210,
            "mcs": 61.5,
            "transcripts": [visitor(40), agent(50), visitor(60), visitor(65), agent(80)],
        },
        metrics={
            "skill_id": 3, "agent_id": "A", "is_interactive": True, "mcs": 61.5,
            "conversation_start_time": NOON, "conversation_end_time": NOON + timedelta(seconds=300),
            "is_connected": True, "is_abandoned": False, "queue_seconds": 30.0, "transfer_count": 0,
            "transfer_queue_seconds": 0.0, "total_queue_seconds": 30.0, "duration_seconds": 300.0, "chat_seconds": 270.0,
            "visitor_line_count": 3, "agent_line_count": 2, "first_response_seconds": 20.0, "first_reply_seconds": 10.0,
            "response_count": 2, "response_avg_seconds": 15.0, "response_max_seconds": 20.0,
            "person_id": "v1", "first_skill_id": 3, "first_agent_id": "A", "segment_count": 1, "agent_count": 1,
            "start_reason_id": 0, "end_reason_id": 210, "queue_entry_count": 1, "answered_entry_count": 1,
            "abandoned_entry_count": 0, "moved_entry_count": 0, "was_interactive": True,
        },
        entries=(entry(1, 3, 0, 30, 30_000, "answered", "A"),),
        segments=(segment(1, 3, "A", 30, 30, 300, 270_000, lines=(2, 3), first=20_000, from_opening=20_000, last=True),),
        responses=(
            response(1, 1, 3, "A", 40, 50, 10_000, 10_000),
            response(2, 1, 3, "A", 60, 80, 20_000, 20_000, 10_000, (3, "A")),
        ),
    ),
    Case(
        "nothing but an id",
        "Even so there is one entry: entered at no time, on the conversation's date, which is the document's. Without any end"
        " its outcome is unknown, which is one entry, and none of the three counts.",
        {},
        header={},
        common={"date": NEXT_DAY},
        metrics={
            "is_connected": False, "is_abandoned": True, "queue_seconds": None, "transfer_queue_seconds": 0.0,
            "total_queue_seconds": None, "duration_seconds": None, "chat_seconds": None, "response_count": 0,
            "response_avg_seconds": None, "response_max_seconds": None, "first_reply_seconds": None, "person_id": None,
            "segment_count": 0, "agent_count": 0, "queue_entry_count": 1, "answered_entry_count": 0,
            "abandoned_entry_count": 0, "moved_entry_count": 0, "was_interactive": None,
        },
        entries=(entry(1, None, None, None, None, "unknown", day=NEXT_DAY),),
    ),
    Case(
        "abandoned",
        "Nobody connected and the conversation ended: the visitor left then. No segment, no agent.",
        times(ended=45) | {"skillId": 3, "transcripts": [visitor(10)]},
        metrics={
            "is_connected": False, "is_abandoned": True, "queue_seconds": 45.0, "total_queue_seconds": 45.0,
            "chat_seconds": None,
            "first_response_seconds": None, "first_skill_id": 3, "first_agent_id": None, "visitor_line_count": 1,
            "abandoned_entry_count": 1, "answered_entry_count": 0,
        },
        entries=(entry(1, 3, 0, 45, 45_000, "abandoned"),),
    ),
    Case(
        "abandoned with an end of the queue",
        "The end of the queue goes before the conversation's.",
        times(dequeued=44, ended=45) | {"skillId": 3},
        metrics={"is_abandoned": True, "queue_seconds": 44.0, "duration_seconds": 45.0},
        entries=(entry(1, 3, 0, 44, 44_000, "abandoned"),),
    ),
    Case(
        "abandoned while the conversation has no end",
        "One end is enough for abandoned: that of the queue.",
        times(dequeued=20) | {"skillId": 3},
        metrics={"is_abandoned": True, "queue_seconds": 20.0, "duration_seconds": None, "abandoned_entry_count": 1},
        entries=(entry(1, 3, 0, 20, 20_000, "abandoned"),),
    ),
    Case(
        "no start of the queue",
        "The start of the conversation, at 5, stands in for it in the entry, but not in queue_seconds.",
        times(start=5, queued=None, dequeued=20, connected=20, ended=100) | {"skillId": 3, "agentId": "A"},
        metrics={"queue_seconds": None, "total_queue_seconds": None, "duration_seconds": 95.0, "chat_seconds": 80.0},
        entries=(entry(1, 3, 5, 20, 15_000, "answered", "A"),),
        segments=(segment(1, 3, "A", 20, 20, 100, 80_000, last=True),),
    ),
    Case(
        "no start at all",
        "Entered at no time, so without a wait; left at the connection. The date is the document's.",
        times(start=None, queued=None, connected=20, ended=100) | {"skillId": 3, "agentId": "A"},
        common={"date": NEXT_DAY},
        metrics={"queue_seconds": None, "duration_seconds": None, "is_connected": True},
        entries=(entry(1, 3, None, 20, None, "answered", "A", day=NEXT_DAY),),
        segments=(segment(1, 3, "A", 20, 20, 100, 80_000, last=True),),
    ),
    Case(
        "no end of the queue",
        "An answered entry is left at the connection; queue_seconds of a connected conversation needs the end of the queue.",
        times(connected=12, ended=60) | {"skillId": 3, "agentId": "A"},
        metrics={"queue_seconds": None, "total_queue_seconds": None, "chat_seconds": 48.0},
        entries=(entry(1, 3, 0, 12, 12_000, "answered", "A"),),
        segments=(segment(1, 3, "A", 12, 12, 60, 48_000, last=True),),
    ),
    Case(
        "end of the queue behind the connection",
        "The end of the queue goes before the connection for the wait, 15 s; the segment begins at the connection.",
        times(dequeued=15, connected=12, ended=60) | {"skillId": 3, "agentId": "A"},
        metrics={"queue_seconds": 15.0},
        entries=(entry(1, 3, 0, 15, 15_000, "answered", "A"),),
        segments=(segment(1, 3, "A", 12, 12, 60, 48_000, last=True),),
    ),
    Case(
        "negative wait",
        "Entered at 10 and left at 8: still answered, but without a wait.",
        times(queued=10, dequeued=8, connected=8, ended=60) | {"skillId": 3, "agentId": "A"},
        metrics={"queue_seconds": None, "total_queue_seconds": None, "answered_entry_count": 1},
        entries=(entry(1, 3, 10, 8, None, "answered", "A"),),
        segments=(segment(1, 3, "A", 8, 8, 60, 52_000, last=True),),
    ),
    Case(
        "negative engaged time",
        "The conversation ended before the connection: no engaged time, and the segment is there all the same.",
        connected(30, 29) | {"skillId": 3, "agentId": "A"},
        metrics={"chat_seconds": None, "duration_seconds": 29.0, "segment_count": 1},
        entries=(entry(1, 3, 0, 30, 30_000, "answered", "A"),),
        segments=(segment(1, 3, "A", 30, 30, 29, None, last=True),),
    ),
    Case(
        "all at one time",
        "A wait of 0 is a wait, and 0 ms engaged are engaged time: only a negative time is unknown.",
        connected(0, 0) | {"skillId": 3, "agentId": "A"},
        metrics={"queue_seconds": 0.0, "total_queue_seconds": 0.0, "chat_seconds": 0.0, "duration_seconds": 0.0},
        entries=(entry(1, 3, 0, 0, 0, "answered", "A"),),
        segments=(segment(1, 3, "A", 0, 0, 0, 0, last=True),),
    ),
    Case(
        "one millisecond",
        "Durations are exact to the millisecond.",
        connected(0.001, 0.003) | {"skillId": 3, "agentId": "A"},
        metrics={"queue_seconds": 0.001, "chat_seconds": 0.002, "duration_seconds": 0.003},
        entries=(entry(1, 3, 0, 0.001, 1, "answered", "A"),),
        segments=(segment(1, 3, "A", 0.001, 0.001, 0.003, 2, last=True),),
    ),
    Case(
        "midnight at the start",
        "Begun half a second before midnight, queued at midnight: the conversation is of one day, the entry of the next.",
        times(start=43_199.5, queued=43_200, dequeued=43_230, connected=43_230, ended=43_300) | {"skillId": 3, "agentId": "A"},
        metrics={"queue_seconds": 30.0, "duration_seconds": 100.5},
        entries=(entry(1, 3, 43_200, 43_230, 30_000, "answered", "A", day=NEXT_DAY),),
        segments=(segment(1, 3, "A", 43_230, 43_230, 43_300, 70_000, last=True),),
    ),
    Case(
        "midnight in the queue",
        "Entered in the last millisecond of the day, answered on the next: the entry is of the day on which it was"
        " entered; that of the transfer, queued at midnight, is of the next.",
        times(start=43_199.999, queued=43_199.999, dequeued=43_200, connected=43_200, ended=43_300)
        | {"skillId": 4, "agentId": "B", "transfers": [transfer(43_200, (3, "A"), (4, None), queued=43_200, dequeued=43_210)]},
        metrics={"queue_seconds": 0.001, "transfer_queue_seconds": 10.0, "total_queue_seconds": 10.001},
        entries=(
            entry(1, 3, 43_199.999, 43_200, 1, "answered", "A", day=DAY),
            entry(2, 4, 43_200, 43_210, 10_000, "answered", "B", day=NEXT_DAY),
        ),
        segments=(
            segment(1, 3, "A", 43_200, 43_200, 43_200, 0),
            segment(2, 4, "B", 43_200, 43_210, 43_300, 90_000, last=True),
        ),
    ),
    Case(
        "times as text",
        "A time may come as text, in epoch milliseconds or ISO 8601 with any offset.",
        {
            "conversationStartTime": str(at(0)), "queueStartTime": "2026-03-02T13:00:00+01:00",
            "queueEndTime": "2026-03-02T12:00:30.250Z", "interactionStartTime": "2026-03-02T12:00:30.250",
            "conversationEndTime": str(at(60)), "skillId": "3", "agentId": 77,
        },
        metrics={"queue_seconds": 30.25, "chat_seconds": 29.75, "agent_id": "77", "skill_id": 3},
        entries=(entry(1, 3, 0, 30.25, 30_250, "answered", "77"),),
        segments=(segment(1, 3, "77", 30.25, 30.25, 60, 29_750, last=True),),
    ),
    Case(
        "clocks put forward",
        "Queued at 01:59:50 winter time, answered at 03:00:20 summer time: 30 s. A fact knows of no zone but UTC.",
        {
            "conversationStartTime": "2026-03-29T01:59:50+01:00", "queueStartTime": "2026-03-29T01:59:50+01:00",
            "queueEndTime": "2026-03-29T03:00:20+02:00", "interactionStartTime": "2026-03-29T03:00:20+02:00",
            "conversationEndTime": "2026-03-29T03:01:00+02:00", "skillId": 3, "agentId": "A",
        },
        common={"date": date(2026, 3, 29)},
        metrics={"queue_seconds": 30.0, "chat_seconds": 40.0},
        entries=(entry(1, 3, _forward - 10, _forward + 20, 30_000, "answered", "A", day=date(2026, 3, 29)),),
        segments=(segment(1, 3, "A", _forward + 20, _forward + 20, _forward + 60, 40_000, last=True),),
    ),
    Case(
        "leg of a transfer",
        "Begun by a transfer and ended by one, so perhaps a part of another record: its start is an entry like others.",
        connected(10) | {"skillId": 3, "agentId": "A", "startReasonId": 2, "endReasonId": 106},
        metrics={"start_reason_id": 2, "end_reason_id": 106, "queue_entry_count": 1},
        entries=(entry(1, 3, 0, 10, 10_000, "answered", "A"),),
        segments=(segment(1, 3, "A", 10, 10, 200, 190_000, last=True),),
    ),
)  # fmt: skip
