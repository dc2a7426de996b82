"""What the API has said of each hour, and what of it could not be had: so that an empty hour is told from a missing one."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import schema
from pipeline.lake import Lake, rows_of
from pipeline.snapshot import Change, Snapshot

if TYPE_CHECKING:
    from pipeline.api import ListedDay

HOUR: Final = timedelta(hours=1)
_IS_OF_MONTH: Final = re.compile(r"\d{4}-\d\d-")  # the name of a file; others hold whatever came before there were such names
_MONTH: Final = len("2026-11")


def remember(
    lake: Lake, snapshot: Snapshot, account_id: str, days: "Iterable[ListedDay]", *, failed: Iterable[str], at: datetime
) -> dict[str, Change]:
    """Put what was listed of an account into the table `listings`, in place of what was listed of the same hours before.

    Each month has a Parquet file, and only those of the months that were listed are written anew. `failed` are names of files
    that could not be had; `at` is when the listing began.
    """
    rows = [{"account_id": account_id, "listed_at": at, **row} for row in _hours(days, set(failed), at)]
    if not rows:
        return {}
    table = schema.LISTINGS
    added = rows_of(rows, table)
    months = set(_months(added).to_pylist())
    touched = [file for file in snapshot.files[table.name] if file.path[:_MONTH] in months or not _IS_OF_MONTH.match(file.path)]
    parts = [table.file_schema.empty_table()]
    for file in touched:
        with lake.files.open(lake.path(table.name, file.path), "rb") as stored:
            parts.append(pq.read_table(stored).select(table.file_schema.names).cast(table.file_schema))
    former = pa.concat_tables(parts)
    is_again = pc.and_(pc.equal(former["account_id"], account_id), pc.is_in(former["hour"], added["hour"]))
    now = pa.concat_tables([former.filter(pc.invert(is_again)), added])
    of_months = _months(now)
    written = [
        lake.write(table.name, now.filter(pc.equal(of_months, month)), label=month)
        for month in pc.unique(of_months).to_pylist()
    ]
    return {table.name: Change(add=written, remove=touched)}


def _months(rows: pa.Table) -> pa.ChunkedArray:
    return pc.strftime(rows["hour"], "%Y-%m")


def _hours(days: "Iterable[ListedDay]", failed: set[str], at: datetime) -> Iterator[dict[str, Any]]:
    """Every hour that was over when it was listed; a file of no known hour counts in the first one of its day."""
    for day in days:
        if day.error is not None:
            continue
        first = _floor(day.since) + (HOUR if day.since != _floor(day.since) else timedelta(0))
        names: dict[datetime, list[str]] = defaultdict(list)
        for file in day.files:
            names[first if file.scope_start_time is None else _floor(file.scope_start_time)].append(file.name)
        names[first] += day.refused
        hour = first
        while hour < day.until and (hour + HOUR <= at or names[hour]):
            missing = sorted(failed.intersection(names[hour]))
            yield {"hour": hour, "files": len(names[hour]), "missing": missing}
            hour += HOUR


def _floor(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
