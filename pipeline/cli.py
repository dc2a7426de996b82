"""The command `lakehouse`: turns what people type into calls, and errors into one sentence and an exit code.

Results go to standard output, progress and messages to standard error. What a command needs is imported when it runs.
"""

import functools
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, Final

import click

from pipeline.errors import PipelineError, SettingsError, SourceError

if TYPE_CHECKING:
    from pipeline.load import Report

FAILED: Final = 1
WRONG_USAGE: Final = 2
SET_ASIDE: Final = 3


class _Moment(click.ParamType[datetime]):
    """A day or a time in ISO 8601; without an offset it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """What was typed as an aware time."""
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"expected a time such as 2026-11-02 or 2026-11-02T14:00Z, found {value!r}", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _say(message: str) -> None:
    click.echo(message, err=True)


def _command(function: Callable[..., None]) -> Callable[..., None]:
    """Add `--lake` and `--debug`, and let no traceback out without the latter."""

    @click.option("--lake", "lake_uri", metavar="URI", help="The lake: a folder or a bucket. [default: LAKE_URI, else ./lake]")
    @click.option("--debug", is_flag=True, help="Show the traceback of an error.")
    @functools.wraps(function)
    def run(*args: Any, lake_uri: str | None, debug: bool, **options: Any) -> None:
        os.umask(0o077)  # what customers wrote is for the owner's eyes only
        try:
            function(*args, lake_uri=lake_uri, **options)
        except BrokenPipeError:
            sys.stderr.close()
            raise SystemExit(FAILED) from None
        except (PipelineError, OSError) as error:
            if debug:
                raise
            _say(f"lakehouse: {error}")
            raise SystemExit(WRONG_USAGE if isinstance(error, SettingsError) else FAILED) from None
        except Exception as error:  # the last resort, so that nobody who is woken at night has to read a traceback
            if debug:
                raise
            _say(
                f"lakehouse: {type(error).__name__}: {error}; this is a bug: run it again with --debug and report what it says"
            )
            raise SystemExit(FAILED) from None

    return run


_ENGINE = click.option(
    "--engine", metavar="ADDRESS", help="A Dask cluster that reads the files: dask://host:8786. [default: this machine]"
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="engagement-lakehouse")
def main() -> None:
    """Engagement data of LivePerson accounts: from hourly gz files to Parquet tables and answers in SQL.

    Try it without an account: lakehouse demo, then lakehouse sql.
    """


@main.command()
@click.option(
    "--since", type=_Moment(), metavar="T", help="From this time on. [default: 30 days ago, as far as the source keeps files]"
)
@click.option("--until", type=_Moment(), metavar="T", help="Before this time. [default: now]")
@click.option("--dry-run", is_flag=True, help="List what would be fetched, and fetch nothing.")
@_ENGINE
@_command
def sync(lake_uri: str | None, since: datetime | None, until: datetime | None, engine: str | None, *, dry_run: bool) -> None:
    """List, download and load what the lake does not have yet.

    Example: lakehouse sync --since 2026-11-01
    """
    from pipeline.api import DataAccessClient, Limits  # noqa: PLC0415
    from pipeline.engines import engine_of  # noqa: PLC0415
    from pipeline.load import writing  # noqa: PLC0415
    from pipeline.pgp import check_key  # noqa: PLC0415
    from pipeline.progress import SyncProgress  # noqa: PLC0415
    from pipeline.settings import env_file_warning, read_settings  # noqa: PLC0415
    from pipeline.store import reaching  # noqa: PLC0415
    from pipeline.sync import SyncReport  # noqa: PLC0415
    from pipeline.sync import sync as run_sync  # noqa: PLC0415

    lake = _lake(lake_uri)
    settings = read_settings()
    limits = Limits(listing_bytes=settings.lp_max_listing_bytes, file_bytes=settings.lp_max_file_bytes)
    if warning := env_file_warning():
        _say(f"lakehouse: {warning}")
    if since and until and since >= until:
        raise SettingsError(f"--since {since:%Y-%m-%dT%H:%M} is not before --until {until:%Y-%m-%dT%H:%M}; swap them")
    check_key(_say)
    readers = engine_of(engine)
    report = SyncReport()
    try:
        with (
            DataAccessClient(settings.credentials(), settings.lp_base_url, limits=limits) as client,
            SyncProgress() as progress,
            reaching(lake.uri) if dry_run else writing(lake, _say),
        ):
            run_sync(lake, client, since=since, until=until, dry_run=dry_run, report=report, engine=readers, **progress.hooks)
    except SourceError:
        _sum_up(report)
        raise
    if dry_run:
        for name in report.wanted:
            click.echo(name)
        _say(f"{len(report.wanted):,} of {report.listed:,} listed files would be fetched")
    else:
        _sum_up(report)
    if not report.is_complete:
        raise SystemExit(SET_ASIDE)


@main.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@_ENGINE
@_command
def load(lake_uri: str | None, paths: tuple[str, ...], engine: str | None) -> None:
    """Load source files at hand: files, folders, patterns, any URL that fsspec knows.

    Example: lakehouse load downloads/ 's3://bucket/2026/*.gz'
    """
    from pipeline.engines import engine_of  # noqa: PLC0415
    from pipeline.load import find_files, incoming_from, writing  # noqa: PLC0415
    from pipeline.load import load as run_load  # noqa: PLC0415
    from pipeline.pgp import check_key  # noqa: PLC0415
    from pipeline.progress import LoadProgress  # noqa: PLC0415

    lake = _lake(lake_uri)
    readers = engine_of(engine)
    incoming = incoming_from(find_files(paths))
    check_key(_say)
    with LoadProgress(len(incoming)) as progress, writing(lake, _say):
        report = run_load(lake, incoming, engine=readers, progress=progress.loaded)
    _sum_up(report)
    if not report.is_complete:
        raise SystemExit(SET_ASIDE)


def _sum_up(report: "Report") -> None:
    from pipeline.progress import summary  # noqa: PLC0415

    for line in summary(report):
        _say(line)


@main.command()
@click.argument("query", required=False)
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", help="How to print rows. [default: table]"
)
@_command
def sql(lake_uri: str | None, query: str | None, form: str) -> None:
    """Run SQL over the tables and views of the lake; without QUERY read it from standard input, or open a shell.

    Example: lakehouse sql "from queue_time_daily" --format csv
    """
    from pipeline.console import run_query  # noqa: PLC0415
    from pipeline.warehouse import connect  # noqa: PLC0415

    with connect(_lake(lake_uri)) as connection:
        if query is None and sys.stdin.isatty():
            from pipeline.settings import read_settings  # noqa: PLC0415
            from pipeline.shell import shell  # noqa: PLC0415

            shell(connection, form, read_settings().lake_history)
        else:
            run_query(connection, sys.stdin.read() if query is None else query, form, sys.stdout)


@main.command()
@click.option(
    "--output",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Where to write it. [default: report.html in the lake; for a bucket, in the working folder]",
)
@_command
def report(lake_uri: str | None, output: str | None) -> None:
    """Write the report: one HTML file with queue times and MCS that needs no network.

    Example: lakehouse report --output november.html
    """
    from pathlib import Path  # noqa: PLC0415

    from pipeline.report import report_path, write_report  # noqa: PLC0415
    from pipeline.warehouse import connect  # noqa: PLC0415

    lake = _lake(lake_uri)
    target = Path(output) if output else report_path(lake)
    with connect(lake) as connection:
        write_report(connection, target)
    click.echo(target)


@main.command()
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", help="How to print it. [default: table]"
)
@_command
def status(lake_uri: str | None, form: str) -> None:
    """Show hour by hour what is loaded, empty, set aside or missing, and until when the source keeps what is missing.

    Ends with 3 if the source is going to delete something within 7 days that the lake lacks.

    Example: lakehouse status --format json
    """
    from pipeline.ledger import encrypted_values  # noqa: PLC0415
    from pipeline.status import print_status  # noqa: PLC0415
    from pipeline.warehouse import connect  # noqa: PLC0415

    lake = _lake(lake_uri)
    with connect(lake) as connection:
        if print_status(connection, form, datetime.now(UTC), sys.stdout, encrypted=encrypted_values(lake)):
            raise SystemExit(SET_ASIDE)


@main.command()
@_command
def check(lake_uri: str | None) -> None:
    """Run the data checks of sql/checks and say what each finding means.

    Example: lakehouse check
    """
    from pipeline.console import run_checks  # noqa: PLC0415
    from pipeline.warehouse import connect  # noqa: PLC0415

    with connect(_lake(lake_uri)) as connection:
        if run_checks(connection, sys.stdout):
            raise SystemExit(SET_ASIDE)


@main.command()
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", help="How to print it. [default: table]"
)
@_command
def doctor(lake_uri: str | None, form: str) -> None:
    """Test settings, credentials, clock, disk, rights and versions, and say what to do about each.

    Ends with 0 if nothing fails, whatever it warns of; with 2 if a setting is missing or wrong; with 1 if something else fails.

    Example: lakehouse doctor
    """
    from pipeline.doctor import FAIL, WARN, examine, exit_code, print_findings  # noqa: PLC0415

    findings = print_findings(examine(lake_uri), form, sys.stdout)
    failed, warned = (sum(finding.level == level for finding in findings) for level in (FAIL, WARN))
    _say(
        f"{failed} of {len(findings)} checks failed, {warned} warn" if failed or warned else f"{len(findings)} checks, all well"
    )
    raise SystemExit(exit_code(findings))


@main.command()
@click.option("--read-data", is_flag=True, help="Decode every value of every Parquet file, too.")
@_command
def verify(lake_uri: str | None, *, read_data: bool) -> None:
    """Check landed files, tables, ledger and DuckDB file against each other; changes nothing.

    Example: lakehouse verify --read-data
    """
    from pipeline.progress import Stages  # noqa: PLC0415
    from pipeline.verify import verify as run_verify  # noqa: PLC0415

    with Stages() as stages:
        done = run_verify(_lake(lake_uri), read_data=read_data, progress=stages.tell)
    for finding in done.findings:
        click.echo(finding)
    looked = f"{done.landed_files:,} landed files, {done.parquet_files:,} Parquet files, {done.rows:,} rows"
    _say(f"{looked}: {f'{len(done.findings):,} findings' if done.findings else 'all as they should be'}")
    if done.findings:
        raise SystemExit(SET_ASIDE)


@main.command()
@click.option(
    "--retain-hours",
    type=click.IntRange(0),
    default=24,
    show_default=True,
    metavar="N",
    help="Keep files that are no longer used for so long, for readers that began before.",
)
@_command
def compact(lake_uri: str | None, retain_hours: int) -> None:
    """Merge small Parquet files, and delete those that no table names any more.

    Example: lakehouse compact
    """
    from pipeline.compact import compact as run_compact  # noqa: PLC0415
    from pipeline.compact import kept_hours  # noqa: PLC0415
    from pipeline.load import writing  # noqa: PLC0415

    lake = _existing(lake_uri)
    with writing(lake, _say):
        done = run_compact(lake, retention_hours=retain_hours)
    _say(f"{done.merged:,} small files merged into {done.made:,}")
    _say(
        f"{done.deleted:,} files deleted, {done.deleted_bytes / 1e6:,.1f} MB; "
        f"what is no longer used stays for {kept_hours(lake, retain_hours)} hours, for readers that began before"
    )


@main.command()
@click.option("--consumer-id", metavar="X", help="All conversations of this consumer that have ended.")
@click.option("--visitor-id", metavar="X", help="All conversations of this visitor that have ended.")
@click.option("--conversation-id", metavar="X", help="This conversation alone.")
@_command
def erase(lake_uri: str | None, **ids: str | None) -> None:
    """Remove a person's conversations from tables, old versions and landed files, for good.

    A keyed tombstone keeps them out when a file is fetched or loaded again. Prints what was removed and where it looked.

    Example: lakehouse erase --consumer-id 4f1c0a77
    """
    from pipeline.erase import erase as run_erase  # noqa: PLC0415
    from pipeline.load import writing  # noqa: PLC0415
    from pipeline.pgp import check_key  # noqa: PLC0415
    from pipeline.progress import erasure  # noqa: PLC0415

    given = [(name.removesuffix("_id"), ident) for name, ident in ids.items() if ident is not None]
    if len(given) != 1:
        raise SettingsError("erase takes exactly one of --consumer-id, --visitor-id and --conversation-id; nothing was erased")
    lake = _existing(lake_uri)
    check_key(_say)
    with writing(lake, _say):
        done = run_erase(lake, *given[0])
    for line in erasure(done, given[0][0]):
        click.echo(line)
    if done.unreadable or done.encrypted:
        raise SystemExit(SET_ASIDE)


@main.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, help="Port on 127.0.0.1, 0 for any free one. [default: 8080]"
)
@click.option(
    "--fault", "faults", multiple=True, metavar="NAME[:WORD...][=SHARE]", help="Misbehave; can be given several times."
)
@click.option("--list-faults", is_flag=True, help="List the faults: their names, what they strike, what they do.")
@click.option("--seed", default=1, help="Another seed, other requests that the faults strike. [default: 1]")
@click.option(
    "--latency-ms", type=click.IntRange(0), default=0, metavar="N", help="Wait before each answer, as a network does."
)
@click.option("--debug", is_flag=True, help="Log every request.")
def sandbox(port: int, faults: tuple[str, ...], seed: int, latency_ms: int, *, list_faults: bool, debug: bool) -> None:
    """Serve the Data Access API on loopback with two made-up accounts, for trying out and for tests.

    Prints the settings that a .env file needs to sync from it.

    With --fault it misbehaves, to rehearse what a schedule will meet. A fault that passes strikes a request once, so that the
    next attempt succeeds. SHARE of the requests are struck, 1 unless it is given. A WORD says which ones (base, listing,
    download), how many attempts in a row (a number), or that it never passes (lasting).

    Example: lakehouse sandbox --fault reset=0.1 --fault late --fault 5xx:listing:lasting=0.02
    """
    import logging  # noqa: PLC0415

    from pipeline.sandbox import Sandbox, fault_list  # noqa: PLC0415

    if list_faults:
        for name, struck, description in fault_list():
            click.echo(f"{name:<12}{struck:<26}{description}")
        return
    if debug:
        logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    try:
        served = Sandbox(port=port, faults=faults, seed=seed, delay_seconds=latency_ms / 1000)
    except ValueError as error:
        _say(f"lakehouse: --fault {error}")
        raise SystemExit(WRONG_USAGE) from None
    except OSError as error:
        _say(f"lakehouse: port {port} of 127.0.0.1 can't be had ({error.strerror}); choose another with --port")
        raise SystemExit(FAILED) from None
    _print_settings(served, sys.stdout)
    served.serve()


def _print_settings(served: Any, out: IO[str]) -> None:
    out.write(f"# {served.base_url} serves the made-up accounts {' and '.join(served.accounts)}; stop it with Ctrl-C.\n")
    for account_id in served.accounts:
        keys = served.credentials(account_id)
        out.write(f"\n# account {account_id}\nLP_BASE_URL={served.base_url}\nLP_ACCOUNT_ID={account_id}\n")
        out.write(f"LP_APP_KEY={keys.app_key}\nLP_APP_SECRET={keys.app_secret}\n")
        out.write(f"LP_ACCESS_TOKEN={keys.access_token}\nLP_ACCESS_TOKEN_SECRET={keys.access_token_secret}\n")
    out.flush()


@main.command()
@_command
def demo(lake_uri: str | None) -> None:
    """Do the main job end to end against the sandbox: two weeks of two made-up accounts, queue time, MCS, report.

    Example: lakehouse demo, then lakehouse sql
    """
    from pipeline.demo import run_demo  # noqa: PLC0415

    report = run_demo(_lake(lake_uri), _say)
    if not report.is_complete:
        raise SystemExit(SET_ASIDE)


def _lake(lake_uri: str | None) -> Any:
    from pipeline.lake import Lake  # noqa: PLC0415

    if not lake_uri:
        from pipeline.settings import read_settings  # noqa: PLC0415

        lake_uri = read_settings().lake_uri
    return Lake(lake_uri)


def _existing(lake_uri: str | None) -> Any:
    from pipeline.errors import LakeError  # noqa: PLC0415

    lake = _lake(lake_uri)
    if not lake.exists:
        raise LakeError(f"{lake.uri}: there is no lake; load something first, with lakehouse demo, sync or load")
    return lake


if __name__ == "__main__":
    main()
