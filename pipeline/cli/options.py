"""Shared by the commands: options, errors in one sentence, exit codes, the overview in the help."""

import ast
import contextlib
import functools
import inspect
import os
import re
import shlex
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from pipeline.cli.log import ERROR, finish, say, with_log_format
from pipeline.cli.streams import all_written, prepare_streams
from pipeline.errors import DamagedError, OutputError, PipelineError, SettingsError
from pipeline.processes import Stopped, end, raise_if_stopped, stoppable
from pipeline.text import harmless

if TYPE_CHECKING:
    from pipeline.lake.lake import Lake

FAILED: Final = 1
WRONG_USAGE: Final = 2
SET_ASIDE: Final = 3
MOST_ROWS: Final = 2**62
"""The most rows that an option can ask for."""
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)

_SECTIONS: Final = {
    "Try it, without an account": ("demo", "sandbox"),
    "Bring data in": ("doctor", "sync", "load", "status"),
    "Ask": ("sql", "find", "show", "report", "export", "names"),
    "Look after the lake": ("check", "verify", "compact", "upgrade", "rebuild", "erase"),
}


def _docstring(function: Callable[..., Any] | None) -> str | None:
    """The function's docstring, from its source: with -OO or PYTHONOPTIMIZE=2 Python keeps none."""
    with contextlib.suppress(OSError):  # there is no source
        if function:
            (written,) = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function)))).body
            return ast.get_docstring(written) if isinstance(written, ast.FunctionDef) else None
    return None


class Command(click.Command):
    """A command that refuses an option given twice, unless it takes several values; click would silently use the last one."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.help = self.help or _docstring(self.callback)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse options given twice, then parse."""
        given = self.make_parser(ctx).parse_args(list(args))[2]
        for option in dict.fromkeys(given):
            if isinstance(option, click.Option) and not (option.multiple or option.is_flag) and given.count(option) > 1:
                name = max(option.opts, key=len)
                raise click.UsageError(f"{name} takes one value and is given {given.count(option)} times; give it once", ctx)
        return super().parse_args(ctx, args)


@contextlib.contextmanager
def _usage_errors() -> Iterator[None]:
    """Escape control characters of the arguments in click's errors."""
    try:
        yield
    except click.ClickException as error:
        message = harmless(error.format_message())
        setattr(error, "format_message", lambda: message)  # noqa: B010  # override the message of this error object
        raise


class Overview(click.Group):
    """The group of all commands; its help lists them in the order of use."""

    command_class = Command

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.help = self.help or _docstring(self.callback)

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command or print help; if standard output fails, one sentence says so."""
        prepare_streams()
        try:
            with all_written():
                return super().main(*args, **options)
        except OutputError as error:
            say(f"lakehouse: {error}")
            raise SystemExit(FAILED) from None

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Parse the options before the command."""
        with _usage_errors():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Parse the command's arguments and run it."""
        with _usage_errors():
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's
        """Write each section with the first sentence of its commands' help."""
        for heading, names in _SECTIONS.items():
            with formatter.section(heading):
                formatter.write_dl([(f"{name:<7}", self.commands[name].get_short_help_str(formatter.width)) for name in names])


class Moment(click.ParamType[datetime]):
    """A day or a time in ISO 8601; without an offset it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Convert an argument to an aware time."""
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"expected a time such as 2026-11-02 or 2026-11-02T14:00Z, found {value!r}", param, ctx)
        try:
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except OverflowError:  # its offset leads out of the calendar
            moment = datetime.min.replace(tzinfo=UTC)
        if moment < _EARLIEST:
            self.fail(f"expected a time from {_EARLIEST:%Y} on, found {value!r}", param, ctx)
        return moment


class LocalMoment(click.ParamType[datetime]):
    """A day or a time in ISO 8601, on the account's clock."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Convert an argument to a time without a zone."""
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo:
            self.fail(f"expected a local time such as 2026-11-02 or 2026-11-02T14:00, found {value!r}", param, ctx)
        return moment


class Day(click.ParamType[date]):
    """A day in ISO 8601."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Convert an argument to a day."""
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"expected a day such as 2026-11-02, found {value!r}", param, ctx)


class Age(click.ParamType[timedelta]):
    """A span of time: 90m, 3h or 2d."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Convert an argument to a span of time."""
        found = re.fullmatch(r"([0-9]{1,5})([mhd])", value)
        if not found:
            self.fail(f"expected an age such as 90m, 3h or 2d, found {value!r}", param, ctx)
        return int(found[1]) * {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}[found[2]]


def show(path: object) -> None:
    """Print a path: without control characters on a terminal, unchanged elsewhere."""
    click.echo(harmless(str(path)) if sys.stdout.isatty() else path)


