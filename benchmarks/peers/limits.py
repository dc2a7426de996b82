"""The lower limits of any loader: `python -m peers.limits SOURCE OUT gunzip|parse|write`. Two processes, or threads for write.

gunzip: unpack every file. parse: unpack, and parse every line with the fastest parser, but extract no value. write:
SOURCE is a folder of the three tables; it reads them into memory first, and only the writing counts.
"""

import sys
from collections import deque
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from isal import igzip
from parquet_tables import PARTITIONED, write

from peers.program import WORKERS, folders, timed


@cache
def parser() -> Callable[[bytes], Any]:
    """Return the parser of this process."""
    import simdjson  # noqa: PLC0415 - optional

    parse_line: Callable[[bytes], Any] = simdjson.Parser().parse
    return parse_line


def gunzip(path: Path) -> int:
    """Unpack a file; returns its bytes."""
    return len(igzip.decompress(path.read_bytes()))


def parse(path: Path) -> int:
    """Unpack a file and parse its lines; returns their number."""
    parse_line = parser()
    lines = igzip.decompress(path.read_bytes()).splitlines()
    for line in lines:
        parse_line(line)
    return len(lines)


def over_files(work: Callable[[Path], int], source: Path) -> None:
    """Time `work` on every file, in processes that have started before."""
    paths = sorted(source.glob("*.gz"))
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("fork")) as pool:
        list(pool.map(work, paths[:WORKERS]))
        timed(lambda: deque(pool.map(work, paths, chunksize=4), maxlen=0))


def over_tables(source: Path, out: Path) -> None:
    """Time the writing of the tables, one Parquet file a table and date."""
    pieces: list[tuple[Path, pa.Table]] = []
    for table in PARTITIONED:
        for folder in sorted((source / table.name).glob("date=*")):
            rows = pa.concat_tables(pq.ParquetFile(path).read() for path in sorted(folder.glob("*.parquet")))
            pieces.append((out / table.name / folder.name / "part.parquet", rows.combine_chunks()))
    pieces.sort(key=lambda piece: -piece[1].nbytes)
    with ThreadPoolExecutor(WORKERS) as pool:
        timed(lambda: deque(pool.map(write_piece, pieces), maxlen=0))


def write_piece(piece: tuple[Path, pa.Table]) -> None:
    """Write one file."""
    path, rows = piece
    write(rows, path)


def main() -> None:
    """Measure the limit that the command line names."""
    source, out = folders()
    match sys.argv[3]:
        case "write":
            over_tables(source, out)
        case step:
            over_files({"gunzip": gunzip, "parse": parse}[step], source)


if __name__ == "__main__":
    main()
