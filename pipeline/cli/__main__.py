"""Entry point of `lakehouse` and `python -m pipeline`: signals end it quietly while its modules are still being imported."""

import contextlib
import os
import signal
import sys
from types import FrameType

from pipeline.imports import go_without_numpy
from pipeline.text import stopped_by


def main() -> None:
    """Set the signals' handlers, then import the commands and run one."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, _end)
    go_without_numpy()
    from pipeline.cli.commands import main as run

    run(prog_name="lakehouse")


def _end(number: int, _: FrameType | None) -> None:
    """Print the signal and exit: before a command takes the signals over and after it gives them back, nothing is half done."""
    if sys.__stderr__ is not None:
        with contextlib.suppress(OSError):  # the terminal may be gone
            os.write(sys.__stderr__.fileno(), f"lakehouse: {stopped_by(number, ''.join(sys.argv[1:2]))}\n".encode())
    os._exit(128 + number)


if __name__ == "__main__":
    main()
