"""Memories as valleys: a net that rolls downhill to the nearest one.

Hopfield (1982) gave a net of threshold units an energy, as physics gives to magnets. Every update
of one unit lowers it or leaves it, so the net must come to rest; stored patterns are where it
rests. Too many of them, and the valleys run together.
"""

import numpy as np

from .inputs import fitted, two_valued


class Hopfield:
    """An associative memory with an energy (Hopfield, 1982).

    Store: W = 1/N sum_p x_p x_p^T, with zero diagonal. Recall: s_i <- sign(sum_j W_ij s_j), one
    unit at a time, and a unit whose sum is 0 keeps its state. Energy: E = -1/2 s^T W s, which never
    rises. Random patterns are kept up to a load P / N of about 0.138 (Amit, Gutfreund and
    Sompolinsky, 1985, 1987); then memory does not fade, it collapses.

    Args:
        seed: of the order in which units are asked. Default 0.

    After `fit`: `weights_` (N, N).

    >>> rng = np.random.default_rng(0)
    >>> X = np.where(rng.random((5, 100)) < 0.5, -1, 1)
    >>> noisy = np.where(rng.random(X.shape) < 0.2, -X, X)
    >>> net = Hopfield().fit(X)
    >>> bool((net.predict(noisy) == X).all())
    True
    """

    def __init__(self, seed=0):
        self.seed = seed

    def fit(self, X):
        """Store the patterns X (P, N) of -1 and 1."""
        X = two_valued("Hopfield", X, (-1, 1))
        self.weights_ = X.T @ X / X.shape[1]
        np.fill_diagonal(self.weights_, 0)
        return self

    def energy(self, states):
        """E of each of the states (S, N): (S,)."""
        weights = fitted(self, "weights_")
        states = two_valued("Hopfield", states, (-1, 1), len(weights))
        return -0.5 * np.einsum("si,ij,sj->s", states, weights, states, optimize=True)

    def recall(self, state, max_sweeps=50):
        """Roll one state (N,) downhill until no unit changes.

        Returns:
            (state, energies): where it rests, (N,), and the energy before and after each change.
        """
        weights = fitted(self, "weights_")
        s = two_valued("Hopfield", [state], (-1, 1), len(weights))[0].copy()
        rng = np.random.default_rng(self.seed)
        sums = weights @ s
        energies = [float(-0.5 * s @ sums)]
        for _ in range(max_sweeps):
            before = len(energies)
            for i in rng.permutation(len(s)):
                if sums[i] * s[i] < 0:
                    energies.append(energies[-1] + 2 * float(s[i] * sums[i]))
                    s[i] = -s[i]
                    sums += 2 * s[i] * weights[:, i]
            if len(energies) == before:
                break
        return s, energies

    def predict(self, states):
        """Where each of the states (S, N) comes to rest: (S, N)."""
        width = len(fitted(self, "weights_"))
        states = two_valued("Hopfield", states, (-1, 1), width)
        return np.array([self.recall(state)[0] for state in states])


def overlap_at_load(load, units=500, noise=0.0, seed=0, probes=10):
    """How well a net remembers: mean overlap of stored and recalled patterns at P = load * units.

    The overlap is 1/N x.s: 1 for perfect recall, near 0 for strangers.

    Args:
        load: P / N, patterns stored for each unit.
        units: N. Default 500.
        noise: share of the units that are flipped before recall. Default 0.
        seed: of patterns and noise. Default 0.
        probes: how many of the patterns are recalled. Default 10.

    >>> overlap_at_load(0.05, units=200) > 0.99, overlap_at_load(0.3, units=200) < 0.5
    (True, True)
    """
    rng = np.random.default_rng(seed)
    X = np.where(rng.random((max(1, round(load * units)), units)) < 0.5, -1, 1)
    cue = np.where(rng.random((min(probes, len(X)), units)) < noise, -1, 1) * X[:probes]
    return float((Hopfield(seed).fit(X).predict(cue) * X[:probes]).mean())
