"""Numbers in sentences."""

from datetime import timedelta


def many(count: int, what: str, several: str = "") -> str:
    """A count with its noun: 1 file, 2,000 files; `several` where the plural takes more than an s."""
    return f"{count:,} {what if count == 1 else several or f'{what}s'}"


def span(time: timedelta) -> str:
    """How long, in days and hours; less than an hour in minutes."""
    hours, rest = divmod(int(time.total_seconds()), 3600)
    days, hours = divmod(hours, 24)
    parts = [many(days, "day")] if days else []
    parts += [many(hours, "hour")] if hours else []
    return " and ".join(parts) or many(rest // 60, "minute")
