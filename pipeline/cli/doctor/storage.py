"""Checks of the lake's storage: contents, free space, rights, and safe commits."""

import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import CommitProperties
from filelock import FileLock, Timeout

from pipeline import schema
from pipeline.cli.doctor.finding import FAIL, OK, WARN, Finding
from pipeline.cli.options import next_command
from pipeline.erasure.tombstones import read_tombstones
from pipeline.errors import DamagedError, LakeError, PipelineError, SettingsError, TombstonesError
from pipeline.failures import of_a_file
from pipeline.lake.file_systems import table_options
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import read_ledger
from pipeline.lake.snapshot import Snapshot
from pipeline.lake.store_errors import reaching, tidied
from pipeline.load.account_schema import kept_schemas, newest_schemas
from pipeline.text import counted
from pipeline.warehouse.database import rules_in_force
from pipeline.warehouse.name_tables import names_of
from pipeline.warehouse.published import FILE_NAME, problem_with_file
from pipeline.warehouse.unmet import unmet_notes

_LEAST_BYTES: Final = {FAIL: 100 << 20, WARN: 1 << 30}
_LEAST_DAYS: Final = {FAIL: 2, WARN: 30}
_LEAST_TEMPORARY: Final = {FAIL: 16 << 20, WARN: 256 << 20}
_UNITS: Final = {"MB": 1e6, "GB": 1e9, "TB": 1e12}
_MOST_FIELDS: Final = 20  # of a container in a line
_YEARS: Final = 730  # days that need not be counted
_LATE: Final = timedelta(days=2)
_GROWTH: Final = timedelta(days=30)


def about_lake(lake: Lake) -> Iterator[Finding]:
    """The newest finished load, and how long the free space lasts."""
    growth = None
    try:
        with reaching(lake.uri):
            snapshot = lake.snapshot() if lake.exists else None
            if snapshot is None:
                yield Finding("lake", OK, f"none at {lake.uri} yet, the first sync or load makes it")
            else:
                if snapshot.outdated:
                    remedy = f"the next load brings it up to date, as does {next_command('upgrade')}"
                    yield Finding("format", WARN, f"{lake.uri}: {snapshot.outdated}", remedy)
                yield from _data_files(lake, snapshot)
                ledger = read_ledger(lake, snapshot, ["status", "bytes", "scope_start_time", "loaded_at"])
                yield _newest_load(lake, snapshot, ledger)
                growth = _growth_a_day(snapshot, ledger)
                yield from _erasures(lake, snapshot)
                if snapshot.is_current and (ledger.num_rows or lake.files.exists(lake.path(FILE_NAME))):
                    yield from _duckdb_file(lake)  # else no load has made one yet
                yield from _schemas(lake)
            yield from _settings_file(lake)
            yield from _name_files(lake)
    except (PipelineError, OSError) as raised:
        error = of_a_file(raised) or raised
        found = error.found if isinstance(error, DamagedError) else str(error)
        yield Finding("lake", FAIL, found, f"{next_command('verify')} tells more", is_setting=isinstance(error, SettingsError))
    if lake.is_local:
        yield _room(Path(lake.root), growth)


def _erasures(lake: Lake, snapshot: Snapshot) -> Iterator[Finding]:
    """Whether the tombstones of erased people can be read, if there are any."""
    try:
        tombstones = read_tombstones(lake, snapshot)
    except TombstonesError as error:
        yield Finding("erasure.key", FAIL, error.found, error.remedy)
        return
    except LakeError as error:
        yield Finding("erasure.key", FAIL, str(error))
        return
    if tombstones is not None:
        unchecked = "" if tombstones.is_checked else ", as far as can be told: the next load or erase makes it checkable"
        yield Finding("erasure.key", OK, f"it is that of {counted(len(tombstones.until), 'tombstone')}{unchecked}")


def _data_files(lake: Lake, snapshot: Snapshot) -> Iterator[Finding]:
    """Whether each Parquet file of the newest load exists with its size; none is opened."""
    wrong = []
    for table, files in snapshot.files.items():
        sizes = lake.sizes_below(table) if files else {}
        for file in files:
            size = sizes.get(lake.path(table, file.path))
            if size is None:
                wrong.append(f"{table}/{file.path} is gone")
            elif size != file.bytes:
                wrong.append(f"{table}/{file.path} has {size:,} bytes, its log says {file.bytes:,}")
    if wrong:
        more = f", and {counted(len(wrong) - 1, 'more file')} like it" if len(wrong) > 1 else ""
        yield Finding(
            "data files", FAIL, f"{lake.uri}/{wrong[0]}{more}", f"{next_command('verify')} names all, with the remedy"
        )


