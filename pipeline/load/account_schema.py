"""The account's own Avro schema: fetched once a version and kept beside the source files; `avro_schema` compares it.

It lies at `landing/schema/<account>/<version>.avsc`, as it was served. No row depends on it, so a problem with it is a line,
and no failure. Others wrote it: it may be of any shape.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import BytesIO
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

from pipeline.decode.avro_schema import Compared, compare
from pipeline.errors import PipelineError
from pipeline.lake.file_systems import found_below
from pipeline.lake.lake import Lake
from pipeline.lake.landing import SCHEMAS, drop, keep, stage
from pipeline.lake.store_errors import reaching
from pipeline.text import SECRETS, counted

if TYPE_CHECKING:
    from pipeline.api.client import DataAccessClient

LATEST: Final = "latest"
_VERSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")
_AVSC: Final = ".avsc"
_ASKED: Final = ".asked"
_AGAIN_AFTER: Final = timedelta(days=1)
_MOST_FETCHED: Final = 10
_MOST_BYTES: Final = 4 << 20
_SHOWN: Final = 10  # fields in a line


@dataclass
class KeptSchema:
    """A version of an account's schema and its differences from the tables; `problem`: it can't be compared."""

    account_id: str
    version: str
    compared: Compared
    problem: str | None = None

    def plain(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "account_id": self.account_id,
            "version": self.version,
            "fields_without_column": sorted(self.compared.without_column),
            "other_types": dict(sorted(self.compared.types.items())),
            "inside": self.compared.inside,
            "problem": self.problem,
        }

    def told(self) -> str | None:
        """The differences in a line that names some; None if there are none."""
        if self.problem:
            return self.problem
        lacking, types = (sorted(found) for found in (self.compared.without_column, self.compared.types))
        lines = [f"{counted(len(lacking), 'field')} without a column, kept in extra: {_some(lacking)}"] if lacking else []
        if types:
            named = _some([f"{path} ({self.compared.types[path]})" for path in types])
            lines.append(f"{counted(len(types), 'field')} of another type; values that do not fit go to extra: {named}")
        return "; ".join(lines) or None


def kept_schemas(lake: Lake) -> list[KeptSchema]:
    """Every schema that the lake keeps, by account, the newest version of each first."""
    with reaching(lake.uri):
        return _kept_schemas(lake)


def _kept_schemas(lake: Lake) -> list[KeptSchema]:
    found = []
    for name, path in _plain_files(lake, lake.path("landing", SCHEMAS)).items():
        account_id, _, file_name = name.partition("/")
        version = file_name.removesuffix(_AVSC)
        if file_name.endswith(_AVSC) and _VERSION.fullmatch(version):
            try:
                found.append(KeptSchema(account_id, version, compare(lake.files.cat_file(path))))
            except (ValueError, OSError) as error:
                problem = f"{path}: {error}; delete it, and a sync fetches it again"
                found.append(KeptSchema(account_id, version, Compared(), problem))
    found.sort(key=lambda kept: _newness(kept.version), reverse=True)
    return sorted(found, key=lambda kept: kept.account_id)


def newest_schemas(kept: Iterable[KeptSchema]) -> list[KeptSchema]:
    """Of each account the newest version."""
    return list({schema.account_id: schema for schema in reversed(list(kept))}.values())[::-1]


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more:,} more (lakehouse status --format json names all)" if more > 0 else "")


@dataclass
class _Fetched:
    """The schemas of an account that a thread has fetched so far."""

    texts: dict[str, bytes] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


def keep_schemas(lake: Lake, client: "DataAccessClient", versions: Iterable[str], *, at: datetime) -> str | None:
    """Fetch the versions of the account's schema that are not kept; gives problems in a line.

    Where none of the account's versions is available, `latest` stands in. A version that failed is asked for again after a
    day, and so is `latest`, since its meaning moves on.
    """
    try:
        with reaching(lake.uri):
            return _keep_schemas(lake, client, set(versions), at)
    except (PipelineError, OSError) as error:
        return f"the account's own schema was not kept: {error}; no row depends on it, the next sync tries again"


def _keep_schemas(lake: Lake, client: "DataAccessClient", versions: set[str], at: datetime) -> str | None:
    folder = lake.path("landing", SCHEMAS, client.account_id)
    files = _plain_files(lake, folder)
    asked = _asked(lake, files.get(_ASKED), at)
    kept = {name.removesuffix(_AVSC) for name in files if name.endswith(_AVSC)} - {LATEST}
    named = sorted(filter(_VERSION.fullmatch, versions - kept - {LATEST} - {*asked}), key=_newness, reverse=True)
    wanted = [*named[:_MOST_FETCHED], *([] if kept or LATEST in asked else [LATEST])]
    if not wanted:
        return None
    fetched = _fetch(client, wanted)
    for version, text in fetched.texts.items():
        _put(lake, f"{folder}/{version}{_AVSC}", text)
    tried = [*fetched.problems, *({LATEST} & {*fetched.texts})]
    if tried:
        _put(lake, f"{folder}/{_ASKED}", json.dumps(asked | dict.fromkeys(tried, at.isoformat())).encode())
    problem = next(iter(fetched.problems.values()), None)
    return problem and f"the account's own schema was not available: {problem}; no row needs it, a sync after a day asks again"


def _fetch(client: "DataAccessClient", versions: list[str]) -> _Fetched:
    """Fetch schemas within the client's limit of time; `latest` only if no other came."""
    fetched = _Fetched()

    def fetch() -> None:
        for version in versions:
            if version == LATEST and fetched.texts:
                return
            try:
                text = client.schema(version)
                if text is None:
                    return
                _require_schema(text)
                fetched.texts[version] = text
            except Exception as error:  # noqa: BLE001  # a run has no other use for it than to say it
                fetched.problems[version] = str(error) if isinstance(error, PipelineError) else f"schema {version}: {error}"

    thread = Thread(target=fetch, daemon=True)
    thread.start()
    thread.join(client.limits.schema_seconds)
    had = _Fetched(dict(fetched.texts), dict(fetched.problems))
    if thread.is_alive():
        late = f"no answer within {client.limits.schema_seconds:g} s"
        had.problems |= {version: f"schema {version}: {late}" for version in versions if version not in had.texts}
    return had


