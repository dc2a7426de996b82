"""The made conversations hold what makes definitions differ, and their facts agree with each other as the model says."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from made_conversations import source_text

from oracle.fact_columns import FACTS
from oracle.facts import Facts, Row, facts_of_file


@pytest.fixture(scope="module")
def facts() -> Facts:
    """The facts of made conversations."""
    return facts_of_file(source_text(16, 400), "made.json")


def by_conversation(rows: list[Row]) -> dict[str, list[Row]]:
    """A fact's rows by conversation."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["conversation_id"], []).append(row)
    return found


def where(rows: list[Row], wrong: Callable[[Row], Any]) -> list[Row]:
    """The rows of which something is true."""
    return [row for row in rows if wrong(row)]


def test_a_seed_gives_the_same_bytes() -> None:
    assert source_text(3, 20) == source_text(3, 20) != source_text(4, 20)


def test_every_outcome_and_every_kind_of_null_is_made(facts: Facts) -> None:
    outcomes = {(row["is_transfer"], row["outcome"]) for row in facts["queue_entries"]}
    assert outcomes == {(step, outcome) for step in (False, True) for outcome in ("answered", "moved", "abandoned", "unknown")}
    for fact, columns in FACTS.items():
        for column in columns:
            values = {row[column] is None for row in facts[fact]}
            never_null = column in {
                "conversation_id",
                "date",
                "entered_date",
                "outcome",
                "transfer_queue_seconds",
            }
            never_null |= column.endswith(("_count", "_number")) and (fact, column) != ("responses", "segment_number")
            never_null |= column in {"is_transfer", "is_last", "is_connected", "is_abandoned"}
            assert values == ({False} if never_null else {False, True}), (fact, column)
    assert {row["transfer_count"] for row in facts["conversation_metrics"]} >= {0, 1, 2, 3, 4}
    assert {row["bounce_count"] for row in facts["segments"]} >= {0, 1}


def test_no_duration_is_negative_and_no_agent_empty(facts: Facts) -> None:
    for fact, columns in FACTS.items():
        for column in columns:
            if column.endswith(("_milliseconds", "_seconds", "_count")):
                assert where(facts[fact], lambda row, of=column: row[of] is not None and row[of] < 0) == []  # type: ignore[misc]
            if column.endswith("agent_id") or column == "person_id":
                assert where(facts[fact], lambda row, of=column: row[of] == "") == []  # type: ignore[misc]


def test_numbers_count_from_1_in_each_conversation(facts: Facts) -> None:
    for fact, column in (("queue_entries", "entry_number"), ("segments", "segment_number"), ("responses", "response_number")):
        for rows in by_conversation(facts[fact]).values():
            assert [row[column] for row in rows] == list(range(1, len(rows) + 1))


def test_counts_of_a_conversation_are_those_of_its_rows(facts: Facts) -> None:
    entries, segments, responses = (by_conversation(facts[fact]) for fact in ("queue_entries", "segments", "responses"))
    for row in facts["conversation_metrics"]:
        key = row["conversation_id"]
        outcomes = Counter(entry["outcome"] for entry in entries[key])
        agents = {segment["agent_id"] for segment in segments.get(key, [])} - {None}
        expected = {
            "queue_entry_count": len(entries[key]),
            "answered_entry_count": outcomes["answered"],
            "abandoned_entry_count": outcomes["abandoned"],
            "moved_entry_count": outcomes["moved"],
            "segment_count": len(segments.get(key, [])),
            "agent_count": len(agents),
            "response_count": len(responses.get(key, [])),
        }
        assert {column: row[column] for column in expected} == expected


def test_the_start_is_an_entry_of_every_conversation_and_of_its_first_skill(facts: Facts) -> None:
    entries = by_conversation(facts["queue_entries"])
    for row in facts["conversation_metrics"]:
        first = entries[row["conversation_id"]][0]
        assert (first["is_transfer"], first["skill_id"]) == (False, row["first_skill_id"])
        assert not any(not entry["is_transfer"] for entry in entries[row["conversation_id"]][1:])


def test_one_segment_is_the_last_and_the_first_bounces_never(facts: Facts) -> None:
    for segments in by_conversation(facts["segments"]).values():
        assert [segment["is_last"] for segment in segments] == [False] * (len(segments) - 1) + [True]
        assert segments[0]["bounce_count"] == 0


def test_each_answered_entry_led_to_a_segment_and_its_agent(facts: Facts) -> None:
    segments = by_conversation(facts["segments"])
    for entry in where(facts["queue_entries"], lambda row: row["outcome"] == "answered"):
        assert any(
            (segment["skill_id"], segment["agent_id"]) == (entry["skill_id"], entry["agent_id"])
            for segment in segments[entry["conversation_id"]]
        )
    assert where(facts["queue_entries"], lambda row: row["outcome"] != "answered" and row["agent_id"] is not None) == []


def test_a_response_within_a_segment_is_behind_its_assignment(facts: Facts) -> None:
    segments = {(row["conversation_id"], row["segment_number"]): row for row in facts["segments"]}
    for row in where(facts["responses"], lambda row: row["segment_number"] is not None):
        segment = segments[row["conversation_id"], row["segment_number"]]
        assert segment["assigned_time"] <= row["response_time"]
        assert row["skill_id"] == segment["skill_id"]
        assert segment["agent_line_count"] > 0
        both = row["from_assignment_milliseconds"], row["response_milliseconds"]
        assert None in both or both[0] <= both[1]
