"""The product's decoder against the plain one of `reference.py`, on made-up files, row by row."""

import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from made_documents import Piece, laid_out, made_files, pieces_of, random_file
from reference import Number, exact, is_number_text, parsed, read_file, split

from pipeline import schema
from pipeline.decode import documents, lines
from pipeline.flatten import Rows, Source, flatten

Row = dict[str, Any]
Decoded = dict[str, Any]
NAME = "Engagement.1469469600000.1469473200000.part-00000-0.gz"
ACCOUNT_ID = "listed"
SCOPE_START = 1_469_469_600_000_000
TABLES: Final = ("conversations", "messages", "transfers", "rejects")
JSON_COLUMNS: Final = ("extra", "secure_forms")
WORDS_OF_OURS: Final = ("reason",)
"""Columns that the product words as it likes."""


def product_rows(text: bytes, *, account_id: str | None = ACCOUNT_ID, scope_start_us: int | None = SCOPE_START) -> Decoded:
    """The product's rows of a file's text in the shape of `reference.read_file`."""
    rows = Rows()
    source = Source(NAME, account_id=account_id, scope_start=scope_start_us)
    for document in documents(lines([text])):
        rows.add(flatten(document, source))
    return {
        **{name: [whole_row(name, row) for row in getattr(rows, name)] for name in TABLES},
        "documents": rows.documents,
        "schema_versions": sorted(rows.schema_versions),
        "unknown_fields": sorted(rows.unknown_fields),
    }


def reference_rows(text: bytes, *, account_id: str | None = ACCOUNT_ID, scope_start_us: int | None = SCOPE_START) -> Decoded:
    """The reference's rows of a file's text."""
    return read_file(text, NAME, account_id, scope_start_us)


def whole_row(table: str, row: Row) -> Row:
    """A row with all columns of its table, and only those."""
    assert row.keys() <= {column.name for column in schema.TABLES[table].columns}
    return {column.name: row.get(column.name) for column in schema.TABLES[table].columns}


def rows_of_table(table: pa.Table) -> list[Row]:
    """The rows of an Arrow table, times as microseconds since 1970 UTC."""
    for number, column in enumerate(table.schema):
        if pa.types.is_timestamp(column.type):
            micros = table.column(number).cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
            table = table.set_column(number, column.name, micros)
    rows: list[Row] = table.to_pylist()
    return rows


def parsed_columns(row: Row) -> Row:
    """A row whose JSON columns are values; our own words are left out."""
    return {
        name: parsed(value) if name in JSON_COLUMNS and isinstance(value, str) else value
        for name, value in row.items()
        if name not in WORDS_OF_OURS
    }


def without_our_words(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in WORDS_OF_OURS}


def differences(text: bytes) -> list[str]:
    """What the product reads from a text otherwise than the reference does, in the order of tables and rows."""
    expected, got = reference_rows(text), product_rows(text)
    found = [
        f"{name}: expected {expected[name]}, got {got[name]}"
        for name in ("documents", "schema_versions", "unknown_fields")
        if expected[name] != got[name]
    ]
    for table in TABLES:
        if len(expected[table]) != len(got[table]):
            found.append(f"{table}: expected {len(expected[table])} rows, got {len(got[table])}")
        for number, (row, other) in enumerate(zip(expected[table], got[table], strict=False)):
            wanted, present = without_our_words(row), parsed_columns(other)
            assert wanted.keys() == present.keys()
            found += [
                f"{table}[{number}].{name}: expected {wanted[name]!r}, got {present[name]!r}"
                for name in wanted
                if type(wanted[name]) is not type(present[name]) or wanted[name] != present[name]
            ]
    return found


def require_sound(text: bytes) -> int:
    """Hold one file against all that holds for every file; gives the number of its documents."""
    assert differences(text) == []
    got = product_rows(text)
    assert got["documents"] == sum(1 for _ in split(text))
    assert [row["document"] for row in got["rejects"]] == sorted({row["document"] for row in got["rejects"]})
    require_storable(got)
    return int(got["documents"])


def require_storable(got: Decoded) -> None:
    """Arrow takes every row, path and version: no text in them is beyond UTF-8, no number beyond its column."""
    for table in TABLES:
        pa.Table.from_pylist(got[table], schema=schema.TABLES[table].arrow_schema)
    pa.array(got["schema_versions"], pa.string())
    pa.array(got["unknown_fields"], pa.string())


FAST: Final = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@FAST
@given(text=made_files(oddness=0.0, min_documents=5))
def test_plain_files_give_the_rows_of_the_reference(text: bytes) -> None:
    """A file as Avro's encoder writes it, in every layout, gives the same rows in the same order."""
    require_sound(text)


@FAST
@given(text=made_files(oddness=0.1, min_documents=10, max_documents=40))
def test_files_with_some_odd_documents_give_the_rows_of_the_reference(text: bytes) -> None:
    """Odd documents and garbage among plain ones change nothing for their neighbours."""
    require_sound(text)


@settings(FAST, max_examples=200)
@given(text=made_files(oddness=1.0, max_documents=8))
def test_odd_files_give_the_rows_of_the_reference(text: bytes) -> None:
    """However odd its documents are, a file gives the rows that the contract promises."""
    require_sound(text)


@pytest.mark.parametrize("seed", range(12))
def test_many_made_files_give_the_rows_of_the_reference(seed: int) -> None:
    """Each seed's files, 2,400 documents over all seeds, give the rows of the reference."""
    for number in range(10):
        text = random_file(1000 * seed + number, count=20)
        assert differences(text) == [], f"random_file({1000 * seed + number}, count=20)"
        require_storable(product_rows(text))


