"""The tests that look at a clock or at the surroundings, at other times and places: `python tests/elsewhere.py [NAME ...]`.

Without a name it is all of `PLACES`. Other clocks take a C compiler, for `clock.c`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

ROOT: Final = Path(__file__).parent.parent
QUICK: Final = (
    *("api/test_client", "api/test_first_contact", "api/test_signature", "api/test_transport", "cli/test_doctor"),
    *("cli/test_logs", "cli/test_progress", "cli/test_demo_tables", "project/test_operations", "project/test_settings"),
    *("sandbox/test_sandbox", "warehouse/test_rules"),
)
"""Test files whose subjects ask for the time, the zone, the terminal, the network's settings or their own, at little cost."""
FILES: Final = (
    *QUICK,
    *("api/test_responses", "cli/test_commands", "cli/test_formats", "cli/test_safe", "cli/test_shell"),
    *("cli/test_signals", "decode/test_pgp", "erasure/test_erase_many", "lake/test_growth", "lake/test_spill"),
    *("load/test_load", "load/test_sync", "maintenance/test_verify", "oracle/test_views", "project/test_docs"),
    *("report/test_numbers", "report/test_page", "sandbox/test_misbehaviour", "warehouse/test_library"),
    "warehouse/test_open",
)
"""Those, and the dearer ones."""
PLACES: Final[dict[str, tuple[str | None, dict[str, str]]]] = {
    "after midnight": ("2026-11-29 00:30:00", {"TZ": "UTC"}),
    "a month's last minute": ("2026-10-31 23:58:30", {"TZ": "Pacific/Kiritimati"}),
    "a leap day": ("2028-02-29 12:00:00", {"TZ": "Asia/Kathmandu"}),
    "a night when clocks go back": ("2026-10-25 02:30:00", {"TZ": "Europe/Berlin"}),
    "a night when clocks go forward": ("2027-03-14 01:59:30", {"TZ": "America/New_York"}),
    "new year": ("2027-01-01 00:00:10", {"TZ": "UTC"}),
    "beyond 32 bits": ("2038-01-20 03:14:08", {"TZ": "UTC"}),
    "nothing but ASCII": (None, {"LC_ALL": "C", "TZ": "America/St_Johns"}),
    "settings of somebody else": (
        None,
        {
            "TZ": "Asia/Kathmandu",
            "COLUMNS": "40",
            "FORCE_COLOR": "1",
            "LAKE_URI": "/nonexistent",
            "LAKE_HISTORY": "/nonexistent",
            "HTTP_PROXY": "http://127.0.0.1:9",
            "https_proxy": "http://127.0.0.1:9",
            "LP_ACCOUNT_ID": "1",
            "LP_APP_KEY": "k",
            "LP_BASE_URL": "https://nowhere.example",
            "LP_MAX_FILE_BYTES": "1",
            "AWS_ACCESS_KEY_ID": "k",
            "AWS_REGION": "x",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
            "AZURE_STORAGE_ACCOUNT_NAME": "k",
        },
    ),
    "another order": (None, {"PYTEST_ADDOPTS": "--shuffle 7"}),
    "one core": (None, {}),
}
"""By name: what a clock of its zone shows, or the machine's own, and variables."""
FEW: Final = ("after midnight", "a month's last minute", "settings of somebody else")
"""Those of `.ci/run`, with the quick files alone."""


def main(names: list[str], files: tuple[str, ...] = FILES) -> int:
    """Run the tests of these files at each place; the number of places where one fails."""
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder, "clock.so")
        compiler = os.environ.get("CC") or shutil.which("cc")
        if compiler:
            subprocess.run(
                [compiler, "-O2", "-shared", "-fPIC", "-o", library, ROOT / "tests" / "support" / "clock.c"], check=True
            )
        for name in names or PLACES:
            clock, variables = PLACES[name]
            if clock and not compiler:
                print(f"{name}: skipped, there is no C compiler", flush=True)  # noqa: T201
                continue
            print(f"{name}:", flush=True)  # noqa: T201
            away = {"LD_PRELOAD": str(library), "CLOCK_AWAY": _away(clock, variables["TZ"])} if clock else {}
            tests = [f"tests/{file}.py" for file in files]
            spread = () if name == "one core" else ("-n", "auto", "--dist", "worksteal")
            command = [sys.executable, "-m", "pytest", "-q", *spread, "-m", "not long", "--tb=short", *tests]
            with _on_one_core() if name == "one core" else nullcontext():
                done = subprocess.run(command, cwd=ROOT, env=os.environ | away | variables, check=False)
            failed += done.returncode != 0
    return failed


@contextmanager
def _on_one_core() -> Iterator[None]:
    """Whatever is started in the block has one core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _away(clock: str, zone: str) -> str:
    """How far from now it is to what the clock shows in that zone: the same for each process, whenever that begins."""
    moment = datetime.fromisoformat(clock).replace(tzinfo=ZoneInfo(zone))
    return f"{moment.timestamp() - time.time():.0f}"


if __name__ == "__main__":
    sys.exit(main(list(FEW), QUICK) if sys.argv[1:] == ["--few"] else main(sys.argv[1:]))
