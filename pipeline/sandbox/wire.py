"""Sends a reply, with the misbehaviour that it asks for."""

import socket
import struct
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from select import select
from time import sleep

from pipeline.sandbox.replies import Reply

_LONGEST_SILENCE_SECONDS = 600
_BLANKS = b" " * (1 << 16)
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def send(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    """Send a reply by the handler of its request; a client that goes away ends it with an OSError."""
    if reply.is_silent:
        select([handler.connection], [], [], _LONGEST_SILENCE_SECONDS)
        handler.close_connection = True
        return
    _send_head(handler, reply)
    if handler.command != "HEAD":
        for piece in _pieces(reply):
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if reply.framing == "chunked" else piece)
    if reply.framing == "chunked" and reply.breaks_off_after is None:
        handler.wfile.write(b"0\r\n\r\n")
    handler.close_connection |= reply.framing == "close" or reply.breaks_off_after is not None
    if reply.is_reset:
        _reset(handler)


def _send_head(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    headers = {"Date": handler.date_time_string(), "Content-Type": reply.content_type, **dict(reply.headers)}
    if reply.framing == "chunked":
        headers["Transfer-Encoding"] = "chunked"
    elif reply.framing == "length":
        headers["Content-Length"] = str(len(reply.body))
    handler.send_response_only(reply.status)
    handler.send_header("Server", handler.version_string())
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()


def _pieces(reply: Reply) -> Iterator[bytes]:
    body = reply.body[: reply.breaks_off_after]
    if reply.bytes_per_second:
        for place in range(len(body)):
            sleep(1 / reply.bytes_per_second)
            yield body[place : place + 1]
    elif body:
        yield body
    while reply.is_endless:
        yield _BLANKS


def _reset(handler: BaseHTTPRequestHandler) -> None:
    """Reset the connection: close it with the linger time 0 and without a shutdown."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    handler.rfile.close()
    handler.connection.close()
