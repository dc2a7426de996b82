"""Where the repository has what tests read and run."""

import os
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parent.parent
ROOT: Final = TESTS.parent
DATA: Final = TESTS / "data"
SUPPORT: Final = TESTS / "support"
PYTHONPATH: Final = os.pathsep.join((str(ROOT), str(SUPPORT / "without_pandas")))
"""Where a process finds the program, and, as after an installation, no library that only tests and notebooks need."""
