"""The names of ids: `skills.csv`, `agents.csv` and `campaigns.csv` in the lake, and the small tables that they become.

Each file is optional and edited by people, in spreadsheets, too. Its lines become rows of the table `skill_names`,
`agent_names` or `campaign_names` in the DuckDB file, which views join. A wrong line does not count, and a sentence says so;
the other lines count. `topics.csv`, with the patterns of topics, is read by the same rules.
"""

import csv
import io
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from pipeline.text import harmless
from pipeline.warehouse.name_kinds import DAY, FLAG, ID, LONGEST, NUMBER, PATTERN, ROUNDED, TEXT, Kind

HELPER: Final = "nickname"
"""A column that `lakehouse names` writes into agents.csv: it is the name of an agent without another."""

_DELIMITERS: Final = ",;\t"
_MOST_SHOWN: Final = 60  # characters of a wrong value
_FORMULA: Final = re.compile(r"[=+\-@'\t\r]")
_GUARD: Final = "'"


class NameColumn(NamedTuple):
    """A column of a file of names and of its table."""

    name: str
    kind: Kind
    about: str

    @property
    def sql_type(self) -> str:
        """The column's type in SQL."""
        return self.kind.sql_type


class NameFile(NamedTuple):
    """A file of names, its table, and its columns: account, id, name, and more.

    A line without an account holds for all accounts, if that is allowed; else it is of the only one.
    """

    file_name: str
    table: str
    noun: str
    about: str
    columns: tuple[NameColumn, ...]
    is_for_all: bool = False

    @property
    def id_column(self) -> str:
        """The column with the id."""
        return self.columns[1].name

    @property
    def id_noun(self) -> str:
        """The word for the id: a topic has none, and is told by its name."""
        return "id" if self.id_column.endswith("_id") else self.id_column

    @property
    def name_column(self) -> str:
        """The column with the name."""
        return self.columns[2].name


_ACCOUNT: Final = NameColumn("account_id", ID, "Account of the id.")
_IS_BOT: Final = NameColumn("is_bot", FLAG, "True for a skill of bots; false where skills.csv does not say.")
_NICKNAME: Final = NameColumn(HELPER, TEXT, "Newest nickname that the agent's lines carry.")
NAME_FILES: Final = (
    NameFile(
        "skills.csv",
        "skill_names",
        "skill",
        "Names of skills, from skills.csv in the lake: a row for each line that says more than an id.",
        (
            _ACCOUNT,
            NameColumn("skill_id", NUMBER, "The skill."),
            NameColumn("skill_name", TEXT, "Name of the skill; NULL: it has none."),
            _IS_BOT,
            NameColumn("skill_group", TEXT, "Group of the skill; NULL: it has none."),
        ),
    ),
    NameFile(
        "agents.csv",
        "agent_names",
        "agent",
        "Names of agents, from agents.csv in the lake: a row for each line that says more than an id.",
        (
            _ACCOUNT,
            NameColumn("agent_id", ID, "The agent."),
            NameColumn("agent_name", TEXT, "Name of the agent, else the nickname in agents.csv; NULL: there is neither."),
            NameColumn("agent_group", TEXT, "Group of the agent; NULL: it has none."),
            NameColumn("employee_id", TEXT, "The agent's id in another system; NULL: it is not known."),
            NameColumn("is_bot", FLAG, "True for a bot; NULL: the file does not say, so the skill tells."),
            NameColumn("hired_on", DAY, "Day on which the agent was hired; NULL: it is not known."),
        ),
    ),
    NameFile(
        "campaigns.csv",
        "campaign_names",
        "campaign",
        "Names of campaigns, from campaigns.csv in the lake: a row for each line that says more than an id.",
        (
            _ACCOUNT,
            NameColumn("campaign_id", NUMBER, "The campaign."),
            NameColumn("campaign_name", TEXT, "Name of the campaign; NULL: it has none."),
        ),
    ),
)
TOPICS: Final = NameFile(
    "topics.csv",
    "topics",
    "topic",
    "Topics, from topics.csv in the lake: a regular expression for each, which a visitor's line of the topic matches.",
    (
        NameColumn("account_id", ID, "Account whose conversations are looked at; NULL: all."),
        NameColumn("name", TEXT, "Name of the topic."),
        NameColumn("pattern", PATTERN, "Regular expression of RE2, in which case does not matter."),
    ),
    is_for_all=True,
)
EDITED_FILES: Final = (*NAME_FILES, TOPICS)
"""All files that people edit and that become tables of their own."""


class NameTable(NamedTuple):
    """A table in the DuckDB file: its meaning, and type and meaning of each column."""

    name: str
    about: str
    columns: dict[str, tuple[str, str]]


NAME_TABLES: Final = (
    *(
        NameTable(one.table, one.about, {column.name: (column.sql_type, column.about) for column in one.columns})
        for one in EDITED_FILES
    ),
    NameTable(
        "name_files",
        "The files of names that the tables of names were filled from.",
        {
            "file_name": ("VARCHAR", "Name of the file in the lake."),
            "digest": ("VARCHAR", "SHA-256 of the file, in hexadecimal, or why it can't be read."),
            "faults": ("VARCHAR[]", "A sentence for each line that does not count, or for the file."),
        },
    ),
)


