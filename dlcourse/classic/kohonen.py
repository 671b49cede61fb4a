"""Maps that order themselves, and prototypes that learn their borders.

Kohonen's map (1982) lays a sheet of units into the data: the unit nearest to an example moves
towards it and takes its neighbors on the sheet along. Neighbors on the sheet come to stand for
neighbors in the world. Learning vector quantization uses labels to push prototypes to either side
of a border.
"""

import numpy as np

from .inputs import classes, fitted, matrix


def nearest(examples, prototypes):
    """Squared distances (N, M) of examples (N, D) to prototypes (M, D)."""
    squares = (examples**2).sum(1)[:, None] - 2 * examples @ prototypes.T + (prototypes**2).sum(1)
    return np.maximum(squares, 0)


class SOM:
    """Self-organizing map (Kohonen, 1982).

    For an example x with winner ``c = argmin |x - m_i|`` every unit moves:
    ``m_i += rate(t) h_ci(t) (x - m_i)``, with ``h_ci = exp(-|r_i - r_c|^2 / (2 radius(t)^2))``
    from the units' places r on the sheet. Rate and radius fall exponentially, so that the map is
    first unfolded and then refined.

    Args:
        shape: rows and columns of the sheet. Default (10, 10).
        steps: examples shown, drawn at random. Default 5000.
        rate: (first, last) step size. Default (0.5, 0.02).
        radius: (first, last) width of the neighborhood. Default: half the sheet's longer side, 0.5.
        seed: of the first weights and of the order. Default 0.

    After `fit`: `weights_` (rows, columns, D).

    >>> colors = np.random.default_rng(0).random((500, 3))
    >>> raw, som = SOM(steps=0).fit(colors), SOM(steps=2000).fit(colors)
    >>> raw.topographic_error(colors) > 0.8, som.topographic_error(colors) < 0.2
    (True, True)
    """

    def __init__(self, shape=(10, 10), steps=5000, rate=(0.5, 0.02), radius=None, seed=0):
        self.shape, self.steps, self.rate, self.seed = shape, steps, rate, seed
        self.radius = (max(shape) / 2, 0.5) if radius is None else radius

    def fit(self, X):
        """Lay the sheet into X (N, D)."""
        X = matrix("SOM", X)
        rng = np.random.default_rng(self.seed)
        places = np.indices(self.shape).reshape(2, -1).T  # (units, 2)
        apart = ((places[:, None] - places) ** 2).sum(2)  # squared, on the sheet
        low, high = X.min(0), X.max(0)
        weights = low + (high - low) * rng.random((len(places), X.shape[1]))
        for step in range(self.steps):
            share = step / max(1, self.steps - 1)
            rate, radius = (a * (b / a) ** share for a, b in (self.rate, self.radius))
            x = X[rng.integers(len(X))]
            winner = ((weights - x) ** 2).sum(1).argmin()
            pull = rate * np.exp(-apart[winner] / (2 * radius**2))
            weights += pull[:, None] * (x - weights)
        self.weights_ = weights.reshape(*self.shape, -1)
        return self

    def _distances(self, X):
        weights = fitted(self, "weights_")
        return nearest(matrix("SOM", X, weights.shape[2]), weights.reshape(-1, weights.shape[2]))

    def transform(self, X):
        """The place on the sheet, (row, column), of the winner for each row of X: (N, 2)."""
        return np.stack(np.unravel_index(self._distances(X).argmin(1), self.shape), axis=1)

    def topographic_error(self, X):
        """Share of examples whose two nearest units are not neighbors on the sheet, 0 to 1."""
        first, second = np.argsort(self._distances(X), axis=1)[:, :2].T
        places = np.indices(self.shape).reshape(2, -1).T
        return float((np.abs(places[first] - places[second]).max(1) > 1).mean())

    def quantization_error(self, X):
        """Mean distance of an example to its nearest unit."""
        return float(np.sqrt(self._distances(X).min(1)).mean())


