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
from pipeline.source_files import GZIP_MAGIC, ZIP_MAGIC

_QUOTED: Final = 8  # bytes: enough to tell a file's type, too few for a name or id, since an erasure keeps `files.reason`
# Other methods of zip may unpack gigabytes into memory in one step.
_BOUNDED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# A line that begins as JSON does, or is a word of it
_JSON_LINE = re.compile(
    rb'(?m)^[ \t\r\xef\xbb\xbf]*(?:\{[ \t\r]*(?:["}]|$)|\[[ \t\r]*(?:[]\[{"\d-]|$)'
    rb'|(?:-?\d[\d.eE+-]*|"[^"\n]*"|true|false|null)[ \t\r]*$)|\{[ \t\r]*"dataType"'
)
_BLANK = b" \t\r\n"
# RuntimeError and NotImplementedError: a zip with a password or a rare method; ValueError and struct.error: a zip whose names,
# offsets or fields are invalid
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
    """Limits in bytes on the reading of a source file, since a small archive can hold any amount of text."""

    unpacked: int = sys.maxsize
    """Text of a file; a file with more is refused."""
    document: int = sys.maxsize
    """Text of a document, which is held in memory whole; a longer document is a reject."""
    chunk: int = 1 << 20
    """Text that is unpacked at a time."""


NO_CAPS: Final = Caps()


def unpacked(stream: BinaryIO, caps: Caps = NO_CAPS) -> Iterator[bytes]:
    """The text of a source file in chunks, its archive read to the end and checked on the way.

    The first bytes tell gzip (of any number of members), zip and plain text apart; the name does not count.

    Raises:
        CorruptFileError: zero bytes, an archive that is cut short, damaged or too large unpacked, an HTML or XML page, or no
            text at all.
    """
    head = stream.read(4)
    stream.seek(0)
    if not head:
        raise CorruptFileError("it holds zero bytes")
    try:
        if head.startswith(GZIP_MAGIC):
            chunks = _checked(_gunzipped(stream, caps.chunk))
        elif head.startswith(ZIP_MAGIC):
            chunks = _checked(_unzipped(stream, caps.chunk))
        else:
            chunks = _checked(iter(lambda: stream.read(caps.chunk), b""), is_archive=False)
        yield from _capped(chunks, caps.unpacked)
    except _DAMAGED as error:
        raise _damaged(error) from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # raised for an offset before the start of the file
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


def _gunzipped(stream: BinaryIO, chunk: int) -> Iterator[bytes]:
    with igzip.open(stream, "rb") as archive:
        yield from iter(lambda: archive.read(chunk), b"")


def _unzipped(stream: BinaryIO, chunk: int) -> Iterator[bytes]:
    with zipfile.ZipFile(stream) as archive:
        for member in archive.infolist():
            if member.compress_type not in _BOUNDED:
                raise CorruptFileError("its archive is packed in an unusual way, not by deflate; unpack it and load that")
            with archive.open(member) as text:
                yield from iter(lambda text=text: text.read(chunk), b"")  # type: ignore[misc]
            yield b"\n"  # two members never share a line


def _checked(chunks: Iterator[bytes], *, is_archive: bool = True) -> Iterator[bytes]:
    """Refuse a web page, a picture or other content that is no source file, before it is read as documents.

    A sound archive needs no further proof; text without an archive must hold JSON somewhere.
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
    if start.startswith((GZIP_MAGIC, *ZIP_MAGIC)):
        raise CorruptFileError("it is an archive within an archive; unpack the outer one and load its files")
    if b"\0" in (start[:4] if is_archive or start.startswith((b"{", b"[")) else start):
        raise CorruptFileError("it is neither an archive nor text in UTF-8")


class Overlong(bytes):
    """The beginning of a document above the size limit; the rest of the document was passed over."""


class Passed(bytes):
    """A part that was passed over. It repeats the last `seen` bytes of the part before, so that no short text is cut in two."""

    seen: int = 0

    @classmethod
    def after(cls, seen: int, text: bytes) -> Self:
        """A part whose first `seen` bytes were in the part before."""
        passed = cls(text)
        passed.seen = seen
        return passed


OVERLONG_BYTES: Final = 64 << 10
"""The bytes of such a document that are kept."""
# The end of a document and the beginning of the next: no JSON text has this in it, not even in a string
_BOUNDARY: Final = re.compile(rb'\}[ \t\r]*(?=\{[ \t\r]*"dataType"[ \t\r]*:)')
_OVERLAP_BYTES: Final = 16 << 10  # more than the size of an encrypted id


def texts(chunks: Iterable[bytes], *, padding: bytes = b"", caps: Caps = NO_CAPS) -> Iterator[bytes]:
    """Chunks cut anew so that each ends with a line break, added to the last one if it has none; `padding` follows each.

    A line above the size limit of documents is split where a document ends in it. A single document above the limit gives an
    `Overlong` and then `Passed` parts, without line breaks and padding.
    """
    rest: list[bytes] = []
    held = 0
    passing: _Passing | None = None  # the overlong document that is being passed over, if any
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
                yield from passing.pass_over(line[cut:])
                cut = len(line)
            rest = [line[cut:]]
            held = len(rest[0])
    if passing is not None:
        yield from passing.rest()
    last = b"".join([*rest, b"\n", padding])
    if len(last) > len(padding) + 1:
        yield last


class _Passing:
    """Passes over an overlong document; its last bytes are held back, since the next document may begin in them."""

    def __init__(self) -> None:
        self._tail, self._seen = b"", 0  # the first `_seen` bytes of the tail were handed out before

    def go_on(self, served: bytes) -> tuple[Iterable[Passed], bytes | None]:
        """The parts of a chunk to pass over, and the text after the document; None if the document goes on."""
        text = self._tail + served
        end = _end_of_document(text, self._seen)
        return ([Passed.after(self._seen, text[:end])], text[end:]) if end else (self.pass_over(served), None)

    def pass_over(self, served: bytes) -> Iterator[Passed]:
        """Pass over a chunk that does not end the document."""
        text = self._tail + served
        done = max(len(text) - _OVERLAP_BYTES, self._seen)
        if done > self._seen:
            yield Passed.after(self._seen, text[:done])
        start = max(done - _OVERLAP_BYTES, 0)
        self._tail, self._seen = text[start:], done - start

    def rest(self) -> Iterator[Passed]:
        """The part that is still held back at the end of the text."""
        if len(self._tail) > self._seen:
            yield Passed.after(self._seen, self._tail)


def _end_of_document(text: bytes, start: int) -> int:
    """The end of the line or document that is open at the start of a text, from `start` on; 0: not in this text."""
    line = text.find(b"\n", start) + 1
    boundaries = (found.end() for found in _BOUNDARY.finditer(text, 0, line or len(text)))
    return next((end for end in boundaries if end > start), line)


def read_caps() -> Caps:
    """The limits that the settings name.

    Raises:
        SettingsError: the settings can't be read.
    """
    settings = read_settings()
    return Caps(unpacked=settings.lp_max_unpacked_bytes, document=settings.lp_max_document_bytes)
