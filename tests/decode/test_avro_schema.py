"""An Avro schema beside the tables: every column, every type, and schemas of hostile shapes."""

import copy
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import schema
from pipeline.decode.avro_json import MISFIT, fit
from pipeline.decode.avro_schema import Compared, compare
from pipeline.decode.documents import Decimal64
from pipeline.sandbox.avro import engagement_schema
from pipeline.sandbox.encode import compact
from pipeline.text import SECRETS

RECORDS = {
    (schema.CONVERSATIONS.name, None): "Conversation",
    (schema.CONVERSATIONS.name, "campaignData"): "CampaignData",
    (schema.CONVERSATIONS.name, "header"): "VisitorHeader",
    (schema.MESSAGES.name, None): "Message",
    (schema.MESSAGES.name, "fileData"): "FileData",
    (schema.MESSAGES.name, "linkData"): "LinkData",
    (schema.TRANSFERS.name, None): "Transfer",
}
COLUMNS = [
    (RECORDS[table.name, column.container], column)
    for table in (schema.CONVERSATIONS, schema.MESSAGES, schema.TRANSFERS)
    for column in table.columns
    if column.field
]
ENUM = {"type": "enum", "name": "Letters", "symbols": ["A"]}
FIXED = {"type": "fixed", "name": "Four", "size": 4}
ITEM = {"type": "record", "name": "Item", "fields": [{"name": "a", "type": "int"}]}
VALUES: dict[str, tuple[Any, list[Any]]] = {
    "boolean": ("boolean", [True, False]),
    "int": ("int", [-(2**31), 2**31 - 1]),
    "long": ("long", [-(2**63), 2**63 - 1]),
    "float": ("float", [Decimal64("0.5")]),
    "double": ("double", [Decimal64("1e300")]),
    "string": ("string", ["x"]),
    "bytes": ("bytes", ["\u00ff"]),
    "enum": (ENUM, ["A"]),
    "fixed": (FIXED, ["abcd"]),
    "array of int": ({"type": "array", "items": ["null", "int"]}, [[1, None]]),
    "array of long": ({"type": "array", "items": "long"}, [[2**63 - 1]]),
    "array of string": ({"type": "array", "items": "string"}, [["x"]]),
    "map": ({"type": "map", "values": "int"}, [{"a": 1}]),
    "record": (ITEM, [{"a": 1, "b": 2}]),
}
"""By their names, Avro's types, and values of them that not every column holds."""
NEWEST = engagement_schema(is_tagged=True)


def records(node: Any) -> Iterator[dict[str, Any]]:
    """Every record of a schema."""
    if isinstance(node, dict) and node.get("type") == "record":
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from records(inner)


def changed(record: str, field: str, kind: Any) -> bytes:
    """The newest schema with another type of a field; None: without it."""
    other = copy.deepcopy(NEWEST)
    for found in records(other):
        if found["name"] == record:
            found["fields"] = [one for one in found["fields"] if one["name"] != field]
            found["fields"] += [] if kind is None else [{"name": field, "type": kind}]
    return compact(other)


def test_every_field_has_a_column() -> None:
    """The tables hold all that the schemas of the vendor's page have, and say what the undocumented containers do."""
    for is_tagged in (True, False):
        found = compare(compact(engagement_schema(is_tagged=is_tagged)))
        assert (found.without_column, found.types) == (set(), {})
        assert found.inside["Conversation.secureForms"] == {"formId": "string", "formName": "string", "submitTime": "long"}
        assert found.inside["Conversation.mcs"] == found.inside["Message.mcs"] == {"mcs": "double"}


@pytest.mark.parametrize(("record", "column"), COLUMNS, ids=[f"{record}.{column.field}" for record, column in COLUMNS])
def test_a_type_is_told_where_a_column_cannot_hold_it(record: str, column: schema.Column) -> None:
    """Of each column: a field may be left out, and each type is told if the decoder can't put all its values there."""
    field = column.field or ""
    if field not in {"conversationId", "mcs"}:  # by the one a conversation is known, and another field names the type MCS
        assert compare(changed(record, field, None)).types == {}
    for name, (kind, values) in VALUES.items():
        if field == "mcs" and name == "record":
            continue  # as below
        types = compare(changed(record, field, ["null", kind])).types
        is_held = all(fit(value, column.type) is not MISFIT for value in values)
        if field == "secureForms":
            is_held = name.startswith("array")
        elif column.type == schema.TIME:  # of numbers and texts those that are times
            is_held = name in {"int", "long", "string"}
        path = f"{record}.{field}"
        assert (path not in types) is is_held, name
        assert is_held or types[path].startswith(f"{name}, where column {column.name} is ")


@pytest.mark.parametrize("record", sorted({record for record, _ in COLUMNS}))
def test_a_field_without_a_column_is_told(record: str) -> None:
    """A field that no column takes is told by its path, as the summary of a load tells it, and in any record."""
    found = compare(changed(record, "novelty", "string"))
    assert (found.without_column, found.types) == ({f"{record}.novelty"}, {})


