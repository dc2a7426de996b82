"""Views over queue entries: waits and outcomes by day, hour and skill, service level, abandonment, spread of the waits."""

from collections.abc import Callable
from typing import Final

from oracle.calendar import Period, hour_start
from oracle.measures import by_key, columns_of, grouped, known, share, timing
from oracle.model import Model, Row

OUTCOMES: Final = ("answered", "abandoned", "moved")


def entries_of(model: Model) -> list[Row]:
    """The queue entries, each with `is_bot`: of its skill, or of the agent who answered."""
    return [entry | {"is_bot": model.is_bot(entry)} for entry in model.queue_entries]


def entries_by(model: Model, period: Period) -> list[Row]:
    """The entries with their day: of the time they were entered, else the conversation's."""
    return [entry | {period.column: period.of(model, entry, "entered_time", "entered_date")} for entry in entries_of(model)]


def of_outcome(entries: list[Row], *outcomes: str) -> list[Row]:
    """The entries that ended so."""
    return [entry for entry in entries if entry["outcome"] in outcomes]


def people(entries: list[Row]) -> list[Row]:
    """The entries that are no bot's."""
    return [entry for entry in entries if not entry["is_bot"]]


def bots(entries: list[Row]) -> list[Row]:
    """The entries that are a bot's."""
    return [entry for entry in entries if entry["is_bot"]]


def limit(model: Model, account_id: str | None, setting: str) -> int:
    """A threshold in whole milliseconds."""
    seconds: float = model.rule(account_id, setting)
    return round(seconds * 1000)


def within(entries: list[Row], milliseconds: int) -> int:
    """How many waited no longer than this."""
    return sum(entry["wait_milliseconds"] is not None and entry["wait_milliseconds"] <= milliseconds for entry in entries)


def shorter(entries: list[Row], milliseconds: int) -> int:
    """How many waited less than this."""
    return sum(entry["wait_milliseconds"] is not None and entry["wait_milliseconds"] < milliseconds for entry in entries)


# ---- queue time ----


def outcomes(entries: list[Row]) -> Row:
    """Entries by outcome, and the share of those answered or abandoned that were abandoned."""
    counts = {name: len(of_outcome(entries, name)) for name in OUTCOMES}
    return {
        "entry_count": len(entries),
        **{f"{name}_count": count for name, count in counts.items()},
        "abandoned_share": share(counts["abandoned"], counts["abandoned"] + counts["answered"]),
    }


def waits_of_answered(entries: list[Row]) -> Row:
    """Number, mean, percentiles and greatest of the waits that an answer ended."""
    waits = known(entry["wait_milliseconds"] for entry in of_outcome(entries, "answered"))
    return {"queued_count": len(waits), **timing("queue", waits, of="sum avg p50 p90 max")}


def longest_wait(entries: list[Row]) -> Row:
    """The longest wait, however it ended."""
    waits = [entry["wait_milliseconds"] for entry in entries]
    return {"longest_wait_seconds": timing("wait", waits, of="max")["wait_max_seconds"]}


def queue_time(entries: list[Row]) -> Row:
    """The measures of all entries."""
    return outcomes(entries) | waits_of_answered(entries) | longest_wait(entries)


def with_people(entries: list[Row]) -> Row:
    """The measures of all entries, and those of people's."""
    of_people = outcomes(people(entries)) | waits_of_answered(people(entries))
    del of_people["moved_count"]
    return queue_time(entries) | {f"people_{name}": value for name, value in of_people.items()}


def queue_time_daily(model: Model, period: Period) -> list[Row]:
    """By days of any kind."""
    return by_key(entries_by(model, period), with_people, "account_id", period.column, "type")


def queue_time_hourly(model: Model) -> list[Row]:
    """By UTC hours; entries without a time are in no hour."""
    entries = [
        entry | {"hour": hour_start(entry["entered_time"])} for entry in entries_of(model) if entry["entered_time"] is not None
    ]
    return by_key(entries, with_people, "account_id", "hour", "type")


