"""The settings: read once from the environment and a `.env` file, frozen, and silent about secrets.

The environment wins over `.env`. An empty or blank value counts as missing, blanks around a value do not belong to it.
What only the Data Access API needs is judged when a command asks for it (`Settings.credentials`), so that a lake can be
queried without any of it.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import BeforeValidator, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipeline.errors import SettingsError

DEFAULT_BASE_URL = "https://va.da.liveperson.net"
STORE_PREFIXES = ("AWS_", "AZURE_", "GOOGLE_")
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})

_ACCOUNT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Only what a host can be made of: nothing here can be read in two ways, and no user name or path hides in it.
_BASE_URL = re.compile(r"https?://(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:]+\])(?::[0-9]{1,5})?/?", re.IGNORECASE)


def _stripped(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


_Text = Annotated[str, BeforeValidator(_stripped)]
_Secret = Annotated[SecretStr, BeforeValidator(_stripped)]


@dataclass(frozen=True, slots=True)
class Credentials:
    """The account and the four secrets that sign its requests; the secrets show as asterisks."""

    account_id: str
    app_key: SecretStr
    app_secret: SecretStr
    access_token: SecretStr
    access_token_secret: SecretStr


class Settings(BaseSettings):
    """What the environment and `.env` say; made by `read_settings`. Each field is the variable of its name."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8-sig",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    lake_uri: _Text = "./lake"
    lp_account_id: _Text = ""
    lp_app_key: _Secret = SecretStr("")
    lp_app_secret: _Secret = SecretStr("")
    lp_access_token: _Secret = SecretStr("")
    lp_access_token_secret: _Secret = SecretStr("")
    lp_base_url: _Text = DEFAULT_BASE_URL
    lp_pgp_key: _Text = ""
    lp_pgp_passphrase: _Secret = SecretStr("")

    def credentials(self) -> Credentials:
        """Give what the API client signs with.

        Raises:
            SettingsError: settings are missing (all of them are named), or the account or the base URL cannot be one.
        """
        needed = {
            "LP_ACCOUNT_ID": self.lp_account_id,
            "LP_APP_KEY": self.lp_app_key.get_secret_value(),
            "LP_APP_SECRET": self.lp_app_secret.get_secret_value(),
            "LP_ACCESS_TOKEN": self.lp_access_token.get_secret_value(),
            "LP_ACCESS_TOKEN_SECRET": self.lp_access_token_secret.get_secret_value(),
        }
        if missing := [name for name, value in needed.items() if not value]:
            message = f"{', '.join(missing)} not set: put them into the environment or into .env in the working folder"
            raise SettingsError(message)
        if garbled := [name for name, value in needed.items() if not value.isprintable()]:
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


def read_settings() -> Settings:
    """Read the environment and `.env` in the working folder, which need not exist.

    Raises:
        SettingsError: `.env` cannot be read, or a value is no text. Values are not repeated.
    """
    try:
        with _env_file_errors():
            settings = Settings()
    except ValidationError as error:
        names = sorted({str(detail["loc"][0]).upper() for detail in error.errors(include_input=False)})
        message = f"{', '.join(names)}: expected a text, found none; write NAME=value, in .env too"
        raise SettingsError(message) from None  # The original carries the values.
    # Blank is missing: where a default exists, it holds.
    blank = {name: field.default for name, field in Settings.model_fields.items() if getattr(settings, name) == ""}
    return settings.model_copy(update=blank)


def export_store_settings() -> None:
    """Put what `.env` says of object stores into the environment, where their libraries look; what stands there wins.

    They are the variables that begin with AWS_, AZURE_ or GOOGLE_. A blank one counts as missing. A region of S3 goes by both
    of its names, since some libraries know one and some the other.

    Raises:
        SettingsError: `.env` cannot be read.
    """
    with _env_file_errors():
        said = dotenv_values(".env", encoding="utf-8-sig")
    for name in [name for name, value in os.environ.items() if name.startswith(STORE_PREFIXES) and not value.strip()]:
        del os.environ[name]
    for name, value in said.items():
        if name.startswith(STORE_PREFIXES) and value and value.strip():
            os.environ.setdefault(name, value.strip())
    for name, other in (("AWS_REGION", "AWS_DEFAULT_REGION"), ("AWS_DEFAULT_REGION", "AWS_REGION")):
        if name in os.environ:
            os.environ.setdefault(other, os.environ[name])


@contextmanager
def _env_file_errors() -> Iterator[None]:
    try:
        yield
    except ValidationError:  # A ValueError, as the next one; the caller says what it means.
        raise
    except UnicodeDecodeError:
        message = ".env: expected UTF-8 text, found other bytes; save it as UTF-8"
        raise SettingsError(message) from None  # The original carries the values.
    except OSError as error:
        message = f".env: cannot be read ({error.strerror}); give yourself read permission or move it away"
        raise SettingsError(message) from error


def checked_account_id(account_id: str) -> str:
    """Return `account_id` if it can stand in a URL path and a file path as it is, else raise SettingsError."""
    if not _ACCOUNT_ID.fullmatch(account_id):
        message = "LP_ACCOUNT_ID: expected only letters, digits, _ and -, as in 75555851; look it up at LivePerson"
        raise SettingsError(message)
    return account_id


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
