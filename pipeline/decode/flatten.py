"""The careful path: a decoded document as rows of conversations, messages, transfers and rejects.

It knows every form of a document that is allowed, and loses nothing: a value that fits no column goes to the row's `extra`, and
a document of which a part can't be a row goes to `rejects`. Pure: no clock, no file, no network.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from pipeline import schema
from pipeline.decode import avro_json
from pipeline.decode.avro_json import MISFIT, escaped, json_text, untag, untag_all
from pipeline.decode.documents import Document
from pipeline.schema import RECORD_TYPES, RecordType
from pipeline.source_files import Source
from pipeline.times import at_microseconds

Row = dict[str, Any]
NO_DATE = date(1970, 1, 1)
"""The partition of a conversation without any time."""


@dataclass
class Rows:
    """The rows of one or more documents."""

    conversations: list[Row] = field(default_factory=list)
    messages: list[Row] = field(default_factory=list)
    transfers: list[Row] = field(default_factory=list)
    rejects: list[Row] = field(default_factory=list)
    account_ids: set[str] = field(default_factory=set)
    schema_versions: set[str] = field(default_factory=set)
    unknown_fields: set[str] = field(default_factory=set)
    spread: int = 0
    """Approximate bytes of the ids and fields that each row repeats, beside its own text."""

    def extend(self, other: "Rows") -> None:
        """Append the rows of `other`."""
        self.conversations += other.conversations
        self.messages += other.messages
        self.transfers += other.transfers
        self.rejects += other.rejects
        self.account_ids |= other.account_ids
        self.schema_versions |= other.schema_versions
        self.unknown_fields |= other.unknown_fields


_DOCUMENT: Final = RECORD_TYPES["Document"]
_META_DATA: Final = RECORD_TYPES["MetaData"]
_RECORD: Final = RECORD_TYPES["Record"]
_BODY: Final = RECORD_TYPES["EngagementData"]
_HEADER: Final = RECORD_TYPES["VisitorHeader"]
_CONVERSATION: Final = RECORD_TYPES["Conversation"]
_MESSAGE: Final = RECORD_TYPES["Message"]
_TRANSFER: Final = RECORD_TYPES["Transfer"]


class UnreadableError(ValueError):
    """The document, or a part of it, does not have the structure of an Engagement document."""


class TooManyRowsError(ValueError):
    """The rows of a document would repeat its values so often that they take many times its size."""


# Both paths have these: the bytes that a row takes at least, and how many times its document's size its rows may repeat
ROW_BYTES: Final = 100
MOST_SPREAD: Final = 6
LEAST_SPREAD: Final = 64 << 10
_MOST_PROBLEMS: Final = 5


def flatten(document: Document, source: Source) -> Rows:
    """The rows of one document, with a row in `rejects` if a part of it could be kept nowhere else.

    `delivery` counts the document's conversations from 1.
    """
    rows = Rows()
    problem = document.problem
    if document.value is not None:
        try:
            _Reader(source, rows, len(document.raw)).read_document(document.value)
        except UnreadableError as error:
            problem = str(error)
        except RecursionError:
            rows, problem = Rows(), "it is nested too deeply to be read"
        except TooManyRowsError as error:
            rows, problem = Rows(), str(error)
    if problem is not None:
        account_id = next(iter(rows.account_ids), source.account_id)
        rows.rejects.append(
            {
                "account_id": account_id,
                "source_file": source.name,
                "document": document.number,
                "reason": escaped(problem),
                "raw": document.raw.decode("utf-8", errors="backslashreplace"),
            }
        )
    return rows


class _Reader:
    """Walks one document down to its conversations."""

    def __init__(self, source: Source, rows: Rows, size: int) -> None:
        self.most_spread = LEAST_SPREAD + MOST_SPREAD * size
        self.account_size = 0
        self.source = source
        self.rows = rows
        self.problems: list[str] = []
        self.above: Row = {}  # columns that the conversation takes from the levels above it
        self.extra: Row = {}  # fields of those levels that no column takes
        self.start: int | None = None

    def read_document(self, value: Row) -> None:
        """Collect the rows of one document.

        Raises:
            UnreadableError: a part of it is kept nowhere else; the rows of the other parts are in `rows`.
        """
        known, rest = _known(_DOCUMENT, value)
        data_type = untag(known.get("dataType"))
        if data_type != "Engagement" and not (data_type is None and "recordCollection" in known):
            raise UnreadableError("it is valid JSON but no Engagement document")
        self._keep_extra(_DOCUMENT, rest)
        self._read_meta_data(known.get("metaData"))
        for number, record in enumerate(_list(known.get("recordCollection"), "recordCollection"), start=1):
            outer = len(self.extra)
            try:
                self._read_record(record, f"record {number}")
            except UnreadableError as error:
                self._note(str(error))
            while len(self.extra) > outer:
                self.extra.popitem()
        if not self.rows.conversations and self.extra and not self.problems:
            self.problems.append(f"it has no conversation to keep the fields {', '.join(self.extra)[:200]} with")
        if self.problems:
            raise UnreadableError("; ".join(self.problems))

    def _note(self, problem: str) -> None:
        """Remember a problem with a part of the document; the first few suffice."""
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(problem)

    def _spread(self, size: int) -> None:
        """Count repeated bytes, and refuse a document before they fill the memory."""
        self.rows.spread += size
        if self.rows.spread > self.most_spread:
            raise TooManyRowsError("its rows would repeat its ids and fields so often that they would not fit the memory")

    def _read_meta_data(self, value: Any) -> None:
        bare = untag(value)
        if bare is not None and not isinstance(bare, dict):
            self._keep_extra(_DOCUMENT, {"metaData": value})
        known, rest = _known(_META_DATA, bare if isinstance(bare, dict) else {})
        account_id = self._fit_meta(known, "accountId", schema.TEXT)
        version = self._fit_meta(known, "schemaVersion", schema.TEXT)
        self.start = self._fit_meta(known, "startTime", schema.TIME)
        self._fit_meta(known, "endTime", schema.TIME)
        self._keep_extra(_META_DATA, rest)
        self.account_size = len(account_id or "")
        self.above = {"account_id": account_id or self.source.account_id, "schema_version": version}
        if self.above["account_id"]:
            self.rows.account_ids.add(self.above["account_id"])
        if version is not None:
            self.rows.schema_versions.add(version)

    def _fit_meta(self, known: Row, name: str, kind: Any) -> Any:
        value = avro_json.fit(known.get(name), kind)
        if value is MISFIT:
            self._keep_extra(_META_DATA, {name: known[name]})
            return None
        return value

    def _keep_extra(self, kind: RecordType, rest: Row) -> None:
        for name, value in rest.items():
            self.rows.unknown_fields.add(_path(kind, name))
            self.extra[_free(name, kind, self.extra)] = untag_all(value)

    def _read_record(self, value: Any, where: str) -> None:
        above = len(self.extra)
        known, rest = _known(_RECORD, _record(value, where))
        self._keep_extra(_RECORD, rest)
        known, rest = _known(_BODY, _record(known.get("body"), f"body of {where}"))
        self._keep_extra(_BODY, rest)
        header, header_extra = _read(_HEADER, _record(known.get("header"), f"header of {where}"), self.rows.unknown_fields)
        for name, kept in header_extra.items():
            self.extra[_free(name, _HEADER, self.extra)] = kept
        before = len(self.rows.conversations)
        for number, engagement in enumerate(_list(known.get("engagements"), f"engagements of {where}"), start=1):
            self._read_conversation(engagement, header, f"conversation {number} of {where}")
        if len(self.rows.conversations) == before and len(self.extra) != above:
            self._note(f"{where} has no conversation to keep its unknown fields with")

    def _read_conversation(self, value: Any, header: Row, where: str) -> None:
        bare = untag(value)
        if bare is None:
            return
        if not isinstance(bare, dict):
            self._note(f"{where} is no object")
            return
        unknown: set[str] = set()
        values, extra = _read(_CONVERSATION, bare, unknown)
        conversation_id = values.get("conversation_id")
        if not conversation_id:
            self._note(f"{where} has no conversationId")
            return
        self.rows.unknown_fields |= unknown
        transcripts, transfers = values.pop("transcripts", None), values.pop("transfers", None)
        key = {
            "account_id": self.above["account_id"],
            "conversation_id": conversation_id,
            "date": self._date(values.get("conversation_start_time")),
            "source_file": self.source.name,
            "delivery": len(self.rows.conversations) + 1,
        }
        self.rows.messages += self._read_list(_MESSAGE, transcripts, "transcripts", key, extra)
        self.rows.transfers += self._read_list(_TRANSFER, transfers, "transfers", key, extra)
        for name, kept in self.extra.items():
            extra[_free(name, _DOCUMENT, extra)] = kept
        extra_text = json_text(extra) if extra else None
        if self.extra:
            self._spread(len(extra_text or ""))
        self._spread(self._row_bytes(key) + sum(map(len, header.values())) + len(self.above["schema_version"] or ""))
        self.rows.conversations.append({**values, **header, **self.above, **key, "extra": extra_text})

    def _read_list(self, kind: RecordType, value: Any, name: str, key: Row, extra: Row) -> list[Row]:
        """The rows of a list in a conversation; an element that is no record goes to the conversation's `extra`."""
        bare = untag(value)
        elements = bare if isinstance(bare, list) else []
        odd = [untag_all(element) for element in elements if not isinstance(untag(element), dict | None)]
        if odd or not isinstance(bare, list | None):
            self.rows.unknown_fields.add(f"Conversation.{name}")
            extra[name] = odd or untag_all(bare)
        rows = []
        for position, element in enumerate(elements):
            record = untag(element)
            if isinstance(record, dict):
                self._spread(self._row_bytes(key))
                values, beyond = _read(kind, record, self.rows.unknown_fields)
                rows.append({**values, **key, "position": position, "extra": json_text(beyond) if beyond else None})
        return rows

    def _row_bytes(self, key: Row) -> int:
        """Approximate bytes of its document that a row repeats."""
        return ROW_BYTES + len(key["conversation_id"]) + self.account_size

    def _date(self, start: int | None) -> date:
        for moment in (start, self.start, self.source.scope_start):
            if moment is not None:
                return at_microseconds(moment).date()
        return NO_DATE


