"""What a source file is on its way from a listing to the ledger: each step hands a value on to the next.

`ListedFile` (the API names it) → `Incoming` (to be read) → `Staged` (its bytes are in the lake) → `Source` (what its rows
repeat) → `Counts` (what was read in it) → `Outcome` (what became of it) → `Replaced` (what it takes the place of).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pipeline.errors import SourceError
from pipeline.times import at_milliseconds

GZIP_MAGIC = b"\x1f\x8b"
ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
"""The first bytes of archives."""

_SCOPE = re.compile(r"\.(\d{10,15})\.(\d{10,15})\.")


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A source file as listed: `name` is a bare file name with `.gz`, or `.GZ`; its scope is in UTC, None where unreadable."""

    account_id: str
    name: str
    href: str
    scope_start_time: datetime | None
    scope_end_time: datetime | None


@dataclass
class ListedDay:
    """What the API has of a UTC day, or of the part of it that is in the window asked for: [since, until).

    `refused` are entries that are no file, as text, with the reason; `error` says why the day could not be listed at all.
    """

    since: datetime
    until: datetime
    files: list[ListedFile] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    error: SourceError | None = None


@dataclass(frozen=True)
class Staged:
    """A file that has come in but is not yet known to be whole: where it waits, its size and its digest as served."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Source:
    """What is known of a source file before it is read; `scope_start` is in microseconds since 1970 UTC, None if unknown."""

    name: str
    account_id: str | None = None
    scope_start: int | None = None


@dataclass(frozen=True)
class Known:
    """What the ledger says of a loaded file: size and digest as served, digest of what is kept, values still encrypted."""

    bytes: int
    sha256: str
    landed_sha256: str | None
    encrypted: int


@dataclass(frozen=True)
class Incoming:
    """A source file to be read: a URL that fsspec knows, of so many bytes, or a file that is staged already.

    `account_id` and the scope are what a listing says of it, None where there was no listing. `known` are, by their digests,
    the files of this name that the lake has loaded: such a file is not read again, unless its landed file is lost or values of
    it are encrypted and there is a key by now.
    """

    name: str
    url: str | None = None
    bytes: int = 0
    staged: Staged | None = None
    account_id: str | None = None
    scope_start: datetime | None = None
    scope_end: datetime | None = None
    known: Mapping[str, Known] = field(default_factory=dict)


@dataclass
class Counts:
    """What was read in a source file, by either path."""

    documents: int = 0
    conversations: int = 0
    messages: int = 0
    transfers: int = 0
    rejects: int = 0
    account_ids: set[str] = field(default_factory=set)
    schema_versions: set[str] = field(default_factory=set)
    unknown_fields: set[str] = field(default_factory=set)
    matched: set[str] = field(default_factory=set)
    decrypted: int = 0
    """Values that were armoured PGP messages."""
    encrypted: int = 0
    """Values that still are."""


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
    counts: Counts = field(default_factory=Counts)
    landed_sha256: str | None = None
    """Digest of what is kept of it, where erased conversations were taken out; else it is kept as served."""
    erased: set[str] = field(default_factory=set)
    """Ids of those of them that have no tombstone of their own yet."""


@dataclass(frozen=True)
class Replaced:
    """A source file whose rows go: all of that name but those of other accounts that have a file so called, "" for none."""

    name: str
    others: tuple[str, ...] = ()


def with_gz(name: str) -> str:
    """Return `name` with `.gz`, which listings leave out at times; `.GZ` is as good."""
    return name if name.lower().endswith(".gz") else f"{name}.gz"


def file_name(url: str) -> str:
    r"""The name under which tables and landing zone know a file at hand: its base name, with `.gz` where it lacks it.

    The query and the fragment of a web address, which may hold a signature, are no part of it. Bytes that are no UTF-8
    are spelled out, as `\xff`, since no table can hold them.
    """
    path = re.split(r"[?#]", url, maxsplit=1)[0] if re.match(r"https?://", url, re.IGNORECASE) else url
    name = path.rstrip("/").rpartition("/")[2]
    return with_gz(name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))


def scope_of(name: str) -> tuple[datetime | None, datetime | None]:
    """Start and end of the hour that a name such as `Engagement.<startMs>.<endMs>.part-00000-0.gz` tells in UTC, if any."""
    found = _SCOPE.search(name)
    if found is None:
        return None, None
    try:
        start, end = (at_milliseconds(int(part)) for part in found.groups())
    except OverflowError:  # behind the year 9999
        return None, None
    return start, end
