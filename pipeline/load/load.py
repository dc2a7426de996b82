"""Load source files: read them in workers, plan the changes of all tables, commit these at once."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

from pipeline import schema
from pipeline.errors import LakeError, PipelineError
from pipeline.lake.commits import retry_conflicts
from pipeline.lake.lake import Lake
from pipeline.lake.landing import landed_path
from pipeline.lake.ledger import Ledger
from pipeline.lake.merge import merge_as_it_goes
from pipeline.lake.snapshot import LEDGER, Change, Snapshot
from pipeline.load.dedup import Deliveries
from pipeline.load.engines import Engine, Processes, Progress, spread, units_of
from pipeline.load.erasures import note_kept_out, require_undisturbed, tombstones_for
from pipeline.load.results import Report
from pipeline.load.session import after_commit
from pipeline.load.worker import Ingested
from pipeline.source_files import Incoming, Replaced

ExtraChanges = Callable[[Snapshot], dict[str, Change]]
"""Changes that a commit holds besides the rows of files, worked out from the newest snapshot."""


@dataclass(frozen=True)
class Plan:
    """The changes of all tables that one commit makes visible, worked out from a snapshot.

    `landed` are paths of the landed files that the ledger names from now on, `replaced` counts the files that come in the place
    of others of their name, `superseded` the deliveries that lost,
    `kept_out` are the ids of conversations that tombstones have kept out for the first time: they are purged after the commit.
    """

    changes: dict[str, Change]
    landed: tuple[str, ...] = ()
    replaced: int = 0
    superseded: int = 0
    kept_out: frozenset[str] = field(default=frozenset(), repr=False)


@dataclass(frozen=True)
class _Settings:
    """The arguments of a load that each of its waves uses."""

    engine: Engine
    progress: Progress | None
    extra_changes: ExtraChanges
    now: Callable[[], datetime]


def load(
    lake: Lake,
    incoming: Iterable[Incoming],
    *,
    engine: Engine | None = None,
    report: Report | None = None,
    progress: Progress | None = None,
    extra_changes: ExtraChanges = lambda _: {},
    newest: Snapshot | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Report:
    """Load source files, as they come; the caller holds `writing`, and hands over the newest load that this gave.

    Of files with one name, each replaces the one before it, unless they are known to be of different accounts; all others
    become visible together. The counts are added to `report`, which is returned. `extra_changes` is called when all files are
    read.
    """
    if newest is None:
        lake.create()
    done = Report() if report is None else report
    settings = _Settings(engine or Processes(), progress, extra_changes, now)
    loaded = []
    for wave in _waves(incoming):
        loaded.append(_load_wave(lake, wave, newest or lake.snapshot(), done, settings))
        newest = None
    has_pending = any(plan.kept_out for plan, _ in loaded)
    after_commit(lake, [snapshot for _, snapshot in loaded], has_pending=has_pending, now=now)
    return done


def _waves(incoming: Iterable[Incoming]) -> Iterator[Iterable[Incoming]]:
    """Split files so that none of a wave comes in the place of another; each wave is used up before the next one is asked for.

    Files of one name do, unless both are known to be of different accounts.
    """

    def once() -> Iterator[Incoming]:
        accounts: dict[str, set[str | None]] = defaultdict(set)
        for item in coming:
            of_name = accounts[item.name]
            if of_name and (None in of_name or item.account_id is None or item.account_id in of_name):
                again.append(item)
            else:
                of_name.add(item.account_id)
                yield item

    coming: Iterable[Incoming] = incoming
    while True:
        again: list[Incoming] = []
        yield once()
        if not again:
            return
        coming = again


def _load_wave(
    lake: Lake, wave: Iterable[Incoming], snapshot: Snapshot, report: Report, settings: _Settings
) -> tuple[Plan, Snapshot]:
    """Read the files of a wave and commit their rows; gives the plan, and the snapshot after it."""
    ledger = Ledger(lake, snapshot)
    downloaded_at = settings.now()
    lake.on_step("read")
    units = _unless_known(units_of(wave, settings.engine.unit_bytes), ledger)
    ingested = spread(lake, snapshot, units, engine=settings.engine, progress=settings.progress)
    for outcome in ingested.outcomes:
        report.count(outcome)
    for attempt in retry_conflicts():
        with attempt:
            if attempt.number > 1:
                snapshot = lake.snapshot()
                ledger = Ledger(lake, snapshot, [outcome.name for outcome in ingested.outcomes])
                require_undisturbed(ledger, ingested)
            attempt.is_overtaken = partial(lake.is_overtaken, snapshot)
            plan = _plan(ledger, ingested, settings, downloaded_at=downloaded_at)
            after = _commit(lake, snapshot, plan)
    report.replaced += plan.replaced
    report.superseded += plan.superseded
    return plan, after


def _unless_known(units: Iterable[list[Incoming]], ledger: Ledger) -> Iterator[list[Incoming]]:
    """Add to each file the contents of its name that are loaded; a newer ledger tells, once an erasure deleted this one."""
    for unit in units:
        names = [item.name for item in unit]
        try:
            ledger.ask(names)
        except (PipelineError, OSError):
            if not ledger.lake.is_overtaken(ledger.snapshot):
                raise
            ledger = Ledger(ledger.lake, ledger.lake.snapshot(), names)
        yield [replace(item, known=ledger.known(item.name, item.account_id)) for item in unit]


def _plan(ledger: Ledger, ingested: Ingested, settings: _Settings, *, downloaded_at: datetime) -> Plan:
    """Work out the changes that some files make to all tables of the ledger's snapshot."""
    lake, snapshot = ledger.lake, ledger.snapshot
    fresh = [outcome for outcome in ingested.outcomes if outcome.status != "unchanged"]
    replaced = [item for outcome in fresh if (item := ledger.upsert(outcome, downloaded_at, settings.now())) is not None]
    extra = settings.extra_changes(snapshot)
    if not ledger.added:
        return Plan(extra)
    changes = {name: Change(add=list(ingested.written[name])) for name in schema.STORED if name != LEDGER} | extra
    replaced_count = len(replaced)  # before files that are read once more join them
    superseded = _dedup(ledger, changes, replaced, settings.engine)
    changes[LEDGER] = ledger.change()
    changes[schema.ERASURES.name].add += tombstones_for(lake, ingested, settings.now()).add
    merge_as_it_goes(lake, snapshot, changes)
    landed = [landed_path(lake, outcome.name, outcome.staged.sha256) for outcome in fresh if outcome.status == "loaded"]
    return Plan(changes, tuple(landed), replaced_count, superseded, ingested.kept_out)


