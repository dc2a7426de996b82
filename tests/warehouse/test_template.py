"""The DuckDB file that each load begins with: kept between processes, made anew where it is damaged or out of date."""

import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from places import ROOT

READ = "import sys, pipeline.warehouse.template as t; print(len(t.template()), t.__file__)"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package and of its SQL, which nothing else reads."""
    folder = tmp_path_factory.mktemp("package")
    for name in ("pipeline", "sql"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    read(folder)
    return folder


def read(folder: Path) -> None:
    """Take the file in a process of its own, as a load does."""
    ran = subprocess.run([sys.executable, "-c", READ], cwd=folder, check=True, capture_output=True, text=True)
    size, file = ran.stdout.split()
    assert int(size) > 1_000_000
    assert Path(file).is_relative_to(folder)


def kept(folder: Path) -> Path:
    """The one file that is kept."""
    (file,) = folder.rglob("views-*")
    return file


def test_a_later_process_takes_the_kept_file(package: Path) -> None:
    """The second process reads the file that the first one made."""
    before = kept(package).stat()

    read(package)

    assert (kept(package).stat().st_ino, kept(package).stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_damaged_file_is_made_anew(package: Path) -> None:
    """A file that a power cut left half is no reason to fail: it is replaced."""
    whole = kept(package).read_bytes()
    kept(package).write_bytes(whole[: len(whole) // 2])

    read(package)

    assert len(zlib.decompress(kept(package).read_bytes())) > 1_000_000


def test_other_sql_makes_another_file(package: Path) -> None:
    """After a change of a view, the kept file is replaced by one with that change."""
    before = kept(package).name
    view = package / "sql" / "steps" / "turns.sql"
    view.write_text(view.read_text(encoding="utf-8") + "-- Changed.\n", encoding="utf-8")

    read(package)

    assert kept(package).name != before
