"""A real HTTP server on loopback that answers by script: what a test wants the API to do, odd and hostile things too."""

import json
import socket
import ssl
import struct
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Self
from urllib.parse import urlsplit

from pipeline.api.client import DataAccessClient
from pipeline.api.limits import Limits
from pipeline.settings import Credentials, Secret
from pipeline.source_files import ListedFile

ACCOUNT = "75555851"
BASE_PATH = f"/data_access_le/account/{ACCOUNT}/le"
LISTING_PATH = f"{BASE_PATH}/engagement"
CANARIES = ("canary+key/1", "canary&secret=2", "canary token%3", "canary~tökensecret4")
CREDENTIALS = Credentials(ACCOUNT, *(Secret(canary) for canary in CANARIES))
QUICK = Limits(connect_seconds=2, read_seconds=0.4, attempts=3, retry_seconds=5, backoff_seconds=0.01)


@dataclass(frozen=True)
class Reply:
    """One answer; `announced` is its Content-Length: "right", a number, or None for none, so that the connection ends it."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    announced: int | str | None = "right"
    is_chunked: bool = False
    then_reset: bool = False
    """Cut the connection after the body, hard."""
    pause_seconds: float = 0.0
    """Wait before each byte."""


@dataclass(frozen=True)
class Seen:
    """A request as it came."""

    path: str
    url: str
    headers: dict[str, str]
    connection: tuple[str, int]


class ScriptedApi:
    """Answers each path with its replies in turn, the last one again and again; serves while it is a context.

    With the file of a certificate and its key it speaks TLS.
    """

    def __init__(self, certificate: Path | None = None) -> None:
        self.seen: list[Seen] = []
        self.script: defaultdict[str, list[Reply]] = defaultdict(lambda: [Reply(b"{}", status=404)])
        self._lock = Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.api = self  # type: ignore[attr-defined]
        self.base_url = f"http{'s' if certificate else ''}://127.0.0.1:{self._server.server_port}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.script[BASE_PATH] = [as_json({"link": [self.link("self", BASE_PATH), self.link("engagement", LISTING_PATH)]})]

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, args=(0.005,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def link(self, rel: str, path: str) -> dict[str, str]:
        """A link as the base resource has it."""
        return {"@rel": rel, "@href": self.base_url + path}

    def entry(self, name: str, **more: str) -> dict[str, str]:
        """A file as the listing has it, found at a path of its own."""
        return {"@name": name, "@href": f"{self.base_url}{LISTING_PATH}/{name}", **more}

    def listing(self, *entries: object) -> Reply:
        """An answer to a window."""
        return as_json({"dataAccessFiles": {"@id": ACCOUNT, "file": list(entries)}})

    def next_reply(self, seen: Seen) -> Reply:
        """Note a request and say what it gets."""
        with self._lock:
            self.seen.append(seen)
            replies = self.script[seen.path]
            return replies.pop(0) if len(replies) > 1 else replies[0]

    def paths(self) -> list[str]:
        """The requests so far, in order."""
        return [seen.path for seen in self.seen]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer by the script."""
        api: ScriptedApi = self.server.api  # type: ignore[attr-defined]
        url = f"http://{self.headers['Host']}{self.requestline.split()[1]}"  # `path` is tidied up
        reply = api.next_reply(Seen(urlsplit(self.path).path, url, dict(self.headers.items()), self.client_address))
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.is_chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif reply.announced is not None:
            self.send_header("Content-Length", str(len(reply.body) if reply.announced == "right" else reply.announced))
        self.end_headers()
        self._send_body(reply)
        if reply.then_reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = reply.then_reset or reply.announced != "right"

    def _send_body(self, reply: Reply) -> None:
        try:
            for start in range(0, len(reply.body), 1) if reply.pause_seconds else ():
                time.sleep(reply.pause_seconds)
                self.wfile.write(reply.body[start : start + 1])
            if reply.is_chunked:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(reply.body), reply.body))
                self.wfile.write(b"" if reply.then_reset else b"0\r\n\r\n")
            elif not reply.pause_seconds:
                self.wfile.write(reply.body)
        except ConnectionError:
            self.close_connection = True

    def send_response(self, code: int, message: str | None = None) -> None:
        """Without the Date header, so that a script can set its own."""
        self.send_response_only(code, message)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""


def listed(client: DataAccessClient, since: datetime, until: datetime) -> list[ListedFile]:
    """The files of a window; raises what a day says why it could not be listed."""
    files = []
    for day in client.list_days(since, until):
        if day.error is not None:
            raise day.error
        files += day.files
    return files


def as_json(value: Any, **more: Any) -> Reply:
    return Reply(json.dumps(value).encode(), **more)


def says(message: str, *, code: int = 7, **more: Any) -> Reply:
    """An error in the API's words."""
    return as_json({"time": 0, "message": message, "internalCode": code}, **more)
