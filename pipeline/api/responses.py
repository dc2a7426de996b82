"""Reads the responses of the Data Access API: links, listed files, errors. No request, no clock.

Lenient in shape, where the vendor's page and its accounts differ (the page shows two JSON documents one after
another, users met single objects instead of lists and XML errors), and strict about names, which become file names.
"""

import json
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from unicodedata import category

from pipeline.errors import UnexpectedAnswerError
from pipeline.source_files import ListedFile, with_gz
from pipeline.text import SECRETS, shortened
from pipeline.times import at_milliseconds

MAX_NAME_BYTES = 255

_BLANKS = re.compile(r"\s*")
_ERROR_BYTES = 1 << 16
_FILE_TIMES = re.compile(r"\.(\d{1,14})\.(\d{1,14})\.part-")


@dataclass(frozen=True, slots=True)
class ServerError:
    """The server's error; "" for parts that it leaves out."""

    message: str
    internal_code: str

    @property
    def means_no_files(self) -> bool:
        """Whether it is the API's answer to an empty time range."""
        return "no available files" in self.message.lower()

    def __str__(self) -> str:
        """Put it on one short line."""
        code = f"internalCode {shortened(self.internal_code)}: " if self.internal_code else ""
        return f"{code}{shortened(self.message) or 'no message'}"


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


def is_answer(documents: list[object]) -> bool:
    """Whether the documents are links or files, and no error."""
    return any(mapping.keys() & {"dataAccessFiles", "link", "file"} for mapping in _mappings(documents))


def error_in(body: bytes) -> ServerError | None:
    """Find the server's message in a JSON, XML or plain body; None without one."""
    try:
        return _error_in_documents(parse_documents(body))
    except ValueError:
        text = body[:_ERROR_BYTES].decode("utf-8", "replace").strip()
    found = [re.search(rf"<(?:\w+:)?{name}\b[^<>]*>([^<]*)</", text) for name in ("message", "internalCode")]
    message, code = (match[1].strip() if match else "" for match in found)
    if not message and not code and not text.startswith("<"):
        message = text
    return ServerError(message, code) if message or code else None


def is_cut_short(body: bytes) -> bool:
    """Whether a text that begins as JSON or XML does not end as such."""
    text = body.strip()
    if text.startswith(b"<"):
        return not text.endswith(b">")
    try:
        return text.startswith((b"{", b"[")) and not parse_documents(text)
    except ValueError:
        return True


def _error_in_documents(documents: list[object]) -> ServerError | None:
    for mapping in _mappings(documents):
        if mapping.keys() & {"message", "internalCode"}:
            message, code = mapping.get("message"), mapping.get("internalCode")
            return ServerError("" if message is None else str(message), "" if code is None else str(code))
    return None


def link_to(relation: str, documents: list[object]) -> str | None:
    """Find the link with that relation, such as `engagement`, at any depth of the base resource."""
    for mapping in _mappings(documents):
        href = _field(mapping, "href")
        if _field(mapping, "rel") == relation and isinstance(href, str):
            return href
    return None


def listed_files(documents: list[object], account_id: str, subject: str) -> tuple[list[ListedFile], dict[str, str]]:
    """Read the files of a listing, in its order; second come the refused entries, as text, with the reason.

    Raises:
        UnexpectedAnswerError: a document is no listing.
    """
    files: list[ListedFile] = []
    refused: dict[str, str] = {}
    for document in documents:
        listing = document.get("dataAccessFiles") if isinstance(document, dict) else None
        if not isinstance(listing, dict):
            if _says_no_files(document):
                continue
            message = f"{subject}: expected a JSON object with dataAccessFiles, found {_shown(document)}"
            raise UnexpectedAnswerError(message)
        for entry in _as_list(listing.get("file") or []):
            try:
                files.append(_listed_file(entry, account_id))
            except UnexpectedAnswerError as error:
                refused[_shown(_field(entry, "name") if isinstance(entry, dict) else entry)] = str(error)
    return files, refused


def _listed_file(entry: object, account_id: str) -> ListedFile:
    if not isinstance(entry, dict):
        message = "expected a file with @name and @href in the listing; not fetched"
        raise UnexpectedAnswerError(message)
    name, href = _field(entry, "name"), _field(entry, "href")
    if not isinstance(name, str) or not _is_bare_name(name):
        message = "expected a bare file name as @name in the listing; not fetched"
        raise UnexpectedAnswerError(message)
    if SECRETS.are_in(name):
        message = "expected a file name as @name in the listing, found one that repeats a key; not fetched"
        raise UnexpectedAnswerError(message)
    if not isinstance(href, str):
        message = f"expected a link as @href in the listing, found {_shown(href)}; not fetched"
        raise UnexpectedAnswerError(message)
    times = _FILE_TIMES.search(name)
    start, end = _field(entry, "scopeStartDate"), _field(entry, "scopeEndDate")
    return ListedFile(
        account_id=account_id,
        name=with_gz(name),
        href=href,
        scope_start_time=utc_from_text(start) or (utc_from_text(times[1]) if times else None),
        scope_end_time=utc_from_text(end) or (utc_from_text(times[2]) if times else None),
    )


def _is_bare_name(name: str) -> bool:
    """Whether `name` is safe as a file's name: it leads out of no folder and is not hidden."""
    plain = name.strip() == name and not any(char in "/\\" or category(char)[0] == "C" for char in name)
    return plain and name[:1] not in ("", ".") and len(with_gz(name).encode()) <= MAX_NAME_BYTES


def utc_from_text(value: object) -> datetime | None:
    """Read ISO 8601 (without offset: UTC) or epoch milliseconds; None for other values."""
    try:
        if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()):
            return at_milliseconds(int(value))
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is None:
            return None
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """Read a Retry-After header, in seconds or as an HTTP date; None if it is unreadable."""
    text = (header or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    moment = utc_from_http_date(text)
    return max(0.0, (moment - now).total_seconds()) if moment else None


def utc_from_http_date(header: str | None) -> datetime | None:
    """Read the date of an HTTP header; None if it is unreadable."""
    try:
        moment = parsedate_to_datetime(header or "")
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _mappings(value: object) -> Iterator[dict[str, object]]:
    """Yield every JSON object in `value`, outer ones first."""
    waiting = deque([value])
    while waiting:
        current = waiting.popleft()
        if isinstance(current, dict):
            yield current
            waiting.extend(current.values())
        elif isinstance(current, list):
            waiting.extend(current)


def _field(mapping: dict[str, object], name: str) -> object:
    """Get a field under the name of the vendor's example (`@name`) or of its table (`name`)."""
    return mapping.get(f"@{name}", mapping.get(name))


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _says_no_files(document: object) -> bool:
    """Whether this is the API's error for an empty range, or a listing that is null and no error."""
    error = _error_in_documents([document])
    if error is None:
        return isinstance(document, dict) and document.get("dataAccessFiles", document) is None
    return error.means_no_files


def _shown(value: object) -> str:
    try:
        return shortened(json.dumps(value))
    except RecursionError:
        return "a deeply nested value"
