"""The fast path gives the rows of the careful path, whatever the text."""

import json
import random
from typing import Any

import pyarrow as pa
import pytest
from documents import TAG, conversation, document, message
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_lines import PLAIN, grown, mutated

from pipeline.decode.containers import texts
from pipeline.decode.reader import RowReader
from pipeline.decode.scanner import PADDING, NoScanner, Scanner, new_scanner
from pipeline.source_files import Counts, Source

pytestmark = pytest.mark.skipif(
    isinstance(new_scanner(), NoScanner), reason="scanner.c is not compiled here: no C compiler was found"
)

TRANSFER = {
    "timestamp": {"string": "1469469300000"},
    "skillId": {"long": 1},
    "targetSkillId": {"long": 2},
    "isInteractive": None,
}


def collected(text: bytes, *, careful: bool, chunk: int = 1 << 20) -> tuple[dict[str, list[dict[str, Any]]], Counts]:
    """The rows of a text, by delivery and position, and its counts."""
    reader = RowReader(scanner=NoScanner() if careful else None)
    reader.begin(Source("x.gz", account_id="listed", scope_start=1_469_469_600_000_000))
    for part in texts((text[start : start + chunk] for start in range(0, len(text), chunk)), padding=PADDING):
        reader.feed(part)
    counts = reader.finish()
    reader.keep()
    whole, _ = reader.drain()
    return {name: sorted(_rows(table), key=_place) for name, table in whole.items()}, counts


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    table.validate(full=True)
    for place, column in enumerate(table.schema):
        if pa.types.is_timestamp(column.type):
            table = table.set_column(place, column.name, table[column.name].cast(pa.int64()))
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def _place(row: dict[str, Any]) -> tuple[int, int]:
    return row.get("delivery", row.get("document", 0)), row.get("position") or 0


def assert_same(text: bytes, chunk: int = 1 << 20) -> None:
    assert collected(text, careful=False, chunk=chunk) == collected(text, careful=True)


