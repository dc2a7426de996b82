"""Splits the text of a source file, in any layout, into its JSON documents.

Source: the vendor's Engagement page ("Data Structure"), which shows one pretty-printed document; real files hold one compact
document per line; several one after another, with or without line breaks, are legal too.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, Self

from pipeline.decode.containers import NO_CAPS, OVERLONG_BYTES, Caps, Overlong

_BLANK = b" \t\r\n"


@dataclass(frozen=True)
class Document:
    """One document of a source file: its 1-based `number`, its text unchanged, and either its `value` or a `problem`."""

    number: int
    raw: bytes
    value: dict[str, Any] | None = None
    problem: str | None = None


class Decimal64(float):
    """A JSON number with a fraction or an exponent, and its spelling, so that no digit gets lost."""

    __slots__ = ("literal",)
    literal: str

    def __new__(cls, literal: str) -> Self:
        """Remember the spelling."""
        number = super().__new__(cls, literal)
        number.literal = literal
        return number


def _document(number: int, raw: bytes, parsed: Any, longest: int) -> Document:
    if isinstance(raw, Overlong) or len(raw) > longest:
        kept = raw[:OVERLONG_BYTES]
        return Document(number, kept, problem=_TOO_LONG.format(longest, len(kept)))
    try:
        value = parsed or parse(raw)
    except _NOT_JSON as error:
        return Document(number, raw, problem=_problem(error))
    if not isinstance(value, dict):
        return Document(number, raw, problem="it is valid JSON but no Engagement document: expected an object")
    return Document(number, raw, value=value)


_TOO_LONG: Final = (
    "it takes more than {:,} bytes; its first {:,} bytes are kept here, all of it in landing/; if it is genuine, raise "
    "LP_MAX_DOCUMENT_BYTES and load its file again"
)


class DuplicateNameError(ValueError):
    """An object names a field twice: reading it would lose a value."""


class TooManyValuesError(ValueError):
    """A text holds so many values that they would take many times its size in memory."""


# The memory of a value, by a character that it has once, and how many times the text's size all values may take
_WEIGHTS: Final = {b"{": 200, b"[": 64, b",": 56, b".": 56}
_MOST_WEIGHT: Final = 12
_LIGHT_BYTES: Final = 256 << 10  # a text of at most this size is always read


_NAME_WEIGHT: Final = 240  # of a name's first occurrence; later ones share its memory
_NAME: Final = re.compile(rb'("[^"\\\n]*+(?:\\.[^"\\\n]*+)*+")[ \t\r\n]*:')


def _require_light(text: bytes) -> None:
    if len(text) <= _LIGHT_BYTES:
        return
    most = _MOST_WEIGHT * len(text)
    if sum(text.count(of) * weight for of, weight in _WEIGHTS.items()) > most or _has_many_names(text, most // _NAME_WEIGHT):
        raise TooManyValuesError("it holds more values than a text of its size may, since they would not fit the memory")


def _has_many_names(text: bytes, most: int) -> bool:
    if text.count(b":") <= most:
        return False
    names: set[int] = set()
    for found in _NAME.finditer(text):
        names.add(hash(found[1]))
        if len(names) > most:
            return True
    return False


_NOT_JSON = (ValueError, RecursionError)  # JSONDecodeError and UnicodeDecodeError are ValueErrors


def _problem(error: Exception) -> str:
    match error:
        case UnicodeDecodeError():
            return f"it is no UTF-8: byte {error.start} is invalid"
        case RecursionError():
            return "it is nested too deeply to be read"
        case json.JSONDecodeError():
            return f"it is no JSON: {error.msg.removesuffix(' at')} at character {error.pos}"
        case TooManyValuesError():
            return str(error)
        case _:
            return f"it is no JSON that can be read without loss: {error}"


def parse(raw: bytes) -> Any:
    """The JSON value of a text: integers exact, other numbers with their spelling, no NaN, no name twice in one object."""
    _require_light(raw)
    return _DECODER.decode(raw.decode("utf-8"))


_ESCAPED_PAIR: Final = rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
# Some at a time, as backtracking needs memory; possessive groups are wrong in Python before 3.11.5.
_ESCAPES = re.compile(rb"(?:%b|\\u[0-9a-fA-F]{4}){1,64}|\\." % _ESCAPED_PAIR, re.DOTALL)


def unescaped(raw: bytes) -> bytes:
    """A JSON text with each character unescaped where JSON allows it, as `json.dumps(..., ensure_ascii=False)` writes it."""
    return _ESCAPES.sub(_plainest, raw) if b"\\u" in raw or b"\\/" in raw else raw


def _plainest(escapes: re.Match[bytes]) -> bytes:
    if escapes[0] == b"\\/":
        return b"/"
    if not escapes[0].startswith(b"\\u") or escapes[0] == b"\\u":  # its four digits are missing, as in a text that was cut
        return escapes[0]
    return json.dumps(json.loads(b'"%b"' % escapes[0]), ensure_ascii=False)[1:-1].encode("utf-8", "surrogatepass")


def _refused(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = sorted(name for name, _ in pairs)
        twice = next(name for name, other in pairwise(names) if name == other)
        raise DuplicateNameError(f"an object names {twice[:80]!r} twice")
    return value


_LONGEST_INTEGER: Final = 4000


def _integer(literal: str) -> int | Decimal64:
    # Python refuses integers of more than 4,300 digits; as a spelled number they stay exact
    return int(literal) if len(literal) <= _LONGEST_INTEGER and literal != "-0" else Decimal64(literal)


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=Decimal64, parse_int=_integer, parse_constant=_refused)

# The tokens that decide the structure: whole strings, brackets, and a quote without a closing quote on its line.
_TOKEN = re.compile(rb'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"|[{}\[\]]|"')
_EVIDENT_START = re.compile(rb'\{[ \t\r\n]*"dataType"')
_GOES_ON = re.compile(rb'[ \t\r\n{}\[\]",:\-\d]|true\b|false\b|null\b')


_TRIES: Final = 16  # how many times a text may be read without result, in search of whole documents in broken ones
# Possessive, as the others: backtracking would hold many times the text in memory
_BETWEEN = re.compile(rb"(?:[ \t\r\n]++|(?:\xef\xbb\xbf)++)*+")  # documents: blank space and byte order marks


@dataclass
class _Rest:
    """The rest of a line, from `place` on."""

    line: bytes
    place: int = 0

    @cached_property
    def characters(self) -> str:
        """One for each byte of the line, so that places are the same in both; those of JSON's grammar are ASCII."""
        return self.line.decode("latin-1")


