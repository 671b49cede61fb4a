"""Points and curves: where they lie, how they are labeled, and what parts them."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.neighbors import KNeighborsClassifier

from dlcourse import data

PLANE = ["spirals", "moons", "circles", "blobs", "xor", "checkerboard"]


@pytest.mark.parametrize("name", PLANE)
def test_points_in_the_plane(name):
    points = data.load(name, n=121)
    assert points.inputs.shape == (121, 2)
    assert points.inputs.dtype == np.float32
    assert points.targets.dtype == np.int64
    assert set(points.targets) == set(range(len(points.classes)))


@pytest.mark.parametrize("name", ["spirals", "moons", "circles", "blobs"])
def test_classes_take_turns(name):
    counts = np.bincount(data.load(name, n=100)[10:40].targets)
    assert np.ptp(counts) <= 1


@pytest.mark.parametrize(
    ("name", "linear"), [("spirals", False), ("moons", False), ("circles", False), ("blobs", True),
                         ("xor", False), ("checkerboard", False)],
)  # fmt: skip
def test_what_a_line_can_part(name, linear):
    points = data.load(name, n=600)
    score = LogisticRegression().fit(points.inputs, points.targets).score(*parts_of(points))
    neighbors = KNeighborsClassifier(3).fit(points.inputs, points.targets)
    assert (score > 0.98) == linear
    assert neighbors.score(*parts_of(data.load(name, n=600, seed=1))) > (
        0.9 if not linear else 0.99
    )


def parts_of(points):
    return points.inputs, points.targets


def test_geometry_without_noise():
    circles = data.circles(50, noise=0, inner=0.3)
    radius = np.hypot(*circles.inputs.T)
    np.testing.assert_allclose(radius, np.where(circles.targets == 0, 1, 0.3), atol=1e-6)
    moons = data.moons(50, noise=0)
    upper, lower = (moons.inputs[moons.targets == k] for k in (0, 1))
    np.testing.assert_allclose(np.hypot(*upper.T), 1, atol=1e-6)
    np.testing.assert_allclose(np.hypot(*(lower - [1, 0.5]).T), 1, atol=1e-6)
    assert (upper[:, 1] >= 0).all()
    assert (lower[:, 1] <= 0.5).all()
    spirals = data.spirals(60, arms=3, noise=0, turns=0.5)
    radius, angle = np.hypot(*spirals.inputs.T), np.arctan2(*spirals.inputs.T[::-1])
    arm = (angle / (2 * np.pi) - 0.5 * radius) * 3 % 3
    np.testing.assert_allclose(np.cos(2 * np.pi / 3 * (arm - spirals.targets)), 1, atol=1e-5)


def test_xor_of_four_is_the_truth_table():
    table = data.xor(4, noise=0)
    assert table.inputs.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert table.targets.tolist() == [0, 1, 1, 0]
    assert Perceptron(tol=None).fit(*parts_of(table)).score(*parts_of(table)) < 1


def test_checkerboard_colors():
    board = data.checkerboard(500, cells=2)
    same_sign = board.inputs[:, 0] * board.inputs[:, 1] > 0
    np.testing.assert_array_equal(board.targets, np.where(same_sign, 0, 1))


def test_blobs_spread():
    blobs = data.blobs(6000, classes=2, spread=0.2)
    for k in (0, 1):
        cloud = blobs.inputs[blobs.targets == k]
        assert cloud.std(axis=0) == pytest.approx([0.2, 0.2], rel=0.05)
        assert cloud.mean(axis=0) == pytest.approx([0, 1 - 2 * k], abs=0.02)


def test_sine_and_polynomial():
    sine = data.sine(30, noise=0)
    assert (np.diff(sine.inputs[:, 0]) > 0).all()
    np.testing.assert_allclose(sine.targets, np.sin(2 * np.pi * sine.inputs), atol=1e-6)
    noisy = data.sine(5000, noise=0.3)
    residual = noisy.targets - np.sin(2 * np.pi * noisy.inputs)
    assert residual.std() == pytest.approx(0.3, rel=0.05)
    line = data.polynomial(10, (1, -2), noise=0, low=0, high=5)
    np.testing.assert_allclose(line.targets, 1 - 2 * line.inputs, atol=1e-5)
    assert line.inputs.max() > 1
