"""The workflows of the repository: pinned, with few rights, and of the versions of Python that the package names."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from places import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


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
    for job in workflow["jobs"].values():
        assert set(job["permissions"]) <= {"contents", "id-token"}
        assert job["permissions"].get("contents", "read") == "read"
        assert job["timeout-minutes"] <= 60
        checkouts = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout")]
        assert all(step["with"] == {"persist-credentials": False} for step in checkouts)


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
