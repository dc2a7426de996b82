"""A second implementation of the measures, in Polars and plain loops, written from their definitions and not from the SQL.

Every function takes the tables of a lake and gives what the view of its name gives, as a frame with the view's columns; the
settings are the defaults but for the time zone.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

Tables = dict[str, pl.DataFrame]
Row = dict[str, Any]

KEY = ["account_id", "conversation_id", "date"]
DAY = ["account_id", "date"]
ZONE = ZoneInfo("America/New_York")
QUARTER = timedelta(minutes=15)
RESPONSE_BOUNDS = (15, 30, 60, 120, 300, 600, 1800, 3600, 10800, 86400)
WAIT_BOUNDS = (0, 15, 30, 45, 60, 90, 120)
REPEAT_BOUNDS = (1, 24, 72, 168, 336, 720)


def span(start: str, end: str) -> pl.Expr:
    """Seconds from one column to another, NULL where they would be negative."""
    milliseconds = pl.col(end).dt.epoch("ms") - pl.col(start).dt.epoch("ms")
    return pl.when(milliseconds >= 0).then(milliseconds / 1000)


def share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """A part of a whole; of nothing there is none."""
    return pl.when(whole > 0).then(part / whole)


def percentile(column: str | pl.Expr, at: float) -> pl.Expr:
    """An interpolated percentile."""
    return (pl.col(column) if isinstance(column, str) else column).quantile(at, interpolation="linear")


def staged(tables: Tables) -> pl.DataFrame:
    """Conversations with the durations of their stages."""
    connected = pl.col("interaction_start_time").is_not_null()
    left = pl.when(connected).then("queue_end_time").otherwise(pl.coalesce("queue_end_time", "conversation_end_time"))
    frame = tables["conversations"].with_columns(is_connected=connected, is_abandoned=~connected, left_time=left)
    frame = frame.with_columns(
        queue_seconds=span("queue_start_time", "left_time"),
        duration_seconds=span("conversation_start_time", "conversation_end_time"),
        chat_seconds=span("interaction_start_time", "conversation_end_time"),
    )
    return frame.with_columns(connected_queue_seconds=pl.when("is_connected").then("queue_seconds"))


def lines(tables: Tables) -> pl.DataFrame:
    """What visitor and agent said, in order, with the number of the run that each line belongs to."""
    said = tables["messages"].filter(pl.col("type").is_in(["0", "1", "3", "4"])).sort(*KEY, "position")
    return said.with_columns(is_agent=pl.col("type") != "0").with_columns(run=pl.col("is_agent").rle_id().over(KEY))


def answers(tables: Tables) -> pl.DataFrame:
    """Runs of one side that follow one of the other, timed from the first line of that."""
    runs = lines(tables).group_by(*KEY, "run", maintain_order=True).agg(pl.col("timestamp", "is_agent", "agent_id").first())
    runs = runs.with_columns(asked=pl.col("timestamp").shift(1).over(KEY)).filter(pl.col("run") > 0)
    runs = runs.with_columns(seconds=span("asked", "timestamp"))
    return runs.with_columns(number=pl.col("run").rank("ordinal").over(*KEY, "is_agent"))


def agent_answers(tables: Tables) -> pl.DataFrame:
    """The answers that agents gave."""
    return answers(tables).filter("is_agent")


def conversation_metrics(tables: Tables) -> pl.DataFrame:
    """The contract's columns."""
    said = lines(tables)
    counted = said.group_by(KEY).agg(visitor_line_count=(~pl.col("is_agent")).sum(), agent_line_count=pl.col("is_agent").sum())
    greeted = said.filter("is_agent").join(tables["conversations"].select(*KEY, "interaction_start_time"), on=KEY)
    greeted = greeted.with_columns(s=span("interaction_start_time", "timestamp"))
    greeted = greeted.group_by(KEY).agg(first_response_seconds=pl.col("s").min())
    answered = agent_answers(tables)
    replied = answered.group_by(KEY).agg(
        first_reply_seconds=pl.col("seconds").filter(pl.col("number") == 1).max(),
        response_count=pl.len(),
        response_avg_seconds=pl.col("seconds").mean(),
        response_max_seconds=pl.col("seconds").max(),
    )
    moved = tables["transfers"].with_columns(s=span("queue_start_time", "queue_end_time")).group_by(KEY)
    moves = moved.agg(transfer_count=pl.len(), transfer_queue_seconds=pl.col("s").sum())
    frame = staged(tables)
    for part in (counted, greeted, replied, moves):
        frame = frame.join(part, on=KEY, how="left")
    counts = ["visitor_line_count", "agent_line_count", "response_count", "transfer_count", "transfer_queue_seconds"]
    frame = frame.with_columns(pl.col(counts).fill_null(0))
    return frame.with_columns(total_queue_seconds=pl.col("queue_seconds") + pl.col("transfer_queue_seconds"))


