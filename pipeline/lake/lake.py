"""A lake: its place, and the commits that say which files count."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from pipeline import schema
from pipeline.errors import PipelineError
from pipeline.lake import commits
from pipeline.lake.place import Place
from pipeline.lake.snapshot import LEDGER, Change, Snapshot

REPORT_NAME: Final = "report.html"


class Lake(Place):
    """A place that is read by snapshots and changed by commits; `commits` has the protocol."""

    @property
    def exists(self) -> bool:
        """Whether a load has ever finished here; raises as `snapshot` does."""
        return commits.find_ledger(self) is not None

    @property
    def is_current(self) -> bool:
        """Whether the newest finished load is of this version, and has its facts; raises as `snapshot` does."""
        return self.snapshot(only=(LEDGER, *schema.FACTS)).is_current

    @property
    def has_facts(self) -> bool:
        """Whether the folders of the facts are there, which costs nothing to see; a bucket is not asked."""
        return not self.is_local or all(Path(self.path(name, "_delta_log")).is_dir() for name in schema.FACTS)

    def create(self) -> None:
        """Make the tables unless they are there."""
        ledger = commits.find_ledger(self)
        if ledger is None or not ledger.version():  # an older version may have made its own
            self.add_tables()

    def add_tables(self) -> None:
        """Make the tables that are not there, empty; no finished load names them."""
        commits.create_tables(self)

    def snapshot(self, only: Iterable[str] = schema.STORED) -> Snapshot:
        """The newest finished load, or `only` some tables of it; of a lake without one, empty tables at version 0.

        Raises:
            DamagedError: the newest one is unknown or can't be read. A ledger that is gone is no new lake: a
                load would lose all that came before.
        """
        return commits.read_snapshot(self, commits.find_ledger(self), only)

    def is_newest(self, snapshot: Snapshot) -> bool:
        """Whether no load has finished since."""
        return commits.is_newest(self, snapshot)

    def is_overtaken(self, snapshot: Snapshot) -> bool:
        """Whether a load has finished since, where no lock keeps it away: it may have deleted what the snapshot names."""
        with suppress(PipelineError, OSError):  # the error that led here is told
            return not self.store.has_lock and not self.is_newest(snapshot)
        return False

    def commit(
        self, changes: dict[str, Change], snapshot: Snapshot, *, landed: Iterable[str] = (), is_upgrade: bool = False
    ) -> Snapshot:
        """Make the changes of all tables visible in one moment, as `commits.commit` does."""
        return commits.commit(self, changes, snapshot, landed=landed, is_upgrade=is_upgrade)
