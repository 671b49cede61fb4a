"""The checks of the backpropagation assignment: four gradients, and a graph to send them through.

The right gradients come from finite differences of the forward formulas, those of the graph from a
linear system. So nothing in this file is an answer to copy.
"""

import contextlib

import numpy as np

from dlcourse.checks.calling import call, untouched
from dlcourse.checks.compare import compare, compare_dict, number, numeric_gradient
from dlcourse.checks.framework import Hint, check


def _sigmoid(z):
    return 1 / (1 + np.exp(-z))


def _linear(x, W, b):
    return x @ W.T + b  # (B, D), (K, D), (K,) -> (B, K)


def _softmax(z, axis=1):
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _mean_loss(z, y):
    """The cross-entropy of logits z (B, K) and labels y (B,), a mean over the batch: a number."""
    z = z - z.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))  # (B, K)
    return -log_p[np.arange(len(y)), y].mean()


def _mixed_up(name, truth):
    """Hints for a value that is right, but stands in the place of another one."""
    order = ", ".join(truth)
    return [
        (value, f"this is `{other}`. Return the values in the order {order}.")
        for other, value in truth.items()
        if other != name
    ]


# --- one neuron -----------------------------------------------------------------------------------


@check(points=1.5)
def neuron_backward(steps, neuron_backward, *, seed=0):
    """`neuron_backward(w, b, x, t)` returns dw, db, dx of the loss (sigmoid(w x + b) - t)^2."""
    rng = np.random.default_rng(seed)
    sign = rng.choice([-1.0, 1.0], size=(4, 3))
    cases = np.column_stack([sign * rng.uniform(0.4, 1.6, (4, 3)), rng.uniform(0.1, 0.9, 4)])
    w, b, x, t = cases.T
    names = ("dw", "db", "dx")
    answers = [
        call(neuron_backward, w=w, b=b, x=x, t=t, returns=names) for w, b, x, t in cases.tolist()
    ]

    def loss(w, b, x):
        return np.sum((_sigmoid(w * x + b) - t) ** 2)  # no case touches another: one gradient each

    truth = {
        "dw": numeric_gradient(lambda w: loss(w, b, x), w),
        "db": numeric_gradient(lambda b: loss(w, b, x), b),
        "dx": numeric_gradient(lambda x: loss(w, b, x), x),
    }

    def where(index):
        w, b, x, t = cases[index]
        return f"at w = {w:.3g}, b = {b:.3g}, x = {x:.3g}, t = {t:.3g}"

    for name, last in (("dw", x), ("db", np.ones(4)), ("dx", w)):
        with steps(f"{name}, at four points", 0.5):
            compare(
                name,
                np.stack([number(name, answer[name]) for answer in answers]),
                truth[name],
                usual=_wrong_neurons(w * x + b, t, last) + _mixed_up(name, truth),
                where=where,
                advice=f"The chain ends in dz/{name}, where z = w x + b.",
            )


def _wrong_neurons(z, t, last):
    """What goes wrong between the loss and z; `last` is the last factor of the chain."""
    s = _sigmoid(z)
    slope = "the slope of the sigmoid is s (1 - s), with its output s"
    pairs = [
        ((s - t) * s * (1 - s), "the square gives a factor of 2: d(s - t)^2 / ds is 2 (s - t)."),
        (2 * (s - t), "the slope of the sigmoid, ds/dz, is missing from the chain."),
        (2 * (s - t) * z * (1 - z), f"{slope}; you put its input z in."),
        (2 * (s - t) * s, f"{slope}; here is only its first factor."),
        (2 * (s - t) * (1 - s), f"{slope}; here is only its second factor."),
        (2 * (s - t) * (1 - s**2), f"{slope}; 1 - s^2 is the slope of the tanh."),
        (2 * s * s * (1 - s), "the square is that of s - t: where did t go?"),
    ]
    return [(dz * last, hint) for dz, hint in pairs]


# --- a linear layer -------------------------------------------------------------------------------


