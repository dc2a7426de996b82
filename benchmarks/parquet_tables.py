"""Write the three tables for all peers in Python, so that these differ only in how they read."""

from collections import defaultdict
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import schema

PARTITIONED = (schema.CONVERSATIONS, schema.MESSAGES, schema.TRANSFERS)
_TOO_VARIOUS = ("conversation_id", "text", "message_id")  # a dictionary of these costs time and saves nothing
MOST_MESSAGES = 100_000
"""So many messages are held in memory before they are written, give or take those of a file."""


def write(rows: pa.Table, path: Path) -> None:
    """Write one Parquet file, compressed with zstd, with dictionaries where they pay."""
    path.parent.mkdir(parents=True, exist_ok=True)
    texts = [item.name for item in rows.schema if pa.types.is_string(item.type) and item.name not in _TOO_VARIOUS]
    pq.write_table(rows, path, compression="zstd", use_dictionary=texts)


def by_date(rows: pa.Table) -> dict[str, pa.Table]:
    """Return the rows of each date, without that column."""
    dates = pc.unique(rows["date"])
    return {str(date): rows.filter(pc.equal(rows["date"], date)).drop_columns(["date"]) for date in dates}


class Held:
    """Rows of the three tables, held until they fill one Parquet file a table and date."""

    def __init__(self, folder: Path, writer: str) -> None:
        self.folder = folder
        self.writer = writer
        self.held: dict[str, list[pa.Table]] = defaultdict(list)
        self.flushes = 0

    def add(self, name: str, rows: pa.Table) -> None:
        """Hold rows of a table, `date` among their columns."""
        self.held[name].append(rows)

    def flush(self, *, least_messages: int = 0) -> None:
        """Write the held rows, if they are that many."""
        if sum(rows.num_rows for rows in self.held["messages"]) < least_messages:
            return
        self.flushes += 1
        for table in PARTITIONED:
            if self.held[table.name]:
                for date, rows in by_date(pa.concat_tables(self.held[table.name])).items():
                    name = f"{self.writer}-{self.flushes}.parquet"
                    write(rows, self.folder / table.name / f"date={date}" / name)
        self.held.clear()
