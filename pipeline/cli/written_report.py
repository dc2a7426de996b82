"""The report of a lake: written by itself, or at the end of a sync."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cli.log import ERROR, say
from pipeline.cli.options import ending
from pipeline.errors import DamagedError, PipelineError, SourceError
from pipeline.processes import raise_if_stopped

if TYPE_CHECKING:
    from pipeline.lake.lake import Lake
    from pipeline.report.choices import OpenSpan


def written_report(lake: "Lake", output: str | None = None, days: "OpenSpan" = (None, None)) -> Path:
    """Write the report of a lake, which opens at these days; gives its path."""
    from pipeline.report import chosen_path, report_path, write_report
    from pipeline.warehouse.database import connect
    from pipeline.warehouse.rules import find_rules

    target = chosen_path(lake, output) if output else report_path(lake)
    with connect(lake, say) as connection:
        write_report(connection, target, find_rules(lake).fault, days)
    return target


@contextmanager
def reported(lake: "Lake", show_path: Callable[[str], None]) -> Iterator[None]:
    """Write the report after the block, also if that set something aside, or an account failed; then it ends as it did.

    Raises:
        PipelineError: the report can't be written; the data are in.
    """
    ended: SourceError | SystemExit | None = None
    try:
        yield
    except (SourceError, SystemExit) as end:
        ended = end
    with suppress(DamagedError):  # then there is a lake, and the report tells
        if isinstance(ended, SourceError) and not lake.exists:
            raise ended
    try:
        show_path(str(written_report(lake)))
    except Exception as error:
        raise_if_stopped()
        fault = f"the data are in, but the report can't be written: {ending(error, 'report')[1]}"
        if not isinstance(ended, SourceError):
            raise PipelineError(fault) from error
        say(f"lakehouse: {fault}", ERROR)
    if ended:
        raise ended
