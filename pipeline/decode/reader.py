"""Reads source files as rows, by a fast path and a careful one, and collects the rows until there are enough to write.

The fast path, `scanner`, reads lines in exactly the usual form. A line in any other form takes the careful path, `documents`
and `flatten`, with the following lines of the same document. Both paths give the same rows.
"""

from collections.abc import Callable
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import schema
from pipeline.decode.containers import NO_CAPS, Caps, Overlong, Passed
from pipeline.decode.documents import Splitter
from pipeline.decode.flatten import Row, Rows, flatten
from pipeline.decode.pgp import Decrypt, leave_encrypted
from pipeline.decode.scanner import PADDING, TABLES, NoScanner, Scanner, new_scanner
from pipeline.source_files import Counts, Source

Tables = dict[str, pa.Table]
"""Rows by the name of their table, in all its columns."""


BUFFER_BYTES = 64 << 20
"""Size of the text whose rows a worker holds in memory before it writes them."""
MatchIds = Callable[[dict[str, set[str]], list[str]], set[str]]
"""Finds erased ids among a file's ids, by column, and in texts that may name a person."""
InspectText = Callable[[bytes], None]
"""Gets all text of a source file, decrypted, piece by piece."""
_REJECT_BYTES = 1000  # of memory for a row of rejects, beside its text
_IDS = ("conversation_id", "consumer_id", "visitor_id")
NAMING: Final = ("consumerid", "visitorid")
"""Ends, in lower case, of the names of fields without a column that may name a person."""


