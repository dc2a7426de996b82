"""The made-up accounts: their values, business hours and random numbers."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from hashlib import blake2b
from random import Random
from zoneinfo import ZoneInfo

HOUR_MS = 3_600_000

# The business day runs from 04:00 to 04:00 local time: clock changes and the last visitors are over by then.
DAY_STARTS_AT = 4


@dataclass(frozen=True)
class Skill:
    """A team that visitors wait for. The API sends only the number; the name is for people who read the data."""

    skill_id: int
    name: str
    topic: str
    share: float
    """Its part of the demand, 0 to 1; the sum over all skills is 1."""


SALES = Skill(12, "Sales", "sales", 0.27)
BILLING = Skill(27, "Billing", "billing", 0.21)
SUPPORT = Skill(31, "Technical support", "support", 0.32)
ORDERS = Skill(44, "Orders and returns", "orders", 0.20)
HUMAN_SKILLS = (SALES, BILLING, SUPPORT, ORDERS)
ASSISTANT = Skill(90, "Virtual assistant", "assistant", 0.0)


@dataclass(frozen=True)
class Account:
    """A made-up LivePerson account. The same values always give the same traffic, byte for byte.

    Args:
        account_id: its number, as text.
        seed: another seed is another history of the same account.
        conversations_per_day: the mean over a week.
        time_zone: IANA name; business hours and the curves of day and week follow it.
        load: demand per agent capacity, about 0.5 (idle agents) to 1.2 (long queues).
        opens: local hour in which people start to answer; outside of the hours only the bot does.
        closes: local hour in which they stop.
        messaging_share: 0 to 1, the part of conversations of type MESSAGING.
        sessions_per_part: a file holds at most this many sessions; a busier hour has several parts.
        tagged: whether `metaData` and `recordCollection` carry their type (schema 1.0.0.35) or stand bare (1.0.0.22, as
            on the vendor's page). None: half of the account ids do.
        sends_legs: a conversation with transfers is one record a leg, each with an id, a start and an end of its own.
    """

    account_id: str
    seed: int = 1
    conversations_per_day: float = 500.0
    time_zone: str = "UTC"
    load: float = 0.8
    opens: int = 8
    closes: int = 22
    messaging_share: float = 0.4
    sessions_per_part: int = 250
    tagged: bool | None = None
    sends_legs: bool = False

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        if not self.account_id.isdigit():
            msg = f"account_id: expected digits, got {self.account_id!r}"
            raise ValueError(msg)
        if self.closes - self.opens < 8 or self.opens < DAY_STARTS_AT or self.closes > 24:
            msg = f"opens and closes: expected 8 hours or more between 4 and 24, got {self.opens} and {self.closes}"
            raise ValueError(msg)

    @property
    def is_tagged(self) -> bool:
        """Whether its documents are of the newer schema, with every record tagged."""
        return self.number_for("tagged") % 2 == 1 if self.tagged is None else self.tagged

    @property
    def first_campaign_id(self) -> int:
        """The first of its six campaigns, whose ids are ten apart."""
        return 310_000_000 + self.number_for("campaigns") % 1_000_000

    def number_for(self, *parts: object) -> int:
        """64 bits that depend on the account, its seed and `parts` only."""
        key = repr((self.account_id, self.seed, *parts)).encode()
        return int.from_bytes(blake2b(key, digest_size=8).digest())

    def random_for(self, *parts: object) -> Random:
        """Random numbers for `parts`, the same in every process."""
        return Random(self.number_for(*parts))

    def business_day(self, epoch_ms: int) -> date:
        """The business day that a moment belongs to."""
        local = datetime.fromtimestamp(epoch_ms / 1000, UTC).astimezone(_zone(self.time_zone))
        return (local.replace(tzinfo=None) - timedelta(hours=DAY_STARTS_AT)).date()

    def day_start_ms(self, day: date) -> int:
        """Epoch milliseconds of 04:00 local time on `day`."""
        return round(datetime.combine(day, time(DAY_STARTS_AT), _zone(self.time_zone)).timestamp()) * 1000

    def local_hour(self, epoch_ms: int) -> int:
        """Hour of the day, 0 to 23, on the account's clocks."""
        return datetime.fromtimestamp(epoch_ms / 1000, _zone(self.time_zone)).hour


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def demo_accounts() -> tuple[Account, Account]:
    """The two accounts of the demo: a shop in New York and a smaller one in London, one of each schema version."""
    return (
        Account("75555851", conversations_per_day=260, time_zone="America/New_York", load=0.65, tagged=False),
        Account("20348697", conversations_per_day=130, time_zone="Europe/London", load=0.7, messaging_share=0.55, tagged=True),
    )
