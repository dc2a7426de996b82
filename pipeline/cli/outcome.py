"""The outcome of a run that writes: its record in the lake, an object on standard output, and heartbeats.

A heartbeat goes to a service that knows the convention of healthchecks.io: a request to the URL says that the run succeeded,
one to the URL with /start or /fail that it began or failed.
"""

import json
import platform
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from pipeline.cli.log import ERROR, INFO, WARNING, at_end, begin_run, name_run, warn
from pipeline.cli.options import FAILED, SET_ASIDE, ending
from pipeline.errors import (
    FULL_DISK,
    AccessRefusedError,
    DamagedError,
    LakeError,
    PipelineError,
    SettingsError,
    SourceError,
    SourceUnreachableError,
    StoreUnreachableError,
)
from pipeline.processes import Stopped
from pipeline.settings import is_url, one_setting

if TYPE_CHECKING:
    from pipeline.lake.lake import Lake
    from pipeline.load.results import Report

_PATIENCE: Final = 5  # seconds for a heartbeat
_LAST_PATIENCE: Final = 1  # for one of a run that a signal ends, which has two seconds
_RESULTS: Final = {0: "complete", SET_ASIDE: "set aside"}
_COUNTS: Final = (
    *("listed", "known", "loaded", "unchanged", "replaced", "superseded", "conversations", "messages", "transfers"),
    *("encrypted", "downloaded_bytes", "gone_hours"),
)
_NAMED: Final = ("rejected", "failed", "unlisted")
_KINDS: Final = {
    SettingsError: "settings",
    AccessRefusedError: "credentials",
    SourceUnreachableError: "network",
    SourceError: "source",
    DamagedError: "damage",
    LakeError: "lake",
    PipelineError: "output",
    OSError: "system",
    Stopped: "signal",
    Exception: "bug",
}
"""The kind of an error that a record names: its sentence may have names of the source's files."""


