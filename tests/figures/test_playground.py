"""The playground's Python side: data, first weights and batches; training against PyTorch."""

import json
import math
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from dlcourse.autograd import Tensor
from dlcourse.figures import playground
from dlcourse.figures.playground import Random

SVG = "{http://www.w3.org/2000/svg}"
CLASSES = ["circle", "xor", "gauss", "spiral"]
VALUES = ["plane", "bumps"]


# Random numbers, data, weights, batches ----------------------------------------------------------


def test_random_numbers_are_uniform_and_depend_on_seed_and_stream():
    random = Random(7, 0)
    numbers = np.array([random() for _ in range(20_000)])
    assert 0 < numbers.min() < 0.001 < 0.999 < numbers.max() < 1
    counts, _ = np.histogram(numbers, 20, (0, 1))
    assert (np.abs(counts - 1000) < 5 * math.sqrt(1000)).all()
    assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.03
    firsts = np.array([[Random(seed, k)() for k in range(3)] for seed in range(2000)])
    assert len(np.unique(firsts)) == firsts.size
    assert np.abs(np.corrcoef(firsts.T) - np.eye(3)).max() < 0.08
    assert abs(np.corrcoef(firsts[:-1, 0], firsts[1:, 0])[0, 1]) < 0.5


def test_the_generator_is_marsaglias():
    random = Random(0, 0)
    x = np.uint32(2654435769)
    for _ in range(50):
        x ^= x << np.uint32(13)
        x ^= x >> np.uint32(17)
        x ^= x << np.uint32(5)
        assert random() == int(x) / 2**32


@pytest.mark.parametrize("data", CLASSES)
@pytest.mark.parametrize("classes", [2, 3, 4])
def test_classes_are_balanced_and_apart_without_noise(data, classes):
    state = playground.settings(data=data, classes=classes, noise=0, seed=3)
    x, y, k = np.array(playground.points(state)).T
    assert len(x) == 400
    counts = np.bincount(k.astype(int), minlength=classes)
    assert counts.min() > 400 / classes * (0.6 if data == "xor" else 0.99)
    if data == "circle":
        radius = np.hypot(x, y)
        inner = [radius[k == i].max() for i in range(classes - 1)]
        outer = [radius[k == i + 1].min() for i in range(classes - 1)]
        assert (np.array(outer) - inner >= 2 / classes - 1e-9).all()
    if data == "xor":
        assert np.abs([x, y]).min() >= 0.3
        if classes == 2:
            assert ((x * y < 0) == (k == 1)).all()
    if data == "gauss":
        centers = [(x[k == i].mean(), y[k == i].mean()) for i in range(classes)]
        angles = math.pi / 4 + 2 * math.pi * np.arange(classes) / classes
        np.testing.assert_allclose(
            centers, 2.8 * np.array([np.cos(angles), np.sin(angles)]).T, atol=0.3
        )
        spread = [x[k == i].std() for i in range(classes)]
        np.testing.assert_allclose(spread, 0.8, atol=0.15)
    if data == "spiral":
        angle = (2 * math.pi * (3.5 * np.hypot(x, y) / 5 + k)) / classes
        np.testing.assert_allclose(np.hypot(x, y) * np.cos(angle), x, atol=1e-9)


def test_values_are_a_plane_and_six_bumps():
    x, y, t = np.array(playground.points(playground.settings(data="plane", noise=0))).T
    np.testing.assert_allclose(t, (x + y) / 12)
    x, y, t = np.array(playground.points(playground.settings(data="bumps", noise=0))).T
    assert t.max() > 0.8
    assert t.min() < -0.8
    near = np.hypot(x - 0, y - 2.5) < 2
    np.testing.assert_allclose(t[near], -(1 - np.hypot(x, y - 2.5)[near] / 2))
    near = np.hypot(x - 4, y + 2.5) < 2
    np.testing.assert_allclose(t[near], -(1 - np.hypot(x - 4, y + 2.5)[near] / 2))


