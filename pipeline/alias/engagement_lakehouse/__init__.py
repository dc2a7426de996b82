"""LivePerson engagement data, under a name that no folder of yours has: `engagement_lakehouse.open` is `pipeline.open`.

A project with a folder `pipeline` of its own imports that folder when it says `import pipeline`. This package finds ours by
its place on the disk, and imports its modules under this name. Both can be used in one process; neither sees the other.
"""

import builtins
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

    def open(lake: str | None = None) -> "duckdb.DuckDBPyConnection":  # noqa: A001  # as people say it
        """Open a lake for reading, as `pipeline.open` does."""


__all__ = ["open"]

_WRITTEN = "pipeline"  # how our modules name each other
_HERE = Path(__file__).resolve().parent
_OURS = _HERE.parent / _WRITTEN if (_HERE.parent / _WRITTEN).is_dir() else _HERE.parent.parent  # a wheel, or the checkout


class _Loader(SourceFileLoader):
    """Runs a module so that its `import pipeline.…` gets our modules."""

    def exec_module(self, module: ModuleType) -> None:
        """Give it our `__import__`: Python looks for that among a module's own builtins."""
        vars(module)["__builtins__"] = _BUILTINS
        super().exec_module(module)


class _Finder(MetaPathFinder):
    """Finds the modules below this package."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, _: ModuleType | None = None) -> ModuleSpec | None:
        """As Python finds them, with our loader."""
        spec = PathFinder.find_spec(fullname, path) if fullname.startswith(f"{__name__}.") else None
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(fullname, spec.loader.path)
        return spec


def _import(
    name: str,
    globals: Mapping[str, object] | None = None,  # noqa: A002  # Python's names
    locals: Mapping[str, object] | None = None,  # noqa: A002
    fromlist: Sequence[str] = (),
    level: int = 0,
) -> Any:
    """Import as Python does, but `pipeline` under the name of this package."""
    first, dot, rest = name.partition(".")
    if level == 0 and first == _WRITTEN:
        name = f"{__name__}{dot}{rest}"
    return builtins.__import__(name, globals, locals, fromlist, level)


_BUILTINS = {**vars(builtins), "__import__": _import}
__path__ = [str(_OURS)]
sys.meta_path.insert(0, _Finder())
_Loader(__name__, str(_OURS / "__init__.py")).exec_module(sys.modules[__name__])  # this package is that one
