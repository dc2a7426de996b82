"""The commands that look after a lake: check, verify, compact, upgrade, rebuild and erase."""

import sys

import click

from pipeline.cli.log import say
from pipeline.cli.options import SET_ASIDE, Command, existing_lake, lake_of, on_engine, on_lake, writing_to_lake
from pipeline.text import harmless


@click.command(cls=Command)
@on_lake
def check(lake_uri: str | None) -> None:
    """Check the data for contradictions.

    Runs the checks of sql/checks, and prints the meaning of each finding and the command that shows its rows. Ends with 3 if
    there is one: the rows stay in the lake as they came, for you to judge.

    Example: lakehouse check
    """
    from pipeline.cli.query import run_checks
    from pipeline.warehouse.database import connect

    with connect(lake_of(lake_uri), say) as connection:
        if run_checks(connection, sys.stdout):
            raise SystemExit(SET_ASIDE)


@click.command(cls=Command)
@click.option("--read-data", is_flag=True, help="Decode every value of every Parquet file, too.")
@on_lake
def verify(lake_uri: str | None, *, read_data: bool) -> None:
    """Check landed files, tables and ledger against each other.

    Changes nothing. Prints a line for each finding: the place, the fault and the remedy. Ends with 3 if there is one.

    Example: lakehouse verify --read-data
    """
    from pipeline.cli.progress import Stages
    from pipeline.cli.summaries import verification
    from pipeline.lake.store_errors import reaching
    from pipeline.maintenance.verify import verify as run_verify

    lake = lake_of(lake_uri)
    with Stages() as stages, reaching(lake.uri):
        done = run_verify(lake, read_data=read_data, progress=stages.tell)
    for finding in done.findings:
        click.echo(harmless(str(finding)))
    say(verification(done))
    if done.findings:
        raise SystemExit(SET_ASIDE)


@click.command(cls=Command)
@click.option(
    "--retain-hours",
    type=click.IntRange(0, 1_000_000),
    default=24,
    show_default=True,
    metavar="N",
    help="Keep unused files for N hours, for queries that began before.",
)
@writing_to_lake
def compact(lake_uri: str | None, retain_hours: int) -> None:
    """Merge small Parquet files, delete unused ones.

    Each load merges some files, so nothing has to be scheduled. No row changes. With --retain-hours 0 the disk is free at
    once, but a query that is running may fail, and has to be asked again.

    Example: lakehouse compact
    """
    from pipeline.cli.outcome import recorded
    from pipeline.cli.summaries import compaction
    from pipeline.load.session import writing
    from pipeline.maintenance.compact import compact as run_compact

    with recorded("compact") as outcome:
        lake = existing_lake(lake_uri)
        outcome.start(lake)
        with writing(lake, say):
            done = run_compact(lake, retention_hours=retain_hours)
        outcome.details = {"merged_files": done.merged, "deleted_files": done.deleted, "deleted_bytes": done.deleted_bytes}
        for line in compaction(done):
            say(line)


@click.command(cls=Command)
@click.option("--dry-run", is_flag=True, help="Say what there is to do, and change nothing.")
@click.option("--recompute", is_flag=True, help="Compute all facts anew, even if the lake is up to date.")
@writing_to_lake
def upgrade(lake_uri: str | None, *, dry_run: bool, recompute: bool) -> None:
    """Bring a lake of an older version up to date.

    Each command that writes does it first, so nothing has to be done after an update of the program; this command does it at a
    time of your choice. Tables that the lake lacks are made, and the facts of all conversations are computed. One commit
    shows the result: a run that dies before it leaves the lake as it was.

    Example: lakehouse upgrade --dry-run
    """
    from pipeline.cli.outcome import recorded
    from pipeline.cli.summaries import planned_upgrade, upgraded
    from pipeline.erasure.purge import run_pending_purges
    from pipeline.lake.store_errors import reaching
    from pipeline.load.session import writing
    from pipeline.maintenance.upgrade import upgrade as run_upgrade

    lake = existing_lake(lake_uri)
    if dry_run:
        with reaching(lake.uri):
            say(planned_upgrade(lake.uri, lake.snapshot(), recomputes=recompute))
        return
    with recorded("upgrade") as outcome:
        outcome.start(lake)
        with writing(lake, say, upgrades=False):
            done = run_upgrade(lake, recomputes=recompute, tell=say)
            run_pending_purges(lake)
        outcome.details = {"conversations": done.conversations if done else 0}
        say(upgraded(lake.uri, done))


