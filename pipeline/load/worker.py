"""The worker: read source files, write Parquet files of their rows, count everything.

No reader sees the Parquet files before the load's commit names them, and the source files are still there afterwards, staged
or at their places in the landing zone: after a worker that died, another one can do the unit again.
"""

import ctypes
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from io import BytesIO
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import schema
from pipeline.decode.containers import Caps, read_caps, texts, unpacked
from pipeline.decode.pgp import SettingsKeyring
from pipeline.decode.reader import BUFFER_BYTES, RowReader, Tables
from pipeline.decode.scanner import PADDING
from pipeline.erasure.redact import redact
from pipeline.erasure.tombstones import Tombstones
from pipeline.errors import CorruptFileError
from pipeline.lake.file_systems import exists, files_at
from pipeline.lake.lake import Lake
from pipeline.lake.landing import drop, keep, landed_path, stage
from pipeline.lake.snapshot import DataFile
from pipeline.lake.store_errors import reaching
from pipeline.source_files import Counts, Incoming, Known, Outcome, Source, Staged, scope_of
from pipeline.times import microseconds
from pipeline.warehouse.facts import fact_maker

_FETCHED_BYTES = 4 << 20  # of a compressed source file in a store, which is then read at once and not piece by piece

_ROWS_OF_A_RUN = 150  # of one date, on average, that make slices worth their number


@dataclass
class Ingested:
    """The outcomes of some source files, and the Parquet files of each table that hold their rows."""

    outcomes: list[Outcome] = field(default_factory=list)
    written: dict[str, list[DataFile]] = field(default_factory=lambda: defaultdict(list))
    tombstones: Tombstones | None = None
    """The tombstones under which the files were read; set once, by the process that loads."""

    @property
    def kept_out(self) -> frozenset[str]:
        """The ids of conversations that the tombstones have kept out for the first time."""
        return frozenset().union(*(outcome.erased for outcome in self.outcomes if outcome.status == "loaded"))


def ingest(
    lake_uri: str, incoming: list[Incoming], tombstones: Tombstones | None = None, *, buffer_bytes: int = BUFFER_BYTES
) -> Ingested:
    """Land, decode and flatten source files, one after another, and write their rows below the tables' folders.

    Conversations that tombstones cover are cut out of a file before it is landed.

    Raises:
        SettingsError: the settings, or the private key that they name, can't be read.
    """
    lake = Lake(lake_uri)
    worker = _Worker(lake, tombstones, buffer_bytes, read_caps(), SettingsKeyring())
    for item, (staged, contents) in zip(incoming, lake.store.map(partial(_at_hand, lake), incoming), strict=True):
        worker.read(item, staged, contents)
    worker.finish()
    return worker.ingested


def _at_hand(lake: Lake, item: Incoming) -> tuple[Staged, bytes | None]:
    """Stage a file; a small one in a bucket comes with its contents."""
    staged = item.staged or _staged(lake, item.url or "")
    place = landed_path(lake, item.name, staged.sha256)
    staged = replace(staged, path=lake.store.now_at(staged.path, place))
    return staged, lake.store.fetched(staged.path, staged.bytes, most_bytes=_FETCHED_BYTES)


def _staged(lake: Lake, url: str) -> Staged:
    files, path = files_at(url)
    with reaching(url), cast("BinaryIO", files.open(path, "rb")) as source:
        return stage(lake, source)


def _is_less(encrypted: int, left: int | None) -> bool:
    return left is None or encrypted < left


