"""What the account has and the lake has not: listed, downloaded, loaded."""

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, Final, cast

from pipeline.api import DataAccessClient, ListedFile
from pipeline.errors import AccessRefusedError, SourceError
from pipeline.ingest import Incoming
from pipeline.lake import Lake
from pipeline.landing import Staged, stage
from pipeline.ledger import loaded_names
from pipeline.load import Progress, Report, load

RETENTION: Final = timedelta(days=30)
"""How long the source keeps a file: no listing goes back further unless it is told to."""

_DOWNLOADS = 4
_IN_MEMORY_BYTES = 8 << 20


@dataclass
class SyncReport(Report):
    """`listed` = `known` + loaded + unchanged + rejected + failed; on a dry run, `wanted` is what would be fetched."""

    listed: int = 0
    known: int = 0
    wanted: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether all that was listed is in."""
        return super().is_complete and not self.failed


def sync(
    lake: Lake,
    client: DataAccessClient,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    dry_run: bool = False,
    on_listed: Callable[[int, int], None] | None = None,
    on_downloaded: Callable[[ListedFile], None] | None = None,
    progress: Progress | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> SyncReport:
    """Bring in the files whose scope starts in [since, until); the caller holds `writing`.

    Without `since` it begins where the source's retention does, so that a file is found however late it appears; without
    `until` it ends now. A file that the lake has loaded, from whichever side, is not fetched again; a rejected one is.

    Raises:
        SourceError: the listing can't be had, or the credentials are refused; what was fetched before is not loaded yet.
    """
    report = SyncReport()
    known = loaded_names(lake, client.account_id)
    wanted = []
    for file in client.list_files(since or now() - RETENTION, until or now()):
        report.listed += 1
        if file.name in known:
            report.known += 1
        else:
            wanted.append(file)
    if on_listed:
        on_listed(report.listed, len(wanted))
    report.wanted = [file.name for file in wanted]
    if dry_run:
        return report
    incoming = list(_downloaded(lake, client, wanted, report, on_downloaded))
    load(lake, incoming, report=report, progress=progress, now=now)  # with nothing new, too: a run that died may have left work
    return report


def _downloaded(
    lake: Lake,
    client: DataAccessClient,
    wanted: list[ListedFile],
    report: SyncReport,
    on_downloaded: Callable[[ListedFile], None] | None,
) -> Iterator[Incoming]:
    def fetch(file: ListedFile) -> Staged | SourceError:
        try:
            return _fetch(lake, client, file)
        except AccessRefusedError:
            raise
        except SourceError as error:
            return error

    with ThreadPoolExecutor(_DOWNLOADS) as pool:
        for file, got in zip(wanted, pool.map(fetch, wanted), strict=True):
            if isinstance(got, SourceError):
                report.failed[file.name] = str(got)
            else:
                yield Incoming(
                    name=file.name,
                    staged=got,
                    account_id=file.account_id,
                    scope_start=file.scope_start_time,
                    scope_end=file.scope_end_time,
                )
            if on_downloaded:
                on_downloaded(file)


def _fetch(lake: Lake, client: DataAccessClient, file: ListedFile) -> Staged:
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as body:
        client.download(file, cast("BinaryIO", body))
        body.seek(0)
        return stage(lake, cast("BinaryIO", body))
