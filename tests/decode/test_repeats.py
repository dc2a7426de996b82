"""A small document whose rows would repeat a large value many times is a reject, before the memory is filled with them."""

import json
import resource
import subprocess
import sys
from collections.abc import Iterable

import pytest

from pipeline.decode.reader import RowReader
from pipeline.decode.scanner import PADDING, NoScanner
from pipeline.source_files import Source

LARGE, MANY = "x" * 50_000, 6_000
MOST_MEGABYTES = 60


def document(conversations: Iterable[str], meta: str = "", header: str = "", more: str = "") -> str:
    """A line as the scanner reads it."""
    body = f'{{"header":{{{header}}},"engagements":[{",".join(conversations)}]{more}}}'
    return f'{{"dataType":"Engagement","metaData":{{"startTime":1{meta}}},"recordCollection":[{{"body":{body}}}]}}\n'


def one(name: str, element: str) -> Iterable[str]:
    """A conversation of a large id and many elements."""
    return [f'{{"conversationId":"{LARGE}","{name}":[{",".join([element] * MANY)}]}}']


SMALL = [f'{{"conversationId":"{number}"}}' for number in range(MANY)]
REPEATED = {
    "an account": document(SMALL, meta=f',"accountId":"{LARGE}"'),
    "a schema version": document(SMALL, meta=f',"schemaVersion":"{LARGE}"'),
    **{name: document(SMALL, header=f'"{name}":"{LARGE}"') for name in ("visitId", "visitorId", "contextId")},
    "an unknown field": document(SMALL, more=f',"new":"{LARGE}"'),
    "an id by its messages": document(one("transcripts", '{"text":"a"}')),
    "an id by its transfers": document(one("transfers", '{"reason":1}')),
    "nothing but rows": document([f'{{"conversationId":"c","transcripts":[{",".join(["{}"] * 600_000)}]}}']),
}


def main() -> None:
    """Read each by both paths; print the reasons, and how much memory it took at most beside what was taken before."""
    found = []
    for title, text in REPEATED.items():
        for is_careful in (False, True):
            reader = RowReader(scanner=NoScanner() if is_careful else None)  # the former as where scanner.c is not compiled
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            reader.begin(Source("made"))
            reader.feed(text.encode() + PADDING)
            reader.finish()
            reader.keep()
            rejects = reader.drain()[0]["rejects"]
            after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            found.append((title, is_careful, rejects["reason"].to_pylist(), (after - before) // 1024))
    sys.stdout.write(json.dumps(found))


@pytest.fixture(scope="module")
def found() -> list[tuple[str, bool, list[str], int]]:
    """What a process of its own says."""
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=True)  # ourselves
    told: list[tuple[str, bool, list[str], int]] = json.loads(done.stdout)
    return told


def test_what_rows_repeat_is_bounded(found: list[tuple[str, bool, list[str], int]]) -> None:
    """Every value that many rows take from above: a reject by both paths, which takes little memory."""
    assert len(found) == 2 * len(REPEATED)
    for title, is_careful, reasons, megabytes in found:
        assert [reason.endswith("would not fit the memory") for reason in reasons] == [True], (title, is_careful)
        assert megabytes < MOST_MEGABYTES, (title, is_careful)


if __name__ == "__main__":
    main()
