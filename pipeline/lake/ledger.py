"""The ledger, table `files`: known source files, and the rows that a new file replaces."""

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import schema
from pipeline.lake.digests import read_part, require_same
from pipeline.lake.lake import Lake
from pipeline.lake.landing import landed_path
from pipeline.lake.parquet import rows_of
from pipeline.lake.rewrite import connected, keep_rows
from pipeline.lake.snapshot import LEDGER, Change, DataFile, Snapshot
from pipeline.source_files import Counts, Incoming, Known, Outcome, Replaced, Staged

Row = dict[str, Any]

_SAME: Final = "former.name = t.name and former.account_id is not distinct from t.account_id"


class Ledger:
    """The ledger's rows of some names, and changes to them; no other rows are read, so that a load's cost is that of its files.

    Raises:
        DamagedError: a file of the table is damaged; its rows decide which rows of other tables go.
    """

    def __init__(self, lake: Lake, snapshot: Snapshot, names: Iterable[str] = ()) -> None:
        self.lake = lake
        self.snapshot = snapshot
        self._by_name: dict[str, list[Row]] = defaultdict(list)
        self._file_of: dict[tuple[str, str | None], DataFile] = {}
        self.added: list[Row] = []
        self.obsolete: list[Row] = []
        require_same(lake, LEDGER, snapshot.files[LEDGER])  # files that DuckDB has merged have no checksums of pages
        self.ask(names)

    def ask(self, names: Iterable[str]) -> None:
        """Read the rows of names that were not asked for before."""
        asked = list(names)
        files = self.snapshot.files[LEDGER]
        for file, rows in zip(files, _read(self.lake, files, None, _of(asked)), strict=True):
            for row in rows.to_pylist():
                self._by_name[row["name"]].append(row)
                self._file_of[row["name"], row["account_id"]] = file

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

    def upsert(self, outcome: Outcome, downloaded_at: datetime, loaded_at: datetime) -> Replaced | None:
        """Put a file's row in place of the one of the same account and name; gives the rows of the tables that it replaces.

        A broken file never replaces a good one. A file of unknown account replaces the file of its name. Exception: it has no
        conversations, as any account has quiet hours, and the lake has several accounts. A file of several accounts replaces
        the files of its name of each.
        """
        same_name = self._by_name[outcome.name]
        former = self._former(outcome, same_name)
        was_loaded = any(row["status"] == "loaded" for row in former)
        if outcome.status == "rejected" and former and (was_loaded or _is_same(former[0], outcome)):
            return None
        self.obsolete += former
        self.added.append(_row(outcome, downloaded_at, loaded_at))
        return _replaced(former, [row for row in same_name if row not in former]) if was_loaded else None

    def _former(self, outcome: Outcome, same_name: list[Row]) -> list[Row]:
        """The rows of its name in whose place a file comes."""
        if len(outcome.counts.account_ids) > 1:
            return [row for row in same_name if row["account_id"] in {*outcome.counts.account_ids, outcome.account_id}]
        is_anyones = outcome.account_id is None and outcome.status == "loaded" and not outcome.counts.conversations
        is_apart = is_anyones and bool(same_name) and len(self._accounts()) > 1
        same = [
            row
            for row in same_name
            if row["account_id"] in (outcome.account_id, None) or (outcome.account_id is None and not is_apart)
        ]
        return same if len(same) == 1 else [row for row in same if row["account_id"] == outcome.account_id]

    def _accounts(self) -> set[str]:
        known = pc.unique(read_ledger(self.lake, self.snapshot, ["account_id"])["account_id"]).to_pylist()
        return {account_id for account_id in (*known, *(row["account_id"] for row in self.added)) if account_id is not None}

    def scopes(self, names: Iterable[str]) -> pa.Table:
        """Name and scope start of source files, known or new."""
        asked = set(names)
        known = read_ledger(self.lake, self.snapshot, ["name", "scope_start_time"], _of(asked))
        added = rows_of([row for row in self.added if row["name"] in asked], schema.FILES)
        return pa.concat_tables([known, added.select(known.column_names)])

    def landed(self, names: list[str]) -> list[Incoming]:
        """Loaded files that no other one has replaced meanwhile, to be read once more from the landing zone."""
        rows = read_ledger(self.lake, self.snapshot, where=_of(names) & (pc.field("status") == "loaded")).to_pylist()
        return [
            Incoming(
                name=row["name"],
                staged=Staged(landed_path(self.lake, row["name"], row["sha256"]), row["bytes"], row["sha256"]),
                account_id=row["account_id"],
                scope_start=row["scope_start_time"],
                scope_end=row["scope_end_time"],
            )
            for row in rows
            if row not in self.obsolete
        ]

    def lose(self, row: Row, counts: Counts, landed_sha256: str) -> None:
        """Replace the counts of a file from which conversations were erased."""
        self.obsolete.append(row)
        # its rows stay as they are, with whichever key they were loaded
        encrypted = min(row["encrypted"], counts.encrypted + counts.decrypted)
        self.added.append(row | _counted(counts) | {"landed_sha256": landed_sha256, "encrypted": encrypted})

    def renew(self, row: Row, outcome: Outcome) -> None:
        """Replace the counts of a landed file that was read once more."""
        renewed = row | _counted(outcome.counts) | {"landed_sha256": outcome.landed_sha256 or row["landed_sha256"]}
        if renewed != row:
            self.obsolete.append(row)
            self.added.append(renewed)

    def forget(self, idents: Iterable[str], searched: Iterable[Row]) -> None:
        """Remove these ids from field names and versions in the rows of files that could not be searched."""
        lists = ("schema_versions", "unknown_fields")
        pattern = re.compile("|".join(rf"(?<!\w){re.escape(ident)}(?!\w)" for ident in idents))
        known = {(row["name"], row["account_id"]) for row in searched}
        rows = read_ledger(self.lake, self.snapshot, ["name", "account_id", *lists]).to_pylist()
        found = {
            (row["name"], row["account_id"])
            for row in rows
            if (row["name"], row["account_id"]) not in known and any(map(pattern.search, itertools.chain(*map(row.get, lists))))
        }
        self.ask({name for name, _ in found} - self._by_name.keys())
        for row in [row for name in {name for name, _ in found} for row in self._by_name[name]]:
            if (row["name"], row["account_id"]) in found:
                self.obsolete.append(row)
                self.added.append(row | {name: [text for text in row[name] if not pattern.search(text)] for name in lists})

    def recount(self, outcomes: Iterable[Outcome]) -> None:
        """Update the numbers of encrypted values of landed files that were read once more."""
        again = {(outcome.name, outcome.account_id): outcome.counts.encrypted for outcome in outcomes}
        names = {name for name, _ in again}
        self.ask(names - self._by_name.keys())
        for name in names:
            for row in self._by_name[name]:
                encrypted = again.get((name, row["account_id"]), row["encrypted"])
                if row["status"] == "loaded" and row["encrypted"] != encrypted and row not in self.obsolete:
                    self.obsolete.append(row)
                    self.added.append(row | {"encrypted": encrypted})

    def loaded(self) -> list[Row]:
        """The rows of those of the names asked for that are loaded."""
        return [row for rows in self._by_name.values() for row in rows if row["status"] == "loaded"]

    @property
    def cut_names(self) -> set[str]:
        """Names of the files from which conversations were erased."""
        return {row["name"] for row in self.added}

    def is_cut(self, name: str, account_id: str | None) -> bool:
        """Whether conversations were erased from the file of that name and account."""
        accounts = [row["account_id"] for row in self.added if row["name"] == name]
        return account_id in accounts or (bool(accounts) and len(self._by_name[name]) == 1)

    def change(self) -> Change:
        """Append the new rows; rewrite the files of the ledger that lose rows."""
        change = Change(add=[self.lake.write(LEDGER, rows_of(self.added, schema.FILES))])
        if self.obsolete:
            former = rows_of(self.obsolete, schema.FILES).select(["name", "account_id"])
            touched = {self._file_of[row["name"], row["account_id"]] for row in self.obsolete}
            with connected(self.lake) as connection:
                connection.register("former", former)
                for file in touched:
                    keep_rows(self.lake, connection, LEDGER, change, file, f"not exists (from former where {_SAME})")
        return change


