"""Messages of a run on standard error: as text, or for programs as JSON, an object a line."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import click

from pipeline.processes import tell_end_as
from pipeline.text import harmless, harmless_json

INFO: Final = "info"
WARNING: Final = "warning"
ERROR: Final = "error"


class _Log:
    """The form of the messages of this process, and the run that they are of."""

    def __init__(self) -> None:
        self.is_json = False
        self.run_id: str | None = None
        self.heading = ""
        self.where = ""
        self.account: str | None = None
        self.end: tuple[str, Mapping[str, Any]] | None = None
        """The level and the fields of the last object."""


_log: Final = _Log()  # one, because each message of a run goes the same way, from wherever it comes


def say(message: str, level: str = INFO) -> None:
    """Print a message to standard error."""
    if _log.is_json:
        _write(message.strip(), level)
        return
    heading, _log.heading = _log.heading, ""
    if heading and level == ERROR:
        message = f"{message} ({_log.where})"
    elif heading:
        click.echo(harmless(heading), err=True)
    click.echo(harmless(message), err=True)


def warn(message: str) -> None:
    """Print a message to standard error that asks for attention."""
    say(message, WARNING)


def event(message: str, level: str = INFO, **fields: Any) -> None:
    """Write an event, in the JSON form alone: as text, progress and summary tell of it."""
    if _log.is_json:
        _write(message, level, **fields)


@contextmanager
def about(account: str | None) -> Iterator[None]:
    """Let the messages in the block be about an account; the JSON form alone says so."""
    former, _log.account = _log.account, account
    try:
        yield
    finally:
        _log.account = former


def begin_run(what: str, where: str, account: str | None, fields: Mapping[str, Any]) -> None:
    """Begin the log of a run, whose only account is named, with its command, and its accounts, lake and time.

    As text both come before the next message, and the second at the end of an error that is the only one: an error is one
    sentence. A terminal is not told: its user has just called the command.
    """
    _log.account, message = account, f"{what}: {where}"
    if _log.is_json:
        _write(message, INFO, **fields)
    elif not sys.stderr.isatty():
        _log.heading, _log.where = message, where


def name_run(run_id: str) -> None:
    """Let the objects of the log name a run, also if it fails before it begins."""
    _log.run_id = run_id


def at_end(level: str, **fields: Any) -> None:
    """Keep the last object of the log, which follows the error by which a run may end."""
    _log.end = level, fields


def finish() -> None:
    """Write the last object of the log, if there is one."""
    end, _log.end = _log.end, None
    if end:
        event("ended", end[0], **end[1])


def is_json() -> bool:
    """Whether messages are objects, among which nothing else has a place."""
    return _log.is_json


def _write(message: str, level: str, **fields: Any) -> None:
    click.echo(_line(message, level, **fields), err=True)


def _line(message: str, level: str, **fields: Any) -> str:
    moment = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = {"time": moment, "level": level, "run": _log.run_id, "account": _log.account, **fields, "message": message}
    return harmless_json(json.dumps({name: value for name, value in line.items() if value is not None}))


def _stopped(text: str) -> str:
    """The last lines of a run that a signal ends."""
    said = _line(f"lakehouse: {text}", ERROR)
    return "\n".join((said, _line("ended", _log.end[0], **_log.end[1]))) if _log.end else said


def _use(context: click.Context, _: click.Parameter, form: str) -> None:
    _forget()
    _log.is_json = form == "json"
    if _log.is_json:
        tell_end_as(_stopped)
    context.call_on_close(_forget)  # a process may run several commands


def _forget() -> None:
    _log.is_json, _log.run_id, _log.heading, _log.account = False, None, "", None
    _log.end = None
    tell_end_as()


with_log_format: Final = click.option(
    "--log-format",
    type=click.Choice(("text", "json")),
    default="text",
    show_default=True,
    expose_value=False,
    callback=_use,
    is_eager=True,
    help="How messages are written: json is an object a line, with time, level, run, account and file.",
)
