"""Views that compare: shares with their intervals, a period with the one before, an hour with those of earlier weeks."""

from calendar import monthrange
from collections import defaultdict
from collections.abc import Callable
from datetime import date, datetime, timedelta
from math import sqrt
from statistics import stdev
from typing import Any, Final

from oracle import bots, dimensions, handling, mcs, queue, sources
from oracle.calendar import MONTHLY, WEEKLY, Period, hour_start, local
from oracle.measures import columns_of, grouped
from oracle.model import Model, Row

Z: Final = 1.959964
"""Of two-sided 95 %."""
COMPARED: Final = 8
LEAST_COMPARED: Final = 4
UNUSUAL: Final = 3
HOUR: Final = timedelta(hours=1)


Measures = dict[str, tuple[Callable[[Model, Period], list[Row]], Callable[[Row], int], Callable[[Row], int]]]


def people_bands(model: Model, period: Period) -> list[Row]:
    """Scores by band, of conversations that a person had last."""
    return [row for row in mcs.mcs_band_daily(model, period) if not row["is_bot"]]


PARTS: Final[Measures] = {
    "service_level": (
        queue.service_level_daily,
        lambda row: row["people_within_count"],
        lambda row: row["people_answered_count"] + row["people_abandoned_count"] - row["people_short_abandon_count"],
    ),
    "abandoned": (
        queue.service_level_daily,
        lambda row: row["people_abandoned_count"],
        lambda row: row["people_answered_count"] + row["people_abandoned_count"],
    ),
    "non_responsive": (
        lambda model, period: [row for row in handling.handling_daily(model, period) if not row["is_bot"]],
        lambda row: row["non_responsive_conversation_count"],
        lambda row: row["wrote_conversation_count"],
    ),
    "mcs_negative": (people_bands, lambda row: row["negative_count"], lambda row: row["banded_count"]),
    "mcs_positive": (people_bands, lambda row: row["positive_count"], lambda row: row["banded_count"]),
    "contained": (bots.bot_daily, lambda row: row["contained_count"], lambda row: row["bot_count"]),
}
"""The view that has each share, its numerator and its denominator."""
BY_SKILL: Final[Measures] = {
    "service_level": (
        queue.queue_by_skill_daily,
        lambda row: row["within_count"],
        lambda row: row["answered_count"] + row["abandoned_count"] - row["short_abandon_count"],
    ),
    "abandoned": (
        queue.queue_by_skill_daily,
        lambda row: row["abandoned_count"],
        lambda row: row["answered_count"] + row["abandoned_count"],
    ),
    "mcs_negative": (mcs.mcs_by_skill_daily, lambda row: row["negative_count"], lambda row: row["banded_count"]),
}
"""The same of shares by skill."""


