"""Where the repository has what tests read and run."""

from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parent.parent
ROOT: Final = TESTS.parent
DATA: Final = TESTS / "data"
SUPPORT: Final = TESTS / "support"
