"""What changes the meaning of views: the account's time zone, thresholds and bounds, from `settings.csv` in the lake.

The file has the columns setting, account_id, value and about. A row with an account holds for that account, one without for
all others; what no row sets keeps its default. `about` is for whoever reads the file. In the DuckDB file the rows are the
table `settings`, and typed and filled up `account_rules`; what the clocks of its time zones show is the table `utc_offsets`.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from pipeline.errors import SettingsError

FILE_NAME: Final = "settings.csv"
YEARS: Final = range(2015, 2046)
"""The years whose clock changes `utc_offsets` has: no time before or after them has a local one."""

_COLUMNS: Final = ("setting", "account_id", "value", "about")
_NUMBER: Final = re.compile(r"\d{1,9}(\.\d{1,3})?")
_MOST_BOUNDS: Final = 50  # the views number no more buckets than 99
_TOLD: Final = 10  # wrong lines
_QUARTER: Final = timedelta(minutes=15)  # every zone's clock changes on one
_FAR: Final = timedelta(days=20)  # no two changes of a clock are nearer


class SettingRow(NamedTuple):
    """A value that holds for one account, or for all without a row of their own (None)."""

    setting: str
    account_id: str | None
    value: str


class Kind(NamedTuple):
    """What values look like, their type in SQL, and what brings one into its usual spelling, None if it is none."""

    expected: str
    sql_type: str
    read: Callable[[str], str | None]


class Setting(NamedTuple):
    """A setting: its default and what it means."""

    name: str
    default: str
    about: str
    kind: Kind


class Period(NamedTuple):
    """A stretch of one year in which a zone's clock does not change; the local bounds tell what instant a local time is."""

    time_zone: str
    year: int
    from_time: datetime
    until_time: datetime
    from_local_time: datetime
    until_local_time: datetime
    offset_seconds: int


def _zone(value: str) -> str | None:
    try:
        return ZoneInfo(value).key
    except (KeyError, ValueError, OSError):  # not found, no name of a zone, or the name of a folder of them
        return None


def _number(value: str) -> str | None:
    return f"{float(value):g}" if _NUMBER.fullmatch(value) else None


def _interval(value: str) -> str | None:
    return value if value in {"5", "15"} else None


def _bounds(value: str) -> str | None:
    """Ascending numbers, separated by commas, blanks or both."""
    read = [_number(part) for part in re.split(r"[\s,]+", value)]
    numbers = [number for number in read if number is not None]
    is_ascending = all(float(low) < float(high) for low, high in pairwise(numbers))
    return ", ".join(numbers) if is_ascending and len(numbers) == len(read) <= _MOST_BOUNDS else None


def _bounds_from_zero(value: str) -> str | None:
    bounds = _bounds(value)
    return bounds if bounds and bounds.split(", ")[0] == "0" else None


ZONE: Final = Kind("a name as Europe/Berlin", "VARCHAR", _zone)
NUMBER: Final = Kind("a number, as 30 or 2.5", "DOUBLE", _number)
INTERVAL: Final = Kind("5 or 15, which fit every zone's clock", "BIGINT", _interval)
BOUNDS: Final = Kind("ascending numbers, as 15, 30, 60", "DOUBLE[]", _bounds)
BOUNDS_FROM_ZERO: Final = Kind("ascending numbers that begin with 0", "DOUBLE[]", _bounds_from_zero)

