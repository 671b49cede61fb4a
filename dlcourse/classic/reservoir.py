"""An echo state network: a pool of random connections, and one layer that listens.

Jaeger (2001) leaves the recurrent weights as chance made them. If their echoes fade, the pool's
state is a rich memory of its input, and to predict the future only the output weights must be
found, by linear regression.
"""

import numpy as np

from .inputs import fitted, matrix


class EchoStateNetwork:
    """A reservoir with a trained readout (Jaeger, 2001; Jaeger and Haas, 2004).

    s(t+1) = (1 - leak) s(t) + leak tanh(W s(t) + W_in + W_back y(t)), y(t+1) = W_out (s(t+1), 1):
    only W_out is learned, by ridge regression on states reached while the true y is fed back
    (teacher forcing). Here the task is to continue a signal, so there is no input u, and `generate`
    feeds its own output back. W is scaled to a spectral radius below 1, so that the first state is
    forgotten.

    Args:
        units: size of the reservoir. Default 400.
        radius: spectral radius of W. Default 0.8.
        density: share of connections that exist. Default 0.05.
        feedback: the entries of W_back lie in +-feedback. Default 1.
        bias: the entries of W_in, for an input that is always 1, lie in +-bias. Default 0.2.
            Without it the pool knows odd functions only (tanh is odd), and fails on most signals.
        leak: 1 gives units without memory of their own, less makes them slow. Default 1.
        noise: added to the states while learning, which makes the loop stable. Default 1e-6.
        ridge: weight of the squared output weights. Default 1e-10.
        washout: first states that are not learned from. Default 200.
        seed: of the reservoir and the noise. Default 0.

    After `fit`: `readout_` (units + 1,), `state_` at the end of the signal.

    >>> wave = 0.5 * np.sin(np.arange(700) / 8)
    >>> net = EchoStateNetwork(units=50, density=0.2).fit(wave[:600])
    >>> bool(np.abs(net.generate(100) - wave[600:]).max() < 0.05)
    True
    """

    def __init__(self, units=400, radius=0.8, density=0.05, feedback=1.0, bias=0.2, leak=1.0,
                 noise=1e-6, ridge=1e-10, washout=200, seed=0):  # fmt: skip
        self.noise, self.ridge, self.washout, self.seed = noise, ridge, washout, seed
        rng = np.random.default_rng(seed)
        weights = rng.uniform(-1, 1, (units, units)) * (rng.random((units, units)) < density)
        largest = np.abs(np.linalg.eigvals(weights)).max()
        if largest < 1e-12:
            raise ValueError(
                f"EchoStateNetwork: {units} units at density {density} form no loop; take more"
            )
        self.weights = weights * (radius / largest)
        self.feedback = rng.uniform(-feedback, feedback, units)
        self.bias, self.leak = rng.uniform(-bias, bias, units), leak

    def _next(self, s, y):
        heard = np.tanh(self.weights @ s + self.bias + self.feedback * y)
        return (1 - self.leak) * s + self.leak * heard

    def _signal(self, values):
        return matrix("EchoStateNetwork", np.asarray(values)[None])[0]

    def states(self, signal, start=None, noise=0.0):
        """The reservoir's states (T, units) while hearing `signal` (T,); row t has heard y(t)."""
        rng = np.random.default_rng(self.seed)
        s = np.zeros(len(self.weights)) if start is None else np.array(start, float)
        rows = np.empty((len(signal), len(s)))
        for t, y in enumerate(self._signal(signal)):
            s = self._next(s, y)
            if noise:
                s = s + rng.uniform(-noise, noise, len(s))
            rows[t] = s
        return rows

    def fit(self, signal):
        """Learn to say y(t+1) while hearing y(t), from signal (T,), T > washout + 1."""
        signal = self._signal(signal)
        if len(signal) <= self.washout + 1:
            raise ValueError(
                f"EchoStateNetwork: {len(signal)} values, of which the first {self.washout} only "
                "wash out the start; give more, or a smaller washout"
            )
        rows = self.states(signal, noise=self.noise)
        A = np.hstack([rows, np.ones((len(rows), 1))])[self.washout : -1]
        gram = A.T @ A + self.ridge * np.eye(A.shape[1])
        self.readout_ = np.linalg.solve(gram, A.T @ signal[self.washout + 1 :])
        self.state_ = rows[-1]
        return self

    def generate(self, steps, after=None):
        """Continue the signal learned from, or the one given as `after` (T,): (steps,)."""
        readout = fitted(self, "readout_")
        s = self.state_ if after is None else self.states(after)[-1]
        said = []
        for _ in range(steps):
            said.append(float(s @ readout[:-1] + readout[-1]))
            s = self._next(s, said[-1])
        return np.array(said)
