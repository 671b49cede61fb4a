"""Units that learn from their mistakes: perceptron, Adaline and Madaline.

All three compute the sign of a weighted sum. They differ in what they call a mistake: the
perceptron a wrong sign, Adaline any distance from the target, and Madaline, a team of Adalines
behind one vote, changes the member that it costs least to change.
"""

import itertools

import numpy as np

from .inputs import classes, fitted, matrix, signs, with_one
from .minsky_papert import separate


class Perceptron:
    """Rosenblatt's error-correcting unit (Rosenblatt, 1958, 1962).

    After each wrong answer w += y x, where x ends with a 1 for the threshold; right answers change
    nothing. If some w separates the classes, the number of mistakes is at most (R / gamma)**2
    (Novikoff, 1962): see `novikoff_bound`. If none does, the weights stay bounded (Minsky and
    Papert, 1969) and, with inputs in whole numbers, must one day repeat: the unit runs in circles.

    Args:
        max_epochs: how often it sees all examples at most. Default 1000.

    After `fit`: `weights_` (D + 1,), `mistakes_` (changes in all), `epochs_`, `converged_` (an
    epoch passed without mistake) and `cycle_` (the number of epochs after which the weights came
    back to where they had been, or None): proof that it will never end.

    >>> X = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> Perceptron().fit(X, [-1, -1, -1, 1]).predict(X)  # AND
    array([-1, -1, -1,  1])
    >>> unit = Perceptron().fit(X, [-1, 1, 1, -1])  # XOR
    >>> unit.converged_, unit.cycle_
    (False, 1)
    """

    def __init__(self, max_epochs=1000):
        self.max_epochs = max_epochs

    def fit(self, X, y):
        """Learn from X (N, D) and y (N,) of -1 and 1, in the order given."""
        X = with_one(matrix("Perceptron", X))
        y = signs("Perceptron", y, len(X))
        w, seen = np.zeros(X.shape[1]), {}
        self.mistakes_, self.converged_, self.cycle_ = 0, False, None
        for epoch in range(1, self.max_epochs + 1):
            before = self.mistakes_
            for example, target in zip(X, y, strict=True):
                if target * (w @ example) <= 0:
                    w += target * example
                    self.mistakes_ += 1
            self.converged_ = self.mistakes_ == before
            if not self.converged_ and w.tobytes() in seen:
                self.cycle_ = epoch - seen[w.tobytes()]
            if self.converged_ or self.cycle_:
                break
            seen[w.tobytes()] = epoch
        self.weights_, self.epochs_ = w, epoch
        return self

    def decision_function(self, X):
        """The weighted sums for X (N, D): (N,)."""
        weights = fitted(self, "weights_")
        return with_one(matrix("Perceptron", X, len(weights) - 1)) @ weights

    def predict(self, X):
        """-1 or 1 for each row of X (N, D)."""
        return np.where(self.decision_function(X) > 0, 1, -1)


def novikoff_bound(X, y):
    """(R / gamma)**2: no perceptron makes more mistakes on these data (Novikoff, 1962).

    R is the length of the longest example, gamma the largest margin that any unit vector reaches,
    both with the constant input 1 counted in.

    Raises:
        ValueError: if the data cannot be separated, so that there is no bound.

    >>> round(novikoff_bound([[0, 0], [0, 1], [1, 0], [1, 1]], [-1, -1, -1, 1]), 6)
    51.0
    """
    result = separate(X, y)
    if not result.separable:
        among = np.flatnonzero(result.certificate)
        raise ValueError(
            f"novikoff_bound: the data are not linearly separable: examples {among.tolist()[:8]} "
            "contradict each other, so that the perceptron never stops and no bound exists"
        )
    longest = (with_one(matrix("novikoff_bound", X)) ** 2).sum(1).max()
    return float(longest / result.margin**2)


