"""What SIGINT, SIGTERM and SIGHUP do to a command: they end it soon, whatever it is at.

Python hears a signal between two steps of the main thread, so a thread hears it too: it stops the queries of DuckDB, which can
be one long step, and ends the process if it is still there after a while.
"""

import atexit
import contextlib
import io
import multiprocessing
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing import parent_process
from threading import RLock, Thread, current_thread, main_thread
from types import FrameType
from typing import TYPE_CHECKING, Final, TextIO
from weakref import WeakSet

from pipeline.text import stopped_by

if TYPE_CHECKING:
    import duckdb

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_OF_THE_TERMINAL: Final = {signal.SIGINT, signal.SIGHUP}  # which it sends to every process of a command
_PATIENCE_SECONDS: Final = 1.5
_FINISHING_SECONDS: Final = 20.0
_AGAIN_SECONDS: Final = 0.1
_CLEANING_SECONDS: Final = 5.0
_TELLING_SECONDS: Final = 0.5
_SHOW_CURSOR: Final = "\x1b[?25h"


class Stopped(BaseException):  # no error, and nothing that `except Exception` is to catch
    """The command is to end: its text is one sentence."""

    def __init__(self, number: int) -> None:
        super().__init__(stopped_by(number, _state.command))
        self.number = number


class _State:
    """What this process was told, and how it is to take that."""

    def __init__(self) -> None:
        self.command = ""
        self.received: int | None = None
        self.finish: Callable[[], None] | None = None
        self.spared: frozenset[int] = frozenset()
        self.connections: WeakSet[duckdb.DuckDBPyConnection] = WeakSet()
        self.ends_at: float | None = None
        self.is_starting = False
        self.is_due = False


_state: Final = _State()
_ending: Final = RLock()
_starting: Final = RLock()


def interruptible(connection: "duckdb.DuckDBPyConnection") -> "duckdb.DuckDBPyConnection":
    """The connection, whose queries a signal stops from now on."""
    _state.connections.add(connection)
    return connection


def raise_if_stopped() -> None:
    """Raise what a signal means, where its first trace was another error: a query of DuckDB's that it stopped.

    Raises:
        Stopped: there was one.
    """
    if _state.received is not None:
        raise Stopped(_state.received)


@contextlib.contextmanager
def stoppable(command: str = "") -> Iterator[None]:
    """Let a signal end the block by `Stopped`; one that is ignored, as under nohup, stays so.

    Once it has come, this process ends after a while by itself: threads of libraries can wait for the network for a minute.
    """
    if current_thread() is not main_thread():
        yield
        return
    former, unraisablehook = {number: signal.getsignal(number) for number in _SIGNALS}, sys.unraisablehook
    heard, waker = os.pipe()
    os.set_blocking(waker, False)
    waking = signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    _state.command = command
    _state.received = _state.finish = _state.ends_at = None
    sys.unraisablehook = _unraisable
    Thread(target=_watch, args=(heard,), name="signals", daemon=True).start()
    try:
        for number, action in former.items():
            if action is not signal.SIG_IGN:
                signal.signal(number, _receive)
        yield
    finally:
        if _state.received is None:
            for number, action in former.items():
                signal.signal(number, action)
            signal.set_wakeup_fd(waking)
            sys.unraisablehook = unraisablehook
            os.close(waker)  # ends the thread, which closes the other end


@contextlib.contextmanager
def sparing(number: int) -> Iterator[None]:
    """Let a signal raise KeyboardInterrupt during the block, and end nothing."""
    _state.spared |= {number}
    try:
        yield
    finally:
        _state.spared -= {number}


@contextlib.contextmanager
def finishing(finish: Callable[[], None]) -> Iterator[None]:
    """Let the first signal call `finish` and the block come to its end, within bounds; a second one ends it at once.

    Raises:
        Stopped: there was a signal, and the block is done.
    """
    _state.finish = finish
    try:
        yield
    finally:
        _state.finish = None
    if _state.received is not None:
        _state.ends_at = time.monotonic() + _PATIENCE_SECONDS
    raise_if_stopped()


