import json
from datetime import date
from typing import Any

import pytest
from documents import START, TAG, VENDOR_EXAMPLE, conversation, document, message, read_documents

from pipeline.decode.flatten import Rows, flatten
from pipeline.source_files import Source

SOURCE = Source("x.gz", account_id="listed", scope_start=1_469_469_600_000_000)


def rows_of(*values: Any, source: Source = SOURCE) -> Rows:
    """The rows of documents, given as values or as text."""
    rows = Rows()
    text = "\n".join(value if isinstance(value, str) else json.dumps(value) for value in values)
    for item in read_documents([text.encode()]):
        rows.extend(flatten(item, source))
    return rows


def only(rows: list[dict[str, Any]]) -> dict[str, Any]:
    (row,) = rows
    return row


def extra_of(row: dict[str, Any]) -> Any:
    return json.loads(row["extra"]) if row["extra"] is not None else None


def test_the_vendors_example_gives_its_one_conversation_with_one_message() -> None:
    """Every value of the vendor's example stands in its column."""
    rows = rows_of(VENDOR_EXAMPLE.read_text())
    conversation_row = {name: value for name, value in only(rows.conversations).items() if value is not None}
    assert conversation_row == {
        "account_id": "75555851",
        "conversation_id": "755558514295264942",
        "date": date(2016, 7, 25),
        "type": "LIVE_CHAT",
        "conversation_start_time": 1_469_469_281_856_000,
        "interaction_start_time": 1_469_469_368_565_000,
        "conversation_end_time": 1_469_469_894_169_000,
        "is_interactive": False,
        "source_origin": "Web",
        "end_reason_id": 205,
        "skills": [3],
        "start_reason_id": 0,
        "queue_start_time": 1_469_469_281_856_000,
        "queue_end_time": 1_469_469_368_565_000,
        "visit_id": "",
        "visitor_id": "",
        "context_id": "",
        "schema_version": "1.0.0.22",
        "source_file": "x.gz",
        "delivery": 1,
    }
    message_row = {name: value for name, value in only(rows.messages).items() if value is not None}
    assert message_row == {
        "account_id": "75555851",
        "conversation_id": "755558514295264942",
        "date": date(2016, 7, 25),
        "position": 0,
        "timestamp": 1_469_469_281_857_000,
        "sent_by": "info",
        "type": "2",
        "control_type": "4",
        "agent_id": "0",
        "content_format": "Text",
        "text": "Welcome to LivePerson! A representative will be with you shortly.",
        "message_id": "S4uqCX7MQuWB1_Y1GjsVjQ",
        "source_file": "x.gz",
        "delivery": 1,
    }
    assert (rows.transfers, rows.rejects, rows.unknown_fields, rows.schema_versions) == ([], [], set(), {"1.0.0.22"})


@pytest.mark.parametrize("tagged_meta", [False, True])
@pytest.mark.parametrize("tagged_records", [False, True])
def test_meta_data_and_records_come_tagged_or_bare(*, tagged_meta: bool, tagged_records: bool) -> None:
    """Real files tag metaData and recordCollection, the vendor's page does not; both are read."""
    value = document(conversation())
    if tagged_meta:
        value["metaData"] = {f"{TAG}MetaData": value["metaData"]}
    if tagged_records:
        value["recordCollection"] = {"array": [{f"{TAG}Record": record} for record in value["recordCollection"]]}
    assert rows_of(value).conversations == rows_of(document(conversation())).conversations


MISFIT = object()


