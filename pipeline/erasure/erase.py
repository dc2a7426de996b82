"""Erase conversations, or those of a consumer or visitor, from tables, old versions and landed files, and keep them out.

Tombstones are committed first, so that no later load brings the conversations back; then a purge removes them. Delta's log
holds no ids: its actions name files, its statistics count rows.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import pyarrow.compute as pc

from pipeline import schema
from pipeline.erasure.purge import purge
from pipeline.erasure.results import Erased
from pipeline.erasure.subjects import alike, asked_for, conversations_of
from pipeline.erasure.tombstones import Tombstones, add_tombstones, first_tombstones, read_tombstones
from pipeline.errors import LakeError, SettingsError
from pipeline.lake.commits import retry_conflicts
from pipeline.lake.lake import Lake
from pipeline.lake.landing import clear_staging
from pipeline.lake.ledger import read_ledger
from pipeline.lake.snapshot import Snapshot
from pipeline.text import counted

_CLOCKS_APART: Final = timedelta(minutes=1)  # of machines that write one bucket


def erase(lake: Lake, kind: str, ident: str, *, now: Callable[[], datetime] | None = None) -> Erased:
    """Erase a conversation, or all conversations of a consumer or visitor that ended by now, as `erase_all` does."""
    return erase_all(lake, [(kind, ident)], now=now)


def erase_all(lake: Lake, subjects: Iterable[tuple[str, str]], *, now: Callable[[], datetime] | None = None) -> Erased:
    """Erase conversations, and those of consumers or visitors that ended by now; the caller holds `writing`.

    `subjects` are kinds (conversation, consumer or visitor) and ids; blanks around an id are ignored. Every delivery of a
    conversation goes, whether or not it names the person. `now` tells until when; without it the clock does.

    Raises:
        SettingsError: an id is empty or no text, or the clock is behind the lake's newest load; nothing was erased.
        LakeError: the lake can't be read or written, or a link lies in it; the same command again finishes.
    """
    asked = asked_for(subjects)
    _require_no_links(lake)
    before: dict[tuple[str, str], datetime] | None = None
    for attempt in retry_conflicts():
        with attempt:
            requested_at = now() if now else datetime.now(UTC)
            clear_staging(lake)
            snapshot = lake.snapshot()
            if now is None:
                _require_clock(lake, snapshot, requested_at)
            tombstones = read_tombstones(lake, snapshot) or first_tombstones(lake)
            if before is None:  # a second attempt meets the tombstones of the first
                before = _erased_before(tombstones, asked)
            new = [one for one in asked if one[0] != "conversation" or tombstones.find(*one) is None]
            snapshot = lake.commit({schema.ERASURES.name: add_tombstones(lake, tombstones, new, requested_at)}, snapshot)
            known = conversations_of(lake, snapshot, asked, requested_at)
            had = known.known | before.keys()
            done, after = purge(lake, snapshot, known.idents, at=requested_at, subjects=asked, had=had)
            done.not_ended = known.not_ended
            gone = [one for one in asked if one not in known.known and one[1] not in done.named]
            done.already = {one: before[one] for one in gone if one in before}
            done.not_found = [one for one in gone if one not in before]
            done.alike = alike(lake, after, done.not_found)
    return done


def _erased_before(tombstones: Tombstones, subjects: Sequence[tuple[str, str]]) -> dict[tuple[str, str], datetime]:
    """Subjects of an earlier erase, with the time of the last request."""
    moments = ((one, tombstones.erased_at(*one)) for one in subjects)
    return {one: datetime.fromtimestamp(moment / 1e6, UTC) for one, moment in moments if moment is not None}


def _require_clock(lake: Lake, snapshot: Snapshot, at: datetime) -> None:
    """Refuse a clock that is behind: by it, conversations that are over would seem to go on, and stay."""
    newest = pc.max(read_ledger(lake, snapshot, ["loaded_at"])["loaded_at"]).as_py()
    if newest is not None and at + _CLOCKS_APART < newest:
        raise SettingsError(
            f"the clock says {at:%Y-%m-%d %H:%M} UTC, and the lake's newest load was at {newest:%Y-%m-%d %H:%M} UTC; "
            "conversations of the time between would stay, so nothing was erased: set the clock right and run it again"
        )


def _require_no_links(lake: Lake) -> None:
    links = lake.store.links()
    if links:
        raise LakeError(
            f"{links[0]}: is a link ({counted(len(links), 'link')} in the lake), and what lies behind it can't be erased; "
            "nothing was erased: put a folder or file in its place and run the command again"
        )
