"""The command `lakehouse`: turns what people type into calls, and what came of them into words and an exit code.

Results go to standard output, progress and messages to standard error. What a command needs is imported when it runs.
"""

import signal
import sys
from datetime import UTC, datetime

import click

from pipeline.cli.options import (
    SET_ASIDE,
    Moment,
    Overview,
    command,
    existing_lake,
    in_format,
    lake_of,
    of_the_sandbox,
    on_engine,
    on_lake,
    say,
    show,
)
from pipeline.errors import PipelineError, SettingsError, SourceError
from pipeline.processes import Stopped, sparing
from pipeline.text import harmless


@click.group(
    cls=Overview,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 all is in; 1 failed; 2 wrong usage or settings; 3 finished, but something was set aside or found. "
    "lakehouse COMMAND --help says more, with an example.",
)
@click.version_option(package_name="engagement-lakehouse")
def main() -> None:
    """Engagement data of LivePerson accounts: from hourly gz files to Parquet tables and answers in SQL.

    No account at hand: lakehouse demo, then lakehouse sql.

    Your own account: put its keys into .env in an empty folder (lakehouse sync --help names them), then there
    lakehouse doctor, lakehouse sync, lakehouse report.

    The lake is the folder ./lake unless --lake or LAKE_URI names another folder or a bucket.
    """


@main.command()
@click.option(
    "--since", type=Moment(), metavar="T", help="From this time on. [default: 30 days ago, as far as the source keeps files]"
)
@click.option("--until", type=Moment(), metavar="T", help="Before this time. [default: now]")
@click.option("--dry-run", is_flag=True, help="List what would be fetched, and fetch nothing.")
@on_engine
@on_lake
def sync(lake_uri: str | None, since: datetime | None, until: datetime | None, engine: str | None, *, dry_run: bool) -> None:
    """Download and load what the account has and the lake has not.

    Needs LP_ACCOUNT_ID and the four keys of an API user with Data Access, LP_APP_KEY, LP_APP_SECRET, LP_ACCESS_TOKEN and
    LP_ACCESS_TOKEN_SECRET; outside the US LP_BASE_URL, too: https://lo.da.liveperson.net (UK) or https://sy.da.liveperson.net
    (APAC). They come from the environment, or from .env in the working folder, a line NAME=value each. lakehouse doctor
    tells whether they are good.

    T is a day or a time in ISO 8601, in UTC unless it has an offset: 2026-11-01, 2026-11-01T14:00, 2026-11-01T14:00+01:00.

    Ends with 0 if all is in; with 1 if it failed; with 2 if a setting or an option is missing or wrong; with 3 if the
    rest is in, but something was set aside: lakehouse status says what. A further run fetches only what is missing.

    Example: lakehouse sync --since 2026-11-01
    """
    from pipeline.api.client import DataAccessClient, Limits  # noqa: PLC0415
    from pipeline.cli.progress import SyncProgress, sum_up  # noqa: PLC0415
    from pipeline.decode.pgp import check_key  # noqa: PLC0415
    from pipeline.lake.store_errors import reaching  # noqa: PLC0415
    from pipeline.load.engines import engine_of  # noqa: PLC0415
    from pipeline.load.results import SyncReport  # noqa: PLC0415
    from pipeline.load.session import writing  # noqa: PLC0415
    from pipeline.load.sync import sync as run_sync  # noqa: PLC0415
    from pipeline.settings import env_file_warning, read_settings  # noqa: PLC0415

    lake = lake_of(lake_uri)
    settings = read_settings()
    limits = Limits(listing_bytes=settings.lp_max_listing_bytes, file_bytes=settings.lp_max_file_bytes)
    if warning := env_file_warning():
        say(f"lakehouse: {warning}")
    if since and until and since >= until:
        raise SettingsError(f"--since {since:%Y-%m-%dT%H:%M} is not before --until {until:%Y-%m-%dT%H:%M}; swap them")
    check_key(say)
    readers = engine_of(engine)
    report = SyncReport()
    try:
        with (
            DataAccessClient(settings.credentials(), settings.lp_base_url, limits=limits) as client,
            SyncProgress() as progress,
            reaching(lake.uri) if dry_run else writing(lake, say),
        ):
            run_sync(lake, client, since=since, until=until, dry_run=dry_run, report=report, engine=readers, **progress.hooks)
    except (SourceError, Stopped):
        if report.listed:
            sum_up(report, say)
        raise
    if dry_run:
        for name in report.wanted:
            click.echo(harmless(name))
        say(f"{len(report.wanted):,} of {report.listed:,} listed files would be fetched")
    else:
        sum_up(report, say)
    if not report.is_complete:
        raise SystemExit(SET_ASIDE)


