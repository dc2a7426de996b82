import gzip
import io
import itertools
import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from documents import VENDOR_EXAMPLE, document, lines_of, read_documents
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.decode.containers import Caps, Passed, texts, unpacked
from pipeline.decode.documents import Splitter, unescaped
from pipeline.errors import CorruptFileError

PRETTY = VENDOR_EXAMPLE.read_text()
COMPACT = json.dumps(json.loads(PRETTY))


def read(text: str | bytes) -> list[tuple[str, bool]]:
    """Text of each document and whether it can be read."""
    raw = text if isinstance(text, bytes) else text.encode("utf-8")
    return [(item.raw.decode("utf-8", "replace"), item.value is not None) for item in read_documents([raw])]


def unpack(contents: bytes) -> bytes:
    return b"".join(unpacked(io.BytesIO(contents)))


@pytest.mark.parametrize(
    ("text", "count"),
    [
        pytest.param(PRETTY, 1, id="pretty-printed"),
        pytest.param(PRETTY * 2, 2, id="pretty-printed, one after another"),
        pytest.param(PRETTY.strip() + PRETTY, 2, id="pretty-printed, no line break between"),
        pytest.param(f"{COMPACT}\n{COMPACT}\n", 2, id="one per line"),
        pytest.param(f"{COMPACT}\n{COMPACT}", 2, id="no last line break"),
        pytest.param(f"{COMPACT}{COMPACT}", 2, id="no line break at all"),
        pytest.param(f"{COMPACT}\n{PRETTY}{COMPACT}\n", 3, id="mixed"),
        pytest.param(PRETTY.replace("\n", "\r\n") * 2, 2, id="CRLF"),
        pytest.param(f"\ufeff{COMPACT}\n", 1, id="byte order mark"),
        pytest.param(f"\n\n {COMPACT}\n\r\n\t\n{COMPACT}\n\n", 2, id="blank lines"),
        pytest.param("\n".join(line.strip() for line in PRETTY.splitlines()), 1, id="pretty-printed without indentation"),
        pytest.param(" \n\r\n", 0, id="nothing"),
    ],
)
def test_every_legal_layout_is_read(text: str, count: int) -> None:
    """Documents come out whole, however they are laid out."""
    assert [is_read for _, is_read in read(text)] == [True] * count


@pytest.mark.parametrize(
    ("text", "readable"),
    [
        pytest.param(f"{COMPACT}\nfoo\nbar\n{COMPACT}\n", [True, False, False, True], id="garbage lines"),
        pytest.param(f"{COMPACT[:300]}\n{COMPACT}\n", [False, True], id="a line cut in a string"),
        pytest.param(f'{{"a": {{"b": 1}}\n{COMPACT}\n', [False, True], id="a line cut between values"),
        pytest.param(f'{{"a": {{"b": 1}}\nfoo\n{COMPACT}\n', [False, False, True], id="a cut line, then garbage"),
        pytest.param(PRETTY[:2000] + "\n" + PRETTY, [False, True], id="a pretty-printed document cut"),
        pytest.param(PRETTY[:500] + PRETTY, [False, True], id="cut, the next one on the same line"),
        pytest.param("{bro ken}" + COMPACT, [False, True], id="broken, the next one on the same line"),
        pytest.param(COMPACT + " oops\n" + COMPACT, [True, False, True], id="garbage behind a document"),
        pytest.param("}\n" + COMPACT, [False, True], id="a bracket too many"),
        pytest.param("123 abc\n" + COMPACT, [False, True], id="a number and garbage"),
        pytest.param('{"a": 1, "a": 2}\n' + COMPACT, [False, True], id="a name twice"),
        pytest.param('{"a": NaN}\n' + COMPACT, [False, True], id="NaN"),
        pytest.param('{"a":' * 5000 + "1" + "}" * 5000 + "\n" + COMPACT, [False, True], id="nested 5,000 deep"),
    ],
)
def test_a_broken_document_takes_no_other_along(text: str, readable: list[bool]) -> None:
    """An unreadable document ends where the next one evidently begins."""
    assert [is_read for _, is_read in read(text)] == readable


