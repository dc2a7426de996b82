"""The two stores that a lake may lie in, a folder or a bucket, with the same methods, so that no step tells them apart."""

import errno
import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pipeline.errors import LakeError, SettingsError
from pipeline.lake.file_systems import files_at, is_local, kind_of, modified, remembering, sizes_below

if TYPE_CHECKING:
    import duckdb  # workers need none, and it takes a while to start

LOCK_NAME: Final = ".lock"
"""The file in a folder that a writer locks."""
USERS_FILES: Final = ("settings.csv", "skills.csv", "agents.csv", "campaigns.csv", "topics.csv", "erasure.key")
"""Files at the top of a lake that may be links: they are read, and only ever replaced."""
_MOST_EDITED_BYTES: Final = 8 << 20  # of a file that people edit: 100,000 names
_SYNCS: Final = 16  # at a time: a disk takes that many nearly as fast as one
_AT_ONCE: Final = 8  # requests to a store
_SECONDS_APART: Final = 1  # a store tells times of files in seconds
_LEFT_BEHIND: Final = timedelta(days=1)
_UNUSABLE: Final = re.compile(r"[?#\\\x00-\x1f\x7f\ud800-\udfff]|%[0-9a-fA-F]{2}")
"""Parts of a folder's path that the table format or fsspec reads as another path."""

Item = TypeVar("Item")
Made = TypeVar("Made")
OnWait = Callable[[str], None] | None