def _duckdb_file(lake: Lake) -> Iterator[Finding]:
    """Whether the DuckDB file is that of the newest load, for other clients; our own readers need none."""
    problem = problem_with_file(lake)
    if problem:
        found = f"{lake.uri}/{FILE_NAME}: {problem}; {next_command('sql')} reads a copy of its own"
        yield Finding("duckdb", WARN, found, f"{next_command('compact')} makes it anew")


def _schemas(lake: Lake) -> Iterator[Finding]:
    """Fields of each account's own schema that the tables lack, and the insides of undocumented fields."""
    for kept in newest_schemas(kept_schemas(lake)):
        about = f"account {kept.account_id}, schema {kept.version}"
        inside = "; ".join(
            f"{path} holds {', '.join(f'{name} ({kind})' for name, kind in list(held.items())[:_MOST_FIELDS]) or 'nothing'}"
            for path, held in sorted(kept.compared.inside.items())
        )
        level = WARN if kept.problem or kept.compared.types else OK
        yield Finding("schema", level, f"{about}: {kept.told() or 'every field has its column'}", inside)


def _settings_file(lake: Lake) -> Iterator[Finding]:
    """Whether `settings.csv` can be used."""
    sentences: list[str] = []
    rules_in_force(lake, sentences.append)
    for sentence in sentences:
        yield Finding("views", FAIL, sentence, is_setting=True)


def _name_files(lake: Lake) -> Iterator[Finding]:
    """Each line of the files of names that does not count, each column that is not read, and ids that no conversation has."""
    for names in names_of(lake):
        for fault in names.faults:
            yield Finding("names", WARN, f"{lake.uri}/{fault}")
        for note in names.notes:
            yield Finding("names", OK, f"{lake.uri}/{note}")
    for note in unmet_notes(lake) if lake.exists else ():
        yield Finding("names", OK, f"{lake.uri}/{note}")


def _newest_load(lake: Lake, snapshot: Snapshot, ledger: pa.Table) -> Finding:
    loaded = pc.sum(pc.equal(ledger["status"], "loaded")).as_py() or 0
    newest = pc.max(ledger["loaded_at"]).as_py()
    documents = counted(snapshot.rows.get(schema.REJECTS.name, 0), "document")
    found = f"{lake.uri}: {counted(loaded, 'file')} loaded, {ledger.num_rows - loaded:,} rejected, {documents} rejected"
    if newest is None or datetime.now(UTC) - newest < _LATE:
        return Finding("lake", OK, found + (f", the newest at {newest:%Y-%m-%d %H:%M} UTC" if newest else ""))
    days = (datetime.now(UTC) - newest).days
    return Finding("lake", WARN, f"{found}, none for {days} days", "sync every hour: the source deletes files after 30 days")


def _growth_a_day(snapshot: Snapshot, ledger: pa.Table) -> float | None:
    """Bytes that a day of source files adds to the lake, by the newest month; None without dated files."""
    loaded = ledger.filter(pc.and_(pc.equal(ledger["status"], "loaded"), pc.is_valid(ledger["scope_start_time"])))
    landed = pc.sum(ledger["bytes"]).as_py() or 0
    newest = pc.max(loaded["scope_start_time"]).as_py()
    if newest is None or not landed:
        return None
    recent = loaded.filter(pc.greater(loaded["scope_start_time"], pa.scalar(newest - _GROWTH, schema.TIME.arrow)))
    days = (newest - pc.min(recent["scope_start_time"]).as_py()) / timedelta(days=1) + 1 / 24
    tables = sum(file.bytes for files in snapshot.files.values() for file in files)
    added: int = pc.sum(recent["bytes"]).as_py()
    growth: float = added / days * (1 + tables / landed)
    return growth


def _room(folder: Path, growth: float | None) -> Finding:
    """Free space at the lake's place."""
    free = shutil.disk_usage(_existing(folder)).free
    found = f"{_size(free)} free for the lake"
    if growth:
        found += f", which grows by {_size(growth)} a day: for {_span(free / growth)}"
    for level in (FAIL, WARN):
        if free < _LEAST_BYTES[level] or (growth and free / growth < _LEAST_DAYS[level]):
            return Finding("disk", level, found, "make room, or move the lake")
    return Finding("disk", OK, found)


