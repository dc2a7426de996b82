"""Views of contacts: who came back, and after which conversations nobody had to."""

from datetime import datetime, timedelta
from typing import Any, Final

from reference import FIRST_DAY

from oracle.calendar import Period
from oracle.measures import columns_of, grouped, share
from oracle.model import Model, Row

SECOND: Final = timedelta(seconds=1)
HANDED_ON: Final = (101, 106)
TAKEN_OVER: Final = (2, 3)


def in_order(row: Row) -> tuple[Any, ...]:
    """The place of a record among those of its person: by start, those without one last."""
    start = row["conversation_start_time"]
    return start is None, start or FIRST_DAY, row["conversation_id"], row["date"]


def contacts(model: Model) -> list[Row]:
    """A row for each contact: a record, or several that are the legs of one."""
    return [contact_of(legs) for legs in joined_legs(model)]


def joined_legs(model: Model) -> list[list[Row]]:
    """The records of each contact: one, or several that are the legs of one."""
    people = grouped(model.conversation_metrics, columns_of("account_id", "person_id"))
    found: list[list[Row]] = []
    for (_, person_id), records in people.items():
        legs: list[Row] = []
        for record in sorted(records, key=in_order):
            is_leg = (
                person_id is not None
                and legs
                and record["start_reason_id"] in TAKEN_OVER
                and legs[-1]["end_reason_id"] in HANDED_ON
            )
            if legs and not is_leg:
                found.append(legs)
                legs = []
            legs.append(record)
        found.append(legs)
    return found


def contact_of(legs: list[Row]) -> Row:
    """One contact: it ends as its last record does, and begins as its first."""
    names = ("account_id", "conversation_id", "date", "type", "person_id", "skill_id", "agent_id", "conversation_end_time")
    begins = ("first_skill_id", "first_agent_id", "conversation_start_time")
    return (
        {name: legs[-1][name] for name in names}
        | {name: legs[0][name] for name in begins}
        | {"leg_count": len(legs), "is_served": any(leg["agent_line_count"] > 0 for leg in legs)}
        | {"ended_in_queue": legs[-1]["abandoned_entry_count"] > 0}
    )


def next_of(contact: Row, others: list[Row]) -> Row | None:
    """The first contact of these that starts after the end of this one, and after its start."""
    over = max(time for time in (contact["conversation_end_time"], contact["conversation_start_time"]) if time)
    later = [other for other in others if other["conversation_start_time"] and other["conversation_start_time"] > over]
    return min(
        later, key=lambda other: (other["conversation_start_time"], other["conversation_id"], other["date"]), default=None
    )


def observed_until(model: Model) -> dict[str | None, datetime]:
    """How far the data of each account reach: the end of the newest hour, else the newest start."""
    starts = [row for row in model.conversation_metrics if row["conversation_start_time"]]
    return {
        account_id: max(row["conversation_start_time"] for row in rows)
        for (account_id,), rows in grouped(starts, columns_of("account_id")).items()
    } | model.reach


def repeat_contact(model: Model) -> list[Row]:
    """The contacts of a known person that ended, each with the next one."""
    people = grouped((row for row in contacts(model) if row["person_id"] is not None), columns_of("account_id", "person_id"))
    until = observed_until(model)
    names = (
        *("account_id", "conversation_id", "date", "type", "person_id", "first_skill_id", "skill_id", "agent_id", "leg_count"),
        *("is_served", "conversation_end_time"),
    )
    return [
        {name: contact[name] for name in names}
        | {"first_skill_name": model.skill_name(contact, "first_skill_id")}
        | {"skill_name": model.skill_name(contact), "agent_name": model.agent_name(contact)}
        | {"ended_with_bot": model.ended_with_bot(contact)}
        | return_of(model, contact, next_of(contact, others))
        | {"observed_seconds": (until[contact["account_id"]] - contact["conversation_end_time"]) / SECOND}
        for others in people.values()
        for contact in others
        if contact["conversation_end_time"]
    ]


def return_of(model: Model, contact: Row, following: Row | None) -> Row:
    """The columns about the next contact."""
    if following is None:
        return dict.fromkeys(("next_start_time", "repeat_seconds", "repeat_band", "repeat_bound_hours", "is_same_skill"))
    gap = (following["conversation_start_time"] - contact["conversation_end_time"]) / SECOND
    bounds = model.rule(contact["account_id"], "repeat_bounds_hours")
    band = next((number for number, hours in enumerate(bounds, 1) if gap <= hours * 3600), None)
    skills = contact["skill_id"], following["first_skill_id"]
    return {
        "next_start_time": following["conversation_start_time"],
        "repeat_seconds": gap,
        "repeat_band": band,
        "repeat_bound_hours": None if band is None else bounds[band - 1],
        "is_same_skill": None if None in skills else skills[0] == skills[1],
    }


def outcomes(model: Model, closed: list[Row]) -> Row:
    """Of served contacts: those observed for long enough, and those after which the person came back."""
    hours = {row["account_id"]: model.rule(row["account_id"], "resolution_hours") for row in closed}
    judged = [row for row in closed if row["observed_seconds"] >= hours[row["account_id"]] * 3600]
    repeated = [
        row for row in judged if row["repeat_seconds"] is not None and row["repeat_seconds"] <= hours[row["account_id"]] * 3600
    ]
    same_skill = sum(row["is_same_skill"] is True for row in repeated)
    return {
        "closed_count": len(closed),
        "judged_count": len(judged),
        "repeated_count": len(repeated),
        "repeated_share": share(len(repeated), len(judged)),
        "resolved_count": len(judged) - len(repeated),
        "resolved_share": share(len(judged) - len(repeated), len(judged)),
        "same_skill_count": same_skill,
        "same_skill_share": share(same_skill, len(judged)),
    }


def with_end_day(model: Model, row: Row, period: Period) -> Row:
    """A contact with the day on which it ended."""
    return row | {period.column: period.of(model, row, "conversation_end_time", "date")}


def closed_by_key(model: Model, period: Period | None, *columns: str) -> list[Row]:
    """Contacts that ended, by these columns, and by the day of the end if asked.

    Those never served, and those of unknown people, are counted beside.
    """
    key = ("account_id", *([period.column] if period else []), *columns, "type", "ended_with_bot")

    def by(rows: list[Row]) -> dict[Any, list[Row]]:
        days = [with_end_day(model, row, period) for row in rows] if period else rows
        with_bots = (row if "ended_with_bot" in row else row | {"ended_with_bot": model.ended_with_bot(row)} for row in days)
        return grouped(with_bots, columns_of(*key))

    closed = by([row for row in repeat_contact(model) if row["is_served"]])
    ended = by([row for row in contacts(model) if row["conversation_end_time"]])
    return [
        dict(zip(key, values, strict=True))
        | {
            "unserved_count": sum(not row["is_served"] for row in group),
            "unknown_person_count": sum(row["is_served"] and row["person_id"] is None for row in group),
        }
        | outcomes(model, closed.get(values, []))
        for values, group in ended.items()
    ]


def repeat_contact_daily(model: Model, period: Period) -> list[Row]:
    """By the day on which the contact ended."""
    return closed_by_key(model, period)


def repeat_contact_by_agent(model: Model, period: Period | None = None) -> list[Row]:
    """By the agent who closed the contact."""
    return [row | {"agent_name": model.agent_name(row)} for row in closed_by_key(model, period, "agent_id")]


def repeat_contact_by_skill(model: Model, period: Period | None = None) -> list[Row]:
    """By the skill in which the contact closed."""
    return [row | {"skill_name": model.skill_name(row)} for row in closed_by_key(model, period, "skill_id")]
