"""Signed GETs with a limit on everything: waits, attempts, redirects, bytes. The only importer of `requests`.

Every request is signed (OAuth 1.0a, HMAC-SHA1), anew on each attempt: a server refuses a nonce that it has seen, so
nothing below this module may repeat a request by itself. Redirects are followed by hand, for the same reason and so
that a signature only ever reaches the configured host or the vendor's domain.
"""

import logging
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from random import SystemRandom
from threading import Event
from typing import Any, NoReturn, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
import tenacity
import urllib3
from requests_oauthlib import OAuth1

from pipeline.api.responses import (
    ServerError,
    is_cut_short,
    keep_secret,
    repeats_a_secret,
    retry_after_seconds,
    shortened,
    utc_from_http_date,
)
from pipeline.errors import AccessRefusedError, SettingsError, SourceError, SourceUnreachableError, UnexpectedAnswerError
from pipeline.settings import LOOPBACK_HOSTS, Credentials, export_certificates

VENDOR_DOMAIN = ".liveperson.net"
MAX_REDIRECTS = 3
MAX_CLOCK_SKEW_SECONDS = 300
CHUNK_BYTES = 1 << 20
ERROR_BYTES = 1 << 16

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REFUSED = frozenset({401, 403})
_LATER = frozenset({408, 425, 429})
_REFUSED_CODE = "10"
"""The API's internalCode for "Unauthorized request"."""
# A link with nothing in it that two URL parsers could read differently: no user name, backslash, space or fragment; and no
# empty first segment or empty parameters at the end of the path: of those the libraries below sign another one than they send.
_LINK = re.compile(
    r"(?:https?|HTTPS?)://(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:]+\])(?::[1-9][0-9]{0,4})?"
    r"(?!//|[^?]*;(?:\?|$))(?:[/?][A-Za-z0-9._~:/?@!$&'()*+,;=%-]*)?"
)

_TALKATIVE = (
    "oauthlib",
    "oauthlib.oauth1.rfc5849",
    "oauthlib.oauth1.rfc5849.signature",
    "requests_oauthlib.oauth1_auth",
)
_PORTS = {"https": 443, "http": 80}
_RANDOM = SystemRandom()
_log = logging.getLogger(__name__)
_T = TypeVar("_T")
Response = requests.Response


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much the client waits, tries and reads."""

    connect_seconds: float = 10.0
    read_seconds: float = 30.0
    """The longest silence of the server."""
    slowest_bytes_per_second: int = 1024
    """An answer that is slower than this after `read_seconds` counts as stalled."""
    attempts: int = 5
    retry_seconds: float = 120.0
    """No attempt starts later than this after the first one, save the second, which there always is: the first may have
    taken long, or the server may wish for a longer pause. A `Retry-After` is the least pause."""
    longest_wish_seconds: float = 600.0
    """A `Retry-After` beyond it is not waited for; nor is one beyond `retry_seconds` after waiting so long was once in vain."""
    backoff_seconds: float = 1.0
    """The first pause; each next one is twice as long, up to 30 times the first, less a random part of up to a half."""
    listing_bytes: int = 32 << 20
    file_bytes: int = 2 << 30
    schema_seconds: float = 10.0
    """All that the account's own schema may take of a run."""
    schema_bytes: int = 4 << 20


class GarbledAnswerError(SourceUnreachableError):
    """A 200 whose body is no answer of the API: a proxy's page, or one cut short. Mostly gone with the next attempt.

    It leaves `Transport.persistently` as UnexpectedAnswerError.
    """


