"""A small network that learns in the page, in sight: data, neurons, weights and loss, step by step.

Two numbers go in, a class or a value comes out, and between them stand up to six layers of up to
eight neurons. Everything can be changed, weights included, and all that looks random follows from
a seed. The idea is the TensorFlow Playground's (Smilkov et al., 2017).

The module `playground.mjs` trains the network in the reader's browser; `train` here trains the same
one with this library, to the same numbers.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from dlcourse.figures import playground_picture
from dlcourse.figures.base import Figure

COUNT = 400
"""Points of a data set, for training and test together."""

FEATURES = {
    "x1": lambda x, y: x,
    "x2": lambda x, y: y,
    "x1^2": lambda x, y: x * x,
    "x2^2": lambda x, y: y * y,
    "x1x2": lambda x, y: x * y,
    "sin x1": lambda x, y: math.sin(x),
    "sin x2": lambda x, y: math.sin(y),
}
"""What the network may be given of a point (x, y)."""

DEFAULTS = {
    "data": "circle",
    "classes": 2,
    "noise": 0.1,
    "train": 0.5,
    "batch": 10,
    "seed": 1,
    "features": ["x1", "x2"],
    "hidden": [4, 2],
    "activation": "tanh",
    "optimizer": "SGD",
    "rate": 0.1,
    "regularization": "none",
    "penalty": 0.001,
    "points": "",
    "weights": "",
    "step": 0,
    "show_test": False,
    "discrete": False,
    "quiz": "",
}
"""All settings; they are the figure's state."""

CHOICES = {
    "data": ["circle", "xor", "gauss", "spiral", "plane", "bumps", "own"],
    "activation": ["relu", "tanh", "sigmoid", "linear"],
    "optimizer": ["SGD", "Momentum", "Nesterov", "Adagrad", "RMSprop", "Adam"],
    "regularization": ["none", "L1", "L2"],
    "quiz": ["", "two", "three", "input", "hand", "spiral"],
    "show_test": [False, True],
    "discrete": [False, True],
}
RANGES = {  # lowest, highest, whole numbers only?
    "classes": (2, 4, True),
    "noise": (0, 0.5, False),
    "train": (0.1, 1, False),
    "batch": (1, 50, True),
    "seed": (0, 999999, True),
    "rate": (0.0001, 10, False),
    "penalty": (0, 10, False),
    "step": (0, 100_000, True),
}
MAX_POINTS = 500
_NOTHING = object()
_NUMBER = r"-?\d{1,9}(\.\d{1,9})?"


# --- Settings -------------------------------------------------------------------------------------


def settings(**given) -> dict:
    """Complete settings: those given, and the figure's defaults for all others.

    Args:
        data: `"circle"`, `"xor"`, `"gauss"`, `"spiral"`, to be told apart in classes; `"plane"`,
            `"bumps"`, values to be met; or `"own"`, the `points`.
        classes: 2 to 4, for all but the regression sets. Default 2.
        noise: how far the points are scattered, 0 to 0.5. Default 0.1.
        train: share of the points that are for training, 0.1 to 1. Default 0.5.
        batch: points of one step, 1 to 50. Default 10.
        seed: a whole number, from which data, first weights and batches follow. Default 1.
        features: of `FEATURES`. Default `["x1", "x2"]`.
        hidden: up to six numbers of neurons, 1 to 8 each. Default `[4, 2]`.
        activation: `"relu"`, `"tanh"`, `"sigmoid"` or `"linear"`.
        optimizer: `"SGD"`, `"Momentum"`, `"Nesterov"`, `"Adagrad"`, `"RMSprop"`, `"Adam"`.
        rate: learning rate, 0.0001 to 10. Default 0.1.
        regularization, penalty: `"none"`, `"L1"` or `"L2"`, and its factor.
        points: own points, as (x, y, class) triples with coordinates from -6 to 6.
        weights: what training starts from, layer after layer, each a weight matrix (out, in) row by
            row and then its biases; rounded to five decimals. Default: drawn from the seed.
        step: number of steps trained, up to 100,000. Default 0.
        show_test, discrete: whether test points are shown, and the surface without half-tones.
        quiz: name of a task, `"two"`, `"three"`, `"input"`, `"hand"` or `"spiral"`.

    Returns:
        a dict with all keys; own points and weights as text, compact enough for an address.

    Raises:
        ValueError: a name or a value is not among those that the figure knows.
    """
    unknown = sorted(set(given) - set(DEFAULTS))
    if unknown:
        raise ValueError(
            f"playground has no setting {unknown[0]!r}; its settings are {', '.join(DEFAULTS)}"
        )
    state = {key: list(v) if isinstance(v, list) else v for key, v in (DEFAULTS | given).items()}
    for key in ("features", "hidden"):
        if isinstance(state[key], tuple):
            state[key] = list(state[key])
    if not isinstance(state["points"], str):
        state["points"] = _points_as_text(state["points"])
    if not isinstance(state["weights"], str):
        state["weights"] = "_".join(_short(w, 5) for w in state["weights"])
    check_state(state)
    return state


