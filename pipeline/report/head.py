"""The head of the report: numbers of the whole lake, independent of the choice."""

from dataclasses import dataclass

import duckdb

from pipeline.report.choices import NO_ACCOUNT, UNDATED, label, readable
from pipeline.report.cubes import read_rows
from pipeline.report.formatting import Row
from pipeline.text import shortened
from pipeline.warehouse.table_views import rows_of_runs

SPAN = f"""\
select
    count(*) as conversation_count,
    min(date) filter (where date > date '{UNDATED}') as first_date,
    max(date) as last_date
from conversations"""

SOURCES = """\
select
    count(*) filter (where status = 'loaded') as loaded_count,
    count(*) filter (where status = 'rejected') as rejected_count,
    coalesce(sum(rejects), 0)::bigint as rejected_document_count,
    (select count(*) from messages) as message_count,
    make_timestamp(epoch_us(max(loaded_at))) as loaded_at
from files"""

FRESHNESS = """\
select
    freshness.account_id,
    account_name,
    make_timestamp(epoch_us(scope_end_time)) as scope_end_time,
    make_timestamp(epoch_us(newest_end_time)) as newest_end_time,
    make_timestamp(epoch_us(loaded_at)) as loaded_at,
    file_count,
    rejected_file_count,
    rejected_document_count,
    superseded_count
from source_freshness as freshness
left join accounts on accounts.account_id = freshness.account_id
order by freshness.account_id
limit 100"""

RUNS = """\
select
    make_timestamp(epoch_us(began_at)) as began_at,
    command,
    account_id,
    result,
    exit_code,
    error,
    loaded_files,
    conversations,
    round(epoch(ended_at) - epoch(began_at), 1) as run_seconds,
    version
from runs
order by runs.began_at desc, account_id
limit 20"""

THRESHOLDS = """\
select account_id, service_level_seconds, short_abandon_seconds, provisional_hours
from account_rules
order by account_id nulls first"""

FAULTS = """\
select faults
from name_files
where len(faults) > 0
order by file_name"""
MOST_FAULTS = 5
"""The most wrong lines of a file that the page names."""
LONGEST_FAULT = 1_000  # characters: one sentence has up to ten wrong lines of settings.csv

HAS_VIEW = "select count(*) > 0 from information_schema.tables where table_name = 'local_named_entries'"


@dataclass(frozen=True)
class Head:
    """Dates of the lake, counts of its sources, freshness of each account, service level and provisional hours in words.

    `faults` are sentences on the wrong lines of the files that people edit; `fault_count` counts those left out, too.
    """

    span: Row
    sources: Row
    freshness: list[Row]
    runs: list[Row]
    service_level: str
    provisional_hours: str
    faults: list[str]
    fault_count: int


def read_head(connection: duckdb.DuckDBPyConnection, settings_fault: str = "") -> Head | None:
    """The head of the report; None for a lake without conversations."""
    if connection.execute(HAS_VIEW).fetchall() != [(True,)]:
        return None
    [span] = read_rows(connection, SPAN)
    if not span["conversation_count"]:
        return None
    freshness = read_rows(connection, FRESHNESS)
    for row in freshness:
        name = row.pop("account_name")
        row["account_id"] = (
            NO_ACCOUNT if row["account_id"] is None else label(row["account_id"], None if name is None else str(name))
        )
    [sources] = read_rows(connection, SOURCES)
    rules = read_rows(connection, THRESHOLDS)
    files = [faults for (faults,) in connection.execute(FAULTS).fetchall()]
    files += [[settings_fault]] if settings_fault else []
    faults = [shortened(fault, LONGEST_FAULT) for one in files for fault in one[:MOST_FAULTS]]
    runs = read_rows(connection, RUNS) if rows_of_runs(connection, "from runs limit 0") is not None else []
    return Head(span, sources, freshness, runs, _service_level(rules), _provisional(rules), faults, sum(map(len, files)))


def _provisional(rules: list[Row]) -> str:
    """The hours after which a day is no longer provisional, or the range of them."""
    hours = sorted({float(str(row["provisional_hours"])) for row in rules})
    return " to ".join(f"{one:g}" for one in (hours if len(hours) == 1 else (hours[0], hours[-1])))


def _service_level(rules: list[Row]) -> str:
    """The thresholds of the service level, and accounts with other ones."""
    general, *own = rules
    text = _thresholds(general)
    differing = [row for row in own if _thresholds(row) != text]
    for row in differing[:5]:
        text += f"; {readable(str(row['account_id']))}: {_thresholds(row)}"
    if len(differing) > 5:  # noqa: PLR2004 - more would not be read
        text += f"; {len(differing) - 5} more accounts have their own"
    return (
        "Service level: of the queue entries, the share that was answered in time; who gave up soon is left out. In time and "
        f"soon are set in the lake's settings.csv: {text}."
    )


def _thresholds(rule: Row) -> str:
    return f"within {rule['service_level_seconds']:g} s, sooner than {rule['short_abandon_seconds']:g} s"
