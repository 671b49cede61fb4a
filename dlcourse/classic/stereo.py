"""Depth from two pictures of noise: a net whose units vote on what matches what.

Each eye of a random-dot stereogram sees noise; the form is in the shift between the two alone.
Every dot could match many others. Marr and Poggio (1976) gave each possible match a unit and let
two plain facts of the world decide: a point has one depth, and depth changes smoothly.
"""

import numpy as np

from .inputs import two_valued


def random_dot_stereogram(disparity, seed=0):
    """Two pictures of noise in which a surface is hidden (Julesz, 1960).

    Args:
        disparity: (H, W) whole numbers: a dot of the right picture at column c stands in the left
            one at column c + disparity. Where the left picture shows what the right one can't
            see, there is fresh noise.
        seed: of the noise. Default 0.

    Returns:
        (left, right): (H, W) arrays of 0 and 1.

    >>> left, right = random_dot_stereogram(np.full((4, 6), 1))
    >>> bool((left[:, 1:] == right[:, :-1]).all())
    True
    """
    disparity = np.asarray(disparity)
    if disparity.ndim != 2 or not np.issubdtype(disparity.dtype, np.integer):
        raise ValueError(
            f"random_dot_stereogram: expected whole numbers (H, W), got {disparity.dtype} "
            f"of shape {disparity.shape}"
        )
    rng = np.random.default_rng(seed)
    right, left = rng.integers(0, 2, (2, *disparity.shape))
    rows, columns = np.indices(disparity.shape)
    for depth in np.unique(disparity):  # nearer surfaces, with the larger shift, cover others
        here = (disparity == depth) & (columns + depth >= 0) & (columns + depth < left.shape[1])
        left[rows[here], columns[here] + depth] = right[here]
    return left, right


def cooperative_stereo(left, right, disparities, *, steps=10, inhibition=3.0, threshold=5.0):
    """The disparity of every point, by cooperation and competition (Marr and Poggio, 1976).

    Unit C[d, r, c] says: the dot at column c of the right picture is the one at column c + d of the
    left. It starts as the match of the two dots, C0, and then, all units at once,
    C <- 1 if sum(C over S) - inhibition * sum(C over O) + C0 >= threshold, else 0.
    S are the neighbors within two cells that claim the same depth (surfaces are smooth); O are
    the units on the same line of sight from either eye (a point has one depth).

    The defaults are our choice: beside a straight border 8 of the 20 neighbors vote, so that with
    8 + 1 < 5 + 2 * 3 no surface creeps over another one, but fills what nobody claims.

    Args:
        left, right: (H, W) pictures of 0 and 1.
        disparities: the whole numbers that may come.
        steps: updates of all units. Default 10.
        inhibition: strength of the competition. Default 3.
        threshold: default 5.

    Returns:
        (disparity, history): (H, W) of the disparity whose unit is on, or where none or several
        are, of the one with most support nearby; and the list of all states C, (D, H, W) each.

    >>> truth = np.zeros((60, 60), int); truth[15:45, 15:45] = 2
    >>> left, right = random_dot_stereogram(truth)
    >>> found, history = cooperative_stereo(left, right, range(-1, 4))
    >>> at_first = history[0].argmax(0) - 1
    >>> bool((at_first == truth).mean() < 0.6), bool((found == truth).mean() > 0.95)
    (True, True)
    """
    left, right = (two_valued("cooperative_stereo", p, (0, 1)) for p in (left, right))
    if left.shape != right.shape:
        raise ValueError(f"cooperative_stereo: pictures differ: {left.shape} and {right.shape}")
    disparities = np.asarray(list(disparities))
    width = left.shape[1]
    columns = np.arange(width)
    there = np.stack([columns + d for d in disparities])  # the left column of each unit: (D, W)
    inside = (there >= 0) & (there < width)
    matches = left[:, there.clip(0, width - 1)].transpose(1, 0, 2) == right
    start = (matches & inside[:, None]).astype(float)  # C0: (D, H, W)
    state, history = start, [start]
    for _ in range(steps):
        votes = _disc_sum(state)
        rivals = state.sum(0) - state  # on the right eye's line of sight
        along = np.zeros(left.shape)  # on the left eye's: how many claim each left column
        for unit, column, valid in zip(state, there, inside, strict=True):
            along[:, column[valid]] += unit[:, valid]
        for d, (column, valid) in enumerate(zip(there, inside, strict=True)):
            rivals[d][:, valid] += along[:, column[valid]] - state[d][:, valid]
        state = (votes - inhibition * rivals + start >= threshold).astype(float)
        history.append(state)
    support = _disc_sum(state) + 100 * state
    return disparities[support.argmax(0)], history


def _disc_sum(state):
    """For each unit the sum over its neighbors within two cells, itself left out: (D, H, W)."""
    padded = np.pad(state, ((0, 0), (2, 2), (2, 2)), mode="edge")
    height, width = state.shape[1:]
    offsets = [(i, j) for i in range(-2, 3) for j in range(-2, 3) if 0 < i * i + j * j <= 5]
    return sum(padded[:, 2 + i : 2 + i + height, 2 + j : 2 + j + width] for i, j in offsets)
