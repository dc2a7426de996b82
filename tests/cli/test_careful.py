"""Without a scanner that can be loaded, every command works all the same, and doctor tells the path of documents and why."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from documents import VENDOR_EXAMPLE, put
from places import ROOT
from small_disks import small_disk

from pipeline.decode.scanner import why_careful

CAREFUL = "all documents take the careful path, several times as slow, with the same rows: "
REMEDY = "install the wheel of this platform, or a C compiler and then the package again from its sources"
ELSEWHERE = b"\x7fELF\x02\x01\x01" + bytes(9) + (3).to_bytes(2, "little") + (0xF00D).to_bytes(2, "little") + bytes(44)
"""The head of a library for a processor that does not exist."""


def gone(library: Path) -> None:
    """As in the wheel for all platforms."""
    library.unlink(missing_ok=True)


def of_another_platform(library: Path) -> None:
    """As in a wheel that was unpacked by hand."""
    library.write_bytes(ELSEWHERE)


def cut(library: Path) -> None:
    """As after a full disk."""
    library.write_bytes(ELSEWHERE[:20])


def older(library: Path) -> None:
    """As in a checkout that was brought up to date without `make`: a library without our functions."""
    source = library.with_suffix(".c")
    source.write_text("int scanner_of_old(void) { return 0; }\n")
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("there is no C compiler")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)


def copied(folder: Path) -> Path:
    """Copy the package into a folder; return the place of its library."""
    shutil.copytree(ROOT / "pipeline", folder / "pipeline", ignore=shutil.ignore_patterns("vega.js"))
    shutil.copytree(ROOT / "sql", folder / "sql")
    return folder / "pipeline" / "decode" / "scanner" / "_scanner.so"


def run(package: Path, home: Path, *arguments: str) -> str:
    """What a Python process says whose package lies in a folder, and which works in another."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LP_", "LAKE_"))}
    environment |= {"PYTHONPATH": str(package)}
    command = [sys.executable, "-P", "-W", "error", *arguments]
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=True).stdout


def told(package: Path, home: Path) -> str:
    """The line of doctor about the path of documents."""
    (line,) = [line for line in run(package, home, "-m", "pipeline", "doctor").splitlines() if line.split()[1] == "speed"]
    return line


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (gone, "this installation has no compiled scanner\n"),
        (of_another_platform, "the compiled scanner can't be loaded ("),
        (cut, "the compiled scanner can't be loaded ("),
        (older, "the compiled scanner can't be loaded ("),
    ],
)
def test_a_scanner_that_cannot_be_loaded_is_none(harm: Callable[[Path], None], reason: str, tmp_path: Path) -> None:
    """It stops nothing, however it is spoilt, and the reason is known."""
    harm(copied(tmp_path))
    program = "from pipeline.decode.scanner import *; assert isinstance(new_scanner(), NoScanner); print(why_careful())"
    assert run(tmp_path, tmp_path, "-c", program).startswith(reason)


def test_a_load_takes_the_careful_path_and_doctor_says_why(tmp_path: Path) -> None:
    """A load has all rows; doctor warns in one line of the path, the reason and the remedy."""
    of_another_platform(copied(tmp_path / "package"))
    put(tmp_path / "in", VENDOR_EXAMPLE.read_bytes())
    run(tmp_path / "package", tmp_path, "-m", "pipeline", "load", "in")
    query = ("sql", "select count(*) as n from conversations", "--format", "csv")
    assert run(tmp_path / "package", tmp_path, "-m", "pipeline", *query) == "n\n1\n"
    line = told(tmp_path / "package", tmp_path)
    assert line.startswith("warn")
    assert f"{CAREFUL}the compiled scanner can't be loaded (" in line
    assert line.endswith(f"; {REMEDY}")


@pytest.mark.skipif(why_careful() is not None, reason="scanner.c is not compiled here: no C compiler was found")
def test_a_scanner_on_a_disk_without_programs_stops_nothing(tmp_path: Path) -> None:
    """A disk mounted noexec refuses the library; on the same disk without that it loads, and doctor says so."""
    with small_disk(tmp_path / "disk", 20) as disk:
        copied(disk)
        assert told(disk, tmp_path).split(None, 2) == ["ok", "speed", "the compiled scanner reads usual documents"]
        if subprocess.run(["mount", "-o", "remount,noexec", disk], capture_output=True, check=False).returncode:
            pytest.skip("this user may not forbid programs on a disk")
        assert f"{CAREFUL}the compiled scanner can't be loaded (" in told(disk, tmp_path)
