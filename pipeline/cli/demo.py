"""The demo: syncs made-up accounts from the sandbox, prints two tables and writes the report."""

import sys
from collections.abc import Callable, Collection, MutableMapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape

from pipeline.api.client import DataAccessClient
from pipeline.cli.demo_tables import print_tables
from pipeline.cli.options import next_command
from pipeline.cli.progress import SyncProgress
from pipeline.cli.summaries import summary
from pipeline.errors import SettingsError
from pipeline.lake.lake import Lake
from pipeline.lake.landing import PUBLISHING
from pipeline.load.results import Report, SyncReport
from pipeline.load.session import writing
from pipeline.load.sync import sync
from pipeline.report import report_path, write_report
from pipeline.sandbox import Sandbox, name_files, settings_rows
from pipeline.text import program
from pipeline.warehouse.database import connect
from pipeline.warehouse.rules import FILE_NAME as RULES_NAME
from pipeline.warehouse.rules import default_text, find_rules

UNTIL: Final = datetime(2026, 11, 16, tzinfo=UTC)
"""The demo's days are always the same, so that its numbers are, too, and a second run finds nothing new."""
SINCE: Final = UNTIL - timedelta(days=35)
"""Five weeks: an hour is unusual against the same hour of four weeks before."""
NEXT: Final = """
Report: [bold]{}[/]
Open it in a browser, it needs no network. Ask your own question: [bold]{}[/].
Your own account: [bold]{}[/]"""

_CHECKOUT: Final = Path(__file__).resolve().parents[2]
_ACCOUNTS: Final = """
    select account_id from conversations
    union select account_id from files where account_id is not null
    union select account_id from listings
    order by account_id nulls last"""


def run_demo(
    lake: Lake, say: Callable[[str], None], reports: MutableMapping[str | None, Report], *, since: datetime = SINCE
) -> Report:
    """Sync five weeks of two made-up accounts, print queue time and MCS, write the report; `reports` fill by account.

    Raises:
        SettingsError: the lake has other accounts, which made-up ones must not join.
    """
    total = Report()
    with Sandbox(now=UNTIL, retention=UNTIL - SINCE) as sandbox:
        _require_no_others(lake, sandbox.accounts)
        for account_id in sandbox.accounts:
            reports[account_id] = report = SyncReport()
            say(f"Account {account_id} of the sandbox at {sandbox.base_url}, {since:%d %b} to {UNTIL:%d %b %Y}:")
            with (
                DataAccessClient(sandbox.credentials(account_id), sandbox.base_url) as client,
                SyncProgress(is_quiet=True) as progress,
                writing(lake, say),
            ):
                _write_names(lake, sandbox)
                sync(lake, {client: report}, since=since, until=UNTIL, **progress.hooks)
            for line in summary(report):
                say(f"  {line}")
            total.rejects += report.rejects
            total.rejected |= report.rejected | report.failed | report.unlisted
    target = report_path(lake)
    console = Console(force_terminal=sys.stdout.isatty())  # a log gets no colours, whatever FORCE_COLOR says
    with connect(lake) as connection:
        print_tables(connection, console)
        write_report(connection, target, find_rules(lake).fault)
    question = escape(next_command("sql", program()))
    if "--lake" not in question and Path.cwd() == _CHECKOUT and Path("Makefile").is_file():
        question = f"make sql[/] or [bold]{question}"  # make takes the lake of the settings, so not that of --lake
    console.print(NEXT.format(escape(str(target)), question, escape(f"{program()} --help")), soft_wrap=True)
    return total


def _write_names(lake: Lake, sandbox: Sandbox) -> None:
    """Write the settings and the names of the made-up accounts; a file that is there stays."""
    accounts = sandbox.accounts.values()
    files = name_files(accounts) | {RULES_NAME: default_text() + settings_rows(accounts)}
    for name, text in files.items():
        if not lake.files.exists(lake.path(name)):
            lake.store.write_whole(lake.path(name), text.encode(), beside=lake.path(f"{PUBLISHING}{name}"))


def _require_no_others(lake: Lake, made_up: Collection[str]) -> None:
    if not lake.exists:
        return
    with connect(lake) as connection:
        found = [account_id for (account_id,) in connection.sql(_ACCOUNTS).fetchall() if account_id not in made_up]
    if found:
        others = f" and {len(found) - 1:,} more" if len(found) > 1 else ""
        raise SettingsError(
            f"{lake.uri}: expected an empty lake for the demo's made-up accounts, or the demo's own, found account "
            f"{found[0] or 'unknown'}{others}; nothing was changed, name another lake by --lake or LAKE_URI"
        )