@pytest.mark.parametrize(
    ("field", "value", "column", "expected"),
    [
        ("skillId", {"long": 12}, "skill_id", 12),
        ("skillID", {"long": 12}, "skill_id", 12),
        ("skillId", 12, "skill_id", 12),
        ("skillId", {"string": "12"}, "skill_id", 12),
        ("skillId", {"double": 12.0}, "skill_id", 12),
        ("skillId", "12.0", "skill_id", 12),
        ("skillId", 12.5, "skill_id", MISFIT),
        ("skillId", "", "skill_id", MISFIT),
        ("skillId", "007", "skill_id", MISFIT),
        ("skillId", True, "skill_id", MISFIT),
        ("skillId", 2**63 - 1, "skill_id", 2**63 - 1),
        ("skillId", -(2**63), "skill_id", -(2**63)),
        ("skillId", 2**63, "skill_id", MISFIT),
        ("skillId", {"com.acme.Skill": {"long": 12}}, "skill_id", 12),
        ("skillId", {"id": 12}, "skill_id", MISFIT),
        ("endReasonId", {"int": 205}, "end_reason_id", 205),
        ("endReasonId", {"long": 2**31}, "end_reason_id", MISFIT),
        ("StartReasonId", {"int": 2}, "start_reason_id", 2),
        ("agentId", {"long": 77}, "agent_id", "77"),
        ("agentId", {"string": ""}, "agent_id", ""),
        ("agentId", {"string": "a\0b"}, "agent_id", "a\0b"),
        ("agentId", True, "agent_id", MISFIT),
        ("consumerId", "\ud83d", "consumer_id", MISFIT),
        ("isInteractive", {"boolean": True}, "is_interactive", True),
        ("isInteractive", "false", "is_interactive", False),
        ("isInteractive", 1, "is_interactive", MISFIT),
        ("queueStartTime", {"long": 0}, "queue_start_time", 0),
        ("queueStartTime", {"string": "1469469281856"}, "queue_start_time", 1_469_469_281_856_000),
        ("queueStartTime", "2016-07-25T17:54:41.856Z", "queue_start_time", 1_469_469_281_856_000),
        ("queueStartTime", "2016-07-25T19:54:41.856+02:00", "queue_start_time", 1_469_469_281_856_000),
        ("queueStartTime", "2016-07-25T17:54:41", "queue_start_time", 1_469_469_281_000_000),
        ("queueStartTime", -86_400_000, "queue_start_time", -86_400_000_000),
        ("queueStartTime", 253_402_300_799_999, "queue_start_time", 253_402_300_799_999_000),
        ("queueStartTime", 253_402_300_800_000, "queue_start_time", MISFIT),
        ("queueStartTime", "2016-02-30T00:00:00Z", "queue_start_time", MISFIT),
        ("queueStartTime", "yesterday", "queue_start_time", MISFIT),
        ("queueStartTime", 1.5, "queue_start_time", MISFIT),
        ("skills", {"array": [{"long": 3}, "4", None]}, "skills", [3, 4, None]),
        ("skills", [3, "x"], "skills", MISFIT),
        ("skills", 3, "skills", MISFIT),
        ("secureForms", {"array": []}, "secure_forms", None),
        ("secureForms", {"array": [{f"{TAG}SecureForm": {"id": {"string": "f"}}}]}, "secure_forms", '[{"id":"f"}]'),
        ("secureForms", "f", "secure_forms", MISFIT),
        ("mcs", 57, "mcs", 57.0),
        ("mcs", {"double": 57.5}, "mcs", 57.5),
        ("mcs", {f"{TAG}MCS": {"mcs": {"int": 57}}}, "mcs", 57.0),
        ("mcs", {"Score": {"string": "57"}}, "mcs", 57.0),
        ("mcs", {"value": 57}, "mcs", 57.0),
        ("mcs", {"a": 1, "b": 2}, "mcs", MISFIT),
        ("mcs", "high", "mcs", MISFIT),
        ("mcs", {"value": "57"}, "mcs", MISFIT),
    ],
)
def test_a_value_fits_where_it_can_be_read_without_loss(field: str, value: Any, column: str, expected: Any) -> None:
    """A fitting value stands in its column; another one stays in extra under its name, and its path is listed."""
    rows = rows_of(document(conversation(**{field: value})))
    row = only(rows.conversations)
    if expected is MISFIT:
        assert row.get(column) is None
        assert list(extra_of(row)) == [field]
        assert rows.unknown_fields == {f"Conversation.{field}"}
    else:
        assert row.get(column) == expected
        assert (row["extra"], rows.unknown_fields) == (None, set())


