"""Parses JSON documents that stand one after another in a text, as the API serves them."""

import json
import re

_BLANKS = re.compile(r"\s*")


def parse_documents(body: bytes) -> list[object]:
    """Read one JSON document or several, one after another, with or without a byte order mark.

    Raises:
        ValueError: the body is something else, or nothing.
    """
    text = body.decode(json.detect_encoding(body)).lstrip("\ufeff")
    decoder = json.JSONDecoder()
    documents: list[object] = []
    position = _next_mark(text, 0)
    try:
        while position < len(text):
            document, position = decoder.raw_decode(text, position)
            documents.append(document)
            position = _next_mark(text, position)
    except RecursionError as error:
        message = "nested too deeply"
        raise ValueError(message) from error
    if not documents:
        message = "empty"
        raise ValueError(message)
    return documents


def _next_mark(text: str, position: int) -> int:
    match = _BLANKS.match(text, position)
    return match.end() if match else position
