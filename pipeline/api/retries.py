"""Retries with growing pauses, while the server can't be reached or asks to wait."""

import logging
from collections.abc import Callable
from random import SystemRandom
from threading import Event
from typing import NoReturn, TypeVar

import tenacity

from pipeline.api.limits import Limits
from pipeline.api.pace import Pace, Turn
from pipeline.errors import GarbledAnswerError, SourceUnreachableError, UnexpectedAnswerError

_RANDOM = SystemRandom()
_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Retries:
    """The retries of one client; threads share them, so that one long wait in vain is enough for all.

    An attempt takes a turn of the pace, and gives it back for the pause after it: another file may come meanwhile, unless the
    server has asked to wait, which holds all.
    """

    def __init__(self, limits: Limits, pace: Pace, closed: Event) -> None:
        """Prepare; `closed` ends every pause."""
        self.limits = limits
        self._pace = pace
        self._closed = closed
        self._is_patient = True

    def with_retries(self, attempt: Callable[[Turn], _T]) -> _T:
        """Return what `attempt` returns; call it again, after a pause, while it raises SourceUnreachableError."""
        waited = 0.0  # for turns: that is no time of this request

        def in_turn() -> _T:
            nonlocal waited
            with self._pace.turn() as turn:
                try:
                    return attempt(turn)
                finally:
                    waited += turn.waited_seconds

        # Not stamina, which is built on this: its time limit can forbid the second attempt.
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(SourceUnreachableError),
            wait=self._pause,
            stop=lambda state: self._is_enough(state, waited),
            sleep=tenacity.sleep_using_event(self._closed),
            before_sleep=self._before_pause,
            retry_error_callback=self._give_up,
        )
        return retrying(in_turn)

    def _pause(self, state: tenacity.RetryCallState) -> float:
        retry_after = _error_of(state).retry_after_seconds or 0.0
        longest: float = self.limits.backoff_seconds * min(30, 2 ** (state.attempt_number - 1))
        return max(retry_after, longest * _RANDOM.uniform(0.5, 1.0))

    def _before_pause(self, state: tenacity.RetryCallState) -> None:
        if _error_of(state).retry_after_seconds:
            self._pace.hold(state.upcoming_sleep)
        _log.info("%s; attempt %d starts in %.1f s", _error_of(state), state.attempt_number + 1, state.upcoming_sleep)

    def _is_enough(self, state: tenacity.RetryCallState, waited_seconds: float) -> bool:
        limits, retry_after = self.limits, _error_of(state).retry_after_seconds or 0.0
        next_start = (state.seconds_since_start or 0.0) - waited_seconds + state.upcoming_sleep
        is_late = state.attempt_number > 1 and next_start > limits.retry_seconds
        return is_late or self._is_too_long(retry_after, state) or state.attempt_number >= limits.attempts

    def _is_too_long(self, retry_after: float, state: tenacity.RetryCallState) -> bool:
        """Whether the server asks for a pause beyond the limits, or for a second long one."""
        was_in_vain = state.attempt_number > 1 or not self._is_patient
        is_long = retry_after > self.limits.retry_seconds
        return is_long and (was_in_vain or retry_after > self.limits.longest_retry_after_seconds)

    def _give_up(self, state: tenacity.RetryCallState) -> NoReturn:
        error = _error_of(state)
        if state.attempt_number > 1 and (error.retry_after_seconds or 0.0) > self.limits.retry_seconds:
            self._is_patient = False  # else each of a thousand files would wait
        message = f"{error} (given up after {state.attempt_number} attempts)" if state.attempt_number > 1 else str(error)
        if isinstance(error, GarbledAnswerError):
            raise UnexpectedAnswerError(message) from error
        raise SourceUnreachableError(message, retry_after_seconds=error.retry_after_seconds) from error


def _error_of(state: tenacity.RetryCallState) -> SourceUnreachableError:
    error = state.outcome.exception() if state.outcome else None
    return error if isinstance(error, SourceUnreachableError) else SourceUnreachableError("")
