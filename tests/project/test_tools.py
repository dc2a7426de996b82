"""The page on other tools: the SQL of its examples runs over a lake's tables and views, and its pictures are small."""

import re

import duckdb
import pytest
from places import ROOT

PAGE = (ROOT / "docs" / "tools.md").read_text(encoding="utf-8")
SECTIONS = {section.partition("\n")[0]: section for section in PAGE.split("\n## ")[1:]}


def blocks(section: str, language: str) -> list[str]:
    """Return the blocks of code in a language, without the indentation of the list that they stand in."""
    found = re.findall(rf"^( *)```{language}\b.*?\n(.*?)^ *```$", SECTIONS[section], re.DOTALL | re.MULTILINE)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def test_each_metric_of_superset_is_one_of_its_view(empty: duckdb.DuckDBPyConnection) -> None:
    """Every expression is an aggregate of the view in its row, or in the nearest row above that names one."""
    rows = re.findall(r"^ *\| (?:`(\w+)`)? *\| ([^|`]+) \| `(.+?)` \|", SECTIONS["Superset"], re.MULTILINE)
    assert len(rows) == 5
    view = ""
    for named, _, expression in rows:
        view = named or view
        assert empty.execute(f"select type, {expression} from {view} where not is_bot group by all").fetchall() == []


def test_the_queries_of_evidence_run(empty: duckdb.DuckDBPyConnection) -> None:
    """The queries of the source run over the lake's views, and those of the page over the source's queries."""
    *of_source, for_days, for_skills = blocks("Evidence", "sql")
    sources = {}
    for block in of_source:
        comment, _, query = block.partition("\n")
        sources[comment.removeprefix("-- sources/lake/").removesuffix(".sql")] = query
    assert sources.keys() == {"queues", "scores"}
    for query in (for_days, for_skills):
        over = re.sub(r"from lake\.(\w+)", lambda found: f"from ({sources[found[1]]})", query)
        assert empty.execute(over).fetchall() == []


def test_the_query_of_streamlit_runs(empty: duckdb.DuckDBPyConnection) -> None:
    """The app is Python, and its query runs with a value for its parameter."""
    (app,) = blocks("Streamlit", "python")
    compile(app, "waits.py", "exec")
    (query,) = re.findall(r'"""(.*?)"""', app, re.DOTALL)
    assert empty.execute(query, ["LIVE_CHAT"]).fetchall() == []


def test_the_example_of_a_dbt_model_runs(empty: duckdb.DuckDBPyConnection) -> None:
    """The SQL of the model runs where its sources are the tables of the lake."""
    (model,) = re.findall(r"^-- models/\w+\.sql\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    query = re.sub(r"\{\{ source\('lake', '(\w+)'\) \}\}", r"\1", model)
    assert empty.execute(query).fetchall() == []


def test_a_dbt_project_is_complete() -> None:
    """The page shows all files of a project, in the order in which they are needed; the project's profile is the one shown."""
    files = re.findall(r"^(?:#|--) (\S+\.(?:yml|sql))\n(.*?)^```", SECTIONS["dbt"], re.DOTALL | re.MULTILINE)
    assert [name for name, _ in files] == [
        "dbt_project.yml",
        "profiles.yml",
        "models/sources.yml",
        "models/abandoned_by_skill.sql",
    ]
    (profile,) = re.findall(r"^profile: (\w+)$", files[0][1], re.MULTILINE)
    assert re.search(r"^name: \w+$", files[0][1], re.MULTILINE)
    assert files[1][1].startswith(f"{profile}:\n")


@pytest.mark.parametrize("page", ["README.md", "docs/asking.md", "docs/names.md", "docs/tools.md"])
def test_no_query_groups_by_a_name_alone(page: str) -> None:
    """Where a query groups rows and has a name, its groups have the id, too: two agents, or two skills, may have one name."""
    text = (ROOT / page).read_text(encoding="utf-8")
    grouped = [block for block in re.findall(r"^ *```\w*\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE) if "group by" in block]
    for block in grouped:
        query = re.sub(r"using \(.*?\)", "", block)
        names = set(re.findall(r"\b(\w*(?:account|agent|skill|campaign))_name\b", query))
        assert names <= set(re.findall(r"\b(\w+)_id\b", query)), block


def test_the_panel_of_grafana_runs(empty: duckdb.DuckDBPyConnection) -> None:
    """The query gives a time, a name and a number."""
    (query,) = blocks("Grafana", "sql")
    assert [str(name) for name in empty.sql(query).types] == ["TIMESTAMP", "VARCHAR", "DOUBLE"]


def test_no_view_has_numbers_of_128_bits(empty: duckdb.DuckDBPyConnection) -> None:
    """Tables and views hold no type that the programs which read exports refuse, but the lists that the page speaks of."""
    types = {kind for (kind,) in empty.sql("select distinct data_type from duckdb_columns() where not internal").fetchall()}
    assert {kind for kind in types if not kind.endswith("[]")} <= {
        "BIGINT",
        "BOOLEAN",
        "DATE",
        "DOUBLE",
        "INTEGER",
        "TIMESTAMP",
        "TIMESTAMP WITH TIME ZONE",
        "VARCHAR",
    }


@pytest.mark.parametrize("picture", sorted(path.name for path in (ROOT / "docs").glob("tools-*.png")))
def test_pictures_are_small_and_shown(picture: str) -> None:
    """A picture of a tool has less than 150 kB, and the page shows it."""
    assert (ROOT / "docs" / picture).stat().st_size < 150_000
    assert f"({picture})" in PAGE
