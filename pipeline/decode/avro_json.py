"""Converts values of Avro's JSON encoding to values of columns: tags removed, no loss.

`MISFIT` marks a value that does not fit its column; the caller keeps it elsewhere.
"""

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from pipeline import schema
from pipeline.decode.documents import Decimal64
from pipeline.times import microseconds


class _Misfit:
    def __repr__(self) -> str:
        return "MISFIT"


MISFIT: Final = _Misfit()

PRIMITIVES: Final = frozenset({"boolean", "int", "long", "float", "double", "bytes", "string"})
"""Avro's types of a single value, null aside."""
_TAGS: Final = PRIMITIVES | {"null", "array", "map"}
_RECORD_TAG = re.compile(r"com\.liveperson(?:\.\w+)+", re.ASCII)
_NAMED_TAG = re.compile(r"[A-Za-z_]\w*(?:\.\w+)+", re.ASCII)
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")
_ISO_TIME = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ](?:[01]\d|2[0-3]):\d\d(?::\d\d(?:[.,]\d{1,6}0*)?)?(?:Z|[+-]\d\d(?::?[0-5]\d)?)?)?", re.ASCII
)
_SCORES = ("chatmcs", "score", "mcs")  # in the vendor's sister API the first is from 0 to 100, and `mcs` the class of it
_NO_SCORES = ("rawscore", "alertedmcs")
_LONGEST_NUMBER = 400  # digits; a longer number fits no column, and arithmetic on it would take too long

EARLIEST_MS: Final = -62_135_596_800_000  # 0001-01-01
LATEST_MS: Final = 253_402_300_799_999  # 9999-12-31


def untag(value: Any) -> Any:
    """The value inside its union tags, such as `{"long": 5}`; for a place where the schema declares a value."""
    while isinstance(value, dict) and len(value) == 1:
        (name,) = value
        if name not in _TAGS and not _NAMED_TAG.fullmatch(name):
            break
        value = value[name]
    return value


