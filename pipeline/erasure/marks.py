"""Notes of conversations that are yet to be purged: files `.erasing-…` of the lake, each with a digest of itself."""

import hashlib
import json
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from pipeline.lake.lake import Lake

_MARK: Final = ".erasing-"


@dataclass
class Marks:
    """The notes of a lake: their paths, the ids of conversations in them, and whether one of them can't be read."""

    paths: list[str] = field(default_factory=list)
    idents: set[str] = field(default_factory=set, repr=False)
    is_damaged: bool = False


def mark(lake: Lake, idents: Iterable[str]) -> None:
    """Note that these conversations are to be purged, before a load says that it has read the files which tell so."""
    path = lake.path(f"{_MARK}{uuid.uuid4().hex}")
    note = json.dumps(sorted(idents))
    lake.files.pipe_file(path, f"{note}\n{_digest(note)}".encode())
    lake.persist([path])


def marks_of(lake: Lake) -> Marks:
    """What is noted, by this run or by one that died."""
    found = Marks()
    with suppress(FileNotFoundError):  # there is no lake yet
        for path in lake.files.ls(lake.root, detail=False):
            if path.rpartition("/")[2].startswith(_MARK):
                with suppress(FileNotFoundError):  # whose run has finished meanwhile
                    idents = _read(lake.files.cat_file(path))
                    found.paths.append(path)
                    found.idents |= idents or set()
                    found.is_damaged |= idents is None
    return found


def remove_marks(lake: Lake, marks: Marks) -> None:
    """Delete notes that are done."""
    for path in marks.paths:
        with suppress(FileNotFoundError):
            lake.files.rm_file(path)


def _read(contents: bytes) -> set[str] | None:
    """The ids that a note names; None if it is damaged. Those of older versions have no digest."""
    try:
        note, _, digest = contents.decode().partition("\n")
        idents = json.loads(note)
    except (ValueError, RecursionError):
        return None
    is_whole = isinstance(idents, list) and idents and all(isinstance(ident, str) for ident in idents)
    return set(idents) if is_whole and digest in {"", _digest(note)} else None


def _digest(note: str) -> str:
    return hashlib.sha256(note.encode()).hexdigest()
