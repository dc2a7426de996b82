"""Engagement documents as the vendor sends them, made by hand for the tests."""

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from places import DATA

from pipeline.decode.containers import NO_CAPS, Caps, Overlong, Passed, texts
from pipeline.decode.documents import Document, Splitter

VENDOR_EXAMPLE = DATA / "vendor_example.json"
TAG = "com.liveperson.dataaccess."
START = 1_469_469_281_856  # 2016-07-25T17:54:41.856Z
DAY_MS = 86_400_000
NAME = "Engagement.1469469600000.1469473200000.part-00000-0.gz"


def name_at(hour: int, part: int = 0) -> str:
    """The name of a file whose scope starts so many hours after 2016-07-25T18:00Z."""
    start = 1_469_469_600_000 + hour * 3_600_000
    return f"Engagement.{start}.{start + 3_600_000}.part-{part:05d}-0.gz"


def message(text: str = "hello", *, timestamp: int = START, **fields: Any) -> dict[str, Any]:
    """A transcript line; a field given replaces the usual one."""
    usual: dict[str, Any] = {
        "text": {"string": text},
        "timestamp": {"long": timestamp},
        "by": {"string": "visitor"},
        "type": {"string": "0"},
        "controlType": None,
        "agentId": None,
        "contentFormat": {"string": "TEXT_PLAIN"},
        "messageId": {"string": "m1"},
        "dialogId": None,
        "fileData": None,
        "linkData": None,
        "mcs": None,
    }
    return usual | fields


def conversation(conversation_id: Any = "c1", *, start: Any = START, messages: Any = None, **fields: Any) -> dict[str, Any]:
    """A conversation, tagged as in `engagements`; a field given replaces the usual one or is added."""
    usual: dict[str, Any] = {
        "type": {f"{TAG}ConversationType": "LIVE_CHAT"},
        "conversationId": {"string": conversation_id} if isinstance(conversation_id, str) else conversation_id,
        "conversationStartTime": {"long": start} if isinstance(start, int) else start,
        "skills": {"array": [3]},
        "transcripts": {"array": [message()] if messages is None else messages},
        "transfers": {"array": []},
        "secureForms": {"array": []},
        "mcs": None,
    }
    return {f"{TAG}Conversation": usual | fields}


def document(*conversations: dict[str, Any], account_id: str | None = "75555851", **fields: Any) -> dict[str, Any]:
    """A document of one record; a field given replaces the usual one or is added."""
    header = {name: {"string": name} for name in ("visitId", "visitorId", "contextId")}
    body = {f"{TAG}EngagementData": {"header": {f"{TAG}VisitorHeader": header}, "engagements": {"array": list(conversations)}}}
    usual = {
        "dataType": {f"{TAG}DataTypeEnum": "Engagement"},
        "metaData": {
            "accountId": None if account_id is None else {"string": account_id},
            "schemaVersion": "1.0.0.22",
            "startTime": {"long": START},
            "endTime": {"long": START},
        },
        "recordCollection": [{"body": body}],
    }
    return usual | fields


def gz(*documents: Any) -> bytes:
    """A source file of one document per line; text and bytes go in as they are."""
    lines = [
        item if isinstance(item, bytes) else item.encode() if isinstance(item, str) else json.dumps(item).encode()
        for item in documents
    ]
    return gzip.compress(b"".join(line + b"\n" for line in lines), mtime=0)


def lines_of(cut: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of texts, and what is told of overlong ones, as the careful path is fed."""
    for text in cut:
        if isinstance(text, Overlong):
            yield text
        elif not isinstance(text, Passed):
            yield from (line + b"\n" for line in text[:-1].split(b"\n"))


def read_documents(chunks: Iterable[bytes], caps: Caps = NO_CAPS) -> Iterator[Document]:
    """Every document of a text, numbered from 1, as the careful path cuts it."""
    splitter = Splitter(caps)
    pieces = [piece for line in lines_of(texts(chunks, caps=caps)) for piece in splitter.feed(line)]
    for number, piece in enumerate([*pieces, *splitter.finish()], start=1):
        yield splitter.document(number, piece)


def put(folder: Path, contents: bytes, name: str = NAME) -> Path:
    """Write a source file into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(contents)
    return path


def owned(
    conversation_id: str, consumer: str | None, visitor: str = "V", *, start: int = START, end: int = START
) -> dict[str, Any]:
    """A document with a conversation of a consumer and a visitor."""
    ended = {"conversationEndTime": {"long": end}}
    given = consumer and {"string": consumer}
    one = conversation(conversation_id, start=start, consumerId=given, messages=[message()], **ended)
    header = {f"{TAG}VisitorHeader": {"visitorId": {"string": visitor}}}
    body = {f"{TAG}EngagementData": {"header": header, "engagements": {"array": [one]}}}
    return document(recordCollection=[{"body": body}])
