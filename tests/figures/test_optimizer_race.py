"""The optimizer race: its surfaces, its paths against PyTorch's optimizers, what it refuses."""

import math

import numpy as np
import pytest

from dlcourse.autograd import check_gradient
from dlcourse.figures import optimizer_race

torch = pytest.importorskip("torch")
path, steps_to = optimizer_race.path, optimizer_race.steps_to
module = __import__("sys").modules["dlcourse.figures.optimizer_race"]
SURFACES, OPTIMIZERS, STEPS = module.SURFACES, module.OPTIMIZERS, module.STEPS


def by_torch(name, surface, start, settings, steps):
    """The same path with PyTorch's own optimizer and autograd, in float64."""
    heights = {
        "bowl": lambda x, y: (x**2 + 2 * y**2) / 4,
        "ravine": lambda x, y: (x**2 + 30 * y**2) / 4,
        "rosenbrock": lambda x, y: ((1 - x) ** 2 + 100 * (y - x**2) ** 2) / 50,
        "beale": lambda x, y: (
            sum((c - x * (1 - y**n)) ** 2 for n, c in ((1, 1.5), (2, 2.25), (3, 2.625))) / 10
        ),
        "saddle": lambda x, y: (x**2 - y**2) / 4 + y**4 / 16 + 1 / 4,
        "many": lambda x, y: (x**2 + y**2) / 20 + 1 - (torch.cos(2 * x) + torch.cos(2 * y)) / 2,
    }
    kinds = {"Momentum": "SGD", "Nesterov": "SGD"}
    options = dict(settings)
    if "beta1" in options:
        options["betas"] = (options.pop("beta1"), options.pop("beta2"))
    if name == "Nesterov":
        options["nesterov"] = True
    weights = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer = getattr(torch.optim, kinds.get(name, name))([weights], **options)
    points = []
    for _ in range(steps + 1):
        loss = heights[surface](*weights)
        points.append((*weights.tolist(), loss.item()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return points


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("surface", SURFACES)
def test_a_path_is_that_of_pytorch(name, surface):
    start = SURFACES[surface].start
    ours = path(name, surface, start, OPTIMIZERS[name], 50)
    theirs = by_torch(name, surface, start, OPTIMIZERS[name], 50)
    assert len(ours) == 51
    np.testing.assert_allclose(ours, theirs, rtol=1e-7, atol=1e-9)


OTHERS = {
    "lr": 0.03,
    "momentum": 0.7,
    "alpha": 0.8,
    "beta1": 0.6,
    "beta2": 0.9,
    "weight_decay": 0.4,
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_setting_reaches_the_optimizer(name):
    settings = {key: OTHERS[key] for key in OPTIMIZERS[name]}
    ours = path(name, "many", (2.0, -3.0), settings, 30)
    np.testing.assert_allclose(ours, by_torch(name, "many", (2.0, -3.0), settings, 30), rtol=1e-7)


@pytest.mark.parametrize(
    ("surface", "places"),
    [
        ("bowl", [(0, 0)]),
        ("ravine", [(0, 0)]),
        ("rosenbrock", [(1, 1)]),
        ("beale", [(3, 0.5)]),
        ("saddle", [(0, math.sqrt(2)), (0, -math.sqrt(2))]),
        ("many", [(0, 0)]),
    ],
)
def test_the_lowest_loss_is_zero_where_it_should_be(surface, places):
    one = SURFACES[surface]
    xs, ys = np.linspace(*one.x, 201), np.linspace(*one.y, 201)
    assert module._heights(one, xs, ys).min() >= -1e-12
    for x, y in places:
        assert module._heights(one, np.array([x]), np.array([y])) == pytest.approx(0, abs=1e-12)
        assert one.x[0] < x < one.x[1]
        assert one.y[0] < y < one.y[1]


def test_there_is_a_saddle_and_there_are_many_minima():
    point = np.array([0.0])
    assert module._heights(SURFACES["saddle"], point, point) == 0.25
    xs = np.linspace(-6, 6, 401)
    row = module._heights(SURFACES["many"], xs, point)[0]
    assert ((row[1:-1] < row[:-2]) & (row[1:-1] < row[2:])).sum() == 5  # and 25 on the whole


@pytest.mark.parametrize("surface", SURFACES)
def test_gradients_are_right(surface):
    one = SURFACES[surface]
    assert check_gradient(one.height, np.array([0.7]), np.array([-1.1])) < 1e-6


def test_a_path_ends_where_it_diverges():
    points = path("SGD", "ravine", (1, 1), {"lr": 2.0})
    assert len(points) < 10
    assert max(abs(points[-1][0]), abs(points[-1][1])) <= 1e6
    assert steps_to(points, 0.01) is None


def test_steps_to_counts_from_the_start():
    points = path("SGD", "bowl", (2, 0), {"lr": 1.0})  # each step halves x
    assert [point[0] for point in points[:3]] == [2, 1, 0.5]
    assert steps_to(points, 1.0) == 0
    assert steps_to(points, 0.25) == 1
    assert steps_to(points, 0.24) == 2


def test_the_state_holds_the_arguments_and_alt_tells_the_end():
    figure = optimizer_race("bowl", ["Adam"], (1, 1), {"Adam": {"lr": 0.5}}, step=10)
    assert figure.start == [1.0, 1.0]
    assert figure.settings["Adam"] == {"lr": 0.5, "beta1": 0.9, "beta2": 0.999}
    assert figure.settings["SGD"] == OPTIMIZERS["SGD"]
    end = path("Adam", "bowl", (1, 1), figure.settings["Adam"], 10)[-1][2]
    assert f"Adam at {end:.2g}." in figure.alt
    assert figure.fallback_svg.count("<path") > 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"surface": "hill"}, "surface: 'hill' came; expected one of bowl, ravine"),
        ({"runners": ["Adam", "Adam"]}, "runners: .* each at most once"),
        ({"runners": ["adam"]}, "expected a list of names out of SGD"),
        ({"runners": "SGD"}, "expected a list of names"),
        ({"start": (1, math.nan)}, "expected two numbers from -6 to 6"),
        ({"start": (1, 2, 3)}, "expected two numbers from -6 to 6"),
        ({"settings": {"Adam": {"lr": 9}}}, "for lr of Adam a number from 0.0001 to 2"),
        ({"settings": {"Adam": {"speed": 1}}}, "expected lr, beta1, beta2 for Adam"),
        ({"settings": {"adam": {"lr": 1}}}, "'adam' is none of SGD"),
        ({"tolerance": 0}, "tolerance: 0 came; expected a number from 0.0001 to 0.1"),
        ({"step": 401}, "step: 401 came; expected a whole number from 0 to 400"),
        ({"step": 1.5}, "whole number"),
        ({"step": True}, "whole number"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        optimizer_race(**arguments)


def test_a_bad_change_changes_nothing():
    figure = optimizer_race()
    before = figure.state
    for changes in ({"start": "here"}, {"shown": "Adamw"}, {"settings": {}}, {"runners": None}):
        with pytest.raises(ValueError, match="came; expected"):
            figure.update(**changes)
    assert figure.state == before
