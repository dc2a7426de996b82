"""The names of ids: `skills.csv`, `agents.csv` and `campaigns.csv` in the lake, and the small tables that they become.

Each file is optional and edited by people. Its lines become rows of the table `skill_names`, `agent_names` or `campaign_names`
in the DuckDB file, which views join. Without files the tables are empty.
"""

from typing import Final, NamedTuple


class NameColumn(NamedTuple):
    """A column of a file of names and of its table: name, type in SQL, meaning."""

    name: str
    sql_type: str
    about: str


class NameFile(NamedTuple):
    """A file of names, its table, and its columns; the second one is the id, the third one the name."""

    file_name: str
    table: str
    about: str
    columns: tuple[NameColumn, ...]


_ACCOUNT: Final = NameColumn("account_id", "VARCHAR", "Account of the id.")
_IS_BOT: Final = "Whether it is a bot's; false where the file does not say."

NAME_FILES: Final = (
    NameFile(
        "skills.csv",
        "skill_names",
        "Names of skills, from skills.csv in the lake: a row for each line with a name, a group or a bot.",
        (
            _ACCOUNT,
            NameColumn("skill_id", "BIGINT", "The skill."),
            NameColumn("skill_name", "VARCHAR", "Name of the skill; NULL: the file has none."),
            NameColumn("is_bot", "BOOLEAN", f"{_IS_BOT}"),
            NameColumn("skill_group", "VARCHAR", "Group that the skill belongs to; NULL: none."),
        ),
    ),
    NameFile(
        "agents.csv",
        "agent_names",
        "Names of agents, from agents.csv in the lake: a row for each line with a name, a group or another value.",
        (
            _ACCOUNT,
            NameColumn("agent_id", "VARCHAR", "The agent."),
            NameColumn("agent_name", "VARCHAR", "Name of the agent; NULL: the file has none."),
            NameColumn("agent_group", "VARCHAR", "Group that the agent belongs to; NULL: none."),
            NameColumn("employee_id", "VARCHAR", "The agent's id in another system; NULL: none."),
            NameColumn("is_bot", "BOOLEAN", f"{_IS_BOT}"),
            NameColumn("hired_on", "DATE", "Day on which the agent was hired; NULL: not known."),
        ),
    ),
    NameFile(
        "campaigns.csv",
        "campaign_names",
        "Names of campaigns, from campaigns.csv in the lake: a row for each line with a name.",
        (
            _ACCOUNT,
            NameColumn("campaign_id", "BIGINT", "The campaign."),
            NameColumn("campaign_name", "VARCHAR", "Name of the campaign; NULL: the file has none."),
        ),
    ),
)
