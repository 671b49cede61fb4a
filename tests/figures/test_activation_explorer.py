"""Activations, losses and the chain of layers, against PyTorch; and what is refused."""

import math
import sys

import pytest

from dlcourse.figures import activation_explorer

torch = pytest.importorskip("torch")
F = torch.nn.functional
module = sys.modules["dlcourse.figures.activation_explorer"]
activate, chain, judge = (getattr(activation_explorer, n) for n in ("activate", "chain", "judge"))

ACTIVATIONS = {
    "sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": F.relu, "leaky_relu": F.leaky_relu,
    "elu": F.elu, "gelu": F.gelu, "silu": F.silu, "softplus": F.softplus,
}  # fmt: skip
LOSSES = {
    "squared": F.mse_loss, "absolute": F.l1_loss, "huber": F.huber_loss,
    "cross_entropy": F.binary_cross_entropy_with_logits,
}  # fmt: skip


def number(value):
    return torch.tensor(float(value), dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("name", module.ACTIVATIONS)
@pytest.mark.parametrize("z", [-5.5, -1.1, -0.2, 0.4, 1.7, 6.0])
def test_activations_are_those_of_pytorch(name, z):
    at = number(z)
    value = ACTIVATIONS[name](at)
    value.backward()
    assert activate(name, z) == pytest.approx((value.item(), at.grad.item()), rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("name", module.ACTIVATIONS)
def test_the_chain_is_pytorchs_backward_pass(name):
    at, inputs = number(0.8), []
    value = at
    for layer in range(6):
        value.retain_grad()
        inputs.append(value)
        value = ACTIVATIONS[name](value)
        if layer < 5:
            value = 1.7 * value
    value.backward()
    ours = chain(name, 0.8, 1.7, 6)
    assert ours == pytest.approx([z.grad.item() for z in inputs], rel=1e-6)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("prediction", [-3.3, -0.4, 0.3, 2.2])
def test_losses_are_those_of_pytorch(name, prediction):
    for target, true_class in ((-1.0, "0"), (2.5, "1")):
        at = number(prediction)
        aim = float(true_class) if name == "cross_entropy" else target
        value = LOSSES[name](at, number(aim).detach())
        value.backward()
        assert judge(name, prediction, target, true_class) == pytest.approx(
            (value.item(), at.grad.item()), rel=1e-6
        )


def test_hinge_is_zero_beyond_its_margin():
    assert judge("hinge", 1.5, 0, "1") == (0, 0)
    assert judge("hinge", 0.5, 0, "1") == (0.5, -1)
    assert judge("hinge", 0.5, 0, "0") == (1.5, 1)


def test_alt_tells_value_slope_and_what_is_left():
    figure = activation_explorer(z=2.0, layers=3)
    left = math.prod(activate("sigmoid", z)[1] for z in (2.0, activate("sigmoid", 2.0)[0]))
    left *= activate("sigmoid", activate("sigmoid", activate("sigmoid", 2.0)[0])[0])[1]
    assert "at 2 they are 0.881 and 0.105" in figure.alt
    assert f"becomes {left:.2g}" in figure.alt
    assert "class 1" in activation_explorer("loss", loss="hinge", true_class="1").alt


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"view": "both"}, "view: 'both' came; expected one of activation, loss"),
        ({"activation": "swish"}, "activation: 'swish' came"),
        ({"z": 7}, "z: 7 came; expected a number from -6 to 6"),
        ({"z": math.nan}, "z: nan came"),
        ({"layers": 2.5}, "whole number from 1 to 30"),
        ({"loss": None}, "loss: None came"),
        ({"true_class": 1}, "true_class: 1 came; expected one of 0, 1"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        activation_explorer(**arguments)
