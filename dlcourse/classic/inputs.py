"""What goes into the old nets, looked at once before they use it.

Each function returns the array in the form that the nets compute with, or says what came, what was
expected and how to mend it.
"""

import numpy as np


def matrix(name, values, width=None):
    """`values` as a float64 array (N, D) of finite numbers, D = `width` where that is given."""
    try:
        array = np.asarray(values, float)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name}: expected an array of numbers (N, D): {error}") from error
    if array.ndim != 2 or not array.size:
        raise ValueError(
            f"{name}: expected examples in rows (N, D) with N, D >= 1, got shape {array.shape}; "
            "one example x is x[None], a batch of pictures is x.reshape(len(x), -1)"
        )
    if width is not None and array.shape[1] != width:
        raise ValueError(f"{name}: expected rows of {width} numbers, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: the input holds NaN or infinity; remove those rows first")
    return array


def pictures(name, values):
    """`values` as a float64 array (N, H, W) of finite numbers."""
    array = np.asarray(values, float)
    if array.ndim != 3 or not array.size:
        raise ValueError(
            f"{name}: expected gray pictures (N, H, W), got shape {array.shape}; "
            "one picture x is x[None], digits().inputs[:, 0] drops the channel"
        )
    matrix(name, array.reshape(len(array), -1))
    return array


def two_valued(name, values, pair, width=None):
    """As `matrix`, and every entry one of the two numbers in `pair`: (0, 1) or (-1, 1)."""
    array = matrix(name, values, width)
    wrong = array[~np.isin(array, pair)]
    if wrong.size:
        low, high = pair
        cure = "(x > 0.5) * 1" if low == 0 else "np.where(x > 0, 1, -1)"
        raise ValueError(
            f"{name}: this net knows only {low} and {high}, but the input holds {wrong[0]:g}; "
            f"{cure} makes it binary"
        )
    return array


def probabilities(name, values, width=None):
    """As `matrix`, and every entry between 0 and 1."""
    array = matrix(name, values, width)
    if array.min() < 0 or array.max() > 1:
        raise ValueError(
            f"{name}: expected values between 0 and 1, got {array.min():g} to {array.max():g}; "
            "divide gray levels by their largest value"
        )
    return array


def classes(name, targets, count):
    """`targets` as an array of `count` class labels: (N,)."""
    array = np.asarray(targets)
    if array.shape != (count,):
        raise ValueError(
            f"{name}: expected one label for each of {count} examples, got shape {array.shape}"
        )
    return array


def signs(name, targets, count):
    """`targets` as `count` labels -1 or 1, in float64: (N,)."""
    array = classes(name, targets, count)
    if not np.isin(array, (-1, 1)).all():
        raise ValueError(
            f"{name}: expected labels -1 and 1, got {np.unique(array)[:5]}; "
            "np.where(y == 1, 1, -1) makes them of 0 and 1"
        )
    return array.astype(float)


def with_one(examples):
    """(N, D) -> (N, D+1): a last column of ones, so that the last weight is the threshold."""
    return np.hstack([examples, np.ones((len(examples), 1))])


def fitted(model, attribute):
    """The learned `attribute` of a model, or an error if it has not learned yet."""
    if not hasattr(model, attribute):
        name = type(model).__name__
        raise ValueError(f"{name}: not fitted yet; call fit(...) before using what it learned")
    return getattr(model, attribute)


def sigmoid(x):
    """1 / (1 + exp(-x)), without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(x, float)))
