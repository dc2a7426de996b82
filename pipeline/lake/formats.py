"""The format of a lake: the tables that it has, and the definitions that its facts were computed by.

The ledger's commit of each load names the format. A lake of an older one is read as it is, and the next run that writes
brings it up to date; one of a newer one is left alone.
"""

import json
import re
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from pipeline import schema
from pipeline.errors import LakeError

FORMAT: Final = "lakehouse.format"
"""The metadata of the ledger's commit."""
NEWEST: Final = 4
"""Other tables, columns or definitions of facts need the next number: an older program then leaves the lake alone."""
_COMMENT: Final = re.compile(r"--.*")
_DIGEST_DIGITS: Final = 32


def sql_folder() -> Path:
    """Find `sql/`: inside the package once installed, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "sql"
    return installed if installed.is_dir() else package.parent / "sql"


class LakeFormat(NamedTuple):
    """The number of a format, and the digest of the definitions of the facts; "" where a lake has none."""

    number: int
    facts: str

    def packed(self) -> str:
        """The format as a commit names it."""
        return json.dumps(self._asdict())


FIRST: Final = LakeFormat(1, "")
"""The format of commits that name none, as those of version 0.1.0."""


@cache
def current_format() -> LakeFormat:
    """The format that this program writes."""
    return LakeFormat(NEWEST, _facts_digest())


def unpacked_format(text: str | None) -> LakeFormat:
    """The format that a commit names.

    Raises:
        ValueError: the text names none.
    """
    if text is None:
        return FIRST
    with suppress(ValueError):
        match json.loads(text):
            case {"number": int(number), "facts": str(facts)} if number > 0:
                return LakeFormat(number, facts)
    message = f"expected number and facts of a format, found {text[:100]!r}"
    raise ValueError(message)


def require_known(found: LakeFormat, where: str) -> None:
    """Refuse a lake of a newer format.

    Raises:
        LakeError: it is one; nothing was changed.
    """
    if found.number > NEWEST:
        raise LakeError(
            f"{where}: a newer version of this program has written this lake: expected format {NEWEST} or older, found "
            f"{found.number}; nothing was changed: install the newer version"
        )


def _facts_digest() -> str:
    """The digest of the facts' columns and definitions; comments and layout of the SQL do not count."""
    digest = sha256()
    for table in schema.FACTS.values():
        digest.update(f"{table.name} {[(column.name, str(column.type)) for column in table.columns]}\n".encode())
    for file in sorted((sql_folder() / "facts").glob("[!.]*.sql")):
        code = " ".join(_COMMENT.sub("", file.read_text(encoding="utf-8")).split())
        digest.update(f"{file.stem} {code}\n".encode())
    return digest.hexdigest()[:_DIGEST_DIGITS]
