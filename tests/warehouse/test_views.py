"""Rows of the views against hand-computed ones."""

import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_lake import made_facts
from places import TESTS

from pipeline.schema import FACTS, TABLES
from pipeline.warehouse import library as views
from pipeline.warehouse.name_tables import set_topics
from pipeline.warehouse.names import EDITED_FILES, NAME_TABLES
from pipeline.warehouse.rules import RuleRow, filled_up

Row = dict[str, Any]

CASES = sorted((TESTS / "sql").glob("*/*.toml"))
LAKE_TABLES = tuple(TABLES)
# The next conversation, another leg, or the newest hour may be of any date.
ALL_DATES = (
    "calendar",
    "calendar_days",
    "closed_contacts",
    "contacts",
    "conversation_legs",
    "followed_contacts",
    "local_closed_contacts",
    "repeat_contact",
    "repeat_contact_daily",
    "repeat_contact_by_agent_daily",
    "repeat_contact_by_skill_daily",
)
EVENTS = ("named_entries", "named_segments", "named_responses")  # a transfer may come days after the start
TIME_ZONES = ("UTC", "Asia/Kolkata", "America/New_York")

_NEEDS_ANOTHER = re.compile(
    r"(?i)^(those|these|such|its|their|of (them|those|these))\b"
    r"|\b(such (a )?time|these times|their times|(of|in|from) (it|them|those|these)|that (hour|page|band|day|start))\b"
)
"""A meaning that refers to the line above, and says nothing where a tool shows it alone."""

METRIC_COLUMNS = {
    "account_id": "VARCHAR",
    "conversation_id": "VARCHAR",
    "date": "DATE",
    "type": "VARCHAR",
    "skill_id": "BIGINT",
    "agent_id": "VARCHAR",
    "campaign_id": "BIGINT",
    "source_origin": "VARCHAR",
    "source_device": "VARCHAR",
    "is_interactive": "BOOLEAN",
    "mcs": "DOUBLE",
    "conversation_start_time": "TIMESTAMP WITH TIME ZONE",
    "conversation_end_time": "TIMESTAMP WITH TIME ZONE",
    "is_connected": "BOOLEAN",
    "is_abandoned": "BOOLEAN",
    "queue_seconds": "DOUBLE",
    "transfer_count": "BIGINT",
    "transfer_queue_seconds": "DOUBLE",
    "total_queue_seconds": "DOUBLE",
    "duration_seconds": "DOUBLE",
    "chat_seconds": "DOUBLE",
    "visitor_line_count": "BIGINT",
    "agent_line_count": "BIGINT",
    "first_response_seconds": "DOUBLE",
    "first_reply_seconds": "DOUBLE",
    "response_count": "BIGINT",
    "response_avg_seconds": "DOUBLE",
    "response_max_seconds": "DOUBLE",
}
QUEUE_COLUMNS = {
    "entry_count": "BIGINT",
    "answered_count": "BIGINT",
    "abandoned_count": "BIGINT",
    "moved_count": "BIGINT",
    "abandoned_share": "DOUBLE",
    "queued_count": "BIGINT",
    "queue_avg_seconds": "DOUBLE",
    "queue_p50_seconds": "DOUBLE",
    "queue_p90_seconds": "DOUBLE",
    "queue_max_seconds": "DOUBLE",
}
CONTRACT = {
    "conversation_metrics": METRIC_COLUMNS,
    "queue_time_daily": {"account_id": "VARCHAR", "date": "DATE", "type": "VARCHAR"} | QUEUE_COLUMNS,
    "queue_time_local_daily": {"account_id": "VARCHAR", "local_date": "DATE", "type": "VARCHAR"} | QUEUE_COLUMNS,
    "queue_time_weekly": {"account_id": "VARCHAR", "local_week": "DATE", "type": "VARCHAR"} | QUEUE_COLUMNS,
    "queue_time_monthly": {"account_id": "VARCHAR", "local_month": "DATE", "type": "VARCHAR"} | QUEUE_COLUMNS,
    "queue_time_hourly": {"account_id": "VARCHAR", "hour": "TIMESTAMP WITH TIME ZONE", "type": "VARCHAR"} | QUEUE_COLUMNS,
    "queue_time_by_skill": {"account_id": "VARCHAR", "skill_id": "BIGINT", "type": "VARCHAR"} | QUEUE_COLUMNS,
    "mcs_distribution": {
        "account_id": "VARCHAR",
        "date": "DATE",
        "type": "VARCHAR",
        "bucket": "INTEGER",
        "conversation_count": "BIGINT",
    },
    "mcs_daily": {
        "account_id": "VARCHAR",
        "date": "DATE",
        "type": "VARCHAR",
        "scored_count": "BIGINT",
        "mcs_avg": "DOUBLE",
        "mcs_p10": "DOUBLE",
        "mcs_p50": "DOUBLE",
        "mcs_p90": "DOUBLE",
        "mcs_sum": "DOUBLE",
        "conversation_count": "BIGINT",
    },
}


