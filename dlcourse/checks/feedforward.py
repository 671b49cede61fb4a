"""The checks of the feed-forward assignment: neurons, XOR, softmax, a network, and a hat.

Where many weights are right, as for XOR and for the hat, the check runs the network that they
describe, and looks at what it computes.
"""

from itertools import pairwise

import numpy as np

from dlcourse.checks.calling import call, untouched
from dlcourse.checks.compare import as_numbers, compare, number
from dlcourse.checks.framework import Hint, check

# --- one neuron -----------------------------------------------------------------------------------


@check(points=1.0)
def neuron(steps, neuron, *, seed=0):
    """`neuron(x, w, b)` returns 1 where w . x + b > 0 and 0 elsewhere."""
    rng = np.random.default_rng(seed)
    sizes = {"B": 7, "D": 3}
    x, w = rng.normal(size=(7, 3)), rng.normal(size=3)
    sums = rng.permutation([-1.0, 0.5, 2.0, 4.0, 5.0, 6.0, 9.0])
    x += np.outer(sums - x @ w, w) / (w @ w)  # now x @ w is `sums`, and no other bias will do
    b = -float(rng.uniform(2.2, 3.8))
    answer = call(neuron, x=x, w=w, b=b, returns=("y",))
    z = x @ w + b
    usual = [
        (z, "this is w . x + b itself. The step makes it 1 where it is positive, and 0 elsewhere."),
        (np.sign(z), "the other side of the line answers 0 here, not -1."),
        (z < 0, "the two sides are swapped: 1 belongs where w . x + b is positive."),
        (x @ w > 0, "the bias is missing: b moves the line away from the origin."),
        (x @ w - b > 0, "the bias has the wrong sign: it is added to w . x."),
        (np.maximum(z, 0), "this is a ReLU. The step answers 1 wherever the sum is positive."),
        (1 / (1 + np.exp(-z)), "this is a sigmoid. The step answers 0 or 1, nothing in between."),
    ]
    with steps("seven points in three dimensions", 0.6):
        compare("y", _zeros_and_ones(answer["y"]), z > 0, usual=usual, sizes=sizes)
    with steps("a point on the border answers 0; inputs left alone", 0.4, after_all=True):
        untouched(answer)
        border = call(
            neuron, x=np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]), w=np.ones(2), b=-1.0,
            returns=("y",),
        )  # fmt: skip
        compare("y", _zeros_and_ones(border["y"]), [0, 0, 1], usual=[
            ([0, 1, 1], "on the border, w . x + b = 0, the answer is 0: use `>`, not `>=`."),
            ([0, 0.5, 1], "on the border, w . x + b = 0, the answer is 0: use `>`."),
        ])  # fmt: skip


def _zeros_and_ones(answer):
    """Booleans are a fine way to say 0 and 1."""
    if isinstance(answer, list | tuple) and all(isinstance(a, bool | np.bool_) for a in answer):
        answer = np.array(answer)
    is_bool = isinstance(answer, np.ndarray) and answer.dtype == np.bool_
    return answer.astype(float) if is_bool else answer


# --- XOR ------------------------------------------------------------------------------------------

_CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


@check(points=2.0)
def xor_network(steps, xor_network, *, seed=0):
    """`xor_network()` returns W1, b1, w2, b2 of two step neurons and one that compute XOR."""
    shapes = {"W1": (2, 2), "b1": (2,), "w2": (2,), "b2": ()}
    answer = call(xor_network, returns=tuple(shapes))
    weights = {}
    with steps("weights of the right shapes", 0.4):
        for name, shape in shapes.items():
            weights[name] = _weights(name, answer[name], shape)
    with steps("the four corners: 0, 1, 1, 0", 1.2):
        _complete(weights, shapes)
        _judge_xor(weights)
    with steps("the same with inputs that are off by 0.05", 0.4, after_all=True):
        rng = np.random.default_rng(seed)
        shifts = rng.choice([-0.05, 0.05], size=(8, 4, 2))  # the corners of a square around each
        for shift in [*shifts, np.zeros((4, 2)) + 0.05, np.zeros((4, 2)) - 0.05]:
            if (wrong := _wrong_corner(weights, _CORNERS + shift)) is not None:
                x = (_CORNERS + shift)[wrong]
                fact = (
                    f"At ({x[0]:g}, {x[1]:g}) the network answers otherwise than at "
                    f"({_CORNERS[wrong, 0]:g}, {_CORNERS[wrong, 1]:g})"
                )
                why = "a line passes through that corner or close by. Move it halfway to the next."
                raise Hint(f"{fact}: {why}", f"{fact}.")


