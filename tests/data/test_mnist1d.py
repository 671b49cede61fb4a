"""MNIST-1D: the published numbers, and a task that separates linear from not linear."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from dlcourse import data


@pytest.fixture(scope="module")
def parts():
    return data.mnist1d("train"), data.mnist1d("test")


def test_it_is_the_published_data_set(parts):
    train, test = parts
    assert train.inputs.shape == (4000, 1, 40)
    assert test.inputs.shape == (1000, 1, 40)
    assert train.inputs.dtype == np.float32
    assert train.targets.dtype == np.int64
    # From the author's own program (mnist1d 0.0.2, Greydanus and Steinbach), seed 42.
    np.testing.assert_array_equal(train.targets[:5], [2, 6, 4, 5, 6])
    published = [-0.332006, -0.47191, -0.778697, -1.009741, -0.882353, 0.103935, 1.643284, 1.652507]
    np.testing.assert_allclose(train.inputs[0, 0, :8], published, atol=2e-6)


def test_everything_together_is_standardized():
    whole = data.mnist1d(None)
    assert len(whole) == 5000
    assert abs(whole.inputs.mean()) < 1e-6
    assert whole.inputs.std() == pytest.approx(1, abs=1e-6)
    np.testing.assert_array_equal(np.bincount(whole.targets), np.full(10, 500))


def test_options_turn_each_disturbance_off():
    still = dict(translation=1, correlated_noise=0, noise=0, shear=0, scaling=0)
    calm = data.mnist1d(None, n=100, **still).inputs[:, 0]
    end = calm[:, -1]  # in the padding, which is 0 before everything is standardized
    np.testing.assert_allclose(end, end[0], atol=1e-5)
    for option, value in [("noise", 0.1), ("shear", 1.0), ("translation", 48), ("scaling", 1.0),
                          ("correlated_noise", 1.0)]:  # fmt: skip
        other = data.mnist1d(None, n=100, **still | {option: value}).inputs[:, 0]
        assert np.abs(other - calm).max() > 0.1


@pytest.mark.slow
def test_a_hidden_layer_helps_as_in_the_paper(parts):
    train, test = ((p.inputs[:, 0], p.targets) for p in parts)
    linear = LogisticRegression(max_iter=500).fit(*train).score(*test)
    net = MLPClassifier((100,), max_iter=100, random_state=0)
    with pytest.warns(match="Maximum iterations"):
        hidden = net.fit(*train).score(*test)
    assert 0.27 < linear < 0.37  # the paper has 32 %
    assert 0.55 < hidden < 0.78  # 68 %
