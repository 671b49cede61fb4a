"""The assignment's own answers, as its manuscript gives them."""

from pathlib import Path

import pytest

from dlcourse.grading import assignment

MANUSCRIPT = Path(__file__).parents[2] / "book" / "exercises" / "07-backpropagation.md"


def run_cells(notebook):
    """Run the code cells that are no checks; the names that they leave behind."""
    names = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and not cell.metadata.get("nbgrader", {}).get("grade"):
            exec(compile(cell.source, f"<{cell.id}>", "exec"), names)
    return names


@pytest.fixture(scope="session")
def manuscript():
    return assignment.read(MANUSCRIPT)


@pytest.fixture(scope="session")
def solved(manuscript):
    return run_cells(assignment.solution_version(manuscript))


@pytest.fixture(scope="session")
def empty(manuscript):
    return run_cells(assignment.student_version(manuscript))
