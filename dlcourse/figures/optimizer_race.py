"""Seven optimizers start at the same point of a surface: who is down first, and by which way?

The paths are those of `dlcourse.optim`, run on tensors of `dlcourse.autograd`. The module
`optimizer_race.mjs` takes the same steps in the reader's browser.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dlcourse.figures import fields
from dlcourse.figures.base import Figure
from dlcourse.figures.still import Still

STEPS = 400
FAR = 1e6  # a path that leaves this square has diverged, and ends


@dataclass(frozen=True)
class Surface:
    """A loss of two weights: `height(x, y)` on tensors, at least 0; `x`, `y`, what is shown."""

    label: str
    height: Callable
    x: tuple[float, float]
    y: tuple[float, float]
    start: tuple[float, float]


def _bowl(x, y):
    return (x**2 + 2 * y**2) / 4


def _ravine(x, y):
    return (x**2 + 30 * y**2) / 4


def _rosenbrock(x, y):
    """Rosenbrock's (1960), divided by 50."""
    return ((1 - x) ** 2 + 100 * (y - x**2) ** 2) / 50


def _beale(x, y):
    """Beale's (1958), divided by 10."""
    return ((1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2) / 10


def _saddle(x, y):
    return (x**2 - y**2) / 4 + y**4 / 16 + 0.25


def _many(x, y):
    """A wide bowl with a cosine in each direction, after Rastrigin (1974)."""
    from dlcourse.autograd import ops

    @ops.op
    def cos(z, /):
        import numpy as np

        return np.cos(z), lambda g: -g * np.sin(z)

    return (x**2 + y**2) / 20 + 1 - (cos(2 * x) + cos(2 * y)) / 2


SURFACES = {
    "bowl": Surface("Bowl", _bowl, (-4, 4), (-3, 3), (-3.2, 2)),
    "ravine": Surface("Ravine", _ravine, (-4, 4), (-2, 2), (-3.4, 1.2)),
    "rosenbrock": Surface("Rosenbrock’s valley", _rosenbrock, (-2, 2), (-1, 3), (-1.4, 2.2)),
    "beale": Surface("Beale’s plateaus", _beale, (-4.5, 4.5), (-2, 2), (1, 1.5)),
    "saddle": Surface("Saddle", _saddle, (-3, 3), (-3, 3), (-2.4, 0.01)),
    "many": Surface("Many minima", _many, (-6, 6), (-6, 6), (-4.4, 3.8)),
}

OPTIMIZERS = {
    "SGD": {"lr": 0.05},
    "Momentum": {"lr": 0.02, "momentum": 0.9},
    "Nesterov": {"lr": 0.02, "momentum": 0.9},
    "Adagrad": {"lr": 0.5},
    "RMSprop": {"lr": 0.02, "alpha": 0.99},
    "Adam": {"lr": 0.1, "beta1": 0.9, "beta2": 0.999},
    "AdamW": {"lr": 0.1, "beta1": 0.9, "beta2": 0.999, "weight_decay": 0.01},
}
"""The optimizers with the settings they start with, named as in `dlcourse.optim`."""

LIMITS = {
    "lr": fields.Number(0.0001, 2),
    "momentum": fields.Number(0.01, 0.99),
    "alpha": fields.Number(0, 0.999),
    "beta1": fields.Number(0, 0.99),
    "beta2": fields.Number(0, 0.999),
    "weight_decay": fields.Number(0, 1),
}


def _optimizer(name, weights, settings):
    from dlcourse import optim

    settings = dict(settings)
    if "beta1" in settings:
        settings["betas"] = (settings.pop("beta1"), settings.pop("beta2"))
    kinds = {"Momentum": optim.SGD, "Nesterov": optim.SGD}
    if name == "Nesterov":
        settings["nesterov"] = True
    return kinds.get(name, getattr(optim, name, None))([weights], **settings)


def path(name: str, surface: str, start: Sequence[float], settings: Mapping, steps: int = STEPS):
    """The way of one optimizer.

    Args:
        name: of the optimizer, a key of `OPTIMIZERS`.
        surface: a key of `SURFACES`.
        start: the two weights at step 0.
        settings: of the optimizer, such as {"lr": 0.1}.
        steps: how many. Default 400.

    Returns:
        A list of (x, y, loss), from the start on; shorter than steps + 1 where the path diverged.
    """
    import numpy as np

    from dlcourse.autograd import Tensor

    weights = Tensor(np.array(start, dtype=np.float64), requires_grad=True)
    optimizer = _optimizer(name, weights, settings)
    points = []
    for _ in range(steps + 1):
        loss = SURFACES[surface].height(weights[0], weights[1])
        points.append((*map(float, weights.data), loss.item()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if not np.all(np.abs(weights.data) <= FAR):
            break
    return points


def steps_to(points: Sequence, tolerance: float) -> int | None:
    """The first step of a path at which the loss is at most `tolerance`; None if there is none."""
    return next((step for step, point in enumerate(points) if point[2] <= tolerance), None)


def _expected_runners(value):
    good = isinstance(value, (list, tuple)) and len(set(map(str, value))) == len(value)
    if good and all(one in OPTIMIZERS for one in map(str, value)):
        return ""
    return f"a list of names out of {', '.join(OPTIMIZERS)}, each at most once"


def _expected_settings(value):
    if not isinstance(value, Mapping) or set(value) != set(OPTIMIZERS):
        return f"settings for each of {', '.join(OPTIMIZERS)}"
    for name, defaults in OPTIMIZERS.items():
        if not isinstance(value[name], Mapping) or set(value[name]) != set(defaults):
            return f"{', '.join(defaults)} for {name}"
        for key, number in value[name].items():
            if LIMITS[key].expected(number):
                return f"for {key} of {name} {LIMITS[key].expected(number)}"
    return ""


FIELDS = {
    "surface": fields.Choice(tuple(SURFACES)),
    "start": fields.Test(
        lambda v: "" if fields.is_point(v, (-6, 6), (-6, 6)) else "two numbers from -6 to 6"
    ),
    "runners": fields.Test(_expected_runners),
    "settings": fields.Test(_expected_settings),
    "shown": fields.Choice(tuple(OPTIMIZERS)),
    "tolerance": fields.Number(0.0001, 0.1),
    "step": fields.Number(0, STEPS, whole=True),
}


def optimizer_race(
    surface: str = "ravine",
    runners: Sequence[str] = ("SGD", "Momentum", "Adam"),
    start: Sequence[float] | None = None,
    settings: Mapping[str, Mapping[str, float]] | None = None,
    tolerance: float = 0.01,
    step: int = 60,
) -> Figure:
    """Optimizers that run down a surface from a point which the reader chooses.

    Args:
        surface: "bowl", "ravine", "rosenbrock", "beale", "saddle" or "many".
        runners: names out of SGD, Momentum, Nesterov, Adagrad, RMSprop, Adam, AdamW.
        start: the two weights at which all begin; default: a place that shows what is special.
        settings: what differs from `OPTIMIZERS`, such as {"Adam": {"lr": 0.5}}.
        tolerance: the loss that counts as arrived, from 0.0001 to 0.1.
        step: how far the paths are drawn when the figure opens, from 0 to 400.

    Returns:
        A figure whose state holds these arguments, and `shown`, whose settings are open.

    Raises:
        ValueError: for a name that is not known or a number out of its limits.
    """
    named = {"surface": surface, "runners": runners}
    fields.check({key: FIELDS[key] for key in named}, named)
    changes = dict(settings or {})
    unknown = set(changes) - set(OPTIMIZERS)
    if unknown:
        raise ValueError(f"settings: {unknown.pop()!r} is none of {', '.join(OPTIMIZERS)}")
    state = {
        "surface": surface,
        "start": [float(z) for z in (SURFACES[surface].start if start is None else start)],
        "runners": list(runners),
        "settings": {name: {**own, **changes.get(name, {})} for name, own in OPTIMIZERS.items()},
        "shown": runners[-1] if runners else "SGD",
        "tolerance": tolerance,
        "step": step,
    }
    check_state(state)
    paths = {
        name: path(name, surface, state["start"], state["settings"][name])[: step + 1]
        for name in runners
    }
    ends = ", ".join(f"{name} at {points[-1][2]:.2g}" for name, points in paths.items())
    alt = (
        f"Paths of optimizers down a surface ({SURFACES[surface].label}): the loss after {step} "
        f"steps is, for {ends or 'nobody'}."
    )
    return Figure("optimizer_race", state, alt, _still(state, paths, alt), check=check_state)


def check_state(state: Mapping):
    """Raise ValueError unless every value of the state is good."""
    fields.check(FIELDS, state)


_LOOK = [
    ("blue", ""), ("orange", "8 4"), ("green", "8 3 2 3"), ("purple", "2 3"),
    ("sky", "10 3 2 3 2 3"), ("amber", "5 3"), ("ink", "12 3"),
]  # fmt: skip


def _still(state, paths, alt) -> str:
    """The paths on the surface's contour lines."""
    import contourpy
    import numpy as np

    surface = SURFACES[state["surface"]]
    xs, ys = np.linspace(*surface.x, 61), np.linspace(*surface.y, 61)
    heights = _heights(surface, xs, ys)
    still = Still(surface.x, surface.y, "first weight", "second weight")
    contours = contourpy.contour_generator(xs, ys, heights)
    for share in np.linspace(0.15, 0.9, 7) ** 3.3:
        for lines in contours.lines(share * heights.max()):
            still.line(lines[:: max(1, len(lines) // 40)], width=0.7, opacity=0.5)
    for name, points in paths.items():
        color, dash = _LOOK[list(OPTIMIZERS).index(name)]
        way = [point[:2] for point in points]
        still.line(way, f"var(--dl-{color})", dash=dash)
        if all(
            low <= z <= high for z, (low, high) in zip(way[-1], (surface.x, surface.y), strict=True)
        ):
            still.dots(way[-1:], f"var(--dl-{color})")
    return still.svg(alt)


def _heights(surface, xs, ys):
    import numpy as np

    from dlcourse.autograd import Tensor

    x, y = np.meshgrid(xs, ys)
    return surface.height(Tensor(x), Tensor(y)).data


# The package shows the function under this module's own name; so its twins go along with it.
optimizer_race.path = path
optimizer_race.steps_to = steps_to