def check_state(state: Mapping):
    """Raise ValueError unless all settings are there and fit together."""
    state = dict.fromkeys(DEFAULTS, _NOTHING) | dict(state)
    for key, choices in CHOICES.items():
        if not any(type(state[key]) is type(one) and state[key] == one for one in choices):
            _refuse(key, state[key], f"one of {', '.join(map(_show, choices))}")
    for key, (low, high, whole) in RANGES.items():
        if not _is_number(state[key], whole) or not low <= state[key] <= high:
            kind = "a whole number" if whole else "a number"
            _refuse(key, state[key], f"{kind} from {_show(low)} to {_show(high)}")
    names, hidden = state["features"], state["hidden"]
    if (
        not isinstance(names, list)
        or not names
        or any(not isinstance(name, str) or name not in FEATURES for name in names)
        or len(set(names)) < len(names)
    ):
        _refuse("features", names, f"one or more of {', '.join(FEATURES)}")
    if (
        not isinstance(hidden, list)
        or len(hidden) > 6
        or any(not _is_number(size, True) or not 1 <= size <= 8 for size in hidden)
    ):
        _refuse("hidden", hidden, "up to six whole numbers from 1 to 8")
    _check_points(state["points"], state["classes"], needed=state["data"] == "own")
    _check_weights(state)


def _check_points(text, classes, needed):
    point = rf"{_NUMBER}_{_NUMBER}_\d"
    if not isinstance(text, str):
        _refuse("points", text, "text such as 1.5_-2_0~3_1_1")
    if not text and not needed:
        return
    if len(text) > 30 * MAX_POINTS or text.count("~") >= MAX_POINTS:
        raise ValueError(f"points: too many came; expected at most {MAX_POINTS}")
    if not re.fullmatch(rf"{point}(~{point})+", text, re.ASCII):
        _refuse("points", text, "two or more, as text such as 1.5_-2_0~3_1_1")
    for x, y, k in _read_points(text):
        if abs(x) > 6 or abs(y) > 6 or k >= classes:
            raise ValueError(
                f"points: {_short(x, 2)}_{_short(y, 2)}_{k} came; "
                f"expected x and y from -6 to 6 and a class below {classes}"
            )


def _check_weights(state):
    text, count = state["weights"], sum((n + 1) * m for n, m in _shapes(state))
    if text == "":
        return
    if not isinstance(text, str) or not re.fullmatch(rf"{_NUMBER}(_{_NUMBER})*", text, re.ASCII):
        _refuse("weights", text, "text such as 0.5_-1.25")
    came = text.count("_") + 1
    if came != count:
        raise ValueError(f"weights: {came} came; expected {count} for this network")


def _refuse(key, value, expected):
    raise ValueError(f"{key}: {_show(value)} came; expected {expected}")


def _show(value) -> str:
    """A value as the module writes it, shortened."""
    if value is _NOTHING:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=repr)
    return f"{text[:30]}…" if len(text) > 30 else text


def _is_number(value, whole):
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return value == value // 1 if whole else math.isfinite(value)


def _points_as_text(points) -> str:
    try:
        return "~".join(f"{_short(x, 2)}_{_short(y, 2)}_{int(k)}" for x, y, k in points)
    except (TypeError, ValueError):
        raise ValueError(
            f"points: {_show(points)} came; expected triples (x, y, class), such as (1.5, -2, 0)"
        ) from None


def _short(number, decimals) -> str:
    """At most so many decimals, and no zeros at the end."""
    text = f"{float(number):.{decimals}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _read_points(text):
    triples = (point.split("_") for point in text.split("~"))
    return [(float(x), float(y), int(k)) for x, y, k in triples]


# --- What follows from the seed -------------------------------------------------------------------


