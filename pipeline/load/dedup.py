"""Decide which delivery of a conversation counts, and take the others out of the tables.

The delivery of the file with the latest scope start wins, then that of the later file name, then the later one in the file;
so the tables are the same in whichever order files come. The index names the partitions of earlier deliveries: a load looks
into these, and into no others.
"""

from collections.abc import Callable, Iterable

import pyarrow as pa

from pipeline import schema
from pipeline.lake.index import IndexPart
from pipeline.lake.lake import Lake
from pipeline.lake.rewrite import connected, keep_rows, one
from pipeline.lake.snapshot import Change, DataFile, Snapshot
from pipeline.lake.sql import rows_in
from pipeline.source_files import Replaced

_IS_REPLACED = """name = source_file and not list_contains(others, coalesce(t.account_id, ''))
    and coalesce(replaced.account_id, t.account_id) is not distinct from t.account_id"""
_FILES = rows_in("$files", with_date=True)


class Deliveries:
    """The deliveries of a load and those of the same conversations in the lake, compared in DuckDB."""

    def __init__(self, lake: Lake, snapshot: Snapshot, scopes: Callable[[Iterable[str]], pa.Table]) -> None:
        """`scopes` gives `name` and `scope_start_time` of the source files of some names, known or new."""
        self.lake = lake
        self.snapshot = snapshot
        self.scopes = scopes
        self.connection = connected(lake)
        self._asked: tuple[list[DataFile], list[Replaced]] | None = None

    def resurfacing_files(self, added: Iterable[DataFile], replaced: list[Replaced]) -> list[str]:
        """Names of files whose older deliveries may count again, since a replaced file takes back a conversation.

        Only such a file itself can tell whether it holds one.
        """
        standing = self._locations("conversations", self.snapshot.files["conversations"])
        if not replaced or not standing:
            return []
        self._read(added, replaced)
        withdrawn = self._one("""
            select count(*) from gone where not exists (
                from incoming where incoming.account_id is not distinct from gone.account_id
                and incoming.conversation_id = gone.conversation_id and incoming.source_file = gone.source_file)""")
        if not withdrawn:
            return []
        query = f"""
            with kept as (
                select source_file as name, count(*) as rows from {rows_in("$standing")} as t
                where not exists (from replaced where {_IS_REPLACED}) group by all
            ),
            brought as (
                select source_file as name, sum(conversations) as conversations
                from (select * rename (name as source_file) from {rows_in("$files")}) as t
                where status = 'loaded' and not exists (from replaced where {_IS_REPLACED}) group by all
            )
            select brought.name from brought left join kept using (name)
            where brought.conversations > coalesce(kept.rows, 0)
            order by all"""
        ledger = self._locations("files", self.snapshot.files["files"])
        return [name for (name,) in self.connection.execute(query, {"standing": standing, "files": ledger}).fetchall()]

    def drop_superseded(self, changes: dict[str, Change], replaced: list[Replaced]) -> int:
        """Take the rows of replaced files and of superseded deliveries out of the tables; gives the number of the latter.

        It adds to `changes`: Parquet files of this load and of the lake are written anew without the rows that lost. The
        index gets entries of the incoming conversations.
        """
        self._read(changes["conversations"].add, replaced)
        names = self.connection.execute("select source_file from incoming union select source_file from standing").fetchall()
        self.connection.register("scopes", self.scopes([name for (name,) in names]))
        self.connection.execute("""
            create or replace temp table losers as
            with ranked as (
                select *, row_number() over (
                    partition by account_id, conversation_id
                    order by scope_start desc nulls last, source_file desc, delivery desc
                ) as place
                from (from incoming union all from standing)
                left join (
                    select name as source_file, max(scope_start_time) as scope_start from scopes group by name
                ) using (source_file)
            )
            select account_id, conversation_id, date, source_file, delivery, is_new from ranked where place > 1
            union all select account_id, conversation_id, date, source_file, delivery, false from gone""")
        superseded: int = self._one("select (select count(*) from losers) - (select count(*) from gone)")
        dates = self.connection.execute("select distinct is_new, date::varchar from losers").fetchall()
        for table in schema.DELIVERED:
            change = changes[table]
            fresh = {date for is_new, date in dates if is_new}
            former = {date for is_new, date in dates if not is_new}
            for file in [file for file in change.add if file.date in fresh]:
                self._drop_losers(table, change, file, is_new=True)
            for file in [file for file in self.snapshot.files[table] if file.date in former]:
                self._drop_losers(table, change, file, is_new=False)
        if replaced:
            self._drop_rejects(changes["rejects"])
        self._index.add_new(changes[schema.INDEX.name])
        return superseded

    def _read(self, added: Iterable[DataFile], replaced: list[Replaced]) -> None:
        """Read incoming deliveries, those in the lake that they meet, and those of replaced files; once."""
        asked = list(added), list(replaced)
        if asked == self._asked:
            return
        self._asked = asked
        rows = [(item.name, list(item.others), item.account_id) for item in replaced]
        self.connection.execute("create or replace temp table replaced (name varchar, others varchar[], account_id varchar)")
        if rows:
            self.connection.executemany("insert into replaced values (?, ?, ?)", rows)
        columns = "account_id, conversation_id, date, source_file, delivery"
        incoming = self._locations("conversations", asked[0])
        self._create("incoming", f"select {columns}, true as is_new from {_FILES}", incoming)
        self._index = IndexPart(self.lake, self.snapshot, self.connection)
        self._create(
            "met",
            f"""
            select {columns}, false as is_new, exists (from replaced where {_IS_REPLACED}) as is_gone
            from {_FILES} as t
            where conversation_id in (select conversation_id from incoming) or source_file in (select name from replaced)""",
            self._locations("conversations", self._standing(anywhere=bool(replaced))),
        )
        self.connection.execute("create or replace temp table gone as select * exclude is_gone from met where is_gone")
        self.connection.execute("""
            create or replace temp table standing as select * exclude is_gone from met
            where not is_gone and conversation_id in (select conversation_id from incoming)""")

    def _standing(self, *, anywhere: bool) -> list[DataFile]:
        """The lake's files of conversations that may hold incoming ones; all files, if those of a replaced file are sought."""
        standing, index = self.snapshot.files["conversations"], self.snapshot.files[schema.INDEX.name]
        if anywhere or not standing or not index:
            return standing
        dates = self._index.dates()
        return [file for file in standing if file.date in dates]

    def _create(self, name: str, query: str, locations: list[str]) -> None:
        if locations:
            self.connection.execute(f"create or replace temp table {name} as {query}", {"files": locations})
            return
        gone = ", is_gone boolean" if name == "met" else ""
        self.connection.execute(
            f"create or replace temp table {name} (account_id varchar, conversation_id varchar, date date, "
            f"source_file varchar, delivery integer, is_new boolean{gone})"
        )

    def _drop_losers(self, table: str, change: Change, file: DataFile, *, is_new: bool) -> None:
        """Write a file anew without the deliveries that lost, if it has any."""
        same = """t.account_id is not distinct from losers.account_id and t.conversation_id = losers.conversation_id
            and t.source_file = losers.source_file and t.delivery = losers.delivery"""
        losers = f"(from losers where is_new = {is_new})"
        self._keep_rows(table, change, file, f"not exists (from {losers} as losers where {same})")

    def _drop_rejects(self, change: Change) -> None:
        for file in self.snapshot.files["rejects"]:
            self._keep_rows("rejects", change, file, f"not exists (from replaced where {_IS_REPLACED})")

    def _keep_rows(self, table: str, change: Change, file: DataFile, condition: str) -> None:
        keep_rows(self.lake, self.connection, table, change, file, condition)

    def _locations(self, table: str, files: Iterable[DataFile]) -> list[str]:
        return self.lake.locations(table, files)

    def _one(self, query: str) -> int:
        return one(self.connection, query)
