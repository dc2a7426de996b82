"""Cases of transfers whose times are missing, or contradict each other."""

from oracle.facts_cases.case import (
    Case,
    agent,
    connected,
    entry,
    response,
    segment,
    times,
    transfer,
    visitor,
)

_start = entry(1, 1, 0, 10, 10_000, "answered", "A")
"""The start of the cases below in which A of skill 1 answered after 10 s."""

CASES = (
    Case(
        "next transfer without a timestamp",
        "A time that is not there is not at or before the end of the queue: B answered. When B's part ended is unknown,"
        " so it has no length and no lines. The last one was opened at no time, but assigned at 120.",
        connected(10) | {
            "skillId": 3, "agentId": "C",
            "transfers": [
                transfer(60, (1, "A"), (2, None), queued=60, dequeued=90),
                transfer(None, (2, "B"), (3, None), queued=100, dequeued=120),
            ],
            "transcripts": [agent(95, "B"), agent(125, "C")],
        },
        metrics={"answered_entry_count": 3, "segment_count": 3},
        entries=(_start, entry(2, 2, 60, 90, 30_000, "answered", "B"), entry(3, 3, 100, 120, 20_000, "answered", "C")),
        segments=(
            segment(1, 1, "A", 10, 10, 60, 50_000),
            segment(2, 2, "B", 60, 90, None, None),
            segment(3, 3, "C", None, 120, 200, 80_000, lines=(1, 0), first=5_000, last=True),
        ),
    ),
    Case(
        "moved to a transfer without a timestamp",
        "Without an end of the queue, a next transfer is enough for moved; when is unknown. Without its own time and queue that"
        " transfer was assigned at no time, so no line is in its segment, although it is the last.",
        connected(10) | {
            "skillId": 3, "agentId": "C",
            "transfers": [transfer(60, (1, "A"), (2, None), queued=60), transfer(None, (2, None), (3, "C"))],
            "transcripts": [agent(125, "C")],
        },
        metrics={"moved_entry_count": 1, "segment_count": 2, "agent_line_count": 1},
        entries=(_start, entry(2, 2, 60, None, None, "moved")),
        segments=(segment(1, 1, "A", 10, 10, 60, 50_000), segment(2, 3, "C", None, None, 200, None, last=True)),
    ),
    Case(
        "conversation without an end",
        "The queue of the transfer ended, and nothing says that the conversation had: answered. Its segment goes on, with lines"
        " but without a length.",
        connected(10, None) | {
            "skillId": 2, "agentId": "B", "transfers": [transfer(60, (1, "A"), (2, None), queued=60, dequeued=90)],
            "transcripts": [agent(95, "B")],
        },
        metrics={"answered_entry_count": 2, "chat_seconds": None},
        entries=(_start, entry(2, 2, 60, 90, 30_000, "answered", "B")),
        segments=(
            segment(1, 1, "A", 10, 10, 60, 50_000),
            segment(2, 2, "B", 60, 90, None, None, lines=(1, 0), first=5_000, from_opening=35_000, last=True),
        ),
    ),
    Case(
        "unknown outcome of a transfer",
        "No end of the queue, no next transfer, no end of the conversation.",
        connected(10, None) | {"skillId": 2, "agentId": "A", "transfers": [transfer(60, (1, "A"), (2, None), queued=60)]},
        metrics={"queue_entry_count": 2, "answered_entry_count": 1, "abandoned_entry_count": 0, "moved_entry_count": 0},
        entries=(_start, entry(2, 2, 60, None, None, "unknown")),
        segments=(segment(1, 1, "A", 10, 10, 60, 50_000, last=True),),
    ),
    Case(
        "negative wait in a transfer",
        "Its queue ended before it began, and before the transfer: answered, without a wait, and nothing for the sum."
        " From the opening at 60 to the line at 59 is negative, too; from the assignment at 58 it is a second. Both"
        " segments have that line.",
        connected(10) | {
            "skillId": 2, "agentId": "B", "transfers": [transfer(60, (1, "A"), (2, None), queued=60, dequeued=58)],
            "transcripts": [agent(59, "B")],
        },
        metrics={"transfer_queue_seconds": 0.0, "total_queue_seconds": 10.0},
        entries=(_start, entry(2, 2, 60, 58, None, "answered", "B")),
        segments=(
            segment(1, 1, "A", 10, 10, 60, 50_000, lines=(1, 0), first=49_000, from_opening=49_000),
            segment(2, 2, "B", 60, 58, 200, 142_000, lines=(1, 0), first=1_000, last=True),
        ),
    ),
    Case(
        "transfer that says nothing",
        "No time, skill, agent or queue: no entry. It opens a segment, assigned at no time, of unknown skill and, as the"
        " last, of the conversation's agent. The first skill and agent are the conversation's, and when A's part ended is"
        " unknown.",
        connected(10) | {"skillId": 1, "agentId": "A", "transfers": [{}], "transcripts": [agent(20)]},
        metrics={"transfer_count": 1, "first_skill_id": 1, "first_agent_id": "A", "segment_count": 2, "agent_count": 1},
        entries=(_start,),
        segments=(
            segment(1, 1, "A", 10, 10, None, None),
            segment(2, None, "A", None, None, 200, None, last=True),
        ),
    ),
    Case(
        "transfers out of order",
        "They count in the order that they are sent in: A until 100, B from 100 to 60, C from 60 on. The line at 70 is"
        " within A's part and C's; as an answer it is in the later one.",
        connected(10) | {
            "skillId": 3, "agentId": "C",
            "transfers": [transfer(100, (1, "A"), (2, "B")), transfer(60, (2, "B"), (3, "C"))],
            "transcripts": [visitor(50), agent(70, "C")],
        },
        metrics={"response_count": 1, "agent_line_count": 1, "segment_count": 3},
        entries=(_start,),
        segments=(
            segment(1, 1, "A", 10, 10, 100, 90_000, lines=(1, 1), first=60_000, from_opening=60_000),
            segment(2, 2, "B", 100, 100, 60, None),
            segment(3, 3, "C", 60, 60, 200, 140_000, lines=(1, 0), first=10_000, from_opening=10_000, last=True),
        ),
        responses=(response(1, 3, 3, "C", 50, 70, 20_000, 10_000),),
    ),
    Case(
        "moved from the start to a transfer without a timestamp",
        "Nobody connected and a transfer is there: moved, at an unknown time.",
        times(ended=90) | {"skillId": 2, "transfers": [transfer(None, (1, None), (2, None), queued=30)]},
        metrics={"moved_entry_count": 1, "abandoned_entry_count": 1},
        entries=(entry(1, 1, 0, None, None, "moved"), entry(2, 2, 30, 90, 60_000, "abandoned")),
    ),
    Case(
        "moved from the start with an end of the queue",
        "The end of the queue says when the start was left, and the transfer that it was moved. queue_seconds is of the start,"
        " too; the transfer's own wait comes on top.",
        times(dequeued=25, ended=90)
        | {"skillId": 2, "transfers": [transfer(30, (1, None), (2, None), queued=30, dequeued=90)]},
        metrics={"is_abandoned": True, "queue_seconds": 25.0, "transfer_queue_seconds": 60.0, "total_queue_seconds": 85.0},
        entries=(entry(1, 1, 0, 25, 25_000, "moved"), entry(2, 2, 30, 90, 60_000, "abandoned")),
    ),
    Case(
        "connected while no queue says so",
        "The transfer at 30 is before the connection at 60, so the start was moved; its own queue has no end, so it counts as"
        " abandoned, by the rule. Connected, and yet no entry was answered and no segment opened: times that contradict.",
        times(connected=60, ended=200)
        | {
            "skillId": 2, "agentId": "A", "transcripts": [agent(70)],
            "transfers": [transfer(30, (1, None), (2, None), queued=30)],
        },
        metrics={"is_connected": True, "answered_entry_count": 0, "segment_count": 0, "first_response_seconds": 10.0},
        entries=(entry(1, 1, 0, 30, 30_000, "moved"), entry(2, 2, 30, 200, 170_000, "abandoned")),
    ),
    Case(
        "at once, with the end of a queue behind the next transfer",
        "Without a queue_start_time it is no entry, so nothing asks who took it: a segment, assigned at 90 and ended at 80.",
        connected(10) | {
            "skillId": 3, "agentId": "C",
            "transfers": [transfer(60, (1, "A"), (2, "B"), dequeued=90), transfer(80, (2, "B"), (3, "C"))],
        },
        metrics={"queue_entry_count": 1, "segment_count": 3, "agent_count": 3},
        entries=(_start,),
        segments=(
            segment(1, 1, "A", 10, 10, 60, 50_000),
            segment(2, 2, "B", 60, 90, 80, None),
            segment(3, 3, "C", 80, 80, 200, 120_000, last=True),
        ),
    ),
)  # fmt: skip