class Transport:
    """Sends requests with one account's signature, or with none. Threads may share it: they read one session.

    Requests are prepared from the session and handed to its adapter, whose connection pool is made for threads. What
    `Session.request` would add (cookies, redirects) is what must not happen here.
    """

    def __init__(self, credentials: Credentials | None, base_url: str, limits: Limits) -> None:
        """Prepare a session; nothing is sent yet."""
        self.limits = limits
        self._base_url = base_url
        self._credentials = credentials
        if keys := credentials:
            secrets = (keys.app_key, keys.app_secret, keys.access_token, keys.access_token_secret)
            keep_secret(secret.get_secret_value() for secret in secrets)
        self._closed = Event()
        self._is_patient = True
        export_certificates()
        self._session = requests.Session()
        # A proxy from the environment has no business between us and loopback.
        self._session.trust_env = base_url.startswith("https:")
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=32, max_retries=0)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        _keep_signatures_out_of_logs()

    def close(self) -> None:
        """Drop the connections and end every pause between attempts."""
        self._closed.set()
        self._session.close()

    def persistently(self, attempt: Callable[[], _T]) -> _T:
        """Return what `attempt` returns; call it again, after a pause, while it raises SourceUnreachableError."""
        # Not stamina, which is built on this: its time limit can forbid the second attempt.
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(SourceUnreachableError),
            wait=self._pause,
            stop=self._is_enough,
            sleep=tenacity.sleep_using_event(self._closed),
            before_sleep=_log_attempt,
            retry_error_callback=_give_up,
        )
        return retrying(attempt)

    def _pause(self, state: tenacity.RetryCallState) -> float:
        wish = _error_of(state).retry_after_seconds or 0.0
        longest: float = self.limits.backoff_seconds * min(30, 2 ** (state.attempt_number - 1))
        return max(wish, longest * _RANDOM.uniform(0.5, 1.0))

    def _is_enough(self, state: tenacity.RetryCallState) -> bool:
        wish = _error_of(state).retry_after_seconds or 0.0
        next_start = state.seconds_since_start + state.upcoming_sleep if state.seconds_since_start else 0.0
        is_again, is_long = state.attempt_number > 1, wish > self.limits.retry_seconds
        if is_again and is_long:
            self._is_patient = False  # else each of a thousand files would wait
        late = is_again and next_start > self.limits.retry_seconds
        too_long = is_long and (wish > self.limits.longest_wish_seconds or not self._is_patient)
        return late or too_long or state.attempt_number >= self.limits.attempts

    def send(
        self, url: str, what: str, params: Mapping[str, int | str] | None = None, *, accept: str = "application/json"
    ) -> requests.Response:
        """Send one GET, and one more for each redirect; the caller closes the answer, whatever its status."""
        self._require_allowed(url, what)
        response = self._send_once(url, what, params, accept)
        for _ in range(MAX_REDIRECTS):
            if response.status_code not in _REDIRECTS:
                return response
            response.close()
            target = joined(response.url, response.headers.get("Location", ""), what)
            self._require_allowed(target, what)
            response = self._send_once(target, what, None, accept)
        if response.status_code not in _REDIRECTS:
            return response
        response.close()
        message = f"{what}: expected an answer, found more than {MAX_REDIRECTS} redirects; try again later"
        raise UnexpectedAnswerError(message)

    def _send_once(self, url: str, what: str, params: Mapping[str, int | str] | None, accept: str) -> requests.Response:
        if self._closed.is_set():
            message = f"{what}: not asked for, the client is closed"
            raise SourceError(message)
        headers = {"Accept": accept, "Accept-Encoding": "identity"}
        request = requests.Request("GET", url, params=params, headers=headers, auth=self._signature())
        timeout = (self.limits.connect_seconds, self.limits.read_seconds)
        try:
            prepared = self._session.prepare_request(request)
            target = prepared.url or url
            environment: Any = self._session.merge_environment_settings(target, {}, True, None, None)  # noqa: FBT003
            return self._session.get_adapter(target).send(prepared, timeout=timeout, **environment)
        except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
            host, root = urlsplit(url).hostname, _root_of(error)
            if isinstance(root, ssl.SSLCertVerificationError):
                message = (
                    f"{what}: expected a trusted certificate of {host}, found {_told(root)}; check LP_BASE_URL, and if a proxy "
                    "of yours signs anew, name its certificate's file in REQUESTS_CA_BUNDLE"
                )
                raise UnexpectedAnswerError(message) from error
            reason = "time-out" if isinstance(error, requests.Timeout) else _told(root)
            message = f"{what}: no answer from {host} ({reason}); check LP_BASE_URL and the network"
            raise SourceUnreachableError(message) from error
        except (requests.RequestException, ValueError) as error:
            message = f"{what}: expected a link and an answer that HTTP allows, found others ({type(error).__name__})"
            raise UnexpectedAnswerError(message) from error
        except OSError as error:  # of the library's own making: there is no such file
            raise SettingsError(f"REQUESTS_CA_BUNDLE: expected the file of a certificate, found none ({error})") from error

    def _signature(self) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
        """Make what signs one request: it draws the nonce and reads the clock when the request is prepared."""
        keys = self._credentials
        if keys is None:
            return lambda request: request  # not None, for which requests would look into a .netrc
        return OAuth1(*keys.secrets)

    def _require_allowed(self, url: str, what: str) -> None:
        """Refuse a link to anywhere but the configured host or, over https, the vendor's domain.

        The names of loopback are one host: a listing may say localhost where LP_BASE_URL says 127.0.0.1.
        """
        scheme, host, port = _origin(url) if _LINK.fullmatch(url) else ("", "", 0)
        is_vendor = scheme == "https" and port == _PORTS["https"] and host.endswith(VENDOR_DOMAIN)
        our_scheme, our_host, our_port = _origin(self._base_url)
        is_our_host = host == our_host or {host, our_host} <= LOOPBACK_HOSTS
        if is_vendor or (host and is_our_host and (scheme, port) == (our_scheme, our_port)):
            return
        found = f"{scheme}://{shortened(host)}:{port}" if host else f"no plain link ({shortened(url)!r})"
        message = f"{what}: expected a link to {self._base_url} or https://*{VENDOR_DOMAIN}, found {found}; not sent"
        raise UnexpectedAnswerError(message)

    def body(self, response: requests.Response, what: str) -> Iterator[bytes]:
        """Yield the body as it is on the line, chunked transfer undone; it is as long as announced and never stalls."""
        announced, received, started = _announced_length(response), 0, time.monotonic()
        try:
            # `read1`, because `read` waits for a full chunk, and a drip of single bytes would never time out.
            while chunk := response.raw.read1(CHUNK_BYTES, decode_content=False):
                received += len(chunk)
                yield chunk
                seconds = time.monotonic() - started
                if seconds > self.limits.read_seconds and received < seconds * self.limits.slowest_bytes_per_second:
                    message = f"{what}: stalled, {received:,} bytes came in {seconds:.0f} s; try again later"
                    raise SourceUnreachableError(message)
        except urllib3.exceptions.HTTPError as error:
            silent = isinstance(error, urllib3.exceptions.ReadTimeoutError)
            reason = f"nothing came for {self.limits.read_seconds:g} s" if silent else _told(_root_of(error))
            message = f"{what}: broke off after {_count(received, announced)} ({reason}); try again later"
            raise SourceUnreachableError(message) from error
        if announced is not None and received != announced:
            message = f"{what}: broke off after {_count(received, announced)}; try again later"
            raise SourceUnreachableError(message)

    def error_body(self, response: requests.Response, what: str) -> bytes:
        """Read the beginning of what comes with an error.

        Raises:
            SourceUnreachableError: it broke off, and the status alone does not tell what is meant.
        """
        body = b""
        try:
            for chunk in self.body(response, what):
                body += chunk
                if len(body) > ERROR_BYTES:
                    break
        except SourceUnreachableError:
            if not _tells_all(response.status_code):
                raise
            _log.debug("the text of an error answer broke off")
        if not has_announced_end(response) and is_cut_short(body) and not _tells_all(response.status_code):
            message = f"{what}: broke off after {_count(len(body), None)}; try again later"
            raise SourceUnreachableError(message)
        return body[:ERROR_BYTES]

    def refusal(self, response: requests.Response, error: ServerError | None, what: str) -> SourceError:
        """Make the error that an answer other than a plain 200 stands for."""
        status, now = response.status_code, datetime.now(UTC)
        said = f"HTTP {status}, {error}" if error else f"HTTP {status} without a message"
        server_time = utc_from_http_date(response.headers.get("Date"))
        if status in _REFUSED or (error and error.internal_code == _REFUSED_CODE):
            advice = _clock_advice(server_time, now) or "check LP_ACCOUNT_ID, the four keys and the region in LP_BASE_URL"
            return AccessRefusedError(f"{what}: the server refuses the credentials ({said}); {advice}")
        if _means_later(status):
            wish = retry_after_seconds(response.headers.get("Retry-After"), server_time or now)
            asks = f" and asks to wait {wish:.0f} s" if wish else ""
            message = f"{what}: the server cannot answer now ({said}){asks}; try again later"
            return SourceUnreachableError(message, retry_after_seconds=wish)
        message = f"{what}: expected an answer as documented, found {said}; check LP_ACCOUNT_ID and LP_BASE_URL"
        return UnexpectedAnswerError(message)


