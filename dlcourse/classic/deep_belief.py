"""The spark of 2006: train a deep net one layer at a time, without labels.

Backpropagation from random weights left the lower layers of deep nets nearly untaught. Hinton,
Osindero and Teh stacked restricted Boltzmann machines, each learning the features of the one below;
then a few labels are enough to tune the whole. The deep Boltzmann machine is the same stack with
connections that work both ways at once.
"""

from itertools import pairwise

import numpy as np

from .boltzmann import RBM
from .inputs import classes, fitted, probabilities, sigmoid


class DeepBeliefNetwork:
    """Greedy layer-wise training, then backpropagation (Hinton et al., 2006; Bengio et al., 2007).

    Each RBM learns from the hidden probabilities of the one below. Their weights start a net of
    sigmoid layers with a softmax on top, which is tuned on the labeled examples by gradient
    descent with momentum 0.9 on the cross-entropy. With ``pretrain=False`` the same net starts
    from Glorot and Bengio's (2010) random weights.

    Args:
        sizes: units of the hidden layers. Default (100, 100).
        pretrain: learn the layers as RBMs first. Default True.
        rbm_epochs, rbm_rate: of each RBM. Default 30, 0.1.
        epochs, rate, batch: of the tuning. Default 100, 0.05, 20.
        seed: of everything. Default 0.

    After `pretrain`: `rbms_`. After `fit`: `layers_` (weights and biases), `classes_`, `losses_`.

    >>> from dlcourse.data import digits
    >>> X = digits().inputs.reshape(-1, 64)[:300]
    >>> net = DeepBeliefNetwork(sizes=(20, 10), rbm_epochs=5).pretrain(X)
    >>> net.transform(X).shape
    (300, 10)
    """

    def __init__(self, sizes=(100, 100), pretrain=True, rbm_epochs=30, rbm_rate=0.1, epochs=100,
                 rate=0.05, batch=20, seed=0):  # fmt: skip
        self.sizes, self.pretrained, self.seed = tuple(sizes), pretrain, seed
        self.rbm_epochs, self.rbm_rate = rbm_epochs, rbm_rate
        self.epochs, self.rate, self.batch = epochs, rate, batch

    def pretrain(self, X):
        """Learn the layers one after the other from X (N, D) in [0, 1], without labels."""
        X = probabilities("DeepBeliefNetwork", X)
        self.rbms_ = []
        for depth, size in enumerate(self.sizes):
            rbm = RBM(size, self.rbm_rate, self.rbm_epochs, seed=self.seed + depth).fit(X)
            self.rbms_.append(rbm)
            X = rbm.transform(X)
        return self

    def transform(self, X):
        """The top layer's probabilities for X (N, D), as pretraining left them: (N, sizes[-1])."""
        for rbm in fitted(self, "rbms_"):
            X = rbm.transform(X)
        return X

    def reconstruct(self, X):
        """Up to the top and down again: (N, D)."""
        H = self.transform(X)
        for rbm in reversed(self.rbms_):
            H = rbm.visible_given(H)
        return H

    def fit(self, X, y, unlabeled=None):
        """Learn from X (N, D) in [0, 1] and y (N,); pretrain on `unlabeled` (M, D), or on X."""
        X = probabilities("DeepBeliefNetwork", X)
        y = classes("DeepBeliefNetwork", y, len(X))
        self.classes_, truth = np.unique(y, return_inverse=True)
        rng = np.random.default_rng(self.seed)
        sizes = (X.shape[1], *self.sizes, len(self.classes_))
        limits = [np.sqrt(6 / (a + b)) for a, b in pairwise(sizes)]
        self.layers_ = [
            [rng.uniform(-limit, limit, (a, b)), np.zeros(b)]
            for limit, a, b in zip(limits, sizes[:-1], sizes[1:], strict=True)
        ]
        if self.pretrained:
            self.pretrain(X if unlabeled is None else unlabeled)
            for layer, rbm in zip(self.layers_, self.rbms_, strict=False):
                layer[:] = rbm.weights_.copy(), rbm.hidden_bias_.copy()
        speed = [[0.0, 0.0] for _ in self.layers_]
        self.losses_ = []
        for _ in range(self.epochs):
            order = rng.permutation(len(X))
            loss = 0.0
            for start in range(0, len(X), self.batch):
                part = order[start : start + self.batch]
                gradients, sum_of_losses = self._gradients(X[part], truth[part])
                loss += sum_of_losses / len(X)
                for layer, fast, gradient in zip(self.layers_, speed, gradients, strict=True):
                    for i in (0, 1):
                        fast[i] = 0.9 * fast[i] - self.rate * gradient[i]
                        layer[i] += fast[i]
            self.losses_.append(float(loss))
        return self

    def _forward(self, X):
        """The activities of all layers, the last one the class probabilities."""
        states = [X]
        for W, b in self.layers_[:-1]:
            states.append(sigmoid(states[-1] @ W + b))
        W, b = self.layers_[-1]
        scores = states[-1] @ W + b
        p = np.exp(scores - scores.max(1, keepdims=True))
        return [*states, p / p.sum(1, keepdims=True)]

    def _gradients(self, X, truth):
        """Backpropagation: [(of W, of b)] for each layer, and the sum of the losses."""
        *states, p = self._forward(X)
        loss = -np.log(p[np.arange(len(X)), truth] + 1e-300).sum()
        delta = p
        delta[np.arange(len(X)), truth] -= 1
        delta /= len(X)
        gradients = []
        for (W, _), state in zip(reversed(self.layers_), reversed(states), strict=True):
            gradients.append((state.T @ delta, delta.sum(0)))
            delta = (delta @ W.T) * state * (1 - state)
        return gradients[::-1], loss

    def predict(self, X):
        """The likeliest class for each row of X (N, D): (N,)."""
        layers = fitted(self, "layers_")
        X = probabilities("DeepBeliefNetwork", X, len(layers[0][0]))
        return self.classes_[self._forward(X)[-1].argmax(1)]


