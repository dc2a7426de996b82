"""The commands that need no account: sandbox and demo."""

import sys

import click

from pipeline.cli.log import say
from pipeline.cli.options import SET_ASIDE, Command, command, lake_of, of_the_sandbox, on_lake
from pipeline.errors import PipelineError, SettingsError


@click.command(cls=Command)
@of_the_sandbox
@command
def sandbox(
    port: int, faults: tuple[str, ...], seed: int, latency_ms: int, *, list_faults: bool, legs: bool, log: bool
) -> None:
    """Serve the API on loopback, with two made-up accounts.

    Prints the settings of both, as .env needs them to sync from it, and serves until Ctrl-C.

    With --fault it misbehaves, to rehearse the failures that a schedule meets. A passing fault strikes a request once, so that
    the next attempt succeeds. SHARE of the requests are struck, 1 unless it is given. A WORD says which ones (base, listing,
    download, schema), how many attempts in a row (a number), or that it never passes (lasting).

    Example: lakehouse sandbox --fault reset=0.1 --fault late --fault 5xx:listing:lasting=0.02
    """
    import logging
    from dataclasses import replace

    from pipeline.sandbox import Sandbox, demo_accounts, fault_list

    if list_faults:
        click.echo("\n".join(f"{name:<20}{struck:<26}{description}" for name, struck, description in fault_list()))
        return
    if log:
        logging.basicConfig(stream=sys.stderr)
        logging.getLogger("pipeline").setLevel(logging.DEBUG)  # others' debug lines tell of signatures
    try:
        accounts = [replace(account, sends_legs=legs) for account in demo_accounts()]
        served = Sandbox(accounts, port=port, faults=faults, seed=seed, delay_seconds=latency_ms / 1000)
    except ValueError as error:
        raise SettingsError(f"--fault {error}") from None
    except OSError as error:
        message = f"port {port} of 127.0.0.1 can't be used ({error.strerror}); choose another with --port, or 0 for any"
        raise PipelineError(message) from error
    names = "the made-up accounts " + " and ".join(served.accounts)
    click.echo(f"# {served.base_url} serves {names}: copy the lines of ONE account into .env; Ctrl-C stops it.")
    for account_id in served.accounts:
        click.echo(f"\n# account {account_id}\n{served.settings_of(account_id)}", nl=False)
    sys.stdout.flush()
    served.serve()


@click.command(cls=Command)
@on_lake
def demo(lake_uri: str | None) -> None:
    """Do the main job end to end with made-up conversations.

    Five weeks of two accounts, from the sandbox to queue time, MCS and the report. It refuses a lake with other accounts;
    name a new one with --lake.

    Example: lakehouse demo, then lakehouse sql
    """
    from pipeline.cli.demo import run_demo
    from pipeline.cli.outcome import recorded

    with recorded("demo") as outcome:
        lake = lake_of(lake_uri)
        total = run_demo(lake, say, outcome.reports)
        outcome.lake = lake
        if not total.is_complete:
            raise SystemExit(SET_ASIDE)