def _path(kind: RecordType, name: str) -> str:
    return escaped(f"{kind.name}.{name}")


def _free(name: str, kind: RecordType, taken: Row) -> str:
    """The name in `extra` of a field from a level above; if it is taken, the name of the level precedes it."""
    free = name
    while free in taken:
        free = f"{kind.name}.{free}"
    return free


def _list(value: Any, where: str) -> list[Any]:
    bare = untag(value)
    if bare is None:
        return []
    if not isinstance(bare, list):
        raise UnreadableError(f"{where} is no list")
    return bare


def _record(value: Any, where: str) -> Row:
    bare = untag(value)
    if bare is None:
        return {}
    if not isinstance(bare, dict):
        raise UnreadableError(f"{where} is no object")
    return bare


def _known(kind: RecordType, record: Row) -> tuple[Row, Row]:
    """The known fields of a record, by their usual spelling, and the unknown ones.

    Of two spellings of one field the usual one wins, and a second value goes to the unknown fields; a null is ignored.
    """
    names = kind.known
    if all(names.get(name.lower()) == name for name in record):
        return record, {}
    known: Row = {}
    rest: Row = {}
    for name, value in sorted(record.items(), key=lambda item: names.get(item[0].lower()) != item[0]):
        usual = names.get(name.lower())
        if usual is None or (value is not None and known.get(usual) is not None):
            rest[name] = value
        elif known.get(usual) is None:
            known[usual] = value
    return known, rest


