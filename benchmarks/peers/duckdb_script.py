"""One DuckDB script: `read_json` with full types, unnest, `COPY ... PARTITION_BY`. Two threads."""

from pathlib import Path
from string import Template

import duckdb

from peers.program import run


def work(source: Path, out: Path) -> None:
    """Run the script."""
    out.mkdir(parents=True, exist_ok=True)
    script = Path(__file__).with_suffix(".sql").read_text()
    duckdb.connect().execute(Template(script).substitute(source=source, out=out))


if __name__ == "__main__":
    run(work)
