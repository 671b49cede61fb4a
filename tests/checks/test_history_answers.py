"""Right, empty, unusual and wrong answers to the history assignment, and what each is told."""

import numpy as np
import pytest

from dlcourse.checks import history as check

CHECKS = {
    "perceptron_pass": 2.5,
    "delta_pass": 2.0,
    "hopfield_store": 1.0,
    "hopfield_recall": 2.5,
    "som_step": 2.0,
}


# --- the helpers that honest and wrong answers share ----------------------------------------------


def perceptron(w, X, y, wrong=lambda m: m <= 0, step=lambda x, t: t * x, count=True):
    w, mistakes = np.array(w, float), 0
    for x, t in zip(X, y, strict=True):
        if wrong(t * (w @ x)):
            w, mistakes = w + step(x, t), mistakes + 1
    return w, mistakes if count else len(X) - mistakes


def perceptron_in_place(w, X, y):
    mistakes = perceptron(w, X, y)[1]
    for x, t in zip(X, y, strict=True):
        if t * (w @ x) <= 0:
            w += t * x
    return w, mistakes


def delta(w, X, t, rate, error=lambda t, s: t - s, push=lambda e, x: e * x):
    for x, target in zip(X, t, strict=True):
        w = w + rate * push(error(target, w @ x), x)
    return w


def delta_in_place(w, X, t, rate):
    for x, target in zip(X, t, strict=True):
        w += rate * (target - w @ x) * x
    return w


def store(X):
    return X.T @ X / X.shape[1] - len(X) / X.shape[1] * np.eye(X.shape[1])


def recall(W, s, rounds=1000, order=None, sign=lambda h, old: old if h == 0 else np.sign(h)):
    s = s.copy()
    for _ in range(rounds):
        before = s.copy()
        for i in range(len(s)) if order is None else order(len(s)):
            s[i] = sign(W[i] @ s, s[i])
        if np.array_equal(s, before):
            break
    return s


def synchronous(W, s):
    for _ in range(101):
        s = np.where(W @ s == 0, s, np.sign(W @ s))
    return s


def recall_in_place(W, s):
    s[:] = recall(W, s)
    return s


def som(units, places, x, rate, radius, of=lambda u, p: p, kernel=None, winner=np.argmin, sign=1):
    c = winner(((units - x) ** 2).sum(1))
    apart = ((of(units, places) - of(units, places)[c]) ** 2).sum(1)
    near = np.exp(-apart / (2 * radius**2)) if kernel is None else kernel(apart, radius)
    return units + sign * rate * near[:, None] * (x - units)


def winner_alone(units, places, x, rate, radius):
    m, c = units.copy(), ((units - x) ** 2).sum(1).argmin()
    m[c] += rate * (x - m[c])
    return m


def som_in_place(units, places, x, rate, radius):
    units[:] = som(units, places, x, rate, radius)
    return units


# --- wrong: (check, points it may earn, words that its hint must hold, answer) -----------------

