"""A second, slow decoder to hold the product against: the standard library's `json` and one plain function for each rule.

It follows the contract ("Tables", "What the rows promise", "Readings") and shares no code with the product. A number keeps the
spelling that it was sent in; `extra` and `secure_forms` are values here, not text. Times are microseconds since 1970 UTC.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Final

Row = dict[str, Any]
Columns = dict[str, tuple[str, str]]
"""The column of a field and the column's type, by the API's name of the field."""

CONVERSATION: Final[Columns] = {
    "type": ("type", "text"),
    "conversationId": ("conversation_id", "text"),
    "conversationStartTime": ("conversation_start_time", "time"),
    "interactionStartTime": ("interaction_start_time", "time"),
    "conversationEndTime": ("conversation_end_time", "time"),
    "consumerId": ("consumer_id", "text"),
    "isInteractive": ("is_interactive", "boolean"),
    "sourceOrigin": ("source_origin", "text"),
    "sourceDevice": ("source_device", "text"),
    "endReasonId": ("end_reason_id", "integer"),
    "campaignData": ("", "container"),
    "agentId": ("agent_id", "text"),
    "skillId": ("skill_id", "bigint"),
    "skills": ("skills", "bigints"),
    "startReasonId": ("start_reason_id", "integer"),
    "startPage": ("start_page", "text"),
    "startUrl": ("start_url", "text"),
    "transcripts": ("", "rows"),
    "transfers": ("", "rows"),
    "secureForms": ("secure_forms", "forms"),
    "mcs": ("mcs", "score"),
    "queueStartTime": ("queue_start_time", "time"),
    "queueEndTime": ("queue_end_time", "time"),
}
MESSAGE: Final[Columns] = {
    "text": ("text", "text"),
    "timestamp": ("timestamp", "time"),
    "by": ("sent_by", "text"),
    "type": ("type", "text"),
    "controlType": ("control_type", "text"),
    "agentId": ("agent_id", "text"),
    "contentFormat": ("content_format", "text"),
    "messageId": ("message_id", "text"),
    "dialogId": ("dialog_id", "text"),
    "fileData": ("", "container"),
    "linkData": ("", "container"),
    "mcs": ("mcs", "score"),
}
TRANSFER: Final[Columns] = {
    "timestamp": ("timestamp", "time"),
    "skillId": ("skill_id", "bigint"),
    "targetSkillId": ("target_skill_id", "bigint"),
    "agentId": ("agent_id", "text"),
    "targetAgentId": ("target_agent_id", "text"),
    "reason": ("reason", "bigint"),
    "queueStartTime": ("queue_start_time", "time"),
    "queueEndTime": ("queue_end_time", "time"),
    "isInteractive": ("is_interactive", "boolean"),
}
CAMPAIGN: Final[Columns] = {
    "campaignId": ("campaign_id", "bigint"),
    "campaignEngagementId": ("campaign_engagement_id", "bigint"),
}
FILE: Final[Columns] = {"caption": ("file_caption", "text"), "fileType": ("file_type", "text")}
LINK: Final[Columns] = {
    "externalFileLink": ("link_url", "text"),
    "fileType": ("link_file_type", "text"),
    "caption": ("link_caption", "text"),
}
HEADER: Final[Columns] = {
    "visitId": ("visit_id", "text"),
    "visitorId": ("visitor_id", "text"),
    "contextId": ("context_id", "text"),
}
META_DATA: Final[Columns] = {
    "accountId": ("account_id", "text"),
    "schemaVersion": ("schema_version", "text"),
    "startTime": ("start_time", "time"),
    "endTime": ("end_time", "time"),
}
CONTAINERS: Final = {"campaignData": ("CampaignData", CAMPAIGN), "fileData": ("FileData", FILE), "linkData": ("LinkData", LINK)}
ROWS: Final[dict[str, tuple[str, Columns, tuple[Columns, ...]]]] = {
    "transcripts": ("Message", MESSAGE, (FILE, LINK)),
    "transfers": ("Transfer", TRANSFER, ()),
}


# ---- numbers and tags ----


@dataclass(frozen=True)
class Number:
    """A JSON number as it was spelled."""

    literal: str

    def __eq__(self, other: object) -> bool:
        """Whether both are the same number: 1.0 and 1.00 are."""
        return isinstance(other, Number) and exact(self.literal) == exact(other.literal)

    def __hash__(self) -> int:
        return hash(exact(self.literal))


MISFIT: Final = object()
NUMBER: Final = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")


def exact(literal: str) -> tuple[str, str, int]:
    """Sign, significant digits and power of ten of a number, so that every spelling of one number gives the same."""
    found = NUMBER.fullmatch(literal)
    assert found is not None
    sign, whole, fraction, power = found[1], found[2], found[3] or "", int(found[4] or 0)
    digits = (whole + fraction).lstrip("0")
    shortened = digits.rstrip("0")
    if not shortened:
        return "", "", 0
    return sign, shortened, power - len(fraction) + len(digits) - len(shortened)


def is_number_text(value: Any) -> bool:
    return isinstance(value, str) and NUMBER.fullmatch(value) is not None


PRIMITIVE_TAGS: Final = {"null", "boolean", "int", "long", "float", "double", "bytes", "string", "array", "map"}


def is_tag(name: str, *, anywhere: bool) -> bool:
    """Whether the only name of an object is the type in Avro's union: anywhere, or where the schema declares a value."""
    if name in PRIMITIVE_TAGS:
        return True
    known = r"com\.liveperson(\.\w+)+" if anywhere else r"[A-Za-z_]\w*(\.\w+)+"
    return re.fullmatch(known, name) is not None


