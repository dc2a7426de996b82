"""Preflight checks: settings, lake, disk, versions, server, clock, credentials.

Each finding is one line: the fact and the remedy. Nothing is changed; files that try out the rights are deleted again. Slow
checks run in threads of their own, and are given up after a time limit.
"""

import json
import os
import time
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.accounts import Account, account_paths, each_account
from pipeline.cli.doctor.account import about_account, about_api, about_env_file, about_heartbeat
from pipeline.cli.doctor.finding import FAIL, MOST_SECONDS, OK, WARN, Finding, Later
from pipeline.cli.doctor.installation import about_helpers, about_pgp_key, about_scanner, about_versions
from pipeline.cli.doctor.storage import about_bucket, about_lake, about_rights, about_temporary_folder
from pipeline.errors import PipelineError, SettingsError
from pipeline.lake.lake import Lake
from pipeline.settings import Settings, export_store_settings, read_settings
from pipeline.text import harmless

__all__ = ["FAIL", "OK", "WARN", "Finding", "examine", "exit_code", "print_findings", "verdict"]

_STYLES = {OK: "green", WARN: "yellow", FAIL: "bold red"}


def examine(lake_uri: str | None, accounts: Collection[Path] = ()) -> Iterator[Finding]:
    """Run all checks, local ones first; bucket and Data Access API are asked meanwhile.

    `accounts` are the files and folders of a sync of several accounts; without any those of LP_ACCOUNTS hold, or the account
    of the settings.
    """
    deadline = time.monotonic() + MOST_SECONDS
    settings: Settings | None = None
    try:
        settings = read_settings()
    except SettingsError as error:
        yield Finding("settings", FAIL, str(error), is_setting=True)
    far: list[Later] = []
    if settings:
        found = list(each_account(named)) if (named := account_paths(accounts)) else [Account("", settings)]
        yield from about_env_file({name for account in found if isinstance(account, Account) for name in account.refers})
        yield from _about_accounts(found, far)
        yield from about_heartbeat(settings)
    uri = lake_uri or (settings.lake_uri if settings else os.environ.get("LAKE_URI") or "./lake")
    try:
        if "://" in uri:
            export_store_settings()
        lake = Lake(uri)
    except PipelineError as error:
        yield Finding("lake", FAIL, str(error), is_setting=isinstance(error, SettingsError))
    else:
        if lake.is_local:
            yield from about_lake(lake)
            yield from about_rights(lake)
        else:
            far.insert(0, Later("bucket", lambda: [*about_lake(lake), *about_bucket(lake)]))
    yield from about_temporary_folder()
    yield from about_scanner()
    yield from about_helpers()
    yield from about_versions()
    yield from about_pgp_key(getattr(settings, "lp_pgp_key", ""))
    for later in far:
        yield from later.findings(deadline)


def _about_accounts(found: Iterable[Account | SettingsError], far: list[Later]) -> Iterator[Finding]:
    """The settings of each account; what its server says is added to the checks that run meanwhile."""
    for account in found:
        if isinstance(account, SettingsError):
            yield Finding("settings", FAIL, str(account), is_setting=True)
            continue
        far.append(Later("server", partial(about_api, account)))
        yield from about_account(account)


def exit_code(findings: Iterable[Finding]) -> int:
    """2 if a setting is missing or wrong, else 1 if something fails, else 0: warnings stop no run."""
    failures = [finding for finding in findings if finding.level == FAIL]
    return 2 if any(finding.is_setting for finding in failures) else 1 if failures else 0


def verdict(findings: Collection[Finding]) -> str:
    """The sum of the findings in a sentence, with the next step."""
    failed, warned = (sum(finding.level == level for finding in findings) for level in (FAIL, WARN))
    if failed:
        return f"{failed} of {len(findings)} checks failed, {warned} warn: apply the remedies, then run doctor again"
    if any(finding.lacks_account for finding in findings):
        return f"none of {len(findings)} checks failed, {warned} warn: lakehouse load can be run, sync needs an account"
    if warned:
        return f"none of {len(findings)} checks failed, {warned} warn: lakehouse sync can be run"
    return f"{len(findings)} checks, all well: lakehouse sync can be run"


def _plain(finding: Finding) -> dict[str, str]:
    return {"check": finding.subject, "level": finding.level, "found": finding.found, "advice": finding.advice}


def print_findings(findings: Iterable[Finding], form: str, out: IO[str]) -> list[Finding]:
    """Print each finding as it comes, or all as JSON; return them."""
    if form == "json":
        shown = list(findings)
        out.write(json.dumps([_plain(finding) for finding in shown], indent=1) + "\n")
        return shown
    console = Console(file=out, highlight=False, force_terminal=out.isatty())
    shown = []
    for finding in findings:
        shown.append(finding)
        if not console.is_terminal:
            out.write(f"{finding.level:<4}  {finding.subject:<11}  {harmless(str(finding))}\n")
            out.flush()  # before the verdict, which goes elsewhere
            continue
        line = Table.grid(padding=(0, 2), expand=True)
        line.add_column(width=4)
        line.add_column(width=11)
        line.add_column(ratio=1, overflow="fold")
        line.add_row(Text(finding.level, _STYLES[finding.level]), Text(finding.subject), Text(harmless(str(finding))))
        console.print(line)
    return shown
