"""Views over queue entries: waits and outcomes by day, hour and skill."""

from datetime import timedelta

from oracle.calendar import Period
from oracle.measures import columns_of, grouped, known, share, timing
from oracle.model import Model, Row


def day_of(model: Model, entry: Row, period: Period) -> Row:
    """An entry with its day: of the time it was entered, else the conversation's."""
    return entry | {period.column: period.of(model, entry, "entered_time", "entered_date")}


def outcomes(entries: list[Row]) -> Row:
    """Entries by outcome, and the share of the decided that gave up."""
    counts = {name: sum(entry["outcome"] == name for entry in entries) for name in ("answered", "abandoned", "moved")}
    return {
        "entry_count": len(entries),
        **{f"{name}_count": count for name, count in counts.items()},
        "abandoned_share": share(counts["abandoned"], counts["abandoned"] + counts["answered"]),
    }


def waits_of_answered(entries: list[Row]) -> Row:
    """Number, mean, percentiles and greatest of the waits that an answer ended."""
    waits = known(entry["wait_milliseconds"] for entry in entries if entry["outcome"] == "answered")
    return {"queued_count": len(waits), **timing("queue", waits, of="avg p50 p90 max")}


def queue_time(entries: list[Row], *key: str) -> list[Row]:
    """The measures of queue time by these columns."""
    return [
        dict(zip(key, values, strict=True)) | outcomes(group) | waits_of_answered(group)
        for values, group in grouped(entries, columns_of(*key)).items()
    ]


def queue_time_daily(model: Model, period: Period) -> list[Row]:
    """By days of any kind."""
    entries = [day_of(model, entry, period) for entry in model.queue_entries]
    return queue_time(entries, "account_id", period.column, "type")


def queue_time_hourly(model: Model) -> list[Row]:
    """By UTC hours; entries without a time are in no hour."""
    entries = [
        entry | {"hour": entry["entered_time"] - hour_part(entry)}
        for entry in model.queue_entries
        if entry["entered_time"] is not None
    ]
    return queue_time(entries, "account_id", "hour", "type")


def hour_part(entry: Row) -> timedelta:
    """The time since the start of the UTC hour."""
    time = entry["entered_time"]
    return timedelta(minutes=time.minute, seconds=time.second, microseconds=time.microsecond)


def queue_time_by_skill(model: Model) -> list[Row]:
    """By the skill whose queue it was."""
    rows = queue_time(model.queue_entries, "account_id", "skill_id", "type")
    return [row | {"skill_name": model.skill_name(row)} for row in rows]