SETTINGS: Final = (
    Setting("time_zone", "UTC", "The account's time zone, for local days and hours.", ZONE),
    Setting("interval_minutes", "15", "Length of an interval of arrivals_by_interval and queue_length.", INTERVAL),
    Setting("service_level_seconds", "30", "Service level: a visitor connected within so many seconds was in time.", NUMBER),
    Setting(
        "short_abandon_seconds",
        "5",
        "Who left the queue sooner than this did not wait: left out of adjusted shares and of service_level_share.",
        NUMBER,
    ),
    Setting(
        "wait_bounds_seconds",
        "0, 15, 30, 45, 60, 90, 120",
        "Lower bounds of the buckets of wait_histogram_daily; the last is open.",
        BOUNDS_FROM_ZERO,
    ),
    Setting(
        "response_bounds_seconds",
        "15, 30, 60, 120, 300, 600, 1800, 3600, 10800, 86400",
        "Upper bounds of response_sla_daily: answered within so many seconds.",
        BOUNDS,
    ),
    Setting(
        "longest_queue_hours",
        "24",
        "A longer wait is taken for an error: not in queue_length, listed by lakehouse check.",
        NUMBER,
    ),
    Setting(
        "mcs_neutral_from",
        "40",
        "MCS bands: below is negative. Ours, since the vendor publishes no bounds for scores from 0 to 100.",
        NUMBER,
    ),
    Setting("mcs_positive_from", "60", "MCS bands: from here on is positive, below neutral. Ours, too.", NUMBER),
    Setting(
        "repeat_bounds_hours",
        "1, 24, 72, 168, 336, 720",
        "Upper bounds of the bands of repeat_contact: the same person came back within so many hours.",
        BOUNDS,
    ),
    Setting("resolution_hours", "72", "A conversation is resolved if its person does not come back within so long.", NUMBER),
    Setting("late_hours", "6", "A conversation in a file of so long after its end is late.", NUMBER),
    Setting(
        "tolerance_seconds",
        "5",
        "Clocks differ: lakehouse check takes times that are out of order by no more for right.",
        NUMBER,
    ),
    Setting(
        "flag_tolerance_percent",
        "0.5",
        "lakehouse check says so if the source's interactive flag contradicts more of the transcripts than this.",
        NUMBER,
    ),
)
_BY_NAME: Final = {setting.name: setting for setting in SETTINGS}


def defaults() -> list[SettingRow]:
    """Every setting at its default."""
    return [SettingRow(setting.name, None, setting.default) for setting in SETTINGS]


def settings_names() -> frozenset[str]:
    """The names of all settings."""
    return frozenset(_BY_NAME)


