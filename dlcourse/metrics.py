"""Metrics: what people want to know about a net, as opposed to what it is trained on."""

import numpy as np


def accuracy(logits, targets):
    """Share of examples whose largest score is at the true class, between 0 and 1.

    Args:
        logits: (B, K) scores; a tensor of either engine or an array.
        targets: (B,) integer classes.

    Raises:
        ValueError: if the shapes don't match or there is no example.
    """
    logits, targets = as_array(logits), as_array(targets)
    if logits.ndim != 2 or targets.shape != logits.shape[:1] or not len(targets):
        raise ValueError(
            f"accuracy: expected logits (B, K) and targets (B,) with B >= 1, "
            f"got {logits.shape} and {targets.shape}"
        )
    return float((logits.argmax(axis=1) == targets).mean())


def as_array(values):
    """The numbers of a tensor of either engine, or anything array-like, as a NumPy array."""
    if hasattr(values, "detach"):
        values = values.detach()
    return values.numpy() if hasattr(values, "numpy") else np.asarray(values)