def read_ledger(
    lake: Lake, snapshot: Snapshot, columns: list[str] | None = None, where: pc.Expression | None = None
) -> pa.Table:
    """The rows of the table `files`, one per source file: all, or those for which `where` holds; it skips other row groups."""
    empty = schema.FILES.file_schema.empty_table().select(columns or schema.FILES.file_schema.names)
    return pa.concat_tables([empty, *_read(lake, snapshot.files[LEDGER], columns, where)])


def _read(lake: Lake, files: list[DataFile], columns: list[str] | None, where: pc.Expression | None) -> list[pa.Table]:
    expected = schema.FILES.file_schema
    names = columns or expected.names

    def read(file: DataFile) -> pa.Table:
        rows = read_part(lake, LEDGER, file, columns=columns, where=where)
        return rows.select(names).cast(pa.schema([expected.field(name) for name in names]))

    return lake.store.map(read, files)


def _of(names: Iterable[str]) -> pc.Expression:
    """Rows of these names: where their range is not in a part of a file, that part is not read."""
    asked = sorted(names)
    if not asked:
        return pc.scalar(False)  # noqa: FBT003  # an expression that nothing fulfils
    name = pc.field("name")
    return (name >= asked[0]) & (name <= asked[-1]) & name.isin(pa.array(asked, schema.TEXT.arrow))


