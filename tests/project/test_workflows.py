"""The workflows of the repository: pinned, with few rights, and of the versions of Python that the package names."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from places import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))

# The jobs that may write, and what: all of a release, each its own.
WRITES = {
    ("release", "attest"): {("id-token", "write"), ("attestations", "write")},
    ("release", "publish"): {("id-token", "write")},
    ("release", "page"): {("contents", "write")},
}


def read(path: Path) -> dict[Any, Any]:
    """The workflow; YAML 1.1 reads its key `on` as true."""
    found: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_few_rights_and_pinned_actions(path: Path) -> None:
    """Each action is pinned by its commit, its version beside it; no job has more rights than it says, and each has a limit."""
    text = path.read_text(encoding="utf-8")
    workflow = read(path)

    assert workflow["permissions"] == {}
    uses = re.findall(r"uses: (.*)", text)
    assert uses
    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one) for one in uses)
    for name, job in workflow["jobs"].items():
        assert set(job["permissions"].items()) <= {("contents", "read"), *WRITES.get((path.stem, name), ())}
        assert job["timeout-minutes"] <= 60
        checkouts = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout")]
        assert all(step["with"] == {"persist-credentials": False} for step in checkouts)


def test_no_workflow_runs_code_of_strangers_with_rights() -> None:
    """None starts with a pull request and the rights of the repository, or after another run, and none has a secret."""
    for path in WORKFLOWS:
        assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(read(path)[True]), path
        assert "secrets." not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_command_has_an_expression(path: Path) -> None:
    """A value that others choose reaches a command as a variable, never as a part of its text."""
    runs = [step["run"] for job in read(path)["jobs"].values() for step in job["steps"] if "run" in step]
    assert [run for run in runs if "${{" in run] == []


def test_one_action_has_one_version() -> None:
    """All workflows take the same commit of an action."""
    pins = {tuple(one.split("@")) for path in WORKFLOWS for one in re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))}
    assert len({name for name, _ in pins}) == len(pins)


def test_the_tests_run_on_each_version_of_python() -> None:
    """The versions that the package names are those on which its tests run."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [found[1] for one in project["classifiers"] if (found := re.fullmatch(r".*:: Python :: (3\.\d+)", one))]
    assert read(ROOT / ".github" / "workflows" / "test.yml")["jobs"]["linux"]["strategy"]["matrix"]["python"] == named


def test_the_newest_are_tried_without_locks() -> None:
    """The scheduled run installs what pyproject.toml allows, and runs the fast tests."""
    workflow = read(ROOT / ".github" / "workflows" / "newest.yml")
    commands = "\n".join(step.get("run", "") for step in workflow["jobs"]["newest"]["steps"])
    assert "schedule" in workflow[True]
    assert "requirements" not in commands
    assert '-m "not long"' in commands