@check(points=2.5)
def linear_backward(steps, linear_backward, *, seed=0):
    """`linear_backward(x, W, b, g)` returns dx, dW, db of y = x @ W.T + b for the upstream g."""
    rng = np.random.default_rng(seed)

    def inputs_and_truth(B, D, K):
        x, W, b = rng.normal(size=(B, D)), rng.normal(size=(K, D)), rng.normal(size=K)
        g = rng.normal(size=(B, K))
        return {"x": x, "W": W, "b": b, "g": g}, {
            "dx": numeric_gradient(lambda x: np.sum(g * _linear(x, W, b)), x),  # (B, D)
            "dW": numeric_gradient(lambda W: np.sum(g * _linear(x, W, b)), W),  # (K, D)
            "db": numeric_gradient(lambda b: np.sum(g * _linear(x, W, b)), b),  # (K,)
        }

    sizes = {"B": 5, "D": 3, "K": 4}
    inputs, truth = inputs_and_truth(**sizes)
    answer = call(linear_backward, **inputs, returns=tuple(truth))
    over_classes = (
        inputs["g"].sum(axis=1),
        "this adds up over the classes. b is added to every row of the batch, so every row has a "
        "say in its gradient: add up over the rows, axis 0.",
    )
    with steps("dx, the gradient on the input, (B, D)", 0.8):
        compare("dx", answer["dx"], truth["dx"], usual=_mixed_up("dx", truth), sizes=sizes)
    with steps("dW, the gradient on the weights, (K, D)", 0.8):
        compare("dW", answer["dW"], truth["dW"], usual=_mixed_up("dW", truth), sizes=sizes)
    with steps("db, the gradient on the bias, (K,)", 0.6):
        usual = [over_classes, *_mixed_up("db", truth)]
        compare("db", answer["db"], truth["db"], usual=usual, sizes=sizes)
    with steps("a batch of one, and the inputs left as they were", 0.3, after_all=True):
        untouched(answer)
        inputs, truth = inputs_and_truth(B=1, D=3, K=4)
        answer = call(linear_backward, **inputs, returns=tuple(truth))
        for name, right in truth.items():
            compare(name, answer[name], right, advice="So far it was right: does B = 1 differ?")


# --- softmax and cross-entropy --------------------------------------------------------------------


@check(points=2.5)
def cross_entropy(steps, cross_entropy, *, seed=0):
    """`cross_entropy(z, y)` returns the mean loss of logits z (B, K), labels y (B,), and dz."""
    rng = np.random.default_rng(seed)
    sizes = {"B": 5, "K": 4}
    z = 2 * rng.normal(size=(5, 4))
    y = rng.permutation([0, 1, 2, 3, 1])  # one class comes twice
    answer = call(cross_entropy, z=z, y=y, returns=("loss", "dz"))
    with steps("the loss, one number", 0.7):
        right = _mean_loss(z, y)
        compare("loss", answer["loss"], right, usual=_wrong_losses(z, y), sizes=sizes)
    with steps("its gradient on the logits, dz, (B, K)", 0.8):
        right = numeric_gradient(lambda z: _mean_loss(z, y), z)
        compare("dz", answer["dz"], right, usual=_wrong_dz(z, y), sizes=sizes)
    with steps("logits of 1000 and -1000", 0.7):
        factors = {
            "loss": _factor("loss", answer["loss"], _mean_loss(z, y), sizes),
            "dz": _factor("dz", answer["dz"], right, sizes),
        }
        _extreme_logits(cross_entropy, y, factors)
    with steps("z and y left as they were", 0.3, after_all=True):
        untouched(answer)


def _wrong_losses(z, y):
    rows = np.arange(len(y))
    p, down = _softmax(z), _softmax(z, axis=0)
    return [
        (
            -np.log(down[rows, y]).mean(),
            "the softmax runs over the classes of one example, axis 1; yours runs over the batch.",
        ),
        (-p[rows, y].mean(), "this is minus the mean probability: the log is missing."),
        (-np.log2(p[rows, y]).mean(), "this is a log to base 2; use the natural log, `np.log`."),
        (-np.log10(p[rows, y]).mean(), "this is a log to base 10; use the natural log, `np.log`."),
        (
            -np.log(p).sum(axis=1).mean(),
            "log p counts for the true class only; yours adds up all K classes.",
        ),
        (-z[rows, y].mean(), "this is minus the mean logit: the log-sum-exp is missing."),
    ]


def _wrong_dz(z, y):
    B, K = z.shape
    p, one_hot = _softmax(z), np.eye(K)[y]
    columns = p.copy()
    columns[:, y] -= 1
    label = "these are the probabilities alone. What does the label of each row change?"
    column = (
        "`p[:, y] -= 1` changes whole columns. One entry in each row is wanted: "
        "`p[np.arange(B), y]`."
    )
    return [
        (p, label),
        (p / B, label),
        (columns, column),
        (columns / B, column),
        (
            (_softmax(z, axis=0) - one_hot) / B,
            "the softmax runs over the classes of one example, axis 1; yours runs over the batch.",
        ),
        (
            p * (1 - p) * (p - one_hot) / B,
            "p (1 - p) is one factor too many: p - onehot has been through the softmax already.",
        ),
        (
            -one_hot / p / B,
            "this is the gradient on the probabilities: go back through the softmax as well.",
        ),
    ]


