"""A lake's facts are those that follow from its conversations, messages and transfers, whatever has happened to it."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq
import pytest
from computed_facts import require_computed_facts
from documents import DAY_MS, START, gz, message, name_at, put
from documents import conversation as plain
from documents import document as plain_document
from lakes import ask, take
from made_conversations import PERSONS, as_sent, made

from pipeline import schema
from pipeline.erasure.erase import erase
from pipeline.lake.lake import Lake
from pipeline.load.session import writing
from pipeline.maintenance.compact import compact
from pipeline.maintenance.verify import verify

IDS = "abcdefgh"
EVENTS = {"load": 6, "compact": 1, "erase": 1}


def some_file(rng: Random, folder: Path) -> Path:
    """A source file of one of a few names, whose conversations other files have, too."""
    documents = []
    for _ in range(rng.randrange(5)):
        header = as_sent(rng, {"visitId": "s", "visitorId": rng.choice(PERSONS), "contextId": ""}, tagged=False)
        engagements = [made(rng, rng.choice(IDS), tagged=False) for _ in range(rng.choice((1, 1, 2)))]
        record = {"body": {"header": header, "engagements": engagements}}
        account = {"accountId": rng.choice("12"), "schemaVersion": "1.0.0.22", "startTime": START, "endTime": START}
        documents.append({"dataType": "Engagement", "metaData": account, "recordCollection": [record]})
    return put(folder, gz(*map(json.dumps, documents)), name_at(rng.randrange(4)))


def live(rng: Random, folder: Path, events: int) -> None:
    """Load, compact and erase, and look at the facts after each event."""
    lake = Lake(str(folder / "lake"))
    for turn in range(events):
        event = "load" if turn == 0 else rng.choices(list(EVENTS), list(EVENTS.values()))[0]
        if event == "load":
            take(lake, *(some_file(rng, folder / f"{turn}-{part}") for part in range(rng.randint(1, 2))))
        elif event == "compact":
            with writing(lake):
                compact(lake)
        else:
            with writing(lake):
                erase(lake, *rng.choice([("consumer", "p1"), ("visitor", "p2"), ("conversation", rng.choice(IDS))]))
        require_computed_facts(lake)
    assert verify(lake, read_data=True).findings == []


@pytest.mark.parametrize("seed", [1])
def test_facts_follow_from_the_other_tables_whatever_happens(seed: int, tmp_path: Path) -> None:
    """Conversations are delivered again, replaced, withdrawn, brought back, merged and erased."""
    live(Random(seed), tmp_path, 8)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 140))
def test_facts_follow_through_many_lives(seed: int, tmp_path: Path) -> None:
    """The same with more, and longer ones."""
    live(Random(seed), tmp_path, 25)


def test_facts_of_two_accounts_are_kept_apart(lake: Lake, tmp_path: Path) -> None:
    """Though their files, conversations and places in the files have the same names."""
    for account, skill in (("1", 7), ("2", 8)):
        told = plain("c", skillId={"long": skill}, messages=[message(f"{n}") for n in range(skill)])
        put(tmp_path / account, gz(plain_document(told, account_id=account)))
    take(lake, tmp_path / "1", tmp_path / "2")
    require_computed_facts(lake)
    query = "select account_id, skill_id, visitor_line_count from conversation_metrics order by all"
    assert ask(lake, query) == [("1", 7, 7), ("2", 8, 8)]


def test_facts_lie_in_the_partition_of_their_conversation(lake: Lake, tmp_path: Path) -> None:
    """Also where the queue was entered on another day; an engine finds a conversation's rows by one date."""
    queued = {"queueStartTime": {"long": START + DAY_MS}}
    take(lake, put(tmp_path, gz(plain_document(plain("c", **queued)))))
    assert ask(lake, "select date::varchar, entered_date::varchar from queue_entries") == [("2016-07-25", "2016-07-26")]
    for fact in ("conversation_metrics", "queue_entries"):
        (file,) = lake.snapshot().files[fact]
        assert file.date == "2016-07-25"
        names = pq.read_schema(lake.path(fact, file.path)).names
        assert names == schema.STORED[fact].file_schema.names


def test_facts_of_contents_of_one_name_are_kept_apart(lake: Lake, tmp_path: Path) -> None:
    """Files of two accounts, and one of two others, are read again together when a newer file withdraws a conversation."""

    def told(ident: str, account: str, lines: int) -> dict[str, Any]:
        return plain_document(plain(ident, messages=[message(f"{n}") for n in range(lines)]), account_id=account)

    for number, contents in enumerate((gz(told("c", "1", 3)), gz(told("c", "2", 4)), gz(told("d", "3", 5), told("d", "4", 6)))):
        take(lake, put(tmp_path / f"{number}", contents, name_at(1)))
    take(lake, put(tmp_path / "newer", gz(told("c", "1", 1)), name_at(2)))
    take(lake, put(tmp_path / "withdrawn", gz(told("e", "1", 2)), name_at(2)))
    require_computed_facts(lake)
    query = "select account_id, conversation_id, visitor_line_count from conversation_metrics order by all"
    assert ask(lake, query) == [("1", "c", 3), ("1", "e", 2), ("2", "c", 4), ("3", "d", 5), ("4", "d", 6)]
