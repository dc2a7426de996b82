"""Summaries: what a run has done, in lines for standard error."""

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from pipeline import schema
from pipeline.cli.log import ERROR, about, event
from pipeline.cli.options import next_command
from pipeline.text import counted, program

if TYPE_CHECKING:
    from pipeline.api.client import DataAccessClient
    from pipeline.erasure.results import Erased
    from pipeline.lake.snapshot import Snapshot
    from pipeline.load.rebuild import Rebuilt
    from pipeline.load.results import Report, SyncReport
    from pipeline.maintenance.compact import Compacted
    from pipeline.maintenance.upgrade import Upgraded
    from pipeline.maintenance.verify import Verified
    from pipeline.source_files import Counts

_SHOWN: Final = 20  # rejected files that a summary names; `lakehouse status --format json` names all
_RELATED_SHOWN: Final = 5  # visitors and consumers of whom conversations are left after an erasure


def sum_up(report: "Report", say: Callable[[str], None]) -> None:
    """Print the summary of a run, and after a first load the next commands."""
    for line in summary(report):
        say(line)
    if report.loaded and not vars(report).get("known"):  # the first sync, or files loaded by hand
        sql, pictures, status = (next_command(words, program()) for words in ("sql", "report", "status"))
        say(f"next: {sql} for a question, {pictures} for pictures, {status} for what is in")


def sum_up_sync(reports: "Mapping[DataAccessClient, SyncReport]", total: "Report", say: Callable[[str], None]) -> None:
    """Print the summary of a sync: of one account as of any run, of several each below its id, then that of all."""
    if len(reports) == 1:
        sum_up(total, say)
        return
    for client, report in reports.items():
        with about(client.account_id):
            _sum_up_account(client.account_id, report, say)
    for line in _replacements(total):
        say(line)
    say(_in_all(list(reports.values())))


def _sum_up_account(account_id: str, report: "SyncReport", say: Callable[[str], None]) -> None:
    if report.failure:
        event("account failed", ERROR, reason=report.failure)
    if not report.is_asked:
        say(f"account {account_id}: not asked, since the run was stopped before")
    elif report.failure and not report.listed:
        say(f"account {account_id}: failed: {report.failure}")
    else:
        say(f"account {account_id}:")
        for line in (*summary(report), *([f"failed: {report.failure}"] if report.failure else [])):
            say(f"  {line}")


def _in_all(reports: "Sequence[SyncReport]") -> str:
    """The line of all accounts."""
    numbers = {
        "failed": sum(report.failure is not None for report in reports),
        "not asked": sum(not report.is_asked for report in reports),
    }
    states = ", ".join(f"{number:,} {state}" for state, number in numbers.items() if number)
    loaded = counted(sum(report.loaded for report in reports), "file")
    return f"{counted(len(reports), 'account')}{f', {states}' if states else ''}: {loaded} loaded: {_rows(*reports)}"


def summary(report: "Report") -> Iterator[str]:
    """The summary of a run: counts that add up, and all that needs attention."""
    counts = vars(report)  # a sync's has more; its class is not imported, since it brings the HTTP libraries
    if "listed" in counts:
        known = f", {counts['known']:,} of them in the lake already" if counts["known"] else ""
        yield f"{counted(counts['listed'], 'file')} listed{known}"
    yield f"{counted(report.loaded, 'file')} loaded" + (f": {_rows(report)}" if report.loaded else "")
    if report.unchanged:
        yield f"{counted(report.unchanged, 'file')} unchanged"
    yield from _replacements(report)
    if report.unknown_fields:
        yield f"fields without a column, kept in extra: {', '.join(sorted(report.unknown_fields))}"
    status = next_command("status")
    if report.encrypted:
        yield f"{counted(report.encrypted, 'value')} left encrypted, since there is no key for them: see {status}"
    if report.rejects:
        yield f"{counted(report.rejects, 'document')} rejected: {status} says why, the table rejects has their text"
    again = "; the next sync tries again" if "listed" in counts else "; nothing of them is in"
    yield from _named("file", f"rejected as a whole{again}", report.rejected)
    yield from _named("file", "could not be downloaded; the next sync tries again", counts.get("failed", {}))
    yield from _named("day", "could not be listed; the next sync tries again", counts.get("unlisted", {}))
    if gone := counts.get("gone"):
        yield gone
    if problem := counts.get("schema_problem"):
        yield problem


