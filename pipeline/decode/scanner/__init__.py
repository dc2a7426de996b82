"""Plain documents straight into columns, at the speed of memory.

`scanner.c` reads lines that are built exactly as Avro's encoder builds them, and stops at any other: that one is for the
careful path of `flatten`. Fields that the schema lacks are no reason to stop, since the vendor adds some. It is compiled when
the package is installed where there is a C compiler; without one every line counts as odd, and the rows are the same, later.
"""

import ctypes
import functools
import sys
from collections.abc import Callable
from importlib.resources import as_file, files
from itertools import count, takewhile
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import schema

PADDING: Final = b"\0" * 32
"""What has to follow a text that is scanned."""

TABLES: Final = (schema.CONVERSATIONS, schema.MESSAGES, schema.TRANSFERS)
_ADDED: Final = "source_file"  # what a row of a plain document has beside what is scanned
_KINDS: Final = (
    *("TEXT", "BIGINT", "INTEGER", "TIME", "BOOLEAN", "DOUBLE", "BIGINTS", "FORMS", "SCORE", "RECORD", "RECORDS"),
    *("ENGAGEMENT", "CHECK_TIME", "META_TIME", "ACCOUNT", "VERSION", "HEADER"),  # and EXTRA, which scanner.c learns
)
"""As `enum kind` of scanner.c has them."""

_TYPES: Final = {
    schema.TEXT: "TEXT",
    schema.BIGINT: "BIGINT",
    schema.INTEGER: "INTEGER",
    schema.TIME: "TIME",
    schema.BOOLEAN: "BOOLEAN",
    schema.DOUBLE: "DOUBLE",
    pa.list_(schema.BIGINT): "BIGINTS",
    schema.DATE.type: "BIGINT",
}
_POINTER, _I32, _I64, _BYTES = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64, ctypes.c_char_p
_FUNCTIONS: Final[dict[str, tuple[Any, list[Any]]]] = {
    "new": (_POINTER, []),
    "column": (None, [_POINTER, _I32, _I32]),
    "record": (None, [_POINTER, _I32, _I32, _I32, _I32, _BYTES]),
    "field": (_I32, [_POINTER, _I32, _BYTES, _I32, _I32, _I32, _I32]),
    "inherits": (None, [_POINTER, _I32, _I32, _I32, _I32, _I32, _I32, _I32]),
    "conversation": (None, [_POINTER, _I32, _I32, _I32, _I32, _I32, _I32]),
    "file": (None, [_POINTER, _BYTES, _I64, _I64, _I64]),
    "scan": (_I64, [_POINTER, _BYTES, _I64, _I64]),
    "documents": (_I64, [_POINTER]),
    "deliveries": (_I64, [_POINTER]),
    "count_on": (None, [_POINTER, _I64, _I64]),
    "rows": (_I64, [_POINTER, _I32]),
    "spread": (_I64, [_POINTER]),
    "cut_back": (None, [_POINTER, _I32, _I64]),
    "unknown": (_BYTES, [_POINTER, _I32, _I32]),
    "memory": (_POINTER, [_POINTER, _I32, _I32, _I32]),
    "size": (_I64, [_POINTER, _I32, _I32]),
    "free": (None, [_POINTER]),
}
_VALID, _VALUES, _OFFSETS, _CONTENT = range(4)


@functools.cache
def _library() -> dict[str, Callable[..., Any]] | None:
    """The functions of scanner.c; None where it was not compiled."""
    compiled = files(__name__).joinpath("_scanner.so")
    if not compiled.is_file():
        return None
    with as_file(compiled) as path:
        library = ctypes.CDLL(str(path))
    functions = {}
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, f"scanner_{name}")
        function.restype, function.argtypes = result, arguments
        functions[name] = function
    return functions


