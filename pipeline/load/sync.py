"""Bring in the files that accounts have and the lake has not: list, download and load them, all at the same time."""

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from typing import Final

from pipeline.api.client import DataAccessClient
from pipeline.erasure.tombstones import read_tombstones
from pipeline.errors import SourceError
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import LoadedFiles
from pipeline.lake.listings import Heard, heard, remember
from pipeline.lake.snapshot import Change, Snapshot
from pipeline.load.account_schema import keep_schemas
from pipeline.load.downloads import Downloads, OnDownloaded, OnListed
from pipeline.load.engines import Engine, Progress
from pipeline.load.load import load
from pipeline.load.results import Report, SyncReport
from pipeline.processes import finishing
from pipeline.settings import COMMIT_BYTES
from pipeline.source_files import RETENTION, Incoming, Outcome

SCHEMA_SECONDS: Final = 10.0
"""The time for the schemas of all accounts, on which no data depends; the next run fetches what is left."""


def sync(
    lake: Lake,
    accounts: Mapping[DataAccessClient, SyncReport],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    dry_run: bool = False,
    engine: Engine | None = None,
    on_listed: OnListed | None = None,
    on_downloaded: OnDownloaded | None = None,
    commit_bytes: int = COMMIT_BYTES,
    progress: Progress | None = None,
    total: Report | None = None,
    newest: Snapshot | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Bring in the files whose scope starts in [since, until); the caller holds `writing`, and hands over what this gave.

    Without `since` it begins where the source's retention does, so that a file is found however late it appears; without
    `until` it ends now. A file that the lake has loaded, by sync or by load, is not fetched again; a rejected one is, and
    one whose landed file is lost. Failed downloads are in the report and in the table `listings`, and the rest goes on. The
    counts are added to each account's report. Accounts are listed and downloaded one after the other, and loaded together, in
    one commit for every `commit_bytes`. What can't be told by account is added to `total`, which `together` makes.

    After SIGINT, SIGTERM or SIGHUP nothing more is fetched; complete downloads are loaded.

    `on_listed` is called day by day with the numbers of files listed so far and of those to fetch, `on_downloaded` for each
    file with its bytes, or the reason why it failed.

    Raises:
        SourceError: the credentials of an account are refused, for the listing or for every download; no day can be listed; or
            an answer is no listing. All other downloads are loaded, and all other accounts.
        LakeError: tombstones or their secret are damaged; nothing was listed.
        Stopped: there was a signal; complete downloads are loaded.
    """
    if newest is not None or lake.exists:
        read_tombstones(lake, newest or lake.snapshot())  # else a problem would show only after the downloads
    at = now()
    run = _Run(lake, accounts, since or at - RETENTION, min(until or at, at), at, on_listed, on_downloaded)
    report = total or together(accounts)
    if dry_run:
        run.count_all()
    else:
        how = partial(load, lake, engine=engine, report=report, progress=progress, extra_changes=run.listings, now=now)
        with finishing(run.stop), closing(run.files):
            while not run.is_over:
                how(run.batch(commit_bytes), newest=newest)
                newest = None
                run.committed()
    began = time.monotonic()
    for client, its in accounts.items():
        if not dry_run and client not in run.errors and time.monotonic() < began + SCHEMA_SECONDS:
            its.schema_problem = keep_schemas(lake, client, its.schema_versions, at=at)
    run.raise_first()


class _Run:
    """The accounts of a sync: one after another is listed and downloaded, and its files follow those of the former one."""

    def __init__(  # noqa: PLR0917  # those of a sync
        self,
        lake: Lake,
        accounts: Mapping[DataAccessClient, SyncReport],
        since: datetime,
        until: datetime,
        at: datetime,
        on_listed: OnListed | None,
        on_downloaded: OnDownloaded | None,
    ) -> None:
        self.errors: dict[DataAccessClient, SourceError] = {}
        self.is_over = False
        self.files = self._of_all()
        self._lake = lake
        self._accounts = accounts
        self._loaded = LoadedFiles(lake)
        self._since, self._until, self._at = since, until, at
        self._on_listed = on_listed or (lambda _listed, _wanted: None)
        self._on_downloaded = on_downloaded
        self._downloads: Downloads | None = None
        self._heard: dict[str, Heard] = {}
        self._is_stopped = False

    def stop(self) -> None:
        """Download nothing more."""
        self._is_stopped = True
        if self._downloads is not None:
            self._downloads.stop()

    def count_all(self) -> None:
        """List only."""
        for client, report in self._accounts.items():
            try:
                report.is_asked = True
                self._begun(client, report).count_all(self._since, self._until)
            except SourceError as error:
                self._note(client, error)

    def batch(self, commit_bytes: int) -> Iterator[Incoming]:
        """Downloaded files for one commit; `is_over` is set when there are no more."""
        held = 0
        while held < commit_bytes:
            item = next(self.files, None)
            if item is None:
                self.is_over = True
                return
            assert item.staged is not None
            held += item.staged.bytes
            yield item

    def listings(self, snapshot: Snapshot) -> dict[str, Change]:
        """The change to `listings` of the accounts that are over."""
        return remember(self._lake, snapshot, self._heard)

    def committed(self) -> None:
        """Forget what `listings` has given."""
        self._heard.clear()

    def raise_first(self) -> None:
        """Raise the first error that makes the run a failure, now that all other files are in."""
        for client, error in self.errors.items():
            if len(self._accounts) > 1:
                failed, of = len(self.errors), len(self._accounts)
                counts = f"{failed:,} of {of:,} accounts failed{', the others did not' if failed < of else ''}"
                which = "" if failed == 1 else "; the first"
                raise type(error)(f"{counts}{which}: account {client.account_id}: {self._accounts[client].failure}") from error
            raise error

    def _begun(self, client: DataAccessClient, report: SyncReport) -> Downloads:
        self._downloads = Downloads(
            self._lake,
            client,
            report,
            self._loaded,
            self._since,
            on_listed=self._count,
            on_downloaded=self._on_downloaded,
        )
        return self._downloads

    def _count(self, _listed: int, _wanted: int) -> None:
        reports = self._accounts.values()
        self._on_listed(sum(one.listed for one in reports), sum(len(one.wanted) for one in reports))

    def _of_all(self) -> Generator[Incoming, None, None]:
        for client, report in self._accounts.items():
            downloads = self._begun(client, report)
            if self._is_stopped:  # a signal came in between
                return
            report.is_asked = True
            with downloads.listed(self._since, self._until):
                yield from downloads.files()
            if self._is_stopped:
                return
            self._heard[client.account_id] = heard(downloads.days, failed=report.failed, at=self._at)
            try:
                downloads.raise_for_listing()
            except SourceError as error:
                self._note(client, error)

    def _note(self, client: DataAccessClient, error: SourceError) -> None:
        self.errors[client] = error
        self._accounts[client].fault = error
        self._accounts[client].failure = str(error).removeprefix(f"account {client.account_id}: ")


class _Together(Report):
    """The report of several accounts: each file counts in that of its own."""

    def __init__(self, accounts: Mapping[str, SyncReport]) -> None:
        super().__init__()
        self._accounts = accounts

    def count(self, outcome: Outcome) -> None:
        """Add one file; a downloaded one has the account that listed it."""
        assert outcome.account_id is not None
        self._accounts[outcome.account_id].count(outcome)


def together(accounts: Mapping[DataAccessClient, SyncReport]) -> Report:
    """The report of all accounts: that of the only one, or one that has what can't be told by account, as files replaced."""
    if len(accounts) == 1:
        return next(iter(accounts.values()))
    return _Together({client.account_id: report for client, report in accounts.items()})
