"""An account that sends one record a leg of a conversation: the check tells it, and no leg is a return."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from lakes import ask, take

from pipeline.lake.lake import Lake
from pipeline.sandbox import Account, demo_accounts, file_bytes, hour_file_names
from pipeline.warehouse.library import checks

NOON = datetime(2026, 3, 11, 17, tzinfo=UTC)


def lake_of(folder: Path, account: Account) -> Lake:
    """A lake of some hours of an account."""
    lake = Lake(str(folder / "lake"))
    names = [name for hour in range(4) for name in hour_file_names(account, NOON + timedelta(hours=hour))]
    for name in names:
        (folder / name).write_bytes(file_bytes(account, name))
    take(lake, *(folder / name for name in names))
    return lake


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, Lake]:
    """The same hours, as whole conversations and as legs."""
    account = replace(demo_accounts()[0], conversations_per_day=700)
    return (
        lake_of(tmp_path_factory.mktemp("whole"), account),
        lake_of(tmp_path_factory.mktemp("legs"), replace(account, sends_legs=True)),
    )


def test_a_leg_is_no_return(lakes: tuple[Lake, Lake]) -> None:
    """The returns, their times and skills are the same, whether conversations come whole or as legs."""
    query = """
        select person_id, skill_id, agent_id, conversation_end_time, next_start_time, repeat_seconds, is_same_skill
        from repeat_contact
        order by all
    """
    whole, legs = (ask(lake, query) for lake in lakes)

    assert any(row[4] for row in whole)
    assert whole == legs
    assert len(ask(lakes[1], "from conversations")) > len(whole)


def test_a_leg_of_a_person_ends_containment(lakes: tuple[Lake, Lake]) -> None:
    """Conversations that began with a bot are contained, handed over and given up alike, as a whole or as legs."""
    for lake in lakes:
        Path(lake.path("skills.csv")).write_text("account_id,skill_id,is_bot\n,90,yes\n", encoding="utf-8")
    query = """
        select conversation_start_time, type, reached_person, gave_up, person_skill_id, person_agent_id, person_wait_seconds
        from bot_conversations
        order by all
    """
    whole, legs = (ask(lake, query) for lake in lakes)

    assert {row[2] for row in whole} == {True, False}
    assert whole == legs


def test_the_check_tells_of_legs(lakes: tuple[Lake, Lake]) -> None:
    """The check finds the account that sends legs, and nothing in one that sends whole conversations."""
    (check,) = (check for check in checks() if check.name == "legs")
    whole, legs = (ask(lake, check.sql) for lake in lakes)

    assert whole == []
    assert {row[1] for row in legs} == {"LIVE_CHAT", "MESSAGING"}


def test_no_check_doubts_the_flags_of_legs(lakes: tuple[Lake, Lake]) -> None:
    """The flag of a leg is that of the conversation, whose lines may stand in another leg."""
    (check,) = (check for check in checks() if check.name == "interactive_flag")
    assert [ask(lake, check.sql) for lake in lakes] == [[], []]
