"""The replies of the API: links, listings, errors, and the way a reply is sent."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from pipeline.sandbox.encode import compact

# The vendor's listings give the scope of a file in this zone, whatever the account's.
_LISTING_ZONE = ZoneInfo("America/New_York")
UNAUTHORIZED, UNSUPPORTED, NO_FILES = 10, 5, 7
_RELATIONS = ("agentActivity", "webSession", "engagement", "survey")


@dataclass(frozen=True)
class Reply:
    """A reply; the fields from `framing` on are for misbehaviour."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    """Beside those that every reply has; a Date among them replaces the usual one."""
    framing: Literal["length", "chunked", "close"] = "length"
    """The way to mark the body's end; `close`: by the end of the connection."""
    breaks_off_after: int | None = None
    """Bytes of the body after which the connection ends; None: all of it comes."""
    is_reset: bool = False
    """Whether a connection that breaks off is reset rather than closed."""
    bytes_per_second: int | None = None
    is_endless: bool = False
    """Blanks come until the client hangs up."""
    is_silent: bool = False
    """Nothing comes at all, and the connection stays open."""


def base_resource(account_id: str, base_url: str) -> bytes:
    """The account's links, by `@rel`."""
    here = account_url(base_url, account_id)
    links = [{"@href": here, "@rel": "self"}]
    links += [{"@href": f"{here}/{relation}", "@rel": relation} for relation in _RELATIONS]
    links.append({"@href": f"{here}/schema", "@rel": "schema"})
    return compact({"dataAccessAccount": {"@id": account_id, "link": links}})


def listing(account_id: str, base_url: str, names: Iterable[str]) -> bytes:
    """The files of a range, as on the vendor's page."""
    here = f"{account_url(base_url, account_id)}/engagement"
    files = [
        {
            "@name": name,
            "@scopeStartDate": _scope(name.split(".")[1]),
            "@scopeEndDate": _scope(name.split(".")[2]),
            "@href": f"{here}/{name}",
        }
        for name in names
    ]
    body = {"@id": account_id, "link": {"@href": here, "@rel": "self"}, "file": files}
    return compact({"dataAccessFiles": body})


def error(message: str, code: int, now: datetime) -> bytes:
    """An error as the API words it; `time` in epoch milliseconds."""
    return compact({"time": int(now.timestamp() * 1000), "message": message, "internalCode": code})


def account_url(base_url: str, account_id: str) -> str:
    """The base resource of an account."""
    return f"{base_url}/data_access_le/account/{account_id}/le"


def _scope(epoch_ms: str) -> str:
    return datetime.fromtimestamp(int(epoch_ms) / 1000, UTC).astimezone(_LISTING_ZONE).isoformat()