def skill_columns(model: Model, row: Row) -> Row:
    """Name and group of a row's skill."""
    line = model.skills.get((row["account_id"], row["skill_id"]), {})
    return {"skill_name": line.get("skill_name"), "skill_group": line.get("skill_group")}


def queue_time_by_skill(model: Model) -> list[Row]:
    """By the skill whose queue it was."""
    rows = by_key(entries_of(model), with_people, "account_id", "skill_id", "type")
    return [row | skill_columns(model, row) | {"is_bot": model.is_bot_skill(row)} for row in rows]


# ---- service level ----


def level_of(model: Model, account_id: str | None) -> Callable[[list[Row]], Row]:
    """The function that counts the entries answered in time, and those abandoned before they could be."""

    def measures(entries: list[Row]) -> Row:
        answered, abandoned = of_outcome(entries, "answered"), of_outcome(entries, "abandoned")
        in_time = within(answered, limit(model, account_id, "service_level_seconds"))
        short = shorter(abandoned, limit(model, account_id, "short_abandon_seconds"))
        return {
            "within_count": in_time,
            "short_abandon_count": short,
            "service_level_share": share(in_time, len(answered) + len(abandoned) - short),
        }

    return measures


def queue_by_skill_daily(model: Model, period: Period) -> list[Row]:
    """By day and skill, entries of bots and of people apart."""
    key = ("account_id", period.column, "skill_id", "type", "is_bot")
    found = []
    for values, group in grouped(entries_by(model, period), columns_of(*key)).items():
        row = dict(zip(key, values, strict=True))
        name = {"skill_name": model.skill_name(row)}
        found.append(row | name | queue_time(group) | level_of(model, row["account_id"])(group))
    return found


def service_level_daily(model: Model, period: Period) -> list[Row]:
    """By day: of people's entries, and counts of those of bots."""
    key = ("account_id", period.column, "type")
    found = []
    for values, group in grouped(entries_by(model, period), columns_of(*key)).items():
        row = dict(zip(key, values, strict=True))
        thresholds = {name: model.rule(row["account_id"], name) for name in ("service_level_seconds", "short_abandon_seconds")}
        of_people = {f"people_{name}": value for name, value in service_level(model, row["account_id"], people(group)).items()}
        of_bots = service_level(model, row["account_id"], bots(group))
        names = ("answered_count", "abandoned_count", "within_count")
        found.append(row | thresholds | of_people | {f"bot_{name}": of_bots[name] for name in names})
    return found


def service_level(model: Model, account_id: str | None, entries: list[Row]) -> Row:
    """Service level in its variants."""
    answered, abandoned = of_outcome(entries, "answered"), of_outcome(entries, "abandoned")
    in_time = within(abandoned, limit(model, account_id, "service_level_seconds"))
    level = level_of(model, account_id)(entries)
    both = len(answered) + len(abandoned)
    return {
        "answered_count": len(answered),
        "abandoned_count": len(abandoned),
        **level,
        "abandoned_within_count": in_time,
        "service_level_of_all_share": share(level["within_count"], both),
        "service_level_of_answered_share": share(level["within_count"], len(answered)),
        "service_level_of_late_share": share(level["within_count"], both - in_time),
        "service_level_kind_share": share(level["within_count"] + in_time, both),
    }


# ---- abandonment ----


def abandonment_daily(model: Model, period: Period) -> list[Row]:
    """By day: of people's entries, beside the conversations of the day that nobody took."""
    key = columns_of("account_id", period.column, "type")
    entries = grouped(entries_by(model, period), key)
    conversations = grouped(
        [row | {period.column: period.of(model, row, "conversation_start_time", "date")} for row in model.conversation_metrics],
        key,
    )
    return [
        dict(zip(("account_id", period.column, "type"), values, strict=True))
        | {"short_abandon_seconds": model.rule(values[0], "short_abandon_seconds")}
        | people_columns(abandonment(model, values[0], people(entries.get(values, []))))
        | {
            "bot_entry_count": len(bots(entries.get(values, []))),
            "bot_abandoned_count": len(of_outcome(bots(entries.get(values, [])), "abandoned")),
        }
        | never_connected(conversations.get(values, []))
        for values in entries.keys() | conversations.keys()
    ]


