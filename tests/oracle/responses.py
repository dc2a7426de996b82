"""Views of responses and of first responses: how long visitors waited for an answer, and agents for theirs."""

from oracle.calendar import Period
from oracle.mcs import day_of
from oracle.measures import by_key, columns_of, grouped, known, share, timing
from oracle.model import Model, Row


def responses_by(model: Model, period: Period) -> list[Row]:
    """The responses with their day, that of the answer, and `is_bot`."""
    return [
        row | {"is_bot": model.is_bot(row), period.column: period.of(model, row, "response_time", "date")}
        for row in model.responses
    ]


def counted(prefix: str, milliseconds: list[float | None], of: str = "sum avg p50 p90", count: str | None = None) -> Row:
    """How many of these times are known, and what they are."""
    times = known(milliseconds)
    return {count or f"{prefix}_count": len(times), **timing(prefix, times, of=of)}


def response_time_daily(model: Model, period: Period) -> list[Row]:
    """By day, answers of bots and of people apart."""

    def measures(rows: list[Row]) -> Row:
        firsts = [row for row in rows if row["response_number"] == 1]
        return {
            "response_count": len(rows),
            **counted("response", [row["response_milliseconds"] for row in rows], "sum avg p50 p90 max", "timed_count"),
            **counted("from_assignment", [row["from_assignment_milliseconds"] for row in rows]),
            **counted("first_reply", [row["response_milliseconds"] for row in firsts], "avg p50 p90"),
            **counted("first_answer", [row["from_assignment_milliseconds"] for row in firsts], "avg p50 p90"),
        }

    return by_key(responses_by(model, period), measures, "account_id", period.column, "type", "is_bot")


def response_sla_daily(model: Model, period: Period) -> list[Row]:
    """Answers within each bound, and all with a time under the bound NULL."""
    timed = [row for row in responses_by(model, period) if row["response_milliseconds"] is not None]
    names = ("account_id", period.column, "type", "is_bot")
    found = []
    for values, rows in grouped(timed, columns_of(*names)).items():
        later = [row for row in rows if row["response_number"] > 1]
        found += [
            dict(zip(names, values, strict=True))
            | {"bound_seconds": bound}
            | answered_within("", rows, bound)
            | answered_within("follow_up_", later, bound)
            for bound in (*model.rule(values[0], "response_bounds_seconds"), None)
        ]
    return found


def answered_within(prefix: str, rows: list[Row], bound: float | None) -> Row:
    """How many of these answers took no longer than a bound."""
    count = sum(bound is None or row["response_milliseconds"] <= round(1000 * bound) for row in rows)
    total = "timed_count" if prefix == "" else f"{prefix}count"
    within = f"{prefix}within" if prefix else "within_bound"
    return {f"{within}_count": count, total: len(rows), f"{within}_share": share(count, len(rows))}


def in_milliseconds(rows: list[Row], column: str) -> list[float | None]:
    """A column of seconds in whole milliseconds."""
    return [None if row[column] is None else round(1000 * row[column]) for row in rows]


def first_response_daily(model: Model, period: Period) -> list[Row]:
    """Connected conversations by the time to their first agent line; those that began with a bot apart."""

    def measures(rows: list[Row]) -> Row:
        return {
            "connected_count": len(rows),
            **counted("first_response_from_connection", in_milliseconds(rows, "first_response_seconds")),
            **counted("first_response_from_line", in_milliseconds(rows, "first_reply_seconds")),
        }

    rows = [
        day_of(model, row, period) | {"is_bot": model.is_bot(row, "first_skill_id", "first_agent_id")}
        for row in model.conversation_metrics
        if row["is_connected"]
    ]
    return by_key(rows, measures, "account_id", period.column, "type", "is_bot")


def consumer_response_daily(model: Model, period: Period) -> list[Row]:
    """The visitor's answers that have a time, by whom they answer; of the day of the agent's answer to them."""
    answers = []
    for row in responses_by(model, period):
        is_bot = model.is_bot({**row, "skill_id": row["former_skill_id"], "agent_id": row["former_agent_id"]})
        if row["visitor_response_milliseconds"] is not None:
            answers.append(row | {"is_bot": is_bot})

    def measures(rows: list[Row]) -> Row:
        return counted("visitor_response", [row["visitor_response_milliseconds"] for row in rows], "sum avg p50 p90 max")

    return by_key(answers, measures, "account_id", period.column, "type", "is_bot")


def talk_daily(model: Model, period: Period) -> list[Row]:
    """Lines of agents and of visitors in segments, and who wrote none."""

    def measures(rows: list[Row]) -> Row:
        lines = [(row["agent_line_count"], row["visitor_line_count"]) for row in rows]
        by_agents, by_visitors = (sum(side) for side in zip(*lines, strict=True))
        return {
            "segment_count": len(rows),
            "agent_line_count": by_agents,
            "visitor_line_count": by_visitors,
            "talk_ratio": share(by_agents, by_visitors),
            "two_way_count": sum(agent > 0 and visitor > 0 for agent, visitor in lines),
            "non_responsive_count": sum(agent == 0 and visitor > 0 for agent, visitor in lines),
            "silent_count": sum(visitor == 0 for _, visitor in lines),
        }

    rows = [
        row | {"is_bot": model.is_bot(row), period.column: period.of(model, row, "assigned_time", "date")}
        for row in model.segments
    ]
    return by_key(rows, measures, "account_id", period.column, "type", "is_bot")