class Folder:
    """A folder of this machine: a lock keeps writers apart; files are renamed into place, and flushed to the disk."""

    is_local: Final = True
    has_lock: Final = True
    may_damage: Final = True  # a power cut leaves half a file, a broken disk other bytes, and neither says so

    def __init__(self, files: Any, root: str) -> None:
        self.files = files
        self.root = root
        self.scratch: str | None = root
        """Where files may lie for a while; None: only in the system's folder for temporary files."""

    def inside(self, path: str) -> str:
        """The same path, if no link leads its folder elsewhere, nor out of the lake; raises `LakeError` else."""
        require_inside(path.rpartition("/")[0], self.root)
        return path

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it."""
        self.files.makedirs(self.inside(f"{path}/").rstrip("/"), exist_ok=True)

    def fsync(self, paths: Iterable[str]) -> None:
        """Wait until files, and the folders that lead to them, are on the disk, so that no power cut takes them."""
        files = {Path(path) for path in paths}
        nearest = {file.parent for file in files}
        folders = {folder for near in nearest for folder in (near, *near.parents) if folder.is_relative_to(self.root)}
        with ThreadPoolExecutor(_SYNCS) as pool:
            for sync, items in ((_sync, [*files]), (_sync_folder, [*folders])):
                parts = [items[first::_SYNCS] for first in range(_SYNCS)]  # a task a thread: one a file costs as much again
                list(pool.map(lambda part, sync=sync: list(map(sync, part)), parts))

    def map(self, work: Callable[[Item], Made], items: Iterable[Item]) -> list[Made]:
        """Do something for every item, one after another."""
        return list(map(work, items))

    @contextmanager
    def lock(self, on_wait: OnWait = None) -> Iterator[None]:
        """Hold the lake's lock for the block; `on_wait` is told that another run holds it."""
        from filelock import FileLock, Timeout

        self.files.makedirs(self.root, exist_ok=True)
        path = f"{self.root}/{LOCK_NAME}"
        require_inside(path, self.root)  # to lock a file is to open it for writing
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if on_wait:
                on_wait(f"{self.root} is being written by another run; waiting for it to finish")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def put(self, staged: str, target: str) -> None:
        """Give a staged file its place, whole or not at all; it is no longer staged then."""
        self.make_folder(target.rpartition("/")[0])
        self.files.mv(staged, target)

    def now_at(self, staged: str, target: str) -> str:
        """Where a staged file is: at its place, if a worker that died has put it there."""
        return target if not Path(staged).exists() and Path(target).exists() else staged

    def edited(self, path: str) -> bytes:
        """Read a file that people edit, which may be a link.

        Raises:
            FileNotFoundError: there is none.
            OSError: it can't be read, or should not be: a pipe or a device never ends.
        """
        try:
            found = Path(path).stat()
        except FileNotFoundError:
            if Path(path).is_symlink():
                raise OSError(errno.EINVAL, "the link leads nowhere") from None
            raise
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        if found.st_size > _MOST_EDITED_BYTES:
            raise OSError(errno.EFBIG, f"it is larger than {_MOST_EDITED_BYTES >> 20} MiB")
        return Path(path).read_bytes()

    def write_whole(self, path: str, contents: bytes, beside: str) -> None:
        """Write a file, whole or not at all, by way of a path beside it."""
        self.files.pipe_file(beside, contents)
        self.fsync([beside])
        self.files.mv(beside, path)

    def create(self, path: str, contents: bytes, *, is_new: bool) -> None:  # noqa: ARG002  # the holder of the lock is alone
        """Write a file for its owner's eyes alone, whole or not at all, and flush it."""
        beside = f"{path}.new"
        with suppress(FileNotFoundError):
            self.files.rm_file(beside)  # a dead run's, or a link
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(contents)
            out.flush()
            os.fsync(out.fileno())
        self.files.mv(beside, path)
        self.fsync([path])

    def copy_time(self, former: str, path: str) -> None:
        """Give a file the time of another: by it a rebuild knows which contents of a name are the newest."""
        found = Path(former).stat()
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))

    def renew(self, paths: Iterable[str], beside: str) -> None:
        """Nothing: `copy_time` has kept the order of the times."""

    def remove(self, paths: Iterable[str]) -> None:
        """Delete files, those that are there."""
        for path in paths:
            Path(self.inside(path)).unlink(missing_ok=True)

    def fetched(self, path: str, size: int, *, most_bytes: int) -> bytes | None:  # noqa: ARG002
        """None: a file here is read piece by piece."""
        return None

    def finder(self) -> Callable[[str], bool]:
        """A function that tells whether there is a file."""
        return lambda path: Path(path).exists()

    def links(self) -> list[str]:
        """Every symbolic link in the lake, sorted, but those that users may put in the place of files that they write."""
        found, folders = [], [self.root]
        while folders:
            with suppress(FileNotFoundError), os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_symlink():
                        found.append(entry.path)
                    elif entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
        return sorted({*found} - {f"{self.root}/{name}" for name in USERS_FILES})

    def clear_left_behind(self, staging: str, prefix: str) -> None:
        """Delete all files in a folder for staged files, and those at the top of the lake whose names begin with a prefix.

        Raises:
            LakeError: a link leads elsewhere; nothing behind it was deleted.
        """
        for folder, begin in ((staging, ""), (self.root, prefix)):
            if self.files.exists(folder):
                for path in self.files.ls(self.inside(f"{folder}/"), detail=False):
                    if not path.rpartition("/")[2].startswith(begin):
                        continue
                    if Path(path).is_symlink():
                        Path(path).unlink()
                    else:
                        self.files.rm(path, recursive=True)

    def half_written(self, folder: str) -> list[str]:
        """Files that a killed writer of the table format has left in a folder."""
        return [path for path in sizes_below(self.files, folder) if "#" in path]

    def register(self, connection: "duckdb.DuckDBPyConnection") -> None:
        """Nothing: DuckDB reads a folder by itself."""


