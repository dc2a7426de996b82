"""The fast path: plain documents straight into columns, at the speed of memory.

`scanner.c` reads lines in exactly the form that Avro's encoder writes, and stops at any other line, which is called odd: the
careful path of `flatten` reads it. Unknown fields do not stop it, since the vendor adds fields. The wheels of common platforms
have it compiled; an installation from the sources compiles it if there is a C compiler. Where it is missing or can't be loaded,
every line counts as odd, and the same rows take longer.

The record types come from `schema`. The columns are handed to Arrow by its C data interface, without a copy.
"""

import ctypes
import functools
import sys
from collections.abc import Callable, Iterator
from importlib.resources import as_file, files
from itertools import count, takewhile
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import schema
from pipeline.decode.avro_json import EARLIEST_MS, LATEST_MS
from pipeline.decode.flatten import LEAST_SPREAD, MOST_SPREAD, ROW_BYTES
from pipeline.schema import RecordType, Type

PADDING: Final = b"\0" * 32
"""These bytes must follow a text that is scanned."""

TABLES: Final = (schema.CONVERSATIONS, schema.MESSAGES, schema.TRANSFERS)
_ADDED: Final = "source_file"  # the only column that is not scanned
_SCHEMAS: Final = [pa.schema([one for one in table.arrow_schema if one.name != _ADDED]) for table in TABLES]

_KINDS: Final[dict[Type, str]] = {
    schema.TEXT: "TEXT",
    schema.BIGINT: "BIGINT",
    schema.INTEGER: "INTEGER",
    schema.TIME: "TIME",
    schema.BOOLEAN: "BOOLEAN",
    schema.DOUBLE: "DOUBLE",
    Type.BIGINTS: "BIGINTS",
    Type.DAY: "DATE",
}
_SHAPES: Final = {"score": "SCORE", "forms": "FORMS"}
_MEANINGS: Final = {
    "dataType": "ENGAGEMENT",
    "accountId": "ACCOUNT",
    "schemaVersion": "VERSION",
    "startTime": "META_TIME",
    "endTime": "CHECK_TIME",
}
"""The kinds of fields that fill no column by themselves."""

_POINTER, _I32, _I64, _BYTES = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64, ctypes.c_char_p
_FUNCTIONS: Final[dict[str, tuple[Any, list[Any]]]] = {
    "new": (_POINTER, [_I64, _I64, _I64, _I64, _I64]),
    "kind": (_I32, [_BYTES]),
    "column": (_I32, [_POINTER, _I32, _I32]),
    "record": (_I32, [_POINTER, _I32, _I32, _I32, _I32, _BYTES]),
    "field": (_I32, [_POINTER, _I32, _BYTES, _I32, _I32, _I32, _I32]),
    "inherits": (None, [_POINTER, _I32, _I32, _I32, _I32, _I32, _I32, _I32]),
    "conversation": (None, [_POINTER, _I32, _I32, _I32]),
    "file": (None, [_POINTER, _BYTES, _I64, _I64, _I64]),
    "scan": (_I64, [_POINTER, _BYTES, _I64, _I64]),
    "documents": (_I64, [_POINTER]),
    "deliveries": (_I64, [_POINTER]),
    "count_on": (None, [_POINTER, _I64, _I64]),
    "rows": (_I64, [_POINTER, _I32]),
    "spread": (_I64, [_POINTER]),
    "cut_back": (None, [_POINTER, _I32, _I64]),
    "unknown": (_BYTES, [_POINTER, _I32, _I32]),
    "drain": (_POINTER, [_POINTER, _I32]),
    "view": (_POINTER, [_POINTER, _I32, _I32, _I64]),
    "free": (None, [_POINTER]),
}
_NO_ROW, _RESETS_HEADER, _ALL_BELOW = -1, -2, -1  # as records.h has them
_Placed = tuple[RecordType, schema.Table | None, str]


