"""The landing zone: every source file, kept as it was served, whole or not at all.

A file lies at `landing/<day of its scope start>/<start of its digest>/<name>`: other contents under the same name never
overwrite what is there, and a load that dies leaves nothing wrong behind.
"""

import hashlib
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from pipeline.lake.file_systems import digest_of
from pipeline.lake.lake import Lake
from pipeline.source_files import Staged, scope_of

_COPY_BYTES = 1 << 20
SCHEMAS = "schema"
"""The folder of the landing zone that has the accounts' own Avro schemas, and no source file."""
PUBLISHING = ".publish-"
"""The prefix of folders in which a DuckDB file is made, or to which DuckDB spills."""


class _Digesting:
    """A file open for writing that counts and digests its bytes."""

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
    lake.store.make_folder(path.rpartition("/")[0])
    try:
        with lake.files.open(path, "wb") as out:
            yield path, out
    except BaseException:
        if lake.files.exists(path):
            lake.files.rm_file(path)
        raise


def clear_staging(lake: Lake) -> None:
    """Delete files that a dead run has staged, or begun as a DuckDB file; in a bucket, where no lock tells dead runs, old ones.

    Raises:
        LakeError: a link leads elsewhere; nothing behind it was deleted.
    """
    lake.store.clear_left_behind(lake.path("landing", ".incoming"), PUBLISHING)


def digest(lake: Lake, path: str) -> Staged:
    """Size and digest of a file that has been written into the lake."""
    return Staged(path, lake.files.size(path), digest_of(lake.files, path))


def keep(lake: Lake, staged: Staged, target: str) -> None:
    """Give a staged file its place, whole or not at all; a file that is there is replaced. In a bucket a copy stays staged."""
    lake.store.put(staged.path, target)


def put_back(lake: Lake, staged: Staged, target: str) -> None:
    """Replace a landed file by a staged one; in a folder it keeps its time, by which a rebuild knows the newest contents."""
    lake.store.copy_time(target, staged.path)
    keep(lake, staged, target)
    drop(lake, [staged])


def renew(lake: Lake, paths: Iterable[str]) -> None:
    """Make landed files in a bucket the newest of their names: by that a rebuild knows which contents stand."""
    lake.store.renew(paths, beside=lake.path("landing", ".incoming", uuid.uuid4().hex))


def drop(lake: Lake, staged: Iterable[Staged]) -> None:
    """Delete those of these files that are still staged; files at their places stay."""
    incoming = lake.path("landing", ".incoming/")
    lake.store.remove(file.path for file in staged if file.path.startswith(incoming))
