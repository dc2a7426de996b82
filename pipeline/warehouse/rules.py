"""The rules of measures: each account's time zone, thresholds and bounds, from `settings.csv` in the lake.

The file has the columns setting, account_id, value and about. A row with an account holds for that account, one without for
all others; a setting without a row keeps its default. `about` is a note for readers of the file. In the DuckDB file the rows
are the table `settings`, and as typed columns, one row an account, `account_rules`.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from itertools import pairwise
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from pipeline.errors import SettingsError
from pipeline.lake.lake import Lake
from pipeline.lake.landing import PUBLISHING

FILE_NAME: Final = "settings.csv"

_COLUMNS: Final = ("setting", "account_id", "value", "about")
_NUMBER: Final = re.compile(r"\d{1,9}(\.\d{1,3})?")
_HUNDRED: Final = 100
_LONGEST_NAME: Final = 120  # characters
_MOST_BOUNDS: Final = 50  # the views number no more buckets than 99
_MOST_LINES: Final = 10  # wrong ones in a message
_MOST_SHOWN: Final = 60  # characters of a wrong value
_KEPT: Final = "until then the views keep the last settings that could be used"


class RuleRow(NamedTuple):
    """A value that holds for one account, or for all without a row of their own (None)."""

    setting: str
    account_id: str | None
    value: str


class Kind(NamedTuple):
    """A kind of values: a description, the type in SQL, and a function that gives the usual spelling, None for other text."""

    expected: str
    sql_type: str
    read: Callable[[str], str | None]


class Rule(NamedTuple):
    """A setting: its default and what it means."""

    name: str
    default: str
    about: str
    kind: Kind


def _zone(value: str) -> str | None:
    try:
        return ZoneInfo(value).key
    except (KeyError, ValueError, OSError):  # not found, no name of a zone, or the name of a folder of them
        return None


def _number(value: str) -> str | None:
    return f"{float(value):g}" if _NUMBER.fullmatch(value) else None


def _signed_number(value: str) -> str | None:
    return f"{float(value):g}" if _NUMBER.fullmatch(value.removeprefix("-")) else None


def _scale(value: str) -> str | None:
    return value if value in MCS_BOUNDS else None


def _name(value: str) -> str | None:
    return value if value.isprintable() and len(value) <= _LONGEST_NAME else None


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


MCS_BOUNDS: Final = {
    "0-100": {"mcs_neutral_from": "40", "mcs_positive_from": "60"},
    # Beyond 33 is positive; a score has no more decimals than a setting.
    "-100-100": {"mcs_neutral_from": "-33", "mcs_positive_from": "33.001"},
    "class": {"mcs_neutral_from": "0", "mcs_positive_from": "1"},
}
"""The scales of scores, and where each one's bands begin; those of the first are the defaults of the two settings."""

ZONE: Final = Kind("a name as Europe/Berlin", "VARCHAR", _zone)
NUMBER: Final = Kind("a number, as 30 or 2.5", "DOUBLE", _number)
SIGNED_NUMBER: Final = Kind("a number, as 40 or -33", "DOUBLE", _signed_number)
TARGET: Final = Kind("a number, as 80 or 2.5, or nothing for none", "DOUBLE", lambda value: _number(value) if value else "")
TARGET_PERCENT: Final = Kind(
    "a number up to 100, as 80 or 2.5, or nothing for none",
    "DOUBLE",
    lambda value: (_number(value) if float(_number(value) or "inf") <= _HUNDRED else None) if value else "",
)
SIGNED_TARGET: Final = Kind(
    "a number, as 65 or -10, or nothing for none", "DOUBLE", lambda value: _signed_number(value) if value else ""
)
SCALE: Final = Kind("0-100, -100-100 or class (-1, 0, 1)", "VARCHAR", _scale)
NAME: Final = Kind(f"a text of at most {_LONGEST_NAME} characters", "VARCHAR", _name)
INTERVAL: Final = Kind("5 or 15, which fit every zone's clock", "BIGINT", _interval)
BOUNDS: Final = Kind("ascending numbers, as 15, 30, 60", "DOUBLE[]", _bounds)
BOUNDS_FROM_ZERO: Final = Kind("ascending numbers that begin with 0", "DOUBLE[]", _bounds_from_zero)

