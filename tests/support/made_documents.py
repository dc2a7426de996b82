"""Source files made by Hypothesis: plain Engagement documents, as Avro's encoder writes them, with odd ones among them.

A file is a list of pieces, and a piece is a seed and a list of mutations, each with a seed of its own. Hypothesis draws only
these few numbers, so it is fast and can shrink: fewer pieces, then fewer mutations, then a plain document. What a seed stands
for is made by `random.Random`. The long run makes files with the same functions, without Hypothesis.
"""

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import strategies as st

Value = Any
Site = tuple[Any, Any]
"""A place in a document: an object or list and the name or index in it."""

TAG: Final = "com.liveperson.dataaccess."
START: Final = 1_469_469_281_856

# ---- plain documents ----

WORDS: Final = (
    "hello", "how can I help?", "", "ü—ß 漢字", "👩‍👩‍👧 ok", 'say "no"', "back\\slash", "two\nlines\r\n",
    "tab\t", "007", "12", "null", "true",
    '{"dataType":{"x":"Engagement"}}', '{"string":"x"}', "}]}", "\u2028", "/path", "\x7f", "1e5", "<b>",
)  # fmt: skip


def text(rng: random.Random) -> Value:
    """A tagged text, at times null."""
    return None if rng.random() < 0.2 else {"string": rng.choice(WORDS)}


def long(rng: random.Random) -> Value:
    """A tagged number, at times null."""
    return None if rng.random() < 0.2 else {"long": rng.randrange(10 ** rng.randrange(1, 12))}


def moment(rng: random.Random) -> Value:
    """A tagged time in epoch milliseconds, at times null."""
    return None if rng.random() < 0.2 else {"long": START + rng.randrange(10**9)}


def flag(rng: random.Random) -> Value:
    """A tagged truth, at times null."""
    return None if rng.random() < 0.2 else {"boolean": rng.random() < 0.5}


def record(rng: random.Random, name: str, **fields: Value) -> Value:
    """A tagged record, at times null."""
    return None if rng.random() < 0.5 else {TAG + name: fields}


def score(rng: random.Random) -> Value:
    """A score as the vendor's encoder would write it, at times null."""
    return record(rng, "MCS", mcs={"double": float(rng.randrange(101))})


def plain_message(rng: random.Random) -> Value:
    """A transcript line with all of its fields."""
    return {
        "text": text(rng),
        "timestamp": moment(rng),
        "by": text(rng),
        "type": {"string": rng.choice("012345")},
        "controlType": text(rng),
        "agentId": text(rng),
        "contentFormat": {"string": "TEXT_PLAIN"},
        "messageId": {"string": f"m{rng.randrange(10**9)}"},
        "dialogId": text(rng),
        "fileData": record(rng, "FileData", caption=text(rng), fileType=text(rng)),
        "linkData": record(rng, "LinkData", externalFileLink=text(rng), fileType=text(rng), caption=text(rng)),
        "mcs": score(rng),
    }


def plain_transfer(rng: random.Random, *, is_tagged: bool) -> Value:
    """A transfer with all of its fields; newer schemas have one more."""
    usual = {
        "timestamp": {"string": str(START + rng.randrange(10**9))},
        "skillId": long(rng),
        "targetSkillId": long(rng),
        "agentId": text(rng),
        "targetAgentId": text(rng),
        "reason": long(rng),
        "queueStartTime": moment(rng),
        "queueEndTime": moment(rng),
    }
    return usual | ({"isInteractive": flag(rng)} if is_tagged else {})


def plain_form(rng: random.Random) -> Value:
    """A secure form."""
    return {"formId": text(rng), "formName": text(rng), "submitTime": moment(rng)}


