"""A source file, whatever its container and layout, as the JSON documents in it.

Source: the vendor's Engagement page ("Data Structure"), which shows one pretty-printed document; real files hold one compact
document per line; several one after another, with or without line breaks, are legal too.
"""

import codecs
import gzip
import json
import re
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, BinaryIO, Final, Self

from isal import igzip, isal_zlib

from pipeline.errors import CorruptFileError

CHUNK_BYTES = 4 << 20

_GZIP = b"\x1f\x8b"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
# The other methods of a zip unpack gigabytes from a few kilobytes in one step, into memory.
_BOUNDED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# A line that begins as JSON does, or is a word of it
_JSON_LINE = re.compile(
    rb'(?m)^[ \t\r\xef\xbb\xbf]*(?:\{[ \t\r]*(?:["}]|$)|\[[ \t\r]*(?:[]\[{"\d-]|$)'
    rb'|(?:-?\d[\d.eE+-]*|"[^"\n]*"|true|false|null)[ \t\r]*$)|\{[ \t\r]*"dataType"'
)
_BLANK = b" \t\r\n"
# RuntimeError and NotImplementedError: a zip with a password or a method that nobody uses
_DAMAGED: Final[tuple[type[Exception], ...]] = (
    EOFError,
    gzip.BadGzipFile,
    isal_zlib.error,  # type: ignore[assignment]
    zlib.error,
    zipfile.BadZipFile,
    RuntimeError,
)


@dataclass(frozen=True)
class Document:
    """One document of a source file: 1-based `number`, its text as it stands there, and either its `value` or a `problem`."""

    number: int
    raw: bytes
    value: dict[str, Any] | None = None
    problem: str | None = None


class Decimal64(float):
    """A JSON number with a fraction or an exponent, which remembers how it was written, so that no digit gets lost."""

    literal: str

    def __new__(cls, literal: str) -> Self:
        """Remember the spelling."""
        number = super().__new__(cls, literal)
        number.literal = literal
        return number


@dataclass(frozen=True)
class Caps:
    """How much of a source file is taken, in bytes; what is larger is refused, since a small archive can hold any amount."""

    unpacked: int = sys.maxsize
    document: int = sys.maxsize
    """A document is held in memory whole."""


NO_CAPS: Final = Caps()


def unpacked(stream: BinaryIO, caps: Caps = NO_CAPS) -> Iterator[bytes]:
    """The text of a source file in chunks, its archive read to the end and checked on the way.

    Gzip (of any number of members), zip and plain text are told apart by their first bytes, whatever the name says.

    Raises:
        CorruptFileError: zero bytes, an archive that is cut short, damaged or too large unpacked, an HTML or XML page, or no
            text at all.
    """
    head = stream.read(4)
    stream.seek(0)
    if not head:
        raise CorruptFileError("it holds zero bytes")
    try:
        if head.startswith(_GZIP):
            chunks = _checked(_gunzipped(stream))
        elif head.startswith(_ZIP):
            chunks = _checked(_unzipped(stream))
        else:
            chunks = _checked(iter(lambda: stream.read(CHUNK_BYTES), b""), is_archive=False)
        yield from _capped(chunks, caps.unpacked)
    except _DAMAGED as error:
        raise CorruptFileError(f"its archive is cut short or damaged ({error})") from error


def _capped(chunks: Iterator[bytes], most: int) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > most:
            raise CorruptFileError(f"it holds more than {most:,} bytes of text; if it is genuine, raise LP_MAX_UNPACKED_BYTES")
        yield chunk


def _too_long(most: int) -> CorruptFileError:
    return CorruptFileError(f"a document in it takes more than {most:,} bytes; if it is genuine, raise LP_MAX_DOCUMENT_BYTES")


def _gunzipped(stream: BinaryIO) -> Iterator[bytes]:
    with igzip.open(stream, "rb") as archive:
        yield from iter(lambda: archive.read(CHUNK_BYTES), b"")


def _unzipped(stream: BinaryIO) -> Iterator[bytes]:
    with zipfile.ZipFile(stream) as archive:
        for member in archive.infolist():
            if member.compress_type not in _BOUNDED:
                raise CorruptFileError("its archive is packed in an unusual way, not by deflate; unpack it and load that")
            with archive.open(member) as text:
                yield from iter(lambda text=text: text.read(CHUNK_BYTES), b"")  # type: ignore[misc]
            yield b"\n"  # two members never share a line


def _checked(chunks: Iterator[bytes], *, is_archive: bool = True) -> Iterator[bytes]:
    """Refuse a page or a picture before anything of it is taken for documents, and what is served in the file's stead.

    A sound archive vouches that its text is the source's; text without one has to hold JSON somewhere.
    """
    start, is_json = b"", is_archive
    for chunk in chunks:
        if not start:
            start = chunk.removeprefix(codecs.BOM_UTF8).lstrip(_BLANK)
            _require_text(start, is_archive=is_archive)
        is_json = is_json or _JSON_LINE.search(chunk) is not None
        yield chunk
    if start and not is_json:
        raise CorruptFileError(f"it is neither an archive nor JSON: it begins with {start[:60].decode(errors='replace')!r}")


