"""What a bare machine needs in order to grade: the system's packages, Python's, and this library.

The archive for Gradescope and the container of level 3 are both made from it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
REQUIRES = (
    "matplotlib>=3.8", "msgpack>=1.0", "nbformat>=5.9", "jupytext>=1.16", "numpy>=2.0",
    "scikit-learn>=1.4", "tqdm>=4.66",
)  # fmt: skip
PYTHON = "/opt/dlcourse/bin/python"

_SET_UP = """\
#!/usr/bin/env bash
# Runs once, when the container is built.
set -euo pipefail
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -qy \\
  python3 python3-venv bubblewrap libseccomp2
python3 -c 'import sys; assert sys.version_info >= (3, 11), "choose a base image with Python 3.11"'
python3 -m venv /opt/dlcourse
/opt/dlcourse/bin/pip install --no-cache-dir {requires}
"""


def set_up(modules: Sequence[str]) -> str:
    """The script that brings a bare Debian, or Ubuntu, what grading needs.

    Args:
        modules: what the assignment imports, as its plan has it: PyTorch comes only if it is used.
    """
    torch = any(name.split(".")[0] == "torch" for name in modules)
    requires = [*REQUIRES, *(["torch>=2.4"] if torch else [])]
    return _SET_UP.format(requires=" ".join(f"'{name}'" for name in requires))


def files() -> Iterator[tuple[Path, str]]:
    """Every file of the library, and the name that it gets in a bundle."""
    for file in sorted(PACKAGE.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            yield file, Path("dlcourse", file.relative_to(PACKAGE)).as_posix()
