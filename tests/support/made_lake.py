"""A small DuckDB file as a finished load leaves it: the tables, the views, seeded rows. For tests that read a lake."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pyarrow as pa

from pipeline.schema import FACTS, SENT, TABLES
from pipeline.warehouse.facts import FactMaker
from pipeline.warehouse.library import set_rules
from pipeline.warehouse.rules import RuleRow, defaults
from pipeline.warehouse.template import template

FIRST_DAY = datetime(2026, 3, 2, tzinfo=UTC)
ACCOUNTS = ("10000001", "10000002")
SKILLS = (12, 27, 31)
LINES = ("Hello, where is my order?", "Hello, I will look.", "Thank you.", "It arrives tomorrow.", "Great!", "Bye.")

Row = dict[str, Any]


def make_lake(folder: Path, *, accounts: Sequence[str | None] = ACCOUNTS, days: int = 14, per_day: int = 40) -> Path:
    """Write `lakehouse.duckdb` into `folder` and return its path; days=0 makes one without a conversation."""
    random = Random(f"{accounts} {days}")
    rows: dict[str, list[Row]] = {name: [] for name in TABLES}
    for account in accounts:
        for day in range(days):
            start = FIRST_DAY + timedelta(days=day)
            busy = per_day // 3 if start.isoweekday() > 5 else per_day
            for number in range(busy):
                _add_conversation(rows, random, account, start, number)
            rows["files"].append(_file(account, start, busy))
            rows["listings"] += [_listing(account, start, hour) for hour in range(1, 23)]  # the last hour nobody asked for
    return write_lake(folder, rows)


def write_lake(folder: Path, rows: dict[str, list[Row]]) -> Path:
    """Write these rows, by table, their facts, and the views on them."""
    path = folder / "lakehouse.duckdb"
    facts = made_facts(rows)
    path.write_bytes(template())  # to make the views anew takes more than a second
    with duckdb.connect(str(path)) as connection:
        for name, table in TABLES.items():
            made = facts.get(name, pa.Table.from_pylist(rows.get(name, []), schema=table.arrow_schema))
            connection.register("made", made)
            connection.execute(f"drop view {name}")
            connection.execute(f"create table {name} as from made")
            connection.unregister("made")
    return path


def name_lake(path: Path, accounts: Sequence[str] = ACCOUNTS) -> None:
    """Give a lake of `make_lake` a second channel, names, a bot's skill and another bot, and clocks of New York and London."""
    with duckdb.connect(str(path)) as connection:
        for table in ("conversations", *FACTS):
            connection.execute(f"update {table} set type = 'MESSAGING' where hash(conversation_id) % 3 = 0")
        connection.execute("insert into skill_names select unnest(?), 12, 'Sales', false, null", [accounts])
        connection.execute("insert into skill_names select unnest(?), 31, 'Assistant', true, null", [accounts])
        names = "insert into agent_names (account_id, agent_id, agent_name, is_bot) select unnest(?), ?, ?, ?"
        connection.execute(names, [accounts, "agent-1", "Ada", None])
        connection.execute(names, [accounts, "agent-2", "Robot", True])
        zones = zip((None, *accounts), ("UTC", "America/New_York", "Europe/London"), strict=True)
        rules = [row for row in defaults() if row.setting != "time_zone"]
        rules += [RuleRow("time_zone", account, zone) for account, zone in zones]
        set_rules(connection, [*rules, RuleRow("account_name", accounts[0], "Shop")])