def queue_time(tables: Tables, *keys: str | pl.Expr) -> pl.DataFrame:
    """The contract's columns on queue time, by these keys."""
    wait = "connected_queue_seconds"
    frame = (
        staged(tables)
        .group_by(*keys)
        .agg(
            conversation_count=pl.len(),
            connected_count=pl.col("is_connected").sum(),
            abandoned_count=pl.col("is_abandoned").sum(),
            queued_count=pl.col(wait).count(),
            queue_avg_seconds=pl.col(wait).mean(),
            queue_p50_seconds=percentile(wait, 0.5),
            queue_p90_seconds=percentile(wait, 0.9),
            queue_max_seconds=pl.col(wait).max(),
        )
    )
    return frame.with_columns(
        abandoned_share=share(pl.col("abandoned_count"), pl.col("abandoned_count") + pl.col("connected_count"))
    )


def queue_time_local_daily(tables: Tables) -> pl.DataFrame:
    """By New York's days, with their length."""
    local = pl.col("conversation_start_time").dt.convert_time_zone(ZONE.key).dt.date().alias("local_date")
    frame = queue_time(tables, "account_id", local)
    hours = [(midnight(day + timedelta(days=1)) - midnight(day)) / timedelta(hours=1) for day in frame["local_date"]]
    return frame.with_columns(hour_count=pl.Series(hours))


def midnight(day: date) -> datetime:
    """The instant at which a day begins in New York."""
    return datetime(day.year, day.month, day.day, tzinfo=ZONE).astimezone(UTC)


def mcs_distribution(tables: Tables) -> pl.DataFrame:
    """Ten points a bucket."""
    scored = tables["conversations"].filter(pl.col("mcs").is_between(0, 100))
    bucket = pl.min_horizontal((pl.col("mcs") / 10).floor() * 10, pl.lit(90)).cast(pl.Int32)
    return scored.with_columns(bucket=bucket).group_by(*DAY, "bucket").agg(conversation_count=pl.len())


def mcs_daily(tables: Tables) -> pl.DataFrame:
    """Days without a score, too."""
    return tables["conversations"].group_by(DAY).agg(scored_count=pl.col("mcs").count(), **spread("mcs"))


def spread(column: str) -> dict[str, pl.Expr]:
    """Mean and percentiles of the scores."""
    points = {f"mcs_p{at}": percentile(column, at / 100) for at in (10, 50, 90)}
    return {"mcs_avg": pl.col(column).mean(), **points}


def bands(tables: Tables, *keys: str) -> pl.DataFrame:
    """Scores by keys, with the counts and shares of the bands."""
    mcs = pl.col("mcs")
    counts = {
        "negative": mcs.is_between(0, 40, closed="left"),
        "neutral": mcs.is_between(40, 60, closed="left"),
        "positive": mcs.is_between(60, 100),
    }
    frame = (
        tables["conversations"]
        .filter(mcs.is_not_null())
        .group_by(keys)
        .agg(
            scored_count=pl.len(),
            banded_count=mcs.is_between(0, 100).sum(),
            **{f"{name}_count": found.sum() for name, found in counts.items()},
            **spread("mcs"),
        )
    )
    shares = {f"{name}_share": share(pl.col(f"{name}_count"), pl.col("banded_count")) for name in counts}
    net = 100 * share(pl.col("positive_count").cast(pl.Int64) - pl.col("negative_count").cast(pl.Int64), pl.col("banded_count"))
    return frame.with_columns(**shares, mcs_net_score=net)


