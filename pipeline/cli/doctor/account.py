"""Checks of the Data Access API: settings, server, clock and credentials."""

import difflib
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pipeline.accounts import Account
from pipeline.api.client import DataAccessClient
from pipeline.api.limits import Limits
from pipeline.api.responses import utc_from_http_date
from pipeline.api.transport import MAX_CLOCK_SKEW_SECONDS, Transport, describe_skew
from pipeline.cli.doctor.finding import FAIL, OK, WARN, Finding
from pipeline.errors import SettingsError, SourceError
from pipeline.settings import (
    ENV_FILE,
    FIELDS,
    LOOPBACK_HOSTS,
    Settings,
    checked_base_url,
    env_file_names,
    env_file_warnings,
    is_url,
)
from pipeline.text import counted

_REGIONS: Final = tuple(f"{name}.da.liveperson.net" for name in ("va", "lo", "sy"))
_SECRETS: Final = ("lp_app_key", "lp_app_secret", "lp_access_token", "lp_access_token_secret")
_ELSEWHERE: Final = "settings come from the environment"
_LEAST_SECRET: Final = 8  # characters; those of LivePerson have 32
_LIMITS: Final = Limits(connect_seconds=4, read_seconds=6, attempts=1)
_SKEW_TO_TELL: Final = 30  # seconds


def about_env_file(referred: Collection[str]) -> Iterator[Finding]:
    """The source of the settings, and names that are nearly those of a setting, but those that accounts refer to."""
    warnings = list(env_file_warnings())
    for warning in warnings:
        yield Finding(".env", WARN, warning)
    if not warnings:
        where = f"{ENV_FILE.resolve()}, for its owner alone" if ENV_FILE.is_file() else f"none in {Path.cwd()}, {_ELSEWHERE}"
        yield Finding(".env", OK, where)
    known = [name.upper() for name in FIELDS]
    for name in sorted({*os.environ, *env_file_names()} - {*referred}):
        near = difflib.get_close_matches(name.upper(), known, 1, cutoff=0.8)
        if near and near[0] != name.upper():
            yield Finding("settings", WARN, f"{name} is no setting", f"correct it if {near[0]} is meant")


def about_heartbeat(settings: Settings) -> Iterator[Finding]:
    """Whether LP_PING_URL, if set, is a URL; nothing is sent to it, since a service would take that for a run."""
    if (url := settings.lp_ping_url.clear) and not is_url(url):
        yield Finding("heartbeat", WARN, "LP_PING_URL is no URL", "write one that begins with https://, or no run is told")


def about_account(account: Account) -> Iterator[Finding]:
    """Missing or implausible settings of an account; `about_env_file` tells the warnings of those of `.env`."""
    settings, where = account.settings, f"{account.where}: " if account.where else ""
    for warning in account.warnings if where else ():
        yield Finding("settings", WARN, warning)
    if settings.has_no_account:
        found = "no account is set up: lakehouse load works without, lakehouse sync does not"
        remedy = "set the variables that lakehouse sync --help names, or give doctor the --account of the sync"
        yield Finding("settings", WARN, found, remedy, lacks_account=True)
        if complaint := _complaint(lambda: checked_base_url(settings.lp_base_url)):
            yield Finding("settings", FAIL, complaint, is_setting=True)
        return
    wrong = dict.fromkeys(
        filter(None, (_complaint(settings.credentials), _complaint(lambda: checked_base_url(settings.lp_base_url))))
    )
    for complaint in wrong:
        yield Finding("settings", FAIL, f"{where}{complaint}", is_setting=True)
    odd = list(_odd_secrets(settings))
    yield from (replace(finding, found=f"{where}{finding.found}") for finding in odd)
    if not wrong and not odd:
        yield Finding("settings", OK, f"{where}account {settings.lp_account_id}, all four keys are set")


def _complaint(judge: Callable[[], object]) -> str | None:
    try:
        judge()
    except SettingsError as error:
        return str(error)
    return None


