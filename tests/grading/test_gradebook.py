"""Points in nbgrader's own gradebook, read back through nbgrader."""

import os
import sys
from pathlib import Path

import pytest
from small_class import MANUSCRIPT
from test_report import CLASS, NAME, PLAN, result, student

from dlcourse.grading import assignment
from dlcourse.grading.gradebook import import_scores
from dlcourse.grading.rebuild import Plan

Gradebook = pytest.importorskip("nbgrader.api").Gradebook


@pytest.fixture(autouse=True)
def programs(monkeypatch):
    """For the tests' own use of nbgrader."""
    folder = str(Path(sys.executable).parent)
    monkeypatch.setenv("PATH", os.pathsep.join([folder, os.environ["PATH"]]))


def scores(path):
    with Gradebook(f"sqlite:///{path}") as book:
        return {
            s.student.id: {
                g.name: (g.auto_score, g.max_score, bool(g.needs_manual_grade))
                for n in s.notebooks
                for g in n.grades
            }
            for s in book.assignment_submissions(NAME)
        }


def test_points_arrive_and_arrive_anew(tmp_path, monkeypatch):
    path = tmp_path / "gradebook.db"
    with monkeypatch.context() as patch:
        patch.setenv("PATH", "/usr/bin:/bin")  # the environment is not activated
        assert import_scores(NAME, PLAN, CLASS, path) == (7, 2)
    found = scores(path)
    assert len(found) == len(CLASS)
    assert found["student-02"] == {"a-check": (2.0, 4.0, False), "b-check": (6.0, 6.0, False)}
    assert found["student-03"] == {"a-check": (0.0, 4.0, False), "b-check": (0.0, 6.0, False)}
    for name in ("student-06", "student-07"):
        assert found[name] == {"a-check": (None, 4.0, True), "b-check": (None, 6.0, True)}
    # A resubmission replaces the points.
    assert import_scores(NAME, PLAN, [(student(3), result(4.0, 3.0))], path) == (1, 0)
    again = scores(path)
    assert again.pop("student-03") == {"a-check": (4.0, 4.0, False), "b-check": (3.0, 6.0, False)}
    del found["student-03"]
    assert again == found


def test_a_gradebook_of_a_course_keeps_what_it_has(tmp_path):
    plan = Plan.of(assignment.read(MANUSCRIPT))
    path = tmp_path / "gradebook.db"
    with Gradebook(f"sqlite:///{path}") as book:
        book.add_student("student-01", first_name="One")
        book.add_assignment("other")
    assert import_scores(NAME, plan, [], path) == (0, 0)
    with Gradebook(f"sqlite:///{path}") as book:
        assert book.find_student("student-01").first_name == "One"
        assert book.find_assignment(NAME).max_score == 10
        assert {a.name for a in book.assignments} == {"other", NAME}
