"""Read an hour of the sandbox with the installed package, on both paths, and compare: where not every library has a wheel."""

import sys
from datetime import UTC, datetime
from typing import Any

from pipeline.decode.reader import RowReader
from pipeline.decode.scanner import PADDING, NoScanner, Scanner, why_careful
from pipeline.sandbox import demo_accounts, documents
from pipeline.source_files import Source

ACCOUNT = demo_accounts()[0]
HOUR = datetime(2026, 11, 10, 15, tzinfo=UTC)


def read(scanner: Scanner | NoScanner) -> dict[str, list[dict[str, Any]]]:
    """The rows of each table."""
    reader = RowReader(scanner=scanner)
    reader.begin(Source("hour.gz", account_id=ACCOUNT.account_id))
    reader.feed(b"".join(line + b"\n" for line in documents(ACCOUNT, HOUR)) + PADDING)
    reader.finish()
    reader.keep()
    return {name: table.to_pylist() for name, table in reader.drain()[0].items()}


if reason := why_careful():
    sys.exit(reason)
scanner = Scanner()
scanned, careful = read(scanner), read(NoScanner())
if not scanner.documents or scanned != careful:
    sys.exit("the scanner and the careful path read other rows")
counts = ", ".join(f"{len(rows)} {name}" for name, rows in scanned.items())
print(f"the scanner and the careful path read the same: {counts}")
