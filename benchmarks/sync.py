"""Compare a sync with the bare latency of its downloads: `python benchmarks/sync.py --downloads 4`.

A sandbox in a separate process serves 1,000 files of some 20 kB, each answer 50 ms late. The time is that of a sync of all into
an empty lake, with process start, listing, decoding, commit and DuckDB file. It is held against the downloads' latency alone,
and, in turns, against a bare client: as many sockets that get the same files by requests signed beforehand, and drop them.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import requests
from approaches import lakehouse_command
from measure import fresh_output, machine
from requests_oauthlib import OAuth1

from pipeline.lake.lake import Lake
from pipeline.sandbox import Account, Sandbox
from pipeline.settings import DOWNLOADS

ACCOUNT = Account("4711", conversations_per_day=3000, sessions_per_part=20)
UNTIL = datetime(2026, 3, 8, tzinfo=UTC)
SINCE = UNTIL - timedelta(days=30)
_KEYS = ("LP_APP_KEY", "LP_APP_SECRET", "LP_ACCESS_TOKEN", "LP_ACCESS_TOKEN_SECRET")
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
        try:
            assert process.stdout is not None
            yield dict(zip(("LP_BASE_URL", *_KEYS), process.stdout.readline().split(), strict=True)) | {
                "LP_ACCOUNT_ID": ACCOUNT.account_id
            }
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
        names = _lakehouse(("sync", "--dry-run", *window, "--lake", "nowhere"), settings).stdout.split()
        seconds, bare = [], []
        for turn in range(options.rounds + 1):
            with fresh_output() as out:
                took = _sync(out, window, settings)
                sizes = [path.stat().st_size for path in (out / "landing").rglob("*.gz")]
            if turn:  # the first one has the sandbox make the files
                seconds.append(took)
                bare.append(_bare(names, settings, options.downloads))
                print(f"{took:.2f} s, bare {bare[-1]:.2f} s", file=sys.stderr, flush=True)
    _report(options, sizes, seconds, bare)


def _report(options: argparse.Namespace, sizes: list[int], seconds: list[float], bare: list[float]) -> None:
    here = machine()
    ideal = len(sizes) * options.latency_ms / 1000 / options.downloads
    print(f"{here['processor']}, {here['cores']} cores; Python {here['python']}; {len(seconds)} rounds.\n")
    print(
        f"{len(sizes):,} files, {sum(sizes) / len(sizes) / 1000:.1f} kB each on average, {options.latency_ms} ms of latency: ",
        end="",
    )
    print(f"{median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f}), ", end="")
    print(f"{median(seconds) / ideal:.2f} times the {ideal:.2f} s of {options.downloads} downloads at a time, ", end="")
    print(f"{median(seconds) / median(bare):.2f} times the {median(bare):.2f} s of a bare client.")


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


def _bare(names: list[str], settings: dict[str, str], downloads: int) -> float:
    """Return the seconds in which as many sockets get all files."""
    base, session = f"{settings['LP_BASE_URL']}/data_access_le/account/{ACCOUNT.account_id}/le/engagement", requests.Session()
    app_key, app_secret, token, token_secret = (settings[key] for key in _KEYS)
    signer = OAuth1(app_key, app_secret, token, token_secret)
    signed = [session.prepare_request(requests.Request("GET", f"{base}/{name}", auth=signer)) for name in names]

    def get(first: int) -> None:
        connection = HTTPConnection(urlsplit(base).netloc)
        for request in signed[first::downloads]:
            connection.request("GET", request.path_url, headers=dict(request.headers))
            answer = connection.getresponse()
            assert answer.status == requests.codes.ok
            assert answer.read()
        connection.close()

    began = time.perf_counter()
    with ThreadPoolExecutor(downloads) as threads:
        list(threads.map(get, range(downloads)))
    return time.perf_counter() - began


def _lakehouse(arguments: tuple[str, ...], settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [*lakehouse_command(), *arguments]
    return subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=True)  # noqa: S603


if __name__ == "__main__":
    main()
