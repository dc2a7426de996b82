"""Alert rules and dashboard of deploy/: every metric that they name exists, and the rules hold in Prometheus's own tests."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from commands import lakehouse, process
from documents import conversation, document, gz, name_at, put
from places import ROOT
from prometheus_client.parser import text_string_to_metric_families

from pipeline.cli.commands import main

RULES = ROOT / "deploy" / "prometheus" / "lakehouse.rules.yml"
SCENARIOS = RULES.with_name("lakehouse.rules.test.yml")
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "lakehouse.json").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
ALERTS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"][0]["rules"]

each_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
each_panel = pytest.mark.parametrize("panel", DASHBOARD["panels"], ids=lambda panel: panel["title"])


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The names of the labels of each metric that the command writes of a small lake."""
    folder = tmp_path_factory.mktemp("metrics")
    put(folder / "in", gz(document(conversation("c1"), account_id="75555851")), name_at(1))
    assert lakehouse("load", "in", "--lake", "lake", cwd=folder).returncode == 0
    text = lakehouse("status", "--lake", "lake", "--max-age", "3h", "--format", "prometheus", cwd=folder).stdout
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {sample.name: set(sample.labels) for sample in samples}


def test_the_line_of_cron_says_nothing_when_hours_are_late(tmp_path: Path) -> None:
    """It ends with 3 and has written the metrics, for each user to read, so that cron mails nothing that an alert tells."""
    (line,) = re.findall(
        r"^\d+ \* \* \* \* cd /srv/lakehouse && \.venv/bin/lakehouse (status .*) --output (\S+)$", PAGE, re.MULTILINE
    )
    put(tmp_path / "in", gz(document(conversation("c1"), account_id="75555851")), name_at(1))
    assert lakehouse("load", "in", cwd=tmp_path).returncode == 0
    target = tmp_path / Path(line[1]).name
    done = process(*line[0].split(), "--output", str(target), cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")
    assert target.stat().st_mode & 0o777 == 0o644
    assert re.fullmatch(r"lakehouse[^/]*[.]prom", target.name)


def named(expression: str) -> set[str]:
    """The metrics of a lake that an expression of PromQL names."""
    return set(re.findall(r"\blakehouse_\w+", expression))


def expressions() -> Iterator[str]:
    """The expressions of all rules and panels."""
    yield from (alert["expr"] for alert in ALERTS)
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel["targets"])


@pytest.mark.parametrize("arguments", [("check", "rules", RULES), ("test", "rules", SCENARIOS)], ids=["check", "test"])
def test_prometheus_takes_the_rules_and_each_event_fires_its_alerts_alone(arguments: tuple[str | Path, ...]) -> None:
    """A good day with a release is silent; a stopped schedule, a broken file, killed runs, revoked keys have their alerts."""
    if shutil.which("promtool") is None:
        pytest.skip("there is no promtool: Debian's package prometheus has it")
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_scenario() -> None:
    """The scenarios name every alert."""
    assert {alert["alert"] for alert in ALERTS} == set(re.findall(r"\bLakehouse\w+", SCENARIOS.read_text(encoding="utf-8")))


def test_rules_and_panels_read_metrics_that_the_command_writes(metrics: dict[str, set[str]]) -> None:
    """Each metric in an expression is in the output of a small lake, and so are the labels that the expression names."""
    for expression in expressions():
        assert named(expression) <= metrics.keys(), expression
        of_lake = {label for name in named(expression) for label in metrics[name]} | {"instance", "file"}
        assert {*re.findall(r"(\w+)(?:=~?|!=)\"", expression)} <= of_lake, expression


def test_the_page_lists_each_metric_with_its_labels_and_each_alert(metrics: dict[str, set[str]]) -> None:
    """The table of metrics is exactly the output of a lake; the table of events has every alert."""
    rows = re.findall(r"^\| `(lakehouse_\w+)` \| (.*?) \|", PAGE, re.MULTILINE)
    assert {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows} == metrics
    assert set(re.findall(r"`(Lakehouse\w+)`", PAGE)) == {alert["alert"] for alert in ALERTS}


def test_only_hours_that_no_run_asked_about_tell_of_a_stopped_schedule() -> None:
    """A file that stays broken has an alert of its own: the two divide the states of overdue hours."""
    [asked] = [alert["expr"] for alert in ALERTS if alert["alert"] == "LakehouseHoursOverdue"]
    [lacking] = [alert["expr"] for alert in ALERTS if alert["alert"] == "LakehouseFilesLacking"]
    assert 'state="unknown"' in asked
    assert lacking == asked.replace('state="unknown"', 'state!="unknown"')


@each_alert
def test_an_alert_says_who_shall_do_what(alert: dict[str, Any]) -> None:
    """A severity of two, a summary, and a description with a command of the program that exists, with its options."""
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert alert["annotations"].keys() == {"summary", "description"}
    calls = re.findall(r"`lakehouse ([a-z]+)([^`]*)`", alert["annotations"]["description"])
    assert calls
    assert isinstance(main, click.Group)
    for name, rest in calls:
        options = {option for param in main.commands[name].params for option in param.opts}
        assert {*re.findall(r"--[a-z-]+", rest)} <= options


@each_panel
def test_a_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    """It has a description, a unit or texts for its values, and asks the chosen source about chosen accounts and machines."""
    assert panel["description"].endswith(".")
    assert "unit" in panel["fieldConfig"]["defaults"] or "mappings" in json.dumps(panel["fieldConfig"])
    assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    for target in panel["targets"]:
        assert target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert 'instance=~"$instance"' in target["expr"]
        by_account = named(target["expr"]) - {"lakehouse_rows", "lakehouse_info", "lakehouse_unended_runs"}
        assert bool(by_account) == ('account_id=~"$account"' in target["expr"])


def test_the_dashboard_is_small_and_its_panels_lie_side_by_side() -> None:
    """At most fourteen panels, none on another; ids and variables are unique, and each variable in an expression is one."""
    panels = DASHBOARD["panels"]
    cells = [
        (x, y)
        for grid in (panel["gridPos"] for panel in panels)
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len(panels) == len({panel["id"] for panel in panels}) <= 14
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
    variables = [variable["name"] for variable in DASHBOARD["templating"]["list"]]
    assert sorted(variables) == ["account", "datasource", "instance"]
    assert {*re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD))} - {"__all"} == set(variables)
