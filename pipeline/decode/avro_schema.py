"""Compares an Avro schema of Engagement documents with the tables: fields without a column, types that a column can't hold.

The schema comes from outside and may have any form, so no function recurses on nested values, and time stays proportional to
the size of the text.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.decode import avro_json
from pipeline.decode.avro_json import PRIMITIVES
from pipeline.json_documents import parse_documents
from pipeline.schema import BIGINT, BOOLEAN, DOUBLE, INTEGER, RECORD_TYPES, TEXT, TIME, Type
from pipeline.text import shortened

_NAMED: Final = frozenset({"record", "enum", "fixed"})
_KNOWN_BY: Final = {
    "Document": {"recordcollection"},
    "EngagementData": {"engagements"},
    "Conversation": {"conversationid", "transcripts"},
}
"""The fields, in lower case, by which a record type is recognised; its name does not count."""
_CHILDREN: Final = {
    name: inner.name
    for outer in RECORD_TYPES.values()
    for name, inner in (*outer.records.items(), *outer.lists.items())
    if name != "body"  # which is known by its fields
}
_LISTS: Final = frozenset(name for outer in RECORD_TYPES.values() for name in outer.lists)
_UNDOCUMENTED: Final = frozenset({"mcs", "secureForms"})
_TEXTS: Final = frozenset({"string", "enum", "bytes", "fixed"})
_NUMBERS: Final = frozenset({"int", "long", "float", "double"})
_HOLDS: Final[dict[Type, frozenset[str]]] = {
    TEXT: _TEXTS | _NUMBERS,
    INTEGER: frozenset({"int"}),
    BIGINT: frozenset({"int", "long"}),
    DOUBLE: frozenset({"int", "float", "double"}),
    BOOLEAN: frozenset({"boolean"}),
    TIME: frozenset({"int", "long", "string"}),
    Type.BIGINTS: frozenset({"array of int", "array of long", "array of int or long"}),
}
"""The types of Avro of which a column holds every value; text counts for a time, since it may hold one."""
_SQL: Final = {
    TEXT: "VARCHAR",
    INTEGER: "INTEGER",
    BIGINT: "BIGINT",
    DOUBLE: "DOUBLE",
    BOOLEAN: "BOOLEAN",
    TIME: "TIMESTAMP",
    Type.BIGINTS: "BIGINT[]",
}
_STRUCTURE: Final = {
    name: (f"where {expected} is expected", frozenset({expected}))
    for name in _CHILDREN
    for expected in ["array of record" if name in _LISTS else "record"]
} | {
    name: (f"where {expected} is expected", _HOLDS[kind])
    for expected, kind, names in (("text", TEXT, ("accountId", "schemaVersion")), ("a time", TIME, ("startTime", "endTime")))
    for name in names
}


@dataclass
class Compared:
    """The differences between a schema and the tables.

    `without_column` are paths of fields that go to `extra`; `types` are fields whose column may not hold every value; `inside`
    are, by path, the containers that the vendor does not document, with the type of each of their fields.
    """

    without_column: set[str] = field(default_factory=set)
    types: dict[str, str] = field(default_factory=dict)
    inside: dict[str, dict[str, str]] = field(default_factory=dict)


class _Avro:
    """An Avro schema of any form: its records, and the definition of each named type."""

    def __init__(self, documents: list[object]) -> None:
        self.records: list[dict[str, Any]] = []
        self._named: dict[str, dict[str, Any]] = {}
        waiting: list[Any] = [documents]
        while waiting:
            node = waiting.pop()
            if isinstance(node, dict):
                self._enter(node)
            waiting += node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()

    def _enter(self, node: dict[str, Any]) -> None:
        if node.get("type") == "record" and isinstance(node.get("fields"), list):
            self.records.append(node)
        name, kind = node.get("name"), node.get("type")
        if isinstance(name, str) and isinstance(kind, str) and kind in _NAMED:
            space = node.get("namespace")
            for called in (name, name.rpartition(".")[2], f"{space}.{name}"):
                self._named.setdefault(called, node)

    def options(self, declared: object) -> list[Any]:
        """The branches of a type, unions and names resolved, null aside: names of primitives, definitions of other types."""
        found: dict[object, Any] = {}
        waiting = [declared]
        while waiting:
            node = waiting.pop()
            if isinstance(node, list):
                waiting += node
            elif isinstance(node, str) and node != "null":
                named = None if node in PRIMITIVES else self._named.get(node) or self._named.get(node.rpartition(".")[2])
                found[id(named) if named else node] = named or node
            elif isinstance(node, dict):
                kind = node.get("type")
                if isinstance(kind, str) and kind in {*_NAMED, *PRIMITIVES, "array", "map"}:
                    found[id(node)] = node
                else:
                    waiting.append(kind)
        return list(found.values())

    def elements(self, declared: object) -> list[Any]:
        """The branches of a type; for a list those of its elements."""
        options = self.options(declared)
        return [inner for option in options for inner in (self.options(option.get("items")) if _is_list(option) else [option])]

    def label(self, option: Any) -> str:
        """A name for a branch: a primitive with its logical type, the kind of a named type, a list with its elements."""
        if _is_list(option):
            return f"array of {' or '.join(sorted({_name_of(inner) for inner in self.options(option.get('items'))}))}"
        return _name_of(option)

    def described(self, declared: object) -> str:
        """A type in words."""
        return _line(" or ".join(sorted({self.label(option) for option in self.options(declared)}))) or "null"

    def by_kind(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each record of an Engagement document, with the name of its record type.

        The outer records are recognised by their fields, the inner ones by the field that holds them.
        """
        waiting = [(kind, record) for record in self.records for kind in [_kind_by_fields(record)] if kind]
        seen = set()
        while waiting:
            kind, record = waiting.pop()
            if (kind, id(record)) in seen:
                continue
            seen.add((kind, id(record)))
            yield kind, record
            for name, declared in _fields_of(record, kind):
                if name in _CHILDREN and name in RECORD_TYPES[kind].known.values():
                    waiting += [(_CHILDREN[name], option) for option in self.elements(declared) if _is_record(option)]


