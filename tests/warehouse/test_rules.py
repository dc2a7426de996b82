"""The lake's `settings.csv`: what it may say, what happens if it says something else, what its zones' clocks show."""

import csv
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
from documents import VENDOR_EXAMPLE
from hypothesis import given
from hypothesis import strategies as st
from lakes import ask, copied, take

from pipeline.errors import SettingsError
from pipeline.lake.lake import Lake
from pipeline.load.engines import Processes
from pipeline.load.find import find_files, incoming_from
from pipeline.load.load import load
from pipeline.load.session import writing
from pipeline.warehouse.database import connect
from pipeline.warehouse.rules import MCS_BOUNDS, RULES, RuleRow, default_text, defaults, parse_rules, rules_by_account
from pipeline.warehouse.time_zones import YEARS, utc_offsets

HEADER = "setting,account_id,value,about\n"


def parsed(text: str) -> list[RuleRow]:
    """Read a file of this text under the header."""
    return parse_rules((HEADER + text).encode(), "settings.csv")


def test_every_wrong_line_is_named() -> None:
    """Who corrects the one that is told first need not ask again for the next; of many, ten are told and the rest counted."""
    head = "setting,account_id,value,about\n"
    text = f"{head}nonsense,,1,\ntime_zone,,UTC,\nlate_hours,,x,\ntime_zone,,UTC,\n"
    with pytest.raises(SettingsError) as caught:
        parse_rules(text.encode(), "s.csv")
    assert re.findall(r"(s\.csv, )?(line \d+): ", str(caught.value)) == [("s.csv, ", "line 2"), ("", "line 4"), ("", "line 5")]
    with pytest.raises(SettingsError) as caught:
        parse_rules((head + "nonsense,,1,\n" * 30).encode(), "s.csv")
    assert (str(caught.value).count("line "), str(caught.value).endswith("; and 20 more lines")) == (10, True)


def test_the_file_that_is_written_says_the_defaults() -> None:
    """A new lake's file has every setting at its default, each with a sentence, and reads back as the defaults."""
    rows = list(csv.DictReader(default_text().splitlines()))

    assert parse_rules(default_text().encode(), "settings.csv") == defaults()
    assert [row["setting"] for row in rows] == [setting.name for setting in RULES]
    assert all(row["about"].endswith(".") for row in rows)
    assert all(setting.kind.read(setting.default) == setting.default for setting in RULES)


def test_rows_for_accounts_and_what_is_left_out() -> None:
    """A row with an account stands beside the one for all; what is left out keeps its default; spelling becomes the usual."""
    found = parsed(
        'time_zone,75555851,America/New_York,shop\nservice_level_seconds,, 20.0 \nwait_bounds_seconds,,"0,10 20",\n\n'
    )

    assert RuleRow("time_zone", "75555851", "America/New_York") in found
    assert RuleRow("time_zone", None, "UTC") in found
    assert RuleRow("service_level_seconds", None, "20") in found
    assert RuleRow("wait_bounds_seconds", None, "0, 10, 20") in found
    assert len(found) == len(defaults()) + 1


def test_bands_follow_the_scale_of_scores() -> None:
    """Where only the default says where a band begins, the account's scale says it; a value that a user wrote holds."""
    text = default_text().removeprefix(HEADER) + (
        "mcs_scale,a,-100-100,\nmcs_scale,b,class,\nmcs_scale,c,class,\nmcs_positive_from,c,0.5,\naccount_name,c,Shop,\n"
    )
    typed = {row[0]: dict(zip((rule.name for rule in RULES), row[1:], strict=True)) for row in rules_by_account(parsed(text))}
    bands = {account: (row["mcs_neutral_from"], row["mcs_positive_from"]) for account, row in typed.items()}

    assert bands == {None: (40, 60), "a": (-33, 33.001), "b": (0, 1), "c": (0, 0.5)}
    assert {account: row["account_name"] for account, row in typed.items()} == {None: None, "a": None, "b": None, "c": "Shop"}
    typed_for_all = rules_by_account(parsed("mcs_scale,,-100-100,\nmcs_neutral_from,,-20,\n"))
    assert [
        typed_for_all[0][1 + index] for index, rule in enumerate(RULES) if rule.name in {"mcs_scale", *MCS_BOUNDS["0-100"]}
    ] == [
        "-100-100",
        -20,
        33.001,
    ]


