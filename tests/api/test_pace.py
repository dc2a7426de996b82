"""The pace: never more in flight than the setting says, fewer where the server asks for less, and no wait survives a stop."""

import io
import logging
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from threading import Lock, Thread
from typing import Any

import pytest
from sandboxes import MIDNIGHT, QUICK, misbehaving
from scripted_api import ACCOUNT, CREDENTIALS, LISTING_PATH, Reply, ScriptedApi, listed

from pipeline.api.client import DataAccessClient
from pipeline.api.limits import Limits
from pipeline.api.pace import Pace, Times, Turn
from pipeline.errors import SourceError, SourceUnreachableError
from pipeline.sandbox import Account, Sandbox
from pipeline.source_files import ListedFile

HOURLY = Account("4711", conversations_per_day=24)
"""A file in many hours, of a document or two."""
PATIENT = replace(QUICK, read_seconds=20, attempts=50, retry_seconds=60)


@contextmanager
def asked(downloads: int, *, days: int, delay_seconds: float, **options: Any) -> Iterator[tuple[Sandbox, list[bytes]]]:
    """A sandbox whose files of some days were all asked for by many threads, and the files."""
    limits = replace(PATIENT, downloads=downloads)
    with misbehaving(account=HOURLY, limits=limits, delay_seconds=delay_seconds, kept_files=1000, **options) as (
        sandbox,
        client,
    ):
        files = listed(client, MIDNIGHT - timedelta(days=days), MIDNIGHT)

        def fetch(file: ListedFile) -> bytes:
            client.download(file, to := io.BytesIO())
            return to.getvalue()

        with ThreadPoolExecutor(2 * downloads) as threads:
            yield sandbox, list(threads.map(fetch, files))


@pytest.mark.parametrize(("downloads", "delay_seconds"), [(1, 0.01), (3, 0.05), (6, 0.1)])
def test_a_steady_server_gets_as_many_requests_at_a_time_as_the_setting_says(downloads: int, delay_seconds: float) -> None:
    """And never more, though more threads than that want to ask."""
    with asked(downloads, days=2, delay_seconds=delay_seconds) as (sandbox, files):
        assert (sandbox.busiest, all(files)) == (downloads, True)
        assert sandbox.count("download") == len(files) > 15


def test_a_server_that_refuses_more_than_some_at_a_time_is_seldom_asked_for_more() -> None:
    """All files come, and few are refused: the limit stays about where the server's is."""
    with asked(12, days=8, delay_seconds=0.03, most_at_once=3) as (sandbox, files):
        assert all(files)
        assert len(files) > 60
        assert 1 <= sandbox.refused <= len(files) / 4
        assert sandbox.busiest <= 6


def enter(pace: Pace, count: int) -> Sequence[AbstractContextManager[Turn, bool | None]]:
    turns = [pace.turn() for _ in range(count)]
    for turn in turns:
        turn.__enter__().begin()
    return turns


def leave(turn: AbstractContextManager[Turn, bool | None], error: SourceUnreachableError | None = None) -> None:
    """End a turn, with an error that goes on to the caller."""
    assert not turn.__exit__(type(error) if error else None, error, None)


def test_one_burst_of_refusals_halves_the_limit_once() -> None:
    """Of the requests that were in flight together, the first refusal counts; one of a later request counts again."""
    pace = Pace(4)
    for turn in enter(pace, 4):
        leave(turn, SourceUnreachableError("busy", is_overload=True))
    assert (pace.limit, pace.in_flight) == (2, 0)
    for turn in enter(pace, 2):
        leave(turn, SourceUnreachableError("busy", is_overload=True))
    assert (pace.limit, pace.in_flight) == (1, 0)
    for turn in enter(pace, 1):
        leave(turn, SourceUnreachableError("busy", is_overload=True))
    assert (pace.limit, pace.in_flight) == (1, 0)


def test_other_failures_change_nothing() -> None:
    """A reset or a 500 says nothing about the number of requests."""
    pace = Pace(4)
    for turn in enter(pace, 4):
        leave(turn, SourceUnreachableError("reset"))
    assert (pace.limit, pace.in_flight) == (4, 0)


def test_requests_that_only_wait_for_each_other_do_not_become_more() -> None:
    """A server that answers one at a time, and refuses none, has little more than twice the first few in flight."""
    pace, server = Pace(32), Lock()

    def ask(_: int) -> None:
        with pace.turn() as turn:
            turn.begin()
            with server:
                time.sleep(0.01)
            turn.bytes = 100

    with ThreadPoolExecutor(32) as threads:
        list(threads.map(ask, range(120)))
    assert pace.limit < 14


@pytest.mark.parametrize("seed", range(20))
def test_answers_that_vary_by_themselves_are_no_overload(seed: int) -> None:
    """From 20 to 100 ms, or a quick one now and then among slow ones; but times that grow with their number are one."""
    chance = random.Random(seed)
    varying, mixed, growing = Times(), Times(), Times()
    assert max(varying.stretch(chance.uniform(0.02, 0.1)) for _ in range(60)) < 2
    assert max(mixed.stretch(0.01 if chance.random() < 0.05 else 0.06) for _ in range(60)) < 2
    assert [growing.stretch(0.01 * in_flight) for in_flight in range(4, 64)][-1] > 4


def test_a_wish_to_wait_holds_all_downloads(caplog: pytest.LogCaptureFixture) -> None:
    """While one waits for its `Retry-After`, no other request is sent."""
    caplog.set_level(logging.INFO)
    with ScriptedApi() as api, DataAccessClient(CREDENTIALS, api.base_url, limits=QUICK) as client:
        one, other = (
            ListedFile(ACCOUNT, name, f"{api.base_url}{LISTING_PATH}/{name}", None, None) for name in ("1.gz", "2.gz")
        )
        api.script[f"{LISTING_PATH}/1.gz"] = [Reply(status=429, headers={"Retry-After": "1"}), Reply(b"one")]
        api.script[f"{LISTING_PATH}/2.gz"] = [Reply(b"other")]
        began = time.monotonic()
        asking = Thread(target=client.download, args=(one, io.BytesIO()))
        asking.start()
        while "attempt 2 starts in" not in caplog.text:
            time.sleep(0.001)
        client.download(other, io.BytesIO())
        assert time.monotonic() - began >= 1
        asking.join()


def test_a_stop_ends_every_wait_at_once() -> None:
    """That for a `Retry-After` of minutes, that for the end of the hold, and that for a turn."""
    held = Limits(downloads=2, backoff_seconds=0.01)
    with ExitStack() as stack:
        api = stack.enter_context(ScriptedApi())
        client = stack.enter_context(DataAccessClient(CREDENTIALS, api.base_url, limits=held))
        file = ListedFile(ACCOUNT, "1.gz", f"{api.base_url}{LISTING_PATH}/1.gz", None, None)
        api.script[f"{LISTING_PATH}/1.gz"] = [Reply(status=429, headers={"Retry-After": "590"})]
        with ThreadPoolExecutor(6) as threads:
            waiting = [threads.submit(client.download, file, io.BytesIO()) for _ in range(6)]
            while not api.seen:
                time.sleep(0.001)
            client.close()
            errors = [future.exception(timeout=60) for future in waiting]
        assert all(isinstance(error, SourceError) for error in errors)
        assert len(api.seen) < 6
