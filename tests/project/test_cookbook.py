"""The cookbook's queries are short, run everywhere, and give what Polars counts from the facts and the raw tables."""

import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from math import sqrt
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import duckdb
import openpyxl
import polars as pl
import pytest
from cookbook_lake import ACCOUNTS, SINCE_DAY, UNTIL_DAY, ZONES

from notebooks import Run, cells, run
from pipeline.lake.lake import Lake
from pipeline.warehouse.database import connect

COOKBOOK: Final = "06_cookbook"
FIFTEEN: Final = {
    "worst p90 on weekday evenings in local time, this week against last": "evenings",
    "agents with MCS under 50 and more than 20 chats in a period": "low_scores",
    "refund and transferred twice": "refunds",
    "share answered within 30 s by local hour": "within",
    "what visitors wrote before they gave up": "gave_up",
    "weekly trend of anything": "trend",
    "first-contact resolution by first skill": "resolution",
    "slowest agents by p90": "slow",
    "start pages with most abandonment": "pages",
    "topics": "topics",
    "people waiting by local hour": "waiting",
    "read one conversation": "course",
    "export to Excel": "export",
    "repeat customers and their last MCS": "repeaters",
    "draw it": "volume",
}
WEEKS: Final = [date(2026, 10, 19), date(2026, 10, 26)]
"""The weeks whose data are there as a whole; more can't come."""
HOUR: Final = timedelta(hours=1)


class Query(NamedTuple):
    """A query of the notebook: its cell, the name of its answer, and its text."""

    cell: str
    answer: str
    sql: str


def queries() -> list[Query]:
    """Return the queries of the questions, in their order."""
    return [
        Query(cell["id"], *found)
        for cell in cells(COOKBOOK)
        for found in re.findall(r'(?ms)^(\w+) = lake\.sql\(\s*"""\n(.*?)"""', "".join(cell["source"]))
    ]


QUERIES: Final = queries()


@pytest.fixture(scope="module")
def done(shops: Lake) -> Iterator[Run]:
    """Yield the notebook, run on the lake of the two shops."""
    with pytest.MonkeyPatch.context() as patch:
        yield run(COOKBOOK, shops.uri, patch)


@pytest.fixture(scope="module")
def raw(shops: Lake) -> Iterator["Raw"]:
    """Yield the tables and facts of that lake."""
    with connect(shops) as connection:
        yield Raw(connection, Path(shops.root))


def test_each_of_twenty_questions_has_one_short_query_and_a_picture(done: Run) -> None:
    """Each section has a question, one query of at most eight lines, and one picture."""
    text = "\n".join("".join(cell["source"]) for cell in cells(COOKBOOK))
    sections = re.split(r"^(?=## \d+\. [^\n]+\?$)", text, flags=re.MULTILINE)[1:]

    assert [int(section.split()[1].rstrip(".")) for section in sections] == list(range(1, 21))
    assert [section.count("lake.sql(") for section in sections] == [1] * 20
    assert len(QUERIES) == len(done.pictures()) == 20
    for query in QUERIES:
        lines = query.sql.strip().splitlines()
        assert len(lines) <= 8, query.cell
        assert max(map(len, lines)) <= 140, query.cell


def test_the_fifteen_questions_are_among_them() -> None:
    """Each question that analysts asked first has its query."""
    assert len(FIFTEEN) == 15
    assert set(FIFTEEN.values()) <= {query.answer for query in QUERIES}


def test_names_stand_for_ids(done: Run) -> None:
    """No picture shows the id of an account, a skill or an agent."""
    for cell in done.pictures():
        texts = re.findall(r"<text[^>]*>([^<]*)</text>", done.picture(cell))
        assert not [text for text in texts if re.fullmatch(r"\d{6,}", text.replace(",", ""))], cell


def test_namesakes_stay_apart(done: Run) -> None:
    """Two agents, or two skills, of one name are two rows and two marks: the picture shows their ids beside the name."""
    for cell, answer, name in (
        ("slow-chart", "slow", "agent"),
        ("low-scores-chart", "low_scores", "agent"),
        ("flow-chart", "flow", "to_skill"),
        ("bands-chart", "bands", "skill"),
        ("resolution-chart", "resolution", "skill"),
        ("export-chart", "export", "skill"),
    ):
        rows = done.names[answer].select("account", name, f"{name}_id").unique()
        shared = rows.filter(pl.len().over("account", name) > 1)
        assert shared.height >= 2, answer
        drawn = set(re.findall(r"<text[^>]*>([^<]*)</text>", done.picture(cell)))
        assert {f"{row[1]} ({row[2]})" for row in shared.rows()} <= drawn, answer
        assert not set(shared[name]) & drawn, answer


