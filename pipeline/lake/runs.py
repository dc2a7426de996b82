"""Runs: a record of each command that writes, as lines of JSON in `runs/`, kept beside what commits say.

A run that fails makes no commit, so its record is a file of its own: written as it begins, without an end, and written anew as
it ends. A killed run leaves the first. The record has counts and times, and nothing of the source's data. Once there are many
files, those of ended runs become one: a line is never changed then, so that no other run is needed to do it.
"""

import errno
import glob
import json
import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from pipeline.lake.file_systems import exists, found_below, modified
from pipeline.lake.formats import FORMAT, NEWEST, unpacked_format
from pipeline.lake.lake import Lake
from pipeline.lake.snapshot import LEDGER

FOLDER: Final = "runs"
_NONE: Final = "none.run"
"""A file without runs: DuckDB refuses a pattern that no file fits. A record on a full disk takes the room of its blanks."""
_RESERVE: Final = b" " * (256 << 10) + b"\n"
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_MOST_FILES: Final = 24  # of single runs: a view opens each
_HALF: Final = ".new"
_LEFT_BEHIND: Final = timedelta(days=1)

Row = Mapping[str, Any]


def pattern_of(lake: Lake) -> str:
    """The files of all runs, as DuckDB finds them."""
    return f"{glob.escape(lake.uri)}/{FOLDER}/*.run"


def has_runs(lake: Lake) -> bool:
    """Whether there is a file that the pattern fits."""
    with suppress(NotADirectoryError):
        return exists(lake.files, lake.path(FOLDER, _NONE))
    return False


def make_folder(lake: Lake) -> None:
    """Make the folder, with a file that the pattern fits, unless it is there."""
    if not has_runs(lake):
        lake.store.make_folder(lake.path(FOLDER))
        lake.files.pipe_file(lake.path(FOLDER, _NONE), _RESERVE if lake.is_local else b"")


def record(lake: Lake, begin: datetime, run_id: str, rows: Iterable[Row], *, is_last: bool) -> None:
    """Write the rows of a run in the place of those that it had.

    A place without a lake gets none, so that none is made there, and no lake of a newer version, which is left alone.
    On a full disk the last rows take the room of the blanks; at the begin the run itself would use it up.

    Raises:
        OSError: they can't be written.
        LakeError: a link leads elsewhere; nothing was written.
    """
    if not exists(lake.files, lake.path(LEDGER)) or _is_newer(lake.log_entry(LEDGER, lake.newest_version(LEDGER) or 0)):
        return
    make_folder(lake)
    path = lake.path(FOLDER, f"{begin:%Y%m%dT%H%M%SZ}-{run_id}.run")
    write = partial(lake.store.write_whole, lake.store.inside(path), _lines(rows), beside=f"{path}{_HALF}")
    try:
        write()
    except OSError as error:
        if error.errno not in _FULL or not is_last:
            raise
        lake.files.pipe_file(lake.path(FOLDER, _NONE), b"")
        write()
    if is_last:
        merge(lake)


def _is_newer(entry: bytes) -> bool:
    """Whether an entry of the ledger's log is of a newer version of this program."""
    with suppress(ValueError, KeyError, TypeError):
        [commit] = [action["commitInfo"] for line in entry.splitlines() if "commitInfo" in (action := json.loads(line))]
        return unpacked_format(commit.get(FORMAT)).number > NEWEST
    return False  # none of ours: the run itself says what it is


def merge(lake: Lake) -> None:
    """Put the files of ended runs into one, if there are many; the lines of a run that dies meanwhile are there twice.

    A run that has not ended may write its file again, so that this one leaves it alone. What a killed run left half written
    goes after a day. The room that a full disk was given comes back.
    """
    found = found_below(lake.files, lake.path(FOLDER))
    reserve = lake.path(FOLDER, _NONE)
    if lake.is_local and reserve in found and found[reserve]["size"] < len(_RESERVE):
        with suppress(OSError):  # it is full yet
            lake.files.pipe_file(reserve, _RESERVE)
    lake.store.remove(path for path, info in found.items() if path.endswith(_HALF) and _age(info) > _LEFT_BEHIND)
    paths = [path for path in found if path.endswith(".run") and not path.endswith(f"/{_NONE}")]
    if len(paths) <= _MOST_FILES:
        return
    texts = dict(zip(paths, lake.store.map(lake.files.cat_file, paths), strict=True))
    ended = {path: text for path, text in texts.items() if _has_ended(text)}
    if len(ended) > 1:
        path = lake.path(FOLDER, f"{uuid.uuid4().hex}.run")
        lines = dict.fromkeys(line for text in ended.values() for line in text.splitlines(keepends=True))
        lake.store.write_whole(lake.store.inside(path), b"".join(lines), beside=f"{path}{_HALF}")
        lake.store.remove(ended)


def _lines(rows: Iterable[Row]) -> bytes:
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


def _age(info: dict[str, Any]) -> timedelta:
    now = datetime.now(UTC)
    return now - (modified(info) or now)


def _has_ended(text: bytes) -> bool:
    """Whether every line is of a run that has ended; a damaged line, which a broken disk leaves, is of none."""
    try:
        rows = [json.loads(line) for line in text.splitlines()]
        return all(row["ended_at"] is not None for row in rows)
    except (ValueError, KeyError, TypeError):
        return False
