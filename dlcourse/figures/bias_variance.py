"""Polynomials fitted to noisy points: too stiff, too supple, or right, and how one can tell.

The fit is least squares with a ridge penalty, in Legendre polynomials: on [-1, 1] they are
orthogonal, so that high degrees do no harm to the arithmetic. `bias_variance.mjs` computes the same
in the reader's browser, from the same random numbers.
"""

import math
from collections.abc import Mapping

from dlcourse.figures import fields
from dlcourse.figures.base import Figure
from dlcourse.figures.still import Still

DEGREES = 12
SAMPLES = 30  # samples of the same size, to see how fits vary
GRID = [k / 50 - 1 for k in range(101)]  # where fits are compared with the truth

FIELDS = {
    "degree": fields.Number(0, DEGREES, whole=True),
    "points": fields.Number(15, 60, whole=True),
    "noise": fields.Number(0, 1),
    "ridge": fields.Number(1e-6, 10, zero=True),
    "seed": fields.Number(1, 100_000, whole=True),
}


def truth(x: float) -> float:
    """What the points are drawn from, before noise."""
    return 0.9 * math.sin(4.5 * x) + 0.3 * x


def random_numbers(seed: int):
    """Numbers in [0, 1), the same in Python and in the browser (mulberry32, by T. Ettinger)."""
    state = seed & 0xFFFFFFFF
    multiply = lambda a, b: (a * b) & 0xFFFFFFFF
    while True:
        state = (state + 0x6D2B79F5) & 0xFFFFFFFF
        t = multiply(state ^ (state >> 15), state | 1)
        t ^= (t + multiply(t ^ (t >> 7), t | 61)) & 0xFFFFFFFF
        yield (t ^ (t >> 14)) / 2**32


def sample(seed: int, number: int, points: int, noise: float):
    """One sample: x spread over [-1, 1], one in each of equal parts, and y with normal noise.

    Args:
        seed: of the whole series.
        number: of the sample in the series, from 0 on.
        points: how many.
        noise: standard deviation.

    Returns:
        lists x, y.
    """
    draw = random_numbers(1000 * seed + number)
    xs, ys = [], []
    for i in range(points):
        x = -1 + 2 * (i + next(draw)) / points
        radius, turn = math.sqrt(-2 * math.log(1 - next(draw))), 2 * math.pi * next(draw)
        xs.append(x)
        ys.append(truth(x) + noise * radius * math.cos(turn))
    return xs, ys


def basis(x, degree: int):
    """Legendre polynomials up to a degree, of mean square 1 on [-1, 1].

    Args:
        x: places, array of shape (N,).
        degree: the highest.

    Returns:
        array of shape (N, degree + 1).
    """
    import numpy as np

    return np.polynomial.legendre.legvander(x, degree) * np.sqrt(2 * np.arange(degree + 1) + 1)


def fit(x, y, degree: int, ridge: float):
    """Coefficients c that make mean((B c - y)²) + ridge · |c|² least; c₀ is not penalized.

    Args:
        x, y: the points.
        degree: of the polynomial.
        ridge: at least 0.

    Returns:
        array of shape (degree + 1,), for `basis`.
    """
    import numpy as np

    penalty = math.sqrt(len(x) * ridge) * np.eye(degree + 1)[1:]
    rows = np.vstack([basis(np.asarray(x), degree), penalty])
    return np.linalg.lstsq(rows, np.concatenate([y, np.zeros(degree)]), rcond=None)[0]


def errors(points: int, noise: float, ridge: float, seed: int) -> list[dict]:
    """How fits of each degree do, on average over 30 samples.

    Args:
        points: of each sample.
        noise: standard deviation.
        ridge: penalty, at least 0.
        seed: of the samples.

    Returns:
        for each degree from 0 to 12, {"train", "test", "bias", "variance"}: mean squared errors on
        the sample itself and on new points; the squared distance of the average fit from the truth,
        and of the fits from their average. test = bias + variance + noise².
    """
    import numpy as np

    true = np.array([truth(x) for x in GRID])
    samples = [sample(seed, number, points, noise) for number in range(SAMPLES)]
    results = []
    for degree in range(DEGREES + 1):
        grid, curves, train = basis(np.array(GRID), degree), [], []
        for x, y in samples:
            weights = fit(x, y, degree, ridge)
            curves.append(grid @ weights)
            train.append(np.mean((basis(np.array(x), degree) @ weights - y) ** 2))
        middle = np.mean(curves, axis=0)
        bias, variance = np.mean((middle - true) ** 2), np.mean((curves - middle) ** 2)
        results.append(
            {
                "train": float(np.mean(train)),
                "test": float(bias + variance + noise**2),
                "bias": float(bias),
                "variance": float(variance),
            }
        )
    return results


def bias_variance(
    degree: int = 3, points: int = 20, noise: float = 0.3, ridge: float = 0.0, seed: int = 1
) -> Figure:
    """Polynomial fits of any degree, and their errors on old and on new points.

    Args:
        degree: of the polynomial, from 0 to 12.
        points: in each sample, from 15 to 60.
        noise: standard deviation of the points around the truth, from 0 to 1.
        ridge: penalty on large coefficients, 0 or from 0.000001 to 10.
        seed: of the samples, from 1 to 100,000.

    Returns:
        A figure whose state holds these arguments.

    Raises:
        ValueError: for values out of these limits.
    """
    state = {"degree": degree, "points": points, "noise": noise, "ridge": ridge, "seed": seed}
    check_state(state)
    here = errors(points, noise, ridge, seed)[degree]
    alt = (
        f"A polynomial of degree {degree} fitted to {points} noisy points: its mean squared error "
        f"is {here['train']:.2g} on them and {here['test']:.2g} on new ones, of which bias "
        f"{here['bias']:.2g} and variance {here['variance']:.2g}."
    )
    return Figure("bias_variance", state, alt, _still(state, alt), check=check_state)


def check_state(state: Mapping):
    """Raise ValueError unless every value of the state is good."""
    fields.check(FIELDS, state)


def _still(state, alt) -> str:
    """The truth, one sample, its fit, and the fits of a few others."""
    import numpy as np

    still = Still((-1, 1), (-2.5, 2.5), "x", "y")
    grid = basis(np.array(GRID), state["degree"])
    for number in (5, 4, 3, 2, 1, 0):
        x, y = sample(state["seed"], number, state["points"], state["noise"])
        curve = grid @ fit(x, y, state["degree"], state["ridge"])
        faint = number > 0
        line = list(zip(GRID[::2], curve[::2], strict=True))
        still.line(line, "var(--dl-blue)", 1 if faint else 3, opacity=0.4 if faint else 1)
    still.line([(x, truth(x)) for x in GRID[::2]], dash="6 4")
    still.dots([(a, b) for a, b in zip(x, y, strict=True) if abs(b) < 2.5], radius=3)
    return still.svg(alt)


# The package shows the function under this module's own name; so its twins go along with it.
bias_variance.sample = sample
bias_variance.fit = fit
bias_variance.errors = errors
