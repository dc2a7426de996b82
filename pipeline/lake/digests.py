"""Check digests of Parquet files: a file is read as it was written, or not at all.

The digest in a file's name, which the commit knows, covers the whole file; checksums cover the pages that Arrow wrote.
DuckDB neither writes such checksums nor checks them: only `verify` finds damage in the files that DuckDB reads.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from io import BytesIO
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import DamagedError
from pipeline.lake.file_systems import digest_of
from pipeline.lake.lake import Lake
from pipeline.lake.parquet import unpacked
from pipeline.lake.snapshot import DataFile
from pipeline.lake.store_errors import tidied

_THREADS: Final = 2


def read_file(lake: Lake, table: str, file: DataFile) -> pa.Table:
    """Read all rows of a Parquet file, and check its digest.

    Raises:
        DamagedError: it differs from the file that was written.
    """
    contents = lake.files.cat_file(lake.path(table, file.path))
    _require_digest(lake, table, file, sha256(contents).hexdigest())
    return unpacked(BytesIO(contents))


def read_part(
    lake: Lake, table: str, file: DataFile, *, columns: list[str] | None = None, where: pc.Expression | None = None
) -> pa.Table:
    """Read some columns or rows of a Parquet file, and no more than these take; check the checksums of its pages.

    Raises:
        DamagedError: it differs from the file that was written.
    """
    with lake.files.open(lake.path(table, file.path), "rb") as stored:
        try:
            return unpacked(stored, columns=columns, where=where)
        except (OSError, pa.ArrowException) as error:
            if isinstance(error, OSError) and error.errno is not None:  # of the disk or the store, not of Parquet
                raise
            raise _changed(lake, table, file, tidied(error)) from error


def require_same(lake: Lake, table: str, files: Iterable[DataFile]) -> None:
    """Check files against their digests before their rows are written anew; a bucket's store checks its own objects.

    Raises:
        DamagedError: a file differs from its digest; a file made of it would get a digest that looks right.
    """
    if lake.store.may_damage:
        checked = list(files)
        with ThreadPoolExecutor(_THREADS) as pool:  # as fast as the disk: hashing holds no lock
            found = pool.map(lambda file: digest_of(lake.files, lake.path(table, file.path)), checked)
            for file, digest in zip(checked, found, strict=True):
                _require_digest(lake, table, file, digest)


def _require_digest(lake: Lake, table: str, file: DataFile, found: str) -> None:
    if not file.has_digest(found):
        raise _changed(lake, table, file, "its digest is another")


def _changed(lake: Lake, table: str, file: DataFile, found: str) -> DamagedError:
    where = lake.path(table, file.path)
    message = f"{where}: is not as it was written ({found}), and no other file was made from it"
    return DamagedError(message, "lakehouse verify --read-data")
