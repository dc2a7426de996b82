"""A lake's format says by which definitions its facts are, and what can't be a format is none."""

import pytest

from pipeline.lake.formats import FIRST, LakeFormat, current_format, unpacked_format


def test_other_definitions_of_facts_need_the_next_format() -> None:
    """Facts by other SQL or columns have another number, so that a program with the former ones leaves the lake alone.

    Where this fails, raise `NEWEST`, and put the new digest here.
    """
    assert current_format() == LakeFormat(2, "2e793cc21bb5eefdce14240ff1e03881")


def test_a_commit_names_its_format() -> None:
    """It is read as it was written; a commit of version 0.1.0 names none."""
    assert unpacked_format(current_format().packed()) == current_format()
    assert unpacked_format(None) == FIRST


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"number": 2}',
        '{"number": 0, "facts": ""}',
        '{"number": -5, "facts": ""}',
        '{"number": 2.9, "facts": ""}',
        '{"number": 1e400, "facts": ""}',
        '{"number": "2", "facts": ""}',
        '{"number": 2, "facts": null}',
    ],
)
def test_what_is_no_format_is_refused(text: str) -> None:
    """A damaged commit is told from one of an older version."""
    with pytest.raises(ValueError, match="expected number and facts"):
        unpacked_format(text)
