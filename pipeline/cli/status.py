"""`lakehouse status`: loaded, missing and rejected hours, and those that the source will delete before they are loaded."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import IO, Any, Final

import duckdb
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from pipeline.cli.last_runs import newest_runs, run_lines
from pipeline.cli.options import next_command
from pipeline.cli.overdue import Watched, overdue_hours, overdue_lines
from pipeline.lake.snapshot import LEDGER
from pipeline.lake.sql import rows_in
from pipeline.load.account_schema import KeptSchema, newest_schemas
from pipeline.source_files import RETENTION, scope_of
from pipeline.text import counted, harmless, span
from pipeline.warehouse.table_views import files_in, files_macro

WARNING: Final = timedelta(days=7)
"""`status` warns so long before the source deletes files that the lake lacks."""

_HOUR = timedelta(hours=1)
_LONGEST_GAP = timedelta(days=400)  # as in the view source_hours
_UNKNOWN: Final[dict[str, Any]] = {
    "state": "unknown",
    "files": 0,
    "conversations": 0,
    "rejected_documents": 0,
    "missing": [],
    "listed_at": None,
}
_HOURS = """
    select account_id, hour, state, file_count as files, delivered_conversation_count as conversations,
        reject_count as rejected_documents, missing, listed_at
    from source_hours order by account_id nulls first, hour"""
_SET_ASIDE = """
    select account_id, name, reason, 0 as document from files where status = 'rejected'
    union all
    select account_id, source_file, document || '. document: ' || reason, document from rejects
    order by account_id, name, document, reason"""
_UNLISTED = """
    select account_id, hour from listings where files is null order by account_id, hour"""
_MASKED = """
    select count(distinct (account_id, conversation_id)) from messages
    where contains(text, '** LP deleted data **') and date >= $since"""
SEARCHED_ROWS: Final = 5_000_000
"""Messages that are searched for the vendor's mark in a few seconds; of a larger lake the newest month alone is searched."""

_SYNCED: Final = "select distinct account_id from listings"
_HAS_FILES: Final = "select exists (from files)"
_LACKING: Final = frozenset({"missing", "rejected", "unknown"})
_SHOWN: Final = 10  # files, documents, and days in a sentence; the JSON form has all
_WIDEST: Final = 1000  # Maximum width of the days table, in characters
_DAYS_SHOWN: Final = RETENTION.days + 1  # of an account: days that the source may still hold


def hours(connection: duckdb.DuckDBPyConnection, now: datetime, *, every_account: bool = False) -> list[dict[str, Any]]:
    """One entry per account and hour; of a synced account, or of `every_account`, also all hours that the source still keeps.

    `state` is loaded, empty (the API said that there is no file), rejected (a file of that hour is broken), missing (a file
    is listed, but not downloaded) or unknown (the API was not asked, or did not answer). `deleted_at_source` is when the
    source deletes the files that an hour lacks; NULL if none is lacking or they are deleted. `is_expiring`: within seven days.
    """
    relation = connection.sql(_HOURS)
    known = [dict(zip(relation.columns, row, strict=True)) for row in _fetch(relation)]
    synced = {account_id for (account_id,) in _fetch(connection.sql(_SYNCED))}
    by_account = groupby(known, lambda row: row["account_id"])
    rows = [
        row
        for account_id, of_account in by_account
        for row in (
            _with_unknown(now, list(of_account)) if account_id in synced or (every_account and account_id) else of_account
        )
    ]
    for row in rows:
        is_lacking = row["state"] in _LACKING and now - RETENTION < row["hour"] <= now
        row["deleted_at_source"] = row["hour"] + RETENTION if is_lacking else None
        row["is_expiring"] = is_lacking and row["hour"] + RETENTION < now + WARNING
    return rows


