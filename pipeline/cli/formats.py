"""Rows as lines, csv, JSON, Markdown or Parquet; DuckDB formats each value, as in the files that it writes itself.

Two things differ from DuckDB's own files of text: times have a T between day and time and a whole offset
(2026-11-01T09:00:00+00:00), and JSON has a number that it can't write as text ("NaN").
"""

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, count
from pathlib import Path
from typing import IO, Any, Final, Protocol

import duckdb

from pipeline.errors import QueryError, SettingsError
from pipeline.failures import of_a_file
from pipeline.lake.sql import literal
from pipeline.text import harmless_json

_BATCH_ROWS: Final = 2_000
_TO_QUOTE: Final = '[",#\n\r]'
_STRING_OR_NO_NUMBER: Final = r'("(?:[^"\\]|\\.)*")|(-?(?:NaN|Infinity))'
_MARK: Final = "chr(1)"  # marks a quote meanwhile: JSON holds this character only escaped
_LISTS: Final = ("list", "array")
_BY_ENDING: Final = {".csv": "csv", ".json": "json", ".md": "markdown", ".parquet": "parquet"}
_OF_EXPORTS: Final = frozenset({".xlsx", ".xls", ".jsonl", ".ndjson"})
_ACTING: Final = re.compile(r"[\\`*\[\]<|~&]|(?<!\w)_|_(?!\w)")  # in a cell of Markdown: a mark, a link, a tag, the next cell
_LINE_END: Final = re.compile(r"\r\n|\r|\n")

NUMBERS: Final = frozenset(
    {
        *("tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint", "uhugeint"),
        *("float", "double", "decimal", "bignum"),
    }
)
"""The types of numbers, which stand at the right of their column."""

_Sql = str
"""An expression over one row."""

_Type = Any
"""A type of a relation: `id`, and `children` if it is nested."""


class Out(Protocol):
    """A stream for text."""

    def write(self, text: str, /) -> int:
        """Write text."""


def form_of(file: str) -> str | None:
    """The form that the ending of a file's name tells; None: it tells none.

    Raises:
        SettingsError: the ending is one of `lakehouse export` alone.
    """
    ending = Path(file).suffix.lower()
    if ending in _OF_EXPORTS:
        raise SettingsError(
            f"{file}: expected an ending among {', '.join(_BY_ENDING)}, found {ending}; lakehouse export writes such files"
        )
    return _BY_ENDING.get(ending)


def write_lines(relation: duckdb.DuckDBPyRelation, out: Out) -> None:
    """Write a line for each value, and an empty one between rows."""
    indent = max(map(len, relation.columns))
    texts = relation.project(", ".join(map(_text, *columns(relation))))
    for number, row in enumerate(_rows(texts)):
        values = ("NULL" if value is None else value for value in row)
        lines = (f"{name:>{indent}} = {value}" for name, value in zip(relation.columns, values, strict=True))
        out.write(("\n" if number else "") + "\n".join(lines) + "\n")


def write_csv(relation: duckdb.DuckDBPyRelation, out: Out, *, null: str = "", with_json: bool = False) -> int:
    """Write a header and a line for each row; NULL is `null` without quotes, an equal text is in quotes. Give their number.

    `with_json` writes lists and other nested values as JSON.
    """
    heads = (_in_quotes(name) if re.search(_TO_QUOTE, name) or name == null else name for name in relation.columns)
    out.write(",".join(heads) + "\n")
    places, types = columns(relation)
    spelled = map(text_or_json if with_json else _text, places, types)
    texts = relation.project(", ".join(spelled))  # first, so that the fields' expressions stay short
    number = 0
    for (line,) in _rows(texts.project(_joined(",", (_csv_field(place, null) for place in places)))):
        out.write(f"{line}\n")
        number += 1
    return number


def write_json(relation: duckdb.DuckDBPyRelation, out: Out) -> None:
    """Write one array of objects, row by row."""
    separator = "[\n"
    for row in _objects(relation):
        out.write(f"{separator}{row}")
        separator = ",\n"
    out.write("[]\n" if separator == "[\n" else "\n]\n")


