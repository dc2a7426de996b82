"""Usual lines of documents, and a few of them at a time that are changed at random."""

import json
import random
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from documents import TAG

from pipeline.sandbox import Account, documents

HOUR = datetime(2026, 11, 10, 18, tzinfo=UTC)
PLAIN = [
    line
    for account in (Account("1", conversations_per_day=300), Account("2", conversations_per_day=300, tagged=True))
    for line in documents(account, HOUR)
]


def grown(rng: random.Random) -> bytes:
    """A few usual lines with fields on any level that the schema lacks, or spells otherwise; some more than once."""
    names = rng.choices(
        ["newField", "lob", "language", "skillID", "agentID", "Type", "type", "campaignData", "FileData", "x" * 60], k=3
    )
    names += rng.choices(
        ["startTime", "visitorid", "string", "a.b.C", "", "\u00fc", 'a"b', "Transcripts", "body", "new Field"], k=1
    )
    values: list[Any] = [
        None,
        True,
        7,
        -0.0,
        1.50,
        10**30,
        "text",
        'q"\n',
        "\u00fc",
        {"string": "x"},
        {"long": 5},
        {"bytes": "x"},
        [],
        {},
        "1",
    ]
    values += [
        {f"{TAG}New": {"a": {"long": 1}, "b": [{"double": 0.10}]}},
        {"com.liveperson.x.Y": {"c": 1}},
        {"null": None},
        [[1, {"int": 2}]],
    ]
    lines = []
    for line in rng.sample(PLAIN, 4):
        changed = json.loads(line)
        for _ in range(rng.choice([0, 1, 1, 2, 4])):
            inside = rng.choice(_records(changed))
            members = list(inside.items())
            if len(members) > 1 or rng.random() < 0.2:
                members.insert(
                    rng.choice([len(members), rng.randint(0, len(members))]), (rng.choice(names), deepcopy(rng.choice(values)))
                )
            inside.clear()
            inside.update(members)
        lines.append(
            json.dumps(changed, ensure_ascii=rng.random() < 0.5, separators=rng.choice([(",", ":"), (", ", ": ")])).encode()
        )
    spelled = rng.choice([b"-0", b"1.50", b"1E400", b"-12.0e-03", b"01", b"1.", b"1e", b"12345678901234567890"])
    return b"\n".join(lines).replace(b"1" + b"0" * 30, spelled)


def _records(value: Any) -> list[dict[str, Any]]:
    """Each JSON object inside a document, itself included, equally often on any level."""
    levels: list[list[dict[str, Any]]] = []
    inside = [value]
    while inside:
        levels.append([item for item in inside if isinstance(item, dict)])
        inside = [
            inner
            for item in inside
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
    return [level[number % len(level)] for level in levels if level for number in range(20)]


def mutated(rng: random.Random) -> bytes:
    """A few usual lines with some bytes changed, taken out, put in or doubled."""
    text = bytearray(b"\n".join(rng.sample(PLAIN, 3)))
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(text))
        length = rng.choice([1, 1, 2, 8, 40])
        match rng.randrange(5):
            case 0:
                text[place] = rng.randrange(256)
            case 1:
                del text[place : place + length]
            case 2:
                text[place:place] = rng.choice(
                    [b'"', b"\\", b"{", b"}", b"[", b",", b":", b"0", b"-", b".", b" ", b"\n", b"null", b"\0"]
                )
            case 3:
                text[place:place] = text[place : place + length]
            case _:
                other = rng.randrange(len(text))
                text[place : place + length] = text[other : other + length]
    return bytes(text)
