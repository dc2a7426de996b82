"""Our load in a process that has imported it: `lakehouse load` without its start."""

from pathlib import Path

from peers.program import run
from pipeline.lake.lake import Lake
from pipeline.load.find import find_files, incoming_from
from pipeline.load.load import load
from pipeline.load.session import writing


def work(source: Path, out: Path) -> None:
    """Load as the command does."""
    lake = Lake(str(out))
    incoming = incoming_from(find_files([str(source)]))
    with writing(lake):
        load(lake, incoming)


if __name__ == "__main__":
    run(work)
