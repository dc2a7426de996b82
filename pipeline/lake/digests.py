"""Parquet files of a lake read as they were written, or not at all.

The digest in a file's name, which the commit knows, tells of the whole file, and checksums tell of the pages that Arrow wrote.
DuckDB neither writes such checksums nor looks at them: of what it reads `verify` alone tells.
"""

from collections.abc import Iterable
from hashlib import sha256
from io import BytesIO

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import DamagedError
from pipeline.lake.file_systems import digest_of
from pipeline.lake.lake import Lake
from pipeline.lake.parquet import unpacked
from pipeline.lake.snapshot import DataFile
from pipeline.lake.store_errors import tidied


def read_file(lake: Lake, table: str, file: DataFile) -> pa.Table:
    """All rows of a Parquet file, held against its digest.

    Raises:
        DamagedError: it is not what was written.
    """
    contents = lake.files.cat_file(lake.path(table, file.path))
    _require_digest(lake, table, file, sha256(contents).hexdigest())
    return unpacked(BytesIO(contents))


def read_part(
    lake: Lake, table: str, file: DataFile, *, columns: list[str] | None = None, where: pc.Expression | None = None
) -> pa.Table:
    """Some columns or rows of a Parquet file: no more is read than that takes, held against the checksums of its pages.

    Raises:
        DamagedError: it is not what was written.
    """
    with lake.files.open(lake.path(table, file.path), "rb") as stored:
        try:
            return unpacked(stored, columns=columns, where=where)
        except (OSError, pa.ArrowException) as error:
            if isinstance(error, OSError) and error.errno is not None:  # of the disk or the store, not of Parquet
                raise
            raise _changed(lake, table, file, tidied(error)) from error


def require_same(lake: Lake, table: str, files: Iterable[DataFile]) -> None:
    """Hold files against their digests before their rows are written anew; a store does so by itself for what it keeps.

    Raises:
        DamagedError: one is not what was written; what is written anew of it would get a digest that looks right.
    """
    for file in files if lake.store.may_damage else ():
        _require_digest(lake, table, file, digest_of(lake.files, lake.path(table, file.path)))


def _require_digest(lake: Lake, table: str, file: DataFile, found: str) -> None:
    if not file.has_digest(found):
        raise _changed(lake, table, file, "its digest is another")


def _changed(lake: Lake, table: str, file: DataFile, found: str) -> DamagedError:
    where = lake.path(table, file.path)
    message = f"{where}: is not what was written ({found}), and nothing is built on it"
    return DamagedError(message, "lakehouse verify --read-data")
