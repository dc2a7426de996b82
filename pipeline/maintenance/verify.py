"""Check that logs, Parquet files, landing zone, ledger and DuckDB file agree; nothing is changed, no writer is disturbed.

A finding is one line: place, problem, remedy. Remains of a dead run are none: the next run clears them by itself.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import schema
from pipeline.erasure.returned import returned_people
from pipeline.erasure.tombstones import KEY_FILE, read_tombstones
from pipeline.errors import DamagedError, LakeError, TombstonesError
from pipeline.failures import of_a_file
from pipeline.lake import index, runs
from pipeline.lake.file_systems import digest_of, exists
from pipeline.lake.formats import current_format
from pipeline.lake.lake import Lake
from pipeline.lake.landing import digest, landed_files, landed_path
from pipeline.lake.ledger import read_ledger
from pipeline.lake.logs import faults_of
from pipeline.lake.snapshot import LEDGER, DataFile, Snapshot
from pipeline.maintenance.rows import wrong_rows
from pipeline.warehouse.database import no_lake
from pipeline.warehouse.published import logs_of_clients, named_files

_THREADS: Final = 4
_PUT_BACK: Final = (
    "delete it if it is there, then sync, or load the file from a backup: either puts it back; the tables have its rows"
)
_NEW_LAKE: Final = "load the files in landing/ into a new lake and repeat each erasure of the last 30 days there"
_RESTORE: Final = f"restore the lake from a backup, or {_NEW_LAKE}"
_PUT_PARQUET_BACK: Final = "put it back from a backup, where it has the same name"
_REBUILD: Final = "run lakehouse rebuild, which makes it anew"
_RECOMPUTE: Final = "run lakehouse upgrade --recompute, which computes it anew"
_DROP: Final = "run lakehouse compact, which deletes it: the commits have all that it held"


@dataclass
class Verified:
    """The result of `verify`: numbers of files and rows checked, and findings."""

    landed_files: int | None = None
    """None where they were not checked, since the ledger that names them can't be read."""
    parquet_files: int = 0
    undigested: int = 0
    """Parquet files of unknown digest, since an older version wrote them."""
    rows: int = 0
    outdated: str | None = None
    """The reason for an upgrade; the rows of facts that the lake lacks are not checked."""
    findings: list[str] = field(default_factory=list)

    def find(self, where: str, problem: str, remedy: str) -> None:
        """Add a finding."""
        self.findings.append(f"{where}: {problem}; {remedy}")


def verify(lake: Lake, *, read_data: bool = False, progress: Callable[[str], None] | None = None) -> Verified:
    """Check logs, Parquet files, landed files, counts, index and DuckDB file of the newest finished load.

    `read_data` checks the digest of every Parquet file, and decodes every value; without it only sizes, footers and row counts
    are checked.

    Raises:
        LakeError: nothing was ever loaded here.
    """
    done = Verified()
    tell = progress or (lambda _: None)
    tell("logs")
    try:
        if not lake.files.exists(lake.path(LEDGER)) and not lake.exists:
            raise no_lake(lake)
        snapshot = lake.snapshot()
    except DamagedError as error:
        _check_logs(lake, done, _pins(lake))
        if not done.findings:
            done.findings.append(f"{error.found}; {_RESTORE}")
        links = _check_links(lake, done)
        tell("landed files")
        _check_landing(lake, _ledger_alone(lake), links, done)
        return done
    done.outdated = snapshot.outdated
    _check_logs(lake, done, snapshot)
    is_logged = all(finding.endswith((_DROP, _RECOMPUTE)) for finding in done.findings)
    links = _check_links(lake, done)
    for path in runs.unreadable(lake):
        done.find(path, "this record of runs can't be read", "delete it: it has no data")
    _check_tombstones(lake, snapshot, done)
    tell("Parquet files")
    readable = _check_parquet_files(lake, snapshot, done, read_data=read_data)
    ledger = _ledger(lake, snapshot)
    tell("landed files")
    _check_landing(lake, ledger, links, done)
    if ledger is not None and is_logged and readable:
        tell("counts")
        _count(lake, snapshot, ledger, done)
    if is_logged and readable:
        tell("erased people")
        done.findings += returned_people(lake, snapshot)
        _check_duckdb_file(lake, snapshot, done)
    return done


