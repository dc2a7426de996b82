"""`lakehouse verify` holds facts against the conversations that they are of, and against each other."""

import re
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from computed_facts import require_computed_facts
from documents import START, conversation, document, gz, message, name_at, put
from lakes import take

from pipeline import schema
from pipeline.lake.digests import read_file
from pipeline.lake.lake import Lake
from pipeline.lake.snapshot import Change
from pipeline.load.session import writing
from pipeline.maintenance.upgrade import upgrade
from pipeline.maintenance.verify import verify

TRANSFER = {
    "timestamp": {"long": START + 60_000},
    "skillId": {"long": 1},
    "targetSkillId": {"long": 2},
    "queueStartTime": {"long": START + 60_000},
    "queueEndTime": {"long": START + 90_000},
}
NUMBERS = {"queue_entries": "entry_number", "segments": "segment_number", "responses": "response_number"}
COUNTS = {"queue_entries": "queue_entry_count", "segments": "segment_count", "responses": "response_count"}


def said(speaker: str, seconds: int) -> dict[str, object]:
    """A line of the visitor (0) or an agent (1), so long after the start."""
    return message(f"at {seconds}", timestamp=START + seconds * 1000, type={"string": speaker}, agentId={"string": "a1"})


def served(conversation_id: str) -> dict[str, object]:
    """A conversation with rows in every fact."""
    times = {"interactionStartTime": {"long": START + 5_000}, "conversationEndTime": {"long": START + 300_000}}
    lines = [said("0", 10), said("1", 20), said("0", 100), said("1", 130)]
    return conversation(conversation_id, messages=lines, transfers={"array": [TRANSFER]}, **times)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake whose facts have rows, and one conversation without segments and responses."""
    lake = Lake(str(tmp_path_factory.mktemp("sound") / "lake"))
    take(lake, put(tmp_path_factory.mktemp("in"), gz(document(served("c1"), served("c2"), conversation("c3"))), name_at(0)))
    return Path(lake.root)


@pytest.fixture
def lake(sound: Path, tmp_path: Path) -> Lake:
    """A copy of it."""
    return Lake(str(shutil.copytree(sound, tmp_path / "lake")))


def rows_of(lake: Lake, fact: str) -> pa.Table:
    """The rows of the only file of a fact, those of c1 first."""
    (file,) = lake.snapshot().files[fact]
    return read_file(lake, fact, file).sort_by("conversation_id")


def put_rows(lake: Lake, fact: str, rows: pa.Table) -> None:
    """Commit these rows in the place of all rows of a fact."""
    snapshot = lake.snapshot()
    (file,) = snapshot.files[fact]
    change = Change(add=[lake.write(fact, rows, date=file.date)], remove=[file])
    lake.commit({fact: change}, snapshot)


def changed(rows: pa.Table, column: str, value: object) -> pa.Table:
    """The rows with another value in a column of the first one."""
    found = rows.to_pylist()
    found[0][column] = value
    return pa.Table.from_pylist(found, schema=rows.schema)


def findings(lake: Lake) -> list[str]:
    """The findings of `verify` about tables, each without the place of the lake."""
    found = [finding.removeprefix(f"{lake.uri}/") for finding in verify(lake).findings]
    return [finding for finding in found if not finding.startswith("lakehouse.duckdb")]


def test_a_sound_lake_has_rows_in_every_fact_and_no_findings(lake: Lake) -> None:
    assert [rows_of(lake, fact).num_rows for fact in schema.FACTS] == [3, 5, 4, 4]
    assert findings(lake) == []


REMEDY = "run lakehouse upgrade --recompute, which computes it anew"


OTHERS = {"account_id": None, "conversation_id": "c9", "source_file": name_at(9), "delivery": 9}
"""Columns of the key of a delivery, each with a value of no delivery."""


@pytest.mark.parametrize(
    ("fact", "column", "value"),
    [
        pytest.param(fact, column, value, marks=() if place == number else pytest.mark.long)
        for number, fact in enumerate(schema.FACTS)
        for place, (column, value) in enumerate(OTHERS.items())
    ],
)
def test_a_fact_of_no_conversation_is_found(lake: Lake, fact: str, column: str, value: object) -> None:
    """It may be of a delivery that another has taken the place of, or of an erased person."""
    put_rows(lake, fact, changed(rows_of(lake, fact), column, value))
    assert f"{fact}: 1 rows belong to no conversation; {REMEDY}" in findings(lake)


def test_a_conversation_without_its_row_of_metrics_is_found(lake: Lake) -> None:
    put_rows(lake, "conversation_metrics", rows_of(lake, "conversation_metrics").slice(1))
    assert f"conversation_metrics: 1 conversations have no row; {REMEDY}" in findings(lake)


@pytest.mark.parametrize("fact", schema.FACTS)
def test_a_row_that_is_there_twice_is_found(lake: Lake, fact: str) -> None:
    rows = rows_of(lake, fact)
    put_rows(lake, fact, pa.concat_tables([rows, rows.slice(0, 1)]))
    assert f"{fact}: 1 rows are there more than once; {REMEDY}" in findings(lake)


@pytest.mark.parametrize("fact", NUMBERS)
def test_a_number_that_is_there_twice_is_found(lake: Lake, fact: str) -> None:
    """Also where the number of rows is right."""
    rows = rows_of(lake, fact)
    other = next(
        row[NUMBERS[fact]] for row in rows.to_pylist()[1:] if row["conversation_id"] == rows["conversation_id"][0].as_py()
    )
    put_rows(lake, fact, changed(rows, NUMBERS[fact], other))
    assert findings(lake) == [f"{fact}: 1 rows are there more than once; {REMEDY}"]


@pytest.mark.parametrize(
    ("fact", "more"),
    [
        pytest.param(fact, more, marks=() if (number % 2 == 0) == (more < 0) else pytest.mark.long)
        for number, fact in enumerate(COUNTS)
        for more in (-1, 1)
    ],
)
def test_a_count_that_does_not_agree_is_found(lake: Lake, fact: str, more: int) -> None:
    """Whichever of the two is wrong."""
    metrics = rows_of(lake, "conversation_metrics")
    put_rows(lake, "conversation_metrics", changed(metrics, COUNTS[fact], metrics[COUNTS[fact]][0].as_py() + more))
    problem = f"1 conversations have another number of rows than their {COUNTS[fact]} says"
    assert findings(lake) == [f"{fact}: {problem}; {REMEDY}"]


@pytest.mark.parametrize("fact", COUNTS)
def test_a_lost_row_is_found(lake: Lake, fact: str) -> None:
    rows = rows_of(lake, fact)
    put_rows(lake, fact, rows.slice(0, rows.num_rows - 1))
    problem = f"1 conversations have another number of rows than their {COUNTS[fact]} says"
    assert findings(lake) == [f"{fact}: {problem}; {REMEDY}"]


@pytest.mark.parametrize(
    "fact", ["queue_entries", *(pytest.param(fact, marks=pytest.mark.long) for fact in schema.FACTS if fact != "queue_entries")]
)
def test_damage_of_a_fact_is_found_and_its_remedy_computes_it_anew(lake: Lake, fact: str) -> None:
    """Nothing is lost with it: it follows from the other tables."""
    (file,) = lake.snapshot().files[fact]
    path = Path(lake.path(fact, file.path))
    path.write_bytes(path.read_bytes()[:-9])
    (finding,) = findings(lake)
    assert re.fullmatch(rf"{fact}/\S+: the Parquet file has \d+ bytes, its log says \d+; {REMEDY}", finding)
    path.unlink()
    (finding,) = findings(lake)
    assert finding.endswith(f"the Parquet file is gone; {REMEDY}")
    with writing(lake):
        upgrade(lake, recomputes=True)
    assert findings(lake) == []


def test_facts_that_are_wrong_are_mended_by_the_same(lake: Lake) -> None:
    """Rows of no conversation go, rows that are there twice stay once, and lost ones come back."""
    for fact in schema.FACTS:
        rows = changed(rows_of(lake, fact), "conversation_id", "c9")
        put_rows(lake, fact, pa.concat_tables([rows, rows.slice(1)]))
    assert len(findings(lake)) == 4 + 4 + 4  # for each fact, each finding that there is
    with writing(lake):
        upgrade(lake, recomputes=True)
    assert findings(lake) == []
    require_computed_facts(lake)