def _factor(name, got, right, sizes):
    """The sign or factor by which an answer is off. It has cost points above, and once will do."""
    for n in (1, *sizes.values()):
        for factor in (n, -n, 1 / n, -1 / n):
            with contextlib.suppress(Hint):
                compare(name, got, factor * right)
                return factor
    raise Hint(f"Mend `{name}` first: with ordinary logits it is not right yet either.")


def _extreme_logits(cross_entropy, y, factors):
    """Five confident predictions, three right and two wrong: a wrong one costs 2000."""
    rows = np.arange(5)
    bet = (y + np.array([0, 1, 0, 2, 0])) % 4
    z = np.full((5, 4), -1000.0)
    z[rows, bet] = 1000.0
    answer = call(cross_entropy, z=z, y=y, returns=("loss", "dz"))
    stable = (
        "exp(1000) overflows, and exp(-1000) is 0, whose log is -inf. Adding the same number to a "
        "whole row of z does not change its softmax: subtract the row's largest logit first. Then "
        "take log p as z - log(sum of exp(z)), rather than the log of p."
    )
    loss, right = number("loss", answer["loss"]), factors["loss"] * 800.0
    if abs(loss) < 0.9 * abs(right):
        fact = f"`loss` is {float(loss):.4g}, expected {right:.4g}"
        raise Hint(
            f"{fact}: two of the five examples are 2000 logits off. A small constant inside the "
            f"log, or a clip, hides such an error instead of measuring it. {stable}",
            f"{fact}.",
        )
    compare("loss", loss, right, advice=stable)
    dz = np.zeros((5, 4))  # no finite differences here: 1000 swallows their digits
    dz[rows, bet] += 1 / 5
    dz[rows, y] -= 1 / 5
    compare("dz", answer["dz"], factors["dz"] * dz, advice=stable)


# --- two layers -----------------------------------------------------------------------------------


@check(points=2.0)
def two_layer_backward(steps, two_layer_backward, *, seed=0):
    """`two_layer_backward(x, y, W1, b1, W2, b2)` returns loss, dW1, db1, dW2, db2."""
    rng = np.random.default_rng(seed)
    sizes = {"B": 6, "D": 3, "H": 5, "K": 4}
    x, y = rng.normal(size=(6, 3)), rng.permutation([0, 1, 2, 3, 1, 0])
    W1, b1 = rng.normal(size=(5, 3)), rng.normal(size=5)
    W2, b2 = rng.normal(size=(4, 5)), rng.normal(size=4)

    def loss(W1=W1, b1=b1, W2=W2, b2=b2):
        return _mean_loss(_linear(np.tanh(_linear(x, W1, b1)), W2, b2), y)

    truth = {
        "loss": loss(),
        "dW1": numeric_gradient(lambda W1: loss(W1=W1), W1),  # (H, D)
        "db1": numeric_gradient(lambda b1: loss(b1=b1), b1),  # (H,)
        "dW2": numeric_gradient(lambda W2: loss(W2=W2), W2),  # (K, H)
        "db2": numeric_gradient(lambda b2: loss(b2=b2), b2),  # (K,)
    }
    answer = call(two_layer_backward, x=x, y=y, W1=W1, b1=b1, W2=W2, b2=b2, returns=tuple(truth))
    wrong = _wrong_two_layers(x, y, W1, b1, W2, b2)
    for name, title, share in (
        ("loss", "the loss", 0.2),
        ("dW2", "dW2, (K, H)", 0.4),
        ("db2", "db2, (K,)", 0.2),
        ("dW1", "dW1, (H, D)", 0.7),
        ("db1", "db1, (H,)", 0.3),
    ):
        with steps(title, share):
            compare(
                name,
                answer[name],
                truth[name],
                usual=wrong[name] + _mixed_up(name, truth),
                sizes=sizes,
                advice="Do `linear_backward` and `cross_entropy` above pass their checks?",
            )
    with steps("the inputs left as they were", 0.2, after_all=True):
        untouched(answer)


def _wrong_two_layers(x, y, W1, b1, W2, b2):
    """Name of a value -> pairs of a wrong one and its hint."""
    a = _linear(x, W1, b1)  # (B, H)
    h = np.tanh(a)
    z = _linear(h, W2, b2)  # (B, K)
    dz = numeric_gradient(lambda z: _mean_loss(z, y), z)
    dh = numeric_gradient(lambda h: np.sum(dz * _linear(h, W2, b2)), h)
    slope = "the slope of the tanh is 1 - h^2, with its output h"
    wrong_da = [
        (
            dh,
            "on the way back from h to a, the gradient meets the slope of the tanh: it is missing.",
        ),
        (dh * (1 - a**2), f"{slope}; you put its input a in."),
        (dh * h * (1 - h), f"{slope}; h (1 - h) is the slope of the sigmoid."),
        (dh * (1 - h), f"{slope}; the square is missing."),
    ]
    no_tanh = _mean_loss(_linear(a, W2, b2), y)
    return {
        "loss": [(no_tanh, "the tanh between the two layers is missing.")],
        "dW2": [(dz.T @ a, "the second layer was given h, the output of the tanh, not a.")],
        "db2": [],
        "dW1": [(da.T @ x, hint) for da, hint in wrong_da],
        "db1": [(da.sum(axis=0), hint) for da, hint in wrong_da],
    }