@pytest.mark.parametrize("data", CLASSES + VALUES)
def test_noise_scatters_and_seeds_differ(data):
    clean = playground.points(playground.settings(data=data, noise=0))
    noisy = playground.points(playground.settings(data=data, noise=0.5))
    assert clean == playground.points(playground.settings(data=data, noise=0))
    assert clean != playground.points(playground.settings(data=data, noise=0, seed=2))
    assert np.std(noisy, axis=0).sum() > np.std(clean, axis=0).sum()


def test_first_weights_are_glorots():
    arrays = playground.weights(playground.settings(hidden=[8, 8, 8], features=["x1", "x2"]))
    assert [array.shape for array in arrays] == [
        (8, 2), (8,), (8, 8), (8,), (8, 8), (8,), (1, 8), (1,),
    ]  # fmt: skip
    for weight, bias in zip(arrays[::2], arrays[1::2], strict=True):
        limit = math.sqrt(6 / sum(weight.shape))
        assert 0.75 * limit < np.abs(weight).max() < limit
        assert (bias == 0).all()


def test_batches_take_every_point_once_an_epoch():
    state = playground.settings(batch=30, train=0.5)
    made = list(playground.batches(state, 15))
    assert [len(batch) for batch in made] == [30, 30, 30, 30, 30, 30, 20] * 2 + [30]
    first, second = ([i for batch in part for i in batch] for part in (made[:7], made[7:14]))
    assert sorted(first) == sorted(second) == list(range(200))
    assert first != second


