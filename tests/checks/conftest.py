"""The assignments' own answers, as their manuscripts give them."""

from pathlib import Path

import pytest

from dlcourse.grading import assignment

EXERCISES = Path(__file__).parents[2] / "book" / "exercises"


def run_cells(notebook):
    """Run the code cells that are no checks; the names that they leave behind."""
    names = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and not cell.metadata.get("nbgrader", {}).get("grade"):
            exec(compile(cell.source, f"<{cell.id}>", "exec"), names)
    return names


@pytest.fixture(scope="module")
def manuscript(request):
    """The manuscript that the test module names: ``MANUSCRIPT = "07-backpropagation"``."""
    return assignment.read(EXERCISES / f"{request.module.MANUSCRIPT}.md")


@pytest.fixture(scope="module")
def solved(manuscript):
    return run_cells(assignment.solution_version(manuscript))


@pytest.fixture(scope="module")
def empty(manuscript):
    return run_cells(assignment.student_version(manuscript))