def next_command(words: str, name: str = "lakehouse") -> str:
    """A command that a message advises, on the same lake and accounts: with `--lake` and `--account` as this one."""
    context = click.get_current_context(silent=True)
    given = context.params if context else {}
    accounts = given.get("accounts", ()) if words in {"doctor", "sync"} or words.startswith("status") else ()
    options = [f"--account {shlex.quote(str(path))}" for path in accounts]
    if lake_uri := given.get("lake_uri"):
        options.append(f"--lake {shlex.quote(lake_uri)}")
    return " ".join([name, words, *options])


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Add `--debug`; without it errors are one sentence and no traceback."""

    @click.option("--debug", is_flag=True, help="Show the traceback of an error.")
    @functools.wraps(function)
    def run(*args: Any, debug: bool, **options: Any) -> None:
        os.umask(0o077)  # customers' texts are for the owner's eyes only
        try:
            with stoppable(function.__name__):
                _run(function, args, options, debug=debug)
        except Stopped as stopped:
            end(stopped.number)
        except KeyboardInterrupt:  # of a shell that was not at a prompt
            end(signal.SIGINT)
        finally:
            finish()

    return run


def _run(function: Callable[..., None], args: tuple[Any, ...], options: dict[str, Any], *, debug: bool) -> None:
    try:
        with all_written():
            function(*args, **options)
    except Exception as error:
        raise_if_stopped()
        if debug:
            raise
        code, text = ending(error, function.__name__)
        say(f"lakehouse: {text}", ERROR)
        raise SystemExit(code) from None
    except BaseException as error:
        if debug or type(error).__name__ != "PanicException":  # of a library in Rust, which is no Exception
            raise
        say(f"lakehouse: a library gave up: {error}; all finished loads are as they were: {_advice(function.__name__)}", ERROR)
        raise SystemExit(FAILED) from None


def ending(error: Exception, command: str) -> tuple[int, str]:
    """The exit code of a command that ends with this error, and its sentence, without a traceback."""
    if not isinstance(error, PipelineError | OSError):
        return FAILED, _last_resort(error, command)
    of_the_lake = _of_the_lake(error, command) if isinstance(error, OSError) else None
    return WRONG_USAGE if isinstance(error, SettingsError) else FAILED, of_the_lake or sentence(error)


def sentence(error: Exception) -> str:
    """The error's text; the command that it advises is one on the same lake."""
    if isinstance(error, DamagedError):
        return error.sentence(next_command(error.teller.removeprefix("lakehouse ")))
    return str(error)


def _last_resort(error: Exception, command: str) -> str:
    """A sentence for an unexpected error: of a file of the lake, of a query of ours on its data, or a bug."""
    from pipeline.failures import is_of_duckdb, without_values

    if message := _of_the_lake(error, command):
        return message
    if is_of_duckdb(error):
        return f"{without_values(error)}; a query of ours failed on the lake's data: {_advice(command)}"
    return f"{type(error).__name__}: {error}; this is a bug: run it again with --debug and report its output"


def _of_the_lake(error: Exception, command: str) -> str | None:
    """The sentence for an error of a file of the lake; None for other errors."""
    from pipeline.failures import of_a_file

    found = of_a_file(error)
    if isinstance(found, DamagedError) and command == "verify":
        return f"{found.found}; {_advice(command)}"
    return sentence(found) if found else None


def _advice(command: str) -> str:
    """The command that tells more about an error of this one."""
    return "run it again with --debug" if command == "verify" else f"run {next_command('verify --read-data')}, or --debug"


def on_lake(function: Callable[..., None]) -> Callable[..., None]:
    """Make a command on a lake, with `--lake` and `--debug`."""
    lake = click.option(
        "--lake", "lake_uri", metavar="URI", help="The lake: a folder or a bucket. [default: LAKE_URI, else ./lake]"
    )
    return lake(command(function))


def writing_to_lake(function: Callable[..., None]) -> Callable[..., None]:
    """Make a command that writes to a lake, with `--log-format`, `--lake` and `--debug`."""
    return with_log_format(on_lake(function))


def lake_of(lake_uri: str | None, paths: Sequence[str] = ()) -> "Lake":
    """The lake of the option or the settings; for URLs, also among `paths`, `.env` sets their stores' variables first."""
    from pipeline.lake.lake import Lake
    from pipeline.settings import export_store_settings, read_settings

    uri = lake_uri or read_settings().lake_uri
    if any("://" in place for place in (uri, *paths)):
        export_store_settings()
    return Lake(uri)


def existing_lake(lake_uri: str | None) -> "Lake":
    """The lake of the option or the settings, with data in it.

    Raises:
        LakeError: nothing was ever loaded there.
    """
    from pipeline.warehouse.database import no_lake

    lake = lake_of(lake_uri)
    with contextlib.suppress(DamagedError):  # then there is one, and the command may repair it
        if not lake.exists:
            raise no_lake(lake)
    return lake


def in_format(*forms: str, by_ending: bool = False) -> Callable[..., Any]:
    """Add the option `--format`; the first form is its default, unless the ending of `--output` tells another."""
    text = f"How to print it. [default: {'by the ending of FILE, else ' if by_ending else ''}{forms[0]}]"
    return click.option("--format", "form", type=click.Choice(forms), default=None if by_ending else forms[0], help=text)


on_engine: Final = click.option(
    "--engine", metavar="ADDRESS", help="A Dask cluster that reads the files: dask://host:8786. [default: this machine]"
)


def of_the_sandbox(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options of the sandbox: its port and its faults."""
    options = (
        click.option(
            "--port",
            type=click.IntRange(0, 65535),
            default=8080,
            show_default=True,
            metavar="N",
            help="Port on 127.0.0.1, 0 for any free one.",
        ),
        click.option(
            "--fault", "faults", multiple=True, metavar="NAME[:WORD...][=SHARE]", help="Misbehave; can be given several times."
        ),
        click.option("--list-faults", is_flag=True, help="List the faults: their names, what they strike, what they do."),
        click.option(
            "--seed",
            default=1,
            metavar="N",
            help="Which requests the faults strike; the same seed, the same ones. [default: 1]",
        ),
        click.option(
            "--latency-ms", type=click.IntRange(0), default=0, metavar="N", help="Wait before each answer, as a network does."
        ),
        click.option("--legs", is_flag=True, help="Send one record a leg of a conversation, as some accounts may."),
        click.option("--log", is_flag=True, help="Log every request on standard error."),
    )
    for option in reversed(options):
        function = option(function)
    return function
