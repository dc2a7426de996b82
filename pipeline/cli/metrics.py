"""`lakehouse status --format prometheus`: the state of a lake as metrics, for the textfile collector of node_exporter.

Names and units are those that Prometheus advises. Labels are accounts, states and tables: nothing personal.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any, Final

import duckdb
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from pipeline import schema
from pipeline.cli.overdue import Hour
from pipeline.source_files import RETENTION
from pipeline.warehouse.table_views import rows_of_runs

LATE: Final = ("unknown", "missing", "rejected")
STATES: Final = ("loaded", "empty", "rejected", "missing", "unknown")
_FILES: Final = """
    select account_id, count(*) filter (where status = 'rejected'), coalesce(sum(rejects), 0)::bigint, max(loaded_at)
    from files group by account_id order by account_id"""

_RUNS: Final = """
    select command, account_id, arg_max(exit_code, ended_at), epoch(max(ended_at)),
        arg_max(epoch(ended_at) - epoch(began_at), ended_at), epoch(max(ended_at) filter (where exit_code in (0, 3)))
    from runs
    where began_at > $since and ended_at <= $now
    group by command, account_id
    qualify account_id is not null or max(ended_at) = max(max(ended_at)) over (partition by command)
    order by command, account_id"""
"""A run that ends before it comes to an account is one of none, and of no interest once a later one came to some."""

_UNENDED: Final = """
    select command, count(*) filter (where ended_at is null and began_at > newest)
    from (
        select *, coalesce(max(began_at) filter (where ended_at is not null) over (partition by command), '-infinity') as newest
        from runs
        where began_at > $since and coalesce(ended_at, began_at) <= $now
    )
    group by command order by command"""


def metrics(
    connection: duckdb.DuckDBPyConnection,
    listed: Sequence[Hour],
    overdue: Sequence[Hour] | None,
    now: datetime,
    *,
    nothing_came: bool,
) -> str:
    """The metrics as text: of each account its hours, of the lake the rows of its tables.

    `overdue` are the hours that should be in by now; None without an age, then there is no such metric. `nothing_came` tells
    whether an account that a sync fetches was never listed.
    """
    registry = _registry(nothing_came=nothing_came)
    _of_hours(registry, listed, overdue)
    _of_files(registry, connection)
    _of_runs(registry, connection, now)
    rows = _gauge(registry, "lakehouse_rows", "Rows of a table.", "table")
    for name in schema.TABLES:
        [(count,)] = connection.execute(f"select count(*) from {name}").fetchall()
        rows.labels(name).set(count)
    return generate_latest(registry).decode()


def metrics_of_no_lake() -> str:
    """The metrics where nothing was ever loaded, as text."""
    return generate_latest(_registry(nothing_came=True)).decode()


def _registry(*, nothing_came: bool) -> CollectorRegistry:
    registry = CollectorRegistry()
    never = "1 if nothing ever came into the lake, or of an account that is set up."
    _gauge(registry, "lakehouse_nothing_came", never).set(nothing_came)
    about = "1; the version of the program that wrote these metrics."
    _gauge(registry, "lakehouse_info", about, "version").labels(version("engagement-lakehouse")).set(1)
    return registry


def _of_hours(registry: CollectorRegistry, listed: Sequence[Hour], overdue: Sequence[Hour] | None) -> None:
    accounts = dict.fromkeys(row["account_id"] for row in listed)
    hours = _gauge(registry, "lakehouse_hours", "Hours of the source that the lake knows of, by state.", "account_id", "state")
    _fill(hours, {(account, state): 0 for account in accounts for state in STATES})
    _fill(hours, Counter((row["account_id"], row["state"]) for row in listed))
    expiring = "Hours whose missing files the source deletes within 7 days."
    _of_accounts(registry, "lakehouse_expiring_hours", expiring, accounts, [row for row in listed if row["is_expiring"]])
    if overdue is not None:
        about = "Hours of the last 30 days older than the age given: never asked about, listed and not downloaded, or broken."
        late = _gauge(registry, "lakehouse_overdue_hours", about, "account_id", "state")
        _fill(late, {(account, state): 0 for account in accounts for state in LATE})
        _fill(late, Counter((row["account_id"], row["state"]) for row in overdue))
    newest = _gauge(
        registry,
        "lakehouse_newest_hour_end_timestamp_seconds",
        "End of the newest hour that is loaded or known to be empty.",
        "account_id",
    )
    for row in listed:  # in order
        if row["state"] in {"loaded", "empty"}:
            newest.labels(_label(row["account_id"])).set((row["hour"] + timedelta(hours=1)).timestamp())


def _of_files(registry: CollectorRegistry, connection: duckdb.DuckDBPyConnection) -> None:
    files = _gauge(registry, "lakehouse_rejected_files", "Source files that could not be read.", "account_id")
    documents = _gauge(registry, "lakehouse_rejected_documents", "Documents that could not be read.", "account_id")
    loaded = _gauge(registry, "lakehouse_loaded_timestamp_seconds", "Time of the newest load of a file.", "account_id")
    for account_id, file_count, document_count, moment in connection.execute(_FILES).fetchall():
        files.labels(_label(account_id)).set(file_count)
        documents.labels(_label(account_id)).set(document_count)
        if moment is not None:
            loaded.labels(_label(account_id)).set(moment.timestamp())


def _of_runs(registry: CollectorRegistry, connection: duckdb.DuckDBPyConnection, now: datetime) -> None:
    """The newest ended run of each command, and of a sync's account: one that is fetched no more is forgotten in time."""
    labels = ("command", "account_id")
    gauges = [
        _gauge(registry, "lakehouse_run_exit_code", "Exit code of the newest ended run.", *labels),
        _gauge(registry, "lakehouse_run_end_timestamp_seconds", "End of the newest ended run.", *labels),
        _gauge(registry, "lakehouse_run_duration_seconds", "Duration of the newest ended run.", *labels),
        _gauge(registry, "lakehouse_run_success_timestamp_seconds", "End of the newest run that ended with 0 or 3.", *labels),
    ]
    unended = _gauge(
        registry, "lakehouse_unended_runs", "Runs without an end, at work or killed, after the newest ended one.", "command"
    )
    for command, count in _rows(connection, _UNENDED, now):
        unended.labels(command).set(count)
    for command, account_id, *values in _rows(connection, _RUNS, now):
        for gauge, value in zip(gauges, values, strict=True):
            if value is not None:
                gauge.labels(command, _label(account_id)).set(value)


def _rows(connection: duckdb.DuckDBPyConnection, query: str, now: datetime) -> Iterator[tuple[Any, ...]]:
    """The rows of a query on the runs of the last 30 days; those of a clock that was ahead do not count."""
    for row in rows_of_runs(connection, query, {"since": now - RETENTION, "now": now}) or ():
        yield tuple(row.values())


def _of_accounts(
    registry: CollectorRegistry, name: str, about: str, accounts: Mapping[Any, None], rows: Sequence[Hour]
) -> None:
    gauge = _gauge(registry, name, about, "account_id")
    counts = Counter(row["account_id"] for row in rows)
    for account in accounts:
        gauge.labels(_label(account)).set(counts[account])


def _gauge(registry: CollectorRegistry, name: str, about: str, *labels: str) -> Gauge:
    return Gauge(name, about, labels, registry=registry)


def _fill(gauge: Gauge, counts: Mapping[tuple[Any, str], int]) -> None:
    for (account, state), count in counts.items():
        gauge.labels(_label(account), state).set(count)


def _label(account_id: str | None) -> str:
    return account_id or ""
