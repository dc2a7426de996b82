"""README and docs name only existing things, and name each existing thing."""

import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import click
import duckdb
import pytest
from documents import VENDOR_EXAMPLE, conversation, document, gz, message, name_at, put
from lakes import ask, take
from places import ROOT

from pipeline.cli.commands import main
from pipeline.cli.shell import COMMANDS
from pipeline.lake.lake import Lake
from pipeline.schema import NEVER, RUNS, STORED, TABLES
from pipeline.settings import FIELDS, STORE_PREFIXES, Settings, read_settings
from pipeline.warehouse import pages
from pipeline.warehouse.library import ordered_views, themes
from pipeline.warehouse.rules import RULES

README = ROOT / "README.md"
OPERATIONS = ROOT / "docs" / "operations.md"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), ROOT / "benchmarks" / "README.md"]
TEXTS = {page: page.read_text() for page in PAGES}
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# Names in backticks that are Python's or those of other programs.
ELSEWHERE = {"current_date", "read_json", "allow_loading_unsigned_plugins", "rule_files", "nothing_set_aside"}

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def words_of_notebooks() -> Iterator[str]:
    """Yield the prose and the code of the notebooks."""
    for notebook in NOTEBOOKS:
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
            yield "".join(cell["source"])


def anchors(text: str) -> set[str]:
    """Return the anchors of a page, as GitHub names its headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    """Every file that a page links to or shows exists, and so does the heading."""
    for link in re.findall(r"\]\(([^)\s]+)\)", TEXTS[page]):
        path, _, anchor = link.partition("#")
        if not path.startswith("https://"):
            target = page.parent / path if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target.read_text()), link


def test_every_page_can_be_found() -> None:
    """The index of docs/ has each page of it, and the README leads to the index and to each notebook."""
    index = TEXTS[ROOT / "docs" / "README.md"]
    linked = set(re.findall(r"\((\w[\w-]*\.md)\)", index))
    assert linked == {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert "(docs/README.md)" in TEXTS[README]
    for page in (README, ROOT / "docs" / "asking.md"):
        assert all(f"notebooks/{notebook.name})" in TEXTS[page] for notebook in NOTEBOOKS)


@each_page
def test_paths_that_a_page_names_exist(page: Path) -> None:
    """A path of the repository in backticks exists, unless NAME in it stands for any name."""
    for path in re.findall(r"`((?:docs|pipeline|sql|tests|notebooks|benchmarks|deploy|\.ci)/[\w./-]*)`", TEXTS[page]):
        assert "NAME" in path or (ROOT / path).exists(), path


def test_documented_make_targets_exist_and_all_are_documented() -> None:
    """Pages and notebooks together name exactly the targets in the help of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    everything = "\n".join([*TEXTS.values(), *words_of_notebooks()])
    assert set(re.findall(r"(?:^|[`&] ?)make ([a-z-]+)", everything, re.MULTILINE)) == targets


@each_page
def test_every_command_and_option_shown_exists(page: Path) -> None:
    """The command line takes every call of `lakehouse` on a page."""
    assert isinstance(main, click.Group)
    for name, rest in re.findall(r"(?:^|[/`]|run: )lakehouse ([a-z]+)([^`#\n]*)", TEXTS[page], re.MULTILINE):
        assert name in main.commands, name
        options = {option for param in main.commands[name].params for option in param.opts} | {"--help"}
        assert {*re.findall(r"(?<![\w-])--[a-z-]+", rest)} <= options, (name, rest)


def test_every_command_and_option_is_documented() -> None:
    """The README has a row for each command, and some page has each option."""
    assert isinstance(main, click.Group)
    rows = dict(re.findall(r"^\| `lakehouse ([a-z]+)([^|]*(?:\\\|[^|]*)*\|.*)\|$", TEXTS[README], re.MULTILINE))
    assert rows.keys() == main.commands.keys()
    everything = "\n".join(TEXTS.values())
    for option in chain.from_iterable(param.opts for command in main.commands.values() for param in command.params):
        assert not option.startswith("--") or re.search(rf"(?<![\w-]){option}(?![\w-])", everything), option


