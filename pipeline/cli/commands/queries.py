"""The commands that answer questions: sql, export and report."""

import contextlib
import re
import signal
import sys
from datetime import date, timedelta

import click

from pipeline.cli.log import say
from pipeline.cli.options import MOST_ROWS, Command, Day, in_format, lake_of, on_lake, show
from pipeline.cli.streams import whole_file
from pipeline.errors import SettingsError
from pipeline.processes import sparing
from pipeline.text import counted


class _Query(Command):
    """A command whose argument may begin with a comment of SQL, as a file does; click would take that for an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Set a line's end before a comment, then parse."""
        return super().parse_args(ctx, [f"\n{text}" if re.match(r"--(\s|-)", text) else text for text in args])


@click.command(cls=_Query)
@click.argument("query", required=False)
@in_format("table", "line", "csv", "json", "markdown", "parquet", by_ending=True)
@click.option("--output", metavar="FILE", help="Write it there, whole or not at all. [default: standard output]")
@click.option(
    "--rows",
    "most_rows",
    type=click.IntRange(0, MOST_ROWS),
    metavar="N",
    help="At most N rows of a table or bars, 0: all. [default: what fits on a terminal, all elsewhere]",
)
@click.option("--chart", type=click.Choice(("bar", "line")), help="Draw the columns of numbers, by the first column.")
@click.option("--null", metavar="TEXT", help="What stands for NULL in csv. [default: nothing; an empty text is in quotes]")
@on_lake
def sql(
    lake_uri: str | None,
    query: str | None,
    *,
    form: str | None,
    output: str | None,
    most_rows: int | None,
    chart: str | None,
    null: str | None,
) -> None:
    """Ask the tables and views in SQL: one query, or a shell.

    QUERY is DuckDB's SQL; statements that write are refused, but for temporary tables. Without QUERY it is read from standard
    input; on a terminal a shell opens: .tables lists what there is, .describe NAME the columns of one, help the rest.

    Example: lakehouse sql "from queue_time_daily" --format csv
    """
    from pipeline.cli.formats import form_of
    from pipeline.cli.query import CHARTS, run_query
    from pipeline.warehouse.database import connect

    is_shell = query is None and sys.stdin.isatty()
    chosen = form or (form_of(output) if output else None) or "table"
    _check_options(chosen, output, most_rows, chart, null, is_given=form is not None, is_shell=is_shell)
    with connect(lake_of(lake_uri), say) as connection:
        if is_shell:
            from pipeline.cli.shell import shell
            from pipeline.settings import read_settings

            with sparing(signal.SIGINT):
                shell(connection, chosen, read_settings().lake_history, most_rows=most_rows, null=null or "")
            return
        text = sys.stdin.read() if query is None else query
        with whole_file(output) if output else contextlib.nullcontext(sys.stdout) as out:
            run_query(connection, text, CHARTS[chart] if chart else chosen, out, most_rows=most_rows, null=null or "")


def _check_options(
    form: str, output: str | None, most_rows: int | None, chart: str | None, null: str | None, *, is_given: bool, is_shell: bool
) -> None:
    """Refuse options that do nothing together; `is_given` says whether the form is that of `--format`."""
    shown = "--chart" if chart else form
    if null is not None and shown != "csv":
        raise SettingsError(f"--null: it goes with --format csv, found {shown}; leave one out")
    if chart and is_given:
        raise SettingsError(f"--chart: it goes without --format, found {form}; leave one out")
    if most_rows is not None and shown not in {"table", "--chart"}:
        raise SettingsError(f"--rows: it goes with tables and --chart, found {shown}; write limit {most_rows} in the query")
    if is_shell and (output or chart or form == "parquet"):
        given = "--output" if output else "--chart" if chart else "--format parquet"
        raise SettingsError(f"{given}: expected a QUERY, found none; the shell has .once FILE and .chart instead")


