"""The result of an erase: counts of removed rows and files, searched files, and findings about the ids."""

from dataclasses import dataclass, field
from datetime import datetime

from pipeline import schema
from pipeline.erasure.subjects import Related


@dataclass
class Erased:
    """The result of an erase: counts of removed and searched files and rows, and findings.

    `rows` are those of the tables, by table; `deliveries` are conversations in landed files, superseded deliveries included,
    `documents` those that went whole with them. `unreadable` are landed files that are broken, and so could not be searched,
    `encrypted` those with ids that no key decrypts.

    `not_found` are the kinds and ids asked for that nothing has, `alike` which kinds and ids like them the tables have;
    `already` are those that nothing has any more, and when they were asked for last. `not_ended` counts conversations that go
    on and so stay, `related` are others that conversations share with those erased. `left` are sentences about remains.
    """

    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*schema.SENT, "rejects"), 0))
    deliveries: int = 0
    documents: int = 0
    landed_rewritten: int = 0
    deleted: int = 0
    deleted_bytes: int = 0
    report_deleted: bool = False
    landed: int = 0
    landed_bytes: int = 0
    parquet: int = 0
    unreadable: list[str] = field(default_factory=list)
    encrypted: list[str] = field(default_factory=list)
    named: set[str] = field(default_factory=set, repr=False)
    """The ids that landed files and rejects name."""
    not_found: list[tuple[str, str]] = field(default_factory=list, repr=False)
    alike: dict[tuple[str, str], list[tuple[str, str]]] = field(default_factory=dict, repr=False)
    already: dict[tuple[str, str], datetime] = field(default_factory=dict, repr=False)
    not_ended: int = 0
    related: list[Related] = field(default_factory=list, repr=False)
    left: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether all subjects were found, now or before, and are gone, and everything could be searched."""
        return self.is_searched and not self.not_found

    @property
    def is_searched(self) -> bool:
        """Whether everything could be searched, and nothing is left."""
        return not (self.unreadable or self.encrypted or self.left)

    @property
    def anything(self) -> bool:
        """Whether there was anything to erase."""
        return bool(self.landed_rewritten or any(self.rows.values()))
