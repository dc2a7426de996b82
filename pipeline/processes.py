"""Signals: SIGINT, SIGTERM and SIGHUP end a command soon, at any point of its work.

Python handles a signal between two steps of the main thread only, so a second thread handles it, too: it stops DuckDB's
queries, which can be one long step, and ends the process if it still runs after a while.
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
from importlib import import_module
from multiprocessing import parent_process
from threading import RLock, Thread, current_thread, main_thread
from types import FrameType
from typing import TYPE_CHECKING, Final, TextIO
from weakref import WeakSet

from pipeline.imports import go_without_numpy
from pipeline.text import stopped_by

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

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
    """A signal ends the command; the text is one sentence."""

    def __init__(self, number: int) -> None:
        super().__init__(stopped_by(number, _state.command))
        self.number = number


class _State:
    """The signal that this process got, and its way to end."""

    def __init__(self) -> None:
        self.command = ""
        self.form: Callable[[str], str] = "lakehouse: {}".format
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
    """Let signals stop the connection's queries from now on; return it."""
    _state.connections.add(connection)
    return connection


def raise_if_stopped() -> None:
    """Raise `Stopped` in place of another error that a signal caused, such as of a query that it interrupted.

    Raises:
        Stopped: there was a signal.
    """
    if _state.received is not None:
        raise Stopped(_state.received)


@contextlib.contextmanager
def stoppable(command: str = "") -> Iterator[None]:
    """Let a signal end the block by `Stopped`; ignored signals, as under nohup, stay ignored.

    After a signal this process ends within a time limit, since libraries' threads can wait for the network for a minute.
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
    """Let a signal raise KeyboardInterrupt during the block, and not end the command."""
    _state.spared |= {number}
    try:
        yield
    finally:
        _state.spared -= {number}


@contextlib.contextmanager
def finishing(finish: Callable[[], None]) -> Iterator[None]:
    """Let the first signal call `finish` and the block run to its end, within a time limit; a second signal ends it at once.

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
    """Keep a Ctrl-C at the terminal from the processes that the block starts; this process ends them."""
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


@contextlib.contextmanager
def helpers(count: int | None = None, *, busy: int = 0, module: str = "") -> Iterator["ProcessPoolExecutor"]:
    """Make a pool of so many helper processes, or one a core; a signal ends them at once, another error after their tasks.

    As many as are `busy` start now, and import the module of their tasks; others start when there is a task for them.

    The terminal's signals reach neither them, if tasks are handed over while `kept_from_children`, nor Python's tracker of
    semaphores: it would die of a SIGHUP, be started again by the clean-up, and print what it does not know.
    """
    from concurrent.futures import ProcessPoolExecutor

    with kept_from_children():
        pool = ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"), initializer=begin_helper)
    with kept_from_children():  # anew: Python's tracker, which the pool has begun, lets SIGINT through again
        for _ in range(busy):
            pool.submit(import_module, module)
    with pool:
        try:
            yield pool
        except Stopped:
            end_children()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def end_children() -> None:
    """End the child processes and wait for their end."""
    children = multiprocessing.active_children()
    for child in children:
        child.kill()
    for child in children:
        child.join(1)


def _receive(number: int, frame: FrameType | None) -> None:
    """Handle a signal in the main thread."""
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
    """Handle signals while the main thread is busy: stop its queries, then end the process."""
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


def tell_end_as(form: Callable[[str], str] = "lakehouse: {}".format) -> None:
    """Let the last line of a process that a signal ends have this form."""
    _state.form = form


def end(number: int) -> None:
    """Print the reason, delete this process's temporary files, and end it with its children.

    Not by SystemExit: Python would wait for threads that wait for the network, and libraries would complain.
    """
    with _ending:  # for good: a second caller waits for the end
        err, sys.stderr = sys.stderr, _Nowhere()  # no library has a word on that
        with contextlib.suppress(BaseException):
            _starting.acquire(timeout=_PATIENCE_SECONDS)  # the process that is being started is one of them
            end_children()
        with contextlib.suppress(BaseException):  # deletes temporary folders, which os._exit alone would leave
            cleaning = Thread(target=atexit._run_exitfuncs, daemon=True)  # noqa: SLF001
            cleaning.start()
            cleaning.join(_CLEANING_SECONDS)
        with contextlib.suppress(BaseException):
            _end_tracker()
        with contextlib.suppress(BaseException):  # the terminal may be gone
            _tell(err, (_SHOW_CURSOR if err.isatty() else "") + f"{_state.form(str(Stopped(number)))}\n")
        os._exit(128 + number)


def _end_tracker() -> None:
    """End Python's tracker of semaphores: it prints warnings about those whose clean-up the signal has cut off."""
    tracker = sys.modules.get("multiprocessing.resource_tracker")
    if tracker is not None and (pid := tracker._resource_tracker._pid) is not None:  # noqa: SLF001
        os.kill(pid, signal.SIGKILL)


def _tell(err: TextIO, text: str) -> None:
    """Write to standard error, unless its reader is busy, as in `2>&1 | less`."""
    if select.select([], [err], [], _TELLING_SECONDS)[1]:
        err.write(text)
        err.flush()


class _Nowhere(io.TextIOBase):
    """A stream that drops all text."""

    def write(self, text: str) -> int:
        """Drop the text."""
        return len(text)


def _unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    """Print nothing if a signal stopped a destructor, which can't end the command; the thread for signals does."""
    if not isinstance(unraisable.exc_value, Stopped):
        sys.__unraisablehook__(unraisable)


def begin_helper() -> None:
    """Begin a process that helps another: it ends with that, since the worker of a killed load would wait for work for ever.

    It is defined here, as a function of a module that imports DuckDB would make that print a list of objects when it ends.
    """
    go_without_numpy()
    os.umask(0o077)  # customers' words are for the owner of the files alone

    def watch() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    Thread(target=watch, daemon=True).start()
