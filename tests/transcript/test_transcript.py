"""One conversation to read, and the search for conversations: against the raw documents, with texts that are hostile."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from documents import START, conversation, document, gz, message, name_at, put
from lakes import take
from terminals import Terminal

from pipeline.errors import QueryError, SettingsError
from pipeline.lake.lake import Lake
from pipeline.transcript.conversation import EVENT, VISITOR, read_conversations
from pipeline.transcript.html import page_of
from pipeline.transcript.search import search, with_matches
from pipeline.transcript.sought import Sought
from pipeline.transcript.text import found_lines, lines_of
from pipeline.warehouse.database import connect

SECOND = 1_000
HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202eevil <script>alert(1)</script> & <b>bold</b>"


def tagged(**fields: Any) -> dict[str, Any]:
    kinds = {int: "long", str: "string"}
    return {name: {kinds[type(value)]: value} for name, value in fields.items()}


def transferred() -> dict[str, Any]:
    """A conversation that waits, is answered, is transferred, waits again, and ends."""
    lines = [
        message("I want a REFUND", timestamp=START + 1 * SECOND, mcs={"double": 50.0}),
        message("hello", timestamp=START + 8 * SECOND, type={"string": "1"}, by={"string": "Ann"}, agentId={"string": "7"}),
        message(HOSTILE, timestamp=START + 90 * SECOND, mcs={"double": 20.0}),
        message("note", timestamp=START + 95 * SECOND, type={"string": "5"}, by={"string": "Ann"}, agentId={"string": "7"}),
        message("bye", timestamp=START + 86_500 * SECOND, type={"string": "1"}, by={"string": "Bob"}, agentId={"string": "8"}),
    ]
    transfer = tagged(
        timestamp=START + 60 * SECOND, skillId=3, targetSkillId=4, agentId="7", targetAgentId="8", reason=1,
        queueStartTime=START + 60 * SECOND, queueEndTime=START + 70 * SECOND,
    )  # fmt: skip
    return conversation(
        "moved",
        messages=lines,
        transfers={"array": [transfer]},
        **tagged(
            queueStartTime=START,
            queueEndTime=START + 5 * SECOND,
            interactionStartTime=START + 5 * SECOND,
            conversationEndTime=START + 86_600 * SECOND,
            skillId=4,
            agentId="8",
        ),
        skills={"array": [3, 4]},
        mcs={"double": 20.0},
    )


@pytest.fixture
def filled(lake: Lake, tmp_path: Path) -> Lake:
    """A lake with a transferred conversation, one that was abandoned, and one of another account with the same id."""
    gone = conversation(
        "gone",
        start=START + 3_600 * SECOND,
        messages=[message("first", timestamp=START + 3_601 * SECOND), message("anyone?", timestamp=START + 3_610 * SECOND)],
        **tagged(queueStartTime=START + 3_600 * SECOND, conversationEndTime=START + 3_640 * SECOND, skillId=3),
    )
    take(lake, put(tmp_path, gz(document(transferred(), gone, account_id="1")), name_at(0)))
    take(
        lake,
        put(
            tmp_path, gz(document(conversation("moved", messages=[message("of another account")]), account_id="2")), name_at(1)
        ),
    )
    return lake


def shown(lake: Lake, ident: str, width: int = 100) -> list[str]:
    with connect(lake) as connection:
        return [line for one in read_conversations(connection, ident) for line in lines_of(one, width)]


def test_everything_that_happened_stands_in_the_order_of_time(filled: Lake) -> None:
    """Waits, answers, the transfer, each line with its author, and the end; each account's conversation of that id."""
    with connect(filled) as connection:
        first, second = read_conversations(connection, "moved")
    assert [(event.who, event.name, event.text.split(" (reason")[0][:40]) for event in first.events] == [
        (EVENT, "", "waits for skill 3"),
        (VISITOR, "visitor", "I want a REFUND"),
        (EVENT, "", "Ann answers after 5.0 s"),
        ("agent", "Ann", "hello"),
        (EVENT, "", "Ann transfers from skill 3 to skill 4, t"),
        (EVENT, "", "waits for skill 4"),
        (EVENT, "", "Bob answers after 10 s"),
        (VISITOR, "visitor", HOSTILE[:40]),
        ("comment", "Ann", "note"),
        ("agent", "Bob", "bye"),
        (EVENT, "", "ended"),
    ]
    assert [event.text for event in second.events if event.who == VISITOR] == ["of another account"]
    assert [event.mcs for event in first.events if event.who == VISITOR] == [50, 20]
    gaps = [event.gap_seconds for event in first.events]
    assert gaps[0] is None
    assert sum(gap for gap in gaps if gap is not None) == 86_600


