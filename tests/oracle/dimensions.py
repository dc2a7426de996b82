"""The dimensions: every id met, with its names; accounts with their settings; days with what they are called."""

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from reference import FIRST_DAY

from oracle.calendar import DAYS, day_start, hour_count, zone_of
from oracle.measures import columns_of, grouped
from oracle.model import DEFAULTS, Model, Names, Row

NOBODY: Final = (None, "", "0")
AGENT_LINES: Final = ("1", "3", "4", "5")  # of an agent, and private ones
HOUR: Final = timedelta(hours=1)
MILLISECOND: Final = timedelta(milliseconds=1)
SCALE_BOUNDS: Final = {"-100-100": (-33.0, 33.001), "class": (0.0, 1.0)}
"""The bounds of the neutral band on scales where nobody sets them."""


def met(rows: Iterable[tuple[Row, str]]) -> dict[tuple[Any, ...], date]:
    """The newest date on which each id of an account was met; `rows` are rows with the column that has an id."""
    found: dict[tuple[Any, ...], date] = {}
    for row, column in rows:
        if row[column] is not None:
            key = row["account_id"], row[column]
            found[key] = max(row["date"], found.get(key, row["date"]))
    return found


def with_names(last: dict[tuple[Any, ...], date], names: Names, column: str, gives: dict[str, Any]) -> list[Row]:
    """A row for each id met or named, with the values of its line in the CSV, else these."""
    return [
        {"account_id": account_id, column: ident, "last_date": last.get((account_id, ident))}
        | {name: names.get((account_id, ident), {}).get(name, otherwise) for name, otherwise in gives.items()}
        for account_id, ident in last.keys() | names.keys()
    ]


def skills(model: Model) -> list[Row]:
    """Skills of conversations, transfers and queue entries, and those with a name."""
    rows = [(row, "skill_id") for row in (*model.conversations, *model.transfers, *model.queue_entries)]
    rows += [(row, "target_skill_id") for row in model.transfers]
    entries = grouped(model.queue_entries, columns_of("account_id", "skill_id"))
    gives = {"skill_name": None, "is_bot": False, "skill_group": None}
    return [
        row | {"entry_count": len(entries.get((row["account_id"], row["skill_id"]), []))}
        for row in with_names(met(rows), model.skills, "skill_id", gives)
    ]


def agents(model: Model) -> list[Row]:
    """Agents of conversations, transfers, segments and lines, and those with a name; a nickname stands in for one."""
    sources = (*model.conversations, *model.transfers, *model.segments, *model.messages)
    rows = [(row, "agent_id") for row in sources] + [(row, "target_agent_id") for row in model.transfers]
    last = met((row, column) for row, column in rows if row[column] not in NOBODY)
    segments = grouped(model.segments, columns_of("account_id", "agent_id"))
    lines = grouped((row for row in model.messages if row["type"] in AGENT_LINES), columns_of("account_id", "agent_id"))
    gives = {"agent_name": None, "agent_group": None, "employee_id": None, "is_bot": False, "hired_on": None}
    found = []
    for row in with_names(last, model.agents, "agent_id", gives):
        key = row["account_id"], row["agent_id"]
        nickname = nickname_of(segments.get(key, []), "assigned_time", "agent_nickname")
        nickname = nickname or nickname_of(lines.get(key, []), "timestamp", "sent_by")
        name = nickname if row["agent_name"] is None else row["agent_name"]
        found.append(row | {"agent_nickname": nickname, "agent_name": name, "segment_count": len(segments.get(key, []))})
    return found


def nickname_of(rows: list[Row], time: str, column: str) -> str | None:
    """The nickname in the newest of these rows that has one; of several the greatest."""
    named = [(row[time] or FIRST_DAY, row[column].strip()) for row in rows if (row[column] or "").strip()]
    return shown_nickname(max(named)[1]) if named else None


