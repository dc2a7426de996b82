"""The scores of a visitor's lines, and the nickname that an agent's lines carry."""

from typing import Any


def scores_in(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """How many lines of the visitor have a score, and the first and the last of these scores, in the transcript's order."""
    scores = [line["mcs"] for line in lines if line["type"] == "0" and line["mcs"] is not None]
    return {
        "scored_line_count": len(scores),
        "mcs_first": scores[0] if scores else None,
        "mcs_last": scores[-1] if scores else None,
    }


def nickname_in(lines: list[dict[str, Any]], agent_id: str | None) -> str | None:
    """The name on the last line of an agent that carries one, in the transcript's order; lines of other agents don't count."""
    names = [line["sent_by"] for line in lines if line["type"] in ("1", "3", "4") and line["agent_id"] == agent_id]
    named = [name for name in names if name]
    return named[-1] if named and agent_id is not None else None
