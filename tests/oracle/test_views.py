"""The views agree with a second implementation, row by row and column by column, on made conversations of two accounts."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from made_conversations import DAY, MIDNIGHT, source_texts
from reference import FIRST_DAY

from oracle import calendar, dimensions, mcs, queue, repeats, transfers
from oracle.calendar import days_of
from oracle.made_lakes import ACCOUNTS, NAMES, SETTINGS, Given, Made, Tables, database_of, tables_of
from oracle.model import Row
from oracle.views import VIEWS, differences
from pipeline.sandbox import Account, file_bytes, hour_file_names
from pipeline.schema import TABLES
from pipeline.source_files import ListedDay, ListedFile
from pipeline.warehouse import library
from pipeline.warehouse.rules import RuleRow, filled_up

Names = Mapping[str, tuple[Row, ...]]
Rules = Mapping[str | None, Row]

SHOWN = 20
"""The most differences in a message."""

# Clocks in New York are set back on 1 November 2026.
UNTIL = datetime(2026, 11, 3, tzinfo=UTC)
SANDBOX = (
    Account("75555851", conversations_per_day=40, time_zone="America/New_York", load=1.1, tagged=False),
    Account("20348697", conversations_per_day=25, time_zone="Europe/London", messaging_share=0.55, tagged=True),
)
SANDBOX_NAMES = {"skills": ({"account_id": "75555851", "skill_id": 90, "skill_name": "Concierge", "is_bot": True},)}

CLASSES: Final[Rules] = {None: {"mcs_scale": "class", "time_zone": "Australia/Lord_Howe", "longest_queue_hours": 0.001}}
LAKES: Final[dict[str, tuple[dict[int, int], Names, Rules]]] = {
    "names and rules by account": ({1: 120, 2: 120, 3: 120}, NAMES, SETTINGS),
    "no names, no rules": ({4: 100}, {}, {}),
    "scores as classes": (
        {5: 100},
        NAMES,
        CLASSES,
    ),
    "sandbox": ({}, SANDBOX_NAMES, {None: {"time_zone": "America/New_York"}}),
    "many": ({1: 300, 2: 300, 3: 300}, NAMES, SETTINGS),
}
RARE = {"source_gaps", "unknown_fields"}
"""Views that made conversations have no rows in."""
AGAIN = "-again"
ZONES = ("America/Havana", "Asia/Beirut", "Australia/Lord_Howe")  # midnight twice, midnight left out, half an hour


def listed_day(first: int, days: int) -> ListedDay:
    """Some days of the made ones, on which the API had a file of every 37th hour."""
    since = FIRST_DAY + timedelta(milliseconds=MIDNIGHT + first * DAY)
    hours = [since + timedelta(hours=number) for number in range(0, days * 24, 37)]
    files = [ListedFile(ACCOUNTS[0], f"lost{hour:%m%d%H}.gz", "", hour, hour + timedelta(hours=1)) for hour in hours]
    return ListedDay(since, since + timedelta(days=days), files)


LISTED: Final = (listed_day(-2, 14), listed_day(13, 21))
"""The API was not asked about a day between the two."""


def named(seed: int, conversations: int) -> dict[str, bytes]:
    """Source files of a seed: one account's says which hour it covers, the other's and that of no account do not."""
    first, second, unnamed = (source_texts(seed, conversations)[account_id] for account_id in (*ACCOUNTS, None))
    hour = MIDNIGHT + 27 * DAY
    return {
        f"Engagement.{hour}.{hour + 3_600_000}.part-{seed:05d}-0.gz": first,
        f"made{seed}.gz": second,
        f"unnamed{seed}.gz": unnamed,
    }


def given(lake: str) -> Given:
    """The contents of a lake: so many conversations of each seed, or a sandbox's."""
    seeds, names, settings = LAKES[lake]
    files = {name: text for seed, count in seeds.items() for name, text in named(seed, count).items()}
    listed = LISTED if settings == SETTINGS else ()
    return Given(files or sandbox_files(SANDBOX, days=2), names, settings, listed)


