"""Look up data subjects in the tables: their conversations, linked ones of others, and rows that an erase has left."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import duckdb
import pyarrow as pa

from pipeline import schema
from pipeline.erasure.search import Landed, find
from pipeline.erasure.tombstones import Tombstones, ids_as_arrow
from pipeline.errors import LakeError, SettingsError
from pipeline.lake.digests import require_same
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import read_ledger
from pipeline.lake.rewrite import connected
from pipeline.lake.snapshot import Snapshot
from pipeline.lake.sql import rows_in
from pipeline.text import counted

_FILES: Final = rows_in("${name}")
_NO_MESSAGES: Final = """(
    select null::varchar as account_id, null::varchar as conversation_id, 1 as delivery, null::timestamptz as timestamp
    where false)"""
_MINE: Final = """
    with mine as (
        select * from {conversations} where trim({kind}_id, $blanks) in (select ident from asked where kind = '{kind}')
    ),
    newest_lines as (
        select account_id, conversation_id, delivery, max(timestamp) as newest from {messages}
        where conversation_id in (select conversation_id from mine) group by all
    )
    select distinct mine.{kind}_id, mine.conversation_id,
        coalesce(coalesce(conversation_end_time, newest, conversation_start_time) < $until, true)
    from mine left join newest_lines
    on newest_lines.account_id is not distinct from mine.account_id and newest_lines.conversation_id = mine.conversation_id
    and newest_lines.delivery = mine.delivery"""
_ALIKE: Final = f"""
    with whole as (
        select distinct unnest([
            {{'kind': 'consumer', 'ident': consumer_id}},
            {{'kind': 'visitor', 'ident': visitor_id}},
            {{'kind': 'conversation', 'ident': conversation_id}}
        ], recursive := true)
        from {rows_in("$files")}
    )
    select distinct asked.kind, asked.ident, whole.kind, whole.ident from asked join whole
    on lower(trim(whole.ident, $blanks)) = lower(asked.ident)
    order by all"""
_RELATED: Final = f"""
    with whole as (
        select distinct conversation_id, visitor_id, consumer_id from {rows_in("$files")}
    ),
    mine as (from whole where conversation_id in (select conversation_id from erased)),
    others as (from whole where conversation_id not in (select conversation_id from erased))
    select 'visitor' as kind, visitor_id as ident, count(distinct conversation_id) as conversation_count
    from others where visitor_id in (select visitor_id from mine) group by all
    union all
    select 'consumer', consumer_id, count(distinct conversation_id)
    from others where consumer_id in (select consumer_id from mine) group by all
    order by conversation_count desc, kind desc, ident"""
_STRAY: Final = f"""
    select source_file, count(*) from {rows_in("$lines")} as line
    anti join {{conversations}} as whole
    on line.account_id is not distinct from whole.account_id and line.conversation_id = whole.conversation_id
        and line.source_file = whole.source_file and line.delivery = whole.delivery
    group by all order by all"""
_PERSONS: Final = f"""
    select fact.source_file, count(*) from {rows_in("$facts")} as fact
    anti join {rows_in("$whole")} as whole
    on fact.account_id is not distinct from whole.account_id and fact.conversation_id = whole.conversation_id
        and fact.source_file = whole.source_file and fact.delivery = whole.delivery
        and fact.person_id in (whole.consumer_id, whole.visitor_id)
    where trim(fact.person_id, $blanks) in (select ident from asked where kind <> 'conversation')
    group by all order by all"""
_KEPT: Final = f"""
    select source_file, count(*) from {rows_in("$files")}
    where source_file in (select name from cut) group by all"""
_BLANKS: Final = "".join(filter(str.isspace, map(chr, range(0x3001))))  # as `str.strip` takes them off, the last one too
_COMPUTE: Final = "run lakehouse upgrade --recompute, which computes the facts anew, then this command again"
_ANEW: Final = "run lakehouse rebuild, which makes the tables anew from the landing zone, then this command again"


@dataclass
class Known:
    """Conversations of data subjects: ids of ended ones, the number of others, and the subjects that the tables have."""

    idents: set[str] = field(default_factory=set)
    not_ended: int = 0
    known: set[tuple[str, str]] = field(default_factory=set)


@dataclass(frozen=True)
class Related:
    """Other conversations of the same visitor or consumer, which no request names."""

    kind: str
    ident: str
    conversations: int


def asked_for(subjects: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Kinds and ids as they were asked for, each once, without blanks around the ids.

    Raises:
        SettingsError: there is none, or an id is empty or no text.
    """
    asked = list(dict.fromkeys((kind, ident.strip()) for kind, ident in subjects))
    for kind, ident in asked:
        if not ident or not _is_text(ident):
            raise SettingsError(f"the {kind}'s id is empty or not valid Unicode; nothing was erased")
    if not asked:
        raise SettingsError(
            "erase takes one id or several, each by --consumer-id, --visitor-id or --conversation-id; none is given, and "
            "nothing was erased"
        )
    return asked


