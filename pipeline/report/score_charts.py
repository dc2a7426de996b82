"""The report's charts of the Meaningful Connection Score, of people and of bots."""

from pipeline.report.chart import STARTED, Chart, skill_spread
from pipeline.report.choices import Choices
from pipeline.report.cubes import Query
from pipeline.report.measures import CONVERSATIONS
from pipeline.report.style import band_panel, column_panel, line_panel

LAST_SKILL = "The skill is the conversation's last one."
BOTS_APART = "Conversations that a bot had last stand apart."
SCALES = {"0-100": list(range(0, 100, 10)), "-100-100": list(range(-100, 100, 10)), "class": [-1, 0, 1]}
"""The buckets of the scales of scores."""


def mcs_charts(choices: Choices) -> list[Chart]:
    """Distribution, days and skills; bots stand beside people if any is named."""
    scores = ("people_scored_count", "people_mcs_avg", "people_mcs_p10", "people_mcs_p50", "people_mcs_p90")
    counts = ("people_conversation_count", *(("bot_conversation_count",) if choices.has_bots else ()))
    spread = (*scores, *(("bot_scored_count", "bot_mcs_avg") if choices.has_bots else ()))
    [name] = choices.scales if len(choices.scales) == 1 else ["0-100"]
    buckets = SCALES.get(name, SCALES["0-100"])
    axis = {"title": None, "scale": {"domain": [buckets[0], buckets[-1] + (0 if name == "class" else 10)]}}
    apart = f" {BOTS_APART}" if choices.has_bots else ""
    bot_tips = ["local_date", "account_id", "bot_scored_count", "bot_mcs_avg"]
    return [
        Chart(
            name="mcs-distribution",
            section="Meaningful Connection Score",
            title="MCS distribution",
            definition="Conversations by their score, in steps of ten: 60 stands for 60 to 69, and 90 for 90 to 100; of the "
            f"scale class, by class. Those without a score on the account's scale are left out. {LAST_SKILL}{apart}",
            query=Query(CONVERSATIONS, ("bucket",), None, counts, condition="mcs_bucket is not null"),
            panels=tuple(
                column_panel(who, count, "bucket", buckets, ["bucket", count])
                for who, count in zip(("People", "Bots") if choices.has_bots else (None,), counts, strict=True)
            ),
        ),
        Chart(
            name="mcs-by-day",
            section="Meaningful Connection Score",
            title="MCS",
            definition="Mean score of the scored conversations; of a single account, the band spans the 10th to the 90th "
            f"percentile. {LAST_SKILL} {STARTED}{apart}",
            query=Query(CONVERSATIONS, ("local_date",), "account", spread, hidden=("people_conversation_count",)),
            panels=(
                band_panel(
                    "People, mean" if choices.has_bots else None,
                    "people_mcs_avg",
                    ("people_mcs_p10", "people_mcs_p90"),
                    ["local_date", "account_id", *scores],
                    axis,
                ),
                *([line_panel("Bots, mean", "bot_mcs_avg", bot_tips, axis)] if choices.has_bots else []),
            ),
        ),
        Chart(
            name="mcs-by-skill",
            section="Meaningful Connection Score",
            title="MCS by skill",
            definition=f"Scores by skill. {LAST_SKILL}{apart}",
            query=Query(CONVERSATIONS, (), skill_spread(choices), ("people_conversation_count", *spread)),
        ),
    ]
