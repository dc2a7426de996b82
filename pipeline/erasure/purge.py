"""Purge conversations from tables, old versions and landed files.

The order makes a run that dies harmless, and the next run of the same command finish: one commit of tables and ledger; then
the landed files, each written beside its place and moved there; last the files that no finished load names.
"""

import json
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import schema
from pipeline.decode.pgp import MARKER, SettingsKeyring
from pipeline.erasure.pending import clear_pending, read_pending
from pipeline.erasure.results import Erased
from pipeline.erasure.search import Found, Landed, find, list_landed, read_landed
from pipeline.erasure.subjects import left_over, related
from pipeline.erasure.tombstones import Tombstones, add_tombstones, first_tombstones, ids_as_arrow, read_tombstones
from pipeline.errors import ConflictError
from pipeline.lake import index
from pipeline.lake.commits import retry_conflicts
from pipeline.lake.digests import read_file
from pipeline.lake.file_systems import exists
from pipeline.lake.lake import REPORT_NAME, Lake
from pipeline.lake.landing import landed_files, landed_path, put_back, renew
from pipeline.lake.ledger import Ledger
from pipeline.lake.rewrite import connected, keep_rows
from pipeline.lake.snapshot import LEDGER, Change, DataFile, Snapshot
from pipeline.lake.sql import rows_in
from pipeline.source_files import scope_of
from pipeline.times import microseconds
from pipeline.warehouse.database import publish

_ENCRYPTED: Final = f"""
    select distinct conversation_id from {rows_in("$files")}
    where contains(conversation_id, $marker)"""


