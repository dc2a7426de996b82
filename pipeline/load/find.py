"""Find the source files that paths, folders, patterns and URLs name."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from pipeline.api.responses import shortened
from pipeline.errors import LakeError, SettingsError
from pipeline.lake.file_systems import files_at, found_below, innermost, is_local, is_special, modified, require_plain, url_of
from pipeline.lake.snapshot import LEDGER
from pipeline.lake.store_errors import reaching
from pipeline.source_files import Incoming, file_name, scope_of
from pipeline.text import many

_SOURCE_SUFFIXES = (".gz", ".zip", ".json", ".jsonl", ".ndjson")
_OF_A_LAKE = re.compile(r"/(_delta_log|landing/(\.incoming|schema))/|\.parquet$")
_LEDGER_OF_A_LAKE = f"/{LEDGER}/_delta_log/"
_SHOWN_CHARACTERS = 300  # of a path


def find_files(
    paths: Iterable[str], say: Callable[[str], None] = lambda _: None, unreadable: list[str] | None = None
) -> dict[str, int]:
    """The source files that paths, folders, globs and URLs name, in the order given, each with its size in bytes.

    Of a folder, whatever depth, those count whose name ends as a source file's does, or begins with `Engagement.`; they come in
    the order in which they were written, so that of two contents under one name, as a landing zone may hold, the newer stands.
    A folder that a glob matches counts as if it were named. Neither takes what belongs to the tables of a lake. Of other files
    that a folder has, hidden ones aside, one line says how many they are.

    A file of a folder that can't be read, or a link that leads to nothing, is told and added to `unreadable`.

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
            entries = _entries_at(files, root, others)
            if special := [name for name in entries if is_special(files, name)]:
                entries = {name: info for name, info in entries.items() if name not in special}
                shown = shortened(special[0], _SHOWN_CHARACTERS)
                say(f"{many(len(special), 'pipe, device or socket', 'pipes, devices or sockets')} passed over, such as {shown}")
        for name in _unreadable(files, root, entries):
            del entries[name]
            say(f"{shortened(name, _SHOWN_CHARACTERS)}: it can't be read: mend its rights or its link and load it again")
            if unreadable is not None:
                unreadable.append(name)
        if not entries:
            expected = (
                f"a file, a folder with files that end with {', '.join(_SOURCE_SUFFIXES)}, or a pattern that matches some"
            )
            raise LakeError(f"{path}: there is no source file; expected {expected}; nothing was loaded")
        for name, info in entries.items():
            found.setdefault(url_of(files, name, path), info["size"] or 0)
        passed |= {url_of(files, name, path): name for name in others}
    if left := [name for url, name in passed.items() if url not in found]:
        example, suffixes = shortened(left[0], _SHOWN_CHARACTERS), ", ".join(_SOURCE_SUFFIXES)
        say(
            f"{many(len(left), 'file')} passed over, such as {example}: of folders those are taken that end with {suffixes} "
            "or begin with Engagement.; name others themselves, or by a pattern"
        )
    return found


def _unreadable(files: Any, root: str, entries: Iterable[str]) -> list[str]:
    """Of the local files that a path leads to those that can't be opened, unless it names the file itself."""
    return [name for name in entries if name != root and is_local(files) and not os.access(name, os.R_OK)]


def _entries_at(files: Any, root: str, others: list[str]) -> dict[str, dict[str, Any]]:
    """What a path or pattern leads to; what is no source file of its folders is added to `others`."""
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
    """Files at hand, as `find_files` gives them, as a load takes them: in time order, those of one name in the order given."""
    incoming = (Incoming(name=file_name(innermost(url)), url=url, bytes=size) for url, size in files.items())
    return sorted(incoming, key=_in_time)


def _in_time(item: Incoming) -> tuple[datetime, str]:
    return scope_of(item.name)[0] or datetime.min.replace(tzinfo=UTC), item.name
