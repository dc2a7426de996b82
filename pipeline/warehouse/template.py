"""The DuckDB file of no lake yet: every view and comment over empty Parquet files. Each load begins with a copy of it.

To bind the views takes longer than all else in a small load, so the file is kept, compressed, beside Python's own compiled
files. Where that folder can't be written, each process makes the file once.
"""

import contextlib
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.util import cache_from_source
from pathlib import Path
from typing import Final

import duckdb

from pipeline import schema
from pipeline.lake.formats import sql_folder
from pipeline.lake.landing import PUBLISHING
from pipeline.lake.sql import literal
from pipeline.processes import interruptible
from pipeline.warehouse import library, names, rules, table_views, time_zones, twins
from pipeline.warehouse.library import comment_columns, create_views
from pipeline.warehouse.table_views import create_table_views, create_view_of_runs, forget_files

_STORAGE_VERSION: Final = "v1.2.0"  # clients from 1.4 on open it; the default of DuckDB 2.0 they refuse
_DIGEST_BYTES: Final = 32  # the SHA-256 before the packed file: a foreign file is not taken for ours


@cache
def template() -> bytes:
    """Give the DuckDB file, with the default rules: the kept one, else a new one, which is kept."""
    try:
        path = Path(cache_from_source(__file__)).with_name(f"views-{digest(sql_folder())}.duckdb.z")
    except OSError:  # the package is imported from an archive
        return make_template()
    return kept_or_made(path, make_template)


def kept_or_made(path: Path, make: Callable[[], bytes]) -> bytes:
    """Read what is kept at a path; where it is missing or damaged, make it, and keep it if the folder can be written."""
    with suppress(OSError, zlib.error):  # not there, not readable, or cut short
        packed = path.read_bytes()
        kept = zlib.decompress(packed[_DIGEST_BYTES:])
        if sha256(kept).digest() == packed[:_DIGEST_BYTES]:
            return kept
    made = make()
    with suppress(OSError):
        _keep(sha256(made).digest() + zlib.compress(made, 1), path)
    return made


def make_template() -> bytes:
    """Make the DuckDB file from the library."""
    with tempfile.TemporaryDirectory(prefix=PUBLISHING) as folder:
        path = Path(folder) / "template.duckdb"
        with attached(interruptible(duckdb.connect()), path) as connection:
            create_table_views(connection, {table.name: [_empty_file(table, folder)] for table in schema.TABLES.values()})
            create_view_of_runs(connection, _no_runs(folder))
            create_views(connection)
            comment_columns(connection)
            forget_files(connection)
        return path.read_bytes()


def _empty_file(table: schema.Table, folder: str) -> str:
    """Write a Parquet file without rows where a table would have it, and give its path."""
    from pipeline.lake.parquet import packed, rows_of

    path = Path(folder) / table.name / ("date=2000-01-01" if table.partitioned else "") / "empty.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(packed(rows_of([], table), is_compressed=False))
    return str(path)


def _no_runs(folder: str) -> str:
    """Write files without runs, and give their pattern."""
    from pipeline.lake.parquet import packed, rows_of

    path = Path(folder) / "runs"
    path.with_suffix(".run").touch()
    path.with_suffix(".parquet").write_bytes(packed(rows_of([], schema.RUNS), is_compressed=False))
    return str(path)


def digest(sql: Path) -> str:
    """Give the digest of everything that the file is made from: SQL, the modules that read it, and DuckDB's version."""
    found = sha256(f"{duckdb.__version__} {_STORAGE_VERSION}".encode())
    modules = [Path(str(module.__file__)) for module in (schema, library, names, rules, table_views, time_zones, twins)]
    library_files = (file for kind in ("sql", "csv") for file in sql.glob(f"*/[!.]*.{kind}"))  # no editor's lock or backup
    for file in (*modules, Path(__file__), *sorted(library_files)):
        content = file.read_bytes()
        found.update(f"{file.parent.name}/{file.name} {len(content)} ".encode() + content)
    return found.hexdigest()[:32]


def _keep(content: bytes, path: Path) -> None:
    """Put the file at its place whole, with the rights of this one's, and delete those of other versions."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        beside.chmod(Path(__file__).stat().st_mode & 0o666)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    for former in path.parent.glob("views-*.duckdb.z*"):  # what a killed process left half written, too
        if former != path:
            former.unlink(missing_ok=True)


@contextlib.contextmanager
def attached(connection: duckdb.DuckDBPyConnection, path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database file for writing, as one transaction."""
    with connection:
        connection.execute(f"attach {literal(str(path))} as lakehouse (storage_version '{_STORAGE_VERSION}')")
        connection.execute("use lakehouse")
        connection.begin()  # one write to the disk, not one a statement
        yield connection
        connection.commit()
        connection.execute("checkpoint lakehouse")  # when it closes, it would do so too, but say nothing of a full disk
