"""Tombstones: keyed hashes of erased ids, recognised on re-import, not reversible.

A tombstone is the HMAC of an id under a secret of the lake, so neither the table nor a copy of it names an erased person. Ids
count as unique across accounts.
"""

import hmac
import json
import re
import secrets
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

import pyarrow as pa

from pipeline import schema
from pipeline.decode.documents import unescaped
from pipeline.errors import LakeError, TombstonesError
from pipeline.lake.digests import read_file
from pipeline.lake.lake import Lake
from pipeline.lake.parquet import rows_of
from pipeline.lake.snapshot import Change, Snapshot
from pipeline.text import counted
from pipeline.times import microseconds

KEY_FILE: Final = "erasure.key"
COLUMNS: Final = {"conversation_id": "conversation", "consumer_id": "consumer", "visitor_id": "visitor"}
"""The columns by which people are found, and the kinds of tombstones."""

_SECRET_BYTES: Final = 32
_CHECK: Final = "check"  # the kind of the row by which a secret is known to be that of the tombstones
_NOT_FOUND: Final = "not found"  # in the key of the row beside a tombstone that says so: as old as that, it covers no id
_KEY = re.compile(r"[0-9a-f]{64}")
_STRING = re.compile(r'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)  # possessive: a try that may be taken back costs memory
_BARE = re.compile(r'[^\s"{}\[\]:,]+')
_WORD = re.compile(r"[\w.-]+")
_MOST_WORDS: Final = 3  # of an id in a text that is no JSON, each a character apart: an address, a name
_HELD_WORDS: Final = 100_000
# Where quotes are missing, strings and what lies between them change places; these are found all the same.
_KEYED = re.compile(
    r'"(?:conversationId|consumerId|visitorId)"\s*:\s*(?:\{\s*"[\w.]+"\s*:\s*)?"((?:[^"\\]++|\\.)*+)', re.IGNORECASE | re.DOTALL
)
_VISITOR = re.compile(
    rb'"visitorId"\s*:\s*(?:[\[{]\s*(?:"[\w.]+"\s*:\s*)?)?(?:"((?:[^"\\]++|\\.)*+)"|(-?[\d][\w.+-]*))', re.IGNORECASE
)


@dataclass(frozen=True)
class Tombstones:
    """The kind and key of each erased id, with the time until which its conversations are erased (microseconds since 1970 UTC).

    `plain` are ids in plain text, known while they are being erased: only they are found inside of other text. `is_checked`:
    the table has a check value, and the secret matches it.
    """

    secret: bytes = field(repr=False)
    until: dict[tuple[str, str], int]
    plain: frozenset[str] = field(default=frozenset(), repr=False)
    is_checked: bool = field(default=False, compare=False)

    def key(self, kind: str, ident: str) -> str:
        """The keyed hash of an id."""
        return hmac.digest(self.secret, f"{kind}:{ident}".encode("utf-8", "surrogatepass"), "sha256").hex()

    def find(self, kind: str, ident: str | None) -> int | None:
        """The time until which the conversations of an id are erased, blanks around it aside; None if it has no tombstone."""
        if ident is None:
            return None
        until = self.until.get((kind, self.key(kind, ident)))
        bare = ident.strip()
        return self.until.get((kind, self.key(kind, bare))) if until is None and bare != ident else until

    def erased_at(self, kind: str, ident: str) -> int | None:
        """The time of the last request for an id; None if there was none, or the lake had nothing of it then."""
        until = self.find(kind, ident)
        not_found = self.until.get((kind, self.key(f"{kind} {_NOT_FOUND}", ident)), -1)
        return None if until is None or until <= not_found else until

    def covers(self, row: dict[str, Any], ended: int | None) -> bool:
        """Whether a conversation that ended then is erased; one of unknown time counts as ended."""
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
        """The erased ids in a text that can't be read.

        Tombstones must match everything that plain ids match; else erased text returns with the next delivery.
        """
        simple = _unescaped(text)
        found: set[str] = set()
        for spelled in dict.fromkeys((text, simple, _unescaped(simple.replace("\\\\", "\\")))):
            tokens = {_unquoted(token) for pattern in (_STRING, _KEYED) for token in pattern.findall(spelled)}
            found |= self._erased(tokens.union(_BARE.findall(spelled)))
            for words in _words(spelled):
                found |= self._erased(words)
        return found | {ident for ident in self.plain - found if not _WORD.fullmatch(ident) and _spelled(ident) in simple}

    def _erased(self, idents: Iterable[str]) -> set[str]:
        return {ident for ident in idents if any(self.find(kind, ident) is not None for kind in COLUMNS.values())}

    def match(self, ids: dict[str, set[str]], raws: list[str]) -> set[str]:
        """The erased ids among those of conversations, by column, and in the texts of rejects."""
        found = {ident for column, idents in ids.items() for ident in idents if self.find(COLUMNS[column], ident) is not None}
        return found.union(*map(self.named, raws))

    def visitors(self, text: bytes) -> set[str]:
        """The erased visitors that the headers of documents name, those of documents without conversations too."""
        if not any(kind == "visitor" for kind, _ in self.until):
            return set()
        spelled = {text, unescaped(text)} if b"\\" in text else {text}
        written = {quoted or bare for one in spelled for quoted, bare in _VISITOR.findall(one)}
        idents = {_unquoted(ident.decode("utf-8", "replace")) for ident in written}
        return {ident for ident in idents if self.find("visitor", ident) is not None}

    def with_ids(self, kind: str, idents: Iterable[str], until: datetime) -> "Tombstones":
        """These and more, whose ids are known in plain text."""
        known = set(idents)
        added = {(kind, self.key(kind, ident)): microseconds(until) for ident in known}
        return replace(self, until=self.until | added, plain=self.plain | known)


def json_spelling(ident: str) -> bytes:
    """An id as it stands in `unescaped` JSON."""
    return _spelled(ident).encode("utf-8", "surrogatepass")


def _spelled(ident: str) -> str:
    return json.dumps(ident, ensure_ascii=False)[1:-1]


def _unescaped(text: str) -> str:
    return unescaped(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def _words(text: str) -> Iterator[set[str]]:
    """The words of a text, alone and with those that follow a character later, some at a time."""
    held, places = set(), deque[tuple[int, int]](maxlen=_MOST_WORDS)
    for word in _WORD.finditer(text):
        if places and word.start() - places[-1][1] != 1:
            places.clear()
        places.append(word.span())
        held |= {text[start : word.end()] for start, _ in places}
        if len(held) > _HELD_WORDS:
            yield held
            held = set()
    yield held


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
        LakeError: tombstones are damaged, or the secret is gone, damaged or another one: without them erased people are not
            recognised.
    """
    rows = _stored(lake, snapshot)
    until: dict[tuple[str, str], int] = {}
    for row in rows:
        if row["kind"] != _CHECK:
            tombstone = row["kind"], row["key"]
            until[tombstone] = max(microseconds(row["requested_at"]), until.get(tombstone, 0))
    if not rows:
        return None
    secret = _secret(lake)
    if secret is None:
        raise _unusable(lake, "it is gone", until)
    if len(secret) != _SECRET_BYTES:
        raise _unusable(lake, f"expected {_SECRET_BYTES} bytes, found {len(secret)}", until)
    checks = {row["key"] for row in rows if row["kind"] == _CHECK}
    tombstones = Tombstones(secret, until, is_checked=bool(checks))
    if checks - {tombstones.key(_CHECK, KEY_FILE)}:
        raise _unusable(lake, "it is damaged, or is not the key under which this lake's tombstones were made", until)
    return tombstones


def _unusable(lake: Lake, found: str, until: dict[tuple[str, str], int]) -> LakeError:
    return TombstonesError(
        f"{lake.path(KEY_FILE)}: {found}, and without it those who were erased may come back "
        f"({counted(len(until), 'tombstone')})",
        "put it back from a backup of the lake",
    )


def _stored(lake: Lake, snapshot: Snapshot) -> list[dict[str, Any]]:
    """All rows of the table, checked against their digests."""
    name = schema.ERASURES.name
    rows = []
    for file in snapshot.files[name]:
        path = lake.path(name, file.path)
        try:
            found = read_file(lake, name, file).to_pylist()
        except (OSError, pa.ArrowException) as error:
            if isinstance(error, OSError) and error.errno is not None:  # of the system or a store, not of the file's contents
                raise
            raise _damaged(path, f"it can't be read ({' '.join(str(error).split())})") from error
        if len(found) != file.rows or not all(map(_is_tombstone, found)):
            raise _damaged(path, f"expected {counted(file.rows, 'tombstone')}, found something else")
        rows += found
    expected = snapshot.rows.get(name, len(rows))
    if len(rows) != expected:
        raise _damaged(lake.table_uri(name), f"expected {counted(expected, 'row')}, found {len(rows):,}")
    return rows


def _is_tombstone(row: dict[str, Any]) -> bool:
    is_known = row.get("kind") in {*COLUMNS.values(), _CHECK} and isinstance(row.get("requested_at"), datetime)
    return is_known and isinstance(row.get("key"), str) and _KEY.fullmatch(row["key"]) is not None


def _damaged(where: str, found: str) -> LakeError:
    return TombstonesError(
        f"{where}: {found}, and without its tombstones those who were erased may come back", "restore the lake from a backup"
    )


def _secret(lake: Lake) -> bytes | None:
    """The contents of the file of the secret; None if it is gone."""
    try:
        secret: bytes = lake.files.cat_file(lake.path(KEY_FILE))
    except FileNotFoundError:
        return None
    return secret


def first_tombstones(lake: Lake) -> Tombstones:
    """An empty set of tombstones, with the secret of those to come, which is made if there is none that is whole."""
    secret = _secret(lake)
    if secret is None or len(secret) != _SECRET_BYTES:  # nothing relies on it: there are no tombstones
        secret = _make_secret(lake, is_new=secret is None)
    return Tombstones(secret, {})


def _make_secret(lake: Lake, *, is_new: bool) -> bytes:
    """Make a secret; in a bucket, gives that of another writer, if it came first."""
    path, secret = lake.path(KEY_FILE), secrets.token_bytes(_SECRET_BYTES)
    try:
        lake.store.create(path, secret, is_new=is_new)
    except OSError:  # each store has an error of its own for a name that is taken
        standing = _secret(lake)
        if standing is None or lake.store.has_lock:
            raise
        return standing
    return secret


def add_tombstones(
    lake: Lake,
    tombstones: Tombstones,
    subjects: Iterable[tuple[str, str]],
    at: datetime,
    *,
    not_found: Iterable[tuple[str, str]] = (),
) -> Change:
    """Write tombstones for kinds and ids, for a commit; a conversation that has one needs no other.

    Subjects in `not_found` have tombstones already; a row notes that the lake had nothing of them at that time. The first
    tombstones include a check value, which detects a damaged or foreign secret. A lake of an older version has none, and
    gets the check value of its secret.
    """
    rows = [
        {"kind": kind, "key": tombstones.key(kind, ident), "requested_at": at}
        for kind, ident in sorted(subjects)
        if kind != "conversation" or tombstones.erased_at(kind, ident) is None
    ]
    rows += [
        {"kind": kind, "key": tombstones.key(f"{kind} {_NOT_FOUND}", ident), "requested_at": at}
        for kind, ident in not_found
        if tombstones.erased_at(kind, ident) is not None
    ]
    if not tombstones.is_checked and (rows or tombstones.until):
        rows.append({"kind": _CHECK, "key": tombstones.key(_CHECK, KEY_FILE), "requested_at": at})
    return Change(add=[lake.write(schema.ERASURES.name, rows_of(rows, schema.ERASURES))] if rows else [])


def ids_as_arrow(idents: Iterable[str]) -> pa.Table:
    """Conversation ids as a table for DuckDB."""
    return pa.table({"conversation_id": pa.array(sorted(idents), schema.TEXT.arrow)})
