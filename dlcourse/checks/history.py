"""The checks of the history assignment: perceptron, delta rule, Hopfield net, self-organizing map.

Rules that go from example to example are checked on short runs first, so that a hint can tell a
wrong step from a wrong order.
"""

import numpy as np

from dlcourse.checks.calling import call, untouched
from dlcourse.checks.compare import compare, number
from dlcourse.checks.framework import Hint, check

# --- the perceptron -------------------------------------------------------------------------------


@check(points=2.5)
def perceptron_pass(steps, perceptron_pass, *, seed=0):
    """`perceptron_pass(w, X, y)` returns the weights after one pass, and the number of mistakes."""
    rng = np.random.default_rng(seed)
    sizes = {"N": 9, "D": 3}
    X, y, w = _mixed_examples(rng)
    answer = call(perceptron_pass, w=w, X=X, y=y, returns=("w", "mistakes"))
    right, mistakes = _mistakes(w, X, y)
    with steps("the new weights, (D,)", 1.2):
        usual = _wrong_passes(w, X, y)
        compare("w", answer["w"], right, usual=usual, sizes=sizes)
    with steps("the number of mistakes", 0.5):
        if float(number("mistakes", answer["mistakes"])) == 9 - mistakes:
            fact = f"`mistakes` is {9 - mistakes}, expected {mistakes}"
            raise Hint(f"{fact}: these are the right ones.", f"{fact}.")
        compare("mistakes", answer["mistakes"], mistakes)
    with steps("weights of zero move", 0.5):
        zero = call(perceptron_pass, w=np.zeros(3), X=X, y=y, returns=("w", "mistakes"))
        stuck = "a sum of exactly 0 counts as a mistake: use `<= 0`, or the weights never move."
        compare("w", zero["w"], _mistakes(np.zeros(3), X, y)[0], usual=[(np.zeros(3), stuck)])
    with steps("a pass without mistakes, and the inputs left as they were", 0.3, after_all=True):
        untouched(answer)
        done = call(perceptron_pass, w=w, X=X, y=np.sign(X @ w), returns=("w", "mistakes"))
        compare("w", done["w"], w, advice="Here every answer is right: nothing should change.")
        compare("mistakes", done["mistakes"], 0)


def _examples(rng, count=8):
    """(count, 3) rows whose last entry is 1."""
    return np.column_stack([rng.normal(size=(count, 2)), np.ones(count)])


def _mixed_examples(rng):
    """Nine examples and first weights that make mistakes of both kinds, but not only mistakes."""
    while True:
        X, y, w = _examples(rng, 9), rng.choice([-1, 1], 9), rng.normal(size=3)
        wrong = y * (X @ w) < 0
        if len(set(y[wrong])) == 2 and 3 <= _mistakes(w, X, y)[1] <= 6:
            return X, y, w


def _mistakes(w, X, y):
    w, count = w.copy(), 0
    for n in np.arange(len(X)):
        wrong = float(np.sign(y[n] * np.dot(X[n], w)) < 1)
        w, count = w + wrong * y[n] * X[n], count + int(wrong)
    return w, count


def _wrong_passes(w, X, y):
    at_once = (y * (X @ w) <= 0).astype(float)
    backwards, toward = w.copy(), w.copy()
    for x, target in zip(X, y, strict=True):
        if target * (backwards @ x) <= 0:
            backwards = backwards - target * x
        if target * (toward @ x) <= 0:
            toward = toward + x
    return [
        (w, "the weights did not change: is the copy that you changed the one you return?"),
        (
            w + (at_once * y) @ X,
            "every example was judged by the first weights. Each one sees what the one before it "
            "has left.",
        ),
        (w + y @ X, "right answers changed the weights, too: only mistakes do."),
        (backwards, "the sign is wrong: after a mistake the weights move by + y x."),
        (toward, "the target is missing: a mistake on an example with y = -1 takes x away."),
        (
            _delta(w, X, y, 1.0),
            "this is the delta rule. Here a mistake adds y x, whatever its size.",
        ),
    ]


# --- the delta rule -------------------------------------------------------------------------------


