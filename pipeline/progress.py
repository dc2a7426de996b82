"""What a run says while it works and when it is done, for standard error: bars on a terminal only, the summary always."""

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click
from rich import filesize
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.collect import Counts
from pipeline.erase import Erased
from pipeline.ingest import Outcome
from pipeline.load import Report

if TYPE_CHECKING:
    from pipeline.api import ListedFile

_SHOWN = 20  # set-aside files that a summary names; `lakehouse status` names all


class _Bars:
    """Bars on standard error that are gone when the work is done; where that is no terminal, a line a file."""

    def __init__(self, *, is_quiet: bool = False) -> None:
        console = Console(stderr=True)
        self._is_log = not console.is_terminal and not is_quiet
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

    def _log(self, name: str, what: str) -> None:
        if self._is_log:
            click.echo(f"{name}: {what}", err=True)


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

    def __init__(self, total: int | None = None, *, is_quiet: bool = False) -> None:
        super().__init__(is_quiet=is_quiet)
        self._rows = 0
        self._loading = self._bars.add_task("loading", total=total, note="", visible=total is not None)

    def loaded(self, outcome: Outcome) -> None:
        """One more file is through."""
        self._rows += outcome.counts.conversations + outcome.counts.messages + outcome.counts.transfers
        self._bars.update(self._loading, advance=1, note=f"{self._rows:,} rows")
        rows = f", {_rows(outcome.counts)}" if outcome.status == "loaded" else ""
        aside = f", {outcome.counts.rejects:,} documents set aside" if outcome.counts.rejects else ""
        self._log(outcome.name, outcome.status + rows + aside + (f": {outcome.reason}" if outcome.reason else ""))


class SyncProgress(LoadProgress):
    """A bar of files downloaded above the one of files loaded."""

    def __init__(self, *, is_quiet: bool = False) -> None:
        super().__init__(is_quiet=is_quiet)
        self._bytes = 0
        self._downloading = self._bars.add_task("downloading", total=None, note="")

    @property
    def hooks(self) -> dict[str, Any]:
        """What `sync` calls on its way."""
        return {"on_listed": self._listed, "on_downloaded": self._downloaded, "progress": self.loaded}

    def _listed(self, _: int, wanted: int) -> None:
        self._bars.update(self._downloading, total=wanted)
        self._bars.update(self._loading, total=wanted, visible=True)

    def _downloaded(self, file: "ListedFile", size: int, error: str | None) -> None:
        self._bytes += size
        self._bars.update(self._downloading, advance=1, note=filesize.decimal(self._bytes))
        if error is not None:
            self._bars.update(self._loading, advance=1)
            self._log(file.name, f"could not be had: {error}")


def summary(report: Report) -> Iterator[str]:
    """What a run did, in lines whose counts add up, with every kind of thing that needs a look."""
    told = vars(report)  # a sync's tells more; its class is not imported, since it brings all that speaks HTTP
    if "listed" in told:
        known = f", {told['known']:,} of them in the lake already" if told["known"] else ""
        yield f"{_many(told['listed'], 'file')} listed{known}"
    yield f"{_many(report.loaded, 'file')} loaded: {_rows(report)}"
    if report.unchanged:
        yield f"{_many(report.unchanged, 'file')} unchanged"
    if report.superseded:
        yield f"{report.superseded:,} deliveries of a conversation superseded by another"
    if report.unknown_fields:
        yield f"fields without a column, kept in extra: {', '.join(sorted(report.unknown_fields))}"
    if report.encrypted:
        yield f"{_many(report.encrypted, 'value')} left encrypted, since there is no key for them: see lakehouse status"
    if report.rejects:
        yield f"{_many(report.rejects, 'document')} set aside: see the table rejects"
    yield from _named("file", "rejected as a whole", report.rejected)
    yield from _named("file", "could not be had", told.get("failed", {}))
    yield from _named("day", "could not be listed", told.get("unlisted", {}))


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _rows(counts: Counts | Report) -> str:
    kinds = ("conversation", "message", "transfer")
    return ", ".join(_many(getattr(counts, f"{kind}s"), kind) for kind in kinds)


def _named(kind: str, what: str, of: dict[str, str]) -> Iterator[str]:
    if of:
        yield f"{_many(len(of), kind)} {what}; the next sync tries again:"
    for name, reason in list(of.items())[:_SHOWN]:
        yield f"  {name}: {reason}"
    if len(of) > _SHOWN:
        yield f"  and {len(of) - _SHOWN:,} more; lakehouse status names them"


def erasure(done: Erased, kind: str) -> Iterator[str]:
    """What an erase removed, where it looked, and what it can't reach; the id itself is not said."""
    rows = ", ".join(_many(count, table.removesuffix("s")) for table, count in done.rows.items())
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
    if done.encrypted:
        yield (
            f"not searched in full, since ids in them are encrypted: {_many(len(done.encrypted), 'landed file')}, the first "
            f"{done.encrypted[0]}; set LP_PGP_KEY to the key of their account and erase again"
        )
    yield "a tombstone without the id keeps out what had ended by now, when a file is fetched or loaded again"
    yield "out of reach: backups, exports, reports written elsewhere; the source keeps its files for 30 days"
