"""Time an hourly load into a large lake: `python benchmarks/hourly.py`.

It once makes a lake of 25,000 source files, more than three years of a small account. Then it loads the next hours one
by one, each into that lake and into an empty one in turn; ratios compare within a round. It prints a Markdown table.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median

from approaches import lakehouse_command
from made_files import DEFAULT_FOLDER, FileSet, years_set
from measure import MB, Run, fresh_output, machine, run

from pipeline.lake.lake import Lake

_CHUNK = 500  # source files that a load takes while the full lake is made


def main() -> None:
    """Run the benchmark of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="how many hours are loaded (default 15)")
    parser.add_argument("--data", type=Path, default=DEFAULT_FOLDER, help="where files and lake are kept (default %(default)s)")
    options = parser.parse_args()
    files = years_set(options.data)
    standing, hours = files.paths[: -options.rounds], files.paths[-options.rounds :]
    full = options.data / "years-lake"
    _make_lake(full, standing)
    runs: dict[str, list[Run]] = {"empty": [], "full": []}
    with fresh_output() as out:
        out.mkdir()
        shutil.copytree(full, out / "full")
        for number, hour in enumerate(hours):
            for name in ("empty", "full") if number % 2 == 0 else ("full", "empty"):
                lake = out / (name if name == "full" else f"empty-{number}")
                runs[name].append(run((*lakehouse_command(), "load", str(hour), "--lake", str(lake))))
            print(*(f"{name} {done[-1].seconds:.2f} s" for name, done in runs.items()), file=sys.stderr, flush=True)
    _print_report(files, full, runs)


def _make_lake(full: Path, standing: list[Path]) -> None:
    """Load all but the timed hours, as many files at a time as in a good backfill."""
    if (full / "lakehouse.duckdb").exists():
        return
    made = full.with_suffix(".partial")
    shutil.rmtree(made, ignore_errors=True)
    for start in range(0, len(standing), _CHUNK):
        names = [str(path) for path in standing[start : start + _CHUNK]]
        subprocess.run((*lakehouse_command(), "load", *names, "--lake", str(made)), check=True, capture_output=True)  # noqa: S603
        print(f"{start + len(names):,} of {len(standing):,} files", file=sys.stderr, flush=True)
    made.rename(full)


def _print_report(files: FileSet, full: Path, runs: dict[str, list[Run]]) -> None:
    here = machine()
    counts = {name: len(listed) for name, listed in Lake(str(full)).snapshot().files.items()}
    ratios = [full.seconds / empty.seconds for full, empty in zip(runs["full"], runs["empty"], strict=True)]
    print(f"{here['processor']}, {here['cores']} cores; Python {here['python']}; {len(ratios)} rounds. ", end="")
    print(f"Full: {files.files - len(ratios):,} source files, {files.gz_bytes / MB:.0f} MB; Parquet files {counts}.\n")
    print("| an hourly load into | s, median (least to most) |\n| --- | --- |")
    for name, done in runs.items():
        seconds = [one.seconds for one in done]
        print(f"| {name} lake | {median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f}) |")
    print(f"\nFull takes {median(ratios):.2f} times as long as empty ({min(ratios):.2f} to {max(ratios):.2f}); at most 1.5.")


if __name__ == "__main__":
    main()
