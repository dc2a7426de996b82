"""The worked questions of docs/asking.md: their SQL runs, and gives the answers shown."""

import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from commands import lakehouse
from places import ROOT

PAGE = (ROOT / "docs" / "asking.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## Ten questions")[2].partition("\n## ")[0]
QUESTIONS = re.findall(r"^```sql\n(.*?)^```\n\n```\n(.*?)^```", SECTION, re.DOTALL | re.MULTILINE)


def test_there_are_ten_questions_each_with_its_answer() -> None:
    """Ten bold questions, as many queries, as many answers."""
    assert re.findall(r"^\*\*(\d+)\. .*?\?\*\*", SECTION, re.MULTILINE) == [str(number) for number in range(1, 11)]
    assert len(QUESTIONS) == 10


@pytest.mark.parametrize("query", [query for query, _ in QUESTIONS], ids=range(1, 11))
def test_each_query_runs(query: str, empty: duckdb.DuckDBPyConnection) -> None:
    """The views and facts of the library have the columns that the question asks for."""
    assert empty.execute(query).fetchall() == []


@pytest.mark.long
def test_the_answers_are_those_of_the_demo(tmp_path: Path) -> None:
    """Each question gives the table shown, number by number."""
    assert lakehouse("demo", "--lake", "lake", cwd=tmp_path).returncode == 0
    for query, answer in QUESTIONS:
        asked = lakehouse("sql", "--lake", "lake", query, cwd=tmp_path)
        assert (asked.returncode, asked.stdout.strip()) == (0, answer.strip()), asked.stderr


@pytest.mark.parametrize("present", [("*duckdb*",), ("*duckdb*", "numpy*")], ids=("without NumPy", "with NumPy"))
def test_the_page_has_the_error_of_a_frame_without_pandas(present: tuple[str, ...], tmp_path: Path) -> None:
    """DuckDB's error where pandas is missing stands on the page, before the extra that brings it."""
    for pattern in present:
        for installed in Path(duckdb.__file__).parents[1].glob(pattern):
            (tmp_path / installed.name).symlink_to(installed)
    program = f"import sys; sys.path.append({str(tmp_path)!r}); import duckdb; duckdb.sql('select 1').df()"
    ended = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False)
    error = ended.stderr.strip().splitlines()[-1].rpartition("Error: ")[2]
    assert re.search(rf"`{re.escape(error)}`[^#]*\binstall the program with its extra `notebook`", PAGE), ended.stderr
