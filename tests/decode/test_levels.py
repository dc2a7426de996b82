"""A field counts at the level that has it: a known name at another level is an unknown field of that one."""

from dataclasses import replace
from typing import Any, Final

import pytest
from differences import differences, product_rows, reference_rows
from documents import TAG, conversation, document, message
from made_documents import dumped

from pipeline import schema
from pipeline.decode.scanner import NoScanner, Scanner, new_scanner

Row = dict[str, Any]
LEVELS: Final = (
    *("Document", "MetaData", "Record", "EngagementData", "VisitorHeader", "Conversation"),
    *("CampaignData", "Message", "FileData", "LinkData", "Transfer"),
)
COLUMNS: Final = [column for table in (schema.CONVERSATIONS, schema.MESSAGES, schema.TRANSFERS) for column in table.columns]
NAMES: Final = sorted({
    *(column.field or column.name for column in COLUMNS),
    *(column.name for column in COLUMNS),
    *(column.container for column in COLUMNS if column.container),
    *(name for type_ in schema.RECORD_TYPES.values() for name in (*type_.values, *type_.records, *type_.lists)),
})  # fmt: skip
INHERITED: Final = {
    "conversationId": "c1",
    "accountId": "75555851",
    "schemaVersion": "1.0.0.22",
    **{name: name for name in ("visitId", "visitorId", "contextId")},
}
"""The columns that the row inherits, by the document's names."""


def a_record_of(level: str) -> tuple[Row, Row]:
    """A document with everything in it, and its record of that level."""
    header = {name: {"string": name} for name in ("visitId", "visitorId", "contextId")}
    campaign = {"campaignId": {"long": 5}, "campaignEngagementId": {"long": 6}}
    file_data, link_data = {"caption": {"string": "f"}}, {"caption": {"string": "l"}}
    line = message(fileData={f"{TAG}FileData": file_data}, linkData={f"{TAG}LinkData": link_data})
    transfer = {"timestamp": {"string": "1469469281856"}, "skillId": {"long": 7}}
    whole = conversation(
        "c1", messages=[line], transfers={"array": [transfer]}, campaignData={f"{TAG}CampaignData": campaign}, consumerId="u1"
    )
    made = document(whole)
    record = made["recordCollection"][0]
    body = record["body"][f"{TAG}EngagementData"]
    body["header"] = {f"{TAG}VisitorHeader": header}
    levels = (made, made["metaData"], record, body, header, *whole.values(), campaign, line, file_data, link_data, transfer)
    return made, dict(zip(LEVELS, levels, strict=True))[level]


def documents_with(name: str, level: str, *, step: int) -> list[Row]:
    """A document for each value that the field may have there, or for each of so many."""
    same = INHERITED.get(name, "c1")
    made = []
    values = (same, "OTHER", {"string": "OTHER"}, None, {"null": None}, {"string": None}, 12)
    for value in values[(NAMES.index(name) + LEVELS.index(level)) % step :: step]:
        whole, record = a_record_of(level)
        record[name] = value
        made.append(whole)
    return made


@pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize("level", LEVELS)
def test_every_known_name_at_every_level_gives_the_rows_of_the_reference(level: str, step: int) -> None:
    """By either path a name fills the column of its own level, and is an unknown field of any other, whatever its value."""
    text = b"".join(dumped(made) + b"\n" for name in NAMES for made in documents_with(name, level, step=step))
    expected = reference_rows(text)
    for is_careful in (False, True):
        found = differences(expected, product_rows(text, is_careful=is_careful))
        assert found == [], f"{level}, {is_careful=}"


@pytest.mark.parametrize(("level", "table"), [("Message", "messages"), ("Transfer", "transfers")])
@pytest.mark.parametrize("is_careful", [False, True], ids=["fast", "careful"])
def test_no_line_can_say_to_which_conversation_it_belongs(level: str, table: str, *, is_careful: bool) -> None:
    """Lines and transfers are of the conversation that they stand in; another id in them is kept as an unknown field."""
    whole, record = a_record_of(level)
    record["conversationId"] = "OTHER"
    got = product_rows(dumped(whole), is_careful=is_careful)
    (row,) = got[table]
    assert (row["conversation_id"], row["extra"]) == ("c1", '{"conversationId":"OTHER"}')
    assert got["unknown_fields"] == [f"{level}.conversationId"]


@pytest.mark.parametrize("column", ["account_id", "conversation_id", "date", "position", "delivery", "extra"])
def test_the_scanner_takes_no_field_for_a_column_that_is_inherited(column: str) -> None:
    """A description that lets the input fill a column which the row takes from elsewhere is refused before anything is read."""
    if isinstance(new_scanner(), NoScanner):
        pytest.skip("scanner.c is not compiled here: no C compiler was found")
    (inherited,) = (one for one in schema.MESSAGES.columns if one.name == column)
    with pytest.raises(ValueError, match=r"Message\.anything may not fill a column"):
        Scanner(with_field(schema.DOCUMENT, "Message", inherited))


def test_more_record_types_than_the_scanner_has_room_for_are_refused() -> None:
    """A description is refused where it would not fit the scanner's own memory."""
    if isinstance(new_scanner(), NoScanner):
        pytest.skip("scanner.c is not compiled here: no C compiler was found")
    many = {f"list{number}": schema.RecordType(f"List{number}") for number in range(20)}
    with pytest.raises(ValueError, match=r"List\d+: the scanner has no room for another record type"):
        Scanner(replace(schema.DOCUMENT, lists=many))


def with_field(type_: schema.RecordType, name: str, column: schema.Column) -> schema.RecordType:
    """A description of a document whose records of one type have a field `anything` for a column."""
    columns = {**type_.columns, "anything": column} if type_.name == name else type_.columns
    records, lists = (
        {field: with_field(inner, name, column) for field, inner in fields.items()} for fields in (type_.records, type_.lists)
    )
    return replace(type_, columns=columns, records=records, lists=lists)
