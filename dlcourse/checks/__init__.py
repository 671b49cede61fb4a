"""Instant answers: one module of check functions for each assignment.

In a notebook: ``from dlcourse.checks import backpropagation as check``, then
``check.linear_backward(linear_backward)``. The answer is a `Result`: a number, the points, that
shows itself as a report with one line a step. How a check is written stands in `framework`, how the
student's code is called in `calling`, and how its numbers are compared in `compare`.
"""

from dlcourse.checks.calling import Answer, call, untouched
from dlcourse.checks.compare import compare, compare_dict, compare_text, number, numeric_gradient
from dlcourse.checks.framework import Hint, Result, Step, Steps, check

__all__ = [
    "Answer",
    "Hint",
    "Result",
    "Step",
    "Steps",
    "call",
    "check",
    "compare",
    "compare_dict",
    "compare_text",
    "number",
    "numeric_gradient",
    "untouched",
]
