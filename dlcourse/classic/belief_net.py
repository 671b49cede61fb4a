"""Sigmoid belief nets: causes above, effects below, and a bound where sums are too long.

In a belief net the units of each layer switch on those below by chance. What the causes of a
picture were is a sum over all their states, 2 to the number of units. Saul, Jaakkola and Jordan
(1996) replace the true answer by the best independent guess, and prove how far it can be wrong:
the likelihood is never below what they compute.
"""

import numpy as np

from .boltzmann import all_states, log_sum
from .inputs import fitted, sigmoid, two_valued


class SigmoidBeliefNetwork:
    """Two layers, hidden causes and visible effects, with mean-field learning (Saul et al., 1996).

    p(h_j = 1) = sigmoid(c_j), p(v_i = 1 | h) = sigmoid(z_i), z_i = sum_j W_ij h_j + b_i.
    For independent guesses mu_j = q(h_j = 1) and one xi_i in [0, 1] for each effect,
    log p(v) >= sum_i [v_i <z_i> - xi_i <z_i> - log <exp(-xi_i z_i) + exp((1 - xi_i) z_i)>]
    + sum_j [mu_j c_j - log(1 + exp(c_j)) + entropy(mu_j)] = L(mu, xi), with means < > under q.
    Inference raises L in mu and xi, learning raises the same L in W, b and c: no step may lower it.

    What the paper leaves open: xi_i is found by bisection (L is concave in it), mu_j by the
    fixed-point equation and, where that would lower L, by half the step again and again; learning
    goes along the gradient of L with the same care.

    Args:
        hidden: number of causes. Default 6.
        steps: changes of the weights. Default 100.
        rate: first step size, halved whenever L would fall. Default 1.
        inference_steps: rounds for mu and xi before each change. Default 2.
        seed: of the first weights. Default 0.

    After `fit`: `weights_` (D, hidden), `visible_bias_`, `hidden_bias_`, `bounds_` (the mean of L
    over the examples after each change).

    >>> X = np.repeat([[1, 1, 0, 0], [0, 0, 1, 1]], 5, axis=0)
    >>> net = SigmoidBeliefNetwork(hidden=2, steps=30).fit(X)
    >>> bool((np.diff(net.bounds_) >= 0).all())
    True
    >>> bool((net.bound(X) <= net.log_probability(X)).all())
    True
    """

    def __init__(self, hidden=6, steps=100, rate=1.0, inference_steps=2, seed=0):
        self.hidden, self.steps, self.rate = hidden, steps, rate
        self.inference_steps, self.seed = inference_steps, seed

    def fit(self, X):
        """Learn from X (N, D) of 0 and 1."""
        X = two_valued("SigmoidBeliefNetwork", X, (0, 1))
        rng = np.random.default_rng(self.seed)
        share = X.mean(0).clip(0.05, 0.95)
        self.weights_ = rng.normal(0, 0.1, (X.shape[1], self.hidden))
        self.visible_bias_, self.hidden_bias_ = np.log(share / (1 - share)), np.zeros(self.hidden)
        mu, xi = np.full((len(X), self.hidden), 0.5), np.full(X.shape, 0.5)
        self.bounds_, rate = [], self.rate
        for _ in range(self.steps):
            mu, xi = self.infer(X, mu, xi, self.inference_steps)
            before = self._bound(X, mu, xi).mean()
            old = [p.copy() for p in self._parameters()]
            gradient = self._gradient(X, mu, xi)
            rate *= 2  # try a longer step than the last, and shorten it until L rises
            for _ in range(40):
                for p, start, g in zip(self._parameters(), old, gradient, strict=True):
                    p[:] = start + rate * g
                if self._bound(X, mu, xi).mean() >= before:
                    break
                rate /= 2
            else:
                for p, start in zip(self._parameters(), old, strict=True):
                    p[:] = start
            self.bounds_.append(float(self._bound(X, mu, xi).mean()))
        return self

    def _parameters(self):
        return self.weights_, self.visible_bias_, self.hidden_bias_

    def _partition_terms(self, mu, xi):
        """log <exp(-xi z)> and log <exp((1 - xi) z)>, (N, D) each: products over the causes."""
        W, b = self.weights_, self.visible_bias_
        terms = []
        for factor in (-xi, 1 - xi):
            one = 1 - mu[:, None] + mu[:, None] * np.exp(factor[:, :, None] * W)  # (N, D, hidden)
            terms.append(np.log(one).sum(2) + factor * b)
        return terms

    def _bound(self, X, mu, xi):
        """L(mu, xi) of each example: (N,)."""
        mean = mu @ self.weights_.T + self.visible_bias_  # <z>
        effects = ((X - xi) * mean - np.logaddexp(*self._partition_terms(mu, xi))).sum(1)
        safe = mu.clip(1e-12, 1 - 1e-12)
        entropy = -safe * np.log(safe) - (1 - safe) * np.log(1 - safe)
        causes = mu * self.hidden_bias_ - np.logaddexp(0, self.hidden_bias_) + entropy
        return effects + causes.sum(1)

    def _shares(self, mu, xi):
        """The weight of the second term in the partition function's logarithm: phi (N, D)."""
        first, second = self._partition_terms(mu, xi)
        return sigmoid(second - first)

    def infer(self, X, mu=None, xi=None, rounds=20):
        """Raise L for each row of X (N, D): mu (N, hidden) and xi (N, D)."""
        X = two_valued("SigmoidBeliefNetwork", X, (0, 1), len(fitted(self, "weights_")))
        mu = np.full((len(X), self.hidden), 0.5) if mu is None else mu
        xi = np.full(X.shape, 0.5) if xi is None else xi
        for _ in range(rounds):
            xi = self._best_xi(mu)
            for j in range(self.hidden):
                mu = self._better_mu(X, mu, xi, j)
        return mu, self._best_xi(mu)

    def _tilted(self, mu, factor):
        """exp(factor W) / (1 - mu + mu exp(factor W)) for each example, effect and cause."""
        e = np.exp(factor[:, :, None] * self.weights_)
        return e / (1 + mu[:, None] * (e - 1))  # (N, D, hidden)

    def _best_xi(self, mu):
        """The xi with the highest L, where its slope in xi changes sign: (N, D)."""
        W, b = self.weights_, self.visible_bias_
        mean, M, grown = mu @ W.T + b, mu[:, None], np.exp(W)
        low, high = np.zeros_like(mean), np.ones_like(mean)
        for _ in range(24):
            xi = (low + high) / 2
            e = np.exp(-xi[:, :, None] * W)  # and exp((1 - xi) W) is e * grown: (N, D, hidden)
            one, two = 1 + M * (e - 1), 1 + M * (e * grown - 1)
            share = sigmoid(np.log(two / one).sum(2) + b)
            first, second = (W * M * e / one).sum(2) + b, (W * M * e * grown / two).sum(2) + b
            rising = -mean + (1 - share) * first + share * second > 0
            low, high = np.where(rising, xi, low), np.where(rising, high, xi)
        return (low + high) / 2

    def _better_mu(self, X, mu, xi, j):
        """mu with its column j moved to the fixed point, as far as L rises."""
        W = self.weights_[:, j]
        share = self._shares(mu, xi)
        slopes = ((X - xi) * W).sum(1) + self.hidden_bias_[j]
        for part, factor in ((1 - share, -xi), (share, 1 - xi)):
            e = np.exp(factor * W) - 1
            slopes -= (part * e / (1 + mu[:, j, None] * e)).sum(1)
        goal, now = sigmoid(slopes), self._bound(X, mu, xi)
        step, better = np.ones(len(X)), mu
        for _ in range(20):
            better = mu.copy()
            better[:, j] += step * (goal - mu[:, j])
            worse = self._bound(X, better, xi) < now
            if not worse.any():
                return better
            step[worse] /= 2
        better[worse] = mu[worse]
        return better

    def _gradient(self, X, mu, xi):
        """The gradient of the mean of L: of weights, visible and hidden bias."""
        share = self._shares(mu, xi)
        of_weights = (X - xi)[:, :, None] * mu[:, None]
        for part, factor in ((1 - share, -xi), (share, 1 - xi)):
            of_weights -= (part * factor)[:, :, None] * mu[:, None] * self._tilted(mu, factor)
        of_causes = mu - sigmoid(self.hidden_bias_)
        return of_weights.mean(0), (X - share).mean(0), of_causes.mean(0)

    def bound(self, X, rounds=20):
        """The lower bound on log p(v) for rows of X (N, D) after `rounds` of inference: (N,)."""
        X = two_valued("SigmoidBeliefNetwork", X, (0, 1), len(fitted(self, "weights_")))
        return self._bound(X, *self.infer(X, rounds=rounds))

    def log_probability(self, X):
        """log p(v) of each row of X (N, D), exactly, by counting all causes (up to 20): (N,)."""
        X = two_valued("SigmoidBeliefNetwork", X, (0, 1), len(fitted(self, "weights_")))
        H = all_states(self.hidden)
        prior = H @ self.hidden_bias_ - np.logaddexp(0, self.hidden_bias_).sum()
        z = H @ self.weights_.T + self.visible_bias_  # (states, D)
        return np.array([log_sum(prior + x @ z.T - np.logaddexp(0, z).sum(1)) for x in X])

    def sample(self, count, seed=0):
        """Draw causes, then effects: (count, D) of 0 and 1."""
        rng = np.random.default_rng(seed)
        weights = fitted(self, "weights_")
        H = rng.random((count, self.hidden)) < sigmoid(self.hidden_bias_)
        return (rng.random((count, len(weights))) < sigmoid(H @ weights.T + self.visible_bias_)) * 1