def test_as_spreadsheets_save_it() -> None:
    """A mark at the beginning and line ends of Windows are no fault."""
    raw = b"\xef\xbb\xbf" + HEADER.replace("\n", "\r\n").encode() + b"time_zone,,Europe/Berlin,\r\n"

    assert RuleRow("time_zone", None, "Europe/Berlin") in parse_rules(raw, "settings.csv")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("", "settings.csv, line 1: expected the header setting,account_id,value,about, found 'nothing'; correct it"),
        ("a;b\n", "settings.csv, line 1: expected the header setting,account_id,value,about, found 'a;b'; correct it"),
        (HEADER + "timezone,,UTC,", "settings.csv, line 2: expected one of time_zone, account_name, interval_minutes, "),
        (HEADER + "time_zone,,Berlin,", "line 2: time_zone: expected a name as Europe/Berlin, found 'Berlin'; correct it"),
        (HEADER + "time_zone,,Europe,", "line 2: time_zone: expected a name as Europe/Berlin, found 'Europe'; correct it"),
        (HEADER + "time_zone,,../UTC,", "line 2: time_zone: expected a name as Europe/Berlin, found '../UTC'; correct it"),
        (
            HEADER + "interval_minutes,,30,",
            "line 2: interval_minutes: expected 5 or 15, which fit every zone's clock, found '30'",
        ),
        (HEADER + "\nlate_hours,,six,", "line 3: late_hours: expected a number, as 30 or 2.5, found 'six'; correct it"),
        (HEADER + "late_hours,,-6,", "line 2: late_hours: expected a number, as 30 or 2.5, found '-6'; correct it"),
        (HEADER + "late_hours", "line 2: late_hours: expected a number, as 30 or 2.5, found ''; correct it"),
        (HEADER + "wait_bounds_seconds,,0,15,30", "line 2: wait_bounds_seconds: expected 4 values, found 5; put those with"),
        (HEADER + 'wait_bounds_seconds,,"15, 30",', "expected ascending numbers that begin with 0, found '15, 30'; correct it"),
        (HEADER + 'repeat_bounds_hours,,"24, 1",', "expected ascending numbers, as 15, 30, 60, found '24, 1'; correct it"),
        (HEADER + "late_hours,,6,\nlate_hours,,7,", "line 3: late_hours is set twice; delete one of the two lines"),
        (HEADER + "late_hours,a,6,\nlate_hours,a,7,", "line 3: late_hours is set twice for account a; delete one"),
        (HEADER + "mcs_scale,,0..100,", "mcs_scale: expected 0-100, -100-100 or class (-1, 0, 1), found '0..100'; correct it"),
        (HEADER + "account_name,a,x\x07,", "account_name: expected a text of at most 120 characters, found 'x\\x07'"),
        (HEADER + "mcs_neutral_from,a,70,", "mcs_positive_from: expected no less than mcs_neutral_from (70), found 60"),
        (HEADER + 'late_hours,,"6', "settings.csv: expected comma-separated values, found none "),
    ],
)
def test_what_can_not_be_used_is_said_in_one_sentence(raw: str, message: str) -> None:
    """A bad file names itself, the line, the setting, what is expected and what was found."""
    with pytest.raises(SettingsError, match=re.escape(message)) as caught:
        parse_rules(raw.encode(), "settings.csv")
    assert "\n" not in str(caught.value)


def test_other_bytes_than_text() -> None:
    """A file that is no UTF-8 is named."""
    with pytest.raises(SettingsError, match=r"^settings\.csv: expected UTF-8 text, found other bytes; save it as UTF-8$"):
        parse_rules(b"\xff\xfe", "settings.csv")


ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Africa/Casablanca", "America/Havana", "Asia/Beirut")


@given(zone=st.sampled_from(ZONES), moment=st.datetimes(datetime(2015, 1, 1), datetime(2045, 12, 31)))  # noqa: DTZ001
def test_offsets_are_those_of_the_time_zone_database(zone: str, moment: datetime) -> None:
    """At any moment exactly one period holds, found by its UTC year, with the offset of the time zone database."""
    aware = moment.replace(tzinfo=UTC)
    found = [
        period for period in utc_offsets([zone]) if period.year == aware.year and period.from_time <= aware < period.until_time
    ]

    assert [timedelta(seconds=period.offset_seconds) for period in found] == [aware.astimezone(ZoneInfo(zone)).utcoffset()]


