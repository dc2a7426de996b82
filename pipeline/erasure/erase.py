"""Somebody's conversations out of everything that a lake keeps: tables, their old versions, landed files, and what comes later.

The order makes a run that dies harmless, and the next run of the same command finish: first the tombstones, so that nothing
comes back; then one commit of tables and ledger; then the landed files, each written beside its place and moved there; last
whatever no finished load names. Delta's log holds no ids: its actions name files, its statistics count rows.
"""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import schema
from pipeline.decode.pgp import MARKER, SettingsKeyring
from pipeline.erasure.marks import marks_of, remove_marks
from pipeline.erasure.people import Related, alike, asked_for, conversations_of, left_over, related
from pipeline.erasure.search import Found, Landed, find, list_landed, read_landed
from pipeline.erasure.tombstones import Tombstones, bury, first_tombstones, ids_as_arrow, read_tombstones
from pipeline.errors import ConflictError, LakeError, SettingsError
from pipeline.lake.deliveries import DELIVERED, KEY
from pipeline.lake.intact import read_file
from pipeline.lake.lake import REPORT_NAME, Lake, until_undisturbed
from pipeline.lake.landing import clear_staging, landed_files, landed_path, put_back, renew
from pipeline.lake.ledger import Ledger, read_ledger
from pipeline.lake.rewrite import connected, keep_rows
from pipeline.lake.snapshot import LEDGER, Change, DataFile, Snapshot
from pipeline.lake.store import exists, links_below
from pipeline.source_files import scope_of
from pipeline.text import many
from pipeline.times import microseconds
from pipeline.warehouse.database import publish

_CLOCKS_APART: Final = timedelta(minutes=1)  # of machines that write one bucket
_ENCRYPTED: Final = """
    select distinct conversation_id from read_parquet($files, hive_partitioning = false)
    where contains(conversation_id, $marker)"""


@dataclass
class Erased:
    """What an erase removed, and where it looked.

    `rows` are those of the tables, by table; `deliveries` are conversations in landed files, superseded deliveries included,
    `documents` those that went whole with them. `unreadable` are landed files that are broken, and so could not be searched,
    `encrypted` those with ids that no key decrypts.

    `not_found` are the kinds and ids asked for that nothing has, `alike` which kinds and ids like them the tables have;
    `already` are those that nothing has any more, and when they were asked for last. `not_ended` counts conversations that go
    on and so stay, `related` are others that conversations share with those erased. `left` says in sentences what is left.
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
    named: set[str] = field(default_factory=set, repr=False)
    """The ids that landed files and rejects name."""
    not_found: list[tuple[str, str]] = field(default_factory=list, repr=False)
    alike: dict[tuple[str, str], list[tuple[str, str]]] = field(default_factory=dict, repr=False)
    already: dict[tuple[str, str], datetime] = field(default_factory=dict, repr=False)
    not_ended: int = 0
    related: list[Related] = field(default_factory=list, repr=False)
    left: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether all that was asked for was found, now or before, and is gone, and everything could be searched."""
        return self.is_searched and not self.not_found

    @property
    def is_searched(self) -> bool:
        """Whether everything could be searched, and nothing that was looked for is left."""
        return not (self.unreadable or self.encrypted or self.left)

    @property
    def anything(self) -> bool:
        """Whether there was anything of that person."""
        return bool(self.landed_rewritten or any(self.rows.values()))


def erase(lake: Lake, kind: str, ident: str, *, now: Callable[[], datetime] | None = None) -> Erased:
    """Erase a conversation, or all conversations of a consumer or visitor that ended by now, as `erase_all` does."""
    return erase_all(lake, [(kind, ident)], now=now)


