"""The logs of tables as files: what Delta readers take without a word, such as empty commits and missing versions."""

import json
from contextlib import suppress
from typing import NamedTuple

from pipeline.lake.checkpoints import damaged, is_needless
from pipeline.lake.lake import Lake
from pipeline.lake.place import versions_of


class Fault(NamedTuple):
    """A fault of a log: the place, the problem, and whether the table is whole without the file, which can go."""

    where: str
    problem: str
    is_needless: bool = False


def faults_of(lake: Lake, table: str, pinned: int | None = None) -> list[Fault]:
    """List the faults of a table's log up to a version, the newest if none is given.

    Commits and checkpoints above it are a dead run's; versions below the newest checkpoint at or below it are no longer read,
    and go in time.
    """
    where = lake.table_uri(table)
    try:
        sizes = lake.sizes_below(table, "_delta_log")
    except NotADirectoryError:
        return [Fault(where, "a file is in the place of the table")]
    commits, checkpoints = versions_of(sizes)
    bad = damaged(lake, table)
    can_go = bool(bad) and is_needless(lake, table, bad)
    found = [
        Fault(path, f"the checkpoint {problem}" if "checkpoint." in path else problem, can_go) for path, problem in bad.items()
    ]
    if not commits:
        return [*found, Fault(where, "its log has no commit" if sizes else "the table is gone")]
    last = max(commits) if pinned is None else pinned
    empty = sorted(version for version, path in commits.items() if not sizes[path] and version <= last)
    found += [
        Fault(commits[version], f"version {version} of the log is empty, as a broken disk leaves it")
        for version in _still_in_force(lake, commits, empty)
    ]
    usable = [version for version, path in checkpoints.items() if version <= last and path not in bad]
    lacking = sorted(set(range(max(usable, default=-1) + 1, max(commits))) - commits.keys())
    if lacking:
        found.append(Fault(where, f"its log lacks version {lacking[0]} ({len(lacking)} in all)"))
    return found


def _still_in_force(lake: Lake, commits: dict[int, str], empty: list[int]) -> list[int]:
    """The empty commits that no later restore has undone: a run that died may leave one, and the next restores."""
    for version in sorted(commits, reverse=True):
        if not empty or version <= empty[0]:
            break
        restored = _restored(lake.files.cat_file(commits[version]))
        empty = [one for one in empty if restored is None or not restored < one < version]
    return empty


def _restored(commit: bytes) -> int | None:
    """The version that a commit went back to; None if it did not, or is broken."""
    for line in commit.splitlines():
        with suppress(ValueError, AttributeError, KeyError, TypeError):
            info = json.loads(line)["commitInfo"]
            if info["operation"] == "RESTORE":
                return int(info["operationParameters"]["version"])
    return None
