"""The settings: read once from the environment and a `.env` file, frozen, and silent about secrets.

The environment wins over `.env`. An empty or blank value counts as missing, blanks around a value do not belong to it.
Settings of the Data Access API are checked when a command asks for them (`Settings.credentials`), so that queries need none.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from dotenv.parser import Binding, parse_stream

from pipeline.errors import SettingsError

ENV_FILE: Final = Path(".env")
DEFAULT_BASE_URL = "https://va.da.liveperson.net"
_CERTIFICATES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
STORE_PREFIXES = ("AWS_", "AZURE_", "GOOGLE_")
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})

_ACCOUNT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Only characters of a host name: no parser reads it differently, and it can hide no user name or path.
_BASE_URL = re.compile(r"https?://(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:]+\])(?::[0-9]{1,5})?/?", re.IGNORECASE)
MOST_DOWNLOADS: Final = 32
_COUNT = re.compile(r"[0-9]{1,4}")
_SIZE = re.compile(r"(\d{0,18}\.?\d{1,18})\s*(?:([kmgtpe])(i?))?b?", re.IGNORECASE | re.ASCII)


class Secret:  # no dataclass: `asdict` of what holds it would show it
    """A text that shows as asterisks wherever it is printed; only `clear` gives it."""

    __slots__ = ("clear",)

    def __init__(self, clear: str = "") -> None:
        self.clear = clear

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.clear == other.clear

    def __hash__(self) -> int:
        return hash(self.clear)

    def __bool__(self) -> bool:
        return bool(self.clear)

    def __repr__(self) -> str:
        return "Secret(**********)" if self.clear else "Secret()"


_NO_SECRET: Final = Secret()


class Count(int):
    """A number of things at a time, from 1 to `MOST_DOWNLOADS`; no size."""


DOWNLOADS: Final = Count(8)
"""The most requests in flight by default: a sync then takes less than two thirds of the time of 4; more keep two cores busy."""

COMMIT_BYTES: Final = 256 << 20
"""Of the downloads of one commit of a sync: a run that dies has to download no more than that again."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The account and the four secrets that sign its requests; the secrets show as asterisks."""

    account_id: str
    app_key: Secret
    app_secret: Secret
    access_token: Secret
    access_token_secret: Secret
    where: str = field(default="", kw_only=True)
    """What they come from, if not from `.env` and the environment."""

    @property
    def secrets(self) -> tuple[str, str, str, str]:
        """The four in clear: key and secret of the app, then of its token."""
        return (
            self.app_key.clear,
            self.app_secret.clear,
            self.access_token.clear,
            self.access_token_secret.clear,
        )


@dataclass(frozen=True)
class Settings:
    """The settings, read by `read_settings`. Each field is the variable of its name."""

    lake_uri: str = "./lake"
    lake_history: str = ""
    lp_account_id: str = ""
    lp_app_key: Secret = _NO_SECRET
    lp_app_secret: Secret = _NO_SECRET
    lp_access_token: Secret = _NO_SECRET
    lp_access_token_secret: Secret = _NO_SECRET
    lp_base_url: str = DEFAULT_BASE_URL
    lp_accounts: str = ""
    """Files and folders of accounts, which hold if no option names any; between two of them stands what is in PATH."""
    lp_downloads: Count = DOWNLOADS
    """The most requests in flight at a time."""
    lp_max_listing_bytes: int = 32 << 20
    """The longest listing that is read; sizes may be written as `2GiB`, too."""
    lp_max_file_bytes: int = 2 << 30
    """The largest source file that is downloaded, as served."""
    lp_max_unpacked_bytes: int = 16 << 30
    """The most bytes of text in one source file, unpacked."""
    lp_max_document_bytes: int = 32 << 20
    """The longest document, since it is held in memory whole; a longer one is a reject."""
    lp_commit_bytes: int = COMMIT_BYTES
    lp_pgp_key: str = ""
    lp_pgp_passphrase: Secret = _NO_SECRET
    lp_ping_url: Secret = _NO_SECRET
    """The URL of a heartbeat, which lets those who know it feign one."""

    def credentials(self, where: str = "") -> Credentials:
        """Return the keys that sign the API client's requests; `where` is what they come from, if not from `.env`.

        Raises:
            SettingsError: settings are missing (the error names all), or the account id or base URL is malformed.
        """
        try:
            return replace(self._checked(), where=where)
        except SettingsError as error:
            raise SettingsError(f"{where}: {error}" if where else str(error)) from None

    def _checked(self) -> Credentials:
        if missing := self.missing():
            message = (
                f"{', '.join(missing)} not set: put NAME=value into .env in the working folder, or into the environment; "
                "lakehouse doctor then tells whether that is good"
            )
            raise SettingsError(message)
        # The values stay wrapped: a traceback that shows local variables shows these, too.
        if garbled := [name for name, value in self._needed().items() if not value.clear.isprintable()]:
            message = f"{', '.join(garbled)}: expected plain text, found control characters; copy it anew"
            raise SettingsError(message)
        checked_base_url(self.lp_base_url)
        return Credentials(
            account_id=checked_account_id(self.lp_account_id),
            app_key=self.lp_app_key,
            app_secret=self.lp_app_secret,
            access_token=self.lp_access_token,
            access_token_secret=self.lp_access_token_secret,
        )

    @property
    def has_no_account(self) -> bool:
        """Whether no setting of the Data Access API is set."""
        return len(self.missing()) == len(self._needed())

    def missing(self) -> list[str]:
        """The variables of the Data Access API that are not set."""
        return [name for name, value in self._needed().items() if not value]

    def _needed(self) -> dict[str, Secret]:
        return {
            "LP_ACCOUNT_ID": Secret(self.lp_account_id),
            "LP_APP_KEY": self.lp_app_key,
            "LP_APP_SECRET": self.lp_app_secret,
            "LP_ACCESS_TOKEN": self.lp_access_token,
            "LP_ACCESS_TOKEN_SECRET": self.lp_access_token_secret,
        }


