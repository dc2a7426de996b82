"""File systems of paths and URLs: a folder, S3, Google Cloud Storage, Azure, an archive, and all others that fsspec knows.

Credentials stay where each store's own tools look for them, in the environment, so that the file system (fsspec) and the table
format read the same ones, in every process, and they pass through no option, pickle or text of ours.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import fsspec

from pipeline.errors import LakeError, SettingsError

_EXTRAS: Final = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "abfss": "azure", "abfs": "azure", "az": "azure"}
# A store that is down is given up after seconds, not minutes.
_S3_CONFIG: Final = {"connect_timeout": 5, "read_timeout": 60, "retries": {"mode": "standard", "max_attempts": 3}}
_PATIENCE: Final = {"max_retries": "3", "retry_timeout": "30s", "connect_timeout": "5s"}
# Said aloud, so that no variable of the surroundings brings back a commit that can overwrite another writer's.
_CONDITIONAL: Final = {"aws_conditional_put": "etag", "aws_s3_allow_unsafe_rename": "false"}
_PIECE_BYTES: Final = 1 << 20


def files_at(uri: str) -> tuple[Any, str]:
    """The file system of a path or URL, and the path in it; no listing is ever answered from memory.

    Raises:
        SettingsError: the URL holds credentials, or the extra that knows this kind of store is not installed.
    """
    if re.search(r"(?:^|::)\w+://[^/@]*:[^/@]*@", uri):
        raise SettingsError("LAKE_URI or PATH: holds credentials; leave them out and set the store's own variables")
    if (place := _local_name(uri)) is not None:
        return fsspec.filesystem("file"), place
    kind = kind_of(uri)
    options: dict[str, Any] = {}
    if kind is not None:
        options = {"use_listings_cache": False} | ({"config_kwargs": _S3_CONFIG} if kind == "s3" else {})
        if "::" in uri:  # then they are the store's, not those of the archive in it
            options = {uri.rpartition("::")[2].partition("://")[0]: options}
    try:
        files, path = fsspec.core.url_to_fs(uri, **options)
    except ImportError as error:
        needed = f"pip install 'engagement-lakehouse[{kind}]'" if kind else str(error)
        raise SettingsError(f"{uri}: reading it takes a library that is not installed; {needed}") from error
    except ValueError as error:
        raise SettingsError(f"{uri}: expected a path or the URL of a store, found neither ({error})") from error
    return files, path


def is_local(files: Any) -> bool:
    """Whether paths of a file system are those of this machine."""
    return "file" in (files.protocol if isinstance(files.protocol, tuple) else (files.protocol,))


def _local_name(uri: str) -> str | None:
    """The path of a local file or folder whose name holds `::`, which elsewhere chains file systems; None for all others."""
    if "::" not in uri:
        return None
    place = os.path.abspath(uri.removeprefix("file://"))  # noqa: PTH100  # no link is followed
    return place if os.path.lexists(place) else None


def innermost(url: str) -> str:
    """The part of a URL that names the file itself: of a chain the member of the archive."""
    return url if _local_name(url) else url.partition("::")[0]


def is_special(files: Any, path: str) -> bool:
    """Whether a local path leads to a pipe, a device or a socket: to open it may wait for ever, and it can be read once."""
    if not is_local(files):
        return False
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116  # links are followed
    except OSError:
        return False
    is_of_process = path.startswith(("/dev/", "/proc/"))  # another process would read another file there
    return not stat.S_ISDIR(mode) and (is_of_process or not stat.S_ISREG(mode))


def require_plain(files: Any, path: str, name: str) -> None:
    """Refuse a special file, by the name that the user has for it."""
    if is_special(files, path):
        raise LakeError(
            f"{name}: expected a file, found a pipe, a device or a socket, which can be read once at most; "
            "nothing was loaded, save what it gives to a file and load that"
        )


def url_of(files: Any, path: str, uri: str) -> str:
    """The URL of a path in the file system of `uri`, through the archive if it is one's member, for any working folder."""
    chain = (
        None if _local_name(uri) else re.search(r"://.*?::(.*)", uri)
    )  # a part without "://", such as a cache, is no place of its own
    if chain is None:
        return str(files.unstrip_protocol(path))
    *through, outermost = chain[1].split("::")
    store, place = files_at(outermost)
    return "::".join([files.unstrip_protocol(path), *through, store.unstrip_protocol(place)])