def test_the_service_level_is_a_division_away(done: Run, shops: Lake) -> None:
    """Without `short_count` in the denominator, the share within 30 s is the service level of the report."""
    within = done.names["within"]
    with connect(shops) as connection:
        expected = connection.execute(
            """select sum(people_within_count), sum(people_answered_count + people_abandoned_count - people_short_abandon_count)
            from service_level_local_daily join accounts using (account_id)
            where account_name = 'Shop New York' and local_date between $since and $until""",
            done.names["period"],
        ).fetchall()
    ours = within.filter(account="Shop New York")  # all of its hours have ten entries
    assert expected == [(ours["within_count"].sum(), (ours["judged_count"] - ours["short_count"]).sum())]
    assert ours["short_count"].sum() > 0


def test_the_silent_and_the_unscored_are_counted(done: Run) -> None:
    """The picture of those who gave up says how many wrote nothing there; that of repeat customers how many have a score."""
    for account in ACCOUNTS.values():
        gave_up = done.names["gave_up"].filter(account=account)
        silent = gave_up.filter(line_count=0).height
        assert 0 < silent < gave_up.height
        assert f"{account}: {silent} of {gave_up.height}" in done.picture("gave-up-chart")
    twice = done.names["repeaters"].filter(account=account, contact_count=2)
    assert 0 < twice["scored_mcs"].count() < twice.height
    assert f"{twice['scored_mcs'].count()} of {twice.height} people" in done.picture("repeaters-chart")


def test_the_period_is_four_weeks_without_a_provisional_day(done: Run) -> None:
    """It ends before the first day, of any account, of which more can come."""
    assert done.names["period"] == {"since": SINCE_DAY, "until": UNTIL_DAY}


def test_the_file_is_the_answer(done: Run) -> None:
    """The file for Excel has the header and the rows of the query, with days as days and numbers as numbers."""
    answer = done.names["export"]
    header, *rows = openpyxl.load_workbook(done.names["file"]).active.values
    assert done.names["file"].suffix == ".xlsx"
    assert list(header) == answer.columns
    days = pl.col("local_date").cast(pl.Datetime)
    assert rows == answer.with_columns(days).rows()


