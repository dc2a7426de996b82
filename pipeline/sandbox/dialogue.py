"""The lines of a conversation: believable texts, typing times and a score that follows the mood."""

from base64 import urlsafe_b64encode
from collections.abc import Iterator
from math import fsum
from random import Random
from typing import NamedTuple

from pipeline.sandbox import encode, phrases
from pipeline.sandbox.account import ASSISTANT, HUMAN_SKILLS, Skill
from pipeline.sandbox.floor import Conversation, Leg
from pipeline.sandbox.staff import Agent

_UNANSWERED_SHARE = 0.015
VISITOR, AGENT, CONTROL, AGENT_URL, AGENT_HTML, COMMENT = "0", "1", "2", "3", "4", "5"
_SKILLS: dict[int, Skill] = {skill.skill_id: skill for skill in (*HUMAN_SKILLS, ASSISTANT)}


class _Voice(NamedTuple):
    """The speaker, as JSON text: the values of `by` and `agentId`."""

    name: str
    agent_id: str


_SYSTEM = _Voice('"info"', encode.string("0"))
_CONTROL_TYPE = encode.string("4")


class Line(NamedTuple):
    """One transcript line before it has a time: `effect` is its change of the score."""

    type: str
    text: str | None
    content_format: str = "TEXT_PLAIN"
    file_data: str = encode.NULL
    link_data: str = encode.NULL
    effect: float = 0.0


class Transcript(NamedTuple):
    """The finished lines (JSON text), the score 0 to 100 or None, and how many lines the visitor wrote."""

    messages: list[str]
    mcs: int | None
    visitor_lines: int


def write(conversation: Conversation, conversation_id: str, rng: Random) -> Transcript:
    """The transcript of a conversation; the same `rng` state gives the same words."""
    writer = _Writer(conversation, conversation_id, rng)
    writer.write()
    return Transcript(writer.messages, writer.final_score(), writer.visitor_lines)