def mcs_movement(tables: Tables) -> pl.DataFrame:
    """First and last score of a transcript."""
    scored = tables["messages"].filter(pl.col("mcs").is_not_null()).sort("position")
    frame = scored.group_by(KEY, maintain_order=True).agg(
        scored_count=pl.len(),
        mcs_first=pl.col("mcs").first(),
        mcs_last=pl.col("mcs").last(),
        mcs_min=pl.col("mcs").min(),
        mcs_max=pl.col("mcs").max(),
    )
    return frame.with_columns(mcs_change=pl.col("mcs_last") - pl.col("mcs_first"))


def service_level_daily(tables: Tables) -> pl.DataFrame:
    """30 seconds, and 5 for who left at once."""
    connected, abandoned, wait = pl.col("is_connected"), pl.col("is_abandoned"), pl.col("queue_seconds")
    frame = (
        staged(tables)
        .group_by(DAY)
        .agg(
            service_level_seconds=pl.lit(30.0),
            short_abandon_seconds=pl.lit(5.0),
            connected_count=connected.sum(),
            abandoned_count=abandoned.sum(),
            short_abandon_count=(abandoned & (wait < 5)).sum(),
            within_count=(connected & (wait <= 30)).sum(),
            abandoned_within_count=(abandoned & (wait <= 30)).sum(),
        )
        .with_columns(pl.selectors.ends_with("_count").cast(pl.Int64))
    )
    within, requested = pl.col("within_count"), pl.col("connected_count") + pl.col("abandoned_count")
    return frame.with_columns(
        service_level_share=share(within, requested - pl.col("short_abandon_count")),
        service_level_of_all_share=share(within, requested),
        service_level_of_connected_share=share(within, pl.col("connected_count")),
        service_level_kind_share=share(within + pl.col("abandoned_within_count"), requested),
    )


def abandonment_daily(tables: Tables) -> pl.DataFrame:
    """Three denominators, and the time until people gave up."""
    wait = pl.col("queue_seconds").filter("is_abandoned")
    queued = tables["transfers"].filter(pl.col("queue_start_time").is_not_null())
    transferred = queued.group_by(DAY).agg(transfer_count=pl.len())
    frame = (
        staged(tables)
        .group_by(DAY)
        .agg(
            short_abandon_seconds=pl.lit(5.0),
            connected_count=pl.col("is_connected").sum(),
            abandoned_count=pl.col("is_abandoned").sum(),
            short_abandon_count=(wait < 5).sum(),
            waited_count=wait.count(),
            abandon_avg_seconds=wait.mean(),
            abandon_p50_seconds=percentile(wait, 0.5),
            abandon_p90_seconds=percentile(wait, 0.9),
            abandon_max_seconds=wait.max(),
        )
        .join(transferred, on=DAY, how="left")
        .with_columns(pl.selectors.ends_with("_count").cast(pl.Int64).fill_null(0))
    )
    abandoned, all_of_them = pl.col("abandoned_count"), pl.col("abandoned_count") + pl.col("connected_count")
    short, request = pl.col("short_abandon_count"), all_of_them + pl.col("transfer_count")
    return frame.with_columns(
        request_count=request,
        abandoned_share=share(abandoned, all_of_them),
        abandoned_of_requested_share=share(abandoned, request),
        abandoned_adjusted_share=share(abandoned - short, all_of_them - short),
    )


def wait_histogram_daily(tables: Tables) -> pl.DataFrame:
    """Every bucket of every day on which somebody was connected."""
    waits = staged(tables).filter(pl.col("connected_queue_seconds").is_not_null())
    found = []
    for (account_id, day), group in waits.group_by(DAY):
        seconds = group["connected_queue_seconds"].to_list()
        for lower, upper in zip(WAIT_BOUNDS, (*WAIT_BOUNDS[1:], None), strict=True):
            here = sum(lower <= s and (upper is None or s < upper) for s in seconds)
            below = sum(upper is None or s < upper for s in seconds)
            found.append(
                {
                    "account_id": account_id,
                    "date": day,
                    "lower_seconds": float(lower),
                    "upper_seconds": None if upper is None else float(upper),
                    "conversation_count": here,
                    "queued_count": len(seconds),
                    "conversation_share": here / len(seconds),
                    "cumulative_share": below / len(seconds),
                }
            )
    return pl.DataFrame(found, infer_schema_length=None)


