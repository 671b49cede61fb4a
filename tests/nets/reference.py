"""What torchvision's nets look like and compute, recorded, so that no test needs torchvision.

`record_torchvision.py` fills torchvision's nets with the weights that `fill` makes and writes down
keys, shapes and outputs. The tests fill our nets the same way and compare.
"""

import gzip
import json
import zlib
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
STATE_DICTS = HERE / "torchvision_state_dicts.json.gz"
OUTPUTS = HERE / "torchvision_outputs.json"


def fill(net):
    """Fill every parameter and buffer with values that depend on its key and shape alone.

    Weights are uniform with He's variance, so that activations stay near 1 through many layers;
    scales and running variances are positive. `RandomState` promises the same stream for ever.
    """
    with torch.no_grad():
        for key, tensor in net.state_dict().items():
            if tensor.is_floating_point():
                low, high = _bounds(key, tensor.shape)
                random = np.random.RandomState(zlib.crc32(key.encode()))
                flat = tensor.view(-1)
                for start in range(0, len(flat), 2**20):  # in pieces: the largest has 10^8 values
                    part = flat[start : start + 2**20]
                    part.copy_(torch.from_numpy(random.uniform(low, high, len(part))))
    return net


def _bounds(key, shape):
    if key.endswith("running_var"):
        return 0.75, 1.25
    if key.endswith("running_mean") or key.endswith("bias"):
        return -0.2, 0.2
    if len(shape) == 1:  # the scale of a normalization; below 1, since its variance is not that
        return 0.5, 1.0  # of the data and residual branches would add up
    if not key.endswith("weight"):  # tokens, position embeddings
        return -1.0, 1.0
    bound = (6 / np.prod(shape[1:])) ** 0.5  # a uniform variable has the variance bound^2 / 3
    return -bound, bound


def pictures(size=224, channels=3, batch=1, seed=0):
    """Fixed pictures (batch, channels, size, size): noise upon 7 x 7 fields, each with its mean."""
    random = np.random.RandomState(seed)
    place = np.arange(size) * 7 // size
    fields = random.uniform(-2, 2, (batch, channels, 7, 7))[:, :, place][:, :, :, place]
    noise = random.uniform(-1, 1, (batch, channels, size, size))
    return torch.from_numpy(fields + noise).float()


def outline(outputs):
    """Of outputs (1, K): the first eight, the norm of all and the largest magnitude."""
    outputs = outputs.detach().double().flatten()
    return {
        "first": [round(value, 9) for value in outputs[:8].tolist()],
        "norm": outputs.norm().item(),
        "scale": outputs.abs().max().item(),
    }


def state_dict_shapes(name):
    """torchvision's state dict of the net `name` as {key: shape}, in its order."""
    with gzip.open(STATE_DICTS, "rt") as file:
        return {key: tuple(shape) for key, shape in json.load(file)[name].items()}


def shapes_of(net):
    """The state dict of `net` as {key: shape}."""
    return {key: tuple(tensor.shape) for key, tensor in net.state_dict().items()}


def assert_same_state_dict(net, name):
    """Keys, their order and shapes are torchvision's, so that its weights load."""
    ours, theirs = shapes_of(net), state_dict_shapes(name)
    assert ours == theirs
    assert list(ours) == list(theirs)


def assert_same_outputs(outputs, name, tolerance=1e-5):
    """`outputs` equal the recorded ones, to within `tolerance` of their largest magnitude."""
    theirs, ours = json.loads(OUTPUTS.read_text())["outputs"][name], outline(outputs)
    allowed = tolerance * theirs["scale"]
    np.testing.assert_allclose(ours["first"], theirs["first"], rtol=0, atol=allowed)
    np.testing.assert_allclose(ours["norm"], theirs["norm"], rtol=tolerance)


def run(net, inputs):
    """Outputs of `net` in evaluation, without a graph."""
    with torch.no_grad():
        return net.eval()(inputs)
