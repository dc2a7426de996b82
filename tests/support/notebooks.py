"""Runs notebooks in this process, cell by cell, and keeps what each cell printed and showed."""

import ast
import contextlib
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from places import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@dataclass
class Run:
    """The results of a notebook: its names, the output of each cell, and the value at the end of each."""

    names: dict[str, Any] = field(default_factory=dict)
    printed: dict[str, str] = field(default_factory=dict)
    shown: dict[str, Any] = field(default_factory=dict)

    def picture(self, cell: str) -> str:
        """Return the picture of a cell, as Jupyter asks for it."""
        return str(self.shown[cell]._repr_mimebundle_()["image/svg+xml"])

    def pictures(self) -> list[str]:
        """Return the cells with a picture."""
        return [cell for cell, value in self.shown.items() if hasattr(value, "_repr_mimebundle_") and hasattr(value, "to_dict")]


def cells(notebook: str) -> list[dict[str, Any]]:
    """Return the cells as they are stored."""
    (path,) = (path for path in NOTEBOOKS if path.stem == notebook)
    return list(json.loads(path.read_text(encoding="utf-8"))["cells"])


def run(notebook: str, lake: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run all code cells in order, in this process: as a kernel does with cells of plain Python, in a fraction of the time.

    The working folder is the one that the lake is in: a notebook writes a file there.
    """
    monkeypatch.setenv("LAKE_URI", lake)
    done = Run()
    with contextlib.chdir(Path(lake).parent):
        run_cells(notebook, done)
    return done


def run_cells(notebook: str, done: Run) -> None:
    """Run the code cells, and keep their results."""
    for cell in cells(notebook):
        if cell["cell_type"] == "code":
            tree = ast.parse("".join(cell["source"]), filename=f"{notebook}:{cell['id']}")
            last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(tree, f"{notebook}:{cell['id']}", "exec"), done.names)  # noqa: S102
                if isinstance(last, ast.Expr):
                    shown = compile(ast.Expression(last.value), f"{notebook}:{cell['id']}", "eval")
                    done.shown[cell["id"]] = eval(shown, done.names)  # noqa: S307
            done.printed[cell["id"]] = out.getvalue()
