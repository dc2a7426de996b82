"""The contact centre's floor: visitors queue for agents with few places, so that waits follow from the load.

`simulate` plays one business day event by event: it pairs visitors and agents; `dialogue` writes their lines.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from heapq import heappop, heappush
from random import Random

from pipeline.sandbox.account import ASSISTANT, HUMAN_SKILLS, Account
from pipeline.sandbox.demand import arrivals
from pipeline.sandbox.staff import Agent, Shift, bot, shifts

TO_AGENT, TO_SKILL = 101, 106
_MOST_TRANSFERS = 2
# Together these keep every session under a day, so that an hour's file needs two business days at most.
_LONGEST_LEG_MS = 90 * 60_000
_LONGEST_PATIENCE_MS = 90 * 60_000
_LONGEST_PAUSED_MS = 10 * 3_600_000
# Of the visitors who have to wait, some look in for seconds only, and some are moved to another skill's queue.
_SHORT_SHARE = 0.06
_MOVED_SHARE = 0.15
# A messaging conversation that rests does not keep its agent's place.
_LONGEST_PLACE_MS = 14 * 60_000


@dataclass(slots=True)
class Leg:
    """One stretch of a conversation: waiting for a skill, then talking to one agent. Epoch milliseconds."""

    skill_id: int
    queue_start: int
    reason: int | None = None
    """Reason of the transfer: 101 to an agent, 106 to a skill; None for the first leg."""
    queue_end: int | None = None
    """None if the visitor gave up, or was moved to another queue."""
    agent: Agent | None = None
    ends: int = 0
    turns: int = 0


@dataclass(slots=True)
class Conversation:
    """One conversation as the floor saw it; epoch milliseconds."""

    seed: int
    person: int
    is_messaging: bool
    skill_id: int
    """The skill of the visitor's question, also if the bot answers first."""
    pace_seconds: float
    """One visitor line and its answer take about this long."""
    legs: list[Leg] = field(default_factory=list)
    ends: int = 0


@dataclass(slots=True)
class Visit:
    """A visitor session: one conversation, now and then a second one; `closes` in epoch milliseconds."""

    number: int
    person: int
    comes_again: bool
    conversations: list[Conversation] = field(default_factory=list)
    closes: int = 0


@dataclass(slots=True)
class _Desk:
    agent: Agent
    until: int
    since: int
    busy: int = 0


def simulate(account: Account, day: date) -> list[Visit]:
    """All visits that begin on a business day, in the order in which they close."""
    rng = account.random_for("floor", day.isoformat())
    floor = _Floor(account, rng, shifts(account, day))
    visits = []
    for number, moment in enumerate(arrivals(account, day)):
        visit = Visit(number, _person(account, rng, day, number), comes_again=rng.random() < 0.03)
        floor.at(moment, floor.arrive, visit)
        visits.append(visit)
    floor.run()
    for visit in visits:
        visit.closes = visit.conversations[-1].ends + 1_000 + int(rng.expovariate(1 / 20_000))
    return sorted(visits, key=lambda visit: (visit.closes, visit.number))


def _person(account: Account, rng: Random, day: date, number: int) -> int:
    """A number for the visitor: one in five is a regular, everybody else is met once."""
    if rng.random() < 0.2:
        return int(rng.random() ** 1.6 * account.conversations_per_day * 12)
    return day.toordinal() * 1_000_000 + number + 1_000_000_000


