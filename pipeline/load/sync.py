"""What the account has and the lake has not: listed, downloaded, loaded, all at the same time."""

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from queue import SimpleQueue
from threading import Thread
from typing import BinaryIO, Final, cast

from pipeline.api.client import DataAccessClient
from pipeline.erasure.tombstones import read_tombstones
from pipeline.errors import AccessRefusedError, SourceError, SourceUnreachableError
from pipeline.lake.lake import Lake
from pipeline.lake.landing import landed_path, stage
from pipeline.lake.ledger import loaded_files
from pipeline.lake.listings import remember
from pipeline.lake.snapshot import Change, Snapshot
from pipeline.load.account_schema import keep_schemas
from pipeline.load.engines import Engine, Progress
from pipeline.load.load import load
from pipeline.load.results import Report
from pipeline.processes import finishing
from pipeline.source_files import Incoming, ListedDay, ListedFile, Staged

OnListed = Callable[[int, int], None]
OnDownloaded = Callable[[ListedFile, int, str | None], None]

RETENTION: Final = timedelta(days=30)
"""How long the source keeps a file: no listing goes back further unless it is told to."""

DOWNLOADS: Final = 4
"""At the same time."""

_IN_MEMORY_BYTES = 8 << 20
_LOOK_SECONDS = 0.5  # between two looks whether the run is to stop
_CLOCKS_APART = timedelta(days=1)  # at most: the hour of a file by its listing, and by its name, which the ledger goes by
_COMMIT_BYTES = 256 << 20  # of downloads: a run that dies has to fetch no more than that again


@dataclass
class SyncReport(Report):
    """`listed` = `known` + loaded + unchanged + rejected + failed; on a dry run, `wanted` is what would be fetched.

    `failed` are files, or entries of a listing, that could not be downloaded, with the reason; `unlisted` are days likewise.
    """

    listed: int = 0
    known: int = 0
    downloaded_bytes: int = 0
    wanted: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    unlisted: dict[str, str] = field(default_factory=dict)
    schema_problem: str | None = None
    """Why the account's own schema could not be downloaded or kept, in a line; no data depends on it."""

    @property
    def is_complete(self) -> bool:
        """Whether all that the account has is in."""
        return super().is_complete and not self.failed and not self.unlisted