# Training against PyTorch ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "make"),
    [
        ({}, "SGD"),
        ({"optimizer": "Adam", "activation": "relu", "data": "gauss", "classes": 3}, "Adam"),
        ({"optimizer": "RMSprop", "rate": 0.01, "regularization": "L1"}, "RMSprop"),
        ({"optimizer": "Adagrad", "data": "bumps", "regularization": "L2"}, "Adagrad"),
    ],
)
def test_training_agrees_with_torch(given, make):
    torch = pytest.importorskip("torch")
    state = playground.settings(**given, hidden=[5, 3], step=20)
    x, t, x_test, t_test = (torch.tensor(a) for a in playground.examples(state))
    parameters = [torch.tensor(w, requires_grad=True) for w in playground.weights(state)]
    activation = {"tanh": torch.tanh, "relu": torch.relu}[state["activation"]]
    functional = torch.nn.functional

    def loss_of(x, t):
        for weight, bias in zip(parameters[::2], parameters[1::2], strict=True):
            z = functional.linear(x, weight, bias)
            x = activation(z)
        if state["data"] == "bumps":
            return functional.mse_loss(z, t)
        if state["classes"] > 2:
            return functional.cross_entropy(z, t)
        return functional.binary_cross_entropy_with_logits(z, t)

    optimizer = getattr(torch.optim, make)(parameters, lr=state["rate"])
    for batch in playground.batches(state, 20):
        loss = loss_of(x[batch], t[batch])
        for weight in parameters[::2]:
            if state["regularization"] == "L1":
                loss = loss + state["penalty"] * weight.abs().sum()
            if state["regularization"] == "L2":
                loss = loss + state["penalty"] / 2 * (weight**2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    ours = playground.train(**state)
    assert ours.loss == pytest.approx(loss_of(x, t).item(), abs=1e-9)
    assert ours.test_loss == pytest.approx(loss_of(x_test, t_test).item(), abs=1e-9)
    for mine, theirs in zip(ours.model.parameters(), parameters, strict=True):
        np.testing.assert_allclose(mine.data, theirs.detach(), atol=1e-9)


def test_the_default_network_learns_the_circle_from_several_seeds():
    right = []
    for seed in range(1, 6):
        state = playground.settings(step=2000, seed=seed)
        _, _, x, t = playground.examples(state)
        scores = playground.train(**state).model(Tensor(x)).data
        right.append(((scores > 0) == (t > 0)).mean())
    assert np.median(right) > 0.95, right


# Settings and figure -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"speed": 1}, "playground has no setting 'speed'; its settings are data, classes"),
        ({"data": "moons"}, 'data: "moons" came; expected one of "circle", "xor"'),
        ({"rate": math.nan}, "rate: NaN came; expected a number from 0.0001 to 10"),
        ({"rate": math.inf}, "rate: Infinity came; expected a number from 0.0001 to 10"),
        ({"batch": 2.5}, "batch: 2.5 came; expected a whole number from 1 to 50"),
        ({"step": True}, "step: true came; expected a whole number from 0 to 100000"),
        ({"hidden": [4, 9]}, "hidden: [4,9] came; expected up to six whole numbers from 1 to 8"),
        ({"features": []}, "features: [] came; expected one or more of x1, x2"),
        ({"data": "own"}, 'points: "" came; expected two or more'),
        ({"points": [(1, 2)]}, "points: [[1,2]] came; expected triples (x, y, class)"),
        ({"points": [(9, 2, 0), (1, 1, 1)]}, "points: 9_2_0 came; expected x and y from -6 to 6"),
        ({"points": [(1, 2, 0)] * 10**6}, "points: too many came; expected at most 500"),
        ({"weights": [1, 2]}, "weights: 2 came; expected 25 for this network"),
        ({"weights": [math.nan] * 25}, "weights: "),
    ],
)
def test_bad_settings_are_told(given, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        playground(**given)


def test_a_bad_change_changes_nothing():
    figure = playground()
    before = figure.state
    with pytest.raises(ValueError, match="rate: -1 came"):
        figure.update(rate=-1, seed=5)
    assert figure.state == before
    figure.rate = 0.5
    assert figure.state == before | {"rate": 0.5}


def test_own_points_and_weights_become_compact_text():
    state = playground.settings(
        data="own", points=[(1.239, -2, 0), (0, -0.001, 1)], weights=np.full(25, 1 / 3)
    )
    assert state["points"] == "1.24_-2_0~0_0_1"
    assert state["weights"] == "_".join(["0.33333"] * 25)
    assert playground.points(state) == [(1.24, -2, 0), (0, 0, 1)]


@pytest.mark.parametrize("data", [*CLASSES, *VALUES, "own"])
def test_on_the_site_it_is_html_with_its_state_and_a_small_picture(data, monkeypatch):
    monkeypatch.setenv("DLCOURSE_STATIC", "1")
    figure = playground(data=data, classes=4, hidden=[8] * 6, points=[(1, 1, 0), (2, 2, 3)])
    html = figure._repr_mimebundle_()["text/html"]
    div = ElementTree.fromstring(html)
    assert json.loads(div.find("script").text) == figure.state
    outputs = 1 if data in VALUES else 4
    assert f"2-8-8-8-8-8-8-{outputs} network" in div.attrib["aria-label"]
    svg = div.find(f".//{SVG}svg")
    assert svg.find(f"{SVG}title").text == figure.alt
    assert len(svg.findall(f"{SVG}circle")) == 2 + 48 + outputs
    left, top, width, height = map(float, svg.attrib["viewBox"].split())
    for circle in svg.iter(f"{SVG}circle"):
        assert left + 10 <= float(circle.attrib["cx"]) <= width - 10
        assert top + 10 <= float(circle.attrib["cy"]) <= height - 10
    for path in svg.iter(f"{SVG}path"):
        color = path.attrib.get("stroke", path.attrib["fill"])
        assert re.fullmatch(r"var\(--dl-(blue|orange|green|purple)\)", color)
        assert ("stroke-dasharray" in path.attrib) == (
            path.attrib.get("stroke") == "var(--dl-orange)"
        )
    assert len(playground().fallback_svg) < 12_000


def test_in_a_live_notebook_python_sees_the_state(monkeypatch):
    pytest.importorskip("anywidget")
    monkeypatch.delenv("DLCOURSE_STATIC", raising=False)
    figure = playground(seed=4)
    figure.widget.set_state({"step": 12})  # as the browser does
    assert figure.step == 12
    figure.update(data="xor", step=0)
    assert figure.widget.get_state()["data"] == "xor"


def test_importing_it_brings_nothing_heavy():
    heavy = {"torch", "matplotlib", "anywidget", "ipywidgets", "numpy", "IPython"}
    code = (
        "import sys; from dlcourse.figures import playground; playground.settings();"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert run.stdout.strip() == "[]"
