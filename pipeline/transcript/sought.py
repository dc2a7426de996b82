"""What a search is for: words, times, skills, agents, outcomes; without a library, since the command's options name them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

OUTCOMES: Final[Mapping[str, str]] = {
    "answered": "answered_entry_count > 0 and abandoned_entry_count = 0",
    "abandoned": "abandoned_entry_count > 0",
}
"""How a conversation went, each with its condition: somebody answered and the visitor never gave up, or gave up in a queue."""
SPEAKERS: Final[Mapping[str, str]] = {"visitor": "('0')", "agent": "('1', '3', '4')", "anyone": "('0', '1', '3', '4', '5')"}
"""Whose lines are sought, each with the types of messages."""


@dataclass(frozen=True)
class Sought:
    """What is sought: lines with all of these words, whatever their case, or that a regular expression matches.

    Without either, all conversations that the rest describes, each with the last of the lines. `since` and `until` are times on
    the account's clock, of the conversation's start. A skill or an agent is named by id or name, and had the conversation at
    any time. `transfers` is the least number.
    """

    words: Sequence[str] = ()
    pattern: str | None = None
    speaker: str = "visitor"
    since: datetime | None = None
    until: datetime | None = None
    skill: str | None = None
    agent: str | None = None
    outcome: str | None = None
    transfers: int = 0

    @property
    def has_text(self) -> bool:
        """Whether lines are sought, and not only conversations."""
        return bool(self.words or self.pattern)