class Bucket:
    """A bucket of an object store: commits keep writers apart; files appear whole, and are kept when the store answers."""

    is_local: Final = False
    has_lock: Final = False
    may_damage: Final = False

    def __init__(self, files: Any, root: str) -> None:
        self.files = files
        self.root = root
        self.scratch: str | None = None
        self._files_to_query = cache(lambda: remembering(files, root))

    def inside(self, path: str) -> str:
        """The same path: a bucket has no links."""
        return path

    def make_folder(self, path: str) -> None:
        """Nothing: a bucket has no folders, and the call would make a bucket."""

    def fsync(self, paths: Iterable[str]) -> None:
        """Do nothing: an object store is durable once it has answered."""

    def map(self, work: Callable[[Item], Made], items: Iterable[Item]) -> list[Made]:
        """Do something for every item, several at once, since it means to wait for answers."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(work, items))

    @contextmanager
    def lock(self, on_wait: OnWait = None) -> Iterator[None]:  # noqa: ARG002
        """Nothing: the commit of the ledger keeps writers apart."""
        yield

    def put(self, staged: str, target: str) -> None:
        """Copy a staged file to its place, where it appears whole."""
        self.files.cp_file(staged, target)

    def now_at(self, staged: str, target: str) -> str:  # noqa: ARG002
        """Where a staged file is: still there, since `put` copies."""
        return staged

    def edited(self, path: str) -> bytes:
        """Read a file that people edit; raises FileNotFoundError if there is none, OSError if the store failed."""
        contents: bytes = self.files.cat_file(path)
        return contents

    def write_whole(self, path: str, contents: bytes, beside: str) -> None:  # noqa: ARG002
        """Write a file, which appears whole."""
        self.files.pipe_file(path, contents)

    def create(self, path: str, contents: bytes, *, is_new: bool) -> None:
        """Write a file; raises the store's own error where it `is_new` and another writer came first."""
        self.files.pipe_file(path, contents, mode="create" if is_new else "overwrite")

    def copy_time(self, former: str, path: str) -> None:
        """Nothing: a store sets times itself; `renew` makes up for it."""

    def renew(self, paths: Iterable[str], beside: str) -> None:
        """Make files the newest of their names, by way of a copy."""
        time.sleep(_SECONDS_APART)
        for path in paths:  # no store copies a file onto itself
            self.files.cp_file(path, beside)
            self.files.cp_file(beside, path)
            self.files.rm_file(beside)

    def remove(self, paths: Iterable[str]) -> None:
        """Delete files, all by one request."""
        if gone := list(paths):
            self.files.rm(gone)

    def fetched(self, path: str, size: int, *, most_bytes: int) -> bytes | None:
        """The contents of a small file, which is then read at once; None for a larger one."""
        contents: bytes | None = self.files.cat_file(path) if size <= most_bytes else None
        return contents

    def finder(self) -> Callable[[str], bool]:
        """A function that tells whether there is a file; the store is asked once for all below a folder's folder."""
        listed = cache(lambda folder: frozenset(sizes_below(self.files, folder)))
        return lambda path: path in listed(path.rsplit("/", 2)[0])

    def links(self) -> list[str]:
        """None: a bucket has no links."""
        return []

    def clear_left_behind(self, staging: str, prefix: str) -> None:  # noqa: ARG002  # nothing of ours waits at the top
        """Delete old files in a folder for staged files: no lock tells which run is dead."""
        if self.files.exists(staging):
            for entry in self.files.ls(f"{staging}/", detail=True):
                now = datetime.now(UTC)
                if now - (modified(entry) or now) > _LEFT_BEHIND:
                    self.files.rm(entry["name"], recursive=True)

    def half_written(self, folder: str) -> list[str]:  # noqa: ARG002
        """None: a file appears whole."""
        return []

    def register(self, connection: "duckdb.DuckDBPyConnection") -> None:
        """Let DuckDB read the bucket by our file system."""
        connection.register_filesystem(self._files_to_query())


Store = Folder | Bucket


def store_at(uri: str) -> Store:
    """The store of a lake.

    Raises:
        SettingsError: no lake can be there, or as `files_at` does.
    """
    files, path = files_at(uri)
    root = path.rstrip("/")
    is_here = is_local(files)
    if not root or not (is_here or kind_of(uri)):
        raise SettingsError(f"{uri}: expected a folder, or a bucket such as s3://bucket/lake, for a lake; name another one")
    if is_here:
        _require_usable(root)
    return Folder(files, root) if is_here else Bucket(files, root)


def _require_usable(path: str) -> None:
    """Refuse a folder's path that libraries would take for another one."""
    if path.startswith("~"):
        raise SettingsError(
            f"{path}: expected the path of a lake, found the home of a user whom this machine does not know; if a folder is "
            f"called that, write ./{path}"
        )
    if _UNUSABLE.search(path):
        raise SettingsError(
            f"{path}: the path of a lake can't hold '?', '#', a backslash, control characters, bytes that are no UTF-8, or '%' "
            "with two hexadecimal digits, which libraries read in other ways; choose another one"
        )


def require_inside(path: str, root: str) -> None:
    """Refuse a path that a link leads elsewhere, or that leaves a folder, before something is written or deleted there.

    The folder itself may be reached by links.

    Raises:
        LakeError: it does.
    """
    below = os.path.relpath(path, root)
    if below.startswith("..") or os.path.realpath(path) != os.path.normpath(f"{os.path.realpath(root)}/{below}"):
        raise LakeError(
            f"{path}: a link leads out of its place in the lake; nothing was written or deleted behind it: put a folder or a "
            "file in the link's place, lakehouse verify names all links"
        )


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _sync_folder(path: Path) -> None:
    with suppress(OSError):  # there are file systems that do so for files alone
        _sync(path)