def _ledger(lake: Lake, snapshot: Snapshot) -> pa.Table | None:
    """The ledger; None if it can't be read or is damaged, which the check of Parquet files reports."""
    with suppress(LakeError, OSError, pa.ArrowException):
        return read_ledger(lake, snapshot)
    return None


def _ledger_alone(lake: Lake) -> pa.Table | None:
    """The ledger of a lake of which another table can't be read."""
    with suppress(LakeError):
        return _ledger(lake, lake.snapshot(only=[LEDGER]))
    return None


def _check_links(lake: Lake, done: Verified) -> list[str]:
    """Report links in the lake: behind them nothing is written, deleted or erased."""
    links = lake.store.links()
    for path in links:
        done.find(path, f"is a link to {Path(path).readlink()}", "put a folder or file of the lake's own in its place")
    return links


def _check_tombstones(lake: Lake, snapshot: Snapshot, done: Verified) -> None:
    """Check that every tombstone is whole, and that the secret is theirs: else erased people are not recognised."""
    try:
        read_tombstones(lake, snapshot)
    except DamagedError as error:
        done.findings.append(f"{error.found}; {_remedy(schema.ERASURES.name)}")
    except TombstonesError as error:
        done.findings.append(f"{error.found}; {error.remedy}")
    except FileNotFoundError:  # a Parquet file: found with the others
        return
    except OSError as error:
        where = str(error.filename or lake.path(KEY_FILE))
        done.find(where, f"can't be read ({error.strerror or error})", "make it legible, else no load goes on")


def _pins(lake: Lake) -> Snapshot:
    """The versions that the newest finished load has pinned, though a table can't be read; none if the ledger can't be."""
    with suppress(LakeError):
        return lake.snapshot(only=[])
    return Snapshot({}, {})


def _check_logs(lake: Lake, done: Verified, snapshot: Snapshot) -> None:
    """Report the faults of the logs, and facts that are not as the newest finished load has left them.

    Of a lake of an older format the facts are not looked at: it does not name them. If its format can't be told, those are
    looked at that are there.
    """
    is_older = snapshot.format.number < current_format().number
    for name in schema.STORED:
        if name in schema.FACTS and (is_older or not (snapshot.versions or exists(lake.files, lake.path(name)))):
            continue
        faults = faults_of(lake, name, snapshot.versions.get(name) if name not in snapshot.missing else None)
        for fault in faults:
            done.find(fault.where, fault.problem, _DROP if fault.is_needless else _remedy_of_log(name))
        if name in snapshot.missing and all(fault.is_needless for fault in faults):
            problem = "is not as the newest load has left it, as after a restore of this folder alone"
            done.find(lake.table_uri(name), problem, _RECOMPUTE)


def _remedy_of_log(table: str) -> str:
    return _RECOMPUTE if table in schema.FACTS else _RESTORE


def _check_parquet_files(lake: Lake, snapshot: Snapshot, done: Verified, *, read_data: bool) -> bool:
    """Check that each file of the snapshot is as the log says, and that they have all rows; gives whether they do."""
    named = [(table, file) for table, files in snapshot.files.items() for file in files]
    before = len(done.findings)
    with ThreadPoolExecutor(_THREADS) as pool:
        for (table, file), found in zip(
            named, pool.map(lambda one: problem(lake, *one, read_data=read_data), named), strict=True
        ):
            if found:
                done.find(f"{lake.table_uri(table)}/{file.path}", f"the Parquet file {found}", _remedy(table))
    done.parquet_files, done.rows = len(named), 0
    done.undigested = sum(file.digest is None for _, file in named)
    for table, files in snapshot.files.items():
        rows = sum(file.rows for file in files)
        done.rows += rows
        if rows != snapshot.rows.get(table, rows):
            done.find(lake.table_uri(table), f"has {rows} rows, the ledger says {snapshot.rows[table]}", _RESTORE)
    return len(done.findings) == before