class _Worker:
    """Read file after file, and write the rows held when they are from more than `buffer_bytes` of text."""

    def __init__(
        self, lake: Lake, tombstones: Tombstones | None, buffer_bytes: int, caps: Caps, keyring: SettingsKeyring
    ) -> None:
        self.lake = lake
        self.tombstones = tombstones
        self.buffer_bytes = buffer_bytes
        self.caps = caps
        self.keyring = keyring
        self.reader = RowReader(keyring.decrypt)
        self.fact_maker = fact_maker()
        self.ingested = Ingested()
        self.places: list[tuple[Staged, str]] = []

    def read(self, item: Incoming, staged: Staged, contents: bytes | None) -> None:
        """Read one file, from its bytes to its rows; `contents`, where they are known, are those of the staged file."""
        start, end = scope_of(item.name)
        outcome = Outcome(item.name, item.account_id, start or item.scope_start, end or item.scope_end, staged)
        self.ingested.outcomes.append(outcome)
        left = self._left_encrypted(outcome, item.known.get(staged.sha256))
        try:
            kept = None if left == 0 else self._read(outcome, contents, left=left)
        except CorruptFileError as error:
            outcome.status, outcome.reason = "rejected", str(error)
            return
        if kept is None:
            outcome.status = "unchanged"
            return
        if outcome.account_id is None and len(outcome.counts.account_ids) == 1:
            (outcome.account_id,) = outcome.counts.account_ids
        if kept.path != self._place(outcome):
            self.places.append((kept, self._place(outcome)))

    def _left_encrypted(self, outcome: Outcome, former: Known | None) -> int | None:
        """Encrypted values that the last load left; None: read the file regardless."""
        if former is None:
            return None
        if outcome.staged.sha256 == former.landed_sha256:  # as an erasure has left it
            outcome.landed_sha256 = former.landed_sha256
            outcome.staged = replace(outcome.staged, bytes=former.bytes, sha256=former.sha256)
        if not exists(self.lake.files, self._place(outcome)):
            return None
        return former.encrypted if former.encrypted and self.keyring else 0

    def _place(self, outcome: Outcome) -> str:
        return landed_path(self.lake, outcome.name, outcome.staged.sha256)

    def _read(self, outcome: Outcome, contents: bytes | None, *, left: int | None) -> Staged | None:
        """Collect the rows of one file; gives the file to keep, which is a cut one if erased people are in it.

        None: as many values of it are encrypted as were `left` before, so that nothing changes.
        """
        source = Source(
            outcome.name, outcome.account_id, None if outcome.scope_start is None else microseconds(outcome.scope_start)
        )
        is_new = outcome.staged.path != self._place(outcome)  # a file that the lake has is not given up for a cap of today
        caps = self.caps if is_new else Caps(document=self.caps.document)
        outcome.counts = self._collect(source, outcome.staged.path, self.tombstones, contents, left=left, caps=caps)
        if self.tombstones is None or not outcome.counts.matched:
            return outcome.staged if _is_less(outcome.counts.encrypted, left) else None
        redaction = redact(
            self.lake,
            outcome.staged.path,
            source,
            self.tombstones,
            outcome.counts.matched,
            caps=caps,
            decrypt=self.keyring.decrypt,
        )
        kept = redaction.staged or outcome.staged
        outcome.counts = self._collect(source, kept.path, None, caps=caps)
        if redaction.staged is not None:
            outcome.landed_sha256 = kept.sha256
            outcome.erased = {one for one in redaction.conversations if self.tombstones.find("conversation", one) is None}
        return kept

    def _collect(
        self,
        source: Source,
        path: str,
        tombstones: Tombstones | None,
        contents: bytes | None = None,
        *,
        left: int | None = None,
        caps: Caps,
    ) -> Counts:
        """Collect the rows of a file; if it is broken or unchanged, or erased people are in it, they are dropped.

        Rows without an account are of the only one that the file names: it is read once more with that.
        """
        parts: list[tuple[str, DataFile]] = []  # of this file alone, written before its end was seen
        visitors: set[str] = set()

        def inspect(text: bytes) -> None:
            if tombstones:
                visitors.update(tombstones.visitors(text))

        self.reader.begin(source, tombstones.match if tombstones else None, inspect=inspect, caps=caps)
        try:
            with self.lake.files.open(path, "rb") if contents is None else BytesIO(contents) as stored:
                for text in texts(unpacked(cast("BinaryIO", stored), caps), padding=PADDING, caps=caps):
                    self.reader.feed(text)
                    if self.reader.text_bytes > self.buffer_bytes:
                        parts += self._write()
            counts = self.reader.finish()
        except CorruptFileError:
            self._abandon(parts)
            raise
        if source.account_id is None and len(counts.account_ids) == 1 and counts.lacks_account:
            self._abandon(parts)
            named = replace(source, account_id=next(iter(counts.account_ids)))
            return self._collect(named, path, tombstones, contents, left=left, caps=caps)
        counts.matched |= visitors
        if counts.matched or not _is_less(counts.encrypted, left):
            self._abandon(parts)
            return counts
        self.reader.keep()
        self._record(parts)
        return counts

    def _abandon(self, parts: list[tuple[str, DataFile]]) -> None:
        """Drop the rows of the file that is being read."""
        self.reader.abandon()
        for table, file in parts:
            self.lake.discard(table, [file])

    def finish(self) -> None:
        """Write what is still held, and give the files their places."""
        self._record(self._write())
        self.lake.store.map(lambda one: keep(self.lake, *one), self.places)
        outcomes = {outcome.staged.path for outcome in self.ingested.outcomes}
        drop(self.lake, [staged for staged, _ in self.places if staged.path not in outcomes])

    def _write(self) -> list[tuple[str, DataFile]]:
        """Write the rows held; gives the files with rows of the source file that is being read."""
        whole, part = (tables | self.fact_maker.facts_of(tables) for tables in self.reader.drain())
        self._record(self._write_tables(whole))
        written = self._write_tables(part)
        _give_back()
        return written

    def _record(self, files: list[tuple[str, DataFile]]) -> None:
        for table, file in files:
            self.ingested.written[table].append(file)

    def _write_tables(self, tables: Tables) -> list[tuple[str, DataFile]]:
        """Write tables and forget each, the facts first: so those are gone when the messages are split, which are the most."""
        written = []
        while tables:
            name, rows = tables.popitem()
            if schema.TABLES[name].partitioned:
                written += [(name, self.lake.write(name, same, date=day.isoformat())) for day, same in _by_date(rows)]
            elif rows.num_rows:
                written.append((name, self.lake.write(name, rows)))
        return written


def _give_back() -> None:
    """Give freed memory back to the system: Arrow's pool would keep it, and glibc what lies between blocks that are in use."""
    pa.default_memory_pool().release_unused()
    with suppress(AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def _by_date(rows: pa.Table) -> Iterator[tuple[date, pa.Table]]:
    """The rows of each date, in their order, without that column.

    Conversations that ended in the same hour began on few dates, so rows of one date mostly stand together: to join such runs
    takes a fifth of the time that a filter over all columns takes.
    """
    dates, others = rows["date"].combine_chunks(), rows.drop_columns("date")
    runs = pc.run_end_encode(dates)
    if len(runs.values) > rows.num_rows // _ROWS_OF_A_RUN:
        for day in pc.unique(dates):
            yield day.as_py(), others.filter(pc.equal(dates, day))
        return
    parts: dict[date, list[pa.Table]] = defaultdict(list)
    start = 0
    for day, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        parts[day].append(others.slice(start, end - start))
        start = end
    for day, slices in parts.items():
        yield day, pa.concat_tables(slices).combine_chunks()