class Random:
    """Random numbers that are the same in Python and in a browser: xorshift (Marsaglia, 2003).

    Args:
        seed: a whole number of at least 0.
        stream: 0 for the data, 1 for the weights, 2 for the batches.
    """

    def __init__(self, seed: int, stream: int):
        self.x = 2654435769 * (3 * seed + stream + 1) % 2**32

    def __call__(self, low: float = 0.0, high: float = 1.0) -> float:
        """The next number between `low` and `high`."""
        self.x ^= self.x << 13 & 0xFFFFFFFF
        self.x ^= self.x >> 17
        self.x ^= self.x << 5 & 0xFFFFFFFF
        return low + (high - low) * (self.x / 2**32)

    def shuffle(self, items: list):
        """Put the items of a list into a random order (Durstenfeld, 1964)."""
        for i in range(len(items) - 1, 0, -1):
            j = int(self() * (i + 1))
            items[i], items[j] = items[j], items[i]


def points(state: Mapping) -> list[tuple[float, float, float]]:
    """The data set as (x, y, target), those for training first; targets are classes or values."""
    if state["data"] == "own":
        return _read_points(state["points"])
    random, classes, noise = Random(state["seed"], 0), state["classes"], state["noise"]
    draw = {
        "circle": _circle, "xor": _xor, "gauss": _gauss, "spiral": _spiral,
        "plane": _plane, "bumps": _bumps,
    }[state["data"]]  # fmt: skip
    made = []
    for i in range(COUNT):
        x, y, target = draw(random, i, classes)
        if is_regression(state):
            made.append((x, y, target + random(-1, 1) * noise))
        else:
            made.append((x + random(-4, 4) * noise, y + random(-4, 4) * noise, target))
    random.shuffle(made)
    return made


def _circle(random, i, classes):
    """Rings around the middle, one for each class."""
    k = i % classes
    radius = random((5 * k + (2 if k else 0)) / classes, 5 * (k + 1) / classes)
    angle = random(0, 2 * math.pi)
    return radius * math.cos(angle), radius * math.sin(angle), k


def _xor(random, i, classes):
    """Quadrants whose classes alternate."""
    x, y = random(-5, 5), random(-5, 5)
    quadrant = (0 if y > 0 else 3) if x > 0 else (1 if y > 0 else 2)
    return x + math.copysign(0.3, x), y + math.copysign(0.3, y), quadrant % classes


def _gauss(random, i, classes):
    """A cloud with a standard deviation of 0.8 for each class (Box and Muller, 1958)."""
    k = i % classes
    place = math.pi / 4 + 2 * math.pi * k / classes
    radius, angle = 0.8 * math.sqrt(-2 * math.log(random())), random(0, 2 * math.pi)
    return (
        2.8 * math.cos(place) + radius * math.cos(angle),
        2.8 * math.sin(place) + radius * math.sin(angle),
        k,
    )


def _spiral(random, i, classes):
    """An arm for each class, wound around the others'."""
    k, t = i % classes, i / COUNT
    angle = 2 * math.pi * (3.5 * t + k) / classes
    return 5 * t * math.cos(angle), 5 * t * math.sin(angle), k


def _plane(random, i, classes):
    """A value that rises along the diagonal."""
    x, y = random(-6, 6), random(-6, 6)
    return x, y, (x + y) / 12


def _bumps(random, i, classes):
    """Six cones of height 1 and -1 in turns."""
    x, y = random(-6, 6), random(-6, 6)
    value = 0.0
    for row in (-1, 1):
        for column in (-1, 0, 1):
            sign = row * (1 if column else -1)
            distance = math.sqrt((x - 4 * column) ** 2 + (y - 2.5 * row) ** 2)
            value += sign * max(0.0, 1 - distance / 2)
    return x, y, value


def is_regression(state: Mapping) -> bool:
    """Are the targets values rather than classes?"""
    return state["data"] in ("plane", "bumps")


def examples(state: Mapping):
    """The data as arrays for training and test.

    Returns:
        features (B, D) and targets of the training points, then of the test points, in float64;
        targets are integers (B,) for three and four classes, else numbers (B, 1).
    """
    import numpy as np

    made = points(state)
    inputs = np.array([[FEATURES[name](x, y) for name in state["features"]] for x, y, _ in made])
    targets = np.array([target for _, _, target in made])
    targets = targets.astype(int) if _outputs(state) > 1 else targets[:, None].astype(float)
    cut = _training_count(state, len(made))
    return inputs[:cut], targets[:cut], inputs[cut:], targets[cut:]


def _training_count(state, count):
    return max(1, math.floor(count * state["train"] + 0.5))


def _outputs(state):
    """One score for two classes and one value in regression, else a score for each class."""
    return 1 if is_regression(state) or state["classes"] == 2 else state["classes"]


def _shapes(state):
    """(inputs, outputs) of each layer."""
    sizes = [len(state["features"]), *state["hidden"], _outputs(state)]
    return list(pairwise(sizes))


