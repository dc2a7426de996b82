"""The commands that show conversations: find and show."""

import shutil
import sys

import click

from pipeline.cli.log import say
from pipeline.cli.options import MOST_ROWS, Command, LocalMoment, in_format, lake_of, next_command, on_lake
from pipeline.text import harmless, program
from pipeline.transcript.sought import OUTCOMES, SPEAKERS, Sought

_LINE_WIDTH = 100  # where there is no terminal
_WHOLE = 1 << 20  # a line that another program reads is not cut
_WIDEST = 140  # longer lines are hard to read


@click.command(cls=Command)
@click.argument("words", nargs=-1, metavar="[WORD]...")
@click.option("--regex", "pattern", metavar="PATTERN", help="Lines that this regular expression matches, in any case.")
@click.option(
    "--said-by",
    "speaker",
    type=click.Choice(list(SPEAKERS)),
    default="visitor",
    show_default=True,
    help="Whose lines are searched.",
)
@click.option("--since", type=LocalMoment(), metavar="T", help="Conversations that began from this time on.")
@click.option("--until", type=LocalMoment(), metavar="T", help="Conversations that began before this time.")
@click.option("--skill", metavar="NAME", help="That had this skill at any time; by name or id.")
@click.option("--agent", metavar="NAME", help="That this agent had at any time; by name or id.")
@click.option("--outcome", type=click.Choice(list(OUTCOMES)), help="abandoned: the visitor gave up in a queue.")
@click.option("--transfers", type=click.IntRange(1), metavar="N", help="With at least so many transfers.")
@click.option("--rows", type=click.IntRange(1, MOST_ROWS), default=20, show_default=True, metavar="N", help="At most so many.")
@in_format("table", "csv", "json")
@on_lake
def find(lake_uri: str | None, words: tuple[str, ...], form: str, rows: int, **what: object) -> None:
    """Find conversations by words, newest first.

    Finds those with a line that has all the WORDs, whatever their case. Without words it finds all that the options describe,
    each with the last line of whom --said-by names. T is a day or a time on the account's clock: 2026-11-01, 2026-11-01T14:00.

    Prints the id, which lakehouse show takes, the outcome, and the first line that matched. Ends with 0 also if it finds none.

    Example: lakehouse find refund --transfers 2 --since 2026-11-01
    """
    from pipeline.cli.formats import write_csv, write_json
    from pipeline.cli.tables import Screen
    from pipeline.transcript.search import search, with_matches
    from pipeline.transcript.text import found_lines
    from pipeline.warehouse.database import connect

    sought = Sought(words, **{name: value for name, value in what.items() if value is not None})  # type: ignore[arg-type]
    with connect(lake_of(lake_uri), say) as connection:
        found = search(connection, sought, rows + (form == "table"))
        if form != "table":
            (write_csv if form == "csv" else write_json)(found, Screen(sys.stdout) if sys.stdout.isatty() else sys.stdout)
            return
        listed = with_matches(found, sought).to_arrow_table().to_pylist()
    for line in found_lines(listed[:rows], _width() if sys.stdout.isatty() else _WHOLE, words):
        click.echo(harmless(line))
    if not listed:
        say("no conversation was found")
    elif len(listed) > rows:
        say(f"there are more: --rows N shows N of them; {next_command('show ID', program())} shows one")


@click.command(cls=Command)
@click.argument("conversation_id", metavar="ID")
@in_format("text", "html")
@on_lake
def show(lake_uri: str | None, conversation_id: str, form: str) -> None:
    """Show one conversation: waits, transfers, scores, lines.

    Times are on the account's clock; the second column is the time since the line before, the number before a text the MCS
    then. On a terminal a long one opens in your pager. ID is the conversation_id, as lakehouse find prints it.

    Example: lakehouse show 755558510207380000018 --format html > one.html
    """
    from pipeline.cli.pager import Pager, pager_fault
    from pipeline.transcript.conversation import read_conversations
    from pipeline.transcript.text import lines_of
    from pipeline.warehouse.database import connect

    with connect(lake_of(lake_uri), say) as connection:
        found = read_conversations(connection, conversation_id)
    if form == "html":
        from pipeline.transcript.html import page_of

        click.echo(page_of(found))
        return
    text = "\n".join(line for one in found for line in (*lines_of(one, _width()), ""))
    if not sys.stdout.isatty() or pager_fault():
        click.echo(harmless(text), nl=False)
        return
    with Pager(sys.stdout) as screen:
        screen.write(text)


def _width() -> int:
    return min(shutil.get_terminal_size((_LINE_WIDTH, 24)).columns, _WIDEST) if sys.stdout.isatty() else _LINE_WIDTH
