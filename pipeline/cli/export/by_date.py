"""Keeps a folder with a file a day, each in the folder of its day, as Hive names it: `date=2026-11-02/part.parquet`.

The folder's own file `.lakehouse-export.json` says what it holds, and of which versions of the lake's days, so that the next
run knows its files and can write those alone that differ. A run first makes all new files, then gives them their places. Before
that, the folder's own file forgets the versions of those days: a run that is killed meanwhile leaves whole files, old and new
ones, and the next one writes them again.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pipeline.cli.export.source import Source
from pipeline.cli.export.target import Target
from pipeline.cli.export.writers import write
from pipeline.errors import SettingsError
from pipeline.lake.lake import Lake

STATE: Final = ".lakehouse-export.json"
_FORMAT: Final = 1
_NAMES: Final = {
    "of": "table",
    "columns": "version of the columns",
    "since": "--since",
    "until": "--until",
    "accounts": "choice of accounts",
    "form": "format",
}
"""What the folder's own file says about the export, in words for messages."""


@dataclass(frozen=True)
class _Written:
    """A day's file as a run has written it; `version` is None from when it is to be replaced until all is done."""

    version: str | None
    rows: int
    bytes: int


_State = dict[str, _Written]
"""The files of the folder, by their paths; a day without rows has none."""


@dataclass(frozen=True)
class Summary:
    """The days of a run, and the rows of those written."""

    written: int
    kept: int
    removed: int
    rows: int


def export_by_date(
    lake: Lake, source: Source, target: Target, form: str, *, is_incremental: bool, tell: Callable[[str], None]
) -> Summary:
    """Write the rows of each day into a file; if `is_incremental`, of the days alone that the lake has changed since.

    Raises:
        SettingsError: the rows have no days, the folder holds something else, or days whose changes nothing tells.
    """
    identity = _identity(lake, source, form, is_incremental=is_incremental)
    with target.staging(lake) as staging:
        former = _former(target, identity, is_incremental=is_incremental)
        sizes = target.sizes()
        _require_ours(target, sizes, former)
        kept: _State = {}
        made: _State = {}
        staged: dict[str, Path] = {}
        for number, part in enumerate(source.parts()):
            path = f"{source.day}={part.day}/part.{form}"
            known = former.get(path)
            if is_incremental and known and part.version in {known.version} - {None} and sizes.get(path, 0) == known.bytes:
                kept[path] = known
                continue
            file = staging / f"{number}.{form}"
            rows = write(source, part.rows, part.files, form, file, tell)
            made[path] = _Written(part.version, rows, file.stat().st_size if rows else 0)
            if rows:
                staged[path] = file
        gone = [path for path in sizes if path in former and path not in kept and path not in staged]
        _put(target, staging, identity, kept, made, staged, gone)
    there = [path for path in kept if kept[path].rows]
    return Summary(len(staged), len(there), len(gone), sum(each.rows for each in made.values()))


def _put(  # noqa: PLR0917  # a sentence: to this target, by way of this folder, the state and the files of these days
    target: Target,
    staging: Path,
    identity: dict[str, Any],
    kept: _State,
    made: _State,
    staged: dict[str, Path],
    gone: list[str],
) -> None:
    """Give the new files their places and remove those of days that are gone; the folder's own file comes before and after."""
    forgotten = {path: _Written(None, 0, 0) for path in [*made, *gone]}
    _put_state(target, staging, identity, kept | forgotten)
    target.put(staged)
    target.remove(gone)
    _put_state(target, staging, identity, kept | made)


def _put_state(target: Target, staging: Path, identity: dict[str, Any], state: _State) -> None:
    contents = identity | {"files": {path: asdict(written) for path, written in sorted(state.items())}}
    file = staging / "state"
    file.write_text(json.dumps(contents, ensure_ascii=False, indent=1), encoding="utf-8")
    target.put({STATE: file})


def _identity(lake: Lake, source: Source, form: str, *, is_incremental: bool) -> dict[str, Any]:
    """What the folder holds, as its own file says it; a query is not told, since it can hold ids of customers."""
    if source.day is None:
        raise SettingsError(f"--by-date: {source.name} has no column of days such as date; leave --by-date out")
    if is_incremental and not (source.table and source.table.partitioned):
        raise SettingsError(
            f"--incremental: expected a table with a date, such as conversations or messages, found {source.name}, of which "
            "nothing tells which days have changed; leave --incremental out"
        )
    choice = source.choice
    return {
        "format": _FORMAT,
        "lake": lake.uri,
        "of": source.name,
        "columns": source.types,
        "since": choice.since and str(choice.since),
        "until": choice.until and str(choice.until),
        "accounts": sorted({*choice.accounts}),
        "form": form,
    }


def _former(target: Target, identity: dict[str, Any], *, is_incremental: bool) -> _State:
    """The files of the former run, as the folder's own file says; none in a folder without one.

    Raises:
        SettingsError: that file can't be used, or what the former run wrote is not what this one would go on with.
    """
    contents = target.read(STATE)
    if contents is None:
        return {}
    try:
        found = json.loads(contents)
        state = {path: _Written(**written) for path, written in found.pop("files").items()}
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise SettingsError(f"{target.uri}/{STATE}: it is no list of exported files; export into another folder") from error
    differing = [name for name in identity if found.get(name) != identity[name]]
    if is_incremental and differing:
        name = differing[0]
        raise SettingsError(
            f"{target.uri}: it holds an export of another {_NAMES.get(name, name)}, so --incremental can't go on with it; name "
            "another folder, or leave --incremental out to write all anew"
        )
    return state


def _require_ours(target: Target, found: Iterable[str], former: _State) -> None:
    """Refuse a folder that holds other things.

    Raises:
        SettingsError: it does; nothing was written.
    """
    others = [path for path in found if path not in former and path != STATE]
    if others:
        raise SettingsError(
            f"{target.uri}: expected an empty folder, or one of an export by date, found {others[0]} in it; name another folder"
        )