def sandbox_files(accounts: Iterable[Account], days: int) -> dict[str, bytes]:
    """The source files of accounts for the last days before `UNTIL`."""
    return {
        f"{account.account_id}/{name}": file_bytes(account, name)
        for account in accounts
        for hours in range(24 * days)
        for name in hour_file_names(account, UNTIL - timedelta(hours=hours + 1))
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Made]:
    """Each lake by both implementations, made at its first use."""
    return cache(lambda lake: given(lake).made(tmp_path_factory.mktemp("made")))


def test_every_view_has_a_second_implementation() -> None:
    """No view is without one but the steps of others, and none of them is left over."""
    views = {view.name for view in library.ordered_views() if view.theme != "steps"}
    assert views - VIEWS.keys() == set()
    assert VIEWS.keys() - library.view_names() == set()


def lakes_and_views() -> Iterator[Any]:
    """Each view on the first lake, and every other one on one of the lesser lakes in turn; on all it takes longer."""
    usual, *others, _ = LAKES
    for lake in LAKES:
        for number, name in enumerate(VIEWS):
            is_quick = lake == usual or (number % 2 == 0 and lake == others[number // 2 % len(others)])
            yield pytest.param(lake, name, marks=() if is_quick else pytest.mark.long)


@pytest.mark.parametrize(("lake", "name"), list(lakes_and_views()))
def test_a_view_has_the_rows_of_the_second_implementation(made: Callable[[str], Made], lake: str, name: str) -> None:
    """Every column of every row; fractions to a billionth."""
    view, key = VIEWS[name]
    both = made(lake)
    expected = view(both.model)
    assert expected != [] or name in RARE or both.model.settings != SETTINGS
    assert differences(expected, both.found(name), key)[:SHOWN] == []


def test_made_conversations_have_every_kind() -> None:
    """Types, outcomes, kinds of transfers, bots, bands, provisional days, nights with a change of clocks, empty ids."""
    model = given("names and rules by account").model()
    model.files = [{"account_id": None, "status": "loaded", "scope_end_time": None}]
    entries, outcomes = queue.entries_of(model), ("answered", "abandoned", "moved", "unknown")
    types = {row["type"] for row in model.conversation_metrics}
    assert types == {"LIVE_CHAT", "MESSAGING", "", None}
    kinds = {(row["outcome"], row["is_transfer"], row["is_bot"]) for row in entries}
    assert kinds == set(product(outcomes, (False, True), (False, True)))
    assert {row["transfer_kind"] for row in transfers.transfers_of(model)} == {"agent", "skill", "queue", None}
    assert {row["is_return"] for row in transfers.transfers_of(model)} == {False, True}
    bands = {(row["account_id"], mcs.band(model, row)) for row in mcs.scored(model)}
    assert bands == set(product((*ACCOUNTS, None), (*mcs.BANDS, None)))
    assert {row["hour_count"] for row in dimensions.calendar(model)} == {23.0, 24.0}
    assert {row["is_provisional"] for row in dimensions.calendar(model)} == {False, True}
    assert {row["person_id"] for row in model.conversation_metrics} >= {None, " "}
    assert {None, 1, 2, 3} <= {row["repeat_band"] for row in repeats.repeat_contact(model)}
    assert {row["leg_count"] > 1 for row in repeats.repeat_contact(model)} == {False, True}
    assert {row["is_same_skill"] for row in repeats.repeat_contact(model)} == {False, True, None}
    starts = {calendar.LOCAL_DAILY.of(model, row, "entered_time", "entered_date") == row["entered_date"] for row in entries}
    assert starts == {False, True}


def test_days_are_those_of_the_time_zone_database() -> None:
    """A day begins when the clocks begin to show it, also where they change at midnight, and ends when the next begins."""
    zones = [RuleRow("time_zone", f"{number}", zone) for number, zone in enumerate(ZONES)]
    no_rows = {name: table.arrow_schema.empty_table() for name, table in TABLES.items()}
    with database_of(no_rows, {}, {}) as connection:
        library.set_rules(connection, filled_up([RuleRow("time_zone", None, ZONES[0]), *zones]))
        found = connection.sql("from local_days order by time_zone, local_date").to_arrow_table().to_pylist()
    assert found == [day for zone in ZONES for day in days_of(ZoneInfo(zone))]


@pytest.mark.long
def test_the_views_agree_on_a_month(tmp_path: Path) -> None:
    """All of them, on a month of two larger accounts."""
    accounts = (
        Account("75555851", conversations_per_day=500, time_zone="America/New_York", tagged=False),
        Account("20348697", conversations_per_day=250, time_zone="Europe/London", messaging_share=0.55, tagged=True),
    )
    settings: Rules = {None: {"time_zone": "America/New_York"}, "20348697": {"time_zone": "Europe/London"}}
    made = Given(sandbox_files(accounts, days=31), SANDBOX_NAMES, settings).made(tmp_path)
    for name, (view, key) in VIEWS.items():
        assert differences(view(made.model), made.found(name), key)[:SHOWN] == [], name


# ---- what must not matter ----


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """The product's tables of a lake."""
    return tables_of(given("scores as classes").loaded(tmp_path_factory.mktemp("tables")))


@pytest.fixture(scope="module")
def answers(tables: Tables) -> dict[str, list[Row]]:
    """The rows of every view on them."""
    return all_rows(tables)


def all_rows(tables: Tables, names: Iterable[str] = VIEWS) -> dict[str, list[Row]]:
    """The rows of every view on these tables, or of some."""
    with database_of(tables, NAMES, SETTINGS) as connection:
        return {name: connection.sql(f"from {name}").to_arrow_table().to_pylist() for name in names}


def assert_same(expected: dict[str, list[Row]], found: dict[str, list[Row]]) -> None:
    """The same rows in each view that was asked."""
    assert expected.keys() == found.keys()
    for name in found:
        assert differences(expected[name], found[name], VIEWS[name][1])[:SHOWN] == [], name


def test_neither_the_order_of_rows_nor_other_accounts_matter(tables: Tables) -> None:
    """In reversed tables, among the rows of as many other accounts, each account has the rows that it had.

    Twins are the same text with other days: they take longer.
    """
    names = [view.name for view in library.ordered_views() if view.name in VIEWS and not view.twin_of]
    assert_same(all_rows(tables, names), without_renamed(all_rows(twice(turned(tables)), names)))


@pytest.mark.long
def test_order_of_rows_does_not_matter(tables: Tables, answers: dict[str, list[Row]]) -> None:
    """Reversed tables give the same rows in every view."""
    assert_same(answers, all_rows(turned(tables)))


@pytest.mark.long
def test_accounts_do_not_meet(tables: Tables, answers: dict[str, list[Row]]) -> None:
    """With every account there twice, under another name, each has the rows that it had alone."""
    assert_same(answers, without_renamed(all_rows(twice(tables))))


def turned(tables: Tables) -> Tables:
    """Tables with their rows from last to first."""
    return {name: pa.Table.from_pylist(table.to_pylist()[::-1], schema=table.schema) for name, table in tables.items()}


def twice(tables: Tables) -> Tables:
    """Tables in which every account is there again, under another name."""
    return {
        name: pa.concat_tables([table, pa.Table.from_pylist(renamed(table.to_pylist()), schema=table.schema)])
        for name, table in tables.items()
    }


def renamed(rows: list[Row]) -> list[Row]:
    """The rows of a table as those of other accounts."""
    return [row | {"account_id": f"{row['account_id']}{AGAIN}"} for row in rows]


def without_renamed(answers: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """The answers of the views without those other accounts."""
    return {name: [row for row in rows if not str(row["account_id"]).endswith(AGAIN)] for name, rows in answers.items()}
