"""The commands that bring data in: doctor, sync, load and status."""

import sys
from contextlib import ExitStack, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from pipeline.cli.log import say, warn
from pipeline.cli.options import SET_ASIDE, Age, Command, Moment, in_format, lake_of, on_engine, on_lake, show, writing_to_lake
from pipeline.cli.window import check_window, note_gone
from pipeline.errors import NoLakeError, SettingsError, SourceError
from pipeline.processes import Stopped
from pipeline.text import harmless

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.api.client import DataAccessClient
    from pipeline.cli.outcome import Outcome
    from pipeline.cli.overdue import Watched
    from pipeline.lake.lake import Lake
    from pipeline.load.results import SyncReport


READABLE = 0o644
"""The rights of a file of metrics: the collector is another user, and nothing in it is personal."""

_of_accounts = click.option(
    "--account",
    "accounts",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A file with the settings of an account, a folder of files NAME.env, or accounts.toml; can be given several times. "
    "[default: LP_ACCOUNTS, else the account of .env]",
)


@click.command(cls=Command)
@_of_accounts
@in_format("table", "json")
@on_lake
def doctor(lake_uri: str | None, form: str, accounts: tuple[Path, ...]) -> None:
    """Test settings, keys, clock, disk and versions before a sync.

    Prints a line for each: ok, warn or FAIL, the finding, and the remedy. Changes nothing. With --account, as of the sync, it
    tests the settings and keys of these accounts.
    Ends with 0 if nothing fails, also with warnings; with 2 if a setting is missing or wrong; with 1 if something else fails.

    Example: lakehouse doctor
    """
    from pipeline.cli.doctor import examine, exit_code, print_findings, verdict

    findings = print_findings(examine(lake_uri, accounts), form, sys.stdout)
    say(verdict(findings))
    raise SystemExit(exit_code(findings))


@click.command(cls=Command)
@click.option(
    "--since", type=Moment(), metavar="T", help="From this time on. [default: 30 days ago, as far as the source keeps files]"
)
@click.option("--until", type=Moment(), metavar="T", help="Before this time. [default: now]")
@click.option("--dry-run", is_flag=True, help="List the files to fetch, and fetch none.")
@click.option("--report", is_flag=True, help="Write the lake's report afterwards, as lakehouse report does.")
@_of_accounts
@in_format("text", "json")
@on_engine
@writing_to_lake
def sync(  # noqa: PLR0917  # click gives the options
    lake_uri: str | None,
    form: str,
    since: datetime | None,
    until: datetime | None,
    engine: str | None,
    accounts: tuple[Path, ...],
    *,
    dry_run: bool,
    report: bool,
) -> None:
    """Download and load the account's files that the lake lacks.

    Needs LP_ACCOUNT_ID and the four keys of an API user with Data Access, LP_APP_KEY, LP_APP_SECRET, LP_ACCESS_TOKEN and
    LP_ACCESS_TOKEN_SECRET; outside the US LP_BASE_URL, too: https://lo.da.liveperson.net (UK) or https://sy.da.liveperson.net
    (APAC). They come from the environment, or from .env in the working folder, a line NAME=value each. lakehouse doctor
    tells whether they are good. LP_DOWNLOADS is the most downloads at a time, 8 if it is not set.

    Several accounts: write the settings of each, and no others, into a file of its own, accounts/NAME.env, and give the
    folder to --account or LP_ACCOUNTS; or write them into accounts.toml, which names the places of secrets. They become
    visible together, and take one commit. If the source refuses one, the others are in.

    T is a day or a time in ISO 8601, in UTC unless it has an offset: 2026-11-01, 2026-11-01T14:00, 2026-11-01T14:00+01:00.

    Ends with 0 if all is in; with 1 if it failed; with 2 if a setting or an option is missing or wrong; with 3 if the
    rest is in, but something was set aside: lakehouse status lists it. The next run fetches missing files only. Hours that
    the source keeps no longer are told, and do not change the exit code, since no run can bring them.

    With --format json, standard output gets the outcome as one object, whatever it is. LP_PING_URL is a heartbeat.

    Example: lakehouse sync --since 2026-11-01
    """
    from pipeline.cli.outcome import told
    from pipeline.cli.written_report import reported

    if dry_run and form == "json":
        raise SettingsError("--dry-run: it prints the names of files, found --format json, too; leave one of them out")
    if dry_run and report:
        raise SettingsError("--dry-run: it brings nothing in, found --report, too; leave one of them out")
    with nullcontext() if dry_run else told("sync", form) as outcome:
        check_window(since, until, datetime.now(UTC))
        if outcome:
            outcome.window = since, until
            outcome.place(lake_uri)
        lake = lake_of(lake_uri)
        if outcome:
            outcome.lake, outcome.lake_uri = lake, lake.uri
        clients = _clients(accounts)
        with reported(lake, say if form == "json" else show) if report else nullcontext():
            _run_sync(lake, clients, since, until, engine, outcome)