class LoadedFiles:
    """The loaded files of a lake, to be asked account by account: the digest of each file of the ledger is checked once.

    Raises:
        DamagedError: a file of the table is damaged; what it lacks would be fetched again.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._checked: set[str] = set()

    def of(self, account_id: str, *, since: datetime | None = None, names: Iterable[str] | None = None) -> dict[str, set[str]]:
        """Digests of the loaded files of that account by their names: of those from a moment on, or of some names.

        A file of unknown account counts for every account, if it has conversations; a file of unknown hour for every moment.
        """
        account, start = pc.field("account_id"), pc.field("scope_start_time")
        is_anyones = account.is_null() & (pc.field("conversations") > 0)
        where = (pc.field("status") == "loaded") & ((account == account_id) | is_anyones)
        if since is not None:
            where &= (start >= since) | start.is_null()
        if names is not None:
            where &= _of(names)
        snapshot = self._lake.snapshot(only=[LEDGER])
        files = snapshot.files[LEDGER]
        require_same(self._lake, LEDGER, [file for file in files if file.path not in self._checked])
        self._checked |= {file.path for file in files}
        loaded = read_ledger(self._lake, snapshot, ["name", "sha256"], where)
        digests: dict[str, set[str]] = defaultdict(set)
        for name, digest in zip(loaded["name"].to_pylist(), loaded["sha256"].to_pylist(), strict=True):
            digests[name].add(digest)
        return digests


def _replaced(former: list[Row], others: list[Row]) -> Replaced:
    """The rows of the tables that go with those of the ledger, while the others of their name stay."""
    has_mixed = any(row["account_id"] is None and row["conversations"] for row in others)
    return Replaced(
        former[0]["name"],
        others=tuple(row["account_id"] or "" for row in others),
        account_id=former[0]["account_id"] if has_mixed else None,
    )


def _is_same(former: Row, outcome: Outcome) -> bool:
    """Whether the same file was rejected before for the same reason."""
    standing = (former["status"], former["sha256"], former["reason"], former["account_id"])
    return standing == (outcome.status, outcome.staged.sha256, outcome.reason, outcome.account_id)


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
