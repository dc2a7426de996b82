"""Compare the rows of two ways to load by a fingerprint of every column that does not depend on the order of rows."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
from parquet_tables import PARTITIONED

from pipeline import schema
from pipeline.lake.lake import Lake

_SHOWN = 3


@dataclass(frozen=True)
class Fingerprint:
    """A table's number of rows, and for each column the sum of the hashes of (key of the row, text of the value)."""

    rows: int
    columns: dict[str, int]

    def differences(self, other: "Fingerprint") -> list[str]:
        """Return the columns that differ: all of them if a key differs or a row is missing."""
        return [name for name, total in self.columns.items() if other.columns[name] != total]


def relation(output: Path, table: schema.Table) -> str:
    """Return a table as DuckDB reads it: the newest load of a lake, or a folder of Parquet files a date."""
    lake = Lake(str(output))
    files = (
        lake.locations(table.name, lake.snapshot().files[table.name]) if lake.exists else [f"{output}/{table.name}/*/*.parquet"]
    )
    return f"read_parquet({files}, hive_partitioning = true, hive_types = {{'date': date}})"


def connect() -> duckdb.DuckDBPyConnection:
    """Open DuckDB with times in UTC."""
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    return connection


def fingerprints(output: Path) -> dict[str, Fingerprint]:
    """Return the fingerprint of each of the three tables."""
    with connect() as connection:
        found = {}
        for table in PARTITIONED:
            names = [column.name for column in table.columns]
            key = "account_id, conversation_id" + (", position" if "position" in names else "")
            sums = ", ".join(f"sum(hash({key}, {name}::varchar))" for name in names)
            rows, *totals = connection.sql(f"select count(*), {sums} from {relation(output, table)}").fetchall()[0]
            found[table.name] = Fingerprint(rows, dict(zip(names, totals, strict=True)))
    return found


def describe_differences(expected: Path, found: Path) -> list[str]:
    """Return a sentence for each table that differs, with some rows that only one side has."""
    theirs, ours = fingerprints(found), fingerprints(expected)
    told = []
    for table in PARTITIONED:
        columns = ours[table.name].differences(theirs[table.name])
        if columns or ours[table.name].rows != theirs[table.name].rows:
            rows = f"{ours[table.name].rows:,} rows expected, {theirs[table.name].rows:,} found"
            told.append(f"{table.name}: {rows}; columns that differ: {', '.join(columns)}")
            told += [f"  {line}" for line in _examples(expected, found, table, columns[:_SHOWN])]
    return told


def _examples(expected: Path, found: Path, table: schema.Table, columns: list[str]) -> list[str]:
    names = ", ".join(dict.fromkeys(["conversation_id", *columns]))
    with connect() as connection:
        first, second = relation(expected, table), relation(found, table)
        return [
            f"only {side}: {row}"
            for side, one, other in (("expected", first, second), ("found", second, first))
            for row in connection.sql(
                f"select {names} from {one} except all select {names} from {other} limit {_SHOWN}"
            ).fetchall()
        ]
