"""Cases of transfers: the outcomes of their queues, who had which part, what stands under which skill."""

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
        "bot then human",
        "A bot of skill 1 answers after 1 s and hands over at 20; A of skill 2 answers 30 s later. Each wait stands under"
        " its own skill, each part under its own agent. The line at 30 is nobody's: the bot had left, A was not there yet."
        " Its answer at 60 took 30 s, and 10 s from the assignment at 50.",
        connected(1) | {
            "skillId": 2, "agentId": "A",
            "transfers": [transfer(20, (1, "bot"), (2, None), queued=20, dequeued=50)],
            "transcripts": [agent(1, "bot"), visitor(5), agent(6, "bot"), visitor(30), agent(60)],
        },
        metrics={
            "skill_id": 2, "agent_id": "A", "first_skill_id": 1, "first_agent_id": "bot", "queue_seconds": 1.0,
            "transfer_count": 1, "transfer_queue_seconds": 30.0, "total_queue_seconds": 31.0, "chat_seconds": 199.0,
            "first_response_seconds": 0.0, "first_reply_seconds": 1.0, "response_count": 2, "response_avg_seconds": 15.5,
            "response_max_seconds": 30.0, "segment_count": 2, "agent_count": 2, "queue_entry_count": 2,
            "answered_entry_count": 2,
        },
        entries=(entry(1, 1, 0, 1, 1_000, "answered", "bot"), entry(2, 2, 20, 50, 30_000, "answered", "A")),
        segments=(
            segment(1, 1, "bot", 1, 1, 20, 19_000, lines=(2, 1), first=0, from_opening=0),
            segment(2, 2, "A", 20, 50, 200, 150_000, lines=(1, 0), first=10_000, from_opening=40_000, last=True),
        ),
        responses=(
            response(1, 1, 1, "bot", 5, 6, 1_000, 1_000, 4_000, (1, "bot")),
            response(2, 2, 2, "A", 30, 60, 30_000, 10_000, 24_000, (1, "bot")),
        ),
    ),
    Case(
        "gave up in the queue of a transfer",
        "The page's example: answered by a bot after 1 s, handed to people at 20, gone at 134. The conversation was"
        " connected and is not abandoned; its second entry is, after 114 s. The bot's segment ends at the transfer that"
        " nobody took; as the last it has the lines behind, too.",
        connected(1, 134) | {
            "skillId": 2, "agentId": "bot",
            "transfers": [transfer(20, (1, "bot"), (2, None), queued=20)],
            "transcripts": [visitor(5), agent(6, "bot"), visitor(100)],
        },
        metrics={
            "is_connected": True, "is_abandoned": False, "queue_seconds": 1.0, "transfer_queue_seconds": 0.0,
            "total_queue_seconds": 1.0, "chat_seconds": 133.0, "queue_entry_count": 2, "answered_entry_count": 1,
            "abandoned_entry_count": 1, "moved_entry_count": 0, "segment_count": 1, "agent_count": 1,
        },
        entries=(entry(1, 1, 0, 1, 1_000, "answered", "bot"), entry(2, 2, 20, 134, 114_000, "abandoned")),
        segments=(segment(1, 1, "bot", 1, 1, 20, 19_000, lines=(1, 2), first=5_000, from_opening=5_000, last=True),),
        responses=(response(1, 1, 1, "bot", 5, 6, 1_000, 1_000),),
    ),
    Case(
        "abandoned at the start after one transfer",
        "Nobody ever connected. The first queue was left at the transfer, at 30, the second at the end. queue_seconds is of the"
        " whole, from the start to the end.",
        times(ended=90) | {"skillId": 2, "agentId": "", "transfers": [transfer(30, (1, ""), (2, ""), queued=30)]},
        metrics={
            "is_abandoned": True, "queue_seconds": 90.0, "transfer_queue_seconds": 0.0, "total_queue_seconds": 90.0,
            "first_skill_id": 1, "first_agent_id": None, "agent_id": None, "queue_entry_count": 2, "answered_entry_count": 0,
            "abandoned_entry_count": 1, "moved_entry_count": 1, "segment_count": 0,
        },
        entries=(entry(1, 1, 0, 30, 30_000, "moved"), entry(2, 2, 30, 90, 60_000, "abandoned")),
    ),
    Case(
        "transferred before the connection",
        "The connection at 60 is the transfer's, since the transfer at 30 is before it: the start was moved. It was left"
        " at its queue_end_time, 60 (reading 20). Its segment is the first, of the transfer; the first transfer names no"
        " agent it left, so the first agent is the conversation's.",
        connected(60)
        | {"skillId": 2, "agentId": "A", "transfers": [transfer(30, (1, None), (2, None), queued=30, dequeued=60)]},
        metrics={
            "queue_seconds": 60.0, "transfer_queue_seconds": 30.0, "total_queue_seconds": 90.0, "first_skill_id": 1,
            "first_agent_id": "A", "answered_entry_count": 1, "moved_entry_count": 1, "segment_count": 1,
        },
        entries=(entry(1, 1, 0, 60, 60_000, "moved"), entry(2, 2, 30, 60, 30_000, "answered", "A")),
        segments=(segment(1, 2, "A", 30, 60, 200, 140_000, last=True),),
    ),
    Case(
        "transferred one millisecond before the connection",
        "Before by the least there is: moved. Without a queue_end_time the start was left at the transfer.",
        times(connected=30, ended=200)
        | {"skillId": 2, "agentId": "B", "transfers": [transfer(29.999, (1, None), (2, None), queued=29.999, dequeued=30)]},
        metrics={"queue_seconds": None, "moved_entry_count": 1},
        entries=(entry(1, 1, 0, 29.999, 29_999, "moved"), entry(2, 2, 29.999, 30, 1, "answered", "B")),
        segments=(segment(1, 2, "B", 29.999, 30, 200, 170_000, last=True),),
    ),
    Case(
        "transferred at the very connection",
        "Not before it: the start was answered, and its segment has no length, so no line either: the one at 30 is B's.",
        connected(30) | {
            "skillId": 2, "agentId": "B", "transfers": [transfer(30, (1, "A"), (2, "B"))], "transcripts": [agent(30, "B")],
        },
        metrics={"answered_entry_count": 1, "segment_count": 2, "first_response_seconds": 0.0},
        entries=(entry(1, 1, 0, 30, 30_000, "answered", "A"),),
        segments=(
            segment(1, 1, "A", 30, 30, 30, 0),
            segment(2, 2, "B", 30, 30, 200, 170_000, lines=(1, 0), first=0, from_opening=0, last=True),
        ),
    ),
    Case(
        "next transfer before the end of the queue",
        "Moved on at 89, while the queue of the first transfer ended at 90. Left at that end (reading 20).",
        connected(10) | {
            "skillId": 3, "agentId": "C",
            "transfers": [
                transfer(60, (1, "A"), (2, None), queued=60, dequeued=90),
                transfer(89, (2, None), (3, None), queued=89, dequeued=120),
            ],
        },
        metrics={"transfer_queue_seconds": 61.0, "moved_entry_count": 1, "answered_entry_count": 2, "agent_count": 2},
        entries=(_start, entry(2, 2, 60, 90, 30_000, "moved"), entry(3, 3, 89, 120, 31_000, "answered", "C")),
        segments=(segment(1, 1, "A", 10, 10, 60, 50_000), segment(2, 3, "C", 89, 120, 200, 80_000, last=True)),
    ),
    Case(
        "next transfer at the end of the queue",
        "At is as before: moved.",
        connected(10) | {
            "skillId": 3, "agentId": "C",
            "transfers": [
                transfer(60, (1, "A"), (2, None), queued=60, dequeued=90),
                transfer(90, (2, None), (3, None), queued=90, dequeued=120),
            ],
        },
        metrics={"transfer_queue_seconds": 60.0, "total_queue_seconds": 70.0, "moved_entry_count": 1, "segment_count": 2},
        entries=(_start, entry(2, 2, 60, 90, 30_000, "moved"), entry(3, 3, 90, 120, 30_000, "answered", "C")),
        segments=(segment(1, 1, "A", 10, 10, 60, 50_000), segment(2, 3, "C", 90, 120, 200, 80_000, last=True)),
    ),
    Case(
        "next transfer behind the end of the queue",
        "B answered at 90 and passed on a millisecond later: answered, with a segment of 1 ms.",
        connected(10) | {
            "skillId": 3, "agentId": "C",
            "transfers": [
                transfer(60, (1, "A"), (2, None), queued=60, dequeued=90),
                transfer(90.001, (2, "B"), (3, None), queued=90.001, dequeued=120),
            ],
        },
        metrics={"transfer_queue_seconds": 59.999, "moved_entry_count": 0, "answered_entry_count": 3, "agent_count": 3},
        entries=(_start, entry(2, 2, 60, 90, 30_000, "answered", "B"), entry(3, 3, 90.001, 120, 29_999, "answered", "C")),
        segments=(
            segment(1, 1, "A", 10, 10, 60, 50_000),
            segment(2, 2, "B", 60, 90, 90.001, 1),
            segment(3, 3, "C", 90.001, 120, 200, 80_000, last=True),
        ),
    ),
    Case(
        "moved without an end of the queue",
        "The queue of the first transfer was left at the second, which went to an agent at once and is no entry.",
        connected(10) | {
            "skillId": 3, "agentId": "C",
            "transfers": [transfer(60, (1, "A"), (2, None), queued=60), transfer(75, (2, None), (3, "C"))],
        },
        metrics={"transfer_count": 2, "transfer_queue_seconds": 0.0, "queue_entry_count": 2, "moved_entry_count": 1},
        entries=(_start, entry(2, 2, 60, 75, 15_000, "moved")),
        segments=(segment(1, 1, "A", 10, 10, 60, 50_000), segment(2, 3, "C", 75, 75, 200, 125_000, last=True)),
    ),
    Case(
        "transfer to an agent at once",
        "Without a queue_start_time it is no entry; B had the conversation from the transfer on.",
        connected(10) | {"skillId": 1, "agentId": "B", "transfers": [transfer(60, (1, "A"), (1, "B"))]},
        metrics={"transfer_count": 1, "queue_entry_count": 1, "segment_count": 2, "agent_count": 2},
        entries=(_start,),
        segments=(segment(1, 1, "A", 10, 10, 60, 50_000), segment(2, 1, "B", 60, 60, 200, 140_000, last=True)),
    ),
    Case(
        "transfer with the end of a queue alone",
        "Still no entry, but assigned at the end of the queue: the line at 63 is nobody's, the one at 65 is B's first.",
        connected(10) | {
            "skillId": 1, "agentId": "B", "transfers": [transfer(60, (1, "A"), (1, "B"), dequeued=65)],
            "transcripts": [agent(63, "B"), agent(65, "B")],
        },
        metrics={"transfer_queue_seconds": 0.0, "queue_entry_count": 1, "agent_line_count": 2},
        entries=(_start,),
        segments=(
            segment(1, 1, "A", 10, 10, 60, 50_000),
            segment(2, 1, "B", 60, 65, 200, 135_000, lines=(1, 0), first=0, from_opening=5_000, last=True),
        ),
    ),
    Case(
        "conversation ends at the end of the queue",
        "At is as before: an agent who came then met nobody.",
        connected(10)
        | {"skillId": 2, "agentId": "A", "transfers": [transfer(60, (1, "A"), (2, None), queued=60, dequeued=200)]},
        metrics={"abandoned_entry_count": 1, "transfer_queue_seconds": 140.0, "segment_count": 1},
        entries=(_start, entry(2, 2, 60, 200, 140_000, "abandoned")),
        segments=(segment(1, 1, "A", 10, 10, 60, 50_000, last=True),),
    ),
    Case(
        "conversation ends behind the end of the queue",
        "One millisecond is enough to have been answered.",
        connected(10, 200.001)
        | {"skillId": 2, "agentId": "B", "transfers": [transfer(60, (1, "A"), (2, None), queued=60, dequeued=200)]},
        metrics={"abandoned_entry_count": 0, "answered_entry_count": 2},
        entries=(_start, entry(2, 2, 60, 200, 140_000, "answered", "B")),
        segments=(segment(1, 1, "A", 10, 10, 60, 50_000), segment(2, 2, "B", 60, 200, 200.001, 1, last=True)),
    ),
    Case(
        "conversation ends before the end of the queue",
        "Abandoned, and left at its queue_end_time (reading 20), although that is behind the conversation's end.",
        connected(10)
        | {"skillId": 2, "agentId": "A", "transfers": [transfer(60, (1, "A"), (2, None), queued=60, dequeued=210)]},
        metrics={"abandoned_entry_count": 1},
        entries=(_start, entry(2, 2, 60, 210, 150_000, "abandoned")),
        segments=(segment(1, 1, "A", 10, 10, 60, 50_000, last=True),),
    ),
    Case(
        "queue entered behind its transfer",
        "The queue's own time is when the entry began, and the transfer's when its segment was opened.",
        connected(10) | {
            "skillId": 2, "agentId": "B", "transfers": [transfer(60, (1, "A"), (2, None), queued=62, dequeued=70)],
            "transcripts": [agent(75, "B")],
        },
        metrics={"transfer_queue_seconds": 8.0},
        entries=(_start, entry(2, 2, 62, 70, 8_000, "answered", "B")),
        segments=(
            segment(1, 1, "A", 10, 10, 60, 50_000),
            segment(2, 2, "B", 60, 70, 200, 130_000, lines=(1, 0), first=5_000, from_opening=15_000, last=True),
        ),
    ),
    Case(
        "transfer without a target skill",
        "The skill it left stays, for the entry as for the segment.",
        connected(10)
        | {"skillId": 7, "agentId": "B", "transfers": [transfer(60, (1, "A"), (None, "B"), queued=60, dequeued=70)]},
        metrics={"first_skill_id": 1, "skill_id": 7},
        entries=(_start, entry(2, 1, 60, 70, 10_000, "answered", "B")),
        segments=(segment(1, 1, "A", 10, 10, 60, 50_000), segment(2, 1, "B", 60, 70, 200, 130_000, last=True)),
    ),
    Case(
        "four transfers",
        "Answered, moved on, at once, given up: five steps, four entries, three segments.",
        connected(10, 300) | {
            "skillId": 5, "agentId": "D",
            "transfers": [
                transfer(20, (1, "A"), (2, None), queued=20, dequeued=30),
                transfer(40, (2, "B"), (3, None), queued=40),
                transfer(60, (3, None), (4, "D")),
                transfer(80, (4, "D"), (5, None), queued=80),
            ],
        },
        metrics={
            "transfer_count": 4, "transfer_queue_seconds": 10.0, "queue_entry_count": 4, "answered_entry_count": 2,
            "moved_entry_count": 1, "abandoned_entry_count": 1, "segment_count": 3, "agent_count": 3,
        },
        entries=(
            _start,
            entry(2, 2, 20, 30, 10_000, "answered", "B"),
            entry(3, 3, 40, 60, 20_000, "moved"),
            entry(4, 5, 80, 300, 220_000, "abandoned"),
        ),
        segments=(
            segment(1, 1, "A", 10, 10, 20, 10_000),
            segment(2, 2, "B", 20, 30, 40, 10_000),
            segment(3, 4, "D", 60, 60, 80, 20_000, last=True),
        ),
    ),
)  # fmt: skip