# ---- nothing is lost ----


def canonical(value: Any) -> Any:
    """A leaf in the one form that a text, a number, a truth and a time have in common, whichever column they stand in."""
    literal = value.literal if isinstance(value, Number) else value
    if isinstance(literal, bool) or literal in ("true", "false"):
        return literal in (True, "true")
    if is_number_text(literal):
        return exact(literal)
    if re.match("[0-9]{4}-", literal):
        try:
            moment = datetime.fromisoformat(literal)
        except ValueError:
            return literal
        since = moment.replace(tzinfo=moment.tzinfo or UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        return milliseconds(since // timedelta(microseconds=1))
    return literal


def milliseconds(microseconds: int) -> Any:
    return exact(f"{microseconds}e-3")


def leaves(value: Any) -> Iterator[Any]:
    """Every leaf of a JSON value but nulls; a tag is a name like any other here, so it needs no thought."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from leaves(inner)
    elif value is not None:
        yield canonical(value)


def inside(value: Any) -> Any:
    """The value inside of objects of one name each that is no field of ours."""
    while (
        isinstance(value, dict)
        and len(value) == 1
        and re.search(r"^[a-z]+$|\.", name := next(iter(value)))
        and name not in FIELDS
    ):
        value = value[name]
    return value


FIELDS: Final = ("body", "header", "engagements")


def field_of(value: Any, name: str) -> Any:
    """A field in whatever spelling, None if the value has none."""
    bare = inside(value)
    spelled = (
        sorted((other for other in bare if other.lower() == name.lower()), key=lambda other: other != name)
        if isinstance(bare, dict)
        else []
    )
    return next((bare[other] for other in spelled if bare[other] is not None), None)


def left_out(document: Row, *, has_rows: bool) -> Iterator[Any]:
    """The leaves that no row needs to keep: they are the file's, or describe what has no conversation."""
    meta_data = field_of(document, "metaData")
    yield from leaves(field_of(document, "dataType"))
    yield from leaves(field_of(meta_data, "startTime"))
    yield from leaves(field_of(meta_data, "endTime"))
    account = field_of(meta_data, "accountId")
    if not has_rows or inside(account) == "":
        yield from leaves(account)
    records = inside(field_of(document, "recordCollection"))
    for record in records if isinstance(records, list) else []:
        body = field_of(record, "body")
        engagements = inside(field_of(body, "engagements"))
        if not isinstance(engagements, list) or all(inside(element) is None for element in engagements):
            yield from leaves(field_of(body, "header"))


def kept(got: Decoded) -> Iterator[Any]:
    """The leaves that columns and extra hold; what we derive or repeat counts once, with the conversation."""
    yield from map(canonical, got["schema_versions"])
    for table in ("conversations", "messages", "transfers"):
        derived = [
            "date",
            "source_file",
            "delivery",
            "position",
            *(["account_id", "conversation_id"] if table != "conversations" else []),
        ]
        for row in got[table]:
            for column in schema.TABLES[table].columns:
                value = row[column.name]
                if column.name in derived or value is None:
                    continue
                if column.type == schema.TIME:
                    yield milliseconds(value)
                elif column.name in JSON_COLUMNS:
                    yield from leaves(parsed(value))
                elif isinstance(value, list):
                    yield from (exact(str(number)) for number in value if number is not None)
                else:
                    yield canonical(value if isinstance(value, str | bool) else repr(value))


def lost(text: bytes) -> list[Any]:
    """The leaves of a file of one document that arrive nowhere."""
    got = product_rows(text)
    raws = list(split(text))
    if got["rejects"]:
        assert [row["raw"] for row in got["rejects"]] == [
            raw.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace") for raw in raws
        ]
        return []
    (raw,) = raws
    document = parsed(raw)
    sent = Counter(leaves(document))
    sent.subtract(left_out(document, has_rows=bool(got["conversations"])))
    sent.subtract(kept(got))
    return sorted((sent - Counter()).elements(), key=repr)


@settings(FAST, max_examples=800)
@given(piece=pieces_of(oddness=0.9).filter(lambda piece: not piece.is_garbage))
def test_nothing_is_lost(piece: Piece) -> None:
    """Every leaf of a document is in a column, in extra or in a reject's text."""
    assert lost(laid_out([piece], "lines")) == []


# ---- the long run ----

LONG_FILE: Final = 50


def checked(seed: int) -> tuple[int, list[str]]:
    """How many documents a seed's file holds, and what the product reads otherwise or can't store."""
    text = random_file(seed, count=LONG_FILE)
    found = differences(text)
    got = product_rows(text)
    if not found:
        require_storable(got)
    return int(got["documents"]), found


@pytest.mark.long
def test_a_million_documents_give_the_rows_of_the_reference() -> None:
    """REFERENCE_DOCUMENTS made documents, a million unless it says otherwise, give the rows of the reference."""
    wanted = int(os.environ.get("REFERENCE_DOCUMENTS", "1000000"))
    first = int(os.environ.get("REFERENCE_SEED", "1000000"))
    read, began = 0, time.monotonic()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for seed, (count, found) in enumerate(
            pool.map(checked, range(first, first - -wanted // LONG_FILE), chunksize=8), start=first
        ):
            assert found == [], f"random_file({seed}, count={LONG_FILE})"
            if read // 20_000 != (read + count) // 20_000:
                print(f"{read + count:,} documents, {time.monotonic() - began:.0f} s", file=sys.__stderr__, flush=True)
            read += count
    assert read >= wanted