def problem(lake: Lake, table: str, file: DataFile, *, read_data: bool) -> str | None:
    """The damage of a Parquet file; None if there is none."""
    path = lake.path(table, file.path)
    try:
        size = lake.files.size(path)
        if size != file.bytes:
            return f"has {size} bytes, its log says {file.bytes}"
        if read_data and not file.has_digest(digest_of(lake.files, path)):
            return "is not as it was written: its digest differs from the one that its commit knows"
        with lake.files.open(path, "rb") as stored:
            parquet = pq.ParquetFile(stored, page_checksum_verification=True)
            if parquet.metadata.num_rows != file.rows:
                return f"has {parquet.metadata.num_rows} rows, its log says {file.rows}"
            for batch in parquet.iter_batches() if read_data else ():
                batch.validate(full=True)
    except FileNotFoundError:
        return "is gone"
    except (OSError, pa.ArrowException) as error:
        return f"can't be read ({' '.join(str(error).split())})"
    return None


def _check_landing(lake: Lake, ledger: pa.Table | None, links: list[str], done: Verified) -> None:
    """Check that each loaded file lies in the landing zone as served, and no file that was never loaded."""
    if ledger is None:
        return
    rows = [row for row in ledger.to_pylist() if row["status"] == "loaded"]
    expected = {landed_path(lake, row["name"], row["sha256"]): row.get("landed_sha256") or row["sha256"] for row in rows}
    with ThreadPoolExecutor(_THREADS) as pool:
        for path, found in zip(expected, pool.map(lambda path: _digest(lake, path), expected), strict=True):
            if found is None:
                done.find(path, "the landed file is gone", _PUT_BACK)
            elif found != expected[path]:
                done.find(path, "the landed file is not as it was served: its digest differs from the ledger's", _PUT_BACK)
    done.landed_files = len(expected)
    names = {row["name"] for row in rows}  # former contents of a name stay
    for path in landed_files(lake):
        if any(path == link or path.startswith(f"{link}/") for link in links):  # a finding of its own: not to be loaded
            continue
        if path not in expected and path.rpartition("/")[2] not in names:
            done.find(path, "is in the landing zone, but in no table", f"load it: lakehouse load {path}")


def _digest(lake: Lake, path: str) -> str | None:
    try:
        return digest(lake, path).sha256
    except FileNotFoundError:
        return None


def _count(lake: Lake, snapshot: Snapshot, ledger: pa.Table, done: Verified) -> None:
    """Check the rows; where they can't be decoded, report the damaged files."""
    try:
        for wrong in wrong_rows(lake, snapshot, ledger):
            done.find(wrong.where, wrong.problem, _remedy_of_rows(wrong.table))
    except duckdb.Error as error:
        found = of_a_file(error)
        if not isinstance(found, DamagedError):
            raise
        before = len(done.findings)
        _check_parquet_files(lake, snapshot, done, read_data=True)
        if len(done.findings) == before:
            done.findings.append(f"{found.found}; {_PUT_PARQUET_BACK}, or {_NEW_LAKE}")


def _remedy_of_rows(table: str | None) -> str:
    if table is None:
        return _RESTORE
    return _remedy(table) if table in {index.NAME, *schema.FACTS} else _REBUILD


def _remedy(table: str) -> str:
    """The remedy for a damaged Parquet file, by the table that it is of."""
    if table == index.NAME:
        return "run lakehouse compact, which makes it anew"
    if table in schema.FACTS:
        return _RECOMPUTE
    return f"{_PUT_PARQUET_BACK}, or {_REBUILD if table in {*schema.SENT, schema.REJECTS.name} else _NEW_LAKE}"


def _check_duckdb_file(lake: Lake, snapshot: Snapshot, done: Verified) -> None:
    """Check that the DuckDB file names the Parquet files of the newest finished load."""
    remedy = "run lakehouse compact, or wait for the next load: both make it anew"
    try:
        named = named_files(lake)
    except (OSError, duckdb.Error) as error:
        done.find(lake.path("lakehouse.duckdb"), f"can't be read ({' '.join(str(error).split())})", remedy)
        return
    for log in logs_of_clients(lake):
        done.find(str(log), "a client that opened the DuckDB file for writing left it, and others show what it says", remedy)
    for table in [name for name in schema.TABLES if name not in snapshot.missing]:
        if named[table] != {file.path for file in snapshot.files[table]}:
            done.find(lake.path("lakehouse.duckdb"), f"its view {table} is not that of the newest finished load", remedy)
            return
