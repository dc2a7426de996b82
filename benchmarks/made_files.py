"""Make the source files of the benchmarks with the sandbox's generator: the same bytes in every run, kept in a folder.

They are of one account with bare `metaData` and `recordCollection`, so that one explicit type describes all documents: the
other engines need that, ours does not.
"""

import json
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from shutil import rmtree

from isal import igzip

import pipeline.sandbox
from pipeline.sandbox import Account, file_bytes, hour_file_names

DEFAULT_FOLDER = Path(tempfile.gettempdir()) / "engagement-lakehouse-benchmark"
ACCOUNT = Account("75555851", conversations_per_day=5_050, opens=4, closes=24, sessions_per_part=1_000_000, tagged=False)
FIRST_HOUR = datetime(2026, 3, 2, tzinfo=UTC)
FILES = 8 * 24
DAYS = 9  # one more than 192 files need: in a quiet night an hour without a session has no file
SMALL_ACCOUNT = Account("20348697", conversations_per_day=240, opens=4, closes=24, sessions_per_part=1_000_000)
YEARS_FIRST_HOUR = datetime(2023, 3, 6, tzinfo=UTC)
YEARS_FILES = 25_000
YEARS_DAYS = 1_350
BIG_BYTES = 2_000_000_000
SMALL_FILES = 10_000
ODD_EVERY = 100
_HOUR_MS = 3_600_000
_GZIP = 31
_ID = b'"conversationId":{"string":"'


@dataclass(frozen=True)
class FileSet:
    """A folder of source files: their number and bytes, and the bytes and lines (documents) of JSON in them."""

    folder: Path
    files: int
    gz_bytes: int
    raw_bytes: int
    lines: int

    @property
    def paths(self) -> list[Path]:
        """Return the files, in order."""
        return sorted(self.folder.glob("*.gz"))

    @property
    def tables(self) -> Path:
        """Return the folder of the three tables of the files."""
        return self.folder.with_name(f"{self.folder.name}-tables")

    def warm(self) -> None:
        """Read the files into the page cache."""
        for path in self.paths:
            path.read_bytes()