@given(zone=st.sampled_from(ZONES), local=st.datetimes(datetime(2015, 1, 2), datetime(2045, 12, 30)))  # noqa: DTZ001
def test_a_local_time_is_one_instant(zone: str, local: datetime) -> None:
    """A local time, also one that a clock shows twice or never, is the instant that `datetime` takes it for without fold."""
    (period,) = (
        period
        for period in utc_offsets([zone])
        if period.year == local.year and period.from_local_time <= local < period.until_local_time
    )

    assert local - timedelta(seconds=period.offset_seconds) == local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).replace(
        tzinfo=None
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with the vendor's example."""
    lake = Lake(str(tmp_path_factory.mktemp("rules") / "lake"))
    take(lake, VENDOR_EXAMPLE)
    return lake


@pytest.fixture
def lake(made: Lake, tmp_path: Path) -> Lake:
    """A copy of it."""
    return copied(made, tmp_path)


def test_a_load_writes_the_file_once(lake: Lake) -> None:
    """The first load writes the defaults; what a user makes of them stays, and holds from the next load on."""
    path = Path(lake.root) / "settings.csv"
    assert path.read_text() == default_text()
    path.write_text(HEADER + "service_level_seconds,,20,ours\n")

    take(lake, VENDOR_EXAMPLE)

    assert path.read_text() == HEADER + "service_level_seconds,,20,ours\n"
    assert ask(lake, "select value from settings where setting = 'service_level_seconds'") == [("20",)]


def test_a_change_holds_from_the_next_command_on(lake: Lake) -> None:
    """Without a load a reader sees new settings at once, and the DuckDB file has them for other clients."""
    query = "select value from settings where setting = 'time_zone' and account_id is null"
    assert ask(lake, query) == [("UTC",)]
    (Path(lake.root) / "settings.csv").write_text(HEADER + "time_zone,,Europe/Berlin,\n")

    assert ask(lake, query) == [("Europe/Berlin",)]
    with duckdb.connect(f"{lake.root}/lakehouse.duckdb", read_only=True) as connection:
        assert connection.sql(query).fetchall() == [("Europe/Berlin",)]
        assert connection.sql("select distinct time_zone from utc_offsets").fetchall() == [("Europe/Berlin",)]

    (Path(lake.root) / "settings.csv").unlink()
    assert ask(lake, query) == [("UTC",)]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
def test_a_lake_that_can_not_be_written_takes_new_settings_too(lake: Lake) -> None:
    """On a read-only lake a reader's own copy has the new settings."""
    (Path(lake.root) / "settings.csv").write_text(HEADER + "late_hours,,7,\n")
    Path(lake.root).chmod(0o500)
    try:
        assert ask(lake, "select value from settings where setting = 'late_hours'") == [("7",)]
    finally:
        Path(lake.root).chmod(0o700)


@pytest.mark.parametrize(
    "bad",
    [
        b"late_hours,,soon,\n",
        *(pytest.param(bad, marks=pytest.mark.long) for bad in (b"\xff\n", b'late_hours,,"7\n', b"late,,7,\n")),
    ],
)
def test_a_bad_file_stops_no_load_and_no_reader(lake: Lake, bad: bytes) -> None:
    """Data comes in, views keep the last settings that could be used, and both say in one sentence what is wrong."""
    path = Path(lake.root) / "settings.csv"
    path.write_text(HEADER + "late_hours,,7,\n")
    hours = "select value from settings where setting = 'late_hours'"
    assert ask(lake, hours) == [("7",)]
    path.write_bytes(HEADER.encode() + bad)
    told: list[str] = []

    with writing(lake, told.append):
        report = load(lake, incoming_from(find_files([str(VENDOR_EXAMPLE)])), engine=Processes(1))
    with connect(lake, told.append) as connection:
        assert connection.execute(hours).fetchall() == [("7",)]

    assert report.is_complete
    assert len(told) == 2
    assert all("lake/settings.csv" in sentence and "keep the last settings" in sentence for sentence in told)
    assert path.read_bytes() == HEADER.encode() + bad
    with duckdb.connect(f"{lake.root}/lakehouse.duckdb", read_only=True) as connection:
        assert connection.execute(hours).fetchall() == [("7",)]


def test_without_a_duckdb_file_a_bad_settings_file_leaves_the_defaults(lake: Lake) -> None:
    """Where no last good settings can be had, the views are made with the defaults."""
    (Path(lake.root) / "settings.csv").write_text(HEADER + "late_hours,,soon,\n")
    (Path(lake.root) / "lakehouse.duckdb").unlink()
    assert ask(lake, "select value from settings where setting = 'late_hours'") == [("6",)]


def test_years_end_somewhere() -> None:
    """The table of offsets stays small: some hundred rows a zone that changes its clocks."""
    assert len(utc_offsets(["America/New_York"])) < 5 * len(YEARS)
