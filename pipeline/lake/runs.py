"""Runs: a record of each command that writes, as lines of JSON in `runs/`, kept beside what commits say.

A run that fails makes no commit, so its record is a file of its own: written as it begins, without an end, and written anew as
it ends. A killed run leaves the first. The record has counts and times, and nothing of the source's data. Once there are many
files, those of ended runs become one of Parquet: no row changes any more then.
"""

import glob
import json
import os
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from pipeline.errors import FULL_DISK, LakeError
from pipeline.lake.file_systems import exists, found_below, modified
from pipeline.lake.formats import FORMAT, NEWEST, unpacked_format
from pipeline.lake.lake import Lake
from pipeline.lake.snapshot import LEDGER
from pipeline.schema import RUNS

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER: Final = "runs"
_SINGLE: Final = ".run"
_MERGED: Final = ".parquet"
_NONE: Final = f"none{_SINGLE}"
"""A file without runs: DuckDB refuses a pattern that no file fits. A record on a full disk takes the room of its blanks."""
_RESERVE: Final = b" " * (256 << 10) + b"\n"
_MOST_FILES: Final = 24  # of each kind: a view opens all
_HALF: Final = ".new"
_LEFT_BEHIND: Final = timedelta(days=1)

Row = Mapping[str, Any]


def pattern_of(lake: Lake) -> str:
    """The files of all runs, as DuckDB finds them, without their two endings."""
    return f"{glob.escape(lake.uri)}/{FOLDER}/*"


def has_runs(lake: Lake) -> bool:
    """Whether there are files that the pattern fits, and this user may see them."""
    with suppress(OSError):
        return all(exists(lake.files, lake.path(FOLDER, f"none{ending}")) for ending in (_SINGLE, _MERGED))
    return False


def make_folder(lake: Lake) -> None:
    """Make the folder, with files that the pattern fits, unless they are there."""
    if not has_runs(lake):
        lake.store.make_folder(lake.path(FOLDER))
        _put(lake, lake.path(FOLDER, f"none{_MERGED}"), _packed())
        _write_none(lake, _RESERVE)


def record(lake: Lake, begin: datetime, run_id: str, rows: Iterable[Row], *, is_last: bool) -> bool:
    """Write the first rows of a run as `again` does; says whether there is a lake for them.

    A place without a lake gets none, so that none is made there, and no lake of a newer version, which is left alone.
    """
    if not exists(lake.files, lake.path(LEDGER)) or _is_newer(lake.log_entry(LEDGER, lake.newest_version(LEDGER) or 0)):
        return False
    make_folder(lake)
    return again(lake, begin, run_id, rows, is_last=is_last)


def again(lake: Lake, begin: datetime, run_id: str, rows: Iterable[Row], *, is_last: bool) -> bool:
    """Write the rows of a run in the place of those that it has; true.

    On a full disk the last rows take the room of the blanks; at the begin the run itself would use it up.

    Raises:
        OSError: they can't be written.
        LakeError: a link leads elsewhere; nothing was written.
    """
    path = lake.path(FOLDER, f"{begin:%Y%m%dT%H%M%SZ}-{run_id}{_SINGLE}")
    try:
        _put(lake, path, _lines(rows))
    except OSError as error:
        if error.errno not in FULL_DISK or not is_last:
            raise
        _write_none(lake, b"")
        _put(lake, path, _lines(rows))
    if is_last:
        with suppress(OSError, LakeError):  # in a bucket another run may merge at the same time, and the next run does it, too
            merge(lake)
    return True


def _is_newer(entry: bytes) -> bool:
    """Whether an entry of the ledger's log is of a newer version of this program."""
    with suppress(ValueError, KeyError, TypeError):
        [commit] = [action["commitInfo"] for line in entry.splitlines() if "commitInfo" in (action := json.loads(line))]
        return unpacked_format(commit.get(FORMAT)).number > NEWEST
    return False  # none of ours: the run itself says what it is


