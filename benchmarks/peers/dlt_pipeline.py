"""dlt: its filesystem source, its JSONL reader, its own normalisation, Parquet files. Not the same work.

It makes a table of every list, keeps the union tags as columns, reads no times and has no partitions by date.
"""

import os
from pathlib import Path

import dlt
from dlt.sources.filesystem import filesystem, read_jsonl

from peers.program import WORKERS, run

_SETTINGS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
    "NORMALIZE__WORKERS": str(WORKERS),
    "LOAD__WORKERS": str(WORKERS),
    "DATA_WRITER__FILE_MAX_ITEMS": "5000",  # else there is one file between two steps, and so work for one process
    "DATA_WRITER__DISABLE_COMPRESSION": "true",  # of the files between two steps
}


def work(source: Path, out: Path) -> None:
    """Run one pipeline into `out`."""
    os.environ |= _SETTINGS
    pipeline = dlt.pipeline(
        "engagements",
        pipelines_dir=str(out / "state"),
        destination=dlt.destinations.filesystem(bucket_url=(out / "tables").as_uri()),
        dataset_name="engagements",
    )
    documents = filesystem(bucket_url=source.as_uri(), file_glob="*.gz") | read_jsonl()
    pipeline.run(documents.with_name("documents"), loader_file_format="parquet")


if __name__ == "__main__":
    run(work)
