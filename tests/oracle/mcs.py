"""Views of the Meaningful Connection Score: its spread, its bands, and how the visitor's lines moved it."""

from math import floor
from typing import Final

from oracle.calendar import Period
from oracle.facts import VISITOR, falls_in
from oracle.measures import by_key, columns_of, grouped, known, mean, quantile, share
from oracle.model import Model, Row, conversation_key

BANDS: Final = ("negative", "neutral", "positive")
BEYOND: Final = 33
"""On the scale from -100 to 100 a score beyond this, on either side, is negative or positive."""


def in_range(model: Model, row: Row) -> bool:
    """Whether a score is one of the account's scale."""
    scale, score = model.rule(row["account_id"], "mcs_scale"), row["mcs"]
    if score is None:
        return False
    return score in (-1, 0, 1) if scale == "class" else (-100 if scale == "-100-100" else 0) <= score <= 100


def band(model: Model, row: Row) -> str | None:
    """The band of a score, NULL for one that is not of the account's scale."""
    scale, score = model.rule(row["account_id"], "mcs_scale"), row["mcs"]
    if not in_range(model, row):
        return None
    if scale == "class":
        return BANDS[int(score) + 1]
    if scale == "-100-100":
        return BANDS[1 + (score > BEYOND) - (score < -BEYOND)]
    low, high = (model.rule(row["account_id"], f"mcs_{name}_from") for name in ("neutral", "positive"))
    return BANDS[(score >= low) + (score >= high)]


def bucket(model: Model, row: Row) -> int:
    """The lower bound of the ten points that a score falls in, the last with its end; of a class, the class."""
    if model.rule(row["account_id"], "mcs_scale") == "class":
        return int(row["mcs"])
    tens: int = floor(row["mcs"] / 10)
    return min(tens * 10, 90)


def day_of(model: Model, row: Row, period: Period) -> Row:
    """A conversation with its day: that of its start, else its own."""
    return row | {period.column: period.of(model, row, "conversation_start_time", "date")}


def mcs_distribution(model: Model, period: Period) -> list[Row]:
    """Conversations by day and bucket, of scores on the account's scale."""
    rows = [day_of(model, row, period) | {"bucket": bucket(model, row)} for row in scored(model) if in_range(model, row)]
    return by_key(rows, of_people_and_bots, "account_id", period.column, "type", "bucket")


def of_people_and_bots(rows: list[Row]) -> Row:
    """The number of conversations, and how many of them a person or a bot had last."""
    bots = sum(row["is_bot"] for row in rows)
    return {
        "conversation_count": len(rows),
        "people_conversation_count": len(rows) - bots,
        "bot_conversation_count": bots,
    }


def spread(rows: list[Row]) -> Row:
    """Number, sum, mean and percentiles of the scores, on the scale or not."""
    scores = known(row["mcs"] for row in rows)
    points = {f"mcs_p{at}": quantile(scores, at / 100) for at in (10, 50, 90)}
    return {"scored_count": len(scores), "mcs_sum": sum(scores) if scores else None, "mcs_avg": mean(scores), **points}


def bands(model: Model, rows: list[Row]) -> Row:
    """Scores by band, their shares, and the net score."""
    found = [band(model, row) for row in rows]
    counts = {name: found.count(name) for name in BANDS}
    banded = sum(counts.values())
    return {
        "banded_count": banded,
        **{f"{name}_count": count for name, count in counts.items()},
        **{f"{name}_share": share(count, banded) for name, count in counts.items()},
    }


def net_score(row: Row) -> Row:
    """Positive less negative scores, of a hundred on the scale."""
    net = share(row["positive_count"] - row["negative_count"], row["banded_count"])
    return {"mcs_net_score": None if net is None else 100 * net}


def mcs_daily(model: Model, period: Period) -> list[Row]:
    """Days with or without a score."""
    key = ("account_id", period.column, "type")
    rows = [day_of(model, row, period) for row in model.conversation_metrics]
    return [
        dict(zip(key, values, strict=True))
        | {"conversation_count": len(group)}
        | spread(group)
        | {f"people_{name}": value for name, value in spread([row for row in group if not model.is_bot(row)]).items()}
        | {
            f"bot_{name}": value
            for name, value in spread([row for row in group if model.is_bot(row)]).items()
            if not name.startswith("mcs_p")
        }
        for values, group in grouped(rows, columns_of(*key)).items()
    ]


def scored(model: Model) -> list[Row]:
    """The conversations with a score; is_bot: a bot had it last."""
    return [row | {"is_bot": model.is_bot(row)} for row in model.conversation_metrics if row["mcs"] is not None]


def mcs_band_daily(model: Model, period: Period) -> list[Row]:
    """Bands by day, of days with a score."""
    key = ("account_id", period.column, "type", "is_bot")
    found = by_key(scored_by_day(model, period), lambda group: bands(model, group), *key)
    return [row | net_score(row) for row in found]