def _replacements(report: "Report") -> Iterator[str]:
    if report.replaced:
        yield f"{counted(report.replaced, 'file')} loaded in the place of another of the same name, whose rows are gone"
    if report.superseded:
        yield f"{counted(report.superseded, 'delivery', 'deliveries')} of a conversation superseded by another"


def _rows(*counts: "Counts | Report") -> str:
    kinds = ("conversation", "message", "transfer")
    return ", ".join(counted(sum(getattr(one, f"{kind}s") for one in counts), kind) for kind in kinds)


def _named(kind: str, state: str, reasons: dict[str, str]) -> Iterator[str]:
    if reasons:
        yield f"{counted(len(reasons), kind)} {state}:"
    for name, reason in list(reasons.items())[:_SHOWN]:
        yield f"  {name}: {reason}"
    if len(reasons) > _SHOWN:
        yield f"  and {len(reasons) - _SHOWN:,} more; {next_command('status --format json')} names them"


def erasure(done: "Erased", asked: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The summary of an erase: rows removed, places searched, places out of reach; never an id that was asked for."""
    rows = ", ".join(counted(count, table.removesuffix("s")) for table, count in done.rows.items())
    if done.anything:
        yield f"removed from the tables: {rows}"
        yield (
            f"removed from the landing zone: {counted(done.deliveries, 'delivery', 'deliveries')} of a conversation, "
            f"{counted(done.documents, 'document')} with nothing else; {counted(done.landed_rewritten, 'file')} written anew"
        )
    else:
        yield "no conversation was removed"
    yield from _not_removed(done, asked)
    whose = " of the tables' old versions" if done.anything else ""
    yield f"deleted unused Parquet files{whose}: {counted(done.deleted, 'file')}, {counted(done.deleted_bytes, 'byte')}"
    if done.report_deleted:
        yield f"deleted the lake's report.html; {next_command('report')} writes it anew"
    yield (
        f"searched: {counted(done.landed, 'landed file')} ({counted(done.landed_bytes, 'byte')}), "
        f"{counted(done.parquet, 'Parquet file')} of all tables; the tables' logs name no ids; lakehouse.duckdb was made anew"
    )
    for path in done.unreadable:
        yield f"not searched, since it is broken: {path}; restore it or delete it, and erase again"
    if done.encrypted:
        yield (
            f"not searched in full, since ids in them are encrypted: {counted(len(done.encrypted), 'landed file')}, the first "
            f"{done.encrypted[0]}; set LP_PGP_KEY to the key of their account and erase again"
        )
    for left in done.left:
        yield f"LEFT, and may be of an erased person: {left}"
    yield "a tombstone (no id in it) blocks conversations that ended before now, when a file is fetched or loaded again"
    yield "out of reach: backups, exports, reports written elsewhere; the source keeps its files for 30 days"


def _not_removed(done: "Erased", asked: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Lines on ids not found, conversations that go on, and other people's conversations, which stay."""
    for person, moment in done.already.items():
        so_far = "nothing of it is left" if done.is_searched else "nothing of it was found where it could be"
        yield (
            f"erased already, asked for last on {moment:%Y-%m-%d}: the {person[0]}'s id{_number_of(person, asked)}; searched "
            f"again, {so_far}"
        )
    for kind, ident in done.not_found:
        which = _number_of((kind, ident), asked)
        yield (
            f"not found in tables, landed files and rejects: the {kind}'s id{which}; nothing of it was erased; a "
            "tombstone now keeps out data of this id that comes late"
        )
        for other, known in done.alike.get((kind, ident), ())[:_RELATED_SHOWN]:
            it = "it" if known.strip() == ident else "it in other upper and lower case"
            yield f"  no {kind} has this very id; a {other} has {it}: {_command(other, known)}"
    if done.not_ended:
        yield f"{counted(done.not_ended, 'conversation')} not ended yet, so kept: erase again when over"
    for one in done.related[:_RELATED_SHOWN]:
        verb = "has" if one.conversations == 1 else "have"
        more = counted(one.conversations, "more conversation")
        yield f"{more} {verb} the same {one.kind}: {_command(one.kind, one.ident)}"
    if (others := len(done.related) - _RELATED_SHOWN) > 0:
        yield f"and {counted(others, 'more visitor or consumer', 'more visitors and consumers')} of whom conversations are kept"


def _number_of(one: tuple[str, str], asked: Sequence[tuple[str, str]]) -> str:
    """The id's number among several."""
    return f", number {asked.index(one) + 1} of {len(asked)} ids" if len(asked) > 1 else ""


def _command(kind: str, ident: str) -> str:
    """The command that erases this id."""
    return next_command(f"erase --{kind}-id {shlex.quote(ident) if ident.isprintable() else json.dumps(ident)}")


def compaction(done: "Compacted") -> Iterator[str]:
    """The summary of a compaction: files merged, deleted and kept for a while."""
    if done.merged:
        yield f"{counted(done.merged, 'Parquet file')} merged into {done.made:,}"
    else:
        yield "nothing to merge"
    if done.deleted:
        yield f"{counted(done.deleted, 'file')} deleted, {done.deleted_bytes / 1e6:,.1f} MB"
    elif not done.merged:
        yield "nothing to delete"
    if done.kept_hours:
        yield f"unused files stay for {counted(done.kept_hours, 'hour')}, for queries that began before"
    else:
        yield "no unused file is kept: a query that began before may fail; ask it again"


def planned_upgrade(where: str, snapshot: "Snapshot", *, recomputes: bool) -> str:
    """The work that `upgrade` would do on a lake."""
    if snapshot.is_current and not recomputes:
        return f"{where}: the lake is up to date; there is nothing to do"
    conversations = sum(file.rows for file in snapshot.files[schema.CONVERSATIONS.name])
    tables = f"the tables {', '.join(sorted(snapshot.missing))} would be made, and " if snapshot.missing else ""
    reason = snapshot.outdated or "the lake is up to date"
    facts = f"the facts of {counted(conversations, 'conversation')} would be computed"
    return f"{where}: {reason}; {tables}{facts}; nothing was changed"


def upgraded(where: str, done: "Upgraded | None") -> str:
    """The summary of an upgrade."""
    if done is None:
        return f"{where}: the lake is up to date; there was nothing to do"
    rows = ", ".join(f"{count:,} {name}" for name, count in done.rows.items())
    return f"{where}: up to date; the facts of {counted(done.conversations, 'conversation')} were computed: {rows}"


def rebuilt(done: "Rebuilt") -> str:
    """The summary of a rebuild."""
    rows = ", ".join(f"{count:,} {name}" for name, count in done.rows.items())
    lost = f"; {counted(len(done.lost), 'landed file')} lost" if done.lost else ""
    return f"{counted(done.files, 'landed file')} read{lost}; the tables have {rows}"


def verification(done: "Verified") -> str:
    """The summary of a verification: counts of checked things and findings."""
    landed = "landed files: not checked" if done.landed_files is None else counted(done.landed_files, "landed file")
    looked = ", ".join((landed, counted(done.parquet_files, "Parquet file"), counted(done.rows, "row")))
    found = f"{counted(len(done.findings), 'finding')}, each with its remedy" if done.findings else "all as they should be"
    unknown = f"; the digest of {counted(done.undigested, 'Parquet file')} is not known" if done.undigested else ""
    outdated = f"; {done.outdated}: the next load brings it up to date" if done.outdated else ""
    return f"{looked}: {found}{unknown}{outdated}"
