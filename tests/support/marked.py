"""Conversations of one person in which every value is unique, and a search for these values in all bytes of a folder."""

import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from documents import START, TAG, conversation, document, message

Json = dict[str, Any]


class Marked:
    """Makes conversations of one person in which every value occurs nowhere else; `marks` are those values as text."""

    def __init__(self, person: str) -> None:
        self._numbers = count()
        self._person = person
        self.marks: list[str] = []

    def text(self) -> Json:
        """A text."""
        self.marks.append(f"mark {self._person} {next(self._numbers)} é/")
        return {"string": self.marks[-1]}

    def number(self) -> Json:
        """A whole number."""
        self.marks.append(str(700_000_000_000 + int.from_bytes(self._person.encode()) * 10_000 + next(self._numbers)))
        return {"long": int(self.marks[-1])}

    def time(self) -> Json:
        """A time of the day that all files are about."""
        self.marks.append(str(START + 1 + int.from_bytes(self._person.encode()) * 1000 + next(self._numbers)))
        return {"long": int(self.marks[-1])}

    def conversation(self, conversation_id: str, consumer: str | None) -> Json:
        """A conversation with a value in every field, and in some that nobody knows."""
        line: Json = {
            name: self.text() for name in ("text", "by", "agentId", "messageId", "dialogId", "newField", "controlType")
        }
        line |= {"timestamp": self.time(), "fileData": {name: self.text() for name in ("caption", "fileType", "path")}}
        line["linkData"] = {name: self.text() for name in ("externalFileLink", "fileType", "caption")}
        transfer = {name: self.number() for name in ("timestamp", "skillId", "targetSkillId", "reason")}
        transfer |= {"agentId": self.text(), "targetAgentId": self.text(), "note": self.text()}
        return conversation(
            conversation_id,
            start=self.time()["long"],
            messages=[message(**line)],
            transfers=[transfer],
            consumerId=consumer and {"string": consumer},
            secureForms={"array": [{"formId": self.text(), "answer": self.text()}]},
            campaignData={"campaignId": self.number(), "lob": self.text()},
            conversationEndTime=self.time(),
            skills={"array": [self.number()]},
            nested={"deep": [self.text(), {"deeper": self.text()}]},
            **{name: self.text() for name in ("startPage", "startUrl", "agentId", "sourceOrigin", "notAnEnum")},
        )

    def record(self, *conversations: Json, visitor: str | None) -> Json:
        """A record with those conversations and a header of its own."""
        header = {"visitId": self.text(), "visitorId": visitor and {"string": visitor}, "contextId": self.text()}
        engagements = {"array": list(conversations)}
        return {"body": {f"{TAG}EngagementData": {"header": {f"{TAG}VisitorHeader": header}, "engagements": engagements}}}

    def document(self, *conversations: Json, visitor: str | None) -> Json:
        """A document of one record."""
        return document(recordCollection=[self.record(*conversations, visitor=visitor)])


def spellings(mark: str) -> list[bytes]:
    """A value as JSON may spell it."""
    every = "".join(f"\\u{ord(letter):04x}" for letter in mark)
    texts = {mark, json.dumps(mark)[1:-1], every, mark.replace("/", "\\/"), json.dumps(mark)[1:-1].replace("/", "\\/")}
    return [text.encode() for text in texts]


def contents(root: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file below a folder, its name, and all that is packed in it."""
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        raw = path.read_bytes()
        yield path, str(path).encode() + b"\n" + raw
        if raw.startswith(b"\x1f\x8b"):
            yield path, gzip.decompress(raw)
        if raw.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(raw)) as archive:
                yield path, b"\n".join(map(archive.read, archive.namelist()))
        if raw.startswith(b"PAR1"):
            table = pq.ParquetFile(path).read()
            for column in table.columns:
                is_time = pa.types.is_timestamp(column.type)
                values = column.cast(pa.int64()).to_pylist() if is_time else column.to_pylist()
                shown = [str(value // 1000 if is_time and value is not None else value) for value in values]
                yield path, "\n".join(shown).encode()


def found(root: Path, marks: list[str]) -> set[str]:
    """Those of the values that are anywhere in a folder."""
    everything_there = b"\0".join(text for _, text in contents(root))
    return {mark for mark in marks if any(spelling in everything_there for spelling in spellings(mark))}
