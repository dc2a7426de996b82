"""Conversations made by a seed for the facts: small, and full of what makes definitions differ.

A conversation is first made in good order, its times few steps apart, so that ties are common; then, in half of them, times go
missing or turn into other times of the conversation, give or take a millisecond. Skills and agents are few, and some unknown or
empty. All times are whole milliseconds, as the vendor sends them; nothing in a document is unreadable.
"""

import json
from collections.abc import Iterator
from random import Random
from typing import Any, Final

Value = Any
Row = dict[str, Value]

TAG: Final = "com.liveperson.dataaccess."
MIDNIGHT: Final = 1_772_409_600_000
"""2 March 2026, 00:00 UTC."""
DAY: Final = 86_400_000
HOUR: Final = 3_600_000
STARTS: Final = (
    *(-1, 0, 1, 12 * HOUR, DAY - 60_000, DAY - 1_000, DAY - 1, 3 * DAY),
    *(-DAY, -DAY + 5 * HOUR - 1, -DAY + 5 * HOUR, 5 * HOUR - 1, 5 * HOUR),  # a month and a week begin in London and New York
    *(6 * DAY + 7 * HOUR - 1, 6 * DAY + 7 * HOUR, 7 * DAY + 4 * HOUR),  # clocks in New York skip an hour; the day's end
    *(27 * DAY + HOUR - 1, 27 * DAY + HOUR, 27 * DAY + 23 * HOUR),  # the same in London
    *(33 * DAY + 14 * HOUR + HOUR // 2, 33 * DAY + 15 * HOUR + HOUR // 4),  # half an hour twice on Lord Howe
    62 * DAY,
)
STEPS: Final = (0, 0, 0, 1, 1, 999, 1_000, 1_001, 3_600, 5_000, 60_000)
SKILLS: Final = (1, 1, 2, 2, 3, 0, -1, None)
AGENTS: Final = ("bot", "A", "B", "C", "", "0", None)
PERSONS: Final = ("p1", "p2", "", "", None, " ")
SCORES: Final = (None, None, 0.0, 50.0, 61.5, -1.0, 1.0, 9.5, 10.0, 40.0, 60.0, 100.0, 100.5, -33.0, 33.0, -33.5, 34.0, -100.0)
"""Scores of every scale, many at the bounds of a band or a bucket, some of them outside."""

LINES: Final = {"0": 8, "1": 7, "2": 2, "3": 1, "4": 1, "5": 2, "7": 1, "": 1, None: 1}
"""How often lines are of which type: the visitor's, agents', the system's, unknown ones."""
TEXTS: Final = ("text", "A Refund, please", "prerefund", "my money\nback", "money back", "the PARCEL", None)
TRANSFERS: Final = {0: 4, 1: 4, 2: 3, 3: 2, 4: 1}
"""How often a conversation has so many transfers."""
CONVERSATION_TIMES: Final = (
    "conversationStartTime", "queueStartTime", "queueEndTime", "interactionStartTime", "conversationEndTime",
)  # fmt: skip
TRANSFER_TIMES: Final = ("timestamp", "queueStartTime", "queueEndTime")
TYPES: Final = {
    "isInteractive": "boolean",
    "mcs": "double",
    "startReasonId": "int",
    "endReasonId": "int",
    "type": f"{TAG}ConversationType",
}
"""The tags of the fields that are neither text nor whole numbers."""


def source_text(seed: int, conversations: int) -> bytes:
    """The text of a source file: a document a line."""
    return b"".join(json.dumps(document).encode() + b"\n" for document in documents(seed, conversations))


def source_texts(seed: int, conversations: int) -> dict[str | None, bytes]:
    """The same documents as a source file for each account, and one for those that name none."""
    texts: dict[str | None, bytes] = {}
    for document in documents(seed, conversations):
        account_id = document["metaData"]["accountId"]
        texts[account_id] = texts.get(account_id, b"") + json.dumps(document).encode() + b"\n"
    return texts


def documents(seed: int, conversations: int) -> Iterator[Row]:
    """Documents of up to three conversations, in all so many; their ids are `s<seed>-<number>`, numbered from 0."""
    rng = Random(seed)
    number = 0
    while number < conversations:
        size = min(rng.choice((1, 1, 2, 3)), conversations - number)
        tagged = rng.random() < 0.5
        engagements = [made(rng, f"s{seed}-{number + i}", tagged=tagged) for i in range(size)]
        number += size
        header = as_sent(rng, {"visitId": "s", "visitorId": rng.choice(PERSONS), "contextId": ""}, tagged=tagged)
        body = {"header": header, "engagements": {"array": engagements} if tagged else engagements}
        meta_data = {
            "accountId": rng.choice(("75555851", "75555851", "75555852", "75555852", None)),
            "schemaVersion": "1.0.0.22",
            "startTime": MIDNIGHT + 5 * DAY,
        }
        yield {"dataType": "Engagement", "metaData": meta_data, "recordCollection": [{"body": body}]}


def made(rng: Random, conversation_id: str, *, tagged: bool) -> Row:
    """A conversation as it is sent, with its lines and transfers."""
    conversation, transfers = in_good_order(rng)
    if rng.random() < 0.5:
        disturb(rng, conversation, transfers)
    lines = made_lines(rng, conversation, transfers)
    sent = as_sent(rng, conversation | {"conversationId": conversation_id}, tagged=tagged)
    for name, rows in (("transfers", transfers), ("transcripts", lines)):
        as_rows = [as_sent(rng, row, tagged=tagged) for row in rows]
        sent[name] = {"array": as_rows} if tagged else as_rows
    return {f"{TAG}Conversation": sent} if tagged else sent


def in_good_order(rng: Random) -> tuple[Row, list[Row]]:
    """A conversation and its transfers, whose times go on and whose transfers leave the agent that was there."""
    clock = Clock(rng)
    skill, agent = rng.choice(SKILLS), rng.choice(AGENTS)
    conversation = facts_beside_times(rng)
    conversation |= {"conversationStartTime": clock.now, "queueStartTime": clock.next(0.3)}
    if rng.random() < 0.75:
        conversation["queueEndTime"] = clock.next()
        conversation["interactionStartTime"] = clock.next(0.1)
    transfers: list[Row] = []
    for _ in range(rng.choices(list(TRANSFERS), list(TRANSFERS.values()))[0]):
        transfer = {"timestamp": clock.next(), "skillId": skill, "agentId": agent}
        skill, target = rng.choice(SKILLS), rng.choice(AGENTS)
        transfer |= {"targetSkillId": skill, "targetAgentId": target, "isInteractive": rng.choice((True, False, None))}
        if rng.random() < 0.7:
            transfer["queueStartTime"] = clock.next(0.2)
            if rng.random() < 0.7:
                transfer["queueEndTime"] = clock.next()
        agent = rng.choice((target, rng.choice(AGENTS)))
        transfers.append(transfer)
    return conversation | {"skillId": skill, "agentId": agent, "conversationEndTime": clock.next()}, transfers


class Clock:
    """A time that goes on in steps."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.now: int = MIDNIGHT + rng.choice(STARTS)

    def next(self, share: float = 0.9) -> int:
        """The time after another step, of which only such a share is taken."""
        if self.rng.random() < share:
            self.now += self.rng.choice(STEPS)
        return self.now


def facts_beside_times(rng: Random) -> Row:
    """The fields of a conversation that are no times."""
    return {
        "type": rng.choice(("LIVE_CHAT", "LIVE_CHAT", "MESSAGING", None, "")),
        "consumerId": rng.choice(PERSONS),
        "isInteractive": rng.choice((True, False, None)),
        "sourceOrigin": rng.choice(("Web", "", None)),
        "sourceDevice": rng.choice(("MOBILE", "DESKTOP", None)),
        "startReasonId": rng.choice((0, 2, 3, None)),
        "endReasonId": rng.choice((101, 106, 201, 205, 999, None)),
        "campaignData": rng.choice((None, {"campaignId": 7, "campaignEngagementId": 8})),
        "skills": [1],
        "mcs": rng.choice(SCORES),
    }


def disturb(rng: Random, conversation: Row, transfers: list[Row]) -> None:
    """Take times away, or put other times of the conversation in their place; change the order of transfers at times."""
    for row, names in [(conversation, CONVERSATION_TIMES), *((transfer, TRANSFER_TIMES) for transfer in transfers)]:
        for name in names:
            chance = rng.random()
            if chance < 0.12:
                row[name] = None
            elif chance < 0.27:
                row[name] = near(rng, conversation, transfers)
    if rng.random() < 0.05:  # still open: nobody has answered, nobody has left
        conversation |= dict.fromkeys(("queueEndTime", "interactionStartTime", "conversationEndTime"))
        transfers.clear()
    if rng.random() < 0.1:
        rng.shuffle(transfers)
    if rng.random() < 0.02:
        transfers.append({})


def near(rng: Random, conversation: Row, transfers: list[Row]) -> int:
    """A time of the conversation, or a millisecond beside it."""
    times = [conversation[name] for name in CONVERSATION_TIMES if conversation.get(name) is not None]
    times += [transfer[name] for transfer in transfers for name in TRANSFER_TIMES if transfer.get(name) is not None]
    return int(rng.choice(times or [MIDNIGHT])) + rng.choice((0, 0, 0, 0, -1, 1))


def made_lines(rng: Random, conversation: Row, transfers: list[Row]) -> list[Row]:
    """Lines whose times are often those of the conversation; mostly in order of time."""
    lines: list[Row] = [
        {
            "timestamp": made_time(rng, conversation, transfers),
            "type": rng.choices(list(LINES), list(LINES.values()))[0],
            "agentId": rng.choice(AGENTS),
            "by": rng.choice(("Ann", "Bob", " Bob ", " ", "", None)),
            "text": rng.choice(TEXTS),
            "mcs": rng.choice(SCORES) if rng.random() < 0.4 else None,
        }
        for _ in range(rng.randrange(9))
    ]
    if rng.random() < 0.8:
        lines.sort(key=lambda line: line["timestamp"])
    for line in lines:
        if rng.random() < 0.03:
            line["timestamp"] = None
    return lines


def made_time(rng: Random, conversation: Row, transfers: list[Row]) -> int:
    """A time of the conversation, or one between two of them."""
    one, other = near(rng, conversation, transfers), near(rng, conversation, transfers)
    return one if rng.random() < 0.6 else (one + other) // 2


def as_sent(rng: Random, row: Row, *, tagged: bool) -> Row:
    """A row's fields as they are sent: nulls at times left out, with tags or without, `skillId` spelled in either way."""
    sent: Row = {}
    for name, value in row.items():
        if value is None and rng.random() < 0.5:
            continue
        spelled = "skillID" if name == "skillId" and rng.random() < 0.5 else name
        sent[spelled] = tag(name, value) if tagged else value
    return sent


def tag(name: str, value: Value) -> Value:
    """A value with the tag that Avro's encoder puts around it."""
    match value:
        case None:
            return None
        case list():
            return {"array": value}
        case dict():
            return {f"{TAG}CampaignData": {inner: tag(inner, number) for inner, number in value.items()}}
    return {TYPES.get(name, "string" if isinstance(value, str) else "long"): value}
