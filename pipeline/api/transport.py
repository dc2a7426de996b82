"""Signed GETs with a limit on everything: waits, attempts, redirects, bytes. Only the heartbeat imports `requests`, too.

Every request is signed (OAuth 1.0a, HMAC-SHA1), anew on each attempt: a server refuses a nonce that it has seen, so
nothing below this module may repeat a request by itself. Redirects are followed by hand, for the same reason and so
that a signature only ever reaches the configured host or the vendor's domain.
"""

import logging
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests_oauthlib import OAuth1

from pipeline.api.limits import Limits
from pipeline.api.links import require_allowed, resolve_link
from pipeline.api.pace import Turn
from pipeline.api.responses import ServerError, is_cut_short, retry_after_seconds, utc_from_http_date
from pipeline.errors import AccessRefusedError, SettingsError, SourceError, SourceUnreachableError, UnexpectedAnswerError
from pipeline.settings import Credentials, certificates_of_env_file
from pipeline.text import SECRETS, shortened

MAX_REDIRECTS = 3
MAX_CLOCK_SKEW_SECONDS = 300
CHUNK_BYTES = 1 << 20
_FRESH_SECONDS = 30  # after them a request is signed anew: servers refuse old signatures
ERROR_BYTES = 1 << 16

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REFUSED = frozenset({401, 403})
_LATER = frozenset({408, 425, 429})
_REFUSED_CODE = "10"
"""The API's internalCode for "Unauthorized request"."""
_SIGNING_LOGGERS = (
    "oauthlib",
    "oauthlib.oauth1.rfc5849",
    "oauthlib.oauth1.rfc5849.signature",
    "requests_oauthlib.oauth1_auth",
)
_log = logging.getLogger(__name__)
Response = requests.Response


