"""Errors of a store's libraries and of the table format, turned into one sentence without secrets."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pipeline.errors import ConflictError, DamagedError, LakeError, PipelineError, SettingsError, StoreUnreachableError
from pipeline.failures import of_a_file
from pipeline.lake.file_systems import kind_of

_CREDENTIALS: Final = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "azure": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
_SECRET: Final = re.compile(r"^(AWS|AZURE|GOOGLE)_.*(KEY|TOKEN|SECRET|CONNECTION_STRING|PASSWORD)")
_LEAST_SECRET: Final = 6  # characters: no secret is shorter, and a shorter text would be found everywhere
_MOST_WORDS: Final = 300  # characters of a library's message
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


@contextmanager
def reaching(uri: str) -> Iterator[None]:
    """Turn errors of a store's libraries in the block into one sentence; errors of a folder stay as they are.

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
    """Turn a store's error into one sentence, with a remedy."""
    text = tidied(error)
    credentials = _CREDENTIALS[kind_of(uri) or "s3"]
    found = f"{type(error).__name__} {error}"
    if _NO_BUCKET.search(found):
        return LakeError(f"{uri}: there is no such bucket; create it, or correct the name")
    if _NO_CREDENTIALS.search(found):
        return SettingsError(f"{credentials} not set: put them into the environment or into .env in the working folder")
    if _REFUSED.search(found):
        return LakeError(f"{uri}: the store refuses access ({text}); check {credentials} and the rights that they have")
    if _UNREACHABLE.search(found):
        return StoreUnreachableError(
            f"{uri}: the store can't be reached ({text}); check the network and the endpoint, then run it again"
        )
    return LakeError(f"{uri}: the store failed ({text}); run the command again")


def tidied(error: BaseException) -> str:
    """The message of a library on one line, without colours, queries of URLs, and values of the store's secrets."""
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
    """Turn the table format's errors of reading into one sentence; that there is no table is raised as it is."""
    from deltalake.exceptions import DeltaError, TableNotFoundError

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
    """Turn the table format's errors of writing into one sentence."""
    from deltalake.exceptions import CommitFailedError, DeltaError

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
