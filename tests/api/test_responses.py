"""Answers: every shape of listing, link and error that was seen, and the names that are refused."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.api.responses import (
    error_in,
    is_answer,
    link_to,
    listed_files,
    parse_documents,
    retry_after_seconds,
    utc_from_text,
)
from pipeline.errors import UnexpectedAnswerError
from pipeline.text import shortened

NAME = "Engagement.1467853200000.1467856800000.part-00000-0.gz"
ENTRY = {
    "@name": NAME,
    "@scopeStartDate": "2016-07-06T21:00:00-04:00",
    "@scopeEndDate": "2016-07-06T22:00:00-04:00",
    "@href": "https://va-a.da.liveperson.net/x.gz",
}
START = datetime(2016, 7, 7, 1, tzinfo=UTC)


def names_in(body: str | bytes) -> list[str]:
    raw = body.encode() if isinstance(body, str) else body
    files, refused = listed_files(parse_documents(raw), "1", "listing")
    assert refused == {}
    return [file.name for file in files]


def listing(*files: object) -> str:
    return json.dumps({"dataAccessFiles": {"@id": "1", "link": {"@rel": "self", "@href": "x"}, "file": list(files)}})


@pytest.mark.parametrize(
    "body",
    [
        listing(ENTRY),
        json.dumps({"dataAccessFiles": {"file": ENTRY}}),
        "\ufeff" + listing(ENTRY),
        listing(ENTRY).encode("utf-16"),
        f"\r\n{listing()}\n\n{listing(ENTRY)}  ",
        '{"time": 1, "message": "No Available Files", "internalCode": 7}' + listing(ENTRY),
        listing({name.removeprefix("@"): value for name, value in ENTRY.items()}),
    ],
    ids=["list", "single object", "BOM", "UTF-16", "several documents", "an empty range beside", "names without @"],
)
def test_a_listing_is_read_in_every_shape(body: str | bytes) -> None:
    """One file comes out of each."""
    assert names_in(body) == [NAME]


@pytest.mark.parametrize(
    "body", [listing(), '{"dataAccessFiles": {}}', '{"dataAccessFiles": {"file": null}}', '{"dataAccessFiles": null}']
)
def test_a_listing_without_files_is_empty(body: str) -> None:
    """`file` may be absent, null or an empty list, and so may the listing be null."""
    assert names_in(body) == []


def test_a_listed_file_knows_its_account_link_and_scope() -> None:
    """Scope dates are read with their offset and given in UTC."""
    [file], _ = listed_files(parse_documents(listing(ENTRY).encode()), "1", "listing")
    assert (file.account_id, file.href) == ("1", ENTRY["@href"])
    assert (file.scope_start_time, file.scope_end_time) == (START, START + timedelta(hours=1))
    assert file.scope_start_time is not None
    assert file.scope_start_time.tzinfo == UTC


def test_the_scope_falls_back_on_the_name() -> None:
    """Where the dates are absent or unreadable, the milliseconds in the name tell; a foreign name tells nothing."""
    [file], _ = listed_files([{"dataAccessFiles": {"file": {"@name": NAME, "@href": "x", "@scopeStartDate": "?"}}}], "1", "w")
    assert (file.scope_start_time, file.scope_end_time) == (START, START + timedelta(hours=1))
    [file], _ = listed_files([{"dataAccessFiles": {"file": {"@name": "x", "@href": "x"}}}], "1", "w")
    assert file.scope_start_time is None


def test_gz_is_added_where_the_listing_lacks_it() -> None:
    """Tables and landing zone know a file by the name with `.gz`."""
    assert names_in(listing(ENTRY | {"@name": NAME.removesuffix(".gz")})) == [NAME]
    assert names_in(listing(ENTRY | {"@name": "Engagement.GZ"})) == ["Engagement.GZ"]


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            ".",
            "..",
            "../x.gz",
            "/etc/passwd",
            "a/b.gz",
            "a\\b.gz",
            ".hidden.gz",
            "a\x00.gz",
            "a\n.gz",
            "a\x1b[2J.gz",
        ),
        *("a\u202egz.exe", "a\ud800.gz", " a.gz", "a.gz ", "x" * 253, "é" * 127, "a\x85b", None, 5, ["a.gz"]),
    ],
)
def test_hostile_names_are_refused(name: object) -> None:
    """A name is a bare file name: it neither leaves its folder, hides, nor plays with a terminal."""
    files, refused = listed_files([json.loads(listing(ENTRY | {"@name": name}, ENTRY))], "1", "listing")
    assert [file.name for file in files] == [NAME]
    [(shown, reason)] = refused.items()
    assert (shown.isprintable(), reason.startswith("expected a bare file name as @name")) == (True, True)


@given(st.text())
def test_a_name_that_is_accepted_is_one_path_component(name: str) -> None:
    """Any text is refused, or it is a plain component of at most 255 bytes that ends in `.gz`, or `.GZ`."""
    files, refused = listed_files([json.loads(listing(ENTRY | {"@name": name}))], "1", "listing")
    if refused:
        return
    accepted = files[0].name
    assert accepted.lower().endswith(".gz")
    assert len(accepted.encode()) <= 255
    assert not set(accepted) & set("/\\\0\n")
    assert accepted[0] != "."


@pytest.mark.parametrize(
    "body",
    [
        *("[]", "5", '{"x": 1}', '{"dataAccessFiles": []}', '{"file": []}', listing(ENTRY) + " [1]"),
        '{"dataAccessFiles": null, "message": "This request is not supported", "internalCode": 5}',
    ],
)
def test_another_shape_is_an_error_that_shows_it(body: str) -> None:
    """Only an answer that says so is an empty listing."""
    with pytest.raises(UnexpectedAnswerError, match=r"listing: expected .*, found "):
        names_in(body)


@pytest.mark.parametrize(
    "body", ['{"dataAccessFiles": {"file": "x"}}', '{"dataAccessFiles": {"file": [1]}}', listing(ENTRY | {"@href": None})]
)
def test_an_entry_that_is_no_file_is_set_aside_with_the_reason(body: str) -> None:
    """One bad entry is no reason to do without the others of its day."""
    files, refused = listed_files([json.loads(body)], "1", "listing")
    assert files == []
    assert [reason.startswith("expected a ") for reason in refused.values()] == [True]


@pytest.mark.parametrize("body", ["", " ", "<html>", listing(ENTRY)[:-3], "x", "[" * 100_000, "9" * 5000])
def test_what_is_no_json_raises_value_error(body: str) -> None:
    """Cut, empty, nested without end: one kind of error."""
    with pytest.raises(ValueError, match=r"empty|nested|Expecting|digits|delimiter|column"):
        parse_documents(body.encode())


@pytest.mark.parametrize(
    "document",
    [
        {"link": [{"@rel": "self", "@href": "s"}, {"@rel": "engagement", "@href": "e"}]},
        {"link": {"@rel": "engagement", "@href": "e"}},
        {"dataAccess": {"account": {"links": [{"rel": "engagement", "href": "e"}]}}},
        [{"@rel": "engagement"}, {"@rel": "engagement", "@href": "e"}],
    ],
)
def test_the_engagement_link_is_found_wherever_it_stands(document: object) -> None:
    """A list, a single object, under any name; what has no href is passed over."""
    assert link_to("engagement", [document]) == "e"
    assert link_to("engagement", [{"link": {"@rel": "survey", "@href": "s"}}]) is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"time": 1, "message": "No Available Files", "internalCode": 7}', "internalCode 7: No Available Files"),
        ('{"error": {"message": "No available files.", "internalCode": "7"}}', "internalCode 7: No available files."),
        (
            "<e><message>No Available Files</message><internalCode>7</internalCode></e>",
            "internalCode 7: No Available Files",
        ),
        ("<n:error><n:message>No Available Files </n:message></n:error>", "No Available Files"),
        ("No Available Files", "No Available Files"),
    ],
)
def test_an_error_is_read_from_json_xml_and_text(body: str, words: str) -> None:
    """Its message and code are found, and that it stands for an empty range."""
    error = error_in(body.encode())
    assert error is not None
    assert error.means_no_files
    assert str(error) == words


@pytest.mark.parametrize("body", ["", "<html><body>No Available Files</body></html>", "{}", '{"x": 1}'])
def test_where_nothing_is_said_there_is_no_error(body: str) -> None:
    """A page in HTML is not the API speaking."""
    assert error_in(body.encode()) is None


def test_an_answer_is_told_from_an_error() -> None:
    """Links or files make an answer."""
    assert is_answer([{"dataAccessFiles": {}}])
    assert not is_answer([{"message": "x"}])
    assert not is_answer([])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["dataAccessFiles", "file", "@name", "@href", "message", "link", "@rel"]), inner)
        ),
    )
)
def test_any_json_is_read_or_refused(value: object) -> None:
    """No shape makes anything but a list or the documented error."""
    documents = parse_documents(json.dumps(value).encode())
    link_to("engagement", documents)
    error_in(json.dumps(value).encode())
    try:
        files, _ = listed_files(documents, "1", "listing")
    except UnexpectedAnswerError:
        return
    assert all(file.name.endswith(".gz") for file in files)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *(("0", 0.0), ("17", 17.0), (" 17 ", 17.0), ("Thu, 07 Jul 2016 01:00:30 GMT", 30.0)),
        *(
            ("Thu, 07 Jul 2016 00:00:00 GMT", 0.0),
            ("", None),
            (None, None),
            ("-1", None),
            ("soon", None),
            ("1.5", None),
        ),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    """A date in the past is now; what is neither says nothing."""
    assert retry_after_seconds(value, START) == seconds


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        *(("2016-07-07T01:00:00Z", START), ("2016-07-07T01:00:00", START), ("1467853200000", START)),
        *((1467853200000, START), ("0001-01-01T00:00:00+14:00", None), ("x", None), (None, None), (10**30, None)),
    ],
)
def test_a_scope_date_is_iso_or_milliseconds(value: object, moment: datetime | None) -> None:
    """Without an offset it is UTC."""
    assert utc_from_text(value) == moment


@given(st.text(max_size=500))
def test_a_text_from_outside_becomes_one_short_line(text: str) -> None:
    """No control character of a server reaches a terminal or a log."""
    line = shortened(text)
    assert len(line) <= 120
    assert line.isprintable()
