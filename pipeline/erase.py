"""Somebody's conversations out of everything that a lake keeps: tables, their old versions, landed files, and what comes later.

The order makes a run that dies harmless, and the next run of the same command finish: first the tombstones, so that nothing
comes back; then one commit of tables and ledger; then the landed files, each written beside its place and moved there; last
whatever no finished load names. Delta's log holds no ids: its actions name files, its statistics count rows.
"""

import json
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import schema
from pipeline.deliveries import DELIVERED, KEY
from pipeline.errors import ConflictError, SettingsError
from pipeline.intact import read_file
from pipeline.lake import REPORT_NAME, Lake, until_undisturbed
from pipeline.landing import clear_staging, landed_files, put_back, renew, scope_of
from pipeline.ledger import Ledger
from pipeline.parquet import connected, keep_rows
from pipeline.pgp import MARKER, opened
from pipeline.snapshot import LEDGER, Change, DataFile, Snapshot
from pipeline.store import exists
from pipeline.tombstones import (
    Tombstones,
    bury,
    first_tombstones,
    ids_as_arrow,
    microseconds,
    read_tombstones,
)
from pipeline.traces import Found, Landed, find, list_landed, read_landed
from pipeline.warehouse import publish

_NO_MESSAGES: Final = """(
    select null::varchar as account_id, null::varchar as conversation_id, 1 as delivery, null::timestamptz as timestamp
    where false)"""
_MARK: Final = ".erasing-"
_MINE: Final = """
    with mine as (select * from read_parquet($conversations, hive_partitioning = false) where {column} = $ident),
    said as (
        select account_id, conversation_id, delivery, max(timestamp) as newest from {messages}
        where conversation_id in (select conversation_id from mine) group by all
    )
    select distinct mine.conversation_id from mine left join said
    on said.account_id is not distinct from mine.account_id and said.conversation_id = mine.conversation_id
    and said.delivery = mine.delivery
    where coalesce(coalesce(conversation_end_time, newest, conversation_start_time) < $until, true)"""

_ENCRYPTED: Final = """
    select distinct conversation_id from read_parquet($files, hive_partitioning = false)
    where starts_with(ltrim(conversation_id, ' \n\r\t'), $marker)"""


@dataclass
class Erased:
    """What an erase removed, and where it looked.

    `rows` are those of the tables, by table; `deliveries` are conversations in landed files, superseded deliveries included,
    `documents` those that went whole with them. `unreadable` are landed files that are broken, and so could not be searched,
    `encrypted` those with ids that no key decrypts.
    """

    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*DELIVERED, "rejects"), 0))
    deliveries: int = 0
    documents: int = 0
    landed_rewritten: int = 0
    deleted: int = 0
    deleted_bytes: int = 0
    report_deleted: bool = False
    landed: int = 0
    landed_bytes: int = 0
    parquet: int = 0
    unreadable: list[str] = field(default_factory=list)
    encrypted: list[str] = field(default_factory=list)

    @property
    def anything(self) -> bool:
        """Whether there was anything of that person."""
        return bool(self.landed_rewritten or any(self.rows.values()))


