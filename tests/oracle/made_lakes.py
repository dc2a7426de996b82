"""Lakes of made conversations, with names and settings: once as the product loads them, once as the plain model reads them."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from oracle.model import Model, Row, add_file
from pipeline.lake.lake import Lake
from pipeline.lake.listings import heard, remember
from pipeline.lake.snapshot import Change, Snapshot
from pipeline.load.engines import Processes
from pipeline.load.find import find_files, incoming_from
from pipeline.load.load import load
from pipeline.load.session import writing
from pipeline.schema import TABLES
from pipeline.source_files import ListedDay
from pipeline.warehouse import library
from pipeline.warehouse.database import connect
from pipeline.warehouse.rules import RuleRow, filled_up

Tables = dict[str, pa.Table]

ACCOUNTS: Final = ("75555851", "75555852")
NAMES: Final[Mapping[str, tuple[Row, ...]]] = {
    "skills": (
        {"account_id": ACCOUNTS[0], "skill_id": 1, "skill_name": "Sales", "is_bot": False, "skill_group": "Front"},
        {"account_id": ACCOUNTS[0], "skill_id": 2, "skill_name": "Concierge", "is_bot": True, "skill_group": None},
        {"account_id": ACCOUNTS[0], "skill_id": -1, "skill_name": None, "is_bot": True, "skill_group": "Front"},
        {
            "account_id": ACCOUNTS[1],
            "skill_id": 1,
            "skill_name": "Other bot",
            "is_bot": True,
            "skill_group": None,
        },
    ),
    "agents": (
        {"account_id": ACCOUNTS[0], "agent_id": "bot", "agent_name": "Robin", "is_bot": True},
        {"account_id": ACCOUNTS[0], "agent_id": "A", "agent_name": "Ada", "is_bot": False, "agent_group": "Early"},
        {"account_id": ACCOUNTS[1], "agent_id": "B", "agent_name": None, "is_bot": True},
    ),
    "campaigns": ({"account_id": ACCOUNTS[0], "campaign_id": 7, "campaign_name": "Spring"},),
    "topics": (
        {"account_id": None, "name": "Refund", "pattern": r"\brefund"},
        {"account_id": ACCOUNTS[0], "name": "Refund", "pattern": "money back"},
        {"account_id": ACCOUNTS[1], "name": "Delivery", "pattern": "deliver|parcel"},
    ),
}
"""The rows of the CSVs: an id is a bot in one account and a person in the other, and some have no name."""

SETTINGS: Final[Mapping[str | None, Row]] = {
    None: {"time_zone": "Europe/London", "service_level_seconds": 1.0, "short_abandon_seconds": 0.999},
    ACCOUNTS[0]: {
        "time_zone": "America/New_York",
        "service_level_seconds": 5.001,
        "short_abandon_seconds": 1.001,
        "wait_bounds_seconds": [0.0, 0.001, 1.0, 5.0, 60.0],
        "response_bounds_seconds": [0.001, 1.0, 60.0],
        "interval_minutes": 5,
        "mcs_scale": "-100-100",
        "repeat_bounds_hours": [1.0, 24.0, 500.0],
        "resolution_hours": 24.0,
    },
}
"""Rules of the first account and those of all others; thresholds are times that the made conversations have often."""


@dataclass
class Made:
    """A lake by both: the model, and a database with the product's tables, views, names and settings."""

    model: Model
    connection: duckdb.DuckDBPyConnection

    def found(self, view: str) -> list[Row]:
        """The rows of a view of the product."""
        rows: list[Row] = self.connection.sql(f"from {view}").to_arrow_table().to_pylist()
        return rows