class Transport:
    """Sends requests with one account's signature, or with none. Threads may share it: they read one session.

    Requests are prepared from the session and handed to its adapter, whose connection pool is made for threads.
    `Session.request` would add cookies and redirects, which must not happen here.
    """

    def __init__(self, credentials: Credentials | None, base_url: str, limits: Limits) -> None:
        """Prepare a session; nothing is sent yet."""
        self.limits = limits
        self._base_url = base_url
        self._credentials = credentials
        where = credentials.where if credentials else ""
        self._advice = (
            f"check account, the four keys and the region's host in {where}"
            if where
            else "check LP_ACCOUNT_ID, the four keys and the region in LP_BASE_URL"
        )
        if credentials:
            SECRETS.keep(credentials.secrets)
        self.closed = Event()
        self._session = requests.Session()
        self._session.verify = certificates_of_env_file() or True  # those of the environment come first
        # A proxy from the environment must not be used for loopback.
        self._session.trust_env = base_url.startswith("https:")
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=32, max_retries=0)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        _keep_signatures_out_of_logs()

    def close(self) -> None:
        """Drop the connections; `closed` ends the pauses between attempts."""
        self.closed.set()
        self._session.close()

    def send(
        self,
        url: str,
        subject: str,
        params: Mapping[str, int | str] | None = None,
        *,
        accept: str = "application/json",
        turn: Turn | None = None,
    ) -> requests.Response:
        """Send one GET, and one more for each redirect; the caller closes the answer, whatever its status.

        The turn begins when the request is signed, and the caller ends it.
        """
        require_allowed(url, self._base_url, subject)
        response = self._send_once(url, subject, params, accept, turn)
        for _ in range(MAX_REDIRECTS):
            if response.status_code not in _REDIRECTS:
                return response
            response.close()
            target = resolve_link(response.url, response.headers.get("Location", ""), subject)
            require_allowed(target, self._base_url, subject)
            response = self._send_once(target, subject, None, accept, turn)
        if response.status_code not in _REDIRECTS:
            return response
        response.close()
        message = f"{subject}: expected an answer, found more than {MAX_REDIRECTS} redirects; try again later"
        raise UnexpectedAnswerError(message)

    def _send_once(
        self, url: str, subject: str, params: Mapping[str, int | str] | None, accept: str, turn: Turn | None
    ) -> requests.Response:
        self._require_open(subject)
        headers = {"Accept": accept, "Accept-Encoding": "identity"}
        request = requests.Request("GET", url, params=params, headers=headers, auth=self._signer())
        timeout = (self.limits.connect_seconds, self.limits.read_seconds)
        try:
            prepared = self._session.prepare_request(request)
            if turn is not None:
                turn.begin()
                self._require_open(subject)
                if turn.waited_seconds > _FRESH_SECONDS:
                    prepared = self._session.prepare_request(request)
            target = prepared.url or url
            environment: Any = self._session.merge_environment_settings(target, {}, True, None, None)  # noqa: FBT003
            return self._session.get_adapter(target).send(prepared, timeout=timeout, **environment)
        except (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError) as error:
            raise _no_answer(error, url, subject) from error
        except (requests.RequestException, ValueError) as error:
            message = f"{subject}: expected a link and an answer that HTTP allows, found others ({type(error).__name__})"
            raise UnexpectedAnswerError(message) from error
        except OSError as error:  # of the library's own making: there is no such file
            raise SettingsError(f"REQUESTS_CA_BUNDLE: expected the file of a certificate, found none ({error})") from error

    def _require_open(self, subject: str) -> None:
        if self.closed.is_set():
            raise SourceError(f"{subject}: not asked for, the client is closed")

    def _signer(self) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
        """Make the signer of one request: it draws the nonce and reads the clock when the request is prepared."""
        keys = self._credentials
        if keys is None:
            return lambda request: request  # not None, for which requests would look into a .netrc
        return OAuth1(*keys.secrets)

    def body(self, response: requests.Response, subject: str) -> Iterator[bytes]:
        """Yield the body as sent, without chunked transfer; check its announced length and that it does not stall."""
        announced, received, started = _announced_length(response), 0, time.monotonic()
        try:
            # `read1`, because `read` waits for a full chunk, and a drip of single bytes would never time out.
            while chunk := response.raw.read1(CHUNK_BYTES, decode_content=False):
                received += len(chunk)
                yield chunk
                seconds = time.monotonic() - started
                if seconds > self.limits.read_seconds and received < seconds * self.limits.slowest_bytes_per_second:
                    message = f"{subject}: stalled, {received:,} bytes came in {seconds:.0f} s; try again later"
                    raise SourceUnreachableError(message, is_overload=True)
        except urllib3.exceptions.HTTPError as error:
            silent = isinstance(error, urllib3.exceptions.ReadTimeoutError)
            reason = f"nothing came for {self.limits.read_seconds:g} s" if silent else _described(_root_of(error))
            message = f"{subject}: broke off after {_count(received, announced)} ({reason}); try again later"
            raise SourceUnreachableError(message, is_overload=silent) from error
        if announced is not None and received != announced:
            message = f"{subject}: broke off after {_count(received, announced)}; try again later"
            raise SourceUnreachableError(message)

    def error_body(self, response: requests.Response, subject: str) -> bytes:
        """Read the beginning of an error's body.

        Raises:
            SourceUnreachableError: it broke off, and the status alone is not clear.
        """
        body = b""
        try:
            for chunk in self.body(response, subject):
                body += chunk
                if len(body) > ERROR_BYTES:
                    break
        except SourceUnreachableError:
            if not _is_clear(response.status_code):
                raise
            _log.debug("the text of an error answer broke off")
        if not has_announced_end(response) and is_cut_short(body) and not _is_clear(response.status_code):
            message = f"{subject}: broke off after {_count(len(body), None)}; try again later"
            raise SourceUnreachableError(message)
        return body[:ERROR_BYTES]

    def error_for(self, response: requests.Response, error: ServerError | None, subject: str) -> SourceError:
        """Make the exception for an answer other than a plain 200."""
        status, now = response.status_code, datetime.now(UTC)
        found = f"HTTP {status}, {error}" if error else f"HTTP {status} without a message"
        server_time = utc_from_http_date(response.headers.get("Date"))
        if status in _REFUSED or (error and error.internal_code == _REFUSED_CODE):
            advice = _clock_advice(server_time, now) or self._advice
            return AccessRefusedError(f"{subject}: the server refuses the credentials ({found}); {advice}")
        if _means_later(status):
            retry_after = retry_after_seconds(response.headers.get("Retry-After"), server_time or now)
            asks = f" and asks to wait {retry_after:.0f} s" if retry_after else ""
            message = f"{subject}: the server cannot answer now ({found}){asks}; try again later"
            is_overload = status == requests.codes.too_many_requests or retry_after is not None
            return SourceUnreachableError(message, retry_after_seconds=retry_after, is_overload=is_overload)
        message = f"{subject}: expected an answer as documented, found {found}; check LP_ACCOUNT_ID and LP_BASE_URL"
        return UnexpectedAnswerError(message)


