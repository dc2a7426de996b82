"""The landing zone: every source file, kept as it was served, whole or not at all.

A file lies at `landing/<day of its scope start>/<start of its digest>/<name>`: other contents under the same name never
overwrite what is there, and a load that dies leaves nothing wrong behind.
"""

import hashlib
import os
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from pipeline.lake.lake import Lake
from pipeline.lake.store import digest_of, modified
from pipeline.source_files import Staged, scope_of

_COPY_BYTES = 1 << 20
_LEFT_BEHIND = timedelta(days=1)
SCHEMAS = "schema"
"""The folder of the landing zone that has the accounts' own Avro schemas, and no source file."""
_SECONDS_APART = 1  # a store tells times of files in seconds
PUBLISHING = ".publish-"
"""How the folder is called in which a DuckDB file is made, or to which DuckDB moves what finds no room in memory."""


class _Digesting:
    """A file open for writing that counts and digests what goes into it; `truncate(0)` and `seek(0)` start it anew."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._digest = hashlib.sha256()
        self.bytes = 0

    def write(self, chunk: bytes) -> int:
        self._digest.update(chunk)
        self.bytes += len(chunk)
        return self._out.write(chunk)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def landed_path(lake: Lake, name: str, sha256: str) -> str:
    """Where the file of that name and digest is kept."""
    start, _ = scope_of(name)
    return lake.path("landing", "undated" if start is None else f"{start:%Y-%m-%d}", sha256[:16], name)


def landed_files(lake: Lake) -> dict[str, int]:
    """Every source file of the landing zone by its path, with its size in bytes; those still coming in aside."""
    others = (lake.path("landing", ".incoming/"), lake.path("landing", f"{SCHEMAS}/"))
    return {path: size for path, size in lake.sizes_below("landing").items() if not path.startswith(others)}


def stage(lake: Lake, source: BinaryIO) -> Staged:
    """Copy a stream into the lake, beside the landing zone's files."""
    with staging(lake) as (path, out):
        digesting = _Digesting(out)
        while chunk := source.read(_COPY_BYTES):
            digesting.write(chunk)
    return Staged(path, digesting.bytes, digesting.sha256)


@contextmanager
def staging(lake: Lake) -> Iterator[tuple[str, BinaryIO]]:
    """A new file in the lake to write an incoming file to; it is gone again if the block fails."""
    path = lake.path("landing", ".incoming", uuid.uuid4().hex)
    lake.make_folder(path.rpartition("/")[0])
    try:
        with lake.files.open(path, "wb") as out:
            yield path, out
    except BaseException:
        if lake.files.exists(path):
            lake.files.rm_file(path)
        raise


def clear_staging(lake: Lake) -> None:
    """Delete what a dead run left half copied, and that of its DuckDB file; where no lock tells who is dead, if it is old.

    Raises:
        LakeError: a link leads elsewhere; nothing behind it was deleted.
    """
    for folder in (lake.path("landing", ".incoming"), *([lake.root] if lake.is_local else [])):
        if lake.files.exists(folder):
            for entry in lake.files.ls(lake.inside(f"{folder}/"), detail=True):
                path = entry["name"]
                name = path.rpartition("/")[2]
                is_litter = folder != lake.root or name.startswith(PUBLISHING)
                now = datetime.now(UTC)
                if is_litter and lake.is_local and Path(path).is_symlink():
                    Path(path).unlink()
                elif is_litter and (lake.is_local or now - (modified(entry) or now) > _LEFT_BEHIND):
                    lake.files.rm(path, recursive=True)


def digest(lake: Lake, path: str) -> Staged:
    """Size and digest of a file that has been written into the lake."""
    return Staged(path, lake.files.size(path), digest_of(lake.files, path))


def keep(lake: Lake, staged: Staged, target: str) -> None:
    """Give a staged file its place, whole or not at all; a file that is there is replaced. In a store a copy stays staged."""
    if lake.is_local:
        lake.make_folder(target.rpartition("/")[0])
        lake.files.mv(staged.path, target)
    else:  # a copy appears whole
        lake.files.cp_file(staged.path, target)


def put_back(lake: Lake, staged: Staged, target: str) -> None:
    """Give what is left of a landed file the file's place and, in a folder, its time: by it a rebuild knows what came last."""
    if lake.is_local:
        former = Path(target).stat()
        os.utime(staged.path, ns=(former.st_atime_ns, former.st_mtime_ns))
    keep(lake, staged, target)
    drop(lake, [staged])


def renew(lake: Lake, paths: Iterable[str]) -> None:
    """Make landed files in a store the newest of their names: by that a rebuild knows which contents stand."""
    time.sleep(_SECONDS_APART)
    beside = lake.path("landing", ".incoming", uuid.uuid4().hex)
    for path in paths:  # no store copies a file onto itself
        lake.files.cp_file(path, beside)
        lake.files.cp_file(beside, path)
        lake.files.rm_file(beside)


def drop(lake: Lake, staged: Iterable[Staged]) -> None:
    """Delete what is still staged of these files; one that has its place is left there."""
    incoming = lake.path("landing", ".incoming/")
    paths = [file.path for file in staged if file.path.startswith(incoming)]
    if lake.is_local:
        for path in paths:
            Path(lake.inside(path)).unlink(missing_ok=True)
    elif paths:
        lake.files.rm(paths)
