"""The reasons for the model, each rebuilt in small: the views give the numbers that an operation can defend."""

import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any, Final

import pytest

from oracle.made_lakes import Given, Made
from oracle.views import VIEWS, differences

Row = dict[str, Any]

ACCOUNT: Final = "75555851"
MONDAY: Final = date(2026, 3, 2)
NOON: Final = 1_772_452_800_000
"""2 March 2026, 12:00 UTC, a Monday."""
DAY: Final = 86_400_000
SALES, SUPPORT, BOT = 1, 2, 9
NAMES: Final = {
    "skills": (
        {"account_id": ACCOUNT, "skill_id": SALES, "skill_name": "Sales", "is_bot": False},
        {"account_id": ACCOUNT, "skill_id": SUPPORT, "skill_name": "Support", "is_bot": False},
        {"account_id": ACCOUNT, "skill_id": BOT, "skill_name": "Concierge", "is_bot": True},
    )
}


def file_of(conversations: Iterable[Row], visitor: str = "") -> bytes:
    """A source file of conversations, each in a document of its own and of a visitor with this id."""
    lines = []
    for number, conversation in enumerate(conversations):
        sent = {"conversationId": f"c{number:04d}", "type": "LIVE_CHAT"} | conversation
        body = {"header": {"visitId": f"s{number}", "visitorId": visitor}, "engagements": [sent]}
        meta_data = {"accountId": ACCOUNT, "schemaVersion": "1.0.0.22"}
        lines.append(
            json.dumps({"dataType": "Engagement", "metaData": meta_data, "recordCollection": [{"body": body}]}).encode()
        )
    return b"\n".join(lines) + b"\n"


def chat(start: int = NOON, wait: float = 0, *, skill: int = SALES, seconds: float = 60, **fields: Any) -> Row:
    """A conversation that an agent answers after so many seconds, and that ends so many seconds later."""
    answered = start + round(1000 * wait)
    return {
        "conversationStartTime": start,
        "queueStartTime": start,
        "queueEndTime": answered,
        "interactionStartTime": answered,
        "conversationEndTime": answered + round(1000 * seconds),
        "skillId": skill,
        "agentId": "ada",
    } | fields


def given_up(start: int = NOON, wait: float = 0, *, skill: int = SALES) -> Row:
    """A conversation whose visitor leaves the queue after so many seconds."""
    left = start + round(1000 * wait)
    times = {"conversationStartTime": start, "queueStartTime": start, "queueEndTime": left, "conversationEndTime": left}
    return {**times, "skillId": skill}


