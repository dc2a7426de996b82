"""Reads one conversation: its header, and everything that happened, in the order of time and on the account's clock."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import duckdb

from pipeline.errors import QueryError
from pipeline.text import duration

Row = dict[str, Any]

_PLACES: Final = """
    select account_id, date from conversations where conversation_id = $conversation_id order by account_id nulls first"""
_HEADER: Final = """
    select
        metrics.* exclude (account_id), whole.consumer_id, whole.visitor_id, whole.start_page, whole.start_url,
        accounts.account_id, accounts.account_name, accounts.time_zone, labels.end_reason_label, labels.start_reason_label,
        campaigns.campaign_name
    from named_conversations as metrics
    join conversations as whole
        on metrics.account_id is not distinct from whole.account_id
        and metrics.conversation_id = whole.conversation_id and metrics.date = whole.date
    join conversation_labels as labels
        on metrics.account_id is not distinct from labels.account_id
        and metrics.conversation_id = labels.conversation_id and metrics.date = labels.date
    left join accounts on metrics.account_id is not distinct from accounts.account_id
    left join campaigns
        on metrics.account_id is not distinct from campaigns.account_id and metrics.campaign_id = campaigns.campaign_id
    where metrics.conversation_id = $conversation_id and metrics.account_id is not distinct from $account_id
        and metrics.date = $date"""
_ROWS: Final = """
    from {table} where conversation_id = $conversation_id and account_id is not distinct from $account_id and date = $date
    order by {order}"""
_OFFSETS: Final = """
    select from_time, until_time, offset_seconds from utc_offsets
    where time_zone = $time_zone and until_time >= $first and from_time <= $last order by from_time"""
_SKILLS: Final = "select skill_id, skill_name, is_bot from skill_names where account_id is not distinct from $account_id"
_AGENTS: Final = "select agent_id, agent_name, is_bot from agent_names where account_id is not distinct from $account_id"

VISITOR, AGENT, BOT, INFO, COMMENT, EVENT = "visitor", "agent", "bot", "info", "comment", "event"
_WHO: Final = {"0": VISITOR, "1": AGENT, "2": INFO, "3": AGENT, "4": AGENT, "5": COMMENT}
_ENTERS, _ANSWERED, _SAID, _TRANSFERRED, _ENTERS_NEXT, _ENDED = range(6)


@dataclass(frozen=True)
class Event:
    """Something that happened: a line of somebody, or a step of the conversation, of which `text` tells.

    `time` is on the account's clock, None if it was not sent; `gap_seconds` is that since the event before. `mcs` is the score
    after a line.
    """

    time: datetime | None
    gap_seconds: float | None
    who: str
    name: str
    text: str
    mcs: float | None = None


@dataclass(frozen=True)
class Conversation:
    """One conversation: `header` has the columns of `named_conversations` and more, as local_start_time; `events` are in order.

    `clock` names the time zone of all times.
    """

    header: Row
    clock: str
    events: list[Event] = field(default_factory=list)


def read_conversations(connection: duckdb.DuckDBPyConnection, conversation_id: str) -> list[Conversation]:
    """Read the conversation of an id: several, if several accounts have one.

    Raises:
        QueryError: there is none.
    """
    places = _rows(connection, _PLACES, {"conversation_id": conversation_id})
    if not places:
        raise QueryError(f"{conversation_id}: no conversation has this id; lakehouse find WORDS shows ids")
    return [_read(connection, {"conversation_id": conversation_id} | place) for place in places]


def _read(connection: duckdb.DuckDBPyConnection, which: Row) -> Conversation:
    (header,) = _rows(connection, _HEADER, which)
    tables = {
        table: _rows(connection, _ROWS.format(table=table, order=order), which)
        for table, order in (("messages", "position"), ("queue_entries", "entry_number"), ("transfers", "position"))
    }
    names = Names(connection, which["account_id"], tables["messages"])
    timed = sorted(_steps(header, tables, names), key=lambda step: step[:3])
    ends = [header["conversation_start_time"], header["conversation_end_time"]]
    local, clock = _clock(connection, header, [*filter(None, ends), *(step[0] for step in timed if step[0] != _NEVER)])
    times = {f"{name}_time": header[f"conversation_{name}_time"] for name in ("start", "end")}
    header |= {f"local_{name}": local(moment) if moment else None for name, moment in times.items()}
    return Conversation(header, clock, list(_events(timed, local)))


class Names:
    """The names of an account's skills and agents, and which of them are bots; of an agent without a name, that of a line."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, account_id: str | None, lines: list[Row]) -> None:
        self._nicknames = {line["agent_id"]: line["sent_by"] for line in lines if _WHO.get(line["type"]) == AGENT}
        of_account = {"account_id": account_id}
        self._skills = {row["skill_id"]: row for row in _rows(connection, _SKILLS, of_account)}
        self._agents = {row["agent_id"]: row for row in _rows(connection, _AGENTS, of_account)}

    def skill(self, skill_id: int | None) -> str:
        """A skill by its name, else its id."""
        return named("skill", skill_id, self._skills.get(skill_id, {}).get("skill_name"))

    def agent(self, agent_id: str | None) -> str:
        """An agent by name, else by the nickname of a line, else by id."""
        return named("agent", agent_id, self._agents.get(agent_id, {}).get("agent_name") or self._nicknames.get(agent_id))

    def is_bot(self, agent_id: str | None) -> bool:
        """Whether the agent is known as a bot."""
        return bool(self._agents.get(agent_id, {}).get("is_bot"))


