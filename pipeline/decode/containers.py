"""A source file's text, whatever its container: gzip, zip or none, in chunks that end with a line.

Source: the vendor's Engagement page, which says gz and zip of the same thing.
"""

import codecs
import errno
import gzip
import re
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, Self

from isal import igzip, isal_zlib

from pipeline.errors import CorruptFileError
from pipeline.settings import read_settings

CHUNK_BYTES = 1 << 20

_GZIP = b"\x1f\x8b"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_QUOTED: Final = 8  # bytes: what a file is, and no one's name or id, since `files.reason` outlives an erasure
# The other methods of a zip unpack gigabytes from a few kilobytes in one step, into memory.
_BOUNDED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# A line that begins as JSON does, or is a word of it
_JSON_LINE = re.compile(
    rb'(?m)^[ \t\r\xef\xbb\xbf]*(?:\{[ \t\r]*(?:["}]|$)|\[[ \t\r]*(?:[]\[{"\d-]|$)'
    rb'|(?:-?\d[\d.eE+-]*|"[^"\n]*"|true|false|null)[ \t\r]*$)|\{[ \t\r]*"dataType"'
)
_BLANK = b" \t\r\n"
# RuntimeError and NotImplementedError: a zip with a password or a method that nobody uses; ValueError and struct.error: names,
# places and fields of one that make no sense
_DAMAGED: Final[tuple[type[Exception], ...]] = (
    EOFError,
    gzip.BadGzipFile,
    isal_zlib.error,  # type: ignore[assignment]
    zlib.error,
    zipfile.BadZipFile,
    RuntimeError,
    ValueError,
    struct.error,
)


@dataclass(frozen=True)
class Caps:
    """How much of a source file is taken, in bytes, since a small archive can hold any amount."""

    unpacked: int = sys.maxsize
    """Of a file; one with more is refused."""
    document: int = sys.maxsize
    """Of a document, which is held in memory whole; a longer one is a reject."""


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
        raise _damaged(error) from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # which is said of a place before a file's start
            raise
        raise _damaged(error) from error


def _damaged(error: Exception) -> CorruptFileError:
    return CorruptFileError(f"its archive is cut short or damaged ({error})")


def _capped(chunks: Iterator[bytes], most: int) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > most:
            raise CorruptFileError(f"it holds more than {most:,} bytes of text; if it is genuine, raise LP_MAX_UNPACKED_BYTES")
        yield chunk


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
        begins = start[:_QUOTED].decode(errors="replace")
        raise CorruptFileError(f"it is neither an archive nor JSON: it begins with {begins!r}")


def _require_text(start: bytes, *, is_archive: bool) -> None:
    if start.startswith(b"<"):
        raise CorruptFileError("it is an HTML or XML page, no engagement data")
    if start.startswith((_GZIP, *_ZIP)):
        raise CorruptFileError("it is an archive within an archive; unpack the outer one and load what is in it")
    if b"\0" in (start[:4] if is_archive or start.startswith((b"{", b"[")) else start):
        raise CorruptFileError("it is neither an archive nor text in UTF-8")


class Overlong(bytes):
    """The beginning of a document that is longer than documents may be; what follows of it was passed over."""


class Passed(bytes):
    """A part of what was passed over. It begins with the last `seen` bytes of the one before: nothing short is cut in two."""

    seen: int = 0

    @classmethod
    def after(cls, seen: int, text: bytes) -> Self:
        """A part of which so much was in the one before."""
        passed = cls(text)
        passed.seen = seen
        return passed


OVERLONG_BYTES: Final = 64 << 10
"""So much of such a document is kept."""
# One document ends and the next begins: no JSON text has this inside of it, not even in a string
_BOUNDARY: Final = re.compile(rb'\}[ \t\r]*(?=\{[ \t\r]*"dataType"[ \t\r]*:)')
_OVERLAP_BYTES: Final = 16 << 10  # more than an encrypted id takes


def texts(chunks: Iterable[bytes], *, padding: bytes = b"", caps: Caps = NO_CAPS) -> Iterator[bytes]:
    """Chunks cut anew so that each ends with a line break, the last one given one if need be; `padding` follows each.

    A line that is longer than a document may be is broken where a document ends in it. Of one that is a single document
    there is an `Overlong`, and what follows of it as `Passed`, both without line break and padding.
    """
    rest: list[bytes] = []
    held = 0
    passing: _Passing | None = None  # the overlong document that is passed over; None: there is none
    for served in chunks:
        chunk = served
        if passing is not None:
            parts, after = passing.go_on(served)
            yield from parts
            if after is None:
                continue
            chunk, passing = after, None
        end = chunk.rfind(b"\n") + 1
        if end:
            yield b"".join([*rest, memoryview(chunk)[:end], padding])
            rest, held = [], 0
        rest.append(chunk[end:])
        held += len(rest[-1])
        if held > caps.document:
            line = b"".join(rest)
            cut = max((found.end() for found in _BOUNDARY.finditer(line)), default=0)
            if cut:
                yield b"".join([memoryview(line)[:cut], b"\n", padding])
            if len(line) - cut > caps.document:
                yield Overlong(line[cut : cut + OVERLONG_BYTES])
                passing = _Passing()
                yield from passing.take(line[cut:])
                cut = len(line)
            rest = [line[cut:]]
            held = len(rest[0])
    if passing is not None:
        yield from passing.rest()
    last = b"".join([*rest, b"\n", padding])
    if len(last) > len(padding) + 1:
        yield last


class _Passing:
    """An overlong document that is passed over: its last bytes are held back, since the next document may begin in them."""

    def __init__(self) -> None:
        self._tail, self._seen = b"", 0  # the first `_seen` bytes of the tail were handed out before

    def go_on(self, served: bytes) -> tuple[Iterable[Passed], bytes | None]:
        """What of a chunk is passed over, and what follows the document; None if it goes on."""
        text = self._tail + served
        end = _end_of_document(text, self._seen)
        return ([Passed.after(self._seen, text[:end])], text[end:]) if end else (self.take(served), None)

    def take(self, served: bytes) -> Iterator[Passed]:
        """Pass over a chunk that does not end the document."""
        text = self._tail + served
        done = max(len(text) - _OVERLAP_BYTES, self._seen)
        if done > self._seen:
            yield Passed.after(self._seen, text[:done])
        start = max(done - _OVERLAP_BYTES, 0)
        self._tail, self._seen = text[start:], done - start

    def rest(self) -> Iterator[Passed]:
        """What is still held back when the text ends."""
        if len(self._tail) > self._seen:
            yield Passed.after(self._seen, self._tail)


def _end_of_document(text: bytes, start: int) -> int:
    """Where the line or the document ends that a text begins in the middle of, from `start` on; 0: not in this text."""
    line = text.find(b"\n", start) + 1
    boundaries = (found.end() for found in _BOUNDARY.finditer(text, 0, line or len(text)))
    return next((end for end in boundaries if end > start), line)


def read_caps() -> Caps:
    """How much of a source file the settings allow.

    Raises:
        SettingsError: they can't be read.
    """
    settings = read_settings()
    return Caps(unpacked=settings.lp_max_unpacked_bytes, document=settings.lp_max_document_bytes)