def weights(state: Mapping) -> list:
    """What training starts from: weight (out, in) and bias (out,) of each layer in turn, float64.

    Drawn from the seed, biases are 0 and weights uniform within the square root of
    6 / (in + out) (Glorot and Bengio, 2010).
    """
    import numpy as np

    random, arrays = Random(state["seed"], 1), []
    given = iter([float(w) for w in state["weights"].split("_")] if state["weights"] else [])
    for n, m in _shapes(state):
        limit = math.sqrt(6 / (n + m))
        for shape, bound in (((m, n), limit), ((m,), 0.0)):
            count = math.prod(shape)
            if state["weights"]:
                numbers = [next(given) for _ in range(count)]
            else:
                numbers = [bound and random(-1, 1) * bound for _ in range(count)]
            arrays.append(np.array(numbers).reshape(shape))
    return arrays


def batches(state: Mapping, steps: int) -> Iterator[list[int]]:
    """The training points of each step: all of them in a random order, then anew."""
    random = Random(state["seed"], 2)
    order = list(range(_training_count(state, len(points(state)))))
    done = 0
    while done < steps:
        random.shuffle(order)
        for start in range(0, len(order), state["batch"]):
            if done < steps:
                yield order[start : start + state["batch"]]
                done += 1


# --- The network ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trained:
    """What `train` returns: the model, and the mean losses (no penalty in them; None: no test)."""

    model: object
    loss: float
    test_loss: float | None


def train(**given) -> Trained:
    """Train the figure's network with this library, in float64: the same steps, the same numbers.

    Args:
        given: as in `settings`; `step` says for how many steps.
    """
    from dlcourse.autograd import Tensor, losses, nn, no_grad, ops

    state = settings(**given)
    x, t, x_test, t_test = examples(state)
    shapes, layers = _shapes(state), []
    for position, (n, m) in enumerate(shapes):
        layers.append(nn.Linear(n, m))
        if position < len(shapes) - 1 and state["activation"] != "linear":
            layers.append({"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}[
                state["activation"]
            ]())  # fmt: skip
    model = nn.Sequential(*layers)
    for parameter, array in zip(model.parameters(), weights(state), strict=True):
        parameter.data = array
    if is_regression(state):
        measure = losses.mse_loss
    elif _outputs(state) == 1:
        measure = losses.binary_cross_entropy_with_logits
    else:
        measure = losses.cross_entropy
    optimizer = _optimizer(state, model.parameters())
    for batch in batches(state, state["step"]):
        loss = measure(model(Tensor(x[batch])), t[batch])
        for name, weight in model.named_parameters():
            if name.endswith("weight") and state["regularization"] == "L1":
                loss = loss + state["penalty"] * ops.abs(weight).sum()
            if name.endswith("weight") and state["regularization"] == "L2":
                loss = loss + state["penalty"] / 2 * (weight**2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with no_grad():
        test_loss = measure(model(Tensor(x_test)), t_test).item() if len(x_test) else None
        return Trained(model, measure(model(Tensor(x)), t).item(), test_loss)


def _optimizer(state, parameters):
    from dlcourse import optim

    name, lr = state["optimizer"], state["rate"]
    if name == "Momentum":
        return optim.SGD(parameters, lr, momentum=0.9)
    if name == "Nesterov":
        return optim.SGD(parameters, lr, momentum=0.9, nesterov=True)
    return getattr(optim, name)(parameters, lr=lr)


# --- The figure -----------------------------------------------------------------------------------

_NAMES = {
    "circle": "a ring around a disc", "xor": "quadrants", "gauss": "clouds", "spiral": "spirals",
    "plane": "a plane", "bumps": "bumps", "own": "points of one's own",
}  # fmt: skip


def playground(**given) -> Figure:
    """A network that the reader builds and trains in the page, on points in the plane.

    Args:
        given: any of the settings, see `settings`: `playground(data="spiral", hidden=[8, 8])`.

    Returns:
        A figure whose state are the settings.

    Raises:
        ValueError: a setting is unknown or out of range.
    """
    state = settings(**given)
    sizes = "-".join(str(n) for n, _ in _shapes(state)) + f"-{_outputs(state)}"
    alt = f"A {sizes} network that learns {_NAMES[state['data']]}, to be built and trained."
    picture = playground_picture.draw(state, points(state), weights(state), alt)
    return Figure("playground", state, alt, picture, check=check_state)


# The package shows the function under this module's own name; so all that copied code needs goes
# along with it.
for _function in (settings, points, examples, weights, batches, train):
    setattr(playground, _function.__name__, _function)
playground.check = check_state
playground.features = tuple(FEATURES)
