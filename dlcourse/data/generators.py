"""Points and curves to try ideas on: small, drawn from a formula, and the same for every reader.

In the plane one can see what a network has learned. Spirals, moons, circles and XOR cannot be
parted by a line, blobs can; a checkerboard can be made as hard as one likes. The noisy sine and
polynomial are for regression: with a few points and a flexible model they show overfitting.

Everything here is drawn with `numpy.random.default_rng(seed)`, from formulas alone. `n` is always
the number of examples over all classes, which take turns: every slice holds them in proportion.
"""

import numpy as np

from .arguments import between, whole
from .dataset import Dataset

_TERMS = {"source": "computed by dlcourse from its formula and seed", "licence": "MIT"}


def spirals(n=300, arms=2, turns=1.0, noise=0.05, seed=0):
    """Points on arms that wind around each other (after Lang and Witbrock, 1988).

    Args:
        n: number of points. Default 300.
        arms: K, number of arms and classes. Default 2.
        turns: how often each arm goes around the center. Default 1.
        noise: standard deviation of the noise; the arms end at radius 1. Default 0.05.
        seed: of the random numbers. Default 0.

    Returns:
        `Dataset` with inputs (n, 2) and targets (n,), 0 to arms - 1.

    Raises:
        TypeError, ValueError: if a number is out of range.
    """
    whole("spirals", n=n, arms=arms)
    between("spirals", 0, np.inf, turns=turns, noise=noise)
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % arms
    radius = np.sqrt(rng.uniform(0.01, 1, n))  # evenly spread over the disk
    angle = 2 * np.pi * (turns * radius + targets / arms)
    points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return _classes("spirals", points, targets, noise, rng, [f"arm {k}" for k in range(arms)])


def moons(n=200, noise=0.1, seed=0):
    """Two half circles that reach into each other.

    Args:
        n: number of points. Default 200.
        noise: standard deviation of the noise; the half circles have radius 1. Default 0.1.
        seed: of the random numbers. Default 0.

    Returns:
        `Dataset` with inputs (n, 2) and targets (n,), 0 or 1.

    Raises:
        TypeError, ValueError: if a number is out of range.
    """
    whole("moons", n=n)
    between("moons", 0, np.inf, noise=noise)
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % 2
    angle = rng.uniform(0, np.pi, n)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points = np.where(targets[:, None] == 0, upper, [1.0, 0.5] - upper)
    return _classes("moons", points, targets, noise, rng, ["upper", "lower"])


def circles(n=200, noise=0.1, inner=0.5, seed=0):
    """A circle inside a circle: a line cannot part them, the distance from the center can.

    Args:
        n: number of points. Default 200.
        noise: standard deviation of the noise; the outer circle has radius 1. Default 0.1.
        inner: radius of the inner circle, between 0 and 1. Default 0.5.
        seed: of the random numbers. Default 0.

    Returns:
        `Dataset` with inputs (n, 2) and targets (n,), 0 outside and 1 inside.

    Raises:
        TypeError, ValueError: if a number is out of range.
    """
    whole("circles", n=n)
    between("circles", 0, np.inf, noise=noise)
    between("circles", 0, 1, inner=inner)
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % 2
    angle = rng.uniform(0, 2 * np.pi, n)
    radius = np.where(targets == 0, 1.0, inner)
    points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return _classes("circles", points, targets, noise, rng, ["outer", "inner"])


def blobs(n=300, classes=3, spread=0.15, seed=0):
    """One normal cloud for each class, with centers evenly on the unit circle.

    Args:
        n: number of points. Default 300.
        classes: K, number of clouds. Default 3.
        spread: standard deviation of a cloud; centers have distance 1 from 0. Default 0.15.
        seed: of the random numbers. Default 0.

    Returns:
        `Dataset` with inputs (n, 2) and targets (n,), 0 to classes - 1.

    Raises:
        TypeError, ValueError: if a number is out of range.
    """
    whole("blobs", n=n, classes=classes)
    between("blobs", 0, np.inf, spread=spread)
    targets = np.arange(n) % classes
    angle = 2 * np.pi * targets / classes + np.pi / 2
    centers = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    rng = np.random.default_rng(seed)
    return _classes("blobs", centers, targets, spread, rng, [f"blob {k}" for k in range(classes)])