@main.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@on_engine
@on_lake
def load(lake_uri: str | None, paths: tuple[str, ...], engine: str | None) -> None:
    """Load source files at hand; no account needed.

    PATH is a file, a folder with all source files below it, a pattern (in quotes, so that the shell leaves it alone), or a URL
    that fsspec knows. Each file is copied into the lake's folder landing/ as it is; the one at PATH stays. Loading a file
    again changes nothing.

    Ends with 3 if the rest is in, but a file or a document was set aside: lakehouse status says which.

    Example: lakehouse load downloads/ 's3://bucket/2026/*.gz'
    """
    from pipeline.cli.progress import LoadProgress, sum_up  # noqa: PLC0415
    from pipeline.decode.pgp import check_key  # noqa: PLC0415
    from pipeline.load.engines import engine_of  # noqa: PLC0415
    from pipeline.load.find import find_files, incoming_from  # noqa: PLC0415
    from pipeline.load.load import load as run_load  # noqa: PLC0415
    from pipeline.load.session import writing  # noqa: PLC0415

    lake = lake_of(lake_uri)
    readers = engine_of(engine)
    unreadable: list[str] = []
    incoming = incoming_from(find_files(paths, say, unreadable))
    check_key(say)
    with LoadProgress(len(incoming)) as progress, writing(lake, say):
        report = run_load(lake, incoming, engine=readers, progress=progress.loaded)
    sum_up(report, say)
    if unreadable or not report.is_complete:
        raise SystemExit(SET_ASIDE)


@main.command()
@click.argument("query", required=False)
@in_format("table", "line", "csv", "json")
@click.option("--null", metavar="TEXT", help="What stands for NULL in csv. [default: nothing; an empty text is in quotes]")
@on_lake
def sql(lake_uri: str | None, query: str | None, form: str, null: str | None) -> None:
    """Ask the tables and views in SQL: one query, or a shell.

    QUERY is DuckDB's SQL; statements that write are refused, but for temporary tables. Without QUERY it is read from standard
    input; on a terminal a shell opens: .tables lists what there is, .describe NAME the columns of one, .help the rest.

    Example: lakehouse sql "from queue_time_daily" --format csv
    """
    from pipeline.cli.query import run_query  # noqa: PLC0415
    from pipeline.warehouse.database import connect  # noqa: PLC0415

    if null is not None and form != "csv":
        raise SettingsError(f"--null: it goes with --format csv, found {form}; leave one out")
    with connect(lake_of(lake_uri), say) as connection:
        if query is None and sys.stdin.isatty():
            from pipeline.cli.shell import shell  # noqa: PLC0415
            from pipeline.settings import read_settings  # noqa: PLC0415

            with sparing(signal.SIGINT):
                shell(connection, form, read_settings().lake_history, null=null or "")
        else:
            run_query(connection, sys.stdin.read() if query is None else query, form, sys.stdout, null=null or "")


@main.command()
@click.option(
    "--output",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Where to write it; folders are made. [default: report.html in the lake; for a bucket, in the working folder]",
)
@on_lake
def report(lake_uri: str | None, output: str | None) -> None:
    """Write the report in HTML: queue times, MCS, transfers and more.

    One file, for any browser, that needs no network. Prints where it is; a former report there is replaced.

    Example: lakehouse report --output november.html
    """
    from pipeline.report import chosen_path, report_path, write_report  # noqa: PLC0415
    from pipeline.warehouse.database import connect  # noqa: PLC0415

    lake = lake_of(lake_uri)
    target = chosen_path(lake, output) if output else report_path(lake)
    with connect(lake, say) as connection:
        write_report(connection, target)
    show(target)


