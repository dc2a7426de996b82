"""Streams: results are written whole or the command fails; a message that can't be written stops nothing."""

import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, TextIO

from pipeline.errors import OutputError, unwritten

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_FAILED: Final = 1


class _Results(io.FileIO):
    """Standard output, which remembers its first error."""

    refused: OSError | None = None

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write; do nothing after an error."""
        if self.refused is not None:
            return memoryview(data).nbytes
        try:
            return super().write(data)
        except OSError as error:
            self.refused = error
            raise


class _Messages(io.FileIO):
    """Standard error, which never fails: a full disk or a closed pipe loses messages and stops no work."""

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write; drop the text if that fails."""
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def prepare_streams() -> None:
    """Prepare the standard streams for the commands.

    A closed one leads to /dev/null. Results are UTF-8 if the locale's encoding lacks characters; a terminal keeps its encoding,
    since it could take bytes of UTF-8 for controls, and gets the lacking characters escaped.
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
    """The stream over `raw`, if the process began with it."""
    below = _below(stream)
    if stream not in {sys.__stdout__, sys.__stderr__} or not isinstance(below, io.FileIO):
        return stream
    stream.flush()
    buffered = io.BufferedWriter(raw(below.fileno(), "w", closefd=False))
    return io.TextIOWrapper(buffered, stream.encoding, stream.errors, line_buffering=line_buffering)


def _below(stream: TextIO) -> object:
    """The raw file below a stream and its buffer; with PYTHONUNBUFFERED there is no buffer."""
    buffer = getattr(stream, "buffer", None)
    return getattr(buffer, "raw", buffer)


@contextmanager
def all_written() -> Iterator[None]:
    """Flush the results at the end of the block, or raise if that fails.

    Raises:
        SystemExit: the reader has closed the pipe, as after `| head`.
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
        message = (
            f"standard output: {refused.strerror}; the output is incomplete, changes to the lake are done: "
            "free space or fix the target"
        )
        raise OutputError(message) from error


@contextmanager
def whole_file(target: str, mode: int | None = None) -> Iterator[IO[str]]:
    """Open a file for text, which takes its place at the end of the block: whole, or what was there stays.

    It gets the rights of `mode`, by default its owner alone; a device or a pipe keeps its own.

    Raises:
        SettingsError: it can't be written there.
        OutputError: the disk is full.
    """
    path = Path(target).expanduser()
    try:
        if path.exists() and not path.is_file():  # a device or a pipe; a folder is refused here
            with path.open("w", encoding="utf-8", newline="") as out:
                yield out
            return
        path = path.resolve()
        made = tempfile.NamedTemporaryFile(  # noqa: SIM115  # it is closed below
            "w", encoding="utf-8", errors="surrogateescape", newline="", dir=path.parent, prefix=f".{path.name}-", delete=False
        )
        try:
            with made:
                if mode is not None:
                    os.fchmod(made.fileno(), mode)
                yield made
            Path(made.name).replace(path)
        except BaseException:
            Path(made.name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise unwritten("result", target, error, "name another file") from error
