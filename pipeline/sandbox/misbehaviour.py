"""Chooses by a seed which faults strike which requests, so that the same run meets the same faults."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from threading import Lock
from typing import Self

from pipeline.sandbox.faults import FAULTS, KINDS, Fault
from pipeline.sandbox.replies import Reply
from pipeline.sandbox.routes import Request

_SPEC = re.compile(r"([a-z0-9-]+)((?::[a-z0-9]+)*)(?:=([0-9.]+))?")
_DAY_MS = 86_400_000


@dataclass(frozen=True)
class FaultSpec:
    """A fault with its share, and the requests and attempts that it strikes."""

    fault: Fault
    share: float
    """Of the requests, or of the files where the fault is about files: 0 to 1."""
    kinds: tuple[str, ...]
    times: int | None
    """Attempts in a row that it strikes, before one is let through; None: all."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read NAME[:WORD...][=SHARE]; a word is a kind of request, how many attempts in a row it strikes, or `lasting`.

        Raises:
            ValueError: it is malformed.
        """
        match = _SPEC.fullmatch(text)
        fault = FAULTS.get(match[1]) if match else None
        if match is None or fault is None:
            msg = f"{text}: expected a fault, as in reset, reset=0.1 or reset:listing:lasting=0.1; --list-faults names them"
            raise ValueError(msg)
        words = match[2].split(":")[1:]
        kinds = tuple(word for word in words if word in fault.kinds)
        counts = [
            None if word == "lasting" else int(word) for word in words if word == "lasting" or (word.isdecimal() and int(word))
        ]
        if len(kinds) + len(counts) != len(words) or len(counts) > 1 or (counts and not fault.kinds):
            allowed = ", ".join((*fault.kinds, "a number of attempts", "lasting")) if fault.kinds else "no word"
            msg = f"{text}: expected after {fault.name}: {allowed}"
            raise ValueError(msg)
        try:
            share = float(match[3] or 1)
        except ValueError:
            share = -1
        if not 0 <= share <= 1:
            msg = f"{text}: expected a share between 0 and 1"
            raise ValueError(msg)
        usual = 1 if fault.passes else None
        return cls(fault, share, kinds or fault.kinds, counts[0] if counts else usual)


class Misbehaviour:
    """Spoils replies and delays files."""

    def __init__(self, specs: Iterable[str], seed: int) -> None:
        """Read the specs; see `FaultSpec.parse`."""
        order = {name: place for place, name in enumerate(FAULTS)}
        self._specs = sorted(map(FaultSpec.parse, specs), key=lambda spec: order[spec.fault.name])
        self._seed = seed
        self._asked: Counter[tuple[str, str]] = Counter()
        self._lock = Lock()
        self.strikes: Counter[str] = Counter()
        """Replies that each fault has changed so far."""

    def spoiled(self, request: Request, reply: Reply, now: datetime) -> Reply:
        """The reply that a request gets."""
        for spec in self._specs:
            if spec.fault.change and request.kind in spec.kinds and self._is_struck(spec, request):
                changed = spec.fault.change(reply, request, now)
                if changed != reply:
                    with self._lock:
                        self.strikes[spec.fault.name] += 1
                reply = changed
        return reply

    def _is_struck(self, spec: FaultSpec, request: Request) -> bool:
        """Whether the fault strikes this attempt: the first ones of a run of attempts, if the run is drawn."""
        # A day is one listing, however its range is cut, so that what lasts lasts from one sync to the next.
        day = "" if request.start_ms is None else str(request.start_ms // _DAY_MS)
        key = f"{request.kind} {request.account_id} {request.file_name or day}"
        if spec.times is None:
            return self._chance(spec.fault, key) < spec.share
        with self._lock:
            run, attempt = divmod(self._asked[spec.fault.name, key], spec.times + 1)
            self._asked[spec.fault.name, key] += 1
        return attempt < spec.times and self._chance(spec.fault, f"{key} {run}") < spec.share

    def delay(self, account_id: str, name: str) -> timedelta:
        """The time from the end of an hour until its file appears."""
        late = [
            spec.fault.latest * self._chance(spec.fault, f"{account_id} {name} by")
            for spec in self._specs
            if spec.fault.latest and self._chance(spec.fault, f"{account_id} {name}") < spec.share
        ]
        return max(late, default=timedelta(0))

    def _chance(self, fault: Fault, key: str) -> float:
        """A number in [0, 1) that depends on seed, fault and key only."""
        digest = blake2b(f"{self._seed} {fault.name} {key}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) / 2**64


def fault_list() -> list[tuple[str, str, str]]:
    """Each fault's name, the requests that it strikes by default, and its description."""
    return [(fault.name, _struck(fault), fault.description) for fault in FAULTS.values()]


def _struck(fault: Fault) -> str:
    kinds = "files" if not fault.kinds else "all" if fault.kinds == KINDS else ", ".join(fault.kinds)
    return f"{kinds}, once" if fault.passes else kinds
