"""Cases of responses: runs of lines, missing and contradicting times, answers across a transfer."""

from typing import Any

from oracle.facts_cases.case import (
    Case,
    Row,
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


def answered(name: str, why: str, *lines: Row, of: tuple[int, int], first: int | None, **fields: Any) -> Case:
    """A case of one segment, A's of skill 1 from 30 to 200, and these lines.

    Args:
        name: of the case.
        why: the rows are so.
        lines: the transcript.
        of: how many agent and visitor lines are in the segment.
        first: milliseconds to its first response.
        fields: metrics and responses.
    """
    return Case(
        name,
        why,
        connected(30) | {"skillId": 1, "agentId": "A", "transcripts": list(lines)},
        entries=(entry(1, 1, 0, 30, 30_000, "answered", "A"),),
        segments=(segment(1, 1, "A", 30, 30, 200, 170_000, lines=of, first=first, from_opening=first, last=True),),
        **fields,
    )


def parts(transfer_of_them: Row, *lines: Row) -> Row:
    """A conversation of two parts, A's of skill 1 and B's of skill 2, and these lines."""
    return connected(30) | {"skillId": 2, "agentId": "B", "transfers": [transfer_of_them], "transcripts": list(lines)}


CASES = (
    answered(
        "no lines",
        "Nothing was written: no responses, and no mean of none.",
        of=(0, 0), first=None,
        metrics={
            "response_count": 0, "response_avg_seconds": None, "response_max_seconds": None, "first_response_seconds": None,
            "first_reply_seconds": None, "visitor_line_count": 0, "agent_line_count": 0,
        },
    ),
    answered(
        "runs of both sides",
        "The greeting answers nobody, and the visitor answers it after 9 s. Of the agent's run at 50 and 55 the first line"
        " alone is an answer. The visitor's run at 60 and 70 is timed from 60. The last run has no answer.",
        agent(31), visitor(40), agent(50), agent(55), visitor(60), visitor(70), agent(85), visitor(90),
        of=(4, 4), first=1_000,
        metrics={"response_count": 2, "response_avg_seconds": 17.5, "response_max_seconds": 25.0, "first_reply_seconds": 10.0},
        responses=(
            response(1, 1, 1, "A", 40, 50, 10_000, 10_000, 9_000, (1, "A")),
            response(2, 1, 1, "A", 60, 85, 25_000, 25_000, 10_000, (1, "A")),
        ),
    ),
    answered(
        "control and private lines aside",
        "They neither part the visitor's run nor the answer from it, and are no answers.",
        visitor(40), control(41), visitor(42), private(43), agent(50), private(51), visitor(60), control(61), private(62),
        of=(1, 3), first=20_000,
        metrics={"response_count": 1, "response_max_seconds": 10.0, "agent_line_count": 1},
        responses=(response(1, 1, 1, "A", 40, 50, 10_000, 10_000),),
    ),
    answered(
        "URL and HTML lines",
        "Types 3 and 4 are an agent's lines and answer as type 1 does.",
        visitor(40), line("3", 41, "A"), visitor(50), line("4", 52, "A"),
        of=(2, 2), first=11_000,
        metrics={"response_count": 2, "response_avg_seconds": 1.5},
        responses=(response(1, 1, 1, "A", 40, 41, 1_000, 1_000), response(2, 1, 1, "A", 50, 52, 2_000, 2_000, 9_000, (1, "A"))),
    ),
    answered(
        "unknown lines",
        "A line of type 7 or of none is neither side's. The visitor's at 40 is answered at 50 and the run that begins at 60"
        " goes on at 70.",
        visitor(40), line("7", 45), agent(50), visitor(60), line(None, 65), visitor(70), agent(80),
        of=(2, 3), first=20_000,
        metrics={
            "response_count": 2,
            "response_avg_seconds": 15.0,
            "response_max_seconds": 20.0,
            "first_reply_seconds": 10.0,
        },
        responses=(
            response(1, 1, 1, "A", 40, 50, 10_000, 10_000),
            response(2, 1, 1, "A", 60, 80, 20_000, 20_000, 10_000, (1, "A")),
        ),
    ),
    answered(
        "negative response",
        "The transcript has the answer behind the question, the times have it before: a response without a time, in the"
        " segment of its time. It counts, and has no part in the mean.",
        visitor(50), agent(40), visitor(60), agent(64),
        of=(2, 2), first=10_000,
        metrics={"response_count": 2, "response_avg_seconds": 4.0, "response_max_seconds": 4.0, "first_reply_seconds": None},
        responses=(response(1, 1, 1, "A", 50, 40, None, None), response(2, 1, 1, "A", 60, 64, 4_000, 4_000, 20_000, (1, "A"))),
    ),
    answered(
        "order of the transcript",
        "Times of the visitor's run out of order: its first line is the first of the transcript, at 45.",
        visitor(45), visitor(40), agent(50),
        of=(1, 2), first=20_000,
        metrics={"response_count": 1, "response_avg_seconds": 5.0, "first_reply_seconds": 5.0},
        responses=(response(1, 1, 1, "A", 45, 50, 5_000, 5_000),),
    ),
    answered(
        "visitor lines without a time",
        "The run's first line has no time, and the second does not stand in for it.",
        visitor(None), visitor(40), agent(50),
        of=(1, 1), first=20_000,
        metrics={"response_count": 1, "response_avg_seconds": None, "first_reply_seconds": None, "visitor_line_count": 2},
        responses=(response(1, 1, 1, "A", None, 50, None, None),),
    ),
    answered(
        "answer without a time",
        "It is a response all the same, at no time and so in no segment. The line at 50 answers nobody anew.",
        visitor(40), agent(None), agent(50),
        of=(1, 1), first=20_000,
        metrics={"response_count": 1, "response_avg_seconds": None, "response_max_seconds": None, "first_reply_seconds": None},
        responses=(response(1, None, None, "A", 40, None, None, None),),
    ),
    answered(
        "answers at the same time",
        "Order of the transcript decides between equal times: an answer after 0 ms, one to a line at the very connection.",
        visitor(30), agent(30), visitor(40), agent(40),
        of=(2, 2), first=0,
        metrics={"response_count": 2, "response_avg_seconds": 0.0, "response_max_seconds": 0.0, "first_response_seconds": 0.0},
        responses=(response(1, 1, 1, "A", 30, 30, 0, 0), response(2, 1, 1, "A", 40, 40, 0, 0, 10_000, (1, "A"))),
    ),
    answered(
        "answer before the connection",
        "Lines before the assignment are nobody's, and an answer there has no segment; its time counts.",
        visitor(15), agent(20), agent(35),
        of=(1, 0), first=5_000,
        metrics={"response_count": 1, "response_avg_seconds": 5.0, "first_response_seconds": 5.0, "first_reply_seconds": 5.0},
        responses=(response(1, None, None, "A", 15, 20, 5_000, None),),
    ),
    answered(
        "question before the connection",
        "Written in the queue, answered by the agent: 45 s for the visitor, 20 s from the assignment.",
        visitor(5), agent(50),
        of=(1, 0), first=20_000,
        metrics={
            "response_count": 1, "response_avg_seconds": 45.0, "first_response_seconds": 20.0, "first_reply_seconds": 45.0,
        },
        responses=(response(1, 1, 1, "A", 5, 50, 45_000, 20_000),),
    ),
    answered(
        "authors",
        "A response is its author's, who need not have the segment; 0, the empty id and none are nobody.",
        visitor(40), agent(41, "B"), visitor(42), agent(43, "0"), visitor(44), agent(45, ""), visitor(46), agent(47, None),
        of=(4, 4), first=11_000,
        metrics={"response_count": 4, "response_avg_seconds": 1.0, "agent_count": 1},
        responses=(
            response(1, 1, 1, "B", 40, 41, 1_000, 1_000),
            response(2, 1, 1, None, 42, 43, 1_000, 1_000, 1_000, (1, "B")),
            response(3, 1, 1, None, 44, 45, 1_000, 1_000, 1_000, (1, None)),
            response(4, 1, 1, None, 46, 47, 1_000, 1_000, 1_000, (1, None)),
        ),
    ),
    answered(
        "greetings",
        "The first of the agents' lines before the visitor's is the one that is answered, of whomever: B's at 20, before the"
        " connection and so of no skill; the visitor's own last line is answered by nobody and no row.",
        agent(20, "B"), control(25), agent(35), visitor(40), agent(50), visitor(60),
        of=(2, 2), first=5_000,
        metrics={"response_count": 1, "first_reply_seconds": 10.0},
        responses=(response(1, 1, 1, "A", 40, 50, 10_000, 10_000, 20_000, (None, "B")),),
    ),
    answered(
        "greeting behind the visitor's line",
        "By the clock the visitor wrote before the greeting that the transcript has first: an answer to it, in no time.",
        agent(45), visitor(40), agent(50),
        of=(2, 1), first=15_000,
        metrics={"response_count": 1, "first_reply_seconds": 10.0},
        responses=(response(1, 1, 1, "A", 40, 50, 10_000, 10_000, None, (1, "A")),),
    ),
    Case(
        "greeting before a transfer",
        "A greets at 35, B takes over at 50 and answers at 60 the line of 55: the visitor had answered A of skill 1.",
        parts(transfer(50, (1, "A"), (2, "B")), agent(35), visitor(55), agent(60, "B")),
        metrics={"response_count": 1, "response_avg_seconds": 5.0, "first_response_seconds": 5.0},
        entries=(entry(1, 1, 0, 30, 30_000, "answered", "A"),),
        segments=(
            segment(1, 1, "A", 30, 30, 50, 20_000, lines=(1, 0), first=5_000, from_opening=5_000),
            segment(2, 2, "B", 50, 50, 200, 150_000, lines=(1, 1), first=10_000, from_opening=10_000, last=True),
        ),
        responses=(response(1, 2, 2, "B", 55, 60, 5_000, 5_000, 20_000, (1, "A")),),
    ),
    Case(
        "responses across a transfer at once",
        "Asked A at 40, answered by B at 60, who had it from 50 on: 20 s for the visitor, 10 s for B.",
        parts(transfer(50, (1, "A"), (2, "B")), visitor(40), visitor(45), control(50), agent(60, "B")),
        metrics={"response_count": 1, "response_avg_seconds": 20.0, "first_response_seconds": 30.0},
        entries=(entry(1, 1, 0, 30, 30_000, "answered", "A"),),
        segments=(
            segment(1, 1, "A", 30, 30, 50, 20_000, lines=(0, 2)),
            segment(2, 2, "B", 50, 50, 200, 150_000, lines=(1, 0), first=10_000, from_opening=10_000, last=True),
        ),
        responses=(response(1, 2, 2, "B", 40, 60, 20_000, 10_000),),
    ),
    Case(
        "answer while the visitor waits",
        "A goes on writing at 55, behind the transfer at 50 and before B at 90: an answer of A's in no segment.",
        parts(transfer(50, (1, "A"), (2, None), queued=50, dequeued=90), visitor(40), agent(55), visitor(95), agent(96, "B")),
        metrics={
            "response_count": 2, "response_max_seconds": 15.0, "response_avg_seconds": 8.0, "first_response_seconds": 25.0,
        },
        entries=(entry(1, 1, 0, 30, 30_000, "answered", "A"), entry(2, 2, 50, 90, 40_000, "answered", "B")),
        segments=(
            segment(1, 1, "A", 30, 30, 50, 20_000, lines=(0, 1)),
            segment(2, 2, "B", 50, 90, 200, 110_000, lines=(1, 1), first=6_000, from_opening=46_000, last=True),
        ),
        responses=(
            response(1, None, None, "A", 40, 55, 15_000, None),
            response(2, 2, 2, "B", 95, 96, 1_000, 1_000, 40_000, (None, "A")),
        ),
    ),
    Case(
        "answer at the very transfer",
        "At the end of A's part the line is no longer in it: it is in B's, which begins then, and so is the answer, of"
        " A's hand.",
        parts(transfer(50, (1, "A"), (2, "B")), visitor(45), agent(50, "A")),
        metrics={"response_count": 1, "response_avg_seconds": 5.0},
        entries=(entry(1, 1, 0, 30, 30_000, "answered", "A"),),
        segments=(
            segment(1, 1, "A", 30, 30, 50, 20_000, lines=(0, 1)),
            segment(2, 2, "B", 50, 50, 200, 150_000, lines=(1, 0), first=0, from_opening=0, last=True),
        ),
        responses=(response(1, 2, 2, "A", 45, 50, 5_000, 0),),
    ),
)  # fmt: skip
