"""Bring in the files that the account has and the lake has not: list, download and load them, all at the same time."""

from collections.abc import Callable
from datetime import UTC, datetime

from pipeline.api.client import DataAccessClient
from pipeline.erasure.tombstones import read_tombstones
from pipeline.lake.lake import Lake
from pipeline.lake.listings import remember
from pipeline.lake.snapshot import Change, Snapshot
from pipeline.load.account_schema import keep_schemas
from pipeline.load.downloads import COMMIT_BYTES, Downloads, OnDownloaded, OnListed
from pipeline.load.engines import Engine, Progress
from pipeline.load.load import load
from pipeline.load.results import SyncReport
from pipeline.processes import finishing
from pipeline.source_files import RETENTION


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
    commit_bytes: int = COMMIT_BYTES,
    progress: Progress | None = None,
    newest: Snapshot | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> SyncReport:
    """Bring in the files whose scope starts in [since, until); the caller holds `writing`, and hands over what this gave.

    Without `since` it begins where the source's retention does, so that a file is found however late it appears; without
    `until` it ends now. A file that the lake has loaded, by sync or by load, is not fetched again; a rejected one is, and
    one whose landed file is lost. Failed downloads are in the report and in the table `listings`, and the rest goes on. The
    counts are added to `report`, which is returned.

    After SIGINT, SIGTERM or SIGHUP nothing more is fetched; complete downloads are loaded.

    `on_listed` is called day by day with the numbers of files listed so far and of those to fetch, `on_downloaded` for each
    file with its bytes, or the reason why it failed.

    Raises:
        SourceError: the credentials are refused, for the listing or for every download; no day can be listed; or an answer is
            no listing. All other downloads are loaded.
        LakeError: tombstones or their secret are damaged; nothing was listed.
        Stopped: there was a signal; complete downloads are loaded.
    """
    done = SyncReport() if report is None else report
    if newest is not None or lake.exists:
        read_tombstones(lake, newest or lake.snapshot())  # else a problem would show only after the downloads
    at = now()
    since, until = since or at - RETENTION, until or at
    downloads = Downloads(
        lake, client, done, since, on_listed=on_listed, on_downloaded=on_downloaded, commit_bytes=commit_bytes
    )
    if dry_run:
        downloads.count_all(since, until)
        return done

    def listings(snapshot: Snapshot) -> dict[str, Change]:
        if not downloads.is_over or downloads.is_stopped:
            return {}
        return remember(lake, snapshot, client.account_id, downloads.days, failed=done.failed, at=at)

    with finishing(downloads.stop), downloads.listed(since, until):
        while not downloads.is_over:
            batch = downloads.next_batch()
            load(lake, batch, engine=engine, report=done, progress=progress, extra_changes=listings, newest=newest, now=now)
            newest = None
    downloads.raise_for_listing()
    done.schema_problem = keep_schemas(lake, client, done.schema_versions, at=at)
    return done
