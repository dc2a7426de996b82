"""A lake's format says by which definitions its facts are, and what can't be a format is none."""

from pathlib import Path

import pytest
from documents import conversation, document, gz, name_at, put
from lakes import take
from released_lakes import rewrite

from pipeline.errors import DamagedError
from pipeline.lake.formats import FIRST, LakeFormat, current_format, unpacked_format
from pipeline.lake.lake import Lake
from pipeline.lake.snapshot import PATHS, PINS, ROWS


def test_other_definitions_of_facts_need_the_next_format() -> None:
    """Facts by other SQL or columns have another number, so that a program with the former ones leaves the lake alone.

    Where this fails, raise `NEWEST`, and put the new digest here.
    """
    assert current_format() == LakeFormat(4, "63b3ea249ba5a77cda6315535ad0cd79")


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


def test_a_commit_that_tells_of_its_tables_otherwise_is_damaged(lake: Lake, tmp_path: Path) -> None:
    """Whatever stands there: one sentence, as of a commit that can't be read."""
    take(lake, put(tmp_path, gz(document(conversation("c"))), name_at(0)))
    for key in (PINS, ROWS, PATHS):
        for text in ("[]", "3", "null", "{", '"files"'):
            former: list[str] = []

            def swap(commit: dict[str, str], key: str = key, text: str = text, former: list[str] = former) -> None:
                former.append(commit[key])
                commit[key] = text

            rewrite(lake, swap)
            with pytest.raises(DamagedError, match="of its log is damaged"):
                lake.snapshot()
            rewrite(lake, lambda commit, key=key, former=former: commit.update({key: former[0]}))  # type: ignore[misc]
    assert lake.snapshot().is_current
