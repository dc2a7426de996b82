"""The tables of the demo, for a terminal or a log: queues of people by day, queues by skill, the distribution of MCS.

Chat and messaging stand apart in each of them, and bots apart from people.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final

import duckdb
from rich.console import Console
from rich.table import Table
from rich.text import Text

NO_ACCOUNT: Final = "(none)"
ACCOUNT_WIDTH: Final = 14
SKILL_WIDTH: Final = 24
BAR_WIDTH: Final = 16
LAST_BUCKET: Final = 90
EIGHTHS: Final = " ▏▎▍▌▋▊▉"
TYPES: Final = {"LIVE_CHAT": "chat", "MESSAGING": "messaging"}

LAST_DAYS: Final = """\
select queue.date, account.account_name, queue.type, queue.people_entry_count, queue.people_queue_p50_seconds,
    queue.people_queue_p90_seconds, queue.people_abandoned_share
from queue_time_daily as queue
join accounts as account on account.account_id is not distinct from queue.account_id
where queue.date in (select distinct date from queue_time_daily order by date desc limit 7)
    and queue.people_entry_count > 0
order by queue.date, queue.account_id, queue.type"""

SKILLS: Final = """\
select account.account_name, coalesce(skill_name, 'skill ' || skill_id, '(none)') || if(is_bot, ' (bot)', ''), type,
    if(is_bot, entry_count, people_entry_count), if(is_bot, queue_p50_seconds, people_queue_p50_seconds),
    if(is_bot, queue_p90_seconds, people_queue_p90_seconds), if(is_bot, abandoned_share, people_abandoned_share)
from queue_time_by_skill as queue
join accounts as account on account.account_id is not distinct from queue.account_id
where is_bot or people_entry_count > 0
order by queue.account_id, type, is_bot, 4 desc, skill_id
limit 40"""

MCS_BUCKETS: Final = """\
select type, bucket, sum(people_conversation_count)::bigint, sum(bot_conversation_count)::bigint
from mcs_distribution
join accounts on accounts.account_id is not distinct from mcs_distribution.account_id
where mcs_scale = '0-100'
group by type, bucket
order by type nulls last, bucket"""

HAS_VIEW: Final = "select count(*) > 0 from information_schema.tables where table_name = 'queue_time_daily'"


def print_tables(connection: duckdb.DuckDBPyConnection, console: Console) -> None:
    """Print queue time of the last 7 days and by skill, and a histogram of MCS, in at most 80 columns."""
    has_view = connection.execute(HAS_VIEW).fetchall() == [(True,)]
    skills = connection.execute(SKILLS).fetchall() if has_view else []
    if not skills:
        console.print("There are no conversations in this lake yet: lakehouse sync, load or demo brings some.")
        return
    width = min(ACCOUNT_WIDTH, console.width // 4)
    days = [(str(date), *row) for date, *row in connection.execute(LAST_DAYS).fetchall()]
    console.print(_queue_table("Waits for people by day (UTC)", ("date", "account"), days, console, width))
    console.print()
    title = "Waits in queues by skill, bots apart"
    console.print(_queue_table(title, ("account", "skill"), skills, console, width))
    for kind, rows in groupby(connection.execute(MCS_BUCKETS).fetchall(), key=lambda row: row[0]):
        console.print()
        counted = list(rows)
        buckets = {bucket: count for _, bucket, count, _ in counted}
        bots = sum(count for *_, count in counted)
        console.print(_mcs_table(_kind(kind), buckets, bots, ascii_only=console.options.ascii_only))


def _queue_table(
    title: str, keys: Sequence[str], rows: Sequence[tuple[Any, ...]], console: Console, account_width: int
) -> Table:
    table = Table(
        title=f"{title}: p50 and p90 if answered", title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0)
    )
    widths = {"account": account_width, "skill": min(SKILL_WIDTH, console.width // 3)}
    for key in keys:
        table.add_column(key, max_width=widths.get(key), no_wrap=key in widths, overflow="crop" if key in widths else "fold")
    table.add_column("kind", no_wrap=True, overflow="crop")
    for heading in ("entries", "p50 s", "p90 s", "gave up"):
        table.add_column(heading, justify="right", overflow="fold")
    for first, second, kind, entries, p50, p90, abandoned in _without_repeats(rows):
        table.add_row(
            _safe(first, console.encoding),
            _safe(second, console.encoding),
            _safe(_kind(kind), console.encoding),
            f"{entries:,}",
            _number(p50, "{:,.1f}".format),
            _number(p90, "{:,.1f}".format),
            _number(abandoned, "{:.1%}".format),
        )
    return table


def _without_repeats(rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """The rows, with "" for a first value that stands in the row above, and NO_ACCOUNT for none."""
    former: tuple[Any, ...] = ()
    for row in rows:
        named = tuple(NO_ACCOUNT if value is None else value for value in row[:2]) + row[2:]
        yield ("", *named[1:]) if former[:1] == named[:1] else named
        former = named


def _mcs_table(kind: str, buckets: dict[int, int], bots: int, *, ascii_only: bool) -> Table:
    """Draw the scores of conversations that a person had last; the title tells how many a bot had."""
    total = sum(buckets.values())
    left_out = f" ({bots:,} of bots left out)" if bots else ""
    table = Table(
        title=f"MCS of {total:,} conversations of people, {kind}{left_out}",
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


def _kind(value: object) -> str:
    return TYPES.get(str(value), str(value)) if value else NO_ACCOUNT


def _bar(part: float, *, ascii_only: bool) -> str:
    """A bar of at most `BAR_WIDTH` characters, in steps of an eighth; only zero is empty."""
    eighths = max(round(part * BAR_WIDTH * 8), 1 if part else 0)
    if ascii_only:
        return "#" * -(-eighths // 8)
    return ("█" * (eighths // 8) + EIGHTHS[eighths % 8]).rstrip()


def _safe(name: object, encoding: str) -> Text:
    """A name in characters that a terminal prints."""
    printable = "".join(letter if letter.isprintable() else "?" for letter in str(name))
    return Text(printable.encode(encoding, "replace").decode(encoding))


def _number(value: object, form: Callable[[float], str]) -> str:
    return form(value) if isinstance(value, float) else "-"
