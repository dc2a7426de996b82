"""The accounts that a sync fetches: each has its settings in a file NAME.env, in a table of a file NAME.toml, or in `.env`.

In a file of TOML a secret is the name of a variable, of the environment or `.env`, or of a file; it stands there itself only if
no other user can read it. All other settings come from the environment and `.env`, and hold for all accounts.
"""

import os
import re
import stat
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.errors import SettingsError
from pipeline.settings import (
    NEEDED,
    OF_AN_ACCOUNT,
    Credentials,
    Settings,
    checked_account_id,
    checked_base_url,
    env_file_lines,
    env_file_warnings,
    line_number,
    one_variable,
    read_settings,
)

_MOST_SECRET_BYTES: Final = 16 << 10
_MOST_FILE_BYTES: Final = 4 << 20  # of a file of TOML: thousands of accounts
_VARIABLES: Final = {name.removeprefix("LP_").lower(): name for name in sorted(OF_AN_ACCOUNT)}
"""The keys of an account's table, and the settings that they stand for."""
_REQUIRED: Final = sorted(name for name, variable in _VARIABLES.items() if variable in NEEDED)
_PLAIN: Final = frozenset({"account_id", "base_url"})
_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
"""A name of a variable as names are written; another text may be a key in the wrong place, and is not shown."""
_KEY: Final = re.compile(r"[a-z]+(_[a-z]+)*")
_AT_LINE: Final = re.compile(r"\(at line (\d+), column \d+\)$")
_AT_END: Final = "(at end of document)"
_REFERENCE: Final = '{ env = "NAME" } or { file = "PATH" }'


@dataclass(frozen=True)
class Account:
    """The settings of an account, whatever they come from: `where` tells that, and is empty for `.env` and the environment."""

    where: str
    settings: Settings
    warnings: tuple[str, ...] = ()
    refers: frozenset[str] = frozenset()
    """The names of the variables that its keys are in."""

    @property
    def credentials(self) -> Credentials:
        """The keys that sign its requests.

        Raises:
            SettingsError: one is missing, or the account id or base URL is malformed.
        """
        return self.settings.credentials(self.where)


def account_paths(given: Iterable[Path]) -> tuple[Path, ...]:
    """The files and folders of accounts: those given, else those of LP_ACCOUNTS; none if the settings can't be read."""
    if paths := tuple(given):
        return paths
    try:
        named = read_settings().lp_accounts
    except SettingsError:  # a command that needs one says so
        return ()
    return tuple(Path(path.strip()) for path in named.split(os.pathsep) if path.strip())


def read_accounts(paths: Iterable[Path]) -> list[Account]:
    """The accounts of files and folders; without any path the one of `.env` and the environment.

    Raises:
        SettingsError: one of them can't be read.
    """
    return _all_good(each_account(paths)) or [Account("", read_settings(), tuple(env_file_warnings()))]


def own_accounts(paths: Iterable[Path], tell: Callable[[str], None]) -> frozenset[str]:
    """The ids of the accounts of files and folders, else of the one of the settings; none if these can't be read.

    Readers need no keys: what a table refers to is not read. An account whose settings are wrong is told, and left out, since
    the others are to be watched all the same.
    """
    if found := _each_told(paths, tell):
        return frozenset(account.settings.lp_account_id for account in found)
    try:
        return frozenset(filter(None, [read_settings().lp_account_id]))
    except SettingsError:
        return frozenset()


def _each_told(paths: Iterable[Path], tell: Callable[[str], None]) -> list[Account]:
    good = []
    try:
        for account in each_account(paths, needs_keys=False):
            if isinstance(account, Account):
                good.append(account)
            else:
                tell(str(account))
    except SettingsError as error:  # a folder without files
        tell(str(error))
    return good


def _all_good(accounts: Iterable[Account | SettingsError]) -> list[Account]:
    good = []
    for account in accounts:
        if isinstance(account, SettingsError):
            raise account
        good.append(account)
    return good


