"""The notebooks run from top to bottom on a lake, draw what they promise, and are stored without output."""

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import nbformat
import pyarrow.compute as pc
import pytest
from made_lake import make_lake
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from pipeline.lake import Change, Lake
from pipeline.schema import TABLES
from pipeline.warehouse import publish

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


def run(notebook: Path, folder: Path) -> dict[str, str]:
    """Run all cells in `folder`; return what each code cell put out, as text and as pictures, by the cell's id."""
    document = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(document, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    return {cell.id: "\n".join(map(shown, cell.outputs)) for cell in document.cells if cell.cell_type == "code"}


def shown(output: dict[str, Any]) -> str:
    """An output of a cell in its richest form."""
    data = output.get("data", {})
    return str(data.get("image/svg+xml") or data.get("text/plain") or output.get("text", ""))


@pytest.fixture(scope="module")
def first_look(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], Path]:
    """What `01_first_look` puts out, and the DuckDB file of the lake that it read."""
    folder = tmp_path_factory.mktemp("first_look")
    lake = Lake(str(folder / "lake"))
    commit_rows(lake, make_lake(folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAKE_URI", lake.uri)
        return run(notebook_named("01_first_look"), folder), folder / "lake" / "lakehouse.duckdb"


def commit_rows(lake: Lake, made: Path) -> None:
    """Bring the rows of a made DuckDB file into a lake."""
    lake.create()
    changes: dict[str, Change] = {}
    with duckdb.connect(str(made), read_only=True) as connection:
        for table in TABLES.values():
            rows = connection.sql(f"from {table.name}").to_arrow_table().cast(table.arrow_schema)
            dates = pc.unique(rows["date"]).to_pylist() if table.partitioned else [None]
            for date in dates:
                chosen = rows if date is None else rows.filter(pc.equal(rows["date"], date)).select(table.file_schema.names)
                change = changes.setdefault(table.name, Change())
                change.add.append(lake.write(table.name, chosen, date=date and date.isoformat()))
    publish(lake, lake.commit(changes, lake.snapshot()))


def notebook_named(name: str) -> Path:
    """The notebook of that name."""
    return next(notebook for notebook in NOTEBOOKS if notebook.stem == name)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_notebook_is_stored_without_output(notebook: Path) -> None:
    """A notebook in the repository holds no output and no execution count, so that it shows nobody's data."""
    cells = [cell for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]

    assert cells
    assert [cell["id"] for cell in cells if cell["outputs"] or cell["execution_count"] is not None] == []


def test_first_look_counts_every_table(first_look: tuple[dict[str, str], Path]) -> None:
    """The printed counts are those of the lake's tables."""
    outputs, database = first_look
    printed = dict(line.split() for line in outputs["counts"].splitlines())

    assert set(printed) == {"conversations", "messages", "transfers", "files", "rejects"}
    with duckdb.connect(str(database), read_only=True) as connection:
        for table, count in printed.items():
            assert connection.execute(f"select count(*) from {table}").fetchall() == [(int(count.replace(",", "")),)]


def test_first_look_reads_one_conversation_in_order(first_look: tuple[dict[str, str], Path]) -> None:
    """The transcript begins with the visitor's words, then the agent's, with times that do not go back."""
    outputs, _ = first_look
    times = re.findall(r"^\d\d:\d\d:\d\d", outputs["transcript"], flags=re.MULTILINE)

    assert outputs["transcript"].index("where is my order?") < outputs["transcript"].index("I will look.")
    assert len(times) >= 4
    assert times == sorted(times)


@pytest.mark.parametrize(("cell", "title"), [("queue-chart", "Queue time by day"), ("mcs-chart", "Conversations by MCS")])
def test_first_look_draws(first_look: tuple[dict[str, str], Path], cell: str, title: str) -> None:
    """Queue time and MCS are pictures that need no network, with marks for both accounts."""
    drawing = first_look[0][cell]

    assert drawing.startswith("<svg")
    assert title in drawing
    assert "10000001" in drawing
    assert "10000002" in drawing
    assert re.search(r'class="mark-(line|rect)', drawing)
    assert not re.search(r'(src|href)="http', drawing)


def test_first_look_without_a_lake_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no lake yet, the notebook stops with the commands that make one."""
    monkeypatch.setenv("LAKE_URI", str(tmp_path / "nowhere"))

    with pytest.raises(CellExecutionError, match="there is no lake; load something first, with lakehouse demo"):
        run(notebook_named("01_first_look"), tmp_path)
