"""Rebuild: make the tables anew from the landed files, in place and in one commit.

All that `landing/` does not hold stays: rows of source files whose landed file is gone or damaged, the ledger, listings,
tombstones and settings. Tombstones keep erased people out, as in a load. The former Parquet files are not read, unless a landed
file is lost: so a rebuild mends damaged ones.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import duckdb

from pipeline import schema
from pipeline.errors import ConflictError, SettingsError
from pipeline.lake.commits import retry_conflicts
from pipeline.lake.digests import require_same
from pipeline.lake.lake import Lake
from pipeline.lake.landing import digest, landed_path
from pipeline.lake.ledger import Ledger, Row, read_ledger
from pipeline.lake.merge import merge_as_it_goes
from pipeline.lake.rewrite import connected, keep_rows
from pipeline.lake.snapshot import LEDGER, Change, DataFile, Snapshot
from pipeline.lake.sql import rows_in
from pipeline.load.dedup import Deliveries
from pipeline.load.engines import Engine, Processes, Progress, spread, units_of
from pipeline.load.erasures import note_kept_out, tombstones_for
from pipeline.load.session import after_commit
from pipeline.load.worker import Ingested
from pipeline.maintenance.upgrade import discard_unnamed, made_ready
from pipeline.source_files import Incoming, Staged
from pipeline.text import counted
from pipeline.warehouse.recompute import facts_of_lake

MADE_ANEW: Final = (*schema.DELIVERED, schema.REJECTS.name, schema.INDEX.name)
_KEPT: Final = (*schema.SENT, schema.REJECTS.name)
_IS_LOST: Final = """exists (
    from lost where lost.name = t.source_file and not list_contains(lost.others, coalesce(t.account_id, '')))"""
_IS_READ: Final = """exists (
    from delivered where delivered.account_id is not distinct from t.account_id
    and delivered.conversation_id = t.conversation_id and delivered.source_file = t.source_file
    and delivered.delivery = t.delivery)"""


@dataclass
class Rebuilt:
    """The result of a rebuild: files read, paths of landed files that are lost, whose rows stay, and rows by table."""

    files: int = 0
    lost: list[str] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)


def rebuild(
    lake: Lake,
    *,
    engine: Engine | None = None,
    progress: Progress | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Rebuilt:
    """Make the tables anew; the caller holds `writing`, without upgrades.

    In a bucket, where no lock keeps loads away, all is read anew if one commits first.

    Raises:
        SettingsError: values were decrypted when they were loaded, and there is no key for them now; nothing was changed.
        DamagedError: a landed file is lost, and the Parquet files with its rows are damaged; nothing was changed.
    """
    done = Rebuilt()
    for attempt in retry_conflicts():
        with attempt:
            snapshot = lake.snapshot()
            snapshot = made_ready(lake, snapshot)
            attempt.is_overtaken = partial(lake.is_overtaken, snapshot)
            done = Rebuilt()
            after = _Rebuild(lake, snapshot, engine or Processes(), now).commit(done, progress)
    after_commit(lake, [after], has_pending=True, now=now)
    done.rows = {name: after.rows[name] for name in MADE_ANEW if name in schema.TABLES}
    return done


class _Rebuild:
    """One attempt, from one snapshot."""

    def __init__(self, lake: Lake, snapshot: Snapshot, engine: Engine, now: Callable[[], datetime]) -> None:
        self.lake = lake
        self.snapshot = snapshot
        self.engine = engine
        self.now = now
        self.blank = replace(snapshot, files=snapshot.files | {name: [] for name in MADE_ANEW})
        """The lake with nothing loaded, as the rows of the landed files find it."""
        rows = read_ledger(lake, snapshot).to_pylist()
        self.loaded: list[Row] = [row for row in rows if row["status"] == "loaded"]
        self.ledger = Ledger(lake, snapshot, {row["name"] for row in self.loaded})

    def commit(self, done: Rebuilt, progress: Progress | None) -> Snapshot:
        """Read the landed files, and commit their rows and those of the lost files."""
        lake = self.lake
        lake.on_step("read")
        ingested, lost = self._read(progress)
        done.files = len(ingested.outcomes)
        done.lost = sorted({self._path(row) for row in lost} - {outcome.staged.path for outcome in ingested.outcomes})
        changes = {name: Change(add=list(ingested.written[name])) for name in schema.STORED if name != LEDGER}
        if lost:
            self._keep_lost(changes, lost)
        Deliveries(lake, self.blank, self.ledger.scopes).drop_superseded(changes, [])
        merge_as_it_goes(lake, self.blank, changes)
        for name in MADE_ANEW:
            changes[name] = _instead_of(self.snapshot.files[name], changes[name])
        changes[schema.ERASURES.name].add += tombstones_for(lake, ingested, self.now()).add
        if self.ledger.added:
            changes[LEDGER] = self.ledger.change()
        if ingested.kept_out:
            note_kept_out(lake, ingested.kept_out)
        cut = [landed_path(lake, outcome.name, outcome.staged.sha256) for outcome in ingested.outcomes if outcome.landed_sha256]
        try:
            return lake.commit(changes, self.snapshot, landed=cut, is_upgrade=True)
        except ConflictError:
            discard_unnamed(lake, changes)
            raise

    def _path(self, row: Row) -> str:
        return landed_path(self.lake, row["name"], row["sha256"])

    def _read(self, progress: Progress | None) -> tuple[Ingested, list[Row]]:
        """Read each landed file that is whole; gives the outcomes, and the rows of the ledger whose file was not read."""
        sound: dict[tuple[str, str], Row] = {}
        lost = []
        for row in self.loaded:
            key = row["name"], row["sha256"]
            if key in sound or not self._is_sound(row):  # the former: two accounts have the same file
                lost.append(row)
            else:
                sound[key] = row
        ingested = Ingested()
        by_hand = self._loaded_by_hand()
        for items in _rounds(sound.values(), self._path, by_hand):
            units = units_of(items, self.engine.unit_bytes)
            part = spread(self.lake, self.snapshot, units, engine=self.engine, progress=progress)
            ingested.outcomes += part.outcomes
            ingested.tombstones = part.tombstones
            for name, files in part.written.items():
                ingested.written[name] += files
        for outcome in ingested.outcomes:
            row = sound[outcome.name, outcome.staged.sha256]
            if outcome.status == "rejected":
                lost.append(row)
                continue
            if outcome.counts.encrypted > row["encrypted"]:
                raise _no_key(self._path(row), outcome.counts.encrypted - row["encrypted"])
            self.ledger.renew(row, outcome)
        ingested.outcomes = [outcome for outcome in ingested.outcomes if outcome.status == "loaded"]
        return ingested, lost

    def _loaded_by_hand(self) -> set[str]:
        """The files that no account was known for: the ledger has that of their documents, and rows without one show it."""
        query = f"select distinct source_file from {rows_in('$files')} where account_id is null"
        found: set[str] = set()
        with connected(self.lake) as connection:
            for name in (*schema.DELIVERED, schema.REJECTS.name):
                for location in self.lake.locations(name, self.snapshot.files[name]):
                    with suppress(duckdb.Error, OSError):  # a damaged file: those of other tables have the same files' rows
                        found |= {one for (one,) in connection.execute(query, {"files": location}).fetchall()}
        return found

    def _is_sound(self, row: Row) -> bool:
        """Whether a landed file is there as it was served, or as an erasure has left it."""
        try:
            return digest(self.lake, self._path(row)).sha256 in {row["sha256"], row["landed_sha256"]}
        except FileNotFoundError:
            return False

    def _keep_lost(self, changes: dict[str, Change], lost: list[Row]) -> None:
        """Add the rows of lost files, as the tables have them, and their facts, computed anew."""
        kept: dict[str, list[DataFile]] = {}
        with connected(self.lake) as connection:
            read = changes[schema.CONVERSATIONS.name].add
            self._name_lost(connection, lost, self.lake.locations(schema.CONVERSATIONS.name, read))
            for name in _KEPT:
                condition = f"{_IS_LOST} and not {_IS_READ}" if name in schema.SENT else _IS_LOST
                former = Change(add=list(self.snapshot.files[name]))
                require_same(self.lake, name, former.add)
                for file in self.snapshot.files[name]:
                    keep_rows(self.lake, connection, name, former, file, condition)
                kept[name] = former.add
        for part in facts_of_lake(self.lake, replace(self.blank, files=self.blank.files | kept)):
            for name, rows in part.facts.items():
                if rows.num_rows:
                    changes[name].add.append(self.lake.write(name, rows.drop_columns("date"), date=part.date))
        for name, files in kept.items():
            changes[name].add += files

    def _name_lost(self, connection: duckdb.DuckDBPyConnection, lost: list[Row], locations: list[str]) -> None:
        """Make the tables of the conditions: lost files, each with the other accounts of its name, and deliveries read."""
        others: dict[str, set[str]] = defaultdict(set)
        for row in self.loaded:
            others[row["name"]].add(row["account_id"] or "")
        values: list[tuple[Any, ...]] = [(row["name"], sorted(others[row["name"]] - {row["account_id"] or ""})) for row in lost]
        connection.execute("create temp table lost (name varchar, others varchar[])")
        connection.executemany("insert into lost values (?, ?)", values)
        connection.execute(
            "create temp table delivered (account_id varchar, conversation_id varchar, source_file varchar, delivery integer)"
        )
        if locations:
            query = f"""
                insert into delivered select account_id, conversation_id, source_file, delivery
                from {rows_in("$files")} where source_file in (select name from lost)"""
            connection.execute(query, {"files": locations})


def _rounds(rows: Iterable[Row], path_of: Callable[[Row], str], by_hand: set[str]) -> list[list[Incoming]]:
    """Landed files to be read, in time order, no name twice in a round; documents of files loaded by hand tell the account."""
    rounds: list[list[Incoming]] = []
    seen: dict[str, int] = defaultdict(int)
    for row in sorted(rows, key=lambda row: (row["scope_start_time"] or datetime.min.replace(tzinfo=UTC), row["name"])):
        place = seen[row["name"]]
        seen[row["name"]] += 1
        if place == len(rounds):
            rounds.append([])
        rounds[place].append(
            Incoming(
                name=row["name"],
                staged=Staged(path_of(row), row["bytes"], row["sha256"]),
                account_id=None if row["name"] in by_hand else row["account_id"],
                scope_start=row["scope_start_time"],
                scope_end=row["scope_end_time"],
            )
        )
    return rounds


def _instead_of(former: list[DataFile], change: Change) -> Change:
    """The change from the former files to those that a change has added; files that stay are in neither."""
    there, wanted = {file.path for file in former}, {file.path for file in change.add}
    return Change(
        add=[file for file in change.add if file.path not in there],
        remove=[file for file in former if file.path not in wanted],
        discard=[file for file in change.discard if file.path not in there],
    )


def _no_key(path: str, values: int) -> SettingsError:
    return SettingsError(
        f"{path}: {counted(values, 'value')} that the tables have decrypted can't be decrypted now; nothing was changed: set "
        "LP_PGP_KEY to the key that decrypts them, and run the command again"
    )
