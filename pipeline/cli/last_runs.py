"""The newest run of each command, as `lakehouse status` tells it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final

import duckdb

from pipeline.source_files import RETENTION
from pipeline.text import counted, duration, span

_NEWEST: Final = """
    with counted as (
        select *, max(ended_at) filter (where exit_code in (0, 3)) over (partition by command, account_id) as succeeded_at
        from runs
        where began_at > $since
    ),
    failing as (
        select *, count(*) filter (where exit_code not in (0, 3) and ended_at > coalesce(succeeded_at, '-infinity'))
            over (partition by command, account_id) as failures
        from counted
    )
    select run_id, command, account_id, version, host, began_at, ended_at, result, exit_code, error, loaded_files, failures
    from failing
    qualify run_id = arg_max(run_id, began_at) over (partition by command)
    order by command, account_id nulls first"""
_SHOWN: Final = 5  # accounts in a sentence

Run = Mapping[str, Any]
"""A run of an account; `failures` are its failed runs since the last one that succeeded."""


def newest_runs(connection: duckdb.DuckDBPyConnection, now: datetime) -> list[Run]:
    """The newest run of each command within 30 days, a row for each account; `failures` counts the failed since a success."""
    relation = connection.sql(_NEWEST, params={"since": now - RETENTION})
    return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]


def run_lines(runs: Sequence[Run], now: datetime) -> Iterator[str]:
    """A sentence for the newest run of each command, and one for each other result of its accounts."""
    for command, rows in groupby(runs, lambda run: run["command"]):
        of_command = sorted(rows, key=lambda run: -(run["exit_code"] or 0))
        for _, alike in groupby(of_command, lambda run: (run["exit_code"], run["error"])):
            yield f"last {command}{_run(list(alike), len(of_command), now)}"


def _run(rows: Sequence[Run], count: int, now: datetime) -> str:
    run = rows[0]
    where = f"version {run['version']} on {run['host']}"
    if run["ended_at"] is None:
        return f" began {_moment(run['began_at'], now)} and has not ended: it is at work, or was killed; {where}"
    names = [row["account_id"] for row in rows if row["account_id"]]
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    whose = f" of account{'s' if names[1:] else ''} {', '.join(names[:_SHOWN])}{more}" if names and len(rows) < count else ""
    failures = max(row["failures"] for row in rows)
    streak = f", {counted(failures, 'failure')} in a row" if failures > 1 else ""
    kind = f" ({run['error']})" if run["error"] else ""
    loaded = sum(row["loaded_files"] or 0 for row in rows)
    files = f", with {counted(loaded, 'file')} loaded" if run["loaded_files"] is not None else ""
    took = duration((run["ended_at"] - run["began_at"]).total_seconds())
    ending = f"{run['result']}{kind}, exit code {run['exit_code']}{streak}"
    return f"{whose}: {ending}, ended {_moment(run['ended_at'], now)} after {took}{files}; {where}"


def _moment(at: datetime, now: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC ({span(max(now - at, timedelta()))} ago)"
