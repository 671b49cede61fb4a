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
    name: str, plan: Plan, graded: Iterable[tuple[Submission, Result]], database: str | Path
) -> tuple[int, int]:
    """Write the points of a class into a ``gradebook.db``; made if missing.

    What cannot be taken for a grade stays without a score: its checks wait for a person.

    Args:
        name: of the assignment, and of its notebook.
        plan: of the assignment.
        graded: every submission with its grade.
        database: path of the gradebook.

    Returns:
        how many were scored, and how many wait for a person.

    Raises:
        ValueError: nbgrader is not installed.
    """
    try:
        from nbgrader.api import Gradebook
    except ImportError:
        raise ValueError(
            'nbgrader, which keeps the gradebook, is not installed: pip install "dlcourse[grading]"'
        ) from None
    scored = waiting = 0
    with _own_programs(), Gradebook(f"sqlite:///{Path(database).resolve()}") as book:
        book.update_or_create_assignment(name)
        book.update_or_create_notebook(name, name)
        for check in plan.checks:
            book.update_or_create_grade_cell(
                check.label, name, name, max_score=check.points, cell_type="code"
            )
        for submission, result in graded:
            student = submission.student.encode("utf-8", "backslashreplace").decode()
            book.update_or_create_student(student)
            book.update_or_create_submission(name, student)
            sure = not result.ours and result.state not in (UNREADABLE, NEEDS_REVIEW)
            points = {check.label: check.earned for check in result.checks}
            for check in plan.checks:
                grade = book.find_grade(check.label, name, name, student)
                grade.auto_score = points[check.label] if sure else None
                grade.needs_manual_grade = not sure
            scored, waiting = scored + sure, waiting + (not sure)
            if (scored + waiting) % 200 == 0:
                book.db.commit()
        book.db.commit()
    return scored, waiting


@contextlib.contextmanager
def _own_programs() -> Iterator[None]:
    """nbgrader starts `alembic` by name, which lies beside this Python, activated or not."""
    before = os.environ.get("PATH", os.defpath)
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), before])
    try:
        yield
    finally:
        os.environ["PATH"] = before
