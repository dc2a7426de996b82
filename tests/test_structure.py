"""The package is what docs/architecture.md draws."""

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "pipeline"


def drawn() -> list[str]:
    """The modules of the table in docs/architecture.md, from top to bottom."""
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \|", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE)
    return [name for row in rows for name in re.findall(r"[a-z_]+", row)]


def modules() -> dict[str, list[Path]]:
    """The files of each module or sub-package."""
    found: dict[str, list[Path]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if name != "__init__":
            found.setdefault(name, []).append(path)
    return found


def imports_of(path: Path) -> set[str]:
    """The modules of this package that a file imports, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            parts = node.module.split(".")
            if parts[0] == "pipeline":
                names |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
    return names


def test_every_module_is_drawn() -> None:
    """The table in the docs names each module once."""
    assert sorted(drawn()) == sorted(modules())


def test_imports_go_up_the_list() -> None:
    """No module imports one that stands below it."""
    order = {name: place for place, name in enumerate(drawn())}
    wrong = [
        f"{name} imports {imported}"
        for name, paths in modules().items()
        for path in paths
        for imported in imports_of(path)
        if imported != name and order[imported] > order[name]
    ]
    assert wrong == []


def test_only_the_transport_imports_requests() -> None:
    """HTTP has one door."""
    users = {
        name
        for name, paths in modules().items()
        for path in paths
        if re.search(r"^\s*(import|from) requests", path.read_text(), re.MULTILINE)
    }
    assert users == {"transport"}


def test_help_needs_nothing_heavy() -> None:
    """`lakehouse --help` loads none of the large libraries."""
    program = (
        "import sys, pipeline.cli; "
        "print([m for m in ('pyarrow', 'duckdb', 'polars', 'deltalake', 'requests', 'pydantic', 'altair') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
