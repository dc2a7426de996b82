"""One chart of the report, and the words and the spread that several have."""

from dataclasses import dataclass

from pipeline.report.choices import Choices
from pipeline.report.cubes import Query
from pipeline.report.style import Panel

STARTED = "Days are those of the conversation's start, on the account's clocks."


@dataclass(frozen=True)
class Chart:
    """A chart of the page. `unsplit` is the reason if the choice of a skill does not apply."""

    name: str
    section: str
    title: str
    definition: str
    query: Query
    panels: tuple[Panel, ...] = ()
    unsplit: str | None = None


def skill_spread(choices: Choices) -> str:
    """Give the spread of charts by skill: an id that two accounts have is two skills."""
    return "account_skill" if choices.has_shared_skills else "skill"