RULES: Final = (
    Rule("time_zone", "UTC", "The account's time zone, for local days and hours.", ZONE),
    Rule("account_name", "", "Name of the account: write it in a row with its account_id.", NAME),
    Rule("interval_minutes", "15", "Length of an interval of arrivals, queue_by_interval and queue_length.", INTERVAL),
    Rule("service_level_seconds", "30", "Service level: a visitor answered within so many seconds was in time.", NUMBER),
    Rule(
        "short_abandon_seconds",
        "5",
        "Who left the queue sooner than this did not wait: left out of adjusted shares and of service_level_share.",
        NUMBER,
    ),
    Rule(
        "wait_bounds_seconds",
        "0, 15, 30, 45, 60, 90, 120",
        "Lower bounds of the buckets of wait_histogram_daily; the last is open.",
        BOUNDS_FROM_ZERO,
    ),
    Rule(
        "response_bounds_seconds",
        "15, 30, 60, 120, 300, 600, 1800, 3600, 10800, 86400",
        "Upper bounds of response_sla_daily: answered within so many seconds.",
        BOUNDS,
    ),
    Rule(
        "longest_queue_hours",
        "24",
        "A longer wait is taken for an error: not in queue_length, listed by lakehouse check.",
        NUMBER,
    ),
    Rule("mcs_scale", "0-100", "Scale on which the source sends the account's MCS.", SCALE),
    Rule(
        "mcs_neutral_from",
        MCS_BOUNDS["0-100"]["mcs_neutral_from"],
        "MCS bands: below is negative. Ours for scores from 0 to 100, since the vendor publishes no bounds for them; on other "
        "scales 40 stands for -33 (-100-100) or 0 (class).",
        SIGNED_NUMBER,
    ),
    Rule(
        "mcs_positive_from",
        MCS_BOUNDS["0-100"]["mcs_positive_from"],
        "MCS bands: from here on is positive, below neutral. Ours, too; on other scales 60 stands for more than 33 "
        "(-100-100) or 1 (class).",
        SIGNED_NUMBER,
    ),
    Rule(
        "repeat_bounds_hours",
        "1, 24, 72, 168, 336, 720",
        "Upper bounds of the bands of repeat_contact: the same person came back within so many hours.",
        BOUNDS,
    ),
    Rule("resolution_hours", "72", "A conversation is resolved if its person does not come back within so long.", NUMBER),
    Rule(
        "provisional_hours",
        "72",
        "A day is provisional until so long after its end: a conversation is sent when it closes.",
        NUMBER,
    ),
    Rule("late_hours", "6", "A conversation in a file of so long after its end is late.", NUMBER),
    Rule(
        "tolerance_seconds",
        "5",
        "Clocks differ: lakehouse check ignores times that are out of order by at most this.",
        NUMBER,
    ),
    Rule(
        "flag_tolerance_percent",
        "0.5",
        "lakehouse check says so if the source's interactive flag contradicts more of the transcripts than this.",
        NUMBER,
    ),
    Rule("service_level_target_percent", "", "Target in the report: at least this service level.", TARGET_PERCENT),
    Rule(
        "abandoned_target_percent", "", "Target in the report: at most this share of abandoned queue entries.", TARGET_PERCENT
    ),
    Rule("queue_p90_target_seconds", "", "Target in the report: at most this 90th percentile of queue time.", TARGET),
    Rule("first_reply_target_seconds", "", "Target in the report: at most this median time to the first reply.", TARGET),
    Rule("mcs_target", "", "Target in the report: at least this mean score.", SIGNED_TARGET),
)
_BY_NAME: Final = {setting.name: setting for setting in RULES}


def defaults() -> list[RuleRow]:
    """Set everything to its default."""
    return [RuleRow(setting.name, None, setting.default) for setting in RULES]


def rule_names() -> frozenset[str]:
    """Name all settings."""
    return frozenset(_BY_NAME)


def default_text() -> str:
    """Write a settings file that sets everything to its default, with a sentence on each."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows((setting.name, "", setting.default, setting.about) for setting in RULES)
    return out.getvalue()


def parse_rules(raw: bytes, subject: str) -> list[RuleRow]:
    """Read the rows of a settings file; a setting that it does not set for all accounts gets its default.

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
        expected = f"expected the header {','.join(_COLUMNS)}"
        raise SettingsError(f"{subject}, line {number}: {expected}, found {found[:_MOST_SHOWN]!r}; correct it")
    found_rows: dict[tuple[str, str | None], RuleRow] = {}
    wrong = []
    for number, cells in body:
        try:
            if any(cells):
                _add(_row(cells, f"line {number}"), found_rows, f"line {number}")
        except SettingsError as error:
            wrong.append(str(error))
    if wrong:
        more = [f"and {len(wrong) - _MOST_LINES:,} more lines"] if len(wrong) > _MOST_LINES else []
        raise SettingsError(f"{subject}, {'; '.join(wrong[:_MOST_LINES] + more)}")
    _require_order(found_rows, subject)
    return filled_up(found_rows.values())


