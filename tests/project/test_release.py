"""A release: the workflow builds, tries and publishes every file, and each wheel has the scanner of its platform."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from places import ROOT

WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"
JOBS: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text())["jobs"]
SBOM = "engagement-lakehouse.cdx.json"
SCANNER = "pipeline/decode/scanner/_scanner.so"
# The first bytes of a library for a processor: ELF's at their offset, those of Apple's format at the start.
PROCESSORS = {
    ("linux", "x86_64"): (18, (62).to_bytes(2, "little")),
    ("linux", "aarch64"): (18, (183).to_bytes(2, "little")),
    ("macosx", "arm64"): (0, bytes.fromhex("cffaedfe0c000001")),
    ("macosx", "x86_64"): (0, bytes.fromhex("cffaedfe07000001")),
}


def platforms() -> dict[str, str]:
    """The platforms of `hatch_build.py`, with Zig's names."""
    specification = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    targets: dict[str, str] = module.TARGETS
    return targets


def steps() -> Iterator[dict[str, Any]]:
    """The steps of all jobs."""
    for job in JOBS.values():
        yield from job["steps"]


def build(folder: Path, platform: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Build the wheel of a platform into a folder."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    variables = os.environ | environment | {"LAKEHOUSE_WHEEL": platform}
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)


def parts(folder: Path, platform: str) -> dict[str, bytes]:
    """The files in the only wheel of a folder, which says that it is for that platform."""
    (built,) = folder.glob("*.whl")
    assert built.name.endswith(f"-py3-none-{platform}.whl")
    with zipfile.ZipFile(built) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    (about,) = [text for name, text in found.items() if name.endswith(".dist-info/WHEEL")]
    assert f"Tag: py3-none-{platform}\n" in about.decode()
    assert f"Root-Is-Purelib: {str(platform == 'any').lower()}\n" in about.decode()
    assert {
        "pipeline/report/vega.js",
        "pipeline/sql/checks/connected_flag.sql",
        "engagement_lakehouse/__init__.py",
    } <= found.keys()
    assert any(name.endswith(".dist-info/licenses/pipeline/report/vega-notices.txt") for name in found)
    return found


def test_only_a_tag_publishes_and_only_after_every_trial() -> None:
    """The workflow starts with a tag of a version, or by hand; by hand it publishes nothing."""
    starts = yaml.safe_load(WORKFLOW.read_text())[True]  # YAML 1.1 reads `on` as true; GitHub does not
    assert starts == {"push": {"tags": ["v[0-9]+.[0-9]+.[0-9]+"]}, "workflow_dispatch": None}
    assert {name for name, job in JOBS.items() if job.get("if") == "github.event_name == 'push'"} == {
        "attest",
        "publish",
        "page",
    }
    assert set(JOBS["attest"]["needs"]) == JOBS.keys() - {"attest", "publish", "page"}
    assert set(JOBS["publish"]["needs"]) == JOBS.keys() - {"publish", "page"}
    assert JOBS["page"]["needs"] == ["publish"]
    runs = [step["run"] for step in JOBS["build"]["steps"] if "run" in step]
    assert runs.index("make test") < runs.index("make wheels")
    assert "pyproject.toml" in runs[0]


def test_no_job_may_more_than_it_needs() -> None:
    """Jobs read the repository, but for three, each with a right of its own; no step has a secret, or keeps the checkout's."""
    assert yaml.safe_load(WORKFLOW.read_text())["permissions"] == {}
    allowed = {name: job["permissions"] for name, job in JOBS.items()}
    assert allowed.pop("attest") == {"id-token": "write", "attestations": "write"}
    assert allowed.pop("publish") == {"id-token": "write"}
    assert allowed.pop("page") == {"contents": "write"}
    assert all(one == {"contents": "read"} for one in allowed.values())
    assert "secrets." not in WORKFLOW.read_text()
    assert all(not step["with"]["persist-credentials"] for step in steps() if "checkout@" in step.get("uses", ""))


def test_each_file_has_provenance_and_a_list_of_its_libraries() -> None:
    """Both statements are signed for every file of the release, before it is published, and its page has files and list."""
    signed = [step["with"] for step in JOBS["attest"]["steps"] if step["uses"].startswith("actions/attest@")]
    assert signed == [{"subject-path": "dist/*"}, {"subject-path": "dist/*", "sbom-path": f"sbom/{SBOM}"}]
    kept = {
        step["with"]["name"]: step["with"]["path"]
        for step in JOBS["build"]["steps"]
        if "upload-artifact@" in step.get("uses", "")
    }
    assert kept == {"dist": "dist/", "sbom": "sbom/"}
    assert any(step.get("run") == "make sbom" for step in JOBS["build"]["steps"])
    assert f"--output-file sbom/{SBOM}" in (ROOT / "Makefile").read_text()
    download, create = JOBS["page"]["steps"]
    assert download["with"] == {"path": "files/", "merge-multiple": True}
    assert 'gh release create "$GITHUB_REF_NAME" files/*' in create["run"]


