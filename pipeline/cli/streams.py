"""Standard input, output and error: results are written whole or the command fails, a message that can't be stops nothing."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from pipeline.errors import OutputError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_FAILED: Final = 1


class _Results(io.FileIO):
    """Standard output, which keeps the error that it was refused with."""

    refused: OSError | None = None

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write; after an error there is nothing more to be written to."""
        if self.refused is not None:
            return memoryview(data).nbytes
        try:
            return super().write(data)
        except OSError as error:
            self.refused = error
            raise


class _Messages(io.FileIO):
    """Standard error, which never fails: a full disk or a closed pipe takes no message, and stops no work."""

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write what can be written."""
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def prepare_streams() -> None:
    """Make of the standard streams what the commands rely on.

    One that is closed leads nowhere. Results are UTF-8 where the surroundings want an encoding that lacks characters; a
    terminal keeps its own, since it could take bytes of UTF-8 for controls, and shows what that lacks escaped.
    """
    for name, flags in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by who started this
            setattr(sys, name, Path(os.devnull).open(flags, encoding="utf-8"))  # noqa: SIM115  # for as long as the process
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # `run_query` judges what is no text
    sys.stderr = _over(sys.stderr, _Messages, line_buffering=True)
    out = sys.stdout = _over(sys.stdout, _Results, line_buffering=sys.stdout.isatty())
    if not isinstance(out, io.TextIOWrapper):
        return
    try:
        "\U0010ffff".encode(out.encoding)
        out.reconfigure(errors="surrogateescape")  # so that a path that is no text comes out as it is
    except UnicodeEncodeError:
        if out.isatty():
            out.reconfigure(errors="backslashreplace")
        else:
            out.reconfigure(encoding="utf-8", errors="surrogateescape")


def _over(stream: TextIO, raw: type[io.FileIO], *, line_buffering: bool) -> TextIO:
    """The same stream through `raw`, if it is the one that the process began with."""
    below = _below(stream)
    if stream not in {sys.__stdout__, sys.__stderr__} or not isinstance(below, io.FileIO):
        return stream
    stream.flush()
    buffered = io.BufferedWriter(raw(below.fileno(), "w", closefd=False))
    return io.TextIOWrapper(buffered, stream.encoding, stream.errors, line_buffering=line_buffering)


def _below(stream: TextIO) -> object:
    """What a stream writes into, below its buffer, which PYTHONUNBUFFERED leaves out."""
    buffer = getattr(stream, "buffer", None)
    return getattr(buffer, "raw", buffer)


@contextmanager
def all_written() -> Iterator[None]:
    """Let the block end only with all of its results written, or say that they could not be.

    Raises:
        SystemExit: who read them is gone, as after `| head`, and wants no more.
        OutputError: standard output takes nothing, as on a full disk.
    """
    results = _below(sys.stdout)
    try:
        try:
            yield
        except SystemExit:  # with a code that need be no failure
            sys.stdout.flush()
            raise
        sys.stdout.flush()
    except OSError as error:
        refused = results.refused if isinstance(results, _Results) else None
        if refused is None:
            raise
        if isinstance(refused, BrokenPipeError):
            raise SystemExit(_FAILED) from None
        message = f"standard output: {refused.strerror}; the output is not whole, what was changed is changed: see to it"
        raise OutputError(message) from error