def mcs_by(model: Model, rows: list[Row], *by: str) -> list[Row]:
    """Scores and bands by the last agent or skill, and by day if asked."""
    key = ("account_id", *by, "type", "is_bot")
    return [
        dict(zip(key, values, strict=True)) | spread(group) | bands(model, group)
        for values, group in grouped(rows, columns_of(*key)).items()
    ]


def scored_by_day(model: Model, period: Period) -> list[Row]:
    """The conversations with a score, and their day."""
    return [day_of(model, row, period) for row in scored(model)]


def mcs_by_agent(model: Model) -> list[Row]:
    """By the last agent."""
    return [row | {"agent_name": model.agent_name(row)} for row in mcs_by(model, scored(model), "agent_id")]


def mcs_by_agent_daily(model: Model, period: Period) -> list[Row]:
    """By day and the last agent."""
    rows = mcs_by(model, scored_by_day(model, period), period.column, "agent_id")
    return [row | {"agent_name": model.agent_name(row)} for row in rows]


def mcs_by_skill(model: Model) -> list[Row]:
    """By the last skill."""
    return [row | {"skill_name": model.skill_name(row)} for row in mcs_by(model, scored(model), "skill_id")]


def mcs_by_skill_daily(model: Model, period: Period) -> list[Row]:
    """By day and the last skill."""
    rows = mcs_by(model, scored_by_day(model, period), period.column, "skill_id")
    return [row | {"skill_name": model.skill_name(row)} for row in rows]


# ---- movement ----


def movement_of(lines: list[Row]) -> Row:
    """From the first to the last score of the visitor's lines among these, in order of the transcript."""
    scores = [line["mcs"] for line in lines if line["type"] in VISITOR and line["mcs"] is not None]
    if not scores:
        return {"scored_line_count": 0}
    first, last = scores[0], scores[-1]
    return {"scored_line_count": len(scores), "mcs_first": first, "mcs_last": last, "mcs_change": last - first}


def mcs_movement(model: Model) -> list[Row]:
    """The conversations in which a line of the visitor has a score."""
    lines = grouped(model.messages, conversation_key)
    names = ("account_id", "conversation_id", "date", "type")
    rows = [
        {name: row[name] for name in names} | {"is_bot": model.is_bot(row)} | movement_of(lines.get(conversation_key(row), []))
        for row in model.conversation_metrics
    ]
    return [row for row in rows if row["scored_line_count"] > 0]


def changes(rows: list[Row], counted: str) -> Row:
    """How many scores rose, fell or stayed, and by how much; `counted` names the number of rows."""
    moved = [row["mcs_change"] for row in rows]
    counts = {
        "risen": sum(change > 0 for change in moved),
        "fallen": sum(change < 0 for change in moved),
        "level": sum(change == 0 for change in moved),
    }
    return {
        counted: len(moved),
        "mcs_change_sum": sum(moved),
        "mcs_change_avg": mean(moved),
        "mcs_change_p50": quantile(moved, 0.5),
        **{f"{name}_count": count for name, count in counts.items()},
        **{f"{name}_share": share(count, len(moved)) for name, count in counts.items()},
    }


def mcs_movement_daily(model: Model, period: Period) -> list[Row]:
    """Of conversations with two scores or more."""
    conversations = {conversation_key(row): row for row in model.conversation_metrics}
    rows = [
        day_of(model, conversations[conversation_key(row)] | row, period)
        for row in mcs_movement(model)
        if row["scored_line_count"] > 1
    ]
    key = ("account_id", period.column, "type", "is_bot")
    return [
        dict(zip(key, values, strict=True)) | changes(group, "movement_count")
        for values, group in grouped(rows, columns_of(*key)).items()
    ]


def moved_segments(model: Model) -> list[Row]:
    """The segments within which the visitor's lines have two scores or more."""
    lines = grouped(model.messages, conversation_key)
    rows = [
        segment
        | {"is_bot": model.is_bot(segment)}
        | movement_of([line for line in lines.get(conversation_key(segment), []) if falls_in(line["timestamp"], segment)])
        for segment in model.segments
    ]
    return [row for row in rows if row["scored_line_count"] > 1]


def mcs_movement_by(model: Model, column: str, period: Period | None = None) -> list[Row]:
    """Of segments, by their agent or skill, of all time or by the day of the assignment."""
    key = ("account_id", column, "type", "is_bot", *([period.column] if period else []))
    rows = moved_segments(model)
    if period:
        rows = [row | {period.column: period.of(model, row, "assigned_time", "date")} for row in rows]
    return [
        dict(zip(key, values, strict=True))
        | {f"segment_{name}": value for name, value in changes(group, "movement_count").items()}
        for values, group in grouped(rows, columns_of(*key)).items()
    ]


def mcs_movement_by_agent(model: Model, period: Period | None = None) -> list[Row]:
    """By the agent of the segment."""
    return [row | {"agent_name": model.agent_name(row)} for row in mcs_movement_by(model, "agent_id", period)]


def mcs_movement_by_skill(model: Model, period: Period | None = None) -> list[Row]:
    """By the skill of the segment."""
    return [row | {"skill_name": model.skill_name(row)} for row in mcs_movement_by(model, "skill_id", period)]