@functools.cache
def _library() -> dict[str, Callable[..., Any]] | str:
    """The functions of scanner.c, or the reason why there are none."""
    compiled = files(__name__).joinpath("_scanner.so")
    if not compiled.is_file():
        return "this installation has no compiled scanner"
    functions = {}
    try:
        with as_file(compiled) as path:
            library = ctypes.CDLL(str(path))
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(library, f"scanner_{name}")
            function.restype, function.argtypes = result, arguments
            functions[name] = function
    except (OSError, AttributeError) as error:  # of another platform, on a disk without programs, or of an older version
        return f"the compiled scanner can't be loaded ({error})"
    return functions


def why_careful() -> str | None:
    """The reason why all documents take the careful path; None: the scanner is there."""
    library = _library()
    return library if isinstance(library, str) else None


class NoScanner:
    """The stand-in where there is no compiled scanner: every line is odd."""

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
        """Add documents and conversations that the careful path has read."""
        self.documents += documents
        self.deliveries += deliveries

    def rows(self) -> list[int]:
        """No rows of any table."""
        return [0] * len(TABLES)

    def cut_back(self, rows: list[int]) -> None:
        """Forget no rows, since there are none."""

    def drain(self) -> list[pa.Table]:
        """No rows of each table."""
        return [columns.empty_table() for columns in _SCHEMAS]

    def distinct(self, name: str, start: int) -> set[str | None]:  # noqa: ARG002  # as Scanner
        """No values."""
        return set()

    def unknown_fields(self) -> set[str]:
        """No paths."""
        return set()


def new_scanner() -> "Scanner | NoScanner":
    """The compiled scanner if there is one, else its stand-in."""
    return NoScanner() if why_careful() else Scanner()


