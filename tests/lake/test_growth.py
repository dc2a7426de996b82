"""A run reads and rewrites only the rows that it needs, and not more as the lake grows."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest
from documents import conversation, document, gz, name_at, put
from lakes import ask, take

from pipeline import schema
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import Ledger, read_ledger
from pipeline.lake.listings import HOUR, heard, remember
from pipeline.lake.parquet import rows_of
from pipeline.lake.snapshot import LEDGER, Change
from pipeline.lake.vacuum import sweep
from pipeline.load.find import find_files, incoming_from
from pipeline.load.load import load
from pipeline.load.session import writing
from pipeline.maintenance.compact import compact
from pipeline.source_files import ListedDay, ListedFile
from pipeline.warehouse.database import publish

DAY = timedelta(days=1)
MIDSUMMER = datetime(2016, 6, 20, tzinfo=UTC)
Listed = dict[tuple[str, datetime], datetime]
"""When the API was last asked about an account and hour."""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(str(tmp_path / "lake"))
    made.create()
    return made


def a_file(account_id: str, hour: datetime) -> ListedFile:
    """A listed file of an hour: the source still keeps files of that time, so that the others are known to be empty."""
    return ListedFile(account_id, name_at(0), "", hour, hour + HOUR)


def listed(lake: Lake, account_id: str, first: datetime, days: int, at: datetime) -> Listed:
    """Put it into the lake that so many whole days were listed."""
    window = [ListedDay(first + number * DAY, first + (number + 1) * DAY) for number in range(days)]
    window[0].files.append(a_file(account_id, first))
    snapshot = lake.snapshot()
    publish(lake, lake.commit(remember(lake, snapshot, {account_id: heard(window, failed=(), at=at)}), snapshot))
    return {(account_id, first + number * HOUR): at for number in range(24 * days)}


def test_listings_have_the_last_answer_of_every_hour_whatever_was_listed(lake: Lake) -> None:
    """Windows of many accounts, overlapping and across months, and rows of a lake made before months had files of their own."""
    random = Random(8)
    expected: Listed = {("a", MIDSUMMER + number * HOUR): MIDSUMMER + 40 * DAY for number in range(24 * 40)}
    rows = [{"account_id": a, "hour": hour, "listed_at": at, "files": 0, "missing": []} for (a, hour), at in expected.items()]
    lake.commit({"listings": Change(add=[lake.write("listings", rows_of(rows, schema.LISTINGS))])}, lake.snapshot())
    for turn in range(6):
        first = MIDSUMMER + random.randrange(60) * DAY
        expected |= listed(lake, random.choice("ab"), first, random.randrange(1, 40), MIDSUMMER + (200 + turn) * DAY)
    assert {
        (account, hour): at for account, hour, at in ask(lake, "select account_id, hour, listed_at from listings")
    } == expected
    assert ask(lake, "select count(*) from listings") == [(len(expected),)]
    months = {f"{hour:%Y-%m}" for _, hour in expected}
    assert [file.path[:8] for file in lake.snapshot().files["listings"]] == sorted(f"{month}-" for month in months)


def test_a_listing_leaves_the_files_of_other_months_alone(lake: Lake) -> None:
    """An hourly sync rewrites the rows of one or two months, however many years the lake has."""
    listed(lake, "a", MIDSUMMER, 60, MIDSUMMER + 60 * DAY)
    before = {file.path for file in lake.snapshot().files["listings"]}
    listed(lake, "a", MIDSUMMER + 58 * DAY, 4, MIDSUMMER + 62 * DAY)
    after = {file.path for file in lake.snapshot().files["listings"]}
    assert {path[:7] for path in before & after} == {"2016-06", "2016-07"}


def test_a_load_does_not_merge_the_months_of_listings(lake: Lake, tmp_path: Path) -> None:
    """However many there are: they would be one file again, which each sync writes anew."""
    listed(lake, "a", MIDSUMMER, 366, MIDSUMMER + 400 * DAY)
    before = lake.snapshot().files["listings"]
    window = [ListedDay(MIDSUMMER, MIDSUMMER + DAY, [a_file("a", MIDSUMMER)])]
    incoming = incoming_from(find_files([str(put(tmp_path, gz(document(conversation()))))]))
    with writing(lake):
        load(
            lake,
            incoming,
            extra_changes=lambda snapshot: remember(lake, snapshot, {"a": heard(window, failed=(), at=MIDSUMMER + 500 * DAY)}),
        )
    assert len(before) == 13
    assert len(set(before) & set(lake.snapshot().files["listings"])) == 12


def test_former_files_of_listings_are_deleted_like_all_others(lake: Lake) -> None:
    """A file a sync, of which the newest counts, would fill the disk."""
    for turn in range(3):
        listed(lake, "a", MIDSUMMER, 1, MIDSUMMER + (1 + turn) * DAY)
    assert len(list(Path(lake.root, "listings").glob("*.parquet"))) == 3
    sweep(lake, lake.snapshot(), retention_hours=0)
    kept = [path.name for path in Path(lake.root, "listings").glob("*.parquet")]
    assert kept == [file.path for file in lake.snapshot().files["listings"]]


def test_the_ledger_finds_the_rows_of_names_as_if_it_read_all(lake: Lake, tmp_path: Path) -> None:
    """Row groups that are skipped by their range of names hold none of the names asked for, in any writer's Parquet file."""
    names = [name_at(hour) for hour in (0, 7, 9, 2_000_000)] + ["by hand.gz", "Ünterhaltung.gz"]
    for number, name in enumerate(names):
        put(tmp_path / f"{number % 2}", gz(document(conversation(name))), name)
    take(lake, tmp_path / "0")
    take(lake, tmp_path / "1")
    as_loaded = lake.snapshot()
    with writing(lake):
        compact(lake)
    merged = lake.snapshot()
    assert (len(as_loaded.files[LEDGER]), len(merged.files[LEDGER])) == (2, 1)
    for snapshot in (as_loaded, merged):
        whole = read_ledger(lake, snapshot).sort_by("name").to_pylist()
        assert [row["name"] for row in whole] == sorted(names)
        for asked in (names, names[:1], names[2:4], [*names[4:], name_at(8)], [name_at(8)], []):
            expected = [row for row in whole if row["name"] in asked]
            ledger = Ledger(lake, snapshot, asked)
            assert sorted(ledger.loaded(), key=lambda row: row["name"]) == expected
            told = ledger.scopes(asked).sort_by("name").to_pylist()
            assert told == [{"name": row["name"], "scope_start_time": row["scope_start_time"]} for row in expected]