class DeepBoltzmannMachine:
    """Two hidden layers that talk both ways (Salakhutdinov and Hinton, 2009).

    E(v, h1, h2) = -v.W1.h1 - h1.W2.h2 (and biases). Given v, the hidden units still depend on each
    other: mean field replaces them by probabilities that explain each other,
    m1 = sigmoid(v W1 + m2 W2^T + b1), m2 = sigmoid(m1 W2 + b2), repeated until they agree.
    Learning: what mean field says about the data less what persistent chains dream.

    The layers are pretrained as RBMs, the first with its input doubled and the second with its
    hidden units doubled, as in the paper: in the stack h1 hears from both sides, so each RBM
    alone must count its side twice. (The paper ties the two copies while they learn; here they
    learn side by side and are averaged.)

    Args:
        sizes: units of the two hidden layers. Default (64, 32).
        rbm_epochs: of each RBM. Default 20.
        epochs, rate, batch: of the joint learning. Default 20, 0.02, 20.
        mean_field_steps: repetitions. Default 10.
        chains: dreams kept alive. Default 100.
        seed: of everything. Default 0.

    After `fit`: `W1_`, `W2_`, `biases_` [of v, h1, h2], `errors_` (mean squared error of
    reconstruction in each epoch).

    >>> X = np.repeat([[1, 1, 0, 0], [0, 0, 1, 1]], 20, axis=0)
    >>> dbm = DeepBoltzmannMachine(sizes=(6, 3), rbm_epochs=50, epochs=50).fit(X)
    >>> dbm.reconstruct([[1, 1, 0, 0]]).round().tolist()
    [[1.0, 1.0, 0.0, 0.0]]
    """

    def __init__(self, sizes=(64, 32), rbm_epochs=20, epochs=20, rate=0.02, batch=20,
                 mean_field_steps=10, chains=100, seed=0):  # fmt: skip
        if len(sizes) != 2:
            raise ValueError(f"DeepBoltzmannMachine: two hidden layers are built, got {sizes}")
        self.sizes, self.rbm_epochs, self.epochs, self.rate = sizes, rbm_epochs, epochs, rate
        self.batch, self.steps, self.chains, self.seed = batch, mean_field_steps, chains, seed

    def fit(self, X):
        """Learn from X (N, D) in [0, 1]."""
        X = probabilities("DeepBoltzmannMachine", X)
        rng = np.random.default_rng(self.seed)
        self._pretrain(X)
        v, h1, h2 = (
            (rng.random((self.chains, n)) < 0.5).astype(float) for n in (X.shape[1], *self.sizes)
        )
        self.errors_ = []
        for epoch in range(self.epochs):
            rate, error = self.rate * (1 - epoch / self.epochs), 0.0
            order = rng.permutation(len(X))
            for start in range(0, len(X), self.batch):
                x = X[order[start : start + self.batch]]
                m1, m2 = self.mean_field(x)
                a, b1, b2 = self.biases_
                h1 = rng.random(h1.shape) < sigmoid(v @ self.W1_ + h2 @ self.W2_.T + b1)
                v = rng.random(v.shape) < sigmoid(h1 @ self.W1_.T + a)
                h2 = rng.random(h2.shape) < sigmoid(h1 @ self.W2_ + b2)
                v, h1, h2 = (states.astype(float) for states in (v, h1, h2))
                self.W1_ += rate * (x.T @ m1 / len(x) - v.T @ h1 / len(v))
                self.W2_ += rate * (m1.T @ m2 / len(x) - h1.T @ h2 / len(v))
                for bias, seen, dreamt in zip(self.biases_, (x, m1, m2), (v, h1, h2), strict=True):
                    bias += rate * (seen.mean(0) - dreamt.mean(0))
                error += ((x - sigmoid(m1 @ self.W1_.T + a)) ** 2).sum() / X.size
            self.errors_.append(float(error))
        return self

    def _pretrain(self, X):
        """Both layers as RBMs, whose input the stack will give from two sides."""
        first = RBM(self.sizes[0], epochs=self.rbm_epochs, seed=self.seed)
        first.fit(np.hstack([X, X]))  # two copies of v, tied below by averaging
        width = X.shape[1]
        self.W1_ = (first.weights_[:width] + first.weights_[width:]) / 2
        H = sigmoid(2 * X @ self.W1_ + first.hidden_bias_)
        second = RBM(2 * self.sizes[1], epochs=self.rbm_epochs, seed=self.seed + 1).fit(H)
        half = self.sizes[1]
        self.W2_ = (second.weights_[:, :half] + second.weights_[:, half:]) / 2
        a = (first.visible_bias_[:width] + first.visible_bias_[width:]) / 2
        b2 = (second.hidden_bias_[:half] + second.hidden_bias_[half:]) / 2
        self.biases_ = [a, (first.hidden_bias_ + second.visible_bias_) / 2, b2]

    def mean_field(self, X):
        """What the hidden units believe about X (N, D): m1 (N, sizes[0]) and m2 (N, sizes[1])."""
        W1, W2 = fitted(self, "W1_"), self.W2_
        X = probabilities("DeepBoltzmannMachine", X, len(W1))
        _, b1, b2 = self.biases_
        m1 = sigmoid(2 * X @ W1 + b1)  # at first nothing comes from above: count v twice
        for _ in range(self.steps):
            m2 = sigmoid(m1 @ W2 + b2)
            m1 = sigmoid(X @ W1 + m2 @ W2.T + b1)
        return m1, sigmoid(m1 @ W2 + b2)

    def transform(self, X):
        """The top layer's beliefs about X (N, D): (N, sizes[1])."""
        return self.mean_field(X)[1]

    def reconstruct(self, X):
        """What the first hidden layer's beliefs say of X (N, D): (N, D)."""
        return sigmoid(self.mean_field(X)[0] @ self.W1_.T + self.biases_[0])

    def dream(self, count, steps=500, seed=0):
        """Pictures from Gibbs sampling that starts from noise: probabilities (count, D)."""
        W1, W2 = fitted(self, "W1_"), self.W2_
        a, b1, b2 = self.biases_
        rng = np.random.default_rng(seed)
        v, h2 = rng.random((count, len(a))), rng.random((count, len(b2)))
        for _ in range(steps):
            h1 = rng.random((count, len(b1))) < sigmoid(v @ W1 + h2 @ W2.T + b1)
            h2 = rng.random((count, len(b2))) < sigmoid(h1 @ W2 + b2)
            p = sigmoid(h1 @ W1.T + a)
            v = rng.random(p.shape) < p
        return p
