"""The faults that the sandbox knows, by name."""

import gzip
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

from pipeline.sandbox import changes
from pipeline.sandbox.changes import STRANGER, Change
from pipeline.sandbox.replies import NO_FILES, UNAUTHORIZED, UNSUPPORTED

KINDS: Final = ("base", "listing", "download")


@dataclass(frozen=True)
class Fault:
    """A way to misbehave. One that passes strikes a request once, so that the next attempt succeeds; others always do."""

    name: str
    description: str
    kinds: tuple[str, ...]
    """The requests that it can strike; none: it delays files."""
    passes: bool
    change: Change | None = None
    latest: timedelta = timedelta(0)
    """The longest delay of a file."""


def _passing(name: str, description: str, kinds: tuple[str, ...], change: Change) -> Fault:
    return Fault(name, description, kinds, passes=True, change=change)


def _constant(name: str, description: str, kinds: tuple[str, ...], change: Change) -> Fault:
    return Fault(name, description, kinds, passes=False, change=change)


def _nothing(status: int) -> Change:
    return changes.error(status, _NOTHING, NO_FILES)


_LISTING, _DOWNLOAD, _ANSWERS, _SCHEMA = ("listing",), ("download",), ("listing", "download"), ("schema",)
_NOTHING = "No Available Files"
_UNSUPPORTED = "This request is not supported, verify request headers and method"
_PAGE = "<!DOCTYPE html><html><head><title>Welcome</title></head><body>Please accept the terms of use.</body></html>"
_XML = f"<error><message>{_NOTHING}</message><internalCode>{NO_FILES}</internalCode></error>"

