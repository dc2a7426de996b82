"""Views by interval: people who came, who waited, and who was answered, quarter by quarter on the account's clocks."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from oracle.calendar import local, zone_of
from oracle.measures import columns_of, grouped, known, seconds
from oracle.model import Model, Row
from oracle.queue import bots, entries_of, limit, longest_wait, of_outcome, people, shorter, within

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def interval_of(model: Model, account_id: str | None) -> timedelta:
    """The length of an account's intervals."""
    return timedelta(minutes=model.rule(account_id, "interval_minutes"))


def interval_start(model: Model, row: Row, moment: datetime) -> datetime:
    """The start of the interval that a time falls in."""
    length = interval_of(model, row["account_id"])
    return EPOCH + (moment - EPOCH) // length * length


def entered(model: Model) -> list[Row]:
    """The entries with a time, and their interval."""
    return [
        entry | {"interval_start": interval_start(model, entry, entry["entered_time"])}
        for entry in entries_of(model)
        if entry["entered_time"] is not None
    ]


def queue_by_interval(model: Model) -> list[Row]:
    """By skill and interval, entries of bots and of people apart."""
    key = ("account_id", "skill_id", "type", "is_bot", "interval_start")
    found = []
    for values, group in grouped(entered(model), columns_of(*key)).items():
        row = dict(zip(key, values, strict=True))
        answered, abandoned = of_outcome(group, "answered"), of_outcome(group, "abandoned")
        waits = known(entry["wait_milliseconds"] for entry in answered)
        clock = local(model, row, row["interval_start"])
        account_id = row["account_id"]
        found.append(
            row
            | {
                "skill_name": model.skill_name(row),
                "local_start_time": clock,
                "local_date": clock.date(),
                "interval_minutes": model.rule(account_id, "interval_minutes"),
                "offered_count": len(group),
                "answered_count": len(answered),
                "abandoned_count": len(abandoned),
                "moved_count": len(of_outcome(group, "moved")),
                "within_count": within(answered, limit(model, account_id, "service_level_seconds")),
                "short_abandon_count": shorter(abandoned, limit(model, account_id, "short_abandon_seconds")),
                "queued_count": len(waits),
                "queue_sum_seconds": seconds(sum(waits)),
                **longest_wait(group),
            }
        )
    return found


def likely_wait(model: Model, entry: Row) -> tuple[datetime, datetime] | None:
    """From entering to leaving, where both are known and it took no longer than a wait can."""
    wait = entry["wait_milliseconds"]
    longest = model.rule(entry["account_id"], "longest_queue_hours") * 3_600_000
    return None if wait is None or wait > longest else (entry["entered_time"], entry["left_time"])


def queue_intervals(model: Model) -> list[Row]:
    """All intervals of the UTC days on which visitors of an account and type entered or waited."""
    days: set[tuple[Any, ...]] = set()
    for entry in entered(model):
        wait = likely_wait(model, entry)
        first = entry["entered_time"].date()
        last = wait[1].date() if wait else first
        days |= {
            (entry["account_id"], entry["type"], first + timedelta(days=number)) for number in range((last - first).days + 1)
        }
    found = []
    for account_id, conversation_type, day in days:
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        length = interval_of(model, account_id)
        for number in range(timedelta(days=1) // length):
            begins = start + number * length
            found.append(
                {
                    "account_id": account_id,
                    "type": conversation_type,
                    "interval_start": begins,
                    "start_seconds": int(begins.timestamp()),
                    "local_start_time": begins.astimezone(zone_of(model, account_id)).replace(tzinfo=None),
                    "interval_minutes": model.rule(account_id, "interval_minutes"),
                }
            )
    return found


KEY: Final = columns_of("account_id", "type", "interval_start")


def arrivals_by_interval(model: Model) -> list[Row]:
    """Entries of every interval, also of those without one."""
    came = grouped(entered(model), KEY)
    return [without_seconds(row) | arrivals(came.get(KEY(row), [])) for row in queue_intervals(model)]


def without_seconds(row: Row) -> Row:
    """An interval without its number of seconds."""
    return {name: value for name, value in row.items() if name != "start_seconds"}


def arrivals(entries: list[Row]) -> Row:
    """How many entered, at the start and by transfer, and what became of them."""
    by_people = people(entries)
    transfers = sum(entry["is_transfer"] for entry in by_people)
    return {
        "people_entry_count": len(by_people),
        "start_entry_count": len(by_people) - transfers,
        "transfer_entry_count": transfers,
        "people_answered_count": len(of_outcome(by_people, "answered")),
        "people_abandoned_count": len(of_outcome(by_people, "abandoned")),
        "bot_entry_count": len(bots(entries)),
    }


def arrivals_hourly(model: Model) -> list[Row]:
    """The same by hours of the account's clocks."""

    def with_hour(row: Row) -> Row:
        clock = row["local_start_time"]
        past = timedelta(minutes=clock.minute)
        return row | {
            "hour": row["interval_start"] - past,
            "local_date": clock.date(),
            "local_hour": clock.hour,
            "weekday": clock.isoweekday(),
        }

    key = ("account_id", "type", "hour", "local_date", "local_hour", "weekday")
    entries = ("people_entry_count", "start_entry_count", "transfer_entry_count")
    counted = (*entries, "people_answered_count", "people_abandoned_count", "bot_entry_count")
    return [
        dict(zip(key, values, strict=True)) | {name: sum(row[name] for row in group) for name in counted}
        for values, group in grouped([with_hour(row) for row in arrivals_by_interval(model)], columns_of(*key)).items()
    ]


def queue_length(model: Model) -> list[Row]:
    """How many people waited: least, most and mean over the time of each interval."""
    waits: dict[tuple[Any, ...], list[tuple[datetime, datetime]]] = {}
    for entry in people(entered(model)):
        wait = likely_wait(model, entry)
        if wait and entry["wait_milliseconds"] > 0:
            waits.setdefault((entry["account_id"], entry["type"]), []).append(wait)
    found = []
    for row in queue_intervals(model):
        length = interval_of(model, row["account_id"])
        begins, ends = row["interval_start"], row["interval_start"] + length
        here = [
            (max(start, begins), min(end, ends))
            for start, end in waits.get((row["account_id"], row["type"]), [])
            if start < ends and end > begins
        ]
        waiting = sum((end - start for start, end in here), timedelta(0))
        moments = sorted({begins, *(start for start, _ in here), *(end for _, end in here if end < ends)})
        counts = [sum(start <= moment < end for start, end in here) for moment in moments]
        found.append(
            {name: row[name] for name in ("account_id", "type", "interval_start", "local_start_time")}
            | {
                "interval_seconds": length / timedelta(seconds=1),
                "waiting_seconds": waiting / timedelta(seconds=1),
                "waiting_avg": waiting / length,
                "waiting_min": min(counts),
                "waiting_max": max(counts),
            }
        )
    return found