def erase_all(lake: Lake, people: Iterable[tuple[str, str]], *, now: Callable[[], datetime] | None = None) -> Erased:
    """Erase conversations, and those of consumers or visitors that ended by now; the caller holds `writing`.

    `people` are kinds (conversation, consumer or visitor) and ids; blanks around an id are none of it. Every delivery of a
    conversation goes, whether or not it names the person. `now` tells until when; without it the clock does.

    Raises:
        SettingsError: an id is empty or no text, or the clock is behind the lake's newest load; nothing was erased.
        LakeError: the lake can't be read or written, or a link lies in it; the same command again finishes.
    """
    asked = asked_for(people)
    _require_no_links(lake)
    before: dict[tuple[str, str], datetime] | None = None
    for attempt in until_undisturbed():
        with attempt:
            requested_at = now() if now else datetime.now(UTC)
            clear_staging(lake)
            snapshot = lake.snapshot()
            if now is None:
                _require_clock(lake, snapshot, requested_at)
            tombstones = read_tombstones(lake, snapshot) or first_tombstones(lake)
            if before is None:  # a second attempt meets the tombstones of the first
                before = _erased_before(tombstones, asked)
            new = [one for one in asked if one[0] != "conversation" or tombstones.find(*one) is None]
            snapshot = lake.commit({schema.ERASURES.name: bury(lake, tombstones, new, requested_at)}, snapshot)
            known = conversations_of(lake, snapshot, asked, requested_at)
            had = known.known | before.keys()
            done, after = purge(lake, snapshot, known.idents, at=requested_at, people=asked, had=had)
            done.not_ended = known.not_ended
            gone = [one for one in asked if one not in known.known and one[1] not in done.named]
            done.already = {one: before[one] for one in gone if one in before}
            done.not_found = [one for one in gone if one not in before]
            done.alike = alike(lake, after, done.not_found)
    return done


def _erased_before(tombstones: Tombstones, people: Sequence[tuple[str, str]]) -> dict[tuple[str, str], datetime]:
    """Which of these were erased by a run before, and when."""
    moments = ((one, tombstones.erased_at(*one)) for one in people)
    return {one: datetime.fromtimestamp(moment / 1e6, UTC) for one, moment in moments if moment is not None}


def _require_clock(lake: Lake, snapshot: Snapshot, at: datetime) -> None:
    """By a clock that is behind, conversations that are over seem not to have ended, and would stay."""
    newest = pc.max(read_ledger(lake, snapshot, ["loaded_at"])["loaded_at"]).as_py()
    if newest is not None and at + _CLOCKS_APART < newest:
        raise SettingsError(
            f"the clock says {at:%Y-%m-%d %H:%M} UTC, and the lake's newest load was at {newest:%Y-%m-%d %H:%M} UTC; what "
            "ended in between would stay, so nothing was erased: set the clock right and run the command again"
        )


def _require_no_links(lake: Lake) -> None:
    links = links_below(lake.root) if lake.is_local else []
    if links:
        raise LakeError(
            f"{links[0]}: is a link ({many(len(links), 'link')} in the lake), and what lies behind it can't be erased; nothing "
            "was erased: put a folder or file in its place and run the command again"
        )