def is_plain(value: Any) -> bool:
    """Whether the scanner reads the document by itself."""
    scanner = Scanner()
    scanner.begin_file(None, None)
    text = (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n" + PADDING
    return scanner.scan(text, 0) == len(text) - len(PADDING)


def test_documents_on_one_line_give_the_rows_of_documents_on_many() -> None:
    """By either path, junk between or not: the fast one leaves such a line to the careful one, and goes on behind it."""
    lines = [json.dumps(document(conversation(f"c{number}"))).encode() for number in range(400)]
    parts = [part for number, line in enumerate(lines) for part in ([b"junk", line] if number % 4 == 0 else [line])]
    expected = collected(b"\n".join([*parts, *PLAIN]), careful=True)
    on_one_line = b"".join(parts) + b"\n" + b"\n".join(PLAIN)
    assert collected(on_one_line, careful=False) == expected
    assert collected(on_one_line, careful=True) == expected


def test_what_the_sandbox_sends_is_read_by_the_fast_path_alone() -> None:
    """No line of usual data is odd: tagged and bare metaData, escapes, forms, links, files, transfers."""
    assert len(PLAIN) > 30
    assert [line for line in PLAIN if not is_plain(line)] == []


def test_usual_data_gives_the_same_rows() -> None:
    """All columns of all tables agree, wherever the text is cut into chunks."""
    text = b"\n".join(PLAIN)
    for chunk in (1 << 20, 5_000, 333):
        assert_same(text, chunk)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"skillId": 12}, id="bare"),
        pytest.param({"agentId": {"string": 'a\\"\n\t/\u00fc\u2028🙂\0'}}, id="escapes"),
        pytest.param({"mcs": {f"{TAG}MCS": {"mcs": {"double": 57.25}}}}, id="score"),
        pytest.param({"mcs": {"score": 5}}, id="score in a bare record"),
        pytest.param(
            {"secureForms": {"array": [{f"{TAG}SecureForm": {"a": {"string": "x"}, "b": [1, {"c": None}]}}]}}, id="forms"
        ),
        pytest.param({"conversationStartTime": None}, id="no start"),
        pytest.param({"conversationStartTime": -1}, id="before 1970"),
        pytest.param({"transfers": [TRANSFER, TRANSFER]}, id="transfers"),
        pytest.param({"campaignData": {f"{TAG}CampaignData": {"campaignId": {"long": 5}}}}, id="campaign"),
        pytest.param({"skills": [1, 2, 3]}, id="skills"),
        pytest.param({"transcripts": None, "skills": None}, id="null lists"),
        pytest.param({"skillID": {"long": 1}, "StartReasonId": None}, id="another spelling"),
        pytest.param({"secureForms": [{"a": 'x"y\n\\', "b": [1.5, -0.0, 1e300]}]}, id="simple escapes and numbers in a form"),
        pytest.param({"newField": None, "language": {"string": "de"}}, id="new fields"),
        pytest.param({"newField": {f"{TAG}New": {"a": {"array": [{"b": {"double": 1.1}}, {}, []]}}}}, id="a new record"),
        pytest.param({"campaignData": {"lob": {"string": "x"}, "lobId": 5}, "newField": 1}, id="new in a container, too"),
    ],
)
def test_usual_variety_is_plain(fields: dict[str, Any]) -> None:
    """What Avro's encoder may write stays on the fast path, and agrees."""
    value = document(conversation(**fields))
    assert is_plain(value)
    assert_same(json.dumps(value).encode())


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"skillID": {"long": 1}, "skillId": {"long": 1}}, id="two spellings"),
        pytest.param({"CampaignData": {"campaignId": {"long": 1}}}, id="another spelling of a container"),
        pytest.param({"new.field": 1}, id="a new field that looks like a tag"),
        pytest.param({"neues Feld für alle": 1}, id="a new field whose name is not ASCII"),
        pytest.param({"newField": "\u00fc/"}, id="an escape of a character in a new field"),
        pytest.param({"newField": {"map": {"a": 1}}}, id="another tag in a new field"),
        pytest.param({"skillId": {"string": "007"}}, id="no JSON number"),
        pytest.param({"skillId": 12.0}, id="12.0"),
        pytest.param({"skillId": 2**63 - 1}, id="64 bits"),
        pytest.param({"endReasonId": {"int": 2**31}}, id="beyond 32 bits"),
        pytest.param({"skillId": {"long": None}}, id="a tagged null"),
        pytest.param({"agentId": {"long": 5}}, id="a number as id"),
        pytest.param({"agentId": "\ud800"}, id="a lone surrogate"),
        pytest.param({"queueStartTime": {"string": "2016-07-25T17:54:41Z"}}, id="ISO time"),
        pytest.param({"queueStartTime": 253_402_300_800_000}, id="beyond 9999"),
        pytest.param({"mcs": {"a": 1, "b": 2}}, id="a score nobody can tell"),
        pytest.param({"mcs": 0.1234567890123456}, id="more digits than are exact"),
        pytest.param({"skills": [1, None]}, id="a null in a list"),
        pytest.param({"transcripts": [None, message()]}, id="a null line"),
        pytest.param({"secureForms": [{"bytes": "x"}]}, id="another tag in a form"),
        pytest.param({"secureForms": [{"a": "\u00fc"}]}, id="an escape of a character in a form"),
        pytest.param({"conversationId": {"string": ""}}, id="no id"),
    ],
)
def test_what_is_odd_is_left_to_the_careful_path(fields: dict[str, Any]) -> None:
    """An odd line is not guessed at; its neighbours stay on the fast path, and all rows agree."""
    odd = document(conversation(**fields), conversation("c2", messages=[message("a"), message("b")]))
    assert not is_plain(odd)
    assert_same(b"\n".join([PLAIN[0], json.dumps(odd).encode(), PLAIN[1], json.dumps(odd, indent=1).encode(), PLAIN[2]]))


@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_new_fields_give_the_same_rows(seed: int) -> None:
    """Wherever a field is new, spelled otherwise, or named as another one is, the two paths agree."""
    assert_same(grown(random.Random(seed)))