def test_every_setting_is_documented_and_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of settings has each setting with its default, and no page names another one."""
    table = TEXTS[OPERATIONS].partition("## Settings")[2].partition("## A schedule")[0]
    for name, default in vars(Settings()).items():
        row = re.search(rf"^\|[^|\n]*`{name.upper()}`[^|\n]*\|([^|\n]*)\|", table, re.MULTILINE)
        assert row, name
        shown = row[1].strip().strip("`")
        monkeypatch.setenv(name.upper(), shown)
        assert getattr(read_settings(), name) == default, name
    named = set(re.findall(r"\b(?:LP|LAKE)_[A-Z_]+\b", "\n".join(TEXTS.values()))) - {"LP_MAX_"}
    assert {name.lower() for name in named} == set(FIELDS)
    assert all(re.search(rf"\b{prefix}", "\n".join(TEXTS.values())) for prefix in STORE_PREFIXES)


def test_the_tables_of_the_readme() -> None:
    """The README lists exactly the tables, each with its grain."""
    listed = dict(
        re.findall(
            r"^\| `(\w+)` \| (.*) \|$", TEXTS[README].partition("| table | grain |")[2].partition("\n\n")[0], re.MULTILINE
        )
    )
    assert listed.keys() == TABLES.keys()
    for name, grain in listed.items():
        assert re.match(re.escape(TABLES[name].grain.split(",")[0]), grain), name


def test_the_themes_of_the_readme() -> None:
    """The README lists exactly the themes, in their order, each with some of its views."""
    table = TEXTS[README].partition("| views | answer | such as |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| \[(.*?)\]\(docs/metrics\.md#.*?\) \| .* \| (.*) \|$", table, re.MULTILINE)
    assert [theme for theme, _ in rows] == themes()
    for theme, named in rows:
        views = {view.name for view in ordered_views() if view.theme == theme}
        assert set(re.findall(r"`(\w+)`", named)) <= views, theme
        assert named, theme


def test_the_commands_of_the_shell() -> None:
    """The page on asking lists exactly the dot commands of the shell."""
    listed = re.findall(r"^\| `(\.[a-z]+)", TEXTS[ROOT / "docs" / "asking.md"], re.MULTILINE)
    assert sorted(listed) == sorted([".help", *(command.split()[0] for command in COMMANDS)])


def test_what_is_made_of_the_code_is_up_to_date() -> None:
    """Both pages, and the list with each view's first sentence, equal the output of `make docs` now."""
    for name, text in pages.pages().items():
        assert (ROOT / name).read_text() == text, f"{name}: run make docs"


def test_every_view_has_a_theme() -> None:
    """Every folder of sql/ is a theme, the facts, the checks or the codes; the page of metrics has every view once."""
    assert {folder.name for folder in (ROOT / "sql").iterdir()} == {*themes(), "checks", "codes", "facts"}
    assert {view.theme for view in ordered_views()} == set(themes())
    named = re.findall(r"^### (\w+)$", TEXTS[ROOT / "docs" / "metrics.md"], re.MULTILINE)
    assert sorted(named) == sorted(view.name for view in ordered_views())


@each_page
def test_names_in_backticks_are_of_tables_columns_views_and_settings(page: Path, empty: duckdb.DuckDBPyConnection) -> None:
    """A name with underscores in backticks is a name of a lake, of its metrics or of the program."""
    known = {
        name
        for (name,) in empty.sql("select table_name from duckdb_tables() union select view_name from duckdb_views()").fetchall()
    }
    known |= {name for (name,) in empty.sql("select column_name from duckdb_columns()").fetchall()}
    known |= {name for (name,) in empty.sql("select function_name from duckdb_functions() where not internal").fetchall()}
    known |= {column.name for table in (*STORED.values(), RUNS) for column in table.columns} | set(STORED)
    known |= {setting.name for setting in RULES} | {path.stem for path in (ROOT / "pipeline").rglob("*.py")}
    known |= {path.parent.name for path in (ROOT / "pipeline").rglob("__init__.py")}
    known |= {path.stem for path in NOTEBOOKS} | {path.stem for path in (ROOT / "sql" / "checks").glob("*.sql")}
    known |= set(re.findall(r'"(lakehouse_[a-z_]+)"', (ROOT / "pipeline" / "cli" / "metrics.py").read_text()))
    named = set(re.findall(r"`([a-z]+(?:_[a-z0-9]+)+)`", TEXTS[page]))
    assert named - known - ELSEWHERE == set()


def queries(text: str) -> Iterator[str]:
    """Yield the SQL of a page: of the command, of Python, and of the shell."""
    yield from re.findall(r'lakehouse sql "([^"]+)"', text)
    yield from re.findall(r'\.sql\(\s*"([^"]+)"', text)
    for block in re.findall(r"^lake> (.*?;)$", text, re.MULTILINE | re.DOTALL):
        yield block.replace("\n   -> ", "\n")


def test_every_query_shown_works(empty: duckdb.DuckDBPyConnection) -> None:
    """DuckDB binds each query of the pages over a lake's tables and views."""
    shown = list(chain.from_iterable(queries(text) for text in TEXTS.values()))
    assert len(shown) >= 7
    for query in shown:
        assert empty.execute(f"explain {query}", ["x"] * query.count("?")).fetchall(), query


def test_a_column_that_says_so_is_never_null(tmp_path: Path) -> None:
    """The columns that are never NULL by docs/tables.md have values, also for source files with missing and odd ones."""
    lake = Lake(str(tmp_path / "lake"))
    reply = message(type={"string": "1"}) | {"timestamp": None}
    odd = conversation(
        "odd",
        start=None,
        transfers={"array": [{"timestamp": None}]},
        messages=[message(type=None), {}, message() | {"timestamp": None}, reply],
    )
    put(tmp_path / "in", gz(document(odd, account_id=None, metaData=None), document(conversation(None)), "garbage"), "plain.gz")
    put(tmp_path / "in", gz("cut")[:-3], name_at(1))
    put(tmp_path / "in", b"<html>", "page.gz")
    put(tmp_path / "in", VENDOR_EXAMPLE.read_bytes(), name_at(2))
    take(lake, tmp_path / "in")
    for table in TABLES.values():
        never = [column.name for column in table.shown if column.null == NEVER]
        ((rows, *present),) = ask(lake, f"select count(*), {', '.join(f'count({name})' for name in never)} from {table.name}")
        assert rows > 0 or table.name == "listings", table.name
        assert present == [rows] * len(never), table.name
