"""Check the rows of a lake: the ledger's counts against the tables, and the tables against each other."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import duckdb
import pyarrow as pa

from pipeline import schema
from pipeline.lake import index
from pipeline.lake.lake import Lake
from pipeline.lake.snapshot import Snapshot
from pipeline.lake.spill import spilling
from pipeline.lake.sql import literals, rows_in
from pipeline.processes import interruptible


@dataclass(frozen=True)
class Wrong:
    """Rows that should not be so: the place, the problem, and the table where that is in one."""

    where: str
    problem: str
    table: str | None = None


_UNKNOWN: Final = """
    select source_file, count(*) as rows from (
        select source_file from conversations union all select source_file from messages
        union all select source_file from transfers union all select source_file from rejects
    ) where source_file not in (select name from ledger where status = 'loaded') group by all"""
# Several files of a name, each of one account, are counted each by itself. Beside a file of several accounts that can't be: any
# row may be of that one.
_COUNTS: Final = """
    with loaded as (
        select *, case when count(account_id) over same_name = count(*) over same_name and count(*) over same_name > 1
            then account_id end as of_account
        from ledger where status = 'loaded' window same_name as (partition by name)
    ), brought as (
        select name as source_file, of_account, sum(conversations) as conversations, sum(messages) as messages,
            sum(transfers) as transfers, sum(rejects) as rejects
        from loaded group by all
    ), apart as (
        select distinct source_file from brought where of_account is not null
    ), kept as (
        select source_file, case when apart.source_file is not null then account_id end as of_account,
            count(*) filter (of = 'c') as conversations, count(*) filter (of = 'm') as messages,
            count(*) filter (of = 't') as transfers, count(*) filter (of = 'r') as rejects
        from (
            select source_file, account_id, 'c' as of from conversations
            union all select source_file, account_id, 'm' from messages
            union all select source_file, account_id, 't' from transfers
            union all select source_file, account_id, 'r' from rejects
        ) left join apart using (source_file) group by source_file, of_account
    )
    select
        brought.source_file, brought.of_account,
        coalesce(kept.conversations, 0), brought.conversations, coalesce(kept.messages, 0), brought.messages,
        coalesce(kept.transfers, 0), brought.transfers, coalesce(kept.rejects, 0), brought.rejects
    from brought left join kept
        on brought.source_file = kept.source_file and brought.of_account is not distinct from kept.of_account
    where coalesce(kept.rejects, 0) <> brought.rejects
        or coalesce(kept.conversations, 0) > brought.conversations
        or coalesce(kept.messages, 0) > brought.messages
        or coalesce(kept.transfers, 0) > brought.transfers
        or coalesce(kept.conversations, 0) = brought.conversations
            and (coalesce(kept.messages, 0), coalesce(kept.transfers, 0)) <> (brought.messages, brought.transfers)
    order by all"""
_SAME: Final = """
    line.account_id is not distinct from whole.account_id and line.conversation_id = whole.conversation_id
        and line.source_file = whole.source_file and line.delivery = whole.delivery and line.date = whole.date"""
_STRAY: Final = f"select count(*) from {{table}} as line anti join conversations as whole on {_SAME}"
_ROWS: Final = {
    "conversations": (
        (
            "select count(*) from (select 1 from conversations group by account_id, conversation_id having count(*) > 1)",
            "conversations are there more than once",
        ),
        (
            "select count(*) from conversations where date <> (conversation_start_time at time zone 'UTC')::date",
            "rows are in the partition of another day than that of their start",
        ),
    ),
    "messages": ((_STRAY.format(table="messages"), "rows belong to no conversation"),),
    "transfers": ((_STRAY.format(table="transfers"), "rows belong to no conversation"),),
    index.NAME: (
        (
            index.MISSING,
            "conversations are not in it, so that another delivery of them would be taken for a new one",
        ),
    ),
}

_NO_METRICS: Final = f"select count(*) from conversations as whole anti join conversation_metrics as line on {_SAME}"
_TWICE: Final = """
    select count(*) from (select 1 from {fact} group by account_id, conversation_id{number} having count(*) > 1)"""
_COUNTED: Final = """
    with counted as (select account_id, conversation_id, count(*) as rows from {fact} group by all)
    select count(*) from conversation_metrics as whole left join counted
    on counted.account_id is not distinct from whole.account_id and counted.conversation_id = whole.conversation_id
    where coalesce(counted.rows, 0) <> whole.{count}"""
_FACTS: Final = {
    fact: (
        (_STRAY.format(table=fact), "rows belong to no conversation"),
        (_TWICE.format(fact=fact, number=f", {number}" if number else ""), "rows are there more than once"),
        (_COUNTED.format(fact=fact, count=count), f"conversations have another number of rows than their {count} says")
        if count
        else (_NO_METRICS, "conversations have no row"),
    )
    for fact, number, count in (
        ("conversation_metrics", None, None),
        ("queue_entries", "entry_number", "queue_entry_count"),
        ("segments", "segment_number", "segment_count"),
        ("responses", "response_number", "response_count"),
    )
}


def wrong_rows(lake: Lake, snapshot: Snapshot, ledger: pa.Table) -> Iterator[Wrong]:
    """Yield where the ledger's counts differ from the tables, and where the tables contradict each other.

    Raises:
        duckdb.Error: a Parquet file can't be decoded.
    """
    with spilling(lake) as spill, interruptible(duckdb.connect(config={"threads": 2, "temp_directory": spill})) as connection:
        connection.execute("set TimeZone = 'UTC'")
        lake.store.register(connection)
        connection.register("ledger", ledger)
        for name, table in schema.STORED.items():
            _show(connection, table, lake.locations(name, snapshot.files[name]))
        yield from _miscounted(lake, connection)
        checked = _ROWS | {fact: queries for fact, queries in _FACTS.items() if fact not in snapshot.missing}
        for name, queries in checked.items():
            for query, problem in queries:
                count = connection.execute(query).fetchall()[0][0]
                if count:
                    yield Wrong(lake.table_uri(name), f"{count} {problem}", name)


def _show(connection: duckdb.DuckDBPyConnection, table: schema.Table, locations: list[str]) -> None:
    """Create a view of a table's Parquet files."""
    rows = rows_in(literals(locations), with_date=table.partitioned, with_filename=True)
    if not locations:
        connection.register(f"no_{table.name}", table.arrow_schema.empty_table())
        rows = f"(select *, null::varchar as filename from no_{table.name})"
    connection.execute(f"create temp view {table.name} as from {rows}")


def _miscounted(lake: Lake, connection: duckdb.DuckDBPyConnection) -> Iterator[Wrong]:
    for source_file, rows in connection.execute(_UNKNOWN).fetchall():
        problem = f"{rows} rows are of a file that the ledger does not know as loaded"
        yield Wrong(f"{lake.uri}: {source_file}", problem)
    for source_file, account_id, *counts in connection.execute(_COUNTS).fetchall():
        kinds = (*schema.SENT, "rejects")
        shares = ", ".join(f"{counts[2 * place]} of {counts[2 * place + 1]} {kind}" for place, kind in enumerate(kinds))
        of_account = "" if account_id is None else f" of account {account_id}"
        yield Wrong(f"{lake.uri}: {source_file}{of_account}", f"the tables hold {shares} that the ledger counted")