class Adaline:
    """Adaptive linear neuron, trained by the delta rule (Widrow and Hoff, 1960).

    The error is taken before the threshold: w += rate (y - w.x) x for one example after the other.
    With a constant rate the weights end up jittering near the least-squares solution, at a distance
    in proportion to the rate; with ``batch=True`` the mean of the steps over all examples is
    taken and they arrive there. Modems still cancel their echoes this way.

    Args:
        rate: step size. Default 0.01; below 2 / (largest eigenvalue of the inputs' covariance).
        epochs: passes through the examples. Default 100.
        batch: average the steps over all examples. Default False.

    After `fit`: `weights_` (D + 1,) with the constant last, and `errors_`, the mean squared error
    before each epoch.

    >>> X, y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
    >>> Adaline(rate=0.1, epochs=500).fit(X, y).weights_.round(6)
    array([2., 1.])
    """

    def __init__(self, rate=0.01, epochs=100, batch=False):
        self.rate, self.epochs, self.batch = rate, epochs, batch

    def fit(self, X, y):
        """Learn from X (N, D) and targets y (N,), any numbers."""
        X = with_one(matrix("Adaline", X))
        y = classes("Adaline", y, len(X)).astype(float)
        w, self.errors_ = np.zeros(X.shape[1]), []
        for _ in range(self.epochs):
            errors = y - X @ w
            self.errors_.append(float((errors**2).mean()))
            if self.batch:
                w += self.rate * errors @ X / len(X)
            else:
                for example, target in zip(X, y, strict=True):
                    w += self.rate * (target - w @ example) * example
            if not np.isfinite(w).all() or np.abs(w).max() > 1e100:
                raise ValueError(f"Adaline: the weights diverge; rate={self.rate} is too large")
        self.weights_ = w
        return self

    def decision_function(self, X):
        """The linear output for X (N, D): (N,)."""
        weights = fitted(self, "weights_")
        return with_one(matrix("Adaline", X, len(weights) - 1)) @ weights

    def predict(self, X):
        """-1 or 1 for each row of X (N, D)."""
        return np.where(self.decision_function(X) > 0, 1, -1)


class Madaline:
    """Many Adalines behind one vote, trained by rule II (Widrow, 1962; Winter and Widrow, 1988).

    A threshold has no derivative, so rule II tries things out. For an example with a wrong answer
    it flips, on trial, the hidden Adaline whose sum is nearest to zero; if that mends the answer,
    this Adaline learns its new sign by one delta rule step: *least disturbance*. Else the next one,
    then pairs, and at last the output Adaline itself.

    What the paper leaves open: a step brings the sum from s to target +-1 in full (rate 1 of the
    normalized delta rule), and after `patience` epochs without success the net starts again
    from new weights, since rule II, having no gradient, can run in circles.

    Args:
        hidden: number of hidden Adalines. Default 3.
        max_epochs: passes through the examples at most. Default 500.
        patience: epochs until it starts again. Default 50.
        seed: of the weights and of the order of the examples. Default 0.

    After `fit`: `hidden_` (hidden, D + 1), `output_` (hidden + 1,), `epochs_`, `restarts_`,
    `converged_`.

    >>> X = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    >>> Madaline(seed=0).fit(X, [-1, 1, 1, -1]).predict(X)  # XOR
    array([-1,  1,  1, -1])
    """

    def __init__(self, hidden=3, max_epochs=500, patience=50, seed=0):
        self.hidden, self.max_epochs, self.patience, self.seed = hidden, max_epochs, patience, seed

    def fit(self, X, y):
        """Learn from X (N, D) and y (N,) of -1 and 1."""
        X = with_one(matrix("Madaline", X))
        y = signs("Madaline", y, len(X))
        rng = np.random.default_rng(self.seed)
        self.restarts_, self.converged_ = -1, False
        for epoch in range(self.max_epochs):
            if epoch % self.patience == 0:
                self.hidden_ = rng.normal(size=(self.hidden, X.shape[1]))
                self.output_ = rng.normal(size=self.hidden + 1)
                self.restarts_ += 1
            for i in rng.permutation(len(X)):
                self._correct(X[i], y[i])
            self.epochs_ = epoch + 1
            self.converged_ = bool((self.predict(X[:, :-1]) == y).all())
            if self.converged_:
                break
        return self

    def _answer(self, votes):
        """The output Adaline's sign for the hidden Adalines' votes (N, hidden)."""
        return np.where(with_one(votes) @ self.output_ > 0, 1, -1)

    def _correct(self, x, target):
        sums = self.hidden_ @ x
        votes = np.where(sums > 0, 1.0, -1.0)
        if self._answer(votes[None])[0] == target:
            return
        surest_last = np.argsort(np.abs(sums))
        for size in (1, 2):
            for group in itertools.combinations(surest_last, min(size, self.hidden)):
                trial = votes.copy()
                trial[list(group)] *= -1
                if self._answer(trial[None])[0] == target:
                    for unit in group:  # normalized delta rule to the new sign
                        self.hidden_[unit] += (trial[unit] - sums[unit]) * x / (x @ x)
                    return
        votes = np.append(votes, 1)
        self.output_ += (target - self.output_ @ votes) * votes / (votes @ votes)

    def predict(self, X):
        """-1 or 1 for each row of X (N, D)."""
        hidden = fitted(self, "hidden_")
        X = with_one(matrix("Madaline", X, hidden.shape[1] - 1))
        return self._answer(np.where(X @ hidden.T > 0, 1.0, -1.0))
