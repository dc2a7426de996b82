"""What the lake has, hour by hour, as the ledger tells it."""

import json
from datetime import datetime
from typing import IO, Any

import duckdb
from rich.console import Console
from rich.table import Table

from pipeline.sync import RETENTION

_HOURS = """
    with scoped as (
        select account_id, time_bucket(interval 1 hour, scope_start_time) as hour, status, conversations, rejects
        from files where scope_start_time is not null
    ), span as (
        select account_id, unnest(generate_series(min(hour), max(hour), interval 1 hour)) as hour
        from scoped group by account_id
    )
    select
        span.account_id,
        span.hour,
        case
            when count(status) = 0 then 'missing'
            when count(*) filter (status = 'rejected') > 0 then 'rejected'
            else 'loaded'
        end as state,
        count(status) as files,
        coalesce(sum(conversations), 0)::bigint as conversations,
        coalesce(sum(rejects), 0)::bigint as rejected_documents
    from span left join scoped on scoped.hour = span.hour and scoped.account_id is not distinct from span.account_id
    group by all order by all"""
_SET_ASIDE = """
    select account_id, name, reason from files where status = 'rejected'
    union all
    select account_id, source_file, document || '. document: ' || reason from rejects
    order by all"""


def hours(connection: duckdb.DuckDBPyConnection, now: datetime) -> list[dict[str, Any]]:
    """One entry per account and hour between its first and its last file.

    `state` is loaded, rejected (a file of that hour is broken) or missing (there is no file: a quiet hour, or one that was not
    fetched). `deleted_at_source` is when the source deletes what an hour lacks; NULL where nothing is lacking, or too late.
    """
    relation = connection.sql(_HOURS)
    rows = [dict(zip(relation.columns, row, strict=True)) for row in _fetch(relation)]
    for row in rows:
        deleted = row["hour"] + RETENTION
        row["deleted_at_source"] = deleted if row["state"] != "loaded" and deleted > now else None
    return rows


def _fetch(relation: duckdb.DuckDBPyRelation) -> list[tuple[Any, ...]]:
    table = relation.to_arrow_table()
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def print_status(connection: duckdb.DuckDBPyConnection, form: str, now: datetime, out: IO[str]) -> None:
    """Print the hours and what was set aside, as JSON or, day by day, as a table."""
    listed = hours(connection, now)
    aside = _fetch(connection.sql(_SET_ASIDE))
    if form == "json":
        set_aside = [dict(zip(("account_id", "file", "reason"), row, strict=True)) for row in aside]
        out.write(json.dumps({"hours": listed, "set_aside": set_aside}, default=str, indent=1) + "\n")
        return
    console = Console(file=out)
    console.print(_by_day(listed))
    for account_id, name, reason in aside:
        console.print(f"{name} (account {account_id}): {reason}", markup=False, highlight=False)
    if not aside:
        console.print("Nothing is set aside.")


_SIGNS = "# loaded   · no file   ! a file of that hour is broken"


def _by_day(listed: list[dict[str, Any]]) -> Table:
    table = Table("account", "day (UTC)", "hours 0 to 23", "files", "conversations", box=None, caption=_SIGNS)
    signs = {"loaded": "#", "missing": "·", "rejected": "!"}
    days: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in listed:
        days.setdefault((row["account_id"] or "", row["hour"].strftime("%Y-%m-%d")), []).append(row)
    for (account_id, day), rows in days.items():
        line = [" "] * 24
        for row in rows:
            line[row["hour"].hour] = signs[row["state"]]
        files, conversations = sum(row["files"] for row in rows), sum(row["conversations"] for row in rows)
        table.add_row(account_id, day, "".join(line), f"{files:,}", f"{conversations:,}")
    return table