def timing(prefix: str, column: str) -> dict[str, pl.Expr]:
    """Count, mean and percentiles of times."""
    return {
        f"{prefix}_count": pl.col(column).count(),
        f"{prefix}_avg_seconds": pl.col(column).mean(),
        f"{prefix}_p50_seconds": percentile(column, 0.5),
        f"{prefix}_p90_seconds": percentile(column, 0.9),
    }


def first_response_daily(tables: Tables) -> pl.DataFrame:
    """From the connection, from the visitor's first line, from whichever is later."""
    first = agent_answers(tables).filter(pl.col("number") == 1).select(*KEY, "asked", "timestamp", "seconds")
    frame = conversation_metrics(tables).filter("is_connected").join(first, on=KEY, how="left")
    frame = frame.with_columns(since=pl.max_horizontal("asked", "interaction_start_time"))
    frame = frame.with_columns(answer=pl.when(pl.col("seconds").is_not_null()).then(span("since", "timestamp")))
    return frame.group_by(DAY).agg(
        connected_count=pl.len(),
        **timing("first_response", "first_response_seconds"),
        **timing("first_reply", "first_reply_seconds"),
        **timing("first_answer", "answer"),
    )


def response_sla_daily(tables: Tables) -> pl.DataFrame:
    """Within each bound, of all responses and of those that are not a conversation's first."""
    timed = agent_answers(tables).filter(pl.col("seconds").is_not_null())
    found = []
    for (account_id, day), group in timed.group_by(DAY):
        everything = group["seconds"].to_list()
        later = group.filter(pl.col("number") > 1)["seconds"].to_list()
        for bound in (*RESPONSE_BOUNDS, None):
            within = sum(bound is None or s <= bound for s in everything)
            later_within = sum(bound is None or s <= bound for s in later)
            found.append(
                {
                    "account_id": account_id,
                    "date": day,
                    "bound_seconds": None if bound is None else float(bound),
                    "within_count": within,
                    "timed_count": len(everything),
                    "within_share": within / len(everything),
                    "follow_up_within_count": later_within,
                    "follow_up_count": len(later),
                    "follow_up_within_share": later_within / len(later) if later else None,
                }
            )
    return pl.DataFrame(found, infer_schema_length=None)


def response_time(frame: pl.DataFrame) -> pl.DataFrame:
    """Responses by day."""
    frame = frame.group_by(DAY).agg(
        **timing("response", "seconds"), timed_count=pl.col("seconds").count(), response_max_seconds=pl.col("seconds").max(),
        counted=pl.len(),
    )  # fmt: skip
    return frame.with_columns(response_count="counted")


def handling_daily(tables: Tables) -> pl.DataFrame:
    """Flag and transcript, and how long chats took."""
    visitor = answers(tables).filter(~pl.col("is_agent")).select(KEY).unique().with_columns(has_answered=True)
    frame = conversation_metrics(tables).filter("is_connected").join(visitor, on=KEY, how="left")
    wrote, flag = pl.col("visitor_line_count") > 0, pl.col("is_interactive")
    recomputed = pl.when(pl.col("type") == "MESSAGING").then(pl.col("has_answered").fill_null(value=False)).otherwise(wrote)
    chat = pl.col("chat_seconds")
    frame = frame.group_by(DAY).agg(
        connected_count=pl.len(),
        interactive_count=flag.sum(),
        interactive_recomputed_count=recomputed.sum(),
        flag_differs_count=flag.ne_missing(recomputed).sum(),
        wrote_count=wrote.sum(),
        non_responsive_count=(wrote & (pl.col("agent_line_count") == 0)).sum(),
        **timing("chat", "chat_seconds"),
        chat_total_seconds=chat.sum(),
        interactive_chat_count=chat.filter(flag).count(),
        interactive_chat_total_seconds=chat.filter(flag).sum(),
        interactive_chat_avg_seconds=chat.filter(flag).mean(),
    )
    return frame.with_columns(
        interactive_share=share(pl.col("interactive_count"), pl.col("connected_count")),
        non_responsive_share=share(pl.col("non_responsive_count"), pl.col("wrote_count")),
    )


