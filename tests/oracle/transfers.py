"""Views of transfers: from whom, where to, how often, and what became of those who waited again."""

from typing import Any

from oracle.agents import waits
from oracle.calendar import Period
from oracle.facts import without_nobody
from oracle.mcs import day_of
from oracle.measures import by_key, grouped, share
from oracle.model import Model, Row, conversation_key

KINDS = {"to_agent_count": "agent", "to_skill_count": "skill", "to_queue_count": "queue", "no_target_count": None}


def transfers_of(model: Model) -> list[Row]:
    """Each transfer with its conversation, its kind, its entry into a queue, whether it goes back, and whether a bot did it."""
    conversations = {conversation_key(row): row for row in model.conversation_metrics}
    entries = grouped((row for row in model.queue_entries if row["is_transfer"]), conversation_key)
    found = []
    for key, rows in grouped(model.transfers, conversation_key).items():
        queued = iter(sorted(entries.get(key, []), key=lambda entry: entry["entry_number"]))
        left: list[Row] = []
        for row in map(without_nobody, sorted(rows, key=lambda row: row["position"])):
            left.append(row)
            entry = None if row["queue_start_time"] is None else next(queued)
            found.append(
                row
                | {name: conversations[key][name] for name in ("type", "conversation_start_time", "is_connected")}
                | {"transfer_kind": kind_of(row), "is_entry": entry is not None}
                | {"is_return": goes_back(row, left, "skill_id") or goes_back(row, left, "agent_id")}
                | {name: entry and entry[name] for name in ("outcome", "wait_milliseconds")}
                | {"is_bot": model.is_bot(row), "is_bot_entry": entry is not None and model.is_bot(entry)}
            )
    return found


def kind_of(transfer: Row) -> str | None:
    """To an agent, to another skill, back to the queue of the skill, or nowhere that it says."""
    if transfer["target_agent_id"] is not None:
        return "agent"
    target = transfer["target_skill_id"]
    return None if target is None else "queue" if target == transfer["skill_id"] else "skill"


def goes_back(transfer: Row, left: list[Row], column: str) -> bool:
    """Whether the target is another than was left now, and was left before."""
    target: Any = transfer[f"target_{column}"]
    return target is not None and target != transfer[column] and target in {row[column] for row in left}


def kinds(transfers: list[Row]) -> Row:
    """How many transfers are of each kind."""
    return {name: sum(row["transfer_kind"] == kind for row in transfers) for name, kind in KINDS.items()}


def entries_of(transfers: list[Row]) -> Row:
    """Entries of people that the transfers made, and their waits; those of bots are a number."""
    entries = [row for row in transfers if row["is_entry"]]
    measures = waits([row for row in entries if not row["is_bot_entry"]])
    return {f"transfer_{name}": value for name, value in measures.items()} | {
        "bot_transfer_entry_count": sum(row["is_bot_entry"] for row in entries)
    }


def sides_of(model: Model) -> dict[Any, set[bool]]:
    """Who had each connected conversation: people (False), bots (True), or both; people, where no segment says it."""
    segments = grouped(model.segments, conversation_key)
    return {
        key: {model.is_bot(segment) for segment in segments.get(key, [])} or {False}
        for row in model.conversation_metrics
        if row["is_connected"]
        for key in [conversation_key(row)]
    }


def transfer_daily(model: Model, period: Period) -> list[Row]:
    """Transfers by people and by bots, and the conversations that people and bots had."""
    sides = sides_of(model)
    had = [
        day_of(model, row, period) | {"is_bot": is_bot, "transfer": None}
        for row in model.conversation_metrics
        for is_bot in sides.get(conversation_key(row), ())
    ]
    handed = [day_of(model, row, period) | {"transfer": row} for row in transfers_of(model)]

    def measures(rows: list[Row]) -> Row:
        transfers = [row["transfer"] for row in rows if row["transfer"]]
        own = [row for row in transfers if row["is_bot"] in sides.get(conversation_key(row), ())]
        count = len(rows) - len(transfers)
        moved = {conversation_key(row) for row in own}
        back = {conversation_key(row) for row in own if row["is_return"]}
        return {
            "handled_count": count,
            "transfer_count": len(transfers),
            "handled_transfer_count": len(own),
            "transfers_per_conversation": share(len(own), count),
            "transferred_count": len(moved),
            "transferred_share": share(len(moved), count),
            **kinds(transfers),
            "returned_count": len(back),
            "returned_share": share(len(back), len(moved)),
            **entries_of(transfers),
        }

    return by_key([*had, *handed], measures, "account_id", period.column, "type", "is_bot")


def agent_transfer_daily(model: Model, period: Period) -> list[Row]:
    """By the agent and the skill who handed over."""

    def measures(rows: list[Row]) -> Row:
        return {"transfer_count": len(rows), **kinds(rows), "return_count": sum(row["is_return"] for row in rows)}

    transfers = [day_of(model, row, period) for row in transfers_of(model)]
    rows = by_key(transfers, measures, "account_id", period.column, "type", "agent_id", "skill_id", "is_bot")
    return [row | {"agent_name": model.agent_name(row), "skill_name": model.skill_name(row)} for row in rows]


def transfer_flow(model: Model, period: Period | None = None) -> list[Row]:
    """From skill to skill, of all time or by the day of the conversation."""

    def measures(rows: list[Row]) -> Row:
        entries = entries_of(rows)
        del entries["transfer_moved_count"], entries["transfer_queue_p90_seconds"]
        return {
            "transfer_count": len(rows),
            "flow_conversation_count": len({conversation_key(row) for row in rows}),
            **entries,
        }

    transfers = [day_of(model, row, period) if period else row for row in transfers_of(model)]
    days = [period.column] if period else []
    rows = by_key(transfers, measures, "account_id", *days, "type", "skill_id", "target_skill_id", "is_bot")
    return [
        row | {"skill_name": model.skill_name(row), "target_skill_name": model.skill_name(row, "target_skill_id")}
        for row in rows
    ]
