"""Products of cases, of which a selection runs each time and all of them in `make test-long`."""

from collections.abc import Iterable
from typing import Any

import pytest


def often(*quick: Any, of: Iterable[Any]) -> list[Any]:
    """The values as parameters of a test; those that are not among the quick ones are long."""
    values = list(of)
    assert all(value in values for value in quick), "a quick value is none of them"
    return [value if value in quick else pytest.param(value, marks=pytest.mark.long) for value in values]
