"""A DAG for Airflow 3 that syncs the lake every hour.

A scheduled run takes no window: it also fetches files that appeared late, so runs make up for each other and there is nothing
to catch up. A backfill passes its interval as the window, as often as it likes: a file counts once.
"""

import json
import logging
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException

FOLDER = "/srv/lakehouse"  # with .env and the program, on each worker
COMMAND = [f"{FOLDER}/.venv/bin/lakehouse", "sync", "--format", "json"]

logger = logging.getLogger(__name__)


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
        run = subprocess.run([*COMMAND, *window], cwd=FOLDER, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
        outcome: dict[str, Any] = json.loads(run.stdout or "{}")
        match run.returncode:
            case 0:
                return outcome
            case 3:  # all good data is in
                logger.warning("Something was set aside, lakehouse status lists it: %s", outcome["of_accounts"])
                return outcome
            case 2:  # a setting is wrong: no retry mends it
                raise AirflowFailException(outcome.get("error"))
            case code:
                raise AirflowException(f"lakehouse sync ended with {code}: {outcome.get('error')}")

    sync()


lakehouse_sync()