@pytest.mark.long
def test_the_list_has_each_locked_library() -> None:
    """`make sbom` writes CycloneDX with the versions of requirements.txt, each with its hashes, and names the product."""
    if importlib.util.find_spec("cyclonedx_py") is None:
        pytest.skip("there is no program that makes the list: make sbom installs it")
    subprocess.run(["make", "sbom"], cwd=ROOT, check=True, capture_output=True)
    listed = json.loads((ROOT / "sbom" / SBOM).read_text())
    locked = re.findall(r"^([a-z0-9_.-]+)==([^ \\]+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert listed["metadata"]["component"]["name"] == "engagement-lakehouse"
    assert sorted((one["name"], one["version"]) for one in listed["components"]) == sorted(locked)
    assert all(reference["hashes"] for one in listed["components"] for reference in one["externalReferences"])


def test_actions_are_pinned_and_no_command_has_an_expression() -> None:
    """A moved tag of an action changes no release, and commands take values from variables."""
    used = re.findall(r"uses: (.*)", WORKFLOW.read_text())
    assert used
    assert [one for one in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one)] == []
    assert [step["run"] for step in steps() if "${{" in step.get("run", "")] == []


def test_every_file_of_a_release_is_tried() -> None:
    """Each wheel and the sources, on a machine of their platform; all but the wheel for other platforms have a scanner."""
    paths = {one["package"]: one["path"] for one in JOBS["try"]["strategy"]["matrix"]["include"]}
    musl = {one["package"] for one in JOBS["try-musl"]["strategy"]["matrix"]["include"]}
    assert paths.keys() | musl == {"tar.gz", "any.whl", *(f"{platform}.whl" for platform in platforms())}
    assert [package for package, path in paths.items() if path != "scanner"] == ["any.whl"]
    arms = {one["runner"] for job in ("try", "try-musl") for one in JOBS[job]["strategy"]["matrix"]["include"]}
    assert arms == {"ubuntu-24.04", "ubuntu-24.04-arm", "macos-15", "macos-15-intel"}


def test_the_scanner_can_be_tried_alone() -> None:
    """The program that tries it where not every library has a wheel ends well with the checkout's own, or says the reason."""
    command = [sys.executable, ".ci/try_scanner.py"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": "."}, capture_output=True, text=True, check=False)
    expected = "" if (ROOT / SCANNER).exists() else "this installation has no compiled scanner\n"
    assert (done.returncode, done.stderr) == (bool(expected), expected)


def test_the_wheel_for_other_platforms_has_no_scanner(tmp_path: Path) -> None:
    """Although the checkout has one, which stays."""
    before = (ROOT / SCANNER).exists()
    assert build(tmp_path, "any").returncode == 0
    assert SCANNER not in parts(tmp_path, "any")
    assert (ROOT / SCANNER).exists() == before


@pytest.mark.parametrize("platform", ["musllinux_1_2_x86_64", "plan9"])
def test_without_its_scanner_there_is_no_wheel(platform: str, tmp_path: Path) -> None:
    """A compiler that fails, or a platform that nobody knows, ends the build."""
    (tmp_path / "ziglang").mkdir()
    (tmp_path / "ziglang" / "__init__.py").touch()
    (tmp_path / "ziglang" / "__main__.py").write_text("raise SystemExit(1)\n")
    assert build(tmp_path, platform, PYTHONPATH=str(tmp_path)).returncode != 0
    assert list(tmp_path.glob("*.whl")) == []


@pytest.mark.long
@pytest.mark.parametrize("platform", platforms())
def test_a_wheel_has_the_scanner_of_its_platform(platform: str, tmp_path: Path) -> None:
    """For that processor, and of the C library nothing that is newer than the tag promises; the checkout keeps its own."""
    if importlib.util.find_spec("ziglang") is None:
        pytest.skip("there is no compiler for other platforms: make wheels installs it")
    before = (ROOT / SCANNER).read_bytes() if (ROOT / SCANNER).exists() else None
    done = build(tmp_path, platform)
    assert done.returncode == 0, done.stderr
    library = parts(tmp_path, platform)[SCANNER]
    system, major, minor, processor = re.fullmatch(r"[a-z]*?(linux|macosx)_(\d+)_(\d+)_(\w+)", platform).groups()  # type: ignore[union-attr]
    offset, expected = PROCESSORS[system, processor]
    assert library[offset:].startswith(expected)
    needed = {tuple(map(int, version.split(b"."))) for version in re.findall(rb"GLIBC_([\d.]+)", library)}
    assert bool(needed) is platform.startswith("manylinux")
    assert max(needed, default=()) <= (int(major), int(minor))
    assert before == ((ROOT / SCANNER).read_bytes() if before else None)