def test_a_visitor_who_gave_up_is_told(filled: Lake) -> None:
    """With the time that the visitor waited."""
    (line,) = [line for line in shown(filled, "gone") if "gives up" in line]
    assert line.endswith("-- the visitor gives up after 40 s")


def test_a_conversation_of_several_days_names_each(filled: Lake) -> None:
    """The first one is in the header, with the clock."""
    lines = shown(filled, "moved")
    assert [line for line in lines if re.fullmatch(r"\d{4}-\d\d-\d\d", line)] == ["2016-07-26"]
    (began,) = [line for line in lines if line.startswith("began")][:1]
    assert "2016-07-25 17:54:41 (UTC)" in began


def test_times_are_on_the_accounts_clock(filled: Lake) -> None:
    """As its settings say; the gaps stay."""
    Path(filled.root, "settings.csv").write_text("setting,account_id,value,about\ntime_zone,1,America/New_York,\n")
    with connect(filled) as connection:
        (first, second) = read_conversations(connection, "moved")
        (found,) = search(connection, Sought(words=["refund"]), 5).to_arrow_table().to_pylist()
    assert (first.clock, second.clock) == ("America/New_York", "UTC")
    assert first.events[0].time == at("2016-07-25T13:54:41.856")
    assert first.events[0].time + timedelta(hours=4) == datetime.fromtimestamp(START / 1000, UTC).replace(tzinfo=None)
    assert (found["local_time"], found["said_at"]) == (first.events[0].time, first.events[0].time + timedelta(seconds=1))


@pytest.mark.parametrize("width", [1, 40, 80, 200])
def test_lines_are_no_wider_than_the_terminal(filled: Lake, width: int) -> None:
    """Where that leaves room for a text of 24 characters; no word is lost."""
    lines = shown(filled, "moved", width)
    assert max(map(len, lines)) <= max(width, 80)
    assert "".join(HOSTILE.split()) in "".join("".join(lines).split())