def named(kind: str, ident: object, name: str | None) -> str:
    """A skill or an agent by its name, else by its id."""
    return name or (f"{kind} {ident}" if ident is not None else f"an unknown {kind}")


_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_Step = tuple[datetime, int, int, bool, str, str, str, float | None]
"""Time, kind and number, by which steps are ordered; whether the time is guessed; who, name, text and score of the event."""


def _steps(header: Row, tables: dict[str, list[Row]], names: Names) -> Iterator[_Step]:
    """The steps of a conversation; a line without a time stands after the one before it."""
    last = header["conversation_start_time"] or _NEVER
    for line in tables["messages"]:
        last = line["timestamp"] or last
        yield last, _SAID, line["position"], line["timestamp"] is None, *_line(line, names)
    for entry in tables["queue_entries"]:
        number, skill = entry["entry_number"], names.skill(entry["skill_id"])
        if entry["entered_time"] is not None:
            is_first = number == 1 and not entry["is_transfer"]
            kind = _ENTERS if is_first else _ENTERS_NEXT
            yield entry["entered_time"], kind, number, False, EVENT, "", f"waits for {skill}", None
        if entry["left_time"] is not None and (text := _outcome(entry, names)):
            yield entry["left_time"], _ANSWERED, number, False, EVENT, "", text, None
    for transfer in tables["transfers"]:
        if transfer["timestamp"] is not None:
            yield transfer["timestamp"], _TRANSFERRED, transfer["position"], False, EVENT, "", _transfer(transfer, names), None
    if header["conversation_end_time"] is not None:
        ended = f"ended: {header['end_reason_label']}" if header["end_reason_label"] else "ended"
        yield header["conversation_end_time"], _ENDED, 0, False, EVENT, "", ended, None


def _line(line: Row, names: Names) -> tuple[str, str, str, float | None]:
    """Who said what, and the score after it."""
    who = _WHO.get(line["type"], INFO)
    if who in {AGENT, COMMENT}:
        name = names.agent(line["agent_id"]) if line["agent_id"] else line["sent_by"] or "an unknown agent"
        who = BOT if who == AGENT and names.is_bot(line["agent_id"]) else who
    else:
        name = VISITOR if who == VISITOR else ""
    return who, name, _said(line), line["mcs"]


def _said(line: Row) -> str:
    """The text of a line, and what it comes with: a file, a link, a caption."""
    file = " ".join(filter(None, ("file", line["file_type"]))) if line["file_type"] or line["file_caption"] else ""
    link = ", ".join(filter(None, (line["link_url"], line["link_file_type"])))
    more = [
        f"[{': '.join(filter(None, parts))}]"
        for parts in (
            (file, line["file_caption"]),
            ("link" if link or line["link_caption"] else "", line["link_caption"], link),
        )
        if any(parts)
    ]
    kind = "" if line["text"] or more else f"[{line['content_format'] or 'no text'}]"
    return " ".join(filter(None, (line["text"], *more, kind)))


def _outcome(entry: Row, names: Names) -> str | None:
    waited = "" if entry["wait_milliseconds"] is None else f" after {duration(entry['wait_milliseconds'] / 1000)}"
    match entry["outcome"]:
        case "answered":
            return f"{names.agent(entry['agent_id'])} answers{waited}"
        case "abandoned":
            return f"the visitor gives up{waited}"
        case "moved":
            return f"leaves the queue{waited}, unanswered"
    return f"leaves the queue{waited}"


def _transfer(transfer: Row, names: Names) -> str:
    target = names.skill(transfer["target_skill_id"]) if transfer["target_skill_id"] is not None else ""
    to = f"{target}, to {names.agent(transfer['target_agent_id'])}" if transfer["target_agent_id"] else target
    reason = "" if transfer["reason"] is None else f" (reason {transfer['reason']})"
    who, origin = names.agent(transfer["agent_id"]), names.skill(transfer["skill_id"])
    return f"{who} transfers from {origin} to {to or 'an unknown skill'}{reason}"


def _events(timed: list[_Step], local: Callable[[datetime], datetime]) -> Iterator[Event]:
    before: datetime | None = None
    for moment, _, _, is_guessed, who, name, text, mcs in timed:
        known = None if is_guessed or moment == _NEVER else moment
        gap = (known - before).total_seconds() if known and before else None
        yield Event(local(known) if known else None, gap, who, name, text, mcs)
        before = known or before


def _clock(
    connection: duckdb.DuckDBPyConnection, header: Row, moments: list[datetime]
) -> tuple[Callable[[datetime], datetime], str]:
    """A function that gives the time on the account's clock, and the name of that clock; UTC where no offset is known."""
    spans: list[Row] = []
    if moments and header["time_zone"]:
        which = {"time_zone": header["time_zone"], "first": min(moments), "last": max(moments)}
        spans = _rows(connection, _OFFSETS, which)

    def local(moment: datetime) -> datetime:
        offsets = (span["offset_seconds"] for span in spans if span["from_time"] <= moment < span["until_time"])
        return (moment + timedelta(seconds=next(offsets, 0))).replace(tzinfo=None)

    return local, header["time_zone"] if spans else "UTC"


def _rows(connection: duckdb.DuckDBPyConnection, query: str, parameters: Row) -> list[Row]:
    rows: list[Row] = connection.sql(query, params=parameters).to_arrow_table().to_pylist()
    return rows
