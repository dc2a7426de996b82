"""Make lakes with the metadata of many accounts or years, and hardly any data, to time loads in.

Ledger, index of conversations and listings have all the rows of such lakes. The data has as many Parquet files,
each a link to one without rows; the log gives them the size of merged ones. All of it is committed as a load commits.
"""

import gzip
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from pipeline import schema
from pipeline.lake.index import share_of
from pipeline.lake.lake import Lake
from pipeline.lake.rewrite import ORDERS, connected, copied
from pipeline.lake.snapshot import LEDGER, WHOLE, Change, DataFile, new_path
from pipeline.lake.sql import rows_in
from pipeline.source_files import ListedDay

PARTS = 50
"""Source files an account and hour."""

END = datetime(2026, 1, 1, tzinfo=UTC)
"""The hour that a grown lake does not have yet: all that it has is from before."""

DAYS = 1_096
ACCOUNT_ID = "10000000"
_MERGED_BYTES = 40 << 20  # a file of this size is merged no more
_LEDGER_ROWS = 900_000  # as many as such a file has
_INDEX_ROWS = 4_000_000
_TAG = "com.liveperson.dataaccess."
_HOUR = timedelta(hours=1)

_LEDGER_SQL = """
    select
        ({account} + account)::varchar as account_id, 'Engagement.' || ms || '.' || (ms + 3600000) || '.part-'
            || lpad(part::varchar, 5, '0') || '-0.gz' as name,
        make_timestamptz(ms * 1000) as scope_start_time, make_timestamptz((ms + 3600000) * 1000) as scope_end_time,
        'loaded' as status, null as reason, 200000 + hash(ms, part) % 50000 as bytes,
        sha256(account || '.' || ms || '.' || part) as sha256,
        200 + hash(ms) % 40 as documents, 200 + hash(ms) % 40 as conversations, 3000 + hash(part, ms) % 500 as messages,
        20 + hash(part, ms) % 20 as transfers, 0 as rejects, ['1.0.0.22'] as schema_versions, []::varchar[] as unknown_fields,
        scope_end_time as downloaded_at, scope_end_time as loaded_at, 0 as encrypted, null as landed_sha256
    from (select {first_ms} + hour * 3600000 as ms, account, part
        from range({hours}) as h(hour), range({accounts}) as a(account), range({parts}) as p(part))
    order by ms, name"""
_INDEX_SQL = """
    select (hash(i) >> 1)::bigint as key, date '{end:%Y-%m-%d}' - 1 - (i % {days})::integer as date
    from range({first}, {last}) as r(i) order by key"""
_LISTINGS_SQL = """
    select ({account} + account)::varchar as account_id, hour, hour + interval 1 hour as listed_at, {parts} as files,
        []::varchar[] as missing
    from range(timestamptz '{first}', timestamptz '{last}', interval 1 hour) as h(hour), range({accounts}) as a(account)
    order by all"""


