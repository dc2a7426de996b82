"""A sandbox as tests need it: cheap traffic, a clock of its own, faults on request, and a client that loses no time."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from pipeline.api.client import DataAccessClient
from pipeline.api.limits import Limits
from pipeline.sandbox import Account, Sandbox

SMALL = Account("4711", conversations_per_day=2)
"""About a file a day, of one document: two months of it are made in a second."""
MIDNIGHT = datetime(2026, 3, 8, tzinfo=UTC)
"""Before it, `SMALL` has a day without a file, one with a single file and one with four."""
QUICK = Limits(
    connect_seconds=2,
    read_seconds=0.4,
    attempts=3,
    retry_seconds=5,
    backoff_seconds=0.01,
    listing_bytes=1 << 20,
    file_bytes=1 << 20,
)


@contextmanager
def misbehaving(
    *faults: str,
    account: Account = SMALL,
    now: datetime | Callable[[], datetime] = MIDNIGHT,
    limits: Limits = QUICK,
    **options: Any,
) -> Iterator[tuple[Sandbox, DataAccessClient]]:
    """A sandbox with these faults, or none, and a client of its account."""
    with (
        Sandbox([account], now=now, faults=faults, **options) as sandbox,
        DataAccessClient(sandbox.credentials(account.account_id), sandbox.base_url, limits=limits) as client,
    ):
        yield sandbox, client


def untagged(value: Any) -> Any:
    """The value inside a tag; null stays None."""
    return None if value is None else next(iter(value.values()))


def engagements(line: bytes) -> list[dict[str, Any]]:
    """The conversations of a document, of either schema version."""
    records = json.loads(line)["recordCollection"]
    (record,) = records["array"] if isinstance(records, dict) else records
    data = untagged(record["body"])
    return [untagged(element) for element in untagged(data["engagements"])]
