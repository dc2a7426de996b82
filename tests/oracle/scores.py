"""The Meaningful Connection Score: its spread, its bands, and how it moved."""

import polars as pl

from oracle.shared import DAY, KEY, Tables, by_conversation, frame_of, grouped, mean, percentile, quantile, share


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


def mcs_by_agent(tables: Tables) -> pl.DataFrame:
    """By the last agent."""
    return bands(tables, "account_id", "agent_id")


def mcs_by_skill(tables: Tables) -> pl.DataFrame:
    """By the last skill."""
    return bands(tables, "account_id", "skill_id")


def mcs_band_daily(tables: Tables) -> pl.DataFrame:
    """By day."""
    return bands(tables, *DAY)


def band_of(score: float) -> str | None:
    """Negative, neutral or positive."""
    if not 0 <= score <= 100:
        return None
    return ("negative", "neutral", "positive")[(score >= 40) + (score >= 60)]


def scored_conversations(tables: Tables) -> pl.DataFrame:
    """Each score with its band."""
    rows = tables["conversations"].filter(pl.col("mcs").is_not_null()).iter_rows(named=True)
    return frame_of(row | {"mcs_band": band_of(row["mcs"])} for row in rows)


def mcs_movement_daily(tables: Tables) -> pl.DataFrame:
    """From the first to the last of two scores or more."""
    changes = []
    for key, lines in by_conversation(tables, "messages").items():
        scores = [line["mcs"] for line in lines if line["mcs"] is not None]
        if len(scores) > 1:
            changes.append(dict(zip(KEY, key, strict=True)) | {"change": scores[-1] - scores[0]})
    found = []
    for key, rows in grouped(changes, *DAY).items():
        moved = [row["change"] for row in rows]
        day = dict(zip(DAY, key, strict=True)) | {"moved_count": len(moved)}
        day |= {"mcs_change_avg": mean(moved), "mcs_change_p50": quantile(moved, 0.5)}
        for name, sign in (("risen", 1), ("fallen", -1), ("level", 0)):
            count = sum((change > 0) - (change < 0) == sign for change in moved)
            day |= {f"{name}_count": count, f"{name}_share": count / len(moved)}
        found.append(day)
    return frame_of(found)
