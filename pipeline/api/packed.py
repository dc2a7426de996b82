"""Unpacks gzip of the transfer, and checks that a body is complete."""

import zlib
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import chain

from pipeline.api.transport import CHUNK_BYTES
from pipeline.errors import SourceUnreachableError
from pipeline.source_files import GZIP_MAGIC, ZIP_MAGIC

_GZIP = GZIP_MAGIC + b"\x08"  # deflated, as all are
_GZIP_WINDOW = 31
"""For zlib: a gzip header and trailer, checksum included."""
_PROBE_BYTES = 1 << 16


def is_labelled_gzip(headers: Mapping[str, str]) -> bool:
    """Whether the server says that it has packed the body."""
    return headers.get("Content-Encoding", "").strip().lower() in {"gzip", "x-gzip"}


def plain_text(body: bytes) -> bytes:
    """Unpack the text of an error where it came packed, as far as it goes."""
    try:
        return zlib.decompressobj(_GZIP_WINDOW).decompress(body, CHUNK_BYTES) if body.startswith(_GZIP) else body
    except zlib.error:
        return b""


def without_transfer_gzip(chunks: Iterator[bytes], subject: str) -> Iterator[bytes]:
    """Yield the file in a body labelled `Content-Encoding: gzip`.

    Some servers label a `.gz` that they send as it is, others wrap it once more. Where a gzip stream or a zip is left after
    one layer is taken off, that one is the file; else the body is.
    """
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= _PROBE_BYTES:
            break
    whole = chain([head] if head else [], chunks)
    try:
        is_wrapped = zlib.decompressobj(_GZIP_WINDOW).decompress(head, 4).startswith((_GZIP, *ZIP_MAGIC))
    except zlib.error:
        is_wrapped = False
    return gunzipped(whole, subject) if is_wrapped else whole


def gunzipped(chunks: Iterator[bytes], subject: str) -> Iterator[bytes]:
    """Take one gzip layer off; it has to come to its end."""
    layer = _GzipLayer()
    try:
        for chunk in chunks:
            yield from layer.unpacked(chunk)
    except zlib.error as error:
        message = f"{subject}: damaged on the way ({error}); try again later"
        raise SourceUnreachableError(message) from error
    layer.require_end(subject)


def to_the_end_of_gzip(chunks: Iterator[bytes], subject: str) -> Iterator[bytes]:
    """Pass a body of unannounced length on; if it is gzip, it has to come to its end. Other bytes are not judged."""
    layer = _GzipLayer()
    is_gzip = True
    for chunk in chunks:
        try:
            deque(layer.unpacked(chunk) if is_gzip else (), maxlen=0)
        except zlib.error:
            is_gzip = False
        yield chunk
    if is_gzip:
        layer.require_end(subject)


class _GzipLayer:
    """A gzip stream of one member or several, fed piece by piece."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP_WINDOW)

    def unpacked(self, data: bytes) -> Iterator[bytes]:
        """Unpack the next piece, a chunk at most at a time."""
        rest = data
        while rest:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP_WINDOW)
            if piece := self._member.decompress(rest, CHUNK_BYTES):
                yield piece
            rest = self._member.unconsumed_tail or self._member.unused_data

    def require_end(self, subject: str) -> None:
        if not self._member.eof:
            message = f"{subject}: broke off in mid-stream; try again later"
            raise SourceUnreachableError(message)
