"""Weights to start from: random, and scaled so that signals neither fade nor blow up.

`rng` is a seed or a `numpy.random.Generator` everywhere: nothing here touches a global state.
Shapes are those of weights: (out, in) for a linear layer, (out, in, kh, kw) for a convolution.
"""

import numpy as np


def fans(shape):
    """(fan_in, fan_out): how many numbers a unit reads, and how many read it."""
    if len(shape) < 2:
        raise ValueError(f"init: a weight has at least two axes (out, in), got shape {shape}")
    window = int(np.prod(shape[2:]))
    return shape[1] * window, shape[0] * window


def uniform(shape, limit, rng):
    """Uniform in [-limit, limit]."""
    return np.random.default_rng(rng).uniform(-limit, limit, shape).astype(np.float32)


def normal(shape, std, rng):
    """Normal with mean 0 and standard deviation `std`."""
    return (std * np.random.default_rng(rng).standard_normal(shape)).astype(np.float32)


def glorot_uniform(shape, rng):
    """Uniform weights with variance 2 / (fan_in + fan_out) (Glorot and Bengio, 2010)."""
    return uniform(shape, np.sqrt(6 / np.sum(fans(shape))), rng)


def glorot_normal(shape, rng):
    """Normal weights with variance 2 / (fan_in + fan_out) (Glorot and Bengio, 2010)."""
    return normal(shape, np.sqrt(2 / np.sum(fans(shape))), rng)


def he_uniform(shape, rng):
    """Uniform weights with variance 2 / fan_in, made for ReLU (He et al., 2015)."""
    return uniform(shape, np.sqrt(6 / fans(shape)[0]), rng)


def he_normal(shape, rng):
    """Normal weights with variance 2 / fan_in, made for ReLU (He et al., 2015)."""
    return normal(shape, np.sqrt(2 / fans(shape)[0]), rng)


def orthogonal(shape, rng, gain=1.0):
    """Orthonormal rows or columns, times `gain` (Saxe et al., 2014)."""
    rows, columns = shape[0], int(np.prod(shape[1:]))
    gaussian = np.random.default_rng(rng).standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(gaussian)
    q = q * np.sign(np.diag(r))  # makes the choice uniform over all orthogonal matrices
    return (gain * (q if rows >= columns else q.T)).reshape(shape).astype(np.float32)


def lsuv(model, inputs, tolerance=0.1, steps=10, rng=0):
    """Layer-sequential unit variance (Mishkin and Matas, 2016), in place.

    Weights start orthogonal; then, layer by layer from the input, each is divided by the standard
    deviation of its output on a batch until that is 1.

    Args:
        model: a `nn.Module`; its linear and convolutional layers are treated, in the order in
            which they were made attributes, which should be the order in which they run.
        inputs: a batch of inputs, tensor (B, ...).
        tolerance: how far from 1 the variance may stay. Default 0.1.
        steps: how often to try on one layer. Default 10.
        rng: seed or generator of the orthogonal weights. Default 0.

    Returns:
        {name of layer: variance of its output} after the treatment.

    Raises:
        ValueError: if a layer doesn't run, or its output is constant, so that no scaling can help.
    """
    from .nn import Conv2d, Linear
    from .tensor import no_grad

    rng = np.random.default_rng(rng)
    variances = {}
    with no_grad():
        for name, layer in model.named_modules():
            if not isinstance(layer, (Linear, Conv2d)):
                continue
            weight = layer.weight
            weight.data = orthogonal(weight.shape, rng).astype(weight.dtype)
            for _ in range(steps):
                variances[name] = float(_output_of(layer, model, inputs).var())
                if not variances[name] > 0:
                    raise ValueError(f"lsuv: the output of {name} is constant on these inputs")
                if abs(variances[name] - 1) < tolerance:
                    break
                weight.data = weight.data / np.sqrt(variances[name]).astype(weight.dtype)
    return variances


def _output_of(layer, model, inputs):
    """What `layer` returns while `model` runs on `inputs`."""
    seen = []
    forward = layer.forward

    def listening(*values):
        seen.append(forward(*values))
        return seen[-1]

    layer.forward = listening
    try:
        model(inputs)
    finally:
        del layer.forward
    if not seen:
        raise ValueError(f"lsuv: a layer {type(layer).__name__} is never called by the model")
    return seen[-1].numpy()
