"""Traces of erased people in the landing zone: every landed file is read as a load reads it, and what is left of one is staged.

Superseded deliveries, former contents of a name and files that no row of the ledger names are landed files like any other.
"""

import functools
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import BinaryIO, Final, cast

import pyarrow as pa

from pipeline.decode.containers import Caps, read_caps, texts, unpacked
from pipeline.decode.documents import unescaped
from pipeline.decode.pgp import Decrypt, SettingsKeyring
from pipeline.decode.reader import BUFFER_BYTES, InspectText, MatchIds, RowReader
from pipeline.decode.scanner import PADDING
from pipeline.erasure.redact import Redaction, redact
from pipeline.erasure.tombstones import Tombstones, json_spelling
from pipeline.errors import CorruptFileError
from pipeline.lake.lake import Lake
from pipeline.lake.landing import drop, landed_files, landed_path
from pipeline.lake.ledger import Row
from pipeline.processes import end_with_parent
from pipeline.source_files import Counts, Source, Staged, scope_of
from pipeline.times import microseconds

_ALONE_BYTES: Final = 16 << 20  # of landed files: less than that to search is not worth the start of other processes


@dataclass(frozen=True)
class Landed:
    """A file of the landing zone, and its rows in the ledger: none for one that was replaced or that a dead run left."""

    path: str
    bytes: int
    source: Source
    rows: tuple[Row, ...]


@dataclass
class Found:
    """What was taken out of landed files, whose rest is staged, and those that could not be searched: broken, ids encrypted."""

    cut: list[tuple[Landed, Redaction, Staged]] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    encrypted: list[str] = field(default_factory=list)
    named: set[str] = field(default_factory=set, repr=False)
    """The erased ids that stand where a conversation, a visitor or a reject has them, or in what was taken out."""

    @property
    def conversations(self) -> set[str]:
        """Ids of the conversations taken out."""
        return set().union(*(redaction.conversations for _, redaction, _ in self.cut))

    def drop(self, lake: Lake) -> None:
        """Delete what is staged."""
        drop(lake, [staged for _, _, staged in self.cut])


def list_landed(lake: Lake, loaded: list[Row]) -> list[Landed]:
    """Every landed file, with those of the ledger's rows that are about it."""
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in loaded:
        rows[landed_path(lake, row["name"], row["sha256"])].append(row)
    return [_landed(path, size, tuple(rows.get(path, ()))) for path, size in landed_files(lake).items()]


def _landed(path: str, size: int, rows: tuple[Row, ...]) -> Landed:
    name = path.rpartition("/")[2]
    scope_start = rows[0]["scope_start_time"] if rows else scope_of(name)[0]
    account_id = rows[0]["account_id"] if rows else None
    return Landed(path, size, Source(name, account_id, None if scope_start is None else microseconds(scope_start)), rows)


def find(lake: Lake, landed: list[Landed], tombstones: Tombstones, persons: Sequence[str] = ()) -> Found:
    """Search landed files for what tombstones cover; `persons` are ids known in plain text, which are looked for everywhere."""
    found = Found()
    decrypt = SettingsKeyring().decrypt
    for file, traces in _searched(lake, landed, tombstones, persons, decrypt):
        if traces is None:
            found.unreadable.append(file.path)
            continue
        if traces.has_encrypted_ids:
            found.encrypted.append(file.path)
        found.named |= traces.named
        if traces.idents:
            redaction = redact(lake, file.path, file.source, tombstones, traces.idents, caps=_landed_caps(), decrypt=decrypt)
            if redaction.staged is not None:
                found.cut.append((file, redaction, redaction.staged))
                found.named |= traces.idents
    return found


@dataclass(frozen=True)
class _Traces:
    """The erased ids that a landed file names in clear text or decrypted, and whether it has ids that nobody can decrypt.

    `named` are those of them that stand where a conversation, a visitor or a reject has them.
    """

    idents: set[str]
    named: set[str]
    has_encrypted_ids: bool


def _searched(
    lake: Lake, landed: list[Landed], tombstones: Tombstones, persons: Sequence[str], decrypt: Decrypt
) -> Iterator[tuple[Landed, _Traces | None]]:
    """Landed files, each with the erased ids in it; None for a broken one."""
    files = [(file.path, file.source) for file in landed]
    search = functools.partial(_search, lake_uri=lake.uri, tombstones=tombstones, persons=persons, decrypt=decrypt)
    if sum(file.bytes for file in landed) < _ALONE_BYTES:
        yield from zip(landed, map(search, files), strict=True)
        return
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn"), initializer=end_with_parent) as pool:
        yield from zip(landed, pool.map(search, files, chunksize=8), strict=True)


def _search(
    file: tuple[str, Source], *, lake_uri: str, tombstones: Tombstones, persons: Sequence[str], decrypt: Decrypt
) -> _Traces | None:
    """The erased ids in a landed file; None if it is broken."""
    visitors: set[str] = set()
    found: set[str] = set()
    quoted = [(b'"' + json_spelling(person) + b'"', person) for person in persons]
    quoted += [(person.encode(), person) for person in persons if person.isdigit()]

    def inspect(text: bytes) -> None:
        visitors.update(tombstones.visitors(text))
        if quoted:
            simple = unescaped(text)
            found.update(person for spelling, person in quoted if spelling in simple)

    path, source = file
    try:
        reader, _ = _fed(Lake(lake_uri), path, source, decrypt, match=tombstones.match, inspect=inspect, ids_only=True)
        counts = reader.finish()
        named = counts.matched | visitors
        return _Traces(found | named, named, has_encrypted_ids=counts.encrypted > 0)
    except CorruptFileError:
        return None


def read_landed(lake: Lake, path: str, source: Source) -> tuple[Counts, pa.Table]:
    """Read a file as a load does; gives its counts and its rows of `rejects`.

    Raises:
        CorruptFileError: the file is broken.
    """
    reader, rejects = _fed(lake, path, source, SettingsKeyring().decrypt)
    counts = reader.finish()
    reader.keep()
    return counts, pa.concat_tables([*rejects, reader.drain()[0]["rejects"]])


def _fed(
    lake: Lake,
    path: str,
    source: Source,
    decrypt: Decrypt,
    *,
    match: MatchIds | None = None,
    inspect: InspectText | None = None,
    ids_only: bool = False,
) -> tuple[RowReader, list[pa.Table]]:
    """A reader that has read all of a file but its end, and the rejects that it had to hand out on its way."""
    reader, caps = RowReader(decrypt), _landed_caps()
    reader.begin(source, match, inspect=inspect, ids_only=ids_only, caps=caps)
    rejects = []
    with lake.files.open(path, "rb") as stored:
        for text in texts(unpacked(cast("BinaryIO", stored)), padding=PADDING, caps=caps):
            reader.feed(text)
            if reader.text_bytes > BUFFER_BYTES:
                rejects.append(reader.drain()[1]["rejects"])
    return reader, rejects


def _landed_caps() -> Caps:
    """How much of a landed file is held in memory; all of it is read, whatever today's settings allow a new one."""
    return Caps(document=read_caps().document)
