"""Each comparator for modules on its own: what it lets pass, and what it finds."""

import numpy as np
import pytest
import torch
from torch import nn

from dlcourse.checks import modules
from dlcourse.checks.framework import Hint
from dlcourse.checks.modules import Probe

SHAPES = {"a.weight": (5, 8), "a.bias": (5,), "b.weight": (5, 5), "b.bias": (5,),
          "c.weight": (3, 5), "c.bias": (3,)}  # fmt: skip
LABELS = np.array([0, 1, 2, 0, 2, 1])


class Small(nn.Module):
    """Three layers; the biases of two are of one size."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(8, 5), nn.Linear(5, 5), nn.Linear(5, 3)

    def forward(self, x):
        return self.c(torch.tanh(self.b(torch.tanh(self.a(x)))))


def small(v, x):
    h = np.tanh(np.tanh(x.numpy() @ v["a.weight"].T + v["a.bias"]) @ v["b.weight"].T + v["b.bias"])
    return h @ v["c.weight"].T + v["c.bias"]


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture
def x(rng):
    return torch.from_numpy(rng.normal(size=(6, 8)).astype(np.float32))


def made(**changes):
    """A class like `Small`, with other methods."""
    return type("Made", (Small,), changes)


def test_a_right_module_passes_them_all(x, rng):
    probe = Probe(Small)
    modules.compare_shape(probe, x, (6, 3))
    modules.each_alone(probe, x)
    modules.compare_parameters(probe, SHAPES, x, rng)
    modules.compare_function(probe, SHAPES, small, x, rng)
    modules.gradients_reach(probe, x, rng)
    modules.learns_by_heart(probe, x, LABELS, rng, steps=300, lr=1e-2)
    probe.untouched()


def test_a_probe_builds_with_arguments_and_says_what_is_missing():
    class Wide(nn.Linear):
        pass

    assert Probe(Wide, inputs=4, outputs=2).parameters == {"weight": (2, 4), "bias": (2,)}
    with pytest.raises(Hint, match="`Wide` stopped with TypeError"):
        Probe(Wide).parameters
    with pytest.raises(Hint, match="`f` is not written yet: it returned None"):
        Probe(named("f", lambda: None)).parameters
    with pytest.raises(Hint, match="Expected a function, got None"):
        Probe(None).parameters


def named(name, function):
    function.__name__ = name
    return function


def test_numbers_go_in_by_name_and_others_stay(x):
    probe = Probe(Small)
    before = probe.outputs(x)
    probe.put({"c.bias": np.full(3, 7.0), "nothing": np.ones(3)})
    shifted = probe.outputs(x) - before
    assert np.ptp(shifted, axis=0).max() < 1e-5
    with pytest.raises(Hint, match="must match the size"):
        probe.put({"c.bias": np.ones(4)})


def test_numbers_are_drawn_by_shape_and_name(rng):
    names = {"x.weight": (400, 200), "x.bias": (400,), "n.weight": (400,), "n.running_var": (400,)}
    values = modules.draw(names, rng)
    assert {name: value.shape for name, value in values.items()} == names
    assert all(value.dtype == np.float32 for value in values.values())
    assert values["x.weight"].std() == pytest.approx(0.1, rel=0.05)
    assert abs(values["x.bias"].mean()) < 0.05
    assert values["n.weight"].mean() == pytest.approx(1.0, abs=0.05)
    assert values["n.running_var"].min() >= 0.5


def test_outputs_that_depend_on_the_batch_are_found(x):
    mixes = made(forward=lambda self, x: Small.forward(self, x) - x.mean())
    with pytest.raises(Hint, match="change with the others in its batch"):
        modules.each_alone(Probe(mixes), x)
    squeezes = made(forward=lambda self, x: Small.forward(self, x).squeeze(0))
    with pytest.raises(Hint, match="change with the others in its batch"):
        modules.each_alone(Probe(squeezes), x)


def test_layers_of_one_shape_may_come_in_any_order(x, rng):
    shapes = {f"{name}.{kind}": shape for name in "abc"
              for kind, shape in (("weight", (5, 5)), ("bias", (5,)))}  # fmt: skip

    class Twins(nn.Module):
        def __init__(self):
            super().__init__()
            self.z, self.y, self.x = nn.Linear(5, 5), nn.Linear(5, 5), nn.Linear(5, 5)

        def forward(self, x):
            return self.x(self.z(x).relu()) - self.y(x)

    def twins(v, x, sign=1):
        line = lambda name, x: x @ v[f"{name}.weight"].T + v[f"{name}.bias"]
        return line("b", np.maximum(line("a", x.numpy()), 0)) - sign * line("c", x.numpy())

    plus = lambda v, x: twins(v, x, -1)
    modules.compare_function(Probe(Twins), shapes, twins, x[:, :5], rng)
    with pytest.raises(Hint, match="`outputs`: it is added"):
        modules.compare_function(
            Probe(Twins), shapes, plus, x[:, :5], rng, usual=[(twins, "it is added")]
        )
    loose = type("Loose", (nn.ParameterList,), {"forward": lambda self, x: x})
    build = named("Loose", lambda: loose([nn.Parameter(torch.ones(s)) for s in shapes.values()]))
    with pytest.raises(Hint, match="not layer by layer"):
        modules.compare_function(Probe(build), shapes, twins, x[:, :5], rng)


def test_a_gradient_that_is_not_the_outputs_own_is_found(x, rng):
    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(context, x):
            return x.clone()

        @staticmethod
        def backward(context, g):
            return 2 * g

    wrong = made(forward=lambda self, x: Twice.apply(Small.forward(self, x)))
    with pytest.raises(Hint, match=r"The gradient of `a.weight` is not that of the outputs"):
        modules.gradients_reach(Probe(wrong), x, rng)

    def frozen(self):
        Small.__init__(self)
        self.b.weight.requires_grad_(False)

    with pytest.raises(Hint, match=r"No gradient reaches `b.weight`\. "):
        modules.gradients_reach(Probe(made(__init__=frozen)), x, rng)


def test_a_module_that_cannot_learn_is_found(x, rng):
    constant = made(forward=lambda self, x: Small.forward(self, x * 0))
    with pytest.raises(Hint, match=r"After 80 steps of Adam, \d of 6 examples have their label"):
        modules.learns_by_heart(Probe(constant), x, LABELS, rng)
    in_training_only = made(
        forward=lambda self, x: Small.forward(self, x if self.training else x * 0)
    )
    with pytest.raises(Hint, match="in eval mode it gives others"):
        modules.learns_by_heart(Probe(in_training_only), x, LABELS, rng, steps=300, lr=1e-2)
    flat = made(forward=lambda self, x: Small.forward(self, x).sum(1))
    with pytest.raises(Hint, match=r"the scores have shape \(6,\)"):
        modules.learns_by_heart(Probe(flat), x, LABELS, rng)


def test_what_was_written_into_the_input_is_remembered(x):
    spoils = made(forward=lambda self, x: Small.forward(self, x) + 0 * x.zero_().sum())
    probe = Probe(spoils)
    probe.outputs(x)
    with pytest.raises(Hint, match=r"changed its input `x`.*`x\.clone\(\)`"):
        probe.untouched()
    assert x.any(), "it was a copy"


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ([("p", 3.0), ("p2", "text")], "expected numbers"),
        ([(3, torch.ones(3))], "have no names"),
        ([(f"p{n}", torch.ones(1)) for n in range(1001)], "more than 1000 parameters"),
        ([1, 2], "stopped with TypeError"),
    ],
)
def test_a_strange_list_of_parameters_is_a_hint(x, rng, named, says):
    strange = made(named_parameters=lambda self, *a, **k: iter(named))
    with pytest.raises(Hint, match=says):
        modules.compare_parameters(Probe(strange), SHAPES, x, rng)
