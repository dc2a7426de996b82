"""Reads a request's kind and arguments from its method and target."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

_PATH = re.compile(r"/data_access_le/account/([^/]+)/le(?:/(engagement|schema))?(?:/([^/]+))?/?")


@dataclass(frozen=True)
class Request:
    """A parsed request; `kind` is base, listing, download, schema or other."""

    kind: str
    method: str
    path: str
    account_id: str | None = None
    file_name: str | None = None
    start_ms: int | None = None
    """For a listing: `startTime`, and `end_ms` the `endTime`, in epoch milliseconds."""
    end_ms: int | None = None
    schema_id: str | None = None
    """The requested version of the schema, or `latest`."""
    accept: str = ""
    """The client's `Accept` header."""


def understand(method: str, target: str) -> Request:
    """Parse a request from its method and target."""
    url = urlsplit(target)
    match = _PATH.fullmatch(url.path)
    if match is None:
        return Request("other", method, url.path)
    account_id, resource, name = match.groups()
    if resource == "engagement" and name:
        return Request("download", method, url.path, account_id, name)
    if name:
        return Request("other", method, url.path, account_id)
    if resource == "engagement":
        query = parse_qs(url.query)
        start, end = (_epoch_ms(query.get(name, [""])[0]) for name in ("startTime", "endTime"))
        return Request("listing", method, url.path, account_id, start_ms=start, end_ms=end)
    schema_id = parse_qs(url.query).get("schemaId", [None])[0] if resource == "schema" else None
    return Request(resource or "base", method, url.path, account_id, schema_id=schema_id)


def _epoch_ms(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,14}", text) else None