def test_a_score_container_keeps_what_else_it_holds() -> None:
    """The rest of an MCS record goes to extra under mcs."""
    rows = rows_of(document(conversation(mcs={f"{TAG}MCS": {"mcs": 57, "reason": {"string": "tone"}}})))
    row = only(rows.conversations)
    assert (row["mcs"], extra_of(row), rows.unknown_fields) == (57.0, {"mcs": {"reason": "tone"}}, {"MCS.reason"})


@pytest.mark.parametrize(
    ("container", "score", "rest"),
    [
        ({"mcs": None, "score": 50}, 50.0, {}),
        ({"score": {"string": "50"}, "MCS": {"null": None}}, 50.0, {}),
        ({"mcs": None, "value": 50}, 50.0, {}),
        ({"mcs": None, "score": None, "value": {"int": 50}, "label": "ok"}, 50.0, {"label": "ok"}),
        ({"mcs": None, "value": 2**53 + 1}, None, {"value": 2**53 + 1}),
        ({"mcs": "high", "score": 50}, 50.0, {"mcs": "high"}),
        ({"mcs": "high", "value": 50}, 50.0, {"mcs": "high"}),
        ({"mcs": 50, "score": 60}, 60.0, {"mcs": 50}),
        ({"mcs": 1, "chatMCS": 60, "score": 50}, 60.0, {"mcs": 1, "score": 50}),
        ({"mcs": 1, "chatMCS": {"int": 60}, "lineRawScore": 0.5}, 60.0, {"mcs": 1, "lineRawScore": 0.5}),
        ({"mcs": -1, "CHATmcs": "60"}, 60.0, {"mcs": -1}),
        ({"mcs": 1, "chatMCS": None, "chatRawScore": 7}, 1.0, {"chatRawScore": 7}),
        ({"alertedMCS": 7, "lineRawScore": 3, "value": 60}, 60.0, {"alertedMCS": 7, "lineRawScore": 3}),
        ({"mcs": None, "alertedMCS": 7}, None, {"alertedMCS": 7}),
        ({"LINERAWSCORE": 7}, None, {"LINERAWSCORE": 7}),
        ({"mcs": None, "a": 1, "b": 2}, None, {"a": 1, "b": 2}),
        ({"mcs": "high", "a": 1, "b": 2}, None, {"mcs": "high", "a": 1, "b": 2}),
        ({"mcs": None}, None, {}),
    ],
)
def test_the_first_score_that_can_be_read_counts(container: dict[str, Any], score: float | None, rest: dict[str, Any]) -> None:
    """It is that of `chatMCS`, `score`, `mcs`, or the only numeric field; a null under one of the three hides no other."""
    row = only(rows_of(document(conversation(mcs=container))).conversations)
    assert row.get("mcs") == score
    assert (extra_of(row) or {}) == ({"mcs": rest} if rest else {})


def test_unknown_fields_of_every_level_are_kept() -> None:
    """A field without a column is in the extra of its row; above the conversation, of each conversation below."""
    campaign = {f"{TAG}CampaignData": {"campaignId": {"long": 5}, "lob": {"string": "x"}}}
    lines_ = {"array": [message(newField={"int": 1}, fileData={f"{TAG}FileData": {"caption": "c", "size": 9}})]}
    transfers = {"array": [{"reason": {"long": 1}, "hops": {"long": 2}}]}
    value = document(
        conversation(campaignData=campaign, messages=lines_, transfers=transfers, lob2={"string": "y"}), top={"int": 1}
    )
    value["metaData"]["region"] = {"string": "va"}
    value["recordCollection"][0]["kind"] = 7
    value["recordCollection"][0]["body"][f"{TAG}EngagementData"]["beside"] = 8
    value["recordCollection"][0]["body"][f"{TAG}EngagementData"]["header"][f"{TAG}VisitorHeader"]["browser"] = "b"
    rows = rows_of(value)
    assert extra_of(only(rows.conversations)) == {
        "campaignData": {"lob": "x"},
        "lob2": "y",
        "top": 1,
        "region": "va",
        "kind": 7,
        "beside": 8,
        "browser": "b",
    }
    assert extra_of(only(rows.messages)) == {"newField": 1, "fileData": {"size": 9}}
    assert extra_of(only(rows.transfers)) == {"hops": 2}
    assert rows.unknown_fields == {
        "CampaignData.lob", "Conversation.lob2", "Document.top", "MetaData.region", "Record.kind", "EngagementData.beside",
        "VisitorHeader.browser", "Message.newField", "FileData.size", "Transfer.hops",
    }  # fmt: skip