@pytest.fixture(scope="module")
def lake() -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a database with empty tables and every view; a test fills it by `fill`."""
    with duckdb.connect() as connection:
        for name in LAKE_TABLES:
            connection.register("no_rows", TABLES[name].arrow_schema.empty_table())
            connection.execute(f"create table {name} as from no_rows")
            connection.unregister("no_rows")
        views.create_views(connection)
        yield connection


def fill(connection: duckdb.DuckDBPyConnection, rows: dict[str, list[Row]]) -> None:
    """Replace the contents of all tables; a column that a row leaves out is NULL, one that no table has is an error."""
    known = {*LAKE_TABLES, "settings", *(file.table for file in EDITED_FILES)}
    assert set(rows) <= known, f"unknown tables {sorted(set(rows) - known)}"
    given_rules = [RuleRow(row["setting"], row.get("account_id"), row["value"]) for row in rows.get("settings", [])]
    rules = filled_up(given_rules)
    if set(connection.execute("select setting, account_id, value from settings").fetchall()) != set(rules):
        views.set_rules(connection, rules)
    tables = "select table_name from duckdb_tables() where not internal and estimated_size > 0"
    filled = {name for (name,) in connection.execute(tables).fetchall()}
    for name in LAKE_TABLES:
        schema = TABLES[name].arrow_schema
        given_rows = rows.get(name, [])
        unknown = {column for row in given_rows for column in row} - set(schema.names)
        assert not unknown, f"{name}: unknown columns {sorted(unknown)}"
        if name in filled:
            connection.execute(f"truncate {name}")
        if given_rows:
            connection.register("given_rows", pa.Table.from_pylist(given_rows, schema=schema))
            connection.execute(f"insert into {name} by name from given_rows")
            connection.unregister("given_rows")
    for file in EDITED_FILES:
        if file.table in filled:
            connection.execute(f"truncate {file.table}")
        no_bot = {"is_bot": False} if file.noun == "skill" else {}  # in agents.csv empty is not false
        for row in rows.get(file.table, []):
            named = no_bot | row
            places = ", ".join("?" * len(named))
            connection.execute(f"insert into {file.table} ({', '.join(named)}) values ({places})", list(named.values()))
    set_topics(connection)


def fetch(connection: duckdb.DuckDBPyConnection, query: str) -> list[Row]:
    """Return the rows of `query`; times in UTC, whatever the session's time zone."""
    return rows_of(connection.sql(query))


def rows_of(relation: duckdb.DuckDBPyRelation) -> list[Row]:
    """Return the rows of a relation in that form."""
    rows: list[Row] = relation.to_arrow_table().to_pylist()
    return [{name: plain(value) for name, value in row.items()} for row in rows]


