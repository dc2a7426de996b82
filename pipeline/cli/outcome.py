"""The outcome of a sync or a load for programs: an object on standard output, and a heartbeat to a service that watches.

The service is one that knows the convention of healthchecks.io: a request to the URL says that the run succeeded, one to the
URL with /start or /fail that it began or failed.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from pipeline.cli.options import FAILED, SET_ASIDE, ending, say
from pipeline.errors import SettingsError
from pipeline.processes import Stopped
from pipeline.settings import read_settings

if TYPE_CHECKING:
    from pipeline.load.results import Report

_PATIENCE: Final = 5  # seconds for a heartbeat
_LAST_PATIENCE: Final = 1  # for one of a run that a signal ends, which has two seconds
_RESULTS: Final = {0: "complete", SET_ASIDE: "set aside"}
_COUNTS: Final = (
    *("listed", "known", "loaded", "unchanged", "replaced", "superseded", "conversations", "messages", "transfers"),
    *("encrypted", "downloaded_bytes", "gone_hours"),
)
_NAMED: Final = ("rejected", "failed", "unlisted")


class Outcome:
    """A run: its reports by account, None for files of any account. They fill while the run goes on."""

    def __init__(self, command: str) -> None:
        self.command = command
        self.lake_uri: str | None = None
        self.begin = datetime.now(UTC)
        self.reports: Mapping[str | None, Report] = {}
        self.unreadable: list[str] = []
        self._began = time.monotonic()

    def counts(self, exit_code: int) -> dict[str, Any]:
        """Count what the run did: no names, no ids."""
        reports = list(self.reports.values())
        return {
            "command": self.command,
            "version": version("engagement-lakehouse"),
            "result": _RESULTS.get(exit_code, "failed"),
            "exit_code": exit_code,
            "seconds": round(time.monotonic() - self._began, 3),
            "accounts": sum(account_id is not None for account_id in self.reports),
            "failed_accounts": sum(bool(vars(report).get("failure")) for report in reports),
            **{name: sum(vars(report).get(name, 0) for report in reports) for name in _COUNTS},
            "rejected_documents": sum(report.rejects for report in reports),
            **{f"{name}_files": sum(len(vars(report).get(name, ())) for report in reports) for name in ("rejected", "failed")},
            "unreadable_files": len(self.unreadable),
            "unlisted_days": sum(len(vars(report).get("unlisted", ())) for report in reports),
        }

    def plain(self, exit_code: int, error: str | None) -> dict[str, Any]:
        """All of the run: counts, and of each account what it lacks, by name."""
        return {
            **self.counts(exit_code),
            "lake": self.lake_uri,
            "begin": self.begin.isoformat(timespec="seconds"),
            "end": datetime.now(UTC).isoformat(timespec="seconds"),
            "error": error,
            "unreadable": self.unreadable,
            "of_accounts": [_of_account(account_id, report) for account_id, report in self.reports.items()],
        }


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


@contextmanager
def told(command: str, form: str) -> Iterator[Outcome]:
    """Tell of the run in the block: by heartbeats, if LP_PING_URL is set, and at its end by an object, if `form` is json.

    A heartbeat that fails is told in a line, and changes nothing.

    Raises:
        SettingsError: LP_PING_URL is no URL, or settings can't be read.
    """
    outcome = Outcome(command)
    url, code, error, patience = "", 0, None, _PATIENCE
    try:
        url = _checked(read_settings().lp_ping_url.clear)
        if url:
            _ping(url, "/start")
        yield outcome
    except BaseException as fault:
        code, error = _ended(fault, command)
        patience = _LAST_PATIENCE if isinstance(fault, Stopped) else _PATIENCE
        raise
    finally:
        if form == "json":
            sys.stdout.write(json.dumps(outcome.plain(code, error), indent=1) + "\n")
        if url:
            _ping(url, "/fail" if code else "", outcome.counts(code), patience)


def _ended(fault: BaseException, command: str) -> tuple[int, str | None]:
    """The exit code of a run that ends so, and its sentence, as on standard error."""
    match fault:
        case SystemExit():
            return (fault.code if isinstance(fault.code, int) else FAILED), None
        case Stopped():
            return 128 + fault.number, str(fault)
        case Exception():
            return ending(fault, command)
        case _:
            return FAILED, None


def _checked(url: str) -> str:
    if not url:
        return ""
    try:
        is_good = urlsplit(url).scheme in {"http", "https"} and bool(urlsplit(url).hostname)
    except ValueError:
        is_good = False
    if not is_good:
        raise SettingsError("LP_PING_URL: expected a URL that begins with https:// or http://; correct it or leave it out")
    return url


def _ping(url: str, ending: str, body: Mapping[str, Any] | None = None, patience: int = _PATIENCE) -> None:
    from pipeline.api.heartbeat import ping

    found = ping(url, ending, body, patience)
    if found:
        say(f"lakehouse: the heartbeat to the URL of LP_PING_URL failed ({found}); the run goes on as it would without it")
