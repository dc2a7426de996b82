"""The client's limits on requests at a time, waits, attempts and bytes."""

from dataclasses import dataclass

from pipeline.settings import DOWNLOADS


@dataclass(frozen=True, slots=True)
class Limits:
    """Time limits, numbers of requests and attempts, and sizes of the client."""

    connect_seconds: float = 10.0
    read_seconds: float = 30.0
    """The longest silence of the server."""
    slowest_bytes_per_second: int = 1024
    """An answer that is slower than this after `read_seconds` counts as stalled."""
    downloads: int = DOWNLOADS
    """The most requests in flight, listings included; `pipeline.api.pace` finds how many are good."""
    attempts: int = 5
    retry_seconds: float = 120.0
    """Time limit for retries, from the first attempt's start to the start of the last; the second attempt is exempt. A
    `Retry-After` is the least pause."""
    longest_retry_after_seconds: float = 600.0
    """Longer `Retry-After`: give up. After one failed long wait, the limit is `retry_seconds`."""
    backoff_seconds: float = 1.0
    """The first pause; each next one is twice as long, up to 30 times the first, less a random part of up to a half."""
    listing_bytes: int = 32 << 20
    file_bytes: int = 2 << 30
    schema_seconds: float = 10.0
    """Time limit of a run for the account's own schema."""
    schema_bytes: int = 4 << 20
