"""What a newcomer reads and installs is true."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from documents import VENDOR_EXAMPLE, put

from pipeline import catalogue
from pipeline.views import ordered_views

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_wheel_works_outside_the_checkout(tmp_path: Path) -> None:
    """The built wheel carries sql/ and the report's parts, and its command loads and answers."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    put(tmp_path, VENDOR_EXAMPLE.read_bytes())
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path / "site"), "HOME": str(tmp_path)}

    def run(*arguments: str) -> str:
        command = [sys.executable, "-P", "-m", "pipeline.cli", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True).stdout

    run("load", ".")
    assert run("sql", "select queue_p50_seconds from queue_time_daily", "--format", "csv") == "queue_p50_seconds\n86.709\n"
    assert Path(run("report").strip()).stat().st_size > 100_000


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every file that a page links to or shows is there."""
    for link in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert link.startswith("https://") or (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_documented_make_targets_exist(page: Path) -> None:
    """Every `make` target that a page names is in the Makefile, and help lists it."""
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.MULTILINE))
    assert named <= targets


def test_the_views_of_the_readme() -> None:
    """The README says of each view that it lists the first words of its header, and how many there are."""
    readme = (ROOT / "README.md").read_text()
    listed = dict(
        re.findall(r"^\| `(\w+)` \| (.*) \|$", readme.partition("| view | answers |")[2].partition("\n\n")[0], re.MULTILINE)
    )
    views = {view.name: view.about for view in ordered_views()}
    assert len(listed) == 10
    assert listed.items() <= views.items()
    assert f"out of {len(views)}:" in readme


def test_the_page_of_metrics_is_up_to_date() -> None:
    """docs/metrics.md is what the headers of sql/ say now: python -m pipeline.catalogue > docs/metrics.md."""
    assert (ROOT / "docs" / "metrics.md").read_text() == catalogue.page()


def test_every_view_has_a_theme() -> None:
    """The page of metrics has every view once."""
    named = [name for names in catalogue.THEMES.values() for name in names.split()]
    assert sorted(named) == sorted(view.name for view in ordered_views())


def test_the_lock_names_no_index_and_hashes_everything() -> None:
    """Locked versions come with hashes and from whichever index the machine uses."""
    for lock in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / lock).read_text()
        assert "://" not in text
        for requirement in re.findall(r"^[a-z0-9][^\n]*==[^\n]*\n(?: {4}[^\n]*\n)*", text, re.MULTILINE | re.IGNORECASE):
            assert "--hash=sha256:" in requirement