class Names(NamedTuple):
    """The content of a file of names.

    Attributes:
        rows: of its table; None: the file can't be used at all.
        ids: account and id of every line that has a good id, with a name or not.
        faults: a sentence for each line that does not count, or for the file.
        notes: a sentence for each column that is not read.
        nicknamed: account and id of the rows whose name is only a nickname.
        lines: the number of the line that counts, by account and id.
    """

    rows: list[tuple[Any, ...]] | None
    ids: frozenset[tuple[str | None, Any]]
    faults: list[str]
    notes: list[str]
    nicknamed: frozenset[tuple[str | None, Any]] = frozenset()
    lines: Mapping[tuple[str | None, Any], int] = MappingProxyType({})


class FaultError(Exception):
    """A line, or the file, can't be used: the sentence."""


class UnknownAccountsError(Exception):
    """The accounts of the lake can't be read, so a line without an account could be of any."""


def parse_names(raw: bytes, file: NameFile, accounts: Callable[[], Collection[str]]) -> Names:
    """Read a file of names; a line without an account belongs to the lake's account, if there is one only.

    Args:
        raw: UTF-8 text of lines separated by commas, semicolons or tabs, as in its first line, the header.
        file: says what is expected.
        accounts: gives the accounts of the lake, "" for conversations that do not say theirs; called if a line has none.
    """
    try:
        reader = NameReader(raw, file, accounts)
        reader.read()
    except (FaultError, UnknownAccountsError) as fault:
        return Names(None, frozenset(), [f"{file.file_name}{fault}; no line counts, and the last names hold: correct it"], [])
    return Names(
        rows=list(reader.rows.values()),
        ids=frozenset(reader.ids),
        faults=reader.faults,
        notes=reader.notes(),
        nicknamed=frozenset(reader.nicknamed),
        lines=reader.lines,
    )


