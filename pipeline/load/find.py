"""Find the source files that paths, folders, patterns and URLs name."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from pipeline.errors import LakeError, SettingsError
from pipeline.lake.file_systems import files_at, found_below, innermost, is_local, is_special, modified, require_plain, url_of
from pipeline.lake.snapshot import LEDGER
from pipeline.lake.store_errors import reaching
from pipeline.source_files import Incoming, file_name, scope_of
from pipeline.text import counted, shortened

_SOURCE_SUFFIXES = (".gz", ".zip", ".json", ".jsonl", ".ndjson")
_OF_A_LAKE = re.compile(r"/(_delta_log|landing/(\.incoming|schema))/|/runs/[^/]+\.run$|\.parquet$")
_LEDGER_OF_A_LAKE = f"/{LEDGER}/_delta_log/"
_SHOWN_CHARACTERS = 300  # of a path
_EXPECTED = f"a file, a folder with files that end with {', '.join(_SOURCE_SUFFIXES)}, or a pattern that matches some"


def find_files(
    paths: Iterable[str], say: Callable[[str], None] = lambda _: None, unreadable: list[str] | None = None
) -> dict[str, int]:
    """Find the source files that paths, folders, globs and URLs name, in the order given, each with its size in bytes.

    Of a folder, at any depth, those count whose name ends as a source file's does, or begins with `Engagement.`; they come in
    the order of their times, so that of two contents under one name, as a landing zone may hold, the newer stands. A folder
    that a glob matches counts as if it were named. Neither takes files of a lake's tables. One line gives the number of other
    files in folders, hidden ones aside.

    A file of a folder that can't be read, or a link that leads to nothing, gets a line and is added to `unreadable`.

    Raises:
        SettingsError: a path is empty.
        LakeError: it leads to nothing.
    """
    found: dict[str, int] = {}
    passed: dict[str, str] = {}
    for path in paths:
        if not path:  # as of a variable in a script that is not set: fsspec takes it for the working folder
            raise SettingsError("expected a path, found an empty one; nothing was loaded")
        files, root = files_at(path)
        others: list[str] = []
        with reaching(path):
            require_plain(files, root, path)
            entries = _without_special(files, _entries_at(files, root, others), say)
        for name in _unreadable(files, root, entries):
            del entries[name]
            say(f"{shortened(name, _SHOWN_CHARACTERS)}: it can't be read: mend its rights or its link and load it again")
            if unreadable is not None:
                unreadable.append(name)
        if not entries:
            raise LakeError(f"{path}: there is no source file; expected {_EXPECTED}; nothing was loaded")
        for name, info in entries.items():
            found.setdefault(url_of(files, name, path), info["size"] or 0)
        passed |= {url_of(files, name, path): name for name in others}
    if left := [name for url, name in passed.items() if url not in found]:
        example, suffixes = shortened(left[0], _SHOWN_CHARACTERS), ", ".join(_SOURCE_SUFFIXES)
        say(
            f"{counted(len(left), 'file')} passed over, such as {example}: of folders those are taken that end with {suffixes} "
            "or begin with Engagement.; name others themselves, or by a pattern"
        )
    return found


def _without_special(files: Any, entries: dict[str, dict[str, Any]], say: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    """The entries without pipes, devices and sockets, of which one line gives the number."""
    special = [name for name in entries if is_special(files, name)]
    if special:
        shown = shortened(special[0], _SHOWN_CHARACTERS)
        say(f"{counted(len(special), 'pipe, device or socket', 'pipes, devices or sockets')} passed over, such as {shown}")
    return {name: info for name, info in entries.items() if name not in special}


def _unreadable(files: Any, root: str, entries: Iterable[str]) -> list[str]:
    """The local files that can't be opened, unless the path names the file itself."""
    return [name for name in entries if name != root and is_local(files) and not os.access(name, os.R_OK)]


def _entries_at(files: Any, root: str, others: list[str]) -> dict[str, dict[str, Any]]:
    """The files of a path or pattern; other files in its folders are added to `others`."""
    if not any(sign in root for sign in "*?[") or files.exists(root):
        if files.isdir(root):
            return _sources_below(files, root, others)
        return {root: files.info(root)} if files.exists(root) else {}
    entries: dict[str, dict[str, Any]] = {}
    for name, info in sorted(files.glob(root, detail=True).items()):
        if files.isdir(name):
            entries |= _sources_below(files, name, others)
        elif not _OF_A_LAKE.search(name):
            entries[name] = info
    return entries


def _sources_below(files: Any, folder: str, others: list[str]) -> dict[str, dict[str, Any]]:
    below = found_below(files, folder, follow_links=True)
    sources = {path: info for path, info in below.items() if _is_source(path)}
    lakes = {path.partition(_LEDGER_OF_A_LAKE)[0] for path in below if _LEDGER_OF_A_LAKE in path}
    for path in below:
        is_hidden = "/." in f"/{path.removeprefix(folder).lstrip('/')}"
        if path not in sources and not is_hidden and not _OF_A_LAKE.search(path) and path.rpartition("/")[0] not in lakes:
            others.append(path)
    return dict(sorted(sources.items(), key=lambda entry: _written(entry[1])))


def _written(info: dict[str, Any]) -> datetime:
    return modified(info) or datetime.min.replace(tzinfo=UTC)


def _is_source(path: str) -> bool:
    name = path.rpartition("/")[2]
    return (name.lower().endswith(_SOURCE_SUFFIXES) or name.startswith("Engagement.")) and not _OF_A_LAKE.search(path)


def incoming_from(files: Mapping[str, int]) -> list[Incoming]:
    """Turn files that `find_files` has found into those of a load: in time order, files of one name in the order given."""
    incoming = (Incoming(name=file_name(innermost(url)), url=url, bytes=size) for url, size in files.items())
    return sorted(incoming, key=_in_time)


def _in_time(item: Incoming) -> tuple[datetime, str]:
    return scope_of(item.name)[0] or datetime.min.replace(tzinfo=UTC), item.name