class _Writer:
    def __init__(self, conversation: Conversation, conversation_id: str, rng: Random) -> None:
        self.conversation = conversation
        self.rng = rng
        self.facts = _facts(rng)
        self.visitor = _Voice(encode.quoted(self.facts["visitor"]), encode.NULL)
        self.message_ids = _message_ids(rng)
        self.mood = rng.gauss(0.0, 1.0)
        self.score = 63.0 + 13.0 * self.mood - _wait_penalty(conversation)
        self.is_scored = any(leg.agent for leg in conversation.legs) and rng.random() > 0.08
        self.scores: list[float] = []
        self.messages: list[str] = []
        self.visitor_lines = 0
        self.dialog = encode.string(conversation_id if conversation.is_messaging else None)
        # Who opens a chat and then never writes: a connected conversation that is not interactive.
        first = conversation.legs[0]
        is_human_chat = first.agent is not None and not first.agent.is_bot and not conversation.is_messaging
        self.is_silent = is_human_chat and len(conversation.legs) == 1 and rng.random() < 0.05
        self.has_opened = False

    def write(self) -> None:
        conversation = self.conversation
        start = conversation.legs[0].queue_start
        self.add(start + 1, Line(CONTROL, "Welcome! A representative will be with you shortly.", "Text"), _SYSTEM)
        self.write_while_waiting(conversation.legs[0])
        for place, leg in enumerate(conversation.legs):
            if leg.agent is not None and leg.queue_end is not None:
                lines = self.leg_lines(leg, leg.agent, is_last=place + 1 == len(conversation.legs))
                self.set_times(lines, leg.queue_end, leg.ends, leg.agent)
            if place + 1 < len(conversation.legs):
                text = f"You are being transferred to {_SKILLS[conversation.legs[place + 1].skill_id].name}."
                self.add(leg.ends, Line(CONTROL, text, "Text"), _SYSTEM)
        self.add(conversation.ends, Line(CONTROL, "The conversation has ended.", "Text"), _SYSTEM)

    def write_while_waiting(self, leg: Leg) -> None:
        waited = (leg.queue_end or leg.ends) - leg.queue_start
        if self.is_silent:
            return
        if self.conversation.is_messaging or (waited > 15_000 and self.rng.random() < 0.3):
            self.has_opened = True
            self.add(leg.queue_start + min(waited - 1, 2_000 + int(self.rng.random() * 9_000)), self.opening(), _SYSTEM)
        if waited > 100_000 and self.rng.random() < 0.35:
            late = leg.queue_start + int(waited * self.rng.uniform(0.5, 0.95))
            self.add(late, Line(VISITOR, self.some(phrases.WAITING), effect=-3.0), _SYSTEM)

    def leg_lines(self, leg: Leg, agent: Agent, *, is_last: bool) -> list[Line]:
        """The lines of one leg, in order, still without times."""
        self.facts["agent"] = agent.name
        lines = [Line(CONTROL, f"You are now talking to {agent.name}.", "Text")]
        if not (agent.is_bot or self.is_silent) and self.rng.random() < _UNANSWERED_SHARE:
            return [*lines, *self.unanswered_lines()]
        if agent.is_bot:
            lines.append(Line(AGENT, self.some(phrases.BOT_GREETINGS)))
        else:
            lines.append(Line(AGENT, self.some(phrases.GREETINGS)))
        if self.is_silent:
            return [*lines, *(Line(AGENT, self.filled(text)) for text in phrases.STILL_THERE)]
        for turn in range(leg.turns):
            self.add_turn(lines, turn / leg.turns, agent)
        if not agent.is_bot and self.rng.random() < 0.1:
            lines.insert(3 + int(self.rng.random() * (len(lines) - 3)), Line(COMMENT, self.some(phrases.COMMENTS)))
        if not is_last:
            self.facts["team"] = "the team"
            lines.append(Line(AGENT, self.some(phrases.HANDOVERS), effect=-2.5))
        elif not agent.is_bot and self.rng.random() < 0.8:
            lines.append(Line(AGENT, self.some(phrases.CLOSINGS), effect=1.0))
        return lines

    def unanswered_lines(self) -> list[Line]:
        """The visitor's lines to an agent who has the conversation and never writes."""
        first = Line(VISITOR, self.some(phrases.FACTS)) if self.has_opened else self.opening()
        self.has_opened = True
        return [first, *(Line(VISITOR, self.some(phrases.WAITING), effect=-6.0) for _ in range(2))]

    def add_turn(self, lines: list[Line], progress: float, agent: Agent) -> None:
        rng = self.rng
        if self.has_opened:
            lines.append(self.reply(progress))
        else:
            self.has_opened = True
            lines.append(self.opening())
        if rng.random() < 0.22:
            lines.append(self.reply(progress))
        if agent.is_bot:
            lines.append(Line(AGENT, self.some(phrases.BOT_ANSWERS)))
            return
        lines.append(self.answer(progress))
        if rng.random() < 0.22:
            lines.append(self.answer(progress))

    def opening(self) -> Line:
        return Line(VISITOR, self.some(phrases.OPENINGS[_SKILLS[self.conversation.skill_id].topic]))

    def reply(self, progress: float) -> Line:
        """The visitor's next text: facts at first, feelings towards the end."""
        rng = self.rng
        if rng.random() < 0.03:
            return self.attachment()
        if rng.random() > 0.35 + 0.5 * progress:
            return Line(VISITOR, self.some(phrases.FACTS), effect=rng.gauss(0.0, 1.5))
        feeling = self.mood + 1.1 * progress + (self.score - 60.0) / 30.0 + rng.gauss(0.0, 0.9)
        if feeling > 1.0:
            return Line(VISITOR, self.two(phrases.POSITIVE), effect=rng.gauss(5.0, 2.0))
        if feeling < -0.6:
            return Line(VISITOR, self.two(phrases.NEGATIVE), effect=rng.gauss(-6.5, 2.0))
        return Line(VISITOR, self.two(phrases.NEUTRAL), effect=rng.gauss(0.3, 1.5))

    def attachment(self) -> Line:
        file_type = ("JPG", "PNG", "PDF")[int(self.rng.random() * 3)]
        if not self.conversation.is_messaging:
            return Line(VISITOR, f"https://files.example/{self.facts['code']}.{file_type.lower()}")
        caption = self.some(("{item} {date}", "invoice {code}", "screenshot", "")) or None
        return Line(VISITOR, None, "HOSTED_FILE", file_data=encode.file_data(caption, file_type))

    def answer(self, progress: float) -> Line:
        rng = self.rng
        if rng.random() < 0.03:
            link = f"https://shop.example/help/{self.facts['digits']}?case={self.facts['code']}"
            data = encode.link_data(link, "PDF", self.some(("How to return the {item}", "Terms of {month}")))
            return Line(AGENT_URL, link, "LINK", link_data=data if self.conversation.is_messaging else encode.NULL)
        if rng.random() < 0.01:
            return Line(AGENT_HTML, f"<p>Your case: <b>{self.facts['code']}</b></p>", "TEXT_HTML")
        return Line(AGENT, self.two(phrases.FIXES if rng.random() < 0.15 + 0.9 * progress else phrases.ASKS), effect=0.4)

    def some(self, templates: tuple[str, ...]) -> str:
        return templates[int(self.rng.random() * len(templates))].format_map(self.facts)

    def filled(self, template: str) -> str:
        return template.format_map(self.facts)

    def two(self, templates: tuple[str, ...]) -> str:
        """One text of these, now and then two."""
        first = self.some(templates)
        return f"{first} {self.some(templates)}" if self.rng.random() < 0.3 else first

    def set_times(self, lines: list[Line], starts: int, ends: int, agent: Agent) -> None:
        """Spread a leg's lines over its time: each takes some thinking, and typing by its length."""
        draw = self.rng.random
        # Visitors type slower than agents, who have their texts at hand.
        gaps = [
            3.0 + 20.0 * draw() * draw() + len(line.text or "") * (0.12 if line.type == VISITOR else 0.07) for line in lines
        ]
        gaps[0] = 0.0
        if ends - starts > 5_400_000:
            # Hours of messaging are mostly silence, in one or two places.
            gaps[-1 - int(draw() * (len(gaps) - 2))] *= 60.0
            gaps[-1 - int(draw() * (len(gaps) - 2))] *= 40.0
        scale = (ends - starts) / (fsum(gaps) + 8.0 + 20.0 * draw())
        moment = float(starts)
        voice = _Voice(encode.quoted(agent.name), encode.string(agent.agent_id))
        for line, gap in zip(lines, gaps, strict=True):
            moment += gap * scale
            self.add(int(moment), line, voice)

    def add(self, moment: int, line: Line, agent: _Voice) -> None:
        kind = line.type
        control = score = encode.NULL
        if kind == CONTROL:
            agent, control = _SYSTEM, _CONTROL_TYPE
        elif kind == VISITOR:
            agent = self.visitor
            self.visitor_lines += 1
            score = self.next_score(line.effect)
        elif kind != COMMENT and self.visitor_lines:
            score = self.next_score(line.effect)
        message = encode.MESSAGE % (
            encode.text(line.text), moment, agent.name, kind, control, agent.agent_id, line.content_format,
            next(self.message_ids), self.dialog, line.file_data, line.link_data, score,
        )  # fmt: skip
        self.messages.append(message)

    def next_score(self, effect: float) -> str:
        """The score after a line; None before the visitor's first line and for private comments."""
        if not self.is_scored:
            return encode.NULL
        self.score = min(100.0, max(0.0, self.score + effect))
        self.scores.append(self.score)
        return encode.mcs(round(self.score))

    def final_score(self) -> int | None:
        """The conversation's score: its mean, with the end counting double. None for too few lines."""
        if len(self.scores) < 3:
            return None
        tail = self.scores[len(self.scores) * 2 // 3 :]
        return round((fsum(self.scores) + fsum(tail)) / (len(self.scores) + len(tail)))


def _message_ids(rng: Random) -> Iterator[str]:
    """Identifiers of 22 characters without end, drawn by the batch."""
    while True:
        batch = urlsafe_b64encode(rng.randbytes(330)).decode()
        for start in range(0, 440, 22):
            yield batch[start : start + 22]


def _wait_penalty(conversation: Conversation) -> float:
    """Points of score that all the waiting costs, at most 38: a point for each ten seconds at first, then slower."""
    waited = sum((leg.queue_end or leg.ends) - leg.queue_start for leg in conversation.legs) / 1000
    patience = 6.0 if conversation.is_messaging else 1.0
    return 40.0 * waited / (waited + 240.0 * patience)


def _facts(rng: Random) -> dict[str, str]:
    """The facts of a conversation, the same in all its texts."""
    draw = rng.random
    bits = rng.getrandbits(62)
    cents = bits % 99_000 + 190
    month = phrases.MONTHS[int(draw() * 12)]
    return {
        "item": phrases.ITEMS[int(draw() * len(phrases.ITEMS))],
        "item2": phrases.ITEMS[int(draw() * len(phrases.ITEMS))],
        "colour": phrases.COLOURS[int(draw() * len(phrases.COLOURS))],
        "city": phrases.CITIES[int(draw() * len(phrases.CITIES))],
        "visitor": phrases.VISITORS[int(draw() * len(phrases.VISITORS))] if draw() < 0.75 else "Visitor",
        "month": month,
        "date": f"{int(draw() * 28) + 1} {month}",
        "count": str(int(draw() * 18) + 2),
        "digits": f"{int(draw() * 10_000):04d}",
        "amount": f"£{cents / 100:,.2f}" if bits & 1 else f"${cents / 100:,.2f}",
        "amount2": f"{(cents * 7 // 5 + 300) / 100:,.2f}",
        "order": f"#{bits >> 30}",
        "code": f"{bits >> 38:06X}"[:7],
    }