class NearestMean:
    """The class whose mean is nearest: the yardstick for LVQ.

    >>> NearestMean().fit([[0.0], [1.0], [4.0], [5.0]], [0, 0, 1, 1]).predict([[2.0], [3.0]])
    array([0, 1])
    """

    def fit(self, X, y):
        """Take the mean of each class in X (N, D), y (N,)."""
        X = matrix("NearestMean", X)
        y = classes("NearestMean", y, len(X))
        self.labels_ = np.unique(y)
        self.prototypes_ = np.stack([X[y == label].mean(0) for label in self.labels_])
        return self

    def predict(self, X):
        """The label of the nearest prototype for each row of X (N, D): (N,)."""
        prototypes = fitted(self, "prototypes_")
        X = matrix(type(self).__name__, X, prototypes.shape[1])
        return self.labels_[nearest(X, prototypes).argmin(1)]


class LVQ(NearestMean):
    """Learning vector quantization, versions 1 and 2.1 (Kohonen, 1986, 1990).

    LVQ1: the nearest prototype moves towards an example of its class, and away from another's:
    m_c += +-rate (x - m_c). LVQ2.1 looks at the two nearest, m_i and m_j: if one is of the right
    class and the other is not, and x lies near the border, min(d_i/d_j, d_j/d_i) > (1 - window) /
    (1 + window), the right one comes and the wrong one goes. 2.1 is meant to polish: it starts from
    LVQ1.

    What the paper leaves open: prototypes start at examples of their class drawn at random, the
    rate falls linearly to 0, and version 2.1 uses a tenth of it.

    Args:
        prototypes: number for each class. Default 4.
        version: 1 or 2.1. Default 1.
        rate: first step size. Default 0.2.
        epochs: passes through the examples, for each version. Default 20.
        window: for 2.1. Default 0.2.
        seed: of the prototypes and the order. Default 0.

    After `fit`: `prototypes_` (P, D), `labels_` (P,).

    >>> X = np.array([[-3.0], [-2.0], [-0.5], [0.5], [2.0], [3.0]])  # one class inside the other
    >>> y = np.array([0, 0, 1, 1, 0, 0])
    >>> NearestMean().fit(X, y).predict(X)
    array([0, 0, 0, 0, 0, 0])
    >>> LVQ(prototypes=2, seed=1).fit(X, y).predict(X)
    array([0, 0, 1, 1, 0, 0])
    """

    def __init__(self, prototypes=4, version=1, rate=0.2, epochs=20, window=0.2, seed=0):
        if version not in (1, 2.1):
            raise ValueError(f"LVQ: there are versions 1 and 2.1 here, got {version}")
        self.count, self.version, self.rate = prototypes, version, rate
        self.epochs, self.window, self.seed = epochs, window, seed

    def fit(self, X, y):
        """Learn from X (N, D) and labels y (N,)."""
        X = matrix("LVQ", X)
        y = classes("LVQ", y, len(X))
        rng = np.random.default_rng(self.seed)
        names, sizes = np.unique(y, return_counts=True)
        if sizes.min() < self.count:
            raise ValueError(
                f"LVQ: {self.count} prototypes a class, but class {names[sizes.argmin()]} "
                f"has {sizes.min()} examples"
            )
        start = [rng.choice(np.flatnonzero(y == k), self.count, replace=False) for k in names]
        self.prototypes_, self.labels_ = X[np.concatenate(start)], np.repeat(names, self.count)
        stages = [(self._step1, self.rate)]
        if self.version == 2.1:
            stages.append((self._step2, self.rate / 10))
        for step, rate in stages:
            for epoch in range(self.epochs):
                for n in rng.permutation(len(X)):
                    step(X[n], y[n], rate * (1 - epoch / self.epochs))
        return self

    def _step1(self, x, label, rate):
        c = ((self.prototypes_ - x) ** 2).sum(1).argmin()
        sign = 1 if self.labels_[c] == label else -1
        self.prototypes_[c] += sign * rate * (x - self.prototypes_[c])

    def _step2(self, x, label, rate):
        distances = np.sqrt(((self.prototypes_ - x) ** 2).sum(1))
        i, j = np.argsort(distances)[:2]
        if (self.labels_[i] == label) == (self.labels_[j] == label):
            return
        if distances[i] > distances[j] * (1 - self.window) / (1 + self.window):
            for c in (i, j):
                sign = 1 if self.labels_[c] == label else -1
                self.prototypes_[c] += sign * rate * (x - self.prototypes_[c])
