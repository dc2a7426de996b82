"""The command that makes the files of names."""

import click

from pipeline.cli.log import say
from pipeline.cli.options import SET_ASIDE, Command, lake_of, on_lake
from pipeline.text import counted, harmless


@click.command(cls=Command)
@on_lake
def names(lake_uri: str | None) -> None:
    """Write files for the names of skills, agents and campaigns.

    Adds every id that the lake has met to skills.csv, agents.csv and campaigns.csv in the lake, most used first. Fill in
    names, groups, and true under is_bot for a bot, and the next command shows them. Run it again for new ids: lines that are
    there stay as they are, and other columns, too. Ends with 3 if a line of a file does not count.

    Example: lakehouse names
    """
    from pipeline.lake.store_errors import reaching
    from pipeline.warehouse.database import connect
    from pipeline.warehouse.name_writer import write_names

    lake = lake_of(lake_uri)
    with connect(lake) as connection, reaching(lake.uri):
        files = write_names(lake, connection)
    for written in files:
        added = f"{counted(written.added_count, 'line')} added, " if written.added_count else ""
        met = counted(written.met_count, written.file.noun)
        nicknamed = f", {written.nicknamed_count:,} of them with a nickname" if written.nicknamed_count else ""
        click.echo(
            harmless(f"{lake.uri}/{written.file.file_name}: {added}{met}, {written.unnamed_count:,} without a name{nicknamed}")
        )
        for sentence in filter(None, (*written.faults, written.note)):
            say(f"{lake.uri}/{sentence}")
    if any(written.is_new for written in files):
        say("fill in names and groups, and true under is_bot for a bot: the next command shows them")
    if any(written.faults for written in files):
        raise SystemExit(SET_ASIDE)