def untagged(value: Any, *, anywhere: bool = False) -> Any:
    """The value without the tags around it."""
    if isinstance(value, dict) and len(value) == 1:
        ((name, inner),) = value.items()
        if is_tag(name, anywhere=anywhere):
            return untagged(inner, anywhere=anywhere)
    return value


def plain(value: Any) -> Any:
    """The value without the tags on any level, as it stands in `extra`."""
    bare = untagged(value, anywhere=True)
    if isinstance(bare, dict):
        return {name: plain(inner) for name, inner in bare.items()}
    if isinstance(bare, list):
        return [plain(inner) for inner in bare]
    return bare


# ---- what fits a column ----


def as_text(value: Any) -> Any:
    """Text as sent, but for lone surrogates; a number in its spelling."""
    if isinstance(value, Number):
        return value.literal
    if isinstance(value, str) and not re.search("[\ud800-\udfff]", value):
        return value
    return MISFIT


def as_whole(value: Any) -> Any:
    """A whole number, sent as number or text."""
    literal = value.literal if isinstance(value, Number) else value
    if not is_number_text(literal):
        return MISFIT
    sign, digits, power = exact(literal)
    if power < 0 or len(digits) + power > 25:
        return MISFIT
    return int(f"{sign}{digits or 0}") * 10**power


def as_integer(value: Any) -> Any:
    whole = as_whole(value)
    return whole if whole is not MISFIT and -(2**31) <= whole < 2**31 else MISFIT


def as_bigint(value: Any) -> Any:
    whole = as_whole(value)
    return whole if whole is not MISFIT and -(2**63) <= whole < 2**63 else MISFIT


def as_bigints(value: Any) -> Any:
    if not isinstance(value, list):
        return MISFIT
    numbers = [None if untagged(item) is None else as_bigint(untagged(item)) for item in value]
    return MISFIT if any(number is MISFIT for number in numbers) else numbers


def as_double(value: Any) -> Any:
    """A number, sent as number or text, that a double gives back digit by digit."""
    literal = value.literal if isinstance(value, Number) else value
    if not is_number_text(literal):
        return MISFIT
    double = float(literal)
    return double if is_number_text(repr(double)) and exact(repr(double)) == exact(literal) else MISFIT


def as_boolean(value: Any) -> Any:
    if value is True or value == "true":
        return True
    if value is False or value == "false":
        return False
    return MISFIT


