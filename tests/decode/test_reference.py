"""The product's decoder against the plain one of `reference.py`, on made-up files, row by row."""

import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from typing import Any, Final

import pytest
from differences import (
    JSON_COLUMNS,
    Decoded,
    Row,
    check,
    product_rows,
)
from documents import conversation, document
from hypothesis import HealthCheck, Phase, given, settings
from made_documents import Piece, laid_out, made_files, pieces_of, random_file
from reference import Number, exact, is_number_text, parsed, split

from pipeline import schema

FAST: Final = settings(
    max_examples=40,
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
    _, found = check(text)
    assert found == []


@FAST
@given(text=made_files(oddness=0.1, min_documents=10, max_documents=40))
def test_files_with_some_odd_documents_give_the_rows_of_the_reference(text: bytes) -> None:
    """Odd documents and garbage among plain ones change nothing for their neighbours."""
    _, found = check(text)
    assert found == []


@settings(FAST, max_examples=60)
@given(text=made_files(oddness=1.0, max_documents=8))
def test_odd_files_give_the_rows_of_the_reference(text: bytes) -> None:
    """However odd its documents are, a file gives the rows that the contract promises."""
    _, found = check(text)
    assert found == []


@pytest.mark.parametrize("seed", range(6))
def test_many_made_files_give_the_rows_of_the_reference(seed: int) -> None:
    """Each seed's files, 1,200 documents over all seeds, give the rows of the reference."""
    for number in range(10):
        _, found = check(random_file(1000 * seed + number, count=20))
        assert found == [], f"random_file({1000 * seed + number}, count=20)"


def with_field(name: str, spelling: str) -> str:
    """A document whose conversation has a field of that name, its value spelled like this."""
    return json.dumps(document(conversation(**{name: "@"}))).replace('"@"', spelling)


TWO_LEVELS: Final = document(conversation(**{"x": 0, "Document.x": 9}), x=1)
THREE_LEVELS: Final = document(conversation(), x=1, metaData={"accountId": "1", "x": 2}) | {"MetaData.x": 3}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(with_field("skillId", "1e99999999999999999999"), id="an exponent beyond every arithmetic"),
        pytest.param(with_field("mcs", "0e99999999999999999999"), id="a zero with such an exponent"),
        pytest.param(with_field("agentId", "-0"), id="an id of minus nought"),
        pytest.param(with_field("skillId", '"1\u0662"'), id="digits of another script"),
        pytest.param(with_field("queueStartTime", '"2016-07-25T17:54:41+01:75"'), id="an offset of 75 minutes"),
        pytest.param(with_field("\ud800", "1"), id="a name that no text can hold"),
        pytest.param(json.dumps(document() | {"\ud800": 1}), id="such a name and no conversation"),
        pytest.param(json.dumps(TWO_LEVELS), id="one name on two levels, the other's path taken"),
        pytest.param(json.dumps(THREE_LEVELS), id="one name on three levels"),
        pytest.param(
            json.dumps(json.loads(with_field("new", '{"dataType":"x","a":1}')), indent=2), id="pretty, dataType within"
        ),
        pytest.param(with_field("new", '{"dataType":"x","a":NaN}'), id="unreadable, a dataType within"),
        pytest.param(json.dumps(document(dataType="Survey"), indent=1).replace("\n", "\r\n"), id="a survey, pretty, CRLF"),
    ],
)
def test_once_found_traps_give_the_rows_of_the_reference(text: str) -> None:
    """Documents that a decoder of ours once fell for."""
    _, found = check(text.encode())
    assert found == []


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


@settings(FAST, max_examples=250)
@given(piece=pieces_of(oddness=0.9).filter(lambda piece: not piece.is_garbage))
def test_nothing_is_lost(piece: Piece) -> None:
    """Every leaf of a document is in a column, in extra or in a reject's text."""
    assert lost(laid_out([piece], "lines")) == []


# ---- the long run ----

LONG_FILE: Final = 50


def check_seed(seed: int) -> tuple[int, list[str]]:
    """One file of the long run."""
    return check(random_file(seed, count=LONG_FILE))


@pytest.mark.long
def test_a_million_documents_give_the_rows_of_the_reference(capfd: pytest.CaptureFixture[str]) -> None:
    """REFERENCE_DOCUMENTS made documents, a million unless it says otherwise, give the rows of the reference."""
    wanted = int(os.environ.get("REFERENCE_DOCUMENTS", "1000000"))
    first = int(os.environ.get("REFERENCE_SEED", "1000000"))
    seeds = range(first, first + -(-wanted // LONG_FILE))
    read, began = 0, time.monotonic()
    with capfd.disabled(), ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        try:
            for seed, (count, found) in zip(seeds, pool.map(check_seed, seeds, chunksize=8), strict=True):
                assert found == [], f"random_file({seed}, count={LONG_FILE})"
                if read // 20_000 != (read + count) // 20_000:
                    print(f"{read + count:,} documents, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)  # noqa: T201
                read += count
        finally:
            pool.shutdown(cancel_futures=True)
    assert read >= wanted
