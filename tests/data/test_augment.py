"""Augmentation: each picture changes on its own, within its limits, and only by its seed."""

from functools import partial

import numpy as np
import pytest
from scipy.ndimage import rotate as scipy_rotate

from dlcourse import data
from dlcourse.data.augment import Augmented, affine, bilinear, crop, cutout, flip, mixup, rotate

RNG = np.random.default_rng(0)
IMAGES = RNG.random((12, 3, 9, 7), dtype=np.float32)


@pytest.mark.parametrize("step", [crop, flip, rotate, affine, partial(cutout, size=3)])
def test_steps_keep_form_and_input_and_follow_the_seed(step):
    before = IMAGES.copy()
    changed = step(IMAGES, seed=1)
    assert changed.shape == IMAGES.shape
    assert changed.dtype == np.float32
    np.testing.assert_array_equal(IMAGES, before)
    assert not np.shares_memory(changed, IMAGES)
    np.testing.assert_array_equal(changed, step(IMAGES, seed=np.random.default_rng(1)))
    assert not np.array_equal(changed, step(IMAGES, seed=2))
    changes = [tuple(np.round(np.ravel(a - b), 3)) for a, b in zip(changed, IMAGES, strict=True)]
    assert len(set(changes)) > 1  # each image on its own


def test_crop_cuts_a_window_of_the_framed_image():
    framed = np.pad(IMAGES, ((0, 0), (0, 0), (2, 2), (2, 2)))
    places = set()
    for seed in range(30):
        for i, window in enumerate(crop(IMAGES, padding=2, seed=seed)):
            found = [(y, x) for y in range(5) for x in range(5)
                     if np.array_equal(framed[i, :, y : y + 9, x : x + 7], window)]  # fmt: skip
            assert found
            places.update(found)
    assert places == {(y, x) for y in range(5) for x in range(5)}
    assert crop(IMAGES, size=4, padding=0).shape == (12, 3, 4, 4)
    np.testing.assert_array_equal(crop(IMAGES, padding=0), IMAGES)


def test_flip_mirrors_left_and_right():
    np.testing.assert_array_equal(flip(IMAGES, 1), IMAGES[..., ::-1])
    np.testing.assert_array_equal(flip(IMAGES, 0), IMAGES)
    many = np.broadcast_to(IMAGES[:1], (2000, 3, 9, 7))
    mirrored = (flip(many)[:, 0, 0, 0] == IMAGES[0, 0, 0, -1]).mean()
    assert mirrored == pytest.approx(0.5, abs=0.05)


def test_rotate_equals_scipy(monkeypatch):
    class Fixed:
        def uniform(self, low, high, size):
            return np.full(size, high)

    monkeypatch.setattr(np.random, "default_rng", lambda seed: Fixed())
    for degrees in (0, 20, 90, 180):
        turned = rotate(IMAGES, degrees)
        expected = scipy_rotate(
            IMAGES.astype(float),
            -degrees,
            axes=(2, 3),
            reshape=False,
            order=1,
            mode="grid-constant",
        )
        np.testing.assert_allclose(turned, expected, atol=1e-5)


def test_bilinear_at_and_between_pixels():
    y, x = np.array([[1.0, 2.5]]), np.array([[3.0, 3.0]])
    found = bilinear(IMAGES[:1], y, x)
    np.testing.assert_allclose(found[0, :, 0], IMAGES[0, :, 1, 3])
    np.testing.assert_allclose(found[0, :, 1], IMAGES[0, :, 2:4, 3].mean(axis=1), rtol=1e-6)
    assert bilinear(IMAGES[:1], np.array([[-5.0]]), np.array([[0.0]]), outside=7)[0, 0, 0] == 7


def test_cutout_blackens_a_square():
    ones = np.ones((400, 2, 10, 10), np.float32)
    black = cutout(ones, size=4) == 0
    assert (black[:, 0] == black[:, 1]).all()  # all channels alike
    for mask in black[:, 0]:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        assert mask.sum() == len(rows) * len(columns) > 0
        assert len(rows) <= 4
        assert len(columns) <= 4
    assert black[:, 0].any(axis=0).all()  # every pixel has its turn


def test_mixup_mixes_inputs_and_targets_alike():
    images = np.eye(6, dtype=np.float32)  # image i shows nothing but i
    mixed, shares = mixup(images, np.arange(6), 6, alpha=1.0)
    np.testing.assert_allclose(mixed, shares, atol=1e-6)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
    assert shares.dtype == mixed.dtype == np.float32
    assert ((shares > 0) & (shares < 1)).any()
    mixed, shares = mixup(IMAGES, np.zeros(12, int), 3)
    assert mixed.shape == IMAGES.shape
    np.testing.assert_allclose(shares, np.eye(3)[np.zeros(12, int)], atol=1e-6)


def test_augmented_epochs_differ_and_can_be_repeated():
    digits = data.digits()[:40]
    loader = Augmented(digits, partial(crop, padding=1), flip)
    epoch = lambda seed: list(loader.batches(16, shuffle=True, seed=seed))
    first, again, other = epoch([0, 1]), epoch([0, 1]), epoch([0, 2])
    for (a, t), (b, u) in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(t, u)
    assert not np.array_equal(first[0][0], other[0][0])
    assert [len(t) for _, t in first] == [16, 16, 8]
    # The order is that of the data set alone, so that targets still belong to their images.
    plain = np.concatenate([t for _, t in digits.batches(16, shuffle=True, seed=[0, 1])])
    np.testing.assert_array_equal(np.concatenate([t for _, t in first]), plain)


def test_training_takes_augmented_data():
    from dlcourse.autograd import losses, nn
    from dlcourse.optim import SGD
    from dlcourse.train import fit

    digits = data.digits()[:200]
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10, rng=np.random.default_rng(0)))
    loader = Augmented(digits, partial(crop, padding=1))
    history = fit(net, loader, losses.cross_entropy, SGD(net.parameters(), 0.5), 3, progress=False)
    assert history["loss"][-1] < history["loss"][0]


def test_affine_equals_scipy_and_does_nothing_by_nothing(monkeypatch):
    from scipy.ndimage import affine_transform

    np.testing.assert_array_equal(affine(IMAGES, 0, 0, 0, 0), IMAGES)
    degrees, scale, shear, shift = 20, 0.2, 0.3, 1.5

    class Fixed:
        def uniform(self, low, high, size):
            return np.full(size, high)

    monkeypatch.setattr(np.random, "default_rng", lambda seed: Fixed())
    moved = affine(IMAGES, degrees, scale, shear, shift)
    a, middle = np.deg2rad(degrees), np.array([(9 - 1) / 2, (7 - 1) / 2])
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    matrix = np.diag([1 / (1 + scale)] * 2) @ turn
    matrix[1] -= shear / (1 + scale) * turn[0]
    offset = middle - matrix @ (middle + shift)
    expected = affine_transform(
        IMAGES[0, 0].astype(float), matrix, offset, order=1, mode="grid-constant"
    )
    np.testing.assert_allclose(moved[0, 0], expected, atol=1e-5)


@pytest.mark.parametrize(
    "bad", [{"degrees": -1}, {"scale": 1.0}, {"shear": -0.1}, {"shift": 100}], ids=str
)
def test_affine_refuses_what_leaves_nothing_to_see(bad):
    with pytest.raises(ValueError, match="affine"):
        affine(IMAGES, **bad)
