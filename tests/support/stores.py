"""The S3 API of `s3_server.py`, started and stopped, and what has to be set to use it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from documents import conversation, document, gz, message, name_at, put
from lakes import ask
from places import ROOT, SUPPORT

from pipeline.lake.lake import Lake

KEY_ID = "canary-Zx81-id"
SECRET = "canary-Zx81-secret"
_ADLFS = "ignore:Sending a large body:ResourceWarning"  # by aiohttp, of how it is called


@contextmanager
def serving(*buckets: str, host: str = "127.0.0.1") -> Iterator[str]:
    """Where the store answers while the block runs."""
    command = [sys.executable, str(SUPPORT / "s3_server.py"), host]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin
        assert server.stdout
        address = server.stdout.readline().strip()
        make_buckets(address, *buckets)
        yield address
        server.stdin.close()


def make_buckets(address: str, *buckets: str) -> None:
    """Make empty buckets in the store."""
    for bucket in buckets:
        requests.put(f"{address}/{bucket}", timeout=30).raise_for_status()


def variables(address: str) -> dict[str, str]:
    """The store's settings."""
    return {
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_ENDPOINT_URL": address,
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def lakehouse(*arguments: str, cwd: Path) -> "subprocess.Popen[str]":
    """Start the command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-W", _ADLFS, "-m", "pipeline", *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def side_by_side(lake: Lake, tmp_path: Path, rounds: int, writers: int) -> None:
    """Several processes load at once, each its own files and one that all of them have."""
    for turn in range(rounds):
        for writer in range(writers):
            folder, hour = tmp_path / f"{turn}-{writer}", 1000 * turn + 10 * writer
            put(folder, gz(document(conversation("both", messages=[message(f"{turn}-{writer}")]))), name_at(hour + 5))
            put(folder, gz(document(conversation(f"c{turn}-{writer}"))), name_at(hour))
            put(folder, gz(document(conversation(f"all{turn}"))), name_at(1000 * turn + 999))
        running = [lakehouse("load", f"{turn}-{writer}", "--lake", lake.uri, cwd=tmp_path) for writer in range(writers)]
        if turn:
            running.append(lakehouse("compact", "--lake", lake.uri, cwd=tmp_path))
        for process in running:
            with process:
                out, err = process.communicate()
            assert (process.returncode, out) == (0, ""), err
    single = rounds * (writers + 1)
    assert ask(lake, "select count(*), count(distinct conversation_id) from conversations") == [(single + 1, single + 1)]
    assert ask(lake, "select count(*) from messages") == [(single + 1,)]
    assert ask(lake, "select text from messages where conversation_id = 'both'") == [(f"{rounds - 1}-{writers - 1}",)]
    files = rounds * (2 * writers + 1)
    assert ask(lake, "select count(*), count(distinct name), min(status) from files") == [(files, files, "loaded")]
