"""An account's source files, made on demand: any hour, any length of history, always the same bytes.

The file of an hour holds the visitor sessions that closed in it, one document a line, in closing order.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import zip_longest
from random import Random
from threading import Lock
from uuid import UUID
from zlib import compressobj

from pipeline.sandbox import encode, phrases
from pipeline.sandbox.account import HOUR_MS, Account
from pipeline.sandbox.dialogue import Transcript, write
from pipeline.sandbox.floor import Conversation, Visit, simulate

_NAME = re.compile(r"Engagement\.(\d{1,15})\.(\d{1,15})\.part-(\d{5})-0\.gz")
_GZIP = 31
_DEVICES = ("DESKTOP", "DESKTOP", "MOBILE", "MOBILE", "MOBILE", "TABLET", "NA", None)
_CHAT_ENDS = ((0.40, 201), (0.42, 202), (0.50, 205), (0.58, 208), (1.0, 210))
_MESSAGING_ENDS = ((0.62, 201), (0.64, 202), (0.74, 208), (1.0, 210))
_ABANDONED_ENDS = ((0.3, 205), (0.45, 208), (1.0, 210))
_BUSINESS_DAYS_LOCK = Lock()
_REQUEST, _TRANSFER = 0, 2


@dataclass(frozen=True, slots=True)
class _Record:
    """A conversation as a document has it; without an end reason of its own a person or the visitor ends it."""

    conversation: Conversation
    conversation_id: str
    start_reason_id: int = _REQUEST
    end_reason_id: int | None = None


def hour_file_names(account: Account, hour: datetime) -> list[str]:
    """Names of the files of the hour that `hour` (aware) lies in; none where no session closed."""
    start = _hour_ms(hour)
    parts = -(-_visit_count(account, start) // account.sessions_per_part)
    return [f"Engagement.{start}.{start + HOUR_MS}.part-{part:05d}-0.gz" for part in range(parts)]


def documents(account: Account, hour: datetime) -> Iterator[bytes]:
    """The documents of the hour that `hour` (aware) lies in, all parts, each a line without its line end."""
    for day, visit in _visits(account, _hour_ms(hour)):
        yield _document(account, day, visit)


def file_bytes(account: Account, name: str) -> bytes:
    """A source file as the API serves it: gzip of one document a line.

    Raises:
        FileNotFoundError: the account has no file of that name.
    """
    match = _NAME.fullmatch(name)
    start, end, part = (int(digits) for digits in match.groups()) if match else (1, 0, 0)
    chosen: list[tuple[date, Visit]] = []
    if start % HOUR_MS == 0 and end == start + HOUR_MS:
        first = part * account.sessions_per_part
        chosen = _visits(account, start)[first : first + account.sessions_per_part]
    if not chosen:
        msg = f"{name}: account {account.account_id} has no such file"
        raise FileNotFoundError(msg)
    # The header of a stream made this way has no time of its own, so that the bytes depend on the documents alone.
    packer = compressobj(6, wbits=_GZIP)
    lines = [packer.compress(_document(account, day, visit) + b"\n") for day, visit in chosen]
    return b"".join([*lines, packer.flush()])


def _hour_ms(hour: datetime) -> int:
    if hour.tzinfo is None:
        msg = "hour: expected a time with its zone"
        raise ValueError(msg)
    return int(hour.timestamp()) * 1000 // HOUR_MS * HOUR_MS


@lru_cache(maxsize=4)
def _visits(account: Account, start: int) -> list[tuple[date, Visit]]:
    """Visits that closed in an hour, from the business days that can reach into it, in closing order."""
    found = [(day, visit) for day in _days_of(account, start) for visit in _by_hour(account, day).get(start // HOUR_MS, ())]
    return sorted(found, key=lambda pair: (pair[1].closes, pair[0], pair[1].number))


def _visit_count(account: Account, start: int) -> int:
    return sum(_counts(account, day).get(start // HOUR_MS, 0) for day in _days_of(account, start))


def _days_of(account: Account, start: int) -> list[date]:
    # No session lasts a day. The hour may reach into the next business day where a zone is not whole hours from UTC.
    first, last = account.business_day(start), account.business_day(start + HOUR_MS - 1)
    return sorted({first - timedelta(days=1), first, last})


@lru_cache(maxsize=4096)
def _counts(account: Account, day: date) -> dict[int, int]:
    """Numbers of visits of a business day that closed in each hour: small enough to keep for the many hours of a listing."""
    return {hour: len(visits) for hour, visits in _by_hour(account, day).items()}


def _by_hour(account: Account, day: date) -> dict[int, list[Visit]]:
    # One thread plays a day while the others that want it wait, rather than each playing it.
    with _BUSINESS_DAYS_LOCK:
        return _play_day(account, day)


@lru_cache(maxsize=4)
def _play_day(account: Account, day: date) -> dict[int, list[Visit]]:
    hours: defaultdict[int, list[Visit]] = defaultdict(list)
    for visit in simulate(account, day):
        hours[visit.closes // HOUR_MS].append(visit)
    return dict(hours)


def _document(account: Account, day: date, visit: Visit) -> bytes:
    visitor_id = f"{account.number_for('visitor', visit.person):020x}"
    consumer_id = _uuid(account, "consumer", visit.person)
    visit_id = f"{account.number_for('visit', day.isoformat(), visit.number):016x}"
    engagements = ",".join(
        _engagement(account, record, consumer_id)
        for place, conversation in enumerate(visit.conversations)
        for record in _records(account, conversation, _conversation_id(account, day, visit, place))
    )
    record = encode.body(visit_id, visitor_id, account.account_id, engagements)
    starts = visit.conversations[0].legs[0].queue_start
    return encode.document(account.account_id, starts, visit.closes, record, is_tagged=account.is_tagged).encode()


def _conversation_id(account: Account, day: date, visit: Visit, place: int) -> str:
    """Unique over accounts and all time: a counter behind the account's number, or a UUID for messaging."""
    if visit.conversations[place].is_messaging:
        return _uuid(account, "conversation", day.isoformat(), visit.number, place)
    days = (day - date(1970, 1, 1)).days
    return f"{account.account_id}{days:06d}{visit.number * 2 + place:07d}"


