"""The table `files` while a load changes it: which source files are known, and what a new one replaces."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import schema
from pipeline.collect import Counts
from pipeline.deliveries import Replaced
from pipeline.ingest import Incoming, Known, Outcome
from pipeline.lake import LEDGER, Change, Lake, Snapshot, rows_of
from pipeline.landing import Staged, landed_path

Row = dict[str, Any]

_MOST_FILES: Final = 24  # so many Parquet files of the ledger are merged into one


class Ledger:
    """Rows of some names as dictionaries; all others are read only if they must be, so that a load costs what it brings."""

    def __init__(self, lake: Lake, snapshot: Snapshot, names: Iterable[str] = ()) -> None:
        self.lake = lake
        self.snapshot = snapshot
        self._scopes = read_ledger(lake, snapshot, ["name", "scope_start_time"])
        self._by_name: dict[str, list[Row]] = defaultdict(list)
        self.added: list[Row] = []
        self.obsolete: list[Row] = []
        self.ask(names)

    def ask(self, names: Iterable[str]) -> None:
        """Read the rows of names that were not asked for before."""
        asked = pc.is_in(self._scopes["name"], pa.array(list(names), schema.TEXT))
        if pc.any(asked).as_py():
            for row in self.table.append_column("at", pa.array(range(self.table.num_rows))).filter(asked).to_pylist():
                self._by_name[row["name"]].append(row)

    @cached_property
    def table(self) -> pa.Table:
        """All rows that the lake has."""
        return read_ledger(self.lake, self.snapshot)

    def known(self, name: str, account_id: str | None) -> dict[str, Known]:
        """The loaded files of that name, of that account where it is known, by their digests as served and as landed."""
        rows = (row for row in self._by_name[name] if row["status"] == "loaded")
        return {
            digest: Known(row["bytes"], row["sha256"], row["landed_sha256"], row["encrypted"])
            for row in rows
            if account_id is None or row["account_id"] in (account_id, None)
            for digest in (row["landed_sha256"], row["sha256"])
            if digest is not None
        }

    def enter(self, outcome: Outcome, downloaded_at: datetime, loaded_at: datetime) -> Replaced | None:
        """Put a file's row in place of the one of the same account and name; says which rows of the tables that replaces.

        A broken file never replaces a good one. Files without a known account are taken for the only one of their name.
        """
        same_name = self._by_name[outcome.name]
        same = [row for row in same_name if outcome.account_id in (None, row["account_id"]) or row["account_id"] is None]
        former = same[0] if len(same) == 1 else next((row for row in same if row["account_id"] == outcome.account_id), None)
        if outcome.status == "rejected" and former is not None and former["status"] == "loaded":
            return None
        if former is not None:
            self.obsolete.append(former)
        self.added.append(_row(outcome, downloaded_at, loaded_at))
        if former is None or former["status"] != "loaded":
            return None
        return Replaced(outcome.name, former["account_id"], whatever_account=len(same_name) == 1)

    def scopes(self) -> pa.Table:
        """Name and scope start of every source file."""
        return pa.concat_tables([self._scopes, rows_of(self.added, schema.FILES).select(self._scopes.column_names)])

    def landed(self, names: list[str]) -> list[Incoming]:
        """Loaded files, to be read once more from the landing zone."""
        asked = pc.and_(pc.is_in(self.table["name"], pa.array(names, schema.TEXT)), pc.equal(self.table["status"], "loaded"))
        return [
            Incoming(
                name=row["name"],
                staged=Staged(landed_path(self.lake, row["name"], row["sha256"]), row["bytes"], row["sha256"]),
                account_id=row["account_id"],
                scope_start=row["scope_start_time"],
                scope_end=row["scope_end_time"],
            )
            for row in self.table.filter(asked).to_pylist()
        ]

    def lose(self, row: Row, counts: Counts, landed_sha256: str) -> None:
        """Count anew what is left in a file that somebody was erased from."""
        self.obsolete.append(row)
        # its rows stay as they are, with whichever key they were loaded
        encrypted = min(row["encrypted"], counts.encrypted + counts.decrypted)
        self.added.append(row | _counted(counts) | {"landed_sha256": landed_sha256, "encrypted": encrypted})

    def recount(self, outcomes: Iterable[Outcome]) -> None:
        """Tell how many values stayed encrypted in landed files whose rows were read once more."""
        again = {outcome.name: outcome.counts.encrypted for outcome in outcomes}
        self.ask(again.keys() - self._by_name.keys())
        for name, encrypted in again.items():
            for row in self._by_name[name]:
                if row["status"] == "loaded" and row["encrypted"] != encrypted:
                    self.obsolete.append(row)
                    self.added.append(row | {"encrypted": encrypted})

    def loaded(self) -> list[Row]:
        """The rows of those of the names asked for that are loaded."""
        return [row for rows in self._by_name.values() for row in rows if row["status"] == "loaded"]

    @property
    def cut_names(self) -> set[str]:
        """Names of the files that lost somebody."""
        return {row["name"] for row in self.added}

    def is_cut(self, name: str, account_id: str | None) -> bool:
        """Whether rows of that source file and account are of one that lost somebody."""
        accounts = [row["account_id"] for row in self.added if row["name"] == name]
        return account_id in accounts or (bool(accounts) and len(self._by_name[name]) == 1)

    def change(self) -> Change:
        """Append the new rows; write the ledger anew if rows of it go or its files have become many."""
        added = rows_of(self.added, schema.FILES)
        files = self.snapshot.files[LEDGER]
        if not self.obsolete and len(files) < _MOST_FILES:
            return Change(add=[self.lake.write(LEDGER, added)])
        gone = pa.array([row["at"] for row in self.obsolete], pa.int64())
        kept = self.table.filter(pc.invert(pc.is_in(pa.array(range(self.table.num_rows), pa.int64()), gone)))
        return Change(add=[self.lake.write(LEDGER, pa.concat_tables([kept, added]))], remove=list(files))


def read_ledger(lake: Lake, snapshot: Snapshot, columns: list[str] | None = None) -> pa.Table:
    """The rows of the table `files`, one per source file."""
    parts = [schema.FILES.file_schema.empty_table().select(columns or schema.FILES.file_schema.names)]
    for file in snapshot.files[LEDGER]:
        with lake.files.open(lake.path(LEDGER, file.path), "rb") as stored:
            parts.append(pq.read_table(stored, columns=columns).select(parts[0].column_names).cast(parts[0].schema))
    return pa.concat_tables(parts)


def encrypted_values(lake: Lake) -> tuple[int, int]:
    """How many values are still encrypted, and of how many source files."""
    counts = read_ledger(lake, lake.snapshot(), ["encrypted"])["encrypted"]
    return pc.sum(counts, min_count=0).as_py(), pc.sum(pc.greater(counts, 0), min_count=0).as_py()


def loaded_files(lake: Lake, account_id: str) -> dict[str, set[str]]:
    """Digests of the loaded files of that account by their names; one whose account is not known counts for every account."""
    files = read_ledger(lake, lake.snapshot(), ["account_id", "name", "status", "sha256"])
    is_of_account = pc.fill_null(pc.equal(files["account_id"], account_id), fill_value=True)
    loaded = files.filter(pc.and_(pc.equal(files["status"], "loaded"), is_of_account))
    digests: dict[str, set[str]] = defaultdict(set)
    for name, digest in zip(loaded["name"].to_pylist(), loaded["sha256"].to_pylist(), strict=True):
        digests[name].add(digest)
    return digests


def _row(outcome: Outcome, downloaded_at: datetime, loaded_at: datetime) -> Row:
    return {
        "account_id": outcome.account_id,
        "name": outcome.name,
        "scope_start_time": outcome.scope_start,
        "scope_end_time": outcome.scope_end,
        "status": outcome.status,
        "reason": outcome.reason,
        "bytes": outcome.staged.bytes,
        "sha256": outcome.staged.sha256,
        **_counted(outcome.counts),
        "downloaded_at": downloaded_at,
        "loaded_at": loaded_at,
        "landed_sha256": outcome.landed_sha256,
    }


def _counted(counts: Counts) -> Row:
    return {
        "documents": counts.documents,
        "conversations": counts.conversations,
        "messages": counts.messages,
        "transfers": counts.transfers,
        "rejects": counts.rejects,
        "encrypted": counts.encrypted,
        "schema_versions": sorted(counts.schema_versions),
        "unknown_fields": sorted(counts.unknown_fields),
    }
