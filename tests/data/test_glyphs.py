"""Glyphs: what they look like, how they vary, and that a network of convolutions is needed."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from dlcourse import data
from dlcourse.data import glyph_images


def test_they_have_the_shape_of_mnist():
    glyphs = data.glyphs(200)
    assert glyphs.inputs.shape == (200, 1, 28, 28)
    assert glyphs.inputs.dtype == np.float32
    assert glyphs.targets.dtype == np.int64
    assert (glyphs.inputs.min(), glyphs.inputs.max()) == (0, 1)
    levels = glyphs.inputs * 255
    np.testing.assert_allclose(levels, np.rint(levels), atol=1e-4)
    np.testing.assert_array_equal(np.bincount(glyphs.targets), np.full(10, 20))
    assert not glyphs.inputs.flags.writeable


def test_characters_and_sizes():
    glyphs = data.glyphs(52, size=40, characters="ABCabcαΩ?é")
    assert glyphs.inputs.shape == (52, 1, 40, 40)
    assert glyphs.classes == tuple("ABCabcαΩ?é")


def still(characters, size=28):
    """One glyph for each character, without any distortion, in whichever font."""
    return data.glyphs(
        len(characters) * 40, size, characters, rotation=0, shear=0, scaling=0, shift=0, weight=0,
        warp=0, noise=0,
    )  # fmt: skip


def test_glyphs_stand_upright_in_the_middle():
    glyphs = still("T")
    for image in glyphs.inputs[:, 0]:
        rows, columns = image.sum(axis=1), image.sum(axis=0)
        filled = np.flatnonzero(rows > 0.4)
        assert 17 <= np.ptp(filled) + 1 <= 22  # about 20 of 28 pixels high, as in MNIST
        assert rows[:14].sum() > rows[14:].sum()  # the bar of the T is on top
        assert abs((columns * np.arange(28)).sum() / columns.sum() - 13.5) < 3


def test_outline_encloses_the_ink_and_not_the_hole():
    zero = still("0").inputs[:, 0]
    center = zero[:, 12:16, 12:16].mean(axis=(1, 2))
    assert np.median(center) < 0.2  # a dotted or slashed zero is the exception
    one = still("I").inputs[:, 0]
    assert np.median(one[:, 12:16, 12:16].max(axis=(1, 2))) > 0.7
    assert zero[:, 0].max() == 0  # nothing touches the frame


def test_winding_numbers_agree_with_matplotlib():
    from matplotlib.path import Path as Outline

    square = np.array([[[10, 10], [90, 10]], [[90, 10], [90, 90]], [[90, 90], [10, 90]],
                       [[10, 90], [10, 10]]], float)  # fmt: skip
    hole = square[:, ::-1] * 0.5 + 25  # the other way around
    mask = glyph_images._inside(np.concatenate([square, hole]))
    centers = np.stack(np.meshgrid(np.arange(120) + 0.5, np.arange(120) + 0.5), axis=-1)
    inside = lambda edges: Outline(edges[:, 0]).contains_points(centers.reshape(-1, 2))
    expected = inside(square) & ~inside(hole[::-1, ::-1])
    np.testing.assert_array_equal(mask, expected.reshape(120, 120))


def test_each_font_contributes():
    maps, owners = glyph_images._all_maps(("3",))
    assert owners.tolist() == [[0, len(glyph_images._FONTS)]]
    flat = maps.reshape(len(maps), -1)
    distances = np.abs(flat[:, None] - flat[None]).max(axis=-1)
    assert (distances + np.eye(len(maps)) > 0.005).all()  # no two fonts are alike


def test_nothing_outside_matplotlib_is_read(monkeypatch):
    import matplotlib.font_manager

    refuse = lambda *a, **k: pytest.fail("looked for a font")
    for name in ("findSystemFonts", "findfont", "get_font"):
        monkeypatch.setattr(matplotlib.font_manager, name, refuse)
    monkeypatch.setattr(matplotlib.font_manager.FontManager, "findfont", refuse)
    glyph_images._map.cache_clear()
    glyph_images._outline.cache_clear()
    data.glyphs(10)


@pytest.mark.slow
def test_a_linear_classifier_is_not_enough():
    train, test = data.glyphs(4000, seed=0), data.glyphs(1000, seed=1)
    flat = lambda part: (part.inputs.reshape(len(part), -1), part.targets)
    score = LogisticRegression(C=0.05, max_iter=300, tol=0.01).fit(*flat(train)).score(*flat(test))
    assert 0.7 < score < 0.92  # benchmarks/glyphs.py compares with MNIST and with convolutions