# The record types of the vendor's schema: name -> (table of which each is a row, whether later fields build on earlier ones).
_NO_ROW, _RESETS_HEADER, _ALL_BELOW = -1, -2, -1
_RECORDS: Final = {
    "Document": (_NO_ROW, 1),
    "MetaData": (_NO_ROW, 0),
    "Record": (_RESETS_HEADER, 0),
    "EngagementData": (_NO_ROW, 1),
    "VisitorHeader": (_NO_ROW, 0),
    "Conversation": (0, 0),
    "CampaignData": (_NO_ROW, 0),
    "Message": (1, 0),
    "FileData": (_NO_ROW, 0),
    "LinkData": (_NO_ROW, 0),
    "Transfer": (2, 0),
}
_UPPER: Final = (
    ("Document", "dataType", "ENGAGEMENT", None),
    ("Document", "metaData", "RECORD", "MetaData"),
    ("Document", "recordCollection", "RECORDS", "Record"),
    ("MetaData", "accountId", "ACCOUNT", None),
    ("MetaData", "schemaVersion", "VERSION", None),
    ("MetaData", "startTime", "META_TIME", None),
    ("MetaData", "endTime", "CHECK_TIME", None),
    ("Record", "body", "RECORD", "EngagementData"),
    ("EngagementData", "header", "RECORD", "VisitorHeader"),
    ("EngagementData", "engagements", "RECORDS", "Conversation"),
    ("Conversation", "campaignData", "RECORD", "CampaignData"),
    ("Conversation", "transcripts", "RECORDS", "Message"),
    ("Conversation", "transfers", "RECORDS", "Transfer"),
    ("Message", "fileData", "RECORD", "FileData"),
    ("Message", "linkData", "RECORD", "LinkData"),
)
_LOWER: Final = (
    ("Conversation", 0, None),
    ("CampaignData", 0, "campaignData"),
    ("Message", 1, None),
    ("FileData", 1, "fileData"),
    ("LinkData", 1, "linkData"),
    ("Transfer", 2, None),
)


def _kind(column: schema.Column) -> str:
    return {"mcs": "SCORE", "secureForms": "FORMS"}.get(column.field or "", _TYPES[column.type])


class NoScanner:
    """Stands in where scanner.c is not compiled: every line is odd."""

    def __init__(self) -> None:
        self.documents = 0
        self.deliveries = 0
        self.spread = 0

    def begin_file(self, account_id: str | None, scope_start: int | None, longest: int = sys.maxsize) -> None:  # noqa: ARG002  # as Scanner
        """Count anew."""
        self.documents = self.deliveries = 0

    def scan(self, text: bytes, start: int) -> int:  # noqa: ARG002  # as Scanner
        """Stop at once."""
        return start

    def count_on(self, documents: int, deliveries: int) -> None:
        """Count what the careful path has read."""
        self.documents += documents
        self.deliveries += deliveries

    def rows(self) -> list[int]:
        """None."""
        return [0] * len(TABLES)

    def cut_back(self, rows: list[int]) -> None:
        """Nothing to forget."""

    def table(self, which: int) -> pa.Table:
        """No rows."""
        return pa.schema([field for field in TABLES[which].arrow_schema if field.name != _ADDED]).empty_table()

    def distinct(self, name: str, start: int) -> set[str]:  # noqa: ARG002  # as Scanner
        """Nothing."""
        return set()

    def unknown_fields(self) -> set[str]:
        """None."""
        return set()


def new_scanner() -> "Scanner | NoScanner":
    """A scanner as fast as this installation has one."""
    return NoScanner() if _library() is None else Scanner()