def sync(
    lake: Lake,
    client: DataAccessClient,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    dry_run: bool = False,
    report: SyncReport | None = None,
    engine: Engine | None = None,
    on_listed: OnListed | None = None,
    on_downloaded: OnDownloaded | None = None,
    progress: Progress | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> SyncReport:
    """Bring in the files whose scope starts in [since, until); the caller holds `writing`.

    Without `since` it begins where the source's retention does, so that a file is found however late it appears; without
    `until` it ends now. A file that the lake has loaded, from whichever side, is not fetched again; a rejected one is, and
    one whose landed file is lost. What can't be downloaded is in the report and in the table `listings`, and the rest goes
    on. What was done is added to `report`, which is returned.

    On Ctrl-C and its kin nothing more is fetched, and what is here whole is loaded.

    `on_listed` is told, day by day, how many files were listed so far, and how many of them are to be fetched;
    `on_downloaded` of each file how many bytes came, or why none did.

    Raises:
        SourceError: the credentials are refused, for the listing or for every download; no day can be listed; or an answer is
            no listing. What could be downloaded is in.
        LakeError: tombstones or their secret are damaged; nothing was listed.
        Stopped: there was a signal; what was here whole is in.
    """
    done = SyncReport() if report is None else report
    if lake.exists:
        read_tombstones(lake, lake.snapshot())  # else what is wrong with them would be told when files were fetched for nothing
    at = now()
    window = (since or at - RETENTION, until or at)
    coming = _Coming(lake, client, done, window[0], on_listed=on_listed, on_downloaded=on_downloaded)
    if dry_run:
        for day in client.list_days(*window):
            coming.count(day)
        coming.raise_for_listing()
        return done

    def listings(snapshot: Snapshot) -> dict[str, Change]:
        if not coming.is_over or coming.is_stopped:
            return {}
        return remember(lake, snapshot, client.account_id, coming.days, failed=done.failed, at=at)

    with finishing(coming.stop), coming.listed(*window):
        while not coming.is_over:
            load(lake, coming.some(), engine=engine, report=done, progress=progress, extra_changes=listings, now=now)
    coming.raise_for_listing()
    done.schema_problem = keep_schemas(lake, client, done.schema_versions, at=at)
    return done


class _Coming:
    """Files as they come in: listed by one thread, downloaded by others, handed over in the order of the listing."""

    def __init__(
        self,
        lake: Lake,
        client: DataAccessClient,
        report: SyncReport,
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
        self._digests = loaded_files(lake, client.account_id, since=since - _CLOCKS_APART)
        self._is_there = lake.store.finder()
        self._queue: SimpleQueue[tuple[ListedFile, Future[Staged]] | BaseException | None] = SimpleQueue()
        self._staged = self._in_order()

    def count(self, day: ListedDay) -> list[ListedFile]:
        """Add a day to the report; gives what of it is to be fetched."""
        self.days.append(day)
        earlier = [file.name for file in day.files if file.scope_start_time and file.scope_start_time < self._since]
        if earlier:  # than what was asked for
            self._digests |= loaded_files(self._lake, self._client.account_id, names=earlier)
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
        """Whether the lake has loaded it, and still has it as it was served."""
        places = (landed_path(self._lake, file.name, digest) for digest in self._digests.get(file.name, ()))
        return any(map(self._is_there, places))

    @contextmanager
    def listed(self, since: datetime, until: datetime) -> Iterator[None]:
        """List and download during the block."""
        downloads = ThreadPoolExecutor(DOWNLOADS)
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
        """Fetch nothing more: the block ends when what is here whole is loaded."""
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
        except BaseException as error:  # noqa: BLE001  # whatever it is, the thread that loads has to know
            if not self.is_stopped:
                self._queue.put(error)
        self._queue.put(None)

    def _fetch(self, file: ListedFile) -> Staged:
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as body:
            self._client.download(file, cast("BinaryIO", body))
            body.seek(0)
            return stage(self._lake, cast("BinaryIO", body))

    def some(self) -> Iterator[Incoming]:
        """Downloaded files for one commit; `is_over` is set when there are no more."""
        held = 0
        while held < _COMMIT_BYTES:
            item = next(self._staged, None)
            if item is None:
                self.is_over = True
                return
            file, staged = item
            held += staged.bytes
            yield Incoming(
                name=file.name,
                staged=staged,
                account_id=file.account_id,
                scope_start=file.scope_start_time,
                scope_end=file.scope_end_time,
            )

    def _in_order(self) -> Iterator[tuple[ListedFile, Staged]]:
        while (item := self._queue.get()) is not None:
            if isinstance(item, SourceError):
                self._error = item
            elif isinstance(item, BaseException):
                raise item
            elif (staged := self._downloaded(*item)) is not None:
                yield item[0], staged

    def _downloaded(self, file: ListedFile, future: Future[Staged]) -> Staged | None:
        """What came of a download; None if it failed."""
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
        """Raise what makes the run a failure, now that everything is in that could be downloaded."""
        errors = [day.error for day in self.days if day.error is not None]
        unreadable = [error for error in errors if not isinstance(error, SourceUnreachableError)]
        if self._error is not None:
            raise self._error
        if self._refusals and len(self._refusals) == len(self._report.wanted):  # a refused login, not a refused file
            raise self._refusals[0]
        if unreadable or len(errors) == len(self.days) > 0:
            raise (unreadable or errors)[0]


def _reason(error: SourceError, name: str) -> str:
    """What an error says beside the name of its file or day, which the report has already."""
    return str(error).removeprefix(f"{name}: ").replace(f" for {name}: ", ": ", 1)
