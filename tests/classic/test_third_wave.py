"""The spark of the third wave: deep nets taught layer by layer, without labels."""

import numpy as np
import pytest
from sklearn.datasets import load_sample_images
from sklearn.linear_model import OrthogonalMatchingPursuit
from sklearn.svm import LinearSVC

from dlcourse import classic as c
from dlcourse.data import digits

X, Y = digits().inputs.reshape(-1, 64).astype(float), digits().targets


def few_labels(seed, count):
    """Indices: `count` labeled examples a class, all training examples, test examples."""
    order = np.random.default_rng(seed).permutation(len(X))
    training, test = order[:1297], order[1297:]
    labeled = np.concatenate([training[Y[training] == k][:count] for k in range(10)])
    return labeled, training, test


# Deep belief nets


@pytest.mark.slow
def test_pretraining_beats_random_weights_on_few_labels():
    """Two hidden layers, three labels a class: the same net, the same labels, the same tuning."""
    gains, scores = [], []
    for seed in range(3):
        labeled, training, test = few_labels(seed, 3)
        taught, random = (
            c.DeepBeliefNetwork((100, 100), pretrain=pretrain, seed=seed)
            .fit(X[labeled], Y[labeled], unlabeled=X[training])
            .predict(X[test])
            for pretrain in (True, False)
        )
        scores.append((taught == Y[test]).mean())
        gains.append(scores[-1] - (random == Y[test]).mean())
    assert np.mean(gains) > 0.03
    assert min(gains) > 0
    assert np.mean(scores) > 0.7


@pytest.mark.slow
def test_a_deeper_net_of_sigmoids_does_not_even_start_without_pretraining():
    for seed in range(2):
        labeled, training, test = few_labels(seed, 5)
        sizes = (100, 100, 100)
        random = c.DeepBeliefNetwork(sizes, pretrain=False, seed=seed).fit(X[labeled], Y[labeled])
        taught = c.DeepBeliefNetwork(sizes, seed=seed, rbm_epochs=20)
        taught.fit(X[labeled], Y[labeled], unlabeled=X[training])
        assert random.losses_[-1] > 1.5  # log(10) = 2.3 is guessing
        assert taught.losses_[-1] < 0.8
        assert (random.predict(X[test]) == Y[test]).mean() < 0.45
        assert (taught.predict(X[test]) == Y[test]).mean() > 0.7


def test_backpropagation_in_the_net_is_the_slope_of_the_loss():
    net = c.DeepBeliefNetwork((6, 5), pretrain=False, epochs=1).fit(X[:30], Y[:30] % 3)
    truth = Y[:30] % 3
    gradients, _ = net._gradients(X[:30], truth)
    for layer, gradient in zip(net.layers_, gradients, strict=True):
        for parameter, slope in zip(layer, gradient, strict=True):
            for index in list(np.ndindex(parameter.shape))[:25]:
                ends = []
                for step in (1e-5, -2e-5):
                    parameter[index] += step
                    ends.append(net._gradients(X[:30], truth)[1] / 30)
                parameter[index] += 1e-5
                assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(slope[index], abs=1e-8)


def test_the_stack_rebuilds_digits_through_its_top():
    blind = ((X - X.mean(0)) ** 2).mean()
    net = c.DeepBeliefNetwork((64, 32), rbm_epochs=20).pretrain(X[:1400])
    assert ((net.reconstruct(X[1400:]) - X[1400:]) ** 2).mean() < 0.6 * blind


# Deep Boltzmann machine


def test_mean_field_rebuilds_digits_it_never_saw():
    blind = ((X[:1400].mean(0) - X[1400:]) ** 2).mean()
    for seed in range(2):
        machine = c.DeepBoltzmannMachine(epochs=5, seed=seed).fit(X[:1400])
        error = ((machine.reconstruct(X[1400:]) - X[1400:]) ** 2).mean()
        assert error < 0.4 * blind
        # both layers took part: without the second, the first believes something else
        m1, m2 = machine.mean_field(X[1400:])
        assert m2.std(0).mean() > 0.05
        helped = machine.W2_.copy()
        machine.W2_ = 0 * helped
        assert np.abs(machine.mean_field(X[1400:])[0] - m1).mean() > 0.01