def run_pending_purges(lake: Lake, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Snapshot | None:
    """Purge the conversations that this run or a dead one has noted; gives the snapshot after it, None if there were none.

    Where a note is damaged, all conversations that tombstones cover are purged: those of the note are among them.
    """
    noted = read_pending(lake)
    if not noted.paths:
        return None
    lake.on_step("purge")
    for attempt in retry_conflicts():
        with attempt:
            snapshot = lake.snapshot()
            attempt.is_overtaken = partial(lake.is_overtaken, snapshot)
            more = _conversations_with_tombstones(lake, snapshot) if noted.is_damaged else set()
            after = _purged(lake, snapshot, noted.idents | more, now())
    lake.on_step("clear notes")
    clear_pending(lake, noted)
    return after


def _conversations_with_tombstones(lake: Lake, snapshot: Snapshot) -> set[str]:
    """Ids of conversations in the tables that have a tombstone."""
    tombstones = read_tombstones(lake, snapshot)
    if tombstones is None:
        return set()
    found: set[str] = set()
    with connected(lake) as connection:
        for table in schema.DELIVERED:
            for location in lake.locations(table, snapshot.files[table]):
                query = f"select distinct conversation_id from {rows_in('$file')}"
                idents = connection.execute(query, {"file": location}).fetchall()
                found |= {ident for (ident,) in idents if tombstones.find("conversation", ident) is not None}
    return found


def _purged(lake: Lake, snapshot: Snapshot, idents: set[str], at: datetime) -> Snapshot:
    try:
        return purge(lake, snapshot, idents, at=at)[1]
    except (OSError, duckdb.IOException) as error:
        if lake.is_newest(snapshot):
            raise
        raise ConflictError(f"{lake.uri}: another run has erased people meanwhile; run the command again") from error


@dataclass(frozen=True)
class _Plan:
    """A purge worked out from a snapshot: the changes of the tables, and the landed files without erased people, staged."""

    changes: dict[str, Change]
    idents: set[str] = field(repr=False)
    """All ids of conversations to erase, those of deliveries that do not name the person among them."""
    covering: Tombstones
    landed: list[Landed]
    found: Found
    done: Erased


def purge(
    lake: Lake,
    snapshot: Snapshot,
    idents: set[str],
    *,
    at: datetime,
    subjects: Sequence[tuple[str, str]] = (),
    had: Collection[tuple[str, str]] = (),
) -> tuple[Erased, Snapshot]:
    """Remove the conversations of these ids, and all that tombstones cover, from everything that the lake keeps.

    `subjects` are the kinds and ids that were asked for, which are looked for in all of the landed text, `had` those of them
    that the tables have or had. The caller holds `writing`.
    """
    plan = _plan(lake, snapshot, idents, at=at, subjects=subjects, had=had)
    found, done = plan.found, plan.done
    present = {name: lake.sizes_below(name) for name in schema.STORED}
    after = lake.commit(plan.changes, snapshot, landed=[staged.path for *_, staged in found.cut])
    lake.on_step("put back")
    _put_all_back(lake, plan.landed, found, done)
    lake.on_step("publish")
    publish(lake, after)
    lake.on_step("delete")
    _delete_rest(lake, after if lake.store.has_lock else lake.snapshot(), present, done)
    if subjects:
        cut = [file for file, *_ in found.cut]
        done.left = left_over(lake, after, subjects, plan.idents, at, cut=cut, tombstones=plan.covering)
    return done, after


def _plan(
    lake: Lake,
    snapshot: Snapshot,
    idents: set[str],
    *,
    at: datetime,
    subjects: Sequence[tuple[str, str]],
    had: Collection[tuple[str, str]],
) -> _Plan:
    """Search the lake, and work out the changes; nothing is visible yet."""
    tombstones = stored = read_tombstones(lake, snapshot) or first_tombstones(lake)
    for kind, ident in subjects:
        tombstones = tombstones.with_ids(kind, [ident], at)
    ledger = Ledger(lake, snapshot, {path.rpartition("/")[2] for path in landed_files(lake)})
    landed = list_landed(lake, ledger.loaded())
    idents, found = _find(lake, landed, tombstones, idents, at=at, persons=[ident for _, ident in subjects])
    done = _searched(snapshot, landed, found)
    if subjects:
        done.related = related(lake, snapshot, idents, subjects)
    changes = _changes(lake, snapshot, idents | _as_encrypted(lake, snapshot, idents), done)
    former = _rejects(lake, snapshot)
    rejects = _count_anew(lake, ledger, found, former)
    covering = tombstones.with_ids("conversation", idents, at)
    if subjects:
        in_rejects = (covering.named(raw or "") for _, rows in former for raw in rows["raw"].to_pylist())
        done.named = {ident.strip() for ident in done.named.union(*in_rejects)}
    not_found = [one for one in subjects if one not in had and one[1] not in done.named]
    conversations = {("conversation", ident) for ident in idents}.difference(not_found)
    changes[schema.ERASURES.name] = add_tombstones(lake, stored, conversations, at, not_found=not_found)
    done.rows["rejects"] = _cut_rejects(lake, ledger, covering, former, changes["rejects"]) - rejects.num_rows
    if rejects.num_rows:
        changes["rejects"].add.append(lake.write("rejects", rejects))
    if subjects:
        readable = [row for file in landed if file.path not in found.unreadable for row in file.rows]
        ledger.forget([ident for _, ident in subjects], readable)  # last: the rejects of these files stay
    if ledger.added:
        changes[LEDGER] = ledger.change()
    return _Plan(changes, idents, covering, landed, found, done)


def _searched(snapshot: Snapshot, landed: list[Landed], found: Found) -> Erased:
    """The result of the search, before anything is removed."""
    return Erased(
        landed=len(landed),
        landed_bytes=sum(file.bytes for file in landed),
        parquet=sum(map(len, snapshot.files.values())),
        unreadable=found.unreadable,
        encrypted=found.encrypted,
        named=found.named,
    )


def _put_all_back(lake: Lake, landed: list[Landed], found: Found, done: Erased) -> None:
    """Replace landed files by their staged rest."""
    for file, redaction, staged in found.cut:
        put_back(lake, staged, file.path)
        done.landed_rewritten += 1
        done.deliveries += redaction.deliveries
        done.documents += redaction.documents
    lake.store.fsync(file.path for file, *_ in found.cut)
    cut = {file.source.name for file, *_ in found.cut if not file.rows}  # former contents, which are newer now
    standing = [file.path for file in landed if file.rows and file.source.name in cut]
    if standing:
        renew(lake, standing)


def _find(
    lake: Lake, landed: list[Landed], tombstones: Tombstones, idents: set[str], *, at: datetime, persons: list[str]
) -> tuple[set[str], Found]:
    """All ids to erase, and their traces in landed files, also in deliveries that do not name the person."""
    while True:
        found = find(lake, landed, tombstones.with_ids("conversation", idents, at), persons)
        more = found.conversations - idents
        if not more:
            return idents, found
        found.drop(lake)
        idents = idents | more


def _as_encrypted(lake: Lake, snapshot: Snapshot, idents: set[str]) -> set[str]:
    """The encrypted forms of these ids in tables that were loaded without the key."""
    files = lake.locations("conversations", snapshot.files["conversations"])
    if not files:
        return set()
    with connected(lake) as connection:
        found = connection.execute(_ENCRYPTED, {"files": files, "marker": MARKER.decode()}).fetchall()
    known = [ident for (ident,) in found]
    plain_texts = json.loads(SettingsKeyring().decrypt(json.dumps(known).encode()).text)
    return {ident for ident, plain in zip(known, plain_texts, strict=True) if plain in idents}


def _changes(lake: Lake, snapshot: Snapshot, idents: set[str], done: Erased) -> dict[str, Change]:
    """Changes to the tables without these conversations: only Parquet files that hold one of them are written anew."""
    changes = {name: Change() for name in schema.STORED if name != LEDGER}
    conditions = dict.fromkeys(schema.DELIVERED, "t.conversation_id not in (select conversation_id from erased)")
    conditions[index.NAME] = index.without("erased")
    with connected(lake) as connection:
        connection.register("erased", ids_as_arrow(idents))
        for table, condition in conditions.items():
            for file in snapshot.files[table]:
                gone = keep_rows(lake, connection, table, changes[table], file, condition)
                if table in done.rows:
                    done.rows[table] += gone
    return changes


def _rejects(lake: Lake, snapshot: Snapshot) -> list[tuple[DataFile, pa.Table]]:
    """The Parquet files of the table `rejects`, with their rows."""
    return [(file, read_file(lake, "rejects", file)) for file in snapshot.files["rejects"]]


def _count_anew(lake: Lake, ledger: Ledger, found: Found, former: list[tuple[DataFile, pa.Table]]) -> pa.Table:
    """Count files that were cut anew in the ledger; gives their rejects."""
    rejects = [schema.REJECTS.arrow_schema.empty_table()]
    # The ledger's account of a file may be the one that its documents name; its rejects tell if it was listed for it.
    by_hand = {name for _, rows in former for name in rows.filter(pc.is_null(rows["account_id"]))["source_file"].to_pylist()}
    for file, _, staged in found.cut:
        for row in file.rows:
            account_id = None if row["name"] in by_hand else row["account_id"]
            counts, read = read_landed(lake, staged.path, replace(file.source, account_id=account_id))
            ledger.lose(row, counts, staged.sha256)
            rejects.append(read)
    return pa.concat_tables(rejects)


def _cut_rejects(
    lake: Lake, ledger: Ledger, covering: Tombstones, former: list[tuple[DataFile, pa.Table]], change: Change
) -> int:
    """Remove the rejects of files that were read anew, and, of files that are lost, those whose text names an erased person."""
    standing = landed_files(lake)
    read = {row["name"] for row in ledger.loaded() if landed_path(lake, row["name"], row["sha256"]) in standing}
    searched = read - ledger.cut_names  # else the rejects are of a file that is lost
    gone = 0

    def stays(row: dict[str, str | None]) -> bool:
        name = row["source_file"] or ""
        if name in searched:
            return True
        scope_start = scope_of(name)[0]
        since = None if scope_start is None else microseconds(scope_start)
        return not ledger.is_cut(name, row["account_id"]) and not covering.covers_text(row["raw"] or "", since)

    for file, rows in former:
        kept = rows.filter(pa.array([stays(row) for row in rows.to_pylist()], pa.bool_()))
        if kept.num_rows < rows.num_rows:
            gone += rows.num_rows - kept.num_rows
            change.swap(file, lake.write("rejects", kept) if kept.num_rows else None)
    return gone


def _delete_rest(lake: Lake, snapshot: Snapshot, present: dict[str, dict[str, int]], done: Erased) -> None:
    """Delete the report and unreferenced Parquet files that were `present`.

    In a bucket, newer files belong to a later writer, which no lock keeps away.
    """
    for name, sizes in present.items():
        kept = {lake.path(name, file.path) for file in snapshot.files[name]}
        for path, size in sizes.items():
            if path not in kept and not path.startswith(lake.path(name, "_delta_log/")):
                with suppress(FileNotFoundError):
                    lake.files.rm_file(lake.store.inside(path))
                    done.deleted += 1
                    done.deleted_bytes += size
    report = lake.path(REPORT_NAME)
    done.report_deleted = exists(lake.files, report)
    if done.report_deleted:
        lake.files.rm_file(report)