def _means_later(status: int) -> bool:
    return status in _LATER or status >= requests.codes.server_error


def _tells_all(status: int) -> bool:
    """Whether a status needs no text: of the others, only the text tells an empty range from a wrong request."""
    return status in _REFUSED or _means_later(status)


def joined(base: str, link: str, what: str) -> str:
    """Resolve a link as found on the page `base`.

    Raises:
        UnexpectedAnswerError: it is none, or one that repeats a key, which would show wherever a library shows the link.
    """
    if repeats_a_secret(link):
        message = f"{what}: expected a link, found one that repeats a key; not followed"
        raise UnexpectedAnswerError(message)
    try:
        return urljoin(base, link)
    except ValueError as error:
        message = f"{what}: expected a link, found {shortened(link)!r}; not followed"
        raise UnexpectedAnswerError(message) from error


def _origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port; three nothings where they cannot be read."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return "", "", 0


def _announced_length(response: requests.Response) -> int | None:
    if "chunked" in response.headers.get("Transfer-Encoding", "").lower():
        return None
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isascii() and length.isdecimal() else None


def has_announced_end(response: requests.Response) -> bool:
    """Whether the line itself tells a whole body from one cut short."""
    is_chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
    return is_chunked or _announced_length(response) is not None


def _count(received: int, announced: int | None) -> str:
    return f"{received:,} bytes" if announced is None else f"{received:,} of {announced:,} bytes"