def _read(kind: RecordType, record: Row, unknown: set[str]) -> tuple[Row, Row]:
    """The values of a record by column, and those without a column by field, tags removed."""
    known, rest = _known(kind, record)
    values: Row = {}
    extra: Row = {}
    for name, value in known.items():
        if value is None:
            continue
        if name in kind.lists:
            values[name] = value
        elif name in kind.records:
            _read_container(kind, name, value, values, extra, unknown)
        elif (column := kind.columns[name]).sent_as == "score":
            _read_score(kind, name, value, values, extra, unknown)
        else:
            fitted = _secure_forms(value) if column.sent_as == "forms" else avro_json.fit(value, column.type)
            if fitted is MISFIT:
                rest[name] = value
            else:
                values[column.name] = fitted
    for name, value in rest.items():
        unknown.add(_path(kind, name))
        extra[name] = untag_all(value)
    return values, extra


def _read_container(  # noqa: PLR0917  # the two halves of a record
    kind: RecordType, name: str, value: Any, values: Row, extra: Row, unknown: set[str]
) -> None:
    bare = untag(value)
    if isinstance(bare, dict):
        inner, beyond = _read(kind.records[name], bare, unknown)
        values.update(inner)
        if beyond:
            extra[name] = beyond
    elif bare is not None:
        unknown.add(_path(kind, name))
        extra[name] = untag_all(bare)


def _read_score(  # noqa: PLR0917  # likewise
    kind: RecordType, name: str, value: Any, values: Row, extra: Row, unknown: set[str]
) -> None:
    score, beyond = avro_json.score(value)
    if score is MISFIT:
        unknown.add(_path(kind, name))
        extra[name] = untag_all(value)
        return
    values[kind.columns[name].name] = score
    if beyond:
        unknown.update(escaped(f"MCS.{inner}") for inner in beyond)
        extra[name] = {inner: untag_all(held) for inner, held in beyond.items()}


def _secure_forms(value: Any) -> Any:
    bare = untag(value)
    if bare is None or bare == []:
        return None
    return json_text(untag_all(bare)) if isinstance(bare, list) else MISFIT
