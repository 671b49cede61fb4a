"""Nets that make up their mind: competition and mutual support.

Feldman and Ballard (1982) built decisions from units that only excite and inhibit their neighbors.
Two of their examples are here: a ring in which the best-supported unit wins, and a net that sees
the Necker cube as you do, one way or the other, and never both.
"""

import itertools

import numpy as np

from .inputs import matrix


def winner_take_all(inputs, start=None, *, rate=0.1, compare="inputs", steps=1000):
    """Let units compete until one is left (Feldman and Ballard, 1982).

    Each unit broadcasts how much evidence it has, and falls as soon as it hears of more than its
    own: p_i <- clip(p_i + rate * sign(I_i - max_{j != i} I_j), 0, 1). The largest input wins from
    any start. Let the units compare their activities instead (``compare="activities"``, p_i <-
    clip(p_i + rate * (I_i + p_i - sum_{j != i} p_j), 0, 1)), and whoever leads stays ahead: a
    memory, but no judge.

    Args:
        inputs: (N,) evidence.
        start: (N,) activities at the beginning, in [0, 1]. Default all 0.
        rate: size of a step. Default 0.1.
        compare: "inputs" or "activities".
        steps: updates at most. Default 1000.

    Returns:
        the activities at the end, (N,).

    Raises:
        ValueError: if two units share the largest input, or a shape is wrong.

    >>> winner_take_all([0.3, 0.5, 0.4], start=[1.0, 0.0, 0.0])
    array([0., 1., 0.])
    >>> winner_take_all([0.3, 0.5, 0.4], start=[1.0, 0.0, 0.0], compare="activities")
    array([1., 0., 0.])
    """
    inputs = matrix("winner_take_all", [inputs])[0]
    activities = np.zeros(len(inputs)) if start is None else np.array(start, float)
    if activities.shape != inputs.shape or len(inputs) < 2:
        raise ValueError(
            f"winner_take_all: expected at least 2 inputs and as many activities to start from, "
            f"got {inputs.shape} and {activities.shape}"
        )
    if compare not in ("inputs", "activities"):
        raise ValueError(f'winner_take_all: compare "inputs" or "activities", got {compare!r}')
    if (inputs == inputs.max()).sum() > 1:
        raise ValueError("winner_take_all: two units share the largest input, so none can win")
    others = ~np.eye(len(inputs), dtype=bool)
    strongest_other = np.where(others, inputs, -np.inf).max(1)
    for _ in range(steps):
        if compare == "inputs":
            push = np.sign(inputs - strongest_other)
        else:
            push = inputs + activities - others @ activities
        new = np.clip(activities + rate * push, 0, 1)
        if np.array_equal(new, activities):
            break
        activities = new
    return activities


class NeckerCube:
    """The cube that turns over while you look (Feldman and Ballard, 1982; Rumelhart et al., 1986).

    The drawing has eight corners, and each corner has two units: it is the front corner at its
    place of the cube seen from above, or that of the cube seen from below. Units that agree
    along an edge of one cube excite each other (three for each unit); units that claim the same
    corner of the drawing, or the same corner of the solid, for two readings inhibit each other.
    Activities follow interactive activation (McClelland and Rumelhart, 1981): with net input n,
    a += rate * n * (1 - a) if n > 0, else a += rate * n * a.

    What the papers leave open: excitation 1, inhibition 1.5, an outer input of 0.5 to each unit,
    units updated one at a time in random order, and noise in the net input that cools down
    linearly.

    Args:
        excitation, inhibition: strengths of connections. Default 1 and 1.5.
        noise: standard deviation at the beginning. Default 3; 0 is often caught in
            an impossible cube, half of each reading.
        seed: of the order and the noise. Default 0.

    `units` lists (reading, corner of the drawing), `weights` is (16, 16), symmetric.

    >>> activities, goodness = NeckerCube(seed=0).settle()
    >>> sorted(activities.round(2).reshape(2, 8).mean(1).tolist())  # one reading on, one off
    [0.0, 1.0]
    """

    def __init__(self, excitation=1.0, inhibition=1.5, noise=3.0, seed=0):
        self.noise, self.rng = noise, np.random.default_rng(seed)
        corners = np.array(list(itertools.product((0, 1), repeat=3)))  # solid: x, y, depth
        self.units = [(reading, tuple(map(int, c))) for reading in (0, 1) for c in corners]
        edges = np.abs(corners[:, None] - corners).sum(2) == 1
        same_drawing = np.eye(8)
        # The drawing's two squares swap depth between the readings.
        same_solid = (corners[:, None] == corners ^ [0, 0, 1]).all(2)
        rivals = -inhibition * (same_drawing + same_solid)
        self.weights = np.block([[excitation * edges, rivals], [rivals.T, excitation * edges]])

    def settle(self, start=None, steps=200, outer_input=0.5, rate=0.1):
        """Run from `start` (16,) in [0, 1], by default small random activities.

        Returns:
            (activities, goodness): (16,), units 0-7 for one reading and 8-15 for the other; and
            the list of a.W.a / 2 + outer_input * sum(a) after each sweep through the units.
        """
        a = self.rng.uniform(0, 0.1, 16) if start is None else np.array(start, float)
        if a.shape != (16,):
            raise ValueError(f"NeckerCube: expected 16 activities to start from, got {a.shape}")
        goodness = []
        for sweep in range(steps):
            heat = self.noise * max(0.0, 1 - 2 * sweep / steps)  # cold in the second half
            for i in self.rng.permutation(16):
                n = self.weights[i] @ a + outer_input + heat * self.rng.normal()
                a[i] += rate * n * (1 - a[i] if n > 0 else a[i])
                a[i] = min(max(a[i], 0.0), 1.0)
            goodness.append(float(a @ self.weights @ a / 2 + outer_input * a.sum()))
        return a, goodness


def reading_of(activities, threshold=0.5):
    """0 or 1 for the reading of a settled `NeckerCube`, None if it is caught between the two.

    >>> reading_of([1] * 8 + [0] * 8), reading_of([1, 0] * 8)
    (0, None)
    """
    on = np.asarray(activities).reshape(2, 8) > threshold
    if on[0].all() and not on[1].any():
        return 0
    if on[1].all() and not on[0].any():
        return 1
    return None