WRONG = [
    ("perceptron_pass", 0.0, "only mistakes do",
     lambda w, X, y: (w + y @ X, perceptron(w, X, y)[1] + 100)),
    ("perceptron_pass", 0.5, "first weights",
     lambda w, X, y: (w + ((y * (X @ w) <= 0) * y) @ X, perceptron(w, X, y)[1])),
    ("perceptron_pass", 0.5, "move by + y x",
     lambda w, X, y: (perceptron(w, X, y, step=lambda x, t: -t * x)[0], perceptron(w, X, y)[1])),
    ("perceptron_pass", 0.5, "the target is missing",
     lambda w, X, y: (perceptron(w, X, y, step=lambda x, t: x)[0], perceptron(w, X, y)[1])),
    ("perceptron_pass", 0.5, "delta rule",
     lambda w, X, y: (delta(w, X, y, 1.0), perceptron(w, X, y)[1])),
    ("perceptron_pass", 0.5, "did not change", lambda w, X, y: (w, perceptron(w, X, y)[1])),
    ("perceptron_pass", 1.7, "use `<= 0`",
     lambda w, X, y: perceptron(w, X, y, wrong=lambda m: m < 0) if np.any(w) else (w, 0)),
    ("perceptron_pass", 1.7, "these are the right ones",
     lambda w, X, y: perceptron(w, X, y, count=False)),
    ("perceptron_pass", 2.2, "changed its input `w`", perceptron_in_place),
    ("perceptron_pass", 0.0, "expected 2 values", lambda w, X, y: perceptron(w, X, y)[0]),
    ("delta_pass", 0.0, "leads away", lambda w, X, t, rate: delta(w, X, t, -rate)),
    ("delta_pass", 0.0, "rate is missing", lambda w, X, t, rate: delta(w, X, t, 1.0)),
    ("delta_pass", 0.0, "x is missing",
     lambda w, X, t, rate: delta(w, X, t, rate, push=lambda e, x: e)),
    ("delta_pass", 0.0, "Hebb's rule",
     lambda w, X, t, rate: delta(w, X, t, rate, error=lambda t, s: t)),
    ("delta_pass", 0.0, "before the threshold",
     lambda w, X, t, rate: delta(w, X, t, rate, error=lambda t, s: t - np.sign(s))),
    ("delta_pass", 0.8, "with the first weights",
     lambda w, X, t, rate: w + rate * (t - X @ w) @ X),
    ("delta_pass", 0.8, "one by one",
     lambda w, X, t, rate: w + rate * (t - X @ w) @ X / len(X)),
    ("delta_pass", 0.8, "only the last example",
     lambda w, X, t, rate: w + rate * (t[-1] - X[-1] @ w) * X[-1]),
    ("delta_pass", 0.8, "inside of the loop", lambda w, X, t, rate: delta(w, X[:1], t[:1], rate)),
    ("delta_pass", 1.7, "changed its input `w`", delta_in_place),
    ("hopfield_store", 0.0, "diagonal should be 0", lambda X: X.T @ X / X.shape[1]),
    ("hopfield_store", 0.0, "not of patterns", lambda X: store(X) * X.shape[1] / len(X)),
    ("hopfield_store", 0.0, "1/N is missing", lambda X: store(X) * X.shape[1]),
    ("hopfield_store", 0.0, "set it to 0", lambda X: X.T @ X / X.shape[1] - np.eye(X.shape[1])),
    ("hopfield_store", 0.0, "expected shape (7, 7)", lambda X: X @ X.T),
    ("hopfield_recall", 1.0, "turned over at once", synchronous),
    ("hopfield_recall", 1.0, "begin with unit 0",
     lambda W, s: recall(W, s, order=lambda n: range(n - 1, -1, -1))),
    ("hopfield_recall", 0.0, "nothing has changed", lambda W, s: s.copy()),
    ("hopfield_recall", 1.6, "after one round", lambda W, s: recall(W, s, rounds=1)),
    ("hopfield_recall", 2.0, "np.sign(0) is 0",
     lambda W, s: recall(W, s, sign=lambda h, old: np.sign(h))),
    ("hopfield_recall", 2.0, "yours becomes 1",
     lambda W, s: recall(W, s, sign=lambda h, old: 1.0 if h >= 0 else -1.0)),
    ("hopfield_recall", 2.0, "yours becomes -1",
     lambda W, s: recall(W, s, sign=lambda h, old: 1.0 if h > 0 else -1.0)),
    ("hopfield_recall", 2.0, "changed its input `s`", recall_in_place),
    ("som_step", 0.0, "farthest from x", lambda *a: som(*a, winner=np.argmax)),
    ("som_step", 1.7, "changed its input", som_in_place),
    ("som_step", 0.7, "sigma^2 is missing",
     lambda *a: som(*a, kernel=lambda d, r: np.exp(-d / r**2))),
    ("som_step", 0.7, "distance on the sheet must be squared",
     lambda *a: som(*a, kernel=lambda d, r: np.exp(-np.sqrt(d) / (2 * r**2)))),
    ("som_step", 0.7, "radius must be squared",
     lambda *a: som(*a, kernel=lambda d, r: np.exp(-d / (2 * r)))),
    ("som_step", 0.7, "not of the units", lambda *a: som(*a, of=lambda u, p: u)),
    ("som_step", 0.0, "all units moved alike", lambda u, p, x, rate, radius: u + rate * (x - u)),
    ("som_step", 0.7, "entries differ", winner_alone),
    ("som_step", 0.0, "moves away from x", lambda *a: som(*a, sign=-1)),
    ("som_step", 0.0, "return all units",
     lambda u, p, x, rate, radius: (u + rate * (x - u))[((u - x) ** 2).sum(1).argmin()]),
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
    ("perceptron_pass", lambda w, X, y: [p.tolist() for p in map(np.array, perceptron(w, X, y))]),
    ("perceptron_pass", lambda weights, rows, signs: perceptron(np.float32(weights), rows, signs)),
    ("delta_pass", lambda w, X, t, rate: delta(w, X, t, rate).tolist()),
    ("hopfield_store", lambda X: np.cov(X.T, bias=True) * 0 + store(X)),
    ("hopfield_store", lambda X: store(X).tolist()),
    ("hopfield_recall", lambda W, s: recall(W, s.astype(int)).tolist()),
    ("som_step", lambda *a: som(*a).astype(np.float32)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "answer"), HONEST)
@pytest.mark.parametrize("seed", [0, 5, 11])
def test_an_unusual_right_answer_earns_all_points(name, answer, seed):
    result = getattr(check, name)(answer, seed=seed)
    assert result == result.points, str(result)
