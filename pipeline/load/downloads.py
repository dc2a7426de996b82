"""Download what the account has and the lake lacks: one thread lists, others download, batches go to the load in order."""

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import datetime, timedelta
from queue import SimpleQueue
from threading import Thread
from typing import BinaryIO, Final, cast

from pipeline.api.client import DataAccessClient
from pipeline.errors import AccessRefusedError, SourceError, SourceUnreachableError
from pipeline.lake.lake import Lake
from pipeline.lake.landing import landed_path, stage
from pipeline.lake.ledger import LoadedFiles
from pipeline.load.results import SyncReport
from pipeline.source_files import Incoming, ListedDay, ListedFile, Staged

OnListed = Callable[[int, int], None]
OnDownloaded = Callable[[ListedFile, int, str | None], None]

_IN_MEMORY_BYTES: Final = 8 << 20
_LOOK_SECONDS: Final = 0.5  # between two looks whether the run is to stop
_CLOCKS_APART: Final = timedelta(days=1)  # at most: the hour of a file by its listing, and that by its name, as in the ledger


class Downloads:
    """Listed by one thread, downloaded by others, handed over in the order of the listing."""

    def __init__(
        self,
        lake: Lake,
        client: DataAccessClient,
        report: SyncReport,
        loaded: LoadedFiles,
        since: datetime,
        *,
        on_listed: OnListed | None,
        on_downloaded: OnDownloaded | None,
    ) -> None:
        self.days: list[ListedDay] = []
        self.is_over = False
        self.is_stopped = False
        self._lake = lake
        self._client = client
        self._report = report
        self._on_listed = on_listed or (lambda _listed, _wanted: None)
        self._on_downloaded = on_downloaded or (lambda _file, _bytes, _error: None)
        self._error: SourceError | None = None
        self._refusals: list[AccessRefusedError] = []  # of downloads
        self._since = since
        self._loaded = loaded
        self._digests = loaded.of(client.account_id, since=since - _CLOCKS_APART)
        self._is_there = lake.store.finder()
        self._queue: SimpleQueue[tuple[ListedFile, Future[Staged]] | BaseException | None] = SimpleQueue()

    def count_all(self, since: datetime, until: datetime) -> None:
        """List only; raises as `raise_for_listing` does."""
        for day in self._client.list_days(since, until):
            self.count(day)
        self.raise_for_listing()

    def count(self, day: ListedDay) -> list[ListedFile]:
        """Add a day to the report; gives its files to download."""
        self.days.append(day)
        earlier = [file.name for file in day.files if file.scope_start_time and file.scope_start_time < self._since]
        if earlier:  # than what was asked for
            self._digests |= self._loaded.of(self._client.account_id, names=earlier)
        wanted = [file for file in day.files if not self._is_known(file)]
        report = self._report
        report.listed += len(day.files) + len(day.refused)
        report.known += len(day.files) - len(wanted)
        report.wanted += [file.name for file in wanted]
        report.failed |= day.refused
        if day.error is not None:
            report.unlisted[f"{day.since:%Y-%m-%d}"] = _reason(day.error, f"{day.since:%Y-%m-%d}")
        self._on_listed(report.listed, len(report.wanted))
        return wanted

    def _is_known(self, file: ListedFile) -> bool:
        """Whether the lake has loaded the file, and still has it as served."""
        places = (landed_path(self._lake, file.name, digest) for digest in self._digests.get(file.name, ()))
        return any(map(self._is_there, places))

    @contextmanager
    def listed(self, since: datetime, until: datetime) -> Iterator[None]:
        """List and download during the block."""
        # Twice as many as may be in flight: those that write their file to the lake keep no other from its turn.
        downloads = ThreadPoolExecutor(2 * self._client.limits.downloads)
        lister = Thread(target=self._list, args=(downloads, since, until), daemon=True)
        lister.start()
        try:
            yield
        except BaseException:
            self._client.close()  # ends the pauses between attempts
            raise
        finally:
            downloads.shutdown(wait=False, cancel_futures=self.is_stopped or not self.is_over)
            if not self.is_stopped:  # else an answer may take its time
                lister.join()
                downloads.shutdown()

    def stop(self) -> None:
        """Download nothing more: the block ends when the complete files are loaded."""
        self.is_stopped = True
        self._client.close()
        self._queue.put(None)

    def _list(self, downloads: ThreadPoolExecutor, since: datetime, until: datetime) -> None:
        try:
            for day in self._client.list_days(since, until):
                if self.is_stopped:
                    break
                for file in self.count(day):
                    self._queue.put((file, downloads.submit(self._fetch, file)))
        except BaseException as error:  # noqa: BLE001  # the loading thread has to know of any
            if not self.is_stopped:
                self._queue.put(error)
        self._queue.put(None)

    def _fetch(self, file: ListedFile) -> Staged:
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as body:
            self._client.download(file, cast("BinaryIO", body))
            body.seek(0)
            return stage(self._lake, cast("BinaryIO", body))

    def files(self) -> Iterator[Incoming]:
        """Downloaded files, in the order of the listing; `is_over` is set when there are no more."""
        for file, staged in self._in_order():
            yield Incoming(
                name=file.name,
                staged=staged,
                account_id=file.account_id,
                scope_start=file.scope_start_time,
                scope_end=file.scope_end_time,
            )
        self.is_over = True

    def _in_order(self) -> Iterator[tuple[ListedFile, Staged]]:
        while (item := self._queue.get()) is not None:
            if isinstance(item, SourceError):
                self._error = item
            elif isinstance(item, BaseException):
                raise item
            elif (staged := self._downloaded(*item)) is not None:
                yield item[0], staged

    def _downloaded(self, file: ListedFile, future: Future[Staged]) -> Staged | None:
        """Wait for a download; gives None if it failed."""
        try:
            while not self.is_stopped and wait([future], _LOOK_SECONDS).not_done:
                pass
            if not future.done() or future.cancelled():
                return None
            staged = future.result()
        except SourceError as error:
            if self.is_stopped:
                return None
            self._report.failed[file.name] = _reason(error, file.name)
            self._on_downloaded(file, 0, self._report.failed[file.name])
            if isinstance(error, AccessRefusedError):
                self._refusals.append(error)
            return None
        self._report.downloaded_bytes += staged.bytes
        self._on_downloaded(file, staged.bytes, None)
        return staged

    def raise_for_listing(self) -> None:
        """Raise the error that makes the run a failure, now that all other files are in."""
        errors = [day.error for day in self.days if day.error is not None]
        unreadable = [error for error in errors if not isinstance(error, SourceUnreachableError)]
        if self._error is not None:
            raise self._error
        if self._refusals and len(self._refusals) == len(self._report.wanted):  # a refused login, not a refused file
            raise self._refusals[0]
        if unreadable or len(errors) == len(self.days) > 0:
            raise (unreadable or errors)[0]


def _reason(error: SourceError, name: str) -> str:
    """The text of an error without the name of its file or day, which the report has already."""
    return str(error).removeprefix(f"{name}: ").replace(f" for {name}: ", ": ", 1)