def closed_by_daily(tables: Tables) -> pl.DataFrame:
    """The vendor's groups of end reasons."""
    reason = pl.col("end_reason_id")
    known = reason.is_in([101, 106, 201, 202, 205, 208, 210]).fill_null(value=False)
    counts = {
        "agent": reason.is_in([201, 202]).sum(),
        "visitor": reason.is_in([205, 208, 210]).sum(),
        "system": reason.is_in([101, 106]).sum(),
        "unknown": (~known).sum(),
    }
    named = {f"{name}_count": count for name, count in counts.items()}
    frame = tables["conversations"].group_by(DAY).agg(conversation_count=pl.len(), **named)
    return frame.with_columns(**{f"{name}_share": pl.col(f"{name}_count") / pl.col("conversation_count") for name in counts})


def by_conversation(tables: Tables, name: str) -> dict[tuple[Any, ...], list[Row]]:
    """The rows of a table by conversation, in their order."""
    grouped: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in tables[name].sort("position").iter_rows(named=True):
        grouped[tuple(row[column] for column in KEY)].append(row)
    return grouped


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """Seconds, None where an end is missing or the time would be negative."""
    return None if start is None or end is None or end < start else (end - start) / timedelta(seconds=1)


def segments(tables: Tables) -> Iterator[Row]:
    """Walk each connected conversation from transfer to transfer."""
    moves = by_conversation(tables, "transfers")
    for row in tables["conversations"].filter(pl.col("interaction_start_time").is_not_null()).iter_rows(named=True):
        key = tuple(row[column] for column in KEY)
        visited: list[int | None] = []
        begins, assigned = row["interaction_start_time"], row["interaction_start_time"]
        for number, move in enumerate([*moves.get(key, []), None], 1):
            closing = move or row
            segment = dict(zip(KEY, key, strict=True)) | {
                "segment_number": number,
                "is_last": move is None,
                "agent_id": closing["agent_id"] if assigned else None,
                "skill_id": closing["skill_id"],
                "segment_start_time": begins,
                "assigned_time": assigned,
                "segment_end_time": move["timestamp"] if move else row["conversation_end_time"],
                "bounce_count": visited.count(closing["skill_id"]),
            }
            yield segment
            visited.append(closing["skill_id"])
            if move:
                begins = move["timestamp"]
                has_queue = move["queue_start_time"] or move["queue_end_time"]
                assigned = move["queue_end_time"] if has_queue else move["timestamp"]


def segment_metrics(tables: Tables) -> pl.DataFrame:
    """Segments with their agent lines."""
    transcripts = by_conversation(tables, "messages")
    found = []
    for segment in segments(tables):
        start, end = segment["segment_start_time"], segment["segment_end_time"]
        said = [
            line["timestamp"]
            for line in transcripts.get(tuple(segment[column] for column in KEY), [])
            if line["type"] in {"1", "3", "4"}
            and start <= line["timestamp"]
            and (segment["is_last"] or line["timestamp"] < end)
        ]
        found.append(
            segment
            | {
                "segment_seconds": seconds_between(start, end),
                "engaged_seconds": seconds_between(segment["assigned_time"], end),
                "agent_line_count": len(said),
                "first_response_seconds": seconds_between(start, min(said, default=None)),
            }
        )
    return pl.DataFrame(found, infer_schema_length=None)


