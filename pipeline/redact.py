"""A source file without the conversations of somebody who was erased; all other bytes of its text stay as they are.

A document that holds such a conversation is written anew without it, and goes whole if none is left in it. What can't be read
and names an erased id goes whole.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, cast

from isal import igzip

from pipeline.collect import NAMING
from pipeline.containers import texts, unpacked
from pipeline.decode import Document, Splitter, parse, unescaped
from pipeline.fields import json_text, untag
from pipeline.flatten import Row, Rows, Source, flatten
from pipeline.lake import Lake
from pipeline.landing import Staged, digest, staging
from pipeline.pgp import MARKER, opened
from pipeline.scan import PADDING, new_scanner
from pipeline.tombstones import Tombstones, json_spelling

_BLANK: Final = b" \t\r\n"


@dataclass
class Redaction:
    """What was taken out of a source file, and where the rest is staged: None if nothing was.

    `deliveries` counts conversations, `documents` those that went whole; `conversations` are the ids of the former.
    """

    staged: Staged | None = None
    deliveries: int = 0
    documents: int = 0
    conversations: set[str] = field(default_factory=set)


def redact(lake: Lake, path: str, source: Source, tombstones: Tombstones, idents: set[str]) -> Redaction:
    """Write a file of the lake anew without what is erased; `idents` are the erased ids that were found in it.

    Raises:
        CorruptFileError: the file is broken.
    """
    redactor = _Redactor(source, tombstones, idents)
    with (
        staging(lake) as (staged, out),
        lake.files.open(path, "rb") as stored,
        igzip.IGzipFile(filename="", mode="wb", fileobj=out, mtime=0) as archive,
    ):
        for part in redactor.read(cast("BinaryIO", stored)):
            archive.write(part)
    if redactor.done.documents or redactor.done.deliveries:
        redactor.done.staged = digest(lake, staged)
    else:
        lake.files.rm_file(staged)
    return redactor.done


class _Redactor:
    """Cuts a text into documents as the loader does, and lets through what is left of each."""

    def __init__(self, source: Source, tombstones: Tombstones, idents: set[str]) -> None:
        self.done = Redaction()
        self._cutter = _Cutter(source, tombstones, self.done)
        self._needles = list(map(json_spelling, idents))
        self._source = source
        self._scanner = new_scanner()
        self._splitter = Splitter()
        self._held = bytearray()  # read, and not yet let through

    def read(self, stream: BinaryIO) -> Iterator[bytes]:
        """The text of a source file without what is erased."""
        self._scanner.begin_file(self._source.account_id, self._source.scope_start)
        for text in texts(unpacked(stream), padding=PADDING):
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
        for piece in self._splitter.finish():
            yield self._let_through(piece)
        yield bytes(self._held)

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
        if not self._splitter.pending:
            yield bytes(self._held)
            self._held.clear()

    def _let_through(self, piece: bytes) -> bytes:
        """What stood before a piece, and what is left of it; blank space stays, so that its neighbours stay apart."""
        start = self._held.index(piece)
        before = bytes(self._held[:start])
        del self._held[: start + len(piece)]
        kept = self._cutter.cut(self._splitter.document(1, piece)) if self._has_needle(piece) else None
        return before + (piece if kept is None else kept)

    def _has_needle(self, text: bytes) -> bool:
        simple = unescaped(opened(text).text)
        return any(needle in simple for needle in self._needles)


def _lines(text: bytes, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        stop = text.index(b"\n", start) + 1
        yield text[start:stop]
        start = stop


class _Cutter:
    """Takes erased conversations out of documents, each read by itself as the loader reads it."""

    def __init__(self, source: Source, tombstones: Tombstones, done: Redaction) -> None:
        self._source = source
        self._tombstones = tombstones
        self._done = done
        self._raw, self._is_armoured = b"", False

    def cut(self, document: Document) -> bytes | None:
        """The text of a document without what is erased: None if it stays as it is, nothing if it goes."""
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

    def _cut_value(self, document: Row) -> bool:
        """Cut a document; says whether anything of it stays. One that gives no row can only be judged by its text."""
        if not self._cut_records(document):
            return False
        rows = self._rows(document)
        return not rows.rejects or bool(rows.conversations) or not self._names_erased(json_text(document))

    def _rows(self, document: Row) -> Rows:
        """The rows of a document as a load reads it, decrypted; the document itself stays as it was served."""
        text = json_text(document).encode() if self._is_armoured else b""
        value = parse(opened(text).text) if self._is_armoured else document
        return flatten(Document(1, self._raw, value=value), self._source)

    def _names_erased(self, text: str) -> bool:
        plain = opened(text.encode()).text.decode() if self._is_armoured else text
        return self._tombstones.covers_text(plain, self._source.scope_start)

    def _cut_records(self, document: Row) -> bool:
        """Cut a document's records; says whether anything of it is left."""
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
        """Cut the conversations of a document's only record; says whether it stays."""
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
        """Whether the only conversation of a document is."""
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
    """The field of a record, in whatever upper and lower case, the usual one first; its tags off."""
    bare = untag(value)
    if not isinstance(bare, dict):
        return None
    spellings = sorted((key for key in bare if key.lower() == name.lower()), key=lambda key: key != name)
    return untag(next((bare[key] for key in spellings if bare[key] is not None), None))
