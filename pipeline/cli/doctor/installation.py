"""This installation: the scanner, versions, the private key file."""

import importlib.metadata
import multiprocessing
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pipeline.cli.doctor.finding import FAIL, OK, WARN, Finding
from pipeline.decode.pgp import check_key
from pipeline.decode.scanner import why_careful
from pipeline.errors import SettingsError
from pipeline.processes import kept_from_children

_DISTRIBUTION: Final = "engagement-lakehouse"


def about_scanner() -> Iterator[Finding]:
    """Which path usual documents take: that of the compiled scanner, or the careful one, several times as slow."""
    reason = why_careful()
    if reason is None:
        yield Finding("speed", OK, "the compiled scanner reads usual documents")
        return
    found = f"all documents take the careful path, several times as slow, with the same rows: {reason}"
    remedy = "install the wheel of this platform, or a C compiler and then the package again from its sources"
    yield Finding("speed", WARN, found, remedy)


def about_helpers() -> Iterator[Finding]:
    """Whether a load can have helper processes, which need semaphores; without them it reads with one core."""
    try:
        with kept_from_children():
            multiprocessing.get_context("spawn").Lock()
    except (OSError, ImportError) as error:
        found = f"loads read files in one process, since no other can be started: {getattr(error, 'strerror', None) or error}"
        yield Finding("speed", WARN, found, "let this user write to /dev/shm")


def about_versions() -> Iterator[Finding]:
    """Whether the libraries' versions are in the tested ranges."""
    try:
        needed = importlib.metadata.requires(_DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        yield Finding(
            "versions", WARN, "the package is not installed, only its folder is used", "pip install . tells what it needs"
        )
        return
    found = {name: (version, wanted) for name, version, wanted in map(_installed, needed) if version}
    odd = {name: both for name, both in found.items() if not _fits(*both)}
    for name, (version, wanted) in odd.items():
        advice = "install a version that was, as requirements.txt locks them"
        yield Finding("versions", WARN, f"{name} {version} was not tried, {wanted} was", advice)
    shown = ", ".join(f"{name} {found[name][0]}" for name in ("pyarrow", "deltalake", "duckdb", "polars") if name in found)
    if not odd:
        yield Finding("versions", OK, f"Python {platform.python_version()}, {shown}; all {len(found)} libraries as tried")


def _installed(requirement: str) -> tuple[str, str | None, str]:
    """Name, installed version and wanted versions of a line such as `duckdb<3,>=1.4` or `s3fs>=2025.3; extra == 's3'`."""
    name, wanted = re.fullmatch(r"([\w.-]+)(?:\[.*?\])? *([^;]*?) *(?:;.*)?", requirement).groups()  # type: ignore[union-attr]
    try:
        return name, importlib.metadata.version(name), wanted
    except importlib.metadata.PackageNotFoundError:
        return name, None, wanted


def _fits(version: str, wanted: str) -> bool:
    """Whether a version is in a range of `>=` and `<`, the only signs in pyproject.toml."""
    bounds = re.findall(r"(>=|<)([\d.]+)", wanted)
    return all((_numbers(version) >= _numbers(bound)) is (sign == ">=") for sign, bound in bounds)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.match(r"[\d.]*\d|", version)[0].split(".") if part]  # type: ignore[index]


def about_pgp_key(path: str) -> Iterator[Finding]:
    """Whether the private key of LP_PGP_KEY, if set, can decrypt, and is readable by its owner alone."""
    if not path:
        return
    try:
        check_key(lambda _: None)
        mode = Path(path).expanduser().stat().st_mode
    except (SettingsError, OSError) as error:
        yield Finding("PGP key", FAIL, str(error), "correct LP_PGP_KEY, or leave it out", is_setting=True)
        return
    if mode & 0o077:
        yield Finding("PGP key", WARN, f"{path}: others can read it (its mode is {mode & 0o777:o})", f"run chmod 600 {path}")
    else:
        yield Finding("PGP key", OK, f"{path}, for its owner alone")