@main.command()
@in_format("table", "json")
@on_lake
def status(lake_uri: str | None, form: str) -> None:
    """Show what is loaded, set aside or missing, hour by hour.

    With what is missing comes until when the source keeps it: 30 days, after which it can't be downloaded any more.

    Ends with 3 if the source is going to delete something within 7 days that the lake lacks,
    or an hour that nobody asked about, and if nothing ever came of the account that is set up.

    Example: lakehouse status --format json
    """
    from pipeline.cli.status import print_status  # noqa: PLC0415
    from pipeline.lake.ledger import encrypted_values  # noqa: PLC0415
    from pipeline.load.account_schema import kept_schemas  # noqa: PLC0415
    from pipeline.settings import account_of_settings  # noqa: PLC0415
    from pipeline.warehouse.database import connect  # noqa: PLC0415

    lake = lake_of(lake_uri)
    with connect(lake, say) as connection:
        left, now = encrypted_values(lake), datetime.now(UTC)
        kept, own = kept_schemas(lake), account_of_settings()
        if print_status(connection, form, now, sys.stdout, encrypted=left, schemas=kept, own_account=own):
            raise SystemExit(SET_ASIDE)


@main.command()
@on_lake
def check(lake_uri: str | None) -> None:
    """Look for data that contradicts itself.

    Runs the checks of sql/checks, and says of each finding what it means and how to see the rows. Ends with 3 if there is one:
    the rows are in the lake as they came, and what to make of them is yours to decide.

    Example: lakehouse check
    """
    from pipeline.cli.query import run_checks  # noqa: PLC0415
    from pipeline.warehouse.database import connect  # noqa: PLC0415

    with connect(lake_of(lake_uri), say) as connection:
        if run_checks(connection, sys.stdout):
            raise SystemExit(SET_ASIDE)


@main.command()
@in_format("table", "json")
@on_lake
def doctor(lake_uri: str | None, form: str) -> None:
    """Test settings, keys, clock, disk and versions before a sync.

    Prints a line for each: ok, warn or FAIL, what was found, and what to do. Changes nothing.
    Ends with 0 if nothing fails, whatever it warns of; with 2 if a setting is missing or wrong; with 1 if something else fails.

    Example: lakehouse doctor
    """
    from pipeline.cli.doctor import examine, exit_code, print_findings, verdict  # noqa: PLC0415

    findings = print_findings(examine(lake_uri), form, sys.stdout)
    say(verdict(findings))
    raise SystemExit(exit_code(findings))


@main.command()
@click.option("--read-data", is_flag=True, help="Decode every value of every Parquet file, too.")
@on_lake
def verify(lake_uri: str | None, *, read_data: bool) -> None:
    """Check landed files, tables and ledger against each other.

    Changes nothing. Prints a line for each finding: where, what is wrong, what to do. Ends with 3 if there is one.

    Example: lakehouse verify --read-data
    """
    from pipeline.cli.progress import Stages, verification  # noqa: PLC0415
    from pipeline.lake.store_errors import reaching  # noqa: PLC0415
    from pipeline.maintenance.verify import verify as run_verify  # noqa: PLC0415

    lake = lake_of(lake_uri)
    with Stages() as stages, reaching(lake.uri):
        done = run_verify(lake, read_data=read_data, progress=stages.tell)
    for finding in done.findings:
        click.echo(harmless(str(finding)))
    say(verification(done))
    if done.findings:
        raise SystemExit(SET_ASIDE)


@main.command()
@click.option(
    "--retain-hours",
    type=click.IntRange(0, 1_000_000),
    default=24,
    show_default=True,
    metavar="N",
    help="Keep files that are no longer used for so long, for queries that began before.",
)
@on_lake
def compact(lake_uri: str | None, retain_hours: int) -> None:
    """Merge small Parquet files, delete those no longer used.

    Loads do some of it as they go, so nothing has to be scheduled. No row changes. With --retain-hours 0 the disk is free at
    once, but a query that is running may fail, and has to be asked again.

    Example: lakehouse compact
    """
    from pipeline.cli.progress import compaction  # noqa: PLC0415
    from pipeline.load.session import writing  # noqa: PLC0415
    from pipeline.maintenance.compact import compact as run_compact  # noqa: PLC0415

    lake = existing_lake(lake_uri)
    with writing(lake, say):
        done = run_compact(lake, retention_hours=retain_hours)
    for line in compaction(done):
        say(line)