def _require_text(start: bytes, *, is_archive: bool) -> None:
    if start.startswith(b"<"):
        raise CorruptFileError("it is an HTML or XML page, no engagement data")
    if start.startswith((_GZIP, *_ZIP)):
        raise CorruptFileError("it is an archive within an archive; unpack the outer one and load what is in it")
    if b"\0" in (start[:4] if is_archive or start.startswith((b"{", b"[")) else start):
        raise CorruptFileError("it is neither an archive nor text in UTF-8")


def texts(chunks: Iterable[bytes], *, padding: bytes = b"", caps: Caps = NO_CAPS) -> Iterator[bytes]:
    """Chunks cut anew so that each ends with a line break, the last one given one if need be; `padding` follows each.

    Raises:
        CorruptFileError: a line is longer than a document may be.
    """
    rest: list[bytes] = []
    held = 0
    for chunk in chunks:
        end = chunk.rfind(b"\n") + 1
        if end:
            yield b"".join([*rest, memoryview(chunk)[:end], padding])
            rest = [chunk[end:]]
            held = len(rest[0])
        else:
            rest.append(chunk)
            held += len(chunk)
        if held > caps.document:
            raise _too_long(caps.document)
    last = b"".join([*rest, b"\n", padding])
    if len(last) > len(padding) + 1:
        yield last


def _document(number: int, raw: bytes, parsed: Any) -> Document:
    try:
        value = parsed or parse(raw)
    except _NOT_JSON as error:
        return Document(number, raw, problem=_problem(error))
    if not isinstance(value, dict):
        return Document(number, raw, problem="it is valid JSON but no Engagement document: expected an object")
    return Document(number, raw, value=value)


class DuplicateNameError(ValueError):
    """An object that names a field twice can't be read without loss."""


_NOT_JSON = (ValueError, RecursionError)  # JSONDecodeError and UnicodeDecodeError are ValueErrors


def _problem(error: Exception) -> str:
    match error:
        case UnicodeDecodeError():
            return f"it is no UTF-8: byte {error.start} is invalid"
        case RecursionError():
            return "it is nested too deeply to be read"
        case json.JSONDecodeError():
            return f"it is no JSON: {error.msg.removesuffix(' at')} at character {error.pos}"
        case _:
            return f"it is no JSON that can be read without loss: {error}"


def parse(raw: bytes) -> Any:
    """The JSON value of a text: integers exact, other numbers with their spelling, no NaN, no name twice in one object."""
    return _DECODER.decode(raw.decode("utf-8"))


_ESCAPES = re.compile(rb"(?:\\u[0-9a-fA-F]{4})+|\\.", re.DOTALL)


def unescaped(raw: bytes) -> bytes:
    """A JSON text with every character in its plainest spelling: as `json.dumps(..., ensure_ascii=False)` writes it."""
    return _ESCAPES.sub(_plainest, raw) if b"\\u" in raw or b"\\/" in raw else raw


def _plainest(escapes: re.Match[bytes]) -> bytes:
    if escapes[0] == b"\\/":
        return b"/"
    if not escapes[0].startswith(b"\\u"):
        return escapes[0]
    return json.dumps(json.loads(b'"%b"' % escapes[0]), ensure_ascii=False)[1:-1].encode("utf-8", "surrogatepass")


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise DuplicateNameError(f"an object names {twice[:80]!r} twice")
    return value


_LONGEST_INTEGER: Final = 4000


def _integer(literal: str) -> int | Decimal64:
    # Python refuses integers of more than 4,300 digits; as a spelled number they stay exact
    return int(literal) if len(literal) <= _LONGEST_INTEGER and literal != "-0" else Decimal64(literal)


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=Decimal64, parse_int=_integer, parse_constant=_refused)

# What the structure of a text hangs on: strings as a whole, then brackets, then a quote that nothing closes in its line.
_TOKEN = re.compile(rb'"[^"\\\n]*(?:\\.[^"\\\n]*)*"|[{}\[\]]|"')
_EVIDENT_START = re.compile(rb'\{[ \t\r\n]*"dataType"')
_GOES_ON = re.compile(rb'[ \t\r\n{}\[\]",:\-\d]|true\b|false\b|null\b')


_LINE_BYTES: Final = 48  # that a line of its own takes in memory
_BETWEEN = re.compile(rb"(?:[ \t\r\n]|\xef\xbb\xbf)*")  # documents: blank space and byte order marks


@dataclass
class _Rest:
    """What is still to be read of a line: from `place` on."""

    line: bytes
    place: int = 0

    @cached_property
    def characters(self) -> str:
        """One for each byte of the line, so that places are the same in both; those of JSON's grammar are ASCII."""
        return self.line.decode("latin-1")


