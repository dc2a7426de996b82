"""The table `listings`: the API's answer for each hour, and failed downloads, so that empty and missing hours differ."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import schema
from pipeline.lake.digests import read_file
from pipeline.lake.lake import Lake
from pipeline.lake.parquet import rows_of
from pipeline.lake.snapshot import Change, Snapshot
from pipeline.source_files import RETENTION

if TYPE_CHECKING:
    from pipeline.source_files import ListedDay

HOUR: Final = timedelta(hours=1)
_ALWAYS: Final = datetime.min.replace(tzinfo=UTC)
_MOMENT: Final = timedelta(microseconds=1)
_IS_OF_MONTH: Final = re.compile(r"\d{4}-\d\d-")  # the name of a file; files of older versions have other names
_MONTH: Final = len("2026-11")


class Heard(NamedTuple):
    """The API's answers to one account: rows of the hours listed, hours not listed, and failed downloads of hours elsewhere."""

    listed: dict[datetime, dict[str, Any]]
    unlisted: set[datetime]
    elsewhere: dict[datetime, list[str]]

    @property
    def hours(self) -> list[datetime]:
        """All hours of which something is said."""
        return [*self.listed, *sorted(self.unlisted | self.elsewhere.keys())]

    def rows(self, account_id: str, known: Mapping[datetime, dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Rows of the table, of which `known` are the former ones of the account."""
        for hour in self.hours:
            row = self.listed.get(hour) or _kept(
                hour, known.get(hour), self.elsewhere.get(hour, []), is_unlisted=hour in self.unlisted
            )
            yield {"account_id": account_id, **row}


def heard(days: "Iterable[ListedDay]", *, failed: Iterable[str], at: datetime) -> Heard:
    """Sum up the listed days of an account by hours, which take less memory than their files.

    `failed` are names of files that could not be downloaded; `at` is when the listing began.
    """
    asked, not_had = list(days), set(failed)
    names = _names(asked)
    listed = {row["hour"]: row for row in _listed(asked, names, not_had, at)}
    unlisted = {hour for day in asked if day.error is not None for hour in _asked(day, at)} - listed.keys()
    elsewhere = {hour: list(not_had & of_hour) for hour, of_hour in names.items() if hour not in listed and not_had & of_hour}
    return Heard(listed, unlisted, elsewhere)


def remember(lake: Lake, snapshot: Snapshot, accounts: Mapping[str, Heard]) -> dict[str, Change]:
    """Put the listed hours of accounts into the table `listings`, in place of earlier rows of the same hours.

    Hours of days that could not be listed keep their rows, without the number of files. Each month has a
    Parquet file, and only those of the months that were asked for are written anew.
    """
    months = {f"{hour:%Y-%m}" for account in accounts.values() for hour in account.hours}
    if not months:
        return {}
    table = schema.LISTINGS
    touched = [file for file in snapshot.files[table.name] if file.path[:_MONTH] in months or not _IS_OF_MONTH.match(file.path)]
    parts = (read_file(lake, table.name, file).select(table.file_schema.names).cast(table.file_schema) for file in touched)
    kept = pa.concat_tables([table.file_schema.empty_table(), *parts])
    rows: list[dict[str, Any]] = []
    for account_id, account in accounts.items():
        hours = pa.array(account.hours, schema.TIME.arrow)
        is_again = pc.and_(pc.equal(kept["account_id"], account_id), pc.is_in(kept["hour"], hours))
        rows += account.rows(account_id, {row["hour"]: row for row in kept.filter(is_again).to_pylist()})
        kept = kept.filter(pc.invert(is_again))
    now = pa.concat_tables([kept, rows_of(rows, table)])
    of_months = _months(now)
    written = [
        lake.write(table.name, now.filter(pc.equal(of_months, month)), label=month)
        for month in pc.unique(of_months).to_pylist()
    ]
    return {table.name: Change(add=written, remove=touched)}


def _months(rows: pa.Table) -> pa.ChunkedArray:
    return pc.strftime(rows["hour"], "%Y-%m")


def _listed(
    days: "Iterable[ListedDay]", names: Mapping[datetime, set[str]], failed: set[str], at: datetime
) -> Iterator[dict[str, Any]]:
    """Every hour of a listed day that was over when it was listed, or that has files.

    The source has deleted the files of old hours. So one without files is known to be empty only if an earlier file is there,
    or a file that is so old that the source must keep them longer.
    """
    first = min(names, default=at)
    first_kept = min(at - RETENTION + _MOMENT, first) if first > at - 2 * RETENTION else _ALWAYS
    for day in days:
        if day.error is not None:
            continue
        hour = day.since if day.since == _floor(day.since) else _floor(day.since) + HOUR
        while hour < day.until and (hour + HOUR <= at or hour in names):
            if hour >= first_kept:
                of_hour = names.get(hour, set())
                yield {"hour": hour, "listed_at": at, "files": len(of_hour), "missing": sorted(failed & of_hour)}
            hour += HOUR


def _names(days: "Iterable[ListedDay]") -> dict[datetime, set[str]]:
    """Count listed files by hour on any day; a server may list more than the request.

    A file of unknown hour counts in the first hour of its day.
    """
    names: dict[datetime, set[str]] = defaultdict(set)
    for day in days:
        first = _first(day)
        for file in day.files:
            names[first if file.scope_start_time is None else _floor(file.scope_start_time)].add(file.name)
        if day.refused:
            names[first].update(day.refused)
    return dict(names)


def _kept(hour: datetime, known: dict[str, Any] | None, missing: list[str], *, is_unlisted: bool) -> dict[str, Any]:
    """The row of an hour that was not listed as a whole: the former row, and the downloads that failed now."""
    former = known or {"listed_at": None, "files": 0, "missing": []}
    files = None if is_unlisted or former["files"] is None else max(former["files"], len(missing))
    names = sorted({*former["missing"], *missing})
    return {"hour": hour, "listed_at": former["listed_at"], "files": files, "missing": names}


def _asked(day: "ListedDay", at: datetime) -> Iterator[datetime]:
    """The hours of a day that were over, at least its first one."""
    hour = first = _first(day)
    while hour < day.until and (hour + HOUR <= at or hour == first):
        yield hour
        hour += HOUR


def _first(day: "ListedDay") -> datetime:
    """The first full hour of the part of a day that was asked for, or the one that this part is in."""
    first = _floor(day.since)
    return first + HOUR if first != day.since and first + HOUR < day.until else first


def _floor(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
