"""Signatures by RFC 5849, written from its text with nothing but the standard library: what no library of ours can be wrong in.

A request is taken as it came over the wire: its method, its target, its Host and Authorization headers, and its body.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
DEFAULT_PORTS = {"http": "80", "https": "443"}
Pair = tuple[str, str]


@dataclass(frozen=True)
class Signed:
    """A request on the wire; `body` is there only if it is form-encoded."""

    method: str
    scheme: str
    host: str
    target: str
    authorization: str = ""
    body: str = ""


def encoded(text: str) -> str:
    """Section 3.6: the UTF-8 of a text, all but unreserved characters as % and two upper-case digits."""
    return "".join(chr(byte) if byte in UNRESERVED else f"%{byte:02X}" for byte in text.encode())


def decoded(text: str) -> str:
    """The reverse of `encoded`, also for other encoded characters."""
    octets = re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), text.encode())
    return octets.decode()


def form_pairs(text: str) -> list[Pair]:
    """Names and values of a query or a form (W3C.REC-html40): + is a blank, a name without = has an empty value."""
    pairs = (part.partition("=") for part in text.split("&") if part)
    return [(decoded(name.replace("+", " ")), decoded(value.replace("+", " "))) for name, _, value in pairs]


def header_pairs(authorization: str) -> list[Pair]:
    """Section 3.5.1: the parameters of an Authorization header, in its order; none if it is of another scheme."""
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() != "oauth":
        return []
    return [(decoded(name), decoded(value)) for name, value in re.findall(r'([^\s,="]+)="([^"]*)"', rest)]


def base_string_uri(signed: Signed) -> str:
    """Section 3.4.1.2: scheme, authority and path; in lower case, without the default port, without the query."""
    host, _, port = signed.host.lower().partition(":")
    authority = host if port in ("", DEFAULT_PORTS[signed.scheme]) else f"{host}:{port}"
    return f"{signed.scheme}://{authority}{signed.target.partition('?')[0] or '/'}"


def parameters(signed: Signed) -> list[Pair]:
    """Section 3.4.1.3.1: those of the query, of the header but `realm` and the signature, and of the body."""
    header = [pair for pair in header_pairs(signed.authorization) if pair[0] not in ("realm", "oauth_signature")]
    return [*form_pairs(signed.target.partition("?")[2]), *header, *form_pairs(signed.body)]


def normalised(pairs: list[Pair]) -> str:
    """Section 3.4.1.3.2: encoded, sorted by name and then value, joined."""
    return "&".join(f"{name}={value}" for name, value in sorted((encoded(name), encoded(value)) for name, value in pairs))


def base_string(signed: Signed) -> str:
    """Section 3.4.1.1: what is signed."""
    return "&".join(map(encoded, (signed.method.upper(), base_string_uri(signed), normalised(parameters(signed)))))


def hmac_sha1(text: str, client_secret: str, token_secret: str) -> str:
    """Section 3.4.2, of a base string."""
    key = f"{encoded(client_secret)}&{encoded(token_secret)}"
    return base64.b64encode(hmac.digest(key.encode(), text.encode(), hashlib.sha1)).decode()


def signature(signed: Signed, client_secret: str, token_secret: str) -> str:
    """The signature that a request has to bear."""
    return hmac_sha1(base_string(signed), client_secret, token_secret)


def authorization(pairs: list[Pair]) -> str:
    """Section 3.5.1: a header of these parameters."""
    return "OAuth " + ", ".join(f'{encoded(name)}="{encoded(value)}"' for name, value in pairs)
