"""What a newcomer reads and installs is true."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from documents import VENDOR_EXAMPLE, put
from places import ROOT


def test_the_wheel_works_outside_the_checkout(tmp_path: Path) -> None:
    """The built wheel carries sql/, the scanner and the report's parts, and its command loads and answers."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    (sources,) = (tmp_path / "dist").glob("*.tar.gz")
    shutil.unpack_archive(wheel, tmp_path / "site", "zip")
    scanner = Path("pipeline", "decode", "scanner")
    has_compiler = any(map(shutil.which, ("cc", "gcc", "clang")))
    assert (tmp_path / "site" / scanner / "_scanner.so").exists() == has_compiler
    with tarfile.open(sources) as tar:
        packed = {Path(name).name for name in tar.getnames() if Path(name).parent.match(f"*/{scanner}")}
    assert packed == {path.name for path in (ROOT / scanner).iterdir() if path.suffix in {".py", ".c", ".h"}}
    put(tmp_path / "in", VENDOR_EXAMPLE.read_bytes())
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path / "site"), "HOME": str(tmp_path)}

    def run(*arguments: str) -> str:
        command = [sys.executable, "-P", "-m", "pipeline", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True).stdout

    run("load", "in")
    assert run("sql", "select queue_p50_seconds from queue_time_daily", "--format", "csv") == "queue_p50_seconds\n86.709\n"
    assert Path(run("report").strip()).stat().st_size > 100_000


def test_the_lock_names_no_index_and_hashes_everything() -> None:
    """Locked versions come with hashes and from whichever index the machine uses."""
    for lock in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / lock).read_text()
        assert "://" not in text
        for requirement in re.findall(r"^[a-z0-9][^\n]*==[^\n]*\n(?: {4}[^\n]*\n)*", text, re.MULTILINE | re.IGNORECASE):
            assert "--hash=sha256:" in requirement