def agent_engagement_daily(tables: Tables) -> pl.DataFrame:
    """Union, sum and peak of each agent's intervals on each day of New York."""
    days: dict[tuple[Any, ...], list[tuple[datetime, datetime]]] = defaultdict(list)
    for segment in segments(tables):
        start, end = segment["assigned_time"], segment["segment_end_time"]
        if segment["agent_id"] and start and end and start < end:
            day = start.astimezone(ZONE).date()
            while midnight(day) < end:
                cut = (max(start, midnight(day)), min(end, midnight(day + timedelta(days=1))))
                days[segment["account_id"], segment["agent_id"], day].append(cut)
                day += timedelta(days=1)
    return pl.DataFrame([engagement(key, sorted(cuts)) for key, cuts in days.items()], infer_schema_length=None)


def engagement(key: tuple[Any, ...], cuts: list[tuple[datetime, datetime]]) -> Row:
    """One agent's day."""
    union, reached = timedelta(), cuts[0][0]
    for start, end in cuts:
        union += max(timedelta(), end - max(start, reached))
        reached = max(reached, end)
    total = sum((end - start for start, end in cuts), timedelta())
    return {
        "account_id": key[0],
        "agent_id": key[1],
        "local_date": key[2],
        "segment_count": len(cuts),
        "engaged_seconds": union.total_seconds(),
        "engaged_total_seconds": total.total_seconds(),
        "concurrency": total / union,
        "peak_count": max(sum(other[0] <= start < other[1] for other in cuts) for start, _ in cuts),
    }


def queue_entries(tables: Tables) -> Iterator[Row]:
    """Everybody who entered a queue, and when they left it."""
    ends = {}
    for row in staged(tables).iter_rows(named=True):
        ends[tuple(row[column] for column in KEY)] = row["conversation_end_time"]
        if row["queue_start_time"]:
            yield row | {"entered": row["queue_start_time"], "left": row["left_time"], "is_transfer": False}
    for key, moves in by_conversation(tables, "transfers").items():
        for move, following in pairwise([*moves, None]):
            assert move
            if move["queue_start_time"]:
                left = move["queue_end_time"] or (following["timestamp"] if following else ends.get(key))
                yield move | {"entered": move["queue_start_time"], "left": left, "is_transfer": True, "is_connected": False}


def quarter_of(moment: datetime) -> datetime:
    """The quarter of an hour that a moment is in."""
    return moment - (moment - datetime(1970, 1, 1, tzinfo=UTC)) % QUARTER


def local(moment: datetime) -> datetime:
    """What clocks in New York show."""
    return moment.astimezone(ZONE).replace(tzinfo=None)


def quarters(entries: list[Row]) -> list[tuple[str, datetime]]:
    """Every quarter of an hour of the days on which somebody entered a queue or waited."""
    days = set()
    for entry in entries:
        last = entry["left"] if is_valid(entry) else entry["entered"]
        days |= {(entry["account_id"], entry["entered"].date()), (entry["account_id"], last.date())}
    midnights = [(account_id, datetime(day.year, day.month, day.day, tzinfo=UTC)) for account_id, day in days]
    return [(account_id, start + number * QUARTER) for account_id, start in midnights for number in range(96)]


def is_valid(entry: Row) -> bool:
    """A wait of at most a day."""
    return entry["left"] is not None and timedelta() <= entry["left"] - entry["entered"] <= timedelta(days=1)


def queue_length(tables: Tables) -> pl.DataFrame:
    """In each quarter: the overlap with every wait, and the number of waits at every moment at which it can change."""
    entries = list(queue_entries(tables))
    waits = defaultdict(list)
    for entry in filter(is_valid, entries):
        quarter = quarter_of(entry["entered"])
        while quarter < entry["left"]:
            waits[entry["account_id"], quarter].append((entry["entered"], entry["left"]))
            quarter += QUARTER
    found = []
    for account_id, start in quarters(entries):
        here, end = waits.get((account_id, start), []), start + QUARTER
        moments = {start} | {moment for wait in here for moment in wait if start <= moment < end}
        lengths = [sum(entered <= moment < left for entered, left in here) for moment in moments]
        waited = sum((min(left, end) - max(entered, start) for entered, left in here), timedelta()).total_seconds()
        found.append(
            {
                "account_id": account_id,
                "interval_start": start,
                "local_start_time": local(start),
                "interval_seconds": 900.0,
                "waiting_seconds": waited,
                "waiting_avg": waited / 900,
                "waiting_min": min(lengths),
                "waiting_max": max(lengths),
            }
        )
    return pl.DataFrame(found, infer_schema_length=None)


