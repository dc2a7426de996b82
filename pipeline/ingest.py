"""What a worker does: source files in, Parquet files of their rows and a count of everything out.

The files that it writes belong to nothing until the load's commit names them; so a worker that dies leaves nothing but litter.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, cast

import fsspec

from pipeline import schema
from pipeline.decode import documents, lines, unpacked
from pipeline.errors import CorruptFileError
from pipeline.flatten import Row, Rows, Source, flatten
from pipeline.lake import DataFile, Lake, rows_of
from pipeline.landing import Staged, drop, keep, landed_path, scope_of, stage

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BUFFER_BYTES = 64 << 20
"""Text of documents whose rows a worker holds before it writes them."""


@dataclass(frozen=True)
class Incoming:
    """A source file to be read: a URL that fsspec knows, or a file that is staged already.

    `account_id` and the scope are what a listing says of it, None where there was no listing. `known` are the digests under
    which the lake has loaded a file of this name: such a file is not read again.
    """

    name: str
    url: str | None = None
    staged: Staged | None = None
    account_id: str | None = None
    scope_start: datetime | None = None
    scope_end: datetime | None = None
    known: frozenset[str] = frozenset()


@dataclass
class Outcome:
    """What became of one source file: `status` is loaded, rejected or unchanged; counts are of what was read in it."""

    name: str
    account_id: str | None
    scope_start: datetime | None
    scope_end: datetime | None
    staged: Staged
    status: str = "loaded"
    reason: str | None = None
    documents: int = 0
    conversations: int = 0
    messages: int = 0
    transfers: int = 0
    rejects: int = 0
    account_ids: set[str] = field(default_factory=set)
    schema_versions: set[str] = field(default_factory=set)
    unknown_fields: set[str] = field(default_factory=set)

    def count(self, rows: Rows) -> None:
        """Add what a document brought."""
        self.documents += rows.documents
        self.conversations += len(rows.conversations)
        self.messages += len(rows.messages)
        self.transfers += len(rows.transfers)
        self.rejects += len(rows.rejects)
        self.account_ids |= rows.account_ids
        self.schema_versions |= rows.schema_versions
        self.unknown_fields |= rows.unknown_fields


@dataclass
class Ingested:
    """The outcomes of some source files, and the Parquet files of each table that hold their rows."""

    outcomes: list[Outcome] = field(default_factory=list)
    written: dict[str, list[DataFile]] = field(default_factory=lambda: defaultdict(list))


def ingest(lake_uri: str, incoming: list[Incoming], *, buffer_bytes: int = BUFFER_BYTES) -> Ingested:
    """Land, decode and flatten source files, one after another, and write their rows below the tables' folders."""
    worker = _Worker(Lake(lake_uri), buffer_bytes)
    for item in incoming:
        worker.take(item)
    worker.finish()
    return worker.ingested


class _Worker:
    """Keeps the rows of whole files in `whole` until there are enough to write."""

    def __init__(self, lake: Lake, buffer_bytes: int) -> None:
        self.lake = lake
        self.buffer_bytes = buffer_bytes
        self.ingested = Ingested()
        self.whole = Rows()
        self.whole_bytes = 0

    def take(self, item: Incoming) -> None:
        staged = item.staged or self._stage(item.url or "")
        start, end = scope_of(item.name)
        outcome = Outcome(item.name, item.account_id, start or item.scope_start, end or item.scope_end, staged)
        self.ingested.outcomes.append(outcome)
        if staged.sha256 in item.known:
            outcome.status = "unchanged"
            drop(self.lake, staged)
            return
        try:
            self._read(outcome)
        except CorruptFileError as error:
            outcome.status, outcome.reason = "rejected", str(error)
            drop(self.lake, staged)
            return
        if outcome.account_id is None and len(outcome.account_ids) == 1:
            (outcome.account_id,) = outcome.account_ids
        if staged.path != landed_path(self.lake, item.name, staged.sha256):
            keep(self.lake, staged, item.name)

    def _stage(self, url: str) -> Staged:
        with cast("BinaryIO", fsspec.open(url, "rb").open()) as source:
            return stage(self.lake, source)

    def _read(self, outcome: Outcome) -> None:
        """Collect the rows of one file; if it proves broken, nothing of it stays."""
        source = Source(outcome.name, outcome.account_id, _microseconds(outcome.scope_start))
        rows, size, parts = Rows(), 0, []
        counted = Outcome(outcome.name, outcome.account_id, None, None, outcome.staged)
        try:
            with self.lake.files.open(outcome.staged.path, "rb") as stored:
                for document in documents(lines(unpacked(cast("BinaryIO", stored)))):
                    flat = flatten(document, source)
                    counted.count(flat)
                    rows.add(flat)
                    size += len(document.raw)
                    if size > self.buffer_bytes:
                        parts.append(self._write(rows))
                        rows, size = Rows(deliveries=rows.deliveries), 0
        except CorruptFileError:
            for part in parts:
                for table, files in part.items():
                    self.lake.discard(table, files)
            raise
        for name in ("documents", "conversations", "messages", "transfers", "rejects"):
            setattr(outcome, name, getattr(counted, name))
        outcome.account_ids, outcome.schema_versions = counted.account_ids, counted.schema_versions
        outcome.unknown_fields = counted.unknown_fields
        for part in parts:
            self._record(part)
        self._hold(rows, size)

    def _hold(self, rows: Rows, size: int) -> None:
        for name in ("conversations", "messages", "transfers", "rejects"):
            getattr(self.whole, name).extend(getattr(rows, name))
        self.whole_bytes += size
        if self.whole_bytes > self.buffer_bytes:
            self.finish()

    def finish(self) -> None:
        """Write what is still held."""
        self._record(self._write(self.whole))
        self.whole, self.whole_bytes = Rows(), 0

    def _record(self, part: dict[str, list[DataFile]]) -> None:
        for table, files in part.items():
            self.ingested.written[table] += files

    def _write(self, rows: Rows) -> dict[str, list[DataFile]]:
        written: dict[str, list[DataFile]] = defaultdict(list)
        for name in ("conversations", "messages", "transfers"):
            by_date: dict[str, list[Row]] = defaultdict(list)
            for row in getattr(rows, name):
                by_date[row["date"].isoformat()].append(row)
            for date, values in by_date.items():
                written[name].append(self.lake.write(name, rows_of(values, schema.TABLES[name]), date=date))
        if rows.rejects:
            written["rejects"].append(self.lake.write("rejects", rows_of(rows.rejects, schema.REJECTS)))
        return written


def _microseconds(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - _EPOCH) // timedelta(microseconds=1)