@main.command()
@click.option("--consumer-id", multiple=True, metavar="X", help="All conversations of this consumer that have ended.")
@click.option("--visitor-id", multiple=True, metavar="X", help="All conversations of this visitor that have ended.")
@click.option("--conversation-id", multiple=True, metavar="X", help="This conversation alone.")
@on_lake
def erase(lake_uri: str | None, **ids: tuple[str, ...]) -> None:
    """Remove people's conversations everywhere, for good.

    Takes one id or several, each with its option. Conversations go from tables, old versions and landed files, and that can't
    be undone. A keyed tombstone keeps them out when a file is fetched or loaded again. Backups, exports and reports written
    elsewhere are out of reach. Prints what was removed and where it looked, never an id that it erased. Ends with 3 if an
    id is not found and was not erased before, a landed file could not be searched, or something is left.

    Example: lakehouse erase --consumer-id 4f1c0a77 --consumer-id 5b2e
    """
    from pipeline.cli.progress import erasure  # noqa: PLC0415
    from pipeline.decode.pgp import check_key  # noqa: PLC0415
    from pipeline.erasure.erase import erase_all  # noqa: PLC0415
    from pipeline.erasure.subjects import asked_for  # noqa: PLC0415
    from pipeline.load.session import writing  # noqa: PLC0415

    asked = asked_for((name.removesuffix("_id"), ident) for name, given in ids.items() for ident in given)
    lake = existing_lake(lake_uri)
    check_key(say)
    with writing(lake, say):
        done = erase_all(lake, asked)
    for line in erasure(done, asked):
        click.echo(harmless(line))
    if not done.is_complete:
        raise SystemExit(SET_ASIDE)


@main.command()
@of_the_sandbox
@command
def sandbox(port: int, faults: tuple[str, ...], seed: int, latency_ms: int, *, list_faults: bool, log: bool) -> None:
    """Serve the API on loopback, with two made-up accounts.

    Prints the settings of both, as .env needs them to sync from it, and serves until Ctrl-C.

    With --fault it misbehaves, to rehearse what a schedule will meet. A fault that passes strikes a request once, so that the
    next attempt succeeds. SHARE of the requests are struck, 1 unless it is given. A WORD says which ones (base, listing,
    download, schema), how many attempts in a row (a number), or that it never passes (lasting).

    Example: lakehouse sandbox --fault reset=0.1 --fault late --fault 5xx:listing:lasting=0.02
    """
    import logging  # noqa: PLC0415

    from pipeline.sandbox import Sandbox, fault_list  # noqa: PLC0415

    if list_faults:
        click.echo("\n".join(f"{name:<20}{struck:<26}{description}" for name, struck, description in fault_list()))
        return
    if log:
        logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    try:
        served = Sandbox(port=port, faults=faults, seed=seed, delay_seconds=latency_ms / 1000)
    except ValueError as error:
        raise SettingsError(f"--fault {error}") from None
    except OSError as error:
        message = f"port {port} of 127.0.0.1 can't be used ({error.strerror}); choose another with --port, or 0 for any"
        raise PipelineError(message) from error
    accounts = "the made-up accounts " + " and ".join(served.accounts)
    click.echo(f"# {served.base_url} serves {accounts}: one's lines go into .env; Ctrl-C stops it.")
    for account_id in served.accounts:
        click.echo(f"\n# account {account_id}\n{served.settings_of(account_id)}", nl=False)
    sys.stdout.flush()
    served.serve()


@main.command()
@on_lake
def demo(lake_uri: str | None) -> None:
    """Do the main job end to end with made-up conversations.

    Two weeks of two accounts, from the sandbox to queue time, MCS and the report. It takes no lake that has other accounts;
    name a new one with --lake.

    Example: lakehouse demo, then lakehouse sql
    """
    from pipeline.cli.demo import run_demo  # noqa: PLC0415

    if not run_demo(lake_of(lake_uri), say).is_complete:
        raise SystemExit(SET_ASIDE)