def xor(n=200, noise=0.1, seed=0):
    """Points near the corners of the unit square: class 1 where one coordinate is 1, but not both.

    ``xor(4, noise=0)`` is the truth table itself, which no single threshold unit can learn (Minsky
    and Papert, 1969).

    Args:
        n: number of points. Default 200.
        noise: standard deviation of the noise. Default 0.1.
        seed: of the random numbers. Default 0.

    Returns:
        `Dataset` with inputs (n, 2) and targets (n,), 0 or 1.

    Raises:
        TypeError, ValueError: if a number is out of range.
    """
    whole("xor", n=n)
    between("xor", 0, np.inf, noise=noise)
    corner = np.arange(n) % 4
    first, second = corner // 2, corner % 2
    points = np.stack([first, second], axis=1).astype(float)
    rng = np.random.default_rng(seed)
    return _classes("xor", points, first ^ second, noise, rng, ["equal", "different"])


def checkerboard(n=1000, cells=4, noise=0.0, seed=0):
    """Points spread evenly over a square; their class is the color of the cell they fall in.

    Args:
        n: number of points. Default 1000.
        cells: cells along each side. Default 4.
        noise: standard deviation of what is added to the points after the color is known; the
            square reaches from -1 to 1. Default 0.
        seed: of the random numbers. Default 0.

    Returns:
        `Dataset` with inputs (n, 2) and targets (n,), 0 or 1.

    Raises:
        TypeError, ValueError: if a number is out of range.
    """
    whole("checkerboard", n=n, cells=cells)
    between("checkerboard", 0, np.inf, noise=noise)
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1, 1, (n, 2))
    targets = np.floor((points + 1) / 2 * cells).astype(int).sum(axis=1) % 2
    return _classes("checkerboard", points, targets, noise, rng, ["light", "dark"])


def sine(n=20, noise=0.2, low=0.0, high=1.0, seed=0):
    """One period of a sine over [0, 1], seen through noise: few points show overfitting well.

    Args:
        n: number of points. Default 20.
        noise: standard deviation of the noise on the target. Default 0.2.
        low, high: the inputs are spread evenly and randomly over [low, high]. Default 0 and 1.
        seed: of the random numbers. Default 0.

    Returns:
        `Dataset` with inputs (n, 1), ascending, and targets (n, 1): sin(2 pi x) plus noise.

    Raises:
        TypeError, ValueError: if a number is out of range.
    """
    return _curve("sine", lambda x: np.sin(2 * np.pi * x), n, noise, low, high, seed)


def polynomial(n=20, coefficients=(0.5, -1.0, -1.5, 2.0), noise=0.2, low=-1.0, high=1.0, seed=0):
    """Values of a polynomial, seen through noise.

    Args:
        n: number of points. Default 20.
        coefficients: of 1, x, x squared and so on. Default (0.5, -1, -1.5, 2).
        noise: standard deviation of the noise on the target. Default 0.2.
        low, high: the inputs are spread randomly over [low, high]. Default -1 and 1.
        seed: of the random numbers. Default 0.

    Returns:
        `Dataset` with inputs (n, 1), ascending, and targets (n, 1).

    Raises:
        TypeError, ValueError: if a number is out of range, or there are no coefficients.
    """
    if not len(coefficients):
        raise ValueError("polynomial: expected at least one coefficient, got none")
    named = {f"coefficient {i}": c for i, c in enumerate(coefficients)}
    between("polynomial", -np.inf, np.inf, **named)
    value = lambda x: np.polynomial.polynomial.polyval(x, coefficients)
    return _curve("polynomial", value, n, noise, low, high, seed)


def _classes(name, points, targets, noise, rng, classes):
    points = points + noise * rng.standard_normal(points.shape)
    return Dataset(
        points.astype(np.float32), targets.astype(np.int64), tuple(classes), name, **_TERMS
    )


def _curve(name, function, n, noise, low, high, seed):
    whole(name, n=n)
    between(name, 0, np.inf, noise=noise)
    between(name, -np.inf, np.inf, low=low, high=high)
    if low >= high:
        raise ValueError(f"{name}: low must be less than high, got {low} and {high}")
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(low, high, n))[:, None]
    y = function(x) + noise * rng.standard_normal(x.shape)
    return Dataset(x.astype(np.float32), y.astype(np.float32), (), name, **_TERMS)
