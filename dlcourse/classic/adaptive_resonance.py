"""Learning new things without forgetting the old: adaptive resonance.

Grossberg called it the dilemma of stability and plasticity. ART answers with a question to itself:
the category that recognizes a pattern says what it expected, and only if the two agree well enough
does it learn. Otherwise it is silenced, and a new category may open.
"""

import numpy as np

from .inputs import fitted, two_valued


class ART1:
    """Categories of binary patterns, opened as needed (Carpenter and Grossberg, 1987).

    A category j with template w_j bids ``|x and w_j| / (beta + |w_j|)``; the highest bidder is
    tested: if ``|x and w_j| / |x| >= vigilance`` they resonate and w_j becomes ``x and w_j``, else
    it is silenced for this pattern and the next bidder comes. A template can only lose features,
    which is why learning settles after a few passes and nothing learned is washed away.

    Args:
        vigilance: 0 to 1, how alike a pattern and its category must be. Default 0.7.
        beta: > 0, small: of equal matches the larger template wins. Default 0.01.
        max_epochs: passes through the patterns at most. Default 100.

    After `fit`: `templates_` (categories, D), `labels_` (N,), `epochs_` (passes until nothing
    changed).

    >>> X = [[1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [0, 0, 0, 1, 1]]
    >>> ART1(vigilance=0.6).fit(X).labels_
    array([0, 0, 1])
    >>> ART1(vigilance=0.9).fit(X).labels_  # a stricter eye sees more kinds
    array([2, 0, 1])
    """

    def __init__(self, vigilance=0.7, beta=0.01, max_epochs=100):
        if not (0 <= vigilance <= 1 and beta > 0):
            raise ValueError(
                f"ART1: expected vigilance in 0 .. 1 and beta > 0, got {vigilance} and {beta}"
            )
        self.vigilance, self.beta, self.max_epochs = vigilance, beta, max_epochs

    def fit(self, X):
        """Learn from X (N, D) of 0 and 1, until a whole pass changes nothing."""
        if hasattr(self, "templates_"):
            del self.templates_
        for epoch in range(1, self.max_epochs + 1):
            before = getattr(self, "templates_", None)
            self.partial_fit(X)
            self.epochs_ = epoch
            if before is not None and np.array_equal(before, self.templates_):
                break
        return self

    def partial_fit(self, X):
        """One pass over X (N, D), on top of what is already known."""
        X = two_valued("ART1", X, (0, 1))
        if not X.any(1).all():
            raise ValueError("ART1: a pattern without a single 1 resembles nothing; leave it out")
        templates = list(getattr(self, "templates_", np.empty((0, X.shape[1]))))
        if templates and len(templates[0]) != X.shape[1]:
            raise ValueError(f"ART1: expected patterns of {len(templates[0])}, got {X.shape[1]}")
        self.labels_ = np.empty(len(X), int)
        for n, x in enumerate(X):
            winner = self._resonate(x, templates)
            if winner is None:
                winner = len(templates)
                templates.append(x)
            templates[winner] = np.minimum(x, templates[winner])
            self.labels_[n] = winner
        self.templates_ = np.array(templates)
        return self

    def _resonate(self, x, templates):
        """The index of the first bidder that passes the test, or None."""
        if not len(templates):
            return None
        shared = np.minimum(x, templates).sum(1)
        bids = shared / (self.beta + np.sum(templates, axis=1))
        for j in np.argsort(-bids, kind="stable"):
            if shared[j] >= self.vigilance * x.sum() - 1e-9 and shared[j] > 0:
                return int(j)
        return None

    def predict(self, X):
        """The category of each row of X (N, D), -1 where none resonates; nothing is learned."""
        templates = fitted(self, "templates_")
        X = two_valued("ART1", X, (0, 1), templates.shape[1])
        found = [self._resonate(x, templates) for x in X]
        return np.array([-1 if j is None else j for j in found])
