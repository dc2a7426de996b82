"""Writes the files of names with every id that the lake has met, for people to fill in.

What people have written stays as it is, byte for byte: lines of new ids are added behind it.
"""

import csv
import io
import os
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb

from pipeline.errors import LakeError
from pipeline.lake.lake import Lake
from pipeline.lake.landing import PUBLISHING
from pipeline.schema import SENT
from pipeline.warehouse.name_tables import FoundFile, accounts_of, find_name_files, read_names
from pipeline.warehouse.names import HELPER, NAME_FILES, NameFile, NameReader, guarded, parse_names
from pipeline.warehouse.unmet import unmet_note

Met = Sequence[tuple[str, Any, str | None]]
"""Account, id and nickname of each id that the lake has met, most used first."""

Accounts = Callable[[], Collection[str]]

_BOM: Final = b"\xef\xbb\xbf"  # a spreadsheet then reads UTF-8
_MOST_TRIES: Final = 5
_FOR_ITS_OWNER: Final = 0o600  # names of employees
_MET: Final = {
    "skills.csv": """
        select account_id, skill_id, null from skills
        where last_date is not null and account_id is not null
        order by entry_count desc, last_date desc, account_id, skill_id""",
    "agents.csv": """
        select account_id, agent_id, agent_nickname from agents
        where last_date is not null and account_id is not null
        order by segment_count desc, last_date desc, account_id, agent_id""",
    "campaigns.csv": """
        select account_id, campaign_id, null from campaigns
        where last_date is not null and account_id is not null
        order by conversation_count desc, last_date desc, account_id, campaign_id""",
}


class Written(NamedTuple):
    """A file of names after ids were added.

    Attributes:
        added_count: lines added.
        met_count: ids that the lake has met.
        unnamed_count: those of them without a name in the file.
        nicknamed_count: those of these with a nickname, which serves as a name.
        faults: sentences on lines, or on the file, if nothing could be added.
        note: a sentence on lines whose id no conversation has, or "".
    """

    file: NameFile
    is_new: bool
    added_count: int
    met_count: int
    unnamed_count: int
    nicknamed_count: int
    faults: list[str]
    note: str = ""


def write_names(lake: Lake, connection: duckdb.DuckDBPyConnection) -> list[Written]:
    """Add the ids that files of names lack, and make the files that do not exist; one that lacks none stays untouched.

    Raises:
        LakeError: a file can't be written, or changes all the time.
    """
    accounts = cache(lambda: accounts_of(lake, lake.snapshot()))
    return [
        _write(lake, found, connection.execute(_MET[found.file.file_name]).fetchall(), accounts)._replace(
            note=_note(found, connection, accounts)
        )
        for found in find_name_files(lake)
        if found.file in NAME_FILES
    ]


def _note(found: FoundFile, connection: duckdb.DuckDBPyConnection, accounts: Accounts) -> str:
    """Give the sentence on the lines that people wrote for ids that no conversation has."""
    return unmet_note(found.file, read_names(found, accounts), connection, {table: table for table in SENT})


def _write(lake: Lake, found: FoundFile, met: Met, accounts: Accounts) -> Written:
    path = f"{lake.uri}/{found.file.file_name}"
    for _ in range(_MOST_TRIES):
        if found.problem:
            raise LakeError(f"{path}: {found.problem}; it stays as it is: {found.remedy}")
        contents, written = with_ids(found.raw, found.file, met, accounts)
        if contents == found.raw or contents is None:
            return written
        lake.on_step("names")
        newest = next(one for one in find_name_files(lake) if one.file == found.file)
        if newest == found:
            _replace(lake, found, contents)
            return written
        found = newest  # somebody has saved it meanwhile
    raise LakeError(f"{path}: it changes while it is read; nothing was written, run the command again")


def with_ids(raw: bytes | None, file: NameFile, met: Met, accounts: Accounts) -> tuple[bytes | None, Written]:
    """Give a file's contents with a line for each id that it lacks; those that it has stay as they are.

    The contents are None if nothing can be added, or nothing is there to be written.
    """
    former = parse_names(raw, file, accounts) if raw is not None else None
    named = {row[:2] for row in (former.rows or [] if former else []) if row[2] is not None}
    named -= former.nicknamed if former else frozenset()
    writable = [one for one in met if _is_writable(file, one)]
    lacking = [one for one in writable if former is None or one[:2] not in former.ids]
    unnamed = [one for one in met if one[:2] not in named]
    nicknamed_count = sum(nickname is not None for *_, nickname in unnamed)
    faults = former.faults if former else []
    written = Written(file, raw is None and bool(lacking), len(lacking), len(met), len(unnamed), nicknamed_count, faults)
    if former and former.rows is None:
        return None, written._replace(added_count=0)
    if not lacking:
        return raw, written
    contents = _begun(raw, file) + _lines(raw, file, lacking)
    after = parse_names(contents, file, accounts)
    if {one[:2] for one in lacking} <= after.ids:
        return contents, written
    fault = f"{file.file_name}: lines that are added to it can't be read; nothing was added: close the quotes that are open"
    return None, written._replace(added_count=0, faults=[*written.faults, fault])


def _is_writable(file: NameFile, one: tuple[str, Any, str | None]) -> bool:
    """Whether a line can say the account and the id: text with control characters it can't."""
    texts = [(column.kind, value) for column, value in zip(file.columns, one[:2], strict=False) if isinstance(value, str)]
    return all(value and kind.read(" ".join(value.split())) == value for kind, value in texts)


def _begun(raw: bytes | None, file: NameFile) -> bytes:
    """The contents before new lines: the file, with its last line ended, or the header of a new one."""
    if raw is None:
        names = [column.name for column in file.columns] + [HELPER] * (file.file_name == "agents.csv")
        return _BOM + f"{','.join(names)}\n".encode()
    return raw if raw.endswith((b"\n", b"\r")) else raw + _line_end(raw).encode()


def _line_end(raw: bytes) -> str:
    return "\r\n" if b"\r\n" in raw else "\r" if b"\r" in raw and b"\n" not in raw else "\n"


def _lines(raw: bytes | None, file: NameFile, lacking: Met) -> bytes:
    """The lines of new ids, as the file writes its own."""
    reader = NameReader(_begun(raw, file), file, set)
    out = io.StringIO()
    writer = csv.writer(out, delimiter=reader.delimiter, lineterminator=_line_end(raw or b""))
    for account, own_id, nickname in lacking:
        cells = {"account_id": account, file.id_column: own_id, HELPER: nickname or ""}
        writer.writerow([_cell(cells.get(name, "")) for name in reader.header])
    return out.getvalue().encode()


def _cell(value: Any) -> Any:
    return guarded(value) if isinstance(value, str) else value


def _replace(lake: Lake, found: FoundFile, contents: bytes) -> None:
    """Write a file whole or not at all; a link to it stays a link, and its rights stay."""
    path = lake.path(found.file.file_name)
    try:
        if not lake.is_local:
            lake.store.write_whole(path, contents, beside="")
            return
        real = Path(path).resolve()
        beside = real.with_name(f"{PUBLISHING}{real.name}")
        former = real.stat().st_mode & 0o777 if found.raw is not None else _FOR_ITS_OWNER
        with suppress(FileNotFoundError):
            beside.unlink()  # a dead run's
        os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, former))
        beside.chmod(former)
        lake.store.write_whole(str(real), contents, beside=str(beside))
    except OSError as error:
        if not lake.is_local:
            raise
        reason = error.strerror or str(error)
        raise LakeError(f"{path}: it can't be written ({reason}); it is as it was: give yourself the right to it") from error