def _require_schema(text: bytes) -> None:
    """Refuse a text that is no schema, and a schema that holds a key of ours.

    Raises:
        ValueError: it is.
    """
    if SECRETS.are_in(text.decode("utf-8", "replace")):
        raise ValueError("expected an Avro schema, found a text that repeats a key")
    compare(text)


def _plain_files(lake: Lake, folder: str) -> dict[str, str]:
    """The paths of files below a folder by their names there, but those too large for a schema."""
    return {
        path.removeprefix(f"{folder}/"): path
        for path, info in found_below(lake.files, folder).items()
        if info["type"] == "file" and not info.get("islink") and info["size"] <= _MOST_BYTES
    }


def _asked(lake: Lake, path: str | None, at: datetime) -> dict[str, str]:
    """The versions that failed less than a day ago, each with the time; a damaged file counts as none."""
    try:
        failed = json.loads(lake.files.cat_file(path)) if path else {}
        return {
            version: moment for version, moment in failed.items() if abs(at - datetime.fromisoformat(moment)) < _AGAIN_AFTER
        }
    except (ValueError, AttributeError, TypeError, RecursionError):
        return {}


def _put(lake: Lake, target: str, text: bytes) -> None:
    """Write a file, whole or not at all."""
    staged = stage(lake, BytesIO(text))
    keep(lake, staged, target)
    drop(lake, [staged])
    lake.store.fsync([target])


def _newness(version: str) -> tuple[bool, list[int], str]:
    """The sort key of versions: their numbers; `latest` comes before all that have some."""
    return version != LATEST, [int(number) for number in re.findall(r"\d+", version)], version
