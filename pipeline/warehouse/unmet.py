"""Lines of the files of names whose id no conversation has: most often the id is a typo, and the line names nothing."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import duckdb

from pipeline.lake.lake import Lake
from pipeline.lake.snapshot import LEDGER
from pipeline.lake.sql import literals, rows_in
from pipeline.processes import interruptible
from pipeline.text import counted
from pipeline.warehouse.name_tables import find_name_files, names_of
from pipeline.warehouse.names import NAME_FILES, NameFile, Names

_MOST_TOLD: Final = 3  # lines of a file
_COLUMNS: Final = {
    "skills.csv": (("conversations", "skill_id"), ("transfers", "skill_id"), ("transfers", "target_skill_id")),
    "agents.csv": (
        *(("conversations", "agent_id"), ("transfers", "agent_id"), ("transfers", "target_agent_id")),
        ("messages", "agent_id"),
    ),
    "campaigns.csv": (("conversations", "campaign_id"),),
}
"""Where the lake meets the ids of a file; the largest table last, since it is read for what the others lack."""


def unmet_note(file: NameFile, names: Names, connection: duckdb.DuckDBPyConnection, tables: Mapping[str, str]) -> str:
    """Give a sentence on the lines whose id no conversation has; "" if each is met, or the lake has no conversation.

    Args:
        file: the file of names.
        names: its content.
        connection: any that can read the tables.
        tables: the SQL of each table of the lake that has rows, and of conversations.
    """
    lines = dict(sorted(names.lines.items(), key=lambda line: line[1]))
    if not lines or not connection.execute(f"select 1 from {tables['conversations']} limit 1").fetchall():
        return ""
    for table, column in _COLUMNS[file.file_name]:
        if lines and table in tables:
            met = _met(connection, tables[table], column, {ident for _, ident in lines})
            lines = {key: number for key, number in lines.items() if key not in met}
    if not lines:
        return ""
    told = [f"line {number} ({file.noun} {key[1]} of account {key[0]})" for key, number in list(lines.items())[:_MOST_TOLD]]
    more = [f"{len(lines) - _MOST_TOLD:,} more"] if len(lines) > _MOST_TOLD else []
    all_lines = counted(len(names.lines), "line")
    return (
        f"{file.file_name}: no conversation has the id of {len(lines):,} of {all_lines}, which name nothing so far: "
        f"{', '.join([*told, *more])}; correct the ids that are typos"
    )


def unmet_notes(lake: Lake) -> list[str]:
    """Give the sentence on each file of names of a lake that has such lines; only the columns of ids are read.

    A table that can't be read costs the sentences, and is told by others.
    """
    named = [
        (found.file, names)
        for found, names in zip(find_name_files(lake), names_of(lake), strict=True)
        if found.file in NAME_FILES and names.lines
    ]
    if not named:
        return []
    wanted = {table for columns in _COLUMNS.values() for table, _ in columns} | {LEDGER}
    files = lake.snapshot(wanted).files
    tables = {
        table: rows_in(literals(lake.locations(table, files[table]))) for table in wanted if table != LEDGER and files[table]
    }
    if "conversations" not in tables:
        return []
    try:
        with interruptible(duckdb.connect()) as connection:
            connection.execute("set temp_directory = ''")
            lake.store.register(connection)
            return [note for file, names in named if (note := unmet_note(file, names, connection, tables))]
    except duckdb.Error:
        return []


def _met(connection: duckdb.DuckDBPyConnection, rows: str, column: str, idents: Iterable[Any]) -> set[tuple[Any, Any]]:
    """Give those of these ids that the column has, each with its account."""
    asked = f"select distinct account_id, {column} from {rows} where {column} in (select unnest(?))"
    return set(connection.execute(asked, [list(idents)]).fetchall())
