"""The index `conversation_dates`: for each conversation of a lake, the partition that holds it.

A row is a key, made of a hash of the conversation's id, and a date. A Parquet file holds the rows of one share, which is a hash
of the account that begins the file's name; a file of the label `part`, of an older version, holds rows of any share. Users do
not see the table. A load reads the shares of its own accounts, once, and looks for earlier deliveries in the partitions that
the index names.
"""

from collections import defaultdict
from collections.abc import Iterator
from hashlib import md5
from itertools import chain
from typing import Final

import duckdb

from pipeline import schema
from pipeline.errors import LakeError
from pipeline.lake.digests import require_same
from pipeline.lake.lake import Lake
from pipeline.lake.merge import MEMORY_LIMIT, ORDERS
from pipeline.lake.rewrite import connected, copied
from pipeline.lake.snapshot import WHOLE, Change, DataFile, Place, Snapshot
from pipeline.lake.sql import literal, rows_in

NAME: Final = schema.INDEX.name
_KEY: Final = "(md5_number_lower(conversation_id) >> 1)::bigint"
_SHARE_DIGITS: Final = 4
_SHARE: Final = f"left(md5(coalesce(account_id, '')), {_SHARE_DIGITS})"


def share_of(account_id: str | None) -> str:
    """The share of an account, which begins the names of its files."""
    return md5((account_id or "").encode(), usedforsecurity=False).hexdigest()[:_SHARE_DIGITS]


def without(conversations: str) -> str:
    """The condition of entries `t` that are of none of the conversations in a table."""
    return f"t.key not in (select {_KEY} from {conversations})"


MISSING: Final = f"""
    select count(*) from (select {_SHARE} as share, {_KEY} as key, date from conversations) as whole
    anti join (select *, regexp_extract(filename, '([^/]*)-[^/]*$', 1) as label from {NAME}) as entry
    on whole.key = entry.key and whole.date = entry.date and entry.label in (whole.share, '{WHOLE}')"""
"""The query that counts conversations without an entry; `conversation_dates` has a column `filename` there."""


def _entries(source: str) -> str:
    """The entries of the conversations in a table or select, for a `from`: share, key and date, each once."""
    return f"(select distinct {_SHARE} as share, {_KEY} as key, date from {source})"


class IndexPart:
    """The part of the index that concerns the conversations of a table `incoming` of a connection."""

    def __init__(self, lake: Lake, snapshot: Snapshot, connection: duckdb.DuckDBPyConnection) -> None:
        """Read the shares of the incoming accounts, and no others, into a table `known`.

        Raises:
            DamagedError: a file differs from its digest; by a wrong key a delivery would count twice.
        """
        self._lake = lake
        self._connection = connection
        self._shares = self._column(f"select distinct share from {_entries('incoming')} order by all")
        connection.execute("create or replace temp table known (share varchar, key bigint, date date)")
        for share in self._shares:
            files = [file for file in snapshot.files[NAME] if file.label in {share, WHOLE}]
            if files:
                require_same(lake, NAME, files)
                query = f"""
                    insert into known select $share, key, date from {rows_in("$files")}
                    where key in (select key from {_entries("incoming")} where share = $share)"""
                connection.execute(query, {"files": lake.locations(NAME, files), "share": share})

    def dates(self) -> set[str]:
        """The partitions that may hold an earlier delivery of an incoming conversation."""
        return {*self._column("select distinct date::varchar from known")}

    def add_new(self, change: Change) -> None:
        """Add the entries of incoming conversations that the index lacks."""
        query = f"""
            select key, date from {_entries("incoming")} as new
            anti join known using (share, key, date) where share = $share order by key"""
        for share in self._shares:
            rows = self._connection.sql(query, params={"share": share}).to_arrow_table().cast(schema.INDEX.file_schema)
            if rows.num_rows:
                change.add.append(self._lake.write(NAME, rows, label=share))

    def _column(self, query: str) -> list[str]:
        return [value for (value,) in self._connection.execute(query).fetchall()]


def rebuild(lake: Lake, snapshot: Snapshot, change: Change, done: set[Place]) -> Iterator[str]:
    """Make the index anew from the tables, unless it is the same; yields a line for each share.

    Entries of conversations that were taken back go, and lost ones come back. One share follows another that is not `done`;
    but all at once where a file holds rows of any share, since no load adds again the entries that such a file holds.
    """
    former: dict[str, list[DataFile]] = defaultdict(list)
    for file in snapshot.files[NAME]:
        former[file.label].append(file)
    conversations = lake.locations("conversations", snapshot.files["conversations"])
    with connected(lake, memory_limit=MEMORY_LIMIT) as connection:
        shares = _shares_of(connection, conversations)
        for share, condition in shares.items():
            if (None, share) in done:
                continue
            rows = f"(select distinct {_KEY} as key, date from {rows_in('?', with_date=True)} where {condition})"
            made = copied(lake, connection, NAME, (None, share), f"{rows} order by {ORDERS[NAME]}", conversations)
            if _are_same(lake, connection, former[share], made):
                lake.discard(NAME, [made])
            else:
                change.remove += former[share]
                change.add.append(made)
            done.add((None, share))
            if WHOLE not in former:
                yield f"{NAME} {share}: {made.rows} entries"
    change.remove += chain(*(files for share, files in former.items() if share not in shares))


def _shares_of(connection: duckdb.DuckDBPyConnection, conversations: list[str]) -> dict[str, str]:
    """The shares of conversations, each with the condition of its rows: by account, so that statistics prune others."""
    found: dict[str, str] = {}
    if conversations:
        query = f"""
            select {_SHARE} as share, account_id from (select distinct account_id from {rows_in("$files", with_date=True)})
            order by all"""
        for share, account_id in connection.execute(query, {"files": conversations}).fetchall():
            condition = "account_id is null" if account_id is None else f"account_id = {literal(account_id)}"
            found[share] = f"{found[share]} or {condition}" if share in found else condition
    return found


def _are_same(lake: Lake, connection: duckdb.DuckDBPyConnection, standing: list[DataFile], made: DataFile) -> bool:
    """Whether the index has one file of the share, undamaged, with the rows of the one made."""
    if [file.rows for file in standing] != [made.rows]:
        return False
    former, new = (lake.locations(NAME, files) for files in (standing, [made]))
    query = f"select count(*) from (from {rows_in('$former')} except from {rows_in('$new')})"
    try:
        require_same(lake, NAME, standing)
        return connection.execute(query, {"former": former, "new": new}).fetchall() == [(0,)]
    except (LakeError, OSError, duckdb.Error):
        return False