@check(points=2.0)
def delta_pass(steps, delta_pass, *, seed=0):
    """`delta_pass(w, X, t, rate)` returns the weights after one pass of the delta rule."""
    rng = np.random.default_rng(seed)
    sizes = {"N": 8, "D": 3}
    X, t, w, rate = _examples(rng), 2 * rng.normal(size=8), rng.normal(size=3), 0.1
    one = call(delta_pass, w=w, X=X[:1], t=t[:1], rate=rate, returns=("w",))
    error = t[0] - w @ X[0]
    with steps("one example", 0.8):
        compare("w", one["w"], w + rate * error * X[0], usual=[
            (w - rate * error * X[0], "the step leads away from t: it is + rate (t - w.x) x."),
            (w + error * X[0], "the rate is missing."),
            (w + rate * error, "each weight moves by rate (t - w.x) times *its* x: x is missing."),
            (w + rate * t[0] * X[0], "this is Hebb's rule: the error is t - w.x, not t alone."),
            (
                w + rate * (t[0] - np.sign(w @ X[0])) * X[0],
                "the error is taken before the threshold: no sign here.",
            ),
        ], sizes=sizes)  # fmt: skip
    with steps("eight examples, one after the other", 0.9):
        answer = call(delta_pass, w=w, X=X, t=t, rate=rate, returns=("w",))
        errors = t - X @ w
        compare("w", answer["w"], _delta(w, X, t, rate), usual=[
            (w + rate * errors @ X, "all errors were taken with the first weights. Each example "
             "sees what the one before it has left."),
            (w + rate * errors @ X / 8, "this is one step with the mean over all examples; here "
             "they come one by one."),
            (w + rate * errors[-1] * X[-1], "only the last example has left a trace: does "
             "each step start from the first weights?"),
            (w + rate * errors[0] * X[0], "it stops after the first example: is the `return` "
             "inside of the loop?"),
        ], sizes=sizes)  # fmt: skip
    with steps("the inputs left as they were", 0.3, after_all=True):
        untouched(answer)


def _delta(w, X, t, rate):
    """The same by matrices: each example maps w to (1 - rate x x^T) w + rate t x."""
    for x, target in zip(X, t, strict=True):
        w = (np.eye(len(w)) - rate * np.outer(x, x)) @ w + rate * target * x
    return w


# --- the Hopfield net -----------------------------------------------------------------------------


@check(points=1.0)
def hopfield_store(steps, hopfield_store, *, seed=0):
    """`hopfield_store(X)` returns W (N, N) by Hebb's rule, without self-connections."""
    rng = np.random.default_rng(seed)
    X = rng.choice([-1.0, 1.0], size=(3, 7))
    sizes = {"P": 3, "N": 7}
    answer = call(hopfield_store, X=X, returns=("W",))
    full = np.einsum("pi,pj->ij", X, X) / 7
    right = full * (1 - np.eye(7))
    usual = [
        (full, "the diagonal should be 0: no unit is connected with itself."),
        (full * 7 / 3 * (1 - np.eye(7)), "divide by the number of units, N, not of patterns."),
        (full * 7 * (1 - np.eye(7)), "the 1/N is missing: divide by the number of units."),
        (full - np.eye(7), "the diagonal is P/N before it is removed: set it to 0."),
    ]
    with steps("the weights, (N, N)", 0.8):
        compare("W", answer["W"], right, usual=usual, sizes=sizes)
    with steps("X left as it was", 0.2, after_all=True):
        untouched(answer)


@check(points=2.5)
def hopfield_recall(steps, hopfield_recall, *, seed=0):
    """`hopfield_recall(W, s)` returns the state in which the net comes to rest."""
    rng = np.random.default_rng(seed)
    X = rng.choice([-1.0, 1.0], size=(3, 60))
    W = _stored(X)
    noisy = np.where(rng.random(60) < 0.15, -X[0], X[0])
    with steps("two units that disagree", 0.6):
        pair = np.array([[0.0, -0.5], [-0.5, 0.0]])
        small = call(hopfield_recall, W=pair, s=np.array([1.0, 1.0]), returns=("s",))
        compare("s", small["s"], [-1, 1], usual=[
            ([1, -1], "the units were asked from the last to the first; begin with unit 0."),
            ([1, 1], "nothing has changed: unit 0 sees -0.5 and should turn over."),
            ([-1, -1], "both turned over at once. The second must already see that the first has."),
        ])  # fmt: skip
    with steps("a pattern from a noisy copy", 1.0):
        answer = call(hopfield_recall, W=W, s=noisy, returns=("s",))
        compare("s", answer["s"], _rest(W, noisy), usual=[
            (noisy, "this is the state that came in."),
            (W @ noisy, "these are the sums h: each unit takes the sign of its own."),
        ])  # fmt: skip
    with steps("several rounds, until nothing changes", 0.4):
        chain, start = _slow_chain(12)
        slow = call(hopfield_recall, W=chain, s=start, returns=("s",))
        compare("s", slow["s"], _rest(chain, start), usual=[
            (_round(chain, start), "this is the state after one round. Go on until a round changes "
             "nothing."),
        ], advice="This net needs many rounds: go on until one changes nothing.")  # fmt: skip
    with steps("a sum of 0 keeps the state; the inputs left alone", 0.5, after_all=True):
        untouched(answer)
        loose = call(
            hopfield_recall, W=np.zeros((3, 3)), s=np.array([1.0, -1.0, 1.0]), returns=("s",)
        )
        compare("s", loose["s"], [1, -1, 1], usual=[
            ([0, 0, 0], "np.sign(0) is 0, which is no state: there a unit keeps its own."),
            ([1, 1, 1], "where the sum is 0, a unit keeps its state; yours becomes 1."),
            ([-1, -1, -1], "where the sum is 0, a unit keeps its state; yours becomes -1."),
        ])  # fmt: skip


