"""Metrics against scikit-learn, or against values computed by hand."""

import functools

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from dlcourse import metrics
from dlcourse.autograd import Tensor

RNG = np.random.default_rng(0)
LOGITS, TARGETS = RNG.standard_normal((60, 5)), RNG.integers(0, 5, 60)
FOUND = LOGITS.argmax(1)


@pytest.mark.parametrize("kind", [np.array, Tensor, functools.partial(torch.tensor)])
def test_accuracy_equals_scikit_learn(kind):
    assert metrics.accuracy(kind(LOGITS), TARGETS) == sk.accuracy_score(TARGETS, FOUND)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_top_k_equals_scikit_learn(k):
    expected = sk.top_k_accuracy_score(TARGETS, LOGITS, k=k)
    assert metrics.top_k_accuracy(LOGITS, TARGETS, k) == pytest.approx(expected)


def test_ties_count_for_the_first():
    assert metrics.accuracy(np.zeros((2, 3)), np.array([0, 1])) == 0.5


def test_confusion_matrix_equals_scikit_learn():
    matrix = metrics.confusion_matrix(FOUND, TARGETS)
    np.testing.assert_array_equal(matrix, sk.confusion_matrix(TARGETS, FOUND))
    assert metrics.confusion_matrix([0], [0], classes=3).shape == (3, 3)


def test_confusion_matrix_draws_itself():
    axis = metrics.confusion_matrix([0, 1, 1], [0, 0, 1]).plot(names=["cat", "dog"])
    assert [text.get_text() for text in axis.get_xticklabels()] == ["cat", "dog"]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("predicted", "true")
    places = {text.get_position(): text.get_text() for text in axis.texts}
    assert places == {(0, 0): "1", (1, 0): "1", (1, 1): "1"}  # (column, row)


@pytest.mark.parametrize("classes", [5, 7])
def test_precision_recall_f1_equal_scikit_learn(classes):
    ours = metrics.precision_recall_f1(FOUND, TARGETS, classes)
    expected = sk.precision_recall_fscore_support(
        TARGETS, FOUND, labels=range(classes), zero_division=0
    )
    for name, values in zip(("precision", "recall", "f1"), expected[:3], strict=True):
        np.testing.assert_allclose(ours[name], values)


def test_iou_equals_scikit_learn():
    maps, truth = RNG.integers(0, 3, (2, 4, 6, 5))
    expected = sk.jaccard_score(truth.ravel(), maps.ravel(), average=None)
    np.testing.assert_allclose(metrics.iou(maps, truth), expected)
    assert np.isnan(metrics.iou(maps, truth, classes=4)[3])


def test_perplexity():
    assert metrics.perplexity(np.log(8.0)) == pytest.approx(8.0)
    assert metrics.perplexity(Tensor(0.0)) == 1.0


def test_bleu():
    # Papineni et al. (2002), section 2.1: the clipped count of "the" is 2 of 7.
    candidate, reference = (
        ["the", "the", "the", "the", "the", "the", "the"],
        ["the", "cat", "is", "on", "the", "mat"],
    )
    assert metrics.bleu(candidate, [reference], max_n=1) == pytest.approx(2 / 7)
    assert metrics.bleu(reference, [reference]) == 1.0
    # 3 of 4 words, 2 of 3 pairs; two words shorter than the reference.
    short = ["the", "cat", "is", "blue"]
    expected = np.exp(1 - 6 / 4) * np.sqrt(3 / 4 * 2 / 3)
    assert metrics.bleu(short, [reference], max_n=2) == pytest.approx(expected)
    # The reference closest in length sets the penalty; n-grams may come from any.
    assert metrics.bleu(short, [reference, ["is", "blue", "it", "is"]], max_n=2) == pytest.approx(
        np.sqrt(4 / 4 * 3 / 3)
    )
    assert metrics.bleu(candidate, [reference]) == 0.0
    assert metrics.bleu([], [reference]) == 0.0


@pytest.mark.parametrize(
    ("run", "error", "words"),
    [
        (lambda: metrics.accuracy(LOGITS, TARGETS[:4]), ValueError, r"\(60, 5\) and \(4,\)"),
        (lambda: metrics.accuracy(LOGITS[:0], TARGETS[:0]), ValueError, "B >= 1"),
        (lambda: metrics.top_k_accuracy(LOGITS, TARGETS, 6), ValueError, "1 .. 5, got 6"),
        (lambda: metrics.confusion_matrix(LOGITS, TARGETS), ValueError, "argmax"),
        (lambda: metrics.confusion_matrix([0.5], [0]), TypeError, "integers"),
        (lambda: metrics.confusion_matrix([3], [0], classes=2), ValueError, "0 .. 1, got 3"),
        (lambda: metrics.iou(np.ones((2, 2), int), np.ones(4, int)), ValueError, r"\(2, 2\)"),
        (lambda: metrics.bleu("a cat", ["a cat"]), ValueError, "split the text"),
    ],
)
def test_mistakes_are_refused(run, error, words):
    with pytest.raises(error, match=words):
        run()