NEEDED: Final = frozenset(("LP_ACCOUNT_ID", "LP_APP_KEY", "LP_APP_SECRET", "LP_ACCESS_TOKEN", "LP_ACCESS_TOKEN_SECRET"))
OF_AN_ACCOUNT: Final = NEEDED | {"LP_BASE_URL"}
FIELDS: Final[Mapping[str, type]] = {field.name: field.default.__class__ for field in fields(Settings)}
"""The kind of each setting: text, `Secret`, `Count`, or number of bytes."""


def read_settings(of_account: Mapping[str, str | None] | None = None) -> Settings:
    """Read the environment and `.env` in the working folder, which need not exist.

    The settings of an account are those of `of_account` alone, if there are any: keys of two accounts never mix.

    Raises:
        SettingsError: a file cannot be read, or a value is no text, no size or no count. Values are not repeated.
    """
    given = _filled(_env_file()) | _filled(os.environ)
    if of_account:
        others = {name: value for name, value in given.items() if name.upper() not in OF_AN_ACCOUNT}
        given = others | _filled(of_account)
    if absent := sorted(name for name, value in given.items() if value is None):
        raise SettingsError(f"{', '.join(absent).upper()}: expected a text, found none; write NAME=value, in .env too")
    read = {name: _read(FIELDS[name], (value or "").strip()) for name, value in given.items()}
    if wrong := sorted(name for name, value in read.items() if value is None):
        counts = [name for name in wrong if FIELDS[name] is Count]
        kind = f"a whole number from 1 to {MOST_DOWNLOADS}" if counts else "a size such as 500MB or 2GiB"
        raise SettingsError(f"{', '.join(counts or wrong).upper()}: expected {kind}, found another value")
    return Settings(**read)


def one_setting(field: str) -> str:
    """The text of one setting, which counts also where another one is wrong; "" if it is not set."""
    given = _filled(os.environ)
    with suppress(SettingsError):
        given = _filled(_env_file()) | given
    return (given.get(field) or "").strip()


def one_variable(name: str) -> str:
    """The text of a variable of the environment, else of `.env`; "" if it is not set, or `.env` can't be read."""
    if found := os.environ.get(name, "").strip():
        return found
    with suppress(SettingsError):
        return (_env_file().get(name) or "").strip()
    return ""


def _read(kind: type, value: str) -> Any:
    """The value of a setting of that kind; None if it is no size, or no count."""
    if kind is Count:
        return Count(value) if _COUNT.fullmatch(value) and 1 <= int(value) <= MOST_DOWNLOADS else None
    if kind is not int:
        return kind(value)
    found = _SIZE.fullmatch(value)
    if found is None:
        return None
    number, prefix, is_binary = found.groups()
    power = "kmgtpe".index(prefix.lower()) + 1 if prefix else 0
    return int(Decimal(number) * (1024 if is_binary else 1000) ** power) or None


def _filled(variables: Mapping[str, str | None]) -> dict[str, str | None]:
    """Our variables with a value, by their fields; a name without `=` stays, to be refused."""
    names = {name: name.lower() for name in variables if name.lower() in FIELDS}
    return {
        field: variables[name] for name, field in names.items() if (variables[name] or "").strip() or variables[name] is None
    }


def _env_file(path: Path = ENV_FILE) -> dict[str, str | None]:
    """The variables of `.env`, or of a file like it, taken literally: a `$` in a secret is no reference to a variable."""
    return {line.key: line.value for line in env_file_lines(path) if line.key is not None}


