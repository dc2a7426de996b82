"""A load keeps the text that an erase removed from a landed file out of the next delivery."""

import gzip
import json
from pathlib import Path

import pytest
from documents import conversation, document, name_at, put
from lakes import ask, take

from pipeline.erasure.erase import erase_all
from pipeline.lake.lake import Lake
from pipeline.load.session import writing

IDS = ["u1", "pers-7.b", "3f2a-99_x", "1000166", "anna@example.com", "a b", "Zoë", "x/y:z", "O'Hara"]
"""As accounts have them: plain, with marks, an address, with a blank, no ASCII, with what else parts words."""
QUICK = ("1000166", "a b", "Zoë")

BROKEN = [
    "{{'consumerId':'{id}','text':'SECRET'}}",
    '{{"consumerId":\'{id}\',"text":"SECRET"',
    "consumerId={id}, SECRET",
    "consumerId:{id}; SECRET",
    "consumerId: {id}\tSECRET",
    "<consumerId>{id}</consumerId> SECRET",
    '{{"consumerId":"{id}","text":"SECRET"',
    '{{"dataType":"Engagement",,"x":"{{\\"consumerId\\":\\"{id}\\",\\"text\\":\\"SECRET\\"}}"}}',
    "?consumerId={id}&text=SECRET",
    "[{id} SECRET]",
    "({id}, SECRET)",
    "{id} SECRET",
    "SECRET|{id}|",
]
"""Texts that are no document."""


def misplaced(ident: str) -> list[str]:
    """Documents that give no row, with an id in a string of JSON at each level."""
    text = json.dumps({"conversationId": "c", "consumerId": ident, "text": "SECRET"}, ensure_ascii=False)
    levels = [
        [text],
        [{"body": text}],
        [{"body": {"engagements": text}}],
        [{"body": {"engagements": [text]}}],
        [{"body": {"engagements": [json.dumps(text, ensure_ascii=False)]}}],
    ]
    return [json.dumps({"dataType": "Engagement", "recordCollection": level}) for level in levels]


def headers(ident: str) -> list[str]:
    """Documents without a conversation, whose header has the id under any spelling of the field and in any shape."""
    shapes = [ident, {"string": ident}, {"text": ident}, [ident], *([int(ident)] if ident.isdecimal() else [])]
    bodies = [{"header": {field: shape, "SECRET": 1}} for field in ("visitorId", "visitorID", "VISITORID") for shape in shapes]
    lines = [json.dumps({"dataType": "Engagement", "recordCollection": [{"body": body}]}) for body in bodies]
    return [*lines, lines[0].replace('"visitorId"', '"visitor\\u0049d"'), lines[0].replace('":', '" : ')]


def landed(lake: Lake, name: str) -> str:
    """The text of a landed file."""
    [path] = [path for path in lake.files.find(lake.path("landing")) if path.endswith(f"/{name}")]
    return gzip.decompress(lake.files.cat_file(path)).decode()


@pytest.mark.parametrize("ident", [pytest.param(ident, marks=() if ident in QUICK else pytest.mark.long) for ident in IDS])
def test_what_an_erase_takes_does_not_come_back(ident: str, tmp_path: Path) -> None:
    """A text of any shape that names the person stays out, in a file of another name or alone in one of the same name."""
    lake = Lake(str(tmp_path / "lake"))
    texts = [*(text.format(id=ident) for text in BROKEN), *misplaced(ident), *headers(ident)]
    other = json.dumps(document(conversation("c9", consumerId={"string": "B"})))
    contents = gzip.compress("\n".join([other, *texts]).encode())
    take(lake, put(tmp_path / "in", contents, name_at(0)))
    with writing(lake):
        erase_all(lake, [("consumer", ident), ("visitor", ident)])
    left = landed(lake, name_at(0))
    assert "c9" in left
    assert [text for text in texts if "SECRET" in text and text in left] == []
    take(lake, put(tmp_path / "in", contents, name_at(1)))
    assert landed(lake, name_at(1)) == left
    alone = {name_at(2 + place): text for place, text in enumerate(texts)}
    take(lake, *(put(tmp_path / "in", gzip.compress(f"{other}\n{text}".encode()), name) for name, text in alone.items()))
    assert {name: text for name, text in alone.items() if "SECRET" in landed(lake, name)} == {}
    assert ask(lake, "select raw from rejects where raw like '%SECRET%'") == []
