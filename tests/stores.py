"""The S3 API of `s3_server.py`, started and stopped, and what has to be set to use it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

KEY_ID = "canary-Zx81-id"
SECRET = "canary-Zx81-secret"


@contextmanager
def serving(*buckets: str, host: str = "127.0.0.1") -> Iterator[str]:
    """Where the store answers while the block runs."""
    command = [sys.executable, str(Path(__file__).parent / "s3_server.py"), host]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin
        assert server.stdout
        address = server.stdout.readline().strip()
        for bucket in buckets:
            requests.put(f"{address}/{bucket}", timeout=30).raise_for_status()
        yield address
        server.stdin.close()


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