def merge(lake: Lake) -> None:
    """Put the files of ended runs into a Parquet file, if there are many, and many of these into one.

    A run that has not ended may write its file again, so that this one leaves it alone. What a killed run left half written
    goes after a day. The room that a full disk was given comes back. Rows of a merge that dies are there twice, and the view
    shows them once.
    """
    found = found_below(lake.files, lake.path(FOLDER))
    reserve = lake.path(FOLDER, _NONE)
    if lake.is_local and reserve in found and found[reserve]["size"] < len(_RESERVE):
        with suppress(OSError):  # it is full yet
            _write_none(lake, _RESERVE)
    lake.store.remove(path for path, info in found.items() if path.endswith(_HALF) and _age(info) > _LEFT_BEHIND)
    for ending, read in ((_SINGLE, _rows_of_run), (_MERGED, _rows_of_merged)):
        paths = [path for path in found if path.endswith(ending) and not path.endswith(f"/none{ending}")]
        if len(paths) > _MOST_FILES:
            _merge(lake, _contents(lake, {path: found[path] for path in paths}), read)


def unreadable(lake: Lake) -> list[str]:
    """The paths of files of runs that can't be read, and hold a query of runs up or lack rows in it."""
    return [
        path for path, content in _contents(lake, found_below(lake.files, lake.path(FOLDER))).items() if _is_bad(path, content)
    ]


def _contents(lake: Lake, found: Mapping[str, Mapping[str, Any]]) -> dict[str, bytes | None]:
    """What is in files, by their paths; None for what can't be read, as a pipe, from which nothing may ever come."""

    def read(path: str) -> bytes | None:
        if found[path]["type"] != "file":
            return None
        with suppress(OSError):
            content: bytes = lake.files.cat_file(path)
            return content
        return None

    return dict(zip(found, lake.store.map(read, found), strict=True))


def _is_bad(path: str, content: bytes | None) -> bool:
    if content is None:
        return path.endswith((_SINGLE, _MERGED))
    if path.endswith(_MERGED):
        return _unpacked(content) is None
    with suppress(ValueError):
        return path.endswith(_SINGLE) and not all(
            isinstance(json.loads(line), dict) for line in content.splitlines() if line.strip()
        )
    return True


def _merge(lake: Lake, contents: Mapping[str, bytes | None], read: "Callable[[bytes], pa.Table | None]") -> None:
    """Put the rows of files into a new one; a file of which nothing can be read, or of a run that goes on, stays."""
    import pyarrow as pa

    tables = {path: rows for path, content in contents.items() if content is not None and (rows := read(content)) is not None}
    if len(tables) > 1:
        _put(lake, lake.path(FOLDER, f"{uuid.uuid4().hex}{_MERGED}"), _packed(pa.concat_tables(tables.values())))
        lake.store.remove(tables)


def _rows_of_run(content: bytes) -> "pa.Table | None":
    """The rows of a run; None if it has not ended, or a line can't be read, which a broken disk may leave."""
    from pipeline.lake.parquet import rows_of

    with suppress(ValueError, KeyError, TypeError, AttributeError):  # ArrowInvalid is a ValueError
        rows = [json.loads(line) for line in content.splitlines()]
        moments = [{name: datetime.fromisoformat(row[name]) for name in ("began_at", "ended_at")} for row in rows]
        return rows_of([row | times for row, times in zip(rows, moments, strict=True)], RUNS)
    return None


def _rows_of_merged(content: bytes) -> "pa.Table | None":
    """The rows of a merged file; None if it is damaged, or has columns of a newer version."""
    import pyarrow as pa

    rows = _unpacked(content)
    if rows is None or {*rows.column_names} - {*RUNS.file_schema.names}:
        return None
    return pa.concat_tables([RUNS.file_schema.empty_table(), rows], promote_options="default")


def _unpacked(content: bytes) -> "pa.Table | None":
    import pyarrow as pa

    from pipeline.lake.parquet import unpacked

    with suppress(OSError, pa.ArrowException):
        return unpacked(pa.BufferReader(content))
    return None


def _packed(rows: "pa.Table | None" = None) -> bytes:
    from pipeline.lake.parquet import packed, rows_of

    return bytes(packed(rows_of([], RUNS) if rows is None else rows, is_compressed=True))


def _put(lake: Lake, path: str, contents: bytes) -> None:
    """Write a file, whole or not at all."""
    lake.store.write_whole(lake.store.inside(path), contents, beside=f"{path}{_HALF}")


def _write_none(lake: Lake, blanks: bytes) -> None:
    """Write the file without runs in its place, as a full disk takes it, but not behind a link; that of a bucket is empty."""
    path = lake.path(FOLDER, _NONE)
    if not lake.is_local:
        lake.files.pipe_file(path, b"")
        return
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as out:
        out.write(blanks)


def _lines(rows: Iterable[Row]) -> bytes:
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


def _age(info: dict[str, Any]) -> timedelta:
    now = datetime.now(UTC)
    return now - (modified(info) or now)
