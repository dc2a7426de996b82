"""Where a lake or a source file may lie: a folder, S3, Google Cloud Storage or Azure; the only place that tells them apart.

Credentials stay where each store's own tools look for them, in the environment, so that the file system (fsspec) and the table
format read the same ones, in every process, and they pass through no option, pickle or text of ours.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import fsspec
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from pipeline.errors import ConflictError, DamagedError, LakeError, PipelineError, SettingsError
from pipeline.failures import of_a_file

USERS_FILES: Final = ("settings.csv", "erasure.key")
"""Files at the top of a lake that may be links: they are read, and only ever replaced."""
_EXTRAS: Final = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "abfss": "azure", "abfs": "azure", "az": "azure"}
_CREDENTIALS: Final = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "azure": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
# A store that is down is given up after seconds, not minutes.
_S3_CONFIG: Final = {"connect_timeout": 5, "read_timeout": 60, "retries": {"mode": "standard", "max_attempts": 3}}
_PATIENCE: Final = {"max_retries": "3", "retry_timeout": "30s", "connect_timeout": "5s"}
# Said aloud, so that no variable of the surroundings brings back a commit that can overwrite another writer's.
_CONDITIONAL: Final = {"aws_conditional_put": "etag", "aws_s3_allow_unsafe_rename": "false"}
_PIECE_BYTES: Final = 1 << 20
_SYNCS: Final = 16  # at a time: a disk takes that many nearly as fast as one

_UNUSABLE: Final = re.compile(r"[?#\\\x00-\x1f\x7f\ud800-\udfff]|%[0-9a-fA-F]{2}")
"""Parts of a folder's path that the table format or fsspec takes for something else."""
_SECRET: Final = re.compile(r"^(AWS|AZURE|GOOGLE)_.*(KEY|TOKEN|SECRET|CONNECTION_STRING|PASSWORD)")
_LEAST_SECRET: Final = 6  # characters: no secret is shorter, and a shorter text would be found everywhere
_MOST_WORDS: Final = 300  # characters of what a library says
_NO_BUCKET = re.compile(r"NoSuchBucket|bucket does not exist|ContainerNotFound|container does not exist", re.IGNORECASE)
_NO_CREDENTIALS = re.compile(
    r"NoCredentials|PartialCredentials|Missing (AccessKeyId|SecretAccessKey)|locate credentials|getting credentials"
    r"|loading credential|credentials? (provider|were)|no providers|169\.254\.169\.254",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|AuthenticationFailed|AuthorizationFailure"
    r"|Forbidden|Unauthorized|PermissionError|\b40[13]\b",
    re.IGNORECASE,
)
_UNREACHABLE = re.compile(r"connect|dns|timed? ?out|resolve host", re.IGNORECASE)


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