def compare(text: bytes) -> Compared:
    """Compare a schema with the columns. A column's field that is missing is no difference: older schemas lack some.

    Raises:
        ValueError: the text is no Avro schema, or has no conversations.
    """
    try:
        avro = _Avro(parse_documents(text))
    except ValueError as error:
        raise ValueError(f"expected an Avro schema, found no JSON ({shortened(str(error))})") from error
    found = list(avro.by_kind())
    if "Conversation" not in dict(found):
        raise ValueError("expected an Avro schema with conversations, found something else")
    compared = Compared()
    for kind, record in found:
        for name, declared in _fields_of(record, kind):
            _compare(avro, kind, name, declared, compared)
    return compared


def _compare(avro: _Avro, kind: str, name: str, declared: object, compared: Compared) -> None:
    path, column = _line(f"{kind}.{name}"), RECORD_TYPES[kind].columns.get(name)
    if name not in RECORD_TYPES[kind].known.values():
        compared.without_column.add(path)
        return
    if column is not None:
        expected, held = f"where column {column.name} is {_SQL[column.type]}", _HOLDS[column.type]
    else:
        expected, held = _STRUCTURE.get(name, ("", frozenset()))
    misfits = {label for label in map(avro.label, avro.options(declared)) if expected and not _is_held(label, name, held)}
    record = next(filter(_is_record, avro.elements(declared)), None) if name in _UNDOCUMENTED else None
    if record is not None and path not in compared.inside:
        held_inside = compared.inside[path] = {_line(inner): avro.described(of) for inner, of in _fields_of(record)}
        if name == "mcs" and not _has_score(held_inside):
            compared.types[path] = f"record without a field that can be told to be the score, {expected}"
    if name == "mcs":
        misfits.discard("record")
    if misfits:
        compared.types[path] = f"{_line(' or '.join(sorted(misfits)))}, {expected}"


def _is_held(label: str, name: str, held: frozenset[str]) -> bool:
    """Whether a column, or the field of a list or record, takes every value of a type."""
    if name == "secureForms":
        return label.startswith("array of ")
    return (label if held is _HOLDS[TIME] else label.partition(" as ")[0]) in held


def _has_score(inside: dict[str, str]) -> bool:
    """Whether the decoder finds a score in such a record."""
    sample = {name: 1 if {*kind.split(" or ")} & _NUMBERS else "x" for name, kind in inside.items()}
    return not sample or avro_json.score(sample)[0] is not avro_json.MISFIT


def _fields_of(record: dict[str, Any], kind: str | None = None) -> Iterator[tuple[str, Any]]:
    """Name, in its usual spelling, and type of each field; of a field that comes twice the first."""
    usual = RECORD_TYPES[kind].known if kind else {}
    seen = set()
    for declared in record["fields"]:
        name = declared.get("name") if isinstance(declared, dict) else None
        if isinstance(name, str) and (spelled := usual.get(name.lower(), name)) not in seen:
            seen.add(spelled)
            yield spelled, declared.get("type")


def _kind_by_fields(record: dict[str, Any]) -> str | None:
    names = {name.lower() for name, _ in _fields_of(record)}
    return next((kind for kind, marks in _KNOWN_BY.items() if marks <= names), None)


def _is_record(option: Any) -> bool:
    return isinstance(option, dict) and option.get("type") == "record" and isinstance(option.get("fields"), list)


def _is_list(option: Any) -> bool:
    return isinstance(option, dict) and option["type"] == "array"


def _name_of(option: Any) -> str:
    if isinstance(option, str):
        return _line(option, 60)
    kind, meaning = str(option["type"]), option.get("logicalType")
    is_other = isinstance(meaning, str) and not meaning.endswith("timestamp-millis")
    return f"{kind} as {_line(str(meaning), 60)}" if is_other else kind


def _line(text: str, limit: int = 120) -> str:
    """A text from the schema on one printable line; the schema was checked for secrets when it was saved."""
    line = "".join(char if char.isprintable() else " " for char in text[: limit + 1])
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