def plain_conversation(rng: random.Random, *, is_tagged: bool) -> Value:
    """A conversation with all of its fields; its id may come again."""
    conversation = {
        "type": {f"{TAG}ConversationType": rng.choice(("LIVE_CHAT", "MESSAGING"))},
        "conversationId": {"string": f"c{rng.randrange(40 if rng.random() < 0.2 else 10**9)}"},
        "conversationStartTime": moment(rng),
        "interactionStartTime": moment(rng),
        "conversationEndTime": moment(rng),
        "consumerId": text(rng),
        "isInteractive": flag(rng),
        "sourceOrigin": text(rng),
        "sourceDevice": None if rng.random() < 0.5 else {f"{TAG}DeviceType": rng.choice(("NA", "DESKTOP", "TABLET", "MOBILE"))},
        "endReasonId": {"int": rng.choice((101, 106, 201, 202, 205))},
        "campaignData": record(rng, "CampaignData", campaignId=long(rng), campaignEngagementId=long(rng)),
        "agentId": text(rng),
        "skillId": long(rng),
        "skills": {"array": [rng.randrange(10**10) for _ in range(rng.randrange(3))]},
        "startReasonId": {"int": rng.choice((0, 2, 3))},
        "startPage": text(rng),
        "startUrl": text(rng),
        "transcripts": {"array": [plain_message(rng) for _ in range(rng.randrange(4))]},
        "transfers": {"array": [plain_transfer(rng, is_tagged=is_tagged) for _ in range(rng.randrange(3))]},
        "secureForms": {"array": [plain_form(rng) for _ in range(rng.choice((0, 0, 0, 1)))]},
        "mcs": score(rng),
        "queueStartTime": moment(rng),
        "queueEndTime": moment(rng),
    }
    return {f"{TAG}Conversation": conversation}


def plain_document(rng: random.Random) -> Value:
    """A document of one record or two, of the tagged or of the bare kind."""
    is_tagged = rng.random() < 0.5
    records = []
    for _ in range(rng.choice((1, 1, 1, 2))):
        header = {name: text(rng) for name in ("visitId", "visitorId", "contextId")}
        engagements = [plain_conversation(rng, is_tagged=is_tagged) for _ in range(rng.choice((0, 1, 1, 1, 2, 3)))]
        body = {"header": {f"{TAG}VisitorHeader": header}, "engagements": {"array": engagements}}
        records.append({"body": {f"{TAG}EngagementData": body}})
    account = {"string": rng.choice(("75555851", "75555851", "75555852"))}
    version = "1.0.0.35" if is_tagged else "1.0.0.22"
    meta_data = {"accountId": account, "schemaVersion": version, "startTime": moment(rng), "endTime": moment(rng)}
    return {
        "dataType": {f"{TAG}DataTypeEnum": "Engagement"},
        "metaData": {f"{TAG}MetaData": meta_data} if is_tagged else meta_data,
        "recordCollection": {"array": records} if is_tagged else records,
    }


# ---- mutations ----


def literal(spelling: str) -> str:
    """A text that the file shows without its quotes, such as a number in a spelling of its own."""
    return f"@@{spelling}@@"


TAGS: Final = (
    "string", "long", "int", "double", "float", "boolean", "bytes", "array", "map", "null", f"{TAG}MCS", f"{TAG}Message",
    f"{TAG}v2.Thing", "com.acme.Other", "uuid", "value",
)  # fmt: skip
UNKNOWN_NAMES: Final = (
    "newField", "newField", "lob", "x", "agentId", "visitId", "skills", "dataType", "mcs", "string", "com.acme.x", "Document.x",
    "MetaData.x", "", "nul\0", "\ud800", "ключ", "recordCollection", "skillID", "transcripts",
    "conversationId", "conversationId", "consumerId", "accountId", "ConversationID", "visitorId", "schemaVersion", "body",
    "header", "timestamp", "caption", "campaignId", "date", "position", "delivery", "account_id", "conversation_id", "extra",
    "source_file",
)  # fmt: skip
NUMBERS: Final = (
    *(literal(spelling) for spelling in (
        "12.0", "12.5", "1e3", "1E+2", "-0", "-0.0", "0.1000", "1e400", "-1e400", "1e-400", "1e99999999999999999999", "120e-1",
        "123456789012345678901234567890", "0.1234567890123456789", "9007199254740993",
        "9007199254740993.0", "0e99999999999999999999",
    )),
    0, 1, -1, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 57.25,
    "12", "12.0", "-12", "007", "+1", "1_000", " 12", "12 ", "0x10", "1e3", "1٢", "٣", "", "NaN", "Infinity", ".5", "5.",
    "9223372036854775808", "1e99999999999999999999",
)  # fmt: skip
TIMES: Final = (
    START, str(START), 0, -1, -86_400_000, 253_402_300_799_999, 253_402_300_800_000,
    -62_135_596_800_000, -62_135_596_800_001, 10**18,
    literal("1469469281856.0"), literal("1469469281856.5"), literal("1.469469281856e12"), "2016-07-25T17:54:41.856Z",
    "2016-07-25T17:54:41.856+02:00", "2016-07-25T17:54:41-0330", "2016-07-25 17:54", "2016-07-25",
    "2016-07-25T17:54:41.123456Z",
    "2016-07-25T17:54:41.1234567Z", "2016-07-25T17:54:41.120000000Z", "2016-07-25T17:54:41,5+02", "2016-02-30T00:00:00Z",
    "2016-13-01", "0001-01-01T00:00:00+02:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59-01:00",
    "2016-07-25T17:54:60Z", "2016-07-25T25:00:00Z", "2016-07-25T17:54:41+24:00",
    "2016-07-25T17:54:41+01:75", "yesterday", "٢٠١٦-07-25",
    "2016-07-25t17:54:41z", "2016-07-25T17:54:41Z\n", "-2016-07-25",
)  # fmt: skip
TEXTS: Final = (
    "a\0b", "\0", "\ud800", "x\udfffy", "\udc00\ud800", "😀", "\x01", "\u2029", "\ufeff", "e\u0301",
    "\ufffe", "true", "FALSE", "@@", "\\ud800",
)  # fmt: skip
TIME_NAMES: Final = (
    "conversationStartTime", "interactionStartTime", "conversationEndTime", "queueStartTime",
    "queueEndTime", "timestamp", "startTime",
    "endTime", "submitTime",
)  # fmt: skip
NUMBER_NAMES: Final = (
    "skillId", "targetSkillId", "reason", "endReasonId", "startReasonId", "campaignId",
    "campaignEngagementId", "skills", "array",
)  # fmt: skip