def _odd_secrets(settings: Settings) -> Iterator[Finding]:
    """Implausible keys; none of their characters is shown."""
    times = Counter(getattr(settings, name).clear for name in _SECRETS)
    for name in _SECRETS:
        value = getattr(settings, name).clear
        variable = name.upper()
        if not value:
            continue
        if not value.isascii() or re.search(r"[\s<>\"'…]|\.\.\.", value):
            found = f"{variable} holds a blank, a quote or another character that no key has"
            yield Finding("settings", WARN, found, "copy it anew, without the text around it")
        elif len(value) < _LEAST_SECRET:
            yield Finding("settings", WARN, f"{variable} has {len(value)} characters only", "copy it whole")
        elif times[value] > 1:
            yield Finding(
                "settings", WARN, f"{variable} is the same as another key", "copy each of the four from its own field"
            )


def about_api(account: Account) -> Iterator[Finding]:
    """The server, its clock, and the credentials; each only if the check before it is good.

    Without any setting of an account no server is asked: a lake of local files needs none.
    """
    for finding in _about_api(account.settings):
        yield replace(finding, found=f"{account.where}: {finding.found}") if account.where else finding


def _about_api(settings: Settings) -> Iterator[Finding]:
    if settings.has_no_account:
        yield Finding("server", WARN, "not asked, since no account is set")
        return
    try:
        base_url = checked_base_url(settings.lp_base_url)
    except SettingsError:
        return  # `about_settings` says so
    host = urlsplit(base_url).hostname or ""
    if host not in _REGIONS and host not in LOOPBACK_HOSTS:
        found = f"{host} is no known host of the vendor"
        yield Finding(
            "server", WARN, found, f"LP_BASE_URL is mostly one of {', '.join(f'https://{name}' for name in _REGIONS)}"
        )
    try:
        seconds, skew = _knock(base_url)
    except SourceError as error:
        yield Finding("server", FAIL, str(error))
        return
    yield Finding("server", OK, f"{host} answers in {seconds * 1000:.0f} ms")
    yield _clock(skew)
    try:
        credentials = settings.credentials()
    except SettingsError:
        found = "not tried, since settings are missing or wrong"
        yield Finding("credentials", WARN, found)
        return
    yield _access(DataAccessClient(credentials, base_url, limits=_LIMITS))


def _knock(base_url: str) -> tuple[float, float | None]:
    """Send an unsigned request; return the seconds until the answer, and this clock's lead on the server's in seconds."""
    transport = Transport(None, base_url, _LIMITS)
    sent, started = datetime.now(UTC), time.monotonic()
    with closing(transport), closing(transport.send(f"{base_url}/data_access_le", "the listing service")) as response:
        seconds = time.monotonic() - started
        theirs = utc_from_http_date(response.headers.get("Date"))
    # Their date is cut to seconds, and was written between request and answer.
    half = timedelta(seconds=seconds / 2 - 0.5)
    return seconds, (sent + half - theirs).total_seconds() if theirs else None


def _clock(skew: float | None) -> Finding:
    if skew is None:
        return Finding("clock", WARN, "the server tells no time", "see that this computer gets its own from a time server")
    if abs(skew) <= _SKEW_TO_TELL:
        return Finding("clock", OK, f"this computer's clock and the server's are {abs(skew):.0f} s apart")
    level = FAIL if abs(skew) > MAX_CLOCK_SKEW_SECONDS else WARN
    return Finding(
        "clock", level, describe_skew(skew), "signatures need the right time: set it, as by timedatectl set-ntp true"
    )


def _access(client: DataAccessClient) -> Finding:
    """Ask for the base resource and, by its engagement link, for the files of the last two hours."""
    now = datetime.now(UTC)
    try:
        with client:
            [*days] = client.list_days(now - timedelta(hours=2), now)
            for error in filter(None, (day.error for day in days)):
                raise error
            files = sum(len(day.files) for day in days)
    except SourceError as error:
        others = [name for name in _REGIONS if name != urlsplit(client.base_url).hostname]
        advice = f"an account of another region is at {' or '.join(others)}" if len(others) < len(_REGIONS) else ""
        return Finding("credentials", FAIL, str(error), advice)
    found = f"taken for account {client.account_id}, whose last two hours have {counted(files, 'file')} so far"
    return Finding("credentials", OK, found)