@pytest.mark.parametrize("junk", ["", " ", "x", "}"], ids=["nothing", "a blank", "junk", "a bracket"])
def test_any_number_of_documents_may_stand_on_one_line(junk: str) -> None:
    """Thousands of documents without a line break between them are those that they are with line breaks."""
    documents = [f'{{"dataType": "Engagement", "recordCollection": [], "number": {number}}}' for number in range(2000)]
    in_lines = "".join(f"{junk}\n{text}\n" for text in documents)
    assert read("".join(f"{junk}{text}" for text in documents)) == read(in_lines)


def test_a_broken_document_that_was_not_cut_is_one() -> None:
    """A broken document that contains the text of another one stays one document."""
    inner = '"startPage": {"dataType": "x", "recordCollection": 1}, "endReasonId": nul'
    broken = PRETTY.replace('"dataType"', f'{inner}, "dataType"', 1)
    assert [readable for _, readable in read(broken + PRETTY)] == [False, True]


def test_invalid_utf8_spoils_its_own_document_only() -> None:
    """A byte that is no UTF-8 makes one document unreadable."""
    bad = COMPACT.encode().replace(b"Welcome", b"Wel\xffcome")
    assert [is_read for _, is_read in read(bad + b"\n" + COMPACT.encode())] == [False, True]


@settings(max_examples=200, deadline=None)
@given(text=st.text(alphabet='{}[]":,\\ \n\rab1', max_size=60), tail=st.booleans())
def test_no_character_is_lost(text: str, tail: bool) -> None:  # noqa: FBT001
    """The documents of any text together are that text without the blank space between them."""
    whole = text + ("\n" + COMPACT if tail else "")
    together = "".join(raw for raw, _ in read(whole))
    assert "".join(together.split()) == "".join(whole.split())


@settings(max_examples=100, deadline=None)
@given(sizes=st.lists(st.integers(1, 300), min_size=1, max_size=40))
def test_chunks_do_not_matter(sizes: list[int]) -> None:
    """Documents are the same wherever the text is cut into chunks."""
    text = (COMPACT + "\n" + PRETTY + "foo\n" + COMPACT).encode()

    def chunks() -> Iterator[bytes]:
        start = 0
        for size in sizes:
            yield text[start : start + size]
            start += size
        yield text[start:]

    assert list(read_documents(chunks())) == list(read_documents([text]))


def test_numbers_keep_their_spelling() -> None:
    """No digit of a number is lost on the way from the text."""
    (item,) = read_documents([b'{"a": 0.1000, "b": 123456789012345678901234567890, "c": 1e400}'])
    assert item.value is not None
    assert (item.value["a"].literal, item.value["b"], item.value["c"].literal) == (
        "0.1000",
        123456789012345678901234567890,
        "1e400",
    )