def _is_text(ident: str) -> bool:
    try:
        ident.encode()
    except UnicodeEncodeError:
        return False
    return True


def conversations_of(lake: Lake, snapshot: Snapshot, subjects: Iterable[tuple[str, str]], until: datetime) -> Known:
    """The conversations of people that the tables have; those that were asked for themselves count as ended."""
    asked = list(subjects)
    found = Known({ident for kind, ident in asked if kind == "conversation"})
    files = {name: lake.locations(name, snapshot.files[name]) for name in ("conversations", "messages")}
    if not files["conversations"]:
        return found
    messages = _FILES.format(name="messages") if files["messages"] else _NO_MESSAGES
    parameters = {name: locations for name, locations in files.items() if locations} | {"until": until, "blanks": _BLANKS}
    going_on: set[str] = set()
    with connected(lake) as connection:
        connection.register("asked", _as_arrow(asked))
        for kind in sorted({kind for kind, _ in asked}):
            query = _MINE.format(kind=kind, conversations=_FILES.format(name="conversations"), messages=messages)
            for ident, conversation_id, has_ended in connection.execute(query, parameters).fetchall():
                found.known.add((kind, ident.strip()))
                (found.idents if has_ended or kind == "conversation" else going_on).add(conversation_id)
    found.not_ended = len(going_on - found.idents)
    return found


def alike(lake: Lake, snapshot: Snapshot, subjects: Sequence[tuple[str, str]]) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """For subjects that were not found, like ids in the tables: of another kind, or in other upper and lower case."""
    files = lake.locations("conversations", snapshot.files["conversations"])
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    if not files or not subjects:
        return found
    with connected(lake) as connection:
        connection.register("asked", _as_arrow(subjects))
        rows = connection.execute(_ALIKE, {"files": files, "blanks": _BLANKS}).fetchall()
    for kind, ident, *other in rows:
        found.setdefault((kind, ident), []).append((other[0], other[1]))
    return found


def _as_arrow(subjects: Iterable[tuple[str, str]]) -> pa.Table:
    kinds, idents = zip(*subjects, strict=True)
    return pa.table({"kind": pa.array(kinds, schema.TEXT.arrow), "ident": pa.array(idents, schema.TEXT.arrow)})


def related(lake: Lake, snapshot: Snapshot, idents: set[str], subjects: Sequence[tuple[str, str]]) -> list[Related]:
    """The visitors and consumers that these conversations share with others, most conversations first."""
    files = lake.locations("conversations", snapshot.files["conversations"])
    if not files:
        return []
    with connected(lake) as connection:
        connection.register("erased", ids_as_arrow(idents))
        rows = connection.execute(_RELATED, {"files": files}).fetchall()
    return [Related(*row) for row in rows if row[:2] not in subjects]


_BESIDE: Final = {"conversations": ("extra", "secure_forms"), "messages": ("extra",), "transfers": ("extra",)}
"""The columns with JSON of fields that have no column of their own."""
_NAMED_BESIDE: Final = """
    select distinct conversation_id from {files}
    where regexp_matches(
        concat_ws(',', {columns}), '(?i)"[^"]*(?:consumerid|visitorid)":' || regexp_escape($spelling) || '[,}}]'
    )
    order by conversation_id"""


def left_over(
    lake: Lake,
    after: Snapshot,
    subjects: Sequence[tuple[str, str]],
    idents: set[str],
    at: datetime,
    *,
    cut: list[Landed],
    tombstones: Tombstones,
) -> list[str]:
    """Check the lake after an erase; gives sentences about rows and landed files that may still hold erased people.

    Checked are the ids; rows of no conversation, which no id leads to; people in facts whose conversations do not name them;
    the files that were cut: the number of their rows, and their text once more; and damaged Parquet files.
    """
    still = conversations_of(lake, after, subjects, at).idents - {ident for kind, ident in subjects if kind == "conversation"}
    left = [f"{counted(len(still), 'conversation')} of the tables; run the command again"] if still else []
    with connected(lake) as connection:
        left += _with_ids(lake, connection, after, idents)
        left += _stray(lake, connection, after)
        left += _persons(lake, connection, after, subjects)
        left += _too_many(lake, connection, after, {file.source.name for file in cut})
        left += _named_beside(lake, connection, after, [ident for kind, ident in subjects if kind != "conversation"])
    left += _changed(lake, after)
    again = find(lake, cut, tombstones, [ident for _, ident in subjects])
    left += [f"an erased conversation in {file.path}; run the command again" for file, *_ in again.cut]
    again.drop(lake)
    return left