def arrivals_by_interval(tables: Tables) -> pl.DataFrame:
    """Who entered a queue in each quarter of an hour."""
    entries = list(queue_entries(tables))
    counts: dict[tuple[str, datetime], list[Row]] = defaultdict(list)
    for entry in entries:
        counts[entry["account_id"], quarter_of(entry["entered"])].append(entry)
    found = []
    for account_id, start in quarters(entries):
        here = counts.get((account_id, start), [])
        transfers = sum(entry["is_transfer"] for entry in here)
        connected = sum(entry["is_connected"] for entry in here)
        found.append(
            {
                "account_id": account_id,
                "interval_start": start,
                "local_start_time": local(start),
                "interval_minutes": 15,
                "conversation_count": len(here) - transfers,
                "connected_count": connected,
                "abandoned_count": len(here) - transfers - connected,
                "transfer_count": transfers,
                "request_count": len(here),
            }
        )
    return pl.DataFrame(found, infer_schema_length=None)


def transfer_daily(tables: Tables) -> pl.DataFrame:
    """Kinds, rates and returns, conversation by conversation."""
    days: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    waits: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    for row in tables["conversations"].iter_rows(named=True):
        days[row["account_id"], row["date"]]["connected"] += row["interaction_start_time"] is not None
    for (account_id, _, day), moves in by_conversation(tables, "transfers").items():
        found = days[account_id, day]
        found["transferred"] += 1
        found["returned"] += any(came_back(moves[: place + 1]) for place in range(len(moves)))
        for move in moves:
            found["transfers"] += 1
            found[kind_of(move)] += 1
            wait = seconds_between(move["queue_start_time"], move["queue_end_time"])
            waits[account_id, day] += [] if wait is None else [wait]
    return pl.DataFrame([transfers_of(key, found, waits[key]) for key, found in days.items()], infer_schema_length=None)


def came_back(moves: list[Row]) -> bool:
    """Whether the last of these transfers goes to a skill or an agent that an earlier one, or this, has left."""
    *_, last = moves
    skills, agents = ({move[name] for move in moves} - {None} for name in ("skill_id", "agent_id"))
    to_skill = last["target_skill_id"] in skills - {last["skill_id"]}
    return to_skill or last["target_agent_id"] in agents - {last["agent_id"]}


def kind_of(move: Row) -> str:
    """Where a transfer goes."""
    if move["target_agent_id"] is not None:
        return "agent"
    if move["target_skill_id"] is None:
        return "nowhere"
    return "queue" if move["target_skill_id"] == move["skill_id"] else "skill"


def transfers_of(key: tuple[Any, ...], found: Counter[str], seconds: list[float]) -> Row:
    """One day's row."""
    waits = pl.Series(seconds, dtype=pl.Float64)
    connected, transferred = found["connected"], found["transferred"]
    return {
        "account_id": key[0],
        "date": key[1],
        "connected_count": connected,
        "transfer_count": found["transfers"],
        "transfers_per_conversation": found["transfers"] / connected if connected else None,
        "transferred_count": transferred,
        "transferred_share": transferred / connected if connected else None,
        "to_agent_count": found["agent"],
        "to_skill_count": found["skill"],
        "to_queue_count": found["queue"],
        "returned_count": found["returned"],
        "returned_share": found["returned"] / transferred if transferred else None,
        "queued_count": len(waits),
        "queue_avg_seconds": waits.mean(),
        "queue_p50_seconds": waits.quantile(0.5, "linear"),
        "queue_p90_seconds": waits.quantile(0.9, "linear"),
    }


