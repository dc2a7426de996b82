"""The staff: agents with skills and shifts that follow the expected demand, and a bot at all hours."""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from math import fsum

from pipeline.sandbox.account import ASSISTANT, DAY_STARTS_AT, HOUR_MS, HUMAN_SKILLS, Account
from pipeline.sandbox.demand import expected_per_hour

SHIFT_HOURS = 8
# What a conversation takes of an agent's parallel places, on average: measured on simulated days.
_SECONDS_PER_CONVERSATION = 500.0
_MEAN_PLACES = 2.5
# In a smaller team everybody knows all skills, or a skill would have nobody for hours.
_LEAST_SPECIALISTS = 8
_NAMES = (
    "Anna", "Ben", "Chloé", "Daniel", "Elif", "Fatima", "Grace", "Hugo", "Ines", "Jörg", "Kwame", "Lucía", "Mark",
    "Nadia", "Owen", "Priya", "Quentin", "Rosa", "Søren", "Tom", "Uma", "Viktor", "Wendy", "Xin", "Yusuf", "Zoë",
)  # fmt: skip


@dataclass(frozen=True)
class Agent:
    """An agent, in at most `places` conversations at a time."""

    number: int
    agent_id: str
    name: str
    skill_ids: tuple[int, ...]
    places: int
    is_bot: bool = False


@dataclass(frozen=True)
class Shift:
    """An agent on duty; epoch milliseconds, the end is exclusive."""

    agent: Agent
    starts: int
    ends: int


@lru_cache(maxsize=4096)
def agent(account: Account, number: int) -> Agent:
    """The agent with that number, from 1 on: every second one knows all skills, the others of a large team all but one."""
    skill_ids = tuple(skill.skill_id for skill in HUMAN_SKILLS)
    if number % 2 == 0 and _team_size(account) >= _LEAST_SPECIALISTS:
        left_out = skill_ids[number // 2 % len(skill_ids)]
        skill_ids = tuple(skill_id for skill_id in skill_ids if skill_id != left_out)
    name = _NAMES[(number * 7 + account.number_for("names") % 26) % len(_NAMES)]
    agent_id = str(2_830_000_010 + account.number_for("agents") % 90_000 * 1000 + number * 2)
    return Agent(number, agent_id, name, skill_ids, places=2 + number % 2)


@lru_cache(maxsize=256)
def bot(account: Account) -> Agent:
    """The account's bot: it greets some visitors in business hours, and all of them outside."""
    agent_id = str(2_830_000_010 + account.number_for("agents") % 90_000 * 1000)
    return Agent(0, agent_id, "Nova (virtual assistant)", (ASSISTANT.skill_id,), places=1_000_000, is_bot=True)


def shifts(account: Account, day: date) -> list[Shift]:
    """The shifts of a business day; now and then a planned agent is ill."""
    rng = account.random_for("shifts", day.isoformat())
    starts = _planned_starts(account, day.weekday())
    team_size = len(team(account))
    midnight = account.day_start_ms(day) - DAY_STARTS_AT * HOUR_MS
    on_duty: list[Shift] = []
    for place, hour in enumerate(starts):
        # The team rotates, so that everybody has days off and nobody has only nights.
        who = agent(account, 1 + (place + day.toordinal() * 2) % team_size)
        # A small team always turns up.
        if rng.random() < 0.04 and len(starts) > 4:
            continue
        begin = midnight + hour * HOUR_MS
        on_duty.append(Shift(who, begin + int(rng.random() * 180_000), begin + SHIFT_HOURS * HOUR_MS))
    return on_duty


@lru_cache(maxsize=64)
def team(account: Account) -> tuple[Agent, ...]:
    """All agents of the account, without the bot."""
    return tuple(agent(account, number) for number in range(1, _team_size(account) + 1))


def _team_size(account: Account) -> int:
    largest = max(len(_planned_starts(account, weekday)) for weekday in range(7))
    return max(3, -(-largest * 7 // 5))


@lru_cache(maxsize=1024)
def _planned_starts(account: Account, weekday: int) -> tuple[int, ...]:
    """Local hours at which shifts begin: first one for every open hour, then wherever most is missing."""
    last = account.closes - SHIFT_HOURS
    starts = sorted({*range(account.opens, last, SHIFT_HOURS), last})
    per_place_hour = _SECONDS_PER_CONVERSATION / 3600 / account.load
    missing = [count * per_place_hour for count in expected_per_hour(account, weekday)]
    for start in starts:
        _take(missing, start)
    while True:
        best = max(range(account.opens, last + 1), key=lambda start: (_gain(missing, start), -start))
        if _gain(missing, best) < SHIFT_HOURS * _MEAN_PLACES * 0.4:
            return tuple(sorted(starts))
        starts.append(best)
        _take(missing, best)


def _gain(missing: list[float], start: int) -> float:
    return fsum(min(max(places, 0.0), _MEAN_PLACES) for places in missing[start : start + SHIFT_HOURS])


def _take(missing: list[float], start: int) -> None:
    for hour in range(start, start + SHIFT_HOURS):
        missing[hour] -= _MEAN_PLACES
