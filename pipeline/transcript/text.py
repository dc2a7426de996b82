"""A conversation as text for a terminal or a file: a header, then a line for each event."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pipeline.text import counted, duration
from pipeline.transcript.conversation import COMMENT, EVENT, INFO, Conversation, Event, Row, named

if TYPE_CHECKING:
    from datetime import date

_WIDEST_NAME = 20
_LEAST_TEXT = 24


def header_of(conversation: Conversation) -> list[tuple[str, str]]:
    """The header's labels and values; what is not known is left out."""
    row = conversation.header
    start, end = row["local_start_time"], row["local_end_time"]
    waits = [f"{duration(row['queue_seconds'])} at first"] if row["queue_seconds"] is not None else []
    if row["transfer_queue_seconds"]:
        waits.append(f"{duration(row['transfer_queue_seconds'])} after transfers")
    scores = [f"{row[f'mcs_{name}']:g} at {name}" for name in ("first", "last") if row[f"mcs_{name}"] is not None]
    of = ", ".join(filter(None, (row["source_device"], row["source_origin"])))
    found = {
        "account": _both(row["account_name"], row["account_id"]),
        "channel": ", ".join(filter(None, (row["type"], of))),
        "began": f"{start:%Y-%m-%d %H:%M:%S} ({conversation.clock}){_reason(row, 'start')}" if start else None,
        "ended": f"{end:%Y-%m-%d %H:%M:%S}{_after(row)}{_reason(row, 'end')}" if end else None,
        "skill": _both(row["skill_name"], row["skill_id"]),
        "agent": _both(row["agent_name"], row["agent_id"]),
        "waited": ", ".join(waits),
        "transfers": f"{row['transfer_count']:,}" if row["transfer_count"] else None,
        "MCS": f"{row['mcs']:g}" + (f" ({', '.join(scores)})" if scores else "") if row["mcs"] is not None else None,
        "first reply": None if row["first_reply_seconds"] is None else f"after {duration(row['first_reply_seconds'])}",
        "campaign": _both(row["campaign_name"], row["campaign_id"]),
        "page": " ".join(filter(None, (row["start_page"], row["start_url"]))),
        "consumer": row["consumer_id"],
        "visitor": row["visitor_id"],
    }
    return [(label, value) for label, value in found.items() if value]


def _both(name: str | None, ident: object) -> str | None:
    if ident is None or name in {None, str(ident)}:
        return name or (None if ident is None else str(ident))
    return f"{name} ({ident})"


def _reason(row: Row, which: str) -> str:
    label = row[f"{which}_reason_label"]
    return f": {label}" if label else ""


def _after(row: Row) -> str:
    return "" if row["duration_seconds"] is None else f", after {duration(row['duration_seconds'])}"


def lines_of(conversation: Conversation, width: int) -> Iterator[str]:
    """The lines of a conversation, no wider than `width` where that leaves room for a text."""
    yield f"conversation {_in_line(conversation.header['conversation_id'])}"
    pairs = header_of(conversation)
    broad = max(len(label) for label, _ in pairs) + 2
    for label, value in pairs:
        yield from _wrapped(f"{label:<{broad}}", _in_line(value), width)
    yield ""
    names = min(_WIDEST_NAME, max((len(event.name) for event in conversation.events), default=0))
    day: date | None = None
    for event in conversation.events:
        if event.time and event.time.date() != day:
            if day:
                yield f"{event.time:%Y-%m-%d}"
            day = event.time.date()
        yield from _lines(event, names, width)


def _lines(event: Event, names: int, width: int) -> Iterator[str]:
    time = f"{event.time:%H:%M:%S}" if event.time else ""
    gap = "" if event.gap_seconds is None or abs(event.gap_seconds) < 1 else f"+{duration(event.gap_seconds)}"
    score = "" if event.mcs is None else f"{event.mcs:g}"
    before = f"{time:<8}  {gap:>12}  "
    if event.who == EVENT:
        yield from _wrapped(before, f"-- {_in_line(event.text)}", width)
        return
    name = f"({event.who})" if event.who in {INFO, COMMENT} and not event.name else _in_line(event.name)
    name = textwrap.shorten(name, names, placeholder="…") if len(name) > names else name
    note = "(comment) " if event.who == COMMENT else ""
    yield from _wrapped(f"{before}{name:<{names}}  {score:>4}  ", f"{note}{event.text}", width)


def _in_line(name: str) -> str:
    """A name or an id on one line, since its line ends could feign lines of somebody else."""
    return " ".join(name.split())


def _wrapped(before: str, text: str, width: int) -> Iterator[str]:
    """A text behind `before`, further lines below it; its own line ends stay."""
    room = max(width - len(before), _LEAST_TEXT)
    lines = [part for line in text.splitlines() or [""] for part in textwrap.wrap(line, room) or [""]]
    yield f"{before}{lines[0]}".rstrip()
    for line in lines[1:]:
        yield f"{' ' * len(before)}{line}".rstrip()


def found_lines(rows: list[Row], width: int, words: Sequence[str] = ()) -> Iterator[str]:
    """The lines of found conversations: id, time and channel, then who had it and how it went, then the line that matched.

    The last is cut to the width around the first of the words, or the row's `matched`, if it has one.
    """
    for row in rows:
        began = f"{row['local_time']:%Y-%m-%d %H:%M}" if row["local_time"] else "at an unknown time"
        yield "  ".join(filter(None, (_in_line(row["conversation_id"]), began, row["type"])))
        skill, agent = (
            named(kind, row[f"{kind}_id"], row[f"{kind}_name"]) if row[f"{kind}_id"] is not None else None
            for kind in ("skill", "agent")
        )
        transfers = counted(row["transfer_count"], "transfer") if row["transfer_count"] else None
        length = duration(row["duration_seconds"]) if row["duration_seconds"] is not None else None
        score = f"MCS {row['mcs']:g}" if row["mcs"] is not None else None
        whose = ", ".join(filter(None, (row["account_name"], skill, agent)))
        how = ", ".join(filter(None, (row["outcome"], transfers, length, score)))
        yield f"    {_in_line(': '.join(filter(None, (whose, how))))}"
        if row["line"] is not None:
            more = row["line_count"] - 1
            others = f" (and {counted(more, 'more line')})" if more else ""
            said_at = f"{row['said_at']:%H:%M:%S} " if row["said_at"] else ""
            before = f"    {said_at}{_in_line(row['said_by'] or '')}: "
            room = max(width - len(before) - len(others), _LEAST_TEXT)
            yield f"{before}{_excerpt(row['line'], [row.get('matched') or '', *words], room)}{others}"


def _excerpt(text: str, wanted: Sequence[str], room: int) -> str:
    """A text on one line; one that is too long is cut around the first of the words wanted."""
    line = " ".join(text.split())
    if len(line) <= room:
        return line
    lower = line.lower()
    at = min((place for word in wanted if word and (place := lower.find(" ".join(word.split()).lower())) >= 0), default=0)
    begin = max(0, min(at - room // 3, len(line) - room))
    end = begin + room
    first, last = ("…" if begin else ""), ("…" if end < len(line) else "")
    return f"{first}{line[begin + len(first) : end - len(last)]}{last}"
