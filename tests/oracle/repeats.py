"""Who came back after a conversation."""

from datetime import datetime, timedelta

import polars as pl

from oracle.shared import Row, Tables, frame_of, grouped, ratio, seconds_between

REPEAT_BOUNDS = (1, 24, 72, 168, 336, 720)
RESOLUTION_SECONDS = 72 * 3600


def repeat_contact(tables: Tables) -> pl.DataFrame:
    """For each conversation of a person the first of the person's others that began after it."""
    named = []
    for row in tables["conversations"].iter_rows(named=True):
        kind = "visitor" if row["consumer_id"] is None else "consumer"
        named.append(row | {"person_kind": kind, "person_id": row[f"{kind}_id"]})
    people = grouped((row for row in named if row["person_id"] is not None), "account_id", "person_kind", "person_id")
    reach = data_end(tables)
    return frame_of(
        row
        | followed(row, next_of(row, rows))
        | {"observed_seconds": (reach[row["account_id"]] - row["conversation_end_time"]) / timedelta(seconds=1)}
        for rows in people.values()
        for row in rows
        if row["conversation_end_time"]
    )


def next_of(conversation: Row, rows: list[Row]) -> Row | None:
    """The first of these that began after this one's end, and after its start."""
    times = (conversation["conversation_end_time"], conversation["conversation_start_time"])
    over = max(time for time in times if time)
    later = [row for row in rows if row["conversation_start_time"] and row["conversation_start_time"] > over]
    return min(later, key=lambda row: row["conversation_start_time"], default=None)


def followed(conversation: Row, following: Row | None) -> Row:
    """The columns on a conversation and the next one."""
    names = ("next_start_time", "repeat_seconds", "repeat_band", "repeat_bound_hours", "is_same_skill")
    if following is None:
        return dict.fromkeys(names)
    gap = seconds_between(conversation["conversation_end_time"], following["conversation_start_time"])
    bands = [(number, float(hours)) for number, hours in enumerate(REPEAT_BOUNDS, 1) if gap is None or gap <= hours * 3600]
    band, hours = bands[0] if bands else (None, None)
    skills = (conversation["skill_id"], following["skill_id"])
    is_same_skill = None if None in skills else skills[0] == skills[1]
    return dict(zip(names, (following["conversation_start_time"], gap, band, hours, is_same_skill), strict=True))


def data_end(tables: Tables) -> dict[str | None, datetime]:
    """Where the data of each account reaches: the last hour that is loaded; where no hour is known the last start."""
    loaded = [row for row in tables["files"].iter_rows(named=True) if row["status"] == "loaded" and row["scope_end_time"]]
    started = [row for row in tables["conversations"].iter_rows(named=True) if row["conversation_start_time"]]
    ends = {
        account_id: max(row["conversation_start_time"] for row in rows)
        for (account_id,), rows in grouped(started, "account_id").items()
    }
    return ends | {
        account_id: max(row["scope_end_time"] for row in rows) for (account_id,), rows in grouped(loaded, "account_id").items()
    }


def repeat_contact_daily(tables: Tables) -> pl.DataFrame:
    """Came back within three days, of those observed for as long."""
    names = ("account_id", "end_date")
    known = [row | {"end_date": row["conversation_end_time"].date()} for row in repeat_contact(tables).iter_rows(named=True)]
    nobodies = [
        row | {"end_date": row["conversation_end_time"].date()}
        for row in tables["conversations"].iter_rows(named=True)
        if row["conversation_end_time"] and row["consumer_id"] is None and row["visitor_id"] is None
    ]
    closed, unknown = grouped(known, *names), grouped(nobodies, *names)
    found = []
    for key in closed.keys() | unknown.keys():
        judged = [row for row in closed[key] if row["observed_seconds"] >= RESOLUTION_SECONDS]
        repeated = [row for row in judged if row["repeat_seconds"] is not None and row["repeat_seconds"] <= RESOLUTION_SECONDS]
        same = sum(row["is_same_skill"] is True for row in repeated)
        found.append(
            dict(zip(names, key, strict=True))
            | {
                "closed_count": len(closed[key]),
                "unknown_person_count": len(unknown[key]),
                "judged_count": len(judged),
                "repeated_count": len(repeated),
                "repeated_share": ratio(len(repeated), len(judged)),
                "resolved_share": ratio(len(judged) - len(repeated), len(judged)),
                "same_skill_count": same,
                "same_skill_share": ratio(same, len(judged)),
            }
        )
    return frame_of(found)
