"""The key figures at the top of the report, each with the counts that it rests on."""

import re
from dataclasses import dataclass

from pipeline.report.cubes import Query, Row
from pipeline.report.formatting import FILTERS, format_count
from pipeline.report.measures import CONVERSATIONS, ENTRIES, RESPONSES

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
    "conversations": Query(CONVERSATIONS, (), None, ("conversation_count", "scored_count", "mcs_avg")),
}


@dataclass(frozen=True)
class KeyFigure:
    """A figure: `measure` of a query in `QUERIES`, formatted by a filter of `formatting`; `basis` names counts in braces.

    `parts` and `cases` are the counts of a share, whose change has an interval.
    """

    name: str
    title: str
    query: str
    measure: str
    form: str
    basis: str
    parts: str = ""
    cases: str = ""

    def value(self, row: Row) -> str:
        """Format the figure."""
        text: str = FILTERS[self.form](row[self.measure])
        return text

    def count(self, row: Row) -> str:
        """Format the counts that it rests on."""
        return re.sub(r"{(\w+)}", lambda found: format_count(row[found[1]]), self.basis)


KEY_FIGURES = (
    KeyFigure("p50", "Queue time, median", "entries", "queue_p50_seconds", "duration", "n = {queued_count} answered"),
    KeyFigure("p90", "Queue time, 90th percentile", "entries", "queue_p90_seconds", "duration", "n = {queued_count} answered"),
    KeyFigure(
        "service-level",
        "Service level",
        "entries",
        "service_level_share",
        "share",
        "{within_count} in time of n = {service_level_count}",
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
    ),
    KeyFigure("mcs", "MCS, mean", "conversations", "mcs_avg", "number", "n = {scored_count} scored"),
)
