"""The tables of made-up accounts with what real ones have: gaps, contradictions, unknown codes, late and broken files."""

from datetime import timedelta
from random import Random
from typing import Any

import polars as pl

Tables = dict[str, pl.DataFrame]

ONE_IN = 30
ORDER = {
    "conversations": ["conversation_id"],
    "messages": ["conversation_id", "position"],
    "transfers": ["conversation_id", "position"],
}
EMPTIED = {
    "conversations": (
        "type conversation_start_time interaction_start_time conversation_end_time consumer_id visitor_id is_interactive"
        " source_device end_reason_id campaign_id agent_id skill_id start_reason_id mcs queue_start_time queue_end_time"
    ),
    "messages": "timestamp type agent_id mcs",
    "transfers": "timestamp skill_id target_skill_id agent_id target_agent_id queue_start_time queue_end_time",
}
MOVED = {
    "conversations": "conversation_end_time queue_start_time queue_end_time interaction_start_time",
    "messages": "timestamp",
    "transfers": "timestamp queue_start_time queue_end_time",
}
# A column that is at times as much later than another, in seconds: exactly as long as a threshold, or not at all.
TIED = {
    "conversations": (
        ("queue_end_time", "queue_start_time", (0, 5, 15, 30)),
        ("conversation_end_time", "interaction_start_time", (0,)),
        ("conversation_end_time", "conversation_start_time", (0,)),
    ),
    "messages": (),
    "transfers": (("queue_end_time", "queue_start_time", (0,)), ("timestamp", "queue_end_time", (0,))),
}
MISTAKEN: dict[str, dict[str, Any]] = {
    "conversations": {"end_reason_id": 999, "start_reason_id": 1, "mcs": 101.0, "is_interactive": False},
    "messages": {"type": "9"},
    "transfers": {},
}


def with_holes(tables: Tables) -> Tables:
    """The same rows, one cell in thirty of many columns emptied, moved or wrong: the same ones at each call."""
    random = Random(6)
    holed = {name: table_with_holes(tables[name].sort(ORDER[name]), name, random) for name in ORDER}
    files = files_with_holes(tables["files"].sort("name"), random)
    return tables | holed | {"files": files, "listings": listings_of(files, tables["listings"], random)}


def table_with_holes(table: pl.DataFrame, name: str, random: Random) -> pl.DataFrame:
    """Conversations, messages or transfers."""

    def some() -> pl.Series:
        return pl.Series([random.random() < 1 / ONE_IN for _ in range(table.height)], dtype=pl.Boolean)

    for column, value in MISTAKEN[name].items():
        table = table.with_columns(pl.when(some()).then(pl.lit(value)).otherwise(pl.col(column)).alias(column))
    for column, other, later in TIED[name]:
        for seconds in later:
            tied = pl.col(other) + pl.duration(seconds=seconds)
            table = table.with_columns(pl.when(some()).then(tied).otherwise(pl.col(column)).alias(column))
    for column in MOVED[name].split():
        for hours in (-2, 2):
            moved = pl.col(column) + pl.duration(hours=hours)
            table = table.with_columns(pl.when(some()).then(moved).otherwise(pl.col(column)).alias(column))
    for column in EMPTIED[name].split():
        table = table.with_columns(pl.when(~some()).then(column).alias(column))
    return table


def files_with_holes(files: pl.DataFrame, random: Random) -> pl.DataFrame:
    """Files as if loaded soon after their hour, some broken, some without an hour, and one of an hour four days later."""
    rows = []
    for row in files.iter_rows(named=True):
        changed: dict[str, Any] = {"loaded_at": row["scope_end_time"] + timedelta(minutes=random.randint(-2, 300))}
        if random.random() < 1 / ONE_IN:
            changed |= {"status": "rejected", "reason": "no gzip", "conversations": 0, "documents": 0}
        elif random.random() < 1 / ONE_IN:
            changed |= {"scope_start_time": None, "scope_end_time": None}
        changed["rejects"] = random.choice((0, 0, 1))
        changed["unknown_fields"] = random.choice((["Conversation.mood"], ["Conversation.mood", "Message.tone"], [], None))
        rows.append(row | changed)
    newest = files.sort("scope_start_time", "name").group_by("account_id", maintain_order=True).last()
    times = pl.col("scope_start_time", "scope_end_time", "loaded_at") + pl.duration(days=4)
    later = newest.with_columns(times, name="later-" + pl.col("name"), conversations=pl.lit(0, pl.Int64))
    return pl.concat([pl.DataFrame(rows, schema=files.schema), later.select(files.columns)])


def listings_of(files: pl.DataFrame, listings: pl.DataFrame, random: Random) -> pl.DataFrame:
    """An API's listings: hours of half of the files, some not downloadable, and hours after them."""
    rows = []
    for row in files.drop_nulls("scope_start_time").sample(fraction=0.5, seed=6).iter_rows(named=True):
        names = random.choice(([], [], [row["name"]], [f"{row['name']}.part", "another.gz"]))
        hour = row["scope_start_time"] + timedelta(hours=random.choice((0, 0, 0, 24)))
        rows.append(
            {"account_id": row["account_id"], "hour": hour, "listed_at": row["scope_end_time"], "files": 1, "missing": names}
        )
    return pl.DataFrame(rows, schema=listings.schema).unique(["account_id", "hour"], keep="first", maintain_order=True)
