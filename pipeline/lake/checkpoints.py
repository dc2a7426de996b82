"""Checkpoints of the tables' logs: each sums up the commits before it, so that readers need not read all of them.

Where the newest one is damaged, or `_last_checkpoint` names one that isn't there, no reader of the format goes back to the
commits by itself. As long as the commits are there, the damaged files can go: the tables are whole without them, and get new
checkpoints in time.
"""

import json
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import schema
from pipeline.lake.lake import Lake
from pipeline.lake.place import versions_of

_POINTER: Final = "_last_checkpoint"


def damaged(lake: Lake, table: str) -> dict[str, str]:
    """The damaged checkpoints of a table, and `_last_checkpoint` if it names one of them or none: reasons by path."""
    sizes = lake.sizes_below(table, "_delta_log")
    _, checkpoints = versions_of(sizes)
    found = {path: problem for path in checkpoints.values() if (problem := _problem(lake, path))}
    pointer = lake.path(table, "_delta_log", _POINTER)
    named = _named(lake, pointer) if pointer in sizes else None
    if named is not None and checkpoints.get(named, pointer) in {pointer, *found}:
        found[pointer] = f"names the checkpoint of version {named}, which is gone or damaged"
    return found


def is_needless(lake: Lake, table: str, found: dict[str, str]) -> bool:
    """Whether all commits since a checkpoint that can be read, or since the first one, are there and hold something."""
    sizes = lake.sizes_below(table, "_delta_log")
    commits, checkpoints = versions_of(sizes)
    usable = [version for version, path in checkpoints.items() if path not in found]
    newest = max(commits, default=0)
    return any(all(sizes.get(commits.get(version, "")) for version in range(base + 1, newest + 1)) for base in (-1, *usable))


def drop_damaged(lake: Lake) -> None:
    """Delete damaged checkpoints where the commits hold the same; the caller holds `writing`."""
    for table in schema.STORED:
        found = damaged(lake, table)
        if found and is_needless(lake, table, found):
            for path in sorted(
                found, key=lambda path: not path.endswith(_POINTER)
            ):  # first `_last_checkpoint`, which names another
                lake.files.rm_file(lake.store.inside(path))


def has_torn(lake: Lake) -> bool:
    """Whether a newest checkpoint in a folder can't be read or is gone, as a power cut leaves it; older ones are not read."""
    for table in schema.STORED:
        log = Path(lake.path(table, "_delta_log"))
        newest = max(log.glob("*.checkpoint.parquet"), default=None)
        with suppress(FileNotFoundError, NotADirectoryError):
            named = _named(lake, str(log / _POINTER))
            if named is not None and not (log / f"{named:020}.checkpoint.parquet").exists():
                return True
        if newest is not None and _problem(lake, str(newest)):
            return True
    return False


def _named(lake: Lake, pointer: str) -> int | None:
    """The version of the newest checkpoint by `_last_checkpoint`; None where that is illegible: readers then ignore it."""
    with suppress(ValueError, TypeError, KeyError):
        return int(json.loads(lake.files.cat_file(pointer))["version"])
    return None


def _problem(lake: Lake, path: str) -> str | None:
    """The damage of a checkpoint; None if it can be read."""
    try:
        contents = lake.files.cat_file(path)
        if contents and path.endswith(".parquet"):
            pq.ParquetFile(BytesIO(contents)).read(use_threads=False)
    except FileNotFoundError:
        return "is gone"
    except (OSError, pa.ArrowException) as error:
        return f"can't be read ({' '.join(str(error).split())})"
    return None if contents else "is empty, as a broken disk leaves it"
