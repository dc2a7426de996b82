"""The names of the made-up accounts, as an operation would write them into the files of names of its lake."""

import csv
import io
from collections.abc import Collection, Iterable

from pipeline.sandbox.account import ASSISTANT, HUMAN_SKILLS, SALES, Account
from pipeline.sandbox.staff import bot, team

_SURNAMES = ("Ahmed", "Berg", "Costa", "Dietz", "Evans", "Fischer", "Garcia", "Haas", "Ito", "Jansen", "Kim", "Lopez", "Mwangi")
_CAMPAIGNS = ("Home page", "Product pages", "Checkout", "Help centre", "Order status", "Returns")
_TOPICS = (
    ("delivery", r"\b(deliver\w*|courier|tracking|where is my order)\b"),
    ("login", r"\blog in\b|two-factor|password"),
    ("payment", r"\b(charged|refund|fee|card|pay|payment)\b"),
    ("return", r"\breturn\b|too small|arrived broken"),
)
_GROUPS = {SALES: "Sales", ASSISTANT: "Bots"}


def name_files(accounts: Collection[Account]) -> dict[str, str]:
    """Give the text of each file of names, by the file's name: skills, agents and campaigns of the accounts, and topics."""
    return {
        "skills.csv": _text(
            ("account_id", "skill_id", "skill_name", "is_bot", "skill_group"),
            (
                (account.account_id, skill.skill_id, skill.name, _flag(skill is ASSISTANT), _GROUPS.get(skill, "Service"))
                for account in accounts
                for skill in (*HUMAN_SKILLS, ASSISTANT)
            ),
        ),
        "agents.csv": _text(
            ("account_id", "agent_id", "agent_name", "agent_group", "is_bot"),
            (row for account in accounts for row in _agents(account)),
        ),
        "campaigns.csv": _text(
            ("account_id", "campaign_id", "campaign_name"),
            (
                (account.account_id, account.first_campaign_id + 10 * place, name)
                for account in accounts
                for place, name in enumerate(_CAMPAIGNS)
            ),
        ),
        "topics.csv": _text(("name", "pattern"), _TOPICS),
    }


def settings_rows(accounts: Iterable[Account]) -> str:
    """Give the lines of settings.csv for the accounts: their names, time zones and targets."""
    rows = [
        row
        for account in accounts
        for row in (
            ("account_name", account.account_id, f"Shop {account.time_zone.rpartition('/')[2].replace('_', ' ')}", ""),
            ("time_zone", account.account_id, account.time_zone, ""),
            ("service_level_target_percent", account.account_id, "80", ""),
            ("abandoned_target_percent", account.account_id, "10", ""),
            ("queue_p90_target_seconds", account.account_id, "60", ""),
        )
    ]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def _agents(account: Account) -> Iterable[tuple[object, ...]]:
    assistant = bot(account)
    yield account.account_id, assistant.agent_id, assistant.name, "Bots", _flag(assistant.is_bot)
    for agent in team(account):
        name = f"{agent.name} {_SURNAMES[agent.number % len(_SURNAMES)]}"
        yield account.account_id, agent.agent_id, name, f"Team {1 + agent.number % 3}", _flag(agent.is_bot)


def _flag(is_bot: bool) -> str:  # noqa: FBT001
    return "true" if is_bot else ""


def _text(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()
