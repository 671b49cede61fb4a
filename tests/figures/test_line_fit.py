"""The line fit: its steps against PyTorch, the rate at which it diverges, what it refuses."""

import math
import sys

import numpy as np
import pytest

from dlcourse.figures import line_fit

torch = pytest.importorskip("torch")
descend, largest_rate = line_fit.descend, line_fit.largest_rate
module = sys.modules["dlcourse.figures.line_fit"]
rng = np.random.default_rng(5)
POINTS = np.column_stack([rng.uniform(-3, 3, 12), rng.uniform(-4, 4, 12)]).round(2).tolist()


def by_torch(points, start, rate, steps):
    x, y = torch.tensor(points, dtype=torch.float64).T
    weights = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([weights], lr=rate)
    path = []
    for _ in range(steps + 1):
        loss = torch.nn.functional.mse_loss(weights[0] * x + weights[1], y)
        path.append((*weights.tolist(), loss.item()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return path


@pytest.mark.parametrize("points", [module.POINTS, POINTS])
@pytest.mark.parametrize("rate", [0.01, 0.1, 0.2])
def test_the_steps_are_those_of_pytorch(points, rate):
    np.testing.assert_allclose(
        descend(points, (-2, 3), rate), by_torch(points, (-2, 3), rate, 100), rtol=1e-9
    )


@pytest.mark.parametrize("points", [module.POINTS, POINTS, [[2, 1], [2.5, 0]]])
def test_beyond_the_largest_rate_it_diverges_and_below_it_settles(points):
    most = largest_rate(points)
    losses = [point[2] for point in descend(points, (-2, 3), 0.97 * most, 3000)]
    w, b = np.polyfit(*np.array(points).T, 1)
    least = np.mean([(w * x + b - y) ** 2 for x, y in points])
    assert losses[-1] == pytest.approx(least, abs=1e-3)
    losses = [point[2] for point in descend(points, (-2, 3), 1.03 * most, 3000)]
    assert losses[-1] > 1e6
    assert len(losses) < 3000  # and the path ends there


def test_alt_and_picture_tell_where_it_stands():
    figure = line_fit(rate=0.2, step=30)
    w, b, loss = descend(module.POINTS, (-1.5, 3.0), 0.2, 30)[-1]
    assert f"y = {w:.3g} x + {b:.3g}" in figure.alt
    assert f"mean squared error is {loss:.3g}" in figure.alt
    assert figure.fallback_svg.count("<circle") == len(module.POINTS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"points": []}, "2 to 40 points"),
        ({"points": [[0, 0]]}, "2 to 40 points"),
        ({"points": [[0, 0], [0, math.nan]]}, "2 to 40 points"),
        ({"points": [[0, 0], [0, 9]]}, "2 to 40 points"),
        ({"points": [[0, 0], [0, "1"]]}, "2 to 40 points"),
        ({"points": [[0, 0]] * 41}, "2 to 40 points"),
        ({"start": (9, 0)}, "w from -3 to 3"),
        ({"rate": 0}, "rate: 0 came; expected a number from 0.001 to 2"),
        ({"rate": "fast"}, "rate: 'fast' came"),
        ({"step": -1}, "step: -1 came; expected a whole number from 0 to 100"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        line_fit(**arguments)