FIRST_DAY: Final = datetime(1970, 1, 1, tzinfo=UTC)
ISO_TIME: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,6})0*)?)?(?:Z|([+-])([0-9]{2})(?::?([0-9]{2}))?)?)?"
)


def as_time(value: Any) -> Any:
    """Microseconds since 1970, from epoch milliseconds or ISO 8601; the years 1 to 9999."""
    milliseconds = as_whole(value)
    if milliseconds is not MISFIT:
        return milliseconds * 1000 if -62_135_596_800_000 <= milliseconds <= 253_402_300_799_999 else MISFIT
    found = ISO_TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return MISFIT
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    fraction, sign, zone_hours, zone_minutes = found.groups()[6:]
    if int(zone_hours or 0) > 23 or int(zone_minutes or 0) > 59:
        return MISFIT
    east = timedelta(hours=int(zone_hours or 0), minutes=int(zone_minutes or 0)) * (-1 if sign == "-" else 1)
    try:
        microsecond = int((fraction or "").ljust(6, "0"))
        moment = datetime(year, month, day, hour, minute, second, microsecond, tzinfo=timezone(east)).astimezone(UTC)
    except (ValueError, OverflowError):
        return MISFIT
    return (moment - FIRST_DAY) // timedelta(microseconds=1)


def as_forms(value: Any) -> Any:
    """The secure forms as a list without tags, None where it is empty."""
    return (plain(value) or None) if isinstance(value, list) else MISFIT


READERS: Final = {
    "text": as_text,
    "integer": as_integer,
    "bigint": as_bigint,
    "bigints": as_bigints,
    "boolean": as_boolean,
    "time": as_time,
    "forms": as_forms,
}


def fit(value: Any, kind: str) -> Any:
    bare = untagged(value)
    return None if bare is None else READERS[kind](bare)


def score_and_rest(value: Any) -> tuple[Any, Row]:
    """A score and what else its container holds; `MISFIT` where no single score can be told."""
    bare = untagged(value)
    if bare is None or bare == {}:
        return None, {}
    if not isinstance(bare, dict):
        return as_double(bare), {}
    named = [name for wanted in ("chatMCS", "score", "mcs") for name in bare if name.lower() == wanted.lower()]
    numeric = [
        name for name in bare if isinstance(untagged(bare[name]), Number) and not re.search("(?i)(rawScore|alertedMCS)$", name)
    ]
    rest = {name: plain(inner) for name, inner in bare.items() if name not in named or untagged(inner) is not None}
    sent = [name for name in named if name in rest]
    for name in sent + (numeric if len(numeric) == 1 else []):
        score = as_double(untagged(bare[name]))
        if score is not MISFIT:
            del rest[name]
            return score, rest
    return (MISFIT, {}) if sent or not named else (None, rest)


# ---- records ----


def by_usual_spelling(record: Row, names: Columns | tuple[str, ...]) -> tuple[Row, Row]:
    """The known fields of a record under their usual spelling, and the others as they are.

    Of several spellings of one field the usual one wins, then the first; nulls beside a value mean nothing.
    """
    known: Row = {}
    rest: Row = {}
    for name in names:
        spellings = sorted((other for other in record if other.lower() == name.lower()), key=lambda other: other != name)
        sent = [other for other in spellings if record[other] is not None]
        if sent:
            known[name] = record[sent[0]]
            rest.update({other: record[other] for other in sent[1:]})
    everything_known = {name.lower() for name in names}
    rest.update({name: value for name, value in record.items() if name.lower() not in everything_known})
    return known, rest


