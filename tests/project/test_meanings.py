"""A column's name has one meaning in all tables and views: joined by name, two numbers are of the same things."""

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

import duckdb
import pytest
from places import ROOT

from pipeline.schema import TABLES
from pipeline.warehouse.catalogue import how_counted, unit_of
from pipeline.warehouse.library import column_meanings, create_views

CATALOGUE: Final = json.loads((ROOT / "docs" / "metrics.json").read_text(encoding="utf-8"))["views"]

RELATIVE: Final = {
    "whose it is follows from the row: a conversation's last one, a segment's own, an answer's author": (
        *("account_id", "agent_id", "agent_name", "agent_group", "skill_id", "skill_name", "skill_group"),
        *("campaign_id", "conversation_id", "target_agent_id"),
    ),
    "a time of the row: of its conversation, entry, segment, response, line or interval; the grain says which": (
        *("date", "hour", "timestamp", "queue_start_time", "queue_end_time"),
        *("local_date", "local_week", "local_month", "local_hour", "local_time", "local_start_time"),
    ),
    "a place among the rows of one conversation": ("position", "response_number", "segment_number"),
    "names of the source, or of small tables: type of a conversation or a line, reason of a transfer or a reject": (
        *("type", "reason", "name", "code", "is_interactive"),
    ),
}
"""Names without a meaning of their own, by the reason. No name of a measure is among them."""

SEVERAL: Final = {
    "mcs": {"Meaningful Connection Score.", "Meaningful Connection Score of the message."},
    "agent_line_count": {  # the names of two facts, which are a contract, and the sum of the second
        "Messages of type 1, 3 or 4.",
        "Agent lines from the assignment on, before the end.",
        "Lines by agents in the segments.",
    },
    "visitor_line_count": {
        "Messages of type 0.",
        "Visitor lines from the assignment on, before the end.",
        "Lines by visitors in the segments.",
    },
    "response_avg_seconds": {  # of a conversation in the fact, which is a contract; else of the row
        "Mean time of the answers with a time.",
        "Mean time of a response: response_sum_seconds / timed_count.",
    },
    "agent_nickname": {  # of a segment in the fact, which is a contract
        "Name that the agent's last line of the segment carries.",
        "Newest nickname that the agent's lines carry; NULL: none.",
    },
    "is_bot": {  # the work that the row is of
        "A bot's: by agents.csv, else by skills.csv.",
        "Work of bots, else of people: by agents.csv, else by skills.csv.",
        "A bot's: by agents.csv of the agent who answered, else by skills.csv.",
        "A bot had the conversation last: the last agent by agents.csv, else the last skill by skills.csv.",
        "True where only bots had the conversation.",
        "The conversation began with a bot: its first agent by agents.csv, else its first skill by skills.csv.",
        "True where visitors answered a bot.",
        "A bot handed over: the agent by agents.csv, else the skill left by skills.csv.",
        "True for transfers by bots, false for those by people.",
        "True for a skill in which bots answer, no people.",
        "True for a bot; false where agents.csv does not say.",
        "True for a bot; NULL: the file does not say, so the skill tells.",
        "True for a skill of bots; false where skills.csv does not say.",
    },
    "account_name": {
        "Name of the account: write it in a row with its account_id.",
        "Name of the account, else its id.",
    },
    "time_zone": {"The account's time zone, for local days and hours.", "Name of the time zone."},
    "missing": {  # of a listing, and of the hours still missing
        "Names of the files that the run could not download; empty where all are in the lake.",
        "Names of listed files that could not be downloaded.",
    },
    "loaded_at": {"The file's load finished.", "The newest load finished."},
    "scope_start_time": {
        "Start of the hour that the file covers: from its name, else from the listing.",
        "Start of the first loaded file's hour.",
    },
    "scope_end_time": {"End of the hour that the file covers.", "End of the newest loaded file's hour."},
}
"""Names with more than one meaning, each of which is listed: a further one fails."""

