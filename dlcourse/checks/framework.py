"""What a check is: steps, points, hints, and the result that a student sees.

A check judges in steps what a student wrote. Each step has its own share of the points, and either
passes or gives a hint. The same check gives the instant answer in the notebook and the grade.

Writing one::

    @check(points=2.0)
    def softmax(steps, softmax, *, seed=0):
        z = np.random.default_rng(seed).normal(size=(5, 3))
        answer = call(softmax, z=z, returns=("p",))
        with steps("the probabilities, (B, K)", 1.5):
            compare("p", answer["p"], ...)
        with steps("z left as it was", 0.5, after_all=True):
            untouched(answer)
"""

import contextlib
import functools
import inspect
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dlcourse.checks.report import as_html, as_text

PASSED, NOT_YET, WAITS = "passed", "not yet", "waits"
BY_HAND = "by hand"  # a person judges it; no check gives this


# How much a check tells, by the level that it is asked for with `explain=`.
EXPLAIN = ("right or not yet", "also what differs", "also which mistake that looks like")


class Hint(Exception):
    """Raised inside a step whose answer is not right yet; its text is what the student reads.

    Args:
        text: what differs, and which mistake that looks like.
        fact: what differs, alone, for `explain=1`; the whole text by default.
    """

    def __init__(self, text: str, fact: str | None = None):
        super().__init__(text)
        self.fact = text if fact is None else fact


@dataclass(frozen=True)
class Step:
    """One line of a report: what was asked, what it is worth, how it went, and what may help."""

    title: str
    points: float
    state: str  # PASSED, NOT_YET, BY_HAND, or WAITS: not judged before the steps above it pass
    hint: str = ""

    @property
    def earned(self) -> float:
        return self.points if self.state == PASSED else 0.0


class Result(float):
    """The points earned: a number that shows itself as a report.

    Args:
        name: the check's name, which is the name of the function that it asks for.
        points: the most that can be earned.
        steps: what happened, in order.

    A notebook shows the report as HTML, with the bare number beside it as plain text, which is
    where nbgrader looks for partial credit. `print` and a terminal give the whole report as text.
    """

    name: str
    points: float
    steps: tuple[Step, ...]

    def __new__(cls, name: str, points: float, steps: Sequence[Step]) -> "Result":
        # 0.1 + 0.2 is a hair above 0.3, and nbgrader refuses more than all of the points.
        earned = min(round(sum(step.earned for step in steps), 6), points)
        self = super().__new__(cls, earned)
        self.name, self.points, self.steps = name, points, tuple(steps)
        return self

    def __getnewargs__(self):
        return self.name, self.points, self.steps

    def __str__(self) -> str:
        return as_text(self)

    def __repr__(self) -> str:
        # IPython takes the plain text of any float from here, whatever the bundle below says.
        return float.__repr__(self) if _in_a_notebook() else as_text(self)

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/plain": float.__repr__(self), "text/html": as_html(self)}


def _in_a_notebook() -> bool:
    """Whether a front end that can show HTML is listening: IPython runs, and not in a terminal."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell is not None and "Terminal" not in type(shell).__name__


class Steps:
    """Collects the steps of one run of a check; calling it opens the next one.

    Args:
        explain: how much the hints tell: see `EXPLAIN`.
    """

    def __init__(self, explain: int = len(EXPLAIN) - 1):
        self.explain = explain
        self.done: list[Step] = []

    @contextlib.contextmanager
    def __call__(self, title: str, points: float, after_all: bool = False) -> Iterator[None]:
        """Judge one step: the block passes unless it raises a `Hint`.

        Args:
            title: what the step asks for, in a few words.
            points: its share of the check's points.
            after_all: count only once every step above has passed. For questions that a wrong
                answer could pass by accident, such as whether the inputs are untouched.
        """
        waits = after_all and any(step.state != PASSED for step in self.done)
        try:
            yield
        except Hint as hint:
            state, text = NOT_YET, ("", hint.fact, str(hint))[self.explain]
        except Exception as error:
            state, text = NOT_YET, _fault(error)
        else:
            state, text = PASSED, ""
        if waits:
            state, text = WAITS, ""
        self.done.append(Step(title, points, state, text))


def _fault(error: Exception) -> str:
    return (
        f"The check itself stopped with {type(error).__name__}: {error}. That is a fault in the "
        "check, not in your answer; please report it, with the code of your cell."
    )


def check(points: float) -> Callable:
    """Turn a function that judges in steps into a check that returns a `Result`.

    Args:
        points: what its steps add up to.

    The function takes `steps`, then what the student wrote, then the keyword `seed`, from which it
    draws its inputs: the same seed gives the same inputs. Where it also takes the keyword `large`,
    False by default, grading asks for larger inputs with it. The check takes the same without
    `steps`, and the keyword `explain`: 2 by default, 1 for hints that say what differs but not
    which mistake that looks like, 0 for none, as in an examination.
    """

    def decorate(judge: Callable) -> Callable:
        signature = inspect.signature(judge)
        parameters = list(signature.parameters.values())[1:]
        most = len(EXPLAIN) - 1
        parameters.append(
            inspect.Parameter("explain", inspect.Parameter.KEYWORD_ONLY, default=most)
        )

        @functools.wraps(judge)
        def run(*answers, seed: int = 0, explain: int = most, **options) -> Result:
            if explain not in range(len(EXPLAIN)):
                levels = ", ".join(f"{level} ({told})" for level, told in enumerate(EXPLAIN))
                raise ValueError(f"{judge.__name__}: explain is {explain!r}; levels are {levels}")
            steps = Steps(explain)
            options["seed"] = seed
            signature.bind(steps, *answers, **options)  # a wrong call is no wrong answer: raise
            with calm():
                try:
                    judge(steps, *answers, **options)
                except Exception as error:
                    left = points - sum(step.points for step in steps.done)
                    steps.done.append(Step("the rest of this check", left, NOT_YET, _fault(error)))
            total = sum(step.points for step in steps.done)
            if abs(total - points) > 1e-6:
                raise ValueError(
                    f"{judge.__name__}: its steps are worth {total:g} points, @check says "
                    f"{points:g}; make them agree"
                )
            return Result(judge.__name__, points, steps.done)

        run.__signature__ = signature.replace(parameters=parameters)
        run.points = points
        return run

    return decorate


@contextlib.contextmanager
def calm() -> Iterator[list[str]]:
    """Run a block in which warnings are only noted, and nothing reaches stderr.

    nbgrader takes a line on stderr for a failure. What a student prints there goes to stdout, and
    every setting is put back afterwards.
    """
    said: list[str] = []
    with (
        warnings.catch_warnings(record=True) as caught,
        np.errstate(all="warn"),
        contextlib.redirect_stderr(sys.stdout),
    ):
        warnings.simplefilter("always")
        try:
            yield said
        finally:
            said.extend(str(warning.message) for warning in caught)
