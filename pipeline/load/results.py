"""The results of a load and of a sync: counts that add up."""

from dataclasses import dataclass, field

from pipeline.errors import SourceError
from pipeline.source_files import Outcome


@dataclass
class Report:
    """Count what a load did: each file that it met is loaded, unchanged or rejected."""

    loaded: int = 0
    unchanged: int = 0
    rejected: dict[str, str] = field(default_factory=dict)
    conversations: int = 0
    messages: int = 0
    transfers: int = 0
    rejects: int = 0
    encrypted: int = 0
    replaced: int = 0
    """Files of those loaded that came in the place of another of their name, of an earlier run or of this one."""
    superseded: int = 0
    unknown_fields: set[str] = field(default_factory=set)
    schema_versions: set[str] = field(default_factory=set)

    @property
    def is_complete(self) -> bool:
        """Tell whether no file and no document was rejected."""
        return not self.rejected and not self.rejects

    def count(self, outcome: Outcome) -> None:
        """Add one file."""
        if outcome.status == "unchanged":
            self.unchanged += 1
        elif outcome.status == "rejected":
            self.rejected[outcome.name] = outcome.reason or ""
        else:
            self.loaded += 1
            self.conversations += outcome.counts.conversations
            self.messages += outcome.counts.messages
            self.transfers += outcome.counts.transfers
            self.rejects += outcome.counts.rejects
            self.encrypted += outcome.counts.encrypted
            self.unknown_fields |= outcome.counts.unknown_fields
            self.schema_versions |= outcome.counts.schema_versions


@dataclass
class SyncReport(Report):
    """`listed` = `known` + loaded + unchanged + rejected + failed; on a dry run, `wanted` are the files to fetch.

    `failed` are files, or entries of a listing, that could not be downloaded, with the reason; `unlisted` are days likewise.
    """

    listed: int = 0
    known: int = 0
    downloaded_bytes: int = 0
    wanted: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    unlisted: dict[str, str] = field(default_factory=dict)
    is_asked: bool = False
    """Whether the run came as far as this account, before a signal."""
    gone_hours: int = 0
    """The hours of the window that the lake lacks and the source keeps no longer."""
    gone: str | None = None
    """The sentence on them, or on those of them that the lake has."""
    failure: str | None = None
    """The reason why the account could not be listed, or all of its downloads were refused."""
    fault: SourceError | None = None
    """The error of `failure`."""
    schema_problem: str | None = None
    """The reason why the account's own schema could not be downloaded or kept, in a line; no data depends on it."""

    @property
    def is_complete(self) -> bool:
        """Whether all files of the account are loaded."""
        return super().is_complete and not self.failed and not self.unlisted and not self.failure