def each_account(paths: Iterable[Path], *, needs_keys: bool = True) -> Iterator[Account | SettingsError]:
    """The accounts of files and folders, and for one that can't be read, or came before, the error.

    Raises:
        SettingsError: a folder has no file of an account.
    """
    places: dict[str, str] = {}
    for found in _each(paths, needs_keys=needs_keys):
        if isinstance(found, Account) and (account_id := found.settings.lp_account_id):
            other = places.setdefault(account_id, found.where)
            if other != found.where:
                yield SettingsError(f"{found.where}: the account {account_id} is in {other}, too; leave one of them out")
                continue
        yield found


def _each(paths: Iterable[Path], *, needs_keys: bool) -> Iterator[Account | SettingsError]:
    for file in _files(paths):
        try:
            if file.suffix.lower() == ".toml":
                yield from _accounts_of_toml(file, needs_keys=needs_keys)
            else:
                yield Account(str(file), read_settings(_variables_of_env_file(file)), tuple(env_file_warnings(file)))
        except SettingsError as error:
            yield error


def _files(paths: Iterable[Path]) -> list[Path]:
    """The files of accounts: those named, and of folders those whose names end with .env, each once."""
    found: dict[Path, Path] = {}
    for path in paths:
        inside = [path] if not path.is_dir() else sorted(one for one in path.glob("*.env") if not one.name.startswith("."))
        if not inside:
            raise SettingsError(f"{path}: expected files with the settings of an account, NAME.env each, found none")
        for file in inside:
            found.setdefault(file.resolve(), file)
    return list(found.values())


def _variables_of_env_file(path: Path) -> dict[str, str | None]:
    """The settings of an account in its file; of a line that is none, which can be part of a key, the number is told alone."""
    if not path.is_file():
        raise SettingsError(f"{path}: expected a file with the settings of an account, a line NAME=value each, found none")
    lines = [line for line in env_file_lines(path) if line.error or line.key is not None]
    if garbled := [line for line in lines if line.error or line.value is None]:
        raise SettingsError(f"{path}: line {line_number(garbled[0])}: expected NAME=value, found something else; correct it")
    if others := [line for line in lines if (line.key or "").upper() not in OF_AN_ACCOUNT]:
        raise SettingsError(
            f"{path}: line {line_number(others[0])}: expected a setting of an account, {', '.join(sorted(OF_AN_ACCOUNT))}, "
            "found another name; put others into .env, where they hold for all accounts"
        )
    found = {(line.key or "").upper(): line.value for line in lines}
    if missing := sorted(name for name in NEEDED if not (found.get(name) or "").strip()):
        raise SettingsError(
            f"{path}: {', '.join(missing)} not set; write NAME=value into it: an account's settings come from its file alone"
        )
    return found


def _accounts_of_toml(path: Path, *, needs_keys: bool) -> Iterator[Account | SettingsError]:
    """The accounts of a file of TOML, a table each; of a syntax error, whose line can have a key, the number is told alone."""
    if not path.exists():
        raise SettingsError(f"{path}: there is no such file; expected one of accounts, a table [NAME] each")
    text, mode = _read(path, _MOST_FILE_BYTES)
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        line = _AT_LINE.search(str(error))
        where = f"line {line[1]}: " if line else "its end: " if str(error).endswith(_AT_END) else ""
        raise SettingsError(f"{path}: {where}expected TOML, found something else; correct it") from None  # it has the text
    if not tables:
        raise SettingsError(f"{path}: expected a table [NAME] for each account, found none")
    for name, table in tables.items():
        where = f"{path}: {name}"
        try:
            yield _Table(path.parent, mode, table).read(where, needs_keys=needs_keys)
        except SettingsError as error:
            yield SettingsError(f"{where}: {error}")


