"""Cases of segments and of the people in them: their bounds, their agents, skills that come again, empty ids."""

from oracle.facts_cases.case import (
    HEADER,
    Case,
    agent,
    connected,
    control,
    entry,
    line,
    private,
    response,
    segment,
    transfer,
    visitor,
)

CASES = (
    Case(
        "lines at the bounds",
        "A segment has the lines from its assignment on until before its end; of the last also those behind the conversation's"
        " end. The one before the connection is nobody's. The private line is neither side's.",
        connected(10) | {
            "skillId": 2, "agentId": "B", "transfers": [transfer(60, (1, "A"), (2, "B"))],
            "transcripts": [
                agent(9.999), agent(10), visitor(10), private(20), visitor(59.999), visitor(60), agent(60, "B"), agent(200,
                "B"),
                visitor(201),
            ],
        },
        metrics={
            "agent_line_count": 4, "visitor_line_count": 4, "first_response_seconds": 0.0, "first_reply_seconds": 50.0,
            "response_count": 1,
        },
        entries=(entry(1, 1, 0, 10, 10_000, "answered", "A"),),
        segments=(
            segment(1, 1, "A", 10, 10, 60, 50_000, lines=(1, 2), first=0, from_opening=0),
            segment(2, 2, "B", 60, 60, 200, 140_000, lines=(2, 2), first=0, from_opening=0, last=True),
        ),
        responses=(
            # The visitor's run goes from 10 to 60, the private line aside; B had the conversation from 60 on.
            response(1, 2, 2, "B", 10, 60, 50_000, 0, 1, (None, "A")),
        ),
    ),
    Case(
        "scores of lines",
        "Scores of the visitor's lines alone, in the order of the transcript, not of the clock: 40 stands first, though its"
        " time is later. The 10 before the connection is of the conversation, not of a segment. B's visitor has no score.",
        connected(10) | {
            "skillId": 2, "agentId": "B", "transfers": [transfer(60, (1, "A"), (2, "B"))],
            "transcripts": [
                visitor(5, 10), visitor(30, 40), agent(20) | {"mcs": 99}, visitor(25, 70), visitor(26), visitor(70),
                agent(80, "B") | {"mcs": 98},
            ],
        },
        metrics={"scored_line_count": 3, "mcs_first": 10.0, "mcs_last": 70.0},
        entries=(entry(1, 1, 0, 10, 10_000, "answered", "A"),),
        segments=(
            segment(1, 1, "A", 10, 10, 60, 50_000, lines=(1, 3), first=10_000, from_opening=10_000, scores=(40.0, 70.0)),
            segment(2, 2, "B", 60, 60, 200, 140_000, lines=(1, 1), first=20_000, from_opening=20_000, last=True),
        ),
        responses=(
            # The run before A's line begins at 5, before the assignment at 10.
            response(1, 1, 1, "A", 5, 20, 15_000, 10_000),
            response(2, 2, 2, "B", 25, 80, 55_000, 20_000, 5_000, (1, "A")),
        ),
    ),
    Case(
        "nicknames",
        "The name on the agent's own last line that has one, in the order of the transcript, not of the clock. Lines of the"
        " visitor, of others, and control lines name nobody; B's lines carry no name.",
        connected(10) | {
            "skillId": 2, "agentId": "B", "transfers": [transfer(60, (1, "A"), (2, "B"))],
            "transcripts": [
                agent(30) | {"by": "Zoe"}, agent(20) | {"by": "Zoë"}, agent(25) | {"by": ""}, control(40) | {"by": "info"},
                agent(45, "C") | {"by": "Carl"}, visitor(50) | {"by": "Visitor"}, agent(80, "B"),
            ],
        },
        entries=(entry(1, 1, 0, 10, 10_000, "answered", "A"),),
        segments=(
            segment(1, 1, "A", 10, 10, 60, 50_000, lines=(4, 1), first=10_000, from_opening=10_000, nickname="Zoë"),
            segment(2, 2, "B", 60, 60, 200, 140_000, lines=(1, 0), first=20_000, from_opening=20_000, last=True),
        ),
        responses=(response(1, 2, 2, "B", 50, 80, 30_000, 20_000, 20_000, (1, "A")),),
    ),
    Case(
        "lines of any author and kind",
        "Lines of types 1, 3 and 4 are agents' lines, of any author; control lines, private, unknown and untimed ones count"
        " for neither side. The earliest by time, at 40, is the first response, although it stands second.",
        connected(30) | {
            "skillId": 1, "agentId": "A",
            "transcripts": [
                line("1", 50, "A"), line("3", 40, "X"), line("4", 60, ""), line("2", 31, "0"), line("5", 32, "A"),
                line("7", 33, "A"), line(None, 34, "A"), line("", 35, "A"), agent(None), visitor(None),
            ],
        },
        metrics={
            "agent_line_count": 4, "visitor_line_count": 1, "first_response_seconds": 10.0, "first_reply_seconds": None,
            "response_count": 0,
        },
        entries=(entry(1, 1, 0, 30, 30_000, "answered", "A"),),
        segments=(segment(1, 1, "A", 30, 30, 200, 170_000, lines=(3, 0), first=10_000, from_opening=10_000, last=True),),
    ),
    Case(
        "skills A B A",
        "The page's example: the third is the second time in that skill.",
        connected(10) | {
            "skillId": 1, "agentId": "C",
            "transfers": [transfer(20, (1, "A"), (2, "B")), transfer(30, (2, "B"), (1, "C"))],
        },
        metrics={"segment_count": 3, "agent_count": 3},
        entries=(entry(1, 1, 0, 10, 10_000, "answered", "A"),),
        segments=(
            segment(1, 1, "A", 10, 10, 20, 10_000),
            segment(2, 2, "B", 20, 20, 30, 10_000),
            segment(3, 1, "C", 30, 30, 200, 170_000, bounce=1, last=True),
        ),
    ),
    Case(
        "skills A A",
        "The page's example: two segments in a row are one run. The two agents are one person.",
        connected(10) | {"skillId": 1, "agentId": "A", "transfers": [transfer(20, (1, "A"), (1, "A"))]},
        metrics={"segment_count": 2, "agent_count": 1},
        entries=(entry(1, 1, 0, 10, 10_000, "answered", "A"),),
        segments=(segment(1, 1, "A", 10, 10, 20, 10_000), segment(2, 1, "A", 20, 20, 200, 180_000, last=True)),
    ),
    Case(
        "skills A B B A A",
        "The run of two B counts once; both of the last run have one earlier run of A.",
        connected(10) | {
            "skillId": 1, "agentId": "A",
            "transfers": [
                transfer(20, (1, "A"), (2, "B")), transfer(30, (2, "B"), (2, "B")), transfer(40, (2, "B"), (1, "A")),
                transfer(50, (1, "A"), (1, "A")),
            ],
        },
        metrics={"segment_count": 5, "agent_count": 2},
        entries=(entry(1, 1, 0, 10, 10_000, "answered", "A"),),
        segments=(
            segment(1, 1, "A", 10, 10, 20, 10_000),
            segment(2, 2, "B", 20, 20, 30, 10_000),
            segment(3, 2, "B", 30, 30, 40, 10_000),
            segment(4, 1, "A", 40, 40, 50, 10_000, bounce=1),
            segment(5, 1, "A", 50, 50, 200, 150_000, bounce=1, last=True),
        ),
    ),
    Case(
        "skills A B A B A",
        "The last A has two earlier runs of A, the second B one of B.",
        connected(10) | {
            "skillId": 1, "agentId": "A",
            "transfers": [
                transfer(20, (1, "A"), (2, "B")), transfer(30, (2, "B"), (1, "A")), transfer(40, (1, "A"), (2, "B")),
                transfer(50, (2, "B"), (1, "A")),
            ],
        },
        metrics={"segment_count": 5, "agent_count": 2},
        entries=(entry(1, 1, 0, 10, 10_000, "answered", "A"),),
        segments=(
            segment(1, 1, "A", 10, 10, 20, 10_000),
            segment(2, 2, "B", 20, 20, 30, 10_000),
            segment(3, 1, "A", 30, 30, 40, 10_000, bounce=1),
            segment(4, 2, "B", 40, 40, 50, 10_000, bounce=1),
            segment(5, 1, "A", 50, 50, 200, 150_000, bounce=2, last=True),
        ),
    ),
    Case(
        "skill that a queue alone had",
        "Skill 2 never had the conversation, since its queue was moved on: A to A without a run between, so nothing came"
        " again.",
        connected(10) | {
            "skillId": 1, "agentId": "C",
            "transfers": [transfer(20, (1, "A"), (2, None), queued=20), transfer(30, (2, None), (1, "C"))],
        },
        metrics={"moved_entry_count": 1, "segment_count": 2},
        entries=(entry(1, 1, 0, 10, 10_000, "answered", "A"), entry(2, 2, 20, 30, 10_000, "moved")),
        segments=(segment(1, 1, "A", 10, 10, 20, 10_000), segment(2, 1, "C", 30, 30, 200, 170_000, last=True)),
    ),
    Case(
        "unknown skill between",
        "A segment of unknown skill ends the run before it, and comes again of nothing itself. The second transfer says"
        " no target, so its skill is the one it left, which is unknown, too.",
        connected(10) | {
            "skillId": 1, "agentId": "C",
            "transfers": [
                transfer(20, (1, "A"), (None, "B")) | {"skillId": None},
                transfer(30, (None, "B"), (None, "B")),
                transfer(40, (None, "B"), (1, "C")),
            ],
        },
        metrics={"first_skill_id": 1, "segment_count": 4, "agent_count": 3},
        entries=(entry(1, 1, 0, 10, 10_000, "answered", "A"),),
        segments=(
            segment(1, 1, "A", 10, 10, 20, 10_000),
            segment(2, None, "B", 20, 20, 30, 10_000),
            segment(3, None, "B", 30, 30, 40, 10_000),
            segment(4, 1, "C", 40, 40, 200, 160_000, bounce=1, last=True),
        ),
    ),
    Case(
        "skills 0 and -1",
        "They are skills like others: only NULL is unknown.",
        connected(10) | {"skillId": -1, "agentId": "A", "transfers": [transfer(20, (0, "A"), (-1, "A"))]},
        metrics={"first_skill_id": 0, "skill_id": -1},
        entries=(entry(1, 0, 0, 10, 10_000, "answered", "A"),),
        segments=(segment(1, 0, "A", 10, 10, 20, 10_000), segment(2, -1, "A", 20, 20, 200, 180_000, last=True)),
    ),
    Case(
        "agents empty and 0",
        "The first transfer left 0, the second the empty id: neither is an agent, and says nothing. All parts are then of the"
        " conversation's agent, B.",
        connected(10) | {
            "skillId": 1, "agentId": "B",
            "transfers": [transfer(20, (1, "0"), (2, "0")), transfer(30, (2, ""), (3, ""))],
        },
        metrics={"first_agent_id": "B", "agent_id": "B", "agent_count": 1, "segment_count": 3},
        entries=(entry(1, 1, 0, 10, 10_000, "answered", "B"),),
        segments=(
            segment(1, 1, "B", 10, 10, 20, 10_000),
            segment(2, 2, "B", 20, 20, 30, 10_000),
            segment(3, 3, "B", 30, 30, 200, 170_000, last=True),
        ),
    ),
    Case(
        "agent of the target",
        "The conversation's agent is 0, so none: the last part is the target's, and the first A's, whom the transfer left.",
        connected(10) | {"skillId": 2, "agentId": "0", "transfers": [transfer(20, (1, "A"), (2, "B"), queued=20, dequeued=25)]},
        metrics={"first_agent_id": "A", "agent_id": None, "agent_count": 2},
        entries=(entry(1, 1, 0, 10, 10_000, "answered", "A"), entry(2, 2, 20, 25, 5_000, "answered", "B")),
        segments=(segment(1, 1, "A", 10, 10, 20, 10_000), segment(2, 2, "B", 20, 25, 200, 175_000, last=True)),
    ),
    Case(
        "agent who took over from the target",
        "Transferred to B, but at the end C had it: the conversation's agent goes before the target.",
        connected(10) | {"skillId": 2, "agentId": "C", "transfers": [transfer(20, (1, "A"), (2, "B"))]},
        metrics={"agent_id": "C", "agent_count": 2},
        entries=(entry(1, 1, 0, 10, 10_000, "answered", "A"),),
        segments=(segment(1, 1, "A", 10, 10, 20, 10_000), segment(2, 2, "C", 20, 20, 200, 180_000, last=True)),
    ),
    Case(
        "agent of a middle part",
        "The transfer at 30 does not say who it left. The conversation's agent goes before the target of the transfer at"
        " 20, in a middle part too (reading 4).",
        connected(10) | {
            "skillId": 3, "agentId": "C",
            "transfers": [transfer(20, (1, "A"), (2, "B")), transfer(30, (2, None), (3, "C"))],
        },
        metrics={"agent_count": 2, "segment_count": 3},
        entries=(entry(1, 1, 0, 10, 10_000, "answered", "A"),),
        segments=(
            segment(1, 1, "A", 10, 10, 20, 10_000),
            segment(2, 2, "C", 20, 20, 30, 10_000),
            segment(3, 3, "C", 30, 30, 200, 170_000, last=True),
        ),
    ),
    Case(
        "nobody anywhere",
        "Answered, but by nobody known: a segment without an agent, which is no agent to count.",
        connected(10) | {"skillId": 1, "agentId": "", "transfers": [transfer(20, (1, "0"), (1, ""))]},
        metrics={"first_agent_id": None, "agent_id": None, "agent_count": 0, "segment_count": 2, "answered_entry_count": 1},
        entries=(entry(1, 1, 0, 10, 10_000, "answered"),),
        segments=(segment(1, 1, None, 10, 10, 20, 10_000), segment(2, 1, None, 20, 20, 200, 180_000, last=True)),
    ),
    # ---- persons ----
    *(
        Case(
            f"stranger {number}",
            "The page's example: three strangers with an empty visitorId are nobody known, and so no person who came back.",
            connected(10),
            header={"visitorId": ""},
            metrics={"person_id": None},
            entries=(entry(1, None, 0, 10, 10_000, "answered"),),
            segments=(segment(1, None, None, 10, 10, 200, 190_000, last=True),),
        )
        for number in (1, 2, 3)
    ),
    *(
        Case(
            f"person {number}",
            why,
            connected(10) | {"consumerId": consumer},
            header=HEADER | {"visitorId": visitor_id},
            metrics={"person_id": person},
            entries=(entry(1, None, 0, 10, 10_000, "answered"),),
            segments=(segment(1, None, None, 10, 10, 200, 190_000, last=True),),
        )
        for number, (consumer, visitor_id, person, why) in enumerate(
            [
                ("c", "v", "c", "The consumer goes before the visitor."),
                ("", "v", "v", "An empty consumer is unknown, so it is the visitor."),
                (None, "v", "v", "No consumer, so it is the visitor."),
                ("c", "", "c", "The consumer alone."),
                ("", "", None, "Both empty: unknown."),
                (None, None, None, "Neither sent: unknown."),
                ("0", "v", "0", "0 is no agent, but a consumer like others."),
                (" ", "v", " ", "A blank is not empty text."),
            ]
        )
    ),
    *(
        Case(
            f"interactive {number}",
            why,
            connected(10) | {"isInteractive": own, "transfers": [transfer(20, (1, "A"), (2, "B"), interactive=of_transfer)]},
            metrics={"is_interactive": own, "was_interactive": either},
            entries=(entry(1, 1, 0, 10, 10_000, "answered", "A"),),
            segments=(segment(1, 1, "A", 10, 10, 20, 10_000), segment(2, 2, "B", 20, 20, 200, 180_000, last=True)),
        )
        for number, (own, of_transfer, either, why) in enumerate(
            [
                (False, True, True, "The part before the transfer was interactive, so the conversation was."),
                (True, False, True, "The last part was."),
                (False, False, False, "No part was."),
                (False, None, False, "A missing flag says nothing beside another."),
                (None, False, False, "Likewise."),
                (None, True, True, "One true flag is enough."),
                (None, None, None, "Nothing is known."),
            ]
        )
    ),
    *(
        Case(
            f"kind {kind}",
            "Chat beside messaging: every fact says which, and has campaign, origin and device. An empty text stays as it is.",
            connected(10) | {
                "type": kind, "campaignData": {"campaignId": 7, "campaignEngagementId": 8}, "sourceOrigin": "",
                "sourceDevice": "MOBILE",
                "skillId": 1, "agentId": "A", "transcripts": [visitor(11), agent(12)],
            },
            common={"type": kind, "campaign_id": 7, "source_origin": "", "source_device": "MOBILE"},
            metrics={"response_avg_seconds": 1.0},
            entries=(entry(1, 1, 0, 10, 10_000, "answered", "A"),),
            segments=(segment(1, 1, "A", 10, 10, 200, 190_000, lines=(1, 1), first=2_000, from_opening=2_000, last=True),),
            responses=(response(1, 1, 1, "A", 11, 12, 1_000, 1_000),),
        )
        for kind in ("LIVE_CHAT", "MESSAGING", "", None)
    ),
)  # fmt: skip
