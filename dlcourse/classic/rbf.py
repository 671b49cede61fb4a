"""Radial basis functions: a net whose units each know one place.

Broomhead and Lowe (1988) saw that interpolation between scattered points is a net with one hidden
layer: a unit for each point that answers near it, and a linear layer that is solved and not
trained. With fewer units than points it must generalize.
"""

import numpy as np

from .inputs import fitted, matrix
from .kohonen import nearest


def k_means(X, count, seed=0, max_steps=100):
    """`count` centers such that examples are near to one (Lloyd, 1957; MacQueen, 1967).

    Starts from examples spread out by chance in proportion to squared distance (k-means++, Arthur
    and Vassilvitskii, 2007), then alternates: examples to the nearest center, centers to the mean.

    Returns:
        (count, D) centers.

    >>> np.sort(k_means([[0.0], [1.0], [9.0], [10.0]], 2), axis=0)
    array([[0.5],
           [9.5]])
    """
    X = matrix("k_means", X)
    if not 1 <= count <= len(X):
        raise ValueError(f"k_means: count must lie in 1 .. {len(X)} (the examples), got {count}")
    rng = np.random.default_rng(seed)
    centers = X[rng.integers(len(X))][None]
    while len(centers) < count:
        far = nearest(X, centers).min(1)
        share = far / far.sum() if far.sum() > 0 else None
        centers = np.vstack([centers, X[rng.choice(len(X), p=share)]])
    for _ in range(max_steps):
        owner = nearest(X, centers).argmin(1)
        new = [X[owner == k].mean(0) if (owner == k).any() else centers[k] for k in range(count)]
        if np.allclose(new, centers):
            break
        centers = np.array(new)
    return centers


class RBFNetwork:
    """Gaussian units and a linear layer (Broomhead and Lowe, 1988).

    ``f(x) = sum_j w_j exp(-|x - c_j|^2 / (2 width^2)) + w_0``. With one center for each example the
    system is solved exactly: the net runs through every point, noise and all. With few centers from
    k-means the weights are the least-squares solution.

    Args:
        centers: number of centers, or None for one at each example. Default None.
        width: of the Gaussians. Default: for few centers the mean distance between nearest centers
            times sqrt(2), for one at each example that distance itself.
        seed: of k-means. Default 0.

    After `fit`: `centers_` (M, D), `weights_` (M, outputs), `offset_` (outputs,), `width_`.

    >>> x = np.linspace(0, 6, 13)[:, None]
    >>> net = RBFNetwork().fit(x, np.sin(x))
    >>> bool(np.abs(net.predict(x) - np.sin(x)).max() < 1e-9)
    True
    """

    def __init__(self, centers=None, width=None, seed=0):
        self.centers, self.width, self.seed = centers, width, seed

    def fit(self, X, y):
        """Learn from X (N, D) and y (N,) or (N, outputs)."""
        X, y = matrix("RBFNetwork", X), np.asarray(y, float)
        if y.ndim not in (1, 2) or len(y) != len(X):
            raise ValueError(f"RBFNetwork: {X.shape} inputs but targets of shape {y.shape}")
        exact = self.centers is None
        if exact and len(np.unique(X, axis=0)) < len(X):
            raise ValueError("RBFNetwork: two examples are equal; give a number of centers")
        self.centers_ = X if exact else k_means(X, self.centers, self.seed)
        self.width_ = self.width or self._spacing() * (1 if exact else np.sqrt(2))
        hidden = self._hidden(X)
        self.offset_ = y.mean(0)
        if exact:
            self.weights_ = np.linalg.solve(hidden, y - self.offset_)
        else:
            self.weights_ = np.linalg.lstsq(hidden, y - self.offset_, rcond=None)[0]
        return self

    def _spacing(self):
        """The mean distance from a center to the nearest other one; 1 for a single center."""
        if len(self.centers_) == 1:
            return 1.0
        squares = nearest(self.centers_, self.centers_)
        np.fill_diagonal(squares, np.inf)
        return float(np.sqrt(squares.min(1)).mean())

    def _hidden(self, X):
        return np.exp(-nearest(X, self.centers_) / (2 * self.width_**2))  # (N, M)

    def predict(self, X):
        """f(x) for each row of X (N, D): (N,) or (N, outputs), as y was."""
        weights = fitted(self, "weights_")
        return (
            self._hidden(matrix("RBFNetwork", X, self.centers_.shape[1])) @ weights + self.offset_
        )