def odd_value(rng: random.Random, depth: int = 3) -> Value:
    """Any JSON value; tags may be on any level of it."""
    kind = rng.randrange(9 if depth else 6)
    if kind < 3:
        return rng.choice((None, True, False, 5, "x", "", rng.choice(NUMBERS)))
    if kind < 6:
        return rng.choice((rng.choice(NUMBERS), rng.choice(TIMES), rng.choice(TEXTS), rng.choice(WORDS)))
    if kind == 6:
        return [odd_value(rng, depth - 1) for _ in range(rng.randrange(4))]
    if kind == 7:
        return {rng.choice(TAGS): odd_value(rng, depth - 1)}
    return {rng.choice(UNKNOWN_NAMES): odd_value(rng, depth - 1) for _ in range(rng.randrange(4))}


def sites(value: Value) -> Iterator[Site]:
    """Every place in a value."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield value, key
            yield from sites(inner)


def a_site(rng: random.Random, document: Value, *names: str) -> Site:
    """Some place in a document, of these names if there is such a place."""
    every = list(sites(document))
    return rng.choice([site for site in every if site[1] in names] or every)


def an_object(rng: random.Random, document: Value) -> Value:
    """Some object in a document that is no mere tag."""
    objects = [parent[key] for parent, key in sites(document) if isinstance(parent[key], dict)]
    return rng.choice([document, *(value for value in objects if len(value) > 1 or "body" in value)])


def put(site: Site, value: Value) -> None:
    """Replace what is at a place."""
    site[0][site[1]] = value


def retag(rng: random.Random, document: Value) -> None:
    """Another tag, or one where there was none."""
    parent, key = a_site(rng, document)
    value = parent[key]
    inner = next(iter(value.values())) if isinstance(value, dict) and len(value) == 1 and rng.random() < 0.7 else value
    parent[key] = {rng.choice(TAGS): inner}


def strip_tag(rng: random.Random, document: Value) -> None:
    """A value without its tag."""
    tagged = [site for site in sites(document) if isinstance(site[0][site[1]], dict) and len(site[0][site[1]]) == 1]
    if tagged:
        parent, key = rng.choice(tagged)
        parent[key] = next(iter(parent[key].values()))


def replace(rng: random.Random, document: Value) -> None:
    """Anything anywhere."""
    put(a_site(rng, document), odd_value(rng))


def add_unknown(rng: random.Random, document: Value) -> None:
    """A field that nobody knows, first or last in its object."""
    target = an_object(rng, document)
    name, value = rng.choice(UNKNOWN_NAMES), odd_value(rng)
    before = dict(target)
    target.clear()
    target.update({name: value} | before if rng.random() < 0.2 else before | {name: value})


def drop(rng: random.Random, document: Value) -> None:
    """A field or an element less."""
    parent, key = a_site(rng, document)
    del parent[key]


def nullify(rng: random.Random, document: Value) -> None:
    """A null anywhere, collections included."""
    put(a_site(rng, document), None)


def other_spelling(rng: random.Random, name: str) -> str:
    """Another spelling of a field's name."""
    return rng.choice((name.upper(), name.lower(), name[:1].upper() + name[1:], re.sub("Id$", "ID", name)))