def test_a_text_in_the_file_is_no_formula(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text stays text in the file for Excel, whatever it begins with."""
    texts = ["=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("x")']
    monkeypatch.chdir(tmp_path)
    (source,) = ("".join(cell["source"]) for cell in cells(COOKBOOK) if cell["id"] == "export-file")
    exec(source, {"export": pl.DataFrame({"line": texts})})  # noqa: S102
    _, *rows = openpyxl.load_workbook(tmp_path / "queues.xlsx").active.iter_rows()
    assert [(cell.value, cell.data_type) for (cell,) in rows] == [(text, "s") for text in texts]


def test_the_transcript_is_on_the_accounts_clock(done: Run) -> None:
    """The conversation shown is the first of those drawn, by its local time."""
    printed = done.printed["transcript"]
    assert printed.startswith(f"conversation {done.names['course']['conversation_id'][0]}\n")
    assert "(Europe/London)" in printed
    assert "-- waits for" in printed


def test_the_oldest_client_gives_the_same_rows(shops: Lake, done: Run) -> None:
    """DuckDB 1.4 runs every query on the lake's file, with the same answer."""
    oldest = Path(sys.prefix) / "oldest-duckdb"
    if not oldest.exists():
        pytest.skip(f"make test puts DuckDB 1.4 into {oldest}")
    code = """
import json, sys, duckdb
path, since, until, queries = json.load(sys.stdin)
with duckdb.connect(path, read_only=True) as connection:
    connection.execute("set TimeZone = 'UTC'")
    period = {"since": since, "until": until}
    rows = {name: connection.execute(sql, period if "$" in sql else None).fetchall() for name, sql in queries}
print(json.dumps([duckdb.__version__, {name: sorted(map(str, found)) for name, found in rows.items()}]))
"""
    asked = [f"{shops.root}/lakehouse.duckdb", str(SINCE_DAY), str(UNTIL_DAY), [[query.answer, query.sql] for query in QUERIES]]
    ended = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(asked),
        env={"PYTHONPATH": str(oldest)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    version, rows = json.loads(ended.stdout)
    assert version == "1.4.0"
    for query in QUERIES:
        assert rows[query.answer] == sorted(map(str, done.names[query.answer].rows())), query.answer


class Raw:
    """The tables and facts, with the names of accounts, times on the accounts' clocks, and bots told from people."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self._connection = connection
        names = {kind: pl.read_csv(folder / f"{kind}s.csv", infer_schema=False) for kind in ("skill", "agent")}
        self.skills = dict(names["skill"].select(pl.col("skill_id").cast(pl.Int64), "skill_name").iter_rows())
        self.agents = dict(names["agent"].select("agent_id", "agent_name").iter_rows())
        self.bots = names["agent"].filter(is_bot="true")["agent_id"].to_list()
        self.bot_skills = names["skill"].filter(is_bot="true")["skill_id"].cast(pl.Int64).to_list()
        self.reach = dict(self.rows("files").group_by("account").agg(pl.col("scope_end_time").max()).iter_rows())
        self.topics = list(pl.read_csv(folder / "topics.csv").iter_rows())

    def rows(self, table: str, time: str | None = None) -> pl.DataFrame:
        """Return a table, with `account`, `is_bot` by its agent and skill, and `local` and `day` of a column of time."""
        rows: pl.DataFrame = (
            self._connection.sql(f"from {table}").pl().with_columns(account=pl.col("account_id").replace_strict(ACCOUNTS))
        )
        if {"skill_id", "agent_id"} <= set(rows.columns):
            of_people = pl.col("agent_id").is_in(list(set(self.agents) - set(self.bots)))
            by_bot = pl.col("agent_id").is_in(self.bots) | pl.col("skill_id").is_in(self.bot_skills)
            rows = rows.with_columns(is_bot=pl.when(of_people).then(False).otherwise(by_bot).fill_null(value=False))  # noqa: FBT003
        if time:
            local = pl.coalesce(
                pl.when(pl.col("account_id") == account).then(
                    pl.col(time).dt.convert_time_zone(zone).dt.replace_time_zone(None)
                )
                for account, zone in ZONES.items()
            )
            rows = rows.with_columns(local=local).with_columns(day=pl.col("local").dt.date())
        return rows

    def in_period(self, table: str, time: str) -> pl.DataFrame:
        """Return the rows of the period, by the local day of a column of time."""
        return self.rows(table, time).filter(pl.col("day").is_between(SINCE_DAY, UNTIL_DAY))

    def entries(self) -> pl.DataFrame:
        """Return the entries of the period into queues of people."""
        return self.in_period("queue_entries", "entered_time").filter(~pl.col("is_bot"))

    def conversations(self) -> pl.DataFrame:
        """Return the conversations of the period, with what is known of them."""
        return self.in_period("conversation_metrics", "conversation_start_time")

    def skill(self, column: str = "skill_id") -> pl.Expr:
        """Return the name of a skill."""
        return pl.col(column).replace_strict(self.skills, default=None)

    def agent(self) -> pl.Expr:
        """Return the name of the agent."""
        return pl.col("agent_id").replace_strict(self.agents, default=None)


CLOSED = pl.col("outcome").is_in(["answered", "abandoned"])
ANSWERED = pl.col("outcome") == "answered"
ABANDONED = (pl.col("outcome") == "abandoned").sum()
CHAT = pl.col("type") == "LIVE_CHAT"
CHANNEL = pl.concat_str("account", "type", separator=" ")


def percentile(column: str, part: float) -> pl.Expr:
    """Return a percentile in seconds."""
    return pl.col(column).quantile(part, "linear") / 1000


def evenings(raw: Raw) -> pl.DataFrame:
    """Chats from 17 to 22 on weekdays of the newest two weeks that have enough, and whether the day can still grow."""

    def can_grow(row: dict[str, Any]) -> bool:
        after = row["day"] + timedelta(days=1)
        zone = next(ZoneInfo(ZONES[account]) for account, name in ACCOUNTS.items() if name == row["account"])
        end = max(datetime.combine(after, time(), zone), datetime.combine(after, time(), UTC))
        return bool(end + timedelta(hours=72) > raw.reach[row["account"]])

    found = (
        raw.rows("queue_entries", "entered_time")
        .filter(~pl.col("is_bot") & CHAT & (pl.col("local").dt.weekday() <= 5) & pl.col("local").dt.hour().is_between(17, 21))
        .group_by("account", "day")
        .agg(
            answered_count=ANSWERED.sum(),
            abandoned_count=ABANDONED,
            p90_seconds=pl.col("wait_milliseconds").filter(ANSWERED).quantile(0.9, "linear") / 1000,
        )
        .filter(pl.col("answered_count") >= 10)
        .with_columns(monday=pl.col("day").dt.truncate("1w"))
        .filter(pl.col("monday").rank("dense", descending=True).over("account") <= 2)
    )
    return found.select(
        "account",
        pl.col("monday").cast(pl.String).alias("week"),
        pl.col("day").dt.strftime("%A").alias("evening"),
        pl.struct("account", "day").map_elements(can_grow, return_dtype=pl.Boolean).alias("is_provisional"),
        "answered_count",
        "abandoned_count",
        "p90_seconds",
    )


def within(raw: Raw) -> pl.DataFrame:
    """Entries answered or abandoned by local hour, those answered in 30 seconds among them."""
    in_time = (pl.col("outcome") == "answered") & (pl.col("wait_milliseconds") <= 30_000)
    return (
        raw.entries()
        .filter(CLOSED)
        .group_by("account", "type", pl.col("local").dt.hour().cast(pl.Int64).alias("local_hour"))
        .agg(
            judged_count=pl.len(),
            within_count=in_time.sum(),
            short_count=((pl.col("outcome") == "abandoned") & (pl.col("wait_milliseconds") < 5_000)).sum(),
        )
        .filter(pl.col("judged_count") >= 10)
        .with_columns(within_share=pl.col("within_count") / pl.col("judged_count"))
    )


def waiting(raw: Raw) -> pl.DataFrame:
    """The waits of people cut at hours, and the hours of the days of UTC on which somebody waited; most at a moment."""
    waited: dict[tuple[str, str, int], float] = defaultdict(float)
    passed: dict[tuple[str, str, int], float] = defaultdict(float)
    most: dict[tuple[str, str, int], int] = defaultdict(int)
    entries = raw.rows("queue_entries").filter(pl.col("entered_time").is_not_null() & pl.col("wait_milliseconds").is_not_null())
    for (account_id, account, kind), group in entries.group_by("account_id", "account", "type"):
        zone = ZoneInfo(ZONES[str(account_id)])
        people = group.filter(~pl.col("is_bot") & (pl.col("wait_milliseconds") > 0))
        changes: dict[datetime, int] = defaultdict(int)
        for entered, left in people.select("entered_time", "left_time").iter_rows():
            changes[entered] += 1
            changes[left] -= 1
        days = {moment.date() for row in group.select("entered_time", "left_time").iter_rows() for moment in row}
        changes[datetime.combine(max(days) + timedelta(days=1), time(), UTC)] += 0
        for day in days:
            for hour in range(24):
                changes[datetime.combine(day, time(hour), UTC)] += 0
        count = 0
        for moment, following in pairwise(sorted(changes)):
            count += changes[moment]
            local = moment.astimezone(zone)
            if moment.date() not in days or not SINCE_DAY <= local.date() <= UNTIL_DAY:
                continue
            end = min(following, moment.replace(minute=0, second=0, microsecond=0) + HOUR)
            key = (str(account), str(kind), local.hour)
            waited[key] += count * ((end - moment) / HOUR)
            passed[key] += (end - moment) / HOUR
            most[key] = max(most[key], count)
    rows = [(*key, most[key], waited[key], hours, waited[key] / hours) for key, hours in passed.items()]
    columns = ["account", "type", "local_hour", "most_waiting", "waited_hours", "passed_hours", "people_waiting"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def pages(raw: Raw) -> pl.DataFrame:
    """The ten start pages of each account with the largest share of chats abandoned."""
    key = ["account", "conversation_id", "date"]
    return (
        raw.entries()
        .filter(CLOSED & CHAT)
        .join(raw.rows("conversations").select(*key, "start_page"), on=key)
        .group_by("account", pl.col("start_page").fill_null("(not known)").alias("page"))
        .agg(closed_count=pl.len(), abandoned_count=ABANDONED)
        .filter(pl.col("closed_count") >= 30)
        .with_columns(abandoned_share=pl.col("abandoned_count") / pl.col("closed_count"))
        .sort("abandoned_share", "page", descending=[True, False])
        .group_by("account", maintain_order=True)
        .head(10)
    )


def gave_up(raw: Raw) -> pl.DataFrame:
    """The lines that a visitor wrote between entering and leaving a queue of people, and the last of them."""
    lines = raw.rows("messages").filter(type="0").sort("position").select("conversation_id", "timestamp", "text")
    written = {str(key): group.rows() for (key,), group in lines.group_by("conversation_id", maintain_order=True)}
    rows = []
    for row in raw.entries().filter(outcome="abandoned").iter_rows(named=True):
        entered, left, talk = row["entered_time"], row["left_time"], row["conversation_id"]
        here = [text for _, time, text in written.get(talk, []) if left and entered <= time <= left]
        rows.append(
            (row["account"], row["type"], talk, row["entry_number"], row["local"], len(here), here[-1] if here else None)
        )
    columns = ["account", "type", "conversation_id", "entry_number", "entered_local_time", "line_count", "last_line"]
    return pl.DataFrame(rows, schema=columns, orient="row", infer_schema_length=None)


def slow(raw: Raw) -> pl.DataFrame:
    """Response times of people."""
    return (
        raw.in_period("responses", "response_time")
        .filter(~pl.col("is_bot") & pl.col("agent_id").is_not_null() & pl.col("response_milliseconds").is_not_null())
        .group_by("account", "agent_id", raw.agent().alias("agent"), "type")
        .agg(
            response_count=pl.len(),
            p50_seconds=percentile("response_milliseconds", 0.5),
            p90_seconds=percentile("response_milliseconds", 0.9),
        )
        .filter(pl.col("response_count") >= 10)
    )


def low_scores(raw: Raw) -> pl.DataFrame:
    """Chats that each person had last, those with a score among them, and the mean of the scores."""
    return (
        raw.conversations()
        .filter(CHAT & ~pl.col("is_bot") & pl.col("agent_id").is_not_null())
        .group_by("account", "agent_id", raw.agent().alias("agent"))
        .agg(chat_count=pl.len(), scored_count=pl.col("mcs").count(), mcs_avg=pl.col("mcs").mean())
        .filter((pl.col("chat_count") >= 10) & (pl.col("scored_count") > 0))
        .with_columns(is_sought=(pl.col("chat_count") > 20) & (pl.col("mcs_avg") < 50))
    )


def concurrency(raw: Raw) -> pl.DataFrame:
    """How many segments of a channel an agent had at each moment, and at each assignment."""
    answers: dict[tuple[str, str, int], list[int]] = defaultdict(list)
    hours: dict[tuple[str, str, int], float] = defaultdict(float)
    segments = raw.rows("segments").filter(
        ~pl.col("is_bot") & pl.col("agent_id").is_not_null() & (pl.col("engaged_milliseconds") > 0)
    )
    for (account_id, account, kind, _), group in segments.group_by("account_id", "account", "type", "agent_id"):
        zone = ZoneInfo(ZONES[str(account_id)])
        first = datetime.combine(SINCE_DAY, time(), zone).astimezone(UTC)
        last = datetime.combine(UNTIL_DAY + timedelta(days=1), time(), zone).astimezone(UTC)
        spans = list(group.select("assigned_time", "ended_time", "first_response_milliseconds").iter_rows())
        for began, _, answer in spans:
            if first <= began < last and answer is not None:
                at_a_time = sum(start <= began < end for start, end, _ in spans)
                answers[str(account), str(kind), at_a_time].append(answer)
        changes: dict[datetime, int] = defaultdict(int)
        for start, end, _ in spans:
            if start < last and end > first:
                changes[max(start, first)] += 1
                changes[min(end, last)] -= 1
        count = 0
        for moment, following in pairwise(sorted(changes)):
            count += changes[moment]
            hours[str(account), str(kind), count] += (following - moment) / HOUR
    rows = [
        (*key, len(found), sum(found) / len(found) / 1000, hours[key]) for key, found in answers.items() if len(found) >= 10
    ]
    columns = ["account", "type", "concurrent_count", "answer_count", "answer_avg_seconds", "engaged_hours"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def flow(raw: Raw) -> pl.DataFrame:
    """Transfers of chats from skill to skill; the wait is that of the transfer's own queue, if people answered there."""
    key = ["account", "conversation_id"]
    waits = (
        raw.rows("queue_entries")
        .filter(pl.col("is_transfer") & ~pl.col("is_bot") & (pl.col("outcome") == "answered"))
        .select(*key, pl.col("entered_time").alias("queue_start_time"), "wait_milliseconds")
    )
    return (
        raw.rows("transfers")
        .join(raw.conversations().filter(CHAT).select(key), on=key)
        .filter(pl.col("target_skill_id").is_not_null())
        .join(waits, on=[*key, "queue_start_time"], how="left")
        .rename({"skill_id": "from_skill_id", "target_skill_id": "to_skill_id"})
        .with_columns(from_skill=raw.skill("from_skill_id"), to_skill=raw.skill("to_skill_id"))
        .group_by("account", "from_skill_id", "from_skill", "to_skill_id", "to_skill")
        .agg(
            transfers=pl.len(),
            queued_count=pl.col("wait_milliseconds").count(),
            wait_avg_seconds=pl.col("wait_milliseconds").mean() / 1000,
        )
        .filter(pl.col("transfers") >= 10)
    )


def refunds(raw: Raw) -> pl.DataFrame:
    """Conversations with two transfers or more in which a visitor's line has the word."""
    word = pl.col("text").str.contains("(?i)refund")
    return (
        raw.conversations()
        .select("account", "type", "conversation_id", "mcs", pl.col("local").alias("local_time"))
        .join(raw.rows("transfers").group_by("conversation_id").agg(transfer_count=pl.len()), on="conversation_id")
        .filter(pl.col("transfer_count") >= 2)
        .join(
            raw.rows("messages").filter(word & (pl.col("type") == "0")).select("conversation_id", "position", "text"),
            on="conversation_id",
        )
        .sort("position")
        .group_by("account", "type", "conversation_id", "local_time", "transfer_count", "mcs")
        .agg(line=pl.col("text").first())
    )


def course(raw: Raw) -> pl.DataFrame:
    """All lines of the chat of each account with most transfers, then most lines of the visitor that have a score."""
    counts = [
        raw.rows("transfers").group_by("conversation_id").agg(transfers=pl.len()),
        raw.rows("messages").filter(pl.col("mcs").is_not_null(), type="0").group_by("conversation_id").agg(scored=pl.len()),
    ]
    chats = raw.conversations().filter(CHAT).select("account", "conversation_id", "conversation_start_time")
    for count in counts:
        chats = chats.join(count, on="conversation_id", how="left")
    chosen = (
        chats.fill_null(0)
        .sort("transfers", "scored", "conversation_id", descending=[True, True, False])
        .group_by("account", maintain_order=True)
        .first()
    )
    lines = raw.rows("messages").select("conversation_id", "timestamp", "mcs")
    minutes = (pl.col("timestamp") - pl.col("conversation_start_time")).dt.total_milliseconds() / 60_000
    return chosen.join(lines, on="conversation_id").select("account", "conversation_id", "mcs", minutes.alias("minutes"))


def topics(raw: Raw) -> pl.DataFrame:
    """Conversations in which the visitor took part, by topic of a line of the visitor's."""
    texts = raw.rows("messages").filter(pl.col("text").is_not_null(), type="0").group_by("conversation_id").agg("text")
    flagged = raw.rows("conversations").filter(pl.col("is_interactive"))["conversation_id"].to_list()
    flagged += raw.rows("transfers").filter(pl.col("is_interactive"))["conversation_id"].to_list()
    parts = raw.conversations().filter(pl.col("conversation_id").is_in(flagged)).join(texts, on="conversation_id", how="left")
    made = []
    for topic, pattern in raw.topics:
        matches = pl.col("text").list.eval(pl.element().str.contains(f"(?i){pattern}")).list.any().fill_null(value=False)
        made.append(
            parts.group_by("account", "type")
            .agg(topic_conversations=matches.sum(), conversations=pl.len())
            .with_columns(topic=pl.lit(topic), topic_share=pl.col("topic_conversations") / pl.col("conversations"))
        )
    return pl.concat(made).filter(pl.col("conversations") >= 10)


def bands(raw: Raw) -> pl.DataFrame:
    """Scores below 40, below 60, and the others, by the last skill."""
    score = pl.col("mcs")
    return (
        raw.conversations()
        .filter(~pl.col("is_bot") & score.is_not_null() & pl.col("skill_id").is_not_null())
        .group_by(CHANNEL.alias("account"), "skill_id", raw.skill().alias("skill"))
        .agg(
            conversations=pl.len(),
            negative=(score < 40).sum(),
            neutral=((score >= 40) & (score < 60)).sum(),
            positive=(score >= 60).sum(),
            negative_share=(score < 40).mean(),
        )
        .filter(pl.col("conversations") >= 10)
    )


def resolution(raw: Raw) -> pl.DataFrame:
    """Served conversations that ended 72 hours before the data do, and whether the person began another one by then."""
    rows = raw.rows("conversation_metrics").filter(pl.col("person_id").is_not_null())
    starts: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for row in rows.iter_rows(named=True):
        starts[row["account"], row["person_id"]].append(row["conversation_start_time"])
    judged: dict[tuple[str, int, str], list[bool]] = defaultdict(list)
    for row in rows.filter(pl.col("agent_line_count") > 0).iter_rows(named=True):
        end = row["conversation_end_time"]
        if end is None or end + timedelta(hours=72) > raw.reach[row["account"]] or row["first_skill_id"] is None:
            continue
        later = [start for start in starts[row["account"], row["person_id"]] if start > end]
        key = (f"{row['account']} {row['type']}", row["first_skill_id"], raw.skills[row["first_skill_id"]])
        judged[key].append(not later or min(later) - end > timedelta(hours=72))
    found = [(*key, len(each), sum(each), sum(each) / len(each)) for key, each in judged.items() if len(each) >= 10]
    columns = ["account", "skill_id", "skill", "judged_count", "settled_count", "settled_share"]
    return pl.DataFrame(found, schema=columns, orient="row")


def repeaters(raw: Raw) -> pl.DataFrame:
    """People with two conversations or more, their last, and their last with a score, if any; no conversation has legs here."""
    is_scored = pl.col("mcs").is_not_null()
    return (
        raw.conversations()
        .filter(pl.col("person_id").is_not_null())
        .sort("conversation_start_time")
        .group_by("account", "person_id")
        .agg(
            contact_count=pl.len(),
            last_local_time=pl.col("local").max(),
            last_type=pl.col("type").last(),
            scored_local_time=pl.col("local").filter(is_scored).last(),
            scored_mcs=pl.col("mcs").filter(is_scored).last(),
        )
        .filter(pl.col("contact_count") >= 2)
    )


def begun_by_bots(raw: Raw) -> pl.DataFrame:
    """Conversations whose first segment was a bot's: whether a person had them, and whether they left a queue of people."""
    segments = raw.rows("segments").sort("segment_number").group_by("conversation_id", maintain_order=True)
    left = raw.rows("queue_entries").filter(~pl.col("is_bot"), outcome="abandoned")["conversation_id"].unique().to_list()
    return (
        segments.agg(bot_first=pl.col("is_bot").first(), person=(~pl.col("is_bot")).any())
        .filter(pl.col("bot_first"))
        .join(raw.rows("conversation_metrics", "conversation_start_time"), on="conversation_id")
        .with_columns(week=pl.col("day").dt.truncate("1w"), left=pl.col("conversation_id").is_in(left))
        .filter(pl.col("week").is_in(WEEKS))
    )


def bots(raw: Raw) -> pl.DataFrame:
    """What became of them, week by week."""
    gave_up = ~pl.col("person") & pl.col("left")
    settled = ~pl.col("person") & ~pl.col("left")
    return (
        begun_by_bots(raw)
        .group_by(CHANNEL.alias("account"), pl.col("week").cast(pl.String))
        .agg(
            is_provisional=pl.lit(value=False).first(),
            bot_count=pl.len(),
            **{"by the bot": settled.sum(), "given up": gave_up.sum(), "by a person": pl.col("person").sum()},
            settled_share=settled.mean(),
        )
        .filter(pl.col("bot_count") >= 10)
    )


def shares(raw: Raw) -> dict[str, pl.DataFrame]:
    """The parts and cases of the six shares, by account, type and whole week."""
    entries = raw.rows("queue_entries", "entered_time").filter(~pl.col("is_bot") & CLOSED)
    entries = entries.with_columns(week=pl.col("day").dt.truncate("1w"), wait=pl.col("wait_milliseconds"))
    talks = raw.rows("conversation_metrics", "conversation_start_time").with_columns(week=pl.col("day").dt.truncate("1w"))
    of_people = (
        raw.rows("segments")
        .group_by("conversation_id")
        .agg(some_person=(~pl.col("is_bot")).any(), lines=pl.col("agent_line_count").filter(pl.col("is_bot")).sum())
    )
    talks = talks.join(of_people, on="conversation_id", how="left").with_columns(pl.col("lines").fill_null(0))
    scored = talks.filter(~pl.col("is_bot") & pl.col("mcs").is_not_null())
    wrote = talks.filter(
        pl.col("is_connected") & (pl.col("visitor_line_count") > 0) & pl.col("some_person").fill_null(value=True)
    )
    is_short = (pl.col("outcome") == "abandoned") & (pl.col("wait") < 5_000).fill_null(value=False)
    in_time = (pl.col("outcome") == "answered") & (pl.col("wait") <= 30_000).fill_null(value=False)
    parts = {
        "service level": (entries.filter(~is_short), in_time),
        "abandoned": (entries, pl.col("outcome") == "abandoned"),
        "non responsive": (wrote, pl.col("agent_line_count") == pl.col("lines")),
        "mcs negative": (scored, pl.col("mcs") < 40),
        "mcs positive": (scored, pl.col("mcs") >= 60),
        "contained": (begun_by_bots(raw), ~pl.col("person")),
    }
    return {
        name: rows.filter(pl.col("week").is_in(WEEKS))
        .group_by("account", "type", "week")
        .agg(part_count=part.sum(), case_count=pl.len())
        for name, (rows, part) in parts.items()
    }


def wilson(part: int, cases: int) -> tuple[float, float]:
    """Return the interval of 95 % by Wilson's formula."""
    z, share = 1.959964, part / cases
    middle = share + z * z / (2 * cases)
    half = z * sqrt(share * (1 - share) / cases + z * z / (4 * cases * cases))
    return (middle - half) / (1 + z * z / cases), (middle + half) / (1 + z * z / cases)


def trend(raw: Raw) -> pl.DataFrame:
    """The share abandoned of whole weeks."""
    rows = []
    for account, kind, week, part, cases in shares(raw)["abandoned"].iter_rows():
        low, high = wilson(part, cases)
        rows.append((account, kind, week, False, part, cases, part / cases, low, high))
    columns = [
        "account",
        "type",
        "local_week",
        "is_provisional",
        "part_count",
        "case_count",
        "share",
        "share_low",
        "share_high",
    ]
    return pl.DataFrame(rows, schema=columns, orient="row")


def changes(raw: Raw) -> pl.DataFrame:
    """The shares of the second whole week against the first, with Newcombe's interval."""
    rows = []
    for measure, found in shares(raw).items():
        counts = {row[:3]: row[3:] for row in found.iter_rows()}
        for account, kind in sorted({key[:2] for key in counts}):
            (before, cases_before), (now, cases) = (counts[account, kind, week] for week in WEEKS)
            (low_before, high_before), (low, high) = wilson(before, cases_before), wilson(now, cases)
            share_before, share = before / cases_before, now / cases
            change = share - share_before
            bounds = (
                change - sqrt((share - low) ** 2 + (high_before - share_before) ** 2),
                change + sqrt((high - share) ** 2 + (share_before - low_before) ** 2),
            )
            is_clear = bounds[0] > 0 or bounds[1] < 0
            rows.append((f"{account} {kind}", WEEKS[1], measure, before, cases_before, now, cases, change, *bounds, is_clear))
    columns = [
        "account",
        "local_week",
        "measure",
        "former_part_count",
        "former_case_count",
        "part_count",
        "case_count",
        "change",
    ]
    return pl.DataFrame(rows, schema=[*columns, "change_low", "change_high", "is_clear"], orient="row")


def export(raw: Raw) -> pl.DataFrame:
    """The queues of people of the last seven days, chats."""
    return (
        raw.entries()
        .filter(CHAT & pl.col("skill_id").is_not_null() & (pl.col("day") > UNTIL_DAY - timedelta(days=7)))
        .group_by("account", pl.col("day").alias("local_date"), "skill_id", raw.skill().alias("skill"))
        .agg(
            entry_count=pl.len(),
            answered_count=ANSWERED.sum(),
            abandoned_count=ABANDONED,
            within_count=(ANSWERED & (pl.col("wait_milliseconds") <= 30_000)).sum(),
            p90_seconds=pl.col("wait_milliseconds").filter(ANSWERED).quantile(0.9, "linear") / 1000,
        )
    )


def volume(raw: Raw) -> pl.DataFrame:
    """Conversations by local day."""
    return raw.conversations().group_by("account", "type", pl.col("day").alias("local_date")).agg(conversations=pl.len())


ORACLES: Final[dict[str, Callable[[Raw], pl.DataFrame]]] = {
    made.__name__: made
    for made in (
        evenings, within, waiting, pages, gave_up, slow, low_scores, concurrency, flow, refunds,
        course, topics, bands, resolution, repeaters, bots, trend, changes, export, volume,
    )
}  # fmt: skip


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.answer)
def test_a_second_computation_agrees(query: Query, done: Run, raw: Raw) -> None:
    """The answer has the rows that Polars finds, counts are equal, and the rest is but for rounding."""
    expected = ORACLES[query.answer](raw)
    found = done.names[query.answer]
    exact = [name for name, kind in expected.schema.items() if not kind.is_float()]
    rest = [name for name, kind in expected.schema.items() if kind.is_float()]
    order = [*exact, *rest]
    expected, found = (frame.select(order).sort(order, nulls_last=True) for frame in (expected, found))

    assert found.height > 0
    assert set(found["account"].str.extract(r"^(Shop London|Shop New York)")) == set(ACCOUNTS.values())
    assert found.select(exact).rows() == expected.select(exact).rows()
    for name in rest:
        rounding = 0.051 if re.search(r"seconds|hours|avg", name) else 0.00051
        assert found[name].to_list() == pytest.approx(expected[name].to_list(), abs=rounding, nan_ok=False), name
