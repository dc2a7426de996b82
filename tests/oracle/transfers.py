"""Who handed conversations over, where to, and how long visitors queued again."""

from collections import Counter, defaultdict
from typing import Any

import polars as pl

from oracle.shared import (
    DAY,
    Row,
    Tables,
    by_conversation,
    frame_of,
    grouped,
    known,
    mean,
    milliseconds,
    quantile,
    seconds_between,
)


def transfer_daily(tables: Tables) -> pl.DataFrame:
    """Kinds, rates and returns, conversation by conversation."""
    days: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    waits: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    for row in tables["conversations"].iter_rows(named=True):
        days[row["account_id"], row["date"]]["connected"] += row["interaction_start_time"] is not None
    for (account_id, _, day), moves in by_conversation(tables, "transfers").items():
        found = days[account_id, day]
        found["transferred"] += 1
        found["returned"] += any(came_back(moves[: place + 1]) for place in range(len(moves)))
        for move in moves:
            found["transfers"] += 1
            found[kind_of(move) or "nowhere"] += 1
            wait = seconds_between(move["queue_start_time"], move["queue_end_time"])
            waits[account_id, day] += [] if wait is None else [wait]
    return frame_of(transfers_of(key, found, waits[key]) for key, found in days.items())


def came_back(moves: list[Row]) -> bool:
    """Whether the last of these transfers goes to a skill or an agent that an earlier one, or this, has left."""
    *_, last = moves
    skills, agents = ({move[name] for move in moves} - {None} for name in ("skill_id", "agent_id"))
    to_skill = last["target_skill_id"] in skills - {last["skill_id"]}
    return to_skill or last["target_agent_id"] in agents - {last["agent_id"]}


def kind_of(move: Row) -> str | None:
    """Where a transfer goes, None where it says nothing."""
    if move["target_agent_id"] is not None:
        return "agent"
    if move["target_skill_id"] is None:
        return None
    return "queue" if move["target_skill_id"] == move["skill_id"] else "skill"


def transfers_of(key: tuple[Any, ...], found: Counter[str], seconds: list[float]) -> Row:
    """One day's row."""
    connected, transferred = found["connected"], found["transferred"]
    return {
        "account_id": key[0],
        "date": key[1],
        "connected_count": connected,
        "transfer_count": found["transfers"],
        "transfers_per_conversation": found["transfers"] / connected if connected else None,
        "transferred_count": transferred,
        "transferred_share": transferred / connected if connected else None,
        "to_agent_count": found["agent"],
        "to_skill_count": found["skill"],
        "to_queue_count": found["queue"],
        "returned_count": found["returned"],
        "returned_share": found["returned"] / transferred if transferred else None,
        "queued_count": len(seconds),
        "queue_avg_seconds": mean(seconds),
        "queue_p50_seconds": quantile(seconds, 0.5),
        "queue_p90_seconds": quantile(seconds, 0.9),
    }


def transfer_times(tables: Tables) -> pl.DataFrame:
    """Kind and wait of each transfer."""
    return frame_of(
        move
        | {"transfer_kind": kind_of(move), "queue_milliseconds": milliseconds(move["queue_start_time"], move["queue_end_time"])}
        for move in tables["transfers"].iter_rows(named=True)
    )


def transfer_flow(tables: Tables) -> pl.DataFrame:
    """From skill to skill."""
    names = ("account_id", "skill_id", "target_skill_id")
    found = []
    for key, moves in grouped(tables["transfers"].iter_rows(named=True), *names).items():
        waits = known(seconds_between(move["queue_start_time"], move["queue_end_time"]) for move in moves)
        found.append(
            dict(zip(names, key, strict=True))
            | {
                "transfer_count": len(moves),
                "conversation_count": len({(move["date"], move["conversation_id"]) for move in moves}),
                "queued_count": len(waits),
                "queue_avg_seconds": mean(waits),
                "queue_p50_seconds": quantile(waits, 0.5),
            }
        )
    return frame_of(found)


def agent_transfer_daily(tables: Tables) -> pl.DataFrame:
    """Transfers by the agent who handed over."""
    names = (*DAY, "agent_id", "skill_id")
    counts: dict[tuple[Any, ...], Counter[str | None]] = defaultdict(Counter)
    for move in tables["transfers"].iter_rows(named=True):
        counts[tuple(move[name] for name in names)][kind_of(move)] += 1
    return frame_of(
        dict(zip(names, key, strict=True))
        | {
            "transfer_count": kinds.total(),
            "to_agent_count": kinds["agent"],
            "to_skill_count": kinds["skill"],
            "to_queue_count": kinds["queue"],
            "no_target_count": kinds[None],
        }
        for key, kinds in counts.items()
    )