def write_markdown(relation: duckdb.DuckDBPyRelation, out: Out) -> None:
    """Write a table of Markdown, in which no value acts: its marks, pipes and line ends are escaped; NULL is an empty cell."""
    rules = ("---:" if kind.id in NUMBERS else "---" for kind in relation.types)
    out.write(f"{_markdown_line(relation.columns)}| {' | '.join(rules)} |\n")
    for row in _rows(relation.project(", ".join(map(_text, *columns(relation))))):
        out.write(_markdown_line(row))


def _markdown_line(values: Iterable[str | None]) -> str:
    cells = (_LINE_END.sub("<br>", _ACTING.sub(r"\\\g<0>", value or "")) for value in values)
    return f"| {' | '.join(cells)} |\n"


def write_parquet(relation: duckdb.DuckDBPyRelation, out: IO[str]) -> None:
    """Write the bytes of one Parquet file, which DuckDB makes in the folder for temporary files.

    Raises:
        QueryError: the stream takes text alone, as a terminal does.
    """
    if out.isatty() or not hasattr(out, "buffer"):
        raise QueryError("parquet: expected a file or a pipe for its bytes, found a terminal; name a file with --output FILE")
    with tempfile.TemporaryDirectory(prefix="lakehouse-sql-") as folder:
        made = Path(folder) / "rows.parquet"
        relation.write_parquet(str(made), compression="zstd")
        with made.open("rb") as file:
            shutil.copyfileobj(file, out.buffer)


def write_json_lines(relation: duckdb.DuckDBPyRelation, out: Out) -> int:
    """Write an object a line, and give their number."""
    number = 0
    for row in _objects(relation):
        out.write(f"{row}\n")
        number += 1
    return number


def _objects(relation: duckdb.DuckDBPyRelation) -> Iterator[str]:
    """Yield each row as an object of JSON."""
    names = (json.dumps(name, ensure_ascii=False) for name in unique(relation.columns))
    values = (f"{literal(f'{name}: ')} || {value}" for name, value in zip(names, map(_json, *columns(relation)), strict=True))
    for (row,) in _rows(relation.project(_joined(", ", values))):
        yield f"{{{harmless_json(str(row))}}}"


def _rows(relation: duckdb.DuckDBPyRelation) -> Iterator[tuple[str | None, ...]]:
    """Yield the rows of a relation of texts while DuckDB computes them."""
    for batch in batches(reader_of(relation, _BATCH_ROWS)):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def reader_of(relation: duckdb.DuckDBPyRelation, rows: int) -> Any:
    """An Arrow reader of batches of so many rows; DuckDB 1.4 has it by another name, of which later ones warn."""
    is_new = hasattr(relation, "to_arrow_reader")
    return relation.to_arrow_reader(rows) if is_new else relation.fetch_arrow_reader(rows)


def batches(reader: Any) -> Iterator[Any]:
    """Yield the batches of an Arrow reader while DuckDB computes them.

    Raises:
        QueryError: the query fails.
        LakeError: a file of the lake is gone or damaged.
    """
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        except (OSError, ValueError) as error:  # Arrow's form of an error of DuckDB's
            raise of_a_file(error) or QueryError(str(error)) from error
        yield batch


def _joined(separator: str, values: Iterable[_Sql]) -> _Sql:
    """Texts in one, none of which is NULL; by `||` DuckDB would hold the text so far once for every column."""
    return f"concat_ws({literal(separator)}, {', '.join(values)})"


def columns(relation: duckdb.DuckDBPyRelation) -> tuple[list[_Sql], list[_Type]]:
    """The columns by their places, since several can have one name, and their types."""
    types = list(relation.types)
    return [f"#{place}" for place in range(1, len(types) + 1)], types


def unique(columns: list[str]) -> list[str]:
    """The columns' names; repeated ones get a number, as in DuckDB's own data frames: a, a_1, a_2."""
    names: dict[str, None] = {}
    for column in columns:
        spellings = chain([column], (f"{column}_{number}" for number in count(1)))
        names[next(name for name in spellings if name not in names)] = None
    return list(names)


def _in_quotes(text: str) -> str:
    """A text as CSV writes it."""
    return '"' + text.replace('"', '""') + '"'


