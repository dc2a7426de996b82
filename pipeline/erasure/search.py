"""Search landed files for erased people: each is read as a load reads it, and its rest without them is staged.

Superseded deliveries, former contents of a name and files that no row of the ledger names are landed files like any other.
"""

import functools
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
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
from pipeline.processes import helpers, kept_from_children
from pipeline.source_files import Counts, Source, Staged, scope_of
from pipeline.times import microseconds

ALONE_BYTES: Final = 16 << 20  # of landed files: less than that to search is not worth the start of other processes


@dataclass(frozen=True)
class Landed:
    """A file of the landing zone, and its rows in the ledger: none for a replaced file or one of a dead run."""

    path: str
    bytes: int
    source: Source
    rows: tuple[Row, ...]


@dataclass
class Found:
    """Landed files with erased conversations, whose rest is staged, and files that could not be searched."""

    cut: list[tuple[Landed, Redaction, Staged]] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    encrypted: list[str] = field(default_factory=list)
    named: set[str] = field(default_factory=set, repr=False)
    """The erased ids of conversations, visitors and rejects, and those in removed conversations."""

    @property
    def conversations(self) -> set[str]:
        """Ids of the conversations taken out."""
        return set().union(*(redaction.conversations for _, redaction, _ in self.cut))

    def drop(self, lake: Lake) -> None:
        """Delete the staged files."""
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


def find(
    lake: Lake,
    landed: list[Landed],
    tombstones: Tombstones,
    persons: Sequence[str] = (),
    *,
    alone_bytes: int = ALONE_BYTES,
) -> Found:
    """Search landed files for erased conversations, and stage each such file without them.

    `persons` are ids known in plain text, which are looked for in all of the text. Landed files of fewer than `alone_bytes` are
    searched by this process alone.
    """
    found = Found()
    decrypt = SettingsKeyring().decrypt
    search = functools.partial(_search, lake_uri=lake.uri, tombstones=tombstones, persons=persons, decrypt=decrypt)
    searched = _searched_alone if sum(file.bytes for file in landed) < alone_bytes else _searched_by_processes
    for file, traces in zip(landed, searched(search, [(file.path, file.source) for file in landed]), strict=True):
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
    """The erased ids that a landed file names in clear text or decrypted, and whether it has ids that no key decrypts.

    `named` are those of them that stand where a conversation, a visitor or a reject has them.
    """

    idents: set[str]
    named: set[str]
    has_encrypted_ids: bool


_Search = Callable[[tuple[str, Source]], _Traces | None]


def _searched_alone(search: _Search, files: list[tuple[str, Source]]) -> Iterator[_Traces | None]:
    return map(search, files)


def _searched_by_processes(search: _Search, files: list[tuple[str, Source]]) -> Iterator[_Traces | None]:
    with helpers() as pool:
        with kept_from_children():
            found = pool.map(search, files, chunksize=8)
        yield from found


def _search(
    file: tuple[str, Source], *, lake_uri: str, tombstones: Tombstones, persons: Sequence[str], decrypt: Decrypt
) -> _Traces | None:
    """The erased ids in a landed file; None if it is broken."""
    visitors: set[str] = set()
    found: set[str] = set()
    spellings = [(b'"' + json_spelling(person) + b'"', person) for person in persons]
    spellings += [(person.encode(), person) for person in persons if person.isdigit()]

    def inspect(text: bytes) -> None:
        visitors.update(tombstones.visitors(text))
        if spellings:
            simple = unescaped(text)
            found.update(person for spelling, person in spellings if spelling in simple)

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
    """The cap of a document that is held in memory; a landed file is read in full, also above today's caps for new files."""
    return Caps(document=read_caps().document)