def handed_on(start: int = NOON, *, wait: float, to: int = SALES, is_answered: bool) -> Row:
    """A conversation that a bot answers after a second and hands on a minute later to a queue, which answers or not."""
    transferred = start + 61_000
    left = transferred + round(1000 * wait)
    transfer = {
        "timestamp": transferred,
        "skillId": BOT,
        "agentId": "robin",
        "targetSkillId": to,
        "queueStartTime": transferred,
        "queueEndTime": left,
    }
    end = left + 60_000 if is_answered else left
    answered = chat(start, 1, skill=to, agentId="ada" if is_answered else "robin")
    return answered | {"conversationEndTime": end, "transfers": [transfer]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for a lake."""
    return tmp_path


def lake(folder: Path, conversations: Iterable[Row], *, settings: Row | None = None) -> Made:
    """A lake with these conversations, a named bot, and a service level of 20 seconds."""
    rules = {"service_level_seconds": 20.0} | (settings or {})
    return Given({"made.json": file_of(conversations)}, NAMES, {None: rules}).made(folder)


def rows(made: Made, view: str, *columns: str) -> list[tuple[Any, ...]]:
    """These columns of a view, sorted, once both implementations agree on all of them."""
    second, key = VIEWS[view]
    found = made.found(view)
    assert differences(second(made.model), found, key) == []
    return sorted((tuple(row[column] for column in columns) for row in found), key=str)


def test_strangers_without_an_id_are_not_one_person(folder: Path) -> None:
    """Three visitors whose ids are empty came once each; nobody came back."""
    made = lake(
        folder, [chat(NOON + number * 3_600_000, consumerId=consumer) for number, consumer in enumerate(("", None, ""))]
    )
    assert rows(made, "repeat_contact", "conversation_id") == []
    assert rows(made, "repeat_contact_daily", "closed_count", "repeated_count") in ([], [(0, 0)])


def test_waits_stand_under_the_skill_whose_queue_it_was(folder: Path) -> None:
    """Ten seconds for Sales, which answered, then fifty for Support, which had the conversation in the end."""
    transfer = {
        "timestamp": NOON + 40_000,
        "skillId": SALES,
        "agentId": "ada",
        "targetSkillId": SUPPORT,
        "queueStartTime": NOON + 40_000,
        "queueEndTime": NOON + 90_000,
    }
    made = lake(folder, [chat(wait=10, seconds=120, skill=SUPPORT, transfers=[transfer])])
    assert rows(made, "queue_time_by_skill", "skill_name", "entry_count", "queue_avg_seconds") == [
        ("Sales", 1, 10.0),
        ("Support", 1, 50.0),
    ]


def test_who_gives_up_in_the_queue_behind_a_bot_is_abandoned_there(folder: Path) -> None:
    """Of 20 who wait for Sales 15 are answered, 12 in time; 2 of those who give up came by themselves, 3 by the bot."""
    waits = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 20, 21, 40, 90]
    made = lake(
        folder,
        [chat(wait=wait) for wait in waits]
        + [given_up(wait=30), given_up(wait=40)]
        + [handed_on(wait=wait, is_answered=False) for wait in (15, 60, 80)],
    )
    columns = ("skill_name", "entry_count", "answered_count", "abandoned_count", "abandoned_share", "queue_p90_seconds")
    assert rows(made, "queue_time_by_skill", *columns) == [
        ("Concierge", 3, 3, 0, 0.0, 1.0),
        ("Sales", 20, 15, 5, 0.25, pytest.approx(32.4)),
    ]
    assert rows(made, "bot_daily", "bot_count", "contained_count", "gave_up_count") == [(3, 3, 3)]
    people = ("people_within_count", "people_answered_count", "people_abandoned_count", "people_service_level_share")
    level = (*people, "bot_within_count")
    assert rows(made, "service_level_daily", *level) == [(12, 15, 5, 0.6, 3)]
    conversations = ("conversation_count", "abandoned_conversation_count")
    entries = ("people_entry_count", "people_abandoned_count", "people_abandoned_share")
    assert rows(made, "abandonment_daily", *conversations, *entries) == [(20, 2, 20, 5, 0.25)]


def test_a_bot_hands_over_and_the_visitor_waits_for_a_person(folder: Path) -> None:
    """A second for the bot, a minute with it, then ten seconds for a person: 71 seconds in all."""
    made = lake(folder, [handed_on(wait=10, is_answered=True)])
    columns = ("containment_share", "handover_share", "person_wait_avg_seconds", "handover_wait_avg_seconds")
    assert rows(made, "bot_daily", *columns) == [(0.0, 1.0, 71.0, 10.0)]
    assert rows(made, "service_level_daily", "people_within_count", "people_answered_count", "bot_answered_count") == [
        (1, 1, 1)
    ]


def test_a_short_abandon_is_in_no_denominator_of_the_service_level(folder: Path) -> None:
    """Thresholds are whole milliseconds: 20.000 s is in time and 20.001 s is not; 4.999 s is short and 5.000 s is not."""
    made = lake(folder, [chat(wait=20), chat(wait=20.001), given_up(wait=4.999), given_up(wait=5)])
    counts = ("people_within_count", "people_short_abandon_count")
    columns = (*counts, "people_service_level_share", "people_service_level_of_all_share")
    assert rows(made, "service_level_daily", *columns) == [(1, 1, pytest.approx(1 / 3), 0.25)]


def test_no_bots_without_names(folder: Path) -> None:
    """An account that names no bot has no row about bots."""
    made = Given({"made.json": file_of([handed_on(wait=10, is_answered=True)])}, {}, {}).made(folder)
    assert rows(made, "bot_daily", "bot_count") == []


def test_chat_and_messaging_are_apart(folder: Path) -> None:
    """A chat of five minutes and a conversation of twenty have no common mean."""
    made = lake(folder, [chat(seconds=306), chat(seconds=1_221, type="MESSAGING")])
    assert rows(made, "handling_daily", "type", "chat_count", "chat_avg_seconds") == [
        ("LIVE_CHAT", 1, 306.0),
        ("MESSAGING", 1, 1_221.0),
    ]
    assert rows(made, "queue_time_daily", "type", "entry_count") == [("LIVE_CHAT", 1), ("MESSAGING", 1)]


def test_a_percentile_of_a_week_is_that_of_all_its_waits(folder: Path) -> None:
    """One busy day with long waits and six quiet ones: the mean of the days' p90 is far from the week's."""
    busy = [chat(NOON + number * 60_000, 100 + number) for number in range(20)]
    quiet = [chat(NOON + day * DAY + number * 60_000, 10) for day in range(1, 7) for number in range(2)]
    made = lake(folder, busy + quiet)
    assert rows(made, "queue_time_weekly", "local_week", "queued_count", "queue_p90_seconds") == [
        (MONDAY, 32, pytest.approx(115.9))
    ]
    days = [p90 for (p90,) in rows(made, "queue_time_daily", "queue_p90_seconds")]
    assert sum(days) / len(days) == pytest.approx(25.3)