@click.command(cls=Command)
@on_engine
@writing_to_lake
def rebuild(lake_uri: str | None, engine: str | None) -> None:
    """Make all tables anew from landing/, in place.

    Reads every landed file again, as a load does, and puts the rows in the place of the former ones by one commit. What
    landing/ does not hold stays: rows of source files whose landed file is lost, listings, settings and erasures; erased people
    do not come back. Ends with 3 if a landed file is lost: its name is printed, and its rows stay as they were.

    Example: lakehouse rebuild
    """
    from pipeline.cli.outcome import recorded
    from pipeline.cli.progress import LoadProgress
    from pipeline.cli.summaries import rebuilt
    from pipeline.decode.pgp import check_key
    from pipeline.load.engines import engine_of
    from pipeline.load.rebuild import rebuild as run_rebuild
    from pipeline.load.session import writing

    with recorded("rebuild") as outcome:
        lake = existing_lake(lake_uri)
        readers = engine_of(engine)
        outcome.start(lake)
        check_key(say)
        with LoadProgress() as progress, writing(lake, say, upgrades=False):
            done = run_rebuild(lake, engine=readers, progress=progress.loaded)
        outcome.details = {"landed_files": done.files, "lost_files": len(done.lost)}
        for path in done.lost:
            click.echo(
                harmless(f"{path}: the landed file is gone or damaged; its rows stay as they were: put it back from a backup")
            )
        say(rebuilt(done))
        if done.lost:
            raise SystemExit(SET_ASIDE)


@click.command(cls=Command)
@click.option("--consumer-id", multiple=True, metavar="X", help="All conversations of this consumer that have ended.")
@click.option("--visitor-id", multiple=True, metavar="X", help="All conversations of this visitor that have ended.")
@click.option("--conversation-id", multiple=True, metavar="X", help="This conversation alone.")
@writing_to_lake
def erase(lake_uri: str | None, **ids: tuple[str, ...]) -> None:
    """Remove people's conversations everywhere, for good.

    Takes one id or several, each with its option. Conversations go from tables, old versions and landed files, and that can't
    be undone. A keyed tombstone keeps them out when a file is fetched or loaded again. Backups, exports and reports written
    elsewhere are out of reach. Prints counts of removed rows and the places searched, never an erased id. Ends with 3 if an
    id is not found and was not erased before, a landed file could not be searched, or something is left.

    Example: lakehouse erase --consumer-id 4f1c0a77 --consumer-id 5b2e
    """
    from pipeline.cli.outcome import recorded
    from pipeline.cli.summaries import erasure
    from pipeline.decode.pgp import check_key
    from pipeline.erasure.erase import erase_all
    from pipeline.erasure.subjects import asked_for
    from pipeline.load.session import writing

    asked = asked_for((name.removesuffix("_id"), ident) for name, given in ids.items() for ident in given)
    with recorded("erase") as outcome:
        lake = existing_lake(lake_uri)
        outcome.start(lake)
        check_key(say)
        with writing(lake, say):
            done = erase_all(lake, asked)
        outcome.details = {"removed_" + table: count for table, count in done.rows.items()}
        for line in erasure(done, asked):
            click.echo(harmless(line))
        if not done.is_complete:
            raise SystemExit(SET_ASIDE)
