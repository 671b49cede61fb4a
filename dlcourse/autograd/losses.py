"""Losses: one number that says how wrong the net is, and the gradient that sets learning off.

Every loss takes `reduction`, as in PyTorch: "mean" over all that was compared (the default), "sum",
or "none" for one number each. Targets are arrays; no gradient flows into them unless they are
tensors that ask for one.
"""

import numpy as np

from . import ops
from .ops import as_tensors, op
from .tensor import Tensor, array_of


def cross_entropy(logits, targets, reduction="mean"):
    """Negative log-probability of the true class, from unnormalized scores.

    Args:
        logits: (B, K) scores, one row for each example.
        targets: (B,) integers in 0 .. K-1, the true classes.
        reduction: see above.

    Raises:
        ValueError: if the shapes don't match or a target is out of range.
        TypeError: if the targets are not integers.
    """
    logits, targets = _scores_and_classes("cross_entropy", logits, targets)
    return _reduce(_negative_log_softmax(logits, targets), reduction)


@op
def _negative_log_softmax(logits, /, targets):
    """-log softmax(logits) at the targets, (B, K) -> (B,), and its gradient p - onehot.

    Softmax and logarithm are taken together, so that no exponential can overflow.
    """
    rows = np.arange(len(logits))
    shifted = logits - logits.max(axis=1, keepdims=True)  # the largest score becomes 0
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))

    def vjp(g):
        gradient = np.exp(log_p)  # p
        gradient[rows, targets] -= 1  # p - onehot
        return gradient * g[:, None]

    return -log_p[rows, targets], vjp


def nll_loss(log_probabilities, targets, reduction="mean"):
    """Minus the log-probability (B, K) at the true class (B,)."""
    log_probabilities, targets = _scores_and_classes("nll_loss", log_probabilities, targets)
    return _reduce(-log_probabilities[np.arange(len(targets)), targets], reduction)


def binary_cross_entropy_with_logits(logits, targets, reduction="mean"):
    """Cross-entropy of independent yes-no questions, from scores: several labels at once.

    Args:
        logits: scores of any shape; sigmoid makes them probabilities of "yes".
        targets: probabilities in [0, 1], same shape.
    """
    logits, targets = _same_shape("binary_cross_entropy_with_logits", logits, targets)
    if targets.data.size and not 0 <= targets.data.min() <= targets.data.max() <= 1:
        raise ValueError(
            f"binary_cross_entropy_with_logits: targets must lie in [0, 1], got "
            f"{targets.data.min()} .. {targets.data.max()}"
        )
    return _reduce(ops.softplus(logits) - logits * targets, reduction)


def l1_loss(predictions, targets, reduction="mean"):
    """Absolute error: "mean" makes it the MAE, "sum" the sum of absolute errors."""
    predictions, targets = _same_shape("l1_loss", predictions, targets)
    return _reduce(ops.abs(predictions - targets), reduction)


def mse_loss(predictions, targets, reduction="mean"):
    """Squared error (y - t)²; "mean" makes it the MSE, "sum" the SSE."""
    predictions, targets = _same_shape("mse_loss", predictions, targets)
    return _reduce((predictions - targets) ** 2, reduction)


def rmse_loss(predictions, targets):
    """Root of the mean squared error, in the units of the target."""
    return mse_loss(predictions, targets).sqrt()


def huber_loss(predictions, targets, reduction="mean", delta=1.0):
    """Squared error (halved) up to `delta`, linear beyond: outliers pull less (Huber, 1964)."""
    predictions, targets = _same_shape("huber_loss", predictions, targets)
    distance = ops.abs(predictions - targets)
    near = 0.5 * distance**2
    far = delta * (distance - 0.5 * delta)
    return _reduce(ops.where(distance.data <= delta, near, far), reduction)


def hinge_loss(scores, targets, reduction="mean"):
    """max(0, 1 - t y) for scores y and targets t of -1 or 1, as in a support vector machine."""
    scores, targets = _same_shape("hinge_loss", scores, targets)
    if not np.isin(targets.data, (-1, 1)).all():
        raise ValueError("hinge_loss: targets must be -1 or 1; for classes use multi_margin_loss")
    return _reduce((1 - scores * targets).relu(), reduction)


def multi_margin_loss(scores, targets, reduction="mean", margin=1.0):
    """Hinge loss for classes: by how much each wrong score comes within `margin` of the true one.

    Args:
        scores: (B, K).
        targets: (B,) integers, the true classes.
    """
    scores, targets = _scores_and_classes("multi_margin_loss", scores, targets)
    rows = np.arange(len(targets))
    others = np.ones(scores.shape, scores.dtype)
    others[rows, targets] = 0
    short_of = (margin - scores[rows, targets].unsqueeze(1) + scores).relu() * others
    return _reduce(short_of.mean(1), reduction)


def kl_div(log_probabilities, targets, reduction="mean"):
    """Divergence t (log t - log p) of probabilities p, given as logarithms, from targets t.

    As in PyTorch, "mean" divides by the number of entries; "batchmean" divides by B and gives the
    divergence of mathematics, averaged over the batch.
    """
    log_p, t = _same_shape("kl_div", log_probabilities, targets)
    if reduction == "batchmean":
        return _divergence(log_p, t).sum() * (1 / len(t))
    return _reduce(_divergence(log_p, t), reduction)


@op
def _divergence(log_p, t, /):
    log_t = np.log(np.where(t > 0, t, 1))  # 0 log 0 = 0
    return t * (log_t - log_p), (lambda g: -g * t, lambda g: g * (log_t + 1 - log_p))


def _reduce(values, reduction):
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f'reduction: expected "mean", "sum" or "none", got {reduction!r}')
    if reduction == "mean" and not values.data.size:
        raise ValueError(
            "loss: the batch is empty (B = 0), it has no mean; expected B >= 1 examples"
        )
    return values if reduction == "none" else getattr(values, reduction)()


def _same_shape(loss, predictions, targets):
    """Both as tensors; unequal shapes would broadcast and average the wrong numbers."""
    (predictions,) = as_tensors((predictions,))
    if not isinstance(targets, Tensor):  # in the predictions' precision, not double
        targets = Tensor(array_of(targets).astype(predictions.dtype))
    if predictions.shape != targets.shape:
        raise ValueError(
            f"{loss}: predictions have shape {predictions.shape}, targets {targets.shape}; "
            "reshape one to match the other"
        )
    return predictions, targets


def _scores_and_classes(loss, scores, targets):
    """Scores (B, K) as a tensor and targets (B,) as an array of integers in 0 .. K-1."""
    (scores,), targets = as_tensors((scores,)), array_of(targets)
    if scores.ndim != 2 or targets.shape != scores.shape[:1]:
        raise ValueError(
            f"{loss}: expected scores (B, K) and targets (B,), "
            f"got {scores.shape} and {targets.shape}"
        )
    if targets.dtype.kind not in "iu":
        raise TypeError(
            f"{loss}: targets must be integer class numbers, got dtype {targets.dtype}; "
            "convert with .astype(int)"
        )
    classes = scores.shape[1]
    if targets.size and not 0 <= targets.min() <= targets.max() < classes:
        raise ValueError(
            f"{loss}: targets must lie in 0 .. {classes - 1} for {classes} classes, "
            f"got {targets.min()} .. {targets.max()}"
        )
    return scores, targets