def read_record(kind: str, record: Row, columns: Columns, unknown: set[str]) -> tuple[Row, Row, Row]:
    """The columns of a record, what no column takes, and the lists that become rows of their own."""
    known, rest = by_usual_spelling(record, columns)
    values: Row = {}
    extra: Row = {name: plain(value) for name, value in rest.items()}
    unknown.update(f"{kind}.{name}" for name in rest)
    lists: Row = {}
    for name, value in known.items():
        column, column_type = columns[name]
        if column_type == "rows":
            lists[name] = value
            continue
        if column_type == "container":
            fitted, beyond = read_container(name, value, unknown)
        elif column_type == "score":
            score, beyond = score_and_rest(value)
            fitted = MISFIT if score is MISFIT else {column: score}
            unknown.update(f"MCS.{other}" for other in beyond)
        else:
            single, beyond = fit(value, column_type), {}
            fitted = MISFIT if single is MISFIT else {column: single}
        if fitted is MISFIT:
            extra[name] = plain(untagged(value) if column_type == "container" else value)
            unknown.add(f"{kind}.{name}")
        else:
            values.update(fitted)
            extra.update({name: beyond} if beyond else {})
    return values, extra, lists


def read_container(name: str, value: Any, unknown: set[str]) -> tuple[Any, Row]:
    """The columns that a container holds, `MISFIT` where it is none, and what else it holds."""
    bare = untagged(value)
    if bare is None:
        return {}, {}
    if not isinstance(bare, dict):
        return MISFIT, {}
    kind, columns = CONTAINERS[name]
    values, beyond, _ = read_record(kind, bare, columns, unknown)
    return values, beyond


# ---- documents ----


@dataclass
class Decoded:
    """All that one file gives."""

    name: str
    account_id: str | None
    scope_start_us: int | None
    conversations: list[Row] = field(default_factory=list)
    messages: list[Row] = field(default_factory=list)
    transfers: list[Row] = field(default_factory=list)
    rejects: list[Row] = field(default_factory=list)
    documents: int = 0
    schema_versions: set[str] = field(default_factory=set)
    unknown_fields: set[str] = field(default_factory=set)


class UnreadableError(ValueError):
    """Something of a document can be kept in its raw text only."""


def read_file(text: bytes, name: str, account_id: str | None, scope_start_us: int | None) -> dict[str, Any]:
    """The rows of a file's text, by table, and its counts; each row has all columns of its table."""
    decoded = Decoded(name, account_id, scope_start_us)
    for raw in split(text):
        decoded.documents += 1
        read_document(raw, decoded)
    return {
        "conversations": decoded.conversations,
        "messages": decoded.messages,
        "transfers": decoded.transfers,
        "rejects": decoded.rejects,
        "documents": decoded.documents,
        "schema_versions": sorted(decoded.schema_versions),
        "unknown_fields": sorted({escaped(path) for path in decoded.unknown_fields}),
    }


def escaped(path: str) -> str:
    """A path as text can hold it: a lone surrogate in a field's name is written as JSON escapes it."""
    return re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", path)


BLANK: Final = " \t\r\n"
TOKEN: Final = re.compile(r'"(?:[^"\\\n]|\\[^\n])*"|[{}\[\]"\n]')

GOES_ON: Final = re.compile(r"[\r\n]*[ \t}\]]")


def split(text: bytes) -> Iterator[str]:
    """The text of each document; a byte that is no UTF-8 is in it as the surrogate of `surrogateescape`.

    What does not begin with a bracket is garbage to the end of its line. A document ends with its last bracket, or, where it
    was cut short, at the end of the line behind which something stands that can't be inside of a pretty-printed one.
    """
    rest = text.decode("utf-8", "surrogateescape").lstrip(BLANK + "\ufeff")
    while rest:
        end = end_of_document(rest) if rest[0] in "{[" else end_of_line(rest, 0)
        yield rest[:end].rstrip(BLANK)
        rest = rest[end:].lstrip(BLANK + "\ufeff")


def end_of_line(text: str, start: int) -> int:
    newline = text.find("\n", start)
    return len(text) if newline < 0 else newline


def end_of_document(text: str) -> int:
    depth = 0
    for token in TOKEN.finditer(text):
        if token[0] in ("{", "["):
            depth += 1
        elif token[0] in ("}", "]"):
            depth -= 1
            if depth == 0:
                return token.end()
        elif token[0] == '"' or (token[0] == "\n" and not GOES_ON.match(text, token.end())):
            return end_of_line(text, token.start())
    return len(text)


