"""Views of bots: what they contained, what they handed to people, and how long the person took to come."""

from oracle import repeats
from oracle.calendar import Period
from oracle.mcs import day_of
from oracle.measures import columns_of, grouped, known, milliseconds_between, seconds, share, timing
from oracle.model import Model, Row, conversation_key


def bot_conversations(model: Model) -> list[Row]:
    """The conversations whose first segment is a bot's, with the first person that they came to; legs of one are joined."""
    segments = grouped(model.segments, conversation_key)
    entries = grouped(model.queue_entries, conversation_key)
    found = []
    for legs in repeats.joined_legs(model):
        row = legs[0]
        parts = [part for leg in legs for part in segments.get(conversation_key(leg), [])]
        if not parts or not model.is_bot(parts[0]):
            continue
        given_up = [
            entry
            for leg in legs
            for entry in entries[conversation_key(leg)]
            if entry["outcome"] == "abandoned" and not model.is_bot_skill(entry)
        ]
        person = next((place for place, part in enumerate(parts) if not model.is_bot(part)), None)
        first = {name: row[name] for name in ("account_id", "conversation_id", "date", "type")}
        first |= {name: parts[0][name] for name in ("skill_id", "agent_id")}
        found.append(
            first
            | {"skill_name": model.skill_name(first), "agent_name": model.agent_name(first)}
            | {"conversation_start_time": row["conversation_start_time"]}
            | {"time_zone": model.rule(row["account_id"], "time_zone")}
            | person_of(model, row, parts, person)
            | {"gave_up": person is None and given_up != []}
        )
    return found


def person_of(model: Model, conversation: Row, parts: list[Row], place: int | None) -> Row:
    """The columns about the first segment of a person."""
    part = None if place is None else parts[place]
    waits: dict[str, int | None] = {"person_wait": None, "handover_wait": None}
    if place is not None and part is not None:
        assigned = part["assigned_time"]
        waits["person_wait"] = milliseconds_between(conversation["conversation_start_time"], assigned)
        waits["handover_wait"] = milliseconds_between(parts[place - 1]["ended_time"], assigned)
    return {
        "reached_person": part is not None,
        "person_skill_id": part and part["skill_id"],
        "person_agent_id": part and part["agent_id"],
        "person_skill_name": part and model.skill_name(part),
        "person_agent_name": part and model.agent_name(part),
        "person_time": part and part["assigned_time"],
        **{f"{name}_milliseconds": wait for name, wait in waits.items()},
        **{f"{name}_seconds": seconds(wait) for name, wait in waits.items()},
    }


def measures(rows: list[Row]) -> Row:
    """How many were contained, handed on and given up, and the waits for a person."""
    reached = sum(row["reached_person"] for row in rows)
    gave_up = sum(row["gave_up"] for row in rows)
    waits: Row = {}
    for prefix in ("person_wait", "handover_wait"):
        times = known(row[f"{prefix}_milliseconds"] for row in rows)
        waits |= {f"{prefix}_count": len(times)} | timing(prefix, times, of="sum avg p50 p90")
    return {
        "bot_count": len(rows),
        "contained_count": len(rows) - reached,
        "containment_share": share(len(rows) - reached, len(rows)),
        "handover_count": reached,
        "handover_share": share(reached, len(rows)),
        "gave_up_count": gave_up,
        "gave_up_share": share(gave_up, len(rows)),
        **waits,
    }


def bot_daily(model: Model, period: Period) -> list[Row]:
    """By the day of the conversation."""
    key = ("account_id", period.column, "type")
    rows = [day_of(model, row, period) for row in bot_conversations(model)]
    return [dict(zip(key, values, strict=True)) | measures(group) for values, group in grouped(rows, columns_of(*key)).items()]


def bot_by_skill(model: Model, period: Period | None = None) -> list[Row]:
    """By the skill of the bot that began, of all time or by the day of the conversation."""
    key = ("account_id", "skill_id", "type", *([period.column] if period else []))
    begun = [day_of(model, row, period) if period else row for row in bot_conversations(model)]
    rows = [dict(zip(key, values, strict=True)) | measures(group) for values, group in grouped(begun, columns_of(*key)).items()]
    return [row | {"skill_name": model.skill_name(row)} for row in rows]