def _csv_field(value: _Sql, null: str) -> _Sql:
    """A field of csv from a text."""
    is_quoted = f"{value} = {literal(null)} or regexp_matches({value}, {literal(_TO_QUOTE)})"
    quoted = f"""'"' || replace({value}, '"', '""') || '"'"""
    return f"case when {value} is null then {literal(null)} when {is_quoted} then {quoted} else {value} end"


def text_or_json(value: _Sql, kind: _Type) -> _Sql:
    """A value as csv has it, but lists and other nested values as JSON."""
    return f"case when {value} is not null then {_json(value, kind)} end" if parts_of(kind) else _text(value, kind)


def _text(value: _Sql, kind: _Type) -> _Sql:
    """A value as DuckDB writes it to csv, but times in ISO 8601."""
    return f"({_with_times(value, kind, 0) if _holds(kind, _is_time) else value})::varchar"


def _with_times(value: _Sql, kind: _Type, depth: int) -> _Sql:
    """A value with a text in place of each time."""
    if _is_time(kind):
        return _time(value, kind)
    if not _holds(kind, _is_time):
        return value
    parts = parts_of(kind)
    if kind.id in _LISTS:
        return f"list_transform({value}, lambda x{depth}: {_with_times(f'x{depth}', parts[0][1], depth + 1)})"
    if kind.id == "map":
        entry = f"x{depth}"
        key, inner = (_with_times(f"{entry}.{name}", part, depth + 1) for name, part in parts)
        entries = f"list_transform(map_entries({value}), lambda {entry}: {{'key': {key}, 'value': {inner}}})"
        return f"case when {value} is not null then map_from_entries({entries}) end"
    fields = [(name, _with_times(_field(value, kind, name, at), part, depth)) for at, (name, part) in enumerate(parts, 1)]
    if kind.id == "union":
        cases = " ".join(f"when {literal(name)} then ({inner})::varchar" for name, inner in fields)
        return f"case union_tag({value})::varchar {cases} end"
    if _is_tuple(kind):
        whole = f"row({', '.join(inner for _, inner in fields)})"
    else:
        whole = "{" + ", ".join(f"{literal(name)}: {inner}" for name, inner in fields) + "}"
    return f"case when {value} is not null then {whole} end"


def _json(value: _Sql, kind: _Type, depth: int = 0) -> _Sql:
    """A value as DuckDB writes it to JSON, but times in ISO 8601, and NaN and infinity as text."""
    return f"coalesce({_json_unless_null(value, kind, depth)}, 'null')"


def _json_unless_null(value: _Sql, kind: _Type, depth: int) -> _Sql:
    if _is_time(kind):
        return f"""'"' || {_time(value, kind)} || '"'"""
    if kind.id in {"float", "double"}:
        named = f"case when isnan({value}) then 'NaN' when {value} > 0 then 'Infinity' when {value} < 0 then '-Infinity' end"
        return f"""case when isfinite({value}) then to_json({value})::varchar else '"' || {named} || '"' end"""
    if _is_fraction(kind):  # which DuckDB writes without the 0 that JSON wants before the point
        return f"regexp_replace(to_json({value})::varchar, '^(-?)[.]', '\\10.')"
    if _is_loose(kind):
        return _without_nan(f"{value}::varchar" if str(kind) == "JSON" else f"to_json({value})::varchar")
    if not _holds(kind, _is_special):
        return f"to_json({value})::varchar"
    parts = parts_of(kind)
    if kind.id in _LISTS:
        return _json_list(value, _json(f"x{depth}", parts[0][1], depth + 1), f"x{depth}", "[]")
    if kind.id == "map":
        entry = f"x{depth}"
        key, inner = f"to_json({_text(f'{entry}.key', parts[0][1])})::varchar", _json(f"{entry}.value", parts[1][1], depth + 1)
        return _json_list(f"map_entries({value})", f"{key} || ':' || {inner}", entry, "{}")
    fields = [(name, _json(_field(value, kind, name, at), part, depth)) for at, (name, part) in enumerate(parts, 1)]
    names = [literal(f"{json.dumps(name, ensure_ascii=False)}:") for name, _ in fields]
    if kind.id == "union":
        cases = " ".join(
            f"when {literal(name)} then {head} || {inner}" for head, (name, inner) in zip(names, fields, strict=True)
        )
        return f"'{{' || case union_tag({value})::varchar {cases} end || '}}'"
    if _is_tuple(kind):
        opened, whole, closed = "[", " || ',' || ".join(inner for _, inner in fields), "]"
    else:
        heads = (f"{head} || {inner}" for head, (_, inner) in zip(names, fields, strict=True))
        opened, whole, closed = "{", " || ',' || ".join(heads), "}"
    return f"case when {value} is not null then '{opened}' || {whole} || '{closed}' end"


