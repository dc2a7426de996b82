"""The number of requests in flight: a semaphore whose limit follows the answers, as that of TCP does.

It rises by one while that many answers come back well, and is halved if the server asks for less. No library that is
kept does this for threads: the known ones are for asyncio, or adapt the rate of requests.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from threading import Condition
from typing import Final

from pipeline.errors import SourceUnreachableError

_FIRST: Final = 4
_WAITS_IN_VAIN: Final = 2.0
"""Answers that take so many times as long as they did: half of the requests in flight wait for the others only."""
_MEMORY: Final = 8  # answers: the weight of the newest one in their mean is one in so many
_MORE_CAUTION, _MOST_CAUTION = 4, 16


@dataclass
class Times:
    """The times of files of about one size: their mean lately, and the least that it was; one quick answer tells nothing."""

    mean: float = 0.0
    least: float = inf
    answers: int = 0

    def stretch(self, seconds: float) -> float:
        """Add an answer; gives how many times as long answers take as they did."""
        self.answers += 1
        self.mean += (seconds - self.mean) / min(self.answers, _MEMORY)
        if self.answers < _MEMORY:
            return 1.0
        self.least = min(self.least, max(self.mean, 1e-9))
        return self.mean / self.least


@dataclass
class Turn:
    """A request on its way; `bytes` are those of a file that came whole, None for other answers, whose time tells nothing."""

    pace: "Pace"
    began: float | None = None
    era: int = 0
    waited_seconds: float = 0.0
    bytes: int | None = None

    def begin(self) -> None:
        """Wait until one more request may be in flight, and count this one; after a redirect it is so already."""
        if self.began is None:
            came = time.monotonic()
            self.era = self.pace.enter()
            self.began = time.monotonic()
            self.waited_seconds = self.began - came


class Pace:
    """Lets through at most `limit` requests at a time, and never more than `most`. Threads share it."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = float(min(most, _FIRST))
        self.in_flight = 0
        self._safe = most  # in flight; beyond that the server has asked for less
        self._caution = 1
        self._era = 0  # counts the times that it did: requests of one era get one answer to that
        self._resumes_at = 0.0
        self._times: dict[int, Times] = defaultdict(Times)  # by the size of files, in bits
        self._is_closed = False
        self._changed = Condition()

    def close(self) -> None:
        """End every wait, and let all through: they find the client closed. A signal's handler may call it."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def hold(self, seconds: float) -> None:
        """Let nothing through for some seconds, since the server has asked for that."""
        with self._changed:
            self._resumes_at = max(self._resumes_at, time.monotonic() + seconds)

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        """A request: from `Turn.begin` to the end of the block it counts as in flight, and the outcome sets the limit."""
        turn = Turn(self)
        try:
            yield turn
        except SourceUnreachableError as error:
            if error.is_overload and turn.began is not None:
                self._slow_down(turn)
            raise
        else:
            if turn.bytes is not None and turn.began is not None:
                self._speed_up(time.monotonic() - turn.began, turn.bytes.bit_length())
        finally:
            if turn.began is not None:
                with self._changed:
                    self.in_flight -= 1
                    self._changed.notify_all()

    def enter(self) -> int:
        """Wait until one more request may be in flight, and count it; gives the era."""
        with self._changed:
            while not self._is_closed:
                pause = self._resumes_at - time.monotonic()
                if pause <= 0 and self.in_flight < int(self.limit):
                    break
                self._changed.wait(pause if pause > 0 else None)
            self.in_flight += 1
            return self._era

    def _slow_down(self, turn: Turn) -> None:
        """Halve the limit, once for all requests that were in flight; go up again with more caution."""
        with self._changed:
            if turn.era == self._era:
                self._era += 1
                self._safe = max(1, self.in_flight - 1)
                self.limit = max(1.0, min(self.limit, self.in_flight) / 2)
                self._caution = min(_MOST_CAUTION, self._caution * _MORE_CAUTION)

    def _speed_up(self, seconds: float, size: int) -> None:
        """Raise the limit, if it is used and more in flight would not only wait for each other."""
        with self._changed:
            if self._times[size].stretch(seconds) >= _WAITS_IN_VAIN or self.in_flight < int(self.limit):
                return
            step = 1 / self.limit
            if self.limit >= self._safe:
                step /= self._caution
            self.limit = min(self.most, self.limit + step)
            if self.limit >= self._safe + 1:
                self._safe, self._caution = int(self.limit), max(1, self._caution // 2)