def shown_nickname(text: str) -> str | None:
    """A nickname as a name: on one line, a mark for what can't be seen or turns the writing, at most 200 characters."""
    line = re.sub(r"[ \t\n\f\r]+", " ", text)
    unseen = [unicodedata.category(letter) in {"Cc", "Cf", "Zl", "Zp"} and letter not in "\u200c\u200d" for letter in line]
    marked = "".join(
        letter if not is_unseen else "" if place and unseen[place - 1] else "\ufffd"
        for place, (letter, is_unseen) in enumerate(zip(line, unseen, strict=True))
    )
    return (marked if len(marked) <= 200 else f"{marked[:199]}\u2026").strip(" ") or None


def campaigns(model: Model) -> list[Row]:
    """Campaigns of conversations, and those with a name."""
    last = met((row, "campaign_id") for row in model.conversations)
    counts = grouped(model.conversations, columns_of("account_id", "campaign_id"))
    return [
        row | {"conversation_count": len(counts.get((row["account_id"], row["campaign_id"]), []))}
        for row in with_names(last, model.campaigns, "campaign_id", {"campaign_name": None})
    ]


def accounts(model: Model) -> list[Row]:
    """Accounts of conversations, files and settings, with the settings in force."""
    known = {row["account_id"] for row in model.conversations}
    known |= {row["account_id"] for row in model.files if row["account_id"] is not None}
    known |= {account_id for account_id in model.settings if account_id is not None}
    found = []
    for account_id in known:
        row = {name: model.rule(account_id, name) for name in DEFAULTS}
        if row["mcs_scale"] in SCALE_BOUNDS:
            row["mcs_neutral_from"], row["mcs_positive_from"] = SCALE_BOUNDS[row["mcs_scale"]]
        name = account_id if row["account_name"] is None else row["account_name"]
        found.append({"account_id": account_id} | row | {"account_name": name})
    return found


def newest_hour(model: Model, account_id: str | None) -> datetime | None:
    """The end of the newest hour that a loaded file or a listing covers, else the newest end of a conversation."""
    files = [
        row["scope_end_time"]
        for row in model.files
        if row["account_id"] == account_id and row["status"] == "loaded" and row["scope_end_time"]
    ]
    listed = [row["hour"] + HOUR for row in model.listings if row["account_id"] == account_id and row["listed_at"]]
    ends = [row["conversation_end_time"] for row in model.conversations if row["account_id"] == account_id]
    return max(files + listed, default=max((end for end in ends if end), default=None))


def calendar(model: Model) -> list[Row]:
    """The days of each account from its first conversation to its last, or to the newest hour."""
    found = []
    for (account_id,), rows in grouped(model.conversations, columns_of("account_id")).items():
        zone = zone_of(model, account_id)
        newest = newest_hour(model, account_id)
        starts = [row["conversation_start_time"] for row in rows if row["conversation_start_time"]]
        last = max([*starts, *([newest - MILLISECOND] if newest else [])]) if starts else None
        dates = [row["date"] for row in rows]
        day = min(dates) - timedelta(days=2)
        until = max([*dates, *([last.date()] if last else [])]) + timedelta(days=2)
        while day <= until:
            begins, ends = day_start(day, zone), day_start(day + timedelta(days=1), zone)
            touches = last is not None and begins <= last and ends > min(starts)
            if (min(dates) <= day <= max(dates) or touches) and DAYS[0] <= day <= DAYS[1]:
                found.append({"account_id": account_id, "date": day} | day_of(model, account_id, day, newest))
            day += timedelta(days=1)
    return found


def day_of(model: Model, account_id: str | None, day: date, newest: datetime | None) -> Row:
    """The columns of a day of the calendar."""
    zone = zone_of(model, account_id)
    ends = day_start(day + timedelta(days=1), zone)
    utc_end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    settled = max(utc_end, ends) + timedelta(hours=model.rule(account_id, "provisional_hours"))
    return {
        "start_time": day_start(day, zone),
        "end_time": ends,
        "hour_count": hour_count(day, zone),
        "week": day - timedelta(days=day.weekday()),
        "month": day.replace(day=1),
        "weekday": day.isoweekday(),
        "weekday_name": day.strftime("%A"),
        "is_provisional": newest is None or newest < settled,
    }
