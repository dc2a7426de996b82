"""The program `lakehouse`: a signal ends it quietly from its first moment on, while the rest of it is still being imported."""

import contextlib
import os
import signal
import sys
from types import FrameType

from pipeline.text import stopped_by


def main() -> None:
    """Hear signals, then import the commands and run the one that was asked for."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup wants it
            signal.signal(number, _end)
    from pipeline.cli.commands import main as run  # noqa: PLC0415

    run(prog_name="lakehouse")


def _end(number: int, _: FrameType | None) -> None:
    """Say why, and end: nothing is begun before a command takes signals over, and nothing is left once it gives them back."""
    if sys.__stderr__ is not None:
        with contextlib.suppress(OSError):  # the terminal may be gone
            os.write(sys.__stderr__.fileno(), f"lakehouse: {stopped_by(number, ''.join(sys.argv[1:2]))}\n".encode())
    os._exit(128 + number)


if __name__ == "__main__":
    main()
