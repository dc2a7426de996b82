"""A week of hourly runs that nobody looks at: exit codes, metrics, alerts and log tell each event within one run, and no other.

In it a newer version with other facts comes, the schedule stops, the disk is full, and the keys of one of two accounts are
revoked. All is real but the clock: processes, server, disk, and promtool, which evaluates the rules where it is installed.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from places import ROOT
from prometheus_client.parser import text_string_to_metric_families
from simulated_week import FULL, HOURS, IDS, NEW_VERSION, REVOKED, START, STOPPED
from small_disks import small_disk

pytestmark = pytest.mark.long

LATE = range(STOPPED.start + 2, STOPPED.stop)
"""Hours in which `status` finds an hour overdue: the last run has asked about those that had ended by then."""
SAMPLES = 12  # of an hour, since a sample counts for five minutes


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[dict[str, Any]]]:
    """What each hour told."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("no compiler to make a clock with")
    folder = tmp_path_factory.mktemp("week")
    clock = folder / "clock.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", clock, ROOT / "tests/support/clock.c"], check=True)
    paths = os.pathsep.join((str(ROOT), str(ROOT / "tests" / "support")))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LP_", "LAKE_"))}
    with small_disk(folder / "disk", 64) as disk:
        done = subprocess.run(
            [sys.executable, ROOT / "tests/support/simulated_week.py", disk, newer_version(folder), str(HOURS)],
            env=kept | {"LD_PRELOAD": str(clock), "CLOCK_AWAY": "0", "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=True,
        )
        yield [json.loads(line) for line in done.stdout.splitlines()]


def newer_version(folder: Path) -> Path:
    """A copy of the program with a higher version, and another definition of a fact: lakes have to be upgraded."""
    newer = folder / "newer"
    for name in ("pipeline", "sql"):
        shutil.copytree(ROOT / name, newer / name, ignore=shutil.ignore_patterns("__pycache__"))
    with (newer / "sql" / "facts" / "responses.sql").open("a") as fact:
        fact.write("where true\n")
    metadata = newer / "engagement_lakehouse-9.9.9.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: engagement-lakehouse\nVersion: 9.9.9\n")
    return newer


def gauges(hour: dict[str, Any]) -> dict[tuple[str, ...], float]:
    """The metrics of an hour, by name and labels."""
    samples = [one for family in text_string_to_metric_families(hour["status"]["out"]) for one in family.samples]
    return {(one.name, *(f"{name}={value}" for name, value in sorted(one.labels.items()))): one.value for one in samples}


def exit_code(ident: str) -> tuple[str, ...]:
    """The metric with the result of an account's sync."""
    return ("lakehouse_run_exit_code", f"account_id={ident}", "command=sync")


def messages(hour: dict[str, Any], level: str) -> list[dict[str, Any]]:
    """The messages of the hour's sync at that level, but the last one, which sums it up."""
    return [line for line in map(json.loads, hour["sync"]["log"]) if line["level"] == level and line["message"] != "ended"]


def test_exit_codes_tell_each_event_and_no_other(week: list[dict[str, Any]]) -> None:
    """A sync fails while the disk is full or keys are revoked; status finds hours overdue where the schedule stopped."""
    failed = {*FULL, *REVOKED}
    assert {hour["hour"]: hour["sync"] and hour["sync"]["code"] for hour in week} == {
        hour: None if hour in STOPPED else 1 if hour in failed else 0 for hour in range(HOURS)
    }
    overdue = {hour["hour"] for hour in week if hour["status"]["code"] == 3}
    assert overdue >= {*LATE[2:]}
    assert overdue - {*STOPPED} - failed == set()
    assert {hour["status"]["code"] for hour in week} == {0, 3}


def test_metrics_tell_the_newest_run_of_each_account(week: list[dict[str, Any]]) -> None:
    """They have the sync's own result in the same hour: of a full disk for both, of revoked keys for one account."""
    for hour in week:
        found = gauges(hour)
        code = {FULL: (1, 1), REVOKED: (0, 1)}
        expected = next((codes for hours, codes in code.items() if hour["hour"] in hours), (0, 0))
        assert tuple(found[exit_code(ident)] for ident in IDS) == expected, hour["hour"]


def test_the_log_tells_the_account_and_the_cause(week: list[dict[str, Any]]) -> None:
    """Each line is an object; a failing run has an error that names disk or account; a new version is told, as no error."""
    for hour in week:
        if hour["sync"]:
            errors = messages(hour, "error")
            assert bool(errors) == bool(hour["sync"]["code"]), hour["hour"]
            if hour["hour"] in FULL:
                assert "No space left on device" in errors[-1]["message"]
            if hour["hour"] in REVOKED:
                assert {line.get("account") for line in errors[:-1]} == {IDS[1]}
                assert IDS[1] in errors[-1]["message"]
    [upgrade] = [hour["hour"] for hour in week if hour["sync"] and any("takes a while" in line for line in hour["sync"]["log"])]
    assert upgrade == NEW_VERSION


def test_alerts_fire_where_something_is_and_nowhere_else(week: list[dict[str, Any]], tmp_path: Path) -> None:
    """The rules, over the week's metrics as a server of Prometheus has them."""
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed: it is in Debian's package prometheus")
    at = {24: {}, NEW_VERSION + 1: {}, STOPPED.stop - 1: {"LakehouseHoursOverdue": 2, "LakehouseNoSuccessfulSync": 2}}
    at |= {90: {}, FULL.start: {"LakehouseSyncFailed": 2}, FULL.stop + 2: {}, REVOKED.start: {"LakehouseSyncFailed": 1}}
    at |= {REVOKED.stop + 8: {}}
    tests = {
        "rule_files": [str(ROOT / "deploy/prometheus/lakehouse.rules.yml")],
        "evaluation_interval": "5m",
        "tests": [
            {
                "interval": "5m",
                "input_series": list(series(week)),
                "promql_expr_test": [
                    {
                        "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                        "eval_time": f"{hour * 60 + 50}m",
                        "exp_samples": [
                            {"labels": f'{{alertname="{name}"}}', "value": count} for name, count in sorted(firing.items())
                        ],
                    }
                    for hour, firing in at.items()
                ],
            }
        ],
    }
    path = tmp_path / "week.yml"
    path.write_text(yaml.safe_dump(tests))
    done = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def series(week: list[dict[str, Any]]) -> Iterator[dict[str, str]]:
    """The metrics of all hours as promtool takes them; its time begins at 0, as the week does."""
    by_hour = [gauges(hour) for hour in week]
    start = (START - timedelta(minutes=START.minute)).timestamp()
    for key in sorted({key for found in by_hour for key in found}):
        name, *labels = key
        values = [found.get(key) for found in by_hour]
        since = start if name.endswith("_timestamp_seconds") else 0
        text = " ".join(f"{'_' if value is None else value - since}x{SAMPLES - 1}" for value in values)
        matchers = ", ".join('{}="{}"'.format(*label.split("=", 1)) for label in labels)
        yield {"series": f"{name}{{{matchers}}}", "values": text}