class _Floor:
    def __init__(self, account: Account, rng: Random, on_duty: Iterable[Shift]) -> None:
        self.account = account
        self.rng = rng
        self.bot = bot(account)
        self.events: list[tuple[int, int, Callable[..., None], tuple[object, ...]]] = []
        self.count = 0
        self.last_leaves = 0
        self.desks: dict[int, _Desk] = {}
        self.waiting: dict[int, deque[tuple[Visit, Conversation, Leg]]] = {s.skill_id: deque() for s in HUMAN_SKILLS}
        # Per skill the agents with a free place, least busy first, then longest idle; outdated entries are skipped.
        self.free: dict[int, list[tuple[int, int, int]]] = {s.skill_id: [] for s in HUMAN_SKILLS}
        for shift in on_duty:
            self.at(shift.starts, self.come_to_work, shift)

    def at(self, moment: int, action: Callable[..., None], *arguments: object) -> None:
        self.count += 1
        heappush(self.events, (moment, self.count, action, arguments))

    def run(self) -> None:
        while self.events:
            now, _, action, arguments = heappop(self.events)
            action(now, *arguments)

    def come_to_work(self, now: int, shift: Shift) -> None:
        self.desks[shift.agent.number] = desk = _Desk(shift.agent, shift.ends, now)
        self.last_leaves = max(self.last_leaves, shift.ends)
        self.offer(now, desk)

    def arrive(self, now: int, visit: Visit) -> None:
        rng = self.rng
        is_messaging = rng.random() < self.account.messaging_share
        pace = rng.lognormvariate(4.25, 0.35) * (2.2 if is_messaging else 1.0)
        conversation = Conversation(rng.getrandbits(48), visit.person, is_messaging, self.some_skill(), pace)
        visit.conversations.append(conversation)
        is_open = self.account.opens <= self.account.local_hour(now) < self.account.closes
        first = conversation.skill_id if is_open and rng.random() > 0.22 else ASSISTANT.skill_id
        self.enqueue(now, visit, conversation, Leg(first, now))

    def some_skill(self) -> int:
        pick = self.rng.random()
        for skill in HUMAN_SKILLS:
            pick -= skill.share
            if pick < 0:
                break
        return skill.skill_id

    def enqueue(self, now: int, visit: Visit, conversation: Conversation, leg: Leg) -> None:
        conversation.legs.append(leg)
        if leg.skill_id == ASSISTANT.skill_id:
            self.talk_to_bot(now, visit, conversation, leg)
            return
        desk = self.free_desk(now, leg.skill_id)
        if desk is not None:
            self.talk(now, desk, visit, conversation, leg)
            return
        entry = (visit, conversation, leg)
        queue = self.waiting[leg.skill_id]
        # A transferred visitor has waited before, and goes to the front.
        (queue.append if leg.reason is None else queue.appendleft)(entry)
        self.at(now + self.patience(conversation), self.give_up, *entry)
        if self.rng.random() < _MOVED_SHARE:
            self.at(now + 45_000 + int(self.rng.expovariate(1 / 90_000)), self.move, *entry)

    def patience(self, conversation: Conversation) -> int:
        """For how many milliseconds a visitor waits."""
        if self.rng.random() < _SHORT_SHARE:
            return 1_500 + int(self.rng.random() * 5_000)
        mean_ms = 1_500_000 if conversation.is_messaging else 420_000
        return min(_LONGEST_PATIENCE_MS, 8_000 + int(self.rng.expovariate(1 / mean_ms)))

    def free_desk(self, now: int, skill_id: int) -> _Desk | None:
        heap = self.free[skill_id]
        while heap:
            busy, since, number = heap[0]
            desk = self.desks[number]
            if desk.busy == busy and desk.since == since and busy < desk.agent.places and now < desk.until:
                return desk
            heappop(heap)
        return None

    def give_up(self, now: int, visit: Visit, conversation: Conversation, leg: Leg) -> None:
        if self.leaves_queue(visit, conversation, leg):
            self.close(now, visit, conversation, leg)

    def move(self, now: int, visit: Visit, conversation: Conversation, leg: Leg) -> None:
        """Move a visitor who still waits to the queue of another skill."""
        is_moved = len(conversation.legs) <= _MOST_TRANSFERS and self.is_staffed(now)
        if is_moved and self.leaves_queue(visit, conversation, leg):
            leg.ends = now
            self.enqueue(now, visit, conversation, Leg(self.another_skill(leg.skill_id), now, TO_SKILL))

    def leaves_queue(self, visit: Visit, conversation: Conversation, leg: Leg) -> bool:
        """Take a visitor out of a queue; False if an agent has answered, or another queue has the visitor."""
        if leg.agent is not None or leg.ends:
            return False
        self.waiting[leg.skill_id].remove((visit, conversation, leg))
        return True

    def another_skill(self, skill_id: int) -> int:
        others = [skill.skill_id for skill in HUMAN_SKILLS if skill.skill_id != skill_id]
        return others[int(self.rng.random() * len(others))]

    def close(self, now: int, visit: Visit, conversation: Conversation, leg: Leg) -> None:
        leg.ends = conversation.ends = now
        if visit.comes_again and len(visit.conversations) == 1:
            self.at(now + 20_000 + int(self.rng.expovariate(1 / 200_000)), self.arrive, visit)

    def offer(self, now: int, desk: _Desk) -> None:
        """Give an agent's free places to the longest waits."""
        while now < desk.until and desk.busy < desk.agent.places:
            queues = [self.waiting[skill_id] for skill_id in desk.agent.skill_ids if self.waiting[skill_id]]
            if not queues:
                break
            longest = min(queues, key=lambda queue: queue[0][2].queue_start)
            self.talk(now, desk, *longest.popleft())
        for skill_id in desk.agent.skill_ids:
            heappush(self.free[skill_id], (desk.busy, desk.since, desk.agent.number))

    def leave(self, now: int, desk: _Desk) -> None:
        desk.busy -= 1
        desk.since = now
        self.offer(now, desk)

    def talk(self, now: int, desk: _Desk, visit: Visit, conversation: Conversation, leg: Leg) -> None:
        rng = self.rng
        leg.agent, leg.queue_end = desk.agent, now + 1_500 + int(rng.random() * 6_000)
        leg.turns = max(1, round(rng.lognormvariate(1.2, 0.6)))
        # An agent with several visitors answers each a little later.
        seconds = 25 + leg.turns * conversation.pace_seconds * (0.9 + 0.08 * desk.busy)
        duration = min(_LONGEST_LEG_MS, int(seconds * 1000))
        place = min(duration, _LONGEST_PLACE_MS) if conversation.is_messaging else duration
        desk.busy += 1
        desk.since = now
        for skill_id in desk.agent.skill_ids:
            heappush(self.free[skill_id], (desk.busy, now, desk.agent.number))
        if conversation.is_messaging and len(conversation.legs) == 1 and not visit.comes_again and rng.random() < 0.15:
            duration = min(_LONGEST_PAUSED_MS, int(duration * rng.uniform(3, 15)))
        leg.ends = leg.queue_end + duration
        self.at(leg.queue_end + place, self.leave, desk)
        self.at(leg.ends, self.end_leg, visit, conversation, leg)

    def talk_to_bot(self, now: int, visit: Visit, conversation: Conversation, leg: Leg) -> None:
        leg.agent, leg.queue_end = self.bot, now + 400 + int(self.rng.random() * 900)
        leg.turns = 1 + int(self.rng.random() * 3)
        leg.ends = leg.queue_end + 6_000 + int(leg.turns * self.rng.uniform(12_000, 30_000))
        self.at(leg.ends, self.end_leg, visit, conversation, leg)

    def end_leg(self, now: int, visit: Visit, conversation: Conversation, leg: Leg) -> None:
        target = self.next_leg(now, conversation, leg)
        if target is None:
            self.close(now, visit, conversation, leg)
        else:
            self.enqueue(now, visit, conversation, target)

    def next_leg(self, now: int, conversation: Conversation, leg: Leg) -> Leg | None:
        """The next leg of a conversation; None at its end."""
        rng = self.rng
        if leg.skill_id == ASSISTANT.skill_id:
            needs_people = rng.random() < 0.45 and self.is_staffed(now)
            return Leg(conversation.skill_id, now, TO_SKILL) if needs_people else None
        is_long = leg.ends - leg.queue_start > 2 * _LONGEST_LEG_MS
        if rng.random() > 0.1 or len(conversation.legs) > _MOST_TRANSFERS or is_long or not self.is_staffed(now):
            return None
        if rng.random() < 0.4:
            return Leg(leg.skill_id, now, TO_AGENT)
        return Leg(self.another_skill(leg.skill_id), now, TO_SKILL)

    def is_staffed(self, now: int) -> bool:
        """Whether an agent is on duty for another quarter of an hour."""
        return now < self.last_leaves - 900_000
