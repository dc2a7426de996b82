"""The content of a lake for the second implementations of views: source files, names and settings, read by plain Python.

Rows come from the bytes of source files by `tests/support/reference.py`, facts by `oracle.facts`; no row is the product's.
Times are datetimes in UTC. Readings: a name that no CSV has is NULL, and an id that no CSV calls a bot is none.
"""

import gzip
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final

from reference import FIRST_DAY, read_file

from oracle.facts import facts_of

Row = dict[str, Any]
Key = tuple[Any, ...]
Names = dict[tuple[str | None, Any], Row]
"""The columns that a CSV gives, by account and id."""

DEFAULTS: Final[Mapping[str, Any]] = {
    "time_zone": "UTC",
    "interval_minutes": 15,
    "service_level_seconds": 30.0,
    "short_abandon_seconds": 5.0,
    "wait_bounds_seconds": [0.0, 15.0, 30.0, 45.0, 60.0, 90.0, 120.0],
    "response_bounds_seconds": [15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 10800.0, 86400.0],
    "longest_queue_hours": 24.0,
    "mcs_neutral_from": 40.0,
    "mcs_positive_from": 60.0,
    "mcs_scale": "0-100",
    "repeat_bounds_hours": [1.0, 24.0, 72.0, 168.0, 336.0, 720.0],
    "resolution_hours": 72.0,
    "late_hours": 6.0,
    "tolerance_seconds": 5.0,
    "flag_tolerance_percent": 0.5,
    "provisional_hours": 72.0,
    "account_name": None,
    "service_level_target_percent": None,
    "abandoned_target_percent": None,
    "queue_p90_target_seconds": None,
    "first_reply_target_seconds": None,
    "mcs_target": None,
}


@dataclass
class Model:
    """Conversations, lines, transfers and facts of a lake, its names and its settings.

    `files` and `listings` are the ledger's rows, which tell of loads and not of conversations.
    """

    conversations: list[Row] = field(default_factory=list)
    messages: list[Row] = field(default_factory=list)
    transfers: list[Row] = field(default_factory=list)
    conversation_metrics: list[Row] = field(default_factory=list)
    queue_entries: list[Row] = field(default_factory=list)
    segments: list[Row] = field(default_factory=list)
    responses: list[Row] = field(default_factory=list)
    files: list[Row] = field(default_factory=list)
    listings: list[Row] = field(default_factory=list)
    skills: Names = field(default_factory=dict)
    agents: Names = field(default_factory=dict)
    campaigns: Names = field(default_factory=dict)
    topics: list[Row] = field(default_factory=list)
    settings: dict[str | None, Row] = field(default_factory=dict)
    reach: dict[str | None, datetime] = field(default_factory=dict)
    """The end of the newest hour that an account's files cover, of those whose names say it."""

    def rule(self, account_id: str | None, name: str) -> Any:
        """A setting of an account: its own, else the one of all, else the default."""
        own, general = self.settings.get(account_id, {}), self.settings.get(None, {})
        return own.get(name, general.get(name, DEFAULTS[name]))

    def skill_name(self, row: Row, column: str = "skill_id") -> str | None:
        """The name of a row's skill."""
        name: str | None = self._name(self.skills, row, column, "skill_name")
        return name

    def agent_name(self, row: Row, column: str = "agent_id") -> str | None:
        """The name of a row's agent."""
        name: str | None = self._name(self.agents, row, column, "agent_name")
        return name

    def is_bot_skill(self, row: Row, column: str = "skill_id") -> bool:
        """Whether a row's skill is a bot's."""
        return bool(self._name(self.skills, row, column, "is_bot"))

    def is_bot(self, row: Row, skill: str = "skill_id", agent: str = "agent_id") -> bool:
        """Whether a segment, a response or an entry is a bot's: by agents.csv, else by skills.csv."""
        said = self._name(self.agents, row, agent, "is_bot")
        return self.is_bot_skill(row, skill) if said is None else bool(said)

    def ended_with_bot(self, row: Row) -> bool:
        """Whether a conversation ended with a bot; who gave up in a queue is with its skill, and no more with an agent."""
        gave_up = row["ended_in_queue"] if "ended_in_queue" in row else row["abandoned_entry_count"] > 0
        return self.is_bot_skill(row) if gave_up else self.is_bot(row)

    @staticmethod
    def _name(names: Names, row: Row, column: str, gives: str) -> Any:
        return names.get((row["account_id"], row[column]), {}).get(gives)


def conversation_key(row: Row) -> Key:
    """The columns that a conversation is known by."""
    return row["account_id"], row["conversation_id"], row["date"]


def add_file(model: Model, contents: bytes, name: str) -> None:
    """Add the rows of a source file; of a conversation that it brings twice the later delivery counts."""
    text = gzip.decompress(contents) if contents[:2] == b"\x1f\x8b" else contents
    tables = read_file(text, name, None, None)
    add_reach(model, name, {row["account_id"] for row in tables["conversations"]})
    lines, transfers = (by_delivery(tables[table]) for table in ("messages", "transfers"))
    newest = {(row["account_id"], row["conversation_id"]): row for row in tables["conversations"]}
    for conversation in newest.values():
        of_it = [rows.get(conversation["delivery"], []) for rows in (lines, transfers)]
        for fact, rows in facts_of(conversation, *of_it).items():
            getattr(model, fact).extend(rows)
        model.conversations.append(with_datetimes(conversation))
        model.messages += map(with_datetimes, of_it[0])
        model.transfers += map(with_datetimes, of_it[1])


def add_reach(model: Model, name: str, accounts: set[str | None]) -> None:
    """Note the end of the file's hour, of a name such as `Engagement.<start>.<end>.part-00000-0.gz`."""
    parts = name.split(".")
    if len(accounts) == 1 and len(parts) > 2 and parts[2].isdigit():
        (account_id,) = accounts
        end = FIRST_DAY + timedelta(milliseconds=int(parts[2]))
        model.reach[account_id] = max(end, model.reach.get(account_id, end))


def by_delivery(rows: Iterable[Row]) -> dict[int, list[Row]]:
    """The lines or transfers of each delivery, in order of `position`."""
    ordered = sorted(rows, key=lambda row: (row["delivery"], row["position"]))
    return {delivery: list(group) for delivery, group in groupby(ordered, key=lambda row: row["delivery"])}


def with_datetimes(row: Row) -> Row:
    """A row whose times are datetimes."""
    return {column: as_datetime(value) if is_time(column) else value for column, value in row.items()}


def is_time(column: str) -> bool:
    """Whether a column of a reference row is a time."""
    return column == "timestamp" or column.endswith("_time")


def as_datetime(microseconds: int | None) -> datetime | None:
    """The time of so many microseconds since 1970."""
    return None if microseconds is None else FIRST_DAY + timedelta(microseconds=microseconds)
