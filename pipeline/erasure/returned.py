"""Find erased conversations that are in the tables again, as after a restore from an older copy."""

import shlex
from contextlib import suppress
from dataclasses import replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import schema
from pipeline.erasure.tombstones import Tombstones, read_tombstones
from pipeline.errors import DamagedError, LakeError
from pipeline.lake.digests import read_part
from pipeline.lake.lake import Lake
from pipeline.lake.snapshot import Snapshot
from pipeline.text import counted

_MOST: Final = 50  # ids in one command


def returned(lake: Lake, snapshot: Snapshot) -> list[str]:
    """Ids of conversations that have a tombstone and yet are in the tables, sorted.

    Tombstones newer than the newest finished load count: they are put back with an older copy of the other tables, and the next
    load takes them away.
    """
    tombstones = _newest(lake, snapshot)
    if tombstones is None or not tombstones.until:
        return []
    found: set[str] = set()
    for file in snapshot.files["conversations"]:
        idents = pc.unique(read_part(lake, "conversations", file, columns=["conversation_id"])["conversation_id"])
        found |= {ident for ident in idents.to_pylist() if tombstones.find("conversation", ident) is not None}
    return sorted(found)


def _newest(lake: Lake, snapshot: Snapshot) -> Tombstones | None:
    name = schema.ERASURES.name
    with suppress(LakeError, OSError, pa.ArrowException):  # reported where the tombstones are checked
        newest = {name: lake.newest_files(name)}
        return read_tombstones(lake, replace(snapshot, files={**snapshot.files, **newest}, rows={}))
    return None


def returned_people(lake: Lake, snapshot: Snapshot) -> list[str]:
    """A finding for such conversations, with the command that erases them again; none if there are none."""
    idents: list[str] = []
    with suppress(DamagedError):  # `verify` reports it where it reads all files
        idents = returned(lake, snapshot)
    if not idents:
        return []
    options = " ".join(f"--conversation-id {shlex.quote(ident)}" for ident in idents[:_MOST])
    more = f", then verify again: there are {len(idents) - _MOST:,} more" if len(idents) > _MOST else ""
    found = f"{counted(len(idents), 'erased conversation')} in the table again, as in a copy from before the erasure"
    return [f"{lake.table_uri('conversations')}: {found}; before the next load, run lakehouse erase {options}{more}"]