def _judge_xor(weights):
    wrong = _wrong_corner(weights, _CORNERS)
    if wrong is None:
        return
    hidden = _step(_CORNERS @ weights["W1"].T + weights["b1"])  # (4, 2)
    answers = _step(hidden @ weights["w2"] + weights["b2"])
    table = "; ".join(
        f"({x[0]:g}, {x[1]:g}) gives h = ({h[0]:g}, {h[1]:g}), y = {y:g}"
        for x, h, y in zip(_CORNERS, hidden, answers, strict=True)
    )
    fact = hint = f"Your network computes: {table}. XOR is 0, 1, 1, 0."
    if np.array_equal(answers, [1, 0, 0, 1]):
        hint += " That is its opposite: turn the signs of w2 and b2 around."
    elif np.array_equal(answers, [0, 1, 1, 1]):
        hint += " That is OR: (1, 1) has to be taken out again."
    elif np.array_equal(hidden[1], hidden[0]) or np.array_equal(hidden[1], hidden[3]):
        hint += (
            " The hidden neurons do not tell (0, 1) from a corner with another answer, so what "
            "follows cannot either. Change the first layer."
        )
    elif np.array_equal(hidden[2], hidden[0]) or np.array_equal(hidden[2], hidden[3]):
        hint += (
            " The hidden neurons do not tell (1, 0) from a corner with another answer, so what "
            "follows cannot either. Change the first layer."
        )
    elif np.array_equal(hidden[:, 0], hidden[:, 1]):
        hint += " The two hidden neurons always agree: one of them is wasted."
    else:
        hint += " The hidden neurons may do: look at the last one."
    raise Hint(hint, fact)


def _wrong_corner(weights, x):
    """Index of the first corner with a wrong answer, or None."""
    hidden = _step(x @ weights["W1"].T + weights["b1"])
    answers = _step(hidden @ weights["w2"] + weights["b2"])
    wrong = np.flatnonzero(answers != [0, 1, 1, 0])
    return int(wrong[0]) if len(wrong) else None


def _step(z):
    return (z > 0).astype(float)