def clean_set(data: Path, *, files: int = FILES) -> FileSet:
    """Return the 192 hourly files, or `files` of them, spread evenly."""
    whole = _kept(data, "clean", _write_clean)
    if files >= whole.files:
        return whole

    def link(folder: Path) -> None:
        for path in whole.paths[:: whole.files // files][:files]:
            os.link(path, folder / path.name)

    return _kept(data, f"clean-{files}", link)


def odd_set(data: Path) -> FileSet:
    """Return the clean set with each hundredth line changed: an unknown field, a drifted tag, a bare value, garbage in turn."""
    clean = clean_set(data)

    def write(folder: Path) -> None:
        number = 0
        for path in clean.paths:
            lines = _lines(path)
            for place in range(len(lines)):
                number += 1
                if number % ODD_EVERY == 0:
                    lines[place] = _odd(lines[place], kind=number // ODD_EVERY % 4)
            _pack(folder / path.name, lines)

    return _kept(data, "odd", write)


def grown_set(data: Path) -> FileSet:
    """Return the clean set with a new field in each conversation and line, and one in the vendor's other spelling."""
    clean = clean_set(data)

    def write(folder: Path) -> None:
        for path in clean.paths:
            _pack(folder / path.name, [_grown(line) for line in _lines(path)])

    return _kept(data, "grown", write)


def big_set(data: Path, *, bad_line: bool, raw_bytes: int = BIG_BYTES) -> FileSet:
    """Return one file of 2 GB of JSON, with or without one bad line in its middle."""
    clean = clean_set(data)

    def write(folder: Path) -> None:
        _pack(folder / clean.paths[0].name, _big_lines(clean, raw_bytes, bad_line=bad_line))

    return _kept(data, f"big-{raw_bytes // 1_000_000}-{'one-bad' if bad_line else 'clean'}", write)


def small_set(data: Path) -> FileSet:
    """Return the documents of the clean set, spread evenly over 10,000 files."""
    clean = clean_set(data)

    def write(folder: Path) -> None:
        lines = [line for path in clean.paths for line in _lines(path)]
        start = int(FIRST_HOUR.timestamp()) * 1000
        per_hour = -(-SMALL_FILES // FILES)
        for number in range(SMALL_FILES):
            hour, part = divmod(number, per_hour)
            begins = start + hour * _HOUR_MS
            name = f"Engagement.{begins}.{begins + _HOUR_MS}.part-{part:05d}-0.gz"
            first, last = (len(lines) * edge // SMALL_FILES for edge in (number, number + 1))
            _pack(folder / name, lines[first:last])

    return _kept(data, "small", write)


def years_set(data: Path) -> FileSet:
    """Return 25,000 hourly files of a small account, more than three years."""

    def write(folder: Path) -> None:
        days = (YEARS_FIRST_HOUR + timedelta(days=number) for number in range(YEARS_DAYS))
        with ProcessPoolExecutor() as pool:
            for _ in pool.map(write_day, [folder] * YEARS_DAYS, days, [SMALL_ACCOUNT] * YEARS_DAYS, chunksize=20):
                pass
        for path in sorted(folder.glob("*.gz"))[YEARS_FILES:]:
            path.unlink()

    return _kept(data, "years", write)


def _kept(data: Path, name: str, write: Callable[[Path], None]) -> FileSet:
    """Return the set of that name; make it if it is missing or comes from other code."""
    folder, facts, made_by = data / name, data / f"{name}.json", _generator()
    if facts.exists():
        known = json.loads(facts.read_text())
        if known.pop("made_by") == made_by:
            return FileSet(folder, **known)
    for outdated in (folder, FileSet(folder, 0, 0, 0, 0).tables):
        rmtree(outdated, ignore_errors=True)
    folder.mkdir(parents=True)
    write(folder)
    known = _counted(folder)
    facts.write_text(json.dumps(known | {"made_by": made_by}))
    return FileSet(folder, **known)


def _generator() -> str:
    """Return a digest of the code that makes the files."""
    sources = [Path(__file__), *sorted(Path(pipeline.sandbox.__file__).parent.glob("*.py"))]
    return sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


def _counted(folder: Path) -> dict[str, int]:
    paths = sorted(folder.glob("*.gz"))
    raw_bytes = lines = 0
    for path in paths:
        with igzip.open(path, "rb") as stored:
            while chunk := stored.read(1 << 24):
                raw_bytes += len(chunk)
                lines += chunk.count(b"\n")
    return {"files": len(paths), "gz_bytes": sum(path.stat().st_size for path in paths), "raw_bytes": raw_bytes, "lines": lines}


def _write_clean(folder: Path) -> None:
    days = [FIRST_HOUR + timedelta(days=number) for number in range(DAYS)]
    with ProcessPoolExecutor() as pool:
        for _ in pool.map(write_day, [folder] * DAYS, days):
            pass
    for path in sorted(folder.glob("*.gz"))[FILES:]:
        path.unlink()


def write_day(folder: Path, day: datetime, account: Account = ACCOUNT) -> None:
    """Write the source files of a day of an account."""
    for hour in range(24):
        for name in hour_file_names(account, day + timedelta(hours=hour)):
            (folder / name).write_bytes(file_bytes(account, name))


def _lines(path: Path) -> list[bytes]:
    text: bytes = igzip.decompress(path.read_bytes())
    return text.splitlines(keepends=True)


def _pack(path: Path, lines: list[bytes] | Iterator[bytes]) -> None:
    packer = zlib.compressobj(6, wbits=_GZIP)
    with path.open("wb") as out:
        for line in lines:
            out.write(packer.compress(line))
        out.write(packer.flush())


def _odd(line: bytes, *, kind: int) -> bytes:
    match kind:
        case 0:
            record = b'{"com.liveperson.dataaccess.Conversation":{'
            return line.replace(record, record + b'"sentiment":{"string":"calm"},', 1)
        case 1:
            before, after = line.split(b'"skillId":{"long":', 1)
            number, rest = after.split(b"}", 1)
            return before + b'"skillId":{"string":"' + number + b'"}' + rest
        case 2:
            before, after = line.split(_ID, 1)
            number, rest = after.split(b"}", 1)
            return before + b'"conversationId":"' + number + rest
        case _:
            return _garbage(line)


def _grown(line: bytes) -> bytes:
    record = b'{"com.liveperson.dataaccess.Conversation":{'
    line = line.replace(record, record + b'"sentiment":{"string":"calm"},')
    line = line.replace(b'{"text":', b'{"language":{"string":"en"},"text":')
    return line.replace(b'"skillId":', b'"skillID":')


def _garbage(line: bytes) -> bytes:
    return line[: len(line) // 2] + b"\n"


def _big_lines(clean: FileSet, raw_bytes: int, *, bad_line: bool) -> Iterator[bytes]:
    """Yield the clean documents again and again, each time with other conversation ids."""
    done, turn, is_bad_due = 0, 0, bad_line
    while done < raw_bytes:
        turn += 1
        for path in clean.paths:
            for line in _lines(path):
                renamed = line.replace(_ID, _ID + b"%d-" % turn)
                if is_bad_due and done > raw_bytes // 2:
                    renamed, is_bad_due = _garbage(renamed), False
                done += len(renamed)
                yield renamed
                if done >= raw_bytes:
                    return
