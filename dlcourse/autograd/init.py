"""Weights to start from: random, and scaled so that signals neither fade nor blow up.

`rng` is a seed or a `numpy.random.Generator` everywhere: nothing here touches a global state.
"""

import numpy as np


def he_normal(shape, rng):
    """Normal weights with variance 2 / fan_in, made for ReLU (He et al., 2015).

    Args:
        shape: (out, in) of a linear layer.
        rng: seed or `numpy.random.Generator`.

    Returns:
        float32 array of that shape.
    """
    fan_in = int(np.prod(shape[1:]))
    weights = np.random.default_rng(rng).standard_normal(shape) * np.sqrt(2 / fan_in)
    return weights.astype(np.float32)


def glorot_uniform(shape, rng):
    """Uniform weights with variance 2 / (fan_in + fan_out) (Glorot and Bengio, 2010).

    Args:
        shape: (out, in) of a linear layer.
        rng: seed or `numpy.random.Generator`.

    Returns:
        float32 array of that shape.
    """
    fan_in, fan_out = int(np.prod(shape[1:])), shape[0]
    limit = np.sqrt(6 / (fan_in + fan_out))
    return np.random.default_rng(rng).uniform(-limit, limit, shape).astype(np.float32)
