"""Progress on standard error: bars on a terminal; elsewhere a line once in a while, so that a run's mail is short."""

import sys
import time
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from pipeline.cli.log import INFO, WARNING, event, is_json, say
from pipeline.source_files import Outcome

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from pipeline.source_files import ListedFile

_LOG_SECONDS: Final = 30.0


def _terminal() -> "Console | None":
    """Standard error, if it is a terminal for text, whatever FORCE_COLOR says; others go without the library of bars."""
    if is_json() or not sys.stderr.isatty():
        return None
    from rich.console import Console

    return Console(stderr=True, force_terminal=True)


def _bars_on(console: "Console") -> "Progress":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description:<11}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("files"),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


@dataclass
class _Task:
    """Files of one kind of work: how many of how many are through, None if that is not known yet."""

    description: str
    total: int | None
    note: str
    completed: int = 0
    bar: "TaskID | None" = None


class _Bars:
    """Bars on a terminal, which disappear at the end; else a line every `log_seconds`. The summary names the failures."""

    def __init__(self, *, is_quiet: bool = False, log_seconds: float = _LOG_SECONDS) -> None:
        console = _terminal()
        self._bars = _bars_on(console) if console else None
        self._is_log = console is None and not is_quiet
        self._log_seconds = log_seconds
        self._logged_at = time.monotonic()
        self._tasks: list[_Task] = []

    def __enter__(self) -> Self:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bars:
            self._bars.stop()

    def _add(self, description: str, total: int | None, note: str, *, is_shown: bool = True) -> _Task:
        task = _Task(description, total, note)
        if self._bars:
            task.bar = self._bars.add_task(description, total=total, note=note, visible=is_shown)
        self._tasks.append(task)
        return task

    def _show(self, task: _Task) -> None:
        if self._bars and task.bar is not None:
            self._bars.update(task.bar, total=task.total, completed=task.completed, note=task.note, visible=True)

    def _log(self) -> None:
        """Log the progress, if the last line is old enough."""
        if self._is_log and time.monotonic() - self._logged_at >= self._log_seconds:
            self._logged_at = time.monotonic()
            known = [task for task in self._tasks if task.total is not None]
            lines = (f"{task.description} {task.completed:,} of {task.total:,} files, {task.note}" for task in known)
            say("; ".join(lines))


class Stages:
    """The current stage on standard error; nothing without a terminal."""

    def __init__(self) -> None:
        console = _terminal()
        self._status = console.status("") if console else None

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

    def __init__(self, total: int | None = None, **how: Any) -> None:
        super().__init__(**how)
        self._rows = 0
        self._loading = self._add("loading", total, "0 rows", is_shown=total is not None)

    def loaded(self, outcome: Outcome) -> None:
        """Count one more file."""
        level = WARNING if outcome.status == "rejected" or outcome.counts.rejects else INFO
        counts = {name: getattr(outcome.counts, name) for name in ("conversations", "messages", "transfers", "rejects")}
        event(outcome.status, level, account=outcome.account_id, file=outcome.name, reason=outcome.reason, **counts)
        self._rows += outcome.counts.conversations + outcome.counts.messages + outcome.counts.transfers
        self._loading.completed += 1
        self._loading.note = f"{self._rows:,} rows"
        self._show(self._loading)
        self._log()


class SyncProgress(LoadProgress):
    """A bar of files downloaded above the one of files loaded."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self._bytes = 0
        self._downloading = self._add("downloading", None, "")

    @property
    def hooks(self) -> dict[str, Any]:
        """The callbacks for `sync`."""
        return {"on_listed": self._listed, "on_downloaded": self._downloaded, "progress": self.loaded}

    def _listed(self, _: int, wanted: int) -> None:
        for task in (self._downloading, self._loading):
            task.total = wanted
            self._show(task)

    def _downloaded(self, file: "ListedFile", size: int, error: str | None) -> None:
        state, level = ("downloaded", INFO) if error is None else ("not downloaded", WARNING)
        event(state, level, account=file.account_id, file=file.name, bytes=size, reason=error)
        self._bytes += size
        self._downloading.completed += 1
        self._downloading.note = f"{self._bytes / 1e6:,.1f} MB"
        self._show(self._downloading)
        if error is not None:
            self._loading.completed += 1
            self._show(self._loading)
        self._log()