class Scanner:
    """Columns of conversations, messages and transfers that grow with every text that is scanned.

    `documents` and `deliveries` count those of the current source file, those that the careful path read included.
    """

    def __init__(self) -> None:
        functions = _library()
        assert functions is not None
        self._call = functions
        self._handle = functions["new"]()
        self.columns = [[column for column in table.columns if column.name != _ADDED] for table in TABLES]
        self._describe()

    def __del__(self) -> None:
        self._call["free"](self._handle)

    def _describe(self) -> None:
        """Tell scanner.c the tables and the record types, in the order of the vendor's page."""
        index = [{column.name: place for place, column in enumerate(columns)} for columns in self.columns]
        names = ("account_id", "conversation_id", "date", "delivery", "position", "extra")
        for which, columns in enumerate(self.columns):
            for column in columns:
                self._call["column"](self._handle, which, _KINDS.index(_kind(column)))
            above = {column.name for column in columns if column.field is None}
            self._call["inherits"](self._handle, which, *(index[which][name] if name in above else -1 for name in names))
        wanted = ("conversation_id", "conversation_start_time", "schema_version", "visit_id", "visitor_id", "context_id")
        self._call["conversation"](self._handle, *(index[0][name] for name in wanted))
        keeps_extra = {record: (which, f'"{container}"' if container else "") for record, which, container in _LOWER}
        for place, (record, (row_of, in_order)) in enumerate(_RECORDS.items()):
            which, within = keeps_extra.get(record, (_ALL_BELOW, ""))
            self._call["record"](self._handle, place, row_of, in_order, which, within.encode())
        for record, which, container in _LOWER:
            for column in self.columns[which]:
                if column.field and column.container == container:
                    self._field(record, column.field, _kind(column), which, index[which][column.name])
        for place, name in enumerate(("visitId", "visitorId", "contextId")):
            self._field("VisitorHeader", name, "HEADER", -1, place)
        for record, name, kind, inside in _UPPER:
            self._field(record, name, kind, -1, -1, inside)

    def _field(  # noqa: PLR0917  # as scanner_field
        self, record: str, name: str, kind: str, which: int, place: int, inside: str | None = None
    ) -> None:
        types = list(_RECORDS)
        within = types.index(inside) if inside else -1
        quoted = f'"{name}"'.encode()
        if not self._call["field"](self._handle, types.index(record), quoted, _KINDS.index(kind), which, place, within):
            raise ValueError(f"{record}.{name} may not fill a column that is inherited or another field's")

    def begin_file(self, account_id: str | None, scope_start: int | None, longest: int = sys.maxsize) -> None:
        """Count anew; the account and the start of the scope (microseconds) are what a document falls back on.

        A line of more than `longest` bytes counts as odd.
        """
        account = (account_id or "").encode()
        known = -1 if account_id is None else len(account)
        self._call["file"](self._handle, account, known, -(2**63) if scope_start is None else scope_start, longest)

    def scan(self, text: bytes, start: int) -> int:
        """Read lines of `text`, which ends with a line break and `PADDING`; gives the first odd line's start, or the end."""
        stop: int = self._call["scan"](self._handle, text, start, len(text) - len(PADDING))
        if stop < 0:
            raise MemoryError
        return stop

    @property
    def documents(self) -> int:
        """Documents of the current file so far."""
        return int(self._call["documents"](self._handle))

    @property
    def deliveries(self) -> int:
        """Conversations of the current file so far."""
        return int(self._call["deliveries"](self._handle))

    @property
    def spread(self) -> int:
        """Bytes that all lines so far took in rows, about, beside their own text: ids and fields that each row repeats."""
        return int(self._call["spread"](self._handle))

    def count_on(self, documents: int, deliveries: int) -> None:
        """Count what the careful path has read."""
        self._call["count_on"](self._handle, documents, deliveries)

    def rows(self) -> list[int]:
        """Rows held of each table."""
        return [int(self._call["rows"](self._handle, which)) for which in range(len(TABLES))]

    def cut_back(self, rows: list[int]) -> None:
        """Forget all rows from these on."""
        for which, kept in enumerate(rows):
            self._call["cut_back"](self._handle, which, kept)

    def table(self, which: int) -> pa.Table:
        """The rows held, all columns but those of `_ADDED`; their memory is the scanner's, which must not scan on."""
        rows = self.rows()[which]
        arrays = [self._array(which, place, rows) for place in range(len(self.columns[which]))]
        return pa.Table.from_arrays(arrays, names=[column.name for column in self.columns[which]])

    def distinct(self, name: str, start: int) -> set[str]:
        """The values of a text column of conversations from row `start` on, nulls aside."""
        place = next(place for place, column in enumerate(self.columns[0]) if column.name == name)
        return set(pc.unique(self._array(0, place, self.rows()[0]).slice(start)).to_pylist()) - {None}

    def unknown_fields(self) -> set[str]:
        """The paths of the fields that the schema lacks, of the current file so far."""
        found = set()
        for type_, record in enumerate(_RECORDS):
            names = takewhile(bool, (self._call["unknown"](self._handle, type_, number) for number in count()))
            found |= {f"{record}.{name[1:-1].decode()}" for name in names}
        return found

    def _array(self, which: int, place: int, rows: int) -> pa.Array:
        column = self.columns[which][place]
        kind = _kind(column)
        bits = (rows + 7) // 8
        content = int(self._call["size"](self._handle, which, place))

        def buffer(part: int, size: int) -> pa.Buffer:
            memory = self._call["memory"](self._handle, which, place, part) if size else None
            return pa.foreign_buffer(memory, size, base=self) if memory else pa.py_buffer(b"")

        valid = buffer(_VALID, bits)
        if not rows:
            return pa.array([], column.type)
        match kind:
            case "TEXT" | "FORMS":
                parts = [valid, buffer(_OFFSETS, (rows + 1) * 4), buffer(_CONTENT, content)]
                return pa.Array.from_buffers(column.type, rows, parts)
            case "BIGINTS":
                items = pa.Array.from_buffers(pa.int64(), content, [None, buffer(_CONTENT, content * 8)])
                return pa.Array.from_buffers(column.type, rows, [valid, buffer(_OFFSETS, (rows + 1) * 4)], children=[items])
            case "BOOLEAN":
                return pa.Array.from_buffers(column.type, rows, [valid, buffer(_VALUES, bits)])
            case "INTEGER" | "BIGINT" if column.type != schema.BIGINT:  # int32 and dates
                numbers = pa.Array.from_buffers(pa.int64(), rows, [valid, buffer(_VALUES, rows * 8)])
                return numbers.cast(pa.int32()).cast(column.type)
            case _:
                return pa.Array.from_buffers(column.type, rows, [valid, buffer(_VALUES, rows * 8)])