def _run_sync(  # noqa: PLR0917
    lake: "Lake",
    clients: "list[DataAccessClient]",
    since: datetime | None,
    until: datetime | None,
    engine: str | None,
    outcome: "Outcome | None",
) -> None:
    """Sync the accounts of the clients, and fill the outcome; without one print the files that a sync would fetch."""
    from pipeline.cli.progress import SyncProgress
    from pipeline.cli.summaries import sum_up_sync
    from pipeline.decode.pgp import check_key
    from pipeline.lake.store_errors import reaching
    from pipeline.load.engines import engine_of
    from pipeline.load.results import SyncReport
    from pipeline.load.session import writing
    from pipeline.load.sync import sync as run_sync
    from pipeline.load.sync import together
    from pipeline.settings import read_settings

    check_key(say)
    readers = engine_of(engine)
    reports = {client: SyncReport() for client in clients}
    dry_run, now = outcome is None, datetime.now(UTC)
    if outcome:
        outcome.start(lake, {client.account_id: report for client, report in reports.items()})
    total = together(reports)
    try:
        with ExitStack() as stack, SyncProgress() as progress, reaching(lake.uri) if dry_run else writing(lake, say) as newest:
            for client in clients:
                stack.enter_context(client)
            if outcome and not outcome.has_begin:  # the first run, which is the likeliest to be killed
                lake.create()
                outcome.note_begin()
            run_sync(
                lake,
                reports,
                since=since,
                until=until,
                dry_run=dry_run,
                engine=readers,
                commit_bytes=read_settings().lp_commit_bytes,
                total=total,
                newest=newest,
                **progress.hooks,
            )
    except (SourceError, Stopped):
        if dry_run:
            _print_wanted(reports)
        elif len(reports) > 1 or any(report.listed for report in reports.values()):
            sum_up_sync(reports, total, say)
        raise
    if outcome:
        note_gone(lake, reports, since, until, now)
        sum_up_sync(reports, total, say)
    else:
        _print_wanted(reports)
    if not all(report.is_complete for report in reports.values()):
        raise SystemExit(SET_ASIDE)


def _print_wanted(reports: "Mapping[DataAccessClient, SyncReport]") -> None:
    """Print the files that a sync would fetch, and of several accounts those that failed."""
    for client, report in reports.items():
        for name in report.wanted:
            click.echo(harmless(name if len(reports) == 1 else f"{client.account_id}\t{name}"))
        if report.failure and len(reports) > 1:
            say(f"account {client.account_id}: failed: {report.failure}")
    wanted = sum(len(report.wanted) for report in reports.values())
    if not all(report.failure for report in reports.values()):
        say(f"{wanted:,} of {sum(report.listed for report in reports.values()):,} listed files would be fetched")


def _clients(paths: tuple[Path, ...]) -> "list[DataAccessClient]":
    """A client for each account: those of the files and folders, or that of the settings.

    Raises:
        SettingsError: a setting is missing or wrong, or one account is there twice.
    """
    from pipeline.accounts import account_paths, read_accounts
    from pipeline.api.client import DataAccessClient
    from pipeline.api.limits import Limits

    clients = []
    for account in read_accounts(account_paths(paths)):
        settings = account.settings
        for warning in account.warnings:
            warn(f"lakehouse: {warning}")
        limits = Limits(
            downloads=settings.lp_downloads, listing_bytes=settings.lp_max_listing_bytes, file_bytes=settings.lp_max_file_bytes
        )
        clients.append(DataAccessClient(account.credentials, settings.lp_base_url, limits=limits))
    return clients


