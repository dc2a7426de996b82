"""Files of facts that the newest load does not name: an older version may have erased people without them."""

from contextlib import suppress
from datetime import UTC, datetime

import duckdb

from pipeline import schema
from pipeline.lake.file_systems import found_below, modified
from pipeline.lake.formats import current_format
from pipeline.lake.lake import Lake
from pipeline.lake.snapshot import LEDGER, Snapshot
from pipeline.warehouse.published import FILE_NAME, named_files


def delete_strays(lake: Lake, snapshot: Snapshot) -> None:
    """Delete the files of facts that neither the snapshot nor the DuckDB file of a load by this version names.

    A DuckDB file that names one which is gone then is deleted first, since readers would trust it.
    """
    found = {
        path: modified(info)
        for name in schema.FACTS
        for path, info in found_below(lake.files, lake.path(name)).items()
        if not path.startswith(lake.path(name, "_delta_log/"))
    }
    kept = _shown(lake)
    if kept and (snapshot.format.number < current_format().number or not kept <= found.keys()):
        lake.files.rm_file(lake.path(FILE_NAME))
        kept = set()
    kept |= {lake.path(name, file.path) for name in schema.FACTS for file in snapshot.files[name]}
    newest = _of_nobody(lake, snapshot)
    for path in found.keys() - kept:
        at = found[path]
        if newest is None or (at is not None and at < newest):
            with suppress(FileNotFoundError):
                lake.files.rm_file(lake.store.inside(path))


def _shown(lake: Lake) -> set[str]:
    """The files of facts that the DuckDB file names."""
    with suppress(OSError, duckdb.Error):
        named = named_files(lake)
        return {lake.path(name, path) for name in schema.FACTS for path in named[name]}
    return set()


def _of_nobody(lake: Lake, snapshot: Snapshot) -> datetime | None:
    """The time before which a file without a name belongs to no run that may yet commit it; None in a folder: to none at all.

    In a bucket no lock keeps other runs away, but none that wrote a file before the ledger's newest commit can commit above it.
    """
    if lake.store.has_lock:
        return None
    newest = lake.files.info(lake.path(LEDGER, "_delta_log", f"{snapshot.versions[LEDGER]:020}.json"))
    return modified(newest) or datetime.min.replace(tzinfo=UTC)