def _dedup(ledger: Ledger, changes: dict[str, Change], replaced: list[Replaced], engine: Engine) -> int:
    """Add to the changes that each conversation stays once; gives the number of deliveries that lost."""
    deliveries = Deliveries(ledger.lake, ledger.snapshot, ledger.scopes)
    resurfacing = deliveries.resurfacing_files(changes["conversations"].add, replaced)
    if resurfacing:
        again = _read_again(ledger, resurfacing, engine)
        ledger.recount(again.outcomes)
        for name, files in again.written.items():
            changes[name].add += files
        replaced += [Replaced(name) for name in resurfacing]
    return deliveries.drop_superseded(changes, replaced)


def _read_again(ledger: Ledger, names: list[str], engine: Engine) -> Ingested:
    """Read landed files once more.

    Raises:
        LakeError: one of them is broken by now; its rows stay.
    """
    again = spread(ledger.lake, ledger.snapshot, units_of(ledger.landed(names), engine.unit_bytes), engine=engine)
    for outcome in again.outcomes:
        if outcome.status == "rejected":
            raise LakeError(
                f"{outcome.staged.path}: the landed file is broken ({outcome.reason}), and a delivery in it counts again; "
                "nothing was loaded, put the file back from a backup"
            )
    return again


def _commit(lake: Lake, snapshot: Snapshot, plan: Plan) -> Snapshot:
    """Make the changes of a plan visible; gives the snapshot after it."""
    if not plan.changes:
        return snapshot
    if plan.kept_out:
        note_kept_out(lake, plan.kept_out)
    return lake.commit(plan.changes, snapshot, landed=plan.landed)
