"""The newest run of each command, as `lakehouse status` tells it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final

import duckdb

from pipeline.cli.options import next_command
from pipeline.source_files import RETENTION
from pipeline.text import counted, duration, span
from pipeline.warehouse.table_views import rows_of_runs

_NEWEST: Final = """
    with counted as (
        select *, max(ended_at) filter (where exit_code in (0, 3)) over (partition by command, account_id) as succeeded_at
        from runs
        where began_at > $since and coalesce(ended_at, began_at) <= $now  -- a clock may have been ahead
    ),
    failing as (
        select *, count(*) filter (where exit_code not in (0, 3) and ended_at > coalesce(succeeded_at, '-infinity'))
            over (partition by command, account_id) as failures
        from counted
    )
    select run_id, command, account_id, version, host, began_at, ended_at, result, exit_code, error, loaded_files, failures,
        succeeded_at
    from failing
    qualify run_id = arg_max(run_id, began_at) over (partition by command)
    order by command, account_id nulls first"""
_SHOWN: Final = 5  # accounts in a sentence

Run = Mapping[str, Any]
"""A run of an account; `failures` are its failed runs since the last one that succeeded."""


def newest_runs(connection: duckdb.DuckDBPyConnection, now: datetime) -> list[Run] | None:
    """The newest run of each command within 30 days, a row for each account; `failures` counts the failed since a success.

    None where the records can't be read: no other answer depends on them.
    """
    return rows_of_runs(connection, _NEWEST, {"since": now - RETENTION, "now": now})


def run_lines(runs: Sequence[Run] | None, now: datetime) -> Iterator[str]:
    """A sentence for the newest run of each command, and one for each other result of its accounts."""
    if runs is None:
        yield f"the records of runs can't be read: {next_command('verify')} names the files"
        return
    for command, rows in groupby(runs, lambda run: run["command"]):
        of_command = sorted(rows, key=lambda run: -(run["exit_code"] or 0))
        for _, alike in groupby(of_command, lambda run: (run["exit_code"], run["error"])):
            yield f"last {command}{_run(list(alike), len(of_command), now)}"


def _run(rows: Sequence[Run], count: int, now: datetime) -> str:
    run = rows[0]
    where = f"version {run['version']} on {run['host']}"
    if run["ended_at"] is None:
        return (
            f" began {_moment(run['began_at'], now)} and has no end: it is at work, or was killed, and then the next run keeps "
            f"its finished commits and loads the rest; {where}"
        )
    names = [row["account_id"] for row in rows if row["account_id"]]
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    whose = f" of account{'s' if names[1:] else ''} {', '.join(names[:_SHOWN])}{more}" if names and len(rows) < count else ""
    failures = max(row["failures"] for row in rows)
    good = min((row["succeeded_at"] for row in rows if row["succeeded_at"]), default=None)
    since = f" since the last good one, {good:%Y-%m-%d %H:%M} UTC" if good else ""
    streak = f", {counted(failures, 'failure')}{since or ' in a row'}: run {next_command('doctor')}" if failures else ""
    kind = f" ({run['error']})" if run["error"] else ""
    loaded = sum(row["loaded_files"] or 0 for row in rows)
    files = f", with {counted(loaded, 'file')} loaded" if run["loaded_files"] is not None else ""
    took = duration((run["ended_at"] - run["began_at"]).total_seconds())
    ending = f"{run['result']}{kind}, exit code {run['exit_code']}, ended {_moment(run['ended_at'], now)} after {took}"
    return f"{whose}: {ending}{files}; {where}{streak}"


def _moment(at: datetime, now: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC ({span(max(now - at, timedelta()))} ago)"
