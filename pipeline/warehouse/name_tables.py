"""The tables of names in the DuckDB file: filled from the files of names in the lake, and compared with them."""

from collections.abc import Callable, Iterable
from functools import cache
from hashlib import sha256
from typing import Any, Final, NamedTuple

import duckdb

from pipeline.lake.lake import Lake
from pipeline.lake.snapshot import LEDGER, Snapshot
from pipeline.lake.sql import literal, literals, rows_in
from pipeline.processes import interruptible
from pipeline.schema import Type
from pipeline.text import counted
from pipeline.warehouse.names import EDITED_FILES, TOPICS, NameFile, Names, UnknownAccountsError, parse_names

Rows = list[tuple[Any, ...]]

_MOST_TOLD: Final = 3  # wrong lines of a file
_WITH_ACCOUNTS: Final = {LEDGER: "account_id", "conversations": "coalesce(account_id, '')"}
"""The tables that tell the accounts of a lake, and how."""
_TYPES: Final = {"VARCHAR": Type.TEXT, "BIGINT": Type.BIGINT, "BOOLEAN": Type.BOOLEAN, "DATE": Type.DAY}


class FoundFile(NamedTuple):
    """A file of names as it is in the lake; `problem` says why it can't be read, `remedy` what to do."""

    file: NameFile
    raw: bytes | None
    problem: str = ""
    remedy: str = ""

    @property
    def digest(self) -> str:
        """What changes with its content; "" if there is no such file."""
        return self.problem or ("" if self.raw is None else sha256(self.raw).hexdigest())


def find_name_files(lake: Lake) -> list[FoundFile]:
    """Read the files of names; those of a bucket at once.

    Raises:
        OSError: the store failed.
    """

    def find(file: NameFile) -> FoundFile:
        try:
            return FoundFile(file, lake.store.edited(lake.path(file.file_name)))
        except FileNotFoundError:
            return FoundFile(file, None)
        except OSError as error:
            if not lake.is_local:
                raise  # the store failed, not the file
            remedy = (
                "give yourself the right to it" if isinstance(error, PermissionError) else "put a file in its place, or none"
            )
            return FoundFile(file, None, f"it can't be read ({error.strerror or error})", remedy)

    return lake.store.map(find, EDITED_FILES)


def read_names(found: FoundFile, accounts: Callable[[], Iterable[str]]) -> Names:
    """Read a file of names as found in the lake; `accounts` gives those of the lake."""
    if found.problem:
        fault = f"{found.file.file_name}: {found.problem}; no line counts, and the last names hold: {found.remedy}"
        return Names(None, frozenset(), [fault], [])
    if found.raw is None:
        return Names([], frozenset(), [], [])
    return parse_names(found.raw, found.file, lambda: list(accounts()))


def names_of(lake: Lake) -> list[Names]:
    """Read the files of names of a lake, to tell what is wrong with them."""
    accounts = cache(lambda: accounts_of(lake, lake.snapshot(_WITH_ACCOUNTS)) if lake.exists else [])
    return [read_names(found, accounts) for found in find_name_files(lake)]


def tell_faults(faults: Iterable[str], lake: Lake, tell: Callable[[str], None]) -> None:
    """Tell the first faults of a file of names, and how many more there are."""
    told = list(faults)
    for fault in told[:_MOST_TOLD]:
        tell(f"{lake.uri}/{fault}")
    if len(told) > _MOST_TOLD:
        more = counted(len(told) - _MOST_TOLD, "more line")
        tell(f"{lake.uri}/{told[0].partition(',')[0]}: {more} like that; lakehouse doctor names each")


def has_names(connection: duckdb.DuckDBPyConnection, wanted: list[FoundFile]) -> bool:
    """Whether the file was made with these files of names; one that an older version made has none."""
    try:
        made_with = connection.execute("select file_name, digest from name_files").fetchall()
    except duckdb.CatalogException:
        return False
    return set(made_with) == {(found.file.file_name, found.digest) for found in wanted if found.digest}


def told_faults(connection: duckdb.DuckDBPyConnection) -> list[list[str]]:
    """The faults that the tables of names were made with, by file."""
    return [faults for (faults,) in connection.execute("select faults from name_files order by file_name").fetchall()]


def set_names(
    connection: duckdb.DuckDBPyConnection, lake: Lake, snapshot: Snapshot, former: Callable[[NameFile], Rows]
) -> None:
    """Fill the tables of names from the files; of one that can't be used at all the `former` rows hold."""
    accounts = cache(lambda: accounts_of(lake, snapshot))
    for one in find_name_files(lake):
        if one.digest:
            names = read_names(one, accounts)
            _insert(connection, one.file, former(one.file) if names.rows is None else names.rows)
            row = [one.file.file_name, one.digest, names.faults]
            connection.execute("insert into name_files values (?, ?, ?)", row)
    set_topics(connection)


def set_topics(connection: duckdb.DuckDBPyConnection) -> None:
    """Replace the macro `topics_in`, the names of an account's topics that a text matches.

    The patterns are constants in it: DuckDB reads those once for a query, not for each text.
    """
    found = connection.execute(f"select account_id, name, pattern from {TOPICS.table} order by name, account_id").fetchall()
    tests = [
        f"case when {'' if account is None else f'account_id = {literal(account)} and '}"
        f"regexp_matches(text, {literal(pattern)}, 'i') then {literal(name)} end"
        for account, name, pattern in found
    ]
    names = f"list_filter(list_distinct([{', '.join(tests)}]), lambda name: name is not null)" if tests else "[]::varchar[]"
    connection.execute(f"create or replace macro topics_in(account_id, text) as {names}")


def accounts_of(lake: Lake, snapshot: Snapshot) -> list[str]:
    """List the accounts of a lake: of conversations, "" for those that do not say theirs, and of source files.

    A source file of several accounts names none, and one of a single account may have conversations of another.

    Raises:
        UnknownAccountsError: a table can't be read.
    """
    selects = [
        f"select {account} from {rows_in(literals(lake.locations(table, snapshot.files[table])))}"
        for table, account in _WITH_ACCOUNTS.items()
        if snapshot.files[table]
    ]
    if not selects:
        return []
    try:
        with interruptible(duckdb.connect()) as connection:
            connection.execute("set temp_directory = ''")
            lake.store.register(connection)
            found = connection.execute(" union ".join(selects)).fetchall()
            return [account for (account,) in found if account is not None]
    except duckdb.Error as error:
        message = ": expected an account in each line, as the conversations can't be read to see which the lake has, found none"
        raise UnknownAccountsError(message) from error


def rows_of(connection: duckdb.DuckDBPyConnection, file: NameFile) -> Rows:
    """The rows that a table of names has."""
    columns = ", ".join(column.name for column in file.columns)
    return connection.execute(f"select {columns} from {file.table}").fetchall()


def _insert(connection: duckdb.DuckDBPyConnection, file: NameFile, rows: Rows) -> None:
    if rows:
        import pyarrow as pa

        given = [
            pa.array(values, _TYPES[column.sql_type].arrow)
            for column, values in zip(file.columns, zip(*rows, strict=True), strict=True)
        ]
        connection.register("given_names", pa.table(given, names=[column.name for column in file.columns]))
        connection.execute(f"insert into {file.table} from given_names")
        connection.unregister("given_names")
