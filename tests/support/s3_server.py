"""An S3 API on an address of this machine, in a process of its own: prints its URL, and serves until its standard input ends.

Moto answers; what S3 promises and moto does not is added here: a conditional put is one step. Some buckets misbehave:
`forgetful` makes each commit of the ledger and answers with a failure once, `forbidden` knows nobody's key, `careless` writes
over existing objects, against the condition. `/requests-so-far` lists methods and paths.
"""

import json
import logging
import sys
from collections.abc import Callable, Iterable
from threading import Lock, Thread
from typing import Any

from moto.moto_server.werkzeug_app import create_backend_app
from werkzeug.serving import make_server

_UNKNOWN_KEY = (
    b"<Error><Code>InvalidAccessKeyId</Code><Message>No such key</Message><AWSAccessKeyId>%s</AWSAccessKeyId></Error>"
)


class Store:
    """The WSGI application."""

    def __init__(self) -> None:
        self.moto = create_backend_app("s3")
        self.one_at_a_time = Lock()
        self.forgotten: set[str] = set()
        self.asked: list[tuple[str, str]] = []

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if path == "/requests-so-far":
            start("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(self.asked).encode()]
        self.asked.append((method, path))
        if path.startswith("/forbidden"):
            start("403 Forbidden", [("Content-Type", "application/xml")])
            return [b"" if method == "HEAD" else _UNKNOWN_KEY % environ.get("HTTP_AUTHORIZATION", "").encode()]
        if path.startswith("/careless/"):
            environ.pop("HTTP_IF_NONE_MATCH", None)
        with self.one_at_a_time:
            if (
                method == "PUT"
                and path.startswith("/forgetful/")
                and "/files/_delta_log/" in path
                and path not in self.forgotten
            ):
                self.forgotten.add(path)
                list(self.moto(environ, lambda *_: lambda _: None))
                start("500 Internal Server Error", [])
                return [b""]
            return list(self.moto(environ, start))


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    host = sys.argv[1]
    server = make_server(host, 0, Store(), threaded=True)
    Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://{host}:{server.server_port}", flush=True)  # noqa: T201
    sys.stdin.read()