def _means_later(status: int) -> bool:
    return status in _LATER or status >= requests.codes.server_error


def _is_clear(status: int) -> bool:
    """Whether the status alone identifies the error; else the text tells an empty range from a wrong request."""
    return status in _REFUSED or _means_later(status)


def _announced_length(response: requests.Response) -> int | None:
    if "chunked" in response.headers.get("Transfer-Encoding", "").lower():
        return None
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isascii() and length.isdecimal() else None


def has_announced_end(response: requests.Response) -> bool:
    """Whether HTTP itself tells a complete body from one cut short."""
    is_chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
    return is_chunked or _announced_length(response) is not None


def _count(received: int, announced: int | None) -> str:
    return f"{received:,} bytes" if announced is None else f"{received:,} of {announced:,} bytes"


def _clock_advice(server_time: datetime | None, now: datetime) -> str:
    """Name the difference between the clocks if it is large enough to spoil signatures, else an empty text."""
    seconds = (now - server_time).total_seconds() if server_time else 0
    return f"{describe_skew(seconds)}: set it right" if abs(seconds) > MAX_CLOCK_SKEW_SECONDS else ""


def describe_skew(seconds: float) -> str:
    """The difference between the clocks in words; positive seconds: this computer's is ahead."""
    return f"this computer's clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} the server's"


def _no_answer(error: Exception, url: str, subject: str) -> SourceError:
    """The error for a request that got no answer: try again, unless the certificate is not trusted."""
    host, root = urlsplit(url).hostname, _root_of(error)
    if isinstance(root, ssl.SSLCertVerificationError):
        message = (
            f"{subject}: expected a trusted certificate of {host}, found {_described(root)}; check LP_BASE_URL, and if a proxy "
            "of yours signs anew, name its certificate's file in REQUESTS_CA_BUNDLE"
        )
        return UnexpectedAnswerError(message)
    is_late = isinstance(error, requests.Timeout)
    reason = "time-out" if is_late else _described(root)
    message = f"{subject}: no answer from {host} ({reason}); check LP_BASE_URL and the network"
    return SourceUnreachableError(message, is_overload=is_late)


def _root_of(error: BaseException) -> BaseException:
    """Find the first cause, since the outer errors of urllib3 and requests show objects and addresses."""
    root = error
    while root.__cause__ or root.__context__:
        root = root.__cause__ or root.__context__ or root
    return root


def _described(error: BaseException) -> str:
    return shortened(f"{type(error).__name__}: {error}")


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


def _keep_signatures_out_of_logs() -> None:
    """Drop the debug lines of the signing libraries: they carry keys, tokens and the signed header.

    A filter and not a level, since setting all loggers to DEBUG would change the level, too.
    """
    for name in _SIGNING_LOGGERS:
        logging.getLogger(name).addFilter(_is_worth_a_line)
