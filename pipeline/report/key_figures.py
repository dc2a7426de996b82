"""The key figures at the top of the report, each with the counts that it rests on."""

import re
from dataclasses import dataclass, replace

from pipeline.report.cubes import Query
from pipeline.report.formatting import FILTERS, Row, format_count
from pipeline.report.measures import BOT_ENTRIES, BOT_RESPONSES, CONVERSATIONS, ENTRIES, RESPONSES
from pipeline.report.targets import Target

AT_LEAST, AT_MOST = "\N{GREATER-THAN OR EQUAL TO}", "\N{LESS-THAN OR EQUAL TO}"
QUERIES = {
    "entries": Query(
        ENTRIES,
        (),
        None,
        (
            "entry_count",
            "answered_count",
            "abandoned_count",
            "closed_count",
            "abandoned_share",
            "within_count",
            "service_level_count",
            "service_level_share",
            "queued_count",
            "queue_p50_seconds",
            "queue_p90_seconds",
        ),
    ),
    "responses": Query(RESPONSES, (), None, ("first_reply_count", "first_reply_p50_seconds")),
    "conversations": Query(
        CONVERSATIONS, (), None, ("conversation_count", "people_conversation_count", "people_scored_count", "people_mcs_avg")
    ),
}
BOT_QUERIES = {
    "entries": replace(QUERIES["entries"], source=BOT_ENTRIES),
    "responses": replace(QUERIES["responses"], source=BOT_RESPONSES),
    "conversations": Query(CONVERSATIONS, (), None, ("bot_conversation_count", "bot_scored_count", "bot_mcs_avg")),
}
"""The same of bots; measures of people have bots' in the place of people's in their names."""


@dataclass(frozen=True)
class KeyFigure:
    """A figure: `measure` of a query in `QUERIES`, formatted by a filter of `formatting`; `basis` names counts in braces.

    `parts` and `cases` are the counts of a share, whose change has an interval. `chart` has its measure by day.
    """

    name: str
    title: str
    query: str
    measure: str
    form: str
    basis: str
    chart: str
    parts: str = ""
    cases: str = ""

    def value(self, row: Row) -> str:
        """Format the figure."""
        text: str = FILTERS[self.form](row[self.measure])
        return text

    def against(self, target: Target, row: Row) -> str:
        """Say the target of all accounts, and whether the figure meets it; "" without one."""
        wanted = target.values[0] if target.values else None
        if wanted is None:
            return ""
        words = f"target {AT_LEAST if target.is_least else AT_MOST} {FILTERS[self.form](wanted)}"
        value = row[self.measure]
        if value is None:
            return words
        beyond = round(float(value) - wanted, 9)  # the last digits of a share are not those of a percentage
        return f"{words}: {'met' if (beyond >= 0 if target.is_least else beyond <= 0) else 'missed'}"

    def of_bots(self, row: Row) -> str:
        """Format the figure of bots with its counts; "" where they have no case."""
        figure = replace(self, measure=_bots(self.measure), basis=_bots(self.basis))
        return "" if row[figure.measure] is None else f"bots: {figure.value(row)}, {figure.count(row)}"

    def count(self, row: Row) -> str:
        """Format the counts that it rests on."""
        return re.sub(r"{(\w+)}", lambda found: format_count(row[found[1]]), self.basis)


def _bots(text: str) -> str:
    return text.replace("people_", "bot_")


KEY_FIGURES = (
    KeyFigure(
        "conversations",
        "Conversations",
        "conversations",
        "people_conversation_count",
        "count",
        "n = {people_scored_count} scored",
        "mcs-by-day",
    ),
    KeyFigure(
        "entries",
        "Queue entries",
        "entries",
        "entry_count",
        "count",
        "{answered_count} answered, {abandoned_count} abandoned",
        "queue-by-day",
    ),
    KeyFigure(
        "p50",
        "Queue time, median",
        "entries",
        "queue_p50_seconds",
        "duration",
        "n = {queued_count} answered",
        "queue-by-day",
    ),
    KeyFigure(
        "p90",
        "Queue time, 90th percentile",
        "entries",
        "queue_p90_seconds",
        "duration",
        "n = {queued_count} answered",
        "queue-by-day",
    ),
    KeyFigure(
        "service-level",
        "Service level",
        "entries",
        "service_level_share",
        "share",
        "{within_count} in time of n = {service_level_count}",
        "service-level-by-day",
        "within_count",
        "service_level_count",
    ),
    KeyFigure(
        "abandoned",
        "Abandoned",
        "entries",
        "abandoned_share",
        "share",
        "{abandoned_count} of n = {closed_count}",
        "service-level-by-day",
        "abandoned_count",
        "closed_count",
    ),
    KeyFigure(
        "first-reply",
        "First reply, median",
        "responses",
        "first_reply_p50_seconds",
        "duration",
        "n = {first_reply_count} answered",
        "response-by-day",
    ),
    KeyFigure(
        "mcs", "MCS, mean", "conversations", "people_mcs_avg", "number", "n = {people_scored_count} scored", "mcs-by-day"
    ),
)