# --- a graph --------------------------------------------------------------------------------------


@check(points=1.5)
def backward(steps, backward, *, seed=0):
    """`backward(graph, output)` returns a dict: node -> d(output)/d(node)."""
    rng = np.random.default_rng(seed)

    def edges(*parents):
        # Short numbers, to be followed by hand, and of one sign, so that no two ever cancel.
        slope = {parent: float(rng.choice([0.5, 1.5, 2, 3])) for parent in parents}
        return [(parent, slope[parent]) for parent in parents]

    def judge(graph, reason):
        answer = call(backward, graph=graph, output="y", returns=("grad",))
        expected = _solve(graph, "y")
        compare_dict("grad", answer["grad"], expected, explain=_explain(graph, expected, reason))
        return answer

    with steps("a chain: x, then a, then y", 0.2):
        chain = "Multiply the slopes on the way back from y."
        judge({"x": [], "a": edges("x"), "y": edges("a")}, chain)
    with steps("a value that is used twice: the contributions add up", 0.4):
        judge({"x": [], "a": edges("x"), "b": edges("x"), "y": edges("a", "b")}, _one_use_alone)
        judge({"x": [], "a": edges("x", "x"), "y": edges("a")}, _one_use_alone)
    with steps("a node waits until all that use it are done", 0.4):
        order = (
            "The order of the dict says nothing. Here x is used by a and by y: its gradient is "
            "complete once both have added their part, and only then does it go on to w, once."
        )
        # Together these two fail a walk in the order of the dict or against it, depth first or
        # breadth first, if it does not wait.
        judge({"x": edges("w"), "y": edges("x", "a"), "w": [], "a": edges("x")}, order)
        judge({"x": edges("w"), "w": [], "a": edges("x"), "y": edges("a", "x")}, order)
    with steps("a branch that the output does not use", 0.2):
        answer = judge(
            {"x": [], "u": edges("x"), "v": edges("u", "x"), "y": edges("x")},
            "Here y does not depend on u and v: their gradients are 0, they add nothing to x, and "
            "x must not wait for them.",
        )
    with steps("a chain of 5,000 nodes, and the graph left as it was", 0.3, after_all=True):
        untouched(answer)
        graph = {f"n{i}": [(f"n{i - 1}", 2.0 if i % 2 else 0.5)] for i in range(1, 5000)}
        graph = {"n0": [], **graph, "y": [("n4999", 3.0)]}
        answer = call(backward, graph=graph, output="y", returns=("grad",))
        expected = {"y": 1.0} | {f"n{i}": 3.0 if i % 2 else 6.0 for i in reversed(range(5000))}
        compare_dict("grad", answer["grad"], expected)


_FROM_THE_OUTPUT = "yabuvxw"  # the nodes of every graph above: an early mistake explains later ones


def _solve(graph, output):
    """All gradients at once: grad = start + S^T grad, with S[n, p] the slope of n along p."""
    names = sorted(graph, key=_FROM_THE_OUTPUT.index)
    S = np.zeros((len(names), len(names)))
    for name, parents in graph.items():
        for parent, slope in parents:
            S[names.index(name), names.index(parent)] += slope
    start = np.eye(len(names))[names.index(output)]
    grad = np.linalg.solve(np.eye(len(names)) - S.T, start)
    return dict(zip(names, grad.tolist(), strict=True))


def _explain(graph, grad, reason):
    """The reason for a wrong gradient, with the graph that it belongs to."""
    shown = f"The graph was `{graph!r}`, the output `'y'`."

    def explain(key, value):
        if key == "y":
            return f"The derivative of the output by itself is 1: start there. {shown}"
        likely = reason if isinstance(reason, str) else reason(graph, grad, key, value)
        return f"{likely} {shown}"

    return explain


def _one_use_alone(graph, grad, key, value):
    uses = [(name, slope) for name in graph for parent, slope in graph[name] if parent == key]
    if len(uses) > 1 and any(np.isclose(value, slope * grad[name]) for name, slope in uses):
        return (
            f"{key} is used {len(uses)} times, and that is the contribution of one use alone. "
            "Add them up: `+=` adds, `=` overwrites."
        )
    return "Add up what each use of a node contributes."
