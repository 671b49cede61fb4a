"""The package as a whole: cheap to import, and clean about what it brings."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("dlcourse", ["numpy", "torch", "matplotlib", "sklearn"]),
        ("dlcourse.autograd", ["torch", "matplotlib", "sklearn"]),
        ("dlcourse.train", ["torch", "matplotlib", "sklearn"]),
        ("dlcourse.plot", ["torch", "matplotlib"]),
        ("dlcourse.figures", ["torch", "matplotlib", "anywidget"]),
        ("dlcourse.data.real", ["torch", "matplotlib", "sklearn", "requests", "PIL"]),
        ("dlcourse.cli", ["numpy", "torch", "matplotlib", "requests"]),
        ("dlcourse.checks.backpropagation", ["torch", "matplotlib", "sklearn"]),
    ],
)
def test_import_brings_no_more_than_needed(module, unwanted):
    code = f"import sys, {module}; print([m for m in {unwanted} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
