"""Boltzmann machines: nets of coins that learn to dream what they have seen.

Give Hopfield's net hidden units and let each unit decide by a coin biased with its input. In
equilibrium its states follow Boltzmann's law, and learning means: more of what is seen, less of
what is dreamt (Ackley, Hinton and Sejnowski, 1985). Without connections inside a layer
it becomes fast enough to use.
"""

import itertools

import numpy as np

from .inputs import fitted, probabilities, sigmoid, two_valued


def all_states(units):
    """Every state of `units` units of 0 and 1: (2**units, units).

    >>> all_states(2).tolist()
    [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    """
    if units > 20:
        raise ValueError(
            f"all_states: {units} units have 2**{units} states; 20 units are the limit"
        )
    return np.array(list(itertools.product((0.0, 1.0), repeat=units))).reshape(-1, units)


def log_sum(values, axis=None):
    """log(sum(exp(values))), without overflow."""
    top = np.max(values, axis=axis, keepdims=True)
    total = np.log(np.exp(values - top).sum(axis=axis, keepdims=True)) + top
    return float(total.squeeze()) if axis is None else total.squeeze(axis)


class BoltzmannMachine:
    """Visible and hidden units, all connected (Ackley, Hinton and Sejnowski, 1985).

    p(s) = exp(s^T W s / 2 + b.s) / Z. Learning: Delta W_ij = rate (<s_i s_j>_clamped - <s_i
    s_j>_free): the first mean with the visible units held at the data, the second with the net left
    alone. Both are estimated from `chains` Gibbs samplers that live on from step to step. (The
    paper anneals afresh each time; chains that live on need no annealing: Neal, 1992.)

    Args:
        hidden: number of hidden units. Default 4.
        rate: first step size; it falls linearly to 0. Default 1.
        steps: changes of the weights. Default 1000.
        sweeps: through all units before each change. Default 2.
        chains: samplers for the free phase. Default 100.
        seed: of weights and coins. Default 0.

    After `fit`: `weights_` (D + hidden, D + hidden), symmetric, and `biases_`.

    >>> xor = [[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]  # no net of pairs can say this unaided
    >>> machine = BoltzmannMachine(hidden=4).fit(xor)
    >>> bool(np.exp(machine.log_probability(xor)).sum() > 0.9)  # it dreams what it saw
    True
    """

    def __init__(self, hidden=4, rate=1.0, steps=1000, sweeps=2, chains=100, seed=0):
        self.hidden, self.rate, self.steps = hidden, rate, steps
        self.sweeps, self.chains, self.seed = sweeps, chains, seed

    def fit(self, X):
        """Learn from X (N, D) of 0 and 1."""
        X = two_valued("BoltzmannMachine", X, (0, 1))
        self.visible_ = X.shape[1]
        units = self.visible_ + self.hidden
        rng = np.random.default_rng(self.seed)
        W = rng.normal(0, 1, (units, units))
        self.weights_, self.biases_ = (W + W.T) * (1 - np.eye(units)), np.zeros(units)
        clamped = np.repeat(X, -(-self.chains // len(X)), axis=0)
        clamped = np.hstack([clamped, rng.integers(0, 2, (len(clamped), self.hidden))])
        free = rng.integers(0, 2, (self.chains, units)).astype(float)
        for step in range(self.steps):
            self._gibbs(clamped, range(self.visible_, units), rng)
            self._gibbs(free, range(units), rng)
            rate = self.rate * (1 - step / self.steps)
            change = clamped.T @ clamped / len(clamped) - free.T @ free / len(free)
            self.biases_ += rate * np.diag(change)
            self.weights_ += rate * change * (1 - np.eye(units))
        return self

    def _gibbs(self, states, units, rng):
        """Ask the given units of every chain again, in place, `sweeps` times."""
        for _ in range(self.sweeps):
            for i in units:
                p = sigmoid(states @ self.weights_[i] + self.biases_[i])
                states[:, i] = rng.random(len(states)) < p

    def log_probability(self, X):
        """log p(x) of each row of X (N, D), exactly, by counting all states (up to 20 units)."""
        states = all_states(len(fitted(self, "weights_")))
        scores = 0.5 * np.einsum("si,si->s", states @ self.weights_, states) + states @ self.biases_
        X = two_valued("BoltzmannMachine", X, (0, 1), self.visible_)
        seen = states[:, : self.visible_]
        found = [log_sum(scores[(seen == x).all(1)]) for x in X]
        return np.array(found) - log_sum(scores)


class RBM:
    """Restricted Boltzmann machine, learned by contrast (Smolensky, 1986; Hinton, 2002).

    Energy E(v, h) = -v.W.h - a.v - b.h; no connections inside a layer, so all hidden units can be
    drawn at once given the visible ones, and the other way round. CD-k starts the dream at the
    data and stops it after k steps: Delta W = rate (v0 p(h|v0)^T - vk p(h|vk)^T).
    Gray levels in [0, 1] count as probabilities.

    Args:
        hidden: number of hidden units. Default 64.
        rate: step size. Default 0.1.
        epochs: passes through the data. Default 20.
        batch: examples for each change. Default 20.
        k: steps of the dream. Default 1.
        momentum: share of the last change in the next. Default 0.5.
        decay: weight of the squared weights. Default 1e-4.
        seed: of weights, order and coins. Default 0.

    After `fit`: `weights_` (D, hidden), `visible_bias_`, `hidden_bias_`, `errors_` (mean squared
    error of reconstruction in each epoch).

    >>> from dlcourse.data import digits
    >>> rbm = RBM(epochs=5).fit(digits().inputs.reshape(-1, 64))
    >>> bool(rbm.errors_[-1] < 0.6 * rbm.errors_[0])
    True
    """

    def __init__(self, hidden=64, rate=0.1, epochs=20, batch=20, k=1, momentum=0.5, decay=1e-4,
                 seed=0):  # fmt: skip
        self.hidden, self.rate, self.epochs, self.batch, self.k = hidden, rate, epochs, batch, k
        self.momentum, self.decay, self.seed = momentum, decay, seed
        self.rng = np.random.default_rng(seed)

    def start(self, visible):
        """Small random weights for `visible` inputs; `fit` does it when they are missing."""
        self.rng = np.random.default_rng(self.seed)
        self.weights_ = self.rng.normal(0, 0.01, (visible, self.hidden))
        self.visible_bias_, self.hidden_bias_ = np.zeros(visible), np.zeros(self.hidden)
        return self

    def fit(self, X):
        """Learn from X (N, D) in [0, 1]."""
        X = probabilities("RBM", X)
        self.start(X.shape[1])
        share = X.mean(0).clip(0.01, 0.99)
        self.visible_bias_ = np.log(share / (1 - share))  # Hinton's advice (2010)
        speed, self.errors_ = [0.0] * 3, []
        for _ in range(self.epochs):
            error = 0.0
            order = self.rng.permutation(len(X))
            for start in range(0, len(X), self.batch):
                v0 = X[order[start : start + self.batch]]
                gradient, rebuilt = self.contrast(v0)
                error += ((v0 - rebuilt) ** 2).sum() / X.size
                gradient[0] -= self.decay * self.weights_
                speed = [
                    self.momentum * s + self.rate * g for s, g in zip(speed, gradient, strict=True)
                ]
                self.weights_ += speed[0]
                self.visible_bias_ += speed[1]
                self.hidden_bias_ += speed[2]
            self.errors_.append(float(error))
        return self

    def contrast(self, v0):
        """One estimate of the gradient of the log-likelihood, by CD-k from data v0 (B, D).

        Returns:
            (gradient, rebuilt): [weights, visible bias, hidden bias], and v0 as one trip up and
            down rebuilds it, (B, D).
        """
        h0 = self.transform(v0)
        rebuilt = self.reconstruct(v0)
        v = v0
        for _ in range(self.k):
            v = self.draw(self.visible_given(self.draw(self.transform(v))))
        hk = self.transform(v)
        gradient = [
            v0.T @ h0 / len(v0) - v.T @ hk / len(v),
            v0.mean(0) - v.mean(0),
            h0.mean(0) - hk.mean(0),
        ]
        return gradient, rebuilt

    def draw(self, p):
        """Coins with probabilities p: 0 or 1, of the same shape."""
        return (self.rng.random(p.shape) < p).astype(float)

    def transform(self, X):
        """p(h = 1 | v) for each row of X (N, D): (N, hidden)."""
        weights = fitted(self, "weights_")
        return sigmoid(probabilities("RBM", X, len(weights)) @ weights + self.hidden_bias_)

    def visible_given(self, H):
        """p(v = 1 | h) for each row of H (N, hidden): (N, D)."""
        return sigmoid(H @ fitted(self, "weights_").T + self.visible_bias_)

    def reconstruct(self, X):
        """There and back by probabilities, without coins: (N, D)."""
        return self.visible_given(self.transform(X))

    def free_energy(self, X):
        """F(v) = -a.v - sum_j log(1 + exp(b_j + (v W)_j)), so that p(v) = exp(-F(v)) / Z: (N,)."""
        inputs = X @ fitted(self, "weights_") + self.hidden_bias_
        return -X @ self.visible_bias_ - np.logaddexp(0, inputs).sum(1)

    def log_partition(self):
        """log Z, exactly, by counting the states of the smaller layer (up to 20 units)."""
        W, a, b = fitted(self, "weights_"), self.visible_bias_, self.hidden_bias_
        if len(a) > len(b):
            W, a, b = W.T, b, a
        states = all_states(len(a))
        return log_sum(states @ a + np.logaddexp(0, states @ W + b).sum(1))

    def log_probability(self, X):
        """log p(v) of each row of X (N, D), exactly: (N,)."""
        X = two_valued("RBM", X, (0, 1), len(fitted(self, "weights_")))
        return -self.free_energy(X) - self.log_partition()

    def exact_gradient(self, X):
        """Gradient of the mean log-likelihood of X (N, D), by counting all visible states.

        Returns:
            [weights, visible bias, hidden bias], as `contrast` estimates it.

        >>> rbm = RBM(hidden=2).start(3)
        >>> [g.shape for g in rbm.exact_gradient(np.eye(3))]
        [(3, 2), (3,), (2,)]
        """
        X = two_valued("RBM", X, (0, 1), len(fitted(self, "weights_")))
        V = all_states(len(self.weights_))
        p = np.exp(-self.free_energy(V) - self.log_partition())  # of every visible state
        H, HV = self.transform(X), self.transform(V)
        return [
            X.T @ H / len(X) - (V * p[:, None]).T @ HV,
            X.mean(0) - p @ V,
            H.mean(0) - p @ HV,
        ]
