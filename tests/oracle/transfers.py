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
    """Each transfer with its conversation, its kind, its entry into a queue, and whether it goes back."""
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


def transfer_daily(model: Model, period: Period) -> list[Row]:
    """Conversations of a day, those of them that were transferred, and all transfers."""
    transfers = grouped(transfers_of(model), conversation_key)

    def measures(conversations: list[Row]) -> Row:
        connected = [row for row in conversations if row["is_connected"]]
        rows = [transfer for row in conversations for transfer in transfers.get(conversation_key(row), [])]
        of_connected = sum(row["transfer_count"] for row in connected)
        moved = [row for row in connected if row["transfer_count"] > 0]
        back = sum(any(transfer["is_return"] for transfer in transfers[conversation_key(row)]) for row in moved)
        return {
            "connected_count": len(connected),
            "transfer_count": len(rows),
            "connected_transfer_count": of_connected,
            "transfers_per_conversation": share(of_connected, len(connected)),
            "transferred_count": len(moved),
            "transferred_share": share(len(moved), len(connected)),
            **kinds(rows),
            "returned_count": back,
            "returned_share": share(back, len(moved)),
            **waits([row for row in rows if row["is_entry"]]),
        }

    rows = [day_of(model, row, period) for row in model.conversation_metrics]
    return by_key(rows, measures, "account_id", period.column, "type")


def agent_transfer_daily(model: Model, period: Period) -> list[Row]:
    """By the agent and the skill who handed over."""

    def measures(rows: list[Row]) -> Row:
        return {"transfer_count": len(rows), **kinds(rows), "return_count": sum(row["is_return"] for row in rows)}

    transfers = [day_of(model, row, period) for row in transfers_of(model)]
    rows = by_key(transfers, measures, "account_id", period.column, "type", "agent_id", "skill_id")
    return [row | {"agent_name": model.agent_name(row), "skill_name": model.skill_name(row)} for row in rows]


def transfer_flow(model: Model, period: Period | None = None) -> list[Row]:
    """From skill to skill, of all time or by the day of the conversation."""

    def measures(rows: list[Row]) -> Row:
        entries = waits([row for row in rows if row["is_entry"]])
        del entries["moved_count"], entries["queue_p90_seconds"]
        return {
            "transfer_count": len(rows),
            "conversation_count": len({conversation_key(row) for row in rows}),
            **entries,
        }

    transfers = [day_of(model, row, period) if period else row for row in transfers_of(model)]
    days = [period.column] if period else []
    rows = by_key(transfers, measures, "account_id", *days, "type", "skill_id", "target_skill_id")
    return [
        row | {"skill_name": model.skill_name(row), "target_skill_name": model.skill_name(row, "target_skill_id")}
        for row in rows
    ]