def finish_purges(lake: Lake, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Snapshot | None:
    """Purge what is noted to be, by this run or by one that died; gives what the lake then has, None if nothing was noted.

    Where a note is damaged, whatever the tombstones cover is purged: what it named is among that.
    """
    noted = marks_of(lake)
    if not noted.paths:
        return None
    for attempt in until_undisturbed():
        with attempt:
            snapshot = lake.snapshot()
            more = _buried(lake, snapshot) if noted.is_damaged else set()
            after = _purged(lake, snapshot, noted.idents | more, now())
    remove_marks(lake, noted)
    return after


def _buried(lake: Lake, snapshot: Snapshot) -> set[str]:
    """Ids of conversations in the tables that have a tombstone."""
    tombstones = read_tombstones(lake, snapshot)
    if tombstones is None:
        return set()
    found: set[str] = set()
    with connected(lake) as connection:
        for table in DELIVERED:
            for location in lake.locations(table, snapshot.files[table]):
                query = "select distinct conversation_id from read_parquet($file, hive_partitioning = false)"
                idents = connection.execute(query, {"file": location}).fetchall()
                found |= {ident for (ident,) in idents if tombstones.find("conversation", ident) is not None}
    return found


def _purged(lake: Lake, snapshot: Snapshot, idents: set[str], at: datetime) -> Snapshot:
    try:
        return purge(lake, snapshot, idents, at=at)[1]
    except (OSError, duckdb.IOException) as error:
        if lake.is_newest(snapshot):
            raise
        raise ConflictError(f"{lake.uri}: another run has erased somebody meanwhile; run the command again") from error


def purge(
    lake: Lake,
    snapshot: Snapshot,
    idents: set[str],
    *,
    at: datetime,
    people: Sequence[tuple[str, str]] = (),
    had: Collection[tuple[str, str]] = (),
) -> tuple[Erased, Snapshot]:
    """Remove the conversations of these ids, and what tombstones cover, from all that the lake keeps.

    `people` are the kinds and ids that were asked for, which are looked for in all of the landed text, `had` those of them
    that the tables have or had. The caller holds `writing`.
    """
    tombstones = stored = read_tombstones(lake, snapshot) or first_tombstones(lake)
    for kind, ident in people:
        tombstones = tombstones.with_ids(kind, [ident], at)
    ledger = Ledger(lake, snapshot, {path.rpartition("/")[2] for path in landed_files(lake)})
    landed = list_landed(lake, ledger.loaded())
    idents, found = _find(lake, landed, tombstones, idents, at=at, persons=[ident for _, ident in people])
    done = _searched(snapshot, landed, found)
    if people:
        done.related = related(lake, snapshot, idents, people)
    changes = _changes(lake, snapshot, idents | _as_encrypted(lake, snapshot, idents), done)
    former = _rejects(lake, snapshot)
    rejects = _count_anew(lake, ledger, found, former)
    covering = tombstones.with_ids("conversation", idents, at)
    if people:
        in_rejects = (covering.named(raw or "") for _, rows in former for raw in rows["raw"].to_pylist())
        done.named = {ident.strip() for ident in done.named.union(*in_rejects)}
    not_found = [one for one in people if one not in had and one[1] not in done.named]
    conversations = {("conversation", ident) for ident in idents}.difference(not_found)
    changes[schema.ERASURES.name] = bury(lake, stored, conversations, at, not_found=not_found)
    done.rows["rejects"] = _cut_rejects(lake, ledger, covering, former, changes["rejects"]) - rejects.num_rows
    if rejects.num_rows:
        changes["rejects"].add.append(lake.write("rejects", rejects))
    if people:
        readable = [row for file in landed if file.path not in found.unreadable for row in file.rows]
        ledger.forget([ident for _, ident in people], readable)  # last: the rejects of these files stay
    if ledger.added:
        changes[LEDGER] = ledger.change()
    present = {name: lake.sizes_below(name) for name in schema.STORED}
    after = lake.commit(changes, snapshot, landed=[staged.path for *_, staged in found.cut])
    _put_all_back(lake, landed, found, done)
    publish(lake, after)
    _delete_rest(lake, after if lake.is_local else lake.snapshot(), present, done)
    if people:
        done.left = left_over(lake, after, people, idents, at, cut=[file for file, *_ in found.cut], tombstones=covering)
    return done, after


def _searched(snapshot: Snapshot, landed: list[Landed], found: Found) -> Erased:
    """Where an erase has looked, before anything is removed."""
    return Erased(
        landed=len(landed),
        landed_bytes=sum(file.bytes for file in landed),
        parquet=sum(map(len, snapshot.files.values())),
        unreadable=found.unreadable,
        encrypted=found.encrypted,
        named=found.named,
    )


def _put_all_back(lake: Lake, landed: list[Landed], found: Found, done: Erased) -> None:
    """Give what is left of landed files their places."""
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


def _find(
    lake: Lake, landed: list[Landed], tombstones: Tombstones, idents: set[str], *, at: datetime, persons: list[str]
) -> tuple[set[str], Found]:
    """All ids to erase, and what was found of them in landed files: deliveries that do not name the person too."""
    while True:
        found = find(lake, landed, tombstones.with_ids("conversation", idents, at), persons)
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
    said = json.loads(SettingsKeyring().decrypt(json.dumps(known).encode()).text)
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
    """Delete what was `present` below the tables' folders and the newest commit does not name, and the report.

    What has come since is of a writer that no lock keeps away, and that began after the erasure.
    """
    for name, sizes in present.items():
        kept = {lake.path(name, file.path) for file in snapshot.files[name]}
        for path, size in sizes.items():
            if path not in kept and not path.startswith(lake.path(name, "_delta_log/")):
                with suppress(FileNotFoundError):
                    lake.files.rm_file(lake.inside(path))
                    done.deleted += 1
                    done.deleted_bytes += size
    report = lake.path(REPORT_NAME)
    done.report_deleted = exists(lake.files, report)
    if done.report_deleted:
        lake.files.rm_file(report)
