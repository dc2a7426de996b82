"""Imports that a command goes without."""

import sys
from importlib.abc import MetaPathFinder


class _WithoutPandas(MetaPathFinder):
    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("commands go without pandas", name=fullname)


def go_without_pandas() -> None:
    """Let this process find no pandas; for a process of ours alone, never for one that imports the package.

    pyarrow imports it, where it is installed, with the first Python values that it makes an array of. That takes a quarter of
    a second, and no command has a use for it.
    """
    sys.meta_path.insert(0, _WithoutPandas())