def found_below(files: Any, folder: str, *, follow_links: bool = False) -> dict[str, dict[str, Any]]:
    """Every file below a folder by its path, sorted, as fsspec tells of it; none if there is no such folder.

    Of symbolic links that are followed, those that lead to nothing count as files, and no folder is walked twice.

    Raises:
        OSError: a folder below it can't be listed; fsspec by itself would leave it out without a word.
    """
    if not exists(files, folder):
        return {}
    walk = partial(_followed, seen=set()) if follow_links else _below
    found = walk(files, folder) if is_local(files) else files.find(folder, detail=True).values()  # a store lists all at once
    return dict(sorted((entry["name"], entry) for entry in found))


def _below(files: Any, folder: str) -> Iterator[dict[str, Any]]:
    for entry in files.ls(folder, detail=True):
        if entry["type"] == "directory":
            yield from _below(files, entry["name"])
        else:
            yield entry


def _followed(files: Any, folder: str, seen: set[str]) -> Iterator[dict[str, Any]]:
    place = os.path.realpath(folder)
    if place in seen:
        return
    seen.add(place)
    for entry in files.ls(folder, detail=True):
        name = entry["name"]
        is_link = entry["islink"] and files.exists(name)
        info = files.info(os.path.realpath(name)) if is_link else entry
        if info["type"] == "directory":
            yield from _followed(files, name, seen)
        else:
            yield info | {"name": name}


def remembering(files: Any, root: str) -> Any:
    """The same file system with a memory for Parquet files below a folder, none of which ever changes: one request for each.

    DuckDB asks ten times, for every query, and waits for each answer.
    """
    if not files.async_impl:
        return files
    kind = type(files)
    known: dict[str, dict[str, Any]] = {}

    async def info(self: Any, path: str, *args: Any, **options: Any) -> dict[str, Any]:
        place = self._strip_protocol(path)
        found = known.get(place) or await kind._info(self, path, *args, **options)  # noqa: SLF001  # each store's own
        if place.startswith(f"{root}/") and place.endswith(".parquet"):
            known[place] = found
        return dict(found)

    return type(kind.__name__, (kind,), {"cachable": False, "_info": info})(*files.storage_args, **files.storage_options)


def sizes_below(files: Any, folder: str) -> dict[str, int]:
    """Every file below a folder by its path, sorted, with its size in bytes; raises as `found_below` does."""
    return {path: info["size"] for path, info in found_below(files, folder).items()}


def modified(info: dict[str, Any]) -> datetime | None:
    """The time of a file's last change in UTC, from the answer of fsspec; None where its store has none."""
    at = info.get("mtime") or info.get("LastModified") or info.get("updated") or info.get("last_modified")
    if isinstance(at, int | float):
        return datetime.fromtimestamp(at, UTC)
    if isinstance(at, str):
        at = datetime.fromisoformat(at)
    return at if isinstance(at, datetime) else None


def exists(files: Any, path: str) -> bool:
    """Whether there is a file or folder; fsspec's own `exists` says no on every failure."""
    try:
        files.info(path)
    except FileNotFoundError:
        return False
    return True


def digest_of(files: Any, path: str) -> str:
    """The SHA-256 of a file, read piece by piece."""
    sha256 = hashlib.sha256()
    with files.open(path, "rb") as stored:
        while chunk := stored.read(_PIECE_BYTES):
            sha256.update(chunk)
    return sha256.hexdigest()


def kind_of(uri: str) -> str | None:
    """The extra that a URL, or the last of a chain, needs: s3, gs or azure; None for all others."""
    scheme, separator, _ = uri.rpartition("::")[2].partition("://")
    return _EXTRAS.get(scheme) if separator else None


def table_options(uri: str) -> dict[str, str]:
    """Options of the table format for a store, besides the environment; never a secret."""
    kind = kind_of(uri)
    if kind != "s3":
        return {} if kind is None else dict(_PATIENCE)
    is_plain = os.environ.get("AWS_ENDPOINT_URL", "").lower().startswith("http://")
    return _PATIENCE | _CONDITIONAL | ({"aws_allow_http": "true"} if is_plain else {})