class _Table:
    """The table of an account, in a file of this folder and mode."""

    def __init__(self, folder: Path, mode: int, table: object) -> None:
        self._folder = folder
        self._mode = mode
        self._table = table
        self._warnings: list[str] = []
        self._refers: list[str] = []

    def read(self, where: str, *, needs_keys: bool) -> Account:
        """The account, with warnings; without the keys if they are not needed.

        Raises:
            SettingsError: a key is missing, unknown or wrong.
        """
        table = self._table
        if not isinstance(table, dict):
            raise SettingsError("expected a table, [NAME] above the settings of an account, found a value outside of one")
        if unknown := sorted(table.keys() - _VARIABLES.keys()):
            shown = ", ".join(name for name in unknown if _KEY.fullmatch(name)) or "a name"
            raise SettingsError(f"{shown}: expected only {', '.join(_VARIABLES)}; correct it or take it out")
        if missing := [name for name in _REQUIRED if name not in table]:
            raise SettingsError(f"{', '.join(missing)} not set: an account's settings come from its table alone")
        found = {name: self._plain(name, table[name]) for name in table if name in _PLAIN}
        if needs_keys:
            found |= {name: self._secret(name, table[name]) for name in table if name not in _PLAIN}
        settings = read_settings({_VARIABLES[name]: value for name, value in found.items()})
        return Account(where, settings, tuple(self._warnings), frozenset(self._refers))

    def _plain(self, name: str, value: object) -> str:
        """The id or the base URL; errors name the key as it is written here."""
        if not isinstance(value, str) or not value.strip():
            raise SettingsError(f"{name}: expected a text in quotes, found {'none' if value == '' else 'another value'}")
        try:
            return checked_account_id(value.strip()) if name == "account_id" else checked_base_url(value.strip())
        except SettingsError as error:
            raise SettingsError(str(error).replace(_VARIABLES[name], name)) from None

    def _secret(self, name: str, value: object) -> str:
        """A secret that is referred to, or stands in the file."""
        if isinstance(value, str):
            if self._mode & 0o077:
                raise SettingsError(
                    f"{name}: it stands in a file that others can read (its mode is {self._mode:o}); run chmod 600 on the "
                    f"file, or refer to it by {_REFERENCE}"
                )
            found, source = value.strip(), "in the file"
        else:
            found, source = self._referred(name, value)
        if not found:
            raise SettingsError(f"{name}: expected a key {source}, found none")
        if not found.isprintable():
            raise SettingsError(f"{name}: expected plain text {source}, found control characters; copy it anew")
        return found

    def _referred(self, name: str, value: object) -> tuple[str, str]:
        """The secret in a variable or a file, and words for that place."""
        match value:
            case {"env": str(variable), **others} if variable and not others:
                self._refers.append(variable)
                shown = variable if _NAME.fullmatch(variable) else "that it names"
                return one_variable(variable), f"in the variable {shown} of the environment or .env"
            case {"file": str(path), **others} if path and not others:
                file = self._folder / path
                if not (file.exists() or {"/", "."} & {*path}):  # it may be a key in the wrong place
                    raise SettingsError(f"{name}: expected the path of a file, found a name that no file here has; correct it")
                try:
                    text, mode = _read(file, _MOST_SECRET_BYTES)
                except SettingsError as error:
                    raise SettingsError(f"{name}: {error}") from None
                if mode & stat.S_IROTH:
                    self._warnings.append(f"{file}: others can read it (its mode is {mode:o}); run chmod 600 {file}")
                return text.strip(), f"in {file}"
        raise SettingsError(f"{name}: expected {_REFERENCE}, or a text in quotes, found another value")


def _read(path: Path, most_bytes: int) -> tuple[str, int]:
    """The text of a file, and its mode; a link leads to one.

    Raises:
        SettingsError: it is no file, such as a pipe that gives nothing, or too long, or no text, or can't be read.
    """
    try:
        # A pipe that nobody writes to would keep a blocking open for ever.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as stream:
            mode = os.fstat(stream.fileno()).st_mode
            content = stream.read(most_bytes + 1) if stat.S_ISREG(mode) else None
    except OSError as error:
        raise SettingsError(
            f"{path}: cannot be read ({error.strerror}); give yourself read permission or correct it"
        ) from error
    except ValueError:  # a NUL in the path
        raise SettingsError("expected the path of a file, found a text that can be none; correct it") from None
    if content is None:
        raise SettingsError(f"{path}: expected a file, found a pipe or a device; name another one")
    if len(content) > most_bytes:
        raise SettingsError(f"{path}: expected at most {most_bytes:,} bytes, found more; name another file")
    try:
        return content.decode("utf-8-sig"), stat.S_IMODE(mode)
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: expected UTF-8 text, found other bytes; save it as UTF-8") from None  # it has the text
