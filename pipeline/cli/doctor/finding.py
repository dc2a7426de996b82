"""A finding of the doctor, and findings of a check that still runs."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Thread
from typing import Final

OK: Final = "ok"
WARN: Final = "warn"
FAIL: Final = "FAIL"
MOST_SECONDS: Final = 12.0
"""Time limit of all network checks, which run at once."""


@dataclass(frozen=True)
class Finding:
    """One finding on a subject.

    `is_setting`: a setting is wrong. `lacks_account`: no account is set up, which is not wrong.
    """

    subject: str
    level: str
    found: str
    advice: str = ""
    is_setting: bool = False
    lacks_account: bool = False

    def __str__(self) -> str:
        return f"{self.found}; {self.advice}" if self.advice else self.found


class Later:
    """The findings of a check that runs in a thread."""

    def __init__(self, subject: str, look: Callable[[], Iterable[Finding]]) -> None:
        self._subject = subject
        self._future: Future[list[Finding]] = Future()

        def run() -> None:
            try:
                self._future.set_result(list(look()))
            except BaseException as error:  # noqa: BLE001  # it is raised where the findings are asked for
                self._future.set_exception(error)

        Thread(target=run, daemon=True).start()

    def findings(self, deadline: float) -> list[Finding]:
        """Wait for them until a moment of the monotonic clock."""
        try:
            return self._future.result(max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            found = f"no answer within {MOST_SECONDS:.0f} s"
            return [Finding(self._subject, FAIL, found, "check the network, its name server and proxy, then ask again")]