def test_a_replaced_file_rewrites_only_the_part_of_the_ledger_that_it_is_in(lake: Lake, tmp_path: Path) -> None:
    """The other parts stay as they are; its own loses that row, and not those of its hour or of another account's name."""
    for account, hour in (("1", 0), ("1", 1), ("2", 0)):
        made = document(conversation(f"c{account}{hour}"), account_id=account)
        put(tmp_path / account, gz(made), name_at(hour))
    take(lake, tmp_path / "1")
    take(lake, tmp_path / "2")
    before = {file.path for file in lake.snapshot().files[LEDGER]}
    take(lake, put(tmp_path / "again", gz(document(conversation("again"), account_id="1")), name_at(0)))
    after = {file.path for file in lake.snapshot().files[LEDGER]}
    assert (len(before), len(after), len(before & after)) == (2, 3, 1)
    files = ask(lake, "select account_id, name from files order by all")
    assert files == [("1", name_at(0)), ("1", name_at(1)), ("2", name_at(0))]
    assert ask(lake, "select conversation_id from conversations order by all") == [("again",), ("c11",), ("c20",)]


def test_the_index_is_not_compressed_whoever_writes_it(lake: Lake, tmp_path: Path) -> None:
    """Hashes get no smaller, and a load that has to unpack all of them takes twice as long."""
    take(lake, put(tmp_path, gz(document(conversation()))))
    for _ in range(2):
        for table in ("conversations", schema.INDEX.name):
            (file,) = lake.snapshot().files[table]
            group = pq.read_metadata(lake.path(table, file.path)).row_group(0)
            found = {group.column(place).compression for place in range(group.num_columns)}
            assert found == {"UNCOMPRESSED" if table == schema.INDEX.name else "ZSTD"}
        take(lake, put(tmp_path, gz(document(conversation("other"))), name_at(5)))
        with writing(lake):
            compact(lake)
