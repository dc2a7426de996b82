"""Views of the source: files that came, how late and with which gaps, and values that they lack.

The ledger's rows, `files` and `listings`, are the product's: these views are about them.
"""

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Any

from oracle.dimensions import NOBODY
from oracle.measures import columns_of, grouped, known, mean, milliseconds_between, quantile, share
from oracle.model import Model, Row

KEY = ("account_id", "date", "type")
NOTHING = {"consumer_id": (None, ""), "visitor_id": (None, ""), "agent_id": NOBODY}
"""Values of ids that are no id."""
HOUR = timedelta(hours=1)
HOUR_MILLISECONDS = 3_600_000


def total(rows: list[Row], name: str) -> int:
    """The sum of the rows that have a number."""
    return sum(row[name] or 0 for row in rows)


def source_daily(model: Model) -> list[Row]:
    """Files by the day of their hour."""
    files = [row | {"scope_date": row["scope_start_time"] and row["scope_start_time"].date()} for row in model.files]
    found = []
    for (account_id, day), here in grouped(files, columns_of("account_id", "scope_date")).items():
        loaded = [row for row in here if row["status"] == "loaded"]
        found.append(
            {
                "account_id": account_id,
                "scope_date": day,
                "file_count": len(loaded),
                "empty_file_count": sum(row["conversations"] == 0 for row in loaded),
                "rejected_file_count": sum(row["status"] == "rejected" for row in here),
                "byte_count": total(loaded, "bytes"),
                "document_count": total(loaded, "documents"),
                "delivered_conversation_count": total(loaded, "conversations"),
                "delivered_message_count": total(loaded, "messages"),
                "delivered_transfer_count": total(loaded, "transfers"),
                "rejected_document_count": total(loaded, "rejects"),
                "rejected_share": share(total(loaded, "rejects"), total(loaded, "documents")),
            }
        )
    return found