def parsed(raw: str) -> Any:
    """The JSON value of a text, which names no field twice and holds no NaN.

    Raises:
        UnreadableError: it is no such text.
    """
    if re.search("[\udc80-\udcff]", raw):
        raise UnreadableError("no UTF-8")
    try:
        return json.loads(raw, object_pairs_hook=once, parse_int=Number, parse_float=Number, parse_constant=no_constant)
    except json.JSONDecodeError as error:
        raise UnreadableError("no JSON") from error
    except RecursionError as error:
        raise UnreadableError("too deep") from error


def once(pairs: list[tuple[str, Any]]) -> Row:
    if len({name for name, _ in pairs}) < len(pairs):
        raise UnreadableError("a field twice")
    return dict(pairs)


def no_constant(constant: str) -> Any:
    raise UnreadableError(constant)


def read_document(raw: str, decoded: Decoded) -> None:
    """Add the rows of one document, or its text to the rejects, or both where a part of it can't be read."""
    account = decoded.account_id
    problems: list[str] = []
    try:
        document = parsed(raw)
        if not is_engagement(document):
            problems.append("no Engagement document")
        else:
            account = Reader(document, decoded, problems).account_id or account
    except UnreadableError as error:
        problems.append(str(error))
    if problems:
        as_bytes = raw.encode("utf-8", "surrogateescape")
        decoded.rejects.append(
            {
                "account_id": account,
                "source_file": decoded.name,
                "document": decoded.documents,
                "reason": "; ".join(problems),
                "raw": as_bytes.decode("utf-8", "backslashreplace"),
            }
        )


def is_engagement(document: Any) -> bool:
    """Whether it says so; without any data type, whether it has records."""
    if not isinstance(document, dict):
        return False
    known, _ = by_usual_spelling(document, ("dataType", "metaData", "recordCollection"))
    data_type = untagged(known.get("dataType"))
    has_records = "recordcollection" in {name.lower() for name in document}
    return data_type == "Engagement" or (data_type is None and has_records)


def under_free_name(extra: Row, level: str, name: str, value: Any) -> None:
    """Keep a value under its name, or, where that is taken, under its level and name."""
    free = name
    while free in extra:
        free = f"{level}.{free}"
    extra[free] = value


