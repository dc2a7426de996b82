"""Where an export goes: a file or a folder, here or in a bucket. What was there stays until the new one is whole."""

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipeline.errors import FULL_DISK, SettingsError, unwritten
from pipeline.failures import of_a_file
from pipeline.lake.file_systems import files_at, is_local, sizes_below
from pipeline.lake.lake import Lake
from pipeline.lake.spill import spilling
from pipeline.lake.store import Folder
from pipeline.lake.store_errors import reaching

FORMS: Final = ("parquet", "csv", "xlsx", "jsonl")
STAGING: Final = ".lakehouse-export"
"""The folder with files that are not whole yet: in a folder of days, or beside a file with its name before it."""
_LOCK: Final = "lock"


def form_of(output: str, form: str | None, *, by_date: bool) -> str:
    """The form of an export: as given, else by the ending of its path; of a folder Parquet.

    Raises:
        SettingsError: neither tells, or a folder of spreadsheets is asked for.
    """
    ending = output.rpartition(".")[2].lower()
    found = form or ("parquet" if by_date else ending)
    if found not in FORMS:
        raise SettingsError(
            f"{output}: expected a path that ends with {', '.join(f'.{one}' for one in FORMS[:-1])} or .{FORMS[-1]}; "
            "name such a file with --output, or add --format"
        )
    if by_date and found == "xlsx":
        raise SettingsError("--by-date: expected parquet, csv or jsonl, found xlsx; choose one of them with --format")
    return found


@dataclass(frozen=True)
class Target:
    """A place for an export: the path of its file or folder in a file system."""

    uri: str
    files: Any
    path: str
    is_local: bool
    is_folder: bool

    @contextmanager
    def staging(self, lake: Lake) -> Iterator[Path]:
        """A folder for files that are not whole yet, for this run alone; what a dead run left in it is deleted.

        Raises:
            SettingsError: another run exports to the same place, or it can't be written.
        """
        with self._telling():
            if not self.is_local:
                with spilling(lake) as spill, tempfile.TemporaryDirectory(dir=spill or None, prefix="export-") as folder:
                    yield Path(folder)
                return
            with _locked(self._staging(), self.uri) as staging:
                yield staging

    def put(self, staged: Mapping[str, Path]) -> None:
        """Give staged files their places, each whole; "" is the target itself."""
        with self._telling():
            if not self.is_local:
                for below, made in staged.items():
                    self.files.put_file(str(made), self._at(below))
                return
            store = Folder(self.files, self.path if self.is_folder else self.path.rpartition("/")[0] or "/")
            store.fsync(map(str, staged.values()))
            for below, made in staged.items():
                Path(self._at(below)).parent.mkdir(parents=True, exist_ok=True)
                made.replace(self._at(below))
            store.fsync(map(self._at, staged))

    def remove(self, paths: list[str]) -> None:
        """Delete files below the folder, those that are there."""
        with self._telling():
            for path in map(self._at, paths):
                with suppress(FileNotFoundError):
                    self.files.rm_file(path)
                if self.is_local:
                    with suppress(OSError):  # it holds something else
                        Path(path).parent.rmdir()

    def sizes(self) -> dict[str, int]:
        """The files below the folder with their bytes, but for staged ones."""
        with self._telling():
            found = {path.removeprefix(f"{self.path}/"): size for path, size in sizes_below(self.files, self.path).items()}
        return {path: size for path, size in found.items() if not path.startswith(f"{STAGING}/")}

    def read(self, below: str) -> bytes | None:
        """The contents of a file below the folder; None if there is none."""
        with self._telling(), suppress(FileNotFoundError):
            return bytes(self.files.cat_file(self._at(below)))
        return None

    def _at(self, below: str) -> str:
        return f"{self.path}/{below}" if below else self.path

    def _staging(self) -> Path:
        path = Path(self.path)
        return path / STAGING if self.is_folder else path.with_name(f".{path.name}{STAGING}")

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Turn an error of the place into a sentence."""
        try:
            with reaching(self.uri):
                yield
        except (OSError, NotImplementedError) as error:
            if of_a_file(error):  # a file of the lake can't be read
                raise
            if isinstance(error, OSError) and error.errno in FULL_DISK:
                raise unwritten("export", self.uri, error, "") from error
            reason = getattr(error, "strerror", None) or str(error) or "this kind of store takes no files"
            raise SettingsError(
                f"the export cannot be written to {self.uri}: {reason}; name another place with --output"
            ) from error


def target_at(output: str, lake: Lake, *, is_folder: bool) -> Target:
    """The place of `--output`; of a link its target.

    Raises:
        SettingsError: no export can be there: it is of another kind, or inside of the lake.
    """
    kind = "a folder" if is_folder else "a file"
    if "://" in output:
        files, path = files_at(output)
        if "::" in output:
            raise SettingsError(
                f"{output}: expected the path of {kind}, or a bucket's URL, found a chain of them; name one place"
            )
    else:
        files, path = files_at("file:///")[0], os.path.expanduser(output)  # noqa: PTH111  # pathlib raises where the user is unknown
    is_here = is_local(files)
    if is_here:
        found = Path(path).resolve()
        if path.startswith("~") or (found.exists() and not (found.is_dir() if is_folder else found.is_file())):
            hint = ", or add --by-date" if found.is_dir() else ""
            raise SettingsError(f"{output}: expected the path of {kind} for the export; name another one with --output{hint}")
        path = str(found)
    path = path.rstrip("/") or "/"
    root = os.path.realpath(lake.root) if lake.is_local else lake.root
    if is_here == lake.is_local and (is_here or type(files) is type(lake.files)) and f"{path}/".startswith(f"{root}/"):
        raise SettingsError(
            f"{output}: it is inside of the lake, where nothing but the lake can be; name another place with --output"
        )
    return Target(path if is_here else output.rstrip("/"), files, path, is_here, is_folder)


@contextmanager
def _locked(folder: Path, shown: str) -> Iterator[Path]:
    from filelock import FileLock, Timeout

    if folder.is_symlink():
        folder.unlink()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise SettingsError(f"{shown}: another run exports to it; wait for its end, or name another place") from error
    delete = weakref.finalize(lock, shutil.rmtree, str(folder), ignore_errors=True)  # also where a signal ends the process
    try:
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != _LOCK:
                entry.unlink()
        yield folder
    finally:
        delete()
        lock.release()
