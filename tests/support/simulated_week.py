"""A week of hourly runs on a simulated clock, as a process of its own under `clock.c`: it prints what each hour told.

Each hour one process syncs two accounts and another writes metrics, both on the clock of that hour, as does the sandbox.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sandboxes import SMALL

from pipeline.sandbox import Sandbox

START: Final = datetime(2026, 3, 2, 0, 17, tzinfo=UTC)
HOURS: Final = 168
NEW_VERSION: Final = 48
"""From this hour on a newer version runs, with other facts."""
STOPPED: Final = range(72, 80)
FULL: Final = range(100, 103)
REVOKED: Final = range(130, 140)
IDS: Final = ("4711", "4712")


def main(disk: Path, newer: Path, hours: int) -> None:
    """Live the hours; a line of JSON for each."""
    accounts = [replace(SMALL, account_id=ident, conversations_per_day=24) for ident in IDS]
    (disk / "accounts").mkdir()
    with Sandbox(accounts) as sandbox:
        for ident in IDS:
            settle(sandbox, disk, ident)
        for hour in range(hours):
            at(START + timedelta(hours=hour))
            for ident in IDS[1:]:
                settle(sandbox, disk, ident, is_revoked=hour in REVOKED)
            if hour == NEW_VERSION:
                os.environ["PYTHONPATH"] = f"{newer}{os.pathsep}{os.environ['PYTHONPATH']}"
            with full(disk) if hour in FULL else nothing():
                run = None if hour in STOPPED else call(disk, "sync", "--account", "accounts", "--log-format", "json")
                watch = call(disk, "status", "--account", "accounts", "--max-age", "3h", "--format", "prometheus")
            print(json.dumps({"hour": hour, "sync": run, "status": watch}), flush=True)  # noqa: T201


def at(moment: datetime) -> None:
    """Set the clock of this process and of those that it starts."""
    real = time.time() - int(os.environ["CLOCK_AWAY"])
    os.environ["CLOCK_AWAY"] = str(int(moment.timestamp() - real))


def settle(sandbox: Sandbox, disk: Path, ident: str, *, is_revoked: bool = False) -> None:
    """Write the settings of an account, with keys that the server knows or not."""
    text = sandbox.settings_of(ident)
    if is_revoked:
        text = text.replace("LP_ACCESS_TOKEN=", "LP_ACCESS_TOKEN=revoked")
    path = disk / "accounts" / f"{ident}.env"
    path.write_text("".join(line + "\n" for line in text.splitlines() if not line.startswith("LAKE_")))
    path.chmod(0o600)


def call(disk: Path, *words: str) -> dict[str, object]:
    """Run a command; its exit code, results and messages."""
    done = subprocess.run([sys.executable, "-m", "pipeline", *words], cwd=disk, capture_output=True, text=True, check=False)
    return {"code": done.returncode, "out": done.stdout, "log": done.stderr.splitlines()}


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Let another program take all room of the disk."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as out:
        for block in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    out.write(b"x" * block)
            except OSError:
                continue
    yield
    filler.unlink()


@contextmanager
def nothing() -> Iterator[None]:
    """Do nothing."""
    yield


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
