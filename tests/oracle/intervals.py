"""Who entered a queue when, and how many waited, interval by interval."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import polars as pl

from oracle.conversations import conversation_times
from oracle.shared import KEY, ZONE, Row, Tables, by_conversation, frame_of, grouped, local

QUARTER = timedelta(minutes=15)


def entered(tables: Tables) -> Iterator[Row]:
    """Everybody who entered a queue, and when they left it."""
    ends = {}
    for row in conversation_times(tables).iter_rows(named=True):
        ends[tuple(row[column] for column in KEY)] = row["conversation_end_time"]
        if row["queue_start_time"]:
            yield row | {"entered": row["queue_start_time"], "left": row["left_queue_time"], "is_transfer": False}
    for key, moves in by_conversation(tables, "transfers").items():
        for move, following in pairwise([*moves, None]):
            assert move
            if move["queue_start_time"]:
                left = move["queue_end_time"] or (following or {}).get("timestamp") or ends.get(key)
                yield move | {"entered": move["queue_start_time"], "left": left, "is_transfer": True, "is_connected": None}


def queue_entries(tables: Tables) -> pl.DataFrame:
    """Which of the waits are no error."""
    return frame_of(
        entry
        | {
            "entered_time": entry["entered"],
            "left_time": entry["left"],
            "is_valid": is_valid(entry),
            "interval_minutes": 15,
            "time_zone": ZONE.key,
        }
        for entry in entered(tables)
    )


def quarter_of(moment: datetime) -> datetime:
    """The quarter of an hour that a moment is in."""
    return moment - (moment - datetime(1970, 1, 1, tzinfo=UTC)) % QUARTER


def quarters(entries: list[Row]) -> list[tuple[str, datetime]]:
    """Every quarter of an hour of the days on which somebody entered a queue or waited."""
    days = set()
    for entry in entries:
        last = entry["left"] if is_valid(entry) else entry["entered"]
        days |= {(entry["account_id"], entry["entered"].date()), (entry["account_id"], last.date())}
    midnights = [(account_id, datetime(day.year, day.month, day.day, tzinfo=UTC)) for account_id, day in days]
    return [(account_id, start + number * QUARTER) for account_id, start in midnights for number in range(96)]


def queue_intervals(tables: Tables) -> pl.DataFrame:
    """With what the clocks show."""
    return frame_of(
        {
            "account_id": account_id,
            "interval_minutes": 15,
            "start_seconds": int(start.timestamp()),
            "interval_start": start,
            "local_start_time": local(start),
        }
        for account_id, start in quarters(list(entered(tables)))
    )


def is_valid(entry: Row) -> bool:
    """A wait of at most a day."""
    return entry["left"] is not None and timedelta() <= entry["left"] - entry["entered"] <= timedelta(days=1)


def queue_length(tables: Tables) -> pl.DataFrame:
    """In each quarter: the overlap with every wait, and the number of waits at every moment at which it can change."""
    entries = list(entered(tables))
    waits = defaultdict(list)
    for entry in filter(is_valid, entries):
        quarter = quarter_of(entry["entered"])
        while quarter < entry["left"]:
            waits[entry["account_id"], quarter].append((entry["entered"], entry["left"]))
            quarter += QUARTER
    found = []
    for account_id, start in quarters(entries):
        here, end = waits.get((account_id, start), []), start + QUARTER
        moments = {start} | {moment for wait in here for moment in wait if start <= moment < end}
        lengths = [sum(came <= moment < left for came, left in here) for moment in moments]
        waited = sum((min(left, end) - max(came, start) for came, left in here), timedelta()).total_seconds()
        found.append(
            {
                "account_id": account_id,
                "interval_start": start,
                "local_start_time": local(start),
                "interval_seconds": 900.0,
                "waiting_seconds": waited,
                "waiting_avg": waited / 900,
                "waiting_min": min(lengths),
                "waiting_max": max(lengths),
            }
        )
    return frame_of(found)


def arrivals_by_interval(tables: Tables) -> pl.DataFrame:
    """Who entered a queue in each quarter of an hour."""
    entries = list(entered(tables))
    counts: dict[tuple[str, datetime], list[Row]] = defaultdict(list)
    for entry in entries:
        counts[entry["account_id"], quarter_of(entry["entered"])].append(entry)
    found = []
    for account_id, start in quarters(entries):
        interval = {"interval_start": start, "local_start_time": local(start), "interval_minutes": 15}
        found.append({"account_id": account_id} | interval | requests(counts.get((account_id, start), [])))
    return frame_of(found)


def requests(entries: list[Row]) -> Row:
    """Who these were."""
    return {
        "conversation_count": sum(not entry["is_transfer"] for entry in entries),
        "connected_count": sum(entry["is_connected"] is True for entry in entries),
        "abandoned_count": sum(entry["is_connected"] is False for entry in entries),
        "transfer_count": sum(entry["is_transfer"] for entry in entries),
        "request_count": len(entries),
    }


def arrivals_hourly(tables: Tables) -> pl.DataFrame:
    """In New York an hour begins when one of UTC does, so those of the days of UTC are looked at one by one."""
    entries = list(entered(tables))
    hours = {(account_id, start.replace(minute=0)) for account_id, start in quarters(entries)}
    counts = grouped(
        (entry | {"hour": entry["entered"].replace(minute=0, second=0, microsecond=0)} for entry in entries),
        "account_id",
        "hour",
    )
    return frame_of(
        {
            "account_id": account_id,
            "hour": hour,
            "local_date": local(hour).date(),
            "local_hour": local(hour).hour,
            "weekday": local(hour).isoweekday(),
        }
        | requests(counts.get((account_id, hour), []))
        for account_id, hour in hours
    )