def gaps_of(files: list[Row]) -> list[tuple[datetime, datetime]]:
    """Go from hour to hour, from the first that is loaded to the last, for those that are not."""
    spans = [(row["scope_start_time"], row["scope_end_time"]) for row in files if row["status"] == "loaded"]
    covered = {start + number * HOUR for start, end in spans if start and end for number in range((end - start) // HOUR)}
    gaps: list[tuple[datetime, datetime]] = []
    if not covered:
        return gaps
    for number in range((max(covered) - min(covered)) // HOUR):
        hour = min(covered) + number * HOUR
        if hour not in covered:
            begins = gaps.pop()[0] if gaps and gaps[-1][1] == hour else hour
            gaps.append((begins, hour + HOUR))
    return gaps


def source_gaps(model: Model) -> list[Row]:
    """The gaps of each account."""
    return [
        {"account_id": account_id, "gap_start_time": begins, "gap_end_time": ends, "gap_hour_count": (ends - begins) // HOUR}
        for (account_id,), files in grouped(model.files, columns_of("account_id")).items()
        for begins, ends in gaps_of(files)
    ]


def source_freshness(model: Model) -> list[Row]:
    """How far each account's files reach."""
    kept = grouped(model.conversations, columns_of("account_id"))
    states = Counter((row["account_id"], row["state"]) for row in source_hours(model))
    found = []
    for (account_id,), files in grouped(model.files, columns_of("account_id")).items():
        loaded = [row for row in files if row["status"] == "loaded"]
        conversations = kept[account_id,]
        found.append(
            {
                "account_id": account_id,
                "scope_start_time": min((row["scope_start_time"] for row in loaded if row["scope_start_time"]), default=None),
                "scope_end_time": max((row["scope_end_time"] for row in loaded if row["scope_end_time"]), default=None),
                "newest_end_time": max(
                    (row["conversation_end_time"] for row in conversations if row["conversation_end_time"]), default=None
                ),
                "loaded_at": max((row["loaded_at"] for row in files if row["loaded_at"]), default=None),
                "file_count": len(loaded),
                "rejected_file_count": len(files) - len(loaded),
                "rejected_document_count": total(files, "rejects"),
                "missing_hour_count": states[account_id, "missing"],
                "unknown_hour_count": states[account_id, "unknown"],
                "delivered_count": total(loaded, "conversations"),
                "conversation_count": len(conversations),
                "superseded_count": total(loaded, "conversations") - len(conversations),
            }
        )
    return found


def source_hours(model: Model) -> list[Row]:
    """Every hour from the first to the last that a file or a listing tells of."""
    files, listings = model.files, model.listings
    brought: dict[tuple[str | None, datetime], list[Row]] = defaultdict(list)
    for row in files:
        if row["scope_start_time"]:
            hour = row["scope_start_time"].replace(minute=0, second=0, microsecond=0)
            brought[row["account_id"], hour].append(row)
    listed = {(row["account_id"], row["hour"]): row for row in listings}
    met = {(row["account_id"], row["name"]) for row in files}
    hours: dict[str | None, list[datetime]] = defaultdict(list)
    for account_id, hour in brought.keys() | listed.keys():
        hours[account_id].append(hour)
    found = []
    for account_id, ends in hours.items():
        for number in range((max(ends) - min(ends)) // HOUR + 1):
            hour = min(ends) + number * HOUR
            listing = listed.get((account_id, hour))
            names = listing["missing"] if listing else []
            missing = sorted(name for name in names if not met & {(account_id, name), (None, name)})
            found.append({"account_id": account_id, "hour": hour} | state_of(brought[account_id, hour], listing, missing))
    return found


def state_of(files: list[Row], listing: Row | None, missing: list[str]) -> Row:
    """The state of an hour in the lake."""
    if missing:
        state = "missing"
    elif not files and (listing is None or listing["listed_at"] is None):
        state = "unknown"
    elif files:
        state = "rejected" if any(row["status"] == "rejected" for row in files) else "loaded"
    else:
        state = "empty"
    return {
        "state": state,
        "file_count": len(files),
        "delivered_conversation_count": total(files, "conversations"),
        "reject_count": total(files, "rejects"),
        "listed_count": listing["files"] if listing else None,
        "listed_at": listing["listed_at"] if listing else None,
        "missing": missing,
    }


def source_lateness_daily(model: Model) -> list[Row]:
    """From the end of a conversation to that of its file's hour, and from there to the load."""
    files = {(row["account_id"], row["name"]): row for row in model.files}
    found = []
    for key, here in grouped(model.conversations, columns_of(*KEY)).items():
        to_file, to_load = [], []
        for row in here:
            file = files.get((row["account_id"], row["source_file"]), {"scope_end_time": None, "loaded_at": None})
            to_file.append(milliseconds_between(row["conversation_end_time"], file["scope_end_time"]))
            to_load.append(milliseconds_between(file["scope_end_time"], file["loaded_at"]))
        file_hours, load_hours = ([time / HOUR_MILLISECONDS for time in known(times)] for times in (to_file, to_load))
        late = sum(hours > model.rule(key[0], "late_hours") for hours in file_hours)
        found.append(
            dict(zip(KEY, key, strict=True))
            | {
                "conversation_count": len(here),
                "lateness_count": len(file_hours),
                "file_p50_hours": quantile(file_hours, 0.5),
                "file_p995_hours": quantile(file_hours, 0.995),
                "file_max_hours": max(file_hours, default=None),
                "late_count": late,
                "late_share": share(late, len(file_hours)),
                "load_p50_hours": quantile(load_hours, 0.5),
                "load_max_hours": max(load_hours, default=None),
            }
        )
    return found


def is_nothing(row: Row, column: str) -> bool:
    """Whether a row has no value in a column, or no id."""
    return row[column] in NOTHING.get(column, (None,))


def null_share_daily(model: Model) -> list[Row]:
    """Conversations that lack something, of all and of those that were connected."""
    lacks: dict[str, tuple[str, ...]] = {
        "consumer": ("consumer_id",),
        "visitor": ("visitor_id",),
        "person": ("consumer_id", "visitor_id"),
        "campaign": ("campaign_id",),
        "device": ("source_device",),
        "skill": ("skill_id",),
        "end_reason": ("end_reason_id",),
        "queue_start": ("queue_start_time",),
        "end": ("conversation_end_time",),
        "mcs": ("mcs",),
        "agent": ("agent_id",),
    }
    found = []
    for key, here in grouped(model.conversations, columns_of(*KEY)).items():
        connected = [row for row in here if row["interaction_start_time"]]
        day: dict[str, Any] = dict(zip(KEY, key, strict=True))
        day |= {"conversation_count": len(here), "connected_count": len(connected)}
        for name, columns in lacks.items():
            rows = connected if name in {"mcs", "agent"} else here
            day[f"{name}_null_share"] = mean([all(is_nothing(row, column) for column in columns) for row in rows])
        found.append(day)
    return found


def unknown_fields(model: Model) -> list[Row]:
    """Each field with the loaded files that have it."""
    found = []
    for (account_id,), files in grouped(model.files, columns_of("account_id")).items():
        loaded = [row for row in files if row["status"] == "loaded"]
        for field in {field for row in loaded for field in row["unknown_fields"] or []}:
            having = [row for row in loaded if field in (row["unknown_fields"] or [])]
            times = [row["scope_start_time"] for row in having if row["scope_start_time"]]
            found.append(
                {
                    "account_id": account_id,
                    "field": field,
                    "file_count": len(having),
                    "file_share": len(having) / len(loaded),
                    "first_scope_time": min(times, default=None),
                    "last_scope_time": max(times, default=None),
                }
            )
    return found
