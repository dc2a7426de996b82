"""The built package works, under both of its names, and the locks are complete."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
from documents import VENDOR_EXAMPLE, conversation, document, gz, name_at, put
from places import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder to import from, with the files that the built wheel installs; the archive of sources lies beside it."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    shutil.unpack_archive(built, folder / "site", "zip")
    return folder / "site"


def linked() -> list[str]:
    """Return the folders of the checkout that `make` links into .venv, in the place of a wheel's files."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    return [str(ROOT / folder) for folder in build["dev-mode-dirs"]]


def run_python(home: Path, path: Iterable[str], *arguments: str) -> str:
    """Return the output of a Python process in a folder, which finds modules there first, then on the path."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(path), "HOME": str(home)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=home, env=environment, check=True, capture_output=True, text=True).stdout


def test_the_wheel_works_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """The built wheel carries sql/, the report's parts and the marker of types, and its command loads and answers."""
    put(tmp_path, VENDOR_EXAMPLE.read_bytes())

    def run(*arguments: str) -> str:
        return run_python(tmp_path, [str(wheel)], "-P", "-m", "pipeline", *arguments)

    run("load", ".")
    assert run("sql", "select queue_p50_seconds from queue_time_daily", "--format", "csv") == "queue_p50_seconds\n86.709\n"
    assert Path(run("report").strip()).stat().st_size > 100_000
    assert all((wheel / name / "py.typed").exists() for name in ("pipeline", "engagement_lakehouse"))


def test_the_scanner_is_in_the_wheel_and_its_sources_are_packed(wheel: Path) -> None:
    """The wheel has the compiled scanner, if there is a compiler; the archive of sources has all of its parts."""
    scanner = Path("pipeline", "decode", "scanner")
    assert (wheel / scanner / "_scanner.so").exists() == any(map(shutil.which, ("cc", "gcc", "clang")))
    (sources,) = wheel.parent.glob("*.tar.gz")
    with tarfile.open(sources) as tar:
        packed = {Path(name).name for name in tar.getnames() if Path(name).parent.match(f"*/{scanner}")}
    assert packed == {path.name for path in (ROOT / scanner).iterdir() if path.suffix in {".py", ".c", ".h"}}


def test_the_charts_script_is_in_the_wheel_with_its_licences(wheel: Path) -> None:
    """Nobody who installs the wheel needs the library that makes the script; each report carries the terms of its parts."""
    script = (wheel / "pipeline" / "report" / "vega.js").read_text()
    notices = (ROOT / "pipeline" / "report" / "vega-notices.txt").read_text()
    (about,) = wheel.glob("engagement_lakehouse-*.dist-info")

    assert script.startswith(f"/*!\n{notices}*/\n")
    assert (about / "licenses" / "pipeline" / "report" / "vega-notices.txt").read_text() == notices
    needed = re.findall(r"^Requires-Dist: vl-convert.*$", (about / "METADATA").read_text(), re.MULTILINE)
    assert all("extra == 'notebook'" in line for line in needed)


def test_a_report_from_sources_that_were_never_built_says_what_to_do(tmp_path: Path) -> None:
    """One sentence, and no report."""
    shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline", ignore=shutil.ignore_patterns("vega.js", "__pycache__"))
    shutil.copytree(ROOT / "sql", tmp_path / "sql")
    put(tmp_path, VENDOR_EXAMPLE.read_bytes())
    run_python(tmp_path, [], "-m", "pipeline", "load", ".")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run_python(tmp_path, [], "-m", "pipeline", "report")

    assert caught.value.stderr.startswith("lakehouse: the report: expected the script of its charts, vega.js, in the package, ")
    assert len(caught.value.stderr.splitlines()) == 1
    assert not (tmp_path / "lake" / "report.html").exists()


def test_the_alias_works_beside_a_folder_of_the_same_name(wheel: Path, tmp_path: Path) -> None:
    """`engagement_lakehouse` loads, with workers, from the wheel, opens from the checkout, where `pipeline` is the user's."""
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline" / "__init__.py").write_text('owner = "user"\n')
    for hour in range(4):  # more than one, so that workers are started
        put(tmp_path / "in", gz(*(document(conversation(f"c{hour}-{number}")) for number in range(100))), name_at(hour))
    program = (
        "import sys, pipeline, engagement_lakehouse\n"
        "from engagement_lakehouse.errors import LakeError\n"
        "print(pipeline.owner, engagement_lakehouse.open().sql('select count(*) from conversations').fetchall())\n"
        "try: engagement_lakehouse.open('nowhere')\n"
        "except LakeError as error: print('refused')\n"
        "print([name for name in sys.modules if name.partition('.')[0] == 'pipeline'])\n"
    )
    run_python(tmp_path, [str(wheel)], "-m", "engagement_lakehouse", "load", "in")
    assert run_python(tmp_path, linked(), "-c", program) == "user [(400,)]\nrefused\n['pipeline']\n"


def test_the_alias_opens_a_lake_as_the_package_does(tmp_path: Path) -> None:
    """If no folder hides `pipeline`, both names give the same function, with the same signature."""
    program = (
        "import inspect, pipeline, engagement_lakehouse as alias\n"
        "one, other = pipeline.open, alias.open\n"
        "print(one.__code__ == other.__code__, inspect.signature(one) == inspect.signature(other))"
    )
    assert run_python(tmp_path, linked(), "-c", program) == "True True\n"


@pytest.mark.long
def test_types_are_seen_from_outside(wheel: Path, tmp_path: Path) -> None:
    """The marker py.typed is in the wheel: mypy knows the types of `open` under either name."""
    names = ("pipeline", "engagement_lakehouse")
    (tmp_path / "asks.py").write_text("".join(f"import {name}\nreveal_type({name}.open)\n" for name in names))
    alone = ["--python-executable", f"{sys.base_prefix}/bin/python3"]  # the environment of the tests has the checkout, too
    told = run_python(tmp_path, [str(wheel)], "-m", "mypy", *alone, "--strict", "--cache-dir", str(tmp_path), "asks.py")
    assert told.count('"def (lake: str | None =) -> ') == len(names), told


def test_the_lock_names_no_index_and_hashes_everything() -> None:
    """Locked versions have hashes, and the locks name no index."""
    for lock in ("requirements.txt", "requirements-dev.txt", ".ci/wheels.txt"):
        text = (ROOT / lock).read_text()
        assert "://" not in text
        for requirement in re.findall(r"^[a-z0-9][^\n]*==[^\n]*\n(?: {4}[^\n]*\n)*", text, re.MULTILINE | re.IGNORECASE):
            assert "--hash=sha256:" in requirement
