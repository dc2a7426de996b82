"""Commands of `lakehouse`, one an argument, as loud as can be: every logger at DEBUG, tracebacks, and local variables.

What a debugger, rich or pytest would show of an error is the `repr` of each local variable on its way; so that is printed for
every exception that passes through code of ours, caught or not, in every thread. Prints each command's exit code at its end.
"""

import logging
import reprlib
import shlex
import sys
import threading
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

import pipeline
from pipeline.cli.commands import main

_OURS = str(Path(pipeline.__file__).parent)
_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = 10_000
_SHOWN.maxdict = _SHOWN.maxlist = _SHOWN.maxtuple = _SHOWN.maxset = 100


def _trace(frame: FrameType, event: str, _: Any) -> Any:
    if not frame.f_code.co_filename.startswith(_OURS):
        return None
    if event == "exception":
        print(frame.f_code.co_qualname, file=sys.stderr)  # noqa: T201
        for name, value in list(frame.f_locals.items()):
            _print(name, value)
    frame.f_trace_lines = False
    return _trace


def _print(name: str, value: object) -> None:
    """A variable, and of an object of ours what it holds."""
    print(f"  {name} = {_SHOWN.repr(value)}", file=sys.stderr)  # noqa: T201
    if type(value).__module__.startswith("pipeline") and hasattr(value, "__dict__"):
        print(f"  vars({name}) = {_SHOWN.repr(vars(value))}", file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    logging.getLogger().setLevel(logging.NOTSET)
    for logger in [logging.getLogger(name) for name in logging.root.manager.loggerDict]:
        logger.setLevel(logging.DEBUG)
    threading.settrace(_trace)
    sys.settrace(_trace)
    for line in sys.argv[1:]:
        code: object = 0
        try:
            main(shlex.split(line), standalone_mode=False)
        except SystemExit as ended:
            code = ended.code
        except Exception:  # noqa: BLE001  # what --debug lets through
            traceback.print_exc()
            code = 1
        print(f"{line} ended with {code}", file=sys.stderr)  # noqa: T201
