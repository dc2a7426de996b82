"""Imports that a command goes without."""

import sys
from typing import Final

_NEEDLESS: Final = frozenset({"numpy", "pandas"})


class _WithoutNumpy:  # no `MetaPathFinder`: to import that takes as long as a fifth of the command line
    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname in _NEEDLESS:
            raise ModuleNotFoundError(f"commands go without {fullname}", name=fullname)


def go_without_numpy() -> None:
    """Let this process find no NumPy and no pandas; for a process of ours alone, never for one that imports the package.

    pyarrow imports both where they are installed: NumPy with itself, pandas with the first Python values that it makes an array
    of. That takes 0.05 and 0.25 seconds, and no command has a use for them.
    """
    sys.meta_path.insert(0, _WithoutNumpy())
