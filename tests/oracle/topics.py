"""Views of topics: interactive conversations in which a visitor's line matches a pattern."""

import re

from oracle.calendar import Period
from oracle.facts import VISITOR
from oracle.mcs import day_of
from oracle.measures import columns_of, grouped, share
from oracle.model import Model, Row, conversation_key


def patterns_of(model: Model, account_id: str | None) -> dict[str, list[str]]:
    """The patterns of each topic of an account: its own, and those of all accounts."""
    found: dict[str, list[str]] = {}
    for topic in model.topics:
        if topic["account_id"] in {None, account_id}:
            found.setdefault(topic["name"], []).append(topic["pattern"])
    return found


def topic_conversations(model: Model) -> list[Row]:
    """The conversations of each topic."""
    lines = grouped((row for row in model.messages if row["type"] in VISITOR and row["text"]), conversation_key)
    names = ("account_id", "conversation_id", "date", "type")
    return [
        {name: row[name] for name in names} | {"topic": topic}
        for row in model.conversation_metrics
        if row["was_interactive"]
        for topic, patterns in patterns_of(model, row["account_id"]).items()
        if any(
            re.search(pattern, line["text"], re.IGNORECASE)
            for pattern in patterns
            for line in lines.get(conversation_key(row), [])
        )
    ]


def topic_daily(model: Model, period: Period) -> list[Row]:
    """The share of each topic in the interactive conversations of a day."""
    matched = {(*conversation_key(row), row["topic"]) for row in topic_conversations(model)}
    keys = columns_of("account_id", period.column, "type")
    rows = [day_of(model, row, period) | {"key": conversation_key(row)} for row in model.conversation_metrics]
    found = []
    for values, group in grouped([row for row in rows if row["was_interactive"]], keys).items():
        for topic in patterns_of(model, values[0]):
            count = sum((*row["key"], topic) in matched for row in group)
            found.append(
                dict(zip(("account_id", period.column, "type"), values, strict=True))
                | {"topic": topic, "interactive_conversation_count": len(group), "topic_count": count}
                | {"topic_share": share(count, len(group))}
            )
    return found
