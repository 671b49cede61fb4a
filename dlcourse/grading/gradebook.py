"""Grades into nbgrader's gradebook, through nbgrader's own interface.

An instructor who keeps a course in nbgrader grades here, in the jail, and finds the points there,
check by check, for feedback and export.
"""

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from dlcourse.grading.grade import NEEDS_REVIEW, UNREADABLE, Result
from dlcourse.grading.rebuild import Plan
from dlcourse.grading.submissions import Submission


def import_scores(
    name: str,
    plan: Plan,
    graded: Iterable[tuple[Submission, Result]],
    database: str | Path,
    notebook: str | None = None,
) -> tuple[int, int]:
    """Write the points of a class into a ``gradebook.db``; made if missing.

    What cannot be taken for a grade stays without a score: its checks wait for a person.

    Args:
        name: of the assignment.
        plan: of the assignment.
        graded: every submission with its grade.
        database: path of the gradebook.
        notebook: the name of its notebook; that of the assignment by default.

    Returns:
        how many were scored, and how many wait for a person, for all or some of their points.

    Raises:
        ValueError: nbgrader is not installed, or the gradebook has other cells.
    """
    try:
        from nbgrader.api import Gradebook, MissingEntry
    except ImportError:
        raise ValueError(
            'nbgrader, which keeps the gradebook, is not installed: pip install "dlcourse[grading]"'
        ) from None
    scored = waiting = 0
    notebook = notebook or name
    with _own_programs(), Gradebook(f"sqlite:///{Path(database).resolve()}") as book:
        book.update_or_create_assignment(name)
        book.update_or_create_notebook(notebook, name)
        _add_cells(book, plan, notebook, name)
        for number, (submission, result) in enumerate(graded, start=1):
            student = submission.student.encode("utf-8", "backslashreplace").decode()
            book.update_or_create_student(student)
            book.update_or_create_submission(name, student)
            sure = not result.ours and result.state not in (UNREADABLE, NEEDS_REVIEW)
            for check in result.checks:
                try:
                    grade = book.find_grade(check.label, notebook, name, student)
                except MissingEntry:
                    raise ValueError(
                        f"{database}: what {student} handed in of {name} was entered before the "
                        f"gradebook knew `{check.label}` of {notebook}; have nbgrader make the "
                        "assignment first (nbgrader generate_assignment), or give a new gradebook"
                    ) from None
                grade.auto_score = check.earned if sure and not check.waiting else None
                # As in nbgrader, a person looks again at what a person has judged.
                by_hand = grade.auto_score is None or grade.manual_score is not None
                grade.needs_manual_grade = by_hand
            scored, waiting = scored + sure, waiting + (not sure or result.waiting > 0)
            if number % 200 == 0:
                book.db.commit()
        book.db.commit()
    return scored, waiting


def _add_cells(book, plan: Plan, notebook: str, name: str) -> None:
    """Have the gradebook know the cells, as nbgrader itself does when it makes the assignment."""
    marks = plan.about if plan.tamperable else {}
    for check in plan.checks:
        about = marks.get(check.label, {})
        add = book.update_or_create_grade_cell
        if about.get("task"):
            add = book.update_or_create_task_cell
        kind = about.get("cell_type", "code")
        add(check.label, notebook, name, max_score=check.points, cell_type=kind)
    for label, about in marks.items():
        if about["solution"]:  # which people may comment on
            book.update_or_create_solution_cell(label, notebook, name)


@contextlib.contextmanager
def _own_programs() -> Iterator[None]:
    """nbgrader starts `alembic` by name, which lies beside this Python, activated or not."""
    before = os.environ.get("PATH", os.defpath)
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), before])
    try:
        yield
    finally:
        os.environ["PATH"] = before
