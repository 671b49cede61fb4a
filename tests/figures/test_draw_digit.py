"""Draw a digit: the net against PyTorch, its accuracy, and drawings centered as MNIST's were."""

import json
import math
import os

import numpy as np
import pytest

from dlcourse import data
from dlcourse.figures import draw_digit

torch = pytest.importorskip("torch")
raster, forward = draw_digit.raster, draw_digit.forward
THREE = draw_digit().strokes
# Drawn by hand, with few points each.
DRAWN = {
    0: [[[50, 15], [36, 20], [28, 38], [28, 60], [36, 78], [50, 84], [64, 78], [72, 60], [72, 38],
         [64, 20], [50, 15]]],
    1: [[[40, 30], [54, 15], [54, 85]]],
    2: [[[28, 32], [34, 19], [50, 14], [64, 21], [66, 36], [56, 52], [40, 68], [27, 83], [72, 83]]],
    3: THREE,
    4: [[[46, 15], [36, 35], [27, 56], [74, 56]], [[62, 36], [60, 60], [58, 88]]],
    5: [[[68, 16], [36, 16], [33, 45], [48, 41], [63, 47], [69, 61], [63, 77], [48, 84], [30, 78]]],
    6: [[[62, 14], [46, 26], [35, 45], [31, 64], [37, 80], [51, 85], [65, 78], [66, 64], [56, 54],
         [42, 57], [33, 68]]],
    7: [[[26, 18], [72, 18], [58, 44], [48, 66], [42, 87]]],
    8: [[[62, 24], [50, 14], [37, 20], [36, 33], [48, 46], [62, 58], [67, 72], [56, 84], [42, 84],
         [33, 72], [40, 57], [54, 45], [64, 34], [62, 24]]],
    9: [[[66, 32], [56, 46], [42, 46], [34, 34], [38, 20], [52, 14], [64, 21], [66, 34], [64, 58],
         [58, 86]]],
}  # fmt: skip
HERE = os.environ.get("DLCOURSE_DATA")
SETS = {
    "glyphs": lambda: data.glyphs(1000, seed=31),
    "MNIST": lambda: data.mnist("test").subset(range(2000)),
}
needs_mnist = pytest.mark.skipif(not HERE, reason="DLCOURSE_DATA names no folder with MNIST")
every_set = pytest.mark.parametrize("name", ["glyphs", pytest.param("MNIST", marks=needs_mnist)])


@every_set
def test_the_engine_computes_what_pytorch_does(name):
    pictures = SETS[name]().inputs[:60]
    net, each = draw_digit.network(), {}
    for layer in ("c1", "c3", "c5", "f6", "output"):
        getattr(net, layer).register_forward_hook(
            lambda module, inputs, output, layer=layer: each.__setitem__(layer, output)
        )
    with torch.no_grad():
        scores = net(torch.tensor(pictures))
    for k, picture in enumerate(pictures):
        ours = forward(picture[0])
        np.testing.assert_allclose(ours["output"], scores[k].numpy(), atol=1e-4)
        for layer in ("c1", "c3", "c5", "f6"):
            np.testing.assert_allclose(ours[layer], each[layer][k].relu().numpy(), atol=1e-4)
        np.testing.assert_allclose(
            ours["s4"], torch.max_pool2d(each["c3"][k].relu(), 2).numpy(), atol=1e-4
        )


@every_set
def test_it_reads_digits_that_it_has_not_seen(name):
    x, t = SETS[name]().to_torch().tensors
    with torch.no_grad():
        accuracy = (draw_digit.network()(x).argmax(1) == t).float().mean()
    assert accuracy >= 0.97


def read(strokes, **how):
    return int(forward(raster(strokes, **how))["output"].argmax())


def changed(strokes, by=1.0, move=(0, 0), shake=0.0, seed=0):
    rng = np.random.default_rng(seed)
    return [
        (np.array(s) * by + move + shake * rng.normal(size=(len(s), 2))).tolist() for s in strokes
    ]