def default_text() -> str:
    """A settings file that sets everything to its default, with a sentence on each."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows((setting.name, "", setting.default, setting.about) for setting in SETTINGS)
    return out.getvalue()


def parse_settings(raw: bytes, subject: str) -> list[SettingRow]:
    """The rows of a settings file, and the default of every setting that it does not set for all accounts.

    Raises:
        SettingsError: one sentence with `subject`, and of each wrong line its number, setting, what is expected and found.
    """
    try:
        lines = csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True)
        rows = [(lines.line_num, [cell.strip() for cell in row]) for row in lines]
    except UnicodeDecodeError as error:
        raise SettingsError(f"{subject}: expected UTF-8 text, found other bytes; save it as UTF-8") from error
    except csv.Error as error:
        raise SettingsError(f"{subject}: expected comma-separated values, found none ({error}); correct it") from error
    (number, header), *body = rows or [(1, [])]
    if tuple(header) != _COLUMNS:
        found = ",".join(header) or "nothing"
        raise SettingsError(f"{subject}, line {number}: expected the header {','.join(_COLUMNS)}, found {found!r}; correct it")
    found_rows: dict[tuple[str, str | None], SettingRow] = {}
    wrong = []
    for number, cells in body:
        try:
            if any(cells):
                _add(_row(cells, f"line {number}"), found_rows, f"line {number}")
        except SettingsError as error:
            wrong.append(str(error))
    if wrong:
        more = [f"and {len(wrong) - _TOLD:,} more lines"] if len(wrong) > _TOLD else []
        raise SettingsError(f"{subject}, {'; '.join(wrong[:_TOLD] + more)}")
    _require_order(found_rows, subject)
    return filled_up(found_rows.values())


def _add(row: SettingRow, rows: dict[tuple[str, str | None], SettingRow], where: str) -> None:
    if row[:2] in rows:
        whose = f" for account {row.account_id}" if row.account_id else ""
        raise SettingsError(f"{where}: {row.setting} is set twice{whose}; delete one of the two lines")
    rows[row[:2]] = row


def filled_up(rows: Iterable[SettingRow]) -> list[SettingRow]:
    """The rows, and before them the default of every setting that they do not set for all accounts."""
    given = list(rows)
    return [row for row in defaults() if row[:2] not in {one[:2] for one in given}] + given


def _row(cells: list[str], where: str) -> SettingRow:
    name, account_id, value, *_ = [*cells, "", ""]
    setting = _BY_NAME.get(name)
    if setting is None:
        raise SettingsError(f"{where}: expected one of {', '.join(_BY_NAME)}, found {name!r}; correct it or delete the line")
    if len(cells) > len(_COLUMNS):
        raise SettingsError(
            f"{where}: {name}: expected {len(_COLUMNS)} values, found {len(cells)}; put those with commas in quotes"
        )
    usual = setting.kind.read(value)
    if usual is None:
        raise SettingsError(
            f"{where}: {name}: expected {setting.kind.expected}, found {value!r}; correct it or delete the line"
        )
    return SettingRow(name, account_id or None, usual)


def _require_order(rows: dict[tuple[str, str | None], SettingRow], subject: str) -> None:
    """MCS bands have to be in order, for all and for each account."""
    given = {key: row.value for key, row in rows.items()}
    for account_id in {account_id for _, account_id in given} | {None}:
        low, high = (
            float(given.get((name, account_id), given.get((name, None), _BY_NAME[name].default)))
            for name in ("mcs_neutral_from", "mcs_positive_from")
        )
        if low > high:
            raise SettingsError(
                f"{subject}: mcs_positive_from: expected no less than mcs_neutral_from ({low:g}), found {high:g}; correct it"
            )


def rules_by_account(rows: Iterable[SettingRow]) -> list[tuple[Any, ...]]:
    """Every setting, typed, in the order of `SETTINGS`, for each account that rows name and (None) for all others."""
    given = {(row.setting, row.account_id): row.value for row in rows}
    accounts = sorted({account_id for _, account_id in given if account_id is not None})
    return [
        (
            account_id,
            *(_typed(given.get((setting.name, account_id), given[setting.name, None]), setting) for setting in SETTINGS),
        )
        for account_id in (None, *accounts)
    ]


def _typed(value: str, setting: Setting) -> str | int | float | list[float]:
    match setting.kind.sql_type:
        case "DOUBLE[]":
            return [float(bound) for bound in value.split(",")]
        case "DOUBLE":
            return float(value)
        case "BIGINT":
            return int(value)
        case _:
            return value


def utc_offsets(rows: Iterable[SettingRow]) -> list[Period]:
    """What the clocks of the time zones that the rows name show, in `YEARS`."""
    return [period for zone in sorted({row.value for row in rows if row.setting == "time_zone"}) for period in _periods(zone)]


@lru_cache(maxsize=32)
def _periods(time_zone: str) -> tuple[Period, ...]:
    zone = ZoneInfo(time_zone)
    begin, end = (datetime(year, 1, 1, tzinfo=UTC) for year in (YEARS.start, YEARS.stop))
    changes = [begin]
    while (change := _next_change(zone, changes[-1], end)) is not None:
        changes.append(change)
    offsets = [_offset(zone, change) for change in changes]
    # Where a clock is set back, the first of two equal local times counts; one that is left out counts before the change.
    bounds = [change.replace(tzinfo=None) + max(pair) for change, pair in zip(changes[1:], pairwise(offsets), strict=True)]
    local = [begin.replace(tzinfo=None) - timedelta(days=1), *bounds, end.replace(tzinfo=None) + timedelta(days=1)]
    return tuple(
        Period(time_zone, year, start, until, local_start, local_until, int(offset.total_seconds()))
        for (start, until), (local_start, local_until), offset in zip(
            pairwise([*changes, end]), pairwise(local), offsets, strict=True
        )
        for year in range(min(start.year, local_start.year), max(until.year, local_until.year) + 1)
    )


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def _next_change(zone: ZoneInfo, after: datetime, end: datetime) -> datetime | None:
    """The first quarter of an hour after a moment that has another offset."""
    before = _offset(zone, after)
    low = after
    while low < end and _offset(zone, low + _FAR) == before:
        low += _FAR
    high = low + _FAR
    while high - low > _QUARTER:
        middle = low + (high - low) // 2 // _QUARTER * _QUARTER
        low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
    return high if high < end else None