def erase(lake: Lake, kind: str, ident: str, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Erased:
    """Erase a conversation, or all conversations of a consumer or visitor that ended by now; the caller holds `writing`.

    `kind` is conversation, consumer or visitor. Every delivery of a conversation goes, whether or not it names the person.

    Raises:
        SettingsError: the id is no text.
        LakeError: the lake can't be read or written; the same command again finishes.
    """
    if not ident or not _is_text(ident):
        raise SettingsError(f"the {kind}'s id is empty or not valid Unicode; nothing was erased")
    for attempt in until_undisturbed():
        with attempt:
            requested_at = now()
            clear_staging(lake)
            snapshot = lake.snapshot()
            tombstones = read_tombstones(lake, snapshot) or first_tombstones(lake)
            snapshot = lake.commit({schema.ERASURES.name: bury(lake, tombstones, kind, [ident], requested_at)}, snapshot)
            idents = {ident} if kind == "conversation" else _conversations_of(lake, snapshot, kind, ident, requested_at)
            done, _ = purge(lake, snapshot, idents, at=requested_at, person=(kind, ident))
    return done


def mark(lake: Lake, idents: set[str]) -> None:
    """Note that these conversations are to be purged, before a load says that it has read the files which tell so."""
    path = lake.path(f"{_MARK}{uuid.uuid4().hex}")
    lake.files.pipe_file(path, json.dumps(sorted(idents)).encode())
    lake.persist([path])


def finish_purges(lake: Lake, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Snapshot | None:
    """Purge what is noted to be, by this run or by one that died; gives what the lake then has, None if nothing was noted."""
    marks, idents = [], set[str]()
    for path in _marks(lake):
        with suppress(FileNotFoundError):  # whose run has finished meanwhile
            idents.update(json.loads(lake.files.cat_file(path)))
            marks.append(path)
    if not marks:
        return None
    for attempt in until_undisturbed():
        with attempt:
            after = _purged(lake, idents, now())
    for path in marks:
        with suppress(FileNotFoundError):
            lake.files.rm_file(path)
    return after


def _marks(lake: Lake) -> list[str]:
    with suppress(FileNotFoundError):
        return [path for path in lake.files.ls(lake.root, detail=False) if path.rpartition("/")[2].startswith(_MARK)]
    return []


def _purged(lake: Lake, idents: set[str], at: datetime) -> Snapshot:
    snapshot = lake.snapshot()
    try:
        return purge(lake, snapshot, idents, at=at)[1]
    except (OSError, duckdb.IOException) as error:
        if lake.is_newest(snapshot):
            raise
        raise ConflictError(f"{lake.uri}: another run has erased somebody meanwhile; run the command again") from error


def _is_text(ident: str) -> bool:
    try:
        ident.encode()
    except UnicodeEncodeError:
        return False
    return True


def _conversations_of(lake: Lake, snapshot: Snapshot, kind: str, ident: str, until: datetime) -> set[str]:
    """Ids of somebody's conversations that the tables have, and that had ended."""
    files = {name: lake.locations(name, snapshot.files[name]) for name in ("conversations", "messages")}
    if not files["conversations"]:
        return set()
    messages = "read_parquet($messages, hive_partitioning = false)" if files["messages"] else _NO_MESSAGES
    parameters = {name: locations for name, locations in files.items() if locations} | {"ident": ident, "until": until}
    with connected(lake) as connection:
        found = connection.execute(_MINE.format(column=f"{kind}_id", messages=messages), parameters).fetchall()
    return {conversation_id for (conversation_id,) in found}


def purge(
    lake: Lake, snapshot: Snapshot, idents: set[str], *, at: datetime, person: tuple[str, str] | None = None
) -> tuple[Erased, Snapshot]:
    """Remove the conversations of these ids, and what tombstones cover, from all that the lake keeps.

    `person` is the kind and the id that was asked for, which is looked for in all of the landed text. The caller holds
    `writing`.
    """
    tombstones = read_tombstones(lake, snapshot) or first_tombstones(lake)
    if person is not None:
        tombstones = tombstones.with_ids(person[0], [person[1]], at)
    ledger = Ledger(lake, snapshot, {path.rpartition("/")[2] for path in landed_files(lake)})
    landed = list_landed(lake, ledger.loaded())
    idents, found = _find(lake, landed, tombstones, idents, at=at, person=person and person[1])
    done = Erased(
        landed=len(landed),
        landed_bytes=sum(file.bytes for file in landed),
        parquet=sum(map(len, snapshot.files.values())),
        unreadable=found.unreadable,
        encrypted=found.encrypted,
    )
    changes = _changes(lake, snapshot, idents | _as_encrypted(lake, snapshot, idents), done)
    changes[schema.ERASURES.name] = bury(lake, tombstones, "conversation", idents, at)
    former = _rejects(lake, snapshot)
    rejects = _count_anew(lake, ledger, found, former)
    covering = tombstones.with_ids("conversation", idents, at)
    done.rows["rejects"] = _cut_rejects(lake, ledger, covering, former, changes["rejects"]) - rejects.num_rows
    if rejects.num_rows:
        changes["rejects"].add.append(lake.write("rejects", rejects))
    if ledger.added:
        changes[LEDGER] = ledger.change()
    present = {name: lake.sizes_below(name) for name in schema.STORED}
    after = lake.commit(changes, snapshot, landed=[staged.path for *_, staged in found.cut])
    for file, redaction, staged in found.cut:
        put_back(lake, staged, file.path)
        done.landed_rewritten += 1
        done.deliveries += redaction.deliveries
        done.documents += redaction.documents
    lake.persist(file.path for file, *_ in found.cut)
    cut = {file.source.name for file, *_ in found.cut if not file.rows}  # former contents, which are newer now
    standing = [file.path for file in landed if file.rows and file.source.name in cut]
    if standing and not lake.is_local:
        renew(lake, standing)
    publish(lake, after)
    _delete_rest(lake, after if lake.is_local else lake.snapshot(), present, done)
    return done, after


def _find(
    lake: Lake, landed: list[Landed], tombstones: Tombstones, idents: set[str], *, at: datetime, person: str | None
) -> tuple[set[str], Found]:
    """All ids to erase, and what was found of them in landed files: deliveries that do not name the person too."""
    while True:
        found = find(lake, landed, tombstones.with_ids("conversation", idents, at), person)
        more = found.conversations - idents
        if not more:
            return idents, found
        found.drop(lake)
        idents = idents | more


def _as_encrypted(lake: Lake, snapshot: Snapshot, idents: set[str]) -> set[str]:
    """These ids as tables have them that were loaded without the key which decrypts them."""
    files = lake.locations("conversations", snapshot.files["conversations"])
    if not files:
        return set()
    with connected(lake) as connection:
        found = connection.execute(_ENCRYPTED, {"files": files, "marker": MARKER.decode()}).fetchall()
    known = [ident for (ident,) in found]
    said = json.loads(opened(json.dumps(known).encode()).text)
    return {ident for ident, plain in zip(known, said, strict=True) if plain in idents}


def _changes(lake: Lake, snapshot: Snapshot, idents: set[str], done: Erased) -> dict[str, Change]:
    """The tables without these conversations: only Parquet files that hold one of them are written anew."""
    changes = {name: Change() for name in schema.STORED if name != LEDGER}
    conditions = dict.fromkeys(DELIVERED, "t.conversation_id not in (select conversation_id from erased)")
    conditions[schema.INDEX.name] = f"t.key not in (select {KEY} from erased)"
    with connected(lake) as connection:
        connection.register("erased", ids_as_arrow(idents))
        for table, condition in conditions.items():
            for file in snapshot.files[table]:
                gone = keep_rows(lake, connection, table, changes[table], file, condition)
                if table in done.rows:
                    done.rows[table] += gone
    return changes


def _rejects(lake: Lake, snapshot: Snapshot) -> list[tuple[DataFile, pa.Table]]:
    """The Parquet files of the table `rejects`, read."""
    return [(file, read_file(lake, "rejects", file)) for file in snapshot.files["rejects"]]


def _count_anew(lake: Lake, ledger: Ledger, found: Found, former: list[tuple[DataFile, pa.Table]]) -> pa.Table:
    """Tell the ledger what is left in the files that were cut; gives their rejects."""
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
    """Take out the rejects of files that were read anew, and those whose text names somebody where no file tells more."""
    landed_names = {path.rpartition("/")[2] for path in landed_files(lake)} - ledger.cut_names
    gone = 0

    def stays(row: dict[str, str | None]) -> bool:
        name = row["source_file"] or ""
        if name in landed_names:
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
    """Delete what was `present` below the tables' folders and the newest commit does not name, and the report.

    What has come since is of a writer that no lock keeps away, and that began after the erasure.
    """
    for name, sizes in present.items():
        kept = {lake.path(name, file.path) for file in snapshot.files[name]}
        for path, size in sizes.items():
            if path not in kept and not path.startswith(lake.path(name, "_delta_log/")):
                with suppress(FileNotFoundError):
                    lake.files.rm_file(path)
                    done.deleted += 1
                    done.deleted_bytes += size
    report = lake.path(REPORT_NAME)
    done.report_deleted = exists(lake.files, report)
    if done.report_deleted:
        lake.files.rm_file(report)