@contextlib.contextmanager
def kept_from_children() -> Iterator[None]:
    """Start processes in the block that a Ctrl-C at the terminal does not reach: who started them ends them."""
    former = signal.pthread_sigmask(signal.SIG_BLOCK, _OF_THE_TERMINAL)
    _state.is_starting = True
    try:
        with _starting:
            yield
    finally:
        _state.is_starting = False
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
    if _state.is_due:
        raise_if_stopped()


def end_children() -> None:
    """End the processes that this one has started, and wait for that."""
    children = multiprocessing.active_children()
    for child in children:
        child.kill()
    for child in children:
        child.join(1)


def _receive(number: int, frame: FrameType | None) -> None:
    """What the main thread does when it hears of a signal."""
    if number in _state.spared:
        raise KeyboardInterrupt
    is_first = _state.received is None
    _state.received = _state.received or number
    if is_first and _state.finish is not None:
        _state.ends_at = time.monotonic() + _FINISHING_SECONDS
        _state.finish()
        return
    _state.ends_at = time.monotonic() + _PATIENCE_SECONDS
    if is_first and _state.is_starting:  # a process that is not yet known could not be ended
        _state.is_due = True
        return
    if is_first and _is_import(frame):
        end(number)  # libraries in C++ abort the process if their initialisation is cut off by an exception
    if is_first:
        raise Stopped(number)


def _is_import(frame: FrameType | None) -> bool:
    """Whether a module is being imported."""
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def _watch(heard: int) -> None:
    """Hear of signals while the main thread is busy, and end what it is at."""
    while numbers := os.read(heard, 1):
        if numbers[0] in _SIGNALS and numbers[0] not in _state.spared:
            break
    else:
        os.close(heard)
        return
    number = numbers[0]
    os.set_blocking(heard, False)
    ends_at = time.monotonic() + (_FINISHING_SECONDS if _state.finish else _PATIENCE_SECONDS)
    while time.monotonic() < (_state.ends_at or ends_at):
        with contextlib.suppress(BlockingIOError):
            if os.read(heard, 1):
                break
        if _state.finish is None:
            for connection in list(_state.connections):
                with contextlib.suppress(Exception):  # it may be closed by now
                    connection.interrupt()
        time.sleep(_AGAIN_SECONDS)
    end(number)


def end(number: int) -> None:
    """End this process and those that it has started; say why; what it keeps for itself on the disk goes first.

    Not by SystemExit: on the way out Python waits for threads that wait for the network, and libraries complain.
    """
    with _ending:  # for good: whoever comes second waits for the end
        err, sys.stderr = sys.stderr, _Nowhere()  # no library has a word on that
        with contextlib.suppress(BaseException):
            _starting.acquire(timeout=_PATIENCE_SECONDS)  # the process that is being started is one of them
            end_children()
        with contextlib.suppress(BaseException):  # deletes temporary folders, which os._exit alone would leave
            cleaning = Thread(target=atexit._run_exitfuncs, daemon=True)  # noqa: SLF001
            cleaning.start()
            cleaning.join(_CLEANING_SECONDS)
        with contextlib.suppress(BaseException):  # the terminal may be gone
            _tell(err, (_SHOW_CURSOR if err.isatty() else "") + f"lakehouse: {Stopped(number)}\n")
        os._exit(128 + number)


def _tell(err: TextIO, text: str) -> None:
    """Write to standard error, unless that waits for somebody who reads it: `2>&1 | less`."""
    if select.select([], [err], [], _TELLING_SECONDS)[1]:
        err.write(text)
        err.flush()


class _Nowhere(io.TextIOBase):
    """What takes all that is written, and keeps nothing."""

    def write(self, text: str) -> int:
        """Take it."""
        return len(text)


def _unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    """Say nothing where a destructor was stopped, which can't end the command: the thread that hears signals does."""
    if not isinstance(unraisable.exc_value, Stopped):
        sys.__unraisablehook__(unraisable)


def end_with_parent() -> None:
    """End this process when the one that started it does: a helper whose load was killed would wait for work for ever."""

    def watch() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    Thread(target=watch, daemon=True).start()
