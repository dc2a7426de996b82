"""The scores of a visitor's lines."""

from typing import Any


def scores_in(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """How many lines of the visitor have a score, and the first and the last of these scores, in the transcript's order."""
    scores = [line["mcs"] for line in lines if line["type"] == "0" and line["mcs"] is not None]
    return {
        "scored_line_count": len(scores),
        "mcs_first": scores[0] if scores else None,
        "mcs_last": scores[-1] if scores else None,
    }
