"""Count the requests of an hourly load to a bucket: `python benchmarks/bucket.py`.

It loads hour after hour of 50 small files into a lake behind an S3 API on loopback, which counts the requests and answers
each after `--latency` milliseconds. It prints medians over the hours after the first ten, in Markdown. It needs the extra
s3 and the libraries of the tests.
"""

import argparse
import json
import logging
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from threading import Lock
from typing import Any

import requests
from grown_lakes import ACCOUNT_ID, END, PARTS, last_days, tiny_files
from moto.moto_server.werkzeug_app import create_backend_app
from scale_runs import KEPT_DAYS
from werkzeug.serving import make_server

from pipeline.lake.lake import Lake
from pipeline.lake.ledger import LoadedFiles
from pipeline.lake.listings import heard, remember
from pipeline.lake.snapshot import LEDGER, Snapshot
from pipeline.load.engines import Processes
from pipeline.load.find import find_files, incoming_from
from pipeline.load.load import load
from pipeline.load.session import writing

_YOUNG_HOURS = 10  # a lake's first checkpoint comes after them
_STEPS = ("snapshot", "known", "read", "commit", "publish")
_ASKED = "/requests-so-far"
Request = tuple[float, str, str]
"""When it was answered, its method, its path."""


class _Store:
    """Moto's S3 as a WSGI application that notes its requests, and serves the notes, too."""

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._asked: list[Request] = []
        self._moto = create_backend_app("s3")
        self._one_at_a_time = Lock()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request, as late as a distant store."""
        if environ["PATH_INFO"] == _ASKED:
            start("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(self._asked).encode()]
        time.sleep(self._latency)
        with self._one_at_a_time:
            answer = list(self._moto(environ, start))
        self._asked.append((time.perf_counter(), environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        return answer


def main() -> None:
    """Run the benchmark of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=int, default=40, help="how many hours are loaded (default 40)")
    parser.add_argument("--latency", type=float, default=30, help="ms until a request is answered (default 30)")
    options = parser.parse_args()
    with _serving(options.latency) as address, tempfile.TemporaryDirectory() as folder:
        hours = list(_load_hours(address, Path(folder), options.hours))[_YOUNG_HOURS:]
    print(f"| {options.latency:g} ms a request | {' | '.join(_STEPS)} |\n| --- | {'--- | ' * len(_STEPS)}")
    for place, unit in enumerate(("requests", "seconds")):
        taken = {step: [hour[step][place] for hour in hours] for step in _STEPS}
        told = (f"{median(figures):.{place}f}, at most {max(figures):.{place}f}" for figures in taken.values())
        print(f"| {unit} | {' | '.join(told)} |")


@contextmanager
def _serving(latency: float) -> Iterator[str]:
    """Serve the store while the block runs, in a separate process: some calls here let no other thread run."""
    context = multiprocessing.get_context("spawn")
    ours, its = context.Pipe()
    process = context.Process(target=_serve, args=(latency / 1000, its), daemon=True)
    process.start()
    address: str = ours.recv()
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": address,
    }
    requests.put(f"{address}/lakes", timeout=30).raise_for_status()
    yield address
    process.terminate()


def _serve(latency: float, its: Connection) -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, _Store(latency), threaded=True)
    its.send(f"http://127.0.0.1:{server.server_port}")
    server.serve_forever()


def _load_hours(address: str, folder: Path, hours: int) -> Iterator[dict[str, tuple[int, float]]]:
    """Return requests and seconds of each step, hour by hour."""
    lake = Lake("s3://lakes/hourly")
    lake.create()
    for hour in range(hours):
        source = folder / str(hour)
        tiny_files(source, PARTS, first=END + hour * timedelta(hours=1))
        marks = [*_looked_up(lake), *_loaded(lake, source)]
        asked: list[Request] = requests.get(f"{address}{_ASKED}", timeout=30).json()
        committed = [when for when, method, path in asked if method == "PUT" and f"/{LEDGER}/_delta_log/" in path]
        marks.insert(-1, committed[-1])
        spans = zip(_STEPS, marks, marks[1:], strict=False)
        yield {step: (sum(began < when <= ended for when, *_ in asked), ended - began) for step, began, ended in spans}


def _looked_up(lake: Lake) -> Iterator[float]:
    yield time.perf_counter()
    lake.snapshot()
    yield time.perf_counter()
    LoadedFiles(lake).of(ACCOUNT_ID, since=END - timedelta(days=KEPT_DAYS))
    yield time.perf_counter()


def _loaded(lake: Lake, source: Path) -> tuple[float, float]:
    """Return the times at which the last file was read and the load was done."""
    moments: list[float] = []

    def now() -> datetime:
        moments.append(time.perf_counter())
        return END

    def listings(snapshot: Snapshot) -> Any:
        return remember(lake, snapshot, {ACCOUNT_ID: heard(last_days(KEPT_DAYS), failed=(), at=END)})

    with writing(lake):
        load(lake, incoming_from(find_files([str(source)])), engine=Processes(1), extra_changes=listings, now=now)
    return moments[1], time.perf_counter()  # the second moment is that of the first row of the ledger


if __name__ == "__main__":
    main()
