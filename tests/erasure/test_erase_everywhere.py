"""After an erase no byte of the lake has the person's id, wherever in a document it stood."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from documents import TAG, conversation, document, gz, message, name_at, put
from lakes import ask, take
from marked import contents

from pipeline.erasure.erase import erase_all
from pipeline.lake.lake import Lake
from pipeline.load.session import writing

IDENT = "Q7person41"
PLACES = [
    "document name",
    "document value",
    "metaData name",
    "metaData value",
    "schemaVersion",
    "dataType",
    "record name",
    "body name",
    "header name",
    "header value",
    "conversation name",
    "conversation value",
    "nested name",
    "message name",
    "message value",
    "transfer name",
    "form name",
    "odd time",
    "odd transcript",
    "odd engagement",
    "cut short",
    "no JSON",
    "no records",
]


def planted(place: str) -> Any:  # noqa: C901 - a case for each place
    """A document of the person, or what is left of one, in which the id stands in one more place."""
    line, transfer, form = message("hello"), {"reason": 1}, {"formId": 1}
    lists = {"transfers": {"array": [transfer]}, "secureForms": {"array": [form]}}
    tagged = conversation(f"p {place}", consumerId={"string": IDENT}, messages=[line], **lists)
    (one,) = tagged.values()
    header: dict[str, Any] = {"visitorId": {"string": IDENT}}
    body: dict[str, Any] = {"header": {f"{TAG}VisitorHeader": header}, "engagements": {"array": [tagged]}}
    record = {"body": {f"{TAG}EngagementData": body}}
    whole = document(recordCollection=[record])
    levels = {
        "document": whole,
        "metaData": whole.setdefault("metaData", {}),
        "record": record,
        "body": body,
        "header": header,
        "conversation": one,
        "message": line,
        "transfer": transfer,
        "form": form,
    }
    level, _, what = place.partition(" ")
    if what in {"name", "value"} and level in levels:
        levels[level] |= {f"at {IDENT}": 1} if what == "name" else {"newField": f"of {IDENT}"}
    match place:
        case "schemaVersion":
            levels["metaData"]["schemaVersion"] = f"1 {IDENT}"
        case "dataType":
            whole["dataType"] = IDENT
        case "nested name":
            one["nested"] = {"deep": [{IDENT: 1}]}
        case "odd time":
            one["conversationStartTime"] = IDENT
        case "odd transcript":
            one["transcripts"] = {"array": [IDENT]}
        case "odd engagement":
            body["engagements"]["array"].append(IDENT)
        case "cut short":
            return json.dumps(whole)[:-3]
        case "no JSON":
            return f"{IDENT} is no JSON"
        case "no records":
            return {"consumerId": IDENT}
    return whole


def where(lake: Lake) -> Iterator[str]:
    """The files of the lake in which the id stands, in any spelling of case."""
    for path, text in contents(Path(lake.root)):
        if IDENT.lower().encode() in text.lower():
            yield f"{path.relative_to(lake.root)}"


@pytest.mark.parametrize("kind", ["consumer", "visitor"])
def test_no_place_keeps_the_id(tmp_path: Path, kind: str) -> None:
    """A file for each place, with somebody else in it whose data stay: tables with all columns, landing zone, DuckDB file."""
    lake = Lake(str(tmp_path / "lake"))
    others = [document(conversation(f"o{number}", newField=1)) for number in range(len(PLACES))]
    files = [
        put(tmp_path / "in", gz(planted(place), other), name_at(number))
        for number, (place, other) in enumerate(zip(PLACES, others, strict=True))
    ]
    take(lake, *files)
    assert {path.partition("/")[0] for path in where(lake)} >= {"files", "rejects", "conversations", "messages", "landing"}
    with writing(lake):
        done = erase_all(lake, [(kind, IDENT)])
    assert done.is_complete, done.left
    assert sorted(where(lake)) == []
    assert ask(lake, "select count(*) from conversations where conversation_id like 'o%'") == [(len(PLACES),)]
    take(lake, *(put(tmp_path / "again", path.read_bytes() + gz(), path.name) for path in files))
    assert sorted(where(lake)) == []


def test_the_account_of_a_lost_file_keeps_no_id(tmp_path: Path) -> None:
    """A landed file that is broken or deleted: the names of fields that it had do not outlive the erase, others' do."""
    lake = Lake(str(tmp_path / "lake"))
    other = document(conversation("o", newField=1))
    take(lake, *(put(tmp_path / "in", gz(planted("conversation name"), other), name_at(hour)) for hour in range(2)))
    broken, lost = (next(Path(lake.root, "landing").rglob(name_at(hour))) for hour in range(2))
    broken.write_bytes(broken.read_bytes()[:-9])
    lost.unlink()
    with writing(lake):
        assert erase_all(lake, [("consumer", IDENT)]).unreadable == [str(broken)]
        broken.unlink()
        assert erase_all(lake, [("consumer", IDENT)]).is_complete
    assert sorted(where(lake)) == []
    assert ask(lake, "select unknown_fields from files") == [(["Conversation.newField"],)] * 2
