"""Load small files that are built to fill the memory or to take for ever: `python benchmarks/bombs.py`.

A separate process loads each into a new lake. The table has size, text, time and peak memory, in MB and above that of
a file with one small document, as a multiple of the text: a document may take 12.
"""

import argparse
import gzip
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import run
from typing import Final

MB: Final = 1 << 20
NAME: Final = "Engagement.1469469600000.1469473200000.part-00000-0.gz"


def _document(fields: str = "", conversation: str = '"conversationId":"c1"', engagements: str = "") -> str:
    inside = engagements or f"{{{conversation}}}"
    return f'{{"dataType":"Engagement","recordCollection":[{{"body":{{"engagements":[{inside}]}}}}]{fields}}}'


def _repeated(part: str, size: int) -> str:
    return part * max(size // len(part), 1)


def _unknown(value: Callable[[int], str]) -> Callable[[int], str]:
    """Return a value of that size in a field that the fast path does not take."""
    return lambda size: _document(conversation=f'"conversationId":"c1","é":{value(size)}')


def _list_of(part: str) -> Callable[[int], str]:
    return lambda size: f"[{_repeated(part + ',', size)}{part}]"


def _counted(form: str, size: int) -> str:
    return ",".join(form.format(number) for number in range(size // (len(form) + 4)))


def _ids(size: int) -> str:
    lines = _repeated("{},", size // 2)[:-1]
    return _document(conversation=f'"conversationId":"{"i" * (size // 2)}","transcripts":[{lines}]')


def _spread(size: int) -> str:
    conversations = _counted('{{"conversationId":"{}"}}', size // 2)
    return _document(f',"new":"{"x" * (size // 2)}"', engagements=conversations)


def _visitor(size: int) -> str:
    conversations = _counted('{{"conversationId":"{}"}}', size // 2)
    return _document(f',"header":{{"visitorId":"{"x" * (size // 2)}"}}', engagements=conversations)


BOMBS: Final[dict[str, Callable[[int], str]]] = {
    "fractions in an unknown field": _unknown(_list_of("0.5")),
    "different fractions": _unknown(lambda size: f"[{_counted('{}.25', size)}]"),
    "empty objects in an unknown field": _unknown(_list_of("{}")),
    "empty lists in an unknown field": _unknown(_list_of("[]")),
    "numbers in an unknown field": _unknown(_list_of("1")),
    "short texts in an unknown field": _unknown(_list_of('"a"')),
    "names in an unknown field": _unknown(lambda size: f"{{{_counted(chr(34) + '{}' + chr(34) + ':1', size)}}}"),
    "one name twice behind many": _unknown(lambda size: f'{{"a":1,{_counted(chr(34) + "{}" + chr(34) + ":1", size)},"a":2}}'),
    "escapes in an unknown field": _unknown(lambda size: '"' + _repeated("\\u00e9", size) + '"'),
    "a long number": _unknown(lambda size: "1" * size),
    "starts of documents, one in the other": lambda size: _repeated('{"dataType":', size),
    "starts, a line each": lambda size: _repeated('{"dataType":\n', size),
    "starts, a line each, indented": lambda size: _repeated(' {"dataType":\n', size),
    "starts and documents in turn": lambda size: _repeated('{"dataType":' + _document() + ',"x":', size),
    "starts and documents in turn, a line each": lambda size: _repeated(' {"dataType":\n' + _document() + ',"x":\n', size),
    "closed starts, one in the other": lambda size: _repeated('{"dataType":', size // 2) + "}" * (size // 24),
    "open brackets": lambda size: "[" * size,
    "open brackets, a line each": lambda size: _repeated("[\n", size),
    "open texts": lambda size: _repeated('{"', size),
    "open texts, a line each": lambda size: _repeated('{"\n', size),
    "byte order marks": lambda size: "{}" + _repeated("\ufeff", size) + "{}",
    "blank lines in a document": lambda size: '{"dataType":"Engagement",' + "\n" * size + '"recordCollection":[]}',
    "records that are none": lambda size: '{"dataType":"Engagement","recordCollection":' + _list_of("1")(size) + "}",
    "conversations that are none": lambda size: _document(engagements=_list_of("1")(size)[1:-1]),
    "empty lines of a transcript": lambda size: _document(
        conversation=f'"conversationId":"c1","transcripts":{_list_of("{}")(size)}'
    ),
    "a long id and many lines": _ids,
    "a field above many conversations": _spread,
    "a long visitor above many conversations": _visitor,
    "unknown fields above empty records": lambda size: (
        '{"dataType":"Engagement",' + _counted('"n{}":1', size // 2) + ',"recordCollection":' + _list_of("{}")(size // 2) + "}"
    ),
    "documents on one line": lambda size: _repeated(_document(), size),
}
"""A text of about so many characters, by its title."""


def main() -> None:
    """Load each and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=30, help="text of each [30]")
    parser.add_argument("--only", default="", help="titles that hold this")
    options = parser.parse_args()
    print("| file | gz, kB | text, MB | s | peak, MB | x text | exit |\n| --- | --- | --- | --- | --- | --- | --- |")
    usual = _measure("a small document", _document().encode())
    for title, bomb in BOMBS.items():
        if options.only in title:
            _measure(title, bomb(options.megabytes * MB).encode(), usual)


def _measure(title: str, text: bytes, usual: float | None = None) -> float:
    """Load a text, print its cost, and return the peak in MB."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / NAME
        path.write_bytes(gzip.compress(text + b"\n"))
        command = [sys.executable, __file__, "--child", str(path), f"{folder}/lake"]
        found = json.loads(run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])  # noqa: S603  # ourselves
        took, peak, code = found["seconds"], found["peak"], found["code"]
        packed = path.stat().st_size / 1000
    size = len(text) / MB
    times = "" if usual is None else f"{(peak - usual) / size:.1f}"
    print(f"| {title} | {packed:,.0f} | {size:.1f} | {took:.1f} | {peak:,.0f} | {times} | {code} |", flush=True)
    return float(peak)


def _load(path: str, lake: str) -> None:
    """Load a file in a child process, and return its cost."""
    start = time.monotonic()
    command = [sys.executable, "-c", "from pipeline.cli.commands import main; main()", "load", path, "--lake", lake]
    done = run(command, capture_output=True, check=False, env=os.environ | {"PYTHONHASHSEED": "0"})  # noqa: S603
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(json.dumps({"seconds": time.monotonic() - start, "peak": peak, "code": done.returncode}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        _load(*sys.argv[2:])
    else:
        main()