class NameReader:
    """Reads a file of names line by line.

    Raises:
        FaultError: the file can't be used at all.
    """

    def __init__(self, raw: bytes, file: NameFile, accounts: Callable[[], Collection[str]]) -> None:
        self.file = file
        self.rows: dict[tuple[str | None, Any], tuple[Any, ...]] = {}
        self.ids: set[tuple[str | None, Any]] = set()
        self.nicknamed: set[tuple[str | None, Any]] = set()
        self._faults: list[tuple[int, str]] = []
        self.lines: dict[tuple[str | None, Any], int] = {}
        self._ask_accounts = accounts
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise FaultError(": expected UTF-8 text, found other bytes") from error
        first = text.lstrip("\r\n").partition("\n")[0]
        self.delimiter = max(_DELIMITERS, key=first.count)
        self._lines = io.StringIO(text, newline="").readlines()
        records = ((number, cells) for number, cells in self._split() if any(map(str.strip, cells)))
        number, header = next(records, (1, []))
        self.header = [re.sub(r"\s+", "_", cell.strip().lower()) for cell in header]
        self._require_columns(number)
        self._records = list(records)

    def _require_columns(self, number: int) -> None:
        known = [name for name in self.header if name]
        if self.file.id_column not in known or len(known) != len(set(known)):
            columns = ", ".join(column.name for column in self.file.columns)
            found = ", ".join(known)[:_MOST_SHOWN] or "nothing"
            expected = f"expected a header with {self.file.id_column}, each of {columns} at most once"
            raise FaultError(f", line {number}: {expected}, found {found!r}")
        if "account_id" not in known and not self.file.is_for_all and len(self._known_accounts) > 1:
            named = " and ".join(self._known_accounts[:2])
            raise FaultError(f", line {number}: expected the column account_id, as the lake has accounts {named}, found none")

    @property
    def faults(self) -> list[str]:
        """A sentence for each line that does not count, in the order of the lines."""
        return [fault for _, fault in sorted(self._faults)]

    @cached_property
    def _usable(self) -> dict[str, frozenset[str]]:
        """The texts that can be read, of each column whose texts are judged together."""
        judged = [column for column in self.file.columns if column.kind.usable and column.name in self.header]
        places = {column: self.header.index(column.name) for column in judged}
        return {
            column.name: column.kind.usable({_cleaned(cells[at]) for _, cells in self._records if at < len(cells)} - {""})
            for column, at in places.items()
            if column.kind.usable
        }

    @cached_property
    def _accounts(self) -> list[str]:
        return sorted(self._ask_accounts())

    @property
    def _known_accounts(self) -> list[str]:
        return list(filter(None, self._accounts))

    def read(self) -> None:
        """Read all lines: the good ones become rows, the others faults."""
        for number, cells in self._records:
            try:
                self._add(number, cells)
            except FaultError as fault:
                self._fault(number, str(fault))

    def notes(self) -> list[str]:
        """List the columns that are not read."""
        known = {column.name for column in self.file.columns} | {HELPER, ""}
        return [
            f"{self.file.file_name}: the column {name[:_MOST_SHOWN]!r} is kept, and not read"
            for name in self.header
            if name not in known
        ]

    def _add(self, number: int, cells: list[str]) -> None:
        given = {name: _cleaned(cell) for name, cell in zip(self.header, cells, strict=False) if name}
        account, own_id, *others = self.file.columns
        account_id, ident = self._account(self._value(account, given)), self._value(own_id, given)
        if ident is None:
            an_id = "an id" if self.file.id_noun == "id" else own_id.kind.expected
            raise FaultError(f"{own_id.name}: expected {an_id}, found nothing")
        if account_id is None and not self.file.is_for_all:
            return  # nothing is loaded yet, so the id is nobody's
        key = account_id, ident
        self.ids.add(key)
        if any(map(str.strip, cells[len(self.header) :])):
            found = f"expected {len(self.header)} values, found {len(cells)}"
            raise FaultError(f"{found}; put those with {self.delimiter!r} in quotes")
        if key in self.lines:
            of = f"{self.file.noun} {key[1]} of account {key[0]}" if key[0] else f"{self.file.noun} {key[1]}"
            raise FaultError(f"expected each {self.file.id_noun} once, found {of}, as in line {self.lines[key]}, which counts")
        values = [self._value(column, given) for column in others]
        if self.file.is_for_all and None in values:
            column = others[values.index(None)]
            raise FaultError(f"{column.name}: expected {column.kind.expected}, found nothing")
        nickname = self._nickname(given)
        self.lines[key] = number
        if nickname and values[0] is None:
            values[0] = nickname
            self.nicknamed.add(key)
        if any(value is not None for value in values):
            is_bot = others.index(_IS_BOT) if _IS_BOT in others else None
            self.rows[key] = (*key, *(bool(value) if at == is_bot else value for at, value in enumerate(values)))

    def _account(self, given: str | None) -> str | None:
        """The account of a line; one that does not say it belongs to the only account of the lake. None: there is none yet."""
        if self.file.is_for_all or given is not None:
            return given
        known = self._known_accounts
        if len(known) > 1:
            raise FaultError("account_id: expected an account, as the lake has several, found nothing")
        if self._accounts and not known:
            raise FaultError("account_id: expected an account, as the lake's conversations do not say theirs, found nothing")
        return next(iter(known), None)

    def _value(self, column: NameColumn, given: Mapping[str, str]) -> Any:
        cell = given.get(column.name, "")
        value = column.kind.read(cell) if cell else None
        if cell and (value is None or cell not in self._usable.get(column.name, (cell,))):
            found = f"{column.name}: expected {column.kind.expected}, found {cell[:_MOST_SHOWN]!r}"
            raise FaultError(found + (", rounded by a spreadsheet" if ROUNDED.fullmatch(cell) else ""))
        return value

    def _nickname(self, given: Mapping[str, str]) -> str | None:
        """The nickname on an agent's line; None: there is none."""
        return self._value(_NICKNAME, given) if self.file.name_column == "agent_name" else None

    def _fault(self, number: int, fault: str) -> None:
        told = f"{self.file.file_name}, line {number}: {fault}; the line does not count: correct or delete it"
        self._faults.append((number, told))

    def _split(self) -> Iterator[tuple[int, list[str]]]:
        """Give the number and the cells of each line; after one that is no CSV, go on with the next."""
        start = 0
        while start < len(self._lines):
            records = csv.reader(self._lines[start:], delimiter=self.delimiter, strict=True, skipinitialspace=True)
            done = start
            try:
                for cells in records:
                    yield done + 1, cells
                    done = start + records.line_num
                start = len(self._lines)
            except csv.Error as error:
                yield from self._split_again(done, str(error))
                start = done + 1

    def _split_again(self, at: int, problem: str) -> Iterator[tuple[int, list[str]]]:
        """Give the cells of a line that has blanks between quotes and delimiters."""
        line = re.sub(rf'"[ \t]+(?={self.delimiter}|$)', '"', self._lines[at].rstrip("\r\n"))
        try:
            yield at + 1, next(csv.reader([line], delimiter=self.delimiter, strict=True, skipinitialspace=True))
        except csv.Error:
            if not at:
                raise FaultError(f", line 1: expected a header of separated values, found none ({problem})") from None
            self._fault(at + 1, f"expected separated values, found none ({problem})")


def _cleaned(cell: str) -> str:
    """A cell without line ends and blanks around, and without the guard that keeps a spreadsheet from running it."""
    text = " ".join(cell.split())
    return text[1:] if text.startswith(_GUARD) and _FORMULA.match(text[1:]) else text


def guarded(text: str) -> str:
    """A text from outside as a cell: on one line, without controls, and no formula to a spreadsheet."""
    line = harmless(" ".join(text.split()))[:LONGEST]
    return _GUARD + line if _FORMULA.match(line) else line