class Outcome:
    """A run: its reports by account, None for files of any account, which fill while it goes on; other counts are `details`."""

    def __init__(self, command: str) -> None:
        self.command = command
        self.run_id = uuid.uuid4().hex
        self.lake_uri: str | None = None
        self.lake: Lake | None = None
        """The lake that keeps the record; None: the run has not begun, and changes nothing there."""
        self.has_begin = False
        self.begin = datetime.now(UTC)
        self.reports: MutableMapping[str | None, Report] = {}
        self.unreadable: list[str] = []
        self.details: dict[str, int] = {}
        self.window: tuple[datetime | None, datetime | None] = (None, None)
        self.exit_code = 0
        self.error: str | None = None
        self.kind: str | None = None
        self.is_unreachable = False
        self._began = time.monotonic()
        name_run(self.run_id)

    def start(self, lake: "Lake", reports: "MutableMapping[str | None, Report] | None" = None) -> None:
        """Begin the log and the record of the run, before it waits for the lake."""
        self.lake, self.lake_uri, self.reports = lake, lake.uri, reports or {}
        accounts = [account_id for account_id in self.reports if account_id]
        named = f"account{'s' if accounts[1:] else ''} {', '.join(accounts)}, " if accounts else ""
        where = f"{named}lake {lake.uri}, {self.begin:%Y-%m-%d %H:%M:%S} UTC"
        named_fields = {"command": self.command, "version": _version(), "lake": lake.uri, "accounts": accounts}
        what = f"lakehouse {self.command} {_version()}"
        begin_run(what, where, accounts[0] if len(accounts) == 1 else None, named_fields)
        self.note_begin()

    def note_begin(self) -> None:
        """Keep the record of the begin, unless that is done: a first run makes the lake only once it holds it."""
        if not self.has_begin:
            self.has_begin = self._keep([self._row(None, {"began_at": self.begin.isoformat(), "ended_at": None})])

    def place(self, lake_uri: str | None) -> None:
        """Say on which lake a scheduled run is to be: if a setting is wrong, the record is kept there."""
        self.lake_uri = lake_uri or one_setting("lake_uri") or "./lake"
        if "://" not in self.lake_uri:  # a bucket needs settings of its store, which can be those that are wrong
            with suppress(PipelineError):  # no lake can be there
                from pipeline.lake.lake import Lake

                self.lake = Lake(self.lake_uri)

    def fail(self, fault: BaseException) -> None:
        """Note the error by which the run ends, or its exit code."""
        self.kind = kind_of(fault)
        self.is_unreachable = isinstance(fault, StoreUnreachableError)
        match fault:
            case SystemExit():
                self.exit_code = fault.code if isinstance(fault.code, int) else FAILED
            case Stopped():
                self.exit_code, self.error = 128 + fault.number, str(fault)
            case Exception():
                self.exit_code, self.error = ending(fault, self.command)
            case _:
                self.exit_code = FAILED

    def end(self) -> None:
        """End the log, and complete the record, a row for each account; a bucket without answers gets none, since it waits."""
        level = {0: INFO, SET_ASIDE: WARNING}.get(self.exit_code, ERROR)
        at_end(level, **self.counts() | {"error": self.kind})
        if self.lake is None or self.is_unreachable:
            return
        end = {"began_at": self.begin.isoformat(), "ended_at": datetime.now(UTC).isoformat()}
        of_accounts = {account: report for account, report in self.reports.items() if account or len(self.reports) == 1}
        rows = [self._row(account, end | self._result(report) | counts_of(report)) for account, report in of_accounts.items()]
        details = {"details": json.dumps(self.details) if self.details else None}
        self._keep(rows or [self._row(None, end | self._result(None) | details)], is_last=True)

    def _row(self, account_id: str | None, rest: Mapping[str, Any]) -> dict[str, Any]:
        run = {
            "run_id": self.run_id,
            "command": self.command,
            "version": _version(),
            "host": platform.node().encode("ascii", "backslashreplace").decode(),
        }
        return {**run, "account_id": account_id, **rest}

    def _result(self, report: "Report | None") -> dict[str, Any]:
        """The result of an account, or of all: an account does not fail with another one."""
        code, kind = self.exit_code, self.kind
        if report is not None and kind in {None, "source", "credentials", "network"} and len(self.reports) > 1:
            fault = vars(report).get("fault")
            code, kind = (FAILED, kind_of(fault)) if fault else (0 if report.is_complete else SET_ASIDE, None)
        return {"result": _RESULTS.get(code, "failed"), "exit_code": code, "error": kind}

    def _keep(self, rows: list[dict[str, Any]], *, is_last: bool = False) -> bool:
        from pipeline.lake import runs
        from pipeline.lake.store_errors import reaching

        assert self.lake is not None
        try:
            with reaching(self.lake.uri):
                is_known = self.has_begin and not self.lake.is_local  # a bucket takes a while for each question
                record = runs.again if is_known else runs.record
                return record(self.lake, self.begin, self.run_id, rows, is_last=is_last)
        except (OSError, PipelineError) as error:
            if isinstance(error, StoreUnreachableError) and not is_last:
                raise  # as the run would, after as long a wait
            if is_last and self.kind is None:  # else the run has told it
                warn(f"lakehouse: the record of this run in {self.lake.uri}/{runs.FOLDER} could not be written ({error})")
            return False

    def counts(self) -> dict[str, Any]:
        """Count what the run did: no names, no ids."""
        reports = list(self.reports.values())
        return {
            "command": self.command,
            "version": _version(),
            "result": _RESULTS.get(self.exit_code, "failed"),
            "exit_code": self.exit_code,
            "seconds": round(time.monotonic() - self._began, 3),
            "accounts": sum(account_id is not None for account_id in self.reports),
            "failed_accounts": sum(bool(vars(report).get("failure")) for report in reports),
            **{name: sum(vars(report).get(name, 0) for report in reports) for name in _COUNTS},
            "rejected_documents": sum(report.rejects for report in reports),
            **{f"{name}_files": sum(len(vars(report).get(name, ())) for report in reports) for name in ("rejected", "failed")},
            "unreadable_files": len(self.unreadable),
            "unlisted_days": sum(len(vars(report).get("unlisted", ())) for report in reports),
        }

    def plain(self) -> dict[str, Any]:
        """All of the run: counts, its window, and of each account what it lacks, by name."""
        since, until = self.window
        return {
            **self.counts(),
            "run_id": self.run_id,
            "lake": self.lake_uri,
            "since": since and since.isoformat(),
            "until": until and until.isoformat(),
            "begin": self.begin.isoformat(timespec="seconds"),
            "end": datetime.now(UTC).isoformat(timespec="seconds"),
            "error": self.error,
            "unreadable": self.unreadable,
            "of_accounts": [_of_account(account_id, report) for account_id, report in self.reports.items()],
        }


