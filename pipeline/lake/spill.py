"""The folder to which DuckDB spills rows of the lake: for this user alone, deleted with the process that made it.

It lies in the lake, where the lake's own rights hold; where that can't be written, or for a bucket, in the system's folder for
temporary files. A file in it is locked while its process lives, as other machines and containers see, too: a folder without a
lock is a dead run's, and the next run deletes it.
"""

import atexit
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from pipeline.lake.lake import Lake

PREFIX: Final = ".lakehouse-spill-"
_MAKING: Final = ".lakehouse-making-"
_LOCK: Final = "lock"


class _Held(NamedTuple):
    folder: str
    lock: int
    process: int


_held: Final[dict[str, _Held]] = {}
_holders: Final[dict[str, int]] = {}


def hold(lake: Lake) -> str:
    """The spill folder of this process for a lake, made at the first call; "" where none can be made.

    Without a folder DuckDB keeps all in memory, and says so if that is too small. Each `hold` takes a `release`.
    """
    _holders[lake.root] = _holders.get(lake.root, 0) + 1
    if lake.root not in _held or _held[lake.root].process != os.getpid():  # after a fork it is the parent's
        _held.pop(lake.root, None)
        for parent in _parents(lake):
            with suppress(OSError):
                clear(parent)
                _held[lake.root] = _made(parent)
                break
    held = _held.get(lake.root)
    return held.folder if held else ""


def release(lake: Lake) -> None:
    """Delete the folder, if this process holds it no more."""
    _holders[lake.root] = max(_holders.get(lake.root, 0) - 1, 0)
    if not _holders[lake.root]:
        _delete(lake.root)


@contextmanager
def spilling(lake: Lake) -> Iterator[str]:
    """Hold the folder for the block."""
    try:
        yield hold(lake)
    finally:
        release(lake)


def clear_dead(lake: Lake) -> None:
    """Delete the spill folders of dead runs, in the lake and in the system's folder."""
    for parent in _parents(lake):
        with suppress(OSError):
            clear(parent)


def clear(parent: str) -> None:
    """Delete this user's folders that no process holds any more."""
    for entry in os.scandir(parent):
        if entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False):
            with suppress(OSError):
                if entry.stat(follow_symlinks=False).st_uid == os.geteuid() and _is_dead(Path(entry.path)):
                    shutil.rmtree(entry.path)


def _parents(lake: Lake) -> Iterator[str]:
    if lake.store.scratch:
        yield lake.store.scratch
    with suppress(OSError):  # none can be written
        yield tempfile.gettempdir()


def _made(parent: str) -> _Held:
    """Make the folder, which has its own name only once it is locked.

    Raises:
        OSError: it can't be made there, or the file system has no locks, so that no run could tell whether it is in use.
    """
    making = tempfile.mkdtemp(prefix=_MAKING, dir=parent)  # for this user alone
    lock = os.open(f"{making}/{_LOCK}", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    folder = f"{parent}/{PREFIX}{Path(making).name.removeprefix(_MAKING)}"
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        Path(making).rename(folder)
    except OSError:
        os.close(lock)
        shutil.rmtree(making, ignore_errors=True)
        raise
    return _Held(folder, lock, os.getpid())


def _is_dead(folder: Path) -> bool:
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return True  # its deletion was cut off
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True


def _delete(root: str) -> None:
    held = _held.pop(root, None)
    if held is not None and held.process == os.getpid():
        shutil.rmtree(held.folder, ignore_errors=True)
        os.close(held.lock)


@atexit.register
def _delete_all() -> None:
    for root in list(_held):
        _delete(root)