def untag_all(value: Any) -> Any:
    """The value without tags on any level, for unknown fields: only evident tags are removed."""
    while isinstance(value, dict) and len(value) == 1:
        (name,) = value
        if name not in _TAGS and not _RECORD_TAG.fullmatch(name):
            break
        value = value[name]
    if isinstance(value, dict):
        return {name: untag_all(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [untag_all(inner) for inner in value]
    return value


def escaped(text_of_any_kind: str) -> str:
    """A text with its lone surrogates escaped as in JSON, since no column can hold them."""
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text_of_any_kind)


def json_text(value: Any) -> str:
    """Compact JSON: numbers keep their spelling, lone surrogates stay escaped."""
    return escaped(_dump(value))


def _dump(value: Any) -> str:
    match value:
        case Decimal64():
            return value.literal
        case dict():
            return "{" + ",".join(f"{_dump(name)}:{_dump(inner)}" for name, inner in value.items()) + "}"
        case list():
            return "[" + ",".join(map(_dump, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def text(value: Any) -> Any:
    """Text as sent; a number by its spelling, since an id is sometimes sent as one."""
    match value:
        case str():
            return MISFIT if _SURROGATE.search(value) else value
        case bool():
            return MISFIT
        case Decimal64():
            return value.literal
        case int():
            return str(value)
        case _:
            return MISFIT


def _whole_number(value: Any) -> int | None:
    """12, 12.0, "12" and "12.0" as 12; None for any other value."""
    literal = value.literal if isinstance(value, Decimal64) else value
    if isinstance(literal, int) and not isinstance(literal, bool):
        return literal
    number = _decimal(literal)
    if number is None or number.adjusted() > _LONGEST_NUMBER or number != number.to_integral_value():
        return None
    return int(number)


def _decimal(literal: Any) -> Decimal | None:
    """The number that a text spells as JSON does; None for any other text, and for an exponent beyond all arithmetic."""
    if not isinstance(literal, str) or len(literal) > _LONGEST_NUMBER or not _NUMBER.fullmatch(literal):
        return None
    try:
        return Decimal(literal)
    except InvalidOperation:
        is_zero = not literal.lower().partition("e")[0].strip("-0.")
        return Decimal(0) if is_zero else None


def _within(lowest: int, highest: int) -> Callable[[Any], Any]:
    def integer(value: Any) -> Any:
        number = _whole_number(value)
        return MISFIT if number is None or not lowest <= number <= highest else number

    return integer


integer = _within(-(2**31), 2**31 - 1)
bigint = _within(-(2**63), 2**63 - 1)


def is_number(value: Any) -> bool:
    """Whether JSON sends it as a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def double(value: Any) -> Any:
    """A number, or a number as text, that a double holds exactly in its decimal spelling."""
    literal = value.literal if isinstance(value, Decimal64) else str(value) if is_number(value) else value
    exact = _decimal(literal)
    if exact is None:
        return MISFIT
    number = float(exact)
    return number if math.isfinite(number) and Decimal(repr(number)) == exact else MISFIT


def boolean(value: Any) -> Any:
    """True and false, bare or as text."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value, MISFIT) if isinstance(value, str) else MISFIT


def time(value: Any) -> Any:
    """Microseconds since 1970 UTC, from epoch milliseconds (a number or text) or ISO 8601; without an offset it is UTC."""
    milliseconds = _whole_number(value)
    if milliseconds is not None:
        return milliseconds * 1000 if EARLIEST_MS <= milliseconds <= LATEST_MS else MISFIT
    if not isinstance(value, str) or not _ISO_TIME.fullmatch(value):
        return MISFIT
    try:
        moment = datetime.fromisoformat(value)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return MISFIT
    return microseconds(moment)


def bigints(value: Any) -> Any:
    """A list of whole numbers, each tagged or bare; a null in it stays."""
    if not isinstance(value, list):
        return MISFIT
    numbers = [None if (bare := untag(item)) is None else bigint(bare) for item in value]
    return MISFIT if MISFIT in numbers else numbers


FITS: Final[dict[schema.Type, Callable[[Any], Any]]] = {
    schema.TEXT: text,
    schema.INTEGER: integer,
    schema.BIGINT: bigint,
    schema.DOUBLE: double,
    schema.BOOLEAN: boolean,
    schema.TIME: time,
    schema.Type.BIGINTS: bigints,
}


def fit(value: Any, kind: schema.Type) -> Any:
    """The value for a column of that type, tags removed: None for null, `MISFIT` for a value that would be changed."""
    bare = untag(value)
    return None if bare is None else FITS[kind](bare)


def score(value: Any) -> tuple[Any, dict[str, Any]]:
    """A Meaningful Connection Score, and the other fields of its container.

    The vendor does not document the container. The score is a number; or, in a record, the first readable value of its fields
    `chatMCS`, `score` and `mcs` and of its only numeric field, raw and alerted scores aside. A null under one of these
    names is dropped. `MISFIT`: the container has no score.
    """
    bare = untag(value)
    if not isinstance(bare, dict):
        return (None if bare is None else double(bare)), {}
    named = [name for wanted in _SCORES for name in bare if name.lower() == wanted]
    numeric = [name for name, inner in bare.items() if is_number(untag(inner)) and not name.lower().endswith(_NO_SCORES)]
    scores = {name: fit(bare[name], schema.DOUBLE) for name in named + (numeric if len(numeric) == 1 else [])}
    if not scores:
        return (MISFIT if bare else None), {}
    chosen = next((name for name, found in scores.items() if found is not None and found is not MISFIT), None)
    if chosen is None and MISFIT in [scores[name] for name in named or numeric]:
        return MISFIT, {}
    nulls = [name for name in named if scores[name] is None]
    return scores.get(chosen), {name: inner for name, inner in bare.items() if name != chosen and name not in nulls}