class FoundRules(NamedTuple):
    """The rows of a settings file; None and a sentence where it can't be used: the last rules then hold."""

    rows: list[RuleRow] | None
    fault: str = ""


def find_rules(lake: Lake, *, or_write: bool = False) -> FoundRules:
    """Read the settings file of a lake; without one the defaults hold, which `or_write` writes there.

    Raises:
        OSError: the store of a bucket failed.
    """
    path = lake.path(FILE_NAME)
    try:
        with suppress(FileNotFoundError):
            return FoundRules(parse_rules(lake.store.edited(path), FILE_NAME))
        if or_write:
            lake.store.write_whole(path, default_text().encode(), beside=lake.path(f"{PUBLISHING}{FILE_NAME}"))
    except SettingsError as error:
        return FoundRules(None, f"{error}; {_KEPT}")
    except OSError as error:
        if not lake.is_local:
            raise  # the store failed, not the file
        return FoundRules(None, f"{FILE_NAME}: {error.strerror or error}; {_KEPT}")
    return FoundRules(defaults())


def _add(row: RuleRow, rows: dict[tuple[str, str | None], RuleRow], where: str) -> None:
    if row[:2] in rows:
        whose = f" for account {row.account_id[:_MOST_SHOWN]}" if row.account_id else ""
        raise SettingsError(f"{where}: {row.setting} is set twice{whose}; delete one of the two lines")
    rows[row[:2]] = row


def filled_up(rows: Iterable[RuleRow]) -> list[RuleRow]:
    """Add the default of every setting that the rows do not set for all accounts."""
    given = list(rows)
    return [row for row in defaults() if row[:2] not in {one[:2] for one in given}] + given


def _row(cells: list[str], where: str) -> RuleRow:
    name, account_id, value, *_ = [*cells, "", ""]
    setting = _BY_NAME.get(name)
    if setting is None:
        expected = f"expected one of {', '.join(_BY_NAME)}"
        raise SettingsError(f"{where}: {expected}, found {name[:_MOST_SHOWN]!r}; correct it or delete the line")
    if len(cells) > len(_COLUMNS):
        raise SettingsError(
            f"{where}: {name}: expected {len(_COLUMNS)} values, found {len(cells)}; put those with commas in quotes"
        )
    usual = setting.kind.read(value)
    if usual is None:
        raise SettingsError(
            f"{where}: {name}: expected {setting.kind.expected}, found {value[:_MOST_SHOWN]!r}; correct it or delete the line"
        )
    return RuleRow(name, account_id or None, usual)


def _require_order(rows: dict[tuple[str, str | None], RuleRow], subject: str) -> None:
    """Refuse MCS bands that are out of order, for all or for an account."""
    given = {key: row.value for key, row in rows.items()}
    for account_id in {account_id for _, account_id in given} | {None}:
        low, high = (float(_in_force(given, name, account_id)) for name in ("mcs_neutral_from", "mcs_positive_from"))
        if low > high:
            raise SettingsError(
                f"{subject}: mcs_positive_from: expected no less than mcs_neutral_from ({low:g}), found {high:g}; correct it"
            )


def rules_by_account(rows: Iterable[RuleRow]) -> list[tuple[Any, ...]]:
    """Give all settings, typed, in the order of `RULES`: a row for all accounts (None), and one for each that rows name."""
    given = {(row.setting, row.account_id): row.value for row in rows}
    accounts = sorted({account_id for _, account_id in given if account_id is not None})
    return [
        (account_id, *(_typed(_in_force(given, setting.name, account_id), setting) for setting in RULES))
        for account_id in (None, *accounts)
    ]


def _in_force(given: Mapping[tuple[str, str | None], str], name: str, account_id: str | None) -> str:
    """The value that holds for an account; where only the default says where a band begins, the account's scale says it."""
    if account_id is not None and (name, account_id) in given:
        return given[name, account_id]
    default = _BY_NAME[name].default
    value = given.get((name, None), default)
    if value == default and name in MCS_BOUNDS["0-100"]:
        return MCS_BOUNDS[_in_force(given, "mcs_scale", account_id)][name]
    return value


def _typed(value: str, setting: Rule) -> str | int | float | list[float] | None:
    if not value:
        return None
    match setting.kind.sql_type:
        case "DOUBLE[]":
            return [float(bound) for bound in value.split(",")]
        case "DOUBLE":
            return float(value)
        case "BIGINT":
            return int(value)
        case _:
            return value