def _uuid(account: Account, *parts: object) -> str:
    high, low = account.number_for("high", *parts), account.number_for("low", *parts)
    return str(UUID(int=high << 64 | low, version=4))


def _records(account: Account, conversation: Conversation, conversation_id: str) -> Iterator[_Record]:
    """The conversation as one record, or one a leg: the transfer between two ends the first and starts the second."""
    if not account.sends_legs:
        yield _Record(conversation, conversation_id)
        return
    for number, (leg, following) in enumerate(zip_longest(conversation.legs, conversation.legs[1:])):
        yield _Record(
            replace(conversation, seed=conversation.seed + number, legs=[replace(leg, reason=None)], ends=leg.ends),
            f"{conversation_id}-{number + 1}" if number else conversation_id,
            start_reason_id=_TRANSFER if number else _REQUEST,
            end_reason_id=following.reason if following else None,
        )


def _engagement(account: Account, record: _Record, consumer_id: str) -> str:
    conversation = record.conversation
    rng = Random(conversation.seed)
    transcript = write(conversation, record.conversation_id, rng)
    first, last = conversation.legs[0], conversation.legs[-1]
    page, url = _start_page(rng)
    is_messaging = conversation.is_messaging
    last_agent = next((leg.agent for leg in reversed(conversation.legs) if leg.agent is not None), None)
    # The vendor's page lists the skills of a conversation without an order of its own: here each once, as met.
    skills = dict.fromkeys(leg.skill_id for leg in conversation.legs)
    fields = encode.ConversationFields(
        type="MESSAGING" if is_messaging else "LIVE_CHAT",
        conversation_id=record.conversation_id,
        start_time=first.queue_start,
        interaction_start_time=encode.long(next((leg.queue_end for leg in conversation.legs if leg.agent), None)),
        end_time=conversation.ends,
        consumer_id=encode.string(consumer_id if is_messaging else None),
        is_interactive="true" if transcript.visitor_lines else "false",
        source_origin=("App", "Web", "SMS", "WhatsApp")[int(rng.random() * 4)] if is_messaging else "Web",
        source_device=encode.device(_DEVICES[int(rng.random() * len(_DEVICES))]),
        end_reason_id=record.end_reason_id or _end_reason(conversation, rng),
        campaign_data=_campaign(account, rng),
        agent_id=encode.string(last_agent.agent_id if last_agent else None),
        skill_id=last.skill_id,
        skills=",".join(map(str, skills)),
        start_reason_id=record.start_reason_id,
        start_page=page,
        start_url=url,
        transcripts=",".join(transcript.messages),
        transfers=_transfers(conversation, transcript, is_tagged=account.is_tagged),
        secure_forms=_secure_forms(conversation, rng),
        mcs=encode.mcs(transcript.mcs),
        queue_start_time=first.queue_start,
        queue_end_time=_queue_end(conversation, rng),
    )
    return encode.conversation(fields)