def _with_ids(lake: Lake, connection: duckdb.DuckDBPyConnection, after: Snapshot, idents: set[str]) -> list[str]:
    """Rows of the erased conversations."""
    connection.register("erased", ids_as_arrow(idents))
    left = []
    for table in schema.DELIVERED:
        if files := lake.locations(table, after.files[table]):
            query = f"select count(*) from {_FILES.format(name='files')} where conversation_id in (from erased)"
            count = connection.execute(query, {"files": files}).fetchall()[0][0]
            left += [f"{counted(count, 'row')} of {table}; run the command again"] if count else []
    return left


def _named_beside(lake: Lake, connection: duckdb.DuckDBPyConnection, after: Snapshot, idents: list[str]) -> list[str]:
    """Rows of others that name an erased consumer or visitor in JSON of fields without a column."""
    spellings = [json.dumps(ident, ensure_ascii=False) for ident in idents] + [ident for ident in idents if ident.isdigit()]
    left = []
    for table, columns in _BESIDE.items():
        files = lake.locations(table, after.files[table])
        for spelling in spellings if files else ():
            query = _NAMED_BESIDE.format(files=_FILES.format(name="files"), columns=", ".join(columns))
            found = connection.execute(query, {"files": files, "spelling": spelling}).fetchall()
            if found:
                more = f" and {len(found) - 1:,} more" if len(found) > 1 else ""
                where = f"{' or '.join(columns)} of {table}, in conversation {found[0][0]!r}{more}"
                left.append(
                    f"an id in {where}, which is not of this person by its own ids; if it is, erase it with --conversation-id"
                )
    return left


def _changed(lake: Lake, after: Snapshot) -> list[str]:
    """Damaged Parquet files: a row may have lost its id."""
    left = []
    for table in (*schema.DELIVERED, "rejects"):
        for file in after.files[table]:
            try:
                require_same(lake, table, [file])
            except LakeError as error:
                left.append(f"rows in {error}")
    return left


def _stray(lake: Lake, connection: duckdb.DuckDBPyConnection, after: Snapshot) -> list[str]:
    """Rows that belong to no conversation: they may be those of an erased person."""
    left = []
    whole = lake.locations("conversations", after.files["conversations"])
    none = "(select '' as account_id, '' as conversation_id, '' as source_file, 1 as delivery where false)"
    for table in schema.DELIVERED:
        lines = lake.locations(table, after.files[table])
        if table == "conversations" or not lines:
            continue
        query = _STRAY.format(conversations=_FILES.format(name="whole") if whole else none)
        rows = connection.execute(query, {"lines": lines} | ({"whole": whole} if whole else {})).fetchall()
        if rows:
            count, where = sum(row[1] for row in rows), f"{rows[0][0]}{' and others' if rows[1:] else ''}"
            remedy = _COMPUTE if table in schema.FACTS else _ANEW
            left.append(f"{counted(count, 'row')} of {table} that belong to no conversation, from {where}; {remedy}")
    return left


def _persons(
    lake: Lake, connection: duckdb.DuckDBPyConnection, after: Snapshot, subjects: Sequence[tuple[str, str]]
) -> list[str]:
    """Facts of an erased consumer or visitor whose conversation stands, but does not name that person."""
    fact = schema.CONVERSATION_METRICS.name
    files = {
        "facts": lake.locations(fact, after.files[fact]),
        "whole": lake.locations("conversations", after.files["conversations"]),
    }
    if not all(files.values()):
        return []
    connection.register("asked", _as_arrow(subjects))
    rows = connection.execute(_PERSONS, files | {"blanks": _BLANKS}).fetchall()
    count = sum(row[1] for row in rows)
    return [f"{counted(count, 'row')} of {fact} with the id, from {rows[0][0]}; {_COMPUTE}"] if rows else []


def _too_many(lake: Lake, connection: duckdb.DuckDBPyConnection, after: Snapshot, names: set[str]) -> list[str]:
    """Files that were cut, of which the tables have more rows than are left in them."""
    connection.register("cut", pa.table({"name": pa.array(sorted(names), schema.TEXT.arrow)}))
    tables = (*schema.SENT, "rejects")
    expected: dict[tuple[str, str], int] = {}
    for row in read_ledger(lake, after, ["name", "status", *tables]).to_pylist() if names else ():
        if row["name"] in names and row["status"] == "loaded":
            for table in tables:
                expected[table, row["name"]] = expected.get((table, row["name"]), 0) + (row[table] or 0)
    left = []
    for table in tables:
        files = lake.locations(table, after.files[table]) if names else []
        for name, count in connection.execute(_KEPT, {"files": files}).fetchall() if files else ():
            more = count - expected.get((table, name), 0)
            left += [f"{counted(more, 'row')} of {table} more than are left in {name}; {_ANEW}"] if more > 0 else []
    return left