class Scanner:
    """Scans texts into columns of conversations, messages and transfers.

    `documents` and `deliveries` are counts of the current source file, and include those that the careful path has read.
    """

    def __init__(self, document: RecordType = schema.DOCUMENT) -> None:
        functions = _library()
        assert not isinstance(functions, str), functions
        self._call = functions
        self._handle = functions["new"](ROW_BYTES, MOST_SPREAD, LEAST_SPREAD, EARLIEST_MS, LATEST_MS)
        if not self._handle:
            raise MemoryError
        placed = list(_placed(document))
        self._types = [type_ for type_, _, _ in placed]
        for which in range(len(TABLES)):
            self._describe_table(which)
        names = ("conversation_id", "conversation_start_time", "schema_version")
        self._call["conversation"](self._handle, *map(_SCHEMAS[0].get_field_index, names))
        for place, (type_, table, container) in enumerate(placed):
            self._describe_type(place, type_, table, container)

    def __del__(self) -> None:
        self._call["free"](self._handle)

    def _kind(self, name: str) -> int:
        kind: int = self._call["kind"](name.encode())
        return kind

    def _describe_table(self, which: int) -> None:
        for column in (column for column in TABLES[which].columns if column.name != _ADDED):
            if not self._call["column"](self._handle, which, self._kind(_KINDS[column.type])):
                raise ValueError(f"{TABLES[which].name}.{column.name}: the scanner has no room for another column")
        derived = {column.name for column in TABLES[which].columns if column.field is None}
        names = ("account_id", "conversation_id", "date", "delivery", "position", "extra")
        places = [_SCHEMAS[which].get_field_index(name) if name in derived else -1 for name in names]
        self._call["inherits"](self._handle, which, *places)

    def _describe_type(self, place: int, type_: RecordType, table: schema.Table | None, container: str) -> None:
        is_above = table is None
        is_element = any(type_ in outer.lists.values() for outer in self._types)
        row_of = TABLES.index(type_.row_of) if type_.row_of else _RESETS_HEADER if is_element else _NO_ROW
        extra_of = TABLES.index(table) if table else _ALL_BELOW
        in_order = is_above and bool(type_.lists)  # conversations take what comes before them
        within = f'"{container}"' if container else ""
        if not self._call["record"](self._handle, place, row_of, in_order, extra_of, within.encode()):
            raise ValueError(f"{type_.name}: the scanner has no room for another record type")
        for field, column in type_.columns.items():
            which = TABLES.index(table or schema.CONVERSATIONS)
            kind = "HEADER" if is_above else _SHAPES.get(column.sent_as, _KINDS[column.type])
            self._describe_field(place, field, kind, which, _SCHEMAS[which].get_field_index(column.name))
        for field in type_.values:
            self._describe_field(place, field, _MEANINGS[field])
        for kind, fields in (("RECORD", type_.records), ("RECORDS", type_.lists)):
            for field, inner in fields.items():
                self._describe_field(place, field, kind, inside=self._types.index(inner))

    def _describe_field(  # noqa: PLR0917  # as scanner_field
        self, place: int, field: str, kind: str, which: int = -1, column: int = -1, inside: int = -1
    ) -> None:
        if not self._call["field"](self._handle, place, f'"{field}"'.encode(), self._kind(kind), which, column, inside):
            raise ValueError(f"{self._types[place].name}.{field} may not fill a column that is inherited or another field's")

    def begin_file(self, account_id: str | None, scope_start: int | None, longest: int = sys.maxsize) -> None:
        """Start a source file; a document without an account or a start takes these (microseconds).

        A line of more than `longest` bytes counts as odd.
        """
        account = (account_id or "").encode()
        known = -1 if account_id is None else len(account)
        self._call["file"](self._handle, account, known, -(2**63) if scope_start is None else scope_start, longest)

    def scan(self, text: bytes, start: int) -> int:
        """Scan lines of `text`, which ends with a line break and `PADDING`; gives the first odd line's start, or the end."""
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
        """Approximate bytes of the ids and fields that rows have repeated so far, beside their own text."""
        return int(self._call["spread"](self._handle))

    def count_on(self, documents: int, deliveries: int) -> None:
        """Add documents and conversations that the careful path has read."""
        self._call["count_on"](self._handle, documents, deliveries)

    def rows(self) -> list[int]:
        """Rows held of each table."""
        return [int(self._call["rows"](self._handle, which)) for which in range(len(TABLES))]

    def cut_back(self, rows: list[int]) -> None:
        """Forget all rows from these on."""
        for which, kept in enumerate(rows):
            self._call["cut_back"](self._handle, which, kept)

    def drain(self) -> list[pa.Table]:
        """Hand out the rows of each table, all columns but `source_file`, and forget them."""
        return [self._drained(which) if rows else _SCHEMAS[which].empty_table() for which, rows in enumerate(self.rows())]

    def _drained(self, which: int) -> pa.Table:
        array = self._call["drain"](self._handle, which)
        if not array:
            raise MemoryError
        return pa.Table.from_batches([pa.RecordBatch._import_from_c(array, _SCHEMAS[which])])  # noqa: SLF001  # Arrow's own name

    def distinct(self, name: str, start: int) -> set[str | None]:
        """The distinct values of a text column of conversations from row `start` on."""
        if start == self.rows()[0]:
            return set()
        place = _SCHEMAS[0].get_field_index(name)
        array = self._call["view"](self._handle, 0, place, start)
        if not array:
            raise MemoryError
        values = pa.Array._import_from_c(array, _SCHEMAS[0].field(place).type)  # noqa: SLF001  # likewise
        return set(pc.unique(values).to_pylist())

    def unknown_fields(self) -> set[str]:
        """The paths of the unknown fields in the current file so far."""
        found = set()
        for place, type_ in enumerate(self._types):
            names = takewhile(bool, (self._call["unknown"](self._handle, place, number) for number in count()))
            found |= {f"{type_.name}.{name[1:-1].decode()}" for name in names}
        return found


def _placed(type_: RecordType, table: schema.Table | None = None, container: str = "") -> Iterator[_Placed]:
    """A type and the types below it, each with the table whose `extra` keeps its unknown fields, and their container there.

    No table: every conversation below keeps them.
    """
    if type_.row_of:
        table, container = type_.row_of, ""
    yield type_, table, container
    for field, inner in type_.records.items():
        yield from _placed(inner, table, field if table else "")
    for inner in type_.lists.values():
        yield from _placed(inner)