class Reader:
    """Walks through one Engagement document; what it can't keep in a row it names in `problems`."""

    def __init__(self, document: Row, decoded: Decoded, problems: list[str]) -> None:
        self.decoded = decoded
        self.problems = problems
        self.extra: Row = {}  # unknown fields of the document and its metaData
        self.before = len(decoded.conversations)
        known, rest = by_usual_spelling(document, ("dataType", "metaData", "recordCollection"))
        self.keep(self.extra, "Document", rest)
        self.read_meta_data(known.get("metaData"))
        try:
            records = as_list(known.get("recordCollection"))
        except UnreadableError as error:
            problems.append(str(error))
            return
        for record in records:
            self.read_record(record)
        if self.extra and not problems and len(decoded.conversations) == self.before:
            problems.append("unknown fields and no conversation to keep them with")

    def keep(self, extra: Row, level: str, rest: Row) -> None:
        """Keep unknown fields of one level above the conversation, and list them."""
        for name, value in rest.items():
            under_free_name(extra, level, name, plain(value))
            self.decoded.unknown_fields.add(f"{level}.{name}")

    def read_meta_data(self, value: Any) -> None:
        """Read account, schema version and start."""
        meta_data = untagged(value)
        if not isinstance(meta_data, dict | None):
            self.keep(self.extra, "Document", {"metaData": value})
        values, extra, _ = read_record("MetaData", meta_data if isinstance(meta_data, dict) else {}, META_DATA, set())
        self.keep(self.extra, "MetaData", extra)
        self.account_id: str | None = values.get("account_id")
        self.schema_version: str | None = values.get("schema_version")
        self.start_time: int | None = values.get("start_time")
        if self.schema_version is not None:
            self.decoded.schema_versions.add(self.schema_version)

    def read_record(self, value: Any) -> None:
        """Read a record's conversations, each with the header and the unknown fields above it."""
        extra: Row = dict(self.extra)
        before = len(self.decoded.conversations)
        try:
            known, rest = by_usual_spelling(as_record(value), ("body",))
            self.keep(extra, "Record", rest)
            known, rest = by_usual_spelling(as_record(known.get("body")), ("header", "engagements"))
            self.keep(extra, "EngagementData", rest)
            header, rest, _ = read_record("VisitorHeader", as_record(known.get("header")), HEADER, set())
            self.keep(extra, "VisitorHeader", rest)
            engagements = as_list(known.get("engagements"))
        except UnreadableError as error:
            self.problems.append(str(error))
            return
        for engagement in engagements:
            self.read_conversation(untagged(engagement), header, extra)
        if len(extra) > len(self.extra) and len(self.decoded.conversations) == before:
            self.problems.append("unknown fields in a record without conversations")

    def read_conversation(self, conversation: Any, header: Row, above: Row) -> None:
        """Add the rows of a conversation."""
        if conversation is None:
            return
        if not isinstance(conversation, dict):
            self.problems.append("a conversation is no object")
            return
        unknown: set[str] = set()
        values, extra, lists = read_record("Conversation", conversation, CONVERSATION, unknown)
        if not values.get("conversation_id"):
            self.problems.append("no conversationId")
            return
        self.decoded.unknown_fields |= unknown
        keys = {
            "account_id": self.account_id or self.decoded.account_id,
            "conversation_id": values["conversation_id"],
            "date": self.date_of(values.get("conversation_start_time")),
            "source_file": self.decoded.name,
            "delivery": len(self.decoded.conversations) + 1,
        }
        self.decoded.messages += self.read_rows("transcripts", lists, keys, extra)
        self.decoded.transfers += self.read_rows("transfers", lists, keys, extra)
        for name, value in above.items():
            under_free_name(extra, "Document", name, value)
        row = all_columns(CONVERSATION, CAMPAIGN, HEADER) | values | header | keys
        self.decoded.conversations.append(row | {"schema_version": self.schema_version, "extra": extra or None})

    def read_rows(self, name: str, lists: Row, keys: Row, extra: Row) -> list[Row]:
        """The rows of a list in a conversation; nulls are left out, other odd elements go to the conversation's extra."""
        kind, columns, containers = ROWS[name]
        bare = untagged(lists.get(name))
        elements = bare if isinstance(bare, list) else []
        odd = [plain(element) for element in elements if not isinstance(untagged(element), dict | None)]
        if odd or not isinstance(bare, list | None):
            extra[name] = odd or plain(bare)
            self.decoded.unknown_fields.add(f"Conversation.{name}")
        rows: list[Row] = []
        for position, element in enumerate(elements):
            if isinstance(untagged(element), dict):
                values, beyond, _ = read_record(kind, untagged(element), columns, self.decoded.unknown_fields)
                rows.append(all_columns(columns, *containers) | values | keys | {"position": position, "extra": beyond or None})
        return rows

    def date_of(self, start: int | None) -> date:
        """The UTC date of the start, else of the document's start, else of the file's scope, else of no time at all."""
        for time in (start, self.start_time, self.decoded.scope_start_us):
            if time is not None:
                return (FIRST_DAY + timedelta(microseconds=time)).date()
        return date(1970, 1, 1)


def as_record(value: Any) -> Row:
    """An object, or nothing where it is null.

    Raises:
        UnreadableError: it is something else.
    """
    bare = untagged(value)
    if not isinstance(bare, dict | None):
        raise UnreadableError("not an object where one belongs")
    return bare or {}


def as_list(value: Any) -> list[Any]:
    """A list, or an empty one where it is null.

    Raises:
        UnreadableError: it is something else.
    """
    bare = untagged(value)
    if not isinstance(bare, list | None):
        raise UnreadableError("not a list where one belongs")
    return bare or []


def all_columns(*tables: Columns) -> Row:
    return {column: None for columns in tables for column, _ in columns.values() if column}
