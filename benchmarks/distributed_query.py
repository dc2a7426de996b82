"""Compute `queue_time_daily` with an engine of many machines: `python benchmarks/distributed_query.py LAKE`.

Daft reads the table `conversations` where it lies, on its distributed runner, and computes the view from its definition. The
result has to equal that of the lake's own DuckDB file: counts exactly, seconds to the microsecond. The runner is Ray, on the
cluster that `RAY_ADDRESS` names, else on one that is started here. It does not need this package, but
`pip install "daft[ray]" deltalake duckdb pytz`.
"""

import math
import sys
import time
from typing import Any

import daft
import duckdb
from daft import DataFrame, Expression, col

SAME_SECONDS = 1e-6


def queue_time_daily(lake: str) -> DataFrame:
    """Return one row per account and date (UTC, of the conversation's start), as docs/metrics.md defines it."""
    connected = col("interaction_start_time").not_null()
    waited = (_microseconds("queue_end_time") - _microseconds("queue_start_time")) / 1_000_000
    timed = daft.read_deltalake(f"{lake}/conversations").select(
        "account_id",
        "date",
        connected.alias("is_connected"),
        daft.functions.when(connected & (waited >= 0), waited).otherwise(None).alias("queue_seconds"),
    )
    queue, is_connected = col("queue_seconds"), col("is_connected")
    counted = timed.groupby("account_id", "date").agg(
        is_connected.count("all").alias("conversation_count"),
        is_connected.cast(daft.DataType.int64()).sum().alias("connected_count"),
        queue.mean().alias("queue_avg_seconds"),
        queue.percentile(0.5).alias("queue_p50_seconds"),
        queue.percentile(0.9).alias("queue_p90_seconds"),
        queue.max().alias("queue_max_seconds"),
    )
    abandoned = col("conversation_count") - col("connected_count")
    return counted.with_columns({"abandoned_count": abandoned, "abandoned_share": abandoned / col("conversation_count")})


def _microseconds(column: str) -> Expression:
    return col(column).cast(daft.DataType.int64())


def main(lake: str) -> None:
    """Query both, and compare."""
    daft.set_runner_ray()
    began = time.perf_counter()
    found = {(row["account_id"], row["date"]): row for row in queue_time_daily(lake).to_pylist()}
    seconds = time.perf_counter() - began
    with duckdb.connect(f"{lake}/lakehouse.duckdb", read_only=True) as connection:
        asked = connection.execute("from queue_time_daily")
        names = [column[0] for column in asked.description or ()]
        expected = [dict(zip(names, row, strict=True)) for row in asked.fetchall()]
    differing = [row for row in expected if not _is_same(row, found.get((row["account_id"], row["date"]), {}))]
    by_daft = f"by Daft {daft.__version__} on Ray {len(found)}, in {seconds:.1f} s"
    print(f"{len(expected)} rows by DuckDB; {by_daft}; {len(differing)} differ")
    if differing or len(found) != len(expected):
        sys.exit(f"the first that differs: {differing[:1]}")


def _is_same(expected: dict[str, Any], found: dict[str, Any]) -> bool:
    return all(_is_equal(value, found.get(name)) for name, value in expected.items())


def _is_equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=0, abs_tol=SAME_SECONDS)
    return bool(one == other)


if __name__ == "__main__":
    main(sys.argv[1])
