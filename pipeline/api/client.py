"""The client of the Data Access API: lists the source files of a time range and downloads them.

As on the vendor's page: base resource, its engagement link, a listing by `startTime` and `endTime`, and a signed download for
each file. `pipeline.api.transport` sends the requests, `pipeline.api.responses` reads the bodies.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from datetime import datetime
from typing import BinaryIO, Self
from urllib.parse import urlsplit

from pipeline.api.limits import Limits
from pipeline.api.links import resolve_link
from pipeline.api.pace import Pace, Turn
from pipeline.api.packed import gunzipped, is_labelled_gzip, plain_text, to_the_end_of_gzip, without_transfer_gzip
from pipeline.api.responses import ServerError, error_in, is_answer, link_to, listed_files
from pipeline.api.retries import Retries
from pipeline.api.transport import Response, Transport, has_announced_end
from pipeline.errors import AccessRefusedError, GarbledAnswerError, SourceError, UnexpectedAnswerError
from pipeline.json_documents import parse_documents
from pipeline.settings import DEFAULT_BASE_URL, Credentials, checked_account_id, checked_base_url
from pipeline.source_files import ListedDay, ListedFile
from pipeline.text import shortened
from pipeline.times import EPOCH, MILLISECOND

DAY_MS = 86_400_000
HTTP_OK = 200
HTTP_NO_CONTENT = 204
HTTP_UNAUTHORIZED = 401
HTTP_SERVER_ERROR = 500
HTTP_GONE = frozenset({404, 410})
_MOST_ERRORS = 3
_FILE_TYPES = ("*/*", "application/json")
"""The `Accept` headers for files: that of the one public client that downloads, and that of the listings.