@dataclass(frozen=True)
class Given:
    """The contents of a lake: source files by name, in a folder of the account or none, rows of CSVs, settings by account."""

    files: Mapping[str, bytes]
    names: Mapping[str, tuple[Row, ...]] = field(default_factory=lambda: NAMES)
    settings: Mapping[str | None, Row] = field(default_factory=lambda: SETTINGS)
    listed: tuple[ListedDay, ...] = ()
    """The API's answers about the first account; none of these files could be downloaded."""

    def made(self, folder: Path) -> Made:
        """Load the files into a lake in a folder, and read them by the model, too."""
        model, connection = self.model(), self.database(folder)
        model.files, model.listings = (
            connection.sql(f"from {table}").to_arrow_table().to_pylist() for table in ("files", "listings")
        )
        return Made(model, connection)

    def model(self) -> Model:
        """The plain model of the files."""
        model = Model(settings={account: dict(rules) for account, rules in self.settings.items()})
        model.skills, model.agents, model.campaigns = (
            {(row["account_id"], row[f"{name}_id"]): row for row in self.names.get(f"{name}s", ())}
            for name in ("skill", "agent", "campaign")
        )
        model.topics = list(self.names.get("topics", ()))
        for name, text in self.files.items():
            add_file(model, text, Path(name).name)
        return model

    def database(self, folder: Path) -> duckdb.DuckDBPyConnection:
        """The product's own database of a lake into which the files are loaded, with the CSVs beside them."""
        lake = self.loaded(folder)
        for name, lines in self.names.items():
            columns = list(dict.fromkeys(column for line in lines for column in line))
            write_csv(folder / "lake" / f"{name}.csv", [columns, *([line.get(column) for column in columns] for line in lines)])
        rules = [[rule.setting, rule.account_id, rule.value, None] for rule in rule_rows(self.settings)]
        write_csv(folder / "lake" / "settings.csv", [["setting", "account_id", "value", "about"], *rules])
        return connect(lake)

    def loaded(self, folder: Path) -> Lake:
        """A lake into which the files are loaded."""
        source = folder / "source"
        source.mkdir(parents=True)
        for name, text in self.files.items():
            (source / name).parent.mkdir(exist_ok=True)
            (source / name).write_bytes(text)
        lake = Lake(str(folder / "lake"))
        with writing(lake):
            files = incoming_from(find_files([str(source)]))
            load(lake, files, engine=Processes(1), extra_changes=lambda snapshot: self._listings(lake, snapshot))
        return lake

    def _listings(self, lake: Lake, snapshot: Snapshot) -> dict[str, Change]:
        if not self.listed:
            return {}
        failed = [file.name for day in self.listed for file in day.files]
        return remember(lake, snapshot, {ACCOUNTS[0]: heard(self.listed, failed=failed, at=self.listed[-1].until)})


def write_csv(path: Path, rows: Iterable[list[Any]]) -> None:
    """Write rows as comma-separated values; NULL is empty."""
    with path.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows(rows)


def tables_of(lake: Lake) -> Tables:
    """The tables of a lake."""
    with connect(lake) as connection:
        return {name: connection.sql(f"from {name}").to_arrow_table() for name in TABLES}


def database_of(
    tables: Tables, names: Mapping[str, tuple[Row, ...]], settings: Mapping[str | None, Row]
) -> duckdb.DuckDBPyConnection:
    """A database in memory with these tables, and the product's views, names and settings."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    for name, rows in tables.items():
        connection.register("rows", rows)
        connection.execute(f"create table {name} as from rows")
        connection.unregister("rows")
    library.create_views(connection, rules=filled_up(rule_rows(settings)))
    for name in ("skill", "agent", "campaign"):
        fill(connection, f"{name}_names", names.get(f"{name}s", ()))
    return connection


def rule_rows(settings: Mapping[str | None, Row]) -> Iterable[RuleRow]:
    """The settings as the lines of `settings.csv`."""
    for account_id, rules in settings.items():
        for name, value in rules.items():
            yield RuleRow(name, account_id, ", ".join(map(str, value)) if isinstance(value, list) else str(value))


def fill(connection: duckdb.DuckDBPyConnection, table: str, rows: Iterable[Row]) -> None:
    """Insert rows into a table, columns that they lack as NULL."""
    for row in rows:
        places = ", ".join("?" * len(row))
        connection.execute(f"insert into {table} ({', '.join(row)}) values ({places})", list(row.values()))