def test_case_names_and_namespaces_do_not_matter() -> None:
    """Fields spelled in another case, named types used again, types in types and many names of records are understood."""
    assert compare(changed("Transfer", "skillID", "long")).without_column == set()
    assert compare(changed("Transfer", "skillId", {"type": {"type": ["null", {"type": "long"}]}})).types == {}
    assert compare(changed("Message", "linkData", "com.liveperson.dataaccess.FileData")).without_column == set()
    renamed = compact(NEWEST).replace(b'"name":"Conversation"', b'"name":"Talk"').replace(b'"name":"Message"', b'"name":"Line"')
    assert compare(renamed) == compare(compact(NEWEST))


@pytest.mark.parametrize(
    ("inside", "is_told"),
    [
        ({"chatMCS": "int"}, False),
        ({"score": "double", "mcs": "int", "other": "string"}, False),
        ({"points": "int", "lineRawScore": "double", "name": "string"}, False),
        ({"points": "int", "others": "double"}, True),
        ({"name": "string"}, True),
    ],
)
def test_a_score_that_cannot_be_told_is_said(inside: dict[str, str], *, is_told: bool) -> None:
    """A record of scores in which the decoder would find none is told, and what is in it anyway."""
    mcs = {"type": "record", "name": "MCS", "fields": [{"name": name, "type": kind} for name, kind in inside.items()]}
    found = compare(changed("Conversation", "mcs", mcs))
    assert ("Conversation.mcs" in found.types) is is_told
    assert found.inside["Conversation.mcs"] == inside


def test_a_time_in_microseconds_is_told() -> None:
    """A long that counts something else than milliseconds is no time for us."""
    for meaning, is_told in (("timestamp-millis", False), ("timestamp-micros", True)):
        types = compare(changed("Conversation", "queueEndTime", {"type": "long", "logicalType": meaning})).types
        assert ("Conversation.queueEndTime" in types) is is_told


ANY_JSON = st.recursive(
    st.none()
    | st.sampled_from(
        ["record", "array", "null", "string", "A", "enum", "conversationId", "transcripts", "mcs", "\ud800", "a.A"]
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["type", "name", "fields", "items", "namespace", "logicalType"]), inner, max_size=5)
    ),
    max_leaves=30,
)


@given(st.lists(st.tuples(st.sampled_from(["conversationId", "transcripts", "mcs", "skills", "x"]), ANY_JSON), max_size=8))
def test_any_shape_is_compared_or_refused(shapes: list[tuple[str, Any]]) -> None:
    """A schema of any content is compared or refused; a name that leads to itself does no harm."""
    fields = [{"name": name, "type": kind} for name, kind in shapes]
    text = json.dumps({"type": "record", "name": "A", "fields": [*fields, {"name": "engagements", "type": "A"}]}).encode()
    with suppress(ValueError):
        assert isinstance(compare(text), Compared)


def many(count: int, make: Any) -> list[Any]:
    return [make(number) for number in range(count)]


MANY_SCORES = {"type": "record", "name": "M", "fields": many(4_000, lambda n: {"name": f"m{n}", "type": "int"})}
TALK = [{"name": "conversationId"}, {"name": "transcripts"}, {"name": "mcs", "type": "M"}]
HOSTILE = {
    "deep": b'{"type":' * 200_000,
    "array in array": b'{"type":"array","items":' * 500 + b'"int"' + b"}" * 500,
    "fields": {"fields": many(15_000, lambda n: {"name": f"f{n}", "type": "A"})},
    "records": {
        "fields": [
            {"name": "mcs", "type": MANY_SCORES},
            {"name": "z", "type": many(4_000, lambda n: {"type": "record", "name": f"R{n}", "fields": TALK})},
        ]
    },
    "names": {"fields": [{"name": "mcs", "type": many(40_000, lambda n: f"N{n}")}]},
}


@pytest.mark.parametrize("shape", HOSTILE)
def test_a_hostile_schema_takes_no_time(shape: str) -> None:
    """Depth ends in a sentence, and what is wide is compared in time that grows as its text does."""
    shaped: Any = HOSTILE[shape]
    if not isinstance(shaped, bytes):
        own = [{"name": "conversationId", "type": "string"}, {"name": "transcripts", "type": {"type": "array", "items": "A"}}]
        shaped = json.dumps({"type": "record", "name": "A", "fields": [*own, *shaped["fields"]]}).encode()
    assert len(shaped) < 4 << 20
    SECRETS.keep(f"no such secret {number}" for number in range(4))
    begun = time.process_time()
    found = Compared()
    with suppress(ValueError):
        found = compare(shaped)
    assert all(len(text) < 300 for text in (*found.without_column, *found.types.values()))
    assert time.process_time() - begun < 8
