"""A DAG for Airflow 3 that syncs the lake every hour.

A scheduled run takes no window: it also fetches files that appeared late, so runs make up for each other and there is nothing
to catch up. A backfill passes its interval as the window, as often as it likes: a file counts once.
"""

import json
import logging
import subprocess
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException

FOLDER = "/srv/lakehouse"  # with .env and the program, on each worker
COMMAND = [f"{FOLDER}/.venv/bin/lakehouse", "sync", "--format", "json"]

logger = logging.getLogger(__name__)


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


@dag(
    # A plain cron string gives intervals without a length, which are no windows.
    schedule=CronDataIntervalTimetable("17 * * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5), "retry_exponential_backoff": True},
)
def lakehouse_sync() -> None:
    """Bring new engagement data into the lake."""

    @task(execution_timeout=timedelta(hours=6))
    def sync() -> dict[str, Any]:
        """Run the command, and return its outcome: counts, and the names of files that were set aside."""
        context = get_current_context()
        window = []
        if context["dag_run"].run_type == "backfill":
            since, until = context["data_interval_start"], context["data_interval_end"]
            window = [f"--since={since.isoformat()}", f"--until={until.isoformat()}"]
        code, outcome = run([*COMMAND, *window])
        match code:
            case 0:
                return outcome
            case 3:  # all good data is in
                logger.warning("Something was set aside, lakehouse status lists it: %s", outcome["of_accounts"])
                return outcome
            case 2:  # a setting is wrong: no retry mends it
                raise AirflowFailException(outcome.get("error"))
            case _:
                raise AirflowException(f"lakehouse sync ended with {code}: {outcome.get('error')}")

    sync()


lakehouse_sync()