def wilson(part: int, cases: int) -> tuple[float, float]:
    """Wilson's interval of a share."""
    found, spread = part / cases, Z * Z / cases
    middle = (found + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * sqrt(found * (1 - found) / cases + spread / (4 * cases))
    return max(0.0, middle - half), min(1.0, middle + half)


def shares_daily(model: Model, period: Period) -> list[Row]:
    """Each share with its interval, where it has a denominator."""
    return shares_of(model, period, PARTS, ())


def shares_of(model: Model, period: Period, measures: Measures, own: tuple[str, ...]) -> list[Row]:
    """The shares of these measures with their intervals; `own` are further columns of the views that have them."""
    found = []
    for measure, (view, part_of, cases_of) in measures.items():
        for row in view(model, period):
            part, cases = part_of(row), cases_of(row)
            if cases > 0:
                low, high = wilson(part, cases)
                found.append(
                    {name: row[name] for name in ("account_id", period.column, "type", *own)}
                    | {"measure": measure, "part_count": part, "case_count": cases, "share": part / cases}
                    | {"share_low": low, "share_high": high}
                )
    return found


def week_before(day: date) -> date:
    """The Monday a week before."""
    return day - timedelta(days=7)


def month_before(day: date) -> date:
    """The first day of the month before."""
    return (day - timedelta(days=1)).replace(day=1)


def changes(
    model: Model, period: Period, before: Callable[[date], date], measures: Measures = PARTS, own: tuple[str, ...] = ()
) -> list[Row]:
    """The shares of periods whose former period has one, too, and Newcombe's interval of the difference."""
    key = columns_of("account_id", "type", "measure", *own)
    rows = {(key(row), row[period.column]): row for row in shares_of(model, period, measures, own)}
    days = whole_days(model)
    found = []
    for (identity, day), row in rows.items():
        account_id = row["account_id"]
        former = rows.get((identity, before(day)))
        if former is None:
            continue
        change = row["share"] - former["share"]
        low = change - sqrt((row["share"] - row["share_low"]) ** 2 + (former["share_high"] - former["share"]) ** 2)
        high = change + sqrt((row["share_high"] - row["share"]) ** 2 + (former["share"] - former["share_low"]) ** 2)
        found.append(
            {name: value for name, value in row.items() if name not in {"share_low", "share_high"}}
            | {f"former_{name}": former[name] for name in ("part_count", "case_count", "share")}
            | {"change": change, "change_low": low, "change_high": high}
            | span_of(days, period, account_id, day)
            | {f"former_{name}": value for name, value in span_of(days, period, account_id, before(day)).items()}
        )
        parts = [found[-1][name] for name in ("day_count", "former_day_count")]
        is_whole = parts == [found[-1][name] for name in ("expected_day_count", "former_expected_day_count")]
        is_final = not found[-1]["is_provisional"] and not found[-1]["former_is_provisional"]
        found[-1]["is_clear"] = low > 0 or high < 0 if is_whole and is_final else None
    return found


def with_days(model: Model, period: Period, rows: list[Row]) -> list[Row]:
    """Rows of weeks or months with how many of their days are whole, of how many, and whether more can come."""
    if period not in (WEEKLY, MONTHLY):
        return rows
    days = whole_days(model)
    return [row | span_of(days, period, row["account_id"], row[period.column]) for row in rows]


def weeks(model: Model) -> list[Row]:
    """The weeks of the calendar."""
    return spans(model, WEEKLY)


def months(model: Model) -> list[Row]:
    """The months of the calendar."""
    return spans(model, MONTHLY)


def spans(model: Model, period: Period) -> list[Row]:
    """The weeks or months that a day of the calendar is in."""
    days = whole_days(model)
    firsts = {
        (account_id, day - timedelta(days=day.weekday()) if period is WEEKLY else day.replace(day=1))
        for account_id, day in days
    }
    return [
        {"account_id": account_id, period.column: first} | span_of(days, period, account_id, first)
        for account_id, first in firsts
    ]


def span_of(days: dict[Any, Row], period: Period, account_id: str | None, first: date) -> Row:
    """How many days of a period are whole, of how many, and whether more can come."""
    length = 7 if period is WEEKLY else monthrange(first.year, first.month)[1]
    here = [days[key] for number in range(length) if (key := (account_id, first + timedelta(days=number))) in days]
    return {
        "day_count": sum(row["is_whole"] for row in here),
        "expected_day_count": length,
        "is_provisional": not here or any(row["is_provisional"] for row in here),
    }


def whole_days(model: Model) -> dict[Any, Row]:
    """The days of the calendar, and whether no hour of each is lost, some is known, and the source had begun."""
    states = hour_states(model)
    found = {}
    for row in dimensions.calendar(model):
        account_id = row["account_id"]
        hours = {hour for owner, hour in states if owner in {account_id, None}}
        of_day = [
            states.get((account_id, hour), set()) | states.get((None, hour), set())
            for hour in hours
            if row["start_time"] <= hour < row["end_time"]
        ]
        is_lost = any(here & {"missing", "rejected"} for here in of_day)
        is_whole = not hours or (min(hours) <= row["start_time"] and any(map(is_known, of_day)) and not is_lost)
        found[account_id, row["date"]] = row | {"is_whole": is_whole}
    return found


def change_weekly(model: Model) -> list[Row]:
    """A week against the week before."""
    return changes(model, WEEKLY, week_before)


def change_monthly(model: Model) -> list[Row]:
    """A month against the month before."""
    return changes(model, MONTHLY, month_before)


def change_by_skill_weekly(model: Model) -> list[Row]:
    """A week of a skill against the week before."""
    rows = changes(model, WEEKLY, week_before, BY_SKILL, ("skill_id", "is_bot"))
    return [row | {"skill_name": model.skill_name(row)} for row in rows]


# ---- hours ----


def hour_states(model: Model) -> defaultdict[tuple[str | None, datetime], set[str]]:
    """The state of each hour of an account; None: of files that name no account."""
    found: defaultdict[tuple[str | None, datetime], set[str]] = defaultdict(set)
    for row in sources.source_hours(model):
        found[row["account_id"], row["hour"]].add(row["state"])
    return found


def is_known(states: set[str]) -> bool:
    """Whether the data of an hour are there, and no file of it is lost."""
    return bool(states & {"loaded", "empty"}) and not states & {"missing", "rejected"}


def unusual_hours(model: Model) -> list[Row]:
    """Hours against the same hour of the same weekday before, by people's entries."""
    entries = [entry for entry in queue.people(queue.entries_of(model)) if entry["entered_time"] is not None]
    states = hour_states(model)
    final = {(row["account_id"], row["date"]) for row in dimensions.calendar(model) if not row["is_provisional"]}
    found = []
    for (account_id, conversation_type), group in grouped(entries, columns_of("account_id", "type")).items():
        by_hour: dict[datetime, list[Row]] = {}
        for entry in group:
            by_hour.setdefault(hour_start(entry["entered_time"]), []).append(entry)
        earlier: dict[tuple[int, int], list[Row]] = {}
        hour = min(by_hour)
        while hour <= max(by_hour):
            is_final = (account_id, local(model, {"account_id": account_id}, hour).date()) in final
            if not is_final or not is_known(states[account_id, hour] | states[None, hour]):
                hour += HOUR
                continue
            here = by_hour.get(hour, [])
            row: Row = {"account_id": account_id, "type": conversation_type, "hour": hour}
            clock = local(model, row, hour)
            row |= {"local_start_time": clock, "people_entry_count": len(here)}
            row["people_abandoned_count"] = len(queue.of_outcome(here, "abandoned"))
            alike = earlier.setdefault((clock.isoweekday(), clock.hour), [])
            if len(alike) >= LEAST_COMPARED:
                found.append(row | compared(row, alike[-COMPARED:]))
            alike.append(row)
            hour += HOUR
    return found


def compared(row: Row, earlier: list[Row]) -> Row:
    """How far the counts of an hour are from those of earlier hours."""
    found: Row = {"compared_count": len(earlier)}
    for name, prefix in (("entry", "is_unusual"), ("abandoned", "is_abandoned_unusual")):
        counts = [before[f"people_{name}_count"] for before in earlier]
        average = sum(counts) / len(counts)
        score = (row[f"people_{name}_count"] - average) / max(stdev(counts), sqrt(average), 1)
        found |= {f"{name}_mean": average, f"{name}_score": score, prefix: abs(score) > UNUSUAL}
    return found