def zipped(*texts: str | bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for number, text in enumerate(texts):
            archive.writestr(f"{number} ü.json", text)
    return out.getvalue()


@pytest.mark.parametrize(
    ("contents", "text"),
    [
        pytest.param(gzip.compress(b"{}\n"), b"{}\n", id="gzip"),
        pytest.param(gzip.compress(b"{}\n") + gzip.compress(b"[]\n"), b"{}\n[]\n", id="two gzip members"),
        pytest.param(gzip.compress(b""), b"", id="gzip of nothing"),
        pytest.param(zipped("{}", "[]"), b"{}\n[]\n", id="zip"),
        pytest.param(b"{}\n", b"{}\n", id="plain text"),
    ],
)
def test_containers_are_told_by_their_contents(contents: bytes, text: bytes) -> None:
    """Gzip of any number of members, zip and plain text are read, whatever the name says."""
    assert unpack(contents) == text


GZ = gzip.compress(json.dumps(document()).encode() * 50)


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        pytest.param(b"", "zero bytes", id="zero bytes"),
        pytest.param(GZ[:-1], "cut short", id="cut in the trailer"),
        pytest.param(GZ[:100], "cut short", id="cut in the middle"),
        pytest.param(GZ[:2], "cut short", id="two bytes"),
        pytest.param(GZ[:-8] + b"\0\0\0\0" + GZ[-4:], "damaged", id="wrong checksum"),
        pytest.param(GZ[:-4] + b"\1\0\0\0", "damaged", id="wrong length"),
        pytest.param(GZ + b"rest", "damaged", id="something behind it"),
        pytest.param(GZ[:60] + b"\xff\xff\xff\xff" + GZ[64:], "damaged", id="a flipped byte"),
        pytest.param(zipped("{}")[:-10], "damaged", id="a cut zip"),
        pytest.param(zipped("{}", method=zipfile.ZIP_BZIP2), "packed in an unusual way", id="a zip with bzip2"),
        pytest.param(zipped("{}", method=zipfile.ZIP_LZMA), "packed in an unusual way", id="a zip with LZMA"),
        pytest.param(b"<!DOCTYPE html><html>503</html>", "HTML", id="an HTML page"),
        pytest.param(gzip.compress(b"\n<html>"), "HTML", id="an HTML page in gzip"),
        pytest.param(b'<?xml version="1.0"?><error/>', "XML", id="an XML error"),
        pytest.param(b"<response><message>Service unavailable</message></response>", "XML", id="any XML"),
        pytest.param(gzip.compress(b"\xef\xbb\xbf\n<!-- x --><html>"), "HTML", id="a page that begins with a comment, in gzip"),
        pytest.param(zipped("<response/>"), "XML", id="XML in zip"),
        pytest.param(b"upstream connect error or reset before headers", "nor JSON.*'upstream", id="an error in plain words"),
        pytest.param(b"[Errno 104] reset {by peer}\n503 busy\n", "nor JSON", id="an error with brackets"),
        pytest.param(gzip.compress(GZ), "archive within an archive", id="gzip in gzip"),
        pytest.param(zipped(GZ), "archive within an archive", id="gzip in zip"),
        pytest.param(gzip.compress(zipped("{}")), "archive within an archive", id="zip in gzip"),
        pytest.param(gzip.compress('{"a": 1}'.encode("utf-16")), "UTF-8", id="UTF-16 in gzip"),
        pytest.param('{"a": 1}'.encode("utf-16-be"), "UTF-8", id="UTF-16 without a mark"),
        pytest.param(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "neither an archive nor text", id="a picture"),
    ],
)
def test_a_broken_file_is_refused_as_a_whole(contents: bytes, reason: str) -> None:
    """A file that is cut short, damaged or something else raises, and says what is wrong."""
    with pytest.raises(CorruptFileError, match=reason):
        unpack(contents)


def test_the_reason_of_a_file_quotes_too_little_to_name_anyone() -> None:
    """Of a text that is no JSON the reason has what kind it is, and not the id that it begins with."""
    with pytest.raises(CorruptFileError) as refused:
        unpack(b"consumer=visitor-4711 said hello\n")
    assert "'consumer'" in str(refused.value)
    assert "4711" not in str(refused.value)


@pytest.mark.parametrize("archive", [gzip.compress(b"{}\n"), zipped("{}", "[]")], ids=["gzip", "zip"])
def test_whatever_has_changed_in_an_archive_is_refused_or_read(archive: bytes, tmp_path: Path) -> None:
    """An archive with any changed byte, or cut anywhere, is set aside; the run goes on."""
    path = tmp_path / "archive"
    changed = [archive[:place] + bytes([byte]) + archive[place + 1 :] for place in range(len(archive)) for byte in (0, 255)]
    changed += [archive[:place] + bytes([archive[place] ^ 128]) + archive[place + 1 :] for place in range(len(archive))]
    for contents in (*changed, *(archive[:place] for place in range(len(archive)))):
        path.write_bytes(contents)
        with path.open("rb") as stored, suppress(CorruptFileError):
            list(unpacked(stored))


@pytest.mark.parametrize(
    "contents",
    [
        b"busy\n" + COMPACT.encode(),
        b"busy " + COMPACT.encode(),
        PRETTY.encode(),
        b"7\n",
        b'{\n"cut',
        b"\n\n",
        gzip.compress(b"busy"),
    ],
    ids=["a line before", "words before", "pretty-printed", "a number", "cut", "nothing", "words in an archive"],
)
def test_what_holds_json_or_is_a_sound_archive_is_read(contents: bytes) -> None:
    """A bad line refuses no file that has a document, and a document that can't be read is still one."""
    assert unpack(contents)


