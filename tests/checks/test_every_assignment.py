"""What holds for every assignment: its own answers, no answer, and nonsense for an answer.

Right, unusual and wrong answers to each, and what they are told, stand in a file of their own.
"""

import functools
import importlib
from pathlib import Path

import numpy as np
import pytest
import test_backpropagation_answers
import test_convolution_answers
import test_feedforward_answers
import test_history_answers
import torch
from torch import nn

from dlcourse.grading import assignment

EXERCISES = Path(__file__).parents[2] / "book" / "exercises"
ASSIGNMENTS = {
    "02-history": test_history_answers.CHECKS,
    "06-feedforward": test_feedforward_answers.CHECKS,
    "07-backpropagation": test_backpropagation_answers.CHECKS,
    "10-convolution": test_convolution_answers.CHECKS,
}
every_check = pytest.mark.parametrize(
    ("manuscript", "name"),
    [(manuscript, name) for manuscript, checks in ASSIGNMENTS.items() for name in checks],
)


@functools.cache
def answers(manuscript, version):
    """The names that a version of a manuscript leaves behind, run without its check cells."""
    names = {}
    for cell in version(assignment.read(EXERCISES / f"{manuscript}.md")).cells:
        if cell.cell_type == "code" and not cell.metadata.get("nbgrader", {}).get("grade"):
            exec(compile(cell.source, f"<{cell.id}>", "exec"), names)
    return names


def judge(manuscript, name):
    """A check, by its name and its assignment's."""
    _, slug = manuscript.split("-", 1)
    return getattr(importlib.import_module(f"dlcourse.checks.{slug}"), name)


def test_every_manuscript_is_tested():
    assert {path.stem for path in EXERCISES.glob("*.md")} == set(ASSIGNMENTS)


@every_check
@pytest.mark.parametrize("seed", [0, 1, 2, 3, 1234567])
def test_the_solution_earns_all_points(manuscript, name, seed):
    solved = answers(manuscript, assignment.solution_version)
    result = judge(manuscript, name)(solved[name], seed=seed)
    assert result == result.points == ASSIGNMENTS[manuscript][name], str(result)
    assert not any(step.hint for step in result.steps)


@every_check
def test_an_empty_answer_earns_nothing_and_is_told_so(manuscript, name):
    result = judge(manuscript, name)(answers(manuscript, assignment.student_version)[name])
    assert result == 0.0
    assert "is not written yet" in result.steps[0].hint
    assert "raise NotImplementedError()" in result.steps[0].hint
    assert all(step.state != "passed" for step in result.steps)


@every_check
@pytest.mark.parametrize(
    "nonsense",
    [None, ..., "one", 7.0, [], np.nan, [[1], [2, 3]], {}, object(), torch.zeros(3), nn.Module()],
)
def test_no_answer_makes_a_check_blame_itself(manuscript, name, nonsense):
    result = judge(manuscript, name)(lambda *inputs: nonsense)
    assert result < result.points
    assert "fault in the check" not in str(result)
