"""What a neuron does to its input, what a loss makes of an error, and how their slopes teach.

Values and derivatives are those of `dlcourse.autograd`; `activation_explorer.mjs` computes the same
in the reader's browser.
"""

from collections.abc import Mapping

from dlcourse.figures import fields
from dlcourse.figures.base import Figure
from dlcourse.figures.still import Still

ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus")
LOSSES = ("squared", "absolute", "huber", "cross_entropy", "hinge")
CLASSIFY = ("cross_entropy", "hinge")

FIELDS = {
    "view": fields.Choice(("activation", "loss")),
    "activation": fields.Choice(ACTIVATIONS),
    "z": fields.Number(-6, 6),
    "weight": fields.Number(0.1, 3),
    "layers": fields.Number(1, 30, whole=True),
    "loss": fields.Choice(LOSSES),
    "prediction": fields.Number(-4, 4),
    "target": fields.Number(-4, 4),
    "true_class": fields.Choice(("0", "1")),
}


def activate(name: str, z: float) -> tuple[float, float]:
    """An activation function and its derivative.

    Args:
        name: one of `ACTIVATIONS`, as in `dlcourse.autograd.ops`.
        z: where.

    Returns:
        value, derivative.
    """
    return _with_slope(_ops(name), z)


def _ops(name):
    from dlcourse.autograd import ops

    return getattr(ops, name)


def _with_slope(function, z):
    import numpy as np

    from dlcourse.autograd import Tensor

    at = Tensor(np.array([z], dtype=np.float64), requires_grad=True)
    value = function(at).sum()
    value.backward()
    return value.item(), float(at.grad[0])


def chain(name: str, z: float, weight: float, layers: int) -> list[float]:
    """Gradients through a chain of neurons, one a layer: each passes f(z) on, times `weight`.

    Args:
        name: of the activation function f.
        z: input of the first neuron.
        weight: between two layers.
        layers: how many.

    Returns:
        for each layer, the first one first, the derivative of the last neuron's output with respect
        to that layer's z.
    """
    import numpy as np

    from dlcourse.autograd import Tensor

    function, slopes = _ops(name), []
    value = Tensor(np.array([z], dtype=np.float64))
    for layer in range(layers):
        at = Tensor(value.data, requires_grad=True)
        output = function(at) if layer == layers - 1 else function(at) * weight
        output.sum().backward()
        slopes.append(float(at.grad[0]))
        value = output.detach()
    gradients = [slopes[-1]]
    for slope in reversed(slopes[:-1]):
        gradients.append(gradients[-1] * slope)
    return gradients[::-1]


def judge(name: str, prediction: float, target: float, true_class: str) -> tuple[float, float]:
    """A loss of one prediction and its derivative with respect to the prediction.

    Args:
        name: one of `LOSSES`. The last two take the prediction as a score for class 1.
        prediction: of the network.
        target: the right number, for the first three.
        true_class: "0" or "1", for the last two.

    Returns:
        loss, derivative.
    """
    import numpy as np

    from dlcourse.autograd import Tensor, losses

    known = {
        "squared": (losses.mse_loss, target),
        "absolute": (losses.l1_loss, target),
        "huber": (losses.huber_loss, target),
        "cross_entropy": (losses.binary_cross_entropy_with_logits, float(true_class)),
        "hinge": (losses.hinge_loss, 2 * float(true_class) - 1),
    }
    function, right = known[name]
    goal = Tensor(np.array([right], dtype=np.float64))
    return _with_slope(lambda score: function(score, goal), prediction)


def activation_explorer(
    view: str = "activation",
    activation: str = "sigmoid",
    z: float = 1.0,
    weight: float = 1.0,
    layers: int = 10,
    loss: str = "squared",
    prediction: float = 2.0,
    target: float = -1.0,
    true_class: str = "0",
) -> Figure:
    """Activation functions and losses with their derivatives, and a chain of layers.

    Args:
        view: "activation" or "loss", what is shown first.
        activation: "sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu" or "softplus".
        z: input of the neuron, from -6 to 6.
        weight: between two layers of the chain, from 0.1 to 3.
        layers: length of the chain, from 1 to 30.
        loss: "squared", "absolute", "huber", "cross_entropy" or "hinge".
        prediction: from -4 to 4.
        target: the right number, from -4 to 4.
        true_class: "0" or "1", for the last two losses.

    Returns:
        A figure whose state holds these arguments.

    Raises:
        ValueError: for a name that is not known or a number out of its limits.
    """
    state = {
        "view": view, "activation": activation, "z": z, "weight": weight, "layers": layers,
        "loss": loss, "prediction": prediction, "target": target, "true_class": true_class,
    }  # fmt: skip
    check_state(state)
    if view == "activation":
        low, high, at = -6, 6, z
        both = lambda x: activate(activation, x)
        alt = (
            f"{activation} and its derivative: at {z:g} they are {both(z)[0]:.3g} and "
            f"{both(z)[1]:.3g}. Through {layers} layers the gradient becomes "
            f"{chain(activation, z, weight, layers)[0]:.2g}."
        )
    else:
        low, high, at = -4, 4, prediction
        both = lambda x: judge(loss, x, target, true_class)
        right = f"class {true_class}" if loss in CLASSIFY else f"target {target:g}"
        alt = (
            f"The loss {loss} and its derivative for {right}: at prediction {prediction:g} they "
            f"are {both(prediction)[0]:.3g} and {both(prediction)[1]:.3g}."
        )
    xs = [low + (high - low) * k / 120 for k in range(121)]
    still = Still((low, high), (-3, 6), "input" if view == "activation" else "prediction")
    still.line([(x, both(x)[0]) for x in xs], "var(--dl-blue)")
    still.line([(x, both(x)[1]) for x in xs], "var(--dl-orange)", dash="8 4")
    if both(at)[0] <= 6:
        still.dots([(at, both(at)[0])], "var(--dl-blue)", 5)
    return Figure("activation_explorer", state, alt, still.svg(alt), check=check_state)


def check_state(state: Mapping):
    """Raise ValueError unless every value of the state is good."""
    fields.check(FIELDS, state)


# The package shows the function under this module's own name; so its twins go along with it.
activation_explorer.activate = activate
activation_explorer.chain = chain
activation_explorer.judge = judge
