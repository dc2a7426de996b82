"""Compute `queue_time_daily` with an engine of many machines: `python benchmarks/distributed_query.py LAKE`.

Daft reads the table `queue_entries` where it lies, on its distributed runner, and computes the view from its definition. The
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


KEY = ("account_id", "date", "type")
COLUMNS = (
    *KEY,
    "entry_count",
    "answered_count",
    "abandoned_count",
    "moved_count",
    "abandoned_share",
    "queued_count",
    "queue_avg_seconds",
    "queue_p50_seconds",
    "queue_p90_seconds",
    "queue_max_seconds",
)


def queue_time_daily(lake: str) -> DataFrame:
    """Return one row per account, date (UTC, of entering) and type, as docs/metrics.md defines it."""
    is_answered = col("outcome") == "answered"
    seconds = col("wait_milliseconds") / 1000
    timed = daft.read_deltalake(f"{lake}/queue_entries").select(
        "account_id",
        col("entered_date").alias("date"),
        "type",
        *(_number(col("outcome") == outcome).alias(f"is_{outcome}") for outcome in ("answered", "abandoned", "moved")),
        daft.functions.when(is_answered, seconds).otherwise(None).alias("queue_seconds"),
    )
    queue = col("queue_seconds")
    counted = timed.groupby(*KEY).agg(
        col("is_answered").count("all").alias("entry_count"),
        *(col(f"is_{outcome}").sum().alias(f"{outcome}_count") for outcome in ("answered", "abandoned", "moved")),
        queue.count().alias("queued_count"),
        queue.mean().alias("queue_avg_seconds"),
        queue.percentile(0.5).alias("queue_p50_seconds"),
        queue.percentile(0.9).alias("queue_p90_seconds"),
        queue.max().alias("queue_max_seconds"),
    )
    ended = col("abandoned_count") + col("answered_count")
    share = daft.functions.when(ended > 0, col("abandoned_count") / ended).otherwise(None)
    return counted.with_columns({"abandoned_share": share})


def _number(condition: Expression) -> Expression:
    return condition.cast(daft.DataType.int64())


def main(lake: str) -> None:
    """Query both, and compare."""
    daft.set_runner_ray()
    began = time.perf_counter()
    found = {tuple(row[name] for name in KEY): row for row in queue_time_daily(lake).to_pylist()}
    seconds = time.perf_counter() - began
    with duckdb.connect(f"{lake}/lakehouse.duckdb", read_only=True) as connection:
        asked = connection.execute(f"select {', '.join(COLUMNS)} from queue_time_daily")
        names = [column[0] for column in asked.description or ()]
        expected = [dict(zip(names, row, strict=True)) for row in asked.fetchall()]
    differing = [row for row in expected if not _is_same(row, found.get(tuple(row[name] for name in KEY), {}))]
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
