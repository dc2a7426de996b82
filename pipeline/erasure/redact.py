"""Redact a source file: remove erased conversations, and keep all other bytes of its text.

A document that holds such a conversation is written anew without it, and goes whole if none is left in it. A document that
can't be read and names an erased id goes whole.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, cast

from isal import igzip

from pipeline.decode.avro_json import json_text, untag
from pipeline.decode.containers import NO_CAPS, Caps, Overlong, Passed, texts, unpacked
from pipeline.decode.documents import Document, Splitter, parse, unescaped
from pipeline.decode.flatten import Row, Rows, flatten
from pipeline.decode.pgp import MARKER, Decrypt, leave_encrypted
from pipeline.decode.reader import NAMING
from pipeline.decode.scanner import PADDING, new_scanner
from pipeline.erasure.tombstones import Tombstones, json_spelling
from pipeline.lake.lake import Lake
from pipeline.lake.landing import digest, staging
from pipeline.source_files import Source, Staged

_BLANK: Final = b" \t\r\n"


@dataclass
class Redaction:
    """The result of `redact`: ids and counts of removed conversations, and the staged rest; None if nothing was removed.

    `deliveries` counts conversations, `documents` those that went whole; `conversations` are the ids of the former.
    """

    staged: Staged | None = None
    deliveries: int = 0
    documents: int = 0
    conversations: set[str] = field(default_factory=set)


def redact(
    lake: Lake,
    path: str,
    source: Source,
    tombstones: Tombstones,
    idents: set[str],
    *,
    caps: Caps = NO_CAPS,
    decrypt: Decrypt = leave_encrypted,
) -> Redaction:
    """Write a file of the lake anew without erased conversations; `idents` are the erased ids that were found in it.

    Of a document above the cap only a part is held at a time, so the file is written again where one turns out to go.

    Raises:
        CorruptFileError: the file is broken.
    """
    going: set[int] = set()
    while True:
        redactor = _Redactor(source, tombstones, idents, going, caps=caps, decrypt=decrypt)
        staged = _written(lake, path, redactor)
        if redactor.going == going:
            break
        lake.files.rm_file(staged)
        going = redactor.going
    if redactor.done.documents or redactor.done.deliveries:
        redactor.done.staged = digest(lake, staged)
    else:
        lake.files.rm_file(staged)
    return redactor.done


def _written(lake: Lake, path: str, redactor: "_Redactor") -> str:
    """Stage the text of a file that a redactor keeps."""
    with (
        staging(lake) as (staged, out),
        lake.files.open(path, "rb") as stored,
        igzip.IGzipFile(filename="", mode="wb", fileobj=out, mtime=0) as archive,
    ):
        for part in redactor.read(cast("BinaryIO", stored)):
            archive.write(part)
    return staged


class _Redactor:
    """Split a text into documents as the loader does, and keep the rest of each."""

    def __init__(
        self, source: Source, tombstones: Tombstones, idents: set[str], going: set[int], *, caps: Caps, decrypt: Decrypt
    ) -> None:
        self.done = Redaction()
        self.going = set(going)
        """The numbers of the overlong documents that name an erased id."""
        self._goes = going  # those that are known to by now
        self._overlong = 0  # number of the one that is passed over, or was last
        self._is_passing = False
        self._let_past: list[bytes] = []  # of it, and not yet let through
        self._cutter = _Cutter(source, tombstones, self.done, decrypt)
        self._decrypt = decrypt
        self._needles = list(map(json_spelling, idents))
        self._source = source
        self._scanner = new_scanner()
        self._caps = caps
        self._splitter = Splitter(caps, self._pass_held)
        self._held = bytearray()  # read, and not yet let through

    def read(self, stream: BinaryIO) -> Iterator[bytes]:
        """The text of a source file without erased conversations."""
        self._scanner.begin_file(self._source.account_id, self._source.scope_start, self._caps.document)
        for text in texts(unpacked(stream, Caps(chunk=self._caps.chunk)), padding=PADDING, caps=self._caps):
            if isinstance(text, Passed):
                self._pass(text, text[text.seen :])
                yield self._past()
            elif isinstance(text, Overlong):
                yield from self._overlong_line(text)
            else:
                yield from self._usual(text)
        for piece in self._splitter.finish():
            yield self._let_through(piece)
        self._splitter = Splitter()  # the former one refers to this object, and so to the keys
        yield bytes(self._held)

    def _usual(self, text: bytes) -> Iterator[bytes]:
        """Whole lines, padding behind them."""
        self._is_passing = self._is_passing and bool(self._splitter.pending)
        place, stop = 0, len(text) - len(PADDING)
        while place < stop:
            plain_end = place if self._splitter.pending else self._scanner.scan(text, place)
            yield from map(self._plain_line, _lines(text, place, plain_end))
            if plain_end < stop:
                place = text.index(b"\n", plain_end) + 1
                yield from self._odd_line(text[plain_end:place])
            else:
                place = plain_end
        self._scanner.cut_back([0, 0, 0])

    def _plain_line(self, line: bytes) -> bytes:
        """A line that is one document."""
        if not self._has_needle(line):
            return line
        kept = self._cutter.cut(self._splitter.document(1, line.strip(_BLANK)))
        return line if kept is None else kept and kept + b"\n"

    def _odd_line(self, line: bytes) -> Iterator[bytes]:
        """A line that may hold several documents, or a part of one."""
        self._held += line
        for piece in self._splitter.feed(line):
            yield self._let_through(piece)
        yield self._past()
        if not self._splitter.pending:
            yield bytes(self._held)
            self._held.clear()

    def _overlong_line(self, line: Overlong) -> Iterator[bytes]:
        """The beginning of a line that is passed over next: it goes on with the open document, or is one of its own."""
        for piece in self._splitter.feed(line):
            if piece is not line:
                yield self._let_through(piece)
        yield self._past()
        if not self._splitter.pending:
            yield bytes(self._held)
            self._held.clear()
            self._is_passing = False

    def _pass_held(self, text: bytes) -> None:
        """Drop a part of the open document, which is too long to be held."""
        if text:
            start = self._held.index(text)
            self._let_past.append(bytes(self._held[:start]))
            del self._held[: start + len(text)]
            self._pass(text, text)

    def _pass(self, text: bytes, fresh: bytes) -> None:
        """Judge a part of an overlong document, of which `fresh` was not handed out before."""
        if not self._is_passing:
            self._is_passing = True
            self._overlong += 1
            self.done.documents += self._overlong in self._goes
        if self._overlong in self._goes:
            return
        self._let_past.append(fresh)
        if self._has_needle(text) and self._cutter.names_erased(text):
            self.going.add(self._overlong)

    def _past(self) -> bytes:
        """The passed-over part of an overlong document that stays."""
        past = b"".join(self._let_past)
        self._let_past.clear()
        return past

    def _let_through(self, piece: bytes) -> bytes:
        """The text before a piece, and its rest; blank space stays, so that its neighbours stay apart."""
        if isinstance(piece, Overlong):
            self._is_passing = False
            return self._past()
        if len(piece) > self._caps.document:
            self._pass_held(piece)
            self._is_passing = False
            return self._past()
        start = self._held.index(piece)
        before = bytes(self._held[:start])
        del self._held[: start + len(piece)]
        kept = self._cutter.cut(self._splitter.document(1, piece)) if self._has_needle(piece) else None
        return before + (piece if kept is None else kept)

    def _has_needle(self, text: bytes) -> bool:
        simple = unescaped(self._decrypt(text).text)
        return any(needle in simple for needle in self._needles)


def _lines(text: bytes, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        stop = text.index(b"\n", start) + 1
        yield text[start:stop]
        start = stop


class _Cutter:
    """Remove erased conversations from documents, each read by itself as the loader reads it."""

    def __init__(self, source: Source, tombstones: Tombstones, done: Redaction, decrypt: Decrypt) -> None:
        self._source = source
        self._decrypt = decrypt
        self._tombstones = tombstones
        self._done = done
        self._raw, self._is_armoured = b"", False

    def cut(self, document: Document) -> bytes | None:
        """The text of a document without erased conversations: None if it stays as it is, empty if it goes."""
        before = self._done.deliveries
        self._raw, self._is_armoured = document.raw, MARKER in document.raw
        try:
            stays = self._cut_value(document.value) if document.value is not None else not self._names_erased(_text(document))
        except RecursionError:
            stays = not self._names_erased(_text(document))
        if not stays:
            self._done.documents += 1
            return b""
        return json_text(document.value).encode() if self._done.deliveries > before else None

    def names_erased(self, text: bytes) -> bool:
        """Whether a text that is read no further names an erased id."""
        self._is_armoured = MARKER in text
        return self._names_erased(text.decode("utf-8", "backslashreplace"))

    def _cut_value(self, document: Row) -> bool:
        """Cut a document; gives whether anything of it stays. A document without rows is judged by its text alone."""
        if not self._cut_records(document):
            return False
        rows = self._rows(document)
        return not rows.rejects or bool(rows.conversations) or not self._names_erased(json_text(document))

    def _rows(self, document: Row) -> Rows:
        """The rows of a document as a load reads it, decrypted; the document itself stays as it was served."""
        text = json_text(document).encode() if self._is_armoured else b""
        value = parse(self._decrypt(text).text) if self._is_armoured else document
        return flatten(Document(1, self._raw, value=value), self._source)

    def _names_erased(self, text: str) -> bool:
        plain = self._decrypt(text.encode()).text.decode() if self._is_armoured else text
        return self._tombstones.covers_text(plain, self._source.scope_start)

    def _cut_records(self, document: Row) -> bool:
        """Cut a document's records; gives whether anything of it is left."""
        records = _inside(document, "recordCollection")
        if not isinstance(records, list):
            return True
        whole, kept = list(records), []
        for record in whole:
            records[:] = [record]
            if self._cut_engagements(document, record):
                kept.append(record)
        records[:] = kept
        return bool(kept) or not whole

    def _cut_engagements(self, document: Row, record: Any) -> bool:
        """Cut the conversations of a document's only record; gives whether it stays."""
        engagements = _inside(_inside(record, "body"), "engagements")
        if not isinstance(engagements, list) or not engagements:
            if not self._names_erased(json_text(record)):
                return True
            self._done.deliveries += 1
            return False
        whole, kept = list(engagements), []
        for engagement in whole:
            engagements[:] = [engagement]
            if not self._is_erased(document):
                kept.append(engagement)
        engagements[:] = kept
        self._done.deliveries += len(whole) - len(kept)
        return bool(kept)

    def _is_erased(self, document: Row) -> bool:
        """Whether the only conversation of a document is erased."""
        rows = self._rows(document)
        if not rows.conversations:
            return self._names_erased(json_text(_inside(document, "recordCollection")))
        conversation = rows.conversations[0]
        newest = max((row["timestamp"] for row in rows.messages if row.get("timestamp") is not None), default=None)
        times = (conversation.get("conversation_end_time"), newest, conversation.get("conversation_start_time"))
        ended = next((time for time in times if time is not None), None)
        if not self._tombstones.covers(conversation, ended) and not self._is_named_beside(conversation):
            return False
        self._done.conversations.add(conversation["conversation_id"])
        return True

    def _is_named_beside(self, conversation: Row) -> bool:
        """Whether an erased person is named where no column could take it: an id that is no text, or sent in two spellings."""
        extra: Row = json.loads(conversation["extra"] or "{}")
        naming = (value for name, value in extra.items() if name.lower().endswith(NAMING))
        return any(self._names_erased(json_text(value)) for value in naming)


def _text(document: Document) -> str:
    return document.raw.decode("utf-8", "backslashreplace")


def _inside(value: Any, name: str) -> Any:
    """The field of a record, in any case, the usual one first, without its tags."""
    bare = untag(value)
    if not isinstance(bare, dict):
        return None
    spellings = sorted((key for key in bare if key.lower() == name.lower()), key=lambda key: key != name)
    return untag(next((bare[key] for key in spellings if bare[key] is not None), None))