def repeat_contact(tables: Tables) -> pl.DataFrame:
    """Each person's conversations, and for each the first start after its end."""
    reach = dict(tables["files"].group_by("account_id").agg(pl.col("scope_end_time").max()).iter_rows())
    people: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in tables["conversations"].iter_rows(named=True):
        kind = "visitor" if row["consumer_id"] is None else "consumer"
        if row[f"{kind}_id"] is not None:
            people[row["account_id"], kind, row[f"{kind}_id"]].append(row | {"person_kind": kind})
    found = []
    for rows in people.values():
        ordered = sorted(rows, key=lambda row: row["conversation_start_time"])
        starts = [row["conversation_start_time"] for row in ordered]
        for row in filter(lambda row: row["conversation_end_time"], rows):
            end = row["conversation_end_time"]
            after = ordered[bisect_right(starts, end) :][:1]
            gap = seconds_between(end, after[0]["conversation_start_time"]) if after else None
            band = None if gap is None else next((n for n, b in enumerate(REPEAT_BOUNDS, 1) if gap <= b * 3600), None)
            found.append(
                row
                | {
                    "next_start_time": after[0]["conversation_start_time"] if after else None,
                    "repeat_seconds": gap,
                    "repeat_band": band,
                    "repeat_bound_hours": float(REPEAT_BOUNDS[band - 1]) if band else None,
                    "is_same_skill": after[0]["skill_id"] == row["skill_id"] if after else None,
                    "observed_seconds": (reach[row["account_id"]] - end).total_seconds(),
                }
            )
    return pl.DataFrame(found, infer_schema_length=None)


def repeat_contact_daily(tables: Tables) -> pl.DataFrame:
    """Came back within three days, of those observed for as long."""
    judged = pl.col("observed_seconds") >= 3 * 86400
    repeated = judged & (pl.col("repeat_seconds") <= 3 * 86400).fill_null(value=False)
    known = repeat_contact(tables).with_columns(end_date=pl.col("conversation_end_time").dt.date())
    frame = known.group_by("account_id", "end_date").agg(
        closed_count=pl.len(),
        unknown_person_count=pl.lit(0),
        judged_count=judged.sum(),
        repeated_count=repeated.sum(),
        same_skill_count=(repeated & pl.col("is_same_skill").fill_null(value=False)).sum(),
    )
    frame = frame.with_columns(
        repeated_share=share(pl.col("repeated_count"), pl.col("judged_count")),
        same_skill_share=share(pl.col("same_skill_count"), pl.col("judged_count")),
    )
    return frame.with_columns(resolved_share=1 - pl.col("repeated_share"))


VIEWS: dict[str, Callable[[Tables], pl.DataFrame]] = {
    "conversation_metrics": conversation_metrics,
    "queue_time_daily": lambda tables: queue_time(tables, *DAY),
    "queue_time_hourly": lambda tables: queue_time(
        tables, "account_id", pl.col("conversation_start_time").dt.truncate("1h").alias("hour")
    ),
    "queue_time_by_skill": lambda tables: queue_time(tables, "account_id", "skill_id"),
    "mcs_distribution": mcs_distribution,
    "mcs_daily": mcs_daily,
    "queue_length": queue_length,
    "arrivals_by_interval": arrivals_by_interval,
    "queue_time_local_daily": queue_time_local_daily,
    "service_level_daily": service_level_daily,
    "abandonment_daily": abandonment_daily,
    "wait_histogram_daily": wait_histogram_daily,
    "first_response_daily": first_response_daily,
    "response_sla_daily": response_sla_daily,
    "consumer_response_daily": lambda tables: response_time(answers(tables).filter(~pl.col("is_agent"))),
    "handling_daily": handling_daily,
    "closed_by_daily": closed_by_daily,
    "segment_metrics": segment_metrics,
    "agent_engagement_daily": agent_engagement_daily,
    "transfer_daily": transfer_daily,
    "mcs_by_agent": lambda tables: bands(tables, "account_id", "agent_id"),
    "mcs_by_skill": lambda tables: bands(tables, "account_id", "skill_id"),
    "mcs_band_daily": lambda tables: bands(tables, *DAY),
    "mcs_movement": mcs_movement,
    "repeat_contact": repeat_contact,
    "repeat_contact_daily": repeat_contact_daily,
}
