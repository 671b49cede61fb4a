"""Right, empty, unusual and wrong answers to the feed-forward assignment, and what each is told."""

from itertools import pairwise

import numpy as np
import pytest

from dlcourse.checks import feedforward as check

CHECKS = {
    "neuron": 1.0,
    "xor_network": 2.0,
    "softmax": 2.0,
    "forward": 2.5,
    "count_parameters": 1.0,
    "hat": 1.5,
}


# --- the helpers that honest and wrong answers share ----------------------------------------------

OR_AND = np.array([[1.0, 1.0], [1.0, 1.0]])


def p_of(z, axis=1):
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def run(x, layers, hidden=lambda z: np.maximum(0, z), last=p_of):
    for W, b in layers[:-1]:
        x = hidden(x @ W.T + b)
    return last(x @ layers[-1][0].T + layers[-1][1])


def spoils(z):
    z -= z.max(axis=1, keepdims=True)
    return p_of(z)


def in_place(x, layers):
    for W, b in layers:
        b *= 1.0 + 1e-9
        W[0, 0] += 1e-12
    return run(x, layers)


def corners(left, peak, right, third=True, second=None):
    up, down = 1 / (peak - left), 1 / (right - peak)
    v = np.array([up, -up - down if second is None else second(up, down), down * third])
    return np.ones(3), -np.array([left, peak, right]), v, 0.0


def products(sizes):
    return sum(a * b for a, b in pairwise(sizes))


def clumsy_hat(left, peak, right):
    """Three units that look to the left."""
    up, down = 1 / (peak - left), 1 / (right - peak)
    return [-1, -1, -1], [right, peak, left], [down, -down - up, up], 0


def skips_layers(x, layers):
    return run(x, layers if len(layers) < 3 else [*layers[:2], layers[-1]])


# --- wrong: (check, points it may earn, words that its hint must hold, answer) -----------------

WRONG = [
    ("neuron", 0.0, "The step makes it 1", lambda x, w, b: x @ w + b),
    ("neuron", 0.0, "not -1", lambda x, w, b: np.sign(x @ w + b)),
    ("neuron", 0.0, "two sides are swapped", lambda x, w, b: (x @ w + b < 0).astype(int)),
    ("neuron", 0.0, "bias is missing", lambda x, w, b: (x @ w > 0).astype(int)),
    ("neuron", 0.0, "bias has the wrong sign", lambda x, w, b: (x @ w - b > 0).astype(int)),
    ("neuron", 0.0, "sigmoid", lambda x, w, b: 1 / (1 + np.exp(-x @ w - b))),
    ("neuron", 0.6, "use `>`, not `>=`", lambda x, w, b: (x @ w + b >= 0).astype(int)),
    ("neuron", 0.6, "use `>`.", lambda x, w, b: np.heaviside(x @ w + b, 0.5)),
    ("neuron", 0.0, "expected shape (7,) = (B,)", lambda x, w, b: (x @ w + b > 0)[:, None] * 1.0),
    ("xor_network", 0.4, "opposite", lambda: (OR_AND, [-0.5, -1.5], [-1, 1], 0.5)),
    ("xor_network", 0.4, "That is OR", lambda: (OR_AND, [-0.5, -0.5], [1, 1], -0.5)),
    ("xor_network", 0.4, "do not tell (0, 1)", lambda: (OR_AND, [0.5, 0.5], [1, 1], -2.5)),
    ("xor_network", 0.4, "look at the last one", lambda: (OR_AND, [-0.5, -1.5], [1, 1], -1.5)),
    ("xor_network", 1.6, "passes through that corner",
     lambda: (OR_AND, [-0.01, -1], [1, -1], -0.5)),
    ("xor_network", 0.0, "`W1` has shape (1, 2), expected shape (2, 2)",
     lambda: (OR_AND[:1], [-0.5], [[1], [-1]], -0.5)),
    ("xor_network", 0.0, "use finite weights",
     lambda: (OR_AND * np.inf, [-np.inf] * 2, [np.inf] * 2, np.inf)),
    ("xor_network", 0.0, "expected 4 values", lambda: (OR_AND, [-0.5, -1.5], [1, -1])),
    ("softmax", 0.0, "each column sums to 1", lambda z: p_of(z, axis=0)),
    ("softmax", 0.0, "all entries together",
     lambda z: np.exp(z - z.max()) / np.exp(z - z.max()).sum()),
    ("softmax", 0.0, "divide by the sum of each row", np.exp),
    ("softmax", 0.0, "the exp is missing", lambda z: z / z.sum(axis=1, keepdims=True)),
    ("softmax", 0.0, "sigmoid of each score", lambda z: 1 / (1 + np.exp(-z))),
    ("softmax", 0.0, "log of the probabilities", lambda z: np.log(p_of(z))),
    ("softmax", 0.0, "softer", lambda z: 1.0 * (z == z.max(axis=1, keepdims=True))),
    ("softmax", 1.0, "subtract the row's largest",
     lambda z: np.exp(z) / np.exp(z).sum(1, keepdims=True)),
    ("softmax", 1.7, "changed its input `z`", spoils),
    ("softmax", 1.7, "axis of length 1", lambda z: p_of(z) if len(z) > 1 else p_of(z)[0]),
    ("forward", 0.0, "the softmax is missing", lambda x, layers: run(x, layers, last=lambda z: z)),
    ("forward", 0.0, "biases are missing", lambda x, layers: run(x, [(W, 0) for W, _ in layers])),
    ("forward", 0.0, "last layer has no ReLU",
     lambda x, layers: run(x, layers, last=lambda z: p_of(np.maximum(0, z)))),
    ("forward", 0.0, "classes of an example",
     lambda x, layers: run(x, layers, last=lambda z: p_of(z, axis=0))),
    ("forward", 0.6, "any number of layers is one", lambda x, layers: run(x, layers, lambda z: z)),
    ("forward", 0.6, "there is a tanh", lambda x, layers: run(x, layers, np.tanh)),
    ("forward", 0.6, "there is a sigmoid",
     lambda x, layers: run(x, layers, lambda z: 1 / (1 + np.exp(-z)))),
    ("forward", 0.6, "a softmax behind every layer", lambda x, layers: run(x, layers, p_of)),
    ("forward", 1.6, "Every layer but the last", skips_layers),
    ("forward", 2.2, "changed its input `layers`", in_place),
    ("count_parameters", 0.5, "biases are counted in",
     lambda sizes: (products([*sizes]) + sum(sizes[1:]), sum(sizes[1:]))),
    ("count_parameters", 0.5, "inputs compute nothing",
     lambda sizes: (products(sizes), sum(sizes))),
    ("count_parameters", 0.5, "outputs compute something",
     lambda sizes: (products(sizes), sum(sizes[1:-1]))),
    ("count_parameters", 0.5, "bias of its own", lambda sizes: (products(sizes), len(sizes) - 1)),
    ("count_parameters", 0.5, "only neighbors",
     lambda sizes: (int(np.prod(sizes)), sum(sizes[1:]))),
    ("hat", 1.2, "third corner", lambda *at: corners(*at, third=False)),
    ("hat", 0.8, "slope changes from", lambda *at: corners(*at, second=lambda u, d: -d)),
    ("hat", 0.0, "one of each",
     lambda left, peak, right: ([1, 1, 1], [-left, -peak], [1, -2, 1], 0)),
    ("hat", 0.0, "one entry for each hidden unit",
     lambda left, peak, right: (1.0, -left, 1.0, 0.0)),
    ("hat", 0.0, "Left of all corners", lambda *at: (*corners(*at)[:3], 1.0)),
    ("hat", 0.0, "Left of all corners",
     lambda *at: (np.ones(3), np.array(at), *corners(*at)[2:])),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "points", "says", "answer"), WRONG, ids=[f"{w[0]}-{w[2][:24]}" for w in WRONG]
)
@pytest.mark.parametrize("seed", [0, 7])
def test_a_wrong_answer_loses_points_and_is_told_why(name, points, says, answer, seed):
    result = getattr(check, name)(answer, seed=seed)
    told = " ".join(step.hint for step in result.steps)
    assert says in told, str(result)
    assert float(result) == points < result.points, str(result)
    assert "fault in the check" not in told


