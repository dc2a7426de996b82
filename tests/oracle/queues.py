"""How long visitors waited for an agent, and how many gave up."""

from datetime import date, timedelta

import polars as pl

from oracle.conversations import conversation_times
from oracle.shared import DAY, ZONE, Tables, midnight, percentile, share

WAIT_BOUNDS = (0, 15, 30, 45, 60, 90, 120)


def queue_time(tables: Tables, *keys: str | pl.Expr) -> pl.DataFrame:
    """The contract's columns on queue time, by these keys."""
    wait = "connected_queue_seconds"
    frame = (
        conversation_times(tables)
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


def queue_time_daily(tables: Tables) -> pl.DataFrame:
    """By days of UTC."""
    return queue_time(tables, *DAY)


def queue_time_hourly(tables: Tables) -> pl.DataFrame:
    """By hours of UTC."""
    return queue_time(tables, "account_id", pl.col("conversation_start_time").dt.truncate("1h").alias("hour"))


def queue_time_by_skill(tables: Tables) -> pl.DataFrame:
    """By the last skill."""
    return queue_time(tables, "account_id", "skill_id")


def queue_time_local_daily(tables: Tables) -> pl.DataFrame:
    """By New York's days, with their length."""
    local = pl.col("conversation_start_time").dt.convert_time_zone(ZONE.key).dt.date().alias("local_date")
    frame = queue_time(tables, "account_id", local)
    return frame.with_columns(hour_count=pl.Series(map(hours, frame["local_date"])))


def hours(day: date | None) -> float | None:
    """The length of a day in New York."""
    return None if day is None else (midnight(day + timedelta(days=1)) - midnight(day)) / timedelta(hours=1)


def service_level_daily(tables: Tables) -> pl.DataFrame:
    """30 seconds, and 5 for who left at once."""
    connected, abandoned, wait = pl.col("is_connected"), pl.col("is_abandoned"), pl.col("queue_seconds")
    frame = (
        conversation_times(tables)
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
        conversation_times(tables)
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
    waits = conversation_times(tables).filter(pl.col("connected_queue_seconds").is_not_null())
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
