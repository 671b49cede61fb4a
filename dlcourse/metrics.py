"""Metrics: what people want to know about a net, as opposed to what it is trained on.

They take tensors of either engine or arrays, and return plain numbers.
"""

import math
from collections import Counter

import numpy as np


def as_array(values):
    """The numbers of a tensor of either engine, or anything array-like, as a NumPy array."""
    if hasattr(values, "detach"):
        values = values.detach()
    if hasattr(values, "cpu"):
        values = values.cpu()
    return values.numpy() if hasattr(values, "numpy") else np.asarray(values)


def accuracy(logits, targets):
    """Share of examples whose largest score is at the true class, between 0 and 1.

    Args:
        logits: (B, K) scores.
        targets: (B,) integer classes.

    Raises:
        ValueError: if the shapes don't match or there is no example.
    """
    return top_k_accuracy(logits, targets, k=1)


def top_k_accuracy(logits, targets, k=5):
    """Share of examples whose true class is among the `k` largest scores; of equals the first.

    Raises:
        ValueError: as `accuracy`, or if k is not between 1 and K.
    """
    logits, targets = as_array(logits), as_array(targets)
    if logits.ndim != 2 or targets.shape != logits.shape[:1] or not len(targets):
        raise ValueError(
            f"accuracy: expected logits (B, K) and targets (B,) with B >= 1, "
            f"got {logits.shape} and {targets.shape}; for regression use metric=None in fit"
        )
    if not 1 <= k <= logits.shape[1]:
        raise ValueError(f"top_k_accuracy: k must lie in 1 .. {logits.shape[1]}, got {k}")
    best = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    return float((best == targets[:, None]).any(axis=1).mean())


class ConfusionMatrix(np.ndarray):
    """Counts (K, K): row = true class, column = predicted class. It is an array that can `plot`."""

    def plot(self, names=None, axis=None):
        """Draw the counts as a colored table.

        Args:
            names: names of the classes. Default 0 .. K-1.
            axis: Matplotlib axis to draw on. Default: a new figure.

        Returns:
            the axis.
        """
        import matplotlib.pyplot as plt

        names = range(len(self)) if names is None else names
        axis = plt.subplots(figsize=(4, 4))[1] if axis is None else axis
        axis.imshow(self, cmap="Blues")
        for (row, column), count in np.ndenumerate(self):
            if count:
                dark = count > self.max() / 2
                axis.text(column, row, count, ha="center", va="center", color="w" if dark else "k")
        axis.set(
            xlabel="predicted", ylabel="true", xticks=range(len(self)), yticks=range(len(self))
        )
        axis.set_xticklabels(names)
        axis.set_yticklabels(names)
        axis.grid(False)
        return axis


def confusion_matrix(predictions, targets, classes=None):
    """How often each class (row) was taken for each class (column).

    Args:
        predictions: (B,) integer classes.
        targets: (B,) integer classes.
        classes: K. Default: the largest class seen, plus 1.

    Returns:
        `ConfusionMatrix`, integers (K, K).

    Raises:
        ValueError: if the shapes differ, or a class lies outside 0 .. K-1.
    """
    predictions, targets = _classes(predictions, targets)
    highest = max(predictions.max(initial=0), targets.max(initial=0))
    classes = highest + 1 if classes is None else classes
    if highest >= classes or min(predictions.min(initial=0), targets.min(initial=0)) < 0:
        raise ValueError(f"confusion_matrix: classes must lie in 0 .. {classes - 1}, got {highest}")
    counts = np.bincount(targets * classes + predictions, minlength=classes**2)
    return counts.reshape(classes, classes).view(ConfusionMatrix)


def precision_recall_f1(predictions, targets, classes=None):
    """For each class: how many of those found are right, how many of those right are found, and F1.

    Returns:
        {"precision": (K,), "recall": (K,), "f1": (K,)}; 0 where there is nothing to divide by.
    """
    matrix = np.asarray(confusion_matrix(predictions, targets, classes))
    hits = np.diag(matrix)
    precision = _ratio(hits, matrix.sum(axis=0))
    recall = _ratio(hits, matrix.sum(axis=1))
    f1 = _ratio(2 * precision * recall, precision + recall)
    return {"precision": precision, "recall": recall, "f1": f1}


def iou(predictions, targets, classes=None):
    """Intersection over union of each class in two maps of class numbers, equal shapes.

    Returns:
        (K,) between 0 and 1; NaN for a class that occurs in neither.
    """
    predictions, targets = as_array(predictions), as_array(targets)
    if predictions.shape != targets.shape:
        raise ValueError(f"iou: maps have shapes {predictions.shape} and {targets.shape}")
    matrix = np.asarray(confusion_matrix(predictions.ravel(), targets.ravel(), classes))
    hits, union = np.diag(matrix), matrix.sum(axis=0) + matrix.sum(axis=1) - np.diag(matrix)
    return np.where(union > 0, _ratio(hits, union), np.nan)


def perplexity(mean_cross_entropy):
    """exp of the mean cross-entropy in nats: among how many equal symbols a model wavers."""
    return math.exp(float(mean_cross_entropy))


def bleu(candidate, references, max_n=4):
    """How many n-grams of a translation occur in a reference, with a penalty on brevity.

    Args:
        candidate: list of tokens.
        references: list of lists of tokens, at least one.
        max_n: longest n-gram that counts. Default 4.

    Returns:
        between 0 and 1 (Papineni et al., 2002), without smoothing: 0 if some n has no match.
    """
    if not references or isinstance(candidate, str) or isinstance(references[0], str):
        raise ValueError("bleu: expected a list of tokens and a list of such lists; split the text")
    if not candidate:
        return 0.0
    logarithms = []
    for n in range(1, max_n + 1):
        found, possible = _clipped_matches(candidate, references, n)
        if not found:
            return 0.0
        logarithms.append(math.log(found / possible))
    length = len(candidate)
    closest = min((len(r) for r in references), key=lambda size: (abs(size - length), size))
    brevity = 1.0 if length >= closest else math.exp(1 - closest / length)
    return brevity * math.exp(sum(logarithms) / max_n)


def _clipped_matches(candidate, references, n):
    """How many n-grams occur in a reference, each at most as often as there; and how many exist."""
    grams = lambda tokens: Counter(zip(*(tokens[i:] for i in range(n)), strict=False))
    allowed = Counter()
    for reference in references:
        allowed |= grams(reference)
    ours = grams(candidate)
    return (ours & allowed).total(), ours.total()


def _classes(predictions, targets):
    predictions, targets = as_array(predictions), as_array(targets)
    if predictions.shape != targets.shape or predictions.ndim != 1:
        raise ValueError(
            f"expected two lists of classes of one length, got shapes {predictions.shape} and "
            f"{targets.shape}; take .argmax(axis=1) of scores first"
        )
    if predictions.dtype.kind not in "iu" or targets.dtype.kind not in "iu":
        raise TypeError(
            f"classes must be integers, got dtypes {predictions.dtype} and {targets.dtype}"
        )
    return predictions, targets


def _ratio(numerator, denominator):
    """0 where the denominator is 0."""
    safe = np.where(denominator == 0, 1, denominator)
    return np.where(denominator == 0, 0.0, numerator / safe)