@click.command(cls=Command)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@in_format("text", "json")
@on_engine
@writing_to_lake
def load(lake_uri: str | None, paths: tuple[str, ...], form: str, engine: str | None) -> None:
    """Load source files from paths or URLs; no account needed.

    PATH is a file, a folder with all source files below it, a pattern (in quotes, so that the shell leaves it alone), or a URL
    that fsspec knows. Each file is copied into the lake's folder landing/ as it is; the one at PATH stays. Loading a file
    again changes nothing.

    Ends with 3 if the rest is in, but a file or a document was set aside: lakehouse status lists it. With --format json,
    standard output gets the outcome as one object, whatever it is.

    Example: lakehouse load downloads/ 's3://bucket/2026/*.gz'
    """
    from pipeline.cli.outcome import told

    with told("load", form) as outcome:
        lake = lake_of(lake_uri, paths)
        outcome.lake_uri = lake.uri
        _run_load(lake, paths, engine, outcome)


def _run_load(lake: "Lake", paths: tuple[str, ...], engine: str | None, outcome: "Outcome") -> None:
    from pipeline.load.engines import engine_of
    from pipeline.load.find import find_files, incoming_from

    readers = engine_of(engine)
    incoming = incoming_from(find_files(paths, say, outcome.unreadable))
    outcome.start(lake)
    with readers.begun(incoming):
        from pipeline.cli.progress import LoadProgress
        from pipeline.cli.summaries import sum_up
        from pipeline.decode.pgp import check_key
        from pipeline.load.load import load as run_load
        from pipeline.load.session import writing

        check_key(say)
        with LoadProgress(len(incoming)) as progress, writing(lake, say) as newest:
            report = run_load(lake, incoming, engine=readers, progress=progress.loaded, newest=newest)
    outcome.reports = {None: report}
    sum_up(report, say)
    if outcome.unreadable or not report.is_complete:
        raise SystemExit(SET_ASIDE)


@click.command(cls=Command)
@_of_accounts
@click.option(
    "--max-age", type=Age(), metavar="AGE", help="End with 3 if an hour that ended so long ago is not in: 90m, 3h, 2d."
)
@in_format("table", "json", "prometheus")
@click.option(
    "--output", type=click.Path(dir_okay=False), metavar="FILE", help="A file that gets the output, whole or not at all."
)
@on_lake
def status(lake_uri: str | None, form: str, accounts: tuple[Path, ...], max_age: timedelta | None, output: str | None) -> None:
    """Show loaded, rejected and missing files, hour by hour.

    Says until when the source keeps missing files: 30 days, then they can't be downloaded any more. With --account, as of the
    sync, it knows which accounts the sync fetches.

    Ends with 3 if the source will delete within 7 days a file that the lake lacks, or an hour that was never listed, and if no
    file of an account of the settings, or of one that --account names, ever came. With --max-age also if an hour of the last
    30 days that ended longer ago is neither loaded nor known to be empty, of any account or of those of --account.

    With --format prometheus it prints metrics; into FILE for the textfile collector of node_exporter, which may read it.

    Example: lakehouse status --max-age 3h
    """
    from pipeline.accounts import account_paths, own_accounts
    from pipeline.cli.overdue import Watched
    from pipeline.cli.streams import whole_file

    lake, paths = lake_of(lake_uri), account_paths(accounts)
    own = own_accounts(paths, warn)
    watched = Watched(max_age, own if paths else None) if max_age is not None else None
    with whole_file(output, READABLE if form == "prometheus" else None) if output else nullcontext(sys.stdout) as out:
        is_late = _status(lake, form, own, watched, out)
    if is_late:
        raise SystemExit(SET_ASIDE)


def _status(lake: "Lake", form: str, own: frozenset[str], watched: "Watched | None", out: IO[str]) -> bool:
    """Print the status of a lake; of a place without one there are metrics alone."""
    from pipeline.cli.status import print_status
    from pipeline.load.account_schema import kept_schemas
    from pipeline.warehouse.database import connect

    tell = (lambda _: None) if form == "prometheus" else say  # cron would mail what is no fault, as a new version
    now = datetime.now(UTC)
    try:
        with connect(lake, tell) as connection:
            schemas = kept_schemas(lake)
            return print_status(connection, form, now, out, schemas=schemas, own_accounts=own, watched=watched)
    except NoLakeError:
        if form != "prometheus":
            raise
    from pipeline.cli.metrics import metrics_of_no_lake

    out.write(metrics_of_no_lake())
    return True