SAME: Final = (
    ("is_abandoned_entry", "not is_bot and outcome = 'abandoned'"),
    ("is_person", "not is_bot"),
    ("not is_response", ""),
    ("is_segment", ""),
    ("has_visitor_line", "visitor_line_count > 0"),
    ("not has_agent_line", "agent_line_count = 0"),
    ("is_transfer and ", ""),
)
"""Conditions on rows of several kinds, with those that say the same of rows of one kind."""


Bases = dict[str, dict[Any, list[str]]]


@pytest.fixture(scope="module")
def columns() -> Bases:
    """Return each meaning, operands, n and unit of each name of a column, with the tables and views that have it."""
    with duckdb.connect() as connection:
        for table in TABLES.values():
            connection.register("no_rows", table.arrow_schema.empty_table())
            connection.execute(f"create table {table.name} as from no_rows")
        connection.unregister("no_rows")
        create_views(connection)
        names: dict[str, list[str]] = defaultdict(list)
        every = "select table_name, column_name from duckdb_columns() where not internal order by all"
        for place, column in connection.execute(every).fetchall():
            names[place].append(column)
    meanings = column_meanings(names)
    return bases_of({place: {name: meanings[place].get(name) for name in listed} for place, listed in names.items()})


def bases_of(meanings: Mapping[str, Mapping[str, str | None]]) -> Bases:
    """Return the bases of each name, each with its tables and views; a hidden column of a table has no meaning."""
    found: Bases = defaultdict(lambda: defaultdict(list))
    for place, columns in meanings.items():
        for column, meaning in columns.items():
            if meaning is not None:
                counted = how_counted(column, meaning, columns)
                found[column][meaning, *sorted(counted.items()), unit_of(column, meaning)].append(place)
    return found


def test_each_name_has_one_basis(columns: Bases) -> None:
    """Columns of one name have the same words, numerator, denominator, n and unit, but those of the lists above."""
    free = {name for names in RELATIVE.values() for name in names}
    wrong = {
        name: dict(bases)
        for name, bases in columns.items()
        if len(bases) > 1 and name not in free and {basis[0] for basis in bases} != SEVERAL.get(name)
    }
    assert wrong == {}


def test_the_lists_name_nothing_else(columns: Bases) -> None:
    """Each name of the lists has more than one meaning today; none is in both."""
    free = {name for names in RELATIVE.values() for name in names}
    assert {name for name in (*free, *SEVERAL) if len(columns[name]) < 2} == set()
    assert free & set(SEVERAL) == set()
    assert [name for name in free if name.endswith(("_count", "_share", "_seconds", "_ratio", "_avg"))] == []


def test_each_name_has_one_filter() -> None:
    """Columns of one name count rows by the same condition, where the last select has one."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for entry in CATALOGUE:
        for column in entry["columns"]:
            text = " | ".join(column.get("filters", []))
            for condition, same in SAME:
                text = text.replace(condition, same)
            if text:
                found[column["name"]][text].append(entry["name"])
    assert {name: dict(texts) for name, texts in found.items() if len(texts) > 1} == {}


def test_a_meaning_can_be_read_alone(columns: Bases) -> None:
    """No meaning speaks of the column above it, as "None was." and "Author of that response" do: a tool shows one alone."""
    leaning = re.compile(
        r"^(It|None|They|This|That|Those) |\bthat (line|response|greeting|segment)\b|\b(had|to|for|falls in) it\b"
    )
    meanings = {(name, basis[0]) for name, bases in columns.items() for basis in bases}
    assert {(name, words) for name, words in meanings if leaning.search(words)} == set()


def test_a_taken_name_with_another_meaning_is_found() -> None:
    """The comparison sees other words, and the same words with another numerator or n."""
    words = {"mcs_avg": "Mean score: mcs_sum / scored_count.", "mcs_sum": "Sum.", "scored_count": "Scores."}

    assert len(bases_of({"one": words, "other": words})["mcs_avg"]) == 1
    assert len(bases_of({"one": words, "other": words | {"mcs_avg": "Mean."}})["mcs_avg"]) == 2
    without = {name: words[name] for name in ("mcs_avg", "scored_count")}
    assert len(bases_of({"one": words, "other": without})["mcs_avg"]) == 2
