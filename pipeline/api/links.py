"""Links of answers: resolved, and followed to the configured host or the vendor's domain only."""

import re
from urllib.parse import urljoin, urlsplit

from pipeline.errors import UnexpectedAnswerError
from pipeline.settings import LOOPBACK_HOSTS
from pipeline.text import SECRETS, shortened

VENDOR_DOMAIN = ".liveperson.net"

# Only links that no two URL parsers read differently: no user name, backslash, space or fragment; and no empty first segment or
# empty parameters at the end of the path, since the signing library signs another path than the one that is sent.
_LINK = re.compile(
    r"(?:https?|HTTPS?)://(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:]+\])(?::[1-9][0-9]{0,4})?"
    r"(?!//|[^?]*;(?:\?|$))(?:[/?][A-Za-z0-9._~:/?@!$&'()*+,;=%-]*)?"
)
_PORTS = {"https": 443, "http": 80}


def resolve_link(base: str, link: str, subject: str) -> str:
    """Resolve a link as found on the page `base`.

    Raises:
        UnexpectedAnswerError: it is malformed, or repeats a key, which libraries would show with the link.
    """
    if SECRETS.are_in(link):
        message = f"{subject}: expected a link, found one that repeats a key; not followed"
        raise UnexpectedAnswerError(message)
    try:
        return urljoin(base, link)
    except ValueError as error:
        message = f"{subject}: expected a link, found {shortened(link)!r}; not followed"
        raise UnexpectedAnswerError(message) from error


def require_allowed(url: str, base_url: str, subject: str) -> None:
    """Refuse a link to anywhere but the configured host or, over https, the vendor's domain.

    The names of loopback are one host: a listing may say localhost where LP_BASE_URL says 127.0.0.1.

    Raises:
        UnexpectedAnswerError: it leads to another host, or is ambiguous.
    """
    scheme, host, port = _origin(url) if _LINK.fullmatch(url) else ("", "", 0)
    is_vendor = scheme == "https" and port == _PORTS["https"] and host.endswith(VENDOR_DOMAIN)
    our_scheme, our_host, our_port = _origin(base_url)
    is_our_host = host == our_host or {host, our_host} <= LOOPBACK_HOSTS
    if is_vendor or (host and is_our_host and (scheme, port) == (our_scheme, our_port)):
        return
    found = f"{scheme}://{shortened(host)}:{port}" if host else f"no plain link ({shortened(url)!r})"
    message = f"{subject}: expected a link to {base_url} or https://*{VENDOR_DOMAIN}, found {found}; not sent"
    raise UnexpectedAnswerError(message)


def _origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port; empty ones where they cannot be read."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return "", "", 0