def grown(  # all that grows
    folder: Path,
    *,
    accounts: int = 1,
    hours: int = 0,
    listed_hours: int = 0,
    parquet: int = 0,
    index: int = 0,
    indexed: int = 1,
    others: int = 0,
) -> Lake:
    """Make a lake of so many accounts and, in three years, so many Parquet files of data.

    Its ledger has the rows of so many hours, `listings` so many hours of each account. The index has so many conversations
    of each of the first `indexed` accounts, and of another.
    """
    lake = Lake(str(folder))
    lake.create()
    with connected(lake) as connection:
        changes = {
            LEDGER: Change(add=list(_ledger(lake, connection, accounts, hours))),
            schema.LISTINGS.name: Change(add=list(_listings(lake, connection, accounts, listed_hours))),
            schema.INDEX.name: Change(
                add=[
                    *(file for account in range(indexed) for file in _index(lake, connection, account, index)),
                    *_index(lake, connection, indexed, others),
                ]
            ),
            **{table: Change(add=list(_links(lake, table, parquet // len(schema.DELIVERED)))) for table in schema.DELIVERED},
        }
    lake.commit(changes, lake.snapshot())
    return lake


def _ledger(lake: Lake, connection: duckdb.DuckDBPyConnection, accounts: int, hours: int) -> Iterator[DataFile]:
    step = max(1, _LEDGER_ROWS // (accounts * PARTS))
    for before in range(hours, 0, -step):
        query = _LEDGER_SQL.format(
            account=ACCOUNT_ID,
            first_ms=int((END - before * _HOUR).timestamp()) * 1000,
            hours=min(step, before),
            accounts=accounts,
            parts=PARTS,
        )
        written = _written(lake, connection, LEDGER, query)
        source = f"{rows_in('?')} order by {ORDERS[LEDGER]}"
        yield copied(lake, connection, LEDGER, written.partition, source, lake.locations(LEDGER, [written]))
        lake.discard(LEDGER, [written])


def _listings(lake: Lake, connection: duckdb.DuckDBPyConnection, accounts: int, hours: int) -> Iterator[DataFile]:
    first = END - hours * _HOUR
    while first < END:
        last = min((first.replace(day=1, hour=0) + timedelta(days=32)).replace(day=1), END)
        query = _LISTINGS_SQL.format(account=ACCOUNT_ID, first=first, last=last, accounts=accounts, parts=PARTS)
        yield _written(lake, connection, schema.LISTINGS.name, query, label=f"{first:%Y-%m}")
        first = last


def _index(lake: Lake, connection: duckdb.DuckDBPyConnection, account: int, rows: int) -> Iterator[DataFile]:
    share = share_of(str(int(ACCOUNT_ID) + account))
    for first in range(0, rows, _INDEX_ROWS):
        query = _INDEX_SQL.format(end=END, days=DAYS, first=first, last=min(first + _INDEX_ROWS, rows))
        yield _written(lake, connection, schema.INDEX.name, query, label=share)


def _written(lake: Lake, connection: duckdb.DuckDBPyConnection, table: str, query: str, *, label: str = WHOLE) -> DataFile:
    columns = schema.STORED[table].file_schema
    rows = connection.sql(f"select {', '.join(columns.names)} from ({query})").to_arrow_table()
    return lake.write(table, rows.cast(columns), label=label)


def _links(lake: Lake, table: str, count: int) -> Iterator[DataFile]:
    if not count:
        return
    one = lake.path(table, lake.write(table, schema.STORED[table].file_schema.empty_table(), date="2000-01-01").path)
    for number in range(count):
        day = f"{END - timedelta(days=1 + number % DAYS):%Y-%m-%d}"
        path = new_path(day, WHOLE)
        Path(lake.path(table, path)).parent.mkdir(exist_ok=True)
        os.link(one, lake.path(table, path))
        yield DataFile(path, 0, _MERGED_BYTES)


def account_ids(accounts: int) -> list[str]:
    """Return the ids of so many accounts."""
    return [str(int(ACCOUNT_ID) + number) for number in range(accounts)]


def tiny_files(folder: Path, count: int, *, first: datetime = END, account_id: str = ACCOUNT_ID) -> list[Path]:
    """Write so many source files of one short conversation each, `PARTS` an hour."""
    folder.mkdir(parents=True)
    return [_tiny_file(folder, account_id, first + number // PARTS * _HOUR, number % PARTS) for number in range(count)]


def _tiny_file(folder: Path, account_id: str, hour: datetime, part: int) -> Path:
    start = int(hour.timestamp()) * 1000
    path = folder / f"Engagement.{start}.{start + 3_600_000}.part-{part:05d}-0.gz"
    line = {"text": {"string": "hello"}, "timestamp": {"long": start}, "by": {"string": "visitor"}, "type": {"string": "0"}}
    conversation = {
        "conversationId": {"string": f"{account_id}-{start}-{part}"},
        "conversationStartTime": {"long": start + part},
        "transcripts": {"array": [line]},
        "transfers": {"array": []},
    }
    engagements = {"array": [{f"{_TAG}Conversation": conversation}]}
    body = {f"{_TAG}EngagementData": {"header": None, "engagements": engagements}}
    about = {"accountId": {"string": account_id}, "schemaVersion": "1.0.0.22"}
    document = {"dataType": {f"{_TAG}DataTypeEnum": "Engagement"}, "metaData": about, "recordCollection": [{"body": body}]}
    path.write_bytes(gzip.compress(json.dumps(document).encode() + b"\n", mtime=0))
    return path


def last_days(days: int) -> list[ListedDay]:
    """Return the listings of a sync at `END`, for an account without files."""
    return [ListedDay(END - timedelta(days=number), END - timedelta(days=number - 1)) for number in range(days, 0, -1)]
