"""The scanner's C: it compiles without a warning, and touches no memory that is not its own."""

import inspect
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from odd_lines import grown, mutated
from places import ROOT

from pipeline.decode.containers import texts
from pipeline.decode.reader import RowReader
from pipeline.decode.scanner import PADDING, Scanner
from pipeline.source_files import Source

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
STRICT = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
SANITIZED = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]

pytestmark = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")


def test_the_scanner_compiles_without_a_warning(tmp_path: Path) -> None:
    """Standard C11, all usual warnings errors."""
    command = [str(COMPILER), "-O1", *STRICT, "-o", str(tmp_path / "s.so"), str(ROOT / "pipeline/decode/scanner/scanner.c")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def sanitized(tmp_path: Path) -> dict[str, str]:
    """The environment of a Python whose `pipeline` is a copy, with a scanner that watches what it reads and writes."""
    shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    scanner = tmp_path / "pipeline" / "decode" / "scanner"
    built = [str(COMPILER), *SANITIZED, *STRICT, "-o", str(scanner / "_scanner.so"), str(scanner / "scanner.c")]
    runtime = subprocess.run([str(COMPILER), "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    if subprocess.run(built, capture_output=True, check=False).returncode or not Path(runtime.stdout.strip()).is_absolute():
        pytest.skip("this compiler has no sanitizers")
    return {
        **os.environ,
        "LD_PRELOAD": runtime.stdout.strip(),
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT / "tests"), str(ROOT / "tests/support")]),
        "PYTHONMALLOC": "malloc",  # so that the ends of a text are watched, too
        "ASAN_OPTIONS": "detect_leaks=1:exitcode=9",
        "LSAN_OPTIONS": "exitcode=0",  # Python itself leaves some memory to its end
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }


@pytest.mark.long
def test_no_text_makes_the_scanner_touch_foreign_memory(sanitized: dict[str, str], tmp_path: Path) -> None:
    """Usual lines changed at random, under the sanitizers for addresses, leaks and undefined behaviour."""
    command = [sys.executable, "-P", __file__, "2000"]
    says = f"2000 texts, {tmp_path}/pipeline/decode/scanner/__init__.py\n"
    done = subprocess.run(command, env=sanitized, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, says), done.stderr[-5_000:]
    assert "decode/scanner" not in done.stderr, "the scanner loses memory"


def main(many: int) -> None:
    """Scan as many texts; from time to time rows are taken back, handed out, or left to the end."""
    reader = RowReader(scanner=Scanner())
    for seed in range(many):
        rng = random.Random(seed)
        text = mutated(rng) if seed % 2 else grown(rng)
        reader.begin(Source("x.gz", account_id=rng.choice([None, "", "listed"])))
        for part in texts([text], padding=PADDING):
            reader.feed(part)
        reader.finish()
        if rng.random() < 0.2:
            reader.abandon()
        else:
            reader.keep()
        if rng.random() < 0.1:
            for table in reader.drain()[0].values():
                table.validate(full=True)
    sys.stdout.write(f"{many} texts, {inspect.getfile(Scanner)}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