def _stored(X):
    return np.einsum("pi,pj->ij", X, X) / X.shape[1] * (1 - np.eye(X.shape[1]))


def _round(W, s):
    s = s.copy()
    for i, row in enumerate(W):
        h = float(row @ s)
        s[i] = s[i] if h == 0 else np.copysign(1.0, h)
    return s


def _rest(W, s):
    while not np.array_equal(s, after := _round(W, s)):
        s = after
    return s


def _slow_chain(units):
    """Weights and a start that take a round for each unit: unit i follows unit i + 1, loosely."""
    W = np.zeros((units, units))
    for i in range(units - 1):
        W[i, i + 1] = W[i + 1, i] = 1.0 + i  # the later neighbor is the stronger one
    return W, np.append(-np.ones(units - 1), 1.0) * np.resize([1.0, 1.0], units)


# --- the self-organizing map ----------------------------------------------------------------------


@check(points=2.0)
def som_step(steps, som_step, *, seed=0):
    """`som_step(units, places, x, rate, radius)` returns the prototypes after one step."""
    rng = np.random.default_rng(seed)
    sizes = {"M": 6, "D": 3}
    places = np.indices((2, 3)).reshape(2, -1).T.astype(float)  # (6, 2)
    units, x = rng.normal(size=(6, 3)), rng.normal(size=3)
    rate, radius = 0.4, 0.8
    winner = int(np.linalg.norm(units - x, axis=1).argmin())
    apart = np.square(places - places[winner]).sum(1)  # (6,), on the sheet
    between = np.square(units - units[winner]).sum(1)  # (6,), in the space of the examples
    near = np.exp(-apart / (2 * radius**2))
    with steps("the winner", 0.7):
        alone = call(
            som_step, units=units, places=places, x=x, rate=rate, radius=1e-3, returns=("m",)
        )
        right = units.copy()
        right[winner] += rate * (x - units[winner])
        far = int(np.linalg.norm(units - x, axis=1).argmax())
        wrong = units.copy()
        wrong[far] += rate * (x - units[far])
        dot = units.copy()
        most = int((units @ x).argmax())
        dot[most] += rate * (x - units[most])
        usual = [(wrong, "the unit farthest from x has won: the nearest should.")]
        if most != winner:
            usual.append((dot, "the winner has the smallest distance, not the largest product."))
        away = 2 * units - right
        usual += [
            (away, "the winner moves away from x: the step is + rate (x - m)."),
            (right[winner], "this is the winner alone; return all units, (M, D)."),
            (units, "no unit has moved."),
            (
                units + rate * (x - units),
                "all units moved alike: those far from the winner should not.",
            ),
        ]
        compare("m", alone["m"], right, usual=usual, sizes=sizes)
    with steps("its neighbors on the sheet come along", 1.0):
        answer = call(
            som_step, units=units, places=places, x=x, rate=rate, radius=radius, returns=("m",)
        )
        compare("m", answer["m"], _moved(units, x, rate * near), usual=[
            (_moved(units, x, rate * np.square(near)), "the 2 in 2 sigma^2 is missing."),
            (_moved(units, x, rate * np.exp(-np.sqrt(apart) / (2 * radius**2))),
             "the distance on the sheet must be squared."),
            (_moved(units, x, rate * np.exp(-between / (2 * radius**2))),
             "neighbors are neighbors on the sheet: the distance of the places, not of the units."),
            (_moved(units, x, near), "the rate is missing."),
            (_moved(units, x, rate * np.exp(-apart / (2 * radius))),
             "the radius must be squared."),
            (_moved(units, x, -rate * near), "the units move away from x: it is + ... (x - m)."),
        ], sizes=sizes)  # fmt: skip
    with steps("the inputs left as they were", 0.3, after_all=True):
        untouched(answer)


def _moved(units, x, pull):
    return (1 - pull)[:, None] * units + np.outer(pull, x)
