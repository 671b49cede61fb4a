"""Gradient descent fits a line to points: each step moves the line, and a dot on the loss surface.

The line is y = w x + b, the loss is the mean squared error. The steps are those of `dlcourse.optim`
on tensors of `dlcourse.autograd`; `line_fit.mjs` takes the same in the reader's browser.
"""

from collections.abc import Mapping, Sequence

from dlcourse.figures import fields
from dlcourse.figures.base import Figure
from dlcourse.figures.still import Still

STEPS = 100
FAR = 1e6
X, Y, W, B = (-3, 3), (-4, 4), (-3, 3), (-4, 4)  # what is shown: data, weights

POINTS = [
    [-2.5, -1.9], [-2.0, -0.6], [-1.4, -0.9], [-0.9, 0.3], [-0.3, -0.1], [0.2, 1.2],
    [0.8, 0.8], [1.3, 2.0], [1.9, 1.7], [2.5, 2.6],
]  # fmt: skip


def _expected_points(value):
    good = isinstance(value, (list, tuple)) and 2 <= len(value) <= 40
    if good and all(fields.is_point(point, X, Y) for point in value):
        return ""
    return "2 to 40 points [x, y], x from -3 to 3, y from -4 to 4"


FIELDS = {
    "points": fields.Test(_expected_points),
    "start": fields.Test(
        lambda v: "" if fields.is_point(v, W, B) else "w from -3 to 3 and b from -4 to 4"
    ),
    "rate": fields.Number(0.001, 2),
    "step": fields.Number(0, STEPS, whole=True),
}


def descend(points: Sequence, start: Sequence[float], rate: float, steps: int = STEPS) -> list:
    """Gradient descent on the mean squared error of a line.

    Args:
        points: of the data, (x, y) each.
        start: w and b at step 0.
        rate: learning rate.
        steps: how many. Default 100.

    Returns:
        (w, b, loss) from the start on; shorter than steps + 1 where it diverged.
    """
    import numpy as np

    from dlcourse.autograd import Tensor, losses
    from dlcourse.optim import SGD

    x, y = np.array(points, dtype=np.float64).T
    weights = Tensor(np.array(start, dtype=np.float64), requires_grad=True)
    optimizer = SGD([weights], lr=rate)
    path = []
    for _ in range(steps + 1):
        loss = losses.mse_loss(weights[0] * x + weights[1], Tensor(y))
        path.append((*map(float, weights.data), loss.item()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if not np.all(np.abs(weights.data) <= FAR):
            break
    return path


def largest_rate(points: Sequence) -> float:
    """Beyond this rate, 2 divided by the loss's largest curvature, gradient descent diverges."""
    import numpy as np

    x = np.array(points, dtype=np.float64)[:, 0]
    hessian = 2 * np.array([[np.mean(x**2), np.mean(x)], [np.mean(x), 1]])
    return float(2 / np.linalg.eigvalsh(hessian)[-1])


def line_fit(
    points: Sequence = POINTS,
    start: Sequence[float] = (-1.5, 3.0),
    rate: float = 0.1,
    step: int = 0,
) -> Figure:
    """A line that gradient descent fits to points which the reader can move.

    Args:
        points: 2 to 40 points (x, y), x from -3 to 3, y from -4 to 4.
        start: slope w, from -3 to 3, and height b, from -4 to 4, at step 0.
        rate: learning rate, from 0.001 to 2.
        step: how far the path is drawn when the figure opens, from 0 to 100.

    Returns:
        A figure whose state holds these arguments.

    Raises:
        ValueError: for values out of these limits.
    """
    state = {
        "points": [list(point) for point in points],
        "start": list(start),
        "rate": rate,
        "step": step,
    }
    check_state(state)
    path = descend(state["points"], start, rate)
    w, b, loss = path[min(step, len(path) - 1)]
    alt = (
        f"{len(points)} points and the line y = {w:.3g} x + {b:.3g}, fitted by {step} steps of "
        f"gradient descent at rate {rate:g}; the mean squared error is {loss:.3g}."
    )
    still = Still(X, Y, "x", "y")
    still.dots(points, "var(--dl-blue)")
    line = [(X[0] + 6 * k / 100, w * (X[0] + 6 * k / 100) + b) for k in range(101)]
    still.line(line, "var(--dl-orange)")
    return Figure("line_fit", state, alt, still.svg(alt), check=check_state)


def check_state(state: Mapping):
    """Raise ValueError unless every value of the state is good."""
    fields.check(FIELDS, state)


# The package shows the function under this module's own name; so its twins go along with it.
line_fit.descend = descend
line_fit.largest_rate = largest_rate
