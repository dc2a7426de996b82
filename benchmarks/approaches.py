"""Describe the compared ways to load: the command, the needed package, the remark of each."""

import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shutil import rmtree

from made_files import FileSet
from measure import run

_SOURCE, _OUT, _TABLES = "SOURCE", "OUT", "TABLES"


@dataclass(frozen=True)
class Approach:
    """A way to load. `words` is its command, with SOURCE, OUT and TABLES for the folders of files, output and made tables."""

    key: str
    title: str
    words: tuple[str, ...]
    needs: str | None = None
    gives_tables: bool = True
    is_slow: bool = False
    is_limit: bool = False

    @property
    def is_available(self) -> bool:
        """Tell whether the needed package is installed."""
        return self.needs is None or find_spec(self.needs) is not None

    def command(self, files: FileSet, out: Path) -> list[str]:
        """Return the command that loads `files` into `out`."""
        folders = {_SOURCE: str(files.folder), _OUT: str(out), _TABLES: str(files.tables)}
        return [folders.get(word, word) for word in self.words]


def lakehouse_command() -> tuple[str, ...]:
    """Return the command beside this Python, as users call it."""
    script = Path(sys.executable).with_name("lakehouse")
    return (str(script),) if script.exists() else (sys.executable, "-m", "pipeline")


def _peer(module: str, *options: str, source: str = _SOURCE) -> tuple[str, ...]:
    return (sys.executable, "-m", f"peers.{module}", source, _OUT, *options)


def make_tables(files: FileSet) -> None:
    """Make the three tables of the files, unless they exist; the limit of writing needs them."""
    if not files.tables.exists():
        made = files.tables.with_suffix(".partial")
        rmtree(made, ignore_errors=True)
        run((sys.executable, "-m", "peers.arrow_kernels", str(files.folder), str(made)))
        made.rename(files.tables)


OURS = Approach("a", "`lakehouse load`, all checks on", (*lakehouse_command(), "load", _SOURCE, "--lake", _OUT))
INSIDE = Approach("a-inside", "the same, called in a process that has started", _peer("ours"))
ALL = (
    OURS,
    INSIDE,
    Approach("b", "one DuckDB script: `read_json` with full types, unnest, `COPY`; 2 threads", _peer("duckdb_script")),
    Approach("c", "pyarrow: JSON reader with full types, compute kernels; 2 processes", _peer("arrow_kernels")),
    Approach("d", "`gzip` + `json` + dictionaries to Arrow; 1 process", _peer("dictionaries")),
    Approach("d2", "`gzip` + `orjson` + dictionaries to Arrow; 1 process", _peer("dictionaries", "--orjson"), needs="orjson"),
    Approach(
        "e",
        "dlt: filesystem, JSONL, Parquet; 2 workers; other tables, no times, no dates",
        _peer("dlt_pipeline"),
        needs="dlt",
        gives_tables=False,
        is_slow=True,
    ),
    Approach("f1", "limit: gunzip alone; 2 processes", _peer("limits", "gunzip"), gives_tables=False, is_limit=True),
    Approach(
        "f2",
        "limit: gunzip + parse, nothing extracted; 2 processes",
        _peer("limits", "parse"),
        needs="simdjson",
        gives_tables=False,
        is_limit=True,
    ),
    Approach("f3", "limit: Parquet write from memory; 2 threads", _peer("limits", "write", source=_TABLES), is_limit=True),
)