def plain(value: Any) -> Any:
    """Bring a value into the one form in which two of them are compared: a microsecond, in UTC unless it is local."""
    if isinstance(value, float):
        return round(value, 6)
    return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else value


def in_order(rows: list[Row]) -> list[Row]:
    """Sort rows by all their values, NULL last."""
    return sorted(rows, key=lambda row: [(value is None, str(value)) for value in row.values()])


def query_of(name: str) -> str:
    """Return what to run for a view or a check."""
    found = {check.name: check.sql for check in views.checks()}
    found["conversation_metrics"] = f"select {', '.join(METRIC_COLUMNS)} from conversation_metrics"
    return found.get(name, f"from {name}")


def cases_by_zone() -> Iterator[Any]:
    """Each case with one time zone, the next case with the next one; with the others it takes longer."""
    for number, case in enumerate(CASES):
        for place, time_zone in enumerate(TIME_ZONES):
            is_quick = number % len(TIME_ZONES) == place
            name = f"{case.parent.name}/{case.stem}-{time_zone}"
            yield pytest.param(case, time_zone, id=name, marks=() if is_quick else pytest.mark.long)


@pytest.mark.parametrize(("case", "time_zone"), list(cases_by_zone()))
def test_case(lake: duckdb.DuckDBPyConnection, case: Path, time_zone: str) -> None:
    """A view, fact or check gives exactly the expected rows, whatever the client's time zone."""
    content = tomllib.loads(case.read_text(encoding="utf-8"))
    assert set(content) <= {"given", "expect", "where"}
    rows = content.get("given", {})
    facts = {name: made.to_pylist() for name, made in made_facts(rows).items()} if case.parent.name in FACTS else {}
    fill(lake, rows | facts)
    query = f"{query_of(case.parent.name)} where {content['where']}" if "where" in content else query_of(case.parent.name)
    lake.execute(f"set TimeZone = '{time_zone}'")
    relation = lake.sql(query)
    columns = relation.columns
    for row in content.get("expect", []):
        assert set(row) <= set(columns), f"unknown columns {sorted(set(row) - set(columns))}"
    expected = [{name: plain(row.get(name)) for name in columns} for row in content.get("expect", [])]

    assert in_order(rows_of(relation)) == in_order(expected)


@pytest.mark.parametrize("name", CONTRACT)
def test_contract_columns(lake: duckdb.DuckDBPyConnection, name: str) -> None:
    """A view of the contract begins with its columns, in order, with their types; more may follow."""
    relation = lake.table(name)
    columns = dict(zip(relation.columns, map(str, relation.types), strict=True))

    assert list(columns.items())[: len(CONTRACT[name])] == list(CONTRACT[name].items())


@pytest.mark.parametrize("name", [file.stem for file in views.view_files()] + [check.name for check in views.checks()])
def test_has_cases(name: str) -> None:
    """Every view has two cases at least, every check one."""
    least = 1 if name in {check.name for check in views.checks()} else 2

    assert len([case for case in CASES if case.parent.name == name]) >= least


def test_no_stray_cases() -> None:
    """Every folder of cases is named after a view, a fact or a check."""
    names = views.view_names() | FACTS.keys() | {check.name for check in views.checks()}

    assert {case.parent.name for case in CASES} <= names


@pytest.mark.parametrize("check", views.checks(), ids=lambda check: check.name)
def test_check_runs(lake: duckdb.DuckDBPyConnection, check: views.Check) -> None:
    """Every check says what a finding means and finds nothing in an empty lake."""
    fill(lake, {})

    assert check.meaning.endswith(".")
    assert fetch(lake, check.sql) == []


def test_code_tables(lake: duckdb.DuckDBPyConnection) -> None:
    """Each code list is a table of its own, its code typed like the column which it explains."""
    assert {(name, "code") for name in views.code_lists()} == set(views.CODE_TYPES)
    assert fetch(lake, "select label from end_reason where code = 205") == [{"label": "Visitor disconnected"}]
    assert fetch(lake, "select label from start_reason where code = 0") == [{"label": "visitor request"}]
    assert fetch(lake, "select label from message_type where code = '3'") == [{"label": "REP_URL_LINE"}]
    for (name, column), code_type in views.CODE_TYPES.items():
        assert str(lake.table(name).select(column).types[0]) == code_type