def test_mean_field_comes_to_rest_and_bounds_the_truth():
    """On a machine small enough to count, the beliefs are a fixed point near the true marginals."""
    bits = np.repeat([[1, 1, 0, 0], [0, 0, 1, 1]], 20, axis=0)
    machine = c.DeepBoltzmannMachine((3, 2), rbm_epochs=30, epochs=30, mean_field_steps=200).fit(
        bits
    )
    v = np.array([1.0, 1, 0, 0])
    m1, m2 = (m[0] for m in machine.mean_field([v]))
    _, b1, b2 = machine.biases_
    sigmoid = lambda z: 1 / (1 + np.exp(-z))
    np.testing.assert_allclose(m1, sigmoid(v @ machine.W1_ + machine.W2_ @ m2 + b1), atol=1e-6)
    np.testing.assert_allclose(m2, sigmoid(m1 @ machine.W2_ + b2), atol=1e-6)
    states = c.all_states(5)
    h1, h2 = states[:, :3], states[:, 3:]
    scores = h1 @ (v @ machine.W1_ + b1) + np.einsum("si,ij,sj->s", h1, machine.W2_, h2) + h2 @ b2
    p = np.exp(scores - scores.max())
    marginals = p @ states / p.sum()
    np.testing.assert_allclose(np.append(m1, m2), marginals, atol=0.1)


def test_the_deep_machine_dreams_what_it_saw():
    bits = np.repeat([[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]], 20, axis=0)
    seen = []
    for seed in range(3):
        machine = c.DeepBoltzmannMachine((8, 4), rbm_epochs=60, epochs=60, seed=seed).fit(bits)
        dreams = machine.dream(200, steps=100, seed=seed).round()
        distance = np.abs(dreams[:, None] - bits[[0, -1]]).sum(2).min(1)
        seen.append((distance == 0).mean())
    assert np.mean(seen) > 0.6  # by chance 2 of 64


# Convolutional belief net


def photographs():
    """Two photographs, whitened; the edges, which wrap around, cut off."""
    gray = np.stack([image.mean(2) / 255 for image in load_sample_images().images])
    return c.whiten(gray)[:, 4:-4, 4:-4]


def scrambled(images, seed=0):
    """Noise with the spectrum of `images`: the same power at each frequency, no edges."""
    noise = np.random.default_rng(seed).normal(size=images.shape)
    phases = np.angle(np.fft.fft2(noise))
    return np.fft.ifft2(np.abs(np.fft.fft2(images)) * np.exp(1j * phases)).real


