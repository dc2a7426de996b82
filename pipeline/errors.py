"""Every error that this package raises on purpose.

PipelineError
├── SettingsError               a setting or an argument is missing or wrong: named, its value never shown; exit code 2
├── SourceError                 the Data Access API
│   ├── SourceUnreachableError  time-out, reset, 429, 5xx, short answer: the only branch that is tried again
│   ├── AccessRefusedError      401 or 403: the keys, the clock or the account
│   └── UnexpectedAnswerError   an answer that has not the documented shape, or a link that leads elsewhere
├── OutputError                 standard output does not take the result
├── CorruptFileError            a source file that is not what its name says: rejected as a whole
└── LakeError                   the lake cannot be read or written
    ├── ConflictError           another writer changed it first: worked out anew, the change may succeed
    ├── DamagedError            a file of the lake is gone, or not what was written
    └── TombstonesError         who was erased can't be told
"""


class PipelineError(Exception):
    """Base of them all: its text is one sentence for the person who has to act on it."""


class SettingsError(PipelineError):
    """A setting or an argument is missing or wrong."""


class OutputError(PipelineError):
    """Standard output does not take the result."""


class SourceError(PipelineError):
    """The Data Access API did not give what was asked for."""


class SourceUnreachableError(SourceError):
    """No answer, or one that says "later"; `retry_after_seconds` is the server's own wish, None where it has none."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class AccessRefusedError(SourceError):
    """The server does not accept the credentials."""


class UnexpectedAnswerError(SourceError):
    """The server's answer is none that the API documents."""


class CorruptFileError(PipelineError):
    """The file is cut short, damaged or something else than it says."""


class LakeError(PipelineError):
    """The lake cannot be read or written."""


class ConflictError(LakeError):
    """Another writer changed the lake between a change's working out and its commit."""


class DamagedError(LakeError):
    """A file of the lake is gone, or not what was written: `found` says what, and the text also which command tells more."""

    def __init__(self, found: str, teller: str = "lakehouse verify") -> None:
        super().__init__(found, teller)
        self.found = found
        self.teller = teller

    def __str__(self) -> str:
        return f"{self.found}; run {self.teller}, which says what to do"


class TombstonesError(LakeError):
    """Tombstones or their secret can't be used: `found` says why, `remedy` what to do; whoever writes has changed nothing."""

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(found, remedy)
        self.found = found
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.found}; nothing was changed: {self.remedy}"
