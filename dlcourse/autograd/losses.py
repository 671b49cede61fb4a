"""Losses: one number that says how wrong the net is, and the gradient that sets learning off."""

import numpy as np

from .ops import op


@op
def cross_entropy(logits, /, targets):
    """Mean negative log-probability of the true class, from unnormalized scores.

    Softmax and logarithm are taken together: with p = softmax(logits), the gradient is
    (p - onehot) / B, and no exponential can overflow.

    Args:
        logits: (B, K) scores, one row for each example.
        targets: (B,) integers in 0 .. K-1, the true classes.

    Raises:
        ValueError: if the shapes don't match or a target is out of range.
        TypeError: if the targets are not integers.
    """
    targets = _class_indices(targets, logits.shape)
    rows = np.arange(len(logits))
    shifted = logits - logits.max(axis=1, keepdims=True)  # the largest score becomes 0
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))

    def vjp(g):
        gradient = np.exp(log_p)  # p
        gradient[rows, targets] -= 1  # p - onehot
        return gradient * (g / len(logits))

    return -log_p[rows, targets].mean(), vjp


def mse_loss(predictions, targets):
    """Mean of the squared differences, over all entries.

    Args:
        predictions: tensor of any shape.
        targets: tensor or array of the same shape.

    Raises:
        ValueError: if the shapes differ (they would broadcast, and average the wrong numbers).
    """
    if predictions.shape != np.shape(getattr(targets, "data", targets)):
        raise ValueError(
            f"mse_loss: predictions have shape {predictions.shape}, targets "
            f"{np.shape(getattr(targets, 'data', targets))}; reshape one to match the other"
        )
    return ((predictions - targets) ** 2).mean()


def _class_indices(targets, logits_shape):
    targets = np.asarray(targets)
    if len(logits_shape) != 2 or targets.shape != logits_shape[:1] or not targets.size:
        raise ValueError(
            f"cross_entropy: expected logits (B, K) and targets (B,) with B >= 1, "
            f"got {logits_shape} and {targets.shape}"
        )
    if targets.dtype.kind not in "iu":
        raise TypeError(
            f"cross_entropy: targets must be integer class numbers, got dtype {targets.dtype}; "
            "convert with .astype(int)"
        )
    classes = logits_shape[1]
    if targets.min() < 0 or targets.max() >= classes:
        raise ValueError(
            f"cross_entropy: targets must lie in 0 .. {classes - 1} for {classes} classes, "
            f"got {targets.min()} .. {targets.max()}"
        )
    return targets
