"""An asset for Dagster that syncs the lake every hour.

A scheduled run takes no window: it also fetches files that appeared late, so runs make up for each other. To load a window
again, launch the asset with `since` and `until` in its config, as often as you like: a file counts once.
"""

import json
import subprocess
from contextlib import suppress
from typing import Any

import dagster as dg

FOLDER = "/srv/lakehouse"  # with .env and the program, where the runs are
COMMAND = [f"{FOLDER}/.venv/bin/lakehouse", "sync", "--format", "json"]
WRONG_USAGE, SET_ASIDE = 2, 3


def run(command: list[str]) -> tuple[int, dict[str, Any]]:
    """Run a command, and return its exit code and its outcome. If this is stopped, so is the command, which has 30 seconds."""
    with subprocess.Popen(command, cwd=FOLDER, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            output, _ = process.communicate()
        except BaseException:  # a timeout or a cancellation: the command then loads the files that it has whole
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=30)
            process.kill()  # nothing happens to one that has ended
            raise
    return process.returncode, json.loads(output or "{}")


class Window(dg.Config):
    """Times in ISO 8601; without them a run syncs the last 30 days."""

    since: str | None = None
    until: str | None = None


@dg.asset(
    retry_policy=dg.RetryPolicy(max_retries=3, delay=300, backoff=dg.Backoff.EXPONENTIAL),
    check_specs=[dg.AssetCheckSpec("nothing_set_aside", asset="lake")],
)
def lake(config: Window) -> dg.MaterializeResult:
    """The lake of engagement data."""
    window = [f"--{name}={value}" for name, value in (("since", config.since), ("until", config.until)) if value]
    code, outcome = run([*COMMAND, *window])
    if code not in {0, SET_ASIDE}:
        raise dg.Failure(
            f"lakehouse sync ended with {code}: {outcome.get('error')}",
            allow_retries=code != WRONG_USAGE,  # a setting is wrong: no retry mends it
        )
    of_accounts = outcome.pop("of_accounts")
    nothing_set_aside = dg.AssetCheckResult(
        check_name="nothing_set_aside",
        passed=code == 0,
        severity=dg.AssetCheckSeverity.WARN,  # all good data is in
        metadata={"of_accounts": of_accounts},
    )
    return dg.MaterializeResult(metadata=outcome, check_results=[nothing_set_aside])


defs = dg.Definitions(
    assets=[lake],
    schedules=[dg.ScheduleDefinition("lakehouse_sync", cron_schedule="17 * * * *", target=[lake])],
)
