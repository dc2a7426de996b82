"""The changes that faults make: each takes a reply and returns a spoilt one, or the same if it has nothing to spoil."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

from pipeline.sandbox import replies
from pipeline.sandbox.encode import compact
from pipeline.sandbox.replies import Reply
from pipeline.sandbox.routes import Request

Change = Callable[[Reply, Request, datetime], Reply]
"""A reply, the request that it is to and the sandbox's time -> the reply that is sent."""

REPLACED_AFTER: Final = timedelta(days=1)
BOMB_BYTES: Final = 4 << 30
STRANGER: Final = "https://files.example"
"""Another host; it exists nowhere."""

_BOMB_PIECE_BYTES = 16 << 20
_CLOCK_OFF = timedelta(minutes=10)


def wire(**fields: Any) -> Change:
    """The same reply, badly sent."""
    return lambda reply, *_: replace(reply, **fields)


def cut(**fields: Any) -> Change:
    """Send half of the body."""
    return lambda reply, *_: replace(reply, breaks_off_after=len(reply.body) // 2, **fields)


def page(status: int, text: str) -> Change:
    """Send a web page instead."""
    return lambda *_: Reply(status, text.encode(), "text/html")


def error(status: int, message: str, code: int, **headers: str) -> Change:
    """Send an error in the API's words instead."""
    fields = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return lambda _, __, now: Reply(status, replies.error(message, code, now), headers=fields)


def redirect(_: Reply, request: Request, __: datetime) -> Reply:
    """Redirect to another host."""
    return Reply(HTTPStatus.FOUND, b"", headers=(("Location", STRANGER + request.path),))


def busy_until_date(_: Reply, __: Request, now: datetime) -> Reply:
    """Send 429, with the time to try again."""
    headers = (("Date", _http(now)), ("Retry-After", _http(now + timedelta(seconds=1))))
    return Reply(HTTPStatus.TOO_MANY_REQUESTS, replies.error("Too many requests", 0, now), headers=headers)


def clock_off(_: Reply, __: Request, now: datetime) -> Reply:
    """Refuse as a server does whose clock, by its Date header, differs from the client's."""
    headers = (("Date", _http(datetime.now(UTC) + _CLOCK_OFF)),)
    body = replies.error("Unauthorized request", replies.UNAUTHORIZED, now)
    return Reply(HTTPStatus.UNAUTHORIZED, body, headers=headers)


def _http(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def body(change: Callable[[bytes], bytes], **headers: str) -> Change:
    """Change the body's bytes, if there are some."""
    fields = tuple((name.replace("_", "-"), value) for name, value in headers.items())

    def changed(reply: Reply, _: Request, __: datetime) -> Reply:
        if reply.status != HTTPStatus.OK:
            return reply
        return replace(reply, body=change(reply.body), headers=reply.headers + fields)

    return changed


def wrong_checksum(archive: bytes) -> bytes:
    """Invert every bit of the CRC."""
    return archive[:-8] + bytes(255 - byte for byte in archive[-8:-4]) + archive[-4:]


def first_half(archive: bytes) -> bytes:
    """Drop the end."""
    return archive[: len(archive) // 2]


def before_replacement(reply: Reply, request: Request, now: datetime) -> Reply:
    """Send a file in its first version: without its last document."""
    if reply.status != HTTPStatus.OK or request.file_name is None:
        return reply
    hour_ends = datetime.fromtimestamp(int(request.file_name.split(".")[2]) / 1000, UTC)
    if now >= hour_ends + REPLACED_AFTER:
        return reply
    lines = gzip.decompress(reply.body).splitlines(keepends=True)
    return replace(reply, body=gzip.compress(b"".join(lines[:-1]), mtime=0))


def bomb(reply: Reply, request: Request, _: datetime) -> Reply:
    """Put blanks before the body: legal, and far too large."""
    if reply.status != HTTPStatus.OK:
        return reply
    if request.kind == "download":
        return replace(reply, body=_blanks() + reply.body)
    return replace(reply, body=_blanks() + gzip.compress(reply.body), headers=(("Content-Encoding", "gzip"),))


@lru_cache(maxsize=1)
def _blanks() -> bytes:
    """Gzip members that unpack to lines of blanks, `BOMB_BYTES` in all."""
    lines = (b" " * ((1 << 20) - 1) + b"\n") * (_BOMB_PIECE_BYTES >> 20)
    return gzip.compress(lines, mtime=0) * (BOMB_BYTES // _BOMB_PIECE_BYTES)


def _listing(change: Callable[[dict[str, Any]], list[dict[str, Any]]]) -> Change:
    """Change each document of a listing with files."""

    def changed(reply: Reply, _: Request, __: datetime) -> Reply:
        if reply.status != HTTPStatus.OK:
            return reply
        former = (json.loads(line)["dataAccessFiles"] for line in reply.body.splitlines())
        lines = [compact({"dataAccessFiles": document}) for listing in former for document in change(listing)]
        return replace(reply, body=b"\n".join(lines))

    return changed


def _entries(change: Callable[[dict[str, str]], dict[str, str]]) -> Change:
    return _listing(lambda listing: [{**listing, "file": [entry | change(entry) for entry in listing["file"]]}])


def named(pattern: str, without: str = "") -> Change:
    """A listing with other names."""
    return _entries(lambda file: {"@name": pattern.format(file["@name"].removesuffix(without))})


def linked(pattern: str) -> Change:
    """A listing with other links."""
    return _entries(lambda file: {"@href": pattern.format(file["@name"])})


documents: Change = _listing(lambda listing: [{**listing, "file": [entry]} for entry in listing["file"]])
object_if_alone: Change = _listing(
    lambda listing: [{**listing, "file": listing["file"][0] if len(listing["file"]) == 1 else listing["file"]}]
)


def if_accepting(accept: str, change: Change) -> Change:
    """Change the reply to a client that asks for that type."""
    return lambda reply, request, now: change(reply, request, now) if request.accept == accept else reply


def if_empty(change: Change) -> Change:
    """Change the reply to a range without files."""
    return lambda reply, request, now: change(reply, request, now) if reply.status == HTTPStatus.NOT_FOUND else reply


def listing_without_files(_: Reply, request: Request, __: datetime) -> Reply:
    """An empty listing that is no error."""
    return Reply(HTTPStatus.OK, compact({"dataAccessFiles": {"@id": request.account_id}}))


def if_not_latest(status: int) -> Change:
    """Send an error for a schema that is requested by its version."""
    refused = error(status, "No such schema", 0)
    return lambda reply, request, now: reply if request.schema_id == "latest" else refused(reply, request, now)


def with_blanks(text: bytes) -> bytes:
    """Add more blanks than a schema has bytes."""
    return text + b" " * (5 << 20)


def more_fields(text: bytes) -> bytes:
    """Send a schema with an added field in conversations and in messages, and scores with other fields."""
    return _with_fields(
        text,
        Conversation={"closeReasonNote": "string"},
        Message={"sentiment": {"type": "enum", "name": "Sentiment", "symbols": ["GOOD", "BAD"]}},
        MCS={"chatMCS": "int", "lineRawScore": "double"},
    )


def other_types(text: bytes) -> bytes:
    """Send a schema with a skill as text and the number of an end reason as a long."""
    return _with_fields(text, Conversation={"skillId": "string", "endReasonId": "long"})


def _with_fields(text: bytes, **records: dict[str, Any]) -> bytes:
    schema = json.loads(text)
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict) and node.get("type") == "record":
            changed = records.get(node["name"], {})
            kept = [field for field in node["fields"] if field["name"] not in changed]
            node["fields"] = kept + [{"name": name, "type": ["null", kind]} for name, kind in changed.items()]
        if isinstance(node, dict | list):
            waiting.extend(node.values() if isinstance(node, dict) else node)
    return compact(schema)
