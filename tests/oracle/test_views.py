"""The views agree with a second implementation, row by row and column by column, on made conversations of two accounts."""

import pytest
from made_conversations import DAY, MIDNIGHT, source_texts

from oracle.made_lakes import ACCOUNTS, Given, Made
from oracle.views import VIEWS, differences

SEEDS = (1, 2, 3)
CONVERSATIONS = 300
SHOWN = 20
"""The most differences in a message."""


def named(seed: int) -> dict[str, bytes]:
    """Source files of a seed: one account's says which hour it covers, the other's does not."""
    first, second = (source_texts(seed, CONVERSATIONS)[account_id] for account_id in ACCOUNTS)
    hour = MIDNIGHT + 27 * DAY
    return {f"Engagement.{hour}.{hour + 3_600_000}.part-{seed:05d}-0.gz": first, f"made{seed}.gz": second}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A lake with the conversations of some seeds."""
    files = {name: text for seed in SEEDS for name, text in named(seed).items()}
    return Given(files).made(tmp_path_factory.mktemp("made"))


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_has_the_rows_of_the_second_implementation(made: Made, name: str) -> None:
    """Every column of every row; fractions to a billionth."""
    view, key = VIEWS[name]
    expected = view(made.model)
    assert expected != []
    assert differences(expected, made.found(name), key)[:SHOWN] == []