def test_every_account_finds_its_rules(lake: duckdb.DuckDBPyConnection) -> None:
    """An account has its own settings, whatever its id is spelled like; every other one, known or not, those for all."""
    own = ("a", "A", "o'brien", "NULL", "1")
    rows = [{"setting": "late_hours", "account_id": account, "value": str(place)} for place, account in enumerate(own)]
    others = ("b", "", None)
    conversations = [{"account_id": account, "conversation_id": "1", "date": date(2024, 3, 1)} for account in (*own, *others)]
    fill(lake, {"settings": rows, "conversations": conversations})

    found = lake.sql("""
        select conversations.account_id, rules.late_hours
        from conversations
        join account_rules as rules
            on rules.account_id is not distinct from rules_account(conversations.account_id)
    """).fetchall()

    assert dict(found) == {account: place for place, account in enumerate(own)} | dict.fromkeys(others, 6)
    assert len(found) == len(conversations)


def test_create_views_again(lake: duckdb.DuckDBPyConnection) -> None:
    """Creating the views a second time changes nothing."""
    listing = "select view_name, sql, comment from duckdb_views() where not internal order by all"
    before = fetch(lake, listing)
    views.create_views(lake)

    assert fetch(lake, listing) == before
    assert fetch(lake, "select count(*) as n from end_reason") == [{"n": 7}]
    comments = {row["view_name"]: row["comment"] for row in before}
    assert comments["mcs_daily"] == "The Meaningful Connection Score of conversations, day by day."


def test_file_is_self_contained(tmp_path: Path) -> None:
    """A database file with the views answers in a later session without this package; without rows there is a calendar only."""
    file = tmp_path / "lake.duckdb"
    with duckdb.connect(file) as connection:
        for name in LAKE_TABLES:
            connection.register("no_rows", TABLES[name].arrow_schema.empty_table())
            connection.execute(f"create table {name} as from no_rows")
            connection.unregister("no_rows")
        views.create_views(connection)
    with duckdb.connect(file, read_only=True) as connection:
        for path in views.view_files():
            assert (fetch(connection, f"from {path.stem}") == []) == (path.stem != "local_days")


