"""Where a load meets erasures: ids that it keeps out for the first time, and files that an erasure has overtaken."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from functools import partial

from pipeline.erasure.pending import note_pending
from pipeline.erasure.tombstones import add_tombstones, read_tombstones
from pipeline.errors import LakeError
from pipeline.lake.file_systems import exists
from pipeline.lake.lake import Lake
from pipeline.lake.landing import landed_path
from pipeline.lake.ledger import Ledger
from pipeline.lake.snapshot import Change
from pipeline.load.worker import Ingested


def note_kept_out(lake: Lake, idents: Iterable[str]) -> None:
    """Note conversations as pending, before the commit that keeps them out: other files may have brought them, too."""
    note_pending(lake, idents)


def tombstones_for(lake: Lake, ingested: Ingested, at: datetime) -> Change:
    """Write tombstones for the conversations that were kept out for the first time: no other file may bring them either."""
    if not ingested.tombstones:
        return Change()
    return add_tombstones(lake, ingested.tombstones, (("conversation", ident) for ident in ingested.kept_out), at)


def require_undisturbed(ledger: Ledger, ingested: Ingested) -> None:
    """Refuse files that an erasure has overtaken: it has searched without them, or deleted rows that were written of them.

    The Parquet files get new names, since the erasure may yet delete them by the names that it has found before its commit.

    Raises:
        LakeError: the tombstones are others than those under which the files were read.
    """
    lake = ledger.lake
    if read_tombstones(lake, ledger.snapshot) == ingested.tombstones:
        with suppress(FileNotFoundError):
            for name, files in ingested.written.items():
                ingested.written[name] = lake.store.map(partial(lake.rename, name), files)
            return
    for outcome in ingested.outcomes:
        path = landed_path(lake, outcome.name, outcome.staged.sha256)
        is_known = outcome.staged.sha256 in ledger.known(outcome.name, outcome.account_id)
        if outcome.status == "loaded" and not is_known and exists(lake.files, path):
            lake.files.rm_file(lake.store.inside(path))
    raise LakeError(f"{lake.uri}: people were erased while files were read; none of these was loaded, run it again")