def respell(rng: random.Random, document: Value) -> None:
    """Another spelling of a field, in place of the usual one or beside it."""
    target = an_object(rng, document)
    if target:
        name = rng.choice(list(target))
        other = other_spelling(rng, name)
        is_beside = rng.random() < 0.4
        before = dict(target)
        target.clear()
        target.update({other if key == name and not is_beside else key: value for key, value in before.items()})
        if is_beside and other not in target:
            target[other] = rng.choice((None, {"string": "other"}, {"long": 77}, before[name]))


def repeat(rng: random.Random, document: Value) -> None:
    """An element of a list twice, or something odd among the elements."""
    lists = [parent[key] for parent, key in sites(document) if isinstance(parent[key], list)]
    if lists:
        chosen = rng.choice(lists)
        again = [json.loads(json.dumps(rng.choice(chosen)))] if chosen else []
        chosen.insert(
            rng.randrange(len(chosen) + 1), rng.choice([None, 5, {}, [], {"array": []}, odd_value(rng), *again, *again])
        )


def odd_time(rng: random.Random, document: Value) -> None:
    """A time in some spelling, possible or not."""
    put(a_site(rng, document, *TIME_NAMES), tagged_or_bare(rng, rng.choice(TIMES)))


def odd_number(rng: random.Random, document: Value) -> None:
    """A number in some spelling, at the limits or beyond them."""
    put(a_site(rng, document, *NUMBER_NAMES), tagged_or_bare(rng, rng.choice(NUMBERS)))


def odd_text(rng: random.Random, document: Value) -> None:
    """Text of characters that are hard to keep."""
    value = rng.choice((*TEXTS, "long " * rng.randrange(20_000), rng.choice(NUMBERS)))
    put(
        a_site(rng, document, "text", "by", "agentId", "startUrl", "caption", "schemaVersion", "visitId"),
        tagged_or_bare(rng, value),
    )


def odd_skills(rng: random.Random, document: Value) -> None:
    """Skills that are tagged, bare, null or no numbers."""
    elements = [rng.choice((3, None, {"long": 4}, {"long": None}, "5", rng.choice(NUMBERS))) for _ in range(rng.randrange(4))]
    put(a_site(rng, document, "skills"), rng.choice((elements, {"array": elements}, {"array": None}, {"map": {}}, 3)))


def odd_score(rng: random.Random, document: Value) -> None:
    """An MCS in some shape."""
    number = rng.choice(
        (57, 57.5, "57", {"int": 57}, {"double": 57.5}, {"string": "57.50"}, None, {"double": None}, rng.choice(NUMBERS))
    )
    other = odd_value(rng, 1)
    shape = rng.choice((
        number, {"mcs": number}, {"Score": number}, {"value": number}, {"mcs": number, "score": other},
        {"MCS": number, "mcs": other}, {"mcs": None, "score": number},
        {"mcs": {"null": None}, "value": number}, {"mcs": "", "b": 5},
        {"value": number, "reason": other},
        {"mcs": 1, "chatMCS": number, "lineRawScore": 0.25}, {"mcs": number, "lineRawScore": 3},
        {"ChatMCS": other, "mcs": number},
        {"alertedMCS": 7, "x": number}, {"chatRawScore": number}, {"chatMCS": number},
        {"LINERAWSCORE": 3, "alertedMcs": number},
        {"a": number, "b": number}, {"reason": "tone"}, {}, [number], "high", True, other,
        {"score": number, "trend": {"string": "up"}, "inner": {"mcs": 5}},
    ))  # fmt: skip
    put(a_site(rng, document, "mcs"), rng.choice((shape, {f"{TAG}MCS": shape}, {"com.acme.Score": shape})))


def odd_id(rng: random.Random, document: Value) -> None:
    """A conversation id that is missing, empty, a number or something else."""
    ids: tuple[Value, ...] = (
        None,
        "",
        {"string": ""},
        {"string": None},
        {"long": 12},
        12,
        literal("12.0"),
        True,
        [],
        "\ud800",
        {"string": "c1"},
        "c1",
        "\0",
    )
    put(a_site(rng, document, "conversationId"), rng.choice(ids))


