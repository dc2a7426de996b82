"""The commands that answer questions: sql and report."""

import re
import signal
import sys

import click

from pipeline.cli.options import Command, in_format, lake_of, on_lake, say, show
from pipeline.errors import SettingsError
from pipeline.processes import sparing


class _Query(Command):
    """A command whose argument may begin with a comment of SQL, as a file does; click would take that for an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Set a line's end before a comment, then parse."""
        return super().parse_args(ctx, [f"\n{text}" if re.match(r"--(\s|-)", text) else text for text in args])


@click.command(cls=_Query)
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
    from pipeline.cli.query import run_query
    from pipeline.warehouse.database import connect

    if null is not None and form != "csv":
        raise SettingsError(f"--null: it goes with --format csv, found {form}; leave one out")
    with connect(lake_of(lake_uri), say) as connection:
        if query is None and sys.stdin.isatty():
            from pipeline.cli.shell import shell
            from pipeline.settings import read_settings

            with sparing(signal.SIGINT):
                shell(connection, form, read_settings().lake_history, null=null or "")
        else:
            run_query(connection, sys.stdin.read() if query is None else query, form, sys.stdout, null=null or "")


@click.command(cls=Command)
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
    from pipeline.report import chosen_path, report_path, write_report
    from pipeline.warehouse.database import connect
    from pipeline.warehouse.rules import find_rules

    lake = lake_of(lake_uri)
    target = chosen_path(lake, output) if output else report_path(lake)
    with connect(lake, say) as connection:
        write_report(connection, target, find_rules(lake).fault)
    show(target)