@pytest.mark.parametrize(
    "text", [b"{}\n" * 3000, b'{"' + b"x" * 9000, b"\n" * 9000], ids=["documents", "one line", "blank lines"]
)
def test_a_cap_lets_through_what_is_just_as_large(text: bytes) -> None:
    """Text of the capped size is read in whatever container; one byte more is refused before it is handed on."""
    for contents in (gzip.compress(text), zipped(text[:-1].decode()), text):
        size = len(unpack(contents))
        assert len(b"".join(unpacked(io.BytesIO(contents), Caps(unpacked=size)))) == size
        with pytest.raises(CorruptFileError, match=f"more than {size - 1:,} bytes of text.* raise LP_MAX_UNPACKED_BYTES"):
            b"".join(unpacked(io.BytesIO(contents), Caps(unpacked=size - 1)))


@pytest.mark.parametrize("text", ['{"a":"%s"}', '{\n"a":\n"%s"\n}', '[[\n"%s"', "garbage %s"])
def test_a_document_is_capped_whatever_its_layout(text: str) -> None:
    """On one line, on several, cut or no JSON: what is longer than the cap is one reject, and the next document is read."""
    raw = (text % ("x" * 200_000)).encode()
    after = b'\n{"dataType":"Engagement","n":1}\n{"dataType":"Engagement","n":2}\n'
    chunks = [(raw + after)[start : start + 7000] for start in range(0, len(raw + after), 7000)]
    for most in (400_000, 150_000, 70_000):
        first, *others = read_documents(chunks, Caps(document=most))
        assert [one.value and one.value["n"] for one in others] == [1, 2]
        is_capped = most < len(raw)
        assert first.raw == raw[: 64 << 10] if is_capped else raw
        assert (f"takes more than {most:,} bytes" in str(first.problem)) is is_capped


def test_documents_on_one_line_are_each_capped() -> None:
    """A line of many documents may be longer than one of them may; one of them that is too long is one reject."""
    documents = [b'{"dataType":"Engagement","n":%d}' % number for number in range(2000)]
    documents[1000] = b'{"dataType":"Engagement","n":"%s"}' % (b"x" * 300_000)
    line = b" ".join(documents)
    chunks = [line[start : start + 1000] for start in range(0, len(line), 1000)]
    found = list(read_documents(chunks, Caps(document=20_000)))
    assert [one.value and one.value["n"] for one in found] == [None if n == 1000 else n for n in range(2000)]
    assert documents[1000].startswith(found[1000].raw)
    assert f"its first {len(found[1000].raw):,} bytes" in str(found[1000].problem)


def test_what_is_not_read_of_a_document_is_shown_all_the_same() -> None:
    """A search for erased people sees all text of a document that is too long, on one line or on many."""
    for separator in (b" ", b"\n"):
        inside = separator.join(b'"%06d",' % number for number in range(40_000))
        text = b'{"dataType":[' + separator + inside + b'""]}\n{}\n'
        chunks = [text[start : start + 7000] for start in range(0, len(text), 7000)]
        seen: list[bytes] = []
        splitter = Splitter(Caps(document=100_000), seen.append)
        cut = list(texts(chunks, caps=Caps(document=100_000)))
        pieces = [piece for line in lines_of(cut) for piece in splitter.feed(line)]
        assert len(pieces) == 2
        seen += [text for text in cut if isinstance(text, Passed)]
        assert set(re.findall(rb"\d{6}", b"\n".join(seen))) == {b"%06d" % number for number in range(40_000)}


def test_a_text_in_its_plainest_spelling() -> None:
    """Escapes become their characters, whatever stands around them, and what is no escape stays: a text may be cut anywhere."""
    pieces = ["\\u00e9", "\\uD83D\\uDE42", "\\ud83d", "\\u0022", "\\n", "\\\\", "\\/", "u00e9", "é"]
    for first, second in itertools.product(pieces, repeat=2):
        text = f'"{first}{second}"'
        plain = json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8", "surrogatepass")
        assert unescaped(text.encode()) == plain
        for end in range(len(text)):
            assert unescaped(text[:end].encode() + b" z").endswith(b" z")
    assert unescaped(b'{"path":"C:\\users\\u12"}') == b'{"path":"C:\\users\\u12"}'