def test_the_corpus_has_something_on_every_check():
    assert {case[0] for case in WRONG} == set(CHECKS)


# --- honest and unusual: full marks ---------------------------------------------------------------

HONEST = [
    ("neuron", lambda x, w, b: x @ w + b > 0),
    ("neuron", lambda points, weights, bias: [int(np.dot(p, weights) + bias > 0) for p in points]),
    ("neuron", lambda x, w, b: np.heaviside((x * w).sum(1) + b, 0).astype(np.float32)),
    ("xor_network", lambda: ([[1, -1], [-1, 1]], [-0.5, -0.5], [1, 1], -0.5)),
    ("xor_network", lambda: ([[-2, -2], [2, 2]], [3, -1], (1, 1), [-1.5])),
    ("softmax", lambda z: p_of(z.astype(np.float32))),
    ("softmax", lambda z: [p_of(row[None])[0].tolist() for row in z]),
    ("softmax", lambda z: np.exp(z - np.logaddexp.reduce(z, axis=1, keepdims=True))),
    ("forward", lambda x, layers: np.stack([run(row[None], layers)[0] for row in x])),
    ("forward",
     lambda x, net: run(x, [(W.copy(), b.copy()) for W, b in net], lambda z: z * (z > 0))),
    ("count_parameters",
     lambda sizes: np.array([np.dot(sizes[1:], sizes[:-1]), sum(sizes) - sizes[0]])),
    ("count_parameters", lambda sizes: [float(np.dot(sizes[1:], sizes[:-1])), sum(sizes[1:])]),
    ("hat", lambda *at: [v.tolist() if np.ndim(v) else v for v in corners(*at)]),
    ("hat", clumsy_hat),
]  # fmt: skip


@pytest.mark.parametrize(("name", "answer"), HONEST)
@pytest.mark.parametrize("seed", [0, 5, 11])
def test_an_unusual_right_answer_earns_all_points(name, answer, seed):
    result = getattr(check, name)(answer, seed=seed)
    assert result == result.points, str(result)