# In this order they are applied: first what there is, then how it is told, then whether and how it gets through.
_FAULTS = (
    # files that come late, or in two versions
    Fault("late", "a file appears up to 6 hours after its hour", (), passes=False, latest=timedelta(hours=6)),
    Fault("days-late", "a file appears up to 7 days after its hour", (), passes=False, latest=timedelta(days=7)),
    _constant("replaced", "a file lacks its last document until a day after its hour", _DOWNLOAD, changes.before_replacement),
    # names and links that somebody has changed
    _constant("path", "names in listings lead out of their folder", _LISTING, changes.named("../../{}")),
    _constant("stranger", "links in listings lead to another host", _LISTING, changes.linked(f"{STRANGER}/{{}}")),
    _constant(
        "downgrade",
        "links in listings lead to the vendor without TLS",
        _LISTING,
        changes.linked("http://va.da.liveperson.net/{}"),
    ),
    # the shape of listings
    _constant("bare-names", "names in listings lack their .gz", _LISTING, changes.named("{}", without=".gz")),
    _constant("documents", "a listing is a JSON document for each file, one after another", _LISTING, changes.documents),
    _constant("object", "`file` of a listing is an object where there is one file", _LISTING, changes.object_if_alone),
    _constant("no-file", "an empty listing has no `file`", _LISTING, changes.if_empty(changes.listing_without_files)),
    _constant("empty-200", "an empty listing is an error with status 200", _LISTING, changes.if_empty(_nothing(200))),
    _constant("empty-xml", "an empty listing is an error in XML", _LISTING, changes.if_empty(changes.page(404, _XML))),
    # files that are not what they should be
    _constant("unpacked", "plain text under the name of the .gz", _DOWNLOAD, changes.body(gzip.decompress)),
    _passing("crc", "an archive with a wrong checksum", _DOWNLOAD, changes.body(changes.wrong_checksum)),
    _passing("half", "half of an archive, announced as all of it", _DOWNLOAD, changes.body(changes.first_half)),
    _passing("empty", "no bytes at all, with status 200", _DOWNLOAD, changes.body(lambda _: b"")),
    _constant("bomb", "4 GiB of blanks, packed into 4 MB, come first", _ANSWERS, changes.bomb),
    _constant(
        "labelled",
        "a .gz is sent as it is, with Content-Encoding: gzip",
        _DOWNLOAD,
        changes.body(bytes, Content_Encoding="gzip"),
    ),
    _constant(
        "packed",
        "the body is packed once more, with Content-Encoding: gzip",
        KINDS,
        changes.body(partial(gzip.compress, mtime=0), Content_Encoding="gzip"),
    ),
    # answers instead
    _constant("vanished", "404 for a file that was listed", _DOWNLOAD, _nothing(404)),
    _constant("gone", "410 for a file that was listed", _DOWNLOAD, changes.error(410, "Gone", 0)),
    _passing("hidden", 'a listing says "No Available Files" though there are some', _LISTING, _nothing(404)),
    _passing("garbage", "a listing is no JSON", _LISTING, changes.page(200, '{"dataAccessFiles": oops')),
    _passing("html", "a page in HTML with status 200", KINDS, changes.page(200, _PAGE)),
    _passing("busy", "429, come again after a second", KINDS, changes.error(429, "Too many requests", 0, Retry_After="1")),
    _passing("busy-date", "429, come again at a time that is a second ahead", KINDS, changes.busy_until_date),
    _passing("5xx", "503 without a hint when to come again", KINDS, changes.error(503, "Service unavailable", 0)),
    _constant("refused", "401, as if the keys were wrong", KINDS, changes.error(401, "Unauthorized request", UNAUTHORIZED)),
    _constant(
        "forbidden", "403, as if the account were closed", KINDS, changes.error(403, "Unauthorized request", UNAUTHORIZED)
    ),
    _constant(
        "only-json",
        "a file that is asked for as `*/*` is an unsupported request",
        _DOWNLOAD,
        changes.if_accepting("*/*", changes.error(400, _UNSUPPORTED, UNSUPPORTED)),
    ),
    _constant(
        "json-406",
        "406 for a file that is asked for as `*/*`",
        _DOWNLOAD,
        changes.if_accepting("*/*", changes.error(406, "Not Acceptable", 0)),
    ),
    _constant(
        "json-401",
        "401 for a file that is asked for as `*/*`, as if the keys were wrong",
        _DOWNLOAD,
        changes.if_accepting("*/*", changes.error(401, "Unauthorized request", UNAUTHORIZED)),
    ),
    _constant(
        "only-any",
        "a file that is asked for as `application/json` is an unsupported request",
        _DOWNLOAD,
        changes.if_accepting("application/json", changes.error(400, _UNSUPPORTED, UNSUPPORTED)),
    ),
    _constant("clock", "401, since the clocks are ten minutes apart, as the Date header tells", KINDS, changes.clock_off),
    _constant("redirect", "302 to another host", KINDS, changes.redirect),
    # the account's own schema
    _constant("schema-404", "404 for every version of the account's schema", _SCHEMA, changes.error(404, "No such schema", 0)),
    _constant("schema-version-404", "404 for all versions of the schema but `latest`", _SCHEMA, changes.if_not_latest(404)),
    _constant("schema-garbage", "the schema is no JSON", _SCHEMA, changes.page(200, '{"type": "record", oops')),
    _constant("schema-other", "the schema is one of other things", _SCHEMA, changes.page(200, '{"type": "string"}')),
    _constant("schema-deep", "the schema is nested 100,000 levels deep", _SCHEMA, changes.page(200, "[" * 100_000)),
    _constant("schema-large", "the schema is followed by 5 MiB of blanks", _SCHEMA, changes.body(changes.with_blanks)),
    _constant("schema-slow", "the schema comes at 20 bytes a second", _SCHEMA, changes.wire(bytes_per_second=20)),
    _constant("schema-fields", "the schema has fields that the tables lack", _SCHEMA, changes.body(changes.more_fields)),
    _constant("schema-types", "fields of the schema have other types", _SCHEMA, changes.body(changes.other_types)),
    # the wire
    _constant("chunked", "the body comes in chunks, without a length", KINDS, changes.wire(framing="chunked")),
    _constant("close", "the body comes whole, and only the connection's end ends it", KINDS, changes.wire(framing="close")),
    _passing("silence", "no answer comes, and the connection stays open", KINDS, changes.wire(is_silent=True)),
    _passing("drip", "the body comes at 20 bytes a second", KINDS, changes.wire(bytes_per_second=20)),
    _passing("reset", "the connection is reset in the middle of the body", KINDS, changes.cut(is_reset=True)),
    _passing("short", "half of the body that was announced comes, then the connection ends", KINDS, changes.cut()),
    _passing(
        "cut", "half of a body of unannounced length comes, then the connection ends", KINDS, changes.cut(framing="close")
    ),
    _passing("endless", "the body never ends", _ANSWERS, changes.wire(framing="chunked", is_endless=True)),
)

FAULTS: Final = {fault.name: fault for fault in _FAULTS}
