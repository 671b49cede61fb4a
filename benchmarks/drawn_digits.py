"""Digits as people draw them, stroke by stroke, for the net of the figure `draw_digit`.

MNIST was written in the United States: its ones are bars, its sevens have no bar across. Here a 1
may have a flag, long or short, and a foot, a 7 a crossbar, a 4 an open top, and so on. Lengths are
in heights of a digit, x runs right and y down.
"""

import math

import numpy as np

from dlcourse.data import Dataset
from dlcourse.figures.draw_digit import raster

CLASSES = tuple("0123456789")


def arc(x, y, rx, ry, start, end):
    """Points on an ellipse around (x, y), from one angle to another: 0 is right, 90 is down."""
    angles = np.radians(np.linspace(start, end, 2 + round(abs(end - start) / 20)))
    return [[x + rx * math.cos(angle), y + ry * math.sin(angle)] for angle in angles]


def strokes_of(digit, rng):
    """The strokes of a digit in one of its forms, each a list of corners or of points on a curve.

    Args:
        digit: 0 to 9.
        rng: source of the choices between forms, and of lengths and angles.
    """
    u, chance = rng.uniform, lambda share: rng.random() < share
    if digit == 0:
        start = u(-150, -60)
        return [arc(0.33, 0.5, u(0.2, 0.4), 0.5, start, start - u(335, 385))]
    if digit == 1:
        length, foot = u(0.1, 0.9), u(0.12, 0.35)
        angle = math.radians(u(20, 62 - 16 * length))  # between flag and stem; a 7 has more
        flag = [[-length * math.sin(angle), length * math.cos(angle)]] if chance(0.75) else []
        feet = [[[-foot, 1], [foot, 1]]] if chance(0.3) else []
        return [[*flag, [0, 0], [0, 1]], *feet]
    if digit == 2:
        neck = arc(0.3, 0.28, 0.3, 0.28, u(-190, -130), u(0, 40))
        loop = [[0.1, 1], [0, 0.9], [0.12, 0.84], [0.28, 0.97]]
        return [[*neck, *(loop if chance(0.3) else [[0, 1]]), [u(0.5, 0.75), u(0.95, 1.05)]]]
    if digit == 3:
        bowl = arc(0.28, 0.71, u(0.28, 0.36), 0.29, u(-95, -70), u(110, 160))
        roof = [[0, 0], [u(0.5, 0.6), 0], [0.25, 0.4]]
        return [
            [*(roof if chance(0.25) else arc(0.28, 0.22, 0.26, 0.22, u(-170, -130), 80)), *bowl]
        ]
    if digit == 4:
        top, bar, stem = u(0.1, 0.5), u(0.52, 0.7), u(0.42, 0.55)
        if chance(0.5):  # open
            return [[[top - 0.05, 0], [0, bar], [0.72, bar]], [[stem, u(0, 0.35)], [stem, 1]]]
        return [[[stem, 0], [0, bar], [0.72, bar]], [[stem, 0], [stem, 1]]]
    if digit == 5:
        bowl = arc(0.26, 0.69, u(0.28, 0.36), 0.31, u(-145, -125), u(110, 160))
        roof = [u(0.4, 0.6), u(-0.06, 0.06)]
        if chance(0.5):
            return [[roof, [0.06, 0], *bowl]]
        return [[[0.06, 0], *bowl], [[0.06, 0], roof]]
    if digit == 6:
        bowl = arc(0.3, 0.7, u(0.24, 0.32), 0.3, -170, -170 - u(300, 370))
        return [[[u(0.3, 0.6), 0], [u(0.1, 0.25), 0.25], *bowl]]
    if digit == 7:
        left, lean, across = u(-0.65, -0.4), u(0.1, 0.5), u(0.4, 0.6)
        serif = [[left, u(0.08, 0.16)]] if chance(0.25) else []
        middle = [-lean * u(0.5, 0.75), 0.5]
        half, tilt = u(0.12, 0.28), u(-0.08, 0.08)
        bar = [[-lean * across - half, across + tilt], [-lean * across + half, across - tilt]]
        stem = [*serif, [left, u(-0.05, 0.08)], [0, 0], middle, [-lean, 1]]
        return [stem, bar] if chance(0.5) else [stem]
    if digit == 8:
        if chance(0.3):  # two rings
            ring = u(-180, 180)
            upper = arc(0.3, 0.24, u(0.18, 0.26), 0.24, ring, ring - 365)
            return [upper, arc(0.3, 0.74, u(0.24, 0.32), 0.26, -90, 275)]
        turns = np.linspace(0, 2 * math.pi, 30) + u(-0.5, 0.8)
        wide = rng.choice([-1, 1]) * u(0.22, 0.34)
        return [[[0.3 + wide * math.sin(2 * t), 0.5 - math.cos(t) / 2] for t in turns]]
    ring = arc(0.28, 0.27, u(0.22, 0.3), 0.27, u(-60, 0), u(-60, 0) - 350)
    side = ring[-1][0]
    end = [[side, u(0.6, 0.8)], [u(0, 0.3), 1]] if chance(0.4) else [[u(0.3, 0.55), 1]]
    return [[*ring, [0.56, 0.2], *end]]


def by_hand(strokes, rng):
    """The strokes as a hand makes them, 80 high: corners rounded, all bent, leaned and turned."""
    near, wave = rng.integers(1, 6), rng.uniform(-1, 1, (2, 2)) * 4
    phase, size = rng.uniform(0, 2 * math.pi, 2), rng.uniform(0, 0.05)
    angle, lean = math.radians(rng.uniform(-10, 10)), rng.uniform(-0.12, 0.25)
    turn = [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]
    affine = 80 * np.array([[rng.uniform(0.75, 1.3), 0], [-lean, 1]]) @ turn
    drawn = []
    for corners in strokes:
        corners = np.array(corners) + rng.normal(0, 0.02, 2)
        lengths = np.hypot(*np.diff(corners, axis=0).T)
        places = np.concatenate([[0], np.cumsum(lengths)])
        even = np.linspace(0, places[-1], 2 + int(places[-1] / 0.05))
        dense = np.stack([np.interp(even, places, part) for part in corners.T])
        padded = np.pad(dense, ((0, 0), (near // 2, (near - 1) // 2)), mode="edge")
        points = np.stack([np.convolve(part, np.ones(near) / near, "valid") for part in padded]).T
        points = points + size * np.sin(points @ wave + phase)
        drawn.append((points @ affine).tolist())
    return drawn


def drawn_digits(n, seed):
    """Data set of `n` drawn digits, equally many of each, as the figure's net gets them.

    Args:
        n: how many; a multiple of 10.
        seed: of all choices.
    """
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % 10
    pictures = [
        raster(by_hand(strokes_of(digit, rng), rng), pen=rng.uniform(1.5, 3.8)) for digit in targets
    ]
    return Dataset(np.array(pictures, dtype=np.float32)[:, None], targets, classes=CLASSES)
