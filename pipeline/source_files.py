"""A source file on its way from the listing to the ledger: each step hands a value on to the next.

`ListedFile` (listed by the API) → `Incoming` (to be read) → `Staged` (its bytes are in the lake) → `Source` (values that its
rows repeat) → `Counts` (rows read) → `Outcome` (loaded or rejected) → `Replaced` (the former delivery, whose rows go).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from pipeline.errors import SourceError
from pipeline.times import at_milliseconds

RETENTION: Final = timedelta(days=30)
"""How long the source keeps a file: no listing goes back further unless it is told to."""
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
    """The API's files of a UTC day, or of the part of it in the requested window: [since, until).

    `refused` are entries that are no file, as text, with the reason; `error` is why the listing of the day failed.
    """

    since: datetime
    until: datetime
    files: list[ListedFile] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    error: SourceError | None = None


@dataclass(frozen=True, slots=True)
class Staged:
    """A file in the staging area, not yet known to be whole: its path there, its size and its digest as served."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Source:
    """A source file as known before it is read; `scope_start` is in microseconds since 1970 UTC, None if unknown."""

    name: str
    account_id: str | None = None
    scope_start: int | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A loaded file in the ledger: size and digest as served, digest as kept, number of values still encrypted."""

    bytes: int
    sha256: str
    landed_sha256: str | None
    encrypted: int


@dataclass(frozen=True, slots=True)
class Incoming:
    """A source file to be read: at a URL that fsspec knows, with its size, or staged already.

    `account_id` and the scope come from the listing, None without one. `known` are, by their digests, the loaded files of this
    name: such a file is not read again, unless its landed file is lost, or values of it are encrypted and there is a key now.
    """

    name: str
    url: str | None = None
    bytes: int = 0
    staged: Staged | None = None
    account_id: str | None = None
    scope_start: datetime | None = None
    scope_end: datetime | None = None
    known: Mapping[str, Known] = field(default_factory=dict)


@dataclass(slots=True)
class Counts:
    """Counts of rows and values in a source file, by either decoder."""

    documents: int = 0
    conversations: int = 0
    messages: int = 0
    transfers: int = 0
    rejects: int = 0
    account_ids: set[str] = field(default_factory=set)
    lacks_account: bool = False
    """Whether a conversation or a reject is of no account."""
    schema_versions: set[str] = field(default_factory=set)
    unknown_fields: set[str] = field(default_factory=set)
    matched: set[str] = field(default_factory=set)
    decrypted: int = 0
    """Values that were PGP messages."""
    encrypted: int = 0
    """Values that still are PGP messages."""


@dataclass(slots=True)
class Outcome:
    """The outcome of one source file: `status` is loaded, rejected or unchanged; `counts` are of its rows."""

    name: str
    account_id: str | None
    scope_start: datetime | None
    scope_end: datetime | None
    staged: Staged
    status: str = "loaded"
    reason: str | None = None
    counts: Counts = field(default_factory=Counts)
    landed_sha256: str | None = None
    """Digest of the landed file if erased conversations were cut out; None: it is kept as served."""
    erased: set[str] = field(default_factory=set)
    """Ids of the erased conversations that have no tombstone of their own yet."""


@dataclass(frozen=True)
class Replaced:
    """A source file whose rows go: all rows of that name, but those of the `others`, accounts with a file of the same name.

    If one of the others is of several accounts, which nothing tells, the rows of `account_id` go alone.
    """

    name: str
    others: tuple[str, ...] = ()
    account_id: str | None = None


def with_gz(name: str) -> str:
    """Return `name` with `.gz`, which listings leave out at times; `.GZ` is as good."""
    return name if name.lower().endswith(".gz") else f"{name}.gz"


def file_name(url: str) -> str:
    r"""The name of a local file in tables and landing zone: its base name, with `.gz` added if it lacks it.

    Query and fragment of a web address, which may hold a signature, are left out. Bytes that are no UTF-8 are spelled out,
    as `\xff`, since no table can hold them.
    """
    path = re.split(r"[?#]", url, maxsplit=1)[0] if re.match(r"https?://", url, re.IGNORECASE) else url
    name = path.rstrip("/").rpartition("/")[2]
    return with_gz(name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))


def scope_of(name: str) -> tuple[datetime | None, datetime | None]:
    """Start and end, in UTC, of the hour in a name such as `Engagement.<startMs>.<endMs>.part-00000-0.gz`, if any."""
    found = _SCOPE.search(name)
    if found is None:
        return None, None
    try:
        start, end = (at_milliseconds(int(part)) for part in found.groups())
    except OverflowError:  # after the year 9999
        return None, None
    return start, end
