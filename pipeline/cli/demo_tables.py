"""The tables of the demo, for a terminal or a log: queue time by day and by skill, and the distribution of MCS."""

from collections.abc import Callable, Sequence

import duckdb
from rich.console import Console
from rich.table import Table
from rich.text import Text

NONE = "(none)"
NAME_WIDTH = 20
BAR_WIDTH = 36
LAST_BUCKET = 90
EIGHTHS = " ▏▎▍▌▋▊▉"

LAST_DAYS = """\
select date, account_id, type, people_entry_count, people_queue_p50_seconds, people_queue_p90_seconds, people_abandoned_share
from queue_time_daily
where people_entry_count > 0
and date in (select distinct date from queue_time_daily where people_entry_count > 0 order by date desc limit 7)
order by date, account_id, type"""

SKILLS = """\
select
    account_id,
    case when is_bot then 'bot: ' else '' end || coalesce(skill_name, skill_id::varchar, '(none)'),
    type,
    entry_count,
    queue_p50_seconds,
    queue_p90_seconds,
    abandoned_share
from queue_time_by_skill
order by account_id, is_bot, entry_count desc, skill_id, type
limit 20"""

DAYS_TITLE = "Queue time by day (UTC): waits of those answered by people"
SKILLS_TITLE = "Queue time by skill, all days"

MCS_BUCKETS = """\
select bucket, sum(conversation_count)::bigint
from mcs_distribution
group by bucket
order by bucket"""

HAS_VIEW = "select count(*) > 0 from information_schema.tables where table_name = 'queue_time_daily'"


def print_tables(connection: duckdb.DuckDBPyConnection, console: Console) -> None:
    """Print queue time of the last 7 days with queue entries of people, that of skills, and a histogram of MCS.

    All fit in 80 columns.
    """
    has_view = connection.execute(HAS_VIEW).fetchall() == [(True,)]
    days = connection.execute(LAST_DAYS).fetchall() if has_view else []
    if not days:
        console.print("There are no conversations in this lake yet: lakehouse sync, load or demo brings some.")
        return
    console.print(_queue_table(DAYS_TITLE, ("date", "account"), days, console))
    console.print()
    console.print(_queue_table(SKILLS_TITLE, ("account", "skill"), connection.execute(SKILLS).fetchall(), console))
    console.print()
    console.print(_mcs_table(dict(connection.execute(MCS_BUCKETS).fetchall()), ascii_only=console.options.ascii_only))


def _queue_table(title: str, keys: tuple[str, str], rows: Sequence[tuple[object, ...]], console: Console) -> Table:
    """A row for each pair of keys and kind of conversation; a first key that comes again is left out."""
    width = min(NAME_WIDTH, console.width // 4)
    table = Table(title=title, title_justify="left", box=None)
    for heading in keys:
        table.add_column(heading, max_width=width, no_wrap=True, overflow="crop")
    table.add_column("type", overflow="fold")
    for heading in ("entries", "p50", "p90", "abandoned"):
        table.add_column(heading, justify="right", overflow="fold")
    previous: object = ()
    for first, second, kind, entries, p50, p90, abandoned in rows:
        table.add_row(
            "" if first == previous else _safe(first, console.encoding),
            _safe(second, console.encoding),
            _safe(kind, console.encoding),
            f"{entries:,}",
            _number(p50, lambda seconds: f"{seconds:,.1f} s"),
            _number(p90, lambda seconds: f"{seconds:,.1f} s"),
            _number(abandoned, lambda share: f"{100 * share:.1f} %"),
        )
        previous = first
    return table


def _mcs_table(buckets: dict[int, int], *, ascii_only: bool) -> Table:
    total = sum(buckets.values())
    table = Table(
        title=f"Meaningful Connection Score (MCS) of {total:,} scored conversations",
        title_justify="left",
        box=None,
        show_header=False,
    )
    table.add_column(justify="right")
    table.add_column(width=BAR_WIDTH, no_wrap=True, style="cyan")
    table.add_column(justify="right", overflow="fold")
    table.add_column(justify="right", overflow="fold")
    for bucket in range(0, LAST_BUCKET + 1, 10):
        count = buckets.get(bucket, 0)
        label = f"{bucket} to {bucket + 9}" if bucket < LAST_BUCKET else f"{bucket} to 100"
        bar = _bar(count / max(buckets.values(), default=1), ascii_only=ascii_only)
        table.add_row(label, bar, f"{count:,}", f"{100 * count / (total or 1):.1f} %")
    return table


def _bar(part: float, *, ascii_only: bool) -> str:
    """A bar of at most `BAR_WIDTH` characters, in steps of an eighth; only zero is empty."""
    eighths = max(round(part * BAR_WIDTH * 8), 1 if part else 0)
    if ascii_only:
        return "#" * -(-eighths // 8)
    return ("█" * (eighths // 8) + EIGHTHS[eighths % 8]).rstrip()


def _safe(found: object, encoding: str) -> Text:
    """A name in characters that a terminal prints."""
    name = str(found) if found else NONE
    printable = "".join(letter if letter.isprintable() else "?" for letter in name)
    return Text(printable.encode(encoding, "replace").decode(encoding))


def _number(value: object, form: Callable[[float], str]) -> str:
    return form(value) if isinstance(value, float) else "-"