def test_of_two_spellings_both_values_are_kept() -> None:
    """The usual spelling takes the column, another value goes to extra, a null beside it means nothing."""
    row = only(rows_of(document(conversation(skillID={"long": 1}, skillId={"long": 2}))).conversations)
    assert (row["skill_id"], extra_of(row)) == (2, {"skillID": 1})
    row = only(rows_of(document(conversation(skillID={"long": 1}, skillId=None))).conversations)
    assert (row["skill_id"], row["extra"]) == (1, None)


def test_exact_numbers_stay_exact_in_extra() -> None:
    """Numbers that fit no column keep every digit."""
    text = json.dumps(document(conversation(new="@"))).replace('"@"', "123456789012345678901234567890.10")
    assert only(rows_of(text).conversations)["extra"] == '{"new":123456789012345678901234567890.10}'


@pytest.mark.parametrize("missing", [None, "", {"string": ""}, {"string": None}, {"boolean": True}])
def test_a_conversation_without_an_id_is_rejected_and_its_neighbours_load(missing: Any) -> None:
    """The document's text goes to rejects once, its other conversations load."""
    value = document(conversation(missing), conversation("c2"), conversation(missing))
    rows = rows_of(value)
    assert [row["conversation_id"] for row in rows.conversations] == ["c2"]
    assert only(rows.rejects)["raw"] == json.dumps(value)
    assert "conversationId" in only(rows.rejects)["reason"]


@pytest.mark.parametrize("text", ["5", "[]", '"x"', "null", "{}", '{"dataType": "WebSession", "recordCollection": []}', "oops"])
def test_what_is_no_engagement_document_is_rejected(text: str) -> None:
    """Valid JSON of another kind, and garbage, go to rejects with their text."""
    rows = rows_of(text, document(conversation()))
    assert (only(rows.rejects)["raw"], only(rows.rejects)["document"], len(rows.conversations)) == (text, 1, 1)


@pytest.mark.parametrize("empty", [None, [], {"array": []}, [{"body": None}], [None]])
def test_empty_collections_are_no_fault(empty: Any) -> None:
    """A document without conversations loads as such."""
    rows = rows_of(document(recordCollection=empty))
    assert (rows.conversations, rows.rejects) == ([], [])


def test_the_date_falls_back_step_by_step() -> None:
    """Without a readable start the document's startTime dates the row, then the file's scope, then the epoch."""
    late = document(conversation(start=None))
    late["metaData"]["startTime"] = {"long": START + 86_400_000}
    assert only(rows_of(late).conversations)["date"] == date(2016, 7, 26)
    late["metaData"]["startTime"] = None
    assert only(rows_of(late).conversations)["date"] == date(2016, 7, 25)
    assert only(rows_of(late, source=Source("x.gz")).conversations)["date"] == date(1970, 1, 1)


def test_the_account_falls_back_to_the_listing() -> None:
    """The document's account wins over the one that the file was listed for."""
    assert only(rows_of(document(conversation())).conversations)["account_id"] == "75555851"
    assert only(rows_of(document(conversation(), account_id=None)).conversations)["account_id"] == "listed"


def test_odd_transcript_elements_keep_their_places() -> None:
    """An element that is no record stays in the conversation's extra; the others keep their positions."""
    rows = rows_of(document(conversation(messages={"array": [None, {f"{TAG}Message": message("a")}, 5, message("b")]})))
    assert [(row["position"], row["text"]) for row in rows.messages] == [(1, "a"), (3, "b")]
    assert extra_of(only(rows.conversations)) == {"transcripts": [5]}


def test_one_broken_record_does_not_take_the_next_along() -> None:
    """A record that can't be read sends the document to rejects; its other records load."""
    value = document(conversation())
    value["recordCollection"].insert(0, {"body": 5})
    rows = rows_of(value)
    assert (len(rows.conversations), only(rows.rejects)["reason"]) == (1, "body of record 1 is no object")