@click.command(cls=_Query)
@click.argument("what")
@click.option(
    "--output", required=True, metavar="TARGET", help="The file or, with --by-date, the folder; of this machine or a bucket."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(("parquet", "csv", "xlsx", "jsonl")),
    help="The form of files. [default: by the ending of TARGET; parquet with --by-date]",
)
@click.option(
    "--since",
    type=Day(),
    metavar="DAY",
    help="Rows of this day and later ones, on the account's clocks, or UTC where rows have no local day.",
)
@click.option("--until", type=Day(), metavar="DAY", help="Rows of days before this one.")
@click.option(
    "--account-id", "account_ids", multiple=True, metavar="ID", help="Rows of this account; can be given several times."
)
@click.option("--by-date", is_flag=True, help="Write a file a day: TARGET/date=2026-11-02/part.parquet.")
@click.option(
    "--incremental", is_flag=True, help="Of a table by date, write the days alone that changed since the last export."
)
@on_lake
def export(  # noqa: PLR0917  # click gives the options
    lake_uri: str | None,
    what: str,
    output: str,
    form: str | None,
    since: date | None,
    until: date | None,
    account_ids: tuple[str, ...],
    by_date: bool,  # noqa: FBT001
    incremental: bool,  # noqa: FBT001
) -> None:
    """Write a table, a view or a query into a file for other programs.

    WHAT is a name that the shell's .tables lists, or a query. A former file stays until the new one is whole. In XLSX times
    are in UTC, and no text becomes a formula. Prints the path.

    Example: lakehouse export queue_time_daily --output queue_time.xlsx
    """
    from pipeline.cli.export.by_date import export_by_date
    from pipeline.cli.export.source import Choice, find_source
    from pipeline.cli.export.target import form_of, target_at
    from pipeline.cli.export.writers import export_file
    from pipeline.warehouse.database import connect

    _require_order(since, until)
    if incremental and not by_date:
        raise SettingsError("--incremental: it goes with --by-date; add that, or leave it out")
    chosen = form_of(output, form, by_date=by_date)
    lake = lake_of(lake_uri, (output,))
    target = target_at(output, lake, is_folder=by_date)
    with connect(lake, say) as connection:
        source = find_source(connection, what, Choice(since, until, account_ids))
        if by_date:
            done = export_by_date(lake, source, target, chosen, is_incremental=incremental, tell=say)
            say(
                f"{counted(done.rows, 'row')} of {source.name}: {counted(done.written, 'day')} written, "
                f"{done.kept:,} kept, {done.removed:,} removed"
            )
        else:
            say(f"{counted(export_file(lake, source, target, chosen, say), 'row')} of {source.name} written")
    show(target.uri)


@click.command(cls=Command)
@click.option(
    "--output",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Where to write it; folders are made. [default: report.html in the lake; for a bucket, in the working folder]",
)
@click.option("--since", type=Day(), metavar="DAY", help="Open it at this day and later ones. [default: all days]")
@click.option("--until", type=Day(), metavar="DAY", help="Open it at days before this one.")
@on_lake
def report(lake_uri: str | None, output: str | None, since: date | None, until: date | None) -> None:
    """Write the report in HTML: queue times, MCS, transfers and more.

    One file, for any browser, that needs no network. Prints where it is; a former report there is replaced.

    Example: lakehouse report --output november.html --since 2026-11-01 --until 2026-12-01
    """
    from pipeline.cli.written_report import written_report

    _require_order(since, until)
    show(written_report(lake_of(lake_uri), output, (since, until)))


def _require_order(since: date | None, until: date | None) -> None:
    if since and since == until:
        following = f"--until {since + timedelta(days=1)}" if since < date.max else "no --until"
        raise SettingsError(f"--since {since} --until {until}: no day lies between them; for {since} alone give {following}")
    if since and until and since > until:
        raise SettingsError(f"--since {since} is not before --until {until}; swap them")
