"""Running things as a user without any rights, where the tests themselves run as root."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def ordinary_python() -> list[str]:
    """The start of a command that runs this Python's packages as another user; else skip."""
    if os.getuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("only root can become another user, with setpriv")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = [path for path in sys.path if path.endswith("-packages")]
    become = ["setpriv", "--reuid", "61999", "--regid", "61999", "--clear-groups"]
    variables = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
                 "PYTHONDONTWRITEBYTECODE": "1",
                 "PYTHONPATH": os.pathsep.join([str(ROOT), *packages])}  # fmt: skip
    words = ["env", "-i", *(f"{name}={value}" for name, value in variables.items())]
    for python in (sys.executable, shutil.which(version, path="/usr/bin") or sys.executable):
        command = [*become, *words, python]
        code = "import numpy, msgpack, dlcourse.grading.doctor"
        tried = subprocess.run([*command, "-c", code], cwd="/", capture_output=True, timeout=60)
        if tried.returncode == 0:
            return command
    pytest.skip("an ordinary user can reach no Python with these packages")
