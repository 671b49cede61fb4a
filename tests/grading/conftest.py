"""The corpus of answers that the checks are tested with serves the jail, too."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "checks"))