def _json_list(values: _Sql, each: _Sql, variable: str, brackets: str) -> _Sql:
    """The values of a list as JSON, in brackets; NULL for NULL."""
    inner = f"array_to_string(list_transform({values}, lambda {variable}: {each}), ',')"
    return f"case when {values} is not null then '{brackets[0]}' || {inner} || '{brackets[1]}' end"


def _without_nan(text: _Sql) -> _Sql:
    """DuckDB's JSON with quotes around NaN and Infinity, which JSON lacks."""
    marked = f"regexp_replace({text}, {literal(_STRING_OR_NO_NUMBER)}, '\\1' || {_MARK} || '\\2' || {_MARK}, 'g')"
    return f"""replace(replace({marked}, {_MARK} || {_MARK}, ''), {_MARK}, '"')"""


def _time(value: _Sql, kind: _Type) -> _Sql:
    """A time in ISO 8601: with a T, six digits of fraction or none, hours and minutes of an offset."""
    text = f"{value}::varchar"
    if kind.id.startswith("timestamp"):
        text = rf"regexp_replace({text}, ' (\d\d:\d\d:)', 'T\1')"
    if _has_offset(kind):
        text = rf"regexp_replace({text}, '(:\d\d[.\d]*[+-]\d\d)$', '\1:00')"
    zeros = rf"repeat('0', greatest(0, 7 - length(regexp_extract({value}::varchar, '\.\d+'))))"
    padded = rf"regexp_replace({text}, '(\.\d+)', '\1' || {zeros})"
    return f"case when contains({value}::varchar, '.') then {padded} else {text} end"


def _has_offset(kind: _Type) -> bool:
    return "with time zone" in kind.id or kind.id.startswith("timestamptz")


def _is_time(kind: _Type) -> bool:
    return str(kind.id).startswith("time")


def _is_loose(kind: _Type) -> bool:
    """Whether its values are JSON, or have a type each."""
    return kind.id == "variant" or str(kind) == "JSON"


def _is_special(kind: _Type) -> bool:
    """Whether JSON takes more than DuckDB's own conversion."""
    return _is_time(kind) or _is_loose(kind) or _is_fraction(kind) or kind.id in {"float", "double"}


def _is_fraction(kind: _Type) -> bool:
    """Whether it is a DECIMAL without digits before the point."""
    return kind.id == "decimal" and len({size for _, size in kind.children}) == 1


def _holds(kind: _Type, is_sought: Callable[[_Type], bool]) -> bool:
    return is_sought(kind) or any(_holds(part, is_sought) for _, part in parts_of(kind))


def parts_of(kind: _Type) -> list[tuple[str, _Type]]:
    """The inner types of a nested type, with their names."""
    if kind.id not in {*_LISTS, "struct", "tuple", "map", "union"}:
        return []
    named: Iterable[tuple[str, Any]] = kind.children
    if kind.id == "union":  # its tag comes first
        return list(named)[1:]
    return [(name, part) for name, part in named if not (kind.id == "array" and name == "size")]


def _is_tuple(kind: _Type) -> bool:
    return kind.id == "tuple" or not any(name for name, _ in parts_of(kind))


def _field(value: _Sql, kind: _Type, name: str, place: int) -> _Sql:
    if kind.id == "union":
        return f"union_extract({value}, {literal(name)})"
    return f"struct_extract({value}, {place if _is_tuple(kind) else literal(name)})"
