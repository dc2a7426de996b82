"""What a lake has at a moment, and what is to become of it: Parquet files, table by table."""

from dataclasses import dataclass, field
from typing import Final

from deltalake import DeltaTable

LEDGER: Final = "files"
WHOLE: Final = "part"
"""The label of files that may have any row of their table and partition."""


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
        """How its name begins: what it has rows of, where a table has files of their own for that."""
        return self.path.rpartition("/")[2].rpartition("-")[0]


@dataclass
class Change:
    """What a load does to one table; `discard` are files that it wrote and no longer wants, deleted when it is done."""

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
    tables: dict[str, DeltaTable] = field(default_factory=dict, repr=False, compare=False)
    """As they were opened, at their newest versions: a commit brings them up to date, which costs less than to open them."""

    def after(self, table: str, change: Change) -> list[DataFile]:
        """The files that a table will have."""
        removed = {file.path for file in change.remove}
        return [*(file for file in self.files[table] if file.path not in removed), *change.add]