_Todo = list[_Rest | None]  # the rests to read, the next one last; None ends the open document


class Splitter:
    """Cuts lines into pieces of one document each, broken documents included.

    Between two documents `pending` is empty: then another reader may read some lines.
    """

    def __init__(self, caps: Caps = NO_CAPS, passed_over: Callable[[bytes], None] = lambda _: None) -> None:
        self._passed_over = passed_over  # gets a document above the size limit, part by part
        self.pending: list[bytes | bytearray] = []  # the open document: its text so far, and its last line
        self.depth = 0
        self._longest = caps.document
        self._is_overlong = False  # then only the beginning and the last line of the open document are held
        self._budget = 0  # bytes that may still be read without result, so that time stays proportional to the text
        self.parsed: dict[bytes, Any] = {}  # the value of the current piece, if it is known

    def feed(self, line: bytes) -> Iterator[bytes]:
        """The text of each document that the next line completes, without blank space around it."""
        self._budget += _TRIES * len(line)
        return self._read([_Rest(line)])

    def finish(self) -> Iterator[bytes]:
        """The document that is still open at the end of the text."""
        return self._read([None])

    def document(self, number: int, piece: bytes) -> Document:
        """The document of a piece."""
        return _document(number, piece, self.parsed.pop(piece, None), self._longest)

    def _read(self, todo: _Todo) -> Iterator[bytes]:
        while todo:
            rest = todo.pop()
            if rest is None:
                yield from self._flush(todo)
            elif self.pending:
                self._go_on(rest, todo)
            else:
                yield from self._begin(rest, todo)

    def _flush(self, todo: _Todo) -> Iterator[bytes]:
        """Close the open document. If it was cut, look for a whole document that begins inside it."""
        piece, is_cut, is_overlong = b"".join(self.pending).strip(_BLANK), self.depth > 0, self._is_overlong
        last = b"".join(self.pending[1:])
        self.pending, self.depth, self._is_overlong = [], 0, False
        if is_overlong:
            self._passed_over(last)
            yield Overlong(piece)
            return
        end = len(piece) if self._is_document(piece) or not is_cut else self._next_start(_Rest(piece, 1))
        if piece:
            yield piece[:end].rstrip(_BLANK)
        if saved := [_Rest(line) for line in piece[end:].splitlines(keepends=True)]:
            todo += [None, *reversed(saved)]

    def _begin(self, rest: _Rest, todo: _Todo) -> Iterator[bytes]:
        if isinstance(rest.line, Overlong):
            yield rest.line
            return
        is_whole = rest.place == 0
        if between := _BETWEEN.match(rest.line, rest.place):
            rest.place = between.end()
        if rest.place == len(rest.line):
            return
        if not rest.line.startswith((b"{", b"["), rest.place):
            start = self._next_start(rest)
            yield rest.line[rest.place : start].rstrip(_BLANK)
            rest.place = start
            todo.append(rest)
        elif is_whole and (piece := rest.line[rest.place :].rstrip(_BLANK)).endswith(b"}") and self._is_document(piece):
            yield piece  # the usual case, decided without the slower scan
        else:
            self._scan(rest, todo)

    def _is_document(self, text: bytes) -> bool:
        self.parsed = {}
        if len(text) > self._longest:
            return False
        try:
            self.parsed = {text: parse(text)}
        except TooManyValuesError:
            return True  # it is JSON, and one reject
        except _NOT_JSON as error:
            self._budget -= _bytes_read(error, len(text))
        return bool(self.parsed)

    def _next_start(self, rest: _Rest) -> int:
        """The start of the first whole Engagement document in the rest of a broken line; the line's end if there is none."""
        for found in _EVIDENT_START.finditer(rest.line, rest.place):
            if self._budget < 0:
                break
            try:
                _require_light(rest.line)
                value, _ = _DECODER.raw_decode(rest.characters, found.start())
            except _NOT_JSON as error:
                self._budget -= _bytes_read(error, len(rest.line)) - found.start()
                continue
            if any(name.lower() == "recordcollection" for name in value):
                return found.start()
        return len(rest.line)

    def _go_on(self, rest: _Rest, todo: _Todo) -> None:
        line = rest.line
        starts_here = line.startswith(b"{") and (b'"dataType"' in line or b'"recordCollection"' in line)
        if isinstance(line, Overlong) and not starts_here:
            self._pass_over()
            self.pending = [(self.pending[0] + line)[:OVERLONG_BYTES]]  # the line itself is passed over where it was cut
        elif starts_here or not _GOES_ON.match(line):
            todo += [rest, None]
        elif line.lstrip(_BLANK).startswith(b'"dataType"') and len(self.pending) > 1 and _opens(self.pending[-1]):
            opening = self.pending.pop()  # a pretty-printed document begins inside an open one: the open one was cut
            todo += [rest, _Rest(bytes(opening)), None]
        else:
            self._scan(rest, todo)

    def _scan(self, rest: _Rest, todo: _Todo) -> None:
        """Count the brackets of a line, from the depth of the open document."""
        for token in _TOKEN.finditer(rest.line, rest.place):
            match token[0]:
                case b"{" | b"[":
                    self.depth += 1
                case b"}" | b"]":
                    self.depth -= 1
                    if self.depth <= 0:
                        self._keep(rest.line[rest.place : token.end()])
                        rest.place = token.end()
                        todo += [rest, None]
                        return
                case b'"':  # a string may not run over the end of its line: this document is broken
                    todo.append(None)
                    break
        self._keep(rest.line[rest.place :])

    def _keep(self, line: bytes) -> None:
        """Keep a line of the open document; of an overlong document only the beginning and the last line."""
        if self._is_overlong:
            self._passed_over(b"".join(self.pending[1:]))
            self.pending[1:] = [line]
        elif len(self.pending) > 1:
            head, last = self.pending
            self.pending = [head if isinstance(head, bytearray) else bytearray(head), line]
            self.pending[0] += last
        else:
            self.pending.append(line)
        if not self._is_overlong and sum(map(len, self.pending)) > self._longest:
            self._pass_over()

    def _pass_over(self) -> None:
        """Make the open document overlong: hold only its beginning."""
        text = b"".join(self.pending)
        self._passed_over(b"".join(self.pending[1:]) if self._is_overlong else text)
        self.pending = [text[:OVERLONG_BYTES]]
        self._is_overlong = True


def _opens(line: bytes | bytearray) -> bool:
    return line.startswith(b"{") and not line[1:].strip(_BLANK)


def _bytes_read(error: Exception, length: int) -> int:
    """The bytes that were read before an error; all of them if the error does not tell."""
    return error.pos if isinstance(error, json.JSONDecodeError) else length