def _weights(name, got, shape):
    """An array of finite numbers of this shape, or a `Hint`; None stands for any length."""
    array = as_numbers(name, got).astype(float)
    if not shape and array.size == 1:
        array = array.reshape(())
    fits = len(array.shape) == len(shape) and all(
        wanted in (None, length) for wanted, length in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = f"shape {shape}" if shape else "one number"
        if None in shape:
            wanted = "shape (H,), one entry for each hidden unit"
        raise Hint(f"`{name}` has shape {array.shape}, expected {wanted}.")
    if not np.isfinite(array).all():
        raise Hint(f"`{name}` holds {array[~np.isfinite(array)][0]}: use finite weights.")
    return array


def _complete(weights, names):
    if len(weights) < len(names):
        raise Hint("The weights above come first.")


# --- softmax --------------------------------------------------------------------------------------


def _right_softmax(z, axis=1):
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


@check(points=2.0)
def softmax(steps, softmax, *, seed=0):
    """`softmax(z)` returns the probabilities of scores z (B, K), row by row."""
    rng = np.random.default_rng(seed)
    sizes = {"B": 5, "K": 3}
    z = 2 * rng.normal(size=(5, 3))
    answer = call(softmax, z=z, returns=("p",))
    e, sums = np.exp(z), z.sum(axis=1, keepdims=True)
    usual = [
        (
            _right_softmax(z, axis=0),
            "each column sums to 1. Sum over the classes of an example, axis 1.",
        ),
        (
            e / e.sum(),
            "all entries together sum to 1. Each example is on its own: sum over axis 1.",
        ),
        (e, "this is exp(z): divide by the sum of each row."),
        (z / sums, "these are the scores divided by their sum: the exp is missing."),
        (
            1 / (1 + np.exp(-z)),
            "this is the sigmoid of each score; the softmax compares the scores with each other.",
        ),
        (np.log(_right_softmax(z)), "this is the log of the probabilities."),
        (
            z == z.max(axis=1, keepdims=True),
            "this puts everything on the largest score: a softmax is softer.",
        ),
    ]
    with steps("the probabilities, (B, K)", 1.0):
        compare("p", answer["p"], _right_softmax(z), usual=usual, sizes=sizes)
    with steps("scores of 1000 and -1000", 0.7):
        extreme = rng.permuted([[1000.0, 0.0, -1000.0], [1000.0, 1000.0, 0.0]], axis=1)
        large = call(softmax, z=extreme, returns=("p",))
        advice = (
            "exp(1000) is too large for a number, and inf / inf is nan. Adding the same number to "
            "all scores of an example does not change its softmax: subtract the row's largest "
            "score first."
        )
        compare("p", large["p"], _right_softmax(extreme), advice=advice)
    with steps("a batch of one, and z left as it was", 0.3, after_all=True):
        untouched(answer)
        one = call(softmax, z=z[:1], returns=("p",))
        compare("p", one["p"], _right_softmax(z[:1]), advice="Does a batch of one differ?")


# --- a network ------------------------------------------------------------------------------------


@check(points=2.5)
def forward(steps, forward, *, seed=0):
    """`forward(x, layers)` returns the probabilities of a network given as a list of (W, b)."""
    rng = np.random.default_rng(seed)

    def network(*sizes):
        return [
            (rng.normal(size=(after, before)) * np.sqrt(2 / before), rng.normal(size=after) / 2)
            for before, after in pairwise(sizes)
        ]

    def judge(x, layers, advice):
        answer = call(forward, x=x, layers=layers, returns=("p",))
        sizes = {"B": len(x), "D": x.shape[1], "K": len(layers[-1][1])}
        compare("p", answer["p"], _run(x, layers), usual=_wrong_networks(x, layers),
                sizes=sizes, advice=advice)  # fmt: skip
        return answer

    x = rng.normal(size=(6, 3))
    with steps("one layer: scores and a softmax", 0.6):
        judge(x, network(3, 4), "One layer alone is the last one: x W^T + b, then the softmax.")
    with steps("two layers: a ReLU between them", 1.0):
        answer = judge(x, network(3, 5, 4), "x W^T + b, ReLU, x W^T + b, softmax.")
    with steps("ten layers", 0.6):
        judge(x, network(3, *[7] * 9, 4), "Every layer but the last has a ReLU behind it.")
    with steps("x and the layers left as they were", 0.3, after_all=True):
        untouched(answer)


def _run(x, layers, hidden=lambda z: np.maximum(0, z), last=_right_softmax, bias=True):
    for W, b in layers[:-1]:
        x = hidden(x @ W.T + b * bias)
    W, b = layers[-1]
    return last(x @ W.T + b * bias)


def _wrong_networks(x, layers):
    relu = lambda z: np.maximum(0, z)
    sigmoid = lambda z: 1 / (1 + np.exp(-z))
    cases = [
        (
            _run(x, layers, last=lambda z: z),
            "these are the scores of the last layer: the softmax is missing.",
        ),
        (_run(x, layers, bias=False), "the biases are missing."),
        (
            _run(x, layers, last=lambda z: _right_softmax(relu(z))),
            "the last layer has no ReLU: it would throw away every negative score.",
        ),
        (
            _run(x, layers, last=lambda z: _right_softmax(z, axis=0)),
            "the softmax runs over the classes of an example, axis 1.",
        ),
    ]
    if len(layers) == 1:
        return cases
    between = "between the layers; here it is a ReLU, max(0, z)."
    return [
        *cases,
        (
            _run(x, layers, hidden=lambda z: z),
            "the ReLU between the layers is missing: without it, any number of layers is one.",
        ),
        (_run(x, layers, hidden=np.tanh), f"there is a tanh {between}"),
        (_run(x, layers, hidden=sigmoid), f"there is a sigmoid {between}"),
        (
            _run(x, layers, hidden=_right_softmax),
            "there is a softmax behind every layer; it belongs behind the last one alone.",
        ),
    ]


# --- counting -------------------------------------------------------------------------------------


@check(points=1.0)
def count_parameters(steps, count_parameters, *, seed=0):
    """`count_parameters(sizes)` returns the numbers of weights and of biases."""
    rng = np.random.default_rng(seed)
    # The first is the network of a lecture that counts 82 parameters where there are 81.
    lists = [[3, 5, 4, 5, 2], [784, 300, 10], [4, 1], rng.integers(2, 30, 6).tolist()]
    answers = [
        call(count_parameters, sizes=sizes, returns=("weights", "biases")) for sizes in lists
    ]
    with steps("the weights", 0.5):
        for sizes, answer in zip(lists, answers, strict=True):
            pairs = list(pairwise(sizes))
            weights = sum(before * after for before, after in pairs)
            usual = [
                (weights + sum(sizes[1:]), "the biases are counted in: give them apart."),
                (
                    int(np.prod(sizes)),
                    "only neighbors are connected: add up one product for each pair.",
                ),
                (
                    sum(before + after for before, after in pairs),
                    "a layer of b units after one of a has a times b weights.",
                ),
            ]
            _whole("weights", answer["weights"], weights, sizes, usual)
    with steps("the biases", 0.5):
        for sizes, answer in zip(lists, answers, strict=True):
            usual = [
                (sum(sizes), "the inputs compute nothing, so they have no bias."),
                (sum(sizes[1:-1]), "the outputs compute something, so they have a bias, too."),
                (len(sizes) - 1, "every unit has a bias of its own, not every layer."),
            ]
            _whole("biases", answer["biases"], sum(sizes[1:]), sizes, usual)


def _whole(name, got, right, sizes, usual):
    value = float(number(name, got))
    if value == right:
        return
    fact = f"`{name}` of {sizes} is {value:.10g}, expected {right}"
    for wrong, hint in usual:
        if value == wrong:
            raise Hint(f"{fact}: {hint}", f"{fact}.")
    raise Hint(f"{fact}.")


# --- a hat ----------------------------------------------------------------------------------------


@check(points=1.5)
def hat(steps, hat, *, seed=0):
    """`hat(left, peak, right)` returns w, b, v, c of a ReLU network that draws a hat."""
    rng = np.random.default_rng(seed)
    a, first, second = rng.uniform(-2, 2), *rng.uniform(0.5, 2, 2)
    cases = [(0.0, 1.0, 2.0), (a, a + first, a + first + second), (-3.0, -2.5, 1.0)]
    networks = [
        _hat_network(call(hat, left=left, peak=peak, right=right, returns=("w", "b", "v", "c")))
        for left, peak, right in cases
    ]

    def judge(where, right, says):
        """All three hats at the places `where(left, peak, right)`."""
        for case, network in zip(cases, networks, strict=True):
            x = np.asarray(where(*case))
            got, wanted = network(x), np.asarray(right(x, *case))
            wrong = np.flatnonzero(~np.isclose(got, wanted, rtol=1e-4, atol=1e-4))
            if len(wrong):
                at, (left, peak, end) = wrong[0], case
                fact = (
                    f"For left = {left:.3g}, peak = {peak:.3g}, right = {end:.3g}, your network is "
                    f"{got[at]:.4g} at x = {x[at]:.4g}, expected {wanted[at]:.4g}."
                )
                raise Hint(f"{fact} {says}", fact)

    with steps("0 up to `left`", 0.3):
        judge(
            lambda left, peak, right: np.linspace(left - 5, left, 11),
            lambda x, *_: np.zeros_like(x),
            "Left of all corners every ReLU should be off: w_i = 1 and b_i = -corner do that.",
        )
    with steps("straight up to 1 at `peak`", 0.5):
        judge(
            lambda left, peak, right: np.linspace(left, peak, 11),
            lambda x, left, peak, right: (x - left) / (peak - left),
            "Between left and peak the slope is 1 / (peak - left).",
        )
    with steps("straight down to 0 at `right`", 0.4):
        judge(
            lambda left, peak, right: np.linspace(peak, right, 11),
            lambda x, left, peak, right: (right - x) / (right - peak),
            "At the peak the slope changes from 1 / (peak - left) to -1 / (right - peak): the "
            "second v is the difference of the two.",
        )
    with steps("0 from `right` on", 0.3):
        judge(
            lambda left, peak, right: np.linspace(right, right + 5, 11),
            lambda x, *_: np.zeros_like(x),
            "Behind `right` the line goes on falling, unless a third corner brings its slope back "
            "to 0.",
        )


def _hat_network(answer):
    """The function that the student's weights describe; calling it may raise a `Hint`."""

    def network(x):
        w, b, v = (_weights(name, answer[name], (None,)) for name in ("w", "b", "v"))
        c = _weights("c", answer["c"], ())
        if not len(w) == len(b) == len(v):
            raise Hint(
                f"`w`, `b` and `v` have {len(w)}, {len(b)} and {len(v)} entries: each hidden unit "
                "has one of each."
            )
        return np.maximum(0, x[:, None] * w + b) @ v + c

    return network