def _with_unknown(now: datetime, rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The hours of an account, in order, with unknown ones added that the source may still have files of."""
    oldest = _first_hour_after(now - RETENTION)
    ended = [row["hour"] for row in rows if row["hour"] + _HOUR <= now]  # a wrong name may claim a later one
    last = max(ended, default=oldest - _HOUR)
    known = {row["hour"] for row in rows}
    hour = oldest if last + _LONGEST_GAP < now else min(oldest, last + _HOUR)
    more = []
    while hour + _HOUR <= now:
        if hour not in known:
            more.append({"account_id": rows[0]["account_id"], "hour": hour} | _UNKNOWN)
        hour += _HOUR
    yield from sorted([*rows, *more], key=lambda row: row["hour"])


def _first_hour_after(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0) + _HOUR


def _fetch(relation: duckdb.DuckDBPyRelation) -> list[tuple[Any, ...]]:
    table = relation.to_arrow_table()
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def print_status(
    connection: duckdb.DuckDBPyConnection,
    form: str,
    now: datetime,
    out: IO[str],
    *,
    schemas: Sequence[KeptSchema] = (),
    own_accounts: frozenset[str] = frozenset(),
    watched: Watched | None = None,
    searched_rows: int = SEARCHED_ROWS,
) -> bool:
    """Print hours and rejects, as JSON, as metrics or, day by day, as a table; return whether anything is expiring or overdue.

    `schemas` are the accounts' own, with which nothing expires.
    `own_accounts` are those that a sync fetches. If none ever brought a listing of one of them, that counts as expiring.
    `watched` says which hours are overdue.
    """
    listed = hours(connection, now, every_account=watched is not None)
    overdue = overdue_hours(listed, now, watched) if watched else []
    nothing_came = _nothing_came(connection, own_accounts)
    aside = _fetch(connection.sql(_SET_ASIDE))
    unlisted = _unlisted(connection)
    masked, since = masked_conversations(connection, searched_rows=searched_rows)
    encrypted = _encrypted_values(connection)
    runs = newest_runs(connection, now)
    if form == "prometheus":
        from pipeline.cli.metrics import metrics

        out.write(metrics(connection, listed, overdue if watched else None, now, nothing_came=nothing_came is not None))
    elif form == "json":
        plain = {
            "hours": listed,
            "set_aside": [dict(zip(("account_id", "file", "reason"), row[:3], strict=True)) for row in aside],
            "unlisted": [{"account_id": account_id, "day": day} for account_id, days in unlisted.items() for day in days],
            "encrypted": dict(zip(("values", "files"), encrypted, strict=True)),
            "nothing_came": nothing_came,
            "overdue": [{name: row[name] for name in ("account_id", "hour", "state")} for row in overdue] if watched else None,
            "erased_at_source": {"conversations": masked, "since": since},
            "runs": runs,
            "schemas": [kept.plain() for kept in schemas],
        }
        out.write(json.dumps(plain, default=_text, indent=1) + "\n")
    else:
        console = Console(file=out, force_terminal=out.isatty())
        _print_days(console, listed)
        left_out = [*_aside_lines(aside), *_missing_lines(listed, now, own_accounts), *_unlisted_lines(unlisted, own_accounts)]
        lacking = [*_lacking_lines(listed, now, own_accounts), *filter(None, [nothing_came])]
        lacking += overdue_lines(overdue, watched) if watched else []
        rest = (*_masked_lines(masked, since), *_schema_lines(schemas), *run_lines(runs, now))
        for line in (*_lines(listed, left_out, lacking, encrypted), *rest):
            console.print(harmless(line), markup=False, highlight=False, soft_wrap=True)
    return nothing_came is not None or bool(overdue) or any(row["is_expiring"] for row in listed)


def _encrypted_values(connection: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """How many values are still encrypted, and of how many source files."""
    if not files_in(connection, LEDGER):
        return 0, 0
    rows = rows_in(f"{files_macro(LEDGER)}()")
    query = f"select coalesce(sum(encrypted), 0)::bigint, count(*) filter (where encrypted > 0) from {rows}"
    ((values, files),) = connection.execute(query).fetchall()
    return values, files


def _nothing_came(connection: duckdb.DuckDBPyConnection, own_accounts: frozenset[str]) -> str | None:
    """A sentence if the lake is empty, or the API never listed an hour of an account that a sync fetches; else None.

    Without it, an account that was never listed would look complete.
    """
    synced = {account_id for (account_id,) in _fetch(connection.sql(_SYNCED))}
    [(has_files,)] = _fetch(connection.sql(_HAS_FILES))
    then = f"run {next_command('doctor')}, then {next_command('sync')}"
    if not has_files and not synced:
        first = (
            "" if own_accounts else f", once LP_ACCOUNT_ID and its keys are set; files at hand come by {next_command('load')}"
        )
        return f"No file was ever loaded and no listing was ever had: {then}{first}"
    if never := sorted(own_accounts - synced):
        others = f" and {len(never) - 1:,} others" if len(never) > 1 else ""
        verb = "it" if len(never) == 1 else "them"
        return f"account {never[0]}{others}: no listing of {verb} was ever had, so the files are unknown: {then}"
    return None


def masked_conversations(
    connection: duckdb.DuckDBPyConnection, *, searched_rows: int = SEARCHED_ROWS
) -> tuple[int, date | None]:
    """Count the conversations with texts that the vendor has erased; second comes the first day searched, None for all."""
    count, newest = connection.execute("select count(*), (select max(date) from conversations) from messages").fetchall()[0]
    since = newest - RETENTION if newest and count > searched_rows else None
    masked: int = connection.execute(_MASKED, {"since": since or date.min}).fetchall()[0][0]
    return masked, since


def _masked_lines(masked: int, since: date | None) -> Iterator[str]:
    if masked:
        where = f" of those since {since:%Y-%m-%d}" if since else ""
        yield (
            f"{counted(masked, 'conversation')}{where} with text that the vendor has erased, of which the lake may keep an "
            f"older copy: {next_command('check')} tells how to list them, "
            f"{next_command('erase --conversation-id X')} removes one, or several"
        )


def _schema_lines(schemas: Sequence[KeptSchema]) -> Iterator[str]:
    for kept in newest_schemas(schemas):
        if lines := kept.told():
            yield f"account {kept.account_id}, schema {kept.version}: {lines}"


def _every() -> str:
    """The command that shows all of it."""
    return next_command("status --format json")


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _lines(
    listed: list[dict[str, Any]], left_out: Sequence[str], lacking: Sequence[str], encrypted: tuple[int, int]
) -> Iterator[str]:
    """The lines below the table: few, however many files are set aside."""
    yield " # loaded   · empty at the source   - missing   ! a file of that hour is broken   ? never asked about"
    yield from _earlier(listed)
    yield from left_out or ["Nothing is set aside."]
    if encrypted[0]:
        yield (
            f"{counted(encrypted[0], 'value')} of {counted(encrypted[1], 'file')} left encrypted: set LP_PGP_KEY to the "
            "private key of their account and load the files again, from the lake's folder landing"
        )
    yield from lacking or ["Nothing is missing that the source still has."]


def _advice(account_id: str | None, own_accounts: frozenset[str]) -> str:
    """The way to an account's files: a sync, if it fetches the account."""
    if account_id in own_accounts:
        return f"run {next_command('sync')}"
    return "neither LP_ACCOUNT_ID nor --account names this account; give status the --account of the sync"


def _earlier(listed: list[dict[str, Any]]) -> Iterator[str]:
    """A sentence for each account with days that the table leaves out."""
    for account_id, rows in groupby(listed, lambda row: row["account_id"]):
        days = [list(of_day) for _, of_day in groupby(rows, lambda row: row["hour"].date())][:-_DAYS_SHOWN]
        if days:
            lacking = sum(row["state"] in _LACKING for of_day in days for row in of_day)
            yield (
                f"account {account_id or 'unknown'}: {counted(len(days), 'earlier day')} from {days[0][0]['hour']:%Y-%m-%d} "
                f"on, with {counted(lacking, 'hour')} missing, unknown or broken: {_every()} has every hour"
            )


def _aside_lines(aside: list[tuple[Any, ...]]) -> Iterator[str]:
    """The newest rejected files, the newest files with rejected documents, and how many others there are of each."""
    newest = sorted(aside, key=lambda row: scope_of(row[1])[0] or datetime.min.replace(tzinfo=UTC), reverse=True)
    rejects = next_command('sql "from rejects"')
    for state, where in (("rejected", _every()), ("with rejected documents", rejects)):
        of_kind = [row for row in newest if (row[3] > 0) == (where == rejects)]
        files = [list(rows) for _, rows in groupby(of_kind, lambda row: row[:2])]
        for (account_id, name, reason, _), *others in files[:_SHOWN]:
            more = f", and {counted(len(others), 'more document')}: {rejects}" if others else ""
            yield f"{name} (account {account_id or 'unknown'}): {reason}{more}"
        if (left := len(files) - _SHOWN) > 0:
            yield f"and {counted(left, 'more file')} {state}: {where} has all"


def _unlisted(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """By account, the days whose last listing failed, in whole or in part."""
    days: dict[str, dict[str, None]] = {}
    for account_id, hour in _fetch(connection.sql(_UNLISTED)):
        days.setdefault(account_id, {})[f"{hour:%Y-%m-%d}"] = None
    return {account_id: list(of_account) for account_id, of_account in days.items()}


def _unlisted_lines(unlisted: dict[str, list[str]], own_accounts: frozenset[str]) -> Iterator[str]:
    for account_id, days in unlisted.items():
        yield (
            f"account {account_id}: {counted(len(days), 'day')} could not be listed when last asked for: "
            f"{', '.join(days[:_SHOWN])}{_others(len(days))}; {_advice(account_id, own_accounts)}"
        )


def _missing_lines(listed: list[dict[str, Any]], now: datetime, own_accounts: frozenset[str]) -> Iterator[str]:
    """The first files that could not be downloaded, those ahead that the source deletes next, and how many others."""
    of_hours = [(row["hour"] + RETENTION <= now, row["hour"], row) for row in listed if row["missing"]]
    of_hours.sort(key=lambda of_hour: of_hour[:2])
    names = [(is_gone, row["account_id"], name) for is_gone, _, row in of_hours for name in row["missing"]]
    for is_gone, account_id, name in names[:_SHOWN]:
        advice = "the source has deleted it by now" if is_gone else _advice(account_id, own_accounts)
        yield f"{name} (account {account_id}): listed, but could not be downloaded; {advice}"
    if len(names) > _SHOWN:
        yield f"{_others(len(names)).strip()} that could not be downloaded"


def _others(count: int) -> str:
    return f" and {count - _SHOWN:,} more ({_every()} names all)" if count > _SHOWN else ""


def _lacking_lines(listed: list[dict[str, Any]], now: datetime, own_accounts: frozenset[str]) -> list[str]:
    """Sentences for each account with hours that are lacking, or were never listed, and that the source still keeps."""
    lines = []
    lacking = [row for row in listed if row["deleted_at_source"] is not None]
    for account_id, rows in groupby(lacking, lambda row: row["account_id"]):
        of_account = list(rows)
        for is_unknown in (False, True):
            of_kind = [row for row in of_account if (row["state"] == "unknown") == is_unknown]
            if of_kind:
                count = counted(len(of_kind), "hour")
                found = f"{count} {_verb(of_kind)} never listed" if is_unknown else f"files of {count} are lacking"
                line = f"account {account_id or 'unknown'}: {found}; {_deletion(of_kind, now)}"
                warning = "WARNING: " if any(row["is_expiring"] for row in of_kind) else ""
                lines.append(f"{warning}{line}: {_advice(account_id, own_accounts)}")
    return lines


def _verb(rows: Sequence[object]) -> str:
    return "was" if len(rows) == 1 else "were"


def _deletion(rows: list[dict[str, Any]], now: datetime) -> str:
    """When the source deletes hours, which are in order, and how many of them soon."""
    left = span(rows[0]["deleted_at_source"] - now)
    if len(rows) == 1:
        return f"the source deletes it in {left}"
    if expiring := sum(row["is_expiring"] for row in rows):
        return f"the source deletes {expiring:,} of them within {WARNING.days} days, the first in {left}"
    return f"the source deletes the first in {left}"


_STATES: Final = {"loaded": "#", "empty": "·", "missing": "-", "rejected": "!", "unknown": "?"}


def _print_days(console: Console, listed: list[dict[str, Any]]) -> None:
    """Print a line for each of the newest days of every account: as a table if it fits, else below the account."""
    table = Table(box=None)
    for heading in ("account", "day (UTC)", "hours 0 to 23", "files", "conversations"):
        table.add_column(heading, overflow="fold")
    lines = []
    for account_id, of_account in groupby(listed, lambda row: row["account_id"]):
        days = [list(of_day) for _, of_day in groupby(of_account, lambda row: row["hour"].date())]
        lines.append(f"account {account_id or 'unknown'}")
        for rows in days[-_DAYS_SHOWN:]:
            line = [" "] * 24
            for row in rows:
                line[row["hour"].hour] = _STATES[row["state"]]
            files, conversations = sum(row["files"] for row in rows), sum(row["conversations"] for row in rows)
            day = f"{rows[0]['hour']:%Y-%m-%d}"
            table.add_row(account_id or "unknown", day, "".join(line), f"{files:,}", f"{conversations:,}")
            lines.append(f"{day} {''.join(line)}".rstrip())
    if Measurement.get(console, console.options.update(width=_WIDEST), table).maximum <= console.width:
        console.print(table)
        return
    for text in lines:
        console.print(harmless(text), markup=False, highlight=False)
