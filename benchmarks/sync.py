"""Compare a sync with the bare latency of its downloads: `python benchmarks/sync.py`.

A sandbox in a separate process serves 1,000 files of some 20 kB, each answer 50 ms late. The time is that of a sync of all into
an empty lake, with process start, listing, decoding, commit and DuckDB file; the ideal is the downloads' latency alone.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from approaches import lakehouse_command
from measure import fresh_output, machine

from pipeline.lake.lake import Lake
from pipeline.sandbox import Account, Sandbox
from pipeline.settings import DOWNLOADS

ACCOUNT = Account("4711", conversations_per_day=3000, sessions_per_part=20)
UNTIL = datetime(2026, 3, 8, tzinfo=UTC)
SINCE = UNTIL - timedelta(days=30)
_WINDOW = ("--since", f"{SINCE:%Y-%m-%d}", "--until", f"{UNTIL:%Y-%m-%d}")


def serve(latency_ms: int) -> None:
    """Run the sandbox: print its settings, then serve until killed."""
    served = Sandbox([ACCOUNT], now=UNTIL, delay_seconds=latency_ms / 1000, kept_files=100_000)
    print(served.base_url, *served.credentials(ACCOUNT.account_id).secrets, flush=True)
    served.serve()


@contextmanager
def served(latency_ms: int) -> Iterator[dict[str, str]]:
    """Yield the settings of a sandbox that runs meanwhile."""
    command = [sys.executable, __file__, "--serve", str(latency_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        names = ("LP_BASE_URL", "LP_APP_KEY", "LP_APP_SECRET", "LP_ACCESS_TOKEN", "LP_ACCESS_TOKEN_SECRET")
        try:
            assert process.stdout is not None
            yield dict(zip(names, process.stdout.readline().split(), strict=True)) | {"LP_ACCOUNT_ID": ACCOUNT.account_id}
        finally:
            process.kill()


def main() -> None:
    """Run the benchmark of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--latency-ms", type=int, default=50)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--downloads", type=int, default=DOWNLOADS, help="the setting LP_DOWNLOADS")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        serve(options.serve)
        return
    with served(options.latency_ms) as settings:
        settings["LP_DOWNLOADS"] = str(options.downloads)
        window = _window_of(options.files, settings)
        seconds = []
        for turn in range(options.rounds + 1):
            with fresh_output() as out:
                took = _sync(out, window, settings)
                files = [path.stat().st_size for path in (out / "landing").rglob("*.gz")]
            if turn:  # the first one has the sandbox make the files
                seconds.append(took)
                print(f"{took:.2f} s", file=sys.stderr, flush=True)
    here = machine()
    ideal = len(files) * options.latency_ms / 1000 / options.downloads
    print(f"{here['processor']}, {here['cores']} cores; Python {here['python']}; {len(seconds)} rounds.\n")
    print(
        f"{len(files):,} files, {sum(files) / len(files) / 1000:.1f} kB each on average, {options.latency_ms} ms of latency: ",
        end="",
    )
    print(f"{median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f}), ", end="")
    print(f"{median(seconds) / ideal:.2f} times the {ideal:.2f} s of {options.downloads} downloads at a time.")


def _window_of(files: int, settings: dict[str, str]) -> tuple[str, ...]:
    """Return the number of hours up to the end that have about so many files."""
    listed = _lakehouse(("sync", "--dry-run", *_WINDOW, "--lake", "nowhere"), settings).stdout.split()
    first = listed[-min(files, len(listed))]
    start = datetime.fromtimestamp(int(first.split(".")[1]) / 1000, UTC)
    return ("--since", f"{start:%Y-%m-%dT%H:%M}", "--until", f"{UNTIL:%Y-%m-%d}")


def _sync(lake: Path, window: tuple[str, ...], settings: dict[str, str]) -> float:
    began = time.perf_counter()
    _lakehouse(("sync", *window, "--lake", str(lake)), settings)
    seconds = time.perf_counter() - began
    assert Lake(str(lake)).snapshot().rows["conversations"]
    return seconds


def _lakehouse(arguments: tuple[str, ...], settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [*lakehouse_command(), *arguments]
    return subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=True)  # noqa: S603


if __name__ == "__main__":
    main()
