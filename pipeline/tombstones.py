"""What was erased and may not come back: tombstones that tell an id when they meet it, and tell it to nobody else.

A tombstone is the HMAC of an id under a secret of the lake, so neither the table nor a copy of it says who was erased. Ids are
taken for unique, whatever the account.
"""

import hmac
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from pipeline import schema
from pipeline.decode import unescaped
from pipeline.errors import LakeError
from pipeline.intact import read_file
from pipeline.lake import Lake, rows_of
from pipeline.snapshot import Change, Snapshot
from pipeline.store import exists

KEY_FILE: Final = "erasure.key"
COLUMNS: Final = {"conversation_id": "conversation", "consumer_id": "consumer", "visitor_id": "visitor"}
"""The columns by which people are found, and the kinds of tombstones."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECRET_BYTES: Final = 32
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_BARE = re.compile(r'[^\s"{}\[\]:,]+')
_WORD = re.compile(r"[\w.-]+")
# Where quotes are missing, strings and what lies between them change places; these are found all the same.
_KEYED = re.compile(
    r'"(?:conversationId|consumerId|visitorId)"\s*:\s*(?:\{\s*"[\w.]+"\s*:\s*)?"((?:[^"\\]|\\.)*)', re.IGNORECASE | re.DOTALL
)
_VISITOR = re.compile(rb'"visitorId"\s*:\s*(?:\{\s*"string"\s*:\s*)?"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Tombstones:
    """Of every id erased its kind and key, and until when its conversations are erased (microseconds since 1970 UTC).

    `plain` are ids in plain text, known while they are being erased: only they are found inside of other text.
    """

    secret: bytes = field(repr=False)
    until: dict[tuple[str, str], int]
    plain: frozenset[str] = field(default=frozenset(), repr=False)

    def key(self, kind: str, ident: str) -> str:
        """What is kept of an id."""
        return hmac.digest(self.secret, f"{kind}:{ident}".encode("utf-8", "surrogatepass"), "sha256").hex()

    def find(self, kind: str, ident: str | None) -> int | None:
        """Until when the conversations of an id are erased; None if it has no tombstone."""
        return None if ident is None else self.until.get((kind, self.key(kind, ident)))

    def covers(self, row: dict[str, Any], ended: int | None) -> bool:
        """Whether a conversation is erased that ended then; one that no time is known of counts as ended."""
        if self.find("conversation", row["conversation_id"]) is not None:
            return True
        moments = (self.find(kind, row.get(f"{kind}_id")) for kind in ("consumer", "visitor"))
        return any(until is not None and (ended is None or ended < until) for until in moments)

    def covers_text(self, text: str, scope_start: int | None) -> bool:
        """Whether a text that can't be read names an id erased after the hour of the text's file began."""
        for ident in self.named(text):
            if self.find("conversation", ident) is not None:
                return True
            moments = (self.find(kind, ident) for kind in ("consumer", "visitor"))
            if any(until is not None and (scope_start is None or scope_start < until) for until in moments):
                return True
        return False

    def named(self, text: str) -> set[str]:
        """The erased ids that a text names which can't be read."""
        tokens = {_unquoted(token) for pattern in (_STRING, _KEYED) for token in pattern.findall(text)} | set(
            _BARE.findall(text)
        )
        found = {token for token in tokens if any(self.find(kind, token) is not None for kind in COLUMNS.values())}
        if self.plain:
            simple = unescaped(text.encode("utf-8", "surrogatepass"))
            found |= self.plain.intersection(_WORD.findall(simple.decode("utf-8", "surrogatepass")))
            found |= {ident for ident in self.plain if not _WORD.fullmatch(ident) and json_spelling(ident) in simple}
        return found

    def watch(self, ids: dict[str, set[str]], raws: list[str]) -> set[str]:
        """The erased ids among those of conversations, by column, and in the texts of rejects."""
        found = {ident for column, idents in ids.items() for ident in idents if self.find(COLUMNS[column], ident) is not None}
        return found.union(*map(self.named, raws))

    def visitors(self, text: bytes) -> set[str]:
        """The erased visitors that the headers of documents name, those of documents without conversations too."""
        if not any(kind == "visitor" for kind, _ in self.until):
            return set()
        idents = {_unquoted(ident.decode("utf-8", "replace")) for ident in set(_VISITOR.findall(text))}
        return {ident for ident in idents if self.find("visitor", ident) is not None}

    def with_ids(self, kind: str, idents: Iterable[str], until: datetime) -> "Tombstones":
        """These and more, whose ids are known in plain text."""
        known = set(idents)
        added = {(kind, self.key(kind, ident)): microseconds(until) for ident in known}
        return Tombstones(self.secret, self.until | added, self.plain | known)


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def json_spelling(ident: str) -> bytes:
    """An id as it stands in `unescaped` JSON."""
    return json.dumps(ident, ensure_ascii=False)[1:-1].encode("utf-8", "surrogatepass")


def _unquoted(token: str) -> str:
    if "\\" not in token:
        return token
    try:
        return str(json.loads(f'"{token}"', strict=False))
    except ValueError:
        return token


def read_tombstones(lake: Lake, snapshot: Snapshot) -> Tombstones | None:
    """The tombstones of a lake; None if nothing was ever erased from it.

    Raises:
        LakeError: the secret is gone, without which nobody can be told to have been erased, or a tombstone is damaged.
    """
    until: dict[tuple[str, str], int] = {}
    for file in snapshot.files[schema.ERASURES.name]:
        for row in read_file(lake, schema.ERASURES.name, file).to_pylist():
            tombstone = row["kind"], row["key"]
            until[tombstone] = max(microseconds(row["requested_at"]), until.get(tombstone, 0))
    if not until:
        return None
    if not exists(lake.files, lake.path(KEY_FILE)):
        raise LakeError(
            f"{lake.path(KEY_FILE)}: it is gone, and without it those who were erased may come back; put it back from a backup"
        )
    return Tombstones(lake.files.cat_file(lake.path(KEY_FILE)), until)


def first_tombstones(lake: Lake) -> Tombstones:
    """No tombstones yet, with the secret of those to come, which is made if there is none."""
    path = lake.path(KEY_FILE)
    if not exists(lake.files, path):
        beside = f"{path}.new"
        with lake.files.open(beside, "wb") as out:
            if lake.is_local:
                Path(beside).chmod(0o600)
            out.write(secrets.token_bytes(_SECRET_BYTES))
        lake.files.mv(beside, path)
        lake.persist([path])
    return Tombstones(lake.files.cat_file(path), {})


def bury(lake: Lake, tombstones: Tombstones, kind: str, idents: Iterable[str], at: datetime) -> Change:
    """Write tombstones for ids, for a commit; a conversation that has one needs no other."""
    rows = [
        {"kind": kind, "key": tombstones.key(kind, ident), "requested_at": at}
        for ident in sorted(idents)
        if kind != "conversation" or tombstones.find(kind, ident) is None
    ]
    return Change(add=[lake.write(schema.ERASURES.name, rows_of(rows, schema.ERASURES))] if rows else [])


def ids_as_arrow(idents: Iterable[str]) -> pa.Table:
    """Conversation ids as a table for DuckDB."""
    return pa.table({"conversation_id": pa.array(sorted(idents), schema.TEXT)})