def odd_collection(rng: random.Random, document: Value) -> None:
    """A collection or container that is null, empty or something else."""
    names = (
        "transcripts", "transfers", "secureForms", "skills", "engagements", "recordCollection", "metaData", "header", "body",
        "campaignData", "fileData", "linkData",
    )  # fmt: skip
    shapes: tuple[Value, ...] = (
        None,
        [],
        {},
        {"array": []},
        {"array": None},
        [None],
        {"array": [None, 5]},
        5,
        "",
        {"null": None},
        {f"{TAG}X": None},
        [[]],
    )
    put(a_site(rng, document, *names), rng.choice((*shapes, odd_value(rng))))


def odd_data_type(rng: random.Random, document: Value) -> None:
    """Another data type, or the same in another shape."""
    shapes: tuple[Value, ...] = (
        None,
        "Engagement",
        {"string": "Engagement"},
        {f"{TAG}DataTypeEnum": "WebSession"},
        "engagement",
        5,
        {},
        {"null": None},
    )
    put(a_site(rng, document, "dataType"), rng.choice(shapes))


def reorder(rng: random.Random, document: Value) -> None:
    """The fields of an object in another order."""
    target = an_object(rng, document)
    items = list(target.items())
    rng.shuffle(items)
    if target is not document:  # Avro writes the data type first; the layouts rely on it
        target.clear()
        target.update(items)


def wrap(rng: random.Random, document: Value) -> None:
    """A tag around metaData, recordCollection, a record or an element, as some versions of the schema have it."""
    names = {
        "metaData": f"{TAG}MetaData",
        "recordCollection": "array",
        "body": f"{TAG}EngagementData",
        "header": f"{TAG}VisitorHeader",
    }
    name = rng.choice(list(names))
    parent, key = a_site(rng, document, name)
    parent[key] = {names[name]: parent[key]}


def spoil(rng: random.Random, document: Value) -> None:
    """Texts that JSON parsers read with loss: a name twice, a constant that is no number, a byte that is no UTF-8."""
    constants = ("NaN", "-Infinity", "01", "[" * 5000 + "]" * 5000, "@BYTE@", "tru", "'x'", '"\\x"', '"\t"')
    parent, key = a_site(rng, document)
    if rng.random() < 0.3 and isinstance(parent, dict):
        parent[f"@twice:{key}@"] = odd_value(rng, 1)
    else:
        parent[key] = literal(rng.choice(constants))


def nest(rng: random.Random, document: Value) -> None:
    """A value many levels down."""
    value: Value = odd_value(rng, 1)
    for _ in range(rng.randrange(1, 60)):
        value = rng.choice(([value], {"a": value}, {"string": value}, {f"{TAG}A": value}, {"a": value, "b": None}))
    put(a_site(rng, document), value)


def tagged_or_bare(rng: random.Random, value: Value) -> Value:
    """The value, at times in a tag."""
    return {rng.choice(TAGS): value} if rng.random() < 0.5 else value


Mutation = Callable[[random.Random, Value], None]
MUTATIONS: Final[tuple[Mutation, ...]] = (
    retag, strip_tag, add_unknown, replace, drop, nullify, respell, repeat, odd_time, odd_number,
    odd_text, odd_skills, odd_score,
    odd_id, odd_collection, odd_data_type, reorder, wrap, nest, spoil,
)  # fmt: skip

# ---- text ----


def dumped(value: Value, *, is_ascii: bool = True, indent: int | None = None) -> bytes:
    """The JSON text of a value, its literals without quotes; without `is_ascii` lone surrogates become invalid UTF-8."""
    separators = (",", ":") if indent is None else (",", ": ")
    out = json.dumps(value, ensure_ascii=is_ascii, indent=indent, separators=separators)
    out = re.sub(r'"@@((?:[^"\\]|\\.)+?)@@"', lambda found: str(json.loads(f'"{found[1]}"')), out)
    out = re.sub(r'"@twice:((?:[^"\\]|\\.)*)@"', r'"\1"', out)
    return out.encode("utf-8", "surrogatepass").replace(b"@BYTE@", b'"\xff"')


NO_DOCUMENTS: Final = (b"5", b"null", b'"text"', b"[]", b"{}", b"[{}]", b"true", b"-1.5e3", b'{"a": [1, {"b": null}]}')
GARBAGE: Final = (
    b"oops",
    b"ERROR 503, try later",
    b"}",
    b"]]",
    b"{bro ken}",
    b"\xff\xfe\x00",
    b"\0",
    b"a {b} c",
    b": 1,",
    b"nul",
    "ü".encode(),
)


