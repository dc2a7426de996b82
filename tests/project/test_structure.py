"""The code has the packages of docs/architecture.md, and imports go one way."""

import ast
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from places import ROOT

PACKAGE = ROOT / "pipeline"
MOST_FLOORS = 8

Graph = dict[str, set[str]]


def drawn() -> list[str]:
    """Return the packages, and the modules in none, of the table in docs/architecture.md, from top to bottom."""
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \|", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE)
    return [name for row in rows for name in re.findall(r"[a-z_]+", row)]


def modules() -> dict[str, Path]:
    """Return the file of each module, by its dotted name below `pipeline`; a package's `__init__` has the package's name."""
    names = {path: ".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in PACKAGE.rglob("*.py")}
    return {
        name.removesuffix(".__init__"): path for path, name in sorted(names.items()) if name not in {"__init__", "__main__"}
    }


@cache
def imports() -> Mapping[str, set[str]]:
    """Return the modules that each module imports, also inside functions."""
    known = modules()
    found: Graph = {}
    for name, path in known.items():
        nodes = list(ast.walk(ast.parse(path.read_text())))
        froms = [node for node in nodes if isinstance(node, ast.ImportFrom)]
        assert not any(node.level for node in froms), f"{path}: expected imports that begin with pipeline, found a relative one"
        named = {f"{node.module}.{alias.name}" for node in froms for alias in node.names}
        named |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        named = {each.removeprefix("pipeline.") for each in named if each.startswith("pipeline.")}
        modules_named = {name if name in known else name.rpartition(".")[0] for name in named}
        found[name] = {each for each in modules_named if each in known} - {name}
    return found


def package_of(module: str) -> str:
    return module.partition(".")[0]


def test_every_package_is_drawn() -> None:
    """The table in the docs names each package, and each module that is in none, once."""
    assert sorted(drawn()) == sorted({package_of(name) for name in modules()})


def test_imports_go_up_the_list() -> None:
    """No package imports one that stands below it."""
    order = {name: place for place, name in enumerate(drawn())}
    wrong = [
        f"{name} imports {imported}"
        for name, others in imports().items()
        for imported in others
        if order[package_of(imported)] > order[package_of(name)]
    ]
    assert wrong == []


def floors_of(below: Graph) -> dict[str, int]:
    """The floor of each name: one above the highest of those that it imports."""
    floors: dict[str, int] = {}
    for name in TopologicalSorter(below).static_order():
        floors[name] = 1 + max((floors[other] for other in below.get(name, ())), default=0)
    return floors


def test_packages_stand_on_few_floors() -> None:
    """Packages stand on at most eight floors."""
    below: Graph = {}
    for name, others in imports().items():
        below.setdefault(package_of(name), set()).update(set(map(package_of, others)) - {package_of(name)})
    assert max(floors_of(below).values()) <= MOST_FLOORS, floors_of(below)


@pytest.mark.parametrize("package", sorted({package_of(name) for name in modules()}))
def test_the_modules_of_a_package_stand_on_few_floors(package: str) -> None:
    """Modules stand on at most eight floors inside of their package."""
    inside = {name for name in imports() if package_of(name) == package}
    floors = floors_of({name: imports()[name] & inside for name in inside})
    assert max(floors.values()) <= MOST_FLOORS, floors


def test_modules_import_in_no_circle() -> None:
    """Inside of a package, too, imports go one way."""
    TopologicalSorter(imports()).prepare()


def test_only_the_transport_and_the_heartbeat_import_requests() -> None:
    """No other module sends HTTP requests."""
    pattern = re.compile(r"^\s*(import|from) requests", re.MULTILINE)
    assert {name for name, path in modules().items() if pattern.search(path.read_text())} == {"api.transport", "api.heartbeat"}


def test_every_error_is_in_the_tree() -> None:
    """No other module derives a class from one of the tree, and the tree's drawing has each."""
    tree = (PACKAGE / "errors.py").read_text(encoding="utf-8")
    names = re.findall(r"^class (\w+)\(", tree, re.MULTILINE)
    assert all(re.search(rf"^(?:[│├└─ ]*){name}\b", tree, re.MULTILINE) for name in names)
    derived = re.compile(rf"^ *class \w+\((?:{'|'.join(names)})\)", re.MULTILINE)
    assert {name for name, path in modules().items() if derived.search(path.read_text(encoding="utf-8"))} == {"errors"}


def test_only_the_settings_change_the_environment() -> None:
    """Opening a bucket or a connection changes no variable; a program does so at its start, by `export_store_settings`."""
    pattern = re.compile(
        r"^\s*(del os\.environ|os\.environ\[[^]]+\] =|os\.environ\.(setdefault|update|pop)|os\.putenv)", re.MULTILINE
    )
    assert {name for name, path in modules().items() if pattern.search(path.read_text())} == {"settings"}


def test_help_needs_nothing_heavy() -> None:
    """`lakehouse --help` loads none of the large libraries."""
    program = (
        "import sys, pipeline.cli.commands; "
        "print([m for m in ('pyarrow', 'duckdb', 'polars', 'deltalake', 'requests', 'numpy', 'altair') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