_Todo = list[_Rest | None]  # what is to be read, the next one last; None ends the document that is open then


class Splitter:
    """Cuts lines into pieces that are one document each, broken ones included.

    Between two documents `pending` is empty: then another reader may take over for some lines.
    """

    def __init__(self, caps: Caps = NO_CAPS) -> None:
        self.pending: list[bytes] = []  # lines of a document that is still open
        self.depth = 0
        self._most = caps.document
        self._held = 0  # memory that they take, about
        self.parsed: dict[bytes, Any] = {}  # the value of the piece that is handed out, where it is known by then

    def feed(self, line: bytes) -> Iterator[bytes]:
        """The text of each document that the next line completes, blank space around it off."""
        return self._read([_Rest(line)])

    def finish(self) -> Iterator[bytes]:
        """What is still open when the text ends."""
        return self._read([None])

    def document(self, number: int, piece: bytes) -> Document:
        """The document of a piece."""
        return _document(number, piece, self.parsed.pop(piece, None))

    def _read(self, todo: _Todo) -> Iterator[bytes]:
        while todo:
            rest = todo.pop()
            if rest is None:
                yield from self._flush(todo)
            elif self.pending:
                self._go_on(rest, todo)
            else:
                yield from self._begin(rest, todo)

    def _flush(self, todo: _Todo) -> Iterator[bytes]:
        """Close the open document; if it is none, because it was cut, one that begins inside it is saved."""
        piece, is_cut = b"".join(self.pending).strip(_BLANK), self.depth > 0
        self.pending, self.depth, self._held = [], 0, 0
        end = len(piece) if self._is_document(piece) or not is_cut else _next_start(_Rest(piece, 1))
        if piece:
            yield piece[:end].rstrip(_BLANK)
        if saved := [_Rest(line) for line in piece[end:].splitlines(keepends=True)]:
            todo += [None, *reversed(saved)]

    def _begin(self, rest: _Rest, todo: _Todo) -> Iterator[bytes]:
        is_whole = rest.place == 0
        if between := _BETWEEN.match(rest.line, rest.place):
            rest.place = between.end()
        if rest.place == len(rest.line):
            return
        if not rest.line.startswith((b"{", b"["), rest.place):
            start = _next_start(rest)
            yield rest.line[rest.place : start].rstrip(_BLANK)
            rest.place = start
            todo.append(rest)
        elif is_whole and (piece := rest.line[rest.place :].rstrip(_BLANK)).endswith(b"}") and self._is_document(piece):
            yield piece  # the usual case, decided without the slower scan
        else:
            self._scan(rest, todo)

    def _is_document(self, text: bytes) -> bool:
        self.parsed = {text: _value_of(text)}
        return self.parsed[text] is not None

    def _go_on(self, rest: _Rest, todo: _Todo) -> None:
        line = rest.line
        starts_here = line.startswith(b"{") and (b'"dataType"' in line or b'"recordCollection"' in line)
        if starts_here or not _GOES_ON.match(line):
            todo += [rest, None]
        elif line.lstrip(_BLANK).startswith(b'"dataType"') and len(self.pending) > 1 and _opens(self.pending[-1]):
            opening = self.pending.pop()  # a pretty-printed document begins inside an open one: the open one was cut
            todo += [rest, _Rest(opening), None]
        else:
            self._scan(rest, todo)

    def _scan(self, rest: _Rest, todo: _Todo) -> None:
        """Follow the brackets of a line from where the open document stands."""
        for token in _TOKEN.finditer(rest.line, rest.place):
            match token[0]:
                case b"{" | b"[":
                    self.depth += 1
                case b"}" | b"]":
                    self.depth -= 1
                    if self.depth <= 0:
                        self.pending.append(rest.line[rest.place : token.end()])
                        rest.place = token.end()
                        todo += [rest, None]
                        return
                case b'"':  # a string may not run over the end of its line: this document is broken
                    todo.append(None)
                    break
        self.pending.append(rest.line[rest.place :])
        self._held += len(self.pending[-1]) + _LINE_BYTES
        if self._held > self._most:
            raise _too_long(self._most)


def _opens(line: bytes) -> bool:
    return line.startswith(b"{") and not line[1:].strip(_BLANK)


def _next_start(rest: _Rest) -> int:
    """Where a whole Engagement document begins in the rest of a line that is none itself; the line's end if nowhere."""
    for found in _EVIDENT_START.finditer(rest.line, rest.place):
        try:
            value, _ = _DECODER.raw_decode(rest.characters, found.start())
        except _NOT_JSON:
            continue
        if any(name.lower() == "recordcollection" for name in value):
            return found.start()
    return len(rest.line)


def _value_of(text: bytes) -> Any:
    try:
        return parse(text)
    except _NOT_JSON:
        return None
