"""The Data Access API over HTTP on loopback."""

import logging
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from time import sleep
from types import TracebackType
from typing import Self

from pipeline.sandbox import replies
from pipeline.sandbox.account import HOUR_MS, Account, demo_accounts
from pipeline.sandbox.authentication import Gate, credentials_for
from pipeline.sandbox.avro import VERSIONS, engagement_schema
from pipeline.sandbox.encode import compact
from pipeline.sandbox.misbehaviour import Misbehaviour
from pipeline.sandbox.replies import Reply
from pipeline.sandbox.routes import Request, understand
from pipeline.sandbox.traffic import file_bytes, hour_file_names
from pipeline.sandbox.wire import send
from pipeline.settings import Credentials

RETENTION = timedelta(days=30)
_LOG = logging.getLogger(__name__)


class Sandbox:
    """A Data Access API on 127.0.0.1 with made-up accounts; as a context manager it runs in a thread of its own.

    Signatures are checked against the real clock, since clients sign with it, also where `now` is another time.

    Args:
        accounts: the accounts to serve; None for the two of the demo.
        port: 0 takes a free one.
        now: the time (aware) that decides which files are there already and which are deleted: a moment that stands
            still, or a function that gives one. None is the real clock.
        delay_seconds: waits this long before each answer, as a network would.
        faults: how to misbehave, each as `FaultSpec.parse` reads it: `reset`, `reset:listing=0.1`, `late`.
        seed: chooses the requests and files that the faults strike.
        kept_files: as many files are made once and then kept, for benchmarks that are not about making them.
        most_at_once: refuses with 429 what comes while so many other requests wait for their answer.
        retention: for how long files are there, as at the source; longer, to serve the history of an account.
    """

    def __init__(
        self,
        accounts: Iterable[Account] | None = None,
        *,
        port: int = 0,
        now: datetime | Callable[[], datetime] | None = None,
        delay_seconds: float = 0.0,
        faults: Iterable[str] = (),
        seed: int = 1,
        kept_files: int = 0,
        most_at_once: int | None = None,
        retention: timedelta = RETENTION,
    ) -> None:
        """Take the port; nothing is answered yet."""
        self.accounts = {account.account_id: account for account in (demo_accounts() if accounts is None else accounts)}
        self.delay_seconds = delay_seconds
        self.misbehaviour = Misbehaviour(faults, seed)
        self.requests: list[Request] = []
        self.most_at_once = most_at_once
        self.busiest = 0
        """The most requests that waited for their answers at a time so far."""
        self.refused = 0
        """Requests beyond `most_at_once` so far."""
        self._waiting = 0
        self.retention = retention
        self._now = now
        self._gate = Gate(self.accounts)
        self._file_bytes = lru_cache(maxsize=kept_files)(file_bytes)
        self._server = _Server(self, port)
        self._thread: Thread | None = None

    @property
    def base_url(self) -> str:
        """Scheme, host and port, without a slash at the end, as for `LP_BASE_URL`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def credentials(self, account_id: str) -> Credentials:
        """The credentials of an account of this sandbox."""
        return credentials_for(self.accounts[account_id].account_id)

    def settings_of(self, account_id: str) -> str:
        """The lines of a `.env` that syncs an account from here."""
        app_key, app_secret, access_token, access_token_secret = self.credentials(account_id).secrets
        return (
            f"LP_BASE_URL={self.base_url}\nLP_ACCOUNT_ID={account_id}\n"
            f"LP_APP_KEY={app_key}\nLP_APP_SECRET={app_secret}\n"
            f"LP_ACCESS_TOKEN={access_token}\nLP_ACCESS_TOKEN_SECRET={access_token_secret}\n"
        )

    def now(self) -> datetime:
        """The sandbox's time."""
        if self._now is None:
            return datetime.now(UTC)
        return self._now() if callable(self._now) else self._now

    def count(self, kind: str) -> int:
        """The number of requests of a kind so far, refused ones included."""
        return sum(request.kind == kind for request in self.requests)

    def serve(self) -> None:
        """Serve in this thread until it is interrupted, then close."""
        try:
            self._server.serve_forever()
        except KeyboardInterrupt:
            pass
        finally:
            self._server.server_close()

    def __enter__(self) -> Self:
        """Start to serve."""
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), name="sandbox", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Stop, and cut the connections that clients keep open."""
        self._server.shutdown()
        if self._thread is not None:
            self._thread.join()
        self._server.server_close()

    def answer(self, request: Request, signed_by: str | None) -> Reply:
        """The API's reply to a request signed with the keys of `signed_by`; None: not validly signed."""
        if request.method != "GET":
            return self._refuse(HTTPStatus.METHOD_NOT_ALLOWED)
        if signed_by is None:
            return self._error(HTTPStatus.UNAUTHORIZED, "Unauthorized request", replies.UNAUTHORIZED)
        if request.account_id is not None and request.account_id != signed_by:
            return self._error(HTTPStatus.FORBIDDEN, "Unauthorized request", replies.UNAUTHORIZED)
        return self._serve(self.accounts[signed_by], request)

    @contextmanager
    def waiting(self) -> Iterator[bool]:
        """Count a request while it waits for its answer; yields whether it is one too many."""
        with self._server.lock:
            self._waiting += 1
            self.busiest = max(self.busiest, self._waiting)
            is_too_many = self.most_at_once is not None and self._waiting > self.most_at_once
            self.refused += is_too_many
        try:
            yield is_too_many
        finally:
            with self._server.lock:
                self._waiting -= 1

    def busy(self) -> Reply:
        """The reply to a request that is one too many."""
        return self._error(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests", 0)

    def _serve(self, account: Account, request: Request) -> Reply:
        if request.kind == "base":
            return Reply(HTTPStatus.OK, replies.base_resource(account.account_id, self.base_url))
        if request.kind == "schema":
            return self._schema(account, request.schema_id or "latest")
        if request.kind == "listing" and request.start_ms is not None and request.end_ms is not None:
            return self._list(account, request.start_ms, request.end_ms)
        if request.kind == "download" and request.file_name is not None:
            return self._download(account, request.file_name)
        return self._refuse(HTTPStatus.NOT_FOUND if request.kind == "other" else HTTPStatus.BAD_REQUEST)

    def _schema(self, account: Account, version: str) -> Reply:
        newest = VERSIONS[account.is_tagged]
        is_tagged = {version: is_tagged for is_tagged, version in VERSIONS.items()}.get(
            newest if version == "latest" else version
        )
        if is_tagged is None:
            return self._error(HTTPStatus.NOT_FOUND, "No such schema", replies.NO_FILES)
        return Reply(HTTPStatus.OK, compact(engagement_schema(is_tagged=is_tagged)))

    def _list(self, account: Account, start_ms: int, end_ms: int) -> Reply:
        earliest, latest = self._hours_kept()
        first = max(-(-start_ms // HOUR_MS) * HOUR_MS, earliest)
        names = [
            name
            for hour in range(first, min(end_ms, latest), HOUR_MS)
            for name in hour_file_names(account, datetime.fromtimestamp(hour / 1000, UTC))
            if self._is_made(account, name, hour)
        ]
        if not names:
            return self._error(HTTPStatus.NOT_FOUND, "No Available Files", replies.NO_FILES)
        return Reply(HTTPStatus.OK, replies.listing(account.account_id, self.base_url, names))

    def _download(self, account: Account, name: str) -> Reply:
        earliest, latest = self._hours_kept()
        try:
            start_ms = int(name.split(".")[1])
            is_there = earliest <= start_ms < latest and self._is_made(account, name, start_ms)
            body = self._file_bytes(account, name) if is_there else b""
        except (FileNotFoundError, IndexError, ValueError):
            body = b""
        if not body:
            return self._error(HTTPStatus.NOT_FOUND, "No Available Files", replies.NO_FILES)
        return Reply(HTTPStatus.OK, body, "application/octet-stream")

    def _hours_kept(self) -> tuple[int, int]:
        """Epoch milliseconds: starts of the oldest hour that is still kept, and of the first that has no file yet."""
        now_ms = int(self.now().timestamp() * 1000)
        # A file is made when its hour is over, and kept for the retention from then on.
        made_after = now_ms - int(self.retention.total_seconds() * 1000)
        return made_after // HOUR_MS * HOUR_MS, now_ms // HOUR_MS * HOUR_MS

    def _is_made(self, account: Account, name: str, start_ms: int) -> bool:
        """Whether a file of an hour that is over is there by now."""
        made = datetime.fromtimestamp((start_ms + HOUR_MS) / 1000, UTC) + self.misbehaviour.delay(account.account_id, name)
        return made <= self.now()

    def _refuse(self, status: HTTPStatus) -> Reply:
        return self._error(status, "This request is not supported, verify request headers and method", replies.UNSUPPORTED)

    def _error(self, status: HTTPStatus, message: str, code: int) -> Reply:
        return Reply(status, replies.error(message, code, self.now()))

    def signer(self, method: str, url: str, headers: dict[str, str]) -> str | None:
        """The account whose keys signed a request, None where it is not validly signed."""
        return self._gate.account_of(method, url, headers)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "EngagementSandbox"
    disable_nagle_algorithm = True
    timeout = 60
    server: "_Server"

    def do_GET(self) -> None:
        """Answer any request: other methods are led here too, to be refused in the API's own words."""
        sandbox = self.server.sandbox
        length = self.headers.get("Content-Length", "0")
        self.rfile.read(int(length) if length.isdigit() else 0)
        request = replace(understand(self.command, self.path), accept=self.headers.get("Accept", ""))
        with self.server.lock:
            sandbox.requests.append(request)
        with sandbox.waiting() as is_too_many:
            url = f"http://{self.headers.get('Host', '')}{self.path}"
            reply = sandbox.answer(request, sandbox.signer(self.command, url, dict(self.headers.items())))
            reply = sandbox.busy() if is_too_many else sandbox.misbehaviour.spoiled(request, reply, sandbox.now())
            _LOG.debug("%s %s -> %s, %d bytes", request.method, request.path, reply.status, len(reply.body))
            if sandbox.delay_seconds:
                sleep(sandbox.delay_seconds)
        send(self, reply)  # no longer counted: a client that has the answer may ask for more before this thread goes on

    do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = do_GET  # noqa: N815 -- the names that http.server calls

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name of the base class
        """Print nothing: `logging` gets a line for each request, without query and headers."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, sandbox: Sandbox, port: int) -> None:
        self.sandbox = sandbox
        self.lock = Lock()
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        """Remember the connection, so that `server_close` can end it."""
        with self.lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        """Forget the connection."""
        with self.lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Log a lost client, and other errors with their traceback, at debug level."""
        del request, client_address
        _LOG.debug("connection ended", exc_info=True)

    def server_close(self) -> None:
        """Close, with the connections that are still open."""
        super().server_close()
        with self.lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
