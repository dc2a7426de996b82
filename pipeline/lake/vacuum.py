"""Delete Parquet files that no reader needs any more."""

from typing import Final

from pipeline import schema
from pipeline.lake.lake import Lake
from pipeline.lake.snapshot import DataFile, Snapshot

RETENTION_HOURS: Final = 24
"""How long a file stays on the disk that the newest load no longer names, for readers that have begun to read it."""


def sweep(lake: Lake, snapshot: Snapshot, *, retention_hours: int) -> list[DataFile]:
    """Delete the Parquet files that no finished load has named for so long, and those that a dead run left."""
    deleted = []
    hours = kept_hours(lake, retention_hours)
    for name in schema.STORED:
        unneeded = lake.unneeded(name, snapshot, retention_hours=hours)
        lake.discard(name, unneeded)
        deleted += unneeded
    return deleted


def kept_hours(lake: Lake, retention_hours: int) -> int:
    """For how long files stay: no less than `RETENTION_HOURS` where another run may be at work, on files yet without a name."""
    return retention_hours if lake.store.has_lock else max(retention_hours, RETENTION_HOURS)
