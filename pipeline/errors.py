"""The tree of errors that this package raises on purpose.

PipelineError
├── SettingsError               a setting or an argument is missing or wrong: its name is shown, its value never; exit code 2
├── SourceError                 the Data Access API
│   ├── SourceUnreachableError  time-out, reset, 429, 5xx, short answer: the only branch with retries
│   │   └── GarbledAnswerError  a 200 whose body is no answer of the API
│   ├── AccessRefusedError      401 or 403: the keys, the clock or the account
│   └── UnexpectedAnswerError   an answer without the documented shape, or a link to another host
├── QueryError                  a query that DuckDB or the command refuses
├── RefusedError                a statement of SQL that does more than read
├── OutputError                 standard output, or a full disk, does not take the result
├── CorruptFileError            a damaged source file: rejected as a whole
└── LakeError                   the lake cannot be read or written
    ├── ConflictError           another writer was first: computed anew, the change may succeed
    ├── DamagedError            a file of the lake is gone or damaged
    ├── NoLakeError             nothing was ever loaded
    ├── StoreUnreachableError   the store of a bucket gives no answer
    └── TombstonesError         the tombstones can't be read
"""

import errno
from typing import Final

FULL_DISK: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
"""The codes of the system's errors where there is no room, or none for this user."""


class PipelineError(Exception):
    """Base of all: its text is one sentence that says what to do."""


class SettingsError(PipelineError):
    """A setting or an argument is missing or wrong."""


class QueryError(PipelineError):
    """DuckDB refuses the query."""


class RefusedError(PipelineError):
    """A statement would change something outside of its own session."""


class OutputError(PipelineError):
    """Standard output, or a full disk, does not take the result."""


class SourceError(PipelineError):
    """The Data Access API failed."""


class SourceUnreachableError(SourceError):
    """No answer, or "later"; `retry_after_seconds` is the pause that the server asks for, None if it asks for none.

    `is_overload` tells whether fewer requests at a time may help: after a 429, any `Retry-After`, or a time-out.
    """

    def __init__(self, message: str, *, retry_after_seconds: float | None = None, is_overload: bool = False) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        self.is_overload = is_overload


class GarbledAnswerError(SourceUnreachableError):
    """A 200 whose body is no answer of the API: a proxy's page, or one cut short. The next attempt mostly succeeds.

    It leaves `Retries.with_retries` as UnexpectedAnswerError.
    """


class AccessRefusedError(SourceError):
    """The server does not accept the credentials."""


class UnexpectedAnswerError(SourceError):
    """The server's answer is not as the API documents it."""


class CorruptFileError(PipelineError):
    """The file is cut short, damaged or of another kind."""


class LakeError(PipelineError):
    """The lake cannot be read or written."""


class NoLakeError(LakeError):
    """Nothing was ever loaded there."""


class StoreUnreachableError(LakeError):
    """The store of a bucket gives no answer."""


class ConflictError(LakeError):
    """Another writer changed the lake before the commit."""


class DamagedError(LakeError):
    """A file of the lake is gone or damaged: `found` is the fact; the text adds the command that tells more."""

    def __init__(self, found: str, teller: str = "lakehouse verify") -> None:
        super().__init__(found, teller)
        self.found = found
        self.teller = teller

    def __str__(self) -> str:
        return self.sentence(self.teller)

    def sentence(self, command: str) -> str:
        """The text with this command in the place of `teller`."""
        return f"{self.found}; run {command}, which names the remedy"


class TombstonesError(LakeError):
    """Tombstones or their key can't be used, and nothing was changed: `found` is the reason, `remedy` the next step."""

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(found, remedy)
        self.found = found
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.found}; nothing was changed: {self.remedy}"


def unwritten(name: str, target: object, error: OSError, remedy: str) -> PipelineError:
    """Make the error of a result that can't be written to a file: it is named wrongly, or its disk is full at the moment."""
    problem = f"the {name} cannot be written to {target}: {error.strerror or error}"
    if error.errno in FULL_DISK:
        return OutputError(f"{problem}; make room and run the command again")
    return SettingsError(f"{problem}; {remedy}")
