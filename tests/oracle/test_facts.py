"""The second implementation of the facts gives the rows that were worked out by hand."""

import gzip
import json
from collections import Counter

import pytest
from made_conversations import source_text

from oracle.fact_columns import FACTS
from oracle.fact_differences import differences
from oracle.facts import Facts, facts_of_file
from oracle.facts_cases import CASES, Case, source_file
from pipeline.decode.containers import texts
from pipeline.decode.pgp import leave_encrypted
from pipeline.decode.reader import RowReader
from pipeline.decode.scanner import PADDING
from pipeline.source_files import Source
from pipeline.warehouse.facts import FactMaker


@pytest.fixture(scope="module")
def facts() -> Facts:
    """The facts of all cases, from one source file."""
    return facts_of_file(gzip.compress(source_file(CASES)), "cases.gz")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.conversation_id)
def test_a_case_has_the_rows_worked_out_by_hand(case: Case, facts: Facts) -> None:
    assert case.found(facts) == case.expected(), case.why


def test_each_case_has_a_name_of_its_own() -> None:
    assert [name for name, count in Counter(case.conversation_id for case in CASES).items() if count > 1] == []


def test_the_cases_work_out_every_column_of_every_fact() -> None:
    worked_out = {fact: {column for case in CASES for row in case.expected()[fact] for column in row} for fact in FACTS}
    assert worked_out == {fact: set(columns) for fact, columns in FACTS.items()}


def test_the_later_delivery_in_a_file_counts() -> None:
    """Its lines and transfers count, too, and those of the earlier one do not."""
    earlier, later = (next(case for case in CASES if case.name == name) for name in ("plain", "bot then human"))
    document = earlier.document()
    (record,) = document["recordCollection"]
    (conversation,) = record["body"]["engagements"]
    conversation["conversationId"] = later.conversation_id
    text = json.dumps(document).encode() + b"\n" + source_file((later,))
    assert later.found(facts_of_file(text, "twice.json")) == later.expected()


def test_differences_name_the_row_and_the_column(facts: Facts) -> None:
    """A value of another kind is one, too; a row more or less is told as such."""
    changed = {fact: [dict(row) for row in rows] for fact, rows in facts.items()}
    assert differences(facts, changed) == []
    plain = next(row for row in changed["conversation_metrics"] if row["conversation_id"] == "plain")
    plain |= {"response_avg_seconds": 15.0 + 1e-12, "duration_seconds": 300}
    changed["segments"] = [row for row in changed["segments"] if row["conversation_id"] != "plain"]
    assert differences(facts, changed) == [
        "conversation_metrics ('75555851', 'plain'): duration_seconds expected 300.0, found 300",
        "segments ('75555851', 'plain', 1): 1 rows expected, 0 found",
    ]


def products(text: bytes) -> Facts:
    """The facts that the product makes of a source file's text."""
    reader = RowReader(leave_encrypted)
    reader.begin(Source("made.gz"))
    for part in texts([text], padding=PADDING):
        reader.feed(part)
    reader.finish()
    reader.keep()
    tables, _ = reader.drain()
    return {name: rows.select(list(FACTS[name])).to_pylist() for name, rows in FactMaker().facts_of(tables).items()}


def test_the_product_has_the_rows_worked_out_by_hand() -> None:
    """SQL and plain Python agree on every case."""
    found = products(source_file(CASES))
    assert {case.name: case.found(found) for case in CASES} == {case.name: case.expected() for case in CASES}


@pytest.mark.parametrize("seed", range(6))
def test_the_product_agrees_with_the_second_implementation(seed: int) -> None:
    """On made conversations with ties, gaps and contradicting times."""
    text = source_text(seed, 150)
    assert differences(facts_of_file(text, "made.gz"), products(text)) == []


@pytest.mark.long
def test_the_product_agrees_on_many_conversations() -> None:
    """As above, 60,000 of them."""
    for seed in range(1000, 1300):
        text = source_text(seed, 200)
        assert differences(facts_of_file(text, "made.gz"), products(text)) == [], seed
