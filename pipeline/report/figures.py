"""What the report reads from the lake: each query is shown on the page beside the numbers it brought.

Percentiles over many days are taken from the conversations, never averaged from daily ones; `conversation_times` has
what `conversation_metrics` has of them and does not read the messages.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeAlias

import duckdb

Cell: TypeAlias = str | int | float | bool | None
Row: TypeAlias = dict[str, Cell]

NO_ACCOUNT = "(no account)"
UNDATED = "1970-01-01"

KEY_FIGURES = """\
select
    account_id,
    grouping(account_id) = 1 as is_total,
    count(*) as conversation_count,
    count(*) filter (where is_connected) as connected_count,
    count(*) filter (where is_abandoned) as abandoned_count,
    avg(is_abandoned::integer) as abandoned_share,
    count(connected_queue_milliseconds) as queue_count,
    quantile_cont(connected_queue_milliseconds, 0.5) / 1000 as queue_p50_seconds,
    quantile_cont(connected_queue_milliseconds, 0.9) / 1000 as queue_p90_seconds,
    count(mcs) as scored_count,
    avg(mcs) as mcs_avg,
    min(date) filter (where date > date '1970-01-01') as first_date,
    max(date) as last_date
from conversation_times
group by grouping sets ((account_id), ())
order by is_total desc, account_id"""

SOURCES = """\
select
    count(*) filter (where status = 'loaded') as loaded_count,
    count(*) filter (where status = 'rejected') as rejected_count,
    coalesce(sum(rejects), 0)::bigint as rejected_document_count,
    (select count(*) from messages) as message_count,
    make_timestamp(epoch_us(max(loaded_at))) as loaded_at
from files"""

QUEUE_DAILY = """\
select
    account_id,
    date,
    connected_count,
    abandoned_count,
    abandoned_share,
    queue_p50_seconds,
    queue_p90_seconds
from queue_time_daily
order by date, account_id"""

QUEUE_HOUR_OF_WEEK = """\
select
    account_id,
    isodow(make_timestamp(epoch_us(conversation_start_time))) as weekday,
    hour(make_timestamp(epoch_us(conversation_start_time))) as hour,
    count(*) filter (where is_connected) as connected_count,
    count(*) filter (where is_abandoned) as abandoned_count,
    quantile_cont(connected_queue_milliseconds, 0.5) / 1000 as queue_p50_seconds,
    quantile_cont(connected_queue_milliseconds, 0.9) / 1000 as queue_p90_seconds
from conversation_times
where conversation_start_time is not null
group by all
order by account_id, weekday, hour"""

MCS_DISTRIBUTION = """\
select
    account_id,
    bucket,
    sum(conversation_count)::bigint as conversation_count
from mcs_distribution
group by all
order by account_id, bucket"""

MCS_DAILY = """\
select
    account_id,
    date,
    scored_count,
    mcs_avg,
    mcs_p10,
    mcs_p50,
    mcs_p90
from mcs_daily
order by date, account_id"""

HAS_VIEW = "select count(*) > 0 from information_schema.tables where table_name = 'conversation_times'"


@dataclass(frozen=True)
class Figures:
    """The head of the report: all accounts together, each of them, and where the rows came from."""

    total: Row
    accounts: list[Row]
    sources: Row

    @property
    def account_names(self) -> list[str]:
        """Each account once, as the page names it."""
        return [str(row["account_id"]) for row in self.accounts]


def read_figures(connection: duckdb.DuckDBPyConnection) -> Figures | None:
    """The head of the report; None where the lake has no conversation yet."""
    if not _has_view(connection):
        return None
    total, *accounts = read_rows(connection, KEY_FIGURES)
    if not total["conversation_count"]:
        return None
    return Figures(total, accounts, read_rows(connection, SOURCES)[0])


def read_rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[Row]:
    """The query's rows by column name, in values that JSON has; an account is named as the page shows it."""
    cursor = connection.execute(sql)
    names = [str(column[0]) for column in cursor.description or ()]
    rows = [dict(zip(names, map(_plain, values), strict=True)) for values in cursor.fetchall()]
    for row in rows:
        if "account_id" in row:
            row["account_id"] = readable(str(row["account_id"] or NO_ACCOUNT))
    return rows


def readable(name: str) -> str:
    """The name with a mark in place of what does not print: Vega's expressions, for one, break at U+2028."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in name)


def with_date(rows: Iterable[Row]) -> list[Row]:
    """The rows of a known day; the lake files what has no time at all under the first day of 1970."""
    return [row for row in rows if row["date"] and str(row["date"]) > UNDATED]


def break_at_gaps(rows: Iterable[Row]) -> list[Row]:
    """The dated rows by account, with an empty row after each run of days so that a line ends there."""
    dated = sorted(with_date(rows), key=lambda row: (str(row["account_id"]), str(row["date"])))
    broken: list[Row] = []
    for row in dated:
        if broken and broken[-1]["account_id"] == row["account_id"]:
            following = str(date.fromisoformat(str(broken[-1]["date"])) + timedelta(days=1))
            if following != row["date"]:
                broken.append({**dict.fromkeys(row), "account_id": row["account_id"], "date": following})
        broken.append(row)
    return broken


def _has_view(connection: duckdb.DuckDBPyConnection) -> bool:
    return connection.execute(HAS_VIEW).fetchall() == [(True,)]


def _plain(value: object) -> Cell:
    match value:
        case float() if not math.isfinite(value):
            return None
        case str() | bool() | int() | float() | None:
            return value
        case datetime():
            return value.isoformat(sep=" ", timespec="minutes")
        case _:
            return str(value)
