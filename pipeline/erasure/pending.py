"""Notes of conversations that wait to be purged: files `.erasing-…` of the lake, each with a digest of its contents."""

import hashlib
import json
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from pipeline.lake.lake import Lake

_PREFIX: Final = ".erasing-"


@dataclass
class Pending:
    """The notes of a lake: paths, ids of conversations, and whether a note is damaged."""

    paths: list[str] = field(default_factory=list)
    idents: set[str] = field(default_factory=set, repr=False)
    is_damaged: bool = False


def note_pending(lake: Lake, idents: Iterable[str]) -> None:
    """Note conversations to be purged, before the commit of a load that has read them in new files."""
    path = lake.path(f"{_PREFIX}{uuid.uuid4().hex}")
    note = json.dumps(sorted(idents))
    lake.files.pipe_file(path, f"{note}\n{_digest(note)}".encode())
    lake.store.fsync([path])


def read_pending(lake: Lake) -> Pending:
    """Read the notes of this run and of those that died."""
    found = Pending()
    with suppress(FileNotFoundError):  # there is no lake yet
        for path in lake.files.ls(lake.root, detail=False):
            if path.rpartition("/")[2].startswith(_PREFIX):
                with suppress(FileNotFoundError):  # whose run has finished meanwhile
                    idents = _read(lake.files.cat_file(path))
                    found.paths.append(path)
                    found.idents |= idents or set()
                    found.is_damaged |= idents is None
    return found


def clear_pending(lake: Lake, pending: Pending) -> None:
    """Delete the notes of purges that are done."""
    for path in pending.paths:
        with suppress(FileNotFoundError):
            lake.files.rm_file(path)


def _read(contents: bytes) -> set[str] | None:
    """Read the ids of a note; None if it is damaged. Notes of older versions have no digest."""
    try:
        note, _, digest = contents.decode().partition("\n")
        idents = json.loads(note)
    except (ValueError, RecursionError):
        return None
    is_whole = isinstance(idents, list) and idents and all(isinstance(ident, str) for ident in idents)
    return set(idents) if is_whole and digest in {"", _digest(note)} else None


def _digest(note: str) -> str:
    return hashlib.sha256(note.encode()).hexdigest()