def _span(days: float) -> str:
    return "years" if days > _YEARS else counted(round(days), "day")


def about_temporary_folder() -> Iterator[Finding]:
    """Free space for temporary files, such as downloads before they are landed."""
    try:
        folder = tempfile.gettempdir()
    except OSError:
        yield Finding("temp", FAIL, "no folder for temporary files can be written", "set TMPDIR to one that can")
        return
    free = shutil.disk_usage(folder).free
    level = next((level for level in (FAIL, WARN) if free < _LEAST_TEMPORARY[level]), OK)
    yield Finding("temp", level, f"{_size(free)} free in {folder}", "make room, or set TMPDIR" if level != OK else "")


def _size(count: float) -> str:
    unit = next(unit for unit in ("MB", "GB", "TB") if count < 1000 * _UNITS[unit] or unit == "TB")
    return f"{count / _UNITS[unit]:,.1f} {unit}"


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def about_rights(lake: Lake) -> Iterator[Finding]:
    """Whether files at the lake's place can be made, locked, and committed as tables."""
    folder = _existing(Path(lake.root))
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".lakehouse-doctor-") as place:
            with FileLock(f"{place}/lock").acquire(timeout=0):
                pass
            refused = _refuses_a_taken_name(f"{place}/table", {})
    except (OSError, DeltaError, Timeout, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or tidied(error)
        yield Finding("rights", FAIL, f"{folder} can't be written as a lake is ({reason})", _remedy(reason))
        return
    if refused:
        yield Finding("rights", OK, f"{folder} can be written, locks and commits work")
    else:
        yield Finding("rights", FAIL, f"{folder} does not keep two commits apart", "put the lake on another file system")


def _remedy(reason: str) -> str:
    """The remedy for a folder that can't be written; the table format gives the reason in words only."""
    if any(os.strerror(number) in reason for number in (errno.ENOSPC, errno.EDQUOT)):
        return "make room, or move the lake"
    if os.strerror(errno.EROFS) in reason:
        return "mount it for writing, or move the lake"
    return "give this user the right to it; a mounted folder has to know locks and hard links, as ext4, XFS and NFS do"


def about_bucket(lake: Lake) -> Iterator[Finding]:
    """Whether a bucket can be written, and refuses a second file of the same name."""
    name = f".lakehouse-doctor-{secrets.token_hex(8)}"
    try:
        with reaching(lake.uri):
            try:
                # Each by the library that a load uses; the table format's own test could miss it, since it looks first.
                refused = _refuses_a_taken_name(f"{lake.uri}/{name}", table_options(lake.uri))
                refused = refused and _keeps_the_first(lake, lake.path(name, "first"))
            finally:
                with suppress(FileNotFoundError):
                    lake.files.rm(lake.path(name), recursive=True)
    except (PipelineError, OSError, DeltaError) as error:
        yield Finding("bucket", FAIL, str(error), is_setting=isinstance(error, SettingsError))
        return
    if refused:
        yield Finding("bucket", OK, f"{lake.uri} can be written, and refuses a name that is taken")
    else:
        found = f"{lake.uri} takes a second file of a name that is taken (it ignores If-None-Match)"
        yield Finding("bucket", FAIL, found, "let one run at a time write there, or use another store")


def _keeps_the_first(lake: Lake, path: str) -> bool:
    lake.files.pipe_file(path, b"first", mode="create")
    with suppress(OSError):
        lake.files.pipe_file(path, b"second", mode="create")
    is_kept: bool = lake.files.cat_file(path) == b"first"
    return is_kept


def _refuses_a_taken_name(uri: str, options: dict[str, str]) -> bool:
    """Commit twice from the same version: the second commit must fail, or two runs could undo each other's loads."""
    columns = pa.schema([("probe", pa.int32())])
    DeltaTable.create(uri, schema=columns, storage_options=options or None)
    tables = [DeltaTable(uri, storage_options=options or None) for _ in range(2)]
    once = CommitProperties(max_commit_retries=0)
    tables[0].create_write_transaction([], mode="append", schema=columns, commit_properties=once)
    try:
        tables[1].create_write_transaction([], mode="append", schema=columns, commit_properties=once)
    except CommitFailedError:
        return True
    return False
