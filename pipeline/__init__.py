"""LivePerson engagement data: from hourly gz files to a lake of Parquet tables and answers in SQL.

From Python: `import pipeline; pipeline.open("lake").sql("from queue_time_daily").pl()`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

__all__ = ["open"]
_CALLER = 6  # frames from a warning to the caller of `open`


def open(lake: str | None = None) -> "duckdb.DuckDBPyConnection":  # noqa: A001  # it is used as pipeline.open
    """Open a lake for reading: a DuckDB connection with its tables and views, as of the newest finished load.

    Statements that write, such as `copy ... to`, are refused. `sql` gives a DuckDB relation; `.pl()` makes a Polars data frame
    of it, `.df()` one of pandas, which the extra `notebook` brings, and `.to_arrow_table()` a table of Arrow. Times are in UTC.
    Later loads show once the lake is opened again.

    Args:
        lake: a folder, or the URL of a bucket's prefix. By default LAKE_URI from the environment or `.env`, else `./lake`.

    Raises:
        LakeError: nothing was ever loaded there, or the store can't be reached.
        SettingsError: the store lacks credentials or its extra.

    Warns of a DuckDB file or a `settings.csv` that can't be used, and of wrong lines in files of names; the answers are right
    nevertheless.
    """
    import warnings

    from pipeline.lake.lake import Lake
    from pipeline.settings import export_store_settings, read_settings
    from pipeline.warehouse.database import connect

    uri = lake or read_settings().lake_uri
    if "://" in uri:
        export_store_settings()
    return connect(Lake(uri), lambda sentence: warnings.warn(sentence, stacklevel=_CALLER))