def abandonment(model: Model, account_id: str | None, entries: list[Row]) -> Row:
    """Entries whose visitor gave up, by several denominators, and how long it took."""
    answered, abandoned = len(of_outcome(entries, "answered")), of_outcome(entries, "abandoned")
    short = shorter(abandoned, limit(model, account_id, "short_abandon_seconds"))
    waits = known(entry["wait_milliseconds"] for entry in abandoned)
    return {
        "entry_count": len(entries),
        "answered_count": answered,
        "abandoned_count": len(abandoned),
        "short_abandon_count": short,
        "abandoned_share": share(len(abandoned), len(abandoned) + answered),
        "abandoned_of_entries_share": share(len(abandoned), len(entries)),
        "abandoned_adjusted_share": share(len(abandoned) - short, len(abandoned) + answered - short),
        "waited_count": len(waits),
        **timing("abandon", waits, of="avg p50 p90 max"),
    }


def people_columns(row: Row) -> Row:
    """The columns of entries with the prefix that tells them from those of all entries; others are of people alone."""
    own = ("abandoned_of_entries_share", "abandoned_adjusted_share", "waited_count")
    return {name if name in own or name.startswith("abandon_") else f"people_{name}": value for name, value in row.items()}


def never_connected(conversations: list[Row]) -> Row:
    """The conversations in which nobody was ever connected."""
    abandoned = sum(row["is_abandoned"] for row in conversations)
    return {
        "conversation_count": len(conversations),
        "abandoned_conversation_count": abandoned,
        "abandoned_conversation_share": share(abandoned, len(conversations)),
    }


# ---- histogram ----


def wait_histogram_daily(model: Model, period: Period) -> list[Row]:
    """Every bucket of each day on which a wait is known that ended in an answer or was given up."""
    waited = [
        entry
        for entry in of_outcome(entries_by(model, period), "answered", "abandoned")
        if entry["wait_milliseconds"] is not None
    ]
    found = []
    for values, group in grouped(waited, columns_of("account_id", period.column, "type")).items():
        key = dict(zip(("account_id", period.column, "type"), values, strict=True))
        found += [key | bucket for bucket in histogram(model.rule(values[0], "wait_bounds_seconds"), group)]
    return found


def histogram(bounds: list[float], entries: list[Row]) -> list[Row]:
    """The buckets from each of these bounds to the next; the last is open."""
    answered = of_outcome(people(entries), "answered")
    found: list[Row] = []
    for number, lower in enumerate(bounds, 1):
        upper = bounds[number] if number < len(bounds) else None
        here = [entry for entry in entries if falls_between(entry, lower, upper)]
        of_people = of_outcome(people(here), "answered")
        so_far = len(of_people) + (found[-1]["so_far"] if found else 0)
        found.append(
            {
                "lower_seconds": lower,
                "upper_seconds": upper,
                "people_queued_count": len(of_people),
                "waited_count": len(of_outcome(people(here), "abandoned")),
                "bot_queued_count": len(of_outcome(bots(here), "answered")),
                "people_queued_of_count": len(answered),
                "bucket_share": share(len(of_people), len(answered)),
                "cumulative_share": share(so_far, len(answered)),
                "so_far": so_far,
            }
        )
    return [{name: value for name, value in row.items() if name != "so_far"} for row in found]


def falls_between(entry: Row, lower: float, upper: float | None) -> bool:
    """Whether an entry's wait is in the bucket of these bounds."""
    wait: int = entry["wait_milliseconds"]
    return round(1000 * lower) <= wait and (upper is None or wait < round(1000 * upper))