Some accounts' servers take only one of them, and answer to the other that the request is not supported, or not authorized.
"""
_NOT_ACCEPTABLE = frozenset({406, 415})
_UNSUPPORTED_CODE, _UNAUTHORIZED_CODE = "5", "10"


class DataAccessClient:
    """The files of one account. Threads may share a client."""

    def __init__(self, credentials: Credentials, base_url: str = DEFAULT_BASE_URL, *, limits: Limits | None = None) -> None:
        """Prepare a client; nothing is sent yet.

        Raises:
            SettingsError: the account id or the base URL cannot be one.
        """
        self.account_id = checked_account_id(credentials.account_id)
        self.base_url = checked_base_url(base_url)
        self.limits = limits or Limits()
        self._transport = Transport(credentials, self.base_url, self.limits)
        self._pace = Pace(self.limits.downloads)
        self._retries = Retries(self.limits, self._pace, self._transport.closed)
        self._base_resource = f"{self.base_url}/data_access_le/account/{self.account_id}/le"
        self._documented = f"{self._base_resource}/engagement"
        self._engagement_url: str | None = None
        self._schema_link: str | None = None
        self._is_linked = False
        self._file_types: tuple[str, ...] = _FILE_TYPES  # the first is the one to ask with
        self._is_type_known = False
        self._has_listed = False

    def __enter__(self) -> Self:
        """Use the client until the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Drop the connections and end every pause and wait for a turn; later requests raise SourceError."""
        self._transport.close()
        self._pace.close()

    def list_days(self, since: datetime, until: datetime) -> Iterator[ListedDay]:
        """Yield each UTC day, or part of one, of [since, until) with its files, in time order, a request for each.

        Each name comes once. Where a name is listed with two links, the first one holds. Consecutive windows
        share midnight, because the vendor does not say whether `endTime` is part of the range. A file that the server lists
        although its scope starts before `since` comes, too. A day that can't be listed is passed over with its error; after
        three in a row no other day is asked for.

        Raises:
            SourceUnreachableError: the base resource does not answer within the limits.
            AccessRefusedError: it, or a listing, refuses the credentials.
            UnexpectedAnswerError: its answer is not as the API documents it.
        """
        url = self._find_engagement()
        seen: set[str] = set()
        errors: list[SourceError] = []  # of the days just before
        for start, end in _days(since, until):
            day = ListedDay(EPOCH + start * MILLISECOND, EPOCH + end * MILLISECOND)
            if len(errors) < _MOST_ERRORS:
                try:
                    self._list_window(url, start, end, day)
                    errors.clear()
                except AccessRefusedError:
                    raise
                except SourceError as error:
                    errors.append(error)
            day.error = errors[-1] if errors else None
            day.files = [file for file in _unseen(day.files, seen) if not _is_from(until, file)]
            yield day

    def _list_window(self, url: str, start: int, end: int, day: ListedDay) -> None:
        """Ask for one window, in epoch milliseconds."""
        subject = f"{shortened(urlsplit(url).path)} for {day.since.date()}"
        try:
            documents = self._ask(url, subject, {"startTime": start, "endTime": end})
        except (AccessRefusedError, UnexpectedAnswerError) as error:
            if self._is_linked:
                raise
            found = f"{self._base_resource} names no link to engagement data"
            message = f"{error}; {found}: ask LivePerson to open Data Access to the account"
            raise type(error)(message) from error
        self._has_listed = True
        day.files, day.refused = listed_files(documents, self.account_id, subject)

    def _find_engagement(self) -> str:
        """The address of the listings: from the base resource, or the documented one if that has no link."""
        if self._engagement_url is None:
            documents = self._ask(self._base_resource, f"account {self.account_id}")
            link = link_to("engagement", documents)
            self._schema_link = link_to("schema", documents)
            self._is_linked = link is not None
            self._engagement_url = resolve_link(self._base_resource, link or self._documented, f"account {self.account_id}")
        return self._engagement_url

    def _ask(self, url: str, subject: str, params: dict[str, int] | None = None) -> list[object]:
        """Return the JSON documents of an answer; none if the API says that there are no files, or no base resource."""

        def attempt(turn: Turn) -> list[object]:
            with closing(self._transport.send(url, subject, params, turn=turn)) as response:
                if response.status_code == HTTP_OK:
                    body = self._text(response, subject, self.limits.listing_bytes, "LP_MAX_LISTING_BYTES")
                    documents = _documents(body, subject)
                    if is_answer(documents):
                        return documents
                else:
                    body = self._transport.error_body(response, subject)
                error = error_in(plain_text(body))
                is_nothing = response.status_code == HTTP_NO_CONTENT and not body
                if is_nothing or (error and error.means_no_files):
                    return []
                failure = self._transport.error_for(response, error, subject)
                is_gone = response.status_code in HTTP_GONE and not isinstance(failure, AccessRefusedError)
                if is_gone and url == self._base_resource:
                    return []
                raise failure

        return self._retries.with_retries(attempt)

    def _text(self, response: Response, subject: str, limit: int, setting: str | None = None) -> bytes:
        chunks = self._transport.body(response, subject)
        plain = gunzipped(chunks, subject) if is_labelled_gzip(response.headers) else chunks
        return b"".join(_capped(plain, limit, subject, setting))

    def schema(self, version: str) -> bytes | None:
        """Fetch the account's own Avro schema of a version, or the `latest`; None if the base resource has no link to it.

        There are no retries, since no load depends on it.

        Raises:
            SourceError: it is not available.
        """
        self._find_engagement()
        if self._schema_link is None:
            return None
        subject = f"schema {version}"
        url = resolve_link(self._base_resource, self._schema_link, subject).partition("?")[0]
        with closing(self._transport.send(url, subject, {"schemaId": version})) as response:
            if response.status_code != HTTP_OK:
                error = error_in(plain_text(self._transport.error_body(response, subject)))
                found = f"HTTP {response.status_code}, {error or ''}"
                raise UnexpectedAnswerError(f"{subject}: expected an Avro schema, found {found}")
            return self._text(response, subject, self.limits.schema_bytes)

    def download(self, file: ListedFile, to: BinaryIO, *, on_bytes: Callable[[int], None] | None = None) -> None:
        """Write `file` to `to` as served, before any transfer encoding; each attempt empties `to` and starts anew.

        The file is complete at the announced length or, without one, at the end of its gzip stream. The landing zone
        checks the archive itself. After an error the content of `to` is undefined.

        Args:
            file: as `list_days` gave it.
            to: seekable; emptied first. Its own errors are passed on unchanged.
            on_bytes: called with the number of bytes written; a negative number takes back those of a failed attempt.

        Raises:
            SourceUnreachableError: the server did not give the whole file within the limits.
            AccessRefusedError: it refuses the credentials.
            UnexpectedAnswerError: the file vanished, is too large, or its link leads elsewhere.
        """
        report = on_bytes or (lambda _: None)

        def attempt(turn: Turn) -> None:
            written = 0
            to.seek(0)
            to.truncate()
            try:
                with closing(self._served(file, turn)) as chunks:
                    for chunk in chunks:
                        to.write(chunk)
                        written += len(chunk)
                        report(len(chunk))
                turn.bytes = written
            except SourceError:
                report(-written)
                raise

        self._retries.with_retries(attempt)

    def _served(self, file: ListedFile, turn: Turn) -> Generator[bytes, None, None]:
        """Yield the bytes of one attempt at a file; if the first type is refused, ask with the other one."""
        url = resolve_link(self._engagement_url or self._documented, file.href, file.name)
        first, other = self._file_types
        try:
            yield from self._served_as(first, url, file.name, turn)
        except _RefusedTypeError as refused:
            try:
                yield from self._served_as(other, url, file.name, turn)
            except _RefusedTypeError:
                raise refused.failure from refused

    def _served_as(self, accept: str, url: str, name: str, turn: Turn) -> Generator[bytes, None, None]:
        with closing(self._transport.send(url, name, accept=accept, turn=turn)) as response:
            if response.status_code != HTTP_OK:
                error = error_in(plain_text(self._transport.error_body(response, name)))
                if response.status_code in HTTP_GONE or (error and error.means_no_files):
                    message = f"{name}: the server listed it but doesn't have it now (HTTP {response.status_code})"
                    raise UnexpectedAnswerError(message)
                failure = self._transport.error_for(response, error, name)
                raise _RefusedTypeError(failure) if self._may_be_the_type(response.status_code, error) else failure
            self._file_types = (accept, *(kind for kind in _FILE_TYPES if kind != accept))
            self._is_type_known = True
            chunks = self._transport.body(response, name)
            if is_labelled_gzip(response.headers):
                chunks = without_transfer_gzip(chunks, name)
            if not has_announced_end(response):
                chunks = to_the_end_of_gzip(chunks, name)
            yield from _capped(chunks, self.limits.file_bytes, name, "LP_MAX_FILE_BYTES")

    def _may_be_the_type(self, status: int, error: ServerError | None) -> bool:
        """Whether the other type may help: also if keys that listed are refused for the first file."""
        code = error.internal_code if error else ""
        is_refused = status == HTTP_UNAUTHORIZED and code == _UNAUTHORIZED_CODE
        is_unsupported = code == _UNSUPPORTED_CODE and status < HTTP_SERVER_ERROR
        return status in _NOT_ACCEPTABLE or is_unsupported or (is_refused and self._has_listed and not self._is_type_known)


class _RefusedTypeError(Exception):
    """A file was refused, maybe for the type that was asked for; `failure` is the error if the other type is refused, too."""

    def __init__(self, failure: SourceError) -> None:
        super().__init__(str(failure))
        self.failure = failure


def _days(since: datetime, until: datetime) -> Iterator[tuple[int, int]]:
    """Cut [since, until) at UTC midnights, in epoch milliseconds, rounded outwards."""
    if since >= until:
        return
    start, stop = (since - EPOCH) // MILLISECOND, -((EPOCH - until) // MILLISECOND)
    while start < stop:
        end = min((start // DAY_MS + 1) * DAY_MS, stop)
        yield start, end
        start = end


def _unseen(files: list[ListedFile], seen: set[str]) -> Iterator[ListedFile]:
    for file in files:
        if file.name not in seen:
            seen.add(file.name)
            yield file


def _is_from(moment: datetime, file: ListedFile) -> bool:
    return file.scope_start_time is not None and file.scope_start_time >= moment


def _documents(body: bytes, subject: str) -> list[object]:
    """Read the body of a 200; no documents if it is an error in XML."""
    try:
        return parse_documents(body)
    except ValueError as error:
        if (in_xml := error_in(body)) and (in_xml.internal_code or in_xml.means_no_files):
            return []
        kind = "a page in HTML or XML" if body.lstrip()[:1] == b"<" else f"{len(body):,} bytes that are not, or not all"
        message = f"{subject}: expected JSON, found {kind}; check LP_BASE_URL and the proxies in between"
        raise GarbledAnswerError(message) from error


def _capped(chunks: Iterator[bytes], limit: int, subject: str, setting: str | None) -> Iterator[bytes]:
    received = 0
    for chunk in chunks:
        received += len(chunk)
        if received > limit:
            message = f"{subject}: expected at most {limit:,} bytes, more came"
            raise UnexpectedAnswerError(f"{message}; if it is genuine, raise {setting}" if setting else message)
        yield chunk
