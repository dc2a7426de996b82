"""A sync of one account, as most tests have it."""

from typing import Any

from pipeline.api.client import DataAccessClient
from pipeline.lake.lake import Lake
from pipeline.load import sync as of_accounts
from pipeline.load.results import SyncReport


def sync(lake: Lake, client: DataAccessClient, *, report: SyncReport | None = None, **options: Any) -> SyncReport:
    """Sync the account of a client; its counts are added to `report`, which is returned."""
    done = SyncReport() if report is None else report
    of_accounts.sync(lake, {client: done}, **options)
    return done