def compute_facts(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill the facts of a lake whose conversations, messages and transfers were inserted with the number of their delivery."""
    sent = {
        name: connection.sql(f"from {name} order by delivery").to_arrow_table().cast(TABLES[name].arrow_schema) for name in SENT
    }
    for name, made in FactMaker().facts_of(sent).items():
        connection.register("made", made)
        connection.execute(f"insert into {name} by name from made")
        connection.unregister("made")


def made_facts(rows: dict[str, list[Row]]) -> dict[str, pa.Table]:
    """Compute the facts of conversations, each of which is a delivery of its own."""
    deliveries: dict[tuple[Any, ...], int] = {}
    sent = {}
    for name in SENT:
        numbered = []
        for row in rows.get(name, []):
            key = (row.get("account_id"), row["conversation_id"], row["date"])
            numbered.append(row | {"source_file": "made", "delivery": deliveries.setdefault(key, len(deliveries) + 1)})
        numbered.sort(key=lambda row: (row["delivery"], row.get("position", 0)))
        sent[name] = pa.Table.from_pylist(numbered, schema=TABLES[name].arrow_schema)
    return FactMaker().facts_of(sent)


def _add_conversation(
    rows: dict[str, list[Row]],
    random: Random,
    account: str | None,
    day: datetime,
    number: int,
) -> None:
    start = day + timedelta(hours=min(23.9, max(6.0, random.gauss(14, 3))), milliseconds=random.randrange(60_000))
    crowd = (1.6 if 12 <= start.hour <= 16 else 1.0) * (1.5 if account == ACCOUNTS[-1] else 1.0)
    wait = timedelta(milliseconds=int(random.lognormvariate(3.2, 0.8) * crowd * 1000))
    connected = wait < timedelta(seconds=random.expovariate(1 / 700))
    key = {"account_id": account, "conversation_id": f"{account}-{start:%j}-{number}", "date": day.date()}
    origin = {**key, "source_file": _file_name(day), "delivery": 1}
    queue_end = start + wait
    lines = LINES[: random.randint(2, len(LINES))] if connected else ()
    times = [queue_end + timedelta(seconds=20 * (place + 1)) for place in range(len(lines))]
    rows["conversations"].append(
        {
            **origin,
            "type": "LIVE_CHAT",
            "conversation_start_time": start,
            "interaction_start_time": queue_end if connected else None,
            "conversation_end_time": (times[-1] if times else queue_end) + timedelta(seconds=30),
            "is_interactive": connected,
            "agent_id": f"agent-{random.randrange(5)}" if connected else None,
            "skill_id": random.choice(SKILLS),
            "mcs": float(min(100, max(0, int(random.gauss(68, 20))))) if connected and random.random() < 0.8 else None,
            "queue_start_time": start,
            "queue_end_time": queue_end,
        },
    )
    if connected and number % 5 == 0:
        rows["transfers"].append(
            {
                **origin,
                "position": 0,
                "timestamp": queue_end,
                "skill_id": SKILLS[number % 3],
                "target_skill_id": SKILLS[number // 5 % 3],
                "agent_id": f"agent-{number % 4}",
                "queue_start_time": queue_end,
                "queue_end_time": queue_end + timedelta(seconds=number % 7),
            },
        )
    for position, (text, time) in enumerate(zip(lines, times, strict=True)):
        is_agent = position % 2
        author = rows["conversations"][-1]["agent_id"] if is_agent else None
        line = {"position": position, "timestamp": time, "type": str(is_agent), "text": text, "agent_id": author}
        rows["messages"].append({**origin, **line, "sent_by": "Robin" if is_agent else "Visitor"})


def _file(account: str | None, day: datetime, conversations: int) -> Row:
    return {
        "account_id": account,
        "name": _file_name(day),
        "status": "loaded",
        "documents": conversations,
        "conversations": conversations,
        "rejects": 0,
        "scope_start_time": day + timedelta(hours=24),
        "scope_end_time": day + timedelta(hours=25),
        "loaded_at": FIRST_DAY + timedelta(days=20, hours=3),
    }


def _listing(account: str | None, day: datetime, hour: int) -> Row:
    asked = FIRST_DAY + timedelta(days=20)
    return {"account_id": account, "hour": day + timedelta(hours=hour), "listed_at": asked, "files": 0, "missing": []}


def _file_name(day: datetime) -> str:
    return f"Engagement.{day:%Y%m%d}.gz"