@dataclass(frozen=True)
class Piece:
    """The parts of one document of a file; without mutations it is plain. `garbage` is a line that is no document."""

    seed: int
    mutations: tuple[tuple[int, int], ...] = ()
    is_garbage: bool = False

    def value(self) -> Value:
        """The document."""
        made = plain_document(random.Random(self.seed))
        for number, seed in self.mutations:
            rng = random.Random(seed)
            if made:
                MUTATIONS[number](rng, made)
        return made

    def text(self, *, indent: int | None) -> bytes:
        """The document's text, or the line of garbage, without a last line break; behind a cut document stands a whole one."""
        rng = random.Random(self.seed)
        if not self.is_garbage:
            return dumped(self.value(), is_ascii=rng.random() < 0.5, indent=indent)
        if rng.random() < 0.7:
            return rng.choice(NO_DOCUMENTS + GARBAGE)
        whole = dumped(plain_document(rng), indent=indent)
        return (
            whole[: rng.randrange(1, len(whole))].rstrip()
            + b"\n"
            + dumped(plain_document(rng), indent=rng.choice((None, indent)))
        )


LAYOUTS: Final = (
    "lines",
    "crlf",
    "blank lines",
    "spaces",
    "concatenated",
    "pretty",
    "pretty crlf",
    "pretty concatenated",
    "mixed",
)


def laid_out(pieces: list[Piece], layout: str, *, seed: int = 0, has_mark: bool = False, ends_with_break: bool = True) -> bytes:
    """The text of a file; garbage always has its lines for itself."""
    rng = random.Random(seed)
    newline = b"\r\n" if "crlf" in layout else b"\n"
    out = [b"\xef\xbb\xbf"] if has_mark else []
    for number, piece in enumerate(pieces):
        indent = rng.choice((1, 2, 4)) if "pretty" in layout or (layout == "mixed" and rng.random() < 0.3) else None
        between = {"blank lines": rng.choice((b"\n\n", b"\n \t\n", b"\n\r\n")), "spaces": b" \n "}.get(layout, newline)
        if "concatenated" in layout or (layout == "mixed" and rng.random() < 0.3):
            between = rng.choice((b"", b" "))
        is_alone = piece.is_garbage or (number + 1 < len(pieces) and pieces[number + 1].is_garbage)
        made = piece.text(indent=indent)
        out.append(made.replace(b"\n", newline) if newline == b"\r\n" else made)
        if number + 1 < len(pieces) or ends_with_break:
            out.append(newline if is_alone else between)
    return b"".join(out)


# ---- strategies ----

SEEDS: Final = st.integers(0, 2**32 - 1)


@st.composite
def pieces_of(draw: st.DrawFn, *, oddness: float) -> Piece:
    """A document that is odd with that probability; odd ones shrink to plain ones."""
    kind = draw(st.integers(0, 999))
    seed = draw(SEEDS)
    if kind < 1000 * (1 - oddness):
        return Piece(seed)
    if draw(st.integers(0, 5)) == 5:
        return Piece(seed, is_garbage=True)
    mutations = draw(st.lists(st.tuples(st.integers(0, len(MUTATIONS) - 1), SEEDS), max_size=4))
    return Piece(seed, tuple(mutations))


@st.composite
def made_files(draw: st.DrawFn, *, oddness: float, min_documents: int = 1, max_documents: int = 30) -> bytes:
    """The text of a source file of so many documents, of which that share is odd."""
    pieces = draw(st.lists(pieces_of(oddness=oddness), min_size=min_documents, max_size=max_documents))
    return laid_out(
        pieces,
        draw(st.sampled_from(LAYOUTS)),
        seed=draw(st.integers(0, 255)),
        has_mark=draw(st.booleans()),
        ends_with_break=draw(st.booleans()),
    )


def random_file(seed: int, *, count: int) -> bytes:
    """The text of a source file as `made_files` gives it, without Hypothesis; its oddness goes by the seed too."""
    rng = random.Random(seed)
    oddness = rng.choice((0.0, 0.01, 0.1, 0.5, 1.0))
    pieces = []
    for _ in range(count):
        if rng.random() >= oddness:
            pieces.append(Piece(rng.getrandbits(32)))
        elif rng.random() < 0.15:
            pieces.append(Piece(rng.getrandbits(32), is_garbage=True))
        else:
            mutations = [(rng.randrange(len(MUTATIONS)), rng.getrandbits(32)) for _ in range(rng.randrange(1, 5))]
            pieces.append(Piece(rng.getrandbits(32), tuple(mutations)))
    layout = rng.choice(LAYOUTS)
    return laid_out(pieces, layout, seed=seed, has_mark=rng.random() < 0.1, ends_with_break=rng.random() < 0.9)
