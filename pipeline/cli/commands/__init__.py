"""The command line `lakehouse`: turns arguments into calls, and their results into text and an exit code.

Results go to standard output, progress and messages to standard error. A command imports the libraries that it needs when it
runs.
"""

import click

from pipeline.cli.commands.intake import doctor, load, status, sync
from pipeline.cli.commands.naming import names
from pipeline.cli.commands.queries import export, report, sql
from pipeline.cli.commands.reading import find, show
from pipeline.cli.commands.trial import demo, sandbox
from pipeline.cli.commands.upkeep import check, compact, erase, rebuild, upgrade, verify
from pipeline.cli.options import Overview


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


_ASKING = (sql, find, show, report, export, names)
_COMMANDS = (sync, load, status, doctor, *_ASKING, check, verify, compact, upgrade, rebuild, erase, sandbox, demo)
for _command in _COMMANDS:
    main.add_command(_command)