@pytest.mark.parametrize(
    ("level", "before"),
    [
        ("Document", "metaData"),
        ("MetaData", "accountId"),
        ("Record", "body"),
        ("EngagementData", "engagements"),
        ("VisitorHeader", "visitId"),
        ("Conversation", "type"),
        ("CampaignData", "campaignId"),
    ],
)
def test_a_field_that_the_vendor_adds_slows_nothing(level: str, before: str) -> None:
    """A new field in each document, on any level, keeps all of them on the fast path, and is told of."""
    plain = json.dumps(document(conversation(campaignData={"campaignId": {"long": 5}})))
    text = plain.replace(f'"{before}"', f'"newField": {{"string": "x"}}, "{before}"', 1).encode()
    assert is_plain(text)
    assert_same(b"\n".join([text, PLAIN[0], text]))
    rows, counts = collected(text, careful=False)
    assert counts.unknown_fields == {f"{level}.newField"}
    expected = {"campaignData": {"newField": "x"}} if level == "CampaignData" else {"newField": "x"}
    assert json.loads(rows["conversations"][0]["extra"]) == expected


@pytest.mark.parametrize(
    "odd",
    [
        {"mcs": {"a": 1, "b": 2}},
        {"mcs": 7},
        {"skillId": 3},
        {"skillId": {"odd": 3}},
        {"transcripts": [message()]},
        {"campaignData": {"campaignId": 1}},
        {"newField": {"string": "x"}},
    ],
    ids=str,
)
def test_what_was_odd_in_one_line_slows_none_behind_it(odd: dict[str, Any]) -> None:
    """The scanner learns from a line how the next may look, and still reads one that looks as usual."""
    lines = [json.dumps(document(conversation(**odd))).encode(), *PLAIN]
    scanner = Scanner()
    reader = RowReader(scanner=scanner)
    reader.begin(Source("x.gz"))
    reader.feed(b"".join(line + b"\n" for line in lines) + PADDING)
    assert reader.finish().conversations - scanner.rows()[0] <= 1


def test_an_account_of_any_length_is_fallen_back_on() -> None:
    """The account that a file was listed for, or that an earlier reading found, may be long."""
    account_id = "x" * 100_000
    reader = RowReader()
    reader.begin(Source("x.gz", account_id=account_id))
    reader.feed(json.dumps(document(conversation(), account_id=None)).encode() + b"\n" + PADDING)
    reader.finish()
    reader.keep()
    assert reader.drain()[0]["messages"]["account_id"].to_pylist() == [account_id]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"type":', b'"type":null,"type":'),
        (b'"Engagement"', b'"WebSession"'),
        (b'"transcripts"', b'"transcript"'),
        (b'"timestamp":{"long":1', b'"timestamp":{"long":01'),
        (b'"timestamp":{"long":1', b'"timestamp":{"long":+1'),
        (b'"string":"', b'"string":"\t'),
        (b'"string":"', b'"string":"\xff'),
        (b'"string":"', b'"string":"\xed\xa0\x80'),
        (b'"string":"', b'"string":"\\x'),
        (b'"string":"', b'"string":"\\u12'),
        (b":null", b":nul"),
        (b":null", b":nullx"),
        (b"]", b",]"),
        (b"}", b"} }"),
        (b'{"long"', b'{"lang"'),
        (b'{"dataType"', b'x{"dataType"'),
    ],
)
def test_a_byte_out_of_place_is_noticed(old: bytes, new: bytes) -> None:
    """What is no JSON, or not the usual document, is never taken for it, first or last place alike."""
    for line in PLAIN[:6]:
        if old in line:
            head, _, tail = line.rpartition(old)
            for changed in (line.replace(old, new, 1), head + new + tail):
                assert_same(b"\n".join([PLAIN[7], changed, PLAIN[8]]))


@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_mutated_data_gives_the_same_rows(seed: int) -> None:
    """Bytes changed at random never make the two paths disagree."""
    assert_same(mutated(random.Random(seed)))


@pytest.mark.long
def test_much_mutated_data_gives_the_same_rows() -> None:
    """As above, 200,000 times, and with new fields in it 100,000 times more."""
    for seed in range(200_000):
        assert_same(mutated(random.Random(seed)))
    for seed in range(100_000):
        assert_same(grown(random.Random(seed)))
