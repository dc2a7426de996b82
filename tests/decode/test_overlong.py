"""Documents that are too long to be held in memory, where erased people are looked for: found, and gone whole."""

import gzip
import json
import random
import re
import resource
import subprocess
import sys
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from commands import lakehouse
from documents import NAME, START, conversation, document, gz, put
from lakes import ask
from places import ROOT

from pipeline.decode.containers import Caps
from pipeline.decode.documents import Splitter, TooManyValuesError, parse
from pipeline.erasure.redact import redact
from pipeline.erasure.tombstones import Tombstones
from pipeline.lake.lake import Lake
from pipeline.source_files import Source

CAP = 70_000


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def of(consumer: str, *, size: int = 0) -> dict[str, Any]:
    """A document of a consumer, with so many bytes of text before its name, and as many behind it."""
    words = " ".join(["words"] * (size // 6))
    named = {"before": words, "consumerId": {"string": consumer}, "notes": words}
    return document(conversation(f"of{consumer}", conversationEndTime={"long": START}, **named))


def laid_out(value: dict[str, Any], layout: int) -> bytes:
    """A document on one line, on many, or cut in its middle."""
    text = json.dumps(value, indent=layout or None, separators=None if layout else (",", ":")).encode()
    return text[: -len(text) // 3] + b"\n" if layout == 2 else text


@pytest.mark.parametrize("chunk", [9_000, 100_000, 4 << 20])
def test_overlong_documents_that_name_an_erased_person_go_whole(lake: Lake, tmp_path: Path, chunk: int) -> None:
    """Whatever its layout and neighbours, an overlong document goes if it names the person; no byte of another one does."""
    tombstones = Tombstones(bytes(32), {}).with_ids("consumer", {"A"}, datetime.now(UTC))
    draw = random.Random(chunk)
    for _ in range(12):
        pieces = [
            (laid_out(of(draw.choice("AB"), size=draw.choice([0, 10_000, 45_000, 300_000])), draw.choice([0, 0, 1, 2])))
            for _ in range(draw.randrange(1, 6))
        ]
        are_lines = [b"\n" not in piece for piece in [*pieces, b""]]
        ends = [draw.choice([b"", b"\n"]) if one and other else b"\n" for one, other in pairwise(are_lines)]
        text = b"".join(piece + end for piece, end in zip(pieces, ends, strict=True))
        path = put(tmp_path, gzip.compress(text, 1))
        done = redact(lake, str(path), Source(path.name), tombstones, {"A"}, caps=Caps(document=CAP, chunk=chunk))
        left = text if done.staged is None else gzip.decompress(Path(done.staged.path).read_bytes())
        stay = b"".join(piece for piece in pieces if b'"A"' not in piece)
        assert left.replace(b"\n", b"") == stay.replace(b"\n", b"")


def test_an_erase_reads_overlong_documents_and_a_load_keeps_them_out(lake: Lake, tmp_path: Path) -> None:
    """The person is found in what is too long to be a row, and goes from landing and rejects; the same file loads without."""
    path = put(tmp_path / "in", gz(of("A", size=300_000), of("B", size=300_000), of("C")))
    limit = {"LP_MAX_DOCUMENT_BYTES": "70kB"}
    assert lakehouse("load", str(path), cwd=tmp_path, **limit).returncode == 3
    done = lakehouse("erase", "--consumer-id", "A", cwd=tmp_path, **limit)
    assert done.returncode == 0, done.stdout + done.stderr
    assert landed(lake) == [b"B", b"C"]
    assert ask(lake, "select raw like '%ofB%', raw like '%words words%' from rejects") == [(True, True)]
    assert lakehouse("verify", "--read-data", cwd=tmp_path, **limit).returncode == 0
    again = put(tmp_path / "other", gz(of("C"), of("A", size=400_000)), NAME.replace("00000-0", "00001-0"))
    assert lakehouse("load", str(again), cwd=tmp_path, **limit).returncode == 0
    assert landed(lake) == [b"B", b"C", b"C"]


def landed(lake: Lake) -> list[bytes]:
    """Whose documents the landing zone has."""
    texts = [gzip.decompress(path.read_bytes()) for path in Path(lake.uri, "landing").rglob("*.gz")]
    return sorted(one for text in texts for one in re.findall(rb'"consumerId": ?\{"string": ?"(.)"', text))


def test_many_different_names_are_more_values_than_a_text_may_hold() -> None:
    """Half a million names take many times the memory of their text; the same names again and again take none."""
    with pytest.raises(TooManyValuesError):
        parse(("{" + ",".join(f'"{number}":1' for number in range(50_000)) + "}").encode())
    assert len(parse(("[" + ",".join(['{"some name":1,"another name of it":2,"one more":3}'] * 6_000) + "]").encode())) == 6_000


@pytest.mark.parametrize("text", [b"\xef\xbb\xbf" * 300_000 + b"{}\n", b'{"a":"' + b"\\n" * 300_000 + b'"\n'])
def test_what_stands_often_in_a_text_takes_no_memory_each_time(text: bytes) -> None:
    """Byte order marks between documents and escapes in broken ones, looked over without a note of each."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    splitter = Splitter()
    assert len([*splitter.feed(text), *splitter.finish()]) == 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 12 * len(text) // 1024


@pytest.mark.long
@pytest.mark.parametrize("title", ["a long id and many lines", "names in an unknown field", "empty lines of a transcript"])
def test_no_small_file_fills_the_memory(title: str) -> None:
    """What a load takes beside the usual is at most twelve times the text, whatever the text is made for."""
    folder = ROOT
    command = [sys.executable, str(folder / "benchmarks/bombs.py"), "--megabytes", "10", "--only", title]
    rows = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder).stdout.splitlines()
    assert float(rows[-1].split("|")[6]) <= 12