def kind_of(fault: BaseException | None) -> str | None:
    """The kind of an error; None if it is none, as where a run ends with an exit code."""
    cause = getattr(fault, "__cause__", None)
    if any(getattr(one, "errno", None) in FULL_DISK for one in (fault, cause)):
        return "disk"
    return next((kind for error, kind in _KINDS.items() if isinstance(fault, error)), None)


def counts_of(report: "Report") -> dict[str, int]:
    """The counts of a report as the columns of `runs` have them; a load lists and downloads nothing."""
    found = vars(report)
    files = {f"{name}_files": found[name] for name in ("listed", "known", "loaded", "unchanged") if name in found}
    files |= {f"{name}_files": len(found[name]) for name in ("rejected", "failed") if name in found}
    rest = ("conversations", "messages", "transfers", "downloaded_bytes")
    days = {"unlisted_days": len(found["unlisted"])} if "unlisted" in found else {}
    return files | days | {name: found[name] for name in rest if name in found} | {"rejected_documents": report.rejects}


def _of_account(account_id: str | None, report: "Report") -> dict[str, Any]:
    found = vars(report)
    return {
        "account_id": account_id,
        **{name: found.get(name, 0) for name in _COUNTS},
        "rejected_documents": report.rejects,
        **{name: found.get(name, {}) for name in _NAMED},
        "failure": found.get("failure"),
        "schema_problem": found.get("schema_problem"),
        "unknown_fields": sorted(report.unknown_fields),
    }


def _version() -> str:
    return version("engagement-lakehouse")


@contextmanager
def recorded(command: str) -> Iterator[Outcome]:
    """Keep a record of the run in the block, once that says on which lake it starts."""
    outcome = Outcome(command)
    try:
        yield outcome
    except BaseException as fault:
        outcome.fail(fault)
        raise
    finally:
        outcome.end()


@contextmanager
def told(command: str, form: str) -> Iterator[Outcome]:
    """Tell of the run in the block: by heartbeats, if LP_PING_URL is set, and at its end by an object, if `form` is json.

    A heartbeat that fails is told in a line, and changes nothing.
    """
    url, patience = "", _PATIENCE
    outcome = Outcome(command)
    try:
        url = one_setting("lp_ping_url")
        if url and not is_url(url):
            warn("lakehouse: LP_PING_URL: expected a URL that begins with https://, found another text; no heartbeat is sent")
            url = ""
        if url:
            _ping(url, "/start")
        yield outcome
    except BaseException as fault:
        outcome.fail(fault)
        patience = _LAST_PATIENCE if isinstance(fault, Stopped) else _PATIENCE
        raise
    finally:
        outcome.end()
        if form == "json":
            sys.stdout.write(json.dumps(outcome.plain(), indent=1) + "\n")
            with suppress(OSError):  # it is told where the command ends
                sys.stdout.flush()  # a signal ends the process without it
        if url:
            _ping(url, "/fail" if outcome.exit_code else "", outcome.counts(), patience)


def _ping(url: str, ending: str, body: Mapping[str, Any] | None = None, patience: int = _PATIENCE) -> None:
    from pipeline.api.heartbeat import ping

    found = ping(url, ending, body, patience)
    if found:
        warn(f"lakehouse: the heartbeat to the URL of LP_PING_URL failed ({found}); the run goes on as it would without it")
