"""Snapshot: the data files of a finished load. Change: files to add and to remove."""

import json
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pipeline.lake.formats import FORMAT, LakeFormat, current_format, unpacked_format

if TYPE_CHECKING:
    from deltalake import DeltaTable

LEDGER: Final = "files"
PINS: Final = "lakehouse.pins"
ROWS: Final = "lakehouse.rows"
PATHS: Final = "lakehouse.paths"
COMMIT: Final = "lakehouse.commit"
"""The metadata of a load's commit of the ledger, beside its format: versions and rows of all tables, a digest of the paths of
each fact's files, and a token of its own."""
WHOLE: Final = "part"
"""The label of files that may have any row of their table and partition."""
Partition = tuple[str | None, str]
"""Date and label of files."""
_DIGEST_DIGITS: Final = 32  # of a SHA-256: half of it is more than any accident meets
_NONCE_DIGITS: Final = 8
_DIGESTED: Final = re.compile(rf"-[0-9a-f]{{{_NONCE_DIGITS}}}([0-9a-f]{{{_DIGEST_DIGITS}}})\.parquet$")


def new_path(date: str | None, label: str, sha256: str | None = None) -> str:
    """A new path for a Parquet file, below a table's folder: its partition, its label, and the digest of its bytes, if known.

    So a commit, which names the file, also knows its contents; and no two files ever have one name.
    """
    unique = uuid.uuid4().hex
    name = f"{label}-{unique if sha256 is None else unique[:_NONCE_DIGITS] + sha256[:_DIGEST_DIGITS]}.parquet"
    return name if date is None else f"date={date}/{name}"


@dataclass(frozen=True)
class DataFile:
    """One Parquet file of a table: its path below the table's folder, rows and bytes."""

    path: str
    rows: int
    bytes: int

    @property
    def date(self) -> str | None:
        """Its partition; None where the table has none."""
        return self.path.rpartition("/")[0].removeprefix("date=") or None

    @property
    def label(self) -> str:
        """The beginning of its name: a share of the index or a month of the listings, which its rows are of; else `part`."""
        return self.path.rpartition("/")[2].rpartition("-")[0]

    @property
    def partition(self) -> Partition:
        """Both of them."""
        return self.date, self.label

    @property
    def digest(self) -> str | None:
        """How the SHA-256 of its bytes begins; None for a file that was written before names told it."""
        found = _DIGESTED.search(self.path)
        return found[1] if found else None

    def has_digest(self, sha256: str) -> bool:
        """Whether that may be its SHA-256: it is, or the digest is unknown."""
        return self.digest is None or sha256.startswith(self.digest)


def digest_of_paths(files: Iterable[DataFile]) -> str:
    """A digest by which a commit knows files of a table again: no two files ever have one name."""
    return sha256("\n".join(sorted(file.path for file in files)).encode()).hexdigest()[:_DIGEST_DIGITS]


@dataclass
class Change:
    """Files to add to one table and to remove; `discard` were added and replaced again, and are deleted after the commit."""

    add: list[DataFile] = field(default_factory=list)
    remove: list[DataFile] = field(default_factory=list)
    discard: list[DataFile] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.add or self.remove)

    def swap(self, former: DataFile, new: DataFile | None) -> None:
        """Put a file in the place of one that this change adds, or of one that the table has."""
        if former in self.add:
            self.add.remove(former)
            self.discard.append(former)
        else:
            self.remove.append(former)
        if new is not None:
            self.add.append(new)


@dataclass(frozen=True)
class Snapshot:
    """The tables of one finished load: of each its version and its files, by path."""

    versions: dict[str, int]
    files: dict[str, list[DataFile]]
    rows: dict[str, int] = field(default_factory=dict)
    """How many rows each table had when its commit was made, as the ledger's commit says."""
    tables: dict[str, "DeltaTable"] = field(default_factory=dict, repr=False, compare=False)
    """As they were opened, at their newest versions: a commit brings them up to date, which costs less than to open them."""
    foreign: list[DataFile] | None = None
    """The files of the ledger at that version, if not a load but another program made it: the next commit takes them back."""
    format: LakeFormat = field(default_factory=current_format)
    missing: frozenset[str] = frozenset()
    """The facts that the finished load does not name, or that are not as it has left them: they have no files here."""
    token: str = ""
    """The token of the load's commit of the ledger; "" before the first load."""

    @property
    def outdated(self) -> str | None:
        """The reason for an upgrade: the lake is of an older format, its facts are by other definitions, or some are lost."""
        current = current_format()
        if self.format.number < current.number:
            return f"this lake is of format {self.format.number}, which an older version has written, not {current.number}"
        if self.format.facts != current.facts:
            return "another version of this program, which defines facts otherwise, has written this lake"
        if self.missing:
            names = ", ".join(sorted(self.missing))
            return f"its tables of facts are not as the newest load left them ({names}), and follow from the others"
        return None

    @property
    def is_current(self) -> bool:
        """Whether the lake is of this version: else nothing but an upgrade makes a commit."""
        return self.outdated is None

    def in_ledger(self, change: Change) -> Change:
        """The change to the ledger as it is that amounts to a change to the ledger of the finished load."""
        if self.foreign is None:
            return change
        wanted, there = self.after(LEDGER, change), {*self.foreign}
        return Change(add=[file for file in wanted if file not in there], remove=sorted(there - {*wanted}, key=str))

    def is_ahead(self, table: str) -> bool:
        """Whether a load that died, or another program, has committed to a table above its pin: the next commit restores it."""
        if table == LEDGER:
            return self.foreign is not None
        return self.tables[table].version() > self.versions[table]

    def after(self, table: str, change: Change) -> list[DataFile]:
        """The files that a table will have."""
        removed = {file.path for file in change.remove}
        return [*(file for file in self.files[table] if file.path not in removed), *change.add]


class Finished(NamedTuple):
    """The ledger's commit of a load: version, token, versions and rows of the tables, the lake's format, digests of paths."""

    version: int
    token: str
    pins: dict[str, int]
    rows: dict[str, int]
    format: LakeFormat
    paths: dict[str, str]

    def has_left(self, table: str, files: list[DataFile]) -> bool:
        """Whether these are the files that a table had when the commit was made; where it knows no paths, it counts rows."""
        if table in self.paths:
            return digest_of_paths(files) == self.paths[table]
        return sum(file.rows for file in files) == self.rows.get(table, 0)


def finished_load(ledger: "DeltaTable") -> Finished | None:
    """Find the newest finished load; None if later commits are damaged, which may have been loads.

    Other programs may have compacted the ledger since: their commits have no metadata of ours.
    """
    newest = ledger.version()
    for version in range(newest, 0, -1):
        depth = newest - version + 1
        commits = ledger.history(depth)[-depth:]  # commits since it was opened come first
        if len(commits) < depth:  # this version's is empty, as a broken disk leaves it, or gone
            return None
        if {PINS, ROWS, COMMIT} & commits[-1].keys():
            return _finished(version, commits[-1])
    return Finished(0, "", {}, {}, current_format(), {})  # created, nothing loaded yet


def _finished(version: int, commit: dict[str, Any]) -> Finished | None:
    try:
        pins, rows, paths = map(json.loads, (commit[PINS], commit[ROWS], commit.get(PATHS, "{}")))
        found = Finished(version, str(commit.get(COMMIT, "")), pins, rows, unpacked_format(commit.get(FORMAT)), paths)
    except (KeyError, TypeError, ValueError):
        return None
    return found if all(isinstance(one, dict) for one in (pins, rows, paths)) else None