class _Page(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.said = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.said += data


def test_a_text_is_no_markup(filled: Lake) -> None:
    """The page loads and runs nothing, and shows what was said as it was said."""
    with connect(filled) as connection:
        page = page_of(read_conversations(connection, "moved"))
    (read := _Page()).feed(page)
    assert not read.tags & {"script", "b", "img", "a", "link", "iframe"}
    assert "<script>alert(1)</script> & <b>bold</b>" in read.said
    assert "default-src 'none'" in page


def lakehouse(lake: Lake, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline", *words, "--lake", str(lake.root)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_terminal_obeys_no_text(filled: Lake) -> None:
    """Neither in a transcript nor in a search, nor through the pager."""
    for words in (("show", "moved"), ("find", "evil"), ("find", "evil", "--format", "csv")):
        command = [sys.executable, "-m", "pipeline", *words, "--lake", filled.root]
        with Terminal(command, cwd=Path.cwd(), env={**os.environ, "PAGER": "cat"}, lines=10) as run:
            said = run.raw_until("evil")
            assert run.ended() == 0
        assert not [control for control in ("\x1b]", "\x1b[2J", "\x07", "\u202e") if control in said]


def test_an_unknown_id_is_told(filled: Lake) -> None:
    """In one sentence, with the way to ids."""
    done = lakehouse(filled, "show", "nobody")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "lakehouse: nobody: no conversation has this id; lakehouse find WORDS shows ids\n"


at = datetime.fromisoformat
FOUND: dict[str, tuple[dict[str, Any], set[str]]] = {
    "words in any case": ({"words": ["refund", "WANT"]}, {"moved"}),
    "words of different lines": ({"words": ["refund", "evil"]}, set()),
    "a part of a word": ({"words": ["fun"]}, {"moved"}),
    "a word with signs of SQL": ({"words": ["%' or 1=1 --"]}, set()),
    "a regular expression": ({"pattern": "any(one|body)\\?"}, {"gone"}),
    "an agent's words": ({"words": ["hello"], "speaker": "agent"}, {"moved"}),
    "an agent's words as a visitor's": ({"words": ["hello"]}, set()),
    "a comment": ({"words": ["note"], "speaker": "anyone"}, {"moved"}),
    "who gave up": ({"outcome": "abandoned"}, {"gone"}),
    "who was answered": ({"outcome": "answered"}, {"moved"}),
    "transfers": ({"transfers": 1}, {"moved"}),
    "more transfers": ({"transfers": 2}, set()),
    "an agent who had it first": ({"agent": "7"}, {"moved"}),
    "a skill that it came from": ({"skill": "3"}, {"moved", "gone"}),
    "from a time on": ({"since": at("2016-07-25T18:54")}, {"gone"}),
    "before a time": ({"until": at("2016-07-25T18:54")}, {"moved"}),
    "on no day": ({"since": at("2017-01-01")}, set()),
}


@pytest.mark.parametrize("kind", FOUND)
def test_what_is_sought_is_found_and_nothing_else(filled: Lake, kind: str) -> None:
    """By words, day, skill, agent and outcome."""
    sought, expected = FOUND[kind]
    with connect(filled) as connection:
        found = search(connection, Sought(**sought), 20).to_arrow_table().to_pylist()
    assert {row["conversation_id"] for row in found} == expected


def test_the_newest_come_first_each_with_the_line_that_matched(filled: Lake) -> None:
    """Without words the last line of the visitor; no more than asked for."""
    with connect(filled) as connection:
        found = search(connection, Sought(), 2).to_arrow_table().to_pylist()
        (refund,) = search(connection, Sought(words=["e"]), 1).to_arrow_table().to_pylist()
    assert [row["conversation_id"] for row in found] == ["gone", "moved"]
    assert [found[0]["line"], refund["line"], refund["line_count"]] == ["anyone?", "anyone?", 1]
    lines = list(found_lines(found, 100))
    assert [line[:4].isspace() for line in lines] == [False, True, True] * 2
    assert lines[2].endswith("visitor: anyone? (and 1 more line)")


def test_a_wrong_name_or_pattern_is_told(filled: Lake) -> None:
    """With names near it."""
    with connect(filled) as connection:
        with pytest.raises(SettingsError, match="--skill: no skill of the lake has the id or name 'sales'"):
            search(connection, Sought(skill="sales"), 5)
        with pytest.raises(QueryError, match="the search failed: missing \\)"):
            search(connection, Sought(pattern="("), 5)


def test_a_name_feigns_no_line(lake: Lake, tmp_path: Path) -> None:
    """Its line ends are blanks, as those of an id are, in a transcript and in a search."""
    feigned = "Ann\n12:00  Bob  no"
    said = message("yes", type={"string": "1"}, by={"string": feigned}, agentId={"string": "7"})
    take(lake, put(tmp_path, gz(document(conversation("a\nzz", messages=[said]), account_id="1")), name_at(0)))
    with connect(lake) as connection:
        found = search(connection, Sought(words=["yes"], speaker="agent"), 5).to_arrow_table().to_pylist()
        lines = [*shown(lake, "a\nzz", 200), *found_lines(found, 200)]
    assert not [line for line in lines if "\n" in line or line.startswith(("zz", "12:00"))]
    assert sum("yes" in line for line in lines) == 2


@pytest.mark.parametrize("filler", ["word ", "長い文章", "x"])
@pytest.mark.parametrize("width", [10, 22, 28, 100])
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_what_matched_is_seen_however_long_the_line(lake: Lake, tmp_path: Path, filler: str, width: int, place: str) -> None:
    """The excerpt has the word or what the pattern matched, at any width, and is no longer than there is room for."""
    parts = {"first": (0, 90), "middle": (45, 45), "last": (90, 0)}[place]
    text = f"{filler * parts[0]}Needle 7{filler * parts[1]}"
    take(lake, put(tmp_path, gz(document(conversation("c", messages=[message(text)]), account_id="1")), name_at(0)))
    with connect(lake) as connection:
        for sought in (Sought(words=["needle", "7"]), Sought(pattern="N[a-z]+ [0-9]")):
            found = with_matches(search(connection, sought, 5), sought).to_arrow_table().to_pylist()
            *_, line = found_lines(found, width, sought.words)
            assert "Needle" in line
            assert len(line) <= max(width, len("    12:00:30 visitor: ") + 24)
            assert "…" in line


@pytest.mark.parametrize(
    "sought",
    [Sought(until=datetime(9999, 12, 31)), Sought(since=datetime(1, 1, 1))],  # noqa: DTZ001  # on the account's clock
    ids=["last", "first"],
)
def test_the_ends_of_the_calendar_are_days(filled: Lake, sought: Sought) -> None:
    """A search up to the last day there is, or from the first, finds all."""
    with connect(filled) as connection:
        every, found = (search(connection, one, 99).fetchall() for one in (Sought(), sought))
    assert sorted(found, key=str) == sorted(every, key=str) != []
