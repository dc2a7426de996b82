"""Cases of the facts, worked out by hand from the model's definitions."""

from oracle.facts_cases import contradictions, queue, responses, segments, transfers
from oracle.facts_cases.case import Case, source_file

CASES: tuple[Case, ...] = (*queue.CASES, *transfers.CASES, *contradictions.CASES, *segments.CASES, *responses.CASES)

__all__ = ["CASES", "Case", "source_file"]