def _clock_advice(server_time: datetime | None, now: datetime) -> str:
    """Name the difference between the clocks where it is large enough to spoil signatures, else nothing."""
    seconds = (now - server_time).total_seconds() if server_time else 0
    return f"{told_skew(seconds)}: set it right" if abs(seconds) > MAX_CLOCK_SKEW_SECONDS else ""


def told_skew(seconds: float) -> str:
    """Say by how much this computer's clock is ahead of the server's, or behind where it is negative."""
    return f"this computer's clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} the server's"


def _root_of(error: BaseException) -> BaseException:
    """Find the first cause: the outer errors of urllib3 and requests show objects and addresses instead."""
    root = error
    while root.__cause__ or root.__context__:
        root = root.__cause__ or root.__context__ or root
    return root


def _told(error: BaseException) -> str:
    return shortened(f"{type(error).__name__}: {error}")


def _error_of(state: tenacity.RetryCallState) -> SourceUnreachableError:
    error = state.outcome.exception() if state.outcome else None
    return error if isinstance(error, SourceUnreachableError) else SourceUnreachableError("")


def _log_attempt(state: tenacity.RetryCallState) -> None:
    _log.info("%s; attempt %d starts in %.1f s", _error_of(state), state.attempt_number + 1, state.upcoming_sleep)


def _give_up(state: tenacity.RetryCallState) -> NoReturn:
    error = _error_of(state)
    message = f"{error} (given up after {state.attempt_number} attempts)" if state.attempt_number > 1 else str(error)
    if isinstance(error, GarbledAnswerError):
        raise UnexpectedAnswerError(message) from error
    raise SourceUnreachableError(message, retry_after_seconds=error.retry_after_seconds) from error


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


def _keep_signatures_out_of_logs() -> None:
    """Drop the debug lines of the signing libraries: they carry keys, tokens and the signed header.

    A filter, and not a level: whoever turns everything to DEBUG would turn the level, too.
    """
    for name in _TALKATIVE:
        logging.getLogger(name).addFilter(_is_worth_a_line)