@pytest.mark.parametrize("digit", DRAWN)
def test_drawn_digits_are_read_wherever_and_however_large(digit):
    for seed in range(4):
        for by, move in ((1, (0, 0)), (0.4, (5, 50)), (0.6, (35, 2))):
            strokes = changed(DRAWN[digit], by, move, shake=1.2 * by, seed=seed)
            assert read(strokes) == digit
    assert read(DRAWN[digit], turn=5) == digit
    assert read(DRAWN[digit], pen=3.4) == digit


@pytest.mark.parametrize("digit", DRAWN)
def test_drawings_are_centered_as_mnist_did_it(digit):
    picture = raster(DRAWN[digit])
    assert picture.shape == (28, 28)
    assert picture.min() == 0
    assert picture.max() == 1
    rows, columns = (np.flatnonzero(picture.max(axis=axis) >= 0.5) for axis in (1, 0))
    sides = [rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1]
    assert max(sides) == pytest.approx(20, abs=1)  # a box of 20 x 20
    centers = [
        (picture.sum(axis=axis) * (np.arange(28) + 0.5)).sum() / picture.sum() for axis in (0, 1)
    ]
    assert np.abs(np.array(centers) - 14).max() <= 0.5 + 1e-9  # moved by whole pixels
    moved = raster(changed(DRAWN[digit], 0.5, (40, 20)))
    np.testing.assert_allclose(moved, picture, atol=1e-9)


def test_a_pixel_is_as_dark_as_the_pen_covers_it():
    picture = raster([[[20, 50], [80, 50]]], pen=4)  # a bar, 20 long with its round ends, 4 high
    np.testing.assert_allclose(picture[:, 14], [0] * 12 + [1] * 4 + [0] * 12)
    np.testing.assert_array_equal(picture, picture[::-1])
    assert picture.sum() == pytest.approx(16 * 4 + math.pi * 4, rel=0.03)
    dot = raster([[[3, 97]]], pen=4)
    assert dot.sum() == pytest.approx(math.pi * 4, rel=0.1)
    assert raster([]).sum() == 0


def test_turning_by_ninety_degrees_is_turning_the_points():
    by_hand = [[[100 - y, x] for x, y in stroke] for stroke in DRAWN[7]]
    np.testing.assert_allclose(raster(DRAWN[7], turn=90), raster(by_hand), atol=1e-9)
    assert read(DRAWN[6], turn=180) == 9


def test_alt_and_picture_tell_what_is_read():
    figure = draw_digit(DRAWN[7])
    assert "reads it as a 7, with 9" in figure.alt
    assert figure.fallback_svg.count("<rect") == 11
    assert "nothing is drawn" in draw_digit([]).alt
    figure.strokes = DRAWN[4]
    assert len(json.dumps(figure.state)) < 1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"strokes": [[]]}, "up to 100 strokes of points"),
        ({"strokes": [[[0, 101]]]}, "from 0 to 100"),
        ({"strokes": [[[0, math.nan]]]}, "from 0 to 100"),
        ({"strokes": [[[0, 1, 2]]]}, "up to 100 strokes"),
        ({"strokes": [[["0", 1]]]}, "up to 100 strokes"),
        ({"strokes": [[[0, 1]]] * 101}, "up to 100 strokes"),
        ({"strokes": [[[0, 1]] * 2001]}, "at most 2000 in all"),
        ({"turn": 181}, "turn: 181 came; expected a whole number from -180 to 180"),
        ({"turn": 0.5}, "turn: 0.5 came"),
        ({"pen": 0}, "pen: 0 came; expected a number from 1 to 5"),
        ({"pen": "thick"}, "pen: 'thick' came"),
        ({"strokes": 3}, "strokes: lists of points"),
        ({"strokes": [1, 2]}, "strokes: lists of points"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        draw_digit(**arguments)