def env_file_lines(path: Path) -> list[Binding]:
    """The lines of a file, those of one value together; none if there is none, or a folder, as an environment of Python is."""
    try:
        with path.open(encoding="utf-8-sig") as stream:
            lines = list(parse_stream(stream))
    except (FileNotFoundError, IsADirectoryError):
        return []
    except UnicodeDecodeError:
        message = f"{path}: expected UTF-8 text, found other bytes; save it as UTF-8"
        raise SettingsError(message) from None  # The original carries the values.
    except OSError as error:
        message = f"{path}: cannot be read ({error.strerror}); give yourself read permission or move it away"
        raise SettingsError(message) from error
    if garbled := [line.key for line in lines if line.key is not None and "\0" in f"{line.key}{line.value}"]:
        names = ", ".join(name.replace("\0", "?") for name in garbled)
        raise SettingsError(f"{path}: {names}: expected plain text, found a NUL character; copy it anew")
    return lines


def line_number(line: Binding) -> int:
    """The number of a line of a file; the parser counts blank ones above to it."""
    text = line.original.string
    return line.original.line + text[: -len(text.lstrip())].count("\n")


def env_file_names() -> list[str]:
    """The names of all variables in `.env`.

    Raises:
        SettingsError: it can't be read.
    """
    return list(_env_file())


def env_file_warnings(path: Path = ENV_FILE) -> Iterator[str]:
    """Warnings if others than its owner can read or change `.env`, or a file like it, and if a line of it is not understood.

    Raises:
        SettingsError: it cannot be read.
    """
    lines = [line_number(line) for line in env_file_lines(path) if line.error]
    mode = path.stat().st_mode if path.exists() else 0
    if mode & 0o077:
        yield f"{path}: others can read it (its mode is {mode & 0o777:o}); run chmod 600 {path}"
    if lines:
        yield f"{path}: line {lines[0]} is not NAME=value, and sets nothing; correct it, or make it a comment by #"


def export_store_settings() -> None:
    """Copy the variables of object stores from `.env` to the environment, where their libraries look; the environment wins.

    A command, `pipeline.open` and a worker do so at their start; nothing else changes the environment. The variables are those
    that begin with AWS_, AZURE_ or GOOGLE_. A blank one counts as missing. A region of S3 goes by both of its names, since some
    libraries know one and some the other.

    Raises:
        SettingsError: `.env` cannot be read.
    """
    variables = _env_file()
    for name in [name for name, value in os.environ.items() if name.startswith(STORE_PREFIXES) and not value.strip()]:
        del os.environ[name]
    for name, value in variables.items():
        if name.startswith(STORE_PREFIXES) and value and value.strip():
            os.environ.setdefault(name, value.strip())
    for name, other in (("AWS_REGION", "AWS_DEFAULT_REGION"), ("AWS_DEFAULT_REGION", "AWS_REGION")):
        if name in os.environ:
            os.environ.setdefault(other, os.environ[name])


def certificates_of_env_file() -> str | None:
    """The file of certificates that `.env` names for HTTPS, if any.

    Raises:
        SettingsError: `.env` cannot be read.
    """
    variables = _env_file()
    return next((value.strip() for name in _CERTIFICATES if (value := variables.get(name)) and value.strip()), None)


def checked_account_id(account_id: str) -> str:
    """Return `account_id` if it can stand in a URL path and a file path as it is, else raise SettingsError."""
    if not _ACCOUNT_ID.fullmatch(account_id):
        message = "LP_ACCOUNT_ID: expected only letters, digits, _ and -, as in 75555851; look it up at LivePerson"
        raise SettingsError(message)
    return account_id


def is_url(text: str) -> bool:
    """Whether a text is a URL of HTTP."""
    try:
        return urlsplit(text).scheme in {"http", "https"} and bool(urlsplit(text).hostname)
    except ValueError:
        return False


def checked_base_url(base_url: str) -> str:
    """Return `base_url` without a closing slash; raise SettingsError unless it is https, or http to loopback."""
    expected = f"LP_BASE_URL: expected https:// and a host only, as in {DEFAULT_BASE_URL} (http only to loopback)"
    try:
        parts = urlsplit(base_url if _BASE_URL.fullmatch(base_url) else "")
        possible = bool(parts.hostname) and parts.port != 0
    except ValueError:
        possible = False
    if not possible:
        message = f"{expected}, found something else; leave it out for the default"
        raise SettingsError(message)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK_HOSTS:
        message = f"{expected}, found http to {parts.hostname}; write https"
        raise SettingsError(message)
    return f"{parts.scheme}://{parts.netloc.lower()}"