@pytest.fixture(scope="module")
def partitioned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give the views over three days of Parquet files, one file per table and day."""
    folder = tmp_path_factory.mktemp("partitioned")
    for name in LAKE_TABLES:
        for day in (1, 2, 3) if TABLES[name].partitioned else (1,):
            file = folder / name / f"date=2024-03-0{day}" / "part.parquet"
            file.parent.mkdir(parents=True)
            rows = [{"account_id": account, "conversation_id": f"{day}"} for account in ("a", None)]
            rows = rows if TABLES[name].partitioned else [{"account_id": "a"}]
            pq.write_table(pa.Table.from_pylist(rows, schema=TABLES[name].file_schema), file)
    with duckdb.connect() as connection:
        for name in LAKE_TABLES:
            connection.execute(
                f"create view {name} as from read_parquet('{folder}/{name}/*/*.parquet', hive_types = {{'date': date}})"
            )
        views.create_views(connection)
        yield connection


def with_pruned_dates() -> list[str]:
    """The views whose date is that of the conversation, by which the tables are partitioned, and not that of an event."""
    by_events = set(EVENTS)
    for view in views.ordered_views():
        if view.reads & by_events:
            by_events.add(view.name)
    return [file.stem for file in views.view_files() if file.stem not in by_events | set(ALL_DATES)]


@pytest.mark.parametrize("condition", ["date = '2024-03-02'", "date > '2024-03-01' and date < '2024-03-03'"])
@pytest.mark.parametrize("name", with_pruned_dates())
def test_one_day_reads_one_file(partitioned: duckdb.DuckDBPyConnection, name: str, condition: str) -> None:
    """A day's rows of a view with a date are computed from that day's file of each table it reads, no other is opened."""
    if "date" not in partitioned.table(name).columns:
        return
    plan = partitioned.sql(f"explain analyze select * from {name} where {condition}").fetchall()[0][1]

    assert set(re.findall(r"Total Files Read: (\d+)", plan)) == {"1"}


@pytest.mark.parametrize("name", ["queue_time_local_daily", "queue_by_interval", "arrivals_by_interval"])
def test_accounts_without_an_id_are_one_hash_join(partitioned: duckdb.DuckDBPyConnection, name: str) -> None:
    """A NULL account joins like any other, and no join compares all pairs of rows."""
    plan = partitioned.sql(f"explain select * from {name}").fetchall()[0][1]
    kinds = {kind.lower().replace("_", " ") for kind in re.findall(r"\w+[ _][Jj](?:oin|OIN)\b", plan)}

    assert kinds == {"hash join"}


def test_an_account_without_an_id_has_rows(partitioned: duckdb.DuckDBPyConnection) -> None:
    """Entries of an unknown account are counted as those of any other."""
    query = "select account_id, sum(entry_count)::int as n from queue_time_local_daily group by all"
    assert in_order(fetch(partitioned, query)) == [{"account_id": "a", "n": 3}, {"account_id": None, "n": 3}]


def test_hours_and_intervals_begin_before_1970_as_after_it(lake: duckdb.DuckDBPyConnection) -> None:
    """Every time stands in the hour, interval and day of UTC that begins at it or before it, by `date_trunc`."""
    moments = [
        datetime(year, month, 28, hour, minute, second, 999_000, tzinfo=UTC)
        for year, month in ((1, 1), (1969, 12), (1970, 1), (2024, 3), (9999, 11))
        for hour, minute, second in ((0, 0, 0), (7, 59, 59), (23, 30, 0))
    ]
    moments += [moment.replace(minute=0, second=0, microsecond=0) for moment in moments]
    rows = [
        {"conversation_id": str(number), "date": moment.date(), "entered_time": moment, "entered_date": moment.date()}
        | {"left_time": moment + timedelta(hours=20), "wait_milliseconds": 72_000_000}
        | {"outcome": "answered", "is_transfer": False}
        for number, moment in enumerate(moments)
    ]
    fill(lake, {"queue_entries": rows})

    def told(query: str) -> list[Any]:
        return lake.sql(query).fetchall()

    lake.execute("set TimeZone = 'UTC'")
    utc = "select epoch_ms({}) as at, count(*) from queue_entries group by 1 order by 1"
    hour, quarter = "date_trunc('hour', {0})", "time_bucket(interval 15 minutes, {0}, timestamp '2000-01-01')"
    start = "make_timestamp(epoch_ms(entered_time) * 1000)"
    assert told("select epoch_ms(hour), entry_count from queue_time_hourly order by 1") == told(utc.format(hour.format(start)))
    entries = (
        "select epoch_ms(interval_start), people_entry_count from arrivals_by_interval where people_entry_count > 0 order by 1"
    )
    assert told(entries) == told(utc.format(quarter.format(start)))
    offered = "select epoch_ms(interval_start), offered_count from queue_by_interval order by 1"
    assert told(offered) == told(utc.format(quarter.format(start)))
    days = (
        f"select distinct epoch_ms(date_trunc('day', {start} + interval 1 hour * n)) "
        "from queue_entries, range(21) as t(n) order by 1"
    )
    at = "make_timestamp(epoch_ms(interval_start) * 1000)"
    assert told(f"select distinct epoch_ms(date_trunc('day', {at})) from queue_intervals order by 1") == told(days)


def test_bounds_of_none_and_of_all_are_the_ends_of_the_scale(lake: duckdb.DuckDBPyConnection) -> None:
    """The bound of a share of 0 is 0 and of a share of 1 is 1, to the last digit, for any number of cases."""
    lake.execute("set TimeZone = 'UTC'")
    entered = datetime(2024, 3, 4, 10, tzinfo=UTC)
    entry = {"conversation_id": "c", "type": "LIVE_CHAT", "entry_number": 1, "skill_id": 3, "entered_time": entered}
    days = [entered.date() + timedelta(weeks=week) for week in range(60)]
    entries = [
        entry | {"account_id": account, "entered_date": day, "date": day, "wait_milliseconds": 10_000, "outcome": outcome}
        for number, day in enumerate(days, 1)
        for account, outcome in (("none", "answered"), ("all", "abandoned"))
        for _ in range(number)
    ]
    fill(lake, {"queue_entries": entries})

    asked = "select account_id, share_low, share_high from shares_daily where measure = 'abandoned'"
    found = lake.sql(asked).fetchall()
    assert len(found) == 2 * len(days)
    assert {low for account, low, _ in found if account == "none"} == {0.0}
    assert {high for account, _, high in found if account == "all"} == {1.0}


def test_order_of_rows_does_not_matter(lake: duckdb.DuckDBPyConnection) -> None:
    """The same rows in another order give the same answers to the last digit."""
    day = datetime(2024, 3, 1, tzinfo=UTC)
    numbers = range(1, 3000)
    of = [{"account_id": "a", "conversation_id": str(number), "date": day.date(), "type": "LIVE_CHAT"} for number in numbers]
    entries = [
        row | {"entered_date": day.date(), "wait_milliseconds": number * 7919 % 100_003, "outcome": "answered"}
        for number, row in zip(numbers, of, strict=True)
    ]
    scored = [row | {"mcs": number * 104_729 % 1_000_003 / 10_007} for number, row in zip(numbers, of, strict=True)]
    query = "select * from queue_time_daily join mcs_daily using (account_id, date)"
    fill(lake, {"queue_entries": entries, "conversations": scored, "conversation_metrics": scored})
    forwards = lake.sql(query).to_arrow_table().to_pylist()
    fill(lake, {"queue_entries": entries[::-1], "conversations": scored[::-1], "conversation_metrics": scored[::-1]})

    assert lake.sql(query).to_arrow_table().to_pylist() == forwards != []


def test_every_column_says_what_it_means(lake: duckdb.DuckDBPyConnection) -> None:
    """Every column of a view, and of a table beside the lake's, has a sentence that stands alone: its own or its source's."""
    views.comment_columns(lake)
    listing = "select table_name, column_name, comment from duckdb_columns() where not internal"
    found = {(name, column): comment for name, column, comment in lake.sql(listing).fetchall() if name not in TABLES}

    assert [column for column, comment in found.items() if not str(comment).endswith(".")] == []
    stored = {(table.name, column.name): column.about for table in TABLES.values() for column in table.shown}
    assert [column for column, comment in (stored | found).items() if _NEEDS_ANOTHER.search(str(comment))] == []
    assert found["transfer_daily", "returned_share"] == "returned_count / transferred_count."
    assert found["named_entries", "wait_milliseconds"] == "From entering to leaving."
    assert found["account_rules", "resolution_hours"] == found["named_conversations", "resolution_hours"]


def test_each_table_beside_the_lake_s_says_what_it_is(lake: duckdb.DuckDBPyConnection) -> None:
    """Code tables, settings and clocks have a sentence of their own, as views have."""
    rules = ("settings", "account_rules", "utc_offsets", *(table.name for table in NAME_TABLES))
    names = (*rules, "end_reason", "message_type", "start_reason")
    abouts = dict(lake.sql("select table_name, comment from duckdb_tables() where not internal").fetchall())
    assert [name for name in names if not str(abouts[name]).endswith(".")] == []