def lake_at(uri: str) -> tuple[Any, str, bool]:
    """The file system of a lake, its path in it without a slash at the end, and whether it is a folder here.

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
    return files, root, is_here


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


def _local_name(uri: str) -> str | None:
    """The path of a file or folder here whose name holds what would else chain file systems; None for all others."""
    if "::" not in uri:
        return None
    place = os.path.abspath(uri.removeprefix("file://"))  # noqa: PTH100  # no link is followed
    return place if os.path.lexists(place) else None


def innermost(url: str) -> str:
    """The part of a URL that names the file itself: of a chain the member of the archive."""
    return url if _local_name(url) else url.partition("::")[0]


def is_special(files: Any, path: str) -> bool:
    """Whether a local path leads to a pipe, a device or a socket: whatever opens one may wait for ever, or reads it once."""
    if not is_local(files):
        return False
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116  # links are followed
    except OSError:
        return False
    is_of_process = path.startswith(("/dev/", "/proc/"))  # another process would read another file there
    return not stat.S_ISDIR(mode) and (is_of_process or not stat.S_ISREG(mode))


def require_plain(files: Any, path: str, name: str) -> None:
    """Refuse what is special, by the name that the user has for it."""
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
    """The same file system for who reads Parquet files below a folder, where none ever changes: a store is asked once of each.

    DuckDB asks ten times, for every query, and waits for each answer.
    """
    if not files.async_impl:
        return files
    kind = type(files)
    known: dict[str, dict[str, Any]] = {}

    async def info(self: Any, path: str, *args: Any, **options: Any) -> dict[str, Any]:
        place = self._strip_protocol(path)
        told = known.get(place) or await kind._info(self, path, *args, **options)  # noqa: SLF001  # each store's own
        if place.startswith(f"{root}/") and place.endswith(".parquet"):
            known[place] = told
        return dict(told)

    return type(kind.__name__, (kind,), {"cachable": False, "_info": info})(*files.storage_args, **files.storage_options)


def sizes_below(files: Any, folder: str) -> dict[str, int]:
    """Every file below a folder by its path, sorted, with its size in bytes; raises as `found_below` does."""
    return {path: info["size"] for path, info in found_below(files, folder).items()}


def modified(info: dict[str, Any]) -> datetime | None:
    """When a file was last written, in UTC, by what fsspec tells of it; None where its store does not tell."""
    at = info.get("mtime") or info.get("LastModified") or info.get("updated") or info.get("last_modified")
    if isinstance(at, int | float):
        return datetime.fromtimestamp(at, UTC)
    if isinstance(at, str):
        at = datetime.fromisoformat(at)
    return at if isinstance(at, datetime) else None


def persist(paths: Iterable[str], root: str) -> None:
    """Wait until files, and the folders from `root` on that lead to them, are on the disk."""
    files = {Path(path) for path in paths}
    folders = {folder for file in files for folder in file.parents if folder.is_relative_to(root)}
    with ThreadPoolExecutor(_SYNCS) as pool:
        list(pool.map(_sync, files))
        list(pool.map(_sync_folder, folders))


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _sync_folder(path: Path) -> None:
    with suppress(OSError):  # there are file systems that do so for files alone
        _sync(path)


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


def links_below(root: str) -> list[str]:
    """Every symbolic link below a folder, sorted, but those that users put there in the place of files that they write."""
    found, folders = [], [root]
    while folders:
        with suppress(FileNotFoundError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_symlink():
                    found.append(entry.path)
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
    return sorted({*found} - {f"{root}/{name}" for name in USERS_FILES})


def exists(files: Any, path: str) -> bool:
    """Whether there is a file or folder; fsspec by itself takes every failure for a no."""
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
    """The extra that a URL, or the last of a chain, needs: s3, gs or azure; None for paths and whatever else fsspec knows."""
    scheme, separator, _ = uri.rpartition("::")[2].partition("://")
    return _EXTRAS.get(scheme) if separator else None


def table_options(uri: str) -> dict[str, str]:
    """What the table format has to know of a store beyond the environment; never a secret."""
    kind = kind_of(uri)
    if kind != "s3":
        return {} if kind is None else dict(_PATIENCE)
    is_plain = os.environ.get("AWS_ENDPOINT_URL", "").lower().startswith("http://")
    return _PATIENCE | _CONDITIONAL | ({"aws_allow_http": "true"} if is_plain else {})


@contextmanager
def reaching(uri: str) -> Iterator[None]:
    """Turn what a store's libraries raise in the block into one sentence; what concerns a folder is left as it is.

    Raises:
        SettingsError: there are no credentials.
        LakeError: the store can't be reached, refuses, lacks the bucket, or fails otherwise.
    """
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:
        if kind_of(uri) is None or not _is_of_a_store(error):
            raise
        raise store_error(uri, error) from None  # the original may carry a key's name or a signature


def store_error(uri: str, error: BaseException) -> PipelineError:
    """Say in one sentence what went wrong at a store and what to do."""
    said = tidied(error)
    credentials = _CREDENTIALS[kind_of(uri) or "s3"]
    found = f"{type(error).__name__} {error}"
    if _NO_BUCKET.search(found):
        return LakeError(f"{uri}: there is no such bucket; create it, or correct the name")
    if _NO_CREDENTIALS.search(found):
        return SettingsError(f"{credentials} not set: put them into the environment or into .env in the working folder")
    if _REFUSED.search(found):
        return LakeError(f"{uri}: the store refuses access ({said}); check {credentials} and the rights that they have")
    if _UNREACHABLE.search(found):
        return LakeError(f"{uri}: the store can't be reached ({said}); check the network and the endpoint, then run it again")
    return LakeError(f"{uri}: the store failed ({said}); run the command again")


def tidied(error: BaseException) -> str:
    """What a library says, on one line, without colours, queries of URLs, and values of the store's secrets."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).partition("\n   0: ")[0] or type(error).__name__  # no backtrace
    if code := re.search(r"<Code>(\w+)</Code>", text):
        text = code[1]
    for name, value in os.environ.items():
        if len(value) >= _LEAST_SECRET and _SECRET.match(name):
            text = text.replace(value, "***")
    text = re.sub(r"\?\S+", "?...", text)
    return re.sub(r"[\s↳]+", " ", text).strip().removesuffix(".")[:_MOST_WORDS]


def _is_of_a_store(error: BaseException) -> bool:
    library = type(error).__module__.partition(".")[0]
    return isinstance(error, OSError) or library in {"botocore", "aiobotocore", "aiohttp", "gcsfs", "google", "azure", "adlfs"}


@contextmanager
def legible(table_uri: str) -> Iterator[None]:
    """Turn what the table format raises about a table that it reads into one sentence, but that there is none."""
    try:
        yield
    except TableNotFoundError:
        raise
    except (DeltaError, OSError) as error:
        if isinstance(error, OSError) and kind_of(table_uri):
            raise store_error(table_uri, error) from None
        raise DamagedError(f"{table_uri}: its Delta log can't be read ({tidied(error)})") from error


@contextmanager
def translated(table_uri: str) -> Iterator[None]:
    """Turn what the table format raises about a table that it writes into one sentence."""
    try:
        yield
    except CommitFailedError as error:
        raise ConflictError(f"{table_uri}: another run has changed the table meanwhile; run the command again") from error
    except (DeltaError, OSError) as error:
        if isinstance(error, OSError) and kind_of(table_uri):
            raise store_error(table_uri, error) from None
        if "missing file" in str(error):  # to go back to a finished load takes all of its files
            raise of_a_file(error) or DamagedError(f"{table_uri}: a file of the lake is gone ({tidied(error)})") from error
        raise LakeError(
            f"{table_uri}: can't be written ({tidied(error)}); the lake is as it was, run the command again"
        ) from error