class RowReader:
    """Reads source files one after another: `begin`, `feed` each text of the file, `finish`, then `keep` or `abandon`."""

    def __init__(self, decrypt: Decrypt = leave_encrypted, *, scanner: Scanner | NoScanner | None = None) -> None:
        self._decrypt = decrypt
        self._scanner = scanner or new_scanner()
        self._ends: list[tuple[str, list[int]]] = []  # of each whole file: its name, and the scanner's row counts at its end
        self._whole = Rows()  # the careful path's rows of whole files
        self._open = Rows()  # and of the current file
        self._start = [0] * len(TABLES)  # the scanner's row counts at the start of the current file
        self._source = Source("")
        self._splitter = Splitter()
        self._counts = Counts()
        self._match: MatchIds | None = None
        self._inspect: InspectText | None = None
        self._ids_only = False
        self._longest = NO_CAPS.document
        self.text_bytes = 0
        """Size of the text of all rows held, or of the rows themselves where that is larger."""

    def begin(
        self,
        source: Source,
        match: MatchIds | None = None,
        *,
        inspect: InspectText | None = None,
        ids_only: bool = False,
        caps: Caps = NO_CAPS,
    ) -> None:
        """Start a source file. The ids that `match` finds are in its counts; `ids_only` decrypts nothing but ids."""
        self._match, self._inspect, self._ids_only = match, inspect, ids_only
        self._source, self._counts, self._splitter, self._open = source, Counts(), Splitter(caps, self._pass_over), Rows()
        self._start = self._scanner.rows()
        self._longest = caps.document
        self._scanner.begin_file(source.account_id, source.scope_start, caps.document)

    def feed(self, served: bytes) -> None:
        """Read whole lines with `PADDING` behind them, or a part of an overlong line."""
        if isinstance(served, Passed):
            self._feed_passed(served)
        elif isinstance(served, Overlong):
            for piece in self._splitter.feed(served):
                self._read_carefully(piece)
        else:
            self._feed_lines(served)

    def _feed_passed(self, served: bytes) -> None:
        if self._inspect or self._match:
            done = self._decrypt(served, ids_only=True)
            self._counts.encrypted += done.encrypted if self._inspect else 0  # only an erasure needs the count
            self._pass_over(done.text)

    def _pass_over(self, text: bytes) -> None:
        """Look for erased people in a text that is not read any further."""
        if self._inspect:
            self._inspect(text)
        if self._match is not None:
            self._counts.matched |= self._match({}, [text.decode("utf-8", errors="backslashreplace")])

    def _feed_lines(self, served: bytes) -> None:
        before = self._scanner.spread
        done = self._decrypt(served, ids_only=self._ids_only)
        text = done.text
        if self._inspect:
            self._inspect(text)
        self._counts.decrypted += done.decrypted
        self._counts.encrypted += done.encrypted
        place, stop = 0, len(text) - len(PADDING)
        while place < stop:
            if not self._splitter.pending:
                place = self._scanner.scan(text, place)
            if place < stop:
                end = text.index(b"\n", place) + 1
                for piece in self._splitter.feed(text[place:end]):
                    self._read_carefully(piece)
                place = end
        self.text_bytes += max(len(text), self._scanner.spread - before)

    def _read_carefully(self, piece: bytes) -> None:
        if len(piece) > self._longest:
            self._pass_over(piece)
        rows = flatten(self._splitter.document(self._scanner.documents + 1, piece), self._source)
        for name in ("conversations", "messages", "transfers"):
            for row in getattr(rows, name):
                row["delivery"] += self._scanner.deliveries
        self._scanner.count_on(1, len(rows.conversations))
        self.text_bytes += rows.spread + _REJECT_BYTES * len(rows.rejects)
        self._open.extend(rows)

    def finish(self) -> Counts:
        """Read the end of the source file; gives the counts of all of it."""
        for piece in self._splitter.finish():
            self._read_carefully(piece)
        self._splitter = Splitter()  # the former one refers to this object, and so to the keys
        self._count()
        self._counts.documents = self._scanner.documents
        return self._counts

    def keep(self) -> None:
        """Keep the rows of the finished source file until `drain`."""
        self._whole.extend(self._open)
        self._ends.append((self._source.name, self._scanner.rows()))
        self._close()

    def _close(self) -> None:
        """Leave the current file."""
        self._splitter = Splitter()
        self._counts, self._open, self._start = Counts(), Rows(), self._scanner.rows()

    def _count(self) -> None:
        counts, rows = self._counts, self._open
        scanned = [now - before for now, before in zip(self._scanner.rows(), self._start, strict=True)]
        counts.conversations += scanned[0] + len(rows.conversations)
        counts.messages += scanned[1] + len(rows.messages)
        counts.transfers += scanned[2] + len(rows.transfers)
        counts.rejects += len(rows.rejects)
        accounts = self._scanned("account_id")
        counts.account_ids |= rows.account_ids | (accounts - {None})
        counts.lacks_account |= None in accounts or any(row["account_id"] is None for row in rows.conversations + rows.rejects)
        counts.schema_versions |= rows.schema_versions | (self._scanned("schema_version") - {None})
        counts.unknown_fields |= rows.unknown_fields | self._scanner.unknown_fields()
        if self._match is not None:
            ids: dict[str, set[str]] = {
                name: {one for one in (*self._scanned(name), *(row.get(name) for row in rows.conversations)) if one}
                for name in _IDS
            }
            counts.matched |= self._match(ids, [row["raw"] for row in rows.rejects] + self._naming())

    def _naming(self) -> list[str]:
        """The texts of `extra` that may name a person: by an id that is no text, or that comes in two spellings."""
        if not any(path.lower().endswith(NAMING) for path in self._counts.unknown_fields):
            return []
        careful = [row["extra"] for row in self._open.conversations if row["extra"]]
        return [*filter(None, self._scanned("extra")), *careful]

    def _scanned(self, name: str) -> set[Any]:
        """The distinct values of a text column in the scanner's conversations of the current file, null among them."""
        return self._scanner.distinct(name, self._start[0])

    def abandon(self) -> None:
        """Forget the rows of the current source file."""
        self._scanner.cut_back(self._start)
        self._close()

    def drain(self) -> tuple[Tables, Tables]:
        """Hand out all rows and forget them: the rows of whole files, and those of the current file so far."""
        self._count()
        ends = [*self._ends, (self._source.name, self._scanner.rows())]
        whole: Tables = {}
        part: Tables = {}
        for which, (table, scanned) in enumerate(zip(TABLES, self._scanner.drain(), strict=True)):
            rows = _with_source_file(scanned, table, [(name, end[which]) for name, end in ends])
            start = self._start[which]
            whole[table.name] = _joined(rows.slice(0, start), _table(getattr(self._whole, table.name), table))
            part[table.name] = _joined(rows.slice(start), _table(getattr(self._open, table.name), table))
        whole["rejects"] = _table(self._whole.rejects, schema.REJECTS)
        part["rejects"] = _table(self._open.rejects, schema.REJECTS)
        self._start = [0] * len(TABLES)
        self._ends, self._whole, self._open, self.text_bytes = [], Rows(), Rows(), 0
        return whole, part


def _with_source_file(rows: pa.Table, table: schema.Table, ends: list[tuple[str, int]]) -> pa.Table:
    """Add the column `source_file`; `ends` are the names of files, each with the number of its last row."""
    runs = [pa.array([], pa.int32())]
    start = 0
    for place, (_, end) in enumerate(ends):
        runs.append(pa.repeat(pa.scalar(place, pa.int32()), end - start))
        start = end
    names = pa.array([name for name, _ in ends], schema.TEXT.arrow)
    source_file = pa.DictionaryArray.from_arrays(pa.concat_arrays(runs), names)
    whole = rows.append_column("source_file", source_file)
    return whole.select([column.name for column in table.columns])


def _joined(scanned: pa.Table, careful: pa.Table) -> pa.Table:
    place = careful.schema.get_field_index("source_file")
    alike = careful.set_column(place, "source_file", pc.dictionary_encode(careful["source_file"]))
    return pa.concat_tables([scanned, alike]).unify_dictionaries()


def _table(rows: list[Row], table: schema.Table) -> pa.Table:
    columns = [pa.array([row.get(item.name) for row in rows], item.type) for item in table.arrow_schema]
    return pa.Table.from_arrays(columns, schema=table.arrow_schema)
