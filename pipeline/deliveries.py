"""Which delivery of a conversation counts, and what has to go from the tables so that only that one is in them.

The delivery of the file with the latest scope start wins, then that of the later file name, then the later one in the file;
so the tables are the same in whichever order files come.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from pipeline import schema
from pipeline.lake import Change, DataFile, Lake, Snapshot

_DELIVERED = ("conversations", "messages", "transfers")
_IS_REPLACED = "name = source_file and (whatever or replaced.account_id is not distinct from t.account_id)"


@dataclass(frozen=True)
class Replaced:
    """A source file whose rows go: all rows of that name, or those of one account if others have a file of that name."""

    name: str
    account_id: str | None
    whatever_account: bool


class Deliveries:
    """The deliveries that a load brings beside those that stand in the lake, worked out in DuckDB."""

    def __init__(self, lake: Lake, snapshot: Snapshot, scopes: pa.Table) -> None:
        """`scopes`: `name` and `scope_start_time` of every source file, known or new."""
        self.lake = lake
        self.snapshot = snapshot
        self.connection = duckdb.connect()
        self.connection.execute("set threads = 2; set preserve_insertion_order = true; set TimeZone = 'UTC'")
        if not lake.is_local:
            self.connection.register_filesystem(lake.files)
        self.connection.register("scopes_arrow", scopes)
        self.connection.execute(
            "create table scopes as select name, max(scope_start_time) as scope_start from scopes_arrow group by name"
        )

    def withdrawn_files(self, added: Iterable[DataFile], replaced: list[Replaced]) -> list[str]:
        """Names of files that hold an older delivery of something, if a replaced file takes back a conversation.

        Such a conversation may have an older delivery, which now counts; only its file can tell.
        """
        standing = self.lake.locations(self.snapshot, "conversations")
        if not replaced or not standing:
            return []
        self._take(added, replaced)
        withdrawn = self.connection.execute("select count(*) from gone anti join incoming using (conversation_id)").fetchall()[
            0
        ][0]
        if not withdrawn:
            return []
        query = f"""
            with kept as (select source_file as name, count(*) as rows from {_scan("standing")} group by all),
            brought as (
                select name, sum(conversations) as conversations from read_parquet($files) where status = 'loaded' group by name
            )
            select brought.name from brought left join kept using (name)
            where brought.conversations > coalesce(kept.rows, 0) and brought.name not in (select name from replaced)
            order by all"""
        found = self.connection.execute(
            query, {"standing": standing, "files": self.lake.locations(self.snapshot, "files")}
        ).fetchall()
        return [name for (name,) in found]

    def settle(self, changes: dict[str, Change], replaced: list[Replaced]) -> int:
        """Take the rows of replaced files and of superseded deliveries out of the tables; returns how many deliveries lost.

        Works on `changes`: files that this load wrote are written anew without their losers, those of the lake are removed
        and replaced by files without them.
        """
        self._take(changes["conversations"].add, replaced)
        self.connection.execute("""
            create or replace temp table losers as
            with ranked as (
                select *, row_number() over (
                    partition by account_id, conversation_id
                    order by scope_start desc nulls last, source_file desc, delivery desc
                ) as place
                from (from incoming union all from standing)
                left join scopes on scopes.name = source_file
            )
            select account_id, conversation_id, date, source_file, delivery, is_new from ranked where place > 1
            union all select account_id, conversation_id, date, source_file, delivery, false from gone""")
        superseded: int = self.connection.execute(
            "select (select count(*) from losers) - (select count(*) from gone)"
        ).fetchall()[0][0]
        dates = self.connection.execute("select distinct is_new, date::varchar from losers").fetchall()
        for table in _DELIVERED:
            self._rewrite_added(table, changes[table], {date for is_new, date in dates if is_new})
            self._rewrite_standing(table, changes[table], {date for is_new, date in dates if not is_new})
        if replaced:
            self._drop_rejects(changes["rejects"])
        return superseded

    def _take(self, added: Iterable[DataFile], replaced: list[Replaced]) -> None:
        """The deliveries that come, those in the lake that they meet, and those of replaced files."""
        rows = [(item.name, item.account_id, item.whatever_account) for item in replaced]
        self.connection.execute("create or replace temp table replaced (name varchar, account_id varchar, whatever boolean)")
        if rows:
            self.connection.executemany("insert into replaced values (?, ?, ?)", rows)
        columns = "account_id, conversation_id, date, source_file, delivery"
        locations = [f"{self.lake.table_uri('conversations')}/{item.path}" for item in added]
        self._create("incoming", f"select {columns}, true as is_new from {_scan('files')}", locations)
        standing = self.lake.locations(self.snapshot, "conversations")
        self._create(
            "met",
            f"""
            select {columns}, false as is_new, exists (from replaced where {_IS_REPLACED}) as is_gone
            from {_scan("files")} as t
            where conversation_id in (select conversation_id from incoming) or source_file in (select name from replaced)""",
            standing,
        )
        self.connection.execute("create or replace temp table gone as select * exclude is_gone from met where is_gone")
        self.connection.execute("""
            create or replace temp table standing as select * exclude is_gone from met
            where not is_gone and conversation_id in (select conversation_id from incoming)""")

    def _create(self, name: str, query: str, locations: list[str]) -> None:
        if locations:
            self.connection.execute(f"create or replace temp table {name} as {query}", {"files": locations})
            return
        gone = ", is_gone boolean" if name == "met" else ""
        self.connection.execute(
            f"create or replace temp table {name} (account_id varchar, conversation_id varchar, date date, "
            f"source_file varchar, delivery integer, is_new boolean{gone})"
        )

    def _rewrite_added(self, table: str, change: Change, dates: set[str]) -> None:
        for item in [item for item in change.add if item.date in dates]:
            kept = self._without_losers(table, item.path, is_new=True)
            if kept is not None:
                self.lake.discard(table, [item])
                change.add.remove(item)
                if kept.num_rows:
                    change.add.append(self.lake.write(table, kept, date=item.date))

    def _rewrite_standing(self, table: str, change: Change, dates: set[str]) -> None:
        for path in self.snapshot.paths[table]:
            date = path.partition("/")[0].removeprefix("date=")
            if date not in dates:
                continue
            kept = self._without_losers(table, path, is_new=False)
            if kept is not None:
                change.remove.append(path)
                if kept.num_rows:
                    change.add.append(self.lake.write(table, kept, date=date))

    def _without_losers(self, table: str, path: str, *, is_new: bool) -> pa.Table | None:
        """The rows of a file that stay; None if all do."""
        location = f"{self.lake.table_uri(table)}/{path}"
        same = """t.account_id is not distinct from losers.account_id and t.conversation_id = losers.conversation_id
            and t.source_file = losers.source_file and t.delivery = losers.delivery"""
        source = "read_parquet($files, hive_partitioning = false)"
        losers = f"(from losers where is_new = {is_new})"
        parameters = {"files": [location]}
        found = self.connection.execute(
            f"select count(*) from {source} as t where exists (from {losers} as losers where {same})", parameters
        ).fetchall()[0][0]
        if not found:
            return None
        return self._arrow(table, f"select t.* from {source} as t anti join {losers} as losers on {same}", parameters)

    def _drop_rejects(self, change: Change) -> None:
        for path in self.snapshot.paths["rejects"]:
            parameters = {"files": [f"{self.lake.table_uri('rejects')}/{path}"]}
            source = "read_parquet($files, hive_partitioning = false)"
            kept = self._arrow(
                "rejects", f"select t.* from {source} as t where not exists (from replaced where {_IS_REPLACED})", parameters
            )
            total = self.connection.execute(f"select count(*) from {source}", parameters).fetchall()[0][0]
            if kept.num_rows < total:
                change.remove.append(path)
                if kept.num_rows:
                    change.add.append(self.lake.write("rejects", kept))

    def _arrow(self, table: str, query: str, parameters: dict[str, list[str]]) -> pa.Table:
        return self.connection.sql(query, params=parameters).to_arrow_table().cast(schema.TABLES[table].file_schema)


def _scan(parameter: str) -> str:
    return f"read_parquet(${parameter}, hive_partitioning = true, hive_types = {{'date': date}})"