def _queue_end(conversation: Conversation, rng: Random) -> str:
    """The end of the first wait; visitors who gave up, or were moved, have one in half of the cases."""
    first = conversation.legs[0]
    if first.queue_end is None and rng.random() < 0.5:
        return encode.long(first.ends)
    return encode.long(first.queue_end)


def _end_reason(conversation: Conversation, rng: Random) -> int:
    gave_up = conversation.legs[-1].agent is None
    table = _ABANDONED_ENDS if gave_up else _MESSAGING_ENDS if conversation.is_messaging else _CHAT_ENDS
    pick = rng.random()
    return next(code for limit, code in table if pick < limit)


def _start_page(rng: Random) -> tuple[str, str]:
    if rng.random() < 0.08:
        return encode.NULL, encode.NULL
    title, path = phrases.PAGES[int(rng.random() * len(phrases.PAGES))]
    number = int(rng.random() * 10_000)
    facts = {
        "item": phrases.ITEMS[number % len(phrases.ITEMS)],
        "month": phrases.MONTHS[number % 12],
        "digits": f"{number:04d}",
        "count": number % 9,
        "order": number * 7919,
        "code": f"{number * 104729:X}",
    }
    return encode.text(title.format_map(facts)), encode.text(f"https://shop.example/{path.format_map(facts)}")


def _campaign(account: Account, rng: Random) -> str:
    if rng.random() < 0.25:
        return encode.NULL
    campaign_id = account.first_campaign_id + int(rng.random() ** 2 * 6) * 10
    return encode.campaign(campaign_id, campaign_id + 1 + int(rng.random() * 4))


def _transfers(conversation: Conversation, transcript: Transcript, *, is_tagged: bool) -> str:
    interactive = ""
    if is_tagged:
        interactive = f',"isInteractive":{{"boolean":{"true" if transcript.visitor_lines else "false"}}}'
    pieces = []
    for source, target in zip(conversation.legs, conversation.legs[1:], strict=False):
        to_agent = target.reason == 101 and target.agent is not None
        fields = encode.TransferFields(
            timestamp=source.ends,
            skill_id=source.skill_id,
            target_skill_id=target.skill_id,
            agent_id=encode.string(source.agent.agent_id if source.agent else None),
            target_agent_id=encode.string(target.agent.agent_id if to_agent and target.agent else None),
            reason=target.reason or 0,
            queue_start_time=target.queue_start,
            queue_end_time=encode.long(target.queue_end),
            is_interactive=interactive,
        )
        pieces.append(encode.transfer(fields))
    return ",".join(pieces)


def _secure_forms(conversation: Conversation, rng: Random) -> str:
    if rng.random() > 0.006 or conversation.legs[0].queue_end is None:
        return ""
    submitted = conversation.legs[0].queue_end + int((conversation.ends - conversation.legs[0].queue_end) * rng.random())
    return encode.secure_form(str(7000 + int(rng.random() * 9)), "Card payment", submitted_ms=submitted)
