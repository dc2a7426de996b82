"""What a run says while it works and when it is done, for standard error: bars on a terminal only, the summary always."""

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.erase import Erased
from pipeline.ingest import Outcome
from pipeline.load import Report

_SHOWN = 20  # set-aside files that a summary names; `lakehouse status` names all


class _Bars:
    """Bars on standard error that are gone when the work is done; nothing where that is no terminal."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description:<11}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("files"),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bars.stop()


class Stages:
    """What is being looked at, on standard error while it lasts; nothing where that is no terminal."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._status = console.status("") if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._status:
            self._status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._status:
            self._status.stop()

    def tell(self, stage: str) -> None:
        """Go on to the next stage."""
        if self._status:
            self._status.update(stage)


class LoadProgress(_Bars):
    """A bar of files loaded, with the rows so far."""

    def __init__(self, total: int | None = None) -> None:
        super().__init__()
        self._rows = 0
        self._loading = self._bars.add_task("loading", total=total, note="", visible=total is not None)

    def loaded(self, outcome: Outcome) -> None:
        """One more file is through."""
        self._rows += outcome.counts.conversations + outcome.counts.messages + outcome.counts.transfers
        self._bars.update(self._loading, advance=1, note=f"{self._rows:,} rows")


class SyncProgress(LoadProgress):
    """A bar of files downloaded above the one of files loaded."""

    def __init__(self) -> None:
        super().__init__()
        self._downloading = self._bars.add_task("downloading", total=None, note="")

    @property
    def hooks(self) -> dict[str, Any]:
        """What `sync` calls on its way."""
        return {"on_listed": self._listed, "on_downloaded": self._downloaded, "progress": self.loaded}

    def _listed(self, listed: int, wanted: int) -> None:
        self._bars.update(self._downloading, total=wanted, note=f"of {listed:,} listed")
        self._bars.update(self._loading, total=wanted, visible=True)

    def _downloaded(self, _: object) -> None:
        self._bars.update(self._downloading, advance=1)


def summary(report: Report) -> Iterator[str]:
    """What a run did, in lines whose counts add up, with every kind of thing that needs a look."""
    listed = getattr(report, "listed", None)
    failed: dict[str, str] = getattr(report, "failed", {})
    if listed is not None:
        known = f", {report.known:,} of them in the lake already" if report.known else ""  # type: ignore[attr-defined]
        yield f"{listed:,} files listed{known}"
    yield (
        f"{report.loaded:,} files loaded: {report.conversations:,} conversations, {report.messages:,} messages, "
        f"{report.transfers:,} transfers"
    )
    if report.unchanged:
        yield f"{report.unchanged:,} files unchanged"
    if report.superseded:
        yield f"{report.superseded:,} deliveries of a conversation superseded by another"
    if report.unknown_fields:
        yield f"fields without a column, kept in extra: {', '.join(sorted(report.unknown_fields))}"
    if report.rejects:
        yield f"{report.rejects:,} documents set aside: see the table rejects"
    yield from _named("rejected as a whole", report.rejected)
    yield from _named("could not be had", failed)


def _named(what: str, files: dict[str, str]) -> Iterator[str]:
    if files:
        yield f"{len(files):,} files {what}; the next sync fetches them again:"
    for name, reason in list(files.items())[:_SHOWN]:
        yield f"  {name}: {reason}"
    if len(files) > _SHOWN:
        yield f"  and {len(files) - _SHOWN:,} more; lakehouse status names them"


def erasure(done: Erased, kind: str) -> Iterator[str]:
    """What an erase removed, where it looked, and what it can't reach; the id itself is not said."""
    rows = ", ".join(f"{count:,} {table}" for table, count in done.rows.items())
    if done.anything:
        yield f"removed from the tables: {rows}"
        yield (
            f"removed from the landing zone: {done.deliveries:,} deliveries of a conversation, {done.documents:,} documents "
            f"with nothing else; {done.landed_rewritten:,} files written anew"
        )
    else:
        yield f"nothing of this {kind} was found"
    yield f"deleted with the tables' old versions: {done.deleted:,} files, {done.deleted_bytes:,} bytes"
    if done.report_deleted:
        yield "deleted the lake's report.html; lakehouse report writes it anew"
    yield (
        f"searched: {done.landed:,} landed files ({done.landed_bytes:,} bytes), {done.parquet:,} Parquet files of all tables; "
        "the tables' logs name no ids; lakehouse.duckdb was made anew"
    )
    for path in done.unreadable:
        yield f"not searched, since it is broken: {path}; restore it and erase again, or delete it"
    yield "a tombstone without the id keeps out what had ended by now, when a file is fetched or loaded again"
    yield "out of reach: backups, exports, reports written elsewhere; the source keeps its files for 30 days"
