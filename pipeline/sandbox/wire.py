"""An answer over the wire, as badly as it is told to."""

import socket
import struct
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from select import select
from time import sleep

from pipeline.sandbox.answers import Answer

_LONGEST_SILENCE_SECONDS = 600
_BLANKS = b" " * (1 << 16)
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def send(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    """Send an answer by the handler of its request; a client that goes away ends it with an OSError."""
    if answer.is_silent:
        select([handler.connection], [], [], _LONGEST_SILENCE_SECONDS)
        handler.close_connection = True
        return
    _send_head(handler, answer)
    if handler.command != "HEAD":
        for piece in _pieces(answer):
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if answer.framing == "chunked" else piece)
    if answer.framing == "chunked" and answer.breaks_off_after is None:
        handler.wfile.write(b"0\r\n\r\n")
    handler.close_connection |= answer.framing == "close" or answer.breaks_off_after is not None
    if answer.is_reset:
        _reset(handler)


def _send_head(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    headers = {"Date": handler.date_time_string(), "Content-Type": answer.content_type, **dict(answer.headers)}
    if answer.framing == "chunked":
        headers["Transfer-Encoding"] = "chunked"
    elif answer.framing == "length":
        headers["Content-Length"] = str(len(answer.body))
    handler.send_response_only(answer.status)
    handler.send_header("Server", handler.version_string())
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()


def _pieces(answer: Answer) -> Iterator[bytes]:
    body = answer.body[: answer.breaks_off_after]
    if answer.bytes_per_second:
        for place in range(len(body)):
            sleep(1 / answer.bytes_per_second)
            yield body[place : place + 1]
    elif body:
        yield body
    while answer.is_endless:
        yield _BLANKS


def _reset(handler: BaseHTTPRequestHandler) -> None:
    """End the connection by a reset: closed with the linger time 0, and by nobody properly shut down before."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    handler.rfile.close()
    handler.connection.close()