@pytest.mark.slow
def test_filters_become_oriented_edges_on_photographs_and_not_on_noise():
    images = photographs()
    shares, directions = {"photographs": [], "noise": []}, set()
    for seed in range(2):
        kinds = {"photographs": images, "noise": scrambled(images)}
        for name, pictures in list(kinds.items())[: 2 - seed]:
            layer = c.ConvolutionalRBM(steps=500, seed=seed).fit(pictures)
            assert np.mean(layer.errors_[-50:]) < 0.6 * np.mean(layer.errors_[:20])
            strength, direction = c.orientation_selectivity(layer.filters_[:, 0])
            shares[name].append((strength > 0.5).mean())
            if name == "photographs":
                directions |= set((direction[strength > 0.5] // (np.pi / 4)).astype(int).tolist())
    assert min(shares["photographs"]) >= 0.4
    assert np.mean(shares["photographs"]) > 1.7 * np.mean(shares["noise"])
    assert len(directions) >= 3  # of every slope, in quarters of the circle


def test_hidden_and_pooling_probabilities_are_those_of_one_block():
    layer = c.ConvolutionalRBM(filters=3, size=3, patch=6, steps=1).start(1)
    layer.filters_ = np.random.default_rng(0).normal(size=(3, 1, 3, 3))
    layer.hidden_bias_ = np.array([0.5, -1.0, 0.0])
    v = np.random.default_rng(1).normal(size=(1, 1, 6, 6))
    h, pooled = layer.hidden_given(v)
    assert h.shape == (1, 3, 4, 4)
    assert pooled.shape == (1, 3, 2, 2)
    inputs = np.array([
        [(v[0, 0, r : r + 3, s : s + 3] * layer.filters_[1, 0]).sum() - 1 for s in (2, 3)]
        for r in (0, 1)
    ])  # fmt: skip
    total = 1 + np.exp(inputs).sum()
    np.testing.assert_allclose(h[0, 1, :2, 2:], np.exp(inputs) / total, rtol=1e-6)
    assert pooled[0, 1, 0, 1] == pytest.approx(1 - 1 / total)
    draws = np.mean([layer._draw(h) for _ in range(4000)], axis=0)
    np.testing.assert_allclose(draws, h, atol=0.05)
    blocks = layer._draw(h).reshape(1, 3, 2, 2, 2, 2).sum((3, 5))
    assert blocks.max() <= 1


def test_visible_given_is_the_adjoint_of_the_hidden_sums():
    """<h, W * v> = <W^T h, v>: the filters that read a picture are those that draw it."""
    rng = np.random.default_rng(0)
    layer = c.ConvolutionalRBM(filters=3, size=3, patch=6).start(2)
    layer.filters_ = rng.normal(size=(3, 2, 3, 3))
    v, h = rng.normal(size=(2, 2, 6, 6)), rng.normal(size=(2, 3, 4, 4))
    sums = np.einsum("bhwcij,kcij->bkhw", layer._windows(v), layer.filters_)
    assert (sums * h).sum() == pytest.approx((layer.visible_given(h) * v).sum())
    assert (layer._correlate(v, h) * layer.filters_).sum() == pytest.approx((sums * h).sum())


def test_a_second_layer_learns_from_the_first():
    stack = c.ConvolutionalDBN([
        c.ConvolutionalRBM(8, steps=100), c.ConvolutionalRBM(6, 5, patch=14, binary=True, steps=60)
    ]).fit(photographs())  # fmt: skip
    errors = stack.layers[1].errors_
    assert np.mean(errors[-10:]) < np.mean(errors[:10])
    top = stack.transform(photographs()[:, :100, :100])
    assert top.shape == (2, 6, 21, 21)
    assert top.min() >= 0
    assert top.max() <= 1


# Coates and Ng


@pytest.mark.parametrize("count", [1, 2, 4])
def test_matching_pursuit_equals_scikit_learn(count):
    rng = np.random.default_rng(0)
    D = rng.normal(size=(12, 8))
    D /= np.linalg.norm(D, axis=1, keepdims=True)
    signals = rng.normal(size=(10, 8))
    theirs = OrthogonalMatchingPursuit(n_nonzero_coefs=count, fit_intercept=False)
    expected = [theirs.fit(D.T, signal).coef_ for signal in signals]
    np.testing.assert_allclose(
        c.orthogonal_matching_pursuit(signals, D, count), expected, atol=1e-10
    )


def test_omp1_features_beat_pixels_with_the_same_classifier():
    """Both columns scaled alike, both with the better of two penalties for the classifier."""
    gains, scores = [], []
    images = digits().inputs[:, 0]
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(images))
        training, test = order[:1100], order[1100:]
        model = c.OMP1Features(seed=seed).fit(images[training])
        assert (np.diff(model.residual_) <= 1e-9).all()
        best = []
        for features in (X, model.transform(images)):
            mean, spread = features[training].mean(0), features[training].std(0) + 1e-3
            scaled = (features - mean) / spread
            best.append(max(
                LinearSVC(C=C, max_iter=1000, tol=1e-3).fit(scaled[training], Y[training])
                .score(scaled[test], Y[test]) for C in (0.001, 0.01)
            ))  # fmt: skip
        gains.append(best[1] - best[0])
        scores.append(best[1])
    assert min(gains) > 0.01
    assert min(scores) > 0.98


def test_the_dictionary_is_of_unit_length_and_explains_by_one_entry():
    model = c.OMP1Features(entries=20, sample=3000).fit(digits().inputs[:300, 0])
    np.testing.assert_allclose(np.linalg.norm(model.dictionary_, axis=1), 1)
    patches = c.patches(digits().inputs[:20, 0], 4).reshape(-1, 16)
    white = (model._normalize(patches) - model.mean_) @ model.whitening_
    codes = c.orthogonal_matching_pursuit(white, model.dictionary_, 1)
    products = white @ model.dictionary_.T
    assert ((codes != 0).sum(1) == 1).all()
    np.testing.assert_allclose(np.abs(codes).max(1), np.abs(products).max(1))
    # The soft threshold, summed over the whole picture: both signs of all entries.
    soft = [np.maximum(sign * products - 0.5, 0).reshape(20, -1, 20).sum(1) for sign in (1, -1)]
    quarters = model.transform(digits().inputs[:20, 0]).reshape(20, 4, 40)
    np.testing.assert_allclose(quarters.sum(1), np.hstack(soft))
    assert (quarters.min(1) < quarters.max(1)).any()
